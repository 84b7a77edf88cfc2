"""The algorithm on arrays: cells in, clusters out. All that can be wrong with the input is said here.

cells -> checked -> towers -> what is compared -> seeds -> sums -> fields -> jagged clusters
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering import records
from hep_peaksum.clustering.discriminant import (
    pooled,
    pooled_mask,
    pooled_noise,
    searched,
    searched_plane,
    seed_noise,
)
from hep_peaksum.clustering.fields import check_fields, default_fields
from hep_peaksum.clustering.seeding import accepted_seeds, find_seeds, seed_bound
from hep_peaksum.clustering.sharing import PeakContext, cell_bound, window_sums
from hep_peaksum.clustering.validation import apply_mask, bad_cells, cell_noise, check_windows, normalise_input
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, Rule, absent, get_kernel
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import in_sigmas

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
        Names of the cluster fields (see `hep_peaksum.clustering.fields.fields_of`); by default what costs
        nothing.

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
    >>> clusters.peak_sum.to_list(), clusters.row.to_list(), clusters.col.to_list()
    ([[11]], [[1]], [[1]])
    """
    settings = settings or PeakSumSettings()
    found = find_peaks(grids, settings, grid, mask=mask, noise=noise, layers=layers)
    names = fields
    if names is None:
        names = default_fields(settings, found.grid, layers_apart=layers == "each")
    tables = [records.table([found], check_fields(names, settings, found.grid))]
    del found  # what it holds is let go by and by
    return records.jagged(tables, settings)


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
    peaks, places = found.peaks, records.chosen(found)
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
) -> PeakContext:
    """Return the peaks of every event, sorted by position, with what fields are computed from.

    The cuts on finished clusters (`hep_peaksum.clustering.records.kept`) are not made yet.
    """
    if isinstance(grids, Hits):
        is_bare = mask is None and noise is None and layers == "sum"
        found = _in_hits(grids, settings, grid) if is_bare else None
        if found is not None:
            return found
        grids = grids.dense()
    cells, plane, depth, n_layers = normalise_input(grids, settings, grid, layers)
    apart = n_layers if layers == "each" else None
    is_seen_whole = mask is None and settings.seed_is_cell and settings.coarsen == (1, 1)
    if cells.dtype.kind == "i" and not (is_seen_whole and _sums_with_search(settings)):
        cells = cells.astype(np.int64, copy=False)
    unusable = None if is_seen_whole else bad_cells(cells, mask, settings, apart)
    sigma = cell_noise(noise, cells, settings, apart, depth)
    cells = cells if unusable is None else apply_mask(cells, unusable, settings)
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
        strange = bad_cells(cells, mask, settings, apart)
        return find_peaks(grids, settings, plane, mask=strange, noise=noise, layers=layers)
    peaks = accepted_seeds(search.peaks, settings, grid, noise=noise_of_seeds, mask=tower_mask)
    if settings.sum_over == "towers":
        cells, plane, unusable, sigma = towers, grid, tower_mask, tower_noise
        depth = None if depth is None else _pooled_layers(depth, settings)
    found = PeakContext(
        peaks=peaks,
        searched_cells=towers,
        compared=None if quantity is towers else quantity,
        grid=grid,
        summed_cells=None if cells is towers else cells,
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


def _in_hits(hits: Hits, settings: PeakSumSettings, grid: Grid | None) -> PeakContext | None:
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
    search = kernel.find_peaks_in_hits(
        hits.event_offsets, hits.cell, hits.value, grid.shape, rule, grid.periodic
    )
    if not search.is_finite:
        return None
    peaks = accepted_seeds(search.peaks, settings, grid)
    return PeakContext(
        peaks=peaks, searched_cells=hits, grid=grid, plane=grid, settings=settings, kernel=kernel
    )


def _fits(hits: Hits, settings: PeakSumSettings) -> bool:
    """Return whether no sum of hits, however they lie, can leave the range of int64."""
    if hits.value.dtype.kind == "f":
        return True
    largest = max(-int(hits.value.min(initial=0)), int(hits.value.max(initial=0)))
    return bool(largest * int(np.diff(hits.event_offsets).max(initial=0)) * len(settings.sum_cells()) < 2**63)


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


def _pooled_layers(layers: Array, settings: PeakSumSettings) -> Array:
    towers = pooled(layers.reshape(-1, *layers.shape[2:]), settings.model_copy(update={"pool_by": "sum"}))
    return towers.reshape(*layers.shape[:2], *towers.shape[1:])
