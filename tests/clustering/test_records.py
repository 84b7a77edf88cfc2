"""Clusters of several grids and several tables in one collection."""

import math
from itertools import pairwise

import numpy as np
import pytest
from clustering_problems import (
    index_grid,
)
from eta_phi import ETA_PHI, PHI, VECTOR, shower
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cluster_table, jagged_clusters

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def both(em, had, settings=None, units=(1.0, 1.0), names=("peak_sum", "row", "col", "energy"), grids=None):
    """Return the clusters of two calorimeters as one collection."""
    settings = settings or PeakSumSettings()
    planes = grids or [
        index_grid(np.shape(cells), unit=unit) for cells, unit in zip((em, had), units, strict=True)
    ]
    parts = [find_peaks(cells, settings, grid) for cells, grid in zip((em, had), planes, strict=True)]
    return jagged_clusters([cluster_table(parts, names)], settings)


def test_clusters_of_two_calorimeters_are_one_list_tagged_with_the_grid():
    clusters = both([[[5, 0, 0, 9]], [[0, 0, 0, 0]]], [[[7], [0]], [[0], [3]]])
    assert clusters.fields == ["peak_sum", "row", "col", "energy", "grid"]
    assert clusters.peak_sum.to_list() == [[9, 7, 5], [3]]
    assert clusters.grid.to_list() == [[0, 1, 0], [1]]
    assert clusters.row.to_list() == [[0, 0, 0], [1]]
    assert clusters.col.to_list() == [[3, 0, 0], [0]]
    assert str(clusters.grid.type) == "2 * var * int32"


def test_the_clusters_of_one_grid_have_no_grid_field():
    settings = PeakSumSettings()
    assert jagged_clusters([cluster_table([find_peaks([[[1]]], settings)], ["peak_sum"])], settings).fields == [
        "peak_sum"
    ]


def test_clusters_of_several_grids_are_ranked_by_energy_not_by_counts():
    clusters = both([[[900, 0, 0, 2000]]], [[[1]]], units=("1 MeV", "1 GeV"))
    assert clusters.energy.to_list() == [[2.0, 1.0, 0.9]]
    assert clusters.peak_sum.to_list() == [[2000, 1, 900]]
    assert clusters.grid.to_list() == [[0, 1, 0]]


def test_the_most_energetic_of_all_grids_are_kept():
    two = PeakSumSettings(max_clusters=2)
    clusters = both([[[900, 0, 0, 2000]], [[10, 0, 0, 0]]], [[[1]], [[5]]], two, units=("1 MeV", "1 GeV"))
    assert clusters.energy.to_list() == [[2.0, 1.0], [5.0, 0.01]]
    in_place = both(
        *([[[900, 0, 0, 2000]]], [[[1]]]),
        two.model_copy(update={"order": "position"}),
        units=("1 MeV", "1 GeV"),
    )
    assert in_place.energy.to_list() == [[2.0, 1.0]]
    assert in_place.grid.to_list() == [[0, 1]]


@pytest.mark.parametrize(
    ("units", "quantity", "kept"),
    [
        pytest.param((None, None), "energy", (0, 3), id="counts"),
        pytest.param(("1 MeV", "1 GeV"), "energy", (1, 0), id="energies"),
        pytest.param(("1 MeV", "1 GeV"), "significance", (0, 3), id="significances"),
    ],
)
def test_the_highest_seed_of_all_grids_is_kept(units, quantity, kept):
    settings = PeakSumSettings(max_clusters=1, max_clusters_by="seed", quantity=quantity)
    grids = [index_grid((1, 1, n), unit=unit) for n, unit in zip((4, 1), units, strict=True)]
    cells = [[[5, 0, 0, 9]]], [[[7]]]
    parts = [
        find_peaks(each, settings, grid, noise=np.ones(grid.shape))
        for each, grid in zip(cells, grids, strict=True)
    ]
    (cluster,) = jagged_clusters([cluster_table(parts, ["col"])], settings)[0]
    assert (cluster.grid, cluster.col) == kept


def test_in_the_order_of_position_the_grids_follow_each_other():
    clusters = both([[[5, 0, 0, 9]]], [[[7]]], PeakSumSettings(order="position"))
    assert list(zip(clusters.grid[0], clusters.col[0], strict=True)) == [(0, 0), (0, 3), (1, 0)]


def test_equal_energies_of_several_grids_stand_in_the_order_of_the_grids():
    clusters = both([[[5, 0, 0, 5]]], [[[5]]])
    assert list(zip(clusters.grid[0], clusters.col[0], strict=True)) == [(0, 0), (0, 3), (1, 0)]


def test_integer_and_floating_calorimeters_in_one_collection():
    clusters = both(np.array([[[5]]]), np.array([[[2.5]]], np.float32))
    assert clusters.peak_sum.to_list() == [[5.0, 2.5]]
    assert str(clusters.peak_sum.type) == "1 * var * float64"


def test_calorimeters_without_clusters_in_one_collection():
    nothing = both(np.zeros((2, 1, 4)), np.zeros((2, 2, 2)))
    something = both(np.ones((2, 1, 4)), np.ones((2, 2, 2)))
    assert nothing.to_list() == [[], []]
    assert str(nothing.type) == str(something.type)
    assert both(np.zeros((0, 1, 4)), np.zeros((0, 2, 2))).to_list() == []


def test_clusters_of_a_barrel_and_a_forward_calorimeter_are_four_vectors_together():
    forward = Grid(rows=Axis(name="eta", bins=2, start=3, stop=5), cols=PHI, quantity="energy")
    barrel = Grid(**ETA_PHI, quantity="et")
    clusters = both(
        shower(barrel.shape, 0, 0, 3.0),
        shower(forward.shape, 1, 0, 200.0),
        None,
        names=VECTOR,
        grids=[barrel, forward],
    )
    assert clusters.fields == [*VECTOR, "grid"]
    assert clusters.eta.to_list() == [[4.5, -1.5]]
    assert clusters.pt.to_list() == [[pytest.approx(200 / math.cosh(4.5)), 3.0]]
    assert (clusters[:, 0] + clusters[:, 1]).energy.to_list() == [pytest.approx(200 + 3 * math.cosh(1.5))]


@some
@given(
    em=hnp.arrays(np.int64, (5, 2, 5), elements=st.integers(-3, 9)),
    had=hnp.arrays(np.int64, (5, 4, 2), elements=st.integers(-3, 9)),
    cut=st.sets(st.integers(0, 5)),
    most=st.none() | st.integers(1, 3),
    order=st.sampled_from(["sum", "position"]),
)
def test_consecutive_tables_give_the_clusters_of_one(em, had, cut, most, order):
    settings, names = PeakSumSettings(max_clusters=most, order=order), ("peak_sum", "row", "col")
    for planes in ([em], [em, had]):
        tables = [
            cluster_table([find_peaks(cells[first:last], settings) for cells in planes], names)
            for first, last in pairwise([0, *sorted(cut), 5])
        ]
        whole = jagged_clusters(
            [cluster_table([find_peaks(cells, settings) for cells in planes], names)], settings
        )
        in_parts = jagged_clusters(tables, settings)
        assert in_parts.to_list() == whole.to_list()
        assert in_parts.type == whole.type


@some
@given(
    em=hnp.arrays(np.int64, (3, 2, 5), elements=st.integers(-3, 9)),
    had=hnp.arrays(np.int64, (3, 4, 2), elements=st.integers(-3, 9)),
    most=st.none() | st.integers(1, 3),
)
def test_a_collection_of_two_grids_is_both_collections_in_order(em, had, most):
    clusters = both(em, had, PeakSumSettings(max_clusters=most), units=(0.25, 2.0))
    each = [find_clusters(c, None, index_grid(c.shape, unit=u)).to_list() for c, u in ((em, 0.25), (had, 2.0))]
    expected = [
        sorted(
            [(-c["energy"], n, c["row"], c["col"]) for n, clusters in enumerate(pair) for c in clusters],
        )[:most]
        for pair in zip(*each, strict=True)
    ]
    assert [
        [(-c["energy"], c["grid"], c["row"], c["col"]) for c in event] for event in clusters.to_list()
    ] == expected
