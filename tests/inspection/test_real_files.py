"""Files that nobody of this project wrote: what is proposed, and that it fills the cells of a plain loop."""

import math
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
def test_towers_of_delphes_fill_the_cells_of_a_plain_loop(data, run_proposal):
    config, text, clusters = run_proposal(data("coffea_delphes.root"))
    assert "eta: guessed" in text
    assert "phi: guessed" in text
    shape, periodic = shape_of_grid()
    cells = hit_cells(config, "calo", most=30)
    assert clusters == peaks_in(cells, shape, len(clusters), periodic)


def columns_of(path, tree, names, most=30):
    """Return the hits of every event, each a tuple of its numbers."""
    with uproot.open(path) as file:
        columns = [file[tree][name].array(entry_stop=most).tolist() for name in names]
    return [list(zip(*event, strict=True)) for event in zip(*columns, strict=True)]


@pytest.mark.slow
def test_clusters_of_hexagons_are_the_hits_around_the_highest(data, run_proposal):
    """Neighbours are the hits within a pitch of 8.34 mm in the same layer and module, which the ids name."""
    path = data("ldmx_ecal_100.root")
    _, text, _ = run_proposal(path)
    assert "guessed" not in text
    assert (
        "every one of 13322 hits is at the centre of a cell, no two of 2992 positions share one"
        in text.replace("\n    #   ", " ")
    )
    assert load_config("peaksum.yaml").grids["calo"].grid.hexagons.pitch == pytest.approx(8.34132, abs=1e-4)
    written = ak.from_parquet(sorted(Path("results/data").glob("*/*.parquet")))
    found = [
        sorted(zip(*event, strict=True))
        for event in zip(*(written[f"Cluster_{word}"].tolist() for word in ("x", "y", "peak_sum")), strict=True)
    ]
    words = [f"EcalRecHits_sim/EcalRecHits_sim.{word}_" for word in ("id", "xpos", "ypos", "energy")]
    for event, hits in enumerate(columns_of(path, "LDMX_Events", words)):
        expected = []
        for cell, x, y, energy in hits:
            near = [
                (e, -round(u, 1), -round(v, 1))  # of equal hits the first column, the lowest in it, is the seed
                for other, u, v, e in hits
                if (other >> 12) & 0x7FF == (cell >> 12) & 0x7FF and math.hypot(u - x, v - y) < 9
            ]
            if energy > 0 and (energy, -round(x, 1), -round(y, 1)) == max(near):
                expected.append((x, y, math.fsum(e for e, *_ in near)))
        assert len(expected) == len(found[event])
        np.testing.assert_allclose(found[event], sorted(expected), rtol=1e-6, atol=1e-4)


@pytest.mark.slow
def test_cells_by_fields_of_ids_are_those_of_a_plain_loop(data, run_proposal):
    """The fibres of ePIC: z falls with its field, phi falls with the sector and rises with the grid.

    The encoding is system:0:8,sector:8:6,layer:14:6,slice:20:4,grid:24:10,fiber:34:16,z:50:-14.
    """
    path = data("eic_test_sim.edm4hep.root")
    config, text, clusters = run_proposal(path)
    rows, cols = load_config("peaksum.yaml").grids["calo"].grid.shape
    assert cols == 48 * 5
    top = (rows - 1) // 2
    cells = {}
    hits = "EcalBarrelScFiHits/EcalBarrelScFiHits"
    names = [f"{hits}.cellID", f"{hits}.energy", *(f"{hits}.position.{axis}" for axis in "xyz")]
    places = {}
    for event, of_event in enumerate(columns_of(path, "events", names)):
        for cell, energy, x, y, z in of_event:
            field = cell >> 50
            field -= (field >> 13) << 14
            sector, grid = (cell >> 8) & 63, (cell >> 24) & 1023
            key = (event, top - field, (48 - sector) * 5 + grid - 1)
            cells[key] = cells.get(key, 0) + energy
            places.setdefault(key[1], []).append(z)
            places.setdefault(("phi", key[2]), []).append(math.atan2(y, x))
    assert clusters == peaks_in(cells, (rows, cols), len(clusters), (False, True))
    edges = np.linspace(*(config["grids"]["calo"]["rows"][word] for word in ("start", "stop")), rows + 1)
    all_away = []
    for place, values in places.items():
        if isinstance(place, int):
            assert edges[place] < min(values) <= max(values) < edges[place + 1]
        else:  # the cells of a flat sector are a little narrower at its ends
            middle = place[1] * math.tau / 240
            away = [(v - values[0] + math.pi) % math.tau - math.pi for v in values]
            assert max(away) - min(away) < 1.1 * math.tau / 240
            all_away.append((values[0] - middle) % math.tau)
    assert max(all_away) - min(all_away) < 2 * math.tau / 240
    assert "hits that differ in slice, fiber alone are one cell, guessed: 1898 ids are 344 cells" in text


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


def test_cells_and_layers_come_from_the_ids_of_hits(data):
    file = data("eic_test_sim.edm4hep.root")
    first = inspect_file(str(file)).candidates[0]
    hits = "EcalBarrelScFiHits/EcalBarrelScFiHits"

    def field(name):
        return {"bits": f"{hits}.cellID", "field": name, "encoding": {"from_file": "EcalBarrelScFiHits"}}

    assert first.grid["hits"] == {
        "row": field("z"),
        "col": {"join": [field("sector"), field("grid")]},
        "layer": field("layer"),
        "value": f"{hits}.energy",
    }
    assert first.grid["depth"] == {"labels": "1..12"}
    assert first.grid["unit"] == "1 GeV"


def test_layers_of_gate_come_from_its_volumes(data, tmp_path, monkeypatch):
    """The first chip stands alone (base 1), all others behind it in a stack (base 2, level 1: 0 to 88)."""
    monkeypatch.chdir(tmp_path)
    command("init", "--root", data("dtc_al250.root"))
    grid = yaml.safe_load(Path("peaksum.yaml").read_text())["grids"]["calo"]
    assert grid["hits"]["layer"] == {"join": ["Hits_baseID", "Hits_level1ID"]}
    assert grid["depth"] == {"labels": "10000, 20000..20088"}
    assert "almost no two hits have the same x, so it does not name a cell" in Path("peaksum.yaml").read_text()


def test_a_section_is_picked_and_its_layers_keep_their_gap(data):
    file = str(data("ldmx_ecal_100.root"))
    hcal = next(each for each in inspect_file(file).candidates if "HcalRecHits" in each.branches[0])
    hits = "HcalRecHits_sim/HcalRecHits_sim"
    assert hcal.grid["where"] == [{"branch": f"{hits}.section_", "equals": 2}]
    text = config_text(file, {"hcal": hcal})
    assert "several sections in one collection; hits read by section: 0: 5, 1: 27, 2: 32, 3: 20, 4: 20." in text
    assert hcal.grid["hits"]["layer"] == f"{hits}.layer_"


def test_layer_and_module_of_ldmx_are_in_its_id(data):
    """Bits 17 to 22 and 12 to 16, as EcalID of ldmx-sw has them."""
    file = data("ldmx_ecal_100.root")
    first = inspect_file(str(file)).candidates[0]
    ids = {"bits": "EcalRecHits_sim/EcalRecHits_sim.id_"}
    fields = {"layer": {"first": 17, "last": 22}, "module": {"first": 12, "last": 16}}
    assert first.grid["hits"]["layer"] == {"join": [{**ids, **bits} for bits in fields.values()]}
    with uproot.open(file) as opened:
        numbers = ak.flatten(opened[first.tree][ids["bits"]].array()).to_numpy()
    layers, modules = np.unique(numbers >> 17 & 63), np.unique(numbers >> 12 & 31)
    assert modules.tolist() == [*range(7)]
    every = range(int(layers.min()), int(layers.max()) + 1)  # also that without a hit
    labels = [f"{layer * 10_000}..{layer * 10_000 + 6}" for layer in every]
    assert first.grid["depth"] == {"labels": ", ".join(labels)}
    assert first.looks_like == f"hits in hexagons of x-y, {7 * len(every)} layers"


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
    assert first.identity.numbers == {"run": run, "luminosityBlock": 1, "event": event}
