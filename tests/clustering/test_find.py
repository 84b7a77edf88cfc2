"""Arrays in, clusters out: the public functions against the definition, and everything refused at the door."""

import awkward as ak
import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import problems, windows

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, peak_sum_map
from hep_peaksum.geometry.grid import EventError, bare_grid

some = runs(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
few = runs(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

PEAK = ["row", "col", "seed", "peak_sum", "n_cells"]
INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


@pytest.fixture(scope="module", params=["numba", "scipy"])
def kernel(request):
    return request.param


def plane(shape, periodic=(False, False)):
    """Return a grid of bare indices that closes on itself where it is said."""
    (n_rows, n_cols), (rows, cols) = shape[-2:], periodic
    return Grid(rows=Axis(n=n_rows, periodic=rows), cols=Axis(n=n_cols, periodic=cols))


def knobs(problem, **more):
    """Return the settings that ask what the problem asks."""
    given_rule = {} if problem.tie_rule == "drawn" else {"tie_rule": problem.tie_rule}
    return PeakSumSettings(
        search_window=problem.search_window,
        sum_window=problem.sum_window,
        seed_threshold=problem.threshold,
        seed_comparison=problem.comparison,
        cell_threshold=problem.cell_threshold,
        **given_rule,
        **more,
    )


def by_definition(problem, masked="absent", cells=None, mask=None):
    """Return the peaks of every event as (row, col, seed, sum, n_cells), in the order of position."""
    cells = problem.grids if cells is None else cells
    mask = np.broadcast_to(problem.mask if mask is None else mask, cells.shape)
    return [
        oracle.find_peaks(
            event,
            search_window=problem.search_window,
            sum_window=problem.sum_window,
            threshold=problem.threshold,
            comparison=problem.comparison,
            tie_rule=problem.tie_rule,
            periodic=problem.periodic,
            cell_threshold=problem.cell_threshold,
            mask=hidden,
            masked=masked,
        )
        for event, hidden in zip(cells.tolist(), mask.tolist(), strict=True)
    ]


def ranked(events, *, most=None, order="sum"):
    """Return the peaks with the largest sums, equal ones by position, then in the order that is asked for."""
    falling = [sorted(event, key=lambda peak: (-peak[3], *peak[:2])) for event in events]
    kept = [event[:most] for event in falling]
    return kept if order == "sum" else [sorted(event) for event in kept]


def as_tuples(clusters):
    return [[tuple(record[name] for name in PEAK) for record in event] for event in clusters.to_list()]


def found(cells, settings=None, grid=None, **options):
    return as_tuples(find_clusters(cells, settings, grid, fields=PEAK, **options))


# -------------------------------------------------------------------------------------------------- pictures


def test_two_showers_are_two_clusters_the_larger_sum_first():
    cells = [
        [
            [0, 0, 0, 0, 0],
            [1, 5, 2, 0, 3],
            [0, 0, 0, 0, 9],
        ]
    ]
    assert found(cells) == [[(2, 4, 9, 12, 4), (1, 1, 5, 8, 9)]]


def test_in_the_order_of_position_the_upper_left_comes_first():
    cells = [[[5, 0, 0, 9, 0, 0, 9]]]
    assert found(cells, PeakSumSettings(order="position")) == [
        [(0, 0, 5, 5, 2), (0, 3, 9, 9, 3), (0, 6, 9, 9, 2)]
    ]


def test_clusters_of_one_sum_stand_in_the_order_of_position():
    cells = [[[3, 0, 0, 9, 0, 0, 3], [0] * 7, [9, 0, 0, 3, 0, 0, 9]]]
    places = [[(row, col) for row, col, *_ in event] for event in found(cells)]
    assert places == [[(0, 3), (2, 0), (2, 6), (0, 0), (0, 6), (2, 3)]]


@pytest.mark.parametrize(
    ("order", "sums"),
    [
        pytest.param("sum", [9, 7], id="the_largest_first"),
        pytest.param("position", [7, 9], id="the_first_in_the_detector_first"),
    ],
)
def test_only_the_largest_sums_are_kept_whatever_the_order(order, sums):
    cells = [[[7, 0, 0, 5, 0, 0, 9]]]
    settings = PeakSumSettings(max_clusters=2, order=order)
    assert find_clusters(cells, settings).peak_sum.to_list() == [sums]
    assert peak_sum_map(cells, settings).tolist() == [[[7, 0, 0, 0, 0, 0, 9]]]


def test_a_shower_across_the_seam_is_one_cluster_of_a_closed_calorimeter():
    cells = [[[4, 1, 0, 0, 0, 3]]]
    assert found(cells, None, plane((1, 6), (False, True))) == [[(0, 0, 4, 8, 3)]]
    assert found(cells) == [[(0, 0, 4, 5, 2), (0, 5, 3, 3, 2)]]


def test_the_layers_are_added_before_the_search():
    front = [[0, 0, 6, 0, 0]]
    back = [[0, 4, 0, 5, 5]]
    assert found([[front, back]]) == [[(0, 2, 6, 15, 3)]]
    assert peak_sum_map([[front, back]]).tolist() == [[[0, 0, 15, 0, 0]]]


def test_a_masked_cell_is_absent_or_holds_nothing():
    cells, dead = [[[-2, 9, -1]]], [[False, True, False]]
    settings = {"seed_threshold": -5}
    assert found(cells, PeakSumSettings(masked="absent", **settings), mask=dead) == [
        [(0, 2, -1, -1, 1), (0, 0, -2, -2, 1)]
    ]
    assert found(cells, PeakSumSettings(masked="zero", **settings), mask=dead) == [[]]


def test_a_cell_may_be_dead_in_some_events_only():
    cells = [[[0, 9, 4]], [[0, 9, 4]]]
    mask = [[[False, True, False]], [[False, False, False]]]
    assert found(cells, mask=mask) == [[(0, 2, 4, 4, 1)], [(0, 1, 9, 13, 3)]]


def test_the_map_holds_the_sum_at_the_local_maximum_and_nothing_else():
    cells = [[[0, 0, 0, 0], [1, 5, 2, 0], [0, 0, 0, 4]], [[0] * 4] * 3]
    assert peak_sum_map(cells).tolist() == [[[0, 0, 0, 0], [0, 8, 0, 0], [0, 0, 0, 6]], [[0] * 4] * 3]


def test_a_negative_sum_stands_in_the_map_as_it_is():
    cells = [[[-4, 1, -4]]]
    assert peak_sum_map(cells).tolist() == [[[0, -7, 0]]]


def test_a_threshold_may_be_an_energy():
    grid = Grid(rows=Axis(n=1), cols=Axis(n=7), quantity="et", unit="0.5 GeV")
    cells = [[[7, 0, 0, 8, 0, 0, 9]]]
    at_least, more_than = (PeakSumSettings(seed_threshold="4 GeV", seed_comparison=c) for c in (">=", ">"))
    assert find_clusters(cells, at_least, grid).peak_sum.to_list() == [[9, 8]]
    assert find_clusters(cells, more_than, grid).peak_sum.to_list() == [[9]]


# ------------------------------------------------------------------------------------- against the definition


@some
@given(
    problem=problems(most_events=4),
    masked=st.sampled_from(("absent", "zero")),
    most=st.none() | st.integers(1, 3),
    order=st.sampled_from(("sum", "position")),
)
def test_a_batch_gives_the_clusters_of_the_definition(kernel, problem, masked, most, order):
    settings = knobs(problem, kernel=kernel, masked=masked, max_clusters=most, order=order)
    grid = plane(problem.grids.shape, problem.periodic)
    expected = ranked(by_definition(problem, masked), most=most, order=order)

    assert found(problem.grids, settings, grid, mask=problem.mask) == expected


@some
@given(problem=problems(), masked=st.sampled_from(("absent", "zero")), most=st.none() | st.integers(1, 3))
def test_the_map_is_the_clusters_put_in_their_places(kernel, problem, masked, most):
    settings = knobs(problem, kernel=kernel, masked=masked, max_clusters=most)
    grid = plane(problem.grids.shape, problem.periodic)
    integer = problem.grids.dtype.kind == "i"
    expected = np.zeros(problem.grids.shape, np.int64 if integer else np.float64)
    for event, peaks in enumerate(ranked(by_definition(problem, masked), most=most)):
        for row, col, _, total, _ in peaks:
            expected[event, row, col] = total
    sums = peak_sum_map(problem.grids, settings, grid, mask=problem.mask)

    assert sums.dtype == expected.dtype
    assert sums.tolist() == expected.tolist()


@some
@given(problem=problems(), masked=st.sampled_from(("absent", "zero")), data=st.data())
def test_one_mask_for_all_events_is_that_mask_in_each(kernel, problem, masked, data):
    dead = data.draw(hnp.arrays(bool, problem.grids.shape[1:]))
    settings = knobs(problem, kernel=kernel, masked=masked)
    grid = plane(problem.grids.shape, problem.periodic)

    assert found(problem.grids, settings, grid, mask=dead) == ranked(by_definition(problem, masked, mask=dead))


@some
@given(problem=problems(), n_layers=st.integers(1, 3), data=st.data())
def test_layers_are_added_as_the_numbers_they_are(kernel, problem, n_layers, data):
    layers = data.draw(
        hnp.arrays(
            data.draw(st.sampled_from(("int8", "uint8", "int64"))),
            (len(problem.grids), n_layers, *problem.grids.shape[1:]),
            elements=st.integers(0, 127),
        )
    )
    settings, grid = knobs(problem, kernel=kernel), plane(problem.grids.shape, problem.periodic)
    cells = layers.astype(np.int64).sum(axis=1)

    assert found(layers, settings, grid, mask=problem.mask) == ranked(by_definition(problem, cells=cells))


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

    assert as_tuples(clusters) == ranked(expected)
    assert str(clusters.type) == type_of(len(cells), "float64" if is_float else "int64")
    assert peak_sum_map(cells).dtype == ("float64" if is_float else "int64")


def type_of(n_events, number):
    return f"{n_events} * var * {{row: int32, col: int32, seed: {number}, peak_sum: {number}, n_cells: int32}}"


@some
@given(problem=problems())
def test_kernels_of_either_name_give_the_same_bits(problem):
    grid = plane(problem.grids.shape, problem.periodic)
    fast, readable = (
        find_clusters(problem.grids, knobs(problem, kernel=name), grid, mask=problem.mask)
        for name in ("numba", "scipy")
    )
    assert str(fast.type) == str(readable.type)
    assert fast.to_list() == readable.to_list()


# ------------------------------------------------------------------------------------------ types of the cells


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
    assert found(np.full((1, 1, 1), 0.1, np.float32), settings) == [
        [(0, 0, float(np.float32(0.1)), float(np.float32(0.1)), 1)]
    ]
    assert found(np.full((1, 1, 1), 0.1, np.float64), settings) == [[]]


def test_bool_cells_count():
    assert found(np.ones((1, 2, 2), bool)) == [[(0, 0, 1, 4, 4)]]


SHOWERS = np.array([[[1, 0, 2, 0], [0, 5, 0, 0], [3, 0, 0, 7]], [[0, 0, 0, 0], [4, 0, 0, 4], [0, 0, 0, 0]]])
WIDE = np.repeat(SHOWERS, 2, axis=2)


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
def test_how_the_cells_lie_in_memory_does_not_matter(kernel, arranged, dtype):
    expected = found(SHOWERS, PeakSumSettings(kernel=kernel))
    cells = arranged(dtype)

    assert found(cells, PeakSumSettings(kernel=kernel)) == expected
    assert peak_sum_map(cells, PeakSumSettings(kernel=kernel)).tolist() == peak_sum_map(SHOWERS).tolist()


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "uint8"])
@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_the_cells_and_the_mask_are_read_and_not_written(kernel, dtype, masked):
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


# ---------------------------------------------------------------------------------------- small calorimeters


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
def test_where_there_is_nothing_the_types_are_those_of_something(kernel, dtype, shape):
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
def test_no_events_may_be_masked(kernel, shape):
    mask, settings = np.zeros(shape, bool), PeakSumSettings(kernel=kernel)
    cells = np.zeros((0, 3, 4))
    assert find_clusters(cells, settings, mask=mask, fields=["peak_sum", "n_masked"]).to_list() == []
    assert peak_sum_map(cells, settings, mask=mask).shape == (0, 3, 4)


def test_four_vectors_are_four_vectors_where_there_are_none():
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
    assert found(cells, PeakSumSettings(kernel=kernel)) == expected


def test_a_periodic_ring_of_one_cell_is_searched_along_the_other_axis():
    grid = Grid(rows=Axis(n=3), cols=Axis(n=1, periodic=True))
    settings = PeakSumSettings(search_window=(3, 1), sum_window=(3, 1))
    assert found([[[1], [2], [1]]], settings, grid) == [[(1, 0, 2, 4, 3)]]


# --------------------------------------------------------------------------------------- refused at the door


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param(
            (4,), r"shape \(4,\), expected \(event, row, col\) or \(event, layer, row, col\)$", id="flat"
        ),
        pytest.param(
            (3, 4), r"shape \(3, 4\), expected .*: for a single event pass grids\[None\]$", id="one_event"
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
    with pytest.raises(ValueError, match=r"^grids have shape \(2, 4, 3\), the grid has 3 x 4 cells$"):
        find_clusters(np.zeros((2, 4, 3)), None, bare_grid((3, 4)))
    with pytest.raises(ValueError, match=r"^grids have shape \(2, 5, 4, 3\), the grid has 3 x 4 cells$"):
        find_clusters(np.zeros((2, 5, 4, 3)), None, bare_grid((3, 4)))


@pytest.mark.parametrize(
    "ragged",
    [
        pytest.param([[[1, 2], [3]]], id="list"),
        pytest.param(ak.Array([[[1, 2], [3]]]), id="awkward"),
        pytest.param(ak.Array([[[1, None], [3, 4]]]), id="missing_values"),
    ],
)
def test_cells_that_are_no_rectangle_are_refused(ragged):
    with pytest.raises(ValueError, match=r"."):
        find_clusters(ragged)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "object", "U1", "M8[s]", "m8[s]"])
def test_cells_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match=r"^cells must be numbers, these are of type "):
        find_clusters(np.zeros((1, 3, 3), dtype))


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is double here")
def test_cells_wider_than_double_precision_are_refused():
    with pytest.raises(ValueError, match=r"do not fit into float64: convert them first"):
        find_clusters(np.zeros((1, 3, 3), np.longdouble))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [find_clusters, peak_sum_map])
def test_a_cell_that_is_not_finite_is_named(function, value, dtype):
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
def test_a_layer_that_is_not_finite_makes_the_cell_so(pair):
    layers = np.zeros((2, 2, 3, 3))
    layers[1, :, 2, 0] = pair
    with pytest.raises(EventError, match=r"^event 1: cell \(row 2, col 0\) is (nan|inf)"):
        find_clusters(layers)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("masked", ["absent", "zero"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_that_is_not_finite_can_be_masked_by_choice(kernel, value, masked, dtype):
    cells = np.array([[[2, value, 1]], [[2, 5, 1]]], dtype)
    settings = PeakSumSettings(nonfinite="mask", masked=masked, kernel=kernel)
    n_cells = {"absent": 1, "zero": 2}[masked]
    assert found(cells, settings) == [
        [(0, 0, 2, 2, n_cells), (0, 2, 1, 1, n_cells)],
        [(0, 1, 5, 8, 3)],
    ]
    also_dead = np.array([[True, False, False]])
    assert found(cells, settings, mask=also_dead)[0] == [(0, 2, 1, 1, n_cells)]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_cell_that_is_masked_anyway_may_be_anything(kernel, masked):
    cells = np.array([[[2, np.nan, 1]], [[np.inf, 5, 1]]])
    settings = PeakSumSettings(masked=masked, kernel=kernel)
    assert [len(event) for event in found(cells, settings, mask=~np.isfinite(cells))] == [2, 1]
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
        find_clusters(np.zeros((1, *shape)), PeakSumSettings(**knob), plane(shape, periodic))
    find_clusters(np.zeros((1, *shape)), PeakSumSettings(**knob), plane(shape))


def turned(window):
    return "\n".join(window) if isinstance(window, str) else window[::-1]


def test_a_window_that_just_closes_is_fine():
    settings = PeakSumSettings(search_window=(1, 5), sum_window="xxox")
    assert found([[[1, 0, 3, 0, 2]]], settings, plane((1, 5), (False, True))) == [[(0, 2, 3, 4, 4)]]


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
def test_a_mask_of_another_kind_is_refused(mask, given_as):
    with pytest.raises(
        ValueError, match=rf"^mask is {given_as}, expected bool of shape \(2, 3\) or \(4, 2, 3\)$"
    ):
        find_clusters(np.zeros((4, 2, 3)), mask=mask)


@pytest.mark.parametrize("fields", [[], ()], ids=["list", "tuple"])
def test_clusters_without_any_field_are_refused(fields):
    with pytest.raises(ValueError, match=r"field"):
        find_clusters([[[1]]], fields=fields)


def test_a_threshold_that_no_cell_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"beyond what a 64-bit integer grid can hold"):
        find_clusters([[[1]]], PeakSumSettings(seed_threshold=1e30))
    assert found([[[1.0]]], PeakSumSettings(seed_threshold=1e30)) == [[]]


def test_what_is_asked_for_beyond_cells_settings_and_grid_is_named():
    with pytest.raises(TypeError):
        find_clusters([[[1]]], None, None, [[False]])
    with pytest.raises(TypeError):
        peak_sum_map([[[1]]], None, None, [[False]])


# ------------------------------------------------------------------------------------------- types of cells

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


@runs(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "uint32", "bool"])
def test_cells_of_a_small_type_give_what_int64_gives(kernel, dtype, data):
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    value = st.one_of(st.integers(low, high), st.sampled_from([low, high, 0, 1]))
    cells = np.array(data.draw(st.lists(value, min_size=36, max_size=36)), np.int64).reshape(1, 6, 6)
    cells = np.concatenate([cells, cells[:, ::-1]])
    how = PeakSumSettings(
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
            find_clusters(each, how, mask=mask, fields=EVERY_FIELD) for each in (cells.astype(dtype), cells)
        )
    assert small.type.content == large.type.content
    assert ak.array_equal(small, large, equal_nan=True)
