"""The plain values of a job with the keys of a variation changed: what is put where, and what is refused."""

import copy
import re

import pytest

from hep_peaksum.config.variations import changed

CONTENT = {
    "grids": {
        "ecal": {
            "grid": {"unit": 0.5, "rows": {"n": 3}},
            "dense": {"branch": "cells"},
            "scale": 0.25,  # of a unit of 2 GeV
            "digests": {"noise": "123"},
        },
        "bare": {"grid": {"rows": {"n": 3}}, "dense": {"branch": "more"}, "digests": {"noise": "456"}},
    },
    "clusters": {"Jet": {"grid": ["ecal"], "settings": {"seed_threshold": 3}}},
    "references": {"Gen": {"fields": {"e": "gen_e"}}},
    "derive": {"Jet": {"cal": "mysite:cal"}},
    "select": {"Central": {"where": [{"field": "eta", "max": 1}]}},
    "events": {"weight": {"gen": "genWeight"}},
    "variations": {"Up": {}},
}


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("clusters.Jet.seed_threshold", 5, "clusters.Jet.settings.seed_threshold"),
        ("clusters.Jet.sum_window", [5, 5], "clusters.Jet.settings.sum_window"),
        ("grids.ecal.layers", "each", "grids.ecal.layers"),
        ("grids.ecal.noise", 2, "grids.ecal.noise"),
        ("grids.ecal.dense.branch", "others", "grids.ecal.dense.branch"),
        ("grids.ecal.rows", {"n": 4}, "grids.ecal.grid.rows"),
        ("grids.ecal.rows.n", 4, "grids.ecal.grid.rows.n"),
        ("grids.ecal.quantity", "et", "grids.ecal.grid.quantity"),
        ("grids.bare.unit", 3, "grids.bare.grid.unit"),
        ("grids.bare.scale", 3, "grids.bare.scale"),
        ("references.Gen.fields.e", "other", "references.Gen.fields.e"),
        ("references.Gen.where", "x", "references.Gen.where"),
        ("derive.Jet.cal", "mysite:other", "derive.Jet.cal"),
        ("select.Central.where.0.max", 2, "select.Central.where.0.max"),
        ("select.Central.where.0", {"field": "phi"}, "select.Central.where.0"),
        ("events.weight.gen", "other", "events.weight.gen"),
    ],
)
def test_a_key_is_set_where_the_models_keep_it_and_nothing_else_changes(key, value, place):
    expected = copy.deepcopy(CONTENT)
    del expected["variations"]
    *above, last = place.split(".")
    inside = expected
    for part in above:
        inside = inside[int(part) if isinstance(inside, list) else part]
    inside[int(last) if isinstance(inside, list) else last] = value
    if key.startswith("grids.") and key.count(".") == 2:
        del expected["grids"][above[1]]["digests"]  # of the maps that it had
    given = copy.deepcopy(CONTENT)
    assert changed(given, {key: value}) == expected
    assert given == CONTENT


@pytest.mark.parametrize(
    ("changes", "unit", "scale"),
    [
        ({"grids.ecal.scale": 3}, 6, 3),
        ({"grids.ecal.unit": 4}, 1, 0.25),
        ({"grids.ecal.unit": "400 MeV"}, 0.1, 0.25),
        ({"grids.ecal.scale": 3, "grids.ecal.unit": 4}, 12, 3),
        ({"grids.ecal.scale": "mysite:scale"}, 2, "mysite:scale"),
    ],
    ids=["scale", "unit", "text", "both", "function"],
)
def test_the_unit_of_a_grid_is_multiplied_by_its_scale(changes, unit, scale):
    ecal = changed(CONTENT, changes)["grids"]["ecal"]
    assert (ecal["grid"]["unit"], ecal["scale"]) == (unit, scale)


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({"scale": 3}, 2),
        ({"unit": 4}, 4),
        ({"unit": "400 MeV", "scale": 3}, 0.4),
        ({"cells": "other.csv"}, 2),
        ({"cells": None}, 0.5),
        ({"cells": None, "scale": 3}, 6),
    ],
    ids=["scale", "unit", "both", "another_table", "no_table", "no_table_and_scale"],
)
def test_with_a_cell_table_the_gains_are_scaled_and_not_the_unit(changes, unit):
    content = {"grids": {"adc": {"grid": {"unit": 2}, "scale": 0.25, "cells": "cells.csv"}}}
    adc = changed(content, {f"grids.adc.{key}": value for key, value in changes.items()})["grids"]["adc"]
    assert (adc["grid"]["unit"], adc["scale"]) == (unit, changes.get("scale", 0.25))


def test_with_a_cell_table_of_the_variation_the_unit_is_no_longer_scaled():
    ecal = changed(CONTENT, {"grids.ecal.cells": "cells.csv"})["grids"]["ecal"]
    assert (ecal["grid"]["unit"], ecal["scale"]) == (2, 0.25)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("output.directory", "a variation changes keys of grids, clusters, derive, select, references, events"),
        ("events.weight", "a variation changes one key of it at a time: write events.weight.NAME"),
        ("events.keep.0", "a variation changes keys of grids, "),
        ("clusters", "a variation changes one key of it at a time: write clusters.NAME"),
        ("clusters.Jet.grid", "a variation does not change grid: change keys of the search"),
        ("clusters.Jet.seed_treshold", "unknown key (did you mean 'seed_threshold'?)"),
        ("clusters.Jets.seed_threshold", "there is no 'Jets' to change (did you mean 'Jet'?); there are Jet"),
        ("references.Gen.fields.f", "there is no 'f' to change; there are e"),
        ("derive.Jet.call", "there is no 'call' to change (did you mean 'cal'?); there are cal"),
        ("events.weight.gem", "there is no 'gem' to change (did you mean 'gen'?); there are gen"),
        ("select.Central.where.1", "there is no '1' to change; there are 0 to 0"),
        ("select.Central.where.0.max.x", "there is no 'x' to change in 1"),
    ],
)
def test_what_cannot_be_changed_is_one_line(key, problem):
    with pytest.raises(ValueError, match=re.escape(f"{key}: {problem}")):
        changed(CONTENT, {key: 3})


@pytest.mark.parametrize("key", ["grids", "grids.ecal"])
def test_maps_in_one_another_are_told_the_dotted_key(key):
    nested = {"scale": 1.03} if "." in key else {"ecal": {"scale": 1.03}}
    remedy = "a variation changes one key of it at a time: write grids.ecal.scale: 1.03"
    with pytest.raises(ValueError, match=re.escape(f"{key}: {remedy}")):
        changed(CONTENT, {key: nested})
