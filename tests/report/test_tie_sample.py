"""The ties of the first events, on a page: those of `audit_ties`."""

import numpy as np
from finished_jobs import run_job

from hep_peaksum.config.load import parse_config
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
