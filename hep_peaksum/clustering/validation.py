"""Validation: input arrays are checked and normalised here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering import pileup
from hep_peaksum.clustering.discriminant import Cells, is_plane, search_grid
from hep_peaksum.clustering.seeding import SearchPlan, seed_bound
from hep_peaksum.geometry.grid import EventError, Grid, split_mask
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, Offset, absent, accumulator
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import in_counts
from hep_peaksum.settings.units import in_sigmas

if TYPE_CHECKING:
    import awkward as ak


AS_MASK = "convert it to bool, true where a cell must not be used"


def unmask(
    grids: npt.ArrayLike | ak.Array | Hits,
    noise: npt.ArrayLike | ak.Array | None,
    grid: Grid | None,
    layers: str,
) -> tuple[Array | Hits, Array | None, Sequence[Array]]:
    """Return cells and noise as plain arrays, and where either has no value; flat cells are put on the grid."""
    missing: list[Array | None] = []
    if noise is not None:
        noise, in_noise = split_mask(noise)
        missing.append(in_noise)
    if not isinstance(grids, Hits):
        grids, in_grids = _split_grids(grids)
        grids, in_grids = (on_plane(each, grid) for each in (grids, in_grids))
        if layers == "each" and grids.ndim == 4 and grids.shape[1] == 0:  # no layers: one without a cell
            grids = np.zeros((len(grids), 1, *grids.shape[2:]), grids.dtype)
            in_grids = np.ones(grids.shape, bool)
        missing.append(in_grids)
    return grids, noise, [each for each in missing if each is not None]


def _split_grids(grids: npt.ArrayLike | ak.Array) -> tuple[Array, Array | None]:
    """Return cells and where they have no value; events of different sizes are a ValueError that says so."""
    try:
        return split_mask(grids)
    except ValueError as error:
        if "inhomogeneous" not in str(error) and "not regular" not in str(error):
            raise
        remedy = "make grids of hits with from_hits or sparse"
        msg = f"grids: the events differ in their numbers of cells, expected (event, row, col): {remedy}"
        raise ValueError(msg) from None


def on_plane(cells: Any, grid: Grid | None) -> Any:
    """Return flat maps, shape (cell,) or (event, cell), with rows and columns; anything else as it is.

    Without any event the number of cells is unknown, and taken to be that of the plane.
    """
    if cells is None:
        return None
    if cells.ndim in (2, 3, 4) and len(cells) == 0 and 0 in cells.shape[-2:] and (grid or cells.ndim > 2):
        layers, plane = (n or 1 for n in cells.shape[1:-2]), grid.shape if grid else (1, 1)
        return np.empty((0, *layers, *plane), cells.dtype)
    if grid is None or cells.ndim not in (1, 2):
        return cells
    return cells.reshape(*cells.shape[:-1], *grid.shape) if cells.shape[-1] == grid.n_cells else cells


def normalise_input(
    grids: Array | Hits,
    settings: PeakSumSettings,
    grid: Grid,
    plan: SearchPlan,
    *,
    mask: Array | None,
    noise: Array | None,
    layers: str,
    missing: Sequence[Array],
    keep_layers: bool,
    holds_absent: bool,
) -> Cells:
    """Return the cells to search, with their mask applied and their noise.

    `missing` are the masks of `grids` and `noise` themselves (see `split_mask`); with `holds_absent` they are
    applied already, and all other cells are finite. Hits stay hits where they can be searched as such, which
    those of summed layers can unless the layers are of use later. Where the plan checks the cells, they may not
    be finite yet (see `apply_mask`). Parameters and errors are those of `find_clusters`.
    """
    moment = None
    grid = _with_codes_of(grid, grids.value.dtype if isinstance(grids, Hits) else grids.dtype)
    if isinstance(grids, Hits):
        check_energies(settings, grid)
        is_bare = mask is None and noise is None and not missing
        if is_bare and can_search_hits(grids, settings, grid, plan, layers, keep_layers=keep_layers):
            check_windows(settings, grid)
            return _hits_as_cells(grids, settings, grid, layers)
        moment, grids = _moment(grids, layers), grids.dense()
    array, missing = _empty_layers(_as_array(grids), missing, layers)
    cells, by_layer = _as_cells(array, settings, grid, layers), layers == "each"
    for each in [*missing] if mask is None else [*missing, mask]:
        checked = _checked_mask(each, cells, by_layer=by_layer)
        cells = replace(cells, mask=checked if cells.mask is None else cells.mask | checked)
    if not plan.checks_cells and not holds_absent:
        cells = apply_mask(cells, settings)
    if noise is not None or settings.needs_noise:
        sigma = _noise_map(noise, cells, settings, by_layer=by_layer)
        cells = _with_checked_noise(cells, sigma, settings)
    return replace(cells, moment=moment)


def _moment(hits: Hits, layers: str) -> Array | None:
    """Return the sum of energy * time in every cell that is searched, if the hits have times."""
    if hits.moment is None:
        return None
    moment = hits.moment.dense()
    if moment.ndim == 3:
        return moment
    return moment.reshape(-1, *moment.shape[2:]) if layers == "each" else np.asarray(moment.sum(axis=1))


@lru_cache(maxsize=64)
def _with_codes_of(grid: Grid, dtype: np.dtype[Any]) -> Grid:
    """Return the grid with its saturation codes as floating cells of a type hold them.

    >>> from hep_peaksum.geometry.axis import Axis
    >>> axis = Axis(n=1)
    >>> _with_codes_of(Grid(rows=axis, cols=axis, saturated=(1638.3,)), np.dtype("float32")).saturated
    (1638.300048828125,)
    """
    if dtype.kind != "f" or not grid.saturated:
        return grid
    with np.errstate(over="ignore"):
        codes = {code: float(np.float64(code).astype(dtype)) for code in grid.saturated}
    # no cell holds a code that is beyond its type
    held = tuple(code if np.isinf(as_cell) else as_cell for code, as_cell in codes.items())
    return grid.model_copy(update={"saturated": held})


def _empty_layers(array: Array, missing: Sequence[Array], layers: str) -> tuple[Array, Sequence[Array]]:
    """Return cells to which missing layers add nothing, and the masks; a cell without any layer is masked."""
    of_layers = [each for each in missing if array.ndim == 4 and each.shape == array.shape]
    if layers != "sum" or not of_layers:
        return array, missing
    union = np.logical_or.reduce(of_layers)
    others = [each for each in missing if each.shape != array.shape]
    return np.where(union, np.zeros((), array.dtype), array), [*others, union.all(axis=1)]


def _as_cells(array: Array, settings: PeakSumSettings, grid: Grid, layers: str) -> Cells:
    """Return the cells on their plane; layers are added up, or become events of their own."""
    if array.dtype.kind != "f":
        _check_magnitude(array, settings)
    check_energies(settings, grid)
    check_windows(settings, grid)
    if layers == "each":
        return Cells(array.reshape(-1, *array.shape[2:]), grid, n_separate_layers=array.shape[1])
    return Cells(array, grid) if array.ndim == 3 else Cells(_sum_layers(array), grid, layers=array)


def can_search_hits(
    hits: Hits, settings: PeakSumSettings, grid: Grid, plan: SearchPlan, layers: str, *, keep_layers: bool
) -> bool:
    """Return whether all seeds are found among the hits, because no empty cell passes the seed threshold."""
    if hits.plane != grid.shape or not plan.checks_cells or settings.needs_noise:
        return False
    if settings.group is not None or settings.removes_cells:
        return False
    if hits.n_layers is None:
        is_possible = layers == "sum"
    else:  # the layers of a single cell numpy does not add one after the other
        is_possible = layers == "each" or (layers == "sum" and not keep_layers and hits.plane != (1, 1))
    bound = seed_bound(settings, grid.unit, integer=hits.value.dtype.kind != "f")
    return is_possible and bound is not None and bound > 0 and _hits_fit_int64(hits, settings, layers)


def _hits_as_cells(hits: Hits, settings: PeakSumSettings, grid: Grid, layers: str) -> Cells:
    """Return hits as the cells to search; layers are added up, or become events of their own."""
    if hits.n_layers is None:
        return Cells(hits, grid)
    if layers == "each":
        return Cells(hits.separate_layers(), grid, n_separate_layers=hits.n_layers)
    return Cells(hits.summed_layers(settings.kernel), grid)


def _hits_fit_int64(hits: Hits, settings: PeakSumSettings, layers: str) -> bool:
    """Return whether no window sum can leave the range of int64, whatever cells the hits lie in."""
    if hits.value.dtype.kind == "f":
        return True
    largest = max(-int(hits.value.min(initial=0)), int(hits.value.max(initial=0)))
    together = 1 if layers == "each" else hits.n_layers or 1
    most_hits = int(np.diff(hits.event_offsets[::together]).max(initial=0))
    return bool(largest * most_hits * len(settings.sum_cells()) < 2**63)


THRESHOLDS = (
    *("seed_threshold", "cell_threshold", "sum_threshold", "min_seed_gap", "min_prominence"),
    "neighbour_threshold",
)


@lru_cache(maxsize=64)
def check_energies(settings: PeakSumSettings, grid: Grid) -> None:
    """Raise a ValueError if a threshold is an energy, and the grid does not say what energy a count is."""
    for key in THRESHOLDS:
        threshold = getattr(settings, key)
        if isinstance(threshold, str) and in_sigmas(threshold) is None:
            try:
                in_counts(threshold, grid.unit)
            except ValueError as error:
                msg = f"{key} {error}"
                raise ValueError(msg) from None


@lru_cache(maxsize=64)
def check_windows(settings: PeakSumSettings, grid: Grid) -> None:
    """Raise a ValueError if cells do not divide into towers, or a window would meet a cell twice.

    Likewise if clusters are to be counted by regions that the grid does not have.
    """
    if settings.max_clusters_per != "event":
        grid.division(settings.max_clusters_per)
    grid = search_grid(settings, grid)
    windows: dict[str, tuple[Offset, ...]] = {
        "search_window": ((0, 0), *((cell.row, cell.col) for cell in settings.search_cells())),
        "sum_window": settings.sum_cells(),
        "seed_window": settings.seed_cells(),
    }
    for estimate in settings.pileup:
        windows[estimate.name] = pileup.estimate_offsets(estimate, settings)
        if estimate.kind == "phi_ring":
            pileup.check_ring(estimate, settings, grid)
    for name, offsets in windows.items():
        cells = {
            (d % grid.rows.size if grid.rows.periodic else d, p % grid.cols.size if grid.cols.periodic else p)
            for d, p in offsets
        }
        if len(cells) < len(offsets):
            lengths = [
                f"{axis.name or word} ({axis.size} cells)"
                for word, axis in (("rows", grid.rows), ("cols", grid.cols))
                if axis.periodic
            ]
            what = "window" if name in ("search_window", "sum_window", "seed_window") else "sum_window or depth"
            msg = (
                f"{name} is longer than the periodic axis {' or '.join(lengths)} and would meet a cell twice: "
                f"make the {what} shorter, or the axis not periodic"
            )
            raise ValueError(msg)


def _as_array(cells: Array) -> Array:
    """Return the cells as kernels take them: C-contiguous, float32, float64 or signed integers."""
    if cells.dtype.kind == "f":
        if cells.dtype.itemsize > 8:
            msg = f"cells of type {cells.dtype} do not fit into float64: convert them first"
            raise ValueError(msg)
        return np.ascontiguousarray(cells, dtype=np.float32 if cells.dtype.itemsize == 4 else np.float64)
    if cells.dtype.kind not in "iub":
        msg = f"cells must be real numbers, these are of type {cells.dtype}: convert them first"
        raise ValueError(msg)
    if cells.dtype == np.uint64 and cells.size and cells.max() > np.iinfo(np.int64).max:
        msg = f"the largest cell, {cells.max()}, does not fit into int64"
        raise ValueError(msg)
    return np.ascontiguousarray(cells, dtype=_signed_type(cells.dtype))


def _signed_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the signed integer type that holds every value of an integer type; int64 for the largest."""
    n_bytes = {"i": dtype.itemsize, "u": min(8, 2 * dtype.itemsize), "b": 1}[dtype.kind]
    return np.dtype(f"i{n_bytes}")


def check_shape(shape: tuple[int, ...], grid: Grid | None, layers: str) -> None:
    """Raise a ValueError if cells of this shape do not fit the grid, or have no layers that are searched."""
    if len(shape) not in (3, 4):
        remedy = ": for a single event pass grids[None], for flat cells a grid of as many"
        expected = f"(event, row, col) or (event, layer, row, col){remedy if len(shape) == 2 else ''}"
        msg = f"grids have shape {shape}, expected {expected}"
        raise ValueError(msg)
    if 0 in shape[-2:]:
        msg = f"grids have shape {shape}, expected at least one row and one column"
        raise ValueError(msg)
    if grid is not None and shape[-2:] != grid.shape:
        is_swapped, is_flat = shape[:-3:-1] == grid.shape, shape[-1] == grid.n_cells
        remedy = "swap rows and cols of the grid" if is_swapped else "give the grid of these cells"
        remedy = "flat layers are put on it by from_dense with axes" if is_flat else remedy
        if shape[:-1] == grid.shape:
            remedy = "events come first, (event, row, col): give np.moveaxis(grids, -1, 0)"
        msg = f"grids have shape {shape}, the grid has {grid.shape[0]} x {grid.shape[1]} cells: {remedy}"
        raise ValueError(msg)
    if layers not in ("sum", "each"):
        msg = f"layers is {layers!r}, expected 'sum' or 'each'"
        raise ValueError(msg)
    if layers == "each" and len(shape) != 4:
        msg = f"layers 'each' needs grids of shape (event, layer, row, col), these have {shape}: drop layers"
        raise ValueError(msg)


def _check_magnitude(cells: Array, settings: PeakSumSettings) -> None:
    """Raise a ValueError if a sum of cells, through all layers, could leave the range of int64."""
    largest = -int(np.iinfo(cells.dtype).min)
    if largest > np.iinfo(np.int16).max + 1:
        largest = max(-int(cells.min(initial=0)), int(cells.max(initial=0)))
    n_layers = cells.shape[1] if cells.ndim == 4 else 1
    windows = [len(settings.sum_cells()), len(settings.seed_cells())]
    for estimate in settings.pileup:
        n_cells = len(pileup.estimate_offsets(estimate, settings)) or windows[0] * max(cells.shape[-2:])
        windows.append(windows[0] * n_cells)
    pooled_cells = settings.coarsen[0] * settings.coarsen[1]
    if largest * n_layers * pooled_cells * max(windows) >= 2**63:
        msg = f"cells as large as {largest} could overflow the 64-bit sum of a window: scale them down"
        raise ValueError(msg)


def _sum_layers(cells: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):  # the cell that is not finite is named later
        return np.asarray(cells.sum(axis=1, dtype=accumulator(cells.dtype)))


def _checked_mask(is_masked: Array, cells: Cells, *, by_layer: bool) -> Array:
    if is_masked.dtype != bool:
        given, shape = f"{is_masked.dtype} of shape {is_masked.shape}", cells.source.shape
        msg = f"mask is {given}, expected bool of shape {shape[1:]} or {shape}: {AS_MASK}"
        raise ValueError(msg)
    return _broadcast(is_masked, cells, "mask", by_layer=by_layer)


def _broadcast(array: Array, cells: Cells, name: str, *, by_layer: bool) -> Array:
    """Return a map of one event, or one of every event, in the shape of the cells.

    With `by_layer` the maps may have the layers that are searched separately.
    """
    shape, n_layers = cells.source.shape, cells.n_separate_layers
    if array.shape != shape[1:]:
        array = on_plane(array, cells.grid)
    with_layers = (shape[0] // max(1, n_layers), n_layers, *shape[1:]) if by_layer else shape
    if array.shape == shape[1:]:
        return np.broadcast_to(array, shape)
    if by_layer and array.shape == with_layers[1:]:
        return np.tile(array, (with_layers[0], 1, 1))
    if array.shape not in (shape, with_layers):
        kind = "bool" if name == "mask" else "numbers"
        given = f"{name} is {array.dtype} of shape {array.shape}"
        remedy = ": transpose it" if array.shape == shape[:0:-1] else ""
        msg = f"{given}, expected {kind} of shape {shape[1:]} or {with_layers}{remedy}"
        raise ValueError(msg)
    return array.reshape(shape)


def apply_mask(cells: Cells, settings: PeakSumSettings) -> Cells:
    """Return finite cells, those of the mask absent or zero; with `nonfinite` "mask" others become part of it.

    Raises
    ------
    EventError
        If a cell is NaN or infinite and not masked; names the first.
    """
    values, mask = cells.values, _bad_cells(cells, settings)
    if mask is None:
        return replace(cells, source=values, moment=cells.moments)
    value = absent(values.dtype) if settings.masked == "absent" else 0
    cells = replace(cells, moment=cells.moments)
    return replace(cells, source=np.where(mask, np.asarray(value, values.dtype), values), mask=mask)


def _bad_cells(cells: Cells, settings: PeakSumSettings) -> Array | None:
    """Return which cells are masked, by choice also those that are not finite; None if there is no mask."""
    values, mask = cells.values, cells.mask
    if values.dtype.kind != "f":
        return mask
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):  # one pass over the memory; a second only if there is a NaN or infinity
            return mask
    nonfinite = ~np.isfinite(values)
    if settings.nonfinite == "mask":
        return nonfinite if mask is None else nonfinite | mask
    if mask is not None:
        nonfinite &= ~mask
    if nonfinite.any():
        event, row, col = (int(i[0]) for i in np.nonzero(nonfinite))
        value = values[event, row, col]
        msg = f"cell (row {row}, col {col}) is {value}: mask it, or set nonfinite to 'mask'"
        raise EventError(event // cells.n_separate_layers, msg)
    return mask


def _with_checked_noise(cells: Cells, sigma: Array, settings: PeakSumSettings) -> Cells:
    """Return the cells with their noise, 0 where a masked cell has an invalid one."""
    sigma, is_invalid = _without_masked(sigma, cells, settings)
    if is_invalid.any():
        event, row, col = (int(i[0]) for i in np.nonzero(is_invalid))
        least = "above 0" if settings.quantity == "significance" else "0 or above"
        msg = f"the noise of cell (row {row}, col {col}) is {sigma[event, row, col]}, expected a number {least}"
        raise EventError(event // cells.n_separate_layers, msg)
    return replace(cells, noise=sigma)


def _without_masked(sigma: Array, cells: Cells, settings: PeakSumSettings) -> tuple[Array, Array]:
    """Return the noise, 0 where that of a masked cell is invalid, and where that of any other cell is.

    A map of one event is looked at once, unless it needs the masks of all.
    """
    of_one = sigma[:1] if is_plane(sigma) else sigma
    is_invalid = ~((of_one > 0 if settings.quantity == "significance" else of_one >= 0) & (of_one < np.inf))
    if cells.mask is None or not is_invalid.any():
        return sigma, is_invalid
    if is_plane(sigma) and is_plane(cells.mask):
        masked = cells.mask[:1] & is_invalid
        return np.broadcast_to(np.where(masked, 0, of_one), sigma.shape), is_invalid & ~masked
    return np.where(cells.mask & is_invalid, 0, sigma), is_invalid & ~cells.mask


def _noise_map(
    noise: npt.ArrayLike | None, cells: Cells, settings: PeakSumSettings, *, by_layer: bool
) -> Array:
    """Return the noise of every cell as float64; that of layers that were summed is added in quadrature."""
    if noise is None:
        key = settings.keys_with_noise[0]
        msg = f"{key} {getattr(settings, key)!r} needs the noise of the cells: give noise, in counts"
        raise ValueError(msg)
    sigma = np.asarray(noise)
    if sigma.dtype.kind not in "fiu":
        msg = f"noise must be numbers, in counts of the grid, these are of type {sigma.dtype}: give an array"
        raise ValueError(msg)
    if cells.layers is not None and sigma.shape == cells.layers.shape:
        sigma = np.where(sigma < 0, np.nan, sigma.astype(np.float64))  # whose square would hide the sign
        sigma = np.sqrt(np.square(sigma).sum(axis=-3))
    if settings.pool_by == "max" and settings.coarsen != (1, 1):
        msg = "the noise of the highest of several cells is unknown: set pool_by to 'sum', or leave noise out"
        raise ValueError(msg)
    return _broadcast(sigma.astype(np.float64, copy=False), cells, "noise", by_layer=by_layer)
