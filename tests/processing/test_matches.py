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
