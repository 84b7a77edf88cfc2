"""One event of a config: its cells and its clusters, found in the same way as in a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import awkward as ak

from hep_peaksum.calibration.calibrated_cells import CalibratedCells, plain_cells
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cluster_table, jagged_clusters
from hep_peaksum.config.model import Config
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.kernels import Array
from hep_peaksum.reading.blocks import grid_cells, read_blocks


class Event(NamedTuple):
    """One event: file and entry, the cells (row, col) of every grid, the clusters of every collection."""

    file: str
    entry: int
    cells: Mapping[str, Array]
    clusters: Mapping[str, ak.Array]


def read_event(config: Config, entry: int, dataset: str | None = None) -> Event:
    """Return one entry of a dataset (by default the first dataset), counted through its files.

    Raises
    ------
    ValueError
        If there is no such dataset or entry, or the entry does not have the cells that a grid needs.
    """
    for events in read_blocks(config, config.grids, dataset, max_events=1, first=entry):
        try:
            cells = grid_cells(config, config.grids, events)
            clusters = {name: clusters_of(config, name, cells)[0] for name in config.clusters}
        except EventError as error:
            msg = f"entry {entry}: {error.problem}"
            raise ValueError(msg) from None
        planes = {
            name: plain.sum(axis=0) if config.grids[name].has_layers else plain
            for name, plain in ((name, plain_cells(grids)[0]) for name, grids in cells.items())
        }
        return Event(events.metadata["filename"], events.metadata["entrystart"], planes, clusters)
    msg = f"dataset {dataset or next(iter(config.datasets))!r} has no entries, hence no entry {entry}"
    raise ValueError(msg)


def clusters_of(config: Config, collection: str, cells: Mapping[str, Array | CalibratedCells]) -> ak.Array:
    """Return the clusters of events, with the fields that a job writes and those that a picture needs.

    `cells` are those of every grid of the collection, as from `hep_peaksum.reading.blocks.grid_cells`.
    """
    section = config.clusters[collection]
    parts = []
    for grid in section.grid:
        source = config.grids[grid]
        noise, mask = source.noise_map(), source.mask_map()
        parts.append(
            find_peaks(cells[grid], section.settings, source.grid, mask=mask, noise=noise, layers=source.layers)
        )
    fields = dict.fromkeys([*config.written_fields(collection), "peak_sum", "row", "col"])
    return jagged_clusters([cluster_table(parts, tuple(fields))], section.settings)
