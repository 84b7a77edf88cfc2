"""One coffea chunk: events in, clusters and histograms out, committed to disk or returned.

`PeakSumProcessor` takes plain YAML values, so that any framework that names a class and its arguments can run
it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

import awkward as ak
import hist
import numpy as np
from coffea.processor import ProcessorABC

from hep_peaksum import block_sizes
from hep_peaksum.analysis.event_chunks import EventChunks
from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.clustering.records import ClusterTable
from hep_peaksum.config.load import parse_job
from hep_peaksum.config.model import Job
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.geometry.grid import EventError, is_traced
from hep_peaksum.inputs.branch_names import split_branch
from hep_peaksum.kernels import Array
from hep_peaksum.processing.searches import Place, Searches
from hep_peaksum.processing.selected_events import SelectedEvents
from hep_peaksum.processing.tally import Tally, empty_tally
from hep_peaksum.reading.blocks import block_size, ranges
from hep_peaksum.reading.columns import cast_values, column
from hep_peaksum.reading.file_numbers import FileNumbers, number_datasets
from hep_peaksum.reading.prefetch import prefetch
from hep_peaksum.reading.provenance import check_events, first_entry, is_chunk, metadata_of, without_values
from hep_peaksum.results.checkpoints import Chunk, Record, commit, filled_bins
from hep_peaksum.suggestions import did_you_mean


class ChunkResult(NamedTuple):
    """The result of one chunk: events with their clusters, histograms, counts of clusters and hits outside."""

    events: ak.Array
    histograms: dict[str, hist.Hist[Any]]
    n_clusters: dict[str, int]
    n_outside: dict[str, int]


P = ParamSpec("P")


def sections_by_name(init: Callable[P, None]) -> Callable[P, None]:
    """Return the `__init__` of a processor, with an error for a whole config, and for sections of others."""
    names = [*signature(init).parameters][1:]

    @wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        kind, *others = type(args[0]).__name__, *args[1:]
        if others:
            is_path = isinstance(others[0], (str, Path))
            given = f"**load_config({str(others[0])!r}).job()" if is_path else "**sections"
            source = ", load_config is in hep_peaksum.config.load" * is_path
            msg = f"{kind} takes the sections of a config by name: write {kind}({given}){source}"
            raise TypeError(msg)
        unknown = [name for name in kwargs if name not in names]
        if unknown:
            near = did_you_mean(unknown[0], names) or ": leave out what is not one"
            msg = f"{kind} has no {', '.join(map(repr, unknown))}{near}; there are {', '.join(names)}"
            raise TypeError(msg)
        init(*args, **kwargs)

    return checked


class PeakSumProcessor(ProcessorABC):  # type: ignore[misc]
    """Find the clusters of every event, for any coffea executor.

    Parameters
    ----------
    grids, clusters, histograms, events, friends, derive, select, sums, variations, references,
    matches, measurements, dataset_metadata, digests
        The sections of the config with these names, as plain values.
    directory
        The folder to which parts and records are committed. Without it the clusters are returned: the result
        then holds, per dataset, ``events`` with one entry per input event, in event order. Results of several
        runs can be added by ``coffea.processor.accumulate``.
    numbers
        The number of each dataset and of its files, for events without an identity of their own, and for the
        names of parts.
    fingerprint
        Identifies the job and the version in the records.
    datasets
        The fileset, or the section of the config, from which `numbers` follow, and with them the order of the
        returned events. A file without a number is identified by a hash of its absolute path, and comes in the
        order of the names.

    Raises
    ------
    hep_peaksum.config.yaml_io.ConfigError
        If the sections are not valid, with a line for every problem.

    Examples
    --------
    >>> processor = PeakSumProcessor(
    ...     grids={"calo": {"dense": {"branch": "calo_e", "shape": [24, 16]}}},
    ...     clusters={"Cluster": {"grid": "calo", "seed_threshold": 0.5}},
    ... )
    """

    @sections_by_name
    def __init__(
        self,
        *,
        grids: Mapping[str, Any],
        clusters: Mapping[str, Any],
        histograms: Mapping[str, Any] | None = None,
        events: Mapping[str, Any] | None = None,
        friends: Mapping[str, str] | None = None,
        derive: Mapping[str, Any] | None = None,
        select: Mapping[str, Any] | None = None,
        sums: Mapping[str, str] | None = None,
        variations: Mapping[str, Any] | None = None,
        references: Mapping[str, Any] | None = None,
        matches: Mapping[str, Any] | None = None,
        measurements: Mapping[str, Any] | None = None,
        dataset_metadata: Mapping[str, Any] | None = None,
        digests: Mapping[str, str] | None = None,
        directory: str | None = None,
        numbers: Mapping[str, Any] | None = None,
        fingerprint: str = "",
        datasets: Mapping[str, Any] | None = None,
    ) -> None:
        sections = {"grids": grids, "clusters": clusters, "histograms": histograms, "events": events}
        sections |= {"friends": friends, "derive": derive, "select": select, "sums": sums}
        sections |= {"variations": variations, "references": references, "matches": matches}
        sections |= {"measurements": measurements, "dataset_metadata": dataset_metadata, "digests": digests}
        self.job: Job = parse_job({key: value for key, value in sections.items() if value is not None})
        self._searches = Searches(self.job)
        self.directory = directory
        self.numbers = FileNumbers(numbers or number_datasets(datasets or {}))
        self.fingerprint = fingerprint

    def __call__(self, events: ak.Array) -> dict[str, Any]:
        """Return the result of `process`: coffea takes any function of events."""
        return self.process(events)

    def process(self, events: ak.Array) -> dict[str, Any]:
        """Return the counts of one chunk by its dataset, and its events and histograms unless they are written.

        Raises
        ------
        ValueError
            As `find`; or if events that are not a chunk of a file are to be written.
        TypeError
            As `find`.
        """
        check_events(events)
        metadata = metadata_of(events)
        dataset, path = metadata.get("dataset", ""), metadata.get("filename", "")
        if self.directory is not None and is_chunk(events):
            return {dataset: self.write_chunk(events, Path(self.directory))}
        if self.directory is not None and len(without_values(events)):
            msg = "events that are not a chunk of a file have no name in the directory: pass them to `find`"
            raise ValueError(msg)
        result = self.find(events)
        place = self.numbers.place(metadata), path, first_entry(events)
        counts = _counts(len(without_values(events)), result)
        return {
            dataset: {**counts, "histograms": result.histograms, "events": EventChunks({place: result.events})}
        }

    def postprocess(self, accumulator: dict[str, Any]) -> dict[str, Any]:
        """Return the accumulator as it is: the results of chunks only need to be added."""
        return accumulator

    def find(self, events: ak.Array) -> ChunkResult:
        """Return the clusters of events, aligned with them, and their histograms; nothing is written.

        Parameters
        ----------
        events
            Events of coffea, also selected or sorted ones, or any array of records with the branches as fields,
            with or without metadata; shape (event,). Of events without values (typetracers) the branches are
            touched, and the result has the types.

        Returns
        -------
        ChunkResult
            ``events`` has `run`, `luminosityBlock` and `event`, the branches that are kept, and a list of
            clusters for every collection. Without an identity among the branches events of a chunk are
            numbered by their entry, others from 0.

        Raises
        ------
        ValueError
            If a branch is missing, or an event does not fit a grid; the message names the entry.
        TypeError
            If the events are not records.

        >>> processor = PeakSumProcessor(
        ...     grids={"calo": {"dense": {"branch": "cells", "shape": [2, 3]}}},
        ...     clusters={"Cluster": {"grid": "calo"}},
        ... )
        >>> processor.find(ak.Array({"cells": [[0, 0, 7, 0, 2, 0]]})).events.Cluster.peak_sum.to_list()
        [[9]]
        """
        check_events(events)
        if is_traced(events):
            self._touch(events)
            found = self.find(without_values(events))
            return found._replace(events=ak.to_backend(found.events, "typetracer"))
        tally = empty_tally(self.job)
        blocks = list(self.blocks(events, tally))
        whole = blocks[0] if len(blocks) == 1 else ak.concatenate(blocks)
        return ChunkResult(whole, tally.histograms, tally.n_clusters, tally.n_outside)

    def blocks(self, events: ak.Array, tally: Tally) -> Iterator[ak.Array]:
        """Yield the events of a chunk with their clusters, a batch at a time, and add them to the tally.

        Raises
        ------
        ValueError
            As `find`.
        """
        try:
            chosen = SelectedEvents(
                self.job, self._searches.varied, events, tally, self.numbers.of(metadata_of(events))
            )
            kept = chosen.kept
            others = {**chosen.identity, **self._kept_columns(events)}
            if kept is not None:
                others = {name: column[kept] for name, column in others.items()}
            for start, tables in _batched(self._find_blocks(events, tally, kept)):
                collections = self._searches.collections(tables)
                n_events = len(next(iter(collections[NOMINAL].values())))
                beside = {name: column[start : start + n_events] for name, column in others.items()}
                columns, is_written = chosen.columns(collections, start)
                if is_written is not None:
                    beside = {name: column[is_written] for name, column in beside.items()}
                layouts = {name: ak.to_layout(column) for name, column in (beside | columns).items()}
                yield ak.Array(ak.contents.RecordArray([*layouts.values()], [*layouts]))
            tally.n_events += len(events)
        except EventError as error:
            msg = f"entry {first_entry(events) + error.event}: {error.problem}"
            raise ValueError(msg) from None

    def _find_blocks(
        self, events: ak.Array, tally: Tally, kept: Array | None
    ) -> Iterator[tuple[int, dict[Place, list[ClusterTable]]]]:
        """Yield, block by block, the number of its first searched event and the clusters in it."""
        columns = self._searches.columns(events)
        step = block_size(self.job.grids.values(), keep_hits=True)
        pieces = ranges(columns.values(), len(events), step)
        searched = [_searched(kept, first, last) for first, last in pieces]
        wanted = [k for k, each in enumerate(searched) if len(each)] or [0]
        read = ({name: grid.read(*pieces[k]) for name, grid in columns.items()} for k in wanted)
        n_before = 0
        for k, grids in zip(wanted, prefetch(read) if len(wanted) > 1 else read, strict=True):
            first = pieces[k][0]
            for start in range(0, max(len(searched[k]), 1), step):
                index = searched[k][start : start + step]
                if kept is None:
                    chosen, bounds = grids, (start, start + len(index))
                else:
                    chosen = {place: grid.take(index - first) for place, grid in grids.items()}
                    bounds = (0, len(index))
                try:
                    yield n_before, self._searches.tables(chosen, bounds, tally)
                except EventError as error:
                    raise EventError(int(index[error.event - bounds[0]]), error.problem) from None
                n_before += len(index)

    def _kept_columns(self, events: ak.Array) -> dict[str, ak.Array]:
        casts = metadata_of(events).get("casts", {})
        return {
            name: cast_values(ak.materialize(column(events, branch, self.job.friends)), casts.get(branch))
            for branch, name in self.job.events.kept_names().items()
        }

    def _touch(self, events: ak.Array) -> None:
        """Mark the branches of events without values that would be read, except those of friends."""
        identify, grids = self.job.events.identify, self.job.grids.values()
        names = [branch for source in grids for branch in source.branches]
        names += [*(name for name in identify.values() if isinstance(name, str)), *self.job.events.kept]
        names += [name for _, name, _ in self.job.event_branch_keys()]
        if any(source.cells is not None and source.table().depends_on_run for source in grids):
            names += [self.job.run_source] if isinstance(self.job.run_source, str) else []
        names += [name for name in IDENTITY if not identify and set(IDENTITY) <= {*events.fields}]
        for name in names:
            if split_branch(name)[0] not in self.job.friends:
                ak.typetracer.touch_data(column(events, name, self.job.friends))

    def write_chunk(self, events: ak.Array, directory: Path) -> dict[str, Any]:
        """Write the part of a chunk while its clusters are found, then its record; return the counts."""
        metadata, tally = events.metadata, empty_tally(self.job)
        entries = metadata["entrystart"], metadata["entrystop"]
        chunk = Chunk(metadata["dataset"], self.numbers.of_part(metadata), *entries)
        blocks = self.blocks(events, tally)
        if len(events) > block_size(self.job.grids.values(), keep_hits=True):  # else there is only one
            blocks = prefetch(blocks)
        commit(directory, chunk, blocks, lambda: self.record(metadata, tally))
        return _counts(tally.n_events, tally)

    def record(self, metadata: Mapping[str, Any], tally: Tally) -> Record:
        """Return the record of a chunk whose part has been written."""
        bins = {name: filled_bins(histogram) for name, histogram in tally.histograms.items()}
        counts = {**vars(tally), "histograms": bins}
        origin = {"uuid": metadata["fileuuid"], "numbers": self.numbers.of(metadata)}
        return Record(fingerprint=self.fingerprint, **origin, **counts)


def _batched(
    blocks: Iterable[tuple[int, dict[Place, list[ClusterTable]]]],
) -> Iterator[tuple[int, dict[Place, list[ClusterTable]]]]:
    """Yield the number of the first event and the tables of consecutive blocks, a batch at a time."""
    first, n_items, batch = 0, 0, defaultdict[Place, list[ClusterTable]](list)
    for start, tables in blocks:
        first = first if batch else start
        for name, parts in tables.items():
            batch[name].extend(parts)
            n_items += sum(len(part.event_offsets) + len(part.key) for part in parts)
        if n_items >= block_sizes.BATCH_ITEMS:
            yield first, batch
            n_items, batch = 0, defaultdict(list)
    if batch:
        yield first, batch


def _searched(kept: Array | None, first: int, last: int) -> Array:
    """Return which entries from first to last are searched."""
    if kept is None:
        return np.arange(first, last)
    return np.asarray(kept[np.searchsorted(kept, first) : np.searchsorted(kept, last)])


def _counts(n_events: int, counted: ChunkResult | Tally) -> dict[str, Any]:
    return {"n_events": n_events, "n_clusters": counted.n_clusters, "n_outside": counted.n_outside}
