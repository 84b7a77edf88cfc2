"""The layer built from standard Keras layers, for tools that know no others, such as hls4ml (FPGA firmware).

A neighbour beats a cell if `neighbour - cell`, in steps, plus 1 where the neighbour wins a tie, is above 0. A
cell that neither its neighbours nor the threshold beat is a seed. So a convolution with weights 1 and -1, ReLU,
a convolution that counts, and another ReLU mark the seeds, ties included; the sums are a convolution with ones.
Cells are whole multiples of a step: without a smallest difference between cells there is no such rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hep_peaksum.keras.layer import PeakSum2D
from hep_peaksum.keras.support import NeighbourGroup, inclusive_bounds, margins, resolve_windows
from hep_peaksum.kernels import Array, Offset, Periodic

import keras  # isort: skip  # after the layer, whose error says what to install

Tensor = Any


def standard_model(layer: PeakSum2D, input_shape: Sequence[int], step: float = 1.0) -> Any:
    """Return a model of standard Keras layers that equals the layer for cells that are multiples of a step.

    Parameters
    ----------
    layer
        The layer whose settings are taken; those without such a form are refused.
    input_shape
        (row, col, channel), or (channel, row, col) if the layer has the channels first.
    step
        A power of two of which every cell is a whole multiple: 1 for counts, 1/16 for ``ap_ufixed<16,12>``.

    Raises
    ------
    ValueError
        If the layer has no such form; the message names the key.

    >>> standard_model(PeakSum2D(data_format="channels_last"), (24, 16, 1)).output_shape
    (None, 24, 16, 1)
    """
    for error in _errors(layer, input_shape, step):
        raise ValueError(error)
    inputs = keras.Input(tuple(input_shape), name="cells", dtype="float32")
    cells, channels_first = inputs, layer.data_format == "channels_first"
    if channels_first:
        cells = _layer("Permute", (2, 3, 1))(cells)
    output = _Builder(layer, cells.shape[1:3], step).output(cells)
    if channels_first:
        output = _layer("Permute", (3, 1, 2))(output)
    return keras.Model(inputs, output, name="peak_sum", trainable=False)


def _errors(layer: PeakSum2D, input_shape: Sequence[int], step: float) -> list[str]:
    """Return an error message for each reason why a layer has no form in standard layers."""
    settings, errors = layer.settings, []
    if not (step > 0 and math.frexp(step)[0] == 0.5):
        errors.append(f"step is {step}: give a power of two, the smallest difference between cells")
    if len(input_shape) != 3 or not all(isinstance(n, int) for n in input_shape):
        errors.append(f"input_shape is {input_shape}: give three whole numbers, firmware has a fixed size")
        return errors
    layer.compute_output_spec(keras.KerasTensor((None, *input_shape)))  # raises if mask or windows do not fit
    n_channels = input_shape[0 if layer.data_format == "channels_first" else 2]
    if n_channels > 1 and layer.layers == "each":
        errors.append(
            f"layers 'each' of {n_channels} channels is not possible: use one model for each, or 'sum'"
        )
    impossible = {
        "returns": ("leading", "lists are sorted"),
        "gradient": ("soft", "it has exponentials; the hard one has the values of straight-through"),
    }
    for key, (value, reason) in impossible.items():
        if getattr(layer, key) == value:
            errors.append(f"{key} {value!r} is not possible in standard layers: {reason}")
    if settings.max_clusters is not None:
        errors.append(f"max_clusters {settings.max_clusters} is not possible in standard layers: it sorts")
    if settings.nonfinite == "mask":
        errors.append("nonfinite 'mask' is not possible in standard layers: fixed-point cells are all finite")
    if inclusive_bounds(settings, layer.unit, "float64").seed <= 0:
        errors.append(
            f"seed_threshold {settings.seed_threshold!r} with {settings.seed_comparison!r} is not possible in "
            "standard layers: seeds have to be above 0, the padding beyond the edges"
        )
    return errors


class _Builder:
    """Builds one model: its methods take and return tensors (batch, row, col, channel)."""

    def __init__(self, layer: PeakSum2D, size: tuple[int, int], step: float) -> None:
        self.settings, self.layer, self.size, self.step = layer.settings, layer, size, step
        self.windows = resolve_windows(layer.settings, layer.periodic, size)
        self.bounds = inclusive_bounds(layer.settings, layer.unit, "float64")
        self.usable = None if layer.cell_mask is None else ~layer.cell_mask[..., None]

    def output(self, cells: Tensor) -> Tensor:
        """Return the output of the layer."""
        if cells.shape[-1] > 1:
            cells = _convolved(cells, np.ones((1, 1, cells.shape[-1], 1)), [0], "depth")
        if self.usable is not None:
            cells = _scaled(cells, self.usable, 0)
        sums = self._window_sums(self._summed_cells(cells), self.windows.sum, "sums")
        seeds = self._seeds(self._discriminant(cells))
        if self.bounds.sum is not None:
            seeds = _layer("Multiply")([seeds, self._passes(sums, self.bounds.sum)])
        if self.usable is not None and self.settings.masked == "zero":
            seeds = _scaled(seeds, self.usable, 0)
        if self.layer.returns == "mask":
            return seeds
        values = _layer("Multiply", name="map")([sums, seeds])
        return _layer("Concatenate", axis=3)([values, seeds]) if self.layer.returns == "both" else values

    def _summed_cells(self, cells: Tensor) -> Tensor:
        """Return the cells, with 0 in place of those below the cell threshold."""
        bound = self.bounds.cell
        if bound is None:
            return cells
        passes = self._passes(cells, bound)
        if self.settings.cell_threshold_abs:
            if bound <= 0:
                return cells
            passes = _layer("Add")([passes, self._passes(cells, bound, sign=-1)])
        return _layer("Multiply")([cells, passes])

    def _discriminant(self, cells: Tensor) -> Tensor:
        """Return what is compared, or 0, which is below the threshold, where there is nothing."""
        if self.settings.seed_is_cell:
            return cells
        discriminant = self._window_sums(cells, self.windows.seed, "height")
        exists = np.ones((*self.size, 1), bool)
        if not self.settings.partial_seed_windows:
            exists &= self._is_within_edges(self.windows.seed)[..., None]
        if self.usable is not None and self.settings.masked == "absent":
            exists &= self.usable
        return discriminant if exists.all() else _scaled(discriminant, exists, 0)

    def _is_within_edges(self, offsets: Sequence[Offset]) -> npt.NDArray[np.bool_]:
        within = []
        for n, closed, (before, after) in zip(self.size, self.layer.periodic, margins(offsets), strict=True):
            index = np.arange(n)
            within.append((index >= before) & (index < n - after) | closed)
        return np.logical_and.outer(*within)

    def _window_sums(self, cells: Tensor, offsets: Sequence[Offset], name: str) -> Tensor:
        padded = _padded(cells, offsets, self.layer.periodic)
        return _convolved(padded, _kernel(offsets).sum(axis=-1, keepdims=True), [0], name)

    def _passes(self, values: Tensor, bound: float, sign: int = 1) -> Tensor:
        """Return 1 where sign * values reaches a bound, and 0 elsewhere."""
        weight = np.full((1, 1, 1, 1), -sign / self.step)
        return _none_above_zero(_convolved(values, weight, [math.ceil(bound / self.step)]))

    def _seeds(self, discriminant: Tensor) -> Tensor:
        """Return 1 at the seeds and 0 elsewhere."""
        neighbours = [(offset, group) for group in self.windows.search for offset in group.offsets]
        offsets = [*(offset for offset, _ in neighbours), (0, 0)]
        kernel = _kernel(offsets)
        kernel[..., -1] = 0  # the last channel is the threshold: a neighbour of 0 plus the bound, its bias
        (row, _), (col, _) = margins(offsets)
        kernel[row, col] -= 1
        bias = [
            *(group.strict and not group.seam for _, group in neighbours),
            math.ceil(self.bounds.seed / self.step),
        ]
        padded = _padded(discriminant, offsets, self.layer.periodic)
        differences = _convolved(padded, kernel / self.step, bias, "rivals")
        if any(group.seam for _, group in neighbours):
            lost_ties = [*(self._lost_ties(group) for _, group in neighbours), np.zeros(self.size)]
            differences = _scaled(differences, 1, np.stack(lost_ties, axis=-1))
        return _none_above_zero(differences, "seeds")

    def _lost_ties(self, group: NeighbourGroup) -> Array:
        """Return where ties are lost, if the index along a periodic axis decides them; 0 otherwise."""
        if group.seam is None:
            return np.zeros(self.size)
        axis = group.seam[0]
        lost = ~group.may_equal(np.arange(self.size[axis]), self.size[axis])
        return np.broadcast_to(lost[:, None] if axis == 0 else lost, self.size)


def _kernel(offsets: Sequence[Offset]) -> Array:
    """Return a kernel (row, col, 1, channel) whose channels are the cells at the offsets.

    >>> _kernel([(0, -1), (0, 0)])[0, :, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    (above, below), (left, right) = margins(offsets)
    kernel = np.zeros((above + 1 + below, left + 1 + right, 1, len(offsets)))
    for channel, (d, p) in enumerate(offsets):
        kernel[above + d, left + p, 0, channel] = 1
    return kernel


def _padded(images: Tensor, offsets: Sequence[Offset], periodic: Periodic) -> Tensor:
    """Return images with a margin as wide as a window reaches: of cells across the seam, or of 0."""
    zero_margins = [(0, 0), (0, 0)]
    for axis, (before, after) in enumerate(margins(offsets)):
        if not periodic[axis]:
            zero_margins[axis] = before, after
            continue
        n, parts = images.shape[1 + axis], [images]
        if before:
            parts.insert(0, _cropped(images, axis, n - before, 0))
        if after:
            parts.append(_cropped(images, axis, 0, n - after))
        for part in parts[1:]:  # hls4ml concatenates only two at a time
            parts[0] = _layer("Concatenate", axis=1 + axis)([parts[0], part])
        images = parts[0]
    if not np.any(zero_margins):
        return images
    return _layer("ZeroPadding2D", tuple(zero_margins), data_format="channels_last")(images)


def _cropped(images: Tensor, axis: int, before: int, after: int) -> Tensor:
    margin = [(0, 0), (0, 0)]
    margin[axis] = before, after
    return _layer("Cropping2D", tuple(margin), data_format="channels_last")(images)


def _convolved(images: Tensor, kernel: Array, bias: Sequence[float], name: str | None = None) -> Tensor:
    shape = kernel.shape
    layer = _layer("Conv2D", shape[3], shape[:2], data_format="channels_last", name=name)
    output = layer(images)
    layer.set_weights([kernel, np.asarray(bias, float)])
    return output


def _none_above_zero(images: Tensor, name: str | None = None) -> Tensor:
    """Return 1 where no channel is above 0, and 0 elsewhere, for channels of whole numbers."""
    positive = _layer("Activation", "relu")(images)
    count = _convolved(positive, np.full((1, 1, positive.shape[-1], 1), -1.0), [1])
    return _layer("Activation", "relu", name=name)(count)


def _scaled(images: Tensor, factor: npt.ArrayLike, term: npt.ArrayLike) -> Tensor:
    """Return factor x images + term, with a factor and a term for every cell and channel.

    It is a depthwise convolution of one cell whose channels are the cells. Batch normalization could do the
    same, but in tensorflow it divides by the processor's approximate square root, which for 1 is not always 1.
    """
    shape = images.shape[1:]
    layer = _layer("DepthwiseConv2D", 1, data_format="channels_last")
    output = layer(_layer("Reshape", (1, 1, math.prod(shape)))(images))
    kernel, bias = (np.broadcast_to(values, shape).astype(float) for values in (factor, term))
    layer.set_weights([kernel.reshape(1, 1, -1, 1), bias.ravel()])
    return _layer("Reshape", shape)(output)


def _layer(kind: str, *args: Any, **kwargs: Any) -> Any:
    return getattr(keras.layers, kind)(*args, **kwargs, dtype="float32")
