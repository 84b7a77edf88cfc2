"""Arrays in, clusters out: pictures, and the public functions against the definition."""

import numpy as np
import pytest
from clustering_problems import by_definition, clusters_of, grid_of, in_order, index_grid, settings_of
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import problems

from hep_peaksum import (
    Axis,
    Grid,
    PeakSumSettings,
    block_sizes,
    find_clusters,
    peak_sum_map,
)

some = runs(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def test_two_showers_are_two_clusters_the_larger_sum_first():
    cells = [
        [
            [0, 0, 0, 0, 0],
            [1, 5, 2, 0, 3],
            [0, 0, 0, 0, 9],
        ]
    ]
    assert clusters_of(cells) == [[(2, 4, 9, 12, 4), (1, 1, 5, 8, 9)]]


def test_in_the_order_of_position_the_upper_left_comes_first():
    cells = [[[5, 0, 0, 9, 0, 0, 9]]]
    assert clusters_of(cells, PeakSumSettings(order="position")) == [
        [(0, 0, 5, 5, 2), (0, 3, 9, 9, 3), (0, 6, 9, 9, 2)]
    ]


def test_clusters_of_one_sum_stand_in_the_order_of_position():
    cells = [[[3, 0, 0, 9, 0, 0, 3], [0] * 7, [9, 0, 0, 3, 0, 0, 9]]]
    places = [[(row, col) for row, col, *_ in event] for event in clusters_of(cells)]
    assert places == [[(0, 3), (2, 0), (2, 6), (0, 0), (0, 6), (2, 3)]]


@pytest.mark.parametrize(
    ("order", "sums"),
    [
        pytest.param("sum", [9, 7], id="the_largest_first"),
        pytest.param("position", [7, 9], id="the_first_in_the_detector_first"),
    ],
)
def test_only_the_largest_sums_are_kept_whatever_the_order(order, sums):
    cells = [[[7, 0, 0, 5, 0, 0, 9]]]
    settings = PeakSumSettings(max_clusters=2, order=order)
    assert find_clusters(cells, settings).peak_sum.to_list() == [sums]
    assert peak_sum_map(cells, settings).tolist() == [[[7, 0, 0, 0, 0, 0, 9]]]


def test_a_shower_across_the_seam_is_one_cluster_of_a_closed_calorimeter():
    cells = [[[4, 1, 0, 0, 0, 3]]]
    assert clusters_of(cells, None, index_grid((1, 6), (False, True))) == [[(0, 0, 4, 8, 3)]]
    assert clusters_of(cells) == [[(0, 0, 4, 5, 2), (0, 5, 3, 3, 2)]]


def test_the_layers_are_added_before_the_search():
    front = [[0, 0, 6, 0, 0]]
    back = [[0, 4, 0, 5, 5]]
    assert clusters_of([[front, back]]) == [[(0, 2, 6, 15, 3)]]
    assert peak_sum_map([[front, back]]).tolist() == [[[0, 0, 15, 0, 0]]]


def test_a_masked_cell_is_absent_or_zero():
    cells, dead = [[[-2, 9, -1]]], [[False, True, False]]
    settings = {"seed_threshold": -5}
    assert clusters_of(cells, PeakSumSettings(masked="absent", **settings), mask=dead) == [
        [(0, 2, -1, -1, 1), (0, 0, -2, -2, 1)]
    ]
    assert clusters_of(cells, PeakSumSettings(masked="zero", **settings), mask=dead) == [[]]


def test_a_cell_may_be_dead_in_some_events_only():
    cells = [[[0, 9, 4]], [[0, 9, 4]]]
    mask = [[[False, True, False]], [[False, False, False]]]
    assert clusters_of(cells, mask=mask) == [[(0, 2, 4, 4, 1)], [(0, 1, 9, 13, 3)]]


def test_the_map_holds_the_sum_at_the_local_maximum_and_nothing_else():
    cells = [[[0, 0, 0, 0], [1, 5, 2, 0], [0, 0, 0, 4]], [[0] * 4] * 3]
    assert peak_sum_map(cells).tolist() == [[[0, 0, 0, 0], [0, 8, 0, 0], [0, 0, 0, 6]], [[0] * 4] * 3]


def test_a_negative_sum_stands_in_the_map_as_it_is():
    cells = [[[-4, 1, -4]]]
    assert peak_sum_map(cells).tolist() == [[[0, -7, 0]]]


def test_a_threshold_may_be_an_energy():
    grid = Grid(rows=Axis(n=1), cols=Axis(n=7), quantity="et", unit="0.5 GeV")
    cells = [[[7, 0, 0, 8, 0, 0, 9]]]
    at_least, more_than = (PeakSumSettings(seed_threshold="4 GeV", seed_comparison=c) for c in (">=", ">"))
    assert find_clusters(cells, at_least, grid).peak_sum.to_list() == [[9, 8]]
    assert find_clusters(cells, more_than, grid).peak_sum.to_list() == [[9]]


@some
@given(
    problem=problems(most_events=4),
    masked=st.sampled_from(("absent", "zero")),
    most=st.none() | st.integers(1, 3),
    order=st.sampled_from(("sum", "position")),
)
def test_find_clusters_gives_the_clusters_of_the_definition(kernel, problem, masked, most, order):
    settings = settings_of(problem, kernel=kernel, masked=masked, max_clusters=most, order=order)
    grid = grid_of(problem)
    expected = in_order(by_definition(problem, masked), most=most, order=order)

    assert clusters_of(problem.grids, settings, grid, mask=problem.mask) == expected


@some
@given(problem=problems(), masked=st.sampled_from(("absent", "zero")), most=st.none() | st.integers(1, 3))
def test_the_map_holds_the_sums_of_the_clusters_at_their_seeds(kernel, problem, masked, most):
    settings = settings_of(problem, kernel=kernel, masked=masked, max_clusters=most)
    grid = grid_of(problem)
    integer = problem.grids.dtype.kind == "i"
    expected = np.zeros(problem.grids.shape, np.int64 if integer else np.float64)
    for event, peaks in enumerate(in_order(by_definition(problem, masked), most=most)):
        for row, col, _, total, _ in peaks:
            expected[event, row, col] = total
    sums = peak_sum_map(problem.grids, settings, grid, mask=problem.mask)

    assert sums.dtype == expected.dtype
    assert sums.tolist() == expected.tolist()


@some
@given(problem=problems(), masked=st.sampled_from(("absent", "zero")), data=st.data())
def test_one_mask_applies_to_every_event(kernel, problem, masked, data):
    dead = data.draw(hnp.arrays(bool, problem.grids.shape[1:]))
    settings = settings_of(problem, kernel=kernel, masked=masked)
    grid = grid_of(problem)

    assert clusters_of(problem.grids, settings, grid, mask=dead) == in_order(
        by_definition(problem, masked, mask=dead)
    )


@some
@given(problem=problems(), n_layers=st.integers(1, 3), data=st.data())
def test_layers_are_added_in_a_wide_type(kernel, problem, n_layers, data):
    layers = data.draw(
        hnp.arrays(
            data.draw(st.sampled_from(("int8", "uint8", "int64"))),
            (len(problem.grids), n_layers, *problem.grids.shape[1:]),
            elements=st.integers(0, 127),
        )
    )
    settings, grid = settings_of(problem, kernel=kernel), grid_of(problem)
    cells = layers.astype(np.int64).sum(axis=1)

    assert clusters_of(layers, settings, grid, mask=problem.mask) == in_order(
        by_definition(problem, cells=cells)
    )


@some
@given(problem=problems())
def test_both_kernels_give_the_same_bits(problem):
    grid = grid_of(problem)
    fast, readable = (
        find_clusters(problem.grids, settings_of(problem, kernel=name), grid, mask=problem.mask)
        for name in ("numba", "scipy")
    )
    assert str(fast.type) == str(readable.type)
    assert fast.to_list() == readable.to_list()


def test_the_readable_kernel_searches_in_blocks_of_events(monkeypatch):
    monkeypatch.setattr(block_sizes, "SCIPY_CELLS", 8)  # two events of four cells
    cells = np.zeros((5, 2, 2), int)
    cells[[0, 2, 3, 4], 1, 0] = 3, 5, 6, 7
    clusters = find_clusters(cells, PeakSumSettings(kernel="scipy"), fields=["seed"])
    assert clusters.seed.to_list() == [[3], [], [5], [6], [7]]
