"""Which cells are seeds: the maxima that a kernel finds, thresholds in sigma, and the greedy rules.

Greedy rules take seeds one after the other, the highest first; here all events at once, in as many rounds as
the longest chain of seeds that wait for one another.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hep_peaksum.clustering.discriminant import is_there
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Kernel, Offset, Peaks, Rule, Search, accumulator
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import in_sigmas, inclusive_bound, passes


def find_seeds(quantity: Array, rule: Rule, settings: PeakSumSettings, grid: Grid, kernel: Kernel) -> Search:
    """Return what beats its neighbours in `quantity`, shape (event, row, col), with the sums of `rule`."""
    if settings.tie_rule == "greedy-residual":
        return _above(quantity, rule.bound)
    return kernel.find_peaks(quantity, rule, grid.periodic)


def accepted_seeds(
    peaks: Peaks,
    settings: PeakSumSettings,
    grid: Grid,
    *,
    noise: Array | None = None,
    mask: Array | None = None,
) -> Peaks:
    """Return the peaks that are seeds, sorted by (event, row, col) as before.

    Parameters
    ----------
    peaks
        What `find_seeds` gave.
    noise
        Of what was compared, for a seed threshold in sigma, shape (event, row, col).
    mask
        Where a cell is masked and cannot be a seed, though it may stand among the others.
    """
    if mask is not None:
        peaks = peaks.take(~mask[peaks.event, peaks.row, peaks.col])
    if in_sigmas(settings.seed_threshold) is not None and settings.quantity == "energy":
        noise_of_seeds = np.asarray(noise)[peaks.event, peaks.row, peaks.col]
        passed = passes(
            peaks.seed, settings.seed_threshold, settings.seed_comparison, grid.unit, noise=noise_of_seeds
        )
        peaks = peaks.take(passed)
    search = [(cell.row, cell.col) for cell in settings.search_cells()]
    if settings.tie_rule == "greedy":
        peaks = peaks.take(accepted(peaks, search, grid, settings))
    elif settings.tie_rule == "greedy-residual":
        peaks = peaks.take(accepted(peaks, {*search, *settings.sum_cells()}, grid, settings))
    if settings.overlap == "suppress":
        peaks = peaks.take(accepted(peaks, settings.sum_cells(), grid, settings))
    return peaks


def seed_bound(settings: PeakSumSettings, unit: float, *, integer: bool) -> float | None:
    """Return the seed threshold as an inclusive bound on what is compared; None if every cell has its own."""
    n_sigmas = in_sigmas(settings.seed_threshold)
    if n_sigmas is None:
        return inclusive_bound(settings.seed_threshold, settings.seed_comparison, unit, integer=integer)
    if settings.quantity == "significance":
        return inclusive_bound(n_sigmas, settings.seed_comparison, 1.0, integer=False)
    return None


def _above(quantity: Array, bound: float) -> Search:
    """Return every cell that is there and not below the bound."""
    number = accumulator(quantity.dtype)
    event, row, col = np.nonzero((quantity >= number(bound)) & is_there(quantity))
    seed = quantity[event, row, col].astype(number)
    peaks = Peaks.at((event, row, col), quantity.shape, seed, seed, np.ones(len(seed), np.int32))
    return Search(peaks, bool(np.isfinite(quantity).all()))


def rank_by_height(peaks: Peaks, settings: PeakSumSettings) -> Array:
    """Return the peaks, event by event, highest first; of equal ones the first or the last in position."""
    place = np.arange(len(peaks))
    return np.lexsort((place if settings.greedy_ties == "first" else -place, -peaks.seed, peaks.event))


def pairs_in_window(peaks: Peaks, offsets: Iterable[Offset], grid: Grid) -> tuple[Array, Array]:
    """Return the pairs of peaks (n, other) of one event, the other in the window at `offsets` about the first.

    The peaks are sorted by (event, row, col); a peak makes no pair with itself.
    """
    (n_rows, n_cols), numbers = grid.shape, np.arange(len(peaks))
    cell = peaks.event * (n_rows * n_cols) + peaks.cell
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for d, p in offsets:
        row, col = grid.wrap(peaks.row + d, peaks.col + p)
        inside = (row >= 0) & ((d, p) != (0, 0))
        wanted = ((peaks.event * n_rows + row) * n_cols + col)[inside]
        place = np.minimum(np.searchsorted(cell, wanted), len(cell) - 1)
        found = cell[place] == wanted if len(cell) else np.empty(0, bool)
        first.append(numbers[inside][found])
        second.append(place[found])
    return np.concatenate(first), np.concatenate(second)


def accepted(peaks: Peaks, offsets: Iterable[Offset], grid: Grid, settings: PeakSumSettings) -> Array:
    """Return which peaks are accepted, the highest first: none in the window of one accepted before it."""
    place = np.argsort(rank_by_height(peaks, settings))
    higher, lower = pairs_in_window(peaks, offsets, grid)
    precedes = place[higher] < place[lower]
    higher, lower = higher[precedes], lower[precedes]
    is_accepted, is_open = np.zeros(len(place), bool), np.ones(len(place), bool)
    while is_open.any():
        waits = np.zeros(len(place), bool)
        waits[lower] = True
        is_accepted |= is_open & ~waits
        is_open &= waits
        is_open[lower[is_accepted[higher]]] = False
        undecided = is_open[higher] & is_open[lower]
        higher, lower = higher[undecided], lower[undecided]
    return is_accepted
