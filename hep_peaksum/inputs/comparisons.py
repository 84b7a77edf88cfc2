"""Comparisons of numbers with what the config says, of hits, events, clusters and objects alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Number


def _parse_operand(value: object) -> object:
    """Return what a number is compared with."""
    if isinstance(value, (bool, int, float)):
        return value
    msg = f"{value!r} is neither a number nor true or false"
    raise ValueError(msg)


Operand = Annotated[bool | int | float, BeforeValidator(_parse_operand)]


def _is_one_of(values: Array, operands: tuple[Any, ...]) -> Array:
    none = [np.zeros(len(values), bool)]
    return np.asarray(np.logical_or.reduce([values == each for each in operands] or none))


class Comparison(FrozenModel):
    """What a number must be; all that is given must hold."""

    equals: Operand | None = Field(None, description="Number, or true or false, that it must equal.")
    in_: tuple[Operand, ...] | None = Field(None, alias="in", description="Numbers of which it must be one.")
    not_in: tuple[Operand, ...] | None = Field(None, description="Numbers that it must not be.")
    min: Number | None = Field(None, description="Smallest number that passes, included.")
    max: Number | None = Field(None, description="Largest number that passes, included.")
    abs_min: Number | None = Field(None, description="Smallest absolute value that passes, included.")
    abs_max: Number | None = Field(None, description="Largest absolute value that passes, included.")
    above: Number | None = Field(None, description="Number that it must exceed.")
    below: Number | None = Field(None, description="Number that it must be below.")

    TESTS: ClassVar[dict[str, Callable[..., Any]]] = {
        "equals": lambda values, operand: values == operand,
        "in_": _is_one_of,
        "not_in": lambda values, operands: ~_is_one_of(values, operands),
        "min": lambda values, operand: values >= operand,
        "max": lambda values, operand: values <= operand,
        "abs_min": lambda values, operand: np.abs(values) >= operand,
        "abs_max": lambda values, operand: np.abs(values) <= operand,
        "above": lambda values, operand: values > operand,
        "below": lambda values, operand: values < operand,
    }

    LIMITS: ClassVar[tuple[tuple[str, str], ...]] = (
        *itertools.product(("min", "above"), ("max", "below")),
        ("abs_min", "abs_max"),
    )

    @model_validator(mode="after")
    def _check_limits(self) -> Comparison:
        for low, high in self.LIMITS:
            least, most = getattr(self, low), getattr(self, high)
            if least is None or most is None:
                continue
            is_open = low == "above" or high == "below"
            if least > most or (is_open and least == most):
                both = f"{low} {_shown(least)} and {high} {_shown(most)}"
                msg = f"{both} leave no number that passes: are they exchanged?"
                raise ValueError(msg)
        return self

    @property
    def tests(self) -> dict[str, Any]:
        """The comparisons that are given, each with its operand."""
        given = ((name, getattr(self, name)) for name in Comparison.TESTS)
        return {name: operand for name, operand in given if operand is not None}

    def passes(self, values: Array) -> Array:
        """Return which numbers pass; they are compared in their own type, and NaN passes nothing but not_in.

        One comparison at least is given.

        >>> Comparison(min=-5, below=20).passes(np.array([-5.0, 20.0, np.nan])).tolist()
        [True, False, False]
        """
        passed = [self.TESTS[name](values, operand) for name, operand in self.tests.items()]
        return np.asarray(np.logical_and.reduce(passed))

    def nothing_compared(self, name: str | None) -> str:
        """Return what is wrong where none of the comparisons is given."""
        known = ", ".join(each.strip("_") for each in self.TESTS)
        return f"{name!r} is compared with nothing: give one or more of {known}"

    def in_words(self) -> str:
        """Return the comparisons as they are written.

        >>> Comparison(min=-5, below=20).in_words()
        'min -5, below 20'
        """
        return ", ".join(f"{name.strip('_')} {_shown(operand)}" for name, operand in self.tests.items())


def _shown(operand: Any) -> str:
    return str(list(operand)) if isinstance(operand, tuple) else str(operand).lower()
