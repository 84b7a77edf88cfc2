"""The whole rule space, both kernels: pictures, the definition in `rules_oracle`, and the laws that follow."""

import math
from functools import partial
from itertools import chain

import numpy as np
import pytest
import rules_oracle
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from rules_strategies import INDEX_FREE_TIES, mirrored, questions, sharing_questions

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, peak_sum_map
from hep_peaksum.geometry.grid import EventError

many = runs(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
some = runs(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))

NEITHER, COLS, ROWS = (False, False), (False, True), (True, False)

EXACT = (
    *("row", "col", "seed", "peak_sum", "n_cells", "shared_sum", "seed_gap", "prominence", "n_neighbours"),
    *("n_saturated", "at_seed", "e1_e9", "e9_e25", "isolation", "noise"),
)


@pytest.fixture(scope="module", params=["numba", "scipy"])
def kernel(request):
    return request.param


def table(text):
    """Return the numbers of a picture, row by row; `#` is a cell that is masked."""
    rows = [line.split() for line in text.strip().splitlines()]
    return [[0 if word == "#" else int(word) for word in row] for row in rows]


def masked_cells(text):
    rows = [line.split() for line in text.strip().splitlines()]
    return [[word == "#" for word in row] for row in rows]


def seen_by_the_definition(text, fields, **rules):
    clusters = rules_oracle.find_clusters(table(text), mask=masked_cells(text), **rules)
    return [tuple(cluster[name] for name in fields) for cluster in clusters]


def seen(text, fields, *, kernel, periodic=NEITHER, noise=None, saturated=(), **settings):
    cells = np.array([table(text)])
    grid = Grid(
        rows=Axis(n=cells.shape[1], periodic=periodic[0]),
        cols=Axis(n=cells.shape[2], periodic=periodic[1]),
        saturated=saturated,
    )
    clusters = find_clusters(
        cells,
        PeakSumSettings(order="position", kernel=kernel, **settings),
        grid,
        mask=np.array(masked_cells(text)),
        noise=noise,
        fields=fields,
    )
    return [tuple(cluster[name] for name in fields) for cluster in clusters.to_list()[0]]


@pytest.fixture(scope="module", params=["definition", "numba", "scipy"])
def finder(request):
    """Return who looks at a picture: the definition itself, or one of the kernels."""
    return seen_by_the_definition if request.param == "definition" else partial(seen, kernel=request.param)


# -------------------------------------------------------------------------------------------------- pictures

PLACE = ("row", "col", "seed", "peak_sum")
COUNTED = ("row", "col", "peak_sum", "n_cells")
SHARED = ("col", "peak_sum", "n_cells", "shared_sum")

LINE = {"search_window": (1, 3), "sum_window": (1, 3)}
ALONE = {"search_window": (1, 3), "sum_window": (1, 1)}
TWO_SHOWERS = "0 6 3 12 0"
# 6 and 12 are four cells apart, the windows of seven cells share the three between them
FAR_SHOWERS = "0 6 1 2 4 12 0"

# name: (cells, what is looked at, every cluster, the rules)
PICTURES = {
    # seed windows
    "a_broad_shower_is_higher_than_a_spike_if_sums_of_three_are_compared": (
        "0 0 5 0 0 0 3 3 3 0",
        PLACE,
        [(0, 7, 9, 9)],
        {**LINE, "seed_window": (1, 3), "seed_threshold": 5},
    ),
    "a_spike_is_higher_than_a_broad_shower_if_cells_are_compared": (
        "0 0 5 0 0 0 3 3 3 0",
        PLACE,
        [(0, 2, 5, 5)],
        {**LINE, "seed_threshold": 3},
    ),
    "the_2x2_core_of_an_even_seed_window_is_compared_and_all_3x3_added": (
        """0 0 0 0
           0 4 4 0
           0 4 4 0
           0 0 0 1""",
        PLACE,
        [(1, 1, 16, 16)],
        {"seed_window": "ox\nxx", "seed_threshold": 8},
    ),
    "a_seed_window_closes_across_the_seam": (
        "3 0 0 0 3",
        PLACE,
        [(0, 0, 6, 6)],
        {**LINE, "seed_window": (1, 3), "seed_threshold": 3, "periodic": COLS},
    ),
    "a_seed_window_may_reach_beyond_an_edge": (
        "7 1 4 0 0",
        PLACE,
        [(0, 1, 12, 12)],
        {**LINE, "seed_window": (1, 3), "seed_threshold": 5},
    ),
    "a_shower_at_the_edge_seeds_with_part_of_its_seed_window": (
        "7 1 0 0 0",
        PLACE,
        [(0, 0, 8, 8)],
        {**LINE, "seed_window": (1, 3), "seed_threshold": 5},
    ),
    "a_shower_at_the_edge_has_no_whole_seed_window": (
        "7 1 0 0 0",
        PLACE,
        [(0, 1, 8, 8)],
        {**LINE, "seed_window": (1, 3), "seed_threshold": 5, "partial_seed_windows": False},
    ),
    "along_a_closed_axis_every_seed_window_is_whole": (
        "7 1 0 0 0",
        PLACE,
        [(0, 0, 8, 8)],
        {
            **LINE,
            "seed_window": (1, 3),
            "seed_threshold": 5,
            "partial_seed_windows": False,
            "periodic": COLS,
        },
    ),
    "a_dead_cell_has_no_seed_window_though_it_lies_between_two_hot_ones": (
        "5 # 6",
        PLACE,
        [(0, 0, 5, 5), (0, 2, 6, 6)],
        {**LINE, "seed_window": (1, 3), "seed_threshold": 4},
    ),
    # greedy rules
    "all_cells_of_a_hot_strip_are_maxima": (
        "3 3 3 3 3",
        PLACE,
        [(0, col, 3, 3) for col in range(5)],
        {**ALONE, "tie_rule": "all"},
    ),
    "greedy_takes_every_second_cell_of_a_hot_strip_from_the_first": (
        "3 3 3 3",
        PLACE,
        [(0, 0, 3, 3), (0, 2, 3, 3)],
        {**ALONE, "tie_rule": "greedy"},
    ),
    "greedy_takes_every_second_cell_of_a_hot_strip_from_the_last": (
        "3 3 3 3",
        PLACE,
        [(0, 1, 3, 3), (0, 3, 3, 3)],
        {**ALONE, "tie_rule": "greedy", "greedy_ties": "last"},
    ),
    "greedy_takes_every_second_cell_of_a_hot_ring_and_respects_the_seam": (
        "3 3 3 3 3",
        PLACE,
        [(0, 0, 3, 3), (0, 2, 3, 3)],
        {**ALONE, "tie_rule": "greedy", "periodic": COLS},
    ),
    "greedy_finds_no_shoulder": (
        "3 2 1 2 1 1",
        PLACE,
        [(0, 0, 3, 3), (0, 3, 2, 2), (0, 5, 1, 1)],
        {**ALONE, "tie_rule": "greedy"},
    ),
    "greedy_looks_out_from_the_accepted_seed_not_back_from_the_candidate": (
        "5 5",
        PLACE,
        [(0, 0, 5, 5), (0, 1, 5, 5)],
        {"search_window": "xo", "sum_window": (1, 1), "tie_rule": "greedy"},
    ),
    "greedy_removes_the_later_seed_from_the_window_ahead": (
        "5 5",
        PLACE,
        [(0, 0, 5, 5)],
        {"search_window": "ox", "sum_window": (1, 1), "tie_rule": "greedy"},
    ),
    "greedy_residual_picks_the_shoulders_of_a_falling_chain": (
        "5 4 3 2 1",
        COUNTED,
        [(0, 0, 9, 2), (0, 2, 5, 2), (0, 4, 1, 1)],
        {**LINE, "tie_rule": "greedy-residual"},
    ),
    "no_other_rule_sees_the_shoulders_of_a_falling_chain": (
        "5 4 3 2 1",
        COUNTED,
        [(0, 0, 9, 2)],
        {**LINE, "tie_rule": "greedy"},
    ),
    "greedy_residual_keeps_out_of_the_sum_window_too": (
        "5 4 3 2 1",
        COUNTED,
        [(0, 0, 12, 3), (0, 3, 3, 2)],
        {"search_window": (1, 1), "sum_window": (1, 5), "tie_rule": "greedy-residual"},
    ),
    "greedy_residual_gives_the_cell_between_equal_seeds_to_the_first": (
        "4 2 4",
        SHARED,
        [(0, 6, 2, 2), (2, 4, 1, 0)],
        {**LINE, "tie_rule": "greedy-residual"},
    ),
    "greedy_residual_gives_the_cell_between_equal_seeds_to_the_last": (
        "4 2 4",
        SHARED,
        [(0, 4, 1, 0), (2, 6, 2, 2)],
        {**LINE, "tie_rule": "greedy-residual", "greedy_ties": "last"},
    ),
    # overlap
    "shared_cells_are_added_to_both": (
        TWO_SHOWERS,
        SHARED,
        [(1, 9, 3, 3), (3, 15, 3, 3)],
        {**LINE, "overlap": "shared"},
    ),
    "the_highest_seed_gets_the_cell": (
        TWO_SHOWERS,
        SHARED,
        [(1, 6, 2, 0), (3, 15, 3, 3)],
        {**LINE, "overlap": "highest"},
    ),
    "the_first_of_equal_seeds_gets_the_cell": (
        "0 6 3 6 0",
        SHARED,
        [(1, 9, 3, 3), (3, 6, 2, 0)],
        {**LINE, "overlap": "highest"},
    ),
    "the_highest_seed_gets_the_cells_near_the_other_too": (
        FAR_SHOWERS,
        SHARED,
        [(1, 6, 2, 0), (5, 19, 5, 7)],
        {"search_window": (1, 3), "sum_window": (1, 7), "overlap": "highest", "seed_threshold": 5},
    ),
    "the_nearest_seed_gets_the_cell_and_the_highest_the_one_in_the_middle": (
        FAR_SHOWERS,
        SHARED,
        [(1, 7, 3, 1), (5, 18, 4, 6)],
        {"search_window": (1, 3), "sum_window": (1, 7), "overlap": "nearest", "seed_threshold": 5},
    ),
    "the_nearest_seed_is_found_across_the_seam": (
        "6 1 2 12 3 4",
        SHARED,
        [(0, 11, 3, 11), (3, 17, 3, 17)],
        {
            "search_window": (1, 3),
            "sum_window": "oxxxxx",
            "overlap": "nearest",
            "seed_threshold": 5,
            "periodic": COLS,
        },
    ),
    "a_cell_is_divided_in_proportion_to_the_seeds": (
        TWO_SHOWERS,
        SHARED,
        [(1, 7.0, 3, 1.0), (3, 14.0, 3, 2.0)],
        {**LINE, "overlap": "proportional"},
    ),
    "a_cell_is_divided_in_proportion_to_the_sums": (
        TWO_SHOWERS,
        SHARED,
        [(1, 7.125, 3, 1.125), (3, 13.875, 3, 1.875)],
        {**LINE, "overlap": "proportional-sum"},
    ),
    "a_cell_is_divided_equally": (
        TWO_SHOWERS,
        SHARED,
        [(1, 7.5, 3, 1.5), (3, 13.5, 3, 1.5)],
        {**LINE, "overlap": "equal"},
    ),
    "a_seed_in_the_sum_window_of_a_higher_one_is_suppressed": (
        TWO_SHOWERS,
        SHARED,
        [(3, 21, 4, 0)],
        {"search_window": (1, 3), "sum_window": (1, 5), "overlap": "suppress"},
    ),
    "a_suppressed_seed_suppresses_nothing": (
        "5 0 6 0 7",
        SHARED,
        [(0, 11, 3, 6), (4, 13, 3, 6)],
        {"search_window": (1, 3), "sum_window": (1, 5), "overlap": "suppress"},
    ),
    "a_cell_below_the_cell_threshold_is_held_by_nobody": (
        TWO_SHOWERS,
        SHARED,
        [(1, 6, 1, 0), (3, 12, 1, 0)],
        {**LINE, "overlap": "highest", "cell_threshold": 4},
    ),
    # which cells are added
    "a_cell_must_exceed_the_cell_threshold_if_that_is_asked": (
        "2 9 3",
        COUNTED,
        [(0, 1, 12, 2)],
        {**LINE, "cell_threshold": 2, "cell_comparison": ">"},
    ),
    "a_deep_negative_cell_is_added_if_absolute_values_are_compared": (
        "-4 9 1",
        COUNTED,
        [(0, 1, 5, 2)],
        {**LINE, "cell_threshold": 3, "cell_threshold_abs": True},
    ),
    "a_gated_cell_is_added_behind_a_cell_that_was": (
        "3 1 5 2 4",
        COUNTED,
        [(0, 2, 11, 3)],
        {"search_window": (1, 3), "sum_window": "gxoxg", "cell_threshold": 2, "seed_threshold": 4},
    ),
    "gates_stand_one_behind_the_other": (
        "9 3 1 3 3",
        COUNTED,
        [(0, 0, 12, 2)],
        {"search_window": (1, 3), "sum_window": "ogggg", "cell_threshold": 2, "seed_threshold": 4},
    ),
    "gates_stand_one_behind_the_other_also_to_the_left": (
        "3 3 1 3 9",
        COUNTED,
        [(0, 4, 12, 2)],
        {"search_window": (1, 3), "sum_window": "ggggo", "cell_threshold": 2, "seed_threshold": 4},
    ),
    "a_gate_on_a_seed_that_is_not_added_stays_shut": (
        "3 9",
        COUNTED,
        [(0, 0, 0, 0), (0, 1, 9, 1)],
        {"search_window": (1, 1), "sum_window": "og", "cell_threshold": 5},
    ),
    "a_gate_behind_a_dead_cell_stays_shut": (
        "9 # 4",
        COUNTED,
        [(0, 0, 9, 1)],
        {"search_window": (1, 3), "sum_window": "oxg", "seed_threshold": 4},
    ),
    "gates_of_the_outer_ring_look_straight_and_diagonally_inwards": (
        """1 0 2 0 3
           0 0 4 4 0
           5 4 9 0 6
           0 4 0 4 0
           7 0 8 0 1""",
        COUNTED,
        [(2, 2, 29 + 2 + 3 + 5 + 7 + 1, 6 + 5)],
        {
            "search_window": (3, 3),
            "sum_window": "g.g.g\n.xxx.\ngxoxg\n.xxx.\ng.g.g",
            "cell_threshold": 1,
            "seed_threshold": 8,
        },
    ),
    "a_gate_off_the_diagonal_looks_along_its_longer_side": (
        """0 0 0 0 0
           4 0 0 0 5
           0 0 9 2 3
           6 0 0 1 7""",
        COUNTED,
        # 5 is behind an empty cell, 7 behind one that holds 1
        [(2, 2, 9 + 2 + 3 + 1 + 7, 5)],
        {"search_window": (1, 1), "sum_window": ".xg\noxx\n.xg", "cell_threshold": 1, "seed_threshold": 8},
    ),
    "the_stronger_side_stays": (
        "2\n9\n3",
        COUNTED,
        [(1, 0, 12, 2)],
        {"search_window": (3, 1), "sum_window": (3, 1), "keep_stronger_side": "rows"},
    ),
    "the_stronger_side_stays_in_phi": (
        "3 9 2",
        COUNTED,
        [(0, 1, 12, 2)],
        {**LINE, "keep_stronger_side": "cols"},
    ),
    "of_equal_sides_the_higher_stays": (
        """3 0
           9 0
           1 2""",
        COUNTED,
        [(1, 0, 12, 3)],
        {"keep_stronger_side": "rows", "cell_threshold": 1},
    ),
    "sides_are_weighed_after_the_cell_threshold": (
        "2 2 2 9 5",
        COUNTED,
        [(0, 3, 14, 2)],
        {"sum_window": "xxxox", "keep_stronger_side": "cols", "cell_threshold": 3, "seed_threshold": 4},
    ),
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
    "only_peaks_well_above_their_neighbours": (
        "5 3 4 1 9",
        ("col",),
        [(0,), (4,)],
        {**LINE, "min_seed_gap": 2},
    ),
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
    # shapes
    "a_shower_that_fits_into_its_window_is_compact_and_isolated": (
        """0 0 0 0 0
           0 1 0 1 0
           0 0 6 0 0
           0 1 0 1 0
           2 0 0 0 3""",
        ("row", "col", "e1_e9", "e9_e25", "isolation"),
        [(2, 2, 0.6, 10 / 15, 0.5)],
        {"seed_threshold": 5},
    ),
    "a_deeper_ring_isolates_from_further_away": (
        "1 0 2 5 2 0 0",
        ("col", "isolation"),
        [(3, 1 / 9)],
        {**LINE, "seed_threshold": 4, "isolation_depth": 2},
    ),
    "saturated_cells_are_added_and_counted": (
        "255 255 0 7 0 255",
        (*COUNTED, "n_saturated"),
        [(0, 0, 510, 2, 2), (0, 3, 7, 3, 0), (0, 5, 255, 2, 1)],
        {**LINE, "saturated": (255,)},
    ),
    "only_saturated_cells_that_are_added_count": (
        "3 5 0",
        (*COUNTED, "n_saturated"),
        [(0, 1, 5, 1, 0)],
        {**LINE, "saturated": (3, 0), "cell_threshold": 4},
    ),
    "a_barycentre_lies_between_the_cells": (
        "0 3 1 0",
        ("col", "barycentre_row", "barycentre_col", "width_row", "width_col"),
        [(1, 0.0, 1.25, 0.0, pytest.approx(math.sqrt(3) / 4))],
        {**LINE},
    ),
    "a_barycentre_across_the_seam_closes": (
        "4 0 0 0 0 0 0 4",
        ("col", "barycentre_col", "width_col", "at_seed"),
        [(0, 7.5, 0.5, False)],
        {**LINE, "periodic": COLS},
    ),
    "a_barycentre_beyond_the_last_column_is_before_the_first": (
        "1 0 0 0 0 0 1 5",
        ("col", "barycentre_col"),
        [(7, 7.0)],
        {**LINE, "periodic": COLS},
    ),
    "where_nothing_is_positive_the_seed_is_the_middle": (
        "-2 -1 -3",
        ("col", "barycentre_col", "width_col", "at_seed"),
        [(1, 1.0, 0.0, True)],
        {**LINE, "seed_threshold": -10},
    ),
    "negative_cells_do_not_weigh": (
        "-9 4 4",
        ("col", "barycentre_col"),
        [(1, 1.5)],
        {**LINE, "position": "linear"},
    ),
    "logarithmic_weights_lift_the_tails": (
        "1 8 7",
        ("col", "barycentre_col"),
        [
            (
                1,
                pytest.approx(
                    1
                    + (math.log(7 / 16) - math.log(1 / 16))
                    / (3 * 4.5 + math.log(1 / 16) + math.log(8 / 16) + math.log(7 / 16))
                ),
            )
        ],
        {**LINE, "position": "log"},
    ),
    "logarithmic_weights_may_all_be_zero": (
        "2 2 2",
        ("col", "barycentre_col", "at_seed"),
        [(0, 0.0, True)],
        {**LINE, "position": "log", "w0": 0.5},
    ),
    "a_cluster_weighs_only_its_own_part": (
        "0 6 3 12 0",
        ("col", "barycentre_col"),
        [(1, pytest.approx(1 + 1 / 7)), (3, pytest.approx(3 - 2 / 14))],
        {**LINE, "overlap": "proportional"},
    ),
    # towers
    "the_last_tower_may_be_smaller": (
        "1 2 3 0 4",
        PLACE,
        [(0, 0, 3, 3), (0, 2, 4, 4)],
        {**ALONE, "coarsen": (1, 2), "allow_partial_towers": True},
    ),
    "both_axes_may_have_smaller_towers": (
        """1 1 0
           1 1 0
           0 0 7""",
        PLACE,
        [(0, 0, 4, 4), (1, 1, 7, 7)],
        {"search_window": (1, 1), "sum_window": (1, 1), "coarsen": (2, 2), "allow_partial_towers": True},
    ),
    "the_highest_cells_are_searched_and_all_cells_summed": (
        "1 2 5 1 0 3",
        PLACE,
        [(0, 1, 5, 12)],
        {**LINE, "coarsen": (1, 2), "pool_by": "max", "sum_over": "cells", "seed_threshold": 4},
    ),
    "the_highest_cells_are_searched_and_summed": (
        "1 2 5 1 0 3",
        PLACE,
        [(0, 1, 5, 10)],
        {**LINE, "coarsen": (1, 2), "pool_by": "max", "seed_threshold": 4},
    ),
    "cells_of_the_towers_pass_the_cell_threshold_one_by_one": (
        "1 2 5 1 0 3",
        COUNTED,
        [(0, 1, 10, 3)],
        {**LINE, "coarsen": (1, 2), "sum_over": "cells", "cell_threshold": 2, "seed_threshold": 4},
    ),
    "a_smaller_tower_at_the_edge_adds_the_cells_that_it_has": (
        "5 1 2",
        COUNTED,
        [(0, 0, 8, 3)],
        {**LINE, "coarsen": (1, 2), "sum_over": "cells", "allow_partial_towers": True},
    ),
    "towers_close_across_the_seam": (
        "5 1 0 0 1 2",
        PLACE,
        [(0, 0, 6, 9)],
        {**LINE, "coarsen": (1, 2), "seed_threshold": 4, "periodic": COLS},
    ),
    "a_dead_cell_is_missing_in_its_tower_and_a_dead_tower_altogether": (
        "-5 # # # -3 -4",
        PLACE,
        [(0, 0, -5, -5), (0, 2, -3, -3)],
        {**LINE, "coarsen": (1, 2), "pool_by": "max", "seed_threshold": -9},
    ),
    "the_noise_of_a_tower_adds_in_quadrature": (
        "6 4 5 6",
        PLACE,
        [(0, 1, 11, 11)],
        {**ALONE, "coarsen": (1, 2), "tie_rule": "all", "search_window": (1, 1)}
        | {"seed_threshold": "2 sigma", "noise": [[3, 4, 3, 4]]},
    ),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_picture(finder, picture):
    text, fields, expected, rules = picture

    assert finder(text, fields, **rules) == expected


def flat(shape, seed, height=10, level=2):
    """Return a picture of a calorimeter full of even pile-up, and one shower."""
    return "\n".join(
        " ".join(str(height if (row, col) == seed else level) for col in range(shape[1]))
        for row in range(shape[0])
    )


IN_THE_MIDDLE, AT_THE_EDGE, IN_THE_CORNER = (5, 5), (0, 5), (0, 0)


@pytest.mark.parametrize(
    ("wanted", "seed", "periodic", "expected"),
    [
        pytest.param("chunky_donut", IN_THE_MIDDLE, COLS, 18, id="three_deep_strips_scaled_to_the_window"),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1}, IN_THE_MIDDLE, COLS, 18, id="three_strips_are_the_window"
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "length": 5},
            IN_THE_MIDDLE,
            COLS,
            pytest.approx(18),
            id="longer_strips_scaled_to_the_window",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1},
            AT_THE_EDGE,
            COLS,
            0 + 4 + 4,
            id="strips_beyond_the_edge_are_empty",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "edge": "strip"},
            AT_THE_EDGE,
            COLS,
            0,
            id="strips_cut_by_the_edge_count_nothing",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "edge": "strip"},
            AT_THE_EDGE,
            ROWS,
            18,
            id="a_closed_edge_cuts_no_strip",
        ),
        pytest.param("donut", IN_THE_MIDDLE, COLS, pytest.approx(4 * 12 / 9 * 3), id="four_times_two_strips"),
        pytest.param("donut", AT_THE_EDGE, COLS, pytest.approx(4 * 8 / 9 * 3), id="the_middle_two_at_the_edge"),
        pytest.param(
            {"kind": "donut", "edge": "strip"}, AT_THE_EDGE, COLS, 0, id="the_middle_two_are_cut_by_the_edge"
        ),
        pytest.param("phi_ring", IN_THE_MIDDLE, COLS, (3 * 11 * 2 + 8) * 9 // 33, id="the_rings_of_all_phi"),
        pytest.param(
            {"kind": "phi_ring", "axis": "rows"}, IN_THE_MIDDLE, COLS, 74 * 9 // 33, id="the_rings_of_all_eta"
        ),
        pytest.param(
            {"kind": "phi_ring", "includes_cluster": False},
            IN_THE_MIDDLE,
            COLS,
            18,
            id="the_rings_without_the_cluster",
        ),
        pytest.param("phi_ring", AT_THE_EDGE, COLS, 52 * 9 // 33, id="a_ring_beyond_the_edge_is_empty"),
        pytest.param(
            {"kind": "phi_ring", "edge": "existing"},
            AT_THE_EDGE,
            COLS,
            52 * 9 // 22,
            id="a_ring_beyond_the_edge_is_no_ring",
        ),
        pytest.param(
            {"kind": "phi_ring", "includes_cluster": False},
            AT_THE_EDGE,
            COLS,
            (52 - 20) * 9 // (33 - 9),
            id="the_rings_without_the_cluster_at_the_edge",
        ),
        pytest.param(
            {"kind": "phi_ring", "includes_cluster": False, "edge": "existing"},
            AT_THE_EDGE,
            COLS,
            (52 - 20) * 9 // (22 - 6),
            id="the_existing_rings_without_the_cluster",
        ),
        pytest.param("ring_median", IN_THE_MIDDLE, COLS, 18.0, id="the_median_of_the_ring"),
        pytest.param("ring_median", IN_THE_CORNER, NEITHER, 18.0, id="the_median_of_what_there_is_of_the_ring"),
        pytest.param(
            {"kind": "ring_median", "edge": "zero"},
            IN_THE_CORNER,
            NEITHER,
            0.0,
            id="the_median_of_a_ring_that_is_mostly_empty",
        ),
    ],
)
def test_even_pileup_under_a_shower(finder, wanted, seed, periodic, expected):
    name = wanted if isinstance(wanted, str) else wanted["kind"]
    rules = {"seed_threshold": 5, "pileup": (wanted,), "periodic": periodic}
    found = finder(flat((11, 11), seed), ("row", "col", "peak_sum", name, "net"), **rules)
    total = {IN_THE_MIDDLE: 26, AT_THE_EDGE: 20 if not periodic[0] else 26, IN_THE_CORNER: 16}[seed]

    assert found == [(*seed, total, expected, pytest.approx(total - getattr(expected, "expected", expected)))]


CMS = {"search_window": (9, 9), "sum_window": (9, 9), "seed_threshold": 50}


def test_the_donuts_of_cms_are_integers(finder):
    rules = {**CMS, "pileup": ("chunky_donut", "donut"), "subtract": "donut"}
    fields = ("peak_sum", "chunky_donut", "donut", "net")
    found = finder(flat((17, 17), (8, 8), 100), fields, **rules)

    assert found == [(260, 162, 4 * (18 + 18), 260 - 144)]
    assert {type(number) for number in found[0]} == {int}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param("0 -1 -1 -1", 0, id="less_than_a_count"),
        pytest.param("1 -4 -2 -2", -1, id="less_than_two"),
        pytest.param("4 1 1 1", 1, id="above_zero"),
    ],
)
def test_a_phi_ring_of_integers_is_divided_as_in_firmware(finder, cells, expected):
    rules = {**ALONE, "seed_comparison": ">=", "pileup": ("phi_ring",), "periodic": COLS}
    found = finder(cells, ("col", "phi_ring"), **rules)

    assert found == [(0, expected)]


def test_a_median_is_taken_of_the_cells_that_are_not_dead(finder):
    rules = {**ALONE, "seed_threshold": 5, "pileup": ("ring_median",)}

    assert finder("1 9 #", ("ring_median",), **rules) == [(1.0,)]
    assert finder("1 9 4", ("ring_median",), **rules) == [(2.5,)]
    assert finder("# 9 #", ("ring_median",), **rules) == [(0.0,)]


def test_what_is_left_after_pileup_may_be_cut_on(finder):
    rules = {**LINE, "seed_threshold": 4, "pileup": ({"kind": "ring_median", "name": "under"},)}
    cells = "2 0 7 0 2 2 2 6 2 2"
    fields = ("col", "peak_sum", "under", "net")

    assert finder(cells, fields, **rules) == [(2, 7, 6.0, 1.0), (7, 10, 6.0, 4.0)]
    cut = {"sum_threshold": 4, "sum_threshold_on": "net"}
    assert finder(cells, fields, **rules, **cut) == [(7, 10, 6.0, 4.0)]


def test_strips_flank_the_window_wherever_it_was_drawn(finder):
    rules = {"search_window": (1, 3), "sum_window": "xxo", "seed_threshold": 8}
    rules["pileup"] = ({"kind": "chunky_donut", "depth": 1, "length": 1},)
    cells = "5 1 1 9 7 5"  # 5 to the left of the window, 7 to the right; nothing above and below

    assert finder(cells, ("col", "peak_sum", "chunky_donut"), **rules) == [(3, 11, 5 + 0 + 0)]


# ------------------------------------------------------------------------------------ pictures of the plane


def ring(start, n=8):
    """Return a calorimeter of one row of cells all around, that begins at some azimuth."""
    return Grid(
        rows=Axis(name="eta", bins=1, start=0, stop=1),
        cols=Axis(name="phi", bins=n, start=start, stop=start + math.tau, periodic=True),
    )


@pytest.mark.parametrize(
    ("start", "phi"),
    [pytest.param(0.0, 0.0, id="seam_at_zero"), pytest.param(-math.pi, math.pi, id="seam_at_pi")],
)
def test_the_azimuth_of_a_shower_on_the_seam_is_that_of_the_seam(kernel, start, phi):
    settings = PeakSumSettings(**LINE, position="linear", kernel=kernel)
    fields = ["phi", "barycentre_phi", "width_phi", "barycentre_eta", "width_eta"]
    cluster = find_clusters([[[4, 0, 0, 0, 0, 0, 0, 4]]], settings, ring(start), fields=fields)[0, 0]

    assert on_circle(cluster.barycentre_phi, phi, math.tau)
    assert -math.pi < cluster.barycentre_phi <= math.pi
    assert cluster.phi == cluster.barycentre_phi
    assert cluster.width_phi == pytest.approx(math.pi / 8)
    assert (cluster.barycentre_eta, cluster.width_eta) == (0.5, 0.0)


def test_the_four_vector_is_that_of_the_barycentre(kernel):
    eta = Axis(name="eta", bins=4, start=0, stop=4)
    grid = Grid(rows=eta, cols=ring(0).cols, unit=0.5)
    cells = np.zeros((1, 4, 8), int)
    cells[0, 1, 2], cells[0, 2, 2] = 6, 2
    found = {
        position: find_clusters(cells, PeakSumSettings(position=position, kernel=kernel), grid)[0, 0]
        for position in ("seed", "linear")
    }

    assert (found["seed"].eta, found["linear"].eta) == (1.5, 1.75)
    assert found["linear"].energy == 4.0
    assert found["linear"].pt == pytest.approx(4.0 / math.cosh(1.75))


def test_on_another_closed_axis_the_mean_is_taken_the_short_way_round(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(name="x", bins=8, start=0, stop=16, periodic=True, unit="mm"))
    settings = PeakSumSettings(**LINE, position="linear", kernel=kernel)
    cluster = find_clusters([[[6, 0, 0, 0, 0, 0, 0, 2]]], settings, grid, fields=["x", "width_x"])[0, 0]

    assert cluster.x == pytest.approx(0.5)
    assert cluster.width_x == pytest.approx(math.sqrt(3) / 2)


def test_a_sum_threshold_may_be_an_energy(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(n=6), unit="0.5 GeV")
    settings = PeakSumSettings(**LINE, sum_threshold="4 GeV", kernel=kernel)

    assert find_clusters([[[7, 0, 0, 0, 7, 1]]], settings, grid).col.to_list() == [[4]]


def test_every_layer_may_be_searched_by_itself(kernel):
    layers = [[[[4, 0, 0, 0]], [[0, 0, 1, 5]]], [[[0, 0, 0, 0]], [[0, 3, 0, 0]]]]
    settings = PeakSumSettings(**LINE, order="position", kernel=kernel)
    apart = find_clusters(layers, settings, layers="each", fields=["layer", "col", "peak_sum"]).to_list()
    added = find_clusters(layers, settings, layers="sum", fields=["col", "peak_sum"]).to_list()

    assert apart == [
        [{"layer": 0, "col": 0, "peak_sum": 4}, {"layer": 1, "col": 3, "peak_sum": 6}],
        [{"layer": 1, "col": 1, "peak_sum": 3}],
    ]
    assert added == [[{"col": 0, "peak_sum": 4}, {"col": 3, "peak_sum": 6}], [{"col": 1, "peak_sum": 3}]]


def test_a_layer_neither_takes_cells_from_another_nor_suppresses_it(kernel):
    layers = [[[[0, 6, 3, 0]], [[0, 0, 3, 12]]]]
    for overlap, sums in (("highest", [9, 15]), ("suppress", [9, 15]), ("equal", [9.0, 15.0])):
        settings = PeakSumSettings(**LINE, order="position", overlap=overlap, kernel=kernel)
        assert find_clusters(layers, settings, layers="each").peak_sum.to_list() == [sums]


@pytest.mark.parametrize("overlap", ["proportional", "proportional-sum", "equal"])
@pytest.mark.parametrize(
    ("cells", "rules"),
    [
        pytest.param([[6, 3, 6]], {}, id="divided"),
        pytest.param([[6, 3, 1]], {}, id="nothing_to_divide"),
        pytest.param([[0, 0, 0]], {}, id="no_clusters"),
    ],
)
def test_divided_integers_are_floating_numbers(kernel, overlap, cells, rules):
    settings = PeakSumSettings(overlap=overlap, kernel=kernel, **rules)
    clusters = find_clusters([cells], settings, fields=["peak_sum", "shared_sum", "seed"])

    assert str(clusters.type) == "1 * var * {peak_sum: float64, shared_sum: float64, seed: int64}"
    assert peak_sum_map([cells], settings).dtype == np.float64


def test_integers_that_are_divided_are_floating_numbers_where_no_cell_is_added(kernel):
    settings = PeakSumSettings(overlap="equal", cell_threshold=9, kernel=kernel)
    clusters = find_clusters([[[6, 3, 6]]], settings, fields=["peak_sum", "n_cells"])

    assert str(clusters.type) == "1 * var * {peak_sum: float64, n_cells: int32}"
    assert clusters.to_list() == [[{"peak_sum": 0.0, "n_cells": 0}] * 2]


EVERY_PILEUP = ("chunky_donut", "donut", "phi_ring", "ring_median")


@pytest.mark.parametrize("wanted", EVERY_PILEUP)
def test_where_there_are_no_events_there_is_no_pileup(kernel, wanted):
    settings = PeakSumSettings(pileup=(wanted,), kernel=kernel)
    grid = Grid(rows=Axis(n=9), cols=Axis(n=9, periodic=True))
    nothing, something = (
        find_clusters(np.full((n, 9, 9), 2), settings, grid, fields=["peak_sum", wanted, "net"]) for n in (0, 1)
    )

    assert nothing.to_list() == []
    assert str(nothing.type.content) == str(something.type.content)


def test_the_largest_sums_are_chosen_of_the_clusters_that_pass_the_cuts(kernel):
    cells = [[[7, 5, 6, 0, 4, 0, 3]]]
    rules = {"search_window": (1, 3), "sum_window": (1, 3), "max_clusters": 2, "kernel": kernel}

    assert find_clusters(cells, PeakSumSettings(**rules)).peak_sum.to_list() == [[12, 11]]
    assert find_clusters(cells, PeakSumSettings(**rules, min_seed_gap=2)).peak_sum.to_list() == [[12, 4]]


def test_a_mask_and_a_noise_map_may_have_the_shape_of_a_single_layer(kernel):
    cells = np.array([[[[3, 0, 9]]]])
    settings = PeakSumSettings(seed_threshold="2 sigma", kernel=kernel)
    mask, noise = cells == 9, np.ones(cells.shape)
    found = find_clusters(cells, settings, layers="each", mask=mask, noise=noise, fields=["layer", "col"])

    assert found.to_list() == [[{"layer": 0, "col": 0}]]


@pytest.mark.parametrize(
    ("overlap", "cells"),
    [
        pytest.param("proportional", [[5, 0, 0], [-1, 0, 0]], id="a_seed_is_negative"),
        pytest.param("proportional-sum", [[5, 0, 0, 1], [1, -2, 0, 4]], id="a_sum_is_negative"),
    ],
)
def test_cells_are_not_divided_in_proportion_to_nothing(kernel, overlap, cells):
    settings = PeakSumSettings(**LINE, overlap=overlap, seed_threshold=-2, kernel=kernel)
    events = [[[9] * len(cells[0])], [cells[0]], [cells[1]]]
    with pytest.raises(EventError, match=r"in proportion to the (seed|sum)") as caught:
        find_clusters(events, settings)
    assert caught.value.event in (1, 2)


def test_a_sum_of_no_cells_is_no_share_whatever_the_other_events_are(kernel):
    settings = PeakSumSettings(**LINE, overlap="proportional-sum", cell_threshold=3, kernel=kernel)
    for events in ([[[1, 2]]], [[[1, 2]], [[5, 2]]]):
        with pytest.raises(EventError, match=r"in proportion to the sum"):
            find_clusters(events, settings)


@pytest.mark.parametrize(
    ("rules", "noise"),
    [
        pytest.param({"seed_threshold": "5 sigma"}, None, id="sigmas_without_noise"),
        pytest.param({"quantity": "significance"}, None, id="significance_without_noise"),
        pytest.param({"quantity": "significance"}, [[1, 0, 1, 1]], id="significance_without_any_noise"),
        pytest.param({"cell_threshold": "5 sigma"}, [[1, -1, 1, 1]], id="negative_noise"),
        pytest.param({"sum_threshold": "5 sigma"}, [[1, math.nan, 1, 1]], id="noise_that_is_not_finite"),
        pytest.param({"seed_threshold": "5 sigma"}, [[1, 1, 1]], id="noise_of_another_plane"),
        pytest.param(
            {"seed_threshold": "5 sigma", "pool_by": "max", "coarsen": (1, 2)},
            [[1, 1, 1, 1]],
            id="noise_of_the_highest_cell",
        ),
        pytest.param({"coarsen": (1, 3)}, None, id="towers_that_do_not_divide_the_axis"),
    ],
)
def test_what_has_no_meaning_is_refused(kernel, rules, noise):
    with pytest.raises(ValueError, match=r"."):
        find_clusters([[[1, 2, 3, 4]]], PeakSumSettings(kernel=kernel, **rules), noise=noise)


def test_a_closed_axis_has_no_smaller_tower(kernel):
    grid = Grid(rows=Axis(n=1), cols=Axis(n=5, periodic=True))
    settings = PeakSumSettings(**LINE, coarsen=(1, 2), allow_partial_towers=True, kernel=kernel)
    with pytest.raises(ValueError, match=r"periodic"):
        find_clusters([[[1, 2, 3, 4, 5]]], settings, grid)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"quantity": "significance", "seed_threshold": "4 GeV"}, id="a_significance_in_gev"),
        pytest.param({"tie_rule": "greedy-residual", "overlap": "nearest"}, id="two_ways_to_own_a_cell"),
        pytest.param({"sum_window": "g.o"}, id="a_gate_behind_no_cell"),
        pytest.param({"sum_window": (3, 5), "pileup": ("donut",)}, id="a_donut_around_no_square"),
        pytest.param({"sum_threshold": 1, "sum_threshold_on": "net"}, id="a_net_sum_without_pileup"),
        pytest.param({"pileup": ("donut", "donut")}, id="two_columns_of_one_name"),
        pytest.param({"subtract": "donut"}, id="an_estimate_that_was_not_made"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules):
    with pytest.raises(ValueError, match=r"."):
        PeakSumSettings(**rules)


# --------------------------------------------------------------------------------------------- definition


def on_circle(ours, theirs, length):
    """Return whether two numbers are the same on an axis that closes after a length."""
    apart = (ours - theirs + length / 2) % length - length / 2
    return abs(apart) < 1e-9 * length


def grid_of(question):
    """Return the plane of the cells."""
    shape = question.grids.shape[1:]
    rows, cols = (
        Axis(n=size, periodic=closed) if axis is None else Axis(name=axis[0], edges=axis[1], periodic=closed)
        for size, closed, axis in zip(shape, question.periodic, question.axes, strict=True)
    )
    return Grid(rows=rows, cols=cols, saturated=question.saturated)


def find(kernel, question):
    """Return the clusters of every event, a dict of their fields each."""
    clusters = find_clusters(
        question.grids,
        PeakSumSettings(**question.rules, order="position", kernel=kernel),
        grid_of(question),
        mask=question.mask,
        noise=question.noise,
        fields=list(question.fields),
    )
    return clusters.to_list()


def by_definition(question):
    """Return the clusters of every event by definition, or in which event it refuses them."""
    grids = question.grids
    mask, noise = (
        [None] * len(grids) if given is None else np.broadcast_to(given, grids.shape).tolist()
        for given in (question.mask, question.noise)
    )
    events = []
    for event, cells in enumerate(grids.tolist()):
        try:
            clusters = rules_oracle.find_clusters(
                cells,
                mask=mask[event],
                noise=noise[event],
                periodic=question.periodic,
                saturated=question.saturated,
                axes=question.axes,
                **question.rules,
            )
        except rules_oracle.NotPositiveError:
            return event
        events.append([{name: cluster[name] for name in question.fields} for cluster in clusters])
    return events


def check_the_same(ours, theirs, question):
    """Assert that clusters are those of the definition: exactly, where no rounding is left to chance."""
    exact, rounded = (
        [
            [{k: v for k, v in cluster.items() if (k in EXACT) == wanted} for cluster in event]
            for event in theirs
        ]
        for wanted in (True, False)
    )
    places = [[(cluster["row"], cluster["col"]) for cluster in event] for event in theirs]
    assert [[(cluster["row"], cluster["col"]) for cluster in event] for event in ours] == places
    assert [[{k: v for k, v in c.items() if k in EXACT} for c in event] for event in ours] == exact
    size = float(np.abs(question.grids).sum()) + 1
    for mine, other in zip(chain(*ours), chain(*rounded), strict=True):
        for name, value in other.items():
            length = question.lengths.get(name)
            if length is not None:
                assert on_circle(mine[name], value, length), name
            else:
                near = 1e-12 if name.startswith(("width", "barycentre")) else 1e-12 * size
                assert mine[name] == pytest.approx(value, rel=1e-12, abs=near), name


@many
@given(question=questions())
def test_a_kernel_finds_what_the_definition_says(kernel, question):
    expected = by_definition(question)
    if isinstance(expected, int):
        with pytest.raises(EventError) as caught:
            find(kernel, question)
        assert caught.value.event == expected
    else:
        check_the_same(find(kernel, question), expected, question)


@many
@given(question=questions())
def test_the_two_kernels_agree_in_every_bit(question):
    assume(not isinstance(by_definition(question), int))
    fast, readable = find("numba", question), find("scipy", question)

    assert fast == readable


@some
@given(question=questions(most_events=2), n_layers=st.integers(1, 3))
def test_layers_searched_apart_are_events_of_their_own(kernel, question, n_layers):
    assume(not isinstance(by_definition(question), int))
    whole = [event % len(question.grids) for event in range(n_layers * len(question.grids))]
    assume(len(whole) > 0)
    shape = (len(question.grids), n_layers, *question.grids.shape[1:])
    mask, noise = (
        given if given is None or given.ndim == 2 else given[whole].reshape(shape)
        for given in (question.mask, question.noise)
    )
    clusters = find_clusters(
        question.grids[whole].reshape(shape),
        PeakSumSettings(**question.rules, order="position", kernel=kernel),
        grid_of(question),
        mask=mask,
        noise=noise,
        layers="each",
        fields=["layer", *question.fields],
    ).to_list()
    alone = find(kernel, question)
    expected = [
        [
            {"layer": layer, **cluster}
            for layer in range(n_layers)
            for cluster in alone[whole[event * n_layers + layer]]
        ]
        for event in range(len(question.grids))
    ]

    assert clusters == expected


# --------------------------------------------------------------------------------------------------- laws


@some
@given(question=questions(), order=st.randoms(use_true_random=False))
def test_an_event_knows_nothing_of_the_others(kernel, question, order):
    assume(not isinstance(by_definition(question), int))
    picked = [order.randrange(len(question.grids)) for _ in range(4)] if len(question.grids) else []
    found = find(kernel, question)

    assert find(kernel, question.events(picked)) == [found[event] for event in picked]


@some
@given(
    question=questions(
        tie_rules=INDEX_FREE_TIES,
        overlaps=("shared", "equal", "proportional", "proportional-sum"),
        whole=True,
    ),
    rows=st.integers(-4, 4),
    cols=st.integers(-4, 4),
)
def test_rolling_a_closed_axis_rolls_the_clusters(kernel, question, rows, cols):
    check_rolled(kernel, question, rows, cols)


@some
@given(
    question=questions(all_different=True, seed_is_cell=True), rows=st.integers(-4, 4), cols=st.integers(-4, 4)
)
def test_without_ties_every_rule_rolls_with_the_cells(kernel, question, rows, cols):
    check_rolled(kernel, question, rows, cols)


def check_rolled(kernel, question, rows, cols):
    assume(not isinstance(by_definition(question), int))
    towers = rows * question.periodic[0], cols * question.periodic[1]
    shift = tuple(n * k for n, k in zip(towers, question.rules["coarsen"], strict=True))
    rolled = question.arrays(lambda array: np.roll(array, shift, axis=(-2, -1)))
    fields = [name for name in question.fields if not name.startswith(("barycentre", "width"))]
    n_rows, n_cols = question.n_towers
    expected = [
        sorted(
            (
                {
                    **cluster,
                    "row": (cluster["row"] + towers[0]) % n_rows,
                    "col": (cluster["col"] + towers[1]) % n_cols,
                }
                for cluster in event
            ),
            key=lambda cluster: (cluster["row"], cluster["col"]),
        )
        for event in find(kernel, question._replace(fields=fields))
    ]

    assert find(kernel, rolled._replace(fields=fields)) == expected


@some
@given(
    question=questions(
        tie_rules=("all", "none", "drawn"), overlaps=("shared", "equal", "proportional"), whole=True
    ),
    axis=st.sampled_from((0, 1)),
)
def test_in_a_mirror_the_clusters_are_mirrored(kernel, question, axis):
    assume(not isinstance(by_definition(question), int))
    assume(question.rules["keep_stronger_side"] is None and not question.rules["allow_partial_towers"])
    fields = [name for name in question.fields if not name.startswith(("barycentre", "width"))]
    question = question._replace(fields=fields)
    word = ("row", "col")[axis]
    expected = [
        sorted(
            ({**cluster, word: question.n_towers[axis] - 1 - cluster[word]} for cluster in event),
            key=lambda cluster: (cluster["row"], cluster["col"]),
        )
        for event in find(kernel, question)
    ]
    ours = find(kernel, mirrored(question, axis))

    assert [[(c["row"], c["col"]) for c in event] for event in ours] == [
        [(c["row"], c["col"]) for c in event] for event in expected
    ]
    for mine, other in zip(chain(*ours), chain(*expected), strict=True):
        assert mine == pytest.approx(other, rel=1e-12, abs=1e-12)


@some
@given(
    question=questions(tie_rules=(*INDEX_FREE_TIES, "first", "last"), overlaps=("shared",)),
    higher=st.floats(0, 3),
)
def test_raising_the_seed_threshold_only_removes_clusters(kernel, question, higher):
    assume(not isinstance(question.rules["seed_threshold"], str))
    threshold = question.rules["seed_threshold"] + higher
    raised = question.given(seed_threshold=threshold)
    passes = np.greater if question.rules["seed_comparison"] == ">" else np.greater_equal
    fields = [name for name in question.fields if name != "shared_sum"]
    before, after = (find(kernel, asked._replace(fields=fields)) for asked in (question, raised))

    assert after == [[cluster for cluster in event if passes(cluster["seed"], threshold)] for event in before]


@some
@given(question=questions(phi_rings=False), power=st.integers(1, 10))
def test_a_power_of_two_scales_the_energies_and_nothing_else(kernel, question, power):
    assume(not isinstance(by_definition(question), int))
    factor = 2**power
    is_energy = question.rules["quantity"] == "energy"
    scaled = question.times(factor)
    energies = {"peak_sum", "shared_sum", "noise", "net", *question.pileup_names}
    energies |= {"seed", "seed_gap", "prominence"} if is_energy else set()

    assert find(kernel, scaled) == [
        [{k: v * factor if k in energies else v for k, v in cluster.items()} for cluster in event]
        for event in find(kernel, question)
    ]


@some
@given(question=sharing_questions())
def test_no_energy_is_lost_or_made_where_cells_are_given_away_or_divided(kernel, question):
    assume(not isinstance(by_definition(question), int))
    found = find(kernel, question)
    for event, clusters in enumerate(found):
        cells = question.grids[event].tolist()
        seeds = [(cluster["row"], cluster["col"]) for cluster in clusters]
        left = unclustered(cells, seeds, question)
        total, everything = sum(cluster["peak_sum"] for cluster in clusters), sum(map(sum, cells))
        if question.is_whole:
            assert total + sum(left) == everything
        else:
            size = float(np.abs(question.grids[event]).sum())
            assert total + sum(left) == pytest.approx(everything, rel=1e-12, abs=1e-12 * size)


def unclustered(cells, seeds, question):
    """Return the cells that no sum window about a seed reaches, or that are below the cell threshold."""
    plane = rules_oracle.Plane(len(cells), len(cells[0]), question.periodic)
    offsets = rules_oracle.read_window(question.rules["sum_window"])
    reached = {plane.at(seed, offset) for seed in seeds for offset in offsets}
    least = question.rules["cell_threshold"]
    return [
        value
        for row, line in enumerate(cells)
        for col, value in enumerate(line)
        if (row, col) not in reached or (least is not None and value < least)
    ]


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_a_ring_without_a_cell_beside_the_cluster_is_refused(kernel):
    ring = {"kind": "phi_ring", "includes_cluster": False}
    grid = Grid(rows=Axis(n=3), cols=Axis(n=3, periodic=True))
    with pytest.raises(
        ValueError, match=r"^phi_ring: the sum window covers the whole ring of 3 cells, none is left"
    ):
        find_clusters([[[1, 0, 0], [0, 9, 0], [0, 0, 0]]], PeakSumSettings(pileup=(ring,), kernel=kernel), grid)


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_at_an_edge_existing_rings_are_averaged_without_the_part_of_the_cluster_that_exists(kernel):
    """Two of three rings exist: 8 cells of 2 beside the 6 of the window, and 9 cells are covered."""
    ring = {"kind": "phi_ring", "includes_cluster": False, "edge": "existing"}
    cells = np.full((1, 3, 7), 2)
    cells[0, 0, 3] = 9
    settings = PeakSumSettings(pileup=(ring,), seed_threshold=8, kernel=kernel)
    grid = Grid(rows=Axis(n=3), cols=Axis(n=7, periodic=True))
    assert find_clusters(cells, settings, grid).phi_ring.to_list() == [[2 * 9]]
