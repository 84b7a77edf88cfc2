"""The weight of an event: the product of the factors that are for its dataset."""

import awkward as ak
import pytest

from hep_peaksum.events.weights import WeightTerm, weights_of

EVENTS = ak.Array(
    {"genWeight": [1.0, -2.0, 4.0], "scale": [[1.0], [2.0, 3.0], []], "nan": [1.0, 2.0, float("nan")]}
)
GEN = WeightTerm(source="genWeight")


def weights(dataset, **terms):
    return weights_of(terms, dataset, EVENTS, lambda name: EVENTS[name], {}).tolist()


@pytest.mark.parametrize(
    ("dataset", "expected"), [("ttbar", [1.5, -3, 6]), ("single_top", [1.5, -3, 6]), ("data", [1, -2, 4])]
)
def test_a_k_factor_is_for_its_datasets_only(dataset, expected):
    assert weights(dataset, gen=GEN, k=WeightTerm(number=1.5, datasets=["ttbar", "single_top"])) == expected


def test_a_branch_of_simulated_events_is_not_looked_for_in_data():
    term = WeightTerm(source="no_such_branch", datasets=["ttbar"])
    assert weights("data", gen=GEN, pileup=term) == [1, -2, 4]


@pytest.mark.parametrize(
    ("branch", "problem"),
    [
        ("scale", "'scale' has several values for every event"),
        ("nan", "events.weight.w: 'nan' is nan, expected"),
    ],
    ids=["a-list", "not-finite"],
)
def test_a_factor_is_one_finite_number_for_every_event(branch, problem):
    with pytest.raises(ValueError, match=problem):
        weights("data", w=WeightTerm(source=branch))
