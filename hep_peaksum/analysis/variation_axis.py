"""Filling histograms that have an axis of variations: what variations have in common is counted once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.analysis.selection import VARIATION
from hep_peaksum.evaluation.rates import below_all
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import hist

Weights = Mapping[str, Array | None]  # of every event, by variation; the same array where they are the same


def alike(keys: Mapping[str, Hashable]) -> list[list[str]]:
    """Return the names that have the same key, together.

    >>> alike({"nominal": 1, "ScaleUp": 2, "WeightUp": 1})
    [['nominal', 'WeightUp'], ['ScaleUp']]
    """
    groups: dict[Hashable, list[str]] = {}
    for name, key in keys.items():
        groups.setdefault(key, []).append(name)
    return list(groups.values())


def weights_at(weights: Weights, index: Any) -> Weights:
    """Return the weights of some events; what is one array for two variations stays one."""
    selected = {id(each): None if each is None else each[index] for each in weights.values()}
    return {name: selected[id(each)] for name, each in weights.items()}


def add_entries(
    histogram: hist.Hist[Any], values: Sequence[Array | str], weights: Weights, event: Array | None = None
) -> None:
    """Add the entries that some variations have in common, to a histogram with an axis of variations or none.

    Parameters
    ----------
    histogram
        To which nothing else is added for one of these variations that is not for all of the same weights.
    values
        For every axis besides that of variations: a number for every entry, of which NaN lies below every axis,
        or a label.
    weights
        The variations, with the weights of events.
    event
        The event of every entry; None where entries are events.
    """
    numbers = [each if isinstance(each, str) else below_all(each) for each in values]
    if VARIATION not in histogram.axes.name:
        for each in weights.values():
            histogram.fill(*numbers, weight=_of_entries(each, event))
        return
    places = {name: place for place, name in enumerate(histogram.axes[0])}
    contents: Any = histogram.view(flow=True)
    copies = contents[0].size <= max(len(each) for each in numbers if not isinstance(each, str))
    groups = alike({name: id(each) if copies else name for name, each in weights.items()})
    bins = _bin_numbers(histogram, numbers) if len(groups) > 1 else None
    for first, *others in groups:
        of_entries = _of_entries(weights[first], event)
        if bins is None or of_entries is None:
            histogram.fill(first, *numbers, weight=of_entries)
        else:  # in the same order as by `fill`, so the sums are the same to the last bit
            flat = contents.reshape(-1, order="F")
            np.add.at(flat["value"], bins + places[first], of_entries)
            np.add.at(flat["variance"], bins + places[first], of_entries**2)
        contents[[places[other] for other in others]] = contents[places[first]]


def _of_entries(weights: Array | None, event: Array | None) -> Array | None:
    """Return the weights of entries."""
    return weights if weights is None or event is None else weights[event]


def _bin_numbers(histogram: hist.Hist[Any], values: Iterable[Any]) -> Any:
    """Return the number of the bin of every entry in the first variation, the first axis running fastest."""
    number, stride = 0, histogram.axes[0].extent
    for axis, each in zip(histogram.axes[1:], values, strict=True):
        number = number + stride * (axis.index(each) + axis.traits.underflow)
        stride *= axis.extent
    return number
