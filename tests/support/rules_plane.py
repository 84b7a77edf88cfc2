"""The plane of the rules: cells, layers of them, and the offsets of windows, rings and strips.

Part of the definition in `rules_oracle`; it must not import the package.
"""

import math
from typing import NamedTuple

from oracle import read_window


class Plane(NamedTuple):
    """The number of rows and columns, and which axes are periodic."""

    n_rows: int
    n_cols: int
    periodic: tuple[bool, bool]

    def at(self, place, offset):
        """Return the place at an offset from another, or None: beyond an edge there are no cells."""
        there = [place[0] + offset[0], place[1] + offset[1]]
        for axis, size in enumerate((self.n_rows, self.n_cols)):
            if self.periodic[axis]:
                there[axis] %= size
            if not 0 <= there[axis] < size:
                return None
        return tuple(there)

    def squared_distance(self, offset):
        """Return d^2 + p^2, on a periodic axis the short way around."""
        d, p = (
            min(x % size, -x % size) if closed else x
            for x, size, closed in zip(offset, (self.n_rows, self.n_cols), self.periodic, strict=True)
        )
        return d**2 + p**2


class Layer(NamedTuple):
    """Cells, or towers of them: their values, those that are masked, their noise, and their plane."""

    cells: dict
    masked: set
    noise: dict
    plane: Plane

    def around(self, place, offsets):
        """Return {offset: place} of the cells at the offsets that exist."""
        there = {offset: self.plane.at(place, offset) for offset in offsets}
        return {offset: other for offset, other in there.items() if other in self.cells}

    def total(self, place, offsets):
        """Return the sum of the cells at the offsets that exist."""
        return add(self.cells[other] for other in self.around(place, offsets).values())


def add(values):
    """Return the sum, one after the other (Python's own `sum` of floats compensates for rounding)."""
    total = 0
    for value in values:
        total += value
    return total


def in_quadrature(noises):
    """Return the noise of a sum."""
    return math.sqrt(add(noise * noise for noise in noises))


class Box(NamedTuple):
    """How far a window reaches: first and last offset in rows and in columns."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def n_rows(self):
        return self.bottom - self.top + 1

    @property
    def n_cols(self):
        return self.right - self.left + 1

    @property
    def area(self):
        return self.n_rows * self.n_cols


def bounding_box(settings):
    """Return the box around the sum window."""
    rows, cols = zip(*read_window(settings.sum_window), strict=True)
    return Box(min(rows), max(rows), min(cols), max(cols))


def square(n):
    """Return the offsets of n x n cells about the seed, row-major."""
    return list(read_window((n, n)))


def ring_around(box, depth):
    """Return the offsets of the cells around a box, up to `depth` cells from it, row-major."""
    return [
        (d, p)
        for d in range(box.top - depth, box.bottom + depth + 1)
        for p in range(box.left - depth, box.right + depth + 1)
        if not (box.top <= d <= box.bottom and box.left <= p <= box.right)
    ]


def strips(box, depth, length):
    """Return the offsets of the four strips that flank a box, `depth` cells deep, `length` cells long."""
    along = range(-(length // 2), length // 2 + 1)
    above, below = range(box.top - depth, box.top), range(box.bottom + 1, box.bottom + depth + 1)
    left, right = range(box.left - depth, box.left), range(box.right + 1, box.right + depth + 1)
    return (
        [(d, p) for d in above for p in along],
        [(d, p) for d in below for p in along],
        [(d, p) for d in along for p in left],
        [(d, p) for d in along for p in right],
    )


def one_step_inside(offset):
    """Return the offset one ring nearer to the seed."""
    ring = max(abs(x) for x in offset)
    return tuple(x - (x > 0) + (x < 0) if abs(x) == ring else x for x in offset)


def ratio(top, bottom):
    """Return top / bottom, 0 if there is nothing to divide by."""
    return 0.0 if bottom == 0 else top / bottom
