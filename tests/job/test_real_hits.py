"""Clusters of real hits, by the example configs: those of plain loops over the hits, cell by cell."""

import math

import awkward as ak
import numpy as np
import oracle
import pytest
import uproot
from event_files import event_index
from places import CONFIGS
from plain_hits import plain_cells

from hep_peaksum.config.load import load_config
from hep_peaksum.job.processor import PeakSumProcessor


@pytest.fixture
def found(monkeypatch, data):
    """Return what the processor of an example config finds in its file, and its file."""

    def find(config, name, tree):
        path = data(name)
        monkeypatch.setenv("HEP_PEAKSUM_DATA", str(path.parent))
        job = load_config(CONFIGS / config).job()
        processor = PeakSumProcessor(**job)
        return processor.find(event_index(str(path), tree)).events, processor.job, path

    return find


def hits_of(path, tree, names):
    """Return the hits of every event, each with its numbers as Python's own."""
    with uproot.open(path) as file:
        columns = [file[tree][name].array().to_list() for name in names]
    return [list(zip(*event, strict=True)) for event in zip(*columns, strict=True)]


def peaks(cells, settings, *, periodic=(False, False)):
    windows = {"search_window": settings["search_window"], "sum_window": settings["sum_window"]}
    return oracle.find_peaks(cells, **windows, threshold=settings["seed_threshold"], periodic=periodic)


def same(clusters, expected):
    """Check seed, sum and number of cells of the clusters of an event, whatever their order."""
    columns = [clusters[word].to_list() for word in ("seed", "peak_sum", "n_cells")]
    assert sorted(zip(*columns, strict=True)) == sorted(tuple(peak[-3:]) for peak in expected)


def test_showers_of_an_edm4hep_barrel_are_those_of_plain_loops(found):
    events, _, path = found("edm4hep-barrel.yaml", "eic_test_sim.edm4hep.root", "events")
    scfi = "EcalBarrelScFiHits.{}".format
    words = ("position.x", "position.y", "position.z", "energy", "cellID")
    hits = hits_of(path, "events", [scfi(word) for word in words])

    def place(hit, layer=None):
        x, y, z, energy, cell_id = hit
        own = (cell_id >> 14) % 64
        if not 1 <= own <= 12 or own != (layer or own):
            return None
        row = math.floor((math.asinh(z / math.sqrt(x * x + y * y)) + 1.5) / 3 * 60)
        col = math.floor((math.atan2(y, x) + math.pi) / (2 * math.pi) * 128) % 128
        return (row, col, energy) if 0 <= row < 60 else None

    ring = (False, True)
    search = {"search_window": (5, 5), "sum_window": (5, 5), "seed_threshold": 0.002}
    layers = [plain_cells(hits, lambda hit, n=n: place(hit, n), 60, 128) for n in range(1, 13)]
    for event, cells in enumerate(np.sum(layers, axis=0).tolist()):
        expected = peaks(cells, search, periodic=ring)
        clusters = events.Shower[event]
        columns = [clusters[word].to_list() for word in ("seed", "peak_sum")]
        assert sorted(columns[0]) == pytest.approx(sorted(peak[2] for peak in expected), rel=1e-12)
        assert sorted(columns[1]) == pytest.approx(sorted(peak[3] for peak in expected), rel=1e-12)
        assert clusters.layer_sums.to_numpy().sum(axis=1) == pytest.approx(columns[1], rel=1e-12)
        search_in_layer = {"search_window": (3, 3), "sum_window": (3, 3), "seed_threshold": 0.002}
        for layer, grids in enumerate(layers):
            own = events.InLayer[event]
            same(own[own.layer == layer], peaks(grids[event], search_in_layer, periodic=ring))
    assert [len(each) for each in events.Shower] == [1] * 5
    assert events.event.to_list() == [0, 1, 2, 3, 4]


def test_showers_of_ldmx_are_those_of_plain_loops(found):
    events, job, path = found("ldmx-ecal.yaml", "ldmx_ecal_100.root", "LDMX_Events")
    ecal = "EcalRecHits_sim.{}".format
    words = ("xpos_", "ypos_", "energy_", "id_", "isNoise_", "time_")
    hits = hits_of(path, "LDMX_Events", [ecal(word) for word in words])

    def place(hit, layer=None):
        x, y, energy, cell_id, is_noise, _ = hit
        own = (cell_id >> 17) % 64
        if is_noise or own != (own if layer is None else layer):
            return None
        return math.floor((y + 280.5) / 17), math.floor((x + 280.5) / 17), energy

    search = {"search_window": (3, 3), "sum_window": (5, 5), "seed_threshold": 100}
    layers = [plain_cells(hits, lambda hit, n=n: place(hit, n), 33, 33) for n in range(34)]
    for event, cells in enumerate(np.sum(layers, axis=0).tolist()):
        expected, clusters = peaks(cells, search), events.Shower[event]
        assert sorted(clusters.peak_sum.to_list()) == pytest.approx(sorted(p[3] for p in expected), rel=1e-12)
        assert sorted(clusters.n_cells.to_list()) == sorted(p[4] for p in expected)
    assert sum(map(len, events.Shower)) == 175
    times = ak.flatten(events.Shower.time).to_numpy()
    assert times == pytest.approx(expected_times(hits, events.Shower, place))
    assert events.run.to_list() == [1] * 100
    assert events.event.to_list() == list(range(1, 101))
    assert events.weight.to_list() == [1.0] * 100
    assert job.grids["ecal"].has_layers


def expected_times(hits, showers, place):
    """Return the mean time of the hits within two cells of every shower, weighted with energy, hit by hit."""
    times = []
    for event, clusters in zip(hits, showers, strict=True):
        for x, y in zip(clusters.x.to_list(), clusters.y.to_list(), strict=True):
            row, col = round((y + 280.5) / 17 - 0.5), round((x + 280.5) / 17 - 0.5)
            energy = moment = 0.0
            for *hit, time in event:
                found = place((*hit, time))
                if found and abs(found[0] - row) <= 2 and abs(found[1] - col) <= 2:
                    energy, moment = energy + found[2], moment + found[2] * time
            times.append(moment / energy)
    return times


def test_bars_of_a_section_are_those_of_plain_loops(found):
    events, _, path = found("ldmx-ecal.yaml", "ldmx_ecal_100.root", "LDMX_Events")
    hcal = "HcalRecHits_sim.{}".format
    hits = hits_of(path, "LDMX_Events", [hcal(word) for word in ("layer_", "strip_", "pe_", "section_")])
    cells = plain_cells(hits, lambda hit: (hit[0] - 1, hit[1], hit[2]) if hit[3] == 2 else None, 100, 62)
    search = {"search_window": (1, 3), "sum_window": (1, 3), "seed_threshold": 5}
    for event, plane in enumerate(cells):
        same(events.Bar[event], peaks(plane, search))
    assert sum(map(len, events.Bar)) == 7
