"""Figures of a page: vector graphics in the page itself, each with words and numbers that say the same.

Text, axes and contents of one dimension are vectors; the cells of a plane are one embedded image, because a
path for each of them would be some hundred times larger.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.histograms import log_limits, nominal, weighted_variances
from hep_peaksum.plotting.job_plots import Picture
from hep_peaksum.report.accounts import MAX_ROWS, Table, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

DOTS_PER_INCH = 130  # of the embedded images
BYTES_OF_ROW = 120  # of a table in the page, roughly
# Text stays text; without a salt the names inside of a picture differ from run to run.
SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "hep_peaksum"}
ALONE = re.compile(rb"font-family: 'TeX Gyre Heros'(?!,)")  # without the fonts that stand in for it
INSTEAD = b"font-family: 'TeX Gyre Heros', 'Helvetica', 'Arial', sans-serif"


class Figure(NamedTuple):
    """A figure of the page: a picture for each scale of its vertical axis, words, and its numbers."""

    name: str
    caption: str
    alt: str
    images: Mapping[str, str]
    tables: Sequence[Table]

    @property
    def size(self) -> int:
        """Roughly how many bytes of the page it takes."""
        rows = sum(len(table.rows) for table in self.tables)
        return sum(map(len, self.images.values())) + BYTES_OF_ROW * rows


def vector_graphics(drawing: Drawing) -> str:
    """Return a figure as the address of an SVG image that holds it all."""
    import matplotlib as mpl
    from matplotlib.collections import QuadMesh

    for mesh in (each for axes in drawing.axes for each in axes.collections if isinstance(each, QuadMesh)):
        mesh.set_rasterized(True)
    content = BytesIO()
    with canvas.style(), mpl.rc_context(SVG):
        drawing.savefig(content, format="svg", dpi=DOTS_PER_INCH, metadata={"Date": None})
    svg = ALONE.sub(INSTEAD, content.getvalue())
    return f"data:image/svg+xml;base64,{b64encode(svg[svg.index(b'<svg') :]).decode()}"


def of_picture(picture: Picture) -> Figure:
    """Return a picture of a job as a figure of the page."""
    drawing = picture.draw()
    if picture.tables:
        images = {"": vector_graphics(drawing)}
        return Figure(picture.name, picture.name, _measured(picture), images, [*_measurements(picture)])
    plain = {label: nominal(h) for label, h in picture.histograms.items()}
    if picture.n_axes == 1:
        images = _both_scales(drawing, plain.values())
        return Figure(picture.name, picture.name, _one_axis_in_words(plain), images, [_bins(plain)])
    (label, h), *_ = plain.items()
    images = {"": vector_graphics(drawing)}
    return Figure(picture.name, picture.name, _two_axes_in_words(label, h), images, [_cells(h)])


def _both_scales(drawing: Drawing, histograms: Iterable[Any]) -> dict[str, str]:
    """Return the picture as it was drawn and, where every bin can be, with the other scale of its contents."""
    axes = drawing.axes[0]
    contents = np.concatenate([h.values() for h in histograms])
    drawn = axes.get_yscale()
    images = {drawn: vector_graphics(drawing)}
    if contents.max(initial=0) > 0 and contents.min() >= 0:
        other = "linear" if drawn == "log" else "log"
        limits = (0, contents.max() * 1.1) if other == "linear" else log_limits(contents)
        with canvas.style():
            axes.set_yscale(other)
            axes.set_ylim(*limits)
        images[other] = vector_graphics(drawing)
    return images


def plain_words(label: object) -> str:
    r"""Return a label without the markup of a formula.

    >>> plain_words(r"$p_T$ [GeV]"), plain_words(r"$\eta$")
    ('p_T [GeV]', 'eta')
    """
    return re.sub(r"[$\\{}]", "", str(label or ""))


def _one_axis_in_words(histograms: Mapping[str, Any]) -> str:
    parts = []
    for label, h in histograms.items():
        total, names = float(h.values(flow=True).sum()), [*_bin_names(h.axes[0])]
        highest = int(np.argmax(h.values()))
        most = f", most in {' to '.join(names[highest])}: {text(float(h.values()[highest]))}" if total else ""
        parts.append(f"{label} has {text(total)} entries{most}")
    axis = plain_words(next(iter(histograms.values())).axes[0].label)
    return f"Histogram of {axis}. {'; '.join(parts)}."


def _two_axes_in_words(label: str, h: Any) -> str:
    one, other = (plain_words(axis.label) for axis in h.axes)
    total = text(float(h.values(flow=True).sum()))
    return f"Histogram of {one} and {other} of {label}, in colours: {total} entries."


def _measured(picture: Picture) -> str:
    datasets = ", ".join(dict.fromkeys(str(table["dataset"]) for table in picture.tables))
    points = max((len(next(iter(table["columns"].values()), ())) for table in picture.tables), default=0)
    return f"Measurement {picture.name} of {datasets}: up to {points} points in {len(picture.tables)} lines."


def _bin_names(axis: Any) -> Iterator[tuple[str, ...]]:
    """Yield how the bins of an axis are called: by their edges, or by what they stand for."""
    if axis.traits.continuous:
        yield from ((text(low), text(high)) for low, high in pairwise(axis.edges.tolist()))
    else:
        yield from ((str(each),) for each in axis)


def _bins(histograms: Mapping[str, Any]) -> Table:
    """Return the contents of all bins that hold something in any of some histograms of one axis."""
    first = next(iter(histograms.values()))
    places = ("from", "to") if first.axes[0].traits.continuous else ("value",)
    columns, values = [*places], []
    for label, h in histograms.items():
        columns.append(f"{label}: entries")
        values.append(h.values())
        if (variances := weighted_variances(h)) is not None:
            columns.append(f"{label}: error")
            values.append(np.sqrt(variances))
    rows = [
        (*name, *numbers)
        for name, *numbers in zip(_bin_names(first.axes[0]), *(each.tolist() for each in values), strict=True)
        if any(numbers)
    ]
    return Table.of("Bins that are not empty" + _outside(histograms), columns, rows)


def _outside(histograms: Mapping[str, Any]) -> str:
    """Return what lies beyond the axis, in words."""
    parts = []
    for label, h in histograms.items():
        n_beyond = float(h.values(flow=True).sum() - h.values().sum())
        if n_beyond:
            parts.append(f"{text(n_beyond)} of {label}")
    return f"; beyond the axis: {', '.join(parts)}" if parts else ""


def _cells(h: Any) -> Table:
    """Return the fullest bins of a histogram of two axes."""
    names = [[*_bin_names(axis)] for axis in h.axes]
    columns = [
        f"{plain_words(axis.label)}{end}"
        for axis in h.axes
        for end in ((" from", " to") if axis.traits.continuous else ("",))
    ]
    contents = h.values()
    order = np.argsort(-contents, axis=None, kind="stable")[: np.count_nonzero(contents)]
    rows = (
        (*names[0][x], *names[1][y], float(contents[x, y]))
        for x, y in zip(*np.unravel_index(order, contents.shape), strict=True)
    )
    return Table.of("Bins that are not empty, the fullest first", [*columns, "entries"], rows)


def _measurements(picture: Picture) -> Iterator[Table]:
    """Yield the tables of a measurement."""
    for table in picture.tables[:MAX_ROWS]:
        words = [table["dataset"], *(f"{key} {text(value)}" for key, value in table["numbers"].items())]
        words += [table["variation"]] if table["variation"] != NOMINAL else []
        rows = zip(*table["columns"].values(), strict=True)
        yield Table.of(", ".join(words), [*table["columns"]], rows)
