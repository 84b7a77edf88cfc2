"""What is wrong in the sections that select, vary, match and measure: one line, with place and remedy."""

import copy

import pytest

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError

CONFIG = {
    "datasets": {"data": {"files": "d.root"}, "mc": {"files": "m.root"}},
    "events": {
        "where": [{"branch": "x", "min": 1}, {"field": "nCentral", "min": 1}],
        "weight": {"gen": {"source": "genWeight", "datasets": ["mc"]}, "flat": 2},
    },
    "grids": {
        "calo": {
            "dense": {"branch": "cells", "shape": [4, 4]},
            "rows": {"name": "eta", "bins": 4, "start": -2, "stop": 2},
            "cols": {"name": "phi", "bins": 4, "start": "-pi", "stop": "pi", "periodic": True},
            "unit": 1,
        }
    },
    "clusters": {"Jet": {"grid": "calo", "seed_threshold": "1 GeV"}},
    "derive": {"Jet": {"cal": {"correctionlib": "jec.json", "name": "L1", "inputs": ["eta", "pt"]}}},
    "select": {"Central": {"from": "Jet", "where": [{"field": "cal", "min": 5}]}},
    "sums": {"HT": "Central.cal"},
    "variations": {"Up": {"grids.calo.scale": 1.1}, "Flat": {"events.weight.flat": 3}},
    "references": {
        "Gen": {"eta": "g_eta", "phi": "g_phi", "fields": {"pt": "g_pt"}, "datasets": ["mc"]},
        "Met": {"scalar": "met"},
    },
    "matches": {"Near": {"clusters": "Central", "reference": "Gen", "by": "delta_r", "within": 0.4}},
    "measurements": {
        "turn_on": {
            "efficiency": "Near",
            "axis": {"field": "Gen.pt", "bins": 4, "start": 0, "stop": 80},
            "pass": {"field": "Central.cal", "thresholds": [8]},
            "datasets": ["mc"],
        },
        "rate": {"rate": "HT", "axis": {"bins": 4, "start": 0, "stop": 80}, "crossing_rate": "1 MHz"},
    },
    "output": {"directory": "results"},
}


def changed(changes):
    """Return the content of the config with keys changed, or left out where the value is None."""
    content = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        *above, last = key.split(".")
        place = content
        for part in above:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if value is None:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
    return content


def test_the_config_is_valid():
    parse_config(CONFIG)


MISTAKES = {
    "events.where.0": (
        {"branchh": "x", "min": 1},
        "events.where.0.branchh: unknown key (did you mean 'branch'?)",
    ),
    "events.where.1.field": (
        "nCentrall",
        (
            "events.where.1.field: 'nCentrall' is neither a sum, nor nCollection, nor Collection.field "
            "(did you mean 'nCentral'?); there are HT, nJet, nCentral"
        ),
    ),
    "events.where.0.datasets": (
        ["dta"],
        "events.where.0.datasets: no dataset 'dta' (did you mean 'data'?); there are data, mc",
    ),
    "events.weight.gen.datasets": (
        ["mcc"],
        "events.weight.gen.datasets: no dataset 'mcc' (did you mean 'mc'?); there are data, mc",
    ),
    "derive.Central": (
        {"more": "mysite:more"},
        "derive.Central: no collection 'Central': derive it for 'Jet'",
    ),
    "derive.Jte": ({"more": "mysite:more"}, "derive.Jte: no collection 'Jte' (did you mean 'Jet'?)"),
    "derive.Jet.seed": ("mysite:seed", "derive.Jet.seed: 'seed' is a field already: choose another name"),
    "derive.Jet.mass": (
        "mysite:mass",
        "derive.Jet.mass: 'mass' is a coordinate of four-vectors: choose another name",
    ),
    "derive.Jet.cal.name": (
        None,
        "derive.Jet.cal: correctionlib needs the name of the correction and its inputs: add them",
    ),
    "select.Central.where.0.min": (
        "5 Gev",
        (
            "select.Central.where.0.min: '5 Gev' is not an energy (did you mean 'GeV'?): write a number and "
            "one of eV, keV, MeV, GeV, TeV, as in '4 GeV'"
        ),
    ),
    "select.Central.from": (
        "Jets",
        "select.Central.from: no collection or earlier view 'Jets' (did you mean 'Jet'?); there are Jet",
    ),
    "sums.weight": ("Central.cal", "sums.weight: 'weight' is the name of something else: choose another name"),
    "variations.nominal": (
        {"grids.calo.scale": 2},
        "variations.nominal: this is the name of what is not varied: choose another",
    ),
    "variations.Flat": (
        {"events.weight.flt": 3},
        (
            "variations.Flat: events.weight.flt: there is no 'flt' to change (did you mean 'flat'?); "
            "there are gen, flat"
        ),
    ),
    "variations.Up": (
        {"select.Central.where.2": {"field": "cal", "min": 3}},
        "variations.Up: select.Central.where.2: there is no '2' to change; there are 0 to 0",
    ),
    "references.Gen.phi": (None, "references.Gen: give one of row and col, eta and phi, x and y, or scalar"),
    "references.Emu": (
        {"row": "e_row", "col": "e_col", "grid": "cal"},
        "references.Emu.grid: no grid 'cal' (did you mean 'calo'?)",
    ),
    **{
        f"references.{name}": (
            {"scalar": "ht"},
            f"references.{name}: {name!r} is a collection already: choose another name",
        )
        for name in ("Jet", "Central")
    },
    "matches.Near.reference": (
        "Gem",
        "matches.Near.reference: no reference 'Gem' (did you mean 'Gen'?); there are Gen, Met",
    ),
    "matches.Same": (
        {"clusters": "Central", "reference": "Gen", "by": "cell"},
        "matches.Same.by: cell needs row and col, and 'Gen' has eta and phi: write by: delta_r",
    ),
    "matches.Far": (
        {"clusters": "Central", "reference": "Met", "by": "delta_r", "within": 0.4},
        (
            "matches.Far.by: delta_r needs eta and phi, and 'Met' has one number per event: "
            "name objects with a place"
        ),
    ),
    "measurements.turn_on.efficiency": (
        "Naer",
        "measurements.turn_on.efficiency: no match 'Naer' (did you mean 'Near'?); there are Near",
    ),
    "measurements.turn_on.axis.field": (
        "Gen.ptt",
        (
            "measurements.turn_on.axis.field: 'Gen' has no field 'ptt' (did you mean 'pt'?); "
            "there are eta, phi, pt"
        ),
    ),
    "measurements.turn_on.pass.field": (
        "Jet.cal",
        (
            "measurements.turn_on.pass.field: 'Jet.cal' is no field of 'Central', the clusters of 'Near': "
            "write Central.FIELD"
        ),
    ),
    "matches.Near.clusters": (
        "Centrl",
        "matches.Near.clusters: no collection 'Centrl' (did you mean 'Central'?); there are Jet, Central",
    ),
    "matches.Near.within": (None, "matches.Near: by delta_r needs within: add it"),
    "measurements.turn_on.datasets": (
        None,
        (
            "measurements.turn_on: data has no 'Gen', by references.Gen.datasets: "
            "name the datasets to be measured in datasets"
        ),
    ),
    "measurements.turn_on.axis.bins": (
        None,
        "measurements.turn_on.axis: bins, start and stop belong together: give all three",
    ),
    "measurements.turn_on.pass.thresholds": (
        ["8 GeV"],
        "measurements.turn_on.pass.thresholds.0: '8 GeV' is not a number: write 8, without a unit",
    ),
    "measurements.rate.crossing_rate": (
        "1",
        (
            "measurements.rate.crossing_rate: '1' is not a frequency: write a number and one of Hz, kHz, MHz, "
            "as in '11245.5 Hz'"
        ),
    ),
    "measurements.scaling": (
        {"scaling": "turn_on", "rate": "rates"},
        "measurements.scaling.rate: no rate 'rates' (did you mean 'rate'?)",
    ),
}


JET = {"grid": "calo", "seed_threshold": 1}
PT = {"axes": [{"field": "Jet.pt", "bins": 2, "start": 0, "stop": 9}]}
RATE = CONFIG["measurements"]["rate"]
HIDDEN = [
    (
        "events.keep",
        [{"weight": "x"}],
        "events.keep: 'x' would be the column 'weight', which holds the weight of",
    ),
    (
        "events.keep",
        [{"pass_Up": "x"}],
        "events.keep: 'x' would be the column 'pass_Up', which says which events",
    ),
    ("events.keep", [{"JetUp_a": "x"}], "events.keep: 'x' would be 'JetUp_a', a column of 'JetUp'"),
    ("clusters.weight", JET, "clusters.weight: 'weight' is a column that holds the weight of events"),
    ("clusters.JetUp", JET, "clusters.Jet: in the variation 'Up' its columns would be those of 'JetUp'"),
    ("sums.pass_Up", "Jet.pt", "sums.pass_Up: 'pass_Up' is the name of something else"),
    ("sums.Jet_x", "Jet.pt", "sums.Jet_x: 'Jet_x' is the name of something else"),
    ("sums.nJetUp", "Jet.pt", "sums.nJetUp: 'nJetUp' is the name of something else"),
    ("sums.nCentral", "Jet.pt", "sums.nCentral: 'nCentral' is the name of something else"),
    ("sums.variation", "Jet.pt", "sums.variation: 'variation' is an axis of histograms already: choose"),
    ("sums.threshold", "Jet.pt", "sums.threshold: 'threshold' is an axis of histograms already: choose"),
    ("references.threshold", {"scalar": "met"}, "references.threshold: 'threshold' is an axis of histograms"),
    ("derive.Jet.NearIdx", "mysite:x", "derive.Jet.NearIdx: 'NearIdx' is a field that a match writes"),
    ("histograms", {"cutflow": PT}, "histograms.cutflow: 'cutflow' is a name of the cut flow, too"),
    ("histograms", {"a": PT, "a_Up": PT}, "histograms.a_Up: 'a_Up' is a name of histograms.a, too"),
    ("histograms", {"rate": PT}, "measurements.rate: 'rate' is a name of histograms.rate, too"),
    (
        "histograms",
        {"rate_negative": PT},
        "measurements.rate: 'rate_negative' is a name of histograms.rate_neg",
    ),
    (
        "measurements.cutflow_entries",
        RATE,
        "measurements.cutflow_entries: 'cutflow_entries' is a name of the cut",
    ),
    (
        "measurements.turn_on_8",
        RATE,
        "measurements.turn_on_8: 'turn_on_8' is a name of measurements.turn_on, too",
    ),
    (
        "measurements.s_rate",
        {"scaling": "turn_on"},
        "measurements.s_rate: 's_rate' is a name of measurements.s, ",
    ),
    (
        "variations.negative",
        {"events.weight.flat": 2},
        "measurements.turn_on: 'turn_on_negative' is a name of m",
    ),
]


@pytest.mark.parametrize(("key", "value", "line"), HIDDEN, ids=[line.split(":")[0] for *_, line in HIDDEN])
def test_what_would_hide_behind_the_name_of_something_else_is_refused(key, value, line):
    more = {"measurements.s": {"scaling": "turn_on", "rate": "rate"}} if "s_rate" in key else {}
    with pytest.raises(ConfigError) as error:
        parse_config(changed({**more, "events.write_variations": ["Up"], key: value}))
    assert str(error.value).splitlines()[0].startswith(line)
    assert str(error.value).splitlines()[0].endswith(("choose another name", "{NAME: x}"))


@pytest.mark.parametrize("key", MISTAKES)
def test_a_mistake_is_one_line_also_where_there_are_variations(key):
    value, line = MISTAKES[key]
    with pytest.raises(ConfigError) as error:
        parse_config(changed({key: value}))
    assert str(error.value).splitlines()[0] == line
    if (
        "Central" not in key.split(".")[:2] or key == "derive.Central"
    ):  # else what uses its fields is wrong, too
        assert len(str(error.value).splitlines()) == 1


def test_a_field_that_is_derived_later_is_no_input():
    content = changed({"derive.Jet.cal.inputs": ["eta", "late"], "derive.Jet.late": "mysite:late"})
    with pytest.raises(ConfigError, match=r"derive.Jet.cal.inputs: 'late' is derived after it: move it up$"):
        parse_config(content)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"select.Central.where.0": {"field": "cal", "min": 7}}, "min"),
        ({"select.Central.where.0.min": 7}, "min"),
    ],
)
def test_a_variation_changes_an_entry_of_a_list(change, field):
    varied = parse_config(changed({"variations.Up": change})).varied("Up")
    assert getattr(varied.select["Central"].where[0], field) == 7
    window = parse_config(
        changed({"clusters.Jet.sum_window": [3, 3], "variations.Up": {"clusters.Jet.sum_window.0": 5}})
    )
    assert window.varied("Up").clusters["Jet"].settings.sum_window == (5, 3)


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"clusters.Jet.coarsen": [2, 1]}, "of towers, not of cells"),
        ({"references.Emu.grid": "other"}, "on grid calo"),
        ({"clusters.Jet.grid": ["calo", "other"]}, "on grid calo, other"),
        ({}, None),
    ],
    ids=["towers", "another_grid", "several_grids", "the_same_cells"],
)
def test_cells_are_compared_on_one_grid(changes, given):
    content = changed(
        {
            "grids.other": CONFIG["grids"]["calo"],
            "references.Emu": {"row": "e_eta", "col": "e_phi", "grid": "calo"},
            "matches.Same": {"clusters": "Central", "reference": "Emu", "by": "cell"},
        }
    )
    for key, value in changes.items():
        section, name, last = key.split(".")
        content[section][name] = {**content[section][name], last: value}
    lines = []
    try:
        parse_config(content)
    except ConfigError as error:
        lines = str(error).splitlines()
    grid = content["references"]["Emu"]["grid"]
    line = f"matches.Same.by: 'Central' is {given}, and 'Emu' is on grid {grid!r}: match by delta_r or distance"
    assert lines == ([] if given is None else [line])
