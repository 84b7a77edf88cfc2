"""Which cells a cluster holds, which part of each, and their sum.

`PeakContext` is the result of a search: the peaks of one grid, with all that a cluster field is computed from.
A kernel adds plain windows; gates, sides and the sharing of cells between clusters are settled here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hep_peaksum.clustering.discriminant import Cells, exists, passes_cell_threshold
from hep_peaksum.clustering.seeding import cell_bound, order_by_height, passes_seed_threshold
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.kernels import Array, Offset, Peaks, accumulator, get_kernel
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.windows import NOT_GATED


class Shares(NamedTuple):
    """What each cluster holds of the cells of its sum window, shape (peak, cell).

    `values` are the counts that it holds, `is_held` says whether it holds any of a cell, `is_contested` whether
    another cluster claims the cell, too.
    """

    values: Array
    is_held: Array
    is_contested: Array


class Weights(NamedTuple):
    """The weights of the cells in the position of a cluster, shape (peak, cell), and their sum.

    Where no cell weighs anything `is_empty` is True and `total` is 1.
    """

    values: Array
    total: Array
    is_empty: Array


@dataclass(frozen=True, eq=False)
class PeakContext:
    """The peaks of one grid, sorted by (event, row, col), with what their fields are computed from.

    `searched` are the cells that were searched, or the towers of them; `compared` have the values that were
    compared, `summed` those that are added up. Layers that are searched separately are events of their own.
    """

    peaks: Peaks
    searched: Cells
    compared: Cells
    summed: Cells
    settings: PeakSumSettings

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
        places = np.array(list(offsets), np.int64).reshape(-1, 2)
        return _index_at(self.peaks.row, self.peaks.col, places, self.grid)

    def sum_offsets(self, offsets: tuple[Offset, ...]) -> Array:
        """Return the sum of the searched cells at some offsets from every peak."""
        kernel = get_kernel(self.settings.kernel)
        return kernel.sum_cells(self.searched_cells, self.peaks, offsets, None, self.grid.periodic)[0]

    @cached_property
    def estimates(self) -> dict[str, Array]:
        """Pile-up estimates of every peak, by name, once they are worked out."""
        return {}

    def saddles(self) -> Array:
        """Return the height of the saddle between every peak and anything higher (see `Kernel.saddles`)."""
        kernel = get_kernel(self.settings.kernel)
        return kernel.saddles(self.discriminant, self.peaks, self.grid.periodic)

    @property
    def pooled(self) -> tuple[int, int]:
        """How many summed cells lie in a searched one, along rows and columns."""
        return (1, 1) if self.summed is self.searched else self.settings.coarsen

    @cached_property
    def window_offsets(self) -> tuple[Array, Array]:
        """Offsets of the cells of the sum window, row-major: in summed cells, and in searched ones."""
        n, m = self.pooled
        pairs = sorted(
            ((d * n + i, p * m + j), (d, p))
            for d, p in self.settings.sum_cells()
            for i in range(n)
            for j in range(m)
        )
        summed, searched = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
        return summed, searched

    @property
    def window_distances(self) -> tuple[Array, Array]:
        """Rows and columns from the centre of the seed to the cells of its window, in searched cells."""
        n, m = self.pooled
        rows, cols = self.window_offsets[0].T
        return (rows + 0.5) / n - 0.5, (cols + 0.5) / m - 0.5

    @cached_property
    def window_index(self) -> tuple[Array, Array]:
        """Row and column of every cell of every sum window, shape (peak, cell); -1 beyond an edge."""
        n, m = self.pooled
        return _index_at(self.peaks.row * n, self.peaks.col * m, self.window_offsets[0], self.sum_grid)

    def in_windows(self, array: Array) -> Array:
        """Return the elements of an array (event, row, col) in every sum window; arbitrary beyond an edge."""
        row, col = self.window_index
        return np.asarray(array[self.peaks.event[:, None], row, col])

    @cached_property
    def window_values(self) -> Array:
        """The cells of every sum window, float64 or int64; arbitrary where `is_added` is False."""
        cells = self.in_windows(self.summed_cells)
        # numpy would compare float32 cells with a float32 bound
        return np.asarray(cells.astype(accumulator(cells.dtype)))

    @cached_property
    def is_added(self) -> Array:
        """Which cells of a window exist, pass cell threshold and gate, and lie on the stronger side."""
        settings, values = self.settings, self.window_values
        is_added = (self.window_index[0] >= 0) & exists(values)
        if settings.cell_threshold is not None:
            noise = None if self.summed.noise is None else self.in_windows(self.summed.noise)
            is_added &= passes_cell_threshold(values, noise, settings, self.grid.unit)
        if self.searched.groups is not None:
            is_added &= self._in_own_group(self.searched.groups)
        gated = [(k, cell) for k, cell in enumerate(settings.gated_sum_cells()) if cell.gate != NOT_GATED]
        for k, cell in sorted(gated, key=lambda pair: max(abs(pair[1].row), abs(pair[1].col))):
            is_added[:, k] &= is_added[:, cell.gate]
        return is_added if settings.keep_stronger_side is None else self._on_stronger_side(is_added)

    def _in_own_group(self, groups: Array) -> Array:
        """Return which cells of a window are in the group of the seed; arbitrary beyond an edge."""
        (n, m), (row, col), peaks = self.pooled, self.window_index, self.peaks
        own = groups[peaks.event, peaks.row, peaks.col]
        return np.asarray(groups[peaks.event[:, None], row // n, col // m] == own[:, None])

    def _on_stronger_side(self, is_added: Array) -> Array:
        """Return the added cells without those of the weaker side; of equal sides the higher offsets stay."""
        along = self.window_offsets[1][:, 0 if self.settings.keep_stronger_side == "rows" else 1]
        lower, higher = (
            ordered_sum(np.where(is_added & side, self.window_values, 0)) for side in (along < 0, along > 0)
        )
        keeps_higher = (higher >= lower)[:, None]
        return np.asarray(is_added & np.where(keeps_higher, along >= 0, along <= 0))

    @cached_property
    def shares(self) -> Shares:
        """What each cluster holds of the cells of its window, under the overlap policy."""
        is_added, values = self.is_added, self.window_values
        peak, k = np.nonzero(is_added)  # of every claim: by which peak, to which cell of its window
        row, col = (index[is_added] for index in self.window_index)
        flat = np.ravel_multi_index((self.peaks.event[peak], row, col), self.summed_cells.shape)
        _, cell, n_claims = np.unique(flat, return_inverse=True, return_counts=True)
        is_contested = np.zeros(is_added.shape, bool)
        is_contested[is_added] = (n_claims > 1)[cell]
        policy = "highest" if self.settings.removes_cells else self.settings.overlap
        if policy in ("shared", "suppress"):
            return Shares(np.where(is_added, values, 0), is_added, is_contested)
        if policy in ("highest", "nearest"):
            is_held = np.zeros(is_added.shape, bool)
            owners = self._owners(policy, peak, k, cell)
            is_held[peak[owners], k[owners]] = True
            return Shares(np.where(is_held, values, 0), is_held, is_contested)
        value = values[is_added]
        weight = self._sharing_weights(policy)[peak]
        total = np.bincount(cell, weights=weight)[cell]  # added in the order of the peaks
        parts = np.zeros(is_added.shape, np.float64)
        parts[is_added] = np.where(is_contested[is_added], value * weight / total, value)
        return Shares(parts, is_added, is_contested)

    def _owners(self, policy: str, peak: Array, k: Array, cell: Array) -> Array:
        """Return for every cell the claim that gets it: that of the nearest peak, then of the highest."""
        distance = self._squared_distance()[k] if policy == "nearest" else np.zeros(len(k))
        rank = np.argsort(order_by_height(self.peaks, self.settings))
        order = np.lexsort((rank[peak], distance, cell))
        return np.asarray(order[np.unique(cell[order], return_index=True)[1]])

    def _squared_distance(self) -> Array:
        """Return the squared distance of the cells of the window from the seed, the short way across a seam."""
        distance = np.abs(self.window_offsets[1])
        for axis, (size, is_periodic) in enumerate(zip(self.grid.shape, self.grid.periodic, strict=True)):
            if is_periodic:
                distance[:, axis] = np.minimum(distance[:, axis] % size, -distance[:, axis] % size)
        return np.asarray((distance**2).sum(axis=1))

    def _sharing_weights(self, policy: str) -> Array:
        """Return the weight of each peak in the division of cells; one that is not positive is an error."""
        if policy == "equal":
            return np.ones(len(self.peaks))
        is_seed = policy == "proportional"
        weights = self.peaks.seed if is_seed else ordered_sum(np.where(self.is_added, self.window_values, 0))
        if (weights <= 0).any():
            n = int(np.argmax(weights <= 0))
            word = "seed" if is_seed else "sum"
            msg = (
                f"overlap {policy!r} divides cells in proportion to the {word}s, but the {word} at (row "
                f"{self.peaks.row[n]}, col {self.peaks.col[n]}) is {weights[n]}: set seed_threshold above 0, "
                "or choose another overlap"
            )
            raise EventError(int(self.event[n]), msg)
        return weights.astype(np.float64)

    @cached_property
    def weights(self) -> Weights:
        """The weights of the held cells in the position of the cluster, linear or logarithmic.

        Logarithmic ones are max(0, w0 + ln(E / sum of positive E)): T. C. Awes et al., NIM A 311 (1992) 130.
        """
        energy = np.where(self.shares.is_held, self.shares.values, 0).clip(min=0).astype(np.float64)
        values = energy
        if self.settings.position == "log":
            total = ordered_sum(energy)
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = self.settings.w0 + np.log(energy / total[:, None])
            values = np.where(energy > 0, np.maximum(0.0, logs), 0.0)
        total = ordered_sum(values)
        is_empty = ~(total > 0) | ~np.isfinite(total)  # also where weights are too small to be normalised
        return Weights(values, np.where(is_empty, 1.0, total), is_empty)

    @cached_property
    def sum_noise(self) -> Array:
        """The noise of the cells that each cluster holds, added in quadrature."""
        if self.summed.noise is None:
            msg = "field 'noise' needs the noise of the cells: give noise"
            raise ValueError(msg)
        noise = self.in_windows(self.summed.noise)
        return np.sqrt(ordered_sum(np.where(self.shares.is_held, np.square(noise.astype(np.float64)), 0.0)))


def window_sums(context: PeakContext) -> Peaks:
    """Return the peaks with the sums of their windows, cells shared as the settings say."""
    settings, peaks = context.settings, context.peaks
    if context.summed is context.searched and settings.adds_whole_windows:
        cells, grid = context.summed_cells, context.grid
        bound = cell_bound(settings, grid.unit, integer=cells.dtype.kind != "f")
        total, n_cells = get_kernel(settings.kernel).sum_cells(
            cells, peaks, settings.sum_cells(), bound, grid.periodic
        )
        return replace(peaks, sum=total, n_cells=n_cells)
    shares = context.shares
    return replace(peaks, sum=ordered_sum(shares.values), n_cells=shares.is_held.sum(axis=1, dtype=np.int32))


def ordered_sum(parts: Array) -> Array:
    """Return the sum over the last axis, added one after the other: numpy's own order depends on the shape."""
    total = np.zeros(parts.shape[:-1], parts.dtype)
    for k in range(parts.shape[-1]):
        total += parts[..., k]
    return total


def _index_at(row: Array, col: Array, offsets: Array, grid: Grid) -> tuple[Array, Array]:
    """Return row and column at offsets from every given cell, shape (cell, offset); -1 beyond an edge."""
    return grid.wrap(row[:, None] + offsets[:, 0], col[:, None] + offsets[:, 1])
