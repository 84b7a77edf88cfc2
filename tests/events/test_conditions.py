"""Conditions on branches of an event, each on a few events by hand."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.events.conditions import EventCondition

EVENTS = {
    "word": np.array([5, 4, 1, 0, 7]),
    "pts": ak.Array([[30.0, 20.0], [10.0], [], [50.0], [5.0, 40.0]]),
}


@pytest.mark.parametrize(
    ("keys", "passed"),
    [
        pytest.param({"branch": "word", "bit": 2}, [1, 1, 0, 0, 1], id="a-bit"),
        pytest.param({"branch": "word", "bit": 0, "max": 5}, [1, 0, 1, 0, 0], id="a-bit-and-a-range"),
        pytest.param({"branch": "pts[0]", "min": 20}, [1, 0, 0, 1, 0], id="the-first-of-a-list"),
        pytest.param({"branch": "pts[1]", "min": 20}, [1, 0, 0, 0, 1], id="the-second-of-a-list"),
        pytest.param({"branch": "pts[1]", "max": 20}, [1, 0, 0, 0, 0], id="what-is-not-there-is-not-small"),
    ],
)
def test_an_event_passes_if_its_branch_does(keys, passed):
    result = EventCondition(**keys).evaluate(None, EVENTS.__getitem__, None, None)
    assert result.tolist() == [bool(each) for each in passed]
