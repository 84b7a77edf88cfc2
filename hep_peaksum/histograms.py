"""Histograms of cluster fields: booked from the config, filled per chunk, merged by addition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import awkward as ak
import hist
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hep_peaksum.clusters import check_fields, fields_of
from hep_peaksum.grid import Axis, Coordinate, Grid
from hep_peaksum.settings import PeakSumSettings

# Energies of any detector fit: 10 MeV to 10 TeV, 20 bins a decade.
ENERGY_EDGES = tuple(float(edge) for edge in np.logspace(-2, 4, 121))
MOST_CLUSTERS = 50


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

    axes: Annotated[tuple[HistogramAxis, ...], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _one_collection(self) -> HistogramInput:
        kinds = {(axis.collection, axis.cluster_field is None) for axis in self.axes}
        if len(kinds) > 1:
            msg = f"the axes {', '.join(axis.field for axis in self.axes)} are not of one collection"
            raise ValueError(msg)
        return self


def default_histograms(collection: str, settings: PeakSumSettings, grid: Grid) -> dict[str, HistogramInput]:
    """Return the histograms of a collection when nobody asks for others: how many, how large, where."""
    table = fields_of(grid)
    name = collection.lower()
    axes: dict[str, list[dict[str, Any]]] = {
        f"n_{name}": [
            {"field": f"n{collection}", "bins": MOST_CLUSTERS, "start": -0.5, "stop": MOST_CLUSTERS - 0.5}
        ]
    }
    for field in ("pt", "energy"):
        if field in table:
            axes[f"{name}_{field}"] = [{"field": f"{collection}.{field}", "edges": ENERGY_EDGES}]
    place = []
    for word, axis in (("row", grid.rows), ("col", grid.cols)):
        if axis.name in table and axis.edge_positions is not None:
            edges = _symmetric_phi(axis) if axis.name == "phi" else tuple(axis.edge_positions)
            place.append({"field": f"{collection}.{axis.name}", "edges": edges})
        else:
            place.append(
                {"field": f"{collection}.{word}", "bins": axis.size, "start": -0.5, "stop": axis.size - 0.5}
            )
    axes[f"{name}_position"] = place
    return {key: HistogramInput(axes=value) for key, value in axes.items()}


def _symmetric_phi(axis: Axis) -> tuple[float, ...]:
    """Return the edges of an azimuth in [-pi, pi], where clusters have theirs."""
    return tuple(np.linspace(-np.pi, np.pi, axis.size + 1))


def check_histogram(
    histogram: HistogramInput, settings: Mapping[str, PeakSumSettings], grids: Mapping[str, Grid]
) -> None:
    """Raise a ValueError if a histogram asks for a collection or field that there is not."""
    for axis in histogram.axes:
        if axis.collection not in grids:
            msg = f"{axis.field!r} is of no collection: there are {', '.join(grids)} (write 'Jet.pt' or 'nJet')"
            raise ValueError(msg)
        if axis.cluster_field is not None and axis.cluster_field != "grid":
            check_fields([axis.cluster_field], settings[axis.collection], grids[axis.collection])


def book(histogram: HistogramInput, grids: Mapping[str, Grid]) -> hist.Hist:
    """Return an empty histogram."""
    axes = []
    for axis in histogram.axes:
        if axis.cluster_field is None:
            label = f"number of {axis.collection} clusters"
        else:
            table = fields_of(grids[axis.collection])
            label = table[axis.cluster_field].axis_title if axis.cluster_field in table else axis.cluster_field
        name = axis.field.replace(".", "_")
        if axis.edges is not None:
            axes.append(hist.axis.Variable(axis.edges, name=name, label=label))
        else:
            axes.append(hist.axis.Regular(axis.bins, axis.start, axis.stop, name=name, label=label))
    return hist.Hist(*axes, storage=hist.storage.Double())


def fill(histogram: hist.Hist, axes: Sequence[HistogramAxis], clusters: Mapping[str, ak.Array]) -> None:
    """Fill a histogram with the clusters of a chunk, each collection jagged, one list an event."""
    values = []
    for axis in axes:
        found = clusters[axis.collection]
        if axis.cluster_field is None:
            values.append(np.asarray(ak.num(found)))
        else:
            values.append(np.asarray(ak.flatten(found[axis.cluster_field])))
    histogram.fill(*values)


def needed_fields(histograms: Mapping[str, HistogramInput], collection: str) -> tuple[str, ...]:
    """Return the cluster fields that the histograms of a collection look at."""
    names = [
        axis.cluster_field
        for histogram in histograms.values()
        for axis in histogram.axes
        if axis.collection == collection and axis.cluster_field not in (None, "grid")
    ]
    return tuple(dict.fromkeys(name for name in names if name is not None))
