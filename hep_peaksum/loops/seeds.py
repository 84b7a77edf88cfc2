"""Seeds beyond the comparison with their neighbours: groups of joined cells, and acceptance in an order.

A group has the number of its first cell in the plane, counted from 1; groups of different events may have the
same number. This is the readable twin of `numba_seeds`, with the same results.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from hep_peaksum.kernels import Array, KernelName, Offset, Peaks, Periodic, SearchCell, is_compiled


def connected(is_member: Array, steps: Sequence[Offset], periodic: Periodic, kernel: KernelName) -> Array:
    """Return the group of every member, int32 of shape (event, row, col); 0 elsewhere.

    `steps` lead from a cell to half of the cells that it is joined with; from the others they lead to it.

    >>> is_member = np.array([[[True, False, True, True]]])
    >>> connected(is_member, ((0, 1),), Periodic(False, False), "scipy").tolist()
    [[[1, 0, 3, 3]]]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import numba_seeds

        return numba_seeds.connected(is_member, steps, periodic)
    groups, plane = np.zeros(is_member.shape, np.int32), is_member.shape[1:]
    both_ways = [(sign * d, sign * p) for d, p in steps for sign in (1, -1)]
    for event, row, col in np.argwhere(is_member).tolist():
        number, to_visit = row * plane[1] + col + 1, [(row, col)]
        while to_visit:
            here = to_visit.pop()
            if groups[event][here] == 0 and is_member[event][here]:
                groups[event][here] = number
                to_visit += filter(None, (place_at(here, step, plane, periodic) for step in both_ways))
    return groups


def keep_maxima(
    is_candidate: Array,
    values: Array,
    groups: Array,
    search: Sequence[SearchCell],
    periodic: Periodic,
    kernel: KernelName,
) -> None:
    """Leave only candidates that beat the cells of their own group in their search window.

    All arrays have the shape (event, row, col); candidates are members of groups.

    >>> is_candidate, groups = np.ones((1, 1, 3), bool), np.array([[[1, 1, 3]]], np.int32)
    >>> window = (SearchCell(0, -1, 0), SearchCell(0, 1, 0))
    >>> keep_maxima(is_candidate, np.array([[[1, 2, 3]]]), groups, window, Periodic(False, False), "scipy")
    >>> is_candidate.tolist()
    [[[False, True, True]]]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import numba_seeds

        numba_seeds.keep_maxima(is_candidate, values, groups, search, periodic)
        return
    for event, row, col in np.argwhere(is_candidate).tolist():
        cells, own, here = values[event], groups[event], (row, col)
        for cell in search:
            place = place_at(here, (cell.row, cell.col), values.shape[1:], periodic)
            if place is None or own[place] != own[here]:
                continue
            must_exceed = cell.must_be_exceeded(has_lower_index=place < here)
            if cells[place] > cells[here] or (cells[place] == cells[here] and must_exceed):
                is_candidate[event, row, col] = False


def add_highest(
    is_seed: Array, may_seed: Array, values: Array, groups: Array, kernel: KernelName, *, last_wins: bool
) -> None:
    """Make the highest cell of every group without a seed one; of equal ones the first, or the last.

    All arrays have the shape (event, row, col); a cell of group 0 is in none.

    >>> is_seed, groups = np.zeros((1, 1, 3), bool), np.array([[[1, 1, 3]]], np.int32)
    >>> may_seed = np.ones((1, 1, 3), bool)
    >>> add_highest(is_seed, may_seed, np.array([[[2, 2, 1]]]), groups, "scipy", last_wins=True)
    >>> is_seed.tolist()
    [[[False, True, True]]]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import numba_seeds

        numba_seeds.add_highest(is_seed, may_seed, values, groups, last_wins=last_wins)
        return
    for event, own in enumerate(groups):
        has_seed = set(own[is_seed[event]].tolist())
        highest: dict[int, tuple[int, int]] = {}
        for row, col in np.argwhere(may_seed[event] & (own > 0)).tolist():
            group, value = own[row, col].item(), values[event, row, col]
            best = highest.get(group)
            if best is None or value > values[event][best] or (last_wins and value == values[event][best]):
                highest[group] = row, col
        for group in highest.keys() - has_seed:
            is_seed[event][highest[group]] = True


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
        from hep_peaksum.loops import numba_seeds

        return numba_seeds.accepted_in_order(peaks, order, window, groups, plane, periodic)
    is_accepted, taken = np.zeros(len(peaks), bool), set()
    places = list(zip(peaks.event.tolist(), peaks.row.tolist(), peaks.col.tolist(), strict=True))
    for n in order.tolist():
        if places[n] in taken:
            continue
        is_accepted[n] = True
        event, *here = places[n]
        for step in window:
            place = place_at(here, step, plane, periodic)
            if place and (groups is None or groups[event][place] == groups[places[n]]):
                taken.add((event, *place))
    return is_accepted


def leading(order: Array, event_offsets: Array, region: Array, most: int, kernel: KernelName) -> Array:
    """Return which items are among the first `most` of their region in their event, in an order.

    `order` are the numbers of the items, event by event. Those of a negative region are not.

    >>> order, offsets, region = np.array([2, 1, 0, 3]), np.array([0, 3, 4]), np.array([7, 7, 7, 7])
    >>> leading(order, offsets, region, 2, "scipy").tolist()
    [False, True, True, True]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import numba_seeds

        return numba_seeds.leading(order, event_offsets, region, most)
    is_leading = np.zeros(len(order), bool)
    for start, stop in itertools.pairwise(event_offsets.tolist()):
        counts: Counter[int] = Counter()
        for n in order[start:stop].tolist():
            counts[region[n].item()] += 1
            is_leading[n] = region[n] >= 0 and counts[region[n].item()] <= most
    return is_leading


def place_at(
    place: Sequence[int], step: Offset, plane: Sequence[int], periodic: Periodic
) -> tuple[int, int] | None:
    """Return row and column of the cell at a step from another, None beyond an edge."""
    moved = [index + way for index, way in zip(place, step, strict=True)]
    for axis, (size, is_periodic) in enumerate(zip(plane, periodic, strict=True)):
        moved[axis] = moved[axis] % size if is_periodic else moved[axis]
        if not 0 <= moved[axis] < size:
            return None
    return moved[0], moved[1]
