"""Both kernels, and the definition in `oracle`, against pictures of small grids."""

import oracle
import pytest
from kernel_problems import BOTH, COLS, NEITHER, ROWS, find_peaks, picture
from strategies import TIE_RULES


def always(*peaks):
    """Return the same peaks for all rules."""
    return dict.fromkeys(TIE_RULES, peaks)


def tied(*peaks, none=(), first, last, diagonal, lexicographic):
    """Return the peaks of all rules where cells are equal: `all` has every one of them."""
    return {
        "all": peaks,
        "none": none,
        "first": first,
        "last": last,
        "diagonal": diagonal,
        "lexicographic": lexicographic,
    }


# name: (cells, periodic, {tie rule: (row, col, sum of the 3x3 window) of every cluster}); 3x3 search, seeds > 0
PICTURES = {
    "lone_shower": (
        """0 0 0 0 0
           0 1 2 1 0
           0 2 9 2 0
           0 1 2 1 0
           0 0 0 0 0""",
        NEITHER,
        always((2, 2, 21)),
    ),
    "empty_calorimeter": ("0 0 0\n0 0 0\n0 0 0", BOTH, always()),
    "single_cell": ("4", NEITHER, always((0, 0, 4))),
    "one_row": ("3 0 2 2 0", NEITHER, {"first": ((0, 0, 3), (0, 2, 4)), "last": ((0, 0, 3), (0, 3, 4))}),
    "two_showers_that_share_cells": (
        """0 0 0 0 0
           0 0 0 0 0
           1 6 2 7 1
           0 0 0 0 0
           0 0 0 0 0""",
        NEITHER,
        always((2, 1, 9), (2, 3, 10)),
    ),
    "shower_on_a_negative_pedestal": (
        """-1 -1 -1
           -1  3 -1
           -1 -1 -1""",
        NEITHER,
        always((1, 1, -5)),
    ),
    "corner_maximum": (
        """7 1 0 0 5
           1 1 0 0 1
           0 0 0 0 0
           0 0 0 0 0
           2 1 0 0 3""",
        NEITHER,
        always((0, 0, 10), (0, 4, 6), (4, 0, 3), (4, 4, 3)),
    ),
    "corner_maximum_closed_in_phi": (
        """7 1 0 0 5
           1 1 0 0 1
           0 0 0 0 0
           0 0 0 0 0
           2 1 0 0 3""",
        COLS,
        always((0, 0, 16), (4, 4, 5)),
    ),
    "corner_maximum_of_a_torus": (
        """7 1 0 0 5
           1 1 0 0 1
           0 0 0 0 0
           0 0 0 0 0
           2 1 0 0 3""",
        BOTH,
        always((0, 0, 22)),
    ),
    "two_equal_neighbours_in_a_row": (
        """0 0 0 0 0
           0 5 5 1 0
           0 0 0 0 0""",
        NEITHER,
        tied(
            (1, 1, 10),
            (1, 2, 11),
            first=[(1, 1, 10)],
            last=[(1, 2, 11)],
            diagonal=[(1, 2, 11)],
            lexicographic=[(1, 2, 11)],
        ),
    ),
    "two_equal_neighbours_in_a_column": (
        """0 0 0
           0 5 0
           0 5 1
           0 0 0""",
        NEITHER,
        tied(
            (1, 1, 11),
            (2, 1, 11),
            first=[(1, 1, 11)],
            last=[(2, 1, 11)],
            diagonal=[(2, 1, 11)],
            lexicographic=[(2, 1, 11)],
        ),
    ),
    "two_equal_neighbours_on_the_falling_diagonal": (
        """5 0 0
           0 5 0
           0 0 0""",
        NEITHER,
        tied(
            (0, 0, 10),
            (1, 1, 10),
            first=[(0, 0, 10)],
            last=[(1, 1, 10)],
            diagonal=[(1, 1, 10)],
            lexicographic=[(1, 1, 10)],
        ),
    ),
    "two_equal_neighbours_on_the_rising_diagonal": (
        """0 5 0
           5 0 0
           0 0 0""",
        NEITHER,
        tied(
            (0, 1, 10),
            (1, 0, 10),
            first=[(0, 1, 10)],
            last=[(1, 0, 10)],
            diagonal=[(1, 0, 10)],
            lexicographic=[(1, 0, 10)],
        ),
    ),
    "plateau_2x2": (
        """0 0 0 0 0
           0 4 4 0 0
           0 4 4 1 0
           0 0 0 0 0
           0 0 0 0 0""",
        NEITHER,
        tied(
            (1, 1, 16),
            (1, 2, 17),
            (2, 1, 16),
            (2, 2, 17),
            first=[(1, 1, 16)],
            last=[(2, 2, 17)],
            diagonal=[(2, 2, 17)],
            lexicographic=[(2, 2, 17)],
        ),
    ),
    "plateau_across_phi_seam": (
        """0 0 0 0 0
           5 0 0 1 5
           0 0 0 0 0""",
        COLS,
        tied(
            (1, 0, 10),
            (1, 4, 11),
            first=[(1, 0, 10)],
            last=[(1, 4, 11)],
            diagonal=[(1, 0, 10)],
            lexicographic=[(1, 0, 10)],
        ),
    ),
    "no_plateau_across_an_open_edge": (
        """0 0 0 0 0
           5 0 0 1 5
           0 0 0 0 0""",
        ROWS,
        always((1, 0, 5), (1, 4, 6)),
    ),
    "plateau_across_the_corner_of_a_torus": (
        """5 0 0 0
           0 0 0 0
           0 0 0 0
           0 0 0 5""",
        BOTH,
        tied(
            (0, 0, 10),
            (3, 3, 10),
            first=[(0, 0, 10)],
            last=[(3, 3, 10)],
            diagonal=[(0, 0, 10)],
            lexicographic=[(0, 0, 10)],
        ),
    ),
    "hot_ring_phi": (
        """0 0 0 0 0
           3 3 3 3 3
           0 0 0 0 0""",
        COLS,
        tied(
            *((1, col, 9) for col in range(5)),
            first=[(1, 0, 9)],
            last=[(1, 4, 9)],
            diagonal=[],
            lexicographic=[],
        ),
    ),
    "hot_strip_that_does_not_close": (
        """0 0 0 0 0
           3 3 3 3 3
           0 0 0 0 0""",
        NEITHER,
        tied(
            (1, 0, 6),
            (1, 1, 9),
            (1, 2, 9),
            (1, 3, 9),
            (1, 4, 6),
            first=[(1, 0, 6)],
            last=[(1, 4, 6)],
            diagonal=[(1, 4, 6)],
            lexicographic=[(1, 4, 6)],
        ),
    ),
    "L_shaped_plateau": (
        """0 0 0 0 0
           0 2 0 0 0
           0 2 0 0 0
           0 2 2 2 0
           0 0 0 0 0""",
        NEITHER,
        tied(
            (1, 1, 4),
            (2, 1, 8),
            (3, 1, 6),
            (3, 2, 8),
            (3, 3, 4),
            first=[(1, 1, 4)],
            last=[(3, 3, 4)],
            diagonal=[(3, 3, 4)],
            lexicographic=[(3, 3, 4)],
        ),
    ),
    "V_shaped_plateau_keeps_both_tips_for_first": (
        """0 0 0 0 0
           0 2 0 2 0
           0 0 2 0 0
           0 0 0 0 0""",
        NEITHER,
        tied(
            (1, 1, 4),
            (1, 3, 4),
            (2, 2, 6),
            first=[(1, 1, 4), (1, 3, 4)],
            last=[(2, 2, 6)],
            diagonal=[(2, 2, 6)],
            lexicographic=[(2, 2, 6)],
        ),
    ),
    "saturated_towers_beside_a_shoulder": (
        """0   0   0   0   0
           0 511 511 511 200
           0   0   0   0   0""",
        NEITHER,
        tied(
            (1, 1, 1022),
            (1, 2, 1533),
            (1, 3, 1222),
            first=[(1, 1, 1022)],
            last=[(1, 3, 1222)],
            diagonal=[(1, 3, 1222)],
            lexicographic=[(1, 3, 1222)],
        ),
    ),
}


EXPECTED = [
    pytest.param(
        [[int(cell) for cell in line.split()] for line in text.splitlines()],
        periodic,
        rule,
        list(expected[rule]),
        id=f"{name}-{rule}",
    )
    for name, (text, periodic, expected) in PICTURES.items()
    for rule in expected
]


@pytest.mark.parametrize(("cells", "periodic", "rule", "expected"), EXPECTED)
def test_the_definition_gives_the_clusters_of_a_picture(cells, periodic, rule, expected):
    peaks = oracle.find_peaks(
        cells, search_window=(3, 3), sum_window=(3, 3), threshold=0, tie_rule=rule, periodic=periodic
    )

    assert [(row, col, total) for row, col, _, total, _ in peaks] == expected


@pytest.mark.parametrize(("cells", "periodic", "rule", "expected"), EXPECTED)
def test_a_kernel_gives_the_clusters_of_a_picture(kernel, cells, periodic, rule, expected):
    for dtype in ("int64", "float32", "float64"):
        peaks = find_peaks(kernel, picture(cells, dtype=dtype, periodic=periodic, tie_rule=rule))

        assert [(row, col, total) for _, row, col, _, total, _ in peaks] == expected
        assert all(seed == cells[row][col] for _, row, col, seed, _, _ in peaks)
