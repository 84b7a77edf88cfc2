"""A toy calorimeter: seeded events whose truth is known, for the demo, the examples and the tests.

It stands apart from everything that reads data. The algorithm never sees the truth; `score` alone compares.
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
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.results.atomic_write import atomic_write

if TYPE_CHECKING:
    import awkward as ak

TOY_GRID = Grid(
    rows=Axis(name="eta", bins=24, start=-3, stop=3),
    cols=Axis(name="phi", bins=16, start="-pi", stop="pi", periodic=True),
    quantity="energy",
)

# Lateral profile, in cells: a cell is about as wide as the Moliere radius.
CORE_RADIUS, TAIL_RADIUS, CORE_PART = 0.2, 0.8, 0.85
REACH = 2  # beyond so many cells from the one that is hit a shower is cut off
LEAST_ENERGY, GREATEST_ENERGY, ENERGY_SCALE = 5.0, 100.0, 20.0  # GeV
SAMPLING_TERM, CONSTANT_TERM = 0.10, 0.01
SUPPRESSION = 2.0  # in units of the noise
EVENTS_PER_LUMI_BLOCK = 1000


class ToyEvents(NamedTuple):
    """Energies of the cells in GeV, float32, shape (event, row, col), and the showers that left them.

    `truth` has a record a shower: `row`, `col` (the cell that was hit), `eta`, `phi` [rad], `energy` [GeV].
    """

    grids: Array
    truth: ak.Array


@dataclass(frozen=True)
class Score:
    """How well clusters find showers.

    `response` is the median of E(cluster)/E(shower) over the showers found, `resolution` half the width of its
    central 68 %: two showers in one window make a long tail, which mean and standard deviation would follow.
    Both are NaN where nothing was found.
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
        """Part of the showers that were found; NaN without showers."""
        return self.n_found / self.n_showers if self.n_showers else float("nan")

    @property
    def fakes_per_event(self) -> float:
        """Clusters an event that belong to no shower; NaN without events."""
        return self.n_fakes / self.n_events if self.n_events else float("nan")


def make_events(n_events: int, *, seed: int, showers_per_event: float = 4.0, noise: float = 0.05) -> ToyEvents:
    r"""Return events of electromagnetic showers on `TOY_GRID`.

    The number of showers is a Poisson variate, the energy falls exponentially between 5 and 100 GeV, the point
    of impact is uniform. A shower spreads by the lateral profile of Grindhammer and Peters, hep-ex/0001020,

    .. math:: f(r) = p \frac{2 r R_C^2}{(r^2 + R_C^2)^2} + (1 - p) \frac{2 r R_T^2}{(r^2 + R_T^2)^2},

    integrated exactly over each cell. The energy in a cell fluctuates as a gamma variate: such variates add, so
    that a shower as a whole has :math:`\sigma/E = 10\,\% / \sqrt{E}`, beside a constant term of 1 %. Every cell
    has Gaussian noise, and is zero below two standard deviations of it.

    Parameters
    ----------
    n_events
        Number of events.
    seed
        Of the random numbers; equal arguments give equal events.
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
    # An exponential cut off at the greatest energy, by inversion.
    below_cut = -np.expm1((LEAST_ENERGY - GREATEST_ENERGY) / ENERGY_SCALE)
    energy = LEAST_ENERGY - ENERGY_SCALE * np.log1p(-random.uniform(0, below_cut, len(row)))

    grids = np.empty((n_events, *TOY_GRID.shape), np.float32)
    begin = np.append(0, np.cumsum(n_showers))
    for first in range(0, n_events, block_sizes.TOY_EVENTS):
        block = grids[first : first + block_sizes.TOY_EVENTS]
        mine = slice(begin[first], begin[first + len(block)])
        event = np.repeat(np.arange(len(block)), n_showers[first : first + block_sizes.TOY_EVENTS])
        block[:] = _deposits(random, event, row[mine], col[mine], energy[mine], len(block))
        block += random.standard_normal(block.shape, np.float32) * np.float32(noise)
        block[block <= SUPPRESSION * noise] = 0
    showers = {
        "row": row.astype(np.int32),
        "col": col.astype(np.int32),
        "eta": _position(TOY_GRID.rows, row),
        "phi": _position(TOY_GRID.cols, col),
        "energy": energy.astype(np.float32),
    }
    return ToyEvents(grids, ak.unflatten(ak.zip(showers, depth_limit=1), n_showers))


def _deposits(
    random: np.random.Generator, event: Array, row: Array, col: Array, energy: Array, n: int
) -> Array:
    """Return the energy that showers leave in the cells of `n` events; beyond the rows it is lost."""
    measured = energy * random.normal(1, CONSTANT_TERM, len(energy))
    mean = measured[:, None, None] * shower_fractions(row % 1, col % 1)
    cells = random.gamma(mean / SAMPLING_TERM**2, SAMPLING_TERM**2)
    reach = np.arange(-REACH, REACH + 1)
    cell_row = row.astype(np.int64)[:, None, None] + reach[:, None]
    cell_col = (col.astype(np.int64)[:, None, None] + reach) % TOY_GRID.cols.size
    inside = (cell_row >= 0) & (cell_row < TOY_GRID.rows.size)
    flat = (event[:, None, None] * TOY_GRID.rows.size + cell_row) * TOY_GRID.cols.size + cell_col
    held = np.broadcast_to(inside, flat.shape)
    return np.bincount(flat[held], cells[held], n * math.prod(TOY_GRID.shape)).reshape(n, *TOY_GRID.shape)


def shower_fractions(row: Array, col: Array) -> Array:
    """Return the part of a shower that falls into each of the 5 x 5 cells about the one it hits.

    `row` and `col`, from 0 to 1, say where within the cell. The shape is (shower, 5, 5); the parts of a shower
    add up to 1.

    >>> shower_fractions(np.array([0.5]), np.array([0.5]))[0, 2].round(3).tolist()
    [0.002, 0.031, 0.814, 0.031, 0.002]
    """
    edges = np.arange(-REACH, REACH + 2)
    x, y = (edges - row[:, None])[:, :, None], (edges - col[:, None])[:, None, :]
    corner = CORE_PART * _corner(x, y, CORE_RADIUS) + (1 - CORE_PART) * _corner(x, y, TAIL_RADIUS)
    parts: Array = np.diff(np.diff(corner, axis=1), axis=2)
    parts /= parts.sum(axis=(1, 2), keepdims=True)
    return parts


def _corner(x: Array, y: Array, radius: float) -> Array:
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
    """Write events as the ROOT TTree `Events`: the cells `calo_e[24][16]`, and the truth as `Shower_*`.

    The file appears under its name only when it is whole; one that is there is replaced. Events are numbered
    from `first_event` on. Equal events make files of one UUID: a job knows that nothing has changed.
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
    with atomic_write(Path(path)) as target, uproot.recreate(target, **options) as file:
        tree = file.mktree("Events", branches, title="hep_peaksum toy calorimeter")
        for first in range(0, len(number), block_sizes.TOY_EVENTS):
            part = slice(first, first + block_sizes.TOY_EVENTS)
            tree.extend(
                {
                    "run": np.full(len(number[part]), run, np.uint32),
                    "luminosityBlock": (number[part] // EVENTS_PER_LUMI_BLOCK + 1).astype(np.uint32),
                    "event": number[part],
                    "calo_e": events.grids[part],
                    "Shower": events.truth[part],
                }
            )


def score(clusters: ak.Array, truth: ak.Array, grid: Grid = TOY_GRID, *, max_distance: int = 1) -> Score:
    """Return how many showers were found, how many clusters are fakes, and how well energies agree.

    A shower and a cluster may belong together when they are at most `max_distance` cells apart in row and in
    column, the short way on a periodic axis. The nearest pair is taken first (of equally near ones that with
    the higher cluster energy), each shower and each cluster once.

    Parameters
    ----------
    clusters, truth
        Per event, records with `row`, `col` and `energy`.
    grid
        The plane, for what is near across a seam.
    max_distance
        In cells; 0 asks for the very cell.

    >>> import awkward as ak
    >>> showers = ak.Array([[{"row": 5, "col": 0, "energy": 10.0}]])
    >>> found = ak.Array([[{"row": 5, "col": 15, "energy": 9.0}, {"row": 9, "col": 9, "energy": 1.0}]])
    >>> result = score(found, showers)
    >>> result.n_found, result.n_fakes, result.response
    (1, 1, 0.9)
    """
    import awkward as ak

    if len(clusters) != len(truth):
        msg = f"{len(clusters)} events with clusters and {len(truth)} with showers: expected the same events"
        raise ValueError(msg)
    shower, cluster = _pairs(ak.to_numpy(ak.num(truth)), ak.to_numpy(ak.num(clusters)))
    energy, true_energy = (np.asarray(ak.flatten(x["energy"], axis=1), np.float64) for x in (clusters, truth))
    offsets = []
    for word, axis in (("row", grid.rows), ("col", grid.cols)):
        found, true = (np.asarray(ak.flatten(x[word], axis=1), np.int64) for x in (clusters, truth))
        apart = np.abs(found[cluster] - true[shower])
        offsets.append(np.minimum(apart, axis.size - apart) if axis.periodic else apart)
    near = np.maximum(*offsets) <= max_distance
    distance = np.hypot(*offsets)[near]
    shower, cluster = shower[near], cluster[near]
    order = np.lexsort((shower, cluster, -energy[cluster], distance))
    shower, cluster = _match(shower[order], cluster[order])
    ratio = energy[cluster] / true_energy[shower]
    low, middle, high = np.quantile(ratio, (0.16, 0.5, 0.84)) if len(ratio) else (np.nan,) * 3
    return Score(
        n_events=len(truth),
        n_showers=len(true_energy),
        n_found=len(shower),
        n_clusters=len(energy),
        n_fakes=len(energy) - len(cluster),
        response=float(middle),
        resolution=float((high - low) / 2),
    )


def _pairs(n_first: Array, n_second: Array) -> tuple[Array, Array]:
    """Return the flat indices of all pairs of an event's first and second things, for all events."""
    n_pairs = n_first * n_second
    event = np.repeat(np.arange(len(n_pairs)), n_pairs)
    place = np.arange(len(event)) - (np.cumsum(n_pairs) - n_pairs)[event]
    first = (np.cumsum(n_first) - n_first)[event] + place // n_second[event]
    return first, (np.cumsum(n_second) - n_second)[event] + place % n_second[event]


def _match(shower: Array, cluster: Array) -> tuple[Array, Array]:
    """Return the pairs that are left when, from the first on, each pair excludes the later ones it shares with.

    A pair that comes first for both its shower and its cluster is certain, whatever happens elsewhere: all such
    are taken at once, and what they exclude is dropped, until nothing is left.
    """
    taken: list[tuple[Array, Array]] = []
    while len(shower):
        certain = _is_first(shower) & _is_first(cluster)
        taken.append((shower[certain], cluster[certain]))
        free = ~np.isin(shower, shower[certain]) & ~np.isin(cluster, cluster[certain])
        shower, cluster = shower[free], cluster[free]
    return tuple(np.concatenate(side) for side in zip(*taken, strict=True)) if taken else (shower, cluster)  # type: ignore[return-value]


def _is_first(values: Array) -> Array:
    """Return where a value stands for the first time."""
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
