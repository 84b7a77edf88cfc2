"""A Keras 3 layer that finds local maxima and sums the cells around them, as `peak_sum_map` does on arrays.

Keras is needed here and in `keras_search` only, and the package itself imports neither.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

try:
    import keras
    from keras import ops
except ImportError as error:
    _hint = (
        "pip install 'hep_peaksum[keras]', a backend (tensorflow, torch or jax), and set KERAS_BACKEND to it"
    )
    _msg = f"the layer needs Keras 3 and its backend ({error}): {_hint}"
    raise ImportError(_msg) from error
from hep_peaksum.keras import tensors as search
from hep_peaksum.keras.support import (
    Bounds,
    DataFormat,
    Gradient,
    Layers,
    Returns,
    Windows,
    as_mask,
    as_periodic,
    as_settings,
    bounds_of,
    one_of,
    problems,
    windows,
)
from hep_peaksum.keras.tensors import Tensor
from hep_peaksum.settings.model import PeakSumSettings


@keras.saving.register_keras_serializable(package="hep_peaksum")
class PeakSum2D(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The sum of the window about every local maximum of an image, and 0 elsewhere. It has no weights.

    For the same settings it gives what `hep_peaksum.peak_sum_map` gives, in the type of the layer: bit by bit
    where the sums are whole numbers that the type holds, else within its rounding.

    Parameters
    ----------
    settings
        What is a seed and what is summed, or leave it out and give its keywords here. What a layer cannot do
        (greedy tie rules, sharing between clusters, noise, pile-up, towers) is refused.
    layers
        What the channels are: images searched one by one, or layers in depth whose sum is searched.
    periodic
        Whether (rows, cols) close on themselves.
    unit
        GeV in one count; needed for thresholds such as ``"4 GeV"``.
    mask
        True where a cell is not to be used, shape (row, col).
    returns
        ``"map"`` of the sums; ``"mask"`` of the seeds, 0 or 1; ``"both"``, the maps and then the masks along
        the channels; or ``"leading"``: a list of the `max_clusters` largest and their number. The list has
        (sum, row, col) of each cluster where the map has rows and columns, and (0, -1, -1) after the last.
    gradient
        ``"hard"``: through the sums at the seeds, which stay where they are. ``"soft"``: seeds are shares of
        exp(cell / temperature), smooth, and equal to the hard ones as the temperature falls to 0, but for
        equal cells, which share. ``"straight-through"``: hard values with the gradient of the soft ones.
    temperature
        Of the soft seeds, in counts.
    data_format
        ``"channels_last"`` (batch, row, col, channel) or ``"channels_first"``; the default is Keras'.
    **kwargs
        The keywords of `PeakSumSettings`, and those of any Keras layer.

    Raises
    ------
    ValueError
        If the layer cannot do what is asked; the message names the key.
    """

    def __init__(
        self,
        settings: PeakSumSettings | Mapping[str, Any] | None = None,
        *,
        layers: Layers = "each",
        periodic: Sequence[bool] = (False, False),
        unit: float | None = None,
        mask: npt.ArrayLike | None = None,
        returns: Returns = "map",
        gradient: Gradient = "hard",
        temperature: float = 1.0,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        given = {key: kwargs.pop(key) for key in list(kwargs) if key in PeakSumSettings.model_fields}
        super().__init__(**kwargs)
        self.settings = as_settings(settings, given)
        self.layers = one_of("layers", layers, Layers)
        self.periodic = as_periodic(periodic)
        self.unit = None if unit is None else float(unit)
        self.cell_mask = as_mask(mask)
        self.returns = one_of("returns", returns, Returns)
        self.gradient = one_of("gradient", gradient, Gradient)
        self.temperature = float(temperature)
        self.data_format = one_of("data_format", data_format or keras.config.image_data_format(), DataFormat)
        self.input_spec = keras.layers.InputSpec(ndim=4)
        for problem in self._problems():
            raise ValueError(problem)

    def call(self, inputs: Tensor) -> Tensor:
        """Return what `returns` says of a batch of images."""
        self._windows(inputs.shape)  # an image that does not go with them is told before anything fails
        cells = ops.cast(inputs, self._number)
        if self.layers == "sum":
            cells = ops.sum(cells, axis=self._channel_axis, keepdims=True)
        usable = self._usable(cells)
        height, sums = self._height(cells, usable), self._sums(cells, usable)
        hard, weight, values = self._weighted(height, sums, usable)
        if self.returns == "leading":
            return self._list(hard, values, sums)
        if self.returns == "both":
            values = ops.concatenate([values, weight], axis=self._channel_axis)
        return ops.cast(weight if self.returns == "mask" else values, self.compute_dtype)

    def _usable(self, cells: Tensor) -> Tensor | None:
        """Return which cells are not masked, in a shape that goes with the cells, or None for all."""
        usable = None
        if self.cell_mask is not None:
            shape = [1, 1, 1, 1]
            shape[self._plane.axes[0]], shape[self._plane.axes[1]] = self.cell_mask.shape
            usable = ops.convert_to_tensor(~self.cell_mask.reshape(shape), "bool")
        if self.settings.nonfinite == "mask":
            finite = ops.isfinite(cells)
            usable = finite if usable is None else ops.logical_and(finite, usable)
        return usable

    def _height(self, cells: Tensor, usable: Tensor | None) -> Tensor:
        """Return what is compared: the cells or the sums of their seed windows; -inf where there is none."""
        settings, plane, there = self.settings, self._plane, usable
        height = cells if usable is None else search.where(usable, cells, 0.0)
        if settings.masked == "zero":
            there = None
        if not settings.seed_is_cell:
            offsets = self._windows(cells.shape).seed
            if not settings.partial_seed_windows:
                whole = search.reaches_no_edge(cells, offsets, plane)
                there = whole if there is None else ops.logical_and(there, whole)
            around = search.Surroundings(height, offsets, plane, beyond=0.0, combine=operator.add)
            height = around.one_by_one(offsets)
        return height if there is None else search.where(there, height, search.ABSENT)

    def _sums(self, cells: Tensor, usable: Tensor | None) -> Tensor:
        """Return the sum of the window about every cell."""
        settings, bound = self.settings, self._bounds(cells).cell
        added = cells if usable is None else search.where(usable, cells, 0.0)
        if bound is not None:
            size = ops.abs(added) if settings.cell_threshold_abs else added
            added = search.where(ops.greater_equal(size, bound), added, 0.0)
        offsets = self._windows(cells.shape).sum
        return search.Surroundings(added, offsets, self._plane, beyond=0.0, combine=operator.add).over(offsets)

    def _weighted(self, height: Tensor, sums: Tensor, usable: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return which cells are seeds, how much each is one, and the sums by that much."""
        hard = self._hard(height, sums, usable)
        weight, values = ops.cast(hard, self._number), search.where(hard, sums, 0.0)
        if self.gradient == "hard":
            return hard, weight, values
        soft = self._soft(height, sums, usable)
        if self.gradient == "soft":
            return hard, soft, soft * sums
        return hard, _straight_through(weight, soft), _straight_through(values, soft * sums)

    def _hard(self, height: Tensor, sums: Tensor, usable: Tensor | None) -> Tensor:
        groups, bounds = self._windows(height.shape).rivals, self._bounds(height)
        seeds = search.hard_seeds(height, bounds.seed, groups, self._plane)
        if usable is not None:
            seeds = ops.logical_and(seeds, usable)
        if bounds.sum is not None:
            seeds = ops.logical_and(seeds, ops.greater_equal(sums, bounds.sum))
        if self.settings.max_clusters is not None:
            flat = search.leading(self._flat(sums), self._flat(seeds), self.settings.max_clusters)
            seeds = self._unflat(flat, seeds)
        return seeds

    def _soft(self, height: Tensor, sums: Tensor, usable: Tensor | None) -> Tensor:
        groups, bounds = self._windows(height.shape).rivals, self._bounds(height)
        soft = search.soft_seeds(height, bounds.seed, groups, self._plane, self.temperature)
        if usable is not None:
            soft = search.where(usable, soft, 0.0)
        if bounds.sum is not None:
            least = ops.broadcast_to(bounds.sum, ops.shape(sums))
            soft = soft * search.share(sums, [least], self.temperature)
        return soft

    def _list(self, seeds: Tensor, values: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Return (sum, row, col) of the leading clusters of every plane, and how many there are."""
        n, by_sum = self.settings.max_clusters or 0, self.settings.order == "sum"
        place, is_any = search.listed(self._flat(seeds), self._flat(sums), n, by_sum=by_sum)
        n_cols = ops.shape(sums)[self._plane.axes[1]]
        parts = [
            search.where(is_any, search.at_place(self._flat(values), place), 0.0),
            *(ops.cast(search.where(is_any, i, -1), self._number) for i in (place // n_cols, place % n_cols)),
        ]
        clusters = ops.stack(parts, axis=-1)
        if self.data_format == "channels_last":
            clusters = ops.transpose(clusters, (0, 2, 3, 1))
        return clusters, ops.cast(ops.sum(ops.cast(is_any, "int32"), axis=-1), "int32")

    def _flat(self, image: Tensor) -> Tensor:
        """Return (batch, channel, cell), the cells in the order of (row, col)."""
        if self.data_format == "channels_last":
            image = ops.transpose(image, (0, 3, 1, 2))
        batch, channel, rows, cols = ops.shape(image)
        return ops.reshape(image, (batch, channel, rows * cols))

    def _unflat(self, flat: Tensor, like: Tensor) -> Tensor:
        if self.data_format == "channels_first":
            return ops.reshape(flat, ops.shape(like))
        batch, rows, cols, channel = ops.shape(like)
        return ops.transpose(ops.reshape(flat, (batch, channel, rows, cols)), (0, 2, 3, 1))

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else 3

    @property
    def _plane(self) -> search.Plane:
        return search.Plane((2, 3) if self.data_format == "channels_first" else (1, 2), self.periodic)

    @property
    def _number(self) -> str:
        """The type in which cells are compared and added: half precision holds cells, not their sums."""
        return "float32" if self.compute_dtype in ("float16", "bfloat16") else str(self.compute_dtype)

    def _bounds(self, cells: Tensor) -> Bounds:
        """Return the thresholds as tensors of the type of the cells.

        Keras takes a Python number for a float32, even beside float64; and jax has float64 only if told so.
        """
        dtype = str(keras.backend.standardize_dtype(cells.dtype))
        exact = bounds_of(self.settings, self.unit, dtype)
        return Bounds(*(None if bound is None else ops.convert_to_tensor(bound, dtype) for bound in exact))

    def _windows(self, shape: Sequence[Any]) -> Windows:
        """Return the windows on images of this shape; it has to go with them and with the mask."""
        rows, cols = (shape[axis] if isinstance(shape[axis], int) else None for axis in self._plane.axes)
        if self.cell_mask is not None and any(
            n not in (None, wanted) for n, wanted in zip((rows, cols), self.cell_mask.shape, strict=True)
        ):
            msg = f"mask has shape {self.cell_mask.shape}, the images have {rows} x {cols} cells"
            raise ValueError(msg)
        return windows(self.settings, self.periodic, (rows, cols))

    def _problems(self) -> list[str]:
        """Return what the layer cannot do, a line each."""
        n, found = self.settings.max_clusters, problems(self.settings, self.unit)
        if not keras.backend.is_float_dtype(self.compute_dtype):
            found.append(f"dtype is {self.compute_dtype}: the layer computes in floating numbers")
        if not self.temperature > 0:
            found.append(f"temperature is {self.temperature}: give a number above 0")
        if self.returns == "leading" and n is None:
            found.append("returns 'leading' needs max_clusters: the length of the list")
        if self.returns != "leading" and n is not None and self.gradient != "hard":
            found.append(f"max_clusters with gradient {self.gradient!r} is possible only for returns 'leading'")
        return found

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
        """Return the shape of the output, or of both of ``"leading"``."""
        shape, axis = list(input_shape), self._channel_axis
        n_channels = 1 if self.layers == "sum" else shape[axis]
        shape[axis] = n_channels * 2 if self.returns == "both" and n_channels else n_channels
        if self.returns != "leading":
            return tuple(shape)
        rows, cols = self._plane.axes
        shape[rows], shape[cols] = self.settings.max_clusters, 3
        return tuple(shape), (shape[0], shape[axis])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and type of the output."""
        self._windows(inputs.shape)
        shape = self.compute_output_shape(inputs.shape)
        if self.returns != "leading":
            return keras.KerasTensor(shape, self.compute_dtype)
        return keras.KerasTensor(shape[0], self._number), keras.KerasTensor(shape[1], "int32")

    def get_config(self) -> dict[str, Any]:
        """Return plain values from which the layer can be made again."""
        return {
            **super().get_config(),
            "settings": self.settings.model_dump(mode="json", exclude_defaults=True),
            "layers": self.layers,
            "periodic": [self.periodic.rows, self.periodic.cols],
            "unit": self.unit,
            "mask": None if self.cell_mask is None else self.cell_mask.tolist(),
            "returns": self.returns,
            "gradient": self.gradient,
            "temperature": self.temperature,
            "data_format": self.data_format,
        }


def _straight_through(value: Tensor, soft: Tensor) -> Tensor:
    """Return the value with the gradient of the soft one."""
    return ops.stop_gradient(value) + (soft - ops.stop_gradient(soft))
