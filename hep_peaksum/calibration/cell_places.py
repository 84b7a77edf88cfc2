"""Where the channels of a cell table are on a grid: their rows and columns, and axes made of their positions.

A table has rows and columns, or positions on a lattice; a position that is on none is an error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.table_files import EMPTY, CellTableError
from hep_peaksum.geometry.axis import TWO_PI, Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array

PLANES = (("y", "x"), ("eta", "phi"))  # positions along rows and along columns
UNITS = {"x": "mm", "y": "mm", "eta": None, "phi": None}
TOLERANCE = 0.1  # of the pitch: how far a cell may be from its place on the lattice
MAX_CELLS = 100_000  # along an axis; more are not a lattice


class Lattice(NamedTuple):
    """Places of equal distance along one direction: the first, the distance, and the number of every row."""

    start: float
    pitch: float
    number: Array

    def axis(self, name: str, *, labels: str | None = None) -> Axis:
        """Return the axis whose cells have these places as centres."""
        n_cells = int(self.number.max()) + 1
        start, stop = self.start - self.pitch / 2, self.start + (n_cells - 0.5) * self.pitch
        periodic = name == "phi" and abs(n_cells * self.pitch / TWO_PI - 1) < 1e-3
        if periodic:  # positions may be written with a few digits
            start, stop = (start + stop - TWO_PI) / 2, (start + stop + TWO_PI) / 2
        ends = {"bins": n_cells, "start": start, "stop": stop}
        return Axis(name=name, unit=UNITS[name], labels=labels, periodic=periodic, **ends)


def table_axes(table: CellTable) -> tuple[Axis, Axis]:
    """Return the axes of rows and columns that a table describes, with positions where it has them.

    Rows and columns of the table are labels of the axes. Without them rows are the different y (or eta) and
    columns the different x (or phi), in rising order.

    Raises
    ------
    CellTableError
        If the table does not say where cells are, or its positions are on no lattice.

    >>> table = CellTable.from_columns({"channel": [0, 1, 2], "x": [-5, 0, 5], "y": [0, 0, 0.0]})
    >>> table_axes(table)[1].centres.tolist()
    [-5.0, 0.0, 5.0]
    """
    if {"row", "col"} <= set(table.columns):
        return _labelled_axis(table, "row"), _labelled_axis(table, "col")
    names = _plane(table)
    return _lattice(table, names[0]).axis(names[0]), _lattice(table, names[1]).axis(names[1])


def places(table: CellTable, grid: Grid) -> tuple[Array, Array]:
    """Return the row and the column of the grid of every row of the table; -1 for one that says none.

    Raises
    ------
    CellTableError
        If a channel is not on the grid; it names channel and runs.
    """
    words = ("row", "col")
    if {"row", "col"} <= set(table.columns):
        found = [cell_index(table, word, grid) for word in words]
    else:
        found = [_position_index(table, number, grid) for number in (0, 1)]
    for word, axis, index in zip(words, (grid.rows, grid.cols), found, strict=True):
        wrong = (index < 0) & table.good
        if wrong.any():
            row = int(np.argmax(wrong))
            column = word if word in table else _plane(table)[words.index(word)]
            size = f"{axis.size} {word}{'s' * (axis.size > 1)}"
            if axis.labels is not None:
                size = f"{word}s {axis.labels}"
            what = f"{table.in_words(row)} has {column} {table[column][row]:g}, for {table.runs_of(row)}"
            msg = f"{table.name}: {what}: the grid has {size}, and it is on none of them"
            raise CellTableError(msg)
    return found[0], found[1]


def cell_index(table: CellTable, word: str, grid: Grid, depth: Axis | None = None) -> Array:
    """Return the index on the grid of every number in the column row, col or layer; -1 where it is on none.

    They are labels where the axis has any, else indices; layers are then counted in the order of their numbers.
    """
    if word == "layer":
        return layer_index(table, depth)
    numbers, axis = table[word], grid.rows if word == "row" else grid.cols
    if axis.label_values is not None:
        return np.where(numbers == EMPTY, -1, axis.find(numbers))
    return np.where((numbers >= 0) & (numbers < axis.size), numbers, -1)


def layer_index(table: CellTable, depth: Axis | None = None) -> Array:
    """Return the layer of every row of the table: its place among the labels of the axis, -1 if it is none.

    Without labels layers are counted from 0 in the order of their numbers.
    """
    if "layer" not in table:
        return np.zeros(len(table), np.int64)
    if depth is not None and depth.label_values is not None:
        return depth.find(table["layer"])
    return np.unique(table["layer"], return_inverse=True)[1].reshape(-1)


def _position_index(table: CellTable, number: int, grid: Grid) -> Array:
    """Return the rows (0) or columns (1) of the positions of a table."""
    axis = (grid.rows, grid.cols)[number]
    if axis.name is not None and axis.name in table and axis.edge_positions is not None:
        return axis.find(table[axis.name])
    lattice = _lattice(table, _plane(table)[number])
    return np.where(lattice.number < axis.size, lattice.number, -1)


def _plane(table: CellTable) -> tuple[str, str]:
    for names in PLANES:
        if set(names) <= set(table.columns):
            return names
    msg = f"{table.name}: nothing says where a cell is: add the columns row and col, or x and y, or eta and phi"
    raise CellTableError(msg)


def _lattice(table: CellTable, name: str) -> Lattice:
    """Return the lattice on which all positions of a column lie."""
    values = table[name]
    known = np.isfinite(values)
    if not known.any():
        msg = f"{table.name}: column {name!r} is empty: give positions, or row and col"
        raise CellTableError(msg)
    start, pitch = _fit(values[known])
    index = np.full(len(values), -1)
    index[known] = np.round((values[known] - start) / pitch).astype(np.int64)
    distance = np.where(known, np.abs(values - start - index * pitch), 0)
    row = int(np.argmax(distance))
    if distance[row] > TOLERANCE * pitch or index.max() >= MAX_CELLS:
        unit = f" {UNITS[name]}" if UNITS[name] else ""
        what = f"{table.in_words(row)} has {name} {values[row]:g}{unit}, for {table.runs_of(row)}"
        lattice = f"a lattice with the others (pitch {pitch:g}{unit})"
        msg = f"{table.name}: {what}, which is not on {lattice}: give row and col instead"
        raise CellTableError(msg)
    return Lattice(start, pitch, index)


def _fit(values: Array) -> tuple[float, float]:
    """Return the first place and the pitch of most of the positions; of one place the pitch is 1."""
    unique = np.unique(values)
    steps = np.diff(unique)
    if not len(steps):
        return float(unique[0]), 1.0
    steps = steps[steps > TOLERANCE * steps.max()]  # what is less apart is one place, written twice

    def on_lattice(pitch: float) -> Array:
        offset = (unique - unique[0]) / pitch
        return np.asarray(np.abs(offset - np.round(offset)) <= TOLERANCE)

    # the smallest step, or where a wrong position made that one, the usual step
    pitch = max((float(steps.min()), float(np.median(steps))), key=lambda each: int(on_lattice(each).sum()))
    if not on_lattice(pitch).all():
        return float(unique[0]), pitch
    number = np.round((unique - unique[0]) / pitch)
    slope, start = np.polyfit(number, unique, 1)
    return float(round(start, 9)), float(round(slope, 9))


def _labelled_axis(table: CellTable, word: str) -> Axis:
    """Return the axis of the numbers in a column, with the positions that rise with them."""
    numbers = table[word][table[word] != EMPTY]
    labels = f"{numbers.min()}..{numbers.max()}"
    if numbers.min() == numbers.max():
        return Axis(labels=str(numbers.min()))
    names = [name for plane in PLANES for name in plane if set(plane) <= set(table.columns)]
    for name in names:
        known = (table[word] != EMPTY) & np.isfinite(table[name])
        label, position = table[word][known], table[name][known]
        slope, start = np.polyfit(label, position, 1)
        is_straight = np.abs(position - start - slope * label).max() <= TOLERANCE * abs(slope)
        if not is_straight or slope == 0:
            continue
        if slope < 0:
            remedy = f"number {word}s by rising {name}, or leave out {name}"
            msg = f"{table.name}: {name} falls while {word} rises: {remedy}"
            raise CellTableError(msg)
        first = float(round(start + slope * numbers.min(), 9))
        return Lattice(first, float(round(slope, 9)), np.asarray(numbers - numbers.min())).axis(
            name, labels=labels
        )
    if names:
        remedy = "give rows and cols in the config, or leave these columns out"
        msg = f"{table.name}: neither {' nor '.join(names)} rises evenly with {word}: {remedy}"
        raise CellTableError(msg)
    return Axis(labels=labels)
