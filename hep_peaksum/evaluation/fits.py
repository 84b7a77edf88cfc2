"""Fits to binned distributions, and of the energy resolution of a calorimeter, by iminuit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array

CORE = 1.5  # a core reaches so many standard deviations to each side of its mean
IN_CORE = 0.87  # of the entries of a Gaussian
SAME, MOST_STEPS = 0.01, 20  # a core is found when its width changes by less than 1 %
FEWEST_BINS = 4
TERMS = ("stochastic", "noise", "constant")


@dataclass(frozen=True)
class Fit:
    """The result of a fit: values and errors of its parameters, and how well they describe the points.

    `start` and `stop` are the ends of the fitted range. A fit that is not valid did not find a minimum, and
    has no meaning.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    chi2: float
    ndf: int
    start: float
    stop: float
    is_valid: bool

    def in_words(self) -> str:
        """Return chi-squared over the number of degrees of freedom as text."""
        return f"chi2/ndf = {self.chi2:.1f}/{self.ndf}"


def gaussian_contents(edges: Array, entries: float, mu: float, sigma: float) -> Array:
    """Return the cumulative number of entries of a Gaussian at the edges of bins."""
    from numba_stats import norm

    return np.asarray(entries * norm.cdf(edges, mu, sigma))


def crystal_ball_contents(
    edges: Array,
    entries: float,
    mu: float,
    sigma: float,
    beta_low: float,
    m_low: float,
    beta_high: float,
    m_high: float,
) -> Array:
    """Return the cumulative number of entries of a double-sided Crystal Ball function at the edges of bins.

    `entries` counts those between the first edge and the last; the tails beyond may hold any number.
    """
    from numba_stats import crystalball_ex

    cumulative = crystalball_ex.cdf(edges, beta_low, m_low, sigma, beta_high, m_high, sigma, mu)
    inside = cumulative[-1] - cumulative[0]
    return np.asarray(entries * (cumulative - cumulative[0]) / (inside if inside > 0 else 1.0))


def fit_core(contents: Array, edges: Array, variances: Array | None = None) -> Fit | None:
    """Fit a Gaussian to the core of a distribution: the bins within 1.5 standard deviations of its mean.

    The first core lies around the highest bin; it is fitted again until its width changes by less than 1 %. The
    likelihood is that of Poisson counts in bins.

    Parameters
    ----------
    contents, edges, variances
        Bins without under- and overflow, their edges, and the sums of squared weights of weighted events.

    Returns
    -------
    Fit or None
        `entries`, `mu` and `sigma`; None if there are too few bins with entries.
    """
    variances = contents if variances is None else variances
    if np.count_nonzero(contents) < FEWEST_BINS:
        return None
    mu, sigma = _mode_and_width(contents, edges)
    fit: Fit | None = None
    for _ in range(MOST_STEPS):
        core = _bins_within(edges, mu - CORE * sigma, mu + CORE * sigma)
        if core.stop - core.start < FEWEST_BINS or not contents[core].sum() > 0:
            return fit
        start = {"entries": float(contents[core].sum() / IN_CORE), "mu": mu, "sigma": sigma}
        limits = {"entries": (0, None), "sigma": (1e-9 * sigma, None)}
        bins = edges[core.start : core.stop + 1]
        fit = _fit_bins(contents[core], variances[core], bins, gaussian_contents, start, limits)
        previous, mu, sigma = sigma, fit.values["mu"], fit.values["sigma"]
        if not fit.is_valid or abs(sigma - previous) < SAME * previous:
            break
    return fit


def fit_crystal_ball(contents: Array, edges: Array, variances: Array | None = None) -> Fit | None:
    """Fit a double-sided Crystal Ball function with one width to a whole distribution.

    Arguments as in `fit_core`, from which the fit starts. The tails are power laws that begin `beta_low` and
    `beta_high` standard deviations from the mean, with exponents `m_low` and `m_high` above 1. J. Gaiser,
    SLAC-R-255 (1982), appendix F.
    """
    core = fit_core(contents, edges, variances)
    if core is None:
        return None
    start = {"entries": float(contents.sum()), "mu": core.values["mu"], "sigma": core.values["sigma"]}
    start |= {"beta_low": 1.5, "m_low": 3.0, "beta_high": 1.5, "m_high": 3.0}
    limits: dict[str, tuple[float | None, float | None]] = {
        "entries": (0, None),
        "sigma": (1e-9 * start["sigma"], None),
        **dict.fromkeys(("beta_low", "beta_high"), (0.05, 10.0)),
        **dict.fromkeys(("m_low", "m_high"), (1.001, 200.0)),
    }
    filled = np.flatnonzero(contents)
    some = slice(int(filled[0]), int(filled[-1]) + 1)
    bins = edges[some.start : some.stop + 1]
    variances = contents if variances is None else variances
    return _fit_bins(contents[some], variances[some], bins, crystal_ball_contents, start, limits)


def resolution_at(energy: Any, stochastic: float, noise: float, constant: float) -> Any:
    """Return the relative resolution a/sqrt(E) + b/E + c, its terms added in quadrature; energies in GeV.

    >>> round(float(resolution_at(100.0, 0.1, 0.0, 0.01)), 6)
    0.014142
    """
    return np.sqrt(stochastic**2 / energy + (noise / energy) ** 2 + constant**2)


def fit_resolution(
    energy: Array,
    resolution: Array,
    errors: Array,
    *,
    fixed: Mapping[str, float] | None = None,
    beam_spread: float = 0.0,
) -> Fit | None:
    """Fit stochastic, noise and constant term to relative resolutions at some energies.

    Parameters
    ----------
    energy, resolution, errors
        Energies in GeV, the relative resolution at each, and its error.
    fixed
        Terms that are known, such as ``{"noise": 0.05}``; of the others none is below zero.
    beam_spread
        The relative spread of the energies themselves, which is subtracted in quadrature.

    Returns
    -------
    Fit or None
        The three terms; None if there are fewer points than free terms.
    """
    from iminuit import Minuit
    from iminuit.cost import LeastSquares

    is_known = np.isfinite(resolution) & np.isfinite(errors) & (errors > 0) & (resolution > beam_spread)
    x, total, error = (np.asarray(each, np.float64)[is_known] for each in (energy, resolution, errors))
    y = np.sqrt(total**2 - beam_spread**2)
    known = dict(fixed or {})
    if len(x) < len(TERMS) - len(known):
        return None
    start = {"stochastic": float(y[0] * np.sqrt(x[0])), "noise": 0.01, "constant": float(y[-1]) / 2} | known
    minuit = Minuit(LeastSquares(x, y, error * total / y, resolution_at), **start)
    for name in TERMS:
        minuit.limits[name] = (0, None)
        minuit.fixed[name] = name in known
    minuit.migrad()
    minuit.hesse()
    ndf = len(x) - (len(TERMS) - len(known))
    return _result(minuit, ndf, float(x.min()), float(x.max()))


def _mode_and_width(contents: Array, edges: Array) -> tuple[float, float]:
    """Return the centre of the highest bin, and the width of a Gaussian as wide at half its height."""
    centres, highest = (edges[1:] + edges[:-1]) / 2, int(np.argmax(contents))
    low = np.flatnonzero(contents < contents[highest] / 2)
    left, right = low[low < highest].max(initial=-1), low[low > highest].min(initial=len(contents))
    width = max(edges[right] - edges[left + 1], edges[highest + 1] - edges[highest])
    return float(centres[highest]), max(float(width) / 2.355, float(np.diff(edges).min()))


def _bins_within(edges: Array, low: float, high: float) -> slice:
    """Return the bins whose centres lie between two values."""
    centres = (edges[1:] + edges[:-1]) / 2
    inside = np.flatnonzero((centres >= low) & (centres <= high))
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


def _fit_bins(
    contents: Array,
    variances: Array,
    edges: Array,
    cumulative: Callable[..., Array],
    start: Mapping[str, float],
    limits: Mapping[str, tuple[float | None, float | None]],
) -> Fit:
    """Minimise the binned Poisson likelihood of a cumulative distribution, scaled to the number of entries."""
    from iminuit import Minuit
    from iminuit.cost import ExtendedBinnedNLL

    is_weighted = not np.array_equal(contents, variances)
    data = np.stack([contents, variances], axis=1) if is_weighted else contents
    likelihood = ExtendedBinnedNLL(data, edges, cumulative)
    minuit = Minuit(likelihood, **start)
    for name, limit in limits.items():
        minuit.limits[name] = limit
    minuit.migrad()
    if not minuit.valid:
        minuit.simplex().migrad()
    minuit.hesse()
    return _result(minuit, len(contents) - len(start), float(edges[0]), float(edges[-1]))


def _result(minuit: Any, ndf: int, start: float, stop: float) -> Fit:
    """Return the outcome of a minimisation."""
    values, errors = minuit.values.to_dict(), minuit.errors.to_dict()
    errors |= {name: 0.0 for name in values if minuit.fixed[name]}
    chi2 = float(minuit.fval)
    is_valid = bool(minuit.valid) and math.isfinite(chi2)
    return Fit(values, errors, chi2, ndf, start, stop, is_valid)
