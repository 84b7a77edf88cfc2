"""Coordinates of hits: right by Python's math, one hit at a time."""

import math

import numpy as np
import pytest

from hep_peaksum import block_sizes
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.coordinates import COORDINATES, coordinate, transverse_energy

BARE = Axis(n=1)
RANDOM = np.random.default_rng(3)
POINTS = RANDOM.normal(0, 1000, (200, 3)).astype("f4")
ORIGIN = (1.5, -20.0, 300.0)


def plain(name, x, y, z):
    rho = math.sqrt(x * x + y * y)
    return {
        "eta": lambda: math.asinh(z / rho),
        "theta": lambda: math.acos(z / math.sqrt(rho * rho + z * z)),
        "phi": lambda: math.atan2(y, x),
        "r": lambda: math.sqrt(x * x + y * y + z * z),
        "rho": lambda: rho,
    }[name]()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2"])
@pytest.mark.parametrize("origin", [None, ORIGIN], ids=["at_zero", "shifted"])
@pytest.mark.parametrize("name", COORDINATES)
def test_coordinates_are_those_of_plain_trigonometry(monkeypatch, name, origin, dtype):
    monkeypatch.setattr(block_sizes, "HITS", 64)
    points = POINTS.astype(dtype)
    found = coordinate(name, list(points.T), origin, BARE)
    shift = origin or (0, 0, 0)
    expected = [plain(name, *(float(v) - s for v, s in zip(point, shift, strict=True))) for point in points]
    assert found.dtype == np.float64
    assert found.tolist() == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_pseudorapidity_and_polar_angle_are_one_angle():
    eta, theta = (coordinate(name, list(POINTS.T), None, BARE) for name in ("eta", "theta"))
    assert eta == pytest.approx(-np.log(np.tan(theta / 2)), rel=1e-12)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis(n=1), [0, 90, 180, -90]),
        (Axis(name="phi", bins=4, start="-pi", stop="pi", periodic=True), [0, 90, 180, -90]),
        (Axis(name="phi", bins=4, start=0, stop="pi"), [0, 90, 180, 270]),
        (Axis(name="phi", bins=4, start="-pi", stop="pi"), [0, 90, -180, -90]),
    ],
    ids=["no_positions", "periodic", "a_half", "a_turn_that_is_not_periodic"],
)
def test_an_azimuth_lies_in_the_turn_of_its_axis(axis, expected):
    x, y = np.array([1.0, 0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0, -1.0])
    assert np.degrees(coordinate("phi", [x, y], None, axis)).tolist() == pytest.approx(expected)


def test_angles_are_in_the_unit_of_their_axis():
    axis = Axis(name="phi", unit="deg", bins=4, start=0, stop=360, periodic=True)
    assert coordinate("phi", [np.array([0.0]), np.array([2.0])], None, axis).tolist() == [90.0]
    axis = Axis(name="angle", unit="deg", bins=18, start=0, stop=180)
    parts = [np.array([1.0]), np.array([0.0]), np.array([1.0])]
    assert coordinate("theta", parts, None, axis).tolist() == pytest.approx([45.0])


def test_hits_on_the_beam_axis_lie_on_no_cell_in_eta():
    zero = np.zeros(3)
    eta = coordinate("eta", [zero, zero, np.array([5.0, -5.0, 0.0])], None, BARE)
    assert eta[:2].tolist() == [math.inf, -math.inf]
    assert math.isnan(eta[2])
    assert Axis(name="eta", bins=4, start=-3, stop=3).find(eta).tolist() == [-1, -1, -1]


def test_a_transverse_energy_is_that_of_the_direction_from_the_origin():
    energy = np.arange(len(POINTS), dtype="f4")
    found = transverse_energy(energy, list(POINTS.T), ORIGIN)
    for e, point, et in zip(energy, POINTS, found, strict=True):
        x, y, z = (float(v) - s for v, s in zip(point, ORIGIN, strict=True))
        assert et == pytest.approx(float(e) * math.sin(plain("theta", x, y, z)), rel=1e-13)
