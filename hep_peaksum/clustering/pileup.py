"""Estimates of the energy under a cluster from the cells around it: a column beside the sum, never a cut.

With `edge` "existing" what is beyond an edge counts nowhere: neither among the cells that are averaged, nor in
the area of the window, of which the sum lacks it, too.

The donuts and the φ-ring are those of the CMS trigger, cms-sw/cmssw
L1Trigger/L1TCalorimeter/src/firmware/Stage2Layer2JetAlgorithmFirmwareImp1.cc, and exact for its 9x9 windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from hep_peaksum.clustering.discriminant import exists, window_map
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset, Periodic, accumulator, is_compiled
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import Pileup
from hep_peaksum.settings.windows import Box

# The window for which CMS published its estimates, and how many strips of its donut stand for the whole ring.
PUBLISHED_AREA, PUBLISHED_STRIP, DONUT_FACTOR = 81, 9, 4
STRIP_STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # from the seed to each of the four strips (see `Box.strips`)


def estimate_pileup(context: PeakContext, estimate: Pileup) -> Array:
    """Return a pile-up estimate of every peak, in counts; int64 if that is exact, otherwise float64."""
    return context.once(("pileup", estimate.name), lambda: _estimate(context, estimate))


def _estimate(context: PeakContext, estimate: Pileup) -> Array:
    """Return an estimate that has not been worked out yet."""
    kinds = {"phi_ring": _phi_ring, "ring_median": _ring_median}
    counts = kinds.get(estimate.kind, _donut)(context, estimate)
    if not context.settings.saturated_seeds:
        return counts
    return np.where(has_saturated_seed(context), np.zeros((), counts.dtype), counts)


def has_saturated_seed(context: PeakContext) -> Array:
    """Return which seeds are one of `saturated_seeds`, fractions compared in the type of the cells."""
    codes, dtype, seed = context.settings.saturated_seeds, context.searched.dtype, context.peaks.seed
    if not context.settings.seed_is_cell:
        seed = context.searched_cells[context.peaks.event, context.peaks.row, context.peaks.col]
    return np.isin(seed, np.asarray(codes, dtype) if dtype.kind == "f" else codes)


@lru_cache(maxsize=64)
def window_box(settings: PeakSumSettings) -> Box:
    """Return the smallest box around the sum window."""
    return Box.around(settings.sum_cells())


def estimate_offsets(estimate: Pileup, settings: PeakSumSettings) -> tuple[Offset, ...]:
    """Return the offsets of the cells that an estimate uses; none for a φ-ring, which uses whole rings."""
    box = window_box(settings)
    if estimate.kind == "ring_median":
        return box.ring(estimate.depth or 1)
    return tuple(sorted(set(sum(_strips(box, estimate), ())))) if estimate.has_strips else ()


def ring_axis(estimate: Pileup, grid: Grid) -> Literal["rows", "cols"]:
    """Return the axis along which the φ-ring closes.

    Raises
    ------
    ValueError
        If the estimate names none and the grid has not exactly one periodic axis.
    """
    if estimate.axis is not None:
        return estimate.axis
    if grid.periodic.rows == grid.periodic.cols:
        msg = (
            f"{estimate.name}: a phi_ring closes along the periodic axis, and this grid has "
            f"{'two' if grid.periodic.rows else 'none'}: give the estimate its axis, 'rows' or 'cols'"
        )
        raise ValueError(msg)
    return "rows" if grid.periodic.rows else "cols"


def check_ring(estimate: Pileup, settings: PeakSumSettings, grid: Grid) -> None:
    """Raise a ValueError if a φ-ring cannot close, or has no cell outside the window."""
    along = 1 if ring_axis(estimate, grid) == "cols" else 0
    if not estimate.includes_cluster and window_box(settings).shape[along] >= grid.shape[along]:
        msg = (
            f"{estimate.name}: the sum window covers the whole ring of {grid.shape[along]} cells, none is left "
            "to average: set includes_cluster to true, or make the window shorter"
        )
        raise ValueError(msg)


def _strips(box: Box, estimate: Pileup) -> tuple[tuple[Offset, ...], ...]:
    return box.strips(estimate.depth or 1, estimate.length)


def _scaled(counts: Array, numerator: int, denominator: int) -> Array:
    """Return counts * numerator / denominator, as integers where the factor is one."""
    factor, rest = divmod(numerator, denominator)
    return counts * factor if rest == 0 else counts * (numerator / denominator)


def _donut(context: PeakContext, estimate: Pileup) -> Array:
    """Return the three smallest strips, scaled to the window (chunky), or 4 x the middle two (donut).

    Cells beyond an edge count as 0. With `edge` "strip", as in older versions of the emulator, so does a whole
    strip that lies beyond the edge it is next to, in part or altogether.
    """
    strips, sums = _strips(window_box(context.settings), estimate), []
    area = len(context.settings.sum_cells())
    for strip, step, total in zip(strips, STRIP_STEPS, _strip_sums(context, strips), strict=True):
        if estimate.edge == "strip":
            deepest = max(d * step[0] + p * step[1] for d, p in strip)
            beyond = context.index_at([(step[0] * deepest, step[1] * deepest)])[0][:, 0] < 0
            sums.append(np.where(beyond, 0, total))
        else:
            sums.append(total)
    first, second, third = _smallest(*sums)
    if estimate.kind == "donut":
        return _scaled(second + third, DONUT_FACTOR * area * PUBLISHED_STRIP, PUBLISHED_AREA * len(strips[0]))
    n_cells = [len(strip) for strip in strips]
    return _scaled(first + second + third, area, sum(n_cells) - max(n_cells))


def _smallest(a: Array, b: Array, c: Array, d: Array) -> tuple[Array, Array, Array]:
    """Return the three smallest of four sums of every peak; numpy would sort so few slowly."""
    a, b, c, d = np.minimum(a, b), np.maximum(a, b), np.minimum(c, d), np.maximum(c, d)
    middle, other = np.maximum(a, c), np.minimum(b, d)
    return np.minimum(a, c), np.minimum(middle, other), np.maximum(middle, other)


def _strip_sums(context: PeakContext, strips: Sequence[tuple[Offset, ...]]) -> Sequence[Array]:
    """Return the sum of each strip about every peak."""
    if is_compiled(context.settings.kernel):
        from hep_peaksum.loops import rings

        return rings.strip_sums(context.searched_cells, context.peaks, strips, context.grid.periodic)
    return [context.sum_offsets(strip) for strip in strips]


def _phi_ring(context: PeakContext, estimate: Pileup) -> Array:
    """Return the mean cell of the full rings through the window, times the area of the window.

    Integers are divided as in the firmware, truncating. Without the cluster the whole window leaves the rings,
    also the cells that the cluster does not hold: those below the cell threshold, and those of other clusters.
    """
    grid, window = context.grid, context.settings.sum_cells()
    along = 1 if ring_axis(estimate, grid) == "cols" else 0
    across = 1 - along
    ring, n_rings = _rings_through_window(context, estimate, across)
    n_cells, area = n_rings * grid.shape[along], _area(context, estimate, window)
    if not estimate.includes_cluster:
        ring = ring - context.sum_offsets(window)
        if estimate.edge == "existing":
            n_cells = n_cells - area
        else:  # rings beyond an edge have cells of 0, and the window covers them, too, but none beyond an end
            n_cells = n_cells - _n_before_edges(context, [(d * across, p * along) for d, p in window])
    if ring.dtype.kind == "f":
        return np.asarray(ring * area / n_cells)
    return np.asarray(np.sign(ring) * (np.abs(ring) * area // n_cells))


def _rings_through_window(context: PeakContext, estimate: Pileup, across: int) -> tuple[Array, Array]:
    """Return for every peak the sum of the rings through its window, and how many rings count.

    The rings lie side by side along rows (`across` 0) or columns (1).
    """
    box, grid, cells = window_box(context.settings), context.grid, context.searched_cells
    energies = cells if context.searched.mask is None else np.where(exists(cells), cells, 0)
    rings = energies.sum(axis=2 - across, dtype=accumulator(energies.dtype))
    n_events, n_across = rings.shape
    first, last = (box.top, box.bottom) if across == 0 else (box.left, box.right)
    offsets = tuple((0, k) for k in range(first, last + 1))
    line, periodic = rings.reshape(n_events, 1, n_across), Periodic(rows=False, cols=grid.periodic[across])
    total = window_map(line, offsets, periodic, context.settings.kernel)[:, 0]
    seed = context.peaks.row if across == 0 else context.peaks.col
    n_rings = np.full(len(seed), len(offsets))
    if estimate.edge == "existing":
        numbers = seed[:, None] + np.arange(first, last + 1)
        n_rings = ((grid.rows, grid.cols)[across].wrap(numbers) >= 0).sum(axis=1)
    return total[context.peaks.event, seed], n_rings


def _ring_median(context: PeakContext, estimate: Pileup) -> Array:
    """Return the median of the cells around the window, times the area of the window."""
    offsets, counts_missing = estimate_offsets(estimate, context.settings), estimate.edge == "zero"
    if is_compiled(context.settings.kernel):
        from hep_peaksum.loops import rings

        cells, periodic = context.searched_cells, context.grid.periodic
        median = rings.medians(cells, context.peaks, offsets, periodic, counts_missing=counts_missing)
    else:
        median = _medians(context, offsets, counts_missing=counts_missing)
    return np.asarray(median * _area(context, estimate, context.settings.sum_cells()))


def _area(context: PeakContext, estimate: Pileup, window: Sequence[Offset]) -> Any:
    """Return how many cells a window covers: of every peak those before the edges, if others are left out."""
    return _n_before_edges(context, window) if estimate.edge == "existing" else len(window)


def _n_before_edges(context: PeakContext, window: Sequence[Offset]) -> Array:
    """Return how many cells of a window lie before the edges, for every peak."""
    plane = np.ones((1, *context.grid.shape), np.int64)
    n_cells = window_map(plane, tuple(window), context.grid.periodic, context.settings.kernel)[0]
    return np.asarray(n_cells[context.peaks.row, context.peaks.col])


def _medians(context: PeakContext, offsets: Sequence[Offset], *, counts_missing: bool) -> Array:
    """Return the median of the cells at some offsets from every peak, 0 without any: the readable twin."""
    row, col = context.index_at(offsets)
    cells = context.searched_cells[context.peaks.event[:, None], row, col]
    is_cell = (row >= 0) & exists(cells)
    values = np.where(is_cell, cells.astype(np.float64), 0.0 if counts_missing else np.inf)
    values.sort(axis=1)
    n = np.full(len(values), len(offsets)) if counts_missing else is_cell.sum(axis=1)
    middle = np.stack([np.maximum(n - 1, 0) // 2, n // 2], axis=1)
    median = np.take_along_axis(values, middle, axis=1).mean(axis=1) if len(values) else np.zeros(0)
    return np.where(n > 0, median, 0.0)
