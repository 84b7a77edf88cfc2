"""Numbers and thresholds as users give them, and the exact bounds they mean.

"Value > threshold" on float64 or int64 cells is always "value >= bound" for a bound that is one of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema

from hep_peaksum.kernels import Array
from hep_peaksum.settings.units import ENERGY_UNITS, NUMBER, energy_in_gev, exact, in_sigmas

# The largest number that float64 can hold.
LARGEST = int(np.finfo(np.float64).max)


def _python_number(value: object) -> object:
    """Return a numpy scalar as the Python number that it holds; other values as they are."""
    return value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value


def finite_number(value: object) -> object:
    """Return numpy scalars as Python numbers; raise a ValueError for a bool, NaN or infinity."""
    value = _python_number(value)
    if isinstance(value, bool):
        msg = f"{value} is not a number"
        raise ValueError(msg)  # pydantic reports a ValueError, not a TypeError
    if isinstance(value, int) and abs(value) > LARGEST:
        msg = f"a number of {len(str(abs(value)))} digits is too large: at most 1.8e308 is possible"
        raise ValueError(msg)
    if isinstance(value, float) and not math.isfinite(value):
        msg = f"{value} is not a finite number"
        raise ValueError(msg)
    return value


def parse_threshold(value: object, *, others: str = ", '5 sigma', or a number of counts") -> object:
    """Return a threshold in its normal form; anything else is a ValueError that shows what a threshold is.

    `others` are what may be given in place of an energy.
    """
    value = finite_number(value)
    if isinstance(value, str):
        if in_sigmas(value) is None:
            energy_in_gev(value, others)
        return " ".join(value.split())
    if value is not None and not isinstance(value, (int, float)):
        msg = f"{value!r} is not a threshold: give a number, or an energy such as '4 GeV'"
        raise ValueError(msg)
    return value


def parse_energy(value: object) -> object:
    """Return an energy such as ``"0.5 GeV"`` as a number of GeV; other numbers as they are."""
    return float(energy_in_gev(value)) if isinstance(value, str) else finite_number(value)


def parse_quantity(value: object, units: Mapping[str, str], kind: str, example: str) -> object:
    """Return a quantity such as ``"2 kHz"`` as a number; `units` say what one of each is worth.

    >>> parse_quantity("2 kHz", {"Hz": "1", "kHz": "1e3"}, "frequency", "50 Hz")
    2000.0
    """
    if not isinstance(value, str):
        return finite_number(value)
    match = re.fullmatch(rf"\s*({NUMBER})\s*({'|'.join(units)})\s*", value)
    if not match:
        known = ", ".join(units)
        msg = f"{value!r} is not a {kind}: write a number and one of {known}, as in {example!r}"
        raise ValueError(msg)
    return float(exact(match[1]) * exact(units[match[2]]))


# What a user may write, for editors: the validators below check it in full.
_ENERGY = rf"^\s*{NUMBER}\s*({'|'.join(ENERGY_UNITS)})\s*$"
_ENERGY_OR_SIGMA = rf"^\s*{NUMBER}\s*({'|'.join(ENERGY_UNITS)}|sigmas?)\s*$"


# What the compiled loops can count.
Count = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1), BeforeValidator(_python_number)]
# Cells along an axis, of a tower or around a window: more are a mistake, and would fill the memory.
MAX_SIZE = 1_000_000
Size = Annotated[int, Field(strict=True, ge=1, le=MAX_SIZE), BeforeValidator(_python_number)]
Depth = Annotated[int, Field(strict=True, ge=1, le=100), BeforeValidator(_python_number)]
Number = Annotated[int | float, BeforeValidator(finite_number), WithJsonSchema({"type": "number"})]
Threshold = Annotated[
    int | float | str,
    BeforeValidator(parse_threshold),
    WithJsonSchema(
        {
            "title": "number, energy or number of sigma",
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": _ENERGY_OR_SIGMA}],
        }
    ),
]
EnergyUnit = Annotated[
    int | float,
    Field(gt=0),
    BeforeValidator(parse_energy),
    WithJsonSchema(
        {
            "title": "number of GeV, or energy",
            "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _ENERGY}],
        }
    ),
]


def in_counts(energy: str, unit: float | None) -> Fraction:
    """Return an energy such as ``"4 GeV"`` in counts of a grid with this unit, exactly."""
    if unit is None:
        msg = f"{energy!r} is an energy, and the grid has no unit: give unit, such as '0.5 GeV', or counts"
        raise ValueError(msg)
    return energy_in_gev(energy) / exact(unit)


@lru_cache(maxsize=256)
def inclusive_bound(threshold: Threshold, comparison: str, unit: float | None, *, integer: bool) -> float:
    """Return b such that "value `comparison` threshold" is exactly "value >= b" on float64 or int64 cells.

    Parameters
    ----------
    threshold
        In the units of the grid, or an energy with its unit.
    comparison
        ``">"`` or ``">="``.
    unit
        GeV in one count of the grid; None if it has no unit, which an energy needs.
    integer
        Whether the cells are integers; b is then an integer, too.

    Raises
    ------
    ValueError
        If the threshold is an energy and there is no unit, or it is beyond what the cells can hold.

    >>> inclusive_bound("4 GeV", ">=", 0.5, integer=True)
    8
    >>> inclusive_bound(2.5, ">", 1.0, integer=True)
    3
    """
    count = in_counts(threshold, unit) if isinstance(threshold, str) else Fraction(threshold)
    if integer:
        bound = math.floor(count) + 1 if comparison == ">" else math.ceil(count)
        if abs(bound) >= 2**63:
            msg = f"the threshold {threshold!r} is beyond what a 64-bit integer grid can hold"
            raise ValueError(msg)
        return bound
    try:
        closest = float(count)
    except OverflowError:
        msg = f"the threshold {threshold!r} is beyond what a float64 can hold"
        raise ValueError(msg) from None
    if isinstance(threshold, str):  # an energy stands for the nearest number of counts, not for a fraction
        count = Fraction(closest)
    passes = closest >= count if comparison == ">=" else closest > count
    return closest if passes else math.nextafter(closest, math.inf)


def passes(
    values: Array, threshold: Threshold, comparison: str, unit: float | None, *, noise: Array | None = None
) -> Array:
    """Return which values pass a threshold, each compared with its own noise if the threshold is in sigma.

    Parameters
    ----------
    values
        float64 or int64, in counts of the grid.
    noise
        The noise of every value; needed only for a threshold in sigma.

    >>> passes(np.array([4, 5, 6]), "2.5 sigma", ">", 1.0, noise=np.array([2.0, 2.0, 2.0])).tolist()
    [False, False, True]
    """
    integer = values.dtype.kind != "f"
    n_sigmas = in_sigmas(threshold)
    if n_sigmas is None:
        return np.asarray(values >= inclusive_bound(threshold, comparison, unit, integer=integer))
    bound: Any = n_sigmas * np.asarray(noise, np.float64)
    if not integer:
        return np.asarray(values > bound if comparison == ">" else values >= bound)
    # Compared as integers: numpy would convert both to floats.
    least = np.floor(bound) + 1 if comparison == ">" else np.ceil(bound)
    inside = np.abs(least) < 2.0**63
    whole = np.where(inside, least, 0).astype(np.int64)
    return np.asarray(np.where(inside, values >= whole, least < 0))
