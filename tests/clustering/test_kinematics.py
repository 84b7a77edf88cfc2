"""Positions, four-vectors and energies of clusters."""

import math

import awkward as ak
import numpy as np
import pytest
from eta_phi import ETA, ETA_PHI, PHI_ETA, VECTOR, shower
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rules_checks import is_same_on_circle
from rules_pictures import LINE

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.clustering.fields import default_fields, fields_of
from hep_peaksum.geometry.hits import sparse

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


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


PLANE = {
    "rows": Axis(name="x", bins=4, start=0, stop=4),
    "cols": Axis(name="y", bins=6, periodic=True, start=0, stop=6),
}


@pytest.mark.parametrize(
    ("axes", "quantity", "expected"),
    [
        (ETA_PHI, "et", {"net_pt": 1.25, "net_energy": 1.25 * math.cosh(1.5)}),
        (ETA_PHI, "energy", {"net_pt": 1.25 / math.cosh(1.5), "net_energy": 1.25}),
        (PLANE, "et", {"net_pt": 1.25}),
        (PLANE, "energy", {"net_energy": 1.25}),
    ],
)
def test_energies_minus_pileup_are_those_of_the_net_sum(axes, quantity, expected):
    """A seed of 4 counts, and 1 in the five other cells of its ring: 9/6 of pile-up, and half a GeV a count."""
    grid = Grid(**axes, quantity=quantity, unit=0.5)
    cells = np.where(np.arange(4)[:, None] == 3, 1.0, 0.0) + shower(grid.shape, 3, 4, 3.0)
    settings = PeakSumSettings(sum_window=(1, 1), seed_threshold=3, pileup=["phi_ring"])
    assert {*fields_of(grid, settings)} & {"net_pt", "net_energy"} == {*expected}
    (cluster,) = find_clusters(cells, settings, grid, fields=[*expected]).to_list()[0]
    assert cluster == pytest.approx(expected)


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
def test_an_azimuth_lies_from_minus_pi_to_below_pi(axis, phi):
    grid = Grid(rows=ETA, cols=Axis(name="phi", bins=4, periodic=True, **axis))
    azimuths = [
        find_clusters(shower(grid.shape, 0, col), None, grid, fields=["phi"]).phi[0, 0] for col in range(4)
    ]
    assert is_same_on_circle(np.array(azimuths), np.radians(phi), math.tau).all()
    assert all(-math.pi <= value < math.pi for value in azimuths)


def test_hits_in_degrees_give_clusters_in_radian(kernel):
    phi = Axis(name="phi", bins=36, start=0, stop=360, periodic=True, unit="deg")
    grid = Grid(rows=ETA, cols=phi, unit="1 GeV")
    hits = [ak.Array([values]) for values in ([0.5, 0.5], [124.0, 359.0], [8.0, 2.0])]
    settings = PeakSumSettings(kernel=kernel, search_window=(1, 3), sum_window=(1, 3))
    clusters = find_clusters(sparse(*hits, grid), settings, grid)[0]

    assert clusters.col.to_list() == [12, 35]
    assert clusters.phi.to_list() == pytest.approx(np.radians([125, -5]))  # 2.18 and -0.087
    assert clusters.px.to_list() == pytest.approx(
        [e / math.cosh(0.5) * math.cos(math.radians(x)) for e, x in ((8, 125), (2, -5))]
    )
    # 125 deg and 135 deg with weights 3 and 1
    mean = PeakSumSettings(kernel=kernel, search_window=(1, 3), sum_window=(1, 3), position="linear")
    fields = ["phi", "barycentre_phi", "width_phi"]
    cells = np.zeros((1, 4, 36))
    cells[0, 0, 12:14] = 3, 1
    cluster = find_clusters(cells, mean, grid, fields=fields)[0, 0]
    angles = np.radians([125, 135])
    expected = math.atan2(np.sin(angles) @ [3, 1], np.cos(angles) @ [3, 1])
    assert (cluster.phi, cluster.barycentre_phi) == (pytest.approx(expected), pytest.approx(expected))
    assert cluster.width_phi == pytest.approx(math.sqrt(((angles - expected) ** 2) @ [3, 1] / 4))


@some
@given(start=st.floats(-10, 10), n=st.integers(1, 100))
def test_every_azimuth_lies_from_minus_pi_to_below_pi(start, n):
    edges = np.linspace(start, start + 2 * np.pi, n + 1).tolist()
    grid = Grid(rows=ETA, cols=Axis(name="phi", edges=edges))
    settings = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1))
    phi = find_clusters(np.ones((1, *grid.shape)), settings, grid, fields=["phi"]).phi.to_numpy()
    middle = (np.array(edges[1:]) + edges[:-1]) / 2

    assert ((phi >= -np.pi) & (phi < np.pi)).all()
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


def test_the_fourth_component_of_a_four_vector_is_added():
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


def test_clusters_of_a_bare_grid_have_an_energy_and_no_position():
    assert find_clusters([[[2.0]]]).fields == ["peak_sum", "seed", "row", "col", "n_cells", "energy"]
    et = Grid(rows=Axis(n=1), cols=Axis(n=1), quantity="et", unit="0.5 GeV")
    clusters = find_clusters([[[3]]], None, et)
    assert clusters.fields == ["peak_sum", "seed", "row", "col", "n_cells", "pt"]
    assert clusters.pt.to_list() == [[1.5]]


def test_the_position_on_the_only_axis_with_positions_is_a_default_field():
    grid = Grid(rows=ETA, cols=Axis(name="phi", labels="1..6", periodic=True), quantity="et")
    assert default_fields(PeakSumSettings(), grid)[5:] == ("pt", "eta")


def ring(start, n=8):
    """Return a calorimeter of one row of cells all around, that begins at some azimuth."""
    return Grid(
        rows=Axis(name="eta", bins=1, start=0, stop=1),
        cols=Axis(name="phi", bins=n, start=start, stop=start + math.tau, periodic=True),
    )


@pytest.mark.parametrize(
    ("start", "phi"),
    [pytest.param(0.0, 0.0, id="seam_at_zero"), pytest.param(-math.pi, math.pi, id="seam_at_pi")],
)
def test_the_azimuth_of_a_shower_on_the_seam_is_that_of_the_seam(kernel, start, phi):
    settings = PeakSumSettings(**LINE, position="linear", kernel=kernel)
    fields = ["phi", "barycentre_phi", "width_phi", "barycentre_eta", "width_eta"]
    cluster = find_clusters([[[4, 0, 0, 0, 0, 0, 0, 4]]], settings, ring(start), fields=fields)[0, 0]

    assert is_same_on_circle(cluster.barycentre_phi, phi, math.tau)
    assert -math.pi <= cluster.barycentre_phi < math.pi
    assert cluster.phi == cluster.barycentre_phi
    assert cluster.width_phi == pytest.approx(math.pi / 8)
    assert (cluster.barycentre_eta, cluster.width_eta) == (0.5, 0.0)


@pytest.mark.parametrize("energy", [1e-9, 1.0, 1e9])
def test_the_mean_azimuth_does_not_depend_on_the_unit_of_energies(kernel, energy):
    """Three equal cells all around have none, so the seed is taken; with 1, 2 and 1 the one between counts."""
    settings = PeakSumSettings(**LINE, position="linear", kernel=kernel)
    cells = energy * np.array([[[1, 1, 1]], [[1, 2, 1]]])
    clusters = find_clusters(cells, settings, ring(0.5, 3), fields=["phi", "col"])
    first, second = (0.5 + math.tau * (col + 0.5) / 3 for col in (clusters.col[0, 0], 1))
    assert is_same_on_circle(clusters.phi[0, 0], first, math.tau)
    assert is_same_on_circle(clusters.phi[1, 0], second, math.tau)


def test_the_four_vector_is_that_of_the_barycentre(kernel):
    eta = Axis(name="eta", bins=4, start=0, stop=4)
    grid = Grid(rows=eta, cols=ring(0).cols, unit=0.5)
    cells = np.zeros((1, 4, 8), int)
    cells[0, 1, 2], cells[0, 2, 2] = 6, 2
    clusters = {
        position: find_clusters(cells, PeakSumSettings(position=position, kernel=kernel), grid)[0, 0]
        for position in ("seed", "linear")
    }

    assert (clusters["seed"].eta, clusters["linear"].eta) == (1.5, 1.75)
    assert clusters["linear"].energy == 4.0
    assert clusters["linear"].pt == pytest.approx(4.0 / math.cosh(1.75))


def test_on_any_periodic_axis_the_mean_is_taken_the_short_way_around(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(name="x", bins=8, start=0, stop=16, periodic=True, unit="mm"))
    settings = PeakSumSettings(**LINE, position="linear", kernel=kernel)
    cluster = find_clusters([[[6, 0, 0, 0, 0, 0, 0, 2]]], settings, grid, fields=["x", "width_x"])[0, 0]

    assert cluster.x == pytest.approx(0.5)
    assert cluster.width_x == pytest.approx(math.sqrt(3) / 2)
