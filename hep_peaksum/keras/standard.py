"""The layer out of standard Keras layers, for tools that know no others: hls4ml, which writes FPGA firmware.

A rival takes the seed from a cell by `rival - cell` steps, one more if a tie is lost, if that is more than 0.
A cell from which neither its rivals nor the threshold take it is a seed. So a convolution with weights 1 and
-1, ReLU, a convolution that counts, and ReLU again say which cells are seeds, ties and all; the sums are a
convolution with ones. Cells are whole numbers of steps: without a least distance there is no such rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hep_peaksum.keras.layer import PeakSum2D
from hep_peaksum.keras.support import Rivals, bounds_of, windows
from hep_peaksum.kernels import LOWER_INDEX_WINS, NEIGHBOUR_WINS, Offset, Periodic

import keras  # isort: skip  # after the layer, which says what to install

Tensor = Any
Numbers = npt.NDArray[np.float64]
CENTRE = (0, 0)


def standard_model(layer: PeakSum2D, input_shape: Sequence[int], step: float = 1.0) -> Any:
    """Return a model of standard Keras layers that gives what the layer gives for multiples of a step.

    Parameters
    ----------
    layer
        Of which the settings are taken. What has no such form is refused.
    input_shape
        (row, col, channel), or as the layer has it; without the batch.
    step
        A power of two of which every cell is a whole multiple: 1 for counts, 1/16 for ``ap_ufixed<16,12>``.

    Raises
    ------
    ValueError
        If the layer has no such form; the message names the key.

    >>> standard_model(PeakSum2D(data_format="channels_last"), (24, 16, 1)).output_shape
    (None, 24, 16, 1)
    """
    for problem in _problems(layer, input_shape, step):
        raise ValueError(problem)
    inputs = keras.Input(tuple(input_shape), name="cells", dtype="float32")
    cells, first = inputs, layer.data_format == "channels_first"
    if first:
        cells = _layer("Permute", (2, 3, 1))(cells)
    output = _Builder(layer, cells.shape[1:3], step).output(cells)
    if first:
        output = _layer("Permute", (3, 1, 2))(output)
    return keras.Model(inputs, output, name="peak_sum", trainable=False)


def _problems(layer: PeakSum2D, input_shape: Sequence[int], step: float) -> list[str]:
    """Return why a layer has no form in standard layers, a line each."""
    settings, found = layer.settings, []
    if not (step > 0 and math.frexp(step)[0] == 0.5):
        found.append(f"step is {step}: give a power of two, the least distance of two cells")
    if len(input_shape) != 3 or not all(isinstance(n, int) for n in input_shape):
        found.append(f"input_shape is {input_shape}: give three whole numbers, firmware has a fixed size")
        return found
    layer.compute_output_spec(keras.KerasTensor((None, *input_shape)))  # mask and windows have to go with it
    n_channels = input_shape[0 if layer.data_format == "channels_first" else 2]
    if n_channels > 1 and layer.layers == "each":
        found.append(
            f"layers 'each' of {n_channels} channels is not possible: use one model for each, or 'sum'"
        )
    impossible = {
        "returns": ("leading", "lists are sorted"),
        "gradient": ("soft", "it has exponentials; the hard one has the values of straight-through"),
    }
    for key, (value, why) in impossible.items():
        if getattr(layer, key) == value:
            found.append(f"{key} {value!r} is not possible in standard layers: {why}")
    if settings.max_clusters is not None:
        found.append(f"max_clusters {settings.max_clusters} is not possible in standard layers: it sorts")
    if settings.nonfinite == "mask":
        found.append("nonfinite 'mask' is not possible in standard layers: fixed-point cells are all finite")
    if bounds_of(settings, layer.unit, "float64").seed <= 0:
        found.append(
            f"seed_threshold {settings.seed_threshold!r} with {settings.seed_comparison!r} is not possible in "
            "standard layers: seeds have to be above 0, which stands beyond the edges"
        )
    return found


class _Builder:
    """The parts of one model, in steps of the cells."""

    def __init__(self, layer: PeakSum2D, size: tuple[int, int], step: float) -> None:
        self.settings, self.layer, self.size, self.step = layer.settings, layer, size, step
        self.windows = windows(layer.settings, layer.periodic, size)
        self.exist = None if layer.cell_mask is None else ~layer.cell_mask[..., None]

    def output(self, cells: Tensor) -> Tensor:
        """Return the output of the layer for a tensor (batch, row, col, channel)."""
        if cells.shape[-1] > 1:
            cells = _convolved(cells, np.ones((1, 1, cells.shape[-1], 1)), [0], "depth")
        if self.exist is not None:
            cells = _each(cells, self.exist, 0)
        bounds = bounds_of(self.settings, self.layer.unit, "float64")
        sums = self._summed(self._above(cells, bounds.cell), self.windows.sum, "sums")
        seeds = self._seeds(self._height(cells), bounds.seed)
        if bounds.sum is not None:
            seeds = _layer("Multiply")([seeds, self._reach(sums, bounds.sum)])
        if self.exist is not None and self.settings.masked == "zero":
            seeds = _each(seeds, self.exist, 0)
        if self.layer.returns == "mask":
            return seeds
        values = _layer("Multiply", name="map")([sums, seeds])
        return _layer("Concatenate", axis=3)([values, seeds]) if self.layer.returns == "both" else values

    def _above(self, cells: Tensor, bound: float | None) -> Tensor:
        """Return the cells that are added, and 0 for those below the threshold."""
        if bound is None:
            return cells
        passes = self._reach(cells, bound)
        if self.settings.cell_threshold_abs:
            if bound <= 0:
                return cells
            passes = _layer("Add")([passes, self._reach(cells, bound, sign=-1)])
        return _layer("Multiply")([cells, passes])

    def _height(self, cells: Tensor) -> Tensor:
        """Return what is compared; 0 where there is none, which is below the threshold."""
        if self.settings.seed_is_cell:
            return cells
        height = self._summed(cells, self.windows.seed, "height")
        exists = np.ones((*self.size, 1), bool)
        if not self.settings.partial_seed_windows:
            exists &= self._reaches_no_edge(self.windows.seed)[..., None]
        if self.exist is not None and self.settings.masked == "absent":
            exists &= self.exist
        return height if exists.all() else _each(height, exists, 0)

    def _reaches_no_edge(self, offsets: Sequence[Offset]) -> npt.NDArray[np.bool_]:
        inside = []
        for n, closed, (before, after) in zip(self.size, self.layer.periodic, _margins(offsets), strict=True):
            at = np.arange(n)
            inside.append((at >= before) & (at < n - after) | closed)
        return np.logical_and.outer(*inside)

    def _summed(self, cells: Tensor, offsets: Sequence[Offset], name: str) -> Tensor:
        around = _around(cells, offsets, self.layer.periodic)
        return _convolved(around, _kernel(offsets).sum(axis=-1, keepdims=True), [0], name)

    def _reach(self, values: Tensor, bound: float, sign: int = 1) -> Tensor:
        """Return 1 where values, by the sign, reach a bound, and 0 elsewhere."""
        weight = np.full((1, 1, 1, 1), -sign / self.step)
        return _nothing_of(_convolved(values, weight, [math.ceil(bound / self.step)]))

    def _seeds(self, height: Tensor, bound: float) -> Tensor:
        """Return 1 at the seeds and 0 elsewhere."""
        rivals = [(offset, group) for group in self.windows.rivals for offset in group.offsets]
        offsets = [*(offset for offset, _ in rivals), CENTRE]
        kernel = _kernel(offsets)
        kernel[..., -1] = (
            0  # the last is the threshold: a rival that is 0, and with the bias as high as the bound
        )
        row, col = (before for before, _ in _margins(offsets))
        kernel[row, col] -= 1
        bias = [*(group.tie == NEIGHBOUR_WINS for _, group in rivals), math.ceil(bound / self.step)]
        around = _around(height, offsets, self.layer.periodic)
        lost = _convolved(around, kernel / self.step, bias, "rivals")
        if any(group.seam for _, group in rivals):
            at_seams = [*(self._loses_tie(group) for _, group in rivals), np.zeros(self.size)]
            lost = _each(lost, 1, np.stack(at_seams, axis=-1))
        return _nothing_of(lost, "seeds")

    def _loses_tie(self, group: Rivals) -> Numbers:
        """Return where a tie is lost with rivals that have now the lower, now the higher index."""
        lost = np.zeros(self.size)
        if group.seam is not None:
            axis, step = group.seam
            at = np.arange(self.size[axis])
            comes_first = at >= (-step if step < 0 else self.size[axis] - step)
            loses = comes_first if group.tie == LOWER_INDEX_WINS else ~comes_first
            lost += loses[:, None] if axis == 0 else loses[None]
        return lost


def _margins(offsets: Sequence[Offset]) -> list[tuple[int, int]]:
    """Return how far a window reaches before and after a cell, along rows and along columns.

    >>> _margins([(0, 0), (-1, 2)])
    [(1, 0), (0, 2)]
    """
    return [(-min(0, *steps), max(0, *steps)) for steps in zip(*offsets, CENTRE, strict=True)]


def _kernel(offsets: Sequence[Offset]) -> Numbers:
    """Return a kernel of which each channel is the cell at one offset: (row, col, 1, channel).

    >>> _kernel([(0, -1), (0, 0)])[0, :, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    (above, below), (left, right) = _margins(offsets)
    kernel = np.zeros((above + 1 + below, left + 1 + right, 1, len(offsets)))
    for channel, (d, p) in enumerate(offsets):
        kernel[above + d, left + p, 0, channel] = 1
    return kernel


def _around(image: Tensor, offsets: Sequence[Offset], periodic: Periodic) -> Tensor:
    """Return the image with all the cells around it that a window reaches: those across a seam, or 0."""
    open_margins = [(0, 0), (0, 0)]
    for axis, (before, after) in enumerate(_margins(offsets)):
        if not periodic[axis]:
            open_margins[axis] = before, after
            continue
        n, parts = image.shape[1 + axis], [image]
        if before:
            parts.insert(0, _cropped(image, axis, n - before, 0))
        if after:
            parts.append(_cropped(image, axis, 0, n - after))
        for part in parts[1:]:  # hls4ml joins two at a time
            parts[0] = _layer("Concatenate", axis=1 + axis)([parts[0], part])
        image = parts[0]
    if not np.any(open_margins):
        return image
    return _layer("ZeroPadding2D", tuple(open_margins), data_format="channels_last")(image)


def _cropped(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    cut = [(0, 0), (0, 0)]
    cut[axis] = before, after
    return _layer("Cropping2D", tuple(cut), data_format="channels_last")(image)


def _convolved(image: Tensor, kernel: Numbers, bias: Sequence[float], name: str | None = None) -> Tensor:
    shape = kernel.shape
    layer = _layer("Conv2D", shape[3], shape[:2], data_format="channels_last", name=name)
    output = layer(image)
    layer.set_weights([kernel, np.asarray(bias, float)])
    return output


def _nothing_of(lost: Tensor, name: str | None = None) -> Tensor:
    """Return 1 where no channel is above 0, else 0; channels are whole numbers."""
    lost = _layer("Activation", "relu")(lost)
    count = _convolved(lost, np.full((1, 1, lost.shape[-1], 1), -1.0), [1])
    return _layer("Activation", "relu", name=name)(count)


def _each(image: Tensor, factor: npt.ArrayLike, term: npt.ArrayLike) -> Tensor:
    """Return factor x image + term, with a factor and a term for every cell and channel.

    It is a convolution of one cell with as many channels. Batch normalization could do that, too, but there
    tensorflow divides by the approximate square root of the processor, which of 1 is not 1 on some.
    """
    shape = image.shape[1:]
    layer = _layer("DepthwiseConv2D", 1, data_format="channels_last")
    output = layer(_layer("Reshape", (1, 1, math.prod(shape)))(image))
    kernel, bias = (np.broadcast_to(values, shape).astype(float) for values in (factor, term))
    layer.set_weights([kernel.reshape(1, 1, -1, 1), bias.ravel()])
    return _layer("Reshape", shape)(output)


def _layer(kind: str, *args: Any, **kwargs: Any) -> Any:
    return getattr(keras.layers, kind)(*args, **kwargs, dtype="float32")
