"""Sums of a window about every cell, compiled: the loops of `hep_peaksum.clustering.discriminant.window_map`.

Cells are added in the order of the window, as by the readable twin. In a copy with margins the steps to the
cells of a window are the same everywhere: whole rows, and events one below the other, are added at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Offset, Periodic, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only

# Cells that are copied together, and sums that are worked out together: in the cache next to the processor.
COPIED_CELLS, SEGMENT = 1 << 12, 1 << 10


def window_map(cells: Array, offsets: Sequence[Offset], periodic: Periodic) -> Array:
    """Return the sum of a window around every cell, int64 or float64; cells that do not exist add nothing."""
    number, (_, n_rows, n_cols) = accumulator(cells.dtype), cells.shape
    margins = tuple(max(abs(offset[k]) for offset in offsets) for k in (0, 1))
    width = n_cols + 2 * margins[1]
    n_copied = min(n_rows, max(4 * margins[0], COPIED_CELLS // width, 1))  # rows that are summed
    n_together = max(1, COPIED_CELLS // (width * (n_copied + 2 * margins[0]))) if n_copied == n_rows else 1
    size = n_together * (n_copied + 2 * margins[0]) * width
    copy, sums, total = np.zeros(size, number), np.empty(size, number), np.empty(cells.shape, number)
    steps = np.array([(margins[0] + d) * width + margins[1] + p for d, p in offsets], np.int64)
    heights, low = (n_together, n_copied), number(absent(cells.dtype))
    _add_windows(read_only(cells), steps, margins, heights, periodic, low, copy, sums, total)
    return total


# Places are unsigned, or numba would look whether they count from the end; views of rows would be counted.


@cached_jit
def _add_windows(
    cells: Any,
    steps: Any,
    margins: Any,
    heights: Any,
    periodic: Any,
    low: Any,
    copy: Any,
    sums: Any,
    total: Any,
) -> None:
    """Write down the sums of all windows, of some events or of some rows of one at a time."""
    plane, (n_together, n_copied) = cells.shape[1:], heights
    width, n_events, cells, total = plane[1] + 2 * margins[1], len(cells), cells.reshape(-1), total.reshape(-1)
    for event in range(0, n_events, n_together):
        n = min(n_together, n_events - event)
        for first in range(0, plane[0], n_copied):
            n_summed = min(n_copied, plane[0] - first)
            n_high = n_summed + 2 * margins[0]
            for k in range(n):
                origin, to = (event + k) * plane[0] * plane[1], k * n_high * width
                _copy_rows(
                    cells, origin, plane, first - margins[0], n_high, margins[1], periodic, low, copy, to
                )
            n_sums = (n * n_high - 2 * margins[0] - 1) * width + plane[1]
            for begin in range(0, n_sums, SEGMENT):
                _add_steps(copy, steps, begin, min(SEGMENT, n_sums - begin), sums)
            for k in range(n):
                for i in range(n_summed):
                    to = ((event + k) * plane[0] + first + i) * plane[1]
                    _move(sums, (k * n_high + i) * width, plane[1], total, to)


@jit
def _copy_rows(
    cells: Any,
    origin: int,
    plane: Any,
    first: int,
    n_high: int,
    margin: int,
    periodic: Any,
    low: Any,
    copy: Any,
    to: int,
) -> None:
    """Copy rows of the event at `origin`, with margins; cells that do not exist or lie beyond an edge are 0."""
    n_rows, n_cols = plane
    for row in range(first, first + n_high):
        for k in range(n_cols + 2 * margin if row < 0 or row >= n_rows else 0):
            copy[np.uint64(to + k)] = 0
        if periodic.rows or 0 <= row < n_rows:
            to += margin
            _move_existing(cells, origin + row % n_rows * n_cols, n_cols, low, copy, to)
            for k in range(margin if periodic.cols else 0):  # each is a turn away from one that is there
                copy[np.uint64(to - 1 - k)] = copy[np.uint64(to + n_cols - 1 - k)]
                copy[np.uint64(to + n_cols + k)] = copy[np.uint64(to + k)]
            to -= margin
        to += n_cols + 2 * margin


@jit
def _move(cells: Any, place: int, n: int, copy: Any, to: int) -> None:
    """Copy consecutive cells."""
    for k in range(n):
        copy[np.uint64(to + k)] = cells[np.uint64(place + k)]


@jit
def _move_existing(cells: Any, place: int, n: int, low: Any, copy: Any, to: int) -> None:
    """Copy consecutive cells; those that do not exist are 0."""
    for k in range(n):
        cell = type(low)(cells[np.uint64(place + k)])
        copy[np.uint64(to + k)] = cell if cell != low else type(low)(0)


@jit
def _add_steps(cells: Any, steps: Any, begin: int, n: int, sums: Any) -> None:
    """Add the cells at every step, one step after the other: five at a time are loaded for one store."""
    done = 0
    for i in range(begin, begin + n):
        sums[np.uint64(i)] = 0
    while done + 5 <= len(steps):
        a, b, c, d, e = steps[done], steps[done + 1], steps[done + 2], steps[done + 3], steps[done + 4]
        for i in range(begin, begin + n):
            three = sums[np.uint64(i)] + cells[np.uint64(a + i)] + cells[np.uint64(b + i)]
            three += cells[np.uint64(c + i)]
            sums[np.uint64(i)] = three + cells[np.uint64(d + i)] + cells[np.uint64(e + i)]
        done += 5
    for k in range(done, len(steps)):
        step = steps[k]
        for i in range(begin, begin + n):
            sums[np.uint64(i)] += cells[np.uint64(step + i)]
