"""The search and the sums on tensors, in `keras.ops` only: the same on every backend and in every data format.

This module knows tensors and offsets; `layer` knows settings and Keras' conventions. Windows are read as slices
of a padded image, because pooling and convolution know neither ties nor seams, pad in their own ways, and are
not available in channels_first on every backend.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from hep_peaksum.keras.support import DataFormat, NeighbourGroup, margins
from hep_peaksum.kernels import Offset, Periodic, absent

Tensor = Any
ABSENT = absent("float64")


def where(condition: Tensor, x: Tensor, other: Tensor | float) -> Tensor:
    """Return `ops.where`, in the type of x: Keras' numpy backend would give float32."""
    if isinstance(x, np.ndarray):
        return np.where(condition, x, np.asarray(other, x.dtype))
    return ops.where(condition, x, other)


def maximum(x: Tensor, other: Tensor) -> Tensor:
    """Return `ops.maximum` of two tensors of one type: on numpy and torch, Keras' has only float32."""
    is_double = keras.backend.standardize_dtype(x.dtype) == "float64"
    return where(x > other, x, other) if is_double else ops.maximum(x, other)


def exp(x: Tensor) -> Tensor:
    """Return `ops.exp`, in the type of x: Keras' numpy backend would give float32."""
    return np.exp(x) if isinstance(x, np.ndarray) else ops.exp(x)


class Layout(NamedTuple):
    """What the four axes of a tensor of images mean, and which of rows and columns are periodic."""

    data_format: DataFormat
    periodic: Periodic

    @property
    def plane(self) -> tuple[int, int]:
        """The axes of rows and columns."""
        return (2, 3) if self.data_format == "channels_first" else (1, 2)

    @property
    def channel(self) -> int:
        """The axis of channels."""
        return 1 if self.data_format == "channels_first" else 3

    def flatten(self, images: Tensor) -> Tensor:
        """Return images in the shape (batch, channel, cell), cells in the order of (row, col)."""
        if self.data_format == "channels_last":
            images = ops.transpose(images, (0, 3, 1, 2))
        batch, channel, rows, cols = ops.shape(images)
        return ops.reshape(images, (batch, channel, rows * cols))

    def unflatten(self, flat: Tensor, like: Tensor) -> Tensor:
        """Return flattened images in the shape of others."""
        if self.data_format == "channels_first":
            return ops.reshape(flat, ops.shape(like))
        batch, rows, cols, channel = ops.shape(like)
        return ops.transpose(ops.reshape(flat, (batch, channel, rows, cols)), (0, 2, 3, 1))


class PaddedImages:
    """Images with a margin, from which the window around every cell is read as slices.

    Parameters
    ----------
    images
        Four axes, in the order of `layout`.
    offsets
        All offsets that will be read; they determine the margins.
    layout
        Of the images.
    fill
        The value beyond an edge. Beyond a seam are the cells of the other side.
    combine
        Combines two cells into one: `operator.add` or `maximum`.
    """

    def __init__(
        self,
        images: Tensor,
        offsets: Iterable[Offset],
        layout: Layout,
        *,
        fill: float,
        combine: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self.layout, self.combine = layout, combine
        self.margins = margins(offsets)
        self.images = self._padded(images, fill)
        self._lines: dict[tuple[int, ...], Tensor] = {}

    def at(self, offset: Offset) -> Tensor:
        """Return the cell at an offset from every cell, in the shape of the images."""
        index = [slice(None)] * 4
        for axis, step, (before, after) in zip(self.layout.plane, offset, self.margins, strict=True):
            index[axis] = slice(before + step, step - after or None)
        return self.images[tuple(index)]

    def combined(self, offsets: Iterable[Offset]) -> Tensor:
        """Return the cells at these offsets from every cell, combined.

        Equal rows of a window are combined once: a 9x9 window takes 16 operations, not 80.
        """
        columns: dict[int, list[int]] = {}
        for d, p in offsets:
            columns.setdefault(d, []).append(p)
        return reduce(self.combine, [self._row(d, tuple(line)) for d, line in columns.items()])

    def combined_in_order(self, offsets: Iterable[Offset]) -> Tensor:
        """Return the same, combined in the order given, so that sums that are compared round as defined."""
        return reduce(self.combine, [self.at(offset) for offset in offsets])

    def _row(self, d: int, columns: tuple[int, ...]) -> Tensor:
        return self.at((d, *columns)) if len(columns) == 1 else self._shifted(self._line(columns), d, 0)

    def _line(self, columns: tuple[int, ...]) -> Tensor:
        if columns not in self._lines:
            self._lines[columns] = reduce(self.combine, [self._shifted(self.images, p, 1) for p in columns])
        return self._lines[columns]

    def _shifted(self, images: Tensor, step: int, k: int) -> Tensor:
        before, after = self.margins[k]
        return _sliced(images, self.layout.plane[k], before + step, step - after or None)

    def _padded(self, images: Tensor, fill: float) -> Tensor:
        width = [(0, 0)] * 4
        for axis, closed, margin in zip(self.layout.plane, self.layout.periodic, self.margins, strict=True):
            if closed:
                images = _wrapped(images, axis, *margin)
            else:
                width[axis] = margin
        return ops.pad(images, width, constant_values=fill) if any(map(any, width)) else images


def _wrapped(images: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Return images with their last cells along an axis repeated before them and the first ones after them."""
    parts = [_sliced(images, axis, -before, None)] if before else []
    parts += [images]
    parts += [_sliced(images, axis, None, after)] if after else []
    return ops.concatenate(parts, axis=axis) if len(parts) > 1 else images


def _sliced(images: Tensor, axis: int, start: int | None, stop: int | None) -> Tensor:
    return images[(slice(None),) * axis + (slice(start, stop),)]


def is_within_edges(images: Tensor, offsets: Sequence[Offset], layout: Layout) -> Tensor:
    """Return around which cells no offset leads beyond an edge."""
    ones = PaddedImages(ops.ones_like(images), offsets, layout, fill=0.0, combine=ops.minimum)
    return ops.greater(ones.combined(offsets), 0.5)


def hard_seeds(discriminant: Tensor, bound: Tensor, groups: Sequence[NeighbourGroup], layout: Layout) -> Tensor:
    """Return which cells reach the bound and beat all their neighbours; a NaN beats nothing."""
    seeds = ops.greater_equal(discriminant, bound)
    if groups:
        neighbours = _padded_for(groups, discriminant, layout)
        for group in groups:
            highest = neighbours.combined(group.offsets)
            seeds = ops.logical_and(seeds, _beats(discriminant, highest, group, layout))
    return seeds


def _padded_for(groups: Sequence[NeighbourGroup], discriminant: Tensor, layout: Layout) -> PaddedImages:
    offsets = [offset for group in groups for offset in group.offsets]
    return PaddedImages(discriminant, offsets, layout, fill=ABSENT, combine=maximum)


def _beats(discriminant: Tensor, highest: Tensor, group: NeighbourGroup, layout: Layout) -> Tensor:
    """Return which cells win against the highest neighbour of a group."""
    if group.seam is None:
        compare = ops.greater if group.strict else ops.greater_equal
        return compare(discriminant, highest)
    axis = layout.plane[group.seam[0]]
    size = ops.shape(discriminant)[axis]
    may_equal = group.may_equal(ops.arange(size, dtype="int32"), size)
    may_equal = ops.reshape(may_equal, [-1] + [1] * (3 - axis))
    # not one `ops.where` of two comparisons: onnxruntime has none for booleans
    wins_tie = ops.logical_and(may_equal, ops.equal(discriminant, highest))
    return ops.logical_or(ops.greater(discriminant, highest), wins_tie)


def soft_seeds(
    discriminant: Tensor,
    bound: Tensor,
    groups: Sequence[NeighbourGroup],
    layout: Layout,
    temperature: float,
) -> Tensor:
    """Return the weight of each cell as a seed, from 0 to 1: its softmax over search window and bound.

    As the temperature falls it tends to 1 at a seed and to 0 elsewhere; equal cells share equally, whatever the
    tie rule.
    """
    others = [ops.broadcast_to(bound, ops.shape(discriminant))]
    if groups:
        neighbours = _padded_for(groups, discriminant, layout)
        others += [neighbours.at(offset) for group in groups for offset in group.offsets]
    return softmax_weight(discriminant, others, temperature)


def softmax_weight(x: Tensor, others: Sequence[Tensor], temperature: float) -> Tensor:
    """Return exp(x / temperature), divided by the sum of it and the same of the others."""
    # subtracting the highest keeps exponentials from overflowing; it cancels, hence has no gradient
    highest = ops.stop_gradient(reduce(maximum, others, x))
    own, *rest = (exp((value - highest) / temperature) for value in (x, *others))
    return own / reduce(operator.add, rest, own)


def straight_through(values: Tensor, soft: Tensor) -> Tensor:
    """Return the values with the gradient of the soft ones."""
    return ops.stop_gradient(values) + (soft - ops.stop_gradient(soft))


def select_leading(sums: Tensor, seeds: Tensor, n: int) -> Tensor:
    """Return which seeds have the n largest sums of each image; of equal sums the first in position.

    `sums` and `seeds` are flattened images. Backends differ in the order in which they return equal values;
    therefore only the n-th value is used.
    """
    scores = where(seeds, sums, ABSENT)
    padding = ops.full_like(scores[..., :1], ABSENT)  # there may be fewer than n cells
    nth = ops.top_k(ops.concatenate([scores] + [padding] * n, axis=-1), n)[0][..., n - 1 :]
    above = ops.greater(scores, nth)
    equal = ops.logical_and(ops.equal(scores, nth), seeds)
    n_free = n - ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    has_room = ops.less_equal(ops.cumsum(ops.cast(equal, "int32"), axis=-1), n_free)
    return ops.logical_or(above, ops.logical_and(equal, has_room))


def seed_positions(seeds: Tensor, sums: Tensor, n: int, *, by_sum: bool) -> tuple[Tensor, Tensor]:
    """Return the positions of the seeds in each flattened image as lists of n, and which entries are seeds.

    At most n cells of an image are seeds. They are in the order of descending sums, equal ones by position, or
    all by position.
    """
    last = 2**31 - 1
    index = ops.cast(ops.cumsum(ops.ones_like(seeds, dtype="int32"), axis=-1), "int32") - 1
    key = ops.where(seeds, -index, -last)
    padding = ops.full_like(key[..., :1], -last)
    key = ops.top_k(ops.concatenate([key] + [padding] * n, axis=-1), n)[0]
    is_seed = ops.greater(key, -last)
    position = ops.where(is_seed, -key, 0)
    if not by_sum:
        return position, is_seed
    score = where(is_seed, take_along_cells(sums, position), ABSENT)
    own, other = ops.expand_dims(score, -1), ops.expand_dims(score, -2)
    number = ops.arange(n, dtype="int32")
    is_later = ops.expand_dims(number, -1) > ops.expand_dims(number, 0)
    is_behind = ops.logical_or(ops.less(own, other), ops.logical_and(ops.equal(own, other), is_later))
    rank = ops.sum(ops.cast(is_behind, "int32"), axis=-1, keepdims=True)
    # `rank` holds the place of each entry; invert it: which entry is at each place
    has_place = ops.cast(ops.equal(rank, number), "int32")
    order = ops.sum(has_place * ops.expand_dims(number, -1), axis=-2)
    return take_along_cells(position, order), is_seed


def take_along_cells(values: Tensor, position: Tensor) -> Tensor:
    """Return the values at positions along the last of three axes.

    torch cannot export `ops.take_along_axis` to ONNX, and `ops.take` only for rows of a table.
    """
    n_batch, n_channels, size = ops.shape(values)
    first = ops.arange(n_batch * n_channels, dtype="int32") * size
    index = position + ops.reshape(first, (n_batch, n_channels, 1))
    return ops.take(ops.reshape(values, (-1, 1)), index, axis=0)[..., 0]
