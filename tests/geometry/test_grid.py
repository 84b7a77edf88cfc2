"""The plane of cells, and the two ways onto it: dense branches and hits."""

import math

import awkward as ak
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid, from_dense
from hep_peaksum.geometry.hits import from_hits, sparse
from hep_peaksum.library.geometries import named_grid, named_grids

TWO_BY_THREE = bare_grid((2, 3))
ONE_EVENT = [[[1, 2, 3], [4, 5, 6]]]
TOWERS = Grid(
    rows=Axis(name="eta", labels="-2..-1, 1..2", edges=(-1, -0.5, 0, 0.5, 1)),
    cols=Axis(name="phi", labels="1..4", bins=4, start=0, stop="2pi", periodic=True),
)


# --------------------------------------------------------------------------------------------------- axes


@pytest.mark.parametrize(
    ("axis", "size"),
    [
        pytest.param(Axis(n=5), 5, id="indices"),
        pytest.param(Axis(bins=72, start=0, stop="2pi"), 72, id="bins"),
        pytest.param(Axis(edges=(0, 1, 3)), 2, id="edges"),
        pytest.param(Axis(labels="-41..-30, -28..-1, 1..28, 30..41"), 80, id="labels"),
        pytest.param(Axis(labels="7"), 1, id="one_label"),
        pytest.param(Axis(labels="1..2", edges=(0, 1, 3)), 2, id="labels_and_edges"),
        pytest.param(Axis(labels="1..3", bins=3, start=0, stop=3), 3, id="labels_and_bins"),
    ],
)
def test_an_axis_has_as_many_cells_as_it_says(axis, size):
    assert axis.size == size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2pi", 2 * math.pi),
        ("-pi", -math.pi),
        ("+pi", math.pi),
        ("pi/2", math.pi / 2),
        ("-3*pi/4", -3 * math.pi / 4),
        (" 0.5 pi ", math.pi / 2),
    ],
)
def test_a_coordinate_may_be_written_with_pi(text, value):
    assert Axis(bins=2, start=text, stop=100).start == value


def test_bins_are_of_one_width_and_centres_lie_in_their_middle():
    axis = Axis(bins=4, start=-1, stop=1)

    assert axis.edge_positions.tolist() == [-1, -0.5, 0, 0.5, 1]
    assert axis.centres.tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_centres_of_uneven_cells():
    assert Axis(name="x", edges=(0, 1, 3)).centres.tolist() == [0.5, 2]


@pytest.mark.parametrize("axis", [Axis(n=3), Axis(labels="1..3")])
def test_indices_and_labels_alone_have_no_positions(axis):
    assert axis.edge_positions is None
    assert axis.centres is None


def test_an_azimuth_is_given_between_minus_pi_and_pi():
    quarters = Axis(name="phi", bins=4, start=0, stop="2pi", periodic=True)

    assert quarters.centres == pytest.approx(
        [math.pi / 4, 3 * math.pi / 4, -3 * math.pi / 4, -math.pi / 4], abs=1e-15
    )
    assert Axis(name="psi", bins=4, start=0, stop="2pi", periodic=True).centres[-1] > math.pi


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({}, "given by one of n, bins/start/stop, edges, labels.*none of them", id="nothing"),
        pytest.param({"n": 2, "edges": (0, 1, 2)}, "here: n, edges", id="two_ways"),
        pytest.param({"n": 2, "labels": "1..2"}, "here: n, labels", id="indices_and_labels"),
        pytest.param(
            {"bins": 2, "start": 0, "stop": 2, "edges": (0, 1, 2)}, "here: bins, edges", id="bins_and_edges"
        ),
        pytest.param({"bins": 2}, "give all three", id="bins_alone"),
        pytest.param({"bins": 2, "start": 0}, "give all three", id="no_stop"),
        pytest.param({"n": 2, "stop": 1}, "give all three", id="stop_alone"),
        pytest.param({"n": 0}, "greater than or equal to 1", id="no_cells"),
        pytest.param({"n": True}, "valid integer", id="true_is_no_1"),
        pytest.param({"n": 2.0}, "valid integer", id="float_n"),
        pytest.param({"bins": True, "start": 0, "stop": 1}, "valid integer", id="true_bins"),
        pytest.param({"bins": 2, "start": True, "stop": 4}, "start", id="true_is_no_start"),
        pytest.param({"edges": (True, 4)}, "edges", id="true_is_no_edge"),
        pytest.param({"n": 2, "periodic": 1}, "valid boolean", id="one_is_not_true"),
        pytest.param({"bins": 2, "start": 1, "stop": 1}, "start < stop", id="empty_range"),
        pytest.param({"bins": 2, "start": 1, "stop": 0}, "each larger than the one before", id="backwards"),
        pytest.param({"bins": 2, "start": 0, "stop": math.inf}, "finite", id="infinite_stop"),
        pytest.param({"bins": 2, "start": math.nan, "stop": 1}, "finite", id="nan_start"),
        pytest.param({"edges": (0, 2, 1)}, "each larger than the one before", id="unsorted_edges"),
        pytest.param({"edges": (0, math.inf)}, "finite", id="infinite_edge"),
        pytest.param({"edges": (0,)}, "two or more", id="one_edge"),
        pytest.param(
            {"labels": "1..3", "edges": (0, 1, 2)}, "3 labels and 2 cells.*equal", id="labels_and_edges"
        ),
        pytest.param({"labels": "3..1"}, "'3..1' runs backwards", id="labels_backwards"),
        pytest.param({"labels": "1..3, 2"}, "label 2 stands twice", id="label_twice"),
        pytest.param({"labels": "1-3"}, "'1-3' is not a label.*'-28..-1, 1..28'", id="range_with_a_dash"),
        pytest.param({"labels": ""}, "is not a label", id="no_labels"),
        pytest.param({"labels": [1, True]}, "'True' is not a label", id="true_label"),
        pytest.param({"labels": [1, 1.5]}, "'1.5' is not a label", id="float_label"),
        pytest.param({"bins": 2, "start": 0, "stop": "tau"}, "'tau' is not a coordinate.*'2pi'", id="tau"),
        pytest.param({"bins": 2, "start": "0", "stop": 1}, "'0' is not a coordinate", id="number_as_text"),
        pytest.param({"bins": 2, "start": 0, "stop": "pi/0"}, "'pi/0' is not a coordinate", id="pi_over_0"),
        pytest.param({"n": 2, "name": "2nd"}, "name", id="name"),
        pytest.param({"n": 2, "wrap": True}, "[Ee]xtra", id="unknown_word"),
        pytest.param(
            {"name": "phi", "bins": 2, "start": 0, "stop": 6, "periodic": True},
            "spans 2pi, this one 6",
            id="short_phi",
        ),
    ],
)
def test_a_wrong_axis_is_refused(given, message):
    with pytest.raises(ValidationError, match=f"(?s){message}"):
        Axis(**given)


def test_labels_may_be_a_list():
    assert Axis(labels=[3, 1, 2]) == Axis(labels="3, 1, 2")
    assert Axis(labels=[3, 1, 2]).label_values.tolist() == [3, 1, 2]


def test_hits_find_their_cell_by_label_in_the_order_in_which_labels_are_listed():
    assert Axis(labels="3, 1, 2").find(np.array([1, 2, 3, 0, 4, -1])).tolist() == [1, 2, 0, -1, -1, -1]


def test_the_labels_of_a_periodic_axis_are_not_folded():
    assert Axis(labels="1..4", periodic=True).find(np.array([0, 1, 4, 5])).tolist() == [-1, 0, 3, -1]


def test_hits_find_their_cell_by_label_even_where_positions_are_known():
    assert TOWERS.rows.find(np.array([-2, 0, 2])).tolist() == [0, -1, 3]


def test_hits_find_their_cell_by_index():
    assert Axis(n=3).find(np.array([0, 2, 3, -1])).tolist() == [0, 2, -1, -1]


def test_hits_find_their_cell_by_coordinate_an_edge_belonging_to_the_cell_above():
    axis = Axis(edges=(0, 1, 3))

    assert axis.find(np.array([0.0, 0.9, 1.0, 2.9, 3.0, -0.1])).tolist() == [0, 0, 1, 1, -1, -1]
    assert axis.find(np.array([np.nan, np.inf, -np.inf])).tolist() == [-1, -1, -1]


def test_a_periodic_axis_folds_coordinates():
    axis = Axis(bins=4, start=0, stop=4, periodic=True)

    assert axis.find(np.array([0.5, 4.5, -0.5, -3.5, 11.5])).tolist() == [0, 0, 3, 0, 3]


@pytest.mark.parametrize("start", ["-pi", 0])
@pytest.mark.parametrize("value", [-1e-17, -5e-324, -4e-16, 0.0, 1e-17])
def test_no_hit_falls_through_the_seam(start, value):
    axis = Axis(name="phi", bins=4, start=start, stop="2pi" if start == 0 else "pi", periodic=True)
    seam = axis.edge_positions[0]

    assert axis.find(np.array([seam + value]))[0] in (0, 3)


@given(value=st.floats(-3, 3, width=32) | st.sampled_from(np.linspace(-math.pi, math.pi, 73)[:-1].tolist()))
def test_folding_leaves_alone_what_lies_inside(value):
    ring, strip = (Axis(bins=72, start="-pi", stop="pi", periodic=closed) for closed in (True, False))

    assert ring.find(np.array([value])) == strip.find(np.array([value]))


# -------------------------------------------------------------------------------------------------- grids


def test_a_grid_has_rows_and_columns():
    assert TOWERS.shape == (4, 4)
    assert TOWERS.periodic == (False, True)
    assert TOWERS.axis("phi") == ("col", TOWERS.cols)
    assert TOWERS.axis("eta") == ("row", TOWERS.rows)
    assert TOWERS.axis("x") is None


def test_four_vectors_need_eta_and_phi_in_either_order():
    assert TOWERS.is_eta_phi
    assert Grid(rows=TOWERS.cols, cols=TOWERS.rows).is_eta_phi
    assert not TWO_BY_THREE.is_eta_phi
    assert not Grid(rows=Axis(name="x", n=2), cols=Axis(name="phi", n=2)).is_eta_phi


def test_a_bare_grid_takes_the_last_two_axes():
    assert bare_grid((7, 2, 3)) == Grid(rows=Axis(n=2), cols=Axis(n=3))


@pytest.mark.parametrize(("unit", "gev"), [("0.5 GeV", 0.5), ("1 MeV", 1e-3), (0.25, 0.25), (1, 1)])
def test_a_unit_is_a_number_of_gev_or_a_text(unit, gev):
    assert Grid(rows=Axis(n=1), cols=Axis(n=1), unit=unit).unit == gev


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"unit": 0}, "greater than 0", id="no_unit"),
        pytest.param({"unit": "-1 GeV"}, "greater than 0", id="negative_unit"),
        pytest.param({"unit": True}, "True is not a number", id="true_is_no_1"),
        pytest.param({"unit": math.inf}, "inf is not a finite number", id="infinite_unit"),
        pytest.param({"unit": "counts"}, "'counts' is not an energy", id="unit_that_is_no_energy"),
        pytest.param({"quantity": "pt"}, "'energy' or 'et'", id="quantity"),
        pytest.param(
            {"rows": Axis(n=1, name="x"), "cols": Axis(n=1, name="x")}, "both named 'x'", id="one_name"
        ),
        pytest.param({"layers": 3}, "[Ee]xtra", id="unknown_word"),
    ],
)
def test_a_wrong_grid_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        Grid(**{"rows": Axis(n=1), "cols": Axis(n=1), **given})


def test_grids_and_axes_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        TOWERS.unit = 2
    with pytest.raises(ValidationError, match="frozen"):
        TOWERS.rows.name = "x"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Axis(n=3, periodic=True), id="indices"),
        pytest.param(lambda: Axis(bins=4, start=0, stop="2pi"), id="bins"),
        pytest.param(lambda: Axis(edges=(0, 1, 3), name="x", unit="mm"), id="edges"),
        pytest.param(lambda: Axis(labels="1..3"), id="labels"),
        pytest.param(lambda: named_grid("cms-l1-towers"), id="geometry"),
    ],
)
def test_equal_planes_are_equal_one_key_and_the_same_after_yaml(make):
    one, same = make(), make()
    text = yaml.safe_dump(one.model_dump(mode="json", exclude_defaults=True))

    assert hash(one) == hash(same)
    assert one == same
    assert {one: "answer"}[same] == "answer"
    assert type(one)(**yaml.safe_load(text)) == one


def test_axes_that_were_used_are_still_equal():
    used, fresh = Axis(labels="1..3"), Axis(labels="1..3")
    used.find(np.array([1]))

    assert used == fresh


# --------------------------------------------------------------------------------------------- geometries


def test_the_towers_of_the_cms_trigger():
    towers = named_grid("cms-l1-towers")

    assert towers.shape == (80, 72)
    assert towers.periodic == (False, True)
    assert towers.is_eta_phi
    assert (towers.quantity, towers.unit) == ("et", 0.5)
    assert towers.rows.find(np.array([-41, -30, -29, -28, -1, 0, 1, 28, 29, 30, 41])).tolist() == [
        0, 11, -1, 12, 39, -1, 40, 67, -1, 68, 79,
    ]  # fmt: skip
    assert np.allclose(towers.rows.centres, -towers.rows.centres[::-1])
    assert towers.cols.find(np.array([1, 72, 73])).tolist() == [0, 71, -1]


def test_a_geometry_that_is_not_there_is_answered_with_those_that_are():
    assert "cms-l1-towers" in named_grids()
    with pytest.raises(ValueError, match=r"no geometry is called 'atlas'.*cms-l1-towers"):
        named_grid("atlas")


# -------------------------------------------------------------------------------------------------- dense


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.array(ONE_EVENT), id="numpy"),
        pytest.param(ONE_EVENT, id="lists"),
        pytest.param(np.array(ONE_EVENT).reshape(1, 6), id="flat"),
        pytest.param(ak.Array(np.array(ONE_EVENT)), id="awkward_regular"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, 6]]), id="jagged_of_one_length"),
        pytest.param(ak.Array(ONE_EVENT), id="vector_of_vectors"),
        pytest.param(ak.Array([[], ONE_EVENT[0]])[1:], id="slice_of_a_jagged_array"),
    ],
)
def test_cells_that_are_stored_one_by_one_keep_their_places(array):
    cells = from_dense(array, TWO_BY_THREE)

    assert cells.tolist() == ONE_EVENT
    assert cells.flags.c_contiguous


@pytest.mark.parametrize("flat", [False, True])
def test_columns_first_is_turned(flat):
    column_first = np.array([[[1, 4], [2, 5], [3, 6]]])
    array = column_first.reshape(1, 6) if flat else column_first

    assert from_dense(array, TWO_BY_THREE, axes=("col", "row")).tolist() == ONE_EVENT


LAYERED = np.arange(24).reshape(1, 4, 2, 3)


@pytest.mark.parametrize(
    ("array", "axes", "shape"),
    [
        pytest.param(LAYERED, ("layer", "row", "col"), None, id="layers_as_stored"),
        pytest.param(LAYERED.reshape(1, 24), ("layer", "row", "col"), (4, 2, 3), id="flat_with_shape"),
        pytest.param(LAYERED.reshape(1, 24), ("layer", "row", "col"), None, id="flat_layers_counted"),
        pytest.param(ak.Array(LAYERED.reshape(1, 24).tolist()), ("layer", "row", "col"), None, id="jagged"),
        pytest.param(ak.Array(LAYERED.tolist()), ("layer", "row", "col"), None, id="vectors"),
        pytest.param(LAYERED.transpose(0, 2, 3, 1), ("row", "col", "layer"), None, id="layers_last"),
        pytest.param(
            LAYERED.transpose(0, 2, 3, 1).reshape(1, 24), ("row", "col", "layer"), None, id="flat_layers_last"
        ),
        pytest.param(
            LAYERED.transpose(0, 3, 1, 2).reshape(1, 24),
            ("col", "layer", "row"),
            (3, 4, 2),
            id="layers_between",
        ),
    ],
)
def test_layers_come_first(array, axes, shape):
    assert from_dense(array, TWO_BY_THREE, axes=axes, shape=shape).tolist() == LAYERED.tolist()


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "<f4", "bool", "uint16"])
def test_cells_keep_their_type_in_the_byte_order_of_the_machine(dtype):
    cells = from_dense(np.array(ONE_EVENT, dtype), TWO_BY_THREE)

    assert cells.dtype == np.dtype(dtype).newbyteorder("=")
    assert cells.dtype.isnative
    assert np.array_equal(cells, np.array(ONE_EVENT, dtype))


@pytest.mark.parametrize(
    ("array", "event", "message"),
    [
        pytest.param(
            ak.Array([*ONE_EVENT, [[1, 2, 3], [4, 5]], [[1]]]), 1, "2 values.*needs 3", id="short_row"
        ),
        pytest.param(ak.Array([*ONE_EVENT, [[1, 2, 3]]]), 1, "1 values.*needs 2", id="row_missing"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, 6], [], [1]]), 1, "0 values.*needs 6", id="empty_event"),
        pytest.param(ak.Array([[0] * 6, [0] * 6, [0] * 7]), 2, "7 values.*needs 6", id="one_too_many"),
        pytest.param([*ONE_EVENT, [[1, 2, 3], [4, 5]]], 1, "2 values.*needs 3", id="short_row_of_a_list"),
    ],
)  # fmt: skip
def test_the_first_event_without_all_its_cells_is_named(array, event, message):
    with pytest.raises(EventError, match=f"event {event}: {message}") as error:
        from_dense(array, TWO_BY_THREE)
    assert error.value.event == event


LAYERS_FIRST = {"axes": ("layer", "row", "col")}


@pytest.mark.parametrize(
    ("array", "how", "message"),
    [
        pytest.param(np.zeros((1, 3, 2)), {}, r"\(3, 2\) cells an event.*\(2, 3\)", id="turned"),
        pytest.param(np.zeros((1, 5)), {}, r"\(5,\) cells an event", id="flat_too_short"),
        pytest.param(np.zeros(6), {}, "cells an event", id="an_event_alone"),
        pytest.param(np.zeros((1, 4, 2, 3)), {}, r"\(4, 2, 3\) cells an event", id="layers_unannounced"),
        pytest.param(np.zeros((1, 4, 5, 7)), LAYERS_FIRST, r"\(4, 5, 7\) cells", id="layers_of_another_grid"),
        pytest.param(np.zeros((1, 2, 3)), LAYERS_FIRST, "cells an event", id="no_layers"),
        pytest.param(np.zeros((1, 13)), LAYERS_FIRST, r"\(13,\) cells", id="flat_layers_broken"),
        pytest.param(
            np.zeros((1, 23)), {**LAYERS_FIRST, "shape": (4, 2, 3)}, r"\(23,\) cells", id="flat_layers_short"
        ),
        pytest.param(np.zeros((1, 6)), {"axes": ("row",)}, "axes are row and col.*not", id="one_axis"),
        pytest.param(np.zeros((1, 6)), {"axes": ("row", "row")}, "axes are row and col", id="axis_twice"),
        pytest.param(np.zeros((1, 6)), {"shape": (3, 2)}, r"shape \[3, 2\] does not fit", id="turned_shape"),
        pytest.param(np.zeros((1, 6)), {"shape": (6,)}, r"shape \[6\] does not fit", id="shape_too_short"),
        pytest.param(ak.Array([[[[1]]]]), {}, r"3 axes below the event, expected 1 .* or 2", id="too_deep"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, None]]), {}, "None|missing", id="missing_cell"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(array, how, message):
    with pytest.raises(ValueError, match=message):
        from_dense(array, TWO_BY_THREE, **how)


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.zeros((0, 2, 3)), id="numpy"),
        pytest.param(np.zeros((0, 6)), id="flat"),
        pytest.param(ak.Array(np.zeros((0, 2, 3))), id="awkward_regular"),
        pytest.param(ak.Array([[1, 2, 3, 4, 5, 6]])[:0], id="jagged"),
        pytest.param(ak.Array(ONE_EVENT)[:0], id="vector_of_vectors"),
    ],
)
def test_no_events_are_no_grids(array):
    assert from_dense(array, TWO_BY_THREE).shape == (0, 2, 3)


def test_an_array_that_does_not_fit_at_all_is_not_blamed_on_an_event():
    with pytest.raises(ValueError, match="cells an event") as error:
        from_dense(np.zeros((2, 5)), TWO_BY_THREE)
    assert not isinstance(error.value, EventError)


# --------------------------------------------------------------------------------------------------- hits


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


def test_no_events_of_hits_are_no_grids():
    none = ak.Array([[0]])[:0]

    assert from_hits(none, none, none, TWO_BY_THREE).shape == (0, 2, 3)


@pytest.mark.parametrize("word", ["row", "col"])
def test_the_first_event_whose_columns_differ_in_length_is_named(word):
    columns = {name: ak.Array([[0], [0, 0], [0]]) for name in ("row", "col", "energy")}
    columns[word] = ak.Array([[0], [0], [0, 0]])

    with pytest.raises(EventError, match=f"event 1: 1 values of {word} for 2 hits") as error:
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
