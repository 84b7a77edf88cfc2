"""The fast kernel: a branch-free mask proposes a few candidates an event, the definition settles them.

Where the search window holds all eight neighbours, a seed is below none of them. That mask is a flat pass
over the memory, which the compiler turns into vector instructions; it does not look across edges and seams,
so that it only ever lets more cells through. Candidates are then compared one by one, ties and all.

All jitted helpers live in this file: numba's cache on disk does not notice an edit in an imported one. No
`fastmath` and no `parallel=True`: the sums are part of the contract, and parallelism belongs to chunks.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from hep_peaksum.kernels import (
    HIGHER_INDEX_WINS,
    LOWER_INDEX_WINS,
    NEIGHBOUR_WINS,
    Array,
    Offset,
    Peaks,
    Periodic,
    Rule,
    absent,
    accumulator,
)

log = logging.getLogger(__name__)

ADJACENT = {(d, p) for d in (-1, 0, 1) for p in (-1, 0, 1)} - {(0, 0)}
# Candidates are marked by bytes of 0 and 1, read eight at a time: multiplied by this number, the lowest set
# byte of such a word puts its own place into the top byte.
PLACE_OF_BYTE = np.uint64(0x0001020304050607)
ONE, TOP_BYTE = np.uint64(1), np.uint64(56)


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on first use and cache it on disk; without a writable place for it, say so."""
    try:
        return numba.njit(nogil=True, cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError as error:  # raised while decorating: "no locator available for file ..."
        log.warning("numba finds no writable cache, kernels are compiled in every process: %s", error)
        return numba.njit(nogil=True)(function)  # type: ignore[no-any-return]


def find_peaks(grids: Array, rule: Rule, periodic: Periodic) -> Peaks:
    """Return every seed with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    number = accumulator(grids.dtype)
    search = np.array(rule.search, np.int64).reshape(-1, 3)
    window = np.array(rule.window, np.int64).reshape(-1, 2)
    reach = np.maximum(_reach(search), _reach(window))
    return Peaks(
        *_find(
            _read_only(grids),
            search,
            {(d, p) for d, p, _ in rule.search} >= ADJACENT,
            _rounded_up(rule.bound, grids.dtype),
            window,
            _cell_bound(rule.cell_bound, number),
            reach,
            tuple(periodic),
            grids.dtype.type(absent(grids.dtype)),
            grids.dtype.type(np.inf if number is np.float64 else np.iinfo(np.int64).max),
            number(0),
        )
    )


def sum_cells(
    grids: Array, peaks: Peaks, window: tuple[Offset, ...], cell_bound: float | None, periodic: Periodic
) -> tuple[Array, Array]:
    """Return the sum of `window` about every peak, and how many cells were added."""
    number = accumulator(grids.dtype)
    total = np.zeros(len(peaks.event), number)
    n_cells = np.zeros(len(peaks.event), np.int64)
    _sum(
        _read_only(grids),
        _read_only(peaks.event),
        _read_only(peaks.row),
        _read_only(peaks.col),
        np.array(window, np.int64).reshape(-1, 2),
        _cell_bound(cell_bound, number),
        tuple(periodic),
        number(absent(grids.dtype)),
        total,
        n_cells,
    )
    return total, n_cells


def saddles(grids: Array, peaks: Peaks, periodic: Periodic) -> Array:
    """Return the highest level at which every peak is joined to anything higher, over 8 neighbours."""
    number = accumulator(grids.dtype)
    level = np.empty(len(peaks.event), number)
    places = (_read_only(index) for index in (peaks.event, peaks.row, peaks.col))
    _flood(_read_only(grids), *places, tuple(periodic), number(absent(grids.dtype)), level)
    return level


def _read_only(array: Array) -> Array:
    """Return a contiguous view that cannot be written, so that numba meets (and compiles) one kind only."""
    view: Array = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _cell_bound(cell_bound: float | None, number: type[np.float64 | np.int64]) -> Any:
    """Return the bound as a number: where there is none, the lowest that is not `absent`."""
    if cell_bound is not None:
        return number(cell_bound)
    low = number(absent(number))
    return low + 1 if number is np.int64 else np.nextafter(low, number(0))


def _rounded_up(bound: float, dtype: np.dtype[Any]) -> Any:
    """Return the least number of the type of the cells that is not below the bound."""
    with np.errstate(over="ignore"):
        nearest = dtype.type(bound)
    return np.nextafter(nearest, dtype.type(np.inf)) if nearest < accumulator(dtype)(bound) else nearest


def _reach(offsets: Array) -> Array:
    """Return how far the offsets reach along rows and columns."""
    return np.asarray(np.abs(offsets[:, :2]).max(axis=0, initial=0))


# r, c = row, column of a cell; d, p = offset; low = absent; flat arrays hold one event, row after row


@_jit
def _mark(cells: Any, left: Any, right: Any, highest: Any, marks: Any, n_cols: int, bound: Any) -> None:
    """Mark the cells that are not below the bound, nor below the highest of their row and the rows beside it.

    `cells` has one more on either side; what lies beyond a row is hidden by `left` and `right`. `highest` has a
    row more above and below.
    """
    n = len(left)
    before, here, after = cells[0:n], cells[1 : n + 1], cells[2 : n + 2]
    above, middle, below = highest[0:n], highest[n_cols : n_cols + n], highest[2 * n_cols : 2 * n_cols + n]
    for k in range(n):
        beside = max(min(before[k], left[k]), min(after[k], right[k]))
        middle[k] = max(beside, here[k])
    for k in range(n):
        cell = here[k]
        marks[k] = (cell >= bound) & (cell >= above[k]) & (cell >= middle[k]) & (cell >= below[k])


@_jit
def _mark_above(cells: Any, marks: Any, bound: Any, n: int) -> None:
    """Mark the cells that are not below the bound."""
    here = cells[1 : n + 1]
    for k in range(n):
        marks[k] = here[k] >= bound


@_jit
def _place(i: int, size: int, is_closed: bool) -> int:
    """Return an index on a periodic axis, or -1 beyond an edge."""
    if 0 <= i < size:
        return i
    return i % size if is_closed else -1


@_jit
def _is_seed(grid: Any, r: int, c: int, search: Any, periodic: Any) -> bool:
    """Return whether a cell near an edge or a seam beats its whole search window."""
    n_rows, n_cols = grid.shape
    value = grid[r, c]
    for k in range(search.shape[0]):
        other_r = _place(r + search[k, 0], n_rows, periodic[0])
        other_c = _place(c + search[k, 1], n_cols, periodic[1])
        if other_r < 0 or other_c < 0:
            continue
        other = grid[other_r, other_c]
        if other > value:
            return False
        if other == value:
            tie = search[k, 2]
            if tie == NEIGHBOUR_WINS:
                return False
            if tie in (LOWER_INDEX_WINS, HIGHER_INDEX_WINS):
                is_lower = other_r < r or (other_r == r and other_c < c)
                if is_lower == (tie == LOWER_INDEX_WINS):
                    return False
    return True


@_jit
def _window_sum(grid: Any, r: int, c: int, window: Any, periodic: Any, cell_bound: Any, zero: Any) -> Any:
    """Return the sum of the window about a cell near an edge or a seam, and how many cells were added."""
    n_rows, n_cols = grid.shape
    added, count = zero, 0
    for k in range(window.shape[0]):
        i = _place(r + window[k, 0], n_rows, periodic[0])
        j = _place(c + window[k, 1], n_cols, periodic[1])
        if i >= 0 and j >= 0:
            cell = type(zero)(grid[i, j])
            if cell >= cell_bound:
                added += cell
                count += 1
    return added, count


@_jit
def _candidates(words: Any, filled: Any, candidates: Any) -> int:
    """Write down which cells are marked, and return how many."""
    n_filled, n = 0, 0
    for w in range(len(words)):  # no branch: where the few candidates lie cannot be foreseen
        filled[n_filled] = w
        n_filled += words[w] != 0
    for k in range(n_filled):
        word = words[filled[k]]
        while word != 0:
            lowest = word & (~word + ONE)
            candidates[n] = filled[k] * 8 + np.int64((lowest * PLACE_OF_BYTE) >> TOP_BYTE)
            n += 1
            word ^= lowest
    return n


@_jit
def _beats_all(flat: Any, cell: int, steps: Any, loses_ties: Any) -> bool:
    """Return whether a cell away from edges and seams beats its whole search window."""
    value = flat[cell]
    for k in range(len(steps)):
        other = flat[cell + steps[k]]
        if other > value or (other == value and loses_ties[k]):
            return False
    return True


@_jit
def _sum_all(flat: Any, cell: int, steps: Any, cell_bound: Any, zero: Any) -> Any:
    """Return the sum of the window about a cell away from edges and seams, and how many cells were added."""
    added, count = zero, 0
    for k in range(len(steps)):
        part = type(zero)(flat[cell + steps[k]])
        passes = part >= cell_bound
        added += part if passes else zero
        count += passes
    return added, count


@_jit
def _steps(offsets: Any, n_cols: int) -> Any:
    """Return how far offsets lead along a flat event, away from edges and seams."""
    return offsets[:, 0] * n_cols + offsets[:, 1]


@_jit
def _loses_ties(search: Any, steps: Any) -> Any:
    """Return whether a cell loses a tie with each cell of the search window, away from seams."""
    lower = (search[:, 2] == LOWER_INDEX_WINS) & (steps < 0)
    higher = (search[:, 2] == HIGHER_INDEX_WINS) & (steps > 0)
    return (search[:, 2] == NEIGHBOUR_WINS) | lower | higher


@_jit
def _plane(n_rows: int, n_cols: int, reach: Any) -> Any:
    """Return row and column of every cell, and whether a window about it meets neither edge nor seam."""
    rows, cols = np.empty(n_rows * n_cols, np.int64), np.empty(n_rows * n_cols, np.int64)
    for k in range(n_rows * n_cols):
        rows[k], cols[k] = k // n_cols, k % n_cols
    inside = (rows >= reach[0]) & (rows < n_rows - reach[0]) & (cols >= reach[1]) & (cols < n_cols - reach[1])
    return rows, cols, inside


@_jit
def _find(
    grids: Any,
    search: Any,
    has_adjacent: bool,
    bound: Any,
    window: Any,
    cell_bound: Any,
    reach: Any,
    periodic: Any,
    low: Any,
    high: Any,
    zero: Any,
) -> Any:
    """Return event, row and column of the seeds, the seeds, the sums and the numbers of cells added."""
    n_events, n_rows, n_cols = grids.shape
    n = n_rows * n_cols
    flat = grids.reshape(n_events * n)
    search_steps, window_steps = _steps(search, n_cols), _steps(window, n_cols)
    loses_ties = _loses_ties(search, search_steps)
    rows, cols, inside = _plane(n_rows, n_cols, reach)
    left, right = np.where(cols == 0, low, high), np.where(cols == n_cols - 1, low, high)
    highest, ends = np.full(n + 2 * n_cols, low), np.full(n + 2, low)
    marks = np.zeros((n + 7) // 8 * 8, np.uint8)
    words = marks.view(np.uint64)
    filled, candidates = np.empty(len(words) + 1, np.int64), np.empty(n, np.int64)
    capacity = 1024 + n
    events, cells, n_cells = (
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
    )
    seed, total = np.empty(capacity, type(zero)), np.empty(capacity, type(zero))
    found = 0
    for event in range(n_events):
        if found + n > capacity:
            capacity = 2 * capacity + n
            events, cells, n_cells = (
                _grown(events, capacity),
                _grown(cells, capacity),
                _grown(n_cells, capacity),
            )
            seed, total = _grown(seed, capacity), _grown(total, capacity)
        grid, start = grids[event], event * n
        if event == 0 or event == n_events - 1:  # beside these there is no memory to look at
            ends[1 : n + 1] = flat[start : start + n]
            around = ends[0 : n + 2]
        else:
            around = flat[start - 1 : start + n + 1]
        if has_adjacent:
            _mark(around, left, right, highest, marks, n_cols, bound)
        else:
            _mark_above(around, marks, bound, n)
        for candidate in range(_candidates(words, filled, candidates)):
            k = candidates[candidate]
            cell = start + k
            if flat[cell] == low:
                continue
            if inside[k]:
                if not _beats_all(flat, cell, search_steps, loses_ties):
                    continue
                added, count = _sum_all(flat, cell, window_steps, cell_bound, zero)
            else:
                if not _is_seed(grid, rows[k], cols[k], search, periodic):
                    continue
                added, count = _window_sum(grid, rows[k], cols[k], window, periodic, cell_bound, zero)
            events[found], cells[found], n_cells[found] = event, k, count
            seed[found], total[found] = flat[cell], added
            found += 1
    kept = cells[:found]
    place = events[:found].copy(), rows[kept], cols[kept]
    return (*place, seed[:found].copy(), total[:found].copy(), n_cells[:found].copy())


@_jit
def _grown(column: Any, capacity: int) -> Any:
    """Return a copy of `column` with room for `capacity` values."""
    larger = np.empty(capacity, column.dtype)
    larger[: len(column)] = column
    return larger


@_jit
def _sum(
    grids: Any,
    event: Any,
    row: Any,
    col: Any,
    window: Any,
    cell_bound: Any,
    periodic: Any,
    low: Any,
    total: Any,
    n_cells: Any,
) -> None:
    """Add the window about every given cell into `total` and count into `n_cells`."""
    _, n_rows, n_cols = grids.shape
    for n in range(len(event)):
        for k in range(window.shape[0]):
            r, c = row[n] + window[k, 0], col[n] + window[k, 1]
            if periodic[0]:
                r = r % n_rows
            if periodic[1]:
                c = c % n_cols
            if r < 0 or r >= n_rows or c < 0 or c >= n_cols:
                continue
            cell = type(low)(grids[event[n], r, c])
            if cell >= cell_bound:
                total[n] += cell
                n_cells[n] += 1


@_jit
def _flood(grids: Any, event: Any, row: Any, col: Any, periodic: Any, low: Any, level: Any) -> None:
    """Flood from every peak to the highest cell at the shore, until one is higher; note how low that went."""
    _, n_rows, n_cols = grids.shape
    seen = np.full((n_rows, n_cols), -1, np.int64)
    for n in range(len(event)):
        grid = grids[event[n]]
        seed = type(low)(grid[row[n], col[n]])
        level[n] = seed
        shore = [(-seed, row[n], col[n])]
        seen[row[n], col[n]] = n
        while len(shore) > 0:
            depth, r, c = heapq.heappop(shore)
            if -depth > seed:
                break
            level[n] = min(level[n], -depth)
            for i in range(r - 1, r + 2):
                for j in range(c - 1, c + 2):
                    k = i % n_rows if periodic[0] else i
                    m = j % n_cols if periodic[1] else j
                    if k < 0 or k >= n_rows or m < 0 or m >= n_cols or seen[k, m] == n:
                        continue
                    seen[k, m] = n
                    cell = type(low)(grid[k, m])
                    if cell != low:
                        heapq.heappush(shore, (-cell, k, m))
