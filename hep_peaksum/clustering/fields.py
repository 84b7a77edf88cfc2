"""From peaks to clusters: the one table of cluster fields, and the jagged records made of them.

Every output, histogram and plot takes names, titles and units from `fields_of`; a new quantity is a new row.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import numpy as np

from hep_peaksum.clustering import pileup, shapes
from hep_peaksum.clustering.sharing import PeakContext, ordered_sum
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import Pileup, PileupKind

FOUR_VECTOR = ("pt", "eta", "phi", "energy")


class Field(NamedTuple):
    """A quantity of a cluster: its title on an axis, its unit, its meaning in words, and how it is computed."""

    title: str
    unit: str
    meaning: str
    compute: Callable[[PeakContext], Array]

    @property
    def axis_title(self) -> str:
        """Title with unit, as it stands on a plot."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


def sum_in_gev(found: PeakContext) -> Array:
    """Return the sum of every peak in GeV."""
    total, unit = found.peaks.sum, found.grid.unit
    return total if unit == 1 and total.dtype.kind == "f" else np.asarray(total * unit)


def _position(name: str, found: PeakContext, function: Callable[[Any], Array] = np.asarray) -> Array:
    """Return a function of the position of every cluster; of seeds it is computed once for every cell."""
    which, axis = found.grid.axis(name)  # type: ignore[misc]
    if found.settings.position != "seed":
        return function(shapes.barycentre(found, 0 if which == "row" else 1, axis))
    return function(axis.centres)[found.peaks.row if which == "row" else found.peaks.col]


def _pt(found: PeakContext) -> Array:
    return (
        sum_in_gev(found)
        if found.grid.quantity == "et"
        else sum_in_gev(found) / _position("eta", found, np.cosh)
    )


def _energy(found: PeakContext) -> Array:
    return (
        sum_in_gev(found) * _position("eta", found, np.cosh)
        if found.grid.quantity == "et"
        else sum_in_gev(found)
    )


def net_sum(found: PeakContext) -> Array:
    """Return the sum of every peak minus its pile-up estimate, in counts."""
    return np.asarray(found.peaks.sum - pileup.estimate(found, found.settings.net_estimate))  # type: ignore[arg-type]


def _shared_sum(found: PeakContext) -> Array:
    """Return the part of the sum that lies in cells to which another cluster of the event has a claim, too."""
    return ordered_sum(np.where(found.shares.contested, found.shares.part, 0))


def _on_edge(found: PeakContext) -> Array:
    return np.asarray((found.window[0] < 0).any(axis=1))


def _n_masked(found: PeakContext) -> Array:
    row, col = found.window
    if found.mask is None:
        return np.zeros(len(row), np.int32)
    masked = found.mask[found.peaks.event[:, None], row, col] & (row >= 0)
    return np.asarray(masked.sum(axis=1, dtype=np.int32))


def _n_saturated(found: PeakContext) -> Array:
    """Return how many of the cells that were added hold a code that stands for an overflow."""
    row, col = found.window
    if found.layers is not None:
        saturated = np.isin(found.layers, found.plane.saturated).sum(axis=1)
        n_saturated = saturated[found.peaks.event[:, None], row, col]
    else:
        n_saturated = np.isin(found.values, found.plane.saturated)
    return np.asarray(np.where(found.shares.held, n_saturated, 0).sum(axis=1, dtype=np.int32))


def _layer_sums(found: PeakContext) -> Array:
    """Return the sum in every layer, shape (peak, layer), over the cells that were added to the sum."""
    if found.layers is None:
        msg = "field 'layer_sums' needs layers: give grids of shape (event, layer, row, col)"
        raise ValueError(msg)
    row, col = found.window
    held = found.shares.held
    if found.mask is not None:  # also a cell that is masked as zero holds nothing in its layers
        held = held & ~found.mask[found.peaks.event[:, None], row, col]
    whole = np.where(found.values == 0, 1, found.values)
    part = np.where(found.shares.part == found.values, 1, found.shares.part / whole)
    is_whole = bool((part[held] == 1).all())
    total = np.zeros((len(row), found.layers.shape[1]), found.peaks.sum.dtype)
    for k in range(row.shape[1]):
        cells = found.layers[found.peaks.event, :, row[:, k], col[:, k]]
        cells = cells if is_whole else cells * part[:, k, None]
        total += np.where(held[:, k, None], cells, 0)
    return total


def _layer(found: PeakContext) -> Array:
    return np.asarray(found.peaks.event % found.n_layers, np.int32)


FIELDS = {
    "peak_sum": Field(
        "window sum",
        "counts",
        "sum of the cells of the sum window that the cluster holds",
        lambda found: found.peaks.sum,
    ),
    "seed": Field("seed", "counts", "the value that the search compared", lambda found: found.peaks.seed),
    "row": Field("seed row", "", "row of the seed, from 0", lambda found: found.peaks.row),
    "col": Field("seed column", "", "column of the seed, from 0", lambda found: found.peaks.col),
    "layer": Field("layer", "", "layer of the cluster, where each is searched separately", _layer),
    "n_cells": Field("cells added", "", "number of cells in the sum", lambda found: found.peaks.n_cells),
    "shared_sum": Field(
        "sum in shared cells",
        "counts",
        "part of the sum in cells that another cluster claims, too",
        _shared_sum,
    ),
    "seed_gap": Field(
        "seed above its neighbours",
        "counts",
        "height of the seed above the highest other cell of its search window",
        shapes.seed_gap,
    ),
    "prominence": Field(
        "seed above the saddle",
        "counts",
        "height of the seed above the saddle to anything higher",
        shapes.prominence,
    ),
    "n_neighbours": Field(
        "neighbours above threshold",
        "",
        "number of cells of the search window above `neighbour_threshold`",
        shapes.n_neighbours,
    ),
    "e1_e9": Field("seed / 3x3", "", "seed cell over the 3x3 cells", partial(shapes.ratio, inner=1, outer=3)),
    "e9_e25": Field("3x3 / 5x5", "", "3x3 over 5x5 cells", partial(shapes.ratio, inner=3, outer=5)),
    "isolation": Field(
        "ring / window sum",
        "",
        "ring of `isolation_depth` cells around the sum window over the sum",
        shapes.isolation,
    ),
    "noise": Field(
        "noise of the sum", "counts", "noise of the held cells in quadrature", lambda found: found.noise_of_sum
    ),
    "at_seed": Field(
        "no cell weighs",
        "",
        "whether no cell weighs anything, so that the barycentre is the seed",
        lambda found: found.weights.nothing,
    ),
    "on_edge": Field("window beyond an edge", "", "whether the sum window reaches beyond an edge", _on_edge),
    "n_masked": Field("masked cells in the window", "", "number of masked cells of the sum window", _n_masked),
    "n_saturated": Field(
        "saturated cells added", "", "number of added cells that hold a code of `saturated`", _n_saturated
    ),
    "layer_sums": Field("sum in the layer", "counts", "sum of every layer over the held cells", _layer_sums),
    **{
        f"{word}_{which}": Field(f"{title} {which}", "", f"{meaning} in {which}", partial(compute, which=place))
        for word, title, meaning, compute in (
            ("barycentre", "mean", "barycentre of the held cells", shapes.barycentre),
            ("width", "width in", "standard deviation of the held cells", shapes.width),
        )
        for place, which in enumerate(("row", "col"))
    },
}


def _pileup_field(wanted: Pileup) -> Field:
    title = f"{wanted.name.replace('_', ' ')} pile-up".replace("chunky donut", "chunky-donut")
    meaning = f"pile-up estimate {wanted.kind} for the area of the sum window"
    return Field(title, "counts", meaning, lambda found: pileup.estimate(found, wanted))


@lru_cache(maxsize=64)
def fields_of(grid: Grid, settings: PeakSumSettings | None = None) -> Mapping[str, Field]:
    """Return every field that clusters of this grid can have, in the order of the output.

    With `settings` the columns of their pile-up estimates are among them.

    >>> from hep_peaksum.library.geometries import named_grid
    >>> list(fields_of(named_grid("cms-l1-towers")))[-4:]
    ['pt', 'eta', 'phi', 'energy']
    """
    table = dict(FIELDS)
    if settings is not None and settings.pileup:
        table |= {wanted.name: _pileup_field(wanted) for wanted in settings.pileup}
        table["net"] = Field("sum minus pile-up", "counts", "sum minus the estimate of `subtract`", net_sum)
    positions = {axis.name: axis for axis in (grid.rows, grid.cols) if axis.name and axis.centres is not None}
    for name, axis in positions.items():
        place = 0 if axis is grid.rows else 1
        title, unit = (
            (rf"$\{name}$", "rad" * (name == "phi")) if name in ("eta", "phi") else (name, axis.unit or "")
        )
        table[f"barycentre_{name}"] = Field(
            f"mean {title}",
            unit,
            f"barycentre of the held cells in {name}",
            partial(shapes.barycentre, which=place, axis=axis),
        )
        meaning = f"standard deviation of the held cells in {name}"
        table[f"width_{name}"] = Field(
            f"width in {title}", unit, meaning, partial(shapes.width, which=place, axis=axis)
        )
    if {"eta", "phi"} <= set(positions):
        table["pt"] = Field(r"$p_T$", "GeV", "transverse momentum", _pt)
        table["eta"] = Field(r"$\eta$", "", "pseudorapidity", partial(_position, "eta"))
        table["phi"] = Field(r"$\phi$", "rad", "azimuth in (-π, π]", partial(_position, "phi"))
        table["energy"] = Field("energy", "GeV", "energy", _energy)
        return MappingProxyType(table)
    if grid.quantity == "energy":
        table["energy"] = Field("energy", "GeV", "energy", sum_in_gev)
    else:
        table["pt"] = Field(r"$p_T$", "GeV", "transverse momentum", sum_in_gev)
    for name, axis in positions.items():
        table[name] = Field(name, axis.unit or "", f"position in {name}", partial(_position, name))
    return MappingProxyType(table)


def kinematics_of(grid: Grid) -> tuple[str, ...]:
    """Return the fields that say how energetic a cluster is and where, as far as the grid tells."""
    return tuple(
        name
        for name in fields_of(grid)
        if name in (*FOUR_VECTOR, grid.rows.name, grid.cols.name) and name not in FIELDS
    )


def default_fields(settings: PeakSumSettings, grid: Grid, *, layers_apart: bool = False) -> tuple[str, ...]:
    """Return the fields that clusters have when nobody asks for others.

    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> default_fields(PeakSumSettings(), bare_grid((24, 16)))
    ('peak_sum', 'seed', 'row', 'col', 'n_cells', 'energy')
    """
    estimates = (*(wanted.name for wanted in settings.pileup), "net") if settings.pileup else ()
    place = ("row", "col", "layer") if layers_apart else ("row", "col")
    flags = ("n_saturated",) if grid.saturated else ()
    return ("peak_sum", "seed", *place, "n_cells", *flags, *estimates, *kinematics_of(grid))


def check_fields(names: Iterable[str], settings: PeakSumSettings, grid: Grid) -> tuple[str, ...]:
    """Return the names, four-vectors made whole; a field that cannot be had is an error that says why.

    Raises
    ------
    ValueError
        If a name is unknown, needs positions that an axis has not, or a pile-up estimate not asked for.
    """
    table, names = fields_of(grid, settings), tuple(names)
    if not names:
        msg = f"clusters without a field cannot be: name one or more of {', '.join(table)}"
        raise ValueError(msg)
    for name in names:
        if name not in table:
            raise ValueError(_lacking_field(name, table, grid))
    if "layer_sums" in names and settings.pool_by == "max" and settings.sum_over == "towers":
        msg = "field 'layer_sums' of towers that are the highest of their cells: set sum_over to 'cells'"
        raise ValueError(msg)
    # Readers make a four-vector of pt, eta and phi, and fail without the fourth component.
    whole = FOUR_VECTOR if grid.is_eta_phi and set(names) >= {"pt", "eta", "phi"} else ()
    return tuple(dict.fromkeys((*names, *whole)))


def _lacking_field(name: str, table: Iterable[str], grid: Grid) -> str:
    """Say why a field cannot be had, and what to do about it."""
    if name == "net":
        return "field 'net' is the sum minus a pile-up estimate: ask for one with pileup: [chunky_donut]"
    if name in get_args(PileupKind):
        return f"field {name!r} is a pile-up estimate: ask for it with pileup: [{name}]"
    position = name.partition("_")[2] if name.startswith(("barycentre_", "width_")) else name
    if position in FOUR_VECTOR or position in (grid.rows.name, grid.cols.name):
        needed = [position] if grid.axis(position) else ["eta", "phi"]
        lacking = [n for n in needed if (found := grid.axis(n)) is None or found[1].centres is None]
        return (
            f"field {name!r} needs positions on an axis named {' and one named '.join(lacking)}: "
            "add name and edges, or bins, start and stop, to rows or cols"
        )
    near = difflib.get_close_matches(name, table, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no field is called {name!r}: {hint}there are {', '.join(table)}"
