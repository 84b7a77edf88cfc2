"""Divisions of the plane: blocks, drawings, and what is wrong with them."""

import numpy as np
import pytest

from hep_peaksum import Axis, Grid

ROW, COL = np.indices((3, 5)).reshape(2, -1)


def grid_with(**regions):
    return Grid(rows=Axis(n=3), cols=Axis(n=5, periodic=True), regions=regions)


def as_drawn(grid, name):
    """Return the region of every cell as letters, in the order in which they are met."""
    numbers = grid.division(name).numbers(ROW, COL, 5).tolist()
    letters = {
        number: chr(ord("a") + k) for k, number in enumerate(dict.fromkeys(n for n in numbers if n >= 0))
    }
    text = "".join(letters.get(number, ".") for number in numbers)
    return [text[k : k + 5] for k in range(0, 15, 5)]


def test_blocks_tile_the_plane_and_the_last_may_be_smaller():
    assert as_drawn(grid_with(card=[2, 2]), "card") == ["aabbc", "aabbc", "ddeef"]


def test_a_drawing_has_regions_of_any_shape_and_cells_of_none():
    drawing = """
        aab..
        acb.a
        cc...
    """
    assert as_drawn(grid_with(fpga=drawing), "fpga") == ["aab..", "acb.a", "cc..."]


def test_a_plane_has_several_divisions_by_name():
    grid = grid_with(card=[1, 5], half="ab...\nab...\nab...")
    assert as_drawn(grid, "card") == ["aaaaa", "bbbbb", "ccccc"]
    assert as_drawn(grid, "half") == ["ab...", "ab...", "ab..."]


def test_a_grid_with_regions_is_hashable_and_survives_its_dump():
    grid = grid_with(card=[2, 2], half="ab...\nab...\nab...")
    assert {Grid(**grid.model_dump()): 1}[grid] == 1
    assert Grid(**grid.model_dump(mode="json")) == grid


@pytest.mark.parametrize(
    ("division", "problem"),
    [
        ("aab\nab", r"must be of one length, these have \[3, 2\]"),
        ("aabb\naabb\naabb", r"regions 'card' are drawn for \(3, 4\) cells, the grid has \(3, 5\)"),
        ("aab\naab\naab\naab\naab", r"are drawn for \(5, 3\) cells, the grid has \(3, 5\)"),
        ([0, 2], "two whole numbers from 1"),
        ([2], "two whole numbers from 1"),
        ("", "one length"),
    ],
)
def test_a_division_that_does_not_fit_is_refused(division, problem):
    with pytest.raises(ValueError, match=problem):
        grid_with(card=division)


def test_an_unknown_division_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"max_clusters_per 'crad': .* it has card: add regions: \{crad: "):
        grid_with(card=[2, 2]).division("crad")
