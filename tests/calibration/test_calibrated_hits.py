"""Hits with a cell table: in layers, with times, in blocks of events; against dense cells and plain loops."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum import block_sizes, find_clusters
from hep_peaksum.calibration.calibrated_cells import Calibrator
from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.run_calibrations import Calibrations
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.hits import sparse

N_LAYERS, N_ROWS, N_COLS = 3, 4, 5
N_CELLS = N_LAYERS * N_ROWS * N_COLS
PLANE = Grid(rows=Axis(n=N_ROWS), cols=Axis(n=N_COLS), saturated=(300,))
DEPTH = Axis(n=N_LAYERS)
RUNS = np.array([1, 12, 3, 10, 11, 9, 15])
LAYER, ROW, COL = np.unravel_index(np.arange(N_CELLS), (N_LAYERS, N_ROWS, N_COLS))


def columns():
    """Two periods of runs; every channel is a cell of a layer, some are dead, in one column of all layers."""
    random = np.random.default_rng(5)
    status = (random.uniform(size=2 * N_CELLS) < 0.2).astype(int)
    status[:N_CELLS][(ROW == 1) & (COL == 2)] = 1  # in no layer of the first period
    return {
        "channel": np.tile(random.permutation(N_CELLS) + 100, 2),
        **{word: np.tile(index, 2) for word, index in (("layer", LAYER), ("row", ROW), ("col", COL))},
        "pedestal": random.uniform(90, 110, 2 * N_CELLS),
        "gain": random.uniform(0.5, 1.5, 2 * N_CELLS),
        "noise_raw": random.uniform(1, 3, 2 * N_CELLS),
        "t0": random.uniform(-5, 5, 2 * N_CELLS),
        "status": status,
        "first_run": np.repeat([1, 10], N_CELLS),
    }


def calibrator(*, by, layers, fill_dead=False):
    table = columns()
    if by == "cell":
        del table["channel"]
    order = {"order": "channel"} if by == "channel" else {"order": "cell", "n_layers": N_LAYERS}
    calibrations = Calibrations(CellTable.from_columns(table), PLANE, **order)
    return Calibrator(calibrations, layers=layers, fill_dead=fill_dead)


def raw_values():
    """By event and cell, in the order layer, row, col."""
    return np.random.default_rng(6).integers(80, 301, (len(RUNS), N_CELLS)).astype(np.int16)


def as_hits(raw, *, by, layers, fill_dead=False, time=None):
    """Return the raw values as hits in any order, one for every cell."""
    order = np.random.default_rng(7).permutation(N_CELLS)
    value, times = (None if each is None else ak.from_regular(each[:, order]) for each in (raw, time))
    calibrate = calibrator(by=by, layers=layers, fill_dead=fill_dead)
    place = [ak.Array([each[order]] * len(RUNS)) for each in (ROW, COL, LAYER, columns()["channel"][:N_CELLS])]
    if by == "channel":
        return calibrate.hits(place[3], value, RUNS, times)
    value, times = (
        None if each is None else sparse(place[0], place[1], each, PLANE, layer=place[2], depth=DEPTH)
        for each in (value, times)
    )
    return calibrate.hits_on_cells(value, RUNS, times)


EVERY = {"search_window": [1, 1], "sum_window": [3, 3], "seed_threshold": 1}
FIELDS = ["peak_sum", "row", "col", "n_cells", "n_masked", "n_saturated", "n_filled", "noise"]


@pytest.mark.parametrize("layers", ["sum", "each"])
@pytest.mark.parametrize("by", ["channel", "cell"])
@pytest.mark.parametrize("fill_dead", [False, True])
def test_hits_in_layers_are_the_same_cells(by, layers, fill_dead):
    raw = raw_values()
    order = np.argsort(columns()["channel"][:N_CELLS]) if by == "channel" else np.arange(N_CELLS)
    dense = calibrator(by=by, layers=layers, fill_dead=fill_dead).dense(raw[:, order], RUNS)
    hits = as_hits(raw, by=by, layers=layers, fill_dead=fill_dead)
    own = {"layer": "layer"} if layers == "each" else {"layer_sums": "layer_sums"}
    found, expected = (
        find_clusters(cells, EVERY, PLANE, layers=layers, fields=[*FIELDS, *own]) for cells in (hits, dense)
    )
    assert hits.n_outside == 0
    assert len(ak.flatten(found)) > 50
    assert found.to_list() == expected.to_list()


@pytest.mark.parametrize("layers", ["sum", "each"])
def test_energies_in_layers_are_those_of_a_loop(layers):
    raw, table = raw_values(), columns()
    hits = as_hits(raw, by="channel", layers=layers)
    for event, run in enumerate(RUNS):
        for n in range(N_CELLS):
            at = n + N_CELLS * (run >= 10)
            energy = (float(raw[event, n]) - table["pedestal"][at]) * table["gain"][at]
            place = event, LAYER[n], ROW[n], COL[n]
            assert hits.cells.dense()[place] == (0 if table["status"][at] else energy)
            if layers == "each":
                assert hits.mask[place] == (table["status"][at] != 0)


@pytest.mark.parametrize("by", ["channel", "cell"])
def test_times_count_from_t0_and_weigh_with_energy(by):
    """Every cluster is one cell: its time is that of the hits of the good channels of its layers."""
    raw, table = raw_values(), columns()
    time = np.random.default_rng(8).uniform(0, 100, raw.shape)
    hits = as_hits(raw, by=by, layers="sum", time=time)
    one_cell = {"search_window": [1, 1], "sum_window": [1, 1], "seed_threshold": 1}
    clusters = find_clusters(hits, one_cell, PLANE, fields=["row", "col", "time", "seed_time"])
    assert len(ak.flatten(clusters)) > 50
    for event, run in enumerate(RUNS):
        for cluster in clusters[event]:
            energy = moment = 0.0
            for n in np.flatnonzero((cluster.row == ROW) & (cluster.col == COL)):
                at = n + N_CELLS * (run >= 10)
                if table["status"][at] == 0:
                    part = (float(raw[event, n]) - table["pedestal"][at]) * table["gain"][at]
                    energy += part
                    moment += part * (time[event, n] - table["t0"][at])
            assert cluster.time == pytest.approx(moment / energy, rel=1e-12)
            assert cluster.seed_time == cluster.time


@pytest.mark.parametrize("layers", ["sum", "each"])
@pytest.mark.parametrize("of_hits", [False, True], ids=["dense", "hits"])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_blocks_of_events_have_their_own_masks_noise_and_flags(monkeypatch, layers, of_hits, at_once):
    """The events are of two periods; each alone gives what it gives among the others."""
    raw, fields = raw_values(), [*FIELDS, "seed_gap"]
    cells = calibrator(by="cell", layers=layers, fill_dead=True).dense(raw, RUNS)
    if of_hits:
        cells = as_hits(raw, by="cell", layers=layers)
    assert cells.by_event
    monkeypatch.setattr(block_sizes, "DENSE_CELLS", at_once * N_CELLS)
    settings = {"search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": "3 sigma"}
    found = find_clusters(cells, settings, PLANE, layers=layers, fields=fields)
    monkeypatch.undo()
    assert len(ak.flatten(found)) > 10
    assert ak.any(found["n_masked" if of_hits else "n_filled"] > 0)
    for event in range(len(RUNS)):
        one = calibrator(by="cell", layers=layers, fill_dead=not of_hits).dense(
            raw[event : event + 1], RUNS[event : event + 1]
        )
        alone = find_clusters(one, settings, PLANE, layers=layers, fields=fields)
        assert found[event].to_list() == alone[0].to_list()


@pytest.mark.parametrize("masked", ["absent", "zero"])
def test_masked_cells_are_searched_as_they_are(monkeypatch, masked):
    """Also where the kernel does everything in one pass: the cells hold what masked ones are to hold."""
    raw, table = raw_values(), columns()
    cells = calibrator(by="cell", layers="each").dense(raw, RUNS)
    assert cells.holds_absent
    monkeypatch.setattr(block_sizes, "DENSE_CELLS", 2 * N_CELLS)
    settings = {"search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": 20, "masked": masked}
    fields = ["peak_sum", "row", "col", "layer", "n_cells"]
    found = find_clusters(cells, settings, PLANE, layers="each", fields=fields)
    second = N_CELLS * (RUNS >= 10)[:, None]
    energies = (raw - table["pedestal"][second + np.arange(N_CELLS)]) * table["gain"][
        second + np.arange(N_CELLS)
    ]
    is_masked = table["status"][second + np.arange(N_CELLS)] != 0
    shape = (len(RUNS), N_LAYERS, N_ROWS, N_COLS)
    expected = find_clusters(
        energies.reshape(shape), settings, PLANE, mask=is_masked.reshape(shape), layers="each", fields=fields
    )
    assert len(ak.flatten(found)) > 20
    assert found.to_list() == expected.to_list()
