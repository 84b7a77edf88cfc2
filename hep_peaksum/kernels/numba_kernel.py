"""The fast kernel: vectors of cells propose a few candidates per event, the definition settles them.

A vector in which no cell reaches the seed bound is skipped. In the others every cell is compared with the
adjacent cells of its search window, all at once and without a branch; the rest of the window, further away or
across a seam, is compared candidate by candidate (`numba_vectors` has a picture). This module searches grids;
`numba_hits` searches hits, and `numba_peaks` holds the loops about single peaks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

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
    load,
    lowest_bit,
    n_lanes,
    prefetch,
    store,
    unbeaten,
)
from hep_peaksum.kernels.offset_tables import adjacent_words, offset_tables

if TYPE_CHECKING:
    from hep_peaksum.kernels.offset_tables import AdjacentWords, OffsetTables

__all__ = [
    "argsort_descending",
    "find_peaks",
    "find_peaks_in_hits",
    "merge_hits",
    "sort_by_layer",
    "sum_cells",
]

# A block of events stays in the cache next to the processor. Of an event with more cells than these, a block is
# some rows, at most a sixteenth of them: the memory for candidates, and to spare, is that of a block.
BLOCK_BYTES, BLOCK_CELLS = 1 << 14, 1 << 14

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
    """The cells of all events, one after the other, and how they are divided into vectors and blocks.

    A block is `events_per_block` events, or one of `blocks_per_event` parts of an event, of `block_vectors`.
    """

    cells: Array
    n_events: int
    n_cells: int
    n_cols: int
    n_vectors: int
    n_lanes: int
    events_per_block: int
    blocks_per_event: int
    block_vectors: int
    margin: int

    @property
    def n_blocks(self) -> int:
        """Number of blocks of all events."""
        return -(-self.n_events // self.events_per_block) * self.blocks_per_event

    @property
    def most_cells(self) -> int:
        """Number of cells of the largest block, whole vectors."""
        return self.events_per_block * self.block_vectors * self.n_lanes


class _Known(NamedTuple):
    """What is known of a search before its cells; `reach` is how far the interior class reaches from a seed."""

    tables: OffsetTables
    adjacent: AdjacentWords
    bounds: Bounds
    reach: int


class _Block(NamedTuple):
    """Some consecutive events, or a part of one: their cells begin at `origin`, in all events at `place`.

    `n_vectors` are those of an event in this block, from number `first_vector` on.
    """

    cells: Any
    origin: int
    place: int
    size: int
    n_events: int
    first_event: int
    first_vector: int
    n_vectors: int


class _Scratch(NamedTuple):
    """Memory for one block: a copy with margins, non-empty vectors, candidates, and peaks to sum one by one."""

    copy: Array
    vectors: Array
    candidates: Array
    singles: Array


def find_peaks(grids: Array, rule: Rule, periodic: Periodic) -> Search:
    """Return every seed with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    known = _known(grids.shape[1:], grids.dtype, rule, periodic)
    events = _events(grids, known.reach)
    size, n_vectors = events.most_cells, events.events_per_block * events.block_vectors
    number = type(known.bounds.zero)
    buffers = PeakBuffers(len(grids), events.n_blocks, events.n_cols, size + SIDE_BY_SIDE, number)
    if known.bounds.seed is None:  # beyond what a cell can hold
        return Search(buffers.peaks, is_finite=True)
    scratch = _Scratch(
        np.zeros(size + 2 * events.margin, grids.dtype),
        np.empty(n_vectors + 2 * (events.margin // events.n_lanes + 1) + 1, np.int64),
        np.empty(size + MIN_SLOTS, np.int64),
        np.empty(size + 1, np.int64),
    )
    is_finite = buffers.fill(_search, events, known.tables, known.adjacent, known.bounds, scratch)
    return Search(buffers.peaks, is_finite or grids.dtype.kind != "f")


@lru_cache(maxsize=64)
def _known(shape: tuple[int, ...], dtype: np.dtype[Any], rule: Rule, periodic: Periodic) -> _Known:
    """Return what is known of a search before its cells."""
    windows = rule.windows
    tables = offset_tables(shape, windows, periodic)
    first, stop = tables.window_offsets[tables.interior_class : tables.interior_class + 2]
    return _Known(
        tables,
        adjacent_words(shape, windows, n_lanes(dtype)),
        Bounds.of(rule, _round_up(rule.bound, dtype), accumulator(dtype)),
        int(np.abs(tables.window[first:stop]).max(initial=0)),
    )


def _events(grids: Array, reach: int) -> _Events:
    """Return events divided into blocks, given how far windows of the interior class reach from a seed."""
    (n_events, n_rows, n_cols), lanes = grids.shape, n_lanes(grids.dtype)
    n_cells = n_rows * n_cols
    n_vectors = block_vectors = -(-n_cells // lanes)
    margin = -(-max(n_cols + 1 + lanes, reach) // lanes) * lanes
    per_block = max(1, min(n_events, BLOCK_BYTES // (n_cells * grids.itemsize)))
    if n_cells > BLOCK_CELLS:  # a block is larger than the margins that are read with it
        per_block, block_vectors = 1, min(n_vectors, max(min(BLOCK_CELLS, n_cells // 16), 4 * margin) // lanes)
    per_event = -(-n_vectors // block_vectors)
    cells = read_only(grids).reshape(-1)
    return _Events(
        cells, n_events, n_cells, n_cols, n_vectors, lanes, per_block, per_event, block_vectors, margin
    )


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
    room, spare = len(columns.cell), len(scratch.candidates) - MIN_SLOTS + SIDE_BY_SIDE
    all_finite, n_blocks = True, -(-events.n_events // events.events_per_block) * events.blocks_per_event
    events, tables, adjacent = data_pointers(events), data_pointers(tables), data_pointers(adjacent)
    scratch, columns = data_pointers(scratch), data_pointers(columns)
    for number in range(begin, n_blocks):
        if n_peaks + spare > room:
            return n_peaks, number, all_finite
        block = _block(events, number, scratch.copy)
        n_candidates, is_finite = _find_candidates(block, events, adjacent, bounds.seed, scratch)
        all_finite &= is_finite
        adds_all = is_finite and not bounds.has_cell
        if adds_all and events.blocks_per_event > 1:
            adds_all = _has_finite_margins(block, events, bounds.seed, scratch)
        n_new, n_singles = _write_seeds(
            block, n_candidates, events, tables, adds_all, scratch, columns, n_peaks
        )
        if adds_all:
            _sum_interior(block, n_new, tables, bounds.zero, scratch, columns, n_peaks)
        # windows across a seam may leave the block
        adds_singles = adds_all and events.blocks_per_event == 1
        _sum_singles(block, n_singles, events, tables, bounds, adds_singles, scratch, columns, n_peaks)
        n_peaks += n_new
    return n_peaks, n_blocks, all_finite


@jit
def _block(events: Any, number: int, copy: Any) -> Any:
    """Return a block, copied if fewer than `margin` cells lie before or behind it in memory.

    Reading whole vectors, and windows of the interior class, may go that far beyond a block.
    """
    first_event = number // events.blocks_per_event * events.events_per_block
    n_events = min(events.events_per_block, events.n_events - first_event)
    first_vector = number % events.blocks_per_event * events.block_vectors
    n_vectors = min(events.block_vectors, events.n_vectors - first_vector)
    before = first_vector * events.n_lanes
    place, total = first_event * events.n_cells + before, events.n_events * events.n_cells
    size = n_events * min(events.n_cells - before, n_vectors * events.n_lanes)
    first, stop = place - events.margin, place + size + events.margin
    if first >= 0 and stop <= total:
        return _Block(events.cells, place, place, size, n_events, first_event, first_vector, n_vectors)
    for k in range(max(first, 0), min(stop, total)):
        store(copy, k - first, load(events.cells, k))
    return _Block(copy, events.margin, place, size, n_events, first_event, first_vector, n_vectors)


@jit
def _has_finite_margins(block: Any, events: Any, seed_bound: Any, scratch: Any) -> Any:
    """Return whether the cells that windows of the interior class reach beyond a block are finite."""
    n_vectors, flags = events.margin // events.n_lanes, NO_BIT
    for place in (block.origin - events.margin, block.origin + block.size):
        _, found = find_nonempty_vectors(
            block.cells, place, n_vectors, seed_bound, scratch.vectors, 0, 0, block.size
        )
        flags |= found
    return flags == NO_BIT


@jit
def _find_candidates(block: Any, events: Any, adjacent: Any, seed_bound: Any, scratch: Any) -> Any:
    """Write down the cells that no adjacent cell beats; return how many, and whether all cells are finite.

    There is no branch on a single cell: it could not be predicted where the few candidates lie.
    """
    cells, n_lanes, size = block.cells, events.n_lanes, block.size
    n_nonempty, n_candidates, nonfinite = 0, 0, NO_BIT
    for event in range(block.n_events):
        place, tag = block.origin + event * events.n_cells, event << EVENT_BITS
        n_nonempty, flags = find_nonempty_vectors(
            cells, place, block.n_vectors, seed_bound, scratch.vectors, n_nonempty, tag, size
        )
        nonfinite |= flags
    is_dense = 2 * n_nonempty > block.n_events * block.n_vectors
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
        place, tag, vector = block.origin + first, (event << EVENT_BITS) + first, vector + block.first_vector
        word = cells_at_least(cells, place, seed_bound) & load(adjacent.own, vector)
        word &= unbeaten(cells, place, events.n_cols, adjacent.rivals, vector, adjacent.loses_tie)
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
        event, place = candidate >> EVENT_BITS, block.place + (candidate & PLACE)
        cell = place - (block.first_event + event) * events.n_cells
        edge_class, peak = load(tables.edge_class, cell), n_peaks + n_new
        if not beats_window(events.cells, place, edge_class, tables):
            continue
        store(columns.cell, peak, cell)
        store(columns.seed, peak, load(events.cells, place))
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
    events: Any,
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
        peak, place = n_peaks + number, block.place + (load(scratch.candidates, number) & PLACE)
        edge_class = load(tables.edge_class, load(columns.cell, peak))
        total, n_cells = sum_window(events.cells, place, edge_class, tables, bounds, adds_all)
        store(columns.sum, peak, total)
        store(columns.n_cells, peak, n_cells)
