"""Rates, turn-ons and the scaling of thresholds, against numbers made by hand and plain loops."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.evaluation.intervals import WeightedCounts, clopper_pearson
from hep_peaksum.evaluation.rates import crossing, nth_leading, plateau, rate, scaling


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_nth_largest_of_every_event(n):
    lists = [[5, 1, 7], [], [2], [3, 3]]
    expected = [sorted(each)[-n] if len(each) >= n else -np.inf for each in lists]
    assert nth_leading(ak.Array(lists), n).tolist() == expected


def test_a_rate_counts_the_overflow_and_events_without_a_value():
    values = np.array([1.0, 12.0, 15.0, 99.0])  # and 6 events without any
    edges = np.array([0.0, 10.0, 20.0])
    counts = np.array([((values >= low) & (values < high)).sum() for low, high in [(0, 10), (10, 20)]] + [1])
    result = rate(WeightedCounts.of_counts(counts), WeightedCounts.of_counts([10.0]), edges, scale=1000.0)
    assert result.value.tolist() == [400.0, 300.0, 100.0]
    low, high = clopper_pearson([4, 3, 1], [10, 10, 10])
    np.testing.assert_allclose(result.low, low * 1000)
    np.testing.assert_allclose(result.high, high * 1000)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0.0, 0.5, 1.0, 1.0], 24.0),
        ([0.96, 0.97, 1.0, 1.0], 5.0),  # reached from the start: the first centre
        ([0.0, 1.0, 0.5, 1.0], np.nan),  # never for two bins
        ([0.0, 1.0, 0.5, 1.0, 1.0], 25 + 10 * 0.45 / 0.5),  # the first time it does not stay
        ([0.0, np.nan, 1.0, 1.0], 5 + 20 * 0.95),  # a bin without events is no bin
        ([np.nan] * 4, np.nan),
        ([1.0], np.nan),
    ],
    ids=["rises", "from the start", "never stays", "falls back once", "gap", "no events", "one bin"],
)
def test_where_a_turn_on_reaches_a_level_and_stays(y, expected):
    x = 5.0 + 10 * np.arange(len(y))
    assert crossing(x, np.array(y), 0.95) == pytest.approx(expected, nan_ok=True)


def test_the_plateau_is_the_efficiency_of_the_highest_filled_bins():
    passed, total = np.array([0.0, 5, 9, 19, 0]), np.array([10.0, 10, 10, 20, 0])
    with np.errstate(invalid="ignore"):
        assert plateau(passed / total, passed, total) == 19 / 20
    assert np.isnan(plateau(np.array([np.nan]), np.zeros(1), np.zeros(1)))


def test_three_thresholds_make_a_line_and_two_do_not():
    assert scaling([10, 20, 40], [17, 32, 62])[2:] == (1.5, 2.0)
    assert np.isnan(scaling([10, 20, 40], [17, np.nan, 62]).slope)


def test_a_value_that_is_not_a_number_is_none():
    values = ak.Array([[np.nan, 3.0, np.inf], [1.0, np.nan, 2.0], [np.nan], [], [-np.inf, 4.0]])
    assert nth_leading(values).tolist() == [np.inf, 2, -np.inf, -np.inf, 4]
    assert nth_leading(values, 2).tolist() == [3, 1, -np.inf, -np.inf, -np.inf]
