"""Which clusters and objects may be a pair, which pairs are taken, and by what objects are ordered."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.geometry.grid import bare_grid
from hep_peaksum.measuring.matches import MatchInput, height_of, highest_by

PT, ET, ENERGY = [[30.0, 20.0], [], [5.0]], [[31.0, 21.0], [], [6.0]], [[40.0, 90.0], [], [7.0]]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"energy": ENERGY, "et": ET, "pt": PT}, [30, 20, 5]),
        ({"energy": ENERGY, "et": ET}, [31, 21, 6]),
        ({"energy": ENERGY, "eta": PT}, [40, 90, 7]),
    ],
    ids=["pt-of-all", "et-rather-than-energy", "energy-alone"],
)
def test_objects_are_ordered_by_what_is_transverse_where_it_is_known(fields, expected):
    assert height_of(ak.zip({name: ak.Array(each) for name, each in fields.items()})).tolist() == expected


def test_objects_with_a_place_only_have_no_order():
    assert height_of(ak.zip({"eta": ak.Array(PT), "phi": ak.Array(ET)})) is None


GRID = bare_grid((9, 9))


def objects(names, *events):
    """Return jagged records with two coordinates, and the height of each object as `pt`."""
    return ak.Array([[dict(zip((*names, "pt"), each, strict=True)) for each in event] for event in events])


@pytest.mark.parametrize(
    ("keys", "names", "expected"),
    [
        # 6.5 is 0.2 from 0 on a circle: near in phi, and in no other coordinate
        ({"by": "delta_r", "within": 0.5}, ("eta", "phi"), [(0, 0, 0.0), (0, 1, 6.5 - 2 * np.pi), (1, 2, 0.5)]),
        ({"by": "distance", "within": 0.5}, ("x", "y"), [(0, 0, 0.0), (1, 2, 0.5)]),
        ({"by": "distance", "within": 0.49}, ("x", "y"), [(0, 0, 0.0)]),
        ({"by": "cell"}, ("row", "col"), [(0, 0, 0.0), (1, 2, 0.0)]),
    ],
    ids=["delta_r", "distance", "a-shorter-distance", "cell"],
)
def test_candidates_are_near_in_what_is_asked_for(keys, names, expected):
    match = MatchInput(clusters="Jet", reference="Gen", **keys)
    references = objects(names, [(1, 0, 5)], [(3, 1, 5)])
    clusters = objects(names, [(1, 0, 5), (1, 6.5, 5)], [(3, 1.5, 5)])
    found = match.candidates(clusters, references, GRID)
    assert [*zip(*(each.tolist() for each in found), strict=True)] == [
        (reference, cluster, pytest.approx(distance)) for reference, cluster, distance in expected
    ]


@pytest.mark.parametrize(
    ("pairing", "otherwise", "value", "expected"),
    [
        (None, "highest", [9, 1, 2], [(0, 0), (1, 1)]),
        ("highest", "one_to_one", [9, 1, 2], [(0, 0), (1, 1)]),
        (None, "one_to_one", [1, 9, 2], [(0, 0), (1, 1)]),  # object 1 is higher, and takes cluster 1 first
        ("nearest", "one_to_one", None, [(0, 1), (1, 1)]),
        ("one_to_one", "highest", [1, 9, 2], [(0, 0), (1, 1)]),
    ],
)
def test_pairs_are_those_of_the_pairing_that_is_named_else_the_usual_one(pairing, otherwise, value, expected):
    match = MatchInput(clusters="Jet", reference="Gen", by="distance", within=2, pairing=pairing)
    references = objects("xy", [(0, 0.4, 5), (0, 2, 7)])
    clusters = objects("xy", [(0, -0.5, 1), (0, 1, 9), (5, 5, 2)])
    candidates = match.candidates(clusters, references, GRID)
    found = match.pairs(
        candidates, references, otherwise=otherwise, value=None if value is None else np.array(value)
    )
    assert [*zip(found.reference.tolist(), found.cluster.tolist(), strict=True)] == expected


def test_the_highest_of_clusters_needs_a_value():
    match = MatchInput(clusters="Jet", reference="Gen", by="distance", within=2, pairing="highest")
    places = objects("xy", [(0, 0.4, 5)])
    with pytest.raises(ValueError, match="pairing 'highest' needs a value of every cluster"):
        match.pairs(match.candidates(places, places, GRID), places)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("energy", "pt", "peak_sum"), "pt"),
        (("peak_sum", "energy"), "energy"),
        (("row", "peak_sum"), "peak_sum"),
    ],
)
def test_clusters_are_the_highest_in_pt_else_energy_else_their_sum(fields, expected):
    assert highest_by(fields) == expected
