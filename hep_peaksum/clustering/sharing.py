"""Which cells a cluster holds, how much of each, and their sum.

`PeakContext` is the result of a search: the peaks of one grid, with all that a cluster field is computed from.
A kernel adds plain windows; gates, sides and the sharing of cells between clusters are settled in `Windows`, a
block of peaks at a time, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.clustering.discriminant import Cells, exists, is_plane, passes_cell_threshold
from hep_peaksum.clustering.seeding import cell_bound, passes_seed_threshold
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, Offset, Peaks, dense_grids, get_kernel
from hep_peaksum.loops.claims import DIVIDED, Claims, Events, Shares, event_blocks, squared_distances
from hep_peaksum.loops.saddles import saddles
from hep_peaksum.loops.windows import Places, Rivals, SumWindow, WindowLoops, sum_window, window_loops
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.windows import NOT_GATED

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class PeakContext:
    """The peaks of one grid, sorted by (event, row, col), with what their fields are computed from.

    `searched` are the cells that were searched, or the towers of them; `compared` hold the values that were
    compared, `summed` those that are added up. Layers that are searched separately are events of their own.
    These may be some of `n_given` events: how much memory a block of windows may take depends on all.
    `_settled` is the block of all windows, if there is but one: it serves every column that is made of them.
    """

    peaks: Peaks
    searched: Cells
    compared: Cells
    summed: Cells
    settings: PeakSumSettings
    n_given: int = 0
    _columns: dict[Hashable, Array] = field(default_factory=dict, init=False, repr=False)
    _settled: list[Block] = field(default_factory=list, repr=False)

    @property
    def grid(self) -> Grid:
        """The plane that was searched."""
        return self.searched.grid

    @property
    def sum_grid(self) -> Grid:
        """The plane of the cells that are added: finer than `grid` where their towers are searched."""
        return self.summed.grid

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (event, row, col) of what was searched."""
        return self.searched.source.shape

    @property
    def searched_cells(self) -> Array:
        """The cells or towers that were searched, shape (event, row, col): float32, float64 or int64."""
        return self.searched.values

    @property
    def discriminant(self) -> Array:
        """The values that the search compared, shape (event, row, col)."""
        return self.compared.values

    @property
    def summed_cells(self) -> Array:
        """The cells that are added, shape (event, row, col) on `sum_grid`."""
        return self.summed.values

    @property
    def n_separate_layers(self) -> int:
        """Number of layers of an event that were searched separately, each as an event of its own."""
        return self.searched.n_separate_layers

    @property
    def n_events(self) -> int:
        """Number of events, their layers counted as one."""
        return self.shape[0] // self.n_separate_layers

    @property
    def event(self) -> Array:
        """The event of every peak."""
        event = self.peaks.event
        return event if self.n_separate_layers == 1 else event // self.n_separate_layers

    @property
    def event_offsets(self) -> Array:
        """Where the peaks of each event begin; the last offset is their number."""
        return self.peaks.event_offsets[:: self.n_separate_layers]

    def is_absent(self, row: int, col: int) -> bool:
        """Return whether a cell of the first event is masked, or has no value to be compared."""
        is_masked = self.searched.mask is not None and self.searched.mask[0, row, col]
        return bool(is_masked or not exists(self.discriminant[0, row, col]))

    def passes_seed_threshold(self, row: int, col: int) -> bool:
        """Return whether a cell of the first event passes the seed threshold, whatever the cells around it."""
        index = (np.zeros(1, np.int64), np.array([row]), np.array([col]))
        values = self.discriminant[index].astype(self.peaks.seed.dtype)
        return bool(passes_seed_threshold(values, index, self.searched, self.settings)[0])

    def index_at(self, offsets: Iterable[Offset]) -> tuple[Array, Array]:
        """Return row and column of the searched cells at offsets from every peak; -1 beyond an edge."""
        row, col = np.array(list(offsets), np.int64).reshape(-1, 2).T
        return self.grid.wrap(self.peaks.row[:, None] + row, self.peaks.col[:, None] + col)

    def sum_offsets(self, offsets: tuple[Offset, ...]) -> Array:
        """Return the sum of the searched cells at some offsets from every peak."""
        kernel = get_kernel(self.settings.kernel)
        return kernel.sum_cells(self.searched_cells, self.peaks, offsets, None, self.grid.periodic)[0]

    def saddles(self) -> Array:
        """Return the height of the saddle between every peak and anything higher (see `loops.saddles`)."""
        return saddles(self.discriminant, self.peaks, self.grid.periodic, self.settings.kernel)

    @property
    def pooled(self) -> tuple[int, int]:
        """How many summed cells lie in a searched one, along rows and columns."""
        return (1, 1) if self.summed is self.searched else self.settings.coarsen

    @cached_property
    def sum_window(self) -> SumWindow:
        """The cells of the sum window, in summed cells and in searched ones."""
        settings, grid = self.settings, self.sum_grid
        return sum_window(settings.kernel, settings.sum_cells(), self.pooled, grid.shape, grid.periodic)

    @cached_property
    def loops(self) -> WindowLoops:
        """The loops over windows that go with the kernel."""
        return window_loops(self.settings.kernel)

    @property
    def overlap(self) -> str:
        """The rule for cells in several windows; where a seed removes cells, the highest gets them."""
        return "highest" if self.settings.removes_cells else self.settings.overlap

    @cached_property
    def gates(self) -> list[tuple[int, int]]:
        """The gated cells of the sum window and the cells that let them in, the innermost first."""
        gated = [(k, cell) for k, cell in enumerate(self.settings.gated_sum_cells()) if cell.gate != NOT_GATED]
        gated.sort(key=lambda pair: max(abs(pair[1].row), abs(pair[1].col)))
        return [(k, cell.gate) for k, cell in gated]

    def once(self, key: Hashable, compute: Callable[[], Array]) -> Array:
        """Return a column that several fields need, computed when the first of them is."""
        if key not in self._columns:
            self._columns[key] = compute()
        return self._columns[key]

    def of_windows(
        self, compute: Callable[[Windows], Array], *, settled: bool = True, contested: bool = False
    ) -> Array:
        """Return the results of a function of windows for all peaks, block by block (see `windows`)."""
        column = None
        for block in self.windows(settled=settled, contested=contested):
            part = compute(block)
            if column is None:
                column = np.empty((len(self.peaks), *part.shape[1:]), part.dtype)
            column[block.peaks] = part
        return np.asarray(column)

    def windows(self, *, settled: bool = True, contested: bool = False) -> Iterator[Windows]:
        """Yield the sum windows of all peaks in their order, a block of them at a time; one block at least.

        With `settled`, the cells that each cluster holds are decided; with `contested`, those that others
        claim, too.
        """
        if self._settled and settled and not contested:
            yield from self._windows(self._settled)
            return
        for events in event_blocks(self.peaks.event_offsets, self._most_events, self._most_peaks):
            claims = self._claims(events, contested=contested) if settled else None
            # what a block computes is kept for the second pass only where there is no other block
            only = [Block(events, events.peaks, claims, {})] if events.n_peaks <= self._most_peaks else None
            if claims is not None and claims.is_used:
                for windows in self._windows(only or self._blocks(events, claims)):
                    claims.add(self.loops, windows.place, windows.is_added, windows.first)
            if only and settled and not contested and events.n_peaks == len(self.peaks):
                self._settled.extend(only)
            yield from self._windows(only or self._blocks(events, claims))

    def _windows(self, blocks: Iterable[Block]) -> Iterator[Windows]:
        return (Windows(self, *block) for block in blocks)

    def _blocks(self, events: Events, claims: Claims | None) -> Iterator[Block]:
        first, stop, step = events.peaks.start, events.peaks.stop, self._most_peaks
        for start in range(first, stop, step):
            yield Block(events, slice(start, min(start + step, stop)), claims, {})

    def _claims(self, events: Events, *, contested: bool) -> Claims:
        """Return the planes for claims on the cells of some events, with what decides between them."""
        peaks, distance = events.peaks, self._distances if self.overlap == "nearest" else None
        weight = self.sharing_weights[peaks] if self.overlap in DIVIDED else None
        rivals = Rivals(self.peaks.seed[peaks], self.settings.greedy_ties == "last", weight, distance)
        n_cells = events.n_events * self.sum_grid.n_cells
        return Claims.on(n_cells, self.overlap, rivals, contested=contested)

    @cached_property
    def _distances(self) -> Array:
        """How far from the seed the cells of the sum window lie, squared."""
        grid = self.grid
        obliqueness = 0 if grid.hexagons is None else grid.hexagons.obliqueness
        offsets = self.sum_window.tower_offsets
        return squared_distances(offsets, grid.shape, grid.periodic, obliqueness=obliqueness)

    @property
    def _most_events(self) -> int:
        n_cells = block_sizes.cells_at_a_time(block_sizes.CLAIM_CELLS, self._n_bytes // 32)
        return max(1, n_cells // self.sum_grid.n_cells)

    @cached_property
    def _most_peaks(self) -> int:
        n_cells = block_sizes.cells_at_a_time(block_sizes.WINDOW_CELLS, self._n_bytes // 192)
        return max(1, n_cells // len(self.sum_window.offsets))

    @property
    def _n_bytes(self) -> int:
        n_planes = max(self.shape[0], self.n_given * self.n_separate_layers)
        return n_planes * self.sum_grid.n_cells * self.summed.dtype.itemsize

    @cached_property
    def sharing_weights(self) -> Array:
        """The weight of every peak in the division of cells; one that is not positive is an error."""
        if self.overlap == "equal":
            return np.ones(len(self.peaks))
        is_seed = self.overlap == "proportional"
        weights = (
            self.peaks.seed if is_seed else self.of_windows(lambda block: block.sum(block.added), settled=False)
        )
        if (weights <= 0).any():
            n = int(np.argmax(weights <= 0))
            word = "seed" if is_seed else "sum"
            keys = "seed_threshold" if is_seed else "seed_threshold, cell_threshold or sum_window"
            msg = (
                f"overlap {self.overlap!r} divides cells in proportion to the {word}s, but the {word} at (row "
                f"{self.peaks.row[n]}, col {self.peaks.col[n]}) is {weights[n]}: keep {word}s above 0 by "
                f"{keys}, or choose another overlap"
            )
            raise EventError(int(self.event[n]), msg)
        return weights.astype(np.float64, copy=False)

    @cached_property
    def sum_noise(self) -> Array:
        """The noise of the cells that each cluster holds, added in quadrature."""
        if self.summed.noise is None:
            msg = "field 'noise' needs the noise of the cells: give noise"
            raise ValueError(msg)
        return self.of_windows(Windows.noise)


class Block(NamedTuple):
    """Some peaks of some events, and the claims on their cells; `known` is what was computed of their windows.

    It does not refer to a context, so that a context that keeps it is freed without waiting for a collection.
    """

    events: Events
    peaks: slice
    claims: Claims | None
    known: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Windows:
    """The sum windows of the peaks of a block: arrays (peak, cell), the cells in row-major order."""

    context: PeakContext
    events: Events
    peaks: slice
    claims: Claims | None
    known: dict[str, Any]

    @property
    def event(self) -> Array:
        """The event of every peak."""
        return self.context.peaks.event[self.peaks]

    @property
    def first(self) -> int:
        """The number of the first peak, counted from the first of the events."""
        return int(self.peaks.start - self.events.peaks.start)

    def sum(self, parts: Array) -> Array:
        """Return the sum of every window, its cells added one after the other."""
        return self.context.loops.ordered_sum(parts)

    def _once(self, name: str, compute: Callable[[], T]) -> T:
        """Return what is known of the block by this name, computed at the first time."""
        if name not in self.known:
            self.known[name] = compute()
        known: T = self.known[name]
        return known

    def _look_up(self) -> tuple[Array, Array]:
        """Return place and values."""
        context, (n, m) = self.context, self.context.pooled
        row, col = context.peaks.row[self.peaks], context.peaks.col[self.peaks]
        places = Places(*(x.astype(np.int64) for x in (self.event - self.events.first, row * n, col * m)))
        grids = _grids(context.summed.source, self.events)
        return context.loops.window_cells(grids, places, context.sum_window.tables)

    @property
    def place(self) -> Array:
        """Where the cells lie in the flat planes of the events; -1 beyond an edge."""
        return self._once("cells", self._look_up)[0]

    @property
    def values(self) -> Array:
        """The cells, float64 or int64; beyond an edge `absent`."""
        return self._once("cells", self._look_up)[1]

    def cell(self) -> Array:
        """Return the number of every cell in its plane, row after row; 0 beyond an edge."""
        n_before = (self.event - self.events.first) * self.context.sum_grid.n_cells
        return np.asarray(np.maximum(self.place - n_before[:, None], 0))

    def pick(self, array: Array) -> Array:
        """Return the elements of an array (event, row, col) at the cells; arbitrary beyond an edge."""
        if is_plane(array):
            return np.asarray(array[:1].reshape(-1).take(self.cell()))
        return np.asarray(array[self.events.first : self.events.stop].reshape(-1).take(self.place))

    @property
    def is_added(self) -> Array:
        """Which cells exist, pass cell threshold and gate, and lie on the stronger side."""
        return self._once("is_added", self._add)

    def _add(self) -> Array:
        context, settings, values = self.context, self.context.settings, self.values
        is_added = exists(values)
        if settings.cell_threshold is not None:
            is_added &= passes_cell_threshold(values, self.pick, context.summed, settings)
        if context.searched.groups is not None:
            is_added &= self._in_own_group(context.searched.groups)
        for k, gate in context.gates:
            is_added[:, k] &= is_added[:, gate]
        return is_added if settings.keep_stronger_side is None else self._on_stronger_side(is_added)

    def _in_own_group(self, groups: Array) -> Array:
        """Return which cells are in the group of the seed; arbitrary beyond an edge."""
        context, peaks, (n, m) = self.context, self.context.peaks, self.context.pooled
        own = groups[self.event, peaks.row[self.peaks], peaks.col[self.peaks]]
        if (n, m) == (1, 1):
            return np.asarray(self.pick(groups) == own[:, None])
        row, col = np.divmod(self.cell(), context.sum_grid.shape[1])
        return np.asarray(groups[self.event[:, None], row // n, col // m] == own[:, None])

    def _on_stronger_side(self, is_added: Array) -> Array:
        """Return the added cells without those of the weaker side; of equal sides the higher offsets stay."""
        along = self.context.sum_window.tower_offsets[
            :, 0 if self.context.settings.keep_stronger_side == "rows" else 1
        ]
        lower, higher = (self.sum(np.where(is_added & side, self.values, 0)) for side in (along < 0, along > 0))
        keeps_higher = (higher >= lower)[:, None]
        return np.asarray(is_added & np.where(keeps_higher, along >= 0, along <= 0))

    @property
    def added(self) -> Array:
        """The cells that are added, 0 in place of the others."""
        return np.where(self.is_added, self.values, 0)

    @property
    def shares(self) -> Shares:
        """What each cluster holds of the cells of its window, under the overlap policy."""
        return self._once("shares", lambda: self._share_out(self.values))

    @property
    def parts(self) -> Shares:
        """Which part of every cell each cluster holds, from 0 to 1; also of cells whose layers add up to 0."""
        return self._once("parts", lambda: self._share_out(np.ones_like(self.values)))

    def _share_out(self, values: Array) -> Shares:
        if self.claims is None:
            msg = "who holds these cells has not been settled"
            raise RuntimeError(msg)
        return self.claims.shares(self.context.loops, values, self.place, self.is_added, self.first)

    @property
    def contested(self) -> Array:
        """What each cluster holds of the cells that others claim, too, 0 elsewhere."""
        is_contested = self.claims is not None and self.claims.is_contested(self.place, self.is_added)
        return np.where(is_contested, self.shares.values, 0)

    def noise(self) -> Array:
        """Return the noise of the held cells, added in quadrature."""
        noise = self.pick(np.asarray(self.context.summed.noise)).astype(np.float64)
        return np.sqrt(self.sum(np.where(self.shares.is_held, np.square(noise), 0.0)))


def _grids(source: Array | Hits, events: Events) -> Array:
    """Return the cells of some events as they were given, those of hits as the accumulator has them."""
    if not isinstance(source, Hits):
        return source[events.first : events.stop]
    offsets = source.event_offsets[events.first : events.stop + 1]
    hits = slice(offsets[0], offsets[-1])
    return dense_grids(offsets - offsets[0], source.cell[hits], source.value[hits], source.plane)


def window_sums(context: PeakContext) -> Peaks:
    """Return the peaks with the sums of their windows, cells shared as the settings say."""
    settings, peaks, grid = context.settings, context.peaks, context.sum_grid
    if settings.adds_whole_windows:
        cells, (n, m) = context.summed_cells, context.pooled
        bound = cell_bound(settings, grid.unit, integer=cells.dtype.kind != "f")
        places = Peaks.at(
            (peaks.event, peaks.row * n, peaks.col * m), cells.shape, peaks.seed, peaks.sum, peaks.n_cells
        )
        offsets = tuple(map(tuple, context.sum_window.offsets.tolist()))
        total, n_cells = get_kernel(settings.kernel).sum_cells(cells, places, offsets, bound, grid.periodic)
        return replace(peaks, sum=total, n_cells=n_cells)
    columns: tuple[Array, ...] = ()
    for block in context.windows():
        held, is_held = block.shares
        columns = columns or (np.empty(len(peaks), held.dtype), np.empty(len(peaks), np.int32))
        for column, part in zip(columns, (block.sum(held), is_held.sum(axis=1)), strict=True):
            column[block.peaks] = part
    return replace(peaks, sum=columns[0], n_cells=columns[1])
