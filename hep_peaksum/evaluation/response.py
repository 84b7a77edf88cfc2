"""The distribution of a ratio such as measured over true energy: its centre and its width, from a histogram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hep_peaksum.evaluation.intervals import LEVEL
from hep_peaksum.kernels import Array

HALF = 0.5
LOW, HIGH = 0.15865, 0.84135  # the central 68.27 %
UNDEFINED = float("nan")


class ResponseSummary(NamedTuple):
    """Numbers that describe a distribution; NaN where it does not define them.

    `half_width_68` is half of the central 68.27 %, `sigma_eff` half of the shortest interval that holds as
    much. `mean` is that of the bins' centres, without under- and overflow. `n_effective` is the effective
    number of entries, under- and overflow included.
    """

    median: float
    half_width_68: float
    sigma_eff: float
    mean: float
    mean_error: float
    n_effective: float

    @property
    def resolution(self) -> float:
        """The half width of the central 68.27 % relative to the median."""
        return self.half_width_68 / self.median if self.median else UNDEFINED


def quantile(contents: Array, edges: Array, probability: float) -> float:
    """Return a quantile, interpolated in its bin; NaN if it lies in under- or overflow.

    `contents` has one entry more than there are bins at each end, for under- and overflow.

    >>> quantile(np.array([0.0, 1.0, 2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0, 3.0]), 0.5)
    1.5
    """
    total = contents.sum()
    if not total > 0:
        return UNDEFINED
    target, cumulative = probability * total, np.cumsum(contents)
    inner = cumulative[:-1]  # at the edges
    if target < inner[0] or target > inner[-1] or (contents < 0).any():
        return UNDEFINED
    i = int(np.searchsorted(inner, target, side="left"))
    if i == 0:
        return float(edges[0])
    return float(edges[i - 1] + (target - inner[i - 1]) / (inner[i] - inner[i - 1]) * (edges[i] - edges[i - 1]))


def effective_sigma(contents: Array, edges: Array) -> float:
    """Return half of the shortest interval that holds 68.27 % of the entries; NaN if none inside the axis does.

    Entries are spread evenly in a bin, so the interval begins or ends at an edge of a bin.
    """
    total, inner = contents.sum(), np.cumsum(contents)[:-1]
    if not total > 0 or (contents < 0).any() or inner[-1] - inner[0] < LEVEL * total:
        return UNDEFINED
    held = LEVEL * total
    # `interp` takes the highest of several edges with the same sum below: mirrored, that is the lowest
    upper = -np.interp(-(inner + held), -inner[::-1], -edges[::-1], left=-np.inf)
    lower = np.interp(inner - held, inner, edges, left=-np.inf)
    from_edges, to_edges = upper - edges, edges - lower
    return float(min(from_edges.min(), to_edges.min()) / 2)


def summarize(contents: Array, edges: Array, sum_of_squares: Array | None = None) -> ResponseSummary:
    """Return the numbers that describe a histogram, with under- and overflow at the ends of its contents.

    >>> summary = summarize(np.array([0.0, 1.0, 2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0, 3.0]))
    >>> summary.median, summary.mean
    (1.5, 1.5)
    """
    squares = contents if sum_of_squares is None else sum_of_squares
    inside, centres = contents[1:-1], (edges[1:] + edges[:-1]) / 2
    total, n_effective = contents.sum(), UNDEFINED
    mean = mean_error = UNDEFINED
    if squares.sum() > 0:
        n_effective = float(total**2 / squares.sum())
    if inside.sum() > 0:
        mean = float(np.average(centres, weights=inside))
        variance = float(np.average((centres - mean) ** 2, weights=inside))
        n_inside = float(inside.sum() ** 2 / squares[1:-1].sum())
        mean_error = float(np.sqrt(max(variance, 0.0) / n_inside))
    low, median, high = (quantile(contents, edges, each) for each in (LOW, HALF, HIGH))
    return ResponseSummary(
        median, (high - low) / 2, effective_sigma(contents, edges), mean, mean_error, n_effective
    )
