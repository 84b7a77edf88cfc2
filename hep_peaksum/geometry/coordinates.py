"""Coordinates of hits made of x, y and z: pseudorapidity, angles, distances; and the transverse energy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.geometry.axis import ANGLE_UNITS, Axis, fold
from hep_peaksum.kernels import Array


def _rho(x: Array, y: Array) -> Array:
    return np.asarray(np.sqrt(x * x + y * y))  # np.hypot takes five times as long, and no detector overflows


def _eta(x: Array, y: Array, z: Array) -> Array:
    return np.arcsinh(z / _rho(x, y))


def _theta(x: Array, y: Array, z: Array) -> Array:
    return np.arctan2(_rho(x, y), z)


def _phi(x: Array, y: Array) -> Array:
    return np.arctan2(y, x)


def _r(x: Array, y: Array, z: Array) -> Array:
    return np.asarray(np.sqrt(x * x + y * y + z * z))


def _et(energy: Array, x: Array, y: Array, z: Array) -> Array:
    return energy * (_rho(x, y) / _r(x, y, z))


# By name: the function, and how many of x, y and z it takes.
COORDINATES: Mapping[str, tuple[Callable[..., Array], int]] = MappingProxyType(
    {"eta": (_eta, 3), "theta": (_theta, 3), "phi": (_phi, 2), "r": (_r, 3), "rho": (_rho, 2)}
)
ANGLES = ("theta", "phi")


def coordinate(name: str, parts: Sequence[Array], origin: Sequence[float] | None, axis: Axis) -> Array:
    """Return a coordinate of hits, of those in `COORDINATES`, as an axis has it; float64.

    Angles are in the unit of the axis, radian by default. An azimuth lies in the turn that begins where the
    axis does. Where x = y = 0 the pseudorapidity is infinite, or at the origin NaN: on no cell.

    Parameters
    ----------
    parts
        x and y, and z if it is needed, shape (hit,).
    origin
        Where the coordinates count from; by default (0, 0, 0).

    >>> x, y, z = np.array([1.0, 0.0]), np.array([0.0, -2.0]), np.array([0.0, 0.0])
    >>> coordinate("phi", [x, y], None, Axis(name="phi", unit="deg", bins=4, start=0, stop=360)).tolist()
    [0.0, 270.0]
    """
    function, n_parts = COORDINATES[name]
    values = _in_blocks(function, _shifted(parts[:n_parts], origin))
    if name in ANGLES and (radians := ANGLE_UNITS.get(axis.unit or "rad", 1.0)) != 1:
        values /= radians
    edges = axis.edge_positions
    if name == "phi" and edges is not None and not axis.periodic:
        turn = 2 * math.pi / ANGLE_UNITS.get(axis.unit or "rad", 1.0)
        values = fold(values, edges[0], edges[0] + turn)
    return values


def transverse_energy(energy: Array, parts: Sequence[Array], origin: Sequence[float] | None) -> Array:
    """Return E sinθ of hits, float64; parameters as for `coordinate`.

    >>> zero, three, four = np.array([0.0]), np.array([3.0]), np.array([4.0])
    >>> transverse_energy(np.array([10.0]), [three, zero, four], None).tolist()
    [6.0]
    """
    return _in_blocks(_et, [(energy, 0.0), *_shifted(parts, origin)])


def _shifted(parts: Sequence[Array], origin: Sequence[float] | None) -> list[tuple[Array, float]]:
    """Return arrays of hits, each with what is subtracted from it."""
    return list(zip(parts, origin or (0.0, 0.0, 0.0), strict=False))


def _in_blocks(function: Callable[..., Array], shifted: Sequence[tuple[Array, float]]) -> Array:
    """Return a function of arrays in float64, block by block: to allocate temporaries for all takes longer."""
    n_hits = len(shifted[0][0])
    result = np.empty(n_hits, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        for block in block_sizes.blocks(n_hits, block_sizes.HITS):
            parts = (array[block].astype(np.float64) for array, _ in shifted)
            result[block] = function(
                *(part - zero if zero else part for part, (_, zero) in zip(parts, shifted, strict=True))
            )
    return result
