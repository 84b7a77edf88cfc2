"""Pairs of objects of one event that are near in two coordinates, compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.kernels.numba_compile import cached_jit, read_only


def pairs_about(
    events: tuple[Array, Array],
    places: tuple[Array, Array],
    others: tuple[Array, Array],
    largest: float,
    period: float = math.inf,
) -> tuple[Array, Array]:
    """Return the indices of all pairs of one event that are within about a distance in each coordinate.

    Parameters
    ----------
    events
        The event of every object of the first and of the second kind, both ascending.
    places, others
        Their places along the first and the second coordinate.
    largest
        The distance. Pairs that are farther apart, by little more than rounding, may be among those returned.
    period
        After which the second coordinate is the same again.

    Returns
    -------
    tuple of numpy.ndarray
        The index of the first and of the second object of each pair, ascending in the first, then the second.

    >>> events = np.array([0, 1]), np.array([0, 0, 1])
    >>> places = np.array([0.0, 0.0]), np.array([0.1, 3.0, 0.2])
    >>> others = np.array([0.0, 0.0]), np.array([6.2, 0.0, 1.0])
    >>> [each.tolist() for each in pairs_about(events, places, others, 0.5, 2 * math.pi)]
    [[0], [0]]
    """
    numbers = [read_only(np.asarray(each, np.int64)) for each in events]
    numbers += [read_only(np.asarray(each, np.float64)) for each in (*places, *others)]
    rounding = 1e-6 * (largest + (period if math.isfinite(period) else 0))
    pairs = np.empty((2, 2 * len(events[0])), np.int64)
    n_pairs = _write_pairs(*numbers, largest + rounding, float(period), pairs)
    if n_pairs > pairs.shape[1]:
        pairs = np.empty((2, n_pairs), np.int64)
        _write_pairs(*numbers, largest + rounding, float(period), pairs)
    return pairs[0, :n_pairs], pairs[1, :n_pairs]


@cached_jit
def _write_pairs(
    event: Any,
    other_event: Any,
    place: Any,
    other_place: Any,
    second: Any,
    other_second: Any,
    largest: Any,
    period: Any,
    pairs: Any,
) -> int:
    """Write down as many pairs as there is room for, and return how many there are."""
    n_pairs = start = 0
    for i in range(len(event)):
        while start < len(other_event) and other_event[start] < event[i]:
            start += 1
        j = start
        while j < len(other_event) and other_event[j] == event[i]:
            if abs(place[i] - other_place[j]) <= largest:
                apart = abs(second[i] - other_second[j])
                if apart > period / 2:
                    apart = abs(apart - period * math.floor(apart / period + 0.5))
                if apart <= largest:
                    if n_pairs < pairs.shape[1]:
                        pairs[0, n_pairs] = i
                        pairs[1, n_pairs] = j
                    n_pairs += 1
            j += 1
    return n_pairs
