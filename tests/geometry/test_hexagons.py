"""Axial coordinates of hexagonal cells: those of the nearest centre, found by looking at all of them."""

import itertools
import math

import numpy as np
import pytest

from hep_peaksum.geometry.hexagons import Hexagons, axial_coordinates, cell_centres

LATTICES = [
    Hexagons(pitch=8.34, orientation=orientation, angle=angle, origin=(3.2, -17.5))
    for orientation, angle in itertools.product(("pointy", "flat"), (60, 120))
]
by_lattice = pytest.mark.parametrize("lattice", LATTICES, ids=lambda each: f"{each.orientation}-{each.angle}")


def direction(degrees):
    return complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def plain_centre(lattice, q, r):
    """The centre of a cell: so many steps along q, so many along r, of one pitch each."""
    along_r = {"pointy": lattice.angle, "flat": 90}[lattice.orientation]
    along_q = along_r - lattice.angle
    return complex(*lattice.origin) + lattice.pitch * (q * direction(along_q) + r * direction(along_r))


@by_lattice
def test_a_position_lies_in_the_hexagon_of_the_nearest_centre(lattice):
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-40, 40, (2, 400))
    centres = {(q, r): plain_centre(lattice, q, r) for q, r in itertools.product(range(-12, 13), repeat=2)}
    expected = [min(centres, key=lambda cell: abs(centres[cell] - point)) for point in x + 1j * y]
    q, r = axial_coordinates(x, y, lattice)
    assert list(zip(q.tolist(), r.tolist(), strict=True)) == expected


@by_lattice
def test_centres_are_steps_along_both_axes(lattice):
    q, r = np.array([*itertools.product(range(-3, 4), repeat=2)]).T
    x, y = cell_centres(q, r, lattice)
    assert x + 1j * y == pytest.approx(
        np.array([plain_centre(lattice, *cell) for cell in zip(q, r, strict=True)])
    )
    assert [each.tolist() for each in axial_coordinates(x, y, lattice)] == [q.tolist(), r.tolist()]


@by_lattice
def test_the_square_of_a_distance_has_a_product_of_both_steps(lattice):
    for q, r in itertools.product(range(-3, 4), repeat=2):
        distance = abs(plain_centre(lattice, q, r) - plain_centre(lattice, 0, 0)) / lattice.pitch
        assert q * q + r * r + lattice.obliqueness * q * r == pytest.approx(distance**2)


@by_lattice
def test_neighbours_are_the_six_cells_at_one_pitch(lattice):
    near = [
        (q, r)
        for q, r in itertools.product(range(-3, 4), repeat=2)
        if abs(abs(plain_centre(lattice, q, r) - plain_centre(lattice, 0, 0)) - lattice.pitch) < 1e-9
    ]
    assert sorted(lattice.neighbours) == near
    diagonal = (1, -1) if lattice.angle == 60 else (1, 1)
    assert diagonal in near


@by_lattice
def test_a_side_is_shared_with_the_neighbour_across_it(lattice):
    corners = lattice.corners @ [1, 1j]
    assert abs(corners) == pytest.approx(lattice.pitch / math.sqrt(3))
    for side, (q, r) in enumerate(lattice.neighbours):
        middle = (corners[side] + corners[(side + 1) % 6]) / 2
        assert 2 * middle == pytest.approx(plain_centre(lattice, q, r) - plain_centre(lattice, 0, 0))
    heights = sorted(corners.imag.round(6))
    assert (heights[-1] == heights[-2]) == (lattice.orientation == "flat")


def test_a_layer_is_shifted_by_its_place_in_a_list_that_repeats():
    lattice = Hexagons(pitch=2, layer_shifts=[(0, 0), (1, 0.5)])
    q, r, layer = np.array([0, 0, 0, 0]), np.array([0, 0, 0, 0]), np.array([0, 1, 2, 3])
    x, y = cell_centres(q, r, lattice, layer)
    assert (x.tolist(), y.tolist()) == ([0, 1, 0, 1], [0, 0.5, 0, 0.5])
    near = axial_coordinates(np.full(4, 1.2), np.zeros(4), lattice, layer)
    assert [each.tolist() for each in near] == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_positions_of_narrow_types_are_found_as_float64():
    x, y = cell_centres(np.arange(-500, 500), np.arange(1000), LATTICES[1])
    q, r = axial_coordinates(x.astype(np.float32), y.astype(np.float32), LATTICES[1])
    assert (q.tolist(), r.tolist()) == ([*range(-500, 500)], [*range(1000)])


@pytest.mark.parametrize("place", [np.nan, np.inf, -1e300, 2.0**53])
def test_what_is_no_position_lies_in_no_cell_of_any_grid(place):
    """Nor what is so far away that float64 does not tell one cell from the next."""
    for x, y in (([place], [0]), ([0], [place]), ([place, 3, 0], [0, 0, place])):
        q, r = axial_coordinates(np.array(x), np.array(y), Hexagons())
        assert ((q < -(10**15)) & (r < -(10**15))).tolist() == [each != 3 for each in x]


@pytest.mark.parametrize("keys", [{"pitch": 0}, {"angle": 90}, {"orientation": "up"}, {"origin": [1]}])
def test_what_is_no_lattice_is_refused(keys):
    with pytest.raises(ValueError, match=next(iter(keys))):
        Hexagons(**keys)
