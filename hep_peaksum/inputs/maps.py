"""Noise and masks of a grid: numbers, or maps in .npy files."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

from hep_peaksum.inputs.paths import expand_variables
from hep_peaksum.kernels import Array
from hep_peaksum.settings.thresholds import parse_threshold
from hep_peaksum.settings.units import in_sigmas


def _parse_noise(value: object) -> object:
    """Return the noise as a threshold, or as the path of a map."""
    if isinstance(value, str) and value.endswith(".npy"):
        return value
    if not isinstance(value, (int, float, str)):
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    value = parse_threshold(value)
    if in_sigmas(value) is not None:
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    return value


Noise = Annotated[
    int | float | str,
    BeforeValidator(_parse_noise),
    WithJsonSchema({"title": "number, energy, or path of a .npy file", "type": ["number", "string"]}),
]


def _parse_map_path(value: object) -> object:
    if isinstance(value, (str, type(None))):
        return value
    msg = f"{value!r} is not a mask: give the path of a .npy file"
    raise ValueError(msg)


MapPath = Annotated[str, BeforeValidator(_parse_map_path)]


def read_map(path: str) -> tuple[Array, str]:
    """Return the array in a .npy file, never a pickle, and a digest of the file."""
    content = Path(expand_variables(path)).read_bytes()
    return np.load(io.BytesIO(content), allow_pickle=False), hashlib.sha256(content).hexdigest()[:16]
