"""Hypothesis strategies: small grids with many ties, edges and seams, and searches in them."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DIRECTIONLESS = ("all", "none")
DIRECTIONAL = ("diagonal", "lexicographic")
INDEX_ORDERED = ("first", "last")
TIE_RULES = (*DIRECTIONLESS, *DIRECTIONAL, *INDEX_ORDERED)

FLOAT_TYPES = (np.float32, np.float64)
# Most of these are not float32 numbers, and 0.1 + 0.2 is not 0.3.
FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.1 + 0.2, 1 / 3, 0.7, -0.1, -1 / 3, 16777217.0, 1e-7)
# Beyond 2^53 neighbouring integers are the same float64.
HUGE = (0, 2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3, 2**56 + 1, 2**56 + 5, -(2**53) - 1)
THRESHOLDS = (0, 0.1, float(np.float32(0.1)), 0.3, 0.5, 1, 1.0, 1.5, 2, -1, -0.1, -10)
HUGE_THRESHOLDS = (0, 2**53, 2**53 + 1, 2**53 + 3, -(2**60))


class Problem(NamedTuple):
    """Some events and a search in them."""

    grids: np.ndarray  # (event, row, col): int64, float32 or float64
    mask: np.ndarray  # True where a cell does not exist
    periodic: tuple[bool, bool]
    search_window: tuple[int, int] | str
    sum_window: tuple[int, int] | str
    tie_rule: str
    threshold: float
    comparison: str
    cell_threshold: float | None

    def given(self, **changes: Any) -> "Problem":
        """Return the same problem with some fields changed."""
        return self._replace(**changes)


def shapes(most_events=3):
    return st.tuples(st.integers(0, most_events), st.integers(1, 7), st.integers(1, 6))


@st.composite
def small_counts(draw, shape):
    """Draw small integers in every type of cell: plateaus everywhere."""
    dtype = draw(st.sampled_from((np.int64, *FLOAT_TYPES)))
    low, high = draw(st.sampled_from(((0, 3), (0, 1), (-2, 2))))
    return draw(hnp.arrays(np.int64, shape, elements=st.integers(low, high))).astype(dtype)


@st.composite
def fractions(draw, shape):
    """Draw floating cells that tie and that round when they are added."""
    dtype = draw(st.sampled_from(FLOAT_TYPES))
    few = st.sampled_from([float(dtype(value)) for value in FRACTIONS])
    any_value = st.floats(-1000, 1000, width=np.dtype(dtype).itemsize * 8)
    return draw(hnp.arrays(dtype, shape, elements=draw(st.sampled_from((few, any_value)))))


def huge_counts(shape):
    """Return integers that float64 cannot tell apart."""
    return hnp.arrays(np.int64, shape, elements=st.sampled_from(HUGE))


@st.composite
def windows(draw, shape, periodic, marks="x"):
    """Draw a window that meets no cell twice: [rows, cols], or a drawing with gaps, even or off-centre."""
    if marks == "x" and draw(st.booleans()):
        rows, cols = (
            draw(st.sampled_from([n for n in (1, 3, 5) if not is_periodic or n <= size]))
            for size, is_periodic in zip(shape, periodic, strict=True)
        )
        return rows, cols
    n_rows, n_cols = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, n_rows - 1)), draw(st.integers(0, n_cols - 1))
    drawn = draw(st.lists(st.sampled_from("." + marks), min_size=n_rows * n_cols, max_size=n_rows * n_cols))
    met = {seed}
    lines = [[""] * n_cols for _ in range(n_rows)]
    for n, mark in enumerate(drawn):
        i, j = divmod(n, n_cols)
        place = i, j
        if periodic[0]:
            place = (i - seed[0]) % shape[0] + seed[0], place[1]
        if periodic[1]:
            place = place[0], (j - seed[1]) % shape[1] + seed[1]
        lines[i][j] = "o" if (i, j) == seed else "." if place in met else mark
        met |= {place} if lines[i][j] != "." else set()
    return "\n".join("".join(line) for line in lines)


@st.composite
def problems(draw, *, tie_rules=(*TIE_RULES, "drawn"), cells=None, thresholds=THRESHOLDS, most_events=3):
    """Draw any search that a kernel may be given."""
    shape = draw(shapes(most_events))
    periodic = draw(st.tuples(st.booleans(), st.booleans()))
    tie_rule = draw(st.sampled_from(tie_rules))
    search_window = draw(windows(shape[1:], periodic, ">=" if tie_rule == "drawn" else "x"))
    if tie_rule == "drawn" and not set(search_window) & set(">="):
        tie_rule = "all"  # the window is the seed alone
    some_absent = draw(st.booleans())
    return Problem(
        grids=draw(cells(shape) if cells else st.one_of(small_counts(shape), fractions(shape))),
        mask=draw(hnp.arrays(bool, shape)) if some_absent else np.zeros(shape, bool),
        periodic=periodic,
        search_window=search_window,
        sum_window=draw(windows(shape[1:], periodic)),
        tie_rule=tie_rule,
        threshold=draw(st.sampled_from(thresholds)),
        comparison=draw(st.sampled_from((">", ">="))),
        cell_threshold=draw(st.one_of(st.none(), st.sampled_from(thresholds))),
    )


def columns(peaks):
    """Return the columns of peaks."""
    return peaks.event, peaks.row, peaks.col, peaks.seed, peaks.sum, peaks.n_cells


def bits(peaks):
    """Return the types and the bytes of the columns of peaks."""
    return [(column.dtype, column.tobytes()) for column in columns(peaks)]
