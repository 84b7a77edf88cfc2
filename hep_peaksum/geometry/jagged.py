"""Jagged numbers of hits: one flat array for all, and back again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from hep_peaksum.geometry.grid import EventError, not_a_number
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import awkward as ak


def flat_parts(columns: Iterable[tuple[str, ak.Array]]) -> tuple[Array, list[Array]]:
    """Return how many hits every event has, and the numbers of all hits in each of the columns.

    Columns come with their names, of which several may be equal.

    Raises
    ------
    ValueError
        If a column is not a list of numbers for every event.
    EventError
        If columns have different numbers of hits in an event, or a hit has no number.

    >>> import awkward as ak
    >>> n_hits, parts = flat_parts([("x", ak.Array([[1, 2], [3]])), ("y", ak.Array([[5, 6], [7]]))])
    >>> n_hits.tolist(), [part.tolist() for part in parts]
    ([2, 1], [[1, 2, 3], [5, 6, 7]])
    """
    import awkward as ak

    n_hits, first, parts = np.zeros(0, np.int64), "", list[Array]()
    for name, column in columns:
        check_numbers(name, column)
        n_own = list_lengths(column)
        n_hits, first = (n_hits, first) if parts else (n_own, name)
        if not np.array_equal(n_own, n_hits):
            event = int(np.argmax(n_own != n_hits))
            msg = f"{n_own[event]} values of {name} for {n_hits[event]} of {first}"
            raise EventError(event, msg)
        parts.append(np.asarray(ak.flatten(column)))
    return n_hits, parts


def flat_numbers(column: ak.Array) -> Array:
    """Return the numbers of all events; of numbers alone, as they are."""
    import awkward as ak

    return np.asarray(ak.to_numpy(ak.flatten(ak.Array(column), axis=None)))


def flat_field(records: ak.Array, name: str) -> Array:
    """Return a field of all records of a jagged array, event after event.

    It is `ak.flatten` without the time that each call of it takes, however short the array.

    >>> import awkward as ak
    >>> flat_field(ak.Array([[{"pt": 3}, {"pt": 7}], [], [{"pt": 1}]]), "pt").tolist()
    [3, 7, 1]
    """
    import awkward as ak

    lists = ak.to_layout(records).to_ListOffsetArray64(False)
    column: Array = lists.content[name].to_backend_array()
    return column[lists.offsets[0] : lists.offsets[-1]]


def counts_of(records: ak.Array) -> Array:
    """Return how many records every event of a jagged array has.

    >>> import awkward as ak
    >>> counts_of(ak.Array([[3, 7], [], [1]])).tolist()
    [2, 0, 1]
    """
    import awkward as ak

    return np.asarray(np.diff(ak.to_layout(records).to_ListOffsetArray64(False).offsets.data))


def event_of(records: ak.Array) -> Array:
    """Return the event of every record of a jagged array, numbered from 0.

    >>> import awkward as ak
    >>> event_of(ak.Array([[3, 7], [], [1]])).tolist()
    [0, 0, 2]
    """
    counts = counts_of(records)
    return np.repeat(np.arange(len(counts)), counts)


def list_lengths(column: ak.Array) -> Array:
    """Return how many numbers every event has, none of which is None, even if its type allows for that."""
    import awkward as ak

    return np.asarray(ak.to_numpy(ak.num(column)))  # of such a type numpy gives a masked array


def check_numbers(name: str, column: ak.Array, *, advice: str = "", columns: str = "all branches") -> None:
    """Raise a ValueError if a column is not a list of numbers for every event, an EventError if one is None.

    `advice` says what to do about a column with other axes, `columns` what to drop a hit from that is None.
    """
    import awkward as ak

    if column.ndim != 2:
        given = "one number for every event" if column.ndim == 1 else f"{column.ndim - 1} axes below the event"
        msg = f"{name} has {given}, expected a list with a number for every hit{advice}"
        raise ValueError(msg)
    if (kind := not_a_number(column)) is not None:
        msg = f"{name} holds {kind}, expected a number for every hit"
        raise ValueError(msg)
    if "?" not in (text := str(ak.type(column))) and "option[" not in text:
        return
    is_none = ak.fill_none(ak.any(ak.is_none(column, axis=1), axis=1), True)
    if ak.any(is_none):
        msg = f"{name} is None for a hit: drop such hits from {columns} alike"
        raise EventError(int(ak.argmax(is_none)), msg)


def jagged(values: Array, n_hits: Array) -> ak.Array:
    """Return the numbers of all hits as one list for every event.

    >>> jagged(np.array([1, 2, 3]), np.array([2, 0, 1])).to_list()
    [[1, 2], [], [3]]
    """
    import awkward as ak

    return ak.unflatten(values, n_hits)
