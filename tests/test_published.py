"""Every preset against plain loops written from its published source, not from its YAML.

A rule is the set of offsets (row, col) at which the seed must be greater than its neighbour (elsewhere it must
not be smaller), or, for total orders, a function of the two cells' indices.
"""

import itertools

import numpy as np
import pytest

from hep_peaksum import Axis, Grid, find_clusters, preset, presets

NOWHERE = frozenset()
EVERYWHERE = frozenset(itertools.product((-1, 0, 1), repeat=2)) - {(0, 0)}


def seeds(cells, half, strict, passes, periodic):
    """Return (row, col) of every cell that passes and beats its neighbours; the columns may be closed."""
    n_rows, n_cols = len(cells), len(cells[0])
    found = []
    for r, c in itertools.product(range(n_rows), range(n_cols)):
        is_seed = passes(cells[r][c])
        for d, p in itertools.product(range(-half, half + 1), repeat=2):
            row, col = r + d, c + p
            if periodic:
                col %= n_cols
            if (d, p) == (0, 0) or not (0 <= row < n_rows and 0 <= col < n_cols):
                continue
            must_exceed = strict(row * n_cols + col, r * n_cols + c) if callable(strict) else (d, p) in strict
            other = cells[row][col]
            if not (cells[r][c] > other if must_exceed else cells[r][c] >= other):
                is_seed = False
        if is_seed:
            found.append((r, c))
    return found


def window_sum(cells, row, col, half, periodic):
    n_rows, n_cols = len(cells), len(cells[0])
    total = 0
    for d, p in itertools.product(range(-half, half + 1), repeat=2):
        r, c = row + d, (col + p) % n_cols if periodic else col + p
        if 0 <= r < n_rows and 0 <= c < n_cols:
            total += cells[r][c]
    return total


def further_in_eta_plus_phi(half):
    """Phase1L1TJetProducer: strict above and to the right of the anti-diagonal, and on its eta side."""
    offsets = itertools.product(range(-half, half + 1), repeat=2)
    return frozenset((d, p) for d, p in offsets if d + p > 0 or (d + p == 0 and d > 0))


# name: half of the search window, where the neighbour wins a tie, threshold in counts, GeV in a count
PUBLISHED = {
    "cms-l1-jet": (4, further_in_eta_plus_phi(4), lambda count: count >= 8, 0.5),  # floor(4 GeV / 0.5 GeV)
    "cms-phase2-jet": (3, further_in_eta_plus_phi(3), lambda et: et >= 5, 1),
    "cms-hgcal-tpg": (1, {(-1, 0), (0, -1), (1, -1), (-1, -1)}, lambda e: e > 0, 1),
    "lhcb-calo": (1, NOWHERE, lambda e: e > 0, 1),
    "lhcb-allen": (1, EVERYWHERE, lambda adc: adc >= 50, 1),
    "belle2-ecl": (1, NOWHERE, lambda mev: mev >= 10, 0.001),
    "sphenix-bemc": (1, lambda other, own: other > own, lambda mev: mev > 200, 0.001),
    "alice-tpc": (1, {(0, 1), (1, -1), (1, 0), (1, 1)}, lambda q: q > 3, 1),
    "heatmap-nms": (1, NOWHERE, lambda x: x > 0, 1),
    "kornia-nms": (1, EVERYWHERE, lambda x: x > 0, 1),
    "keras-3x3": (1, NOWHERE, lambda x: x > 0, 1),
    "crystal-3x3": (1, lambda other, own: other < own, lambda e: e > 0, 1),
    "crystal-5x5": (2, lambda other, own: other < own, lambda e: e > 0, 1),
}
SCALE = {"lhcb-allen": 20, "belle2-ecl": 4, "sphenix-bemc": 80, "cms-l1-jet": 3}


def events(name):
    """Return integer grids full of ties (sparse, dense, negative, plateaus), scaled to the threshold."""
    random = np.random.default_rng(sum(name.encode()))
    shape = (24, 18, 20)
    grids = [
        random.integers(0, 5, shape),
        random.poisson(0.2, shape) * random.integers(1, 6, shape),
        random.integers(-3, 4, shape),
        np.repeat(np.repeat(random.integers(0, 6, (24, 9, 10)), 2, axis=1), 2, axis=2),
    ]
    constant, ring, corner, seam = (np.zeros((1, *shape[1:]), int) for _ in range(4))
    constant += 5
    ring[0, 7, :] = 5
    corner[0, 0, 0] = corner[0, -1, -1] = 5
    seam[0, 4, 0] = seam[0, 4, -1] = 5
    return np.concatenate([*grids, constant, ring, corner, seam]) * SCALE.get(name, 1)


def test_every_preset_has_its_published_rule_here():
    assert set(PUBLISHED) == set(presets())


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
@pytest.mark.parametrize("number", ["integers", "floats"])
@pytest.mark.parametrize("periodic", [False, True], ids=["open", "closed_in_phi"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_finds_the_seeds_of_its_source(name, periodic, number, kernel):
    half, strict, passes, unit = PUBLISHED[name]
    settings, _ = preset(name)
    # 20 columns, the strips of the pile-up estimate have room on a closed axis
    grid = Grid(rows=Axis(n=18), cols=Axis(n=20, periodic=periodic), unit=unit)
    cells = events(name).astype(float if number == "floats" else int)
    settings = settings.model_copy(update={"kernel": kernel, "order": "position"})
    clusters = find_clusters(cells, settings, grid, fields=["row", "col", "sum"])
    for event, found in zip(cells.tolist(), clusters.to_list(), strict=True):
        expected = seeds(event, half, strict, passes, periodic)
        assert [(cluster["row"], cluster["col"]) for cluster in found] == expected


@pytest.mark.parametrize(
    ("name", "half"),
    [("cms-l1-jet", 4), ("cms-phase2-jet", 3), ("crystal-3x3", 1), ("crystal-5x5", 2), ("keras-3x3", 1)],
)
def test_a_preset_that_says_so_has_the_sums_of_its_source(name, half):
    settings, _ = preset(name)
    grid = Grid(rows=Axis(n=18), cols=Axis(n=20, periodic=True), unit=PUBLISHED[name][3])
    cells = events(name)
    for event, found in zip(cells.tolist(), find_clusters(cells, settings, grid).to_list(), strict=True):
        for cluster in found:
            assert cluster["sum"] == window_sum(event, cluster["row"], cluster["col"], half, periodic=True)
