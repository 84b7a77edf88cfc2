"""Rows of hits written as events: every value where a loop over the rows puts it, and files that stay whole."""

from collections import defaultdict
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

from hep_peaksum import block_sizes
from hep_peaksum.grouping.group import group_rows
from hep_peaksum.inputs.paths import InputFile

N_ROWS = 3000


@pytest.fixture
def hits(write_root):
    """Write a table with one row per hit, in which rows of events are `order`; return its path and rows."""

    def write(order="contiguous", *, rntuple=False, **more):
        random = np.random.default_rng(3)
        event = np.repeat(random.permutation(600), random.integers(1, 15, 600))[:N_ROWS]
        if order == "mixed":
            event = random.permutation(event)
        rows = {
            "eventID": event.astype("i4"),
            "edep": random.random(len(event), "f4"),
            "posX": random.normal(size=len(event)),
            "layer": random.integers(-9, 9, len(event)).astype("i2"),
            "isPrimary": random.random(len(event)) < 0.5,
            **more,
        }
        return write_root("hits.root", {"Hits": rows}, rntuple=rntuple), rows

    return write


def by_event(rows, *names):
    """Return the values of every event, row by row."""
    events = defaultdict(list)
    for row, key in enumerate(rows["eventID"].tolist()):
        events[key].append(tuple(rows[name][row].item() for name in names))
    return dict(events)


def written(path, *names):
    events = uproot.open(path)["Events"].arrays()
    columns = [events[f"Hits_{name}"].to_list() for name in names]
    return {
        key: list(zip(*values, strict=True))
        for key, *values in zip(events.eventID.to_list(), *columns, strict=True)
    }


NAMES = ("edep", "posX", "layer", "isPrimary")


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("rntuple", [False, True])
@pytest.mark.parametrize("order", ["contiguous", "mixed"])
def test_every_value_is_where_a_loop_over_the_rows_puts_it(hits, tmp_path, monkeypatch, kind, rntuple, order):
    for name in ("GROUP_BYTES", "SORT_BYTES"):
        monkeypatch.setattr(block_sizes, name, 6000)  # some hundred rows: events lie across blocks
    path, rows = hits(order, rntuple=rntuple)
    sort = order == "mixed"
    grouped = group_rows(InputFile(path, "Hits"), tmp_path / "out.root", ["eventID"], sort=sort, kind=kind)
    expected = by_event(rows, *NAMES)
    found = written(tmp_path / "out.root", *NAMES)
    assert found == expected
    assert list(found) == (sorted(expected) if sort else list(expected))
    assert (grouped.n_rows, grouped.n_events) == (len(rows["eventID"]), len(expected))
    assert (grouped.fewest, grouped.most) == (
        min(map(len, expected.values())),
        max(map(len, expected.values())),
    )
    events = uproot.open(tmp_path / "out.root")["Events"]
    assert events["nHits"].array().to_list() == [len(each) for each in found.values()]
    for name in NAMES:
        assert str(ak.flatten(events[f"Hits_{name}"].array()).type.content) == rows[name].dtype.name


def test_contiguous_events_are_sorted_when_asked_for(hits, tmp_path):
    path, rows = hits()
    group_rows(InputFile(path, "Hits"), tmp_path / "out.root", ["eventID"], sort=True)
    expected = by_event(rows, *NAMES)
    assert list(written(tmp_path / "out.root", *NAMES).items()) == sorted(expected.items())


@pytest.mark.filterwarnings("ignore:Missing cross-reference index")
def test_coffea_reads_the_hits_as_a_collection_of_identified_events(hits, tmp_path):
    path, rows = hits()
    numbers = {"run": np.full(N_ROWS, 7, "u4"), "luminosityBlock": np.full(N_ROWS, 2, "u4")}
    path, rows = hits(**numbers, event=rows["eventID"].astype("u8"))
    group_rows(InputFile(path, "Hits"), tmp_path / "out.root", ["run", "luminosityBlock", "event"])
    out = {str(tmp_path / "out.root"): "Events"}
    events = NanoEventsFactory.from_root(out, schemaclass=NanoAODSchema).events()
    assert ak.flatten(events.Hits.edep).to_list() == rows["edep"].tolist()
    assert set(events.run.to_list()) == {7}


def test_events_that_are_not_contiguous_leave_no_file(hits, tmp_path):
    path, _ = hits("mixed")
    with pytest.raises(ValueError, match=r"^eventID \d+ has rows 0.* and again .*, or add --sort$"):
        group_rows(InputFile(path, "Hits"), tmp_path / "out.root", ["eventID"])
    assert [each.name for each in tmp_path.iterdir()] == ["hits.root"]


def test_names_and_patterns_choose_the_branches(hits, tmp_path):
    path, _ = hits()
    grouped = group_rows(
        InputFile(path, "Hits"), tmp_path / "o.root", ["eventID"], branches=["pos*", "layer"], collection="Hit"
    )
    assert list(grouped.columns) == ["eventID", "Hit_posX", "Hit_layer"]
    assert uproot.open(tmp_path / "o.root")["Events"].keys() == ["eventID", "nHit", "Hit_posX", "Hit_layer"]


def test_what_is_no_number_a_row_is_left_out_and_said_unless_it_is_asked_for(hits, tmp_path):
    path, _ = hits(volume=np.zeros((N_ROWS, 4), "i4"))
    source = InputFile(path, "Hits")
    assert list(group_rows(source, tmp_path / "a.root", ["eventID"]).left_out) == ["volume"]
    with pytest.raises(ValueError, match=r"'volume' holds int32_t\[4\], where one number a row is expected"):
        group_rows(source, tmp_path / "b.root", ["eventID"], branches=["edep", "volume"])
    with pytest.raises(ValueError, match=r"'volume' holds int32_t\[4\], where one number a row is expected"):
        group_rows(source, tmp_path / "b.root", ["volume"])


@pytest.mark.parametrize("wrong", [{"by": ["eventId"]}, {"branches": ["eDep"]}])
def test_a_missing_branch_is_named_with_the_nearest(hits, tmp_path, wrong):
    path, _ = hits()
    with pytest.raises(ValueError, match=r"no branch '\w+' \(did you mean '(eventID|edep)'\?\); there are"):
        group_rows(InputFile(path, "Hits"), tmp_path / "o.root", **{"by": ["eventID"], **wrong})


def test_two_branches_that_would_have_one_name_are_an_error(hits, tmp_path):
    path, _ = hits(**{"pos.X": np.zeros(N_ROWS), "pos_X": np.zeros(N_ROWS)})
    with pytest.raises(ValueError, match=r"'pos\.X' and 'pos_X' would both be written as 'Hits_pos_X'"):
        group_rows(InputFile(path, "Hits"), tmp_path / "o.root", ["eventID"])


def test_a_table_without_rows_gives_a_tree_without_events(write_root, tmp_path):
    path = write_root("none.root", {"Hits": {"eventID": np.zeros(0, "i4"), "edep": np.zeros(0, "f4")}})
    assert group_rows(InputFile(path, "Hits"), tmp_path / "o.root", ["eventID"]).n_events == 0
    events = uproot.open(tmp_path / "o.root")["Events"]
    assert (events.num_entries, events.keys()) == (0, ["eventID", "nHits", "Hits_edep"])


def test_a_file_that_exists_stays_unless_it_may_be_replaced(hits, tmp_path):
    path, rows = hits()
    out = tmp_path / "out.root"
    out.write_text("mine")
    with pytest.raises(ValueError, match=r"out\.root exists already.*--force"):
        group_rows(InputFile(path, "Hits"), out, ["eventID"])
    assert out.read_text() == "mine"
    group_rows(InputFile(path, "Hits"), out, ["eventID"], overwrite=True)
    assert written(out, "layer") == by_event(rows, "layer")


def test_the_input_is_never_replaced(hits, tmp_path):
    path, _ = hits()
    content = Path(path).read_bytes()
    (tmp_path / "link.root").symlink_to(path)
    for name in (Path(path), tmp_path / "link.root"):
        with pytest.raises(ValueError, match="is the file that is read"):
            group_rows(InputFile(path, "Hits"), name, ["eventID"], overwrite=True)
    assert Path(path).read_bytes() == content


def test_a_damaged_basket_is_named_and_leaves_no_file(hits, tmp_path):
    path, _ = hits()
    content = bytearray(Path(path).read_bytes())
    with uproot.open(path) as file:
        at = file["Hits/edep"].member("fBasketSeek")[0]
    content[at + 60 : at + 200] = bytes(140)
    Path(path).write_bytes(content)
    with pytest.raises(OSError, match=r"hits.root: cannot be read as a ROOT file.*damaged"):
        group_rows(InputFile(path, "Hits"), tmp_path / "out.root", ["eventID"])
    assert [each.name for each in tmp_path.iterdir()] == ["hits.root"]


def test_trees_of_geant4_count_their_entries_in_floats(data, tmp_path):
    """Every event of this file is one entry: the numbers that it has one of are grouped as single rows."""
    source = InputFile(str(data("g4B5_elec100.root")), "B5")
    tree = uproot.open(source.path)["B5"]
    assert isinstance(tree.num_entries, float)
    grouped = group_rows(source, tmp_path / "o.root", ["Dc1Hits"], branches=["ECEnergy"], sort=True)
    keys, energies = tree["Dc1Hits"].array(library="np"), tree["ECEnergy"].array(library="np")
    events = uproot.open(tmp_path / "o.root")["Events"].arrays()
    assert grouped.n_rows == 1000
    assert {k: v.to_list() for k, v in zip(events.Dc1Hits.to_list(), events.B5_ECEnergy, strict=True)} == {
        key: energies[keys == key].tolist() for key in np.unique(keys).tolist()
    }


def test_the_file_of_a_killed_run_is_removed_by_the_next(hits, tmp_path):
    path, _ = hits()
    left = tmp_path / f".out.root.{'0' * 32}.tmp"
    left.write_text("half of the events")
    group_rows(InputFile(path, "Hits"), tmp_path / "out.root", ["eventID"])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hits.root", "out.root"]
