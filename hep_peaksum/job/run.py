"""A whole job: let coffea run the chunks, merge what they left on disk, account for every entry."""

from __future__ import annotations

import contextlib
import io
import platform
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import hist

from hep_peaksum.config.formats import FORMATS, HISTOGRAMS, PLOTS, SUMMARY
from hep_peaksum.config.model import Config
from hep_peaksum.config.paths import Files
from hep_peaksum.job.coffea_runner import CheckedProcessor, runner
from hep_peaksum.job.executors import Workers
from hep_peaksum.job.planning import Plan, plan_job
from hep_peaksum.job.summary import NO_IDENTITY, VERSIONED, Merged, account, thresholds
from hep_peaksum.plotting import canvas, histograms
from hep_peaksum.reading.files import find_files
from hep_peaksum.results import root_files
from hep_peaksum.results.checkpoints import Chunk, discard_others, is_finished, read_record, write_json
from hep_peaksum.results.manifest import LOSSES, Loss, Numbers, fingerprint, locked_directory, open_directory


@dataclass(frozen=True)
class RunResult:
    """What a job has left: the folder, the summary as in summary.json, and the merged histograms by dataset."""

    directory: Path
    summary: Mapping[str, Any]
    histograms: Mapping[str, Mapping[str, hist.Hist[Any]]]

    @property
    def losses(self) -> Sequence[Mapping[str, Any]]:
        """Entries that were not processed, each with its reason."""
        return list(self.summary["losses"])


def run(config: Config, *, max_events: int | None = None, restart: bool = False) -> RunResult:
    """Run the whole job of a config and return what it left.

    Chunks that an earlier run of the same job finished in the same directory are not done again.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load.load_config`.
    max_events
        Process no more entries than this of every dataset.
    restart
        Remove the results that an earlier run, of whatever config, left in the directory, and start over.

    Raises
    ------
    hep_peaksum.config.model.ConfigError
        If the directory cannot be written, holds the results of another config, or a file is not there.
    hep_peaksum.results.lock.InUseError
        If another run is at work in the directory.
    hep_peaksum.job.executors.ExecutorError
        If the workers do not start, or one died.
    hep_peaksum.job.coffea_runner.ChunkError
        If a file cannot be read or an event does not hold what was promised, and ``on_bad_file`` is ``stop``.
    """
    files = find_files(config)
    with locked_directory(config) as directory:
        return _run(config, directory, files, max_events=max_events, restart=restart)


def _run(config: Config, directory: Path, files: Files, *, max_events: int | None, restart: bool) -> RunResult:
    """Run the job; nobody else writes to the directory."""
    began = time.perf_counter()
    manifest = open_directory(directory, config, files, restart=restart)
    with Workers(config.run) as workers:
        known = manifest.file_metadata(files)
        plan = plan_job(config, files, max_events=max_events, cache=known, workers=workers)
        manifest.add_metadata(known)
        numbers = manifest.numbers
        chunks = {numbers.chunk(item): item for item in plan.items}
        (directory / SUMMARY).unlink(missing_ok=True)  # it stands for complete results
        discard_others(directory, chunks)
        mine = fingerprint(config)
        pending = [item for chunk, item in chunks.items() if not is_finished(directory, chunk, mine)]
        losses = [*plan.lost, *_process(config, pending, numbers, workers)]
    processed = time.perf_counter()
    merged = _merge(directory, files, chunks, mine)
    _check_account(plan, merged, losses)
    _write_results(config, directory, merged)
    summary = {
        "config": config.model_dump(mode="json", by_alias=True, exclude_none=True),
        "thresholds": thresholds(config),
        "identity": "as in the files" if config.events.identify else NO_IDENTITY,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        "datasets": {name: account(name, files[name], found, plan, losses) for name, found in merged.items()},
        "losses": [asdict(loss) for loss in losses],
        "n_chunks": {"total": len(chunks), "reused": len(chunks) - len(pending)},
        "seconds": {"processing": processed - began, "total": time.perf_counter() - began},
    }
    write_json(directory / SUMMARY, summary, indent=2)
    return RunResult(directory, summary, {name: found.histograms for name, found in merged.items()})


def _process(config: Config, items: Sequence[Any], numbers: Numbers, workers: Workers) -> list[Loss]:
    """Let coffea run the chunks; they leave their results on disk. Return what was lost."""
    if not items:
        return []
    # workers may stand elsewhere
    directory = str(Path(config.output.directory).absolute())
    peaksum = CheckedProcessor(
        **config.job(), directory=directory, numbers=numbers, fingerprint=fingerprint(config)
    )
    # coffea's FuturesExecutor prints the traceback of an error that it raises all the same
    with contextlib.redirect_stderr(io.StringIO()):
        found = runner(config, workers.executor).run(list(items), peaksum)
    return list(found["out"].get(LOSSES, []))


def _merge(directory: Path, files: Files, chunks: Iterable[Chunk], mine: str) -> dict[str, Merged]:
    """Add up the records on disk, per dataset, in event order."""
    merged = {name: Merged() for name in files}
    for chunk in chunks:
        if not is_finished(directory, chunk, mine):
            continue
        record, found = read_record(directory, chunk), merged[chunk.dataset]
        # without its histograms: those of all chunks together may be more than memory holds
        found.records[chunk] = replace(record, histograms={})
        for name, histogram in record.histograms.items():
            known = found.histograms.get(name)
            found.histograms[name] = histogram if known is None else known + histogram
    return merged


def _check_account(plan: Plan, merged: Mapping[str, Merged], losses: Sequence[Loss]) -> None:
    """Raise a RuntimeError unless every planned entry of every file was processed, or is lost and told."""
    balance: Counter[tuple[str, str]] = Counter()
    for item in plan.items:
        balance[item.dataset, item.filename] += len(item)
    for dataset, found in merged.items():
        for record in found.records.values():
            balance[dataset, record.file] -= record.n_events
    for loss in losses:
        balance[loss.dataset, loss.file] -= loss.n_entries or 0
    for (dataset, path), missing in balance.items():
        if missing:
            msg = (
                f"{dataset}: of {path}, {missing} of the planned entries are neither processed nor lost: "
                "run the same command again"
            )
            raise RuntimeError(msg)


def _write_results(config: Config, directory: Path, merged: Mapping[str, Merged]) -> None:
    """Write the forms of the clusters that are asked for, the histograms and their pictures."""
    for name, found in merged.items():
        parts = [chunk.part(directory) for chunk in found.records]
        for word, (file, writer) in FORMATS.items():
            if writer is None:
                continue
            if word in config.output.clusters and parts:
                resolve_name(writer)(parts, directory / name / file)
            else:
                (directory / name / file).unlink(missing_ok=True)
    filled = {f"{name}/{key}": h for name, found in merged.items() for key, h in found.histograms.items()}
    root_files.write_histograms(filled, directory / HISTOGRAMS)
    if not config.output.plots:
        return
    for key, histogram in filled.items():
        dataset, _, name = key.partition("/")
        canvas.save(
            histograms.draw_histogram(histogram, title=dataset), directory / PLOTS / f"{dataset}-{name}.png"
        )
