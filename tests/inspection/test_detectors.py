"""Files as detectors write them: what is proposed is valid, runs without an edit, and fills the right cells."""

from pathlib import Path

import awkward as ak
import detector_files
import numpy as np
import pytest
import uproot
import yaml
from plain_cells import hit_cells

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.inspection.candidates import proposed_config
from hep_peaksum.inspection.files import inspect_file
from hep_peaksum.reading.blocks import grid_cells, read_blocks


@pytest.fixture
def proposed(tmp_path, monkeypatch, capsys):
    """Write a file, let `init` propose a config for it, and return both paths and what was printed."""
    monkeypatch.chdir(tmp_path)

    def propose(branches, *options, tree="Events"):
        detector_files.write_tree("detector.root", branches, tree)
        command("init", "--root", "detector.root", *options)
        return Path("peaksum.yaml"), capsys.readouterr().out

    return propose


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 0


def cells_in(path, grid="calo"):
    """Return the cells of every event as the package reads them."""
    config = load_config(path)
    blocks = read_blocks(config, config.grids, None, max_events=10_000)
    return np.concatenate([grid_cells(config, config.grids, events)[grid] for events in blocks])


HITS = {
    "nanoaod": (detector_files.nanoaod, (24, 36)),
    "atlas": (detector_files.atlas, (80, 64)),
    "degrees": (detector_files.degrees, (12, 72)),
    "polar": (detector_files.polar, (20, 40)),
    "pads": (detector_files.pads, (9, 12)),
    "indices": (detector_files.indices, (6, 14)),
    "shifted_turn": (detector_files.shifted_turn, (10, 36)),
}
# What the numbers cannot say is told as a guess: that labels close a turn, or that the beam is along z.
GUESSED = {
    "odd_labels": (detector_files.odd_labels, (8, 12)),
    "barrel": (detector_files.barrel, (12, 20)),
    "arrays": (detector_files.arrays, (12, 16)),
    "labels_as_floats": (detector_files.labels_as_floats, (12, 16)),
    "module_of_turn": (detector_files.module_of_turn, (10, 16)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("branches", "shape"), (HITS | GUESSED).values(), ids=HITS | GUESSED)
def test_hits_fill_the_cells_of_the_detector(proposed, branches, shape):
    path, out = proposed(branches())
    assert ("guessed" in out) == ((branches, shape) in GUESSED.values())
    expected = hit_cells(yaml.safe_load(path.read_text()), "calo")
    cells = cells_in(path)
    assert cells.shape[1:] == shape
    assert {tuple(map(int, at)): cells[tuple(at)] for at in np.argwhere(cells)} == expected
    command("check", "peaksum.yaml")
    command("run", "peaksum.yaml", "--set", "output.plots=false")


def test_a_unit_in_a_name_is_proposed(proposed):
    path, _ = proposed(detector_files.atlas())
    text = path.read_text()
    assert "    # as the name of cell_E_MeV says\n    unit: 1 MeV\n" in text


def test_a_unit_that_nothing_says_is_asked_for(proposed):
    path, _ = proposed(detector_files.degrees())
    assert (
        "    # unit: 1 GeV  # if one count of hit_energy is that: the file does not say it" in path.read_text()
    )
    assert load_config(path).grids["calo"].grid.unit is None


@pytest.mark.slow
def test_rows_of_hits_fill_the_cells_of_the_detector(proposed):
    rows = detector_files.rows_of_hits()
    path, out = proposed(rows)
    assert "--by event -o grouped.root" in out
    numbers = list(dict.fromkeys(rows["event"].tolist()))  # an event without a hit has no row
    columns = (rows[word].tolist() for word in ("event", "iy", "ix", "Edep"))
    expected = {(numbers.index(event), row, col): e for event, row, col, e in zip(*columns, strict=True)}
    cells = cells_in(path)
    assert {tuple(map(int, at)): cells[tuple(at)] for at in np.argwhere(cells)} == expected
    command("run", "peaksum.yaml", "--set", "output.plots=false")


def test_rows_of_channels_are_grouped_by_run_and_event(proposed):
    """The table of cells, which only the owner has, is the one thing that is asked for."""
    path, out = proposed(detector_files.rows_of_channels())
    told, ran = out.splitlines()[:2]
    assert told == (
        "Events: one row per hit, EventID names the event, so this is run, as it must be for further files:"
    )
    assert ran == "hep-peaksum group detector.root:Events --by RunID,EventID -o grouped.root"
    assert "channels 0 to 35 (36 occur): write cells.csv with a line for each" in out
    with uproot.open("grouped.root") as file:
        assert file["Events"].num_entries == detector_files.N
    hits = {"channel": "Events_ModuleID", "value": "Events_ModuleEnergy"}
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["hits"] == hits


ROWS = {
    "floats": (
        detector_files.floats_only,
        "--by evt -o",
        {"row": "Events_iy", "col": "Events_ix", "layer": "Events_lay", "value": "Events_edep"},
    ),
    "pixels": (
        detector_files.pixels,
        "--by i_run,i_event -o",
        {"row": "Events_id_y", "col": "Events_id_x", "layer": "Events_id_plane", "value": 1},
    ),
    "tables": (
        detector_files.tables,
        "--by fIndexBCs -o",
        {"channel": "Events_fCellNumber", "value": "Events_fAmplitude"},
    ),
}


@pytest.mark.parametrize(("branches", "by", "hits"), ROWS.values(), ids=ROWS)
def test_rows_of_hits_are_grouped_as_other_programs_write_them(proposed, branches, by, hits):
    path, out = proposed(branches())
    assert by in out
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["hits"] == hits


SERIES = {
    "numbered": (detector_files.numbered_cells, "cell_r{0..3}_c{0..4}", (4, 5)),
    "padded": (detector_files.padded_numbers, "ch{00..15}", (4, 4)),
    "chessboard": (detector_files.chessboard, [f"{letter}{{1..5}}" for letter in "ABCDE"], (5, 5)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("branches", "names", "shape"), SERIES.values(), ids=SERIES)
def test_branches_with_numbers_of_cells_are_one_grid(proposed, branches, names, shape):
    content = branches()
    path, out = proposed(content)
    assert "guessed" in out
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["dense"]["branches"] == names
    in_order = np.stack([*content.values()][: np.prod(shape)], axis=1)
    np.testing.assert_array_equal(cells_in(path), in_order.reshape(-1, *shape))


@pytest.mark.parametrize("kind", ["numbered", "chessboard"])
def test_each_of_two_series_is_a_grid(tmp_path, kind):
    make, names, _ = SERIES[kind]
    path = detector_files.write_tree(tmp_path / "series.root", make() | detector_files.padded_numbers())
    found = inspect_file(path).candidates
    assert [each.grid["dense"]["branches"] for each in found] == [names, "ch{00..15}"]


def test_branches_are_taken_in_the_order_of_their_numbers(tmp_path):
    """E2 comes before E10: then showers show that a row has four cells."""
    flat = detector_files.cells(3, (20, 4), 300).reshape(300, -1)
    branches = {f"E{number}": flat[:, number - 1] for number in range(1, 81)}
    (found,) = inspect_file(detector_files.write_tree(tmp_path / "series.root", branches)).candidates
    assert found.grid["dense"] == {"branches": "E{1..80}", "shape": [20, 4], "axes": ["row", "col"]}


def test_a_channel_that_several_hits_have_is_a_guess(proposed):
    branches = detector_files.slots()
    branches["something"] = branches.pop("slot")
    _, out = proposed(branches)
    assert "guessed that channel alone says the cell, though" in out


def test_channels_of_slots_are_numbered_together(proposed):
    path, out = proposed(detector_files.slots())
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["hits"]["channel"] == {"join": ["slot", "channel"]}
    lines = ["# channel is 10000 * slot + 1 * channel", "channel,row,col", "0,,", "1,,"]
    assert Path("cells.csv").read_text().splitlines()[:4] == lines
    assert "guessed" not in out


def test_a_channel_too_large_to_stand_behind_its_slot_comes_first(proposed):
    branches = detector_files.slots()
    branches["channel"] = ak.values_astype(branches["channel"], "u2") + 6000
    path, _ = proposed(branches)
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["hits"]["channel"] == {"join": ["channel", "slot"]}


def test_ids_of_64_bits_are_channels(proposed):
    branches = detector_files.slots()
    del branches["slot"]
    branches["cellID"] = ak.values_astype(branches.pop("channel"), "i8") + 2**60
    path, _ = proposed(branches)
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["hits"]["channel"] == "cellID"


def test_cells_come_before_their_pedestals(proposed):
    path, _ = proposed(detector_files.square())
    dense = {"branch": "adc", "shape": [8, 8], "axes": ["row", "col"]}
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["dense"] == dense


def test_rows_that_say_no_event_are_named(tmp_path):
    rows = {name: values for name, values in detector_files.rows_of_hits().items() if name != "event"}
    found = inspect_file(detector_files.write_tree(tmp_path / "rows.root", rows))
    assert not found.candidates
    reasons = {each.reason: set(each.branches) for each in found.rejected}
    assert reasons == {"one hit per entry, and no branch numbers the events": {"ix", "iy", "Edep"}}


@pytest.mark.parametrize(("branches", "n"), [(detector_files.waveforms, 256), (detector_files.digitiser, 60)])
def test_samples_of_a_waveform_are_a_guess(proposed, branches, n):
    _, out = proposed(branches())
    told = 'are cells: samples of a waveform become hits by a function of your own (hits: "module:function")'
    assert f"guessed that all {n} {told}" in out


DENSE = {
    "flat": (detector_files.flat, "calo", (24, 16)),
    "layered": (detector_files.layered, "edep", (3, 6, 4)),
    "raw_counts": (detector_files.raw_counts, "adc", (5, 5)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("branches", "branch", "shape"), DENSE.values(), ids=DENSE)
def test_dense_cells_are_those_of_the_branch(proposed, branches, branch, shape):
    content = branches()
    path, out = proposed(content)
    assert "guessed" in out
    np.testing.assert_array_equal(cells_in(path), content[branch].reshape(-1, *shape))
    command("check", "peaksum.yaml")
    command("run", "peaksum.yaml", "--set", "output.plots=false")


def test_weights_and_particles_come_after_towers(tmp_path):
    path = detector_files.write_tree(tmp_path / "nano.root", detector_files.nanoaod())
    found = [each.branches[-1] for each in inspect_file(path).candidates]
    assert found == ["CaloTower_energy", "GenPart_pt", "LHEPdfWeight"]


def numbered_channels():
    """Return hits by module, layer and cell, with the counts at both ends of it, and times."""
    random = np.random.default_rng(38)
    n = {"mod": 24, "lay": 5, "cel": 12}
    ids = [np.sort(random.choice(24 * 5 * 12, 200, replace=False)) for _ in range(60)]
    numbers = dict(zip(n, np.unravel_index(np.concatenate(ids), tuple(n.values())), strict=True))
    numbers |= {word: random.exponential(size=12_000) for word in ("adc1", "adc2", "tdc1", "tdc2")}
    return {f"cell_{word}": ak.unflatten(each, np.full(60, 200)) for word, each in numbers.items()}


OTHERS = {
    "gaps": (
        detector_files.gaps,
        {"row": "rechit_ieta", "col": "rechit_iphi", "layer": "rechit_layer", "value": "rechit_energy"},
    ),
    "clue": (detector_files.clue, {"row": "y", "col": "x", "layer": "layer", "value": "weight"}),
    "hexagons": (
        detector_files.hexagons,
        {"row": "rechit_iv", "col": "rechit_iu", "layer": "rechit_layer", "value": "rechit_energy"},
    ),
    "three_indices": (
        detector_files.three_indices,
        {"row": "simhit_iy", "col": "simhit_ix", "layer": "simhit_iz", "value": "simhit_edep"},
    ),
    "numbers_in_a_cylinder": (
        lambda: numbers_of_cells("rhoCell", "phiCell", "zCell"),
        {"row": "zCell", "col": "phiCell", "layer": "rhoCell", "value": "EnergyCell"},
    ),
    "numbers_in_a_box": (
        lambda: numbers_of_cells("zCell", "xCell", "yCell"),
        {"row": "yCell", "col": "xCell", "layer": "zCell", "value": "EnergyCell"},
    ),
    "module_layer_and_cell": (  # as KLOE's calorimeter has, in DUNE's near detector
        numbered_channels,
        {"channel": {"join": ["cell_mod", "cell_lay", "cell_cel"]}, "value": "cell_adc1"},
    ),
    "calice": (
        detector_files.calice,
        {"row": "ahc_hitJ", "col": "ahc_hitI", "layer": "ahc_hitK", "value": "ahc_hitEnergy"},
    ),
    "index_in_a_word": (
        detector_files.towers_of_three,
        {"row": "emcTowiEta", "col": "emcTowiPhi", "value": "emcTowE"},
    ),
    "in_one_word": (
        detector_files.in_one_word,
        {"row": "scpoy", "col": "scpox", "layer": "scpoz", "value": "scene"},
    ),
    "numbers_of_pixels": (detector_files.frames, {"row": "PixY", "col": "PixX", "value": "ToT"}),
    "disc": (detector_files.disc, {"row": "hits_idy", "col": "hits_idx", "value": "hits_energy"}),
    "belle": (detector_files.belle, {"channel": "ECLCalDigits.m_CellId", "value": "ECLCalDigits.m_Energy"}),
    "channels": (detector_files.channels, {"channel": "hit_channel", "value": "hit_adc"}),
    "detector_last": (
        detector_files.detector_last,
        {"row": "hit_row_fcal", "col": "hit_col_fcal", "value": "hit_Efcal"},
    ),
}


def numbers_of_cells(layer, col, row):
    """Return hits in a mesh by three numbers of the cell, as Geant4's Par04 writes them."""
    rows, cols, energy = detector_files.as_hits(detector_files.cells(35, (12, 10)))
    numbers = {layer: (rows + cols) % 5, col: cols, row: rows}
    return {name: detector_files.typed(each, "i4") for name, each in numbers.items()} | {"EnergyCell": energy}


@pytest.mark.parametrize(("branches", "hits"), OTHERS.values(), ids=OTHERS)
def test_hits_are_named_by_their_branches(tmp_path, branches, hits):
    path = detector_files.write_tree(tmp_path / "hits.root", branches())
    assert inspect_file(path).candidates[0].grid["hits"] == hits


@pytest.mark.parametrize("unit", [1, 1e-3], ids=["mm", "m"])
def test_pixels_are_told_apart_in_every_unit(tmp_path, unit):
    row, col, energy = detector_files.as_hits(detector_files.cells(33, (12, 12)))
    pixels = {"hit_x": col * 0.4 * unit, "hit_y": row * 0.4 * unit, "hit_energy": energy}
    grid = inspect_file(detector_files.write_tree(tmp_path / "pixels.root", pixels)).candidates[0].grid
    assert (grid["rows"]["bins"], grid["cols"]["bins"]) == (12, 12)


@pytest.mark.parametrize(
    ("names", "shifts", "are_hexagons"),
    [
        (("iv", "iu"), (3, 4), True),
        (("iv", "iu"), (3, 0.5), False),  # coordinates are no labels
        (("row", "col"), (3, 4), False),
        (("iy", "ix"), (3, 4), False),
    ],
)
def test_only_labels_u_and_v_are_taken_for_those_of_hexagons(tmp_path, names, shifts, are_hexagons):
    *places, energy = detector_files.as_hits(detector_files.cells(34, (12, 14)))
    hits = {f"hit_{name}": place + shift for name, place, shift in zip(names, places, shifts, strict=True)}
    path = detector_files.write_tree(tmp_path / "hits.root", {**hits, "hit_energy": energy})
    (found,) = inspect_file(path).candidates
    expected = ({"angle": 120}, "hexagon-7-uv") if are_hexagons else (None, "")
    assert (found.grid.get("hexagons"), found.preset) == expected


def test_hexagons_are_searched_by_their_preset_with_a_threshold_to_change(tmp_path):
    path = detector_files.write_tree(tmp_path / "hits.root", detector_files.hexagons())
    config = proposed_config(path, {"calo": inspect_file(path).candidates[0]})
    clusters = {"grid": "calo", "preset": "hexagon-7-uv", "seed_threshold": 0}
    assert config["clusters"] == {"Cluster": clusters}


def test_the_higher_bits_of_an_id_are_the_row(tmp_path):
    row, col, energy = detector_files.as_hits(detector_files.cells(34, (6, 12)))
    path = detector_files.write_tree(
        tmp_path / "ids.root", {"hit_detid": row * 256 + col, "hit_energy": energy}
    )
    grid = inspect_file(path).candidates[0].grid
    assert grid["hits"]["row"] == {"bits": "hit_detid", "first": 8, "last": 10}
    assert grid["hits"]["col"] == {"bits": "hit_detid", "first": 0, "last": 3}
    assert (grid["rows"]["labels"], grid["cols"]["labels"]) == ("0..5", "0..11")


def test_layers_with_cells_of_another_size_are_grids_of_their_own(tmp_path):
    path = detector_files.write_tree(tmp_path / "cells.root", detector_files.samplings())
    found = [each.grid for each in inspect_file(path).candidates]
    assert [grid["where"] for grid in found] == [
        [{"branch": "cell_sampling", "in": [12, 13]}],
        [{"branch": "cell_sampling", "equals": 14}],
    ]
    assert [grid["rows"] for grid in found] == [
        {"name": "eta", "bins": 20, "start": -1.0, "stop": 1.0},
        {"name": "eta", "bins": 7, "start": -0.7, "stop": 0.7},
    ]


def test_objects_of_an_rntuple_are_hits(tmp_path):
    """As podio writes them: lists of records, in which the position is a record."""
    names = ("energy", "position.x", "position.y", "position.z")
    energy, x, y, z = (detector_files.barrel()[f"ECalBarrel.{name}"] for name in names)
    path = str(tmp_path / "podio.root")
    with uproot.recreate(path) as file:
        file.mkrntuple(
            "events", {"ECal": ak.zip({"energy": energy, "position": ak.zip({"x": x, "y": y, "z": z})})}
        )
    (candidate,) = inspect_file(path).candidates
    assert candidate.branches == ("ECal.position.x", "ECal.position.y", "ECal.position.z", "ECal.energy")


def test_gaps_in_layers_and_columns_are_kept_and_told(proposed):
    path, _ = proposed(detector_files.gaps())
    text = path.read_text()
    section = yaml.safe_load(text)["grids"]["calo"]
    assert section["depth"] == {"labels": "1..19"}
    assert section["rows"] == {"name": "eta", "labels": "-4..-1, 1..4"}
    assert section["cols"]["labels"] == "1..16"
    assert "# layers: 7..18 do not occur in the entries read; kept as cells" in text
    assert "# phi: 6 do not occur in the entries read; kept as cells" in text
    assert "# eta: there is no label 0, so -1 and 1 are neighbours" in text


def test_a_branch_for_each_crystal_is_one_grid(proposed):
    path, out = proposed(detector_files.crystals())
    section = yaml.safe_load(path.read_text())["grids"]["calo"]
    assert section == {"dense": {"branches": "Ecell{1..25}", "shape": [5, 5], "axes": ["row", "col"]}}
    assert "5×5 guessed" in out


def test_channels_ask_for_a_cell_table(proposed):
    path, out = proposed(detector_files.channels())
    assert "needs a cell table" in out
    told = "channels 0 to 24 (25 occur): write cells.csv with a line for each"
    assert told in out
    assert f"# {told}" in path.read_text()
    assert "guessed" not in out


def test_channels_that_are_two_numbers_are_told_apart(proposed):
    _, out = proposed(detector_files.decimal_ids())
    assert "they look like 100 * row + col, row 0 to 6 and col 0 to 8" in out
    assert "wrote cells.csv: row and col of its channels are guessed" in out
    assert Path("cells.csv").read_text().splitlines()[:3] == ["channel,row,col", "0,0,0", "1,0,1"]
    command("check", "peaksum.yaml")


def test_channels_in_the_order_of_cells_get_a_table(proposed):
    _, out = proposed(detector_files.channels(in_order=True))
    assert "they look like 5 * row + col, row 0 to 4 and col 0 to 4 (numbers 5 apart are alike)" in out
    assert "wrote cells.csv: row and col of its channels are guessed" in out
    assert Path("cells.csv").read_text().splitlines()[5:7] == ["4,0,4", "5,1,0"]


def test_a_table_to_fill_in_is_written_once(proposed, capsys):
    """What the owner filled in stays when another config is written."""
    _, out = proposed(detector_files.channels())
    assert "wrote cells.csv: fill in row and col of its channels" in out
    assert Path("cells.csv").read_text().splitlines()[:2] == ["channel,row,col", "0,,"]
    Path("cells.csv").write_text("mine")
    command("init", "--root", "detector.root", "-o", "other.yaml")
    assert Path("cells.csv").read_text() == "mine"
    assert "wrote cells.csv" not in capsys.readouterr().out


def grids_of(tmp_path, branches):
    path = detector_files.write_tree(tmp_path / "some.root", branches)
    return [each.grid for each in inspect_file(path).candidates]


def test_layers_of_other_cells_are_a_grid_of_their_own(tmp_path):
    grids = grids_of(tmp_path, detector_files.two_pitches())
    found = {(each["rows"]["bins"], each["cols"]["bins"], *each["where"][0]["in"]) for each in grids}
    assert found == {(16, 16, 0, 1), (8, 8, 2, 3)}


def merged_cells(make_id, shift=0.0):
    """Return hits of a barrel where four cells in theta are one, but in layer 1: as argon is read out.

    An id is made of layer, number of the first cell, and number in phi, in which each layer is shifted.
    """
    random = np.random.default_rng(9)
    layer, col = random.integers(0, 4, 6000), random.integers(0, 48, 6000)
    phi = (col + 0.5) * 2 * np.pi / 48 + shift * layer
    n_merged = np.where(layer == 1, 1, 4)
    cell = random.integers(0, 160, 6000) // n_merged
    theta, radius = 1.1 + (cell + 0.5) * n_merged * 0.005, 2000 + 40.0 * layer
    columns = {"x": radius * np.cos(phi), "y": radius * np.sin(phi), "z": radius / np.tan(theta)}
    columns = {f"position.{word}": each.astype("f4") for word, each in columns.items()}
    columns |= {
        "cellID": make_id(layer, cell * n_merged, col).astype("u8"),
        "energy": random.exponential(size=6000),
    }
    return {f"Cells.{word}": ak.unflatten(each, np.full(60, 100)) for word, each in columns.items()}


def test_layers_whose_cells_are_merged_are_grids_of_their_own(tmp_path):
    merged, fine = grids_of(tmp_path, merged_cells(lambda layer, *_: layer << 8 | 3))
    bits = {"branch": "Cells.cellID", "first": 8, "last": 9}
    assert merged["where"] == [{**bits, "in": [0, 2, 3]}]
    assert fine["where"] == [{**bits, "equals": 1}]
    assert [(each["rows"]["bins"], each["cols"]["bins"]) for each in (merged, fine)] == [(40, 48), (160, 48)]


def test_layers_that_are_shifted_in_phi_are_one_grid_if_ids_number_their_cells(tmp_path):
    """As inclined electrodes are: each is then searched by itself. Of merged cells, two bits are always 0."""
    branches = merged_cells(lambda layer, first, col: layer << 20 | first << 8 | col, 0.05)
    merged, fine = grids_of(tmp_path, branches)
    assert [each["where"][0].get("in") for each in (merged, fine)] == [[0, 2, 3], None]
    assert (merged["layers"], "layers" in fine) == ("each", False)
    for grid, first, n in ((merged, 10, 40), (fine, 8, 160)):
        assert grid["hits"]["row"] == {"bits": "Cells.cellID", "first": first, "last": 15}
        assert grid["hits"]["col"] == {"bits": "Cells.cellID", "first": 0, "last": 5}
        assert (grid["rows"]["labels"], grid["cols"]["labels"]) == (f"0..{n - 1}", "0..47")
        assert grid["cols"]["periodic"]


def test_layers_whose_cells_are_merged_are_a_guess_where_no_id_tells_them(proposed):
    _, out = proposed(merged_cells(lambda layer, *_: 0 * layer))
    assert "the cells of layers are of 2 sizes" in out
    assert "guessed as one grid" in out


def test_places_that_are_the_same_in_all_hits_are_none(tmp_path):
    """As the sizes of cells are, which may stand beside their positions."""
    branches = detector_files.barrel()
    for axis in "xyz":
        branches[f"ECalBarrel.extent.{axis}"] = 0 * branches["ECalBarrel.position.x"] + 20
    (grid,) = grids_of(tmp_path, branches)
    assert "extent" not in str(grid)


def test_positions_are_taken_where_the_numbers_of_hits_tell_fewer_cells_apart(tmp_path):
    (found,) = inspect_file(
        detector_files.write_tree(tmp_path / "pads.root", detector_files.chips())
    ).candidates
    assert (found.grid["hits"]["row"], found.grid["hits"]["col"]) == ("hit_y", "hit_x")
    assert (found.grid["rows"]["bins"], found.grid["cols"]["bins"]) == (16, 16)


def test_numbers_of_steps_say_no_cell(proposed):
    """Several steps may be in a cell, and no module is theirs."""
    event, row, col, energy = (
        np.repeat(each, 2) for each in detector_files.as_rows(detector_files.cells(36, (6, 6)))
    )
    columns = {
        "EventID": event,
        "StepID": np.arange(len(event)),
        "CellID": row * 6 + col,
        "Row": row,
        "Column": col,
    }
    branches = {name: each.astype("i4") for name, each in columns.items()} | {"Edep": energy}
    path, out = proposed(branches, tree="Step")
    assert yaml.safe_load(path.read_text())["grids"]["calo"]["hits"]["row"] == "Step_Row"
    assert "guessed" not in out


def test_energies_of_all_cells_come_before_the_counts_they_are_made_of(tmp_path):
    energies = np.random.default_rng(37).exponential(size=(40, 12, 16))
    towers = {"BTow.mAdc": (60 * energies).astype("u2"), "BTow.mE": energies}
    (grid, _) = grids_of(tmp_path, {name: each.reshape(40, 192) for name, each in towers.items()})
    assert grid["dense"]["branch"] == "BTow.mE"


def test_detectors_of_other_sizes_are_grids_of_their_own(tmp_path):
    grids = grids_of(tmp_path, detector_files.two_detectors())
    found = {(each["rows"]["labels"], each["cols"]["labels"], each["where"][0]["equals"]) for each in grids}
    assert found == {("0..11", "0..31", 1), ("0..5", "0..7", 2)}
    assert not any("layer" in each["hits"] for each in grids)  # z, which has few values, is no depth here


def test_a_grid_of_some_hits_says_how_many_it_leaves_out(proposed):
    columns = detector_files.two_detectors()
    n_hits = ak.sum(ak.num(columns["tower_caloid"]))
    n_left = ak.sum(columns["tower_caloid"] == 2)
    path, printed = proposed(columns)
    told = f"{n_left} of {n_hits} hits read are left out of this grid"
    assert f"    # {told}\n" in path.read_text()
    assert f"  {told}\n" in printed


def test_sides_of_a_detector_across_the_beam_are_searched_each_by_itself(tmp_path):
    """Of cells by x and y, where no z tells the sides apart; of sections of another kind one is taken."""
    row, col, energy = detector_files.as_hits(detector_files.cells(77, (12, 12)))
    side = ak.where(row % 2 == 0, -1, 1)
    columns = {"hit_ix": col, "hit_iy": row, "hit_energy": energy}
    (grid,) = grids_of(tmp_path, {**columns, "hit_zside": side})
    assert (grid["hits"]["layer"], grid["depth"], grid["layers"]) == (
        "hit_zside",
        {"labels": "-1, 1"},
        "each",
    )
    assert "where" not in grid
    for more in ({"hit_zside": side + 1}, {"hit_zside": side, "hit_layer": col % 3}, {"hit_section": side}):
        (grid,) = grids_of(tmp_path, {**columns, **more})
        assert "where" in grid


def barrel_between_end_caps(depths):
    """Return hits of a barrel, 1, and end caps, 2, by ieta; they have `depths` of its last row."""
    random = np.random.default_rng(12)
    ieta = random.choice([n for n in range(-12, 13) if n], 9000)
    depth = random.integers(1, 4, 9000)
    is_barrel = (np.abs(ieta) < 8) & ~((np.abs(ieta) == 7) & np.isin(depth, depths))
    hit = {"ieta": ieta, "iphi": random.integers(1, 25, 9000), "depth": depth}
    hit |= {"energy": random.exponential(size=9000), "subdet": np.where(is_barrel, 1, 2)}
    return hit


@pytest.mark.parametrize("depths", [(), (3,)], ids=["rows-of-their-own", "a-row-at-the-seam-by-depths"])
def test_a_barrel_and_end_caps_of_one_numbering_are_one_grid(tmp_path, depths):
    """Of the whole detector; that it is one is a guess, and is told as one."""
    hit = barrel_between_end_caps(depths)
    lists = {f"hit_{name}": ak.unflatten(each, np.full(90, 100)) for name, each in hit.items()}
    path = detector_files.write_tree(tmp_path / "data.root", lists)
    (candidate,) = inspect_file(path).candidates
    assert "where" not in candidate.grid
    assert candidate.grid["rows"]["labels"] == "-12..-1, 1..12"
    (text,) = (text for _, text in candidate.comments if "sections" in text)
    assert text.startswith("guessed that 2 sections are one grid, as no cell is in two of them; ")
    assert text.endswith("where: [{branch: hit_subdet, equals: 1}] takes one")


def test_sections_that_are_numbered_each_by_itself_are_no_grid_together(tmp_path):
    """One cell in both, a gap between them, or few hits: the fullest section is taken, and that is told."""
    hit = barrel_between_end_caps(())
    names = {f"hit_{name}": each for name, each in hit.items()}
    shared = {**names, "hit_subdet": np.where(np.arange(9000) == 7, 3 - hit["subdet"], hit["subdet"])}
    apart = {**names, "hit_ieta": hit["ieta"] + 20 * (np.abs(hit["ieta"]) > 7)}
    for columns, n_events in (
        (shared, 90),
        (apart, 90),
        ({name: each[:20] for name, each in names.items()}, 2),
    ):
        n_hits = np.full(n_events, len(columns["hit_ieta"]) // n_events)
        (grid,) = grids_of(tmp_path, {name: ak.unflatten(each, n_hits) for name, each in columns.items()})
        assert "where" in grid


def test_a_barrel_and_its_end_caps_are_grids_of_their_own(tmp_path):
    """Whose rings are fewer, and of fewer cells: their labels close a turn of another length."""
    random = np.random.default_rng(8)
    part = random.integers(0, 3, 9000)
    n_rows, n_cols = np.where(part == 1, 20, 4), np.where(part == 1, 48, 32)
    places = {"part": part, "theta": random.integers(0, 1 << 20, 9000) % n_rows}
    places |= {"phi": random.integers(0, 1 << 20, 9000) % n_cols, "energy": random.exponential(size=9000)}
    grids = grids_of(
        tmp_path, {f"hit_{name}": ak.unflatten(each, np.full(90, 100)) for name, each in places.items()}
    )
    found = {each["where"][0]["equals"]: (each["rows"]["labels"], each["cols"]["bins"]) for each in grids}
    assert found == {0: ("0..3", 32), 1: ("0..19", 48), 2: ("0..3", 32)}


def test_a_detector_of_which_few_cells_were_hit_is_of_no_known_size(tmp_path):
    """Of the second, those on the diagonal in the first event: its size may be any."""
    columns = detector_files.two_detectors()
    is_first = columns["tower_caloid"] == 1
    is_on_diagonal = columns["tower_ieta"] == columns["tower_iphi"]
    is_kept = is_first | (is_on_diagonal & (np.arange(len(is_first)) == 0))
    grids = grids_of(tmp_path, {name: column[is_kept] for name, column in columns.items()})
    assert not any("where" in each for each in grids)


def test_two_ends_of_a_detector_are_not_added_up(tmp_path):
    grids = grids_of(tmp_path, detector_files.two_ends())
    ends = [grid["where"] for grid in grids]
    assert len(ends) == 2
    assert [{"branch": "hit_z", "min": 0}] in ends
    assert [{"branch": "hit_z", "max": 0}] in ends
    _, endcaps = grids_of(tmp_path, detector_files.arrays())
    assert (endcaps["depth"], endcaps["layers"]) == ({"labels": "-1, 1"}, "each")


def test_sides_that_the_sign_of_a_label_tells_are_one_grid(tmp_path):
    """Unless rows of both have the same labels."""
    branches = detector_files.two_sides()
    (grid,) = grids_of(tmp_path, branches)
    assert (grid.get("where"), grid["rows"]["labels"]) == (None, "-5..-1, 1..5")
    branches["ebRechitiEta"] = abs(branches["ebRechitiEta"])
    (grid,) = grids_of(tmp_path, branches)
    assert [each["branch"] for each in grid["where"]] == ["ebRechitZside"]


def test_rows_with_fewer_cells_around_the_beam_are_grids_of_their_own(tmp_path):
    """As of trigger towers, which are twice as wide in phi beyond eta = 0.5."""
    random = np.random.default_rng(7)
    row = random.integers(0, 16, 8000)
    n = np.where((row < 3) | (row > 12), 16, 32)
    phi = (random.integers(0, 1 << 20, 8000) % n + 0.5) * 2 * np.pi / n - np.pi
    places = {"tt_eta": (row - 7.5) * 0.1, "tt_phi": phi, "tt_et": random.exponential(size=8000)}
    hits = {name: ak.unflatten(each, np.full(100, 80)) for name, each in places.items()}
    middle, *others = grids_of(tmp_path, hits)
    assert middle["where"] == [{"branch": "tt_eta", "min": -0.5, "max": 0.5}]
    assert (middle["rows"]["bins"], middle["cols"]["bins"]) == (10, 32)
    assert [grid["cols"]["bins"] for grid in others] == [16, 16]


def test_cells_with_an_identifier_may_have_no_more_places_than_eta_and_phi(tmp_path):
    branches = detector_files.samplings()
    branches["cell_identifier"] = detector_files.typed(branches["cell_eta"] * 0 + 7, "i8")
    assert len(grids_of(tmp_path, branches)) == 2


@pytest.mark.parametrize(("channel", "value"), [("hit_id", "hit_energy"), ("CsiModID", "CsiEne")])
def test_an_id_beside_an_energy_is_a_channel(tmp_path, channel, value):
    ids, energies = detector_files.channels().values()
    tracks = {f"track_{word}": energies for word in ("eta", "phi", "pt")}
    grids = grids_of(tmp_path, {**tracks, "track_id": ids, channel: ids, value: energies})
    assert {"channel": channel, "value": value} in [grid["hits"] for grid in grids]


@pytest.mark.parametrize("turn", [0, 10], ids=["straight", "turned"])
@pytest.mark.parametrize("are_hexagons", [False, True])
def test_hexagons_are_told_from_squares_by_the_neighbours_of_a_cell(tmp_path, are_hexagons, turn):
    """Turned by 10 degrees they are on no lattice that a grid can have."""
    row, col, energy = detector_files.as_hits(detector_files.cells(34, (14, 14)))
    height = 0.75**0.5 if are_hexagons else 1.0
    shift = 0.5 * (row % 2) if are_hexagons else 0
    x, y = (col + shift) * 8.0 + 0.3, row * 8.0 * height + 0.1
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    hits = {"hit_x": cos * x - sin * y, "hit_y": sin * x + cos * y, "hit_energy": energy}
    path = detector_files.write_tree(tmp_path / "hits.root", hits)
    text = str(inspect_file(path).candidates[0])
    assert ("hexagon" in text) == are_hexagons


def test_rows_of_squares_that_are_shifted_are_no_hexagons(tmp_path):
    """As of the crystals of Mu2e, of which every cell touches six."""
    row, col, energy = detector_files.as_hits(detector_files.cells(34, (14, 14)))
    hits = {"hit_x": (col + 0.5 * (row % 2)) * 34.3, "hit_y": row * 34.3, "hit_energy": energy}
    candidate = inspect_file(detector_files.write_tree(tmp_path / "hits.root", hits)).candidates[0]
    told = "cells look like squares in rows that are shifted by half a cell, which square bins only approximate"
    assert ("rows", told) in candidate.comments
