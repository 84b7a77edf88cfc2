"""Finished jobs of one config become one job: chunks are copied, and summed as `run` sums them.

Datasets and files are numbered anew, in the order given. Where these numbers identify the events, because the
files themselves do not, they are replaced in the parts: the results are those of one job over all the files.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from hep_peaksum.config.formats import REPORT, SUMMARY
from hep_peaksum.config.load import parse_done
from hep_peaksum.config.model import Config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.inputs.paths import InputFile
from hep_peaksum.job.run import RunResult, write_results, write_summary
from hep_peaksum.job.summary import DatasetTotal, account, check_cut_flow, measurements, summarize
from hep_peaksum.merging.finished_jobs import FinishedJob, check_jobs, read_job
from hep_peaksum.processing.normalisation import Normalisation, is_normalised, normalisation, normalised
from hep_peaksum.results.checkpoints import (
    Chunk,
    DamagedError,
    Record,
    check_part,
    commit,
    commit_copy,
)
from hep_peaksum.results.chunk_files import (
    all_recorded_chunks,
    bring_together,
    checked_records,
    finished_records,
    remove_leftovers,
)
from hep_peaksum.results.folder import (
    check_places,
    holds_results,
    locked_directory,
    one_line_errors,
    own_manifest,
    remove_results,
)
from hep_peaksum.results.manifest import DatasetEntry, Manifest
from hep_peaksum.results.parquet import read_parts

OTHER_PLACE = "choose another directory, or add --restart, which removes its results"


def merge(directories: Sequence[str | Path], output: str | Path, *, restart: bool = False) -> RunResult:
    """Merge the results of finished jobs into a folder as one job leaves it.

    Parameters
    ----------
    directories
        Folders of finished jobs of the same config (the sections output and run may differ, and datasets in
        their files) and version. They are not changed. Formats and plots are those of the first.
    output
        The folder of the results. If a merge of the same jobs was interrupted there, it is continued.
    restart
        Remove the results that are in `output`, of whatever job.

    Raises
    ------
    ConfigError
        If the jobs cannot be one: their configs differ, or two have read the same file.
    ValueError
        If a job is not finished, or a part of it is damaged.
    hep_peaksum.results.lock.InUseError
        If a run is at work in `output`.
    """
    folders = [Path(each) for each in directories]
    _check_folders(folders, Path(output))
    jobs = [read_job(folder) for folder in folders]
    check_jobs(jobs)
    config = _merged_config(jobs, Path(output))
    with locked_directory(config) as directory:
        return _merge(jobs, config, directory, restart=restart)


def _check_folders(folders: Sequence[Path], output: Path) -> None:
    """Raise a ConfigError if a folder is given twice, or the results would lie inside of what is merged."""
    problems = []
    seen: dict[Path, Path] = {}
    target = output.resolve()
    for folder in folders:
        place = folder.resolve()
        if seen.setdefault(place, folder) is not folder:
            problems.append(f"{folder} is given twice: name every job once")
        if place == target or place in target.parents or target in place.parents:
            problems.append(f"{output} and {folder} lie in one another: choose another folder for the results")
    if problems:
        raise ConfigError(problems)


def _merged_config(jobs: Sequence[FinishedJob], output: Path) -> Config:
    """Return the config of one job over the files of all jobs."""
    datasets: dict[str, Any] = {}
    for job in jobs:
        for name in job.accounts:
            section = datasets.setdefault(name, {**job.summary["config"]["datasets"][name], "files": []})
            section["files"] += [{each.path.replace("$", "$$"): each.tree} for each in job.inputs(name)]
    first = jobs[0].summary["config"]
    place = {**first["output"], "directory": str(output)}
    return parse_done({**first, "datasets": datasets, "output": place})


@dataclass
class _Dataset:
    """A dataset of the merged job: its entry, and every job with the new numbers of its files by the old."""

    entry: DatasetEntry
    n_files: int = 0
    sources: list[tuple[FinishedJob, dict[int, int]]] = field(default_factory=list)


def _number_anew(jobs: Sequence[FinishedJob]) -> dict[str, _Dataset]:
    """Return the merged datasets, and their files, numbered in the order given."""
    merged: dict[str, _Dataset] = {}
    for job in jobs:
        for name in job.accounts:
            types = job.dataset(name).types
            dataset = merged.setdefault(name, _Dataset(DatasetEntry(number=len(merged) + 1)))
            dataset.entry.types = {**types, **dataset.entry.types}
            numbers = {}
            for each in job.inputs(name):
                dataset.n_files += 1
                entry = each.entry.model_copy(update={"number": dataset.n_files})
                dataset.entry.files.setdefault(each.path, {})[each.tree] = entry
                numbers[each.entry.number] = dataset.n_files
            dataset.sources.append((job, numbers))
    return merged


def _merge(jobs: Sequence[FinishedJob], config: Config, directory: Path, *, restart: bool) -> RunResult:
    """Merge jobs in a folder to which no other run writes."""
    started = time.perf_counter()
    datasets = _number_anew(jobs)
    manifest = Manifest(directory, config, {name: each.entry for name, each in datasets.items()})
    if manifest.content.fingerprint != jobs[0].content.fingerprint:
        msg = f"{jobs[0].directory / SUMMARY} is not of the job of its manifest: run its command again"
        raise ValueError(msg)
    _open(manifest, config, restart=restart)
    for name in (SUMMARY, REPORT):
        (directory / name).unlink(missing_ok=True)
    remove_leftovers(directory)
    totals = {name: DatasetTotal.empty(config) for name in datasets}
    for name, dataset in datasets.items():
        _add_chunks(name, dataset, directory, totals[name])
        bring_together(directory, name)
    _check_unused(directory, totals)
    check_cut_flow(config, totals)
    scales = {name: _normalisation(config, name, each) for name, each in datasets.items()}
    for name, total in totals.items():
        total.histograms = normalised(total.histograms, scales[name])
    tables = measurements(config, totals)
    write_results(config, directory, totals, tables)
    summary = summarize(
        config,
        totals,
        tables=tables,
        types={name: each.entry.types for name, each in datasets.items()},
        datasets={
            name: account(_files(name, each), totals[name], scales[name]) for name, each in datasets.items()
        },
        losses=[loss for job in jobs for loss in job.summary["losses"]],
        n_chunks={"total": sum(len(each.chunks) for each in totals.values()), "reused": 0},
        seconds=_seconds(jobs, time.perf_counter() - started),
    )
    summary["versions"] = _versions(jobs)
    _check_unchanged(jobs)
    write_summary(config, manifest, summary)
    return RunResult(directory, summary, {name: each.histograms for name, each in totals.items()})


def _open(manifest: Manifest, config: Config, *, restart: bool) -> None:
    """Write the manifest to a folder that is free, is to be freed, or holds a merge of the same jobs."""
    files = {
        name: [InputFile(path, tree) for path, trees in each.files.items() for tree in trees]
        for name, each in manifest.datasets.items()
    }
    with one_line_errors(manifest.directory):
        check_places(manifest.directory, files)
        if restart:
            remove_results(manifest.directory)
        there = own_manifest(manifest.directory, config)
        if there and holds_results(manifest.directory) and there.datasets != manifest.datasets:
            msg = f"holds the results of other files: {OTHER_PLACE}"
            raise ValueError(msg)
        manifest.write()


def _check_unused(directory: Path, totals: Mapping[str, DatasetTotal]) -> None:
    """Raise a ConfigError if the folder holds chunks that are of none of the jobs."""
    unused = {*all_recorded_chunks(directory)} - {chunk for each in totals.values() for chunk in each.chunks}
    if unused:
        problem = f"{directory} holds chunks of none of these jobs ({len(unused)}): {OTHER_PLACE}"
        raise ConfigError([f"output.directory: {problem}"])


def _check_unchanged(jobs: Sequence[FinishedJob]) -> None:
    """Raise a RuntimeError if a job has run again in the meantime."""
    for job in jobs:
        if read_job(job.directory) != job:
            msg = f"{job.directory} has changed while it was merged: run the same command again"
            raise RuntimeError(msg)


def _add_chunks(name: str, dataset: _Dataset, directory: Path, total: DatasetTotal) -> None:
    """Copy the chunks of a dataset that are not there yet, and add all of them.

    Raises
    ------
    DamagedError
        If a chunk is not what was written.
    ValueError
        If the chunks are not all that the summary of a job accounts for.
    """
    there = dict(finished_records(directory, name))
    for job, numbers in dataset.sources:
        processed: dict[str, int] = defaultdict(int)
        for old, record, path in _chunks(job, name):
            chunk = old._replace(file_number=numbers[old.file_number])
            pair = (dataset.entry.number, chunk.file_number)
            if not (chunk in there and there[chunk].is_of(record.fingerprint, record.uuid, pair)):
                with _named_damage(job):
                    _copy(job, old, directory, chunk, record, pair)
            total.add(chunk, path, record)
            processed[path] += record.n_events
        for path, file in job.accounts[name]["files"].items():
            if processed[path] != file["processed"]:
                held = f"holds {processed[path]} of the {file['processed']} events of {path} in its summary"
                msg = f"{job.directory} {held}: run its command again, then merge"
                raise ValueError(msg)


@contextmanager
def _named_damage(job: FinishedJob) -> Iterator[None]:
    """Say what to do about a damaged chunk of a job."""
    try:
        yield
    except DamagedError as error:
        msg = f"{error}: run the command of {job.directory} again, then merge"
        raise DamagedError(msg) from None


def _chunks(job: FinishedJob, name: str) -> Iterator[tuple[Chunk, Record, str]]:
    """Yield the chunks of a dataset that are results of a job, with the path of their file."""
    inputs = {each.entry.number: each for each in job.inputs(name)}
    for chunk, record in checked_records(job.directory, name, verify=False):
        with _named_damage(job):
            if isinstance(record, DamagedError):
                raise record
        source = inputs.get(chunk.file_number)
        if source is None or source.entry.uuid is None:
            continue
        numbers = (job.dataset(name).number, chunk.file_number)
        if record.is_of(job.content.fingerprint, str(uuid.UUID(hex=source.entry.uuid)), numbers):
            yield chunk, record, source.path


def _copy(
    job: FinishedJob, old: Chunk, directory: Path, new: Chunk, record: Record, numbers: tuple[int, int]
) -> None:
    """Copy a chunk under its new numbers, in its columns, too, if these identify the events."""
    part, renumbered = old.part(job.directory), replace(record, numbers=numbers)
    if job.is_numbered(old.dataset) and record.numbers != numbers:
        check_part(part, record)
        commit(directory, new, _with_numbers(part, numbers), lambda: renumbered)
    else:
        commit_copy(directory, new, part, renumbered)


def _with_numbers(part: Path, numbers: tuple[int, int]) -> Iterator[ak.Array]:
    """Yield the events of a part with other numbers of dataset and file."""
    for events in read_parts([part]):
        for column, number in zip(IDENTITY, numbers, strict=False):
            events[column] = np.full(len(events), number, IDENTITY[column])
        yield events


def _normalisation(config: Config, name: str, dataset: _Dataset) -> Normalisation | None:
    """Return the normalisation of a merged dataset, by the weights that its jobs have added."""
    if not is_normalised(config, name):
        return None
    sums = []
    for job, _ in dataset.sources:
        if (found := job.accounts[name].get("normalisation")) is None:
            msg = f"{job.directory / SUMMARY} does not say how {name!r} is normalised: run its command again"
            raise ValueError(msg)
        sums.append(found.get("sum_of_weights"))
    return normalisation(config, name, None if None in sums else sum(sums))


def _files(name: str, dataset: _Dataset) -> dict[str, Any]:
    """Return the entries of every file of a dataset: expected, processed and lost, as its job has them."""
    files = [job.accounts[name]["files"] for job, _ in dataset.sources]
    return {path: each for of_job in files for path, each in of_job.items()}


def _seconds(jobs: Sequence[FinishedJob], merging: float) -> dict[str, float]:
    """Return how long the jobs took together, and the merge."""
    sums = {word: sum(job.summary["seconds"][word] for job in jobs) for word in ("processing", "total")}
    return {"processing": sums["processing"], "total": sums["total"] + merging}


def _versions(jobs: Sequence[FinishedJob]) -> Mapping[str, str]:
    """Return the versions with which the jobs ran; where they differ, all of them."""
    every: dict[str, dict[str, None]] = {}
    for job in jobs:
        for name, version in job.summary["versions"].items():
            every.setdefault(name, {})[version] = None
    return {name: ", ".join(versions) for name, versions in every.items()}
