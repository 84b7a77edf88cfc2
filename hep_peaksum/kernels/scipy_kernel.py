"""The readable kernel: a maximum filter proposes candidates, ties are settled cell by cell.

It is the specification of `numba_kernel`, which gives the same bits.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from hep_peaksum import block_sizes
from hep_peaksum.kernels import (
    Array,
    Offset,
    Peaks,
    Periodic,
    Rule,
    Search,
    absent,
    accumulator,
    dense_grids,
    event_index,
    event_offsets,
    flat_index,
)


def find_peaks(grids: Array, rule: Rule, periodic: Periodic) -> Search:
    """Return every seed with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    n_events, n_rows, n_cols = grids.shape
    step = max(1, block_sizes.SCIPY_CELLS // max(1, n_rows * n_cols))
    blocks = [_find_seeds(grids[start : start + step], rule, periodic) for start in range(0, n_events, step)]
    event = np.concatenate([np.empty(0, np.int64), *(b[0] + i * step for i, b in enumerate(blocks))])
    row = np.concatenate([np.empty(0, np.int64), *(b[1] for b in blocks)])
    col = np.concatenate([np.empty(0, np.int64), *(b[2] for b in blocks)])
    seed = grids[event, row, col].astype(accumulator(grids.dtype))
    peaks = Peaks.at((event, row, col), grids.shape, seed, seed, row)
    with np.errstate(invalid="ignore", over="ignore"):
        total, n_cells = sum_cells(grids, peaks, rule.window, rule.cell_bound, periodic)
        is_finite = bool(np.isfinite(grids).all())
    return Search(replace(peaks, sum=total, n_cells=n_cells), is_finite)


def find_peaks_in_hits(
    offsets: Array,
    cell: Array,
    value: Array,
    plane: tuple[int, int],
    rule: Rule,
    periodic: Periodic,
    _empty_plane: Array | None = None,
) -> Search:
    """Return every seed among hits, by way of dense grids."""
    return find_peaks(dense_grids(offsets, cell, value, plane), rule, periodic)


def sort_by_layer(
    offsets: Array, layer: Array, n_layers: int, cell: Array, value: Array
) -> tuple[Array, Array, Array]:
    """Return offsets, cells and values of hits whose layers are events of their own."""
    group = event_index(offsets) * n_layers + layer
    order = np.argsort(group, kind="stable")
    return event_offsets(group, (len(offsets) - 1) * n_layers), cell[order], value[order]


def merge_hits(offsets: Array, cell: Array, value: Array, n_cells: int) -> tuple[Array, Array, Array]:
    """Return offsets, cells and values of hits of which those of an event in one cell are added."""
    places = flat_index(offsets, cell, (1, n_cells))
    _, first, number = np.unique(places, return_index=True, return_inverse=True)
    total = np.zeros(len(first), accumulator(value.dtype))
    np.add.at(total, number, value.astype(total.dtype))
    order = np.argsort(first)  # as they come, not as their cells rise
    event = event_index(offsets)[first[order]]
    return event_offsets(event, len(offsets) - 1), cell[first[order]], total[order]


def sum_cells(
    grids: Array, peaks: Peaks, window: tuple[Offset, ...], cell_bound: float | None, periodic: Periodic
) -> tuple[Array, Array]:
    """Return the sum of `window` about every peak, and how many cells were added."""
    total = np.zeros(len(peaks), accumulator(grids.dtype))
    n_cells = np.zeros(len(peaks), np.int32)
    for offset in window:
        value, _, _ = _neighbours(grids, peaks.event, peaks.row, peaks.col, offset, periodic)
        added = value != absent(grids.dtype)
        if cell_bound is not None:
            added &= value >= cell_bound
        total += np.where(added, value, 0)
        n_cells += added
    return total, n_cells


def argsort_descending(event_offsets: Array, key: Array) -> Array:
    """Return the order of decreasing keys, event by event; equal ones keep their order."""
    return np.lexsort((-key, event_index(event_offsets)))


def _find_seeds(grids: Array, rule: Rule, periodic: Periodic) -> tuple[Array, Array, Array]:
    """Return event, row and column of every seed."""
    # as 64-bit numbers: numpy 1 compares float32 cells with the bound rounded to float32
    is_above = grids.astype(accumulator(grids.dtype)) >= rule.bound
    is_highest = grids.astype(np.float64) >= _window_maximum(grids, rule, periodic)
    event, row, col = np.nonzero(is_above & is_highest)
    value = grids[event, row, col].astype(accumulator(grids.dtype))
    beaten = value == absent(grids.dtype)
    for cell in rule.search:
        other, other_row, other_col = _neighbours(grids, event, row, col, (cell.row, cell.col), periodic)
        comes_first = (other_row - row) * grids.shape[2] + (other_col - col) < 0
        loses_tie = cell.must_be_exceeded(has_lower_index=comes_first)
        beaten |= (other > value) | ((other == value) & loses_tie)
    return event[~beaten], row[~beaten], col[~beaten]


def _window_maximum(grids: Array, rule: Rule, periodic: Periodic) -> Array:
    """Return the highest cell of the search window about each cell, the cell itself included, as float64.

    scipy compares as float64, in which integers above 2^53 may be equal: ties are settled afterwards.
    """
    reach_row = max((abs(cell.row) for cell in rule.search), default=0)
    reach_col = max((abs(cell.col) for cell in rule.search), default=0)
    padded = grids.astype(np.float64)
    reaches = (reach_row, periodic.rows), (reach_col, periodic.cols)
    for axis, (reach, is_periodic) in enumerate(reaches, start=1):
        width = [(0, 0)] * 3
        width[axis] = (reach, reach)
        if is_periodic:
            padded = np.pad(padded, width, mode="wrap")
        else:
            padded = np.pad(padded, width, constant_values=-np.inf)
    footprint = np.zeros((1, 2 * reach_row + 1, 2 * reach_col + 1), bool)
    footprint[0, reach_row, reach_col] = True
    for d, p, _ in rule.search:
        footprint[0, reach_row + d, reach_col + p] = True
    _, n_rows, n_cols = grids.shape
    highest = ndimage.maximum_filter(padded, footprint=footprint, mode="constant", cval=-np.inf)
    return np.asarray(highest[:, reach_row : reach_row + n_rows, reach_col : reach_col + n_cols])


def _neighbours(
    grids: Array, event: Array, row: Array, col: Array, offset: Offset, periodic: Periodic
) -> tuple[Array, Array, Array]:
    """Return value, row and column of the cell at an offset from each cell; beyond an edge it is absent."""
    _, n_rows, n_cols = grids.shape
    row, col = row + offset[0], col + offset[1]
    if periodic.rows:
        row = row % n_rows
    if periodic.cols:
        col = col % n_cols
    inside = (row >= 0) & (row < n_rows) & (col >= 0) & (col < n_cols)
    value = np.full(len(event), absent(grids.dtype), accumulator(grids.dtype))
    value[inside] = grids[event[inside], row[inside], col[inside]]
    return value, row, col
