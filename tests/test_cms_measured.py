"""Rates, a turn-on and the closure of the CMS file, measured in a job, against numpy on the file itself."""

import json

import awkward as ak
import numpy as np
import pytest
import uproot
from scipy import stats

from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run

pytestmark = pytest.mark.slow

RATE = {"axis": {"bins": 50, "start": 0, "stop": 100}, "bunches": 2544, "orbit": "11245.5 Hz"}
UPGRADE = "up:L1Upgrade/"
TREE = "l1CaloTowerEmuTree/L1CaloTowerTree"


def config(path, directory, **more):
    """Return the content of a config with the emulator's jets as references."""
    fields = {"raw": {"branch": f"{UPGRADE}jetRawEt", "unit": "0.5 GeV"}, "et": f"{UPGRADE}jetEt"}
    place = {"row": f"{UPGRADE}jetTowerIEta", "col": f"{UPGRADE}jetTowerIPhi", "grid": "towers"}
    return {
        "datasets": {"zerobias": {"files": {str(path): TREE}}},
        "friends": {"up": "l1UpgradeEmuTree/L1UpgradeTree"},
        "grids": {
            "towers": {
                "hits": {"row": "L1CaloTower/ieta", "col": "L1CaloTower/iphi", "value": "L1CaloTower/iet"},
                "geometry": "cms-l1-towers",
            }
        },
        "clusters": {
            "Jet": {"grid": "towers", "preset": "cms-l1-jet"},
            "JetAll": {"grid": "towers", "preset": "cms-l1-jet", "tie_rule": "all"},
            "JetNone": {"grid": "towers", "preset": "cms-l1-jet", "tie_rule": "none"},
        },
        "references": {"EmuJet": {**place, "fields": fields}},
        "matches": {"Emu": {"clusters": "Jet", "reference": "EmuJet", "by": "cell"}},
        "measurements": {
            "turn_on": {
                "efficiency": "Emu",
                "axis": {"field": "EmuJet.et", "bins": 20, "start": 0, "stop": 60},
                "pass": {"field": "Jet.pt", "thresholds": [10, 20]},
            },
            "rate": {"rate": "Jet.pt", **RATE},
            "rate_all": {"rate": "JetAll.pt", **RATE},
            "rate_none": {"rate": "JetNone.pt", **RATE},
            "rate_second": {"rate": "Jet.pt", "nth": 2, **RATE},
        },
        "output": {"directory": str(directory), "plots": False},
        **more,
    }


def finished(content):
    result = run(parse_config(content))
    parts = sorted(result.directory.glob("zerobias/clusters.parquet/part-*"))
    return result, ak.concatenate([ak.from_parquet(part) for part in parts])


def table_of(result, name, **numbers):
    """Return the columns of the table of a measurement."""
    return next(
        table["columns"]
        for table in result.summary["measurements"]
        if table["measurement"] == name and numbers.items() <= table["numbers"].items()
    )


@pytest.fixture(scope="module")
def cms_file(data):
    return data("cms_L1Ntuple.root")


@pytest.fixture(scope="module")
def job(cms_file, tmp_path_factory):
    return finished(config(cms_file, tmp_path_factory.mktemp("measured")))


def test_every_emulated_jet_has_the_cluster_in_its_cell(job):
    _, events = job
    matched = events.Jet_EmuIdx[events.Jet_EmuIdx >= 0]
    assert ak.sum(ak.num(matched)) == 429
    assert ak.count(events.Jet_EmuIdx) == 430
    assert ak.all(events.Jet_EmuDistance[events.Jet_EmuIdx >= 0] == 0)


def test_rates_of_three_tie_rules_are_those_of_the_published_counts(job):
    result, events = job
    for name, field, passed in (("rate", "Jet", 17), ("rate_all", "JetAll", 17), ("rate_none", "JetNone", 10)):
        table = table_of(result, name)
        leading = np.array([max(each, default=-1) for each in events[f"{field}_pt"].to_list()])
        assert table["passed"] == [(leading >= threshold).sum() for threshold in table["threshold"]]
        place = table["threshold"].index(20)
        assert table["passed"][place] == passed
        assert table["value"][place] == pytest.approx(passed / 200 * 2544 * 11245.5, rel=1e-12)
        low, high = stats.beta.ppf(
            [(1 - 0.6827) / 2, 1 - (1 - 0.6827) / 2], [passed, passed + 1], [201 - passed, 200 - passed]
        )
        np.testing.assert_allclose(
            [table["low"][place], table["high"][place]], np.array([low, high]) * 2544 * 11245.5
        )


def test_the_rate_of_the_second_jet(job):
    result, events = job
    table = table_of(result, "rate_second")
    second = np.array([sorted(each)[-2] if len(each) > 1 else -1 for each in events.Jet_pt.to_list()])
    assert table["passed"] == [(second >= threshold).sum() for threshold in table["threshold"]]


def test_the_turn_on_equals_numpy_on_the_branches_of_the_file(job, cms_file):
    result, _ = job
    upgrade = uproot.open(cms_file)["l1UpgradeEmuTree/L1UpgradeTree/L1Upgrade"]
    et = np.concatenate([*upgrade["jetEt"].array(library="np")])
    raw = np.concatenate([*upgrade["jetRawEt"].array(library="np")]) * 0.5
    edges = np.linspace(0, 60, 21)
    for threshold in (10, 20):
        table = table_of(result, "turn_on", threshold=float(threshold))
        assert table["total"] == np.histogram(et, edges)[0].tolist()
        assert table["passed"] == np.histogram(et[raw >= threshold], edges)[0].tolist()


@pytest.mark.parametrize("more", [{"chunksize": 17}, {"executor": "threads", "workers": 2, "chunksize": 50}])
def test_counts_do_not_depend_on_chunks_and_executors(job, cms_file, tmp_path, more):
    result, _ = job
    other, _ = finished(config(cms_file, tmp_path / "other", run=more))
    assert other.summary["measurements"] == result.summary["measurements"]


def test_a_tower_that_is_changed_names_the_jet_that_it_touches(job, cms_file, tmp_path):
    _, events = job
    source = uproot.open(cms_file)
    towers = source[TREE]["L1CaloTower"].arrays(["ieta", "iphi", "iet"])
    jets = source["l1UpgradeEmuTree/L1UpgradeTree/L1Upgrade"].arrays(
        ["jetTowerIEta", "jetTowerIPhi", "jetRawEt", "jetEt"]
    )
    event = int(np.argmax(ak.num(jets.jetEt) > 0))
    is_seed = (towers.ieta[event] == jets.jetTowerIEta[event, 0]) & (
        towers.iphi[event] == jets.jetTowerIPhi[event, 0]
    )
    changed = towers.iet.to_list()
    changed[event] = [0 if seed else iet for seed, iet in zip(is_seed.to_list(), changed[event], strict=True)]
    copy = tmp_path / "changed.root"
    with uproot.recreate(copy) as file:
        file["towers"] = {
            "ieta": towers.ieta,
            "iphi": towers.iphi,
            "iet": ak.values_astype(ak.Array(changed), np.int16),
        }
        file["jets"] = {name: jets[name] for name in jets.fields}
    content = config(copy, tmp_path / "results", measurements={}, friends={"up": "jets"})
    text = json.dumps(content).replace("L1CaloTower/", "").replace("L1Upgrade/", "").replace(TREE, "towers")
    _, found = finished(json.loads(text))
    lost = [
        (i, j)
        for i, (here, there) in enumerate(
            zip(events.Jet_EmuIdx.to_list(), found.Jet_EmuIdx.to_list(), strict=True)
        )
        for j in sorted(set(here) - set(there) - {-1})
    ]
    assert lost == [(event, 0)]
