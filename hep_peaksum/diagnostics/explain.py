"""Why a cell is a seed or not: the neighbours, the comparison and the threshold that decide.

The rules are those of the settings and the seeds those of `find_peaks`: there is no second search here.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cuts
from hep_peaksum.clustering.seeding import exclusion_windows, order_by_height
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.geometry.grid import Grid, one_event
from hep_peaksum.kernels import Array, SearchCell, absent
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.settings.model import PeakSumSettings


class Neighbour(NamedTuple):
    """A cell of the search window, its value, and the comparison that the seed needs with it, `>` or `>=`."""

    row: int
    col: int
    value: float
    needed: str

    def __str__(self) -> str:
        return (
            f"cell (row {self.row}, col {self.col}) holds {self.value}, and the seed must be {self.needed} it"
        )


class Explanation(NamedTuple):
    """Why a cell is a seed or not: its value, the threshold, and the cells of its search window that beat it.

    `value` is the discriminant, which is compared. `removed_by` is the higher seed that excludes this one under
    a greedy rule or `suppress`; `dropped_by` names the cuts that the cluster of a seed fails. `neighbours` are
    all cells that it was compared with, `beaten_by` those that beat it.
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

    @property
    def deciding(self) -> Neighbour | None:
        """The highest cell that beats this one, the first of equal ones; None if none does."""
        return max(self.beaten_by, key=lambda neighbour: neighbour.value, default=None)

    @property
    def is_seed(self) -> bool:
        """Whether the cell is a seed."""
        no_rival = not self.beaten_by and self.removed_by is None
        return self.passes_threshold and no_rival and not self.is_masked

    def __str__(self) -> str:
        if self.is_masked:
            return f"cell (row {self.row}, col {self.col}) is masked: no seed"
        begin = f"cell (row {self.row}, col {self.col}) holds {self.value}"
        if self.is_seed:
            verdict = f"it passes {self.threshold} and beats all other cells of its search window"
            dropped = [f"its cluster is dropped by {cut}" for cut in self.dropped_by]
            return f"{begin}: a seed; " + "; ".join([verdict, *dropped])
        reasons = [] if self.passes_threshold else [f"it does not pass {self.threshold}"]
        if self.beaten_by:
            others = len(self.beaten_by) - 1
            reasons.append(f"{self.deciding}" + f" (it is beaten by {others} more)" * (others > 0))
        if self.removed_by is not None:
            row, col = self.removed_by
            reasons.append(f"the seed (row {row}, col {col}) was accepted before it and has it in its window")
        return f"{begin}: no seed; " + "; ".join(reasons)


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
    context = find_peaks(one_event(cells), settings, grid, mask=mask, noise=noise)
    n_rows, n_cols = context.grid.shape
    row, col = operator.index(row), operator.index(col)
    if not (0 <= row < n_rows and 0 <= col < n_cols):
        msg = f"there is no cell (row {row}, col {col}) in a grid of {n_rows} x {n_cols} cells"
        raise ValueError(msg)
    value = context.discriminant[0, row, col].item()
    neighbours = _neighbours(context, row, col, settings)
    beaten_by = tuple(neighbour for neighbour in neighbours if not _beats(value, neighbour))
    is_peak = (context.peaks.row == row) & (context.peaks.col == col)
    passes_threshold = bool(is_peak.any()) or context.passes_seed_threshold(row, col)
    may_be_removed = passes_threshold and not beaten_by and not is_peak.any()
    return Explanation(
        row=row,
        col=col,
        value=value,
        threshold=f"the seed threshold {settings.seed_comparison} {settings.seed_threshold}",
        passes_threshold=passes_threshold,
        beaten_by=beaten_by,
        is_masked=context.is_absent(row, col),
        removed_by=_remover(context, row, col, settings) if may_be_removed else None,
        dropped_by=tuple(
            cut for cut, passed in cuts(context).items() if is_peak.any() and not passed[is_peak][0]
        ),
        neighbours=neighbours,
    )


def _neighbours(context: PeakContext, row: int, col: int, settings: PeakSumSettings) -> tuple[Neighbour, ...]:
    """Return the existing cells of the search window of a cell; none where no cells are compared."""
    if settings.removes_cells:
        return ()
    event = context.discriminant[0]
    cells = [_neighbour(event, context.grid, row, col, cell) for cell in settings.search_cells()]
    return tuple(cell for cell in cells if cell is not None)


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
    peaks = context.peaks.take(order_by_height(context.peaks, settings))
    for offsets in exclusion_windows(settings):
        for r, c in zip(peaks.row.tolist(), peaks.col.tolist(), strict=True):
            rows, cols = context.grid.wrap(*np.add(list(offsets), (r, c)).T)
            if ((rows == row) & (cols == col)).any():
                return r, c
    return None
