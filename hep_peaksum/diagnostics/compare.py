"""Where two algorithms differ on the same grids, cluster by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum import notebook_html
from hep_peaksum.clustering.find import find_peaks, settings_apart
from hep_peaksum.clustering.records import selected
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.evaluation.matching import CellIndices, same_cell, take_or_zero, with_unmatched
from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings

N_SHOWN = 10  # clusters that a notebook shows


class Comparison(NamedTuple):
    """Where two algorithms agree and where they differ.

    The arrays have one entry per cluster of either algorithm, in the order of event, layer, row and column:
    `event`, `row`, `col`; `in_a` and `in_b`, whether the first and the second algorithm finds it; `sum_a` and
    `sum_b`, the two sums in counts, 0 for the algorithm that does not find it; and `layer`, 0 unless each layer
    is searched. `unit` is the value of one count in GeV (1 on a grid without a unit), `n_events` the number of
    events.
    """

    event: Array
    row: Array
    col: Array
    in_a: Array
    in_b: Array
    sum_a: Array
    sum_b: Array
    layer: Array
    unit: float
    n_events: int

    @property
    def matched(self) -> Array:
        """Mask of the clusters with the same seed in both."""
        return np.asarray(self.in_a & self.in_b)

    @property
    def n_matched(self) -> int:
        """Number of clusters with the same seed in both."""
        return int(self.matched.sum())

    @property
    def n_only_a(self) -> int:
        """Number of clusters that only the first algorithm finds."""
        return int((~self.in_b).sum())

    @property
    def n_only_b(self) -> int:
        """Number of clusters that only the second algorithm finds."""
        return int((~self.in_a).sum())

    @property
    def n_different_sums(self) -> int:
        """Number of clusters with the same seed in both but different sums."""
        return int((self.matched & (self.sum_a != self.sum_b)).sum())

    @property
    def differences(self) -> Array:
        """Energy in the second minus energy in the first, in GeV or counts, for every matched cluster."""
        # subtracted before the conversion: float64 does not hold every int64 sum
        return np.asarray((self.sum_b[self.matched] - self.sum_a[self.matched]) * self.unit)

    @property
    def mean_difference(self) -> float:
        """Mean of `differences`; 0 if there are none."""
        return float(self.differences.mean()) if self.n_matched else 0.0

    @property
    def rms_difference(self) -> float:
        """Root mean square of `differences`; 0 if there are none."""
        return float(np.sqrt(np.square(self.differences).mean())) if self.n_matched else 0.0

    @property
    def largest_difference(self) -> float:
        """The difference furthest from 0, with its sign; 0 if there are none."""
        return float(max(self.differences, key=abs, default=0.0))

    def unmatched(self, n_max: int) -> list[int]:
        """Return the indices of the first clusters that only one of the two algorithms finds."""
        return [int(n) for n in np.flatnonzero(~self.matched)[:n_max]]

    def _repr_html_(self) -> str:
        """Return what notebooks show: how many clusters agree, and the first that only one algorithm finds."""
        values: dict[str, object] = {
            "found by both": self.n_matched,
            "of these with different sums": self.n_different_sums,
            "only by the first": self.n_only_a,
            "only by the second": self.n_only_b,
        }
        if self.n_different_sums:
            values["second minus first"] = (
                f"mean {self.mean_difference:.4g}, rms {self.rms_difference:.4g}, "
                f"largest {self.largest_difference:.4g}"
            )
        rows = [
            (self.event[n], self.row[n], self.col[n], "first", self.sum_a[n])
            if self.in_a[n]
            else (self.event[n], self.row[n], self.col[n], "second", self.sum_b[n])
            for n in self.unmatched(N_SHOWN)
        ]
        n_more = self.n_only_a + self.n_only_b - len(rows)
        columns = ("event", "row", "column", "found by", "sum [counts]")
        return notebook_html.page(
            f"Comparison of two algorithms in {self.n_events:,} events",
            notebook_html.key_table(values),
            notebook_html.column_table(columns, rows, "found by only one") * bool(rows)
            + notebook_html.lines([f"and {n_more:,} more"] if n_more else []),
        )

    @classmethod
    def joined(cls, parts: Sequence[Comparison]) -> Comparison:
        """Return one comparison of all events from those of consecutive blocks."""
        starts = np.cumsum([0, *(part.n_events for part in parts)])
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("row", "col", "in_a", "in_b", "sum_a", "sum_b", "layer")
        }
        event = np.concatenate([part.event + start for part, start in zip(parts, starts, strict=False)])
        return cls(event=event, unit=parts[0].unit, n_events=int(starts[-1]), **columns)


@settings_apart
def compare(
    grids: npt.ArrayLike,
    settings_a: SettingsLike,
    settings_b: SettingsLike,
    grid: GridLike | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
) -> Comparison:
    """Compare the clusters of two settings on the same grids; clusters with the same seed cell are matched.

    Parameters
    ----------
    grids, grid, mask, noise, layers
        As for `hep_peaksum.find_clusters`.
    settings_a, settings_b
        The first and the second algorithm.

    Returns
    -------
    Comparison
        One entry per cluster of either algorithm.

    Raises
    ------
    ValueError
        If the two pool cells into towers of different sizes, or for any input that `find_clusters` rejects.

    >>> both = compare([[[0, 2, 2, 0]]], {"tie_rule": "all"}, {"tie_rule": "first"})
    >>> both.n_matched, both.n_only_a, both.n_only_b
    (1, 1, 0)
    """
    settings_a, settings_b, grid = as_settings(settings_a), as_settings(settings_b), as_grid(grid)
    contexts = [
        find_peaks(grids, each, grid, mask=mask, noise=noise if each.needs_noise else None, layers=layers)
        for each in (settings_a, settings_b)
    ]
    if settings_a.coarsen != settings_b.coarsen:
        first, second = (f"{n} x {m}" for n, m in (settings_a.coarsen, settings_b.coarsen))
        msg = f"one searches towers of {first} cells, the other of {second}: give both the same coarsen"
        raise ValueError(msg)
    context = contexts[0]
    (a, sum_a), (b, sum_b) = (_clusters(each) for each in contexts)
    pairs = with_unmatched(same_cell(a, b, context.grid), len(sum_a), len(sum_b))
    number_a, number_b = (
        take_or_zero(cells.cell_number(context.grid), index)
        for cells, index in ((a, pairs.reference), (b, pairs.cluster))
    )
    number = np.where(pairs.reference >= 0, number_a, number_b)
    order = np.argsort(number)
    plane, row, col = np.unravel_index(number[order], context.shape)
    index_a, index_b = pairs.reference[order], pairs.cluster[order]
    return Comparison(
        event=plane // context.n_separate_layers,
        row=row,
        col=col,
        in_a=index_a >= 0,
        in_b=index_b >= 0,
        sum_a=take_or_zero(sum_a, index_a),
        sum_b=take_or_zero(sum_b, index_b),
        layer=plane % context.n_separate_layers,
        unit=context.grid.scale,
        n_events=context.n_events,
    )


def _clusters(context: PeakContext) -> tuple[CellIndices, Array]:
    """Return the cells of the clusters and their sums; the "events" are the searched planes, layer by layer."""
    peaks, clusters = context.peaks, selected(context)
    return CellIndices(peaks.event[clusters], peaks.row[clusters], peaks.col[clusters]), peaks.sum[clusters]
