"""Positions and widths of clusters, ratios of windows, and heights of seeds above their neighbours.

Only positive cells have weight. An azimuth is averaged on the circle; on any other periodic axis differences
from the seed are taken the short way around.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hep_peaksum.clustering.discriminant import exists
from hep_peaksum.clustering.sharing import PeakContext, Windows
from hep_peaksum.geometry.axis import TWO_PI, Axis, fold, fold_azimuth
from hep_peaksum.kernels import Array, absent
from hep_peaksum.loops.windows import Entries, Places
from hep_peaksum.settings.thresholds import passes
from hep_peaksum.settings.windows import Box, window_marks


class Weights(NamedTuple):
    """The weights of the cells in the position of a cluster, shape (peak, cell), and their sum.

    Where no cell has weight, `is_empty` is True and `total` is 1.
    """

    values: Array
    total: Array
    is_empty: Array


def cell_weights(windows: Windows) -> Weights:
    """Return the weights of the held cells in the position of the cluster, linear or logarithmic.

    Logarithmic ones are max(0, w0 + ln(E / sum of positive E)): T. C. Awes et al., NIM A 311 (1992) 130.
    """
    energy = windows.shares.values.clip(min=0).astype(np.float64, copy=False)
    settings, values = windows.context.settings, energy
    if settings.position == "log":
        values = _logarithmic(energy, windows.sum(energy), settings.w0)
    total = windows.sum(values)
    is_empty = ~(total > 0) | ~np.isfinite(total)  # also where weights are too small to be normalised
    return Weights(values, np.where(is_empty, 1.0, total), is_empty)


def _logarithmic(energy: Array, total: Array, w0: float) -> Array:
    """Return max(0, w0 + ln(E / total)) of the cells above 0, which few are in a large window; else 0."""
    place, weights = np.flatnonzero(energy > 0), np.zeros(energy.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log((energy / total[:, None]).take(place))
    weights.reshape(-1)[place] = np.maximum(0.0, w0 + logs)
    return weights


def has_no_weight(context: PeakContext) -> Array:
    """Return which clusters have no cell with a weight."""
    return context.of_windows(lambda windows: cell_weights(windows).is_empty)


def barycentre(context: PeakContext, dim: int, axis: Axis | None = None) -> Array:
    """Return the weighted mean along rows (0) or columns (1): in indices, or in the positions of an axis."""
    axes: tuple[Axis | None, Axis | None] = context.grid.rows, context.grid.cols
    if axis is None:
        axes = None, None
    dims: tuple[int, ...] = (dim,)
    if context.settings.position != "seed" and all(each and each.centres is not None for each in axes):
        dims = 0, 1  # the position of a cluster needs both, and they have the same weights
    means = context.once(("barycentre", dims, axis is None), lambda: _barycentres(context, dims, axes))
    return np.asarray(means[dims.index(dim)])


def _barycentres(context: PeakContext, dims: Sequence[int], axes: Sequence[Axis | None]) -> Array:
    """Return the weighted means along some dimensions, shape (dimension, peak)."""
    along = [Distances.along(context, dim, axes[dim]) for dim in dims]

    def means(windows: Windows) -> Array:
        weights = cell_weights(windows)
        return np.stack([_mean(windows, weights, distances) for distances in along], axis=1)

    found = context.of_windows(means).T
    return np.array([_kept_inside(context, *pair) for pair in zip(along, found, strict=True)])


def _kept_inside(context: PeakContext, distances: Distances, mean: Array) -> Array:
    """Return means inside the plane, out of which rounding takes some on a seam, or at an edge."""
    if distances.is_azimuth:
        return mean
    if distances.axis is not None:
        return distances.axis.keep_inside(mean)
    dim, grid = distances.dim, context.grid
    if grid.periodic[dim]:
        return fold(mean, 0, grid.shape[dim])
    first, last = np.array([0.5, context.sum_grid.shape[dim] - 0.5]) / context.pooled[dim] - 0.5
    return mean.clip(first, max(last, grid.shape[dim] - 1))  # the last tower may be partial


def _mean(windows: Windows, weights: Weights, distances: Distances) -> Array:
    """Return the weighted means of some windows; where no cell weighs anything, the seeds."""
    seed = distances.seed(windows)
    if distances.is_azimuth:
        mean_cos, mean_sin = (distances.moment(windows, weights, of) for of in (np.cos, np.sin))
        is_undefined = weights.is_empty | (np.hypot(mean_cos, mean_sin) <= 1e-12 * weights.total)
        return np.where(is_undefined, seed, fold_azimuth(np.arctan2(mean_sin, mean_cos)))
    shift = distances.moment(windows, weights) / weights.total
    return np.asarray(seed + np.where(weights.is_empty, 0.0, shift))


def width(context: PeakContext, dim: int, axis: Axis | None = None) -> Array:
    """Return the square root of the second central moment along rows (0) or columns (1)."""
    distances = Distances.along(context, dim, axis)
    return context.of_windows(lambda windows: _width(windows, cell_weights(windows), distances))


def _width(windows: Windows, weights: Weights, distances: Distances) -> Array:
    if distances.is_azimuth:
        mean, turn = _mean(windows, weights, distances), TWO_PI
    else:
        mean, turn = distances.moment(windows, weights) / weights.total, 0.0
    variance = distances.second_moment(windows, weights, mean, turn) / weights.total
    return np.where(weights.is_empty, 0.0, np.sqrt(variance))


@dataclass(frozen=True, eq=False)
class Distances:
    """Where the cells of windows lie along rows (`dim` 0) or columns (1), in indices or positions of an axis.

    This depends only on the index of the seed and on the offset along this dimension: `table` has a row for
    every index and a column for every offset, and `column` names the column of each cell of a window. It holds
    azimuths, or otherwise distances from the seed, taken the short way around; the places of the seeds are in
    `seeds`.
    """

    dim: int
    axis: Axis | None
    seeds: Array
    table: Array
    column: Array

    @classmethod
    def along(cls, context: PeakContext, dim: int, axis: Axis | None) -> Distances:
        """Return the distances along a dimension of the plane that was searched."""
        size, n = context.grid.shape[dim], context.pooled[dim]
        offsets, column = context.sum_window.along[dim]
        if axis is None:
            distance = (offsets + 0.5) / n - 0.5
            return cls(dim, axis, np.arange(size, dtype=np.float64), np.tile(distance, (size, 1)), column)
        sum_axis = context.sum_grid.rows if dim == 0 else context.sum_grid.cols
        seeds, index = np.asarray(axis.centres), sum_axis.wrap(np.arange(size)[:, None] * n + offsets)
        table = np.asarray(sum_axis.centres)[np.maximum(index, 0)]
        if axis.name != "phi":
            table = table - seeds[:, None]
            if axis.periodic and axis.edge_positions is not None:
                length = axis.edge_positions[-1] - axis.edge_positions[0]
                table = np.remainder(table + length / 2, length) - length / 2
        return cls(dim, axis, seeds, table, column)

    @property
    def is_azimuth(self) -> bool:
        """Whether means are taken on the circle."""
        return self.axis is not None and self.axis.name == "phi"

    def seed(self, windows: Windows) -> Array:
        """Return where the seeds lie."""
        return np.asarray(self.seeds[self._index(windows)])

    def moment(self, windows: Windows, weights: Weights, of: Callable[[Array], Array] = np.asarray) -> Array:
        """Return the sum of the weights times the distances of some windows, or a function of them."""
        return windows.context.loops.moment(weights.values, self._entries(windows, of(self.table)))

    def second_moment(self, windows: Windows, weights: Weights, mean: Array, turn: float) -> Array:
        """Return the sum of the weights times the squared distances from a mean, within half a turn of it."""
        entries = self._entries(windows, self.table)
        return windows.context.loops.second_moment(weights.values, entries, mean, turn)

    def _entries(self, windows: Windows, table: Array) -> Entries:
        return Entries(table, self._index(windows), self.column)

    def _index(self, windows: Windows) -> Array:
        peaks = windows.context.peaks
        return (peaks.row if self.dim == 0 else peaks.col)[windows.peaks]


def ratio(context: PeakContext, inner: int, outer: int) -> Array:
    """Return the sum of `inner` x `inner` cells around the seed over that of `outer` x `outer`, or 0."""
    numerator, denominator = (context.sum_offsets(tuple(window_marks((n, n)))) for n in (inner, outer))
    return _divide(numerator, denominator)


def isolation(context: PeakContext) -> Array:
    """Return the sum of the ring of cells around the sum window over the sum; 0 if the sum is 0."""
    ring = Box.around(context.settings.sum_cells()).ring(context.settings.isolation_depth)
    return _divide(context.sum_offsets(ring), context.peaks.sum)


def _divide(numerator: Array, denominator: Array) -> Array:
    is_zero = denominator == 0
    return np.where(is_zero, 0.0, numerator / np.where(is_zero, 1, denominator))


def _search_window_values(context: PeakContext) -> Array:
    """Return the discriminants of the other cells of every search window; `absent` where there is none."""
    cells, grid, peaks = context.settings.search_cells(), context.grid, context.peaks
    offsets = np.array([(cell.row, cell.col) for cell in cells], np.int64).reshape(-1, 2)
    tables = context.loops.window_tables(offsets, grid.shape, grid.periodic)
    places = Places(*(each.astype(np.int64) for each in (peaks.event, peaks.row, peaks.col)))
    _, values = context.loops.window_cells(context.discriminant, places, tables)
    return values.astype(context.peaks.seed.dtype, copy=False)


def seed_gap(context: PeakContext) -> Array:
    """Return the height of a seed above the highest other cell of its search window, or its own height."""
    return context.once("seed_gap", lambda: _seed_gap(context))


def _seed_gap(context: PeakContext) -> Array:
    values = _search_window_values(context)
    highest = values.max(axis=1, initial=absent(values.dtype))
    return context.peaks.seed - np.where(exists(highest), highest, 0)


def n_neighbours(context: PeakContext) -> Array:
    """Return how many cells of the search window exceed the neighbour threshold."""
    return context.once("n_neighbours", lambda: _n_neighbours(context))


def _n_neighbours(context: PeakContext) -> Array:
    values = _search_window_values(context)
    is_above = passes(values, context.settings.neighbour_threshold, ">", context.grid.unit)
    return np.asarray((is_above & exists(values)).sum(axis=1, dtype=np.int32))


def prominence(context: PeakContext) -> Array:
    """Return the height of a seed above the saddle to anything higher, or above the lowest cell around it."""
    return context.once("prominence", lambda: context.peaks.seed - context.saddles())
