"""Tables about configs, files and events, made with rich from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from hep_peaksum.diagnostics import wording
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
    from hep_peaksum.preview.event import Event
    from hep_peaksum.toy import Score

MAX_CANDIDATES = 8
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
