"""The columns of a match: for every cluster the index of its object and their distance, also through a view."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.job.processor import PeakSumProcessor

SEEDS = ({(1, 1): 9, (1, 4): 7, (1, 7): 8}, {}, {(1, 2): 6, (1, 6): 9})  # (row, col) of every event
OBJECTS = ([(1, 7), (1, 4)], [(0, 0)], [(1, 2), (1, 6)])


def make_events():
    cells = np.zeros((3, 3, 9), np.int32)
    for event, seeds in enumerate(SEEDS):
        for place, energy in seeds.items():
            cells[(event, *place)] = energy
    row, col = (ak.Array([[place[k] for place in each] for each in OBJECTS]) for k in (0, 1))
    return ak.zip({"cells": cells, "gen_row": row, "gen_col": col, "event": np.arange(3)}, depth_limit=1)


def jets_matched(**match):
    content = {
        "grids": {"calo": {"dense": {"branch": "cells", "shape": [3, 9]}}},
        "clusters": {"Jet": {"grid": "calo", "seed_threshold": 5, "order": "position", "fields": ["seed"]}},
        "select": {"Hard": {"from": "Jet", "where": [{"field": "seed", "min": 8}], "sort": "seed"}},
        "references": {"Gen": {"row": "gen_row", "col": "gen_col", "grid": "calo"}},
        "matches": {"ToGen": {"reference": "Gen", "by": "cell", **match}},
    }
    return PeakSumProcessor(**content).find(make_events()).events.Jet


@pytest.mark.parametrize(
    ("clusters", "index"),
    [("Jet", [[-1, 1, 0], [], [0, 1]]), ("Hard", [[-1, -1, 0], [], [-1, 1]])],
    ids=["collection", "view-in-another-order"],
)
def test_every_cluster_has_the_index_of_its_object_and_minus_one_without(clusters, index):
    jets = jets_matched(clusters=clusters)
    assert jets.seed.to_list() == [[9, 7, 8], [], [6, 9]]
    assert jets.ToGenIdx.to_list() == index
    distance, is_matched = (
        ak.to_numpy(ak.flatten(jets.ToGenDistance)),
        ak.to_numpy(ak.flatten(jets.ToGenIdx)) >= 0,
    )
    assert np.array_equal(distance, np.where(is_matched, 0, np.nan), equal_nan=True)


def test_a_match_of_other_datasets_leaves_all_clusters_without_an_object():
    assert jets_matched(clusters="Jet", datasets=["simulation"]).ToGenIdx.to_list() == [[-1] * 3, [], [-1] * 2]


def jets_near(gen_x, **match):
    """Return the jets of one event, of 9 at x = 1 and of 7 at x = 4, matched with objects at y = 1."""
    cells = np.zeros((1, 3, 9), np.int32)
    cells[0, 1, 1], cells[0, 1, 4] = 9, 7
    event = {"cells": cells, "gen_x": ak.Array([gen_x]), "gen_y": ak.Array([[1.0] * len(gen_x)])}
    content = {
        "grids": {"calo": {"dense": {"branch": "cells"}, "rows": line("y", 3), "cols": line("x", 9)}},
        "clusters": {"Jet": {"grid": "calo", "seed_threshold": 5, "order": "position", "fields": ["row"]}},
        "references": {"Gen": {"x": "gen_x", "y": "gen_y"}},
        "matches": {"ToGen": {"clusters": "Jet", "reference": "Gen", "by": "distance", **match}},
    }
    return PeakSumProcessor(**content).find(ak.zip(event, depth_limit=1)).events.Jet


def line(name, n):
    return {"name": name, "bins": n, "start": -0.5, "stop": n - 0.5}


@pytest.mark.parametrize(("pairing", "index"), [("highest", [0, -1]), ("nearest", [-1, 0])])
def test_an_object_has_the_highest_or_the_nearest_cluster_in_range(pairing, index):
    jets = jets_near([3.5], within=3, pairing=pairing)
    assert jets.ToGenIdx.to_list() == [index]
    assert jets.fields == ["row", "ToGenIdx", "ToGenDistance"]


@pytest.mark.parametrize(
    ("gen_x", "index"), [([4.5, 4.5], 0), ([4.5, 3.5], 0), ([4.5, 4.25, 3.75, 5], 1)], ids=str
)
def test_of_several_objects_of_a_cluster_the_nearest_is_named_and_the_first_of_equally_near_ones(gen_x, index):
    assert jets_near(gen_x, within=1, pairing="nearest").ToGenIdx.to_list() == [[-1, index]]
