"""`run`: the printed summary, remarks, losses, exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from cli_output import counts_of, row_of


def test_run_prints_entries_and_clusters(cli, good, tmp_path):
    status, out, err = cli("run", good)
    assert (status, err) == (0, "")
    n_clusters = json.loads((tmp_path / "results/summary.json").read_text())["datasets"]["toy"]["n_clusters"][
        "Jet"
    ]
    assert row_of(out, "toy") == {
        "dataset": "toy",
        "files": "2",
        "entries": "21",
        "lost": "0",
        "collection": "Jet",
        "clusters": str(n_clusters),
        "per event": f"{n_clusters / 21:.2f}",
    }
    assert f"Results: {tmp_path / 'results'}" in out


@pytest.mark.parametrize("options", [(), ("--max-events", "5")])
def test_a_dry_run_prints_the_plan_and_writes_nothing(cli, good, tmp_path, options):
    before = sorted(tmp_path.rglob("*"))
    status, out, err = cli("run", good, "--dry-run", *options)
    assert (status, err) == (0, "")
    row = row_of(out, "toy")
    assert (row["files"], row["entries"], row["chunks"]) == (("1", "5", "1") if options else ("2", "21", "2"))
    assert "dry run: would write parquet and histograms to " in out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_says_what_is_finished_and_opens_no_known_file(cli, good, monkeypatch):
    cli("run", good, "--max-events", "15")
    _, out, _ = cli("run", good, "--dry-run", "--restart")
    assert row_of(out, "toy")["finished"] == "0"
    monkeypatch.setattr(uproot, "open", lambda *_, **__: pytest.fail("opened"))
    status, out, err = cli("run", good, "--dry-run")
    assert (status, err) == (0, "")
    row = row_of(out, "toy")
    assert (row["files"], row["entries"], row["chunks"], row["finished"]) == ("2", "21", "3", "2")


def test_a_dry_run_refuses_what_a_run_refuses(cli, good, tmp_path):
    cli("run", good)
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    status, _, err = cli("run", good, "--dry-run", "--set", "clusters.Jet.seed_threshold=4")
    assert (status, err.count("\n"), "holds the results of another config" in err) == (2, 1, True)
    Path(tmp_path / "a.root").write_bytes(Path(tmp_path / "b.root").read_bytes())
    status, _, err = cli("run", good, "--dry-run")
    assert (status, "a.root as it was before it changed" in err) == (2, True)
    status, out, _ = cli(
        "run", good, "--dry-run", "--redo-changed", "--set", "datasets.toy.allow_duplicates=true"
    )
    assert (status, row_of(out, "toy")["finished"]) == (0, "1")
    assert {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()} == before


def test_a_dry_run_names_files_that_cannot_be_read(cli, good, tmp_path):
    (tmp_path / "b.root").write_bytes(b"no ROOT file")
    status, out, _ = cli("run", good, "--dry-run", "--set", "run.on_bad_file=skip")
    assert (status, row_of(out, "toy")["entries"]) == (0, "13")
    assert "lost all entries of toy: " in out
    assert "b.root" in out


def test_max_events_limits_the_entries_processed(cli, good):
    status, out, _ = cli("run", good, "--max-events", "15")
    assert status == 0
    assert counts_of(out, "toy") == ("2", "15", "0")


def test_set_overrides_a_key(cli, good, tmp_path):
    status, _, _ = cli("run", good, "--set", "clusters.Jet.seed_threshold=7", "--set", "run.chunksize=4")
    assert status == 0
    summary = json.loads((tmp_path / "results/summary.json").read_text())
    assert summary["thresholds"]["Jet"]["seed"] == "> 7 counts = 7 GeV"
    assert summary["n_chunks"]["total"] > 2


def test_too_many_clusters_give_a_remark_with_the_threshold(cli, write_root, write_config, job):
    cells = np.zeros((4, 30, 30), "f4")
    cells[:, ::2, ::2] = 1
    file = write_root("a.root", {"Events": {"cells": cells}})
    content = job(file, events={}, grids={"calo": {"dense": {"branch": "cells", "shape": [30, 30]}}})
    content["clusters"]["Jet"]["seed_threshold"] = 0
    content["clusters"]["Jet"]["search_window"] = [1, 1]
    status, out, _ = cli("run", write_config(content))
    assert status == 0
    assert "Jet: more than 100 clusters per event; is seed_threshold (> 0 counts) above the noise?" in out
    assert "Event identity: run = dataset number" in out


def test_hits_outside_the_grid_give_a_remark(cli, write_root, write_config, job):
    hits = ak.zip({"row": ak.Array([[0, 6]] * 7), "col": ak.Array([[0, 0]] * 7), "e": ak.Array([[4, 9]] * 7)})
    source = {"row": "hit_row", "col": "hit_col", "value": "hit_e"}
    grid = {"hits": source, "rows": {"n": 6}, "cols": {"n": 8}}
    content = job(write_root("a.root", {"Events": {"hit": hits}}), events={}, grids={"calo": grid})
    status, out, _ = cli("run", write_config(content))
    assert status == 0
    assert "toy: 7 hits lie outside grid 'calo' and were not added" in out


@pytest.mark.parametrize("kind", ["garbage", "nan"])
def test_losses_are_listed_and_have_their_own_exit_status(
    cli, write_events, random_cells, write_config, job, tmp_path, kind
):
    cells = random_cells(6)
    cells[2, 3, 4] = np.nan
    bad = write_events("bad.root", 6, cells=cells) if kind == "nan" else str(tmp_path / "bad.root")
    if kind == "garbage":
        Path(bad).write_bytes(b"nothing" * 99)
    content = job(write_events("a.root", 5), bad, run={"on_bad_file": "skip"})
    status, out, err = cli("run", write_config(content))
    assert (status, err) == (3, "")
    reason = (
        "entry 2: clusters.Jet: cell (row 3, col 4) is nan"
        if kind == "nan"
        else "cannot be read as a ROOT file"
    )
    assert f"lost {'6' if kind == 'nan' else 'all'} entries of toy: {bad}: {reason}" in out
    status, out, _ = cli("status", content["output"]["directory"])
    assert status == 0
    assert reason in out


def test_many_losses_are_listed_by_file_up_to_a_limit(
    cli, write_events, random_cells, write_config, job, tmp_path
):
    cells = random_cells(10)
    cells[[2, 5, 9], 3, 4] = np.nan
    files = [write_events("a.root", 10, cells=cells)]
    for number in range(30):
        files.append(str(tmp_path / f"bad-{number:02d}.root"))
        Path(files[-1]).write_bytes(b"nothing" * 99)
    content = job(*files, run={"on_bad_file": "skip", "chunksize": 2, "retries": 0})
    status, out, _ = cli("run", write_config(content))
    assert status == 3
    lost = [line for line in out.splitlines() if line.startswith("lost ")]
    assert len(lost) == 21
    assert lost[-1] == "lost entries of 11 more files, listed in summary.json"
    summary = json.loads((Path(content["output"]["directory"]) / "summary.json").read_text())
    assert len(summary["losses"]) == 33
    content = job(files[0], run=content["run"], output={"directory": str(tmp_path / "one")})
    _, out, _ = cli("run", write_config(content))
    (line,) = [line for line in out.splitlines() if line.startswith("lost ")]
    assert line.startswith(
        f"lost 6 entries of toy: {files[0]}: entry 2: clusters.Jet: cell (row 3, col 4) is nan"
    )
    assert line.endswith("(and 2 more chunks of this file)")


@pytest.mark.slow
def test_a_job_goes_on_when_nobody_reads_its_output(good, tmp_path):
    """As in ``hep-peaksum run job.yaml | head -0``."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "hep_peaksum", "run", "-q", str(good)]  # a slow machine prints progress
    with os.fdopen(writing, "wb") as unread:
        done = subprocess.run(command, stdout=unread, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "results/summary.json").read_text())["datasets"]["toy"]["n_events"] == 21


def test_a_closed_stdout_is_no_error(good, tmp_path):
    command = f"{sys.executable} -m hep_peaksum run -q {good} >&-"  # a slow machine prints progress
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "results/summary.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_output_that_cannot_be_written_is_said_to_be_that(cli, monkeypatch):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert cli("presets")[::2] == (1, "error: [Errno 28] No space left on device: 'stdout'\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # it could not be closed
