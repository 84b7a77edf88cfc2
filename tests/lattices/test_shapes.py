"""The shape of n numbers: nearly square, layers of squares, or what the numbers themselves show."""

import numpy as np
import pytest
from detector_files import cells

from hep_peaksum.lattices.shapes import closes, guess_shape


@pytest.mark.parametrize(
    ("n", "comment"),
    [
        (80, "10×8 guessed (the nearest to a square); also 16×5, 20×4, 5×4×4, 40×2"),
        (384, "24×16 guessed (the nearest to a square); also 32×12, 48×8, 6×8×8, 24×4×4, 64×6, 96×4"),
        (6700, "67×10×10 guessed; also 100×67, 134×50, 268×25, 335×20, 670×10, 1340×5"),
        (4851, "77×63 guessed (the nearest to a square); also 99×49, 147×33, 11×21×21, 99×7×7, 231×21, 441×11"),
        (25, "5×5 guessed (the nearest to a square)"),
        (6, "3×2 guessed (the nearest to a square)"),
        (17 * 16, "17×4×4 guessed; also 17×16, 34×8, 68×4, 136×2"),
        (13 * 16, "16×13 guessed (the nearest to a square); also 26×8, 13×4×4, 52×4, 104×2"),
    ],
)
def test_the_guess_is_told_with_the_alternatives(n, comment):
    assert guess_shape(n).comment == comment


@pytest.mark.parametrize("n", [1, 4, 5, 7, 158])
def test_numbers_that_make_no_plane(n):
    assert guess_shape(n) is None


@pytest.mark.parametrize("shape", [(20, 4), (16, 5), (8, 10), (4, 20)])
def test_showers_show_the_length_of_a_row(shape):
    flat = cells(3, shape, 300).reshape(300, -1)
    assert guess_shape(80, flat).sizes == shape


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_hides_no_showers(broken):
    flat = cells(3, (20, 4), 300).reshape(300, -1)
    flat[7, 5] = broken
    assert guess_shape(80, flat).sizes == (20, 4)


def test_showers_show_the_size_of_a_layer():
    plane = cells(4, (6, 6), 300)
    profile = np.array([0.2, 0.5, 1.0, 0.8, 0.3])
    flat = (plane[:, None] * profile[:, None, None]).reshape(300, -1)
    assert guess_shape(180, flat).sizes == (5, 6, 6)


def test_noise_shows_nothing():
    noise = np.random.default_rng(1).normal(size=(300, 80))
    assert guess_shape(80, noise).sizes == (10, 8)


def test_pedestals_do_not_hide_showers_and_a_still_beam_is_seen():
    pedestals = np.random.default_rng(5).normal(2000, 150, 80)
    assert guess_shape(80, 50 * cells(3, (16, 5), 300).reshape(300, -1) + pedestals).sizes == (16, 5)
    rows, cols = np.indices((20, 4))
    still = np.exp(-((rows - 10) ** 2 + (cols - 1.5) ** 2)).reshape(1, -1).repeat(30, axis=0)
    assert guess_shape(80, still).sizes == (20, 4)


@pytest.mark.parametrize(
    "hot",
    [
        pytest.param(lambda _, n: np.full(n, 100.0), id="always_on"),
        pytest.param(lambda random, n: random.normal(0, 50, n), id="noise"),
        pytest.param(lambda random, n: np.where(random.random(n) < 0.2, 300.0, 0), id="fires"),
    ],
)
@pytest.mark.parametrize("shape", [(16, 5), (8, 10)])
def test_hot_and_dead_channels_hide_no_showers(hot, shape):
    flat = cells(3, shape, 300).reshape(300, -1)
    random = np.random.default_rng(8)
    for channel in (11, 17, 31, 53):
        flat[:, channel] += hot(random, 300)
    flat[:, [22, 40, 69]] = 0
    assert guess_shape(80, flat).sizes == shape


def test_sparse_showers_show_the_length_of_a_row():
    """Most have one cell only."""
    flat, random = np.zeros((400, 6, 20)), np.random.default_rng(6)
    event, row, col = np.arange(400), random.integers(0, 5, 400), random.integers(0, 20, 400)
    flat[event, row, col] = random.uniform(1, 2, 400)
    flat[event[::10], row[::10] + 1, col[::10]] = 0.4 * flat[event, row, col][::10]
    assert guess_shape(120, flat.reshape(400, -1)).sizes == (6, 20)


def test_no_plane_is_a_hundred_times_as_long_as_it_is_wide():
    """Where every second number of a long list is alike, it is no column of a thousand pairs."""
    strip = np.zeros((300, 2000))
    event, at = np.arange(300), np.random.default_rng(7).integers(0, 1990, 300)
    strip[event, at] = strip[event, at + 2] = 1
    assert guess_shape(2000, strip).sizes == (50, 40)
    assert guess_shape(200, strip.reshape(-1, 200)).sizes == (100, 2)


@pytest.mark.parametrize("value", [0, np.nan])
def test_cells_without_a_value_show_nothing(value):
    assert guess_shape(80, np.full((3, 80), value)).sizes == (10, 8)


@pytest.mark.parametrize("side", [28, 30, 42], ids=["49-layers-of-4x4", "25-layers-of-6x6", "49-layers-of-6x6"])
def test_a_square_is_no_stack_of_as_many_layers_as_a_square_of_a_small_prime(side):
    assert guess_shape(side**2).sizes == (side, side)


def around(seed, n_phi, n_events=200):
    """Return rings of cells with one shower each, 3 rows of them; half of the shower is in the next cell."""
    energies, random = np.zeros((n_events, 3, n_phi)), np.random.default_rng(seed)
    event, row, col = (
        np.arange(n_events),
        random.integers(3, size=n_events),
        random.integers(n_phi, size=n_events),
    )
    energy = random.exponential(5, n_events)
    energies[event, row, col] = energy
    energies[event, row, (col + 1) % n_phi] = energy / 2
    return energies


def test_showers_across_the_seam_show_that_an_axis_closes():
    """Unless it is cut open, or all cells rise together, or events are too few or all the same."""
    rings = around(1, 12)
    noise = np.random.default_rng(2).normal(0, 50, (200, 1, 1))
    assert closes(rings, 2)
    assert all(closes(np.where(rings == 0, broken, rings), 2) for broken in (np.nan, np.inf, -np.inf))
    assert not closes(rings, 1)
    assert not closes(rings[:, :, :9], 2)
    assert not closes(rings + noise, 2)
    assert not closes(rings[:8], 2)
    assert not closes(np.ones((200, 3, 12)), 2)


def scattered(seed, shape, n_events=200):
    """Return layers of cells with wide showers of a few cells each, of any energy."""
    energies, random = np.zeros((n_events, *shape)), np.random.default_rng(seed)
    for event in range(n_events):
        middle = random.uniform(0, shape, (2, 1, 3)).repeat(40, axis=1)
        places = np.rint(random.normal(middle, (2.0, 1.6, 1.6))).astype(int).reshape(-1, 3)
        inside = places[((places >= 0) & (places < shape)).all(axis=1)]
        energies[(event, *inside.T)] = random.uniform(0, 100, len(inside))
    return energies.reshape(n_events, -1)


@pytest.mark.parametrize("shape", [(24, 30), (5, 12, 12)])
def test_wide_showers_show_the_shape_although_cells_beside_a_row_are_alike_too(shape):
    """And never two rows for one."""
    flat = scattered(5, (1, *shape)[-3:])
    assert guess_shape(flat.shape[1], flat).sizes == shape


def test_hits_here_and_there_show_nothing():
    random = np.random.default_rng(6)
    hits = random.exponential(size=(50, 80)) * (random.random((50, 80)) < 0.1)
    assert guess_shape(80, hits).reason == "the nearest to a square"
