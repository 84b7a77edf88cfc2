"""Tables and remarks about jobs, made with rich from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.config.formats import REPORT, SUMMARY
from hep_peaksum.report.accounts import hits_outside
from hep_peaksum.terminal import streams
from hep_peaksum.terminal.folding_table import table

if TYPE_CHECKING:
    from hep_peaksum.job.planning import Plan
    from hep_peaksum.job.run import RunResult

MANY_CLUSTERS = 100  # per event; more are met with a hint at the threshold
MAX_FILES_WITH_LOSSES = 20
MAX_CUT_FLOWS = 8


def print_plan(console: Console, plan: Plan) -> None:
    """Print what a job would process, what of it is finished, and which files cannot be read."""
    rows = table("dataset", "files", "entries", "chunks", "finished")
    for name, counts in plan.counts().items():
        rows.add_row(name, *map(str, counts))
    console.print(rows)
    for line in _losses([asdict(loss) for loss in plan.lost]):
        console.print(line, markup=True)


def print_unfinished(console: Console, datasets: Mapping[str, Iterable[int]]) -> None:
    """Print how far an incomplete job has come: per dataset its files, finished chunks, and their events."""
    rows = table("dataset", "files", "finished chunks", "events")
    for name, counts in datasets.items():
        rows.add_row(name, *map(str, counts))
    console.print(rows)


def print_result(console: Console, result: RunResult) -> None:
    """Print the summary of a job and where its results are."""
    print_summary(console, result.summary)
    console.print(f"Results: {result.directory}")
    if (result.directory / REPORT).is_file():
        print_report(console, result.directory / REPORT)


def print_report(console: Console, path: Path) -> None:
    """Print where the report of a job is, one line however long its path."""
    console.print(f"Report: {path}")


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the entries processed and lost and the clusters found, per collection, then the remarks."""
    rows = table("dataset", "files", "entries", "lost", "collection", "clusters", "per event")
    for name, dataset in summary["datasets"].items():
        n_expected = sum(file["expected"] for file in dataset["files"].values())
        n_lost = n_expected - dataset["n_events"]
        for collection, n_clusters in dataset["n_clusters"].items():
            per_event = n_clusters / max(1, _n_written(dataset))
            rows.add_row(
                name,
                str(len(dataset["files"])),
                str(n_expected),
                str(n_lost),
                collection,
                str(n_clusters),
                f"{per_event:.2f}",
            )
    console.print(rows)
    flows = {
        name: dataset["cut_flow"] for name, dataset in summary["datasets"].items() if "cut_flow" in dataset
    }
    for name, flow in [*flows.items()][:MAX_CUT_FLOWS]:
        console.print(_cut_flow(name, flow))
    if len(flows) > MAX_CUT_FLOWS:
        console.print(f"and the cut flows of {len(flows) - MAX_CUT_FLOWS} more datasets, in {SUMMARY}")
    if not streams.is_quiet():
        for line in remarks(summary):
            console.print(line)
    for line in _losses(summary["losses"]):
        console.print(line, markup=True)


def _n_written(dataset: Mapping[str, Any]) -> int:
    """Return how many events of a dataset were written, which are those whose clusters count."""
    return int(dataset.get("n_written", dataset["n_events"]))


def _cut_flow(dataset: str, flows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Return the cut flow of a dataset, a row for every condition, with a column for every variation."""
    first = next(iter(flows.values()))
    is_weighted = first[0]["sum_of_weights"] is not None
    names = ["entries" if name == NOMINAL else name for name in flows]
    titles = [word for name in names for word in ([name, f"{name}, weighted"] if is_weighted else [name])]
    rows = table(f"{dataset}: left after", *titles)
    for number, step in enumerate(first):
        cells = []
        for flow in flows.values():
            cells.append(str(flow[number]["entries"]))
            cells += [f"{flow[number]['sum_of_weights']:.6g}"] if is_weighted else []
        rows.add_row(step["step"], *cells)
    return rows


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """Return what a user should know about the numbers of a summary."""
    lines = []
    for name, dataset in summary["datasets"].items():
        for collection, n_clusters in dataset["n_clusters"].items():
            if n_clusters > MANY_CLUSTERS * max(1, _n_written(dataset)):
                lines.append(
                    f"{collection}: more than {MANY_CLUSTERS} clusters per event; is seed_threshold "
                    f"({summary['thresholds'][collection]['seed']}) above the noise?"
                )
        for grid, n_outside in dataset["n_outside"].items():
            if n_outside:
                lines.append(f"{name}: {hits_outside(n_outside, grid)}")
    lines.extend(summary.get("hints", ()))
    if not summary["config"]["events"].get("identify"):
        lines.append(f"Event identity: {summary['identity']}")
    n_reused, n_chunks = summary["n_chunks"]["reused"], summary["n_chunks"]["total"]
    if n_reused:
        lines.append(f"{n_reused} of {n_chunks} chunks were already finished and were not repeated")
    return lines


def _losses(losses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line per file that lost entries, for a limited number of files."""
    by_file: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for loss in losses:
        by_file.setdefault((loss["dataset"], loss["file"]), []).append(loss)
    lines = []
    for (dataset, _), of_file in list(by_file.items())[:MAX_FILES_WITH_LOSSES]:
        counts = [loss["n_entries"] for loss in of_file]
        count = "all" if None in counts else sum(counts)
        n_more = len(of_file) - 1
        more = f" (and {n_more} more chunk{'s' * (n_more > 1)} of this file)" if n_more else ""
        lines.append(f"[red]lost[/red] {count} entries of {dataset}: {escape(of_file[0]['reason'])}{more}")
    if len(by_file) > MAX_FILES_WITH_LOSSES:
        n_more = len(by_file) - MAX_FILES_WITH_LOSSES
        lines.append(f"[red]lost[/red] entries of {n_more} more files, listed in {SUMMARY}")
    return lines
