"""What can be viewed, in one form: events of a config, a ROOT file, a results folder, or arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.config.load import load_config, parse_config
from hep_peaksum.config.model import Config
from hep_peaksum.config.sections import ClusterInput
from hep_peaksum.config.yaml_io import override
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid
from hep_peaksum.inspection.files import proposed_config_of
from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import as_grid
from hep_peaksum.library.presets import as_settings
from hep_peaksum.preview.closure import reference_places
from hep_peaksum.reading.blocks import grid_cells, read_blocks, read_cells
from hep_peaksum.reading.columns import column
from hep_peaksum.results.status import read_summary

CellsOfEvents = Array | CalibratedCells
EVENTS_KEPT = 8  # events that were looked at last; stepping back to them reads nothing


class Plane(NamedTuple):
    """A grid with what belongs to all events: what is searched of its layers, masked cells, noise."""

    grid: Grid
    layers: Literal["sum", "each"] = "sum"
    mask: Array | None = None
    noise: Array | None = None


class Objects(NamedTuple):
    """Objects of an event that are not ours, such as generated particles, and where they are.

    The two places, named by `words`, are `row` and `col` on the grid `grid`, in cells, or coordinates on any.
    """

    words: tuple[str, str]
    places: tuple[Array, Array]
    grid: str | None = None


class EventData(NamedTuple):
    """An event: where it was read, the cells of every grid as one event (shape (1, ...)), and other objects."""

    where: str
    cells: Mapping[str, CellsOfEvents]
    objects: Mapping[str, Objects]


class Source(NamedTuple):
    """What can be viewed: datasets, collections with their settings, planes, and how events are read.

    `read` takes a dataset and an entry; `sample` a dataset, a grid and a number of events, and gives blocks.
    """

    title: str
    datasets: Sequence[str]
    collections: Mapping[str, ClusterInput]
    planes: Mapping[str, Plane]
    read: Callable[[str, int], EventData]
    sample: Callable[[str, str, int], Sequence[CellsOfEvents]]


def config_of(source: str | os.PathLike[str] | Config, overrides: Sequence[str] = ()) -> Config:
    """Return the config of a YAML file or a results folder, or what `inspect` proposes for a ROOT file.

    Raises
    ------
    ConfigError
        If the config is wrong, with a line for every problem.
    ValueError
        If the folder has no finished job, or the file nothing that looks like a grid.
    """
    if isinstance(source, Config):
        return source
    path = Path(source)
    if path.is_dir():
        return parse_config(override(dict(read_summary(path)["config"]), overrides))
    if path.suffix == ".root":
        return proposed_config_of(str(source), overrides)
    return load_config(path, overrides)


def source_of_config(config: Config, title: str = "") -> Source:
    """Return the events of a config."""
    planes = {
        name: Plane(each.grid, each.layers, each.mask_map(), each.noise_map())
        for name, each in config.grids.items()
    }

    @lru_cache(maxsize=EVENTS_KEPT)
    def read(dataset: str, entry: int) -> EventData:
        return _read(config, dataset, entry)

    @lru_cache(maxsize=4)
    def sample(dataset: str, grid: str, n_events: int) -> list[CellsOfEvents]:
        return list(read_cells(config, grid, dataset, max_events=n_events))

    return Source(title, list(config.datasets), config.clusters, planes, read, sample)


def _read(config: Config, dataset: str, entry: int) -> EventData:
    """Read one entry of a dataset: its cells, and the objects that the config names as references."""
    for events in read_blocks(config, config.grids, dataset, max_events=1, first=entry):
        try:
            cells = grid_cells(config, config.grids, events)
            objects = {**_references(config, dataset, events), **_closure_references(config, events)}
        except EventError as error:
            msg = f"entry {entry}: {error.problem}"
            raise ValueError(msg) from None
        where = f"{events.metadata['filename']}, entry {events.metadata['entrystart']}"
        return EventData(where, cells, objects)
    msg = f"dataset {dataset!r} has no entries, hence no entry {entry}"
    raise ValueError(msg)


def _references(config: Config, dataset: str, events: ak.Array) -> dict[str, Objects]:
    """Return the objects of the section `references`; numbers of the event have no place."""
    planes = {name: each.grid for name, each in config.grids.items()}
    found = {}
    for name, reference in config.references.items():
        if reference.place is None or not reference.is_for(dataset):
            continue
        records = reference.read(lambda branch: ak.materialize(column(events, branch, config.friends)), planes)[
            0
        ]
        places = tuple(np.asarray(records[word], np.float64) for word in reference.place)
        found[name] = Objects(reference.place, (places[0], places[1]), reference.grid)
    return found


def _closure_references(config: Config, events: ak.Array) -> dict[str, Objects]:
    """Return the objects that collections are compared with by `closure`."""
    return {
        f"reference of {name}": Objects(("row", "col"), (places[:, 0], places[:, 1]), grid)
        for name, grid, places in reference_places(config, events)
    }


def source_of_arrays(grids: Any, settings: Any = None, grid: Any = None, **maps: Any) -> Source:
    """Return events that are held in memory; parameters as for `hep_peaksum.find_clusters`."""
    events = grids if isinstance(grids, (np.ndarray, ak.Array)) else np.asarray(grids)
    events = events if isinstance(events, np.ndarray) else ak.to_numpy(events, allow_missing=True)
    if events.ndim < 3:
        msg = f"grids have shape {events.shape}, expected (event, row, col): for one event write grids[None]"
        raise ValueError(msg)
    plane = Plane(as_grid(grid) or bare_grid(events.shape), **maps)
    preset = settings if isinstance(settings, str) else None
    section = ClusterInput(grid=("calo",), preset=preset, settings=as_settings(settings))

    @lru_cache(maxsize=EVENTS_KEPT)  # an event that is the same object is not sent to the browser again
    def read(_: str, entry: int) -> EventData:
        if not 0 <= entry < len(events):
            msg = f"there are {len(events)} events, there is no event {entry}: they count from 0"
            raise ValueError(msg)
        return EventData(f"event {entry}", {"calo": events[entry : entry + 1]}, {})

    def sample(_: str, __: str, n_events: int) -> list[CellsOfEvents]:
        return [events[:n_events]]

    return Source("arrays", ["arrays"], {"Cluster": section}, {"calo": plane}, read, sample)
