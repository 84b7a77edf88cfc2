"""Saddles, compiled: the cells of an event rise out of falling water and join to islands.

Islands are joined as in R. E. Tarjan, J. ACM 22 (1975) 215. An event has three arrays:

- `island`, of every cell of a plane with a margin: 0 under water, and -1 - k for peak k there;
- `islands`, a row for each, numbered from 1 as they rise: none is higher than an earlier one;
- `after`, of every peak that waits for its saddle: the next one on its island, in a circle.

What is called for every cell is given them one by one: numba counts the references to arrays of a tuple at
every use, which takes ten times as long as all the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Peaks, Periodic, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only
from hep_peaksum.kernels.numba_sort import (
    MAX_RANKED,
    N_RUNS,
    ONE_RUN,
    as_bits,
    longest_run,
    sort_run,
    spread_over_runs,
)

# The columns of islands: the one that it was joined to, its first and its last cell, and one of the peaks that
# wait for their saddle, all of them as high as the first cell.
JOINED_TO, FIRST, LAST, WAITING = range(4)
NO_PEAK, HAS_SADDLE = -1, -1  # in place of a peak, and of the one after it


def saddles(grids: Array, peaks: Peaks, periodic: Periodic) -> Array:
    """Return the saddle of every peak (see `hep_peaksum.loops.saddles.saddles`)."""
    number, (n_events, n_rows, n_cols) = accumulator(grids.dtype), grids.shape
    level: Array = np.zeros(len(peaks), number)
    if len(peaks):
        cells = read_only(grids.reshape(n_events, -1))
        steps = [d * (n_cols + 2) + p for d in (-1, 0, 1) for p in (-1, 0, 1) if (d, p) != (0, 0)]
        _find_saddles(
            (cells, *as_bits(cells)),
            (cells.min(axis=1), cells.max(axis=1), cells.dtype.type(absent(cells.dtype))),
            (read_only(peaks.event_offsets), read_only(peaks.cell)),
            (n_rows, n_cols, (bool(periodic.rows), bool(periodic.cols)), np.array(steps)),
            level,
        )
    return np.asarray(level + number(0))  # no -0.0


@cached_jit
def _find_saddles(grids: Any, extremes: Any, places: Any, plane: Any, level: Any) -> None:
    """Write down the saddles of all peaks, event by event.

    Where no cell is absent, all end on one island: the highest peaks have the lowest cell as their saddle.
    """
    (all_cells, all_bits, form), (lowest, highest, low), (event_offsets, peaks) = grids, extremes, places
    n_cells, n_rows, n_cols = all_cells.shape[1], plane[0], plane[1]
    island, after = (
        np.empty((n_rows + 2) * (n_cols + 2), np.int32),
        np.empty(min(n_cells, len(peaks)), np.int32),
    )
    islands = np.empty(((n_rows + 1) // 2 * ((n_cols + 1) // 2) + 1, 4), np.int32)  # none rises beside another
    room = _room_to_sort(n_cells, all_cells)
    for event in range(len(event_offsets) - 1):
        start, stop = event_offsets[event], event_offsets[event + 1]
        cells, own, own_level = all_cells[event], peaks[start:stop], level[start:stop]
        floor, is_whole = lowest[event], lowest[event] != low
        n_last = _count(cells, own, highest[event]) if is_whole else 0
        if not is_whole:
            floor = _lowest_present(cells, low)
        _submerge(island, after, own, n_cols)
        if len(own) > n_last:
            grid = cells, all_bits[event], form, floor, is_whole
            _raise_above(grid, (island, islands, after), n_last, room, plane, own_level)
        for k in range(len(own)):
            if after[k] != HAS_SADDLE:
                own_level[k] = floor
                if not is_whole:
                    own_level[k] = cells[islands[_at_last(island[_place(own[k], n_cols)], islands), LAST]]


@jit
def _room_to_sort(n_cells: int, cells: Any) -> Any:
    """Return room for the order of the cells, where runs start, and to sort a run of usual length."""
    n = max(256, min(n_cells, ONE_RUN))
    return (
        np.empty(n_cells + 1, np.int32),
        np.empty(N_RUNS + 1, np.int64),
        np.empty(MAX_RANKED, cells.dtype),
        np.empty((2, n), np.uint64),
        np.empty((2, n), np.int32),
    )


@jit
def _place(cell: int, n_cols: int) -> int:
    """Return the place of a cell in a plane with one row and column more on every side."""
    return cell + cell // n_cols * 2 + n_cols + 3


@jit
def _submerge(island: Any, after: Any, peaks: Any, n_cols: int) -> None:
    """Put all cells of an event under water, and mark the peaks."""
    for place in range(len(island)):
        island[place] = 0
    for k in range(len(peaks)):
        island[_place(peaks[k], n_cols)], after[k] = -1 - k, k


@jit
def _count(cells: Any, peaks: Any, height: Any) -> int:
    """Return the number of peaks of some height."""
    n_peaks = 0
    for k in range(len(peaks)):
        n_peaks += cells[peaks[k]] == height
    return n_peaks


@jit
def _lowest_present(cells: Any, low: Any) -> Any:
    """Return the lowest cell that is not absent."""
    lowest = low
    for cell in range(len(cells)):
        if cells[cell] != low and (lowest == low or cells[cell] < lowest):
            lowest = cells[cell]
    return lowest


@jit
def _raise_above(grid: Any, flood: Any, n_last: int, room: Any, plane: Any, level: Any) -> None:
    """Raise the cells of an event from the highest down, until no more than `n_last` peaks wait."""
    (cells, bits, form, floor, is_whole), (order, starts, heights, words, spare) = grid, room
    n_runs, state = spread_over_runs(cells, bits, form, floor, order, starts), (0, len(level))
    n = longest_run(starts, n_runs)
    if n > words.shape[1]:
        words, spare = np.empty((2, n), np.uint64), np.empty((2, n), np.int32)
    for run in range(n_runs):
        rising = order[starts[run] : starts[run + 1]]
        sort_run(cells, bits, form, rising, heights, words, spare)
        state = _raise(rising, cells, flood, state, n_last, plane, level)
        if state[1] <= n_last:
            return
    if not is_whole:
        n = 0
        for cell in range(len(cells)):
            order[n] = cell
            n += cells[cell] == floor
        _raise(order[:n], cells, flood, state, n_last, plane, level)


@jit
def _raise(rising: Any, cells: Any, flood: Any, state: Any, n_last: int, plane: Any, level: Any) -> Any:
    """Raise cells out of the water: each joins the islands around it, or is a new one.

    `state` is the number of islands, and of the peaks that wait for their saddle; return what it is then.
    """
    (island, islands, after), (n_islands, n_waiting) = flood, state
    n_rows, n_cols, has_seam, steps = plane
    for n in range(len(rising)):
        cell, own = rising[n], 0
        place = _place(cell, n_cols)
        for k in range(8):
            number = island[place + steps[k]]
            if number > 0 and number != own:
                number = _at_last(number, islands)
                if own > 0 and number != own:
                    n_waiting -= _join(min(own, number), max(own, number), cell, cells, islands, after, level)
                own = min(own, number) if own > 0 else number
        if own == 0:
            n_islands += 1
            own = n_islands
            islands[own, JOINED_TO], islands[own, FIRST], islands[own, WAITING] = own, cell, NO_PEAK
        peak = -1 - island[place]
        island[place], islands[own, LAST] = own, cell
        if has_seam[0] or has_seam[1]:
            _mirror(island, cell // n_cols, cell % n_cols, own, n_rows, n_cols, has_seam)
        if peak >= 0:
            n_waiting -= _put_peak(peak, own, cell, cells, islands, after, level)
            if n_waiting <= n_last:
                break
    return n_islands, n_waiting


@jit
def _mirror(island: Any, row: int, col: int, own: int, n_rows: int, n_cols: int, has_seam: Any) -> None:
    """Write the island of a cell at a seam to where the cells on the other side see it."""
    if 0 < row < n_rows - 1 and 0 < col < n_cols - 1:
        return
    n_up, n_left = n_rows if has_seam[0] else n_rows + 2, n_cols if has_seam[1] else n_cols + 2
    for r in range(row - n_up, row + n_up + 1, n_up):
        for c in range(col - n_left, col + n_left + 1, n_left):
            if -1 <= r <= n_rows and -1 <= c <= n_cols:
                island[(r + 1) * (n_cols + 2) + c + 1] = own


@jit
def _at_last(number: int, islands: Any) -> int:
    """Return the island that an island has been joined to in the end, and make the way there shorter."""
    while islands[number, JOINED_TO] != number:
        islands[number, JOINED_TO] = islands[islands[number, JOINED_TO], JOINED_TO]
        number = islands[number, JOINED_TO]
    return number


@jit
def _join(first: int, second: int, cell: int, cells: Any, islands: Any, after: Any, level: Any) -> int:
    """Join an island to an earlier one at a cell, and return how many of its peaks have their saddle there."""
    islands[second, JOINED_TO] = first
    k, other, n_peaks = islands[second, WAITING], islands[first, WAITING], 0
    if k == NO_PEAK:
        return 0
    if cells[islands[second, FIRST]] == cells[islands[first, FIRST]]:
        if other == NO_PEAK:
            islands[first, WAITING] = k
        else:  # two circles become one
            after[k], after[other] = after[other], after[k]
        return 0
    while after[k] != HAS_SADDLE:
        level[k] = cells[cell]
        after[k], k = HAS_SADDLE, after[k]
        n_peaks += 1
    return n_peaks


@jit
def _put_peak(k: int, own: int, cell: int, cells: Any, islands: Any, after: Any, level: Any) -> int:
    """Let a peak on an island wait; return 1 if this has a higher cell: then the peak is its own saddle."""
    if cells[cell] < cells[islands[own, FIRST]]:
        level[k], after[k] = cells[cell], HAS_SADDLE
        return 1
    other = islands[own, WAITING]
    if other == NO_PEAK:
        islands[own, WAITING] = k
    else:
        after[k], after[other] = after[other], k
    return 0
