"""`check` tries conditions, weights, references and derived fields on the first entries, as `run` would."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import run
from hep_peaksum.preview.check import check_inputs, reference_places


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "events.root"
    with uproot.recreate(path) as file:
        cells = np.arange(240.0).reshape(10, 24)
        file["Events"] = {"cells": cells, "x": np.arange(10.0), "word": np.arange(10)}
    return {
        "datasets": {"a": {"files": {str(path): "Events"}}},
        "grids": {"calo": {"dense": {"branch": "cells", "shape": [4, 6]}}},
        "clusters": {"Jet": {"grid": "calo"}},
        "output": {"directory": str(tmp_path / "results")},
    }


def raises(_):
    """Return what no cluster has."""
    return np.zeros(3)


def looks_up(_):
    """Fail as a function of the user may."""
    msg = "no such trigger"
    raise KeyError(msg)


LINE = looks_up.__code__.co_firstlineno + 3


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"events": {"where": [{"branch": "xx", "min": 1}]}}, "events.where.0.branch: .*no branch 'xx'"),
        (
            {"events": {"where": [{"branch": "cells", "min": 1}]}},
            "^events.where.0: .*'cells' has several",
        ),
        ({"events": {"where": ["nowhere:f"]}}, "events.where.0: nowhere:f cannot be imported"),
        (
            {"events": {"weight": {"w": "cells"}}},
            "^events.weight.w: .*: 'cells' has several values for every e",
        ),
        ({"references": {"R": {"x": "x", "y": "word"}}}, "^references.R: .*'x' has 0 axes below the event"),
        ({"derive": {"Jet": {"a": f"{__name__}:raises"}}}, r"^derive\.Jet\.a: "),
        (
            {"derive": {"Jet": {"a": f"{__name__}:looks_up"}}},
            rf":looks_up failed in line {LINE} \(KeyError: 'no such trigger'\): the clusters have ",
        ),
        (
            {"events": {"where": [f"{__name__}:looks_up"]}},
            f"^events.where.0: .*:looks_up failed in line {LINE} .KeyError: 'no such trigger'.: the events ",
        ),
        (
            {"events": {"keep": "x, word"}},
            "no branch 'x, word': for several branches write a list, .x, word.",
        ),
        (
            {"events": {"weight": {"w": "x * 2"}}},
            "no branch 'x . 2': it is an expression, and a branch is",
        ),
        (
            {"events": {"weight": {"w": "1 / 500"}}},
            "no branch '1 / 500': it is an expression of numbers: write the number",
        ),
        ({"events": {"weight": {"w": "e1"}}}, r"no branch 'e1'; there are"),
    ],
)
def test_what_run_would_refuse_is_a_problem_once(content, sections, words):
    with pytest.raises(ConfigError, match=words) as raised:
        check_inputs(parse_config({**content, **sections}))
    assert len(raised.value.problems) == 1


def test_what_is_wrong_in_several_datasets_is_told_once(content):
    content["datasets"] |= {name: {**content["datasets"]["a"], "allow_duplicates": True} for name in "bc"}
    content["events"] = {"keep": ["y"]}
    with pytest.raises(ConfigError) as raised:
        check_inputs(parse_config(content))
    (problem,) = raised.value.problems
    assert "events.root (and the first files of 2 more datasets): no branch 'y'" in problem


def test_a_branch_that_one_dataset_lacks_is_told_with_the_key_for_the_others(content, write_root):
    content["datasets"]["b"] = {"files": {write_root("b.root", {"Events": {"y": [1]}}): "Events"}}
    content["events"] = {"weight": {"w": "x"}}
    with pytest.raises(ConfigError) as raised:
        check_inputs(parse_config(content))
    (problem,) = (each for each in raised.value.problems if each.startswith("events.weight"))
    assert problem.endswith(": name the datasets that have it in events.weight.w.datasets")


def test_measurements_are_filled_with_the_first_events(content, monkeypatch):
    """What is wrong with them was an error of the first chunk."""

    def fail(*_):
        msg = "not to be filled"
        raise IndexError(msg)

    monkeypatch.setattr("hep_peaksum.measuring.filling.fill", fail)
    rate = {"rate": "nJet", "axis": {"bins": 2, "start": 0, "stop": 9}, "crossing_rate": 1}
    content |= {"measurements": {"rate": rate}, "events": {"where": [{"branch": "x", "min": 3}]}}
    with pytest.raises(ConfigError, match=r"events\.root: IndexError: not to be filled$"):
        check_inputs(parse_config(content))


def test_a_response_to_a_number_of_its_dataset_is_filled(content):
    axis = {"bins": 2, "start": 0, "stop": 9}
    beam = {"response": "leading", "of": "Jet.seed", "to": "dataset.energy", "ratio_axis": axis}
    content["datasets"]["a"]["metadata"] = {"energy": 10}
    content |= {"measurements": {"beam": beam}, "variations": {"Up": {"clusters.Jet.seed_threshold": 1}}}
    assert check_inputs(parse_config(content)).missing == []


@pytest.mark.parametrize("place", ["results", "results/deeper"])
def test_results_that_could_not_be_written_are_refused(content, tmp_path, place):
    (tmp_path / "results").touch()
    content["output"]["directory"] = str(tmp_path / place)
    with pytest.raises(ConfigError, match=r"^output.directory: .*: name another directory$"):
        check_inputs(parse_config(content))
    content["output"]["directory"] = str(tmp_path / ("r" * 256))
    with pytest.raises(ConfigError, match=r"cannot be written \(File name too long\): name another directory$"):
        check_inputs(parse_config(content))


def test_workers_that_nobody_starts_are_remarked_on(content):
    told = "run.workers: 8, and executor iterative has one: set run.executor to futures"
    content["run"] = {"workers": 8}
    assert check_inputs(parse_config(content)).others == [told]
    content["run"]["executor"] = "futures"
    assert check_inputs(parse_config(content)).others == []


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("clusters.Jet.seed_treshold", "seed_threshold"),
        ("grids.calo.sclae", "scale"),
        ("grids.calo.qantity", "quantity"),
    ],
)
def test_a_key_that_a_variation_misspells_is_told_with_the_right_one(content, key, near):
    with pytest.raises(ConfigError) as raised:
        parse_config({**content, "variations": {"Up": {key: 5}}})
    assert raised.value.problems == (f"variations.Up: {key}: unknown key (did you mean {near!r}?)",)


VARIED = {
    "weight": ({"events.weight.w": "cells"}, "variations.Up: .*'cells' has several values for every event"),
    "function": ({"derive.Jet.a": f"{__name__}:raises"}, "variations.Up: .*derive.Jet.a: "),
    "branch": ({"events.weight.w": "xx"}, "variations.Up: events.weight.w: .*no branch 'xx'"),
    "no_module": (
        {"events.weight.w": "nowhere:f"},
        "variations.Up.events.weight.w: nowhere:f cannot be imported",
    ),
    "no_function": ({"derive.Jet.a": "math:nothing"}, "variations.Up.derive.Jet.a: math:nothing cannot be"),
}


@pytest.mark.parametrize("case", VARIED)
def test_what_a_variation_would_be_refused_for_is_a_problem(content, case):
    changes, words = VARIED[case]
    content |= {"events": {"weight": {"w": "x"}}, "derive": {"Jet": {"a": f"{__name__}:seeds"}}}
    check_inputs(parse_config(content))
    with pytest.raises(ConfigError, match=words) as raised:
        check_inputs(
            parse_config({**content, "variations": {"Up": changes, "Same": {"events.weight.w": "word"}}})
        )
    assert len(raised.value.problems) == 1


def seeds(clusters):
    """Return a number of every cluster."""
    return clusters.seed


@pytest.mark.parametrize(
    "variations", [{}, {"Up": {"events.weight.w": "nowhere:f"}}], ids=["nominal", "varied"]
)
def test_a_job_does_not_start_without_a_function(content, variations, tmp_path):
    weight = "x" if variations else "nowhere:f"
    content |= {"events": {"weight": {"w": weight}}, "variations": variations}
    with pytest.raises(
        ConfigError, match=r"events.weight.w: nowhere:f cannot be imported \(ModuleNotFoundError"
    ):
        run(parse_config(content))
    assert not (tmp_path / "results").exists()


def test_branches_of_other_datasets_are_not_needed(content):
    content["datasets"]["b"] = {"files": {"gone.root": "Events"}}
    content["events"] = {"where": [{"branch": "absent", "min": 1, "datasets": ["b"]}]}
    assert "absent" not in str(check_inputs(parse_config(content)))


AXES = {
    "labels": ({"labels": "-2..-1, 1..2"}, "label (-2..-1, 1..2)"),
    "indices": ({"n": 4}, "index (0 to 3)"),
    "coordinates": ({"name": "eta", "bins": 4, "start": -1, "stop": 1}, "coordinate (-1 to 1)"),
    "positions": ({"name": "x", "edges": [0, 5, 10, 20, 40], "unit": "mm"}, "coordinate (0 mm to 40 mm)"),
}


@pytest.mark.parametrize("axis", AXES)
def test_check_tells_what_the_place_of_an_object_is_taken_for(content, axis):
    rows, words = AXES[axis]
    content["grids"]["calo"]["rows"] = rows
    content["references"] = {"Emu": {"row": "emu_row", "col": "emu_col", "grid": "calo"}}
    expected = f"Emu: on grid calo, row (emu_row) is taken as {words}, col (emu_col) is taken as index (0 to 5)"
    assert [*reference_places(parse_config(content))] == [expected]


def test_objects_on_no_cell_are_counted(content, tmp_path):
    path = tmp_path / "objects.root"
    with uproot.recreate(path) as file:
        file["Events"] = {
            "cells": np.zeros((3, 24)) + 1,
            "emu_row": ak.Array([[0, 1, 3], [], [4, 2]]),
            "emu_col": ak.Array([[0, 6, 5], [], [9, 2]]),
        }
    content["datasets"]["a"]["files"] = {str(path): "Events"}
    content["references"] = {"Emu": {"row": "emu_row", "col": "emu_col", "grid": "calo"}}
    remark = "references.Emu: dataset a: 2 of 5 objects are on no cell of grid 'calo': are row and col as the "
    assert check_inputs(parse_config(content)).others == [f"{remark}grid has them?"]
