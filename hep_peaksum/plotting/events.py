"""Pictures of events, sums and histograms, drawn from what is in memory; nothing here reads a file.

matplotlib and mplhep are imported when the first picture is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.kernels import Array
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak
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
        Records of this event with `row`, `col` and `peak_sum`; the sums of the leading ones are written beside
        them.
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
            axes,
            view,
            seeds,
            np.asarray(clusters["peak_sum"]) * grid.unit,
            offsets,
            n=canvas.N_WRITTEN,
            unit=unit,
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
