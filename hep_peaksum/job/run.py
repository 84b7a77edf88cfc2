"""A whole job: coffea processes the chunks, their files are merged, and every entry is accounted for."""

from __future__ import annotations

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
from hep_peaksum.job.coffea_patches import no_printed_tracebacks
from hep_peaksum.job.coffea_runner import CheckedProcessor, make_runner
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
    """The results of a job: the folder, the content of summary.json, and the merged histograms per dataset."""

    directory: Path
    summary: Mapping[str, Any]
    histograms: Mapping[str, Mapping[str, hist.Hist[Any]]]

    @property
    def losses(self) -> Sequence[Mapping[str, Any]]:
        """Entries that were not processed, each with its reason."""
        return list(self.summary["losses"])


def run(config: Config, *, max_events: int | None = None, restart: bool = False) -> RunResult:
    """Run the whole job of a config and return its results.

    Chunks that an earlier run of the same job finished in the same folder are not processed again.

    Parameters
    ----------
    config
        As from `hep_peaksum.config.load.load_config`.
    max_events
        Process at most this many entries per dataset.
    restart
        Remove the results of earlier runs, of whatever config, from the folder, and start over.

    Raises
    ------
    hep_peaksum.config.yaml_io.ConfigError
        If the folder cannot be written or holds the results of another config, or an input file does not exist.
    hep_peaksum.results.lock.InUseError
        If another run is at work in the folder.
    hep_peaksum.job.executors.ExecutorError
        If the workers cannot be started, or one died.
    hep_peaksum.job.coffea_runner.ChunkError
        If a file cannot be read or an event does not fit its grid, and ``on_bad_file`` is ``stop``.
    """
    files = find_files(config)
    with locked_directory(config) as directory:
        return _run(config, directory, files, max_events=max_events, restart=restart)


def _run(config: Config, directory: Path, files: Files, *, max_events: int | None, restart: bool) -> RunResult:
    """Run the job in a folder to which no other run writes."""
    started = time.perf_counter()
    manifest = open_directory(directory, config, files, restart=restart)
    with Workers(config.run) as workers:
        metadata = manifest.file_metadata(files)
        plan = plan_job(config, files, max_events=max_events, cache=metadata, workers=workers)
        manifest.add_metadata(metadata)
        numbers = manifest.numbers
        chunks = {numbers.chunk(item): item for item in plan.items}
        (directory / SUMMARY).unlink(missing_ok=True)  # it exists only for complete results
        discard_others(directory, chunks)
        job = fingerprint(config)
        pending = [item for chunk, item in chunks.items() if not is_finished(directory, chunk, job)]
        losses = [*plan.lost, *_process(config, pending, numbers, workers)]
    processed = time.perf_counter()
    merged = _merge(directory, files, chunks, job)
    _check_account(plan, merged, losses)
    _write_results(config, directory, merged)
    summary = {
        "config": config.model_dump(mode="json", by_alias=True, exclude_none=True),
        "thresholds": thresholds(config),
        "identity": "as in the files" if config.events.identify else NO_IDENTITY,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        "datasets": {name: account(name, files[name], each, plan, losses) for name, each in merged.items()},
        "losses": [asdict(loss) for loss in losses],
        "n_chunks": {"total": len(chunks), "reused": len(chunks) - len(pending)},
        "seconds": {"processing": processed - started, "total": time.perf_counter() - started},
    }
    write_json(directory / SUMMARY, summary, indent=2)
    return RunResult(directory, summary, {name: each.histograms for name, each in merged.items()})


def _process(config: Config, items: Sequence[Any], numbers: Numbers, workers: Workers) -> list[Loss]:
    """Process chunks, which commit their results to disk, and return the losses."""
    if not items:
        return []
    # workers may have another working directory
    directory = str(Path(config.output.directory).absolute())
    peaksum = CheckedProcessor(
        **config.job(), directory=directory, numbers=numbers, fingerprint=fingerprint(config)
    )
    with no_printed_tracebacks():
        output = make_runner(config, workers.executor).run(list(items), peaksum)
    return list(output["out"].get(LOSSES, []))


def _merge(directory: Path, files: Files, chunks: Iterable[Chunk], job: str) -> dict[str, Merged]:
    """Add up the records of a job, given by its fingerprint, per dataset and in event order."""
    merged = {name: Merged() for name in files}
    for chunk in chunks:
        if not is_finished(directory, chunk, job):
            continue
        record, dataset = read_record(directory, chunk), merged[chunk.dataset]
        # without its histograms: those of all chunks may not fit into memory
        dataset.records[chunk] = replace(record, histograms={})
        for name, histogram in record.histograms.items():
            total = dataset.histograms.get(name)
            dataset.histograms[name] = histogram if total is None else total + histogram
    return merged


def _check_account(plan: Plan, merged: Mapping[str, Merged], losses: Sequence[Loss]) -> None:
    """Raise a RuntimeError unless every planned entry of every file was processed or is a reported loss."""
    balance: Counter[tuple[str, str]] = Counter()
    for item in plan.items:
        balance[item.dataset, item.filename] += len(item)
    for dataset, each in merged.items():
        for record in each.records.values():
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
    """Write the clusters in the formats of the config, the histograms and their plots."""
    for name, dataset in merged.items():
        parts = [chunk.part(directory) for chunk in dataset.records]
        for word, (file, writer) in FORMATS.items():
            if writer is None:
                continue
            if word in config.output.clusters and parts:
                resolve_name(writer)(parts, directory / name / file)
            else:
                (directory / name / file).unlink(missing_ok=True)
    every = {f"{name}/{key}": h for name, dataset in merged.items() for key, h in dataset.histograms.items()}
    root_files.write_histograms(every, directory / HISTOGRAMS)
    if not config.output.plots:
        return
    for key, histogram in every.items():
        title, _, name = key.partition("/")
        figure = histograms.draw_histogram(histogram, title=title)
        canvas.save(figure, directory / PLOTS / f"{title}-{name}.png")
