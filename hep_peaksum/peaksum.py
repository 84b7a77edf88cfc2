"""The algorithm on arrays: cells in, clusters out. All that can be wrong with the input is said here.

grids -> checked -> kernel -> Peaks -> columns -> jagged clusters
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hep_peaksum import clusters
from hep_peaksum.grid import EventError, Grid, bare_grid
from hep_peaksum.kernels import Array, Offset, Peaks, Rule, absent, accumulator, get_kernel
from hep_peaksum.settings import PeakSumSettings, inclusive_bound, strips_around

if TYPE_CHECKING:
    import awkward as ak


def find_clusters(
    grids: npt.ArrayLike | ak.Array,
    settings: PeakSumSettings | None = None,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    fields: Sequence[str] | None = None,
) -> ak.Array:
    """Return the clusters of every event: the local maxima with the sum of the cells around them.

    Parameters
    ----------
    grids
        Cells in counts of `grid`, shape (event, row, col), or (event, layer, row, col): then the layers are
        summed before the search. Not modified.
    settings
        What is a seed and what is summed; the default is 3x3 for both.
    grid
        The plane; without it rows and columns are bare indices and no axis is periodic.
    mask
        True where a cell is not to be used, shape (row, col) or (event, row, col).
    fields
        Names of the cluster fields (see `hep_peaksum.clusters.fields_of`); by default what costs nothing.

    Returns
    -------
    ak.Array
        One list of records an event, the largest sum first. With eta and phi the records are vector's
        `Momentum4D`. An event without clusters is an empty list.

    Raises
    ------
    EventError
        If a cell is NaN or infinite; it names event and cell.
    ValueError
        If shapes, types, fields or windows do not fit together.

    >>> clusters = find_clusters([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]])
    >>> clusters.sum.to_list(), clusters.row.to_list(), clusters.col.to_list()
    ([[11]], [[1]], [[1]])
    """
    settings = settings or PeakSumSettings()
    found = find_peaks(grids, settings, grid, mask=mask)
    names = clusters.default_fields(settings, found.grid) if fields is None else fields
    return clusters.jagged([found], settings, clusters.check_fields(names, settings, found.grid))


def peak_sum_map(
    grids: npt.ArrayLike | ak.Array,
    settings: PeakSumSettings | None = None,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
) -> Array:
    """Return grids that hold the window sum at every local maximum, and 0 elsewhere.

    Parameters and errors are those of `find_clusters`.

    Returns
    -------
    numpy.ndarray
        Shape (event, row, col); int64 for integer grids, else float64.

    >>> peak_sum_map([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]]).tolist()
    [[[0, 0, 0], [0, 11, 0], [0, 0, 0]]]
    """
    settings = settings or PeakSumSettings()
    found = find_peaks(grids, settings, grid, mask=mask)
    peaks = found.peaks.take(clusters.rank(found.peaks.event, found.peaks.sum, settings))
    sums = np.zeros(found.grids.shape, peaks.sum.dtype)
    sums[peaks.event, peaks.row, peaks.col] = peaks.sum
    return sums


def find_peaks(
    grids: npt.ArrayLike | ak.Array,
    settings: PeakSumSettings,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
) -> clusters.Found:
    """Return the peaks of every event, sorted by position, with what fields are computed from."""
    cells = _as_cells(grids)
    _check_axes(cells)
    grid = grid or bare_grid(cells.shape)
    if cells.shape[-2:] != grid.shape:
        msg = f"grids have shape {cells.shape}, the grid has {grid.shape[0]} x {grid.shape[1]} cells"
        raise ValueError(msg)
    if cells.dtype.kind != "f":
        _check_magnitude(cells, settings)
    check_windows(settings, grid)
    summed, layers = (cells, None) if cells.ndim == 3 else (_depth_sum(cells), cells)
    unusable = _unusable(summed, mask, settings)
    summed = summed if unusable is None else _without(summed, unusable, settings)
    rule = Rule(
        search=settings.search_cells(),
        bound=inclusive_bound(
            settings.seed_threshold, settings.seed_comparison, grid.unit, integer=summed.dtype.kind != "f"
        ),
        window=settings.sum_cells(),
        cell_bound=clusters.cell_bound(settings, grid, summed),
    )
    kernel = get_kernel(settings.kernel)
    peaks = kernel.find_peaks(summed, rule, grid.periodic)
    if unusable is not None:
        peaks = _seeded_in_usable(peaks, unusable)
    return clusters.Found(peaks, summed, grid, settings, kernel, layers, unusable)


def check_windows(settings: PeakSumSettings, grid: Grid) -> None:
    """Raise a ValueError if a window would meet a cell twice on a periodic axis."""
    windows: dict[str, tuple[Offset, ...]] = {
        "search_window": ((0, 0), *((cell.row, cell.col) for cell in settings.search_cells())),
        "sum_window": settings.sum_cells(),
    }
    if "chunky_donut" in settings.pileup and isinstance(settings.sum_window, tuple):
        windows["chunky_donut"] = sum(strips_around(settings.sum_window, depth=clusters.DONUT_DEPTH), ())
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
    """Return the cells as float32, float64 or int64, C-contiguous: what kernels take."""
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
    return np.ascontiguousarray(cells, dtype=np.int64)


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


def _unusable(cells: Array, mask: npt.ArrayLike | None, settings: PeakSumSettings) -> Array | None:
    """Return which cells are masked, shape (event, row, col), or None; NaN and infinity are refused."""
    unusable = None if mask is None else np.asarray(mask)
    if unusable is not None:
        if unusable.dtype != bool or unusable.shape not in (cells.shape, cells.shape[1:]):
            given = f"{unusable.dtype} of shape {unusable.shape}"
            msg = f"mask is {given}, expected bool of shape {cells.shape[1:]} or {cells.shape}"
            raise ValueError(msg)
        unusable = np.broadcast_to(unusable, cells.shape)
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
        raise EventError(event, msg)
    return unusable


def _check_magnitude(cells: Array, settings: PeakSumSettings) -> None:
    """Raise a ValueError if the sum of a window, through all layers, could leave the range of int64."""
    largest = max(-int(cells.min(initial=0)), int(cells.max(initial=0)))
    n_layers = cells.shape[1] if cells.ndim == 4 else 1
    n_strips = clusters.DONUT_STRIPS if settings.pileup else 1
    if largest * n_layers * len(settings.sum_cells()) * n_strips >= 2**63:
        msg = f"cells as large as {largest} could overflow the 64-bit sum of a window: scale them down"
        raise ValueError(msg)


def _without(cells: Array, unusable: Array, settings: PeakSumSettings) -> Array:
    """Return a copy in which masked cells do not exist, or are zero."""
    value = absent(cells.dtype) if settings.masked == "absent" else 0
    return np.where(unusable, np.asarray(value, cells.dtype), cells)


def _seeded_in_usable(peaks: Peaks, unusable: Array) -> Peaks:
    """Return the peaks whose seed is not masked (a cell masked as zero still stands among the others)."""
    return peaks.take(~unusable[peaks.event, peaks.row, peaks.col])
