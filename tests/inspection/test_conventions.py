"""What the words of a branch name say: the place of hits, or something else that has coordinates."""

import pytest

from hep_peaksum.inspection.conventions import Place, place_of


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
