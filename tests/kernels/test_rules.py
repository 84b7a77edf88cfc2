"""Tie rules, thresholds and absent cells, each on a grid of a few cells."""

import numpy as np
import oracle
import pytest
from kernel_problems import COLS, find_peaks, picture, seeds
from published_cms import JET_MASK

from hep_peaksum.kernels import HIGHER_INDEX_WINS, LOWER_INDEX_WINS, NEIGHBOUR_WINS, SEED_WINS, Periodic, Rule
from hep_peaksum.settings.model import PeakSumSettings


@pytest.mark.parametrize(
    ("rule", "winner"), [("first", (0, 2)), ("diagonal", (0, 2)), ("lexicographic", (1, 0)), ("last", (1, 0))]
)
def test_diagonal_and_lexicographic_differ_below_the_diagonal(kernel, rule, winner):
    cells = [[0, 0, 5], [5, 0, 0]]  # seen from the upper cell, the other is one row down, two columns left

    assert seeds(kernel, picture(cells, search_window=(3, 5), tie_rule=rule)) == {(0, *winner)}


def test_three_directional_rules_give_three_different_answers(kernel):
    cells = [
        [0, 0, 5, 0, 0, 0],
        [5, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [9, 0, 0, 0, 0, 9],
        [0, 0, 0, 0, 0, 0],
    ]
    problem = picture(cells, search_window=(3, 5), periodic=COLS)

    assert seeds(kernel, problem.given(tie_rule="diagonal")) == {(0, 0, 2), (0, 4, 0)}
    assert seeds(kernel, problem.given(tie_rule="lexicographic")) == {(0, 1, 0), (0, 4, 0)}
    assert seeds(kernel, problem.given(tie_rule="last")) == {(0, 1, 0), (0, 4, 5)}


def test_a_drawn_window_carries_its_own_tie_rule(kernel):
    cells = [[5, 5, 5]]

    assert seeds(kernel, picture(cells, search_window="=o>", tie_rule="drawn")) == {(0, 0, 2)}
    assert seeds(kernel, picture(cells, search_window=">o=", tie_rule="drawn")) == {(0, 0, 0)}
    assert seeds(kernel, picture(cells, search_window=">o.", tie_rule="drawn")) == {(0, 0, 0)}


def test_the_top_line_of_a_drawing_is_the_row_above(kernel):
    cells = [[1], [2], [4]]

    assert [peak[4] for peak in find_peaks(kernel, picture(cells, sum_window="x\no"))] == [6]
    assert [peak[4] for peak in find_peaks(kernel, picture(cells, sum_window="o\nx"))] == [4]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_float32_cell_of_one_tenth_exceeds_one_tenth(kernel, dtype):
    peaks = find_peaks(kernel, picture([[0.1]], dtype=dtype, threshold=0.1))

    assert [peak[3] for peak in peaks] == ([0.10000000149011612] if dtype == "float32" else [])


def test_float32_cells_are_added_as_float64(kernel):
    cells = [[16777216.0, 1.0, 1.0]]

    assert [peak[4] for peak in find_peaks(kernel, picture(cells, dtype="float32", sum_window=(1, 5)))] == [
        16777218.0
    ]


def test_the_cell_threshold_leaves_out_cells_and_the_seed_too(kernel):
    problem = picture([[1, 3, 2]])

    assert find_peaks(kernel, problem.given(cell_threshold=2)) == [(0, 0, 1, 3, 5, 2)]
    assert find_peaks(kernel, problem.given(cell_threshold=4)) == [(0, 0, 1, 3, 0, 0)]


def test_an_absent_cell_neither_seeds_nor_vetoes_nor_adds(kernel):
    problem = picture([[4, 9, 5]], mask=np.array([[[False, True, False]]]), threshold=-100)

    assert find_peaks(kernel, problem) == [(0, 0, 0, 4, 4, 1), (0, 0, 2, 5, 5, 1)]


def test_a_grid_of_absent_cells_has_no_seeds(kernel):
    assert find_peaks(kernel, picture([[4, 9]], mask=np.ones((1, 1, 2), bool), threshold=-(2**60))) == []


def test_the_cms_jet_mask_is_the_diagonal_rule():
    # from the top p = +4 to -4, from the left d = -4 to +4; 2 = the neighbour vetoes when it is equal
    cms = {
        (j - 4, 4 - i): {"2": NEIGHBOUR_WINS, "1": SEED_WINS}[mark]
        for i, line in enumerate(JET_MASK.strip().splitlines())
        for j, mark in enumerate(line.split())
        if mark != "0"
    }
    ours = PeakSumSettings(search_window=(9, 9), tie_rule="diagonal").search_cells()

    assert {(cell.row, cell.col): cell.tie for cell in ours} == cms
    assert len(ours) == 80


@pytest.mark.parametrize(
    ("rule", "tie"),
    [("all", SEED_WINS), ("none", NEIGHBOUR_WINS), ("first", LOWER_INDEX_WINS), ("last", HIGHER_INDEX_WINS)],
)
def test_a_rule_without_direction_treats_all_cells_alike(rule, tie):
    assert {cell.tie for cell in PeakSumSettings(search_window=(5, 3), tie_rule=rule).search_cells()} == {tie}


@pytest.mark.parametrize("n_cols", [2, 3, 7])
@pytest.mark.parametrize("window", [".x\no.", "x.\n.o", "o.\n.x"], ids=["right", "left", "below"])
@pytest.mark.parametrize(("tie_rule", "col"), [("first", 0), ("last", -1)])
def test_a_neighbour_across_two_seams_of_a_single_row(kernel, n_cols, window, tie_rule, col):
    """It is as many cells ahead as an adjacent cell of a plane with more rows."""
    settings = PeakSumSettings(search_window=window, sum_window="o", tie_rule=tie_rule)
    rule = Rule(settings.search_cells(), 1, settings.sum_cells(), None)
    peaks = kernel.find_peaks(np.full((2000, 1, n_cols), 5), rule, Periodic(rows=True, cols=True)).peaks

    assert peaks.col.reshape(2000, -1)[:, col].tolist() == [range(n_cols)[col]] * 2000
    expected = oracle.find_peaks(
        np.full((1, n_cols), 5),
        search_window=window,
        sum_window="o",
        threshold=1,
        tie_rule=tie_rule,
        periodic=(True, True),
    )
    assert peaks.col.reshape(2000, -1)[0].tolist() == [peak[1] for peak in expected]
