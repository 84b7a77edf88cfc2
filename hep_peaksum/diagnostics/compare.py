"""Where two algorithms differ on the same grids, cluster by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import selected
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.settings.model import PeakSumSettings


class Comparison(NamedTuple):
    """Where two algorithms agree and where they do not.

    Arrays with an entry for every cluster that either found: `event`, `row`, `col`; `in_a` and `in_b`, whether
    the first and the second found it; `sum_a` and `sum_b`, their sums in counts, 0 where there is none; and
    `layer`, 0 unless each is searched. `unit` is how many GeV are one count, `n_events` how many events there
    were.
    """

    event: Array
    row: Array
    col: Array
    in_a: Array
    in_b: Array
    sum_a: Array
    sum_b: Array
    layer: Array
    unit: float = 1.0
    n_events: int = 0

    @property
    def matched(self) -> Array:
        """Which clusters have the same seed in both."""
        return np.asarray(self.in_a & self.in_b)

    @property
    def n_matched(self) -> int:
        """Clusters with the same seed in both."""
        return int(self.matched.sum())

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
        return int((self.matched & (self.sum_a != self.sum_b)).sum())

    @property
    def differences(self) -> Array:
        """By how much the energy of each matched cluster is higher in the second, in GeV."""
        # subtracted as they are: int64 sums may be larger than what float64 holds
        return np.asarray((self.sum_b[self.matched] - self.sum_a[self.matched]) * self.unit)

    @property
    def mean_difference(self) -> float:
        """Mean of `differences`; 0 without any."""
        return float(self.differences.mean()) if self.n_matched else 0.0

    @property
    def rms_difference(self) -> float:
        """Root of the mean square of `differences`; 0 without any."""
        return float(np.sqrt(np.square(self.differences).mean())) if self.n_matched else 0.0

    @property
    def largest_difference(self) -> float:
        """The one of `differences` that is furthest from 0, with its sign; 0 without any."""
        return float(max(self.differences, key=abs, default=0.0))

    def unmatched(self, most: int) -> list[int]:
        """Return the places of the first clusters, in the order of events, that only one of the two found."""
        return [int(n) for n in np.flatnonzero(~self.matched)[:most]]

    @classmethod
    def joined(cls, parts: Sequence[Comparison]) -> Comparison:
        """Return the comparison of all events of blocks that follow one another."""
        starts = np.cumsum([0, *(part.n_events for part in parts)])
        columns = {
            word: np.concatenate([getattr(part, word) for part in parts])
            for word in ("row", "col", "in_a", "in_b", "sum_a", "sum_b", "layer")
        }
        event = np.concatenate([part.event + start for part, start in zip(parts, starts, strict=False)])
        return cls(event=event, unit=parts[0].unit, n_events=int(starts[-1]), **columns)


def compare(
    grids: npt.ArrayLike,
    settings_a: PeakSumSettings,
    settings_b: PeakSumSettings,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
) -> Comparison:
    """Return where two settings differ on the same grids, cluster by cluster, matched by their seed.

    Parameters
    ----------
    grids, grid, mask, noise, layers
        As for `hep_peaksum.find_clusters`.
    settings_a, settings_b
        The first and the second algorithm.

    Raises
    ------
    ValueError
        If the two search planes of different cells, or what `find_clusters` refuses.

    >>> both = compare([[[0, 2, 2, 0]]], PeakSumSettings(tie_rule="all"), PeakSumSettings())
    >>> both.n_matched, both.n_only_a, both.n_only_b
    (1, 1, 0)
    """
    found = [
        find_peaks(grids, each, grid, mask=mask, noise=noise if each.needs_noise else None, layers=layers)
        for each in (settings_a, settings_b)
    ]
    if settings_a.coarsen != settings_b.coarsen:
        first, second = (f"{n} x {m}" for n, m in (settings_a.coarsen, settings_b.coarsen))
        msg = f"one searches towers of {first} cells, the other of {second}: give both one coarsen"
        raise ValueError(msg)
    shape, cells, sums = found[0].shape, [], []
    for each in found:
        peaks, places = each.peaks, selected(each)
        cells.append(np.ravel_multi_index((peaks.event, peaks.row, peaks.col), shape)[places])
        sums.append(peaks.sum[places])
    either = np.union1d(*cells)
    joined = [np.zeros(len(either), total.dtype) for total in sums]
    for k in (0, 1):
        joined[k][np.searchsorted(either, cells[k])] = sums[k]
    plane, row, col = np.unravel_index(either, shape)
    return Comparison(
        event=plane // found[0].n_separate_layers,
        row=row,
        col=col,
        in_a=np.isin(either, cells[0]),
        in_b=np.isin(either, cells[1]),
        sum_a=joined[0],
        sum_b=joined[1],
        layer=plane % found[0].n_separate_layers,
        unit=found[0].grid.unit,
        n_events=found[0].n_events,
    )
