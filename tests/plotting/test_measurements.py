"""Pictures of measurements show what their tables say."""

import hist
import numpy as np
import pytest
from figures import assert_drawable

from hep_peaksum.plotting.histograms import draw_histogram, zoomed
from hep_peaksum.plotting.measurements import draw_measurement, draw_ratios

EDGES = {"low_edge": [0, 10, 20], "high_edge": [10, 20, 30]}


def table(columns, numbers=None, **more):
    names = {"measurement": "m", "dataset": "a", "variation": "nominal"}
    return {**names, "columns": columns, "numbers": numbers or {}, **more}


def turn_on(threshold, **more):
    columns = {**EDGES, "value": [0.1, None, 0.9], "low": [0.0, 0.0, 0.8], "high": [0.2, 1.0, 1.0]}
    return table(columns, {"threshold": threshold}, **more)


TERMS = {"stochastic": 0.1, "noise": 0.0, "constant": 0.01}
FIT = {"values": TERMS, "errors": dict.fromkeys(TERMS, 0.001)}
FIT |= {"start": 10, "stop": 100, "chi2": 3.2, "ndf": 2, "is_valid": True}
CASES = {
    "efficiency": [turn_on(10.0), turn_on(20.0)],
    "purity": [table({**EDGES, "value": [0.5, 0.6, 1], "low": [0.4, 0.5, 0.9], "high": [0.6, 0.7, 1]})],
    "rate": [table({"threshold": [0, 10], "value": [2e3, 0], "low": [1e3, 0], "high": [3e3, 1e3]})],
    "response": [table({**EDGES, "median": [0.9, None, 1], "half_width_68": [0.1, None, 0.05]})],
    "resolution": [table({"energy": [10, 50], "value": [0.03, 0.02], "error": [0.001, 0.001]}, {"fit": FIT})],
    "scaling": [table({"online": [10, 20, 30], "offline": [15, 27, None]}, {"slope": 1.2, "offset": 3.0})],
}


@pytest.mark.parametrize("kind", CASES)
def test_every_kind_is_drawn(kind, tmp_path):
    figure = draw_measurement(CASES[kind], kind, title="a title", axis="an axis")
    assert figure.axes[0].get_xlabel() == "an axis"
    assert_drawable(figure, tmp_path / "m.png")


def test_a_bin_without_a_value_is_left_out():
    line = draw_measurement([turn_on(10.0)], "efficiency").axes[0].lines[0]
    assert line.get_xdata().tolist() == [5, 25]
    assert line.get_ydata().tolist() == [0.1, 0.9]


def test_the_legend_tells_thresholds_and_what_else_differs():
    tables = [turn_on(10.0), turn_on(10.0, variation="Up")]
    texts = draw_measurement(tables, "efficiency").axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == [r"$\geq$ 10, nominal", r"$\geq$ 10, Up"]


def test_the_legend_says_what_the_thresholds_are_of():
    legend = draw_measurement(CASES["efficiency"], "efficiency", passing="Jet pt [GeV]").axes[0].get_legend()
    assert legend.get_title().get_text() == "Jet pt [GeV]"


@pytest.mark.parametrize(("weight", "word"), [(1, "entries"), (0.5, "sum of weights")])
def test_weighted_contents_are_no_entries(weight, word):
    spectrum = hist.Hist(hist.axis.Regular(4, 0, 2, label="Jet.pt / Gen.pt"), storage=hist.storage.Weight())
    spectrum.fill([0.9, 1.1, 1.2], weight=weight)
    ratios = draw_ratios(spectrum, None).axes[0]
    assert (ratios.get_xlabel(), ratios.get_ylabel()) == ("Jet.pt / Gen.pt", f"{word} / 0.5")
    assert draw_histogram(spectrum).axes[0].get_ylabel() == f"{word} / 0.5"


@pytest.mark.parametrize(
    ("terms", "formula"),
    [
        ({"stochastic": 0.1, "noise": 0.0, "constant": 0.01}, r"$\sigma/E = a\,E^{-1/2} \oplus c$"),
        ({"stochastic": 0.1, "noise": 0.2, "constant": 0.0}, r"$\sigma/E = a\,E^{-1/2} \oplus b\,E^{-1}$"),
    ],
)
def test_only_the_terms_of_a_resolution_are_written(terms, formula):
    (each,) = CASES["resolution"]
    figure = draw_measurement([{**each, "numbers": {"fit": {**FIT, "values": terms}}}], "resolution")
    assert figure.axes[0].texts[0].get_text().splitlines()[0] == formula


def test_a_rate_is_in_kilohertz():
    figure = draw_measurement(CASES["rate"], "rate")
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.0]
    assert figure.axes[0].get_ylabel() == "rate [kHz]"


def test_a_fit_is_drawn_with_its_parameters(tmp_path):
    edges, values = np.linspace(0, 2, 41), {"entries": 1000.0, "mu": 1.0, "sigma": 0.1}
    fit = {
        "values": values,
        "errors": values,
        "start": 0.8,
        "stop": 1.2,
        "chi2": 7.0,
        "ndf": 5,
        "is_valid": True,
    }
    h = hist.Hist(hist.axis.Variable(edges)).fill(np.random.default_rng(1).normal(1, 0.1, 1000))
    figure = draw_ratios(h, fit)
    curve = figure.axes[0].lines[-1]
    assert curve.get_ydata().max() == pytest.approx(1000 * 0.05 / (0.1 * np.sqrt(2 * np.pi)), rel=1e-3)
    assert r"$\chi^2$/ndf = 7.0/5" in figure.axes[0].texts[0].get_text()
    assert_drawable(figure, tmp_path / "m.png")


def test_variations_are_drawn_with_their_ratio(tmp_path):
    names = hist.axis.StrCategory(["nominal", "Up"], name="variation")
    h = hist.Hist(names, hist.axis.Regular(4, 0, 4, name="pt", label="pt [GeV]"))
    h.fill(["nominal"] * 4 + ["Up"] * 6, [0.5, 1.5, 1.5, 2.5, 0.5, 0.5, 1.5, 1.5, 2.5, 3.5])
    figure = draw_histogram(h)
    upper, lower = figure.axes
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["nominal", "Up"]
    assert lower.patches[0].get_data().values[:3].tolist() == [2, 1, 1]
    assert np.isnan(lower.patches[0].get_data().values[3])
    assert_drawable(figure, tmp_path / "h.png")


def test_only_what_is_filled_is_shown():
    edges = np.logspace(-2, 4, 13)
    contents = np.zeros(12)
    contents[5:8] = 10
    assert zoomed(edges, contents) == (edges[5], edges[8])
