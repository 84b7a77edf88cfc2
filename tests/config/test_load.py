"""The YAML file: what it says, round trips, presets and geometries in it."""

import copy
import pickle

import pytest
import yaml
from places import CONFIGS
from small_config import FULL, SMALL, problems, small, write

from hep_peaksum import PeakSumSettings, named_grid
from hep_peaksum.config.load import load_config, parse_config, parse_job
from hep_peaksum.config.model import Job
from hep_peaksum.toy import testbeam

EVERY_CONFIG = sorted(CONFIGS.glob("*.yaml"))


@pytest.fixture
def full(tmp_path):
    return load_config(write(tmp_path / "full.yaml", FULL))


def test_datasets_and_events_of_a_config(full):
    assert list(full.datasets) == ["zerobias", "ttbar-2018.v1"]
    assert full.datasets["zerobias"].files == {"data/*.root": "l1CaloTowerEmuTree/L1CaloTowerTree"}
    assert full.datasets["zerobias"].metadata == {"year": 2018}
    assert full.friends == {"ev": "l1EventTree/L1EventTree"}
    assert full.events.identify["luminosityBlock"] == "ev:Event/lumi"
    assert full.branches() == [
        *("L1CaloTower/ieta", "L1CaloTower/iphi", "L1CaloTower/iet", "calo_e"),
        *("ev:Event/run", "ev:Event/lumi", "ev:Event/event", "ev:Event/nPV"),
    ]


def test_grids_of_a_config(full):
    assert full.grids["towers"].grid == named_grid("cms-l1-towers")
    calo = full.grids["calo"]
    assert calo.grid.shape == (10, 12)
    assert calo.grid.unit == 0.001
    assert calo.has_layers
    assert calo.n_cells == 67 * 10 * 12


def test_clusters_of_a_config(full):
    published = PeakSumSettings(
        search_window=(9, 9),
        sum_window=(9, 9),
        tie_rule="diagonal",
        seed_threshold="4 GeV",
        seed_comparison=">=",
        pileup=["chunky_donut"],
        saturated_seeds=(509, 510, 511),
        saturated_net=65535,
    )
    assert full.clusters["Jet"].settings == published
    assert full.clusters["JetAllTies"].settings == published.model_copy(
        update={"tie_rule": "all", "seed_threshold": 0.001}
    )
    assert full.clusters["Tau"].settings == PeakSumSettings(
        search_window="===\n=o>\n>>>", sum_window=".x.\nxox\n.x.", max_clusters=12, order="position"
    )
    assert full.clusters["Cluster"].settings.kernel == "scipy"
    assert full.clusters["Cluster"].grid == ("calo",)


def test_output_of_a_config(full):
    assert full.written_fields("Jet") == (
        *("peak_sum", "seed", "row", "col", "pt", "eta", "phi", "chunky_donut", "net", "energy"),
    )
    assert full.written_fields("Cluster") == ("peak_sum", "seed", "row", "col", "n_cells", "energy", "y", "x")
    assert list(full.booked) == ["jet_pt", "n_jet", "jet_where"]
    assert full.output.clusters == ("parquet", "ttree", "rntuple")
    assert full.output.plots == ()
    assert full.run.model_dump() == {
        "executor": "futures",
        "workers": 2,
        "chunksize": 50_000,
        "on_bad_file": "skip",
    }


def test_what_only_a_histogram_needs_is_computed_and_not_written():
    histogram = {"h": {"axes": [{"field": "Jet.on_edge", "bins": 2, "start": 0, "stop": 2}]}}
    config = parse_config({**small("clusters.Jet.fields=[peak_sum]"), "histograms": histogram})
    assert config.written_fields("Jet") == ("peak_sum",)
    assert config.computed_fields("Jet") == ("peak_sum", "on_edge")


def test_the_shortest_config():
    config = parse_config(SMALL)
    assert config.grids["calo"].grid.shape == (24, 16)
    assert config.clusters["Jet"].settings == PeakSumSettings()
    assert config.output.clusters == ("parquet",)
    assert config.run.workers == 1
    assert list(config.booked) == ["nJet", "Jet_energy", "Jet_position"]


def test_every_collection_has_its_default_histograms():
    config = parse_config(small("clusters.Tau={grid: calo}"))
    assert list(config.booked) == [
        *("nJet", "Jet_energy", "Jet_position", "nTau", "Tau_energy", "Tau_position"),
    ]


def test_collections_that_differ_by_case_only_keep_their_histograms():
    config = parse_config(small("clusters.jet={grid: calo}"))
    collections = [histogram.axes[0].collection for histogram in config.booked.values()]
    assert collections.count("Jet") == collections.count("jet") == 3


def test_histograms_can_be_switched_off():
    assert parse_config(small("histograms={}")).booked == {}


@pytest.mark.parametrize("path", EVERY_CONFIG, ids=lambda path: path.stem)
def test_the_example_configs_are_valid(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "testbeam/crystals.csv" in path.read_text():
        (tmp_path / "testbeam").mkdir()
        testbeam.write_table("testbeam/crystals.csv", testbeam.make_setup())
    config = load_config(path)
    assert parse_job(config.job()) == parse_job(yaml.safe_load(yaml.safe_dump(config.job())))


# ---------------------------------------------------------------------------------------------- round trips


def test_the_job_of_a_config_round_trips(full):
    job = parse_job(full.job())
    assert {name: getattr(job, name) for name in type(job).model_fields} == {
        name: getattr(full, name) for name in type(job).model_fields
    }


def test_the_job_of_a_config_is_plain_values(full):
    job = full.job()
    assert set(job) == set(Job.model_fields)
    assert parse_job(yaml.safe_load(yaml.safe_dump(job))) == parse_job(job)
    assert parse_job(pickle.loads(pickle.dumps(job))) == parse_job(job)


def test_the_job_does_not_depend_on_where_it_runs(full, tmp_path):
    elsewhere = load_config(
        write(tmp_path / "b.yaml", FULL), ["run.workers=9", "output.directory=there", "run.executor=threads"]
    )
    assert elsewhere.job() == full.job()


def test_reading_a_config_leaves_the_content_alone():
    content = copy.deepcopy(SMALL)
    parse_config(content)
    assert content == SMALL


# ----------------------------------------------------------------------------------- presets and geometries


@pytest.mark.parametrize(
    ("window", "rule"),
    [
        pytest.param("=o>", "drawn", id="a_drawing_with_marks_replaces_the_rule"),
        pytest.param("xox", "diagonal", id="a_drawing_without_marks_keeps_it"),
    ],
)
def test_a_drawn_window_over_a_preset(window, rule):
    content = small()
    content["clusters"]["Jet"] = {"grid": "calo", "preset": "cms-l1-jet", "search_window": window}
    settings = parse_config(content).clusters["Jet"].settings
    assert (settings.search_window, settings.tie_rule, settings.sum_window) == (window, rule, (9, 9))


def test_a_drawn_window_and_a_rule_over_a_preset_are_refused():
    content = small()
    content["clusters"]["Jet"] = {
        "grid": "calo",
        "preset": "keras-3x3",
        "search_window": "=o>",
        "tie_rule": "all",
    }
    (problem,) = problems(content)
    assert problem.startswith("clusters.Jet: tie_rule 'all' together with a search window drawn")


def test_the_pile_up_of_a_preset_can_be_removed():
    content = small("clusters.Jet={grid: calo, preset: cms-l1-jet, pileup: [], max_clusters: 6}")
    settings = parse_config(content).clusters["Jet"].settings
    assert (settings.pileup, settings.max_clusters, settings.tie_rule) == ((), 6, "diagonal")


def test_the_leading_clusters_of_each_region_of_a_grid():
    content = small("clusters.Jet.max_clusters=1", "clusters.Jet.max_clusters_per=card")
    (problem,) = problems(content)
    assert problem.startswith(
        "clusters.Jet: max_clusters_per 'card': the grid has no regions of that name, it has none"
    )
    content["grids"]["calo"]["regions"] = {"card": [2, 2]}
    job = parse_config(content)
    assert job.grids["calo"].grid.division("card").blocks == (2, 2)
    assert job.clusters["Jet"].settings.max_clusters_per == "card"


def test_keys_of_a_geometry_can_be_overridden():
    content = small()
    content["grids"]["calo"] = {
        "geometry": "cms-l1-towers",
        "hits": {"row": "a", "col": "b", "value": "c"},
        "unit": "1 GeV",
        "cols": {"labels": "1..72", "periodic": True},
    }
    grid = parse_config(content).grids["calo"].grid
    assert grid.unit == 1
    assert grid.rows == named_grid("cms-l1-towers").rows
    assert (grid.cols.name, grid.cols.size, grid.cols.periodic) == (None, 72, True)
