"""Layers of jagged hits: the same clusters, bit by bit, as from the dense layers that they fill."""

import itertools

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from hep_peaksum import PeakSumSettings, find_clusters, from_hits, peak_sum_map, sparse
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.geometry.hits import Hits

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
often = runs(some, max_examples=200)
PLANE, DEPTH = Grid(rows=Axis(n=5), cols=Axis(n=8, periodic=True), saturated=(9,)), Axis(labels="1..3")
PEAKS = ("peak_sum", "seed", "row", "col", "n_cells")
HOW = [
    {},
    {"tie_rule": "all", "cell_threshold": 0.2},
    {"overlap": "highest"},
    {"overlap": "proportional", "position": "log"},
    {"tie_rule": "greedy-residual"},
    {"seed_window": (3, 3), "max_clusters": 2},
    {"seed_threshold": 0, "seed_comparison": ">="},
    {"coarsen": (1, 2), "min_seed_gap": 0.5},
    {"group": "edges", "cell_threshold": 0.2},
]


@st.composite
def hits_in_layers(draw):
    """Row, column, layer and energy of the hits of a few events; some in one cell of a layer, some outside."""
    energies = st.integers(-2, 9) if draw(st.booleans()) else st.sampled_from([-1.5, 0.1, 0.2, 0.3, 1e9, 9.0])
    hit = st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 3), energies)
    events = draw(st.lists(st.lists(hit, max_size=60), min_size=1, max_size=4))
    columns = list(zip(*itertools.chain(*events), strict=True)) or [[]] * 4
    return [
        ak.unflatten(ak.Array(np.array(column, None if column else int)), [len(event) for event in events])
        for column in columns
    ]


def both(row, col, layer, energy, plane=PLANE):
    """Return hits in layers, as they are and as dense grids."""
    return (function(row, col, energy, plane, layer=layer, depth=DEPTH) for function in (sparse, from_hits))


def assert_same_clusters(hits, how, layers, fields, kernel):
    settings = PeakSumSettings.model_validate({"seed_threshold": 1, **how, "kernel": kernel})
    found, expected = (find_clusters(c, settings, PLANE, layers=layers, fields=fields) for c in both(*hits))
    assert ak.array_equal(found, expected, equal_nan=True)
    assert found.type.content == expected.type.content


CASES = {
    "hits": hits_in_layers(),
    "how": st.sampled_from(HOW),
    "layers": st.sampled_from(["sum", "each"]),
    "fields": st.sampled_from([None, PEAKS, (*PEAKS, "barycentre_col"), (*PEAKS, "n_saturated", "shared_sum")]),
}


@some
@given(**CASES)
@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_hits_in_layers_give_the_clusters_of_dense_layers(kernel, hits, how, layers, fields):
    assert_same_clusters(hits, how, layers, fields, kernel)


@pytest.mark.slow
@often
@given(**CASES)
@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_many_hits_in_layers_give_the_clusters_of_dense_layers(kernel, hits, how, layers, fields):
    assert_same_clusters(hits, how, layers, fields, kernel)


@some
@given(hits=hits_in_layers(), how=st.sampled_from([how for how in HOW if "coarsen" not in how]))
@pytest.mark.filterwarnings("ignore:.* hits lie outside the grid")
def test_every_layer_of_hits_has_its_sum(hits, how):
    assert_same_clusters(hits, how, "sum", ["peak_sum", "layer_sums"], "numba")
    settings = PeakSumSettings.model_validate({"seed_threshold": 1, **how})
    found, expected = (peak_sum_map(cells, settings, PLANE) for cells in both(*hits))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("layers", ["sum", "each"])
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_mask_and_noise_apply_to_hits_in_layers(kernel, layers):
    random = np.random.default_rng(5)
    counts = random.integers(0, 60, 9)
    row, col, layer = (ak.unflatten(random.integers(0, n, counts.sum()), counts) for n in (5, 8, 3))
    given_hits = list(both(row, col, layer + 1, ak.unflatten(random.random(counts.sum()), counts)))
    shapes = [(5, 8), (9, 3, 5, 8), (27, 5, 8), (3, 5, 8)] if layers == "each" else [(5, 8), (9, 5, 8)]
    settings = PeakSumSettings(seed_threshold="2 sigma", kernel=kernel)
    for shape in shapes:
        maps = {"mask": random.random(shape) < 0.2, "noise": random.random(shape) + 0.1}
        found, expected = (find_clusters(c, settings, PLANE, layers=layers, **maps) for c in given_hits)
        assert ak.array_equal(found, expected)
        assert ak.sum(ak.num(found)) > 5


def test_layers_are_searched_without_dense_grids(monkeypatch, kernel):
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1: layers are added in their order, not in that of the hits."""

    def dense(self):
        raise AssertionError

    monkeypatch.setattr(Hits, "dense", dense)
    layer, energy = ak.Array([[3, 1, 2, 1], []]), ak.Array([[0.3, 0.05, 0.2, 0.05], []])
    place = ak.zeros_like(layer)
    plane = Grid(rows=Axis(n=200), cols=Axis(n=300))
    hits = sparse(place, place, energy, plane, layer=layer, depth=DEPTH)
    settings = PeakSumSettings(seed_threshold=0.01, kernel=kernel)
    assert find_clusters(hits, settings).peak_sum.to_list() == [[(0.05 + 0.05) + 0.2 + 0.3], []]
    each = find_clusters(hits, settings, layers="each", fields=["layer", "peak_sum"])
    assert each.to_list() == [
        [{"layer": n, "peak_sum": v} for n, v in ((2, 0.3), (1, 0.2), (0, 0.1))],
        [],
    ]


@pytest.mark.parametrize("layers", ["sum", "each"])
def test_a_hit_that_is_not_finite_is_named_by_event_and_cell(layers):
    row, layer = ak.Array([[0], [1, 0]]), ak.Array([[2], [3, 1]])
    hits = sparse(row, row + 1, ak.Array([[1.0], [np.nan, 2.0]]), PLANE, layer=layer, depth=DEPTH)
    with pytest.raises(EventError, match=r"event 1: cell \(row 1, col 2\) is nan"):
        find_clusters(hits, PeakSumSettings(seed_threshold=0.5), PLANE, layers=layers)
    masked = find_clusters(hits, PeakSumSettings(seed_threshold=0.5, nonfinite="mask"), PLANE, layers=layers)
    assert masked.peak_sum.to_list() == [[1], [2]]


def test_hits_without_layers_cannot_be_searched_layer_by_layer():
    hits = sparse([[1]], [[2]], [[5]], PLANE)
    with pytest.raises(ValueError, match=r"^layers 'each' needs grids of shape \(event, layer, row, col\)"):
        find_clusters(hits, layers="each")
