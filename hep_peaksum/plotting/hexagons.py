"""Hexagonal cells on paper: where they are, and the outlines of windows around them.

`HexagonView` has what `canvas.View` has for rectangular cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hexagons import Hexagons
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize


class HexagonView(NamedTuple):
    """How a grid of hexagons is laid out on paper: x to the right, y upwards; layers without their shifts."""

    grid: Grid
    lattice: Hexagons

    @classmethod
    def of(cls, grid: Grid) -> HexagonView:
        """Return the view of a grid that has hexagons."""
        return cls(grid, grid.hexagons or Hexagons())

    @property
    def polygons(self) -> Array:
        """The corners of all cells, shape (cell, 6 corners, 2)."""
        return self._polygons(*np.indices(self.grid.shape).reshape(2, -1))

    def _polygons(self, row: Array, col: Array) -> Array:
        return self.points(np.stack([row, col], axis=-1) + 0.5)[:, None] + self.lattice.corners

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches, to scale unless one is many times the other."""
        corners = self.polygons.reshape(-1, 2)
        x, y = corners.max(axis=0) - corners.min(axis=0)
        ratio = float(np.clip(x / y, 0.5, 6))
        height = min(canvas.MAX_HEIGHT, canvas.MAX_WIDTH / ratio)
        return height * ratio, height

    def points(self, places: Array) -> Array:
        """Return the points (x, y) of places (row, col), those of centres being half integers."""
        x, y = self.grid.hexagon_centres(places[..., 0] - 0.5, places[..., 1] - 0.5)
        return np.stack([x, y], axis=-1)

    def outline(self, row: int, col: int, offsets: Sequence[Offset]) -> Array:
        """Return the outline of a window around a cell: sides of hexagons, shape (side, 2 ends, 2)."""
        rows, cols = self.grid.wrap(*np.add(offsets, (row, col)).T)
        cells = np.stack([rows, cols], axis=-1)[rows >= 0]
        inside = {(int(r), int(c)) for r, c in cells}
        polygons, steps = self._polygons(*cells.T), self.lattice.neighbours
        sides = [
            polygon[[side, (side + 1) % 6]]
            for polygon, (r, c) in zip(polygons, cells.tolist(), strict=True)
            for side, (d, p) in enumerate(steps)
            if (r + d, c + p) not in inside
        ]
        return np.array(sides).reshape(-1, 2, 2)

    def window_ends(self, row: int, col: int, offsets: Sequence[Offset]) -> Array:
        """Return two opposite corners of the rectangle that a window takes, shape (2, 2)."""
        rows, cols = self.grid.wrap(*np.add(offsets, (row, col)).T)
        corners = self._polygons(rows[rows >= 0], cols[rows >= 0]).reshape(-1, 2)
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    def draw(self, axes: Axes, cells: Array, norm: Normalize | None) -> None:
        """Draw the cells, with ticks and titles of the axes: the colours are those of rectangular cells."""
        from matplotlib.collections import PolyCollection

        polygons, values = self.polygons, cells.reshape(-1)
        is_energy = np.isfinite(values) & (values >= 0)
        line: dict[str, Any] = {"edgecolors": canvas.CELL_LINE, "linewidths": self._line_width}
        colours = np.where(is_energy, "white", canvas.INVALID)
        axes.add_collection(PolyCollection(list(polygons), facecolors=colours.tolist(), **line))
        is_coloured = is_energy & (values > 0)
        if norm is not None:
            coloured = PolyCollection(list(polygons[is_coloured]), norm=norm, cmap=canvas.colours(), **line)
            coloured.set_array(values[is_coloured])
            axes.add_collection(coloured)
        low, high = polygons.min(axis=(0, 1)), polygons.max(axis=(0, 1))
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        axes.tick_params(which="both", direction="out", top=False, right=False)
        unit = f" [{self.lattice.unit}]" if self.lattice.unit else ""
        axes.set_xlabel(f"x{unit}")
        axes.set_ylabel(f"y{unit}")

    @property
    def _line_width(self) -> float:
        """Width of the line between cells, thinner where they are small."""
        return min(0.5, 2 * min(self.size) / max(self.grid.shape))
