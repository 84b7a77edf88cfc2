"""Cross sections such as "830 pb" and integrated luminosities such as "59.8 /fb"."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from hep_peaksum.settings.thresholds import finite_number, parse_quantity
from hep_peaksum.settings.units import NUMBER, exact

IN_PICOBARN = {"ab": "1e-6", "fb": "1e-3", "pb": "1", "nb": "1e3", "ub": "1e6", "mb": "1e9", "b": "1e12"}
_UNITS = "|".join(IN_PICOBARN)


def parse_cross_section(value: object) -> object:
    """Return a cross section in picobarn.

    >>> parse_cross_section("0.83 nb"), parse_cross_section(830)
    (830.0, 830)
    """
    return parse_quantity(value, IN_PICOBARN, "cross section", "830 pb")


def parse_luminosity(value: object) -> object:
    """Return an integrated luminosity in inverse picobarn.

    >>> parse_luminosity("59.8 /fb"), parse_luminosity("140 fb^-1")
    (59800.0, 140000.0)
    """
    if not isinstance(value, str):
        return finite_number(value)
    match = re.fullmatch(rf"\s*({NUMBER})\s*(?:/\s*({_UNITS})|({_UNITS})\s*\^?-1)\s*", value)
    if not match:
        msg = f"{value!r} is not an integrated luminosity: write it as in '59.8 /fb'"
        raise ValueError(msg)
    return float(exact(match[1]) / exact(IN_PICOBARN[match[2] or match[3]]))


CrossSection = Annotated[
    int | float,
    Field(gt=0),
    BeforeValidator(parse_cross_section),
    WithJsonSchema({"title": "number of pb, or cross section", "type": ["number", "string"]}),
]
Luminosity = Annotated[
    int | float,
    Field(gt=0),
    BeforeValidator(parse_luminosity),
    WithJsonSchema({"title": "number of /pb, or luminosity", "type": ["number", "string"]}),
]
