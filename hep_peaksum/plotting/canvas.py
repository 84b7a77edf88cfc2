"""How pictures lie on paper: style, panels, colours, and a grid with its windows on a pair of axes.

Apart from `plots`, which says what is in a picture; here stands only how it is drawn. Figures are matplotlib's
own objects, never pyplot's: no global state, no display, nothing left open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.results.atomic_write import atomic_write
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure


# On top of mplhep's style, which is made for slides.
STYLE: dict[str, Any] = {
    "font.size": 13,
    "axes.linewidth": 1,
    "axes.unicode_minus": True,
    "legend.fontsize": 10,
}
STYLE |= {f"{side}tick.{kind}.size": size for side in "xy" for kind, size in (("major", 6), ("minor", 3))}
STYLE |= {"legend.handlelength": 1.1, "legend.handletextpad": 0.5, "legend.columnspacing": 1.2}
STYLE |= {"legend.borderpad": 0, "legend.borderaxespad": 0.4}
MARK, FILL = "#e42536", "#3f6fc4"  # seeds, sum windows and their sums; histograms

# Blue (the fill) and orange are told apart by everybody, and differ in grey, too; marks and words say it again.
ORANGE, PURPLE, INK = "#f89c20", "#7a21dd", "black"
CELL_LINE, STRANGE = "0.92", "0.72"
LOG_FROM, LOG_TO = 30.0, 1e4  # highest over lowest cell: where colours become logarithmic, how far they reach
N_WRITTEN = 5  # sums beside the leading clusters
DOTS_PER_INCH = 160

# In inches: about the panels, and the largest panel.
LEFT, RIGHT, BOTTOM, TOP, GAP = 0.85, 1.25, 0.7, 0.62, 0.45
WIDEST, HIGHEST = 7.2, 5.4
QUARTER_TURNS = (r"$-\pi$", r"$-\pi/2$", "0", r"$\pi/2$", r"$\pi$", r"$3\pi/2$", r"$2\pi$")


def window_outline(row: int, col: int, offsets: Sequence[Offset], grid: Grid) -> Array:
    """Return the outline of a window about a cell, as segments between corners of cells.

    A window that crosses the seam of a periodic axis stays open there; one that an edge cuts is closed.

    Returns
    -------
    numpy.ndarray
        Shape (segment, 2 ends, 2): row and column of the corner; (0, 0) lies before the first of both.

    >>> window_outline(0, 1, ((0, 0), (0, 1)), Grid(rows=Axis(n=3), cols=Axis(n=4))).tolist()[:2]
    [[[0, 1], [0, 2]], [[0, 2], [0, 3]]]
    """
    rows, cols = grid.wrap(*np.add(offsets, (row, col)).T)
    inside = np.zeros(grid.shape, bool)
    inside[rows[rows >= 0], cols[rows >= 0]] = True
    segments = []
    for k, along in enumerate(np.array([(0, 1), (1, 0)])):
        for step in (-1, 1):
            neighbour = np.roll(inside, -step, axis=k)
            if not grid.periodic[k]:
                np.moveaxis(neighbour, k, 0)[-1 if step == 1 else 0] = False
            begin = np.argwhere(inside & ~neighbour) + (along[::-1] if step == 1 else 0)
            segments.append(np.stack([begin, begin + along], axis=1))
    return np.concatenate(segments)


class View(NamedTuple):
    """How a grid lies on paper: which axes and edges of cells, (horizontal, vertical)."""

    grid: Grid
    rows_across: bool
    axes: tuple[Axis, Axis]
    edges: tuple[Array, Array]

    @classmethod
    def of(cls, grid: Grid) -> View:
        """Return the usual view: eta and x horizontally; else columns, as an array is printed."""
        rows_across = grid.rows.name in ("eta", "x") or grid.cols.name in ("phi", "y")
        axes = (grid.rows, grid.cols) if rows_across else (grid.cols, grid.rows)
        x, y = (np.arange(a.size + 1) - 0.5 if a.edge_positions is None else a.edge_positions for a in axes)
        return cls(grid, rows_across, axes, (x, y))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches: true to scale where both axes have one kind of scale and that fits."""
        x, y = (edges[-1] - edges[0] for edges in self.edges)
        one_kind = (self.axes[0].edge_positions is None) == (self.axes[1].edge_positions is None)
        ratio = float(np.clip(x / y, 0.5, 6)) if one_kind else 1.3
        height = min(HIGHEST, WIDEST / ratio)
        return height * ratio, height

    def place(self, corners: Array) -> Array:
        """Return points (x, y) of corners (row, col); half a corner further is the middle of a cell."""
        across = corners if self.rows_across else corners[..., ::-1]
        points = [np.interp(across[..., k], np.arange(len(e)), e) for k, e in enumerate(self.edges)]
        return np.stack(points, axis=-1)


@contextmanager
def style() -> Iterator[None]:
    """Draw in mplhep's ROOT style, smaller."""
    import matplotlib.style
    import mplhep

    with matplotlib.style.context([mplhep.style.ROOT, STYLE]):
        yield


def panels(size: tuple[float, float], *, n: int = 1) -> tuple[Figure, list[Axes], Axes]:
    """Return a figure with `n` panels of one size in inches, and the place of a colour bar."""
    from matplotlib.figure import Figure

    width, height = size
    whole = LEFT + n * width + (n - 1) * GAP + RIGHT, BOTTOM + height + TOP
    figure = Figure(figsize=whole)
    lefts = [LEFT + k * (width + GAP) for k in range(n)]
    boxes = [(left, width) for left in lefts] + [(lefts[-1] + width + 0.12, 0.18)]
    *panels, bar = (
        figure.add_axes((left / whole[0], BOTTOM / whole[1], w / whole[0], height / whole[1]))
        for left, w in boxes
    )
    return figure, panels, bar


def cell_title(grid: Grid) -> str:
    """Return what the colours of cells mean."""
    if grid.rows.name is grid.cols.name is None and grid.unit == 1:  # nobody said what a count is
        return "counts"
    return r"$E_T$ [GeV]" if grid.quantity == "et" else "energy [GeV]"


def colours() -> Colormap:
    """Return colours from pale to dark, the palest well off the white of an empty cell."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    return ListedColormap(mpl.colormaps["YlGnBu"](np.linspace(0.15, 1, 256)))


def norm(values: Array, *, logarithmic: bool = True) -> Normalize | None:
    """Return the scale of the colours, None where there is nothing to colour."""
    from matplotlib.colors import LogNorm, Normalize

    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return None
    low, high = float(positive.min()), float(positive.max())
    if logarithmic and high > LOG_FROM * low:
        return LogNorm(max(low, high / LOG_TO), high)
    return Normalize(0, high)


def draw_mesh(axes: Axes, x: Array, y: Array, cells: Array, norm: Normalize | None, *, line: float) -> None:
    """Draw cells as colours: empty ones white, those that are no energies grey."""
    from matplotlib.colors import ListedColormap

    usable = np.isfinite(cells) & (cells >= 0)
    ground = ListedColormap(["white", STRANGE])
    axes.pcolormesh(x, y, ~usable, cmap=ground, vmin=0, vmax=1, edgecolors=CELL_LINE, linewidth=line)
    if norm is not None:
        axes.pcolormesh(x, y, np.ma.masked_where(~usable | (cells == 0), cells), norm=norm, cmap=colours())


def draw_cells(axes: Axes, view: View, cells: Array, norm: Normalize | None) -> None:
    """Draw the cells of a grid with the titles of its axes."""
    (x, y), size = view.edges, view.size
    line = min(0.5, 2 * min(size[0] / len(x), size[1] / len(y)))
    draw_mesh(axes, x, y, cells.T if view.rows_across else cells, norm, line=line)
    if not view.rows_across and view.axes[1].edge_positions is None:
        axes.invert_yaxis()
    axes.tick_params(which="both", direction="out", top=False, right=False)
    for which, axis in zip("xy", view.axes, strict=True):
        word = "row" if axis is view.grid.rows else "column"
        side: Any = getattr(axes, f"{which}axis")
        getattr(axes, f"set_{which}label")(write_ticks(side, axis, view.grid, word))


def write_ticks(side: Any, axis: Axis, grid: Grid, word: str) -> str:
    """Write integers for indices, parts of pi for an azimuth; return the title that goes with them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

    if axis.edge_positions is None:
        side.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        side.set_minor_locator(NullLocator())
        return f"{axis.name} ({word})" if axis.name else word
    if axis.name == "phi":
        names = dict(enumerate(QUARTER_TURNS, -2))
        side.set_major_locator(MultipleLocator(np.pi / 2))
        side.set_minor_locator(MultipleLocator(np.pi / 8))
        side.set_major_formatter(FuncFormatter(lambda phi, _: names.get(round(2 * phi / np.pi), "")))
    field = fields_of(grid).get(axis.name or "")
    return field.axis_title if field else word


def draw_bar(figure: Figure, bar: Axes, norm: Normalize | None, title: str) -> None:
    """Draw the colour bar, or take its place away where there is nothing to colour."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if norm is None:
        bar.remove()
        return
    drawn = figure.colorbar(ScalarMappable(norm, colours()), cax=bar, label=title)
    bar.tick_params(which="both", direction="out", left=False)
    if isinstance(norm, LogNorm):
        narrow = norm.vmax < 1000 * norm.vmin  # type: ignore[operator]
        drawn.locator = LogLocator(subs=(1, 2, 5) if narrow else (1,))
        drawn.formatter = FuncFormatter(lambda value, _: f"{value:g}")
        drawn.update_ticks()
        bar.yaxis.set_minor_formatter(NullFormatter())


def draw_windows(axes: Axes, view: View, outlines: Sequence[Array]) -> None:
    """Draw outlines of windows."""
    from matplotlib.collections import LineCollection

    if outlines:
        lines = list(view.place(np.concatenate(outlines)))
        for colour, width in (("white", 2.6), (MARK, 1.4)):
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="projecting"))


def draw_seeds(axes: Axes, view: View, seeds: Array) -> None:
    """Draw a ring about every seed."""
    x, y = view.place(seeds + 0.5).T
    for colour, width in (("white", 2.8), (MARK, 1.4)):
        axes.scatter(x, y, s=30, facecolors="none", edgecolors=colour, linewidths=width, zorder=3)


def write_sums(
    axes: Axes, view: View, seeds: Array, sums: Array, offsets: Sequence[Offset], *, n: int, unit: str
) -> None:
    """Write the `n` leading sums above their windows; without room there below, or at the bottom inside."""
    size = np.array(view.size)
    taken: list[tuple[Array, Array]] = []
    for k in np.argsort(-sums, kind="stable")[:n]:
        text = (f"{sums[k]:.3g}" if abs(sums[k]) < 1000 else f"{sums[k]:,.0f}") + unit
        window = seeds[k] + np.array([np.min(offsets, axis=0), np.max(offsets, axis=0) + 1])
        corners = view.place(np.clip(window, 0, view.grid.shape))
        (left, bottom), (right, top) = np.sort(axes.transLimits.transform(corners) * size, axis=0)
        box = np.array([0.082 * len(text) + 0.06, 0.2])
        x = np.clip((left + right) / 2, box[0] / 2, size[0] - box[0] / 2)
        places = [np.array([x, y]) for y in (top + 0.14, bottom - 0.14) if 0.1 < y < size[1] - 0.1]
        free = [p for p in places if all((abs(p - q) > (box + other) / 2).any() for q, other in taken)]
        place = (free or places or [np.array([x, bottom + 0.14])])[0]
        taken.append((place, box))
        across, up = place / size
        ground = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "boxstyle": "round,pad=0.1"}
        at: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center", "zorder": 4}
        axes.text(across, up, text, fontsize=10, color=MARK, bbox=ground, **at)


def draw_legend(axes: Axes, settings: PeakSumSettings, n_seeds: int, *, strange: bool) -> None:
    """Write what the marks mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    window = settings.sum_window
    size = "" if isinstance(window, str) else f" {window[0]} × {window[1]}"
    handles: list[Any] = [
        Line2D([], [], ls="", marker="o", mfc="none", mec=MARK, label=f"{n_seeds} seed{'s' * (n_seeds != 1)}"),
        Patch(facecolor="none", edgecolor=MARK, label=f"sum window{size}"),
    ]
    if strange:
        handles.append(Patch(color=STRANGE, label="negative or masked"))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


def write_title(figure: Figure, title: str | None) -> None:
    """Write the title at the top left."""
    if title:
        width, height = figure.get_size_inches()
        figure.text(LEFT / width, 1 - 0.1 / height, title, va="top")


def write_empty(axes: Axes, text: str) -> None:
    """Say in the middle that there is nothing to see."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.5")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG; the file appears under its name only when it is whole.

    Raises
    ------
    ValueError
        If the name ends like that of another kind of file.
    """
    if Path(path).suffix.lower() not in ("", ".png"):
        msg = f"{path}: pictures are written as PNG, not as {Path(path).suffix}: name it {Path(path).stem}.png"
        raise ValueError(msg)
    # fonts are looked up when they are drawn
    with atomic_write(Path(path)) as file, style():
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
