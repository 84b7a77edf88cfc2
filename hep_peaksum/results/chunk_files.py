"""The chunks in a results folder: listed, read, brought together, removed.

While a job runs every record is a file of its own. Later some hundred of them are the lines of one file, so
that many chunks are not twice as many files. The newest record of a chunk counts: its own file, else its line
in the file of the highest number. Only files with such names are removed, and only from folders of ours.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from hep_peaksum.config.formats import PART_SUFFIX, PARTS, PLOTS, RECORD_SUFFIX, RECORDS
from hep_peaksum.results.atomic_write import TEMPORARY_NAME, atomic_write, unseal
from hep_peaksum.results.checkpoints import Chunk, DamagedError, Record, check_part, parse_record

log = logging.getLogger(__name__)

# Records brought together: a line each, as they were written.
TOGETHER, TOGETHER_NAME = "records-{number:06d}.jsonl", re.compile(r"records-(\d{6,})\.jsonl")
HEAD = re.compile(rb'\{"xxh3":"[0-9a-f]{16}","chunk":"(?:[^"\\]|\\.)*/(part-[0-9-]+)"')
RECORDS_PER_FILE = 256


def dataset_folders(directory: Path) -> list[str]:
    """Return the names of the folders that hold chunks of a dataset; links are not followed."""
    return sorted(
        path.name
        for path in directory.glob("*")
        if not path.is_symlink()
        and any((path / folder).is_dir() and not (path / folder).is_symlink() for folder in (PARTS, RECORDS))
    )


def part_paths(directory: Path, dataset: str) -> list[Path]:
    """Return the parts of a dataset, in event order."""
    return [chunk.part(directory) for chunk in sorted(_chunks_with_part(directory, dataset))]


def _chunks_with_part(directory: Path, dataset: str) -> Iterator[Chunk]:
    """Yield the chunks of a dataset that have a part, in no order; a path of each would take more memory."""
    for path in _paths_in(directory / dataset / PARTS):
        if path.suffix == PART_SUFFIX and (chunk := Chunk.of_name(dataset, path.stem)):
            yield chunk


def _paths_in(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder, nothing if there is none; one at a time, where `glob` makes all first."""
    return folder.iterdir() if folder.is_dir() else iter(())


def recorded_chunks(directory: Path, dataset: str) -> list[Chunk]:
    """Return the chunks of a dataset that have a record, going by its name, in event order."""
    return sorted({chunk for chunk, _ in _stored(directory, dataset, read=False)})


def holds_chunks(directory: Path) -> bool:
    """Return whether any chunk has a record; of many only the first is looked at."""
    return any(True for name in dataset_folders(directory) for _ in _stored(directory, name, read=False))


def all_recorded_chunks(directory: Path) -> list[Chunk]:
    """Return the chunks of all datasets that have a record."""
    return [chunk for name in dataset_folders(directory) for chunk in recorded_chunks(directory, name)]


def finished_records(directory: Path, dataset: str) -> Iterator[tuple[Chunk, Record]]:
    """Yield every chunk of a dataset whose record and part are what was written; damage is logged."""
    for chunk, result in checked_records(directory, dataset):
        if isinstance(result, Record):
            yield chunk, result
        else:
            log.info("%s; its chunk is processed again", result)


def checked_records(
    directory: Path, dataset: str, *, verify: bool = True
) -> Iterator[tuple[Chunk, Record | DamagedError]]:
    """Yield every chunk of a dataset with its record, or with what is wrong with record or part.

    Parts are compared with their checksums, or only in their size.
    """
    seen = set()
    for chunk, content in _stored(directory, dataset, read=True):
        if chunk not in seen:
            seen.add(chunk)
            try:
                record = parse_record(chunk, content)
                check_part(chunk.part(directory), record, verify=verify)
                yield chunk, record
            except DamagedError as error:
                yield chunk, error


def read_record(directory: Path, chunk: Chunk) -> Record | None:
    """Return the record of a chunk that was written by itself, None if it or the part is damaged or missing."""
    try:
        record = parse_record(chunk, _content(chunk.record(directory)) or b"")
        check_part(chunk.part(directory), record)
    except DamagedError:
        return None
    return record


def _stored(directory: Path, dataset: str, *, read: bool) -> Iterator[tuple[Chunk, bytes]]:
    """Yield the chunk and the content of every record, the newest first; the content only if asked for."""
    for path in (directory / dataset / RECORDS).glob(f"*{RECORD_SUFFIX}"):
        content = _content(path, read=read)
        if content is not None and (chunk := Chunk.of_name(dataset, path.stem)):
            yield chunk, content
    for path in reversed(_together(directory, dataset).values()):
        for line in (_content(path) or b"").splitlines():
            head = HEAD.match(line)
            if head and (chunk := Chunk.of_name(dataset, head[1].decode())):
                yield chunk, line


def _content(path: Path, *, read: bool = True) -> bytes | None:
    """Return the content of a file, b"" if it is not to be read, or cannot be: what it holds is then damaged.

    None of what is no file, or no longer there: a run that ends moves the records into files of many.
    """
    if not path.is_file():
        return None
    try:
        return path.read_bytes() if read else b""
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def _together(directory: Path, dataset: str) -> dict[int, Path]:
    """Return the files of many records by their numbers, in this order."""
    paths = (directory / dataset / RECORDS).glob("records-*.jsonl")
    matches = ((TOGETHER_NAME.fullmatch(path.name), path) for path in paths)
    return dict(sorted((int(match[1]), path) for match, path in matches if match and path.is_file()))


def bring_together(directory: Path, dataset: str) -> None:
    """Write records that are files of their own into files of some hundred, as far as these get full."""
    folder = directory / dataset / RECORDS
    chunks = (Chunk.of_name(dataset, path.stem) for path in folder.glob(f"*{RECORD_SUFFIX}"))
    waiting = sorted(chunk for chunk in chunks if chunk)
    number = max(_together(directory, dataset), default=0)
    for start in range(0, len(waiting) - RECORDS_PER_FILE + 1, RECORDS_PER_FILE):
        paths = [chunk.record(directory) for chunk in waiting[start : start + RECORDS_PER_FILE]]
        lines = {path: line for path in paths if unseal(line := _content(path) or b"") is not None}
        number += 1
        with atomic_write(folder / TOGETHER.format(number=number)) as file:
            file.write(b"\n".join(lines.values()))
        for path in lines:
            path.unlink(missing_ok=True)


def chunk_files(directory: Path, dataset: str) -> Iterator[Path]:
    """Yield every file in the folder of a dataset that holds records or a part."""
    yield from _together(directory, dataset).values()
    for folder, suffix in ((RECORDS, RECORD_SUFFIX), (PARTS, PART_SUFFIX)):
        for path in sorted((directory / dataset / folder).glob(f"*{suffix}")):
            if Chunk.of_name(dataset, path.stem) and path.is_file():
                yield path


def remove_chunks(directory: Path, chunks: Iterable[Chunk]) -> None:
    """Remove the record, then the part, of chunks."""
    by_dataset: dict[str, set[Chunk]] = defaultdict(set)
    for chunk in chunks:
        by_dataset[chunk.dataset].add(chunk)
    for dataset, removed in by_dataset.items():
        _remove_lines(directory, dataset, removed)
        for chunk in removed:
            for path in (chunk.record(directory), chunk.part(directory)):
                if path.is_file():  # of anything else whoever writes there says that it is in the way
                    path.unlink(missing_ok=True)  # a worker that outlived its run may have removed it


def _remove_lines(directory: Path, dataset: str, chunks: Collection[Chunk]) -> None:
    """Remove the records of chunks from the files that hold many."""
    names = {chunk.name.encode() for chunk in chunks}
    for path in _together(directory, dataset).values():
        lines = (_content(path) or b"").splitlines()
        kept = [line for line in lines if not ((head := HEAD.match(line)) and head[1] in names)]
        if not kept:
            path.unlink(missing_ok=True)
        elif len(kept) < len(lines):
            with atomic_write(path) as file:
                file.write(b"\n".join(kept))


def remove_leftovers(directory: Path) -> None:
    """Remove what a killed run leaves: parts without a record, and temporary files; parts are logged."""
    for dataset in dataset_folders(directory):
        recorded = set(recorded_chunks(directory, dataset))
        for chunk in sorted(each for each in _chunks_with_part(directory, dataset) if each not in recorded):
            if (path := chunk.part(directory)).is_file():
                log.info("%s: a part without a record, left by a run that was stopped, is removed", path)
                path.unlink(missing_ok=True)
    datasets = [directory / dataset for dataset in dataset_folders(directory)]
    below = [each / name for each in datasets for name in (PARTS, RECORDS)]
    for folder in (directory, directory / PLOTS, *datasets, *below):
        for path in _paths_in(folder):
            if TEMPORARY_NAME.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)
