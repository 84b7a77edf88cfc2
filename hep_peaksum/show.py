"""One event, looked at: its cells and its clusters, read as a job would read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import awkward as ak
from coffea.nanoevents import NanoEventsFactory

from hep_peaksum.config import Config
from hep_peaksum.events import block_size, grid_columns, open_file, open_tree, schema_class
from hep_peaksum.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.plan import find_files
from hep_peaksum.processor import PeakSumProcessor
from hep_peaksum.quantity import pooled, searched_plane


class Event(NamedTuple):
    """One event: where it stands, the cells of every grid (row, col), and an entry of the results."""

    file: str
    entry: int
    cells: Mapping[str, Array]
    result: ak.Record


def read_event(config: Config, entry: int, dataset: str | None = None) -> Event:
    """Return one entry of a dataset, counted through its files; by default of the first dataset.

    Raises
    ------
    ValueError
        If there is no such dataset or entry.
    """
    name, files = _files(config, dataset)
    left = entry
    for path, tree in files.items():
        with open_file(path) as file:
            n_entries = int(open_tree(file, path, tree).num_entries)
            if 0 <= left < n_entries:
                return _read(config, file, {"dataset": name, "filename": path, "treename": tree}, left)
        left -= n_entries
    msg = f"dataset {name!r} has {entry - left} entries, there is no entry {entry}"
    raise ValueError(msg)


def searched_cells(config: Config, event: Event, collection: str, grid: str) -> tuple[Array, Grid]:
    """Return what a collection is searched in, (row, col), and its plane: the cells, or towers of them."""
    settings = config.clusters[collection].settings
    return pooled(event.cells[grid][None], settings)[0], searched_plane(settings, config.grids[grid].grid)


def read_cells(
    config: Config, grid: str, dataset: str | None = None, *, max_events: int, first: int = 0
) -> Iterator[Array]:
    """Yield the cells of one grid, (event, row, col) or with layers, block by block.

    Those of `max_events` events from entry `first` on, counted through the files of a dataset; by default of
    the first dataset.

    Raises
    ------
    ValueError
        If there is no such dataset or entry.
    """
    for events in read_blocks(config, [grid], dataset, max_events=max_events, first=first):
        yield grid_columns(events, config.grids[grid], config.friends).cells(0, len(events))


def read_blocks(
    config: Config, grids: Iterable[str], dataset: str | None = None, *, max_events: float, first: int = 0
) -> Iterator[ak.Array]:
    """Yield events as coffea hands them to a processor, as many at a time as there is room for their grids.

    Those of `max_events` events from entry `first` on, and errors, as for `read_cells`.
    """
    name, files = _files(config, dataset)
    step = block_size([config.grids[grid] for grid in grids])
    skip, left = first, max_events
    for path, tree in files.items():
        if left <= 0:
            break
        with open_file(path) as file:
            n_entries = int(open_tree(file, path, tree).num_entries)
            last = int(min(skip + left, n_entries))
            for start in range(skip, last, step):
                where = {"dataset": name, "filename": path, "treename": tree}
                yield _events(config, file, where, start, min(last, start + step))
        left -= max(0, last - skip)
        skip = max(0, skip - n_entries)
    if first and left == max_events > 0:
        msg = f"dataset {name!r} has {first - skip} entries, there is no entry {first}"
        raise ValueError(msg)


def _files(config: Config, dataset: str | None) -> tuple[str, dict[str, str]]:
    """Return a dataset's name and its files, by default those of the first."""
    files = find_files(config)
    name = dataset or next(iter(files))
    if name not in files:
        msg = f"no dataset {name!r}: there are {', '.join(files)}"
        raise ValueError(msg)
    return name, files[name]


def _read(config: Config, file: Any, metadata: dict[str, Any], entry: int) -> Event:
    events = _events(config, file, metadata, entry, entry + 1)
    cells = {}
    for name, source in config.grids.items():
        grids = grid_columns(events, source, config.friends).cells(0, 1)
        cells[name] = grids[0].sum(axis=0) if source.has_layers else grids[0]
    job = config.job()
    for wanted in job["clusters"].values():  # what is drawn is needed, whatever is written
        if "fields" in wanted:
            wanted["fields"] = list(dict.fromkeys([*wanted["fields"], "sum", "row", "col"]))
    result = PeakSumProcessor(**job).find(events)
    return Event(metadata["filename"], entry, cells, result.events[0])


def _events(config: Config, file: Any, metadata: dict[str, Any], start: int, stop: int) -> ak.Array:
    """Return entries of an open file as coffea hands them to a processor."""
    return NanoEventsFactory.from_root(
        file,
        treepath=metadata["treename"],
        schemaclass=schema_class(config.events.schema_name),
        entry_start=start,
        entry_stop=stop,
        metadata={**metadata, "entrystart": start, "entrystop": stop},
    ).events()
