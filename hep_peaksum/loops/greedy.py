"""Seeds that are accepted one after the other: each takes the cells of its window from those that follow."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hep_peaksum.kernels import Array, KernelName, Offset, Peaks, Periodic, is_compiled


def accepted_in_order(
    peaks: Peaks,
    order: Array,
    window: Collection[Offset],
    groups: Array | None,
    plane: tuple[int, int],
    periodic: Periodic,
    kernel: KernelName,
) -> Array:
    """Return which peaks are accepted in an order: those in no window of a peak that was accepted before.

    `order` are the numbers of the peaks, event by event. Given `groups`, the group of every cell, shape (event,
    row, col), a peak takes cells of its own group only.

    >>> row, two, five = np.zeros(3, np.int64), np.array([0, 1, 2]), np.array([5, 5, 5])
    >>> peaks = Peaks.at((row, row, two), (1, 1, 3), five, five, five)
    >>> window = ((0, -1), (0, 1))
    >>> accepted_in_order(peaks, two, window, None, (1, 3), Periodic(False, False), "scipy").tolist()
    [True, False, True]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import numba_greedy

        return numba_greedy.accepted_in_order(peaks, order, window, groups, plane, periodic)
    is_accepted, taken = np.zeros(len(peaks), bool), set()
    places = list(zip(peaks.event.tolist(), peaks.row.tolist(), peaks.col.tolist(), strict=True))
    for n in order.tolist():
        if places[n] in taken:
            continue
        is_accepted[n] = True
        event, row, col = places[n]
        for d, p in window:
            r = (row + d) % plane[0] if periodic.rows else row + d
            c = (col + p) % plane[1] if periodic.cols else col + p
            is_cell = 0 <= r < plane[0] and 0 <= c < plane[1]
            if is_cell and (groups is None or groups[event, r, c] == groups[event, row, col]):
                taken.add((event, r, c))
    return is_accepted
