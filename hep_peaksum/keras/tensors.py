"""The search and the sums on tensors, in nothing but `keras.ops`: the same on every backend and data format.

Apart from `keras_layer`, which knows settings and Keras' ways; here stand only tensors and offsets. A window is
read as slices of an image with margins: pooling and convolution know neither ties nor seams, they pad each in
its own way, and not every backend has them in channels_first.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from hep_peaksum.keras.support import Rivals
from hep_peaksum.kernels import LOWER_INDEX_WINS, NEIGHBOUR_WINS, Offset, Periodic

Tensor = Any
ABSENT = float("-inf")


def where(condition: Tensor, x: Tensor, other: Tensor | float) -> Tensor:
    """Return x where the condition holds, and elsewhere the other."""
    if isinstance(x, np.ndarray):
        return np.where(condition, x, np.asarray(other, x.dtype))
    return ops.where(condition, x, other)


def maximum(x: Tensor, other: Tensor) -> Tensor:
    """Return the higher of two tensors of one type."""
    is_double = keras.backend.standardize_dtype(x.dtype) == "float64"
    return where(x > other, x, other) if is_double else ops.maximum(x, other)


def exp(x: Tensor) -> Tensor:
    """Return the exponential."""
    return np.exp(x) if isinstance(x, np.ndarray) else ops.exp(x)


class Plane(NamedTuple):
    """Which axes of a tensor are rows and columns, and which of the two close on themselves."""

    axes: tuple[int, int]
    periodic: Periodic


class Surroundings:
    """An image with margins around it, from which the window about every cell is read.

    Parameters
    ----------
    image
        Four axes, rows and columns among them.
    offsets
        All that will be asked for; they say how wide the margins are.
    plane
        Of the image.
    beyond
        What stands beyond an edge; beyond a seam stands what is on the other side.
    combine
        How two cells become one: `operator.add` or `maximum`.
    """

    def __init__(
        self,
        image: Tensor,
        offsets: Iterable[Offset],
        plane: Plane,
        *,
        beyond: float,
        combine: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        reach = list(offsets)
        self.plane, self.combine = plane, combine
        self.margins = [
            (max(0, -min(offset[k] for offset in reach)), max(0, *(offset[k] for offset in reach)))
            for k in (0, 1)
        ]
        self.image = self._with_margins(image, beyond)
        self._lines: dict[tuple[int, ...], Tensor] = {}

    def at(self, offset: Offset) -> Tensor:
        """Return the cell at an offset from every cell, in the shape of the image."""
        cut = [slice(None)] * 4
        for axis, step, (before, after) in zip(self.plane.axes, offset, self.margins, strict=True):
            cut[axis] = slice(before + step, step - after or None)
        return self.image[tuple(cut)]

    def over(self, offsets: Iterable[Offset]) -> Tensor:
        """Return the cells at these offsets from every cell, combined.

        Rows of a window that look alike are combined once: a 9x9 window takes 16 steps, not 80.
        """
        columns: dict[int, list[int]] = {}
        for d, p in offsets:
            columns.setdefault(d, []).append(p)
        return reduce(self.combine, [self._row(d, tuple(line)) for d, line in columns.items()])

    def one_by_one(self, offsets: Iterable[Offset]) -> Tensor:
        """Return the same, combined in just this order, as the definition of a sum that is compared has it."""
        return reduce(self.combine, [self.at(offset) for offset in offsets])

    def _row(self, d: int, columns: tuple[int, ...]) -> Tensor:
        return self.at((d, *columns)) if len(columns) == 1 else self._shifted(self._line(columns), d, 0)

    def _line(self, columns: tuple[int, ...]) -> Tensor:
        if columns not in self._lines:
            self._lines[columns] = reduce(self.combine, [self._shifted(self.image, p, 1) for p in columns])
        return self._lines[columns]

    def _with_margins(self, image: Tensor, beyond: float) -> Tensor:
        width = [(0, 0)] * 4
        for k, axis in enumerate(self.plane.axes):
            before, after = self.margins[k]
            if self.plane.periodic[k]:
                image = _closed(image, axis, before, after)
            else:
                width[axis] = before, after
        return ops.pad(image, width, constant_values=beyond) if any(map(any, width)) else image

    def _shifted(self, image: Tensor, step: int, k: int) -> Tensor:
        before, after = self.margins[k]
        return _cut(image, self.plane.axes[k], before + step, step - after or None)


def _cut(image: Tensor, axis: int, start: int | None, stop: int | None) -> Tensor:
    return image[(slice(None),) * axis + (slice(start, stop),)]


def _closed(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Return the image with its last cells put before it and its first ones after it."""
    parts = [_cut(image, axis, -before, None)] if before else []
    parts += [image]
    parts += [_cut(image, axis, None, after)] if after else []
    return ops.concatenate(parts, axis=axis) if len(parts) > 1 else image


def reaches_no_edge(image: Tensor, offsets: Sequence[Offset], plane: Plane) -> Tensor:
    """Return about which cells no offset leads beyond an edge."""
    one = Surroundings(ops.ones_like(image), offsets, plane, beyond=0.0, combine=ops.minimum)
    return ops.greater(one.over(offsets), 0.5)


def hard_seeds(height: Tensor, bound: Tensor, groups: Sequence[Rivals], plane: Plane) -> Tensor:
    """Return which cells reach the bound and beat all their rivals; a NaN beats nothing."""
    seeds = ops.greater_equal(height, bound)
    if groups:
        around = _around(height, groups, plane)
        for group in groups:
            seeds = ops.logical_and(seeds, _beats(height, around.over(group.offsets), group, plane))
    return seeds


def _around(height: Tensor, groups: Sequence[Rivals], plane: Plane) -> Surroundings:
    offsets = [offset for group in groups for offset in group.offsets]
    return Surroundings(height, offsets, plane, beyond=ABSENT, combine=maximum)


def _beats(height: Tensor, highest: Tensor, group: Rivals, plane: Plane) -> Tensor:
    """Return which cells win against the highest of a group of rivals."""
    if group.seam is None:
        compare = ops.greater if group.tie == NEIGHBOUR_WINS else ops.greater_equal
        return compare(height, highest)
    may_tie = _rival_comes_first(height, group.seam, plane)
    if group.tie == LOWER_INDEX_WINS:
        may_tie = ops.logical_not(may_tie)
    # written out because onnxruntime cannot choose between booleans
    ties = ops.logical_and(may_tie, ops.equal(height, highest))
    return ops.logical_or(ops.greater(height, highest), ties)


def _rival_comes_first(image: Tensor, seam: tuple[int, int], plane: Plane) -> Tensor:
    """Return where the cell so many steps along a closed axis has the lower index; beyond a seam that turns."""
    (k, step), size = seam, ops.shape(image)[plane.axes[seam[0]]]
    index = ops.arange(size, dtype="int32")
    comes_first = ops.greater_equal(index, -step if step < 0 else size - step)
    return ops.reshape(comes_first, [-1] + [1] * (3 - plane.axes[k]))


def soft_seeds(
    height: Tensor, bound: Tensor, groups: Sequence[Rivals], plane: Plane, temperature: float
) -> Tensor:
    """Return how far each cell is a seed, from 0 to 1: its share of exp(height / temperature).

    It shares with its rivals and with the threshold. As the temperature falls it tends to 1 at a seed and to 0
    elsewhere; equal cells share equally, whatever the tie rule.
    """
    others = [ops.broadcast_to(bound, ops.shape(height))]
    if groups:
        around = _around(height, groups, plane)
        others += [around.at(offset) for group in groups for offset in group.offsets]
    return share(height, others, temperature)


def share(own: Tensor, others: Sequence[Tensor], temperature: float) -> Tensor:
    """Return exp(own / temperature), divided by the sum of it and the same of the others."""
    # the highest is taken out so that no exponential overflows; it cancels, hence has no gradient
    top = ops.stop_gradient(reduce(maximum, others, own))
    mine, *rest = (exp((x - top) / temperature) for x in (own, *others))
    return mine / reduce(operator.add, rest, mine)


def leading(sums: Tensor, seeds: Tensor, n: int) -> Tensor:
    """Return which seeds have the n largest sums of each plane; of equal sums the first in position.

    `sums` and `seeds` are flat: the last axis is the plane. The order in which backends return equal values is
    their own: only the n-th value is asked of them.
    """
    scores = where(seeds, sums, ABSENT)
    margin = ops.full_like(scores[..., :1], ABSENT)  # there may be fewer than n cells
    nth = ops.top_k(ops.concatenate([scores] + [margin] * n, axis=-1), n)[0][..., n - 1 :]
    above = ops.greater(scores, nth)
    level = ops.logical_and(ops.equal(scores, nth), seeds)
    n_free = n - ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    has_room = ops.less_equal(ops.cumsum(ops.cast(level, "int32"), axis=-1), n_free)
    return ops.logical_or(above, ops.logical_and(level, has_room))


def listed(chosen: Tensor, sums: Tensor, n: int, *, by_sum: bool) -> tuple[Tensor, Tensor]:
    """Return where on the flat plane the chosen cells are, at most n of them, and which of the n are any.

    They come in the order of falling sums, equal ones in that of position, or all in that of position.
    """
    last = 2**31 - 1
    index = ops.cast(ops.cumsum(ops.ones_like(chosen, dtype="int32"), axis=-1), "int32") - 1
    key = ops.where(chosen, -index, -last)
    margin = ops.full_like(key[..., :1], -last)
    key = ops.top_k(ops.concatenate([key] + [margin] * n, axis=-1), n)[0]
    is_any = ops.greater(key, -last)
    place = ops.where(is_any, -key, 0)
    if not by_sum:
        return place, is_any
    score = where(is_any, at_place(sums, place), ABSENT)
    mine, other = ops.expand_dims(score, -1), ops.expand_dims(score, -2)
    number = ops.arange(n, dtype="int32")
    before = ops.logical_and(ops.equal(mine, other), ops.expand_dims(number, -1) > ops.expand_dims(number, 0))
    rank = ops.sum(ops.cast(ops.logical_or(ops.less(mine, other), before), "int32"), axis=-1, keepdims=True)
    # row i of `rank` says at which place cell i comes; turned round, which cell comes at each place
    comes_here = ops.cast(ops.equal(rank, number), "int32")
    order = ops.sum(comes_here * ops.expand_dims(number, -1), axis=-2)
    return at_place(place, order), is_any


def at_place(values: Tensor, place: Tensor) -> Tensor:
    """Return the values at places along the last of three axes.

    As `take_along_axis`, which torch cannot export to ONNX, nor `take` but for rows of a table.
    """
    n_batch, n_channels, size = ops.shape(values)
    first = ops.arange(n_batch * n_channels, dtype="int32") * size
    index = place + ops.reshape(first, (n_batch, n_channels, 1))
    return ops.take(ops.reshape(values, (-1, 1)), index, axis=0)[..., 0]
