"""One event, looked at: its cells and its clusters, read as a job would read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import awkward as ak
from coffea.nanoevents import NanoEventsFactory

from hep_peaksum.config import Config
from hep_peaksum.events import block_size, grid_columns, open_file, open_tree, schema_class
from hep_peaksum.kernels import Array
from hep_peaksum.plan import find_files
from hep_peaksum.processor import PeakSumProcessor


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
    files = find_files(config)
    name = dataset or next(iter(files))
    if name not in files:
        msg = f"no dataset {name!r}: there are {', '.join(files)}"
        raise ValueError(msg)
    left = entry
    for path, tree in files[name].items():
        with open_file(path) as file:
            n_entries = int(open_tree(file, path, tree).num_entries)
            if 0 <= left < n_entries:
                return _read(config, file, {"dataset": name, "filename": path, "treename": tree}, left)
        left -= n_entries
    msg = f"dataset {name!r} has {entry - left} entries, there is no entry {entry}"
    raise ValueError(msg)


def read_cells(config: Config, grid: str, dataset: str | None = None, *, max_events: int) -> Iterator[Array]:
    """Yield the cells of one grid, (event, row, col) or with layers, for the first events of a dataset."""
    files = find_files(config)
    name = dataset or next(iter(files))
    source, left = config.grids[grid], max_events
    for path, tree in files[name].items():
        with open_file(path) as file:
            n_entries = min(left, int(open_tree(file, path, tree).num_entries))
            for start in range(0, n_entries, step := block_size([source])):
                where = {"dataset": name, "filename": path, "treename": tree}
                events = _events(config, file, where, start, min(n_entries, start + step))
                yield grid_columns(events, source, config.friends).cells(0, step)[0]
        left -= n_entries


def _read(config: Config, file: Any, metadata: dict[str, Any], entry: int) -> Event:
    events = _events(config, file, metadata, entry, entry + 1)
    cells = {}
    for name, source in config.grids.items():
        grids, _ = grid_columns(events, source, config.friends).cells(0, 1)
        cells[name] = grids[0].sum(axis=0) if source.has_layers else grids[0]
    result = PeakSumProcessor(**config.job()).find(events)
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
