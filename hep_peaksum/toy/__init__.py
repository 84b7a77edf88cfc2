"""A toy calorimeter: reproducible events with known truth, for the demo, the examples and the tests.

It is independent of everything that reads data. The algorithm never sees the truth; only `score` compares.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.evaluation.matching import CellIndices, one_to_one, within_cells
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, event_index
from hep_peaksum.results.atomic_write import atomic_write

if TYPE_CHECKING:
    import awkward as ak

TOY_GRID = Grid(
    rows=Axis(name="eta", bins=24, start=-3, stop=3),
    cols=Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True),
    quantity="energy",
    unit=1,
)

# Lateral profile, in cells: a cell is about as wide as the Moliere radius.
CORE_RADIUS, TAIL_RADIUS, CORE_FRACTION = 0.2, 0.8, 0.85
REACH = 2  # a shower is cut off beyond this many cells from the cell that it hits
MIN_ENERGY, MAX_ENERGY, ENERGY_SCALE = 5.0, 100.0, 20.0  # GeV
SAMPLING_TERM, CONSTANT_TERM = 0.10, 0.01
ZERO_SUPPRESSION = 2.0  # in units of the noise
EVENTS_PER_LUMI_BLOCK = 1000


class ToyEvents(NamedTuple):
    """Cell energies in GeV, float32, shape (event, row, col), and the showers that deposited them.

    `truth` has one record per shower: `row`, `col` (the cell that it hits), `eta`, `phi` [rad], `energy` [GeV].
    """

    grids: Array
    truth: ak.Array


@dataclass(frozen=True)
class Score:
    """How well clusters reproduce the showers.

    `response` is the median of E(cluster)/E(shower) over the showers found, `resolution` half the width of the
    central 68 % of that ratio: two showers in one window make a long tail, which would dominate mean and
    standard deviation. Both are NaN if no shower was found.
    """

    n_events: int
    n_showers: int
    n_found: int
    n_clusters: int
    n_fakes: int
    response: float
    resolution: float

    @property
    def efficiency(self) -> float:
        """Fraction of the showers that were found; NaN without showers."""
        return self.n_found / self.n_showers if self.n_showers else float("nan")

    @property
    def fakes_per_event(self) -> float:
        """Clusters per event that belong to no shower; NaN without events."""
        return self.n_fakes / self.n_events if self.n_events else float("nan")


def make_events(n_events: int, *, seed: int, showers_per_event: float = 4.0, noise: float = 0.05) -> ToyEvents:
    """Generate events of electromagnetic showers on `TOY_GRID`.

    The number of showers is a Poisson variate, the energy falls exponentially between 5 and 100 GeV, the point
    of impact is uniform. A shower has the lateral profile of Grindhammer and Peters, hep-ex/0001020,

    f(r) = p 2 r R_C^2 / (r^2 + R_C^2)^2 + (1 - p) 2 r R_T^2 / (r^2 + R_T^2)^2,

    integrated exactly over each cell. The energy in a cell fluctuates as a gamma variate; sums of such variates
    are gamma variates, too, so the whole shower has sigma/E = 10 %/sqrt(E), in addition to a
    constant term of 1 %. Every cell has Gaussian noise and is set to zero below two standard deviations of it.

    Parameters
    ----------
    n_events
        Number of events.
    seed
        Seed of the random numbers; equal arguments give equal events.
    showers_per_event
        Mean number of showers.
    noise
        Standard deviation of the electronic noise of a cell, in GeV.

    >>> make_events(2, seed=1).grids.shape
    (2, 24, 16)
    """
    import awkward as ak

    random = np.random.default_rng(seed)
    n_showers = random.poisson(showers_per_event, n_events)
    row, col = (random.uniform(0, size, n_showers.sum()) for size in TOY_GRID.shape)
    # Inverse of the cumulative distribution of an exponential truncated at the maximum.
    truncated = -np.expm1((MIN_ENERGY - MAX_ENERGY) / ENERGY_SCALE)
    energy = MIN_ENERGY - ENERGY_SCALE * np.log1p(-random.uniform(0, truncated, len(row)))

    grids = np.empty((n_events, *TOY_GRID.shape), np.float32)
    offsets = np.append(0, np.cumsum(n_showers))
    for first in range(0, n_events, block_sizes.TOY_EVENTS):
        block = grids[first : first + block_sizes.TOY_EVENTS]
        showers = slice(offsets[first], offsets[first + len(block)])
        event = event_index(offsets[first : first + len(block) + 1])
        block[:] = _deposits(random, event, row[showers], col[showers], energy[showers], len(block))
        block += random.standard_normal(block.shape, np.float32) * np.float32(noise)
        block[block <= ZERO_SUPPRESSION * noise] = 0
    truth = {
        "row": row.astype(np.int32),
        "col": col.astype(np.int32),
        "eta": _position(TOY_GRID.rows, row),
        "phi": _position(TOY_GRID.cols, col),
        "energy": energy.astype(np.float32),
    }
    return ToyEvents(grids, ak.unflatten(ak.zip(truth, depth_limit=1), n_showers))


def _deposits(
    random: np.random.Generator, event: Array, row: Array, col: Array, energy: Array, n: int
) -> Array:
    """Return the energy that showers deposit in the cells of `n` events; beyond the rows it is lost."""
    cells, cell_row, cell_col = shower_cells(random, energy, row, col)
    cell_col %= TOY_GRID.cols.size
    inside = (cell_row >= 0) & (cell_row < TOY_GRID.rows.size)
    flat = (event[:, None, None] * TOY_GRID.rows.size + cell_row) * TOY_GRID.cols.size + cell_col
    inside = np.broadcast_to(inside, flat.shape)
    return np.bincount(flat[inside], cells[inside], n * math.prod(TOY_GRID.shape)).reshape(n, *TOY_GRID.shape)


def shower_cells(
    random: np.random.Generator, energy: Array | float, row: Array, col: Array
) -> tuple[Array, Array, Array]:
    """Return the energies of showers in the 5 x 5 cells around those that they hit, and their rows and columns.

    `row` and `col` are the points of impact in cells: 4.5 is the middle of the fifth.
    """
    measured = energy * random.normal(1, CONSTANT_TERM, len(row))
    mean = measured[:, None, None] * shower_fractions(row % 1, col % 1)
    cells = random.gamma(mean / SAMPLING_TERM**2, SAMPLING_TERM**2)
    reach = np.arange(-REACH, REACH + 1)
    rows, cols = (place.astype(np.int64)[:, None, None] for place in (row, col))
    return cells, rows + reach[:, None], cols + reach


def shower_fractions(row: Array, col: Array) -> Array:
    """Return the fraction of a shower in each of the 5 x 5 cells around the one that it hits.

    `row` and `col`, from 0 to 1, are the point of impact within that cell. The result has the shape
    (shower, 5, 5); the fractions of a shower add up to 1.

    >>> shower_fractions(np.array([0.5]), np.array([0.5]))[0, 2].round(3).tolist()
    [0.002, 0.031, 0.814, 0.031, 0.002]
    """
    edges = np.arange(-REACH, REACH + 2)
    x, y = (edges - row[:, None])[:, :, None], (edges - col[:, None])[:, None, :]
    core, tail = (_profile_integral(x, y, radius) for radius in (CORE_RADIUS, TAIL_RADIUS))
    fractions: Array = np.diff(np.diff(CORE_FRACTION * core + (1 - CORE_FRACTION) * tail, axis=1), axis=2)
    fractions /= fractions.sum(axis=(1, 2), keepdims=True)
    return fractions


def _profile_integral(x: Array, y: Array, radius: float) -> Array:
    """Return the integral from (0, 0) to (x, y) of the density R^2 / pi / (r^2 + R^2)^2."""
    a, b = np.hypot(x, radius), np.hypot(y, radius)
    integral: Array = (x / a * np.arctan(y / a) + y / b * np.arctan(x / b)) / (2 * np.pi)
    return integral


def _position(axis: Axis, index: Array) -> Array:
    """Return the coordinate of a fractional index along a regular axis."""
    edges: Array = axis.edge_positions  # type: ignore[assignment]
    return np.interp(index, np.arange(len(edges)), edges).astype(np.float32)


def write_events(
    path: str | os.PathLike[str], events: ToyEvents, *, first_event: int = 0, run: int = 1
) -> None:
    """Write events to a ROOT TTree `Events`: the cells as `calo_e[24][16]`, the truth as `Shower_*`.

    The file appears under its name only when it is complete; an existing one is replaced. Events are numbered
    from `first_event`. Equal events give files with the same UUID, so a job sees that nothing has changed.
    """
    import uproot

    branches = {
        "run": "uint32",
        "luminosityBlock": "uint32",
        "event": "uint64",
        "calo_e": np.dtype(("float32", TOY_GRID.shape)),
        "Shower": events.truth.type.content,
    }
    number = np.arange(first_event, first_event + len(events.grids), dtype=np.uint64)
    content = hashlib.sha256(events.grids.tobytes() + number.tobytes()).digest()[:16]
    options = {"compression": uproot.ZSTD(3), "uuid_function": lambda: UUID(bytes=content)}
    with atomic_write(Path(path), tidy=True) as target, uproot.recreate(target, **options) as file:
        tree = file.mktree("Events", branches, title="hep_peaksum toy calorimeter")
        for block in block_sizes.blocks(len(number), block_sizes.TOY_EVENTS):
            tree.extend(
                {
                    "run": np.full(len(number[block]), run, np.uint32),
                    "luminosityBlock": (number[block] // EVENTS_PER_LUMI_BLOCK + 1).astype(np.uint32),
                    "event": number[block],
                    "calo_e": events.grids[block],
                    "Shower": events.truth[block],
                }
            )


def score(clusters: ak.Array, truth: ak.Array, grid: Grid = TOY_GRID, *, max_distance: int = 1) -> Score:
    """Count the showers found and the fake clusters, and compare the energies of matched ones.

    A shower and a cluster can match if they are at most `max_distance` cells apart in row and in column, the
    short way round on a periodic axis. The nearest pair is matched first (of equally near ones the pair with
    the higher cluster energy), and each shower and each cluster is used once.

    Parameters
    ----------
    clusters, truth
        Per event, records with `row`, `col` and `energy`.
    grid
        The grid of `row` and `col`; its periodic axes decide what is near across a seam.
    max_distance
        In cells; with 0 only a cluster in the very cell of the shower matches.

    >>> import awkward as ak
    >>> showers = ak.Array([[{"row": 5, "col": 0, "energy": 10.0}]])
    >>> clusters = ak.Array([[{"row": 5, "col": 15, "energy": 9.0}, {"row": 9, "col": 9, "energy": 1.0}]])
    >>> result = score(clusters, showers)
    >>> result.n_found, result.n_fakes, result.response
    (1, 1, 0.9)
    """
    import awkward as ak

    if len(clusters) != len(truth):
        msg = f"{len(clusters)} events with clusters but {len(truth)} with showers: both need the same events"
        raise ValueError(msg)
    energy, true_energy = (np.asarray(ak.flatten(x["energy"], axis=1), np.float64) for x in (clusters, truth))
    pairs = within_cells(CellIndices.from_jagged(truth), CellIndices.from_jagged(clusters), grid, max_distance)
    matches = one_to_one(pairs, [pairs.distance, -energy[pairs.cluster]])
    ratio = energy[matches.cluster] / true_energy[matches.reference]
    low, median, high = np.quantile(ratio, (0.16, 0.5, 0.84)) if len(ratio) else (np.nan,) * 3
    return Score(
        n_events=len(truth),
        n_showers=len(true_energy),
        n_found=len(ratio),
        n_clusters=len(energy),
        n_fakes=len(energy) - len(ratio),
        response=float(median),
        resolution=float((high - low) / 2),
    )
