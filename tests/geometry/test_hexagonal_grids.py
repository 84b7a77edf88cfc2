"""Grids that say they are hexagonal: which axes they have, and where their cells are."""

import numpy as np
import pytest

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hexagons import Hexagons

LATTICE = Hexagons(pitch=2, origin=(10, 0), layer_shifts=[(0, 0), (1, 0)])


def test_rows_are_q_and_columns_r_counted_from_their_first_labels():
    grid = Grid(rows=Axis(name="q", labels="-1..1"), cols=Axis(name="r", n=4), hexagons=LATTICE)
    x, y = grid.hexagon_centres(np.array([1, 2, 1]), np.array([0, 0, 2]), np.array([0, 1, 0]))
    assert x.tolist() == [10, 13, 12]
    assert y == pytest.approx([0, 0, 2 * 3**0.5])


@pytest.mark.parametrize(
    ("axis", "problem"),
    [
        (
            {"n": 4, "periodic": True},
            "rows: axial coordinates of hexagons do not close on themselves: drop periodic",
        ),
        ({"bins": 4, "start": 0, "stop": 4}, "rows: axial coordinates of hexagons have no positions of their"),
        ({"labels": "1..2, 4"}, "neighbours if they differ by 1: give one range, 1..4, in which cells may be"),
        ({"labels": "3, 2, 1"}, "neighbours if they differ by 1: give one range, 1..3"),
        ({"name": "x", "n": 4}, "rows: x is a position, and rows of hexagons are q, columns r: rename"),
    ],
    ids=["periodic", "positions", "gap", "falling", "name"],
)
def test_axes_that_are_no_axial_coordinates_are_refused(axis, problem):
    with pytest.raises(ValueError, match=problem):
        Grid(rows=Axis(**axis), cols=Axis(n=4), hexagons=LATTICE)


def test_a_grid_of_hexagons_is_the_same_again_as_yaml_has_it():
    grid = Grid(rows=Axis(n=3), cols=Axis(n=4), hexagons={"pitch": 8.34, "layer_shifts": [[0, 0], [4.8, 0]]})
    assert Grid(**grid.model_dump(mode="json", exclude_defaults=True)) == grid
    assert hash(grid) == hash(Grid(**grid.model_dump()))


def test_towers_of_hexagons_are_no_hexagons():
    grid = Grid(rows=Axis(n=4), cols=Axis(n=4), hexagons=LATTICE)
    assert grid.coarsened((2, 2)).hexagons is None
    assert grid.coarsened((1, 1)).hexagons == LATTICE


def test_a_notebook_shows_the_pitch():
    grid = Grid(rows=Axis(n=4), cols=Axis(n=4), hexagons=Hexagons(pitch=8.34, unit="mm"))
    assert "pitch 8.34 mm" in grid._repr_html_()
    assert "pitch" not in Grid(rows=Axis(n=4), cols=Axis(n=4))._repr_html_()
