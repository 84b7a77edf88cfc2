"""The grids that are searched, from seeded random numbers; float cells have no ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import awkward as ak
import numpy as np

from hep_peaksum import toy
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.kernels import Array
from hep_peaksum.library.presets import preset
from hep_peaksum.settings.model import PeakSumSettings

CELLS = 100_000 * 24 * 16  # per full-sized case, for any shape of events: far more than a cache holds


@dataclass(frozen=True)
class Case:
    """Some events and how they are searched; layers, if there are any, are added or searched one by one."""

    title: str
    grids: Array
    settings: PeakSumSettings
    grid: Grid
    layers: Literal["sum", "each"] = "sum"
    from_hits: bool = False

    @property
    def reach(self) -> int:
        """How many cells the windows, all of them squares, reach from their centre."""
        return max(abs(cell.row) for cell in self.settings.search_cells())

    @cached_property
    def hits(self) -> tuple[ak.Array, ak.Array, ak.Array]:
        """The non-zero cells as jagged hits: the labels of row and column, and the value."""
        event, row, col = np.nonzero(self.grids)
        counts = np.bincount(event, minlength=len(self.grids))
        columns = (labels(self.grid.rows)[row], labels(self.grid.cols)[col], self.grids[event, row, col])
        return tuple(ak.unflatten(column, counts) for column in columns)  # type: ignore[return-value]

    def describe(self) -> str:
        """Return the title with shape, type, occupancy and number of events."""
        shape = " x ".join(str(n) for n in self.grids.shape[1:])
        occupied = np.count_nonzero(self.grids) / max(1, self.grids.size)
        return f"{self.title}: {shape} {self.grids.dtype}, {occupied:.0%} occupied, {len(self.grids):,} events"


def labels(axis: Any) -> Array:
    """Return the labels of the cells along an axis, as small integers."""
    names = range(axis.size) if axis.label_values is None else axis.label_values
    return np.asarray(names, np.int16)


def random_grids(n_events: int, shape: tuple[int, ...], occupancy: float, seed: int) -> Array:
    """Return float32 cells that are zero or uniform between 0.1 and 100."""
    random = np.random.default_rng(seed)
    grids = np.zeros((n_events, *shape), np.float32)
    for start in range(0, n_events, 10_000):
        block = grids[start : start + 10_000]
        cells = random.uniform(0.1, 100, block.shape).astype(np.float32)
        block[:] = cells * (random.random(block.shape, np.float32) < occupancy)
    return grids


def cms_towers(n_events: int, seed: int) -> Array:
    """Return int16 towers, 80 x 72: a soft background in a fifth of them, and two jets on average."""
    random = np.random.default_rng(seed)
    grids = np.zeros((n_events, 80, 72), np.int16)
    for start in range(0, n_events, 1000):
        block = grids[start : start + 1000]
        block[:] = random.geometric(0.6, block.shape) * (random.random(block.shape, np.float32) < 0.2)
        event = np.repeat(np.arange(len(block)), random.poisson(2, len(block)))
        row, col = random.integers(0, 80, len(event)), random.integers(0, 72, len(event))
        for _ in range(20):  # towers of a jet
            near_row = np.clip(row + random.integers(-3, 4, len(row)), 0, 79)
            near_col = (col + random.integers(-3, 4, len(col))) % 72
            np.add.at(block, (event, near_row, near_col), random.poisson(4, len(event)).astype(np.int16))
    return grids


def occupancy_case(occupancy: float) -> Callable[[int], Case]:
    """Return a function that makes a case of random cells, without periodic axes."""

    def make(n_cells: int) -> Case:
        grids = random_grids(n_cells // 384, (24, 16), occupancy, seed=1)
        return Case("random cells", grids, PeakSumSettings(), bare_grid((24, 16)))

    return make


def toy_case(n_cells: int) -> Case:
    """Return showers in the toy calorimeter, with seeds above 1 GeV."""
    grids = toy.make_events(n_cells // 384, seed=1).grids
    return Case("toy showers", grids, PeakSumSettings(seed_threshold=1.0), toy.TOY_GRID)


def cms_case(n_cells: int) -> Case:
    """Return trigger towers with the jets of CMS (9 x 9, 4 GeV), without their pile-up estimate."""
    settings, grid = preset("cms-l1-jet")
    assert grid is not None
    grids = cms_towers(n_cells // (80 * 72), seed=1)
    return Case("CMS towers, 9 x 9 jets", grids, settings.model_copy(update={"pileup": ()}), grid)


def cms_hits_case(n_cells: int) -> Case:
    """Return the same towers as jagged hits."""
    case = cms_case(n_cells)
    return Case(f"{case.title}, as hits", case.grids, case.settings, case.grid, from_hits=True)


def sparse_case(n_cells: int) -> Case:
    """Return a large plane with random hits in 2 % of the cells: nearly every hit is a peak."""
    grids = random_grids(n_cells // (240 * 128), (240, 128), 0.02, seed=1)
    return Case("large plane, as hits", grids, PeakSumSettings(), bare_grid((240, 128)), from_hits=True)


def showers_case(n_cells: int) -> Case:
    """Return the same plane with its hits, about 2 % of the cells, in 30 showers per event."""
    n_events, random = n_cells // (240 * 128), np.random.default_rng(1)
    grids = np.zeros((n_events, 240, 128), np.float32)
    event = np.repeat(np.arange(n_events), 30)
    row, col = random.integers(2, 238, len(event)), random.integers(2, 126, len(event))
    energy = random.exponential(10, len(event))
    for d in range(-2, 3):
        for p in range(-2, 3):
            cell = energy * np.exp(-(d * d + p * p) / 1.5)
            np.add.at(grids, (event, row + d, col + p), np.where(cell > 0.05, cell, 0).astype(np.float32))
    settings = PeakSumSettings(seed_threshold=0.5)
    return Case("showers on a large plane, as hits", grids, settings, bare_grid((240, 128)), from_hits=True)


def layers_case(layers: Literal["sum", "each"]) -> Callable[[int], Case]:
    """Return a function that makes a case of 67 layers, added or searched one by one."""

    def make(n_cells: int) -> Case:
        grids = random_grids(n_cells // 6700, (67, 10, 10), 0.1, seed=1)
        title = "67 layers, their sum" if layers == "sum" else "67 layers, one by one"
        return Case(title, grids, PeakSumSettings(), bare_grid((10, 10)), layers=layers)

    return make


CASES: dict[str, Callable[[int], Case]] = {
    "2%": occupancy_case(0.02),
    "10%": occupancy_case(0.10),
    "100%": occupancy_case(1.0),
    "toy": toy_case,
    "cms": cms_case,
    "cms-hits": cms_hits_case,
    "sparse-hits": sparse_case,
    "shower-hits": showers_case,
    "layers-sum": layers_case("sum"),
    "layers-each": layers_case("each"),
}
