"""Blocks of events, so that memory does not grow with the size of a chunk or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import awkward as ak
from coffea.nanoevents import NanoEventsFactory

from hep_peaksum import block_sizes
from hep_peaksum.config.inputs import GridInput
from hep_peaksum.config.model import Config
from hep_peaksum.kernels import Array
from hep_peaksum.reading.columns import GridColumns, _Branch, grid_columns
from hep_peaksum.reading.files import find_files, open_file, open_tree, schema_class


def ranges(columns: Iterable[GridColumns], n_events: int, step: int) -> list[tuple[int, int]]:
    """Return the ranges of the events of a chunk that are read together: at most `step`, but whole baskets."""
    branches = [column for grid in columns for column in grid.columns]
    edges, last = [0], 0
    if all(isinstance(branch, _Branch) for branch in branches):
        pieces = sorted(set.intersection(*(branch.pieces for branch in branches)))
        for entry in [*(entry - branches[0].first for entry in pieces), n_events]:
            if last > edges[-1] and entry - edges[-1] > step:
                edges.append(last)
            if 0 < entry < n_events:
                last = entry
    return list(pairwise([*edges, n_events]))


def block_size(sources: Iterable[GridInput]) -> int:
    """Return how many events to search at a time, so that memory does not grow with the chunk."""
    n_cells = max(source.n_cells for source in sources)
    return max(1, block_sizes.READ_CELLS // n_cells)


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
