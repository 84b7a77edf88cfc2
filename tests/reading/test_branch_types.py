"""Types of branches in real files: what is known from one file is used in the next, and is the same."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum.reading.columns import branch_types

TREES = [
    ("cms_L1Ntuple.root", "l1CaloTowerEmuTree/L1CaloTowerTree"),
    ("cms_L1Ntuple.root", "l1EventTree/L1EventTree"),
    ("g4B5_elec100.root", "B5"),
    ("ldmx_ecal_100.root", "LDMX_Events"),
]


def types_in(path, tree, branches, known=None):
    with uproot.open(path) as file:
        return branch_types(file, path, tree, branches, {}, schema="base", known=known)


def test_branches_have_the_types_that_uproot_gives_their_values(data):
    path, tree = data("cms_L1Ntuple.root"), "l1CaloTowerEmuTree/L1CaloTowerTree"
    names = ["L1CaloTower/ieta", "L1CaloTower/et", "L1CaloTower/nTower", "nothing"]
    with uproot.open(path) as file:
        values = {name: file[tree][name].array().type.content for name in names[:3]}
    types = types_in(path, tree, names, known={})
    assert [*types] == names[:3]
    assert types["L1CaloTower/nTower"] == (0, values["L1CaloTower/nTower"].primitive)
    for name in names[:2]:
        assert types[name] == (1, values[name].content.primitive)


@pytest.mark.slow
def test_what_is_known_of_other_files_changes_no_type(data):
    known = {}
    for _ in range(2):
        for name, tree in TREES:
            path = data(name)
            with uproot.open(path) as file:
                branches = [key for key in file[tree].keys() if ":" not in key][:20]  # noqa: SIM118
            alone = types_in(path, tree, branches)
            assert len(alone) > 3
            assert types_in(path, tree, branches, known) == alone


def test_the_classes_in_a_second_file_are_not_parsed(data):
    path, known = data("cms_L1Ntuple.root"), {}
    for is_parsed in (True, False):
        with uproot.open(path) as file:
            tree = "l1CaloTowerEmuTree/L1CaloTowerTree"
            branch_types(file, path, tree, ["L1CaloTower/iet"], {}, schema="base", known=known)
            assert (file.file._streamers is not None) == is_parsed


@pytest.mark.parametrize("n_friend", [9, 11], ids=["shorter", "longer"])
def test_a_friend_of_another_length_is_refused_before_anything_is_read(write_root, n_friend):
    trees = {"Events": {"n": np.arange(10)}, "Friend": {"w": np.ones(n_friend)}}
    path = write_root("a.root", trees)
    problem = rf"^friend 'Friend' has {n_friend} entries, 'Events' has 10: the entries of a friend are "
    with uproot.open(path) as file, pytest.raises(ValueError, match=problem):
        branch_types(file, path, "Events", ["n", "aux:w"], {"aux": "Friend"}, schema="base")


def test_members_of_lists_in_an_rntuple_have_their_own_types(tmp_path):
    path, counts = tmp_path / "a.root", [2, 0, 1]
    energy, number = (ak.unflatten(np.arange(3, dtype=kind), counts) for kind in ("float32", "int16"))
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", {"hits": ak.zip({"e": energy, "n": number}), "n": np.arange(3)})
    expected = {"hits.e": (1, "float32"), "hits.n": (1, "int16"), "n": (0, "int64")}
    assert types_in(path, "Events", ["hits.e", "hits.n", "n", "hits"]) == expected
