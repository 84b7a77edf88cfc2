"""Pictures of the rules of an algorithm: its windows cell by cell, and the other settings in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hep_peaksum.diagnostics import wording
from hep_peaksum.kernels import Offset
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.windows import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL_COLOURS = {">": "#fbc97f", "=": "#b9cdf0", "x": "#b9cdf0", "g": "#e3ebf9", "s": "#d9c3f7", "o": "white"}

# In inches.
CELL, MAX_WINDOW = 0.34, 4.6  # side of a cell, unless a window becomes larger than this
MIN_WIDTH, MAX_WIDTH, MARGIN = 8.2, 13.0, 0.3  # of the picture
LINE, HEADWORD, CHARACTER = 0.19, 1.8, 0.067  # of the text: height of a line, indent, width of a character
LEFT, RIGHT, TOP, BOTTOM = 0.35, 0.4, 0.4, 0.55  # room around each window


def draw_windows(
    settings: PeakSumSettings, *, title: str | None = None, notes: Sequence[tuple[str, str]] = ()
) -> Figure:
    """Draw the windows of an algorithm with their comparisons, and the other settings in words.

    Parameters
    ----------
    settings
        The algorithm. Drawn are the search window with its comparisons, the seed window if it is more than one
        cell, the sum window and the cells of every pile-up estimate.
    title
        Written above the picture.
    notes
        Pairs of a headword and its text, written below the settings in words.
    """
    windows = wording.drawn_windows(settings)
    boxes = {name: Box.around(list(marks)) for name, marks in windows.items()}
    cell = min(CELL, MAX_WINDOW / max(max(box.shape) for box in boxes.values()))
    places, (width, windows_height) = _lay_out(boxes, cell)
    lines = _wrap([*wording.legend(settings), *wording.settings_in_words(settings), *notes], width)
    text_height = LINE * len(lines) + 0.3
    height = text_height + windows_height + 0.55
    with canvas.style():
        figure = canvas.new_figure(width, height)
        for name, (left, top) in places.items():
            rows, cols = (n * cell for n in boxes[name].shape)
            place = left / width, (text_height + windows_height - top - rows) / height
            axes = figure.add_axes((*place, cols / width, rows / height))
            _draw_window(axes, boxes[name], windows[name], cell)
            axes.set_title(name, loc="left", fontsize=11)
        for k, (word, text) in enumerate(lines):
            y = (text_height - 0.1 - LINE * k) / height
            figure.text(MARGIN / width, y, word, fontsize=9, va="top", weight="bold")
            figure.text((MARGIN + HEADWORD) / width, y, text, fontsize=9, va="top")
        if title:
            figure.text(MARGIN / width, 1 - 0.12 / height, title, va="top")
    return figure


def _lay_out(
    boxes: Mapping[str, Box], cell: float
) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
    """Return left and top of every window, and width and height of all, in inches.

    Windows are placed side by side, their seeds at one height, and continue on another line where it is full.
    """
    lines: list[list[str]] = [[]]
    lefts: dict[str, float] = {}
    x, width = MARGIN, MIN_WIDTH
    for name, box in boxes.items():
        needed = LEFT + max(box.shape[1] * cell, 0.085 * len(name)) + RIGHT
        if lines[-1] and x + needed > MAX_WIDTH:
            lines.append([])
            x = MARGIN
        lines[-1].append(name)
        lefts[name] = x + LEFT
        x += needed
        width = max(width, x + MARGIN)
    places: dict[str, tuple[float, float]] = {}
    y = 0.0
    for line in lines:
        above = max(-boxes[name].top for name in line) * cell
        for name in line:
            places[name] = lefts[name], y + TOP + above + boxes[name].top * cell
        y += TOP + above + max(boxes[name].bottom + 1 for name in line) * cell + BOTTOM
    return places, (width, y)


def _wrap(texts: Sequence[tuple[str, str]], width: float) -> list[tuple[str, str]]:
    """Return lines of text that fit into a picture, with the headword on the first line of each text."""
    n_characters = int((width - 2 * MARGIN - HEADWORD) / CHARACTER)
    lines = []
    for word, text in texts:
        wrapped = textwrap.wrap(text, n_characters) if text else []
        lines += [(word * (k == 0), line) for k, line in enumerate(wrapped)]
    return lines


def _draw_window(axes: Axes, box: Box, marks: Mapping[Offset, str], cell: float) -> None:
    """Draw a window cell by cell, in offsets from the seed, rows downwards as in a drawn window."""
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FixedLocator, NullLocator

    for (d, p), mark in marks.items():
        colour, hatch = CELL_COLOURS[mark], "////" if mark == "g" else None
        axes.add_patch(
            Rectangle((p - 0.5, d - 0.5), 1, 1, facecolor=colour, edgecolor="white", hatch=hatch, lw=1)
        )
        if mark != "s" or cell > 0.2:
            _write_mark(axes, (p, d), mark, min(11.0, 40 * cell))
    axes.add_patch(Rectangle((-0.5, -0.5), 1, 1, facecolor="none", edgecolor=canvas.MARK, lw=1.6, zorder=3))
    axes.set_xlim(box.left - 0.5, box.right + 0.5)
    axes.set_ylim(box.bottom + 0.5, box.top - 0.5)
    for side, first, last in ((axes.xaxis, box.left, box.right), (axes.yaxis, box.top, box.bottom)):
        step = (last - first) // 5 + 1
        side.set_major_locator(FixedLocator([k for k in range(first, last + 1) if k % step == 0]))
        side.set_minor_locator(NullLocator())
    axes.tick_params(which="both", length=0, labelsize=8, pad=2)
    rows, cols = box.shape
    if cols > 2:  # narrower windows have no room for the title
        axes.set_xlabel("column offset", fontsize=9, labelpad=2)
    if rows > 2:
        axes.set_ylabel("row offset", fontsize=9, labelpad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_mark(axes: Axes, place: tuple[int, int], mark: str, size: float) -> None:
    """Write the mark of a cell at (x, y), on a background where the cell is hatched."""
    background = {"facecolor": CELL_COLOURS[mark], "linewidth": 0, "boxstyle": "round,pad=0.05"}
    style: dict[str, Any] = {
        "ha": "center",
        "va": "center_baseline",
        "size": size,
        "color": {"o": canvas.MARK, "s": canvas.PURPLE}.get(mark, canvas.INK),
        "weight": "bold" if mark == "o" else "normal",
        "bbox": background if mark == "g" else None,
    }
    axes.text(*place, mark, **style)
