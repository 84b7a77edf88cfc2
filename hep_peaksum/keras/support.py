"""What a Keras layer makes of settings: windows, bounds, and one line for each thing that it cannot do.

Nothing here needs Keras: `keras_layer` asks before it makes a layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.validation import check_windows
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import LOWER_INDEX_WINS, NEIGHBOUR_WINS, SEED_WINS, Offset, Periodic, SearchCell
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import Threshold, in_sigmas, inclusive_bound

Layers = Literal["each", "sum"]
Returns = Literal["map", "mask", "both", "leading"]
Gradient = Literal["hard", "straight-through", "soft"]
DataFormat = Literal["channels_first", "channels_last"]

# What a layer can do. Any other key that is not at its default is refused, some with a reason of their own.
SUPPORTED = {
    *("search_window", "sum_window", "seed_window", "partial_seed_windows", "tie_rule"),
    *("seed_threshold", "seed_comparison", "cell_threshold", "cell_comparison", "cell_threshold_abs"),
    *("sum_threshold", "sum_comparison", "max_clusters", "order", "masked", "nonfinite", "kernel"),
}
REASONS = {
    "quantity": "the layer takes no noise",
    "overlap": "every cluster sums its whole window",
    "coarsen": "pool before the layer, for example by keras.layers.AveragePooling2D",
    "pileup": "the layer estimates no pile-up",
    "position": "the layer gives rows and columns of seed cells",
}


class Rivals(NamedTuple):
    """Cells of the search window that a candidate meets in one way.

    `tie` says who wins a tie. Where the order of the indices decides across a seam, `seam` is the axis (0 or 1)
    that tells it and how many cells along it they lie away.
    """

    offsets: tuple[Offset, ...]
    tie: int
    seam: tuple[int, int] | None = None


class Windows(NamedTuple):
    """The windows of some settings on images of one size: what they meet, and how far away."""

    rivals: tuple[Rivals, ...]
    seed: tuple[Offset, ...]
    sum: tuple[Offset, ...]


@lru_cache(maxsize=256)
def windows(settings: PeakSumSettings, periodic: Periodic, size: tuple[int | None, int | None]) -> Windows:
    """Return the windows on images of `size` (rows, cols); a length that is not known is None.

    Raises
    ------
    ValueError
        If a window would meet a cell twice; along an axis of unknown length nothing is checked.

    >>> windows(PeakSumSettings(search_window="xox"), Periodic(False, False), (1, 9)).rivals
    (Rivals(offsets=((0, -1),), tie=1, seam=None), Rivals(offsets=((0, 1),), tie=0, seam=None))
    """
    known = [
        Axis(n=n or 1, periodic=closed and n is not None) for n, closed in zip(size, periodic, strict=True)
    ]
    check_windows(settings, Grid(rows=known[0], cols=known[1]))
    lengths = [n if closed else None for n, closed in zip(size, periodic, strict=True)]

    def folded(offset: Offset) -> Offset:
        d, p = (k if n is None else int(math.fmod(k, n)) for k, n in zip(offset, lengths, strict=True))
        return d, p

    return Windows(
        rivals=_rivals([SearchCell(*folded((d, p)), tie) for d, p, tie in settings.search_cells()], periodic),
        seed=tuple(map(folded, settings.seed_cells())),
        sum=tuple(map(folded, settings.sum_cells())),
    )


def _rivals(cells: Iterable[SearchCell], periodic: Periodic) -> tuple[Rivals, ...]:
    """Return the cells of a search window, gathered by what a tie with them means."""
    gathered: dict[tuple[int, tuple[int, int] | None], list[Offset]] = {}
    for cell in cells:
        tie, seam = cell.tie, None
        if tie not in (SEED_WINS, NEIGHBOUR_WINS):
            axis, step = (0, cell.row) if cell.row else (1, cell.col)
            if periodic[axis]:
                seam = axis, step
            else:
                tie = NEIGHBOUR_WINS if (step < 0) == (tie == LOWER_INDEX_WINS) else SEED_WINS
        gathered.setdefault((tie, seam), []).append((cell.row, cell.col))
    return tuple(Rivals(tuple(offsets), tie, seam) for (tie, seam), offsets in gathered.items())


class Bounds(NamedTuple):
    """Thresholds as inclusive bounds in the type of the layer, numbers or tensors; None where there is none."""

    seed: Any
    cell: Any
    sum: Any


@lru_cache(maxsize=256)
def bounds_of(settings: PeakSumSettings, unit: float | None, dtype: str) -> Bounds:
    """Return the thresholds in counts, such that cells of `dtype` pass them as they would in float64.

    >>> bounds_of(PeakSumSettings(seed_threshold="2 GeV", seed_comparison=">="), 0.5, "float32")
    Bounds(seed=4.0, cell=None, sum=None)
    """

    def bound(threshold: Threshold, comparison: str) -> float:
        return least_not_below(inclusive_bound(threshold, comparison, unit or 1.0, integer=False), dtype)

    return Bounds(
        seed=bound(settings.seed_threshold, settings.seed_comparison),
        cell=None
        if settings.cell_threshold is None
        else bound(settings.cell_threshold, settings.cell_comparison),
        sum=None if settings.sum_threshold is None else bound(settings.sum_threshold, settings.sum_comparison),
    )


def least_not_below(bound: float, dtype: str) -> float:
    """Return the least number of a type that is not below a bound: no number of the type lies between them.

    It is never subnormal, because some backends take such a number for 0: cells below 1e-38 count as 0.

    >>> 0.1 < least_not_below(0.1, "float32") < 0.1 + 1e-8
    True
    """
    number = np.dtype(dtype).type
    least = number(bound)
    if float(least) < bound:
        least = np.nextafter(least, number(np.inf))
    return float(max(least, np.finfo(dtype).tiny) if least > 0 else least)


def problems(settings: PeakSumSettings, unit: float | None) -> list[str]:
    """Return what a layer cannot do, a line each.

    >>> problems(PeakSumSettings(tie_rule="greedy"), None)
    ["tie_rule 'greedy' is not possible in a layer: it takes seeds one after the other"]
    """
    found = [
        f"{key} {getattr(settings, key)!r} is not possible in a layer: {REASONS.get(key, 'use find_clusters')}"
        for key, field in PeakSumSettings.model_fields.items()
        if key not in SUPPORTED and getattr(settings, key) != field.default
    ]
    if settings.is_greedy:
        rule = settings.tie_rule
        found.insert(0, f"tie_rule {rule!r} is not possible in a layer: it takes seeds one after the other")
    if isinstance(settings.sum_window, str) and "g" in settings.sum_window:
        found.append("sum_window with gated cells 'g' is not possible in a layer: use find_clusters")
    for key in ("seed_threshold", "cell_threshold", "sum_threshold"):
        threshold = getattr(settings, key)
        if in_sigmas(threshold) is not None:
            found.append(f"{key} {threshold!r} is not possible in a layer: {REASONS['quantity']}")
        elif isinstance(threshold, str) and unit is None:
            found.append(f"{key} {threshold!r} is an energy: give unit, the GeV in one count")
    return found


def as_settings(settings: PeakSumSettings | Mapping[str, Any] | None, given: dict[str, Any]) -> PeakSumSettings:
    """Return settings that are given as such, as plain values, or by their keywords."""
    if settings is not None and given:
        msg = f"settings and {next(iter(given))} are both given: give settings, or its keywords"
        raise ValueError(msg)
    return settings if isinstance(settings, PeakSumSettings) else PeakSumSettings(**(settings or given))


def as_periodic(periodic: object) -> Periodic:
    """Return which axes close on themselves.

    >>> as_periodic([False, True])
    Periodic(rows=False, cols=True)
    """
    closed = tuple(periodic) if isinstance(periodic, Sequence) else ()
    if len(closed) != 2 or not all(isinstance(axis, (bool, np.bool_)) for axis in closed):
        msg = f"periodic is {periodic!r}: say of rows and of columns whether they close, as in (False, True)"
        raise ValueError(msg)
    return Periodic(*map(bool, closed))


def as_mask(mask: npt.ArrayLike | None) -> npt.NDArray[np.bool_] | None:
    """Return a mask as an array of bool."""
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.dtype != bool or array.ndim != 2:
        msg = f"mask is {array.dtype} of shape {array.shape}, expected bool of shape (row, col)"
        raise ValueError(msg)
    return array


def one_of(key: str, value: Any, choices: Any) -> Any:
    """Return the value if it is one of a Literal's.

    >>> one_of("returns", "map", Literal["map", "mask"])
    'map'
    """
    if value not in get_args(choices):
        msg = f"{key} is {value!r}, expected {' or '.join(map(repr, get_args(choices)))}"
        raise ValueError(msg)
    return value
