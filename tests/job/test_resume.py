"""A second run in the same folder: it reuses what is finished, and refuses what is not its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from finished_jobs import clusters_of, files_below, records_of, run_job

from hep_peaksum.config.formats import TEMPORARY
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.results.atomic_write import seal, unseal
from hep_peaksum.results.lock import InUseError, locked
from hep_peaksum.results.manifest import Manifest
from hep_peaksum.results.status import read_status


def test_a_second_run_repeats_nothing(two_files, job):
    content = job(*two_files, run={"chunksize": 5})
    first = run_job(content)
    before = clusters_of(first.directory).to_list()
    times = {path: path.stat().st_mtime_ns for path in (first.directory / "toy").rglob("part-*")}
    second = run_job(content)
    assert second.summary["n_chunks"] == {"total": 5, "reused": 5}
    assert clusters_of(second.directory).to_list() == before
    assert second.histograms == first.histograms
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_the_manifest_is_written_with_the_chunks_and_with_the_results(two_files, job, monkeypatch):
    """It holds all files of a job, which may be many, and takes as long as they are."""
    written = []
    write = Manifest.write
    monkeypatch.setattr(Manifest, "write", lambda self: written.append(len(self.datasets)) or write(self))
    run_job(job(*two_files))
    assert written == [1, 1]


@pytest.mark.parametrize("which", ["_chunks", "clusters.parquet"])
def test_only_an_unfinished_chunk_is_processed_again(two_files, job, which):
    content = job(*two_files, run={"chunksize": 5})
    first = run_job(content)
    before, histograms = clusters_of(first.directory).to_list(), first.histograms
    gone = sorted((first.directory / "toy" / which).glob("part-*"))[1]
    gone.unlink()
    kept = {
        path: path.stat().st_mtime_ns
        for path in (first.directory / "toy").rglob("part-*")
        if path.stem != gone.stem
    }
    second = run_job(content)
    assert second.summary["n_chunks"] == {"total": 5, "reused": 4}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert clusters_of(second.directory).to_list() == before
    assert second.histograms == histograms


def test_weighted_sums_of_a_job_that_was_interrupted_are_the_same_to_the_last_bit(write_events, job):
    """They are added in another order: what is finished first, as the file system lists it."""
    weight = np.random.default_rng(3).normal(1, 2, 90)
    file = write_events("a.root", 90, 1, w=weight)
    content = job(
        file, run={"chunksize": 8}, events={"weight": {"gen": "w"}, "where": [{"branch": "w", "min": -3}]}
    )
    first = run_job(content).histograms
    for record in records_of(content)[::2]:
        record.unlink()
    assert run_job(content).histograms == first


def test_temporary_files_of_a_killed_run_are_removed(two_files, job):
    first = run_job(job(*two_files))
    picture = first.directory / "plots/toy-nJet.png"
    picture.parent.mkdir()
    parts = first.directory.glob("toy/clusters.parquet/part-*")
    for written in [picture, *records_of(job(*two_files)), *parts]:
        written.with_name(TEMPORARY.format(name=written.name, unique="0" * 32)).write_bytes(b"half")
    run_job(job(*two_files))
    assert not [name for name in files_below(first.directory) if name.endswith(".tmp")]


def test_a_failed_run_keeps_its_finished_chunks(two_files, job, write_events, random_cells):
    cells = random_cells(8, 2)
    cells[6, 0, 0] = np.nan
    bad = write_events("bad.root", 8, 2, cells=cells)
    content = job(two_files[0], bad, run={"chunksize": 5})
    directory = Path(content["output"]["directory"])
    with pytest.raises(ChunkError):
        run_job(content)
    assert not (directory / "summary.json").exists()
    assert read_status(directory).unfinished == {"toy": (2, 4, 17)}
    masking = {**content, "run": {"chunksize": 5, "on_bad_file": "skip"}}
    assert run_job(masking).summary["n_chunks"] == {"total": 5, "reused": 4}


def test_a_larger_number_of_events_reuses_complete_chunks(two_files, job):
    content = job(*two_files, run={"chunksize": 5})
    run_job(content, max_events=5)
    full = run_job(content)
    assert full.summary["n_chunks"] == {"total": 5, "reused": 1}
    assert full.summary["datasets"]["toy"]["n_events"] == 21


@pytest.mark.parametrize(
    ("section", "value", "key"),
    [
        ("clusters", {"Jet": {"grid": "calo", "seed_threshold": 3, "sum_window": [5, 5]}}, ": [3, 3] th"),
        ("clusters", {"Jet": {"grid": "calo", "seed_threshold": 3, "tie_rule": "all"}}, "'first' there, 'a"),
        ("clusters", {"Cluster": {"grid": "calo", "seed_threshold": 3}}, "clusters.Cluster"),
        ("histograms", {}, "histograms"),
        ("events", {"keep": ["weight"]}, "events"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_directory_of_another_config_is_refused_and_the_key_named(two_files, job, section, value, key):
    first = run_job(job(*two_files))
    before = files_below(first.directory)
    with pytest.raises(
        ConfigError, match=r"output\.directory: .* holds the results of another config"
    ) as error:
        run_job(job(*two_files, **{section: value}))
    assert key in str(error.value)
    assert len(error.value.problems) == 1
    assert files_below(first.directory) == before


def test_the_key_that_differs_is_named_as_in_the_file(two_files, job):
    run_job(job(*two_files))
    with pytest.raises(
        ConfigError, match=r"\(clusters\.Jet\.seed_threshold differs: [^ ]+ there, [^ ]+ here\)"
    ):
        run_job(job(*two_files, clusters={"Jet": {"grid": "calo", "seed_threshold": 4}}))


def test_results_of_an_input_file_that_has_changed_are_refused(two_files, job, write_events):
    run_job(job(*two_files))
    write_events("b.root", 9, 2)
    with pytest.raises(ConfigError, match=r"b\.root as it was before it changed: add --redo-changed"):
        run_job(job(*two_files))


def test_a_directory_below_a_file_cannot_be_written(two_files, job, tmp_path):
    (tmp_path / "file").touch()
    content = job(*two_files, output={"directory": str(tmp_path / "file" / "results")})
    with pytest.raises(ConfigError, match=r"output\.directory: .*file/results cannot be written") as error:
        run_job(content)
    assert len(error.value.problems) == 1


def test_restart_removes_the_results_of_another_job(write_events, job):
    file = write_events("a.root", 13)
    plain = {"chunksize": 5}
    run_job(job(file, run=plain))
    other = job(file, run=plain, clusters={"Jet": {"grid": "calo", "seed_threshold": 6}})
    with pytest.raises(ConfigError, match="hep-peaksum run --restart"):
        run_job(other)
    result = run_job(other, restart=True)
    assert result.summary["n_chunks"] == {"total": 3, "reused": 0}
    assert run_job(other).summary["n_chunks"] == {"total": 3, "reused": 3}


def test_restart_takes_a_file_that_has_changed_and_keeps_foreign_files(write_events, job, tmp_path):
    file = write_events("a.root", 13)
    run_job(job(file))
    (tmp_path / "results/toy/mine.txt").write_text("mine")
    write_events("a.root", 9)
    with pytest.raises(ConfigError, match="as it was before it changed"):
        run_job(job(file))
    assert run_job(job(file), restart=True).summary["datasets"]["toy"]["n_events"] == 9
    assert (tmp_path / "results/toy/mine.txt").exists()


def test_another_tree_of_the_same_file_is_another_job(write_root, random_cells, job):
    words = {word: np.arange(6) for word in ("run", "luminosityBlock", "event")}
    trees = {name: {**words, "cells": random_cells(6, seed)} for seed, name in enumerate(("Events", "Other"))}
    content = job(write_root("a.root", trees))
    run_job(content)
    content["datasets"]["toy"]["files"] = dict.fromkeys(content["datasets"]["toy"]["files"], "Other")
    with pytest.raises(ConfigError, match=r"holds 1 finished chunk \(6 events\).*not use: 1 of .*a\.root"):
        run_job(content)


def test_finished_files_are_not_opened_again(write_events, job, monkeypatch):
    content = job(write_events("a.root", 13), write_events("b.root", 8))
    run_job(content)
    monkeypatch.setattr(uproot, "open", lambda *_, **__: pytest.fail("opened"))
    monkeypatch.setattr(uproot, "recreate", uproot.recreate)
    assert run_job(content).summary["n_chunks"] == {"total": 2, "reused": 2}


@pytest.mark.parametrize("damage", ["empty", "cut", "of_another_job", "part_cut"])
def test_a_record_that_cannot_be_trusted_does_not_count(write_events, job, damage):
    content = job(write_events("a.root", 13), run={"chunksize": 5})
    first = run_job(content)
    before = [ak.from_parquet(p).to_list() for p in sorted(first.directory.glob("toy/*.parquet/*"))]
    record = records_of(content)[1]
    part = first.directory / "toy/clusters.parquet" / f"{record.stem}.parquet"
    text = record.read_text()
    if damage == "part_cut":
        part.write_bytes(part.read_bytes()[:-100])
    else:
        body = text.replace(json.loads(text)["fingerprint"], "0" * 16).partition(",")[2]
        other = seal(f"{{{body}".encode()).decode()
        record.write_text({"empty": "", "cut": text[: len(text) // 2], "of_another_job": other}[damage])
    again = run_job(content)
    assert again.summary["n_chunks"] == {"total": 3, "reused": 2}
    assert [ak.from_parquet(p).to_list() for p in sorted(again.directory.glob("toy/*.parquet/*"))] == before


def test_a_remote_directory_is_refused(write_events, job):
    for name in ("s3://bucket/results", "root://eos/results", "file:///tmp/results"):
        content = job(write_events("a.root", 5), output={"directory": name})
        with pytest.raises(ConfigError, match=r"is remote.*name a local directory") as error:
            run_job(content)
        assert len(error.value.problems) == 1


def test_a_second_run_in_the_same_directory_is_refused(write_events, job, tmp_path):
    content = job(write_events("a.root", 5))
    (tmp_path / "results").mkdir()
    with (
        locked(tmp_path / "results"),
        pytest.raises(InUseError, match=rf"another run is at work there \(process {os.getpid()} on ") as error,
    ):
        run_job(content)
    assert "\n" not in str(error.value)
    assert run_job(content).summary["n_chunks"]["total"] == 1


def test_the_lock_of_a_killed_run_is_taken_over(write_events, job, tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from hep_peaksum.results.lock import locked
with locked(Path({str(tmp_path / "results")!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "results").mkdir()
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "results/.lock").exists()
    run_job(job(write_events("a.root", 5)))
    assert not (tmp_path / "results/.lock").exists()


def test_a_lock_whose_file_was_removed_in_between_is_taken_anew(tmp_path, monkeypatch):
    """Its owner removes it when it is done: whoever opened it before that would lock a file without a name."""
    import fcntl

    take, removals = fcntl.flock, [tmp_path / ".lock"]

    def flock(*arguments):
        if removals:
            removals.pop().unlink()
        take(*arguments)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path):
        assert not removals
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")
        with pytest.raises(InUseError), locked(tmp_path):
            pass


def test_the_status_counts_the_chunks_of_the_job_alone(write_events, job):
    directory = run_job(job(write_events("a.root", 15), run={"chunksize": 5})).directory
    assert read_status(directory).n_chunks == 3
    record = sorted((directory / "toy/_chunks").glob("*.json"))[1]
    content = json.loads(unseal(record.read_bytes()))
    record.write_bytes(seal(json.dumps(content | {"fingerprint": "0" * 16}, separators=(",", ":")).encode()))
    state = read_status(directory)
    assert (state.n_chunks, state.unfinished, state.damaged) == (2, {"toy": (1, 2, 10)}, ())
