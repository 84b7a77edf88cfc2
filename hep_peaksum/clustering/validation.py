"""The door: input arrays are checked and normalised here, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering import pileup
from hep_peaksum.clustering.discriminant import (
    searched_plane,
)
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid
from hep_peaksum.kernels import Array, Offset, absent, accumulator
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak


def normalise_input(
    grids: npt.ArrayLike | ak.Array, settings: PeakSumSettings, grid: Grid | None, layers: str
) -> tuple[Array, Grid, Array | None, int]:
    """Return the cells to search, their plane, the layers that they sum, and how many layers lie apart."""
    cells = _as_cells(grids)
    _check_axes(cells)
    grid = grid or bare_grid(cells.shape)
    if cells.shape[-2:] != grid.shape:
        msg = f"grids have shape {cells.shape}, the grid has {grid.shape[0]} x {grid.shape[1]} cells"
        raise ValueError(msg)
    if layers not in ("sum", "each"):
        msg = f"layers is {layers!r}, expected 'sum' or 'each'"
        raise ValueError(msg)
    if layers == "each" and cells.ndim != 4:
        msg = f"layers 'each' needs grids of shape (event, layer, row, col), these have {cells.shape}"
        raise ValueError(msg)
    if cells.dtype.kind != "f":
        _check_magnitude(cells, settings)
    check_windows(settings, grid)
    if layers == "each":
        return cells.reshape(-1, *cells.shape[2:]), grid, None, cells.shape[1]
    return (cells, grid, None, 1) if cells.ndim == 3 else (_depth_sum(cells), grid, cells, 1)


def check_windows(settings: PeakSumSettings, grid: Grid) -> None:
    """Raise a ValueError if cells do not divide into towers, or a window would meet a cell twice."""
    grid = searched_plane(settings, grid)
    windows: dict[str, tuple[Offset, ...]] = {
        "search_window": ((0, 0), *((cell.row, cell.col) for cell in settings.search_cells())),
        "sum_window": settings.sum_cells(),
        "seed_window": settings.seed_cells(),
    }
    for wanted in settings.pileup:
        windows[wanted.name] = pileup.reach(wanted, settings)
        if wanted.kind == "phi_ring":
            pileup.check_ring(wanted, settings, grid)
    for name, offsets in windows.items():
        met = {
            (d % grid.rows.size if grid.rows.periodic else d, p % grid.cols.size if grid.cols.periodic else p)
            for d, p in offsets
        }
        if len(met) < len(offsets):
            lengths = [
                f"{axis.name or which} ({axis.size} cells)"
                for which, axis in (("rows", grid.rows), ("cols", grid.cols))
                if axis.periodic
            ]
            msg = (
                f"{name} is longer than the periodic axis {' or '.join(lengths)} and would meet a cell twice: "
                "make the window shorter, or the axis not periodic"
            )
            raise ValueError(msg)


def _as_cells(grids: npt.ArrayLike | ak.Array) -> Array:
    """Return the cells as kernels take them: C-contiguous, float32, float64 or signed integers."""
    cells = np.asarray(grids)
    if cells.dtype.kind == "f":
        if cells.dtype.itemsize > 8:
            msg = f"cells of type {cells.dtype} do not fit into float64: convert them first"
            raise ValueError(msg)
        kept = np.float32 if cells.dtype.itemsize == 4 else np.float64
        return np.ascontiguousarray(cells, dtype=kept)
    if cells.dtype.kind not in "iub":
        msg = f"cells must be numbers, these are of type {cells.dtype}"
        raise ValueError(msg)
    if cells.dtype == np.uint64 and cells.size and cells.max() > np.iinfo(np.int64).max:
        msg = f"the largest cell, {cells.max()}, does not fit into int64"
        raise ValueError(msg)
    return np.ascontiguousarray(cells, dtype=_signed(cells.dtype))


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the signed integer type that holds every value of a type of integers; int64 for the largest."""
    n_bytes = {"i": dtype.itemsize, "u": min(8, 2 * dtype.itemsize), "b": 1}[dtype.kind]
    return np.dtype(f"i{n_bytes}")


def _check_axes(cells: Array) -> None:
    if cells.ndim not in (3, 4):
        hint = ": for a single event pass grids[None]" if cells.ndim == 2 else ""
        msg = f"grids have shape {cells.shape}, expected (event, row, col) or (event, layer, row, col){hint}"
        raise ValueError(msg)
    if 0 in cells.shape[-2:]:
        msg = f"grids have shape {cells.shape}, expected at least one row and one column"
        raise ValueError(msg)


def _depth_sum(cells: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told by its cell
        return np.asarray(cells.sum(axis=1, dtype=accumulator(cells.dtype)))


def _shaped(array: Array, cells: Array, layers: int | None, what: str) -> Array:
    """Return a map of one event, or one of every event, in the shape of the cells that are searched.

    `layers` is the number of layers that lie apart, or None.
    """
    shape = cells.shape[1:]
    whole = cells.shape if layers is None else (len(cells) // max(1, layers), layers, *shape)
    if array.shape == shape:
        return np.broadcast_to(array, cells.shape)
    if layers is not None and array.shape == (layers, *shape):
        return np.tile(array, (whole[0], 1, 1))
    if array.shape not in (cells.shape, whole):
        msg = f"{what} is {array.dtype} of shape {array.shape}, expected "
        msg += f"{'bool' if what == 'mask' else 'numbers'} of shape {shape} or {whole}"
        raise ValueError(msg)
    return array.reshape(cells.shape)


def bad_cells(
    cells: Array, mask: npt.ArrayLike | None, settings: PeakSumSettings, layers: int | None
) -> Array | None:
    """Return which cells are masked, shape (event, row, col), or None; NaN and infinity are refused."""
    unusable = None if mask is None else np.asarray(mask)
    if unusable is not None:
        if unusable.dtype != bool:
            given = f"{unusable.dtype} of shape {unusable.shape}"
            msg = f"mask is {given}, expected bool of shape {cells.shape[1:]} or {cells.shape}"
            raise ValueError(msg)
        unusable = _shaped(unusable, cells, layers, "mask")
    if cells.dtype.kind != "f":
        return unusable
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(cells.sum()):  # one pass over the memory; only a NaN or infinity makes the second needed
            return unusable
    strange = ~np.isfinite(cells)
    if settings.nonfinite == "mask":
        return strange if unusable is None else strange | unusable
    if unusable is not None:
        strange &= ~unusable
    if strange.any():
        event, row, col = (int(i[0]) for i in np.nonzero(strange))
        msg = f"cell (row {row}, col {col}) is {cells[event, row, col]}: mask it, or set nonfinite to 'mask'"
        raise EventError(event // (layers or 1), msg)
    return unusable


def cell_noise(
    noise: npt.ArrayLike | None,
    cells: Array,
    settings: PeakSumSettings,
    layers: int | None,
    depth: Array | None,
) -> Array | None:
    """Return the noise of every cell as float64, or None; what is no standard deviation is refused.

    That of layers that were summed is added in quadrature.
    """
    if noise is None:
        if settings.needs_noise:
            msg = "significances and thresholds in sigma need the noise of the cells: give noise, in counts"
            raise ValueError(msg)
        return None
    sigma = np.asarray(noise)
    if sigma.dtype.kind not in "fiu":
        msg = f"noise must be numbers, these are of type {sigma.dtype}"
        raise ValueError(msg)
    if depth is not None and sigma.shape == depth.shape:
        sigma = np.sqrt(np.square(sigma.astype(np.float64)).sum(axis=-3))
    sigma = _shaped(sigma.astype(np.float64), cells, layers, "noise")
    wrong = ~(np.isfinite(sigma) & (sigma >= 0))
    if settings.quantity == "significance":
        wrong |= sigma == 0
    if wrong.any():
        event, row, col = (int(i[0]) for i in np.nonzero(wrong))
        least = "above 0" if settings.quantity == "significance" else "0 or above"
        msg = f"the noise of cell (row {row}, col {col}) is {sigma[event, row, col]}, expected a number {least}"
        raise EventError(event // (layers or 1), msg)
    if settings.pool_by == "max" and settings.coarsen != (1, 1):
        msg = "the noise of the highest of several cells is not known: pool by 'sum', or give no noise"
        raise ValueError(msg)
    return sigma


def _check_magnitude(cells: Array, settings: PeakSumSettings) -> None:
    """Raise a ValueError if a sum of cells, through all layers, could leave the range of int64."""
    largest = -int(np.iinfo(cells.dtype).min)
    if largest > np.iinfo(np.int16).max + 1:
        largest = max(-int(cells.min(initial=0)), int(cells.max(initial=0)))
    n_layers = cells.shape[1] if cells.ndim == 4 else 1
    windows = [len(settings.sum_cells()), len(settings.seed_cells())]
    for wanted in settings.pileup:
        looked_at = len(pileup.reach(wanted, settings)) or windows[0] * max(cells.shape[-2:])
        windows.append(windows[0] * looked_at)
    pooled_cells = settings.coarsen[0] * settings.coarsen[1]
    if largest * n_layers * pooled_cells * max(windows) >= 2**63:
        msg = f"cells as large as {largest} could overflow the 64-bit sum of a window: scale them down"
        raise ValueError(msg)


def apply_mask(cells: Array, unusable: Array, settings: PeakSumSettings) -> Array:
    """Return a copy in which masked cells do not exist, or are zero."""
    value = absent(cells.dtype) if settings.masked == "absent" else 0
    return np.where(unusable, np.asarray(value, cells.dtype), cells)
