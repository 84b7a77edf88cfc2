"""One coffea chunk: events in, clusters and histograms out, committed to disk or handed back.

`PeakSumProcessor` is made of plain YAML values, so that any framework that names a class and its arguments can
run it. It never puts an awkward array into coffea's accumulator as such: equal-shaped ones would be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import hist
from coffea.processor import ProcessorABC

from hep_peaksum import histograms
from hep_peaksum.chunks import Chunk, Record, commit
from hep_peaksum.clusters import jagged
from hep_peaksum.config import Job, parse_job
from hep_peaksum.events import block_size, column, expand_files, grid_columns, identity
from hep_peaksum.grid import EventError
from hep_peaksum.kernels import Array
from hep_peaksum.peaksum import find_peaks


class ChunkResult(NamedTuple):
    """What one chunk gives: an entry per event with its clusters, histograms, what lay outside the grids."""

    events: ak.Array
    histograms: dict[str, hist.Hist[Any]]
    n_clusters: dict[str, int]
    n_outside: dict[str, int]


@dataclass(frozen=True)
class _Held:
    """Events held for the end. It cannot be added: a chunk that comes twice is an error, not a sum."""

    events: ak.Array


def _numbered(datasets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of datasets and files in the order in which they are given, from 1."""
    paths = {name: expand_files(dataset["files"]) for name, dataset in datasets.items()}
    return {
        name: {"number": number, "files": {path: place for place, path in enumerate(paths[name], start=1)}}
        for number, name in enumerate(datasets, start=1)
    }


class PeakSumProcessor(ProcessorABC):  # type: ignore[misc]
    """Find the clusters of every event, for any coffea executor.

    Parameters
    ----------
    grids, clusters, histograms, events, friends
        The sections of the config of these names, as plain values.
    directory
        Where parts and records are committed. Without it the clusters are handed back: the result then holds,
        per dataset, ``events``, one entry for every input event, in event order.
    numbers
        Per dataset its number and the numbers of its files, for events that have no identity of their own.
    fingerprint
        What the records are signed with: the job and the version that made them.
    datasets
        The section of the config, for `numbers` in its order and so for the order of the in-memory result;
        by default files are taken in the order of their names.

    Raises
    ------
    hep_peaksum.config.ConfigError
        If the sections do not make sense, with a line for every problem.

    Examples
    --------
    >>> processor = PeakSumProcessor(
    ...     grids={"calo": {"dense": {"branch": "calo_e", "shape": [24, 16]}}},
    ...     clusters={"Cluster": {"grid": "calo", "seed_threshold": 0.5}},
    ... )
    """

    def __init__(
        self,
        *,
        grids: Mapping[str, Any],
        clusters: Mapping[str, Any],
        histograms: Mapping[str, Any] | None = None,
        events: Mapping[str, Any] | None = None,
        friends: Mapping[str, str] | None = None,
        directory: str | None = None,
        numbers: Mapping[str, Any] | None = None,
        fingerprint: str = "",
        datasets: Mapping[str, Any] | None = None,
    ) -> None:
        sections = {"grids": grids, "clusters": clusters, "histograms": histograms, "events": events}
        sections["friends"] = friends
        self.job: Job = parse_job({key: value for key, value in sections.items() if value is not None})
        self._maps = {name: (grid.noise_map(), grid.mask_map()) for name, grid in self.job.grids.items()}
        self.directory = directory
        self.numbers = numbers or _numbered(datasets or {})
        self.fingerprint = fingerprint

    def process(self, events: ak.Array) -> dict[str, Any]:
        """Return the counts of one chunk; its clusters are committed to disk, or held for `postprocess`."""
        dataset, path = events.metadata["dataset"], events.metadata["filename"]
        result = self.find(events)
        counts: dict[str, Any] = {
            "n_events": len(events),
            "n_clusters": result.n_clusters,
            "n_outside": result.n_outside,
        }
        if self.directory is not None:
            self._commit(events.metadata, result)
            return {dataset: counts}
        held = {(path, events.metadata["entrystart"]): _Held(result.events)}
        return {dataset: {**counts, "histograms": result.histograms, "events": held}}

    def postprocess(self, accumulator: dict[str, Any]) -> dict[str, Any]:
        """Put the chunks that were held into event order."""
        if self.directory is None:
            for dataset, found in accumulator.items():
                found["events"] = ak.concatenate(
                    [found["events"][key].events for key in sorted(found["events"], key=self._place(dataset))]
                )
        return accumulator

    def find(self, events: ak.Array) -> ChunkResult:
        """Return the clusters of a chunk, aligned with its events, and its histograms.

        Raises
        ------
        ValueError
            If a branch is missing, or an event does not hold what a grid needs; it names the entry.
        """
        start = events.metadata["entrystart"]
        try:
            identifiers = self._identity(events)
            found, n_outside = self._clusters(events)
        except EventError as error:
            msg = f"entry {start + error.event}: {error.problem}"
            raise ValueError(msg) from None
        filled = {}
        planes = {name: self.job.grids_of(name)[0] for name in self.job.clusters}
        settings = {name: wanted.settings for name, wanted in self.job.clusters.items()}
        for name, wanted in self.job.booked.items():
            filled[name] = histograms.book(wanted, planes, settings)
            histograms.fill(filled[name], wanted.axes, found)
        written = {}
        for name, array in found.items():
            fields = {*self.job.written_fields(name), "grid"}
            written[name] = array[[field for field in array.fields if field in fields]]
        columns = {**identifiers, **self._kept(events), **written}
        n_clusters = {name: len(ak.flatten(array)) for name, array in found.items()}
        return ChunkResult(ak.zip(columns, depth_limit=1), filled, n_clusters, n_outside)

    def _clusters(self, events: ak.Array) -> tuple[dict[str, ak.Array], dict[str, int]]:
        """Return every collection, one list of clusters an event, and the hits outside every grid."""
        columns = {
            name: grid_columns(events, source, self.job.friends) for name, source in self.job.grids.items()
        }
        found: dict[str, list[ak.Array]] = {name: [] for name in self.job.clusters}
        n_outside = dict.fromkeys(columns, 0)
        step = block_size(self.job.grids.values())
        for start in range(0, max(1, len(events)), step):
            cells: dict[str, Array] = {}
            for name, grid in columns.items():
                cells[name], n = grid.cells(start, start + step)
                n_outside[name] += n
            for name in self.job.clusters:
                try:
                    found[name].append(self._collection(name, cells))
                except EventError as error:
                    raise EventError(start + error.event, error.problem) from None
        joined = {
            name: blocks[0] if len(blocks) == 1 else ak.concatenate(blocks) for name, blocks in found.items()
        }
        return joined, n_outside

    def _collection(self, name: str, cells: Mapping[str, Array]) -> ak.Array:
        wanted = self.job.clusters[name]
        parts = []
        for grid in wanted.grid:
            source = self.job.grids[grid]
            noise, mask = self._maps[grid]
            parts.append(
                find_peaks(
                    cells[grid], wanted.settings, source.grid, mask=mask, noise=noise, layers=source.layers
                )
            )
        return jagged(parts, wanted.settings, self.job.computed_fields(name))

    def _identity(self, events: ak.Array) -> dict[str, Array]:
        dataset = self.numbers.get(events.metadata["dataset"], {})
        numbers = (dataset.get("number", 0), dataset.get("files", {}).get(events.metadata["filename"], 0))
        return identity(events, self.job.events.identify, self.job.friends, numbers)

    def _kept(self, events: ak.Array) -> dict[str, ak.Array]:
        return {
            name: column(events, branch, self.job.friends)
            for branch, name in self.job.events.kept_names().items()
        }

    def _place(self, dataset: str) -> Any:
        order = self.numbers.get(dataset, {}).get("files", {})
        return lambda key: (order.get(key[0], len(order)), *key)

    def _commit(self, metadata: Mapping[str, Any], result: ChunkResult) -> None:
        dataset, path = metadata["dataset"], metadata["filename"]
        chunk = Chunk(
            dataset, self.numbers[dataset]["files"][path], metadata["entrystart"], metadata["entrystop"]
        )
        record = Record(
            file=path,
            fingerprint=self.fingerprint,
            n_events=len(result.events),
            n_clusters=result.n_clusters,
            n_outside=result.n_outside,
            histograms=result.histograms,
        )
        commit(Path(str(self.directory)), chunk, result.events, record)
