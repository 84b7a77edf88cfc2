"""A whole job: plan the chunks, let coffea run them, merge what they left on disk, say what happened."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hist
from coffea import processor
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum import output, plots
from hep_peaksum.chunks import PARTS, Chunk, Record, discard_others, read_record, write_json
from hep_peaksum.config import Config, ConfigError
from hep_peaksum.events import expand_files, open_file, open_tree, schema_class
from hep_peaksum.processor import PeakSumProcessor
from hep_peaksum.settings import inclusive_bound

MANIFEST, SUMMARY, HISTOGRAMS, PLOTS = "manifest.json", "summary.json", "histograms.root", "plots"
VERSIONED = ("hep_peaksum", "awkward", "coffea", "numba", "numpy", "scipy", "uproot")


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


@dataclass(frozen=True)
class Plan:
    """The chunks of a job in event order, each with the item that coffea runs; and files that cannot be read."""

    items: dict[Chunk, WorkItem]
    lost: tuple[Loss, ...]

    @property
    def n_events(self) -> int:
        """Number of entries to process."""
        return sum(len(item) for item in self.items.values())


@dataclass(frozen=True)
class RunResult:
    """What a job has left: the folder, the summary as in summary.json, and the merged histograms by dataset."""

    directory: Path
    summary: Mapping[str, Any]
    histograms: Mapping[str, Mapping[str, hist.Hist]]

    @property
    def losses(self) -> Sequence[Mapping[str, Any]]:
        """Entries that were not processed, each with its reason."""
        return list(self.summary["losses"])


class _Runner(processor.Runner):  # type: ignore[misc]
    """coffea's Runner, with what real files need: whole numbers of entries, one-line errors, losses that are told.

    Geant4 writes trees whose number of entries is a float, on which coffea breaks. Errors are put into one line
    on the worker, where their cause is at hand; what may be lost comes back as a loss with its reason.
    """

    @staticmethod
    def metadata_fetcher_root(_timeout: Any, _align: Any, _options: Any, item: FileMeta) -> Any:
        with open_file(item.filename) as file:
            tree = open_tree(file, item.filename, item.treename)
            described = {"numentries": int(tree.num_entries), "uuid": file.file.fUUID}
        return _described(item, {**(item.metadata or {}), **described})

    @staticmethod
    def automatic_retries(_retries: int, skipbadfiles: Any, func: Any, item: Any, **_options: Any) -> Any:
        try:
            return func(item)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told with its file
            reason = _one_line(item.filename, error)
            if not skipbadfiles:
                raise ChunkError(reason) from None
            if isinstance(item, WorkItem):
                loss = Loss(item.dataset, item.filename, item.entrystart, len(item), reason)
                return {"out": {LOSSES: [loss]}, "processed": {item}}
            return _described(item, {LOSSES: Loss(item.dataset, item.filename, 0, None, reason)})


def _described(item: FileMeta, metadata: dict[str, Any]) -> Any:
    return processor.set_accumulator([FileMeta(item.dataset, item.filename, item.treename, metadata)])


LOSSES = "losses"


def _one_line(path: str, error: BaseException) -> str:
    """Return the cause that coffea wrapped, as one line that names the file."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, (ValueError, OSError)):
        text = f"{type(error).__name__}: {text}"
    return text if text.startswith(path) else f"{path}: {text}"


def run(config: Config, *, max_events: int | None = None) -> RunResult:
    """Run the whole job of a config and return what it left.

    Chunks that an earlier run of the same job finished in the same directory are not done again.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load_config`.
    max_events
        Process no more entries than this of every dataset.

    Raises
    ------
    hep_peaksum.config.ConfigError
        If the directory cannot be written, holds the results of another config, or a file is not there.
    ChunkError
        If a file cannot be read or an event does not hold what was promised, and ``on_bad_file`` is ``stop``.
    """
    began = time.perf_counter()
    files = find_files(config)
    directory = Path(config.output.directory)
    numbers = _open_directory(directory, config, files)
    plan = make_plan(config, files, numbers, max_events=max_events)
    discard_others(directory, plan.items)
    pending = [item for chunk, item in plan.items.items() if read_record(directory, chunk) is None]
    losses = [*plan.lost, *_process(config, pending, numbers)]
    planned = time.perf_counter()
    merged = _merge(directory, plan)
    _check_account(plan, merged, losses)
    _write_results(config, directory, plan, merged)
    summary = {
        "config": config.model_dump(mode="json", by_alias=True, exclude_none=True),
        "thresholds": thresholds(config),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        "datasets": _account(files, plan, merged, losses),
        "losses": [vars(loss) for loss in losses],
        "n_chunks": {"total": len(plan.items), "reused": len(plan.items) - len(pending)},
        "identity": "from the file"
        if config.events.identify
        else "run = dataset number, luminosityBlock = file "
        "number, event = entry (the files have no identity of their own)",
        "seconds": {"processing": planned - began, "total": time.perf_counter() - began},
    }
    write_json(directory / SUMMARY, summary, indent=2)
    return RunResult(directory, summary, {name: found.histograms for name, found in merged.items()})


def find_files(config: Config) -> dict[str, dict[str, str]]:
    """Return, per dataset, the path of every file and of its tree; all that is missing is one error."""
    found, problems = {}, []
    for name, dataset in config.datasets.items():
        try:
            found[name] = expand_files(dataset.files)
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.files: {error}")
    if problems:
        raise ConfigError(problems)
    return found


def fingerprint(config: Config) -> str:
    """Return what decides the results of a chunk, job and version, as a short hash."""
    text = json.dumps([config.job(), version("hep_peaksum")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def thresholds(config: Config) -> dict[str, dict[str, str]]:
    """Return every threshold as it acts on the cells: in counts of its grid and in GeV."""
    said: dict[str, dict[str, str]] = {}
    for name, wanted in config.clusters.items():
        settings, grid = wanted.settings, config.grids_of(name)[0]
        said[name] = {"seed": _both_units(settings.seed_threshold, settings.seed_comparison, grid.unit)}
        if settings.cell_threshold is not None:
            said[name]["cell"] = _both_units(settings.cell_threshold, ">=", grid.unit)
    return said


def _both_units(threshold: Any, comparison: str, unit: float) -> str:
    count = inclusive_bound(threshold, ">=", unit, integer=False)
    return f"{comparison} {count:g} counts = {count * unit:g} GeV"


def _open_directory(directory: Path, config: Config, files: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the numbers of datasets and files, fixed in the manifest once and only ever appended."""
    path = directory / MANIFEST
    try:
        directory.mkdir(parents=True, exist_ok=True)
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        if known is None and any(directory.glob(f"*/{PARTS}")):
            msg = "holds parts without a manifest"
            raise ValueError(msg)
        mine = fingerprint(config)
        if known is not None and known["fingerprint"] != mine:
            changed = _changed(known["job"], config.job()) or "the version of hep_peaksum"
            msg = f"holds the results of another config ({changed} changed)"
            raise ValueError(msg)
        numbers = known["datasets"] if known else {}
        for name, paths in files.items():
            _number_files(numbers.setdefault(name, {"number": len(numbers) + 1, "files": {}})["files"], paths)
        write_json(path, {"fingerprint": mine, "job": config.job(), "datasets": numbers}, indent=2)
    except OSError as error:
        raise ConfigError(
            [f"output.directory: {directory} cannot be written ({error.strerror or error})"]
        ) from None
    except ValueError as error:
        remedy = "choose another directory, or remove this one"
        raise ConfigError([f"output.directory: {directory} {error}: {remedy}"]) from None
    return dict(numbers)


def _changed(known: Any, mine: Any, path: str = "") -> str | None:
    """Return the first key in which two jobs differ."""
    if isinstance(known, dict) and isinstance(mine, dict):
        for key in sorted({*known, *mine}):
            if found := _changed(known.get(key), mine.get(key), f"{path}.{key}".lstrip(".")):
                return found
        return None
    return None if known == mine else path


def _number_files(known: dict[str, Any], paths: Mapping[str, str]) -> None:
    """Give new files the next numbers; a known file that has changed is an error."""
    for path in paths:
        state = os.stat(path) if Path(path).exists() else None  # noqa: PTH116 -- also for what is no local path
        now = {"size": state and state.st_size, "mtime": state and state.st_mtime_ns}
        entry = known.setdefault(path, {"number": len(known) + 1, **now})
        if any(entry[key] != value for key, value in now.items()):
            msg = f"holds results of {path} as it was before it changed"
            raise ValueError(msg)


def make_plan(
    config: Config,
    files: Mapping[str, Mapping[str, str]],
    numbers: Mapping[str, Any],
    *,
    max_events: int | None,
) -> Plan:
    """Return the chunks of a job: what is processed, in event order, and which files cannot be read."""
    cache: dict[FileMeta, Any] = {}
    with _runner(config, sum(len(paths) for paths in files.values()), cache) as runner:
        fileset = {name: {"files": dict(paths)} for name, paths in files.items()}
        work = list(runner.preprocess(fileset))
    lost = tuple(metadata[LOSSES] for metadata in cache.values() if LOSSES in metadata)
    left = dict.fromkeys(files, max_events)
    items = {}
    for item in work:
        budget = left[item.dataset]
        if budget is not None:
            if budget == 0 and len(item):
                continue
            item = replace(item, entrystop=min(item.entrystop, item.entrystart + budget))  # noqa: PLW2901
            left[item.dataset] = budget - len(item)
        number = numbers[item.dataset]["files"][item.filename]["number"]
        items[Chunk(item.dataset, number, item.entrystart, item.entrystop)] = item
    return Plan(items, lost)


@contextlib.contextmanager
def _runner(config: Config, n_files: int, cache: Any = None) -> Iterator[_Runner]:
    """Yield coffea's Runner for a config."""
    executor = _executor(config)
    yield _Runner(
        executor=executor,
        # starting workers costs more than opening a few files
        pre_executor=executor if n_files > FEW_FILES else processor.IterativeExecutor(),
        chunksize=config.run.chunksize,
        schema=schema_class(config.events.schema_name),
        skipbadfiles=config.run.on_bad_file == "skip",
        metadata_cache=cache,
    )


FEW_FILES = 50


def _executor(config: Config) -> Any:
    """Return coffea's executor; the pool of processes is loky's, which is kept for the next call."""
    workers = config.run.workers
    if config.run.executor == "iterative":
        return processor.IterativeExecutor()
    if config.run.executor == "threads":
        return processor.FuturesExecutor(pool=ThreadPoolExecutor, workers=workers, compression=None)
    import loky  # noqa: PLC0415 -- only those who ask for processes pay for it

    return processor.FuturesExecutor(pool=loky.get_reusable_executor(max_workers=workers), workers=workers)


def _process(config: Config, items: Sequence[WorkItem], numbers: Mapping[str, Any]) -> list[Loss]:
    """Let coffea run the chunks; they leave their results on disk. Return what was lost."""
    if not items:
        return []
    plain = {
        name: {"number": entry["number"], "files": {path: f["number"] for path, f in entry["files"].items()}}
        for name, entry in numbers.items()
    }
    peaksum = PeakSumProcessor(
        **config.job(), directory=config.output.directory, numbers=plain, fingerprint=fingerprint(config)
    )
    # coffea's FuturesExecutor prints the traceback of an error that it raises all the same
    with _runner(config, 0) as runner, contextlib.redirect_stderr(io.StringIO()):
        found = runner.run(list(items), peaksum)
    return list(found["out"].get(LOSSES, []))


@dataclass(frozen=True)
class _Merged:
    """The records of a dataset, added up."""

    records: dict[Chunk, Record]
    histograms: dict[str, hist.Hist]


def _merge(directory: Path, plan: Plan) -> dict[str, _Merged]:
    """Add up the records on disk, per dataset, in the order of the plan."""
    merged: dict[str, _Merged] = {}
    for chunk in plan.items:
        found = merged.setdefault(chunk.dataset, _Merged({}, {}))
        record = read_record(directory, chunk)
        if record is None:
            continue
        found.records[chunk] = record
        for name, histogram in record.histograms.items():
            known = found.histograms.get(name)
            found.histograms[name] = histogram if known is None else known + histogram
    return merged


def _check_account(plan: Plan, merged: Mapping[str, _Merged], losses: Sequence[Loss]) -> None:
    """Raise a RuntimeError unless every planned entry was processed, or is lost and told."""
    done = sum(record.n_events for found in merged.values() for record in found.records.values())
    lost = sum(loss.n_entries or 0 for loss in losses)
    if done + lost != plan.n_events:
        msg = f"{plan.n_events} entries were planned, {done} processed and {lost} lost: this does not add up"
        raise RuntimeError(msg)


def _write_results(config: Config, directory: Path, plan: Plan, merged: Mapping[str, _Merged]) -> None:
    """Write the forms of the clusters that are asked for, the histograms and their pictures."""
    for name, found in merged.items():
        parts = [chunk.part(directory) for chunk in found.records]
        for form, file, write in (
            ("ttree", "clusters.root", output.merge_ttree),
            ("rntuple", "clusters.rntuple.root", output.merge_rntuple),
        ):
            path = directory / name / file
            if form in config.output.clusters and parts:
                write(parts, path)
            else:
                path.unlink(missing_ok=True)
    filled = {f"{name}/{key}": h for name, found in merged.items() for key, h in found.histograms.items()}
    output.write_histograms(filled, directory / HISTOGRAMS)
    if config.output.plots:
        (directory / PLOTS).mkdir(exist_ok=True)
        for key, histogram in filled.items():
            figure = plots.draw_histogram(histogram, title=key.partition("/")[0])
            plots.save(figure, directory / PLOTS / f"{key.replace('/', '-')}.png")


def _account(
    files: Mapping[str, Mapping[str, str]], plan: Plan, merged: Mapping[str, _Merged], losses: Sequence[Loss]
) -> dict[str, Any]:
    """Return, per dataset and file, how many entries went in, came out and were lost, and what was found."""
    account: dict[str, Any] = {}
    for name, paths in files.items():
        found = merged.get(name, _Merged({}, {}))
        expected = dict.fromkeys(paths, 0)
        for chunk, item in plan.items.items():
            if chunk.dataset == name:
                expected[item.filename] += len(item)
        records = found.records.values()
        account[name] = {
            "n_events": sum(record.n_events for record in records),
            "n_clusters": _added(record.n_clusters for record in records),
            "n_outside": _added(record.n_outside for record in records),
            "files": {
                path: {
                    "expected": expected[path],
                    "processed": sum(record.n_events for record in records if record.file == path),
                    "lost": [loss.reason for loss in losses if (loss.dataset, loss.file) == (name, path)],
                }
                for path in paths
            },
        }
    return account


def _added(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for key, n in count.items():
            total[key] = total.get(key, 0) + n
    return total
