"""Which branches number run and event: those of one header that differ from entry to entry."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.naming import identity
from hep_peaksum.naming.branches import Branch, Tree, split_name
from hep_peaksum.naming.identity import find_identity

SAME, RISING, LISTS = [7, 7, 7], [1, 2, 3], [[4], [5], [6]]


def identified(monkeypatch, **values):
    """Return what identifies the three entries of a tree; `__` in a name stands for the dot of a member."""
    columns = {name.replace("__", "."): ak.Array(each) for name, each in values.items()}
    branches = []
    for name, each in columns.items():
        kind = np.asarray(ak.flatten(each, axis=None)).dtype
        branches.append(Branch(name, *split_name(name), (None,) * (each.ndim - 1), kind))
    monkeypatch.setattr(identity, "read", lambda _, wanted: [columns[branch.name] for branch in wanted])
    found = find_identity(Tree("t", None, 3, {*columns}, {}), branches)
    return tuple(found[word] for word in ("run", "luminosityBlock", "event")) if found else ()


FOUND = {
    "a header without events comes first": (
        {"A__run": SAME, "B__run": SAME, "B__event": RISING},
        ("B.run", 1, "B.event"),
    ),
    "a header that repeats itself comes first": (
        {"A__run": SAME, "A__event": SAME, "B__run": SAME, "B__event": RISING, "B__lumi": SAME},
        ("B.run", "B.lumi", "B.event"),
    ),
    "each has a header of its own": ({"R__run": SAME, "E__event": RISING}, ("R.run", 1, "E.event")),
    "lists of one": ({"H__run": [[7]] * 3, "H__event": LISTS}, ("H.run", 1, "H.event")),
    "a list of two": ({"H__run": [[7]] * 3, "H__event": [[4], [5], [6, 8]]}, ()),
    "a number below 0": ({"H__run": SAME, "H__event": [-1, 2, 3]}, ()),
    "0 is a number": ({"H__run": SAME, "H__event": [0, 2, 3]}, ("H.run", 1, "H.event")),
    "no integers": ({"H__run": SAME, "H__event": [1.0, 2.0, 3.0]}, ()),
    "the usual names need no word": ({"run": SAME, "luminosityBlock": SAME, "event": RISING}, ()),
    "without blocks they do": ({"run": SAME, "event": RISING}, ("run", 1, "event")),
    "runs differ, and events repeat": ({"run": RISING, "event": SAME}, ("run", 1, "event")),
    "short names": ({"runnum": SAME, "ievt": RISING}, ("runnum", 1, "ievt")),
    "the first of two names": ({"run": SAME, "event_id": RISING, "event": SAME}, ("run", 1, "event_id")),
}


@pytest.mark.parametrize(("values", "expected"), FOUND.values(), ids=FOUND)
def test_run_and_event_are_those_of_a_header_that_differs(monkeypatch, values, expected):
    assert identified(monkeypatch, **values) == expected
