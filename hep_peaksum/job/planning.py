"""Before a job runs: its files, and the chunks that are finished or still to be processed."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from coffea import processor
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.config.model import Config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.inputs.paths import Files, InputFile, public_path, without_cycle
from hep_peaksum.job.coffea_runner import Runner, make_runner
from hep_peaksum.job.executors import Workers
from hep_peaksum.reading.columns import has_identity
from hep_peaksum.reading.files import content_digest
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.manifest import LOSSES, InputMeta, Loss, Manifest

# Starting workers costs more than opening so many files.
FEW_FILES = 50


class Plan(NamedTuple):
    """The chunks of a job in event order, each with its work item of coffea, and unreadable files.

    `finished` are the chunks in the results folder, whether or not the job uses them.
    """

    items: dict[Chunk, WorkItem]
    lost: Sequence[Loss]
    finished: Sequence[Chunk]

    def counts(self) -> dict[str, tuple[int, int, int, int]]:
        """Return the numbers of files, entries, chunks and finished chunks of every dataset."""
        counts, finished = {}, {*self.finished}
        for name in dict.fromkeys(chunk.dataset for chunk in self.items):
            items = {chunk: item for chunk, item in self.items.items() if chunk.dataset == name}
            n_files = len({each.filename for each in items.values()})
            counts[name] = (n_files, sum(map(len, items.values())), len(items), len(finished & items.keys()))
        return counts


def read_metadata(
    config: Config, files: Files, cache: MutableMapping[FileMeta, Any], workers: Workers
) -> MutableMapping[FileMeta, Any]:
    """Open the files that are not in the cache, add their metadata (or the loss of them) to it, and return it.

    Raises
    ------
    hep_peaksum.job.retries.ChunkError
        If a file cannot be read, unless ``on_bad_file`` is ``skip``.
    """
    n_unknown = sum(len(inputs) for inputs in files.values()) - len(cache)
    opening = workers.executor if n_unknown > FEW_FILES else processor.IterativeExecutor()
    planner: Runner = make_runner(config, opening, cache=cache)
    planner.preprocess(files)
    return cache


def check_duplicates(config: Config, files: Files, metadata: Mapping[FileMeta, Any]) -> None:
    """Raise a ConfigError if a dataset holds the same content twice, unless it says ``allow_duplicates``.

    Files are the same if UUID, size and number of entries are; those without a UUID if their content is.
    """
    problems = []
    first_of: dict[tuple[Any, ...], InputFile] = {}
    for name, path, tree, known in _each_input(files, metadata):
        if LOSSES in known or config.datasets[name].allow_duplicates:
            continue
        key: tuple[Any, ...] = (name, without_cycle(tree), known["uuid"], known["numentries"], known["n_bytes"])
        if not any(known["uuid"]):
            key = (*key, content_digest(path, known["n_bytes"], config.run.timeout))
        first = first_of.setdefault(key, InputFile(path, tree))
        if first != (path, tree):
            both = f"{public_path(first.path)} and {public_path(path)}"
            if first.path == path:
                both = f"the trees {first.tree} and {tree} of {public_path(path)}"
            remedy = "remove one of them, or set allow_duplicates to true"
            problems.append(f"datasets.{name}.files: {both} have the same content: {remedy}")
    if problems:
        raise ConfigError(problems)


def check_encodings(files: Files, metadata: Mapping[FileMeta, Any]) -> None:
    """Raise a ConfigError if files do not have the same encodings of ids, with a line for each that differs."""
    first_of: dict[str, tuple[str, str]] = {}
    problems = []
    for name, path, _, known in _each_input(files, metadata):
        for collection, text in known.get("encodings", {}).items():
            first, where = first_of.setdefault(collection, (text, public_path(path)))
            if text != first:
                both = f"{first!r} in {where}, and {text!r} in {public_path(path)}"
                remedy = "leave out one of the files, or make a job for each encoding"
                problems.append(f"datasets.{name}.files: the ids of {collection} are {both}: {remedy}")
    if problems:
        raise ConfigError(problems)


def _each_input(files: Files, metadata: Mapping[FileMeta, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """Yield dataset, path, tree and metadata of every input of a job."""
    for name, inputs in files.items():
        for path, tree in inputs:
            yield name, path, tree, metadata[InputMeta(name, path, tree)]


Types = Mapping[str, tuple[int, str]]


def decide_types(
    config: Config, files: Files, metadata: Mapping[FileMeta, Any], known: Mapping[str, Types]
) -> Mapping[str, Types]:
    """Return the types of the branches of every dataset: types as which all its files can be read.

    Integers and floating numbers in one grid are read as float64; branches that are kept are promoted as numpy
    does. `known` are the types of parts that are finished already.

    Raises
    ------
    ConfigError
        If there is no such type, or finished parts have another one; it names both files.
    """
    decided: dict[str, dict[str, tuple[int, str]]] = {name: dict(known.get(name, {})) for name in files}
    problems = []
    first_of: dict[tuple[str, str], str] = {}
    for name, path, _, content in _each_input(files, metadata):
        types, here = decided[name], public_path(path)
        for branch, found in content.get("types", {}).items():
            where = first_of.setdefault((name, branch), here)
            old = types.setdefault(branch, found)
            merged = _merge_types(old, found, is_kept=branch in config.events.kept)
            if merged is None:
                both = f"{_in_words(old)} in {where}, and {_in_words(found)} in {here}"
                problem = f"holds {both}: leave out one of the files, or the branch"
            elif branch in known.get(name, {}) and merged != old:
                both = f"{found[1]} in {here}, and the finished parts have it as {old[1]}"
                problem = f"holds {both}: choose another output.directory, or add --restart"
            else:
                types[branch] = merged
                continue
            problems.append(f"datasets.{name}.files: branch {branch!r} {problem}")
    if not config.events.identify:
        problems.extend(_mixed_identity(files, metadata))
    if problems:
        raise ConfigError(problems)
    return decided


def _mixed_identity(files: Files, metadata: Mapping[FileMeta, Any]) -> Iterator[str]:
    """Yield a problem for every dataset of which only some files identify their events."""
    identified: dict[tuple[str, bool], str] = {}
    for name, path, _, content in _each_input(files, metadata):
        if LOSSES not in content:
            has = has_identity(content.get("types", {}))
            identified.setdefault((name, has), public_path(path))
    for name in files:
        one, other = (identified.get((name, has)) for has in (True, False))
        if one and other:
            words = "{}, {} and {}".format(*IDENTITY)
            remedy = "name branches that both have, or numbers, in events.identify"
            yield f"datasets.{name}.files: {one} has {words}, {other} does not: {remedy}"


def _merge_types(one: tuple[int, str], other: tuple[int, str], *, is_kept: bool) -> tuple[int, str] | None:
    """Return the type as which both can be read, None if there is none.

    Of cells only whether they are floating numbers matters: sums are int64 or float64 in any case.
    """
    if not is_kept:
        return (one[0], "float64") if _is_float(other[1]) and not _is_float(one[1]) else one
    return (one[0], str(np.promote_types(one[1], other[1]))) if one[0] == other[0] else None


def _is_float(primitive: str) -> bool:
    return np.dtype(primitive).kind == "f"


def _in_words(kind: tuple[int, str]) -> str:
    depth, primitive = kind
    return f"{'lists of ' * depth}{primitive} numbers"


def _casts(config: Config, decided: Types, own: Types) -> dict[str, str]:
    """Return the types to which branches of a file are cast, where they differ from the dataset."""
    casts = {}
    for branch, (_, primitive) in own.items():
        target = decided[branch][1] if branch in decided else primitive  # of a dataset that cannot be read now
        if branch in config.events.kept and primitive != target:
            casts[branch] = target
        elif branch not in config.events.kept and _is_float(primitive) != _is_float(target):
            casts[branch] = "float64"
    return casts


def plan_job(
    config: Config,
    files: Files,
    metadata: Mapping[FileMeta, Any],
    manifest: Manifest,
    finished: Sequence[Chunk],
    max_events: int | None = None,
) -> Plan:
    """Return the chunks of a job: finished ones as they are, and chunks of `run.chunksize` between them.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load.load_config`.
    files, metadata
        As from `find_files` and `read_metadata`.
    manifest
        Where the numbers of datasets and files stand; it is given the types of their branches.
    finished
        The chunks that an earlier run has finished, whatever its chunk size was.
    max_events
        Plan at most this many entries of every dataset.

    Raises
    ------
    ConfigError
        If the files of a dataset cannot be read as the same types (see `decide_types`), or the ids of files are
        encoded differently.
    """
    known_types = {
        name: manifest.datasets[name].types for name in {chunk.dataset for chunk in finished} & {*files}
    }
    check_encodings(files, metadata)
    types = decide_types(config, files, metadata, known_types)
    manifest.set_types(types, metadata)
    ranges: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for chunk in finished:
        ranges[chunk.dataset, chunk.file_number].append((chunk.start, chunk.stop))
    items: dict[Chunk, WorkItem] = {}
    lost: list[Loss] = []
    left = dict.fromkeys(files, math.inf if max_events is None else max_events)
    for name, path, tree, known in _each_input(files, metadata):
        numbers, loss = manifest.numbers(name, path, tree), known.get(LOSSES)
        own = {*ranges[name, numbers[1]]}
        if loss is not None:  # what is finished of a file that cannot be read now counts nevertheless
            known = manifest.known_metadata(name, path, tree)  # noqa: PLW2901 -- of an earlier run
        if known is None:
            lost.append(loss)
            continue
        n_entries = known["numentries"]
        n_planned = int(min(n_entries, left[name]))
        left[name] -= n_planned
        usermeta = {"state": known["state"], "numbers": numbers}
        if casts := _casts(config, types[name], known.get("types", {})):
            usermeta["casts"] = casts
        n_lost = 0
        for start, stop in entry_ranges(n_planned, own, config.run.chunksize, is_empty=n_entries == 0):
            if loss is not None and (start, stop) not in own:
                n_lost += stop - start
                continue
            item = WorkItem(name, path, tree, start, stop, known["uuid"], usermeta)
            items[Chunk(name, numbers[1], start, stop)] = item
        if n_lost:
            lost.append(replace(loss, n_entries=n_lost))
    return Plan(items, lost, finished)


def entry_ranges(
    n_entries: int, finished: Iterable[tuple[int, int]], chunksize: int, *, is_empty: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield ranges of entries that cover a file: the finished ones, and chunks in the gaps between them.

    Cuts are where they are without anything finished, so that a job that was interrupted has the chunks, and
    with them the sums, of one that was not. What is finished beyond `n_entries`, or overlaps what comes before
    it, is left out. A file without entries has one chunk.

    >>> list(entry_ranges(10, [(4, 6)], 2))
    [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    """
    if is_empty:
        yield 0, 0
        return
    # chunks of equal size, as near to the one asked for as coffea makes them
    step, done = math.ceil(n_entries / max(round(n_entries / chunksize), 1)), 0
    for start, stop in sorted(finished):
        if done <= start < stop <= n_entries:
            yield from _split(done, start, step)
            yield start, stop
            done = stop
    yield from _split(done, n_entries, step)


def _split(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges between two entries, cut at the multiples of a number."""
    inner = range(start - start % step + step, stop, step) if start < stop else ()
    cuts = [start, *inner, stop]
    yield from ((first, last) for first, last in itertools.pairwise(cuts) if first < last)
