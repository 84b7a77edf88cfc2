"""The ties of the first events, on a page: those of `audit_ties`."""

import numpy as np
import pytest
from finished_jobs import run_job

from hep_peaksum.config.load import parse_config
from hep_peaksum.report import tie_sample
from hep_peaksum.report.tie_sample import tie_table
from hep_peaksum.results.manifest import read_manifest


def test_layers_that_are_searched_each_have_their_own_ties(write_root, tmp_path):
    cells = np.zeros((2, 2, 1, 6), np.int32)  # (event, layer, row, col)
    cells[0, 0, 0], cells[0, 1, 0] = [4, 4, 0, 0, 0, 0], [0, 0, 9, 0, 0, 7]  # equal cells in the first layer
    cells[1, 1, 0] = [0, 3, 0, 0, 9, 0]
    path = write_root("layers.root", {"Events": {"cells": cells, "event": np.arange(2)}})
    dense = {"branch": "cells", "axes": ["layer", "row", "col"], "shape": [2, 1, 6]}
    content = {
        "datasets": {"toy": {"files": {path: "Events"}}},
        "grids": {"calo": {"dense": dense, "layers": "each"}},
        "clusters": {"Jet": {"grid": "calo", "seed_threshold": 2}},
        "output": {"directory": str(tmp_path / "results"), "plots": False, "report": False},
    }
    directory, unreadable = run_job(content).directory, {}
    table = tie_table(directory, parse_config(content), read_manifest(directory), unreadable)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (unreadable, len(table.rows)) == ({}, 1)
    assert (row["dataset"], row["collection"], row["events"], row["depend on the rule"]) == (
        "toy",
        "Jet",
        "2",
        "1",
    )
    assert (row["all"], row["first"], row["none"]) == ("6", "5", "4")


@pytest.fixture
def two_datasets(write_root, tmp_path):
    """Run a job over two datasets, of which `a` has an empty file first, and return the call for its table.

    Two collections search two grids of one row: the first event of `had` has two equal neighbours, the third
    of `em` as well, and the second has none.
    """
    em, had = np.zeros((2, 3, 1, 6), np.int32)
    had[0, 0, :2], em[1, 0, :4:3], em[2, 0, 2:4] = 5, 7, 8
    columns = {"em": em, "had": had, "event": np.arange(3)}
    trees = {name: {"Events": columns} for name in ("a.root", "b.root")}
    trees["0.root"] = {"Events": {name: values[:0] for name, values in columns.items()}}
    paths = {name: write_root(name, each) for name, each in trees.items()}
    content = {
        "datasets": {
            "a": {"files": {paths["0.root"]: "Events", paths["a.root"]: "Events"}},
            "b": {"files": {paths["b.root"]: "Events"}},
        },
        "grids": {name: {"dense": {"branch": name, "shape": [1, 6]}} for name in ("em", "had")},
        "clusters": {
            "Both": {"grid": ["em", "had"], "seed_threshold": 2},
            "Had": {"grid": "had", "seed_threshold": 2},
        },
        "output": {"directory": str(tmp_path / "results"), "plots": False, "report": False},
    }
    directory, config = run_job(content).directory, parse_config(content)
    unreadable = {}
    return lambda: tie_table(directory, config, read_manifest(directory), unreadable).rows, unreadable


def test_every_dataset_has_a_row_for_each_grid_of_each_collection(two_datasets):
    rows, unreadable = two_datasets
    em, had = ("3", "1", "4", "2", "3", "3", "3", "3"), ("3", "1", "2", "0", "1", "1", "1", "1")
    expected = [("Both on em", *em), ("Both on had", *had), ("Had", *had)]
    assert rows() == [(dataset, *row) for dataset in "ab" for row in expected]
    assert unreadable == {}


def test_a_dataset_whose_file_is_gone_has_no_row(two_datasets, tmp_path):
    rows, unreadable = two_datasets
    (tmp_path / "a.root").unlink()
    assert [dataset for dataset, *_ in rows()] == ["b"] * 3
    assert list(unreadable) == ["a"]
    assert unreadable["a"].endswith("a.root is not there, or has changed since the job ran")


@pytest.mark.parametrize("limit", [{"N_EVENTS": 2}, {"MOST_CELLS": 17}], ids=str)
def test_no_more_than_the_first_events_and_searches_are_audited(two_datasets, monkeypatch, limit):
    """Events have six cells: two are the most that 17 allow, and of `em` they hold no equal neighbours."""
    for name, most in {**limit, "MOST_AUDITS": 4}.items():
        monkeypatch.setattr(tie_sample, name, most)
    rows, _ = two_datasets
    assert [row[:4] for row in rows()] == [
        ("a", "Both on em", "2", "0"),
        ("a", "Both on had", "2", "1"),
        ("a", "Had", "2", "1"),
        ("b", "Both on em", "2", "0"),
    ]
