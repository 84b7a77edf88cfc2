"""Jagged numbers of hits, flat and back again; what does not fit together is named."""

import awkward as ak
import pytest

from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.jagged import flat_parts, jagged

X = ak.Array([[1, 2], [], [3]])


def test_hits_become_flat_and_jagged_again():
    n_hits, (x, y) = flat_parts({"x": X, "y": X * 10}.items())
    assert (n_hits.tolist(), x.tolist(), y.tolist()) == ([2, 0, 1], [1, 2, 3], [10, 20, 30])
    assert jagged(y, n_hits).to_list() == [[10, 20], [], [30]]


def test_columns_may_have_the_same_name():
    _, (x, y) = flat_parts([("x", X), ("x", X * 10)])
    assert (x.tolist(), y.tolist()) == ([1, 2, 3], [10, 20, 30])
    with pytest.raises(EventError, match="event 0: 1 values of x for 2 of x"):
        flat_parts([("x", X), ("x", X[:, :1])])


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ([[1, 2], [], []], "event 2: 0 values of y for 1 of x"),
        ([[1, None], [], [3]], "event 0: y is None for a hit: drop such hits from all branches alike"),
        ([1, 2, 3], "y has one number for every event, expected a list with a number for every hit"),
        ([[[1], [2]], [], [[3]]], "y has 2 axes below the event, expected a list"),
        ([["a", "b"], [], ["c"]], "y holds string, expected a number for every hit"),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(column, problem):
    with pytest.raises(ValueError, match=f"^{problem}") as caught:
        flat_parts({"x": X, "y": ak.Array(column)}.items())
    assert isinstance(caught.value, EventError) == problem.startswith("event")
