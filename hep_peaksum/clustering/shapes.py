"""Where a cluster is and how wide: barycentres, second moments, ratios of windows, heights above neighbours.

Only positive cells weigh. An azimuth is averaged on the circle; on any other periodic axis differences are
taken the short way round from the seed.
"""

from __future__ import annotations

import math

import numpy as np

from hep_peaksum.clustering.sharing import PeakContext, ordered_sum
from hep_peaksum.geometry.axis import TWO_PI, Axis
from hep_peaksum.kernels import Array, absent
from hep_peaksum.settings.thresholds import passes
from hep_peaksum.settings.windows import Box, window_marks


def barycentre(found: PeakContext, which: int, axis: Axis | None = None) -> Array:
    """Return the weighted mean along rows (0) or columns (1): in indices, or on an axis in its positions."""
    weighed = found.weights
    if axis is not None and axis.name == "phi":
        angle, seed = _positions(found, which, axis)
        mean_cos, mean_sin = (ordered_sum(weighed.weight * f(angle)) for f in (np.cos, np.sin))
        nothing = weighed.nothing | (np.hypot(mean_cos, mean_sin) <= 1e-12 * weighed.total)
        mean = np.arctan2(mean_sin, mean_cos)
        return np.where(nothing, seed, np.where(mean <= -math.pi, math.pi, mean))
    seed, apart = _differences(found, which, axis)
    mean = seed + np.where(weighed.nothing, 0.0, ordered_sum(weighed.weight * apart) / weighed.total)
    if axis is None:
        return np.mod(mean, found.grid.shape[which]) if found.grid.periodic[which] else mean
    return _folded(mean, axis) if axis.periodic else mean


def width(found: PeakContext, which: int, axis: Axis | None = None) -> Array:
    """Return the square root of the second central moment along rows (0) or columns (1)."""
    weighed = found.weights
    if axis is not None and axis.name == "phi":
        angle, _ = _positions(found, which, axis)
        apart = np.remainder(angle - barycentre(found, which, axis)[:, None] + math.pi, TWO_PI) - math.pi
    else:
        _, apart = _differences(found, which, axis)
        apart = apart - (ordered_sum(weighed.weight * apart) / weighed.total)[:, None]
    return np.where(weighed.nothing, 0.0, np.sqrt(ordered_sum(weighed.weight * apart**2) / weighed.total))


def _positions(found: PeakContext, which: int, axis: Axis) -> tuple[Array, Array]:
    """Return the centres of the cells of every window, and that of every seed."""
    plane_axis = found.plane.rows if which == 0 else found.plane.cols
    centres = np.asarray(plane_axis.centres)
    seed = np.asarray(axis.centres)[found.peaks.row if which == 0 else found.peaks.col]
    return centres[np.maximum(found.window[which], 0)], seed


def _differences(found: PeakContext, which: int, axis: Axis | None) -> tuple[Array, Array]:
    """Return where every seed is, and how far the cells of its window are from it, the short way round."""
    if axis is not None:
        positions, seed = _positions(found, which, axis)
        apart = positions - seed[:, None]
        if axis.periodic and axis.edge_positions is not None:
            length = axis.edge_positions[-1] - axis.edge_positions[0]
            apart = np.remainder(apart + length / 2, length) - length / 2
        return seed, apart
    seed = (found.peaks.row if which == 0 else found.peaks.col).astype(np.float64)
    pool = 1 if found.adds_towers else found.settings.coarsen[which]
    # in towers: the middle of a cell, seen from the middle of the seed's tower
    apart = (found.offsets[0][:, which] + 0.5) / pool - 0.5
    return seed, np.broadcast_to(apart, found.window[which].shape)


def _folded(values: Array, axis: Axis) -> Array:
    low, high = np.asarray(axis.edge_positions)[[0, -1]]
    return np.asarray(low + np.mod(values - low, high - low))


def ratio(found: PeakContext, inner: int, outer: int) -> Array:
    """Return the sum of `inner` x `inner` cells about the seed over that of `outer` x `outer`, or 0."""
    top, bottom = (found.sum_offsets(tuple(window_marks((n, n)))) for n in (inner, outer))
    return _divided(top, bottom)


def isolation(found: PeakContext) -> Array:
    """Return the sum of the ring of cells around the sum window, over the sum; 0 if the sum is 0."""
    ring = Box.around(found.settings.sum_cells()).ring(found.settings.isolation_depth)
    return _divided(found.sum_offsets(ring), found.peaks.sum)


def _divided(top: Array, bottom: Array) -> Array:
    is_zero = bottom == 0
    return np.where(is_zero, 0.0, top / np.where(is_zero, 1, bottom))


def _search_values(found: PeakContext) -> tuple[Array, Array]:
    """Return what the other cells of the search window of every peak hold, and which of them are there."""
    row, col = found.around((cell.row, cell.col) for cell in found.settings.search_cells())
    values = found.quantity[found.peaks.event[:, None], row, col]
    there = (row >= 0) & (values != absent(values.dtype))
    return values.astype(found.peaks.seed.dtype), there


def seed_gap(found: PeakContext) -> Array:
    """Return how far a seed stands above the highest other cell of its search window; the seed without any."""
    values, there = _search_values(found)
    low = absent(values.dtype)
    highest = np.where(there, values, np.asarray(low, values.dtype)).max(axis=1, initial=low)
    return found.peaks.seed - np.where(there.any(axis=1), highest, 0)


def n_neighbours(found: PeakContext) -> Array:
    """Return how many cells of the search window exceed the neighbour threshold."""
    values, there = _search_values(found)
    above = passes(values, found.settings.neighbour_threshold, ">", found.grid.unit)
    return np.asarray((above & there).sum(axis=1, dtype=np.int32))


def prominence(found: PeakContext) -> Array:
    """Return how far a seed stands above the saddle to anything higher, or above the lowest that it sees."""
    return found.peaks.seed - found.kernel.saddles(found.quantity, found.peaks, found.grid.periodic)
