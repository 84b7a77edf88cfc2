"""Filling histograms with an axis of variations: what variations have in common is counted once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.analysis.selection import NOMINAL, VARIATION
from hep_peaksum.evaluation.rates import below_all
from hep_peaksum.geometry.edge_search import edges_below
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import hist

Weights = Mapping[str, Array | None]  # of every event, by variation; the same array where they are the same
Labels = Mapping[str | None, Array | None]  # the entries that labels have, as masks; None for all
UNLABELLED: Labels = {None: None}  # all entries, in a histogram without labels


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
    """Return the weights of some events; two variations that share an array of weights go on sharing it."""
    selected = {id(each): None if each is None else each[index] for each in weights.values()}
    return {name: selected[id(each)] for name, each in weights.items()}


def add_entries(
    histogram: hist.Hist[Any],
    values: Sequence[Array],
    weights: Weights,
    event: Array | None = None,
    labels: Labels = UNLABELLED,
) -> None:
    """Add the entries that some variations have in common, to a histogram with an axis of variations or none.

    Every sum is added up in the order of the entries, as `fill` does, so it is the same to the last bit.

    Parameters
    ----------
    histogram
        To which nothing else is added for one of these variations that is not for all of the same weights.
    values
        A number of every entry, of which NaN lies below every axis, for each of the last axes.
    weights
        The variations, with the weights of events.
    event
        The event of every entry; None where entries are events.
    labels
        Where an axis of labels stands before those of numbers: for a label a mask of its entries, None for all.
    """
    contents: Any = histogram.view(flow=True)
    flat, axes, n_entries = contents.reshape(-1, order="F"), [*histogram.axes], len(values[0])
    strides = np.cumprod([1, *(axis.extent for axis in axes)])[:-1]
    with_numbers = [*zip(axes, strides, strict=True)][-len(values) :]
    has_variations = axes[0].name == VARIATION
    places = {name: place for place, name in enumerate(axes[0])} if has_variations else {NOMINAL: 0}
    # what has the same weights is copied, unless copying is more than adding it again
    copies = has_variations and contents[0].size <= n_entries
    groups = alike({name: id(each) if copies else name for name, each in weights.items()})
    for block in block_sizes.blocks(n_entries, block_sizes.BINNED_NUMBERS):
        bins = _bin_numbers(with_numbers, [each[block] for each in values])
        owner = np.arange(block.start, block.stop) if event is None else event[block]
        for label, mask in labels.items():
            chosen = slice(None) if mask is None else np.flatnonzero(mask[block])
            start = 0 if label is None else axes[-len(values) - 1].index(label) * strides[-len(values) - 1]
            for name, *_ in groups:
                own = weights[name]
                _add(flat, bins[chosen] + (start + places[name]), own if own is None else own[owner[chosen]])
    for name, *others in groups:
        if others:
            contents[[places[other] for other in others]] = contents[places[name]]


def _bin_numbers(axes: Iterable[tuple[Any, int]], values: Iterable[Array]) -> Array:
    """Return the number of the bin of every entry on axes that are given with their strides."""
    import hist

    numbers: Any = 0
    for (axis, stride), each in zip(axes, values, strict=True):
        if isinstance(axis, hist.axis.Variable):  # the first lies below all edges, the last above
            numbers = numbers + edges_below(each, axis.edges) * stride
        else:
            numbers = numbers + (axis.index(below_all(each)) + np.int64(1)) * stride
    return np.asarray(numbers)


def _add(sums: Any, bins: Array, weights: Array | None) -> None:
    """Add entries to the sums of all bins, which may go with sums of squares."""
    parts = [sums] if sums.dtype.names is None else [sums["value"], sums["variance"]]
    if weights is not None and len(parts) > 1:
        np.add.at(parts[0], bins, weights)
        np.add.at(parts[1], bins, weights**2)
        return
    for part in parts:
        if len(bins) < len(part):
            np.add.at(part, bins, 1.0)
        else:  # whole numbers have the same sum in any order
            part[:] += np.bincount(bins, minlength=len(part))
