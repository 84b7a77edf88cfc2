"""Sums of a window about every cell: the compiled loops give the bits of the readable twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_problems import BOTH, COLS, NEITHER, ROWS, many_examples
from strategies import fractions, huge_counts, small_counts, windows

from hep_peaksum.clustering.discriminant import window_map
from hep_peaksum.kernels import Periodic, absent
from hep_peaksum.settings.windows import window_marks


@st.composite
def maps(draw):
    """Draw cells, some of which do not exist, a window, and which axes are periodic."""
    shape = draw(st.tuples(st.integers(0, 4), st.integers(1, 7), st.integers(1, 6)))
    periodic = draw(st.tuples(st.booleans(), st.booleans()))
    cells = draw(st.one_of(small_counts(shape), fractions(shape), huge_counts(shape))).copy()
    cells[draw(st.sampled_from((np.zeros(shape, bool), cells == 1)))] = absent(cells.dtype)
    offsets = tuple(window_marks(draw(windows(shape[1:], periodic))))
    return cells, offsets, Periodic(*periodic)


def by_definition(cells, offsets, periodic):
    """Return the sums of windows, added in loops."""
    n_rows, n_cols = cells.shape[1:]
    total = np.zeros(cells.shape, np.int64 if cells.dtype.kind == "i" else np.float64)
    for event, row, col in np.ndindex(cells.shape):
        for d, p in offsets:
            r, c = row + d, col + p
            r, c = r % n_rows if periodic.rows else r, c % n_cols if periodic.cols else c
            if 0 <= r < n_rows and 0 <= c < n_cols and cells[event, r, c] != absent(cells.dtype):
                total[event, row, col] += cells[event, r, c]
    return total


@many_examples
@given(drawn=maps())
def test_the_compiled_loops_give_the_bits_of_the_readable_twin(drawn):
    fast, readable = window_map(*drawn, "numba"), window_map(*drawn, "scipy")

    assert fast.dtype == readable.dtype
    assert fast.tobytes() == readable.tobytes()


@many_examples
@given(drawn=maps())
def test_cells_are_added_in_the_order_of_the_window(drawn):
    np.testing.assert_array_equal(window_map(*drawn, "numba"), by_definition(*drawn))


@pytest.mark.parametrize("periodic", [NEITHER, COLS, ROWS, BOTH], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(
    "shape", [(200, 24, 16), (1, 300, 200), (2, 40, 5000)], ids=["many_events", "many_rows", "long_rows"]
)
def test_events_and_rows_that_do_not_fit_into_one_copy_are_added_alike(shape, dtype, periodic):
    random = np.random.default_rng(1)
    cells = (random.standard_normal(shape) * 100).astype(dtype)
    cells[random.random(shape) < 0.05] = absent(dtype)
    offsets = tuple(window_marks((5, 7)))

    fast, readable = (window_map(cells, offsets, Periodic(*periodic), kernel) for kernel in ("numba", "scipy"))

    assert fast.tobytes() == readable.tobytes()


def test_a_window_may_lie_far_from_its_seed_beyond_a_seam():
    cells, offsets = np.array([[[1.0, 2.0, 4.0, 8.0]]]), ((0, -6), (0, 0), (0, 5))

    found = window_map(cells, offsets, Periodic(rows=False, cols=True), "numba")

    assert found.tolist() == [[[4 + 1 + 2, 8 + 2 + 4, 1 + 4 + 8, 2 + 8 + 1]]]
