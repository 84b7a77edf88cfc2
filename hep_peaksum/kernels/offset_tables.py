"""Where the cells of windows lie, seen from the cells of a plane: the tables by which the fast kernel walks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import LOWER_INDEX_WINS, Array, Offset, Periodic, Rule

ADJACENT = tuple((d, p) for d in (-1, 0, 1) for p in (-1, 0, 1) if (d, p) != (0, 0))


class OffsetTables(NamedTuple):
    """The steps along a flat event that lead from a cell to those of its windows.

    Cells as far from the edges are of one `kind`: their steps are the same. `kind` has a value for each cell;
    the others have a row for every kind, and as many of it count as `n_search` and `n_window` say.
    `search` leads to the cells of the search window that are still to be compared after a look at the adjacent
    ones; `wins_tie` says with which of them a tie is won.
    """

    kind: Array
    search: Array
    wins_tie: Array
    n_search: Array
    window: Array
    n_window: Array


@lru_cache(maxsize=64)
def offset_tables(
    shape: tuple[int, ...], rule: Rule, periodic: Periodic, *, has_looked: bool = True
) -> OffsetTables:
    """Return the steps of a search on a plane of that shape, after a look at the adjacent cells or without."""
    (row_kind, rows), (col_kind, cols) = (_kinds(n, far) for n, far in zip(shape, reach(rule), strict=True))
    kind = row_kind[:, None] * len(cols) + col_kind
    places = np.repeat(rows, len(cols)), np.tile(cols, len(rows))
    offsets = [(d, p) for d, p, _ in rule.search]
    search, is_there = _steps(offsets, places, shape, periodic)
    wins = np.ones(search.shape, bool)
    for k, cell in enumerate(rule.search):
        wins[:, k] = np.logical_not(cell.must_be_exceeded(has_lower_index=search[:, k] < 0))
    is_adjacent = np.array([(d, p) in ADJACENT for d, p, _ in rule.search], bool)
    # In a single row two seams lead back by the very step that goes straight, and are no less a detour.
    is_straight = _steps(offsets, places, shape, Periodic(rows=False, cols=False))[1]
    is_settled = is_adjacent & is_straight & (wins | lower_wins(rule))
    search, wins, n_search = _first(is_there & ~(is_settled & has_looked), search, wins)
    window, is_there = _steps(rule.window, places, shape, periodic)
    window, n_window = _first(is_there, window)
    return OffsetTables(_short(kind.ravel()), search, wins, n_search, window, n_window)


def reach(rule: Rule) -> tuple[int, int]:
    """Return how many rows and columns the windows reach from a cell."""
    rows, cols = (max((abs(o[axis]) for o in (*rule.search, *rule.window)), default=0) for axis in (0, 1))
    return rows, cols


def lower_wins(rule: Rule) -> bool:
    """Return whether of equal cells the first one wins, as by default."""
    return all(cell.tie == LOWER_INDEX_WINS for cell in rule.search)


@lru_cache(maxsize=64)
def adjacent(shape: tuple[int, ...], rule: Rule, n_lanes: int) -> tuple[Array, Array]:
    """Return words with a bit for each of the `n_lanes` cells of a vector: shapes (vector, 8) and (vector,).

    The first say for which cells the adjacent cell at that place is a rival: it is in the search window, and
    neither beyond an edge nor across a seam. The others say which cells belong to the event.
    """
    n_rows, n_cols = shape
    n_vectors = -(-n_rows * n_cols // n_lanes)
    row, col = (index.ravel() for index in np.indices(shape))
    searched = {(d, p) for d, p, _ in rule.search}
    bits = np.zeros((len(ADJACENT) + 1, n_vectors * n_lanes), np.uint64)
    for k, (d, p) in enumerate(ADJACENT):
        is_inside = (row + d >= 0) & (row + d < n_rows) & (col + p >= 0) & (col + p < n_cols)
        bits[k, : len(row)] = is_inside & ((d, p) in searched)
    bits[-1, : len(row)] = 1
    words = bits.reshape(-1, n_vectors, n_lanes) << np.arange(n_lanes, dtype=np.uint64)
    *rivals, own = np.bitwise_or.reduce(words, axis=2)
    return np.stack(rivals, axis=1), own


def _kinds(size: int, reach: int) -> tuple[Array, Array]:
    """Return the kind of every index of an axis, by its distance from the ends, and an index of every kind."""
    index = np.arange(size)
    kind = index if size <= 2 * reach else np.minimum(index, reach) + np.maximum(0, index - (size - 1 - reach))
    return kind, np.unique(kind, return_index=True)[1]


def _short(index: Array) -> Array:
    """Return an index of every cell in few bytes: for a large plane the caches hold little beside it."""
    return index.astype(np.int16 if index.max() <= np.iinfo(np.int16).max else np.int32)


def _steps(
    offsets: Sequence[Offset], places: tuple[Array, Array], shape: tuple[int, ...], periodic: Periodic
) -> tuple[Array, Array]:
    """Return the steps along the flat event to cells at offsets, and which cells there are: (place, offset)."""
    step = np.zeros((len(places[0]), len(offsets)), np.int64)
    is_there = np.ones(step.shape, bool)
    far = np.array(offsets, np.int64).reshape(-1, 2)
    for axis, (size, is_closed, stride) in enumerate(zip(shape, periodic, (shape[1], 1), strict=True)):
        index = places[axis][:, None] + far[:, axis]
        index = index % size if is_closed else index
        is_there &= (index >= 0) & (index < size)
        step += (index - places[axis][:, None]) * stride
    return step, is_there


def _first(wanted: Array, *columns: Array) -> tuple[Array, ...]:
    """Return the columns, shape (kind, cell), with the wanted cells first in every row, and their numbers."""
    order = np.argsort(~wanted, axis=1, kind="stable")
    n_wanted = wanted.sum(axis=1)
    order = order[:, : n_wanted.max(initial=0)]
    return *(np.take_along_axis(column, order, axis=1) for column in columns), n_wanted
