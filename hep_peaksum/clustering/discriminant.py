"""From cells to the discriminant, which the search compares: towers, sums over the seed window, significances.

Arrays have the shape (event, row, col); a cell that does not exist holds `absent`. Sums are added offset by
offset in row-major order, so that they equal the definition bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache, partial
from typing import Any

import numpy as np

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, KernelName, Offset, Periodic, absent, accumulator, is_compiled
from hep_peaksum.loops.seeds import connected
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import passes
from hep_peaksum.settings.units import in_sigmas

# Steps from a cell to half of the cells that it is joined with; from the others the steps lead to it.
JOINS: dict[str, tuple[Offset, ...]] = {
    "edges": ((0, 1), (1, 0)),
    "corners": ((0, 1), (1, 0), (1, 1), (1, -1)),
}


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of some events on the plane `grid`, with their mask, noise and layers.

    `source` is an array (event, row, col) of floats or signed integers, or the hits that fill one. `mask` and
    `noise` have that shape; a masked cell holds `absent` or 0. `layers`, shape (event, layer, row, col), add up
    to the cells. Layers that are searched separately are events of their own, `n_separate_layers` per event.
    `groups` number the groups within which seeds are sought; 0 is a cell outside all groups. `moment` is the
    sum of energy * time in every cell, where hits with times were made dense (see `moments`). `flags` are
    numbers of channels in every cell by the name of the field that adds them up (see `CalibratedCells`).
    """

    source: Array | Hits
    grid: Grid
    mask: Array | None = None
    noise: Array | None = None
    layers: Array | None = None
    n_separate_layers: int = 1
    groups: Array | None = None
    moment: Array | None = None
    flags: Mapping[str, Array] = field(default_factory=dict)

    @cached_property
    def values(self) -> Array:
        """The cells as float32, float64 or int64, which holds their sums; built from hits on first use."""
        return self.source.dense() if isinstance(self.source, Hits) else _widen(self.source)

    @cached_property
    def moments(self) -> Array | None:
        """The sum of energy * time in every cell, shape (event, row, col); None if the hits have no times."""
        if self.moment is None and isinstance(self.source, Hits) and self.source.moment is not None:
            return self.source.moment.dense()
        return self.moment

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type in which the cells were given."""
        return self.source.value.dtype if isinstance(self.source, Hits) else self.source.dtype


def _widen(cells: Array) -> Array:
    return cells if cells.dtype.kind == "f" else cells.astype(np.int64, copy=False)


def exists(cells: Array) -> Array:
    """Return which cells exist."""
    return np.asarray(cells != absent(cells.dtype))


def discriminant(cells: Cells, settings: PeakSumSettings) -> Cells:
    """Return the cells with the values that the search compares: energies, seed-window sums, or significances.

    Where the energies of single cells are compared, these are the cells that were given.
    """
    if settings.seed_is_cell:
        return cells
    offsets, periodic = settings.seed_cells(), cells.grid.periodic
    sums = window_map(cells.values, offsets, periodic, settings.kernel)
    if settings.quantity == "significance":  # a noise of zero was refused
        sums = np.divide(sums, seed_noise(cells, settings), out=sums if sums.dtype.kind == "f" else None)
    if cells.mask is not None:
        sums[~exists(cells.values)] = absent(sums.dtype)
    if not settings.partial_seed_windows:
        sums[:, ~has_whole_window(offsets, sums.shape, periodic)] = absent(sums.dtype)
    return replace(cells, source=sums)


def passes_cell_threshold(
    values: Array, pick: Callable[[Array], Array], cells: Cells, settings: PeakSumSettings
) -> Array:
    """Return which values of cells, float64 or int64, pass the cell threshold; all if there is none.

    `pick` takes noise and mask to the shape of the values. A masked cell that counts as 0 passes no threshold
    in sigma: nothing is known of its noise, and 0 is at least 5 times a noise of 0.
    """
    threshold = settings.cell_threshold
    if threshold is None:
        return np.ones(values.shape, bool)
    in_sigma = in_sigmas(threshold) is not None
    noise = pick(np.asarray(cells.noise)) if in_sigma else None
    heights = np.abs(values) if settings.cell_threshold_abs else values
    passed = passes(heights, threshold, settings.cell_comparison, cells.grid.unit, noise=noise)
    return passed & ~pick(cells.mask) if in_sigma and cells.mask is not None else passed


def grouped(cells: Cells, settings: PeakSumSettings) -> Cells:
    """Return the cells with their groups, where seeds are sought in groups."""
    if settings.group is None:
        return cells
    values = cells.values.astype(accumulator(cells.values.dtype), copy=False)
    is_member = passes_cell_threshold(values, np.asarray, cells, settings) & exists(cells.values)
    return replace(
        cells, groups=connected(is_member, JOINS[settings.group], cells.grid.periodic, settings.kernel)
    )


def has_noise_of_plane(cells: Cells) -> bool:
    """Return whether all events share one plane of noise and of mask."""
    return all(each is None or is_plane(each) for each in (cells.noise, cells.mask))


def is_plane(array: Array) -> bool:
    """Return whether an array (event, row, col) is one plane, the same for every event."""
    return array.strides[0] == 0


def seed_noise(cells: Cells, settings: PeakSumSettings) -> Array:
    """Return the noise of the seed window around every cell: that of its cells, added in quadrature.

    If it is the same in all events, only one plane is returned, shape (1, row, col).
    """
    events = slice(0, 1) if has_noise_of_plane(cells) else slice(None)
    squares = np.square(np.asarray(cells.noise, np.float64)[events])
    if cells.mask is not None:
        squares = np.where(exists(cells.values[events]), squares, 0.0)
    with np.errstate(invalid="ignore"):
        variance = window_map(squares, settings.seed_cells(), cells.grid.periodic, settings.kernel)
    return np.where(variance > 0, np.sqrt(variance), 1.0 if settings.quantity == "significance" else 0.0)


def window_map(
    cells: Array, offsets: Sequence[Offset], periodic: Periodic, kernel: KernelName = "scipy"
) -> Array:
    """Return the sum of a window around every cell, int64 or float64; cells that do not exist add nothing.

    >>> window_map(np.array([[[1, 2, 4]]]), ((0, -1), (0, 1)), Periodic(False, True)).tolist()
    [[[6, 5, 3]]]
    """
    if is_compiled(kernel):
        from hep_peaksum.loops import window_sums

        return window_sums.window_map(cells, offsets, periodic)
    number = accumulator(cells.dtype)
    _, n_rows, n_cols = cells.shape
    padded = np.where(exists(cells), cells, 0).astype(number)
    reach = [max(abs(offset[k]) for offset in offsets) for k in (0, 1)]
    for axis, (n, is_periodic) in enumerate(zip(reach, periodic, strict=True), start=1):
        width = [(n, n) if k == axis else (0, 0) for k in range(3)]
        padded = np.pad(padded, width, mode="wrap" if is_periodic else "constant")
    total: Array = np.zeros(cells.shape, number)
    for d, p in offsets:
        top, left = reach[0] + d, reach[1] + p
        total += padded[:, top : top + n_rows, left : left + n_cols]
    return total


def has_whole_window(offsets: Sequence[Offset], shape: Sequence[int], periodic: Periodic) -> Array:
    """Return the cells, shape (row, col), from which no offset leads beyond an edge."""
    is_whole = []
    for axis, (size, is_periodic) in enumerate(zip(shape[1:], periodic, strict=True)):
        steps, index = [offset[axis] for offset in offsets], np.arange(size)
        is_whole.append(is_periodic | ((index + min(steps) >= 0) & (index + max(steps) < size)))
    return np.asarray(is_whole[0][:, None] & is_whole[1])


@lru_cache(maxsize=64)  # every search asks several times
def search_grid(settings: PeakSumSettings, grid: Grid) -> Grid:
    """Return the plane on which seeds are searched: the grid, or that of its towers.

    Raises
    ------
    ValueError
        If the cells of an axis do not divide into towers.
    """
    try:
        return grid.coarsened(settings.coarsen, allow_partial_towers=settings.allow_partial_towers)
    except ValueError as error:
        msg = f"coarsen {list(settings.coarsen)}: {error}"
        raise ValueError(msg) from None


def pool(cells: Cells, settings: PeakSumSettings) -> Cells:
    """Pool the cells into towers, with their mask, noise and layers; without towers, return the cells."""
    if settings.coarsen == (1, 1):
        return cells
    layers = cells.layers if settings.sum_over == "towers" else None  # else those of the cells are of use
    flags = cells.flags
    if cells.grid.saturated and "n_saturated" not in flags:  # of calibrated cells the raw values were compared
        flags = {**flags, "n_saturated": n_codes(cells)}
    is_held = cache(partial(_held_by_towers, cells, settings))  # worked out once, if anything needs it
    sum_held = partial(_sum_held, is_held=is_held, settings=settings)
    return replace(
        cells,
        source=pool_cells(cells.values, settings, cells.grid.unit),
        grid=search_grid(settings, cells.grid),
        mask=None if cells.mask is None else _pool_mask(cells.mask, settings),
        noise=None if cells.noise is None else _pool_noise(cells, settings),
        layers=None if layers is None else sum_held(layers),
        moment=None if cells.moments is None else sum_held(cells.moments),
        flags={name: sum_held(flag) for name, flag in flags.items()},
    )


def holds_code(values: Array, cells: Cells) -> Array:
    """Return which values, of some cells or of their layers, are codes of `saturated`."""
    codes: list[float] = list(cells.grid.saturated)
    if cells.dtype.kind != "f":  # compared as integers, not as the floats that numpy would make of both
        codes = [int(code) for code in codes if code == int(code) and abs(code) < 2**63]
    return np.isin(values, codes)


def n_codes(cells: Cells) -> Array:
    """Return how many codes of `saturated` every cell holds: of summed layers, in how many of them."""
    n = holds_code(cells.values if cells.layers is None else cells.layers, cells)
    return n if cells.layers is None else n.sum(axis=1)


def pool_cells(cells: Array, settings: PeakSumSettings, unit: float | None) -> Array:
    """Return towers: the sum or the highest of their cells; a tower without a cell does not exist.

    `unit` is one count in GeV, for the threshold on the cells of a tower.
    """
    if settings.coarsen == (1, 1):
        return cells
    cells = _widen(cells)
    if settings.pool_threshold is not None:
        cells = np.where(_is_pooled(cells, settings, unit), cells, 0)
    if settings.pool_by == "sum":
        return _sum_blocks(cells, settings)
    return np.asarray(_blocks(cells, settings.coarsen, absent(cells.dtype)).max(axis=0))


def _is_pooled(cells: Array, settings: PeakSumSettings, unit: float | None) -> Array:
    """Return which cells exceed `pool_threshold`, or do not exist; the others count as 0 in their tower."""
    wide = cells.astype(accumulator(cells.dtype), copy=False)  # numpy would round the bound to float32
    return passes(wide, settings.pool_threshold or 0, ">", unit) | ~exists(cells)


def _sum_blocks(cells: Array, settings: PeakSumSettings) -> Array:
    blocks, number = _blocks(cells, settings.coarsen, absent(cells.dtype)), accumulator(cells.dtype)
    total: Array = np.zeros(blocks.shape[1:], number)
    for cell in blocks:
        total += np.where(exists(cell), cell, 0)
    return np.where(exists(blocks).any(axis=0), total, np.asarray(absent(number), number))


def _held_by_towers(cells: Cells, settings: PeakSumSettings) -> Array:
    """Return which cells their towers hold, as `_blocks`: none that is masked, or that its tower leaves out."""
    values, is_held = cells.values, exists(cells.values)
    if cells.mask is not None:
        is_held &= ~cells.mask  # one masked as zero exists
    if settings.pool_threshold is not None:
        is_held &= _is_pooled(values, settings, cells.grid.unit)
    held = _blocks(is_held, settings.coarsen, False)
    if settings.pool_by == "max":
        highest = _blocks(values, settings.coarsen, absent(values.dtype)).argmax(axis=0)
        held &= highest == np.arange(len(held))[:, None, None, None]
    return held


def _sum_held(numbers: Array, is_held: Callable[[], Array], settings: PeakSumSettings) -> Array:
    """Return the sums of numbers of cells, or of their layers, over cells that towers hold, as `_blocks`."""
    *events, n_rows, n_cols = numbers.shape
    blocks = _blocks(numbers.reshape(math.prod(events), n_rows, n_cols), settings.coarsen, 0)
    total: Array = np.zeros(blocks.shape[1:], accumulator(numbers.dtype))
    for block, held in zip(blocks, is_held(), strict=True):
        total += np.where(np.repeat(held, math.prod(events[1:]), axis=0), block, 0)
    return total.reshape(*events, *total.shape[1:])


def _pool_noise(cells: Cells, settings: PeakSumSettings) -> Array:
    """Return the noise of towers: that of the cells that exist, added in quadrature."""
    events = slice(0, 1) if has_noise_of_plane(cells) else slice(None)
    noise = np.asarray(cells.noise, np.float64)[events]
    squares = np.where(exists(cells.values[events]), np.square(noise), 0.0)
    blocks = _blocks(squares, settings.coarsen, 0.0)
    total = np.zeros_like(blocks[0])
    for square in blocks:
        total += square
    return np.broadcast_to(np.sqrt(total), (len(cells.source), *total.shape[1:]))


def _pool_mask(mask: Array, settings: PeakSumSettings) -> Array:
    """Return which towers have no cell that is not masked."""
    return np.asarray(_blocks(mask, settings.coarsen, True).all(axis=0))


def _blocks(cells: Array, pool: tuple[int, int], padding: float | bool) -> Array:
    """Return the cells of every tower, row-major: shape (cell in the tower, event, row, col)."""
    n_events, *shape = cells.shape
    towers = [-(-size // n) for size, n in zip(shape, pool, strict=True)]
    missing = [(0, tower * n - size) for tower, n, size in zip(towers, pool, shape, strict=True)]
    padded = np.pad(cells, [(0, 0), *missing], constant_values=padding)
    split = padded.reshape(n_events, towers[0], pool[0], towers[1], pool[1])
    return np.transpose(split, (2, 4, 0, 1, 3)).reshape(pool[0] * pool[1], n_events, *towers)
