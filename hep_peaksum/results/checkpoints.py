"""The commit of a chunk: its part (clusters), then its record (histograms, counts, the checksum of the part).

The disk is the truth: a part without a record does not count, and final results are merged from the records.
Names follow from dataset, file number and entry range alone, so that a chunk processed twice is one chunk.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import hist
import numpy as np
import xxhash

from hep_peaksum.config.formats import PART, PART_SUFFIX, PARTS, RECORD_SUFFIX, RECORDS
from hep_peaksum.results import parquet
from hep_peaksum.results.atomic_write import WriteError, atomic_write, seal, unseal, write_errors

CHUNK_NAME = re.compile(r"part-(\d{6,})-(\d{12,})-(\d{12,})")
READ_BYTES = 1 << 20


class DamagedError(ValueError):
    """A part or a record that is missing, or is not what was written."""


class Chunk(NamedTuple):
    """Entries `start` to `stop` of one file of a dataset."""

    dataset: str
    file_number: int
    start: int
    stop: int

    @classmethod
    def of_name(cls, dataset: str, name: str) -> Chunk | None:
        """Return the chunk of that name, None if it is not the name of a chunk."""
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
        return Path(directory, self.dataset, PARTS, f"{self.name}{PART_SUFFIX}")

    def record(self, directory: Path) -> Path:
        """Return the path of the record."""
        return Path(directory, self.dataset, RECORDS, f"{self.name}{RECORD_SUFFIX}")


# Flat indices of the bins, their contents and, of weighted histograms, their variances.
FilledBins = tuple[list[int], list[float]] | tuple[list[int], list[float], list[float]]


@dataclass(frozen=True)
class Record:
    """What is known of a finished chunk, with the `uuid` of its input file and the `fingerprint` of its job.

    `numbers` are those of the dataset and of the file. Of every histogram only the bins that are filled: their
    flat indices, overflow included, and their contents.
    """

    fingerprint: str
    uuid: str
    numbers: tuple[int, int]
    n_events: int
    n_written: int
    n_clusters: Mapping[str, int]
    n_outside: Mapping[str, int]
    histograms: Mapping[str, FilledBins] = field(repr=False)
    part_bytes: int = -1
    part_xxh3: str = ""

    def is_of(self, fingerprint: str, uuid: str, numbers: tuple[int, int]) -> bool:
        """Return whether a chunk belongs to this very job: results of another may have got into its folder."""
        return (self.fingerprint, self.uuid, self.numbers) == (fingerprint, uuid, numbers)


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
    _check_folders(directory, chunk)
    parquet.write_part(blocks, part)
    record = make_record()
    with write_errors(part):  # it may have vanished: no input is to blame
        record = replace(record, part_bytes=part.stat().st_size, part_xxh3=checksum(part))
    _write_record(directory, chunk, record)


def commit_copy(directory: Path, chunk: Chunk, part: Path, record: Record) -> None:
    """Copy a finished part of another folder, then write its record.

    Raises
    ------
    DamagedError
        If the part is not what its record says.
    WriteError
        If one of them cannot be written.
    """
    check_part(part, record, verify=False)
    _check_folders(directory, chunk)
    with part.open("rb") as source, atomic_write(chunk.part(directory)) as file:
        shutil.copyfileobj(source, file, READ_BYTES)
    with write_errors(chunk.part(directory)):
        is_copied = checksum(chunk.part(directory)) == record.part_xxh3
    if not is_copied:
        chunk.part(directory).unlink()
        check_part(part, record)  # which of the two is damaged
        check_part(chunk.part(directory), record)
    _write_record(directory, chunk, record)


def _check_folders(directory: Path, chunk: Chunk) -> None:
    """Raise a WriteError if a link has taken the place of a folder: nothing is written behind it."""
    parts, records = chunk.part(directory).parent, chunk.record(directory).parent
    for folder in (parts.parent, parts, records):
        if folder.is_symlink():
            raise WriteError(errno.ELOOP, "it is a link, where a folder belongs", str(folder))


def _write_record(directory: Path, chunk: Chunk, record: Record) -> None:
    body = json.dumps({"chunk": chunk.full_name, **vars(record)}, separators=(",", ":")).encode()
    with atomic_write(chunk.record(directory)) as file:
        file.write(seal(body))


def checksum(path: Path) -> str:
    """Return the xxh3 of the content of a file."""
    digest = xxhash.xxh3_64()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def parse_record(chunk: Chunk, content: bytes) -> Record:
    """Return the record of a chunk, as it was written.

    Raises
    ------
    DamagedError
        If it is not what was written, or is that of another chunk.
    """
    try:
        values = json.loads(unseal(content) or b"{}")
        is_of_chunk = values.pop("chunk", None) == chunk.full_name
        dataset_number, file_number = values.pop("numbers")
        record = Record(**values, numbers=(dataset_number, file_number))
    except (AttributeError, KeyError, TypeError, ValueError):
        is_of_chunk = False
    if not is_of_chunk:
        msg = f"{chunk.full_name}: the record is damaged"
        raise DamagedError(msg)
    return record


def check_part(part: Path, record: Record, *, verify: bool = True) -> None:
    """Raise a DamagedError unless a part is what its record says: its size and checksum, or its size alone."""
    try:
        if part.stat().st_size == record.part_bytes and (not verify or checksum(part) == record.part_xxh3):
            return
        reason = "damaged: it is not what was written"
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else f"unreadable ({error.strerror})"
    msg = f"{part}: the part is {reason}"
    raise DamagedError(msg)


def filled_bins(histogram: hist.Hist[Any]) -> FilledBins:
    """Return the bins of a histogram that are not 0, under- and overflow included."""
    content = flat_contents(histogram)
    if content.dtype.names is None:
        filled = np.flatnonzero(content)
        return filled.tolist(), content[filled].tolist()
    filled = np.flatnonzero(content["variance"])  # weights may add up to 0
    return filled.tolist(), content["value"][filled].tolist(), content["variance"][filled].tolist()


def add_bins(contents: Any, rests: Any, bins: FilledBins) -> None:
    """Add the filled bins of a histogram to the contents of another, as from `flat_contents`.

    What rounding loses of weighted sums is kept in `rests`, an array like the contents, and comes back with
    what is added later: the sums are the same in whatever order chunks are added, which is another one if a job
    was interrupted. Counts are exact.
    """
    indices, *columns = bins
    if len(columns) == 1:
        contents[indices] += columns[0]
        return
    for name, added in zip(("value", "variance"), columns, strict=True):
        old, new = contents[name][indices], np.array(added)
        total = old + new
        part = total - old
        rest = rests[name][indices] + ((old - (total - part)) + (new - part))
        contents[name][indices] = whole = total + rest
        rests[name][indices] = rest - (whole - total)


def flat_contents(histogram: hist.Hist[Any]) -> Any:
    """Return the contents of a histogram, overflow included, as a view in one dimension."""
    return np.asarray(histogram.view(flow=True)).reshape(-1, order="A")
