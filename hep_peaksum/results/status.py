"""What a results folder really holds, whether or not its job is complete, and its parts for other readers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import xxhash
from pydantic import BaseModel

from hep_peaksum.config.formats import HISTOGRAMS, MANIFEST, SUMMARY
from hep_peaksum.results.checkpoints import Record, checksum
from hep_peaksum.results.chunk_files import checked_records, part_paths
from hep_peaksum.results.manifest import Content, read_manifest
from hep_peaksum.suggestions import did_you_mean


# What a summary holds at least: whoever reads one need not ask whether it is there.
class _File(BaseModel):
    expected: int
    processed: int
    lost: list[str]


class _Normalisation(BaseModel):
    factor: float
    sum_of_weights: float | None = None


class _Account(BaseModel):
    n_events: int
    n_clusters: dict[str, int]
    n_outside: dict[str, int]
    files: dict[str, _File]
    normalisation: _Normalisation | None = None


class _Loss(BaseModel):
    dataset: str
    file: str
    start: int
    n_entries: int | None
    reason: str


class _Config(BaseModel):
    datasets: dict[str, dict[str, Any]]
    events: dict[str, Any]
    output: dict[str, Any]


class _Chunks(BaseModel):
    total: int
    reused: int


class _Seconds(BaseModel):
    processing: float
    total: float


class _Summary(BaseModel):
    config: _Config
    thresholds: dict[str, dict[str, Any]]
    identity: str
    versions: dict[str, str]
    datasets: dict[str, _Account]
    hints: list[str]
    losses: list[_Loss]
    n_chunks: _Chunks
    seconds: _Seconds


class Status(NamedTuple):
    """What a results folder holds.

    `summary` is None as long as the job is not complete; then `unfinished` holds, per dataset, the numbers of
    files, of finished chunks and of the entries in these. `damaged` holds a line for every chunk that is not
    what was written, if this was to be verified.
    """

    summary: Mapping[str, Any] | None
    unfinished: Mapping[str, tuple[int, int, int]]
    n_chunks: int = 0
    damaged: tuple[str, ...] = ()


def read_status(directory: Path, *, verify: bool = False) -> Status:
    """Return what a results folder really holds; with `verify`, every part is compared with its checksum.

    Raises
    ------
    ValueError
        If it is not a results folder, or its manifest or summary is damaged.
    """
    content, summary = _manifest_and_summary(directory)
    unfinished, damaged, n_chunks = {}, [], 0
    for name, dataset in content.datasets.items():
        n_sound = n_entries = 0
        for chunk, result in checked_records(directory, name, verify=verify):
            if not isinstance(result, Record):
                damaged.append(str(result))
            elif result.fingerprint == content.fingerprint:
                n_sound, n_entries = n_sound + 1, n_entries + chunk.n_entries
        unfinished[name] = (len(dataset.by_number), n_sound, n_entries)
        n_chunks += n_sound
    if verify and summary is not None and not _is_as_written(directory / HISTOGRAMS, content):
        damaged.append(f"{directory / HISTOGRAMS}: it is not what was written")
    return Status(summary, unfinished, n_chunks, tuple(damaged))


def parts(directory: str | Path, dataset: str | None = None) -> list[str]:
    """Return the paths of the parquet files of a finished job, in event order.

    For readers that take files, not folders: ``Runner(format="parquet")`` of coffea, ``polars.scan_parquet``,
    ``pyarrow.dataset.dataset``, ``read_parquet`` of DuckDB.

    Parameters
    ----------
    directory
        The results folder.
    dataset
        The dataset; by default the only one.

    Raises
    ------
    ValueError
        If it is not a results folder, its job is not finished, or it is not clear which dataset is meant.
    """
    directory = Path(directory)
    if directory.is_file():
        msg = f"{directory}: a file, not a folder of results: name the output.directory of a job"
        raise ValueError(msg)
    summary = read_summary(directory)
    names = [*summary["datasets"]]
    if dataset is None and len(names) > 1:
        msg = f"{directory} has the datasets {', '.join(names)}: name one of them"
        raise ValueError(msg)
    if dataset is not None and dataset not in names:
        msg = f"{directory}: no dataset {dataset!r}{did_you_mean(dataset, names)}; there are {', '.join(names)}"
        raise ValueError(msg)
    return [str(path) for path in part_paths(directory, dataset or names[0])]


def read_summary(directory: Path) -> Mapping[str, Any]:
    """Return the summary of a finished job; errors as of `read_finished`."""
    return read_finished(directory)[1]


def read_finished(directory: Path) -> tuple[Content, Mapping[str, Any]]:
    """Return the manifest and the summary of a finished job.

    Raises
    ------
    ValueError
        If it is not a results folder, its job is not finished, or manifest or summary are damaged.
    """
    content, summary = _manifest_and_summary(directory)
    if summary is None:
        msg = f"{directory}: its job is not finished (no {SUMMARY}): run its command again"
        raise ValueError(msg)
    return content, summary


def manifest_of(directory: Path) -> Content:
    """Return the manifest of a results folder.

    Raises
    ------
    ValueError
        If it is not a results folder, or its manifest is damaged.
    """
    content = read_manifest(directory)
    if content is not None:
        return content
    if directory.exists():
        msg = f"{directory}: not a results directory (it has no {MANIFEST}): name the output.directory of a job"
        raise ValueError(msg)
    near = ""
    if directory.parent.is_dir():
        folders = (each.name for each in directory.parent.iterdir() if each.is_dir())
        near = did_you_mean(directory.name, folders, likeness=0.75)
    msg = f"{directory}: there is no such folder{near}: name the output.directory of a job"
    raise ValueError(msg)


def finished_histograms(directory: Path, content: Content) -> Path:
    """Return the path of the histograms of a finished job, whose manifest has `content`.

    Raises
    ------
    ValueError
        If they are not what was written.
    """
    path = directory / HISTOGRAMS
    if not _is_as_written(path, content):
        raise ValueError(_damaged(path))
    return path


def _is_as_written(path: Path, content: Content) -> bool:
    """Return whether a file of a finished job is what was written, as far as its manifest knows."""
    known = content.checksums.get(path.name)
    try:
        return known is None or checksum(path) == known
    except OSError:
        return False


def _manifest_and_summary(directory: Path) -> tuple[Content, Mapping[str, Any] | None]:
    """Return the manifest of a results folder, and its summary, None if its job is not finished.

    The summary is read first: a run that ends meanwhile writes it last.
    """
    path = directory / SUMMARY
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return manifest_of(directory), None
    except OSError:
        stored = b""
    content = manifest_of(directory)
    try:
        digest = xxhash.xxh3_64_hexdigest(stored)
        if content.checksums.get(SUMMARY, digest) != digest:
            raise ValueError
        summary = json.loads(stored)
        _Summary.model_validate(summary)
    except ValueError:
        raise ValueError(_damaged(path)) from None
    return content, dict(summary)


def _damaged(path: Path) -> str:
    return f"{path} is damaged: run the same command again, which writes it anew"
