"""The YAML file: what it may say, and that everything wrong in it is said at once, a line each."""

import copy
import pickle

import pytest
import yaml
from places import CONFIGS

from hep_peaksum import PeakSumSettings, named_grid
from hep_peaksum.config.load import load_config, parse_config, parse_job
from hep_peaksum.config.yaml_io import ConfigError, override, read_yaml

EVERY_CONFIG = sorted(CONFIGS.glob("*.yaml"))

FULL = """
datasets:
  zerobias: {files: {"data/*.root": l1CaloTowerEmuTree/L1CaloTowerTree}, metadata: {year: 2018}}
  ttbar-2018.v1: {files: {a.root: T, b.root: T}}
friends:
  ev: l1EventTree/L1EventTree
events:
  schema: base
  identify: {run: "ev:Event/run", luminosityBlock: "ev:Event/lumi", event: "ev:Event/event"}
  keep: ["ev:Event/nPV"]
grids:
  towers:
    hits: {row: L1CaloTower/ieta, col: L1CaloTower/iphi, value: L1CaloTower/iet}
    geometry: cms-l1-towers
  calo:
    dense: {branch: calo_e, shape: [67, 10, 12], axes: [layer, row, col]}
    layers: sum
    rows: {name: y, bins: 10, start: -5, stop: 5, unit: mm}
    cols: {name: x, edges: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14], unit: mm}
    unit: 1 MeV
clusters:
  Jet: {grid: towers, preset: cms-l1-jet, fields: [peak_sum, seed, row, col, pt, eta, phi, chunky_donut, net]}
  JetAllTies: {grid: towers, preset: cms-l1-jet, tie_rule: all, seed_threshold: 1e-3}
  Tau:
    grid: [towers]
    search_window: |
      ===
      =o>
      >>>
    sum_window: |
      .x.
      xox
      .x.
    max_clusters: 12
    order: position
  Cluster: {grid: [calo], seed_threshold: 10 MeV, cell_threshold: 0.5, masked: zero, kernel: scipy}
histograms:
  jet_pt: {axes: [{field: Jet.pt, bins: 100, start: 0, stop: 200}]}
  n_jet: {axes: [{field: nJet, edges: [0, 1, 5, 20]}]}
  jet_where:
    axes:
      - {field: Jet.eta, bins: 4, start: -5, stop: 5}
      - {field: Jet.phi, bins: 4, start: -pi, stop: pi}
output: {directory: results/zerobias, clusters: [parquet, ttree, rntuple], plots: false}
run: {executor: futures, workers: 2, chunksize: 50_000, on_bad_file: skip}
"""

SMALL = {
    "datasets": {"data": {"files": {"a.root": "Events"}}},
    "grids": {"calo": {"dense": {"branch": "e", "shape": [24, 16]}}},
    "clusters": {"Jet": {"grid": "calo"}},
    "output": {"directory": "results"},
}


def small(*overrides):
    return override(copy.deepcopy(SMALL), overrides)


def problems(content):
    """Return what is wrong; every problem is one line, in the words of the config."""
    with pytest.raises(ConfigError) as caught:
        parse_config(content)
    return in_plain_words(caught)


def in_plain_words(caught):
    found = caught.value.problems
    for problem in found:
        assert "\n" not in problem
        assert "pydantic" not in problem.lower()
        assert "validation error" not in problem.lower()
    assert str(caught.value) == "\n".join(found)
    return list(found)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------ what it says


@pytest.fixture
def full(tmp_path):
    return load_config(write(tmp_path / "full.yaml", FULL))


def test_a_config_says_which_data(full):
    assert list(full.datasets) == ["zerobias", "ttbar-2018.v1"]
    assert full.datasets["zerobias"].files == {"data/*.root": "l1CaloTowerEmuTree/L1CaloTowerTree"}
    assert full.datasets["zerobias"].metadata == {"year": 2018}
    assert full.friends == {"ev": "l1EventTree/L1EventTree"}
    assert full.events.identify["luminosityBlock"] == "ev:Event/lumi"
    assert full.branches() == [
        *("L1CaloTower/ieta", "L1CaloTower/iphi", "L1CaloTower/iet", "calo_e"),
        *("ev:Event/run", "ev:Event/lumi", "ev:Event/event", "ev:Event/nPV"),
    ]


def test_a_config_says_which_grids(full):
    assert full.grids["towers"].grid == named_grid("cms-l1-towers")
    calo = full.grids["calo"]
    assert calo.grid.shape == (10, 12)
    assert calo.grid.unit == 0.001
    assert calo.has_layers
    assert calo.n_cells == 67 * 10 * 12


def test_a_config_says_which_clusters(full):
    published = PeakSumSettings(
        search_window=(9, 9),
        sum_window=(9, 9),
        tie_rule="diagonal",
        seed_threshold="4 GeV",
        seed_comparison=">=",
        pileup=["chunky_donut"],
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


def test_a_config_says_what_comes_out(full):
    assert full.written_fields("Jet") == (
        *("peak_sum", "seed", "row", "col", "pt", "eta", "phi", "chunky_donut", "net", "energy"),
    )
    assert full.written_fields("Cluster") == ("peak_sum", "seed", "row", "col", "n_cells", "energy", "y", "x")
    assert list(full.booked) == ["jet_pt", "n_jet", "jet_where"]
    assert full.output.clusters == ("parquet", "ttree", "rntuple")
    assert full.output.plots is False
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


def test_the_least_that_a_config_has_to_say():
    config = parse_config(SMALL)
    assert config.grids["calo"].grid.shape == (24, 16)
    assert config.clusters["Jet"].settings == PeakSumSettings()
    assert config.output.clusters == ("parquet",)
    assert config.run.workers == 1
    assert list(config.booked) == ["nJet", "Jet_energy", "Jet_position"]


def test_the_histograms_of_two_collections_are_all_there():
    config = parse_config(small("clusters.Tau={grid: calo}"))
    assert list(config.booked) == [
        *("nJet", "Jet_energy", "Jet_position", "nTau", "Tau_energy", "Tau_position"),
    ]


def test_collections_that_differ_by_case_only_keep_their_histograms():
    config = parse_config(small("clusters.jet={grid: calo}"))
    collections = [histogram.axes[0].collection for histogram in config.booked.values()]
    assert collections.count("Jet") == collections.count("jet") == 3


def test_histograms_may_be_none_at_all():
    assert parse_config(small("histograms={}")).booked == {}


@pytest.mark.parametrize("path", EVERY_CONFIG, ids=lambda path: path.stem)
def test_the_configs_that_come_with_the_package_are_right(path):
    config = load_config(path)
    assert parse_job(config.job()) == parse_job(yaml.safe_load(yaml.safe_dump(config.job())))


# -------------------------------------------------------------------------------------------------- round trips


def test_the_job_of_a_config_is_the_same_job_again(full):
    job = parse_job(full.job())
    assert {name: getattr(job, name) for name in type(job).model_fields} == {
        name: getattr(full, name) for name in type(job).model_fields
    }


def test_the_job_of_a_config_is_plain_values(full):
    job = full.job()
    assert set(job) == {"grids", "clusters", "friends", "events", "histograms"}
    assert parse_job(yaml.safe_load(yaml.safe_dump(job))) == parse_job(job)
    assert parse_job(pickle.loads(pickle.dumps(job))) == parse_job(job)


def test_the_job_does_not_know_where_it_runs(full, tmp_path):
    elsewhere = load_config(
        write(tmp_path / "b.yaml", FULL), ["run.workers=9", "output.directory=there", "run.executor=threads"]
    )
    assert elsewhere.job() == full.job()


def test_reading_a_config_leaves_the_content_alone():
    content = copy.deepcopy(SMALL)
    parse_config(content)
    assert content == SMALL


# -------------------------------------------------------------------------------------- presets and geometries


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
    assert problem.startswith("clusters.Jet: tie_rule 'all' beside a search window drawn")


def test_a_preset_can_be_taken_without_its_pile_up():
    content = small("clusters.Jet={grid: calo, preset: cms-l1-jet, pileup: [], max_clusters: 6}")
    settings = parse_config(content).clusters["Jet"].settings
    assert (settings.pileup, settings.max_clusters, settings.tie_rule) == ((), 6, "diagonal")


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


# ------------------------------------------------------------------------------------------ what can be wrong

WRONG = {
    # unknown keys, at every level
    "unknown_section": ("dataset={}", "dataset: unknown key (did you mean 'datasets'?)"),
    "unknown_section_far": ("colour=red", "colour: unknown key"),
    "unknown_key_of_a_dataset": (
        "datasets.data.meta_data={}",
        "datasets.data.meta_data: unknown key (did you mean 'metadata'?)",
    ),
    "unknown_key_of_events": ("events={shema: base}", "events.shema: unknown key (did you mean 'schema'?)"),
    "unknown_identity": ("events.identify={run: r, lumi: r, event: e}", "events.identify.lumi: "),
    "unknown_key_of_a_grid": ("grids.calo.row={n: 24}", "grids.calo.row: unknown key (did you mean 'rows'?)"),
    "unknown_unit_of_a_grid": (
        "grids.calo.units=1 GeV",
        "grids.calo.units: unknown key (did you mean 'unit'?)",
    ),
    "unknown_geometry_word": (
        "grids.calo.geometri=x",
        "grids.calo.geometri: unknown key (did you mean 'geometry'?)",
    ),
    "unknown_key_of_an_axis": (
        "grids.calo.rows={n: 24, periodik: true}",
        "grids.calo.rows.periodik: unknown key (did you mean 'periodic'?)",
    ),
    "unknown_key_of_dense": (
        "grids.calo.dense.brunch=e",
        "grids.calo.dense.brunch: unknown key (did you mean 'branch'?)",
    ),
    "unknown_key_of_clusters": (
        "clusters.Jet.seed_treshold=1",
        "clusters.Jet.seed_treshold: unknown key (did you mean 'seed_threshold'?)",
    ),
    "unknown_field_word": (
        "clusters.Jet.field=[sum]",
        "clusters.Jet.field: unknown key (did you mean 'fields'?)",
    ),
    "unknown_key_of_output": ("output.plot=false", "output.plot: unknown key (did you mean 'plots'?)"),
    "unknown_key_of_run": ("run.worker=2", "run.worker: unknown key (did you mean 'workers'?)"),
    "a_key_that_is_a_number": ("run={3: 4}", "run.3: "),
    # wrong types and values
    "true_for_one_worker": ("run.workers=true", "run.workers: True "),
    "true_for_a_threshold": (
        "clusters.Jet.seed_threshold=true",
        "clusters.Jet.seed_threshold: True is not a number",
    ),
    "true_for_a_number_of_cells": ("grids.calo.rows={n: true}", "grids.calo.rows.n: True "),
    "one_for_true": ("output.plots=1", "output.plots: 1 "),
    "one_for_periodic": ("grids.calo.rows={n: 24, periodic: 1}", "grids.calo.rows.periodic: 1 "),
    "a_float_of_workers": ("run.workers=1.5", "run.workers: 1.5 "),
    "a_word_of_workers": ("run.workers=two", "run.workers: 'two' "),
    "no_workers": ("run.workers=0", "run.workers: 0 "),
    "no_directory": ("output.directory=", "output.directory: None "),
    "an_empty_directory": ("output.directory=''", "output.directory: '' "),
    "a_list_of_sections": ("clusters=[Jet]", "clusters: ['Jet'] "),
    "a_list_of_clusters": ("clusters=[{Jet: {grid: calo}}]", "clusters: [{'Jet': {'grid': 'calo'}}] "),
    "a_list_of_grids": ("grids=[{calo: {}}]", "grids: [{'calo': {}}] "),
    "grids_that_are_a_number": ("grids=3", "grids: 3 "),
    "a_list_of_events": ("events=[{a: 1}]", "events: [{'a': 1}] "),
    "a_list_of_histograms": ("histograms=[{a: 1}]", "histograms: [{'a': 1}] "),
    "a_collection_that_is_a_word": ("clusters.Jet=calo", "clusters.Jet: 'calo' "),
    "a_grid_that_is_a_number": ("clusters.Jet.grid=3", "clusters.Jet.grid: 3 "),
    "a_grid_that_is_a_map": ("clusters.Jet.grid=[{a: 1}]", "clusters.Jet.grid.0: "),
    "a_preset_that_is_a_number": ("clusters.Jet.preset=3", "clusters.Jet.preset: 3 "),
    "no_clusters": ("clusters={}", "clusters: "),
    "an_empty_section": ("run=", "run: None "),
    "a_list_for_a_threshold": ("clusters.Jet.seed_threshold=[1]", "clusters.Jet.seed_threshold: [1] "),
    "a_list_for_a_cell_threshold": ("clusters.Jet.cell_threshold=[1]", "clusters.Jet.cell_threshold: [1] "),
    "an_even_window": (
        "clusters.Jet.search_window=[2, 3]",
        "clusters.Jet.search_window: [2, 3] is not a window",
    ),
    "a_unit_of_thresholds": (
        "clusters.Jet.seed_threshold=4 Gev",
        "clusters.Jet.seed_threshold: '4 Gev' is not an e",
    ),
    "not_a_number": (
        "clusters.Jet.seed_threshold=.nan",
        "clusters.Jet.seed_threshold: nan is not a finite number",
    ),
    "unknown_tie_rule": ("clusters.Jet.tie_rule=firts", "clusters.Jet.tie_rule: 'firts' "),
    "unknown_format": ("output.clusters=[parquet, csv]", "output.clusters.1: 'csv' "),
    "unknown_executor": ("run.executor=dsk", "run.executor: 'dsk' "),
    "unknown_schema": (
        "events.schema=nano",
        "events: schema 'nano' is none of base, nanoaod, delphes, edm4hep",
    ),
    "half_an_identity": (
        "events.identify={run: r}",
        "events: identify needs all of run, luminosityBlock and event;",
    ),
    "one_name_for_both_axes": (
        "grids.calo.rows={n: 24, name: x}|grids.calo.cols={n: 16, name: x}",
        "grids.calo: rows and cols are both named 'x'",
    ),
    "a_sum_window_with_marks": (
        "clusters.Jet.sum_window='=o='",
        "clusters.Jet: sum_window is drawn with",
    ),
    "hits_and_dense": (
        "grids.calo.hits={row: a, col: b, value: c}",
        "grids.calo: a grid is filled either from hits",
    ),
    "another_shape": ("grids.calo.rows={n: 23}", "grids.calo: shape [24, 16] does not fit"),
    "a_wrong_axis_of_dense": (
        "grids.calo.rows={n: 24}|grids.calo.cols={n: 16}|grids.calo.dense.axes=[row, colum]",
        "grids.calo.dense.axes.1: 'colum' ",
    ),
    # what is not there
    "unknown_preset": (
        "clusters.Jet.preset=cms-jet",
        "clusters.Jet.preset: no preset is called 'cms-jet': there are alice-emcal-nxn, alice-tpc",
    ),
    "unknown_geometry": (
        "grids.calo.geometry=cms",
        "grids.calo: no geometry is called 'cms': there are cms-l1-towers",
    ),
    "unknown_grid": (
        "clusters.Jet.grid=cal",
        "clusters.Jet.grid: no grid 'cal' (did you mean 'calo'?); there are calo",
    ),
    "unknown_friend": (
        "events.keep=['ev:Event/nPV']",
        "branch 'ev:Event/nPV': no friend 'ev': name its tree in the section friends",
    ),
    "unknown_field": (
        "clusters.Jet.fields=[peak_summ]",
        "clusters.Jet: no field is called 'peak_summ' (did you mean 'peak_sum'?)",
    ),
    "positions_that_are_not_there": (
        "clusters.Jet.fields=[pt]",
        "clusters.Jet: field 'pt' needs positions on an axis",
    ),
    "layers_that_are_not_there": (
        "clusters.Jet.fields=[layer_sums]",
        "clusters.Jet: field 'layer_sums' needs layers",
    ),
    "a_window_that_meets_itself": (
        "grids.calo.cols={n: 16, periodic: true}|clusters.Jet.search_window=[3, 17]",
        "clusters.Jet: search_window is longer than the periodic axis cols (16 cells)",
    ),
    "a_histogram_of_no_collection": (
        "histograms={h: {axes: [{field: Tau.sum, edges: [0, 1]}]}}",
        "histograms.h: 'Tau.sum' is of no collection: there are Jet",
    ),
    "a_histogram_of_no_field": (
        "histograms={h: {axes: [{field: Jet.summ, edges: [0, 1]}]}}",
        "histograms.h: no field is called 'summ'",
    ),
    "a_histogram_of_layers_that_are_not_there": (
        "histograms={h: {axes: [{field: Jet.layer_sums, edges: [0, 1]}]}}",
        "histograms.h: ",
    ),
    "a_histogram_of_the_grid_where_there_is_one_only": (
        "histograms={h: {axes: [{field: Jet.grid, edges: [0, 1]}]}}",
        "histograms.h: ",
    ),
    "a_histogram_without_bins": (
        "histograms={h: {axes: [{field: Jet.peak_sum}]}}",
        "histograms.h.axes.0: an axis is given by one of",
    ),
    "a_histogram_with_a_wrong_key": (
        "histograms={h: {axes: [{field: Jet.peak_sum, edges: [0, 1], bin: 3}]}}",
        "histograms.h.axes.0.bin: unknown key (did you mean 'bins'?)",
    ),
    "a_histogram_of_two_kinds": (
        "histograms={h: {axes: [{field: Jet.peak_sum, edges: [0, 1]}, {field: nJet, edges: [0, 1]}]}}",
        "histograms.h: the axes Jet.peak_sum, nJet are not of one collection",
    ),
    # names become folders, branches and columns
    "a_collection_with_an_underscore": ("clusters={Cal_Jet: {grid: calo}}", "clusters.Cal_Jet: 'Cal_Jet' "),
    "a_collection_that_begins_with_a_number": ("clusters={4Jet: {grid: calo}}", "clusters.4Jet: '4Jet' "),
    "a_grid_with_a_blank": (
        "grids={calo: {dense: {branch: e, shape: [24, 16]}}, b c: {}}",
        "grids.b c: 'b c' ",
    ),
}


@pytest.mark.parametrize(("setting", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_with_the_key(setting, problem):
    found = problems(small(*setting.split("|")))
    if "b c" not in problem:
        assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("section", ["datasets", "grids", "clusters", "output"])
def test_a_section_that_is_missing_is_named(section):
    content = small()
    del content[section]
    assert problems(content) == [f"{section}: missing, the config needs it"]


@pytest.mark.parametrize("path", ["datasets.data.files", "grids.calo.dense.branch", "output.directory"])
def test_a_key_that_is_missing_is_named(path):
    content = place = small()
    *above, last = path.split(".")
    for key in above:
        place = place[key]
    del place[last]
    assert problems(content) == [f"{path}: missing, the config needs it"]


def test_a_collection_without_a_grid_is_told_to_name_one():
    (problem,) = problems(small("clusters.Jet={}"))
    assert problem.startswith("clusters.Jet.grid: ")


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", ".", "/tmp", "", "a b", "a\nb", "a\\b", "~", ".hidden", "x" * 201]
)
def test_the_name_of_a_dataset_stays_in_its_folder(name):
    content = small()
    content["datasets"][name] = content["datasets"].pop("data")
    (problem,) = problems(content)
    assert problem.startswith("datasets.")


@pytest.mark.parametrize("name", ["zerobias", "Run2018A", "ttbar-2018.v1", "2018", "a_b+c"])
def test_the_usual_names_of_datasets_are_fine(name):
    content = small()
    content["datasets"][name] = content["datasets"].pop("data")
    assert list(parse_config(content).datasets) == [name]


def test_everything_wrong_is_said_at_once():
    content = small(
        "run.workers=true",
        "run.chunksise=3",
        "output.clusters=[csv]",
        "clusters.Jet.tie_rule=al",
        "clusters.Jet.seed_treshold=3",
        "clusters.Tau={grid: calo, preset: tau}",
        "grids.calo.rows={n: 0}",
        "datasets.data.file=3",
    )
    del content["output"]["directory"]
    starts = sorted(problem.partition(": ")[0] for problem in problems(content))
    assert starts == [
        "clusters.Jet.seed_treshold",
        "clusters.Jet.tie_rule",
        "clusters.Tau.preset",
        "datasets.data.file",
        "grids.calo.rows.n",
        "output.clusters.0",
        "output.directory",
        "run.chunksise",
        "run.workers",
    ]


def test_what_is_wrong_between_sections_is_said_at_once():
    content = small(
        "clusters.Jet.grid=[cal, cala]",
        "clusters.Tau={grid: calo, fields: [pt]}",
        "histograms={h: {axes: [{field: Muon.pt, edges: [0, 1]}]}}",
        "events.keep=['ev:x']",
    )
    assert [problem.partition(": ")[0] for problem in problems(content)] == [
        *("clusters.Jet.grid", "clusters.Jet.grid", "clusters.Tau", "histograms.h", "branch 'ev:x'"),
    ]


def test_what_is_wrong_within_and_between_sections_is_said_at_once():
    found = problems(small("run.worker=2", "clusters.Jet.grid=cal"))
    assert sorted(problem.partition(": ")[0] for problem in found) == ["clusters.Jet.grid", "run.worker"]


def test_an_unknown_preset_does_not_hide_an_unknown_key():
    found = problems(small("clusters.Jet={grid: calo, preset: tau, tie_rul: all}"))
    assert len(found) == 2


def test_a_histogram_needs_its_field_on_every_grid_of_the_collection():
    content = small("clusters.Jet.grid=[calo, towers]")
    towers = {"geometry": "cms-l1-towers", "hits": {"row": "a", "col": "b", "value": "c"}}
    content["grids"] = {"towers": towers, **content["grids"]}
    content["histograms"] = {"h": {"axes": [{"field": "Jet.pt", "edges": [0, 1]}]}}
    (problem,) = problems(content)
    assert "'pt'" in problem
    content["clusters"]["Jet"]["grid"] = ["towers", "calo"]
    (problem,) = problems(content)
    assert "'pt'" in problem


def test_fields_have_to_be_had_on_every_grid_of_the_collection():
    content = small("clusters.Jet={grid: [towers, calo], fields: [peak_sum, pt]}")
    content["grids"]["towers"] = {"geometry": "cms-l1-towers", "hits": {"row": "a", "col": "b", "value": "c"}}
    (problem,) = problems(content)
    assert problem.startswith("clusters.Jet: field 'pt' needs positions")


def test_by_default_a_collection_of_several_grids_has_the_fields_of_all():
    content = small("clusters.Jet={grid: [calo, towers]}")
    content["grids"]["towers"] = {"geometry": "cms-l1-towers", "hits": {"row": "a", "col": "b", "value": "c"}}
    config = parse_config(content)
    assert config.written_fields("Jet") == ("peak_sum", "seed", "row", "col", "n_cells", "energy")
    assert list(config.booked) == ["nJet", "Jet_energy"]


def test_layer_sums_are_of_one_grid():
    content = small("clusters.Jet={grid: [deep, deeper], fields: [layer_sums]}")
    for name in ("deep", "deeper"):
        content["grids"][name] = {"dense": {"branch": "e", "shape": [3, 4, 5], "axes": ["layer", "row", "col"]}}
    (problem,) = problems(content)
    assert problem == "clusters.Jet: field 'layer_sums' can be had of one grid only, not of several"


# ---------------------------------------------------------------------------------------------------- the file


def refused(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return in_plain_words(caught)


def test_a_file_that_is_not_there(tmp_path):
    assert refused(tmp_path / "no.yaml") == [
        f"{tmp_path / 'no.yaml'}: cannot be read (No such file or directory)"
    ]


def test_a_folder_is_not_a_file(tmp_path):
    assert refused(tmp_path) == [f"{tmp_path}: cannot be read (Is a directory)"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("datasets: [1", "not YAML", id="a_bracket_left_open"),
        pytest.param("a: b: c", "not YAML", id="two_colons"),
        pytest.param("\tdatasets: 1", "not YAML", id="a_tab"),
        pytest.param("{[1]: 2}", "not YAML", id="a_list_as_a_key"),
        pytest.param("a: *nowhere", "not YAML", id="an_unknown_anchor"),
        pytest.param("a: 1\n---\nb: 2", "not YAML", id="two_documents"),
        pytest.param("", "a config is a map of sections, this is", id="nothing"),
        pytest.param("- a\n- b", "a config is a map of sections, this is list", id="a_list"),
        pytest.param("results", "a config is a map of sections, this is str", id="a_word"),
        pytest.param("a: !!python/object:os.system x", "not YAML", id="a_python_object"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "not YAML", id="a_python_call"),
        pytest.param("a: !!python/name:os.system", "not YAML", id="a_python_name"),
        pytest.param("a: !include b.yaml", "not YAML", id="an_unknown_tag"),
        pytest.param("a: 2020-13-45", "not YAML", id="a_date_that_is_none"),
    ],
)
def test_a_file_that_is_no_config(tmp_path, text, words):
    path = write(tmp_path / "bad.yaml", text)
    (problem,) = refused(path)
    assert problem.startswith(f"{path}: {words}")


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "root.yaml"
    path.write_bytes(b"root\x00\xff\xfe\x80")
    (problem,) = refused(path)
    assert problem.startswith(f"{path}: not YAML")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("run: {workers: 1}\nrun: {workers: 2}\n", id="sections"),
        pytest.param("run: {workers: 1, workers: 2}\n", id="in_one_line"),
        pytest.param("run:\n  workers: 1\n  workers: 2\n", id="in_a_section"),
        pytest.param("a: [{run: 1}, {workers: 1, workers: 1}]\n", id="in_a_list"),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path, text):
    (problem,) = refused(write(tmp_path / "twice.yaml", text))
    assert "stands twice" in problem
    assert "'run'" in problem or "'workers'" in problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("-2.5E+2", -250.0),
        (".5e1", 5.0),
        ("1.e2", 100.0),
        ("100_000", 100_000),
        ("12", 12),
        ("e3", "e3"),
        ("1e", "1e"),
        ("4 GeV", "4 GeV"),
        ("y", "y"),
        ("1e3x", "1e3x"),
        ("'1e3'", "1e3"),
    ],
)
def test_a_number_is_a_number_as_physicists_write_it(tmp_path, text, value):
    read = read_yaml(write(tmp_path / "number.yaml", f"a: {text}"))["a"]
    assert (read, type(read)) == (value, type(value))


def test_anchors_save_writing(tmp_path):
    text = yaml.safe_dump(SMALL).replace("output:", "run: &r {workers: 2}\noutput:")
    assert load_config(write(tmp_path / "a.yaml", text)).run.workers == 2
    merged = read_yaml(write(tmp_path / "b.yaml", "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n"))
    assert merged["b"] == {"x": 1, "y": 3}


def test_reading_a_config_leaves_yaml_as_it_is(tmp_path):
    load_config(write(tmp_path / "full.yaml", FULL))
    assert yaml.safe_load("{a: 1e-3, b: 1, b: 2}") == {"a": "1e-3", "b": 2}


# ---------------------------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        pytest.param("run.workers=4", ("run", "workers"), 4, id="a_new_section"),
        pytest.param("output.directory=a=b", ("output", "directory"), "a=b", id="an_equals_sign_in_the_value"),
        pytest.param(
            "clusters.Jet.seed_threshold=1e-3", ("clusters", "Jet", "seed_threshold"), 0.001, id="number"
        ),
        pytest.param(
            "clusters.Jet.seed_threshold=4 GeV", ("clusters", "Jet", "seed_threshold"), "4 GeV", id="text"
        ),
        pytest.param("clusters.Jet={grid: calo}", ("clusters", "Jet"), {"grid": "calo"}, id="a_map"),
        pytest.param("clusters.Tau.grid=[calo]", ("clusters", "Tau", "grid"), ["calo"], id="a_list"),
        pytest.param(
            "grids.calo.dense.shape.0=12", ("grids", "calo", "dense", "shape"), [12, 16], id="by_index"
        ),
        pytest.param("output.plots=", ("output", "plots"), None, id="nothing"),
    ],
)
def test_a_key_can_be_overridden(setting, path, value):
    found = small(setting)
    for key in path:
        found = found[key]
    assert found == value


def test_keys_in_lists_of_maps_can_be_overridden():
    content = override({"axes": [{"bins": 1}, {"bins": 2}]}, ["axes.1.bins=5", "axes.0.stop=2pi"])
    assert content == {"axes": [{"bins": 1, "stop": "2pi"}, {"bins": 5}]}


def test_the_last_override_counts():
    assert small("run.workers=4", "run.workers=5")["run"] == {"workers": 5}


def test_overrides_are_put_in_before_anything_is_checked(tmp_path):
    path = write(tmp_path / "bad.yaml", yaml.safe_dump({**SMALL, "run": {"workers": 0}}))
    assert load_config(path, ["run.workers=2"]).run.workers == 2
    (problem,) = refused(path, "run.workers=-1")
    assert problem.startswith("run.workers: -1 ")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        pytest.param("run.workers", "write key.path=value", id="no_value"),
        pytest.param("=3", "write key.path=value", id="no_key"),
        pytest.param("output.directory.x=3", "there is no place 'output.directory.x'", id="inside_a_word"),
        pytest.param("grids.calo.dense.shape.5=3", "there is no place", id="beyond_a_list"),
        pytest.param("grids.calo.dense.shape.rows=3", "there is no place", id="a_word_into_a_list"),
        pytest.param("run.workers=[1", "the value is not YAML", id="a_bracket_left_open"),
        pytest.param("run.workers=!!python/object:os.system x", "the value is not YAML", id="a_python_object"),
        pytest.param("run={workers: 1, workers: 2}", "stands twice", id="a_key_twice"),
        pytest.param("run.since=2020-13-45", "the value is not YAML", id="a_date_that_is_none"),
    ],
)
def test_an_override_that_cannot_be_put_in_is_refused(setting, words):
    with pytest.raises(ConfigError) as caught:
        small(setting)
    (problem,) = in_plain_words(caught)
    assert words in problem
    assert setting.partition("=")[0] in problem


def test_an_override_with_an_unknown_key_is_refused_as_in_the_file():
    assert problems(small("clusters.Jet.seed_treshold=3")) == [
        "clusters.Jet.seed_treshold: unknown key (did you mean 'seed_threshold'?)"
    ]
