"""Both kernels against pictures, against the definition in `oracle`, and against the laws that follow."""

import itertools
import math
import subprocess
import sys

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import (
    DIRECTIONAL,
    DIRECTIONLESS,
    HUGE_THRESHOLDS,
    INDEX_ORDERED,
    TIE_RULES,
    Problem,
    bits,
    columns,
    huge_counts,
    problems,
)

from hep_peaksum.kernels import (
    HIGHER_INDEX_WINS,
    LOWER_INDEX_WINS,
    NEIGHBOUR_WINS,
    SEED_WINS,
    Peaks,
    Periodic,
    Rule,
    absent,
    get_kernel,
)
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import inclusive_bound
from hep_peaksum.settings.windows import Box

many = settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
some = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module", params=["numba", "scipy"])
def kernel(request):
    return get_kernel(request.param)


def ask(kernel, problem):
    """Return what the kernel finds."""
    how = PeakSumSettings(
        search_window=problem.search_window, sum_window=problem.sum_window, tie_rule=problem.tie_rule
    )
    integer = problem.grids.dtype == np.int64
    least = problem.cell_threshold
    rule = Rule(
        search=how.search_cells(),
        bound=inclusive_bound(problem.threshold, problem.comparison, 1.0, integer=integer),
        window=how.sum_cells(),
        cell_bound=None if least is None else inclusive_bound(least, ">=", 1.0, integer=integer),
    )
    cells = np.where(problem.mask, np.array(absent(problem.grids.dtype), problem.grids.dtype), problem.grids)
    return kernel.find_peaks(cells, rule, Periodic(*problem.periodic)).peaks


def as_tuples(peaks):
    return list(zip(*(column.tolist() for column in columns(peaks)), strict=True))


def find(kernel, problem):
    """Return the peaks as (event, row, col, seed, sum, n_cells)."""
    return as_tuples(ask(kernel, problem))


def seeds(kernel, problem):
    """Return the seeds as a set of (event, row, col)."""
    return {peak[:3] for peak in find(kernel, problem)}


def by_definition(problem):
    """Return the peaks as the oracle finds them."""
    return [
        (event, *peak)
        for event, (grid, mask) in enumerate(zip(problem.grids.tolist(), problem.mask.tolist(), strict=True))
        for peak in oracle.find_peaks(
            grid,
            search_window=problem.search_window,
            sum_window=problem.sum_window,
            threshold=problem.threshold,
            comparison=problem.comparison,
            tie_rule=problem.tie_rule,
            periodic=problem.periodic,
            cell_threshold=problem.cell_threshold,
            mask=mask,
        )
    ]


# ---------------------------------------------------------------------------------------------- pictures

NEITHER, COLS, ROWS, BOTH = (False, False), (False, True), (True, False), (True, True)


def always(*peaks):
    return dict.fromkeys(TIE_RULES, peaks)


def tied(*peaks, none=(), first, last, diagonal, lexicographic):
    """All rules: of the equal cells `all` takes every one, and `none` no one unless it is said."""
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
        found = find(kernel, picture(cells, dtype=dtype, periodic=periodic, tie_rule=rule))

        assert [(row, col, total) for _, row, col, _, total, _ in found] == expected
        assert all(seed == cells[row][col] for _, row, col, seed, _, _ in found)


def picture(cells, dtype="int64", **changes):
    """Return the problem of one event and a 3x3 search."""
    grids = np.array([cells], dtype)
    return Problem(
        grids=grids,
        mask=np.zeros(grids.shape, bool),
        periodic=NEITHER,
        search_window=(3, 3),
        sum_window=(3, 3),
        tie_rule="first",
        threshold=0,
        comparison=">",
        cell_threshold=None,
    ).given(**changes)


@pytest.mark.parametrize(
    ("rule", "winner"), [("first", (0, 2)), ("diagonal", (0, 2)), ("lexicographic", (1, 0)), ("last", (1, 0))]
)
def test_diagonal_and_lexicographic_differ_where_a_tie_lies_flatter_than_the_diagonal(kernel, rule, winner):
    cells = [[0, 0, 5], [5, 0, 0]]  # from the upper cell: one row on, two columns back

    assert seeds(kernel, picture(cells, search_window=(3, 5), tie_rule=rule)) == {(0, *winner)}


def test_diagonal_lexicographic_and_last_give_three_different_answers_on_one_grid(kernel):
    cells = [
        [0, 0, 5, 0, 0, 0],
        [5, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [9, 0, 0, 0, 0, 9],
        [0, 0, 0, 0, 0, 0],
    ]
    asked = picture(cells, search_window=(3, 5), periodic=COLS)

    assert seeds(kernel, asked.given(tie_rule="diagonal")) == {(0, 0, 2), (0, 4, 0)}
    assert seeds(kernel, asked.given(tie_rule="lexicographic")) == {(0, 1, 0), (0, 4, 0)}
    assert seeds(kernel, asked.given(tie_rule="last")) == {(0, 1, 0), (0, 4, 5)}


def test_a_drawn_window_says_itself_who_wins_a_tie(kernel):
    cells = [[5, 5, 5]]

    assert seeds(kernel, picture(cells, search_window="=o>", tie_rule="drawn")) == {(0, 0, 2)}
    assert seeds(kernel, picture(cells, search_window=">o=", tie_rule="drawn")) == {(0, 0, 0)}
    assert seeds(kernel, picture(cells, search_window=">o.", tie_rule="drawn")) == {(0, 0, 0)}


def test_the_top_line_of_a_drawing_is_the_row_above(kernel):
    cells = [[1], [2], [4]]

    assert [peak[4] for peak in find(kernel, picture(cells, sum_window="x\no"))] == [6]
    assert [peak[4] for peak in find(kernel, picture(cells, sum_window="o\nx"))] == [4]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_float32_cell_of_one_tenth_exceeds_one_tenth(kernel, dtype):
    found = find(kernel, picture([[0.1]], dtype=dtype, threshold=0.1))

    assert [peak[3] for peak in found] == ([0.10000000149011612] if dtype == "float32" else [])


def test_float32_cells_are_added_as_float64(kernel):
    cells = [[16777216.0, 1.0, 1.0]]

    assert [peak[4] for peak in find(kernel, picture(cells, dtype="float32", sum_window=(1, 5)))] == [
        16777218.0
    ]


def test_the_cell_threshold_leaves_cells_out_the_seed_too(kernel):
    asked = picture([[1, 3, 2]])

    assert find(kernel, asked.given(cell_threshold=2)) == [(0, 0, 1, 3, 5, 2)]
    assert find(kernel, asked.given(cell_threshold=4)) == [(0, 0, 1, 3, 0, 0)]


def test_an_absent_cell_neither_seeds_vetoes_nor_adds(kernel):
    asked = picture([[4, 9, 5]], mask=np.array([[[False, True, False]]]), threshold=-100)

    assert find(kernel, asked) == [(0, 0, 0, 4, 4, 1), (0, 0, 2, 5, 5, 1)]


def test_a_calorimeter_that_is_absent_altogether_has_no_seeds(kernel):
    assert find(kernel, picture([[4, 9]], mask=np.ones((1, 1, 2), bool), threshold=-(2**60))) == []


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_no_events_give_no_peaks_of_the_right_type(kernel, dtype):
    none = picture([[1]], dtype=dtype)
    peaks = ask(kernel, none.given(grids=none.grids[:0], mask=none.mask[:0]))

    assert [len(column) for column in columns(peaks)] == [0] * 6
    assert peaks.event_offsets.tolist() == [0]
    assert peaks.sum.dtype == (np.int64 if dtype == "int64" else np.float64)


@some
@given(problem=problems(), random=st.randoms(use_true_random=False))
def test_peaks_know_their_places_and_so_do_those_that_are_taken(kernel, problem, random):
    peaks = ask(kernel, problem)
    places = as_tuples(peaks)

    assert [len(peaks.event_offsets), len(peaks)] == [len(problem.grids) + 1, len(places)]
    assert as_tuples(Peaks.at(columns(peaks)[:3], problem.grids.shape, *columns(peaks)[3:])) == places
    mask = np.array([random.random() < 0.5 for _ in places], bool)
    assert as_tuples(peaks.take(mask)) == [
        place for place, is_kept in zip(places, mask, strict=True) if is_kept
    ]
    backwards = np.lexsort((-np.arange(len(places)), peaks.event))
    assert as_tuples(peaks.take(backwards)) == [places[n] for n in backwards]


def test_many_peaks_of_many_events_are_all_kept(kernel):
    every_cell = np.arange(1, 3001, dtype=np.int64).reshape(3000, 1, 1)
    found = ask(kernel, picture([[0]]).given(grids=every_cell, mask=every_cell < 0))

    assert found.event.tolist() == list(range(3000))
    assert found.sum.tolist() == list(range(1, 3001))


def test_the_cms_jet_mask_is_the_diagonal_rule():
    # cms-sw/cmssw L1Trigger/L1TCalorimeter, Stage2Layer2JetAlgorithmFirmwareImp1.cc: from the top p = +4 to -4,
    # from the left d = -4 to +4; 2 = the neighbour vetoes when it is equal, 1 = only when it is higher
    mask = """
        1 2 2 2 2 2 2 2 2
        1 1 2 2 2 2 2 2 2
        1 1 1 2 2 2 2 2 2
        1 1 1 1 2 2 2 2 2
        1 1 1 1 0 2 2 2 2
        1 1 1 1 1 2 2 2 2
        1 1 1 1 1 1 2 2 2
        1 1 1 1 1 1 1 2 2
        1 1 1 1 1 1 1 1 2
    """
    cms = {
        (j - 4, 4 - i): {"2": NEIGHBOUR_WINS, "1": SEED_WINS}[mark]
        for i, line in enumerate(mask.strip().splitlines())
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
def test_a_rule_without_direction_says_the_same_of_every_cell(rule, tie):
    assert {cell.tie for cell in PeakSumSettings(search_window=(5, 3), tie_rule=rule).search_cells()} == {tie}


# --------------------------------------------------------------------------------------------- definition


@many
@given(problem=problems(most_events=3))
def test_a_kernel_finds_what_the_definition_says(kernel, problem):
    assert find(kernel, problem) == by_definition(problem)


@some
@given(problem=problems(cells=huge_counts, thresholds=HUGE_THRESHOLDS))
def test_a_kernel_tells_integers_apart_that_float64_cannot(kernel, problem):
    assert find(kernel, problem) == by_definition(problem)


@some
@given(problem=problems())
def test_peaks_have_the_types_of_the_contract(kernel, problem):
    number = np.int64 if problem.grids.dtype == np.int64 else np.float64

    assert [column.dtype for column in columns(ask(kernel, problem))] == [
        np.int64,
        np.int32,
        np.int32,
        number,
        number,
        np.int32,
    ]


@many
@given(problem=problems())
def test_the_two_kernels_give_the_same_bits(problem):
    fast, readable = ask(get_kernel("numba"), problem), ask(get_kernel("scipy"), problem)

    assert bits(fast) == bits(readable)


@pytest.mark.parametrize("n_cols", [2, 3, 7])
@pytest.mark.parametrize("window", [".x\no.", "x.\n.o", "o.\n.x"], ids=["right", "left", "below"])
@pytest.mark.parametrize(("tie_rule", "col"), [("first", 0), ("last", -1)])
def test_a_neighbour_across_two_seams_of_a_single_row(kernel, n_cols, window, tie_rule, col):
    """The step there is that of the cell above and beside, which on this plane is no cell of its own."""
    how = PeakSumSettings(search_window=window, sum_window="o", tie_rule=tie_rule)
    rule = Rule(how.search_cells(), 1, how.sum_cells(), None)
    found = kernel.find_peaks(np.full((2000, 1, n_cols), 5), rule, Periodic(rows=True, cols=True))

    assert found.peaks.col.reshape(2000, -1)[:, col].tolist() == [range(n_cols)[col]] * 2000
    expected = oracle.find_peaks(
        np.full((1, n_cols), 5),
        search_window=window,
        sum_window="o",
        threshold=1,
        tie_rule=tie_rule,
        periodic=(True, True),
    )
    assert found.peaks.col.reshape(2000, -1)[0].tolist() == [peak[1] for peak in expected]


def test_a_row_of_more_cells_than_a_short_number_can_tell(kernel):
    n_cols, how = 40_000, PeakSumSettings()
    peaks = np.array([0, 32_767, 32_769, 39_998])
    cells = np.zeros((2, 1, n_cols), np.float32)
    cells[1, 0, peaks] = [4, 3, 2, 1]
    rule = Rule(how.search_cells(), 1, how.sum_cells(), None)
    of_grids = kernel.find_peaks(cells, rule, Periodic(False, True)).peaks
    first, cell, value = np.array([0, 0, 4]), peaks.astype(np.int32), cells[1, 0, peaks]
    of_hits = kernel.find_peaks_in_hits(first, cell, value, (1, n_cols), rule, Periodic(False, True)).peaks

    for found in (of_grids, of_hits):
        assert found.event.tolist() == [1] * 4
        assert found.col.tolist() == peaks.tolist()
        assert found.sum.tolist() == [4, 3, 2, 1]
        assert found.n_cells.tolist() == [3] * 4


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(24, 16), (3, 1), (1, 7), (10, 13), (2, 2)], ids=lambda shape: f"{shape}")
@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=2)), ids=str)
@pytest.mark.parametrize("tie_rule", ["all", "none", "first", "last", "diagonal"])
def test_the_two_kernels_give_the_same_bits_in_a_long_run_of_events(dtype, shape, periodic, tie_rule):
    """So many events that all but the first and the last are looked at where they lie."""
    random = np.random.default_rng(5)
    n_events = 40_000 // math.prod(shape)
    cells = random.integers(-2, 5, (n_events, *shape)) * (random.random((n_events, 1, 1)) < 0.8)
    cells = cells.astype(dtype)
    cells[random.random(cells.shape) < 0.02] = absent(dtype)
    window = tuple(3 if n > 2 else 1 for n in shape)
    how = PeakSumSettings(search_window=window, sum_window=window, tie_rule=tie_rule)
    rule = Rule(how.search_cells(), -1, how.sum_cells(), 0)
    fast, readable = (
        get_kernel(name).find_peaks(cells, rule, Periodic(*periodic)) for name in ("numba", "scipy")
    )

    assert len(fast.peaks.event) > n_events // 10
    assert bits(fast.peaks) == bits(readable.peaks)


FENCED = """
import ctypes, mmap
import numpy as np
from hep_peaksum.kernels import Periodic, Rule, get_kernel
from hep_peaksum.settings.model import PeakSumSettings

libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, 34 * mmap.PAGESIZE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
for page in (0, 33):
    assert libc.mprotect(ctypes.c_void_p(start + page * mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
for shape in ((8, 16), (4, 32), (16, 4), (1, 128)):
    for window in ((3, 3), (3, 9), (9, 3), (15, 31)):
        window = tuple(min(n, 2 * size - 1) for n, size in zip(window, shape))
        how = PeakSumSettings(search_window=window, sum_window=window)
        rule = Rule(how.search_cells(), 1, how.sum_cells(), None)
        cells = np.frombuffer(memory, np.float32, 32 * mmap.PAGESIZE // 4, mmap.PAGESIZE).reshape(-1, *shape)
        cells[:] = np.random.default_rng(1).integers(1, 99, cells.shape)
        assert len(get_kernel("numba").find_peaks(cells, rule, Periodic(False, False)).peaks) >= len(cells)
print("inside")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are fenced off by the mprotect of Linux")
def test_nothing_before_or_behind_the_grids_is_read():
    """Grids that fill whole pages, between two of which every read ends the process."""
    ran = subprocess.run([sys.executable, "-c", FENCED], capture_output=True, text=True, check=False)

    assert ran.stdout == "inside\n", ran.stderr[-2000:]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", [(0, 0, 0), (57, 23, 15), (199, 12, 3), (199, 23, 15)], ids=str)
def test_a_kernel_says_that_a_cell_is_not_finite(kernel, value, dtype, place):
    cells = np.ones((200, 24, 16), dtype)
    rule = Rule(PeakSumSettings().search_cells(), 0, PeakSumSettings().sum_cells(), None)
    assert kernel.find_peaks(cells, rule, Periodic(False, True)).is_finite
    cells[place] = value
    assert not kernel.find_peaks(cells, rule, Periodic(False, True)).is_finite


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_cell_that_is_not_finite_is_overlooked(kernel, dtype):
    """Events that end within a vector: what is looked at beside them is the next event, or behind the end."""
    rule = Rule(PeakSumSettings().search_cells(), 5, PeakSumSettings().sum_cells(), None)
    cells = np.ones((130, 5, 7), dtype)
    overlooked = []
    for place in range(cells.size):
        cells.flat[place] = np.nan
        if kernel.find_peaks(cells, rule, Periodic(False, False)).is_finite:
            overlooked.append(place)
        cells.flat[place] = 1
    assert overlooked == []
    assert kernel.find_peaks(cells, rule, Periodic(False, False)).is_finite


@some
@given(events=st.lists(st.lists(st.integers(0, 3), max_size=40), max_size=6))
def test_keys_fall_in_every_event_and_equal_ones_stay(kernel, events):
    first = np.cumsum([0, *map(len, events)])
    order = kernel.argsort_descending(first, np.array([key for keys in events for key in keys], np.int64))

    expected = []
    for keys in events:
        expected += [len(expected) + n for n in sorted(range(len(keys)), key=lambda n: -keys[n])]
    assert order.tolist() == expected


@pytest.mark.parametrize("kind", ["small", "large", "float", "spread", "some alike", "one far above"])
@pytest.mark.parametrize("n_keys", [1, 8, 9, 64, 256, 257, 600])
def test_keys_of_crowded_events_fall_and_equal_ones_stay(kernel, n_keys, kind):
    random = np.random.default_rng(n_keys)
    key = random.integers(-20, 20, 3 * n_keys)
    if kind == "large":  # no float64 holds them
        key = key * 2**57 + random.integers(0, 2, 3 * n_keys)
    if kind == "float":  # of the two zeros none is larger
        key = random.choice([-np.inf, -2.5, -0.0, 0.0, 1e-310, 0.75, 3e200], 3 * n_keys)
    if kind in ("spread", "some alike", "one far above"):
        key = random.uniform(50, 100, 3 * n_keys)
    if kind == "some alike":  # equal, or but for the last bits
        towards = random.choice([0, key[0], 1e9], 3 * n_keys)
        key[n_keys // 2 :: 20] = np.nextafter(key[0], towards[n_keys // 2 :: 20])
    if kind == "one far above":
        key[n_keys // 2] = 1e300
    order = kernel.argsort_descending(np.array([0, 1, 1, 1, 1, 2, 3]) * n_keys, key)

    starts = range(0, 3 * n_keys, n_keys)
    expected = [sorted(range(start, start + n_keys), key=lambda n: -key[n]) for start in starts]
    assert order.reshape(3, n_keys).tolist() == expected


def test_a_sum_of_no_cells_is_the_same_zero_in_both_kernels():
    asked = picture([[-1.0]], dtype="float64", threshold=-5, cell_threshold=0)
    fast, readable = ask(get_kernel("numba"), asked), ask(get_kernel("scipy"), asked)

    assert fast.sum.tobytes() == readable.sum.tobytes()


@some
@given(problem=problems())
def test_any_window_can_be_summed_about_any_cell(kernel, problem):
    cells = np.where(problem.mask, np.array(absent(problem.grids.dtype), problem.grids.dtype), problem.grids)
    event, row, col = (np.ascontiguousarray(index) for index in np.nonzero(np.ones(cells.shape)))
    offsets = PeakSumSettings(sum_window=problem.sum_window).sum_cells()
    peaks = Peaks.at((event, row, col), problem.grids.shape, row, row, row)
    total, n_cells = kernel.sum_cells(cells, peaks, offsets, None, Periodic(*problem.periodic))

    exists = np.where(problem.mask, None, problem.grids.astype(object)).tolist()
    expected = [
        oracle.sum_around(exists[e], r, c, oracle.read_window(problem.sum_window), problem.periodic)
        for e, r, c in np.ndindex(cells.shape)
    ]
    assert list(zip(total.tolist(), n_cells.tolist(), strict=True)) == expected


@some
@given(problem=problems(), half=st.integers(0, 1), depth=st.integers(1, 3))
def test_the_three_smallest_strips_are_the_chunky_donut(kernel, problem, half, depth):
    length = 2 * (half + depth) + 1
    assume(
        all(n >= length for n, closed in zip(problem.grids.shape[1:], problem.periodic, strict=True) if closed)
    )
    event, row, col = (np.ascontiguousarray(index) for index in np.nonzero(np.ones(problem.grids.shape)))
    strips = Box(-half, half, -half, half).strips(depth)
    peaks = Peaks.at((event, row, col), problem.grids.shape, row, row, row)
    sums = [
        kernel.sum_cells(problem.grids, peaks, strip, None, Periodic(*problem.periodic))[0] for strip in strips
    ]
    low, middle, high, _ = np.sort(sums, axis=0)

    grids = problem.grids.tolist()
    assert (low + middle + high).tolist() == [
        oracle.chunky_donut(grids[e], r, c, half, depth, problem.periodic)
        for e, r, c in np.ndindex(problem.grids.shape)
    ]


# ---------------------------------------------------------------------------------------------------- laws


@some
@given(
    problem=problems(tie_rules=(*DIRECTIONLESS, *DIRECTIONAL, "drawn")),
    rows=st.integers(-6, 6),
    cols=st.integers(-6, 6),
)
def test_rolling_a_periodic_axis_rolls_the_peaks(kernel, problem, rows, cols):
    _, n_rows, n_cols = problem.grids.shape
    shift = rows * problem.periodic[0], cols * problem.periodic[1]
    rolled = problem.given(
        grids=np.roll(problem.grids, shift, axis=(1, 2)), mask=np.roll(problem.mask, shift, axis=(1, 2))
    )

    assert find(kernel, rolled) == sorted(
        (event, (row + shift[0]) % n_rows, (col + shift[1]) % n_cols, *rest)
        for event, row, col, *rest in find(kernel, problem)
    )


@some
@given(problem=problems(), higher=st.floats(0, 3))
def test_raising_the_threshold_only_removes_seeds(kernel, problem, higher):
    raised = problem.given(threshold=problem.threshold + higher)
    passes = np.greater if problem.comparison == ">" else np.greater_equal

    assert find(kernel, raised) == [peak for peak in find(kernel, problem) if passes(peak[3], raised.threshold)]


@some
@given(problem=problems(), power=st.integers(0, 12))
def test_a_power_of_two_scales_everything_exactly(kernel, problem, power):
    factor = 2**power
    least = problem.cell_threshold
    scaled = problem.given(
        grids=problem.grids * problem.grids.dtype.type(factor),
        threshold=problem.threshold * factor,
        cell_threshold=None if least is None else least * factor,
    )

    assert find(kernel, scaled) == [
        (*place, seed * factor, total * factor, n_cells)
        for *place, seed, total, n_cells in find(kernel, problem)
    ]


@some
@given(problem=problems())
def test_an_event_does_not_depend_on_its_neighbours_in_the_batch(kernel, problem):
    alone = [
        (event, *peak)
        for event in range(len(problem.grids))
        for _, *peak in find(
            kernel,
            problem.given(grids=problem.grids[event : event + 1], mask=problem.mask[event : event + 1]),
        )
    ]

    assert find(kernel, problem) == alone


@some
@given(problem=problems())
def test_the_cells_are_not_written_to(kernel, problem):
    before = problem.grids.copy()
    problem.grids.flags.writeable = False
    ask(kernel, problem)

    assert np.array_equal(problem.grids, before)


@some
@given(problem=problems(tie_rules=TIE_RULES))
def test_every_rule_lies_between_none_and_all(kernel, problem):
    fewest, most = (seeds(kernel, problem.given(tie_rule=rule)) for rule in ("none", "all"))

    assert fewest <= seeds(kernel, problem) <= most


@some
@given(problem=problems(tie_rules=("none", *INDEX_ORDERED)))
def test_no_two_seeds_lie_in_each_others_search_window(kernel, problem):
    assert not facing(kernel, problem)


@some
@given(
    problem=problems(tie_rules=DIRECTIONAL), rows=st.sampled_from((1, 3, 5)), cols=st.sampled_from((1, 3, 5))
)
def test_the_directional_rules_agree_when_the_window_is_symmetric(kernel, problem, rows, cols):
    _, n_rows, n_cols = problem.grids.shape
    assume((rows <= n_rows or not problem.periodic[0]) and (cols <= n_cols or not problem.periodic[1]))

    assert not facing(kernel, problem.given(search_window=(rows, cols)))


def facing(kernel, problem):
    """Return the pairs of seeds that each have the other in their search window."""
    offsets = [offset for offset, mark in oracle.read_window(problem.search_window).items() if mark != "o"]
    grid = problem.grids[0].tolist() if len(problem.grids) else [[0]]
    found = seeds(kernel, problem)
    seen = {
        (here, (here[0], *place))
        for here in found
        for offset in offsets
        if (place := oracle.neighbour(grid, *here[1:], offset, problem.periodic)) and (here[0], *place) in found
    }
    return {(here, there) for here, there in seen if (there, here) in seen}


@some
@given(problem=problems(tie_rules=INDEX_ORDERED))
def test_first_and_last_never_lose_the_highest_cell(kernel, problem):
    exists = [grid[~mask] for grid, mask in zip(problem.grids, problem.mask, strict=True)]
    passes = np.greater if problem.comparison == ">" else np.greater_equal
    highest = [float(cells.max()) if len(cells) else -np.inf for cells in exists]
    found = find(kernel, problem)

    assert {event for event, value in enumerate(highest) if passes(value, problem.threshold)} == {
        event for event, *_ in found
    }
