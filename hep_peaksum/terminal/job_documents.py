"""The JSON documents of jobs: `run`, `merge` and `status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from hep_peaksum.terminal.documents import Document

if TYPE_CHECKING:
    from hep_peaksum.job.planning import Plan as Planned
    from hep_peaksum.results.status import Status


class Loss(Document):
    """Entries that were not processed: all of the file if `n_entries` is null."""

    dataset: str
    file: str
    start: int
    n_entries: int | None
    reason: str


class DatasetCounts(Document):
    """The entries of a dataset, and the clusters of each collection."""

    n_files: int
    n_entries: int
    n_processed: int
    n_written: int | None
    n_lost: int
    n_clusters: dict[str, int]


class Unfinished(Document):
    """How far a dataset of an incomplete job has come."""

    n_files: int
    n_finished_chunks: int
    n_entries: int


class Job(Document):
    """`run`, `merge` and `status`: what a results folder holds; the details are in its summary.json."""

    command: Literal["run", "merge", "status"]
    directory: str
    state: Literal["done", "done with losses", "incomplete", "damaged"]
    datasets: dict[str, DatasetCounts]
    unfinished: dict[str, Unfinished]
    losses: list[Loss]
    remarks: list[str]
    n_chunks: int
    n_reused_chunks: int | None
    damaged: list[str]


def finished_job(
    command: Literal["run", "merge", "status"],
    directory: str,
    summary: Mapping[str, Any],
    remarks: Sequence[str],
    damaged: Sequence[str] = (),
) -> Job:
    """Return the document of a job whose summary is written."""
    datasets = {}
    for name, each in summary["datasets"].items():
        n_entries = sum(file["expected"] for file in each["files"].values())
        datasets[name] = DatasetCounts(
            n_files=len(each["files"]),
            n_entries=n_entries,
            n_processed=each["n_events"],
            n_written=each.get("n_written"),
            n_lost=n_entries - each["n_events"],
            n_clusters=each["n_clusters"],
        )
    return Job(
        command=command,
        directory=directory,
        state="damaged" if damaged else "done with losses" if summary["losses"] else "done",
        datasets=datasets,
        unfinished={},
        losses=[Loss(**loss) for loss in summary["losses"]],
        remarks=list(remarks),
        n_chunks=summary["n_chunks"]["total"],
        n_reused_chunks=summary["n_chunks"]["reused"],
        damaged=list(damaged),
    )


def unfinished_job(directory: str, state: Status) -> Job:
    """Return the document of a job that is not complete."""
    counts = {
        name: Unfinished(n_files=n_files, n_finished_chunks=n_chunks, n_entries=n_entries)
        for name, (n_files, n_chunks, n_entries) in state.unfinished.items()
    }
    return Job(
        command="status",
        directory=directory,
        state="damaged" if state.damaged else "incomplete",
        datasets={},
        unfinished=counts,
        losses=[],
        remarks=[],
        n_chunks=state.n_chunks,
        n_reused_chunks=None,
        damaged=list(state.damaged),
    )


class PlannedDataset(Document):
    """What a job would read of a dataset."""

    n_files: int
    n_entries: int
    n_chunks: int
    n_finished_chunks: int


class Plan(Document):
    """`run --dry-run`: what would be processed."""

    command: Literal["run --dry-run"]
    directory: str
    datasets: dict[str, PlannedDataset]
    losses: list[Loss]


def plan(planned: Planned, directory: str) -> Plan:
    """Return the document of a plan."""
    datasets = {
        name: PlannedDataset(n_files=n_files, n_entries=n, n_chunks=n_chunks, n_finished_chunks=n_finished)
        for name, (n_files, n, n_chunks, n_finished) in planned.counts().items()
    }
    losses = [Loss(**asdict(loss)) for loss in planned.lost]
    return Plan(command="run --dry-run", directory=directory, datasets=datasets, losses=losses)
