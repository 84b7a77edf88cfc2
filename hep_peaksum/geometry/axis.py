"""One axis of the detector plane: how many cells, their labels, their positions. Angles are parsed here."""

from __future__ import annotations

import itertools
import math
import re
from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from hep_peaksum.geometry.edge_search import edges_below
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Size, finite_number
from hep_peaksum.settings.units import NUMBER

TWO_PI = 2 * math.pi
MAX_LABELS = 1_000_000


_MULTIPLE_OF_PI = rf"\s*({NUMBER}|[+-]?)\s*\*?\s*pi\s*(?:/\s*({NUMBER}))?\s*"


def _parse_coordinate(value: object) -> object:
    """Return a coordinate as a number; ``"2pi"``, ``"-pi"`` and ``"pi/2"`` are understood."""
    if not isinstance(value, str):
        return finite_number(value)
    match = re.fullmatch(_MULTIPLE_OF_PI, value)
    if not match or float(match[2] or 1) == 0:
        msg = f"{value!r} is not a coordinate: give a number, or a text such as '2pi' or '-pi/2'"
        raise ValueError(msg)
    factor = float(match[1] + "1" if match[1] in ("", "+", "-") else match[1])
    return finite_number(factor * math.pi / float(match[2] or 1))


def _parse_labels(value: object) -> object:
    """Return labels as one text: ``"-2..-1, 1..2"``."""
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(label) for label in value)
    if isinstance(value, str):
        _read_labels(value)
        return " ".join(value.split())
    if isinstance(value, int) and not isinstance(value, bool):
        msg = f"{value} is not a list of labels: write '1..{value}', or n: {value} for cells without labels"
        raise ValueError(msg)
    return value


@lru_cache(maxsize=64)
def _read_labels(text: str) -> tuple[int, ...]:
    """Return the labels of ``"-2..-1, 1..2"``, in the order of the cells.

    A range may fall, and have a step: ``"3..1"``, ``"0..6 step 2"``.
    """
    labels: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([+-]?\d+)\s*(?:\.\.\s*([+-]?\d+)\s*(?:step\s+([1-9]\d*)\s*)?)?", part)
        if not match:
            msg = f"{part.strip()!r} is not a label: write integers and ranges, as in '-28..-1, 1..28'"
            raise ValueError(msg)
        first, last, width = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        step = -width if last < first else width
        if len(labels) + abs(last - first) // width >= MAX_LABELS:
            msg = f"{part.strip()!r} makes more than {MAX_LABELS} labels, one for every cell along an axis"
            raise ValueError(msg)
        labels.extend(range(first, last + (1 if step > 0 else -1), step))
    if len(set(labels)) < len(labels):
        msg = f"the label {next(x for x in labels if labels.count(x) > 1)} occurs twice in {text!r}"
        raise ValueError(msg)
    return tuple(labels)


Coordinate = Annotated[
    float,
    BeforeValidator(_parse_coordinate),
    WithJsonSchema(
        {
            "title": "number, or multiple of pi",
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_MULTIPLE_OF_PI}$"}],
        }
    ),
]
Labels = Annotated[
    str,
    BeforeValidator(_parse_labels),
    WithJsonSchema(
        {
            "title": "integers and ranges",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["integer", "string"]}}],
        }
    ),
]

# Radians in one unit of an axis named phi.
ANGLE_UNITS = {"rad": 1.0, "radian": 1.0, "deg": math.pi / 180, "degree": math.pi / 180}
TURN_TOLERANCE = 1e-3 / TWO_PI  # edges may be written with a few digits
LARGEST_TABLE = 1 << 16  # widest range of labels that is looked up in a table


AXIS_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"


class Axis(FrozenModel):
    """One axis of the plane: how many cells, what hits call them, where they are.

    Give `n` (bare indices), or `bins, start, stop`, or `edges`; or `labels`, the integers by which hits name
    the cells, in order, alone or with positions added. An axis that closes on itself is `periodic`.

    >>> Axis(name="phi", bins=72, start=0, stop="2pi", periodic=True).size
    72
    >>> Axis(labels="-2..-1, 1..2").size
    4
    """

    name: str | None = Field(
        None,
        pattern=AXIS_NAME,
        description="Name of the axis, and of the cluster field with the position: x, y, ... Clusters get "
        "four-vectors where the axes are named eta and phi.",
        examples=["eta"],
    )
    n: Size | None = Field(
        None, description="Number of cells, for an axis without positions: hits name cells by index, from 0."
    )
    bins: Size | None = Field(
        None, description="Number of cells of equal width between start and stop; give all three."
    )
    start: Coordinate | None = Field(
        None,
        description="Lower end of the first cell, in the unit of the axis. '-pi' and 'pi/2' are understood.",
    )
    stop: Coordinate | None = Field(
        None, description="Upper end of the last cell, in the unit of the axis. '2pi' is understood."
    )
    edges: tuple[Coordinate, ...] | None = Field(
        None,
        description="Positions where cells begin and end, one more than there are cells, in place of bins, "
        "start and stop.",
        examples=[[-3, -1.5, 0, 1.5, 3]],
    )
    labels: Labels | None = Field(
        None,
        description="Integers by which hits name the cells, in the order of the cells; 3..1 is 3, 2, 1, and "
        "0..6 step 2 is 0, 2, 4, 6. "
        "Positions may be added by edges, or by bins, start and stop.",
        examples=["-41..-30, -28..-1, 1..28, 30..41"],
    )
    periodic: bool = Field(
        False,
        strict=True,
        description="Whether the axis closes on itself: the last cell touches the first. Coordinates are "
        "then folded into it; labels and indices that it does not have are outside.",
    )
    unit: str | None = Field(
        None,
        description="Unit of the positions, shown on plots. An axis named phi is in radian, or with deg in "
        "degrees; the field phi is always in radian.",
        examples=["mm"],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Axis:
        regular = [self.bins, self.start, self.stop]
        if any(x is not None for x in regular) and None in regular:
            msg = "bins, start and stop belong together: give all three"
            raise ValueError(msg)
        ways = [word for word in ("n", "bins", "edges") if getattr(self, word) is not None]
        allowed = [[], ["bins"], ["edges"]] if self.labels is not None else [["n"], ["bins"], ["edges"]]
        if ways not in allowed:
            given = ", ".join([*ways, *["labels"] * (self.labels is not None)]) or "none of them"
            msg = f"an axis is given by one of n, bins/start/stop, edges, labels (+ positions); here: {given}"
            raise ValueError(msg)
        if (positions := self.edge_positions) is not None:
            if len(positions) < 2 or not (np.isfinite(positions).all() and (np.diff(positions) > 0).all()):
                pairs = (pair for pair in itertools.pairwise(positions) if not pair[0] < pair[1])
                wrong = next((f", not {second:g} after {first:g}" for first, second in pairs), "")
                msg = f"edges must be two or more finite numbers, each larger than the one before{wrong}"
                if self.edges is None:
                    msg = f"start {self.start:g} is not below stop {self.stop:g}: cells run from start to stop"
                raise ValueError(msg)
            if len(positions) - 1 != self.size:
                cells = f"{len(positions) - 1} cells"
                cells += f" between {len(positions)} edges" if self.edges is not None else ""
                msg = f"{self.size} labels and {cells}: {self.remedy_for(self.size)}"
                raise ValueError(msg)
        if self.name == "phi":
            self._check_azimuth()
        return self

    def _check_azimuth(self) -> None:
        """Raise a ValueError if the unit is not one of angles, or the axis does not span what it should."""
        if self.unit is not None and self.unit not in ANGLE_UNITS:
            msg = f"the unit of a phi axis is {self.unit!r}, expected rad or deg"
            raise ValueError(msg)
        if (positions := self.edge_positions) is None:
            return
        span, turn = positions[-1] - positions[0], TWO_PI / self._radians
        full = "2pi" if self._radians == 1 else "360 deg"
        if span > turn * (1 + TURN_TOLERANCE):
            remedy = "change start, stop or edges" if self.unit else "give unit: deg if these are degrees"
            msg = f"a phi axis spans at most {full}, this one {span:.6g}: {remedy}"
            raise ValueError(msg)
        if self.periodic and span < turn * (1 - TURN_TOLERANCE):
            msg = f"a periodic phi axis spans {full}, this one {span:.6g}: change start, stop or edges"
            raise ValueError(msg)

    @property
    def _radians(self) -> float:
        """How many radians one unit of the positions is, of an azimuth."""
        return ANGLE_UNITS[self.unit or "rad"]

    @property
    def size(self) -> int:
        """Number of cells."""
        if self.label_values is not None:
            return len(self.label_values)
        if self.edges is not None:
            return len(self.edges) - 1
        return self.n or self.bins or 0

    def remedy_for(self, n: int) -> str:
        """Return what to write for an axis of `n` cells.

        >>> Axis(edges=[0, 1, 2]).remedy_for(3)
        'needs 4 edges for 3 cells, and has 3'
        """
        if self.edges is not None:
            return f"needs {n + 1} edges for {n} cells, and has {len(self.edges)}"
        if self.labels is not None and len(_read_labels(self.labels)) != n:
            return f"needs {n} labels, and has {self.size}"
        return f"needs {'n' if self.bins is None else 'bins'}: {n}, and has {self.n or self.bins}"

    @property
    def label_values(self) -> Array | None:
        """The labels in the order of the cells, or None."""
        return None if self.labels is None else np.array(_read_labels(self.labels), np.int64)

    @property
    def edge_positions(self) -> Array | None:
        """The size + 1 positions where cells begin and end, or None."""
        return _edge_positions(self)

    @property
    def field_edges(self) -> Array | None:
        """The edges in the unit of the cluster field of that name: those of an azimuth in radian."""
        edges = self.edge_positions
        return edges * self._radians if edges is not None and self.name == "phi" else edges

    @property
    def field_unit(self) -> str:
        """The unit of the cluster field of that name: radian for an azimuth."""
        return "rad" if self.name == "phi" else self.unit or ""

    @property
    def centres(self) -> Array | None:
        """The middle of every cell, or None; an azimuth `phi` is given in radian, in [-pi, pi)."""
        return _centres(self)

    def in_words(self) -> tuple[str, int, str, str, str, str]:
        """Return name, number of cells, both ends, whether it is periodic, and the labels, for a table.

        >>> Axis(name="x", bins=4, start=-2, stop=2, unit="mm").in_words()
        ('x', 4, '-2 mm', '2 mm', 'no', '')
        """
        unit = f" {self.unit}" if self.unit else ""
        edges = self.edge_positions
        ends = ("0", str(self.size - 1))
        if edges is not None:
            ends = (f"{edges[0]:.4g}{unit}", f"{edges[-1]:.4g}{unit}")
        return self.name or "", self.size, *ends, "yes" if self.periodic else "no", self.labels or ""

    def coarsened(self, n: int, *, allow_partial_towers: bool = False) -> Axis:
        """Return the axis with `n` cells pooled into one; `allow_partial_towers` lets the last one be smaller.

        Labels are dropped, as they name cells.

        Raises
        ------
        ValueError
            If the cells do not divide by `n`, and the axis is periodic or `allow_partial_towers` is not set.

        >>> Axis(name="eta", bins=24, start=-3, stop=3).coarsened(8).edge_positions.tolist()
        [-3.0, -1.0, 1.0, 3.0]
        """
        if n == 1:
            return self
        if self.size % n and (self.periodic or not allow_partial_towers):
            whole = ", ".join(str(k) for k in range(2, self.size + 1) if self.size % k == 0)
            remedy = (
                f"a periodic axis cannot have a partial tower, pool by one of {whole}"
                if self.periodic
                else "set allow_partial_towers to true"
            )
            msg = f"{self.size} cells of {self.name or 'an axis'} cannot be pooled {n} by {n}: {remedy}"
            raise ValueError(msg)
        edges, others = self.edge_positions, {"name": self.name, "periodic": self.periodic, "unit": self.unit}
        if edges is None:
            return Axis.model_validate({"n": -(-self.size // n), **others})
        return Axis.model_validate({"edges": np.unique([*edges[::n], edges[-1]]).tolist(), **others})

    def wrap(self, index: Array) -> Array:
        """Return indices on the axis: wrapped if it is periodic, else -1 beyond an edge.

        >>> Axis(n=4, periodic=True).wrap(np.array([-1, 4])), Axis(n=4).wrap(np.array([-1, 3]))
        (array([3, 0]), array([-1,  3]))
        """
        if self.periodic:
            return index % self.size
        return np.where((index >= 0) & (index < self.size), index, -1)

    def keep_inside(self, positions: Array) -> Array:
        """Return positions on the axis: folded into [start, stop) if it is periodic, else moved to its range.

        >>> Axis(bins=8, start=0, stop=8, periodic=True).keep_inside(np.array([-2e-17, 9.0])).tolist()
        [0.0, 1.0]
        """
        edges = np.asarray(self.edge_positions)
        return fold(positions, edges[0], edges[-1]) if self.periodic else positions.clip(edges[0], edges[-1])

    @property
    def found_by(self) -> str:
        """What `find` takes numbers for: a label, an index or a coordinate, with what there is.

        >>> Axis(name="eta", bins=24, start=-3, stop=3).found_by, Axis(n=4).found_by
        ('coordinate (-3 to 3)', 'index (0 to 3)')
        """
        if self.labels is not None:
            return f"label ({self.labels})"
        _, _, first, last, *_ = self.in_words()
        return f"{'index' if self.edge_positions is None else 'coordinate'} ({first} to {last})"

    def find(self, values: Array) -> Array:
        """Return the cell of each hit by its label, index or coordinate; -1 if it lies on no cell.

        >>> Axis(labels="-2..-1, 1..2").find(np.array([-1, 0, 2]))
        array([ 1, -1,  3])
        >>> Axis(bins=4, start=0, stop=2).find(np.array([0.6, 2.0, -0.1]))
        array([ 1, -1, -1])
        """
        if self.label_values is not None:
            return look_up(values, self.label_values)
        if self.edge_positions is None:
            return look_up(values, np.arange(self.size))
        low, high = self.edge_positions[0], self.edge_positions[-1]
        inside = (values >= low) & (values < high)
        if self.periodic:
            values = fold(values, low, high)
            inside = np.isfinite(values)
        return np.where(inside, edges_below(values, self.edge_positions) - 1, -1)

    def numbered(self, values: Array) -> str:
        """Return what to write if values seem to number the cells of an axis with positions; else nothing.

        >>> Axis(bins=4, start=0, stop=1).numbered(np.array([1, 4]))
        'do they number the cells? then add labels: 1..4'
        """
        least, most = values.min(), values.max()
        first = int(least == 1 and most == self.size)
        is_number = (values == np.round(values)).all() and 0 <= first <= least < most < first + self.size
        last = first + self.size - 1
        return f"do they number the cells? then add labels: {first}..{last}" if is_number else ""

    def turns(self, values: Array) -> str:
        """Return what is odd about coordinates that go around a periodic axis more than once; else nothing.

        >>> Axis(name="turn", bins=4, start=0, stop=1, periodic=True).turns(np.array([-7.0, 9.0]))
        '-7 to 9 is more than once around turn, from 0 to 1: is its unit another?'
        """
        if self.label_values is not None or self.edge_positions is None or not self.periodic:
            return ""
        known = values[np.isfinite(values)]
        if not len(known):
            return ""
        low, high = self.edge_positions[0], self.edge_positions[-1]
        least, most = known.min(), known.max()
        if low - (high - low) <= least and most <= high + (high - low):
            return ""
        around = f"more than once around {self.name or 'an axis'}, from {low:.4g} to {high:.4g}"
        ends = " and ".join(f"{np.degrees(end):g}" for end in (low, high))
        are_degrees = self.name == "phi" and self.unit is None and -360 <= least <= most <= 360
        remedy = f"write unit: deg, and degrees for its ends, {ends}" if are_degrees else "is its unit another?"
        return f"{least:.4g} to {most:.4g} is {around}: {self.numbered(known) or remedy}"


def fold(values: Array, low: float, high: float) -> Array:
    """Return values on the circle [low, high): those inside as they are, one that rounds to `high` as `low`.

    >>> fold(np.array([-2.8e-17, 3.0, 8.0, 9.0]), 0, 8).tolist()
    [0.0, 3.0, 0.0, 1.0]
    """
    folded = np.array(values, np.float64)
    is_outside = ~((folded >= low) & (folded < high))  # few are, of most
    with np.errstate(invalid="ignore"):  # infinity becomes NaN, which lies on no cell
        others = low + np.mod(folded[is_outside] - low, high - low)
    folded[is_outside] = np.where(others >= high, low, others)
    return folded


def fold_azimuth(angles: Array) -> Array:
    """Return angles in radian in [-pi, pi).

    >>> fold_azimuth(np.array([math.pi, 0.5])).tolist()
    [-3.141592653589793, 0.5]
    """
    return fold(angles, -math.pi, math.pi)


def look_up(values: Array, labels: Array) -> Array:
    """Return the index of each value among the labels, or -1."""
    if values.dtype == np.uint64:  # numpy would compare it with int64 as two floats
        return np.where(values < 2**63, look_up(values.astype(np.int64), labels), -1)
    low, n = int(labels.min()), int(labels.max()) - int(labels.min()) + 1
    if values.dtype.kind in "iub" and n <= LARGEST_TABLE:
        is_inside = values.size == 0 or (values.min() >= low and values.max() < low + n)
        if is_inside and np.array_equal(labels, np.arange(low, low + n)):
            return np.subtract(values, low, dtype=np.int64)
        table = np.full(n + 2, -1)  # values outside the labels are clipped to the first or last entry
        table[labels - low + 1] = np.arange(len(labels))
        return table.take(np.subtract(values, low - 1, dtype=np.int64), mode="clip")
    order = np.argsort(labels)
    place = np.searchsorted(labels[order], values).clip(max=len(labels) - 1)
    return np.where(labels[order][place] == values, order[place], -1)


@lru_cache(maxsize=64)
def _edge_positions(axis: Axis) -> Array | None:
    """Return `Axis.edge_positions`, which every call for a single event would work out again."""
    if axis.edges is not None:
        edges = np.array(axis.edges, np.float64)
    elif axis.bins is None or axis.start is None or axis.stop is None:
        return None
    else:
        edges = np.linspace(axis.start, axis.stop, axis.bins + 1)
    edges.flags.writeable = False
    return edges


@lru_cache(maxsize=64)
def _centres(axis: Axis) -> Array | None:
    """Return `Axis.centres`, which every call for a single event would work out again."""
    if (edges := axis.field_edges) is None:
        return None
    middle = (edges[:-1] + edges[1:]) / 2
    centres = fold_azimuth(middle) if axis.name == "phi" else middle
    centres.flags.writeable = False
    return centres
