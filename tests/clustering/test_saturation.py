"""A saturation code is compared in the type of the cells: float32(1638.3) is 1638.3 of a float32 branch."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.geometry.hits import sparse

GRID = Grid(rows=Axis(n=1), cols=Axis(n=4), saturated=(1638.3, 0.1))
CELLS = np.array([[[0, 1638.3, 0.1, 1638.25]]])
COUNTED = ["peak_sum", "n_saturated"]


def n_saturated(cells, settings=None, grid=GRID, **rules):
    return find_clusters(
        cells, settings or PeakSumSettings(), grid, fields=COUNTED, **rules
    ).n_saturated.to_list()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_a_code_is_compared_in_the_type_of_the_cells(kernel, dtype):
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 3), kernel=kernel)
    # windows about 1638.3 (0, code, code) and about 1638.25 (code, no code)
    assert n_saturated(CELLS.astype(dtype), settings) == [[2, 1]]
    assert n_saturated(CELLS[:, None].astype(dtype), settings) == [[2, 1]]  # of a layer
    both = np.stack([CELLS, CELLS], axis=1).astype(dtype)
    assert n_saturated(both, settings) == [[4, 2]]
    assert n_saturated(both, settings, layers="each") == [[2, 2, 1, 1]]
    assert find_clusters(CELLS.astype(dtype), settings, GRID).fields[5] == "n_saturated"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0, -1], ids=["hits", "dense"])
def test_a_code_of_hits_is_compared_in_their_type(kernel, dtype, threshold):
    settings = PeakSumSettings(search_window=(1, 3), sum_window=(1, 3), seed_threshold=threshold, kernel=kernel)
    col, energy = ak.Array([[1, 2, 3]]), ak.Array(CELLS[0, :, 1:].astype(dtype))
    hits = sparse(ak.zeros_like(col), col, energy, GRID)
    assert n_saturated(hits, settings) == [[2, 1]]


def test_a_code_in_half_precision():
    grid = Grid(rows=Axis(n=1), cols=Axis(n=2), saturated=(1638.3, 1e6))
    # float16 has no number between 1638 and 1639, and none above 65504
    assert n_saturated(np.array([[[1638, 1]]], np.float16), grid=grid) == [[1]]


def test_codes_of_integers_are_compared_as_integers():
    alone = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1))
    grid = Grid(rows=Axis(n=1), cols=Axis(n=3), saturated=(2**53 + 1, 509.0, 3.5, 2**63))
    cells = np.array([[[2**53, 509, 2**63 - 1]]])
    clusters = find_clusters(cells, alone, grid, fields=["col", "n_saturated"])
    assert dict(zip(clusters.col[0].to_list(), clusters.n_saturated[0].to_list(), strict=True)) == {
        0: 0,
        1: 1,
        2: 0,
    }


def test_a_saturated_cell_counts_in_the_cluster_that_holds_it(kernel):
    rules = {"search_window": (1, 3), "sum_window": (1, 3), "seed_threshold": 5, "order": "position"}
    settings = PeakSumSettings(**rules, overlap="highest", kernel=kernel)
    grid = GRID.model_copy(update={"saturated": (3,)})
    clusters = find_clusters([[[6, 3, 8, 0]]], settings, grid, fields=COUNTED)
    assert clusters.to_list() == [[{"peak_sum": 6, "n_saturated": 0}, {"peak_sum": 11, "n_saturated": 1}]]


def test_the_net_of_a_saturated_seed_has_the_type_of_any_net(kernel):
    rules = {"pileup": [{"kind": "chunky_donut", "depth": 1}], "saturated_seeds": (7,), "kernel": kernel}
    cells = np.zeros((1, 5, 5), int)
    cells[0, 2, 2] = 7
    plain = find_clusters(cells, PeakSumSettings(**rules), fields=["net"]).net
    raised = find_clusters(cells, PeakSumSettings(**rules, saturated_net=65535.0), fields=["net"]).net
    assert (plain.to_list(), raised.to_list()) == ([[7]], [[65535]])
    assert plain.type == raised.type


@pytest.mark.parametrize("raised", [0.5, -2.75, 2.0**63], ids=["fraction", "negative-fraction", "beyond-int64"])
def test_what_no_whole_number_holds_is_the_net_of_a_saturated_seed_as_it_is(raised, kernel):
    rules = {"pileup": [{"kind": "chunky_donut", "depth": 1}], "saturated_seeds": (7,), "kernel": kernel}
    cells = np.zeros((1, 5, 9), int)
    cells[0, 2, 2], cells[0, 2, 7] = 7, 6
    net = find_clusters(cells, PeakSumSettings(**rules, saturated_net=raised), fields=["net"]).net
    assert net.to_list() == [[raised, 6]]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, {"peak_sum": 64, "n_saturated": 1}),  # towers of 33, 31 and 5: 9 + 22 is no code
        ({"sum_over": "cells"}, {"peak_sum": 64, "n_saturated": 1}),
        ({"pool_by": "max"}, {"peak_sum": 53, "n_saturated": 1}),
        ({"pool_threshold": 30}, {"peak_sum": 31, "n_saturated": 1}),
    ],
)
def test_a_saturated_cell_of_a_tower_is_counted_and_a_sum_is_no_code(kernel, rules, expected):
    settings = PeakSumSettings(coarsen=(1, 2), search_window=(1, 3), sum_window=(1, 3), kernel=kernel, **rules)
    grid = Grid(rows=Axis(n=1), cols=Axis(n=6), saturated=(31,))
    assert find_clusters([[[31, 2, 9, 22, 0, 5]]], settings, grid, fields=COUNTED)[0, 0].to_list() == expected


@pytest.mark.parametrize("coarsen", [(1, 1), (1, 2)])
@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_code_of_a_masked_cell_is_not_added(kernel, coarsen, masked):
    settings = PeakSumSettings(coarsen=coarsen, masked=masked, kernel=kernel)
    grid = Grid(rows=Axis(n=1), cols=Axis(n=4), saturated=(31,))
    layers, dead = [[[[31, 5, 0, 0]], [[0, 31, 0, 2]]]], [[True, False, False, False]]
    clusters = find_clusters(layers, settings, grid, mask=dead, fields=COUNTED)
    assert clusters.n_saturated[0, 0] == 1
