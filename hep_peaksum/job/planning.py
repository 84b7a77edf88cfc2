"""Before a job runs: its files and chunks, and whether the files have the branches that the config reads."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from coffea import processor
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.config.model import Config
from hep_peaksum.config.paths import Files, expand_files
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.coffea_runner import make_runner
from hep_peaksum.job.executors import Workers
from hep_peaksum.reading.columns import column
from hep_peaksum.reading.files import find_files, nano_events, one_line_errors, open_file, open_tree
from hep_peaksum.results.manifest import LOSSES, Loss

# Up to this number, opening the files takes less time than starting workers for it.
FEW_FILES = 50


class Plan(NamedTuple):
    """The work items for coffea, in event order, and the losses of files that cannot be read."""

    items: Sequence[WorkItem]
    lost: Sequence[Loss]


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
        As from `hep_peaksum.config.load.load_config`.
    files
        As from `find_files`, which is the default.
    max_events
        Plan at most this many entries per dataset.
    cache
        Metadata of files, which are then not opened; that of opened files is added.
    workers
        To open a large number of files; by default they are started here.

    Raises
    ------
    hep_peaksum.job.coffea_runner.ChunkError
        If a file cannot be read, unless ``on_bad_file`` is ``skip``.
    """
    if workers is None:
        with Workers(config.run) as started:
            return plan_job(config, files, max_events=max_events, cache=cache, workers=started)
    files = find_files(config) if files is None else files
    cache = {} if cache is None else cache
    n_unknown = sum(len(paths) for paths in files.values()) - len(cache)
    executor = workers.executor if n_unknown > FEW_FILES else processor.IterativeExecutor()
    n_left = dict.fromkeys(files, max_events)
    items = []
    runner = make_runner(config, executor, cache)
    for item in runner.preprocess({name: {"files": dict(paths)} for name, paths in files.items()}):
        n = n_left[item.dataset]
        if n is None:
            items.append(item)
        elif n > 0 or len(item) == 0:
            items.append(replace(item, entrystop=min(item.entrystop, item.entrystart + n)))
            n_left[item.dataset] = n - len(items[-1])
    return Plan(items, [metadata[LOSSES] for metadata in cache.values() if LOSSES in metadata])


def check_inputs(config: Config) -> list[str]:
    """Look up trees and branches in the first file of every dataset; return a line for each missing file.

    Raises
    ------
    ConfigError
        If a file does not have the trees and branches that the config reads, with a line for each.
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
            with open_file(path, config.run.timeout) as file, one_line_errors(path):
                open_tree(file, path, tree)
                problems.extend(f"{path}: {problem}" for problem in _missing_branches(config, file, path, tree))
        except (OSError, ValueError) as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
    return missing


def _missing_branches(config: Config, file: Any, path: str, tree: str) -> Iterator[str]:
    """Yield an error message for each branch that the config reads and the file does not have."""
    events = nano_events(file, path, tree, 0, 0, schema=config.events.schema_name)
    for branch in config.branches():
        try:
            column(events, branch, config.friends)
        except ValueError as error:
            yield str(error)
