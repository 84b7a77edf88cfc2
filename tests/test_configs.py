"""The example configs: each is fine, and each whose data is here runs."""

import os
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from places import CONFIGS

from hep_peaksum import toy
from hep_peaksum.cli.demo import quickstart, write_toy
from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.job.run import run
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.toy import testbeam

EVERY_CONFIG = sorted(CONFIGS.glob("*.yaml"))
# What a config must find in its file: events, and clusters where their number is known from elsewhere (the jets
# of the trigger emulator and one more; local maxima of scipy's maximum_filter above 1 GeV; those of plain loops
# over hits, in job/test_real_hits.py and test_real_hexagons.py, over rows of GATE in grouping/test_gate.py).
FOUND = {
    "cms-l1-closure": (200, {"Jet": 430, "Tau": 2086, "EGamma": 356}),
    "cms-l1-jets": (200, {"Jet": 430}),
    "crystal-matrix": (120, {"E9": 120, "E25": 120}),  # one electron per event
    "crystal-resolution": (120, {}),
    "edm4hep-barrel": (5, {"Shower": 5, "InLayer": 33}),
    "ldmx-ecal": (100, {"Shower": 175, "Bar": 7}),
    "ldmx-hexagons": (100, {"Cluster": 5900}),
    "cms-l1-rates": (200, {"Jet": 430, "JetAll": 452, "JetNone": 407}),
    "delphes-jets": (25, {}),
    "delphes-towers": (25, {"Cluster": 296}),
    "gate-hits": (4163, {"Cluster": 4802}),
    "geant4-b4": (1000, {}),
    "geant4-b5": (1000, {}),
    "quickstart": (120, {}),
}


SLOW = {"cms-l1-closure", "cms-l1-rates", "delphes-jets", "delphes-towers"}


@pytest.fixture(
    params=[pytest.param(path, marks=[pytest.mark.slow] * (path.stem in SLOW)) for path in EVERY_CONFIG],
    ids=lambda path: path.stem,
)
def config(request, data, tmp_path, monkeypatch):
    """Return an example config, where its data is: the toy files of the demo are made."""
    monkeypatch.chdir(tmp_path)
    for dataset in yaml.safe_load(request.param.read_text())["datasets"].values():
        for path in dataset["files"]:
            if path.startswith("$HEP_PEAKSUM_DATA/"):
                monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data(Path(path).name).parent))
            elif path == "gate-events.root":  # made by the command in the config
                monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data("dtc_al250.root").parent))
                group_as_the_config_says(request.param)
            elif path.startswith("testbeam/"):
                testbeam.write_testbeam("testbeam", 120)
            else:
                write_toy(120, seed=3)
    return request.param


def group_as_the_config_says(config):
    """Run the command that stands in the first comment of a config."""
    command = next(
        line for line in config.read_text().splitlines() if line.startswith("#   hep-peaksum group ")
    )
    with pytest.raises(SystemExit) as end:
        main(os.path.expandvars(command).split()[2:])
    assert end.value.code == 0


def test_the_known_example_configs_exist():
    assert {path.stem for path in EVERY_CONFIG} >= set(FOUND)


@pytest.mark.parametrize("path", EVERY_CONFIG, ids=lambda path: path.stem)
def test_an_example_config_passes_check_without_its_data(path, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(tmp_path))
    if "testbeam/crystals.csv" in path.read_text():  # part of the config, as maps of noise are
        Path("testbeam").mkdir()
        testbeam.write_table("testbeam/crystals.csv", testbeam.make_setup())
    with pytest.raises(SystemExit) as end:
        main(["check", str(path)])
    said = capsys.readouterr()
    assert end.value.code == 0
    assert f"{path}: the config is valid, but not all of its files are here\n" in said.out
    assert all(line.startswith("warning: ") for line in said.err.splitlines())
    assert said.err


@pytest.mark.parametrize("path", EVERY_CONFIG, ids=lambda path: path.stem)
def test_an_example_config_is_commented(path):
    assert path.read_text().startswith("# ")


def test_every_branch_of_an_example_config_is_there(config):
    assert check_inputs(load_config(config))[:2] == ([], [])


@pytest.mark.slow
def test_an_example_config_runs_and_every_format_agrees(config, tmp_path):
    result = run(load_config(config, [f"output.directory={tmp_path / 'results'}"]))
    n_events, n_clusters = FOUND[config.stem]
    for name, found in result.summary["datasets"].items():
        folder = result.directory / name
        assert found["n_events"] == n_events
        assert found["n_outside"] == dict.fromkeys(found["n_outside"], 0)
        assert {**found["n_clusters"], **n_clusters} == found["n_clusters"]
        assert min(found["n_clusters"].values()) > 0
        parquet = ak.concatenate([ak.from_parquet(part) for part in sorted(folder.glob("clusters.parquet/*"))])
        trees = [uproot.open(path)["Events"].arrays() for path in sorted(folder.glob("*.root"))]
        assert len(trees) == len(load_config(config).output.clusters) - 1
        for events in (parquet, *trees):
            assert len(events) == found["n_written"]
            for collection, n in found["n_clusters"].items():
                assert ak.sum(events[f"n{collection}"]) == ak.count(events[f"{collection}_peak_sum"]) == n
    assert not result.losses
    drawn = {path.name for path in (result.directory / "plots").iterdir()}
    booked = load_config(config).booked
    assert drawn >= {f"{name}-{key}.png" for name in result.histograms for key in booked}
    measured = {table["measurement"] for table in result.summary.get("measurements", [])}
    assert all(any(key in picture for picture in drawn) for key in measured)


def test_the_packaged_quickstart_is_the_one_of_the_repository():
    assert quickstart() == next(path for path in EVERY_CONFIG if path.stem == "quickstart").read_text()


def test_the_layers_of_geant4_b4_add_up(data, tmp_path, monkeypatch):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data("g4B4_2.root").parent))
    config = next(path for path in EVERY_CONFIG if path.stem == "geant4-b4")
    run(load_config(config, [f"output.directory={tmp_path}", "output.plots=false"]), max_events=100)
    events = uproot.open(tmp_path / "pions/clusters.root")["Events"].arrays()
    assert events.nClusterLayer.to_list() == (67 * events.nCluster).to_list()
    layers = ak.unflatten(ak.flatten(events.ClusterLayer_sum), np.full(int(ak.sum(events.nCluster)), 67))
    assert ak.sum(layers, axis=1).to_list() == pytest.approx(
        ak.flatten(events.Cluster_peak_sum).to_list(), rel=1e-12
    )
    # Cells of the raw file, added by hand about the first seed.
    cells = uproot.open(data("g4B4_2.root"))["B4"]["Eabs"].array(entry_stop=1).to_numpy().reshape(67, 10, 10)
    row, col = int(events.Cluster_row[0, 0]), int(events.Cluster_col[0, 0])
    window = cells[:, max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
    assert layers[0].to_list() == pytest.approx(window.sum(axis=(1, 2)).tolist(), rel=1e-12)
    assert events.Cluster_seed[0, 0] == pytest.approx(cells.sum(axis=0).max(), rel=1e-12)


@pytest.mark.slow
def test_the_resolution_of_the_crystals_is_the_generated_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    testbeam.write_testbeam("testbeam", 20_000, seed=5)
    config = load_config(CONFIGS / "crystal-resolution.yaml", ["output.directory=results"])
    tables = run(config).summary["measurements"]
    fit = next(table["numbers"]["fit"] for table in tables if table["measurement"] == "resolution")
    truth = {"stochastic": toy.SAMPLING_TERM, "constant": toy.CONSTANT_TERM}
    for name, value in truth.items():
        assert abs(fit["values"][name] - value) < 4 * fit["errors"][name], name
        assert fit["errors"][name] < value / 4
