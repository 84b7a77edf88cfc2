"""What the commands print: tables and remarks, made of plain values with rich."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hep_peaksum.diagnostics import wording
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    from hep_peaksum.diagnostics.compare import Comparison
    from hep_peaksum.diagnostics.explain import Explanation
    from hep_peaksum.diagnostics.ties import TieAudit
    from hep_peaksum.job.planning import Plan
    from hep_peaksum.job.run import RunResult
    from hep_peaksum.library.presets import Preset
    from hep_peaksum.preview.closure import Closure, Compared
    from hep_peaksum.preview.event import Event

MANY_CLUSTERS = 100
WIDE = 120  # characters: from here on the list of presets has their sources, too
MANY_FILES = 20  # with losses that are told one by one
MANY_RIVALS = 10
FEW = 5  # neighbours of a seed, closed rings and unmatched clusters that are named


def open_console() -> Console:
    """Return where commands print."""
    # what goes to a file or a pipe is not cut to the width of a screen
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def show_messages(console: Console) -> None:
    """Print what the package logs, such as that it is compiling."""
    handler = RichHandler(console=console, show_time=False, show_level=False, show_path=False)
    logger = logging.getLogger("hep_peaksum")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


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
    for name in event.clusters:
        clusters = event.clusters[name]
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
    return [*remarks, *_losses(summary["losses"])]


def _losses(losses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for every file of which something is lost, as far as people read on."""
    by_file: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for loss in losses:
        by_file.setdefault((loss["dataset"], loss["file"]), []).append(loss)
    lines = []
    for (dataset, _), found in list(by_file.items())[:MANY_FILES]:
        counts = [loss["n_entries"] for loss in found]
        count = "all" if None in counts else sum(counts)
        more = f" (and {len(found) - 1} more chunks of this file)" if len(found) > 1 else ""
        lines.append(f"[red]lost[/red] {count} entries of {dataset}: {escape(found[0]['reason'])}{more}")
    if len(by_file) > MANY_FILES:
        n_more = len(by_file) - MANY_FILES
        lines.append(f"[red]lost[/red] and entries of {n_more} more files: all of them are in summary.json")
    return lines


def print_plan(console: Console, plan: Plan) -> None:
    """Print what a job would process."""
    rows = table("dataset", "files", "entries", "chunks")
    for name in dict.fromkeys(item.dataset for item in plan.items):
        items = [item for item in plan.items if item.dataset == name]
        n_files = len({item.filename for item in items})
        rows.add_row(name, str(n_files), str(sum(len(item) for item in items)), str(len(items)))
    console.print(rows)


def print_neighbours(console: Console, why: Explanation, settings: PeakSumSettings, plane: Grid) -> None:
    """Print where a cell lies, and the cells of its search window that beat it, or else come nearest to it."""
    console.print("  " + "; ".join(wording.places(plane, why.row, why.col)), markup=False)
    if why.is_masked or not why.neighbours:
        return
    ranked = sorted(why.beaten_by or why.neighbours, key=lambda neighbour: -neighbour.value)
    title = "cells that beat it" if why.beaten_by else "its highest neighbours"
    rows = table(title, f"holds, in {wording.compared_unit(settings, plane)}", "the seed must be", "")
    most = MANY_RIVALS if why.beaten_by else FEW
    for neighbour in ranked[:most]:
        if why.beaten_by:
            verdict = "decides" if neighbour == why.deciding else "beats it, too"
        else:
            verdict = "equal, and gives way" if neighbour.value == why.value else ""
        place = f"row {neighbour.row}, col {neighbour.col}"
        rows.add_row(place, _brief(neighbour.value), f"{neighbour.needed} {_brief(neighbour.value)}", verdict)
    if len(ranked) > most:
        rows.caption = f"and {len(ranked) - most} more"
    console.print(rows)


def print_audit(console: Console, title: str, audit: TieAudit) -> None:
    """Print what the tie rule does to the answer, and the closed rings of equal cells."""
    rows = table("tie rule", "seeds", "groups of equal seeds that leave none", "of these closed rings")
    for rule, n_seeds in audit.n_seeds.items():
        n_rings = sum(rule in ring.lost_by for ring in audit.rings)
        if rule == "none":
            n_rings = audit.n_rings
        rows.add_row(rule, str(n_seeds), str(audit.n_lost[rule]), str(n_rings))
    console.print(rows)
    for ring in audit.rings[:FEW]:
        console.print(
            f"closed ring in entry {ring.event}: {ring.n_cells} cells of {_brief(ring.value)} around the "
            f"{ring.axis}, from (row {ring.row}, col {ring.col}) on; lost by {' and '.join(ring.lost_by)}"
        )
    if audit.n_rings > FEW:
        console.print(f"and {audit.n_rings - FEW} more closed rings")
    console.print(
        f"{title}: the seeds of {audit.n_dependent} of {audit.n_events} events "
        f"({audit.fraction_dependent:.1%}) depend on the tie rule"
    )


def print_closure(console: Console, found: Mapping[str, Closure]) -> None:
    """Print how many objects of the file are found, with their sums, and the first that are not."""
    n_events = next(iter(found.values())).n_events
    rows = table(f"{n_events} events", "in the file", "found in the same cell", "with equal sums", "only ours")
    for name, each in found.items():
        sums = f"{each.n_equal} of {each.n_sum_expected}"
        rows.add_row(name, str(each.n_references), str(each.n_found), sums, str(each.n_extra))
    console.print(rows)
    for name, each in found.items():
        _print_compared(console, f"{name}: not found", each.missed)
        _print_compared(console, f"{name}: another sum", each.different)


def _print_compared(console: Console, title: str, objects: Sequence[Compared]) -> None:
    if not objects:
        return
    rows = table(title, "entry", "row", "col", "sum in the file", "our sum")
    for place, each in enumerate(objects[:FEW], start=1):
        rows.add_row(str(place), *("" if value is None else _brief(value) for value in each))
    if len(objects) > FEW:
        rows.caption = f"and {len(objects) - FEW} more"
    console.print(rows)


def print_comparison(console: Console, names: tuple[str, str], both: Comparison, grid: Grid) -> None:
    """Print where two algorithms differ: counts, energies, and the first clusters that only one found."""
    first, second = names
    rows, unit = table(f"{first} and {second}, {both.n_events} events", ""), wording.unit_word(grid)
    rows.add_row("the same seed in both", str(both.n_matched))
    rows.add_row("of these with another sum", str(both.n_different_sums))
    rows.add_row(f"only in {first}", str(both.n_only_a))
    rows.add_row(f"only in {second}", str(both.n_only_b))
    if both.n_matched:
        rows.add_row(f"energy in {second} minus energy in {first}: mean", f"{both.mean_difference:.4g} {unit}")
        rows.add_row("root of its mean square", f"{both.rms_difference:.4g} {unit}")
        rows.add_row("largest", f"{both.largest_difference:.4g} {unit}")
    console.print(rows)
    alone = both.unmatched(FEW)
    if not alone:
        return
    has_layers = bool(both.layer.any())
    rows = table("only in", "entry", *["layer"] * has_layers, "row", "col", f"sum, in {unit}")
    for n in alone:
        counts = both.sum_a[n] if both.in_a[n] else both.sum_b[n]
        place = [both.event[n], *[both.layer[n]] * has_layers, both.row[n], both.col[n]]
        name = first if both.in_a[n] else second
        rows.add_row(name, *(str(number) for number in place), f"{counts * both.unit:.5g}")
    n_more = both.n_only_a + both.n_only_b - len(alone)
    if n_more:
        rows.caption = f"and {n_more} more"
    console.print(rows)


def print_presets(console: Console, presets: Mapping[str, Preset]) -> None:
    """Print the published algorithms, on a wide screen with their sources."""
    has_source = console.width >= WIDE
    rows = table("preset", "reproduces", "what it is", *["source"] * has_source)
    rows.columns[0].no_wrap = True
    for name, preset in presets.items():
        rows.add_row(name, preset.reproduces, Text(preset.title), *[Text(preset.source)] * has_source)
    console.print(rows)
    console.print("hep-peaksum presets NAME draws the windows of one and names its source")


def print_preset(console: Console, name: str, preset: Preset, settings: PeakSumSettings) -> None:
    """Print a published algorithm: its windows as they are compared and added, and the rest in words."""
    console.print(Text(name, style="bold") + Text(f"  {preset.title}", style="not bold"))
    drawn = [_drawn(word, marks) for word, marks in wording.windows(settings).items()]
    console.print()
    console.print(Columns([Padding(each, (0, 3, 0, 2)) for each in drawn]))
    console.print()
    for mark, meaning in wording.legend(settings):
        console.print(f"  {mark}  {meaning}", markup=False)
    console.print()
    rows = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for word, said in (*wording.words(settings), *preset_notes(preset)[:-1]):
        rows.add_row(Text(word), Text(said))
    console.print(rows)
    if preset.differs:
        console.print(f"\nWhat it does not do: {preset.differs}", markup=False)
    console.print(f"\nIn a config preset: {name} stands for these keys, each of which can be overridden:")
    console.print("\n".join(_yaml_lines(preset.settings)), markup=False)


def _yaml_lines(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as they are written in a config, drawn windows as they look."""
    written = []
    for key, value in settings.items():
        if isinstance(value, str) and "\n" in value:
            written += [f"  {key}: |", *(f"    {line}" for line in value.split())]
        else:
            flow = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
            written.append(f"  {key}: {flow}")
    return written


def _drawn(word: str, marks: Mapping[tuple[int, int], str]) -> Text:
    """Return a window with its name and size above it, characters apart so that cells look square."""
    lines = wording.lines(marks)
    title = f"{word}, {len(lines)} x {len(lines[0])}"
    return Text("\n".join([title, *(" ".join(line) for line in lines)]))


def preset_notes(preset: Preset) -> list[tuple[str, str]]:
    """Return where an algorithm was published, how far it is reproduced, and last what is not done."""
    geometry = [("geometry", preset.geometry)] if preset.geometry else []
    reproduces = f"{preset.reproduces}: {wording.REPRODUCES[preset.reproduces]}"
    return [*geometry, ("source", preset.source), ("reproduces", reproduces), ("differs", preset.differs or "")]
