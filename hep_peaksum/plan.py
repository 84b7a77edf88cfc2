"""Before a job runs: which files and chunks there are, and what the job looks for in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from coffea import processor
from coffea.nanoevents import NanoEventsFactory
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.chunks import RECORDS
from hep_peaksum.config import Config
from hep_peaksum.events import column, expand_files, open_tree, schema_class
from hep_peaksum.executors import Workers
from hep_peaksum.inputs import GridInput
from hep_peaksum.remote import check_protocol
from hep_peaksum.runner import LOSSES, Loss, Runner, open_input, runner
from hep_peaksum.thresholds import in_sigmas, inclusive_bound
from hep_peaksum.yaml_file import ConfigError

MANIFEST, SUMMARY = "manifest.json", "summary.json"
# Starting workers costs more than opening so many files.
FEW_FILES = 50

Files = Mapping[str, Mapping[str, str]]


class Plan(NamedTuple):
    """What coffea is to run, in event order, and the files that cannot be read."""

    items: Sequence[WorkItem]
    lost: Sequence[Loss]


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
            for path in found[name]:
                check_protocol(path)
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.files: {error}")
    if problems:
        raise ConfigError(problems)
    return found


def plan_job(
    config: Config,
    files: Files | None = None,
    *,
    max_events: int | None = None,
    cache: MutableMapping[FileMeta, Any] | None = None,
    workers: Workers | None = None,
) -> Plan:
    """Return the chunks of a job.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load_config`.
    files
        As from `find_files`, which is asked by default.
    max_events
        Plan no more entries than this of every dataset.
    cache
        What is known of files, which are then not opened; what is found is put into it.
    workers
        Those that open many files; by default some are started for it.

    Raises
    ------
    hep_peaksum.runner.ChunkError
        If a file cannot be read, unless ``on_bad_file`` is ``skip``.
    """
    if workers is None:
        with Workers(config.run) as started:
            return plan_job(config, files, max_events=max_events, cache=cache, workers=started)
    files = find_files(config) if files is None else files
    cache = {} if cache is None else cache
    n_unknown = sum(len(paths) for paths in files.values()) - len(cache)
    opening = workers.executor if n_unknown > FEW_FILES else processor.IterativeExecutor()
    planner: Runner = runner(config, opening, cache=cache)
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
            with open_input(path, config.run.timeout) as file:
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
