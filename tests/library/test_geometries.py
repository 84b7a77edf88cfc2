"""The geometries that come with the package."""

from types import MappingProxyType

import numpy as np
import pytest

from hep_peaksum.library.geometries import as_grid, named_grid, named_grids


def test_the_towers_of_the_cms_trigger():
    towers = named_grid("cms-l1-towers")

    assert towers.shape == (80, 72)
    assert towers.periodic == (False, True)
    assert towers.is_eta_phi
    assert (towers.quantity, towers.unit) == ("et", 0.5)
    assert towers.rows.find(np.array([-41, -30, -29, -28, -1, 0, 1, 28, 29, 30, 41])).tolist() == [
        0, 11, -1, 12, 39, -1, 40, 67, -1, 68, 79,
    ]  # fmt: skip
    assert np.allclose(towers.rows.centres, -towers.rows.centres[::-1])
    assert towers.cols.find(np.array([1, 72, 73])).tolist() == [0, 71, -1]


def test_an_unknown_geometry_is_refused_and_the_known_ones_are_listed():
    assert "cms-l1-towers" in named_grids()
    with pytest.raises(ValueError, match=r"no geometry is called 'atlas'.*cms-l1-towers"):
        named_grid("atlas")


def test_a_grid_may_be_any_map_of_its_keys():
    keys = {"rows": {"n": 2}, "cols": {"n": 3, "periodic": True}}
    for given in (keys, MappingProxyType(keys)):
        grid = as_grid(given)
        assert (grid.shape, grid.periodic) == ((2, 3), (False, True))
