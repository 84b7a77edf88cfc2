"""The fast kernel: one compiled loop over events, each copied once into a padded buffer.

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
    margin = np.maximum(_margin(search), _margin(window))
    cells, seed, total, n_cells = _find(
        _read_only(grids),
        search,
        number(rule.bound),
        window,
        _cell_bound(rule.cell_bound, number),
        margin,
        tuple(periodic),
        number(absent(grids.dtype)),
    )
    _, n_rows, n_cols = grids.shape
    event, cell = np.divmod(cells, max(1, n_rows * n_cols))
    row, col = np.divmod(cell, max(1, n_cols))
    return Peaks(event, row, col, seed, total, n_cells)


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
    """Return the bound as a number: no real cell is below the one that stands for `None`."""
    if cell_bound is not None:
        return number(cell_bound)
    return number(absent(number))


def _margin(offsets: Array) -> Array:
    """Return how far the offsets reach along rows and columns."""
    return np.asarray(np.abs(offsets[:, :2]).max(axis=0, initial=0))


# r, c = row, column of a cell; d, p = offset; buffer = one event with `margin` cells around it; low = absent


@_jit
def _fill(buffer: Any, grid: Any, margin: Any, periodic: Any, low: Any) -> None:
    """Copy one event into the middle of the buffer; the margin repeats a periodic axis, else is absent."""
    n_rows, n_cols = grid.shape
    for i in range(buffer.shape[0]):
        r = i - margin[0]
        if periodic[0]:
            r = r % n_rows
        if r < 0 or r >= n_rows:
            buffer[i, :] = low
            continue
        for j in range(margin[1]):
            left, right = j - margin[1], n_cols + j
            if periodic[1]:
                buffer[i, j] = grid[r, left % n_cols]
                buffer[i, margin[1] + right] = grid[r, right % n_cols]
            else:
                buffer[i, j] = low
                buffer[i, margin[1] + right] = low
        for c in range(n_cols):
            buffer[i, margin[1] + c] = grid[r, c]


@_jit
def _is_seed(buffer: Any, i: int, j: int, value: Any, search: Any, margin: Any, shape: Any) -> bool:
    """Return whether `value`, at (i, j) of the buffer, beats its whole search window."""
    for k in range(search.shape[0]):
        other = buffer[i + search[k, 0], j + search[k, 1]]
        if other > value:
            return False
        if other == value:
            tie = search[k, 2]
            if tie == NEIGHBOUR_WINS:
                return False
            if tie in (LOWER_INDEX_WINS, HIGHER_INDEX_WINS):
                r, c = i - margin[0], j - margin[1]
                other_r, other_c = (r + search[k, 0]) % shape[0], (c + search[k, 1]) % shape[1]
                is_lower = other_r < r or (other_r == r and other_c < c)
                if is_lower == (tie == LOWER_INDEX_WINS):
                    return False
    return True


@_jit
def _find(
    grids: Any, search: Any, bound: Any, window: Any, cell_bound: Any, margin: Any, periodic: Any, low: Any
) -> Any:
    """Return flat cell numbers of the seeds, the seeds, the sums and the numbers of cells added."""
    n_events, n_rows, n_cols = grids.shape
    buffer = np.empty((n_rows + 2 * margin[0], n_cols + 2 * margin[1]), dtype=type(low))
    capacity = 1024 + n_rows * n_cols
    cells = np.empty(capacity, np.int64)
    seed = np.empty(capacity, buffer.dtype)
    total = np.empty(capacity, buffer.dtype)
    n_cells = np.empty(capacity, np.int64)
    zero = type(low)(0)
    n = 0
    for event in range(n_events):
        if n + n_rows * n_cols > capacity:
            capacity *= 2
            cells, seed = _grown(cells, capacity), _grown(seed, capacity)
            total, n_cells = _grown(total, capacity), _grown(n_cells, capacity)
        _fill(buffer, grids[event], margin, periodic, low)
        for r in range(n_rows):
            i = r + margin[0]
            for c in range(n_cols):
                j = c + margin[1]
                value = buffer[i, j]
                if value < bound or value == low:
                    continue
                if not _is_seed(buffer, i, j, value, search, margin, (n_rows, n_cols)):
                    continue
                added = zero
                count = 0
                for k in range(window.shape[0]):
                    cell = buffer[i + window[k, 0], j + window[k, 1]]
                    if cell != low and cell >= cell_bound:
                        added += cell
                        count += 1
                cells[n] = (event * n_rows + r) * n_cols + c
                seed[n] = value
                total[n] = added
                n_cells[n] = count
                n += 1
    return cells[:n].copy(), seed[:n].copy(), total[:n].copy(), n_cells[:n].copy()


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
            if cell != low and cell >= cell_bound:
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
