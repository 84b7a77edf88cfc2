"""Settings in words: the comparison in every cell of a window, and everything that windows do not show.

Commands print these texts and pictures show them; nothing here depends on energies.
"""

from __future__ import annotations

from collections.abc import Mapping

from hep_peaksum.clustering.pileup import estimate_offsets
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Offset
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import Pileup
from hep_peaksum.settings.tie_rules import TIE_RULES
from hep_peaksum.settings.windows import Box, window_marks

OVERLAPS = {
    "shared": "a cell of several windows is added to all of them",
    "highest": "a cell of several windows belongs to the highest seed",
    "nearest": "a cell of several windows belongs to the nearest seed",
    "proportional": "a cell of several windows is divided in proportion to the seeds",
    "proportional-sum": "a cell of several windows is divided in proportion to the window sums",
    "equal": "a cell of several windows is divided equally",
    "suppress": "a seed in the sum window of a higher one is dropped",
}
REPRODUCES = {
    "seeds": "the seeds of the published algorithm, not its sums",
    "sums": "seeds and sums of the published algorithm",
    "full": "seeds, sums and everything else listed here, as published",
}
RING_DRAWN = 3  # cells of a φ-ring drawn on either side of the window


def drawn_lines(marks: Mapping[Offset, str]) -> list[str]:
    """Return a drawn window as one line per row, with `.` where there is no cell.

    >>> drawn_lines({(0, 0): "o", (1, 1): "x"})
    ['o.', '.x']
    """
    box = Box.around(list(marks))
    return [
        "".join(marks.get((d, p), ".") for p in range(box.left, box.right + 1))
        for d in range(box.top, box.bottom + 1)
    ]


def drawn_windows(settings: PeakSumSettings) -> dict[str, Mapping[Offset, str]]:
    """Return the marks of every window of the settings by its name.

    >>> list(drawn_windows(PeakSumSettings(seed_window=(3, 3), pileup=("donut",))))
    ['search window', 'seed window', 'sum window', 'pile-up donut']
    """
    windows: dict[str, Mapping[Offset, str]] = {"search window": settings.comparison_marks()}
    if len(settings.seed_cells()) > 1:
        windows["seed window"] = window_marks(settings.seed_window)
    return {**windows, "sum window": window_marks(settings.sum_window), **_pileup_windows(settings)}


def legend(settings: PeakSumSettings) -> list[tuple[str, str]]:
    """Return the marks of the drawn windows, each with its meaning.

    >>> [mark for mark, _ in legend(PeakSumSettings(tie_rule="all"))]
    ['o', '=', 'x']
    """
    windows = drawn_windows(settings)
    search, cells = (set("".join(drawn_lines(windows[f"{word} window"]))) for word in ("search", "sum"))
    meanings = [("o", "the seed")]
    if ">" in search:
        meanings.append((">", "the seed must exceed this cell"))
    if "=" in search:
        meanings.append(("=", "the seed may equal this cell, not be below it"))
    if TIE_RULES[settings.tie_rule].decides_by == "index" and len(meanings) > 1:
        mark, meaning = meanings[-1]
        meanings[-1] = (mark, f"{meaning}; across a seam the index in the grid decides")
    if "x" in cells | search:
        meanings.append(
            ("x", "added" if "x" not in search else "added; in the search window: excluded by the seed")
        )
    if "g" in cells:
        meanings.append(("g", "gated: added only if the cell one step nearer to the seed is added"))
    if settings.pileup:
        meanings.append(("s", "used by the pile-up estimate"))
    return meanings


def discriminant_unit(settings: PeakSumSettings, grid: Grid) -> str:
    """Return the unit of the discriminant: that of the cells, counts of the grid, or the noise."""
    if settings.quantity == "significance":
        return "sigma"
    return grid.energy_unit if grid.scale == 1 else f"counts of {grid.scale:g} GeV"


def cell_positions(grid: Grid, row: int, col: int) -> list[str]:
    """Return the index of a cell along each axis, with its position and label if the axis has them.

    >>> from hep_peaksum.library.geometries import named_grid
    >>> cell_positions(named_grid("cms-l1-towers"), 0, 0)
    ['row 0: eta -5.04, label -41', 'col 0: phi 0.04363, label 1']
    """
    lines = []
    for word, index, axis in (("row", row, grid.rows), ("col", col, grid.cols)):
        details = []
        if axis.centres is not None:
            unit = f" {axis.field_unit}" if axis.unit else ""
            details.append(f"{axis.name or 'position'} {axis.centres[index]:.4g}{unit}")
        if axis.label_values is not None:
            details.append(f"label {axis.label_values[index]}")
        lines.append(f"{word} {index}" + f": {', '.join(details)}" * bool(details))
    return lines


def _pileup_windows(settings: PeakSumSettings) -> dict[str, Mapping[Offset, str]]:
    """Return the cells of each pile-up estimate, `s`, beside the `x` of the sum window; equal windows as one.

    Of a φ-ring only the part near the window is drawn, along the columns unless the estimate names the rows.
    """
    window = {**dict.fromkeys(settings.sum_cells(), "x"), (0, 0): "o"}
    box, names = Box.around(list(window)), dict[frozenset[Offset], list[str]]()
    for estimate in settings.pileup:
        cells = estimate_offsets(estimate, settings)
        if estimate.kind == "phi_ring":
            is_along_rows = estimate.axis == "rows"
            low, high, k = (box.left, box.right, 1) if is_along_rows else (box.top, box.bottom, 0)
            cells = tuple(cell for cell in box.ring(RING_DRAWN) if low <= cell[k] <= high)
        names.setdefault(frozenset(cells), []).append(estimate.name)
    return {
        f"pile-up {', '.join(group)}": {**dict.fromkeys(sorted(cells), "s"), **window}
        for cells, group in names.items()
    }


def pileup_in_words(estimate: Pileup, settings: PeakSumSettings) -> str:
    """Return the definition of a pile-up estimate."""
    n_cells = len(settings.sum_cells())
    beyond = {
        "zero": "cells beyond an edge count as 0",
        "strip": "cells beyond an edge count as 0, as does a strip that is not wholly before its edge",
        "existing": "cells beyond an edge do not count",
    }[estimate.edge]
    if estimate.has_strips:
        box = Box.around(list(settings.sum_cells()))
        length, depth = estimate.length or box.right - box.left + 1, estimate.depth or 1
        strips = "the three smallest" if estimate.kind == "chunky_donut" else "4 x the middle two"
        text = f"{strips} of the four strips of {length} x {depth} cells along the window"
    elif estimate.kind == "phi_ring":
        without = "" if estimate.includes_cluster else ", without the cluster"
        along = {None: "the periodic axis", "rows": "the rows", "cols": "the columns"}[estimate.axis]
        text = f"the full rings through the window along {along}{without}"
    else:
        text = f"the median of the ring of depth {estimate.depth} around the window"
    return f"{text}, scaled to the {n_cells} cells of the window; {beyond}"


def settings_in_words(settings: PeakSumSettings) -> list[tuple[str, str]]:
    """Return everything that the drawn windows do not show, as pairs of a term and its text.

    >>> settings_in_words(PeakSumSettings(seed_threshold="4 GeV"))[0]
    ('seed threshold', '> 4 GeV')
    >>> settings_in_words(PeakSumSettings(max_clusters=1))[-1]
    ('selected', 'the cluster of an event with the largest sum')
    """
    lines = [*_discriminant_in_words(settings), *_seeds_in_words(settings), *_sums_in_words(settings)]
    lines += [(f"pile-up {each.name}", pileup_in_words(each, settings)) for each in settings.pileup]
    if settings.net_estimate is not None and len(settings.pileup) > 1:
        lines.append(("net", f"the sum minus {settings.net_estimate.name}"))
    if settings.pileup and settings.saturated_seeds:
        codes = ", ".join(map(str, settings.saturated_seeds))
        net = "the sum" if settings.saturated_net is None else f"{settings.saturated_net} counts"
        lines.append(("saturated seeds", f"{codes}: no pile-up is subtracted, net is {net}"))
    return lines + _cuts_in_words(settings)


def _discriminant_in_words(s: PeakSumSettings) -> list[tuple[str, str]]:
    lines = []
    if s.coarsen != (1, 1):
        pooled = "the sum" if s.pool_by == "sum" else "the highest"
        cells = ", but the cells in them are added" if s.sum_over == "cells" else ""
        partial = "; the last may be smaller" if s.allow_partial_towers else ""
        size = f"{s.coarsen[0]} x {s.coarsen[1]} cells"
        above = "" if s.pool_threshold is None else f"; cells not above {s.pool_threshold} count as 0"
        lines.append(("towers", f"{pooled} of {size}; windows count towers{cells}{partial}{above}"))
    if not s.seed_is_cell:
        value = "energy over noise" if s.quantity == "significance" else "the sum"
        where = "of the seed window" if len(s.seed_cells()) > 1 else "of the cell"
        whole = "" if s.partial_seed_windows else "; only where the whole seed window lies in the grid"
        lines.append(("compared", f"{value} {where}{whole}"))
    return lines


def _seeds_in_words(s: PeakSumSettings) -> list[tuple[str, str]]:
    sigma = " sigma" if s.quantity == "significance" and not isinstance(s.seed_threshold, str) else ""
    tie = f"{s.tie_rule}: {TIE_RULES[s.tie_rule].meaning}"
    if s.is_greedy:
        tie += f"; of equal ones the {'lower' if s.greedy_ties == 'first' else 'higher'} (row, col) first"
    lines = [("seed threshold", f"{s.seed_comparison} {s.seed_threshold}{sigma}"), ("tie rule", tie)]
    if s.group is not None:
        joined = "common edges" if s.group == "edges" else "common edges or corners"
        seedless = "is dropped" if s.seedless_groups == "drop" else "has its highest cell as seed"
        text = f"cells above the cell threshold, joined by {joined}; only cells of one group are compared"
        lines.append(("groups", f"{text}; a group without a seed {seedless}"))
    if not s.partial_search_windows:
        lines.append(("edges", "a cell whose search window reaches beyond an edge is not a seed"))
    return lines


def _sums_in_words(s: PeakSumSettings) -> list[tuple[str, str]]:
    lines = []
    if s.cell_threshold is not None:
        condition = f"{s.cell_comparison} {s.cell_threshold}"
        subject = "a cell is added if its absolute value is" if s.cell_threshold_abs else "a cell is added if"
        lines.append(("cell threshold", f"{subject} {condition}"))
    if s.keep_stronger_side is not None:
        sides = "rows" if s.keep_stronger_side == "rows" else "columns"
        lines.append(
            ("stronger side", f"of lower and higher {sides} only the side with the larger sum is added")
        )
    if len(s.sum_cells()) > 1:
        first = "a cell of several windows belongs to the first seed"
        lines.append(("overlap", first if s.removes_cells else f"{s.overlap}: {OVERLAPS[s.overlap]}"))
    return lines


def _cuts_in_words(s: PeakSumSettings) -> list[tuple[str, str]]:
    lines = []
    if s.sum_threshold is not None:
        lines.append(("sum threshold", f"{s.sum_threshold_on} {s.sum_comparison} {s.sum_threshold}"))
    if s.min_seed_gap is not None:
        lines.append(("seed gap", f">= {s.min_seed_gap} above the highest other cell of the search window"))
    if s.min_prominence is not None:
        lines.append(("prominence", f">= {s.min_prominence} above the saddle to anything higher"))
    if s.min_neighbours:
        lines.append(
            ("neighbours", f"at least {s.min_neighbours} cells of the search window > {s.neighbour_threshold}")
        )
    if s.max_clusters is not None:
        where = "an event" if s.max_clusters_per == "event" else f"each region of {s.max_clusters_per!r}"
        n, word = s.max_clusters, s.max_clusters_by
        which = (
            f"cluster of {where} with the largest {word}"
            if n == 1
            else f"{n} clusters of {where} with the largest {word}s"
        )
        lines.append(("selected", f"the {which}"))
    if s.position != "seed":
        lines.append(("position", f"barycentre with {s.position} weights"))
    return lines
