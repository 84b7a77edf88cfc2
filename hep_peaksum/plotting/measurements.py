"""Pictures of measurements: efficiencies with bands, rates, responses, resolutions and scalings.

They are drawn from the tables of a job (see `hep_peaksum.measuring.results.Table`), as plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.evaluation.fits import crystal_ball_contents, gaussian_contents, resolution_at
from hep_peaksum.kernels import Array
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.canvas import COLOURS
from hep_peaksum.plotting.histograms import counted

if TYPE_CHECKING:
    import hist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND, TEXT = 0.25, 10
KILOHERTZ = 1e3
Table = Mapping[str, Any]


def draw_measurement(
    tables: Sequence[Table], kind: str, *, title: str | None = None, axis: str = "", passing: str = ""
) -> Figure:
    """Draw the tables of one measurement in one picture: thresholds, datasets or variations side by side.

    Parameters
    ----------
    tables
        Of one measurement.
    kind
        efficiency, purity, response, resolution, rate, scaling, or offline_rate.
    title
        Written at the top.
    axis
        Title of the horizontal axis.
    passing
        Title of the field to which the thresholds apply.
    """
    draw = {
        "efficiency": _efficiency,
        "purity": _efficiency,
        "response": _response,
        "resolution": _resolution,
        "rate": _rate,
        "offline_rate": _rate,
        "scaling": _scaling,
    }[kind]
    with canvas.style():
        figure, (axes,), bar = canvas.panels(canvas.GRAPH_SIZE)
        bar.remove()
        labels = _labels(tables)
        for number, (table, label) in enumerate(zip(tables, labels, strict=True)):
            marker = canvas.MARKERS[(number + number // len(COLOURS)) % len(canvas.MARKERS)]
            style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "marker": marker}
            style["zorder"] = 3 if table["variation"] == NOMINAL else 2  # variations may be equal to it
            draw(axes, table, label, style)
        axes.set_xlabel(axis)
        _finish(axes, kind)
        if any(labels):
            canvas.draw_legend(figure, axes, title=passing or None)
        if len(tables) > canvas.MOST_INSIDE:
            _remove_bands(axes)
        canvas.write_title(figure, title)
    return figure


def draw_ratios(h: hist.Hist[Any], fit: Mapping[str, Any] | None, *, title: str | None = None) -> Figure:
    """Draw the distribution of a ratio, a histogram of one axis, and the function that was fitted to it."""
    with canvas.style():
        figure, (axes,), bar = canvas.panels(canvas.GRAPH_SIZE)
        bar.remove()
        edges, contents, variances = h.axes[0].edges, h.values(), h.variances()
        is_filled = (contents if variances is None else variances) != 0  # an empty bin has no point
        errors = np.sqrt(np.abs(contents if variances is None else variances))[is_filled]
        centres = h.axes[0].centers[is_filled]
        axes.errorbar(centres, contents[is_filled], yerr=errors, fmt="o", color="black", markersize=4)
        if fit is not None and fit["is_valid"]:
            _draw_fit(axes, edges, fit)
        axes.set_xlabel(h.axes[0].label)
        axes.set_ylabel(f"{counted(h)} / {edges[1] - edges[0]:.3g}")
        axes.set_ylim(0, None if contents.any() else 1)
        canvas.write_title(figure, title)
    return figure


def _draw_fit(axes: Axes, edges: Array, fit: Mapping[str, Any]) -> None:
    """Draw a fitted function over its range, and write its parameters."""
    values, errors = fit["values"], fit["errors"]
    cumulative: Callable[..., Array] = crystal_ball_contents if "beta_low" in values else gaussian_contents
    fine = np.linspace(fit["start"], fit["stop"], 401)
    height = np.diff(cumulative(fine, **values)) / np.diff(fine) * (edges[1] - edges[0])
    axes.plot((fine[1:] + fine[:-1]) / 2, height, color=canvas.MARK)
    words = {"mu": r"$\mu$", "sigma": r"$\sigma$"}
    lines = [rf"{words[name]} = {values[name]:.4f} $\pm$ {errors[name]:.4f}" for name in words]
    lines.append(rf"$\chi^2$/ndf = {fit['chi2']:.1f}/{fit['ndf']}")
    axes.text(0.96, 0.95, "\n".join(lines), transform=axes.transAxes, ha="right", va="top", fontsize=TEXT)


def _labels(tables: Sequence[Table]) -> list[str]:
    """Return what tells the tables apart: threshold, dataset, variation."""
    thresholds = [table["numbers"].get("threshold") for table in tables]
    columns = [
        ["" if each is None else rf"$\geq$ {each:g}" for each in thresholds],
        [str(table["dataset"]) for table in tables],
        [str(table["variation"]) for table in tables],
    ]
    differing = [column for column in columns if len(set(column)) > 1 or (column is columns[0] and column[0])]
    return [", ".join(words) for words in zip(*differing, strict=True)] if differing else [""] * len(tables)


def _array(table: Table, name: str) -> Array:
    """Return a column as numbers; what is not defined is NaN."""
    return np.array([np.nan if each is None else each for each in table["columns"][name]], np.float64)


def _efficiency(axes: Axes, table: Table, label: str, style: Any) -> None:
    """Draw an efficiency as a line between the centres of bins, with its interval as a band."""
    low_edge, high_edge = _array(table, "low_edge"), _array(table, "high_edge")
    value, low, high = (_array(table, name) for name in ("value", "low", "high"))
    is_known = ~np.isnan(value)
    x = ((low_edge + high_edge) / 2)[is_known]
    _draw_band(axes, table, x, low[is_known], high[is_known], style["color"])
    axes.plot(x, value[is_known], label=label or None, markersize=4, **style)


def _draw_band(axes: Axes, table: Table, x: Array, low: Array, high: Array, colour: str) -> None:
    """Draw an interval as a band; not that of a variation, which has the same events."""
    if table["variation"] == NOMINAL:
        axes.fill_between(x, low, high, color=colour, alpha=BAND, linewidth=0)


def _remove_bands(axes: Axes) -> None:
    """Remove the bands of many lines, of which none could be told from the others."""
    from matplotlib.collections import PolyCollection

    for band in [each for each in axes.collections if isinstance(each, PolyCollection)]:
        band.remove()


def _rate(axes: Axes, table: Table, label: str, style: Any) -> None:
    """Draw a rate in kHz as a step line, with its interval as a band."""
    x = _array(table, "offline" if "offline" in table["columns"] else "threshold")
    value, low, high = (_array(table, name) / KILOHERTZ for name in ("value", "low", "high"))
    shown = value > 0
    _draw_band(axes, table, x[shown], low[shown], high[shown], style["color"])
    axes.plot(x[shown], value[shown], label=label or None, color=style["color"])


def _response(axes: Axes, table: Table, label: str, style: Any) -> None:
    """Draw the median of a ratio in bins, with the central 68 % as a bar."""
    low_edge, high_edge = _array(table, "low_edge"), _array(table, "high_edge")
    median, width = _array(table, "median"), _array(table, "half_width_68")
    centres, halves = (low_edge + high_edge) / 2, (high_edge - low_edge) / 2
    line: dict[str, Any] = {"linestyle": "none", "markersize": 4, "capsize": 2}
    axes.errorbar(centres, median, yerr=width, xerr=halves, label=label or None, **line, **style)


def _resolution(axes: Axes, table: Table, label: str, style: Any) -> None:
    """Draw resolutions against the energy, the fitted function, and its terms."""
    energy, value, error = (_array(table, name) for name in ("energy", "value", "error"))
    axes.errorbar(energy, value, yerr=error, label=label or None, linestyle="none", markersize=4, **style)
    fit = table["numbers"].get("fit")
    if fit is None or not fit["is_valid"]:
        return
    x = np.geomspace(fit["start"], fit["stop"], 200)
    axes.plot(x, resolution_at(x, **fit["values"]), color=style["color"])
    if axes.texts:  # the numbers of one fit fit in; those of the others are in the tables
        return
    terms = {
        "stochastic": ("a", r"a\,E^{-1/2}", "GeV^{1/2}"),
        "noise": ("b", r"b\,E^{-1}", "GeV"),
        "constant": ("c", "c", ""),
    }
    present = [name for name in terms if fit["values"][name]]
    formula = r" \oplus ".join(terms[name][1] for name in present)
    lines = [rf"$\sigma/E = {formula}$"]
    for name in present:
        letter, _, unit = terms[name]
        lines.append(f"${letter} = {fit['values'][name]:.4f} \\pm {fit['errors'][name]:.4f}\\ {unit}$")
    lines.append(rf"$\chi^2$/ndf = {fit['chi2']:.1f}/{fit['ndf']}")
    axes.text(0.96, 0.95, "\n".join(lines), transform=axes.transAxes, ha="right", va="top", fontsize=TEXT)


def _scaling(axes: Axes, table: Table, label: str, style: Any) -> None:
    """Draw offline against online thresholds, and the line through them."""
    online, offline = _array(table, "online"), _array(table, "offline")
    axes.plot(online, offline, label=label or None, linestyle="none", **style)
    slope, offset = (table["numbers"][name] for name in ("slope", "offset"))
    if slope is not None and offset is not None:
        axes.plot(online, slope * online + offset, color=style["color"])


def _finish(axes: Axes, kind: str) -> None:
    """Set titles, ranges and scales of a picture that is drawn."""
    titles = {"rate": "rate [kHz]", "offline_rate": "rate [kHz]", "response": "ratio: median, central 68 %"}
    titles |= {"resolution": r"$\sigma/E$", "scaling": "offline threshold"}
    axes.set_ylabel(titles.get(kind, kind))
    if kind in ("efficiency", "purity"):
        axes.set_ylim(0, 1.15)
        axes.axhline(1, color="0.7", linewidth=0.8, zorder=0)
    if kind in ("rate", "offline_rate") and axes.lines:
        axes.set_yscale("log")
    if kind == "resolution":
        axes.set_ylim(0, None)
