"""Every measurement against plain loops over the events: the definitions, written a second time."""

import re
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.analysis.derived import Collections
from hep_peaksum.geometry.grid import bare_grid
from hep_peaksum.measuring import filling
from hep_peaksum.measuring.filling import MeasuredEvents
from hep_peaksum.measuring.matches import MatchInput
from hep_peaksum.measuring.measurements import EfficiencyInput, PurityInput, RateInput, ResponseInput

EDGES = np.linspace(0, 80, 9)
AXIS = {"bins": 8, "start": 0, "stop": 80}


def distance(a, b):
    """Return the distance in eta and phi of two objects."""
    d_phi = abs(a["phi"] - b["phi"])
    return np.hypot(a["eta"] - b["eta"], min(d_phi, 2 * np.pi - d_phi))


def plain_events(events):
    """Yield clusters, objects and the weight of every event, as lists of dictionaries."""
    lists = events.collections.clusters["Jet"].to_list(), events.references["Gen"].to_list()
    yield from zip(*lists, events.weights["nominal"].tolist(), strict=True)


def near(shower, clusters):
    """Return the numbers of the clusters within 1 of an object, the nearest first."""
    found = [k for k, cluster in enumerate(clusters) if distance(shower, cluster) <= 1]
    return sorted(found, key=lambda k: (distance(shower, clusters[k]), k))


def one_to_one(objects, clusters):
    """Return the cluster of every object: by falling pt each takes the nearest that is free; None without."""
    taken = dict.fromkeys(range(len(objects)))
    for k in sorted(taken, key=lambda k: (-objects[k]["pt"], k)):
        taken[k] = next((j for j in near(objects[k], clusters) if j not in taken.values()), None)
    return taken


def filled(measurement, events):
    """Return the histograms of a measurement of events."""
    booked = filling.book("m", measurement, [], weighted=events.weights["nominal"] is not None)
    filling.fill(booked, "m", measurement, events)
    return booked


def sums(entries, edges=EDGES):
    """Return sum of weights, of squares, and number of negative ones in bins of (value, weight)."""
    values, weights = (np.array(each, float) for each in (zip(*entries, strict=True) if entries else ([], [])))
    ways = (weights, weights**2, (weights < 0).astype(float))
    return [np.histogram(values, edges, weights=way)[0] for way in ways]


def check(booked, place, entries):
    expected = sums(entries)
    np.testing.assert_allclose(booked["m"][place].values(), expected[0], atol=1e-12)
    np.testing.assert_allclose(booked["m"][place].variances(), expected[1], atol=1e-12)
    assert booked["m_negative"][place].values().tolist() == expected[2].tolist()


def turn_on(**more):
    content = {"efficiency": "JetGen", "axis": {"field": "Gen.pt", **AXIS}}
    return EfficiencyInput(**content, **{"pass": {"field": "Jet.pt", "thresholds": [15, 30.5]}}, **more)


@pytest.mark.parametrize("denominator", ["all", "matched", "leading"])
def test_an_efficiency_counts_objects_with_the_highest_cluster_nearby(events, denominator):
    booked = filled(turn_on(denominator=denominator), events)
    total, passed = [], {15: [], 30.5: []}
    for clusters, objects, weight in plain_events(events):
        leading = min(range(len(objects)), key=lambda k: (-objects[k]["pt"], k), default=None)
        for k, shower in enumerate(objects):
            pts = [clusters[j]["pt"] for j in near(shower, clusters)]
            if (denominator == "matched" and not pts) or (denominator == "leading" and k != leading):
                continue
            total.append((shower["pt"], weight))
            for threshold in passed:
                passed[threshold] += [(shower["pt"], weight)] if pts and max(pts) >= threshold else []
    check(booked, {"threshold": "total"}, total)
    check(booked, {"threshold": "15"}, passed[15])
    check(booked, {"threshold": "30.5"}, passed[30.5])


@pytest.mark.parametrize("pairing", ["nearest", "one_to_one"])
def test_an_efficiency_with_another_pairing(events, pairing):
    match = MatchInput(clusters="Jet", reference="Gen", by="delta_r", within=1.0, pairing=pairing)
    booked = filled(turn_on(), replace(events, matches={"JetGen": match}))
    passed = []
    for clusters, objects, weight in plain_events(events):
        pairs = one_to_one(objects, clusters)
        if pairing == "nearest":
            pairs = {k: next(iter(near(shower, clusters)), None) for k, shower in enumerate(objects)}
        for k, shower in enumerate(objects):
            if pairs[k] is not None and clusters[pairs[k]]["pt"] >= 15:
                passed.append((shower["pt"], weight))
    check(booked, {"threshold": "15"}, passed)


def test_an_efficiency_without_a_match_compares_events(events):
    content = {"efficiency": "met", "match": "none", "axis": {"field": "MET", **AXIS}}
    booked = filled(
        EfficiencyInput(**content, **{"pass": {"field": "Jet.pt", "nth": 2, "thresholds": [10]}}), events
    )
    missing = events.references["MET"].value.to_list()
    total, passed = [], []
    for met, (clusters, _, weight) in zip(missing, plain_events(events), strict=True):
        pts = sorted((cluster["pt"] for cluster in clusters), reverse=True)
        total.append((met, weight))
        passed += [(met, weight)] if len(pts) > 1 and pts[1] >= 10 else []
    check(booked, {"threshold": "total"}, total)
    check(booked, {"threshold": "10"}, passed)


def test_a_purity_counts_clusters_that_have_an_object(events):
    booked = filled(PurityInput(purity="JetGen", axis={"field": "Jet.pt", **AXIS}), events)
    total, matched = [], []
    for clusters, objects, weight in plain_events(events):
        taken = set(one_to_one(objects, clusters).values())
        for k, cluster in enumerate(clusters):
            total.append((cluster["pt"], weight))
            matched += [(cluster["pt"], weight)] if k in taken else []
    check(booked, {"clusters": "total"}, total)
    check(booked, {"clusters": "matched"}, matched)


def test_a_response_is_the_ratio_of_the_pairs(events):
    response = ResponseInput(
        response="JetGen", ratio=["Jet.pt", "Gen.pt"], ratio_axis={"bins": 4, "start": 0, "stop": 4},
        axis={"field": "Gen.pt", **AXIS},
    )  # fmt: skip
    booked = filled(response, events)
    entries = []
    for clusters, objects, weight in plain_events(events):
        for k, j in one_to_one(objects, clusters).items():
            if j is not None and objects[k]["pt"]:
                entries.append((objects[k]["pt"], clusters[j]["pt"] / objects[k]["pt"], weight))
    x, ratio, weights = (np.array(each) for each in zip(*entries, strict=True))
    expected = np.histogram2d(x, ratio, [EDGES, np.linspace(0, 4, 5)], weights=weights)[0]
    np.testing.assert_allclose(booked["m"].values(), expected, atol=1e-12)


def test_a_response_without_a_match_divides_the_leading_cluster_by_the_beam(events):
    response = ResponseInput(
        response="leading", of="Jet.pt", to="dataset.beam_energy", ratio_axis={"bins": 8, "start": 0, "stop": 8}
    )
    booked = filled(response, events)
    entries = [
        (max(cluster["pt"] for cluster in clusters) / 10, weight)
        for clusters, _, weight in plain_events(events)
        if clusters
    ]
    np.testing.assert_allclose(booked["m"].values(), sums(entries, np.linspace(0, 8, 9))[0], atol=1e-12)
    with pytest.raises(
        ValueError, match=r"response to dataset\.beam_energy: the events have no 'beam_energy' in"
    ):
        filled(response, replace(events, metadata={}))


@pytest.mark.parametrize("nth", [1, 2])
def test_a_rate_counts_events_and_those_without_a_value_below(events, nth):
    booked = filled(RateInput(rate="Jet.pt", nth=nth, axis=AXIS, crossing_rate=1), events)
    entries, without = [], 0
    for clusters, _, weight in plain_events(events):
        pts = sorted((cluster["pt"] for cluster in clusters), reverse=True)
        if len(pts) >= nth:
            entries.append((pts[nth - 1], weight))
        else:
            without += weight
    np.testing.assert_allclose(booked["m"].values(), sums(entries)[0], atol=1e-12)
    assert booked["m"].values(flow=True)[0] == pytest.approx(without)
    assert booked["m"].values(flow=True).sum() == pytest.approx(events.weights["nominal"].sum())


@pytest.mark.parametrize(
    ("written", "hertz"), [("11245.5 Hz", 11245.5), (" 40e3kHz ", 4e7), ("30 MHz", 3e7), ("+.5 kHz", 500)]
)
def test_a_frequency_is_a_number_with_its_unit(written, hertz):
    assert RateInput(rate="HT", axis=AXIS, crossing_rate=written).crossing_rate == hertz


@pytest.mark.parametrize(
    ("keys", "hertz"),
    [
        pytest.param({"bunches": 2544, "orbit": "11245.5 Hz"}, 2544 * 11245.5, id="bunches"),
        pytest.param({"crossing_rate": "40 MHz"}, 4e7, id="crossings"),
        pytest.param({"cross_section": "80 mb", "instantaneous_luminosity": 2e34}, 1.6e9, id="minimum-bias"),
        pytest.param(  # 80 mb are 80e-27 cm^2
            {"cross_section": "80 mb", "instantaneous_luminosity": 2e34, "scale": 0.5}, 0.8e9, id="scaled"
        ),
    ],
)
def test_the_rate_of_all_events_is_that_of_the_machine(keys, hertz):
    assert RateInput(rate="HT", axis=AXIS, **keys).total == pytest.approx(hertz)


@pytest.mark.parametrize("written", ["40 GHz", "abc", "30", "1e MHz", "1.2.3 Hz", "--5 Hz", ""])
def test_what_is_no_frequency_is_told_how_to_write_one(written):
    message = re.escape(f"{written!r} is not a frequency: write a number and one of Hz, kHz, MHz, ")
    with pytest.raises(ValueError, match=message):
        RateInput(rate="HT", axis=AXIS, crossing_rate=written)


def test_a_rate_of_a_sum_of_the_event(events):
    booked = filled(RateInput(rate="HT", axis=AXIS, crossing_rate=1), events)
    entries = [(sum(c["pt"] for c in clusters), weight) for clusters, _, weight in plain_events(events)]
    np.testing.assert_allclose(booked["m"].values(), sums(entries)[0], atol=1e-12)


def test_only_selected_events_are_measured(events):
    passed = np.arange(60) % 3 == 0
    whole = filled(RateInput(rate="Jet.pt", axis=AXIS, crossing_rate=1), events.select(passed))
    assert whole["m"].values(flow=True).sum() == pytest.approx(events.weights["nominal"][passed].sum())


def objects_at(*pts):
    """Return jagged objects with these pt, the first of every event at phi 0, the next ones far from it."""
    return ak.Array([[{"eta": 0.0, "phi": 1.5 * k, "pt": pt} for k, pt in enumerate(each)] for each in pts])


@pytest.fixture
def without_numbers():
    """Return four events in which some clusters, objects and sums have no number."""
    nan = float("nan")
    return MeasuredEvents(
        collections=Collections(
            {"Jet": objects_at([nan, 30.0], [nan], [50.0], [0.0])}, {}, {"HT": np.array([nan, nan, 50.0, 0.0])}
        ),
        references={
            "Gen": objects_at([20.0], [25.0], [nan], [0.0]),
            "MET": ak.zip({"value": np.array([nan, 10.0, 79.0, 99.0])}),
        },
        weights={"nominal": None},
        matches={"JetGen": MatchInput(clusters="Jet", reference="Gen", by="delta_r", within=1.0)},
        grids={"Jet": bare_grid((1, 1))},
        metadata={"beam_energy": 10.0},
    )


@pytest.mark.parametrize(
    ("field", "below", "above"), [("Jet.pt", 1, 0), ("HT", 2, 0), ("MET", 1, 1)], ids=["field", "sum", "scalar"]
)
def test_events_without_a_number_are_below_every_threshold_of_a_rate(without_numbers, field, below, above):
    booked = filled(RateInput(rate=field, axis=AXIS, crossing_rate=1), without_numbers)["m"]
    assert booked.values(flow=True)[[0, -1]].tolist() == [below, above]
    assert booked.sum(flow=True) == 4


@pytest.mark.parametrize(("denominator", "inside"), [("all", 3), ("matched", 3), ("leading", 3)])
def test_an_object_without_a_number_is_in_no_bin_and_a_cluster_without_passes_nothing(
    without_numbers, denominator, inside
):
    booked = filled(turn_on(denominator=denominator), without_numbers)["m"]
    total = booked[{"threshold": "total"}].values(flow=True)
    assert (total[0], total[1:-1].sum(), total[-1]) == (1, inside, 0)
    # the cluster of 50 belongs to the object without a number
    passed = booked[{"threshold": "15"}].values(flow=True)
    assert (passed[0], passed[1:].sum()) == (1, 0)


def test_a_pair_without_a_ratio_counts_nowhere(without_numbers):
    response = ResponseInput(
        response="JetGen", ratio=["Jet.pt", "Gen.pt"], ratio_axis={"bins": 4, "start": 0, "stop": 4},
        axis={"field": "Gen.pt", **AXIS},
    )  # fmt: skip
    assert filled(response, without_numbers)["m"].sum(flow=True) == 0  # nan/20, nan/25, 50/nan, 0/0
    beam = ResponseInput(
        response="leading", of="Jet.pt", to="dataset.beam_energy", ratio_axis={"bins": 8, "start": 0, "stop": 8}
    )
    assert filled(beam, without_numbers)["m"].values().tolist() == [1, 0, 0, 1, 0, 1, 0, 0]
