"""Fits find the parameters of the distributions that were thrown, within their errors."""

import numpy as np
import pytest
from numba_stats import crystalball_ex
from scipy.stats import norm

from hep_peaksum.evaluation.fits import fit_core, fit_crystal_ball, fit_resolution, resolution_at

EDGES = np.linspace(0, 2, 161)
RNG = np.random.default_rng(11)


def is_near(fit, **truth):
    """Return whether every parameter is within four of its errors, and the errors are not excuses."""
    near = all(abs(fit.values[name] - value) < 4 * fit.errors[name] for name, value in truth.items())
    return near and all(fit.errors[name] < 0.2 * value for name, value in truth.items())


def thrown_crystal_ball(n, *parameters):
    """Return the counts of n entries of a double-sided Crystal Ball function in bins."""
    cumulative = crystalball_ex.cdf(EDGES, *parameters)
    return RNG.poisson(n * np.diff(cumulative)).astype(float)


def test_a_gaussian_is_found():
    contents = np.histogram(RNG.normal(0.9, 0.08, 50_000), EDGES)[0].astype(float)
    fit = fit_core(contents, EDGES)
    assert fit.is_valid
    assert is_near(fit, mu=0.9, sigma=0.08)
    assert fit.chi2 / fit.ndf < 3
    assert (fit.start, fit.stop) == (pytest.approx(0.78, abs=0.03), pytest.approx(1.02, abs=0.03))
    light = fit_core(contents / 1e6, EDGES, contents / 1e12)  # less than one entry in all
    assert light.values == pytest.approx({**fit.values, "entries": fit.values["entries"] / 1e6}, rel=1e-3)


def test_the_core_reaches_as_far_to_both_sides():
    """By 1.5 standard deviations of 0.1, which are 12 bins."""
    fit = fit_core(1e5 * np.diff(norm.cdf(EDGES, 1, 0.1)), EDGES)
    assert (fit.start, fit.stop) == (pytest.approx(0.85), pytest.approx(1.15))
    assert fit.ndf == 24 - 3


def test_the_core_is_found_above_a_tail():
    values = np.concatenate([RNG.normal(1, 0.05, 40_000), RNG.uniform(0, 1, 4_000)])
    fit = fit_core(np.histogram(values, EDGES)[0].astype(float), EDGES)
    assert fit.values["mu"] == pytest.approx(1, abs=0.005)
    assert fit.values["sigma"] == pytest.approx(0.05, rel=0.05)


def test_a_crystal_ball_is_found():
    contents = thrown_crystal_ball(80_000, 1.2, 3.0, 0.06, 1.8, 4.0, 0.06, 0.95)
    fit = fit_crystal_ball(contents, EDGES)
    assert fit.is_valid
    assert is_near(fit, mu=0.95, sigma=0.06, beta_low=1.2, m_low=3.0)
    assert fit.chi2 / fit.ndf < 1.6
    assert fit.values["entries"] == pytest.approx(contents.sum(), rel=1e-3)


def test_weights_widen_the_errors():
    contents = np.histogram(RNG.normal(1, 0.1, 20_000), EDGES)[0].astype(float)
    plain, weighted = fit_core(contents, EDGES), fit_core(contents, EDGES, 4 * contents)
    assert weighted.values["mu"] == pytest.approx(plain.values["mu"], abs=1e-3)
    assert weighted.errors["mu"] == pytest.approx(2 * plain.errors["mu"], rel=0.1)


@pytest.mark.parametrize("contents", [np.zeros(160), np.eye(160)[80] * 9], ids=["nothing", "one bin"])
def test_too_little_is_not_fitted(contents):
    assert fit_core(contents, EDGES) is None
    assert fit_crystal_ball(contents, EDGES) is None


ENERGIES = np.array([5.0, 10, 20, 50, 100, 200])


def test_the_terms_of_a_resolution_are_added_in_quadrature():
    """0.3/sqrt(4) = 0.15, 0.8/4 = 0.2, and 0.06: squares of 0.0225, 0.04 and 0.0036."""
    assert resolution_at(4.0, 0.3, 0.8, 0.06) == pytest.approx(np.sqrt(0.0661))


def test_the_terms_of_a_resolution_are_found():
    truth = resolution_at(ENERGIES, 0.10, 0.20, 0.01)
    errors = 0.01 * truth
    fit = fit_resolution(ENERGIES, truth + RNG.normal(0, errors), errors)
    assert fit.ndf == 3
    assert abs(fit.values["stochastic"] - 0.10) < 4 * fit.errors["stochastic"]
    assert abs(fit.values["constant"] - 0.01) < 4 * fit.errors["constant"]


def test_a_term_can_be_fixed_and_the_spread_of_the_beam_subtracted():
    truth, spread = resolution_at(ENERGIES, 0.10, 0.20, 0.01), 0.02
    measured = np.sqrt(truth**2 + spread**2)
    fit = fit_resolution(ENERGIES, measured, 0.01 * measured, fixed={"noise": 0.20}, beam_spread=spread)
    assert fit.values["noise"] == 0.20
    assert fit.values["stochastic"] == pytest.approx(0.10, rel=1e-3)
    assert fit.values["constant"] == pytest.approx(0.01, rel=1e-2)
    assert fit.ndf == 4


def test_fewer_points_than_terms_are_not_fitted():
    assert fit_resolution(ENERGIES[:2], np.full(2, 0.1), np.full(2, 0.01)) is None
