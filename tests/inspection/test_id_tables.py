"""Cells that have ids only, and a tree that says where these are: a cell table is made of it."""

import csv
from pathlib import Path

import awkward as ak
import detector_files
import numpy as np
import pytest
import uproot

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.inspection.files import inspect_file
from hep_peaksum.reading.blocks import grid_cells, read_blocks

N_ROWS, N_COLS = 6, 8
ROW, COL = (index.ravel() for index in np.indices((N_ROWS, N_COLS)))
IDS = np.random.default_rng(3).permutation(N_ROWS * N_COLS).astype("i8") * 16 + 2**40  # in no order
CELLS = detector_files.cells(4, (N_ROWS, N_COLS))


def in_list(columns):
    return {
        name: ak.values_astype(ak.unflatten(each, [len(each)]), each.dtype) for name, each in columns.items()
    }


PLACES = {
    "x and y": {"cellID": IDS, "x": 30.0 * COL, "y": 30.0 * ROW, "z": 500.0 + 0 * ROW},
    "a list": in_list({"geo_ID": IDS, "geo_eta": 0.1 * ROW - 0.25, "geo_phi": (COL + 0.5) * np.pi / 4 - np.pi}),
    "labels": {"tower_id": IDS, "ieta": ROW + 1, "iphi": COL + 1},
}


def hits():
    row, col, energy = detector_files.as_hits(CELLS)
    ids = ak.unflatten(IDS[ak.flatten(row * N_COLS + col)], ak.num(row))
    return {"hit_cellID": ids, "hit_energy": energy}


def write(path, places, events):
    with uproot.recreate(path) as file:
        for name, branches in (("geometry", places), ("Events", events)):
            file.mktree(name, {key: detector_files.types(values) for key, values in branches.items()})
            file[name].extend(branches)
    return str(path)


def placed(path):
    """Return the likeliest candidate, and the row and the column of every channel in its table."""
    candidate = inspect_file(path).candidates[0]
    lines = csv.DictReader(candidate.table.splitlines())
    return candidate, {int(line["channel"]): (int(line["row"]), int(line["col"])) for line in lines}


@pytest.mark.parametrize("places", PLACES.values(), ids=PLACES)
def test_hits_with_ids_are_where_another_tree_has_these(tmp_path, places):
    candidate, found = placed(write(tmp_path / "hits.root", places, hits()))
    first = 1 if "ieta" in places else 0
    assert found == {int(n): (row + first, col + first) for n, row, col in zip(IDS, ROW, COL, strict=True)}
    assert candidate.grid["hits"] == {"channel": "hit_cellID", "value": "hit_energy"}
    assert candidate.grid["cols"].get("periodic", False) == ("x" not in places)
    told = f"the {len(IDS)} cells of tree geometry, which init writes into cells.csv"
    assert ("cells", told) in candidate.comments


def test_what_init_writes_fills_the_cells_of_the_detector(tmp_path, monkeypatch):
    """Depths of cells are layers, which are summed."""
    monkeypatch.chdir(tmp_path)
    two = {name: np.tile(values, 2) for name, values in PLACES["x and y"].items()}
    two["z"][len(IDS) :] += 40
    two["cellID"][len(IDS) :] += 1
    write("hits.root", two, hits())
    for command in ("init --root hits.root", "check peaksum.yaml"):
        with pytest.raises(SystemExit) as end:
            main(command.split())
        assert end.value.code == 0
    config = load_config("peaksum.yaml")
    blocks = read_blocks(config, config.grids, None, max_events=10_000)
    cells = np.concatenate([grid_cells(config, config.grids, events)["calo"].cells for events in blocks])
    assert np.array_equal(
        cells.reshape(len(cells), -1, N_ROWS, N_COLS).sum(axis=1), np.where(CELLS > 0.1, CELLS, 0)
    )
    assert Path("cells.csv").read_text().startswith("channel,layer,row,col\n")


def test_cells_named_by_two_numbers_are_where_another_tree_has_both(tmp_path):
    """Modules of 3 x 4 cells; a tree that lacks one of the numbers, or a cell of theirs, says nothing."""
    module, cell = ROW // 3 * 2 + COL // 4, ROW % 3 * 4 + COL % 4
    row, col, energy = detector_files.as_hits(CELLS)
    at, counts = ak.flatten(row * N_COLS + col), ak.num(row)
    events = {
        "hit_module": ak.unflatten(module[at], counts),
        "hit_crystal": ak.unflatten(cell[at], counts),
        "hit_energy": energy,
    }
    places = {"module": module, "crystal": cell, "x": 30.0 * COL, "y": 30.0 * ROW}
    candidate, found = placed(write(tmp_path / "hits.root", places, events))
    pairs = zip(module.tolist(), cell.tolist(), ROW.tolist(), COL.tolist(), strict=True)
    assert found == {10_000 * m + c: (row, col) for m, c, row, col in pairs}
    assert candidate.grid["hits"] == {"channel": {"join": ["hit_module", "hit_crystal"]}, "value": "hit_energy"}
    for wrong in ({"module": module + 1}, {"crystal": cell * 0}):
        path = write(tmp_path / "wrong.root", places | wrong, events)
        assert "rows" not in inspect_file(path).candidates[0].grid
    del places["module"]
    assert "rows" not in inspect_file(write(tmp_path / "less.root", places, events)).candidates[0].grid


def test_cells_that_share_a_place_are_layers_by_a_number_that_tells_them_apart(tmp_path):
    """Which is told as a guess; without such a number there is no table."""
    two = {name: np.tile(PLACES["x and y"][name], 2) for name in ("x", "y", "cellID")}
    two["cellID"] += np.repeat([0, 1], len(IDS)).astype("i8")
    segment = np.repeat([3, 4], len(IDS))
    path = write(tmp_path / "hits.root", {**two, "segment": segment}, hits())
    (candidate, *_), lines = inspect_file(path).candidates, {}
    for line in csv.DictReader(candidate.table.splitlines()):
        lines[int(line["channel"])] = tuple(int(line[word]) for word in ("layer", "row", "col"))
    cells = np.stack([segment, np.tile(ROW, 2), np.tile(COL, 2)], axis=1).tolist()
    assert lines == dict(zip(two["cellID"].tolist(), map(tuple, cells), strict=True))
    told = "guessed that cells at one place, which differ in segment alone, are layers behind each other"
    assert ("layers", told) in candidate.comments
    path = write(tmp_path / "flat.root", {**two, "segment": segment * 0}, hits())
    assert "rows" not in inspect_file(path).candidates[0].grid


def test_an_array_of_as_many_values_is_guessed_to_be_in_the_order_of_the_cells(tmp_path):
    order = np.random.default_rng(5).permutation(len(IDS))
    places = {"x": 30.0 * COL[order], "y": 30.0 * ROW[order]}
    energies = {"crystal_e": CELLS.reshape(len(CELLS), -1)[:, order]}
    candidate, found = placed(write(tmp_path / "array.root", places, energies))
    assert [*found.values()] == [*zip(ROW[order], COL[order], strict=True)]
    assert candidate.grid["dense"] == {"branch": "crystal_e", "axes": ["channel"]}
    assert any("guessed that crystal_e is in their order" in text for _, text in candidate.comments)


@pytest.mark.parametrize("wrong", ["an id is missing", "two cells are one", "ids occur twice"])
def test_places_that_are_not_those_of_all_cells_are_left_aside(tmp_path, wrong):
    places = {name: values.copy() for name, values in PLACES["x and y"].items()}
    if wrong == "an id is missing":
        places["cellID"][0] = 7
    elif wrong == "two cells are one":
        places["x"][1] = places["x"][0]
    else:
        places["cellID"][1] = places["cellID"][0]
    (candidate,) = inspect_file(write(tmp_path / "hits.root", places, hits())).candidates
    assert "rows" not in candidate.grid


def test_rows_of_hits_are_grouped_and_their_places_stay_in_the_first_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events = hits()
    rows = {name: ak.to_numpy(ak.flatten(values)) for name, values in events.items()}
    rows["eventID"] = np.repeat(np.arange(len(CELLS)), ak.num(events["hit_energy"]))
    write("hits.root", PLACES["labels"], rows)
    with pytest.raises(SystemExit):
        main(["init", "--root", "hits.root"])
    assert load_config("peaksum.yaml").grids["calo"].grid.cols.periodic
    assert Path("cells.csv").read_text().count("\n") == 1 + len(IDS)


def test_each_of_two_grids_has_a_table_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    other = {name.replace("hit", "tower"): values[:, ::2] for name, values in hits().items()}
    write("hits.root", PLACES["labels"], hits() | other)
    for command in ("init --root hits.root --grid em=hit_cellID --grid had=tower_cellID", "check peaksum.yaml"):
        with pytest.raises(SystemExit) as end:
            main(command.split())
        assert end.value.code == 0
    assert Path("em.csv").read_text() == Path("had.csv").read_text()
    assert "which init writes into had.csv" in Path("peaksum.yaml").read_text()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["init", "--root", "hits.root", "--grid", "em=1", "--grid", "had=2", "-o", "other.yaml"])
    assert "em.csv exists already, and stays as it is" in capsys.readouterr().out
