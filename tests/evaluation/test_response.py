"""Centre and width of a distribution from its histogram, against numpy on the values themselves."""

import numpy as np
import pytest

from hep_peaksum.evaluation.response import effective_sigma, quantile, summarize

EDGES = np.linspace(0, 2, 2001)
VALUES = np.random.default_rng(5).normal(0.95, 0.1, 200_000)


def flow(values, edges=EDGES):
    """Return the contents of a histogram with under- and overflow."""
    return np.histogram(values, np.concatenate([[-np.inf], edges, [np.inf]]))[0].astype(float)


def test_quantiles_are_those_of_the_values_within_a_bin():
    contents = flow(VALUES)
    for probability in (0.15865, 0.5, 0.84135):
        assert quantile(contents, EDGES, probability) == pytest.approx(
            np.quantile(VALUES, probability), abs=2e-3
        )


@pytest.mark.parametrize(
    ("probability", "expected"),
    [(0.1, np.nan), (0.2, 0), (0.4, 5), (0.6, 10), (0.7, 25), (0.8, 30), (0.9, np.nan)],
)
@pytest.mark.parametrize("scale", [1, 1 / 64])
def test_a_quantile_is_counted_off_from_below(probability, expected, scale):
    """One entry lies below, two in the first of three bins, none in the second, one in the third, one above."""
    contents, edges = np.array([1.0, 2.0, 0.0, 1.0, 1.0]), np.array([0.0, 10.0, 20.0, 30.0])
    assert quantile(scale * contents, edges, probability) == pytest.approx(expected, nan_ok=True)


def test_a_quantile_is_undefined_if_a_bin_is_below_zero():
    assert np.isnan(quantile(np.array([0.0, 4.0, -1.0, 0.0]), np.array([0.0, 1.0, 2.0]), 0.5))


@pytest.mark.parametrize("shift", [-1.0, 1.2])
def test_a_quantile_in_the_flow_is_undefined(shift):
    summary = summarize(flow(VALUES + shift), EDGES)
    assert np.isnan(summary.median)
    assert np.isnan(summary.half_width_68)


def test_the_widths_of_a_gaussian_are_its_sigma():
    summary = summarize(flow(VALUES), EDGES)
    assert summary.half_width_68 == pytest.approx(0.1, rel=0.01)
    assert summary.sigma_eff == pytest.approx(0.1, rel=0.02)
    assert summary.resolution == pytest.approx(0.1 / 0.95, rel=0.01)
    assert summary.mean == pytest.approx(VALUES.mean(), abs=1e-3)
    assert summary.mean_error == pytest.approx(0.1 / np.sqrt(len(VALUES)), rel=0.01)
    assert summary.n_effective == len(VALUES)


def test_the_shortest_interval_is_found_beside_a_tail():
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(1, 0.05, 70_000), rng.uniform(0.1, 1, 30_000)])
    ordered = np.sort(values)
    held = int(np.ceil(0.6827 * len(values)))
    shortest = (ordered[held:] - ordered[:-held]).min() / 2
    assert effective_sigma(flow(values), EDGES) == pytest.approx(shortest, rel=0.01)
    assert shortest < summarize(flow(values), EDGES).half_width_68


@pytest.mark.parametrize("empty", [0, 1, 5])
def test_empty_bins_do_not_widen_the_shortest_interval(empty):
    contents = np.concatenate([np.zeros(1 + empty), [10.0], np.zeros(empty + 1)])
    edges = np.arange(2.0 * empty + 2)
    assert effective_sigma(contents, edges) == pytest.approx(0.6827 / 2)


@pytest.mark.parametrize("order", [1, -1], ids=["falling", "rising"])
def test_the_shortest_interval_begins_or_ends_at_the_steep_edge(order):
    """6.827 of 10 entries: all 6 of one bin, and 0.827 of the 4 of the other."""
    contents = np.array([0.0, 6.0, 4.0, 0.0])[::order]
    assert effective_sigma(contents, np.array([0.0, 1.0, 2.0])) == pytest.approx((1 + 0.827 / 4) / 2)


def test_without_enough_entries_inside_there_is_no_shortest_interval():
    assert np.isnan(effective_sigma(np.array([4.0, 6.0, 0.0]), np.array([0.0, 1.0])))


def test_an_empty_histogram_defines_nothing():
    summary = summarize(np.zeros(5), np.linspace(0, 1, 4))
    assert np.isnan(list(summary)).all()


def test_weights_count_by_their_squares():
    contents, squares = np.array([0.0, 4.0, 4.0, 0.0]), np.array([0.0, 16.0, 16.0, 0.0])
    assert summarize(contents, np.array([0.0, 1.0, 2.0]), squares).n_effective == 2


def test_the_error_of_the_mean_is_that_of_the_entries_inside():
    contents = np.array([5.0, 4.0, 12.0, 40.0])  # 5 below and 40 above the two bins about 0.5 and 1.5
    summary = summarize(contents, np.array([0.0, 1.0, 2.0]))
    assert summary.mean == 0.25 * 0.5 + 0.75 * 1.5
    assert summary.mean_error == pytest.approx(np.sqrt(0.25 * 0.75 / 16))
    light = summarize(contents / 64, np.array([0.0, 1.0, 2.0]), contents / 64**2)
    assert (light.mean, light.mean_error) == (summary.mean, summary.mean_error)
    weighted = summarize(contents, np.array([0.0, 1.0, 2.0]), 3 * contents)
    assert weighted.mean_error == pytest.approx(np.sqrt(0.25 * 0.75 * 3 / 16))
    assert weighted.n_effective == pytest.approx(61 / 3)
