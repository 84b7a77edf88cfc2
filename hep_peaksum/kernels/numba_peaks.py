"""Compiled loops about peaks that are known: sums of windows, saddles, the order of keys."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Offset, Peaks, Periodic, absent, accumulator
from hep_peaksum.kernels.numba_compile import jit, least_cell, read_only

# Up to so many keys are faster counted than sorted; a few are counted one by one, more of them in vectors.
FEW, MANY = 8, 256
SIGN, BYTE, NOTHING, ONE = np.uint64(1 << 63), np.uint64(255), np.uint64(0), np.uint64(1)
WORD, BITS = np.uint64(64), np.uint64(8)
LARGEST_OF_TWO_BYTES, HIGHEST_TWO_BYTES = np.uint64((1 << 16) - 1), np.uint64(48)


def sum_cells(
    grids: Array, peaks: Peaks, window: tuple[Offset, ...], cell_bound: float | None, periodic: Periodic
) -> tuple[Array, Array]:
    """Return the sum of `window` about every peak, and how many cells were added."""
    number = accumulator(grids.dtype)
    total = np.zeros(len(peaks), number)
    n_cells = np.zeros(len(peaks), np.int32)
    _sum(
        read_only(grids),
        *_places(peaks),
        np.array(window, np.int64).reshape(-1, 2),
        least_cell(cell_bound, number),
        tuple(periodic),
        number(absent(grids.dtype)),
        total,
        n_cells,
    )
    return total, n_cells


def saddles(grids: Array, peaks: Peaks, periodic: Periodic) -> Array:
    """Return the highest level at which every peak is joined to anything higher, over 8 neighbours."""
    number = accumulator(grids.dtype)
    level = np.empty(len(peaks), number)
    _flood(read_only(grids), *_places(peaks), tuple(periodic), number(absent(grids.dtype)), level)
    return level


def argsort_descending(first: Array, key: Array) -> Array:
    """Return the order in which, event by event, the keys fall; equal ones stay in their order."""
    order = np.empty(len(key), np.int64)
    key = read_only(key)
    _sort_falling(read_only(first), key, key.view(np.uint64), key.dtype.kind == "f", order)
    return order


def _places(peaks: Peaks) -> tuple[Array, Array, Array]:
    """Return event, row and column of the peaks, all of one type."""
    place = peaks.event, peaks.row, peaks.col
    event, row, col = (read_only(index.astype(np.int64, copy=False)) for index in place)
    return event, row, col


@jit
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


@jit
def _count_falling(key: Any, start: int, order: Any) -> None:
    """Write down the order of one event, whose first key is number `start`: one comparison more than needed."""
    n_keys = np.uint64(len(key))  # a number that counts from the end would keep numba from making vectors
    for n in range(n_keys):
        here, place = key[n], 0
        for m in range(n):
            place += key[m] >= here
        for m in range(n, n_keys):
            place += key[m] > here
        order[np.uint64(place)] = start + np.int64(n)


@jit
def _falling_words(bits: Any, is_float: bool) -> Any:
    """Return words that rise as the keys of these bits, float64 or int64, fall; equal ones of equal keys."""
    words = np.empty(len(bits), np.uint64)
    for n in range(len(bits)):
        word = NOTHING if is_float and bits[n] == SIGN else bits[n]  # of -0.0 as of 0.0
        if word & SIGN:
            words[n] = word if is_float else ~word | SIGN
        else:
            words[n] = ~word & ~SIGN
    return words


@jit
def _sort_by_byte(
    words: Any, places: Any, shift: Any, n_before: Any, sorted_words: Any, sorted_places: Any
) -> None:
    """Write down words and their places in the order of one byte; equal bytes stay in their order."""
    n_before[:] = NOTHING
    for n in range(np.uint64(len(words))):
        n_before[words[n] >> shift & BYTE] += ONE
    total = NOTHING
    for byte in range(np.uint64(len(n_before))):
        total, n_before[byte] = total + n_before[byte], total
    for n in range(np.uint64(len(words))):
        byte = words[n] >> shift & BYTE
        place = n_before[byte]
        sorted_words[place], sorted_places[place] = words[n], places[n]
        n_before[byte] = place + ONE


@jit
def _insert(words: Any, places: Any) -> None:
    """Bring words, and their places with them, into the order that they nearly have; equal ones stay."""
    for n in range(1, len(words)):
        word, place, m = words[n], places[n], n
        while m > 0 and words[m - 1] > word:
            words[m], places[m] = words[m - 1], places[m - 1]
            m -= 1
        words[m], places[m] = word, place


@jit
def _n_alike(words: Any, shift: Any) -> int:
    """Return how many words are like the one before them but for so many bits."""
    n_alike = 0
    for n in range(1, len(words)):
        n_alike += words[n] >> shift == words[n - 1] >> shift
    return n_alike


@jit
def _sort_words(words: Any, start: int, order: Any) -> None:
    """Write down the order of the words of one event, whose first is number `start`, two bytes after two.

    The bytes are those of what the words differ by: sums of a few numbers use little of 64 bits. Where there
    are more than a few the two highest come first, which mostly leave next to nothing to do.
    """
    places, n_before = np.empty(len(words), np.int64), np.empty(256, np.uint64)
    others, their_places = np.empty(len(words), np.uint64), np.empty(len(words), np.int64)
    least, differing = words[0], NOTHING
    for n in range(len(words)):
        places[n] = start + n
        least = min(least, words[n])
    for n in range(len(words)):
        words[n] -= least
        differing |= words[n]
    shift = NOTHING
    while shift < WORD and differing >> shift & ONE == NOTHING:
        shift += ONE
    high = shift
    while differing >> high > LARGEST_OF_TWO_BYTES:
        high += ONE
    for lowest in (high if high > shift + BITS else shift, shift):
        here = lowest
        while here < WORD and differing >> here:
            low = min(here, HIGHEST_TWO_BYTES)
            _sort_by_byte(words, places, low, n_before, others, their_places)
            _sort_by_byte(others, their_places, low + BITS, n_before, words, places)
            here += BITS + BITS
        if lowest == shift:
            break
        if FEW * _n_alike(words, lowest) < len(words):
            _insert(words, places)
            break
    for n in range(len(places)):
        order[n] = places[n]


@jit
def _sort_falling(first: Any, key: Any, bits: Any, is_float: bool, order: Any) -> None:
    """Write down the order of the keys of every event, which fall; equal ones stay in their order.

    They are given as bits, too: to see them so here would take a third of the time to compile this.
    """
    for event in range(len(first) - 1):
        start, stop = first[event], first[event + 1]
        if stop - start > MANY:
            _sort_words(_falling_words(bits[start:stop], is_float), start, order[start:stop])
        elif stop - start > FEW:
            _count_falling(key[start:stop], start, order[start:stop])
        else:
            for n in range(start, stop):
                place = start
                for m in range(start, n):
                    place += key[m] >= key[n]
                for m in range(n + 1, stop):
                    place += key[m] > key[n]
                order[place] = n


@jit
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
