"""Fixed-point types in hls4ml for a model of `standard_model`: nothing overflows, nothing is wider than needed.

By default hls4ml gives every layer one type, or infers widths that add up from layer to layer. Here the lowest
and the highest number in every layer follow from those of the cells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.kernels import Array


class Range(NamedTuple):
    """The numbers that can occur: from `low` to `high` in steps of a power of two."""

    low: float
    high: float
    step: float

    @property
    def precision(self) -> str:
        """The narrowest type of hls4ml that holds them all.

        >>> Range(-3, 8, 0.5).precision, Range(0, 7, 1).precision
        ('fixed<6,5>', 'ufixed<3,3>')
        """
        n_fraction = -round(math.log2(self.step))
        # low = -8 needs 3 bits and a sign, high = 8 needs 4
        steps = max(-math.floor(self.low / self.step) - 1, math.floor(self.high / self.step), 1)
        width = steps.bit_length() + (self.low < 0)
        return f"{'fixed' if self.low < 0 else 'ufixed'}<{width},{width - n_fraction}>"

    def union(self, other: Range) -> Range:
        """Return the range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high), min(self.step, other.step))

    def plus(self, other: Range) -> Range:
        """Return the range of sums."""
        return Range(self.low + other.low, self.high + other.high, min(self.step, other.step))

    def times(self, other: Range) -> Range:
        """Return the range of products."""
        ends = [a * b for a in self[:2] for b in other[:2]]
        return Range(min(ends), max(ends), self.step * other.step)


OPERATIONS = {"Add": Range.plus, "Multiply": Range.times, "Concatenate": Range.union}


def range_of_type(cells: str) -> Range:
    """Return the range of a fixed-point type.

    Raises
    ------
    ValueError
        If the text is not a fixed-point type.

    >>> range_of_type("ufixed<12,10>")
    Range(low=0, high=1023.75, step=0.25)
    """
    match = re.fullmatch(r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*>", cells)
    if not match:
        msg = f"cells is {cells!r}: give a type such as 'ufixed<12,12>', or 'fixed<13,13>' for negative cells"
        raise ValueError(msg)
    width, integer = int(match[2]), int(match[3])
    step, top = 2.0 ** (integer - width), 2.0**integer
    return Range(0, top - step, step) if match[1] else Range(-top / 2, top / 2 - step, step)


def range_of_weights(weights: npt.ArrayLike) -> Range:
    """Return the range of some weights; its step is the largest power of two of which all are multiples.

    >>> range_of_weights([-4, 0, 6])
    Range(low=-4.0, high=6.0, step=2.0)
    """
    flat = np.ravel(weights).astype(float)
    step = 2.0 ** math.frexp(np.abs(flat).max())[1] if flat.any() else 1.0
    while np.any(flat / step % 1):
        step /= 2
    return Range(float(flat.min()), float(flat.max()), step)


def hls_config(model: Any, cells: str = "ufixed<12,12>") -> dict[str, Any]:
    """Return the configuration with which hls4ml converts a model of `standard_model`.

    Parameters
    ----------
    model
        A model of `standard_model`.
    cells
        The fixed-point type of the cells. Its last bit must not be smaller than the step of the model.

    Raises
    ------
    ValueError
        If the last bit of the cells is smaller than the step of the model.
    """
    ranges: dict[str, Range] = {}
    layers: dict[str, dict[str, Any]] = {}
    for layer in model.layers:
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [ranges[tensor.name] for tensor in tensors if tensor.name in ranges]
        ranges[layer.output.name], precision = _range_and_types(layer, inputs or [range_of_type(cells)])
        layers[layer.name] = {"Precision": precision}
        if type(layer).__name__ == "DepthwiseConv2D":  # hls4ml has no other strategy for it
            layers[layer.name]["Strategy"] = "Latency"
    defaults = {"Precision": {"default": cells}, "ReuseFactor": 1, "Strategy": "Latency"}
    return {"Model": defaults, "LayerName": layers}


def _range_and_types(layer: Any, inputs: Sequence[Range]) -> tuple[Range, dict[str, str]]:
    """Return the range of the output of a layer for inputs in these ranges, and the types that it needs."""
    kind = type(layer).__name__
    if kind == "Activation":
        if inputs[0].step < 1:
            msg = (
                f"the last bit of cells is {inputs[0].step:g} of the step of the model: "
                "pass the value of that bit to standard_model as step"
            )
            raise ValueError(msg)
        # only whether the output of ReLU is 0 matters
        return Range(0, 1, 1), {"result": "ufixed<1,1,TRN,SAT>"}
    if kind in ("Conv2D", "DepthwiseConv2D"):
        kernel, bias = layer.get_weights()
        factor, term = range_of_weights(kernel), range_of_weights(bias)
        if kind == "Conv2D":  # it adds cells
            result = _convolution(inputs[0], kernel, bias)
        else:
            result = inputs[0].times(factor).plus(term)
        types = {"accum": result, "result": result, "weight": factor, "bias": term}
    else:
        result = reduce(OPERATIONS[kind], inputs) if kind in OPERATIONS else inputs[0]
        result = result.union(Range(0, 0, result.step)) if kind == "ZeroPadding2D" else result
        types = {"result": result}
    return result, {name: numbers.precision for name, numbers in types.items()}


def _convolution(cells: Range, kernel: Array, bias: Array) -> Range:
    """Return a range that holds the result of a convolution and every partial sum on the way to it."""
    ends = np.stack([kernel * cells.low, kernel * cells.high, np.zeros_like(kernel)])
    low = ends.min(axis=0).sum(axis=(0, 1, 2)) + np.minimum(bias, 0)
    high = ends.max(axis=0).sum(axis=(0, 1, 2)) + np.maximum(bias, 0)
    step = min(cells.step * range_of_weights(kernel).step, range_of_weights(bias).step)
    return Range(float(low.min()), float(high.max()), step)
