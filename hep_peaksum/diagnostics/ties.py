"""What the tie rule does to the answer: the seeds of every rule, and the equal cells that are lost.

Apart from `diagnostics`, which looks at single cells and at two algorithms: here all rules are tried in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.seeding import pairs_in_window
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Peaks
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.tie_rules import TieRule

# What can be said of two equal neighbours; a greedy rule is another algorithm, to be looked at with `compare`.
RULES: tuple[TieRule, ...] = ("all", "none", "first", "last", "diagonal", "lexicographic")
DIRECTIONAL = ("diagonal", "lexicographic")
AXES = {(True, False): "rows", (False, True): "cols", (True, True): "rows and cols"}


class Ring(NamedTuple):
    """Equal cells that close around a periodic axis, so that a rule of direction finds no last one among them.

    `row` and `col` are those of the first cell; `axis` is the one, or are the ones, around which they close.
    """

    event: int
    row: int
    col: int
    n_cells: int
    value: float
    axis: str
    lost_by: tuple[str, ...]
    layer: int = 0


class TieAudit(NamedTuple):
    """What the tie rule does to the answer.

    `n_seeds` and `n_lost` are per rule: how many seeds there are, and in how many groups of equal cells, all of
    which would be seeds if ties were kept, none is one; `n_common` seeds are found by every rule. Directional
    rules lose closed rings on a periodic axis, which `rings` names; any rule may lose a cell to an equal one on
    the shoulder of a higher maximum, which is no seed itself.
    """

    n_events: int
    n_dependent: int
    n_groups: int
    n_seeds: Mapping[str, int]
    n_lost: Mapping[str, int]
    n_common: int = 0
    rings: tuple[Ring, ...] = ()

    @property
    def fraction_dependent(self) -> float:
        """Part of the events whose seeds are not the same under every rule."""
        return self.n_dependent / self.n_events if self.n_events else 0.0

    @property
    def n_rings(self) -> int:
        """Groups of equal cells that close around a periodic axis and leave no seed to a rule of direction."""
        return len(self.rings)

    @classmethod
    def joined(cls, parts: Sequence[TieAudit]) -> TieAudit:
        """Return the audit of all events of blocks that follow one another."""
        starts = np.cumsum([0, *(part.n_events for part in parts)]).tolist()
        return cls(
            n_events=starts[-1],
            n_dependent=sum(part.n_dependent for part in parts),
            n_groups=sum(part.n_groups for part in parts),
            n_seeds={rule: sum(part.n_seeds[rule] for part in parts) for rule in RULES},
            n_lost={rule: sum(part.n_lost[rule] for part in parts) for rule in RULES},
            n_common=sum(part.n_common for part in parts),
            rings=tuple(
                ring._replace(event=ring.event + start)
                for part, start in zip(parts, starts, strict=False)
                for ring in part.rings
            ),
        )


def audit_ties(
    grids: npt.ArrayLike,
    settings: PeakSumSettings | None = None,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
) -> TieAudit:
    """Return how much of the answer depends on the tie rule.

    Parameters
    ----------
    grids, settings, grid, mask, noise, layers
        As for `hep_peaksum.find_clusters`. The tie rule of the settings plays no part; windows drawn with `>`
        and `=` are taken as the cells that they name. Cuts on finished clusters are not made.

    >>> audit = audit_ties([[[0, 2, 2, 0]]])
    >>> audit.n_seeds["all"], audit.n_seeds["first"], audit.n_seeds["none"], audit.n_dependent
    (2, 1, 0, 1)
    """
    settings = settings or PeakSumSettings()
    noise = noise if settings.needs_noise else None
    found = {
        rule: find_peaks(grids, _with_rule(settings, rule), grid, mask=mask, noise=noise, layers=layers)
        for rule in RULES
    }
    every = found["all"]
    shape = every.grids.shape
    seeds = {
        rule: np.ravel_multi_index((f.peaks.event, f.peaks.row, f.peaks.col), shape)
        for rule, f in found.items()
    }
    numbers, n_rules = np.unique(np.concatenate(list(seeds.values())), return_counts=True)
    depends = numbers[n_rules < len(RULES)]
    group = _tied_groups(every.peaks, every.grid, settings)
    tied = np.flatnonzero(np.bincount(group) > 1)
    alive = {rule: np.unique(group[np.isin(seeds["all"], cells)]) for rule, cells in seeds.items()}
    lost = {str(rule): np.setdiff1d(tied, groups) for rule, groups in alive.items()}
    cells_of_event = every.n_layers * shape[1] * shape[2]
    return TieAudit(
        n_events=every.n_events,
        n_dependent=len(np.unique(depends // cells_of_event)),
        n_groups=len(tied),
        n_seeds={str(rule): len(cells) for rule, cells in seeds.items()},
        n_lost={rule: len(groups) for rule, groups in lost.items()},
        n_common=int((n_rules == len(RULES)).sum()),
        rings=_rings(every.peaks, group, lost, every.grid, settings, every.n_layers),
    )


def _with_rule(settings: PeakSumSettings, rule: str) -> PeakSumSettings:
    """Return the settings with another tie rule; a window that carries its own becomes one that does not."""
    values: dict[str, Any] = settings.model_dump(exclude_defaults=True)
    window = values.get("search_window")
    if isinstance(window, str):
        values["search_window"] = window.replace(">", "x").replace("=", "x")
    return PeakSumSettings(**{**values, "tie_rule": rule, "max_clusters": None})


class _Links(NamedTuple):
    """Pairs of equal peaks in each other's search windows, and how far the second is from the first."""

    first: Array
    second: Array
    apart: Array

    @classmethod
    def between(cls, peaks: Peaks, grid: Grid, settings: PeakSumSettings) -> _Links:
        pairs = []
        for cell in settings.search_cells():
            first, second = pairs_in_window(peaks, [(cell.row, cell.col)], grid)
            equal = peaks.seed[first] == peaks.seed[second]
            step = np.broadcast_to(np.array([cell.row, cell.col]), (int(equal.sum()), 2))
            pairs.append((first[equal], second[equal], step))
        if not pairs:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2), np.int64))
        return cls(*(np.concatenate(column) for column in zip(*pairs, strict=True)))


def _tied_groups(peaks: Peaks, grid: Grid, settings: PeakSumSettings) -> Array:
    """Return the number of the group of every peak: equal peaks in each other's search windows are of one."""
    from scipy.sparse import coo_array  # noqa: PLC0415 -- slow to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 -- slow to import

    links, n = _Links.between(peaks, grid, settings), len(peaks)
    graph = coo_array((np.ones(len(links.first), bool), (links.first, links.second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _rings(
    peaks: Peaks,
    group: Array,
    lost: Mapping[str, Array],
    grid: Grid,
    settings: PeakSumSettings,
    n_layers: int,
) -> tuple[Ring, ...]:
    """Return the groups that a rule of direction loses because they close around a periodic axis."""
    by_direction = np.union1d(*(lost[rule] for rule in DIRECTIONAL))
    if not len(by_direction) or not any(grid.periodic):
        return ()
    kept = np.isin(group, by_direction)
    peaks, group = peaks.take(kept), group[kept]
    links = _Links.between(peaks, grid, settings)
    # a step along a link that does not lead from where one cell is to where the other is goes once around
    around = np.diff(_unrolled(links, group)[np.stack([links.first, links.second])], axis=0)[0] != links.apart
    numbers, first, which, n_cells = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    closes = np.zeros((len(numbers), 2), bool)
    np.logical_or.at(closes, which[links.first], around)
    return tuple(
        sorted(
            Ring(
                event=int(peaks.event[first[k]]) // n_layers,
                row=int(peaks.row[first[k]]),
                col=int(peaks.col[first[k]]),
                n_cells=int(n_cells[k]),
                value=peaks.seed[first[k]].item(),
                axis=AXES[closes[k, 0], closes[k, 1]],
                lost_by=tuple(rule for rule in DIRECTIONAL if numbers[k] in lost[rule]),
                layer=int(peaks.event[first[k]]) % n_layers,
            )
            for k in np.flatnonzero(closes.any(axis=1))
        )
    )


def _unrolled(links: _Links, group: Array) -> Array:
    """Return where every peak lies from the first of its group, along some path of links: shape (peak, 2)."""
    from scipy.sparse import coo_array  # noqa: PLC0415 -- slow to import
    from scipy.sparse.csgraph import breadth_first_order  # noqa: PLC0415 -- slow to import

    # one more node, linked to the first peak of every group, so that one walk reaches them all
    n, roots = len(group), np.unique(group, return_index=True)[1]
    first = np.concatenate([links.first, links.second, np.full(len(roots), n)])
    second = np.concatenate([links.second, links.first, roots])
    steps = np.concatenate([links.apart, -links.apart, np.zeros((len(roots), 2), np.int64)])
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(n + 1, n + 1)).tocsr()
    order, before = breadth_first_order(graph, n, directed=True)
    key = first * (n + 1) + second
    by_key = np.argsort(key, kind="stable")
    place: Array = np.zeros((n + 1, 2), np.int64)
    wanted = before[order[1:]].astype(np.int64) * (n + 1) + order[1:]
    step = steps[by_key[np.searchsorted(key[by_key], wanted)]]
    for node, parent, apart in zip(order[1:], before[order[1:]], step, strict=True):
        place[node] = place[parent] + apart
    return place[:n]
