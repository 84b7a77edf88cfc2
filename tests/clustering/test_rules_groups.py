"""Pictures of groups: which cells are joined, what is compared and added inside, and groups without a seed."""

import numpy as np
import pytest
from rules_pictures import COLS, COUNTED, LINE, PLACE, ROWS

from hep_peaksum import PeakSumSettings, find_clusters
from hep_peaksum.diagnostics.wording import settings_in_words

ISLANDS = {"group": "edges", "cell_threshold": 2, "seed_threshold": 4}
IN_LINE = {**ISLANDS, **LINE}
WIDE = {**ISLANDS, "search_window": (1, 5), "sum_window": (1, 5)}
HIGHEST = {"seedless_groups": "highest"}

# name: (cells, fields, the fields of every cluster, rules)
PICTURES = {
    "a_common_corner_joins_nothing": (
        """5 0
           0 6""",
        PLACE,
        [(0, 0, 5, 5), (1, 1, 6, 6)],
        ISLANDS,
    ),
    "a_common_corner_joins_if_corners_do": (
        """5 0
           0 6""",
        PLACE,
        [(1, 1, 6, 11)],
        {**ISLANDS, "group": "corners"},
    ),
    "the_other_diagonal_joins_too": (
        """0 5
           6 0""",
        PLACE,
        [(1, 0, 6, 11)],
        {**ISLANDS, "group": "corners"},
    ),
    "cells_around_a_bend_are_one_group": (
        """5 2
           0 6""",
        PLACE,
        [(1, 1, 6, 13)],
        ISLANDS,
    ),
    "a_cell_below_the_threshold_parts_two_showers": (
        "5 1 6",
        PLACE,
        [(0, 0, 5, 5), (0, 2, 6, 6)],
        WIDE,
    ),
    "a_cell_at_the_threshold_joins_two_showers": (
        "5 2 6",
        PLACE,
        [(0, 2, 6, 13)],
        WIDE,
    ),
    "a_cell_at_the_threshold_parts_them_if_it_must_be_exceeded": (
        "5 2 6",
        PLACE,
        [(0, 0, 5, 5), (0, 2, 6, 6)],
        {**WIDE, "cell_comparison": ">"},
    ),
    "a_dead_cell_parts_two_showers": (
        "5 # 6",
        PLACE,
        [(0, 0, 5, 5), (0, 2, 6, 6)],
        WIDE,
    ),
    "cells_of_towers_of_another_group_are_not_added": (
        "5 3 0 1 4 3",
        COUNTED,
        [(0, 0, 8, 2), (0, 2, 7, 2)],
        {**WIDE, "coarsen": (1, 2), "sum_over": "cells"},
    ),
    "nor_are_those_of_towers_above_and_below": (
        "\n".join("530143"),
        COUNTED,
        [(0, 0, 8, 2), (2, 0, 7, 2)],
        {**ISLANDS, "search_window": (5, 1), "sum_window": (5, 1), "coarsen": (2, 1), "sum_over": "cells"},
    ),
    "a_group_closes_across_the_seam": (
        "5 0 0 0 6",
        PLACE,
        [(0, 4, 6, 11)],
        {**IN_LINE, "periodic": COLS},
    ),
    "corners_meet_across_the_seam": (
        """5 0 0 0
           0 0 0 6""",
        PLACE,
        [(1, 3, 6, 11)],
        {**ISLANDS, "group": "corners", "periodic": COLS},
    ),
    "corners_meet_across_the_seam_of_rows": (
        """5 0
           0 0
           0 0
           0 6""",
        PLACE,
        [(3, 1, 6, 11)],
        {**ISLANDS, "group": "corners", "periodic": ROWS},
    ),
    "a_seed_outside_all_groups_is_none": (
        "5 0 0 9",
        PLACE,
        [(0, 3, 9, 9)],
        {**IN_LINE, "cell_threshold": 6},
    ),
    "a_group_without_a_seed_is_dropped": (
        "3 2 0 5",
        PLACE,
        [(0, 3, 5, 5)],
        IN_LINE,
    ),
    "a_group_without_a_seed_has_its_highest_cell": (
        "3 2 0 5",
        PLACE,
        [(0, 0, 3, 5), (0, 3, 5, 5)],
        {**IN_LINE, **HIGHEST},
    ),
    "of_equal_highest_cells_the_first": (
        "3 3 0 5",
        PLACE,
        [(0, 0, 3, 6), (0, 3, 5, 5)],
        {**IN_LINE, **HIGHEST},
    ),
    "of_equal_highest_cells_the_last": (
        "3 3 0 5",
        PLACE,
        [(0, 1, 3, 6), (0, 3, 5, 5)],
        {**IN_LINE, **HIGHEST, "greedy_ties": "last"},
    ),
    "a_ring_that_a_tie_rule_loses_is_found_as_a_group": (
        "5 5 5 5",
        PLACE,
        [(0, 0, 5, 15)],
        {**IN_LINE, **HIGHEST, "tie_rule": "lexicographic", "periodic": COLS},
    ),
    "a_higher_seed_of_another_group_suppresses_nothing": (
        "5 1 6",
        PLACE,
        [(0, 0, 5, 5), (0, 2, 6, 6)],
        {**WIDE, "search_window": (1, 1), "overlap": "suppress"},
    ),
    "towers_are_joined_and_their_cells_added": (
        "2 3 0 0 3 3",
        PLACE,
        [(0, 0, 5, 5), (0, 2, 6, 6)],
        {**WIDE, "search_window": (1, 3), "sum_window": (1, 3), "coarsen": (1, 2), "sum_over": "cells"},
    ),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_picture(finder, picture):
    text, fields, expected, rules = picture

    assert finder(text, fields, **rules) == expected


def test_groups_do_not_reach_into_other_events():
    settings = PeakSumSettings(**ISLANDS)
    cells = np.zeros((3, 2, 2), int)
    cells[0, 1, 1], cells[1, 0, 0], cells[2, 0, 1] = 5, 6, 3
    clusters = find_clusters(cells, settings, fields=["row", "col", "peak_sum"])
    assert clusters.to_list() == [
        [{"row": 1, "col": 1, "peak_sum": 5}],
        [{"row": 0, "col": 0, "peak_sum": 6}],
        [],
    ]


def test_a_threshold_in_sigma_joins_by_the_noise_of_each_cell():
    settings = PeakSumSettings(**{**WIDE, "cell_threshold": "2 sigma"})
    clusters = find_clusters([[[5, 2, 6]]], settings, noise=[[1.0, 1.1, 1.0]], fields=["col", "peak_sum"])
    assert clusters.to_list() == [[{"col": 2, "peak_sum": 6}, {"col": 0, "peak_sum": 5}]]
    joined = find_clusters([[[5, 2, 6]]], settings, noise=[[1.0, 1.0, 1.0]], fields=["col", "peak_sum"])
    assert joined.to_list() == [[{"col": 2, "peak_sum": 13}]]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"group": "edges"}, "group 'edges' without cell_threshold: say which cells are joined"),
        ({"seedless_groups": "highest"}, "seedless_groups 'highest' without group: set group to"),
        ({"group": "sides", "cell_threshold": 1}, "'edges' or 'corners'"),
    ],
)
def test_groups_that_cannot_be_are_refused(rules, problem):
    with pytest.raises(ValueError, match=problem):
        PeakSumSettings(**rules)


def test_groups_are_put_into_words():
    words = dict(settings_in_words(PeakSumSettings(**ISLANDS, **HIGHEST)))
    assert words["groups"] == (
        "cells above the cell threshold, joined by common edges; only cells of one group are compared; a group "
        "without a seed has its highest cell as seed"
    )


def test_the_highest_cell_of_a_seedless_group_must_be_one_that_may_seed(kernel):
    """The highest cell, 3, lies at an edge, and windows must be whole: the 2 beside it is taken."""
    settings = PeakSumSettings(
        **IN_LINE, **HIGHEST, partial_search_windows=False, kernel=kernel, order="position"
    )
    clusters = find_clusters([[[3, 2, 0, 5, 0]]], settings, fields=PLACE)
    assert [tuple(each.values()) for each in clusters.to_list()[0]] == [(0, 1, 2, 5), (0, 3, 5, 5)]


def test_the_highest_cell_of_a_seedless_group_is_not_a_masked_one(kernel):
    """All three are above -5; the masked one counts as 0 to others, which is more than both."""
    rules = {**IN_LINE, **HIGHEST, "cell_threshold": -5, "masked": "zero", "kernel": kernel}
    mask = [[False, True, False]]
    clusters = find_clusters([[[-1, 7, -2]]], PeakSumSettings(**rules), mask=mask, fields=PLACE)
    assert [tuple(each.values()) for each in clusters.to_list()[0]] == [(0, 0, -1, -1)]


@pytest.mark.parametrize(("tie_rule", "col"), [("first", 0), ("last", 1)])
def test_of_equal_cells_of_a_group_the_tie_rule_takes_one(kernel, tie_rule, col):
    settings = PeakSumSettings(**IN_LINE, tie_rule=tie_rule, kernel=kernel)
    clusters = find_clusters([[[5, 5, 0]]], settings, fields=["col", "peak_sum"])
    assert clusters.to_list() == [[{"col": col, "peak_sum": 10}]]
