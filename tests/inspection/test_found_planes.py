"""Which of two ways to number the cells is taken: by the integers of hits, or by some of their bits as well."""

from types import SimpleNamespace

import numpy as np
import pytest

from hep_peaksum.inspection import found_planes
from hep_peaksum.lattices.depth import Layers
from hep_peaksum.lattices.numbering import Integers
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.conventions import Units
from hep_peaksum.naming.groups import Group


def plane(name, *, is_whole):
    """Return a plane whose rows have a name; it is whole if no two ids share a cell."""
    given = {"row": name, "col": "c", "words": "x-y", "are_shifted": False, "n_cells": 4, "is_whole": is_whole}
    return SimpleNamespace(**given, rows=None, cols=None, comments=(), modules=())


PART, WHOLE = plane("part", is_whole=False), plane("whole", is_whole=True)
BITS, WHOLE_BITS = plane("bits", is_whole=False), plane("whole bits", is_whole=True)


def rows_of(monkeypatch, by_integers, by_bits, n_integers=1):
    """Return what stands for rows where the planes are those, and from how many integers they were sought."""
    tried = []

    def numbered_plane(coordinates, integers, layer, ids, *, most_modules, **other):
        tried.append((len(integers), most_modules))
        return by_bits if len(tried) > 1 else by_integers

    monkeypatch.setattr(found_planes, "numbered_plane", numbered_plane)
    x, y = (Branch(f"hit_{word}", "", f"hit_{word}", (None,), np.dtype("f4")) for word in "xy")
    group = Group("", "hit", {"x": x, "y": y}, ("y", "x"), None)
    integers = [Integers(f"n{n}", f"n{n}", np.arange(4)) for n in range(n_integers)]
    layers = Layers(np.zeros(4, np.int64), np.zeros(1, np.int64))
    where = {}, True, Units()
    found = found_planes._numbered(group, {x: np.arange(4.0), y: np.arange(4.0)}, layers, integers, where)
    return None if found is None else found[0].hits["row"], tried


@pytest.mark.parametrize(
    ("by_integers", "by_bits", "row"),
    [
        (PART, None, "part"),
        (PART, BITS, "part"),
        (PART, WHOLE_BITS, "whole bits"),
        (None, BITS, "bits"),
        (None, None, None),
    ],
)
def test_bits_number_cells_where_integers_do_not_tell_all_apart(monkeypatch, by_integers, by_bits, row):
    """Each integer of two bits has two parts more."""
    assert rows_of(monkeypatch, by_integers, by_bits) == (row, [(1, 2), (3, 0)])


def test_bits_are_not_looked_at_if_integers_tell_all_cells_apart(monkeypatch):
    assert rows_of(monkeypatch, WHOLE, WHOLE_BITS) == ("whole", [(1, 2)])


@pytest.mark.parametrize(
    ("n_integers", "tried"), [(0, []), (20, [(20, 2), (20 + 40, 0)]), (21, [])], ids=["none", "most", "more"]
)
def test_no_more_integers_and_bits_are_tried_than_take_a_moment(monkeypatch, n_integers, tried):
    assert rows_of(monkeypatch, None, None, n_integers) == (None, tried)
