"""Settings as a physicist reads them: the comparison in every cell of a window, and the rest in words.

Used by what the commands print and by pictures alike; nothing here looks at energies.
"""

from __future__ import annotations

from collections.abc import Mapping

from hep_peaksum.clustering.pileup import reach
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
    "full": "seeds, sums and all that is listed here, as published",
}
RING_DRAWN = 3  # cells of a phi ring to either side of the window


def comparisons(settings: PeakSumSettings) -> dict[Offset, str]:
    """Return the comparison in every cell of the search window: `>` must be exceeded, `=` may be equalled.

    Rules that order cells by their place in the grid (`first`, `last`) are given as they are away from a seam.
    Where cells are not compared (`greedy-residual`) they are `x`.

    >>> comparisons(PeakSumSettings(search_window=(1, 3)))
    {(0, -1): '>', (0, 0): 'o', (0, 1): '='}
    """
    if settings.tie_rule == "greedy-residual":
        return window_marks(settings.search_window)
    marks = {(0, 0): "o"}
    for cell in settings.search_cells():
        place = (cell.row, cell.col)
        marks[place] = ">" if cell.must_be_exceeded(has_lower_index=place < (0, 0)) else "="
    return dict(sorted(marks.items()))


def lines(marks: Mapping[Offset, str]) -> list[str]:
    """Return a window as it is drawn, a line a row, `.` where there is no cell.

    >>> lines({(0, 0): "o", (1, 1): "x"})
    ['o.', '.x']
    """
    box = Box.around(list(marks))
    return [
        "".join(marks.get((d, p), ".") for p in range(box.left, box.right + 1))
        for d in range(box.top, box.bottom + 1)
    ]


def windows(settings: PeakSumSettings) -> dict[str, dict[Offset, str]]:
    """Return the marks of every window there is to draw, by its name.

    >>> list(windows(PeakSumSettings(seed_window=(3, 3), pileup=("donut",))))
    ['search window', 'seed window', 'sum window', 'pile-up donut']
    """
    drawn = {"search window": comparisons(settings)}
    if len(settings.seed_cells()) > 1:
        drawn["seed window"] = window_marks(settings.seed_window)
    return {**drawn, "sum window": window_marks(settings.sum_window), **_estimates(settings)}


def legend(settings: PeakSumSettings) -> list[tuple[str, str]]:
    """Return what the marks mean that the windows are drawn with.

    >>> [mark for mark, _ in legend(PeakSumSettings(tie_rule="all"))]
    ['o', '=', 'x']
    """
    search, cells = (set("".join(lines(windows(settings)[f"{word} window"]))) for word in ("search", "sum"))
    meanings = [("o", "the seed")]
    if ">" in search:
        meanings.append((">", "the seed must exceed this cell"))
    if "=" in search:
        meanings.append(("=", "the seed may equal this cell, not be below it"))
    if settings.tie_rule in ("first", "last") and len(meanings) > 1:
        meanings[-1] = (meanings[-1][0], f"{meanings[-1][1]}; across a seam its place in the grid counts")
    if "x" in cells | search:
        meanings.append(
            ("x", "added" if "x" not in search else "added; in the search window: out of the running")
        )
    if "g" in cells:
        meanings.append(("g", "gated: added only if the cell one step nearer to the seed is added"))
    if settings.pileup:
        meanings.append(("s", "looked at by the pile-up estimate"))
    return meanings


def unit_word(grid: Grid) -> str:
    """Return the unit of a sum: counts where nobody said what a count is."""
    return "counts" if grid.rows.name is grid.cols.name is None and grid.unit == 1 else "GeV"


def compared_unit(settings: PeakSumSettings, grid: Grid) -> str:
    """Return the unit of what is compared: that of the cells, of the grid's counts, or the noise."""
    if settings.quantity == "significance":
        return "sigma"
    word = unit_word(grid)
    return word if word == "counts" or grid.unit == 1 else f"counts of {grid.unit:g} GeV"


def places(grid: Grid, row: int, col: int) -> list[str]:
    """Return where a cell lies on each axis, as far as the grid tells.

    >>> from hep_peaksum.library.geometries import named_grid
    >>> places(named_grid("cms-l1-towers"), 0, 0)
    ['row 0: eta -5.04, label -41', 'col 0: phi 0.04363, label 1']
    """
    said = []
    for word, place, axis in (("row", row, grid.rows), ("col", col, grid.cols)):
        known = []
        if axis.centres is not None:
            known.append(
                f"{axis.name or 'position'} {axis.centres[place]:.4g}" + f" {axis.unit}" * bool(axis.unit)
            )
        if axis.label_values is not None:
            known.append(f"label {axis.label_values[place]}")
        said.append(f"{word} {place}" + f": {', '.join(known)}" * bool(known))
    return said


def _estimates(settings: PeakSumSettings) -> dict[str, dict[Offset, str]]:
    """Return where each pile-up estimate looks, `s` beside the `x` of the sum window; equal ones in one.

    Of a phi ring only the part near the window is drawn, along the columns unless the estimate names the rows.
    """
    window = {**dict.fromkeys(settings.sum_cells(), "x"), (0, 0): "o"}
    box, names = Box.around(list(window)), dict[frozenset[Offset], list[str]]()
    for wanted in settings.pileup:
        cells = reach(wanted, settings)
        if wanted.kind == "phi_ring":
            rows = wanted.axis == "rows"
            low, high, place = (box.left, box.right, 1) if rows else (box.top, box.bottom, 0)
            cells = tuple(cell for cell in box.ring(RING_DRAWN) if low <= cell[place] <= high)
        names.setdefault(frozenset(cells), []).append(wanted.name)
    return {
        f"pile-up {', '.join(each)}": {**dict.fromkeys(sorted(cells), "s"), **window}
        for cells, each in names.items()
    }


def pileup_words(wanted: Pileup, settings: PeakSumSettings) -> str:
    """Return what a pile-up estimate is."""
    n_cells = len(settings.sum_cells())
    beyond = {
        "zero": "cells beyond an edge count 0",
        "strip": "a strip partly beyond an edge counts 0",
        "existing": "cells beyond an edge do not count",
    }[wanted.edge]
    if wanted.has_strips:
        box = Box.around(list(settings.sum_cells()))
        length, depth = wanted.length or box.right - box.left + 1, wanted.depth or 1
        which = "the three smallest" if wanted.kind == "chunky_donut" else "4 x the two in the middle"
        words = f"{which} of the four strips of {length} x {depth} cells along the window"
    elif wanted.kind == "phi_ring":
        without = "" if wanted.includes_cluster else ", the cluster left out"
        along = {None: "the periodic axis", "rows": "the rows", "cols": "the columns"}[wanted.axis]
        words = f"the full rings through the window along {along}{without}"
    else:
        words = f"the median of the ring of depth {wanted.depth} around the window"
    return f"{words}, scaled to the {n_cells} cells of the window; {beyond}"


def words(settings: PeakSumSettings) -> list[tuple[str, str]]:
    """Return what windows do not show, line by line: the word for it, and what it is.

    >>> words(PeakSumSettings(seed_threshold="4 GeV"))[0]
    ('seed threshold', '> 4 GeV')
    """
    s, said = settings, []
    if s.coarsen != (1, 1):
        pooled = "the sum" if s.pool_by == "sum" else "the highest"
        cells = ", but the cells in them are added" if s.sum_over == "cells" else ""
        partial = "; the last may be smaller" if s.allow_partial_towers else ""
        said.append(
            (
                "towers",
                f"{pooled} of {s.coarsen[0]} x {s.coarsen[1]} cells; windows count towers{cells}{partial}",
            )
        )
    if not s.seed_is_cell:
        what = "energy over noise" if s.quantity == "significance" else "the sum"
        about = "of the seed window" if len(s.seed_cells()) > 1 else "of the cell"
        whole = "" if s.partial_seed_windows else "; only where the whole seed window lies in the grid"
        said.append(("compared", f"{what} {about}{whole}"))
    sigma = " sigma" if s.quantity == "significance" and not isinstance(s.seed_threshold, str) else ""
    said += [
        ("seed threshold", f"{s.seed_comparison} {s.seed_threshold}{sigma}"),
        ("tie rule", f"{s.tie_rule}: {TIE_RULES[s.tie_rule].meaning}{_greedy_order(s)}"),
    ]
    if s.cell_threshold is not None:
        of = "the absolute value of a cell" if s.cell_threshold_abs else "a cell"
        said.append(("cell threshold", f"{of} is added if {s.cell_comparison} {s.cell_threshold}"))
    if s.keep_stronger_side is not None:
        along = "row" if s.keep_stronger_side == "rows" else "column"
        said.append(
            ("stronger side", f"of lower and higher {along}s only the side with the larger sum is added")
        )
    taken = s.tie_rule == "greedy-residual"
    if len(s.sum_cells()) > 1:
        first = "a cell of several windows belongs to the first seed"
        said.append(("overlap", first if taken else f"{s.overlap}: {OVERLAPS[s.overlap]}"))
    said += [(f"pile-up {wanted.name}", pileup_words(wanted, s)) for wanted in s.pileup]
    if s.net_estimate is not None and len(s.pileup) > 1:
        said.append(("net", f"the sum minus {s.net_estimate.name}"))
    return said + _cuts(s)


def _greedy_order(settings: PeakSumSettings) -> str:
    if not settings.is_greedy:
        return ""
    return f"; of equal ones the {'lower' if settings.greedy_ties == 'first' else 'higher'} (row, col) first"


def _cuts(s: PeakSumSettings) -> list[tuple[str, str]]:
    said = []
    if s.sum_threshold is not None:
        said.append(("sum threshold", f"{s.sum_threshold_on} {s.sum_comparison} {s.sum_threshold}"))
    if s.min_seed_gap is not None:
        said.append(("seed gap", f">= {s.min_seed_gap} above the highest other cell of the search window"))
    if s.min_prominence is not None:
        said.append(("prominence", f">= {s.min_prominence} above the saddle to anything higher"))
    if s.min_neighbours:
        said.append(
            ("neighbours", f"at least {s.min_neighbours} of the search window > {s.neighbour_threshold}")
        )
    if s.max_clusters is not None:
        said.append(("kept", f"the {s.max_clusters} clusters of an event with the largest sums"))
    if s.position != "seed":
        said.append(("position", f"barycentre with {s.position} weights"))
    return said
