"""An axis: how many cells it has, where they are, and where hits find their cell."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid

TOWERS = Grid(
    rows=Axis(name="eta", labels="-2..-1, 1..2", edges=(-1, -0.5, 0, 0.5, 1)),
    cols=Axis(name="phi", labels="1..4", bins=4, start=0, stop="2pi", periodic=True),
)


@pytest.mark.parametrize(
    ("axis", "size"),
    [
        pytest.param(Axis(n=5), 5, id="indices"),
        pytest.param(Axis(bins=72, start=0, stop="2pi"), 72, id="bins"),
        pytest.param(Axis(edges=(0, 1, 3)), 2, id="edges"),
        pytest.param(Axis(labels="-41..-30, -28..-1, 1..28, 30..41"), 80, id="labels"),
        pytest.param(Axis(labels="0..9 step 2, 9..1 step 4"), 8, id="labels_in_steps"),
        pytest.param(Axis(labels="7"), 1, id="one_label"),
        pytest.param(Axis(labels="7..7, 9"), 2, id="a_range_of_one_label"),
        pytest.param(Axis(labels="1..2", edges=(0, 1, 3)), 2, id="labels_and_edges"),
        pytest.param(Axis(labels="1..3", bins=3, start=0, stop=3), 3, id="labels_and_bins"),
    ],
)
def test_an_axis_has_as_many_cells_as_it_says(axis, size):
    assert axis.size == size


def test_labels_in_steps_rise_or_fall_by_them():
    assert Axis(labels="0..7 step 3, 9..1 step 4").label_values.tolist() == [0, 3, 6, 9, 5, 1]


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


@pytest.mark.parametrize(
    ("axis", "words", "found_by"),
    [
        (Axis(n=4), ("", 4, "0", "3", "no", ""), "index (0 to 3)"),
        (TOWERS.rows, ("eta", 4, "-1", "1", "no", "-2..-1, 1..2"), "label (-2..-1, 1..2)"),
        (TOWERS.cols, ("phi", 4, "0", "6.283", "yes", "1..4"), "label (1..4)"),
        (
            Axis(name="x", edges=(-2, 0, 3), unit="mm"),
            ("x", 2, "-2 mm", "3 mm", "no", ""),
            "coordinate (-2 mm to 3 mm)",
        ),
    ],
    ids=["indices", "labels", "periodic", "unit"],
)
def test_an_axis_in_words(axis, words, found_by):
    assert (axis.in_words(), axis.found_by) == (words, found_by)


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


@pytest.mark.parametrize("unit", ["deg", "degree"])
def test_an_azimuth_in_degrees_is_given_in_radian(unit):
    quarters = Axis(name="phi", bins=4, start=0, stop=360, periodic=True, unit=unit)

    assert quarters.centres == pytest.approx(np.radians([45, 135, -135, -45]), abs=1e-15)
    assert quarters.edge_positions.tolist() == [0, 90, 180, 270, 360]
    assert quarters.find(np.array([0.0, 89.9, 359.0, -1.0, 361.0])).tolist() == [0, 0, 3, 3, 0]
    assert quarters.coarsened(2).centres == pytest.approx(np.radians([90, -90]))
    # on another axis the unit is a word
    assert Axis(name="theta", bins=2, start=0, stop=90, unit="deg").centres.tolist() == [22.5, 67.5]


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
        pytest.param({"n": 0}, "is below 1, the smallest value allowed", id="no_cells"),
        pytest.param({"n": True}, "is not a whole number", id="true_is_no_1"),
        pytest.param({"n": 2.0}, "is not a whole number", id="float_n"),
        pytest.param({"bins": True, "start": 0, "stop": 1}, "is not a whole number", id="true_bins"),
        pytest.param({"bins": 2, "start": True, "stop": 4}, "start", id="true_is_no_start"),
        pytest.param({"edges": (True, 4)}, "edges", id="true_is_no_edge"),
        pytest.param({"n": 2, "periodic": 1}, "is not true or false", id="one_is_not_true"),
        pytest.param({"bins": 2, "start": 1, "stop": 1}, "is not below stop", id="empty_range"),
        pytest.param({"bins": 2, "start": 1, "stop": 0}, "start 1 is not below stop 0", id="backwards"),
        pytest.param({"bins": 2, "start": 0, "stop": math.inf}, "finite", id="infinite_stop"),
        pytest.param({"bins": 2, "start": math.nan, "stop": 1}, "finite", id="nan_start"),
        pytest.param({"edges": (0, 2, 1)}, "each larger than the one before", id="unsorted_edges"),
        pytest.param({"edges": (0, math.inf)}, "finite", id="infinite_edge"),
        pytest.param({"edges": (0,)}, "two or more", id="one_edge"),
        pytest.param(
            {"labels": "1..3", "edges": (0, 1, 2)},
            "3 labels and 2 cells between 3 edges: needs 4 edges",
            id="labels_and_edges",
        ),
        pytest.param({"labels": "1..3, 2"}, "label 2 occurs twice", id="label_twice"),
        pytest.param({"labels": "1-3"}, "'1-3' is not a label.*'-28..-1, 1..28'", id="range_with_a_dash"),
        pytest.param({"labels": ""}, "is not a label", id="no_labels"),
        pytest.param({"labels": [1, True]}, "'True' is not a label", id="true_label"),
        pytest.param({"labels": [1, 1.5]}, "'1.5' is not a label", id="float_label"),
        pytest.param({"bins": 2, "start": 0, "stop": "tau"}, "'tau' is not a coordinate.*'2pi'", id="tau"),
        pytest.param({"bins": 2, "start": "0", "stop": 1}, "'0' is not a coordinate", id="number_as_text"),
        pytest.param({"bins": 2, "start": 0, "stop": "pi/0"}, "'pi/0' is not a coordinate", id="pi_over_0"),
        pytest.param({"n": 2, "name": "2nd"}, "name", id="name"),
        pytest.param(
            {"n": 2, "colour": True}, "Axis has no 'colour'; there are name, n, bins", id="unknown_word"
        ),
        pytest.param(
            {"name": "phi", "bins": 2, "start": 0, "stop": 6, "periodic": True},
            "spans 2pi, this one 6",
            id="short_phi",
        ),
        pytest.param(
            {"name": "phi", "bins": 72, "start": 0, "stop": 360, "periodic": True},
            "spans at most 2pi, this one 360: give unit: deg",
            id="periodic_phi_in_degrees_without_unit",
        ),
        pytest.param(
            {"name": "phi", "edges": (-10, -5, 0)},
            "spans at most 2pi, this one 10: give unit: deg",
            id="long_phi",
        ),
        pytest.param(
            {"name": "phi", "bins": 2, "start": 0, "stop": 7, "unit": "rad"},
            r"spans at most 2pi, this one 7: change",
            id="long_phi_in_radian",
        ),
        pytest.param(
            {"name": "phi", "bins": 2, "start": 0, "stop": 400, "unit": "deg"},
            "spans at most 360 deg, this one 400: change",
            id="long_phi_in_degrees",
        ),
        pytest.param(
            {"name": "phi", "bins": 2, "start": 0, "stop": "2pi", "unit": "deg", "periodic": True},
            "spans 360 deg, this one 6.28319",
            id="short_phi_in_degrees",
        ),
        pytest.param(
            {"name": "phi", "bins": 2, "start": 0, "stop": 1, "unit": "mm"},
            "unit of a phi axis is 'mm', expected rad or deg",
            id="phi_in_mm",
        ),
    ],
)
def test_a_wrong_axis_is_refused(given, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        Axis(**given)


def test_labels_may_be_a_list():
    assert Axis(labels=[3, 1, 2]) == Axis(labels="3, 1, 2")
    assert Axis(labels=[3, 1, 2]).label_values.tolist() == [3, 1, 2]


def test_labels_name_cells_in_the_order_in_which_they_are_listed():
    assert Axis(labels="3, 1, 2").find(np.array([1, 2, 3, 0, 4, -1])).tolist() == [1, 2, 0, -1, -1, -1]


def test_a_range_of_labels_may_fall():
    assert Axis(labels="3..1, 7, -1..-2").label_values.tolist() == [3, 2, 1, 7, -1, -2]


def test_the_labels_of_a_periodic_axis_are_not_folded():
    assert Axis(labels="1..4", periodic=True).find(np.array([0, 1, 4, 5])).tolist() == [-1, 0, 3, -1]


def test_hits_find_their_cell_by_label_even_where_positions_are_known():
    assert TOWERS.rows.find(np.array([-2, 0, 2])).tolist() == [0, -1, 3]


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "uint64", "int64"])
def test_labels_of_every_integer_type_are_found(dtype):
    labels = Axis(labels="-1..1, 3..5")
    assert labels.find(np.array([0, 1, 2, 5, 6, 200], dtype)).tolist() == [1, 2, -1, 5, -1, -1]


def test_a_number_beyond_int64_is_no_label():
    """As int64, 2^64 - 1 would be -1 and 2^63 the least of all; both are larger than any label."""
    beyond = np.array([2**64 - 1, 2**63, 2**63 - 1, 1], np.uint64)
    for axis in (Axis(labels="-1..1"), Axis(labels="-1, 1, 700000"), Axis(n=3)):
        assert axis.find(beyond).tolist() == [-1, -1, -1, 1 if axis.n or "7" in axis.labels else 2]


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_labels_that_float64_cannot_tell_apart_are_told_apart(dtype):
    axis = Axis(labels="9007199254740992..9007199254740995")
    assert axis.find(np.arange(2**53 - 1, 2**53 + 5).astype(dtype)).tolist() == [-1, 0, 1, 2, 3, -1]


@pytest.mark.parametrize("values", [[], [1], [6], [2, 5], [2, 6], [1, 5], [-7, 3], [5, 9], [-7, 9]], ids=str)
@pytest.mark.parametrize("labels", ["2..5", "5..2", "2, 3, 5"])
def test_a_number_beside_the_labels_is_none(labels, values):
    axis = Axis(labels=labels)
    cells = {label: cell for cell, label in enumerate(axis.label_values.tolist())}
    assert axis.find(np.array(values, np.int8)).tolist() == [cells.get(value, -1) for value in values]


def test_hits_find_their_cell_by_index():
    assert Axis(n=3).find(np.array([0, 2, 3, -1])).tolist() == [0, 2, -1, -1]


def test_a_coordinate_on_an_edge_belongs_to_the_cell_above():
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
def test_folding_does_not_move_values_inside_the_axis(value):
    ring, strip = (Axis(bins=72, start="-pi", stop="pi", periodic=closed) for closed in (True, False))

    assert ring.find(np.array([value])) == strip.find(np.array([value]))


def test_the_last_tower_of_an_axis_may_be_smaller():
    towers = Axis(bins=5, start=0, stop=5).coarsened(2, allow_partial_towers=True)
    assert towers.edge_positions.tolist() == [0, 2, 4, 5]
