"""Strips and rings of cells around windows, compiled: the loops of `hep_peaksum.clustering.pileup`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Offset, Peaks, Periodic, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only


def medians(
    cells: Array, peaks: Peaks, offsets: Sequence[Offset], periodic: Periodic, *, counts_missing: bool
) -> Array:
    """Return the median of the cells at some offsets from every peak, 0 without any.

    Cells that do not exist, or lie beyond an edge, are left out, or with `counts_missing` count as 0.
    """
    low, around = accumulator(cells.dtype)(absent(cells.dtype)), np.array(offsets, np.int64).reshape(-1, 2)
    found, values = np.empty(len(peaks)), np.empty(len(around))
    places = (read_only(peaks.event), read_only(peaks.cell))
    _write_medians(read_only(cells), places, around, periodic, low, counts_missing, values, found)
    return found


def strip_sums(
    cells: Array, peaks: Peaks, strips: Sequence[Sequence[Offset]], periodic: Periodic
) -> tuple[Array, Array, Array, Array]:
    """Return the sums of four strips of cells, of equal numbers, about every peak."""
    number = accumulator(cells.dtype)
    offsets = np.array(strips, np.int64)
    box = (*offsets.min(axis=(0, 1)), *offsets.max(axis=(0, 1)))
    places, low = (read_only(peaks.event), read_only(peaks.cell)), number(absent(cells.dtype))
    sums = np.empty((4, len(peaks)), number)
    _write_strips(read_only(cells), places, offsets, box, periodic, low, sums)
    return sums[0], sums[1], sums[2], sums[3]


@cached_jit
def _write_strips(cells: Any, places: Any, offsets: Any, box: Any, periodic: Any, low: Any, sums: Any) -> None:
    """Write down the sums about every place, side by side: an addition waits for the one before it."""
    (event, cell), (_, n_rows, n_cols) = places, cells.shape
    zero, flat, steps = type(low)(0), cells.reshape(-1), np.empty(offsets.shape[:2], np.int64)
    for peak in range(len(event)):
        row, col = cell[peak] // n_cols, cell[peak] % n_cols
        origin, plane = event[peak] * n_rows * n_cols, (n_rows, n_cols)
        top, left, bottom, right = row + box[0], col + box[1], row + box[2], col + box[3]
        is_inside = top >= 0 and left >= 0 and bottom < n_rows and right < n_cols
        a = b = c = d = zero
        for k in range(offsets.shape[1]):
            if is_inside:
                for side in range(4):
                    steps[side, k] = (row + offsets[side, k, 0]) * n_cols + col + offsets[side, k, 1]
            else:
                for side in range(4):
                    steps[side, k] = cell_at(
                        row + offsets[side, k, 0], col + offsets[side, k, 1], plane, periodic
                    )
            a += _existing(flat, origin, steps[0, k], low)
            b += _existing(flat, origin, steps[1, k], low)
            c += _existing(flat, origin, steps[2, k], low)
            d += _existing(flat, origin, steps[3, k], low)
        sums[0, peak], sums[1, peak], sums[2, peak], sums[3, peak] = a, b, c, d


@jit
def cell_at(row: int, col: int, plane: Any, periodic: Any) -> int:
    """Return the number of a cell of the plane, -1 beyond an edge; divisions take long."""
    n_rows, n_cols = plane
    if periodic.rows and not 0 <= row < n_rows:
        row %= n_rows
    if periodic.cols and not 0 <= col < n_cols:
        col %= n_cols
    return row * n_cols + col if 0 <= row < n_rows and 0 <= col < n_cols else -1


@jit
def _existing(cells: Any, origin: int, cell: int, low: Any) -> Any:
    """Return a cell of the event at `origin`, 0 if it does not exist or its number is -1."""
    value = type(low)(cells[np.uint64(origin + max(cell, 0))])
    return type(low)(0) if cell < 0 or value == low else value


@cached_jit
def _write_medians(
    cells: Any,
    places: Any,
    offsets: Any,
    periodic: Any,
    low: Any,
    counts_missing: bool,
    values: Any,
    found: Any,
) -> None:
    """Write down the median about every place."""
    (event, cell), (_, n_rows, n_cols), flat = places, cells.shape, cells.reshape(-1)
    for peak in range(len(event)):
        row, col, n, n_negative, n_positive = cell[peak] // n_cols, cell[peak] % n_cols, 0, 0, 0
        origin = event[peak] * n_rows * n_cols
        for k in range(len(offsets)):
            at = cell_at(row + offsets[k, 0], col + offsets[k, 1], (n_rows, n_cols), periodic)
            value = type(low)(flat[np.uint64(origin + max(at, 0))])
            is_cell = at >= 0 and value != low
            values[n] = value if is_cell else 0
            n_negative += values[n] < 0
            n_positive += values[n] > 0
            n += is_cell or counts_missing
        found[peak] = _median(values, n, n_negative, n_positive)


@jit
def _median(values: Any, n: int, n_negative: int, n_positive: int) -> Any:
    """Return the median of the first n values, 0 of none; most are zeros, and need not be sorted then."""
    lower, upper = (n - 1) // 2, n // 2
    if n == 0 or (n_negative <= lower and upper < n - n_positive):
        return 0.0
    low_value = _place(values, n, lower)
    return (low_value + _place(values, n, upper)) / 2 if upper != lower else (low_value + low_value) / 2


@jit
def _place(values: Any, n: int, wanted: int) -> Any:
    """Return the value that would lie at a place if they were sorted; it moves them (Hoare's selection)."""
    first, last = 0, n - 1
    while first < last:
        pivot, i, j = values[(first + last) // 2], first, last
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if j < wanted < i:
            break
        if wanted <= j:
            last = j
        else:
            first = i
    return values[wanted]
