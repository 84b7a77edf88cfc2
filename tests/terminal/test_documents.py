"""The JSON documents of commands, whole: every key has the value that was worked out by hand."""

import math

import numpy as np

from hep_peaksum import Axis, Grid, PeakSumSettings
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.reference import Key
from hep_peaksum.diagnostics.compare import compare
from hep_peaksum.diagnostics.explain import explain
from hep_peaksum.diagnostics.ties import audit_ties
from hep_peaksum.inspection.candidates import Candidate
from hep_peaksum.inspection.files import Inspection
from hep_peaksum.preview.check import Remarks
from hep_peaksum.preview.closure import Closure
from hep_peaksum.results.status import Status
from hep_peaksum.terminal import diagnostic_documents, documents
from hep_peaksum.terminal.job_documents import unfinished_job


def key(name, **more):
    given = {"type": "text", "default": "", "is_required": False, "description": "What it is.", "example": ""}
    return Key(path=tuple(name.split(".")), **{**given, "options": {}, "keys": (), **more})


def test_keys_say_type_default_options_and_their_own_keys():
    overlap = key("clusters.NAME.overlap", default="shared", options={"shared": "Twice.", "nearest": "Once."})
    jets = key("clusters", type="map", is_required=True, keys=(overlap, key("clusters.NAME.grid")))
    assert documents.keys([overlap, jets]).model_dump() == {
        "command": "keys",
        "keys": {
            "clusters.NAME.overlap": {
                "type": "text",
                "required": False,
                "default": "shared",
                "description": "What it is.",
                "options": {"shared": "Twice.", "nearest": "Once."},
                "keys": [],
            },
            "clusters": {
                "type": "map",
                "required": True,
                "default": None,
                "description": "What it is.",
                "options": {},
                "keys": ["overlap", "grid"],
            },
        },
    }


def test_a_config_that_was_checked_tells_grids_thresholds_settings_and_fields():
    config = parse_config(
        {
            "datasets": {"data": {"files": {"a.root": "Events"}}},
            "grids": {"calo": {"dense": {"branch": "e", "shape": [24, 16]}}},
            "clusters": {"Jet": {"grid": "calo", "seed_threshold": 5, "fields": ["peak_sum", "row"]}},
            "output": {"directory": "results"},
        }
    )
    bounds = {"Jet": {"seed": "> 5 counts"}}
    remarks = Remarks(["datasets.data.files: gone"], ["hardly meant"], ["mc: 20 entries of a.root"])
    assert documents.checked(
        "a.yaml", config, bounds, {"calo": ("1 hit", "2 empty")}, remarks
    ).model_dump() == {
        "command": "check",
        "file": "a.yaml",
        "collections": {
            "Jet": {
                "grids": {"calo": (24, 16)},
                "thresholds": {"seed": "> 5 counts"},
                "settings": PeakSumSettings(seed_threshold=5).model_dump(mode="json"),
                "fields": ["peak_sum", "row"],
            }
        },
        "hits": {"calo": ["1 hit", "2 empty"]},
        "missing": ["datasets.data.files: gone"],
        "remarks": ["hardly meant"],
        "tried": ["mc: 20 entries of a.root"],
    }


def test_a_candidate_tells_its_command_only_if_there_is_one():
    dense = Candidate("Events", 6, ("cells",), "dense cells", {"dense": {"branch": "cells"}}, 48)
    rows = Candidate("hits", 9, ("x", "y"), "rows of hits", {}, 9, command="hep-peaksum group a.root")
    found = Inspection({"Events": 6, "hits": 9}, [dense, rows], [], {}, {"T": ["b"]})
    assert documents.inspection("a.root", found, None).model_dump() == {
        "command": "inspect",
        "file": "a.root",
        "trees": {"Events": 6, "hits": 9},
        "candidates": [
            {
                "tree": "Events",
                "n_entries": 6,
                "branches": ["cells"],
                "looks_like": "dense cells",
                "grid": {"dense": {"branch": "cells"}},
                "run_first": None,
            },
            {
                "tree": "hits",
                "n_entries": 9,
                "branches": ["x", "y"],
                "looks_like": "rows of hits",
                "grid": {},
                "run_first": "hep-peaksum group a.root",
            },
        ],
        "unreadable": {"T": ["b"]},
        "config": None,
    }


def test_an_explanation_names_what_beats_and_what_drops_a_cell():
    cells, settings = [[0, 7, 7, 9], [0, 0, 0, 0]], PeakSumSettings(search_window=(1, 3), seed_threshold=8)
    why = explain(cells, settings, row=0, col=2)
    place = {"collection": "Jet", "grid": "calo", "entry": 3, "layer": None}
    assert diagnostic_documents.explanation(why, unit="counts", **place).model_dump() == {
        **place,
        "row": 0,
        "col": 2,
        "is_seed": False,
        "value": 7.0,
        "unit": "counts",
        "threshold": "the seed threshold > 8",
        "passes_threshold": False,
        "is_masked": False,
        "beaten_by": [
            {"row": 0, "col": 1, "value": 7.0, "needed": ">"},
            {"row": 0, "col": 3, "value": 9.0, "needed": ">="},
        ],
        "removed_by": None,
        "dropped_by": [],
        "in_words": str(why),
    }
    settings = PeakSumSettings(seed_threshold=6, sum_threshold=50, search_window=(1, 3), sum_window=(1, 3))
    kept, beaten = (
        diagnostic_documents.explanation(explain(cells, settings, row=0, col=col), unit="counts", **place)
        for col in (1, 2)
    )
    assert (kept.is_seed, kept.dropped_by) == (True, ["sum_threshold >= 50 on sum"])
    assert (beaten.is_seed, beaten.passes_threshold) == (False, True)


def test_ties_count_the_seeds_of_every_rule_and_place_closed_rings():
    ring = Grid(rows=Axis(n=1), cols=Axis(n=4, periodic=True))
    audit = audit_ties([[[0, 0, 6, 0]], [[5, 5, 5, 5]]], {"seed_threshold": 3, "search_window": (1, 3)}, ring)
    made = diagnostic_documents.ties("Jet", "calo", audit).model_dump()
    rules, (found,) = made.pop("tie_rules"), made.pop("rings")
    assert made == {"collection": "Jet", "grid": "calo", "n_events": 2, "n_dependent_events": 1}
    # one seed in the first event; in the ring all four, the first or the last of them, or none
    assert rules["all"] == {"n_seeds": 5, "n_plateaus_lost": 0}
    assert rules["first"] == rules["last"] == {"n_seeds": 2, "n_plateaus_lost": 0}
    assert rules["none"] == {"n_seeds": 1, "n_plateaus_lost": 1}
    lost_by = found.pop("lost_by")
    assert found == {"entry": 1, "layer": 0, "row": 0, "col": 0, "n_cells": 4, "value": 5.0, "axis": "cols"}
    assert lost_by
    assert all(rules[rule] == {"n_seeds": 1, "n_plateaus_lost": 1} for rule in lost_by)


def test_a_comparison_tells_which_algorithm_alone_finds_a_cluster():
    cells = [[[0, 1, 9, 1, 0]], [[4, 0, 9, 0, 6]]]
    grid = Grid(rows=Axis(n=1), cols=Axis(n=5), unit=0.5)
    low = PeakSumSettings(search_window=(1, 3), sum_window=(1, 1), seed_threshold=3)
    high = low.model_copy(update={"seed_threshold": 7.0, "sum_window": (1, 3)})
    settings = {"low": low, "high": PeakSumSettings(**high.model_dump())}
    for first, second, sign in (("low", "high", 1), ("high", "low", -1)):
        both = compare(cells, settings[first], settings[second], grid)
        made = diagnostic_documents.difference("calo", "GeV", (first, second), both)
        # the sums of 9 and 11 counts differ by 1 GeV, those of the other peak by nothing
        assert made.model_dump() == {
            "grid": "calo",
            "first": first,
            "second": second,
            "unit": "GeV",
            "n_events": 2,
            "n_same_seed": 2,
            "n_different_sum": 1,
            "n_only_first": 2 * (first == "low"),
            "n_only_second": 2 * (first == "high"),
            "mean_difference": 0.5 * sign,
            "rms_difference": math.sqrt(0.5),
            "largest_difference": sign,
            "one_sided": [
                {"only_in": "low", "entry": 1, "layer": 0, "row": 0, "col": 0, "sum": 2.0},
                {"only_in": "low", "entry": 1, "layer": 0, "row": 0, "col": 4, "sum": 3.0},
            ],
        }


def test_a_closure_counts_both_sides_and_lists_what_differs():
    compared = Closure(
        n_events=4,
        event=np.array([0, 1, 2, 3, 3]),
        row=np.array([5, 6, -1, 8, 9]),
        col=np.array([1, 2, -1, 4, 5]),
        has_reference=np.array([1, 1, 1, 1, 0], bool),
        has_cluster=np.array([1, 1, 0, 1, 1], bool),
        sum_expected=np.array([1, 1, 1, 0, 0], bool),
        reference_sum=np.array([10, 20, 30, 40, 0]),
        cluster_sum=np.array([10, 21, 0, 44, 50]),
    )
    made = diagnostic_documents.closures({"Jet": compared}).model_dump()
    assert made == {
        "command": "closure",
        "closures": {
            "Jet": {
                "n_events": 4,
                "n_in_file": 4,
                "n_found": 3,
                "n_sums_compared": 3,
                "n_equal_sums": 1,
                "n_extra": 1,
                "not_found": [{"entry": 2, "row": -1, "col": -1, "sum_in_file": 30.0, "sum_of_cluster": None}],
                "different_sums": [
                    {"entry": 1, "row": 6, "col": 2, "sum_in_file": 20.0, "sum_of_cluster": 21.0}
                ],
            }
        },
    }


def test_an_unfinished_job_is_incomplete_unless_it_is_damaged():
    for damaged, state in (((), "incomplete"), (("part-1",), "damaged")):
        found = Status(None, {"ttbar": (3, 2, 17)}, n_chunks=2, damaged=damaged)
        assert unfinished_job("results", found).model_dump() == {
            "command": "status",
            "directory": "results",
            "state": state,
            "datasets": {},
            "unfinished": {"ttbar": {"n_files": 3, "n_finished_chunks": 2, "n_entries": 17}},
            "losses": [],
            "remarks": [],
            "n_chunks": 2,
            "n_reused_chunks": None,
            "damaged": list(damaged),
        }
