"""Axes proposed from numbers of hits: what is seen in them, and what is said to be a guess."""

import numpy as np
import pytest

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.lattices.axes import propose_axis

PI = np.pi


def lattice(first, step, n, dead=()):
    """Return the centres of n cells, as float32, each many times; without those of dead cells."""
    places = first + step * np.array([i for i in range(n) if i not in dead])
    return np.repeat(places, 5).astype(np.float32)


@pytest.mark.parametrize(
    ("coordinate", "values", "section"),
    [
        pytest.param("eta", lattice(-2.45, 0.1, 50), {"bins": 50, "start": -2.5, "stop": 2.5}, id="eta"),
        pytest.param("x", lattice(-57, 6, 20, {3, 4}), {"bins": 20, "start": -60, "stop": 60}, id="x_with_gap"),
        pytest.param(
            "phi",
            lattice(PI / 64, PI / 32, 64),
            {"bins": 64, "start": 0, "stop": "2pi", "periodic": True},
            id="0_2pi",
        ),
        pytest.param(
            "phi",
            lattice(PI / 3, 2 * PI / 3, 3),
            {"bins": 3, "start": 0, "stop": "2pi", "periodic": True},
            id="the_fewest_cells_of_a_ring",
        ),
        pytest.param(
            "phi",
            lattice(45, 90, 4),
            {"bins": 4, "start": 0, "stop": 360, "periodic": True, "unit": "deg"},
            id="four_cells",
        ),
        pytest.param(
            "phi",
            lattice(-PI + PI / 36, PI / 18, 36, {7}),
            {"bins": 36, "start": "-pi", "stop": "pi", "periodic": True},
            id="a_dead_column_stays",
        ),
        pytest.param(
            "phi",
            lattice(2.5, 5, 72),
            {"bins": 72, "start": 0, "stop": 360, "periodic": True, "unit": "deg"},
            id="degrees",
        ),
        pytest.param(
            "phi",
            lattice(-179, 2, 180),
            {"bins": 180, "start": -180, "stop": 180, "periodic": True, "unit": "deg"},
            id="degrees_from_minus_180",
        ),
        pytest.param(
            "phi",
            lattice(0, PI / 8, 16),
            {"bins": 16, "start": 0.196349541, "stop": 6.479534848, "periodic": True},
            id="a_cell_at_0",
        ),
    ],
)
def test_equal_steps_are_cells(coordinate, values, section):
    axis = propose_axis(coordinate, values)
    assert axis.section == {"name": coordinate, **section}
    assert not axis.is_guess
    assert "equal steps" in axis.comment


@pytest.mark.parametrize("dead", [set(), {0}, {15}, {3, 4, 5}])
def test_every_cell_of_a_ring_is_its_own(dead):
    """Whichever columns are dead, the others are the cells that they were."""
    values = lattice(-PI + PI / 16, PI / 8, 16, dead)
    axis = Axis(**propose_axis("phi", values).section)
    assert axis.size == 16
    assert axis.find(values).tolist() == np.repeat([i for i in range(16) if i not in dead], 5).tolist()


@pytest.mark.parametrize(
    ("values", "section", "told"),
    [
        # 11 steps of a 62nd, or a 63rd, of a turn; 6 of 8 are three quarters
        pytest.param(
            lattice(-0.5, 0.1, 11),
            {"bins": 11, "start": -0.55, "stop": 0.55},
            "11 equal steps of a turn of 63",
            id="11",
        ),
        pytest.param(
            lattice(22.5, 45, 6),
            {"bins": 6, "start": 0, "stop": 270, "unit": "deg"},
            "6 equal steps of a turn of 8",
            id="three_quarters",
        ),
    ],
)
def test_a_wedge_of_a_turn_is_no_ring(values, section, told):
    axis = propose_axis("phi", values)
    assert axis.section == {"name": "phi", **section}
    assert told in axis.comment
    assert axis.is_guess


@pytest.mark.parametrize(
    ("labels", "section", "comment"),
    [
        pytest.param(
            [1, 2, 3, 4, 5, 6, 19],
            {"labels": "1..19"},
            "layers: 7..18 do not occur in the entries read",
            id="gap",
        ),
        pytest.param([-2, -1, 1, 2], {"labels": "-2..-1, 1..2"}, "there is no label 0", id="no_zero"),
        pytest.param(
            [-1, 1, 2, 3], {"labels": "-3..-1, 1..3"}, "-3..-2 do not occur", id="both_sides_are_alike"
        ),
        pytest.param([0, 1, 2], {"labels": "0..2"}, "", id="all"),
    ],
)
def test_gaps_in_labels_are_kept_and_told(labels, section, comment):
    axis = propose_axis("layer", np.array(labels * 3))
    assert axis.section == section
    assert comment in axis.comment


def test_ids_are_no_labels():
    assert propose_axis("row", np.array([3, 335544353, 339476715])) is None


@pytest.mark.parametrize(
    ("coordinate", "low", "high", "said"),
    [
        ("eta", -2.4, 2.4, "bins of 0.1 guessed"),
        ("phi", -3.1, 3.1, "64 bins guessed"),
        ("x", -9, 9, "60 bins guessed"),
    ],
)
def test_coordinates_without_steps_are_binned_by_a_guess(coordinate, low, high, said):
    values = np.random.default_rng(1).uniform(low, high, 500).astype(np.float32)
    axis = propose_axis(coordinate, values)
    assert axis.is_guess
    assert said in axis.comment
    assert (Axis(**axis.section).find(values) >= 0).all()


def test_half_a_turn_is_no_step_of_a_ring():
    axis = propose_axis("phi", lattice(-180, 180, 3))
    assert "64 bins guessed" in axis.comment


def test_rings_of_unequal_width_have_edges_between_them():
    rings = np.repeat(np.array([-2.0, -1.2, -0.5, 0.5, 1.2, 2.0]), 9)
    axis = propose_axis("eta", rings)
    assert axis.section["edges"] == [-2.4, -1.6, -0.85, 0, 0.85, 1.6, 2.4]
    assert "edges guessed" in axis.comment


def test_the_distance_of_neighbours_is_the_width_of_bins():
    axis = propose_axis("x", np.array([0.0, 8.3, 12.5, 16.6, 24.9]), unit="mm", pitch=8.3)
    assert axis.section == {"name": "x", "unit": "mm", "bins": 4, "start": -4.15, "stop": 29.05}
    assert "bins of 8.3 mm guessed, the distance of neighbouring cells" in axis.comment


def test_labels_of_which_the_ends_may_be_missing_close_no_turn():
    labels = np.array([n for n in range(2, 68) if n not in (8, 19)])
    axis = propose_axis("iphi", labels)
    assert axis.section == {"name": "phi", "labels": "2..67"}
    assert "no full turn" in axis.comment
    assert propose_axis("iphi", np.array([*range(1, 8), *range(9, 73)])).section["periodic"]


def test_edges_lie_where_cells_of_two_widths_meet():
    """As of trigger towers, which are 0.1 wide in eta up to 2.5, and 0.2 beyond."""
    edges = [*(0.1 * np.arange(20, 26)), 2.7, 2.9, 3.1]
    middles = (np.array(edges[1:]) + edges[:-1]) / 2
    axis = propose_axis("eta", np.repeat(middles, 50).astype("float32"))
    np.testing.assert_allclose(axis.section["edges"], edges, atol=1e-5)
    assert axis.comment == "eta: edges guessed, of cells in the middle of which are the 8 values that occur"
