"""Raw values of channels or cells become energies on a grid: pedestals, gains, common mode, dead cells.

`find_clusters` takes what comes out, `CalibratedCells`, as grids, with their mask and noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hep_peaksum.calibration.cell_maps import CellMaps, cell_maps
from hep_peaksum.calibration.run_calibrations import Calibration, Calibrations
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hits import Hits, sparse
from hep_peaksum.kernels import Array, dense_grids, offsets_after_mask

if TYPE_CHECKING:
    import awkward as ak


@dataclass(frozen=True, eq=False)
class CalibratedCells:
    """Cells in the unit of a grid, with what the table says of them; `find_clusters` takes them as grids.

    `cells` is an array (event, row, col) or (event, layer, row, col), or hits. `mask` and `noise` are those of
    the cells that are searched: of every event, if `by_event` is set, or else of one, for all. `flags` are the
    numbers of saturated and of filled channels in every searched cell, by event; the fields `n_saturated` and
    `n_filled` add them up.
    """

    cells: Array | Hits
    mask: Array | None = None
    noise: Array | None = None
    by_event: bool = False
    flags: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.cells)

    @property
    def n_outside(self) -> int:
        """Number of hits outside the grid, or of channels that are nowhere."""
        return self.cells.n_outside if isinstance(self.cells, Hits) else 0

    @property
    def values(self) -> Array:
        """The energies: an array of cells, or those of hits one after the other."""
        return self.cells.value if isinstance(self.cells, Hits) else self.cells

    def dense(self) -> CalibratedCells:
        """Return the same, with cells that are an array."""
        return replace(self, cells=self.cells.dense()) if isinstance(self.cells, Hits) else self

    def with_mask(self, mask: Array | None) -> CalibratedCells:
        """Return the same with more cells masked, given a map of one event."""
        joined = mask if self.mask is None else self.mask if mask is None else self.mask | mask
        return replace(self, mask=joined)

    def event(self, number: int) -> tuple[Array, Array | None, Array | None]:
        """Return cells, mask and noise of one event."""
        cells, mask, noise = self.dense().values, self.mask, self.noise
        if self.by_event:
            mask, noise = (None if each is None else each[number] for each in (mask, noise))
        return cells[number], mask, noise


def taken_apart(
    cells: Array | CalibratedCells, mask: Array | None, noise: Array | None, event: int | None = None
) -> tuple[Array, Array | None, Array | None]:
    """Return cells as an array, with their mask and noise, of all events or of one; `mask` is of one event."""
    if not isinstance(cells, CalibratedCells):
        return (cells if event is None else cells[event]), mask, noise
    cells = cells.with_mask(mask).dense()
    if event is not None:
        values, mask, own = cells.event(event)
        return values, mask, own if noise is None else noise
    return cells.values, cells.mask, cells.noise if noise is None else noise


def plain_cells(cells: Array | CalibratedCells) -> Array:
    """Return the energies of cells as an array, without mask and noise."""
    return cells.dense().values if isinstance(cells, CalibratedCells) else cells


class Calibrator:
    """What a cell table does to raw values, for events of any runs.

    Parameters
    ----------
    calibrations
        Those of the table. Saturation codes of their grid are compared with the raw values.
    layers
        Whether layers are summed or searched each, as for `find_clusters`.
    fill_dead
        Whether a cell whose status is not 0 is given the mean of its good neighbours, of up to eight; one
        without any stays masked.

    >>> from hep_peaksum.geometry.axis import Axis
    >>> from hep_peaksum.calibration.cell_table import CellTable
    >>> columns = {"channel": [0, 1], "row": [0, 0], "col": [1, 0], "pedestal": [10, 20], "gain": [0.5, 2]}
    >>> plane = Grid(rows=Axis(n=1), cols=Axis(n=2))
    >>> calibrate = Calibrator(Calibrations(CellTable.from_columns(columns), plane))
    >>> calibrate.dense(np.array([[12, 21]]), runs=np.array([1])).cells.tolist()
    [[[2.0, 1.0]]]
    """

    def __init__(
        self, calibrations: Calibrations, *, layers: Literal["sum", "each"] = "sum", fill_dead: bool = False
    ) -> None:
        self.calibrations, self.layers, self.fill_dead = calibrations, layers, fill_dead
        self.grid: Grid = calibrations.grid
        self._maps: dict[int, CellMaps] = {}

    def dense(self, raw: Array, runs: Array) -> CalibratedCells:
        """Return the cells of events, given all their raw values.

        Parameters
        ----------
        raw
            Shape (event, channel), or (event, ...) in the order layer, row, col.
        runs
            The run of every event.

        Raises
        ------
        CellTableError
            If the table has another number of channels, or does not say all of a run.
        """
        raw = raw.reshape(len(raw), -1)
        return self._by_period(runs, lambda events, of_run: self._dense(raw[events], of_run))

    def hits(self, channel: ak.Array, value: ak.Array, runs: Array) -> CalibratedCells:
        """Return jagged hits of channels as hits on the grid; those of channels without a place are outside.

        Raises
        ------
        CellTableError
            If a channel is not in the table; it names the run.
        """
        import awkward as ak

        channels = np.unique(self.calibrations.table["channel"])
        line = Grid(rows=Axis(n=1), cols=Axis(labels=", ".join(map(str, channels))))
        hits = sparse(ak.zeros_like(channel), channel, value, line)
        if hits.n_outside:
            raise CellTableError(self._unknown_channel(ak.Array(channel), channels, runs))
        return self.hits_on_cells(hits, runs)

    def hits_on_cells(self, hits: Hits, runs: Array) -> CalibratedCells:
        """Return hits with energies on the grid; their `cell` is the index of a channel, or of a cell."""
        energy, cell = np.zeros(len(hits.value)), np.zeros(len(hits.cell), hits.cell.dtype)
        number = np.repeat(self.calibrations.period(runs), np.diff(hits.event_offsets))
        for period in np.unique(number):
            of_run = self._calibration(runs[self.calibrations.period(runs) == period])
            here = number == period
            source = hits.cell[here]
            raw = np.where(of_run.good[source], hits.value[here], 0).astype(np.float64)
            energy[here] = (raw - of_run.pedestal[source]) * of_run.gain[source]
            place = of_run.cell[source]
            cell[here] = np.where(place < 0, -1, place % math.prod(self.grid.shape))  # layers add up
        placed, flags = cell >= 0, {}
        offsets = offsets_after_mask(hits.event_offsets, placed)
        cell, energy, raw = cell[placed], energy[placed], hits.value[placed]
        n_outside = hits.n_outside + int(len(placed) - np.count_nonzero(placed))
        found = Hits(offsets, cell, energy, self.grid.shape, n_outside, hits.is_traced)
        if self.grid.saturated:
            is_saturated = self._is_saturated(raw).astype(np.int64)
            flags["n_saturated"] = dense_grids(offsets, cell, is_saturated, self.grid.shape)
        if self.fill_dead:
            cells = found.dense()
            return self._by_period(
                runs,
                lambda events, of_run: self._finish(
                    cells[events], of_run, {name: flag[events] for name, flag in flags.items()}
                ),
            )
        none = np.broadcast_to(0.0, (len(runs), *self.calibrations.shape))
        maps = self._by_period(runs, lambda events, of_run: self._finish(none[events], of_run, {}))
        return replace(maps, cells=found, flags=flags)

    def _by_period(
        self, runs: Array, function: Callable[[Any, Calibration], CalibratedCells]
    ) -> CalibratedCells:
        """Return the cells of events, those of runs with the same rows at once."""
        number = self.calibrations.period(runs)
        if len(runs) == 0 or (number == number[0]).all():
            return function(slice(None), self._calibration(runs))
        parts = []
        for period in np.unique(number):
            events = np.flatnonzero(number == period)
            parts.append((events, function(events, self._calibration(runs[events]))))
        return _joined(parts, len(runs))

    def _calibration(self, runs: Array) -> Calibration:
        """Return the calibration of runs of one period; of no events that of the first."""
        first = self.calibrations.table.periods()[0][0]
        return self.calibrations.of_run(int(runs[0]) if len(runs) else first)

    def _dense(self, raw: Array, of_run: Calibration) -> CalibratedCells:
        if raw.shape[1] != len(of_run.cell):
            raise CellTableError(self._wrong_number(raw.shape[1], of_run))
        energies = np.subtract(raw, of_run.pedestal, dtype=np.float64)
        _subtract_common_mode(energies, of_run)
        energies *= of_run.gain
        energies[:, ~of_run.good] = 0  # also of what is no number
        flags = {}
        if self.grid.saturated:
            is_saturated = self._is_saturated(raw) & of_run.good
            flags["n_saturated"] = self._on_cells(is_saturated.astype(np.int64), of_run)
        return self._finish(self._on_cells(energies, of_run), of_run, flags)

    def _is_saturated(self, raw: Array) -> Array:
        """Return which raw values are one of the saturation codes of the grid, compared in their own type."""
        codes: list[float] = list(self.grid.saturated)
        if raw.dtype.kind != "f":
            codes = [int(code) for code in codes if code == int(code) and abs(code) < 2**63]
        return np.isin(raw, np.array(codes, raw.dtype if raw.dtype.kind == "f" else None))

    def _on_cells(self, values: Array, of_run: Calibration) -> Array:
        """Return values by channel on the cells of the grid, 0 where there is no channel."""
        shape = self.calibrations.shape
        if np.array_equal(of_run.cell, np.arange(math.prod(shape))):
            return values.reshape(-1, *shape)
        cells = np.zeros((len(values), math.prod(shape)), values.dtype)
        placed = of_run.cell >= 0
        cells[:, of_run.cell[placed]] = values[:, placed]
        return cells.reshape(-1, *shape)

    def _finish(self, cells: Array, of_run: Calibration, flags: dict[str, Array]) -> CalibratedCells:
        """Return cells with dead ones filled, with mask and noise of their run."""
        maps = self._maps_of(of_run)
        if self.fill_dead:
            flat = cells.reshape(len(cells), -1)
            is_filled = np.zeros(flat.shape[1], np.int64)
            for cell, sources in maps.sources.items():
                flat[:, cell] = sum(flat[:, source] for source in sources) / len(sources)
                is_filled[cell] = 1
            flags["n_filled"] = np.broadcast_to(is_filled.reshape(cells.shape[1:]), cells.shape)
        if cells.ndim == 4 and self.layers == "sum":
            flags = {name: flag.sum(axis=1) for name, flag in flags.items()}
        return CalibratedCells(cells, maps.mask, maps.noise, flags=flags)

    def _maps_of(self, of_run: Calibration) -> CellMaps:
        if of_run.run not in self._maps:
            self._maps[of_run.run] = cell_maps(
                of_run, self.calibrations.shape, self.grid, layers=self.layers, fill_dead=self.fill_dead
            )
        return self._maps[of_run.run]

    def _wrong_number(self, n_values: int, of_run: Calibration) -> str:
        """Return the error for events with another number of values; it names a channel left out, if one is."""
        table, channel = self.calibrations.table, of_run.channel
        what = "channels" if self.calibrations.order == "channel" else "cells"
        text = (
            f"{table.name}: {n_values} values an event in run {of_run.run}, and {len(channel)} {what} in the "
        )
        text += "table"
        missing = np.setdiff1d(np.arange(channel[0], channel[-1] + 1), channel)
        first = missing[0] if len(missing) else channel[-1] + 1
        if what == "channels" and n_values > len(channel):
            text += f": is channel {first} missing? Give each a row, of status 1 if it is not connected"
        return text

    def _unknown_channel(self, channel: ak.Array, channels: Array, runs: Array) -> str:
        import awkward as ak

        counts, flat = ak.to_numpy(ak.num(channel)), np.asarray(ak.flatten(channel))
        first = int(np.argmax(~np.isin(flat, channels)))
        run = np.repeat(runs, counts)[first]
        text = (
            f"{self.calibrations.table.name}: channel {flat[first]} has hits in run {run}, and no row: add one"
        )
        return f"{text}, of status 1 if its hits are not to be used"


def _subtract_common_mode(values: Array, of_run: Calibration) -> None:
    """Subtract the median of the good channels of a group from all of them, event by event."""
    for group in np.unique(of_run.group[of_run.group >= 0]):
        members = np.flatnonzero(of_run.group == group)
        good = members[of_run.good[members]]
        if len(good):
            values[:, members] -= np.median(values[:, good], axis=1)[:, None]


def _joined(parts: list[tuple[Array, CalibratedCells]], n_events: int) -> CalibratedCells:
    """Return the cells of all events from those of some each; maps that all share are kept as one."""
    _, first = parts[0]
    cells = np.empty((n_events, *first.values.shape[1:]), np.float64)
    flags = {name: np.empty((n_events, *flag.shape[1:]), np.int64) for name, flag in first.flags.items()}
    for events, part in parts:
        cells[events] = part.cells
        for name, flag in flags.items():
            flag[events] = part.flags[name]
    masks, noises = ([(events, getattr(part, word)) for events, part in parts] for word in ("mask", "noise"))
    if _are_equal(masks) and _are_equal(noises):
        return CalibratedCells(cells, first.mask, first.noise, flags=flags)
    mask, noise = _of_every_event(masks, n_events), _of_every_event(noises, n_events)
    return CalibratedCells(cells, mask, noise, by_event=True, flags=flags)


Maps = list[tuple[Array, Array | None]]  # the events of a period, and the map that they share


def _are_equal(maps: Maps) -> bool:
    _, first = maps[0]
    if first is None:
        return all(each is None for _, each in maps)
    return all(each is not None and np.array_equal(each, first) for _, each in maps)


def _of_every_event(maps: Maps, n_events: int) -> Array | None:
    """Return one map an event, without an entry where there is none."""
    given = next((each for _, each in maps if each is not None), None)
    if given is None:
        return None
    whole = np.zeros((n_events, *given.shape), given.dtype)
    for events, each in maps:
        if each is not None:
            whole[events] = each
    return whole
