"""Clusters of hexagonal cells: their positions, of the seed and of all cells."""

import numpy as np
import pytest

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hexagons import Hexagons
from hep_peaksum.library.presets import preset
from hep_peaksum.settings.model import PeakSumSettings

SETTINGS, _ = preset("hexagon-7")
HEIGHT = 3**0.5 / 2  # of a row of hexagons, in pitches


def hexagonal(**keys):
    axes = {"rows": Axis(name="q", labels="-2..2"), "cols": Axis(name="r", labels="-2..2")}
    return Grid(**axes, hexagons=Hexagons(unit="mm", **keys))


def test_a_cluster_is_at_the_centre_of_its_seed():
    cells = np.zeros((1, 5, 5))
    cells[0, 3, 1] = 7  # q = 1, r = -1
    (cluster,) = find_clusters(cells, SETTINGS, hexagonal(pitch=10, origin=(100, 0)))[0]
    assert (cluster.x, cluster.y) == pytest.approx((105, -10 * HEIGHT))


def test_a_barycentre_is_the_mean_of_the_centres_of_the_cells():
    cells = np.zeros((1, 5, 5))
    cells[0, 2, 2], cells[0, 3, 1], cells[0, 2, 3] = 6, 3, 1  # the seed, a neighbour below it and one above
    settings = SETTINGS.model_copy(update={"position": "linear"})
    (cluster,) = find_clusters(cells, settings, hexagonal(pitch=10))[0]
    centres = np.array([(0, 0), (5, -10 * HEIGHT), (5, 10 * HEIGHT)])
    assert (cluster.x, cluster.y) == pytest.approx(tuple(np.average(centres, axis=0, weights=[6, 3, 1])))


def test_a_layer_that_is_searched_by_itself_has_its_shift():
    cells = np.zeros((2, 3, 5, 5))
    cells[:, :, 2, 2] = 4
    grid = hexagonal(layer_shifts=[(0, 0), (0.5, 0.25)])
    clusters = find_clusters(cells, SETTINGS, grid, layers="each")
    assert clusters.x.to_list() == [[0, 0.5, 0]] * 2
    assert clusters.y.to_list() == [[0, 0.25, 0]] * 2
    summed = find_clusters(cells, SETTINGS, grid)
    assert (summed.x.to_list(), summed.y.to_list()) == ([[0], [0]], [[0], [0]])


def test_cells_that_a_module_does_not_have_are_simply_empty():
    rng = np.random.default_rng(5)
    q, r = np.indices((5, 5)) - 2
    is_outside = np.abs(q + r) > 2
    cells = np.where(is_outside, 0, rng.integers(0, 3, (200, 5, 5)))
    empty, masked = (find_clusters(cells, SETTINGS, hexagonal(), mask=mask) for mask in (None, is_outside))
    for name in set(empty.fields) - {"n_cells"}:  # which counts what is in the window
        assert empty[name].to_list() == masked[name].to_list()
    settings = SETTINGS.model_copy(update={"cell_threshold": 1})
    empty, masked = (find_clusters(cells, settings, hexagonal(), mask=mask) for mask in (None, is_outside))
    assert empty.to_list() == masked.to_list()


@pytest.mark.parametrize("angle", [60, 120])
def test_a_cell_goes_to_the_nearest_seed_by_its_distance_on_the_plane(angle):
    rng = np.random.default_rng(8)
    cells = np.array([rng.permutation(144) + 1 for _ in range(10)]).reshape(10, 12, 12)
    grid = Grid(rows=Axis(n=12), cols=Axis(n=12), hexagons={"angle": angle})
    settings = PeakSumSettings(search_window=(5, 5), sum_window=(5, 5), overlap="nearest")
    for plane, clusters in zip(cells, find_clusters(cells, settings, grid), strict=True):
        row, col = np.indices((12, 12)).reshape(2, -1)
        centres = np.column_stack(grid.hexagon_centres(row, col))
        total = [0] * len(clusters)
        for r, c, centre in zip(row, col, centres, strict=True):
            holding = [
                (
                    round(float(np.hypot(*(centres[cluster.row * 12 + cluster.col] - centre))), 6),
                    -cluster.seed,
                    n,
                )
                for n, cluster in enumerate(clusters)
                if max(abs(cluster.row - r), abs(cluster.col - c)) <= 2
            ]
            if holding:
                total[min(holding)[2]] += int(plane[r, c])
        assert clusters.peak_sum.to_list() == total
