"""The cells of an event as the published algorithms see them, and squares about a seed.

Part of the oracles of the published algorithms; it must not import the package.
"""

import itertools
from typing import NamedTuple

# 17 rows do not divide into towers of three; with 18 columns strips of pile-up have room on a closed axis.
N_ROWS, N_COLS = 17, 18


class Plane(NamedTuple):
    """The cells of an event, lists of rows, the columns closed or not.

    Beyond the first and the last row there is nothing, or, `clamped`, the same row again.
    """

    cells: list
    closed: bool
    clamped: bool = False

    @property
    def places(self):
        return itertools.product(range(len(self.cells)), range(len(self.cells[0])))

    def at(self, row, col):
        """Return where a cell is, None beyond an edge."""
        if self.clamped:
            row = min(max(row, 0), len(self.cells) - 1)
        if self.closed:
            col %= len(self.cells[0])
        return (row, col) if 0 <= row < len(self.cells) and 0 <= col < len(self.cells[0]) else None

    def __call__(self, row, col):
        place = self.at(row, col)
        return 0 if place is None else self.cells[place[0]][place[1]]

    def total(self, row, col, offsets):
        """Return the sum of cells about one, added one after the other."""
        result = 0
        for d, p in offsets:
            result += self(row + d, col + p)
        return result


def square(half):
    """Return the offsets (row, col) of a square about the seed, in row-major order."""
    return list(itertools.product(range(-half, half + 1), repeat=2))


def around(half):
    return [offset for offset in square(half) if offset != (0, 0)]
