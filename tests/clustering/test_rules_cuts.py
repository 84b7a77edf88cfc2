"""Pictures of noise thresholds and of cuts on finished clusters."""

import math

import pytest
from rules_pictures import ALONE, COLS, COUNTED, LINE, PLACE, SHARED, TWO_SHOWERS

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters

# name: (cells, fields, the fields of every cluster, rules)
PICTURES = {
    # noise
    "a_seed_must_stand_five_sigma_above_the_noise_of_its_own_cell": (
        "6 0 0 9 0 0 9",
        PLACE,
        [(0, 0, 6, 6), (0, 6, 9, 9)],
        {**ALONE, "seed_threshold": "5 sigma", "noise": [[1, 1, 1, 2, 1, 1, 1]]},
    ),
    "the_noise_of_a_seed_window_adds_in_quadrature": (
        "0 10 0 0 11 0",
        PLACE,
        # 3 and 4 are 5 together
        [(0, 4, 11, 11)],
        {
            "search_window": (1, 3),
            "sum_window": (1, 1),
            "seed_window": "ox",
            "tie_rule": "last",
            "seed_threshold": "2 sigma",
            "noise": [[4, 3, 4, 4, 3, 4]],
        },
    ),
    "cells_are_added_two_sigma_above_their_own_noise": (
        "2 9 3",
        COUNTED,
        [(0, 1, 11, 2)],
        {**LINE, "cell_threshold": "2 sigma", "noise": [[1, 1, 2]]},
    ),
    "a_sum_must_stand_three_sigma_above_the_noise_of_its_cells": (
        "1 7 1 0 0 1 6 1",
        (*PLACE, "noise"),
        [(0, 1, 7, 9, 3.0)],
        {**LINE, "sum_threshold": "3 sigma", "noise": [[2, 1, 2, 1, 1, 2, 1, 2]]},
    ),
    "the_noise_of_a_sum_is_that_of_the_cells_that_the_cluster_holds": (
        TWO_SHOWERS,
        ("col", "peak_sum", "noise"),
        [(1, 6, 5.0), (3, 15, 13.0)],
        {**LINE, "overlap": "highest", "noise": [[4, 3, 12, 3, 4]]},
    ),
    "significance_moves_the_maximum_away_from_a_noisy_cell": (
        "4 9 3",
        PLACE,
        [(0, 0, 4.0, 13)],
        {**LINE, "quantity": "significance", "noise": [[1, 3, 1]]},
    ),
    "the_energy_puts_the_maximum_on_the_noisy_cell": (
        "4 9 3",
        (*PLACE, "noise"),
        [(0, 1, 9, 16, math.sqrt(11))],
        {**LINE, "noise": [[1, 3, 1]]},
    ),
    "a_bare_threshold_on_significance_means_sigmas": (
        "6 0 0 9",
        PLACE,
        [(0, 0, 6.0, 6)],
        {**ALONE, "quantity": "significance", "seed_threshold": 5, "noise": [[1, 1, 1, 2]]},
    ),
    # cuts on finished clusters
    "a_small_sum_is_dropped_and_its_neighbour_does_not_get_its_cells": (
        TWO_SHOWERS,
        SHARED,
        [(3, 13.5, 3, 1.5)],
        {**LINE, "overlap": "equal", "sum_threshold": 8},
    ),
    "a_sum_must_exceed_the_sum_threshold_if_that_is_asked": (
        TWO_SHOWERS,
        SHARED,
        [(3, 15, 3, 3)],
        {**LINE, "sum_threshold": 9, "sum_comparison": ">"},
    ),
    "a_mountain_range": (
        "5 3 4 1 9",
        ("col", "seed_gap", "prominence"),
        [(0, 2, 4), (2, 1, 1), (4, 8, 8)],
        {**LINE},
    ),
    "the_gap_to_negative_neighbours_is_that_to_the_highest_of_them": (
        "-4 -1 -3",
        ("col", "seed_gap"),
        [(1, 2)],
        {**LINE, "seed_threshold": -10},
    ),
    "only_peaks_well_above_their_neighbours": (
        "5 3 4 1 9",
        ("col",),
        [(0,), (4,)],
        {**LINE, "min_seed_gap": 2},
    ),
    "a_masked_cell_is_no_saddle": ("5 # 7", ("col", "prominence"), [(0, 0), (2, 0)], LINE),
    "only_prominent_peaks": ("5 3 4 1 9", ("col",), [(4,)], {**LINE, "min_prominence": 5}),
    "two_equal_peaks_have_no_higher_one_and_descend_to_the_lowest": (
        "5 3 5 1",
        ("col", "prominence"),
        [(0, 4), (2, 4)],
        {**LINE},
    ),
    "a_way_to_something_higher_leads_across_the_seam": (
        "5 0 0 9 3",
        ("col", "prominence"),
        [(0, 2), (3, 9)],
        {**LINE, "periodic": COLS},
    ),
    "an_island_among_dead_cells_descends_to_its_own_shore": (
        """5 2 # 9
           3 2 # 1""",
        ("row", "col", "seed_gap", "prominence"),
        [(0, 0, 2, 3), (0, 3, 8, 8)],
        {},
    ),
    "a_lonely_cell_stands_above_nothing": ("5", ("seed_gap", "prominence", "e1_e9"), [(5, 0, 1.0)], {}),
    "a_spike_has_no_neighbours_and_a_shower_has": (
        "0 9 0 0 5 2",
        ("col", "n_neighbours"),
        [(4, 1)],
        {**LINE, "min_neighbours": 1, "neighbour_threshold": 1},
    ),
    "neighbours_must_exceed_their_threshold": (
        "2 9 3",
        ("col", "n_neighbours"),
        [(1, 1)],
        {**LINE, "neighbour_threshold": 2},
    ),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_picture(finder, picture):
    text, fields, expected, rules = picture

    assert finder(text, fields, **rules) == expected


def test_a_sum_threshold_may_be_an_energy(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(n=6), unit="0.5 GeV")
    settings = PeakSumSettings(**LINE, sum_threshold="4 GeV", kernel=kernel)

    assert find_clusters([[[7, 0, 0, 0, 7, 1]]], settings, grid).col.to_list() == [[4]]


def test_max_clusters_counts_only_clusters_that_pass_the_cuts(kernel):
    cells = [[[7, 5, 6, 0, 4, 0, 3]]]
    rules = {"search_window": (1, 3), "sum_window": (1, 3), "max_clusters": 2, "kernel": kernel}

    assert find_clusters(cells, PeakSumSettings(**rules)).peak_sum.to_list() == [[12, 11]]
    assert find_clusters(cells, PeakSumSettings(**rules, min_seed_gap=2)).peak_sum.to_list() == [[12, 4]]


@pytest.mark.parametrize("threshold", [3, "3 sigma"])
@pytest.mark.parametrize(("comparison", "cols"), [(">", [4]), (">=", [1, 4])])
def test_a_significance_of_exactly_n_sigma_passes_from_n_sigma_on(kernel, threshold, comparison, cols):
    """6 at a noise of 2 are 3 sigma, 7 are more, and 5.9 at a noise of 2 are less."""
    settings = PeakSumSettings(
        **LINE, quantity="significance", seed_threshold=threshold, seed_comparison=comparison, order="position"
    )
    settings = settings.model_copy(update={"kernel": kernel})
    found = find_clusters([[[0, 6, 0, 0, 7, 0, 0, 5.9]]], settings, noise=[[2.0] * 8])

    assert found.col.to_list() == [cols]


def test_the_noise_of_a_masked_cell_is_none_of_the_seed_window(kernel):
    """About 10: sqrt(3^2 + 4^2) = 5 of the two cells that exist, so that 10 are 2 sigma."""
    rules = {**ALONE, "seed_window": (1, 3), "seed_threshold": "2 sigma", "seed_comparison": ">="}
    cells, mask, noise = [[[0, 10, 0]]], [[True, False, False]], [[100, 3, 4]]
    settings = PeakSumSettings(**rules, kernel=kernel)
    clusters = find_clusters(cells, settings, mask=mask, noise=noise, fields=["col", "seed"])
    assert clusters.to_list() == [[{"col": 1, "seed": 10}]]
