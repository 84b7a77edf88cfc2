"""Tables and remarks about configs, jobs and events, made with rich from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.config.formats import REPORT, SUMMARY
from hep_peaksum.diagnostics import wording
from hep_peaksum.report.accounts import hits_outside
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.suggestions import listed
from hep_peaksum.terminal import streams
from hep_peaksum.terminal.folding_table import brief, table

if TYPE_CHECKING:
    from hep_peaksum.config.model import Config
    from hep_peaksum.grouping.group import Grouped
    from hep_peaksum.grouping.join import Joined
    from hep_peaksum.inspection.candidates import Candidate
    from hep_peaksum.inspection.files import Inspection
    from hep_peaksum.job.planning import Plan
    from hep_peaksum.job.run import RunResult
    from hep_peaksum.preview.event import Event
    from hep_peaksum.toy import Score

MANY_CLUSTERS = 100  # per event; more are met with a hint at the threshold
MAX_FILES_WITH_LOSSES = 20
MAX_CANDIDATES = 8
MAX_CUT_FLOWS = 8
MAX_CLUSTERS = 10
MAX_COLUMNS = 12
MARGIN = 3  # characters between columns


def print_collection(console: Console, config: Config, name: str, bounds: Mapping[str, str]) -> None:
    """Print how a collection is interpreted: grids, windows, thresholds in both units, fields."""
    collection = config.clusters[name]
    settings = collection.settings
    shapes = [config.grids[grid].grid.shape for grid in collection.grid]
    planes = [f"{grid} {rows} x {cols}" for grid, (rows, cols) in zip(collection.grid, shapes, strict=True)]
    console.print(Text.assemble((name, "bold"), f" on {' and '.join(planes)}"))
    _print_window(console, "search window", settings.search_window)
    _print_window(console, "sum window", settings.sum_window)
    console.print(f"  tie rule        {settings.tie_rule}")
    bounds = {f"{word} threshold": bound for word, bound in bounds.items()}
    for word, bound in bounds.items():
        console.print(f"  {word:<15} {bound}")
    if settings.seed_window != (1, 1):
        _print_window(console, "seed window", settings.seed_window)
    defaults = wording.settings_in_words(PeakSumSettings())
    for word, text in wording.settings_in_words(settings):
        if word not in {"tie rule", *bounds} and (word, text) not in defaults:
            console.print(f"  {word:<15} {text}")
    console.print(f"  fields          {' '.join(config.written_fields(name))}")


def print_cell_table(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print what a cell table says, a word a line (see `hep_peaksum.preview.cell_tables`)."""
    console.print(title, style="bold")
    for word, text in rows:
        console.print(f"  {word:<15} {text}")


def print_filling(console: Console, name: str, lines: Sequence[str]) -> None:
    """Print how hits fill the bins of a grid (see `hep_peaksum.preview.hit_bins`)."""
    console.print(f"Hits in {name}", style="bold")
    for line in lines:
        console.print(f"  {line}")


def _print_window(console: Console, word: str, window: tuple[int, int] | str) -> None:
    """Print a window as it is drawn, or its size."""
    lines = window.splitlines() if isinstance(window, str) else [f"{window[0]} x {window[1]}"]
    for number, line in enumerate(lines):
        console.print(f"  {word if number == 0 else '':<15} {line}")


def print_candidates(console: Console, found: Inspection) -> None:
    """Print the branches of a ROOT file that look like grids or hits, numbered, the likeliest first."""
    candidates = found.candidates
    rows = table("no.", "tree", "entries", "branches", "looks like")
    for number, candidate in enumerate(candidates[:MAX_CANDIDATES], start=1):
        branches = "\n".join(candidate.branches)
        rows.add_row(str(number), candidate.tree, str(candidate.n_entries), branches, candidate.looks_like)
    if len(candidates) > MAX_CANDIDATES:
        rows.caption = f"and {len(candidates) - MAX_CANDIDATES} less likely candidates"
    console.print(rows)
    for tree, names in found.unreadable.items():
        listed = ", ".join(names[:MAX_CANDIDATES]) + (", ..." if len(names) > MAX_CANDIDATES else "")
        console.print(f"{tree}: uproot cannot read {listed}")


def print_command(console: Console, candidate: Candidate) -> None:
    """Print what makes a file with one entry per event."""
    console.print(
        f"{candidate.tree}: {candidate.looks_like}; make a file with one entry per event, and inspect that"
    )
    console.print(f"  {candidate.command}", style="bold")


def print_nothing_found(console: Console, file: str, found: Inspection) -> None:
    """Print what a ROOT file holds instead of cells or hits: what was looked at, and why it fills no grid."""
    console.print(f"{file}: {found.in_words}")
    for rejected in found.rejected[:MAX_CANDIDATES]:
        names = ", ".join(rejected.branches[:MAX_CANDIDATES])
        console.print(f"  {rejected.tree}: {names}: {rejected.reason}")
    if len(found.rejected) > MAX_CANDIDATES:
        console.print(f"  and {len(found.rejected) - MAX_CANDIDATES} more")


def print_grouped(console: Console, file: str, output: str, grouped: Grouped) -> None:
    """Print what `group --by` wrote: how many events, which branches, and which it could not write."""
    rows = f"{grouped.n_rows} rows are {grouped.n_events} events of {grouped.fewest} to {grouped.most} rows"
    console.print(f"{file}: {rows}")
    if grouped.most == 1:
        streams.warn("every event is a single row: is the file one event per entry already?")
    if grouped.left_out:
        names = listed(grouped.left_out, MAX_COLUMNS)
        console.print(f"left out, because a row holds no single number: {names}")
    _print_written(console, output, grouped.columns)


def print_joined(console: Console, file: str, output: str, joined: Joined) -> None:
    """Print what `group --join` wrote, and which elements have no link, or several."""
    console.print(
        f"{file}: {joined.n_joined} of {joined.n_elements} elements joined in {joined.n_events} events"
    )
    if n_lost := joined.n_elements - joined.n_joined:
        streams.warn(f"{n_lost} elements have no link and are left out")
    if joined.n_several:
        streams.warn(f"{joined.n_several} elements have several links; the first was joined")
    _print_written(console, output, joined.columns)


def _print_written(console: Console, output: str, columns: Iterable[str]) -> None:
    console.print(f"{output}: tree Events with {listed(columns, MAX_COLUMNS)}")
    console.print(f"Next: hep-peaksum inspect {output}")


def print_clusters(console: Console, event: Event) -> None:
    """Print the leading clusters of an event, one table per collection."""
    for name in event.clusters:
        clusters = event.clusters[name]
        fields = [field for field in getattr(clusters, "fields", []) if clusters[field].ndim == 1]
        if not fields:
            continue
        texts = {field: [brief(value) for value in clusters[field][:MAX_CLUSTERS].tolist()] for field in fields}
        for part in _side_by_side(texts, console.width - len(name)):
            rows = table(name, *part)
            for number, values in enumerate(zip(*(texts[field] for field in part), strict=True)):
                rows.add_row(str(number), *values)
            console.print(rows)
        if len(clusters) > MAX_CLUSTERS:
            console.print(f"and {len(clusters) - MAX_CLUSTERS} more")


def _side_by_side(columns: Mapping[str, Sequence[str]], width: int) -> list[list[str]]:
    """Return the names of columns in groups that are not wider than a screen, whatever they hold."""
    groups: list[list[str]] = [[]]
    left = width - MARGIN
    for name, texts in columns.items():
        needed = max(map(len, [name, *texts])) + MARGIN
        if groups[-1] and needed > left:
            groups.append([])
            left = width - MARGIN
        groups[-1].append(name)
        left -= needed
    return groups


def print_score(console: Console, score: Score) -> None:
    """Print how clusters compare with the true showers of a toy sample."""
    rows = table("Clusters compared with the true showers", "")
    rows.add_row("true showers", f"{score.n_showers}")
    rows.add_row("found within one cell", f"{score.n_found}  ({score.efficiency:.1%})")
    fakes = f"{score.n_fakes} of {score.n_clusters}  ({score.fakes_per_event:.3f} per event)"
    rows.add_row("fake clusters", fakes)
    rows.add_row("energy response", f"{score.response:.3f}  (median of E cluster / E shower)")
    rows.add_row("energy resolution", f"{score.resolution:.1%}  (half width of the central 68 %)")
    console.print(rows)


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
