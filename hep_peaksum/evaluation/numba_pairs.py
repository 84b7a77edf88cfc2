"""Pairs of objects of one event that are near along a line, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.kernels.numba_compile import cached_jit, read_only


def pairs_along(
    events: tuple[Array, Array], places: tuple[Array, Array], largest: float
) -> tuple[Array, Array]:
    """Return the indices of all pairs of one event whose places on a line are at most a distance apart.

    Parameters
    ----------
    events
        The event of every object of the first and of the second kind, both ascending.
    places
        Their places.
    largest
        The distance.

    Returns
    -------
    tuple of numpy.ndarray
        The index of the first and of the second object of each pair, ascending in the first, then the second.

    >>> events = np.array([0, 1]), np.array([0, 0, 1])
    >>> places = np.array([0.0, 0.0]), np.array([0.1, 3.0, 0.2])
    >>> [each.tolist() for each in pairs_along(events, places, 0.5)]
    [[0, 1], [0, 2]]
    """
    numbers = [read_only(np.asarray(each, np.int64)) for each in events]
    numbers += [read_only(np.asarray(each, np.float64)) for each in places]
    pairs = np.empty((2, 2 * len(events[0])), np.int64)
    n_pairs = _write_pairs(*numbers, float(largest), pairs)
    if n_pairs > pairs.shape[1]:
        pairs = np.empty((2, n_pairs), np.int64)
        _write_pairs(*numbers, float(largest), pairs)
    return pairs[0, :n_pairs], pairs[1, :n_pairs]


@cached_jit
def _write_pairs(event: Any, other_event: Any, place: Any, other_place: Any, largest: Any, pairs: Any) -> int:
    """Write down as many pairs as there is room for, and return how many there are."""
    n_pairs = start = 0
    for i in range(len(event)):
        while start < len(other_event) and other_event[start] < event[i]:
            start += 1
        j = start
        while j < len(other_event) and other_event[j] == event[i]:
            if abs(place[i] - other_place[j]) <= largest:
                if n_pairs < pairs.shape[1]:
                    pairs[0, n_pairs] = i
                    pairs[1, n_pairs] = j
                n_pairs += 1
            j += 1
    return n_pairs
