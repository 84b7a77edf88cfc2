"""A Keras 3 layer that finds local maxima and sums the cells around them, as `peak_sum_map` does on arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

try:
    import keras
    from keras import ops
except ImportError as error:
    _hint = (
        "pip install 'hep_peaksum[keras]' and tensorflow, torch or jax, and set KERAS_BACKEND to that backend"
    )
    _msg = f"the layer needs Keras 3 and its backend ({error}): {_hint}"
    raise ImportError(_msg) from error
from hep_peaksum.keras import tensors
from hep_peaksum.keras.support import (
    Bounds,
    DataFormat,
    Gradient,
    Layers,
    Returns,
    Windows,
    check_images,
    check_names,
    inclusive_bounds,
    resolve_windows,
    unsupported_settings,
    validate_choice,
    validate_mask,
    validate_periodic,
    validate_settings,
    validate_temperature,
    validate_unit,
)
from hep_peaksum.keras.tensors import PaddedImages, Tensor
from hep_peaksum.library.presets import SettingsLike
from hep_peaksum.settings.model import PeakSumSettings


@keras.saving.register_keras_serializable(package="hep_peaksum")
class PeakSum2D(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The sum of the window around every local maximum of an image, and 0 elsewhere. It has no weights.

    For the same settings it gives what `hep_peaksum.peak_sum_map` gives, in the type of the layer: bit by bit
    where the sums are whole numbers that the type holds, otherwise within its rounding.

    Parameters
    ----------
    settings
        What is a seed and what is summed; or leave it out and give the keywords of `PeakSumSettings` here.
        Settings that a layer cannot implement (greedy tie rules, sharing between clusters, noise, pile-up,
        towers) are refused.
    layers
        ``"each"``: every channel is an image of its own. ``"sum"``: channels are layers in depth, and their sum
        is searched.
    periodic
        Whether (rows, cols) are periodic.
    unit
        GeV per count; needed for thresholds such as ``"4 GeV"``.
    mask
        True where a cell is not used, shape (row, col).
    returns
        ``"map"``: the sums at the seeds. ``"mask"``: 1 at the seeds, 0 elsewhere. ``"both"``: the maps and then
        the masks, along the channels. ``"leading"``: a list of the `max_clusters` largest clusters, and their
        number; the list has (sum, row, col) of each cluster in place of rows and columns, padded with
        (0, -1, -1).
    gradient
        ``"hard"``: through the sums at the seeds, which are taken as fixed. ``"soft"``: seeds are weighted by a
        softmax of cell / temperature over search window and threshold; as the temperature falls to 0 the output
        tends to the hard one, except that equal cells share. ``"straight-through"``: hard values with the
        gradient of the soft ones.
    temperature
        Of the soft seeds, in counts.
    data_format
        ``"channels_last"`` (batch, row, col, channel) or ``"channels_first"``; the default is that of Keras.
    **kwargs
        The keywords of `PeakSumSettings`, and those of any Keras layer.

    Raises
    ------
    ValueError
        If a value is wrong or not possible in a layer; the message names the key.
    """

    def __init__(
        self,
        settings: SettingsLike | None = None,
        *,
        layers: Layers = "each",
        periodic: Sequence[bool] = (False, False),
        unit: float | str | None = None,
        mask: npt.ArrayLike | None = None,
        returns: Returns = "map",
        gradient: Gradient = "hard",
        temperature: float = 1.0,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        keywords = {key: kwargs.pop(key) for key in list(kwargs) if key in PeakSumSettings.model_fields}
        check_names(kwargs)
        super().__init__(**kwargs)
        self.settings = validate_settings(settings, keywords)
        self.layers = validate_choice("layers", layers, Layers)
        self.periodic = validate_periodic(periodic)
        self.unit = validate_unit(unit)
        self.cell_mask = validate_mask(mask)
        self.returns = validate_choice("returns", returns, Returns)
        self.gradient = validate_choice("gradient", gradient, Gradient)
        self.temperature = validate_temperature(temperature)
        self.data_format = validate_choice(
            "data_format", data_format or keras.config.image_data_format(), DataFormat
        )
        for error in self._errors():
            raise ValueError(error)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Check the shape of the images; there are no weights to be made."""
        check_images(input_shape, self.data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)  # not before: Keras says only that it expected ndim=4
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the output that `returns` names for a batch of images."""
        self._windows(inputs.shape)  # raises on a wrong shape, before a backend fails on it
        cells = ops.cast(inputs, self._sum_dtype)
        if self.layers == "sum":
            cells = ops.sum(cells, axis=self._layout.channel, keepdims=True)
        usable = self._usable(cells)
        discriminant, sums = self._discriminant(cells, usable), self._sums(cells, usable)
        seeds, weights, values = self._weighted(discriminant, sums, usable)
        if self.returns == "leading":
            return self._leading(seeds, values, sums)
        if self.returns == "both":
            values = ops.concatenate([values, weights], axis=self._layout.channel)
        return ops.cast(weights if self.returns == "mask" else values, self.compute_dtype)

    def _usable(self, cells: Tensor) -> Tensor | None:
        """Return which cells are not masked, in a shape that broadcasts to the cells; None if all are."""
        usable = None
        if self.cell_mask is not None:
            shape, (rows, cols) = [1, 1, 1, 1], self._layout.plane
            shape[rows], shape[cols] = self.cell_mask.shape
            usable = ops.convert_to_tensor(~self.cell_mask.reshape(shape), "bool")
        if self.settings.nonfinite == "mask":
            finite = ops.isfinite(cells)
            usable = finite if usable is None else ops.logical_and(finite, usable)
        return usable

    def _discriminant(self, cells: Tensor, usable: Tensor | None) -> Tensor:
        """Return what is compared: the cells, or the sums of their seed windows; -inf where there is none."""
        settings, layout, exists = self.settings, self._layout, usable
        discriminant = cells if usable is None else tensors.where(usable, cells, 0.0)
        if settings.masked == "zero":
            exists = None
        if not settings.seed_is_cell:
            offsets = self._windows(cells.shape).seed
            if not settings.partial_seed_windows:
                whole = tensors.is_within_edges(cells, offsets, layout)
                exists = whole if exists is None else ops.logical_and(exists, whole)
            padded = PaddedImages(discriminant, offsets, layout, fill=0.0, combine=operator.add)
            discriminant = padded.combined_in_order(offsets)
        return discriminant if exists is None else tensors.where(exists, discriminant, tensors.ABSENT)

    def _sums(self, cells: Tensor, usable: Tensor | None) -> Tensor:
        """Return the sum of the window around every cell."""
        settings, bound = self.settings, self._bounds(cells).cell
        summed = cells if usable is None else tensors.where(usable, cells, 0.0)
        if bound is not None:
            compared = ops.abs(summed) if settings.cell_threshold_abs else summed
            summed = tensors.where(ops.greater_equal(compared, bound), summed, 0.0)
        offsets = self._windows(cells.shape).sum
        return PaddedImages(summed, offsets, self._layout, fill=0.0, combine=operator.add).combined(offsets)

    def _weighted(
        self, discriminant: Tensor, sums: Tensor, usable: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return which cells are seeds, the weight of each cell as a seed, and the sums times that weight."""
        seeds = self._hard_seeds(discriminant, sums, usable)
        weights, values = ops.cast(seeds, self._sum_dtype), tensors.where(seeds, sums, 0.0)
        if self.gradient == "hard":
            return seeds, weights, values
        soft = self._soft_seeds(discriminant, sums, usable)
        if self.gradient == "soft":
            return seeds, soft, soft * sums
        return seeds, tensors.straight_through(weights, soft), tensors.straight_through(values, soft * sums)

    def _hard_seeds(self, discriminant: Tensor, sums: Tensor, usable: Tensor | None) -> Tensor:
        groups, bounds = self._windows(discriminant.shape).search, self._bounds(discriminant)
        seeds = tensors.hard_seeds(discriminant, bounds.seed, groups, self._layout)
        if usable is not None:
            seeds = ops.logical_and(seeds, usable)
        if bounds.sum is not None:
            seeds = ops.logical_and(seeds, ops.greater_equal(sums, bounds.sum))
        if self.settings.max_clusters is not None:
            flat_sums, flat_seeds = self._layout.flatten(sums), self._layout.flatten(seeds)
            leading = tensors.select_leading(flat_sums, flat_seeds, self.settings.max_clusters)
            seeds = self._layout.unflatten(leading, seeds)
        return seeds

    def _soft_seeds(self, discriminant: Tensor, sums: Tensor, usable: Tensor | None) -> Tensor:
        groups, bounds = self._windows(discriminant.shape).search, self._bounds(discriminant)
        soft = tensors.soft_seeds(discriminant, bounds.seed, groups, self._layout, self.temperature)
        if usable is not None:
            soft = tensors.where(usable, soft, 0.0)
        if bounds.sum is not None:
            bound = ops.broadcast_to(bounds.sum, ops.shape(sums))
            soft = soft * tensors.softmax_weight(sums, [bound], self.temperature)
        return soft

    def _leading(self, seeds: Tensor, values: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Return (sum, row, col) of the leading clusters of every image, and how many there are."""
        layout, n, by_sum = self._layout, self.settings.max_clusters or 0, self.settings.order == "sum"
        flat_seeds, flat_values, flat_sums = map(layout.flatten, (seeds, values, sums))
        position, is_seed = tensors.seed_positions(flat_seeds, flat_sums, n, by_sum=by_sum)
        n_cols = ops.shape(sums)[layout.plane[1]]
        total = tensors.where(is_seed, tensors.take_along_cells(flat_values, position), 0.0)
        row, col = (
            ops.cast(tensors.where(is_seed, index, -1), self._sum_dtype)
            for index in (position // n_cols, position % n_cols)
        )
        clusters = ops.stack([total, row, col], axis=-1)
        if self.data_format == "channels_last":
            clusters = ops.transpose(clusters, (0, 2, 3, 1))
        return clusters, ops.cast(ops.sum(ops.cast(is_seed, "int32"), axis=-1), "int32")

    @property
    def _layout(self) -> tensors.Layout:
        return tensors.Layout(self.data_format, self.periodic)

    @property
    def _sum_dtype(self) -> str:
        """The type in which cells are compared and added: half precision holds cells, not their sums."""
        return "float32" if self.compute_dtype in ("float16", "bfloat16") else str(self.compute_dtype)

    def _bounds(self, cells: Tensor) -> Bounds:
        """Return the thresholds as tensors of the type of the cells.

        Keras takes a Python number for a float32, even beside float64; and jax has float64 only if enabled.
        """
        dtype = str(keras.backend.standardize_dtype(cells.dtype))
        bounds = inclusive_bounds(self.settings, self.unit, dtype)
        return Bounds(*(None if bound is None else ops.convert_to_tensor(bound, dtype) for bound in bounds))

    def _windows(self, shape: Sequence[Any]) -> Windows:
        """Return the windows for images of this shape; a ValueError if it does not fit windows and mask."""
        rows, cols = (shape[axis] if isinstance(shape[axis], int) else None for axis in self._layout.plane)
        if self.cell_mask is not None and any(
            n not in (None, expected) for n, expected in zip((rows, cols), self.cell_mask.shape, strict=True)
        ):
            msg = f"mask has shape {self.cell_mask.shape}, the images have {rows} x {cols} cells"
            raise ValueError(msg)
        return resolve_windows(self.settings, self.periodic, (rows, cols))

    def _errors(self) -> list[str]:
        """Return an error message for each thing that is asked of the layer and not possible."""
        n, errors = self.settings.max_clusters, unsupported_settings(self.settings, self.unit)
        if not keras.backend.is_float_dtype(self.compute_dtype):
            errors.append(f"dtype is {self.compute_dtype}: the layer computes in floating point")
        if self.returns == "leading" and n is None:
            errors.append("returns 'leading' needs max_clusters: the length of the list")
        if self.returns != "leading" and n is not None and self.gradient != "hard":
            errors.append(
                f"max_clusters with gradient {self.gradient!r} is possible only for returns 'leading'"
            )
        return errors

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
        """Return the shape of the output, or of both outputs of ``"leading"``."""
        shape, axis = list(input_shape), self._layout.channel
        n_channels = 1 if self.layers == "sum" else shape[axis]
        shape[axis] = n_channels * 2 if self.returns == "both" and n_channels else n_channels
        if self.returns != "leading":
            return tuple(shape)
        rows, cols = self._layout.plane
        shape[rows], shape[cols] = self.settings.max_clusters, 3
        return tuple(shape), (shape[0], shape[axis])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and type of the output."""
        self._windows(inputs.shape)
        shape = self.compute_output_shape(inputs.shape)
        if self.returns != "leading":
            return keras.KerasTensor(shape, self.compute_dtype)
        return keras.KerasTensor(shape[0], self._sum_dtype), keras.KerasTensor(shape[1], "int32")

    def get_config(self) -> dict[str, Any]:
        """Return plain values from which `from_config` makes an equal layer."""
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
