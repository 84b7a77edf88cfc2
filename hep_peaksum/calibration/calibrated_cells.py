"""Raw values of channels or cells become energies on a grid: pedestals, gains, common mode, dead cells.

`find_clusters` takes what comes out, `CalibratedCells`, as grids, with their mask and noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from hep_peaksum.calibration.cell_maps import CellMaps, cell_maps
from hep_peaksum.calibration.energies import CellConstants, calibrate
from hep_peaksum.calibration.run_calibrations import Calibration, Calibrations
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hits import Hits, sparse
from hep_peaksum.kernels import Array, get_kernel, offsets_after_mask

if TYPE_CHECKING:
    import awkward as ak


@dataclass(frozen=True, eq=False)
class CalibratedCells:
    """Cells in the unit of a grid, with what the table says of them; `find_clusters` takes them as grids.

    `cells` is an array (event, row, col) or (event, layer, row, col), or hits. `mask` and `noise` are those of
    the cells that are searched: of every event, if `by_event` is set, or else of one, for all. Where
    `holds_absent` is set, masked cells hold `absent` already. `flags` are the numbers of saturated and of
    filled channels in every searched cell, by event; the fields `n_saturated` and `n_filled` add them up.
    """

    cells: Array | Hits
    mask: Array | None = None
    noise: Array | None = None
    by_event: bool = False
    holds_absent: bool = False
    flags: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.cells)

    @property
    def n_outside(self) -> int:
        """Number of hits outside the grid, or of channels that are nowhere."""
        return self.cells.n_outside if isinstance(self.cells, Hits) else 0

    def dense(self) -> CalibratedCells:
        """Return the same, with cells that are an array."""
        return replace(self, cells=self.cells.dense()) if isinstance(self.cells, Hits) else self

    def energies(self) -> Array:
        """Return the cells as an array, 0 where they are masked."""
        cells = self.cells.dense() if isinstance(self.cells, Hits) else self.cells
        return cells if self.mask is None else np.where(np.isneginf(cells), 0.0, cells)


def taken_apart(
    cells: Array | CalibratedCells, mask: Array | None, noise: Array | None, event: int | None = None
) -> tuple[Array, Array | None, Array | None]:
    """Return cells as an array, with their mask and noise, of all events or of one; `mask` is of one event."""
    if not isinstance(cells, CalibratedCells):
        return (cells if event is None else cells[event]), mask, noise
    masks, own = cells.mask, cells.noise
    if event is not None and cells.by_event:
        masks, own = (None if each is None else each[event] for each in (masks, own))
    joined = mask if masks is None else masks if mask is None else masks | mask
    values = cells.energies()
    return values if event is None else values[event], joined, own if noise is None else noise


def plain_cells(cells: Array | CalibratedCells) -> Array:
    """Return the energies of cells as an array, without mask and noise."""
    return cells.energies() if isinstance(cells, CalibratedCells) else cells


class Calibrator:
    """What a cell table does to raw values, for events of any runs.

    Parameters
    ----------
    calibrations
        Those of the table. Saturation codes of their grid are compared with the raw values.
    layers
        Whether layers are summed or searched separately, as for `find_clusters`.
    fill_dead
        Whether a cell whose status is not 0 is given the mean of its good neighbours, of up to eight; one
        without any stays masked.

    >>> from hep_peaksum.geometry.axis import Axis
    >>> from hep_peaksum.calibration.cell_table import CellTable
    >>> columns = {"channel": [0, 1], "row": [0, 0], "col": [1, 0], "pedestal": [10, 20], "gain": [0.5, 2]}
    >>> plane = Grid(rows=Axis(n=1), cols=Axis(n=2))
    >>> calibrator = Calibrator(Calibrations(CellTable.from_columns(columns), plane))
    >>> calibrator.dense(np.array([[12, 21]]), runs=np.array([1])).cells.tolist()
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
        raw = raw.reshape(len(raw), math.prod(raw.shape[1:]))  # -1 is nothing that numpy knows without events
        period, of_runs = self._periods(runs)
        if raw.shape[1] != len(of_runs[0].cell):
            raise CellTableError(self._wrong_number(raw.shape[1], of_runs[0]))
        maps = [self._maps_of(of_run) for of_run in of_runs]
        constants = CellConstants(
            *(np.concatenate(each) for each in zip(*(each.constants for each in maps), strict=True))
        )
        values = raw
        if (of_runs[0].group >= 0).any():
            values = _without_common_mode(raw, period, of_runs)
            constants = constants._replace(pedestal=np.zeros_like(constants.pedestal))
        cells = calibrate(values, period, constants)
        without_gain = np.flatnonzero((constants.gain == 0).any(axis=0))
        if values.dtype.kind == "f" and len(without_gain):  # no number remains none however it is multiplied
            gain, shift = (each[:, without_gain][period] for each in (constants.gain, constants.shift))
            cells[:, without_gain] = np.where(gain == 0, shift, cells[:, without_gain])
        shape, flags = self.calibrations.shape, {}
        if self.grid.saturated:
            flags["n_saturated"] = self._saturated(raw, period, of_runs)
        if self.fill_dead:
            flags["n_filled"] = _fill(cells, period, maps)
        found = self._result(cells.reshape(-1, *shape), period, maps, flags)
        is_sum = len(shape) == 3 and self.layers == "sum"
        # cells that were floats may be no number, which is for the search to find out
        return replace(found, holds_absent=found.mask is not None and not is_sum and raw.dtype.kind != "f")

    def hits(
        self, channel: ak.Array, value: ak.Array, runs: Array, time: ak.Array | None = None
    ) -> CalibratedCells:
        """Return jagged hits of channels as hits on the grid; those of channels without a place are outside.

        Raises
        ------
        CellTableError
            If a channel is not in the table; it names the run.
        """
        import awkward as ak

        channels, line = self._channels
        hits = sparse(ak.zeros_like(channel), channel, value, line)
        if hits.n_outside:
            raise CellTableError(self._unknown_channel(ak.Array(channel), channels, runs))
        times = None if time is None else sparse(ak.zeros_like(channel), channel, time, line)
        return self.hits_on_cells(hits, runs, times)

    @cached_property
    def _channels(self) -> tuple[Array, Grid]:
        """The channels of the table, and an axis of them."""
        channels = np.unique(self.calibrations.table["channel"])
        return channels, Grid(rows=Axis(n=1), cols=Axis(labels=", ".join(map(str, channels))))

    def hits_on_cells(self, hits: Hits, runs: Array, times: Hits | None = None) -> CalibratedCells:
        """Return hits with energies on the grid; their `cell` is the index of a channel, or of a cell.

        `times` are the same hits with the time of each as its value, from which t0 is subtracted; cells that
        are filled have none.
        """
        period, of_runs = self._periods(runs)
        maps = [self._maps_of(of_run) for of_run in of_runs]
        of_hit = np.repeat(period, np.diff(hits.event_offsets[:: hits.n_layers or 1]))
        source = _flat_cell(hits)
        good, pedestal, gain, t0, place = (
            np.stack([getattr(of_run, word) for of_run in of_runs])[of_hit, source]
            for word in ("good", "pedestal", "gain", "t0", "cell")
        )
        energy = np.where(good, (hits.value.astype(np.float64) - pedestal) * gain, 0.0)
        shape = self.calibrations.shape
        found, flags = _placed(hits, place, energy, shape), {}
        if times is not None:
            found = replace(found, moment=_placed(hits, place, energy * (times.value - t0), shape))
        if self.grid.saturated:
            is_saturated = (self._is_saturated(hits.value) & good).astype(np.int64)
            flags["n_saturated"] = _placed(hits, place, is_saturated, shape).dense()
        if not self.fill_dead:
            return self._result(found, period, maps, flags)
        cells = found.dense().reshape(len(runs), math.prod(shape))
        flags["n_filled"] = _fill(cells, period, maps)
        return self._result(cells.reshape(found.shape), period, maps, flags)

    def _periods(self, runs: Array) -> tuple[Array, list[Calibration]]:
        """Return the number of every event's calibration, and the calibrations."""
        if len(runs) == 0:
            return np.zeros(0, np.int64), [self.calibrations.of_any_run()]
        if (runs == runs[0]).all():  # nearly always, and the rest takes a tenth of a search
            return np.zeros(len(runs), np.int64), [self.calibrations.of_run(int(runs[0]))]
        period = self.calibrations.period(runs)
        _, first, number = np.unique(period, return_index=True, return_inverse=True)
        return number, [self.calibrations.of_run(int(run)) for run in runs[first]]

    def _result(
        self, cells: Array | Hits, period: Array, maps: Sequence[CellMaps], flags: dict[str, Array]
    ) -> CalibratedCells:
        """Return the cells with mask and noise: one of each for all events, if all have the same."""
        shape = self.calibrations.shape
        if len(shape) == 3 and self.layers == "sum":
            flags = {name: flag.reshape(-1, *shape).sum(axis=1) for name, flag in flags.items()}
        masks, noises = [each.mask for each in maps], [each.noise for each in maps]
        by_event = not (_are_equal(masks) and _are_equal(noises))
        mask, noise = (_of_every_event(each, period) if by_event else each[0] for each in (masks, noises))
        return CalibratedCells(cells, mask, noise, by_event, flags=flags)

    def _maps_of(self, of_run: Calibration) -> CellMaps:
        if of_run.run not in self._maps:
            self._maps[of_run.run] = cell_maps(
                of_run, self.calibrations.shape, self.grid, layers=self.layers, fill_dead=self.fill_dead
            )
        return self._maps[of_run.run]

    def _is_saturated(self, raw: Array) -> Array:
        """Return which raw values are one of the saturation codes of the grid, compared in their own type."""
        found, is_float = np.zeros(raw.shape, bool), raw.dtype.kind == "f"
        for code in self.grid.saturated:
            if is_float or code == int(code):
                found |= raw == (raw.dtype.type(code) if is_float else int(code))
        return found

    def _saturated(self, raw: Array, period: Array, of_runs: Sequence[Calibration]) -> Array:
        """Return whether the channel of every cell is saturated, shape (event, cell)."""
        n_cells, is_saturated = math.prod(self.calibrations.shape), self._is_saturated(raw)
        if not is_saturated.any():
            return np.broadcast_to(np.int64(0), (len(raw), n_cells))
        flags = np.zeros((len(raw), n_cells), np.int64)
        event, channel = np.nonzero(is_saturated)
        cell, good = (np.stack([getattr(each, word) for each in of_runs]) for word in ("cell", "good"))
        place = cell[period[event], channel]
        counts = good[period[event], channel] & (place >= 0)
        flags[event[counts], place[counts]] = 1
        return flags

    def _wrong_number(self, n_values: int, of_run: Calibration) -> str:
        """Return the error for events with another number of values; it names a channel left out, if one is."""
        table, channel = self.calibrations.table, of_run.channel
        what = "channels" if self.calibrations.order == "channel" else "cells"
        values = f"{n_values} values per event in run {of_run.run}"
        text = f"{table.name}: {values}, and {len(channel)} {what} in the table"
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
        problem = f"channel {flat[first]} has hits in run {run}, and no row"
        remedy = "add one, of status 1 if its hits are not to be used"
        return f"{self.calibrations.table.name}: {problem}: {remedy}"


def _flat_cell(hits: Hits) -> Array:
    """Return the number of the cell of every hit, counted through the layers."""
    if hits.n_layers is None:
        return hits.cell
    layer = np.repeat(np.arange(len(hits.event_offsets) - 1) % hits.n_layers, np.diff(hits.event_offsets))
    return np.asarray(layer * math.prod(hits.plane) + hits.cell)


def _placed(hits: Hits, place: Array, value: Array, shape: tuple[int, ...]) -> Hits:
    """Return hits in other cells, with other values; cells are counted through the layers, -1 is outside."""
    n_layers, (n_rows, n_cols) = shape[0] if len(shape) == 3 else None, shape[-2:]
    inside = place >= 0
    n_outside = hits.n_outside + len(inside) - int(np.count_nonzero(inside))
    layer, cell = np.divmod(place[inside], n_rows * n_cols)
    offsets = offsets_after_mask(hits.event_offsets[:: hits.n_layers or 1], inside)
    cell, value = cell.astype(hits.cell.dtype), value[inside]
    if n_layers is not None:
        layer = layer.astype(np.int32)
        offsets, cell, value = get_kernel("numba").sort_by_layer(offsets, layer, n_layers, cell, value)
    return Hits(offsets, cell, value, (n_rows, n_cols), n_outside, hits.is_traced, n_layers)


def _without_common_mode(raw: Array, period: Array, of_runs: Sequence[Calibration]) -> Array:
    """Return raw - pedestal, minus its median over the good channels of a group, event by event."""
    values = np.empty(raw.shape)
    for number, of_run in enumerate(of_runs):
        events = np.flatnonzero(period == number)
        above = raw[events] - of_run.pedestal
        for group in np.unique(of_run.group[of_run.group >= 0]):
            members = np.flatnonzero(of_run.group == group)
            good = members[of_run.good[members]]
            if len(good):
                above[:, members] -= np.median(above[:, good], axis=1)[:, None]
        values[events] = above
    return values


def _fill(cells: Array, period: Array, maps: Sequence[CellMaps]) -> Array:
    """Give dead cells, shape (event, cell), the mean of their good neighbours; return which are filled."""
    is_filled = np.zeros((len(maps), cells.shape[1]), np.int64)
    for number, each in enumerate(maps):
        events = np.flatnonzero(period == number)
        for cell, sources in each.sources.items():
            cells[events, cell] = sum(cells[events, source] for source in sources) / len(sources)
            is_filled[number, cell] = 1
    return is_filled[period]


def _are_equal(maps: Sequence[Array | None]) -> bool:
    first = maps[0]
    if first is None:
        return all(each is None for each in maps)
    return all(each is not None and np.array_equal(each, first) for each in maps)


def _of_every_event(maps: Sequence[Array | None], period: Array) -> Array | None:
    """Return one map an event, without an entry where there is none."""
    given = next((each for each in maps if each is not None), None)
    if given is None:
        return None
    return np.stack([np.zeros_like(given) if each is None else each for each in maps])[period]
