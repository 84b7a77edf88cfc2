"""Branches of one cell each, by the numbers and letters in their names."""

import numpy as np
import pytest

from hep_peaksum.inspection.series import _chessboards, _ranges
from hep_peaksum.naming.branches import Branch


def boards(*names):
    """Return the names, the first and the last branch, and the sizes of every chessboard of these branches."""
    branches = [Branch(name, "", name.lower(), (), np.dtype("f4")) for name in names]
    return [(*of, board[0].name, board[-1].name, sizes) for of, board, sizes in _chessboards(branches)]


def squares(prefix, letters, numbers):
    return [f"{prefix}{letter}{number}" for letter in letters for number in numbers]


NONE = {
    "one letter": squares("", "A", "123"),
    "a letter is left out": squares("", "AC", "12"),
    "letters from B on": squares("", "BC", "12"),
    "rows of different lengths": [*squares("", "A", "12"), *squares("", "B", "123")],
    "a number is left out": squares("", "AB", "124"),
    "numbers from 2 on": squares("", "AB", "23"),
    "letters that end a word": squares("cha", "ab", "12"),
}


@pytest.mark.parametrize("names", NONE.values(), ids=NONE)
def test_cells_of_a_chessboard_have_all_its_letters_and_numbers(names):
    """A board that is one comes behind what is none."""
    assert boards(*names) == []
    after = boards(*names, *squares("cell_", "AB", "123"))
    assert after == [("cell_A{1..3}", "cell_B{1..3}", "cell_A1", "cell_B3", (2, 3))]


@pytest.mark.parametrize(
    ("names", "board"),
    [
        (squares("", "ba", "10"), ("a{0..1}", "b{0..1}", "a0", "b1", (2, 2))),
        (squares("adcE", "AB", "12"), None),
        (
            squares("cell", "CBA", "12"),
            ("cellA{1..2}", "cellB{1..2}", "cellC{1..2}", "cellA1", "cellC2", (3, 2)),
        ),
        (
            [*squares("", "AB", [*range(12, 0, -1)]), "A1x"],
            ("A{1..12}", "B{1..12}", "A1", "B12", (2, 12)),
        ),
    ],
    ids=["from a and 0", "a capital before the letter", "behind a small letter", "more than nine"],
)
def test_squares_are_in_the_order_of_letters_and_numbers(names, board):
    assert boards(*names) == ([] if board is None else [board])


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [
        ("0 1 2", [("0", "2")]),
        ("3 1 2", [("1", "3")]),
        ("2 3", None),
        ("1 3", None),
        ("1", None),
        ("08 09 10", None),
        ("01 02 03", [("01", "03")]),
        ("00 1", None),
        ("9 10 8 7 6 5 4 3 2 1", [("1", "10")]),
    ],
)
def test_numbers_of_cells_are_all_from_0_or_1_on_and_written_alike(numbers, ranges):
    assert _ranges([(each,) for each in numbers.split()]) == ranges


def test_numbers_of_rows_and_columns_make_a_rectangle():
    cells = [(str(row), str(col)) for row in range(1, 3) for col in range(4)]
    assert _ranges(cells) == [("1", "2"), ("0", "3")]
    assert _ranges(cells[1:]) is None
