"""The commit of a chunk: its part (clusters), then its record (histograms, counts).

The disk is the truth: a part without a record does not count, and final results are merged from the records.
Names follow from dataset, file number and entry range alone, so that a chunk processed twice is one chunk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import uhi.io.json

from hep_peaksum.config.formats import (
    PART,
    PART_PATTERN,
    PART_SUFFIX,
    PARTS,
    RECORD_SUFFIX,
    RECORDS,
    TEMPORARY_PATTERN,
)
from hep_peaksum.results import parquet
from hep_peaksum.results.atomic_write import atomic_write


@dataclass(frozen=True)
class Chunk:
    """Entries `start` to `stop` of one file of a dataset."""

    dataset: str
    file_number: int
    start: int
    stop: int

    @property
    def n_entries(self) -> int:
        """The number of entries."""
        return self.stop - self.start

    @property
    def name(self) -> str:
        """The name of part and record, without suffix; sorted by name, chunks are in event order."""
        return PART.format(**vars(self))

    def part(self, directory: Path) -> Path:
        """Return the path of the clusters."""
        return directory / self.dataset / PARTS / f"{self.name}{PART_SUFFIX}"

    def record(self, directory: Path) -> Path:
        """Return the path of the record."""
        return directory / self.dataset / RECORDS / f"{self.name}{RECORD_SUFFIX}"


@dataclass(frozen=True)
class Record:
    """What is known of a finished chunk; `fingerprint` is that of the job that made it."""

    file: str
    fingerprint: str
    n_events: int
    n_clusters: Mapping[str, int]
    n_outside: Mapping[str, int]
    histograms: Mapping[str, hist.Hist[Any]] = field(repr=False)
    part_bytes: int = -1


def commit(
    directory: Path, chunk: Chunk, blocks: Iterable[ak.Array], make_record: Callable[[], Record]
) -> None:
    """Write the part block by block, then the record; each appears under its name only when it is complete."""
    parquet.write_part(blocks, chunk.part(directory))
    record = replace(make_record(), part_bytes=chunk.part(directory).stat().st_size)
    write_json(chunk.record(directory), vars(record), default=uhi.io.json.default)


def is_finished(directory: Path, chunk: Chunk, fingerprint: str) -> bool:
    """Return whether a chunk has a record of this job, and the part that belongs to the record.

    A worker that outlived its run may still have written a chunk of an earlier job.
    """
    try:
        record = json.loads(chunk.record(directory).read_text(encoding="utf-8"))
        n_bytes = chunk.part(directory).stat().st_size
    except (OSError, ValueError):
        return False
    return bool(record["fingerprint"] == fingerprint and record.get("part_bytes") == n_bytes)


def read_record(directory: Path, chunk: Chunk) -> Record:
    """Return the record of a finished chunk."""
    with chunk.record(directory).open(encoding="utf-8") as file:
        content = json.load(file, object_hook=uhi.io.json.object_hook)
    return Record(**{**content, "histograms": {k: hist.Hist(h) for k, h in content["histograms"].items()}})


def part_paths(directory: Path, dataset: str) -> list[Path]:
    """Return the parts of a dataset, in event order."""
    return sorted((directory / dataset / PARTS).glob(f"{PART_PATTERN}{PART_SUFFIX}"))


def finished_chunks(directory: Path, dataset: str) -> list[Chunk]:
    """Return the chunks of a dataset that have a record, in event order."""
    paths = sorted((directory / dataset / RECORDS).glob(f"{PART_PATTERN}{RECORD_SUFFIX}"))
    return [Chunk(dataset, *map(int, path.stem.split("-")[1:])) for path in paths]


def discard_others(directory: Path, chunks: Iterable[Chunk]) -> None:
    """Remove the parts and records of all other chunks, and the temporary files of a run that was killed."""
    expected = {path for chunk in chunks for path in (chunk.part(directory), chunk.record(directory))}
    for folder in (PARTS, RECORDS):
        for path in directory.glob(f"*/{folder}/*"):
            if path.is_file() and path not in expected:
                path.unlink(missing_ok=True)  # a worker that outlived its run may have removed it
    for path in [*directory.glob(TEMPORARY_PATTERN), *directory.glob(f"*/{TEMPORARY_PATTERN}")]:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any, **options: Any) -> None:
    """Write a JSON file that appears under its name only when it is complete."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, **options).encode())
