"""Sorting the cells of an event by height, the highest first and equal ones in their order.

Bits are compared as words, numbers that rise as the cells fall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hep_peaksum.kernels import Array
from hep_peaksum.kernels.numba_compile import jit, read_only

SIGN, BYTE, NOTHING, ONE = np.uint64(1 << 63), np.uint64(255), np.uint64(0), np.uint64(1)
MAX_RANKED = 128  # cells that are ranked by comparing all with all; more are sorted byte by byte
N_BYTES = 256


def as_bits(cells: Array) -> tuple[Array, tuple[Any, bool]]:
    """Return the bits of float32, float64 or int64 cells, and how `rising_word` makes words of them."""
    width = cells.dtype.itemsize
    return read_only(cells).view(f"u{width}"), (np.uint64(64 - 8 * width), cells.dtype.kind == "f")


@jit
def rising_word(bits: Any, form: Any) -> Any:
    """Return a word that rises as a cell falls, the same for equal cells, given the bits of the cell."""
    lift, is_float = form
    word = np.uint64(bits) << lift  # those of float32 to the top
    if is_float and word == SIGN:  # -0.0 equals 0.0
        return ~SIGN
    return word if is_float and word > SIGN else ~word ^ SIGN


def room_to_sort(n_cells: int, dtype: npt.DTypeLike) -> tuple[Array, Array, Array]:
    """Return the room that `sort_falling` needs for up to so many cells."""
    n, word = max(n_cells, N_BYTES), f"u{np.dtype(dtype).itemsize}"
    return np.empty(MAX_RANKED, dtype), np.empty((2, n), word), np.empty((2, n), np.int32)


@jit
def sort_falling(cells: Any, bits: Any, form: Any, order: Any, room: Any) -> None:
    """Sort some of the cells, given by their indices, the highest first."""
    heights, words, spare = room
    if len(order) <= MAX_RANKED:
        _rank(cells, order, heights, spare[0])
    else:
        sort_by_bytes(bits, form, order, words, spare)


@jit
def sort_by_bytes(bits: Any, form: Any, run: Any, words: Any, spare: Any) -> None:
    """Sort the cells of a run, the highest first: a radix sort, byte by byte from the lowest that differs."""
    least, differing, lift = ~NOTHING, NOTHING, form[0]
    for n in range(len(run)):
        words[0, n] = rising_word(bits[run[n]], form) >> lift
        least = min(least, np.uint64(words[0, n]))
    for n in range(len(run)):
        words[0, n] -= least
        differing |= np.uint64(words[0, n])
    for shift in range(NOTHING, np.uint64(64), np.uint64(8)):
        if differing >> shift & BYTE != NOTHING:
            _sort_by_byte(run, words, shift, spare)


@jit
def _rank(cells: Any, run: Any, heights: Any, spare: Any) -> None:
    """Sort a few cells: each goes behind higher ones, and behind equal ones that come earlier."""
    n_cells = len(run)
    for n in range(n_cells):
        heights[n] = cells[run[n]]
    for n in range(n_cells):
        rank, here, later = 0, heights[n], heights[n + 1 : n_cells]  # its index never counts from the end
        for m in range(n):
            rank += heights[m] >= here
        for m in range(len(later)):
            rank += later[m] > here
        spare[rank] = run[n]
    for n in range(n_cells):
        run[n] = spare[n]


@jit
def _sort_by_byte(run: Any, words: Any, shift: Any, spare: Any) -> None:
    """Sort the cells of a run by one byte of their words, a step of a radix sort."""
    counts = spare[1]
    for byte in range(N_BYTES):  # a slice set at once would take seconds to compile
        counts[byte] = 0
    for n in range(len(run)):
        counts[np.uint64(words[0, n]) >> shift & BYTE] += 1
    n_before = 0
    for byte in range(N_BYTES):
        counts[byte], n_before = n_before, n_before + counts[byte]
    for n in range(len(run)):
        byte = np.uint64(words[0, n]) >> shift & BYTE
        words[1, counts[byte]], spare[0, counts[byte]] = words[0, n], run[n]
        counts[byte] += 1
    for n in range(len(run)):
        words[0, n], run[n] = words[1, n], spare[0, n]
