"""The algorithm on arrays: cells in, clusters out.

cells -> normalise_input -> discriminant -> search -> context -> fields -> jagged clusters
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering import records
from hep_peaksum.clustering.discriminant import Cells, discriminant, grouped, pool
from hep_peaksum.clustering.fields import check_fields, default_fields
from hep_peaksum.clustering.seeding import SearchPlan, accepted_seeds, find_seeds
from hep_peaksum.clustering.sharing import PeakContext, window_sums
from hep_peaksum.clustering.validation import apply_mask, normalise_input, unmask
from hep_peaksum.geometry.grid import Grid, is_traced
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, Peaks, Search
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak


P = ParamSpec("P")
R = TypeVar("R")


def settings_apart(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, which tells where a key of the settings belongs that is given as an argument."""
    names = signature(function).parameters
    settings = next(name for name in names if name.startswith("settings"))

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            if name not in names and name in PeakSumSettings.model_fields:
                remedy = f"give {settings}={ {name: value}!r:.80}"
                msg = f"{function.__name__}: {name} is a key of the settings, no argument: {remedy}"
                raise TypeError(msg)
        return function(*args, **kwargs)

    return checked


@settings_apart
def find_clusters(
    grids: npt.ArrayLike | ak.Array | Hits,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
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
        Cells in counts of `grid`, shape (event, row, col) or (event, layer, row, col), or flat (event, cell)
        where a grid is given; or `sparse` hits. Not modified. Cells without a value (`numpy.ma`, or None in an
        awkward array) are masked; of layers that are summed they add nothing, and a cell is masked that has a
        value in no layer. Of an awkward array with a type and no values (a typetracer), the data count as used.
    settings
        Which cells are seeds and which are summed; by default 3x3 windows for both. Also a map of the same
        keys, or the name of a preset.
    grid
        The plane of the cells; by default rows and columns are bare indices and no axis is periodic. Also a map
        of its keys, or the name of a geometry.
    mask
        True where a cell must not be used, shape (row, col) or that of the searched cells. Joined with the
        masks of `grids` and `noise`.
    noise
        Standard deviation of the noise of every cell, in counts, shaped like `mask`; needed for thresholds in
        sigma and for significances.
    layers
        Whether the sum of the layers is searched, or each layer separately; then clusters have a field `layer`.
    fields
        Names of the cluster fields (see `hep_peaksum.clustering.fields.fields_of`); by default those that cost
        nothing.

    Returns
    -------
    ak.Array
        One list of records per event, the largest sum first; an empty list for an event without clusters. On a
        plane of eta and phi the records are `Momentum4D` of the package vector. Cells without values give
        clusters without values.

    Raises
    ------
    EventError
        If a cell is NaN or infinite; names the event and the cell.
    ValueError
        If shapes, types, fields or windows do not fit together.

    >>> clusters = find_clusters([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]])
    >>> clusters.peak_sum.to_list(), clusters.row.to_list(), clusters.col.to_list()
    ([[11]], [[1]], [[1]])
    """
    settings, grid = as_settings(settings), as_grid(grid)
    no_values = grids.is_traced if isinstance(grids, Hits) else is_traced(grids)
    context = find_peaks(grids, settings, grid, mask=mask, noise=noise, layers=layers)
    if fields is None:
        fields = default_fields(settings, context.grid, separate_layers=layers == "each")
    tables = [records.cluster_table([context], check_fields(fields, settings, context.grid))]
    del context  # so that each column is freed once it is used
    clusters = records.jagged_clusters(tables, settings)
    return records.without_values(clusters) if no_values else clusters


@settings_apart
def peak_sum_map(
    grids: npt.ArrayLike | ak.Array | Hits,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
) -> Array:
    """Return grids that hold the window sum at every local maximum, and 0 elsewhere.

    Parameters and errors are those of `find_clusters`.

    Returns
    -------
    numpy.ndarray
        Shape (event, row, col), of towers where cells are pooled. int64 for integer grids, otherwise float64;
        float64 also where cells are divided between clusters.

    >>> peak_sum_map([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]]).tolist()
    [[[0, 0, 0], [0, 11, 0], [0, 0, 0]]]
    """
    context = find_peaks(grids, as_settings(settings), as_grid(grid), mask=mask, noise=noise)
    peaks, selected = context.peaks, records.selected(context)
    sums = np.zeros(context.shape, peaks.sum.dtype)
    sums[peaks.event[selected], peaks.row[selected], peaks.col[selected]] = peaks.sum[selected]
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
    """Return the peaks of every event, sorted by position, with all that their fields are computed from.

    The cuts on finished clusters (`hep_peaksum.clustering.records.passes_cuts`) are not applied yet.
    """
    mask = None if mask is np.ma.nomask else mask
    grids, noise, missing = unmask(grids, noise, grid, layers)
    plan = SearchPlan.of(settings, has_mask=mask is not None or len(missing) > 0)
    cells = normalise_input(grids, settings, grid, plan, mask=mask, noise=noise, layers=layers, missing=missing)
    searched, compared, search = _search(cells, settings, plan)
    if plan.checks_cells and not search.is_finite:
        cells = apply_mask(cells, settings)  # an error that names the first cell, unless `nonfinite` is "mask"
        searched, compared, search = _search(cells, settings, plan)
    return _context(search.peaks, cells, searched, compared, settings, plan)


def _search(cells: Cells, settings: PeakSumSettings, plan: SearchPlan) -> tuple[Cells, Cells, Search]:
    """Return the cells or towers that are searched, those with the values that are compared, and the result."""
    searched = grouped(pool(cells, settings), settings)
    compared = discriminant(searched, settings)
    return searched, compared, find_seeds(compared, settings, plan)


def _context(
    peaks: Peaks, cells: Cells, searched: Cells, compared: Cells, settings: PeakSumSettings, plan: SearchPlan
) -> PeakContext:
    """Return the accepted seeds with the sums of their windows, and what fields are computed from."""
    context = PeakContext(
        peaks=accepted_seeds(peaks, searched, compared, settings),
        searched=searched,
        compared=compared,
        summed=searched if settings.sum_over == "towers" else cells,
        settings=settings,
    )
    return context if plan.adds_windows else replace(context, peaks=window_sums(context))
