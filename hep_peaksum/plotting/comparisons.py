"""Pictures of what ties do to the answer, and of where two algorithms differ.

Apart from `plots`, whose pictures are of events and results; drawn by the same `canvas`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.diagnostics import wording
from hep_peaksum.diagnostics.compare import Comparison
from hep_peaksum.diagnostics.ties import TieAudit
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array
from hep_peaksum.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_ties(audit: TieAudit, *, title: str | None = None) -> Figure:
    """Return a picture of what the tie rule does: the seeds of every rule, and in which part of the events.

    Seeds that every rule finds are drawn apart from those that only some do.
    """
    from matplotlib.figure import Figure as Figure_  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter  # noqa: PLC0415

    width, height, left, wide = 8.0, 4.75, 1.5, 5.9
    rules, n_seeds = list(audit.n_seeds), np.array(list(audit.n_seeds.values()))
    with canvas.style():
        figure = Figure_(figsize=(width, height))
        axes = figure.add_axes((left / width, 1.85 / height, wide / width, 2.05 / height))
        common = np.full(len(rules), audit.n_common)
        for n, start, colour, label in (
            (common, 0, canvas.FILL, "found by every rule"),
            (n_seeds - common, common, canvas.ORANGE, "depend on the rule"),
        ):
            axes.barh(rules, n, left=start, height=0.7, color=colour, label=label)
        axes.set_xlim(0, max(1, n_seeds.max(initial=0)) * (1.3 if audit.rings else 1.12))
        for k, rule in enumerate(rules):
            n_rings = sum(rule in ring.lost_by for ring in audit.rings)
            rings = f", {n_rings} closed ring{'s' * (n_rings != 1)} lost" if n_rings else ""
            axes.annotate(
                f"{n_seeds[k]}{rings}",
                (n_seeds[k], k),
                (5, 0),
                textcoords="offset points",
                va="center",
                size=10,
            )
        axes.invert_yaxis()
        axes.set_xlabel("seeds")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        share = figure.add_axes((left / width, 0.55 / height, wide / width, 0.35 / height))
        depends, rest = audit.fraction_dependent, (1 - audit.fraction_dependent) * bool(audit.n_events)
        share.barh(["events"], [rest], height=1, color=canvas.FILL)
        share.barh(["events"], [depends], left=[rest], height=1, color=canvas.ORANGE)
        share.set_xlim(0, 1)
        share.set_ylim(-0.5, 0.5)
        share.xaxis.set_major_formatter(PercentFormatter(1))
        said = f"{audit.n_dependent} of {audit.n_events} ({audit.fraction_dependent:.1%}) depend on the rule"
        share.set_title(said, loc="right", fontsize=10, pad=5)
        for each in (axes, share):
            each.xaxis.set_minor_locator(NullLocator())
            each.yaxis.set_minor_locator(NullLocator())
            each.tick_params(which="both", axis="y", length=0)
            each.tick_params(which="both", axis="x", direction="out", top=False)
        canvas.write_title(figure, title)
    return figure


def draw_comparison(
    both: Comparison, grid: Grid, *, names: tuple[str, str] = ("A", "B"), title: str | None = None
) -> Figure:
    """Return a picture of where two algorithms differ: sums of matched clusters, and those only one has found.

    Parameters
    ----------
    both
        What `hep_peaksum.compare` returned.
    grid
        On which it was found: what the sums are.
    names
        What the two are called.
    title
        Written above.
    """
    from matplotlib.figure import Figure as Figure_  # noqa: PLC0415

    matched = both.matched
    a, b = both.sum_a * both.unit, both.sum_b * both.unit
    edges, is_log = _common_edges(np.concatenate([a[both.in_a], b[both.in_b]]))
    width, height, left, bottom, side, strip, gap = 7.9, 6.75, 0.95, 0.75, 4.2, 0.95, 0.2
    what = canvas.cell_title(grid)
    with canvas.style():
        figure = Figure_(figsize=(width, height))

        def box(x: float, y: float, w: float, h: float) -> Axes:
            return figure.add_axes((x / width, y / height, w / width, h / height))

        main = box(left, bottom, side, side)
        only_a = box(left, bottom + side + gap, side, strip)
        only_b = box(left + side + gap, bottom, strip, side)
        main.plot(edges[[0, -1]], edges[[0, -1]], color="0.6", lw=1, zorder=1)
        n = both.n_matched
        opacity = float(np.clip(200 / max(n, 1), 0.15, 0.7))
        main.scatter(a[matched], b[matched], s=18, color=canvas.FILL, alpha=opacity, linewidths=0, zorder=2)
        bars: dict[str, Any] = {"histtype": "stepfilled", "edgecolor": canvas.INK, "lw": 0.8}
        only_a.hist(a[~both.in_b], edges.tolist(), color=canvas.ORANGE, **bars)
        only_b.hist(b[~both.in_a], edges.tolist(), color=canvas.PURPLE, orientation="horizontal", **bars)
        for axes, sides in ((main, "xy"), (only_a, "x"), (only_b, "y")):
            for each in sides:
                getattr(axes, f"set_{each}scale")("log" if is_log else "linear")
                getattr(axes, f"set_{each}lim")(edges[0], edges[-1])
        _tidy(main, only_a, only_b, is_log=is_log)
        main.set_xlabel(f"{names[0]}: {what}")
        main.set_ylabel(f"{names[1]}: {what}")
        only_a.set_title(f"only in {names[0]}: {both.n_only_a}", loc="left", fontsize=10)
        only_b.set_title(f"only in\n{names[1]}: {both.n_only_b}", loc="left", fontsize=10)
        place = (left + side + gap) / width, (bottom + side + gap + strip + 0.26) / height
        _write_differences(figure, place, both, names, wording.sum_unit(grid))
        canvas.write_title(figure, title)
    return figure


def _common_edges(values: Array) -> tuple[Array, bool]:
    """Return bins for the sums of both algorithms, and whether they grow by one factor."""
    if not len(values):
        return np.linspace(0, 1, 31), False
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > canvas.LOG_FROM * low:
        return np.geomspace(low / 1.2, high * 1.2, 31), True
    low = min(low, 0.0)
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin * (low < 0), high + margin, 31), False


def _tidy(main: Axes, above: Axes, beside: Axes, *, is_log: bool) -> None:
    """Give the two narrow panels whole numbers of clusters, and no second ticks for the sums."""
    from matplotlib import ticker  # noqa: PLC0415

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
    figure: Figure, place: tuple[float, float], both: Comparison, names: tuple[str, str], unit: str
) -> None:
    """Write how many clusters are matched, and how their energies differ, into the corner that is empty."""
    lines = [f"matched: {both.n_matched}"]
    if both.n_matched:
        lines += [
            f"with another sum: {both.n_different_sums}",
            f"{names[1]} \u2212 {names[0]}:",
            f"  mean {_signed(both.mean_difference)} {unit}, rms {both.rms_difference:.3g} {unit}",
            f"  largest {_signed(both.largest_difference)} {unit}",
        ]
    figure.text(*place, "\n".join(lines), va="top", size=9, linespacing=1.3)


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "\u2212") if value else "0"
