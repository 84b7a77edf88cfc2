"""ROOT files in, columns out: every layout that a calorimeter is stored in, through coffea, chunk by chunk."""

import os
import re
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema, NanoEventsFactory
from pydantic import ValidationError

from hep_peaksum import PeakSumProcessor
from hep_peaksum.config.inputs import EventsInput, GridInput
from hep_peaksum.config.paths import expand_files
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.reading.blocks import ranges
from hep_peaksum.reading.columns import column, grid_columns
from hep_peaksum.reading.files import open_file, open_tree, schema_class

N, ROWS, COLS, LAYERS = 10, 4, 6, 3
PLANE = {"rows": {"n": ROWS}, "cols": {"n": COLS}}
RANDOM = np.random.default_rng(1)
CELLS = RANDOM.integers(0, 100, (N, ROWS, COLS))
DEEP = RANDOM.integers(0, 100, (N, LAYERS, ROWS, COLS))
JAGGED = ak.Array(CELLS.reshape(N, -1).astype("f4").tolist())
NESTED = ak.Array(CELLS.astype("f4").tolist())


def read(path, source, tree="Events", schema="base", chunksize=4):
    """Return the cells of every event, and how many hits lie outside, through coffea in several chunks."""
    grid = GridInput.model_validate(source)

    def process(events):
        found = grid_columns(events, grid, {}).sparse_cells(0, len(events))
        cells, n_outside = (found.dense(), found.n_outside) if isinstance(found, Hits) else (found, 0)
        return {"cells": {events.metadata["entrystart"]: cells}, "n_outside": n_outside}

    run = processor.Runner(
        executor=processor.IterativeExecutor(status=False), schema=schema_class(schema), chunksize=chunksize
    )
    found = run({"toy": {"files": {str(path): tree}}}, process)
    return np.concatenate([found["cells"][start] for start in sorted(found["cells"])]), found["n_outside"]


def event_index(path, tree="Events", schema="base", start=0, stop=None, access_log=None):
    """Return the events of a file as coffea hands them to a processor, and the open file."""
    file = open_file(str(path))
    stop = int(open_tree(file, str(path), tree).num_entries) if stop is None else stop
    where = {"dataset": "toy", "filename": str(path), "treename": tree, "entrystart": start, "entrystop": stop}
    return NanoEventsFactory.from_root(
        file,
        treepath=tree,
        schemaclass=schema_class(schema),
        entry_start=start,
        entry_stop=stop,
        metadata=where,
        access_log=access_log,
    ).events()


# -------------------------------------------------------------------------------------------- dense branches


DENSE = [
    pytest.param(CELLS, {"branch": "x"}, CELLS, id="rows_x_cols"),
    pytest.param(CELLS.reshape(N, -1), {"branch": "x"}, CELLS, id="flat"),
    pytest.param(
        np.ascontiguousarray(CELLS.swapaxes(1, 2)),
        {"branch": "x", "axes": ["col", "row"]},
        CELLS,
        id="phi_first",
    ),
    pytest.param(DEEP, {"branch": "x", "axes": ["layer", "row", "col"]}, DEEP, id="layers_untold"),
    pytest.param(
        DEEP.reshape(N, -1),
        {"branch": "x", "shape": [LAYERS, ROWS, COLS], "axes": ["layer", "row", "col"]},
        DEEP,
        id="flat_layers",
    ),
    pytest.param(
        np.ascontiguousarray(DEEP.transpose(0, 3, 2, 1)),
        {"branch": "x", "shape": [COLS, ROWS, LAYERS], "axes": ["col", "row", "layer"]},
        DEEP,
        id="layers_fastest",
    ),
]


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize(("stored", "dense", "expected"), DENSE)
def test_a_fixed_branch_is_read_in_the_order_of_its_axes(write_root, stored, dense, expected, rntuple):
    path = write_root("a.root", {"Events": {"x": stored.astype("f4")}}, rntuple=rntuple)
    cells, n_outside = read(path, {"dense": dense, **PLANE})
    assert cells.dtype == np.float32
    assert cells.tolist() == expected.tolist()
    assert n_outside == 0


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "?", "f8", "i4", "u1", "i8"])
def test_every_type_of_number_is_read_as_it_is(write_root, dtype, rntuple):
    stored = CELLS.astype(dtype)
    path = write_root("a.root", {"Events": {"x": stored}}, rntuple=rntuple)
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE})
    assert cells.dtype == stored.dtype
    assert cells.tolist() == stored.tolist()


@pytest.mark.parametrize(
    ("stored", "rntuple"),
    [
        pytest.param(JAGGED, False, id="counted_array"),
        pytest.param(JAGGED, True, id="vector"),
        pytest.param(NESTED, True, id="vector_of_vectors"),
    ],
)
def test_a_branch_of_lists_that_all_have_one_length_is_a_grid(write_root, stored, rntuple):
    path = write_root("a.root", {"Events": {"x": stored}}, rntuple=rntuple)
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE})
    assert cells.tolist() == CELLS.tolist()


def test_the_shape_of_a_branch_makes_axes_of_bare_indices(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4")}})
    cells, _ = read(path, {"dense": {"branch": "x", "shape": [ROWS, COLS]}})
    assert cells.tolist() == CELLS.tolist()


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize(
    "stored", [pytest.param(CELLS.astype("f4"), id="fixed"), pytest.param(JAGGED, id="lists")]
)
def test_a_tree_without_entries_gives_no_grids_of_the_right_shape(write_root, stored, rntuple):
    path = write_root("a.root", {"Events": {"x": stored[:0]}}, rntuple=rntuple)
    cells, _ = read(path, {"dense": {"branch": "x"}, **PLANE})
    assert cells.shape == (0, ROWS, COLS)


def test_a_geant4_vector_is_read_though_its_tree_counts_in_floats(data):
    path = data("g4B5_elec100.root")
    events = event_index(path, "B5", stop=50)
    grid = GridInput.model_validate({"dense": {"branch": "ECEnergyVector", "shape": [20, 4]}})
    cells = grid_columns(events, grid, {}).cells(10, 50)
    expected = uproot.open(path)["B5"]["ECEnergyVector"].array(entry_start=10, entry_stop=50)
    assert cells.reshape(40, 80).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        pytest.param(
            [[[1, 2], [3, 4]]] * 2 + [[[1, 2], [3]]], "x: 1 values where the grid needs 2", id="short_row"
        ),
        pytest.param(
            [[[1, 2], [3, 4]]] * 2 + [[[1, 2]]], "x: 1 values where the grid needs 2", id="too_few_rows"
        ),
        pytest.param([[1, 2, 3, 4]] * 2 + [[1, 2, 3]], "x: 3 values where the grid needs 4", id="flat"),
        pytest.param([[1, 2, 3, 4]] * 2 + [[]], "x: 0 values where the grid needs 4", id="empty"),
    ],
)
def test_ragged_rows_where_a_grid_was_promised_name_branch_and_event(write_root, lists, problem):
    path = write_root("a.root", {"Events": {"x": ak.values_astype(ak.Array(lists), "f4")}}, rntuple=True)
    grid = GridInput.model_validate({"dense": {"branch": "x", "shape": [2, 2]}})
    columns = grid_columns(event_index(path), grid, {})
    assert columns.cells(0, 2).shape == (2, 2, 2)
    with pytest.raises(EventError) as error:
        columns.cells(1, 3)
    assert error.value.event == 2
    assert error.value.problem == problem


def test_a_branch_of_another_shape_than_the_grid_says_both(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4")}})
    grid = GridInput.model_validate({"dense": {"branch": "x"}, "rows": {"n": COLS}, "cols": {"n": ROWS}})
    said = re.escape("x: the array has (4, 6) cells an event, the grid needs (6, 4) (row, col)")
    with pytest.raises(ValueError, match=said):
        grid_columns(event_index(path), grid, {}).cells(0, N)


# ------------------------------------------------------------------------------------------------------ hits


HITS = ak.Array(
    [
        [{"r": 0, "c": 0, "e": 1}, {"r": 3, "c": 5, "e": 2}],
        [],
        [{"r": 1, "c": 2, "e": 3}, {"r": 1, "c": 2, "e": 4}],  # two hits in one cell add
        [{"r": 2, "c": 5, "e": 30_000}, {"r": 2, "c": 5, "e": 30_000}],  # more than int16 holds
        [{"r": 9, "c": 0, "e": 5}, {"r": 0, "c": 1, "e": 6}],  # one lies outside
    ]
)
EXPECTED = np.zeros((5, ROWS, COLS))
for _event, _row, _col, _energy in [(0, 0, 0, 1), (0, 3, 5, 2), (2, 1, 2, 7), (3, 2, 5, 60_000), (4, 0, 1, 6)]:
    EXPECTED[_event, _row, _col] = _energy


@pytest.mark.parametrize("rntuple", [False, True], ids=["ttree", "rntuple"])
@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "f8"])
@pytest.mark.parametrize(
    ("row", "col", "axes"),
    [
        pytest.param(HITS.r, HITS.c, PLANE, id="indices"),
        pytest.param(
            HITS.r - 2 + (HITS.r >= 2),
            HITS.c + 1,
            {"rows": {"labels": "-2..-1, 1..2"}, "cols": {"labels": "1..6"}},
            id="labels",
        ),
        pytest.param(
            HITS.r * 0.5 - 0.9,
            HITS.c * 0.1 + 0.05,
            {"rows": {"bins": ROWS, "start": -1, "stop": 1}, "cols": {"bins": COLS, "start": 0, "stop": 0.6}},
            id="coordinates",
        ),
        pytest.param(
            HITS.r * 0.5 - 0.9,
            HITS.c * (np.pi / 3) + 0.1 - 2 * np.pi * (HITS.c > 2),
            {
                "rows": {"edges": [-1, -0.5, 0, 0.5, 1]},
                "cols": {"name": "phi", "bins": COLS, "start": 0, "stop": "2pi", "periodic": True},
            },
            id="phi_the_other_way_round",
        ),
    ],
)
def test_hits_are_placed_added_and_counted_when_outside(write_root, row, col, axes, dtype, rntuple):
    hits = {"row": row, "col": col, "e": ak.values_astype(HITS.e, dtype)}
    branches = {f"hit_{k}": v for k, v in hits.items()} if rntuple else {"hit": ak.zip(hits)}
    path = write_root("a.root", {"Events": branches}, rntuple=rntuple)
    source = {"hits": {"row": "hit_row", "col": "hit_col", "value": "hit_e"}, **axes}
    cells, n_outside = read(path, source, chunksize=2)
    assert cells.dtype == (np.float64 if dtype[0] == "f" else np.int64)
    assert cells.tolist() == EXPECTED.tolist()
    assert n_outside == 1


def test_hits_with_fewer_rows_than_energies_name_the_event(write_root):
    branches = {"r": ak.Array([[0], [1]]), "c": ak.Array([[0], [1]]), "e": ak.Array([[1.0], [1.0, 2.0]])}
    path = write_root("a.root", {"Events": branches})
    grid = GridInput.model_validate({"hits": {"row": "r", "col": "c", "value": "e"}, **PLANE})
    with pytest.raises(EventError, match="event 1: r, c, e: 1 values of row for 2 hits"):
        grid_columns(event_index(path), grid, {}).cells(0, 2)


# --------------------------------------------------------------------------------------------------- schemas


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


def test_a_schema_that_is_neither_is_told():
    with pytest.raises(
        ValidationError, match="'nanoAOD' is none of base, nanoaod, delphes, edm4hep, nor module"
    ):
        EventsInput.model_validate({"schema": "nanoAOD"})


@pytest.mark.filterwarnings("ignore:Missing cross-reference:RuntimeWarning")
def test_nanoaod_makes_collections_of_branches(write_root):
    words = dict.fromkeys(("run", "luminosityBlock", "event"), np.arange(N, dtype="u8"))
    path = write_root("a.root", {"Events": {**words, "Calo_x": CELLS.astype("f4")}})
    cells, _ = read(path, {"dense": {"branch": "Calo.x"}, **PLANE}, schema="nanoaod")
    assert cells.tolist() == CELLS.tolist()


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


# ---------------------------------------------------------------------------------------- branches and friends


def test_a_missing_branch_names_the_nearest_and_those_that_exist(write_root):
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


@pytest.fixture
def two_trees(write_root):
    """Return a file of a tree and friends of it: one of the same entries, one of others."""
    main = {"x": CELLS.astype("f4")}
    same = {
        "run": np.full(N, 5),
        "lumi": np.arange(N),
        "event": np.arange(100, 100 + N),
        "nPV": np.arange(N) * 2,
    }
    other = {"run": np.arange(N + 1)}
    return write_root("a.root", {"Events": main, "aux/Event": same, "Short": other})


def test_a_friend_is_read_entry_by_entry(two_trees):
    events = event_index(two_trees, start=3, stop=7)
    assert column(events, "ev:nPV", {"ev": "aux/Event"}).to_list() == [6, 8, 10, 12]


def test_friends_are_read_in_every_chunk(two_trees):
    def process(events):
        return {"nPV": {events.metadata["entrystart"]: column(events, "ev:nPV", {"ev": "aux/Event"}).to_list()}}

    run = processor.Runner(executor=processor.IterativeExecutor(status=False), schema=BaseSchema, chunksize=3)
    found = run({"toy": {"files": {two_trees: "Events"}}}, process)["nPV"]
    assert len(found) > 1
    assert [n for start in sorted(found) for n in found[start]] == list(range(0, 2 * N, 2))


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
            "friend 'Short' has 11 entries, 'Events' has 10: the numbers must be equal",
            id="entries",
        ),
    ],
)
def test_a_friend_that_does_not_fit_says_why(two_trees, branch, problem):
    friends = {"ev": "aux/Event", "gone": "aux/Evnt", "short": "Short"}
    with pytest.raises(ValueError, match=problem):
        column(event_index(two_trees), branch, friends)


# ------------------------------------------------------------------------------ identity, and what is kept


JOB = {"grids": {"calo": {"dense": {"branch": "x"}, **PLANE}}, "clusters": {"Jet": {"grid": "calo"}}}
WORDS = ("run", "luminosityBlock", "event")


def find(path, start=3, stop=7, **arguments):
    """Return what a processor finds in some entries, as records."""
    return PeakSumProcessor(**{**JOB, **arguments}).find(event_index(path, start=start, stop=stop)).events


def test_the_identity_of_events_comes_from_the_branches_named(two_trees):
    identify = {"run": "ev:run", "luminosityBlock": "ev:lumi", "event": "ev:event"}
    found = find(two_trees, events={"identify": identify}, friends={"ev": "aux/Event"})
    assert [found[word].to_list() for word in WORDS] == [[5] * 4, [3, 4, 5, 6], [103, 104, 105, 106]]
    assert [str(found[word].type.content) for word in WORDS] == ["uint32", "uint32", "uint64"]


def test_events_without_identity_are_named_by_dataset_file_and_entry(two_trees):
    found = find(two_trees, numbers={"toy": {"number": 2, "files": {two_trees: 9}}})
    assert [found[word].to_list() for word in WORDS] == [[2] * 4, [9] * 4, [3, 4, 5, 6]]
    assert [str(found[word].type.content) for word in WORDS] == ["uint32", "uint32", "uint64"]


def test_an_incomplete_identity_is_told():
    with pytest.raises(ValidationError, match="luminosityBlock is missing"):
        EventsInput(identify={"run": "run", "event": "event"})


def test_branches_are_kept_whatever_their_kind_and_wherever_they_are(write_root):
    jagged = ak.Array([list(range(n)) for n in range(N)])
    main = {"x": CELLS.astype("f4"), "weight": np.linspace(0, 1, N), "time": jagged}
    path = write_root("a.root", {"Events": main, "aux": {"nPV": np.arange(N, dtype="u1")}})
    found = find(path, events={"keep": ["weight", "time", "ev:nPV"]}, friends={"ev": "aux"})
    assert found.weight.to_list() == main["weight"][3:7].tolist()
    assert found.time.to_list() == jagged[3:7].to_list()
    assert found.nPV.to_list() == [3, 4, 5, 6]


def test_kept_branches_are_called_by_their_last_word():
    kept = EventsInput(keep=["ev:Event/nPV", "Event.Weight", "Vec[3]", "plain"]).kept_names()
    assert list(kept.values()) == ["nPV", "Event_Weight", "Vec_3", "plain"]


def test_only_the_branches_of_the_job_are_read(write_root):
    main = {name: CELLS.astype("f4") for name in ("x", "y", "z")}
    path = write_root("a.root", {"Events": {**main, "weight": np.arange(N), "other": np.arange(N)}})
    log = []
    PeakSumProcessor(**JOB, events={"keep": ["weight"]}).find(
        event_index(path, access_log=log)
    ).events.to_list()
    assert {access.branch for access in log} == {"weight"}  # the grid is read from the file itself


@pytest.mark.parametrize("basket", [1, 2, 7, 100])
@pytest.mark.parametrize("step", [1, 3, 100])
def test_a_chunk_is_read_basket_by_basket_and_each_basket_once(tmp_path, monkeypatch, basket, step):
    cells = np.arange(50 * ROWS * COLS, dtype="f4").reshape(50, ROWS, COLS)
    with uproot.recreate(tmp_path / "a.root") as root:
        root.mktree("Events", {"x": ("f4", (ROWS, COLS))})
        for start in range(0, 50, basket):
            root["Events"].extend({"x": cells[start : start + basket]})
    events = event_index(tmp_path / "a.root", start=5, stop=45)
    grid = GridInput.model_validate({"dense": {"branch": "x"}, "rows": {"n": ROWS}, "cols": {"n": COLS}})
    columns = grid_columns(events, grid, {})
    pieces = ranges([columns], 40, step)
    read, decompress = [], uproot.models.TBasket.Model_TBasket.read_members

    def noted(self, chunk, cursor, context, file):
        decompress(self, chunk, cursor, context, file)
        read.append(self)

    monkeypatch.setattr(uproot.models.TBasket.Model_TBasket, "read_members", noted)
    found = [columns.read(*piece).cells(0, piece[1] - piece[0]) for piece in pieces]
    assert np.array_equal(np.concatenate(found), cells[5:45])
    assert [start for start, _ in pieces] == [0, *(stop for _, stop in pieces[:-1])]
    assert all(stop - start < step + 2 * basket for start, stop in pieces)
    assert len(read) == len({start // basket for start in range(5, 45)})


# ----------------------------------------------------------------------------------------------- the files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of four files, in which the test stands."""
    for name in ("b.root", "a.root", "deep/c.root", "other.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        pytest.param(["b.root", "a.root"], ["b.root", "a.root"], id="as_they_are_listed"),
        pytest.param(["*.root"], ["a.root", "b.root"], id="glob_is_sorted"),
        pytest.param(["b.root", "*.root"], ["b.root", "a.root"], id="none_twice"),
        pytest.param(["**/*.root"], ["a.root", "b.root", "deep/c.root"], id="recursive"),
        pytest.param(["[ab].root"], ["a.root", "b.root"], id="brackets"),
        pytest.param(["$FOLDER/a.root"], ["{folder}/a.root"], id="environment"),
        pytest.param(["${FOLDER}/*.root"], ["{folder}/a.root", "{folder}/b.root"], id="environment_in_braces"),
        pytest.param(["~/a.root"], ["{folder}/a.root"], id="home"),
        pytest.param(
            ["root://eos.cern.ch//store/*.root", "https://x.org/a.root"],
            ["root://eos.cern.ch//store/*.root", "https://x.org/a.root"],
            id="remote_urls_are_left_alone",
        ),
    ],
)
def test_files_are_expanded_sorted_and_none_comes_twice(folder, monkeypatch, patterns, expected):
    monkeypatch.setenv("FOLDER", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    found = expand_files(dict.fromkeys(patterns, "Events"))
    assert list(found) == [path.format(folder=folder) for path in expected]
    assert set(found.values()) == {"Events"}


@pytest.mark.parametrize("second", ["./a.root", "deep/../a.root", "{folder}/a.root"])
def test_one_file_under_two_names_comes_once(folder, second):
    assert list(expand_files({"a.root": "Events", second.format(folder=folder): "Events"})) == ["a.root"]


@pytest.mark.parametrize("name", ["a[1].root", "a b.root", "a:b.root", "a#b.root"])
def test_a_file_may_have_a_name_that_means_something_else_elsewhere(folder, name):
    (folder / name).touch()
    assert expand_files({name: "Events"}) == {name: "Events"}


def test_a_tree_belongs_to_its_pattern(folder):
    assert expand_files({"a.root": "A", "deep/*": "C"}) == {"a.root": "A", str(Path("deep/c.root")): "C"}


@pytest.mark.parametrize(
    ("pattern", "error", "problem"),
    [
        pytest.param("gone.root", FileNotFoundError, "there is no file 'gone.root' .seen from ", id="missing"),
        pytest.param("*.gone", FileNotFoundError, "no file matches '\\*.gone' .seen from ", id="empty_glob"),
        pytest.param("deep", FileNotFoundError, "there is no file 'deep'", id="a_folder"),
        pytest.param("$NOT_SET/a.root", ValueError, "environment variable that is not set", id="not_set"),
    ],
)
def test_files_that_are_not_there_are_told(folder, pattern, error, problem):
    os.environ.pop("NOT_SET", None)
    with pytest.raises(error, match=problem):
        expand_files({pattern: "Events"})


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is no ROOT file, but it is long enough to be looked at" * 9, id="garbage"),
        pytest.param(b"", id="empty"),
        pytest.param(b"ro", id="two_bytes"),
    ],
)
def test_a_file_that_is_no_root_file_is_named(tmp_path, content):
    path = tmp_path / "a.root"
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"a\.root: cannot be read as a ROOT file"):
        open_file(str(path))


def test_a_file_cut_short_is_named(write_root, tmp_path):
    whole = Path(write_root("a.root", {"Events": {"x": CELLS.astype("f4")}})).read_bytes()
    (tmp_path / "cut.root").write_bytes(whole[:100])
    with pytest.raises(OSError, match=r"cut\.root: cannot be read as a ROOT file"):
        open_file(str(tmp_path / "cut.root"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param(
            "Evnts", r"no tree 'Evnts' \(did you mean 'Events'\?\); there are Events, aux/Event", id="missing"
        ),
        pytest.param("aux", "no tree 'aux'.*; there are Events, aux/Event, Short", id="a_folder"),
        pytest.param("aux/Event/run", "no tree 'aux/Event/run'", id="below_a_tree"),
    ],
)
def test_a_tree_that_is_not_there_lists_those_that_are(two_trees, name, problem):
    with pytest.raises(ValueError, match=problem):
        open_tree(open_file(two_trees), two_trees, name)


def test_an_rntuple_is_a_tree(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4")}}, rntuple=True)
    assert open_tree(open_file(path), path, "Events").num_entries == N
    with pytest.raises(ValueError, match="there are Events"):
        open_tree(open_file(path), path, "Runs")
