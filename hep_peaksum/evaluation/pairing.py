"""Candidate pairs by distance, and further ways to choose among pairs than those of `matching`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from hep_peaksum.evaluation.matching import Pairs, best_of_references, nearest, one_to_one
from hep_peaksum.evaluation.numba_pairs import pairs_about
from hep_peaksum.geometry.axis import fold_azimuth
from hep_peaksum.geometry.jagged import event_of, flat_field
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import awkward as ak

Pairing = Literal["highest", "nearest", "one_to_one", "optimal"]


class Places(NamedTuple):
    """Where objects are, one entry of each array per object: event number, ascending, and two coordinates.

    The coordinates are pseudorapidity and azimuth in radian, or two lengths in the same unit.
    """

    event: Array
    first: Array
    second: Array

    @classmethod
    def from_jagged(cls, records: ak.Array, names: tuple[str, str]) -> Places:
        """Return the places of jagged records by the names of two fields, events numbered from 0."""
        first, second = (flat_field(records, name).astype(np.float64) for name in names)
        return cls(event_of(records), first, second)


def within_delta_r(references: Places, clusters: Places, largest: float) -> Pairs:
    """Return every pair of one event that is at most `largest` apart in pseudorapidity and azimuth (radian).

    >>> first, second = (Places(np.array([0]), np.array([0.0]), np.array([p])) for p in (3.1, -3.1))
    >>> within_delta_r(first, second, 0.1).distance.round(3).tolist()
    [0.083]
    """
    return _near(references, clusters, largest, 2 * math.pi, fold_azimuth)


def within_distance(references: Places, clusters: Places, largest: float) -> Pairs:
    """Return every pair of one event that is at most `largest` apart on a plane, in the unit of the places."""
    return _near(references, clusters, largest, math.inf)


def _near(
    references: Places,
    clusters: Places,
    largest: float,
    period: float,
    fold: Callable[[Array], Array] | None = None,
) -> Pairs:
    """Return every pair of one event within a distance; `fold` is applied to differences of the second."""
    events = references.event, clusters.event
    if any((each[1:] < each[:-1]).any() for each in events):
        msg = "objects of one event are not together: sort them by event, as Places.from_jagged gives them"
        raise ValueError(msg)
    # most pairs are far apart, and need no distance
    places = (references.first, clusters.first), (references.second, clusters.second)
    reference, cluster = pairs_about(events, *places, largest, period)
    first = references.first[reference] - clusters.first[cluster]
    second = references.second[reference] - clusters.second[cluster]
    distance = np.hypot(first, second if fold is None else fold(second))
    is_near = distance <= largest
    pairs = Pairs(reference, cluster, distance)
    return pairs if is_near.all() else pairs.select(np.flatnonzero(is_near))


def chosen(pairs: Pairs, how: Pairing, *, height: Array | None = None, value: Array | None = None) -> Pairs:
    """Return the pairs that a pairing chooses among candidates.

    Parameters
    ----------
    pairs
        Candidates, in the order of the references.
    how
        ``nearest``: for every reference the nearest cluster, which others may share; ``highest``: the one with
        the highest `value`, then the nearest; ``one_to_one``: the references take the nearest free cluster, by
        decreasing `height`, equal ones by index; ``optimal``: of all pairings without sharing, the one with the
        most pairs, and among these the smallest sum of distances.
    height
        Of every reference; by default all are equal.
    value
        Of every cluster, for ``highest``.
    """
    if how == "nearest":
        return nearest(pairs)
    if how == "highest":
        if value is None:
            msg = "pairing 'highest' needs a value of every cluster: name a field, or choose 'nearest'"
            raise ValueError(msg)
        return best_of_references(pairs, [-value[pairs.cluster], pairs.distance])
    if how == "optimal":
        return _optimal(pairs)
    of_pairs = np.zeros(len(pairs.reference)) if height is None else -height[pairs.reference]
    return one_to_one(pairs, [of_pairs, pairs.reference, pairs.distance])


def _optimal(pairs: Pairs) -> Pairs:
    """Return the most pairs without sharing, of the smallest sum of distances, group by linked group."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(pairs.reference):
        return pairs
    references, row = np.unique(pairs.reference, return_inverse=True)
    clusters, col = np.unique(pairs.cluster, return_inverse=True)
    n = len(references) + len(clusters)
    links = coo_array((np.ones(len(row)), (row, len(references) + col)), shape=(n, n))
    label = connected_components(links, directed=False)[1][row]
    order = np.argsort(label, kind="stable")
    taken = []
    for group in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        rows, i = np.unique(row[group], return_inverse=True)
        cols, j = np.unique(col[group], return_inverse=True)
        distance = pairs.distance[group]
        no_pair = (distance.max() + 1) * (len(rows) + len(cols))  # more than all pairs together
        cost = np.full((len(rows), len(cols)), no_pair)
        number = np.full(cost.shape, -1)
        cost[i, j], number[i, j] = distance, group
        best = number[linear_sum_assignment(cost)]
        taken.append(best[best >= 0])
    together = np.concatenate(taken)
    return pairs.select(together[np.argsort(pairs.reference[together])])
