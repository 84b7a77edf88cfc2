"""Files that nobody of this project wrote: what is proposed, and that it fills the cells of a plain loop."""

import shlex
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from oracle import find_peaks
from plain_cells import hit_cells

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.inspection.candidates import config_text
from hep_peaksum.inspection.files import inspect_file
from hep_peaksum.reading.blocks import grid_cells, read_blocks


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 0


@pytest.fixture
def run_proposal(tmp_path, monkeypatch, capsys):
    """Propose a config for a file and run it; return the config, its text, and row, col and sum of clusters."""
    monkeypatch.chdir(tmp_path)

    def run(file, *options):
        command("init", "--root", file, *options)
        command("check", "peaksum.yaml")
        command("run", "peaksum.yaml", "--set", "output.plots=false", *MOST)
        text = Path("peaksum.yaml").read_text()
        written = ak.from_parquet(sorted(Path("results/data").glob("*/*.parquet")))
        columns = (written[f"Cluster_{word}"].tolist() for word in ("row", "col", "peak_sum"))
        clusters = [set(zip(*event, strict=True)) for event in zip(*columns, strict=True)]
        return yaml.safe_load(text), text, clusters

    return run


MOST = ("--max-events", "30")


def peaks_in(cells, shape, n_events, periodic=(False, False)):
    """Return row, col and 3x3 sum of the local maxima of {(event, row, col): energy}, by plain loops."""
    found = []
    for event in range(n_events):
        grid = [[0.0] * shape[1] for _ in range(shape[0])]
        for (number, row, col), energy in cells.items():
            if number == event:
                grid[row][col] = energy
        peaks = find_peaks(grid, search_window=(3, 3), sum_window=(3, 3), threshold=0, periodic=periodic)
        found.append({(row, col, total) for row, col, _, total, _ in peaks})
    return found


def shape_of_grid():
    grid = load_config("peaksum.yaml").grids["calo"].grid
    return grid.shape, tuple(axis.periodic for axis in (grid.rows, grid.cols))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("coffea_delphes.root", ["eta: guessed", "phi: guessed"], id="delphes"),
        pytest.param("eic_test_sim.edm4hep.root", ["bins of 0.1 guessed", "so eta and phi"], id="edm4hep"),
        pytest.param(
            "ldmx_ecal_100.root",
            ["bins of 8.341 mm guessed", "a flat detector guessed", "look like hexagons"],
            id="ldmx",
        ),
    ],
)
def test_hits_of_a_real_file_fill_the_cells_of_a_plain_loop(data, run_proposal, name, words):
    config, text, clusters = run_proposal(data(name))
    assert all(word in text for word in words)
    shape, periodic = shape_of_grid()
    cells = hit_cells(config, "calo", most=30)
    assert clusters == peaks_in(cells, shape, len(clusters), periodic)


REGROUPED = {
    "gate": ("dtc_al250.root", "posX"),
    "edm4hep_join": ("coffea_test_FCC_Winter2023.root", "EFlowPhoton"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "candidate"), REGROUPED.values(), ids=REGROUPED)
def test_a_file_made_by_the_named_command_is_read_without_an_edit(data, run_proposal, name, candidate):
    found = inspect_file(str(data(name))).candidates
    first = next(each for each in found if any(candidate in branch for branch in each.branches))
    command(*shlex.split(first.command)[1:])
    config, _, clusters = run_proposal("grouped.root")
    shape, periodic = shape_of_grid()
    cells = hit_cells(config, "calo", most=30)
    assert sum(map(len, clusters)) > 20
    assert clusters == peaks_in(cells, shape, len(clusters), periodic)


@pytest.mark.slow
def test_pixels_fill_their_cells(data, tmp_path, monkeypatch):
    """Of two events only: the plane has 1.6 million cells."""
    monkeypatch.chdir(tmp_path)
    command("init", "--root", data("dtc_exp140.root"))
    config = load_config("peaksum.yaml")
    blocks = read_blocks(config, config.grids, None, max_events=2)
    planes = np.concatenate([grid_cells(config, config.grids, events)["calo"] for events in blocks])
    planes = planes.sum(axis=1) if planes.ndim == 4 else planes
    expected = hit_cells(yaml.safe_load(Path("peaksum.yaml").read_text()), "calo", most=2)
    assert {tuple(map(int, at)): planes[tuple(at)] for at in np.argwhere(planes)} == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tree", "branch", "shape", "told"),
    [
        (
            "g4B5_elec100.root",
            "B5",
            "ECEnergyVector",
            (20, 4),
            "20×4 guessed (numbers 4 apart are alike); also 10×8",
        ),
        (
            "g4B4_2.root",
            "B4",
            "Eabs",
            (67, 10, 10),
            "67×10×10 guessed (numbers 10 apart are alike); also 100×67",
        ),
    ],
)
def test_lists_of_cells_have_their_shape(data, run_proposal, name, tree, branch, shape, told):
    config, text, clusters = run_proposal(data(name))
    assert config["grids"]["calo"]["dense"]["shape"] == list(shape)
    assert told in text
    assert "# unit: 1 MeV  # if one count is that" in text
    with uproot.open(data(name)) as file:
        energies = np.array(file[tree][branch].array(entry_stop=30).tolist()).reshape(-1, *shape)
    planes = energies.reshape(len(energies), -1, *shape[-2:]).sum(axis=1)
    cells = {tuple(map(int, at)): float(planes[tuple(at)]) for at in np.argwhere(planes)}
    assert clusters == peaks_in(cells, shape[-2:], 30)


def test_towers_of_cms_have_their_geometry(data):
    file = data("cms_L1Ntuple.root")
    first = inspect_file(str(file)).candidates[0]
    assert first.grid == {
        "hits": {"row": "L1CaloTower/ieta", "col": "L1CaloTower/iphi", "value": "L1CaloTower/iet"},
        "geometry": "cms-l1-towers",
    }
    assert first.tree == "l1CaloTowerEmuTree/L1CaloTowerTree"


def test_layers_come_from_the_ids_of_hits(data):
    file = data("eic_test_sim.edm4hep.root")
    first = inspect_file(str(file)).candidates[0]
    hits = "EcalBarrelScFiHits/EcalBarrelScFiHits"
    xyz = [f"{hits}.position.{axis}" for axis in "xyz"]
    assert first.grid["hits"] == {
        "row": {"eta": xyz},
        "col": {"phi": xyz[:2]},
        "layer": {"bits": f"{hits}.cellID", "field": "layer", "encoding": {"from_file": "EcalBarrelScFiHits"}},
        "value": f"{hits}.energy",
    }
    assert first.grid["depth"] == {"labels": "1..12"}
    assert first.grid["unit"] == "1 GeV"


def test_a_section_is_picked_and_its_layers_keep_their_gap(data):
    file = str(data("ldmx_ecal_100.root"))
    hcal = next(each for each in inspect_file(file).candidates if "HcalRecHits" in each.branches[0])
    hits = "HcalRecHits_sim/HcalRecHits_sim"
    assert hcal.grid["where"] == [{"branch": f"{hits}.section_", "equals": 2}]
    text = config_text(file, {"hcal": hcal})
    assert "several sections in one collection; hits read by section: 0: 5, 1: 27, 2: 32, 3: 20, 4: 20." in text
    assert hcal.grid["hits"]["layer"] == f"{hits}.layer_"


def test_the_layer_of_ldmx_is_in_its_id(data):
    """Bits 17 to 22, as EcalID of ldmx-sw has it."""
    file = data("ldmx_ecal_100.root")
    first = inspect_file(str(file)).candidates[0]
    hits = "EcalRecHits_sim/EcalRecHits_sim"
    assert first.grid["hits"]["layer"] == {"bits": f"{hits}.id_", "first": 17, "last": 22}
    with uproot.open(file) as opened:
        layers = np.unique(ak.flatten(opened[first.tree][f"{hits}.id_"].array()).to_numpy() >> 17 & 63)
    assert first.grid["depth"] == {"labels": f"{layers.min()}..{layers.max()}"}
    assert first.looks_like == f"hits in x-y, {layers.max() - layers.min() + 1} layers"


def test_pixels_without_an_energy_are_counted(data):
    first = inspect_file(str(data("dtc_exp140.root"))).candidates[0]
    assert first.grid["hits"]["value"] == 1
    assert first.grid["depth"] == {"labels": "0..23"}
    assert first.grid["cols"] == {"name": "x", "labels": "-640..-1, 1..640"}
    assert not any("hexagon" in text for _, text in first.comments)


@pytest.mark.parametrize(
    ("name", "run", "event"),
    [
        ("ldmx_ecal_100.root", "EventHeader/run_", "EventHeader/eventNumber_"),
        (
            "eic_test_sim.edm4hep.root",
            "EventHeader/EventHeader.runNumber",
            "EventHeader/EventHeader.eventNumber",
        ),
    ],
)
def test_headers_identify_events(data, name, run, event):
    first = inspect_file(str(data(name))).candidates[0]
    assert dict(first.identify) == {"run": run, "luminosityBlock": 1, "event": event}
