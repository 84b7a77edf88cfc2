"""Single peaks: the loops that compare, sum and sort them, and the columns that they are written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.kernels import Array, Offset, Peaks, Periodic, Rule, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, lowest_summed, read_only
from hep_peaksum.kernels.numba_sort import NOTHING, ONE, as_bits, rising_word, sort_by_bytes
from hep_peaksum.kernels.numba_vectors import load

FIRST_ROOM = 1024
# numpy asks for huge pages for so many bytes: faulting in small ones would take longer than the search.
HUGE_BYTES = 1 << 22
PEAK_BYTES = 24  # of two numbers of 8 bytes, and two of 4

# Keys of an event that are ranked by comparing all with all; more are spread over runs. With the stable sort of
# numpy instead, a whole job with 500 clusters per event takes 1.2 times as long.
MAX_RANKED = np.uint64(128)
MAX_INSERTED = np.uint64(16)  # keys of a run that are put in order one after the other


class PeakColumns(NamedTuple):
    """Where peaks are written: the columns of `Peaks` from `event_offsets` on."""

    event_offsets: Array
    cell: Array
    seed: Array
    sum: Array
    n_cells: Array


class Bounds(NamedTuple):
    """The bounds of a rule: `seed` in the type in which seeds are compared with it, `cell` in that of sums.

    Without a cell bound, `cell` is the lowest value that is not `absent`. `zero` is 0 in the type of sums.
    """

    seed: Any
    cell: Any
    has_cell: bool
    zero: Any

    @classmethod
    def of(cls, rule: Rule, seed: Any, number: type[np.float64 | np.int64]) -> Bounds:
        """Return the bounds of a rule, given that of seeds."""
        has_cell = rule.cell_bound is not None
        return cls(seed, lowest_summed(rule.cell_bound, number), has_cell, number(0))


class PeakBuffers:
    """Columns that a search fills, and that grow when they are full, in one piece of memory."""

    def __init__(
        self, n_events: int, n_blocks: int, n_cols: int, spare: int, number: type[np.float64 | np.int64]
    ) -> None:
        self.n_blocks, self.n_cols, self.spare, self.number = n_blocks, n_cols, spare, number
        self.columns = self._columns(np.zeros(n_events + 1, np.int64), FIRST_ROOM + spare)
        self.n_peaks = 0

    def fill(self, search: Callable[..., Any], *arguments: Any) -> bool:
        """Call `search` until all blocks are searched, and return whether all cells are finite.

        After its arguments it is given the columns, the number of peaks in them, and the block to begin with.
        It returns once fewer than `spare` places are left: the new number of peaks, the block to go on with,
        and whether all cells before that are finite.
        """
        block, is_finite = 0, True
        while block < self.n_blocks:
            self.n_peaks, block, all_finite = search(*arguments, self.columns, self.n_peaks, block)
            is_finite &= bool(all_finite)
            if block < self.n_blocks:
                self._grow(block)
        return is_finite

    @property
    def peaks(self) -> Peaks:
        """The peaks, without the room behind them."""
        event_offsets, *columns = self.columns
        return Peaks(self.n_cols, event_offsets, *(column[: self.n_peaks] for column in columns))

    def _grow(self, n_done: int) -> None:
        """Make room for twice the peaks, or more if the blocks that are done suggest so."""
        expected = self.n_peaks * self.n_blocks // n_done * 9 // 8
        room = max(2 * self.n_peaks, expected) + self.spare
        if HUGE_BYTES // 2 < room * PEAK_BYTES < HUGE_BYTES:
            room = HUGE_BYTES // PEAK_BYTES + 1
        larger = self._columns(self.columns.event_offsets, room)
        for column, new in zip(self.columns[1:], larger[1:], strict=True):
            new[: self.n_peaks] = column[: self.n_peaks]
        self.columns = larger

    def _columns(self, event_offsets: Array, room: int) -> PeakColumns:
        room += room % 2  # so that numbers of 8 bytes lie where they should
        memory = np.empty(room * PEAK_BYTES, np.uint8)
        counts = memory[: room * 8].view(np.int32).reshape(2, room)
        numbers = memory[room * 8 :].view(self.number).reshape(2, room)
        return PeakColumns(event_offsets, counts[0], numbers[0], numbers[1], counts[1])


def sum_cells(
    grids: Array, peaks: Peaks, window: tuple[Offset, ...], cell_bound: float | None, periodic: Periodic
) -> tuple[Array, Array]:
    """Return the sum of `window` about every peak, and how many cells were added."""
    number = accumulator(grids.dtype)
    total = np.zeros(len(peaks), number)
    n_cells = np.zeros(len(peaks), np.int32)
    _sum_cells(
        read_only(grids),
        _places(peaks),
        np.array(window, np.int64).reshape(-1, 2),
        lowest_summed(cell_bound, number),
        periodic,
        number(absent(grids.dtype)),
        total,
        n_cells,
    )
    return total, n_cells


def argsort_descending(event_offsets: Array, key: Array) -> Array:
    """Return the order of decreasing keys, event by event; equal ones keep their order."""
    order, key = np.empty(len(key), np.int64), read_only(key)
    # An unsigned index cannot count from the end, which lets LLVM use vectors.
    offsets = read_only(event_offsets).view(np.uint64)
    _argsort(offsets, key, *as_bits(key), order.view(np.uint64))
    return order


def _places(peaks: Peaks) -> tuple[Array, Array, Array]:
    """Return event, row and column of the peaks, all of one type."""
    place = peaks.event, peaks.row, peaks.col
    event, row, col = (read_only(index.astype(np.int64, copy=False)) for index in place)
    return event, row, col


@jit
def beats_window(cells: Any, place: int, edge_class: int, tables: Any) -> bool:
    """Return whether a cell beats the cells of its search window that are in the tables."""
    value = load(cells, place)
    first, stop = load(tables.search_offsets, edge_class), load(tables.search_offsets, edge_class + 1)
    for k in range(stop - first):
        other = load(cells, place + load(tables.search, first + k))
        if other >= value and (other > value or not load(tables.wins_tie, first + k)):
            return False
    return True


@jit
def sum_window(cells: Any, place: int, edge_class: int, tables: Any, bounds: Any, adds_all: bool) -> Any:
    """Return the sum of the window about a cell, and how many cells were added.

    `adds_all` says that no cell is below the cell bound or absent.
    """
    first, stop = load(tables.window_offsets, edge_class), load(tables.window_offsets, edge_class + 1)
    total, n_cells = bounds.zero, 0
    if adds_all:
        for k in range(stop - first):
            total += type(bounds.zero)(load(cells, place + load(tables.window, first + k)))
        return total, stop - first
    for k in range(stop - first):
        cell = type(bounds.zero)(load(cells, place + load(tables.window, first + k)))
        passes = cell >= bounds.cell
        total += cell if passes else bounds.zero
        n_cells += passes
    return total, n_cells


@cached_jit
def _sum_cells(
    grids: Any, places: Any, window: Any, cell_bound: Any, periodic: Any, low: Any, total: Any, n_cells: Any
) -> None:
    """Add the window about every place into `total` and count into `n_cells`."""
    event, row, col = places
    _, n_rows, n_cols = grids.shape
    for n in range(len(event)):
        for k in range(window.shape[0]):
            r, c = row[n] + window[k, 0], col[n] + window[k, 1]
            if periodic.rows:
                r = r % n_rows
            if periodic.cols:
                c = c % n_cols
            if r < 0 or r >= n_rows or c < 0 or c >= n_cols:
                continue
            cell = type(low)(grids[event[n], r, c])
            if cell >= cell_bound:
                total[n] += cell
                n_cells[n] += 1


@cached_jit
def _argsort(event_offsets: Any, key: Any, bits: Any, form: Any, order: Any) -> None:
    """Write down the order in which the keys of every event fall; `bits` and `form` as of `as_bits`."""
    for event in range(len(event_offsets) - 1):
        start, stop = event_offsets[event], event_offsets[event + 1]
        if stop - start > MAX_RANKED:
            _sort_many(bits, form, start, stop, order)
            continue
        n_keys = stop - start
        for n in range(n_keys):
            rank, here = 0, key[start + n]
            for m in range(n):
                rank += key[start + m] >= here
            for m in range(n, n_keys):
                rank += key[start + m] > here
            order[start + np.uint64(rank)] = start + n


@jit
def _sort_many(bits: Any, form: Any, start: Any, stop: Any, order: Any) -> None:
    """Write down the order of one event: keys are spread over twice as many runs, and these put in order.

    Most runs have few keys, unless a few others make the range of all very wide.
    """
    words, n_keys, least, most = np.empty(stop - start, np.uint64), stop - start, ~NOTHING, NOTHING
    for n in range(n_keys):
        words[n] = rising_word(bits[start + n], form)
        least, most = min(least, words[n]), max(most, words[n])
    shift = NOTHING
    while (most - least) >> shift >= n_keys + n_keys:
        shift += ONE
    stops, longest = np.empty(((most - least) >> shift) + ONE, np.int32), 0
    for run in range(len(stops)):
        stops[run] = 0
    for n in range(n_keys):
        stops[(words[n] - least) >> shift] += 1
    n_before = 0
    for run in range(len(stops)):  # where each run begins, until its keys are there
        longest = max(longest, stops[run])
        stops[run], n_before = n_before, n_before + stops[run]
    for n in range(n_keys):
        run = (words[n] - least) >> shift
        order[start + np.uint64(stops[run])] = start + n
        stops[run] += 1
    if shift == NOTHING:  # the keys of a run are equal
        return
    if longest > MAX_INSERTED:
        _sort_long_runs(bits, form, start, stops, longest, order)
    _insert(words, start, stop, order)


@jit
def _sort_long_runs(bits: Any, form: Any, start: Any, stops: Any, longest: int, order: Any) -> None:
    """Put the long runs of an event in order, given where each of its runs stops."""
    n_room = max(256, longest)
    words, spare, begin = np.empty((2, n_room), np.uint64), np.empty((2, n_room), np.int64), start
    for run in range(len(stops)):
        end = start + np.uint64(stops[run])
        if end - begin > MAX_INSERTED:
            sort_by_bytes(bits, form, order[begin:end], words, spare)
        begin = end


@jit
def _insert(words: Any, start: Any, stop: Any, order: Any) -> None:
    """Put keys in order that are at most a short run away from their places, by their words."""
    for n in range(start + ONE, stop):
        here, to = order[n], n
        while to > start and words[order[to - ONE] - start] > words[here - start]:
            order[to] = order[to - ONE]
            to -= ONE
        order[to] = here
