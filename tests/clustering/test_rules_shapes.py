"""Pictures of shapes and of towers."""

import math

import pytest
from rules_pictures import ALONE, COLS, COUNTED, LINE, PLACE

# name: (cells, fields, the fields of every cluster, rules)
PICTURES = {
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
    "cells_of_towers_lie_at_parts_of_an_index": (  # at -1/3, 0, 1/3 of a row; -1/4, 1/4, 3/4, 5/4 of a column
        """1 2 5 1
           0 0 0 0
           0 0 0 3""",
        ("row", "col", "barycentre_row", "barycentre_col", "width_row", "width_col"),
        [(0, 1, *(pytest.approx(x) for x in (-1 / 6, 3 / 4, math.sqrt(1 / 12), math.sqrt(5 / 24))))],
        {**LINE, "coarsen": (3, 2), "sum_over": "cells"},
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
    "cells_that_are_not_there_have_no_noise_in_a_tower": (
        "6 # 5 6 6",
        PLACE,
        [(0, 0, 6, 6), (0, 1, 11, 11), (0, 2, 6, 6)],
        {**ALONE, "coarsen": (1, 2), "allow_partial_towers": True, "tie_rule": "all", "search_window": (1, 1)}
        | {"seed_threshold": "2 sigma", "seed_comparison": ">=", "noise": [[3, 4, 3, 4, 3]]},
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
