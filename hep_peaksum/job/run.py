"""A whole job: coffea processes the chunks, their files are merged, and every entry is accounted for."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import hist
from coffea.processor.executor import WorkItem

from hep_peaksum import notebook_html
from hep_peaksum.config.formats import FORMATS, HISTOGRAMS, PLOTS, REPORT, SUMMARY
from hep_peaksum.config.model import Config
from hep_peaksum.config.problems import function_problems
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inputs.paths import Files, InputFile, public_path
from hep_peaksum.job.coffea_patches import heard_interrupts, no_printed_tracebacks
from hep_peaksum.job.coffea_runner import CheckedProcessor, make_runner
from hep_peaksum.job.executors import Workers
from hep_peaksum.job.planning import Plan, check_duplicates, plan_job, read_metadata
from hep_peaksum.job.summary import (
    DatasetTotal,
    account,
    check_account,
    check_cut_flow,
    file_accounts,
    measurements,
    summarize,
)
from hep_peaksum.plotting.job_plots import kinds_of, save_plots
from hep_peaksum.processing.normalisation import (
    Normalisation,
    check_weights,
    is_normalised,
    normalisation,
    normalised,
    sum_of_weights,
)
from hep_peaksum.reading.files import find_files
from hep_peaksum.report.page import write_report
from hep_peaksum.results import root_files
from hep_peaksum.results.checkpoints import Chunk, Record
from hep_peaksum.results.chunk_files import (
    all_recorded_chunks,
    bring_together,
    finished_records,
    read_record,
    remove_chunks,
    remove_leftovers,
)
from hep_peaksum.results.folder import (
    check_unused,
    locked_directory,
    look_into_directory,
    open_directory,
    take_changed,
)
from hep_peaksum.results.manifest import LOSSES, Loss, Manifest, fingerprint

log = logging.getLogger(__name__)

# Files that are merged at the same time at most: each takes some tens of MB.
MOST_MERGES = 4


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

    def _repr_html_(self) -> str:
        """Return what notebooks show: the counts of every dataset, and what was lost."""
        datasets = self.summary["datasets"]
        collections = list(dict.fromkeys(name for each in datasets.values() for name in each["n_clusters"]))
        rows = []
        for name, each in datasets.items():
            files = each["files"].values()
            n_lost = sum(file["expected"] - file["processed"] for file in files)
            counts = (each["n_clusters"].get(collection, 0) for collection in collections)
            rows.append((name, len(files), each["n_events"], n_lost, *counts))
        columns = ("dataset", "files", "events", "lost", *collections)
        chunks, seconds = self.summary["n_chunks"], self.summary["seconds"]["total"]
        losses = [f"lost: {loss['dataset']}, {loss['file']}: {loss['reason']}" for loss in self.losses]
        return notebook_html.page(
            f"Results in {self.directory}",
            notebook_html.column_table(columns, rows),
            notebook_html.key_table(
                {
                    "chunks": f"{chunks['total']}, of which {chunks['reused']} were finished before",
                    "time": f"{seconds:.1f} s",
                    "events are named by": self.summary["identity"],
                }
            ),
            notebook_html.lines([*losses, *self.summary["hints"]]),
        )


@dataclass(frozen=True)
class RunChoices:
    """What a run may do with what it finds in the folder, and how much it processes.

    `restart` removes all results of earlier runs. `redo_changed` removes the chunks of input files that have
    changed since; `discard_unused` the finished chunks that the job does not use. At most `max_events` entries
    of every dataset are processed.
    """

    max_events: int | None = None
    restart: bool = False
    redo_changed: bool = False
    discard_unused: bool = False


def run(
    config: Config,
    *,
    max_events: int | None = None,
    restart: bool = False,
    redo_changed: bool = False,
    discard_unused: bool = False,
    progress: bool = True,
) -> RunResult:
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
    redo_changed
        Process the chunks of input files again that have changed since; the others stay.
    discard_unused
        Remove finished chunks that this job does not use: of datasets or files that are no longer in the
        config, or beyond `max_events`. Without it they are an error.
    progress
        Show the progress of the job on stderr.

    Raises
    ------
    hep_peaksum.config.yaml_io.ConfigError
        If the folder cannot be written or holds the results of another config, or an input file or a
        function of the user does not exist.
    hep_peaksum.results.lock.InUseError
        If another run is at work in the folder.
    hep_peaksum.job.executors.ExecutorError
        If the workers cannot be started, or one died.
    hep_peaksum.job.retries.ChunkError
        If a file cannot be read or an event does not fit its grid, and ``on_bad_file`` is ``stop``.
    """
    if unknown := [*function_problems(config)]:
        raise ConfigError(unknown)
    files = find_files(config)
    with locked_directory(config) as directory:
        choices = RunChoices(max_events, restart, redo_changed, discard_unused)
        return _run(config, directory, files, choices, show_progress=progress)


def _run(
    config: Config, directory: Path, files: Files, choices: RunChoices, *, show_progress: bool
) -> RunResult:
    """Run the job in a folder to which no other run writes."""
    started = time.perf_counter()
    again = {"restart": choices.restart, "redo_changed": choices.redo_changed}
    manifest = open_directory(directory, config, files, **again)
    with Workers(config.run, show_progress=show_progress) as workers:
        plan = _plan(config, manifest, files, choices, workers)
        _check_weights(config, plan)
        for name in (SUMMARY, REPORT):  # they exist only for complete results
            (directory / name).unlink(missing_ok=True)
        remove_leftovers(directory)
        totals = {name: DatasetTotal.empty(config) for name in files}
        pending = _add_stored(totals, directory, plan.items, fingerprint(config))
        # what is damaged or of another job does not remain, even if its chunk should now be lost
        remove_chunks(directory, [chunk for chunk in plan.finished if chunk in pending])
        log.debug("%s chunks, %s of them to process by %s", len(plan.items), len(pending), config.run.executor)
        losses = [*plan.lost, *_process(config, list(pending.values()), workers)]
    processed = time.perf_counter()
    log.debug("processed in %.1f s, %s losses; merging", processed - started, len(losses))
    _add_processed(totals, directory, pending, fingerprint(config))
    _remove_strays(directory, plan)
    check_account(plan, totals, losses)
    check_cut_flow(config, totals)
    scales = _normalise(config, totals, files, plan, manifest, losses)
    tables = measurements(config, totals)
    write_results(config, directory, totals, tables)
    for name in totals:
        bring_together(directory, name)
    accounts = {name: file_accounts(name, files[name], each, plan, losses) for name, each in totals.items()}
    summary = summarize(
        config,
        totals,
        tables=tables,
        types={name: manifest.datasets[name].types for name in files},
        datasets={name: account(accounts[name], each, scales[name]) for name, each in totals.items()},
        losses=[asdict(loss) for loss in losses],
        n_chunks={"total": len(plan.items), "reused": len(plan.items) - len(pending)},
        seconds={"processing": processed - started, "total": time.perf_counter() - started},
    )
    write_summary(config, manifest, summary)
    return RunResult(directory, summary, {name: each.histograms for name, each in totals.items()})


def dry_run(config: Config, **choices: Any) -> Plan:
    """Return what `run` with the same choices would process, and write nothing.

    Files are opened only if the manifest of the folder does not know them. Errors are those of `run`, except
    for finished chunks that would not be used: these are among `Plan.finished`.
    """
    chosen, files = RunChoices(**choices), find_files(config)
    manifest, finished = look_into_directory(
        Path(config.output.directory),
        config,
        files,
        restart=chosen.restart,
        redo_changed=chosen.redo_changed,
    )
    with Workers(config.run) as workers:
        metadata = read_metadata(config, files, manifest.file_metadata(files), workers)
    check_duplicates(config, files, metadata)
    return plan_job(config, files, metadata, manifest, finished, chosen.max_events)


def _plan(config: Config, manifest: Manifest, files: Files, choices: RunChoices, workers: Workers) -> Plan:
    """Return the chunks of the job; finished ones that are not among them are refused or removed."""
    metadata = read_metadata(config, files, manifest.file_metadata(files), workers)
    check_duplicates(config, files, metadata)
    if changed := manifest.add_metadata(metadata):
        take_changed(manifest, changed, redo=choices.redo_changed)
    finished = all_recorded_chunks(manifest.directory)
    plan = plan_job(config, files, metadata, manifest, finished, choices.max_events)
    manifest.write()
    unused = [chunk for chunk in finished if chunk not in plan.items]
    check_unused(manifest, files, unused, discard=choices.discard_unused, max_events=choices.max_events)
    return plan


def _check_weights(config: Config, plan: Plan) -> None:
    """Look for the weights of normalised datasets now: they are added up when everything is processed."""
    for dataset in filter(partial(is_normalised, config), config.datasets):
        item = next((item for chunk, item in plan.items.items() if chunk.dataset == dataset), None)
        if item is not None:
            check_weights(config, dataset, InputFile(item.filename, item.treename))


def _process(config: Config, items: Sequence[Any], workers: Workers) -> list[Loss]:
    """Process chunks, which commit their results to disk, and return the losses."""
    if not items:
        return []
    # workers may have another working directory
    directory = str(Path(config.output.directory).absolute())
    peaksum = CheckedProcessor(**config.job(), directory=directory, fingerprint=fingerprint(config))
    peaksum.is_behind_link = Path(directory).is_symlink()
    with no_printed_tracebacks(), heard_interrupts():
        output = make_runner(config, workers.executor).run(list(items), peaksum)
    return list(output["out"].get(LOSSES, []))


def _add_stored(
    totals: Mapping[str, DatasetTotal], directory: Path, items: Mapping[Chunk, WorkItem], job: str
) -> dict[Chunk, WorkItem]:
    """Add all chunks that earlier runs of this job, given by its fingerprint, finished; return the others."""
    pending = dict(items)
    for name in totals:
        for chunk, record in finished_records(directory, name):
            if chunk in pending and _add(totals, chunk, pending[chunk], record, job):
                del pending[chunk]
    return pending


def _add_processed(
    totals: Mapping[str, DatasetTotal], directory: Path, items: Mapping[Chunk, WorkItem], job: str
) -> None:
    """Add the chunks that this run has processed."""
    for chunk, item in items.items():
        record = read_record(directory, chunk)
        if record is not None:
            _add(totals, chunk, item, record, job)


def _remove_strays(directory: Path, plan: Plan) -> None:
    """Remove chunks that another run has written meanwhile, whose entries would be there twice.

    The workers of a run that was killed finish what they are at, and its chunks may have had another size.
    """
    strays = {*all_recorded_chunks(directory)} - plan.items.keys()
    for chunk in strays:
        log.info("%s: written by a run that was stopped, is removed", chunk.part(directory))
    remove_chunks(directory, strays)
    remove_leftovers(directory)


def _add(totals: Mapping[str, DatasetTotal], chunk: Chunk, item: WorkItem, record: Record, job: str) -> bool:
    """Add the record of a chunk if it is of this job; return whether it is."""
    is_ours = record.is_of(job, str(uuid.UUID(bytes=item.fileuuid)), tuple(item.usermeta["numbers"]))
    if is_ours:
        totals[chunk.dataset].add(chunk, public_path(item.filename), record)
    return is_ours


def _normalise(
    config: Config,
    totals: Mapping[str, DatasetTotal],
    files: Files,
    plan: Plan,
    manifest: Manifest,
    losses: Sequence[Loss],
) -> dict[str, Normalisation | None]:
    """Normalise the histograms of every dataset that has a cross section, and return by what."""
    scales = {name: _normalisation(config, name, files, plan, manifest, losses) for name in totals}
    for name, total in totals.items():
        total.histograms = normalised(total.histograms, scales[name])
    return scales


def _normalisation(
    config: Config, dataset: str, files: Files, plan: Plan, manifest: Manifest, losses: Sequence[Loss]
) -> Normalisation | None:
    """Return the normalisation of a dataset, which needs every entry of its files.

    Raises
    ------
    RuntimeError
        If a file is not the one whose entries were processed.
    """
    if not is_normalised(config, dataset):
        return None
    n_planned = sum(chunk.n_entries for chunk in plan.items if chunk.dataset == dataset)
    entries = [(path, entry) for _, path, _, entry in manifest.entries({dataset: files[dataset]})]
    n_entries = sum(entry.n_entries or 0 for _, entry in entries)
    is_complete = n_planned == n_entries and not any(loss.dataset == dataset for loss in losses)
    total = sum_of_weights(config, dataset, files[dataset]) if is_complete else None
    for path, entry in entries if is_complete else ():
        if not entry.is_of(path, check_uuid=True):
            msg = f"{public_path(path)} has changed while the job ran: run the same command again"
            raise RuntimeError(msg)
    return normalisation(config, dataset, total)


def write_results(
    config: Config,
    directory: Path,
    totals: Mapping[str, DatasetTotal],
    tables: Sequence[Mapping[str, Any]],
) -> None:
    """Write the clusters in the formats of the config, the histograms, and plots of these and of tables."""
    _merge_parts(config, directory, totals)
    every = {f"{name}/{key}": h for name, total in totals.items() for key, h in total.histograms.items()}
    root_files.write_histograms(every, directory / HISTOGRAMS)
    if config.output.plots:
        filled = {name: total.histograms for name, total in totals.items()}
        output = config.output
        looks: dict[str, Any] = {"style": output.style, "label": output.label, "stack": output.stack}
        save_plots(directory / PLOTS, filled, tables, kinds_of(config), output.plots, **looks)


def write_summary(config: Config, manifest: Manifest, summary: Mapping[str, Any]) -> None:
    """Write the summary, which makes the results complete, and the report of them."""
    manifest.finish(summary)
    if config.output.report:
        write_report(manifest.directory, config, with_figures=bool(config.output.plots))


def _merge_parts(config: Config, directory: Path, totals: Mapping[str, DatasetTotal]) -> None:
    """Write the clusters in the formats of the config, several at a time if the job has several workers.

    Threads are enough: half of the time is compression, which does not hold Python's lock.
    """
    with ThreadPoolExecutor(min(config.run.workers, MOST_MERGES)) as pool:
        merges = []
        for name, total in totals.items():
            parts = [chunk.part(directory) for chunk in sorted(total.chunks)]
            for word, (file, writer) in FORMATS.items():
                if writer is not None and word in config.output.clusters and parts:
                    merges.append(pool.submit(resolve_name(writer), parts, directory / name / file))
                elif writer is not None:
                    (directory / name / file).unlink(missing_ok=True)
        for merge in merges:
            merge.result()
