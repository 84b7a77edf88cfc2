"""A tree with one row per hit, written anew with one entry per event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.grouping.rows import Events, find_events
from hep_peaksum.grouping.tables import (
    Kind,
    check_names,
    check_output,
    choose,
    event_columns,
    find_branch,
    is_pattern,
    word,
)
from hep_peaksum.inputs.paths import InputFile, public_path, without_cycle
from hep_peaksum.kernels import Array
from hep_peaksum.reading.columns import BranchType, branch_types
from hep_peaksum.reading.files import count_entries, one_line_errors, open_file, open_tree
from hep_peaksum.results.parquet import Columns
from hep_peaksum.results.root_files import write_events


@dataclass(frozen=True)
class Grouped:
    """What was written.

    Attributes
    ----------
    n_rows, n_events
        The rows that were read, and the events that they are.
    fewest, most
        The numbers of rows of the events with the fewest and the most.
    columns
        The branch of the input that every branch of the output comes from.
    left_out
        The branches of the input that were not asked for by name, and hold no single number per row.
    """

    n_rows: int
    n_events: int
    fewest: int
    most: int
    columns: Mapping[str, str]
    left_out: Sequence[str]


def group_rows(
    source: InputFile,
    output: Path,
    by: Sequence[str],
    *,
    branches: Sequence[str] = ("*",),
    collection: str = "",
    sort: bool = False,
    kind: Kind = "ttree",
    overwrite: bool = False,
) -> Grouped:
    """Write a tree with one row per hit as a tree `Events` with one entry per event.

    The rows are streamed: in memory are some megabytes of them, and some bytes of every event.

    Parameters
    ----------
    source
        A ROOT file and its tree, TTree or RNTuple.
    output
        The file to write. It appears when it is complete.
    by
        The branches that are equal in all rows of an event; the output has one number an event of each.
    branches
        Names or patterns (``pos*``) of the branches to write; by default all that hold one number per row.
    collection
        The first word of the names of what is written: `edep` becomes `Hits_edep`, and the number of hits
        `nHits`. By default the name of the tree.
    sort
        Order events by their keys, and bring together those whose rows are not contiguous: then the keys of all
        rows are held in memory (some 50 bytes per row if the rows of all events are mixed), and the file is
        read several times if the rows of an event are far apart.
    kind
        Whether a TTree or an RNTuple is written.
    overwrite
        Replace a file that exists.

    Raises
    ------
    ValueError
        If `output` exists, a branch is missing or does not hold a single number per row, a key is not a whole
        number, or the rows of an event are not contiguous.
    OSError
        If the file cannot be read, or the output not written.
    """
    check_output(source.path, output, overwrite=overwrite)
    with open_file(source.path) as file:
        table, left_out = _open_table(file, source, by, branches)
        collection = collection or word(without_cycle(source.tree))
        columns = check_names(
            [
                *((word(key), key) for key in table.keys),
                *((f"{collection}_{word(name)}", name) for name in table.hits),
            ]
        )
        events = find_events(table.key_blocks(block_sizes.GROUP_BYTES), sort=sort)
        n_bytes = block_sizes.GROUP_BYTES if events.is_in_order else block_sizes.SORT_BYTES
        write_events(_batches(table, events, collection, kind, n_bytes), output, kind)
    n_rows = events.n_rows
    fewest, most = (int(n_rows.min()), int(n_rows.max())) if len(events) else (0, 0)
    return Grouped(table.n_rows, len(events), fewest, most, columns, left_out)


@dataclass(frozen=True)
class _Table:
    """The branches of a tree that are read: those of the keys, and those of the hits."""

    path: str
    tree: Any
    n_rows: int
    keys: Sequence[str]
    hits: Sequence[str]
    types: Mapping[str, BranchType]

    def read(self, name: str, start: int, stop: int) -> Array:
        """Return the numbers of a branch in some rows."""
        with one_line_errors(self.path):
            values = self.tree[name].array(entry_start=start, entry_stop=stop, array_cache=None)
        return np.asarray(values)

    def rows_in(self, names: Sequence[str], n_bytes: int) -> int:
        """Return the number of rows of some branches that take about so many bytes."""
        return max(1, n_bytes // sum(np.dtype(self.types[name].primitive).itemsize for name in names))

    def key_blocks(self, n_bytes: int) -> Iterator[dict[str, Array]]:
        """Yield the keys of all rows; of a tree without rows, one empty block."""
        step = self.rows_in(self.keys, n_bytes)
        for start in range(0, max(1, self.n_rows), step):
            stop = min(start + step, self.n_rows)
            yield {word(name): self.read(name, start, stop) for name in self.keys}

    def pick(self, rows: Array, n_at_once: int) -> dict[str, Array]:
        """Return some rows of the hits, in their order; stretches of the tree without any are not read."""
        first, stop = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        if np.array_equal(rows, np.arange(first, stop)):
            return {name: self.read(name, first, stop) for name in self.hits}
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        picked = {name: np.empty(len(rows), self.types[name].primitive) for name in self.hits}
        for start in range(first, stop, n_at_once):
            here = slice(*np.searchsorted(wanted, (start, start + n_at_once)))
            if here.start == here.stop:
                continue
            at, end = int(wanted[here.start]), int(wanted[here.stop - 1]) + 1
            for name, values in picked.items():
                values[order[here]] = self.read(name, at, end)[wanted[here] - at]
        return picked


def _open_table(
    file: Any, source: InputFile, by: Sequence[str], patterns: Sequence[str]
) -> tuple[_Table, list[str]]:
    """Return the table to read, and the branches that were left out of it; errors are those of `group_rows`."""
    where = f"{public_path(source.path)}, {source.tree}"
    with one_line_errors(source.path):
        tree = open_tree(file, source.path, source.tree)
        names, n_rows = tree.keys(), count_entries(tree)
        types = branch_types(file, source.path, source.tree, names, {}, schema="base")
    single = [name for name in names if name in types and types[name].depth == 0]
    keys = [find_branch(name, names, where) for name in by]
    hits = [name for name in choose(patterns, names, where) if name not in keys]
    asked = [find_branch(name, names, where) for name in patterns if not is_pattern(name, names)]
    for name in (*keys, *asked):
        if name not in single:
            held = f"{tree[name].typename}, where one number a row is expected"
            msg = f"{where}: {name!r} holds {held}: leave it out, or is it one event per entry already?"
            raise ValueError(msg)
    chosen = [name for name in hits if name in single]
    if not chosen:
        msg = f"{where}: no branch besides {', '.join(by)} holds one number per row: is it one event per entry?"
        raise ValueError(msg)
    table = _Table(source.path, tree, n_rows, keys, chosen, types)
    return table, [name for name in hits if name not in single]


def _batches(table: _Table, events: Events, collection: str, kind: Kind, n_bytes: int) -> Iterator[Columns]:
    """Yield the events, as many at a time as their rows take so many bytes; without events, one empty batch."""
    n_rows, n_at_once = events.n_rows, table.rows_in(table.hits, block_sizes.GROUP_BYTES)
    for first, stop in events.blocks(table.rows_in(table.hits, n_bytes)) if len(events) else [(0, 0)]:
        counts = n_rows[first:stop]
        hits = {
            word(name): ak.unflatten(values, counts)
            for name, values in table.pick(events.rows(first, stop), n_at_once).items()
        }
        numbers = {name: values[first:stop] for name, values in events.keys.items()}
        yield event_columns(numbers, hits, collection, kind)
