"""One event, looked at: its cells and its clusters, read as a job would read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import awkward as ak
from coffea.nanoevents import NanoEventsFactory

from hep_peaksum.config import Config
from hep_peaksum.events import grid_columns, open_file, open_tree, schema_class
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


def _read(config: Config, file: Any, metadata: dict[str, Any], entry: int) -> Event:
    events = NanoEventsFactory.from_root(
        file,
        treepath=metadata["treename"],
        schemaclass=schema_class(config.events.schema_name),
        entry_start=entry,
        entry_stop=entry + 1,
        metadata={**metadata, "entrystart": entry, "entrystop": entry + 1},
    ).events()
    cells = {}
    for name, source in config.grids.items():
        grids, _ = grid_columns(events, source, config.friends).cells(0, 1)
        cells[name] = grids[0].sum(axis=0) if source.has_layers else grids[0]
    result = PeakSumProcessor(**config.job()).find(events)
    return Event(metadata["filename"], entry, cells, result.events[0])
