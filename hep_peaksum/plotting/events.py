"""Pictures of events and of the sums in their windows.

matplotlib and mplhep are imported when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hep_peaksum.clustering.discriminant import pool_cells, search_grid
from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.grid import Grid, bare_grid, one_event, split_mask
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.plotting import canvas
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_LABELLED = 5  # leading clusters with their sum beside them
MANY_DIGITS = 1e7  # sums from here on are written with an exponent, or they would cover the picture


def draw_event(
    cells: npt.ArrayLike,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    clusters: ak.Array | None = None,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one event: its cells, and the seed and the sum window of every cluster.

    The figure belongs to no window of pyplot: a notebook shows it as the last value of a cell, and
    ``figure.savefig`` writes it.

    Parameters
    ----------
    cells
        Shape (row, col), in counts of `grid`. Empty cells are white; masked, negative, NaN and infinite ones
        grey. Where the settings pool cells into towers, the towers are drawn.
    settings
        As for `hep_peaksum.find_clusters`; they define the sum window.
    grid
        The grid of the cells. An axis without positions is drawn as indices; an axis named eta or x is
        horizontal.
    clusters
        Records of this event with `row`, `col` and `peak_sum`, if they were found before; the sums of the
        leading ones are written beside them.
    mask, noise
        As for `hep_peaksum.find_clusters`.
    title
        Written above the picture.

    Raises
    ------
    ValueError
        If `cells` does not have the shape of the grid, or for any input that `find_clusters` rejects.

    >>> figure = draw_event([[0, 1, 0], [1, 5, 2], [0, 1, 0]], {"sum_window": (1, 3)})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['8']
    """
    settings, given = as_settings(settings), as_grid(grid)
    values, missing = split_mask(cells)
    grid = given or bare_grid((1, 1, *values.shape)[-2:])
    if values.shape != grid.shape:
        msg = f"cells have shape {values.shape}, the grid has {grid.shape}: pass one event, its layers summed"
        raise ValueError(msg)
    if clusters is None:
        fields = ("row", "col", "peak_sum")
        found = find_clusters(one_event(cells), settings, grid, mask=mask, noise=noise, fields=fields)
        clusters = found[0]
    if mask is not None:
        missing = np.asarray(mask, bool) | (False if missing is None else missing)
    if missing is not None:  # they do not exist, and add nothing to a tower
        values = np.where(missing, -np.inf, values)
    plane, towers = search_grid(settings, grid), pool_cells(values[None], settings, grid.unit)[0]
    return _draw_plane(towers, plane, clusters, settings, title)


def _draw_plane(
    cells: Array, grid: Grid, clusters: ak.Array, settings: PeakSumSettings, title: str | None
) -> Figure:
    """Draw the cells or towers that are searched."""
    view, offsets = canvas.View.of(grid), settings.sum_cells()
    seeds = np.stack([np.asarray(clusters[word], np.int64) for word in ("row", "col")], axis=-1)
    with canvas.style():
        figure, (axes,), bar = canvas.panels(view.size)
        norm = canvas.norm(cells * grid.scale)
        canvas.draw_cells(axes, view, cells * grid.scale, norm)
        canvas.draw_bar(figure, bar, norm, canvas.cell_title(grid))
        outlines = [canvas.window_outline(row, col, offsets, grid) for row, col in seeds.tolist()]
        _draw_windows(axes, view, outlines)
        _draw_seeds(axes, view, seeds)
        sums = np.asarray(clusters["peak_sum"]) * grid.scale
        unit = "" if grid.unit is None else " GeV"
        _write_sums(axes, view, seeds, sums, offsets, n=N_LABELLED, unit=unit)
        _draw_legend(axes, settings, len(seeds), has_invalid=bool((~(cells >= 0)).any()))
        if norm is None:
            canvas.write_empty(axes, "no cell above zero")
        canvas.write_title(figure, title)
    return figure


def draw_peak_sum(image: Array, sums: Array, *, title: str | None = None) -> Figure:
    """Draw an image and the map of its window sums (see `peak_sum_map`) side by side, with one colour scale.

    Both have shape (row, col); rows run downwards, as an array is printed.
    """
    image, sums = np.asarray(image), np.asarray(sums)
    if image.ndim != 2 or image.shape != sums.shape:
        msg = f"the image has shape {image.shape}, the map of sums {sums.shape}: expected one shape (row, col)"
        raise ValueError(msg)
    view, seeds = canvas.View.of(bare_grid(image.shape)), np.argwhere(sums)
    titles = "image and its local maxima", "window sum at each of them"
    with canvas.style():
        figure, panels, bar = canvas.panels(view.size, n=2)
        norm = canvas.norm(np.stack([image, sums]))
        for axes, cells, panel_title in zip(panels, (image, sums), titles, strict=True):
            canvas.draw_cells(axes, view, cells, norm)
            axes.set_title(panel_title, loc="left", fontsize=11)
        _draw_seeds(panels[0], view, seeds)
        panels[1].set_ylabel("")
        _write_sums(panels[1], view, seeds, sums[tuple(seeds.T)], ((0, 0),), n=4 * N_LABELLED, unit="")
        canvas.draw_bar(figure, bar, norm, "counts")
        canvas.write_title(figure, title)
    return figure


def _draw_windows(axes: Axes, view: canvas.View, outlines: Sequence[Array]) -> None:
    """Draw the outlines of windows (see `window_outline`)."""
    from matplotlib.collections import LineCollection

    if outlines:
        lines = list(view.points(np.concatenate(outlines)))
        for colour, width in (("white", 2.6), (canvas.MARK, 1.4)):
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="projecting"))


def _draw_seeds(axes: Axes, view: canvas.View, seeds: Array) -> None:
    """Draw a ring around every seed."""
    x, y = view.points(seeds + 0.5).T
    for colour, width in (("white", 2.8), (canvas.MARK, 1.4)):
        axes.scatter(x, y, s=30, facecolors="none", edgecolors=colour, linewidths=width, zorder=3)


def _write_sums(
    axes: Axes, view: canvas.View, seeds: Array, sums: Array, offsets: Sequence[Offset], *, n: int, unit: str
) -> None:
    """Write the `n` leading sums above their windows; without room there below, or at the bottom inside."""
    size = np.array(view.size)
    occupied: list[tuple[Array, Array]] = []  # centres and sizes of the texts, in inches
    for k in np.argsort(-sums, kind="stable")[:n]:
        text = (f"{sums[k]:,.0f}" if 1e3 <= abs(sums[k]) < MANY_DIGITS else f"{sums[k]:.3g}") + unit
        window = seeds[k] + np.array([np.min(offsets, axis=0), np.max(offsets, axis=0) + 1])
        corners = view.points(np.clip(window, 0, view.grid.shape))
        (left, bottom), (right, top) = np.sort(axes.transLimits.transform(corners) * size, axis=0)
        box = np.array([0.082 * len(text) + 0.06, 0.2])
        x = np.clip((left + right) / 2, box[0] / 2, size[0] - box[0] / 2)
        candidates = [np.array([x, y]) for y in (top + 0.14, bottom - 0.14) if 0.1 < y < size[1] - 0.1]
        free = [p for p in candidates if all((abs(p - q) > (box + other) / 2).any() for q, other in occupied)]
        centre = (free or candidates or [np.array([x, bottom + 0.14])])[0]
        occupied.append((centre, box))
        across, up = centre / size
        background = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "boxstyle": "round,pad=0.1"}
        at: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center", "zorder": 4}
        axes.text(across, up, text, fontsize=10, color=canvas.MARK, bbox=background, **at)


def _draw_legend(axes: Axes, settings: PeakSumSettings, n_seeds: int, *, has_invalid: bool) -> None:
    """Draw the legend of seeds, sum windows and grey cells."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    window = settings.sum_window
    size = "" if isinstance(window, str) else f" {window[0]} × {window[1]}"
    seeds = f"{n_seeds} seed{'s' * (n_seeds != 1)}"
    handles: list[Any] = [
        Line2D([], [], ls="", marker="o", mfc="none", mec=canvas.MARK, label=seeds),
        Patch(facecolor="none", edgecolor=canvas.MARK, label=f"sum window{size}"),
    ]
    if has_invalid:
        handles.append(Patch(color=canvas.INVALID, label="negative or masked"))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
