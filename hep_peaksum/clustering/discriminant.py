"""From cells to what is compared: towers of pooled cells, sums over the seed window, significance.

Everything is an array of shape (event, row, col) in which a cell that is not there holds `absent`. Sums go
offset by offset in row-major order, so that they are those of the definition bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset, Periodic, absent, accumulator
from hep_peaksum.settings.model import PeakSumSettings


def is_there(cells: Array) -> Array:
    """Return which cells exist."""
    return np.asarray(cells != absent(cells.dtype))


def searched(cells: Array, noise: Array | None, settings: PeakSumSettings, periodic: Periodic) -> Array:
    """Return what is compared in the search: the cells, the sums of their seed windows, or significances."""
    if settings.seed_is_cell:
        return cells
    offsets, there = settings.seed_cells(), is_there(cells)
    sums = window_map(cells, offsets, periodic)
    if settings.quantity == "significance":
        sums = sums / seed_noise(cells, noise, settings, periodic)  # a noise of zero was refused
    if not settings.partial_seed_windows:
        there = there & _holds_whole(offsets, cells.shape, periodic)
    return np.where(there, sums, np.asarray(absent(sums.dtype), sums.dtype))


def seed_noise(cells: Array, noise: Array | None, settings: PeakSumSettings, periodic: Periodic) -> Array:
    """Return the noise of the seed window about every cell: that of its cells, added in quadrature."""
    squares = np.where(is_there(cells), np.square(np.asarray(noise, np.float64)), 0.0)
    with np.errstate(invalid="ignore"):
        variance = window_map(squares, settings.seed_cells(), periodic)
    return np.where(variance > 0, np.sqrt(variance), 1.0 if settings.quantity == "significance" else 0.0)


def window_map(cells: Array, offsets: Sequence[Offset], periodic: Periodic) -> Array:
    """Return the sum of a window about every cell, as int64 or float64; cells that are not there add nothing.

    >>> window_map(np.array([[[1, 2, 4]]]), ((0, -1), (0, 1)), Periodic(False, True)).tolist()
    [[[6, 5, 3]]]
    """
    number = accumulator(cells.dtype)
    _, n_rows, n_cols = cells.shape
    padded = np.where(is_there(cells), cells, 0).astype(number)
    reach = [max(abs(offset[k]) for offset in offsets) for k in (0, 1)]
    for axis, (n, closed) in enumerate(zip(reach, periodic, strict=True), start=1):
        width = [(n, n) if k == axis else (0, 0) for k in range(3)]
        padded = np.pad(padded, width, mode="wrap" if closed else "constant")
    total: Array = np.zeros(cells.shape, number)
    for d, p in offsets:
        top, left = reach[0] + d, reach[1] + p
        total += padded[:, top : top + n_rows, left : left + n_cols]
    return total


def _holds_whole(offsets: Sequence[Offset], shape: Sequence[int], periodic: Periodic) -> Array:
    """Return about which cells, shape (row, col), no offset leads beyond an edge."""
    every = np.ones((1, *shape[1:]), np.int64)
    return np.asarray(window_map(every, offsets, periodic)[0] == len(offsets))


def pooled(cells: Array, settings: PeakSumSettings) -> Array:
    """Return towers: the sum or the highest of their cells; a tower without a cell is not there."""
    if settings.coarsen == (1, 1):
        return cells
    blocks = _blocks(cells, settings.coarsen, absent(cells.dtype))
    if settings.pool_by == "max":
        return np.asarray(blocks.max(axis=0))
    number = accumulator(cells.dtype)
    total: Array = np.zeros(blocks.shape[1:], number)
    for cell in blocks:
        total += np.where(is_there(cell), cell, 0)
    return np.where(is_there(blocks).any(axis=0), total, np.asarray(absent(number), number))


def pooled_noise(cells: Array, noise: Array, settings: PeakSumSettings) -> Array:
    """Return the noise of towers: that of the cells that are there, added in quadrature."""
    if settings.coarsen == (1, 1):
        return noise
    squares = np.where(is_there(cells), np.square(noise.astype(np.float64)), 0.0)
    total = np.zeros_like(_blocks(squares, settings.coarsen, 0.0)[0])
    for square in _blocks(squares, settings.coarsen, 0.0):
        total += square
    return np.asarray(np.sqrt(total))


def pooled_mask(mask: Array, settings: PeakSumSettings) -> Array:
    """Return which towers have no cell that is not masked."""
    return mask if settings.coarsen == (1, 1) else np.asarray(_blocks(mask, settings.coarsen, True).all(axis=0))


def _blocks(cells: Array, pool: tuple[int, int], beyond: float | bool) -> Array:
    """Return the cells of every tower, row-major: shape (cell in the tower, event, row, col)."""
    n_events, *shape = cells.shape
    towers = [-(-size // n) for size, n in zip(shape, pool, strict=True)]
    missing = [(0, tower * n - size) for tower, n, size in zip(towers, pool, shape, strict=True)]
    whole = np.pad(cells, [(0, 0), *missing], constant_values=beyond)
    split = whole.reshape(n_events, towers[0], pool[0], towers[1], pool[1])
    return np.transpose(split, (2, 4, 0, 1, 3)).reshape(pool[0] * pool[1], n_events, *towers)


def searched_plane(settings: PeakSumSettings, grid: Grid) -> Grid:
    """Return the plane in which seeds are searched: the grid, or that of its towers.

    Raises
    ------
    ValueError
        If the cells of an axis do not divide into towers.
    """
    return grid.coarsened(settings.coarsen, allow_partial_towers=settings.allow_partial_towers)
