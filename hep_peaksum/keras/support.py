"""Settings as the Keras layer uses them: windows, bounds, and an error for each setting that it lacks.

Nothing here needs Keras.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.validation import check_windows
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, split_mask
from hep_peaksum.kernels import Offset, Periodic, SearchCell
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import Threshold, inclusive_bound
from hep_peaksum.settings.units import energy_in_gev, in_sigmas
from hep_peaksum.suggestions import did_you_mean

Layers = Literal["each", "sum"]
Returns = Literal["map", "mask", "both", "leading"]
Gradient = Literal["hard", "straight-through", "soft"]
DataFormat = Literal["channels_first", "channels_last"]

# The settings that a layer implements; any other must have its default. Some have a reason of their own.
SUPPORTED = {
    *("search_window", "sum_window", "seed_window", "partial_seed_windows", "tie_rule"),
    *("seed_threshold", "seed_comparison", "cell_threshold", "cell_comparison", "cell_threshold_abs"),
    *("sum_threshold", "sum_comparison", "max_clusters", "order", "masked", "nonfinite", "kernel"),
}
REASONS = {
    "quantity": "the layer takes no noise",
    "overlap": "every cluster sums its whole window",
    "coarsen": "pool before the layer, for example with keras.layers.AveragePooling2D",
    "pileup": "the layer estimates no pile-up",
    "position": "the layer gives the row and column of the seed cell",
}
# What pooling layers and convolutions have, and what to do here.
OF_OTHER_LAYERS = {
    **dict.fromkeys(("pool_size", "kernel_size"), "give search_window and sum_window"),
    **dict.fromkeys(("padding", "strides"), "the output has the rows and columns of the images, leave it out"),
}


class NeighbourGroup(NamedTuple):
    """Cells of the search window that a seed must exceed (`strict`), or all of which it may equal.

    Where the index order decides a tie, it is reversed across a periodic seam, and with it `strict`. `seam` is
    then the axis (0 or 1) whose index decides and the step along it from the seed to these cells.
    """

    offsets: tuple[Offset, ...]
    strict: bool
    seam: tuple[int, int] | None = None

    def may_equal(self, index: Any, size: Any) -> Any:
        """Return which seeds may equal these neighbours, by their `index` on the axis of the seam.

        The axis has `size` cells; `index` is an array or a tensor.

        >>> NeighbourGroup(((0, 1),), strict=False, seam=(1, 1)).may_equal(np.arange(3), 3)
        array([ True,  True, False])
        """
        step = self.seam[1] if self.seam else 0
        across_seam = index < -step if step < 0 else index >= size - step
        return across_seam if self.strict else ~across_seam


class Windows(NamedTuple):
    """The windows of some settings as offsets, for images of one size."""

    search: tuple[NeighbourGroup, ...]
    seed: tuple[Offset, ...]
    sum: tuple[Offset, ...]


@lru_cache(maxsize=256)
def resolve_windows(
    settings: PeakSumSettings, periodic: Periodic, size: tuple[int | None, int | None]
) -> Windows:
    """Return the windows for images of `size` (rows, cols); None is a length known only at run time.

    Raises
    ------
    ValueError
        If a window would meet a cell twice; an axis of unknown length is not checked.

    >>> windows = resolve_windows(PeakSumSettings(search_window="xox"), Periodic(False, False), (1, 9))
    >>> [(group.offsets, group.strict) for group in windows.search]
    [(((0, -1),), True), (((0, 1),), False)]
    """
    rows, cols = (
        Axis(n=n or 1, periodic=closed and n is not None) for n, closed in zip(size, periodic, strict=True)
    )
    check_windows(settings, Grid(rows=rows, cols=cols))
    lengths = [n if closed else None for n, closed in zip(size, periodic, strict=True)]

    def folded(offset: Offset) -> Offset:
        d, p = (k if n is None else int(math.fmod(k, n)) for k, n in zip(offset, lengths, strict=True))
        return d, p

    search = [SearchCell(*folded((d, p)), tie) for d, p, tie in settings.search_cells()]
    return Windows(
        search=_neighbour_groups(search, periodic),
        seed=tuple(map(folded, settings.seed_cells())),
        sum=tuple(map(folded, settings.sum_cells())),
    )


def _neighbour_groups(cells: Iterable[SearchCell], periodic: Periodic) -> tuple[NeighbourGroup, ...]:
    """Return the cells of a search window, grouped by when a seed must exceed them."""
    groups: dict[tuple[bool, tuple[int, int] | None], list[Offset]] = {}
    for cell in cells:
        axis, step = (0, cell.row) if cell.row else (1, cell.col)
        strict = cell.must_be_exceeded(has_lower_index=step < 0)
        strict_across_seam = cell.must_be_exceeded(has_lower_index=step > 0)
        seam = (axis, step) if periodic[axis] and strict != strict_across_seam else None
        groups.setdefault((strict, seam), []).append((cell.row, cell.col))
    return tuple(NeighbourGroup(tuple(offsets), *key) for key, offsets in groups.items())


def margins(offsets: Iterable[Offset]) -> list[tuple[int, int]]:
    """Return how far a window reaches before and after its cell, along rows and along columns.

    >>> margins([(0, 0), (-1, 2)])
    [(1, 0), (0, 2)]
    """
    return [(-min(0, *steps), max(0, *steps)) for steps in zip(*offsets, (0, 0), strict=True)]


class Bounds(NamedTuple):
    """Thresholds as inclusive bounds in the type of the layer, numbers or tensors; None where there is none."""

    seed: Any
    cell: Any
    sum: Any


@lru_cache(maxsize=256)
def inclusive_bounds(settings: PeakSumSettings, unit: float | None, dtype: str) -> Bounds:
    """Return the thresholds in counts, such that cells of `dtype` pass them as they would in float64.

    >>> inclusive_bounds(PeakSumSettings(seed_threshold="2 GeV", seed_comparison=">="), 0.5, "float32")
    Bounds(seed=4.0, cell=None, sum=None)
    """

    def bound(threshold: Threshold, comparison: str) -> float:
        return round_up(inclusive_bound(threshold, comparison, unit or 1.0, integer=False), dtype)

    return Bounds(
        seed=bound(settings.seed_threshold, settings.seed_comparison),
        cell=None
        if settings.cell_threshold is None
        else bound(settings.cell_threshold, settings.cell_comparison),
        sum=None if settings.sum_threshold is None else bound(settings.sum_threshold, settings.sum_comparison),
    )


def round_up(bound: float, dtype: str) -> float:
    """Return the lowest number of a floating type that is not below a bound.

    It is never subnormal: some backends flush such numbers to 0, so that float32 cells below 1e-38 count as 0.

    >>> 0.1 < round_up(0.1, "float32") < 0.1 + 1e-8
    True
    """
    number = np.dtype(dtype).type
    rounded = number(bound)
    if float(rounded) < bound:
        rounded = np.nextafter(rounded, number(np.inf))
    return float(max(rounded, np.finfo(dtype).tiny) if rounded > 0 else rounded)


def unsupported_settings(settings: PeakSumSettings, unit: float | None) -> list[str]:
    """Return an error message for each setting that a layer does not implement.

    >>> unsupported_settings(PeakSumSettings(tie_rule="greedy"), None)
    ["tie_rule 'greedy' is not possible in a layer: it accepts seeds one after the other"]
    """
    errors = [
        f"{key} {getattr(settings, key)!r} is not possible in a layer: {REASONS.get(key, 'use find_clusters')}"
        for key, field in PeakSumSettings.model_fields.items()
        if key not in SUPPORTED and getattr(settings, key) != field.default
    ]
    if settings.is_greedy:
        rule = settings.tie_rule
        errors.insert(0, f"tie_rule {rule!r} is not possible in a layer: it accepts seeds one after the other")
    if isinstance(settings.sum_window, str) and "g" in settings.sum_window:
        errors.append("sum_window with gated cells 'g' is not possible in a layer: use find_clusters")
    for key in ("seed_threshold", "cell_threshold", "sum_threshold"):
        threshold = getattr(settings, key)
        if in_sigmas(threshold) is not None:
            errors.append(f"{key} {threshold!r} is not possible in a layer: {REASONS['quantity']}")
        elif isinstance(threshold, str) and unit is None:
            errors.append(f"{key} {threshold!r} is an energy: give unit, the GeV per count")
    return errors


def validate_settings(settings: SettingsLike | None, keywords: dict[str, Any]) -> PeakSumSettings:
    """Return the settings of a layer, given as such, as plain values, by a name, or as keywords."""
    if settings is not None and keywords:
        msg = f"settings and {next(iter(keywords))} are both given: give either settings or its keywords"
        raise ValueError(msg)
    return as_settings(keywords if settings is None else settings)


def check_names(keywords: Iterable[str]) -> None:
    """Raise a ValueError for a misspelt setting, or one of other layers, among the keywords left for Keras."""
    for name in keywords:
        remedy = f": {OF_OTHER_LAYERS[name]}" if name in OF_OTHER_LAYERS else ""
        if near := remedy or did_you_mean(name, PeakSumSettings.model_fields, likeness=0.8):
            msg = f"PeakSum2D has no {name!r}{near}"
            raise ValueError(msg)


def check_images(shape: Sequence[int | None], data_format: DataFormat) -> None:
    """Raise a ValueError if a batch of images does not have four axes."""
    if len(shape) == 4:
        return
    axes, of_images, of_one = "(batch, row, col, channel)", "images[..., None]", "image[None, ..., None]"
    if data_format == "channels_first":
        axes, of_images, of_one = "(batch, channel, row, col)", "images[:, None]", "image[None, None]"
    remedy = {3: f": for one channel give {of_images}", 2: f": for a single image give {of_one}"}
    msg = f"the images have shape {tuple(shape)}, expected {axes}{remedy.get(len(shape), '')}"
    raise ValueError(msg)


def validate_unit(unit: float | str | None) -> float | None:
    """Return the GeV per count, which may be an energy.

    >>> validate_unit("500 MeV")
    0.5
    """
    return float(energy_in_gev(unit)) if isinstance(unit, str) else None if unit is None else float(unit)


def validate_temperature(temperature: object) -> float:
    """Return the temperature as a number above 0."""
    if not isinstance(temperature, (int, float, np.number)) or not temperature > 0:
        msg = f"temperature is {temperature!r}: give a number above 0"
        raise ValueError(msg)
    return float(temperature)


def validate_periodic(periodic: object) -> Periodic:
    """Return which axes are periodic.

    >>> validate_periodic([False, True])
    Periodic(rows=False, cols=True)
    """
    closed = tuple(periodic) if isinstance(periodic, Sequence) else ()
    if len(closed) != 2 or not all(isinstance(axis, (bool, np.bool_)) for axis in closed):
        msg = f"periodic is {periodic!r}, expected a bool each for rows and columns, as in (False, True)"
        raise ValueError(msg)
    return Periodic(*map(bool, closed))


def validate_mask(mask: npt.ArrayLike | None) -> npt.NDArray[np.bool_] | None:
    """Return a mask as a bool array of shape (row, col)."""
    if mask is None:
        return None
    array, unknown = split_mask(mask)
    if unknown is not None:
        array = array | unknown
    if array.dtype != bool or array.ndim != 2:
        msg = f"mask is {array.dtype} of shape {array.shape}, expected bool of shape (row, col)"
        raise ValueError(msg)
    return array


def validate_choice(key: str, value: Any, choices: Any) -> Any:
    """Return the value if it is one of those of a Literal.

    >>> validate_choice("returns", "map", Literal["map", "mask"])
    'map'
    """
    if value not in get_args(choices):
        msg = f"{key} is {value!r}, expected {' or '.join(map(repr, get_args(choices)))}"
        raise ValueError(msg)
    return value
