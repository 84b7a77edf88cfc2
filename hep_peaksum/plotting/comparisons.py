"""Pictures of how tie rules change the seeds, and of where two algorithms differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.diagnostics.compare import Comparison
from hep_peaksum.diagnostics.ties import TieAudit
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_ties(audit: TieAudit, *, title: str | None = None) -> Figure:
    """Draw the number of seeds by tie rule, and the fraction of events in which it depends on the rule.

    Seeds that every rule finds have a different colour from those that only some rules find.
    """
    from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

    width, height, left, panel = 8.0, 4.75, 1.5, 5.9
    with canvas.style():
        figure = canvas.new_figure(width, height)
        bars = figure.add_axes((left / width, 1.85 / height, panel / width, 2.05 / height))
        _draw_rules(bars, audit)
        bars.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        share = figure.add_axes((left / width, 0.55 / height, panel / width, 0.35 / height))
        _draw_share(share, audit)
        share.xaxis.set_major_formatter(PercentFormatter(1))
        for axes in (bars, share):
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_minor_locator(NullLocator())
            axes.tick_params(which="both", axis="y", length=0)
            axes.tick_params(which="both", axis="x", direction="out", top=False)
        canvas.write_title(figure, title)
    return figure


def _draw_rules(axes: Axes, audit: TieAudit) -> None:
    """Draw a bar for every rule: the seeds that all rules find, then the others; the number behind it."""
    rules, n_seeds = list(audit.n_seeds), np.array(list(audit.n_seeds.values()))
    common = np.full(len(rules), audit.n_common)
    axes.barh(rules, common, left=0, height=0.7, color=canvas.FILL, label="found by every rule")
    others: dict[str, Any] = {"color": canvas.ORANGE, "label": "depend on the rule"}
    axes.barh(rules, n_seeds - common, left=common, height=0.7, **others)
    axes.set_xlim(0, max(1, n_seeds.max(initial=0)) * (1.3 if audit.rings else 1.12))
    for k, rule in enumerate(rules):
        n_rings = sum(rule in ring.lost_by for ring in audit.rings)
        rings = f", {n_rings} closed ring{'s' * (n_rings != 1)} lost" if n_rings else ""
        at: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": 10}
        axes.annotate(f"{n_seeds[k]}{rings}", (n_seeds[k], k), (5, 0), **at)
    axes.invert_yaxis()
    axes.set_xlabel("seeds")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _draw_share(axes: Axes, audit: TieAudit) -> None:
    """Draw the fraction of events in which the seeds depend on the rule."""
    dependent = audit.fraction_dependent
    independent = (1 - dependent) * bool(audit.n_events)
    axes.barh(["events"], [independent], height=1, color=canvas.FILL)
    axes.barh(["events"], [dependent], left=[independent], height=1, color=canvas.ORANGE)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, 0.5)
    title = f"{audit.n_dependent} of {audit.n_events} ({dependent:.1%}) depend on the rule"
    axes.set_title(title, loc="right", fontsize=10, pad=5)


def draw_comparison(
    both: Comparison, grid: Grid, *, names: tuple[str, str] = ("A", "B"), title: str | None = None
) -> Figure:
    """Draw where two algorithms differ: the sums of matched clusters, and the clusters that only one finds.

    Parameters
    ----------
    both
        The result of `hep_peaksum.compare`.
    grid
        The grid of the clusters; it gives the unit of the sums.
    names
        Names of the two algorithms.
    title
        Written above the picture.
    """
    width, height, left, bottom, side, strip, gap = 7.9, 6.75, 0.95, 0.75, 4.2, 0.95, 0.2
    with canvas.style():
        figure = canvas.new_figure(width, height)

        def panel(x: float, y: float, w: float, h: float) -> Axes:
            return figure.add_axes((x / width, y / height, w / width, h / height))

        main = panel(left, bottom, side, side)
        only_a = panel(left, bottom + side + gap, side, strip)
        only_b = panel(left + side + gap, bottom, strip, side)
        _draw_sums(main, only_a, only_b, both)
        main.set_xlabel(f"{names[0]}: {canvas.cell_title(grid)}")
        main.set_ylabel(f"{names[1]}: {canvas.cell_title(grid)}")
        only_a.set_title(f"only in {names[0]}: {both.n_only_a}", loc="left", fontsize=10)
        only_b.set_title(f"only in\n{names[1]}: {both.n_only_b}", loc="left", fontsize=10)
        corner = (left + side + gap) / width, (bottom + side + gap + strip + 0.26) / height
        _write_differences(figure, corner, both, names, grid.energy_unit)
        canvas.write_title(figure, title)
    return figure


def _draw_sums(main: Axes, only_a: Axes, only_b: Axes, both: Comparison) -> None:
    """Draw the two sums of matched clusters as points, and those of the others as histograms beside them."""
    matched = both.matched
    a, b = both.sum_a * both.unit, both.sum_b * both.unit
    edges, is_log = _common_edges(np.concatenate([a[both.in_a], b[both.in_b]]))
    main.plot(edges[[0, -1]], edges[[0, -1]], color="0.6", lw=1, zorder=1)
    alpha = float(np.clip(200 / max(both.n_matched, 1), 0.15, 0.7))
    main.scatter(a[matched], b[matched], s=18, color=canvas.FILL, alpha=alpha, linewidths=0, zorder=2)
    bars: dict[str, Any] = {"histtype": "stepfilled", "edgecolor": canvas.INK, "lw": 0.8}
    only_a.hist(a[~both.in_b], edges.tolist(), color=canvas.ORANGE, **bars)
    only_b.hist(b[~both.in_a], edges.tolist(), color=canvas.PURPLE, orientation="horizontal", **bars)
    for axes, letters in ((main, "xy"), (only_a, "x"), (only_b, "y")):
        for letter in letters:
            getattr(axes, f"set_{letter}scale")("log" if is_log else "linear")
            getattr(axes, f"set_{letter}lim")(edges[0], edges[-1])
    _set_ticks(main, only_a, only_b, is_log=is_log)


def _common_edges(values: Array) -> tuple[Array, bool]:
    """Return the edges of bins for the sums of both algorithms, and whether they are logarithmic."""
    if not len(values):
        return np.linspace(0, 1, 31), False
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > canvas.MIN_LOG_RANGE * low:
        return np.geomspace(low / 1.2, high * 1.2, 31), True
    low = min(low, 0.0)
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin * (low < 0), high + margin, 31), False


def _set_ticks(main: Axes, above: Axes, beside: Axes, *, is_log: bool) -> None:
    """Set integer ticks for the clusters of the narrow panels, and label the sums on the main panel only."""
    from matplotlib import ticker

    for axes, count in ((above, above.yaxis), (beside, beside.xaxis)):
        axes.tick_params(which="both", axis="x" if axes is above else "y", labelleft=False, labelbottom=False)
        count.set_major_locator(ticker.MaxNLocator(nbins=2, integer=True, min_n_ticks=1, prune="lower"))
        count.set_minor_locator(ticker.NullLocator())
        count.set_view_interval(0, max(1.15, count.get_view_interval()[1]), ignore=True)
        count.set_tick_params(labelsize=9)
    above.set_ylabel("clusters", fontsize=10)
    beside.set_xlabel("clusters", fontsize=10)
    if is_log:
        for side in (main.xaxis, main.yaxis):
            low, high = side.get_view_interval()
            ticks = ticker.LogLocator(subs=(1, 3) if high < 300 * low else (1,)).tick_values(low, high)
            side.set_major_locator(ticker.FixedLocator([tick for tick in ticks if low <= tick <= high]))
            side.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
            side.set_minor_formatter(ticker.NullFormatter())


def _write_differences(
    figure: Figure, corner: tuple[float, float], both: Comparison, names: tuple[str, str], unit: str
) -> None:
    """Write the number of matched clusters and the differences of their energies into the empty corner."""
    lines = [f"matched: {both.n_matched}"]
    if both.n_matched:
        lines += [
            f"with different sums: {both.n_different_sums}",
            f"{names[1]} \u2212 {names[0]}:",
            f"  mean {_signed(both.mean_difference)} {unit}, rms {both.rms_difference:.3g} {unit}",
            f"  largest {_signed(both.largest_difference)} {unit}",
        ]
    figure.text(*corner, "\n".join(lines), va="top", size=9, linespacing=1.3)


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "\u2212") if value else "0"
