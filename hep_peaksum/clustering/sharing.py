"""Which cells a peak holds, which part of each, and what they add up to.

`PeakContext` is what a search gives: the peaks of one grid with all that a cluster field may need to know about
them. Plain windows are added by a kernel; gates, sides and sharing between clusters are settled here, for any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hep_peaksum.clustering.seeding import rank_by_height
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.kernels import Array, Kernel, Offset, Peaks, absent, accumulator
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import inclusive_bound, passes
from hep_peaksum.settings.windows import NOT_GATED


class Shares(NamedTuple):
    """What each peak holds of each cell of its sum window, shape (peak, cell).

    `part` is the energy, `held` whether there is any, `contested` whether another peak has a claim to it, too.
    """

    part: Array
    held: Array
    contested: Array


class Weights(NamedTuple):
    """What each cell of a sum window weighs, shape (peak, cell), and which peaks have nothing that weighs."""

    weight: Array
    total: Array
    nothing: Array


@dataclass(frozen=True)
class PeakContext:
    """The peaks of one grid, sorted by (event, row, col), with what fields are computed from.

    `grids` is what was searched, (event, row, col) on the plane `grid`: the cells, or towers of them;
    `quantity` what was compared in it. `cells` is what is added, on the plane `plane`; `mask` and `noise` are
    those of `cells`, `grid_mask` and `grid_noise` those of `grids`. With layers apart every layer is an event
    of its own, `n_layers` to one event. Of hits, grids are made only when somebody looks at one; what was
    compared and what is added are None where they are what was searched.
    """

    peaks: Peaks
    searched_cells: Array | Hits
    grid: Grid
    plane: Grid
    settings: PeakSumSettings
    kernel: Kernel
    compared: Array | None = None
    summed_cells: Array | None = None
    layers: Array | None = None
    n_layers: int = 1
    mask: Array | None = None
    noise: Array | None = None
    grid_mask: Array | None = None
    grid_noise: Array | None = None

    @cached_property
    def grids(self) -> Array:
        """What was searched, shape (event, row, col): float32, float64 or int64."""
        if isinstance(self.searched_cells, Hits):
            return self.searched_cells.dense()
        is_small = self.searched_cells.dtype.kind == "i"  # of a type in which what is computed would not fit
        return self.searched_cells.astype(np.int64, copy=False) if is_small else self.searched_cells

    @property
    def quantity(self) -> Array:
        """What was compared."""
        return self.grids if self.compared is None else self.compared

    @property
    def cells(self) -> Array:
        """What is added."""
        return self.grids if self.summed_cells is None else self.summed_cells

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.searched_cells) // self.n_layers

    @property
    def event_offsets(self) -> Array:
        """Where the peaks of every event begin; the end is the last."""
        return self.peaks.event_offsets[:: self.n_layers]

    @property
    def event(self) -> Array:
        """The event of every peak."""
        return self.peaks.event if self.n_layers == 1 else self.peaks.event // self.n_layers

    def is_absent(self, row: int, col: int) -> bool:
        """Return whether a cell of the first event is masked, or has nothing that could be compared."""
        if self.grid_mask is not None and self.grid_mask[0, row, col]:
            return True
        return bool(self.quantity[0, row, col] == absent(self.quantity.dtype))

    @property
    def adds_towers(self) -> bool:
        """Whether what is added is what was searched."""
        return self.settings.sum_over == "towers" or self.settings.coarsen == (1, 1)

    @cached_property
    def offsets(self) -> tuple[Array, Array]:
        """Offsets of the cells of the sum window, row-major: in cells from the seed's first, and in towers."""
        pool = (1, 1) if self.adds_towers else self.settings.coarsen
        steps = [(i, j) for i in range(pool[0]) for j in range(pool[1])]
        both = [
            ((d * pool[0] + i, p * pool[1] + j), (d, p)) for d, p in self.settings.sum_cells() for i, j in steps
        ]
        both.sort()
        cells, towers = (np.array([pair[k] for pair in both], np.int64) for k in (0, 1))
        return cells, towers

    @cached_property
    def window(self) -> tuple[Array, Array]:
        """Row and column of every cell of every sum window, shape (peak, cell); -1 beyond an edge."""
        offsets, pool = self.offsets[0], (1, 1) if self.adds_towers else self.settings.coarsen
        return _places(self.peaks.row * pool[0], self.peaks.col * pool[1], offsets, self.plane)

    def around(self, offsets: Iterable[Offset]) -> tuple[Array, Array]:
        """Return row and column of what was searched at offsets from every peak; -1 beyond an edge."""
        return _places(
            self.peaks.row, self.peaks.col, np.array(list(offsets), np.int64).reshape(-1, 2), self.grid
        )

    def _in_window(self, array: Array) -> Array:
        """Return what an array of the shape of `cells` holds in every sum window; beyond an edge whatever."""
        row, col = self.window
        return np.asarray(array[self.peaks.event[:, None], row, col])

    @cached_property
    def values(self) -> Array:
        """The cells of every sum window, float64 or int64; beyond an edge whatever, see `added`."""
        # numpy would compare float32 cells with a float32 bound
        cells = self._in_window(self.cells)
        return np.asarray(cells.astype(accumulator(self.cells.dtype)))

    @cached_property
    def added(self) -> Array:
        """Which cells of a sum window pass, their gates open, on the stronger side: shape (peak, cell)."""
        added = (self.window[0] >= 0) & (self.values != absent(self.values.dtype))
        settings = self.settings
        if settings.cell_threshold is not None:
            values = np.abs(self.values) if settings.cell_threshold_abs else self.values
            noise = None if self.noise is None else self._in_window(self.noise)
            added &= passes(
                values, settings.cell_threshold, settings.cell_comparison, self.grid.unit, noise=noise
            )
        cells = settings.gated_sum_cells()
        gated = [(k, cell) for k, cell in enumerate(cells) if cell.gate != NOT_GATED]
        for k, cell in sorted(gated, key=lambda pair: max(abs(pair[1].row), abs(pair[1].col))):
            added[:, k] &= added[:, cell.gate]
        return added if settings.keep_stronger_side is None else np.asarray(added & self._stronger_side(added))

    def _stronger_side(self, added: Array) -> Array:
        """Return which cells of a window stay if the weaker side goes; of equal sides the higher stays."""
        along = self.offsets[1][:, 0 if self.settings.keep_stronger_side == "rows" else 1]
        lower, higher = (ordered_sum(np.where(added & side, self.values, 0)) for side in (along < 0, along > 0))
        keeps_higher = (higher >= lower)[:, None]
        return np.where(keeps_higher, along >= 0, along <= 0)

    @cached_property
    def shares(self) -> Shares:
        """What each peak holds of the cells of its window, under the overlap policy."""
        added = self.added
        peak, k = np.nonzero(added)
        row, col = (index[added] for index in self.window)
        flat = np.ravel_multi_index((self.peaks.event[peak], row, col), self.cells.shape)
        _, cell, n_holders = np.unique(flat, return_inverse=True, return_counts=True)
        contested = np.zeros(added.shape, bool)
        contested[added] = (n_holders > 1)[cell]
        return self._shared(added, contested, peak, k, cell)

    def _shared(self, added: Array, contested: Array, peak: Array, k: Array, cell: Array) -> Shares:
        """Return the parts; `peak`, `k` and `cell` number the claims: whose, where in the window, to what."""
        policy = "highest" if self.settings.tie_rule == "greedy-residual" else self.settings.overlap
        values = self.values[added]
        if policy in ("shared", "suppress"):
            return Shares(np.where(added, self.values, 0), added, contested)
        if policy in ("highest", "nearest"):
            distance = self._squared_distance()[k] if policy == "nearest" else np.zeros(len(k))
            by_claim = np.lexsort((self.precedence[peak], distance, cell))
            first = np.unique(cell[by_claim], return_index=True)[1]
            held = np.zeros(added.shape, bool)
            owner = by_claim[first]
            held[peak[owner], k[owner]] = True
            return Shares(np.where(held, self.values, 0), held, contested)
        weight = self._weights(policy)[peak]
        total = np.bincount(cell, weights=weight)[cell]  # added in the order of the peaks
        part = np.zeros(added.shape, np.float64)
        part[added] = np.where(contested[added], values * weight / total, values)
        return Shares(part, added, contested)

    @property
    def precedence(self) -> Array:
        """The place of every peak in the order in which cells are given away, over all events."""
        return np.argsort(rank_by_height(self.peaks, self.settings))

    def _squared_distance(self) -> Array:
        """Return how far the cells of the window are from the seed, squared, the short way across a seam."""
        apart = np.abs(self.offsets[1])
        for axis, (size, is_closed) in enumerate(zip(self.grid.shape, self.grid.periodic, strict=True)):
            if is_closed:
                apart[:, axis] = np.minimum(apart[:, axis] % size, -apart[:, axis] % size)
        return np.asarray((apart**2).sum(axis=1))

    def _weights(self, policy: str) -> Array:
        """Return what each peak is worth where it shares; what is not positive is refused."""
        if policy == "equal":
            return np.ones(len(self.peaks))
        is_seed = policy == "proportional"
        weights = self.peaks.seed if is_seed else ordered_sum(np.where(self.added, self.values, 0))
        if (weights <= 0).any():
            n = int(np.argmax(weights <= 0))
            what = "seed" if is_seed else "sum"
            msg = (
                f"overlap {policy!r} shares in proportion to the {what}, and that of (row {self.peaks.row[n]}, "
                f"col {self.peaks.col[n]}) is {weights[n]}: set seed_threshold above 0, or another overlap"
            )
            raise EventError(int(self.event[n]), msg)
        return weights.astype(np.float64)

    @cached_property
    def weights(self) -> Weights:
        """What the parts that a cluster holds weigh in its position, linearly or logarithmically.

        Logarithmic ones are max(0, w0 + ln(E / sum of positive E)): T. C. Awes et al., NIM A 311 (1992) 130.
        """
        energy = np.where(self.shares.held, self.shares.part, 0).clip(min=0).astype(np.float64)
        weight = energy
        if self.settings.position == "log":
            total = ordered_sum(energy)
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = self.settings.w0 + np.log(energy / total[:, None])
            weight = np.where(energy > 0, np.maximum(0.0, logs), 0.0)
        total = ordered_sum(weight)
        # also weights so small that they cannot be normalised say nothing
        nothing = ~(total > 0) | ~np.isfinite(total)
        return Weights(weight, np.where(nothing, 1.0, total), nothing)

    @cached_property
    def noise_of_sum(self) -> Array:
        """The noise of the cells that were added, in quadrature."""
        if self.noise is None:
            msg = "field 'noise' needs the noise of the cells: give noise"
            raise ValueError(msg)
        noise = self._in_window(self.noise)
        return np.sqrt(ordered_sum(np.where(self.shares.held, np.square(noise.astype(np.float64)), 0.0)))

    def sum_offsets(self, offsets: tuple[Offset, ...]) -> Array:
        """Return the sum of the cells at some offsets from every seed, on the plane that was searched."""
        return self.kernel.sum_cells(self.grids, self.peaks, offsets, None, self.grid.periodic)[0]


def window_sums(found: PeakContext) -> Peaks:
    """Return the peaks with the sums of their windows, shared as the settings say."""
    settings, cells = found.settings, found.cells
    if found.adds_towers and settings.adds_whole_windows:
        bound = cell_bound(settings, found.grid, cells)
        total, n_cells = found.kernel.sum_cells(
            cells, found.peaks, settings.sum_cells(), bound, found.plane.periodic
        )
        return replace(found.peaks, sum=total, n_cells=n_cells)
    shares = found.shares
    n_cells = shares.held.sum(axis=1, dtype=np.int32)
    return replace(found.peaks, sum=ordered_sum(shares.part), n_cells=n_cells)


def cell_bound(settings: PeakSumSettings, grid: Grid, cells: Array) -> float | None:
    """Return the cell threshold as an inclusive bound in counts of the grid, or None."""
    if settings.cell_threshold is None:
        return None
    integer = cells.dtype.kind != "f"
    return inclusive_bound(settings.cell_threshold, settings.cell_comparison, grid.unit, integer=integer)


def _places(row: Array, col: Array, offsets: Array, grid: Grid) -> tuple[Array, Array]:
    """Return row and column at offsets from every given cell, shape (cell, offset); -1 beyond an edge."""
    return grid.wrap(row[:, None] + offsets[:, 0], col[:, None] + offsets[:, 1])


def ordered_sum(parts: Array) -> Array:
    """Return the sum over the last axis, added one after the other: numpy's own order depends on the shape."""
    total = np.zeros(parts.shape[:-1], parts.dtype)
    for k in range(parts.shape[-1]):
        total += parts[..., k]
    return total
