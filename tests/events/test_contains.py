"""`contains`: events with a name of a pattern in a list of names, as those of passed triggers."""

import fnmatch

import awkward as ak
import pytest
import uproot
from finished_jobs import run_job

from hep_peaksum.events.conditions import EventCondition

NAMES = [["HLT_ZeroBias_v6", "HLT_Mu9_IP5_part0_v2"], [], ["HLT_ZeroBias_part1_v6"], ["hlt_zerobias_v6", "DST"]]


def passed(values, pattern):
    condition = EventCondition(branch="hlt", contains=pattern)
    return condition.evaluate(None, lambda _: ak.Array(values), None, None).tolist()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("HLT_ZeroBias_v6", [True, False, False, False]),
        ("HLT_ZeroBias_v*", [True, False, False, False]),
        ("HLT_ZeroBias*", [True, False, True, False]),
        ("*", [True, False, True, True]),
        ("HLT_ZeroBias", [False, False, False, False]),  # the whole name, not a part of it
        ("DST", [False, False, False, True]),
    ],
)
def test_an_event_with_one_name_of_the_pattern_is_kept(pattern, expected):
    assert passed(NAMES, pattern) == expected


def test_a_branch_with_one_name_for_every_event():
    assert passed(["signal", "background", ""], "sig*") == [True, False, False]


@pytest.mark.parametrize("n_events", [0, 1])
def test_events_without_any_name_are_not_kept(n_events):
    assert passed(ak.Array(NAMES)[1 : 1 + n_events], "*") == [False] * n_events


def test_numbers_are_no_names():
    with pytest.raises(ValueError, match=r"contains 'HLT\*': 'hlt' holds 2 \* int64, expected a list of names"):
        passed([1, 2], "HLT*")


@pytest.mark.slow
def test_triggers_of_a_file_of_cms(data, tmp_path):
    """The names of 200 events as they are in the file, looked through one by one."""
    path, pattern = data("cms_L1Ntuple.root"), "HLT_ZeroBias_v*"
    with uproot.open(path) as file:
        names = file["l1EventTree/L1EventTree"]["Event/hlt"].array().to_list()
        events = file["l1EventTree/L1EventTree"]["Event/event"].array().to_list()
    expected = [
        event for event, of_event in zip(events, names, strict=True) if fnmatch.filter(of_event, pattern)
    ]
    tower = {"row": "L1CaloTower/ieta", "col": "L1CaloTower/iphi", "value": "L1CaloTower/iet"}
    result = run_job(
        {
            "datasets": {"zerobias": {"files": {str(path): "l1CaloTowerEmuTree/L1CaloTowerTree"}}},
            "friends": {"ev": "l1EventTree/L1EventTree"},
            "events": {
                "schema": "base",
                "identify": {"run": 1, "luminosityBlock": 1, "event": "ev:Event/event"},
                "where": [{"branch": "ev:Event/hlt", "contains": pattern}],
            },
            "grids": {"towers": {"hits": tower, "geometry": "cms-l1-towers"}},
            "clusters": {"Jet": {"grid": "towers", "preset": "cms-l1-jet", "fields": ["peak_sum"]}},
            "histograms": {},
            "output": {"directory": str(tmp_path / "results"), "plots": False},
        }
    )
    written = ak.from_parquet(result.directory / "zerobias/clusters.parquet")
    assert 0 < len(expected) < 200
    assert written.event.to_list() == expected
