"""Pictures of histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum.plotting import canvas

if TYPE_CHECKING:
    import hist
    from matplotlib.figure import Figure


def draw_histogram(h: hist.Hist[Any], *, title: str | None = None) -> Figure:
    """Draw a histogram with one or two axes, labelled as these are.

    Raises
    ------
    ValueError
        If the histogram has more axes.
    """
    import mplhep
    from matplotlib.ticker import NullLocator

    if h.ndim > 2:
        msg = f"the histogram has {h.ndim} axes, expected 1 or 2: project it first, as in h.project(0)"
        raise ValueError(msg)
    entries_title = h.label or "entries"
    with canvas.style():
        figure, (axes,), bar = canvas.panels((6.2, 4.4))
        if h.ndim == 1:
            bar.remove()
            if _is_logarithmic(h.axes[0]):
                axes.set_xscale("log")
            mplhep.histplot(h, ax=axes, histtype="fill", color=canvas.FILL, alpha=0.3, yerr=False, flow="none")
            mplhep.histplot(h, ax=axes, color=canvas.FILL, flow="none")
            if h.values(flow=False).min(initial=0) >= 0:
                axes.set_ylim(0, None if np.any(h.values()) else 1)
        else:  # not hist2dplot: it hands the figure to pyplot, which keeps it for ever
            norm = canvas.norm(h.values(), logarithmic=False)
            canvas.draw_mesh(axes, h.axes[0].edges, h.axes[1].edges, h.values().T, norm, line=0)
            canvas.draw_bar(figure, bar, norm, entries_title)
        axes.set_xlabel(h.axes[0].label)
        axes.set_ylabel(entries_title if h.ndim == 1 else h.axes[1].label)
        for side, axis in zip((axes.xaxis, axes.yaxis), h.axes, strict=False):
            if axis.traits.discrete:  # nothing lies between two categories or integers
                side.set_minor_locator(NullLocator())
        if not np.any(h.values()):
            canvas.write_empty(axes, "no entries")
        canvas.write_title(figure, title)
    return figure


def _is_logarithmic(axis: Any) -> bool:
    """Return whether the bins of an axis grow by one factor, over more than a decade."""
    edges = np.asarray(axis.edges if axis.traits.continuous else ())
    if len(edges) < 3 or edges[0] <= 0 or edges[-1] < 10 * edges[0]:
        return False
    return bool(np.allclose(edges[1:] / edges[:-1], edges[1] / edges[0]))
