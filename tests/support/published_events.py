"""Events that are full of ties, the clusters that the sources have in them, and those of the presets."""

import functools
from types import MappingProxyType

import numpy as np
import pytest
from published_oracle import PUBLISHED
from published_plane import N_COLS, N_ROWS, Plane

from hep_peaksum import Axis, Grid, find_clusters, preset


def golden(name):
    """Return small plain grids by their names, at a height that every threshold lets pass."""
    height = 10 * max(PUBLISHED[name].levels)
    shapes = {
        "constant": {},
        "hot_ring": [(7, c) for c in range(N_COLS)],
        "1x2": [(7, 8), (7, 9)],
        "2x1": [(7, 8), (8, 8)],
        "2x2": [(7, 8), (7, 9), (8, 8), (8, 9)],
        "V": [(6, 6), (7, 7), (8, 8), (7, 9), (6, 10)],
        "L": [(6, 8), (7, 8), (8, 8), (8, 9), (8, 10)],
        "corners": [(0, 0), (0, N_COLS - 1), (N_ROWS - 1, 0), (N_ROWS - 1, N_COLS - 1)],
        "seam": [(4, 0), (4, N_COLS - 1), (9, 1), (9, N_COLS - 1)],
        "seam_2x2": [(4, 0), (4, N_COLS - 1), (5, 0), (5, N_COLS - 1)],
        "empty": [],
    }
    grids = {}
    for word, places in shapes.items():
        grids[word] = np.full((N_ROWS, N_COLS), height if word == "constant" else 0)
        for place in places:
            grids[word][place] = height
    steps = np.add.outer(np.arange(N_ROWS), np.arange(N_COLS))
    saturated = height + 511 * (steps % 7 == 0)
    return {
        **grids,
        "negative": -1 - steps % 3,
        "peak_in_negative": np.where(steps == 15, height, -(steps % 4)),
        "saturated": np.where(steps % 5 == 0, 0xFFFF, saturated),
    }


@functools.cache
def events(name, number):
    """Return grids full of ties: sparse, dense, negative, with plateaus, at the thresholds; and golden ones."""
    random = np.random.default_rng(sum(name.encode()))
    levels = PUBLISHED[name].levels
    shape, scale = (6, N_ROWS, N_COLS), max(1, max(levels) // 3)
    plateaus = random.integers(0, 6, (6, N_ROWS // 2 + 1, N_COLS // 2)).repeat(2, axis=1).repeat(2, axis=2)
    grids = [
        random.integers(0, 5, shape) * scale,
        random.poisson(0.2, shape) * random.integers(1, 6, shape) * scale,
        random.integers(-3, 4, shape) * scale,
        plateaus[:, :N_ROWS] * scale,
        random.choice(levels, shape),
        random.choice(levels, shape) * (random.uniform(size=shape) < 0.1),
        np.stack(list(golden(name).values())),
    ]
    cells = np.concatenate(grids)
    if number == "floats":
        cells = (
            cells
            + random.choice([0, 0, 0.1, 0.3, -0.7], cells.shape) * (np.arange(len(cells)) % 2)[:, None, None]
        )
    return cells


@functools.cache
def expected(name, number, closed):
    """Return the clusters of every event as the published source has them."""
    return tuple(
        MappingProxyType(PUBLISHED[name].find(Plane(event, closed))) for event in events(name, number).tolist()
    )


def clusters_of(name, cells, closed, fields, **more):
    """Return the clusters of the preset, a list of records for each event, in the order of their places."""
    grid = Grid(
        rows=Axis(n=cells.shape[1]),
        cols=Axis(n=cells.shape[2], periodic=closed),
        unit=PUBLISHED[name].unit,
        regions=dict(PUBLISHED[name].regions),
    )
    settings = preset(name)[0].model_copy(update={"order": "position", **more})
    return find_clusters(cells, settings, grid, fields=fields).to_list()


# Their plain loops add whole windows for every cell, which takes seconds.
SLOW = {"atlas-jfex", "fcc-sliding-window"}


def by_name(names):
    """Return the parameter `name`; algorithms whose oracle is slow are marked."""
    params = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]
    return pytest.mark.parametrize("name", params)


ALL = by_name(PUBLISHED)
CLOSED = pytest.mark.parametrize("closed", [False, True], ids=["open", "closed_in_phi"])
NUMBERS = pytest.mark.parametrize("number", ["integers", pytest.param("floats", marks=pytest.mark.slow)])
KERNELS = pytest.mark.parametrize("kernel", ["numba", "scipy"])


def sums_by_place(clusters):
    return {(cluster["row"], cluster["col"]): cluster["peak_sum"] for cluster in clusters}
