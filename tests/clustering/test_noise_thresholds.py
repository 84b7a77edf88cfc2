"""Seed thresholds in sigma: every cell against its own noise, given as one plane or for each event."""

import numpy as np
import pytest
from clustering_problems import index_grid
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_problems import some_examples
from strategies import fractions, shapes, small_counts, windows

from hep_peaksum import find_clusters
from hep_peaksum.settings.model import PeakSumSettings

SIGMAS = ("0 sigma", "0.5 sigma", "1 sigma", "3 sigma", "-1 sigma", "1e300 sigma")
NOISES = (0.0, 0.1, 0.5, 1.0, 2.0, 1e-200)


@st.composite
def noisy(draw):
    """Draw cells, settings with a threshold in sigma, a plane of noise and a plane of masked cells."""
    shape = draw(shapes())
    periodic = draw(st.tuples(st.booleans(), st.booleans()))
    settings = PeakSumSettings(
        search_window=(1, 1),
        sum_window=(1, 1),
        seed_window=draw(windows(shape[1:], periodic)),
        seed_threshold=draw(st.sampled_from(SIGMAS)),
        seed_comparison=draw(st.sampled_from((">", ">="))),
        masked=draw(st.sampled_from(("absent", "zero"))),
        order="position",
    )
    noise = draw(hnp.arrays(np.float64, shape[1:], elements=st.sampled_from(NOISES)))
    mask = draw(hnp.arrays(bool, shape[1:])) if draw(st.booleans()) else None
    return (
        draw(st.one_of(small_counts(shape), fractions(shape))),
        settings,
        index_grid(shape, periodic),
        noise,
        mask,
    )


def of_every_event(plane, cells):
    return None if plane is None else np.repeat(plane[None], len(cells), axis=0)


def seeds(cells, settings, grid, noise, mask):
    found = find_clusters(cells, settings, grid, noise=noise, mask=mask)
    return [[(c["row"], c["col"], c["seed"]) for c in event] for event in found.to_list()]


@some_examples
@given(drawn=noisy())
def test_a_plane_of_noise_is_the_same_as_a_map_for_every_event(drawn):
    cells, settings, grid, noise, mask = drawn

    of_plane = seeds(*drawn)

    assert of_plane == seeds(cells, settings, grid, of_every_event(noise, cells), mask)
    assert of_plane == seeds(cells, settings, grid, noise, of_every_event(mask, cells))
    assert of_plane == seeds(cells, settings.model_copy(update={"kernel": "scipy"}), grid, noise, mask)


def is_above(value, noise, sigmas, comparison):
    return value > sigmas * noise if comparison == ">" else value >= sigmas * noise


@some_examples
@given(drawn=noisy())
def test_those_cells_are_seeds_that_pass_the_threshold_of_their_own_noise(drawn):
    """Of single cells, where every cell beats its search window."""
    cells, settings, grid, noise, mask = drawn
    settings = settings.model_copy(update={"seed_window": (1, 1)})
    sigmas, mask = (
        float(settings.seed_threshold.split()[0]),
        np.zeros(noise.shape, bool) if mask is None else mask,
    )
    expected = [
        [
            (row, col)
            for row, col in np.ndindex(noise.shape)
            if not mask[row, col]
            and is_above(
                float(event[row, col]),
                noise[row, col] if noise[row, col] > 1e-100 else 0,
                sigmas,
                settings.seed_comparison,
            )
        ]
        for event in cells
    ]

    assert [[seed[:2] for seed in event] for event in seeds(cells, settings, grid, noise, mask)] == expected


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_a_noisy_masked_cell_and_a_quiet_one_do_not_move_the_thresholds_of_others(kernel):
    settings = {"search_window": (1, 1), "sum_window": (1, 1), "seed_threshold": "2 sigma", "kernel": kernel}
    noise, mask = [[1.0, 0.0, 3.0, np.nan]], [[False, True, False, True]]

    found = find_clusters([[[2.5, 9.0, 5.0, 9.0]], [[1.0, 9.0, 7.0, 9.0]]], settings, noise=noise, mask=mask)

    assert found.col.to_list() == [[0], [2]]


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
@pytest.mark.parametrize("noise_of_dead", [0.0, np.nan, 3.0])
@pytest.mark.parametrize("rules", [{}, {"group": "edges", "search_window": (1, 5)}])
def test_a_dead_cell_that_counts_as_zero_is_not_added_nor_does_it_join_groups(rules, noise_of_dead, kernel):
    """Its 0 is at least 2 times a noise of 0, which is what cell tables say of dead channels."""
    settings = {"search_window": (1, 3), "sum_window": (1, 3), "cell_threshold": "2 sigma", "masked": "zero"}
    noise, mask = [[1.0, noise_of_dead, 1.0]], [[False, True, False]]

    found = find_clusters([[[6, 9, 5]]], {**settings, **rules, "kernel": kernel}, noise=noise, mask=mask)

    assert [found.col.to_list(), found.n_cells.to_list()] == [[[0, 2]], [[1, 1]]]
