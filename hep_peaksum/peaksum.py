"""The algorithm on arrays: cells in, clusters out. All that can be wrong with the input is said here.

cells -> checked -> towers -> what is compared -> seeds -> sums -> fields -> jagged clusters
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from hep_peaksum import clusters, pileup
from hep_peaksum.grid import EventError, Grid, bare_grid
from hep_peaksum.hits import Hits
from hep_peaksum.kernels import Array, Offset, Rule, absent, accumulator, get_kernel
from hep_peaksum.quantity import pooled, pooled_mask, pooled_noise, searched, searched_plane, seed_noise
from hep_peaksum.seeds import accepted_seeds, find_seeds, seed_bound
from hep_peaksum.settings import PeakSumSettings
from hep_peaksum.sums import Found, cell_bound, window_sums
from hep_peaksum.thresholds import in_sigmas

if TYPE_CHECKING:
    import awkward as ak


def find_clusters(
    grids: npt.ArrayLike | ak.Array | Hits,
    settings: PeakSumSettings | None = None,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
    fields: Sequence[str] | None = None,
) -> ak.Array:
    """Return the clusters of every event: the local maxima with the sum of the cells around them.

    Parameters
    ----------
    grids
        Cells in counts of `grid`, shape (event, row, col) or (event, layer, row, col), or `sparse` hits.
        Not modified.
    settings
        What is a seed and what is summed; the default is 3x3 for both.
    grid
        The plane; without it rows and columns are bare indices and no axis is periodic.
    mask
        True where a cell is not to be used, shape (row, col) or that of the cells that are searched.
    noise
        The standard deviation of the noise of every cell, in counts, shaped as `mask`; thresholds in sigma and
        significances need it.
    layers
        What is searched where there are layers: their sum, or each by itself (then clusters have a field
        `layer`).
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
    found = find_peaks(grids, settings, grid, mask=mask, noise=noise, layers=layers)
    names = fields
    if names is None:
        names = clusters.default_fields(settings, found.grid, layers_apart=layers == "each")
    tables = [clusters.table([found], clusters.check_fields(names, settings, found.grid))]
    del found  # what it holds is let go by and by
    return clusters.jagged(tables, settings)


def peak_sum_map(
    grids: npt.ArrayLike | ak.Array | Hits,
    settings: PeakSumSettings | None = None,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
) -> Array:
    """Return grids that hold the window sum at every local maximum, and 0 elsewhere.

    Parameters and errors are those of `find_clusters`.

    Returns
    -------
    numpy.ndarray
        Shape (event, row, col), of towers where cells are pooled; int64 for integer grids, else float64
        (float64 also where cells are divided between clusters).

    >>> peak_sum_map([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]]).tolist()
    [[[0, 0, 0], [0, 11, 0], [0, 0, 0]]]
    """
    settings = settings or PeakSumSettings()
    found = find_peaks(grids, settings, grid, mask=mask, noise=noise)
    peaks, places = found.peaks, clusters.chosen(found)
    sums = np.zeros(found.grids.shape, peaks.sum.dtype)
    sums[peaks.event[places], peaks.row[places], peaks.col[places]] = peaks.sum[places]
    return sums


def find_peaks(
    grids: npt.ArrayLike | ak.Array | Hits,
    settings: PeakSumSettings,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
) -> Found:
    """Return the peaks of every event, sorted by position, with what fields are computed from.

    The cuts on finished clusters (`hep_peaksum.clusters.kept`) are not made yet.
    """
    if isinstance(grids, Hits):
        is_bare = mask is None and noise is None and layers == "sum"
        found = _in_hits(grids, settings, grid) if is_bare else None
        if found is not None:
            return found
        grids = grids.dense()
    cells, plane, depth, n_layers = _at_the_door(grids, settings, grid, layers)
    apart = n_layers if layers == "each" else None
    is_seen_whole = mask is None and settings.seed_is_cell and settings.coarsen == (1, 1)
    if cells.dtype.kind == "i" and not (is_seen_whole and _sums_with_search(settings)):
        cells = cells.astype(np.int64, copy=False)
    unusable = None if is_seen_whole else _unusable(cells, mask, settings, apart)
    sigma = _noise(noise, cells, settings, apart, depth)
    cells = cells if unusable is None else _without(cells, unusable, settings)
    grid = searched_plane(settings, plane)
    towers = pooled(cells, settings)
    tower_mask = None if unusable is None else pooled_mask(unusable, settings)
    tower_noise = None if sigma is None else pooled_noise(cells, sigma, settings)
    quantity = searched(towers, tower_noise, settings, grid.periodic)
    kernel = get_kernel(settings.kernel)
    noise_of_seeds = None
    if tower_noise is not None and in_sigmas(settings.seed_threshold) is not None:
        noise_of_seeds = seed_noise(towers, tower_noise, settings, grid.periodic)
    rule = _rule(settings, grid, quantity, towers)
    search = find_seeds(quantity, rule, settings, grid, kernel)
    if is_seen_whole and not search.is_finite:  # nobody has to look at every cell beside the search
        strange = _unusable(cells, mask, settings, apart)
        return find_peaks(grids, settings, plane, mask=strange, noise=noise, layers=layers)
    peaks = accepted_seeds(search.peaks, settings, grid, noise=noise_of_seeds, mask=tower_mask)
    if settings.sum_over == "towers":
        cells, plane, unusable, sigma = towers, grid, tower_mask, tower_noise
        depth = None if depth is None else _pooled_layers(depth, settings)
    found = Found(
        peaks=peaks,
        looked_through=towers,
        compared=None if quantity is towers else quantity,
        grid=grid,
        added_from=None if cells is towers else cells,
        plane=plane,
        settings=settings,
        kernel=kernel,
        layers=depth,
        n_layers=n_layers,
        mask=unusable,
        noise=sigma,
        grid_mask=tower_mask,
        grid_noise=tower_noise,
    )
    return found if _sums_with_search(settings) else replace(found, peaks=window_sums(found))


def _in_hits(hits: Hits, settings: PeakSumSettings, grid: Grid | None) -> Found | None:
    """Return what is found about the hits alone, or None where empty cells matter, or a cell is not finite."""
    grid = grid or bare_grid(hits.shape)
    bound = seed_bound(settings, grid.unit, integer=hits.value.dtype.kind != "f")
    is_plain = _sums_with_search(settings) and settings.coarsen == (1, 1) and not settings.needs_noise
    is_greedy = settings.tie_rule == "greedy-residual"
    if not is_plain or is_greedy or bound is None or bound <= 0 or hits.plane != grid.shape:
        return None
    if not _fits(hits, settings):
        return None
    check_windows(settings, grid)
    kernel = get_kernel(settings.kernel)
    rule = Rule(settings.search_cells(), bound, settings.sum_cells(), cell_bound(settings, grid, hits.value))
    search = kernel.find_peaks_in_hits(hits.first, hits.cell, hits.value, grid.shape, rule, grid.periodic)
    if not search.is_finite:
        return None
    peaks = accepted_seeds(search.peaks, settings, grid)
    return Found(peaks=peaks, looked_through=hits, grid=grid, plane=grid, settings=settings, kernel=kernel)


def _fits(hits: Hits, settings: PeakSumSettings) -> bool:
    """Return whether no sum of hits, however they lie, can leave the range of int64."""
    if hits.value.dtype.kind == "f":
        return True
    largest = max(-int(hits.value.min(initial=0)), int(hits.value.max(initial=0)))
    return bool(largest * int(np.diff(hits.first).max(initial=0)) * len(settings.sum_cells()) < 2**63)


def _at_the_door(
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


def _sums_with_search(settings: PeakSumSettings) -> bool:
    """Return whether a kernel can add the windows in the same pass in which it finds the seeds."""
    return settings.seed_is_cell and settings.sum_over == "towers" and settings.adds_whole_windows


def _rule(settings: PeakSumSettings, grid: Grid, quantity: Array, towers: Array) -> Rule:
    """Return what the kernel is asked; where it cannot add the windows it adds the seed alone."""
    bound = seed_bound(settings, grid.unit, integer=quantity.dtype.kind != "f")
    adds = _sums_with_search(settings)
    return Rule(
        search=settings.search_cells(),
        bound=absent(quantity.dtype) if bound is None else bound,
        window=settings.sum_cells() if adds else (),
        cell_bound=cell_bound(settings, grid, towers) if adds else None,
    )


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


def _unusable(
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


def _noise(
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
    if settings.pool == "max" and settings.coarsen != (1, 1):
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


def _without(cells: Array, unusable: Array, settings: PeakSumSettings) -> Array:
    """Return a copy in which masked cells do not exist, or are zero."""
    value = absent(cells.dtype) if settings.masked == "absent" else 0
    return np.where(unusable, np.asarray(value, cells.dtype), cells)


def _pooled_layers(layers: Array, settings: PeakSumSettings) -> Array:
    towers = pooled(layers.reshape(-1, *layers.shape[2:]), settings.model_copy(update={"pool": "sum"}))
    return towers.reshape(*layers.shape[:2], *towers.shape[1:])
