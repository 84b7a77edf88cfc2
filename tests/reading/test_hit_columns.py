"""Hits of real files by coordinates, ids and conditions: the cells of plain loops over the same files."""

import math
import re

import awkward as ak
import numpy as np
import pytest
import uproot
from event_files import event_index, read
from plain_hits import plain_cells

from hep_peaksum.geometry.grid import EventError
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.reading.columns import column
from hep_peaksum.reading.files import open_file
from hep_peaksum.reading.hit_columns import grid_columns, read_encodings

SCFI = "EcalBarrelScFiHits"
POSITION = [f"{SCFI}.position.{word}" for word in "xyz"]
N_ETA, N_PHI, ETA = 40, 128, (-1.0, 1.0)
PLANE = {
    "rows": {"name": "eta", "bins": N_ETA, "start": ETA[0], "stop": ETA[1]},
    "cols": {"name": "phi", "bins": N_PHI, "start": "-pi", "stop": "pi", "periodic": True},
}
LAYER = {"bits": f"{SCFI}.cellID", "field": "layer", "encoding": {"from_file": SCFI}}


@pytest.fixture(scope="module")
def eic(data):
    return str(data("eic_test_sim.edm4hep.root"))


@pytest.fixture(scope="module")
def eic_events(eic):
    return event_index(eic, "events")


@pytest.fixture(scope="module")
def eic_hits(eic):
    """Return x, y, z, energy and id of every hit of every event, as Python's own numbers."""
    names = [*POSITION, f"{SCFI}.energy", f"{SCFI}.cellID"]
    with uproot.open(eic) as file:
        columns = [file["events"][name].array().to_list() for name in names]
    return [list(zip(*event, strict=True)) for event in zip(*columns, strict=True)]


def filled(events, source):
    """Return the cells of events, and the number of hits outside."""
    hits = grid_columns(events, GridInput.model_validate(source), {}).sparse_cells(0, len(events))
    return hits.dense(), hits.n_outside


def in_eta_phi(hit):
    x, y, z, energy, _ = hit
    row = math.floor((math.asinh(z / math.sqrt(x * x + y * y)) - ETA[0]) / (ETA[1] - ETA[0]) * N_ETA)
    col = math.floor((math.atan2(y, x) + math.pi) / (2 * math.pi) * N_PHI) % N_PHI
    return (row, col, energy) if 0 <= row < N_ETA else None


@pytest.mark.parametrize(
    "hits",
    [
        {"row": {"eta": POSITION}, "col": {"phi": POSITION[:2]}, "value": f"{SCFI}.energy"},
        {"row": {"eta": f"{SCFI}.position"}, "col": {"phi": POSITION}, "value": f"{SCFI}/{SCFI}.energy"},
    ],
    ids=["three_branches", "a_vector"],
)
def test_hits_of_a_barrel_fill_eta_and_phi(eic, eic_hits, hits):
    cells, n_outside = read(eic, {"hits": hits, **PLANE}, tree="events", chunksize=2)
    assert cells.tolist() == plain_cells(eic_hits, in_eta_phi, N_ETA, N_PHI)
    assert n_outside == 0
    assert sum(map(len, eic_hits)) == 2091


def test_an_origin_moves_the_hits(eic_events, eic_hits):
    origin = [10.0, -20.0, 500.0]
    hits = {
        "row": {"eta": POSITION, "origin": origin},
        "col": {"phi": POSITION, "origin": origin},
        "value": f"{SCFI}.energy",
    }
    cells, n_outside = filled(eic_events, {"hits": hits, **PLANE})

    def moved(hit):
        return in_eta_phi((*(v - v0 for v, v0 in zip(hit, origin, strict=False)), *hit[3:]))

    assert cells.tolist() == plain_cells(eic_hits, moved, N_ETA, N_PHI)
    assert n_outside == sum(moved(hit) is None for event in eic_hits for hit in event)


def test_transverse_energies_and_counts_are_values(eic_events, eic_hits):
    place = {"row": {"eta": POSITION}, "col": {"phi": POSITION}}
    energy = {"et": [f"{SCFI}.energy", *POSITION]}
    energies, _ = filled(eic_events, {"hits": {**place, "value": energy}, **PLANE})

    def transverse(hit):
        x, y, z, energy, _ = hit
        row, col, _ = in_eta_phi(hit)
        rho = math.sqrt(x * x + y * y)
        return row, col, energy * (rho / math.sqrt(x * x + y * y + z * z))

    assert energies.tolist() == plain_cells(eic_hits, transverse, N_ETA, N_PHI)
    counts, _ = filled(eic_events, {"hits": {**place, "value": 1}, **PLANE})
    assert counts.dtype == np.int64
    assert counts.tolist() == plain_cells(eic_hits, lambda hit: (*in_eta_phi(hit)[:2], 1), N_ETA, N_PHI)


def test_properties_of_a_schema_are_coordinates(eic, eic_hits):
    hits = {"row": f"{SCFI}.position.eta", "col": f"{SCFI}.position.phi", "value": f"{SCFI}.E"}
    cells, _ = filled(event_index(eic, "events", schema="edm4hep"), {"hits": hits, **PLANE})
    expected = np.array(plain_cells(eic_hits, in_eta_phi, N_ETA, N_PHI))
    # coffea works in float32, so that a hit at an edge may be on its other side
    assert np.count_nonzero(cells != expected) <= 2
    assert cells.sum() == pytest.approx(expected.sum())


def test_what_awkward_gives_every_array_is_no_property(eic):
    events = event_index(eic, "events", schema="edm4hep")
    for name in ("layout", "nbytes", "fields"):
        with pytest.raises(ValueError, match=f"no branch '{SCFI}.{name}'"):
            column(events, f"{SCFI}.{name}", {})


def test_layers_are_read_from_ids_by_the_encoding_of_the_file(eic_events, eic_hits):
    """The number of layers, and where they lie, are facts of the detector: 12, from 848 mm outwards."""
    hits = {"row": LAYER, "col": {"rho": POSITION}, "value": 1}
    plane = {"rows": {"labels": "1..12"}, "cols": {"name": "rho", "bins": 600, "start": 700, "stop": 1300}}
    cells, n_outside = filled(eic_events, {"hits": hits, **plane})

    def place(hit):
        x, y, _, _, cell_id = hit
        return (cell_id >> 14) % 64 - 1, math.floor(math.sqrt(x * x + y * y) - 700), 1

    assert n_outside == 0
    assert cells.tolist() == plain_cells(eic_hits, place, 12, 600)
    by_layer = cells.sum(axis=0)
    assert by_layer.sum() == 2091
    radii = by_layer @ (np.arange(600) + 700.5) / by_layer.sum(axis=1)
    assert (np.diff(radii) > 0).all()
    assert radii[[0, -1]].tolist() == pytest.approx([861, 1181], abs=1)


def test_a_written_encoding_is_that_of_the_file(eic, eic_events, eic_hits):
    written = "system:0:8,sector:8:6,layer:14:6,slice:20:4,grid:24:10,fiber:34:16,z:50:-14"
    with open_file(eic) as file:
        assert read_encodings(file, eic, [SCFI]) == {SCFI: written}
    ids = {"bits": f"{SCFI}.cellID"}
    hits = {
        "row": {**ids, "field": "layer", "encoding": written},
        "col": {**ids, "field": "sector"},
        "value": 1,
    }
    hits["col"]["encoding"] = "system:8,sector:6,layer:6"
    plane = {"rows": {"labels": "1..12"}, "cols": {"labels": "1..48", "periodic": True}}
    cells, _ = filled(eic_events, {"hits": hits, **plane})

    def place(hit):
        sector = (hit[-1] >> 8) % 64
        return ((hit[-1] >> 14) % 64 - 1, sector - 1, 1) if 1 <= sector <= 48 else None

    assert cells.tolist() == plain_cells(eic_hits, place, 12, 48)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("EcalBarrelScFiHit", r"no encoding of 'EcalBarrelScFiHit' \(did you mean 'EcalBarrelScFiHits'\?\)"),
        ("Nothing", "the tree 'metadata' has no encoding of 'Nothing'; there are .* and .. more$"),
    ],
)
def test_an_encoding_that_is_not_in_the_file_is_refused(eic, name, problem):
    with open_file(eic) as file, pytest.raises(ValueError, match=problem):
        read_encodings(file, eic, [name])


def test_a_file_without_the_tree_of_encodings_is_refused(data):
    path = str(data("ldmx_ecal_100.root"))
    with open_file(path) as file, pytest.raises(ValueError, match="no tree 'metadata'"):
        read_encodings(file, path, [SCFI])


def test_events_that_are_in_memory_have_no_encoding():
    source = GridInput.model_validate(
        {"hits": {"row": LAYER, "col": "c", "value": "e"}, "rows": {"n": 12}, "cols": {"n": 3}}
    )
    events = ak.Array({f"{SCFI}.cellID": [[1]], "c": [[1]], "e": [[1.0]]})
    with pytest.raises(ValueError, match="the encoding is in the file of the events: pass a chunk"):
        grid_columns(events, source, {})


ECAL = "EcalRecHits_sim"
XY = {
    "rows": {"name": "y", "bins": 25, "start": -250, "stop": 250},
    "cols": {"name": "x", "bins": 25, "start": -250, "stop": 250},
}


@pytest.fixture(scope="module")
def ldmx(data):
    return event_index(str(data("ldmx_ecal_100.root")), "LDMX_Events")


def test_bits_of_a_32_bit_id_and_conditions_pick_layers(ldmx):
    """Layers of LDMX are bits 17 to 22; noise hits, and hits below 1 MeV, are left out."""
    bits = {"bits": f"{ECAL}.id_", "first": 17, "last": 22}
    where = [{"branch": f"{ECAL}.isNoise_", "equals": False}, {"branch": f"{ECAL}.energy_", "above": 10}]
    source = {"hits": {"row": bits, "col": f"{ECAL}.xpos_", "value": f"{ECAL}.energy_"}, "where": where}
    cells, n_outside = filled(ldmx, {**source, "rows": {"n": 34}, "cols": XY["cols"]})
    expected = np.zeros((100, 34, 25))
    names = [f"{ECAL}/{ECAL}.{word}" for word in ("id_", "xpos_", "energy_", "isNoise_")]
    columns = [ldmx[name].to_list() for name in names]
    n_left_out = 0
    for event, hits in enumerate(zip(*columns, strict=True)):
        for cell_id, x, energy, is_noise in zip(*hits, strict=True):
            if is_noise or energy <= 10:
                n_left_out += 1
                continue
            expected[event][(cell_id // 2**17) % 2**6][math.floor((x + 250) / 20)] += energy
    assert n_left_out > 1000
    assert cells.tolist() == expected.tolist()
    assert n_outside == 0, "what a condition leaves out does not lie outside"


def test_sections_of_one_collection_are_grids_of_their_own(ldmx):
    hcal = "HcalRecHits_sim"
    hits = {"row": f"{hcal}.layer_", "col": f"{hcal}.strip_", "value": 1}
    plane = {"rows": {"labels": "1..19"}, "cols": {"n": 62}}
    counts = []
    for section in range(5):
        where = [{"branch": f"{hcal}.section_", "equals": section}]
        cells, n_outside = filled(ldmx, {"hits": hits, "where": where, **plane})
        counts.append(int(cells.sum()) + n_outside)
    assert counts == [5, 27, 32, 20, 20]


def test_branches_of_different_hits_are_refused_with_the_event(ldmx):
    source = {"hits": {"row": f"{ECAL}.ypos_", "col": f"{ECAL}.xpos_", "value": f"{ECAL}.energy_"}, **XY}
    source["where"] = [{"branch": "HcalRecHits_sim.energy_", "min": 0}]
    columns = grid_columns(ldmx, GridInput.model_validate(source), {})
    with pytest.raises(EventError, match=r"event 0: .*: \d+ values of HcalRecHits_sim.energy_ for \d+ of row"):
        columns.sparse_cells(0, 100)


def test_a_branch_is_found_by_the_end_of_its_name(ldmx):
    assert column(ldmx, "eventNumber_", {}).to_list() == list(range(1, 101))
    assert len(column(ldmx, f"{ECAL}.id_", {})) == 100
    with pytest.raises(ValueError, match="no branch 'second'"):
        column(ldmx, "second", {})


HITS = {
    "row": ak.Array([[0, 1], [], [1]]),
    "col": ak.Array([[2, 0], [], [1]]),
    "e": ak.Array([[1.5, 2], [], [4]]),
}
FUNCTION_PLANE = {"rows": {"n": 2}, "cols": {"n": 3}}


def test_a_function_of_the_user_makes_the_hits(write_root, monkeypatch, tmp_path):
    (tmp_path / "ownhits.py").write_text(
        "def double(events):\n    return events['row'], events['col'], events['e'] * 2\n"
        "def short(events):\n    return events['row'], events['col']\n"
        "def fewer(events):\n    return events['row'][1:], events['col'][1:], events['e'][1:]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = write_root("a.root", {"Events": HITS})
    cells, _ = read(path, {"hits": "ownhits:double", **FUNCTION_PLANE}, chunksize=2)
    assert cells.tolist() == [[[0, 0, 3], [4, 0, 0]], [[0] * 3] * 2, [[0, 0, 0], [0, 8, 0]]]
    where = [{"branch": "e", "above": 1.5}]
    cells, _ = read(path, {"hits": "ownhits:double", "where": where, **FUNCTION_PLANE}, chunksize=2)
    assert cells.sum(axis=(1, 2)).tolist() == [4, 0, 8]
    for name, problem in {
        "ownhits:short": "ownhits:short returns 2 values, expected row, col, value, each a jagged array",
        "ownhits:fewer": "ownhits:fewer returns 1 lists of row for 2 events: return one each",
        "ownhits:none": "ownhits:none cannot be imported (AttributeError: ",
        "nowhere:hits": "nowhere:hits cannot be imported (ModuleNotFoundError: ",
    }.items():
        source = GridInput.model_validate({"hits": name, **FUNCTION_PLANE})
        with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
            grid_columns(event_index(path, stop=2), source, {})


@pytest.mark.parametrize("how", ["each", "sum"])
def test_hits_lie_in_the_layer_that_a_branch_names(write_root, how):
    hits = {"row": [[0, 1, 0], [], [1]], "col": [[0, 2, 0], [], [1]], "layer": [[5, 7, 6], [], [8]]}
    columns = {name: ak.Array(lists) for name, lists in {**hits, "e": [[1, 2, 4], [], [8]]}.items()}
    path = write_root("a.root", {"Events": columns})
    source = {
        "hits": {"row": "row", "col": "col", "value": "e", "layer": "layer"},
        "rows": {"n": 2},
        "cols": {"n": 3},
        "depth": {"labels": "5..7"},
        "layers": how,
    }
    expected = np.zeros((3, 3, 2, 3), int)
    expected[0, 0, 0, 0], expected[0, 2, 1, 2], expected[0, 1, 0, 0] = 1, 2, 4
    cells, n_outside = filled(event_index(path, "Events"), source)
    assert n_outside == 1  # layer 8
    assert cells.tolist() == expected.tolist()
