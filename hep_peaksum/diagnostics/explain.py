"""Why a cell is a seed or not: the neighbours, the comparison and the threshold that decide.

The rules are those of the settings and the seeds those of `find_peaks`: there is no second search here.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.find import find_peaks, settings_apart
from hep_peaksum.clustering.records import cuts, selected
from hep_peaksum.clustering.seeding import exclusion_windows, may_seed, order_by_height
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.geometry.grid import Grid, one_event
from hep_peaksum.kernels import Array, SearchCell, absent
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.settings.model import PeakSumSettings

DIGITS, DIGITS_OF_DOUBLES = 6, 15  # of a value in words, and those that a double always holds


def in_digits(*values: float) -> list[str]:
    """Return values as text: whole numbers as they are, others with as few digits as tell them apart.

    >>> in_digits(0.2010592520236969, 0.6425705552101135, 1234567.0)
    ['0.201059', '0.642571', '1234567']
    >>> in_digits(0.10000000149011612, 0.10000000894069672)
    ['0.1', '0.10000001']
    """
    for digits in range(DIGITS, DIGITS_OF_DOUBLES + 3):
        texts = [str(v) if isinstance(v, int) else _in_digits(v, digits) for v in values]
        if len({*texts}) == len({*values}):
            break
    return texts


def _in_digits(value: float, digits: int) -> str:
    is_count = float(value).is_integer() and abs(value) < 10.0**DIGITS_OF_DOUBLES
    return f"{value:.0f}" if is_count else f"{value:.{digits}g}"


class Neighbour(NamedTuple):
    """A cell of the search window, its value, and the comparison that the seed needs with it, `>` or `>=`."""

    row: int
    col: int
    value: float
    needed: str

    def __str__(self) -> str:
        return self.beating(*in_digits(self.value))

    def beating(self, value: str) -> str:
        """Return that it beats a cell, with its value as text."""
        return f"cell (row {self.row}, col {self.col}) holds {value}, and the seed must be {self.needed} it"


class Explanation(NamedTuple):
    """Why a cell is a seed or not: its value, the threshold, and the cells of its search window that beat it.

    `value` is the discriminant, which is compared. `removed_by` is the higher seed that excludes this one under
    a greedy rule or `suppress`; `dropped_by` names the cuts that the cluster of a seed fails. `neighbours` are
    all cells that it was compared with, `beaten_by` those that beat it. `excluded_by` says why it is no
    candidate, whatever its neighbours are. `leads_seedless_group` is True for the highest cell of a group that
    has no other seed, where that one is a seed. `n_layers` are the layers that were summed before the search.
    """

    row: int
    col: int
    value: float
    threshold: str
    passes_threshold: bool
    beaten_by: tuple[Neighbour, ...]
    is_masked: bool = False
    removed_by: tuple[int, int] | None = None
    dropped_by: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    excluded_by: str | None = None
    leads_seedless_group: bool = False
    n_layers: int = 1

    @property
    def deciding(self) -> Neighbour | None:
        """The highest cell that beats this one, the first of equal ones; None if none does."""
        return max(self.beaten_by, key=lambda neighbour: neighbour.value, default=None)

    @property
    def is_seed(self) -> bool:
        """Whether the cell is a seed."""
        is_maximum = self.passes_threshold and not self.beaten_by
        is_excluded = self.is_masked or self.excluded_by is not None or self.removed_by is not None
        return self.leads_seedless_group or (is_maximum and not is_excluded)

    def __str__(self) -> str:
        if self.is_masked:
            return f"cell (row {self.row}, col {self.col}) is masked: no seed"
        own, *other = in_digits(self.value, *([self.deciding.value] if self.deciding else []))
        layers = f" in the sum of {self.n_layers} layers" if self.n_layers > 1 else ""
        begin = f"cell (row {self.row}, col {self.col}) holds {own}{layers}"
        if self.is_seed:
            verdict = f"it passes {self.threshold} and beats all other cells of its search window"
            if self.leads_seedless_group:
                verdict = "it is the highest cell of a group without a seed"
            dropped = [f"its cluster is dropped by {cut}" for cut in self.dropped_by]
            return f"{begin}: a seed; " + "; ".join([verdict, *dropped])
        reasons = [] if self.excluded_by is None else [self.excluded_by]
        reasons += [] if self.passes_threshold else [f"it does not pass {self.threshold}"]
        if self.deciding:
            others = len(self.beaten_by) - 1
            reasons.append(self.deciding.beating(*other) + f" (it is beaten by {others} more)" * (others > 0))
        if self.removed_by is not None:
            row, col = self.removed_by
            reasons.append(f"the seed (row {row}, col {col}) was accepted before it and has it in its window")
        return f"{begin}: no seed; " + "; ".join(reasons)


@settings_apart
def explain(
    cells: npt.ArrayLike,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    row: int,
    col: int,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
) -> Explanation:
    """Return why a cell of one event is a seed or not: which neighbour, which comparison, which threshold.

    Parameters
    ----------
    cells
        One event, shape (row, col) or (layer, row, col).
    settings, grid, mask, noise
        As for `hep_peaksum.find_clusters`.
    row, col
        The cell, or the tower where cells are pooled before the search.

    Raises
    ------
    ValueError
        If there is no such cell, and as `find_clusters`.

    >>> print(explain([[1, 2, 2]], row=0, col=2))
    cell (row 0, col 2) holds 2: no seed; cell (row 0, col 1) holds 2, and the seed must be > it
    """
    settings, grid = as_settings(settings), as_grid(grid)
    event = one_event(cells)
    context = find_peaks(event, settings, grid, mask=mask, noise=noise)
    n_rows, n_cols = context.grid.shape
    row, col = operator.index(row), operator.index(col)
    if not (0 <= row < n_rows and 0 <= col < n_cols):
        plane = f"a grid of {n_rows} x {n_cols} cells"
        msg = f"there is no cell (row {row}, col {col}) in {plane}: they count from 0"
        raise ValueError(msg)
    value = context.discriminant[0, row, col].item()
    neighbours = _neighbours(context, row, col, settings)
    beaten_by = tuple(neighbour for neighbour in neighbours if not _beats(value, neighbour))
    is_peak = (context.peaks.row == row) & (context.peaks.col == col)
    passes_threshold = context.passes_seed_threshold(row, col)
    excluded_by = _exclusion(context, row, col, settings)
    may_be_removed = passes_threshold and not beaten_by and not is_peak.any() and excluded_by is None
    return Explanation(
        row=row,
        col=col,
        value=value,
        threshold=f"the seed threshold {settings.seed_comparison} {settings.seed_threshold}",
        passes_threshold=passes_threshold,
        beaten_by=beaten_by,
        is_masked=context.is_absent(row, col),
        removed_by=_remover(context, row, col, settings) if may_be_removed else None,
        dropped_by=_dropping_cuts(context, is_peak),
        neighbours=neighbours,
        excluded_by=excluded_by,
        leads_seedless_group=bool(is_peak.any()) and (bool(beaten_by) or not passes_threshold),
        n_layers=event.shape[1] if event.ndim == 4 else 1,
    )


def _dropping_cuts(context: PeakContext, is_peak: Array) -> tuple[str, ...]:
    """Return the cuts that drop the cluster of a seed, or that it is not among the leading ones."""
    if not is_peak.any():
        return ()
    dropping = tuple(cut for cut, passed in cuts(context).items() if not passed[is_peak][0])
    settings = context.settings
    if not dropping and int(np.argmax(is_peak)) not in selected(context):
        where = f"per {settings.max_clusters_per}" if settings.max_clusters_per != "event" else "of the event"
        dropping = (f"max_clusters {settings.max_clusters} {where}, by {settings.max_clusters_by}",)
    return dropping


def _exclusion(context: PeakContext, row: int, col: int, settings: PeakSumSettings) -> str | None:
    """Return why a cell is not a candidate, or None."""
    groups = context.searched.groups
    if groups is not None and groups[0, row, col] == 0:
        threshold = f"{settings.cell_comparison} {settings.cell_threshold}"
        return f"it does not pass the cell threshold {threshold} and belongs to no group"
    if not may_seed(context.searched, settings)[row, col]:
        return "its search window reaches beyond an edge"
    return None


def _neighbours(context: PeakContext, row: int, col: int, settings: PeakSumSettings) -> tuple[Neighbour, ...]:
    """Return the existing cells of the search window of a cell, and of its group if there are groups.

    There are none where no cells are compared.
    """
    if settings.removes_cells:
        return ()
    event, groups = context.discriminant[0], context.searched.groups
    cells = [_neighbour(event, context.grid, row, col, cell) for cell in settings.search_cells()]
    return tuple(
        cell
        for cell in cells
        if cell is not None and (groups is None or groups[0, cell.row, cell.col] == groups[0, row, col])
    )


def _neighbour(event: Array, grid: Grid, row: int, col: int, cell: SearchCell) -> Neighbour | None:
    """Return the cell at an offset, if it exists, with the comparison that the seed (row, col) needs."""
    r, c = map(int, grid.wrap(np.array(row + cell.row), np.array(col + cell.col)))
    if r < 0 or event[r, c] == absent(event.dtype):
        return None
    is_strict = cell.must_be_exceeded(has_lower_index=(r, c) < (row, col))
    return Neighbour(r, c, event[r, c].item(), ">" if is_strict else ">=")


def _beats(value: float, neighbour: Neighbour) -> bool:
    """Return whether a candidate beats a cell of its search window."""
    return value > neighbour.value if neighbour.needed == ">" else value >= neighbour.value


def _remover(context: PeakContext, row: int, col: int, settings: PeakSumSettings) -> tuple[int, int] | None:
    """Return the highest seed that excludes this cell, because it has it in its window."""
    peaks, groups = context.peaks, context.searched.groups
    if groups is not None:
        peaks = peaks.take(groups[peaks.event, peaks.row, peaks.col] == groups[0, row, col])
    peaks = peaks.take(order_by_height(peaks, settings))
    for offsets in exclusion_windows(settings):
        for r, c in zip(peaks.row.tolist(), peaks.col.tolist(), strict=True):
            rows, cols = context.grid.wrap(*np.add(list(offsets), (r, c)).T)
            if ((rows == row) & (cols == col)).any():
                return r, c
    return None
