"""From peaks to clusters: the one table of cluster fields, and the jagged records made of them.

Every output, histogram and plot takes names, titles and units from `fields_of`; a new quantity is a new row.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hep_peaksum.axis import Axis
from hep_peaksum.grid import Grid
from hep_peaksum.kernels import Array, Kernel, Peaks, absent, accumulator
from hep_peaksum.settings import PeakSumSettings, inclusive_bound, strips_around

if TYPE_CHECKING:
    import awkward as ak

FOUR_VECTOR = ("pt", "eta", "phi", "energy")
# How deep the strips of the chunky donut are, and how many.
DONUT_DEPTH, DONUT_STRIPS = 3, 4


@dataclass(frozen=True)
class Found:
    """The peaks of one grid, with all that a field may need to know about them."""

    peaks: Peaks
    grids: Array
    grid: Grid
    settings: PeakSumSettings
    kernel: Kernel
    layers: Array | None = None
    mask: Array | None = None

    @cached_property
    def window(self) -> tuple[Array, Array]:
        """Row and column of every cell of every sum window, shape (peak, cell); -1 beyond an edge."""
        offsets = np.array(self.settings.sum_cells(), np.int64)
        row = _closed(self.peaks.row[:, None] + offsets[:, 0], self.grid.rows)
        col = _closed(self.peaks.col[:, None] + offsets[:, 1], self.grid.cols)
        outside = (row < 0) | (col < 0)
        return np.where(outside, -1, row), np.where(outside, -1, col)

    @cached_property
    def added(self) -> Array:
        """Whether a cell of a sum window was added to the sum, shape (peak, cell)."""
        row, col = self.window
        # numpy would compare float32 cells with a float32 bound
        value = self.grids[self.peaks.event[:, None], row, col].astype(accumulator(self.grids.dtype))
        added = (row >= 0) & (value != absent(value.dtype))
        bound = cell_bound(self.settings, self.grid, self.grids)
        return np.asarray(added if bound is None else added & (value >= bound))


def cell_bound(settings: PeakSumSettings, grid: Grid, grids: Array) -> float | None:
    """Return the cell threshold as an inclusive bound in counts of the grid, or None."""
    if settings.cell_threshold is None:
        return None
    return inclusive_bound(settings.cell_threshold, ">=", grid.unit, integer=grids.dtype.kind != "f")


def _closed(index: Array, axis: Axis) -> Array:
    """Return the index on a periodic axis, or -1 beyond an edge."""
    return index % axis.size if axis.periodic else np.where((index >= 0) & (index < axis.size), index, -1)


class Field(NamedTuple):
    """A quantity of a cluster: what it is called on an axis, its unit, and how it is computed."""

    title: str
    unit: str
    compute: Callable[[Found], Array]

    @property
    def axis_title(self) -> str:
        """Title with unit, as it stands on a plot."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


def _gev(found: Found) -> Array:
    return np.asarray(found.peaks.sum * found.grid.unit)


def _position(name: str, found: Found) -> Array:
    which, axis = found.grid.axis(name)  # type: ignore[misc]
    return axis.centres[found.peaks.row if which == "row" else found.peaks.col]  # type: ignore[index]


def _pt(found: Found) -> Array:
    return np.asarray(_gev(found) / (1.0 if found.grid.quantity == "et" else np.cosh(_position("eta", found))))


def _energy(found: Found) -> Array:
    return np.asarray(_gev(found) * (np.cosh(_position("eta", found)) if found.grid.quantity == "et" else 1.0))


def _chunky_donut(found: Found) -> Array:
    """Return the sum of the three smallest of the four strips about the window, scaled to its area.

    cms-sw/cmssw L1Trigger/L1TCalorimeter/src/firmware/Stage2Layer2JetAlgorithmFirmwareImp1.cc,
    `chunkyDonutPUEstimate`: about 9x9 cells three strips cover just that area. Beyond an edge cells count as 0.
    """
    size: tuple[int, int] = found.settings.sum_window  # type: ignore[assignment]
    strips = [
        found.kernel.sum_cells(found.grids, found.peaks, strip, None, found.grid.periodic)[0]
        for strip in strips_around(size, depth=DONUT_DEPTH)
    ]
    low, middle, high, _ = np.sort(strips, axis=0)
    estimate: Array = low + middle + high
    scale = (size[0] * size[1]) / (DONUT_DEPTH * (size[0] + size[1] + min(size)))
    return estimate if scale == 1 else estimate * scale


def _net(found: Found) -> Array:
    return np.asarray(found.peaks.sum - PILEUP[found.settings.pileup[0]].compute(found))


def _shared_sum(found: Found) -> Array:
    """Return the part of the sum that lies in cells which another sum window of the event holds, too."""
    row, col = found.window
    event = np.broadcast_to(found.peaks.event[:, None], row.shape)
    flat = np.ravel_multi_index(
        (event[found.added], row[found.added], col[found.added]), (len(found.grids), *found.grid.shape)
    )
    _, place, holders = np.unique(flat, return_inverse=True, return_counts=True)
    shared = np.zeros(row.shape, found.peaks.sum.dtype)
    shared[found.added] = np.where(holders[place] > 1, found.grids.reshape(-1)[flat], 0)
    return np.asarray(shared.sum(axis=1))


def _on_edge(found: Found) -> Array:
    return np.asarray((found.window[0] < 0).any(axis=1))


def _n_masked(found: Found) -> Array:
    row, col = found.window
    if found.mask is None:
        return np.zeros(len(row), np.int32)
    masked = found.mask[found.peaks.event[:, None], row, col] & (row >= 0)
    return np.asarray(masked.sum(axis=1, dtype=np.int32))


def _layer_sums(found: Found) -> Array:
    """Return the sum in every layer, shape (peak, layer), over the cells that were added to the sum."""
    if found.layers is None:
        msg = "field 'layer_sums' needs layers: give grids of shape (event, layer, row, col)"
        raise ValueError(msg)
    row, col = found.window
    added = found.added
    if found.mask is not None:  # also a cell that is masked as zero holds nothing in its layers
        added = added & ~found.mask[found.peaks.event[:, None], row, col]
    total = np.zeros((len(row), found.layers.shape[1]), found.peaks.sum.dtype)
    for k in range(row.shape[1]):
        cells = found.layers[found.peaks.event, :, row[:, k], col[:, k]]
        total += np.where(added[:, k, None], cells, 0)
    return total


PILEUP = {
    "chunky_donut": Field("chunky-donut pile-up", "counts", _chunky_donut),
}

FIELDS = {
    "sum": Field("window sum", "counts", lambda found: found.peaks.sum),
    "seed": Field("seed", "counts", lambda found: found.peaks.seed),
    "row": Field("seed row", "", lambda found: found.peaks.row.astype(np.int32)),
    "col": Field("seed column", "", lambda found: found.peaks.col.astype(np.int32)),
    "n_cells": Field("cells added", "", lambda found: found.peaks.n_cells.astype(np.int32)),
    "shared_sum": Field("sum in shared cells", "counts", _shared_sum),
    "on_edge": Field("window beyond an edge", "", _on_edge),
    "n_masked": Field("masked cells in the window", "", _n_masked),
    "layer_sums": Field("sum in the layer", "counts", _layer_sums),
    **PILEUP,
    "net": Field("sum minus pile-up", "counts", _net),
}


def fields_of(grid: Grid) -> dict[str, Field]:
    """Return every field that clusters of this grid can have, in the order of the output.

    >>> from hep_peaksum.grid import geometry
    >>> list(fields_of(geometry("cms-l1-towers")))[-4:]
    ['pt', 'eta', 'phi', 'energy']
    """
    table = dict(FIELDS)
    if grid.is_eta_phi and all(axis.centres is not None for axis in (grid.rows, grid.cols)):
        table["pt"] = Field(r"$p_T$", "GeV", _pt)
        table["eta"] = Field(r"$\eta$", "", partial(_position, "eta"))
        table["phi"] = Field(r"$\phi$", "rad", partial(_position, "phi"))
        table["energy"] = Field("energy", "GeV", _energy)
        return table
    if grid.quantity == "energy":
        table["energy"] = Field("energy", "GeV", _gev)
    else:
        table["pt"] = Field(r"$p_T$", "GeV", _gev)
    for axis in (grid.rows, grid.cols):
        if axis.name is not None and axis.centres is not None:
            table[axis.name] = Field(axis.name, axis.unit or "", partial(_position, axis.name))
    return table


def default_fields(settings: PeakSumSettings, grid: Grid) -> tuple[str, ...]:
    """Return the fields that clusters have when nobody asks for others.

    >>> from hep_peaksum.grid import bare_grid
    >>> default_fields(PeakSumSettings(), bare_grid((24, 16)))
    ('sum', 'seed', 'row', 'col', 'n_cells', 'energy')
    """
    pileup = (*settings.pileup, "net") if settings.pileup else ()
    kinematics = [name for name in fields_of(grid) if name not in FIELDS]
    return ("sum", "seed", "row", "col", "n_cells", *pileup, *kinematics)


def check_fields(names: Iterable[str], settings: PeakSumSettings, grid: Grid) -> tuple[str, ...]:
    """Return the names, four-vectors made whole; a field that cannot be had is an error that says why.

    Raises
    ------
    ValueError
        If a name is unknown, needs positions that an axis has not, or a pile-up estimate not asked for.
    """
    table, names = fields_of(grid), tuple(names)
    if not names:
        msg = f"clusters without a field cannot be: name one or more of {', '.join(table)}"
        raise ValueError(msg)
    for name in names:
        if name in table:
            continue
        if name in FOUR_VECTOR or name in (grid.rows.name, grid.cols.name):
            needed = [name] if grid.axis(name) else ["eta", "phi"]
            lacking = [n for n in needed if (found := grid.axis(n)) is None or found[1].centres is None]
            msg = (
                f"field {name!r} needs positions on an axis named {' and one named '.join(lacking)}: "
                "add name and edges, or bins, start and stop, to rows or cols"
            )
        else:
            near = difflib.get_close_matches(name, table, n=1)
            msg = f"no field is called {name!r}: " + (f"did you mean {near[0]!r}? " if near else "")
            msg += f"there are {', '.join(table)}"
        raise ValueError(msg)
    for name in names:
        if name in PILEUP and name not in settings.pileup:
            msg = f"field {name!r} is a pile-up estimate: ask for it with pileup: [{name}]"
            raise ValueError(msg)
    if "net" in names and not settings.pileup:
        msg = (
            f"field 'net' is the sum minus a pile-up estimate: ask for one with pileup: [{next(iter(PILEUP))}]"
        )
        raise ValueError(msg)
    # Readers make a four-vector of pt, eta and phi, and fail without the fourth component.
    whole = FOUR_VECTOR if grid.is_eta_phi and set(names) >= {"pt", "eta", "phi"} else ()
    return tuple(dict.fromkeys((*names, *whole)))


def rank(event: Array, key: Array, settings: PeakSumSettings) -> Array:
    """Return the peaks to keep, in the order to keep them; equal keys stay in the order of position."""
    falling = np.lexsort((-key, event))
    if settings.max_clusters is not None:
        ranked = event[falling]
        place = np.arange(len(ranked)) - np.searchsorted(ranked, ranked)
        falling = falling[place < settings.max_clusters]
    return falling if settings.order == "sum" else np.sort(falling)


def jagged(parts: Sequence[Found], settings: PeakSumSettings, names: Sequence[str]) -> ak.Array:
    """Return the clusters of every event as records, those of several grids tagged with `grid` and mixed.

    Clusters of one grid are ranked by their sum, those of several by the energy that their sum stands for.
    """
    import awkward as ak  # noqa: PLC0415 -- slow to import

    tables = [fields_of(part.grid) for part in parts]
    values = {
        name: np.concatenate([table[name].compute(part) for part, table in zip(parts, tables, strict=True)])
        for name in names
    }
    if len(parts) > 1:
        n_peaks = [len(part.peaks.event) for part in parts]
        values["grid"] = np.repeat(np.arange(len(parts), dtype=np.int32), n_peaks)
    key = parts[0].peaks.sum if len(parts) == 1 else np.concatenate([_gev(part) for part in parts])
    event = np.concatenate([part.peaks.event for part in parts])
    by_position = np.argsort(event, kind="stable")
    kept = by_position[rank(event[by_position], key[by_position], settings)]
    four_vector = set(values) >= set(FOUR_VECTOR)
    if four_vector:
        import vector  # noqa: PLC0415 -- slow to import

        vector.register_awkward()
    records = ak.zip(
        {name: value[kept] for name, value in values.items()},
        depth_limit=1,
        with_name="Momentum4D" if four_vector else None,
    )
    return ak.unflatten(records, np.bincount(event[kept], minlength=len(parts[0].grids)))
