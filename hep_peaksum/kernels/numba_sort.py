"""Sorting the cells of an event by height, the highest first and equal ones in their order.

Many cells are first spread over runs by their leading bits, so that one run after the other is sorted in the
cache, and only as long as it is needed. Bits are compared as words, numbers that rise as the cells fall.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.kernels.numba_compile import jit, read_only

SIGN, BYTE, NOTHING, ONE = np.uint64(1 << 63), np.uint64(255), np.uint64(0), np.uint64(1)
# Cells of a run that are ranked by comparing all with all; more are sorted byte by byte.
MAX_RANKED = 128
# So many cells are one run; more are spread over up to N_RUNS of them.
ONE_RUN, N_RUNS = 1 << 13, 1 << 13


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


@jit
def spread_over_runs(cells: Any, bits: Any, form: Any, lowest: Any, order: Any, starts: Any) -> int:
    """Write the cells above `lowest` into `order`, run by run, and return the number of runs.

    Run k is ``order[starts[k] : starts[k + 1]]``: above all later runs, its cells in their order. `order` has
    room for one more than all cells, `starts` for N_RUNS + 1.
    """
    n_cells, least, most = 0, ~NOTHING, NOTHING
    for cell in range(len(cells)):
        order[n_cells] = cell  # write always, advance by the test
        n_cells += cells[cell] > lowest
    starts[0], starts[1] = 0, n_cells
    if n_cells <= ONE_RUN:
        return 1
    for n in range(n_cells):
        word = rising_word(bits[order[n]], form)
        least, most = min(least, word), max(most, word)
    shift = NOTHING
    while (most - least) >> shift >= N_RUNS:
        shift += ONE
    n_runs: int = np.int64((most - least) >> shift) + 1
    for run in range(n_runs + 1):
        starts[run] = 0
    for n in range(n_cells):
        starts[np.int64((rising_word(bits[order[n]], form) - least) >> shift)] += 1
    for run in range(1, n_runs + 1):  # where each run stops
        starts[run] += starts[run - 1]
    for cell in range(len(cells) - 1, -1, -1):
        if cells[cell] > lowest:
            run = np.int64((rising_word(bits[cell], form) - least) >> shift)
            starts[run] -= 1
            order[starts[run]] = cell
    return n_runs


@jit
def longest_run(starts: Any, n_runs: int) -> int:
    """Return the number of cells in the longest of the runs."""
    longest = 0
    for run in range(n_runs):
        longest = max(longest, starts[run + 1] - starts[run])
    return longest


@jit
def sort_run(cells: Any, bits: Any, form: Any, run: Any, heights: Any, words: Any, spare: Any) -> None:
    """Sort the cells of a run, the highest first.

    `heights` has room for MAX_RANKED of the cells; `words` and `spare` are two rows as long as the run.
    """
    if len(run) <= MAX_RANKED:
        _rank(cells, run, heights, spare[0])
    else:
        sort_by_bytes(bits, form, run, words, spare)


@jit
def sort_by_bytes(bits: Any, form: Any, run: Any, words: Any, spare: Any) -> None:
    """Sort the cells of a run, the highest first: a radix sort, byte by byte from the lowest that differs."""
    least, differing = ~NOTHING, NOTHING
    for n in range(len(run)):
        words[0, n] = rising_word(bits[run[n]], form)
        least = min(least, words[0, n])
    for n in range(len(run)):
        words[0, n] -= least
        differing |= words[0, n]
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
    for byte in range(256):  # a slice set at once would take seconds to compile
        counts[byte] = 0
    for n in range(len(run)):
        counts[words[0, n] >> shift & BYTE] += 1
    n_before = 0
    for byte in range(256):
        counts[byte], n_before = n_before, n_before + counts[byte]
    for n in range(len(run)):
        byte = words[0, n] >> shift & BYTE
        words[1, counts[byte]], spare[0, counts[byte]] = words[0, n], run[n]
        counts[byte] += 1
    for n in range(len(run)):
        words[0, n], run[n] = words[1, n], spare[0, n]
