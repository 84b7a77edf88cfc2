"""Pictures of sums: which cells are added, and how clusters share them."""

import numpy as np
import pytest
from rules_pictures import COLS, COUNTED, FAR_SHOWERS, LINE, SHARED, TWO_SHOWERS

from hep_peaksum import PeakSumSettings, find_clusters, peak_sum_map
from hep_peaksum.geometry.grid import EventError

# name: (cells, fields, the fields of every cluster, rules)
PICTURES = {
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
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_picture(finder, picture):
    text, fields, expected, rules = picture

    assert finder(text, fields, **rules) == expected


@pytest.mark.parametrize("overlap", ["proportional", "proportional-sum", "equal"])
@pytest.mark.parametrize(
    ("cells", "rules"),
    [
        pytest.param([[6, 3, 6]], {}, id="divided"),
        pytest.param([[6, 3, 1]], {}, id="nothing_to_divide"),
        pytest.param([[0, 0, 0]], {}, id="no_clusters"),
    ],
)
def test_sums_of_divided_integers_are_floats(kernel, overlap, cells, rules):
    settings = PeakSumSettings(overlap=overlap, kernel=kernel, **rules)
    clusters = find_clusters([cells], settings, fields=["peak_sum", "shared_sum", "seed"])

    assert str(clusters.type) == "1 * var * {peak_sum: float64, shared_sum: float64, seed: int64}"
    assert peak_sum_map([cells], settings).dtype == np.float64


def test_sums_of_divided_integers_are_floats_even_without_cells(kernel):
    settings = PeakSumSettings(overlap="equal", cell_threshold=9, kernel=kernel)
    clusters = find_clusters([[[6, 3, 6]]], settings, fields=["peak_sum", "n_cells"])

    assert str(clusters.type) == "1 * var * {peak_sum: float64, n_cells: int32}"
    assert clusters.to_list() == [[{"peak_sum": 0.0, "n_cells": 0}] * 2]


@pytest.mark.parametrize(
    ("overlap", "cells"),
    [
        pytest.param("proportional", [[5, 0, 0], [-1, 0, 0]], id="a_seed_is_negative"),
        pytest.param("proportional-sum", [[5, 0, 0, 1], [1, -2, 0, 4]], id="a_sum_is_negative"),
    ],
)
def test_cells_are_not_divided_in_proportion_to_nonpositive_weights(kernel, overlap, cells):
    settings = PeakSumSettings(**LINE, overlap=overlap, seed_threshold=-2, kernel=kernel)
    events = [[[9] * len(cells[0])], [cells[0]], [cells[1]]]
    with pytest.raises(EventError, match=r"in proportion to the (seed|sum)") as caught:
        find_clusters(events, settings)
    assert caught.value.event in (1, 2)


def test_a_sum_of_no_cells_is_refused_as_a_weight(kernel):
    settings = PeakSumSettings(**LINE, overlap="proportional-sum", cell_threshold=3, kernel=kernel)
    for events in ([[[1, 2]]], [[[1, 2]], [[5, 2]]]):
        with pytest.raises(EventError, match=r"proportion to the sum.* is 0: .*cell_threshold or sum_window"):
            find_clusters(events, settings)


def test_the_nearest_seed_is_measured_in_towers_where_towers_are_searched(kernel):
    """Towers 1 and 4 of two cells each are seeds, towers 2 and 3 between them in both their windows.

    A tower goes as a whole to the seed next to it. In cells, the second cell of tower 2 (cell 5) is as far from
    the first cell of tower 1 (cell 2) as from that of tower 4 (cell 8), and would go to the higher one.
    """
    cells = [[[0, 0, 10, 0, 1, 2, 3, 4, 20, 0, 0, 0]]]
    settings = PeakSumSettings(
        search_window=(1, 3),
        sum_window=(1, 5),
        seed_threshold=8,
        coarsen=(1, 2),
        sum_over="cells",
        overlap="nearest",
        order="position",
        kernel=kernel,
    )
    clusters = find_clusters(cells, settings, fields=["col", "peak_sum"])

    assert clusters.to_list() == [[{"col": 1, "peak_sum": 10 + 1 + 2}, {"col": 4, "peak_sum": 3 + 4 + 20}]]
