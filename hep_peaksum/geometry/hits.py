"""Jagged hits on a plane, kept as they are: no dense grid for every event.

Most searches need no dense grids: the kernel fills one small grid with the hits of an event, searches around
them, and clears the same cells again. Dense grids are built only for what needs them, such as cluster shapes,
and of a few events at a time.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import (
    EventError,
    Grid,
    checked_grid,
    is_traced,
    known,
    traced_like,
)
from hep_peaksum.geometry.jagged import check_numbers, flat_numbers, list_lengths
from hep_peaksum.kernels import (
    Array,
    KernelName,
    accumulator,
    dense_grids,
    flat_index,
    get_kernel,
    offsets_after_mask,
)

if TYPE_CHECKING:
    import awkward as ak


class Room:
    """Memory for one batch of dense grids after the other, cleared only where the last hits lie.

    Setting every cell to zero would take longer than all the work on the few that are filled.
    """

    def __init__(self) -> None:
        self.cells = np.empty(0)
        self.filled = np.empty(0, np.int64)

    def fill(self, hits: Hits) -> Array:
        """Return the dense grids of hits, valid until the room is used again."""
        cells = self.empty(math.prod(hits.shape), accumulator(hits.value.dtype))
        self.filled = flat_index(hits.event_offsets, hits.cell, hits.plane)
        np.add.at(cells, self.filled, hits.value.astype(cells.dtype, copy=False))
        return cells.reshape(hits.shape)

    def empty(self, n_cells: int, number: type[np.float64 | np.int64]) -> Array:
        """Return cells that are all 0."""
        if len(self.cells) < n_cells or self.cells.dtype != number:
            self.cells = np.zeros(n_cells, number)
        else:
            self.cells[self.filled] = 0
        self.filled = np.empty(0, np.int64)
        return self.cells[:n_cells]


@dataclass(frozen=True, eq=False)
class Hits:
    """The hits of some events on a plane, or in layers of it, event after event.

    The hits of event i are ``event_offsets[i]`` to ``event_offsets[i + 1]``; `cell` is row * number of columns
    + col. With layers those of layer k of event i are ``event_offsets[i * n_layers + k]`` to the next. Several
    hits in one cell add. Hits outside plane and layers are not included; `n_outside` counts them.
    """

    event_offsets: Array
    cell: Array
    value: Array
    plane: tuple[int, int]
    n_outside: int
    is_traced: bool  # made of arrays that have types and no values
    n_layers: int | None = None
    room: Room | None = None  # where the dense grids are built, if not in memory of their own
    moment: Hits | None = None  # the same hits with energy * time as their value, if they have times

    def __len__(self) -> int:
        """Return the number of events."""
        return (len(self.event_offsets) - 1) // (self.n_layers or 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the dense grids: (event, row, col), or (event, layer, row, col)."""
        return (len(self), *self.plane) if self.n_layers is None else (len(self), self.n_layers, *self.plane)

    def dense(self) -> Array:
        """Return the cells as an array of that shape, int64 or float64."""
        if self.room is not None:
            return self.room.fill(self)
        return dense_grids(self.event_offsets, self.cell, self.value, self.plane).reshape(self.shape)

    def empty_plane(self) -> Array | None:
        """Return a plane of cells that are all 0, if there is room for it; whoever uses it leaves it so."""
        if self.room is None:
            return None
        return self.room.empty(self.plane[0] * self.plane[1], accumulator(self.value.dtype))

    def events(self, first: int, last: int, room: Room | None = None) -> Hits:
        """Return the hits of some of the events."""
        n = self.n_layers or 1
        offsets = self.event_offsets[first * n : last * n + 1]
        inside = slice(offsets[0], offsets[-1])
        cell, value = self.cell[inside], self.value[inside]
        moment = None if self.moment is None else self.moment.events(first, last)
        return replace(
            self, event_offsets=offsets - offsets[0], cell=cell, value=value, room=room, moment=moment
        )

    def separate_layers(self) -> Hits:
        """Return the hits with every layer as an event of its own."""
        moment = None if self.moment is None else self.moment.separate_layers()
        return replace(self, n_layers=None, moment=moment)

    def summed_layers(self, kernel: KernelName) -> Hits:
        """Return the hits without layers; those in one cell of a layer are merged first, to keep the sums.

        The dense grids of layers are added up layer by layer, and sums of floats depend on the order.
        """
        offsets, cell, value = self.event_offsets, self.cell, self.value
        if value.dtype.kind == "f":
            n_cells = self.plane[0] * self.plane[1]
            offsets, cell, value = get_kernel(kernel).merge_hits(offsets, cell, value, n_cells)
        offsets = offsets[:: self.n_layers]
        moment = None if self.moment is None else self.moment.summed_layers(kernel)
        return replace(self, event_offsets=offsets, cell=cell, value=value, n_layers=None, moment=moment)


def sparse(
    row: ak.Array,
    col: ak.Array,
    energy: ak.Array,
    grid: Grid,
    *,
    layer: ak.Array | None = None,
    depth: Axis | None = None,
    time: ak.Array | None = None,
) -> Hits:
    """Return jagged hits on a plane, for `find_clusters`; parameters and errors as in `from_hits`.

    `time` is one number for every hit, for the fields `time` and `seed_time` of clusters.

    >>> import awkward as ak
    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> hits = sparse(ak.Array([[0, 0, 7]]), ak.Array([[1, 1, 0]]), ak.Array([[2, 3, 1]]), bare_grid((1, 2)))
    >>> hits.dense().tolist(), hits.n_outside
    ([[[0, 5]]], 1)
    """
    import awkward as ak

    grid, depth, no_values = checked_grid(grid), _checked_depth(layer, depth), is_traced(energy)
    given = {"row": row, "col": col, "energy": energy} | ({} if layer is None else {"layer": layer})
    given |= {} if time is None else {"time": time}
    columns = {word: known(ak.Array(column)) for word, column in given.items()}
    n_hits = _numbers_of_hits(columns)
    flat = {word: np.asarray(ak.flatten(column)) for word, column in columns.items()}
    value = _widened(flat.pop("energy"))
    moment = value * flat.pop("time").astype(np.float64) if "time" in flat else None
    cell, number = _cells(flat, grid, depth)
    event_offsets = np.concatenate([[0], np.cumsum(n_hits)])
    n_outside = 0
    if cell.min(initial=0) < 0:
        inside = cell >= 0
        n_outside = len(inside) - int(np.count_nonzero(inside))
        event_offsets = offsets_after_mask(event_offsets, inside)
        cell, value = cell[inside], value[inside]
        number, moment = (None if each is None else each[inside] for each in (number, moment))

    def placed(value: Array) -> Hits:
        if number is None or depth is None:
            return Hits(event_offsets, cell, value, grid.shape, n_outside, no_values)
        by_layer = get_kernel("numba").sort_by_layer(event_offsets, number, depth.size, cell, value)
        return Hits(*by_layer, grid.shape, n_outside, no_values, depth.size)

    return placed(value) if moment is None else replace(placed(value), moment=placed(moment))


def _checked_depth(layer: ak.Array | None, depth: object) -> Axis | None:
    """Return the axis of the layers; a ValueError if it comes without layers, or they without it."""
    if (layer is None) != (depth is None):
        given, other = ("depth", "layer, one for every hit") if layer is None else ("layer", "depth, an Axis")
        msg = f"{given} without {other.partition(',')[0]}: give {other}, or neither"
        raise ValueError(msg)
    if depth is not None and not isinstance(depth, Axis):
        msg = f"depth is {depth!r:.60}, expected an Axis: write Axis(n=12), or Axis(labels='1..12')"
        raise TypeError(msg)
    return depth


def _numbers_of_hits(columns: Mapping[str, ak.Array]) -> Array:
    """Return the number of hits of every event, after checking that it is the same in all columns."""
    if len({len(column) for column in columns.values()}) > 1:
        *words, last = columns
        *lengths, length = (f"{len(column)} events" for column in columns.values())
        both = f"{', '.join(words)} and {last} have {', '.join(lengths)} and {length}"
        msg = f"{both}: give those of the same events"
        raise ValueError(msg)
    *words, last = (f"[{word}]" for word in columns)
    advice = f": for a single event pass {', '.join(words)} and {last}"
    for word, column in columns.items():
        check_numbers(word, column, advice=advice, columns="row, col and energy")
    n_hits = list_lengths(columns["energy"])
    for word, column in columns.items():
        n_other = list_lengths(column)
        if not np.array_equal(n_other, n_hits):
            event = int(np.argmax(n_other != n_hits))
            msg = f"{word} has {n_other[event]}, energy has {n_hits[event]} values: give those of the same hits"
            raise EventError(event, msg)
    return n_hits


def _widened(value: Array) -> Array:
    """Return the energies as kernels take them: float32, float64 or int64."""
    if value.dtype == np.uint64 and value.size and value.max() > np.iinfo(np.int64).max:
        msg = f"the largest hit, {value.max()}, does not fit into int64"
        raise ValueError(msg)
    if value.dtype == np.float32:
        return value
    return value.astype(accumulator(np.float64 if value.dtype.kind == "f" else np.int64), copy=False)


def _cells(place: Mapping[str, Array], grid: Grid, depth: Axis | None) -> tuple[Array, Array | None]:
    """Return the cell of every hit on the plane, below 0 if it lies outside, and its layer if there are any.

    Hits are placed in blocks: allocating temporaries for all of them takes longer than the steps themselves.
    """
    n_hits = len(place["row"])
    cell, layer = np.empty(n_hits, np.int32), None if depth is None else np.empty(n_hits, np.int32)
    for block in block_sizes.blocks(n_hits, block_sizes.HITS):
        i, j = grid.rows.find(place["row"][block]), grid.cols.find(place["col"][block])
        cell[block] = np.where(j < 0, -1, i * grid.cols.size + j)
        if depth is not None and layer is not None:
            layer[block] = number = depth.find(place["layer"][block])
            cell[block][number < 0] = -1
    return cell, layer


def from_hits(
    row: ak.Array,
    col: ak.Array,
    energy: ak.Array,
    grid: Grid,
    *,
    layer: ak.Array | None = None,
    depth: Axis | None = None,
) -> Array:
    """Return jagged hits as dense grids, an array (event, row, col), or with layers (event, layer, row, col).

    Several hits in one cell add. Integer energies give int64 cells, others float64.

    Parameters
    ----------
    row, col
        Per event and hit: the label, index or coordinate along each axis (see `Axis.find`).
    energy
        Per event and hit, in counts of the grid.
    grid
        The plane.
    layer
        Per event and hit: the label, index or coordinate along `depth`, where there are layers.
    depth
        The axis of the layers, which are numbered in the order of its cells.

    Raises
    ------
    EventError
        If the numbers of rows, columns, layers and energies of an event differ.
    ValueError
        If a column is not a list of numbers for every event, or only one of layer and depth is given.
    TypeError
        If the grid is something else, such as a shape, or depth is not an Axis.

    Warns
    -----
    UserWarning
        If hits lie outside the grid, or in no layer of it; they are counted and not added. If coordinates go
        around a periodic axis more than once, as degrees do on an axis in radian.

    >>> import awkward as ak
    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> from_hits(ak.Array([[0, 0]]), ak.Array([[1, 1]]), ak.Array([[2, 3]]), bare_grid((1, 2))).tolist()
    [[[0, 5]]]
    """
    hits = sparse(row, col, energy, grid, layer=layer, depth=depth)
    if hits.n_outside:
        in_layers = "" if hits.n_layers is None else f" in {hits.n_layers} layers"
        msg = f"{hits.n_outside} hits lie outside the grid of {grid.shape} cells{in_layers} and were not added"
        if not len(hits.value):
            msg += ", which are all: are row, col and energy in this order, and in the units of the axes?"
        warnings.warn(msg, stacklevel=2)
    for word, axis, places in (("row", grid.rows, row), ("col", grid.cols, col)):
        if axis.periodic and not hits.is_traced and (odd := axis.turns(flat_numbers(places))):
            warnings.warn(f"{word}: {odd}", stacklevel=2)
    return traced_like(hits.dense(), energy)
