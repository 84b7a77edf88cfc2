"""Proposals for ROOT files: every kind of calorimeter that is common, and nothing for other files."""

import time
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from long_tests import LONG

from hep_peaksum.config.load import parse_config
from hep_peaksum.inspection import files
from hep_peaksum.inspection.candidates import Candidate, choose, config_text, proposed_config
from hep_peaksum.inspection.files import inspect_file
from hep_peaksum.lattices.id_parts import IdParts, decimal_digits, id_sections, ranges_of
from hep_peaksum.naming.branches import Branch, Tree, split_name
from hep_peaksum.naming.groups import Group
from hep_peaksum.naming.identity import Identity

RANDOM = np.random.default_rng(11)
N = 30


def jagged(values, counts):
    return ak.unflatten(np.asarray(values), counts)


def hits(n_hits=None):
    """Return integer labels and energies, three to seven hits per event."""
    counts = RANDOM.integers(3, 8, N) if n_hits is None else np.full(N, n_hits)
    total = int(counts.sum())
    ieta = RANDOM.choice([n for n in range(-3, 4) if n], total)
    iphi = RANDOM.integers(1, 9, total)
    if total:
        ieta[:6], iphi[:8] = [-3, -2, -1, 1, 2, 3], range(1, 9)
    return {
        "hit_ieta": jagged(ieta.astype("int16"), counts),
        "hit_iphi": jagged(iphi.astype("int16"), counts),
        "hit_iet": jagged(RANDOM.integers(0, 99, total).astype("int16"), counts),
    }


def towers():
    counts = RANDOM.integers(3, 8, N)
    total = int(counts.sum())
    eta = RANDOM.uniform(-2.4, 2.4, total)
    eta[0] = 2.4
    return {
        "tower_eta": jagged(eta.astype("float32"), counts),
        "tower_phi": jagged(RANDOM.uniform(-3.1, 3.1, total).astype("float32"), counts),
        "tower_energy": jagged(RANDOM.exponential(5, total).astype("float32"), counts),
    }


FIXED = {"calo_e": RANDOM.normal(size=(N, 6, 4)).astype("float32"), "event": np.arange(N)}
FLAT = {"ECEnergyVector": jagged(RANDOM.normal(size=N * 80), np.full(N, 80)), "event": np.arange(N)}
LAYERS = {"Eabs": RANDOM.normal(size=(N, 3, 6, 4))}


@pytest.fixture
def write(tmp_path):
    def write_trees(**trees):
        path = tmp_path / "some.root"
        with uproot.recreate(path) as file:
            for name, branches in trees.items():
                file.mktree(name, {key: types(value) for key, value in branches.items()})
                file[name].extend(branches)
        return str(path)

    return write_trees


def types(value):
    return value.type.content if isinstance(value, ak.Array) else np.dtype((value.dtype, value.shape[1:]))


def inspected(path):
    """Return what a file holds; every proposal is a valid config, and its text says the same."""
    found = inspect_file(path)
    for candidate in found.candidates:
        proposed = proposed_config(path, {"calo": candidate})
        parse_config(proposed)
        assert yaml.safe_load(config_text(path, {"calo": candidate})) == proposed
    return found.trees, found.candidates


def test_a_branch_of_fixed_shape_is_a_grid(write):
    trees, (candidate,) = inspected(write(Events=FIXED))
    assert trees == {"Events": N}
    assert candidate[:6] == (
        *("Events", N, ("calo_e",), "6 x 4 cells per entry"),
        {"dense": {"branch": "calo_e", "shape": [6, 4], "axes": ["row", "col"]}},
        N * 6 * 4,
    )


def test_cells_that_are_hit_or_not_are_a_grid_and_a_list_of_flags_is_none(write):
    is_hit = FIXED["calo_e"] > 0
    _, (candidate,) = inspected(
        write(Events={"calo_hit": is_hit, "flags": jagged(is_hit.ravel(), np.full(N, 24))})
    )
    assert candidate[2:4] == (("calo_hit",), "6 x 4 cells per entry")


@pytest.mark.parametrize(
    ("cells", "layer", "words"),
    [
        ([0, 1, 2, 3], None, []),
        ([0, 1, 0, 1], "hit_kind", ["hit_kind tells", "it is"]),
        ([0, 0, 1, 1], "hit_part", ["hit_part tells", "it is"]),
        ([0, 0, 0, 0], {"join": ["hit_kind", "hit_part"]}, ["hit_kind and hit_part tell", "they are"]),
    ],
    ids=["none", "the first", "the second", "both"],
)
def test_integers_that_tell_cells_apart_are_part_of_the_layer(write, cells, layer, words):
    """Four hits in an event, in each of four modules one, share cells, and so need the number of the module."""
    place = np.array([RANDOM.permutation(9)[cells] for _ in range(N)])
    module = {"hit_kind": np.tile([0, 0, 1, 1], (N, 1)), "hit_part": np.tile([0, 1, 0, 1], (N, 1))}
    labels = {"hit_ix": place % 3, "hit_iy": place // 3, **module}
    branches = {name: jagged(each.ravel().astype("int32"), np.full(N, 4)) for name, each in labels.items()}
    energy = {"hit_e": jagged(RANDOM.exponential(size=4 * N), np.full(N, 4))}
    _, (candidate,) = inspected(write(Events={**branches, **energy}))
    assert candidate.grid["hits"].get("layer") == layer
    assert candidate.grid.get("layers") == ("each" if layer else None)
    told = "{} hits apart that have the same row and column, so {} part of the layer"
    assert [text for key, text in candidate.comments if key == "hits"] == (
        [told.format(*words)] if words else []
    )


TOLD = "hit_sensor tells hits apart that have the same row and column, so it is part of the layer"
FEW = "guessed from few hits that hit_sensor is no part of the cell; else layer: hit_sensor, and layers: each"


@pytest.mark.parametrize(
    ("module", "cell", "layer", "told"),
    [
        ("hit_sensor", np.arange(N) % 9, "hit_sensor", [TOLD]),
        ("hit_kind", np.arange(N) % 9, None, []),
        ("hit_sensor", 5 * np.arange(N), None, [FEW]),
        ("hit_kind", 5 * np.arange(N), None, []),
    ],
    ids=["module", "no module", "few hits", "few hits of no module"],
)
def test_a_module_is_part_of_the_layer_though_no_event_has_hits_in_two(write, module, cell, layer, told):
    """An event has one hit, in one of two modules: in the same cells of both, or always in another cell."""
    labels = {"hit_ix": cell % 10, "hit_iy": cell // 10, module: np.arange(N) % 2}
    one = np.ones(N, int)
    branches = {name: jagged(each.astype("int32"), one) for name, each in labels.items()}
    _, (candidate,) = inspected(write(Events={**branches, "hit_e": jagged(RANDOM.exponential(size=N), one)}))
    assert candidate.grid["hits"].get("layer") == layer
    assert [text for key, text in candidate.comments if key == "hits"] == told


@pytest.mark.parametrize(
    ("shape", "dtype", "n_samples"),
    [
        ((64, 30), "uint16", 30),
        ((30, 64), "uint16", 64),
        ((16, 200), "float32", 200),
        ((200, 16), "float32", 200),
    ],
)
def test_samples_are_the_last_of_raw_counts_or_the_longest(write, shape, dtype, n_samples):
    """Raw counts, which are never 0, are written in the order of time."""
    adc = RANDOM.integers(1, 99, (N, *shape)).astype(dtype)
    _, (candidate,) = inspected(write(Events={"adc": adc}))
    assert f"guessed that all {n_samples} are cells" in " ".join(text for _, text in candidate.comments)


def test_of_rows_of_two_detectors_those_with_energies_are_taken(write):
    """A tracker without energies stands before a calorimeter, and events count anew in each run."""
    numbers = {"runID": np.repeat([1, 2], 3 * N), "eventID": np.tile(np.repeat(np.arange(N), 3), 2)}
    names = ("tracker_x", "tracker_y", "calo_x", "calo_y", "calo_energy")
    places = {name: RANDOM.exponential(size=6 * N) for name in names}
    layer = {"tracker_layer": RANDOM.integers(0, 3, 6 * N)}
    (candidate,) = inspect_file(write(Hits={**numbers, **layer, **places})).candidates
    assert candidate.branches == ("calo_x", "calo_y", "calo_energy")
    assert candidate.command.endswith(":Hits --by runID,eventID -o grouped.root")


def test_a_list_of_arrays_is_no_grid(tmp_path):
    """Eight places of three numbers are no 8 x 3 cells."""
    path = tmp_path / "points.root"
    points = ak.to_regular(ak.unflatten(RANDOM.normal(size=(8 * N, 3)), np.full(N, 8)), axis=2)
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", {"hits_place": points})
    assert inspected(str(path)) == ({"Events": N}, [])


def test_a_branch_of_fixed_shape_may_have_layers(write):
    _, (candidate,) = inspected(write(B4=LAYERS))
    assert candidate.looks_like == "3 x 6 x 4 cells per entry"
    assert candidate.grid == {"dense": {"branch": "Eabs", "shape": [3, 6, 4], "axes": ["layer", "row", "col"]}}


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((6, 4, 8), ["layer", "row", "col"]),
        ((6, 8, 6), ["layer", "row", "col"]),
        ((6, 8, 4), ["row", "col", "layer"]),
    ],
    ids=str,
)
def test_layers_come_first_unless_the_last_axis_is_shorter(write, shape, axes):
    cells = RANDOM.exponential(1, (N, *shape)).astype("f4")
    _, (candidate,) = inspected(write(T={"cells": cells}))
    assert candidate.grid["dense"]["axes"] == axes


SHOWER = np.outer([0.2, 0.6, 0.2], [0.2, 0.6, 0.2])


def showers(n_layers, shape):
    """Return a shower an entry, shape (N, layer, row, col), as long as all layers and 3 x 3 cells wide."""
    cells = np.zeros((N, n_layers, *shape))
    for event, (row, col) in enumerate(RANDOM.integers(0, np.array(shape) - 2, (N, 2))):
        cells[event, :, row : row + 3, col : col + 3] = SHOWER
    return cells.astype("f4")


def in_one_module(n_modules, shape):
    """Return a shower an entry, shape (N, module, row, col), in one of several modules."""
    cells = showers(n_modules, shape)
    is_hit = np.arange(n_modules) == RANDOM.integers(0, n_modules, N)[:, np.newaxis]
    return cells * is_hit[:, :, np.newaxis, np.newaxis]


DEPTH = {
    "first though the last is shorter": (showers(12, (8, 6)), ["layer", "row", "col"], None),
    "last though it is longer": (np.moveaxis(showers(12, (8, 6)), 1, -1), ["row", "col", "layer"], None),
    "modules": (in_one_module(9, (6, 8)), ["layer", "row", "col"], "each"),
    "modules last": (np.moveaxis(in_one_module(9, (6, 8)), 1, -1), ["row", "col", "layer"], "each"),
}


@pytest.mark.parametrize(("cells", "axes", "layers"), DEPTH.values(), ids=DEPTH)
def test_showers_show_which_axis_is_that_of_layers_or_modules(write, cells, axes, layers):
    _, (candidate,) = inspected(write(T={"cells": cells}))
    assert (candidate.grid["dense"]["axes"], candidate.grid.get("layers")) == (axes, layers)
    assert "guessed" in dict(candidate.comments)["dense"]


@pytest.mark.parametrize(
    ("long", "short"), [("zCell", "rhoCell"), ("rhoCell", "zCell")], ids=["cylinder", "barrel"]
)
def test_showers_show_whether_layers_are_those_of_a_cylinder_or_a_barrel(write, long, short):
    """Every shower has energy in nine cells behind each other, in one row and column."""
    depth = np.tile(np.arange(9), N)
    row, phi = (np.repeat(RANDOM.integers(0, n, N), 9) for n in (8, 12))
    branches = {long: depth, "phiCell": phi, short: row, "EnergyCell": 1.0 + depth}
    _, (candidate,) = inspected(write(T={key: jagged(each, np.full(N, 9)) for key, each in branches.items()}))
    assert candidate.grid["hits"] == {"row": short, "col": "phiCell", "layer": long, "value": "EnergyCell"}
    told = f"{long} guessed as layer (along layers showers are longest); also row: {long}, layer: {short}"
    assert ("hits", told) in candidate.comments


def test_names_that_hold_the_numbers_of_channels_say_where_these_are(write):
    """A trigger stands between the crystals A1 to B3, whose channels are in no order."""
    numbers = {"A1": 4, "A2": 0, "A3": 6, "B1": 2, "B2": 5, "B3": 1}
    constants = {name: np.full(N, number, "i4") for name, number in numbers.items()}
    branches = {"amp_max": RANDOM.exponential(1, (N, 7)), **constants}
    (candidate,) = inspect_file(write(h4=branches)).candidates
    assert candidate.grid == {"dense": {"branch": "amp_max", "axes": ["channel"]}, "cells": "cells.csv"}
    assert "guessed" in candidate.looks_like
    lines = ["0,0,1,0", "1,1,2,0", "2,1,0,0", "3,,,1", "4,0,0,0", "5,1,1,0", "6,0,2,0"]
    assert candidate.table.splitlines() == ["channel,row,col,status", *lines]


@pytest.mark.parametrize(("ids", "layer"), [(4, None), (8, "hit_disk")], ids=["of positions", "of both disks"])
def test_disks_with_crystals_at_the_same_positions_are_layers_if_ids_say_so(write, ids, layer):
    """In each disk are four crystals, 34.3 mm apart in x and y; their ids count from 0 in each, or go on."""
    disk, x, y = np.indices((2, 2, 2)).reshape(3, -1)
    hit = {"hit_disk": disk, "hit_crystalId": (4 * disk + 2 * x + y) % ids}
    hit = {name: np.tile(each.astype("i4"), N) for name, each in hit.items()}
    hit |= {f"hit_{word}": np.tile(34.3 * each + 17.15, N) for word, each in (("x", x), ("y", y))}
    hit |= {"hit_edep": RANDOM.exponential(size=8 * N)}
    hits = {name: jagged(each, np.full(N, 8)) for name, each in hit.items()}
    (candidate,) = inspect_file(write(T=hits)).candidates
    assert candidate.grid["hits"].get("layer") == layer
    assert candidate.grid.get("layers") == (layer and "each")


@pytest.mark.parametrize(("ids", "is_found"), [([7, 2, 5], True), ([7, 2, 7], False)], ids=str)
def test_integers_under_any_name_are_ids_if_no_two_hits_of_an_event_have_the_same(write, ids, is_found):
    """Beside energies, where the file has nothing else that may be cells."""
    hit = {"xtal_ic": np.tile(ids, N).astype("i4"), "xtal_energy": RANDOM.exponential(size=3 * N)}
    found = inspect_file(write(T={name: jagged(each, np.full(N, 3)) for name, each in hit.items()}))
    hits = [each.grid["hits"] for each in found.candidates]
    assert hits == [{"channel": "xtal_ic", "value": "xtal_energy"}] * is_found
    assert all("guessed that xtal_ic" in each.comments[0][1] for each in found.candidates)


def equal_lists(integers, floats=()):
    """Return lists of 6 or 8 hits an event: cells of 2 x 2, in two modules that the first integer counts."""
    cells = [cell for n in range(N) for cell in [*np.ndindex(2, 2, 2)][: 8 - n % 2 * 2]]
    numbers = np.transpose(cells).astype("i2")[-len(integers) :]
    values = dict(zip(integers, numbers, strict=True)) | {name: np.ones(len(cells), "f4") for name in floats}
    return {name: jagged(each, 8 - np.arange(N) % 2 * 2) for name, each in values.items()}


@pytest.mark.parametrize(
    ("lists", "hits", "told"),
    [
        (
            equal_lists(["lane", "row", "column"]),
            {"row": "row", "col": "column", "layer": "lane", "value": 1},
            "no branch holds an energy: value: 1 counts hits, guessed",
        ),
        (
            equal_lists(["arm", "ypos", "zpos"], ["twr_e", "twr_tof"]),
            {"row": "ypos", "col": "zpos", "layer": "arm", "value": "twr_e"},
            "no name says what the energy is: twr_e guessed",
        ),
        (
            equal_lists(["side_of", "ix", "iz"], ["a"]),
            {"row": "ix", "col": "iz", "layer": "side_of", "value": "a"},
            "no name says what the energy is: a guessed",
        ),
    ],
    ids=["counted", "ypos-zpos", "ix-iz"],
)
def test_integers_that_name_cells_are_hits_if_nothing_else_in_the_file_is(write, lists, hits, told):
    """The only list as long that may be energies is their value, whatever its name."""
    _, (candidate,) = inspected(write(T={**lists, "other": jagged(np.ones(2 * N), np.full(N, 2))}))
    assert (candidate.grid["hits"], candidate.grid["layers"]) == (hits, "each")
    assert ("hits", told) in candidate.comments
    _, (candidate,) = inspected(write(T=lists, Cells=FIXED))
    assert candidate.branches == ("calo_e",)


@pytest.mark.parametrize(
    ("lists", "hits"),
    [
        (equal_lists(["col", "row"], ["a", "b"]), "{row: row, col: col, value: a}"),
        (equal_lists(["wheel", "tooth"], ["tof", "my_e"]), "{row: wheel, col: tooth, value: my_e}"),
        (equal_lists(["wheel", "tooth"]), "{row: wheel, col: tooth, value: 1}"),
    ],
    ids=["two energies", "no words", "no energy"],
)
def test_a_file_without_candidates_says_what_to_write_of_integers_in_equally_long_lists(write, lists, hits):
    found = inspect_file(write(T={**lists, "jet": jagged(np.ones(3 * N), np.arange(N) % 2 * 6)}))
    reason = f"if these are hits, whose row, col and value only you know: hits: {hits}"
    told = {each.branches: each.reason for each in found.rejected}
    assert (found.candidates, told) == ([], {("jet",): "entries differ in length", (*lists,): reason})
    assert found.in_words.endswith(reason)


def test_hits_whose_energy_is_zero_are_named_so_and_not_what_to_write_of_them(write):
    lists = equal_lists(["part", "row", "col"], ["energy"])
    rejected = inspect_file(write(T={**lists, "energy": 0 * lists["energy"]})).rejected
    assert {each.branches: each.reason for each in rejected} == {
        ("row", "col", "energy"): f"energy is 0 in all {7 * N} hits",
        ("part",): "entries differ in length",
    }


def test_flat_cells_are_folded_as_nearly_square_as_possible(write):
    _, (candidate,) = inspected(write(B5=FLAT))
    assert candidate.looks_like == "80 values per entry, 10×8 guessed"
    assert (
        "dense",
        "10×8 guessed (the nearest to a square); also 16×5, 20×4, 5×4×4, 40×2",
    ) in candidate.comments
    assert ("dense", "any of these may be turned: shape: [2, 40] for 40×2") in candidate.comments
    assert candidate.grid == {"dense": {"branch": "ECEnergyVector", "shape": [10, 8], "axes": ["row", "col"]}}


def test_numbers_without_a_shape_of_their_own_are_told_of_cell_tables(write):
    """As of 25 crystals and three triggers, which make no rectangle; a shape that is seen needs no table."""
    random = np.random.default_rng(0)  # of its own, as noise shows a shape by chance now and then
    peaks = random.exponential(1, (N, 28)).astype("f4")
    row, col = (np.exp(-np.abs(np.arange(n) - random.uniform(0, n - 1, (N, 1)))) for n in (5, 6))
    showers = (row[:, :, None] * col[:, None, :]).reshape(N, 30)
    for values, is_told in ((peaks, True), (showers, False)):
        _, (candidate,) = inspected(write(T={"amp_max": values}))
        told = [text for _, text in candidate.comments if "axes: [channel]} and cells: FILE.csv" in text]
        assert bool(told) is is_told


def test_hits_with_integer_labels_have_those_labels(write):
    _, (candidate,) = inspected(write(Events=hits()))
    assert set(candidate.branches) == {"hit_ieta", "hit_iphi", "hit_iet"}
    assert candidate.looks_like == "hits in eta-phi"
    assert "hits" not in dict(candidate.comments)  # of the value there is no doubt
    assert candidate.grid == {
        "hits": {"row": "hit_ieta", "col": "hit_iphi", "value": "hit_iet"},
        "rows": {"name": "eta", "labels": "-3..-1, 1..3"},
        "cols": {"name": "phi", "labels": "1..8", "bins": 8, "start": 0, "stop": "2pi", "periodic": True},
        "quantity": "et",
    }


ID_LAYERS = {
    "its own": ("system:4,layer:3,eta:-8", [0, 1, 2, 3, 4]),
    "signed": ("system:4,layer:-3,eta:8", [-4, 0, 1, 2, 3]),
    "elsewhere": ("layer:4:3,system:0:4", [0, 1, 2, 3, 4]),
    "an end that is missing": ("system:4,layer:3,", None),
    "no width": ("system:8,", None),
    "a word": ("system:4,layer:three", None),
    "nothing": ("", None),
    "fields that overlap": ("system:8,layer:4:3", None),
    "bits that ids lack": ("layer:30:4", None),
    "bits that no id has": ("layer:62:4", None),
    "no text": (None, None),
    "no layer": ("system:4,eta:3", None),
}


@pytest.mark.parametrize(("encoding", "layers"), ID_LAYERS.values(), ids=ID_LAYERS)
@pytest.mark.parametrize("kind", ["int32", "uint32"])
def test_layers_are_named_by_an_encoding_that_is_one(write, encoding, layers, kind):
    columns = {key.replace("hit_", "Hits."): values for key, values in hits(5).items()}
    layer = np.tile([0, 1, 2, 3, 4], N)
    columns["Hits.cellID"] = jagged(((layer << 4) + 2).astype(kind), np.full(N, 5))
    path = write(events=columns)
    metadata = {
        "GPStringKeys": ak.Array([["other", "Hits__CellIDEncoding"]]),
        "GPStringValues": ak.Array([[["a", "b"], [] if encoding is None else [encoding]]]),
    }
    with uproot.update(path) as file:
        file.mkrntuple("metadata", metadata)
    _, (candidate,) = inspected(path)
    expected = {"bits": "Hits.cellID", "field": "layer", "encoding": {"from_file": "Hits"}}
    assert candidate.grid["hits"].get("layer") == (None if layers is None else expected)
    if layers is not None:
        assert candidate.looks_like.endswith(f", {max(layers) - min(layers) + 1} layers")


def test_a_tree_of_metadata_that_is_not_of_podio_says_nothing(write):
    _, (candidate,) = inspected(write(Events=hits(), metadata={"keys": np.arange(3)}))
    assert "depth" not in candidate.grid


def test_hits_are_found_after_leading_empty_events(write):
    branches = hits()
    quiet = {key: ak.concatenate([value[:0], [[]] * 25, value]) for key, value in branches.items()}
    quiet = {key: ak.values_astype(value, "int16") for key, value in quiet.items()}
    _, candidates = inspected(write(Events=quiet))
    assert [candidate.looks_like for candidate in candidates] == ["hits in eta-phi"]


def test_hits_with_coordinates_have_bins(write):
    _, (candidate,) = inspected(write(Delphes=towers()))
    assert candidate.grid == {
        "hits": {"row": "tower_eta", "col": "tower_phi", "value": "tower_energy"},
        "rows": {"name": "eta", "bins": 50, "start": -2.5, "stop": 2.5},
        "cols": {"name": "phi", "bins": 64, "start": "-pi", "stop": "pi", "periodic": True},
        "unit": "1 GeV",  # as Delphes writes
    }


def test_every_hit_lies_on_the_proposed_axis(write):
    branches = towers()
    path = write(Delphes=branches)
    _, (candidate,) = inspected(path)
    config = parse_config(proposed_config(path, {"calo": candidate}))
    rows = config.grids["calo"].grid.rows
    assert (rows.find(ak.to_numpy(ak.flatten(branches["tower_eta"]))) >= 0).all()


def test_hits_in_a_line_have_an_axis(write):
    """All at coordinate zero: there is still an axis to put them on."""
    branches = towers()
    branches["tower_eta"] = branches["tower_eta"] * np.float32(0)
    _, (candidate,) = inspected(write(Delphes=branches))
    assert candidate.grid["rows"] == {"name": "eta", "bins": 20, "start": -1.0, "stop": 1.0}


@pytest.mark.parametrize(
    "branches",
    [
        pytest.param({"event": np.arange(N), "weight": np.ones(N)}, id="numbers_of_events"),
        pytest.param(
            {"tower_ieta": hits()["hit_ieta"], "tower_iphi": hits()["hit_iphi"]}, id="hits_without_energy"
        ),
        pytest.param(hits(n_hits=0), id="no_hit_in_any_event"),
        pytest.param({"p4": RANDOM.normal(size=(N, 4))}, id="a_four_vector"),
        pytest.param({"jacobian": RANDOM.normal(size=(N, 2, 2))}, id="a_small_matrix"),
        pytest.param({"channels": RANDOM.normal(size=(N, 7))}, id="a_prime_number_of_values"),
    ],
)
def test_other_branches_are_not_proposed(write, branches):
    trees, candidates = inspected(write(Events=branches))
    assert trees == {"Events": N}
    assert candidates == []


def test_a_tree_without_entries_is_not_proposed(write):
    nothing = {"calo_e": FIXED["calo_e"][:0]}
    trees, candidates = inspected(write(Events=nothing, Hits={key: value[:0] for key, value in hits().items()}))
    assert trees == {"Events": 0, "Hits": 0}
    assert candidates == []


def test_every_candidate_of_every_tree_is_proposed(write):
    path = write(Events={**FIXED, **towers()}, Other=FLAT)
    trees, candidates = inspected(path)
    assert trees == {"Events": N, "Other": N}
    assert {(c.tree, c.branches[0]) for c in candidates} == {
        *(("Events", "calo_e"), ("Events", "tower_eta"), ("Other", "ECEnergyVector")),
    }


def test_names_of_calorimeters_come_first(write):
    _, candidates = inspected(write(Monitor={"matrix": FIXED["calo_e"]}, Events={"calo_e": FIXED["calo_e"]}))
    assert [candidate.branches for candidate in candidates] == [("calo_e",), ("matrix",)]


def test_a_file_without_trees_has_no_candidates(tmp_path):
    path = tmp_path / "histograms.root"
    with uproot.recreate(path) as file:
        file["h"] = np.histogram(RANDOM.normal(size=9))
    assert inspected(str(path)) == ({}, [])


def test_a_tree_in_a_directory_is_named_with_its_path(write):
    path = write(**{"emulator/CaloTowers": hits()})
    trees, (candidate,) = inspected(path)
    assert trees == {"emulator/CaloTowers": N}
    assert proposed_config(path, {"calo": candidate})["datasets"]["data"]["files"] == {
        path: "emulator/CaloTowers"
    }


def test_a_file_of_another_format_is_an_error(tmp_path):
    path = tmp_path / "text.root"
    path.write_text("not a ROOT file")
    with pytest.raises(OSError, match=r"text\.root: cannot be read as a ROOT file"):
        inspect_file(str(path))
    with pytest.raises(OSError, match=r"no\.root: cannot be read as a ROOT file"):
        inspect_file(str(tmp_path / "no.root"))


def test_a_file_of_histograms_says_so(tmp_path):
    path = tmp_path / "histograms.root"
    with uproot.recreate(path) as file:
        file["dqm/hcal:energy"] = np.histogram(RANDOM.normal(size=9))
    assert inspect_file(str(path)).in_words == "no tree, so no events to search (it holds 1 TH1D)"


def test_branches_that_were_looked_at_are_named_with_the_reason(write):
    nothing = {"calo_energy": np.zeros((N, 4, 5)), "phi_of": RANDOM.normal(size=(N, 7))}
    found = inspect_file(write(Events=nothing))
    assert found.candidates == []
    assert {(each.branches, each.reason) for each in found.rejected} == {
        (("calo_energy",), f"0 in the first {N} entries"),
        (
            ("phi_of",),
            "7 values per entry make no rectangle; as one row: dense: {branch: phi_of, shape: [1, 7]}",
        ),
    }


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.zeros(N, int), "entries are empty"),
        (8 + np.arange(N) % 2, "entries differ in length"),
        ([80], "one entry does not say whether all have the same length"),
    ],
)
def test_lists_of_values_that_are_no_cells_of_every_entry_are_named(write, counts, reason):
    found = inspect_file(write(Events={"calo_cells": jagged(np.ones(np.sum(counts)), counts)}))
    assert found.candidates == []
    assert [(each.branches, each.reason) for each in found.rejected] == [(("calo_cells",), reason)]


def test_a_list_that_varies_speaks_for_those_that_begin_alike_and_no_other_does(write):
    lists = {"jet_n": jagged(np.ones(3 * N), np.full(N, 3))}
    lists |= {f"jet_{letter}": jagged(np.ones(15 * N), 14 + 2 * (np.arange(N) % 2)) for letter in "abc"}
    reasons = {each.branches[0]: each.reason for each in inspect_file(write(Events=lists)).rejected}
    assert reasons["jet_a"] == "entries differ in length"
    assert reasons["jet_c"] == "not looked into: entries of jet_a, which begins alike, differ in length"
    assert reasons["jet_n"].startswith("3 values per entry make no rectangle")


def test_times_and_noises_of_cells_come_after_energies_and_the_plainest_name_first(write):
    """Others that are as likely are named, as init shows only one."""
    names = ("Noise_cell_E", "cell_E_charged", "cell_E", "cell_time")
    _, candidates = inspected(write(Events=dict.fromkeys(names, FIXED["calo_e"])))
    order = ["cell_E", "cell_E_charged", "cell_time", "Noise_cell_E"]
    assert [each.branches[0] for each in candidates] == order
    assert ("dense", "the cells may also be those of cell_E_charged") in candidates[0].comments


@pytest.mark.parametrize(("most", "n_more"), [(3, 0), (2, 1), (1, 2)])
def test_lists_beyond_the_most_that_are_looked_into_are_named(write, monkeypatch, most, n_more):
    monkeypatch.setattr(files, "MAX_LISTS", most)
    found = inspect_file(write(Events={f"{letter}_cells": FLAT["ECEnergyVector"] for letter in "abc"}))
    assert [each.branches[0] for each in found.candidates] == ["a_cells", "b_cells", "c_cells"][:most]
    more = [(("b_cells", "c_cells")[-n_more:], f"not looked into: {n_more} more lists")] * bool(n_more)
    assert [(each.branches, each.reason) for each in found.rejected] == more


@pytest.mark.parametrize(("most", "n_more"), [(2, 0), (1, 1)])
def test_groups_of_hits_beyond_the_most_that_are_looked_into_are_named(write, monkeypatch, most, n_more):
    monkeypatch.setattr(files, "MAX_GROUPS", most)
    groups = {f"{letter}{name}": values for letter in "ab" for name, values in hits(5).items()}
    found = inspect_file(write(Events=groups))
    assert [each.branches[0][0] for each in found.candidates] == [*"ab"][:most]
    assert [each.reason for each in found.rejected] == ["not looked into: 1 more groups of hits"] * n_more


@pytest.mark.parametrize("first", [True, False])
def test_of_rows_of_several_kinds_those_with_an_energy_are_named(write, first):
    places = RANDOM.normal(size=(4, N)).astype("f4")
    hit = {"hit_posX": places[0], "hit_posY": places[1], "hit_edep": places[2]}
    other = {"cell_posX": places[0], "cell_posY": places[1], "cell_layer": np.arange(N, dtype="i4") % 3}
    columns = {**hit, **other} if first else {**other, **hit}
    (candidate,) = inspect_file(write(Hits={"eventID": np.arange(N) // 3, **columns})).candidates
    assert set(candidate.branches) == {*hit}


@pytest.mark.parametrize(
    ("empty", "reason"),
    [
        ({"hit_iet"}, "hit_iet is 0 in all 150 hits"),
        ({"hit_ieta", "hit_iphi"}, "hit_ieta and hit_iphi are 0 in all 150 hits"),
        ({"hit_iphi"}, None),  # a strip of cells is a plane
    ],
)
def test_hits_without_energy_or_place_are_named(write, empty, reason):
    columns = {name: values * 0 if name in empty else values for name, values in hits(5).items()}
    found = inspect_file(
        write(Events={name: ak.values_astype(each, "int16") for name, each in columns.items()})
    )
    assert [each.reason for each in found.rejected] == ([] if reason is None else [reason])
    assert len(found.candidates) == (reason is None)


@pytest.mark.parametrize(
    ("columns", "by"),
    [
        ({"eventID": np.arange(N) // 3}, "eventID"),
        ({"eventID": np.arange(N) % 10}, "eventID --sort"),
        ({"eventID": np.arange(N) // 3 + 0.0}, "eventID"),
        ({"eventID": np.arange(N) // 3 % 5, "runID": np.arange(N) // 15}, "runID,eventID"),
        ({"eventID": np.arange(N) // 3 % 5}, "eventID --sort"),
        ({"eventID": np.maximum(np.arange(N), 6)}, "eventID"),  # 24 events, four fifths of 30 hits
        ({"eventID": np.maximum(np.arange(N), 5)}, None),  # 25 events: most hits have their own
        ({"eventID": np.arange(N) / 3}, None),
    ],
)
def test_one_row_a_hit_becomes_events_by_the_columns_that_name_them(write, columns, by):
    hit = {name: RANDOM.normal(size=N).astype("f4") for name in ("posX", "posY", "edep")}
    path = write(Hits={**columns, **hit})
    candidates = [each for each in inspect_file(path).candidates if each.command]
    commands = [f"hep-peaksum group {path}:Hits --by {by} -o grouped.root"] if by else []
    assert [each.command for each in candidates] == commands
    assert {(each.looks_like, each.n_values) for each in candidates} <= {
        ("one row per hit, eventID names the event", N)
    }


@pytest.mark.parametrize(
    "of_event",
    [
        pytest.param({}, id="how_many_hits"),
        pytest.param({word: np.arange(N) + 0.5 for word in ("vtx_x", "vtx_y", "vtx_energy")}, id="a_vertex"),
        pytest.param({word: np.arange(N) + 0.5 for word in ("x", "y", "energy")}, id="where_the_beam_is"),
    ],
)
def test_numbers_of_events_with_hits_are_no_hits_although_event_numbers_begin_anew(write, of_event):
    """As in every spill: entries of the same number are not rows of one event."""
    _, candidates = inspected(write(Events={"event": np.arange(N) % 5, **of_event, **hits()}))
    assert [each.branches for each in candidates] == [("hit_ieta", "hit_iphi", "hit_iet")]


RUN, EVENT = np.full(N, 7, "i4"), np.arange(N, dtype="i8")
ONE = jagged(EVENT, np.ones(N, int))


@pytest.mark.parametrize(
    ("branches", "identify"),
    [
        pytest.param(
            {"RunNum": RUN, "LumiBlockNum": RUN, "EvtNum": EVENT},
            {"run": "RunNum", "luminosityBlock": "LumiBlockNum", "event": "EvtNum"},
            id="three_numbers",
        ),
        pytest.param(
            {"h.run_": RUN, "h.eventNumber_": EVENT},
            {"run": "h.run_", "luminosityBlock": 1, "event": "h.eventNumber_"},
            id="no_luminosity_block",
        ),
        pytest.param(
            {"h.runNumber": ONE * 0, "h.eventNumber": ONE},
            {"run": "h.runNumber", "luminosityBlock": 1, "event": "h.eventNumber"},
            id="lists_of_one",
        ),
        pytest.param(
            {"runinfo.run": RUN, "evtinfo.event": EVENT},
            {"run": "runinfo.run", "luminosityBlock": 1, "event": "evtinfo.event"},
            id="headers_of_their_own",
        ),
        pytest.param(
            {"runNumber": RUN, "spillNumber": EVENT // 7, "evtNumber": EVENT % 7},
            {"run": "runNumber", "luminosityBlock": "spillNumber", "event": "evtNumber"},
            id="counted_in_every_spill",
        ),
        pytest.param({"run": RUN, "luminosityBlock": RUN, "event": EVENT}, None, id="those_of_nanoaod"),
        pytest.param({"run": RUN, "event": RUN}, None, id="the_same_in_every_event"),
        pytest.param({"run": RUN, "event": EVENT - 1}, None, id="below_0"),
        pytest.param({"event": EVENT}, None, id="no_run"),
    ],
)
def test_numbers_of_run_and_event_identify_events(write, branches, identify):
    path = write(
        Events={**FIXED, **branches} if "event" in branches else {"calo_e": FIXED["calo_e"], **branches}
    )
    (candidate,) = inspect_file(path).candidates
    events = proposed_config(path, {"calo": candidate}).get("events")
    assert events == (identify and {"identify": identify})


CELLS = {"calo_e": FIXED["calo_e"]}


def test_run_and_event_may_be_in_another_tree_with_as_many_entries(write):
    """Which is told as a guess; one with more entries is another list."""
    info = {"runNumber": RUN, "lbn": RUN, "eventNumber": EVENT}
    path = write(calo=CELLS, EventInfo=info)
    _, (candidate,) = inspected(path)
    config = proposed_config(path, {"calo": candidate})
    assert config["friends"] == {"info": "EventInfo"}
    identify = {"run": "info:runNumber", "luminosityBlock": "info:lbn", "event": "info:eventNumber"}
    assert config["events"] == {"identify": identify}
    told = "# guessed that the entries of EventInfo are those of calo, one by one\nfriends:"
    assert told in config_text(path, {"calo": candidate})
    longer = {name: np.concatenate([values, values + N]) for name, values in info.items()}
    _, (candidate,) = inspected(write(calo=CELLS, EventInfo=longer))
    assert candidate.identity == Identity()


def test_the_run_may_be_in_the_name_of_the_file(write):
    path = Path(write(Events={**CELLS, "EventNumber": EVENT}))
    named = path.rename(path.with_name("beam_run_000721.root"))
    _, (candidate,) = inspected(str(named))
    run = {"filename": r"[Rr]un[_-]?(\d+)"}
    assert candidate.identity.numbers == {"run": run, "luminosityBlock": 1, "event": "EventNumber"}
    told = "# the run is guessed to be the number in the name of the file, beam_run_000721.root\nevents:"
    assert told in config_text(str(named), {"calo": candidate})


@pytest.mark.parametrize(
    ("trees", "last"),
    [
        pytest.param({}, "events: {identify: {run: 1, luminosityBlock: 1, event: event}}", id="nowhere"),
        pytest.param(
            {"RunInfo": {"runNumber": np.array([4711])}},
            "the run is 4711 (runNumber of tree RunInfo), if all files are of it",
            id="of_the_file",
        ),
        pytest.param(
            {"RunInfo": {"runNumber": np.array([4711, 4712])}},
            "events: {identify: {run: 1, luminosityBlock: 1, event: event}}",
            id="of_several_runs",
        ),
    ],
)
def test_events_without_a_run_are_numbered_by_entry_and_what_to_write_is_told(write, trees, last):
    """Since files may count alike, numbers of theirs are not written as if they were different."""
    path = write(Events={**CELLS, "event": EVENT}, **trees)
    candidate = next(each for each in inspect_file(path).candidates if each.tree == "Events")
    assert not candidate.identity.numbers
    assert candidate.identity.comment.splitlines()[-1] == last


def test_numbers_under_words_are_cells_if_their_owner_says_so(write):
    numbers = np.ones(N)
    names = [f"LG_{side}{place}" for side in ("Top", "Mid", "Low") for place in ("Left", "Right")]
    found = inspect_file(write(Events=dict.fromkeys(names, numbers)))
    assert not found.candidates
    assert f"dense: {{branches: [{', '.join(names)}], shape: [3, 2], axes: [row, col]}}" in found.in_words
    (candidate,) = inspect_file(write(Events={f"Calo{n}_charge": numbers for n in range(4)})).candidates
    assert candidate.grid["dense"] == {"branches": "Calo{0..3}_charge", "shape": [2, 2], "axes": ["row", "col"]}


TWO = {"Events": {"em_cells": FIXED["calo_e"], "had_cells": FIXED["calo_e"] + 1}}


@pytest.mark.parametrize("words", [{"em": "1", "had": "2"}, {"em": "em_", "had": "had_cells"}])
def test_two_candidates_become_two_grids_of_one_config(write, words):
    path = write(**TWO)
    chosen = choose(inspect_file(path).candidates, words)
    config = parse_config(yaml.safe_load(config_text(path, chosen)))
    assert [grid.dense.branch for grid in config.grids.values()] == ["em_cells", "had_cells"]
    assert {name: tuple(each.grid) for name, each in config.clusters.items()} == {
        "ClusterEm": ("em",),
        "ClusterHad": ("had",),
    }


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("3", "'3' chooses no candidate: give a number from 1 to 2"),
        ("0", "'0' chooses no candidate: give a number from 1 to 2"),
        ("cells", "'cells' chooses 2 candidates: give the number of a candidate, or part of the name"),
    ],
)
def test_a_choice_of_no_candidate_is_one_line(write, word, problem):
    with pytest.raises(ValueError, match=problem):
        choose(inspect_file(write(**TWO)).candidates, {"calo": word})


def test_grids_of_different_trees_are_two_configs(write):
    candidates = inspect_file(write(A=FIXED, B=FIXED)).candidates
    with pytest.raises(ValueError, match=r"different trees \(A, B\)"):
        choose(candidates, {"one": "1", "two": "2"})


def test_the_proposed_config_searches_3x3(write):
    path = write(Events=FIXED)
    _, (candidate,) = inspected(path)
    assert proposed_config(path, {"calo": candidate}) == {
        "datasets": {"data": {"files": {path: "Events"}}},
        "grids": {"calo": candidate.grid},
        "clusters": {
            "Cluster": {"grid": "calo", "search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": 0}
        },
        "output": {"directory": "results", "clusters": ["parquet"]},
    }


def test_a_hit_without_a_position_does_not_matter(write):
    """It is at 0 in x, y and z, where there is no eta."""
    counts = np.full(N, 5)
    azimuth = RANDOM.uniform(-3, 3, N * 5)
    xyz = {"x": 900 * np.cos(azimuth), "y": 900 * np.sin(azimuth), "z": RANDOM.uniform(-800, 800, N * 5)}
    branches = {f"hit_{axis}": jagged(np.append(places[1:], 0), counts) for axis, places in xyz.items()}
    (candidate,) = inspect_file(write(Events={**branches, "hit_e": jagged(np.ones(N * 5), counts)})).candidates
    assert candidate.grid["hits"]["row"] == {"eta": ["hit_x", "hit_y", "hit_z"]}
    assert candidate.grid["rows"] == {"name": "eta", "bins": 20, "start": -1.0, "stop": 1.0}


@LONG
def test_six_thousand_branches_take_seconds(write):
    """In several trees, because writing a wide one takes uproot minutes; a first look loads what is needed.

    That is three times as long as uproot takes to open the trees and list their branches.
    """
    counts = RANDOM.integers(1, 6, N)
    words = [f"Coll{number}_{word}" for number in range(4) for word in ("eta", "phi", "energy", "time")]
    lists = {name: jagged(RANDOM.normal(size=counts.sum()).astype("f4"), counts) for name in words}
    numbers = {f"value{letter}{number}x": np.ones(N, "f4") for letter in "abcdefghij" for number in range(12)}
    path = write(**{f"tree{number}": lists | numbers for number in range(40)}, Events=towers())
    inspect_file(path)
    start = time.process_time()
    with uproot.open(path) as file:
        assert sum(len(file[tree].keys()) for tree in file.keys(cycle=False)) > 6000
    opened = time.process_time()
    found = inspect_file(path)
    assert time.process_time() - opened < 5 * (opened - start)
    assert found.candidates[0].branches == ("tower_eta", "tower_phi", "tower_energy")


def test_what_is_guessed_of_hits_is_told_above_its_key(write):
    """A layer of the five labels never occurs, there is no label 0, and two branches may be the energy."""
    layers, energies = np.tile([0, 1, 2, 4, 5], N).astype("int16"), np.arange(5 * N).astype("float32")
    more = {"hit_layer": jagged(layers, np.full(N, 5)), "hit_energy": jagged(energies, np.full(N, 5))}
    _, (candidate,) = inspected(write(Events={**hits(5), **more}))
    assert candidate.looks_like == "hits in eta-phi, 6 layers"
    assert candidate.n_values == 5 * N
    assert candidate.grid["hits"]["layer"] == "hit_layer"
    assert candidate.grid["depth"] == {"labels": "0..5"}
    each = "layers are summed; with layers: each every layer is searched by itself"
    assert candidate.comments == (
        ("hits", "the value may also be hit_energy"),
        ("depth", "layers: 3 do not occur in the entries read; kept as cells"),
        ("depth", each),
        ("rows", "eta: there is no label 0, so -1 and 1 are neighbours"),
        ("cols", "phi: guessed that the 8 labels close a turn that begins at 0"),
        ("unit", "unit: 1 GeV  # if one count of hit_iet is that: the file does not say it"),
    )
    text = config_text("a.root", {"calo": candidate})
    assert f"    # layers: 3 do not occur in the entries read; kept as cells\n    # {each}\n    depth: " in text


NAME, LABELS = "b" * 93, [*range(100, 140)]  # `dense: {branch: NAME}` has 110 characters; the labels have 200


@pytest.mark.parametrize(
    ("grid", "lines"),
    [
        ({"dense": {"branch": NAME}}, [f"dense: {{branch: {NAME}}}"]),
        ({"dense": {"branch": f"{NAME}b"}}, ["dense:", f"  branch: {NAME}b"]),
        ({"dense": {"a": {"b": NAME + NAME}}}, ["dense:", "  a:", f"    b: {NAME}{NAME}"]),
        ({"rows": {"labels": LABELS}}, ["rows:", f"  labels: {LABELS}"]),
        ({"geometry": NAME + NAME, "unit": "1 GeV"}, [f"geometry: {NAME}{NAME}", "unit: 1 GeV"]),
    ],
    ids=["110-characters", "111-characters", "a-map-in-a-map", "a-long-list", "a-long-word"],
)
def test_keys_of_a_grid_are_maps_in_a_line_that_fits(grid, lines):
    text = config_text("a.root", {"calo": Candidate("Events", 1, ("a",), "cells", grid, 1)})
    assert "".join(f"    {line}\n" for line in lines).join(["grids:\n  calo:\n", "clusters:"]) in text


@pytest.mark.parametrize(
    ("shape", "looks_like"),
    [
        ((2, 2), None),
        ((2, 3), "2 x 3 values per entry"),
        ((1, 8), None),
        ((2, 4), "2 x 4 cells per entry"),
        ((2, 2, 2), "2 x 2 x 2 cells per entry"),
        ((2, 2, 2, 2), None),
    ],
    ids=str,
)
def test_six_numbers_of_two_sides_are_the_smallest_plane(write, shape, looks_like):
    _, candidates = inspected(write(Events={"e": RANDOM.normal(size=(N, *shape))}))
    assert [candidate.looks_like for candidate in candidates] == ([] if looks_like is None else [looks_like])


@pytest.mark.parametrize(("n", "is_one"), [(5, False), (6, True)])
def test_six_numbered_branches_are_the_fewest_cells(write, n, is_one):
    _, candidates = inspected(write(Events={f"cell_{k}": np.ones(N) for k in range(n)}))
    looks_like = "a branch for each of 6 cells, 3×2 guessed"
    assert [candidate.looks_like for candidate in candidates] == [looks_like] * is_one


@pytest.mark.parametrize(
    ("factor", "rows", "cols", "is_one"),
    [
        (100, (1, 4), (0, 5), True),
        (100, (50, 53), (0, 5), True),
        (100, (1, 4), (40, 45), True),
        (100, (0, 3), (0, 49), True),
        (100, (0, 2), (0, 95), False),  # so few above 95 may just not occur
        (100, (0, 40), (0, 95), True),
        (1000, (2, 3), (9, 50), True),
        (10_000, (0, 1), (0, 4999), True),
        (100, (7, 7), (0, 9), False),
        (10, (1, 5), (1, 5), True),
        (10, (1, 3), (1, 3), False),  # too few not to be chance
        (10, (0, 4), (0, 9), False),  # they just count
        (100, (0, 9), (7, 7), False),
    ],
)
def test_ids_may_be_a_row_and_a_column_in_decimal_digits(factor, rows, cols, is_one):
    ids = np.add.outer(factor * np.arange(rows[0], rows[1] + 1), np.arange(cols[0], cols[1] + 1)).ravel()
    assert decimal_digits(ids) == (IdParts((factor, 1), (rows, cols)) if is_one else None)


def test_three_of_ten_ids_are_too_few_to_be_rows_and_columns():
    ids = np.add.outer(100 * np.arange(10), np.arange(10)).ravel()
    assert decimal_digits(np.array([*ids[:29], ids[-1]])) is None
    assert decimal_digits(np.array([*ids[:30], ids[-1]])) == IdParts((100, 1), ((0, 9), (0, 9)))


def test_ids_may_be_a_layer_a_row_and_a_column_in_decimal_digits():
    ids = np.array([10_000, 100, 1]) @ np.array([RANDOM.integers(1, end, 1000) for end in (31, 51, 41)])
    assert decimal_digits(np.unique(ids)) == IdParts((10_000, 100, 1), ((1, 30), (1, 50), (1, 40)))
    assert decimal_digits(np.unique(RANDOM.integers(10_000, 300_000, 500))) is None


def test_a_table_has_the_layers_that_are_in_the_digits_of_ids(write):
    """As of a simulation that writes the cell as 10000 times the layer, 100 times y, and x."""
    parts = np.array([RANDOM.integers(0, end, 3000) for end in (3, 6, 7)])
    ids = jagged(np.array([10_000, 100, 1]) @ parts, np.full(N, 100))
    path = write(Events={"vecEcalCellID": ids, "vecEcalEdepCell": ids * 0.5 + 1, "event": np.arange(N)})
    (candidate,) = inspect_file(path).candidates
    assert candidate.grid["hits"] == {"channel": "vecEcalCellID", "value": "vecEcalEdepCell"}
    assert candidate.table.startswith("channel,layer,row,col\n0,0,0,0\n1,0,0,1\n")
    assert candidate.table.count("\n") == 1 + 3 * 6 * 7


PIXELS = {
    name: hits(5)[f"hit_{label}"] for name, label in (("PixX", "iphi"), ("PixY", "ieta"), ("Value", "iet"))
}
SAME_CELLS = {  # how others write row, column and energy
    "telescope": ({**PIXELS, "PosX": 0 * PIXELS["PixX"]}, ("PixY", "PixX", "Value")),
    "test beam": (
        {"pixel_x": PIXELS["PixX"], "pixel_y": PIXELS["PixY"], "pixelToT": PIXELS["Value"]},
        ("pixel_y", "pixel_x", "pixelToT"),
    ),
    "pads": (
        {
            "xpad": PIXELS["PixX"],
            "ypad": PIXELS["PixY"],
            "energy": PIXELS["Value"],
            "xglobal": 0 * PIXELS["PixX"],
        },
        ("ypad", "xpad", "energy"),
    ),
    "hall A": (
        {
            "hcal.adcrow": PIXELS["PixY"] * 1.0,
            "hcal.adccol": PIXELS["PixX"] * 1.0,
            "hcal.a_p": PIXELS["Value"] * 400.0,
            "hcal.a_c": PIXELS["Value"] * 1.0,
            "hcal.clus.row": PIXELS["PixY"][:, :1] * 1.0,
            "hcal.clus.col": PIXELS["PixX"][:, :1] * 1.0,
            "hcal.clus.e": PIXELS["Value"][:, :1] * 1.0,
        },
        ("hcal.adcrow", "hcal.adccol", "hcal.a_c"),
    ),
    "not calibrated": (
        {
            "cal.adcrow": PIXELS["PixY"],
            "cal.adccol": PIXELS["PixX"],
            "cal.a_p": PIXELS["Value"] * 4,
            "cal.a_c": PIXELS["Value"] * 0,
        },
        ("cal.adcrow", "cal.adccol", "cal.a_p"),
    ),
}


@pytest.mark.parametrize(("branches", "expected"), SAME_CELLS.values(), ids=SAME_CELLS)
def test_cells_are_found_under_the_names_that_others_write(write, branches, expected):
    _, candidates = inspected(write(T={**branches, "n": np.arange(N)}))
    assert candidates[0].branches == expected
    assert all(each.looks_like.startswith("clusters, not cells") for each in candidates[1:])


def test_hits_without_another_position_are_where_their_step_ends(write):
    """As GATE 10 writes singles, a row each."""
    names = {"PrePosition_X": 1, "PostPosition_X": 5, "PrePosition_Y": 1, "PostPosition_Y": 5}
    places = {name: RANDOM.integers(0, 9, 3 * N) * float(pitch) for name, pitch in names.items()}
    energy = {"TotalEnergyDeposit": RANDOM.exponential(size=3 * N)}
    rows = {"EventID": np.repeat(np.arange(N), 3), **places, **energy}
    (candidate,) = inspect_file(write(Singles=rows)).candidates
    assert candidate.branches == ("PostPosition_X", "PostPosition_Y", "TotalEnergyDeposit")
    assert candidate.command.endswith(":Singles --by EventID -o grouped.root")
    counts = np.full(N, 3)
    lists = {f"Singles_{name}": jagged(values, counts) for name, values in (places | energy).items()}
    (candidate,) = inspected(write(Events={**lists, "EventID": np.arange(N)}))[1]
    assert candidate.branches[:2] == ("Singles_PostPosition_Y", "Singles_PostPosition_X")
    assert candidate.grid["unit"] == "1 MeV"


def test_arrays_that_close_are_a_ring_and_numbers_that_are_none_are_masked(write):
    """As of cells that are written in full, with nan where there is none."""
    cells = np.zeros((200, 6, 12), "float32")
    event, row, col = np.arange(200), RANDOM.integers(6, size=200), RANDOM.integers(12, size=200)
    for step, energy in ((0, 4), (1, 2)):
        cells[event, row, (col + step) % 12] = energy
    _, (ring,) = inspected(write(Events={"calo_e": cells}))
    assert ring.grid["cols"] == {"n": 12, "periodic": True}
    assert "rows" not in ring.grid
    reason = "the first and the last have energy together, as neighbours do"
    assert ("cols", f"cols: guessed that they close on themselves, as {reason}") in ring.comments
    cells[:, 0, 0] = np.nan
    path = write(Events={"calo_e": cells})
    _, (some,) = inspected(path)
    told = "200 of 14400 numbers read are not finite: nonfinite: mask leaves their cells out"
    assert ("dense", told) in some.comments
    assert proposed_config(path, {"calo": some})["clusters"]["Cluster"]["nonfinite"] == "mask"


def test_more_axes_than_three_are_told_with_what_to_do(write):
    """As of crystals by tower, layer, column and face."""
    path = write(Events={"CalXtalFaceSignal": RANDOM.normal(size=(N, 4, 3, 6, 2))})
    assert "CalXtalFaceSignal: 4×3×6×2 numbers per entry have more axes than layer, row and col" in (
        inspect_file(path).in_words
    )


def test_ids_that_count_cells_in_order_get_the_shape_that_their_likeness_shows(write):
    """Of wide showers in 6 rows of 9 cells, from 1."""
    rows, cols = np.indices((6, 9))
    middles = zip(RANDOM.uniform(0, 6, 200), RANDOM.uniform(0, 9, 200), strict=True)
    cells = np.array([np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 2) for row, col in middles]).reshape(
        200, -1
    )
    is_hit = cells > 0.05
    ids, energies = (jagged(each, is_hit.sum(axis=1)) for each in (np.nonzero(is_hit)[1] + 1, cells[is_hit]))
    (candidate,) = inspect_file(write(Events={"hit_cellID": ids, "hit_energy": energies})).candidates
    told = "they look like 1 + 9 * row + col, row 0 to 5 and col 0 to 8 (numbers 9 apart are alike)"
    assert told in candidate.comments[0][1]
    assert candidate.table.splitlines()[:3] == ["channel,row,col", "1,0,0", "2,0,1"]


def showers_in_order(rows, cols, first, n_events=200, seed=5):
    """Return ids, energies and their counts of wide showers in cells that are counted from `first` on."""
    random = np.random.default_rng(seed)
    row, col = np.indices((rows, cols)).reshape(2, -1)
    at = random.uniform(0, 1, (n_events, 2)) * (rows, cols)
    away = (row - at[:, :1]) ** 2 + (col - at[:, 1:]) ** 2
    energy = np.exp(-away / 2) * (np.exp(-away / 2) > 0.05)
    return np.nonzero(energy)[1] + first, energy[energy > 0], np.count_nonzero(energy, axis=1)


def test_ids_count_cells_from_a_round_number_on_though_no_event_has_the_first_or_the_last_ones(write):
    ids, energies, counts = showers_in_order(14, 8, 1001)
    energies[(ids < 1003) | (ids > 1110)] = 0  # below the threshold of the readout
    is_hit = energies > 0
    counts = np.bincount(np.repeat(np.arange(len(counts)), counts)[is_hit], minlength=len(counts))
    events = {"module_id": jagged(ids[is_hit], counts), "module_energy": jagged(energies[is_hit], counts)}
    (candidate,) = inspect_file(write(Events=events)).candidates
    assert candidate.table.splitlines()[1::8][:2] == ["1001,0,0", "1009,1,0"]
    assert candidate.table.splitlines()[-1] == "1112,13,7"


def test_ids_of_two_detectors_count_the_cells_of_each(write):
    """Glass from 1 and crystals from 1001 on: layers of one table, none of which is left out."""
    glass, crystals = showers_in_order(10, 12, 1), showers_in_order(14, 8, 1001)
    ids, energies = (
        ak.concatenate([jagged(each[at], each[2]) for each in (glass, crystals)], axis=1) for at in (0, 1)
    )
    (candidate,) = inspect_file(write(Events={"module_id": ids, "module_energy": energies})).candidates
    (told,) = (text for key, text in candidate.comments if key == "cells")
    assert (
        "1 + 12 * row + col, row 0 to 9 and col 0 to 11 (numbers 12 apart are alike); and 1001 + 8 * row"
        in told
    )
    assert "guessed that these are detectors of their own, so layers, each searched by itself" in told
    assert candidate.grid["layers"] == "each"
    lines = candidate.table.splitlines()
    assert (lines[:3], lines[120:122]) == (
        ["channel,layer,row,col", "1,0,0,0", "2,0,0,1"],
        ["120,0,9,11", "1001,1,0,0"],
    )
    assert lines[-1] == f"{1000 + 14 * 8},1,13,7"


def test_ids_of_a_detector_that_shows_no_shape_have_one_beside_those_of_one_that_does():
    """Noise in 64 cells of glass, from 1 on, beside showers in 14 x 8 crystals, from 1001 on."""
    ids, energies, counts = showers_in_order(14, 8, 1001)
    event = np.repeat(np.arange(200), counts)
    noise = np.tile(np.arange(1, 65), 200)
    ids, event = np.concatenate([noise, ids]), np.concatenate([np.repeat(np.arange(200), 64), event])
    found = id_sections(ids, np.concatenate([RANDOM.random(len(noise)), energies]), event)
    assert [(each.first, each.ends) for each in found] == [(1, ((0, 7), (0, 7))), (1001, ((0, 13), (0, 7)))]


@pytest.mark.parametrize(
    ("ids", "begins"),
    [
        pytest.param([*range(1, 121), *range(1001, 1113)], [0, 120], id="at_a_round_number"),
        pytest.param([*range(120), *range(500, 612)], [0, 120], id="from_0"),
        pytest.param([*range(3, 121), *range(1002, 1113)], [0, 118], id="without_the_first_cells"),
        pytest.param([*range(1, 121), *range(1041, 1153)], [], id="at_no_round_number"),
        pytest.param([*range(1, 121), *range(201, 213), *range(301, 413)], [], id="behind_one_of_two_gaps"),
        pytest.param([*range(7, 121), *range(1001, 1113)], [], id="of_which_the_first_begins_anywhere"),
        pytest.param(range(1, 121), [], id="one_range"),
    ],
)
def test_ids_of_another_detector_begin_at_a_round_number_behind_a_gap(ids, begins):
    assert [int(np.argmax(own)) for own in ranges_of(np.array(ids))] == begins


def test_channels_that_are_all_read_out_have_the_shape_of_an_array_guessed(write):
    """Of pedestals, which show no shape; numbers of channels are no cells, in whatever order."""
    ids = np.random.default_rng(4).permutation(64).astype("i4")
    adc = RANDOM.normal(200, 5, (N, 64)).astype("i4")
    found = inspect_file(write(Events={"ch": np.tile(ids, (N, 1)), "adc": adc}))
    (candidate,) = found.candidates
    told = "they look like 8 * row + col, row 0 to 7 and col 0 to 7 (the nearest to a square)"
    assert any(told in text for _, text in candidate.comments)
    assert candidate.table.splitlines()[1:3] == ["0,0,0", "1,0,1"]
    found = inspect_file(write(Events={"fers_ch0": np.tile(ids, (N, 1)), "hg0": adc}))
    assert [each.branches for each in found.candidates] == [("hg0",)]
    assert "as the numbers of channels are" in found.rejected[0].reason


def test_planes_of_bars_are_rows_and_bars_columns_one_view_at_a_time(write):
    """Planes with bars along x and along y stand behind each other."""
    plane, bar = RANDOM.integers(0, 12, 20 * N), RANDOM.integers(0, 8, 20 * N)
    branches = {"plane": plane, "cell": bar, "view": plane % 2, "pe": RANDOM.exponential(size=20 * N)}
    _, (candidate,) = inspected(
        write(Hits={key: jagged(each, np.full(N, 20)) for key, each in branches.items()})
    )
    assert candidate.grid["hits"] == {"row": "plane", "col": "cell", "value": "pe"}
    assert candidate.grid["where"][0]["branch"] == "view"
    assert candidate.grid["rows"]["labels"] in ("0..10 step 2", "1..11 step 2")
    assert ("hits", "plane guessed as row, and cell, a bar in it, as col") in candidate.comments


def test_wires_and_times_are_rows_and_columns_and_each_plane_of_wires_is_searched_by_itself(write):
    """As LArSoft writes hits; no two are at one time, so that bins of it are for the owner to choose."""
    n, counts = 20 * N, np.full(N, 20)
    plane, wire = RANDOM.integers(0, 3, n), RANDOM.integers(0, 40, n)
    hits = {"plane": plane, "wire": wire, "channel": 40 * plane + wire, "peakT": 9000 * RANDOM.random(n)}
    branches = {f"hit_{name}": jagged(each, counts) for name, each in {**hits, "charge": 1 + wire}.items()}
    _, (candidate,) = inspected(write(Events=branches))
    places = {"row": "hit_wire", "col": "hit_peakT", "layer": "hit_plane", "value": "hit_charge"}
    assert (candidate.grid["hits"], candidate.grid["layers"]) == (places, "each")
    (told,) = (text for key, text in candidate.comments if key == "cols")
    assert told.startswith("tick: almost no two hits have the same tick")


def test_a_table_of_where_cells_are_is_no_event(write):
    """As it stands beside the events that have ids only."""
    eta, phi = (each.ravel() for each in np.meshgrid(np.arange(8) * 0.1, np.arange(16) * np.pi / 8))
    table = {"cell_geo_eta": eta, "cell_geo_phi": phi, "cell_geo_sampling": np.full(128, 2)}
    path = write(CellGeo={key: jagged(each, [128]) for key, each in table.items()})
    assert inspect_file(path).candidates == []


def test_labels_of_eta_and_phi_without_corners_number_a_disc(write):
    """As of forward towers in rows of x that a program calls eta."""
    row, col = RANDOM.integers(0, 20, (2, 4000))
    for is_kept, words in ((np.hypot(row - 9.5, col - 9.5) < 10, "row-col"), (row >= 0, "eta-phi")):
        names = {"tower_iEta": row, "tower_iPhi": col, "tower_E": RANDOM.exponential(size=4000)}
        n = np.count_nonzero(is_kept)
        counts = [n // 2, n - n // 2]
        _, (candidate,) = inspected(
            write(T={name: jagged(each[is_kept], counts) for name, each in names.items()})
        )
        assert candidate.looks_like == f"hits in {words}"
        assert ("periodic" in candidate.grid["cols"]) == (words == "eta-phi")


def test_numbers_beside_labels_are_guessed_to_be_energies_if_no_name_says_so(write):
    """As of towers of a dual-readout calorimeter; a time is none."""
    ix, iy, scint = PIXELS["PixX"], PIXELS["PixY"], PIXELS["Value"] * 0.5
    branches = {"tower_ix": ix, "tower_iy": iy, "tower_time": scint + 7, "tower_Sci": scint, "tower_Cer": scint}
    _, (candidate,) = inspected(write(T=branches))
    assert candidate.grid["hits"] == {"row": "tower_iy", "col": "tower_ix", "value": "tower_Sci"}
    assert ("hits", "no name says what the energy is: tower_Sci guessed; also tower_Cer") in candidate.comments
    assert inspected(write(T={key: branches[key] for key in ("tower_ix", "tower_iy", "tower_time")}))[1] == []


def test_a_value_is_guessed_where_another_name_speaks_of_an_energy_of_as_many_hits(write):
    """As of trigger towers with counts and calibrated energies; times, and energies of jets, are none."""
    place, counts = RANDOM.integers(0, 6, (2, 5 * N)).astype("int32"), np.full(N, 5)
    hits = {"TT_ix": place[0], "TT_iy": place[1], "TT_adc": 4 + place[0], "TT_cpET": 1 + place[1]}
    branches = {name: jagged(each, counts) for name, each in {**hits, "TT_etTime": place[0]}.items()}
    branches["TT_jetEt"] = jagged(np.arange(2 * N), np.full(N, 2))
    _, (candidate,) = inspected(write(T=branches))
    assert candidate.grid["hits"] == {"row": "TT_iy", "col": "TT_ix", "value": "TT_adc"}
    assert ("hits", "value TT_adc guessed; also TT_cpET") in candidate.comments


def test_a_summed_deposit_is_the_energy_and_a_position_beside_it_never(write):
    """As of a simulation that sums the steps of a cell, and says where its centre is, and its mean time."""
    ix, iy, energy = PIXELS["PixX"], PIXELS["PixY"], PIXELS["Value"] * 0.5
    branches = {
        "hcal_hit_row": iy,
        "hcal_hit_col": ix,
        "hcal_hit_xcell": ix * 0.15,
        "hcal_hit_tavg": energy + 7,
    }
    _, (candidate,) = inspected(write(T=branches | {"hcal_hit_sumedep": energy}))
    assert candidate.grid["hits"] == {"row": "hcal_hit_row", "col": "hcal_hit_col", "value": "hcal_hit_sumedep"}
    assert not any("guessed" in text for _, text in candidate.comments)
    _, (candidate,) = inspected(write(T=branches | {"hcal_hit_sci": energy}))
    assert ("hits", "no name says what the energy is: hcal_hit_sci guessed") in candidate.comments


def test_ids_of_crystals_tell_whose_the_numbers_beside_them_are(write):
    """As of a matrix read in the order of its electronics; a time and a list of another length are none."""
    order = RANDOM.permutation([10 * row + col for row in range(1, 6) for col in range(1, 6)])
    counts, peaks = np.full(N, 25), RANDOM.exponential(100, 25 * N)
    branches = {"CrystalID": jagged(np.tile(order, N), counts), "TimeHG": jagged(peaks + 700, counts)}
    branches |= {"AmpHG_Fit": jagged(peaks, counts), "AmpHG_Fit_1_1": jagged(peaks[: 2 * N], np.full(N, 2))}
    branches |= {"AmpLG_Fit": jagged(peaks / 10, counts)}
    candidate, time = inspect_file(write(ECALdigi=branches)).candidates
    assert candidate.grid["hits"] == {"channel": "CrystalID", "value": "AmpHG_Fit"}
    told = "no name says what the energy is: AmpHG_Fit guessed; also AmpLG_Fit"
    assert ("hits", told) in candidate.comments
    assert candidate.table.startswith("channel,row,col\n11,1,1\n12,1,2\n")
    assert time.branches == ("TimeHG",)


def test_pulses_that_fall_are_turned_by_the_gains_of_a_table(write):
    """And neither a time stamp nor the height of a pulse is a number of the detector."""
    pulse = -PIXELS["Value"] - 1
    stamps = {"cal.timestamp": pulse * 7, "cal.peakamplitude": pulse // 2}
    branches = {"cal.row": PIXELS["PixY"] + 4, "cal.column": PIXELS["PixX"], "cal.charge": pulse, **stamps}
    (candidate,) = inspect_file(write(T=branches)).candidates
    assert candidate.grid["cells"] == "cells.csv"
    assert candidate.table.splitlines()[:2] == ["row,gain", "1,-1"]
    assert candidate.grid["hits"] == {"row": "cal.row", "col": "cal.column", "value": "cal.charge"}
    told = "cal.charge is below 0, as pulses that fall are, guessed: gains of -1 turn it"
    assert ("cells", told) in candidate.comments


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_hits_without_a_finite_place_or_energy_change_no_proposal(write, broken):
    counts = np.full(N, 15)
    places = {f"hit_{word}": 10.0 * RANDOM.integers(0, 9, counts.sum()) for word in "xy"}
    whole = {**places, "hit_energy": RANDOM.exponential(size=counts.sum())}
    _, (expected,) = inspected(write(Events={name: jagged(each, counts) for name, each in whole.items()}))
    for at, name in enumerate(whole):
        whole[name][at] = broken
    _, (candidate,) = inspected(write(Events={name: jagged(each, counts) for name, each in whole.items()}))
    assert candidate.grid == expected.grid
    assert proposed_config("a.root", {"calo": candidate})["clusters"]["Cluster"]["nonfinite"] == "mask"
    told = f"1 of {15 * N - 2} numbers read are not finite: nonfinite: mask leaves their cells out"
    assert ("hits", told) in candidate.comments


def test_hits_without_any_finite_place_are_none(write):
    counts = np.full(N, 3)
    names = dict.fromkeys(("hit_x", "hit_y"), np.full(3 * N, np.nan)) | {"hit_energy": np.ones(3 * N)}
    found = inspect_file(write(Events={name: jagged(each, counts) for name, each in names.items()}))
    assert not found.candidates
    assert [each.reason for each in found.rejected] == [f"hit_y and hit_x are not finite in all {3 * N} hits"]


RELATIONS = {
    "used": ({}, "Clu#1"),
    "of_older_files": ({"Clu#1": "_Clu_hits"}, "_Clu_hits"),
    "of_others": ({"Clu#1": "Clu_other#1"}, None),
    "of_no_number": ({"Clu#1": "Clu#x"}, None),
    "no_index": ({"index": "indices"}, None),
    "without_begins": ({"hits_begin": "hits_end"}, None),
}


@pytest.mark.parametrize(("renamed", "relation"), RELATIONS.values(), ids=RELATIONS)
def test_energies_are_joined_with_positions_by_the_first_relation_that_is_used(monkeypatch, renamed, relation):
    """As podio writes them. The relation 0 leads nowhere."""

    def branch(name):
        for old, new in renamed.items():
            name = name.replace(old, new)
        return Branch(name, *split_name(name), (None,), np.dtype("f4"))

    names = ["Hits/Hits.position.x", "Clu/Clu.energy", "Clu/Clu.hits_begin"]
    names += [f"Clu#{n}/Clu#{n}.index" for n in (0, 1)]
    every = [branch(name) for name in names]
    found = {every[3]: [ak.Array([[], []])], every[4]: [ak.Array([[], [4]])]}
    monkeypatch.setattr(files, "read", lambda _, read, __: found.get(*read))
    tree = Tree("events", None, 2, {each.name for each in every}, {})
    source = Group("Clu", "", {}, (), every[1])
    lacking = {"energy": [Group("Hits", "", {"x": every[0]}, ("x",), None)], "place": [source]}
    candidates = [*files._join_candidates(tree, every, lacking, "p.root")]
    branches = "Clu.energy,Hits.position.*"
    command = (
        f"hep-peaksum group p.root:events --join Clu.hits_begin:{relation}.index:Hits --branches '{branches}'"
    )
    assert [each.command for each in candidates] == ([f"{command} -o grouped.root"] if relation else [])
    for less in ({"energy": []}, {"place": [source._replace(value=None)]}, {"place": []}):
        assert not [*files._join_candidates(tree, every, {**lacking, **less}, "p.root")]
