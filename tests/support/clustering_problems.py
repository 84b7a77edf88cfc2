"""A `Problem` of `strategies`, given to the public functions and to the definition in `oracle`."""

import numpy as np
import oracle

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters

PEAK = ["row", "col", "seed", "peak_sum", "n_cells"]
TWO_TOWERS = [
    [0, 0, 0, 0, 0],
    [0, 1, 2, 1, 0],
    [0, 0, 7, 7, 1],
    [0, 0, 0, 3, 0],
    [4, 0, 0, 0, 0],
]


def index_grid(shape, periodic=(False, False), **more):
    """Return a grid of bare indices for cells of shape (..., row, col)."""
    (n_rows, n_cols), (rows, cols) = shape[-2:], periodic
    return Grid(rows=Axis(n=n_rows, periodic=rows), cols=Axis(n=n_cols, periodic=cols), **more)


def settings_of(problem, **more):
    """Return the settings of a problem; a drawn search window is its own tie rule."""
    tie_rule = {} if problem.tie_rule == "drawn" else {"tie_rule": problem.tie_rule}
    return PeakSumSettings(
        search_window=problem.search_window,
        sum_window=problem.sum_window,
        seed_threshold=problem.threshold,
        seed_comparison=problem.comparison,
        cell_threshold=problem.cell_threshold,
        **tie_rule,
        **more,
    )


def grid_of(problem):
    """Return the grid of a problem."""
    return index_grid(problem.grids.shape, problem.periodic)


def by_definition(problem, masked="absent", cells=None, mask=None):
    """Return the peaks of every event as (row, col, seed, sum, n_cells), in the order of position."""
    cells = problem.grids if cells is None else cells
    mask = np.broadcast_to(problem.mask if mask is None else mask, cells.shape)
    return [
        oracle.find_peaks(
            event,
            search_window=problem.search_window,
            sum_window=problem.sum_window,
            threshold=problem.threshold,
            comparison=problem.comparison,
            tie_rule=problem.tie_rule,
            periodic=problem.periodic,
            cell_threshold=problem.cell_threshold,
            mask=event_mask,
            masked=masked,
        )
        for event, event_mask in zip(cells.tolist(), mask.tolist(), strict=True)
    ]


def in_order(events, *, most=None, order="sum"):
    """Return the peaks with the largest sums, equal ones by position, then in the order of the settings."""
    descending = [sorted(event, key=lambda peak: (-peak[3], *peak[:2])) for event in events]
    largest = [event[:most] for event in descending]
    return largest if order == "sum" else [sorted(event) for event in largest]


def as_tuples(clusters):
    """Return the clusters of every event as tuples of the fields `PEAK`."""
    return [[tuple(record[name] for name in PEAK) for record in event] for event in clusters.to_list()]


def clusters_of(cells, settings=None, grid=None, **options):
    """Return the clusters of every event as tuples of the fields `PEAK`."""
    return as_tuples(find_clusters(cells, settings, grid, fields=PEAK, **options))


def field_of(cells, name, settings=None, grid=None, **options):
    """Return one field of the clusters of one event, in the order of position."""
    settings = (settings or PeakSumSettings()).model_copy(update={"order": "position"})
    return find_clusters([cells], settings, grid, fields=[name], **options)[name].to_list()[0]


def sums_at_seeds(grids, settings, grid):
    """Return {(event, row, col): sum} of all clusters."""
    clusters = find_clusters(grids, settings, grid, fields=["row", "col", "peak_sum"]).to_list()
    return {(n, c["row"], c["col"]): c["peak_sum"] for n, event in enumerate(clusters) for c in event}
