"""What a cell table says of one run: pedestal, gain, noise and place of every raw value that is read.

E = (raw - pedestal) * gain * scale. The rows of a table become arrays in the order of the values here, and a
channel or cell without a row, or with two, is found; `calibrated_cells` applies them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from hep_peaksum.calibration.cell_places import cell_index, layer_index, places
from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.table_files import CELL_KEYS, COLUMNS, CellTableError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.suggestions import did_you_mean

Order = Literal["channel", "cell"]
EVERY = "all"  # the common mode of all channels


class Calibration(NamedTuple):
    """The calibration of one run: arrays with an entry for every raw value of an event, or every channel.

    `gain` includes the scale; `noise` is in the unit of the grid, None if the table has none; of what is not
    `good` pedestal, gain and noise are 0. `cell` is the flat index in (row, col) or (layer, row, col), -1 of a
    channel without a place; `group` the number of the group with a common mode, -1 without one.
    """

    run: int
    pedestal: Array
    gain: Array
    noise: Array | None
    good: Array
    t0: Array
    cell: Array
    group: Array
    channel: Array


class Calibrations:
    """The calibrations of all runs, worked out when they are asked for.

    Parameters
    ----------
    table
        The table.
    grid
        The plane of the cells.
    order
        Whether values come by ``"channel"`` (those of an event in increasing order of the channels of the
        table) or by ``"cell"``, in the order layer, row, col.
    n_layers
        Number of layers of cells, None if they have none. The layers of channels are those of the table.
    depth
        Axis of the layers of cells. The layers of the table are its labels, if it has any.
    scale
        What every energy is multiplied by.
    common_mode
        A column of the table, or ``"all"``: channels with the same word there have a common mode.

    Raises
    ------
    CellTableError
        If the table does not say where a channel is, or has no such column.

    >>> from hep_peaksum.geometry.axis import Axis
    >>> table = CellTable.from_columns({"channel": [3, 4], "row": [0, 0], "col": [1, 0], "gain": [0.5, 2]})
    >>> calibrations = Calibrations(table, Grid(rows=Axis(n=1), cols=Axis(n=2)), scale=10)
    >>> calibrations.of_run(7).gain.tolist(), calibrations.of_run(7).cell.tolist()
    ([5.0, 20.0], [1, 0])
    """

    def __init__(
        self,
        table: CellTable,
        grid: Grid,
        *,
        order: Order = "channel",
        n_layers: int | None = None,
        depth: Axis | None = None,
        scale: float = 1.0,
        common_mode: str | None = None,
    ) -> None:
        if order == "channel" and "channel" not in table:
            msg = f"{table.name}: no column channel, by which values are read: add it, or read by row and col"
            raise CellTableError(msg)
        if order == "cell" and table.key_names == ("channel",) and not {*CELL_KEYS} & {*table.columns}:
            remedy = "add row and col to the table, or write axes: [channel]"
            msg = f"{table.name}: only channels, and values are read by row and col: {remedy}"
            raise CellTableError(msg)
        self.table, self.grid, self.order, self.scale = table, grid, order, scale
        self.depth = None if order == "channel" else depth
        self.has_layers = n_layers is not None or (order == "channel" and "layer" in table)
        layer = layer_index(table, self.depth)
        self.n_layers = n_layers or int(layer.max()) + 1
        self._group = common_mode_groups(table, common_mode)
        self._places: tuple[Array, ...] = ()
        if order == "channel":
            self._places = layer if self.has_layers else np.zeros_like(layer), *places(table, grid)
        self._starts = table.starts
        self._known: dict[int, Calibration] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the cells of one event."""
        return (self.n_layers, *self.grid.shape) if self.has_layers else self.grid.shape

    def period(self, runs: Array) -> Array:
        """Return the number of the period of every run; runs of one period have the same rows."""
        return np.asarray(np.searchsorted(self._starts, runs, side="right"))

    def of_run(self, run: int) -> Calibration:
        """Return what the table says of a run.

        Raises
        ------
        CellTableError
            If a channel or cell has no row for this run, or two; it names both.
        """
        period = int(self.period(np.asarray(run)))
        if period not in self._known:
            rows = self.table.rows_of(run)
            if self.order == "channel":
                self._known[period] = self._of_rows(run, rows, self._cell_of(rows, run))
            else:
                rows = self._rows_of_cells(rows, run)
                self._known[period] = self._of_rows(run, rows, np.arange(len(rows)))
        return self._known[period]

    def of_any_run(self) -> Calibration:
        """Return what the table says of the first runs that it covers completely: for no events, any will do.

        Raises
        ------
        CellTableError
            If it covers no run completely; it is that of the first.
        """
        errors = []
        for first, _ in self.table.periods():
            try:
                return self.of_run(first)
            except CellTableError as error:
                errors.append(error)
        raise errors[0]

    def _cell_of(self, rows: Array, run: int) -> Array:
        """Return the flat index of the cell of every channel; two channels of one cell are an error."""
        layer, row, col = (place[rows] for place in self._places)
        cell = np.where(
            (row < 0) | (col < 0), -1, (layer * self.grid.rows.size + row) * self.grid.cols.size + col
        )
        order = np.argsort(cell, kind="stable")
        same = (np.diff(cell[order]) == 0) & (cell[order[1:]] >= 0)
        if same.any():
            n = int(np.argmax(same))
            one, other = (self.table.in_words(int(rows[order[k]])) for k in (n, n + 1))
            remedy = "correct one of them, or give them different layers, which are added up"
            msg = f"{self.table.name}: {one} and {other} are the same cell in run {run}: {remedy}"
            raise CellTableError(msg)
        return cell

    def _rows_of_cells(self, rows: Array, run: int) -> Array:
        """Return the row of the table for every cell; a number that the table leaves out is any."""
        table, shape = self.table, (self.n_layers, *self.grid.shape)
        given = {
            word: cell_index(table, word, self.grid, self.depth)[rows] for word in CELL_KEYS if word in table
        }
        at = tuple(given.get(word, np.zeros(len(rows), np.int64)) for word in ("layer", "row", "col"))
        sizes = dict(zip(("layer", "row", "col"), shape, strict=True))
        for word, index in given.items():
            wrong = (index < 0) | (index >= sizes[word])
            if wrong.any():
                what = table.in_words(int(rows[np.argmax(wrong)]))
                msg = f"{table.name}: {what}, for run {run}: not on the grid, which has {sizes[word]} {word}s"
                raise CellTableError(msg)
        keyed = tuple(sizes[word] if word in given else 1 for word in ("layer", "row", "col"))
        flat = np.ravel_multi_index(at, keyed)
        if len(np.unique(flat)) < len(flat):
            n = int(np.argmax(np.bincount(flat)[flat] > 1))
            what = table.in_words(int(rows[n]))
            msg = f"{table.name}: two rows for the cell of {what} in run {run}: leave out one of them"
            raise CellTableError(msg)
        row_of = np.full(keyed, -1)
        row_of.reshape(-1)[flat] = rows
        if (row_of < 0).any():
            missing = np.argwhere(row_of < 0)[0]
            words = zip(("layer", "row", "col"), missing, strict=True)
            cell = ", ".join(f"{word} {number}" for word, number in words if word in given)
            remedy = "add one, of status 1 if there is no such cell"
            msg = f"{table.name}: no row for {cell} (counted from 0) in run {run}: {remedy}"
            raise CellTableError(msg)
        return np.broadcast_to(row_of, shape).reshape(-1)

    def _of_rows(self, run: int, rows: Array, cell: Array) -> Calibration:
        table = self.table
        good = table.good[rows]
        values = {
            name: np.where(good, table[name][rows], 0.0)
            for name in ("pedestal", "gain", "noise", "noise_raw", "t0")
            if name in table
        }
        gain = np.where(good, self.scale, 0.0) * values.get("gain", 1.0)
        noise = values["noise"] * abs(self.scale) if "noise" in values else None
        if "noise_raw" in values:
            noise = values["noise_raw"] * np.abs(gain)
        pedestal, t0 = (values.get(name, np.zeros(len(rows))) for name in ("pedestal", "t0"))
        channel = table["channel"][rows] if "channel" in table else np.arange(len(rows))
        return Calibration(run, pedestal, gain, noise, good, t0, cell, self._group[rows], channel)


def common_mode_groups(table: CellTable, column: str | None) -> Array:
    """Return the number of the group with a common mode of every row; -1 if there is none.

    Raises
    ------
    CellTableError
        If the table has no such column of groups; the message lists those that it has.
    """
    if column is None:
        return np.full(len(table), -1)
    if column == EVERY:
        return np.zeros(len(table), np.int64)
    if column not in table or (column in COLUMNS and column not in CELL_KEYS):
        known = [name for name in table.columns if name not in COLUMNS or name in CELL_KEYS]
        near, there = did_you_mean(column, known), ", ".join([*known, EVERY])
        msg = f"{table.name}: no column {column!r} for groups with a common mode{near}; there are {there}"
        raise CellTableError(msg)
    return np.unique(table[column], return_inverse=True)[1].reshape(-1)
