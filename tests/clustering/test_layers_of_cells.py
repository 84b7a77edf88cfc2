"""Grids with layers: their sums per cluster, and layers that are searched separately."""

import awkward as ak
import numpy as np
import pytest
from clustering_problems import grid_of, settings_of
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rules_pictures import LINE
from strategies import problems

from hep_peaksum import PeakSumSettings, find_clusters

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


TWO_LAYERS = np.array([[[[1, 0, 2], [0, 5, 0]], [[0, 7, 0], [3, 1, 4]]]])  # event, layer, row, col


def test_the_sum_of_every_layer():
    clusters = find_clusters(TWO_LAYERS, fields=["peak_sum", "seed", "layer_sums"])
    assert clusters.to_list() == [[{"peak_sum": 23, "seed": 7, "layer_sums": [8, 15]}]]


def test_the_sum_of_every_layer_has_the_cells_that_were_added():
    """The threshold is on the cell, all layers together, and so is the mask."""
    high = PeakSumSettings(cell_threshold=4)
    assert find_clusters(TWO_LAYERS, high, fields=["layer_sums"]).layer_sums.to_list() == [[[5, 12]]]
    dead = [[False, False, True], [False, False, False]]
    assert find_clusters(TWO_LAYERS, mask=dead, fields=["layer_sums"]).layer_sums.to_list() == [[[6, 15]]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_masked_cell_adds_to_no_layer_of_its_tower(masked, kernel):
    layers = [[[[4, 1, 0, 2]], [[1, 3, 0, 0]]]]
    settings = PeakSumSettings(coarsen=(1, 2), sum_window=(1, 1), masked=masked, kernel=kernel)
    dead = [[True, False, False, False]]
    clusters = find_clusters(layers, settings, mask=dead, fields=["peak_sum", "layer_sums"])
    assert clusters.to_list() == [[{"peak_sum": 4, "layer_sums": [1, 3]}]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_masked_cell_adds_to_no_layer(masked):
    dead = [[False, False, True], [False, False, False]]
    clusters = find_clusters(
        TWO_LAYERS, PeakSumSettings(masked=masked), mask=dead, fields=["peak_sum", "layer_sums"]
    )
    assert clusters.to_list() == [[{"peak_sum": 21, "layer_sums": [6, 15]}]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_masked_cell_with_a_nonfinite_layer_adds_to_no_layer(masked):
    layers = TWO_LAYERS.astype(float)
    layers[0, 0, 0, 2] = np.nan
    settings = PeakSumSettings(masked=masked, nonfinite="mask")
    clusters = find_clusters(layers, settings, fields=["peak_sum", "layer_sums"])
    assert clusters.to_list() == [[{"peak_sum": 21, "layer_sums": [6, 15]}]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
@some
@given(problem=problems(), data=st.data())
def test_the_layers_of_a_cluster_add_to_its_sum(problem, data, masked):
    n_layers = data.draw(st.integers(1, 4))
    shape = (len(problem.grids), n_layers, *problem.grids.shape[1:])
    layers = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-3, 9)))
    layers = layers.astype(data.draw(st.sampled_from(("int16", "float32", "float64"))))
    settings, grid = settings_of(problem, masked=masked), grid_of(problem)
    clusters = find_clusters(layers, settings, grid, mask=problem.mask, fields=["peak_sum", "layer_sums"])

    assert str(clusters.layer_sums.type.content.content.content) == str(clusters.peak_sum.type.content.content)
    assert ak.sum(clusters.layer_sums, axis=-1).to_list() == clusters.peak_sum.to_list()


def test_layers_are_needed_for_the_sum_of_layers():
    with pytest.raises(
        ValueError, match=r"'layer_sums' needs layers: give grids of shape \(event, layer, row, col\)"
    ):
        find_clusters([[[1]]], fields=["layer_sums"])


def test_layers_can_be_searched_separately(kernel):
    layers = [[[[4, 0, 0, 0]], [[0, 0, 1, 5]]], [[[0, 0, 0, 0]], [[0, 3, 0, 0]]]]
    settings = PeakSumSettings(**LINE, order="position", kernel=kernel)
    separate = find_clusters(layers, settings, layers="each", fields=["layer", "col", "peak_sum"]).to_list()
    added = find_clusters(layers, settings, layers="sum", fields=["col", "peak_sum"]).to_list()

    assert separate == [
        [{"layer": 0, "col": 0, "peak_sum": 4}, {"layer": 1, "col": 3, "peak_sum": 6}],
        [{"layer": 1, "col": 1, "peak_sum": 3}],
    ]
    assert added == [[{"col": 0, "peak_sum": 4}, {"col": 3, "peak_sum": 6}], [{"col": 1, "peak_sum": 3}]]


def test_separate_layers_neither_share_cells_nor_suppress_each_other(kernel):
    layers = [[[[0, 6, 3, 0]], [[0, 0, 3, 12]]]]
    for overlap, sums in (("highest", [9, 15]), ("suppress", [9, 15]), ("equal", [9.0, 15.0])):
        settings = PeakSumSettings(**LINE, order="position", overlap=overlap, kernel=kernel)
        assert find_clusters(layers, settings, layers="each").peak_sum.to_list() == [sums]


def test_mask_and_noise_may_have_the_shape_of_separate_layers(kernel):
    cells = np.array([[[[3, 0, 9]]]])
    settings = PeakSumSettings(seed_threshold="2 sigma", kernel=kernel)
    mask, noise = cells == 9, np.ones(cells.shape)
    clusters = find_clusters(cells, settings, layers="each", mask=mask, noise=noise, fields=["layer", "col"])

    assert clusters.to_list() == [[{"layer": 0, "col": 0}]]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int64"])
def test_layers_of_a_small_type_are_pooled(kernel, dtype):
    layers = np.ones((1, 2, 3, 4), dtype)
    settings = PeakSumSettings(coarsen=(2, 2), allow_partial_towers=True, kernel=kernel)
    clusters = find_clusters(layers, settings, fields=["peak_sum", "layer_sums"])

    assert clusters.to_list() == [[{"peak_sum": 24, "layer_sums": [12, 12]}]]


def test_cells_that_are_not_pooled_are_in_no_layer(kernel):
    """Cells of 4 + 1 and 1 + 1 in a tower, of which only the first exceeds 3."""
    settings = PeakSumSettings(coarsen=(1, 2), pool_threshold=3, kernel=kernel)
    clusters = find_clusters([[[[4, 1]], [[1, 1]]]], settings, fields=["peak_sum", "layer_sums"])
    assert clusters.to_list() == [[{"peak_sum": 5, "layer_sums": [4, 1]}]]


def test_a_tower_of_masked_cells_does_not_exist_below_the_pool_threshold_either(kernel):
    rules = {**LINE, "coarsen": (1, 2), "pool_threshold": 1, "kernel": kernel}
    mask = [[False, False, True, True]]
    clusters = find_clusters(
        [[[5, 5, 9, 9]]], PeakSumSettings(**rules), mask=mask, fields=["peak_sum", "n_cells"]
    )
    assert clusters.to_list() == [[{"peak_sum": 10, "n_cells": 1}]]


def test_a_partial_tower_of_masked_cells_is_masked(kernel):
    rules = {"search_window": (1, 1), "sum_window": (1, 1), "seed_threshold": -1, "coarsen": (1, 2)}
    settings = PeakSumSettings(**rules, allow_partial_towers=True, masked="zero", kernel=kernel)
    clusters = find_clusters([[[1, 2, 9]]], settings, mask=[[False, False, True]], fields=["col", "peak_sum"])
    assert clusters.to_list() == [[{"col": 0, "peak_sum": 3}]]


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [("equal", [[7.5, -1.5], [7.5, -1.5]]), ("highest", [[9, -3], [6, 0]]), ("shared", [[9, -3], [9, -3]])],
)
def test_a_cell_whose_layers_add_up_to_0_is_shared_like_any_other(overlap, expected, kernel):
    settings = {"search_window": (1, 3), "sum_window": (1, 3), "overlap": overlap, "kernel": kernel}
    clusters = find_clusters([[[[6, 3, 6]], [[0, -3, 0]]]], settings, fields=["peak_sum", "layer_sums"])
    assert clusters.peak_sum.to_list() == [[6, 6]]
    assert clusters.layer_sums.to_list() == [expected]
