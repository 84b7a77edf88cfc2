"""The fast kernel: vectors of cells propose a few candidates per event, the definition settles them.

A vector in which no cell reaches the seed bound is skipped. In the others every cell is compared with the
adjacent cells of its search window, all at once and without a branch; the rest of the window, further away or
across a seam, is compared candidate by candidate (`numba_vectors` has a picture). This module searches grids;
`numba_hits` searches hits, and `numba_peaks` holds the loops about single peaks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.kernels import Array, Periodic, Rule, Search, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only
from hep_peaksum.kernels.numba_hits import find_peaks_in_hits, merge_hits, sort_by_layer
from hep_peaksum.kernels.numba_peaks import (
    Bounds,
    PeakBuffers,
    argsort_descending,
    beats_window,
    sum_cells,
    sum_window,
)
from hep_peaksum.kernels.numba_vectors import (
    EVENT_BITS,
    NO_BIT,
    ONE,
    PLACE,
    cells_at_least,
    count_bits,
    data_pointers,
    find_nonempty_vectors,
    first_local_maxima,
    load,
    local_maxima,
    lowest_bit,
    n_lanes,
    prefetch,
    store,
)
from hep_peaksum.kernels.offset_tables import adjacent_words, offset_tables

__all__ = [
    "argsort_descending",
    "find_peaks",
    "find_peaks_in_hits",
    "merge_hits",
    "sort_by_layer",
    "sum_cells",
]

# A block of events stays in the cache next to the processor.
BLOCK_BYTES = 1 << 14

# Candidate slots written per vector unconditionally; surplus slots are overwritten, which keeps the loop
# branch-free.
MIN_SLOTS = 4

# Windows summed at the same time: an addition has to wait for the one before it, but not for those of other
# windows. Without, the search takes 1.2 to 1.3 times as long where there are many peaks.
SIDE_BY_SIDE = 4

# Prefetch distance. The scan prefetches one block ahead; the candidate pass prefetches this many vectors of the
# block after it per non-empty vector (1 if more than half are non-empty). Without, the search takes 1.05 to
# 1.25 times as long.
PREFETCH_VECTORS, PREFETCH_VECTORS_IF_DENSE = 3, 1


class _Events(NamedTuple):
    """The cells of all events, one after the other, and how they are divided into vectors and blocks."""

    cells: Array
    n_events: int
    n_cells: int
    n_cols: int
    n_vectors: int
    n_lanes: int
    events_per_block: int
    margin: int


class _Block(NamedTuple):
    """Some consecutive events: their cells begin at `origin`."""

    cells: Any
    origin: int
    n_events: int
    first_event: int


class _Scratch(NamedTuple):
    """Memory for one block: a copy with margins, non-empty vectors, candidates, and peaks to sum one by one."""

    copy: Array
    vectors: Array
    candidates: Array
    singles: Array


def find_peaks(grids: Array, rule: Rule, periodic: Periodic) -> Search:
    """Return every seed with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    number, n_events, shape = accumulator(grids.dtype), len(grids), grids.shape[1:]
    n_cells, lanes = shape[0] * shape[1], n_lanes(grids.dtype)
    block = max(1, min(n_events, BLOCK_BYTES // (n_cells * grids.itemsize)))
    buffers = PeakBuffers(n_events, shape[1], block * n_cells + SIDE_BY_SIDE, number)
    seed_bound = _round_up(rule.bound, grids.dtype)
    if seed_bound is None:  # beyond what a cell can hold
        return Search(buffers.peaks, is_finite=True)
    tables, adjacent = offset_tables(shape, rule, periodic), adjacent_words(shape, rule, lanes)
    first, stop = tables.window_offsets[tables.interior_class : tables.interior_class + 2]
    margin = max(shape[1] + 1 + lanes, int(np.abs(tables.window[first:stop]).max(initial=0)))
    n_vectors = len(adjacent.own)
    events = _Events(read_only(grids).reshape(-1), n_events, n_cells, shape[1], n_vectors, lanes, block, margin)
    scratch = _Scratch(
        np.zeros(block * n_cells + 2 * margin, grids.dtype),
        np.empty(block * n_vectors + 1, np.int64),
        np.empty(block * n_cells + MIN_SLOTS, np.int64),
        np.empty(block * n_cells + 1, np.int64),
    )
    is_finite = buffers.fill(_search, events, tables, adjacent, Bounds.of(rule, seed_bound, number), scratch)
    return Search(buffers.peaks, is_finite or grids.dtype.kind != "f")


def _round_up(bound: float, dtype: np.dtype[Any]) -> Any:
    """Return the least value of the type that is neither below the bound nor `absent`, or None."""
    if dtype.kind != "f":
        lowest, highest = max(absent(dtype) + 1, np.iinfo(dtype).min), np.iinfo(dtype).max
        return None if bound > highest else dtype.type(max(bound, lowest))
    with np.errstate(over="ignore"):
        nearest = dtype.type(bound)
    rounded = np.nextafter(nearest, dtype.type(np.inf)) if nearest < np.float64(bound) else nearest
    return max(rounded, np.finfo(dtype).min)


@cached_jit
def _search(
    events: Any, tables: Any, adjacent: Any, bounds: Any, scratch: Any, columns: Any, n_peaks: int, begin: int
) -> Any:
    """Search block by block from an event on (see `PeakBuffers.fill`).

    All windows are summed side by side as if they were of the interior class, and those of other classes once
    more: most seeds are interior, and a branch on the class could not be predicted.
    """
    room, spare = len(columns.cell), events.events_per_block * events.n_cells + SIDE_BY_SIDE
    all_finite = True
    events, tables, adjacent = data_pointers(events), data_pointers(tables), data_pointers(adjacent)
    scratch, columns = data_pointers(scratch), data_pointers(columns)
    for first_event in range(begin, events.n_events, events.events_per_block):
        if n_peaks + spare > room:
            return n_peaks, first_event, all_finite
        block = _block(events, first_event, scratch.copy)
        n_candidates, is_finite = _find_candidates(block, events, adjacent, bounds.seed, scratch)
        all_finite &= is_finite
        adds_all = is_finite and not bounds.has_cell
        n_new, n_singles = _write_seeds(
            block, n_candidates, events, tables, adds_all, scratch, columns, n_peaks
        )
        if adds_all:
            _sum_interior(block, n_new, tables, bounds.zero, scratch, columns, n_peaks)
        _sum_singles(block, n_singles, tables, bounds, adds_all, scratch, columns, n_peaks)
        n_peaks += n_new
    return n_peaks, events.n_events, all_finite


@jit
def _block(events: Any, first_event: int, copy: Any) -> Any:
    """Return a block of events, copied if fewer than `margin` cells lie before or behind it in memory.

    Reading whole vectors, and windows of the interior class, may go that far beyond a block.
    """
    n_events = min(events.events_per_block, events.n_events - first_event)
    origin, size = first_event * events.n_cells, n_events * events.n_cells
    if origin >= events.margin and origin + size + events.margin <= events.n_events * events.n_cells:
        return _Block(events.cells, origin, n_events, first_event)
    for k in range(size):
        store(copy, events.margin + k, load(events.cells, origin + k))
    return _Block(copy, events.margin, n_events, first_event)


@jit
def _find_candidates(block: Any, events: Any, adjacent: Any, seed_bound: Any, scratch: Any) -> Any:
    """Write down the cells that no adjacent cell beats; return how many, and whether all cells are finite.

    There is no branch on a single cell: it could not be predicted where the few candidates lie.
    """
    cells, n_lanes, size = block.cells, events.n_lanes, block.n_events * events.n_cells
    n_nonempty, n_candidates, nonfinite = 0, 0, NO_BIT
    for event in range(block.n_events):
        place, tag = block.origin + event * events.n_cells, event << EVENT_BITS
        n_nonempty, flags = find_nonempty_vectors(
            cells, place, events.n_vectors, seed_bound, scratch.vectors, n_nonempty, tag, size
        )
        nonfinite |= flags
    is_dense = 2 * n_nonempty > block.n_events * events.n_vectors
    n_prefetched, upcoming = (
        PREFETCH_VECTORS_IF_DENSE if is_dense else PREFETCH_VECTORS,
        block.origin + 2 * size,
    )
    for i in range(n_nonempty):
        event, vector = load(scratch.vectors, i) >> EVENT_BITS, load(scratch.vectors, i) & PLACE
        for _ in range(n_prefetched):
            prefetch(cells, upcoming)
            upcoming += n_lanes
        first = event * events.n_cells + vector * n_lanes
        place, tag = block.origin + first, (event << EVENT_BITS) + first
        word = cells_at_least(cells, place, seed_bound) & load(adjacent.own, vector)
        if adjacent.lower_index_wins:
            word &= first_local_maxima(cells, place, events.n_cols, adjacent.rivals, vector)
        else:
            word &= local_maxima(cells, place, events.n_cols, adjacent.rivals, vector)
        n_bits = count_bits(word)
        for slot in range(MIN_SLOTS):
            store(scratch.candidates, n_candidates + slot, tag + lowest_bit(word))
            word &= word - ONE
        for slot in range(MIN_SLOTS, n_bits):
            store(scratch.candidates, n_candidates + slot, tag + lowest_bit(word))
            word &= word - ONE
        n_candidates += n_bits
    return n_candidates, nonfinite == NO_BIT


@jit
def _write_seeds(
    block: Any,
    n_candidates: int,
    events: Any,
    tables: Any,
    adds_all: bool,
    scratch: Any,
    columns: Any,
    n_peaks: int,
) -> Any:
    """Write down the candidates that beat their whole search window as peaks, without sums.

    Return how many there are, and how many of these are to be summed one by one. `scratch.candidates` keeps the
    peaks only, and `scratch.singles` has the numbers of the latter.
    """
    interior, n_new, n_singles = tables.interior_class, 0, 0
    n_interior = load(tables.window_offsets, interior + 1) - load(tables.window_offsets, interior)
    for i in range(n_candidates):
        candidate = load(scratch.candidates, i)
        event, place = candidate >> EVENT_BITS, block.origin + (candidate & PLACE)
        cell = (candidate & PLACE) - event * events.n_cells
        edge_class, peak = load(tables.edge_class, cell), n_peaks + n_new
        if not beats_window(block.cells, place, edge_class, tables):
            continue
        store(columns.cell, peak, cell)
        store(columns.seed, peak, load(block.cells, place))
        store(columns.n_cells, peak, n_interior)
        store(columns.event_offsets, block.first_event + event + 1, peak + 1)
        store(scratch.candidates, n_new, candidate)
        store(scratch.singles, n_singles, n_new)
        n_new += 1
        n_singles += (edge_class != interior) | (not adds_all)
    for event in range(block.first_event, block.first_event + block.n_events):  # also those without a peak
        before, here = load(columns.event_offsets, event), load(columns.event_offsets, event + 1)
        store(columns.event_offsets, event + 1, max(before, here))
    return n_new, n_singles


@jit
def _sum_interior(
    block: Any, n_new: int, tables: Any, zero: Any, scratch: Any, columns: Any, n_peaks: int
) -> None:
    """Write down the sums of windows, side by side, as if all peaks were of the interior class."""
    cells, seeds, interior = block.cells, scratch.candidates, tables.interior_class
    first, stop = load(tables.window_offsets, interior), load(tables.window_offsets, interior + 1)
    for i in range(n_new, n_new + SIDE_BY_SIDE):
        store(seeds, i, 0)
    for i in range(0, n_new, SIDE_BY_SIDE):
        a, b = block.origin + (load(seeds, i) & PLACE), block.origin + (load(seeds, i + 1) & PLACE)
        c, d = block.origin + (load(seeds, i + 2) & PLACE), block.origin + (load(seeds, i + 3) & PLACE)
        sum_a = sum_b = sum_c = sum_d = zero
        for k in range(stop - first):
            step = load(tables.window, first + k)
            sum_a += type(zero)(load(cells, a + step))
            sum_b += type(zero)(load(cells, b + step))
            sum_c += type(zero)(load(cells, c + step))
            sum_d += type(zero)(load(cells, d + step))
        store(columns.sum, n_peaks + i, sum_a)
        store(columns.sum, n_peaks + i + 1, sum_b)
        store(columns.sum, n_peaks + i + 2, sum_c)
        store(columns.sum, n_peaks + i + 3, sum_d)


@jit
def _sum_singles(
    block: Any,
    n_singles: int,
    tables: Any,
    bounds: Any,
    adds_all: bool,
    scratch: Any,
    columns: Any,
    n_peaks: int,
) -> None:
    """Write down the sums of windows, and their numbers of cells, one by one."""
    for i in range(n_singles):
        number = load(scratch.singles, i)
        peak, place = n_peaks + number, block.origin + (load(scratch.candidates, number) & PLACE)
        edge_class = load(tables.edge_class, load(columns.cell, peak))
        total, n_cells = sum_window(block.cells, place, edge_class, tables, bounds, adds_all)
        store(columns.sum, peak, total)
        store(columns.n_cells, peak, n_cells)
