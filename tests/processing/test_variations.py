"""Variations of a job equal jobs of their own with the changed key; views, derived fields and sums, by hand."""

import awkward as ak
import numpy as np
import pytest
from selected_jobs import all_events, finished, jets_of

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.processor import PeakSumProcessor
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.preview.thresholds import varied_thresholds

BINS = {"bins": 9, "start": 0, "stop": 9}
HISTOGRAMS = {
    "seeds": {"axes": [{"field": "Jet.seed", **BINS}]},
    "n_jets": {"axes": [{"field": "nJet", **BINS}]},
    "energy": {"axes": [{"field": "Jet.energy", "bins": 40, "start": 0, "stop": 160}]},
}
CHANGES = {
    "threshold": {"clusters.Jet.seed_threshold": 7},
    "window": {"clusters.Jet.sum_window": [1, 3]},
    "unit": {"grids.calo.unit": 2},
    "scale": {"grids.calo.scale": 1.07},
}


def with_changes(content, changes):
    """Return the content of a config with keys changed, as a user would by hand."""
    for key, value in changes.items():
        section, name, last = key.split(".")
        content[section] = {**content[section], name: {**content[section][name], last: value}}
    return content


def test_a_variation_equals_a_job_of_its_own(config):
    where = [{"field": "nJet", "max": 6}]
    every = {name.capitalize(): changes for name, changes in CHANGES.items()}
    events = {"where": where, "weight": {"gen": "genWeight"}}
    both, _ = finished(config("both", variations=every, events=events, histograms=HISTOGRAMS))
    for name, changes in {"nominal": {}, **CHANGES}.items():
        alone, _ = finished(with_changes(config(name, events=events, histograms=HISTOGRAMS), changes))
        word = name.capitalize() if changes else name
        for key in (*HISTOGRAMS, "cutflow", "cutflow_entries"):
            assert both.histograms["toy"][key][{"variation": word}] == alone.histograms["toy"][key], (name, key)


def write_tables(folder):
    """Write tables of cells and masks: one table says another gain for the run of the second file."""
    places = [(row, col) for row in range(6) for col in range(8)]
    flat = [f"{row},{col},{1 + row % 3}" for row, col in places]
    by_run = [f"{row},{col},{gain},{run}" for run, gain in ((0, 1), (11, 2)) for row, col in places]
    (folder / "flat.csv").write_text("\n".join(["row,col,gain", *flat]))
    (folder / "runs.csv").write_text("\n".join(["row,col,gain,first_run", *by_run]))
    for name, step in (("few", 7), ("many", 2)):
        np.save(folder / f"{name}.npy", np.arange(48).reshape(6, 8) % step == 0)


READINGS = {
    "none": {},
    "flat": {"cells": "flat.csv"},
    "runs": {"cells": "runs.csv"},
    "few": {"mask": "few.npy"},
    "many": {"mask": "many.npy"},
}


@pytest.mark.parametrize("nominal", READINGS)
def test_a_variation_of_tables_and_masks_equals_a_job_of_its_own(config, tmp_path, monkeypatch, nominal):
    """What is read beside the branches is read for the variation: the run, if only its table needs it."""
    monkeypatch.chdir(tmp_path)
    write_tables(tmp_path)
    plane = config()["grids"]["calo"]
    every = {
        name.capitalize(): {f"grids.calo.{key}": value for key, value in maps.items()}
        for name, maps in READINGS.items()
        if maps and name != nominal
    }
    grid = {**plane, **READINGS[nominal]}
    both, _ = finished(config("both", variations=every, histograms=HISTOGRAMS, grids={"calo": grid}))
    for name in ("nominal", *every):
        own = {**grid, **READINGS[name.lower()]} if name in every else grid
        alone, _ = finished(config(name, histograms=HISTOGRAMS, grids={"calo": own}))
        for key in HISTOGRAMS:
            assert both.histograms["toy"][key][{"variation": name}] == alone.histograms["toy"][key], (name, key)


def test_a_variation_of_a_function_of_hits_calls_it(config, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    functions = [
        f"def {name}(events):\n    at = ak.Array([[{n}]] * len(events))\n    return at, at, at + 7\n"
        for n, name in enumerate(("one", "other"))
    ]
    (tmp_path / "functions_of_hits.py").write_text("\n".join(["import awkward as ak", *functions]))
    grid = {"hits": "functions_of_hits:one", "rows": {"n": 6}, "cols": {"n": 8}, "unit": 1}
    varied = {"Other": {"grids.calo.hits": "functions_of_hits:other"}}
    result, _ = finished(config(grids={"calo": grid}, variations=varied, histograms=HISTOGRAMS))
    seeds = result.histograms["toy"]["seeds"].values()
    assert [row.nonzero()[0].tolist() for row in seeds] == [[7], [8]]


WEIGHT = {"gen": "genWeight", "flat": 0.7}
SHARED = {  # variations of what may be the same as without, and the sections with the change
    "Pileup": ({"events.weight.flat": 1.3}, {"weight": {"gen": "genWeight", "flat": 1.3}}),
    "Gen": ({"events.weight.gen": 1}, {"weight": {"gen": 1, "flat": 0.7}}),
    "Few": ({"select.Few.where": [{"field": "seed", "min": 7}]}, {"least": 7}),
    "Nothing": ({"events.weight.flat": 0.7}, {}),
    "Both": (
        {"clusters.Jet.seed_threshold": 5, "events.weight.flat": 1.3},
        {"seed_threshold": 5, "weight": {"gen": "genWeight", "flat": 1.3}},
    ),
}


def measured(config, name, *, weight=WEIGHT, least=8, seed_threshold=6, **sections):
    """Return the content of a config with conditions on clusters, a view and measurements."""
    content = config(
        name,
        events={"where": [{"field": "nFew", "min": 1}], "weight": weight},
        select={"Few": {"from": "Jet", "where": [{"field": "seed", "min": least}]}},
        sums={"HT": "Few.energy"},
        histograms={
            **HISTOGRAMS,
            "few": {"axes": [{"field": "Few.energy", "edges": [0, 20, 25, 30, 40, 80]}]},
            "ht": {"axes": [{"field": "HT", "bins": 10, "start": 0, "stop": 300}]},
        },
        measurements={
            "rate": {"rate": "Jet.energy", "axis": {**BINS, "stop": 90}, "crossing_rate": 1},
            "turn_on": {
                "efficiency": "events",
                "match": "none",
                "axis": {"field": "nJet", **BINS},
                "pass": {"field": "Few.energy", "thresholds": [30, 40]},
            },
        },
        **sections,
    )
    content["clusters"]["Jet"]["seed_threshold"] = seed_threshold
    return content


def histograms_of(content, samples):
    """Return the histograms that a job fills with the events of the first file."""
    processor = PeakSumProcessor(**parse_config(content).job())
    return processor.find(ak.Array(samples[0][1])).histograms


def test_variations_that_share_clusters_or_weights_equal_jobs_of_their_own(config, samples):
    variations = {name: changes for name, (changes, _) in SHARED.items()}
    both = histograms_of(measured(config, "both", variations=variations), samples)
    for name, (_, sections) in {"nominal": ({}, {}), **SHARED}.items():
        alone = histograms_of(measured(config, name, **sections), samples)
        assert {*both} == {*alone}
        assert {"cutflow", "few", "ht", "turn_on", "turn_on_negative", "rate_negative"} <= {*both}
        for key, each in alone.items():
            assert both[key][{"variation": name}] == each, (name, key)


@pytest.mark.parametrize("key", ["unit", "scale"])
@pytest.mark.parametrize("value", [1.05, 0.95, 1.1])
@pytest.mark.parametrize("table", [{}, {"cells": "flat.csv"}], ids=["counts", "calibrated"])
def test_a_varied_unit_or_scale_is_that_of_a_config_to_the_last_bit(
    config, key, value, table, tmp_path, monkeypatch
):
    """With a cell table the scale multiplies the gains: the unit stays as it is."""
    monkeypatch.chdir(tmp_path)
    write_tables(tmp_path)
    content = config()
    content["grids"]["calo"] |= {"unit": 0.5, "scale": 1.02, **table}
    varied = parse_config({**content, "variations": {"Up": {f"grids.calo.{key}": value}}}).varied("Up")
    content["grids"]["calo"][key] = value
    assert varied.grids == parse_config(content).grids


def test_check_tells_what_a_variation_does_to_thresholds(config):
    content = config(variations={"Up": {"grids.calo.scale": 1.25}})
    content["clusters"]["Jet"] |= {"seed_threshold": "5 GeV", "cell_threshold": 1}
    lines = list(varied_thresholds(parse_config(content)))
    assert lines == [
        "Up: Jet seed threshold > 4 counts = 5 GeV (> 5 counts = 5 GeV without)",
        "Up: Jet cell threshold >= 1 counts = 1.25 GeV (>= 1 counts = 1 GeV without)",
    ]


def test_only_nominal_clusters_are_written_unless_asked_for(config, samples):
    _, events = finished(config(variations={"High": CHANGES["threshold"]}))
    assert events.Jet_seed.to_list() == jets_of(samples).seed.to_list()
    assert not [name for name in events.fields if "High" in name]


def test_a_written_variation_stands_beside_the_nominal_clusters(config, samples):
    content = config(
        variations={"High": CHANGES["threshold"]},
        events={"write_variations": ["High"], "where": [{"field": "nJet", "min": 5}]},
    )
    check_inputs(parse_config(content))
    _, events = finished(content)
    nominal, high = jets_of(samples), jets_of(samples)[jets_of(samples).seed > 7]
    passes, passes_high = ak.num(nominal) >= 5, ak.num(high) >= 5
    kept = passes | passes_high
    assert events.event.to_list() == all_events(samples, "event")[kept].tolist()
    assert events.JetHigh_seed.to_list() == high.seed[kept].to_list()
    assert events.nJetHigh.to_list() == ak.num(high)[kept].to_list()
    assert events.pass_nominal.to_list() == passes[kept].to_list()
    assert events.pass_High.to_list() == passes_high[kept].to_list()


def test_a_variation_of_a_weight_changes_the_weights_alone(config, samples):
    content = config(
        events={"weight": {"gen": "genWeight", "flat": 1}}, variations={"Double": {"events.weight.flat": 2}}
    )
    result, _ = finished(content)
    seeds = result.histograms["toy"]["seeds"]
    np.testing.assert_allclose(
        seeds[{"variation": "Double"}].values(), 2 * seeds[{"variation": "nominal"}].values(), rtol=1e-12
    )


def double(clusters):
    """Return twice the sum of every cluster."""
    return 2 * clusters.peak_sum


VIEWS = {
    "High": {"from": "Jet", "where": [{"field": "seed", "min": 8}], "sort": "peak_sum"},
    "Left": {"from": "High", "where": [{"field": "col", "max": 3}]},
}


def test_views_derived_fields_and_sums_are_used_like_any_other(config, samples):
    content = config(
        select=VIEWS,
        derive={"Jet": {"twice": f"{__name__}:double"}},
        sums={"HT": "Left.twice"},
        histograms={
            "n_left": {"axes": [{"field": "nLeft", **BINS}]},
            "twice": {"axes": [{"field": "High.twice", "bins": 40, "start": 0, "stop": 160}]},
            "ht": {"axes": [{"field": "HT", "bins": 40, "start": 0, "stop": 400}]},
        },
        events={"where": [{"field": "nHigh", "min": 1}, {"field": "HT", "below": 200}]},
    )
    result, events = finished(content)
    jets = jets_of(samples)
    high = jets[jets.seed >= 8]
    left = high[high.col <= 3]
    total = ak.sum(2 * left.peak_sum, axis=1)
    kept = (ak.num(high) > 0) & (total < 200)
    assert events.HT.to_list() == total[kept].to_list()
    assert events.Jet_twice.to_list() == (2 * jets.peak_sum[kept]).to_list()
    filled = result.histograms["toy"]
    assert filled["n_left"].values().tolist() == np.bincount(ak.num(left)[kept], minlength=9).tolist()
    expected, _ = np.histogram(ak.flatten(2 * high.peak_sum[kept]), 40, (0, 160))
    assert filled["twice"].values().tolist() == expected.tolist()
    assert filled["ht"].values().tolist() == np.histogram(total[kept], 40, (0, 400))[0].tolist()


def seeds_only(config, **sections):
    """Return the content of a config that needs no field of the clusters but the seed."""
    histograms = {"n": {"axes": [{"field": "nFew", **BINS}]}}
    content = config(histograms=histograms, **sections)
    content["clusters"]["Jet"]["fields"] = ["seed"]
    return content


def test_a_variation_may_need_fields_that_nothing_else_needs(config, samples):
    content = seeds_only(
        config,
        select={"Few": {"from": "Jet", "where": [{"field": "seed", "min": 8}]}},
        variations={
            "Left": {"select.Few.where": [{"field": "col", "max": 3}], "select.Few.sort": "row"},
            "LowLeft": {
                "clusters.Jet.seed_threshold": 5,
                "clusters.Jet.pileup": ["chunky_donut"],
                "select.Few.where": [{"field": "col", "max": 3}, {"field": "chunky_donut", "min": 0}],
            },
        },
    )
    result, events = finished(content)
    jets = jets_of(samples)
    low = find_clusters(all_events(samples, "cells"), {"seed_threshold": 5})
    few = {"nominal": jets[jets.seed >= 8], "Left": jets[jets.col <= 3], "LowLeft": low[low.col <= 3]}
    for name, each in few.items():
        filled = result.histograms["toy"]["n"][{"variation": name}].values()
        assert filled.tolist() == np.bincount(ak.num(each), minlength=9).tolist(), name
    assert [name for name in events.fields if "Jet" in name] == ["nJet", "Jet_seed"]


def test_a_default_histogram_has_the_axes_of_what_is_not_varied(config):
    content = config(variations={"Bare": {"grids.calo.quantity": "et"}})
    content["clusters"]["Jet"].pop("fields")
    content.pop("histograms")
    with pytest.raises(ConfigError, match=r"variations.Bare: histograms.*energy"):
        parse_config(content)


def wrong_length(clusters):
    """Return fewer values than there are clusters."""
    return clusters.peak_sum[:, :0]


def test_a_function_that_misses_clusters_is_one_line(config):
    content = config(derive={"Jet": {"bad": f"{__name__}:wrong_length"}})
    with pytest.raises(Exception, match=r"derive.Jet.bad: .* expected a number for every cluster"):
        finished(content)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"variations": {"Up": {"grids.calo.unti": 2}}}, "variations.Up: grids.calo.*unti"),
        ({"variations": {"Up": {"grids.cal.unit": 2}}}, "variations.Up: grids.cal.unit: there is no 'cal'"),
        ({"variations": {"Up": {"output.plots": True}}}, "output.plots: a variation changes keys of grids"),
        ({"variations": {"Up": {"events.weight": {"a": 2}}}}, "write events.weight.a: 2"),
        *(
            ({"variations": {"Up": {f"clusters.Jet.{key}": "x"}}}, f"a variation does not change {key}")
            for key in ("grid", "preset", "fields", "reference")
        ),
        ({"variations": {"Up": {"clusters.Jet.seed_threshold": "x"}}}, "variations.Up: clusters.Jet"),
        ({"events": {"write_variations": ["Up"]}}, "events.write_variations: no variation 'Up'"),
        ({"select": {"A": {"from": "Jte"}}}, "select.A.from: no collection or earlier view 'Jte'"),
        ({"select": {"A": {"from": "Jet", "sort": "pz"}}}, "select.A: "),
        ({"select": {"Jet": {"from": "Jet"}}}, "select.Jet: 'Jet' is a collection already"),
        ({"derive": {"Jte": {"a": "math:cos"}}}, "derive.Jte: no collection 'Jte'"),
        ({"sums": {"HT": "Jet.pz"}}, "sums.HT: "),
    ],
)
def test_what_is_wrong_is_said_before(config, sections, words):
    with pytest.raises(ConfigError, match=words):
        parse_config(config(**sections))
