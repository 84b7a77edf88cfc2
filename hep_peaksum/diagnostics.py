"""Why a cell is a seed or not, what the tie rule does to the answer, and where two algorithms differ.

Nothing here searches again by other means: the rules are those of `settings`, the seeds those of `peaksum`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clusters import chosen, cuts
from hep_peaksum.grid import Grid
from hep_peaksum.kernels import HIGHER_INDEX_WINS, LOWER_INDEX_WINS, NEIGHBOUR_WINS, Array, Peaks, SearchCell
from hep_peaksum.peaksum import find_peaks
from hep_peaksum.quantity import seed_noise
from hep_peaksum.seeds import pairs_in_window, rank_by_height, seed_bound
from hep_peaksum.settings import PeakSumSettings, TieRule
from hep_peaksum.sums import Found, closed
from hep_peaksum.thresholds import passes

# What can be said of two equal neighbours; a greedy rule is another algorithm, to be looked at with `compare`.
RULES: tuple[TieRule, ...] = ("all", "none", "first", "last", "diagonal", "lexicographic")


class Neighbour(NamedTuple):
    """A cell of the search window that beats the candidate, and by which comparison."""

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
    `dropped_by` names the cuts that a seed's cluster does not pass.
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
            highest, others = (
                max(self.beaten_by, key=lambda neighbour: neighbour.value),
                len(self.beaten_by) - 1,
            )
            reasons.append(f"{highest}" + f" (it is beaten by {others} more)" * (others > 0))
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
    beaten_by = [_compared(event, plane, row, col, cell) for cell in rivals]
    here = (found.peaks.row == row) & (found.peaks.col == col)
    passed = bool(here.any()) or _passes_threshold(found, row, col)
    beaten = tuple(neighbour for neighbour in beaten_by if neighbour is not None)
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
    )


def _passes_threshold(found: Found, row: int, col: int) -> bool:
    """Return whether a cell passes the seed threshold, whatever the cells around it."""
    value, settings = found.quantity[:1, row, col].astype(found.peaks.seed.dtype), found.settings
    bound = seed_bound(settings, found.grid.unit, integer=value.dtype.kind != "f")
    if bound is not None:
        return bool(value[0] >= bound)
    sigma = seed_noise(found.grids, found.grid_noise, settings, found.grid.periodic)[0, row, col]
    return bool(passes(value, settings.seed_threshold, settings.seed_comparison, 1.0, noise=sigma)[0])


def _remover(found: Found, row: int, col: int) -> tuple[int, int] | None:
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
            apart = {
                (int(closed(np.array(r + d), found.grid, 0)), int(closed(np.array(c + p), found.grid, 1)))
                for d, p in offsets
            }
            if (row, col) in apart:
                return r, c
    return None


def _compared(event: Array, grid: Grid, row: int, col: int, cell: SearchCell) -> Neighbour | None:
    """Return the cell of the search window if it beats the candidate."""
    (n_rows, n_cols), (rows_closed, cols_closed) = grid.shape, grid.periodic
    r = (row + cell.row) % n_rows if rows_closed else row + cell.row
    c = (col + cell.col) % n_cols if cols_closed else col + cell.col
    if not (0 <= r < n_rows and 0 <= c < n_cols):
        return None
    is_strict = {
        LOWER_INDEX_WINS: (r, c) < (row, col),
        HIGHER_INDEX_WINS: (r, c) > (row, col),
    }.get(cell.tie, cell.tie == NEIGHBOUR_WINS)
    value, other = event[row, col].item(), event[r, c].item()
    wins = value > other if is_strict else value >= other
    return None if wins else Neighbour(r, c, other, ">" if is_strict else ">=")


class TieAudit(NamedTuple):
    """What the tie rule does to the answer.

    `n_seeds` and `n_lost` are per rule: how many seeds there are, and in how many groups of equal cells, all of
    which would be seeds if ties were kept, none is one. Directional rules lose closed rings on a periodic axis;
    any rule may lose a cell to an equal one on the shoulder of a higher maximum, which is no seed itself.
    """

    n_events: int
    n_dependent: int
    n_groups: int
    n_seeds: Mapping[str, int]
    n_lost: Mapping[str, int]

    @property
    def fraction_dependent(self) -> float:
        """Part of the events whose seeds are not the same under every rule."""
        return self.n_dependent / self.n_events if self.n_events else 0.0


def audit_ties(
    grids: npt.ArrayLike, settings: PeakSumSettings | None = None, grid: Grid | None = None
) -> TieAudit:
    """Return how much of the answer depends on the tie rule.

    Parameters
    ----------
    grids, settings, grid
        As for `hep_peaksum.find_clusters`. The tie rule of the settings plays no part; windows drawn with `>`
        and `=` are taken as the cells that they name.

    >>> audit = audit_ties([[[0, 2, 2, 0]]])
    >>> audit.n_seeds["all"], audit.n_seeds["first"], audit.n_seeds["none"], audit.n_dependent
    (2, 1, 0, 1)
    """
    settings = settings or PeakSumSettings()
    found = {rule: find_peaks(grids, _with_rule(settings, rule), grid) for rule in RULES}
    every = found["all"]
    shape = every.grids.shape
    seeds = {
        rule: np.ravel_multi_index((f.peaks.event, f.peaks.row, f.peaks.col), shape)
        for rule, f in found.items()
    }
    # every rule keeps what `none` keeps and nothing that `all` does not
    depends = np.setdiff1d(seeds["all"], seeds["none"])
    group = _tied_groups(every.peaks, every.grid, settings)
    tied = np.flatnonzero(np.bincount(group) > 1)
    alive = {rule: np.unique(group[np.isin(seeds["all"], numbers)]) for rule, numbers in seeds.items()}
    return TieAudit(
        n_events=shape[0],
        n_dependent=len(np.unique(depends // max(1, shape[1] * shape[2]))),
        n_groups=len(tied),
        n_seeds={str(rule): len(numbers) for rule, numbers in seeds.items()},
        n_lost={str(rule): len(np.setdiff1d(tied, groups)) for rule, groups in alive.items()},
    )


def _with_rule(settings: PeakSumSettings, rule: str) -> PeakSumSettings:
    """Return the settings with another tie rule; a window that carries its own becomes one that does not."""
    values: dict[str, Any] = settings.model_dump(exclude_defaults=True)
    window = values.get("search_window")
    if isinstance(window, str):
        values["search_window"] = window.replace(">", "x").replace("=", "x")
    return PeakSumSettings(**{**values, "tie_rule": rule, "max_clusters": None})


def _tied_groups(peaks: Peaks, grid: Grid, settings: PeakSumSettings) -> Array:
    """Return the number of the group of every peak: equal peaks in each other's search windows are of one."""
    from scipy.sparse import coo_array  # noqa: PLC0415 -- slow to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 -- slow to import

    window = [(cell.row, cell.col) for cell in settings.search_cells()]
    first, second = pairs_in_window(peaks, window, grid)
    equal = peaks.seed[first] == peaks.seed[second]
    first, second, n = first[equal], second[equal], len(peaks.event)
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


class Comparison(NamedTuple):
    """Where two algorithms agree and where they do not.

    Arrays with an entry for every cluster that either found: `event`, `row`, `col`; `in_a` and `in_b`, whether
    the first and the second found it; `sum_a` and `sum_b`, their sums, 0 where there is none.
    """

    event: Array
    row: Array
    col: Array
    in_a: Array
    in_b: Array
    sum_a: Array
    sum_b: Array

    @property
    def n_matched(self) -> int:
        """Clusters with the same seed in both."""
        return int((self.in_a & self.in_b).sum())

    @property
    def n_only_a(self) -> int:
        """Clusters that only the first found."""
        return int((~self.in_b).sum())

    @property
    def n_only_b(self) -> int:
        """Clusters that only the second found."""
        return int((~self.in_a).sum())

    @property
    def n_different_sums(self) -> int:
        """Clusters with the same seed and another sum."""
        return int((self.in_a & self.in_b & (self.sum_a != self.sum_b)).sum())


def compare(
    grids: npt.ArrayLike, settings_a: PeakSumSettings, settings_b: PeakSumSettings, grid: Grid | None = None
) -> Comparison:
    """Return where two settings differ on the same grids, cluster by cluster, matched by their seed.

    >>> both = compare([[[0, 2, 2, 0]]], PeakSumSettings(tie_rule="all"), PeakSumSettings())
    >>> both.n_matched, both.n_only_a, both.n_only_b
    (1, 1, 0)
    """
    cells, sums = [], []
    for settings in (settings_a, settings_b):
        found = find_peaks(grids, settings, grid)
        peaks = found.peaks.take(chosen(found))
        cells.append(np.ravel_multi_index((peaks.event, peaks.row, peaks.col), found.grids.shape))
        sums.append(peaks.sum)
    either = np.union1d(*cells)
    joined = np.zeros((2, len(either)), sums[0].dtype)
    for k in (0, 1):
        joined[k, np.searchsorted(either, cells[k])] = sums[k]
    event, row, col = np.unravel_index(either, found.grids.shape)
    return Comparison(event, row, col, np.isin(either, cells[0]), np.isin(either, cells[1]), *joined)
