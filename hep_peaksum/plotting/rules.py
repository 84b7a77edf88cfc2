"""Pictures of an algorithm: its windows, and why it takes a cell for a seed or not.

Apart from `plots`, whose pictures are of events and results; drawn by the same `canvas`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.discriminant import exists
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.diagnostics import wording
from hep_peaksum.diagnostics.explain import Explanation
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.windows import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = {">": "#fbc97f", "=": "#b9cdf0", "x": "#b9cdf0", "g": "#e3ebf9", "s": "#d9c3f7", "o": "white"}

# In inches: a cell of a drawn window, the largest window, the widest picture of windows, its margin, a line.
CELL, WIDEST_WINDOW, WIDEST_PICTURE, SIDE, LINE = 0.34, 4.6, 13.0, 0.3, 0.19
MARGIN = 2  # cells around the search window in the picture of a cell
THICK, THIN = 3.2, 1.4  # points: frames of the cells that decide, and of others
MANY_OTHERS = 40  # frames: more hide what they frame
SMALLEST_TEXT = 4.5  # points: smaller numbers are left out


def draw_windows(
    settings: PeakSumSettings, *, title: str | None = None, notes: Sequence[tuple[str, str]] = ()
) -> Figure:
    """Return a picture of the windows of an algorithm: what is compared how, what is added; the rest in words.

    Parameters
    ----------
    settings
        Of which the search window with its comparisons, the seed window if it is more than a cell, the sum
        window and the cells of every pile-up estimate are drawn.
    title
        Written above.
    notes
        Pairs of a word and what it says, written below the settings in words.
    """
    from matplotlib.figure import Figure as Figure_  # noqa: PLC0415

    drawn = wording.drawn_windows(settings)
    boxes = {word: Box.around(list(marks)) for word, marks in drawn.items()}
    cell = min(CELL, WIDEST_WINDOW / max(max(_size(box)) for box in boxes.values()))
    places, (width, high) = _flow(boxes, cell)
    said = _wrapped([*wording.legend(settings), *wording.settings_in_words(settings), *notes], width)
    below = LINE * len(said) + 0.3
    height = below + high + 0.55
    with canvas.style():
        figure = Figure_(figsize=(width, height))
        for word, (left, top) in places.items():
            rows, cols = (n * cell for n in _size(boxes[word]))
            place = left / width, (below + high - top - rows) / height
            axes = figure.add_axes((*place, cols / width, rows / height))
            _draw_window(axes, boxes[word], drawn[word], cell)
            axes.set_title(word, loc="left", fontsize=11)
        for k, (word, text) in enumerate(said):
            y = (below - 0.1 - LINE * k) / height
            figure.text(SIDE / width, y, word, fontsize=9, va="top", weight="bold")
            figure.text((SIDE + 1.8) / width, y, text, fontsize=9, va="top")
        if title:
            figure.text(SIDE / width, 1 - 0.12 / height, title, va="top")
    return figure


def _size(box: Box) -> tuple[int, int]:
    return box.bottom - box.top + 1, box.right - box.left + 1


def _flow(boxes: Mapping[str, Box], cell: float) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
    """Return left and top of every window, the seeds of a line at one height, and the whole size, in inches."""
    around = {"left": 0.35, "right": 0.4, "top": 0.4, "bottom": 0.55}
    lines: list[list[str]] = [[]]
    left, places, widest = SIDE, dict[str, tuple[float, float]](), 8.2
    for word, box in boxes.items():
        wide = around["left"] + max(_size(box)[1] * cell, 0.085 * len(word)) + around["right"]
        if lines[-1] and left + wide > WIDEST_PICTURE:
            lines.append([])
            left = SIDE
        lines[-1].append(word)
        places[word] = left + around["left"], 0.0
        left += wide
        widest = max(widest, left + SIDE)
    top = 0.0
    for line in lines:
        above = max(-boxes[word].top for word in line) * cell
        for word in line:
            places[word] = places[word][0], top + around["top"] + above + boxes[word].top * cell
        top += around["top"] + above + max(boxes[word].bottom + 1 for word in line) * cell + around["bottom"]
    return places, (widest, top)


def _wrapped(said: Sequence[tuple[str, str]], width: float) -> list[tuple[str, str]]:
    """Return lines that fit into a picture, the word before the first line of each only."""
    lines = []
    for word, text in said:
        wrapped = textwrap.wrap(text, int((width - 2 * SIDE - 1.8) / 0.067)) if text else []
        lines += [(word * (k == 0), line) for k, line in enumerate(wrapped)]
    return lines


def _draw_window(axes: Axes, box: Box, marks: Mapping[Offset, str], cell: float) -> None:
    """Draw a window cell by cell, in offsets from the seed, rows downwards as it is written."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415
    from matplotlib.ticker import FixedLocator, NullLocator  # noqa: PLC0415

    for (d, p), mark in marks.items():
        hatch = "////" if mark == "g" else None
        axes.add_patch(
            Rectangle((p - 0.5, d - 0.5), 1, 1, facecolor=PALE[mark], edgecolor="white", hatch=hatch, lw=1)
        )
        if mark != "s" or cell > 0.2:
            colour = {"o": canvas.MARK, "s": canvas.PURPLE}.get(mark, canvas.INK)
            weight = "bold" if mark == "o" else "normal"
            size = min(11.0, 40 * cell)
            ground = {"facecolor": PALE[mark], "linewidth": 0, "boxstyle": "round,pad=0.05"} if hatch else None
            axes.text(
                p,
                d,
                mark,
                ha="center",
                va="center_baseline",
                size=size,
                color=colour,
                weight=weight,
                bbox=ground,
            )
    axes.add_patch(Rectangle((-0.5, -0.5), 1, 1, facecolor="none", edgecolor=canvas.MARK, lw=1.6, zorder=3))
    axes.set_xlim(box.left - 0.5, box.right + 0.5)
    axes.set_ylim(box.bottom + 0.5, box.top - 0.5)
    for side, first, last in ((axes.xaxis, box.left, box.right), (axes.yaxis, box.top, box.bottom)):
        step = (last - first) // 5 + 1
        side.set_major_locator(FixedLocator([k for k in range(first, last + 1) if k % step == 0]))
        side.set_minor_locator(NullLocator())
    axes.tick_params(which="both", length=0, labelsize=8, pad=2)
    rows, cols = _size(box)
    if cols > 2:  # else there is no room
        axes.set_xlabel("column offset", fontsize=9, labelpad=2)
    if rows > 2:
        axes.set_ylabel("row offset", fontsize=9, labelpad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


class _Zoom(NamedTuple):
    """A part of a plane about a cell: numbers of its rows and columns, counted on across a seam."""

    rows: Array
    cols: Array
    plane: Grid

    @classmethod
    def about(cls, row: int, col: int, offsets: Sequence[Offset], grid: Grid) -> _Zoom:
        """Return the cells at the offsets from a cell and some around them, as far as there are any."""
        box, numbers = Box.around(offsets), []
        reaches = ((box.top, box.bottom), (box.left, box.right))
        for place, (low, high), n, closed in zip((row, col), reaches, grid.shape, grid.periodic, strict=True):
            first, last = place + low - MARGIN, place + high + MARGIN
            if not closed:
                first, last = max(first, 0), min(last, n - 1)
            elif last - first >= n:
                first = place + low
                last = first + n - 1
            numbers.append(np.arange(first, last + 1))
        rows, cols = numbers
        axes = [
            Axis(n=len(each), name=axis.name)
            for each, axis in zip(numbers, (grid.rows, grid.cols), strict=True)
        ]
        return cls(rows, cols, Grid(rows=axes[0], cols=axes[1], quantity=grid.quantity, unit=grid.unit))

    def find(self, row: int, col: int, grid: Grid) -> tuple[int, int] | None:
        """Return where a cell of the grid lies in the part, or None."""
        found = [
            np.flatnonzero(n % size == k) for n, size, k in zip(self[:2], grid.shape, (row, col), strict=True)
        ]
        return (int(found[0][0]), int(found[1][0])) if all(len(each) for each in found) else None


def draw_explanation(
    cells: npt.ArrayLike,
    why: Explanation,
    settings: PeakSumSettings,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """Return a picture of why a cell is a seed or not: what is compared around it, and the cell that decides.

    Parameters
    ----------
    cells, settings, grid, mask, noise
        As they were given to `hep_peaksum.explain`.
    why
        What it said.
    title
        Written above; what decided is written below it.
    """
    context = find_peaks(np.asarray(cells)[None], settings, grid, mask=mask, noise=noise)
    plane, values = context.grid, context.discriminant[0]
    quantity = np.where(exists(values), values.astype(np.float64), np.nan)
    search = [(0, 0), *((cell.row, cell.col) for cell in settings.search_cells())]
    remover = [] if why.removed_by is None else [_apart(why, why.removed_by, plane)]
    zoom = _Zoom.about(why.row, why.col, [*search, *remover], plane)
    part = quantity[np.ix_(zoom.rows % plane.shape[0], zoom.cols % plane.shape[1])]
    view = canvas.View.of(zoom.plane)
    here = zoom.find(why.row, why.col, plane) or (0, 0)
    with canvas.style():
        figure, (axes,), bar = canvas.panels(view.size)
        norm = canvas.norm(part)
        canvas.draw_cells(axes, view, part, norm)
        canvas.draw_bar(figure, bar, norm, _compared_title(settings, plane))
        _write_numbers(axes, view, zoom, plane)
        _write_values(axes, view, part, norm, integer=values.dtype.kind != "f")
        outline = canvas.window_outline(*here, search, zoom.plane)
        _draw_outline(axes, view, outline, canvas.MARK, 1.6, "--")
        others = [] if why.is_masked else [n for n in why.beaten_by if n != why.deciding]
        others = others if len(others) <= MANY_OTHERS else []
        for n in others:
            _draw_cell(axes, view, zoom.find(n.row, n.col, plane), canvas.ORANGE, THIN)
        decisive = (why.deciding.row, why.deciding.col) if why.deciding else why.removed_by
        if decisive is not None and not why.is_masked:
            _draw_cell(axes, view, zoom.find(*decisive, plane), canvas.ORANGE, THICK)
        _draw_cell(axes, view, here, canvas.MARK, THICK)
        handles = _explanation_handles(why, has_others=bool(others), strange=bool((~(part >= 0)).any()))
        ncols = len(handles) if view.size[0] > 1.25 * len(handles) else 2
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols)
        rows_of_legend = -(-len(handles) // ncols)
        _make_room(
            figure, 0.2 * (rows_of_legend - 1), 0.2 * len(_verdict(why, figure.get_size_inches()[0])) + 0.1
        )
        canvas.write_title(figure, title)
        _write_verdict(figure, why)
    return figure


def _apart(why: Explanation, other: tuple[int, int], grid: Grid) -> Offset:
    """Return the offset of a cell from the one that is explained, the short way across a seam."""
    offset = [k - place for k, place in zip(other, (why.row, why.col), strict=True)]
    for axis, (n, closed) in enumerate(zip(grid.shape, grid.periodic, strict=True)):
        if closed:
            offset[axis] = (offset[axis] + n // 2) % n - n // 2
    return offset[0], offset[1]


def _compared_title(settings: PeakSumSettings, grid: Grid) -> str:
    """Return what is compared, in the units in which the numbers are written."""
    unit = wording.discriminant_unit(settings, grid)
    title = {"sigma": "energy / noise", "GeV": canvas.cell_title(grid)}.get(unit, unit)
    return title if len(settings.seed_cells()) == 1 else f"seed window: {title}"


def _write_numbers(axes: Axes, view: canvas.View, zoom: _Zoom, plane: Grid) -> None:
    """Write rows and columns as the grid numbers them."""
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    numbers = [zoom.rows % plane.shape[0], zoom.cols % plane.shape[1]]
    for side, each in zip(
        (axes.xaxis, axes.yaxis), numbers if view.rows_across else numbers[::-1], strict=True
    ):
        side.set_major_formatter(FuncFormatter(partial(_number_at, each)))


def _number_at(numbers: Array, place: float, _: int | None) -> str:
    return str(numbers[round(place)]) if 0 <= round(place) < len(numbers) else ""


def _write_values(axes: Axes, view: canvas.View, part: Array, norm: Any, *, integer: bool) -> None:
    """Write into every cell what it holds, where that can be read; nothing into cells that are not there."""
    words = {
        place: f"{value:.0f}" if integer else f"{value:.3g}"
        for place, value in np.ndenumerate(part)
        if np.isfinite(value)
    }
    longest = max((len(word) for word in words.values()), default=1)
    inches = np.array(view.size) / (part.shape if view.rows_across else part.shape[::-1])
    size = min(11.0, 72 * inches[0] * 0.85 / (0.62 * longest), 72 * inches[1] * 0.6)
    if size < SMALLEST_TEXT:
        return
    points = view.place(np.array(list(words), np.float64).reshape(-1, 2) + 0.5)
    colours = canvas.colours()
    for (place, word), (x, y) in zip(words.items(), points, strict=True):
        value = part[place]
        dark = norm is not None and value > 0 and sum(colours(norm(value))[:3]) < 1.5
        colour = "white" if dark else "0.55" if value == 0 else canvas.INK
        axes.text(x, y, word, ha="center", va="center", size=size, color=colour, zorder=4)


def _draw_outline(axes: Axes, view: canvas.View, outline: Array, colour: str, width: float, style: str) -> None:
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    lines = list(view.place(outline))
    axes.add_collection(LineCollection(lines, colors="white", linewidths=width + 1.4))
    axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, linestyles=style))


def _draw_cell(axes: Axes, view: canvas.View, cell: tuple[int, int] | None, colour: str, width: float) -> None:
    """Draw a frame just inside a cell."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    if cell is None:
        return
    (left, bottom), (right, top) = np.sort(view.place(np.array([cell, np.add(cell, 1)], np.float64)), axis=0)
    inset = 0.05
    box = (left + inset, bottom + inset), right - left - 2 * inset, top - bottom - 2 * inset
    for edge, wide in (("white", width + 1.6), (colour, width)):
        axes.add_patch(Rectangle(*box, facecolor="none", edgecolor=edge, lw=wide, zorder=3.5))


def _explanation_handles(why: Explanation, *, has_others: bool, strange: bool) -> list[Any]:
    """Return what stands in the legend."""
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    def frame(colour: str, width: float, label: str) -> Any:
        return Patch(facecolor="none", edgecolor=colour, lw=width, label=label)

    handles: list[Any] = [
        frame(canvas.MARK, 2.4, "seed" if why.is_seed else "masked" if why.is_masked else "no seed"),
        Line2D([], [], color=canvas.MARK, ls="--", lw=1.6, label="search window"),
    ]
    if (why.deciding or why.removed_by) and not why.is_masked:
        handles.append(frame(canvas.ORANGE, 2.4, "decides" if why.deciding else "taken before"))
    if has_others:
        handles.append(frame(canvas.ORANGE, 1.0, "beats it, too"))
    if strange:
        handles.append(Patch(color=canvas.STRANGE, label="negative or masked"))
    return handles


def _make_room(figure: Figure, above: float, below: float) -> None:
    """Make a figure higher by so many inches, everything in it as large as it was."""
    wide, whole = figure.get_size_inches()
    higher = whole + above + below
    for axes in figure.axes:
        x, y, w, h = axes.get_position().bounds
        axes.set_position((x, (y * whole + below) / higher, w, h * whole / higher))
    figure.set_size_inches(wide, higher)


def _write_verdict(figure: Figure, why: Explanation) -> None:
    """Write what decided below the picture, where room was made for it."""
    wide, whole = figure.get_size_inches()
    for k, line in enumerate(_verdict(why, wide)):
        figure.text(
            0.2 / wide, (0.2 * len(_verdict(why, wide)) + 0.08 - 0.2 * k) / whole, line, fontsize=10, va="top"
        )


def _verdict(why: Explanation, wide: float) -> list[str]:
    return textwrap.wrap(str(why), max(36, int((wide - 0.4) / 0.07)))
