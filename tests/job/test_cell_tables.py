"""Jobs with a cell table: what stops them, and what makes another job of them."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from places import CONFIGS

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import parse_config, parse_job
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inputs.cells import _read
from hep_peaksum.job.processor import PeakSumProcessor
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.job.run import run
from hep_peaksum.results.manifest import fingerprint

HEADER = "channel,row,col,pedestal,gain,noise_raw,status,first_run,last_run"
CHANNELS = [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1)]


REMEDY = "give a finite number, or a status other than 0"


def table_text(*, without=(), more=(), first=1, last=""):
    """Return the table of four channels, from which some are left out, and to which rows are added."""
    rows = [f"{n},{row},{col},10,0.5,1,0,{first},{last}" for n, row, col in CHANNELS if n not in without]
    return "\n".join([HEADER, *rows, *more]) + "\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with two files of four channels, of runs 1 and 2, and of run 7, and their table."""
    monkeypatch.chdir(tmp_path)
    for name, runs in (("a.root", [1, 1, 2]), ("b.root", [7, 7, 7])):
        n = len(runs)
        columns = {"run": np.array(runs, np.uint32), "luminosityBlock": np.ones(n, np.uint32)}
        adc = np.tile(np.array([10, 30, 12, 11], np.int32), (n, 1))
        with uproot.recreate(name) as file:
            file["Events"] = {**columns, "event": np.arange(n, dtype=np.uint64), "adc": adc}
    (tmp_path / "cells.csv").write_text(table_text())
    return tmp_path


def config(grid=None, clusters=None, files=("a.root", "b.root"), **run_options):
    """Return a config of the files and the table."""
    dense = {"dense": {"branch": "adc", "axes": ["channel"]}, "cells": "cells.csv"}
    return parse_config(
        {
            "datasets": {
                "d": {"files": dict.fromkeys((str(Path(name).absolute()) for name in files), "Events")}
            },
            "grids": {"g": {**dense, **(grid or {})}},
            "clusters": {"C": {"grid": "g", "seed_threshold": "5 sigma", **(clusters or {})}},
            "histograms": {},
            "output": {"directory": "results", "clusters": ["parquet"], "plots": False},
            "run": {"executor": "iterative", **run_options},
        }
    )


def test_a_table_makes_energies_of_counts(folder):
    assert run(config()).summary["datasets"]["d"]["n_clusters"] == {"C": 6}
    from pyarrow import parquet

    table = parquet.read_table(sorted((folder / "results/d/clusters.parquet").iterdir()))
    assert table["C_peak_sum"].to_pylist() == [[10.0 + 1.0 + 0.5]] * 6
    assert table["C_col"].to_pylist() == [[1]] * 6


STOPS = {
    "a_run_that_no_row_covers": (
        table_text(last=2),
        "cells.csv: no row holds for run 7, the rows are of runs 1 to 2: add rows",
    ),
    "a_channel_without_a_row_in_a_run": (
        table_text(without=[2], more=["2,1,0,10,0.5,1,0,1,2"]),
        "cells.csv: channel 2 has no row for run 7: add one, of status 1 if it was not used",
    ),
    "a_channel_that_is_not_in_the_table": (
        table_text(without=[2]),
        "cells.csv: 4 values per event in run",
    ),
}


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("executor", ["iterative", pytest.param("futures", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("text", "problem"), STOPS.values(), ids=STOPS)
def test_what_the_table_does_not_say_stops_the_job(folder, text, problem, executor, on_bad_file):
    (folder / "cells.csv").write_text(text)
    grid = {"cells": str(folder / "cells.csv")}  # workers may be those of an earlier job, in another folder
    with pytest.raises(ChunkError) as error:
        run(config(grid, on_bad_file=on_bad_file, executor=executor, workers=2 if executor == "futures" else 1))
    assert str(error.value).startswith(problem)
    assert "\n" not in str(error.value)


REFUSED = {
    "a_channel_twice": (
        table_text(more=["2,1,0,11,0.5,1,0,1,"]),
        "channel 2 has two rows for run 1 (rows 3 and 5 of the table): leave out one of them",
    ),
    "overlapping_ranges": (
        table_text(without=[2], more=["2,1,0,10,0.5,1,0,1,5", "2,1,0,10,0.5,1,0,5,"]),
        "channel 2 has two rows for run 5 (rows 4 and 5 of the table): leave out one of them",
    ),
    "a_channel_without_a_place": (
        table_text(without=[2], more=["2,,0,10,0.5,1,0,1,"]),
        "channel 2 (row 4 of the table): row is empty or n/a, for run 1 and later: " + REMEDY,
    ),
    "a_gain_that_is_missing": (
        table_text(without=[2], more=["2,1,0,10,,1,0,3,4"]),
        "channel 2 (row 4 of the table): gain is empty or n/a, for run 3 to 4: " + REMEDY,
    ),
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_contradicts_itself_is_a_problem_of_the_config(folder, text, problem):
    (folder / "cells.csv").write_text(text)
    with pytest.raises(ConfigError) as error:
        config()
    assert str(error.value) == f"grids.g.cells: cells.csv: {problem}"


KEYS = {
    "no_table": (
        {"cells": None},
        {},
        "grids.g: axes: [channel] needs a cell table: add cells with its path, or ",
    ),
    "common_mode_without": (
        {"cells": None, "dense": {"branch": "adc", "shape": [2, 2]}, "common_mode": {"by": "all"}},
        {"seed_threshold": 1},
        "grids.g: common_mode needs a cell table: ",
    ),
    "two_noises": ({"noise": 3}, {}, "grids.g.noise: the cell table has a column of noise, too: "),
    "no_such_group": (
        {"common_mode": {"by": "asic"}},
        {},
        "grids.g.common_mode: cells.csv: no column 'asic' for groups with a common mode; there are row, c",
    ),
    "another_number_of_channels": (
        {"dense": {"branch": "adc", "axes": ["channel"], "shape": [5]}},
        {},
        "grids.g: dense.shape: 5 channels, cells.csv has 4: ",
    ),
    "no_table_of_that_name": (
        {"cells": "other.csv"},
        {},
        "grids.g.cells: 'other.csv' cannot be read as a table ",
    ),
    "no_table_at_all": ({"cells": 7}, {}, "grids.g.cells: 7 is not a cell table: give the path of a .csv or "),
    "channel_and_row": (
        {"dense": {"branch": "adc", "axes": ["channel", "row"]}},
        {},
        "grids.g.dense.axes: channel stands alone, not in ['channel', 'row']: ",
    ),
    "common_mode_of_hits": (
        {"dense": None, "hits": {"channel": "id", "value": "adc"}, "common_mode": {"by": "all"}},
        {},
        "grids.g.common_mode: it is the median of all channels of an event, and hits are only some: drop it",
    ),
    "channel_and_row_of_hits": (
        {"dense": None, "hits": {"channel": "id", "row": "r", "value": "adc"}},
        {},
        "grids.g.hits: give row and col, or hexagon or channel alone; here: row, channel",
    ),
    "time_of_a_filled_cell": (
        {"dense": None, "hits": {"channel": "id", "value": "adc", "time": "t"}, "fill_dead": "neighbours"},
        {},
        "grids.g.fill_dead: a cell that is filled has an energy and no time: drop fill_dead, or hits.time",
    ),
    "channel_and_layer_of_hits": (
        {"dense": None, "hits": {"channel": "id", "layer": "l", "value": "adc"}, "depth": {"n": 2}},
        {},
        "grids.g.hits: give row and col, or hexagon or channel alone; here: layer, channel",
    ),
    "codes_of_seeds": (
        {},
        {"pileup": ["chunky_donut"], "saturated_seeds": [4095]},
        "clusters.C: saturated_seeds are codes of raw values, and cells of grid 'g' are calibrated: ",
    ),
}


@pytest.mark.parametrize(("grid", "clusters", "problem"), KEYS.values(), ids=KEYS)
def test_keys_that_contradict_the_table_are_one_line(folder, grid, clusters, problem):
    with pytest.raises(ConfigError) as error:
        config(grid, clusters)
    assert str(error.value).startswith(problem)
    assert "\n" not in str(error.value)


def test_another_table_is_another_job(folder):
    before = config()
    assert fingerprint(config()) == fingerprint(before)
    (folder / "cells.csv").write_text(table_text().replace("0.5", "0.6"))
    assert fingerprint(config()) != fingerprint(before)


def test_a_table_that_changes_while_a_job_runs_stops_it(folder):
    before = config()
    plain = before.job()
    (folder / "cells.csv").write_text(table_text().replace("0.5", "0.6"))
    assert parse_job(plain).grids["g"].table()["gain"][0] == 0.5  # what this process has read stays
    _read.cache_clear()  # as on another worker
    with pytest.raises(ConfigError, match=r"cells.csv has changed since the job began: start over"):
        parse_job(plain)


def test_a_grid_of_a_table_survives_plain_values(folder):
    """As a processor on a worker is made of them."""
    before = config({"scale": 1.02, "fill_dead": "neighbours"})
    again = parse_job(before.job())
    assert again.grids["g"] == before.grids["g"]
    assert again.written_fields("C")[-1] == "n_filled"


def test_a_run_may_be_a_number(folder):
    """The table covers run 1 alone, which identify says all events are of."""
    (folder / "cells.csv").write_text(table_text(last=1))
    source = config().model_dump(by_alias=True, mode="json", exclude_none=True)
    source["events"] = {"identify": {"run": 1, "luminosityBlock": 1, "event": "event"}}
    assert run(parse_config(source)).summary["datasets"]["d"]["n_clusters"] == {"C": 6}


def test_a_table_by_run_needs_to_know_the_run(folder):
    with uproot.recreate("c.root") as file:
        file["Events"] = {"adc": np.zeros((2, 4), np.int32)}
    with pytest.raises(
        ChunkError, match=r"cells.csv has rows for runs, and nothing says the run of an event: name "
    ):
        run(config(files=["c.root"]))
    rows = [line.rsplit(",", 2)[0] for line in table_text().splitlines()]
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    assert run(config(files=["c.root"])).summary["datasets"]["d"]["n_events"] == 2


def test_layers_of_channels_are_those_of_the_table(folder):
    """Four channels in one cell of two layers, and one cell beside it."""
    rows = ["channel,row,col,layer,gain", "0,0,0,1,1", "1,0,1,1,2", "2,0,0,2,3", "3,0,1,2,5"]
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    every = {"seed_threshold": 0, "search_window": [1, 1], "sum_window": [1, 1], "order": "position"}
    events = ak.Array({"adc": [[10, 20, 30, 40]]})
    summed = config(clusters={**every, "fields": ["peak_sum", "layer_sums"]}).job()
    clusters = PeakSumProcessor(**_processor_keys(summed)).find(events).events.C
    assert clusters.peak_sum.to_list() == [[10 + 90, 40 + 200]]
    assert clusters.layer_sums.to_list() == [[[10, 90], [40, 200]]]
    each = config({"layers": "each"}, {**every, "fields": ["peak_sum", "layer"]}).job()
    clusters = PeakSumProcessor(**_processor_keys(each)).find(events).events.C
    assert clusters.peak_sum.to_list() == [[10, 40, 90, 200]]
    assert clusters.layer.to_list() == [[0, 0, 1, 1]]


def test_hits_that_name_row_and_column_have_the_rows_of_their_cells(folder):
    """Each cell of two layers has a pedestal of its own, and a gain; times are those of the energies."""
    rows = [
        "row,col,layer,pedestal,gain",
        *(f"{r},{c},{z},{10 * r + c},{1 + z}" for r, c, z in np.ndindex(2, 2, 2)),
    ]
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    hits = {"row": "r", "col": "c", "value": "adc"}
    grid = {"dense": None, "hits": hits, "rows": {"n": 2}, "cols": {"n": 2}}
    layered = {**grid, "hits": {**hits, "layer": "z", "time": "t"}, "depth": {"n": 2}}
    every = {"seed_threshold": 1, "search_window": [1, 1], "sum_window": [1, 1], "order": "position"}
    columns = {"r": [[0, 1, 1], [0]], "c": [[1, 0, 0], [0]], "z": [[0, 1, 0], [1]], "t": [[7, 8, 5], [6]]}
    events = ak.Array({**columns, "adc": [[5, 13, 16], [4]]})
    job = config(layered, {**every, "fields": ["peak_sum", "time"]}).job()
    clusters = PeakSumProcessor(**_processor_keys(job)).find(events).events.C
    assert clusters.peak_sum.to_list() == [[4, 2 * 3 + 6], [2 * 4]]
    assert clusters.time.to_list() == [[7, (6 * 8 + 6 * 5) / 12], [6]]
    (folder / "cells.csv").write_text("row,col,gain\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n")
    job = config(grid, {**every, "fields": ["peak_sum"]}).job()
    clusters = PeakSumProcessor(**_processor_keys(job)).find(events).events.C
    assert clusters.peak_sum.to_list() == [[10, 3 * 29], [4]]


def test_events_that_are_selected_have_the_rows_of_their_runs(folder):
    """The pedestal is 10 in run 1 and 20 from run 2 on; the second event is not searched."""
    later = [f"{n},{row},{col},20,0.5,1,0,2," for n, row, col in CHANNELS]
    (folder / "cells.csv").write_text(table_text(last=1, more=later))
    source = config(clusters={"fields": ["peak_sum"]}, files=["a.root"]).model_dump(
        by_alias=True, mode="json", exclude_none=True
    )
    source["events"] = {"where": [{"branch": "event", "not_in": [1]}]}
    source["variations"] = {"ScaleUp": {"grids.g.scale": 2}}
    source["histograms"] = {"s": {"axes": [{"field": "C.peak_sum", "bins": 50, "start": 0, "stop": 50}]}}
    job = parse_config(source).job()
    keys = ("grids", "clusters", "events", "variations", "histograms")
    events = ak.Array(
        {
            "adc": [[10, 30, 12, 11]] * 3,
            "run": np.array([1, 1, 2]),
            "luminosityBlock": [1, 1, 1],
            "event": [0, 1, 2],
        }
    )
    result = PeakSumProcessor(**{key: job[key] for key in keys}).find(events)
    assert result.events.event.to_list() == [0, 2]
    sums = [10 + 1 + 0.5, 5 - 4 - 4.5 - 5]
    assert result.events.C.peak_sum.to_list() == [[sums[0]], [sums[1]]]
    filled = {
        name: [
            number for number, count in enumerate(result.histograms["s"][{"variation": name}].values()) if count
        ]
        for name in result.histograms["s"].axes["variation"]
    }
    assert filled == {"nominal": [11], "ScaleUp": [23]}


@pytest.mark.slow
def test_sampling_fractions_of_layers_weigh_hits_of_a_real_file(tmp_path, data, monkeypatch):
    """A table of layer and gain: every hit of the EDM4hep barrel counts with the gain of its layer."""
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data("eic_test_sim.edm4hep.root").parent))
    table = ["layer,gain,status", *(f"{layer},{layer / 4},{int(layer == 5)}" for layer in range(1, 13))]
    (tmp_path / "layers.csv").write_text("\n".join(table) + "\n")
    source = yaml.safe_load((CONFIGS / "edm4hep-barrel.yaml").read_text())
    source["output"] |= {"directory": str(tmp_path / "results"), "clusters": ["parquet"]}
    source |= {"histograms": {}, "clusters": {"All": {"grid": "barrel", "search_window": [1, 1]}}}
    source["clusters"]["All"] |= {"sum_window": [1, 1], "fields": ["peak_sum", "layer_sums"]}
    source["grids"] = {"barrel": source["grids"]["barrel"] | {"cells": str(tmp_path / "layers.csv")}}
    run(parse_config(source))
    part = ak.from_parquet(sorted((tmp_path / "results/electrons/clusters.parquet").iterdir()))
    with uproot.open(data("eic_test_sim.edm4hep.root")) as file:
        hits = file["events"].arrays(filter_name="EcalBarrelScFiHits.*")
    name, total, n_cells = "EcalBarrelScFiHits.", 0.0, set()
    for event, each in enumerate(hits):
        for cell, energy, x, y, z in zip(
            *(each[name + word] for word in ("cellID", "energy", "position.x", "position.y", "position.z")),
            strict=True,
        ):
            layer, eta = (int(cell) >> 14) & 63, np.arcsinh(z / np.hypot(x, y))
            if layer != 5 and abs(eta) < 1.5:
                total += float(energy) * layer / 4
                n_cells.add((event, int((eta + 1.5) * 20), int((np.arctan2(y, x) + np.pi) / np.pi * 64)))
    assert ak.sum(part.All_peak_sum) == pytest.approx(total, rel=1e-9)
    assert ak.sum(part.nAll) == len(n_cells) > 90
    layer_sums = ak.to_numpy(ak.flatten(part.AllLayer_sum)).reshape(-1, 12)
    assert (layer_sums[:, 4] == 0).all()
    assert (layer_sums.sum(axis=0) > 0).sum() == 11


def _processor_keys(job):
    return {key: job[key] for key in ("grids", "clusters")}


def test_commands_on_a_single_event_know_the_table(folder, capsys):
    """What `check`, `show`, `explain` and `ties` print: the energy, not the counts; the masked cell."""
    text = table_text(without=[3], more=["3,1,1,10,0.5,1,1,1,"])
    (folder / "cells.csv").write_text(text)
    source = {"dense": {"branch": "adc", "axes": ["channel"]}, "cells": "cells.csv", "fill_dead": "neighbours"}
    (folder / "job.yaml").write_text(
        yaml.safe_dump(
            {
                "datasets": {"d": {"files": {"a.root": "Events"}}},
                "grids": {"g": source},
                "clusters": {"C": {"grid": "g", "seed_threshold": "5 sigma"}},
                "output": {"directory": "results"},
            }
        )
    )
    out = _printed(capsys, "check", "job.yaml")
    assert "cells of g: cells.csv" in out
    assert "1 and later: 3 good, 1 dead (channel 3)" in out
    assert "assumed" not in out
    assert "> 5 sigma = 2.5 counts" in out
    out = _printed(capsys, "show", "job.yaml", "--entry", "0")
    mean = (0 + 10 + 1) / 3
    assert f"{10 + 1 + mean:.5g}" in out
    assert "all " in _printed(capsys, "ties", "job.yaml")
    assert "10" in _printed(capsys, "explain", "job.yaml", "--entry", "0", "--cell", "0", "1")


def _printed(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    printed = capsys.readouterr()
    assert end.value.code == 0, printed.err
    return printed.out
