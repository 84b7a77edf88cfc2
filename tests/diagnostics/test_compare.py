"""Where two settings differ on the same grids."""

import numpy as np
import pytest
from clustering_problems import TWO_TOWERS, grid_of, index_grid, settings_of, sums_at_seeds
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from strategies import THRESHOLDS, TIE_RULES, problems, windows

from hep_peaksum import PeakSumSettings
from hep_peaksum.diagnostics.compare import compare

some = runs(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def test_clusters_are_matched_by_their_seed():
    loose = PeakSumSettings(search_window=(1, 3), tie_rule="all")
    both = compare([TWO_TOWERS], loose, PeakSumSettings(sum_window=(1, 1), seed_threshold=3))
    places = list(zip(both.event.tolist(), both.row.tolist(), both.col.tolist(), strict=True))
    assert places == [(0, 1, 2), (0, 2, 2), (0, 2, 3), (0, 3, 3), (0, 4, 0)]
    assert both.sum_a.tolist() == [18, 21, 21, 18, 4]
    assert both.in_b.tolist() == [False, True, False, False, True]
    assert both.sum_b.tolist() == [0, 7, 0, 0, 4]
    assert (both.n_matched, both.n_only_a, both.n_only_b, both.n_different_sums) == (2, 3, 0, 1)


def test_sums_that_only_integers_tell_apart_are_different():
    both = compare([[[2**53, 1]]], PeakSumSettings(sum_window=(1, 1)), PeakSumSettings())
    assert (both.n_matched, both.n_different_sums) == (1, 1)


def test_energies_differ_in_gev():
    grid = index_grid((3, 3)).model_copy(update={"unit": 0.5})
    cells = [[[0, 0, 0], [0, 6, 2], [0, 0, 0]], [[0, 0, 0], [0, 6, 0], [0, 0, 0]]]
    both = compare(cells, PeakSumSettings(), PeakSumSettings(sum_window=(1, 1)), grid)
    assert both.differences.tolist() == [-1.0, 0.0]
    assert (both.mean_difference, both.largest_difference) == (-0.5, -1.0)
    assert both.rms_difference == pytest.approx(np.sqrt(0.5))


def test_divided_and_whole_sums_are_compared_as_they_are():
    cells = [[[4, 3, 5]]]
    shared, divided = (
        PeakSumSettings(search_window=(1, 1)),
        PeakSumSettings(search_window=(1, 1), overlap="equal"),
    )
    both = compare(cells, shared, divided)
    assert both.sum_a.tolist() == [7, 12, 8]
    assert both.sum_b.tolist() == [3.0, 5.5, 3.5]
    assert both.sum_b.dtype == np.float64


def test_towers_of_different_size_are_not_matched():
    with pytest.raises(ValueError, match="one searches towers of 1 x 1 cells, the other of 2 x 2: give both"):
        compare(np.ones((1, 4, 4)), PeakSumSettings(), PeakSumSettings(coarsen=(2, 2)))


def test_unmatched_clusters_are_listed_in_the_order_of_events():
    both = compare([TWO_TOWERS, TWO_TOWERS], PeakSumSettings(tie_rule="all"), PeakSumSettings())
    assert [(int(both.event[n]), int(both.col[n])) for n in both.unmatched(5)] == [(0, 3), (1, 3)]
    assert both.unmatched(1) == both.unmatched(5)[:1]


def test_clusters_beyond_max_clusters_are_not_compared():
    both = compare([[[9, 0, 0, 5]]], PeakSumSettings(max_clusters=1), PeakSumSettings())
    assert (both.n_matched, both.n_only_a, both.n_only_b) == (1, 0, 1)


def test_where_nothing_is_found_by_both_no_energy_differs():
    both = compare([[[9, 0, 5]]], PeakSumSettings(seed_threshold=10), PeakSumSettings())
    assert (both.n_matched, both.n_only_b) == (0, 2)
    assert (both.mean_difference, both.rms_difference, both.largest_difference) == (0, 0, 0)


@some
@given(problem=problems(), data=st.data())
def test_the_comparison_is_the_union_of_what_each_finds(problem, data):
    shape = problem.grids.shape[1:]
    other = problem.given(
        search_window=data.draw(windows(shape, problem.periodic)),
        sum_window=data.draw(windows(shape, problem.periodic)),
        tie_rule=data.draw(st.sampled_from(TIE_RULES)),
        threshold=data.draw(st.sampled_from(THRESHOLDS)),
    )
    grid = index_grid(shape, problem.periodic)
    a, b = (sums_at_seeds(problem.grids, settings_of(each), grid) for each in (problem, other))
    both = compare(problem.grids, settings_of(problem), settings_of(other), grid)
    places = list(zip(both.event.tolist(), both.row.tolist(), both.col.tolist(), strict=True))

    assert places == sorted(a.keys() | b.keys())
    for inside, sums, expected in ((both.in_a, both.sum_a, a), (both.in_b, both.sum_b, b)):
        rows = zip(places, inside.tolist(), sums.tolist(), strict=True)
        assert {place: total for place, is_in, total in rows if is_in} == expected
    assert (both.n_only_a, both.n_only_b) == (len(a.keys() - b.keys()), len(b.keys() - a.keys()))
    assert both.n_matched + both.n_only_a + both.n_only_b == len(places)
    assert both.n_different_sums == sum(a[at] != b[at] for at in a.keys() & b.keys())


@some
@given(problem=problems())
def test_settings_do_not_differ_from_themselves(problem):
    settings, grid = settings_of(problem), grid_of(problem)
    both = compare(problem.grids, settings, settings, grid)
    assert both.n_matched == len(both.event) == len(sums_at_seeds(problem.grids, settings, grid))
    assert (both.n_only_a, both.n_only_b, both.n_different_sums) == (0, 0, 0)
