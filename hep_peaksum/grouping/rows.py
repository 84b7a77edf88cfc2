"""Rows that belong together: where an event begins in a table with one row per hit, and which rows it has.

A *run* is a stretch of rows with the same keys. Only runs are held in memory, never rows, so that a table whose
events are contiguous takes some bytes per event, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hep_peaksum.kernels import Array


@dataclass(frozen=True)
class Events:
    """The events of a table, in the order in which they are written.

    Attributes
    ----------
    keys
        The value of every key for each event.
    n_runs
        How many runs each event has: one where its rows are contiguous.
    starts, lengths
        The first row and the number of rows of each run, those of the first event first.
    """

    keys: Mapping[str, Array]
    n_runs: Array
    starts: Array
    lengths: Array

    def __len__(self) -> int:
        return len(self.n_runs)

    @cached_property
    def n_rows(self) -> Array:
        """The number of rows of each event."""
        rows_before = np.concatenate(([0], self.lengths.cumsum()))
        return np.diff(rows_before[self._first_runs])

    @property
    def is_in_order(self) -> bool:
        """Whether the rows are written in the order of the table."""
        return bool((np.diff(self.starts) > 0).all())

    @cached_property
    def _first_runs(self) -> Array:
        """The number of the first run of each event, and after the last event that of all runs."""
        return np.concatenate(([0], self.n_runs.cumsum()))

    def rows(self, first: int, stop: int) -> Array:
        """Return the rows of some events, in the order in which they are written."""
        runs = slice(int(self._first_runs[first]), int(self._first_runs[stop]))
        starts, lengths = self.starts[runs], self.lengths[runs]
        before = lengths.cumsum() - lengths
        return np.repeat(starts - before, lengths) + np.arange(lengths.sum())

    def blocks(self, n_rows: int) -> Iterator[tuple[int, int]]:
        """Yield consecutive events, first and stop, with at most `n_rows` rows, or a single larger event."""
        ends, first = self.n_rows.cumsum(), 0
        while first < len(self):
            done = ends[first - 1] if first else 0
            stop = max(first + 1, int(np.searchsorted(ends, done + n_rows, side="right")))
            yield first, stop
            first = stop


def find_events(blocks: Iterable[Mapping[str, Array]], *, sort: bool = False) -> Events:
    """Return the events of a table, block by block: the rows in which all keys are equal.

    Parameters
    ----------
    blocks
        The keys of consecutive rows: an array of whole numbers for each, all of the same length.
    sort
        Order events by their keys, and bring together those whose rows are not contiguous; the rows of an event
        stay in their order. Otherwise events keep the order of the table.

    Raises
    ------
    ValueError
        If a key is not a whole number, or the rows of an event are not contiguous and `sort` is false.

    >>> events = find_events([{"event": np.array([4, 4, 2])}, {"event": np.array([2, 2, 9])}])
    >>> events.keys["event"], events.n_rows, events.rows(0, 2)
    (array([4, 2, 9]), array([2, 3, 1]), array([0, 1, 2, 3, 4]))
    """
    names, keys, starts, n_rows = _runs(blocks)
    lengths = np.diff(starts, append=n_rows)
    order = np.lexsort(keys[::-1]) if len(starts) else np.arange(0)  # stable, by the first key first
    is_new = _changes([key[order] for key in keys])
    if not (is_new.all() or sort):
        raise ValueError(_not_contiguous(names, keys, starts, lengths, order, is_new))
    if not sort:
        order, is_new = np.arange(len(starts)), np.ones(len(starts), bool)
    first_runs = np.flatnonzero(is_new)
    return Events(
        keys={name: key[order][first_runs] for name, key in zip(names, keys, strict=True)},
        n_runs=np.diff(first_runs, append=len(starts)),
        starts=starts[order],
        lengths=lengths[order],
    )


def _runs(blocks: Iterable[Mapping[str, Array]]) -> tuple[list[str], list[Array], Array, int]:
    """Return the names of the keys, their values for every run, the first row of each, and how many rows."""
    names: list[str] = []
    found: list[tuple[list[Array], Array]] = []
    n_rows, last = 0, None
    for block in blocks:
        names = list(block)
        keys = [_whole(name, values, n_rows) for name, values in block.items()]
        n_here = len(keys[0])
        if not n_here and found:
            continue
        begins = _changes(keys)
        if n_here and last is not None:
            begins[0] = any(key[0] != value for key, value in zip(keys, last, strict=True))
        found.append(([key[begins] for key in keys], np.flatnonzero(begins) + n_rows))
        last = [key[-1] for key in keys] if n_here else None
        n_rows += n_here
    keys = [np.concatenate([each[0][i] for each in found]) for i in range(len(names))]
    return names, keys, np.concatenate([each[1] for each in found]), n_rows


def _changes(keys: list[Array]) -> Array:
    """Return where any of the keys differs from that before it; the first always does."""
    changes = np.ones(len(keys[0]), bool)
    changes[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return changes


def _whole(name: str, values: Array, first_row: int) -> Array:
    """Return a key as integers: programs that only write floats number events in floats."""
    if values.dtype.kind in "iub":
        return values
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    wrong = np.flatnonzero(whole != values)
    if len(wrong):
        row = int(wrong[0])
        msg = f"key {name!r} is {values[row]} in row {first_row + row}: a key is a whole number, name another"
        raise ValueError(msg)
    return whole


def _not_contiguous(
    names: list[str], keys: list[Array], starts: Array, lengths: Array, order: Array, is_new: Array
) -> str:
    """Return which event is not contiguous, that of the earliest row, and what to do about it."""
    again = order[~is_new]  # runs of an event that has begun before
    second = int(again.min())
    same = np.all([key == key[second] for key in keys], axis=0)
    first = int(np.flatnonzero(same)[0])
    event = ", ".join(f"{name} {key[second]}" for name, key in zip(names, keys, strict=True))
    rows = f"rows {_rows(starts[first], lengths[first])} and again {_rows(starts[second], lengths[second])}"
    n_more = int((is_new[:-1] & ~is_new[1:]).sum()) - 1
    more = f", and {n_more} more events are not contiguous" if n_more else ""
    remedy = "name a further key if these are different events (--by runID,eventID), or add --sort"
    return f"{event} has {rows}{more}: {remedy}"


def _rows(start: int, length: int) -> str:
    return f"{start}" if length == 1 else f"{start} to {start + length - 1}"
