"""Which hits lie in planes across the beam, and which around it: pictures of radius and z."""

import numpy as np
import pytest

from hep_peaksum.inspection.planes import _is_disc, is_flat

# the least and the largest radius, then the same of z; azimuths are any, so that x and y are in no equal steps
PICTURES = {
    "an_endcap": ((30, 150), (200, 500), True),
    "an_endcap_on_the_other_side": ((30, 150), (-500, -200), True),
    "an_endcap_with_a_large_hole": ((100, 150), (300, 400), False),
    "half_a_barrel": ((129, 150), (0, 300), False),
    "a_barrel": ((129, 150), (-300, 300), False),
    "a_cylinder_from_the_beam_on": ((10, 150), (-300, 300), False),
    "a_disc_with_a_large_hole": ((100, 150), (-4, 4), True),
    "a_thick_ring": ((100, 150), (-7, 7), False),
    "a_thick_disc": ((20, 150), (-14, 14), True),
    "a_thicker_disc": ((20, 150), (-16, 16), False),
}


def hits(radius, z, n=40):
    random = np.random.default_rng(3)
    phi = random.uniform(-np.pi, np.pi, n)
    radii, depth = (random.permutation(np.linspace(*ends, n)) for ends in (radius, z))
    return radii * np.cos(phi), radii * np.sin(phi), depth


@pytest.mark.parametrize(("radius", "z", "expected"), PICTURES.values(), ids=PICTURES)
def test_planes_are_told_from_barrels(radius, z, expected):
    assert is_flat(*hits(radius, z)) == expected


@pytest.mark.parametrize(("nearest", "expected"), [(160, True), (140, False)])
def test_two_endcaps_are_flat_and_what_reaches_between_them_is_not(nearest, expected):
    """The farthest hits are at 300: from half of it on there is nothing between the ends."""
    parts = hits((30, 150), (nearest, 300)), hits((30, 150), (-300, -nearest))
    assert is_flat(*(np.concatenate(both) for both in zip(*parts, strict=True))) == expected


def test_cells_in_equal_steps_of_x_and_y_are_flat_wherever_they_are():
    row, col = np.indices((6, 6)).reshape(2, -1).repeat(20, axis=1)
    assert is_flat(100.0 + 5 * col, 100.0 + 5 * row, np.linspace(-300, 300, len(row)))


@pytest.mark.parametrize(
    ("n_rows", "n_cols", "corner", "expected"),
    [(60, 60, [], False), (61, 60, [], True), (61, 60, [(95, 8)], False), (61, 60, [(88, 12)], True)],
    ids=["by chance none", "a disc", "one in a corner", "one beside the corners"],
)
def test_a_disc_has_no_hit_where_many_outer_rows_and_columns_cross(n_rows, n_cols, corner, expected):
    """Of 300 hits, 60 in outer rows and 60 in outer columns would be 12 in both."""
    places = [(100 * (n % 2), 50) for n in range(n_rows)] + [(50, 100 * (n % 2)) for n in range(n_cols)]
    places += corner
    rows, cols = np.array(places + [(50, 50)] * (300 - len(places))).T
    assert _is_disc(rows, cols) == expected
