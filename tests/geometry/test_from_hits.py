"""Dense grids from jagged hits: placed by label, index or coordinate, added, and counted when outside."""

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid, from_dense
from hep_peaksum.geometry.hits import from_hits, sparse

TWO_BY_THREE = bare_grid((2, 3))
TOWERS = Grid(
    rows=Axis(name="eta", labels="-2..-1, 1..2", edges=(-1, -0.5, 0, 0.5, 1)),
    cols=Axis(name="phi", labels="1..4", bins=4, start=0, stop="2pi", periodic=True),
)


def test_hits_are_placed_by_label():
    grids = from_hits(ak.Array([[-2, 2], [1]]), ak.Array([[1, 4], [2]]), ak.Array([[7, 8], [9]]), TOWERS)

    assert grids.tolist() == [
        [[7, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 8]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 0]],
    ]


def test_hits_are_placed_by_index():
    grids = from_hits(ak.Array([[0, 1]]), ak.Array([[2, 0]]), ak.Array([[3, 4]]), TWO_BY_THREE)

    assert grids.tolist() == [[[0, 0, 3], [4, 0, 0]]]


def test_hits_are_placed_by_coordinate_the_short_way_round():
    plane = Grid(
        rows=Axis(name="eta", edges=(-1, 0, 2)),
        cols=Axis(name="phi", bins=4, start="-pi", stop="pi", periodic=True),
    )
    eta, phi = ak.Array([[-0.5, 0.0, 1.9]]), ak.Array([[0.1, 3.2, -3.1]])

    assert from_hits(eta, phi, ak.Array([[1, 2, 4]]), plane).tolist() == [[[0, 0, 1, 0], [6, 0, 0, 0]]]


def test_several_hits_in_one_cell_add():
    grids = from_hits(ak.Array([[0, 0, 0]]), ak.Array([[1, 1, 1]]), ak.Array([[1, 2, 4]]), TWO_BY_THREE)

    assert grids.tolist() == [[[0, 7, 0], [0, 0, 0]]]


@pytest.mark.parametrize(
    ("dtype", "cells"),
    [
        ("int16", "int64"),
        ("uint8", "int64"),
        ("int64", "int64"),
        ("bool", "int64"),
        ("float32", "float64"),
        ("float64", "float64"),
    ],
)
def test_integers_are_added_as_int64_and_floats_as_float64(dtype, cells):
    energy = ak.Array(np.ones((1, 2), dtype))

    assert from_hits(ak.Array([[0, 0]]), ak.Array([[0, 0]]), energy, TWO_BY_THREE).dtype == cells


def test_many_small_hits_do_not_overflow_their_own_type():
    energy = ak.Array(np.full((1, 3), 200, np.uint8))

    assert from_hits(ak.Array([[0, 0, 0]]), ak.Array([[0, 0, 0]]), energy, TWO_BY_THREE)[0, 0, 0] == 600


def test_many_small_hits_are_added_as_float64():
    energy = ak.Array(np.array([[16777216.0, 1.0, 1.0]], np.float32))

    assert from_hits(ak.Array([[0] * 3]), ak.Array([[0] * 3]), energy, TWO_BY_THREE)[0, 0, 0] == 16777218.0


def test_an_energy_beyond_int64_is_refused():
    energy = ak.Array(np.array([[2**63]], np.uint64))

    with pytest.raises(ValueError, match=r"int64|64-bit"):
        from_hits(ak.Array([[0]]), ak.Array([[0]]), energy, TWO_BY_THREE)


def test_hits_outside_the_grid_are_counted_and_not_added():
    row, col, energy = ak.Array([[0, 2, 1], [-1]]), ak.Array([[0, 0, 3], [0]]), ak.Array([[1, 10, 100], [1000]])

    with pytest.warns(UserWarning, match="3 hits lie outside the grid"):
        grids = from_hits(row, col, energy, TWO_BY_THREE)
    assert grids.sum() == 1
    assert sparse(row, col, energy, TWO_BY_THREE).n_outside == 3


def test_an_event_without_hits_is_a_grid_of_zeros():
    grids = from_hits(ak.Array([[], [0], []]), ak.Array([[], [0], []]), ak.Array([[], [1.5], []]), TWO_BY_THREE)

    assert grids.sum(axis=(1, 2)).tolist() == [0, 1.5, 0]


def test_events_that_are_all_empty_are_grids_of_zeros():
    none = ak.Array([[0]])[:, :0]

    assert from_hits(none, none, none, TWO_BY_THREE).tolist() == np.zeros((1, 2, 3)).tolist()


def test_no_events_of_hits_give_no_grids():
    none = ak.Array([[0]])[:0]

    assert from_hits(none, none, none, TWO_BY_THREE).shape == (0, 2, 3)


@pytest.mark.parametrize("word", ["row", "col"])
def test_the_first_event_whose_columns_differ_in_length_is_named(word):
    columns = {name: ak.Array([[0], [0, 0], [0]]) for name in ("row", "col", "energy")}
    columns[word] = ak.Array([[0], [0], [0, 0]])

    with pytest.raises(EventError, match=f"event 1: {word} has 1, energy has 2 values: give") as error:
        from_hits(**columns, grid=TWO_BY_THREE)
    assert error.value.event == 1


@pytest.mark.parametrize("n_events", [0, 1, 3])
def test_columns_of_different_numbers_of_events_are_refused(n_events):
    two, other = ak.Array([[0], [0]]), ak.Array([[0], [0], [0]])[:n_events]

    with pytest.raises(ValueError, match=f"{n_events} events"):
        from_hits(other, two, two, TWO_BY_THREE)


def test_an_event_error_survives_being_sent_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(EventError(7, "is broken")))

    assert (error.event, error.problem, str(error)) == (7, "is broken", "event 7: is broken")


@settings(deadline=None)
@given(
    hits=st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(-9, 9)), max_size=8),
        min_size=1,
        max_size=3,
    ),
    data=st.data(),
)
def test_hits_and_dense_cells_make_the_same_grids_in_any_order_of_the_hits(hits, data):
    dense = np.zeros((len(hits), 2, 3), np.int64)
    for event, some in enumerate(hits):
        for row, col, energy in some:
            dense[event, row, col] += energy
    shuffled = [data.draw(st.permutations(some)) for some in hits]
    n_hits = [len(some) for some in hits]
    flat = np.array([hit for some in shuffled for hit in some], np.int64).reshape(-1, 3)
    row, col, energy = (ak.unflatten(np.ascontiguousarray(column), n_hits) for column in flat.T)

    assert np.array_equal(from_hits(row, col, energy, TWO_BY_THREE), from_dense(dense, TWO_BY_THREE))


def test_an_unsigned_hit_beyond_int64_is_refused_and_the_largest_int64_is_not():
    place, plane = ak.Array([[0]]), bare_grid((1, 1))
    largest = ak.unflatten(np.array([2**63 - 1], np.uint64), [1])
    assert from_hits(place, place, largest, plane).tolist() == [[[2**63 - 1]]]
    beyond = ak.unflatten(np.array([2**63], np.uint64), [1])
    with pytest.raises(ValueError, match="the largest hit, 9223372036854775808, does not fit into int64"):
        from_hits(place, place, beyond, plane)


def test_degrees_on_an_axis_in_radian_are_told():
    phi = Axis(name="phi", bins=4, start="-pi", stop="pi", periodic=True)
    grid = Grid(rows=Axis(n=1), cols=phi)
    degrees = ak.Array([[-170.0, 20.0], [175.0]])
    around = r"col: -170 to 175 is more than once around phi, from -3\.142 to 3\.142: "
    around += "write unit: deg, and degrees for its ends, -180 and 180"
    with pytest.warns(UserWarning, match=around):
        from_hits(ak.Array([[0, 0], [0]]), degrees, ak.Array([[1.0, 2.0], [3.0]]), grid)


@pytest.mark.filterwarnings("error")
def test_azimuths_from_zero_to_two_pi_are_folded_without_a_word():
    phi = Axis(name="phi", bins=4, start="-pi", stop="pi", periodic=True)
    grid = Grid(rows=Axis(n=1), cols=phi)
    cells = from_hits(ak.Array([[0, 0]]), ak.Array([[0.1, 6.2]]), ak.Array([[1.0, 2.0]]), grid)
    assert cells.tolist() == [[[0, 2, 1, 0]]]  # 6.2 - 2 pi = -0.08
