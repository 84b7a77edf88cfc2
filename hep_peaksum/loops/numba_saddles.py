"""Saddles, compiled: every cell leads uphill to a summit, and only few cells join summits.

A cell joins what is apart above it if the higher ones of the eight cells around it lie in two arcs or more.
These few are taken from the highest down, and join summits as in R. E. Tarjan, J. ACM 22 (1975) 215. Of equal
cells the earlier one counts as higher, so that plateaus need no rules of their own.

An event has two chains:

- `uphill` leads from a cell to a higher one, and from a summit to a higher one that it was joined to. Where a
  way ends stands ``END - k`` if peak k waits there for its saddle, and NO_PEAK if none does;
- `after` leads from a peak to the next one that waits for the same saddle, in a circle.

What is called for every cell is given these one by one: numba counts the references to arrays of a tuple at
every use, which takes ten times as long as all the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Peaks, Periodic, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only
from hep_peaksum.kernels.numba_sort import as_bits, room_to_sort, sort_falling

NO_PEAK, END, HAS_SADDLE, NO_CELL = -1, -2, -1, -1
# The cells around one, once around it; bit k of a set of them stands for cell k.
RING = np.array([(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)])
CORNERS = 0b01010101


def _arc_ends() -> Array:
    """Return the last cell of each arc, for every set of cells around one.

    The two cells beside a corner touch each other.
    """
    around = np.arange(256)
    arcs = around | ((around << 1 | around >> 7) & (around >> 1 | around << 7) & CORNERS)
    return np.asarray(arcs & ~(arcs >> 1 | arcs << 7) & 255, np.uint8)


ARC_ENDS = _arc_ends()
FIRST = np.array([next((k for k in range(8) if around >> k & 1), 0) for around in range(256)], np.uint8)


def saddles(grids: Array, peaks: Peaks, periodic: Periodic) -> Array:
    """Return the saddle of every peak (see `hep_peaksum.loops.saddles.saddles`)."""
    number, (n_events, n_rows, n_cols) = accumulator(grids.dtype), grids.shape
    level: Array = np.zeros(len(peaks), number)
    if len(peaks):
        cells = read_only(grids.reshape(n_events, -1))
        _find_saddles(
            (cells, *as_bits(cells)),
            (cells.min(axis=1), cells.max(axis=1), cells.dtype.type(absent(cells.dtype))),
            (read_only(peaks.event_offsets), read_only(peaks.cell)),
            (n_rows, n_cols, (bool(periodic.rows), bool(periodic.cols))),
            room_to_sort(n_rows * n_cols, cells.dtype),
            level,
        )
    return np.asarray(level + number(0))  # no -0.0


@cached_jit
def _find_saddles(grids: Any, extremes: Any, places: Any, plane: Any, room: Any, level: Any) -> None:
    """Write down the saddles of all peaks, event by event.

    Where no cell is absent, all summits are joined in the end: the highest peaks have the lowest cell as their
    saddle, and none is to be found for them.
    """
    (all_cells, all_bits, form), (lowest, highest, low), (event_offsets, peaks) = grids, extremes, places
    n_cells = all_cells.shape[1]
    higher, uphill = np.empty(n_cells, np.uint8), np.empty(n_cells, np.int32)
    found, after = np.empty(n_cells, np.int32), np.empty(min(n_cells, len(peaks)), np.int32)
    for event in range(len(event_offsets) - 1):
        start, stop = event_offsets[event], event_offsets[event + 1]
        cells, own, own_level = all_cells[event], peaks[start:stop], level[start:stop]
        is_whole, n_last = lowest[event] != low, 0
        for k in range(len(own)):
            own_level[k] = lowest[event]
            n_last += is_whole and cells[own[k]] == highest[event]
        if len(own) > n_last:
            n_found = _climb(cells, lowest[event], plane, higher, uphill, found)
            n_waiting = _put_peaks(own, cells, lowest[event], uphill, after, own_level)
            if n_waiting > n_last:
                sort_falling(cells, all_bits[event], form, found[:n_found], room)
                _join(found[:n_found], (cells, plane, higher), (uphill, after), n_waiting - n_last, own_level)
            if not is_whole:
                _end_at_lowest(own, cells, low, uphill, after, own_level)


@jit
def _climb(cells: Any, lowest: Any, plane: Any, higher: Any, uphill: Any, found: Any) -> int:
    """Lead from every cell uphill; write the cells that may be saddles into `found`, and return their number.

    The lowest cells are left out: nothing that is needed is joined at them, unless lower ones are absent.
    """
    n_rows, n_cols, has_seam = plane
    n_found = 0
    for row in range(n_rows):
        first, last, n_stop = row * n_cols, row * n_cols + n_cols - 1, n_found
        for cell in range(first, last + 1):
            found[n_stop] = cell  # write always, advance by the test
            n_stop += cells[cell] > lowest
        is_edge = row in (0, n_rows - 1)
        for n in range(n_found, n_stop):
            cell = found[n]
            if is_edge or cell in (first, last):
                around = _higher_at_edge(cells, row, cell - first, n_rows, n_cols, has_seam)
                above = _seen_from(row, cell - first, FIRST[around], n_rows, n_cols, has_seam)
            else:
                around = _higher_around(cells, cell, n_cols)
                above = cell + RING[FIRST[around], 0] * n_cols + RING[FIRST[around], 1]
            higher[cell], uphill[cell] = around, above if around else NO_PEAK
            found[n_found], ends = cell, ARC_ENDS[around]
            n_found += ends & (ends - 1) != 0
    return n_found


@jit
def _higher_around(cells: Any, cell: int, up: int) -> Any:
    """Return the set of higher cells around one that is not at an edge."""
    own = cells[cell]
    return (
        (cells[cell - up - 1] >= own)
        | (cells[cell - up] >= own) << 1
        | (cells[cell - up + 1] >= own) << 2
        | (cells[cell + 1] > own) << 3
        | (cells[cell + up + 1] > own) << 4
        | (cells[cell + up] > own) << 5
        | (cells[cell + up - 1] > own) << 6
        | (cells[cell - 1] >= own) << 7
    )


@jit
def _higher_at_edge(cells: Any, row: int, col: int, n_rows: int, n_cols: int, has_seam: Any) -> int:
    """Return the set of higher cells around one at an edge."""
    cell, around = row * n_cols + col, 0
    for k in range(8):
        other = _seen_from(row, col, k, n_rows, n_cols, has_seam)
        if other != NO_CELL:
            is_tie_lost = cells[other] == cells[cell] and other < cell
            around |= (cells[other] > cells[cell] or is_tie_lost) << k
    return around


@jit
def _seen_from(row: int, col: int, k: int, n_rows: int, n_cols: int, has_seam: Any) -> int:
    """Return cell k of those around one, or NO_CELL beyond the edge."""
    row, col = row + RING[k, 0], col + RING[k, 1]
    if not (0 <= row < n_rows or has_seam[0]) or not (0 <= col < n_cols or has_seam[1]):
        return NO_CELL
    row = row - n_rows if row >= n_rows else row + n_rows if row < 0 else row
    col = col - n_cols if col >= n_cols else col + n_cols if col < 0 else col
    return row * n_cols + col


@jit
def _summit(cell: int, uphill: Any) -> int:
    """Return where the way uphill ends, and make it shorter."""
    while uphill[cell] >= 0:
        above = uphill[cell]
        if uphill[above] >= 0:
            uphill[cell] = uphill[above]
        cell = above
    return cell


@jit
def _put_peaks(peaks: Any, cells: Any, lowest: Any, uphill: Any, after: Any, level: Any) -> int:
    """Let the peaks wait at their summits, and return how many do; others are their own saddles."""
    n_waiting = 0
    for k in range(len(peaks)):
        peak = peaks[k]
        summit = _summit(peak, uphill) if cells[peak] > lowest else peak
        if cells[summit] > cells[peak] or cells[peak] == lowest:
            level[k], after[k] = cells[peak], HAS_SADDLE
        else:
            after[k] = k
            _wait_with(k, summit, uphill, after)
            n_waiting += 1
    return n_waiting


@jit
def _wait_with(k: int, summit: int, uphill: Any, after: Any) -> None:
    """Let a peak, and all in its circle, wait at a summit of its height."""
    other = END - uphill[summit]
    if uphill[summit] == NO_PEAK:
        uphill[summit] = END - k
    else:  # two circles become one
        after[k], after[other] = after[other], after[k]


@jit
def _join(found: Any, event: Any, chains: Any, n_peaks: int, level: Any) -> None:
    """Join the summits on either side of the cells found, until so many peaks have their saddle."""
    (cells, (n_rows, n_cols, has_seam), higher), (uphill, after) = event, chains
    for n in range(len(found)):
        cell, highest = found[n], NO_CELL
        row, ends = cell // n_cols, ARC_ENDS[higher[cell]]
        for k in range(8):
            if ends >> k & 1:
                other = _seen_from(row, cell - row * n_cols, k, n_rows, n_cols, has_seam)
                summit = _summit(other, uphill)
                if highest == NO_CELL:
                    highest = summit
                elif summit != highest:
                    is_higher = cells[summit] > cells[highest]
                    lower, highest = (highest, summit) if is_higher else (summit, highest)
                    n_peaks -= _join_summits(lower, highest, cells[cell], cells, uphill, after, level)
        if n_peaks <= 0:
            return


@jit
def _join_summits(
    lower: int, highest: int, saddle: Any, cells: Any, uphill: Any, after: Any, level: Any
) -> int:
    """Lead from a summit to a higher one, and return how many peaks that waited there have their saddle now."""
    k, has_peak, n_peaks = END - uphill[lower], uphill[lower] != NO_PEAK, 0
    uphill[lower] = highest
    if has_peak and cells[lower] == cells[highest]:
        _wait_with(k, highest, uphill, after)
    elif has_peak:
        while after[k] != HAS_SADDLE:
            level[k] = saddle
            after[k], k = HAS_SADDLE, after[k]
            n_peaks += 1
    return n_peaks


@jit
def _end_at_lowest(peaks: Any, cells: Any, low: Any, uphill: Any, after: Any, level: Any) -> None:
    """Give the peaks that still wait the lowest cell that is connected to them."""
    for k in range(len(peaks)):
        if after[k] != HAS_SADDLE:
            level[k] = cells[peaks[k]]
    for cell in range(len(cells)):
        if cells[cell] != low:
            k = END - uphill[_summit(cell, uphill)]
            if k >= 0:  # not NO_PEAK
                level[k] = min(level[k], cells[cell])
    for k in range(len(peaks)):
        if after[k] != HAS_SADDLE:
            level[k] = level[END - uphill[_summit(peaks[k], uphill)]]
