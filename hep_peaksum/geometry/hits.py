"""Jagged hits on a plane, kept as they are: no dense grid for every event.

Most searches need no dense grids: the kernel fills one small grid with the hits of an event, searches around
them, and clears the same cells again. Dense grids are built only for what needs them, such as cluster shapes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.geometry.grid import (
    EventError,
    Grid,
    checked_grid,
    is_traced,
    known,
    not_a_number,
    traced_like,
)
from hep_peaksum.kernels import Array, accumulator, dense_grids, offsets_after_mask

if TYPE_CHECKING:
    import awkward as ak


@dataclass(frozen=True, eq=False)
class Hits:
    """The hits of some events on a plane, event after event.

    The hits of event i are ``event_offsets[i]`` to ``event_offsets[i + 1]``; `cell` is row * number of columns
    + col. Several hits in one cell add. Hits outside the plane are not included; `n_outside` counts them.
    """

    event_offsets: Array
    cell: Array
    value: Array
    plane: tuple[int, int]
    n_outside: int = 0
    is_traced: bool = False  # made of arrays that have types and no values

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.event_offsets) - 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the dense grids."""
        return (len(self), *self.plane)

    def dense(self) -> Array:
        """Return the cells as an array (event, row, col), int64 or float64."""
        return dense_grids(self.event_offsets, self.cell, self.value, self.plane)


def sparse(row: ak.Array, col: ak.Array, energy: ak.Array, grid: Grid) -> Hits:
    """Return jagged hits on a plane, for `find_clusters`; parameters and errors as in `from_hits`.

    >>> import awkward as ak
    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> hits = sparse(ak.Array([[0, 0, 7]]), ak.Array([[1, 1, 0]]), ak.Array([[2, 3, 1]]), bare_grid((1, 2)))
    >>> hits.dense().tolist(), hits.n_outside
    ([[[0, 5]]], 1)
    """
    import awkward as ak

    grid, no_values = checked_grid(grid), is_traced(energy)
    row, col, energy = (known(ak.Array(each)) for each in (row, col, energy))
    if len({len(column) for column in (row, col, energy)}) > 1:
        msg = f"row, col and energy have {len(row)} events, {len(col)} events and {len(energy)} events"
        raise ValueError(msg)
    for word, column in (("row", row), ("col", col), ("energy", energy)):
        _check_hits(word, column)
    n_hits = ak.to_numpy(ak.num(energy))
    for word, column in (("row", row), ("col", col)):
        n_other = ak.to_numpy(ak.num(column))
        if not np.array_equal(n_other, n_hits):
            event = int(np.argmax(n_other != n_hits))
            msg = f"{n_other[event]} values of {word} for {n_hits[event]} hits"
            raise EventError(event, msg)
    cell = _cells(np.asarray(ak.flatten(row)), np.asarray(ak.flatten(col)), grid)
    value = np.asarray(ak.flatten(energy))
    if value.dtype == np.uint64 and value.size and value.max() > np.iinfo(np.int64).max:
        msg = f"the largest hit, {value.max()}, does not fit into int64"
        raise ValueError(msg)
    if value.dtype != np.float32:
        value = value.astype(accumulator(np.float64 if value.dtype.kind == "f" else np.int64), copy=False)
    event_offsets = np.concatenate([[0], np.cumsum(n_hits)])
    n_outside = 0
    if cell.min(initial=0) < 0:
        inside = cell >= 0
        n_outside = len(inside) - int(np.count_nonzero(inside))
        event_offsets = offsets_after_mask(event_offsets, inside)
        cell, value = cell[inside], value[inside]
    return Hits(event_offsets, cell, value, grid.shape, n_outside, no_values)


def _check_hits(word: str, column: ak.Array) -> None:
    """Raise a ValueError if a column is no list of numbers for every event; an EventError if a hit is None."""
    import awkward as ak

    if column.ndim != 2:
        given = "one number for every event" if column.ndim == 1 else f"{column.ndim - 1} axes below the event"
        expected = "a list with a number for every hit"
        msg = f"{word} has {given}, expected {expected}: for a single event pass [{word}]"
        raise ValueError(msg)
    if (kind := not_a_number(column)) is not None:
        msg = f"{word} holds {kind}, expected a number for every hit"
        raise ValueError(msg)
    if "?" not in (text := str(ak.type(column))) and "option[" not in text:
        return
    is_none = ak.fill_none(ak.any(ak.is_none(column, axis=1), axis=1), True)
    if ak.any(is_none):
        msg = f"{word} is None for a hit: drop such hits from row, col and energy alike"
        raise EventError(int(ak.argmax(is_none)), msg)


def _cells(row: Array, col: Array, grid: Grid) -> Array:
    """Return the flat index of the cell of every hit, below 0 if it lies outside the plane.

    Hits are placed in blocks: allocating temporaries for all of them takes longer than the steps themselves.
    """
    cell = np.empty(len(row), np.int32)
    for start in range(0, len(row), block_sizes.HITS):
        block = slice(start, start + block_sizes.HITS)
        i, j = grid.rows.find(row[block]), grid.cols.find(col[block])
        cell[block] = np.where(j < 0, -1, i * grid.cols.size + j)
    return cell


def from_hits(row: ak.Array, col: ak.Array, energy: ak.Array, grid: Grid) -> Array:
    """Return jagged hits as dense grids, an array (event, row, col).

    Several hits in one cell add. Integer energies give int64 cells, others float64.

    Parameters
    ----------
    row, col
        Per event and hit: the label, index or coordinate along each axis (see `Axis.find`).
    energy
        Per event and hit, in counts of the grid.
    grid
        The plane.

    Raises
    ------
    EventError
        If the numbers of rows, columns and energies of an event differ.
    TypeError
        If the grid is something else, such as a shape.

    Warns
    -----
    UserWarning
        If hits lie outside the grid; they are counted and not added.

    >>> import awkward as ak
    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> from_hits(ak.Array([[0, 0]]), ak.Array([[1, 1]]), ak.Array([[2, 3]]), bare_grid((1, 2))).tolist()
    [[[0, 5]]]
    """
    hits = sparse(row, col, energy, grid)
    if hits.n_outside:
        msg = f"{hits.n_outside} hits lie outside the grid of {grid.shape} cells and were not added"
        warnings.warn(msg, stacklevel=2)
    return traced_like(hits.dense(), energy)
