"""A grid of two axes: what it accepts, refuses, and knows."""

import math

import numpy as np
import pytest
import yaml

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid
from hep_peaksum.library.geometries import named_grid

TWO_BY_THREE = bare_grid((2, 3))
TOWERS = Grid(
    rows=Axis(name="eta", labels="-2..-1, 1..2", edges=(-1, -0.5, 0, 0.5, 1)),
    cols=Axis(name="phi", labels="1..4", bins=4, start=0, stop="2pi", periodic=True),
)


def test_a_grid_has_rows_and_columns():
    assert TOWERS.shape == (4, 4)
    assert TOWERS.periodic == (False, True)
    assert TOWERS.axis("phi") == ("col", TOWERS.cols)
    assert TOWERS.axis("eta") == ("row", TOWERS.rows)
    assert TOWERS.axis("x") is None


def test_four_vectors_need_eta_and_phi_in_either_order():
    assert TOWERS.is_eta_phi
    assert Grid(rows=TOWERS.cols, cols=TOWERS.rows).is_eta_phi
    assert not TWO_BY_THREE.is_eta_phi
    assert not Grid(rows=Axis(name="x", n=2), cols=Axis(name="phi", n=2)).is_eta_phi


def test_a_bare_grid_takes_the_last_two_axes():
    assert bare_grid((7, 2, 3)) == Grid(rows=Axis(n=2), cols=Axis(n=3))


@pytest.mark.parametrize(("unit", "gev"), [("0.5 GeV", 0.5), ("1 MeV", 1e-3), (0.25, 0.25), (1, 1)])
def test_a_unit_is_a_number_of_gev_or_a_text(unit, gev):
    assert Grid(rows=Axis(n=1), cols=Axis(n=1), unit=unit).unit == gev


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"unit": 0}, "is not above 0", id="no_unit"),
        pytest.param({"unit": "-1 GeV"}, "is not above 0", id="negative_unit"),
        pytest.param({"unit": True}, "True is not a number", id="true_is_no_1"),
        pytest.param({"unit": math.inf}, "inf is not a finite number", id="infinite_unit"),
        pytest.param({"unit": "counts"}, "'counts' is not an energy", id="unit_that_is_no_energy"),
        pytest.param({"quantity": "pt"}, "'energy' or 'et'", id="quantity"),
        pytest.param(
            {"rows": Axis(n=1, name="x"), "cols": Axis(n=1, name="x")}, "both named 'x'", id="one_name"
        ),
        pytest.param({"layers": 3}, "Grid has no 'layers'; there are rows, cols", id="unknown_word"),
    ],
)
def test_a_wrong_grid_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Grid(**{"rows": Axis(n=1), "cols": Axis(n=1), **given})


def test_grids_and_axes_are_frozen():
    with pytest.raises(AttributeError, match="frozen"):
        TOWERS.unit = 2
    with pytest.raises(AttributeError, match="frozen"):
        TOWERS.rows.name = "x"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Axis(n=3, periodic=True), id="indices"),
        pytest.param(lambda: Axis(bins=4, start=0, stop="2pi"), id="bins"),
        pytest.param(lambda: Axis(edges=(0, 1, 3), name="x", unit="mm"), id="edges"),
        pytest.param(lambda: Axis(labels="1..3"), id="labels"),
        pytest.param(lambda: named_grid("cms-l1-towers"), id="geometry"),
    ],
)
def test_equal_grids_and_axes_have_one_hash_and_survive_yaml(make):
    one, same = make(), make()
    text = yaml.safe_dump(one.model_dump(mode="json", exclude_defaults=True))

    assert hash(one) == hash(same)
    assert one == same
    assert {one: "answer"}[same] == "answer"
    assert type(one)(**yaml.safe_load(text)) == one


def test_an_axis_that_was_used_equals_a_fresh_one():
    used, fresh = Axis(labels="1..3"), Axis(labels="1..3")
    used.find(np.array([1]))

    assert used == fresh
