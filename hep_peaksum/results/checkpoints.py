"""The commit of a chunk: its part (clusters) and its record (histograms, counts), written in this order.

The disk is the truth: a part without a record does not count, and whatever is merged in the end is merged from
the records. Names follow from dataset, file number and entry range alone, so a chunk done twice is one chunk.
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

from hep_peaksum.config.formats import PARTS, RECORDS
from hep_peaksum.results import parquet
from hep_peaksum.results.atomic_write import TEMPORARY, atomic_write


@dataclass(frozen=True)
class Chunk:
    """Entries `start` to `stop` of one file of a dataset."""

    dataset: str
    file_number: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """The name of the part; sorted by name, parts are in event order."""
        return f"part-{self.file_number:06d}-{self.start:012d}-{self.stop:012d}"

    def part(self, directory: Path) -> Path:
        """Return where the clusters of the chunk are."""
        return directory / self.dataset / PARTS / f"{self.name}.parquet"

    def record(self, directory: Path) -> Path:
        """Return where the record of the chunk is."""
        return directory / self.dataset / RECORDS / f"{self.name}.json"


@dataclass(frozen=True)
class Record:
    """What a finished chunk says of itself; `fingerprint` is of the job that made it."""

    file: str
    fingerprint: str
    n_events: int
    n_clusters: Mapping[str, int]
    n_outside: Mapping[str, int]
    histograms: Mapping[str, hist.Hist[Any]] = field(repr=False)
    part_bytes: int = -1


def commit(directory: Path, chunk: Chunk, blocks: Iterable[ak.Array], record: Callable[[], Record]) -> None:
    """Write the part, events as they come, then the record; each appears under its name at once, whole."""
    parquet.write_part(blocks, chunk.part(directory))
    made = replace(record(), part_bytes=chunk.part(directory).stat().st_size)
    write_json(chunk.record(directory), vars(made), default=uhi.io.json.default)


def is_finished(directory: Path, chunk: Chunk, fingerprint: str) -> bool:
    """Return whether a chunk has a whole record of this very job, and the part that the record means.

    A worker that outlived its run may still have written a chunk of the job before.
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


def discard_others(directory: Path, chunks: Iterable[Chunk]) -> None:
    """Remove parts and records that are not of these chunks, and what a killed run left half-written."""
    kept = {path for chunk in chunks for path in (chunk.part(directory), chunk.record(directory))}
    for path in [p for folder in (PARTS, RECORDS) for p in directory.glob(f"*/{folder}/*") if p.is_file()]:
        if path not in kept:
            path.unlink(missing_ok=True)  # a worker that outlived its run may be faster
    for path in [*directory.glob(TEMPORARY), *directory.glob(f"*/{TEMPORARY}")]:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any, **options: Any) -> None:
    """Write a JSON file that appears at once, whole."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, **options).encode())
