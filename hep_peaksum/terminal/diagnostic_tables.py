"""Tables of the commands explain, ties, compare, closure and presets, made with rich from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from rich.columns import Columns
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hep_peaksum.diagnostics import wording
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.terminal.folding_table import brief, table

if TYPE_CHECKING:
    from rich.console import Console

    from hep_peaksum.diagnostics.compare import Comparison
    from hep_peaksum.diagnostics.explain import Explanation
    from hep_peaksum.diagnostics.ties import TieAudit
    from hep_peaksum.library.presets import Preset
    from hep_peaksum.preview.closure import Closure, Mismatch

SOURCES_WIDTH = 120  # characters; the list of presets has a column of sources on screens at least this wide
MAX_BEATEN_BY = 10
MAX_EXAMPLES = 5  # highest neighbours, closed rings, unmatched clusters


def print_neighbours(console: Console, why: Explanation, settings: PeakSumSettings, plane: Grid) -> None:
    """Print where a cell is and which cells beat it, or, if none does, its highest neighbours."""
    console.print("  " + "; ".join(wording.cell_positions(plane, why.row, why.col)))
    if why.is_masked or not why.neighbours:
        return
    ranked = sorted(why.beaten_by or why.neighbours, key=lambda neighbour: -neighbour.value)
    title = "beaten by" if why.beaten_by else "highest neighbours"
    rows = table(title, f"value [{wording.discriminant_unit(settings, plane)}]", "the seed must be", "")
    n_shown = MAX_BEATEN_BY if why.beaten_by else MAX_EXAMPLES
    for neighbour in ranked[:n_shown]:
        if why.beaten_by:
            verdict = "decides" if neighbour == why.deciding else "also beats it"
        else:
            verdict = "equal, loses the tie" if neighbour.value == why.value else ""
        place = f"row {neighbour.row}, col {neighbour.col}"
        rows.add_row(place, brief(neighbour.value), f"{neighbour.needed} {brief(neighbour.value)}", verdict)
    _add_remainder(rows, len(ranked) - n_shown)
    console.print(rows)


def print_audit(console: Console, title: str, audit: TieAudit) -> None:
    """Print the number of seeds under each tie rule, and the closed rings of equal cells."""
    rows = table("tie rule", "seeds", "plateaus left without a seed", "of these closed rings")
    for rule, n_seeds in audit.n_seeds.items():
        n_rings = audit.n_rings if rule == "none" else sum(rule in ring.lost_by for ring in audit.rings)
        rows.add_row(rule, str(n_seeds), str(audit.n_lost[rule]), str(n_rings))
    console.print(rows)
    for ring in audit.rings[:MAX_EXAMPLES]:
        console.print(
            f"closed ring in entry {ring.event}: {ring.n_cells} cells of {brief(ring.value)} along "
            f"{ring.axis} from (row {ring.row}, col {ring.col}) on; no seed with {' or '.join(ring.lost_by)}"
        )
    if audit.n_rings > MAX_EXAMPLES:
        console.print(f"and {audit.n_rings - MAX_EXAMPLES} more closed rings")
    console.print(
        f"{title}: the seeds of {audit.n_dependent} of {audit.n_events} events "
        f"({audit.fraction_dependent:.1%}) depend on the tie rule"
    )


def print_comparison(console: Console, names: tuple[str, str], both: Comparison, grid: Grid) -> None:
    """Print how two algorithms differ: counts, energies, and the first clusters that only one of them has."""
    first, second = names
    rows, unit = table(f"{first} and {second}, {both.n_events} events", ""), grid.energy_unit
    rows.add_row("same seed in both", str(both.n_matched))
    rows.add_row("of these, different sum", str(both.n_different_sums))
    rows.add_row(f"only in {first}", str(both.n_only_a))
    rows.add_row(f"only in {second}", str(both.n_only_b))
    if both.n_matched:
        rows.add_row(f"energy in {second} minus energy in {first}: mean", f"{both.mean_difference:.4g} {unit}")
        rows.add_row("root mean square", f"{both.rms_difference:.4g} {unit}")
        rows.add_row("largest", f"{both.largest_difference:.4g} {unit}")
    console.print(rows)
    unmatched = both.unmatched(MAX_EXAMPLES)
    if not unmatched:
        return
    has_layers = bool(both.layer.any())
    rows = table("only in", "entry", *["layer"] * has_layers, "row", "col", f"sum [{unit}]")
    for n in unmatched:
        counts = both.sum_a[n] if both.in_a[n] else both.sum_b[n]
        place = [both.event[n], *[both.layer[n]] * has_layers, both.row[n], both.col[n]]
        name = first if both.in_a[n] else second
        rows.add_row(name, *(str(number) for number in place), f"{counts * both.unit:.5g}")
    _add_remainder(rows, both.n_only_a + both.n_only_b - len(unmatched))
    console.print(rows)


def print_closure(console: Console, closures: Mapping[str, Closure]) -> None:
    """Print how many objects of the file have a cluster in the same cell, and the first that differ."""
    n_events = next(iter(closures.values())).n_events
    rows = table(
        f"{n_events} events", "in the file", "found in the same cell", "with equal sum", "extra clusters"
    )
    for name, each in closures.items():
        sums = f"{each.n_equal_sums} of {each.n_sum_expected}"
        rows.add_row(name, str(each.n_references), str(each.n_matched), sums, str(each.n_extra))
    console.print(rows)
    for name, each in closures.items():
        _print_compared(console, f"{name}: not found", each.missed)
        _print_compared(console, f"{name}: different sum", each.different_sums)


def _print_compared(console: Console, title: str, objects: Sequence[Mismatch]) -> None:
    if not objects:
        return
    rows = table(title, "entry", "row", "col", "sum in the file", "sum of the cluster")
    for number, each in enumerate(objects[:MAX_EXAMPLES], start=1):
        rows.add_row(str(number), *("" if value is None else brief(value) for value in each))
    _add_remainder(rows, len(objects) - MAX_EXAMPLES)
    console.print(rows)


def _add_remainder(rows: Table, n_more: int) -> None:
    """Say under a table how many rows were left out."""
    if n_more > 0:
        rows.caption = f"and {n_more} more"


def print_presets(console: Console, presets: Mapping[str, Preset]) -> None:
    """Print the published algorithms, on a wide screen with their sources."""
    has_source = console.width >= SOURCES_WIDTH
    rows = table("preset", "reproduces", "algorithm", *["source"] * has_source)
    rows.columns[0].no_wrap = True
    for name, preset in presets.items():
        rows.add_row(name, preset.reproduces, Text(preset.title), *[Text(preset.source)] * has_source)
    console.print(rows)
    console.print("hep-peaksum presets NAME shows one of them with its windows and its source")


def print_preset(console: Console, name: str, preset: Preset, settings: PeakSumSettings) -> None:
    """Print a published algorithm: its windows drawn, everything else in words, and its keys in YAML."""
    console.print(Text(name, style="bold") + Text(f"  {preset.title}", style="not bold"))
    windows = [_window_text(word, marks) for word, marks in wording.drawn_windows(settings).items()]
    console.print()
    console.print(Columns([Padding(window, (0, 3, 0, 2)) for window in windows]))
    console.print()
    for mark, meaning in wording.legend(settings):
        console.print(f"  {mark}  {meaning}")
    console.print()
    rows = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for word, text in (*wording.settings_in_words(settings), *preset_notes(preset)[:-1]):
        rows.add_row(Text(word), Text(text))
    console.print(rows)
    if preset.differs:
        console.print(f"\nNot reproduced: {preset.differs}")
    console.print(f"\nIn a config, 'preset: {name}' sets these keys; each of them can be overridden:")
    console.print("\n".join(_yaml_lines(preset.settings)))


def preset_notes(preset: Preset) -> list[tuple[str, str]]:
    """Return where an algorithm was published, how far it is reproduced and, last, what is not reproduced."""
    geometry = [("geometry", preset.geometry)] if preset.geometry else []
    reproduces = f"{preset.reproduces}: {wording.REPRODUCES[preset.reproduces]}"
    return [*geometry, ("source", preset.source), ("reproduces", reproduces), ("differs", preset.differs or "")]


def _yaml_lines(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as lines of a config, drawn windows as blocks."""
    lines = []
    for key, value in settings.items():
        if isinstance(value, str) and "\n" in value:
            lines += [f"  {key}: |", *(f"    {line}" for line in value.split())]
        else:
            flow = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
            lines.append(f"  {key}: {flow}")
    return lines


def _window_text(word: str, marks: Mapping[tuple[int, int], str]) -> Text:
    """Return a window under its name and size, with spaces between the marks so that cells look square."""
    lines = wording.drawn_lines(marks)
    title = f"{word}, {len(lines)} x {len(lines[0])}"
    return Text("\n".join([title, *(" ".join(line) for line in lines)]))
