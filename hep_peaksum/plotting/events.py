"""Pictures of events and of the sums in their windows.

matplotlib and mplhep are imported when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.discriminant import pool_cells, search_grid
from hep_peaksum.clustering.find import find_clusters, settings_apart
from hep_peaksum.geometry.grid import Grid, bare_grid, one_event, split_mask
from hep_peaksum.geometry.hexagons import Hexagons
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

N_LABELLED = 5  # leading clusters with their sum beside them
MANY = 80  # clusters from which lines become thinner
REFERENCE_MARKS = ("x", "+", "d", "s")
MANY_DIGITS = 1e7  # sums from here on are written with an exponent, or they would cover the picture


class HexagonView(NamedTuple):
    """How a grid of hexagons is laid out on paper, as `canvas.View`: layers without their shifts."""

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
        return canvas.size_of(x / y)

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
        colours = np.where(is_energy, "white", np.where(np.isfinite(values), canvas.NEGATIVE, canvas.MASKED))
        axes.add_collection(PolyCollection(list(polygons), facecolors=colours.tolist(), **line))
        canvas.hatch(axes, polygons[~np.isfinite(values)])
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


View = canvas.View | HexagonView


@settings_apart
def draw_event(
    cells: npt.ArrayLike,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    clusters: ak.Array | None = None,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    references: Mapping[str, npt.ArrayLike] | None = None,
    z_range: tuple[float, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one event: its cells, and the seed and the sum window of every cluster.

    The figure belongs to no window of pyplot: a notebook shows it as the last value of a cell, and
    ``figure.savefig`` writes it.

    Parameters
    ----------
    cells
        Shape (row, col), in counts of `grid`. Empty cells are white, negative ones grey; masked, NaN and
        infinite ones hatched. Where the settings pool cells into towers, the towers are drawn.
    settings
        As for `hep_peaksum.find_clusters`; they define the sum window.
    grid
        The grid of the cells. An axis without positions is drawn as indices; an axis named eta or x is
        horizontal. Cells of a grid that has hexagons are drawn as hexagons.
    clusters
        Records of this event with `row`, `col` and `peak_sum`, if they were found before; the sums of the
        leading ones are written beside them.
    mask, noise
        As for `hep_peaksum.find_clusters`.
    references
        Objects to compare with, by name: places of shape (object, 2), each a row and a column counted in cells
        from 0, whole or not.
    z_range
        Ends of the colour scale, in the unit of the grid; what is beyond has the colour of the end. By default
        the range of the cells.
    title
        Written above the picture.

    Raises
    ------
    ValueError
        If `cells` does not have the shape of the grid, or for any input that `find_clusters` rejects.

    >>> figure = draw_event([[0, 1, 0], [1, 5, 2], [0, 1, 0]], {"sum_window": (1, 3)})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['8']
    """
    settings, given = as_settings(settings), as_grid(grid)
    values, missing = split_mask(cells)
    grid = given or bare_grid((1, 1, *values.shape)[-2:])
    if values.shape != grid.shape:
        msg = f"cells have shape {values.shape}, the grid has {grid.shape}: pass one event, its layers summed"
        raise ValueError(msg)
    if clusters is None:
        fields = ("row", "col", "peak_sum")
        found = find_clusters(one_event(cells), settings, grid, mask=mask, noise=noise, fields=fields)
        clusters = found[0]
    if mask is not None:
        missing = np.asarray(mask, bool) | (False if missing is None else missing)
    if missing is not None:  # they do not exist, and add nothing to a tower
        values = np.where(missing, -np.inf, values)
    plane, towers = search_grid(settings, grid), pool_cells(values[None], settings, grid.unit)[0]
    pooled = grid.shape[0] / plane.shape[0], grid.shape[1] / plane.shape[1]
    marks = {
        name: (np.asarray(places, np.float64).reshape(-1, 2) + 0.5) / pooled
        for name, places in (references or {}).items()
    }
    return _draw_plane(towers, plane, clusters, settings, marks, z_range, title)


def _draw_plane(
    cells: Array,
    grid: Grid,
    clusters: ak.Array,
    settings: PeakSumSettings,
    references: Mapping[str, Array],
    z_range: tuple[float, float] | None,
    title: str | None,
) -> Figure:
    """Draw the cells or towers that are searched."""
    seeds = np.stack([np.asarray(clusters[word], np.int64) for word in ("row", "col")], axis=-1)
    grid, first = canvas.from_minus_pi(grid)
    if any(first):  # the seam is drawn elsewhere than the cells begin
        cells = np.roll(cells, [-each for each in first], axis=(0, 1))
        seeds = (seeds - first) % grid.shape
        references = {name: (places - first) % grid.shape for name, places in references.items()}
    view = canvas.View.of(grid) if grid.hexagons is None else HexagonView.of(grid)
    offsets = settings.sum_cells()
    with canvas.style():
        figure, (axes,), bar = canvas.panels(view.size)
        norm = canvas.norm(cells * grid.scale, z_range=z_range)
        view.draw(axes, cells * grid.scale, norm)
        canvas.draw_bar(figure, bar, norm, canvas.cell_title(grid))
        outlines = [view.outline(row, col, offsets) for row, col in seeds.tolist()]
        _draw_windows(axes, outlines)
        _draw_seeds(axes, view, seeds)
        marks = _draw_references(axes, view, references)
        sums = np.asarray(clusters["peak_sum"]) * grid.scale
        unit = "" if grid.unit is None else " GeV"
        _write_sums(axes, view, seeds, sums, offsets, n=N_LABELLED, unit=unit)
        _draw_legend(figure, axes, settings, len(seeds), [*marks, *canvas.invalid_cells(cells)])
        if norm is None:
            canvas.write_empty(axes, "no cell above zero")
        canvas.write_title(figure, title)
    return figure


def draw_peak_sum(image: Array, sums: Array, *, title: str | None = None) -> Figure:
    """Draw an image and the map of its window sums (see `peak_sum_map`) side by side, with one colour scale.

    Both have shape (row, col); rows run downwards, as an array is printed.
    """
    image, sums = np.asarray(image), np.asarray(sums)
    if image.ndim != 2 or image.shape != sums.shape:
        msg = f"the image has shape {image.shape}, the map of sums {sums.shape}: expected one shape (row, col)"
        raise ValueError(msg)
    view, seeds = canvas.View.of(bare_grid(image.shape)), np.argwhere(sums)
    titles = "image and its local maxima", "window sum at each of them"
    with canvas.style():
        figure, panels, bar = canvas.panels(view.size, n=2)
        norm = canvas.norm(np.stack([image, sums]))
        for axes, cells, panel_title in zip(panels, (image, sums), titles, strict=True):
            view.draw(axes, cells, norm)
            axes.set_title(panel_title, loc="left", fontsize=11)
        _draw_seeds(panels[0], view, seeds)
        panels[1].set_ylabel("")
        _write_sums(panels[1], view, seeds, sums[tuple(seeds.T)], ((0, 0),), n=4 * N_LABELLED, unit="")
        canvas.draw_bar(figure, bar, norm, "counts")
        canvas.write_title(figure, title)
    return figure


def _thinness(n_clusters: int) -> float:
    """Return by how much lines and marks are thinner, so that many of them leave cells to be seen."""
    return float(np.clip(np.sqrt(MANY / max(1, n_clusters)), 0.35, 1))


def _draw_windows(axes: Axes, outlines: Sequence[Array]) -> None:
    """Draw the outlines of windows, segments between points."""
    from matplotlib.collections import LineCollection

    if outlines:
        lines, thin = list(np.concatenate(outlines)), _thinness(len(outlines))
        for colour, width in (("white", 2.6 * thin), (canvas.MARK, 1.4 * thin)):
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="projecting"))


def _draw_seeds(axes: Axes, view: View, seeds: Array) -> None:
    """Draw a ring around every seed."""
    (x, y), thin = view.points(seeds + 0.5).T, _thinness(len(seeds))
    for colour, width in (("white", 2.8 * thin), (canvas.MARK, 1.4 * thin)):
        options: dict[str, Any] = {"facecolors": "none", "edgecolors": colour, "linewidths": width}
        axes.scatter(x, y, s=30 * thin**2, zorder=3, **options)


def _draw_references(axes: Axes, view: View, references: Mapping[str, Array]) -> list[Any]:
    """Draw a cross of its own kind for the objects of every reference; return the handles of a legend."""
    from matplotlib.lines import Line2D

    handles = []
    for (name, places), marker in zip(references.items(), cycle(REFERENCE_MARKS), strict=False):
        x, y = view.points(places).T
        style: dict[str, Any] = {"linestyle": "none", "marker": marker, "zorder": 3.5, "fillstyle": "none"}
        axes.plot(x, y, color="white", markersize=9, markeredgewidth=3, **style)
        axes.plot(x, y, color=canvas.INK, markersize=9, markeredgewidth=1.3, **style)
        label = f"{len(places)} {name}"
        handles.append(
            Line2D([], [], color=canvas.INK, markersize=7, markeredgewidth=1.3, label=label, **style)
        )
    return handles


def _write_sums(
    axes: Axes, view: View, seeds: Array, sums: Array, offsets: Sequence[Offset], *, n: int, unit: str
) -> None:
    """Write the `n` leading sums above their windows; without room there below, or at the bottom inside."""
    size = np.array(view.size)
    occupied: list[tuple[Array, Array]] = []  # centres and sizes of the texts, in inches
    for k in np.argsort(-sums, kind="stable")[:n]:
        text = (f"{sums[k]:,.0f}" if 1e3 <= abs(sums[k]) < MANY_DIGITS else f"{sums[k]:.3g}") + unit
        corners = view.window_ends(int(seeds[k, 0]), int(seeds[k, 1]), offsets)
        (left, bottom), (right, top) = np.sort(axes.transLimits.transform(corners) * size, axis=0)
        box = np.array([0.082 * len(text) + 0.06, 0.2])
        x = np.clip((left + right) / 2, box[0] / 2, size[0] - box[0] / 2)
        candidates = [np.array([x, y]) for y in (top + 0.14, bottom - 0.14) if 0.1 < y < size[1] - 0.1]
        free = [p for p in candidates if all((abs(p - q) > (box + other) / 2).any() for q, other in occupied)]
        centre = (free or candidates or [np.array([x, bottom + 0.14])])[0]
        occupied.append((centre, box))
        across, up = centre / size
        background = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "boxstyle": "round,pad=0.1"}
        at: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center", "zorder": 4}
        axes.text(across, up, text, fontsize=10, color=canvas.MARK, bbox=background, **at)


def _draw_legend(
    figure: Figure, axes: Axes, settings: PeakSumSettings, n_seeds: int, others: Sequence[Any]
) -> None:
    """Draw the legend of seeds and sum windows, then of references and of cells without an energy."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    window = settings.sum_window
    size = "" if isinstance(window, str) else f" {window[0]} × {window[1]}"
    seeds = f"{n_seeds} seed{'s' * (n_seeds != 1)}"
    handles: list[Any] = [
        Line2D([], [], ls="", marker="o", mfc="none", mec=canvas.MARK, label=seeds),
        Patch(facecolor="none", edgecolor=canvas.MARK, label=f"sum window{size}"),
        *others,
    ]
    canvas.draw_legend_above(figure, axes, handles)
