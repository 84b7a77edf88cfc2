"""The one table of cluster fields: name, title, unit, meaning, and how each is computed.

Outputs, histograms, plots and the documentation take them from `fields_of`. A new field is a new row of
`FIELDS` with its function, in this file only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import numpy as np

from hep_peaksum.clustering import pileup, shapes
from hep_peaksum.clustering.discriminant import holds_code, n_codes
from hep_peaksum.clustering.sharing import PeakContext, Windows
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import Pileup, PileupKind
from hep_peaksum.suggestions import did_you_mean, listed

FOUR_VECTOR = ("pt", "eta", "phi", "energy")

# Computed from peaks alone. All others need cells, and hits are made dense for them (see `needs_cells`).
OF_PEAKS = frozenset({"peak_sum", "seed", "row", "col", "layer", "n_cells"})
OF_LAYERS = frozenset({"layer_sums", "n_saturated"})
# Names of coordinates, of which a four-vector with the fields above can have no others.
COORDINATES = (*("x", "y", "z", "t", "rho", "theta", "tau"), *("px", "py", "pz", "m", "M", "mass", "e", "E"))
# What four-vectors know of themselves, so that it is no field.
OF_VECTORS = ("mass", "m", "px", "py", "pz", "theta", "rapidity")
# What others call a field of ours.
OTHER_NAMES = {"e": "energy", "et": "pt", "size": "n_cells", "nhits": "n_cells", "sum": "peak_sum"}


class Field(NamedTuple):
    """A quantity of a cluster: its title on an axis, its unit, its meaning in words, and how it is computed."""

    title: str
    unit: str
    meaning: str
    compute: Callable[[PeakContext], Array]

    @property
    def axis_title(self) -> str:
        """Title with the unit, for the axis of a plot."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


def energy_of_sum(context: PeakContext) -> Array:
    """Return the sum of every cluster in GeV, or in counts on a grid without a unit."""
    total, unit = context.peaks.sum, context.grid.scale
    return total if unit == 1 and total.dtype.kind == "f" else np.asarray(total * unit)


def net_sum(context: PeakContext) -> Array:
    """Return the sum of every cluster minus its pile-up estimate, in counts."""
    estimate = pileup.estimate_pileup(context, context.settings.net_estimate)  # type: ignore[arg-type]
    net = np.asarray(context.peaks.sum - estimate)
    raised = context.settings.saturated_net
    if raised is None:
        return net
    fits = net.dtype.kind == "f" or (raised % 1 == 0 and abs(raised) < 2**63)
    return np.where(pileup.has_saturated_seed(context), np.asarray(raised, net.dtype if fits else float), net)


def _position(name: str, context: PeakContext, function: Callable[[Any], Array] = np.asarray) -> Array:
    """Return a function of the position of every cluster; for seed positions it is evaluated once per cell."""
    word, axis = context.grid.axis(name)  # type: ignore[misc]
    if context.settings.position != "seed":
        return function(shapes.barycentre(context, 0 if word == "row" else 1, axis))
    return function(axis.centres)[context.peaks.row if word == "row" else context.peaks.col]


def _hexagon(context: PeakContext, dim: int) -> Array:
    """Return x (0) or y (1) of every cluster on hexagonal cells."""
    layer = _layer(context) if context.n_separate_layers > 1 else None
    if context.settings.position == "seed":
        place = context.peaks.row, context.peaks.col
    else:
        place = shapes.barycentre(context, 0), shapes.barycentre(context, 1)
    return context.grid.hexagon_centres(*place, layer)[dim]


def _energy_of_net(context: PeakContext) -> Array:
    """Return the sum of every cluster minus its pile-up estimate, in the unit of energies."""
    return net_sum(context) * context.grid.scale


def _pt(total_of: Callable[[PeakContext], Array], context: PeakContext) -> Array:
    total = total_of(context)
    return total if context.grid.quantity == "et" else total / _position("eta", context, np.cosh)


def _energy(total_of: Callable[[PeakContext], Array], context: PeakContext) -> Array:
    total = total_of(context)
    return total * _position("eta", context, np.cosh) if context.grid.quantity == "et" else total


def _shared_sum(context: PeakContext) -> Array:
    return context.of_windows(lambda windows: windows.sum(windows.contested), contested=True)


def _on_edge(context: PeakContext) -> Array:
    return context.of_windows(lambda windows: np.asarray((windows.place < 0).any(axis=1)), settled=False)


def _n_masked(context: PeakContext) -> Array:
    mask = context.summed.mask
    if mask is None:
        return np.zeros(len(context.peaks), np.int32)
    return context.of_windows(
        lambda windows: (windows.pick(mask) & (windows.place >= 0)).sum(axis=1, dtype=np.int32), settled=False
    )


def _n_held(windows: Windows, numbers: Array) -> Array:
    """Return the sum of numbers of every cell over the held ones; one masked as zero holds nothing."""
    is_held, mask = windows.shares.is_held, windows.context.summed.mask
    if mask is not None:
        is_held = is_held & ~windows.pick(mask)
    return np.asarray(np.where(is_held, numbers, 0).sum(axis=1, dtype=np.int32))


def _n_flagged(name: str, context: PeakContext) -> Array:
    """Return the sum of a flag over the held cells; 0 where no cell has it."""
    if (flags := context.summed.flags.get(name)) is None:
        return np.zeros(len(context.peaks), np.int32)
    return context.of_windows(lambda windows: _n_held(windows, windows.pick(flags)))


def _n_saturated(context: PeakContext) -> Array:
    cells = context.summed
    if "n_saturated" in cells.flags or not cells.grid.saturated:  # those of towers are known, and of raw values
        return _n_flagged("n_saturated", context)
    if cells.layers is None:
        return context.of_windows(lambda windows: _n_held(windows, holds_code(windows.values, cells)))
    codes = n_codes(cells)
    return context.of_windows(lambda windows: _n_held(windows, windows.pick(codes)))


def _layer_sums(context: PeakContext) -> Array:
    """Return the sum in every layer, shape (peak, layer); of a cell that is shared its part of every layer."""
    if context.summed.layers is None:
        msg = "field 'layer_sums' needs layers: give grids of shape (event, layer, row, col)"
        raise ValueError(msg)
    return context.of_windows(_layer_sums_of)


def _held_parts(windows: Windows) -> tuple[Array, Array]:
    """Return the cells of which peaks hold anything, and the part of each; one masked as zero holds nothing."""
    (parts, is_held), mask = windows.parts, windows.context.summed.mask
    if mask is not None:
        is_held = is_held & ~windows.pick(mask)
    return is_held, parts


def _layer_sums_of(windows: Windows) -> Array:
    context, (is_held, part) = windows.context, _held_parts(windows)
    layers = np.asarray(context.summed.layers)
    layers = layers.reshape(*layers.shape[:2], context.sum_grid.n_cells)
    is_whole = bool((part[is_held] == 1).all())
    return context.loops.layer_sums(
        layers, windows.event, windows.cell(), is_held, None if is_whole else part, part.dtype
    )


def _moment(name: str, moment: Array | None) -> Array:
    if moment is None:
        msg = f"field {name!r} needs the time of hits: give time to the hits"
        raise ValueError(msg)
    return moment


def _time(context: PeakContext) -> Array:
    """Return the mean time of the hits that a cluster holds, weighted with their energy; NaN for a sum of 0."""
    _moment("time", context.summed.moments)
    return _ratio(context.of_windows(_moment_of), context.peaks.sum)


def _moment_of(windows: Windows) -> Array:
    """Return the sum of energy * time over the held cells, of a cell that is shared in its part."""
    moment, (is_held, part) = np.asarray(windows.context.summed.moments), _held_parts(windows)
    return windows.sum(np.where(is_held, part * windows.pick(moment), 0.0))


def _seed_time(context: PeakContext) -> Array:
    peaks, moment = context.peaks, _moment("seed_time", context.searched.moments)
    return _ratio(
        moment[peaks.event, peaks.row, peaks.col], context.searched_cells[peaks.event, peaks.row, peaks.col]
    )


def _ratio(moment: Array, energy: Array) -> Array:
    return np.asarray(np.divide(moment, energy, out=np.full(len(moment), np.nan), where=energy != 0))


def _layer(context: PeakContext) -> Array:
    return np.asarray(context.peaks.event % context.n_separate_layers, np.int32)


def _position_fields(word: str, title: str, unit: str, dim: int, axis: Axis | None = None) -> dict[str, Field]:
    """Return barycentre and width along rows (0) or columns (1): in indices, or in the positions of an axis."""
    mean, width = (partial(f, dim=dim, axis=axis) for f in (shapes.barycentre, shapes.width))
    return {
        f"barycentre_{word}": Field(f"mean {title}", unit, f"weighted mean of the held cells in {word}", mean),
        f"width_{word}": Field(
            f"width in {title}", unit, f"weighted standard deviation of the held cells in {word}", width
        ),
    }


FIELDS = {
    "peak_sum": Field(
        "window sum",
        "counts",
        "sum of the cells of the sum window that the cluster holds",
        lambda context: context.peaks.sum,
    ),
    "seed": Field("seed", "counts", "the value that the search compared", lambda context: context.peaks.seed),
    "row": Field("seed row", "", "row of the seed, from 0", lambda context: context.peaks.row),
    "col": Field("seed column", "", "column of the seed, from 0", lambda context: context.peaks.col),
    "layer": Field("layer", "", "layer of the cluster, where each is searched separately", _layer),
    "n_cells": Field("cells added", "", "number of cells in the sum", lambda context: context.peaks.n_cells),
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
    "e1_e9": Field(
        "seed / 3x3",
        "",
        "energy of the seed cell over that of the 3x3 cells around it",
        partial(shapes.ratio, inner=1, outer=3),
    ),
    "e9_e25": Field(
        "3x3 / 5x5",
        "",
        "energy of the 3x3 cells over that of the 5x5 cells around the seed",
        partial(shapes.ratio, inner=3, outer=5),
    ),
    "isolation": Field(
        "ring / window sum",
        "",
        "ring of `isolation_depth` cells around the sum window over the sum",
        shapes.isolation,
    ),
    "noise": Field(
        "noise of the sum", "counts", "noise of the held cells in quadrature", lambda context: context.sum_noise
    ),
    "at_seed": Field(
        "no cell weighs",
        "",
        "whether no cell has weight, so that the barycentre is the seed",
        shapes.has_no_weight,
    ),
    "on_edge": Field("window beyond an edge", "", "whether the sum window reaches beyond an edge", _on_edge),
    "n_masked": Field("masked cells in the window", "", "number of masked cells of the sum window", _n_masked),
    "n_saturated": Field(
        "saturated cells added",
        "",
        "number of added cells, also in towers, that hold a code of `saturated`",
        _n_saturated,
    ),
    "n_filled": Field(
        "filled cells added",
        "",
        "number of added cells that were given the mean of their neighbours",
        partial(_n_flagged, "n_filled"),
    ),
    "time": Field(
        "time", "", "mean time of the hits held, weighted with energy, in the unit of their branch", _time
    ),
    "seed_time": Field(
        "seed time", "", "mean time of the hits in the seed cell, weighted with energy", _seed_time
    ),
    "layer_sums": Field("sum in the layer", "counts", "sum over the held cells of each layer", _layer_sums),
}
FIELDS |= _position_fields("row", "row", "", 0) | _position_fields("col", "col", "", 1)


def _pileup_field(estimate: Pileup) -> Field:
    title = f"{estimate.name.replace('_', ' ')} pile-up".replace("chunky donut", "chunky-donut")
    compute = partial(pileup.estimate_pileup, estimate=estimate)
    return Field(title, "counts", f"pile-up estimate {estimate.kind} for the area of the sum window", compute)


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
        table |= {estimate.name: _pileup_field(estimate) for estimate in settings.pileup}
        table["net"] = Field("sum minus pile-up", "counts", "sum minus the estimate of `subtract`", net_sum)
    axes = {
        axis.name: (dim, axis)
        for dim, axis in enumerate((grid.rows, grid.cols))
        if axis.name and axis.centres is not None
    }
    for name, (dim, axis) in axes.items():
        is_angle = name in ("eta", "phi")
        title, unit = (rf"$\{name}$" if is_angle else name), axis.field_unit
        table |= _position_fields(name, title, unit, dim, axis)
    kinematics = _kinematic_fields(grid, {name: axis for name, (_, axis) in axes.items()})
    net = _net_fields(grid, kinematics) if "net" in table else {}
    return MappingProxyType(table | net | kinematics)


def _net_fields(grid: Grid, table: Mapping[str, Field]) -> dict[str, Field]:
    """Return energy and transverse momentum minus pile-up, of those that there are without."""
    ways = {"pt": (r"$p_T$ minus pile-up", _pt), "energy": ("energy minus pile-up", _energy)}
    return {
        f"net_{word}": Field(
            title, grid.energy_unit, f"{table[word].meaning} of net", partial(way, _energy_of_net)
        )
        for word, (title, way) in ways.items()
        if word in table
    }


def _kinematic_fields(grid: Grid, axes: Mapping[str, Axis]) -> dict[str, Field]:
    """Return energy or transverse momentum, and the position on the axes that have positions."""
    if {"eta", "phi"} <= set(axes):
        return {
            "pt": Field(r"$p_T$", grid.energy_unit, "transverse momentum", partial(_pt, energy_of_sum)),
            "eta": Field(r"$\eta$", "", "pseudorapidity", partial(_position, "eta")),
            "phi": Field(r"$\phi$", "rad", "azimuth in [-π, π)", partial(_position, "phi")),
            "energy": Field("energy", grid.energy_unit, "energy", partial(_energy, energy_of_sum)),
        }
    if grid.quantity == "energy":
        fields = {"energy": Field("energy", grid.energy_unit, "energy", energy_of_sum)}
    else:
        fields = {"pt": Field(r"$p_T$", grid.energy_unit, "transverse momentum", energy_of_sum)}
    for name, axis in axes.items():
        fields[name] = Field(name, axis.field_unit, f"position in {name}", partial(_position, name))
    if grid.hexagons is not None:
        for dim, name in enumerate("xy"):
            unit = grid.hexagons.unit or ""
            fields[name] = Field(name, unit, f"position in {name}", partial(_hexagon, dim=dim))
    return fields


def _kinematics_of(grid: Grid) -> tuple[str, ...]:
    """Return the fields for energy and position of a cluster that the grid allows."""
    names = {*FOUR_VECTOR, grid.rows.name, grid.cols.name, *"xy"}
    return tuple(name for name in fields_of(grid) if name in names and name not in FIELDS)


@lru_cache(maxsize=64)
def default_fields(settings: PeakSumSettings, grid: Grid, *, separate_layers: bool = False) -> tuple[str, ...]:
    """Return the fields that clusters have by default.

    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> default_fields(PeakSumSettings(), bare_grid((24, 16)))
    ('peak_sum', 'seed', 'row', 'col', 'n_cells', 'energy')
    """
    estimates = (*(estimate.name for estimate in settings.pileup), "net") if settings.pileup else ()
    index = ("row", "col", "layer") if separate_layers else ("row", "col")
    flags = ("n_saturated",) if grid.saturated else ()
    return ("peak_sum", "seed", *index, "n_cells", *flags, *estimates, *_kinematics_of(grid))


def needs_cells(names: Iterable[str], settings: PeakSumSettings, grid: Grid) -> bool:
    """Return whether fields, or the cuts of the settings, are computed from cells and not from peaks alone."""
    of_sums = () if grid.is_eta_phi else ("energy", "pt")
    of_peaks = OF_PEAKS.union(_kinematics_of(grid) if settings.position == "seed" else of_sums)
    has_cuts = settings.min_seed_gap is not None or settings.min_prominence is not None
    has_cuts |= settings.min_neighbours > 0 or settings.sum_threshold_on != "sum"
    return has_cuts or not of_peaks.issuperset(names)


def check_fields(names: str | Iterable[str], settings: PeakSumSettings, grid: Grid) -> tuple[str, ...]:
    """Return the names without duplicates, four-vectors completed.

    Raises
    ------
    TypeError
        If a name is not a string.
    ValueError
        If a name is unknown, or needs a pile-up estimate that the settings do not have, or positions that the
        grid does not have.
    """
    table, names = fields_of(grid, settings), _as_list(names)
    if not names:
        msg = f"fields is empty: name one or more of {', '.join(table)}"
        raise ValueError(msg)
    for name in names:
        if not isinstance(name, str):
            msg = f"fields: {name!r} is not the name of a field: name one or more of {', '.join(table)}"
            raise TypeError(msg)
        if name not in table:
            raise ValueError(_unavailable(name, table, grid))
    if "layer_sums" in names and settings.pool_by == "max" and settings.sum_over == "towers":
        msg = "field 'layer_sums' is undefined for towers that hold their highest cell: set sum_over to 'cells'"
        raise ValueError(msg)
    # Readers make a four-vector of pt, eta and phi, and fail without the fourth component.
    four_vector = FOUR_VECTOR if grid.is_eta_phi and set(names) >= {"pt", "eta", "phi"} else ()
    return tuple(dict.fromkeys((*names, *four_vector)))


def _as_list(names: object) -> tuple[Any, ...]:
    """Return one or more names as a tuple."""
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)


def field_meant(name: str, known: Iterable[str]) -> str:
    """Return which field is meant by a name: one that others call so, or one that is spelt alike.

    >>> field_meant("E", ["peak_sum", "energy"])
    " (did you mean 'energy'?)"
    """
    meant = OTHER_NAMES.get(name.lower(), "")
    return f" (did you mean {meant!r}?)" if meant in known else did_you_mean(name, known)


def _unavailable(name: str, table: Iterable[str], grid: Grid) -> str:
    """Return why clusters cannot have a field, and the remedy."""
    if name in ("net", "net_pt", "net_energy") and "net" not in table:
        return f"field {name!r} is the sum minus a pile-up estimate: ask for one with pileup: [chunky_donut]"
    if name in get_args(PileupKind):
        return f"field {name!r} is a pile-up estimate: ask for it with pileup: [{name}]"
    position = name.partition("_")[2] if name.startswith(("barycentre_", "width_")) else name
    if position in (*FOUR_VECTOR, "x", "y", grid.rows.name, grid.cols.name):
        needed = [position] if grid.axis(position) or position in ("x", "y") else ["eta", "phi"]
        for axis in (grid.rows, grid.cols):
            if (meant := str(axis.name).lower()) in needed and axis.name != meant:
                return f"field {name!r} needs an axis named {meant}: write name: {meant}, and not {axis.name!r}"
        missing = [n for n in needed if (match := grid.axis(n)) is None or match[1].centres is None]
        if position in ("x", "y") and grid.rows.name and grid.cols.name and grid.axis(position) is None:
            named = f"the axes are named {grid.rows.name} and {grid.cols.name}"
            return f"field {name!r} needs an axis named {position}, and {named}: leave it out, or name one so"
        return (
            f"field {name!r} needs positions on an axis named {' and one named '.join(missing)}: "
            "add name and edges, or bins, start and stop, to rows or cols"
        )
    near = f": write a list, [{name}]" if "," in name else field_meant(name, table)
    if name in OF_VECTORS:
        near = ": readers compute it from pt, eta, phi and energy: leave it out"
    return f"no field is called {name!r}{near}; there are {listed(table, near=name)}"
