"""Histograms of cluster fields: booked from the config, filled per chunk, merged by addition.

`hist` and awkward are imported by the functions that need them, so that a config is read without them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, model_validator

from hep_peaksum.analysis.derived import Collections
from hep_peaksum.analysis.selection import NOMINAL, variation_axes
from hep_peaksum.analysis.variation_axis import Weights, add_entries
from hep_peaksum.clustering.fields import check_fields, fields_of
from hep_peaksum.geometry.axis import Axis, Coordinate, fold
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.jagged import counts_of, flat_field
from hep_peaksum.inputs.branch_names import FIELD_PATH
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import Size
from hep_peaksum.suggestions import did_you_mean

if TYPE_CHECKING:
    import hist

# Wide enough for any detector: 10 MeV to 10 TeV, 20 bins per decade.
ENERGY_EDGES = tuple(float(edge) for edge in np.logspace(-2, 4, 121))
MOST_CLUSTERS = 50
MAX_BINS = 10_000_000
AZIMUTHS = ("phi", "barycentre_phi")


class HistogramAxis(FrozenModel):
    """One axis of a histogram: a cluster field such as ``Jet.pt``, or ``nJet``, and its bins."""

    field: str = Field(
        pattern=FIELD_PATH,
        description="Field of the clusters, Collection.field, or their number in an event, nCollection.",
        examples=["Jet.pt", "nJet"],
    )
    bins: Size | None = Field(
        None, description="Number of bins of equal width between start and stop; give all three."
    )
    start: Coordinate | None = Field(
        None, description="Lower end of the first bin, in the unit of the field. '-pi' is understood."
    )
    stop: Coordinate | None = Field(
        None,
        description="Upper end of the last bin, in the unit of the field. '2pi' is understood. Of phi, an axis "
        "of a whole turn holds every cluster, wherever the turn begins.",
    )
    edges: tuple[Coordinate, ...] | None = Field(
        None,
        description="Edges of the bins, one more than there are bins, in place of bins, start and stop.",
        examples=[[0, 5, 10, 20, 50, 100]],
    )

    @model_validator(mode="after")
    def _check_bins(self) -> HistogramAxis:
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

    def fold_turn(self, values: Array) -> Array:
        """Return azimuths on the turn that the axis covers, if it is a whole one; all others as they are.

        >>> axis = HistogramAxis(field="Jet.phi", bins=4, start=0, stop="2pi")
        >>> axis.fold_turn(np.array([1.0, -1.0])).round(3).tolist()
        [1.0, 5.283]
        """
        ends = self.edges or (self.start, self.stop)
        low, high = float(ends[0] or 0), float(ends[-1] or 0)
        is_turn = self.cluster_field in AZIMUTHS and math.isclose(high - low, 2 * math.pi)
        return fold(values, low, high) if is_turn else values


class HistogramInput(FrozenModel):
    """A histogram of one to three axes over one collection."""

    axes: tuple[HistogramAxis, ...] = Field(
        description="One to three axes, of fields of one collection.",
        examples=[[{"field": "Jet.pt", "bins": 50, "start": 0, "stop": 100}]],
    )

    @model_validator(mode="after")
    def _check_axes(self) -> HistogramInput:
        if not 1 <= len(self.axes) <= 3:
            msg = f"a histogram has one to three axes, this has {len(self.axes)}"
            raise ValueError(msg)
        kinds = {(axis.collection, axis.cluster_field is None) for axis in self.axes}
        if len(kinds) > 1:
            is_of_one = len({collection for collection, _ in kinds}) == 1
            what = "numbers of events and fields of clusters" if is_of_one else "of several collections"
            msg = f"the axes {', '.join(axis.field for axis in self.axes)} are {what}: make a histogram of each"
            raise ValueError(msg)
        fields = [axis.field for axis in self.axes]
        if again := next((field for field in fields if fields.count(field) > 1), None):
            msg = f"{again} has {fields.count(again)} axes: give each another field, or make two histograms"
            raise ValueError(msg)
        n_bins = math.prod(axis.bins or len(axis.edges or ()) for axis in self.axes)
        if n_bins > MAX_BINS:
            msg = f"a histogram of {n_bins:.3g} bins is too large: at most {MAX_BINS:.3g} are possible"
            raise ValueError(msg)
        return self


def default_histograms(collection: str, grids: Sequence[Grid]) -> dict[str, HistogramInput]:
    """Return the default histograms of a collection: number of clusters, their energy, their position.

    The position only if the collection is on one grid: rows of different grids are not the same.
    """
    tables = [fields_of(grid) for grid in grids]
    axes: dict[str, list[HistogramAxis]] = {f"n{collection}": [_integers(f"n{collection}", MOST_CLUSTERS)]}
    for field in ("pt", "energy"):
        if all(field in table for table in tables):
            axes[f"{collection}_{field}"] = [HistogramAxis(field=f"{collection}.{field}", edges=ENERGY_EDGES)]
    if len(grids) == 1:
        sides = (("row", grids[0].rows), ("col", grids[0].cols))
        axes[f"{collection}_position"] = [
            _position(collection, word, axis, axis.name in tables[0]) for word, axis in sides
        ]
    return {key: HistogramInput(axes=tuple(value)) for key, value in axes.items()}


def _integers(field: str, n: int) -> HistogramAxis:
    return HistogramAxis(field=field, bins=n, start=-0.5, stop=n - 0.5)


def _position(collection: str, word: str, axis: Axis, has_positions: bool) -> HistogramAxis:
    """Return an axis with a bin for every cell, in coordinates if the axis has any."""
    edges, centres = axis.field_edges, axis.centres
    if not has_positions or edges is None:
        return _integers(f"{collection}.{word}", axis.size)
    if axis.name == "phi" and centres is not None and np.abs(edges).max() > np.pi:
        # The azimuth of clusters lies in [-pi, pi): sort the cells accordingly.
        order, half = np.argsort(centres), np.diff(edges) / 2
        edges = np.append((centres - half)[order], (centres + half)[order][-1])
    elif axis.edges is None:  # bins of equal width are filled faster
        start, stop = edges[[0, -1]].tolist()
        return HistogramAxis(field=f"{collection}.{axis.name}", bins=axis.bins, start=start, stop=stop)
    return HistogramAxis(field=f"{collection}.{axis.name}", edges=tuple(edges.tolist()))


def check_histogram(
    histogram: HistogramInput,
    settings: Mapping[str, PeakSumSettings],
    grids: Mapping[str, Sequence[Grid]],
    derived: Mapping[str, Sequence[str]] | None = None,
    sums: Iterable[str] = (),
) -> None:
    """Raise a ValueError if a histogram names a collection or field that does not exist.

    `settings`, `grids` and derived fields are those of every collection and view.
    """
    for axis in histogram.axes:
        name, field = axis.collection, axis.cluster_field
        if axis.field in sums or field in (derived or {}).get(name, ()):
            continue
        if name not in grids:
            example = next(iter(grids))
            ways = f"write {example}.{axis.cluster_field or 'pt'} or n{example}"
            numbers = [*sums, *(f"n{each}" for each in grids)]
            near = did_you_mean(axis.field, numbers) if field is None else did_you_mean(name, grids)
            whose = [each for each in grids if axis.field.startswith(f"{each}_")]
            if whose:  # the name of its column
                near = f" (did you mean {axis.field.replace('_', '.', 1)!r}?)"
            msg = f"{axis.field!r} belongs to no collection{near}: there are {', '.join(grids)} ({ways})"
            raise ValueError(msg)
        if axis.field == name:
            msg = f"{name!r} is a collection: name a field of it, as in {name}.peak_sum, or its number, n{name}"
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
    *,
    sums: Mapping[str, str] = MappingProxyType({}),
    variations: Sequence[str] = (),
    weighted: bool = False,
) -> hist.Hist[Any]:
    """Return an empty histogram; `grids` and `settings` are those of every collection and view.

    `sums` maps the names of sums over the event to the fields that are added up.
    With variations, the first axis is the variation, where the first bin is not varied.
    """
    import hist

    axes = variation_axes(variations)
    for axis in histogram.axes:
        if axis.field in sums:
            collection, _, field = sums[axis.field].partition(".")
            known = fields_of(grids[collection], (settings or {}).get(collection)).get(field)
            unit = f" [{known.unit}]" if known is not None and known.unit else ""
            axes.append(_hist_axis(axis, f"{axis.field}{unit}"))
            continue
        table = fields_of(grids[axis.collection], (settings or {}).get(axis.collection))
        if axis.cluster_field is None:
            label = count_title(axis.collection)
        else:
            label = table[axis.cluster_field].axis_title if axis.cluster_field in table else axis.cluster_field
        axes.append(_hist_axis(axis, label))
    storage = hist.storage.Weight() if weighted else hist.storage.Double()
    return hist.Hist(*axes, storage=storage)


def count_title(collection: str) -> str:
    """Return the title of an axis that counts the clusters of an event in a collection or view.

    >>> count_title("Jet"), count_title("Cluster")
    ('number of clusters (Jet)', 'number of clusters (Cluster)')
    """
    return f"number of clusters ({collection})"


def _hist_axis(axis: HistogramAxis, label: str) -> Any:
    import hist

    name = axis.field.replace(".", "_")
    if axis.bins is None or axis.start is None or axis.stop is None:
        return hist.axis.Variable(axis.edges or (), name=name, label=label)
    return hist.axis.Regular(axis.bins, axis.start, axis.stop, name=name, label=label)


def fill(
    histogram: hist.Hist[Any],
    axes: Sequence[HistogramAxis],
    collections: Collections,
    weights: Weights | None = None,
) -> None:
    """Fill a histogram with the clusters of a chunk; what is not a number lies below every axis.

    Parameters
    ----------
    histogram, axes
        As from `book`, and the axes of the config.
    collections
        The clusters of every event.
    weights
        The variations that have these clusters, with the weights of their events; by default the nominal one,
        without weights.
    """
    weights = {NOMINAL: None} if weights is None else weights
    values, event = [], None
    for axis in axes:
        if axis.field in collections.sums:
            values.append(collections.sums[axis.field])
        elif axis.cluster_field is None:
            values.append(counts_of(collections.clusters[axis.collection]))
        else:
            field = flat_field(collections.clusters[axis.collection], axis.cluster_field)
            values.append(axis.fold_turn(field))
            if any(each is not None for each in weights.values()):
                event = collections.event_of(axis.collection)
    add_entries(histogram, values, weights, event)


def source_of(axes: Sequence[HistogramAxis], collections: Collections) -> tuple[int, ...]:
    """Return a key that is equal for two variations if a histogram has the same entries in both."""
    sums, clusters = collections.sums, collections.clusters
    return tuple(id(sums[axis.field] if axis.field in sums else clusters[axis.collection]) for axis in axes)


def needed_fields(histograms: Mapping[str, HistogramInput], collection: str) -> tuple[str, ...]:
    """Return the cluster fields that the histograms of a collection need."""
    axes = [
        axis for histogram in histograms.values() for axis in histogram.axes if axis.collection == collection
    ]
    return tuple(dict.fromkeys(axis.cluster_field for axis in axes if axis.cluster_field))
