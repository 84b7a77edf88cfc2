"""The events of a chunk that are kept: decided before the search where possible, and after it where not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import awkward as ak
import numpy as np

from hep_peaksum.analysis import histograms
from hep_peaksum.analysis.derived import Collections, derive, origin_of
from hep_peaksum.analysis.selection import NOMINAL, fill_cut_flow
from hep_peaksum.analysis.variation_axis import Weights, alike, weights_at
from hep_peaksum.clustering.records import select_fields
from hep_peaksum.config.model import Job
from hep_peaksum.events.section import IDENTITY, PASS, WEIGHT
from hep_peaksum.events.weights import weights_of
from hep_peaksum.geometry.jagged import counts_of
from hep_peaksum.inputs.branch_names import includes
from hep_peaksum.inputs.functions import key_named
from hep_peaksum.kernels import Array
from hep_peaksum.measuring import filling
from hep_peaksum.measuring.filling import MeasuredEvents
from hep_peaksum.measuring.matches import OF_MATCHES
from hep_peaksum.measuring.measurements import FILLED
from hep_peaksum.processing.tally import Tally
from hep_peaksum.reading.columns import column, event_identity, is_identified
from hep_peaksum.reading.provenance import metadata_of


class SelectedEvents:
    """The events of a chunk, what is decided about them, and what becomes of their clusters.

    Parameters
    ----------
    job, varied
        The job, and that of every variation.
    events
        Those of the chunk.
    tally
        To which cut flow, histograms and counts are added.
    numbers
        The numbers of the dataset and of the file.
    """

    def __init__(
        self, job: Job, varied: Mapping[str, Job], events: ak.Array, tally: Tally, numbers: tuple[int, int]
    ) -> None:
        self.jobs = {NOMINAL: job, **varied}
        self.job, self.events, self.tally, self.numbers = job, events, tally, numbers
        self.dataset = metadata_of(events).get("dataset", "")
        where = [*enumerate(job.events.where, 1)]
        self.early = [(step, each) for step, each in where if not each.of_clusters]
        self.late = [(step, each) for step, each in where if each.of_clusters]

    @cached_property
    def identity(self) -> dict[str, Array]:
        """Return run, luminosityBlock and event of every event of the chunk."""
        return event_identity(self.events, self.job.events.identify, self.job.friends, self.numbers)

    def number(self, word: str) -> Array:
        """Return the run or the luminosityBlock of every event of the chunk, by which a lumi mask decides."""
        if not is_identified(self.events, self.job.events.identify):
            missing = ", ".join(each for each in IDENTITY if each not in self.events.fields) or "whole numbers"
            there = f"events have no {missing}, only numbers of file and entry"
            msg = f"lumi_mask: {there}: name branches in events.identify"
            raise ValueError(msg)
        return self.identity[word]

    def column(self, name: str) -> ak.Array:
        """Return a branch of the events of the chunk."""
        return ak.materialize(column(self.events, name, self.job.friends))

    @cached_property
    def kept(self) -> Array | None:
        """Return which events of the chunk are searched, as indices; None for all."""
        if not self.job.events.where:
            return None
        passed: Array = np.ones(len(self.events), bool)
        steps: list[tuple[int, Array | None]] = [(0, None)]
        for step, condition in self.early:
            if condition.is_for(self.dataset):
                with key_named(f"events.where.{step - 1}"):
                    passed &= condition.evaluate(self.events, self.column, self.number, None)
            steps.append((step, passed.copy()))
        for number, name in enumerate(self.jobs):
            fill_cut_flow(self.tally.histograms, number, steps, self.weights.get(name), len(self.events))
        return None if passed.all() else np.flatnonzero(passed)

    @cached_property
    def weights(self) -> Mapping[str, Array]:
        """Return the weights of the events of the chunk, by variation; nothing where no weight is named."""
        nominal, weights = self.job.events.weight, dict[str, Array]()
        for name, job in self.jobs.items() if nominal else ():
            is_nominal = name == NOMINAL or job.events.weight == nominal
            if is_nominal and NOMINAL in weights:
                weights[name] = weights[NOMINAL]
                continue
            weights[name] = weights_of(
                job.events.weight, self.dataset, self.events, self.column, self.job.friends
            )
        return weights

    def columns(
        self, collections: Mapping[str, Mapping[str, ak.Array]], start: int
    ) -> tuple[dict[str, Any], Array | None]:
        """Return the columns of searched events from `start` on, and add what they hold to the tally.

        `collections` are the clusters of the events, by variation and name. Also returned is which of the
        events are written; None for all. The columns are those of written events.
        """
        n_events = len(next(iter(collections[NOMINAL].values())))
        searched = slice(start, start + n_events)
        found, weights = self._derived(collections), self._of_searched(searched)
        passed = self._passed(found, searched, weights)
        self._fill(found, passed, weights)
        measured = self._measured(found, searched, weights)
        self._measure(measured, passed)
        return self._written(found, measured, passed, searched, n_events)

    def _derived(self, collections: Mapping[str, Mapping[str, ak.Array]]) -> dict[str, Collections]:
        """Return the collections of every variation with derived fields, views and sums."""
        found: dict[str, Collections] = {}
        for name, clusters in collections.items():
            job = self.jobs[name]
            is_nominal = found and all(clusters[key] is each for key, each in collections[NOMINAL].items())
            if is_nominal and (job.derive, job.select) == (self.job.derive, self.job.select):
                found[name] = found[NOMINAL]
            else:
                found[name] = derive(clusters, job.derive, job.select, job.sums)
        return found

    def _passed(
        self, found: Mapping[str, Collections], searched: slice, weights: Weights
    ) -> dict[str, Array | None]:
        """Return which of the searched events pass the conditions on clusters, by variation; None for all."""
        passed: dict[str, Array | None] = dict.fromkeys(found)
        numbers = {name: number for number, name in enumerate(self.jobs)}
        for names in alike({name: id(each) for name, each in found.items()}) if self.late else ():
            steps = self._steps(found[names[0]], searched)
            for name in names:
                passed[name] = mask = steps[-1][1]
                fill_cut_flow(self.tally.histograms, numbers[name], steps, weights[name], len(mask))
        return passed

    def _steps(self, found: Collections, searched: slice) -> list[tuple[int, Array]]:
        """Return the number of every condition on clusters, with the searched events that are left after it."""
        n_events, index = len(next(iter(found.clusters.values()))), self._index(searched)
        # one of several conditions may be of the events themselves
        events = self.events[index] if any(each.any_of for _, each in self.late) else None

        def column(name: str) -> ak.Array:
            return self.column(name)[index]

        def number(word: str) -> Array:
            return self.number(word)[index]

        passed: Array = np.ones(n_events, bool)
        steps: list[tuple[int, Array]] = []
        for step, condition in self.late:
            if condition.is_for(self.dataset):
                with key_named(f"events.where.{step - 1}"):
                    passed = passed & condition.evaluate(events, column, number, found.event_value)
            steps.append((step, passed))
        return steps

    def _index(self, searched: slice) -> slice | Array:
        """Return where searched events stand in the chunk."""
        return searched if self.kept is None else self.kept[searched]

    def _of_searched(self, searched: slice) -> Weights:
        """Return the weights of searched events by variation; one array where they are those of nominal."""
        if not self.weights:
            return dict.fromkeys(self.jobs)
        return weights_at(self.weights, self._index(searched))

    def _fill(
        self, found: Mapping[str, Collections], passed: Mapping[str, Array | None], weights: Weights
    ) -> None:
        """Fill the histograms with the clusters of all variations."""
        keys = {name: (id(each), id(passed[name])) for name, each in found.items()}
        chosen: dict[str, Collections] = {}
        for names in alike(keys):
            chosen |= dict.fromkeys(names, found[names[0]].select(passed[names[0]]))
        for key, histogram in self.job.booked.items():
            sources = {
                name: (id(passed[name]), *histograms.source_of(histogram.axes, each))
                for name, each in found.items()
            }
            for first, *others in alike(sources):
                own: Weights = {name: weights[name] for name in (first, *others)}
                mask = passed[first]
                own = own if mask is None else weights_at(own, mask)
                histograms.fill(self.tally.histograms[key], histogram.axes, chosen[first], own)

    @cached_property
    def references(self) -> dict[str, dict[str, ak.Array]]:
        """Return the objects of the events of the chunk that the dataset has, by variation and name."""
        by_variation: dict[str, dict[str, ak.Array]] = {}
        nominal = {name: source.grid for name, source in self.job.grids.items()}
        for variation, job in self.jobs.items():
            planes = {name: source.grid for name, source in job.grids.items()}
            is_nominal = (job.references, planes) == (self.job.references, nominal)
            if is_nominal and NOMINAL in by_variation:
                by_variation[variation] = by_variation[NOMINAL]
                continue
            by_variation[variation] = {
                name: each.read(self.column, planes)
                for name, each in job.references.items()
                if each.is_for(self.dataset)
            }
        return by_variation

    def _measured(
        self, found: Mapping[str, Collections], searched: slice, weights: Weights
    ) -> dict[str, MeasuredEvents]:
        """Return searched events with their clusters, objects and weights, if these are used.

        By variation; those that differ in their weights alone are one.
        """
        measured: dict[str, MeasuredEvents] = {}
        if not (self.job.measurements or self.job.matches):
            return measured
        index = self._index(searched)
        known = {**metadata_of(self.events), **self.job.dataset_metadata.get(self.dataset, {})}
        for names in alike({name: (id(each), id(self.references[name])) for name, each in found.items()}):
            first = names[0]
            objects = {key: each[index] for key, each in self.references[first].items()}
            job, own = self.jobs[first], {name: weights[name] for name in names}
            planes = {key: job.grids_of(origin_of(job.select, key))[0] for key in found[first].clusters}
            events = MeasuredEvents(found[first], objects, own, job.matches, planes, known)
            measured |= dict.fromkeys(names, events)
        return measured

    def _measure(self, measured: Mapping[str, MeasuredEvents], passed: Mapping[str, Array | None]) -> None:
        """Fill the measurements with the clusters and objects of all variations."""
        for first, *_ in alike({name: id(each) for name, each in measured.items()}):
            events = measured[first].select(passed[first])
            for key, each in self.job.measurements.items():
                if isinstance(each, FILLED) and includes(each.datasets, self.dataset):
                    filling.fill(self.tally.histograms, key, each, events)

    def _matched(self, events: MeasuredEvents) -> dict[str, ak.Array]:
        """Return the collections with the index of the object of every cluster, and the distance.

        These are -1 and NaN where there is none. Of several objects that share a cluster the nearest counts, of
        equally near ones the first.
        """
        found = events.collections
        clusters = dict(found.clusters)
        for key, match in self.job.matches.items():
            origin = origin_of(self.job.select, match.clusters)
            counts = counts_of(clusters[origin])
            index = np.full(counts.sum(), -1, np.int32)
            distance = np.full(len(index), np.nan, np.float32)
            if match.reference in events.references and match.is_for(self.dataset):
                pairs = events.pairs(key)
                if np.bincount(pairs.cluster).max(initial=0) > 1:  # what is written last stays
                    pairs = pairs.select(np.argsort(pairs.distance, kind="stable")[::-1])
                place = _place_in_origin(found, match.clusters)[pairs.cluster]
                index[place] = events.flat(f"{match.reference}.index")[pairs.reference]
                distance[place] = pairs.distance
            for word, values in zip(OF_MATCHES, (index, distance), strict=True):
                clusters[origin] = ak.with_field(clusters[origin], ak.unflatten(values, counts), f"{key}{word}")
        return clusters

    def _written(
        self,
        found: Mapping[str, Collections],
        measured: Mapping[str, MeasuredEvents],
        passed: Mapping[str, Array | None],
        searched: slice,
        n_events: int,
    ) -> tuple[dict[str, Any], Array | None]:
        """Return the columns that are written, of the events that pass in one of the written variations."""
        variations = [NOMINAL, *self.job.events.write_variations]
        is_written = None
        if self.late:
            masks = [each for name in variations if (each := passed[name]) is not None]
            is_written = np.logical_or.reduce(masks)
        columns: dict[str, Any] = dict(self._event_columns(passed, searched, n_events))
        columns |= found[NOMINAL].sums
        of_matches = [f"{key}{word}" for key in self.job.matches for word in OF_MATCHES]
        for variation in variations:
            suffix = "" if variation == NOMINAL else variation
            matched = self._matched(measured[variation]) if self.job.matches else found[variation].clusters
            for name in self.job.clusters:
                clusters = matched[name]
                derived = self.jobs[variation].derive.get(name, ())
                names = {*self.job.written_fields(name), *derived, *of_matches, "grid"}
                written = [field for field in clusters.fields if field in names]
                columns[f"{name}{suffix}"] = select_fields(_records(clusters), written)
        if is_written is not None:
            columns = {name: ak.Array(each)[is_written] for name, each in columns.items()}
        for name in self.job.clusters:
            self.tally.n_clusters[name] += int(ak.count(ak.local_index(ak.Array(columns[name]), axis=1)))
        self.tally.n_written += n_events if is_written is None else int(np.count_nonzero(is_written))
        return columns, is_written

    def _event_columns(
        self, passed: Mapping[str, Array | None], searched: slice, n_events: int
    ) -> Iterator[tuple[str, Array]]:
        """Yield the weight of searched events, and whether they pass in each written variation."""
        if self.weights:
            yield WEIGHT, self.weights[NOMINAL][self._index(searched)]
        for name in [NOMINAL, *self.job.events.write_variations] if self.job.events.write_variations else []:
            each = passed[name]
            yield PASS.format(name), np.ones(n_events, bool) if each is None else each


def _place_in_origin(found: Collections, name: str) -> Array:
    """Return, for every cluster of a collection or view, its place among all of the collection."""
    if name not in found.origins:
        return np.arange(counts_of(found.clusters[name]).sum())
    origin, index = found.origins[name]
    starts = np.concatenate([[0], np.cumsum(counts_of(found.clusters[origin]))])[:-1]
    return np.asarray(ak.to_numpy(ak.flatten(index + starts)))


def _records(clusters: ak.Array) -> Any:
    """Return the layout of clusters as one list of records for every event."""
    layout = ak.to_layout(clusters).to_ListOffsetArray64(True)
    if not isinstance(layout.content, ak.contents.RecordArray):
        layout = ak.to_layout(ak.to_packed(clusters)).to_ListOffsetArray64(True)
    return layout
