"""Every option, field and preset as a search to be measured, made from what the package says of itself.

A key of `PeakSumSettings` that takes words, or yes and no, is tried with each of them; the values of the others
are `VALUES`, and `BESIDE` has the keys that one has no effect without. `keys_without_variant` tells a key of
which nothing is tried, and a test fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Literal, get_args, get_origin

import awkward as ak
import numpy as np

from hep_peaksum import toy
from hep_peaksum.clustering.fields import default_fields, fields_of
from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.geometry.hits import sparse
from hep_peaksum.kernels import Array
from hep_peaksum.library.presets import preset, presets
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import PileupKind

KINDS: tuple[str, ...] = get_args(PileupKind)
LAYERS, SMALL_PLANE = 67, (10, 10)
SATURATED = 100.0

VALUES: dict[str, tuple[Any, ...]] = {
    "search_window": ((5, 5), (9, 9), ".x.\nxox\n.x."),
    "sum_window": ((1, 1), (5, 5), (9, 9), ".g.\ngog\n.g."),
    "seed_window": ((3, 3), (5, 5)),
    "seed_threshold": (1.0, "1 GeV", "4 sigma"),
    "cell_threshold": (0.1, "0.1 GeV", "2 sigma"),
    "sum_threshold": (5.0, "5 GeV", "5 sigma"),
    "min_seed_gap": (1.0,),
    "min_prominence": (1.0,),
    "min_neighbours": (2,),
    "neighbour_threshold": (0.1,),
    "pileup": (*((kind,) for kind in KINDS), KINDS, ({"kind": "ring_median", "depth": 3},)),
    "subtract": (KINDS[1],),
    "saturated_seeds": ((SATURATED,),),
    "saturated_net": (65535,),
    "max_clusters": (2,),
    "max_clusters_per": ("card",),
    "w0": (3.0,),
    "isolation_depth": (3,),
    "coarsen": ((2, 2), (4, 4)),
    "pool_threshold": (0.1,),
}
BESIDE: dict[str, dict[str, Any]] = {
    "greedy_ties": {"tie_rule": "greedy"},
    "group": {"cell_threshold": 0.1},
    "seedless_groups": {"group": "edges", "cell_threshold": 0.1},
    "cell_comparison": {"cell_threshold": 0.1},
    "cell_threshold_abs": {"cell_threshold": 0.1},
    "sum_comparison": {"sum_threshold": 5.0},
    "sum_threshold_on": {"sum_threshold": 5.0, "pileup": ("chunky_donut",)},
    "neighbour_threshold": {"min_neighbours": 2},
    "subtract": {"pileup": KINDS},
    "saturated_seeds": {"pileup": ("chunky_donut",)},
    "saturated_net": {"pileup": ("chunky_donut",), "saturated_seeds": (SATURATED,)},
    "max_clusters_by": {"max_clusters": 2},
    "max_clusters_per": {"max_clusters": 2},
    "partial_seed_windows": {"seed_window": (3, 3)},
    "w0": {"position": "log"},
    "pool_by": {"coarsen": (2, 2)},
    "pool_threshold": {"coarsen": (2, 2)},
    "allow_partial_towers": {"coarsen": (5, 4)},
    "sum_over": {"coarsen": (2, 2)},
    "tie_rule=drawn": {"search_window": ">>>\n>o=\n==="},
}
REASONS = {
    "kernel": "scipy is the readable twin, slow by intention; python -m tests.benchmarks kernels times it"
}
FIELDS_OF = {"isolation_depth": ("isolation",)}  # keys that no default field depends on


@dataclass(frozen=True, eq=False)
class Data:
    """Cells on a grid, with what else `find_clusters` is given with them."""

    cells: Any
    grid: Grid
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """The size of the cells, or of the hits."""
        if isinstance(self.cells, np.ndarray):
            return self.cells.nbytes
        moment = self.cells.moment
        parts = (self.cells.cell, self.cells.value, *(() if moment is None else (moment.value,)))
        return sum(part.nbytes for part in parts)

    @cached_property
    def hits(self) -> Data:
        """Return the cells that are not 0, as hits."""
        return Data(sparse(*self.hit_columns(), self.grid), self.grid, self.given)

    def hit_columns(self) -> tuple[ak.Array, ak.Array, ak.Array]:
        """Return the labels of row and column, and the value, of the cells that are not 0, by event."""
        event, row, col = np.nonzero(self.cells)
        counts = np.bincount(event, minlength=len(self.cells))
        labels = (_labels(self.grid.rows)[row], _labels(self.grid.cols)[col])
        return tuple(ak.unflatten(part, counts) for part in (*labels, self.cells[event, row, col]))


def _labels(axis: Axis) -> Array:
    """Return what hits name the cells of an axis by: labels, positions, or bare indices."""
    if axis.label_values is not None:
        return np.asarray(axis.label_values)
    return np.arange(axis.size) if axis.centres is None else np.asarray(axis.centres)


@dataclass(frozen=True, eq=False)
class Variant:
    """A search that is measured: settings and fields, on some data."""

    name: str
    settings: PeakSumSettings
    data: Data
    fields: tuple[str, ...] | None = None
    plain: Data | None = None  # what the plain search is given, where that is something else

    @property
    def hits(self) -> Data:
        """The same cells as hits, which variants with the same cells share."""
        if self.plain is None or self.plain.cells is not self.data.cells:
            return self.data.hits
        return replace(self.plain.hits, given=self.data.given)

    def search(self, data: Data | None = None) -> ak.Array:
        """Return the clusters."""
        data = data or self.data
        return find_clusters(data.cells, self.settings, data.grid, fields=self.fields, **data.given)


@cache
def showers(n_events: int) -> Data:
    """Return toy showers on the toy grid, which has regions here, too."""
    grid = Grid(**{**toy.TOY_GRID.model_dump(exclude_defaults=True), "regions": {"card": [4, 4]}})
    return Data(toy.make_events(n_events, seed=1).grids, grid)


def options(n_events: int) -> Iterator[Variant]:
    """Yield every option of the settings on toy showers."""
    data = showers(n_events)
    for name, key, keys in option_keys():
        settings = PeakSumSettings(**keys)
        given: dict[str, Any] = {}
        if settings.needs_noise:
            given["noise"] = np.full(data.grid.shape, 0.05)
        if key == "masked":
            given["mask"] = np.indices(data.grid.shape).sum(axis=0) % 7 == 0
        cells = _with_nan(data.cells) if key == "nonfinite" else data.cells
        yield Variant(name, settings, Data(cells, data.grid, given), FIELDS_OF.get(key), plain=data)


def option_keys() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield a name, the key, and the settings of every value that is tried of every key."""
    for key in PeakSumSettings.model_fields:
        for value in () if key in REASONS else values_of(key):
            name = f"{key}={_word(value)}"
            beside = {**BESIDE.get(key, {}), **BESIDE.get(name, {})}
            yield name, key, {**beside, key: value}


def values_of(key: str) -> tuple[Any, ...]:
    """Return the values of a key that are tried: of words, and of yes and no, all but the default."""
    if key in VALUES:
        return VALUES[key]
    about = PeakSumSettings.model_fields[key]
    if about.annotation is bool:
        return (not about.default,)
    kinds = (about.annotation, *get_args(about.annotation))
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    return tuple(word for word in words if word != about.default)


def keys_without_variant() -> list[str]:
    """Return the keys of the settings that nothing is tried of, without a reason."""
    return [key for key in PeakSumSettings.model_fields if not values_of(key) and key not in REASONS]


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\n", "/")
    if isinstance(value, tuple) and value and isinstance(value[0], int):
        return "x".join(map(str, value))
    if isinstance(value, tuple):
        words = (" ".join(map(str, one.values())) if isinstance(one, dict) else str(one) for one in value)
        return ", ".join(words)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_nan(cells: Array) -> Array:
    """Return the cells, one of every thousand without a number."""
    cells = cells.copy()
    cells.reshape(-1)[::1000] = np.nan
    return cells


def fields(n_events: int) -> Iterator[Variant]:
    """Yield every field of toy clusters beside the default ones; those of pile-up, layers and time, too."""
    data, all_kinds = showers(n_events), PeakSumSettings(pileup=KINDS)
    for name in fields_of(data.grid, all_kinds):
        of_grid = name in fields_of(data.grid)
        settings = PeakSumSettings(pileup=() if of_grid else (name,) if name in KINDS else KINDS[:1])
        searched, plain = _data_of_field(name, data)
        by_default = default_fields(PeakSumSettings(), plain.grid)
        yield Variant(name, settings, searched, (*by_default, name), plain=plain)


def _data_of_field(name: str, data: Data) -> tuple[Data, Data]:
    """Return what a field is computed from, and what the plain search beside it is given."""
    if name in ("layer_sums", "layer"):
        layers = _layers(len(data.cells) // 20)
        each = Data(layers.cells, layers.grid, {"layers": "each"})
        return (layers, layers) if name == "layer_sums" else (each, each)
    if name in ("time", "seed_time"):
        columns = data.hit_columns()
        return Data(sparse(*columns, data.grid, time=columns[-1]), data.grid), data.hits
    if name == "n_saturated":
        return Data(data.cells, data.grid.model_copy(update={"saturated": (SATURATED,)})), data
    noise = {"noise": np.full(data.grid.shape, 0.05)} if name == "noise" else {}
    return Data(data.cells, data.grid, noise), data


@cache
def _layers(n_events: int) -> Data:
    """Return small planes of many layers, one cell of ten not 0."""
    random = np.random.default_rng(1)
    shape = (n_events, LAYERS, *SMALL_PLANE)
    cells = random.uniform(0.1, 100, shape) * (random.random(shape) < 0.1)
    return Data(cells.astype(np.float32), bare_grid(SMALL_PLANE))


def all_presets(n_events: int) -> Iterator[Variant]:
    """Yield every preset on its own grid, or on that of the toy, filled with toy showers side by side."""
    for name in presets():
        settings, grid = preset(name)
        data = showers(n_events) if grid is None else _on_grid(grid, n_events)
        if any(
            n % size for n, size in zip(data.grid.shape, settings.coarsen, strict=True)
        ):  # no seam in a tower
            content = data.grid.model_dump(exclude_defaults=True)
            data = Data(data.cells, Grid(**{**content, "cols": {**content["cols"], "periodic": False}}))
        yield Variant(name, settings, data)


def _on_grid(grid: Grid, n_events: int) -> Data:
    """Return as many cells as that number of toy events has, in counts of the grid."""
    n_rows, n_cols = grid.shape
    return Data(np.rint(_tiled(n_rows, n_cols, n_events) / grid.scale).astype(np.int16), grid)


def _tiled(n_rows: int, n_cols: int, n_events: int) -> Array:
    """Return planes of toy events side by side, about as many cells as `n_events` have."""
    height, width = toy.TOY_GRID.shape
    tall, wide = -(-n_rows // height), -(-n_cols // width)
    n_planes = max(1, n_events // (tall * wide))
    cells = toy.make_events(n_planes * tall * wide, seed=1).grids.reshape(n_planes, tall, wide, height, width)
    planes = cells.swapaxes(2, 3).reshape(n_planes, tall * height, wide * width)
    return np.ascontiguousarray(planes[:, :n_rows, :n_cols])


IMAGES = ("constant", "ramp", "noise", "ties", "showers")


def image(kind: str, side: int) -> Data:
    """Return one square image of a kind."""
    random, shape = np.random.default_rng(1), (1, side, side)
    if kind == "constant":
        cells: Array = np.ones(shape)
    elif kind == "ramp":
        cells = np.arange(1, side * side + 1, dtype=np.float64).reshape(shape)
    elif kind == "noise":
        cells = random.random(shape)
    elif kind == "ties":
        cells = random.integers(0, 3, shape)
    else:
        cells = _tiled(side, side, 1)
    return Data(cells.astype(np.float32), bare_grid((side, side)))
