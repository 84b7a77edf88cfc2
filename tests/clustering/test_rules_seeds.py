"""Pictures of seeds: seed windows and greedy rules."""

import pytest
from rules_pictures import ALONE, COLS, COUNTED, LINE, PLACE, SHARED

# name: (cells, fields, the fields of every cluster, rules)
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
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_picture(finder, picture):
    text, fields, expected, rules = picture

    assert finder(text, fields, **rules) == expected
