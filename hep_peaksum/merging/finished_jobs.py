"""Finished jobs on disk, and whether they can be one: what must agree, and what must not be there twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from hep_peaksum.config.sections import Dataset
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inputs.branch_names import split_branch
from hep_peaksum.inputs.paths import without_cycle
from hep_peaksum.reading.columns import has_identity
from hep_peaksum.reading.files import content_digest
from hep_peaksum.results.chunk_files import part_paths
from hep_peaksum.results.folder import what_differs
from hep_peaksum.results.manifest import Content, DatasetEntry, FileEntry
from hep_peaksum.results.parquet import part_schema
from hep_peaksum.results.status import read_finished

# What belongs to a dataset whatever its files are: what it is normalised by, its metadata.
OF_A_DATASET = [key for key in Dataset.model_fields if key != "files"]


@dataclass(frozen=True)
class FinishedJob:
    """The folder of a finished job, its manifest, and its summary."""

    directory: Path
    content: Content
    summary: Mapping[str, Any]

    @property
    def accounts(self) -> Mapping[str, Any]:
        """What the summary says of every dataset."""
        return self.summary["datasets"]  # type: ignore[no-any-return]

    @property
    def is_identified(self) -> bool:
        """Whether the config says what identifies an event."""
        return bool(self.summary["config"]["events"].get("identify"))

    def dataset(self, name: str) -> DatasetEntry:
        """Return what the manifest says of a dataset."""
        return self.content.datasets[name]

    def is_numbered(self, name: str) -> bool:
        """Return whether the events of a dataset are identified by the numbers of dataset and file."""
        return not self.is_identified and not has_identity(self.dataset(name).types)

    def inputs(self, name: str) -> Iterator[Input]:
        """Yield the inputs of a dataset in their order; files that were taken out of the config are none."""
        paths = self.accounts[name]["files"]
        for _, known in sorted(self.dataset(name).by_number.items()):
            if known[0] in paths:
                yield Input(self, *known)


class Input(NamedTuple):
    """A tree of a file that a job has read, or lost."""

    job: FinishedJob
    path: str
    tree: str
    entry: FileEntry


def read_job(directory: Path) -> FinishedJob:
    """Return the job of a results folder.

    Raises
    ------
    ValueError
        If it is not a results folder, is damaged, or its job is not finished.
    """
    return FinishedJob(directory, *read_finished(directory))


def check_jobs(jobs: Sequence[FinishedJob]) -> None:
    """Raise a ConfigError, with a line for every problem, if jobs cannot be one."""
    first = jobs[0]
    problems = [problem for job in jobs[1:] for problem in _other_job(first, job)] or _other_version(first)
    if not problems:
        for name in dict.fromkeys(name for job in jobs for name in job.accounts):
            of_dataset = [job for job in jobs if name in job.accounts]
            problems += [problem for job in of_dataset[1:] for problem in _unlike(name, of_dataset[0], job)]
            problems += [*_twice(name, of_dataset)]
    if problems:
        raise ConfigError(problems)


def _other_job(first: FinishedJob, job: FinishedJob) -> list[str]:
    """Return the problem that a job has another config, or is of another version, than the first."""
    both = f"{first.directory} and {job.directory}"
    if job.content.fingerprint != first.content.fingerprint:
        places = (f"in {first.directory}", f"in {job.directory}")
        what = what_differs(first.content.job, job.content.job, places)
        return [f"{both} are of different jobs ({what}): merge those of one config and version"]
    return [*_differing(both, ["luminosity"], first.summary["config"], job.summary["config"])]


def _other_version(job: FinishedJob) -> list[str]:
    made, here = job.summary["versions"].get("hep_peaksum"), version("hep_peaksum")
    if made == here:
        return []
    return [f"{job.directory} is of hep_peaksum {made}, this is {here}: merge with the version that made it"]


def _unlike(name: str, first: FinishedJob, job: FinishedJob) -> Iterator[str]:
    """Yield how a dataset differs between two jobs: normalisation, metadata, identity, columns."""
    both = f"datasets.{name}: {first.directory} and {job.directory}"
    one, other = (each.summary["config"]["datasets"][name] for each in (first, job))
    yield from _differing(both, OF_A_DATASET, one, other)
    parts = [next(iter(part_paths(each.directory, name)), None) for each in (first, job)]
    schemas = [part_schema(part) for part in parts if part]
    if len(schemas) < 2:
        return
    if first.is_numbered(name) != job.is_numbered(name):
        yield f"{both}: only one has run, luminosityBlock and event in its files: name them in events.identify"
    elif not schemas[0].equals(schemas[1]):
        # equal configs give equal columns: only the types may be those of other branches
        ours, theirs = next(pair for pair in zip(*schemas, strict=True) if not pair[0].equals(pair[1]))
        kinds = f"{ours.type} and {theirs.type}"
        yield f"{both} differ in column {ours.name} ({kinds}): run one job over the files of both"


def _differing(
    both: str, keys: Iterable[str], one: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the keys of a section that two jobs have with different values; None is a key that is not given."""
    for key in keys:
        if one.get(key) != other.get(key):
            yield f"{both} differ in {key} ({one.get(key)!r} and {other.get(key)!r}): run one of them again"


def _twice(name: str, jobs: Sequence[FinishedJob]) -> Iterator[str]:
    """Yield a problem for every input that two jobs have in a dataset: by its name, or by its content."""
    inputs = [each for job in jobs for each in job.inputs(name)]
    for one, other in _pairs(inputs, lambda each: (each.path, each.tree)):
        both = f"datasets.{name}: {one.job.directory} and {other.job.directory}"
        if one.entry.uuid and other.entry.uuid and one.entry.uuid != other.entry.uuid:
            yield f"{both} have read different files {one.path}: run them again, with absolute paths"
        else:
            yield f"{both} have both read {one.path}: leave one out, or its events would count twice"
    datasets = [job.summary["config"]["datasets"][name] for job in jobs]
    if tree := split_branch(datasets[0].get("sum_of_weights") or "")[0]:
        for one, other in _pairs(inputs, lambda each: _uuid(each.entry) or each.path):
            if one.tree != other.tree:
                both = f"datasets.{name}: {one.job.directory} and {other.job.directory}"
                remedy = "run one job over its trees, or they would count twice"
                yield f"{both} have both summed the weights in {tree} of {one.path}: {remedy}"
    if all(dataset.get("allow_duplicates") for dataset in datasets):
        return
    opened = [each for each in inputs if each.entry.uuid is not None]
    for one, other in _pairs(opened, _uuid_or_size):
        try:
            if (one.path, one.tree) == (other.path, other.tree) or not _same_content(one, other):
                continue
            what = "have the same content"
        except OSError as error:
            what = f"have no UUID and the same size, and cannot be compared ({error})"
        both = f"{one.path} of {one.job.directory} and {other.path} of {other.job.directory}"
        remedy = "leave one of the jobs out, or set allow_duplicates to true in both"
        yield f"datasets.{name}: {both} {what}: {remedy}"


def _pairs(inputs: Sequence[Input], key: Callable[[Input], Hashable]) -> Iterator[tuple[Input, Input]]:
    """Yield inputs of different jobs for which a key is the same."""
    groups: dict[Hashable, list[Input]] = defaultdict(list)
    for each in inputs:
        for earlier in groups[key(each)]:
            if earlier.job is not each.job:
                yield earlier, each
        groups[key(each)].append(each)


def _uuid(entry: FileEntry) -> str:
    """Return the UUID of a file, nothing if it has none."""
    uuid = entry.uuid or ""
    return uuid if uuid.strip("0") else ""


def _uuid_or_size(each: Input) -> Hashable:
    """Return what two inputs of the same content have in common: tree and UUID; without one, their size."""
    entry = each.entry
    return (without_cycle(each.tree), _uuid(entry) or (entry.n_entries, entry.size))


def _same_content(one: Input, other: Input) -> bool:
    """Return whether two inputs of one UUID, or of one size without a UUID, are the same."""
    if _uuid(one.entry):
        return True
    return content_digest(one.path, one.entry.size or 0) == content_digest(other.path, other.entry.size or 0)
