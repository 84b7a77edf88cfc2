"""Seeds: the maxima that a kernel finds, seed thresholds in sigma, and the greedy rules.

Greedy rules accept seeds one after the other, the highest first (see `loops.seeds`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.clustering.discriminant import (
    Cells,
    exists,
    has_noise_of_plane,
    has_whole_window,
    is_plane,
    seed_noise,
)
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, Offset, Peaks, Rule, Search, absent, accumulator, get_kernel
from hep_peaksum.loops.seeds import accepted_in_order, add_highest, keep_maxima
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import inclusive_bound, passes
from hep_peaksum.settings.units import in_sigmas


class SearchPlan(NamedTuple):
    """What the kernel does in its pass over the cells besides finding the seeds; decided once per call.

    `adds_windows`: it adds the sum windows, because the cells that it compares are added, in whole windows.
    `checks_cells`: it also tells whether all cells are finite, because it compares them as they were given;
    otherwise they are checked before the search, which takes one more pass over the memory.
    """

    adds_windows: bool
    checks_cells: bool

    def compares_sums(self, settings: PeakSumSettings) -> bool:
        """Return whether the values compared are the sums of the sum windows."""
        has_all_cells = settings.adds_whole_windows and settings.cell_threshold is None
        is_sum = settings.quantity == "energy" and settings.sum_over == "towers" and has_all_cells
        return is_sum and settings.sum_cells() == settings.seed_cells()

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, settings: PeakSumSettings, *, has_mask: bool) -> SearchPlan:
        """Return the plan for some settings, and for cells with or without a mask."""
        return cls(
            settings.seed_is_cell and settings.sum_over == "towers" and settings.adds_whole_windows,
            settings.seed_is_cell and settings.coarsen == (1, 1) and not has_mask,
        )


def find_seeds(searched: Cells, compared: Cells, settings: PeakSumSettings, plan: SearchPlan) -> Search:
    """Return the cells that beat their neighbours, with the sums of their windows where the plan has them.

    If every cell has its own seed threshold, all cells that pass the lowest one are among them.
    """
    cells, grid, kernel = compared.source, compared.grid, get_kernel(settings.kernel)
    if isinstance(cells, Hits):
        rule = _search_rule(settings, grid.unit, cells.value.dtype, plan)
        return kernel.find_peaks_in_hits(
            cells.event_offsets, cells.cell, cells.value, grid.shape, rule, grid.periodic, cells.empty_plane()
        )
    rule = _search_rule(settings, grid.unit, cells.dtype, plan)
    if seed_bound(settings, grid.unit, integer=cells.dtype.kind != "f") is None:
        rule = rule._replace(bound=_lowest_bound(searched, cells.dtype, settings))
    groups = compared.groups
    if groups is None and not settings.removes_cells:
        return kernel.find_peaks(cells, rule, grid.periodic)
    is_seed = _cells_above(compared.values, rule.bound, groups)
    if groups is not None and not settings.removes_cells:
        keep_maxima(is_seed, compared.values, groups, rule.search, grid.periodic, settings.kernel)
    return Search(_peaks_where(is_seed, compared.values), bool(np.isfinite(compared.values).all()))


@lru_cache(maxsize=64)
def _search_rule(settings: PeakSumSettings, unit: float | None, dtype: np.dtype[Any], plan: SearchPlan) -> Rule:
    """Return what the kernel is asked for; where every cell has its own bound, all pass for now."""
    integer = dtype.kind != "f"
    bound = seed_bound(settings, unit, integer=integer)
    return Rule(
        search=settings.search_cells(),
        bound=absent(dtype) if bound is None else bound,
        window=settings.sum_cells() if plan.adds_windows else (),
        cell_bound=cell_bound(settings, unit, integer=integer) if plan.adds_windows else None,
    )


def _cells_above(values: Array, bound: float, groups: Array | None) -> Array:
    """Return which cells, of the groups if there are any, exist and are not below the bound."""
    is_above = values >= accumulator(values.dtype)(bound)
    if bound <= absent(values.dtype):
        is_above &= exists(values)
    if groups is not None:
        is_above &= groups > 0
    return np.asarray(is_above)


def _peaks_where(is_peak: Array, values: Array) -> Peaks:
    """Return the peaks in some cells, shape (event, row, col), with the value of the cell as their sum."""
    n_events, n_rows, n_cols = values.shape
    place, first = np.flatnonzero(is_peak), np.arange(n_events + 1) * (n_rows * n_cols)
    offsets = np.searchsorted(place, first)
    seed = values.reshape(-1)[place].astype(accumulator(values.dtype))
    cell = (place - np.repeat(first[:-1], np.diff(offsets))).astype(np.int32)
    return Peaks(n_cols, offsets, cell, seed, seed, np.broadcast_to(np.int32(1), len(seed)))


def seed_bound(settings: PeakSumSettings, unit: float | None, *, integer: bool) -> float | None:
    """Return the seed threshold as an inclusive bound on the discriminant; None if every cell has its own."""
    n_sigmas = in_sigmas(settings.seed_threshold)
    if n_sigmas is None:
        return inclusive_bound(settings.seed_threshold, settings.seed_comparison, unit, integer=integer)
    if settings.quantity == "significance":
        return inclusive_bound(n_sigmas, settings.seed_comparison, 1.0, integer=False)
    return None


def _lowest_bound(searched: Cells, dtype: np.dtype[Any], settings: PeakSumSettings) -> float:
    """Return a bound in counts below which no cell passes a seed threshold in sigma.

    The noise of a seed window is not below that of the seed, so that the noise of single cells will do.
    """
    n_sigmas = in_sigmas(settings.seed_threshold) or 0.0
    if n_sigmas <= 0:
        return absent(dtype) if n_sigmas else 0
    of_plane = has_noise_of_plane(searched)
    noise = seed_noise(searched, settings) if of_plane else np.asarray(searched.noise)
    if searched.mask is not None:  # masked cells are not seeds, and need no noise
        noise = np.where(searched.mask[: len(noise)], np.inf, noise)
    least = np.min(noise, initial=np.inf)
    bound = float(n_sigmas * (least if of_plane else np.sqrt(np.square(least))))
    if dtype.kind == "f":
        return bound
    return math.ceil(bound) if bound < 2.0**63 else 2**63 - 1


def admits_empty_cells(settings: PeakSumSettings, unit: float | None) -> bool:
    """Return whether a cell of 0 passes the seed threshold, so that every empty cell may be a seed."""
    n_sigmas = in_sigmas(settings.seed_threshold)
    threshold = settings.seed_threshold if n_sigmas is None else n_sigmas
    return inclusive_bound(threshold, settings.seed_comparison, unit, integer=False) <= 0


def cell_bound(settings: PeakSumSettings, unit: float | None, *, integer: bool) -> float | None:
    """Return the cell threshold as an inclusive bound in counts of the grid, or None."""
    if settings.cell_threshold is None:
        return None
    return inclusive_bound(settings.cell_threshold, settings.cell_comparison, unit, integer=integer)


def passes_seed_threshold(
    values: Array, index: tuple[Array, Array, Array], searched: Cells, settings: PeakSumSettings
) -> Array:
    """Return which values of the discriminant, at `index` (event, row, col), pass the seed threshold."""
    unit = searched.grid.unit
    bound = seed_bound(settings, unit, integer=values.dtype.kind != "f")
    if bound is not None:
        return np.asarray(values >= bound)
    noise = _seed_noise_at(index, searched, settings)
    return passes(values, settings.seed_threshold, settings.seed_comparison, unit, noise=noise)


def _seed_noise_at(index: tuple[Array, Array, Array], searched: Cells, settings: PeakSumSettings) -> Array:
    """Return the noise of the seed windows at `index` (event, row, col)."""
    event, row, col = index
    if has_noise_of_plane(searched):
        return np.asarray(seed_noise(searched, settings)[0, row, col] if len(row) else np.zeros(0))
    if settings.seed_cells() == ((0, 0),):
        noise = np.where(exists(searched.values[index]), np.asarray(searched.noise)[index], 0.0)
        return np.asarray(np.sqrt(np.square(noise.astype(np.float64))))
    return np.asarray(seed_noise(searched, settings)[event, row, col])


def accepted_seeds(peaks: Peaks, searched: Cells, compared: Cells, settings: PeakSumSettings) -> Peaks:
    """Return the peaks that are seeds, sorted by (event, row, col) as before.

    A masked cell is never a seed, even where it counts as zero for its neighbours.
    """
    peaks = _without_forbidden(peaks, searched, settings)
    if in_sigmas(settings.seed_threshold) is not None and settings.quantity == "energy":
        index = (peaks.event, peaks.row, peaks.col)
        peaks = peaks.take(passes_seed_threshold(peaks.seed, index, searched, settings))
    if settings.seedless_groups == "highest" and searched.groups is not None:
        peaks = _with_highest_of_seedless(peaks, searched, compared, settings, searched.groups)
    for offsets in exclusion_windows(settings):
        peaks = peaks.take(_greedily_accepted(peaks, offsets, searched, settings))
    return peaks


def _without_forbidden(peaks: Peaks, searched: Cells, settings: PeakSumSettings) -> Peaks:
    """Return the peaks without masked cells, and without those at an edge where windows must be whole."""
    if searched.mask is not None and len(peaks.cell):
        if is_plane(searched.mask):
            is_masked = searched.mask[0].reshape(-1)[peaks.cell]
        else:
            is_masked = searched.mask[peaks.event, peaks.row, peaks.col]
        peaks = peaks.take(~is_masked) if is_masked.any() else peaks
    if not settings.partial_search_windows:
        peaks = peaks.take(may_seed(searched, settings)[peaks.row, peaks.col])
    return peaks


def _with_highest_of_seedless(
    peaks: Peaks, searched: Cells, compared: Cells, settings: PeakSumSettings, groups: Array
) -> Peaks:
    """Return the peaks and the highest cell of every group that has none."""
    values, is_seed = compared.values, np.zeros(groups.shape, bool)
    is_seed[peaks.event, peaks.row, peaks.col] = True
    is_allowed = exists(values)
    if searched.mask is not None:
        is_allowed &= ~searched.mask
    if not settings.partial_search_windows:
        is_allowed &= may_seed(searched, settings)
    last_wins = settings.greedy_ties == "last"
    add_highest(is_seed, is_allowed, values, groups, settings.kernel, last_wins=last_wins)
    return peaks if np.count_nonzero(is_seed) == len(peaks) else _peaks_where(is_seed, values)


def may_seed(searched: Cells, settings: PeakSumSettings) -> Array:
    """Return which cells, shape (row, col), may be seeds: none at an edge unless windows may be partial."""
    plane = (1, *searched.source.shape[1:])
    if settings.partial_search_windows:
        return np.ones(plane[1:], bool)
    offsets = [(cell.row, cell.col) for cell in settings.search_cells()]
    return has_whole_window([(0, 0), *offsets], plane, searched.grid.periodic)


def exclusion_windows(settings: PeakSumSettings) -> list[Collection[Offset]]:
    """Return the windows in which an accepted seed excludes lower ones: of a greedy rule, of `suppress`."""
    windows: list[Collection[Offset]] = []
    if settings.is_greedy:
        search = {(cell.row, cell.col) for cell in settings.search_cells()}
        windows.append(search.union(settings.sum_cells()) if settings.removes_cells else search)
    if settings.overlap == "suppress":
        windows.append(settings.sum_cells())
    return windows


def _greedily_accepted(
    peaks: Peaks, offsets: Collection[Offset], searched: Cells, settings: PeakSumSettings
) -> Array:
    """Return which peaks are accepted, the highest first: those in no window of a peak accepted before.

    Peaks of other groups do not matter.
    """
    order, grid = order_by_height(peaks, settings), searched.grid
    return accepted_in_order(peaks, order, offsets, searched.groups, grid.shape, grid.periodic, settings.kernel)


def order_by_height(peaks: Peaks, settings: PeakSumSettings) -> Array:
    """Return the order of the peaks, event by event, highest first; equal ones ordered by `greedy_ties`."""
    return falling_order(peaks.event_offsets, peaks.seed, settings)


def falling_order(offsets: Array, heights: Array, settings: PeakSumSettings) -> Array:
    """Return the order of decreasing heights, event by event; equal ones ordered by `greedy_ties`."""
    argsort = get_kernel(settings.kernel).argsort_descending
    if settings.greedy_ties == "first":
        return argsort(offsets, heights)
    rising = argsort(offsets, -heights)  # an absent cell, the lowest int64, is not a seed
    last = np.repeat(offsets[:-1] + offsets[1:] - 1, np.diff(offsets))
    return np.asarray(rising[last - np.arange(len(heights))])
