"""Histograms of cluster fields: booked from the config, filled per chunk, merged by addition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import awkward as ak
import hist
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hep_peaksum.clustering.fields import check_fields, fields_of
from hep_peaksum.geometry.axis import Axis, Coordinate
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.settings.model import PeakSumSettings

# Energies of any detector fit: 10 MeV to 10 TeV, 20 bins a decade.
ENERGY_EDGES = tuple(float(edge) for edge in np.logspace(-2, 4, 121))
MOST_CLUSTERS = 50
ONE, REST_BITS = np.uint64(1), np.uint64(48)


class HistogramAxis(BaseModel):
    """One axis of a histogram: a cluster field such as ``Jet.pt``, or ``nJet``, and its bins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = Field(pattern=r"^[A-Za-z]\w*(\.[A-Za-z]\w*)?$", description="Collection.field or nCollection")
    bins: Annotated[int, Field(strict=True, ge=1)] | None = None
    start: Coordinate | None = None
    stop: Coordinate | None = None
    edges: tuple[Coordinate, ...] | None = None

    @model_validator(mode="after")
    def _binned(self) -> HistogramAxis:
        Axis(bins=self.bins, start=self.start, stop=self.stop, edges=self.edges)
        return self

    @property
    def collection(self) -> str:
        """The collection that the field belongs to."""
        return self.field.partition(".")[0] if "." in self.field else self.field.removeprefix("n")

    @property
    def cluster_field(self) -> str | None:
        """The field of the clusters, or None for the number of clusters of an event."""
        return self.field.partition(".")[2] or None


class HistogramInput(BaseModel):
    """A histogram of one to three axes over one collection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    axes: tuple[HistogramAxis, ...]

    @model_validator(mode="after")
    def _one_collection(self) -> HistogramInput:
        if not 1 <= len(self.axes) <= 3:
            msg = f"a histogram has one to three axes, this has {len(self.axes)}"
            raise ValueError(msg)
        kinds = {(axis.collection, axis.cluster_field is None) for axis in self.axes}
        if len(kinds) > 1:
            msg = f"the axes {', '.join(axis.field for axis in self.axes)} are not of one collection"
            raise ValueError(msg)
        return self


def default_histograms(collection: str, grids: Sequence[Grid]) -> dict[str, HistogramInput]:
    """Return the histograms of a collection when nobody asks for others: how many, how large, where.

    Where only if there is one grid: the rows of several are not the same rows.
    """
    tables = [fields_of(grid) for grid in grids]
    axes: dict[str, list[HistogramAxis]] = {f"n{collection}": [_integers(f"n{collection}", MOST_CLUSTERS)]}
    for field in ("pt", "energy"):
        if all(field in table for table in tables):
            axes[f"{collection}_{field}"] = [HistogramAxis(field=f"{collection}.{field}", edges=ENERGY_EDGES)]
    if len(grids) == 1:
        places = (("row", grids[0].rows), ("col", grids[0].cols))
        axes[f"{collection}_position"] = [
            _place(collection, word, axis, axis.name in tables[0]) for word, axis in places
        ]
    return {key: HistogramInput(axes=tuple(value)) for key, value in axes.items()}


def _integers(field: str, n: int) -> HistogramAxis:
    return HistogramAxis(field=field, bins=n, start=-0.5, stop=n - 0.5)


def _place(collection: str, word: str, axis: Axis, has_positions: bool) -> HistogramAxis:
    """Return an axis with a bin for every cell, in coordinates where there are any."""
    if not has_positions or axis.edge_positions is None:
        return _integers(f"{collection}.{word}", axis.size)
    edges, centres = axis.edge_positions, axis.centres
    if axis.name == "phi" and centres is not None and np.abs(edges).max() > np.pi:
        # clusters have their azimuth in (-pi, pi]: the cells in this order
        order, half = np.argsort(centres), np.diff(edges) / 2
        edges = np.append((centres - half)[order], (centres + half)[order][-1])
    elif axis.edges is None:  # even bins are found without a search
        return HistogramAxis(
            field=f"{collection}.{axis.name}", bins=axis.bins, start=axis.start, stop=axis.stop
        )
    return HistogramAxis(field=f"{collection}.{axis.name}", edges=tuple(edges.tolist()))


def check_histogram(
    histogram: HistogramInput, settings: Mapping[str, PeakSumSettings], grids: Mapping[str, Sequence[Grid]]
) -> None:
    """Raise a ValueError if a histogram asks for a collection or field that there is not.

    `settings` and `grids` are those of every collection.
    """
    for axis in histogram.axes:
        name, field = axis.collection, axis.cluster_field
        if name not in grids:
            msg = f"{axis.field!r} is of no collection: there are {', '.join(grids)} (write 'Jet.pt' or 'nJet')"
            raise ValueError(msg)
        if field == "grid" and len(grids[name]) > 1:
            continue
        if field == "layer_sums":
            msg = f"{axis.field!r} has a value for every layer, a histogram needs one for every cluster"
            raise ValueError(msg)
        for grid in grids[name] if field is not None else ():
            check_fields([str(field)], settings[name], grid)


def book(
    histogram: HistogramInput,
    grids: Mapping[str, Grid],
    settings: Mapping[str, PeakSumSettings] | None = None,
) -> hist.Hist[Any]:
    """Return an empty histogram; `grids` and `settings` are those of every collection."""
    axes = []
    for axis in histogram.axes:
        table = fields_of(grids[axis.collection], (settings or {}).get(axis.collection))
        if axis.cluster_field is None:
            label = f"number of {axis.collection} clusters"
        else:
            label = table[axis.cluster_field].axis_title if axis.cluster_field in table else axis.cluster_field
        axes.append(_booked(axis, label))
    return hist.Hist(*axes, storage=hist.storage.Double())


def _booked(axis: HistogramAxis, label: str) -> Any:
    name = axis.field.replace(".", "_")
    if axis.bins is None or axis.start is None or axis.stop is None:
        return hist.axis.Variable(axis.edges or (), name=name, label=label)
    return hist.axis.Regular(axis.bins, axis.start, axis.stop, name=name, label=label)


def fill(histogram: hist.Hist[Any], axes: Sequence[HistogramAxis], clusters: Mapping[str, ak.Array]) -> None:
    """Fill a histogram with the clusters of a chunk, each collection jagged, one list an event."""
    values = []
    for axis in axes:
        lists = ak.to_layout(clusters[axis.collection]).to_ListOffsetArray64(True)
        if axis.cluster_field is None:
            values.append(np.diff(lists.offsets.data))
        else:
            values.append(lists.content[axis.cluster_field].data[: lists.offsets[-1]])
    counts = _counts(histogram, values[0]) if len(values) == 1 else None
    if counts is None:
        histogram.fill(*values)
    else:
        histogram.view(flow=True)[...] += counts


def _counts(histogram: hist.Hist[Any], values: Array) -> Array | None:
    """Return how many values lie in every bin of a histogram with one axis of uneven bins, or None.

    The leading bits of a number leave two bins at most, where a search through all edges, as in `hist`, takes
    eight times as long.
    """
    axis = histogram.axes[0]
    if not isinstance(axis, hist.axis.Variable):
        return None
    bins = _bins_by_leading_bits(tuple(axis.edges))
    if bins is None:
        return None
    numbers = values.astype(np.float64, copy=False)
    leading = (numbers.view(np.uint64) >> REST_BITS).view(np.intp)
    first_bin, next_edge = bins
    return np.bincount(first_bin.take(leading) + (numbers >= next_edge.take(leading)), minlength=axis.extent)


@lru_cache(maxsize=64)
def _bins_by_leading_bits(edges: tuple[float, ...]) -> tuple[Array, Array] | None:
    """Return, for the 16 leading bits of any number, the bin of the least such number and the edge above it.

    From 0, the underflow; None where more than one edge lies between numbers that begin with the same bits.
    """
    leading = np.arange(1 << 16, dtype=np.uint64) << REST_BITS
    least_and_greatest = (leading.view(np.float64), (leading | (ONE << REST_BITS) - ONE).view(np.float64))
    first, last = np.searchsorted(edges, np.sort(least_and_greatest, axis=0), side="right")
    if (last - first).max(where=np.isfinite(leading.view(np.float64)), initial=0) > 1:
        return None
    return first, np.append(edges, np.nan)[first]  # nothing lies above the last edge


def needed_fields(histograms: Mapping[str, HistogramInput], collection: str) -> tuple[str, ...]:
    """Return the cluster fields that the histograms of a collection look at."""
    axes = [
        axis for histogram in histograms.values() for axis in histogram.axes if axis.collection == collection
    ]
    return tuple(dict.fromkeys(axis.cluster_field for axis in axes if axis.cluster_field not in (None, "grid")))
