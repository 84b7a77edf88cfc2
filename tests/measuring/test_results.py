"""Tables of measurements, by hand, and whatever the order in which a config has them."""

import hist
import numpy as np
import pytest

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
    assert tables == {(table.measurement, table.dataset): table.as_dict() for table in other}
    assert np.isfinite(tables["trigger", "e10"]["columns"]["value"]).all()


def test_a_rate_counts_the_events_at_or_above_each_threshold():
    leading = hist.Hist(hist.axis.Regular(3, 0, 30, name="value"))
    leading.fill([-1, 5, 15, 15, 25, 99])  # -1 stands for an event without a cluster
    rate = RateInput(rate="Jet.pt", axis={"bins": 3, "start": 0, "stop": 30}, crossing_rate=12)
    (table,) = measure({"rate": rate}, {"zerobias": {"rate": leading}}, {"zerobias": {}})
    assert (table.measurement, table.dataset, table.variation) == ("rate", "zerobias", "nominal")
    assert table.columns["threshold"] == [0, 10, 20, 30]
    assert table.columns["passed"] == [5, 4, 2, 1]
    assert table.columns["value"] == pytest.approx([10, 8, 4, 2])  # 12 Hz of 6 events
    assert table.numbers == {"total": 6, "unit": "Hz", "rate_of_all": 12}
