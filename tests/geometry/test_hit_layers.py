"""Hits in layers: placed by the label, index or coordinate of their layer, counted where they have none."""

import itertools
import math
from collections import Counter

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum import block_sizes, find_clusters, from_hits, sparse
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid

TWO_BY_THREE, TWELVE = bare_grid((2, 3)), Axis(labels="1..12")
ROW, COL, ENERGY = ak.Array([[0, 1, 0], [1]]), ak.Array([[2, 0, 2], [1]]), ak.Array([[3, 4, 5], [6]])


def added_by_loops(events, n_layers, shape):
    """Return cells (event, layer, row, col) of events of hits (layer, row, col, value), added as they come."""
    cells = [[[[0] * shape[1] for _ in range(shape[0])] for _ in range(n_layers)] for _ in events]
    for event, hits in enumerate(events):
        for layer, row, col, value in hits:
            cells[event][layer][row][col] += value
    return cells


@pytest.mark.parametrize(
    ("depth", "layer"),
    [
        pytest.param(Axis(n=2), [[0, 1, 0], [1]], id="indices"),
        pytest.param(Axis(labels="7, 3"), [[7, 3, 7], [3]], id="labels"),
        pytest.param(Axis(edges=(0, 10, 40), unit="mm"), [[9.9, 10.0, 0.0], [39]], id="a_coordinate"),
    ],
)
def test_hits_are_placed_by_their_layer(depth, layer):
    hits = sparse(ROW, COL, ENERGY, TWO_BY_THREE, layer=ak.Array(layer), depth=depth)
    first, second = [[[0, 0, 8], [0, 0, 0]], [[0, 0, 0], [4, 0, 0]]], [[[0] * 3] * 2, [[0, 0, 0], [0, 6, 0]]]

    assert hits.dense().tolist() == [first, second]
    assert (len(hits), hits.shape, hits.n_outside) == (2, (2, 2, 2, 3), 0)
    grids = from_hits(ROW, COL, ENERGY, TWO_BY_THREE, layer=ak.Array(layer), depth=depth)
    assert grids.tolist() == [first, second]


def test_hits_of_unknown_layers_are_outside_and_counted():
    layer = ak.Array([[1, 13, 0], [12]])
    with pytest.warns(UserWarning, match=r"^2 hits lie outside the grid of \(2, 3\) cells in 12 layers and"):
        grids = from_hits(ROW, COL, ENERGY, TWO_BY_THREE, layer=layer, depth=TWELVE)
    assert [tuple(place) for place in np.argwhere(grids)] == [(0, 0, 0, 2), (1, 11, 1, 1)]
    assert sparse(ROW, COL, ENERGY, TWO_BY_THREE, layer=layer, depth=TWELVE).n_outside == 2


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_many_hits_are_those_of_plain_loops(monkeypatch, dtype):
    """Hits in no order, several in a cell of a layer, some without one; placed in small blocks."""
    monkeypatch.setattr(block_sizes, "HITS", 7)
    random, counts = np.random.default_rng(2), [0, 40, 3, 0, 25]
    values = (random.integers(-3, 99, sum(counts)) / 7).astype(dtype)
    row, col, layer = (random.integers(0, n, sum(counts)) for n in (2, 3, 6))
    given, hits = ak.unflatten, iter(zip(layer, row, col, values.tolist(), strict=True))
    events = [
        [(k - 1, i, j, v) for k, i, j, v in (next(hits) for _ in range(n)) if 1 <= k <= 4] for n in counts
    ]

    depth = Axis(labels="1..4")
    columns = (given(column, counts) for column in (row, col, values))
    placed = sparse(*columns, TWO_BY_THREE, layer=given(layer, counts), depth=depth)
    assert placed.dense().tolist() == added_by_loops(events, 4, (2, 3))
    assert placed.n_outside == sum(counts) - sum(map(len, events)) > 5


def test_no_events_have_layers():
    none = ak.Array(np.empty((0, 0)))
    assert from_hits(none, none, none, TWO_BY_THREE, layer=none, depth=TWELVE).shape == (0, 12, 2, 3)
    empty = ak.Array([[]])
    hits = sparse(empty, empty, empty, TWO_BY_THREE, layer=empty, depth=TWELVE)
    assert find_clusters(hits, {"seed_threshold": 1}, layers="each").layer.to_list() == [[]]


@pytest.mark.parametrize(
    ("more", "error", "problem"),
    [
        ({"layer": ROW}, ValueError, r"^layer without depth: give depth, an Axis, or neither$"),
        ({"depth": TWELVE}, ValueError, r"^depth without layer: give layer, one for every hit, or neither$"),
        ({"layer": ROW, "depth": 12}, TypeError, r"^depth is 12, expected an Axis: write Axis\(n=12\)"),
        ({"layer": ROW[:1], "depth": TWELVE}, ValueError, r"^row, col, energy and layer have 2 events, .*1 ev"),
        ({"layer": [[1, 1], [1]], "depth": TWELVE}, EventError, r"^event 0: layer has 2, energy has 3 val"),
        ({"layer": [1, 1], "depth": TWELVE}, ValueError, r"^layer has one number for every event, expected a"),
        ({"layer": [[1, 2, None], [1]], "depth": TWELVE}, EventError, r"^event 0: layer is None for a hit"),
    ],
)
@pytest.mark.parametrize("function", [sparse, from_hits])
def test_layers_that_do_not_fit_are_refused_in_one_line(function, more, error, problem):
    with pytest.raises(error, match=problem):
        function(ROW, COL, ENERGY, TWO_BY_THREE, **more)


def test_fibres_of_a_barrel_have_twelve_layers_in_depth(data):
    """EIC's ScFi barrel: bits 14 to 19 of the cell id are the layer, from 1 at the inner radius to 12."""
    with uproot.open(data("eic_test_sim.edm4hep.root")) as file:
        (names,), (values,) = (file["metadata"][f"GPString{word}"].array() for word in ("Keys", "Values"))
        assert "layer:14:6" in values[names.tolist().index("EcalBarrelScFiHits__CellIDEncoding")][0]
        tree, begin = file["events"], "EcalBarrelScFiHits/EcalBarrelScFiHits."
        words = ("cellID", "energy", "position.x", "position.y", "position.z")
        cell_id, energy, x, y, z = (tree[begin + word].array() for word in words)
    layer = cell_id // 2**14 % 2**6
    rho = np.hypot(x, y)
    eta, phi = np.arcsinh(z / rho), np.arctan2(y, x)
    plane = Grid(
        rows=Axis(name="eta", bins=60, start=-1.5, stop=1.5),
        cols=Axis(name="phi", bins=120, start="-pi", stop="pi", periodic=True),
    )
    hits = sparse(eta, phi, energy, plane, layer=layer, depth=TWELVE)

    radii, cells = [[] for _ in range(12)], {}
    for event, ids in enumerate(cell_id.tolist()):
        for n, each in enumerate(ids):
            k, value = (each >> 14 & 63) - 1, float(energy[event, n])
            row, col = int((eta[event, n] + 1.5) / 0.05), int((phi[event, n] + math.pi) / (math.pi / 60))
            place = event, k, row, col
            cells[place] = cells.get(place, 0.0) + value
            radii[k].append(float(rho[event, n]))
    means = [sum(each) / len(each) for each in radii]
    assert (sum(map(len, radii)), hits.n_outside) == (2091, 0)
    assert means == sorted(means)
    assert (round(min(radii[0])), round(max(radii[-1]))) == (848, 1188)
    behind = Counter((event, row, col) for event, _, row, col in cells)
    assert max(behind.values()) >= 5  # cells behind each other are one in eta and phi
    dense = hits.dense()
    assert {tuple(place): dense[tuple(place)] for place in np.argwhere(dense).tolist()} == cells

    clusters = find_clusters(
        hits, {"seed_threshold": 0.0005, "sum_window": (5, 5)}, plane, fields=["row", "col", "layer_sums"]
    )
    assert min(ak.num(clusters)) >= 1
    for event, found in enumerate(clusters.to_list()):
        for each in found:
            expected = [0.0] * 12
            for d, p in itertools.product(range(-2, 3), repeat=2):
                place = each["row"] + d, (each["col"] + p) % 120
                expected = [e + cells.get((event, k, *place), 0.0) for k, e in enumerate(expected)]
            assert each["layer_sums"] == expected
