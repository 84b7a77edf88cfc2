"""Saddles: how far one must go down from a peak to reach anything higher.

The readable twin floods from every peak, as in the definition; `numba_saddles` finds all saddles of an event in
one pass over its cells, with the same results.
"""

from __future__ import annotations

import heapq
import itertools

import numpy as np

from hep_peaksum.kernels import Array, KernelName, Peaks, Periodic, absent, accumulator, is_compiled


def saddles(grids: Array, peaks: Peaks, periodic: Periodic, kernel: KernelName) -> Array:
    """Return the highest level at which every peak is connected to a higher cell, over 8 neighbours.

    If no higher cell can be reached, it is the lowest cell that can. Levels have the type of the `accumulator`.

    >>> from hep_peaksum.kernels import event_offsets
    >>> grids, one, first = np.array([[[4, 1, 3, 2, 5]]]), np.array([1]), np.zeros(1, np.int64)
    >>> three = Peaks.at((first, first, np.array([2])), grids.shape, np.array([3]), np.array([3]), one)
    >>> saddles(grids, three, Periodic(False, False), "scipy").tolist()
    [2]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import numba_saddles

        return numba_saddles.saddles(grids, peaks, periodic)
    number = accumulator(grids.dtype)
    places = zip(peaks.event.tolist(), peaks.row.tolist(), peaks.col.tolist(), strict=True)
    levels = [_saddle(grids[event].tolist(), row, col, periodic) for event, row, col in places]
    return np.asarray(np.array(levels, number) + number(0))  # no -0.0


def _saddle(cells: list[list[float]], row: int, col: int, periodic: Periodic) -> float:
    """Flood from a cell, always to the highest cell at the shore, until one is higher than the start.

    Return the lowest cell that was flooded.
    """
    low, seed = absent(type(cells[row][col])), cells[row][col]
    level, shore, seen = seed, [(-seed, row, col)], {(row, col)}
    while shore:
        depth, r, c = heapq.heappop(shore)
        if -depth > seed:
            break
        level = min(level, -depth)
        for i, j in itertools.product((r - 1, r, r + 1), (c - 1, c, c + 1)):
            i = i % len(cells) if periodic.rows else i  # noqa: PLW2901
            j = j % len(cells[0]) if periodic.cols else j  # noqa: PLW2901
            if 0 <= i < len(cells) and 0 <= j < len(cells[0]) and (i, j) not in seen and cells[i][j] != low:
                seen.add((i, j))
                heapq.heappush(shore, (-cells[i][j], i, j))
    return level
