"""The only matcher: pairs of reference objects and clusters, as indices into flat arrays.

Matching takes two steps. The first collects the candidate pairs of every event (`same_cell`, `within_cells`),
the second chooses among them (`nearest`, `one_to_one`). Both return `Pairs`, so any two combine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.jagged import event_of, flat_field
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import awkward as ak


class CellIndices(NamedTuple):
    """Where objects are, one entry of each array per object: event number, row and column (-1 outside)."""

    event: Array
    row: Array
    col: Array

    @classmethod
    def from_jagged(cls, records: ak.Array) -> CellIndices:
        """Return the cells of jagged records with the fields `row` and `col`, events numbered from 0."""
        row, col = (flat_field(records, word).astype(np.int64) for word in ("row", "col"))
        return cls(event_of(records), row, col)

    def cell_number(self, grid: Grid) -> Array:
        """Return a number that is unique to each cell of each event, -1 outside the grid."""
        number = (np.asarray(self.event, np.int64) * grid.rows.size + self.row) * grid.cols.size + self.col
        return np.where((self.row >= 0) & (self.col >= 0), number, -1)


class Pairs(NamedTuple):
    """Pairs of a reference and a cluster of the same event, in the order of the references.

    `reference` and `cluster` are indices into the arrays that were matched, -1 where there is no partner (see
    `with_unmatched`); `distance` is how far apart the two are, in cells, NaN without a partner.
    """

    reference: Array
    cluster: Array
    distance: Array

    def select(self, selection: Array) -> Pairs:
        """Return the pairs that a mask or an array of indices selects."""
        return Pairs(*(column[selection] for column in self))


def same_cell(references: CellIndices, clusters: CellIndices, grid: Grid) -> Pairs:
    """Return every pair of a reference and a cluster in the same cell of the same event.

    Objects outside the grid are in no pair.

    >>> grid = Grid(rows=Axis(n=3), cols=Axis(n=4))
    >>> references = CellIndices(np.array([0, 0]), np.array([1, 2]), np.array([3, 2]))
    >>> clusters = CellIndices(np.array([0, 1]), np.array([1, 2]), np.array([3, 2]))
    >>> pairs = same_cell(references, clusters, grid)
    >>> pairs.reference.tolist(), pairs.cluster.tolist()
    ([0], [0])
    """
    number = clusters.cell_number(grid)
    number[number < 0] = -2  # unlike the -1 of references outside the grid
    reference, cluster = equal_pairs(references.cell_number(grid), number)
    return Pairs(reference, cluster, np.zeros(len(reference)))


def within_cells(references: CellIndices, clusters: CellIndices, grid: Grid, max_distance: int) -> Pairs:
    """Return every pair of one event that is at most `max_distance` rows and as many columns apart.

    Distances are the short way round on a periodic axis; `Pairs.distance` is the Euclidean one.

    >>> grid = Grid(rows=Axis(n=3), cols=Axis(n=8, periodic=True))
    >>> shower, cluster = (CellIndices(np.array([0]), np.array([1]), np.array([col])) for col in (7, 0))
    >>> within_cells(shower, cluster, grid, 1).distance.tolist()
    [1.0]
    """
    reference, cluster = equal_pairs(references.event, clusters.event)
    rows = _separation(references.row[reference], clusters.row[cluster], grid.rows)
    cols = _separation(references.col[reference], clusters.col[cluster], grid.cols)
    is_near = np.maximum(rows, cols) <= max_distance
    return Pairs(reference, cluster, np.hypot(rows, cols)).select(is_near)


def nearest(pairs: Pairs) -> Pairs:
    """Return the nearest cluster of each reference, the first of equally near ones.

    A cluster may be the nearest of several references.
    """
    return best_of_references(pairs, [pairs.distance])


def best_of_references(pairs: Pairs, priority: Sequence[Array]) -> Pairs:
    """Return one pair of each reference, the lowest by the sort keys, then the one of the first cluster."""
    # most references have a single candidate, and need no sorting
    is_alone = _is_alone(pairs.reference)
    rivals = np.flatnonzero(~is_alone)
    keys = (pairs.cluster, *reversed(priority), pairs.reference)
    order = rivals[np.lexsort([key[rivals] for key in keys])]
    is_best = is_alone
    is_best[order[is_first(pairs.reference[order])]] = True
    return _by_reference(pairs.select(is_best))


def one_to_one(pairs: Pairs, priority: Sequence[Array]) -> Pairs:
    """Return pairs of which no two share a reference or a cluster.

    Pairs are taken one after the other; each excludes the later ones that share its reference or its cluster.

    Parameters
    ----------
    pairs
        The candidates.
    priority
        Sort keys, one value per pair, the most important key first: the lowest values are taken first. Of equal
        pairs the one with the lower index of the cluster, then of the reference, is taken first.

    >>> pairs = Pairs(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([1.0, 0.0, 1.0]))
    >>> one_to_one(pairs, [pairs.distance]).select([0])
    Pairs(reference=array([1]), cluster=array([0]), distance=array([0.]))
    """
    is_alone = _is_alone(pairs.reference) & _is_alone(pairs.cluster)
    rivals, taken = np.flatnonzero(~is_alone), [pairs.select(is_alone)]
    keys = (pairs.reference, pairs.cluster, *reversed(priority))
    remaining = pairs.select(rivals[np.lexsort([key[rivals] for key in keys])])
    # A pair that comes first for both its objects is taken whatever happens elsewhere: take all such at once,
    # drop the pairs that they exclude, and repeat.
    while len(remaining.reference):
        is_certain = is_first(remaining.reference) & is_first(remaining.cluster)
        certain = remaining.select(is_certain)
        taken.append(certain)
        is_excluded = np.isin(remaining.reference, certain.reference)
        is_excluded |= np.isin(remaining.cluster, certain.cluster)
        remaining = remaining.select(~is_excluded)
    return _by_reference(Pairs(*(np.concatenate(columns) for columns in zip(*taken, strict=True))))


def with_unmatched(pairs: Pairs, n_references: int, n_clusters: int) -> Pairs:
    """Return the pairs and, with -1 in place of the partner, every object that is in none of them.

    First come the references in their order, matched or not, then the clusters without a reference.

    >>> pairs = Pairs(np.array([1]), np.array([0]), np.array([0.0]))
    >>> with_unmatched(pairs, 2, 2)
    Pairs(reference=array([ 0,  1, -1]), cluster=array([-1,  0,  1]), distance=array([nan,  0., nan]))
    """
    lone_references = np.delete(np.arange(n_references), pairs.reference)
    lone_clusters = np.delete(np.arange(n_clusters), pairs.cluster)
    reference = np.concatenate([pairs.reference, lone_references])
    cluster = np.concatenate([pairs.cluster, np.full(len(lone_references), -1)])
    distance = np.concatenate([pairs.distance, np.full(len(lone_references), np.nan)])
    order = np.argsort(reference, kind="stable")
    return Pairs(
        np.concatenate([reference[order], np.full(len(lone_clusters), -1)]),
        np.concatenate([cluster[order], lone_clusters]),
        np.concatenate([distance[order], np.full(len(lone_clusters), np.nan)]),
    )


def take_or_zero(values: Array, index: Array) -> Array:
    """Return the values at the indices, 0 where an index is -1 (see `with_unmatched`).

    >>> take_or_zero(np.array([5, 7]), np.array([1, -1, 0])).tolist()
    [7, 0, 5]
    """
    return np.append(values, values.dtype.type(0))[index]


def equal_pairs(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the indices of all pairs of equal values, ascending in the first index, then in the second."""
    order = np.argsort(second, kind="stable")
    ascending = second[order]
    start, stop = (np.searchsorted(ascending, first, side) for side in ("left", "right"))
    n_partners = stop - start
    index = np.repeat(np.arange(len(first)), n_partners)
    number = np.arange(len(index)) - (np.cumsum(n_partners) - n_partners)[index]
    return index, order[start[index] + number]


def _separation(first: Array, second: Array, axis: Axis) -> Array:
    """Return how many cells indices of an axis are apart, the short way round on a periodic one."""
    separation: Array = np.abs(first - second)
    return np.minimum(separation, axis.size - separation) if axis.periodic else separation


def is_first(indices: Array) -> Array:
    """Return where an index, 0 or above, occurs for the first time.

    >>> is_first(np.array([3, 0, 3, 1, 0])).tolist()
    [True, True, False, True, False]
    """
    place = np.arange(len(indices))
    first = np.empty(indices.max(initial=-1) + 1, np.int64)
    first[indices[::-1]] = place[::-1]  # of several numbers for one index the last stays
    return np.asarray(first[indices] == place)


def _is_alone(indices: Array) -> Array:
    """Return where an index, 0 or above, occurs once."""
    return np.asarray(np.bincount(indices)[indices] == 1)


def _by_reference(pairs: Pairs) -> Pairs:
    """Return pairs in the order of their references."""
    return pairs.select(np.argsort(pairs.reference, kind="stable"))
