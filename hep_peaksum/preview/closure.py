"""Clusters against a collection that the file has of its own: which of its objects are found, with which sum.

What a trigger emulator or a reconstruction has left in the file is the judge: a published algorithm that is
reproduced finds every object in its cell, with the same sum to the last count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.config.inputs import ReferenceInput
from hep_peaksum.config.model import Config
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.kernels import Array
from hep_peaksum.reading.blocks import read_blocks
from hep_peaksum.reading.columns import column, grid_columns


class Compared(NamedTuple):
    """One object: its entry, its cell (-1 outside the grid), its sum in the file and ours, or None."""

    event: int
    row: int
    col: int
    their_sum: int | float | None
    our_sum: int | float | None


class Closure(NamedTuple):
    """How the clusters of a collection compare with the objects of the file.

    `n_events` is how many events were looked at. The rest are arrays with an entry for every object of the
    file, and for every cluster without one: `event` (the entry, counted through the files), `row`, `col`;
    `is_theirs` and `is_ours`, whether the file has it and whether it was found; `sum_expected`, whether the
    sums are meant to be equal; `their_sum` and `our_sum`, 0 where there is none.
    """

    n_events: int
    event: Array
    row: Array
    col: Array
    is_theirs: Array
    is_ours: Array
    sum_expected: Array
    their_sum: Array
    our_sum: Array

    @property
    def n_references(self) -> int:
        """Objects of the file."""
        return int(self.is_theirs.sum())

    @property
    def n_found(self) -> int:
        """Objects of the file in whose cell there is a cluster."""
        return int((self.is_theirs & self.is_ours).sum())

    @property
    def n_sum_expected(self) -> int:
        """Objects of the file whose sum is meant to be that of a cluster."""
        return int((self.is_theirs & self.sum_expected).sum())

    @property
    def n_equal(self) -> int:
        """Objects whose sum is meant to be that of a cluster, and is."""
        return int((self.is_theirs & self.sum_expected & self._is_equal).sum())

    @property
    def n_extra(self) -> int:
        """Clusters in whose cell the file has no object."""
        return int((~self.is_theirs).sum())

    @property
    def missed(self) -> list[Compared]:
        """The objects of the file that were not found."""
        return self._listed(self.is_theirs & ~self.is_ours)

    @property
    def different(self) -> list[Compared]:
        """The objects that were found, but not with the sum that they are meant to have."""
        return self._listed(self.is_theirs & self.is_ours & self.sum_expected & ~self._is_equal)

    @property
    def extra(self) -> list[Compared]:
        """The clusters that the file does not have."""
        return self._listed(~self.is_theirs)

    @property
    def _is_equal(self) -> Array:
        return np.asarray(self.is_theirs & self.is_ours & (self.their_sum == self.our_sum))

    def _listed(self, which: Array) -> list[Compared]:
        return [
            Compared(
                int(self.event[n]),
                int(self.row[n]),
                int(self.col[n]),
                self.their_sum[n].item() if self.is_theirs[n] else None,
                self.our_sum[n].item() if self.is_ours[n] else None,
            )
            for n in np.flatnonzero(which)
        ]


def closure(config: Config, dataset: str | None = None, *, max_events: float = math.inf) -> dict[str, Closure]:
    """Compare every collection that names a `reference` with that collection of the file.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load.load_config`.
    dataset
        Whose files are read; by default those of the first.
    max_events
        Look at no more events than this.

    Returns
    -------
    dict
        The comparison by the name of the collection, in the order of the config.

    Raises
    ------
    ValueError
        If no collection has a reference, or an event does not hold what was promised; it names the entry.
    """
    references = {name: wanted.reference for name, wanted in config.clusters.items()}
    wanted = {name: reference for name, reference in references.items() if reference is not None}
    if not wanted:
        msg = f"nothing to compare with: none of {', '.join(references)} has a reference in the config"
        raise ValueError(msg)
    parts: dict[str, list[Closure]] = {name: [] for name in wanted}
    start = 0
    sources = {grid: config.grids[grid] for name in wanted for grid in config.clusters[name].grid}
    maps = {grid: (source.mask_map(), source.noise_map()) for grid, source in sources.items()}
    for events in read_blocks(config, sources, dataset, max_events=max_events):
        try:
            cells = {
                grid: grid_columns(events, source, config.friends).cells(0, len(events))
                for grid, source in sources.items()
            }
            for name, reference in wanted.items():
                (grid,), settings = config.clusters[name].grid, config.clusters[name].settings
                mask, noise = maps[grid]
                ours = find_clusters(
                    cells[grid],
                    settings,
                    sources[grid].grid,
                    mask=mask,
                    noise=noise,
                    fields=["row", "col", "peak_sum"],
                )
                plane = config.grids_of(name)[0]
                part = _compared(*_objects(reference, events, config, plane), ours, plane)
                parts[name].append(part._replace(event=start + part.event))
        except EventError as error:
            msg = f"entry {start + error.event}: {error.problem}"
            raise ValueError(msg) from None
        start += len(events)
    if start == 0:
        msg = f"there is nothing to look at: {dataset or 'the dataset'} has no entries"
        raise ValueError(msg)
    return {name: _joined(each) for name, each in parts.items()}


def _joined(parts: Sequence[Closure]) -> Closure:
    """Return the comparison of all events of blocks that follow one another."""
    columns = [np.concatenate(each) for each in zip(*(part[1:] for part in parts), strict=True)]
    return Closure(sum(part.n_events for part in parts), *columns)


class _Objects(NamedTuple):
    """Objects of some events, an entry of each column for each; `event` counts from the first of them."""

    event: Array
    row: Array
    col: Array
    sum: Array

    def cell(self, plane: Grid) -> Array:
        """Return a number for every cell of every event, -1 outside the grid."""
        number = (self.event * plane.rows.size + self.row) * plane.cols.size + self.col
        return np.where((self.row >= 0) & (self.col >= 0), number, -1)


def _objects(
    reference: ReferenceInput, events: ak.Array, config: Config, plane: Grid
) -> tuple[_Objects, Array]:
    """Return the objects of the file in some events, and which of their sums are meant to be ours."""
    jagged = {branch: _jagged(column(events, branch, config.friends), branch) for branch in reference.branches}
    _check_lengths(jagged)
    n_each = ak.to_numpy(ak.num(jagged[reference.sum]))
    columns = {branch: ak.to_numpy(ak.flatten(array)) for branch, array in jagged.items()}
    is_kept, sum_expected = (
        _holds(columns, which, n_each.sum()) for which in (reference.where, reference.sum_where)
    )
    theirs = _Objects(
        event=np.repeat(np.arange(len(n_each)), n_each),
        row=plane.rows.find(columns[reference.row]),
        col=plane.cols.find(columns[reference.col]),
        sum=columns[reference.sum],
    )
    return _Objects(*(each[is_kept] for each in theirs)), sum_expected[is_kept]


def _compared(theirs: _Objects, sum_expected: Array, found: ak.Array, plane: Grid) -> Closure:
    """Match objects and clusters, cell by cell."""
    event = np.repeat(np.arange(len(found)), ak.to_numpy(ak.num(found)))
    ours = _Objects(event, *(ak.to_numpy(ak.flatten(found[word])) for word in ("row", "col", "peak_sum")))
    cell, our_cell = theirs.cell(plane), ours.cell(plane)
    order = np.argsort(our_cell)
    place = np.searchsorted(our_cell[order], cell)
    is_ours = np.append(our_cell[order], -2)[place] == cell
    our_sum = np.where(is_ours, np.append(ours.sum[order], 0)[place], 0)
    alone = order[~np.isin(our_cell[order], cell)]
    extra = np.zeros(len(alone), bool)
    return Closure(
        n_events=len(found),
        event=np.concatenate([theirs.event, ours.event[alone]]),
        row=np.concatenate([theirs.row, ours.row[alone]]),
        col=np.concatenate([theirs.col, ours.col[alone]]),
        is_theirs=np.concatenate([~np.zeros(len(cell), bool), extra]),
        is_ours=np.concatenate([is_ours, ~extra]),
        sum_expected=np.concatenate([sum_expected, extra]),
        their_sum=np.concatenate([theirs.sum, np.zeros(len(alone), theirs.sum.dtype)]),
        our_sum=np.concatenate([our_sum, ours.sum[alone]]),
    )


def _jagged(array: ak.Array, branch: str) -> ak.Array:
    if array.ndim != 2:
        msg = f"reference: the branch {branch!r} has {array.ndim - 1} axes in an event, expected a list"
        raise ValueError(msg)
    return array


def _check_lengths(objects: Mapping[str, ak.Array]) -> None:
    """Raise an EventError if the branches of a reference hold different numbers of objects."""
    (first, array), *others = objects.items()
    n_first = ak.to_numpy(ak.num(array))
    for branch, other in others:
        n_other = ak.to_numpy(ak.num(other))
        if not np.array_equal(n_first, n_other):
            event = int(np.argmax(n_first != n_other))
            msg = f"reference: {n_first[event]} values of {first!r} and {n_other[event]} of {branch!r}"
            raise EventError(event, msg)


def _holds(columns: Mapping[str, Array], which: Mapping[str, float], n: int) -> Array:
    """Return for which objects every branch holds what it is asked to."""
    holds = np.ones(n, bool)
    for branch, value in which.items():
        holds &= columns[branch] == value
    return holds
