"""`group`: what it prints, its exit statuses, and the config that reads what it wrote."""

from pathlib import Path
from shutil import copy

import awkward as ak
import numpy as np
import pytest
import uproot


@pytest.fixture
def table(write_root):
    """Write a table with one row per hit, and a second tree; return its path."""
    rows = {
        "eventID": np.array([4, 4, 2, 9, 9, 9], "i4"),
        "edep": np.arange(6.0),
        "volume": np.zeros((6, 2), "i4"),
    }
    return write_root("t.root", {"Hits": rows, "other": {"x": np.arange(3)}})


def test_rows_become_events_and_what_is_left_out_is_said(cli, table):
    status, out, err = cli("group", f"{table}:Hits", "--by", "eventID", "-o", "o.root")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{table}:Hits: 6 rows are 3 events of 1 to 3 rows",
        "left out, because a row holds no single number: volume",
        "o.root: tree Events with eventID, Hits_edep",
        "Next: hep-peaksum inspect o.root",
    ]
    assert uproot.open("o.root")["Events/Hits_edep"].array().to_list() == [[0, 1], [2], [3, 4, 5]]


def test_branches_that_are_named_are_the_only_ones_beside_the_keys(cli, write_root):
    columns = {"eventID": np.array([1, 1, 2], "i4"), **{name: np.arange(3.0) for name in ("edep", "time", "x")}}
    path = write_root("t.root", {"Hits": columns})
    status, _, _ = cli("group", path, "--by", "eventID", "--branches", "edep,t*", "-o", "o.root")
    assert status == 0
    assert {*uproot.open("o.root")["Events"].keys()} >= {"eventID", "Hits_edep", "Hits_time"}
    assert "Hits_x" not in uproot.open("o.root")["Events"]


def test_a_file_of_events_is_recognised(cli, write_root):
    path = write_root(
        "e.root", {"Events": {"event": np.arange(3), "x": np.arange(3.0), "pt": [[1], [], [2, 3]]}}
    )
    _, _, err = cli("group", path, "--by", "event", "-o", "o.root")
    assert "warning: every event is a single row: is the file one event per entry already?" in err


def test_elements_without_a_link_are_counted(cli, write_root):
    jets = ak.zip({"index": ak.Array([[0, -1], [0]])})
    path = write_root("j.root", {"Events": {"Jet": jets, "Tower": ak.zip({"x": ak.Array([[1.0], [2.0]])})}})
    status, out, err = cli("group", path, "--join", "Jet_index:Tower", "-o", "o.root", "--format", "rntuple")
    assert status == 0
    assert f"{path}: 2 of 3 elements joined in 2 events" in out
    assert "warning: 1 elements have no link and are left out" in err
    assert uproot.open("o.root")["Events"].arrays()["Jet_x"].to_list() == [[1], [2]]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ([], 2, "give either --by, for a tree with one row per hit, or --join"),
        (["--by", "eventID", "--join", "a:b"], 2, "give either --by"),
        (["--by", "eventID", "-o", ".", "--force"], 2, "'.' is a directory"),
        (["--join", "a:b", "--sort"], 2, "--sort orders the rows of --by"),
        (["--by", "event"], 1, "no branch 'event' (did you mean 'eventID'?); there are eventID, edep, volume"),
        (["--by", "edep", "--name", "1st"], 1, "would be written as '1st_eventID'"),
        (["--by", "volume"], 1, "'volume' holds int32_t[2], where one number a row is expected"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(cli, table, tmp_path, options, status, message):
    found, out, err = cli("group", f"{table}:Hits", "-o", "o.root", *options)
    assert (found, out) == (status, "")
    assert message in err
    assert len([line for line in err.splitlines() if line.lower().startswith("error")]) == 1
    assert list((tmp_path / "here").iterdir()) == []


def test_the_tree_must_be_named_where_there_are_several_and_the_file_must_exist(cli, table):
    copy(table, Path(table).with_name("u.root"))
    assert "has the trees Hits, other: name one" in cli("group", table, "--by", "eventID", "-o", "o.root")[2]
    several = cli("group", f"{Path(table).parent}/*.root:Hits", "--by", "eventID", "-o", "o.root")
    assert "matches 2 files: event numbers begin anew in each" in several[2]
    assert "there is no file 'no.root'" in cli("group", "no.root", "--by", "eventID", "-o", "o.root")[2]


def test_an_output_that_exists_is_replaced_only_by_force(cli, table, tmp_path):
    command = ("group", f"{table}:Hits", "--by", "eventID", "-o", "o.root")
    assert cli(*command)[0] == 0
    status, _, err = cli(*command)
    assert (status, "o.root exists already" in err) == (1, True)
    assert cli(*command, "--force")[0] == 0
