"""Drawing tools shared by all pictures: style, panels, colours, and a grid with its windows on a pair of axes.

The other modules decide what a picture shows, this one how it is drawn. Figures are created directly, without
pyplot: no global state, no display, nothing left open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.config.formats import PICTURES, SOFTWARE
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.results.atomic_write import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure


# On top of mplhep's style, which is meant for slides.
STYLE: dict[str, Any] = {
    "font.size": 13,
    "axes.linewidth": 1,
    "axes.unicode_minus": True,
    "legend.fontsize": 10,
}
STYLE |= {f"{side}tick.{kind}.size": size for side in "xy" for kind, size in (("major", 6), ("minor", 3))}
# browsers show an SVG in a font of their own, which may be wider: entries keep a distance
STYLE |= {"legend.handlelength": 1.1, "legend.handletextpad": 0.6, "legend.columnspacing": 1.7}
STYLE |= {"legend.borderpad": 0, "legend.borderaxespad": 0.4, "legend.title_fontsize": 11}
# What the styles of experiments set for their large figures.
STYLE |= {"xtick.minor.pad": 6}  # as ROOT has it for major ticks: numbers at both stand on one line
SIZES: dict[str, Any] = {"axes.labelsize": "medium", "xtick.labelsize": "small", "ytick.labelsize": "small"}
SIZES |= {"lines.linewidth": 1.5, "lines.markersize": 5, "xtick.major.pad": 5, "ytick.major.pad": 5}
SIZES |= {"axes.titlesize": "medium", "errorbar.capsize": 0, "xtick.minor.pad": 5, "ytick.minor.pad": 5}
PLAIN = "plain"
_experiment: ContextVar[str] = ContextVar("experiment", default=PLAIN)
MARK, FILL = "#e42536", "#3f6fc4"  # seeds, sum windows and their sums; histograms

# Blue (FILL) and orange are distinguishable with any colour vision and in greyscale; marks and words repeat the
# information.
ORANGE, PURPLE, INK = "#f89c20", "#7a21dd", "black"
# Several lines in one picture, distinguishable with any colour vision and in greyscale (M. A. Petroff,
# arXiv:2107.02270).
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59")
MARKERS = ("o", "s", "^", "D", "v", "P")  # of points
DASHES = ("-", "--", ":")  # of the first lines, as many as there are colours, of the next, and so on
CELL_LINE = "0.92"  # edges of cells
NEGATIVE, MASKED, HATCH = "0.72", "0.93", "//////"  # negative cells grey; masked, NaN and infinite ones hatched
MIN_LOG_RANGE, MAX_LOG_RANGE = 30.0, 1e4  # highest over lowest cell: from here logarithmic, and cut off there
DOTS_PER_INCH = 160

# In inches: margins around the panels, and the largest panel.
LEFT, RIGHT, BOTTOM, TOP, GAP = 0.85, 1.25, 0.7, 0.62, 0.45
# Inches of a legend: a line of it, an entry without its text, and a character.
LINE, HANDLE, CHARACTER = 0.2, 0.5, 0.08
MOST_INSIDE, MOST_ENTRIES = 8, 40  # entries of a legend inside a panel, and of any legend
MAX_WIDTH, MAX_HEIGHT = 7.2, 5.4
GRAPH_SIZE = (6.2, 4.4)  # of a panel with histograms or points
QUARTER_TURNS = (r"$-\pi$", r"$-\pi/2$", "0", r"$\pi/2$", r"$\pi$", r"$3\pi/2$", r"$2\pi$")


def window_outline(row: int, col: int, offsets: Sequence[Offset], grid: Grid) -> Array:
    """Return the outline of a window around a cell, as segments between corners of cells.

    The outline is open where the window crosses the seam of a periodic axis, and closed where an edge cuts it.

    Returns
    -------
    numpy.ndarray
        Shape (segment, 2 ends, 2): row and column of the corner; (0, 0) is the outer corner of the first cell.

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


def from_minus_pi(grid: Grid) -> tuple[Grid, tuple[int, int]]:
    """Return a grid with its azimuth from -pi to pi, as the field phi, and the row and column that begin it."""
    axes, first = [grid.rows, grid.cols], [0, 0]
    for k, axis in enumerate(axes):
        edges, centres = axis.field_edges, axis.centres
        if axis.name == "phi" and axis.periodic and edges is not None and centres is not None:
            first[k] = int(np.argmin(centres))
            widths = np.roll(np.diff(edges), -first[k])
            start = centres[first[k]] - widths[0] / 2
            folded = start + np.append(0, np.cumsum(widths))
            axes[k] = Axis(name="phi", edges=tuple(folded.tolist()), periodic=True)
    if not any(first):
        return grid, (0, 0)
    plane = Grid(rows=axes[0], cols=axes[1], quantity=grid.quantity, unit=grid.unit)
    return plane, (first[0], first[1])


def size_of(ratio: float) -> tuple[float, float]:
    """Return width and height, in inches, of a panel whose sides have about this ratio."""
    ratio = float(np.clip(ratio, 0.5, 6))
    height = min(MAX_HEIGHT, MAX_WIDTH / ratio)
    return height * ratio, height


class View(NamedTuple):
    """How a grid is laid out on paper: its axes and edges of cells, each as (horizontal, vertical)."""

    grid: Grid
    rows_horizontal: bool
    axes: tuple[Axis, Axis]
    edges: tuple[Array, Array]

    @classmethod
    def of(cls, grid: Grid) -> View:
        """Return the usual view: eta or x horizontal; otherwise columns, as an array is printed."""
        rows_horizontal = grid.rows.name in ("eta", "x") or grid.cols.name in ("phi", "y")
        axes = (grid.rows, grid.cols) if rows_horizontal else (grid.cols, grid.rows)
        x, y = (np.arange(a.size + 1) - 0.5 if a.field_edges is None else a.field_edges for a in axes)
        return cls(grid, rows_horizontal, axes, (x, y))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches, to scale where both axes or neither have positions and it fits."""
        x, y = (edges[-1] - edges[0] for edges in self.edges)
        is_to_scale = (self.axes[0].edge_positions is None) == (self.axes[1].edge_positions is None)
        return size_of(x / y if is_to_scale else 1.3)

    def points(self, corners: Array) -> Array:
        """Return the points (x, y) of corners (row, col); add 0.5 to both for the centre of a cell."""
        ordered = corners if self.rows_horizontal else corners[..., ::-1]
        points = [np.interp(ordered[..., k], np.arange(len(e)), e) for k, e in enumerate(self.edges)]
        return np.stack(points, axis=-1)

    def outline(self, row: int, col: int, offsets: Sequence[Offset]) -> Array:
        """Return the outline of a window around a cell (see `window_outline`) in points."""
        return self.points(window_outline(row, col, offsets, self.grid))

    def window_ends(self, row: int, col: int, offsets: Sequence[Offset]) -> Array:
        """Return two opposite corners of the rectangle that a window takes on the grid, in points."""
        ends = np.array([np.min(offsets, axis=0), np.max(offsets, axis=0) + 1])
        corners = ends + np.array([row, col])
        return self.points(np.clip(corners, 0, self.grid.shape))

    def draw(self, axes: Axes, cells: Array, norm: Normalize | None) -> None:
        """Draw the cells, with ticks and titles of the axes."""
        (x, y), size = self.edges, self.size
        line = min(0.5, 2 * min(size[0] / len(x), size[1] / len(y)))
        draw_mesh(axes, x, y, cells.T if self.rows_horizontal else cells, norm, line=line)
        if not self.rows_horizontal and self.axes[1].edge_positions is None:
            axes.invert_yaxis()
        axes.tick_params(which="both", direction="out", top=False, right=False)
        for letter, axis in zip("xy", self.axes, strict=True):
            word = "row" if axis is self.grid.rows else "column"
            side: Any = getattr(axes, f"{letter}axis")
            getattr(axes, f"set_{letter}label")(set_ticks(side, axis, self.grid, word))


@contextmanager
def style() -> Iterator[None]:
    """Draw in a smaller version of mplhep's ROOT style, or of that of an experiment (see `style_of`)."""
    import matplotlib.style
    import mplhep

    name = _experiment.get()
    sheets = [mplhep.style.ROOT, STYLE] if name == PLAIN else [getattr(mplhep.style, name), STYLE, SIZES]
    with matplotlib.style.context(sheets):
        yield


@contextmanager
def style_of(experiment: str) -> Iterator[None]:
    """Let `style` be that of an experiment inside the block: CMS, ATLAS, LHCb, ALICE; or plain."""
    token = _experiment.set(experiment)
    try:
        yield
    finally:
        _experiment.reset(token)


def write_label(axes: Axes, label: str) -> None:
    """Write the name of the experiment, and a label such as Preliminary, above the left end of a panel."""
    import mplhep

    name = _experiment.get()
    axes.yaxis.get_offset_text().set(x=-0.01, ha="right")  # a power of ten, clear of the label
    with style():
        if name != PLAIN:
            getattr(mplhep, name.lower()).text(label, ax=axes, loc=0, fontsize=STYLE["font.size"])
        elif label:
            axes.text(0, 1.01, label, transform=axes.transAxes, va="bottom", style="italic")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, which notebooks show."""
    from hep_peaksum.plotting.notebook_figure import NotebookFigure

    return NotebookFigure(style, figsize=(width, height))


def panels(size: tuple[float, float], *, n: int = 1) -> tuple[Figure, list[Axes], Axes]:
    """Return a figure, its `n` panels of equal size (in inches), and the axes of a colour bar."""
    width, height = size
    figure_size = LEFT + n * width + (n - 1) * GAP + RIGHT, BOTTOM + height + TOP
    figure = new_figure(*figure_size)
    lefts = [LEFT + k * (width + GAP) for k in range(n)]
    boxes = [(left, width) for left in lefts] + [(lefts[-1] + width + 0.12, 0.18)]
    *axes, bar = (
        figure.add_axes(
            (left / figure_size[0], BOTTOM / figure_size[1], w / figure_size[0], height / figure_size[1])
        )
        for left, w in boxes
    )
    return figure, axes, bar


def stacked_panels() -> tuple[Figure, Axes, Axes]:
    """Return a figure with a panel for a graph, and a low one below it with the same x axis."""
    width, height = GRAPH_SIZE
    low, gap = height / 3, 0.12
    total = LEFT + width + RIGHT / 3, BOTTOM + low + gap + height + TOP
    figure = new_figure(*total)
    boxes = ((BOTTOM + low + gap, height), (BOTTOM, low))
    upper, lower = (
        figure.add_axes((LEFT / total[0], bottom / total[1], width / total[0], h / total[1]))
        for bottom, h in boxes
    )
    upper.tick_params(which="both", labelbottom=False)
    return figure, upper, lower


def cell_title(grid: Grid) -> str:
    """Return the title of the colour bar of cells."""
    if grid.unit is None:
        return "counts"
    return r"$E_T$ [GeV]" if grid.quantity == "et" else "energy [GeV]"


def colours() -> Colormap:
    """Return a colour map from pale to dark, the palest clearly darker than the white of an empty cell."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    return ListedColormap(mpl.colormaps["YlGnBu"](np.linspace(0.15, 1, 256)))


def norm(
    values: Array, *, logarithmic: bool = True, z_range: tuple[float, float] | None = None
) -> Normalize | None:
    """Return the scale of the colours, or None if no value is positive; `z_range` sets its ends.

    Raises
    ------
    ValueError
        If the range does not grow from 0 or above.
    """
    from matplotlib.colors import LogNorm, Normalize

    positive = values[np.isfinite(values) & (values > 0)]
    if z_range is not None:
        low, high = z_range
        if not 0 <= low < high < np.inf:
            msg = f"z_range {low:g} to {high:g}: expected two numbers that grow, the first 0 or above"
            raise ValueError(msg)
        return LogNorm(low, high) if low and high > MIN_LOG_RANGE * low else Normalize(low, high)
    if not len(positive):
        return None
    low, high = float(positive.min()), float(positive.max())
    if logarithmic and high > MIN_LOG_RANGE * low:
        return LogNorm(max(low, high / MAX_LOG_RANGE), high)
    return Normalize(0, high)


def draw_mesh(axes: Axes, x: Array, y: Array, cells: Array, norm: Normalize | None, *, line: float) -> None:
    """Draw cells in colours: empty ones white, negative ones grey, NaN and infinite ones hatched."""
    from matplotlib.colors import ListedColormap

    is_missing, is_energy = ~np.isfinite(cells), np.isfinite(cells) & (cells >= 0)
    kind = np.where(is_missing, 2, np.where(is_energy, 0, 1))
    background = ListedColormap(["white", NEGATIVE, MASKED])
    axes.pcolormesh(x, y, kind, cmap=background, vmin=0, vmax=2, edgecolors=CELL_LINE, linewidth=line)
    up, across = np.nonzero(is_missing)
    corners = [(x[across + i], y[up + j]) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    hatch(axes, np.transpose(corners, (2, 0, 1)))
    if norm is not None:
        axes.pcolormesh(x, y, np.ma.masked_where(~is_energy | (cells == 0), cells), norm=norm, cmap=colours())


def hatch(axes: Axes, polygons: Array) -> None:
    """Hatch masked cells, given by their corners: shape (cell, corner, 2)."""
    from matplotlib.collections import PolyCollection

    if len(polygons):
        hatched = PolyCollection(list(polygons), hatch=HATCH)
        hatched.set(facecolor="none", edgecolor="0.5", linewidth=0)
        axes.add_collection(hatched)


def invalid_cells(cells: Array) -> list[Any]:
    """Return the legend handles for cells without a positive energy, one for each kind that occurs."""
    from matplotlib.patches import Patch

    kinds = []
    if (np.isfinite(cells) & (cells < 0)).any():
        kinds.append(Patch(color=NEGATIVE, label="negative"))
    if not np.isfinite(cells).all():
        kinds.append(Patch(facecolor=MASKED, edgecolor="0.5", hatch=HATCH, linewidth=0, label="masked"))
    return kinds


def set_ticks(side: Any, axis: Axis, grid: Grid, word: str) -> str:
    """Set integer ticks for indices and fractions of pi for an azimuth; return the title of the axis."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

    if axis.edge_positions is None:
        side.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        side.set_minor_locator(NullLocator())
        return f"{axis.name} ({word})" if axis.name else word
    if axis.name == "phi":
        labels = dict(enumerate(QUARTER_TURNS, -2))
        side.set_major_locator(MultipleLocator(np.pi / 2))
        side.set_minor_locator(MultipleLocator(np.pi / 8))
        side.set_major_formatter(FuncFormatter(lambda phi, _: labels.get(round(2 * phi / np.pi), "")))
    field = fields_of(grid).get(axis.name or "")
    return field.axis_title if field else word


def draw_bar(figure: Figure, bar: Axes, norm: Normalize | None, title: str) -> None:
    """Draw the colour bar, or remove its axes if no cell is coloured."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if norm is None:
        bar.remove()
        return
    colour_bar = figure.colorbar(ScalarMappable(norm, colours()), cax=bar, label=title)
    bar.tick_params(which="both", direction="out", left=False)
    if isinstance(norm, LogNorm):
        is_narrow = norm.vmax < 1000 * norm.vmin  # type: ignore[operator]
        colour_bar.locator = LogLocator(subs=(1, 2, 5) if is_narrow else (1,))
        colour_bar.formatter = FuncFormatter(lambda value, _: f"{value:g}")
        colour_bar.update_ticks()
        bar.yaxis.set_minor_formatter(NullFormatter())


def write_title(figure: Figure, title: str | None) -> None:
    """Write the title at the top left."""
    if title:
        width, height = figure.get_size_inches()
        figure.text(LEFT / width, 1 - 0.1 / height, title, va="top")


def draw_legend_above(figure: Figure, axes: Axes, handles: Sequence[Any]) -> None:
    """Draw a legend above a panel, in as many lines as fit into the figure, and make room for them."""
    n_lines = _lines_of_legend(figure, [each.get_label() for each in handles])
    n_columns = -(-len(handles) // n_lines)
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns)
    add_room(figure, above=LINE * (n_lines - 1))


def draw_legend(figure: Figure, axes: Axes, *, title: str | None = None) -> None:
    """Draw the legend of the lines in a panel: inside it or, if it is long, at the bottom of the figure."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    if len(labels) <= MOST_INSIDE:
        axes.legend(loc="best", frameon=False, title=title, borderaxespad=0.9)  # clear of the ticks
        return
    if len(labels) > MOST_ENTRIES:
        n_more = len(labels) - MOST_ENTRIES
        handles = [*handles[:MOST_ENTRIES], Line2D([], [], linestyle="none")]
        labels = [*labels[:MOST_ENTRIES], f"and {n_more} more"]
    n_lines = _lines_of_legend(figure, labels)
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (LEFT / figure.get_size_inches()[0], 0)}
    columns: dict[str, Any] = {"ncols": -(-len(labels) // n_lines), "title": title, "alignment": "left"}
    figure.legend(handles, labels, frameon=False, **place, **columns)
    add_room(figure, below=LINE * (n_lines + bool(title)))


def _lines_of_legend(figure: Figure, labels: Sequence[str]) -> int:
    """Return in how many lines the entries of a legend fit into a figure."""
    widths = [HANDLE + CHARACTER * len(label) for label in labels]
    room, n_lines = figure.get_size_inches()[0] - LEFT, 1
    # a legend is filled column by column, each as wide as its widest entry
    while n_lines < len(widths) and room < sum(
        max(widths[first : first + n_lines]) for first in range(0, len(widths), n_lines)
    ):
        n_lines += 1
    return n_lines


def add_room(figure: Figure, *, above: float = 0.0, below: float = 0.0) -> None:
    """Make a figure higher by room above and below its panels, in inches; the panels keep their size."""
    width, height = figure.get_size_inches()
    new_height = height + above + below
    for axes in figure.axes:
        x, y, w, h = axes.get_position().bounds
        axes.set_position((x, (y * height + below) / new_height, w, h * height / new_height))
    figure.set_size_inches(width, new_height)


def write_empty(axes: Axes, text: str) -> None:
    """Write in the middle of a panel why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.5")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, PDF or SVG; the file appears under its name only when it is complete.

    Raises
    ------
    ValueError
        If the name has the suffix of another format.
    """
    kind = Path(path).suffix.lower().removeprefix(".") or "png"
    if kind not in PICTURES:
        known, stem = ", ".join(each.upper() for each in PICTURES), Path(path).stem
        msg = f"{path}: pictures are {known}, not {Path(path).suffix}: name it {stem}.png"
        raise ValueError(msg)
    # without its date a picture of the same results is the same file
    metadata = {"png": {"Software": SOFTWARE}, "pdf": {"Creator": SOFTWARE, "CreationDate": None}}
    metadata["svg"] = {"Creator": SOFTWARE, "Date": None}
    # fonts are looked up at drawing time, so the style is needed here, too
    with atomic_write(Path(path), tidy=True) as file, style():
        figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata=metadata[kind])
