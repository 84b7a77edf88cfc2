"""Pictures of one event: numbers row by row, `#` for a masked cell, and who finds the clusters in them."""

import numpy as np
import rules_oracle

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters

NEITHER, COLS, ROWS = (False, False), (False, True), (True, False)

# The fields of a cluster that most pictures show.
PLACE = ("row", "col", "seed", "peak_sum")
COUNTED = ("row", "col", "peak_sum", "n_cells")
SHARED = ("col", "peak_sum", "n_cells", "shared_sum")

LINE = {"search_window": (1, 3), "sum_window": (1, 3)}
ALONE = {"search_window": (1, 3), "sum_window": (1, 1)}
TWO_SHOWERS = "0 6 3 12 0"
# 6 and 12 are four cells apart, the windows of seven cells share the three between them
FAR_SHOWERS = "0 6 1 2 4 12 0"


def numbers(picture):
    """Return the numbers of a picture, row by row; a masked cell holds 0."""
    rows = [line.split() for line in picture.strip().splitlines()]
    return [[0 if word == "#" else int(word) for word in row] for row in rows]


def masked_cells(picture):
    """Return which cells of a picture are masked, row by row."""
    rows = [line.split() for line in picture.strip().splitlines()]
    return [[word == "#" for word in row] for row in rows]


def find_by_definition(picture, fields, **rules):
    """Return the fields of every cluster of a picture as a tuple, as the definition says."""
    clusters = rules_oracle.find_clusters(numbers(picture), mask=masked_cells(picture), **rules)
    return [tuple(cluster[name] for name in fields) for cluster in clusters]


def find_with_kernel(picture, fields, *, kernel, periodic=NEITHER, noise=None, saturated=(), **settings):
    """Return the fields of every cluster of a picture as a tuple, as a kernel finds them."""
    cells = np.array([numbers(picture)])
    grid = Grid(
        rows=Axis(n=cells.shape[1], periodic=periodic[0]),
        cols=Axis(n=cells.shape[2], periodic=periodic[1]),
        saturated=saturated,
    )
    clusters = find_clusters(
        cells,
        PeakSumSettings(order="position", kernel=kernel, **settings),
        grid,
        mask=np.array(masked_cells(picture)),
        noise=noise,
        fields=fields,
    )
    return [tuple(cluster[name] for name in fields) for cluster in clusters.to_list()[0]]
