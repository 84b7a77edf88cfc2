"""How much of the answer depends on the tie rule: the seeds of every rule, the plateaus that a rule loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.find import find_peaks, settings_apart
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.geometry.grid import Grid, split_mask
from hep_peaksum.kernels import Array, Peaks
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.tie_rules import TIE_RULES

# A drawn rule belongs to its window, and a greedy one is another algorithm, for `compare`.
RULES = tuple(rule for rule, entry in TIE_RULES.items() if entry.decides_by in ("nothing", "index", "offset"))
DIRECTIONAL = tuple(rule for rule in RULES if TIE_RULES[rule].decides_by == "offset")
CLOSED_AXES = {(True, False): "rows", (False, True): "cols", (True, True): "rows and cols"}


class Ring(NamedTuple):
    """Equal cells that close around a periodic axis, so that no cell is the last one for a directional rule.

    `row` and `col` are those of the first cell; `axis` names the axis or axes around which they close.
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
    """How much of the answer depends on the tie rule.

    `n_seeds[rule]` counts the seeds of a rule, `n_lost[rule]` the plateaus of equal cells that rule "all" seeds
    and this rule leaves without a seed; `n_groups` counts all plateaus, and `n_common` the seeds that every
    rule finds. `n_dependent` events have different seeds under different rules. Directional rules lose closed
    rings on a periodic axis, which `rings` lists; any rule may lose a cell to an equal one on the shoulder of a
    higher maximum, which is not a seed itself.
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
        """Fraction of the events whose seeds are not the same under every rule."""
        return self.n_dependent / self.n_events if self.n_events else 0.0

    @property
    def n_rings(self) -> int:
        """Number of closed rings of equal cells that a directional rule leaves without a seed."""
        return len(self.rings)

    @classmethod
    def joined(cls, parts: Sequence[TieAudit]) -> TieAudit:
        """Return the audit of all events of consecutive blocks."""
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


@settings_apart
def audit_ties(
    grids: npt.ArrayLike,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
) -> TieAudit:
    """Return how much of the answer depends on the tie rule.

    Parameters
    ----------
    grids, settings, grid, mask, noise, layers
        As for `hep_peaksum.find_clusters`. The tie rule of the settings is ignored, and so are the marks `>`
        and `=` of a drawn window. Cuts on finished clusters are not applied.

    >>> audit = audit_ties([[[0, 2, 2, 0]]])
    >>> audit.n_seeds["all"], audit.n_seeds["first"], audit.n_seeds["none"], audit.n_dependent
    (2, 1, 0, 1)
    """
    settings, grid = as_settings(settings), as_grid(grid)
    if noise is not None and not settings.needs_noise and split_mask(noise)[1] is None:
        noise = None
    contexts = {
        rule: find_peaks(grids, _with_rule(settings, rule), grid, mask=mask, noise=noise, layers=layers)
        for rule in RULES
    }
    all_ties = contexts["all"]
    seeds = {
        rule: np.ravel_multi_index((c.peaks.event, c.peaks.row, c.peaks.col), c.shape)
        for rule, c in contexts.items()
    }
    cells, n_rules = np.unique(np.concatenate(list(seeds.values())), return_counts=True)
    dependent = cells[n_rules < len(RULES)]
    group = _tied_groups(all_ties.peaks, all_ties.grid, settings)
    plateaus = np.flatnonzero(np.bincount(group) > 1)
    seeded = {rule: np.unique(group[np.isin(seeds["all"], seeds[rule])]) for rule in RULES}
    lost = {str(rule): np.setdiff1d(plateaus, groups) for rule, groups in seeded.items()}
    cells_per_event = all_ties.n_separate_layers * all_ties.shape[1] * all_ties.shape[2]
    return TieAudit(
        n_events=all_ties.n_events,
        n_dependent=len(np.unique(dependent // cells_per_event)),
        n_groups=len(plateaus),
        n_seeds={str(rule): len(cells) for rule, cells in seeds.items()},
        n_lost={rule: len(groups) for rule, groups in lost.items()},
        n_common=int((n_rules == len(RULES)).sum()),
        rings=_rings(all_ties, group, lost, settings),
    )


def _with_rule(settings: PeakSumSettings, rule: str) -> PeakSumSettings:
    """Return the settings with another tie rule; the marks of a drawn search window are removed."""
    values: dict[str, Any] = settings.model_dump(exclude_defaults=True)
    window = values.get("search_window")
    if isinstance(window, str):
        values["search_window"] = window.replace(">", "x").replace("=", "x")
    return PeakSumSettings(**{**values, "tie_rule": rule, "max_clusters": None, "max_clusters_per": "event"})


class _Links(NamedTuple):
    """Pairs of equal peaks in each other's search windows, with the offset of the second from the first."""

    first: Array
    second: Array
    offset: Array

    @classmethod
    def between(cls, peaks: Peaks, grid: Grid, settings: PeakSumSettings) -> _Links:
        pairs = []
        for cell in settings.search_cells():
            first, second = _pairs_at(peaks, cell.row, cell.col, grid)
            is_equal = peaks.seed[first] == peaks.seed[second]
            offset = np.broadcast_to(np.array([cell.row, cell.col]), (int(is_equal.sum()), 2))
            pairs.append((first[is_equal], second[is_equal], offset))
        if not pairs:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2), np.int64))
        return cls(*(np.concatenate(column) for column in zip(*pairs, strict=True)))


def _pairs_at(peaks: Peaks, d: int, p: int, grid: Grid) -> tuple[Array, Array]:
    """Return pairs (first, second) of peaks of one event, the second at an offset from the first."""
    (n_rows, n_cols), cell = grid.shape, peaks.event * (grid.shape[0] * grid.shape[1]) + peaks.cell
    row, col = grid.wrap(peaks.row + d, peaks.col + p)
    first = np.flatnonzero(row >= 0)
    other = ((peaks.event * n_rows + row) * n_cols + col)[first]
    second = np.searchsorted(cell, other)
    is_pair = cell[np.minimum(second, len(cell) - 1)] == other if len(cell) else np.empty(0, bool)
    return first[is_pair], second[is_pair]


def _tied_groups(peaks: Peaks, grid: Grid, settings: PeakSumSettings) -> Array:
    """Return the number of the group of every peak: linked peaks are in one group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links, n = _Links.between(peaks, grid, settings), len(peaks)
    graph = coo_array((np.ones(len(links.first), bool), (links.first, links.second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _rings(
    context: PeakContext, group: Array, lost: Mapping[str, Array], settings: PeakSumSettings
) -> tuple[Ring, ...]:
    """Return the groups that a directional rule loses because they close around a periodic axis."""
    grid, lost_groups = context.grid, np.unique(np.concatenate([lost[rule] for rule in DIRECTIONAL]))
    if not len(lost_groups) or not any(grid.periodic):
        return ()
    is_lost = np.isin(group, lost_groups)
    peaks, group = context.peaks.take(is_lost), group[is_lost]
    links = _Links.between(peaks, grid, settings)
    # a link whose offset differs from that of the unrolled positions goes once around the axis
    goes_around = (
        np.diff(_unroll(links, group)[np.stack([links.first, links.second])], axis=0)[0] != links.offset
    )
    numbers, first, inverse, n_cells = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    is_closed = np.zeros((len(numbers), 2), bool)
    np.logical_or.at(is_closed, inverse[links.first], goes_around)
    event, layer = np.divmod(peaks.event[first], context.n_separate_layers)
    return tuple(
        Ring(
            event=int(event[k]),
            row=int(peaks.row[first[k]]),
            col=int(peaks.col[first[k]]),
            n_cells=int(n_cells[k]),
            value=peaks.seed[first[k]].item(),
            axis=CLOSED_AXES[is_closed[k, 0], is_closed[k, 1]],
            lost_by=tuple(rule for rule in DIRECTIONAL if numbers[k] in lost[rule]),
            layer=int(layer[k]),
        )
        for k in np.flatnonzero(is_closed.any(axis=1))
    )


def _unroll(links: _Links, group: Array) -> Array:
    """Return the position of every peak from the first of its group, along a path of links: shape (peak, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    # an extra node, linked to the first peak of every group, so that one walk reaches them all
    n, roots = len(group), np.unique(group, return_index=True)[1]
    first = np.concatenate([links.first, links.second, np.full(len(roots), n)])
    second = np.concatenate([links.second, links.first, roots])
    offsets = np.concatenate([links.offset, -links.offset, np.zeros((len(roots), 2), np.int64)])
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(n + 1, n + 1)).tocsr()
    order, parents = breadth_first_order(graph, n, directed=True)
    nodes = order[1:]
    edge = first * (n + 1) + second
    by_edge = np.argsort(edge, kind="stable")
    path = parents[nodes].astype(np.int64) * (n + 1) + nodes
    steps = offsets[by_edge[np.searchsorted(edge[by_edge], path)]]
    position: Array = np.zeros((n + 1, 2), np.int64)
    for node, parent, step in zip(nodes, parents[nodes], steps, strict=True):
        position[node] = position[parent] + step
    return position[:n]
