"""The times of clusters: means of those of their hits, weighted with energy, by plain loops."""

import math

import awkward as ak
import numpy as np
import pytest

from hep_peaksum import block_sizes
from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.geometry.hits import sparse

PLANE = bare_grid((1, 5))
# 2 and 3 GeV in the seed at 10 and 20 ns, 1 GeV beside it at 4 ns, 4 GeV far away at -7 ns, one outside
ROW = ak.Array([[0, 0, 0, 0, 7], []])
COL = ak.Array([[1, 1, 0, 4, 0], []])
E = ak.Array([[2.0, 3, 1, 4, 9], []])
T = ak.Array([[10.0, 20, 4, -7, 99], []])


def test_a_cluster_has_the_mean_time_of_its_hits_and_of_its_seed():
    clusters = find_clusters(
        sparse(ROW, COL, E, PLANE, time=T), grid=PLANE, fields=["peak_sum", "time", "seed_time"]
    )
    assert clusters.peak_sum.to_list() == [[6, 4], []]
    assert clusters.time[0].to_list() == pytest.approx([(2 * 10 + 3 * 20 + 1 * 4) / 6, -7])
    assert clusters.seed_time[0].to_list() == pytest.approx([(2 * 10 + 3 * 20) / 5, -7])


def test_integer_energies_have_times_too():
    hits = sparse(ROW, COL, ak.values_astype(E, "int16"), PLANE, time=ak.values_astype(T, "int32"))
    assert find_clusters(hits, grid=PLANE, fields=["time"]).time[0].to_list() == pytest.approx([14, -7])


def test_hits_without_times_have_no_such_field():
    for name in ("time", "seed_time"):
        with pytest.raises(ValueError, match=f"field '{name}' needs the time of hits: give time to the hits"):
            find_clusters(sparse(ROW, COL, E, PLANE), grid=PLANE, fields=[name])


RANDOM = np.random.default_rng(5)
N_EVENTS, ROWS, COLS, LAYERS = 6, 7, 9, 3
N_HITS = RANDOM.integers(0, 60, N_EVENTS)


def jagged(values):
    return ak.unflatten(values, N_HITS)


HITS = {
    "row": jagged(RANDOM.integers(0, ROWS, N_HITS.sum())),
    "col": jagged(RANDOM.integers(0, COLS, N_HITS.sum())),
    "energy": jagged(RANDOM.exponential(3, N_HITS.sum())),
    "layer": jagged(RANDOM.integers(0, LAYERS, N_HITS.sum())),
    "time": jagged(RANDOM.normal(0, 5, N_HITS.sum())),
}
RING = Grid(rows=Axis(n=ROWS), cols=Axis(n=COLS, periodic=True))


def plain_time(event, row, col, reach, layer=None):
    """Return the weighted mean time of the hits of an event within a reach of a cell, across the seam."""
    energy = moment = 0.0
    hits = zip(
        *(HITS[word][event].to_list() for word in ("row", "col", "energy", "time", "layer")), strict=True
    )
    for r, c, e, t, own in hits:
        steps = abs(c - col)
        if (
            abs(r - row) <= reach
            and min(steps, COLS - steps) <= reach
            and own == (own if layer is None else layer)
        ):
            energy, moment = energy + e, moment + e * t
    return moment / energy


@pytest.mark.parametrize(
    "settings", [{}, {"kernel": "scipy"}, {"nonfinite": "mask"}, {"tie_rule": "greedy"}], ids=str
)
@pytest.mark.parametrize("layers", ["none", "sum", "each"])
@pytest.mark.parametrize("cells_at_once", [1 << 18, 1], ids=["together", "one_by_one"])
def test_times_are_those_of_plain_loops(monkeypatch, layers, settings, cells_at_once):
    monkeypatch.setattr(block_sizes, "DENSE_CELLS", cells_at_once)
    hits = dict(HITS)
    depth = None if layers == "none" else Axis(n=LAYERS)
    if layers == "none":
        hits.pop("layer")
    cells = sparse(hits.pop("row"), hits.pop("col"), hits.pop("energy"), RING, depth=depth, **hits)
    fields = ["row", "col", "time", "seed_time", *(["layer"] if layers == "each" else [])]
    settings = {"seed_threshold": 1.0, **settings}
    clusters = find_clusters(cells, settings, RING, fields=fields, layers="each" if layers == "each" else "sum")
    assert ak.sum(ak.num(clusters)) > 10
    for event, own in enumerate(clusters):
        for each in own.to_list():
            layer = each.get("layer")
            assert each["time"] == pytest.approx(plain_time(event, each["row"], each["col"], 1, layer))
            assert each["seed_time"] == pytest.approx(plain_time(event, each["row"], each["col"], 0, layer))


def test_a_cell_that_another_cluster_holds_lends_no_time():
    """Two seeds share the cell between them, which goes to the higher one."""
    row, col = ak.Array([[0, 0, 0]]), ak.Array([[0, 1, 2]])
    energy, time = ak.Array([[5.0, 1, 4]]), ak.Array([[10.0, 40, 20]])
    hits = sparse(row, col, energy, PLANE, time=time)
    settings = {"search_window": [1, 1], "sum_window": [1, 3], "seed_threshold": 2}
    clusters = find_clusters(hits, {**settings, "overlap": "highest"}, PLANE, fields=["time"])
    assert clusters.time[0].to_list() == pytest.approx([(50 + 40) / 6, 20])
    clusters = find_clusters(hits, {**settings, "overlap": "equal"}, PLANE, fields=["time"])
    assert clusters.time[0].to_list() == pytest.approx([(50 + 20) / 5.5, (80 + 20) / 4.5])


@pytest.mark.parametrize(("pool_by", "expected"), [("sum", (2 * 10 + 3 * 20 + 4) / 6), ("max", 16)])
def test_towers_have_the_times_of_their_cells(pool_by, expected):
    settings = {"coarsen": [1, 2], "pool_by": pool_by, "allow_partial_towers": True, "sum_over": "towers"}
    settings |= {"search_window": [1, 1], "sum_window": [1, 1], "seed_threshold": 1}
    hits = sparse(ROW, COL, E, PLANE, time=T)
    clusters = find_clusters(hits, settings, PLANE, fields=["time", "seed_time"])
    assert clusters.time[0].to_list() == pytest.approx([expected, -7])
    assert clusters.seed_time[0].to_list() == clusters.time[0].to_list()


def test_a_sum_of_nothing_has_no_time():
    hits = sparse(
        ak.Array([[0, 0]]), ak.Array([[0, 1]]), ak.Array([[2.0, -2]]), PLANE, time=ak.Array([[1.0, 1]])
    )
    (time,) = find_clusters(hits, grid=PLANE, fields=["time"]).time[0]
    assert math.isnan(time)


@pytest.mark.parametrize("masked", ["absent", "zero"])
@pytest.mark.parametrize("pool_by", ["sum", "max"])
def test_the_hits_of_a_masked_cell_give_its_tower_no_time(masked, pool_by):
    col, energy, time = ak.Array([[0, 1, 4]]), ak.Array([[3.0, 2, 1]]), ak.Array([[10.0, 20, 30]])
    hits = sparse(ak.zeros_like(col), col, energy, PLANE, time=time)
    settings = {"coarsen": [1, 2], "pool_by": pool_by, "allow_partial_towers": True, "masked": masked}
    clusters = find_clusters(
        hits, settings, PLANE, mask=[[True, False, False, False, False]], fields=["time", "seed_time"]
    )
    assert clusters.to_list() == [[{"time": 20, "seed_time": 20}, {"time": 30, "seed_time": 30}]]
