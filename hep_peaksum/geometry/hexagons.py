"""Hexagonal cells: axial coordinates of positions, and the positions of cells.

The cells of a hexagonal module are a rectangular grid of axial coordinates (q, r), of which a window takes
the six neighbours of a cell (https://www.redblobgames.com/grids/hexagons/; here y points upwards).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, WithJsonSchema

from hep_peaksum import block_sizes
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Number

HALF_HEIGHT = math.sqrt(3) / 2  # distance of neighbouring rows of hexagons, in units of the pitch
NOWHERE = np.iinfo(np.int64).min  # axial coordinates of a position that is not a number
LARGEST = 2.0**52  # rounded coordinates beyond it are not integers

_TWO = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
Vector = Annotated[tuple[Number, Number], WithJsonSchema({"title": "list of two numbers", **_TWO})]


class Hexagons(FrozenModel):
    """A lattice of hexagons: their pitch and orientation, and where the cell (0, 0) is.

    Rows are q and columns r. In a `flat` lattice hexagons have a side at the top, and their nearest neighbours
    stand above and below; in a `pointy` one they have a corner at the top, and neighbours left and right.

    >>> Hexagons(pitch=8.34, unit="mm").neighbours
    ((1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1))
    """

    pitch: Annotated[Number, Field(gt=0)] = Field(
        1.0, description="Distance between the centres of neighbouring cells, in the unit of positions."
    )
    orientation: Literal["pointy", "flat"] = Field(
        "pointy",
        description="Whether hexagons have a corner at the top (pointy: q rises along x), or a side (flat: r "
        "rises along y).",
    )
    angle: Literal[60, 120] = Field(
        60,
        description="Angle between the directions of rising q and r, in degrees. With 120, as for u and v of "
        "CMS HGCAL, the neighbours of (q, r) are (q+1, r+1) and (q-1, r-1) besides those along the axes.",
    )
    origin: Vector = Field((0.0, 0.0), description="Position [x, y] of the centre of the cell (0, 0).")
    layer_shifts: tuple[Vector, ...] = Field(
        (),
        description="Shift [x, y] of every layer from the origin, in the order of the layers; the list is "
        "repeated as often as there are layers.",
        examples=[[[0, 0], [4.816, 0]]],
    )
    unit: str | None = Field(None, description="Unit of positions, shown on plots.", examples=["mm"])

    @property
    def obliqueness(self) -> int:
        """Twice the cosine of the angle between q and r: squares of distances are q² + r² + this q r."""
        return 1 if self.angle == 60 else -1

    @property
    def neighbours(self) -> tuple[tuple[int, int], ...]:
        """The steps (q, r) to the six neighbours, counter-clockwise; the first is that across side 0."""
        turn = math.radians(30) * (self.orientation == "flat") + np.arange(6) * math.radians(60)
        steps = self.pitch * np.cos(turn), self.pitch * np.sin(turn)
        q, r = _nearest(*steps, self)
        return tuple(zip(q.tolist(), r.tolist(), strict=True))

    @property
    def corners(self) -> Array:
        """The corners (x, y) of a hexagon around its centre, counter-clockwise; side k begins at corner k."""
        turn = np.radians((-30 if self.orientation == "pointy" else 0) + 60 * np.arange(6))
        return np.column_stack([np.cos(turn), np.sin(turn)]) * (self.pitch / math.sqrt(3))


def axial_coordinates(
    x: Array, y: Array, hexagons: Hexagons, layer: Array | None = None
) -> tuple[Array, Array]:
    """Return (q, r) of the hexagon that each position lies in, int64; a NaN lies in none that a grid has.

    Parameters
    ----------
    x, y
        Positions, shape (hit,), in the unit of the pitch.
    hexagons
        The lattice.
    layer
        Layer of each position, from 0, for its shift; without it the lattice is that of the first layer.

    >>> q, r = axial_coordinates(np.array([0.0, 1.0, 0.4]), np.array([0.0, 0.1, 0.9]), Hexagons())
    >>> q.tolist(), r.tolist()
    ([0, 1, 0], [0, 0, 1])
    """
    q, r = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
    for block in block_sizes.blocks(len(x), block_sizes.HITS):  # temporaries for all hits take longer
        dx, dy = _zero(hexagons, None if layer is None else layer[block])
        part = x[block].astype(np.float64) - dx, y[block].astype(np.float64) - dy
        with np.errstate(invalid="ignore"):
            q[block], r[block] = _nearest(*part, hexagons)
    return q, r


def cell_centres(q: Array, r: Array, hexagons: Hexagons, layer: Array | None = None) -> tuple[Array, Array]:
    """Return the centres (x, y) of cells, float64; parameters as for `axial_coordinates`.

    Fractions of a cell are allowed, such as those of a barycentre.

    >>> x, y = cell_centres(np.array([0, 1]), np.array([2, 0]), Hexagons(orientation="flat", origin=(5, 0)))
    >>> x.round(3).tolist(), y.tolist()
    ([5.0, 5.866], [2.0, 0.5])
    """
    dx, dy = _zero(hexagons, layer)
    half = hexagons.obliqueness / 2
    if hexagons.orientation == "pointy":
        x, y = q + half * r, HALF_HEIGHT * r
    else:
        x, y = HALF_HEIGHT * q, r + half * q
    return np.asarray(dx + hexagons.pitch * x), np.asarray(dy + hexagons.pitch * y)


def _zero(hexagons: Hexagons, layer: Array | None) -> tuple[Array, Array]:
    """Return x and y of the centre of the cell (0, 0), of every hit or of all."""
    shifts = np.array(hexagons.layer_shifts or [(0.0, 0.0)])
    zero = shifts[0 if layer is None else layer % len(shifts)] + hexagons.origin
    return zero[..., 0], zero[..., 1]


def _nearest(x: Array, y: Array, hexagons: Hexagons) -> tuple[Array, Array]:
    """Return (q, r) of the nearest centre, of positions relative to that of the cell (0, 0)."""
    x, y = x / hexagons.pitch, y / hexagons.pitch
    q, r = round_position(x, y) if hexagons.orientation == "pointy" else round_position(y, x)[::-1]
    if hexagons.angle == 120:
        q, r = (q + r, r) if hexagons.orientation == "pointy" else (q, q + r)
    if np.abs(q).max(initial=0) < LARGEST and np.abs(r).max(initial=0) < LARGEST:  # neither is a NaN
        return q.astype(np.int64), r.astype(np.int64)
    is_place = (np.abs(q) < LARGEST) & (np.abs(r) < LARGEST)
    q, r = (np.where(is_place, each, 0).astype(np.int64) for each in (q, r))
    return np.where(is_place, q, NOWHERE), np.where(is_place, r, NOWHERE)


def round_position(x: Array, y: Array) -> tuple[Array, Array]:
    """Return (q, r) of the nearest centre, float64, of a pointy lattice of 60 degrees with a pitch of 1.

    The method is that of C. Chambers (redblobgames.com/grids/hexagons/more-pixel-to-hex.html): three
    sets of lines cut the plane into triangles, six in every hexagon, and floors tell which a position is in.

    >>> [each.tolist() for each in round_position(np.array([0.4, 0.4]), np.array([0.2, 0.6]))]
    [[0.0, 0.0], [0.0, 1.0]]
    """
    height = math.sqrt(3) * y + 1
    rising = np.floor(height + x)
    r = np.floor((np.floor(height - x) + rising) / 3)
    q = np.floor((np.floor(2 * x + 1) + rising) / 3) - r
    return q, r
