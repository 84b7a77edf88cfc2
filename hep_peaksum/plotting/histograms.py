"""Pictures of histograms: one or several in the same picture, with their ratio to the first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.analysis.selection import NOMINAL, VARIATION
from hep_peaksum.kernels import Array
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.canvas import COLOURS

if TYPE_CHECKING:
    import hist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_RATIO = 24  # characters beside the panel of ratios, which is low
HELD = 0.999  # of the entries: the bins that are drawn
DECADES = 1e3  # highest over lowest filled bin: from here the contents are drawn logarithmically


def draw_histogram(h: hist.Hist[Any], *, title: str | None = None) -> Figure:
    """Draw a histogram with one or two axes, labelled as they are; variations together, with their ratio.

    If the axis is wide, only the part that holds almost all entries is drawn.

    Raises
    ------
    ValueError
        If the histogram has more axes.
    """
    if h.ndim and h.axes[0].name == VARIATION:
        parts: dict[str, Any] = {str(name): h[{VARIATION: name}] for name in h.axes[0]}
        return draw_overlay(parts, title=title) if h.ndim == 2 else draw_histogram(parts[NOMINAL], title=title)
    if h.ndim > 2:
        msg = f"the histogram has {h.ndim} axes, expected 1 or 2: project it first, as in h.project(0)"
        raise ValueError(msg)
    with canvas.style():
        figure, (axes,), bar = canvas.panels(canvas.GRAPH_SIZE)
        if h.ndim == 1:
            bar.remove()
            _draw_filled(axes, h)
        else:
            _draw_two_axes(figure, axes, bar, h)
        axes.set_xlabel(h.axes[0].label)
        if not np.any(h.values()):
            canvas.write_empty(axes, "no entries")
        canvas.write_title(figure, title)
    return figure


def draw_overlay(parts: Mapping[str, hist.Hist[Any]], *, title: str | None = None) -> Figure:
    """Draw histograms of one axis in one picture, and below it their ratios to the first."""
    import mplhep

    first, *others = parts
    with canvas.style():
        figure, axes, below = canvas.stacked_panels()
        reference = parts[first]
        edges, contents = reference.axes[0].edges, reference.values()
        for number, name in enumerate(parts):
            dashes = canvas.DASHES[number // len(COLOURS) % len(canvas.DASHES)]
            kind: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "linestyle": dashes}
            kind |= {"linewidth": 1.4, "zorder": 3 if name == first else 2}  # others may hide the first
            mplhep.histplot(parts[name].values(), edges, ax=axes, label=name, **kind)
            if name != first:
                below.stairs(_ratio(parts[name].values(), contents), edges, baseline=None, **kind)
        highest = np.max([part.values() for part in parts.values()], axis=0)
        _finish_panels(figure, axes, below, reference, highest)
        below.set_ylabel(_ratio_title(first, others))
        canvas.write_title(figure, title)
    return figure


def nominal(h: Any) -> Any:
    """Return the part of a histogram that is not varied."""
    return h[{VARIATION: NOMINAL}] if VARIATION in h.axes.name else h


def weighted_variances(h: Any) -> Any:
    """Return the variances of the bins of a histogram; None where they are the contents, as of plain counts."""
    variances = h.variances()
    return None if variances is None or np.array_equal(variances, np.abs(h.values())) else variances


def draw_stack(
    parts: Mapping[str, hist.Hist[Any]], stacked: Collection[str], *, title: str | None = None
) -> Figure:
    """Draw some histograms of one axis on top of one another, the others as points over them, with their ratio.

    Those of `stacked` are filled, the first at the bottom. The lower panel shows the ratio of each of the
    others to their sum or, if there are no others, the fraction of the sum that each one is.
    """
    import mplhep

    below_others = {name: parts[name] for name in stacked if name in parts}
    points = {name: part for name, part in parts.items() if name not in below_others}
    with canvas.style():
        figure, axes, below = canvas.stacked_panels()
        reference = next(iter(parts.values()))
        edges, values = reference.axes[0].edges, [part.values() for part in below_others.values()]
        total = np.sum(values, axis=0)
        colours = [COLOURS[k % len(COLOURS)] for k in range(len(values))]
        kind: dict[str, Any] = {"histtype": "fill", "color": colours, "label": [*below_others]}
        mplhep.histplot(values, edges, ax=axes, stack=True, edgecolor="white", linewidth=0.3, **kind)
        for (name, part), marker in zip(points.items(), cycle(canvas.MARKERS), strict=False):
            _draw_points(axes, part, 1.0, {"fmt": marker, "label": name})
            _draw_points(below, part, total, {"fmt": marker})
        for contents, colour in zip(values, colours, strict=True) if not points else ():
            below.stairs(_ratio(contents, total), edges, baseline=None, color=colour, linewidth=1.4)
        highest = np.max([total, *(part.values() for part in points.values())], axis=0)
        _finish_panels(figure, axes, below, reference, highest)
        below.set_ylabel(_ratio_title("stack", [*points]) or "fraction of the stack")
        canvas.write_title(figure, title)
    return figure


def _ratio(values: Array, to: Array | float) -> Array:
    """Return values over others, NaN where these are not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(to) > 0, values / to, np.nan)


def _draw_points(axes: Axes, h: hist.Hist[Any], to: Array | float, style: dict[str, Any]) -> None:
    """Draw filled bins as points with their errors, relative to others."""
    variances = h.variances()
    variances = np.abs(h.values()) if variances is None else variances
    filled = variances > 0
    value, error = (_ratio(each, to)[filled] for each in (h.values(), np.sqrt(variances)))
    axes.errorbar(
        h.axes[0].centers[filled], value, yerr=error, color=canvas.INK, markersize=4, linewidth=1, **style
    )


def _finish_panels(figure: Figure, axes: Axes, below: Axes, reference: hist.Hist[Any], highest: Array) -> None:
    """Set scales, ranges, titles and legend of a panel and of that with the ratios below it."""
    below.axhline(1, color="0.6", linewidth=0.8)
    _set_ranges(axes, reference, highest)
    below.set_xscale(axes.get_xscale())
    _write_plain_numbers(below)
    below.set_xlim(axes.get_xlim())
    low, high = below.get_ylim()
    below.set_ylim(max(low, 0), min(high, 2))
    axes.set_ylabel(_entries_title(reference))
    below.set_xlabel(reference.axes[0].label)
    canvas.draw_legend(figure, axes)


def _ratio_title(first: str, others: Sequence[str]) -> str:
    """Return what is written beside the ratios: the two names, if there are two and they are short.

    >>> _ratio_title("nominal", ["up"])
    'up / nominal'
    """
    if not others:
        return ""
    title = f"{others[0]} / {first}"
    return title if len(others) == 1 and len(title) <= LONGEST_RATIO else "ratio"


def _draw_filled(axes: Axes, h: hist.Hist[Any]) -> None:
    """Draw a histogram of one axis as a filled line; of weighted events the errors of filled bins, too."""
    import mplhep
    from matplotlib.ticker import NullLocator

    # errors that are not asked for would be worked out by scipy.stats, which takes a second to import
    mplhep.histplot(h, ax=axes, histtype="fill", color=canvas.FILL, alpha=0.3, yerr=None, flow="none")
    mplhep.histplot(h.values(), h.axes[0].edges, ax=axes, color=canvas.FILL, yerr=_errors(h))
    _set_ranges(axes, h, h.values())
    axes.set_ylabel(_entries_title(h))
    if h.axes[0].traits.discrete:  # nothing lies between two categories or integers
        axes.xaxis.set_minor_locator(NullLocator())


def _errors(h: hist.Hist[Any]) -> Any:
    """Return the errors of weighted bins, none where a bin is empty; None where counts say enough."""
    variances = weighted_variances(h)
    return None if variances is None else np.where(variances > 0, np.sqrt(variances), np.nan)


def _set_ranges(axes: Axes, h: hist.Hist[Any], contents: Array) -> None:
    """Zoom to the bins that hold almost all entries, and choose the scales."""
    edges = h.axes[0].edges
    if _is_logarithmic(h.axes[0]):
        axes.set_xscale("log")
        _write_plain_numbers(axes)
    if h.axes[0].traits.continuous and np.any(contents):
        axes.set_xlim(*zoomed(edges, contents))
    filled = contents[contents > 0]
    if len(filled) and contents.min() >= 0 and filled.max() > DECADES * filled.min():
        axes.set_yscale("log")
        axes.set_ylim(*log_limits(contents))
    elif contents.min(initial=0) >= 0:
        axes.set_ylim(0, None if np.any(contents) else 1)


def log_limits(contents: Array) -> tuple[float, float]:
    """Return the ends of a logarithmic axis of contents, of which some are above 0."""
    return float(contents[contents > 0].min()) / 2, float(contents.max()) * 3


def _write_plain_numbers(axes: Axes) -> None:
    """Write 20, not 2 x 10^1, along a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter

    if axes.get_xscale() == "log":
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(FuncFormatter(_leading_digit))


def _leading_digit(value: float, _: int | None) -> str:
    """Return a number that begins with 2 or 5; between these labels would overlap."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def contents_title(h: hist.Hist[Any]) -> str:
    """Return what the bins hold: what the histogram says itself, otherwise entries or the sum of weights."""
    return h.label or counted(h)


def counted(h: hist.Hist[Any]) -> str:
    """Return whether bins hold entries, or the sum of weights."""
    return "entries" if weighted_variances(h) is None else "sum of weights"


def _entries_title(h: hist.Hist[Any]) -> str:
    """Return the title of the vertical axis, with the width of the bins where they have one."""
    word, axis = contents_title(h), h.axes[0]
    if not axis.traits.continuous or not np.allclose(widths := np.diff(axis.edges), widths[0]):
        return word
    unit = axis.label.rpartition("[")[2].rstrip("]") if axis.label.endswith("]") else ""
    width = f"{widths[0]:.3g} {unit}".strip()
    return word if width == "1" else f"{word} / {width}"


def _draw_two_axes(figure: Figure, axes: Axes, bar: Axes, h: hist.Hist[Any]) -> None:
    """Draw a histogram of two axes in colours."""
    from matplotlib.ticker import NullLocator

    # not hist2dplot: it hands the figure to pyplot, which keeps it for ever
    norm = canvas.norm(h.values(), logarithmic=False)
    canvas.draw_mesh(axes, h.axes[0].edges, h.axes[1].edges, h.values().T, norm, line=0)
    canvas.draw_bar(figure, bar, norm, contents_title(h))
    axes.set_ylabel(h.axes[1].label)
    for side, axis in zip((axes.xaxis, axes.yaxis), h.axes, strict=False):
        if axis.traits.discrete:
            side.set_minor_locator(NullLocator())


def zoomed(edges: Array, contents: Array) -> tuple[float, float]:
    """Return the range of the bins that hold almost all entries: the part of a wide axis worth drawing.

    >>> zoomed(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([0.0, 5.0, 5.0, 0.0]))
    (1.0, 3.0)
    """
    total = np.abs(contents).sum()
    if not total:
        return float(edges[0]), float(edges[-1])
    cumulative = np.cumsum(np.abs(contents)) / total
    tail = (1 - HELD) / 2
    first = int(np.searchsorted(cumulative, tail, side="right"))
    last = int(np.searchsorted(cumulative, 1 - tail, side="left"))
    bins = [*pairwise(edges.tolist())]
    return bins[first][0], bins[min(last, len(bins) - 1)][1]


def _is_logarithmic(axis: Any) -> bool:
    """Return whether the bins of an axis grow by one factor, over more than a decade."""
    edges = np.asarray(axis.edges if axis.traits.continuous else ())
    if len(edges) < 3 or edges[0] <= 0 or edges[-1] < 10 * edges[0]:
        return False
    return bool(np.allclose(edges[1:] / edges[:-1], edges[1] / edges[0]))
