"""Cells without a value: masks of numpy.ma and None of awkward mask cells as `mask` does."""

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hep_peaksum import Axis, Grid, PeakSumSettings, audit_ties, compare, explain, find_clusters, peak_sum_map
from hep_peaksum.geometry.grid import bare_grid, from_dense
from hep_peaksum.geometry.hits import from_hits, sparse

# The 9 is masked: then 5 is a seed, and its window holds 5 + 1.
CELLS = np.array([[[0.0, 5, 9, 0], [0, 1, 0, 0]]])
MASK = CELLS == 9
MASKED = np.ma.array(CELLS, mask=MASK)
OPTIONAL = ak.Array([[[0.0, 5, None, 0], [0, 1, 0, 0]]])
EXPECTED = [[{"peak_sum": 6.0, "row": 0, "col": 1, "n_masked": 1}]]
FIELDS = ["peak_sum", "row", "col", "n_masked"]
SIGMA = PeakSumSettings(seed_threshold="2 sigma", seed_comparison=">=")


@pytest.mark.parametrize("masked", ["absent", "zero"])
@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(MASKED, id="numpy"),
        pytest.param([MASKED[0]], id="list_of_numpy"),
        pytest.param(OPTIONAL, id="awkward"),
        pytest.param(MASKED.astype(np.float32), id="float32"),
        pytest.param(MASKED.astype(np.int16), id="int16"),
        pytest.param(np.ma.array(np.where(MASK, np.nan, CELLS), mask=MASK), id="nan_under_the_mask"),
        pytest.param(from_dense(MASKED, bare_grid((2, 4))), id="from_dense"),
        pytest.param(from_dense(OPTIONAL, bare_grid((2, 4))), id="from_dense_awkward"),
        pytest.param(from_dense(ak.flatten(OPTIONAL, axis=2), bare_grid((2, 4))), id="from_dense_flat"),
        pytest.param(from_dense([MASKED[0]], bare_grid((2, 4))), id="from_dense_list"),
    ],
)
def test_a_cell_without_a_value_is_masked(kernel, cells, masked):
    settings = PeakSumSettings(masked=masked, kernel=kernel)
    assert find_clusters(cells, settings, fields=FIELDS).to_list() == EXPECTED
    assert peak_sum_map(cells, settings).tolist() == [[[0, 6, 0, 0], [0, 0, 0, 0]]]
    assert (explain(cells[0], settings, row=0, col=1).is_seed, explain(cells[0], row=0, col=2).is_masked) == (
        True,
        True,
    )
    assert compare(cells, settings, PeakSumSettings()).sum_a.tolist() == [6]
    assert audit_ties(cells, settings).n_common == 1


def test_masks_are_joined():
    cells = np.ma.array([[[4.0, 1, 3, 1, 2]]], mask=[[[1, 0, 0, 0, 0]]])
    mask = np.array([[0, 0, 1, 0, 0]], bool)
    noise = np.ma.array(np.full((1, 5), 0.1), mask=[[0, 0, 0, 0, 1]])
    alone = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1), seed_threshold="1 sigma")
    assert find_clusters(cells, alone, mask=mask, noise=noise).col.to_list() == [[1, 3]]


@pytest.mark.parametrize("quantity", ["energy", "significance"])
def test_a_cell_of_unknown_noise_is_masked(kernel, quantity):
    noise = np.ma.array(np.ones((2, 4)), mask=MASK[0])
    settings = SIGMA.model_copy(update={"quantity": quantity, "kernel": kernel})
    for given_noise in (noise, ak.Array([[1.0, 1, None, 1], [1.0, 1, 1, 1]])):
        assert find_clusters(CELLS, settings, noise=given_noise, fields=FIELDS).to_list() == EXPECTED
    assert audit_ties(CELLS, settings, noise=noise).n_common == 1
    assert audit_ties(CELLS, noise=noise).n_common == 1  # also where no noise is needed


def test_a_mask_that_is_itself_masked_masks():
    mask = np.ma.array(np.zeros((2, 4), bool), mask=MASK[0])
    assert find_clusters(CELLS, mask=mask, fields=FIELDS).to_list() == EXPECTED
    assert find_clusters(CELLS, mask=MASKED.mask, fields=FIELDS).to_list() == EXPECTED
    assert find_clusters(CELLS, mask=np.ma.array(CELLS).mask).col.to_list() == [[2]]  # numpy.ma.nomask


def test_of_summed_layers_those_with_a_value_are_added():
    layers = np.ma.array([[[[1.0, 2, 4]], [[10, 20, 40]]]], mask=[[[[1, 0, 0]], [[0, 0, 1]]]])
    alone = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1))
    clusters = find_clusters(layers, alone, fields=["peak_sum", "col", "layer_sums"])
    assert clusters.to_list() == [
        [
            {"peak_sum": 22.0, "col": 1, "layer_sums": [2.0, 20.0]},
            {"peak_sum": 10.0, "col": 0, "layer_sums": [0.0, 10.0]},
            {"peak_sum": 4.0, "col": 2, "layer_sums": [4.0, 0.0]},
        ]
    ]
    neither = np.ma.array(layers.data, mask=layers.mask | [[[[1, 0, 0]], [[1, 0, 0]]]])
    assert find_clusters(neither, alone).col.to_list() == [[1, 2]]
    each = find_clusters(layers, alone, layers="each", fields=["peak_sum", "layer"])
    assert each.peak_sum.to_list() == [[20.0, 10.0, 4.0, 2.0]]


def test_a_layer_that_is_no_number_masks_the_cell_of_the_sum():
    layers = np.array([[[[1.0, np.nan, 4]], [[10, 20, 40]]]])
    alone = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1), nonfinite="mask")
    assert find_clusters(layers, alone, fields=["peak_sum", "col"]).to_list() == [
        [{"peak_sum": 44.0, "col": 2}, {"peak_sum": 11.0, "col": 0}]
    ]


def test_the_unknown_noise_of_a_layer_takes_the_layer_out():
    layers, noise = np.array([[[[5.0, 2]], [[100, 2]]]]), np.ones((1, 2, 1, 2))
    unknown = np.ma.array(noise, mask=[[[[0, 0]], [[1, 0]]]])
    cluster = find_clusters(layers, SIGMA, noise=unknown, fields=["peak_sum", "seed", "noise"])[0, 0]
    # 5 with noise 1, and 4 with noise sqrt(2)
    assert (cluster.seed, cluster.peak_sum, cluster.noise) == (5, 9, pytest.approx(np.sqrt(3)))


def test_a_whole_event_without_values_is_masked():
    events = ak.Array([[[1.0, 2], [3, 4]], None, [[1, 1], None]])
    grids = from_dense(events, bare_grid((2, 2)))
    assert grids.mask.tolist() == [[[False] * 2] * 2, [[True] * 2] * 2, [[False] * 2, [True] * 2]]
    assert find_clusters(grids).peak_sum.to_list() == [[10.0], [], [2.0]]
    assert find_clusters(events).peak_sum.to_list() == [[10.0], [], [2.0]]


def test_from_dense_masks_by_layer_in_any_order_of_the_axes():
    cells = np.arange(12).reshape(1, 2, 3, 2)  # row, col, layer
    grid = Grid(rows=Axis(n=2), cols=Axis(n=3))
    masked = np.ma.array(cells, mask=cells % 5 == 0)
    for given_cells in (masked, ak.mask(ak.Array(cells), cells % 5 != 0)):
        grids = from_dense(given_cells, grid, axes=("row", "col", "layer"))
        assert grids.mask.tolist() == (np.moveaxis(cells, 3, 1) % 5 == 0).tolist()
        assert grids.data[~grids.mask].tolist() == [2, 4, 6, 8, 1, 3, 7, 9, 11]


def test_without_a_missing_value_from_dense_gives_a_plain_array():
    for cells in (np.ma.array(CELLS), ak.mask(ak.Array(CELLS), np.ones_like(MASK))):
        assert type(from_dense(cells, bare_grid((2, 4)))) is np.ndarray


@pytest.mark.parametrize("word", ["row", "col", "energy"])
def test_a_hit_without_a_value_is_an_error(word):
    hits = {name: ak.Array([[0], [0, 1]]) for name in ("row", "col", "energy")}
    hits[word] = ak.Array([[0], [0, None]])
    with pytest.raises(ValueError, match=f"event 1: {word} is None for a hit: drop such hits"):
        from_hits(**hits, grid=bare_grid((2, 2)))
    hits[word] = ak.Array([[0], None])
    with pytest.raises(ValueError, match=f"event 1: {word} is None for a hit: drop such hits"):
        from_hits(**hits, grid=bare_grid((2, 2)))


def test_hits_of_events_that_could_be_none_are_as_others(kernel):
    row, col, energy = (
        ak.mask(ak.Array([[0, 0], [1]]), [True, True]),
        ak.Array([[0, 2], [1]]),
        ak.Array([[3, 2], [4]]),
    )
    hits = sparse(row, col, ak.mask(energy, [True, True]), bare_grid((2, 3)))
    clusters = find_clusters(hits, PeakSumSettings(kernel=kernel), fields=["peak_sum", "col"])
    assert clusters.to_list() == [
        [{"peak_sum": 3, "col": 0}, {"peak_sum": 2, "col": 2}],
        [{"peak_sum": 4, "col": 1}],
    ]


@runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    cells=hnp.arrays(np.int64, (3, 4, 5), elements=st.integers(-3, 9)),
    mask=hnp.arrays(bool, (3, 4, 5)),
    masked=st.sampled_from(("absent", "zero")),
    coarsen=st.sampled_from(((1, 1), (2, 1))),
)
def test_a_mask_of_the_cells_is_the_argument_mask(cells, mask, masked, coarsen):
    settings = PeakSumSettings(masked=masked, coarsen=coarsen)
    expected = find_clusters(cells, settings, mask=mask, fields=FIELDS).to_list()
    assert find_clusters(np.ma.array(cells, mask=mask), settings, fields=FIELDS).to_list() == expected
    optional = ak.mask(ak.Array(cells), ~mask)
    assert find_clusters(optional, settings, fields=FIELDS).to_list() == expected
