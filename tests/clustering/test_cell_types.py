"""Types, memory layouts and shapes of the cells: each gives the clusters of plain int64 or float64 grids."""

import awkward as ak
import numpy as np
import oracle
import pytest
from clustering_problems import PEAK, as_tuples, clusters_of, in_order
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import windows

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, peak_sum_map

few = runs(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
SHOWERS = np.array([[[1, 0, 2, 0], [0, 5, 0, 0], [3, 0, 0, 7]], [[0, 0, 0, 0], [4, 0, 0, 4], [0, 0, 0, 0]]])
WIDE = np.repeat(SHOWERS, 2, axis=2)


@few
@given(data=st.data())
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_every_type_of_cell_is_compared_and_added_exactly(kernel, dtype, data):
    shape = data.draw(st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6)))
    largest = {"uint64": 2**58}.get(dtype)
    cells = data.draw(
        hnp.arrays(dtype, shape, elements=st.integers(0, largest))
        if largest
        else hnp.arrays(
            dtype,
            shape,
            elements=st.integers(-(2**58), 2**58)
            if dtype == "int64"
            else hnp.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False)
            if dtype != "float64"
            else st.floats(-1e300, 1e300),
        )
    )
    sum_window = data.draw(windows(shape[1:], (False, False)))
    is_float = dtype in FLOATS
    wide = cells.astype(np.float64 if is_float else np.int64)
    expected = [
        oracle.find_peaks(event, search_window=(3, 3), sum_window=sum_window, threshold=0)
        for event in wide.tolist()
    ]
    clusters = find_clusters(cells, PeakSumSettings(sum_window=sum_window, kernel=kernel), fields=PEAK)

    assert as_tuples(clusters) == in_order(expected)
    assert str(clusters.type) == type_of(len(cells), "float64" if is_float else "int64")
    assert peak_sum_map(cells).dtype == ("float64" if is_float else "int64")


def type_of(n_events, number):
    return f"{n_events} * var * {{row: int32, col: int32, seed: {number}, peak_sum: {number}, n_cells: int32}}"


EVERY_FIELD = (
    "peak_sum",
    "seed",
    "n_cells",
    "seed_gap",
    "prominence",
    "e1_e9",
    "e9_e25",
    "isolation",
    "n_neighbours",
)


SMALL_TYPES = pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "uint32", "bool"])


@SMALL_TYPES
@runs(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_cells_of_a_small_type_give_what_int64_gives(kernel, dtype, data):
    check_a_small_type(kernel, dtype, data)


@pytest.mark.slow
@SMALL_TYPES
@runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_many_cells_of_a_small_type_give_what_int64_gives(kernel, dtype, data):
    check_a_small_type(kernel, dtype, data)


def check_a_small_type(kernel, dtype, data):
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    value = st.one_of(st.integers(low, high), st.sampled_from([low, high, 0, 1]))
    cells = np.array(data.draw(st.lists(value, min_size=36, max_size=36)), np.int64).reshape(1, 6, 6)
    cells = np.concatenate([cells, cells[:, ::-1]])
    settings = PeakSumSettings(
        kernel=kernel,
        seed_threshold=data.draw(st.sampled_from([0, -(2**40), 2**40, low, high])),
        seed_comparison=data.draw(st.sampled_from([">", ">="])),
        tie_rule=data.draw(st.sampled_from(["all", "first", "last", "none", "greedy"])),
        overlap=data.draw(st.sampled_from(["shared", "highest", "suppress"])),
        pileup=data.draw(st.sampled_from([(), ("ring_median",)])),
        cell_threshold=data.draw(st.sampled_from([None, 0, high])),
    )
    mask = data.draw(st.sampled_from([None, np.eye(6, dtype=bool)]))
    with np.errstate(divide="ignore", invalid="ignore"):
        small, large = (
            find_clusters(each, settings, mask=mask, fields=EVERY_FIELD)
            for each in (cells.astype(dtype), cells)
        )
    assert small.type.content == large.type.content
    assert ak.array_equal(small, large, equal_nan=True)


def test_int16_sums_do_not_overflow():
    cells = np.full((1, 3, 3), 30_000, np.int16)
    assert find_clusters(cells).peak_sum.to_list() == [[4 * 30_000]]


def test_single_precision_cells_add_in_double_precision():
    cells = np.array([[[16777216, 1, 1]]], np.float32)
    settings = PeakSumSettings(search_window=(1, 5), sum_window=(1, 5))
    assert find_clusters(cells, settings).peak_sum.to_list() == [[16777218.0]]
    assert peak_sum_map(cells, settings).dtype == np.float64


def test_one_tenth_in_single_precision_is_above_one_tenth():
    settings = PeakSumSettings(seed_threshold=0.1, cell_threshold=0.1)
    assert clusters_of(np.full((1, 1, 1), 0.1, np.float32), settings) == [
        [(0, 0, float(np.float32(0.1)), float(np.float32(0.1)), 1)]
    ]
    assert clusters_of(np.full((1, 1, 1), 0.1, np.float64), settings) == [[]]


def test_bool_cells_count():
    assert clusters_of(np.ones((1, 2, 2), bool)) == [[(0, 0, 1, 4, 4)]]


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "int16"])
@pytest.mark.parametrize(
    "arranged",
    [
        pytest.param(lambda dtype: np.asfortranarray(SHOWERS.astype(dtype)), id="columns_first_in_memory"),
        pytest.param(lambda dtype: WIDE.astype(dtype)[:, :, ::2], id="every_second_column"),
        pytest.param(lambda dtype: SHOWERS[:, ::-1, ::-1].astype(dtype).copy()[:, ::-1, ::-1], id="backwards"),
        pytest.param(lambda dtype: SHOWERS.astype(np.dtype(dtype).newbyteorder(">")), id="big_endian"),
        pytest.param(lambda dtype: SHOWERS.astype(np.dtype(dtype).newbyteorder("<")), id="little_endian"),
        pytest.param(lambda dtype: ak.Array(SHOWERS.astype(dtype)), id="awkward_regular"),
        pytest.param(lambda dtype: ak.Array(SHOWERS.astype(dtype).tolist()), id="awkward_jagged_of_one_length"),
        pytest.param(lambda dtype: SHOWERS.astype(dtype).tolist(), id="list"),
        pytest.param(lambda dtype: tuple(map(tuple, SHOWERS.astype(dtype).tolist())), id="tuple"),
    ],
)
def test_the_memory_layout_of_the_cells_does_not_matter(kernel, arranged, dtype):
    expected = clusters_of(SHOWERS, PeakSumSettings(kernel=kernel))
    cells = arranged(dtype)

    assert clusters_of(cells, PeakSumSettings(kernel=kernel)) == expected
    assert peak_sum_map(cells, PeakSumSettings(kernel=kernel)).tolist() == peak_sum_map(SHOWERS).tolist()


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "uint8"])
@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_cells_and_mask_are_not_modified(kernel, dtype, masked):
    cells, mask = SHOWERS.astype(dtype), SHOWERS == 7
    before = cells.copy(), mask.copy()
    cells.flags.writeable = mask.flags.writeable = False
    settings = PeakSumSettings(kernel=kernel, masked=masked)
    find_clusters(cells, settings, mask=mask)
    find_clusters(cells[:, None], settings, mask=mask, fields=["peak_sum", "layer_sums"])
    peak_sum_map(cells, settings, mask=mask)

    assert cells.tobytes() == before[0].tobytes()
    assert mask.tobytes() == before[1].tobytes()


def test_the_map_does_not_share_memory_with_the_cells():
    cells = SHOWERS.astype(np.int64)
    peak_sum_map(cells)[:] = -1
    assert np.array_equal(cells, SHOWERS)


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((0, 3, 4), id="no_events"),
        pytest.param((0, 2, 3, 4), id="no_events_of_layers"),
        pytest.param((2, 3, 4), id="events_without_clusters"),
        pytest.param((2, 1, 1), id="one_cell"),
        pytest.param((2, 1, 7), id="one_row"),
        pytest.param((2, 7, 1), id="one_column"),
    ],
)
def test_the_types_without_clusters_are_those_with_clusters(kernel, dtype, shape):
    fields = [*PEAK, "energy", "shared_sum", "on_edge", "n_masked", *["layer_sums"] * (len(shape) == 4)]
    settings = PeakSumSettings(kernel=kernel)
    nothing = find_clusters(np.zeros(shape, dtype), settings, fields=fields)
    something = find_clusters(np.ones((1, *shape[1:]), dtype), settings, fields=fields)

    assert ak.num(nothing).to_list() == [0] * shape[0]
    assert ak.count(something.peak_sum) > 0
    assert str(nothing.type.content) == str(something.type.content)
    sums = peak_sum_map(np.zeros(shape, dtype), settings)
    assert sums.shape == (shape[0], *shape[-2:])
    assert sums.dtype == (np.int64 if dtype == "int64" else np.float64)
    assert not sums.any()


@pytest.mark.parametrize("shape", [(3, 4), (0, 3, 4)], ids=["one_mask_for_all_events", "a_mask_for_each_event"])
def test_a_mask_of_no_events_is_accepted(kernel, shape):
    mask, settings = np.zeros(shape, bool), PeakSumSettings(kernel=kernel)
    cells = np.zeros((0, 3, 4))
    assert find_clusters(cells, settings, mask=mask, fields=["peak_sum", "n_masked"]).to_list() == []
    assert peak_sum_map(cells, settings, mask=mask).shape == (0, 3, 4)


def test_events_without_clusters_have_four_vectors_too():
    rows = Axis(name="eta", bins=3, start=-1, stop=1)
    grid = Grid(rows=rows, cols=Axis(name="phi", bins=4, start=0, stop="2pi", periodic=True))
    nothing, something = (find_clusters(np.full((2, 3, 4), value), None, grid) for value in (0.0, 1.0))
    assert str(nothing.type) == str(something.type)
    assert nothing.px.to_list() == [[], []]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param([[[3]]], [[(0, 0, 3, 3, 1)]], id="one_cell"),
        pytest.param([[[3, 0, 0, 2]]], [[(0, 0, 3, 3, 2), (0, 3, 2, 2, 2)]], id="one_row"),
        pytest.param([[[3], [0], [0], [2]]], [[(0, 0, 3, 3, 2), (3, 0, 2, 2, 2)]], id="one_column"),
        pytest.param([[[0]], [[-1]], [[1]]], [[], [], [(0, 0, 1, 1, 1)]], id="one_cell_in_three_events"),
    ],
)
def test_a_calorimeter_may_be_a_line_or_a_point(kernel, cells, expected):
    assert clusters_of(cells, PeakSumSettings(kernel=kernel)) == expected


def test_a_periodic_ring_of_one_cell_is_searched_along_the_other_axis():
    grid = Grid(rows=Axis(n=3), cols=Axis(n=1, periodic=True))
    settings = PeakSumSettings(search_window=(3, 1), sum_window=(3, 1))
    assert clusters_of([[[1], [2], [1]]], settings, grid) == [[(1, 0, 2, 4, 3)]]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_the_highest_number_of_a_type_passes_the_threshold_below_it(kernel, dtype):
    highest = np.iinfo(dtype).max
    cells = np.array([[[0, highest, 0, highest - 1]]], dtype)
    settings = PeakSumSettings(
        search_window=(1, 3), sum_window=(1, 1), seed_threshold=int(highest) - 1, kernel=kernel
    )
    clusters = find_clusters(cells, settings, fields=["col", "peak_sum"])
    assert clusters.to_list() == [[{"col": 1, "peak_sum": highest}]]
