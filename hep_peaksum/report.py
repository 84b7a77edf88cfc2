"""What the commands print: tables and remarks, made of plain values with rich."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from hep_peaksum.plan import Plan
    from hep_peaksum.run import RunResult
    from hep_peaksum.show import Event

MANY_CLUSTERS = 100


def open_console() -> Console:
    """Return where commands print."""
    # what goes to a file or a pipe is not cut to the width of a screen
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def table(*columns: str) -> Table:
    """Return an empty table; what does not fit into a column is folded, not cut."""
    empty = Table(box=SIMPLE_HEAD)
    for column in columns:
        empty.add_column(column, overflow="fold")
    return empty


def print_window(console: Console, word: str, window: tuple[int, int] | str) -> None:
    """Print a window as it is drawn, or its size."""
    lines = window.splitlines() if isinstance(window, str) else [f"{window[0]} x {window[1]}"]
    for number, line in enumerate(lines):
        console.print(f"  {word if number == 0 else '':<15} {line}", markup=False)


def _brief(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def print_clusters(console: Console, event: Event, most: int = 10) -> None:
    """Print the leading clusters of an event, a table for every collection."""
    for name in event.result.fields:
        clusters = event.result[name]
        fields = [field for field in getattr(clusters, "fields", []) if clusters[field].ndim == 1]
        if not fields:
            continue
        rows = table(name, *fields)
        for place, cluster in enumerate(clusters[:most]):
            rows.add_row(str(place), *(_brief(cluster[field]) for field in fields))
        console.print(rows)
        if len(clusters) > most:
            console.print(f"and {len(clusters) - most} more")


def print_result(console: Console, result: RunResult) -> None:
    """Print what a job has left."""
    print_summary(console, result.summary)
    console.print(f"Results: {result.directory}")


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the account of a job: entries in, out and lost, clusters found, and what a user should know."""
    rows = table("dataset", "files", "entries", "lost", "collection", "clusters", "per event")
    for name, found in summary["datasets"].items():
        expected = sum(file["expected"] for file in found["files"].values())
        lost = expected - found["n_events"]
        for collection, n_clusters in found["n_clusters"].items():
            per_event = n_clusters / max(1, found["n_events"])
            rows.add_row(
                name,
                str(len(found["files"])),
                str(expected),
                str(lost),
                collection,
                str(n_clusters),
                f"{per_event:.2f}",
            )
    console.print(rows)
    for line in _remarks(summary):
        console.print(line)


def _remarks(summary: Mapping[str, Any]) -> list[str]:
    """Return what a user should know about the numbers."""
    remarks = []
    for name, found in summary["datasets"].items():
        for collection, n_clusters in found["n_clusters"].items():
            if n_clusters > MANY_CLUSTERS * max(1, found["n_events"]):
                remarks.append(
                    f"{collection}: more than {MANY_CLUSTERS} clusters an event; is seed_threshold "
                    f"({summary['thresholds'][collection]['seed']}) above the noise?"
                )
        for grid, n_outside in found["n_outside"].items():
            if n_outside:
                remarks.append(f"{name}: {n_outside} hits lie outside the grid {grid!r} and were not added")
    if not summary["config"]["events"].get("identify"):
        remarks.append(f"Event identity: {summary['identity']}")
    reused = summary["n_chunks"]["reused"]
    if reused:
        remarks.append(
            f"{reused} of {summary['n_chunks']['total']} chunks were finished before and not done again"
        )
    for loss in summary["losses"]:
        count = "all" if loss["n_entries"] is None else loss["n_entries"]
        remarks.append(f"[red]lost[/red] {count} entries of {loss['dataset']}: {loss['reason']}")
    return remarks


def print_plan(console: Console, plan: Plan) -> None:
    """Print what a job would process."""
    rows = table("dataset", "files", "entries", "chunks")
    for name in dict.fromkeys(item.dataset for item in plan.items):
        items = [item for item in plan.items if item.dataset == name]
        n_files = len({item.filename for item in items})
        rows.add_row(name, str(n_files), str(sum(len(item) for item in items)), str(len(items)))
    console.print(rows)
