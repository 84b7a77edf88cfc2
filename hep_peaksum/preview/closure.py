"""Closure: the clusters of a config against objects that the same file holds, cell by cell and sum by sum.

The reference is what a trigger emulator or a reconstruction left in the file: a published algorithm is
reproduced when every object has a cluster in its cell, with exactly its sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.config.model import Config
from hep_peaksum.evaluation.matching import CellIndices, same_cell, take_or_zero, with_unmatched
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.kernels import Array
from hep_peaksum.measuring.references import ReferenceInput
from hep_peaksum.reading.blocks import grid_cells, read_blocks
from hep_peaksum.reading.columns import column
from hep_peaksum.reading.files import one_line_errors


class Mismatch(NamedTuple):
    """An object or a cluster without an equal partner: its entry, its cell (-1 outside the grid) and both sums.

    The sum of a missing partner is None.
    """

    event: int
    row: int
    col: int
    reference_sum: int | float | None
    cluster_sum: int | float | None


class Closure(NamedTuple):
    """The objects of the file and the clusters of one collection, matched by cell.

    `n_events` is the number of events read. The arrays have one entry per object of the file, followed by one
    per cluster without an object: `event` (the entry, counted through the files), `row`, `col`;
    `has_reference` and `has_cluster`, whether there is an object and a cluster in the cell; `sum_expected`,
    whether the two sums should be equal; `reference_sum` and `cluster_sum`, 0 for a missing partner.
    """

    n_events: int
    event: Array
    row: Array
    col: Array
    has_reference: Array
    has_cluster: Array
    sum_expected: Array
    reference_sum: Array
    cluster_sum: Array

    @property
    def n_references(self) -> int:
        """Number of objects of the file."""
        return int(self.has_reference.sum())

    @property
    def n_matched(self) -> int:
        """Number of objects with a cluster in their cell."""
        return int((self.has_reference & self.has_cluster).sum())

    @property
    def n_sum_expected(self) -> int:
        """Number of objects whose sum should be that of a cluster."""
        return int((self.has_reference & self.sum_expected).sum())

    @property
    def n_equal_sums(self) -> int:
        """Number of objects whose sum should be that of a cluster, and is."""
        return int((self.sum_expected & self._is_equal).sum())

    @property
    def n_extra(self) -> int:
        """Number of clusters without an object in their cell."""
        return int((~self.has_reference).sum())

    @property
    def missed(self) -> list[Mismatch]:
        """The objects without a cluster in their cell."""
        return self._mismatches(self.has_reference & ~self.has_cluster)

    @property
    def different_sums(self) -> list[Mismatch]:
        """The matched objects whose sum should be that of the cluster, but is not."""
        is_matched = self.has_reference & self.has_cluster
        return self._mismatches(is_matched & self.sum_expected & ~self._is_equal)

    @property
    def extra(self) -> list[Mismatch]:
        """The clusters without an object in their cell."""
        return self._mismatches(~self.has_reference)

    @property
    def _is_equal(self) -> Array:
        is_matched = self.has_reference & self.has_cluster
        return np.asarray(is_matched & (self.reference_sum == self.cluster_sum))

    def _mismatches(self, selection: Array) -> list[Mismatch]:
        return [
            Mismatch(
                int(self.event[n]),
                int(self.row[n]),
                int(self.col[n]),
                self.reference_sum[n].item() if self.has_reference[n] else None,
                self.cluster_sum[n].item() if self.has_cluster[n] else None,
            )
            for n in np.flatnonzero(selection)
        ]

    @classmethod
    def joined(cls, parts: Sequence[Closure]) -> Closure:
        """Return one comparison of all events from those of consecutive blocks."""
        starts = np.cumsum([0, *(part.n_events for part in parts)])
        parts = [part._replace(event=part.event + start) for part, start in zip(parts, starts, strict=False)]
        columns = [np.concatenate(arrays) for arrays in zip(*(part[1:] for part in parts), strict=True)]
        return cls(int(starts[-1]), *columns)


def closure(config: Config, dataset: str | None = None, *, max_events: float = math.inf) -> dict[str, Closure]:
    """Compare every collection that names a `reference` with those objects of the file.

    Parameters
    ----------
    config
        As returned by `hep_peaksum.config.load.load_config`.
    dataset
        The dataset to read; by default the first of the config.
    max_events
        Stop after this many events.

    Returns
    -------
    dict
        The comparison by name of the collection, in the order of the config.

    Raises
    ------
    ValueError
        If no collection has a reference, or an event does not have the expected contents; the message names
        the entry.
    """
    references = {
        name: collection.reference
        for name, collection in config.clusters.items()
        if collection.reference is not None
    }
    if not references:
        names = ", ".join(config.clusters)
        msg = f"nothing to compare with: none of {names} has a reference in the config; add one"
        raise ValueError(msg)
    sources = {grid: config.grids[grid] for name in references for grid in config.clusters[name].grid}
    maps = {grid: (source.mask_map(), source.noise_map()) for grid, source in sources.items()}
    parts: dict[str, list[Closure]] = {name: [] for name in references}
    start = 0
    for events in read_blocks(config, sources, dataset, max_events=max_events):
        try:
            cells = grid_cells(config, sources, events)
            for name, reference in references.items():
                (grid,), (plane, *_) = config.clusters[name].grid, config.grids_of(name)
                clusters = _find_clusters(config, name, cells[grid], maps[grid])
                parts[name].append(_match(read_objects(reference, events, config, plane), clusters, plane))
        except EventError as error:
            msg = f"entry {start + error.event}: {error.problem}"
            raise ValueError(msg) from None
        start += len(events)
    if start == 0:
        msg = f"nothing to compare: {dataset or 'the dataset'} has no entries"
        raise ValueError(msg)
    return {name: Closure.joined(each) for name, each in parts.items()}


def _find_clusters(
    config: Config, collection: str, cells: Array | CalibratedCells, maps: tuple[Array | None, Array | None]
) -> ak.Array:
    """Return the clusters of a collection in the order of their cells, given the maps of mask and noise."""
    (grid,), settings = config.clusters[collection].grid, config.clusters[collection].settings
    settings = settings.model_copy(update={"order": "position"})
    mask, noise = maps
    fields = ["row", "col", "peak_sum"]
    return find_clusters(cells, settings, config.grids[grid].grid, mask=mask, noise=noise, fields=fields)


class Objects(NamedTuple):
    """Objects of the file in a block of events, events counted from the first: one array entry per object."""

    cells: CellIndices
    sum: Array
    sum_expected: Array


def read_objects(reference: ReferenceInput, events: ak.Array, config: Config, plane: Grid) -> Objects:
    """Return the selected objects of a reference and whether their sums should be those of clusters."""
    with one_line_errors(events.metadata["filename"]):
        columns = {branch: column(events, branch, config.friends) for branch in reference.branches}
        jagged = {branch: ak.materialize(values) for branch, values in columns.items()}
    _check_objects(jagged)
    n_objects = ak.to_numpy(ak.num(jagged[reference.sum]))
    columns = {branch: ak.to_numpy(ak.flatten(array)) for branch, array in jagged.items()}
    is_selected = _all_equal(columns, reference.where, n_objects.sum())
    sum_expected = _all_equal(columns, reference.sum_where, n_objects.sum())
    cells = CellIndices(
        event=np.repeat(np.arange(len(n_objects)), n_objects)[is_selected],
        row=plane.rows.find(columns[reference.row])[is_selected],
        col=plane.cols.find(columns[reference.col])[is_selected],
    )
    return Objects(cells, columns[reference.sum][is_selected], sum_expected[is_selected])


def reference_places(config: Config, events: ak.Array) -> Iterator[tuple[str, str, Array]]:
    """Yield every collection that has a reference, its grid, and the places of the objects, shape (object, 2).

    Places are rows and columns counted in cells of the grid, where it pools cells those of the centres of
    towers. Objects outside the grid are left out.
    """
    for name, collection in config.clusters.items():
        if collection.reference is None:
            continue
        (grid,), (plane, *_) = collection.grid, config.grids_of(name)
        cells = read_objects(collection.reference, events, config, plane).cells
        towers = np.stack([cells.row, cells.col], axis=-1)
        towers = towers[(towers >= 0).all(axis=1)]
        yield name, grid, (towers + 0.5) * collection.settings.coarsen - 0.5


def _match(objects: Objects, clusters: ak.Array, plane: Grid) -> Closure:
    """Match the objects and the clusters of a block of events, cell by cell."""
    cells = CellIndices.from_jagged(clusters)
    sums = ak.to_numpy(ak.flatten(clusters["peak_sum"]))
    pairs = with_unmatched(same_cell(objects.cells, cells, plane), len(objects.sum), len(sums))
    has_reference = pairs.reference >= 0
    event, row, col = (
        np.where(has_reference, take_or_zero(theirs, pairs.reference), take_or_zero(ours, pairs.cluster))
        for theirs, ours in zip(objects.cells, cells, strict=True)
    )
    return Closure(
        n_events=len(clusters),
        event=event,
        row=row,
        col=col,
        has_reference=has_reference,
        has_cluster=pairs.cluster >= 0,
        sum_expected=take_or_zero(objects.sum_expected, pairs.reference),
        reference_sum=take_or_zero(objects.sum, pairs.reference),
        cluster_sum=take_or_zero(sums, pairs.cluster),
    )


def _check_objects(objects: Mapping[str, ak.Array]) -> None:
    """Raise an error if a branch of a reference is not a list, or if lists differ in length (an EventError)."""
    for branch, array in objects.items():
        if array.ndim != 2:
            msg = f"reference: the branch {branch!r} has {array.ndim - 1} axes per event, expected a list"
            raise ValueError(msg)
    (first, array), *others = objects.items()
    n_first = ak.to_numpy(ak.num(array))
    for branch, other in others:
        n_other = ak.to_numpy(ak.num(other))
        if not np.array_equal(n_first, n_other):
            event = int(np.argmax(n_first != n_other))
            msg = f"reference: {n_first[event]} values of {first!r} but {n_other[event]} of {branch!r}"
            raise EventError(event, msg)


def _all_equal(columns: Mapping[str, Array], expected: Mapping[str, float], n_objects: int) -> Array:
    """Return for which objects every branch has its expected value."""
    is_equal = np.ones(n_objects, bool)
    for branch, value in expected.items():
        is_equal &= columns[branch] == value
    return is_equal
