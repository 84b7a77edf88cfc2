"""Tables of the fast kernel: the cells of windows as steps along a flat event, adjacent cells as bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import Array, Offset, Periodic, Rule

VECTORS = 1 << 12  # whose words are worked out together
ADJACENT = tuple((d, p) for d in (-1, 0, 1) for p in (-1, 0, 1) if (d, p) != (0, 0))


class OffsetTables(NamedTuple):
    """Steps along a flat event that lead from a cell to the cells of its windows.

    Cells at the same distance from nearby edges share an edge class and their steps: those of class k lie at
    ``search_offsets[k]`` to ``search_offsets[k + 1]`` in `search`, and likewise in `window`. `edge_class` has a
    value for each cell; cells in the middle of the plane are of `interior_class`.
    `search` leads to the cells of the search window that remain after the comparison with the adjacent ones;
    `wins_tie` says with which of them the seed wins a tie.
    """

    edge_class: Array
    interior_class: int
    search: Array
    wins_tie: Array
    search_offsets: Array
    window: Array
    window_offsets: Array


class AdjacentWords(NamedTuple):
    """Words with a bit for each cell of a vector: `rivals`, shape (vector, 8), and `own`, shape (vector,).

    A bit of `rivals` says whether the adjacent cell at that offset is a rival of the cell: it is in the search
    window, and neither beyond an edge nor across a seam. A bit of `own` says whether the cell is of the event.
    `loses_tie`, shape (8,), is 1 where the cell loses a tie with the rival, else 0.
    """

    rivals: Array
    own: Array
    loses_tie: Array


@lru_cache(maxsize=64)
def offset_tables(
    shape: tuple[int, ...], rule: Rule, periodic: Periodic, *, adjacent_compared: bool = True
) -> OffsetTables:
    """Return the tables of a plane; with `adjacent_compared`, of what `AdjacentWords` leave to compare."""
    (row_class, rows), (col_class, cols) = (
        _edge_classes(size, distance) for size, distance in zip(shape, reach(rule), strict=True)
    )
    # in few bytes from the start: for a large plane its copies would take more memory than all else
    row_class, col_class = _short(row_class * len(cols), col_class)
    edge_class = row_class[:, None] + col_class
    places = np.repeat(rows, len(cols)), np.tile(cols, len(rows))
    offsets = [(d, p) for d, p, _ in rule.search]
    search, exists = _steps(offsets, places, shape, periodic)
    wins_tie = np.ones(search.shape, bool)
    for k, cell in enumerate(rule.search):
        wins_tie[:, k] = np.logical_not(cell.must_be_exceeded(has_lower_index=search[:, k] < 0))
    is_adjacent = np.array([offset in ADJACENT for offset in offsets], bool)
    # In a single row, crossing both seams can give the step of an adjacent cell: it still crosses seams.
    is_straight = _steps(offsets, places, shape, Periodic(rows=False, cols=False))[1]
    remains = exists & ~(is_adjacent & is_straight & adjacent_compared)
    window, is_summed = _steps(rule.window, places, shape, periodic)
    return OffsetTables(
        edge_class.ravel(),
        int(edge_class[shape[0] // 2, shape[1] // 2]),
        search[remains],
        wins_tie[remains],
        _offsets(remains),
        window[is_summed],
        _offsets(is_summed),
    )


@lru_cache(maxsize=64)
def adjacent_words(shape: tuple[int, ...], rule: Rule, n_lanes: int) -> AdjacentWords:
    """Return the words of a plane, for vectors of `n_lanes` cells."""
    n_vectors = -(-shape[0] * shape[1] // n_lanes)
    rivals, own = np.empty((n_vectors, len(ADJACENT)), np.uint64), np.empty(n_vectors, np.uint64)
    for first in range(0, n_vectors, VECTORS):  # bit by bit the words are many times as large
        words = _words(first, min(VECTORS, n_vectors - first), shape, rule, n_lanes)
        rivals[first : first + VECTORS], own[first : first + VECTORS] = words[:, :-1], words[:, -1]
    ties = {(cell.row, cell.col): cell for cell in rule.search}
    loses = [o in ties and ties[o].must_be_exceeded(has_lower_index=o < (0, 0)) for o in ADJACENT]
    return AdjacentWords(rivals, own, np.array(loses, np.uint8))


def _words(first: int, n_vectors: int, shape: tuple[int, ...], rule: Rule, n_lanes: int) -> Array:
    """Return the words of some vectors of a plane, those of `own` last, shape (vector, 9)."""
    (n_rows, n_cols), cell = shape, np.arange(first * n_lanes, (first + n_vectors) * n_lanes)
    (row, col), searched = np.divmod(cell, n_cols), {(d, p) for d, p, _ in rule.search}
    bits = [
        (row + d >= 0) & (row + d < n_rows) & (col + p >= 0) & (col + p < n_cols) & ((d, p) in searched)
        for d, p in ADJACENT
    ]
    flags = np.stack([*bits, np.ones(len(cell), bool)]) & (row < n_rows)
    words = flags.reshape(-1, n_vectors, n_lanes) * (np.uint64(1) << np.arange(n_lanes, dtype=np.uint64))
    return np.asarray(words.sum(axis=2, dtype=np.uint64).T)


def reach(rule: Rule) -> tuple[int, int]:
    """Return how many rows and columns the windows reach from a cell."""
    rows, cols = (max((abs(o[axis]) for o in (*rule.search, *rule.window)), default=0) for axis in (0, 1))
    return rows, cols


def _edge_classes(size: int, distance: int) -> tuple[Array, Array]:
    """Return the class of every index of an axis, and one index of each class.

    All that lie further from both ends than the distance are of one class.
    """
    index = np.arange(size)
    near_end = np.maximum(0, index - (size - 1 - distance))
    classes = index if size <= 2 * distance else np.minimum(index, distance) + near_end
    return classes, np.unique(classes, return_index=True)[1]


def _short(*parts: Array) -> tuple[Array, ...]:
    """Return the parts of an index in a type of few bytes that holds their sum."""
    dtype = np.int16 if sum(int(part.max()) for part in parts) <= np.iinfo(np.int16).max else np.int32
    return tuple(part.astype(dtype) for part in parts)


def _steps(
    offsets: Sequence[Offset], places: tuple[Array, Array], shape: tuple[int, ...], periodic: Periodic
) -> tuple[Array, Array]:
    """Return the steps from places to the cells at offsets, and which exist, both of shape (place, offset)."""
    step = np.zeros((len(places[0]), len(offsets)), np.int64)
    exists = np.ones(step.shape, bool)
    distance = np.array(offsets, np.int64).reshape(-1, 2)
    for axis, (size, is_periodic, stride) in enumerate(zip(shape, periodic, (shape[1], 1), strict=True)):
        index = places[axis][:, None] + distance[:, axis]
        index = index % size if is_periodic else index
        exists &= (index >= 0) & (index < size)
        step += (index - places[axis][:, None]) * stride
    return step, exists


def _offsets(mask: Array) -> Array:
    """Return where each row begins in the flat list of what a mask selects."""
    return np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
