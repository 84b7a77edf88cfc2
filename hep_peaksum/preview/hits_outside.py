"""Along which axis hits miss a grid, and what was perhaps meant."""

from __future__ import annotations

import math

import numpy as np

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.kernels import Array
from hep_peaksum.preview.likely_mistakes import is_open_turn


def missed(key: str, word: str, axis: Axis, values: Array) -> str:
    """Return how many hits lie on no cell of an axis, where they are, and a question; nothing if none does.

    `key` is that of the axis in the grid, `word` that of the branch in hits.

    >>> missed("rows", "row", Axis(n=4), np.array([1, 4, 2]))
    'row is 4 for 1 of them, rows has index (0 to 3): does row count from 1? then write labels: 1..4 for n'
    """
    outside = values[axis.find(values) < 0]
    if not len(outside):
        return ""
    known = outside[np.isfinite(outside)]
    where = "not finite"
    if len(known):
        least, most = known.min(), known.max()
        where = f"{least:.6g}" if least == most else f"{least:.6g} to {most:.6g}"
    said = f"{word} is {where} for {len(outside)} of them, {key} has {axis.found_by}"
    return f"{said}: {_question(key, word, axis, values)}"


def _question(key: str, word: str, axis: Axis, values: Array) -> str:
    """Return what may have been meant, as a question: hits may be outside on purpose."""
    known = values[np.isfinite(values)]
    least, most = (known.min(), known.max()) if len(known) else (math.nan, math.nan)
    if (labels := axis.label_values) is not None:
        low, high = labels.min(), labels.max()
        if len(labels) == 2 and high - low > 1 and low <= least and most <= high:
            return f"are all from {low} to {high} meant? then write labels: {low}..{high}"
        return f"are other labels meant in {key}?"
    if axis.edge_positions is None:
        if least == 1 and most == axis.size:
            return f"does {word} count from 1? then write labels: 1..{axis.size} for n"
        return f"does {key} need more cells, or labels?"
    numbered = axis.numbered(known) if len(known) else ""
    if not numbered and is_open_turn(axis):
        return f"is {key} a full turn? then add periodic: true"
    return numbered or f"is another start or stop meant in {key}, or another unit?"
