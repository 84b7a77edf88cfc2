"""Measurements that are made of others: what they name must be there, and be of use for it."""

import pytest
from small_config import problems, small

from hep_peaksum.config.load import parse_config

AXIS = {"bins": 4, "start": 0, "stop": 2}
PLACE = {"field": "Gen.e", **AXIS}
MEASUREMENTS = {
    "matched": {"response": "JetGen", "ratio": ["Jet.seed", "Gen.e"], "ratio_axis": AXIS},
    "beam": {"response": "leading", "of": "Jet.seed", "to": "dataset.energy", "ratio_axis": AXIS},
    "found": {"efficiency": "JetGen", "axis": PLACE, "pass": {"field": "Jet.seed", "thresholds": [3]}},
    "trigger": {"rate": "Jet.seed", "axis": AXIS, "crossing_rate": "40 MHz"},
}


def config(**more):
    content = small()
    content["datasets"]["data"]["metadata"] = {"energy": 10}
    place = {"grid": "calo", "row": "gen_row", "col": "gen_col"}
    content["references"] = {"Gen": {**place, "fields": {"e": "gen_e"}}}
    content["matches"] = {"JetGen": {"clusters": "Jet", "reference": "Gen", "by": "cell"}}
    content["measurements"] = {**more, **MEASUREMENTS}
    return content


@pytest.mark.parametrize(
    "made",
    [{"resolution": "beam"}, {"scaling": "found"}, {"scaling": "found", "rate": "trigger"}],
)
def test_measurements_are_made_of_others_that_may_stand_below_them(made):
    assert "made" in parse_config(config(made=made)).measurements


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"resolution": "matched"}, "measurements.made.resolution: response 'matched' is of a match, "),
        ({"resolution": "bean"}, "measurements.made.resolution: no response 'bean' (did you mean 'beam'?)"),
        ({"resolution": "found"}, "measurements.made.resolution: no response 'found'"),
        (
            {"resolution": "beam", "width": "gaussian"},
            "measurements.made.width: response 'beam' has no fit: add fit: gaussian to it, ",
        ),
        ({"scaling": "beam"}, "measurements.made.scaling: no efficiency 'beam'"),
        ({"scaling": "found", "rate": "found"}, "measurements.made.rate: no rate 'found'"),
    ],
)
def test_what_another_cannot_be_made_of_is_refused_in_a_line(made, words):
    (problem,) = problems(config(made=made))
    assert problem.startswith(words)


NOT_OF_OBJECTS = (
    "'Jet.seed' is no field of 'Gen', the objects of 'JetGen': write one of Gen.row, Gen.col, Gen.e"
)
NOT_OF_CLUSTERS = "'Gen.e' is no field of 'Jet', the clusters of 'JetGen': write Jet.FIELD"
SEED = {"field": "Jet.seed", **AXIS}


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({**MEASUREMENTS["found"], "axis": SEED}, {"axis.field": NOT_OF_OBJECTS}),
        (
            {**MEASUREMENTS["found"], "pass": {"field": "Gen.e", "thresholds": [3]}},
            {"pass.field": NOT_OF_CLUSTERS},
        ),
        ({"purity": "JetGen", "axis": PLACE}, {"axis.field": NOT_OF_CLUSTERS}),
        (
            {**MEASUREMENTS["matched"], "ratio": ["Gen.e", "Jet.seed"]},
            {"ratio.0": NOT_OF_CLUSTERS, "ratio.1": NOT_OF_OBJECTS},
        ),
        ({**MEASUREMENTS["matched"], "axis": SEED}, {"axis.field": NOT_OF_OBJECTS}),
        (
            {**MEASUREMENTS["found"], "pass": {"field": "seed", "thresholds": [3]}},
            {"pass.field": NOT_OF_CLUSTERS.replace("Gen.e", "seed")},
        ),
    ],
)
def test_a_field_of_the_other_side_of_a_match_is_refused(made, told):
    """It was taken for one of this side, with the places of that one in the flat arrays: other numbers."""
    assert problems(config(made=made)) == [f"measurements.made.{key}: {words}" for key, words in told.items()]


def test_objects_are_no_number_of_an_event():
    remedy = "measure them with a match, or name a scalar, a sum, nCollection or Collection.field"
    made = {"rate": "Gen.e", "axis": AXIS, "crossing_rate": "1 Hz"}
    (problem,) = problems(config(made=made))
    assert problem == (
        f"measurements.made.rate: 'Gen' has any number of objects in an event, not one number: {remedy}"
    )


@pytest.mark.parametrize(
    ("metadata", "given"),
    [
        ({"energy": 0}, "is 0"),
        ({"energy": True}, "is True"),
        ({"energy": "ten"}, "is 'ten'"),
    ],
)
def test_a_response_to_a_number_of_the_dataset_needs_that_number(metadata, given):
    content = config()
    content["datasets"]["data"]["metadata"] = metadata
    line = f"measurements.beam divides by it, and it {given}: give a number that is not 0"
    assert problems(content) == [f"datasets.data.metadata.energy: {line}"]


def test_a_number_that_some_datasets_have_is_missing_in_the_others():
    content = config()
    content["datasets"]["other"] = {"files": {"b.root": "Events"}}
    line = "measurements.beam divides by it, and it is not there: give a number that is not 0"
    assert problems(content) == [f"datasets.other.metadata.energy: {line}"]


def test_a_number_that_no_dataset_has_is_told_where_it_is_named():
    content = config()
    content["datasets"]["data"]["metadata"] = {"beam_energy": 20}
    known = "(did you mean 'beam_energy'?); there are beam_energy: add metadata: {energy: 20} to every dataset"
    assert problems(content) == [f"measurements.beam.to: no dataset has 'energy' in its metadata {known}"]


def test_a_dataset_that_a_response_does_not_measure_needs_no_number():
    content = config()
    content["datasets"]["other"] = {"files": {"b.root": "Events"}}
    content["measurements"]["beam"] = {**MEASUREMENTS["beam"], "datasets": ["data"]}
    assert parse_config(content).measurements["beam"].divisor == "energy"


def test_a_wrong_match_hides_nothing_that_does_not_need_it():
    content = config()
    content["matches"]["JetGen"] = {"clusters": "Jet"}
    content["clusters"]["Wide"] = {"grid": "callo"}
    *of_match, of_grid = problems(content)
    assert [problem.partition(":")[0] for problem in of_match] == [
        f"matches.JetGen.{key}" for key in ("reference", "by")
    ]
    assert of_grid.startswith("clusters.Wide.grid: no grid 'callo' (did you mean 'calo'?)")


def test_every_measurement_of_a_match_that_is_not_there_is_named():
    wrong = {name: {**MEASUREMENTS["found"], "efficiency": f"Jet{name}"} for name in ("first", "second")}
    told = [f"measurements.{name}.efficiency: no match 'Jet{name}'" for name in wrong]
    assert [
        problem[: len(words)] for problem, words in zip(problems(config(**wrong)), told, strict=True)
    ] == told
