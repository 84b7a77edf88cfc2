"""Groups, and seeds accepted one after the other, compiled (see `hep_peaksum.loops.seeds`).

Cells are joined as in R. E. Tarjan, J. ACM 22 (1975) 215: while an event is worked on, the group of a cell is
the number of an earlier cell of the same group, or its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Offset, Peaks, Periodic, SearchCell
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only
from hep_peaksum.loops.rings import cell_at


def connected(is_member: Array, steps: Sequence[Offset], periodic: Periodic) -> Array:
    """Return the group of every member (see `hep_peaksum.loops.seeds.connected`)."""
    plane, groups = is_member.shape[1:], np.zeros(is_member.shape, np.int32)
    room = np.empty(plane[0] * plane[1] + 1, np.int32)
    _connect(_by_event(is_member), np.array(steps, np.int64), plane, periodic, room, _by_event(groups))
    return groups


def keep_maxima(
    is_candidate: Array, values: Array, groups: Array, search: Sequence[SearchCell], periodic: Periodic
) -> None:
    """Leave only the maxima of groups (see `hep_peaksum.loops.seeds.keep_maxima`)."""
    offsets = np.array([(cell.row, cell.col) for cell in search], np.int64).reshape(-1, 2)
    exceeds = [[cell.must_be_exceeded(has_lower_index=lower) for lower in (False, True)] for cell in search]
    cells = read_only(_by_event(values)), read_only(_by_event(groups))
    steps, reach = offsets[:, 0] * values.shape[2] + offsets[:, 1], np.abs(offsets).max(axis=0, initial=0)
    window = offsets, steps, (int(reach[0]), int(reach[1])), np.array(exceeds, bool).reshape(-1, 2)
    _keep_maxima(*cells, window, values.shape[1:], periodic, _by_event(is_candidate))


def add_highest(is_seed: Array, may_seed: Array, values: Array, groups: Array, *, last_wins: bool) -> None:
    """Make the highest cell of every group without a seed one (see `hep_peaksum.loops.seeds.add_highest`)."""
    cells = (read_only(_by_event(each)) for each in (may_seed, values, groups))
    members, highest = np.empty((2, values.shape[1] * values.shape[2] + 1), np.int32)
    _add_highest(*cells, last_wins, members, highest, _by_event(is_seed))


def accepted_in_order(
    peaks: Peaks,
    order: Array,
    window: Collection[Offset],
    groups: Array | None,
    plane: tuple[int, int],
    periodic: Periodic,
) -> Array:
    """Return which peaks are accepted in an order (see `hep_peaksum.loops.seeds.accepted_in_order`)."""
    is_accepted = np.zeros(len(peaks), bool)
    offsets = np.array(sorted({(0, 0), *window}), np.int64)
    steps = offsets[:, 0] * plane[1] + offsets[:, 1]
    _accept(
        (read_only(peaks.event_offsets), read_only(peaks.cell), read_only(order)),
        (read_only(offsets), read_only(steps), tuple(offsets.min(axis=0)), tuple(offsets.max(axis=0))),
        read_only(np.zeros((0, 0), np.int32) if groups is None else _by_event(groups)),
        plane,
        periodic,
        np.zeros(plane[0] * plane[1], np.int32),
        is_accepted,
    )
    return is_accepted


def leading(order: Array, event_offsets: Array, region: Array, most: int) -> Array:
    """Return which items are among the first of their region (see `hep_peaksum.loops.seeds.leading`)."""
    is_leading, counts = np.zeros(len(order), bool), np.zeros(region.max(initial=0) + 1, np.int64)
    _lead(read_only(order), read_only(event_offsets), read_only(region), most, counts, is_leading)
    return is_leading


def _by_event(cells: Array) -> Array:
    """Return the cells of every event in a row."""
    return cells.reshape(len(cells), cells.shape[1] * cells.shape[2])


@cached_jit
def _connect(is_member: Any, steps: Any, plane: Any, periodic: Any, members: Any, groups: Any) -> None:
    """Write down the group of every member, event by event."""
    n_rows, n_cols = plane
    for event in range(len(groups)):
        own, n_members = groups[event], 0
        for cell in range(len(own)):  # write always, advance by the test
            members[n_members] = cell
            n_members += is_member[event, cell]
        for n in range(n_members):
            own[members[n]] = members[n] + 1
        for n in range(n_members):
            cell = members[n]
            row, col = cell // n_cols, cell % n_cols
            is_inner = row < n_rows - 1 and 0 < col < n_cols - 1
            for k in range(len(steps)):
                other = cell + steps[k, 0] * n_cols + steps[k, 1]
                if not is_inner:
                    other = cell_at(row + steps[k, 0], col + steps[k, 1], plane, periodic)
                if other >= 0 and own[other] > 0 and own[other] != own[cell]:  # else known to be joined
                    first, second = _first(own, cell), _first(own, other)
                    own[max(first, second)] = min(first, second) + 1
        for n in range(n_members):  # that of an earlier cell is known
            own[members[n]] = own[own[members[n]] - 1]


@jit
def _first(own: Any, cell: int) -> int:
    """Return the first cell of those that a cell is joined with so far, and make the way there shorter."""
    while own[cell] != cell + 1:
        own[cell] = own[own[cell] - 1]
        cell = own[cell] - 1
    return cell


@cached_jit
def _keep_maxima(values: Any, groups: Any, window: Any, plane: Any, periodic: Any, is_candidate: Any) -> None:
    """Take away the candidates that a cell of their own group beats."""
    (offsets, steps, reach, must_exceed), (n_rows, n_cols) = window, plane
    for event in range(len(values)):
        cells, own, stays = values[event], groups[event], is_candidate[event]
        for cell in range(len(cells)):
            if not stays[cell]:
                continue
            row, col, here, group = cell // n_cols, cell % n_cols, cells[cell], own[cell]
            is_inner = reach[0] <= row < n_rows - reach[0] and reach[1] <= col < n_cols - reach[1]
            for k in range(len(offsets)):
                other = cell + steps[k]
                if not is_inner:
                    other = cell_at(row + offsets[k, 0], col + offsets[k, 1], plane, periodic)
                if other < 0 or own[other] != group:
                    continue
                if cells[other] > here or (cells[other] == here and must_exceed[k, int(other < cell)]):
                    stays[cell] = False
                    break


@cached_jit
def _add_highest(
    may_seed: Any, values: Any, groups: Any, last_wins: bool, members: Any, highest: Any, is_seed: Any
) -> None:
    """Make seeds; `highest` is the best cell of every group, counted from 1, or -1 where it has a seed."""
    for event in range(len(values)):
        cells, own, seeds, n_members = values[event], groups[event], is_seed[event], 0
        for cell in range(len(cells)):  # write always, advance by the test
            members[n_members] = cell
            n_members += own[cell] > 0
        for n in range(n_members):
            highest[own[members[n]]] = 0
        for n in range(n_members):
            if seeds[members[n]]:
                highest[own[members[n]]] = -1
        for n in range(n_members):
            cell, best = members[n], highest[own[members[n]]]
            if best < 0 or not may_seed[event, cell]:
                continue
            is_higher = best == 0 or cells[cell] > cells[best - 1]
            if is_higher or (last_wins and cells[cell] == cells[best - 1]):
                highest[own[cell]] = cell + 1
        for n in range(n_members):
            best = highest[own[members[n]]]
            if best > 0:
                seeds[best - 1] = True


@cached_jit
def _accept(
    places: Any, window: Any, groups: Any, plane: Any, periodic: Any, taken: Any, is_accepted: Any
) -> None:
    """Accept peaks; `taken` is the last event, counted from 1, in which a cell was taken."""
    (event_offsets, cells, order), (offsets, steps, least, most) = places, window
    n_rows, n_cols = plane
    for event in range(len(event_offsets) - 1):
        for n in range(event_offsets[event], event_offsets[event + 1]):
            cell = cells[order[n]]
            if taken[cell] == event + 1:
                continue
            is_accepted[order[n]] = True
            row, col = cell // n_cols, cell % n_cols
            is_inner = row + least[0] >= 0 and row + most[0] < n_rows
            is_inner &= col + least[1] >= 0 and col + most[1] < n_cols
            for k in range(len(steps)):
                other = cell + steps[k]
                if not is_inner:
                    other = cell_at(row + offsets[k, 0], col + offsets[k, 1], (n_rows, n_cols), periodic)
                    other = other if other >= 0 else cell
                if len(groups) == 0 or groups[event, other] == groups[event, cell]:
                    taken[other] = event + 1


@cached_jit
def _lead(order: Any, event_offsets: Any, region: Any, most: int, counts: Any, is_leading: Any) -> None:
    """Mark the first items of every region, of which `counts` has the number in an event."""
    for event in range(len(event_offsets) - 1):
        for n in range(event_offsets[event], event_offsets[event + 1]):
            if region[order[n]] >= 0:
                is_leading[order[n]] = counts[region[order[n]]] < most
                counts[region[order[n]]] += 1
        for n in range(event_offsets[event], event_offsets[event + 1]):
            if region[order[n]] >= 0:
                counts[region[order[n]]] = 0
