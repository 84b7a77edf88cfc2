"""Intervals of fractions: against scipy's beta quantiles, by hand, and against repeated experiments."""

import numpy as np
import pytest
from scipy import stats

from hep_peaksum.evaluation.intervals import WeightedCounts, clopper_pearson, efficiency

LEVEL = 0.6827


def of_weights(*bins):
    """Return the sums over bins, each a list of weights."""
    arrays = [np.array(weights, float) for weights in bins]
    return WeightedCounts(
        np.array([each.sum() for each in arrays]),
        np.array([(each**2).sum() for each in arrays]),
        np.array([(each < 0).sum() for each in arrays]),
    )


@pytest.mark.parametrize(("k", "n"), [(1, 2), (3, 7), (199, 200), (1, 10**6)])
def test_the_ends_are_quantiles_of_beta_distributions(k, n):
    low, high = clopper_pearson([k], [n])
    assert low[0] == stats.beta.ppf((1 - LEVEL) / 2, k, n - k + 1)
    assert high[0] == stats.beta.ppf(1 - (1 - LEVEL) / 2, k + 1, n - k)


def test_none_all_and_no_events_have_ends_at_0_and_1():
    low, high = clopper_pearson([0, 4, 0], [4, 4, 0])
    assert low[[0, 2]].tolist() == [0, 0]
    assert high[[1, 2]].tolist() == [1, 1]
    assert high[0] == pytest.approx(1 - ((1 - LEVEL) / 2) ** (1 / 4))  # nothing of four
    assert low[1] == pytest.approx(((1 - LEVEL) / 2) ** (1 / 4))


def test_it_covers_the_truth_at_least_as_often_as_it_says():
    n, truth = 40, 0.3
    low, high = clopper_pearson(np.arange(n + 1), np.full(n + 1, n))
    covers = (low <= truth) & (truth <= high)
    assert stats.binom.pmf(np.arange(n + 1), n, truth)[covers].sum() >= LEVEL


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_more_than_all_and_fewer_than_none_are_errors(k, n):
    with pytest.raises(ValueError, match=f"{k} of {n} events pass"):
        clopper_pearson([k], [n])


def test_equal_weights_give_the_interval_of_the_counts():
    plain = efficiency(*map(WeightedCounts.of_counts, ([3.0], [8.0])))
    weighted = efficiency(of_weights([2.5] * 3), of_weights([2.5] * 8))
    assert plain.value == weighted.value == 3 / 8
    np.testing.assert_allclose(weighted.low, plain.low, rtol=1e-12)
    np.testing.assert_allclose(weighted.high, plain.high, rtol=1e-12)


def test_unequal_weights_count_as_their_effective_number():
    passed, total = of_weights([1, 3]), of_weights([1, 3, 2])
    result = efficiency(passed, total)
    n_effective = 6**2 / (1 + 9 + 4)
    low, high = clopper_pearson([4 / 6 * n_effective], [n_effective])
    np.testing.assert_allclose([result.low, result.high], [low, high])


@pytest.mark.parametrize(
    ("passed", "failed", "is_signed"), [([2, 1], [1], False), ([2, 1], [1, -1], True), ([2, -1], [1], True)]
)
def test_one_weight_below_zero_is_enough_for_an_interval_to_be_flagged(passed, failed, is_signed):
    assert efficiency(of_weights(passed), of_weights([*passed, *failed])).is_signed.tolist() == [is_signed]


def test_a_weight_below_zero_gives_a_flagged_interval_that_is_not_clipped():
    passed, total = of_weights([2, 2, -1]), of_weights([2, 2, -1, -1])
    result = efficiency(passed, total)
    fraction = 3 / 2
    sigma = np.sqrt((1 - 2 * fraction) * 9 + fraction**2 * 10) / 2
    assert result.is_signed.tolist() == [True]
    assert result.value.tolist() == [fraction]
    np.testing.assert_allclose([result.low[0], result.high[0]], [fraction - sigma, fraction + sigma])


def test_a_bin_without_events_has_no_value_and_says_nothing():
    result = efficiency(*map(WeightedCounts.of_counts, ([0.0], [0.0])))
    assert np.isnan(result.value[0])
    assert (result.low[0], result.high[0]) == (0, 1)
