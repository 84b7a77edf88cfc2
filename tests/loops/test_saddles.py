"""The saddle of a peak is the highest level at which it is connected to a higher cell."""

import itertools

import numpy as np
import pytest
import saddles_oracle
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_problems import many_examples, some_examples
from strategies import fractions, huge_counts, shapes, small_counts

from hep_peaksum.kernels import Peaks, Periodic, absent, accumulator
from hep_peaksum.loops.saddles import saddles

KERNELS = "numba", "scipy"


def peaks_at(grids, is_peak):
    """Return peaks at some of the cells that exist."""
    place = np.nonzero(is_peak & (grids != absent(grids.dtype)))
    seed = grids[place].astype(accumulator(grids.dtype))
    return Peaks.at(place, grids.shape, seed, seed, np.ones(len(seed), np.int32))


def saddles_at_all_cells(grid, kernel, periodic=(False, False)):
    grids = np.array([grid])
    peaks = peaks_at(grids, np.ones(grids.shape, bool))
    return saddles(grids, peaks, Periodic(*periodic), kernel).reshape(grids.shape[1:]).tolist()


@pytest.mark.parametrize("kernel", KERNELS)
def test_peaks_of_one_height_that_have_met_wait_together_for_something_higher(kernel):
    """Both peaks of 5 reach the 9 by way of the 1, and the 9 itself is above all, down to the 0."""
    grids = np.array([[[0, 5, 3, 5, 1, 9]]])
    found = saddles(grids, peaks_at(grids, grids >= 5), Periodic(rows=False, cols=False), kernel)
    assert found.tolist() == [1, 1, 0]


@st.composite
def events_with_peaks(draw):
    """Draw events with ties and absent cells, peaks anywhere in them, and seams."""
    shape = draw(shapes())
    grids = draw(st.one_of(small_counts(shape), fractions(shape), huge_counts(shape)))
    if draw(st.booleans()):
        grids[draw(hnp.arrays(bool, shape))] = absent(grids.dtype)
    peaks = peaks_at(grids, draw(hnp.arrays(bool, shape)))
    return grids, peaks, Periodic(*draw(st.tuples(st.booleans(), st.booleans())))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_saddle_is_the_lowest_cell_on_the_best_way_up(kernel):
    assert saddles_at_all_cells([[4, 1, 3, 2, 5]], kernel) == [[1, 1, 2, 2, 1]]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_way_up_may_lead_across_a_seam(kernel):
    assert saddles_at_all_cells([[4, 1, 2, 3, 5]], kernel, (False, True)) == [[4, 1, 2, 3, 1]]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_behind_absent_cells_the_lowest_cell_that_is_reached_counts(kernel, dtype):
    grid = np.array([[4, 2, 3, 0, 9, 1]], dtype)
    grid[0, 3] = absent(dtype)
    peaks = peaks_at(grid[None], np.array([[[True, False, True, True, True, False]]]))
    assert saddles(grid[None], peaks, Periodic(False, False), kernel).tolist() == [2, 2, 1]


@pytest.mark.parametrize("step", [*{*itertools.product((-1, 0, 1), repeat=2)} - {(0, 0)}], ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_cells_that_touch_lead_to_what_is_higher_behind_them(kernel, step):
    """Far from the edges, where the cells around one are looked at together; of equal cells one comes first."""
    grid, (down, right) = np.zeros((7, 8)), step
    grid[3, 3] = grid[3 + down, 3 + right] = 5
    grid[3 + 2 * down, 3 + 2 * right] = 9
    grids = grid[np.newaxis]
    peaks = peaks_at(grids, grids > 0)
    found = saddles(grids, peaks, Periodic(rows=False, cols=False), kernel)
    assert found.tolist() == [5 if seed == 5 else 0 for seed in peaks.seed.tolist()]


@many_examples
@given(problem=events_with_peaks())
def test_both_twins_find_the_saddles_of_the_definition(problem):
    grids, peaks, periodic = problem
    expected = []
    for event, row, col in zip(peaks.event.tolist(), peaks.row.tolist(), peaks.col.tolist(), strict=True):
        values = dict(np.ndenumerate(grids[event]))
        values = {cell: value.item() for cell, value in values.items() if value != absent(grids.dtype)}
        expected.append(saddles_oracle.saddle(values, (row, col), grids.shape[1:], periodic))
    fast, readable = (saddles(grids, peaks, periodic, kernel) for kernel in KERNELS)

    assert [fast.dtype, fast.tobytes()] == [readable.dtype, readable.tobytes()]
    assert fast.tolist() == expected


def wave(n, tilt):
    row, col = np.mgrid[:n, :n]
    return np.sin(row * np.pi / 4) * np.sin(col * np.pi / 4) + tilt * (row + 1.3 * col)


@pytest.mark.slow
@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=2)), ids=str)
@pytest.mark.parametrize(
    "image",
    [
        np.random.default_rng(1).normal(size=(100, 130)).astype(np.float32),
        np.random.default_rng(2).integers(-3, 4, (110, 90)),
        np.random.default_rng(3).exponential(size=(10, 1300)) ** 9,
        wave(110, 1e-3),
        np.add.outer(np.arange(100.0), 0.3 * np.arange(100)),
    ],
    ids=["noise", "ties", "tail", "wave", "ramp"],
)
def test_large_images_have_the_same_saddles_in_both_twins(image, periodic):
    is_peak = np.random.default_rng(4).random(image.shape) < 0.02
    peaks = peaks_at(image[None], is_peak[None])
    fast, readable = (saddles(image[None], peaks, Periodic(*periodic), kernel) for kernel in KERNELS)
    assert fast.tolist() == readable.tolist()


@some_examples
@given(shape=shapes(), value=st.sampled_from([-1.0, 0.0, 2.0]))
def test_a_constant_grid_has_its_own_height_as_saddle(shape, value):
    grids = np.full(shape, value)
    peaks = peaks_at(grids, np.ones(shape, bool))
    assert set(saddles(grids, peaks, Periodic(False, True), "numba").tolist()) <= {value}
