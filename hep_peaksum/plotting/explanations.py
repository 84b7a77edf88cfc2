"""Pictures of why a cell is a seed or not: the cells around it, what is compared, and what decides."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.discriminant import exists
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.diagnostics import wording
from hep_peaksum.diagnostics.explain import Explanation
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, one_event
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.windows import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 2  # cells around the search window
THICK, THIN = 3.2, 1.4  # points: frames of the cell that decides, and of others
MAX_FRAMES = 40  # more frames hide what they frame
MIN_TEXT = 4.5  # points: smaller numbers are left out


def draw_explanation(
    cells: npt.ArrayLike,
    explanation: Explanation,
    settings: PeakSumSettings,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """Draw why a cell is a seed or not: the compared values around it, and the cell that decides.

    Parameters
    ----------
    cells, settings, grid, mask, noise
        As passed to `hep_peaksum.explain`.
    explanation
        Its result, also written below the picture.
    title
        Written above the picture.
    """
    context = find_peaks(one_event(cells), settings, grid, mask=mask, noise=noise)
    plane, compared = context.grid, context.discriminant[0]
    quantity = np.where(exists(compared), compared.astype(np.float64), np.nan)
    region = _Region.around(explanation, settings, plane)
    values = quantity[np.ix_(region.rows % plane.shape[0], region.cols % plane.shape[1])]
    view = canvas.View.of(region.grid)
    with canvas.style():
        figure, (axes,), bar = canvas.panels(view.size)
        norm = canvas.norm(values)
        view.draw(axes, values, norm)
        canvas.draw_bar(figure, bar, norm, _colour_title(settings, plane))
        _set_ticks(axes, view, region)
        _write_values(axes, view, values, norm, integer=compared.dtype.kind != "f")
        others = _draw_marks(axes, view, region, explanation, settings)
        handles = [*_legend_handles(explanation, has_others=others), *canvas.invalid_cells(values)]
        canvas.draw_legend_above(figure, axes, handles)
        verdict = _wrap(str(explanation), figure.get_size_inches()[0])
        canvas.add_room(figure, below=canvas.LINE * len(verdict) + 0.1)
        canvas.write_title(figure, title)
        _write_verdict(figure, verdict)
    return figure


class _Region(NamedTuple):
    """Part of a grid around a cell: its rows and columns, which count on across a seam, and a grid of its own.

    `plane` is the whole grid.
    """

    rows: Array
    cols: Array
    grid: Grid
    plane: Grid

    @classmethod
    def around(cls, explanation: Explanation, settings: PeakSumSettings, plane: Grid) -> _Region:
        """Return the search window around a cell, the seed that removed it, and a margin, within the grid."""
        here = explanation.row, explanation.col
        offsets = _search_offsets(settings)
        if explanation.removed_by is not None:
            offsets.append(_offset(here, explanation.removed_by, plane))
        box, indices = Box.around(offsets), []
        reaches = ((box.top, box.bottom), (box.left, box.right))
        for centre, (low, high), n, is_periodic in zip(here, reaches, plane.shape, plane.periodic, strict=True):
            first, last = centre + low - MARGIN, centre + high + MARGIN
            if not is_periodic:
                first, last = max(first, 0), min(last, n - 1)
            elif last - first >= n:
                first = centre + low
                last = first + n - 1
            indices.append(np.arange(first, last + 1))
        rows, cols = (
            Axis(n=len(index), name=axis.name)
            for index, axis in zip(indices, (plane.rows, plane.cols), strict=True)
        )
        grid = Grid(rows=rows, cols=cols, quantity=plane.quantity, unit=plane.unit)
        return cls(indices[0], indices[1], grid, plane)

    def find(self, row: int, col: int) -> tuple[int, int] | None:
        """Return row and column within the region of a cell of the grid, or None."""
        rows, cols = (
            np.flatnonzero(index % n == k)
            for index, n, k in zip((self.rows, self.cols), self.plane.shape, (row, col), strict=True)
        )
        return (int(rows[0]), int(cols[0])) if len(rows) and len(cols) else None


def _search_offsets(settings: PeakSumSettings) -> list[Offset]:
    """Return the offsets of the search window, that of the seed included."""
    return [(0, 0), *((cell.row, cell.col) for cell in settings.search_cells())]


def _offset(here: tuple[int, int], other: tuple[int, int], grid: Grid) -> Offset:
    """Return the offset from one cell to another, the short way round on a periodic axis."""
    offset = [there - place for there, place in zip(other, here, strict=True)]
    for axis, (n, is_periodic) in enumerate(zip(grid.shape, grid.periodic, strict=True)):
        if is_periodic:
            offset[axis] = (offset[axis] + n // 2) % n - n // 2
    return offset[0], offset[1]


def _colour_title(settings: PeakSumSettings, grid: Grid) -> str:
    """Return the name of the compared quantity, in the unit of the numbers in the cells."""
    unit = wording.discriminant_unit(settings, grid)
    title = {"sigma": "energy / noise", "GeV": canvas.cell_title(grid)}.get(unit, unit)
    return title if len(settings.seed_cells()) == 1 else f"seed window: {title}"


def _set_ticks(axes: Axes, view: canvas.View, region: _Region) -> None:
    """Label rows and columns with their indices in the whole grid."""
    from matplotlib.ticker import FuncFormatter

    rows, cols = region.rows % region.plane.shape[0], region.cols % region.plane.shape[1]
    horizontal, vertical = (rows, cols) if view.rows_horizontal else (cols, rows)
    axes.xaxis.set_major_formatter(FuncFormatter(partial(_index_at, horizontal)))
    axes.yaxis.set_major_formatter(FuncFormatter(partial(_index_at, vertical)))


def _index_at(indices: Array, place: float, _: int | None) -> str:
    return str(indices[round(place)]) if 0 <= round(place) < len(indices) else ""


def _write_values(axes: Axes, view: canvas.View, values: Array, norm: Any, *, integer: bool) -> None:
    """Write the value of every cell that is not masked into it, if the text is large enough to be read."""
    texts = {
        place: f"{value:.0f}" if integer else f"{value:.3g}"
        for place, value in np.ndenumerate(values)
        if np.isfinite(value)
    }
    longest = max((len(text) for text in texts.values()), default=1)
    inches = np.array(view.size) / (values.shape if view.rows_horizontal else values.shape[::-1])
    size = min(11.0, 72 * inches[0] * 0.85 / (0.62 * longest), 72 * inches[1] * 0.6)
    if size < MIN_TEXT:
        return
    points = view.points(np.array(list(texts), np.float64).reshape(-1, 2) + 0.5)
    colours = canvas.colours()
    for (place, text), (x, y) in zip(texts.items(), points, strict=True):
        value = values[place]
        is_dark = norm is not None and value > 0 and sum(colours(norm(value))[:3]) < 1.5
        colour = "white" if is_dark else "0.55" if value == 0 else canvas.INK
        axes.text(x, y, text, ha="center", va="center", size=size, color=colour, zorder=4)


def _draw_marks(
    axes: Axes, view: canvas.View, region: _Region, explanation: Explanation, settings: PeakSumSettings
) -> bool:
    """Draw the search window and frame the cells that matter; return whether others than one are framed."""
    here = region.find(explanation.row, explanation.col) or (0, 0)
    _draw_outline(axes, view, canvas.window_outline(*here, _search_offsets(settings), region.grid))
    deciding = explanation.deciding
    others = [cell for cell in explanation.beaten_by if cell != deciding]
    if explanation.is_masked or len(others) > MAX_FRAMES:
        others = []
    for cell in others:
        _draw_frame(axes, view, region.find(cell.row, cell.col), canvas.ORANGE, THIN)
    decisive = (deciding.row, deciding.col) if deciding else explanation.removed_by
    if decisive is not None and not explanation.is_masked:
        _draw_frame(axes, view, region.find(*decisive), canvas.ORANGE, THICK)
    _draw_frame(axes, view, here, canvas.MARK, THICK)
    return bool(others)


def _draw_outline(axes: Axes, view: canvas.View, outline: Array) -> None:
    """Draw the outline of the search window."""
    from matplotlib.collections import LineCollection

    lines = list(view.points(outline))
    axes.add_collection(LineCollection(lines, colors="white", linewidths=3.0))
    axes.add_collection(LineCollection(lines, colors=canvas.MARK, linewidths=1.6, linestyles="--"))


def _draw_frame(axes: Axes, view: canvas.View, cell: tuple[int, int] | None, colour: str, width: float) -> None:
    """Draw a frame just inside a cell, if there is one."""
    from matplotlib.patches import Rectangle

    if cell is None:
        return
    corners = view.points(np.array([cell, np.add(cell, 1)], np.float64))
    (left, bottom), (right, top) = np.sort(corners, axis=0)
    inset = 0.05
    box = (left + inset, bottom + inset), right - left - 2 * inset, top - bottom - 2 * inset
    for edge, line_width in (("white", width + 1.6), (colour, width)):
        axes.add_patch(Rectangle(*box, facecolor="none", edgecolor=edge, lw=line_width, zorder=3.5))


def _legend_handles(explanation: Explanation, *, has_others: bool) -> list[Any]:
    """Return the entries of the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def frame(colour: str, width: float, label: str) -> Any:
        return Patch(facecolor="none", edgecolor=colour, lw=width, label=label)

    verdict = "seed" if explanation.is_seed else "masked" if explanation.is_masked else "no seed"
    handles: list[Any] = [
        frame(canvas.MARK, 2.4, verdict),
        Line2D([], [], color=canvas.MARK, ls="--", lw=1.6, label="search window"),
    ]
    if (explanation.deciding or explanation.removed_by) and not explanation.is_masked:
        handles.append(frame(canvas.ORANGE, 2.4, "decides" if explanation.deciding else "accepted before"))
    if has_others:
        handles.append(frame(canvas.ORANGE, 1.0, "also beats it"))
    return handles


def _write_verdict(figure: Figure, lines: Sequence[str]) -> None:
    """Write the explanation into the room below the picture."""
    width, height = figure.get_size_inches()
    for k, line in enumerate(lines):
        y = (canvas.LINE * (len(lines) - k) + 0.08) / height
        figure.text(0.2 / width, y, line, fontsize=10, va="top")


def _wrap(text: str, width: float) -> list[str]:
    """Return a text as lines that fit into a width in inches."""
    return textwrap.wrap(text, max(36, int((width - 0.4) / 0.07)))
