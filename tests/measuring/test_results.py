"""Tables of measurements, by hand, and whatever the order in which a config has them."""

import hist
import numpy as np
import pytest

from hep_peaksum.measuring.filling import book
from hep_peaksum.measuring.measurements import (
    EfficiencyInput,
    RateInput,
    ResolutionInput,
    ResponseInput,
    ScalingInput,
)
from hep_peaksum.measuring.results import measure

AXIS = {"bins": 4, "start": 0, "stop": 2}
MEASUREMENTS = {
    "resolution": ResolutionInput(resolution="beam"),
    "scaled": ScalingInput(scaling="found", rate="trigger"),
    "beam": ResponseInput(response="leading", of="Jet.energy", to="dataset.energy", ratio_axis=AXIS),
    "found": EfficiencyInput.model_validate(
        {
            "efficiency": "events",
            "match": "none",
            "axis": {"field": "HT", **AXIS},
            "pass": {"field": "HT", "thresholds": [3]},
        }
    ),
    "trigger": RateInput(rate="Jet.energy", axis=AXIS, crossing_rate=1),
}


def filled(energy):
    """Return the histograms of a dataset, in which everything has one entry in the second bin."""
    bins = hist.axis.Regular(4, 0, 2, name="x")
    beam, rate = hist.Hist(bins), hist.Hist(bins)
    found = hist.Hist(hist.axis.StrCategory(["total", "3"], name="which"), bins)
    beam.fill([0.75, energy / 100])
    rate.fill([0.75])
    for which in ("total", "3"):
        found.fill([which], [0.75])
    return {"beam": beam, "trigger": rate, "found": found}


def test_what_is_made_of_others_may_stand_above_them():
    datasets = {f"e{energy}": energy for energy in (10, 50, 90)}
    histograms = {name: filled(energy) for name, energy in datasets.items()}
    metadata = {name: {"energy": energy} for name, energy in datasets.items()}
    one, other = (
        measure(measurements, histograms, metadata)
        for measurements in (MEASUREMENTS, dict(reversed(MEASUREMENTS.items())))
    )
    tables = {(table.measurement, table.dataset): table.as_dict() for table in one}
    assert {name for name, _ in tables} == {*MEASUREMENTS, "scaled_rate"}
    assert tables["resolution", "all datasets"]["columns"]["energy"] == [10, 50, 90]
    scaled = tables["scaled", "e10"]["numbers"]
    assert (scaled["at"], scaled["of"]) == (0.95, "absolute")
    assert tables == {(table.measurement, table.dataset): table.as_dict() for table in other}
    assert np.isfinite(tables["trigger", "e10"]["columns"]["value"]).all()


def test_a_dataset_that_is_not_measured_has_no_table():
    rate = RateInput(rate="Jet.energy", axis=AXIS, crossing_rate=1, datasets=["measured", "lost"])
    histograms = {"measured": filled(10), "other": filled(50), "lost": {}}
    tables = measure({"trigger": rate}, histograms, {name: {} for name in histograms})
    assert [table.dataset for table in tables] == ["measured"]


def test_thresholds_stay_what_they_are_however_near_to_one_another():
    passing = {"field": "HT", "thresholds": [3, 0.1, -2.0, 1234567.5, 1234567.25]}
    found = EfficiencyInput.model_validate({**MEASUREMENTS["found"].model_dump(by_alias=True), "pass": passing})
    assert found.labels == ("total", "3", "0.1", "-2", "1234567.5", "1234567.25")
    booked = book("found", found, [], weighted=False)
    tables = measure({"found": found}, {"data": booked}, {"data": {}})
    assert [table.numbers["threshold"] for table in tables] == passing["thresholds"]


def test_a_rate_counts_the_events_at_or_above_each_threshold():
    leading = hist.Hist(hist.axis.Regular(3, 0, 30, name="value"))
    chunks = [
        leading.copy().fill(part) for part in ([-1, 5, 15], [15, 25, 99])
    ]  # -1: an event without a cluster
    leading = chunks[0] + chunks[1]  # has no variances
    rate = RateInput(rate="Jet.pt", axis={"bins": 3, "start": 0, "stop": 30}, crossing_rate=12)
    (table,) = measure({"rate": rate}, {"zerobias": {"rate": leading}}, {"zerobias": {}})
    assert (table.measurement, table.dataset, table.variation) == ("rate", "zerobias", "nominal")
    assert table.columns["threshold"] == [0, 10, 20, 30]
    assert table.columns["passed"] == [5, 4, 2, 1]
    assert table.columns["value"] == pytest.approx([10, 8, 4, 2])  # 12 Hz of 6 events
    assert table.numbers == {"total": 6, "unit": "Hz", "rate_of_all": 12}


@pytest.mark.parametrize("width", ["half_width_68", "sigma_eff", "gaussian"])
def test_a_resolution_is_the_relative_width_of_its_response(width):
    fine = {"bins": 100, "start": 0, "stop": 2}
    response = {"response": "leading", "of": "Jet.energy", "to": "dataset.energy", "ratio_axis": fine}
    measurements = {
        "beam": ResponseInput(**response, fit="gaussian"),
        "sigma": ResolutionInput(resolution="beam", width=width),
    }
    # not in the order of the energies, in which the table is
    random, sigmas = np.random.default_rng(1), {"high": 0.1, "few": 0.1, "low": 0.2}
    metadata = {"low": {"energy": 10}, "high": {"energy": 40}, "few": {"energy": 90}}
    n_entries = {"low": 4000, "high": 4000, "few": 1}
    histograms = {
        name: {
            "beam": hist.Hist(hist.axis.Regular(100, 0, 2, name="x")).fill(
                random.normal(0.8, sigma, n_entries[name])
            )
        }
        for name, sigma in sigmas.items()
    }
    tables = {
        (each.measurement, each.dataset): each.as_dict() for each in measure(measurements, histograms, metadata)
    }
    made = tables["sigma", "all datasets"]["columns"]
    assert (made["energy"], made["dataset"]) == ([10, 40, 90], ["low", "high", "few"])
    for k, name in enumerate(("low", "high")):
        row = {key: values[0] for key, values in tables["beam", name]["columns"].items()}
        if width == "gaussian":
            mu = row["fit"]["values"]["mu"]
            expected = row["fit"]["values"]["sigma"] / mu, row["fit"]["errors"]["sigma"] / mu
        else:
            expected = row[width] / row["median"], row[width] / row["median"] / np.sqrt(2 * 4000)
        assert (made["value"][k], made["error"][k]) == pytest.approx(expected)
        assert made["value"][k] == pytest.approx(sigmas[name] / 0.8, rel=0.05)
    if width == "gaussian":  # of a single entry there is no fit
        assert made["value"][2] is None or np.isnan(made["value"][2])


@pytest.mark.parametrize(("height", "of"), [(100, "absolute"), (50, "plateau")])
def test_offline_thresholds_lie_on_a_line_that_moves_the_rate(height, of):
    """Turn-ons in one step are crossed at 95 % of the way to the next centre, of 5 to 55.

    Of `data` at 14.5, 24.5 and 44.5, with the slope 30 / 20 and the middle (20, 83.5 / 3); of `flat` at 34.5
    each. Of `few` nothing passes the first threshold, and two points make no line.
    """
    axis = {"bins": 6, "start": 0, "stop": 60}
    measurements = {
        "found": EfficiencyInput.model_validate(
            {
                **MEASUREMENTS["found"].model_dump(by_alias=True),
                "axis": {"field": "HT", **axis},
                "pass": {"field": "HT", "thresholds": [10, 20, 30]},
            }
        ),
        "rate": RateInput(rate="Jet.pt", axis=axis, crossing_rate=1),
        "line": ScalingInput(scaling="found", rate="rate", of=of),
    }
    bins = hist.axis.Regular(6, 0, 60, name="x")
    histograms = {}
    for name, steps in {"data": (1, 2, 4), "flat": (3, 3, 3), "few": (6, 1, 2)}.items():
        found = hist.Hist(hist.axis.StrCategory(["total", "10", "20", "30"], name="which"), bins)
        found[hist.loc("total"), :] = np.full(6, 100)
        for label, step in zip(("10", "20", "30"), steps, strict=True):
            found[hist.loc(label), :] = np.where(np.arange(6) < step, 0, height)
        histograms[name] = {"found": found, "rate": hist.Hist(bins).fill([15])}
    tables = measure(measurements, histograms, {name: {} for name in histograms})
    lines = {table.dataset: table for table in tables if table.measurement == "line"}
    assert lines["data"].columns == {"online": [10, 20, 30], "offline": pytest.approx([14.5, 24.5, 44.5])}
    slopes = {name: (table.numbers["slope"], table.numbers["offset"]) for name, table in lines.items()}
    assert slopes["data"] == pytest.approx((1.5, 83.5 / 3 - 1.5 * 20))
    assert slopes["flat"] == pytest.approx((0, 34.5))
    assert np.isnan(slopes["few"]).all()
    rates = [table for table in tables if table.measurement == "line_rate" and table.numbers["of"] == "data"]
    assert [table.dataset for table in rates] == ["data", "flat", "few"]
    (rate,) = (table for table in tables if (table.measurement, table.dataset) == ("rate", "data"))
    for table in rates:
        assert table.columns["offline"] == pytest.approx(
            [1.5 * edge + 83.5 / 3 - 30 for edge in range(0, 61, 10)]
        )
    assert {key: rates[0].columns[key] for key in ("value", "low", "high")} == {
        key: rate.columns[key] for key in ("value", "low", "high")
    }
