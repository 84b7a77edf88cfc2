"""What `check` says of hits that no cell of a grid takes: the axis, where they are, and a question."""

import numpy as np
import pytest

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.preview.first_entries import missed

HALF = Axis(name="phi", bins=16, start="-pi", stop="pi")
ETA = Axis(name="eta", bins=6, start=-3, stop=3)
QUESTIONS = {
    "azimuth_from_0_to_2pi_on_an_axis_that_does_not_close": (
        HALF,
        [0.5, 3.5, 6.25],
        (
            "is 3.5 to 6.25 for 2 of them, cols has coordinate (-3.142 to 3.142): "
            "is cols a full turn? then add periodic: true"
        ),
    ),
    "two_labels_for_all_between": (
        Axis(labels=[-28, 28]),
        [-28, -1, 5, 28],
        (
            "is -1 to 5 for 2 of them, cols has label (-28, 28): "
            "are all from -28 to 28 meant? then write labels: -28..28"
        ),
    ),
    "labels_that_lack_the_0": (
        Axis(labels="-2..-1, 1..2"),
        [-2, 0, 2],
        "is 0 for 1 of them, cols has label (-2..-1, 1..2): are other labels meant in cols?",
    ),
    "indices_from_1": (
        Axis(n=4),
        [1, 4],
        "is 4 for 1 of them, cols has index (0 to 3): does col count from 1? then write labels: 1..4 for n",
    ),
    "indices_of_more_cells": (
        Axis(n=4),
        [0, 7],
        "is 7 for 1 of them, cols has index (0 to 3): does cols need more cells, or labels?",
    ),
    "numbers_of_cells": (
        Axis(bins=4, start=-1, stop=1),
        [0, 3, 1],
        (
            "is 1 to 3 for 2 of them, cols has coordinate (-1 to 1): "
            "do they number the cells? then add labels: 0..3"
        ),
    ),
    "a_coordinate_beyond_both_ends": (
        ETA,
        [-4.5, 0, 5.0],
        (
            "is -4.5 to 5 for 2 of them, cols has coordinate (-3 to 3): "
            "is another start or stop meant in cols, or another unit?"
        ),
    ),
    "a_coordinate_that_is_no_number": (
        ETA,
        [0, np.nan],
        (
            "is not finite for 1 of them, cols has coordinate (-3 to 3): "
            "is another start or stop meant in cols, or another unit?"
        ),
    ),
}


@pytest.mark.parametrize(("axis", "values", "said"), QUESTIONS.values(), ids=QUESTIONS)
def test_hits_that_miss_an_axis_are_told_with_their_place_and_a_question(axis, values, said):
    assert missed("cols", "col", axis, np.array(values)) == f"col {said}"


@pytest.mark.parametrize(("axis", "values"), [(HALF, [-3.0, 3.0]), (Axis(n=4), [0, 3])])
def test_hits_that_all_have_a_cell_are_not_told_of(axis, values):
    assert missed("cols", "col", axis, np.array(values)) == ""


def test_advice_that_is_followed_leaves_no_hit_outside():
    closed = HALF.model_copy(update={"periodic": True})
    assert missed("cols", "col", closed, np.array([0.5, 3.5, 6.25])) == ""
    assert missed("rows", "row", Axis(labels="-28..28"), np.array([-28, -1, 5, 28])) == ""
    assert missed("rows", "row", Axis(labels="1..4"), np.array([1, 4])) == ""
