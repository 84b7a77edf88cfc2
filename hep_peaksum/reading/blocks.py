"""Blocks of events, so that memory does not grow with the size of a chunk or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import awkward as ak

from hep_peaksum import block_sizes
from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.config.model import Config
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.paths import InputFile
from hep_peaksum.kernels import Array
from hep_peaksum.reading.columns import LazyBranch, check_baskets
from hep_peaksum.reading.files import (
    count_entries,
    find_files,
    nano_events,
    one_line_errors,
    open_file,
    open_tree,
)
from hep_peaksum.reading.hit_columns import GridColumns, grid_columns
from hep_peaksum.suggestions import did_you_mean


def block_size(sources: Iterable[GridInput], *, keep_hits: bool = False) -> int:
    """Return how many events to read at a time, so that memory does not grow with the chunk.

    Hits that are kept as they are, and not made dense, are far fewer than the cells of a large plane.
    """
    most = max(
        min(source.n_cells, block_sizes.HITS_PER_EVENT)
        if keep_hits and source.dense is None
        else source.n_cells
        for source in sources
    )
    return max(1, block_sizes.READ_CELLS // most)


def ranges(columns: Iterable[GridColumns], n_events: int, step: int) -> list[tuple[int, int]]:
    """Split the events of a chunk into ranges that are read at once: whole baskets, of at most `step` events.

    A larger basket is a range of its own. If a column is not read from the file directly, there is one range.
    """
    branches = [column for grid in columns for column in grid.columns.values()]
    edges, last = [0], 0
    if all(isinstance(branch, LazyBranch) for branch in branches):
        boundaries = sorted(set.intersection(*(branch.boundaries for branch in branches)))
        for entry in [*(entry - branches[0].first for entry in boundaries), n_events]:
            if last > edges[-1] and entry - edges[-1] > step:
                edges.append(last)
            if 0 < entry < n_events:
                last = entry
    return list(pairwise([*edges, n_events]))


def read_cells(
    config: Config, grid: str, dataset: str | None = None, *, max_events: int, first: int = 0
) -> Iterator[Array | CalibratedCells]:
    """Yield the cells of one grid block by block, shape (event, row, col) or (event, layer, row, col).

    Parameters and errors are those of `read_blocks`.
    """
    for events in read_blocks(config, [grid], dataset, max_events=max_events, first=first):
        yield grid_cells(config, [grid], events)[grid]


def grid_cells(config: Config, grids: Iterable[str], events: ak.Array) -> Mapping[str, Array | CalibratedCells]:
    """Return the cells of some grids in a block of `read_blocks`.

    Raises
    ------
    ValueError
        If a branch is missing, or an event does not fit a grid (an EventError that counts within the block).
    OSError
        If the file cannot be read any further; the message is one line.
    """
    with one_line_errors(events.metadata["filename"]):
        return {
            name: grid_columns(events, config.grids[name], config.friends, config.run_source).cells(
                0, len(events)
            )
            for name in grids
        }


def read_blocks(
    config: Config, grids: Iterable[str], dataset: str | None = None, *, max_events: float, first: int = 0
) -> Iterator[ak.Array]:
    """Yield the events of a dataset as coffea hands them to a processor, a few at a time.

    Their columns have to be used before the next block is requested, while the file is open.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load.load_config`.
    grids
        The grids that will be made of the events: their size limits the size of a block.
    dataset
        By default the first of the config.
    max_events
        Read at most this many events.
    first
        The entry to begin with, counted through the files of the dataset.

    Raises
    ------
    ValueError
        If there is no such dataset or entry.
    OSError
        If a file cannot be opened within ``run.timeout``; the message is one line.
    """
    name, files = _files(config, dataset)
    step = block_size([config.grids[grid] for grid in grids])
    skip, left = first, max_events
    for path, tree in files:
        if left <= 0:
            break
        with open_file(path, config.run.timeout, config.run.max_basket) as file:
            with one_line_errors(path):
                n_entries = count_entries(open_tree(file, path, tree))
            last = int(min(skip + left, n_entries))
            for start in range(skip, last, step):
                stop = min(last, start + step)
                with one_line_errors(path):
                    events = nano_events(
                        file, path, tree, start, stop, schema=config.events.schema_name, dataset=name
                    )
                    check_baskets(events)
                yield events
        left -= max(0, last - skip)
        skip = max(0, skip - n_entries)
    if first and left == max_events > 0:
        n_entries = first - skip
        msg = f"dataset {name!r} has {n_entries} entries, there is no entry {first}: they count from 0"
        raise ValueError(msg)


def _files(config: Config, dataset: str | None) -> tuple[str, list[InputFile]]:
    """Return a dataset's name and its files, by default those of the first."""
    files = find_files(config)
    name = dataset or next(iter(files))
    if name not in files:
        msg = f"no dataset {name!r}{did_you_mean(name, files)}: there are {', '.join(files)}"
        raise ValueError(msg)
    return name, files[name]
