"""Energies such as "4 GeV" and multiples of the noise such as "5 sigma": the only place that parses units."""

from __future__ import annotations

import re
from fractions import Fraction

from hep_peaksum.suggestions import did_you_mean

ENERGY_UNITS = {"eV": "1e-9", "keV": "1e-6", "MeV": "1e-3", "GeV": "1", "TeV": "1e3"}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def exact(number: float | str) -> Fraction:
    """Return the number as it is written: 0.1 is one tenth, not the nearest float.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(str(number))


def energy_in_gev(text: str, others: str = "") -> Fraction:
    """Return an energy such as ``"0.5 GeV"`` in GeV, exactly.

    `others` are what else may stand in its place, for the message.

    Raises
    ------
    ValueError
        If the text is not a number and one of eV, keV, MeV, GeV, TeV.

    >>> energy_in_gev("500 MeV")
    Fraction(1, 2)
    """
    match = re.fullmatch(rf"\s*({NUMBER})\s*({'|'.join(ENERGY_UNITS)})\s*", text)
    if not match:
        remedy = f"write a number and one of {', '.join(ENERGY_UNITS)}, as in '4 GeV'{others}"
        msg = f"{text!r} is not an energy{_nearest_unit(text)}: {_misspelt(text) or remedy}"
        raise ValueError(msg)
    return exact(match[1]) * Fraction(ENERGY_UNITS[match[2]])


def _nearest_unit(text: str) -> str:
    unit = re.sub(r"[^A-Za-z]", "", text)
    return did_you_mean(unit, ENERGY_UNITS) if len(unit) > 1 and unit not in ENERGY_UNITS else ""


def _misspelt(text: str) -> str:
    """Return what is wrong with an energy of which one can see what is meant."""
    if re.fullmatch(rf"\s*{NUMBER}\s*", text):
        return "leave out the quotes, or add a unit, as in '4 GeV'"
    if re.match(r"\s*[+-]?\d+,\d", text):
        return f"write a decimal point, {text.replace(',', '.').strip()!r}"
    if sigma := re.fullmatch(rf"\s*({NUMBER})\s*(σ|sig|Sigmas?|SIGMA)\.?\s*", text):
        return f"write '{sigma[1]} sigma'"
    return ""


def in_sigmas(threshold: object) -> float | None:
    """Return the number of sigma in a threshold such as ``"5 sigma"``, or None for any other threshold.

    >>> in_sigmas("5 sigma"), in_sigmas("4 GeV"), in_sigmas(3)
    (5.0, None, None)
    """
    match = re.fullmatch(rf"\s*({NUMBER})\s*sigmas?\s*", threshold) if isinstance(threshold, str) else None
    return float(match[1]) if match else None
