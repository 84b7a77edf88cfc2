"""Confidence intervals of fractions: exact for counts, approximate for weighted events."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.kernels import Array

LEVEL = 0.6827  # the probability of one standard deviation, as it is usually rounded


class Interval(NamedTuple):
    """The lower and the upper end of an interval, one of each per bin."""

    low: Array
    high: Array


def clopper_pearson(passed: npt.ArrayLike, total: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """Return the central Clopper-Pearson interval of a fraction.

    The ends are quantiles of beta distributions; `passed` and `total` need not be whole. If nothing passes, the
    lower end is 0; if everything does, the upper end is 1; without events the interval is [0, 1]. C. J. Clopper
    and E. S. Pearson, Biometrika 26 (1934) 404.

    >>> interval = clopper_pearson([0, 5, 10, 0], [10, 10, 10, 0])
    >>> interval.low.round(3).tolist(), interval.high.round(3).tolist()
    ([0.0, 0.305, 0.832, 0.0], [0.168, 0.695, 1.0, 1.0])
    """
    from scipy.special import betaincinv  # scipy.stats takes half a second to import

    k, n = np.broadcast_arrays(np.asarray(passed, np.float64), np.asarray(total, np.float64))
    if (is_wrong := (k < 0) | (k > n)).any():
        msg = f"{k[is_wrong][0]:g} of {n[is_wrong][0]:g} events pass: expected none to all of them"
        raise ValueError(msg)
    low, high, tail = np.zeros(k.shape), np.ones(k.shape), (1 - level) / 2
    some, not_all = k > 0, k < n
    low[some] = betaincinv(k[some], n[some] - k[some] + 1, tail)
    high[not_all] = betaincinv(k[not_all] + 1, n[not_all] - k[not_all], 1 - tail)
    return Interval(low, high)


class WeightedCounts(NamedTuple):
    """Sums over events, one per bin: of the weights, of their squares, and how many weights are below zero."""

    sum: Array
    sum_of_squares: Array
    n_negative: Array

    @classmethod
    def of_counts(cls, counts: npt.ArrayLike) -> WeightedCounts:
        """Return the sums of events of weight 1."""
        counts = np.asarray(counts, np.float64)
        return cls(counts, counts, np.zeros(counts.shape))


class Efficiency(NamedTuple):
    """Fractions with their intervals, one per bin.

    `is_signed` says where weights below zero make the interval a symmetric one, which may leave [0, 1].
    """

    value: Array
    low: Array
    high: Array
    is_signed: Array


def efficiency(passed: WeightedCounts, total: WeightedCounts, level: float = LEVEL) -> Efficiency:
    """Return the fraction of the weights that pass, with its interval.

    Without weights below zero it is the Clopper-Pearson interval of the effective number of events, (sum of
    weights)^2 / sum of their squares. Otherwise the variance is ((1 - 2 e) sum of squares of those that pass +
    e^2 sum of all squares) / (sum of weights)^2, and the interval one standard deviation to each side, never
    clipped. A bin without weight has the value NaN and the interval [0, 1].

    >>> counts = [WeightedCounts.of_counts(each) for each in ([5.0, 0.0], [10.0, 0.0])]
    >>> [each.round(3).tolist() for each in efficiency(*counts)[:3]]
    [[0.5, nan], [0.305, 0.0], [0.695, 1.0]]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(total.sum != 0, passed.sum / total.sum, np.nan)
        n_effective = np.where(total.sum_of_squares > 0, total.sum**2 / total.sum_of_squares, 0.0)
        failing = (1 - 2 * value) * passed.sum_of_squares + value**2 * total.sum_of_squares
        sigma = np.sqrt(failing) / np.abs(total.sum)
    is_signed = (passed.n_negative > 0) | (total.n_negative > 0)
    fraction = np.where(np.isnan(value), 0.0, value).clip(0, 1)  # rounding can exceed 1, as signed weights do
    low, high = clopper_pearson(fraction * n_effective, n_effective, level)
    low, high = (np.where(np.isnan(value), edge, each) for edge, each in ((0.0, low), (1.0, high)))
    return Efficiency(
        value,
        np.where(is_signed, value - sigma, low),
        np.where(is_signed, value + sigma, high),
        is_signed,
    )
