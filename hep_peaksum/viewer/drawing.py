"""What a state looks like: columns of cells, outlines, seeds and other objects, and texts. Without Bokeh.

The layout of a grid, its colours and the outlines of windows are those of the pictures (`plotting.canvas`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum import notebook_html
from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.geometry.axis import Axis, fold
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.windows import Box
from hep_peaksum.viewer.sources import Objects
from hep_peaksum.viewer.state import ViewState

EMPTY, NEGATIVE = "#ffffff", "#b8b8b8"
MAX_ROWS, MAX_NUMBERED = 200, 40  # clusters in the table, and with their number in the picture
Columns = dict[str, Any]


class Scale(NamedTuple):
    """The colours of energies: the lowest and the highest energy that differ, and whether logarithmic."""

    low: float
    high: float
    is_logarithmic: bool


class Layout(NamedTuple):
    """Where the cells of a grid lie in the picture: `first` are the row and column that begin it.

    An azimuth begins at -pi, as the field phi does; other axes begin with their first cell.
    """

    view: canvas.View
    first: tuple[int, int]

    @classmethod
    def of(cls, grid: Grid) -> Layout:
        """Return the usual layout."""
        plane, first = canvas.from_minus_pi(grid)
        return cls(canvas.View.of(plane), first)

    def places(self, cells: Array) -> Array:
        """Return rows and columns, shape (..., 2), as they are counted in the picture."""
        moved = (cells - np.array(self.first)) % self.view.grid.shape
        return np.where(np.array(self.first) > 0, moved, cells)


@cache
def palette() -> tuple[str, ...]:
    """Return the colours of cells, from pale to dark."""
    from matplotlib.colors import to_hex

    return tuple(to_hex(colour) for colour in canvas.colours()(np.arange(256)))


def scale_of(cells: Array) -> Scale:
    """Return the colours of the cells of an event; from 0 to 1 if there is no energy."""
    norm = canvas.norm(cells)
    if norm is None:
        return Scale(0.0, 1.0, is_logarithmic=False)
    is_logarithmic = type(norm).__name__ == "LogNorm"
    return Scale(float(norm.vmin or 0), float(norm.vmax or 1), is_logarithmic)


def fill_colours(cells: Array, scale: Scale) -> list[str]:
    """Return the colour of every cell, row by row: white at zero, grey below it or where there is none."""
    with np.errstate(all="ignore"):
        values = np.clip(cells, scale.low, scale.high)
        if scale.is_logarithmic:
            fraction = np.log(values / scale.low) / np.log(scale.high / scale.low)
        else:
            fraction = (values - scale.low) / (scale.high - scale.low)
    index = np.nan_to_num(fraction * 255).astype(np.int64)
    colours = np.array([*palette(), EMPTY, NEGATIVE])
    index = np.where(cells == 0, 256, np.where(cells > 0, index, 257))
    return [str(colour) for colour in colours[index.ravel()]]


def cell_columns(state: ViewState) -> Columns:
    """Return the cells or towers that are drawn, row by row: their corners, and what is shown of each."""
    rows, cols = (index.ravel() for index in np.indices(state.grid.shape))
    columns: Columns = corners(state.grid, rows, cols)
    columns |= {"row": rows, "col": cols, "energy": state.cells.ravel()}
    for word, axis, index in (("row", state.grid.rows, rows), ("col", state.grid.cols, cols)):
        if axis.centres is not None:
            columns[f"{word}_at"] = axis.centres[index]
        if axis.label_values is not None:
            columns[f"{word}_label"] = axis.label_values[index]
    return columns


def filled_columns(state: ViewState) -> Columns:
    """Return the cells that have a colour, with it."""
    colours = np.array(fill_colours(state.cells, scale_of(state.cells))).reshape(state.grid.shape)
    rows, cols = np.nonzero(colours != EMPTY)
    return {**corners(state.grid, rows, cols), "fill": colours[rows, cols].tolist()}


def corners(grid: Grid, rows: Array, cols: Array) -> Columns:
    """Return the corners of some cells."""
    layout = Layout.of(grid)
    cells = layout.places(np.stack([rows, cols], axis=-1))
    first, last = layout.view.points(cells), layout.view.points(cells + 1)
    return {"left": first[:, 0], "right": last[:, 0], "bottom": first[:, 1], "top": last[:, 1]}


def line_columns(state: ViewState) -> Columns:
    """Return the lines between cells, as segments."""
    x, y = Layout.of(state.grid).view.edges
    upright, level = np.ones_like(x), np.ones_like(y)
    return {
        "x0": np.concatenate([x, x[0] * level]),
        "y0": np.concatenate([y[0] * upright, y]),
        "x1": np.concatenate([x, x[-1] * level]),
        "y1": np.concatenate([y[-1] * upright, y]),
    }


def holders_text(state: ViewState) -> str:
    """Return the clusters that hold each cell, row by row, a line for each cluster; empty if none does."""
    return "\n".join(state.holders.ravel().tolist())


def hover_texts(state: ViewState) -> list[tuple[str, str]]:
    """Return what is shown of a cell below the pointer, by columns of `cell_columns` and its holder."""
    texts = [("row, col", "@row, @col"), (energy_title(state.grid), "@energy{0.[0000]}")]
    for word, axis in (("row", state.grid.rows), ("col", state.grid.cols)):
        unit = f" {axis.field_unit}" * bool(axis.field_unit)
        if axis.centres is not None:
            texts.append((axis_name(axis, word), f"@{word}_at{{0.[0000]}}{unit}"))
        if axis.label_values is not None:
            texts.append((f"label of {word}", f"@{word}_label"))
    return [*texts, ("held by cluster", "@row{custom}")]


def outline_columns(state: ViewState) -> Columns:
    """Return the outlines of the sum windows of all clusters that are drawn, as segments."""
    layout = Layout.of(state.grid)
    outlines = [*_outlines(layout.places(_seeds(state)), state.settings.sum_cells(), layout.view.grid)]
    ends = layout.view.points(np.concatenate([np.empty((0, 2, 2)), *outlines]))
    return {"x0": ends[:, 0, 0], "y0": ends[:, 0, 1], "x1": ends[:, 1, 0], "y1": ends[:, 1, 1]}


def _outlines(seeds: Array, offsets: Sequence[Offset], grid: Grid) -> Iterator[Array]:
    """Yield the outlines of a window around seeds; that of whole windows is worked out once, and moved."""
    box = Box.around(offsets)
    low, high = -np.array([box.top, box.left]), np.array(grid.shape) - np.array([box.bottom, box.right])
    is_whole = ((seeds >= low) & (seeds < high)).all(axis=1)
    if is_whole.any():
        here, (row, col) = seeds[is_whole], seeds[is_whole][0].tolist()
        outline = canvas.window_outline(row, col, offsets, grid)
        yield (outline + (here - here[0])[:, None, None]).reshape(-1, 2, 2)
    for row, col in seeds[~is_whole].tolist():
        yield canvas.window_outline(row, col, offsets, grid)


def seed_columns(state: ViewState) -> Columns:
    """Return the seeds of all clusters that are drawn, the leading ones with their number in the table."""
    layout = Layout.of(state.grid)
    points = layout.view.points(layout.places(_seeds(state)) + 0.5)
    numbers = [str(number + 1) if n < MAX_NUMBERED else "" for n, number in enumerate(state.drawn.tolist())]
    return {"x": points[:, 0], "y": points[:, 1], "number": numbers}


def _seeds(state: ViewState) -> Array:
    drawn = state.clusters[state.drawn]
    return np.stack([np.asarray(drawn[word], np.int64) for word in ("row", "col")], axis=-1)


def object_columns(state: ViewState) -> dict[str, Columns]:
    """Return where the other objects of the event are, by name: those with a place on this grid."""
    placed = {name: _points(objects, state) for name, objects in state.event.objects.items()}
    return {name: {"x": at[:, 0], "y": at[:, 1]} for name, at in placed.items() if at is not None}


def _points(objects: Objects, state: ViewState) -> Array | None:
    """Return the points of objects; None if they are on another grid, or on other axes."""
    layout = Layout.of(state.grid)
    view = layout.view
    if objects.grid is not None:
        if objects.grid != state.grid_name:
            return None
        cell = np.stack(objects.places, axis=-1)
        cell = cell[(cell >= 0).all(axis=1)]
        return view.points(layout.places((cell + 0.5) / np.array(state.settings.coarsen)))
    if {axis.name for axis in view.axes} != set(objects.words) or any(a.field_edges is None for a in view.axes):
        return None
    at = dict(zip(objects.words, objects.places, strict=True))
    points = np.stack([_on_axis(at[axis.name or ""], axis) for axis in view.axes], axis=-1)
    (x, y) = view.edges
    inside = (points >= [x[0], y[0]]).all(axis=1) & (points <= [x[-1], y[-1]]).all(axis=1)
    return points[inside]


def _on_axis(values: Array, axis: Axis) -> Array:
    """Return coordinates on the range of a periodic axis, which need not be the one in which they are given."""
    edges = np.asarray(axis.field_edges)
    return fold(values, edges[0], edges[-1]) if axis.periodic else values


def cell_at(state: ViewState, x: float, y: float) -> tuple[int, int] | None:
    """Return row and column of the cell at a point of the picture, or None outside the grid."""
    view, first = Layout.of(state.grid)
    index = [int(np.searchsorted(e, v, side="right")) - 1 for e, v in zip(view.edges, (x, y), strict=True)]
    if not all(0 <= k < len(edges) - 1 for k, edges in zip(index, view.edges, strict=True)):
        return None
    row, col = index if view.rows_horizontal else index[::-1]
    return (row + first[0]) % state.grid.shape[0], (col + first[1]) % state.grid.shape[1]


def energy_title(grid: Grid) -> str:
    """Return the title of the colour scale."""
    if grid.unit is None:
        return "counts"
    return "ET [GeV]" if grid.quantity == "et" else "energy [GeV]"


def axis_name(axis: Axis, word: str) -> str:
    """Return the name of an axis."""
    return {"eta": "η", "phi": "φ"}.get(axis.name or "", axis.name or word)


def axis_title(axis: Axis, word: str) -> str:
    """Return the title of an axis, with the unit of its positions."""
    unit = f" [{axis.field_unit}]" if axis.field_unit and axis.field_edges is not None else ""
    return f"{axis_name(axis, word)}{unit}"


def cluster_table(state: ViewState) -> str:
    """Return the table of the clusters of the event as HTML, numbered as in the picture."""
    names = [name for name in state.clusters.fields if name != "layer_sums"]
    known = fields_of(state.grid, state.settings)
    heads = [f"{name} [{known[name].unit}]" if name in known and known[name].unit else name for name in names]
    shown = state.clusters[:MAX_ROWS]
    columns = [[_figure(value) for value in np.asarray(shown[name]).tolist()] for name in names]
    rows = [(str(number), *row) for number, row in enumerate(zip(*columns, strict=True), 1)]
    left = len(state.clusters) - len(rows)
    table = notebook_html.column_table(
        ("#", *heads), rows, f"{state.collection}: {_plural(len(state.clusters))}"
    )
    return table + (notebook_html.lines([f"and {left} more"]) if left else "")


def _figure(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _plural(n: int) -> str:
    return f"{n} cluster{'s' * (n != 1)}"


def heading(state: ViewState) -> str:
    """Return where the event comes from and what is drawn of it, as HTML."""
    layer = f", layer {state.layer}" * (state.n_layers > 1)
    where = f"{state.event.where}: {state.collection} on {state.grid_name}{layer}"
    return f"{escape(where)}: <b>{_plural(len(state.drawn))}</b>"


def code(text: str) -> str:
    """Return text verbatim, as HTML."""
    return f'<pre style="margin:0;white-space:pre-wrap">{escape(text)}</pre>'


def curve_columns(counts: Mapping[float, int]) -> Columns:
    """Return the number of clusters against the threshold."""
    return {"threshold": list(counts), "n": list(counts.values())}
