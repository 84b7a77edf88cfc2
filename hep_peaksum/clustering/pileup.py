"""Estimates of the energy under a cluster from the cells around it: a column beside the sum, never a cut.

The donuts and the φ-ring are those of the CMS trigger, cms-sw/cmssw
L1Trigger/L1TCalorimeter/src/firmware/Stage2Layer2JetAlgorithmFirmwareImp1.cc, and exact for its 9x9 windows.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hep_peaksum.clustering.discriminant import window_map
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset, absent, accumulator
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import Pileup
from hep_peaksum.settings.windows import Box

# The window about which CMS published its estimates, and how many strips its donut takes for the whole ring.
PUBLISHED_AREA, PUBLISHED_STRIP, DONUT_FACTOR = 81, 9, 4


def estimate(found: PeakContext, wanted: Pileup) -> Array:
    """Return a pile-up estimate of every peak, in counts; int64 if that is exact, else float64."""
    if wanted.has_strips:
        return _donut(found, wanted)
    return _phi_ring(found, wanted) if wanted.kind == "phi_ring" else _ring_median(found, wanted)


def window_box(settings: PeakSumSettings) -> Box:
    """Return how far the sum window reaches."""
    return Box.around(settings.sum_cells())


def reach(wanted: Pileup, settings: PeakSumSettings) -> tuple[Offset, ...]:
    """Return the offsets at which an estimate looks for single cells."""
    box = window_box(settings)
    if wanted.kind == "ring_median":
        return box.ring(wanted.depth or 1)
    return tuple(sorted(set(sum(_strips(box, wanted), ())))) if wanted.has_strips else ()


def ring_axis(wanted: Pileup, grid: Grid) -> Literal["rows", "cols"]:
    """Return the axis along which the φ-ring closes.

    Raises
    ------
    ValueError
        If none is named and not just one axis is periodic.
    """
    if wanted.axis is not None:
        return wanted.axis
    if grid.periodic.rows == grid.periodic.cols:
        msg = (
            f"{wanted.name}: a phi_ring closes along the periodic axis, and here is not just one: name its axis"
        )
        raise ValueError(msg)
    return "rows" if grid.periodic.rows else "cols"


def check_ring(wanted: Pileup, settings: PeakSumSettings, grid: Grid) -> None:
    """Raise a ValueError if a φ-ring cannot close, or has no cell outside the window."""
    along = 1 if ring_axis(wanted, grid) == "cols" else 0
    if not wanted.includes_cluster and _sides(window_box(settings))[along] >= grid.shape[along]:
        n_cells = grid.shape[along]
        msg = (
            f"{wanted.name}: the sum window covers the whole ring of {n_cells} cells, none is left to average: "
        )
        msg += "set includes_cluster to true, or make the window shorter"
        raise ValueError(msg)


def _strips(box: Box, wanted: Pileup) -> tuple[tuple[Offset, ...], ...]:
    return box.strips(wanted.depth or 1, wanted.length)


def _sides(box: Box) -> tuple[int, int]:
    return box.bottom - box.top + 1, box.right - box.left + 1


def _scaled(counts: Array, numerator: int, denominator: int) -> Array:
    """Return counts * numerator / denominator, left as integers where that is one."""
    factor, rest = divmod(numerator, denominator)
    return counts * factor if rest == 0 else counts * (numerator / denominator)


def _donut(found: PeakContext, wanted: Pileup) -> Array:
    """Return the three smallest strips, scaled to the window (chunky), or 4 x the middle two (donut).

    Beyond an edge cells count as 0, or, as in older versions of the emulator, their whole strip does.
    """
    box = window_box(found.settings)
    sides, strips, sums = _sides(box), _strips(box, wanted), []
    area = sides[0] * sides[1]
    for strip in strips:
        total = found.sum_offsets(strip)
        sums.append(
            np.where((found.around(strip)[0] < 0).any(axis=1), 0, total) if wanted.edge == "strip" else total
        )
    first, second, third, _ = np.sort(sums, axis=0)
    if wanted.kind == "donut":
        return _scaled(second + third, DONUT_FACTOR * area * PUBLISHED_STRIP, PUBLISHED_AREA * len(strips[0]))
    n_cells = [len(strip) for strip in strips]
    return _scaled(first + second + third, area, sum(n_cells) - max(n_cells))


def _phi_ring(found: PeakContext, wanted: Pileup) -> Array:
    """Return the mean of the full rings through the window, the cluster in or out, times the window's area.

    Integers are divided as the firmware does, truncating.
    """
    along = 1 if ring_axis(wanted, found.grid) == "cols" else 0
    across = 1 - along
    box, sides = window_box(found.settings), _sides(window_box(found.settings))
    there = np.where(found.grids != absent(found.grids.dtype), found.grids, 0)
    rings = there.sum(axis=along + 1, dtype=accumulator(there.dtype))
    n_across = found.grid.shape[across]
    shape = (len(rings), n_across, 1) if across == 0 else (len(rings), 1, n_across)
    first, last = (box.top, box.bottom) if across == 0 else (box.left, box.right)
    offsets = tuple((k, 0) if across == 0 else (0, k) for k in range(first, last + 1))
    place = found.peaks.row if across == 0 else found.peaks.col
    total = window_map(rings.reshape(shape), offsets, found.grid.periodic).reshape(len(rings), n_across)
    n_rings = np.full(len(place), sides[across])
    if wanted.edge == "existing":
        numbers = place[:, None] + np.arange(first, last + 1)
        n_rings = ((found.grid.rows, found.grid.cols)[across].wrap(numbers) >= 0).sum(axis=1)
    ring = total[found.peaks.event, place]
    n_cells, area = n_rings * found.grid.shape[along], sides[0] * sides[1]
    if not wanted.includes_cluster:
        ring, n_cells = ring - found.peaks.sum, n_rings * (found.grid.shape[along] - sides[along])
    if ring.dtype.kind == "f":
        return np.asarray(ring * area / n_cells)
    whole = np.abs(ring) * area // n_cells
    return np.asarray(np.sign(ring) * whole)


def _ring_median(found: PeakContext, wanted: Pileup) -> Array:
    """Return the median of the cells around the window, times the number of cells of the window."""
    offsets = reach(wanted, found.settings)
    row, col = found.around(offsets)
    cells = found.grids[found.peaks.event[:, None], row, col]
    there = (row >= 0) & (cells != absent(cells.dtype))
    values = np.where(there, cells.astype(np.float64), np.inf if wanted.edge == "existing" else 0.0)
    values.sort(axis=1)
    n = there.sum(axis=1) if wanted.edge == "existing" else np.full(len(values), len(offsets))
    middle = np.stack([np.maximum(n - 1, 0) // 2, np.minimum(n // 2, len(offsets) - 1)], axis=1)
    median = np.take_along_axis(values, middle, axis=1).mean(axis=1) if len(values) else np.zeros(0)
    return np.where(n > 0, median, 0.0) * len(found.settings.sum_cells())
