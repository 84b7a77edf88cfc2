"""Planes whose cells integers number: what stands for rows and columns, and what is said about it."""

import numpy as np

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
