"""The fast search in hits: the hits of an event fill one plane of cells, which is cleared where they lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.kernels import Array, Periodic, Rule, Search, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only
from hep_peaksum.kernels.numba_peaks import Bounds, PeakBuffers, beats_window, sum_window
from hep_peaksum.kernels.numba_vectors import (
    NO_BIT,
    ONE,
    PLACE_IN_WORD,
    WORD_BITS,
    data_pointers,
    load,
    lowest_bit,
    store,
)
from hep_peaksum.kernels.offset_tables import offset_tables


class _Hits(NamedTuple):
    """The hits of all events, and how many seeds an event has at most."""

    event_offsets: Array
    cell: Array
    value: Array
    n_events: int
    most_seeds: int


class _Scratch(NamedTuple):
    """Memory for one event: its cells, candidates, and a set of cells, with a bit for each.

    There is room for as many candidates as hits: on a large plane most of the memory would be of no use.
    """

    cells: Array
    candidates: Array
    passing: Array
    n_words: int


def find_peaks_in_hits(
    event_offsets: Array,
    cell: Array,
    value: Array,
    plane: tuple[int, int],
    rule: Rule,
    periodic: Periodic,
    empty_plane: Array | None = None,
) -> Search:
    """Return every seed among hits with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    number, n_events, n_cells = accumulator(value.dtype), len(event_offsets) - 1, plane[0] * plane[1]
    n_words = (n_cells >> WORD_BITS) + 1
    most_seeds = min(n_cells, int(np.diff(event_offsets).max(initial=0)))
    scratch = _Scratch(
        np.zeros(n_cells, number) if empty_plane is None else empty_plane,
        np.empty(most_seeds + 1, np.int64),
        np.zeros(n_words, np.uint64),
        n_words,
    )
    hits = _Hits(read_only(event_offsets), read_only(cell), read_only(value), n_events, most_seeds)
    tables = offset_tables(plane, rule.windows, periodic, adjacent_compared=False)
    buffers = PeakBuffers(n_events, n_events, plane[1], most_seeds, number)
    is_finite = buffers.fill(_search, hits, tables, Bounds.of(rule, number(rule.bound), number), scratch)
    return Search(buffers.peaks, is_finite)


@cached_jit
def _search(hits: Any, tables: Any, bounds: Any, scratch: Any, columns: Any, n_peaks: int, begin: int) -> Any:
    """Search event by event (see `PeakBuffers.fill`)."""
    room, nonfinite = len(columns.cell), bounds.zero  # becomes NaN, and stays so
    hits, tables, scratch = data_pointers(hits), data_pointers(tables), data_pointers(scratch)
    columns = data_pointers(columns)
    for event in range(begin, hits.n_events):
        if n_peaks + hits.most_seeds > room:
            return n_peaks, event, nonfinite == bounds.zero
        first, stop = load(hits.event_offsets, event), load(hits.event_offsets, event + 1)
        is_sorted = _add_hits(hits, first, stop, scratch)
        n_candidates, nonfinite = _find_candidates(
            hits, first, stop, is_sorted, bounds.seed, scratch, nonfinite
        )
        n_peaks = _write_peaks(n_candidates, tables, bounds, scratch, columns, n_peaks)
        store(columns.event_offsets, event + 1, n_peaks)
        for hit in range(first, stop):
            store(scratch.cells, np.int64(load(hits.cell, hit)), bounds.zero)
    return n_peaks, hits.n_events, nonfinite == bounds.zero


@jit
def _add_hits(hits: Any, first: int, stop: int, scratch: Any) -> bool:
    """Add the hits of an event to their cells; return whether their cells rise strictly."""
    is_sorted, last = True, -1
    for hit in range(first, stop):
        cell = np.int64(load(hits.cell, hit))
        store(scratch.cells, cell, load(scratch.cells, cell) + load(hits.value, hit))
        is_sorted, last = is_sorted & (cell > last), cell
    return is_sorted


@jit
def _find_candidates(
    hits: Any, first: int, stop: int, is_sorted: bool, bound: Any, scratch: Any, nonfinite: Any
) -> Any:
    """Write down the cells with hits that reach the bound, each once and in order.

    Return how many there are, and `nonfinite`, which turns into NaN at the first cell that is not finite. A set
    of bits sorts cells that are not sorted.
    """
    n_candidates = 0
    for hit in range(first, stop):
        cell = np.int64(load(hits.cell, hit))
        level = load(scratch.cells, cell)
        nonfinite += level - level
        if is_sorted:
            store(scratch.candidates, n_candidates, cell)
            n_candidates += level >= bound
        else:
            word, bit = cell >> WORD_BITS, np.uint64(level >= bound) << np.uint64(cell & PLACE_IN_WORD)
            store(scratch.passing, word, load(scratch.passing, word) | bit)
    return n_candidates if is_sorted else _take_bits(scratch), nonfinite


@jit
def _take_bits(scratch: Any) -> int:
    """Write down the cells of the set as candidates, in order, and clear the set; return how many there are."""
    n_bits = 0
    for word in range(scratch.n_words):
        bits = load(scratch.passing, word)
        store(scratch.passing, word, NO_BIT)
        while bits:
            store(scratch.candidates, n_bits, (word << WORD_BITS) + lowest_bit(bits))
            bits &= bits - ONE
            n_bits += 1
    return n_bits


@jit
def _write_peaks(n_candidates: int, tables: Any, bounds: Any, scratch: Any, columns: Any, n_peaks: int) -> int:
    """Write down the candidates that beat their search window, with sums; return how many peaks there are."""
    for i in range(n_candidates):
        cell = load(scratch.candidates, i)
        edge_class = load(tables.edge_class, cell)
        if not beats_window(scratch.cells, cell, edge_class, tables):
            continue
        total, n_cells = sum_window(scratch.cells, cell, edge_class, tables, bounds, not bounds.has_cell)
        store(columns.cell, n_peaks, cell)
        store(columns.seed, n_peaks, load(scratch.cells, cell))
        store(columns.sum, n_peaks, total)
        store(columns.n_cells, n_peaks, n_cells)
        n_peaks += 1
    return n_peaks


def sort_by_layer(
    event_offsets: Array, layer: Array, n_layers: int, cell: Array, value: Array
) -> tuple[Array, Array, Array]:
    """Return offsets, cells and values of hits whose layers are events of their own."""
    offsets = np.zeros((len(event_offsets) - 1) * n_layers + 1, np.int64)
    sorted_cell, sorted_value = np.empty_like(cell), np.empty_like(value)
    inputs = (read_only(array) for array in (event_offsets, layer, cell, value))
    _sort_by_layer(*inputs, n_layers, offsets, sorted_cell, sorted_value)
    return offsets, sorted_cell, sorted_value


@cached_jit
def _sort_by_layer(
    event_offsets: Any,
    layer: Any,
    cell: Any,
    value: Any,
    n_layers: int,
    offsets: Any,
    sorted_cell: Any,
    sorted_value: Any,
) -> None:
    """Sort the hits of every event by counting those of each layer."""
    following = np.empty(n_layers, np.int64)  # where the next hit of a layer belongs
    for event in range(len(event_offsets) - 1):
        first, stop, begin = event_offsets[event], event_offsets[event + 1], event * n_layers
        for hit in range(first, stop):
            offsets[begin + layer[hit] + 1] += 1
        for k in range(n_layers):
            following[k] = offsets[begin + k]
            offsets[begin + k + 1] += offsets[begin + k]
        for hit in range(first, stop):
            place = following[layer[hit]]
            sorted_cell[place], sorted_value[place] = cell[hit], value[hit]
            following[layer[hit]] = place + 1


def merge_hits(event_offsets: Array, cell: Array, value: Array, n_cells: int) -> tuple[Array, Array, Array]:
    """Return offsets, cells and values of hits of which those of an event in one cell are added."""
    offsets = np.zeros(len(event_offsets), np.int64)
    merged_cell, total = np.empty_like(cell), np.empty(len(value), accumulator(value.dtype))
    place = np.full(n_cells, -1)
    inputs = (read_only(array) for array in (event_offsets, cell, value))
    n_merged = _merge_hits(*inputs, place, offsets, merged_cell, total)
    return offsets, merged_cell[:n_merged], total[:n_merged]


@cached_jit
def _merge_hits(
    event_offsets: Any, cell: Any, value: Any, place: Any, offsets: Any, merged_cell: Any, total: Any
) -> int:
    """Add the hits of every event that lie in one cell; return how many cells there are in all events.

    `place` says where a cell was written last; before the cells of this event it was written for another.
    """
    n_merged = 0
    for event in range(len(event_offsets) - 1):
        begin = n_merged
        for hit in range(event_offsets[event], event_offsets[event + 1]):
            known = place[cell[hit]]
            if known >= begin:
                total[known] += value[hit]
                continue
            place[cell[hit]] = n_merged
            merged_cell[n_merged], total[n_merged] = cell[hit], value[hit]
            n_merged += 1
        offsets[event + 1] = n_merged
    return n_merged
