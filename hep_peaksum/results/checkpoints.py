"""The commit of a chunk: its part (clusters), then its record (histograms, counts, the checksum of the part).

The disk is the truth: a part without a record does not count, and final results are merged from the records.
Names follow from dataset, file number and entry range alone, so that a chunk processed twice is one chunk. Only
files with such a name are ever removed, and only from folders of these names.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import xxhash

from hep_peaksum.config.formats import PART, PART_SUFFIX, PARTS, RECORD_SUFFIX, RECORDS, TEMPORARY_PATTERN
from hep_peaksum.results import parquet
from hep_peaksum.results.atomic_write import atomic_write

log = logging.getLogger(__name__)

CHUNK_NAME = re.compile(r"part-(\d{6,})-(\d{12,})-(\d{12,})")
# What `atomic_write` leaves behind when it is killed, beside a file of ours.
TEMPORARY_NAME = re.compile(r"\.(.+)\.[0-9a-f]{32}\.tmp")
SEALED = re.compile(rb'\{"xxh3":"([0-9a-f]{16})","record":(\{.*\})\}', re.DOTALL)
READ_BYTES = 1 << 20


class DamagedError(ValueError):
    """A part or a record that is missing, or is not what was written."""


@dataclass(frozen=True, order=True)
class Chunk:
    """Entries `start` to `stop` of one file of a dataset."""

    dataset: str
    file_number: int
    start: int
    stop: int

    @classmethod
    def of_name(cls, dataset: str, name: str) -> Chunk | None:
        """Return the chunk of that name, None if it is no name of a chunk."""
        match = CHUNK_NAME.fullmatch(name)
        chunk = match and cls(dataset, *map(int, match.groups()))
        return chunk if chunk and chunk.name == name else None

    @property
    def n_entries(self) -> int:
        """The number of entries."""
        return self.stop - self.start

    @property
    def name(self) -> str:
        """The name of part and record, without suffix; sorted by name, chunks are in event order."""
        return PART.format(file_number=self.file_number, start=self.start, stop=self.stop)

    @property
    def full_name(self) -> str:
        """The dataset and the name."""
        return f"{self.dataset}/{self.name}"

    def part(self, directory: Path) -> Path:
        """Return the path of the clusters."""
        return directory / self.dataset / PARTS / f"{self.name}{PART_SUFFIX}"

    def record(self, directory: Path) -> Path:
        """Return the path of the record."""
        return directory / self.dataset / RECORDS / f"{self.name}{RECORD_SUFFIX}"


FilledBins = tuple[list[int], list[float]]


@dataclass(frozen=True)
class Record:
    """What is known of a finished chunk, `uuid` of the file it was read from, `fingerprint` of the job.

    Of every histogram only the bins that are filled: their flat indices, overflow included, and their contents.
    """

    file: str
    uuid: str
    fingerprint: str
    n_events: int
    n_clusters: Mapping[str, int]
    n_outside: Mapping[str, int]
    histograms: Mapping[str, FilledBins] = field(repr=False)
    part_bytes: int = -1
    part_xxh3: str = ""


def commit(
    directory: Path, chunk: Chunk, blocks: Iterable[ak.Array], make_record: Callable[[], Record]
) -> None:
    """Write the part block by block, then the record; each appears under its name only when it is complete.

    Raises
    ------
    WriteError
        If one of them cannot be written.
    """
    part = chunk.part(directory)
    parquet.write_part(blocks, part)
    record = replace(make_record(), part_bytes=part.stat().st_size, part_xxh3=checksum(part))
    body = json.dumps({"chunk": chunk.full_name, **vars(record)}, separators=(",", ":")).encode()
    with atomic_write(chunk.record(directory)) as file:
        file.write(b'{"xxh3":"%s","record":%s}' % (xxhash.xxh3_64_hexdigest(body).encode(), body))


def checksum(path: Path) -> str:
    """Return the xxh3 of the content of a file."""
    digest = xxhash.xxh3_64()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_record(directory: Path, chunk: Chunk, *, verify: bool = True) -> Record:
    """Return the record of a chunk, whose part has been compared with it: size and checksum, or the size alone.

    Raises
    ------
    DamagedError
        If record or part is missing or is not what was written; one line that names it.
    """
    path, part = chunk.record(directory), chunk.part(directory)
    try:
        match = SEALED.fullmatch(path.read_bytes())
        is_whole = match is not None and xxhash.xxh3_64_hexdigest(match[2]).encode() == match[1]
        content = json.loads(match[2]) if match and is_whole else {}
        is_whole &= content.pop("chunk", None) == chunk.full_name
        record = Record(**content)
    except (OSError, TypeError) as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        msg = f"{path}: the record is {reason}"
        raise DamagedError(msg) from None
    if not is_whole:
        msg = f"{path}: the record is damaged"
        raise DamagedError(msg)
    try:
        if part.stat().st_size == record.part_bytes and (not verify or checksum(part) == record.part_xxh3):
            return record
        reason = "damaged: it is not what was written"
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else f"unreadable ({error.strerror})"
    msg = f"{part}: the part is {reason}"
    raise DamagedError(msg)


def finished_record(directory: Path, chunk: Chunk, fingerprint: str) -> Record | None:
    """Return the record of a chunk that this very job has finished, else None; damage is logged.

    A worker that outlived its run may still have written a chunk of an earlier job.
    """
    if not chunk.record(directory).exists():
        return None
    try:
        record = read_record(directory, chunk)
    except DamagedError as error:
        log.info("%s; its chunk is processed again", error)
        return None
    return record if record.fingerprint == fingerprint else None


def recorded_chunks(directory: Path, dataset: str) -> list[Chunk]:
    """Return the chunks of a dataset that have a record, going by its name, in event order."""
    stems = (path.stem for path in (directory / dataset / RECORDS).glob(f"*{RECORD_SUFFIX}"))
    chunks = (Chunk.of_name(dataset, stem) for stem in stems)
    return sorted(chunk for chunk in chunks if chunk is not None)


def all_recorded_chunks(directory: Path) -> list[Chunk]:
    """Return the chunks of all datasets that have a record."""
    return [chunk for name in dataset_folders(directory) for chunk in recorded_chunks(directory, name)]


def part_paths(directory: Path, dataset: str) -> list[Path]:
    """Return the parts of a dataset, in event order."""
    paths = (directory / dataset / PARTS).glob(f"*{PART_SUFFIX}")
    return sorted(path for path in paths if Chunk.of_name(dataset, path.stem))


def dataset_folders(directory: Path) -> list[str]:
    """Return the names of the folders that hold chunks of a dataset; links are not followed."""
    return sorted(
        path.name
        for path in directory.iterdir()
        if not path.is_symlink()
        and any((path / folder).is_dir() and not (path / folder).is_symlink() for folder in (PARTS, RECORDS))
    )


def chunk_files(directory: Path, dataset: str) -> Iterator[tuple[Chunk, Path]]:
    """Yield every part and every record in the folder of a dataset, with its chunk."""
    for folder, suffix in ((RECORDS, RECORD_SUFFIX), (PARTS, PART_SUFFIX)):
        for path in sorted((directory / dataset / folder).glob(f"*{suffix}")):
            chunk = Chunk.of_name(dataset, path.stem)
            if chunk is not None and path.is_file():
                yield chunk, path


def remove_chunks(directory: Path, chunks: Iterable[Chunk]) -> None:
    """Remove the record, then the part, of chunks."""
    for chunk in chunks:
        for path in (chunk.record(directory), chunk.part(directory)):
            path.unlink(missing_ok=True)  # a worker that outlived its run may have removed it


def remove_leftovers(directory: Path) -> None:
    """Remove what a killed run leaves: parts without a record, and temporary files; parts are logged."""
    for dataset in dataset_folders(directory):
        recorded = set(recorded_chunks(directory, dataset))
        for chunk, path in chunk_files(directory, dataset):
            if chunk not in recorded:
                log.info("%s: a part without a record, left by a run that was stopped, is removed", path)
                path.unlink(missing_ok=True)
    folders = [directory, *(directory / dataset for dataset in dataset_folders(directory))]
    for folder in [*folders, *(each / name for each in folders[1:] for name in (PARTS, RECORDS))]:
        for path in folder.glob(TEMPORARY_PATTERN):
            if TEMPORARY_NAME.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def filled_bins(histogram: hist.Hist[Any]) -> FilledBins:
    """Return the bins of a histogram that are not 0, under- and overflow included."""
    content = _flat(histogram)
    filled = np.flatnonzero(content)
    return filled.tolist(), content[filled].tolist()


def add_filled_bins(histogram: hist.Hist[Any], bins: FilledBins) -> None:
    """Add filled bins (see `filled_bins`) to a histogram with the same axes."""
    indices, values = bins
    _flat(histogram)[indices] += values


def _flat(histogram: hist.Hist[Any]) -> Any:
    """Return the contents of a histogram in one dimension, as a view."""
    return histogram.view(flow=True).reshape(-1, order="A")


def write_json(path: Path, content: Any, **options: Any) -> None:
    """Write a JSON file that appears under its name only when it is complete."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, **options).encode())
