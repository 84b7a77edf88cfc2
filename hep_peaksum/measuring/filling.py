"""How measurements are booked, and filled with the events of a chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.analysis.derived import Collections
from hep_peaksum.analysis.selection import variation_axes
from hep_peaksum.analysis.variation_axis import UNLABELLED, Labels, Weights, add_entries, alike, weights_at
from hep_peaksum.evaluation.matching import Pairs, is_first
from hep_peaksum.evaluation.pairing import Pairing
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.jagged import event_of, flat_field
from hep_peaksum.kernels import Array
from hep_peaksum.measuring.matches import MatchInput, height_of, highest_by
from hep_peaksum.measuring.measurements import (
    MATCHED,
    NEGATIVE,
    THRESHOLD,
    TOTAL,
    Bins,
    EfficiencyInput,
    PurityInput,
    RateInput,
    ResponseInput,
)
from hep_peaksum.measuring.references import SCALAR

if TYPE_CHECKING:
    import awkward as ak
    import hist

Filled = EfficiencyInput | PurityInput | ResponseInput | RateInput


@dataclass(frozen=True)
class MeasuredEvents:
    """The events that are measured: clusters and objects, aligned, with weights by variation.

    `metadata` is that of their dataset, `grids` are the planes of the collections, `matches` those of the job.
    `known_pairs` are those that were found before.
    """

    collections: Collections
    references: Mapping[str, ak.Array]
    weights: Weights
    matches: Mapping[str, MatchInput]
    grids: Mapping[str, Grid]
    metadata: Mapping[str, Any]
    known_pairs: dict[Any, Pairs] = field(default_factory=dict, repr=False, compare=False)

    def select(self, passed: Array | None) -> MeasuredEvents:
        """Return some of the events, given by a mask; None for all."""
        if passed is None:
            return self
        return replace(
            self,
            collections=self.collections.select(passed),
            references={name: each[passed] for name, each in self.references.items()},
            weights=weights_at(self.weights, passed),
            known_pairs={},
        )

    def event_value(self, field: str, nth: int = 1) -> Array:
        """Return a number of every event; -inf where it has none."""
        name, _, column = field.partition(".")
        if name in self.references:
            return np.asarray(self.references[name][column or SCALAR], np.float64)
        return np.asarray(self.collections.event_value(field, nth), np.float64)

    def flat(self, field: str) -> Array:
        """Return a field of all objects or clusters, event after event."""
        name, _, column = field.partition(".")
        return flat_field(self._records(name), column).astype(np.float64)

    def event_of(self, name: str) -> Array:
        """Return the event of every object or cluster of a name."""
        is_reference = name in self.references
        return event_of(self.references[name]) if is_reference else self.collections.event_of(name)

    def _records(self, name: str) -> ak.Array:
        """Return the objects or clusters of a name."""
        return self.references[name] if name in self.references else self.collections.clusters[name]

    def pairs(self, name: str, *, otherwise: Pairing = "one_to_one", by: str | None = None) -> Pairs:
        """Return the pairs of a match, each choice of them found once.

        `otherwise` is the pairing of a match that names none, `by` the field in which a cluster is the highest;
        by default the one of `highest_by`.
        """
        match = self.matches[name]
        if by is None and (match.pairing or otherwise) == "highest":
            by = f"{match.clusters}.{highest_by(self._records(match.clusters).fields)}"
        key = name, otherwise, by
        if key in self.known_pairs:
            return self.known_pairs[key]
        references = self.references[match.reference]
        if name not in self.known_pairs:
            clusters = self.collections.clusters[match.clusters]
            self.known_pairs[name] = match.candidates(clusters, references, self.grids[match.clusters])
        value = None if by is None else self.flat(by)
        found = match.pairs(self.known_pairs[name], references, otherwise=otherwise, value=value)
        self.known_pairs[key] = found
        return found


def book(
    name: str, measurement: Filled, variations: Sequence[str], *, weighted: bool
) -> dict[str, hist.Hist[Any]]:
    """Return the empty histograms of a measurement, by their names."""
    import hist

    axes = variation_axes(variations)
    if isinstance(measurement, EfficiencyInput):
        label = measurement.passing.field
        axes.append(hist.axis.StrCategory(measurement.labels, name=THRESHOLD, label=label))
    if isinstance(measurement, PurityInput):
        axes.append(hist.axis.StrCategory(measurement.labels, name="clusters"))
    if measurement.axis is not None:
        label = measurement.rate if isinstance(measurement, RateInput) else measurement.axis.field
        axes.append(_axis(measurement.axis, label.replace(".", "_"), label))
    if isinstance(measurement, ResponseInput):
        above, below = measurement.ratio or (measurement.of, measurement.divisor)
        axes.append(_axis(measurement.ratio_axis, "ratio", f"{above} / {below}"))
    storage = hist.storage.Weight() if weighted else hist.storage.Double()
    booked = {name: hist.Hist(*axes, storage=storage, label=name)}
    if weighted:
        booked[f"{name}{NEGATIVE}"] = hist.Hist(*axes, storage=hist.storage.Double())
    return booked


def _axis(bins: Bins, name: str, label: str) -> Any:
    import hist

    edges: Array = bins.as_axis.edge_positions  # type: ignore[assignment]
    # edges also of equal bins: a regular axis puts 14.0 below an edge that it gives as 14.000000000000002
    return hist.axis.Variable(edges, name=name, label=label)


def fill(booked: Mapping[str, hist.Hist[Any]], name: str, measurement: Filled, events: MeasuredEvents) -> None:
    """Fill a measurement with events; what is not a number lies below every axis."""
    values, event, labels = _entries(measurement, events)
    add_entries(booked[name], values, events.weights, event, labels)
    for names in alike({variation: id(each) for variation, each in events.weights.items()}):
        weights = events.weights[names[0]]
        if weights is not None and (weights < 0).any():
            below = weights[... if event is None else event] < 0
            some = {label: None if mask is None else mask[below] for label, mask in labels.items()}
            add_entries(
                booked[f"{name}{NEGATIVE}"], [each[below] for each in values], dict.fromkeys(names), labels=some
            )


def _entries(measurement: Filled, events: MeasuredEvents) -> tuple[list[Array], Array | None, Labels]:
    """Return what `add_entries` takes: values, the events of these, and labels with the entries of each."""
    if isinstance(measurement, EfficiencyInput):
        values, passing, event = _efficiency(measurement, events)
        masks = [None, *(passing >= each for each in measurement.passing.thresholds)]
        return [values], event, dict(zip(measurement.labels, masks, strict=True))
    if isinstance(measurement, PurityInput):
        match = events.matches[measurement.purity]
        values, event = events.flat(measurement.axis.field), events.event_of(match.clusters)
        is_matched = np.zeros(len(values), bool)
        is_matched[events.pairs(measurement.purity).cluster] = True
        return [values], event, {TOTAL: None, MATCHED: is_matched}
    if isinstance(measurement, RateInput):
        return [events.event_value(measurement.rate, measurement.nth)], None, UNLABELLED
    return *_responses(measurement, events), UNLABELLED


def _efficiency(measurement: EfficiencyInput, events: MeasuredEvents) -> tuple[Array, Array, Array | None]:
    """Return the values on the axis, what is compared with thresholds (-inf without a cluster), and the events.

    The latter are None where the values are of events.
    """
    passing = measurement.passing
    if measurement.match == "none":
        values = events.event_value(measurement.axis.field)
        return values, events.event_value(passing.field, passing.nth), None
    match = events.matches[measurement.efficiency]
    values, event = events.flat(measurement.axis.field), events.event_of(match.reference)
    of_clusters = events.flat(passing.field)
    pairs = events.pairs(measurement.efficiency, otherwise="highest", by=passing.field)
    highest = np.full(len(values), -np.inf)
    highest[pairs.reference] = of_clusters[pairs.cluster]
    if measurement.denominator == "all":
        return values, highest, event
    counted = np.isin(np.arange(len(values)), pairs.reference)
    if measurement.denominator == "leading":
        counted = _is_leading(events.references[match.reference])
    return values[counted], highest[counted], event[counted]


def _is_leading(references: ak.Array) -> Array:
    """Return which objects are the highest of their event; of equal ones the first."""
    event, height = event_of(references), height_of(references)
    height = np.zeros(len(event)) if height is None else height
    order = np.lexsort((-height, event))
    is_leading = np.zeros(len(event), bool)
    is_leading[order] = is_first(event[order])
    return is_leading


def _responses(measurement: ResponseInput, events: MeasuredEvents) -> tuple[list[Any], Array]:
    """Return the ratios of a response, with the value on its axis if it has one, and the events."""
    if measurement.of is not None and measurement.divisor is not None:
        if measurement.divisor not in events.metadata:
            lacks = f"the events have no {measurement.divisor!r} in the metadata of their dataset"
            msg = f"response to {measurement.to}: {lacks}: add it to the fileset"
            raise ValueError(msg)
        values = events.event_value(measurement.of)
        event = np.flatnonzero(values > -np.inf)  # those with a cluster
        return [values[event] / float(events.metadata[measurement.divisor])], event
    above, below = measurement.ratio or ("", "")
    match, pairs = events.matches[measurement.response], events.pairs(measurement.response)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = events.flat(above)[pairs.cluster] / events.flat(below)[pairs.reference]
    axis = [] if measurement.axis is None else [events.flat(measurement.axis.field)[pairs.reference]]
    is_ratio = ~np.isnan(ratio)  # a pair without a ratio is not a low one
    event = events.event_of(match.reference)[pairs.reference]
    return [each[is_ratio] for each in (*axis, ratio)], event[is_ratio]
