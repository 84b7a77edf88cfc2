"""Pictures of events, sums and histograms, drawn from what is in memory; nothing here reads a file.

matplotlib and mplhep are imported when the first picture is drawn.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hep_peaksum import canvas
from hep_peaksum.grid import Grid, bare_grid
from hep_peaksum.kernels import Array
from hep_peaksum.replacing import replacing
from hep_peaksum.settings import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak
    import hist
    from matplotlib.figure import Figure


def draw_event(
    cells: Array, grid: Grid, clusters: ak.Array, settings: PeakSumSettings, *, title: str | None = None
) -> Figure:
    """Return a picture of one event: its cells, and the seed and the sum window of every cluster.

    Parameters
    ----------
    cells
        Shape (row, col), in counts of `grid`. Empty cells are white; negative, NaN and infinite ones grey.
    grid
        The plane. An axis without positions is drawn as indices; an axis named eta or x lies horizontally.
    clusters
        Records of this event with `row`, `col` and `sum`; the sums of the leading ones are written beside them.
    settings
        With which the clusters were found: what the sum window is.
    title
        Written above.

    Raises
    ------
    ValueError
        If `cells` has not the shape of the grid.
    """
    cells = np.asarray(cells)
    if cells.shape != grid.shape:
        msg = f"cells have shape {cells.shape}, the grid has {grid.shape}: give one event, its layers added up"
        raise ValueError(msg)
    view, offsets = canvas.View.of(grid), settings.sum_cells()
    seeds = np.stack([np.asarray(clusters[word], np.int64) for word in ("row", "col")], axis=-1)
    with canvas.style():
        figure, (axes,), bar = canvas.panels(view.size)
        norm = canvas.norm(cells * grid.unit)
        canvas.draw_cells(axes, view, cells * grid.unit, norm)
        canvas.draw_bar(figure, bar, norm, canvas.cell_title(grid))
        canvas.draw_windows(
            axes, view, [canvas.window_outline(row, col, offsets, grid) for row, col in seeds.tolist()]
        )
        canvas.draw_seeds(axes, view, seeds)
        unit = "" if canvas.cell_title(grid) == "counts" else " GeV"
        canvas.write_sums(
            axes, view, seeds, np.asarray(clusters["sum"]) * grid.unit, offsets, n=canvas.N_WRITTEN, unit=unit
        )
        canvas.draw_legend(axes, settings, len(seeds), strange=bool((~(cells >= 0)).any()))
        if norm is None:
            canvas.write_empty(axes, "no cell above zero")
        canvas.write_title(figure, title)
    return figure


def draw_peak_sum(image: Array, sums: Array, *, title: str | None = None) -> Figure:
    """Return an image and the map of its window sums (see `peak_sum_map`) side by side, in one colour scale.

    Both have shape (row, col); rows run downwards, as an array is printed.
    """
    image, sums = np.asarray(image), np.asarray(sums)
    if image.ndim != 2 or image.shape != sums.shape:
        msg = f"the image has shape {image.shape}, the map of sums {sums.shape}: expected one shape (row, col)"
        raise ValueError(msg)
    view, seeds = canvas.View.of(bare_grid(image.shape)), np.argwhere(sums)
    with canvas.style():
        figure, panels, bar = canvas.panels(view.size, n=2)
        norm = canvas.norm(np.stack([image, sums]))
        for axes, cells, word in zip(
            panels, (image, sums), ("image and its local maxima", "window sum at each of them"), strict=True
        ):
            canvas.draw_cells(axes, view, cells, norm)
            axes.set_title(word, loc="left", fontsize=11)
        canvas.draw_seeds(panels[0], view, seeds)
        panels[1].set_ylabel("")
        canvas.write_sums(
            panels[1], view, seeds, sums[tuple(seeds.T)], ((0, 0),), n=4 * canvas.N_WRITTEN, unit=""
        )
        canvas.draw_bar(figure, bar, norm, "counts")
        canvas.write_title(figure, title)
    return figure


def draw_histogram(h: hist.Hist[Any], *, title: str | None = None) -> Figure:
    """Return a picture of a histogram of one or two axes, with the labels that these have.

    Raises
    ------
    ValueError
        If there are more axes.
    """
    import mplhep  # noqa: PLC0415
    from matplotlib.ticker import NullLocator  # noqa: PLC0415

    if h.ndim > 2:
        msg = f"the histogram has {h.ndim} axes, expected 1 or 2: project it first, as in h.project(0)"
        raise ValueError(msg)
    what = h.label or "entries"
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
            canvas.draw_bar(figure, bar, norm, what)
        axes.set_xlabel(h.axes[0].label)
        axes.set_ylabel(what if h.ndim == 1 else h.axes[1].label)
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


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG; the file appears under its name only when it is whole.

    Raises
    ------
    ValueError
        If the name ends like that of another kind of file.
    """
    if Path(path).suffix.lower() not in ("", ".png"):
        msg = f"{path}: pictures are written as PNG, not as {Path(path).suffix}: name it {Path(path).stem}.png"
        raise ValueError(msg)
    # fonts are looked up when they are drawn
    with replacing(Path(path)) as file, canvas.style():
        figure.savefig(file, format="png", dpi=canvas.DOTS_PER_INCH)
