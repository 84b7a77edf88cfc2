"""Why a cell is a seed or not, and where two algorithms differ; what the tie rule does stands in `tie_audit`.

Nothing here searches again by other means: the rules are those of `settings`, the seeds those of `peaksum`.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.discriminant import seed_noise
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cuts
from hep_peaksum.clustering.seeding import rank_by_height, seed_bound
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, SearchCell, absent
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import passes


class Neighbour(NamedTuple):
    """A cell of the search window, what it holds, and how the candidate has to compare with it."""

    row: int
    col: int
    value: float
    needed: str

    def __str__(self) -> str:
        return (
            f"cell (row {self.row}, col {self.col}) holds {self.value}, and the seed must be {self.needed} it"
        )


class Explanation(NamedTuple):
    """What decided about a cell: its value, the threshold, and the cells of its search window that beat it.

    `value` is what is compared. `removed_by` is the seed that a greedy rule or `suppress` took before this one;
    `dropped_by` names the cuts that a seed's cluster does not pass. `neighbours` are all cells that were
    compared with it, `beaten_by` those of them that beat it.
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
        """The highest of the cells that beat this one, the first of equal ones; None if none does."""
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
            said = f"{begin}: a seed; it passes {self.threshold} and beats its search window"
            return said + "".join(f"; its cluster is dropped by {cut}" for cut in self.dropped_by)
        reasons = [] if self.passes_threshold else [f"it does not pass {self.threshold}"]
        if self.beaten_by:
            others = len(self.beaten_by) - 1
            reasons.append(f"{self.deciding}" + f" (it is beaten by {others} more)" * (others > 0))
        if self.removed_by is not None:
            row, col = self.removed_by
            reasons.append(f"the seed (row {row}, col {col}) was taken before and has it in its window")
        return f"{begin}: no seed; " + "; ".join(reasons)


def explain(
    cells: npt.ArrayLike,
    settings: PeakSumSettings | None = None,
    grid: Grid | None = None,
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
        The cell; the tower, where cells are pooled before the search.

    Raises
    ------
    ValueError
        If there is no such cell, or what `find_clusters` refuses.

    >>> print(explain([[1, 2, 2]], row=0, col=2))
    cell (row 0, col 2) holds 2: no seed; cell (row 0, col 1) holds 2, and the seed must be > it
    """
    settings = settings or PeakSumSettings()
    found = find_peaks(np.asarray(cells)[None], settings, grid, mask=mask, noise=noise)
    plane, event = found.grid, found.quantity[0]
    row, col = operator.index(row), operator.index(col)
    if not (0 <= row < plane.shape[0] and 0 <= col < plane.shape[1]):
        msg = f"there is no cell (row {row}, col {col}) in a grid of {plane.shape[0]} x {plane.shape[1]} cells"
        raise ValueError(msg)
    value = event[row, col].item()
    is_greedy = settings.tie_rule == "greedy-residual"
    rivals = () if is_greedy else settings.search_cells()
    near = [_compared(event, plane, row, col, cell) for cell in rivals]
    neighbours = tuple(neighbour for neighbour in near if neighbour is not None)
    beaten = tuple(neighbour for neighbour in neighbours if not _beats(value, neighbour))
    here = (found.peaks.row == row) & (found.peaks.col == col)
    passed = bool(here.any()) or _passes_threshold(found, row, col)
    return Explanation(
        row=row,
        col=col,
        value=value,
        threshold=f"the seed threshold {settings.seed_comparison} {settings.seed_threshold}",
        passes_threshold=passed,
        beaten_by=beaten,
        is_masked=found.is_absent(row, col),
        removed_by=None if here.any() or beaten or not passed else _remover(found, row, col),
        dropped_by=tuple(cut for cut, keep in cuts(found).items() if here.any() and not keep[here][0]),
        neighbours=neighbours,
    )


def _passes_threshold(found: PeakContext, row: int, col: int) -> bool:
    """Return whether a cell passes the seed threshold, whatever the cells around it."""
    value, settings = found.quantity[:1, row, col].astype(found.peaks.seed.dtype), found.settings
    bound = seed_bound(settings, found.grid.unit, integer=value.dtype.kind != "f")
    if bound is not None:
        return bool(value[0] >= bound)
    sigma = seed_noise(found.grids, found.grid_noise, settings, found.grid.periodic)[0, row, col]
    return bool(passes(value, settings.seed_threshold, settings.seed_comparison, 1.0, noise=sigma)[0])


def _remover(found: PeakContext, row: int, col: int) -> tuple[int, int] | None:
    """Return the seed that was taken before this cell and has it in its window, the highest of several."""
    settings, windows = found.settings, []
    search = {(cell.row, cell.col) for cell in settings.search_cells()}
    if settings.is_greedy:
        windows.append(
            search | (set(settings.sum_cells()) if settings.tie_rule == "greedy-residual" else set())
        )
    if settings.overlap == "suppress":
        windows.append(set(settings.sum_cells()))
    for offsets in windows:
        peaks = found.peaks.take(rank_by_height(found.peaks, settings))
        for r, c in zip(peaks.row.tolist(), peaks.col.tolist(), strict=True):
            rows, cols = found.grid.wrap(*np.add(list(offsets), (r, c)).T)
            if ((rows == row) & (cols == col)).any():
                return r, c
    return None


def _compared(event: Array, grid: Grid, row: int, col: int, cell: SearchCell) -> Neighbour | None:
    """Return a cell of the search window, if there is one, and how the candidate must compare with it."""
    r, c = map(int, grid.wrap(np.array(row + cell.row), np.array(col + cell.col)))
    if r < 0 or event[r, c] == absent(event.dtype):
        return None
    is_strict = cell.must_be_exceeded(has_lower_index=(r, c) < (row, col))
    return Neighbour(r, c, event[r, c].item(), ">" if is_strict else ">=")


def _beats(value: float, neighbour: Neighbour) -> bool:
    """Return whether a candidate beats a cell of its search window."""
    return value > neighbour.value if neighbour.needed == ">" else value >= neighbour.value
