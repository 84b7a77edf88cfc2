"""What the words of a branch name say: the place of hits, or something else that has coordinates."""

import numpy as np
import pytest

from hep_peaksum.inspection.planes import Plane
from hep_peaksum.naming.conventions import Place, place_of, widest_towers


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("x", Place("", "x")),
        ("hit_x", Place("hit", "x")),
        ("hit_position_x", Place("hit", "x")),
        ("cluster_global_phi", Place("cluster", "phi")),
        ("hit_ieta", Place("hit", "ieta")),
    ],
)
def test_a_coordinate_is_the_place_of_the_hits_of_its_stem(words, place):
    assert place_of(words) == place


@pytest.mark.parametrize(
    "words",
    [
        "hit_vertex_x",
        "vtx_z",
        "hit_momentum_y",
        "mom_phi",
        "end_z",
        "position_error_x",
        "pre_step_eta",
        "beam_y",
    ],
)
def test_vertices_momenta_and_errors_are_no_places_of_hits(words):
    assert place_of(words) is None


@pytest.mark.parametrize(
    ("values", "width", "section"),
    [
        pytest.param([-1.15, 0.2], 0.5, {"bins": 6, "start": -1.5, "stop": 1.5}, id="the-furthest-is-negative"),
        pytest.param([-0.2, 1.75], 0.5, {"bins": 8, "start": -2.0, "stop": 2.0}, id="the-furthest-is-positive"),
        pytest.param([-1.0, 1.0], 0.5, {"bins": 4, "start": -1.0, "stop": 1.0}, id="on-an-edge"),
    ],
)
def test_towers_of_a_known_width_reach_as_far_as_the_furthest(values, width, section):
    plane = Plane("eta", "phi", ("eta", "phi"), (np.array(values), np.zeros(2)), (), widths=(width, 0.0873))
    assert plane.axis(0).section == {"name": "eta", **section}
    turn = {"name": "phi", "bins": 72, "start": "-pi", "stop": "pi", "periodic": True}
    assert plane.axis(1).section == turn


def test_the_width_of_towers_is_the_largest_that_is_not_rare():
    """Of a hundred towers one in fifty is enough; those without edges are none."""
    edges = np.zeros((103, 4))
    edges[:100, :2], edges[:100, 2:] = [1.0, 1.1], [0.5, 0.75]
    edges[:2, 1], edges[2, 1] = 1.4, 1.9
    edges[0, 3] = 2.5
    assert widest_towers(edges) == (0.4, 0.25)
    assert widest_towers(np.zeros((3, 4))) is None
