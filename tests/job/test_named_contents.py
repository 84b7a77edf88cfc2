"""Files and modules that a config names decide results: other contents make another job."""

import importlib
import json
import sys

import awkward as ak
import numpy as np
import pytest
import uproot
from finished_jobs import clusters_of, run_job

from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.merging.merge import merge

pytestmark = pytest.mark.slow  # together they take many seconds

N = 20
SITE = """
import awkward as ak
import numpy as np

def number(events):
    return np.full(len(events), {number})

def good(events):
    return np.asarray(events.event) < {number}

def calibrate(jets):
    return jets.peak_sum * {number}

def hits(events):
    place = ak.Array([[{number} % 6]] * len(events))
    return place, place, ak.Array([[{number} + 10]] * len(events))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a file, a module `oursite` and functions that write what the job names."""
    cells = np.random.default_rng(3).integers(0, 9, (N, 6, 8)).astype(np.int32)
    columns = {"run": np.full(N, 7, np.uint32), "luminosityBlock": np.repeat([1, 2], N // 2).astype(np.uint32)}
    with uproot.recreate(tmp_path / "a.root") as file:
        file["Events"] = {**columns, "event": np.arange(N, dtype=np.uint64), "cells": cells}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OURS", str(tmp_path))
    monkeypatch.delitem(sys.modules, "oursite", raising=False)
    yield tmp_path
    sys.modules.pop("oursite", None)


def write_module(folder, number):
    # of another length: Python takes bytecode of the same second and length for that of the new file
    (folder / "oursite.py").write_text(SITE.format(number=number) + "#" * number)
    if "oursite" in sys.modules:
        importlib.invalidate_caches()
        importlib.reload(sys.modules["oursite"])


def write_blocks(folder, number):
    (folder / "golden.json").write_text(json.dumps({"7": [[1, number]]}))


def write_table(folder, number):
    rows = [f"{row},{col},{number}" for row in range(6) for col in range(8)]
    (folder / "table.csv").write_text("\n".join(["row,col,gain", *rows]))


def write_mask(folder, number):
    np.save(folder / "mask.npy", np.arange(48).reshape(6, 8) < number)


def write_correction(folder, number):
    value = {"nodetype": "formula", "expression": f"x*{number}", "parser": "TFormula", "variables": ["x"]}
    ends = {"inputs": [{"name": "x", "type": "real"}], "output": {"name": "y", "type": "real"}}
    correction = {"name": "scale", "version": 1, **ends, "data": value}
    (folder / "jec.json").write_text(json.dumps({"schema_version": 2, "corrections": [correction]}))


CORRECTION = {"correctionlib": "$OURS/jec.json", "name": "scale", "inputs": ["peak_sum"]}
DENSE = {"dense": {"branch": "cells"}, "rows": {"n": 6}, "cols": {"n": 8}, "unit": 1}
NAMED = {
    "lumi_mask": (write_blocks, {"events": {"where": [{"lumi_mask": "$OURS/golden.json"}]}}),
    "lumi_mask of several": (
        write_blocks,
        {
            "events": {
                "where": [{"any": [{"lumi_mask": "$OURS/golden.json"}, {"branch": "event", "equals": 99}]}]
            }
        },
    ),
    "condition": (write_module, {"events": {"where": ["oursite:good"]}}),
    "weight": (write_module, {"events": {"weight": {"ours": "oursite:number"}}}),
    "derived": (write_module, {"derive": {"Jet": {"cal": "oursite:calibrate"}}}),
    "correctionlib": (write_correction, {"derive": {"Jet": {"cal": CORRECTION}}}),
    "hits": (write_module, {"grids": {"g": {**DENSE, "dense": None, "hits": "oursite:hits"}}}),
    "cells": (write_table, {"grids": {"g": {**DENSE, "cells": "$OURS/table.csv"}}}),
    "mask": (write_mask, {"grids": {"g": {**DENSE, "mask": "$OURS/mask.npy"}}}),
    "varied weight": (
        write_module,
        {"events": {"weight": {"ours": 1}}, "variations": {"Up": {"events.weight.ours": "oursite:number"}}},
    ),
    "varied cells": (write_table, {"variations": {"Up": {"grids.g.cells": "$OURS/table.csv"}}}),
    "varied mask": (write_mask, {"variations": {"Up": {"grids.g.mask": "$OURS/mask.npy"}}}),
}


@pytest.fixture(params=NAMED)
def named(request, folder):
    """Return what writes the file or module that a job names, and the content of the job."""
    if request.param == "correctionlib":
        pytest.importorskip("correctionlib")
    write, sections = NAMED[request.param]

    def write_it(number):
        write(folder, number)

    content = {
        "datasets": {"toy": {"files": {str(folder / "a.root"): "Events"}}},
        "grids": {"g": DENSE},
        "clusters": {"Jet": {"grid": "g", "seed_threshold": 6, "fields": ["peak_sum", "row", "col"]}},
        "histograms": {"sums": {"axes": [{"field": "Jet.peak_sum", "bins": 50, "start": 0, "stop": 200}]}},
        "output": {"directory": str(folder / "results"), "plots": False, "report": False},
        "run": {"chunksize": 7},
        **sections,
    }
    for grid in content["grids"].values():
        if grid.get("dense", 0) is None:
            del grid["dense"]
    return write_it, content


def results_of(result):
    counts = {key: each.values(flow=True).tolist() for key, each in result.histograms["toy"].items()}
    return counts, clusters_of(result.directory).to_list()


def test_other_contents_make_another_job(named, folder):
    write, content = named
    results = {}
    for number in (1, 2):
        write(number)
        elsewhere = {**content["output"], "directory": str(folder / f"alone{number}")}
        results[number] = results_of(run_job({**content, "output": elsewhere}))
    assert results[1] != results[2]
    write(1)
    assert results_of(run_job(content)) == results[1]
    write(2)
    with pytest.raises(ConfigError, match=r"results of another config \(.*content of"):
        run_job(content)
    assert results_of(run_job(content, restart=True)) == results[2]
    assert run_job(content).summary["n_chunks"] == {"total": 3, "reused": 3}
    with pytest.raises(ConfigError, match="of different jobs"):
        merge([folder / "alone1", folder / "alone2"], folder / "merged")


def test_contents_that_change_while_a_job_runs_stop_it(named, folder, monkeypatch):
    """Nothing of the new content is committed; with the old one again the job goes on."""
    from hep_peaksum.job import processor as module

    write, content = named
    content["run"]["on_bad_file"] = "skip"
    write(1)
    expected = results_of(run_job({**content, "output": {**content["output"], "directory": str(folder / "a")}}))
    commit, n_committed = module.commit, []

    def changing(*arguments):
        if len(n_committed) == 1:
            write(2)
        commit(*arguments)
        n_committed.append(1)

    monkeypatch.setattr(module, "commit", changing)
    with pytest.raises(ChunkError, match=r"has changed since the job began: start over"):
        run_job(content)
    assert len(n_committed) == 1
    monkeypatch.undo()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("OURS", str(folder))
    write(1)
    result = run_job(content)
    assert result.summary["n_chunks"] == {"total": 3, "reused": 1}
    assert results_of(result) == expected


@pytest.mark.parametrize("named", ["lumi_mask"], indirect=True)
def test_a_content_that_changes_and_changes_back_stops_a_job(named, folder, monkeypatch):
    """Other content when the second chunk is read, and the old one again before it is committed."""
    from hep_peaksum.job import processor as module

    write, content = named
    write(1)
    commit, blocks, n_committed = module.commit, module.PeakSumProcessor.blocks, []

    def committing(*arguments):
        commit(*arguments)
        n_committed.append(1)
        write(2)

    def reading(self, events, tally):
        yield from blocks(self, events, tally)
        write(1)

    monkeypatch.setattr(module, "commit", committing)
    monkeypatch.setattr(module.PeakSumProcessor, "blocks", reading)
    with pytest.raises(ChunkError, match=r"has changed since the job began: start over"):
        run_job(content)
    assert len(n_committed) == 1


def test_a_module_that_was_imported_before_it_changed_is_not_taken_for_the_new_one(folder):
    content = {
        "datasets": {"toy": {"files": {str(folder / "a.root"): "Events"}}},
        "grids": {"g": DENSE},
        "clusters": {"Jet": {"grid": "g", "seed_threshold": 6}},
        "events": {"where": ["oursite:good"]},
        "output": {"directory": str(folder / "results"), "plots": False, "report": False},
    }
    write_module(folder, 5)
    assert len(clusters_of(run_job(content).directory)) == 5
    (folder / "oursite.py").write_text(SITE.format(number=12) + "#" * 12)
    with pytest.raises(ChunkError, match="oursite was imported here before it changed: start Python"):
        run_job(content, restart=True)
    importlib.reload(sys.modules["oursite"])
    assert len(clusters_of(run_job(content).directory)) == 12


def test_a_job_in_another_folder_reads_its_own_file(folder, monkeypatch):
    """The same relative path, in the same process."""
    for number in (1, 2):
        place = folder / str(number)
        place.mkdir()
        monkeypatch.chdir(place)
        write_blocks(place, number)
        content = {
            "datasets": {"toy": {"files": {str(folder / "a.root"): "Events"}}},
            "grids": {"g": DENSE},
            "clusters": {"Jet": {"grid": "g", "seed_threshold": 6}},
            "events": {"where": [{"lumi_mask": "golden.json"}]},
            "output": {"directory": "results", "plots": False, "report": False},
        }
        events = clusters_of(run_job(content).directory)
        assert ak.max(events.luminosityBlock) == number
