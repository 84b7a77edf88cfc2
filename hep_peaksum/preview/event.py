"""One event of a config: its cells and its clusters, found in the same way as in a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.calibration.calibrated_cells import CalibratedCells, taken_apart
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cluster_table, jagged_clusters
from hep_peaksum.config.model import Config, Job
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.kernels import Array
from hep_peaksum.measuring.references import ReferenceObjects
from hep_peaksum.preview.closure import reference_places
from hep_peaksum.reading.blocks import grid_cells, read_blocks
from hep_peaksum.reading.columns import column
from hep_peaksum.settings.model import PeakSumSettings


class Event(NamedTuple):
    """One event: file and entry, the plane of every grid, the clusters of every collection.

    `cells` and `masks` are those of `drawn_plane`, shape (row, col); a mask is None where nothing is masked.
    `references` are the places of the objects to compare with: by grid and name, shape (object, 2), in cells.
    """

    file: str
    entry: int
    cells: Mapping[str, Array]
    masks: Mapping[str, Array | None]
    clusters: Mapping[str, ak.Array]
    references: Mapping[str, Mapping[str, Array]]


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
            references = {
                name: dict(_references(config, name, events, dataset or next(iter(config.datasets))))
                for name in config.grids
            }
        except EventError as error:
            msg = f"entry {entry}: {error.problem}"
            raise ValueError(msg) from None
        planes = {name: drawn_plane(config.grids[name], each) for name, each in cells.items()}
        drawn = {name: plane for name, (plane, _) in planes.items()}
        masks = {name: mask for name, (_, mask) in planes.items()}
        where = events.metadata["filename"], events.metadata["entrystart"]
        return Event(*where, drawn, masks, clusters, references)
    msg = f"dataset {dataset or next(iter(config.datasets))!r} has no entries, hence no entry {entry}"
    raise ValueError(msg)


def drawn_plane(source: GridInput, cells: Array | CalibratedCells) -> tuple[Array, Array | None]:
    """Return the cells of the first event as they are drawn, shape (row, col), and which of them are masked.

    Layers are added, without what is masked of them; a cell is masked if it is in all layers.
    """
    values, mask, _ = taken_apart(cells, source.mask_map(), None, event=0)
    if values.ndim == 2:
        return values, mask
    if mask is None:
        return values.sum(axis=0), None
    in_all = np.asarray(mask.all(axis=0)) if mask.ndim == 3 else mask
    return np.where(mask, 0, values).sum(axis=0), in_all


def _references(config: Config, grid: str, events: ak.Array, dataset: str) -> Iterator[tuple[str, Array]]:
    """Yield the names and places of the objects of the first event that lie on a grid."""
    read, plane = partial(column, events, friends=config.friends), config.grids[grid].grid
    for name, reference in config.references.items():
        words = _words_on(reference, grid, plane)
        if words and reference.is_for(dataset):
            objects = reference.read(read, {each: source.grid for each, source in config.grids.items()})[0]
            places = [np.asarray(objects[word]) for word in words]
            if words != ("row", "col"):  # these are cells already
                places = [plane.rows.find(places[0]), plane.cols.find(places[1])]
            yield name, _inside(*places)
    for name, its_grid, at in reference_places(config, events):
        if its_grid == grid:
            yield f"reference of {name}", at


def _words_on(reference: ReferenceObjects, grid: str, plane: Grid) -> tuple[str, str] | None:
    """Return the fields with the places of objects along rows and columns; None if they lie on no such grid."""
    if reference.grid is not None:
        return ("row", "col") if reference.grid == grid else None
    names = plane.rows.name or "", plane.cols.name or ""
    return names if reference.place in (names, names[::-1]) else None


def _inside(row: Array, col: Array) -> Array:
    """Return the cells of objects, without those that lie outside the grid."""
    is_inside = (row >= 0) & (col >= 0)
    return np.stack([row[is_inside], col[is_inside]], axis=-1)


def clusters_of(
    config: Job,
    collection: str,
    cells: Mapping[str, Array | Hits | CalibratedCells],
    settings: PeakSumSettings | None = None,
    fields: Iterable[str] | None = None,
) -> ak.Array:
    """Return the clusters of events, by default with the fields that a job writes and that a picture needs.

    `cells` are those of every grid of the collection, as from `hep_peaksum.reading.blocks.grid_cells`;
    `settings` may take the place of those of the collection.
    """
    section = config.clusters[collection]
    settings = settings or section.settings
    parts = []
    for grid in section.grid:
        source = config.grids[grid]
        noise, mask = source.noise_map(), source.mask_map()
        parts.append(
            find_peaks(cells[grid], settings, source.grid, mask=mask, noise=noise, layers=source.layers)
        )
    fields = fields or dict.fromkeys([*config.written_fields(collection), "peak_sum", "row", "col"])
    return jagged_clusters([cluster_table(parts, tuple(fields))], settings)
