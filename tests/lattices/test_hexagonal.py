"""Hexagons found from the positions of hits: the same in every unit of these."""

import math

import numpy as np
import pytest

from hep_peaksum.lattices.depth import Layers
from hep_peaksum.lattices.hexagonal import find_hexagons
from hep_peaksum.lattices.numbering import Integers

UNITS = {"mm": 1.0, "m": 1e-3, "um": 1e3}  # a millimetre in each


@pytest.mark.parametrize(("unit", "scale"), UNITS.items(), ids=UNITS)
def test_layers_that_are_shifted_are_so_in_every_unit(unit, scale):
    pitch, reach, n_layers = 8.34 * scale, 4, 6
    q, r = (each.ravel() for each in np.indices((2 * reach + 1, 2 * reach + 1)) - reach)
    layers = np.repeat(np.arange(n_layers), len(q))
    x = np.tile(pitch * (q + r / 2), n_layers) + pitch / 2 * (layers % 2)
    y = np.tile(pitch * math.sqrt(3) / 2 * r, n_layers)
    found = find_hexagons(x.astype("f4"), y.astype("f4"), layers, np.arange(n_layers), [], unit)
    assert found.hexagons["pitch"] == pytest.approx(pitch, rel=1e-5)
    first, second = found.hexagons["layer_shifts"]
    assert first == [0, 0]
    assert np.abs(second) == pytest.approx([pitch / 2, 0], rel=1e-4)  # half a cell to either side is the same


def test_labels_reach_cells_far_to_one_side():
    """The middle of a block of 25 cells about (0, 0) and of a strip to its left is the cell (-2, 0)."""
    block = np.indices((5, 5)).reshape(2, -1) - 2
    strip = np.array([np.arange(-12, -2), np.zeros(10)])
    q, r = np.concatenate([block, strip], axis=1)
    layers = np.zeros(len(q), np.int64)
    found = find_hexagons(q + r / 2, math.sqrt(3) / 2 * r, layers, np.zeros(1, np.int64), [], "mm")
    low, high = map(int, found.rows["labels"].split(".."))
    assert low <= -10
    assert high >= 4


@pytest.mark.parametrize("beside", [(20.0, 0.0), (20.37, 0.21)], ids=["in-line", "out-of-line"])
def test_blocks_that_are_out_of_line_are_modules(beside):
    q, r = np.indices((5, 5)).reshape(2, -1) - 2
    block, module = np.column_stack([q + r / 2, math.sqrt(3) / 2 * r]), np.repeat([3, 8], 25)
    x, y = np.concatenate([block, block + beside]).T
    layers, one = np.zeros(50, np.int64), np.zeros(1, np.int64)
    found = find_hexagons(x, y, layers, one, [Integers("m", "hit_m", module)], "mm")
    assert found.hexagons["pitch"] == pytest.approx(1)
    assert [each.name for each in found.modules] == ["m"] * (beside[1] != 0)
    assert found.n_cells == 50
    if beside[1]:
        assert find_hexagons(x, y, layers, one, [], "mm") is None


def test_modules_that_are_in_one_layer_each_have_a_shift_each():
    """Three of them, of 25 cells, in two layers: not six, of which three would never have a hit."""
    q, r = np.indices((5, 5)).reshape(2, -1) - 2
    block, module = np.column_stack([q + r / 2, math.sqrt(3) / 2 * r]), np.repeat([3, 8, 9], 25)
    x, y = np.concatenate([block, block, block + np.array([20.37, 0.21])]).T
    layers, labels = np.repeat([0, 1, 1], 25), np.array([5, 7])
    found = find_hexagons(x, y, layers, labels, [Integers("m", "hit_m", module)], "mm")
    assert len(found.hexagons["layer_shifts"]) == 3
    of_modules = Layers(layers, labels, "hit_layer").with_modules(found.modules)
    assert (of_modules.labels.tolist(), of_modules.source) == ([3, 8, 9], "hit_m")


def test_cells_of_two_ends_are_in_no_common_layer():
    """Although all of them, seen along the beam, are on one lattice; no lattice if no number tells the ends."""
    q, r = np.indices((5, 5)).reshape(2, -1) - 2
    x, y = np.tile([q + r / 2, math.sqrt(3) / 2 * r], 2)
    ends = np.repeat([False, True], 25)
    layers, one, side = (
        np.zeros(50, np.int64),
        np.zeros(1, np.int64),
        Integers("side", "hit_side", 2 * ends - 1),
    )
    found = find_hexagons(x, y, layers, one, [side], "mm", ends)
    assert [each.name for each in found.modules] == ["side"]
    assert find_hexagons(x, y, layers, one, [], "mm", ends) is None


@pytest.mark.parametrize(("off", "is_lattice"), [(0.015, True), (0.03, False)])
def test_a_cell_that_is_off_its_centre_is_of_no_lattice(off, is_lattice):
    q, r = np.indices((5, 5)).reshape(2, -1) - 2
    x, y = q + r / 2, math.sqrt(3) / 2 * r
    x[3] += off
    found = find_hexagons(x, y, np.zeros(25, np.int64), np.zeros(1, np.int64), [], "mm")
    assert (found is not None) == is_lattice


@pytest.mark.parametrize(("n_hits", "shown"), [(9, 25), (25, 9), (25, 25)], ids=["hits", "different", "enough"])
def test_few_cells_are_no_lattice(n_hits, shown):
    """Of 5 x 5 cells; where every hit is of a module of its own, none has a neighbour."""
    q, r = np.indices((5, 5)).reshape(2, -1)[:, np.arange(n_hits) % shown]
    x, y, layers, one = q + r / 2, math.sqrt(3) / 2 * r, np.zeros(n_hits, np.int64), np.zeros(1, np.int64)
    each = Integers("m", "hit_m", np.arange(n_hits))
    assert (find_hexagons(x, y, layers, one, [], "mm") is not None) == (n_hits == shown)
    x[0] += 0.3  # in no line with the others: only with modules there would be a lattice
    assert find_hexagons(x, y, layers, one, [each], "mm") is None
