"""Planes whose cells integers number: what stands for rows and columns, and what is said about it."""

import math

import numpy as np
import pytest

from hep_peaksum.lattices.joined_labels import BASE
from hep_peaksum.lattices.numbered import numbered_plane
from hep_peaksum.lattices.numbering import Integers

# Every cell of 6 rows and 5 columns five times; rows are 2 wide, and columns 3.
ROW, COL, TIME = (each.ravel() for each in np.indices((6, 5, 5)))


def plane_of(y, x, ids, **numbers):
    """Return the plane that is found from positions and integers."""
    integers = [Integers(name, f"hit_{name}", np.asarray(values)) for name, values in numbers.items()]
    coordinates = {"y": np.asarray(y, float), "x": np.asarray(x, float)}
    layer = np.zeros(len(ids), np.int64)
    return numbered_plane(coordinates, integers, layer, np.asarray(ids), is_flat=True, length="mm")


def rows_of(is_signed=False, coordinates=None, **numbers):
    """Return the plane of 6 rows that are numbered so along eta, beside columns in phi, or None."""
    integers = [Integers(name, name, np.asarray(values), is_signed) for name, values in numbers.items()]
    integers += [Integers("c", "hit_c", COL)]
    coordinates = {"phi": 0.1 * COL, **(coordinates or {"eta": 2.0 * ROW})}
    layer, ids = np.zeros(len(ROW), np.int64), 100 * ROW + COL
    found = numbered_plane(coordinates, integers, layer, ids, is_flat=False, length="mm")
    return None if found is None else (found.row, found.rows.section, found.rows.comment)


def comments(plane):
    return [text for _, text in plane.comments]


def test_rows_and_columns_are_the_integers_that_rise_or_fall_along_y_and_x():
    found = plane_of(2 * ROW, 3 * COL, 10 * ROW + COL, a=COL[::-1], b=ROW + 7)
    assert (found.row, found.col, found.words, found.modules) == ("hit_b", "hit_a", "x-y", ())
    along_y = {"name": "y", "bins": 6, "start": -1, "stop": 11, "unit": "mm", "labels": "7..12"}
    along_x = {"name": "x", "bins": 5, "start": -1.5, "stop": 13.5, "unit": "mm", "labels": "4..0"}
    assert (found.rows.section, found.cols.section) == (along_y, along_x)
    assert comments(found) == ["each of the 30 ids in 150 hits has a cell of its own"]
    assert found.is_whole
    assert not found.rows.is_guess


def test_rows_without_a_hit_are_kept():
    row, col = ROW[ROW != 3], COL[ROW != 3]
    found = plane_of(2 * row, 3 * col, 10 * row + col, a=col, b=row)
    assert found.rows.section["labels"] == "0..5"
    assert "y: 1 of 6 without a hit in the entries read, kept as cells" in found.rows.comment
    assert "without a hit" not in found.cols.comment


def test_what_tells_ids_apart_but_no_cells_is_named():
    ids = 10 * ROW + COL + 1000 * (TIME % 2)
    found = plane_of(2 * ROW, 3 * COL, ids, a=COL, b=ROW, side=TIME % 2)
    assert not found.is_whole
    (text,) = comments(found)
    assert text.startswith("hits that differ in side alone are one cell, guessed: 60 ids are 30 cells\n")


def test_what_differs_between_hits_of_a_cell_is_not_named():
    found = plane_of(2 * ROW, 3 * COL, 10 * ROW + COL, a=COL, b=ROW, time=TIME)
    assert comments(found) == ["each of the 30 ids in 150 hits has a cell of its own"]


def test_modules_that_are_out_of_line_are_named():
    """One begins in the middle of the other, to the left of it."""
    module = np.repeat([0, 1], len(ROW))
    row, col = np.tile(ROW, 2), np.tile(COL, 2)
    ids = 100 * module + 10 * row + col
    found = plane_of(2 * row + 30 * module, 3 * col + 7 * module, ids, a=col, b=row, m=module)
    assert (found.row, found.col) == ("hit_b", "hit_a")
    assert [each.name for each in found.modules] == ["m"]
    assert "no window crosses from one m to another, which is part of the layer" in comments(found)


def test_few_steps_that_few_hits_show_are_a_guess():
    """Of 24 cells with a hit each there are four for a row, where five are enough, and six for a column."""
    row, col = (each.ravel() for each in np.indices((6, 4)))
    found = plane_of(2 * row, 3 * col, 10 * row + col, a=col, b=row)
    assert (found.rows.is_guess, found.cols.is_guess) == (True, False)
    guessed = ", guessed: so few may be in order by chance"
    assert [axis.comment.endswith(guessed) for axis in (found.rows, found.cols)] == [True, False]


def test_places_that_no_integers_number_are_no_such_plane():
    random = np.random.default_rng(1)
    assert plane_of(2 * ROW, 3 * COL, 10 * ROW + COL, a=random.permutation(COL), b=ROW) is None


def test_a_turn_of_which_all_numbers_occur_is_sure():
    """Although hits at the centres of 32 cells would fit into 33, too."""
    row, col = (each.ravel() for each in np.indices((4, 32, 5))[:2])
    for n_seen, told in ((32, "phi: 32 numbers of b close a turn"), (31, ", guessed: not all of them occur")):
        some = col < n_seen
        integers = [Integers(name, name, values[some]) for name, values in (("a", row), ("b", col + 4))]
        places = {"rho": 50.0 + 2 * row[some], "phi": (col[some] + 0.5) * 2 * np.pi / 32}
        ids, layer = (100 * row + col)[some], np.zeros(np.count_nonzero(some), np.int64)
        found = numbered_plane(places, integers, layer, ids, is_flat=True, length="mm")
        assert found.cols.comment.endswith(told)
        assert found.cols.is_guess == (n_seen < 32)


@pytest.mark.parametrize("n_empty", [0, 4])
def test_two_halves_close_a_turn_unless_a_part_of_it_is_empty(n_empty):
    """Of 6 rows of 16 cells around the beam; two sectors that leave out a part may be two of several."""
    row, col = (each.ravel() for each in np.indices((6, 16)))
    row, col = row[col < 16 - n_empty], col[col < 16 - n_empty]
    phi = (col + 0.5) * math.tau / 16
    integers = [Integers("r", "r", row), Integers("half", "half", col // 8), Integers("n", "n", col % 8)]
    layer = np.zeros(len(row), np.int64)
    found = numbered_plane(
        {"eta": row / 2, "phi": phi}, integers, layer, 100 * row + col, is_flat=False, length="mm"
    )
    assert found.col == {"join": ["half", "n"]}
    assert found.cols.section.get("periodic", False) == (n_empty == 0)
    assert ("phi: 2 numbers of half close a turn" in found.cols.comment) == (n_empty == 0)
    if n_empty == 0:
        assert (found.cols.n_labels, found.cols.section["bins"]) == (16, 16)


@pytest.mark.parametrize(
    ("numbers", "dead", "first_row", "labels", "is_sure"),
    [
        pytest.param(range(12), (), 1, "0..11", True, id="all_occur"),
        pytest.param(range(12), (11,), 1, "0..11", True, id="the_last_does_not_occur"),
        pytest.param(range(11, -1, -1), (0,), 1, "11..0", True, id="falling"),
        pytest.param(range(1, 13), (0,), 1, "1..12", True, id="from_1_with_the_highest_there_is"),
        pytest.param(range(1, 13), (11,), 1, "1..12", False, id="from_1_or_0"),
        pytest.param(range(12), (0,), 0, "0..11", False, id="from_0_as_rows_are"),
        pytest.param(range(-6, 6), (11,), 1, "-6..5", True, id="signed"),
        pytest.param(range(-6, 6), (0,), 1, "-6..5", False, id="signed_without_the_lowest"),
        pytest.param(range(0, 24, 2), (5,), 1, "0..22 step 2", True, id="in_steps"),
        pytest.param(range(20, 32), (), 1, "20..31", True, id="far_from_0"),
        pytest.param(range(20, 32), (11,), 1, "20..31", False, id="far_from_0_and_one_does_not_occur"),
    ],
)
def test_columns_of_which_a_whole_number_fills_the_turn_close_it(numbers, dead, first_row, labels, is_sure):
    """Of 12 columns from 0.25 rad on; hits lie in nine tenths of each, so that 11 or 13 would not hold them."""
    row, col, side = (each.ravel() for each in np.indices((6, 12, 2)))
    row, col, side = (each[~np.isin(col, dead)] for each in (row, col, side))
    phi = 0.25 + (col + 0.5 + 0.45 * (2 * side - 1)) * math.tau / 12
    number = np.array(numbers)[col]
    integers = [
        Integers("r", "hit_r", row + first_row),
        Integers("n", "hit_n", number, is_signed=min(numbers) < 0),
    ]
    places = {"eta": row / 2, "phi": np.mod(phi + np.pi, math.tau) - np.pi}
    layer = np.zeros(len(row), np.int64)
    found = numbered_plane(places, integers, layer, 100 * row + col, is_flat=False, length="mm")
    assert (found.row, found.col, found.words) == ("hit_r", "hit_n", "eta-phi")
    turn = {"start": 0.25, "stop": round(0.25 + math.tau, 9), "periodic": True}
    assert found.cols.section == {"name": "phi", "bins": 12, **turn, "labels": labels}
    assert found.cols.is_guess == (not is_sure)
    assert "phi: 12 numbers of n close a turn" in found.cols.comment
    assert (", guessed: not all of them occur" in found.cols.comment) == (not is_sure)
    assert "periodic" not in found.rows.section


def test_columns_of_which_no_whole_number_fills_the_turn_do_not_close_it():
    """Of 24 columns, each a 40.5th of a turn wide: more than half a turn, wherever the first hit is."""
    row, col, side = (each.ravel() for each in np.indices((6, 24, 2)))
    phi = 0.25 + (col + 0.5 + 0.49 * (2 * side - 1)) * 0.155
    integers = [Integers("r", "hit_r", row), Integers("n", "hit_n", col)]
    places, layer = {"eta": row / 2, "phi": phi}, np.zeros(len(row), np.int64)
    found = numbered_plane(places, integers, layer, 100 * row + col, is_flat=False, length="mm")
    assert found.cols.section == {"name": "phi", "bins": 24, "start": 0.25, "stop": 3.97, "labels": "0..23"}
    assert not found.cols.is_guess


@pytest.mark.parametrize(
    ("numbers", "is_signed", "labels", "first"),
    [
        pytest.param(ROW - 4, True, "-4..4", -1.0, id="signed"),
        pytest.param(ROW - 4, False, "-4..1", -1.0, id="not_signed"),
        pytest.param(ROW + 1, True, "1..6", -1.0, id="signed_on_one_side"),
        pytest.param(1 - ROW, True, "4..-4", -7.0, id="signed_falling"),
        pytest.param(2 * ROW - 4, True, "-4..6 step 2", -1.0, id="in_steps"),
        pytest.param(9 * ROW, False, "0..45 step 9", -1.0, id="in_wide_steps"),
    ],
)
def test_signed_numbers_reach_as_far_to_either_side(numbers, is_signed, labels, first):
    row, section, told = rows_of(n=numbers, is_signed=is_signed)
    n = 9 if labels in ("-4..4", "4..-4") else 6
    positions = {"bins": n, "start": first, "stop": first + 2 * n}
    assert (row, section) == ("n", {"name": "eta", **positions, "labels": labels})
    step = labels.partition(" step ")[2]
    assert f"eta: every number of n is in steps of {step}" in told if step else "steps" not in told
    assert (f"{n - 6} of 9 without a hit" in told) == (n == 9)


@pytest.mark.parametrize("numbers", [ROW, 5 - ROW], ids=["rising", "falling"])
def test_rows_of_unequal_width_have_labels_alone_which_rise(numbers):
    _, section, told = rows_of(coordinates={"eta": ROW**2.0}, n=numbers)
    assert section == {"labels": "0..5"}
    assert told.startswith("eta: cells by n, in the order of eta in every one of 150 hits")


def test_numbers_of_two_that_are_rows_together_are_joined():
    """Four cells of the module 7, and two of the module 8; the others do not occur."""
    row, section, told = rows_of(module=7 + ROW // 4, cell=ROW % 4)
    assert row == {"join": ["module", "cell"]}
    positions = {"bins": 8, "start": -1.0, "stop": 15.0}
    assert section == {
        "name": "eta",
        **positions,
        "labels": f"{7 * BASE}..{7 * BASE + 3}, {8 * BASE}..{8 * BASE + 3}",
    }
    assert told.startswith("eta: cells by module and cell, ")
    assert "2 of 8 without a hit" in told


@pytest.mark.parametrize("numbers", [ROW, 5 - ROW], ids=["rising", "falling"])
def test_rows_are_along_what_they_are_equally_wide_in(numbers):
    """In theta, which falls where eta rises; or in eta, of which theta would do, too, being nearly even."""
    theta = 1.4 - 0.1 * ROW
    _, section, _ = rows_of(coordinates={"eta": -np.log(np.tan(theta / 2)), "theta": theta}, n=numbers)
    labels = "5..0" if numbers[0] == numbers.min() else "0..5"
    assert section == {"name": "theta", "bins": 6, "start": 0.85, "stop": 1.45, "labels": labels}
    eta = 0.1 * ROW
    _, section, _ = rows_of(coordinates={"eta": eta, "theta": 2 * np.arctan(np.exp(-eta))}, n=numbers)
    labels = "0..5" if numbers[0] == numbers.min() else "5..0"
    assert section == {"name": "eta", "bins": 6, "start": -0.05, "stop": 0.55, "labels": labels}


@pytest.mark.parametrize(("last", "is_found"), [(9_999, True), (10_000, False)])
def test_an_axis_has_no_more_than_10000_labels(last, is_found):
    assert (rows_of(n=np.array([0, 1, 2, 3, 4, last])[ROW]) is not None) == is_found
