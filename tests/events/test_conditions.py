"""Conditions on branches of an event, each on a few events by hand."""

import json

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.events.conditions import EventCondition

EVENTS = {
    "word": np.array([5, 4, 1, 0, 7]),
    "pts": ak.Array([[30.0, 20.0], [10.0], [], [50.0], [5.0, 40.0]]),
    "missing": ak.mask(np.array([5, 4, 1, 0, 7]), [True, False, True, True, False]),
}


@pytest.mark.parametrize(
    ("keys", "passed"),
    [
        pytest.param({"branch": "word", "bit": 2}, [1, 1, 0, 0, 1], id="a-bit"),
        pytest.param({"branch": "word", "bit": 0, "max": 5}, [1, 0, 1, 0, 0], id="a-bit-and-a-range"),
        pytest.param({"branch": "pts[0]", "min": 20}, [1, 0, 0, 1, 0], id="the-first-of-a-list"),
        pytest.param({"branch": "pts[1]", "min": 20}, [1, 0, 0, 0, 1], id="the-second-of-a-list"),
        pytest.param({"branch": "pts[1]", "max": 20}, [1, 0, 0, 0, 0], id="what-is-not-there-is-not-small"),
        pytest.param({"branch": "missing", "min": 0}, [1, 0, 1, 1, 0], id="none-is-not-high"),
        pytest.param({"branch": "missing", "not_in": [1]}, [1, 0, 0, 1, 0], id="none-is-no-other-number"),
        pytest.param({"branch": "missing", "bit": 0}, [1, 0, 1, 0, 0], id="none-has-no-bits"),
    ],
)
def test_an_event_passes_if_its_branch_does(keys, passed):
    result = EventCondition(**keys).evaluate(None, EVENTS.__getitem__, None, None)
    assert result.tolist() == [bool(each) for each in passed]


RUNS = np.array([1, 1, 2, 3]), np.array([2, 9, 4, 1])


def passed_lumi_mask(path, content):
    path.write_text(json.dumps(content))
    numbers = dict(zip(("run", "luminosityBlock"), RUNS, strict=True))
    return EventCondition(lumi_mask=str(path)).evaluate(None, None, numbers.__getitem__, None).tolist()


def test_a_lumi_mask_passes_the_blocks_from_first_to_last(tmp_path):
    good = {"1": [[1, 2], [10, 11]], "2": [[4, 4]], "3": []}
    assert passed_lumi_mask(tmp_path / "good.json", good) == [True, False, True, False]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"1": [1, 3]}, r"run 1 has \[1, 3\], expected \[\[first, last\], ...\], with first up to last"),
        ({"1": 3}, "run 1 has 3, expected"),
        ({"1": [[1, 2]], "2": [[3, 1]]}, r"run 2 has \[3, 1\], expected"),
        ({"1": [[1, 2, 3]]}, r"run 1 has \[1, 2, 3\], expected"),
        ({"1": [[1, 2.5]]}, r"run 1 has \[1, 2.5\], expected"),
        ({"1": [["1", "2"]]}, r"run 1 has \['1', '2'\], expected"),
        ([[1, 2]], r'expected ."RUN": \[\[FIRST, LAST\], ...\]., not \[\[1, 2\]\]'),
    ],
)
def test_a_lumi_mask_of_another_form_is_refused(tmp_path, content, words):
    """coffea took 1 and 3 for blocks of another run's list, and [3, 1] for no block, without a word."""
    with pytest.raises(ValueError, match=f"cannot be read as a JSON file of luminosity blocks .{words}"):
        passed_lumi_mask(tmp_path / "blocks.json", content)
