"""Events of every schema: branches, friends, identity, and kept branches."""

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema
from event_files import CELLS, PLANE, N, event_index, read

from hep_peaksum import PeakSumProcessor
from hep_peaksum.events.section import EventsInput
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.reading.columns import column, event_identity
from hep_peaksum.reading.files import schema_class


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base", "BaseSchema"),
        ("nanoaod", "NanoAODSchema"),
        ("delphes", "DelphesSchema"),
        ("edm4hep", "EDM4HEPSchema"),
        ("coffea.nanoevents:TreeMakerSchema", "TreeMakerSchema"),
    ],
)
def test_a_schema_is_a_class_of_coffea_or_of_the_user(name, expected):
    assert schema_class(name).__name__ == expected
    assert EventsInput.model_validate({"schema": name}).schema_name == name


def test_an_unknown_schema_is_an_error():
    with pytest.raises(ValueError, match="'nanoAOD' is none of base, nanoaod, delphes, edm4hep, nor module"):
        EventsInput.model_validate({"schema": "nanoAOD"})


@pytest.mark.filterwarnings("ignore:Missing cross-reference:RuntimeWarning")
def test_nanoaod_makes_collections_of_branches(write_root):
    words = dict.fromkeys(("run", "luminosityBlock", "event"), np.arange(N, dtype="u8"))
    path = write_root("a.root", {"Events": {**words, "Calo_x": CELLS.astype("f4")}})
    cells, _ = read(path, {"dense": {"branch": "Calo.x"}, **PLANE}, schema="nanoaod")
    assert cells.tolist() == CELLS.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "names"),
    [
        pytest.param("delphes", ["Tower.Eta", "Tower.Phi", "Tower.ET"], id="delphes"),
        pytest.param("base", [f"Tower/Tower.{word}" for word in ("Eta", "Phi", "ET")], id="base"),
    ],
)
def test_delphes_towers_are_binned_and_add(data, schema, names):
    path = data("coffea_delphes.root")
    axes = {
        "rows": {"name": "eta", "bins": 240, "start": -6, "stop": 6},
        "cols": {"name": "phi", "bins": 128, "start": "-pi", "stop": "pi", "periodic": True},
    }
    source = {"hits": dict(zip(("row", "col", "value"), names, strict=True)), **axes}
    cells, n_outside = read(path, source, tree="Delphes", schema=schema, chunksize=13)
    towers = uproot.open(path)["Delphes"].arrays(["Tower.Eta", "Tower.Phi", "Tower.ET"])
    event = np.repeat(np.arange(25), ak.num(towers["Tower.ET"]))
    eta, phi, et = (ak.to_numpy(ak.flatten(towers[name])) for name in towers.fields)
    expected, _ = np.histogramdd(
        (event, eta, phi),
        (np.arange(26), np.linspace(-6, 6, 241), np.linspace(-np.pi, np.pi, 129)),
        weights=et.astype("f8"),
    )
    assert n_outside == 0
    assert cells.shape == (25, 240, 128)
    np.testing.assert_allclose(cells, expected, rtol=1e-12)
    assert cells.sum() == pytest.approx(et.sum(dtype="f8"))


def test_edm4hep_reads_grids(write_root):
    path = write_root("a.root", {"events": {"x": CELLS.astype("f4")}})
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE}, tree="events", schema="edm4hep")
    assert cells.tolist() == CELLS.tolist()


def test_members_of_an_edm4hep_collection_are_hits(data):
    path, name = data("coffea_test_FCC_Winter2023.root"), "CalorimeterHits/CalorimeterHits"
    source = {"hits": {"row": f"{name}.position.x", "col": f"{name}.position.y", "value": f"{name}.cellID"}}
    axes = {word: {"bins": 10, "start": -3000, "stop": 3000} for word in ("rows", "cols")}
    cells, n_outside = read(path, {**source, **axes}, tree="events", chunksize=40)
    ids = uproot.open(path)["events"][f"{name}.cellID"].array()
    assert cells.shape == (100, 10, 10)
    assert n_outside == 0
    assert cells.sum(axis=(1, 2)).tolist() == ak.sum(ak.values_astype(ids, "i8"), axis=1).to_list()


def test_a_missing_branch_suggests_the_nearest_and_lists_all(write_root):
    path = write_root("a.root", {"Events": {"calo_e": CELLS.astype("f4"), "nPV": np.arange(N)}})
    expected = r"no branch 'calo_E' \(did you mean 'calo_e'\?\); there are calo_e, nPV"
    with pytest.raises(ValueError, match=expected):
        column(event_index(path), "calo_E", {})


def test_a_missing_field_of_a_collection_names_the_nearest(data):
    events = event_index(data("coffea_delphes.root"), "Delphes", "delphes")
    with pytest.raises(
        ValueError, match=r"no branch 'Tower.Ehadd' \(did you mean 'Tower.Ehad'\?\); there are "
    ):
        column(events, "Tower.Ehadd", {})


@pytest.mark.parametrize(
    ("name", "meant"), [("tower.Eta", "Tower.Eta"), ("Tower.eta", "Tower.Eta"), ("Tower_eta", "Tower.Eta")]
)
def test_a_name_in_other_letters_is_the_one_that_is_meant(name, meant):
    events = ak.Array([{"Tower": {"Eta": 1.0, "offsets": 3}, "Tower.offsets": 3}])
    with pytest.raises(ValueError, match=rf"no branch '{name}' \(did you mean '{meant}'\?\); there are "):
        column(events, name, {})


@pytest.mark.parametrize("name", ["Eta", "n_cells"])
def test_an_underscore_in_place_of_a_dot_leads_to_the_field(name):
    events = ak.Array([{"calo_hits": [{"Eta": 1.0, "n_cells": 3}]}])
    with pytest.raises(ValueError, match=rf"no branch '.*' \(did you mean 'calo_hits\.{name}'\?\); there are "):
        column(events, f"calo_hits_{name}", {})


def test_a_friend_is_read_entry_by_entry(two_trees):
    events = event_index(two_trees, start=3, stop=7)
    assert column(events, "ev:nPV", {"ev": "aux/Event"}).to_list() == [6, 8, 10, 12]


def test_friends_are_read_in_every_chunk(two_trees):
    def process(events):
        return {"nPV": {events.metadata["entrystart"]: column(events, "ev:nPV", {"ev": "aux/Event"}).to_list()}}

    run = processor.Runner(executor=processor.IterativeExecutor(status=False), schema=BaseSchema, chunksize=3)
    result = run({"toy": {"files": {two_trees: "Events"}}}, process)["nPV"]
    assert len(result) > 1
    assert [n for start in sorted(result) for n in result[start]] == list(range(0, 2 * N, 2))


def test_a_friend_of_a_real_file_is_read(data):
    events = event_index(data("cms_L1Ntuple.root"), "l1CaloTowerEmuTree/L1CaloTowerTree", start=100, stop=103)
    friend = {"ev": "l1EventTree/L1EventTree"}
    assert set(column(events, "ev:Event/run", friend).to_list()) == {320040}
    assert len(column(events, "ev:Event/event", friend)) == 3


@pytest.mark.parametrize(
    ("branch", "problem"),
    [
        pytest.param(
            "ev:nPVs",
            r"friend 'aux/Event' has no branch 'nPVs' \(did you mean 'nPV'\?\); there are run,",
            id="branch",
        ),
        pytest.param("gone:nPV", r"no tree 'aux/Evnt' \(did you mean 'aux/Event'\?\); there are ", id="tree"),
        pytest.param(
            "short:run",
            "friend 'Short' has 11 entries, 'Events' has 10: the entries of a friend are ",
            id="entries",
        ),
    ],
)
def test_a_friend_that_does_not_fit_says_why(two_trees, branch, problem):
    friends = {"ev": "aux/Event", "gone": "aux/Evnt", "short": "Short"}
    with pytest.raises(ValueError, match=problem):
        column(event_index(two_trees), branch, friends)


JOB = {"grids": {"calo": {"dense": {"branch": "x"}, **PLANE}}, "clusters": {"Jet": {"grid": "calo"}}}
WORDS = ("run", "luminosityBlock", "event")


def find(path, start=3, stop=7, **arguments):
    """Return the events of a processor for some entries."""
    return PeakSumProcessor(**{**JOB, **arguments}).find(event_index(path, start=start, stop=stop)).events


def test_the_identity_of_events_comes_from_the_branches_named(two_trees):
    identify = {"run": "ev:run", "luminosityBlock": "ev:lumi", "event": "ev:event"}
    result = find(two_trees, events={"identify": identify}, friends={"ev": "aux/Event"})
    assert [result[word].to_list() for word in WORDS] == [[5] * 4, [3, 4, 5, 6], [103, 104, 105, 106]]
    assert [str(result[word].type.content) for word in WORDS] == ["uint32", "uint32", "uint64"]


def test_events_without_identity_are_named_by_dataset_file_and_entry(two_trees):
    result = find(two_trees, numbers={"toy": {"number": 2, "files": {two_trees: 9}}})
    assert [result[word].to_list() for word in WORDS] == [[2] * 4, [9] * 4, [3, 4, 5, 6]]
    assert [str(result[word].type.content) for word in WORDS] == ["uint32", "uint32", "uint64"]


def test_a_branch_of_lists_identifies_no_event(two_trees):
    identify = {"run": "ev:run", "luminosityBlock": "ev:lumi", "event": "x"}
    problem = r"^identify event: the branch 'x' has several values per entry, expected one number$"
    with pytest.raises(ValueError, match=problem):
        find(two_trees, events={"identify": identify}, friends={"ev": "aux/Event"})


IDENTIFIED = {"run": np.arange(N) + 1, "luminosityBlock": np.arange(N) + 20, "event": np.arange(N) + 300}


def test_without_identify_the_branches_of_the_tree_are_taken(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4"), **IDENTIFIED}})
    result = find(path, numbers={"toy": {"number": 2, "files": {path: 9}}})
    assert [result[word].to_list() for word in WORDS] == [[4, 5, 6, 7], [23, 24, 25, 26], [303, 304, 305, 306]]
    assert [str(result[word].type.content) for word in WORDS] == ["uint32", "uint32", "uint64"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"luminosityBlock": None}, id="one_is_missing"),
        pytest.param({"event": np.arange(N) + 0.5}, id="no_integer"),
        pytest.param({"run": np.ones((N, 2), int)}, id="several_values"),
        pytest.param({"run": ak.Array([[1]] * N)}, id="a_list"),
    ],
)
def test_branches_that_cannot_identify_an_event_are_not_taken(write_root, other):
    branches = {name: values for name, values in {**IDENTIFIED, **other}.items() if values is not None}
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4"), **branches}})
    result = find(path, numbers={"toy": {"number": 2, "files": {path: 9}}})
    assert [result[word].to_list() for word in WORDS] == [[2] * 4, [9] * 4, [3, 4, 5, 6]]


@pytest.mark.parametrize(
    ("identify", "expected"),
    [
        ({"luminosityBlock": 1}, [[4, 5, 6, 7], [1] * 4, [303, 304, 305, 306]]),
        ({"run": 5, "luminosityBlock": 2**32 - 1}, [[5] * 4, [2**32 - 1] * 4, [303, 304, 305, 306]]),
        ({"run": "luminosityBlock"}, [[23, 24, 25, 26], [23, 24, 25, 26], [303, 304, 305, 306]]),
    ],
)
def test_an_identifier_may_be_a_number_or_left_to_the_branch_of_its_name(write_root, identify, expected):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4"), **IDENTIFIED}})
    result = find(path, events={"identify": identify})
    assert [result[word].to_list() for word in WORDS] == expected


@pytest.mark.parametrize(
    ("identify", "message"),
    [
        ({"run": 2**32}, "4294967296 does not fit into uint32, the type of run"),
        ({"event": -1}, "-1 does not fit into uint64, the type of event"),
        ({"event": 2**64}, "18446744073709551616 does not fit into uint64"),
        ({"run": True}, "True is neither the name of a branch nor a whole number"),
        ({"run": 1.0}, "1.0 is neither the name of a branch nor a whole number"),
    ],
)
def test_an_identifier_that_is_neither_a_branch_nor_a_number_is_an_error(identify, message):
    with pytest.raises(ValueError, match=message):
        EventsInput(identify=identify)


def test_branches_of_any_kind_and_tree_can_be_kept(write_root):
    jagged = ak.Array([list(range(n)) for n in range(N)])
    main = {"x": CELLS.astype("f4"), "weight": np.linspace(0, 1, N), "time": jagged}
    path = write_root("a.root", {"Events": main, "aux": {"nPV": np.arange(N, dtype="u1")}})
    result = find(path, events={"keep": ["weight", "time", "ev:nPV"]}, friends={"ev": "aux"})
    assert result.weight.to_list() == main["weight"][3:7].tolist()
    assert result.time.to_list() == jagged[3:7].to_list()
    assert result.nPV.to_list() == [3, 4, 5, 6]


def test_kept_branches_are_named_by_their_last_word():
    kept = EventsInput(keep=["ev:Event/nPV", "Event.Weight", "Vec[3]", "plain"]).kept_names()
    assert list(kept.values()) == ["nPV", "Event_Weight", "Vec_3", "plain"]


def test_only_the_branches_of_the_job_are_read(write_root):
    main = {name: CELLS.astype("f4") for name in ("x", "y", "z")}
    path = write_root("a.root", {"Events": {**main, "weight": np.arange(N), "other": np.arange(N)}})
    log = []
    PeakSumProcessor(**JOB, events={"keep": ["weight"]}).find(
        event_index(path, access_log=log)
    ).events.to_list()
    assert {access.branch for access in log} == {"weight", "x"}


def test_the_entry_whose_identifier_does_not_fit_is_named():
    events = ak.Array([{"run": 1, "luminosityBlock": 1, "event": number} for number in (4.0, 5.5, 6.5)])
    branches = {"run": "run", "luminosityBlock": "luminosityBlock", "event": "event"}
    with pytest.raises(EventError, match=r"identify event: 'event' holds 5\.5, which does not fit") as error:
        event_identity(events, branches, {}, (1, 1))
    assert error.value.event == 1
