"""The fixed-point types of a model of `keras_standard` in hls4ml: nothing overflows, nothing is too wide.

hls4ml gives every layer one type if it is told nothing, and widths that add up from layer to layer if it is
asked to find them. Here the least and the highest number of every layer follow from those of the cells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]


class Range(NamedTuple):
    """Which numbers can occur: from the least to the highest, in steps of a power of two."""

    low: float
    high: float
    step: float

    @property
    def precision(self) -> str:
        """The least type of hls4ml that holds them all.

        >>> Range(-3, 8, 0.5).precision, Range(0, 7, 1).precision
        ('fixed<6,5>', 'ufixed<3,3>')
        """
        n_fraction = -round(math.log2(self.step))
        # powers of two: low = -8 needs 3 bits and a sign, high = 8 needs 4
        steps = max(-math.floor(self.low / self.step) - 1, math.floor(self.high / self.step), 1)
        width = steps.bit_length() + (self.low < 0)
        return f"{'fixed' if self.low < 0 else 'ufixed'}<{width},{width - n_fraction}>"

    def union(self, other: Range) -> Range:
        """Return the range of both."""
        return Range(min(self.low, other.low), max(self.high, other.high), min(self.step, other.step))

    def plus(self, other: Range) -> Range:
        """Return the range of sums."""
        return Range(self.low + other.low, self.high + other.high, min(self.step, other.step))

    def times(self, other: Range) -> Range:
        """Return the range of products."""
        ends = [a * b for a in self[:2] for b in other[:2]]
        return Range(min(ends), max(ends), self.step * other.step)


COMBINED = {"Add": Range.plus, "Multiply": Range.times, "Concatenate": Range.union}


def range_of_type(cells: str) -> Range:
    """Return the numbers of a fixed-point type.

    Raises
    ------
    ValueError
        If the type is not written as one.

    >>> range_of_type("ufixed<12,10>")
    Range(low=0, high=1023.75, step=0.25)
    """
    match = re.fullmatch(r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*>", cells)
    if not match:
        msg = f"cells is {cells!r}: write a type as 'ufixed<12,12>', or 'fixed<13,13>' if some are negative"
        raise ValueError(msg)
    width, integer = int(match[2]), int(match[3])
    step, top = 2.0 ** (integer - width), 2.0**integer
    return Range(0, top - step, step) if match[1] else Range(-top / 2, top / 2 - step, step)


def range_of_weights(weights: npt.ArrayLike) -> Range:
    """Return the range of some weights, and the largest power of two of which all are multiples.

    >>> range_of_weights([-4, 0, 6])
    Range(low=-4.0, high=6.0, step=2.0)
    """
    flat = np.ravel(weights).astype(float)
    step = 2.0 ** math.frexp(np.abs(flat).max())[1] if flat.any() else 1.0
    while np.any(flat / step % 1):
        step /= 2
    return Range(float(flat.min()), float(flat.max()), step)


def hls_config(model: Any, cells: str = "ufixed<12,12>") -> dict[str, Any]:
    """Return the configuration with which hls4ml converts a model of `keras_standard.standard_model`.

    Parameters
    ----------
    model
        Of `standard_model`.
    cells
        The type of the cells. Its last bit is not smaller than the step of the model.

    Raises
    ------
    ValueError
        If the model cannot tell the cells apart, because they come in smaller steps than its own.
    """
    ranges: dict[str, Range] = {}
    layers: dict[str, dict[str, Any]] = {}
    for layer in model.layers:
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [ranges[tensor.name] for tensor in tensors if tensor.name in ranges]
        ranges[layer.output.name], precision = _of_layer(layer, inputs or [range_of_type(cells)])
        layers[layer.name] = {"Precision": precision}
        if type(layer).__name__ == "DepthwiseConv2D":  # of which hls4ml has no other
            layers[layer.name]["Strategy"] = "Latency"
    whole = {"Precision": {"default": cells}, "ReuseFactor": 1, "Strategy": "Latency"}
    return {"Model": whole, "LayerName": layers}


def _of_layer(layer: Any, inputs: Sequence[Range]) -> tuple[Range, dict[str, str]]:
    """Return what a layer gives for inputs in these ranges, and the types of all that it has."""
    kind = type(layer).__name__
    if kind == "Activation":
        if inputs[0].step < 1:
            msg = (
                f"cells come in {inputs[0].step:g} of the step of the model, which cannot tell them apart: "
                "give standard_model their step"
            )
            raise ValueError(msg)
        # all that is asked of what ReLU gives is whether it is 0
        return Range(0, 1, 1), {"result": "ufixed<1,1,TRN,SAT>"}
    if kind in ("Conv2D", "DepthwiseConv2D"):
        kernel, bias = layer.get_weights()
        factor, term = range_of_weights(kernel), range_of_weights(bias)
        result = inputs[0].times(factor).plus(term)
        if kind == "Conv2D":  # which adds cells
            result = _convolved(inputs[0], kernel, bias)
        types = {"accum": result, "result": result, "weight": factor, "bias": term}
    else:
        result = reduce(COMBINED[kind], inputs) if kind in COMBINED else inputs[0]
        result = result.union(Range(0, 0, result.step)) if kind == "ZeroPadding2D" else result
        types = {"result": result}
    return result, {name: found.precision for name, found in types.items()}


def _convolved(cells: Range, kernel: Numbers, bias: Numbers) -> Range:
    """Return a range that holds every sum, however far it has come."""
    ends = np.stack([kernel * cells.low, kernel * cells.high, np.zeros_like(kernel)])
    low = ends.min(axis=0).sum(axis=(0, 1, 2)) + np.minimum(bias, 0)
    high = ends.max(axis=0).sum(axis=(0, 1, 2)) + np.maximum(bias, 0)
    step = min(cells.step * range_of_weights(kernel).step, range_of_weights(bias).step)
    return Range(float(low.min()), float(high.max()), step)
