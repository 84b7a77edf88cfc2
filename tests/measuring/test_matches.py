"""By what the objects of a reference are ordered, where the highest comes first."""

import awkward as ak
import pytest

from hep_peaksum.measuring.matches import height_of

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
