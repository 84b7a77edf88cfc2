"""Branches of a tree: which of them hold numbers, of what shape and type, and which cannot be read."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum.naming import branches
from hep_peaksum.naming.branches import Branch, are_whole, list_branches, read


class Odd:
    """What uproot makes of a branch of another program: to ask for the type is an error."""

    def __init__(self, error):
        self.error = error

    def awkward_form(self, *_):
        raise self.error


def test_counters_and_what_holds_no_numbers_are_left_out_and_what_cannot_be_read_is_named(write_root):
    names = ["first", "group", "cpp", "unreadable", "Hits.position.x", "text", "grid"]
    content = dict.fromkeys(names, np.arange(3, dtype="f4"))
    content |= {"Hits.position.x": ak.Array([[1], [], [2, 3]]), "text": ak.Array(["a", "b", "c"])}
    content["grid"] = np.zeros((3, 4, 5), "u2")
    tree = uproot.open(write_root("a.root", {"t": content}))["t"]
    tree["cpp"]._interpretation = Odd(uproot.interpretation.objects.CannotBeAwkward("std::map"))
    tree["unreadable"]._interpretation = Odd(NotImplementedError("unknown streamer"))
    members = {"member": tree["unreadable"]._interpretation}
    tree["group"]._interpretation = uproot.interpretation.grouped.AsGrouped(tree["group"], members)
    found, unreadable = list_branches(tree)
    assert unreadable == ["unreadable"]
    kinds = {each.name: (each.collection, each.words, each.shape, each.dtype.str) for each in found}
    assert kinds == {
        "first": ("", "first", (), "<f4"),
        "Hits.position.x": ("Hits", "position_x", (None,), "<i8"),
        "grid": ("", "grid", (4, 5), "<u2"),
    }
    assert found[0].title == "first/F"


def test_objects_of_an_rntuple_are_the_lists_of_their_numbers(write_root):
    hits = ak.Array([[{"id": 1, "at": {"x": 1.5, "y": 2.5}}], [], [{"id": 2, "at": {"x": 0.5, "y": 0.5}}] * 2])
    path = write_root("a.root", {"t": {"n": np.arange(3), "Hits": hits}}, rntuple=True)
    found, unreadable = list_branches(uproot.open(path)["t"])
    assert unreadable == []
    kinds = {each.name: (each.collection, each.words, each.shape, each.dtype) for each in found}
    assert kinds == {
        "n": ("", "n", (), np.dtype("i8")),
        "Hits.id": ("Hits", "id", (None,), np.dtype("i8")),
        "Hits.at.x": ("Hits", "at_x", (None,), np.dtype("f8")),
        "Hits.at.y": ("Hits", "at_y", (None,), np.dtype("f8")),
    }


def test_no_more_is_read_than_the_largest_branch_allows(write_root, monkeypatch):
    content = {
        "small": np.arange(100),
        "large": np.zeros((100, 10)),
    }  # 8 and 80 bytes an entry, and a few for all
    tree = uproot.open(write_root("a.root", {"t": content}))["t"]
    found, _ = list_branches(tree)
    monkeypatch.setattr(branches, "SAMPLE_BYTES", 4050)
    assert [len(each) for each in read(tree, found)] == [50, 50]
    assert [len(each) for each in read(tree, found[:1])] == [100]
    assert [len(each) for each in read(tree, found[:1], 7)] == [7]
    monkeypatch.setattr(branches, "SAMPLE_BYTES", 10)
    assert [len(each) for each in read(tree, found)] == [1, 1]
    tree["large"]._interpretation = Odd(NotImplementedError())
    assert read(tree, found) is None


@pytest.mark.parametrize(
    ("collection", "words", "asked", "is_of"),
    [
        ("Ecal", "x", ("Ecal", ""), True),
        ("Ecal", "x", ("Hcal", ""), False),
        ("", "ecal_x", ("", "ecal"), True),
        ("", "ecalx", ("", "ecal"), False),
        ("", "ecal_x", ("", ""), False),
    ],
)
def test_a_branch_is_of_the_collection_or_the_stem_in_its_name(collection, words, asked, is_of):
    assert Branch("name", collection, words, (), np.dtype("f4")).is_of(*asked) == is_of


def test_whole_floats_are_those_that_hold_every_digit():
    assert are_whole(np.array([2.0**53 - 1, -(2.0**53) + 1]))
    assert not are_whole(np.array([2.0**53]))
    assert not are_whole(np.array([-np.inf, 1.0]))
    assert not are_whole(np.array(["1"]))
