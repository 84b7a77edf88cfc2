"""Input and rules that are refused, each with its error."""

import math

import awkward as ak
import numpy as np
import pytest
from clustering_problems import (
    clusters_of,
    index_grid,
)
from rules_pictures import LINE

from hep_peaksum import Axis, Grid, PeakSumSettings, audit_ties, compare, find_clusters, peak_sum_map
from hep_peaksum.geometry.grid import EventError, bare_grid


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param(
            (4,), r"shape \(4,\), expected \(event, row, col\) or \(event, layer, row, col\)$", id="flat"
        ),
        pytest.param(
            (3, 4),
            r"shape \(3, 4\), expected .*: for a single event pass grids\[None\], for flat cells",
            id="one_event",
        ),
        pytest.param((1, 1, 1, 3, 4), r"shape \(1, 1, 1, 3, 4\), expected \(event, row, col\)", id="five_axes"),
        pytest.param((), r"^grids have shape .*, expected \(event, row, col\)", id="a_number"),
        pytest.param((0,), r"grids have shape \(0,\), expected \(event, row, col\)", id="an_empty_list"),
        pytest.param((1, 0, 4), r"shape \(1, 0, 4\)", id="no_rows"),
        pytest.param((1, 3, 0), r"shape \(1, 3, 0\)", id="no_columns"),
    ],
)
@pytest.mark.parametrize("function", [find_clusters, peak_sum_map])
def test_cells_of_another_shape_are_refused(function, shape, message):
    with pytest.raises(ValueError, match=message):
        function(np.zeros(shape))


def test_cells_of_another_plane_are_refused():
    swapped = "the grid has 3 x 4 cells: swap rows and cols of the grid"
    with pytest.raises(ValueError, match=rf"^grids have shape \(2, 4, 3\), {swapped}$"):
        find_clusters(np.zeros((2, 4, 3)), None, bare_grid((3, 4)))
    with pytest.raises(ValueError, match=rf"^grids have shape \(2, 5, 4, 3\), {swapped}$"):
        find_clusters(np.zeros((2, 5, 4, 3)), None, bare_grid((3, 4)))


@pytest.mark.parametrize(
    "ragged",
    [
        pytest.param([[[1, 2], [3]]], id="list"),
        pytest.param(ak.Array([[[1, 2], [3]]]), id="awkward"),
    ],
)
def test_ragged_cells_are_refused(ragged):
    with pytest.raises(ValueError, match=r"."):
        find_clusters(ragged)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "object", "U1", "M8[s]", "m8[s]"])
def test_cells_that_are_not_real_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match=r"^cells must be real numbers, these are of type "):
        find_clusters(np.zeros((1, 3, 3), dtype))


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is double here")
def test_cells_wider_than_double_precision_are_refused():
    with pytest.raises(ValueError, match=r"do not fit into float64: convert them first"):
        find_clusters(np.zeros((1, 3, 3), np.longdouble))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [find_clusters, peak_sum_map])
def test_a_nonfinite_cell_is_named(function, value, dtype):
    cells = np.zeros((3, 4, 5), dtype)
    cells[1, 2, 3] = value
    message = rf"^event 1: cell \(row 2, col 3\) is {value}: mask it, or set nonfinite to 'mask'$"
    with pytest.raises(EventError, match=message) as caught:
        function(cells)
    assert caught.value.event == 1


def test_infinities_of_either_sign_do_not_cancel():
    cells = np.array([[[np.inf, 0, -np.inf]]])
    with pytest.raises(EventError, match=r"^event 0: cell \(row 0, col 0\) is inf"):
        find_clusters(cells)


@pytest.mark.parametrize(
    "pair", [(np.nan, 1), (np.inf, 1), (np.inf, -np.inf)], ids=["nan", "inf", "inf_minus_inf"]
)
def test_a_nonfinite_layer_makes_its_cell_nonfinite(pair):
    layers = np.zeros((2, 2, 3, 3))
    layers[1, :, 2, 0] = pair
    with pytest.raises(EventError, match=r"^event 1: cell \(row 2, col 0\) is (nan|inf)"):
        find_clusters(layers)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("masked", ["absent", "zero"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nonfinite_cells_can_be_masked_automatically(kernel, value, masked, dtype):
    cells = np.array([[[2, value, 1]], [[2, 5, 1]]], dtype)
    settings = PeakSumSettings(nonfinite="mask", masked=masked, kernel=kernel)
    n_cells = {"absent": 1, "zero": 2}[masked]
    assert clusters_of(cells, settings) == [
        [(0, 0, 2, 2, n_cells), (0, 2, 1, 1, n_cells)],
        [(0, 1, 5, 8, 3)],
    ]
    also_dead = np.array([[True, False, False]])
    assert clusters_of(cells, settings, mask=also_dead)[0] == [(0, 2, 1, 1, n_cells)]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_masked_cell_may_be_nonfinite(kernel, masked):
    cells = np.array([[[2, np.nan, 1]], [[np.inf, 5, 1]]])
    settings = PeakSumSettings(masked=masked, kernel=kernel)
    assert [len(event) for event in clusters_of(cells, settings, mask=~np.isfinite(cells))] == [2, 1]
    with pytest.raises(EventError, match=r"^event 1: cell \(row 0, col 0\) is inf"):
        find_clusters(cells, settings, mask=[[False, True, False]])


def test_finite_cells_whose_total_is_beyond_double_precision_are_finite():
    cells = np.array([[[1e308, 0, 0, 1e308, 0, 0, 1e308]]])
    assert find_clusters(cells).peak_sum.to_list() == [[1e308] * 3]
    single = np.array([[[3e38, 0, 0, 3e38]]], np.float32)
    assert find_clusters(single).peak_sum.to_list() == [[float(np.float32(3e38))] * 2]


@pytest.mark.parametrize(
    ("knob", "name"),
    [
        pytest.param({"search_window": (1, 5)}, "search_window", id="search_window"),
        pytest.param({"search_window": "o...x"}, "search_window", id="search_window_meets_its_own_seed"),
        pytest.param({"search_window": "x..ox"}, "search_window", id="search_window_drawn"),
        pytest.param({"sum_window": (1, 5)}, "sum_window", id="sum_window"),
        pytest.param({"sum_window": "xoxxx"}, "sum_window", id="sum_window_drawn"),
        pytest.param({"seed_window": (1, 5)}, "seed_window", id="seed_window"),
        pytest.param({"pileup": ["chunky_donut"]}, "chunky_donut", id="strips_of_the_donut"),
    ],
)
@pytest.mark.parametrize("closed", ["rows", "cols"])
def test_a_window_that_would_meet_a_cell_twice_is_refused(knob, name, closed):
    shape, periodic = ((9, 4), (False, True)) if closed == "cols" else ((4, 9), (True, False))
    if closed == "rows":
        knob = {key: turned(value) for key, value in knob.items()}
    message = (
        rf"^{name} is longer than the periodic axis {closed} \(4 cells\) and would meet a cell twice: make"
    )
    with pytest.raises(ValueError, match=message):
        find_clusters(np.zeros((1, *shape)), PeakSumSettings(**knob), index_grid(shape, periodic))
    find_clusters(np.zeros((1, *shape)), PeakSumSettings(**knob), index_grid(shape))


def test_a_ring_that_is_too_deep_is_told_by_its_depth():
    deep = PeakSumSettings(pileup=[{"kind": "ring_median", "depth": 2}])
    with pytest.raises(ValueError, match=r"^ring_median is .*: make the sum_window or depth shorter, or"):
        find_clusters(np.zeros((1, 9, 4)), deep, index_grid((9, 4), (False, True)))


def turned(window):
    return "\n".join(window) if isinstance(window, str) else window[::-1]


def test_a_window_that_just_closes_is_fine():
    settings = PeakSumSettings(search_window=(1, 5), sum_window="xxox")
    assert clusters_of([[[1, 0, 3, 0, 2]]], settings, index_grid((1, 5), (False, True))) == [[(0, 2, 3, 4, 4)]]


@pytest.mark.parametrize("function", [find_clusters, peak_sum_map])
def test_unsigned_cells_beyond_int64_are_refused(function):
    with pytest.raises(ValueError, match=r"^the largest cell, 9223372036854775808, does not fit into int64$"):
        function(np.array([[[2**63]]], np.uint64))
    single = PeakSumSettings(sum_window=(1, 1))
    assert find_clusters(np.array([[[2**63 - 1]]], np.uint64), single).peak_sum.to_list() == [[2**63 - 1]]


@pytest.mark.parametrize(
    ("cells", "largest"),
    [
        pytest.param(np.full((1, 3, 3), 2**60), 2**60, id="nine_large_cells"),
        pytest.param(np.full((1, 3, 3), -(2**60)), 2**60, id="nine_large_negative_cells"),
        pytest.param(np.full((1, 1, 1), -(2**63)), 2**63, id="the_lowest_integer"),
    ],
)
def test_a_window_sum_beyond_int64_is_refused(cells, largest):
    with pytest.raises(ValueError, match=rf"^cells as large as {largest} could overflow the 64-bit sum"):
        find_clusters(cells)


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param(np.full((1, 4, 1, 1), 2**62), id="wraps_to_zero"),
        pytest.param(np.full((1, 2, 1, 1), 2**63 - 1), id="wraps_to_minus_two"),
        pytest.param(np.full((1, 3, 1, 1), -(2**62)), id="wraps_to_positive"),
        pytest.param(np.full((1, 2, 1, 1), 2**63 - 1, np.uint64), id="unsigned"),
    ],
)
def test_a_sum_of_layers_beyond_int64_is_refused(layers):
    with pytest.raises(ValueError, match=r"overflow"):
        find_clusters(layers, PeakSumSettings(sum_window=(1, 1), seed_threshold=-(2**62)))


@pytest.mark.parametrize(
    ("mask", "given_as"),
    [
        pytest.param([[0, 1, 0], [0, 0, 0]], r"int64 of shape \(2, 3\)", id="integers"),
        pytest.param(np.zeros((2, 3)), r"float64 of shape \(2, 3\)", id="floats"),
        pytest.param(np.zeros((3, 2), bool), r"bool of shape \(3, 2\)", id="transposed"),
        pytest.param(np.zeros((1, 2, 3), bool), r"bool of shape \(1, 2, 3\)", id="another_number_of_events"),
        pytest.param(np.zeros((4, 7, 2, 3), bool), r"bool of shape \(4, 7, 2, 3\)", id="with_layers"),
        pytest.param(True, r"bool of shape \(\)", id="a_single_truth"),
    ],
)
def test_a_mask_of_the_wrong_type_or_shape_is_refused(mask, given_as):
    expected = r"expected bool of shape \(2, 3\) or \(4, 2, 3\)"
    remedy = r"(: convert it to bool, true where .*|: transpose it)?"
    with pytest.raises(ValueError, match=rf"^mask is {given_as}, {expected}{remedy}$"):
        find_clusters(np.zeros((4, 2, 3)), mask=mask)


@pytest.mark.parametrize("fields", [[], ()], ids=["list", "tuple"])
def test_clusters_without_any_field_are_refused(fields):
    with pytest.raises(ValueError, match=r"field"):
        find_clusters([[[1]]], fields=fields)


def test_a_threshold_that_no_cell_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"beyond what a 64-bit integer grid can hold"):
        find_clusters([[[1]]], PeakSumSettings(seed_threshold=1e30))
    assert clusters_of([[[1.0]]], PeakSumSettings(seed_threshold=1e30)) == [[]]


def test_options_are_keyword_only():
    with pytest.raises(TypeError):
        find_clusters([[[1]]], None, None, [[False]])
    with pytest.raises(TypeError):
        peak_sum_map([[[1]]], None, None, [[False]])


@pytest.mark.parametrize(
    ("rules", "noise"),
    [
        pytest.param({"seed_threshold": "5 sigma"}, None, id="sigmas_without_noise"),
        pytest.param({"quantity": "significance"}, None, id="significance_without_noise"),
        pytest.param({"quantity": "significance"}, [[1, 0, 1, 1]], id="significance_without_any_noise"),
        pytest.param({"cell_threshold": "5 sigma"}, [[1, -1, 1, 1]], id="negative_noise"),
        pytest.param({"sum_threshold": "5 sigma"}, [[1, math.nan, 1, 1]], id="noise_that_is_not_finite"),
        pytest.param({"seed_threshold": "5 sigma"}, [[1, 1, 1]], id="noise_of_another_plane"),
        pytest.param(
            {"seed_threshold": "5 sigma", "pool_by": "max", "coarsen": (1, 2)},
            [[1, 1, 1, 1]],
            id="noise_of_the_highest_cell",
        ),
        pytest.param({"coarsen": (1, 3)}, None, id="towers_that_do_not_divide_the_axis"),
    ],
)
def test_noise_and_towers_that_do_not_fit_are_refused(kernel, rules, noise):
    with pytest.raises(ValueError, match=r"."):
        find_clusters([[[1, 2, 3, 4]]], PeakSumSettings(kernel=kernel, **rules), noise=noise)


def test_a_periodic_axis_has_no_partial_tower(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(n=5, periodic=True))
    settings = PeakSumSettings(**LINE, coarsen=(1, 2), allow_partial_towers=True, kernel=kernel)
    with pytest.raises(ValueError, match=r"periodic"):
        find_clusters([[[1, 2, 3, 4, 5]]], settings, grid)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"quantity": "significance", "seed_threshold": "4 GeV"}, id="a_significance_in_gev"),
        pytest.param({"tie_rule": "greedy-residual", "overlap": "nearest"}, id="two_ways_to_own_a_cell"),
        pytest.param({"sum_window": "g.o"}, id="a_gate_behind_no_cell"),
        pytest.param({"sum_window": (3, 5), "pileup": ("donut",)}, id="a_donut_around_no_square"),
        pytest.param({"sum_threshold": 1, "sum_threshold_on": "net"}, id="a_net_sum_without_pileup"),
        pytest.param({"pileup": ("donut", "donut")}, id="two_columns_of_one_name"),
        pytest.param({"subtract": "donut"}, id="an_estimate_that_was_not_made"),
    ],
)
def test_contradictory_rules_are_refused(rules):
    with pytest.raises(ValueError, match=r"."):
        PeakSumSettings(**rules)


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_a_ring_without_a_cell_beside_the_cluster_is_refused(kernel):
    ring = {"kind": "phi_ring", "includes_cluster": False}
    grid = Grid(rows=Axis(n=3), cols=Axis(n=3, periodic=True))
    with pytest.raises(
        ValueError, match=r"^phi_ring: the sum window covers the whole ring of 3 cells, none is left"
    ):
        find_clusters([[[1, 0, 0], [0, 9, 0], [0, 0, 0]]], PeakSumSettings(pileup=(ring,), kernel=kernel), grid)


def test_no_layers_have_no_clusters(kernel):
    cells = np.zeros((2, 0, 5, 5), np.float32)
    below_zero = PeakSumSettings(seed_threshold=-1, kernel=kernel)
    for layers in ("sum", "each"):
        clusters = find_clusters(cells, PeakSumSettings(kernel=kernel), layers=layers)
        assert clusters.to_list() == [[], []]
        assert clusters.peak_sum.type.content.content.primitive == "float64"
    assert find_clusters(cells, below_zero, layers="each", fields=["layer", "peak_sum"]).to_list() == [[], []]
    assert find_clusters(cells[:0], layers="each").to_list() == []
    assert peak_sum_map(cells).tolist() == np.zeros((2, 5, 5)).tolist()
    assert audit_ties(cells, layers="each").n_events == 2
    assert compare(cells, below_zero, below_zero, layers="each").n_events == 2


def test_flat_cells_are_put_on_the_grid(kernel):
    grid = Grid(rows=Axis(n=24), cols=Axis(n=16, periodic=True))
    cells = np.random.default_rng(1).integers(0, 9, (3, 384))
    shaped, settings = cells.reshape(3, 24, 16), PeakSumSettings(seed_threshold="1 sigma", kernel=kernel)
    mask = cells > 7
    noise = np.arange(384) / 100
    expected = find_clusters(shaped, settings, grid, mask=shaped > 7, noise=noise.reshape(24, 16))
    assert len(ak.flatten(expected)) > 10
    flat = find_clusters(cells, settings, grid, mask=mask, noise=noise)
    assert flat.to_list() == expected.to_list()
    masked = np.ma.array(cells, mask=mask)
    assert find_clusters(masked, settings, grid, noise=noise).to_list() == expected.to_list()
    assert find_clusters(ak.Array(cells), None, grid).to_list() == find_clusters(shaped, None, grid).to_list()
    row = Grid(rows=Axis(n=1), cols=Axis(n=3))
    assert find_clusters([[0, 5, 1]], None, row, mask=[[False, False, True]]).peak_sum.to_list() == [[5]]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 383), r"\(3, 383\), expected \(event, row, col\).*flat cells a grid of as many"),
        ((384,), r"\(24, 16\), expected \(event, row, col\).*single event pass grids\[None\]"),
        ((3, 2, 384), r"\(3, 2, 384\), the grid has 24 x 16 cells: flat layers.*from_dense with axes"),
    ],
)
def test_flat_cells_of_another_number_are_refused(shape, message):
    grid = Grid(rows=Axis(n=24), cols=Axis(n=16))
    with pytest.raises(ValueError, match=message):
        find_clusters(np.zeros(shape), None, grid)
    with pytest.raises(ValueError, match=r"expected \(event, row, col\).*flat cells a grid"):
        find_clusters(np.zeros((3, 384)))
