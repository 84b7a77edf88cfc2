"""The test beam: with its table a job gives the energies, resolutions and positions that were generated."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from hep_peaksum import toy
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run
from hep_peaksum.toy import testbeam
from hep_peaksum.toy.__main__ import cli

N_EVENTS = 3000


@pytest.fixture(scope="module")
def beam(tmp_path_factory):
    """Return the folder of a test beam with its table."""
    folder = tmp_path_factory.mktemp("beam")
    testbeam.write_testbeam(folder, N_EVENTS, seed=4)
    return folder


def job(folder, results, *, grid=None, **collection):
    """Return a config for all energies of the test beam."""
    calibrated = {
        "dense": {"branch": "adc", "axes": ["channel"]},
        "cells": str(folder / testbeam.TABLE),
        "unit": 1,
    }
    cluster = {"grid": "crystals", "max_clusters": 1, "position": "log", "seed_threshold": "20 sigma"}
    return parse_config(
        {
            "datasets": {f"e{e}": {"files": {str(folder / f"e{e}.root"): "Events"}} for e in testbeam.ENERGIES},
            "events": {"keep": ["hodo_x", "hodo_y", "true_x", "true_y", "true_e9"]},
            "grids": {"crystals": grid or calibrated},
            "clusters": {"E9": {**cluster, **collection}},
            "histograms": {},
            "output": {"directory": str(results), "clusters": ["parquet"]},
        }
    )


def read(results, dataset):
    """Return the columns of a dataset, those of the one cluster of each event flat."""
    table = pq.read_table(sorted((results / dataset / "clusters.parquet").glob("*.parquet")))
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    assert (columns["nE9"] == 1).all()
    return {name: np.concatenate(each) if each.dtype == object else each for name, each in columns.items()}


def test_crystals_are_wired_and_calibrated_as_it_is_told():
    """Means of 81 channels, of which each is told with its spread: within four of its errors."""
    setup = testbeam.make_setup()
    assert sorted(zip(setup.row.tolist(), setup.col.tolist(), strict=True)) == [*np.ndindex(9, 9)]
    for place, status in (((1, 7), 1), ((7, 1), 1), ((1, 4), 2)):
        assert setup.status[(setup.row == place[0]) & (setup.col == place[1])].tolist() == [status]
    assert np.count_nonzero(setup.status) == 3
    assert setup.noise[setup.status == 2].tolist() == [60]
    quiet = setup.noise[setup.status != 2]
    assert 0.9 <= quiet.min() < 0.95
    assert 1.05 < quiet.max() <= 1.1
    first, later = setup.pedestal
    gain, later_gain = setup.gain
    for values, mean, spread in (
        (first, 100, 8),
        (later - first, 15, 4),
        (gain, 0.040, 0.002),
        (later_gain / gain, 0.93, 0.02),
    ):
        assert abs(values.mean() - mean) < 4 * spread / 9
        assert spread / 1.4 < values.std() < 1.4 * spread


@pytest.mark.parametrize(("n_events", "runs"), [(4, [101, 101, 102, 102]), (5, [101, 101, 101, 102, 102])])
def test_half_of_the_events_are_in_each_run(n_events, runs):
    setup = testbeam.make_setup()
    events = testbeam.make_events(n_events, 50, setup, seed=1)
    assert events.run.tolist() == runs
    # of a shower of 50 GeV in a crystal of about 40 MeV a count
    energy = (events.adc - setup.pedestal[events.run - 101]) * setup.gain[events.run - 101]
    assert energy[:, setup.status == 0].sum(axis=1) == pytest.approx(np.full(n_events, 50), abs=6)


def test_the_table_has_every_crystal_at_its_place_in_every_period(tmp_path):
    setup = testbeam.make_setup()
    testbeam.write_table(tmp_path / "t.csv", setup)
    with (tmp_path / "t.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 2 * 81
    for row in rows:
        channel = int(row["channel"])
        period = 0 if int(row["first_run"]) <= 101 <= int(row["last_run"] or 999) else 1
        assert (float(row["x"]), float(row["y"])) == (
            22 * (int(setup.col[channel]) - 4),
            22 * (int(setup.row[channel]) - 4),
        )
        assert float(row["pedestal"]) == setup.pedestal[period, channel]
        assert float(row["gain"]) == setup.gain[period, channel]
        assert row["board"] == f"b{channel // 27}"


@pytest.fixture(scope="module")
def measured(beam, tmp_path_factory):
    """Return what a job with the cell table gives, by energy."""
    results = tmp_path_factory.mktemp("results")
    run(job(beam, results))
    return {energy: read(results, f"e{energy}") for energy in testbeam.ENERGIES}


def is_central(event, half_width=6.0):
    """Return which events hit the middle of a crystal, so that nobody doubts which crystal is the highest."""
    x, y = (np.remainder(event[f"true_{name}"] + testbeam.PITCH / 2, testbeam.PITCH) for name in "xy")
    return (np.abs(x - testbeam.PITCH / 2) < half_width) & (np.abs(y - testbeam.PITCH / 2) < half_width)


@pytest.mark.parametrize("energy", testbeam.ENERGIES)
@pytest.mark.parametrize("number", testbeam.RUNS)
def test_the_mean_energy_is_the_true_one_in_every_run(measured, energy, number):
    event = measured[energy]
    chosen = is_central(event) & (event["run"] == number)
    difference = (event["E9_energy"] - event["true_e9"])[chosen]
    assert len(difference) > 250
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
    low, high = np.quantile(difference, (0.16, 0.84))
    rounded = np.sqrt(testbeam.NOISE**2 + 1 / 12)  # counts, of nine crystals of about 38.5 MeV
    assert (high - low) / 2 == pytest.approx(3 * rounded * 0.0385, rel=0.12)


@pytest.mark.parametrize("energy", testbeam.ENERGIES)
def test_the_resolution_is_the_generated_one(measured, energy):
    event = measured[energy]
    near = (np.hypot(event["true_x"], event["true_y"])) < 5
    e9 = event["E9_energy"][near]
    resolution = e9.std() / e9.mean()
    noise = np.sqrt(9) * testbeam.NOISE * 0.040  # of nine crystals, of about 40 MeV a count
    terms = toy.SAMPLING_TERM / np.sqrt(e9.mean()), toy.CONSTANT_TERM, noise / e9.mean()
    error = 1 / np.sqrt(2 * len(e9))
    assert resolution == pytest.approx(np.sqrt(np.square(terms).sum()), rel=4 * error)


def test_positions_are_unbiased_within_the_limits_of_log_weights(measured, beam, tmp_path):
    """Averaged over the crystals there is no bias; within one under 1.5 of 22 mm, linear over 3 mm."""
    run(job(beam, tmp_path / "linear", position="linear"))
    event, linear = measured[100], read(tmp_path / "linear", "e100")
    for name in "xy":
        difference = event[f"E9_{name}"] - event[f"hodo_{name}"]
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
        assert difference.std() < 1.2
        bins = np.floor(np.remainder(event[f"true_{name}"], testbeam.PITCH) / 2.75).astype(int)
        biases = [abs(difference[bins == n].mean()) for n in range(8)]
        of_linear = linear[f"E9_{name}"] - linear[f"hodo_{name}"]
        assert max(biases) < 1.5
        assert max(abs(of_linear[bins == n].mean()) for n in range(8)) > 3


def test_without_the_table_energies_are_visibly_wrong(measured, beam, tmp_path):
    """The counts as they are, of channels in their order: no matrix, no pedestals, no gains."""
    raw = {"dense": {"branch": "adc", "shape": [9, 9]}, "unit": "40 MeV"}
    run(job(beam, tmp_path, grid=raw, position="seed", seed_threshold=0))
    event = read(tmp_path, "e50")
    e9, true = event["E9_energy"], event["true_e9"]
    assert abs(e9.mean() - true.mean()) > 20 * e9.std() / np.sqrt(len(e9))
    assert e9.std() / e9.mean() > 3 * measured[50]["E9_energy"].std() / measured[50]["E9_energy"].mean()


def test_calibrating_a_run_with_the_table_of_another_is_visibly_wrong(beam, tmp_path):
    rows = list(csv.reader((beam / testbeam.TABLE).read_text().splitlines()))
    last, first = rows[0].index("last_run"), rows[0].index("first_run")
    only_first = [rows[0], *([*row[:last], "", *row[last + 1 :]] for row in rows[1:] if row[first] == "101")]
    table = tmp_path / "first.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(only_first)
    run(job(beam, tmp_path / "r", grid={"dense": {"branch": "adc", "axes": ["channel"]}, "cells": str(table)}))
    event = read(tmp_path / "r", "e50")
    difference = event["E9_energy"] - event["true_e9"]
    later = event["run"] == 102
    assert abs(difference[~later].mean()) < 0.05
    assert difference[later].mean() > 1  # of 50 GeV


def test_the_noisy_channel_is_never_a_seed(measured):
    event = measured[20]
    place = list(zip(event["E9_row"].tolist(), event["E9_col"].tolist(), strict=True))
    assert testbeam.NOISY not in place
    assert not {*testbeam.DEAD} & {*place}


def test_hits_of_channels_give_the_same_clusters(measured, beam, tmp_path):
    """The same counts as one row per hit: channel and value, in decreasing order of the channels."""
    source = uproot.open(beam / "e50.root")["Events"].arrays(library="np")
    n = len(source["adc"])
    with uproot.recreate(tmp_path / "e50.root") as file:
        kept = {name: source[name] for name in source if name != "adc"}
        channel = np.tile(np.arange(81, dtype=np.int32)[::-1], (n, 1))
        jagged = {"det_id": channel, "value": source["adc"][:, ::-1].astype(np.int32)}
        import awkward as ak

        file["Events"] = {**kept, **{name: ak.from_regular(each) for name, each in jagged.items()}}
    grid = {"hits": {"channel": "det_id", "value": "value"}, "cells": str(beam / testbeam.TABLE), "unit": 1}
    config = job(tmp_path, tmp_path / "r", grid=grid)
    config = config.model_copy(update={"datasets": {"e50": {"files": {str(tmp_path / "e50.root"): "Events"}}}})
    run(config)
    found = read(tmp_path / "r", "e50")
    for name in ("E9_energy", "E9_x", "E9_y", "E9_row", "E9_col"):
        assert (found[name] == measured[50][name]).all()


def test_a_branch_for_every_channel_gives_the_same_clusters(measured, beam, tmp_path):
    source = uproot.open(beam / "e50.root")["Events"].arrays(library="np")
    with uproot.recreate(tmp_path / "e50.root") as file:
        kept = {name: source[name] for name in source if name != "adc"}
        file["Events"] = {**kept, **{f"ch{n:02d}": source["adc"][:, n] for n in range(81)}}
    grid = {"dense": {"branches": "ch{00..80}", "axes": ["channel"]}, "cells": str(beam / testbeam.TABLE)}
    config = job(tmp_path, tmp_path / "r", grid={**grid, "unit": 1})
    config = config.model_copy(update={"datasets": {"e50": {"files": {str(tmp_path / "e50.root"): "Events"}}}})
    run(config)
    assert (read(tmp_path / "r", "e50")["E9_energy"] == measured[50]["E9_energy"]).all()


def test_the_command_writes_files_and_table(tmp_path):
    from click.testing import CliRunner

    result = CliRunner().invoke(cli, ["testbeam", "-o", str(tmp_path / "t"), "-n", "5"])
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "t").iterdir()} == {
        "e20.root",
        "e50.root",
        "e100.root",
        "crystals.csv",
    }
    assert uproot.open(tmp_path / "t/e20.root")["Events"].num_entries == 5


def test_a_shower_beyond_the_range_of_the_digitiser_reads_its_full_scale():
    setup = testbeam.make_setup(seed=1)
    adc = testbeam.make_events(50, 1000.0, setup, seed=1).adc  # about 25 000 counts in the crystal that is hit
    highest = adc[:, setup.status == 0].max(axis=1)
    assert (highest == 4095).all()
