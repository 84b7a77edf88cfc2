"""What fills a grid of hits, as it is written in a config: every way to write it, and every mistake."""

import awkward as ak
import numpy as np
import pytest
from small_config import problems, small

from hep_peaksum.config.load import parse_config
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hits import HitCondition, passing

PLAIN = {"row": "ieta", "col": "iphi", "value": "et"}
PLANE = {"rows": {"n": 4}, "cols": {"n": 6}}
ENCODING = "system:8,layer:8:5,eta:-8"


def grid(hits=None, **keys):
    return {"hits": {**PLAIN, **(hits or {})}, **PLANE, **keys}


READ = {
    "three_branches": ({"row": {"eta": ["x", "y", "z"]}}, ["x", "y", "z"]),
    "a_vector": ({"row": {"eta": "Hits.position"}}, [f"Hits.position.{word}" for word in "xyz"]),
    "a_vector_in_a_list": ({"row": {"rho": ["Hits.position"]}}, [f"Hits.position.{word}" for word in "xy"]),
    "an_azimuth_needs_no_z": ({"row": {"phi": ["x", "y", "z"]}}, ["x", "y"]),
    "a_shifted_polar_angle": ({"row": {"theta": ["x", "y", "z"], "origin": [0, 0, 7.5]}}, ["x", "y", "z"]),
    "bits": ({"row": {"bits": "id", "first": 17, "last": 22}}, ["id"]),
    "a_field": ({"row": {"bits": "id", "field": "eta", "encoding": ENCODING}}, ["id"]),
    "a_branch_in_a_map": ({"row": {"branch": "ieta"}}, ["ieta"]),
}


@pytest.mark.parametrize(("hits", "branches"), READ.values(), ids=READ)
def test_a_place_names_the_branches_that_are_read(hits, branches):
    source = GridInput.model_validate(grid(hits))
    assert source.branches == (*branches, "iphi", "et")
    key = "row" if "branch" in hits["row"] else f"row.{next(iter(hits['row']))}"
    named = [*((f"grids.g.hits.{key}", branch) for branch in branches), ("grids.g.hits.col", "iphi")]
    assert list(source.branch_keys("grids.g")) == [*named, ("grids.g.hits.value", "et")]


@pytest.mark.parametrize(
    ("value", "branches"),
    [
        ({"et": ["E", "x", "y", "z"]}, ("E", "x", "y", "z")),
        ({"et": ["E", "pos"]}, ("E", "pos.x", "pos.y", "pos.z")),
        (1, ()),
        (0.5, ()),
    ],
)
def test_a_value_is_an_energy_made_of_branches_or_a_number(value, branches):
    source = GridInput.model_validate(grid({"value": value}))
    assert source.branches == ("ieta", "iphi", *branches)
    assert source.value_branch is None


WHERE = [{"branch": "section", "equals": 0}, {"branch": "noise", "equals": False}, {"branch": "t", "max": 9}]


@pytest.mark.parametrize("hits", [*(hits for hits, _ in READ.values()), {"value": 1}])
def test_a_grid_of_hits_is_written_and_read_again_as_the_same(hits):
    source = GridInput.model_validate(grid(hits, where=WHERE))
    written = source.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert GridInput.model_validate(written) == source
    assert written["hits"]["col"] == "iphi", "a branch stays a word"


def test_conditions_name_their_branches():
    source = GridInput.model_validate(grid(where=WHERE))
    assert source.branches == ("ieta", "iphi", "et", "section", "noise", "t")
    assert list(source.branch_keys("g"))[3:] == [
        (f"g.where.{n}.branch", name) for n, name in enumerate(("section", "noise", "t"))
    ]


def test_a_hit_has_to_meet_every_condition():
    source = GridInput.model_validate(grid(where=WHERE))
    columns = {
        "section": ak.Array([[0, 1, 0], [], [0, 0]]),
        "noise": ak.Array([[False, False, True], [], [False, False]]),
        "t": ak.Array([[9, 3, 3], [], [10, -1]]),
    }
    hits = {"et": ak.Array([[1, 2, 3], [], [4, 5]])}
    assert passing(hits, source.where, columns)["et"].to_list() == [[1], [], [5]]


def test_hits_of_other_numbers_are_named_also_where_some_are_chosen():
    source = GridInput.model_validate(grid(where=WHERE[:1]))
    hits = {"row": ak.Array([[1, 2], [3]]), "value": ak.Array([[1, 2], [3, 4]])}
    with pytest.raises(EventError, match=r"^event 1: 2 values of value for 1 of row$"):
        passing(hits, source.where, {"section": ak.Array([[0, 0], [0]])})


def test_a_condition_on_events_is_told_where_it_belongs():
    source = GridInput.model_validate(grid(where=[{"branch": "event", "max": 5}]))
    problem = "^event has one number for every event, .*: conditions on events are those of events.where$"
    with pytest.raises(ValueError, match=problem):
        passing({"row": ak.Array([[1, 2], [3]])}, source.where, {"event": ak.Array([0, 1])})


LATTICE = {"hexagons": {"pitch": 8.34, "origin": [1, 2]}}


@pytest.mark.parametrize(
    ("hexagon", "branches"),
    [(["x", "y"], ("x", "y")), ("Hits.position", ("Hits.position.x", "Hits.position.y"))],
)
def test_a_hexagon_is_in_place_of_row_and_col(hexagon, branches):
    source = GridInput.model_validate({"hits": {"hexagon": hexagon, "value": "et"}, **PLANE, **LATTICE})
    assert source.branches == (*branches, "et")
    named = [*(("g.hits.hexagon", branch) for branch in branches), ("g.hits.value", "et")]
    assert list(source.branch_keys("g")) == named
    written = source.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert GridInput.model_validate(written) == source


@pytest.mark.parametrize(
    ("hits", "keys", "problem"),
    [
        (
            {"hexagon": ["x", "y"], "row": "q"},
            LATTICE,
            ".hits: give row and col, or hexagon or channel alone; here: row, hex",
        ),
        ({"row": "q"}, LATTICE, ".hits: give row and col, or hexagon or channel alone; here: row"),
        ({}, LATTICE, ".hits: give row and col, or hexagon or channel alone; here: none of them"),
        ({"hexagon": ["x", "y", "z"]}, LATTICE, ".hits.hexagon: x, y, z given, expected the branches [x, y]"),
        (
            {"hexagon": ["x", "y"]},
            {},
            ".hexagons: missing, hits are placed by hexagon: give the lattice, as in",
        ),
        ({"hexagon": "p"}, {"hexagons": {"pitch": -1}}, ".hexagons.pitch: -1 is not above 0"),
        ({"hexagon": "p"}, {"hexagons": {"pith": 1}}, ".hexagons.pith: unknown key (did you mean 'pitch'?)"),
    ],
)
def test_a_mistake_about_hexagons_is_one_line(hits, keys, problem):
    (line,) = problems({**small(), "grids": {"calo": {"hits": {**hits, "value": "et"}, **PLANE, **keys}}})
    assert line.startswith(f"grids.calo{problem}")


def test_a_condition_on_bits_is_on_the_number_in_them():
    ids = np.array([0b1011_01, 0b0011_10, -4], np.int32)
    assert HitCondition(branch="id", first=2, last=5, equals=0b1011).passes(ids).tolist() == [
        True,
        False,
        False,
    ]
    assert HitCondition(branch="id", first=2, last=31, equals=2**30 - 1).passes(ids).tolist() == [
        False,
        False,
        True,
    ]


VALUES = np.array([-3, -2, 0, 2, 3], "f4")


@pytest.mark.parametrize(
    ("condition", "passing"),
    [
        ({"equals": 2}, [2]),
        ({"in": [2, -3, 8]}, [-3, 2]),
        ({"not_in": [2, 0]}, [-3, -2, 3]),
        ({"not_in": []}, [-3, -2, 0, 2, 3]),
        ({"min": -2, "max": 2}, [-2, 0, 2]),
        ({"above": -2, "below": 2}, [0]),
        ({"abs_max": 2}, [-2, 0, 2]),
        ({"abs_min": 2, "max": 2}, [-3, -2, 2]),
    ],
)
def test_every_comparison_holds_its_ends_as_it_says(condition, passing):
    assert VALUES[HitCondition(branch="t", **condition).passes(VALUES)].tolist() == passing


def test_a_condition_is_compared_in_the_type_of_the_branch():
    values = np.array([0.1, 0.2], "f4")
    for condition in ({"equals": 0.1}, {"in": [0.1]}, {"max": 0.1}):
        assert HitCondition(branch="t", **condition).passes(values).tolist() == [True, False]
    flags = np.array([True, False])
    assert HitCondition(branch="t", equals=False).passes(flags).tolist() == [False, True]
    large = np.array([2**64 - 1, 1], np.uint64)
    assert HitCondition(branch="t", equals=2**64 - 1).passes(large).tolist() == [True, False]
    assert HitCondition(branch="t", min=-1).passes(large).tolist() == [True, True]


MISTAKES = {
    "no_way": ({"row": {"origin": [0, 0, 0]}}, "row: give one of branch, eta, theta, phi, r, rho, et, bits,"),
    "two_ways": ({"row": {"eta": "p", "phi": "p"}}, "row: give one of branch, eta, "),
    "two_of_three": ({"row": {"eta": ["x", "y"]}}, "row.eta: x, y given, expected the branches [x, y, z]"),
    "four_of_three": ({"row": {"r": list("xyzt")}}, "row.r: x, y, z, t given, expected the branches [x, y, z]"),
    "no_energy": (
        {"value": {"et": ["x", "y", "z"]}},
        "value.et: x, y, z given, expected the branches [E, x, y",
    ),
    "a_value_as_a_place": (
        {"row": {"et": ["E", "p"]}},
        "row: et gives a value and no place: give one of branch",
    ),
    "a_number_as_a_place": ({"row": 1}, "row: number gives a value and no place"),
    "a_place_as_a_value": ({"value": {"rho": "p"}}, "value: rho gives no value: give one of branch, et, bits"),
    "a_number_as_a_time": ({"time": {"eta": "p"}}, "time: eta gives no time: give one of branch, bits"),
    "origin_of_a_branch": ({"row": {"branch": "a", "origin": [0, 0, 0]}}, "row.origin: branch has no origin"),
    "a_short_origin": ({"row": {"eta": "p", "origin": [0, 0]}}, "row.origin"),
    "half_of_the_bits": (
        {"row": {"bits": "id", "first": 3}},
        "row: bits need first and last, or field and enc",
    ),
    "bits_in_both_ways": (
        {"row": {"bits": "id", "first": 3, "last": 4, "field": "a"}},
        "row: bits need first and last, or field and encoding; here: first, last, field",
    ),
    "bits_backwards": ({"row": {"bits": "id", "first": 4, "last": 3}}, "row.last: bit 3 is below the first, 4"),
    "too_high_a_bit": (
        {"row": {"bits": "id", "first": 4, "last": 64}},
        "row.last: 64 is above 63, the largest",
    ),
    "bits_of_nothing": ({"row": {"branch": "a", "first": 4, "last": 6}}, "row.first: only bits have it"),
    "another_field": (
        {"row": {"bits": "id", "field": "etta", "encoding": ENCODING}},
        "row.field: no field 'etta' (did you mean 'eta'?) in 'system:8,layer:8:5,eta:-8'; there are system,",
    ),
    "a_bad_encoding": (
        {"row": {"bits": "id", "field": "eta", "encoding": "system;8"}},
        "row.encoding: 'system;8' is not a field of an encoding: write name:width or name:first:width",
    ),
    "one_number_joined": (
        {"row": {"join": ["a"]}},
        "row.join: 1 numbers given, expected 2 to 4: name one alone",
    ),
    "a_joined_coordinate": ({"row": {"join": ["a", {"eta": "p"}]}}, "row.join.1.eta: unknown key"),
    "joined_bits_of_nothing": (
        {"row": {"join": ["a", {"bits": "id"}]}},
        "row.join.1: bits need first and last",
    ),
    "an_unknown_key": ({"row": {"etta": "p"}}, "row.etta: unknown key (did you mean 'eta'?)"),
    "layers_without_depth": ({"layer": "l"}, "depth: missing, hits have a layer: give the axis of the layers"),
}


@pytest.mark.parametrize(("hits", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_key_and_remedy(hits, problem):
    place = "grids.calo" if problem.startswith("depth") else "grids.calo.hits"
    (line, *others) = problems({**small(), "grids": {"calo": grid(hits)}})
    assert line.startswith(f"{place}.{problem}")
    assert not others


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"where": [{"branch": "t"}]}, "grids.calo.where.0: 't' is compared with nothing: give one or more of"),
        ({"where": [{"branch": "t", "equals": "x"}]}, "grids.calo.where.0.equals: 'x' is neither a number nor"),
        (
            {"where": [{"branch": "t", "first": 2, "min": 2}]},
            "grids.calo.where.0: the bits of 't' that are looked",
        ),
        (
            {"where": [{"branch": "t", "first": 2, "last": 1, "min": 2}]},
            "grids.calo.where.0.last: bit 1 is below",
        ),
        ({"where": [{"branch": "t", "minimum": 2}]}, "grids.calo.where.0.minimum: unknown key"),
        ({"depth": {"n": 3}}, "grids.calo.depth: the axis of the layers of hits, and the hits have no layer"),
        ({"where": [{"branch": "ev:t", "min": 2}]}, "grids.calo.where.0.branch: 'ev:t': no friend 'ev'"),
    ],
)
def test_a_mistake_beside_the_hits_is_one_line_too(keys, problem):
    (line,) = problems({**small(), "grids": {"calo": grid(**keys)}})
    assert line.startswith(problem)


def test_a_dense_branch_has_no_hits_for_conditions():
    (line,) = problems(small(f"grids.calo.where={WHERE}"))
    assert line.startswith("grids.calo.where: conditions are on hits, and a dense branch has none")


def test_a_function_of_the_user_stands_for_the_hits():
    config = parse_config({**small(), "grids": {"calo": {"hits": "mysite:hits", **PLANE}}})
    assert config.grids["calo"].branches == ()
    assert config.job()["grids"]["calo"]["hits"] == "mysite:hits"
    (line,) = problems({**small(), "grids": {"calo": {"hits": "mysite.hits", **PLANE}}})
    assert line == "grids.calo.hits: 'mysite.hits' is not a function written as module:function"


def test_times_are_given_before_they_are_asked_for():
    content = {**small(), "grids": {"calo": grid()}, "clusters": {"Jet": {"grid": "calo", "fields": ["time"]}}}
    (line,) = problems(content)
    assert (
        line
        == "clusters.Jet.fields: field 'time' needs the time of hits, and grid 'calo' has none: give hits.time"
    )
    content["grids"]["calo"]["hits"]["time"] = "t"
    assert parse_config(content).grids["calo"].branches == ("ieta", "iphi", "et", "t")


NUMBERS = ak.Array([[1, 3, 2], [], [4]])


@pytest.mark.parametrize(
    ("hits", "word"),
    [
        ({"row": "row", "col": "b", "value": "e"}, "row"),
        ({"row": "b", "col": "row", "value": "e"}, "col"),
        ({"channel": "channel", "value": "e"}, "channel"),
    ],
)
def test_a_condition_on_a_branch_with_the_name_of_a_word(hits, word, tmp_path):
    table = tmp_path / "cells.csv"
    table.write_text("channel,row,col\n1,0,0\n")
    cells = {"cells": str(table)} if "channel" in hits else PLANE
    branch = hits[word]
    source = GridInput.model_validate({"hits": hits, "where": [{"branch": branch, "min": 2}], **cells})
    columns = {name: NUMBERS if name == branch else NUMBERS * 10 for name in source.branches}
    found = source.hit_columns(columns, {})
    assert found[word].to_list() == [[3, 2], [], [4]]
    assert found["value"].to_list() == [[30, 20], [], [40]]


def test_several_integers_are_one_label():
    """Ids of 2 bits for the cell, which may be below 0, and 2 for the module."""
    bits = {"bits": "id", "field": "cell", "encoding": {"from_file": "Hits"}}
    source = GridInput.model_validate(
        grid({"row": {"join": ["module", bits, {"bits": "id", "first": 2, "last": 3}]}})
    )
    assert source.branches == ("module", "id", "iphi", "et")
    assert source.collections == ("Hits",)
    columns = dict.fromkeys(source.branches, NUMBERS) | {
        "id": ak.Array([[0b0111, 0b1001, 0b0000], [], [0b0110]])
    }
    found = source.hit_columns(columns, {"Hits": "cell:-2,module:2"})
    assert found["row"].to_list() == [
        [100000000 - 10000 + 1, 300000000 + 10000 + 2, 200000000],
        [],
        [400000000 - 20000 + 1],
    ]
    read_again = GridInput.model_validate(source.model_dump(exclude_unset=True, mode="json"))
    assert read_again.hits == source.hits


def test_a_branch_may_be_two_coordinates():
    source = GridInput.model_validate(
        grid({"row": {"rho": ["x", "x"]}, "col": "x", "value": {"et": [*"xxxx"]}})
    )
    found = source.hit_columns({"x": NUMBERS}, {})
    assert source.branches == ("x",)
    assert ak.all(ak.isclose(found["row"], 2**0.5 * NUMBERS))
    assert ak.all(ak.isclose(found["value"], (2 / 3) ** 0.5 * NUMBERS))


@pytest.mark.parametrize("position", [["x", "x"], ["layer", "x"]])
def test_a_branch_may_be_both_coordinates_of_hexagons_or_be_named_as_the_layer(position):
    hits = {"hexagon": position, "layer": "l", "value": 1}
    source = GridInput.model_validate({"hits": hits, **PLANE, "hexagons": {}, "depth": {"n": 5}})
    found = source.hit_columns({"x": NUMBERS, "layer": NUMBERS, "l": NUMBERS - 1}, {})
    hits["hexagon"] = ["a", "b"]
    expected = GridInput.model_validate({"hits": hits, **PLANE, "hexagons": {}, "depth": {"n": 5}})
    expected = expected.hit_columns({"a": NUMBERS, "b": NUMBERS, "l": NUMBERS - 1}, {})
    assert {word: each.to_list() for word, each in found.items()} == {
        word: each.to_list() for word, each in expected.items()
    }


@pytest.mark.parametrize(
    ("branches", "problem"),
    [
        ("E{3..1}", "'E{3..1}': {3..1} is not a range of branches: write the first number, then the last"),
        (
            "E{0..999}_{0..999}",
            "'E{0..999}_{0..999}' names 1000000 branches, more than 100000: is there a digit",
        ),
    ],
)
def test_a_range_of_branches_rises_and_has_an_end(branches, problem):
    calo = {"dense": {"branches": branches}, "rows": {"n": 1}, "cols": {"n": 3}}
    (line,) = problems({**small(), "grids": {"calo": calo}})
    assert line.startswith(f"grids.calo.dense.branches: {problem}")
