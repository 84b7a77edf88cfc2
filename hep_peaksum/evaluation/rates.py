"""Rates of a trigger against its threshold, and the scaling of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hep_peaksum.evaluation.intervals import WeightedCounts, efficiency
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import awkward as ak


def below_all(values: Array) -> Array:
    """Return numbers with -inf in place of NaN: what has no value is below every threshold.

    >>> below_all(np.array([7.0, np.nan])).tolist()
    [7.0, -inf]
    """
    if values.dtype.kind != "f" or not (is_nan := np.isnan(values)).any():
        return values
    return np.where(is_nan, values.dtype.type(-np.inf), values)


def nth_leading(values: ak.Array, n: int = 1) -> Array:
    """Return the n-th largest value of every event, -inf where an event has fewer; `values` are jagged.

    NaN does not count as a value.

    >>> import awkward as ak
    >>> nth_leading(ak.Array([[3.0, 7.0], [1.0], []]), 2).tolist()
    [3.0, -inf, -inf]
    """
    import awkward as ak

    numbers = ak.nan_to_num(ak.values_astype(values, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    lists = ak.sort(numbers, axis=1, ascending=False)
    padded = ak.pad_none(lists, n, clip=True)
    return np.asarray(ak.to_numpy(ak.fill_none(padded[:, n - 1], -np.inf)))


class Rate(NamedTuple):
    """A rate at each threshold, with its interval; in the unit of the `scale` that it was computed with."""

    threshold: Array
    value: Array
    low: Array
    high: Array


def rate(counts: WeightedCounts, total: WeightedCounts, lower_edges: Array, scale: float) -> Rate:
    """Return the rate of events at or above the lower edge of every bin.

    Parameters
    ----------
    counts
        Events by the value of their bin: one entry per bin, and the overflow as the last one.
    total
        All events of the sample, also those without a value: a single entry.
    lower_edges
        The lower edge of every bin, and of the overflow.
    scale
        The rate if every event passed, such as that of the bunch crossings in Hz.

    >>> counts = WeightedCounts.of_counts([10.0, 4.0, 1.0])
    >>> rate(counts, WeightedCounts.of_counts([100.0]), np.array([0.0, 10.0, 20.0]), 40e3).value.tolist()
    [6000.0, 2000.0, 400.0]
    """
    above = WeightedCounts(*(np.cumsum(each[::-1])[::-1] for each in counts))
    fraction = efficiency(above, WeightedCounts(*(np.full(len(above.sum), each) for each in total)))
    return Rate(lower_edges, *(each * scale for each in fraction[:3]))


def crossing(x: Array, y: Array, level: float) -> float:
    """Return where a turn-on reaches a level, and stays there for two bins; NaN where it does not.

    `x` are the centres of the bins, between which the turn-on is a straight line. Bins without a value (NaN)
    are left out.

    >>> crossing(np.array([5.0, 15.0, 25.0, 35.0]), np.array([0.0, 0.5, 1.0, 1.0]), 0.95)
    24.0
    """
    is_known = ~np.isnan(y)
    x, y = x[is_known], y[is_known]
    is_above = y >= level
    starts = np.flatnonzero(is_above[:-1] & is_above[1:])
    if not len(starts):
        return float("nan")
    i = int(starts[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (level - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


def plateau(value: Array, passed: Array, total: Array) -> float:
    """Return the height at which a turn-on levels off: the efficiency of the highest quarter of its bins.

    Only bins with events count; the weights of their events are added.
    """
    filled = np.flatnonzero((total > 0) & ~np.isnan(value))
    if not len(filled):
        return float("nan")
    last = filled[-max(1, len(filled) // 4) :]
    return float(passed[last].sum() / total[last].sum())


class Scaling(NamedTuple):
    """Offline thresholds of online ones, and the straight line offline = `slope` x online + `offset`."""

    online: Array
    offline: Array
    slope: float
    offset: float


def scaling(online: Sequence[float], offline: Sequence[float]) -> Scaling:
    """Return the straight line through pairs of thresholds; NaN with fewer than three that are known.

    >>> scaling([10, 20, 30], [15, 26, 37])[2:]
    (1.1, 4.0)
    """
    x, y = (np.asarray(each, np.float64) for each in (online, offline))
    is_known = np.isfinite(y)
    if is_known.sum() < 3:  # a line through two points says nothing
        return Scaling(x, y, float("nan"), float("nan"))
    slope, offset = np.polyfit(x[is_known], y[is_known], 1)
    return Scaling(x, y, round(float(slope), 12), round(float(offset), 12))
