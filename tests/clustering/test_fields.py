"""The table of cluster fields: pictures of each, the pile-up by the definition, and the four-vectors."""

import math
from itertools import pairwise

import awkward as ak
import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import Problem, problems

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, named_grid
from hep_peaksum.clustering.fields import FIELDS, check_fields, default_fields, fields_of
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cluster_table, jagged_clusters
from hep_peaksum.geometry.grid import bare_grid

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def one(cells, name, settings=None, grid=None, **options):
    """Return one field of the clusters of one event, in the order of position."""
    settings = (settings or PeakSumSettings()).model_copy(update={"order": "position"})
    return find_clusters([cells], settings, grid, fields=[name], **options)[name].to_list()[0]


def plane(shape, periodic=(False, False), **more):
    (n_rows, n_cols), (rows, cols) = shape[-2:], periodic
    return Grid(rows=Axis(n=n_rows, periodic=rows), cols=Axis(n=n_cols, periodic=cols), **more)


def asked(problem, **more):
    """Return the settings and the grid of a problem."""
    given_rule = {} if problem.tie_rule == "drawn" else {"tie_rule": problem.tie_rule}
    settings = PeakSumSettings(
        search_window=problem.search_window,
        sum_window=problem.sum_window,
        seed_threshold=problem.threshold,
        seed_comparison=problem.comparison,
        cell_threshold=problem.cell_threshold,
        **given_rule,
        **more,
    )
    return settings, plane(problem.grids.shape, problem.periodic)


# -------------------------------------------------------------------------------------------- what is summed


@pytest.mark.parametrize(
    ("cells", "shared"),
    [
        pytest.param([[0, 9, 0, 0, 9, 0]], [0, 0], id="windows_side_by_side"),
        pytest.param([[0, 9, 4, 9, 0, 0]], [4, 4], id="one_cell_between_two_showers"),
        pytest.param([[9, 4, 9, 4, 9]], [4, 8, 4], id="the_middle_one_shares_both_sides"),
        pytest.param([[0, 9, 0]], [0], id="alone"),
        pytest.param(
            [
                [7, 1, 7],
                [2, 3, 2],
                [7, 1, 7],
            ],
            [1 + 2 + 3] * 4,
            id="a_cell_in_four_windows_counts_once",
        ),
    ],
)
def test_the_shared_sum_is_what_another_window_holds_too(cells, shared):
    assert one(cells, "shared_sum") == shared


def test_cells_below_the_cell_threshold_are_not_shared():
    cells = [[0, 9, 1, 9, 0], [0, 0, 3, 0, 0]]
    assert one(cells, "shared_sum") == [4, 4]
    assert one(cells, "shared_sum", PeakSumSettings(cell_threshold=2)) == [3, 3]


def test_clusters_of_different_events_share_nothing():
    shared = find_clusters([[[0, 9, 4]], [[4, 9, 0]]], fields=["shared_sum"])
    assert shared.shared_sum.to_list() == [[0], [0]]


def test_showers_across_the_seam_share_the_cell_between_them():
    assert one([[9, 0, 0, 0, 9, 4]], "shared_sum", None, plane((1, 6), (False, True))) == [4, 4]
    assert one([[9, 0, 0, 0, 9, 4]], "shared_sum") == [0, 0]


def test_a_masked_cell_is_not_shared():
    assert one([[9, 4, 9]], "shared_sum", mask=[[False, True, False]]) == [0, 0]


def test_a_cluster_that_max_clusters_removes_still_shares():
    """The field says how the sum came about, and the removed window held those cells."""
    clusters = find_clusters([[[9, 4, 8]]], PeakSumSettings(max_clusters=1), fields=["shared_sum"])
    assert clusters.shared_sum.to_list() == [[4]]


@some
@given(problem=problems(), masked=st.sampled_from(("absent", "zero")))
def test_the_shared_sum_is_that_of_the_cells_held_twice(problem, masked):
    problem = problem.given(grids=np.rint(problem.grids * 8).astype(np.int64))
    settings, grid = asked(problem, masked=masked, order="position")
    clusters = find_clusters(
        problem.grids, settings, grid, mask=problem.mask, fields=["row", "col", "shared_sum"]
    )
    expected = []
    for cells, dead, event in zip(problem.grids, problem.mask, clusters.to_list(), strict=True):
        held = [held_cells(problem, cells, dead, masked, c["row"], c["col"]) for c in event]
        every = [place for window in held for place in window]
        expected.append([sum(v for place, v in w.items() if every.count(place) > 1) for w in held])

    assert clusters.shared_sum.to_list() == expected


def held_cells(problem, cells, dead, masked, row, col):
    """Return {place: value} of the cells that are added to the sum about (row, col)."""
    held = {}
    for offset in oracle.read_window(problem.sum_window):
        place = oracle.neighbour(cells.tolist(), row, col, offset, problem.periodic)
        if place is None or (dead[place] and masked == "absent"):
            continue
        value = 0 if dead[place] else int(cells[place])
        if problem.cell_threshold is None or value >= problem.cell_threshold:
            held[place] = value
    return held


@pytest.mark.parametrize(
    ("periodic", "on_edge"),
    [
        pytest.param((False, False), [[True, True, True], [True, False, True], [True, True, True]], id="open"),
        pytest.param((False, True), [[True] * 3, [False] * 3, [True] * 3], id="closed_in_columns"),
        pytest.param((True, False), [[True, False, True]] * 3, id="closed_in_rows"),
        pytest.param((True, True), [[False] * 3] * 3, id="closed_in_both"),
    ],
)
def test_a_cluster_is_on_the_edge_if_its_window_reaches_beyond(periodic, on_edge):
    for row, col in np.ndindex(3, 3):
        cells = np.zeros((3, 3), int)
        cells[row, col] = 1
        assert one(cells, "on_edge", None, plane((3, 3), periodic)) == [on_edge[row][col]]


def test_a_drawn_window_is_on_the_edge_only_where_it_has_cells():
    up = PeakSumSettings(sum_window="x\no")
    assert one([[0, 0], [0, 1]], "on_edge", up) == [False]
    assert one([[0, 1], [0, 0]], "on_edge", up) == [True]


def test_masked_cells_of_the_window_are_counted():
    dead = np.array([[True, True, False, True], [False, True, False, True]])
    cells = [[0, 0, 0, 0], [0, 0, 5, 0]]
    for masked in ("absent", "zero"):
        assert one(cells, "n_masked", PeakSumSettings(masked=masked), mask=dead) == [4]
        assert one(cells, "n_masked", PeakSumSettings(masked=masked), mask=dead & False) == [0]
    assert one(cells, "n_masked") == [0]


def test_masked_cells_beyond_the_edge_are_not_counted_and_across_the_seam_they_are():
    cells, dead = [[5, 0, 0, 0]], np.array([[False, False, False, True]])
    assert one(cells, "n_masked", mask=dead) == [0]
    assert one(cells, "n_masked", None, plane((1, 4), (False, True)), mask=dead) == [1]


def test_each_event_has_its_own_masked_cells():
    dead = np.array([[[True, False, True]], [[False, False, True]], [[False, False, False]]])
    clusters = find_clusters([[[0, 5, 0]]] * 3, mask=dead, fields=["n_masked"])
    assert clusters.n_masked.to_list() == [[2], [1], [0]]


def test_cells_that_are_not_finite_count_as_masked():
    settings = PeakSumSettings(nonfinite="mask")
    assert one([[np.nan, 5.0, np.inf]], "n_masked", settings) == [2]
    assert one([[np.nan, 5.0, np.inf]], "n_masked", settings, mask=[[True, False, False]]) == [2]


def test_n_cells_counts_the_cells_that_were_added():
    assert one([[0, 5, 0], [1, 0, 0]], "n_cells") == [6]
    assert one([[0, 5, 0], [1, 0, 0]], "n_cells", PeakSumSettings(cell_threshold=1)) == [2]
    assert one([[0, 5, 0], [1, 0, 0]], "n_cells", PeakSumSettings(cell_threshold=6)) == [0]


# ---------------------------------------------------------------------------------------------------- layers

TWO_LAYERS = np.array([[[[1, 0, 2], [0, 5, 0]], [[0, 7, 0], [3, 1, 4]]]])  # event, layer, row, col


def test_the_sum_of_every_layer():
    clusters = find_clusters(TWO_LAYERS, fields=["peak_sum", "seed", "layer_sums"])
    assert clusters.to_list() == [[{"peak_sum": 23, "seed": 7, "layer_sums": [8, 15]}]]


def test_the_sum_of_every_layer_has_the_cells_that_were_added():
    """The threshold is on the cell, all layers together, and so is the mask."""
    high = PeakSumSettings(cell_threshold=4)
    assert find_clusters(TWO_LAYERS, high, fields=["layer_sums"]).layer_sums.to_list() == [[[5, 12]]]
    dead = [[False, False, True], [False, False, False]]
    assert find_clusters(TWO_LAYERS, mask=dead, fields=["layer_sums"]).layer_sums.to_list() == [[[6, 15]]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_masked_cell_adds_to_no_layer(masked):
    dead = [[False, False, True], [False, False, False]]
    clusters = find_clusters(
        TWO_LAYERS, PeakSumSettings(masked=masked), mask=dead, fields=["peak_sum", "layer_sums"]
    )
    assert clusters.to_list() == [[{"peak_sum": 21, "layer_sums": [6, 15]}]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_a_layer_that_is_not_finite_and_masked_adds_to_no_layer(masked):
    layers = TWO_LAYERS.astype(float)
    layers[0, 0, 0, 2] = np.nan
    settings = PeakSumSettings(masked=masked, nonfinite="mask")
    clusters = find_clusters(layers, settings, fields=["peak_sum", "layer_sums"])
    assert clusters.to_list() == [[{"peak_sum": 21, "layer_sums": [6, 15]}]]


@pytest.mark.parametrize("masked", ["absent", "zero"])
@some
@given(problem=problems(), data=st.data())
def test_the_layers_of_a_cluster_add_to_its_sum(problem, data, masked):
    n_layers = data.draw(st.integers(1, 4))
    shape = (len(problem.grids), n_layers, *problem.grids.shape[1:])
    layers = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-3, 9)))
    layers = layers.astype(data.draw(st.sampled_from(("int16", "float32", "float64"))))
    settings, grid = asked(problem, masked=masked)
    clusters = find_clusters(layers, settings, grid, mask=problem.mask, fields=["peak_sum", "layer_sums"])

    assert str(clusters.layer_sums.type.content.content.content) == str(clusters.peak_sum.type.content.content)
    assert ak.sum(clusters.layer_sums, axis=-1).to_list() == clusters.peak_sum.to_list()


def test_layers_are_needed_for_the_sum_of_layers():
    with pytest.raises(
        ValueError, match=r"'layer_sums' needs layers: give grids of shape \(event, layer, row, col\)"
    ):
        find_clusters([[[1]]], fields=["layer_sums"])


# --------------------------------------------------------------------------------------------------- pile-up

DONUT = ["row", "col", "peak_sum", "chunky_donut", "net"]


def quiet_jet(strips):
    """Return 15x15 cells: a jet of 100 in the middle, its four 9x3 strips filled with these counts a cell."""
    cells = np.zeros((15, 15), int)
    below, above, left, right = strips
    cells[0:3, 3:12], cells[12:15, 3:12] = below, above
    cells[3:12, 0:3], cells[3:12, 12:15] = left, right
    cells[7, 7] = 100
    return cells


@pytest.mark.parametrize(
    ("strips", "estimate"),
    [
        pytest.param((1, 1, 1, 1), 81, id="uniform"),
        pytest.param((9, 1, 1, 1), 81, id="a_jet_below_is_left_out"),
        pytest.param((1, 9, 1, 1), 81, id="a_jet_above_is_left_out"),
        pytest.param((1, 1, 9, 1), 81, id="a_jet_to_the_left_is_left_out"),
        pytest.param((1, 1, 1, 9), 81, id="a_jet_to_the_right_is_left_out"),
        pytest.param((4, 3, 2, 1), 27 * 6, id="the_largest_is_left_out"),
        pytest.param((0, 0, 0, 0), 0, id="nothing_around"),
    ],
)
def test_the_chunky_donut_is_the_three_quietest_strips(strips, estimate):
    settings = PeakSumSettings(
        search_window=(9, 9), sum_window=(9, 9), seed_threshold=50, pileup=["chunky_donut"]
    )
    clusters = find_clusters([quiet_jet(strips)], settings, fields=["peak_sum", "chunky_donut", "net"])
    assert clusters.to_list() == [[{"peak_sum": 100, "chunky_donut": estimate, "net": 100 - estimate}]]
    assert str(clusters.type.content.content) == "{peak_sum: int64, chunky_donut: int64, net: int64}"


def test_strips_beyond_the_edge_are_empty():
    cells = np.ones((3, 9), int)
    cells[1, 4] = 5
    settings = PeakSumSettings(
        sum_window=(3, 3), search_window=(1, 1), seed_threshold=4, pileup=["chunky_donut"]
    )
    # the strips before and behind in rows do not exist; those beside are 3 rows x 3 columns of ones
    assert one(cells, "chunky_donut", settings) == [9 * (9 / 27)]


@pytest.mark.parametrize("half", [0, 1, 2, 4], ids=["1x1", "3x3", "5x5", "9x9"])
@some
@given(data=st.data())
def test_the_chunky_donut_is_that_of_the_definition_scaled_to_the_window(half, data):
    size, reach = 2 * half + 1, 2 * (half + 3) + 1
    periodic = data.draw(st.tuples(st.booleans(), st.booleans()))
    shape = tuple(data.draw(st.integers(reach if closed else 1, reach + 3)) for closed in periodic)
    dtype = data.draw(st.sampled_from(("int64", "float32", "float64")))
    cells = np.random.default_rng(data.draw(st.integers(0, 2**32))).normal(3, 2, (2, *shape))
    cells = (np.rint(cells) if data.draw(st.booleans()) or dtype == "int64" else cells).astype(dtype)
    settings = PeakSumSettings(
        search_window=(3, 3),
        sum_window=(size, size),
        seed_threshold=4,
        pileup=["chunky_donut"],
        kernel=data.draw(st.sampled_from(("numba", "scipy"))),
    )
    clusters = find_clusters(cells, settings, plane(shape, periodic), fields=DONUT)
    for event, records in zip(cells.tolist(), clusters.to_list(), strict=True):
        for record in records:
            estimate = oracle.chunky_donut(event, record["row"], record["col"], half, 3, periodic)
            if half != 4:
                estimate *= size * size / (3 * 3 * size)
            assert record["chunky_donut"] == estimate
            assert record["net"] == record["peak_sum"] - estimate


def test_a_masked_cell_is_not_in_the_pile_up():
    settings = PeakSumSettings(
        search_window=(9, 9), sum_window=(9, 9), seed_threshold=50, pileup=["chunky_donut"]
    )
    cells = quiet_jet((1, 1, 1, 1))
    dead = np.zeros((15, 15), bool)
    dead[0, 5] = True
    for masked in ("absent", "zero"):
        assert one(cells, "chunky_donut", settings.model_copy(update={"masked": masked}), mask=dead) == [80]


def test_pile_up_that_is_asked_for_stands_among_the_default_fields():
    settings = PeakSumSettings(pileup=["chunky_donut"])
    assert default_fields(settings, bare_grid((9, 9))) == (
        *("peak_sum", "seed", "row", "col", "n_cells", "chunky_donut", "net", "energy"),
    )


# ------------------------------------------------------------------------------------------- where and how much

ETA = Axis(name="eta", bins=4, start=-2, stop=2)
PHI = Axis(name="phi", bins=6, start=0, stop="2pi", periodic=True)
ETA_PHI, PHI_ETA = {"rows": ETA, "cols": PHI}, {"rows": PHI, "cols": ETA}
VECTOR = ["pt", "eta", "phi", "energy"]


def shower(shape, row, col, value=4.0):
    cells = np.zeros((1, *shape))
    cells[0, row, col] = value
    return cells


@pytest.mark.parametrize("axes", [ETA_PHI, PHI_ETA], ids=["eta_in_rows", "eta_in_columns"])
@pytest.mark.parametrize(
    ("quantity", "pt", "energy"),
    [
        pytest.param("et", 0.5 * 4, 0.5 * 4 * math.cosh(1.5), id="transverse_energy"),
        pytest.param("energy", 0.5 * 4 / math.cosh(1.5), 0.5 * 4, id="energy"),
    ],
)
def test_a_cluster_is_a_massless_four_vector_from_the_origin(axes, quantity, pt, energy):
    grid = Grid(**axes, quantity=quantity, unit=0.5)
    where = (3, 4) if axes is ETA_PHI else (4, 3)
    (cluster,) = find_clusters(shower(grid.shape, *where), None, grid, fields=VECTOR)[0]

    assert (cluster.eta, cluster.pt, cluster.energy) == (
        1.5,
        pytest.approx(pt, rel=1e-15),
        pytest.approx(energy),
    )
    assert cluster.phi == pytest.approx(1.5 * math.pi - 2 * math.pi)
    assert cluster.px == pytest.approx(pt * math.cos(1.5 * math.pi), abs=1e-12)
    assert cluster.py == pytest.approx(-pt)
    assert cluster.pz == pytest.approx(pt * math.sinh(1.5))
    assert cluster.mass == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("axis", "phi"),
    [
        pytest.param({"start": 0, "stop": "2pi"}, [45, 135, -135, -45], id="from_zero"),
        pytest.param({"start": "-pi", "stop": "pi"}, [-135, -45, 45, 135], id="from_minus_pi"),
        pytest.param({"start": "-pi/4", "stop": "7pi/4"}, [0, 90, 180, -90], id="a_cell_at_pi"),
        pytest.param({"start": "-9pi/4", "stop": "-pi/4"}, [0, 90, 180, -90], id="a_turn_below"),
        pytest.param({"start": "pi/4", "stop": "9pi/4"}, [90, 180, -90, 0], id="half_a_cell_on"),
    ],
)
def test_an_azimuth_lies_above_minus_pi_and_up_to_pi(axis, phi):
    grid = Grid(rows=ETA, cols=Axis(name="phi", bins=4, periodic=True, **axis))
    found = [
        find_clusters(shower(grid.shape, 0, col), None, grid, fields=["phi"]).phi[0, 0] for col in range(4)
    ]
    assert found == pytest.approx(np.radians(phi), abs=1e-12)
    assert all(-math.pi < value <= math.pi for value in found)


@given(start=st.floats(-10, 10), n=st.integers(1, 100))
def test_every_azimuth_lies_above_minus_pi_and_up_to_pi(start, n):
    edges = np.linspace(start, start + 2 * np.pi, n + 1).tolist()
    grid = Grid(rows=ETA, cols=Axis(name="phi", edges=edges))
    settings = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1))
    phi = find_clusters(np.ones((1, *grid.shape)), settings, grid, fields=["phi"]).phi.to_numpy()
    middle = (np.array(edges[1:]) + edges[:-1]) / 2

    assert ((phi > -np.pi) & (phi <= np.pi)).all()
    assert np.allclose(np.exp(1j * phi[0, :n]), np.exp(1j * middle), atol=1e-9)


@some
@given(
    cells=hnp.arrays(np.float64, (2, 4, 6), elements=st.floats(-5, 50)),
    quantity=st.sampled_from(("et", "energy")),
    unit=st.sampled_from((1.0, 0.5, "250 MeV")),
)
def test_the_kinematics_of_every_cluster(cells, quantity, unit):
    grid = Grid(**ETA_PHI, quantity=quantity, unit=unit)
    clusters = find_clusters(cells, None, grid, fields=["peak_sum", "row", "col", *VECTOR])
    flat = {name: ak.to_numpy(ak.flatten(clusters[name])) for name in clusters.fields}
    gev = flat["peak_sum"] * grid.unit

    assert flat["eta"].tolist() == (flat["row"] - 1.5).tolist()
    assert (flat["pt"] if quantity == "et" else flat["energy"]).tolist() == gev.tolist()
    np.testing.assert_allclose(flat["energy"], flat["pt"] * np.cosh(flat["eta"]), rtol=1e-15, atol=1e-300)


def test_two_clusters_add_as_four_vectors():
    grid = Grid(**ETA_PHI, quantity="et")
    cells = shower(grid.shape, 1, 0, 30) + shower(grid.shape, 1, 3, 30)
    clusters = find_clusters(cells, None, grid)
    both = clusters[:, 0] + clusters[:, 1]
    energy = 2 * 30 * math.cosh(-0.5)

    assert ak.num(clusters).to_list() == [2]
    assert both.pt.to_list() == [pytest.approx(0, abs=1e-6)]
    assert both.energy.to_list() == [pytest.approx(energy)]
    assert both.mass.to_list() == [pytest.approx(math.sqrt(energy**2 - (60 * math.sinh(-0.5)) ** 2))]


def test_a_four_vector_is_made_whole():
    grid = Grid(**ETA_PHI)
    clusters = find_clusters(shower(grid.shape, 1, 1), None, grid, fields=["phi", "peak_sum", "pt", "eta"])
    assert clusters.fields == ["phi", "peak_sum", "pt", "eta", "energy"]
    assert ak.parameters(clusters.layout.content)["__record__"] == "Momentum4D"
    assert find_clusters(shower(grid.shape, 1, 1), None, grid, fields=["phi", "pt"]).fields == ["phi", "pt"]


def test_a_plane_behind_a_beam_has_its_own_axes():
    rows = Axis(name="y", edges=[0, 10, 40], unit="mm")
    grid = Grid(rows=rows, cols=Axis(name="x", bins=3, start=-30, stop=30, unit="mm"), unit="1 MeV")
    clusters = find_clusters([[[0, 0, 0], [0, 0, 7]]], None, grid)
    assert clusters.to_list() == [
        [{"peak_sum": 7, "seed": 7, "row": 1, "col": 2, "n_cells": 4, "energy": 0.007, "y": 25.0, "x": 20.0}]
    ]
    assert ak.parameters(clusters.layout.content) == {}
    assert [fields_of(grid)[name].axis_title for name in ("x", "y", "energy")] == [
        "x [mm]",
        "y [mm]",
        "energy [GeV]",
    ]


def test_a_bare_grid_has_an_energy_and_no_place():
    assert find_clusters([[[2.0]]]).fields == ["peak_sum", "seed", "row", "col", "n_cells", "energy"]
    et = Grid(rows=Axis(n=1), cols=Axis(n=1), quantity="et", unit="0.5 GeV")
    clusters = find_clusters([[[3]]], None, et)
    assert clusters.fields == ["peak_sum", "seed", "row", "col", "n_cells", "pt"]
    assert clusters.pt.to_list() == [[1.5]]


def test_half_a_plane_has_the_one_position_that_is_known():
    grid = Grid(rows=ETA, cols=Axis(name="phi", labels="1..6", periodic=True), quantity="et")
    assert default_fields(PeakSumSettings(), grid)[5:] == ("pt", "eta")


def test_every_field_can_be_had_at_once():
    settings = PeakSumSettings(pileup=["chunky_donut"])
    grid = Grid(rows=ETA, cols=Axis(name="phi", bins=12, start=0, stop="2pi", periodic=True))
    names = list(fields_of(grid, settings))
    noise = np.ones(grid.shape)
    clusters = find_clusters(np.ones((3, 2, *grid.shape)), settings, grid, noise=noise, fields=names)
    assert clusters.fields == names
    assert set(FIELDS) < set(names)
    assert names[-4:] == VECTOR
    kinds = dict(zip(clusters.fields, (str(clusters[n].type).split("* ")[-1] for n in names), strict=True))
    whole = {"row", "col", "layer", "n_cells", "n_neighbours", "n_masked", "n_saturated"}
    assert {n for n, kind in kinds.items() if kind == "int32"} == whole
    assert {n for n, kind in kinds.items() if kind == "bool"} == {"on_edge", "at_seed"}


def test_the_fields_stand_in_the_order_in_which_they_are_asked_for_each_once():
    clusters = find_clusters([[[1]]], fields=["n_cells", "peak_sum", "n_cells"])
    assert clusters.fields == ["n_cells", "peak_sum"]


def test_the_table_of_the_cms_trigger():
    table = fields_of(named_grid("cms-l1-towers"))
    assert list(table)[-4:] == VECTOR
    assert [table[name].axis_title for name in ("peak_sum", "row", "pt", "phi")] == [
        *("window sum [counts]", "seed row", "$p_T$ [GeV]", r"$\phi$ [rad]"),
    ]


# --------------------------------------------------------------------------------------------------- refused

LABELS = Grid(rows=Axis(name="eta", labels="-1, 1"), cols=Axis(name="phi", bins=3, start=0, stop="2pi"))
NAMELESS = Grid(rows=Axis(bins=2, start=-1, stop=1), cols=Axis(name="phi", bins=3, start=0, stop="2pi"))


@pytest.mark.parametrize(
    ("grid", "field", "axes"),
    [
        pytest.param(LABELS, "eta", "eta", id="labels_have_no_eta"),
        pytest.param(LABELS, "pt", "eta", id="labels_have_no_transverse_momentum"),
        pytest.param(NAMELESS, "pt", "eta", id="an_axis_without_a_name"),
        pytest.param(bare_grid((2, 3)), "pt", "eta and one named phi", id="indices"),
        pytest.param(bare_grid((2, 3)), "phi", "eta and one named phi", id="indices_have_no_azimuth"),
        pytest.param(Grid(rows=Axis(name="y", n=2), cols=Axis(name="x", n=3)), "x", "x", id="a_name_alone"),
    ],
)
def test_a_field_that_needs_positions_says_what_to_add(grid, field, axes):
    message = (
        f"^field '{field}' needs positions on an axis named {axes}: "
        "add name and edges, or bins, start and stop, to rows or cols$"
    )
    with pytest.raises(ValueError, match=message):
        find_clusters(np.ones((1, 2, 3)), None, grid, fields=["peak_sum", field])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param(
            "peak_summ",
            r"^no field is called 'peak_summ' \(did you mean 'peak_sum'\?\); there are peak_sum, seed, ",
            id="near",
        ),
        pytest.param("ncells", r"^no field is called 'ncells' \(did you mean 'n_cells'\?\); ", id="nearer"),
        pytest.param("jet_flavour", r"^no field is called 'jet_flavour'; there are peak_sum, seed, ", id="far"),
        pytest.param("net", r"^field 'net' is .* ask for one with pileup: \[chunky_donut\]$", id="net"),
        pytest.param("chunky_donut", r"ask for it with pileup: \[chunky_donut\]$", id="pile_up"),
    ],
)
def test_a_field_that_cannot_be_had_is_refused(field, message):
    with pytest.raises(ValueError, match=message):
        find_clusters(np.ones((1, 2, 3)), fields=["peak_sum", field])
    with pytest.raises(ValueError, match=message):
        check_fields(["peak_sum", field], PeakSumSettings(), bare_grid((2, 3)))


# -------------------------------------------------------------------------------- one collection, several grids


def both(em, had, settings=None, units=(1.0, 1.0), names=("peak_sum", "row", "col", "energy"), grids=None):
    """Return the clusters of two calorimeters as one collection."""
    settings = settings or PeakSumSettings()
    planes = grids or [plane(np.shape(cells), unit=unit) for cells, unit in zip((em, had), units, strict=True)]
    parts = [find_peaks(cells, settings, grid) for cells, grid in zip((em, had), planes, strict=True)]
    return jagged_clusters([cluster_table(parts, names)], settings)


def test_clusters_of_two_calorimeters_are_one_list_with_the_grid_in_each():
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
def test_events_in_several_tables_are_those_of_one(em, had, cut, most, order):
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
def test_a_collection_of_two_grids_is_both_collections_ranked(em, had, most):
    clusters = both(em, had, PeakSumSettings(max_clusters=most), units=(0.25, 2.0))
    each = [find_clusters(c, None, plane(c.shape, unit=u)).to_list() for c, u in ((em, 0.25), (had, 2.0))]
    expected = [
        sorted(
            [(-c["energy"], which, c["row"], c["col"]) for which, found in enumerate(pair) for c in found],
        )[:most]
        for pair in zip(*each, strict=True)
    ]
    assert [
        [(-c["energy"], c["grid"], c["row"], c["col"]) for c in event] for event in clusters.to_list()
    ] == expected


def test_problems_are_what_the_settings_say():
    """The helper `asked` hands on what a problem holds."""
    problem = Problem(
        np.zeros((1, 1, 3)), np.zeros((1, 1, 3), bool), (False, True), "=o>", (1, 3), "drawn", 1, ">=", 0.5
    )
    settings, grid = asked(problem)
    assert (settings.tie_rule, settings.seed_threshold, settings.cell_threshold) == ("drawn", 1, 0.5)
    assert grid.periodic == (False, True)
