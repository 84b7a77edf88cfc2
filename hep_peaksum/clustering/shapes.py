"""Positions and widths of clusters, ratios of windows, and heights of seeds above their neighbours.

Only positive cells weigh. An azimuth is averaged on the circle; on any other periodic axis differences from the
seed are taken the short way around.
"""

from __future__ import annotations

import math

import numpy as np

from hep_peaksum.clustering.discriminant import exists
from hep_peaksum.clustering.sharing import PeakContext, ordered_sum
from hep_peaksum.geometry.axis import TWO_PI, Axis, fold, fold_azimuth
from hep_peaksum.kernels import Array, absent
from hep_peaksum.settings.thresholds import passes
from hep_peaksum.settings.windows import Box, window_marks


def barycentre(context: PeakContext, dim: int, axis: Axis | None = None) -> Array:
    """Return the weighted mean along rows (0) or columns (1): in indices, or in the positions of an axis."""
    weights = context.weights
    if axis is not None and axis.name == "phi":
        angle, seed = _positions(context, dim, axis)
        mean_cos, mean_sin = (ordered_sum(weights.values * f(angle)) for f in (np.cos, np.sin))
        is_undefined = weights.is_empty | (np.hypot(mean_cos, mean_sin) <= 1e-12 * weights.total)
        return np.where(is_undefined, seed, fold_azimuth(np.arctan2(mean_sin, mean_cos)))
    seed, distance = _distances(context, dim, axis)
    shift = ordered_sum(weights.values * distance) / weights.total
    mean = seed + np.where(weights.is_empty, 0.0, shift)
    # rounding takes a mean on a seam, or at an edge, out of the axis
    if axis is not None:
        return axis.keep_inside(mean)
    if context.grid.periodic[dim]:
        return fold(mean, 0, context.grid.shape[dim])
    first, last = np.array([0.5, context.sum_grid.shape[dim] - 0.5]) / context.pooled[dim] - 0.5
    return mean.clip(first, max(last, context.grid.shape[dim] - 1))  # the last tower may be partial


def width(context: PeakContext, dim: int, axis: Axis | None = None) -> Array:
    """Return the square root of the second central moment along rows (0) or columns (1)."""
    weights = context.weights
    if axis is not None and axis.name == "phi":
        angle, _ = _positions(context, dim, axis)
        mean = barycentre(context, dim, axis)[:, None]
        distance = np.remainder(angle - mean + math.pi, TWO_PI) - math.pi
    else:
        _, distance = _distances(context, dim, axis)
        distance = distance - (ordered_sum(weights.values * distance) / weights.total)[:, None]
    variance = ordered_sum(weights.values * distance**2) / weights.total
    return np.where(weights.is_empty, 0.0, np.sqrt(variance))


def _positions(context: PeakContext, dim: int, axis: Axis) -> tuple[Array, Array]:
    """Return the centres of the cells of every window, and those of the seeds."""
    sum_axis = context.sum_grid.rows if dim == 0 else context.sum_grid.cols
    seed = np.asarray(axis.centres)[context.peaks.row if dim == 0 else context.peaks.col]
    return np.asarray(sum_axis.centres)[np.maximum(context.window_index[dim], 0)], seed


def _distances(context: PeakContext, dim: int, axis: Axis | None) -> tuple[Array, Array]:
    """Return the positions of the seeds, and the distances of their cells from them, the short way around."""
    if axis is not None:
        positions, seed = _positions(context, dim, axis)
        distance = positions - seed[:, None]
        if axis.periodic and axis.edge_positions is not None:
            length = axis.edge_positions[-1] - axis.edge_positions[0]
            distance = np.remainder(distance + length / 2, length) - length / 2
        return seed, distance
    seed = (context.peaks.row if dim == 0 else context.peaks.col).astype(np.float64)
    return seed, np.broadcast_to(context.window_distances[dim], context.window_index[dim].shape)


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


def _search_window_values(context: PeakContext) -> tuple[Array, Array]:
    """Return the discriminants of the other cells of every search window, and which of these cells exist."""
    row, col = context.index_at((cell.row, cell.col) for cell in context.settings.search_cells())
    values = context.discriminant[context.peaks.event[:, None], row, col]
    is_cell = (row >= 0) & exists(values)
    return values.astype(context.peaks.seed.dtype), is_cell


def seed_gap(context: PeakContext) -> Array:
    """Return the height of a seed above the highest other cell of its search window; its own without any."""
    values, is_cell = _search_window_values(context)
    low = absent(values.dtype)
    highest = np.where(is_cell, values, np.asarray(low, values.dtype)).max(axis=1, initial=low)
    return context.peaks.seed - np.where(is_cell.any(axis=1), highest, 0)


def n_neighbours(context: PeakContext) -> Array:
    """Return how many cells of the search window exceed the neighbour threshold."""
    values, is_cell = _search_window_values(context)
    is_above = passes(values, context.settings.neighbour_threshold, ">", context.grid.unit)
    return np.asarray((is_above & is_cell).sum(axis=1, dtype=np.int32))


def prominence(context: PeakContext) -> Array:
    """Return the height of a seed above the saddle to anything higher, or above the lowest cell around it."""
    return context.peaks.seed - context.saddles()
