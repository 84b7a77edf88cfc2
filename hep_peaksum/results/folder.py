"""The results folder as a run finds it and leaves it: locked, checked for its owner, cleared of what is stale.

Nothing finished is removed unless it is asked for, and nothing that this program did not write. What is removed
is found by its name and its place on disk; only a picture must itself say that this program wrote it.
"""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from hep_peaksum.config.formats import (
    FORMATS,
    HISTOGRAMS,
    MANIFEST,
    PARTS,
    PLOTS,
    RECORDS,
    REPORT,
    SOFTWARE,
    SUMMARY,
)
from hep_peaksum.config.load import file_key
from hep_peaksum.config.model import Config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inputs.paths import REMOTE, Files, file_state, public_path
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.chunk_files import (
    all_recorded_chunks,
    chunk_files,
    dataset_folders,
    holds_chunks,
    recorded_chunks,
    remove_chunks,
    remove_leftovers,
)
from hep_peaksum.results.lock import locked
from hep_peaksum.results.manifest import Content, Manifest, ManifestError, fingerprint, read_manifest

REMEDY = "choose another directory, or start over with hep-peaksum run --restart, which removes its results"
MANY_CHANGED = 5
# Pictures of ours: how they begin, and how much of PNG and SVG names the software.
PNG, PDF, SVG = b"\x89PNG", b"%PDF", b'<?xml version="1.0" encoding="utf-8" standalone="no"?>\n<!DOCTYPE svg'
HEAD_BYTES = 2048
PDF_INFO = re.compile(rb"/Info (\d+) 0 R")


@contextmanager
def locked_directory(config: Config) -> Iterator[Path]:
    """Create the results folder if necessary, and keep other runs out of it inside the block.

    Raises
    ------
    ConfigError
        If it cannot be written.
    hep_peaksum.results.lock.InUseError
        If another run is at work in it.
    """
    directory = Path(config.output.directory)
    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(directory))
        except OSError as error:
            raise _unwritable(directory, error) from None
        yield directory


def open_directory(
    directory: Path, config: Config, files: Files, *, restart: bool = False, redo_changed: bool = False
) -> Manifest:
    """Return the manifest of a results folder, with numbers for new datasets and files; it is not written yet.

    Parameters
    ----------
    directory
        As from `locked_directory`.
    config, files
        The job whose results are to be written there.
    restart
        Remove the results that are there.
    redo_changed
        Remove the chunks of input files that have changed since.

    Raises
    ------
    ConfigError
        If the folder cannot be written, or holds the results of another job or of files that have changed.
    """
    with one_line_errors(directory):
        manifest, changed = _look_into(directory, config, files, restart=restart, redo_changed=redo_changed)
        if restart:
            remove_results(directory)
        remove_chunks(directory, changed)
    return manifest


def look_into_directory(
    directory: Path, config: Config, files: Files, *, restart: bool = False, redo_changed: bool = False
) -> tuple[Manifest, list[Chunk]]:
    """Return the manifest that `open_directory` would, and the chunks that are finished; nothing is written.

    Errors are those of `open_directory`.
    """
    with one_line_errors(directory):
        manifest, changed = _look_into(directory, config, files, restart=restart, redo_changed=redo_changed)
    return manifest, [] if restart else sorted({*all_recorded_chunks(directory)} - {*changed})


def _look_into(
    directory: Path, config: Config, files: Files, *, restart: bool, redo_changed: bool
) -> tuple[Manifest, list[Chunk]]:
    """Return the manifest, with numbers for new files, and the finished chunks of files that have changed."""
    check_places(directory, files)
    content = None if restart else own_manifest(directory, config)
    known = (content.datasets, content.checksums) if content else ({}, {})
    manifest = Manifest(directory, config, *known)
    changed = _changed_chunks(manifest, files)
    if changed and not redo_changed:
        raise ValueError(changed_files([*changed]))
    return manifest, [chunk for chunks in changed.values() for chunk in chunks]


@contextmanager
def one_line_errors(directory: Path) -> Iterator[None]:
    """Raise what is wrong with a folder as a ConfigError."""
    try:
        yield
    except OSError as error:
        raise _unwritable(directory, error) from None
    except ValueError as error:
        raise ConfigError([f"output.directory: {directory} {error}"]) from None


def check_places(directory: Path, files: Files) -> None:
    """Raise a ValueError if what would be written is an input file or a folder, or lies behind a link."""
    inside = os.path.join(os.path.realpath(directory), "")  # noqa: PTH118 -- with a separator at its end
    merged = [directory / name / each.file for name in files for each in FORMATS.values() if each.writer]
    for file in (*(directory / name for name in (MANIFEST, SUMMARY, HISTOGRAMS, REPORT)), *merged):
        if file.is_dir():
            msg = f"holds a folder where a file belongs, {file}: rename it, or choose another directory"
            raise ValueError(msg)
    names = dict.fromkeys([*files, *dataset_folders(directory)])  # of others chunks may be removed
    below = [directory / name / each for name in names for each in ("", PARTS, RECORDS)]
    for folder in (directory / PLOTS, *below):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            what = "link" if folder.is_symlink() else "file where a folder belongs"
            msg = f"holds a {what}, {folder}: replace it with a folder, or choose another directory"
            raise ValueError(msg)
    for inputs in files.values():
        for path, _ in inputs:
            if REMOTE not in path and os.path.realpath(path).startswith(inside):
                msg = f"holds an input file, {path}: choose another directory"
                raise ValueError(msg)


def check_directory(directory: Path) -> None:
    """Raise a ConfigError if there can be no such folder: a file is in its way, or its name is too long."""
    try:
        there = next(each for each in (directory, *directory.parents) if each.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise _unwritable(directory, error) from None


def _unwritable(directory: Path, error: OSError) -> ConfigError:
    is_file = os.path.isfile(directory)  # noqa: PTH113 -- Path.is_file raises where a name is too long
    what = "is a file, where a folder is expected" if is_file else "cannot be written"
    why = "" if is_file else f" ({error.strerror or error})"
    return ConfigError([f"output.directory: {directory} {what}{why}: name another directory"])


def own_manifest(directory: Path, config: Config) -> Content | None:
    """Return the manifest if the folder is free for this job, or holds its results; else raise a ValueError."""
    has_work = holds_chunks(directory)
    try:
        content = read_manifest(directory)
    except ManifestError as error:
        if not has_work:
            return None
        msg = f"holds finished work, and {error}: {REMEDY}"
        raise ValueError(msg) from None
    if content is None:
        if has_work:
            msg = f"holds parts without a manifest: {REMEDY}"
            raise ValueError(msg)
        merged = [f"{name}/{each.file}" for name in config.datasets for each in FORMATS.values() if each.writer]
        foreign = [name for name in (SUMMARY, HISTOGRAMS, *merged) if (directory / name).exists()]
        if foreign:
            msg = f"holds {foreign[0]} without a manifest: {REMEDY}"
            raise ValueError(msg)
        return None
    if content.fingerprint != fingerprint(config):
        if not holds_results(directory):
            return None  # a first run that finished nothing binds nobody
        what = what_differs(content.job, config.job(), ("there", "here"))
        msg = f"holds the results of another config ({what}): {REMEDY}"
        raise ValueError(msg)
    return content


def holds_results(directory: Path) -> bool:
    """Return whether a folder holds finished chunks, or what was made of them."""
    return (directory / SUMMARY).is_file() or holds_chunks(directory)


def what_differs(one: Mapping[str, Any], other: Mapping[str, Any], places: tuple[str, str]) -> str:
    """Return that the first key differs in which two jobs of different fingerprints do, with both values.

    Of a file or a module that the config names, the content alone may differ; else it is the version. `places`
    are words for where each of the two is.
    """
    plain, others = ({key: each for key, each in job.items() if key != "digests"} for job in (one, other))
    path = _first_difference(plain, others)
    if key := ".".join(file_key(path)):
        grid = key.removesuffix(".digests")
        if grid != key:
            return f"the content of a map or a cell table of {grid} differs"
        return f"{key} differs{_both_values(path, (plain, others), places)}"
    if content := _first_difference(one.get("digests"), other.get("digests")):
        return f"the content of {content[0]} differs"
    return "the version of hep_peaksum differs"


def _both_values(path: Sequence[str], jobs: Sequence[Any], places: tuple[str, str]) -> str:
    """Return the values that two jobs have at a path; nothing if one is a map, or may hold a password."""
    for key in path:
        jobs = [each.get(key) if isinstance(each, dict) else None for each in jobs]
    if any(isinstance(each, dict) or "://" in str(each) for each in jobs):
        return ""
    texts = ["not given" if each is None else f"{each!r:.60}" for each in jobs]
    return ": " + ", ".join(f"{text} {place}" for text, place in zip(texts, places, strict=True))


def _first_difference(one: Any, other: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the path of the first key in which two jobs differ, () if there is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        paths = (_first_difference(one.get(key), other.get(key), (*path, key)) for key in keys)
        return next((each for each in paths if each), ())
    return () if one == other else path


def _changed_chunks(manifest: Manifest, files: Files) -> dict[str, list[Chunk]]:
    """Update the state of input files that have changed; return their finished chunks, by their paths."""
    changed: dict[str, list[Chunk]] = defaultdict(list)
    for name, inputs in files.items():
        finished = _chunks_by_file(manifest.directory, name)
        for _, path, _, entry in manifest.entries({name: inputs}):
            chunks = finished.get(entry.number, [])
            if not entry.is_of(path, check_uuid=bool(chunks)):
                entry.forget(file_state(path))
                if chunks:
                    changed[public_path(path)] += chunks
    return changed


def take_changed(manifest: Manifest, changed: Iterable[tuple[str, str]], *, redo: bool) -> None:
    """Remove the chunks of files, given by dataset and path, of which only reading showed that they changed.

    Raises
    ------
    ConfigError
        Unless they are to be processed again, and if chunks of them are finished.
    """
    finished: dict[str, list[Chunk]] = {}
    for dataset, path in changed:
        numbers = manifest.file_numbers(dataset, path)
        chunks = [c for c in recorded_chunks(manifest.directory, dataset) if c.file_number in numbers]
        finished.setdefault(public_path(path), []).extend(chunks)
    paths = [path for path, chunks in finished.items() if chunks]
    if paths and not redo:
        raise ConfigError([f"output.directory: {manifest.directory} {changed_files(paths)}"])
    for chunks in finished.values():
        remove_chunks(manifest.directory, chunks)


def changed_files(paths: Collection[str]) -> str:
    """Return what to say of input files that have changed since their chunks were finished."""
    names = ", ".join(list(paths)[:MANY_CHANGED])
    more = f" and {len(paths) - MANY_CHANGED} more" if len(paths) > MANY_CHANGED else ""
    redo = "add --redo-changed to process what has changed again"
    return f"holds results of {names}{more} as it was before it changed: {redo}, or {REMEDY}"


def _chunks_by_file(directory: Path, dataset: str) -> Mapping[int, list[Chunk]]:
    chunks: dict[int, list[Chunk]] = defaultdict(list)
    for chunk in recorded_chunks(directory, dataset):
        chunks[chunk.file_number].append(chunk)
    return chunks


def remove_results(directory: Path) -> None:
    """Remove what an earlier run has left, whatever became of its manifest, which is kept to the end.

    So a restart that is interrupted can be started again. Files of others are left alone.
    """
    for name in (SUMMARY, REPORT):
        (directory / name).unlink(missing_ok=True)
    for dataset in dataset_folders(directory):
        for path in list(chunk_files(directory, dataset)):
            path.unlink(missing_ok=True)
        _remove_merged(directory / dataset)
    remove_leftovers(directory)
    for dataset in dataset_folders(directory):
        for path in (directory / dataset / RECORDS, directory / dataset / PARTS, directory / dataset):
            with suppress(OSError):  # it holds files of others
                path.rmdir()
    (directory / HISTOGRAMS).unlink(missing_ok=True)
    plots = [] if (directory / PLOTS).is_symlink() else [*(directory / PLOTS).glob("*")]
    for path in plots:
        if is_our_picture(path):
            path.unlink()
    (directory / MANIFEST).unlink(missing_ok=True)


def _remove_merged(folder: Path) -> None:
    """Remove the files of a dataset that are merged from its parts."""
    for form in FORMATS.values():
        if (folder / form.file).is_file():
            (folder / form.file).unlink()


def is_our_picture(path: Path) -> bool:
    """Return whether a file is a picture as this program wrote it, not one of others or one edited since."""
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        match path.suffix:
            case ".png":
                return head.startswith(PNG) and b"Software\0" + SOFTWARE.encode() in head
            case ".svg":
                return head.startswith(SVG) and f"<dc:title>{SOFTWARE}</dc:title>".encode() in head
            case ".pdf":
                return head.startswith(PDF) and _is_our_pdf(head + file.read())
    return False


def _is_our_pdf(content: bytes) -> bool:
    """Return whether a PDF is of ours itself; a document into which one was put names us elsewhere, too."""
    document = PDF_INFO.search(content, content.rfind(b"trailer"))
    if document is None:
        return False
    return re.search(rb"\n%b 0 obj\n<< /Creator \(%b\)" % (document[1], SOFTWARE.encode()), content) is not None


def check_unused(
    manifest: Manifest,
    files: Files,
    unused: Collection[Chunk],
    *,
    discard: bool,
    max_events: int | None,
) -> None:
    """Refuse to go on if finished chunks would not be part of the results, or remove them if asked to.

    Raises
    ------
    ConfigError
        With one line that says which they are, and why they are not used.
    """
    directory = manifest.directory
    if not unused:
        return
    if discard:
        remove_chunks(directory, unused)
        for name in {chunk.dataset for chunk in unused} - set(files):
            _remove_merged(directory / name)
        return
    reasons: dict[str, int] = defaultdict(int)
    for chunk in unused:
        reasons[_why_unused(manifest, files, chunk, max_events)] += 1
    (reason, n_chunks), *others = sorted(reasons.items(), key=lambda each: -each[1])
    more = f", and {sum(n for _, n in others)} more" if others else ""
    n_events = sum(chunk.n_entries for chunk in unused)
    chunks = "chunk" if len(unused) == 1 else "chunks"
    held = f"{directory} holds {len(unused)} finished {chunks} ({n_events} events) that this run would not use"
    choice = "choose another directory, or add --discard-unused to remove them"
    msg = f"output.directory: {held}: {n_chunks} {reason}{more}; {choice}"
    raise ConfigError([msg])


def _why_unused(manifest: Manifest, files: Files, chunk: Chunk, max_events: int | None) -> str:
    """Return why a finished chunk is not part of a job."""
    if chunk.dataset not in files:
        return f"of dataset {chunk.dataset!r}, which is not in the config"
    dataset = manifest.datasets[chunk.dataset]
    numbers = {manifest.numbers(chunk.dataset, path, tree)[1] for path, tree in files[chunk.dataset]}
    if chunk.file_number not in numbers:
        path, *_ = dataset.by_number.get(chunk.file_number, ("a file",))
        return f"of {path}, which is not in the config"
    return (
        f"beyond --max-events {max_events}"
        if max_events is not None
        else "of entries that the files do not have"
    )
