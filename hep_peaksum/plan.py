"""Before a job runs: which files and chunks there are, what identifies the job, who owns the output directory.

Here, too, is coffea's Runner as this package uses it: it plans the chunks, and later runs them.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uproot
from coffea import processor
from coffea.nanoevents import NanoEventsFactory
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.chunks import PARTS, RECORDS, Chunk, write_json
from hep_peaksum.config import Config, file_key
from hep_peaksum.events import column, expand_files, open_file, open_tree, schema_class
from hep_peaksum.inputs import GridInput
from hep_peaksum.thresholds import in_sigmas, inclusive_bound
from hep_peaksum.yaml_file import ConfigError

MANIFEST, SUMMARY = "manifest.json", "summary.json"
LOSSES = "losses"
# What uproot raises for a file that does not hold what its head promises.
DAMAGED = (OSError, uproot.DeserializationError, struct.error)
# Workers that wait longer stop. loky's 10 s are over while a file is merged; if a worker stops just as the next
# chunks come, loky warns, and where warnings are errors that breaks the pool.
IDLE_SECONDS = 300
# Starting workers costs more than opening so many files.
FEW_FILES = 50

Files = Mapping[str, Mapping[str, str]]


class ChunkError(RuntimeError):
    """A chunk that could not be processed: one line that names the file and what is wrong with it."""


@dataclass(frozen=True)
class Loss:
    """Entries that were not processed, and why. `n_entries` is None where the file could not even be opened."""

    dataset: str
    file: str
    start: int
    n_entries: int | None
    reason: str


class Plan(NamedTuple):
    """What coffea is to run, in event order, and the files that cannot be read."""

    items: Sequence[WorkItem]
    lost: Sequence[Loss]


class Runner(processor.Runner):  # type: ignore[misc]
    """coffea's Runner, with what real files need: whole numbers of entries, one-line errors, told losses.

    Geant4 writes trees whose number of entries is a float, on which coffea breaks. Errors are put into one line
    on the worker, where their cause is at hand; what may be lost comes back as a loss with its reason.
    """

    @staticmethod
    def metadata_fetcher_root(_timeout: Any, _align: Any, _options: Any, item: FileMeta) -> Any:
        """Return the number of entries of a file and its UUID."""
        with open_file(item.filename) as file:
            tree = open_tree(file, item.filename, item.treename)
            described = {"numentries": int(tree.num_entries), "uuid": file.file.fUUID}
        return _described(item, {**(item.metadata or {}), **described})

    @staticmethod
    def automatic_retries(_retries: int, skipbadfiles: Any, func: Any, item: Any, **_options: Any) -> Any:
        """Return what `func` gives for a file or a chunk, or the loss of it."""
        try:
            return func(item)
        except Exception as error:
            reason = _one_line(item.filename, error)
            if not skipbadfiles:
                raise ChunkError(reason) from error
            if isinstance(item, WorkItem):
                loss = Loss(item.dataset, item.filename, item.entrystart, len(item), reason)
                return {"out": {LOSSES: [loss]}, "processed": {item}}
            return _described(item, {LOSSES: Loss(item.dataset, item.filename, 0, None, reason)})


def _described(item: FileMeta, metadata: dict[str, Any]) -> Any:
    return processor.set_accumulator([FileMeta(item.dataset, item.filename, item.treename, metadata)])


def _one_line(path: str, error: BaseException) -> str:
    """Return the cause that coffea wrapped, as one line that names the file."""
    while error.__cause__ is not None and not isinstance(error, DAMAGED):
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith(path):
        return text
    if isinstance(error, DAMAGED):
        found = text.partition(" from FSSpec")[0]  # what follows is the inside of uproot
        return f"{path}: cannot be read as a ROOT file, it is cut short or damaged ({found})"
    return f"{path}: {text}" if isinstance(error, ValueError) else f"{path}: {type(error).__name__}: {text}"


def runner(config: Config, *, cache: MutableMapping[Any, Any] | None = None, n_files: int = 0) -> Runner:
    """Return coffea's Runner for a config."""
    executor = _executor(config)
    return Runner(
        executor=executor,
        pre_executor=executor if n_files > FEW_FILES else processor.IterativeExecutor(),
        chunksize=config.run.chunksize,
        schema=schema_class(config.events.schema_name),
        skipbadfiles=config.run.on_bad_file == "skip",
        metadata_cache=cache,
    )


def _executor(config: Config) -> Any:
    """Return coffea's executor; the pool of processes is loky's, which is kept for the next call."""
    workers = config.run.workers
    if config.run.executor == "iterative":
        return processor.IterativeExecutor()
    if config.run.executor == "threads":
        return processor.FuturesExecutor(pool=ThreadPoolExecutor, workers=workers, compression=None)
    import loky  # noqa: PLC0415 -- only those who ask for processes pay for it

    pool = loky.get_reusable_executor(max_workers=workers, timeout=IDLE_SECONDS)
    return processor.FuturesExecutor(pool=pool, workers=workers)


def find_files(config: Config) -> dict[str, dict[str, str]]:
    """Return, per dataset, the path of every file and of its tree.

    Raises
    ------
    ConfigError
        With a line for every dataset whose files are not there.
    """
    found, problems = {}, []
    for name, dataset in config.datasets.items():
        try:
            found[name] = expand_files(dataset.files)
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.files: {error}")
    if problems:
        raise ConfigError(problems)
    return found


def plan_job(config: Config, files: Files | None = None, *, max_events: int | None = None) -> Plan:
    """Return the chunks of a job.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load_config`.
    files
        As from `find_files`, which is asked by default.
    max_events
        Plan no more entries than this of every dataset.

    Raises
    ------
    ChunkError
        If a file cannot be read, unless ``on_bad_file`` is ``skip``.
    """
    files = find_files(config) if files is None else files
    cache: dict[FileMeta, Any] = {}
    planner = runner(config, cache=cache, n_files=sum(len(paths) for paths in files.values()))
    left = dict.fromkeys(files, max_events)
    items = []
    for item in planner.preprocess({name: {"files": dict(paths)} for name, paths in files.items()}):
        budget = left[item.dataset]
        if budget is None:
            items.append(item)
        elif budget > 0 or len(item) == 0:
            items.append(replace(item, entrystop=min(item.entrystop, item.entrystart + budget)))
            left[item.dataset] = budget - len(items[-1])
    return Plan(items, [metadata[LOSSES] for metadata in cache.values() if LOSSES in metadata])


def check_inputs(config: Config) -> list[str]:
    """Look up what the config reads in the first file of every dataset; return what files there are not.

    Raises
    ------
    ConfigError
        If a file has not the trees and branches that the config reads, with a line for each.
    """
    missing: list[str] = []
    problems: list[str] = []
    for name, dataset in config.datasets.items():
        try:
            path, tree = next(iter(expand_files(dataset.files).items()))
        except (OSError, ValueError) as error:
            missing.append(f"datasets.{name}: {error}")
            continue
        try:
            with open_file(path) as file:
                open_tree(file, path, tree)
                problems.extend(f"{path}: {lack}" for lack in _lacking(config, file, path, tree))
        except (OSError, ValueError) as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
    return missing


def _lacking(config: Config, file: Any, path: str, tree: str) -> list[str]:
    events = NanoEventsFactory.from_root(
        file,
        treepath=tree,
        schemaclass=schema_class(config.events.schema_name),
        entry_start=0,
        entry_stop=0,
        metadata={"dataset": "", "filename": path, "treename": tree, "entrystart": 0, "entrystop": 0},
    ).events()
    lacking = []
    for branch in config.branches():
        try:
            column(events, branch, config.friends)
        except ValueError as error:
            lacking.append(str(error))
    return lacking


def fingerprint(config: Config) -> str:
    """Return what decides the results of a chunk, job and version, as a short hash."""
    text = json.dumps([config.job(), version("hep_peaksum")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def thresholds(config: Config) -> dict[str, dict[str, str]]:
    """Return every threshold as it acts on the cells: in counts of its grid and in GeV."""
    said: dict[str, dict[str, str]] = {}
    for name, wanted in config.clusters.items():
        settings, source = wanted.settings, config.grids[wanted.grid[0]]
        every = {
            "seed": (settings.seed_threshold, settings.seed_comparison),
            "cell": (settings.cell_threshold, settings.cell_comparison),
            "sum": (settings.sum_threshold, settings.sum_comparison),
        }
        said[name] = {
            word: _both_units(threshold, comparison, source)
            for word, (threshold, comparison) in every.items()
            if threshold is not None
        }
        if settings.quantity == "significance":
            bare = str(settings.seed_threshold).split()[0]
            said[name]["seed"] = f"{settings.seed_comparison} {bare} sigma"
    return said


def _both_units(threshold: Any, comparison: str, source: GridInput) -> str:
    n_sigmas, unit = in_sigmas(threshold), source.grid.unit
    if n_sigmas is None:
        count = inclusive_bound(threshold, ">=", unit, integer=False)
        return f"{comparison} {count:g} counts = {count * unit:g} GeV"
    noise = np.unique(np.asarray(source.noise_map()))
    low, high = n_sigmas * noise[[0, -1]]
    if low == high:
        return f"{comparison} {n_sigmas:g} sigma = {low:g} counts = {low * unit:g} GeV"
    span = f"{low:g} to {high:g} counts = {low * unit:g} to {high * unit:g} GeV"
    return f"{comparison} {n_sigmas:g} sigma, cell by cell {span}"


class Numbers(dict[str, Any]):
    """Per dataset its number, and the numbers of its files: ``{"toy": {"number": 1, "files": {path: 1}}}``."""

    def chunk(self, item: WorkItem) -> Chunk:
        """Return the chunk that an item of coffea is."""
        number = self[item.dataset]["files"][item.filename]
        return Chunk(item.dataset, number, item.entrystart, item.entrystop)


def open_directory(directory: Path, config: Config, files: Files) -> Numbers:
    """Return the numbers of datasets and files, fixed in the manifest once and only ever appended.

    Raises
    ------
    ConfigError
        If the directory cannot be written, or holds the results of another job or of files that changed.
    """
    path = directory / MANIFEST
    try:
        directory.mkdir(parents=True, exist_ok=True)
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        _check_owner(directory, known, config)
        datasets = known.get("datasets", {})
        for name, paths in files.items():
            dataset = datasets.setdefault(name, {"number": len(datasets) + 1, "files": {}})
            _number_files(dataset["files"], paths)
        write_json(
            path, {"fingerprint": fingerprint(config), "job": config.job(), "datasets": datasets}, indent=2
        )
    except OSError as error:
        raise ConfigError(
            [f"output.directory: {directory} cannot be written ({error.strerror or error})"]
        ) from None
    except ValueError as error:
        remedy = "choose another directory, or remove this one"
        raise ConfigError([f"output.directory: {directory} {error}: {remedy}"]) from None
    return Numbers(
        {
            name: {
                "number": found["number"],
                "files": {path: f["number"] for path, f in found["files"].items()},
            }
            for name, found in datasets.items()
        }
    )


def _check_owner(directory: Path, known: Mapping[str, Any], config: Config) -> None:
    """Raise a ValueError if the directory holds the results of another job."""
    if not known and any(directory.glob(f"*/{PARTS}")):
        msg = "holds parts without a manifest"
        raise ValueError(msg)
    if known and known.get("fingerprint") != fingerprint(config):
        key = ".".join(file_key(_changed(known.get("job"), config.job())))
        changed = key or "the version of hep_peaksum"
        msg = f"holds the results of another config ({changed} differs)"
        raise ValueError(msg)


def _changed(known: Any, mine: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the path of the first key in which two jobs differ, () if there is none."""
    if isinstance(known, dict) and isinstance(mine, dict):
        differing = (_changed(known.get(key), mine.get(key), (*path, key)) for key in sorted({*known, *mine}))
        return next((found for found in differing if found), ())
    return () if known == mine else path


def _number_files(known: dict[str, Any], paths: Mapping[str, str]) -> None:
    """Give new files the next numbers; a known file that has changed is an error."""
    for path in paths:
        state = os.stat(path) if Path(path).exists() else None  # noqa: PTH116 -- remote files have none
        now = {"size": state and state.st_size, "mtime": state and state.st_mtime_ns}
        entry = known.setdefault(path, {"number": len(known) + 1, **now})
        if any(entry[key] != value for key, value in now.items()):
            msg = f"holds results of {path} as it was before it changed"
            raise ValueError(msg)


class Status(NamedTuple):
    """What a results directory holds: the summary, or per dataset the finished chunks and events so far."""

    summary: Mapping[str, Any] | None
    unfinished: Mapping[str, tuple[int, int, int]]


def read_status(directory: Path) -> Status:
    """Return what a results directory holds.

    Raises
    ------
    ValueError
        If it is not a results directory.
    """
    if (directory / SUMMARY).is_file():
        return Status(json.loads((directory / SUMMARY).read_text(encoding="utf-8")), {})
    if not (directory / MANIFEST).is_file():
        msg = f"{directory}: no results directory (it has no {MANIFEST})"
        raise ValueError(msg)
    datasets = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))["datasets"]
    unfinished = {}
    for name, found in datasets.items():
        ranges = [path.stem.split("-")[2:] for path in (directory / name / RECORDS).glob("part-*.json")]
        unfinished[name] = (
            len(found["files"]),
            len(ranges),
            sum(int(stop) - int(start) for start, stop in ranges),
        )
    return Status(None, unfinished)
