"""Nothing is lost and nothing doubled: killed runs, full disks, files that change under a job, broken files."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from places import SUPPORT

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job import coffea_runner
from hep_peaksum.job.coffea_runner import ChunkError
from hep_peaksum.job.run import run
from hep_peaksum.results import parquet
from hep_peaksum.results.atomic_write import WriteError, atomic_write
from hep_peaksum.results.checkpoints import Chunk, is_finished
from hep_peaksum.results.lock import InUseError, locked

N_CHUNKS = 8
# The long versions take minutes: HEP_PEAKSUM_LONG=1 pytest tests/job/test_faults.py
LONG = pytest.mark.skipif(
    not os.environ.get("HEP_PEAKSUM_LONG"), reason="takes minutes: set HEP_PEAKSUM_LONG=1"
)
# Whoever is started in the background ignores it.
HEAR_CTRL_C = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)


def run_job(content, **keywords):
    return run(parse_config(content), **keywords)


def content_of(directory):
    """Return all that a reader can find: clusters in every form, histograms, counts."""
    toy = Path(directory) / "toy"
    parts = sorted((toy / "clusters.parquet").glob("*.parquet"))
    with uproot.open(Path(directory) / "histograms.root") as file:
        histograms = {
            key: file[key].values(flow=True).tolist()
            for key, kind in file.classnames().items()
            if kind.startswith("TH")
        }
    assert histograms
    return {
        "parquet": ak.concatenate([ak.from_parquet(part) for part in parts]).to_list(),
        "ttree": uproot.open(toy / "clusters.root")["Events"].arrays().to_list(),
        "rntuple": uproot.open(toy / "clusters.rntuple.root")["Events"].arrays().to_list(),
        "histograms": histograms,
        "counts": json.loads((Path(directory) / "summary.json").read_text())["datasets"],
    }


def no_litter(directory):
    return not [path for path in Path(directory).rglob("*") if path.name.startswith(".")]


def command(path):
    return [sys.executable, "-m", "hep_peaksum", "run", str(path)]


def environment(**fault):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parent)]),
        "HEP_PEAKSUM_FAULT": json.dumps(fault),
    }


@pytest.fixture
def killable(write_events, job, tmp_path):
    """Return a job of eight chunks in a file, its content, and the results that it should have."""
    files = [write_events("a.root", 20, 1), write_events("b.root", 20, 2)]

    def make(executor="iterative", name="results"):
        forms = {"directory": str(tmp_path / name), "clusters": ["parquet", "ttree", "rntuple"], "plots": False}
        events = {"identify": {w: w for w in ("run", "luminosityBlock", "event")}, "schema": "faults:Schema"}
        options = {"chunksize": 5, "executor": executor, "workers": 2}
        content = job(*files, events=events, output=forms, run=options)
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path, content

    _, plain = make(name="undisturbed")
    return make, content_of(run_job(plain).directory)


def records_of(content):
    return sorted((Path(content["output"]["directory"]) / "toy/_chunks").glob("part-*.json"))


def kill_at(killable, tmp_path, point, after):
    """Kill a run at a point, run it again; everything must be as if nothing had happened."""
    make, expected = killable
    path, content = make(name=f"killed-{point}-{after}")
    fault = environment(point=[point], action="kill", after=after, once=str(tmp_path / f"{point}-{after}"))
    killed = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished = records_of(content)
    times = {record: record.stat().st_mtime_ns for record in finished}
    assert not (Path(content["output"]["directory"]) / "summary.json").exists()
    again = run_job(content)
    assert again.summary["n_chunks"] == {"total": N_CHUNKS, "reused": len(finished)}
    assert {record: record.stat().st_mtime_ns for record in times} == times
    assert content_of(again.directory) == expected
    assert no_litter(again.directory)
    return len(finished)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "after", "n_finished"),
    [
        ("part", 2, 2),
        ("move", 4, 4),
        ("merge", 0, N_CHUNKS),
        pytest.param("merge", 1, N_CHUNKS, marks=LONG),
        pytest.param("summary", 0, N_CHUNKS, marks=LONG),
    ],
)
def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(killable, tmp_path, point, after, n_finished):
    assert kill_at(killable, tmp_path, point, after) == n_finished


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("point", ["part", "move", "record"])
def test_a_run_may_be_killed_at_any_chunk(killable, tmp_path, point, after):
    kill_at(killable, tmp_path, point, 2 * after)


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("executor", ["iterative", "futures", "dask"])
@pytest.mark.parametrize("seed", range(6))
def test_a_run_may_be_killed_at_any_time(killable, seed, executor):
    if executor == "dask":
        pytest.importorskip("distributed")
    make, expected = killable
    path, content = make(executor, name=f"random-{seed}")
    process = subprocess.Popen(
        command(path), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not Path(content["output"]["directory"], "manifest.json").exists():
        time.sleep(0.01)
    time.sleep(random.Random(seed).uniform(0, 3 if executor == "iterative" else 9))
    process.kill()
    process.communicate(timeout=30)  # it comes back when the workers, which outlive their run, have ended, too
    n_finished = len(records_of(content))
    content["run"]["executor"] = "iterative"
    again = run_job(content)
    assert again.summary["n_chunks"]["reused"] >= n_finished
    assert content_of(again.directory) == expected
    assert no_litter(again.directory)


@pytest.mark.slow
def test_dask_workers_that_are_killed_cost_nothing(killable, tmp_path):
    """One dies between part and record, one as the record is moved, and one after that."""
    pytest.importorskip("distributed")
    make, expected = killable
    path, content = make("dask")
    fault = environment(point=["part", "move", "record"], action="kill", after=1, once=str(tmp_path / "once"))
    # after which Dask gives up a worker that has died: to start another takes longer
    fault["DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT"] = "10ms"
    done = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=180, text=True)
    assert len(list(tmp_path.glob("once-*"))) == 3
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert content_of(content["output"]["directory"]) == expected


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_line_and_the_next_run_goes_on(killable, tmp_path):
    make, expected = killable
    path, content = make("futures")
    fault = environment(point=["record"], action="kill", after=1, once=str(tmp_path / "once"))
    done = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=120, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a worker died in the middle of a chunk (out of memory?)")
    assert len(done.stderr.splitlines()) == 1
    assert records_of(content)
    content["run"]["executor"] = "iterative"
    assert content_of(run_job(content).directory) == expected


@pytest.mark.slow
def test_processes_end_with_the_run_that_is_killed(killable):
    make, _ = killable
    path, content = make("futures")
    process = subprocess.Popen(
        command(path), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not records_of(content):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=30)  # it comes back when nobody has its stderr any more


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "futures"])
def test_ctrl_c_stops_within_seconds_and_the_next_run_goes_on(killable, executor, write_events):
    make, _ = killable
    path, content = make(executor)
    content["datasets"]["toy"]["files"] = {write_events("many.root", 100): "Events"}
    _, undisturbed = make(name="whole")
    undisturbed["datasets"] = content["datasets"]
    expected = content_of(run_job(undisturbed).directory)
    content["run"]["chunksize"] = 1
    path.write_text(yaml.safe_dump(content))
    process = subprocess.Popen(
        command(path), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=HEAR_CTRL_C,  # noqa: PLW1509
    )  # fmt: skip
    while not records_of(content):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert said.strip().startswith("error: stopped; the chunks that are finished are kept")
    content["run"]["executor"] = "iterative"
    again = run_job(content)
    assert again.summary["n_chunks"]["reused"] >= 1
    found = content_of(again.directory)
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "futures"])
def test_ctrl_c_stops_in_the_middle_of_waiting_for_chunks(killable, tmp_path, executor):
    """Python waits for many futures with the locks of all; Ctrl-C comes when half of them are taken."""
    make, expected = killable
    path, content = make(executor)
    fault = environment(point=["wait"], action="interrupt", once=str(tmp_path / "once"))
    done = subprocess.run(
        command(path), env=fault, capture_output=True, check=False, timeout=60, text=True,
        preexec_fn=HEAR_CTRL_C,
    )  # fmt: skip
    assert list(tmp_path.glob("once-*"))
    assert done.returncode == 130
    assert done.stderr.strip().startswith("error: stopped; the chunks that are finished are kept")
    content["run"]["executor"] = "iterative"
    assert content_of(run_job(content).directory) == expected


# ------------------------------------------------------------------------------------------------------ lock


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


def test_the_lock_of_a_dead_owner_is_taken_over(write_events, job, tmp_path):
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


# --------------------------------------------------------------------------------------------- starting over


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
    with pytest.raises(ConfigError, match=r"another tree of .*a\.root \(Events\)"):
        run_job(content)


def test_finished_files_are_not_even_opened_again(write_events, job, monkeypatch):
    content = job(write_events("a.root", 13), write_events("b.root", 8))
    run_job(content)
    monkeypatch.setattr(uproot, "open", lambda *_, **__: pytest.fail("opened"))
    monkeypatch.setattr(uproot, "recreate", uproot.recreate)
    assert run_job(content).summary["n_chunks"] == {"total": 2, "reused": 2}


@pytest.mark.parametrize("damage", ["empty", "cut", "of_another_job", "part_cut"])
def test_a_record_that_cannot_be_trusted_is_no_record(write_events, job, damage):
    content = job(write_events("a.root", 13), run={"chunksize": 5})
    first = run_job(content)
    before = [ak.from_parquet(p).to_list() for p in sorted(first.directory.glob("toy/*.parquet/*"))]
    record = records_of(content)[1]
    part = first.directory / "toy/clusters.parquet" / f"{record.stem}.parquet"
    text = record.read_text()
    if damage == "part_cut":
        part.write_bytes(part.read_bytes()[:-100])
    else:
        other = text.replace(json.loads(text)["fingerprint"], "0" * 16)
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


# --------------------------------------------------------------------------- what goes wrong while a job runs


@pytest.mark.parametrize("executor", ["iterative", "threads"])
def test_every_chunk_may_fail_once_after_it_was_written(write_events, job, monkeypatch, executor):
    content = job(write_events("a.root", 20), run={"chunksize": 5, "executor": executor, "workers": 2})
    failed, commit = set(), coffea_runner.CheckedProcessor._commit

    def faulty(self, events, directory):
        counts = commit(self, events, directory)
        if events.metadata["entrystart"] not in failed:
            failed.add(events.metadata["entrystart"])
            raise OSError(errno.EIO, "an injected fault")
        return counts

    monkeypatch.setattr(coffea_runner.CheckedProcessor, "_commit", faulty)
    result = run_job(content)
    assert len(failed) == 4
    events = ak.concatenate([ak.from_parquet(p) for p in sorted(result.directory.glob("toy/*.parquet/*"))])
    assert events.event.to_list() == list(range(1000, 1020))
    assert result.summary["datasets"]["toy"]["n_events"] == 20


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("executor", ["futures", "dask"])
def test_every_chunk_may_fail_once_on_workers_of_another_process(killable, tmp_path, executor):
    if executor == "dask":
        pytest.importorskip("distributed")
    make, expected = killable
    path, content = make(executor)
    fault = environment(point=["record"], action="fail", each=True, once=str(tmp_path / "once"))
    done = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=180, text=True)
    assert len(list(tmp_path.glob("once-*"))) == N_CHUNKS
    assert done.returncode == 0, done.stderr
    assert content_of(content["output"]["directory"]) == expected


def change_while_running(monkeypatch, act):
    """Let something happen to the files between planning and reading."""
    work = coffea_runner.processor.Runner._work_function

    def acting(*arguments, **keywords):
        act()
        return work(*arguments, **keywords)

    monkeypatch.setattr(coffea_runner.processor.Runner, "_work_function", staticmethod(acting))


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("change", ["truncated", "replaced", "replaced_by_more", "removed", "touched"])
def test_a_file_that_changes_under_a_job_is_told(write_events, job, monkeypatch, tmp_path, change, on_bad_file):
    good, bad = write_events("a.root", 13), write_events("b.root", 300, 2)
    whole = Path(bad).read_bytes()
    others = {"replaced": 300, "replaced_by_more": 400}
    other = Path(write_events("other.root", others.get(change, 5), 3)).read_bytes()
    content = job(good, bad, run={"on_bad_file": on_bad_file, "chunksize": 1000})

    def act():
        if change == "removed":
            Path(bad).unlink(missing_ok=True)
        elif change == "touched":
            os.utime(bad)
        else:
            Path(bad).write_bytes(whole[: len(whole) // 2] if change == "truncated" else other)

    change_while_running(monkeypatch, act)
    if on_bad_file == "stop":
        with pytest.raises(ChunkError) as error:
            run_job(content)
        said = str(error.value)
        assert not (tmp_path / "results/summary.json").exists()
    else:
        result = run_job(content)
        assert result.summary["datasets"]["toy"]["n_events"] == 13
        assert [(loss["file"], loss["n_entries"]) for loss in result.losses] == [(bad, 300)]
        said = result.losses[0]["reason"]
    assert said.startswith(f"{bad}: ")
    assert "\n" not in said
    words = {"truncated": "cut short or damaged", "removed": "the file no longer exists"}
    assert words.get(change, "changed while the job ran") in said
    assert len(records_of(content)) == 1


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_a_full_disk_is_no_bad_file(write_events, job, monkeypatch, on_bad_file):
    content = job(write_events("a.root", 20), run={"chunksize": 5, "on_bad_file": on_bad_file})

    def full(events, path):
        with atomic_write(path) as file:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(parquet, "write_part", full)
        with pytest.raises(ChunkError, match=r"part-.*parquet: cannot be written \(No space left on device\)"):
            run_job(content)
    directory = Path(content["output"]["directory"])
    assert no_litter(directory)
    assert not records_of(content)
    assert run_job(content).summary["datasets"]["toy"]["n_events"] == 20


@pytest.mark.slow
@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_a_disk_that_fills_up_leaves_whole_chunks_only(write_events, job, tmp_path, on_bad_file):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], check=False).returncode:
        pytest.skip("only root mounts a small file system")
    try:
        file = write_events("a.root", 4000)
        small = {"directory": str(disk / "results"), "clusters": ["parquet", "ttree"], "plots": False}
        content = job(file, output=small, run={"chunksize": 200, "on_bad_file": on_bad_file})
        with pytest.raises((ChunkError, WriteError), match=r"cannot be written \(No space left") as error:
            run_job(content)
        assert "\n" not in str(error.value)
        n_finished = len(records_of(content))
        assert 0 < n_finished < 20
        subprocess.run(["mount", "-o", "remount,size=50M", disk], check=True)
        result = run_job(content)
        assert result.summary["n_chunks"] == {"total": 20, "reused": n_finished}
        assert result.summary["datasets"]["toy"]["n_events"] == 4000
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("place", ["toy/_chunks", "toy/clusters.parquet", "toy"])
def test_a_directory_that_becomes_read_only_is_told(write_events, job, monkeypatch, place):
    content = job(write_events("a.root", 20), run={"chunksize": 5, "on_bad_file": "skip"})
    content["output"]["clusters"] = ["parquet", "ttree"]
    folder = Path(content["output"]["directory"]) / place
    opened = Path.open

    def refusing(self, mode="r", *more, **keywords):
        if self.parent == folder and "w" in mode:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, mode, *more, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refusing)
        with pytest.raises((ChunkError, OSError), match=r"cannot be written \(Permission denied\)"):
            run_job(content)
    assert run_job(content).summary["datasets"]["toy"]["n_events"] == 20


def test_a_duplicated_task_changes_nothing(write_events, job, monkeypatch):
    content = job(write_events("a.root", 20), run={"chunksize": 5})
    work = coffea_runner.processor.Runner._work_function

    def twice(*arguments, **keywords):
        work(*arguments, **keywords)
        return work(*arguments, **keywords)

    monkeypatch.setattr(coffea_runner.processor.Runner, "_work_function", staticmethod(twice))
    result = run_job(content)
    assert result.summary["datasets"]["toy"]["n_events"] == 20
    assert result.histograms["toy"]["nJet"].sum(flow=True) == 20


def test_entries_that_vanish_are_an_error(write_events, job, monkeypatch):
    content = job(write_events("a.root", 20), run={"chunksize": 5})
    finished = is_finished

    def forgetting(directory, chunk, fingerprint):
        return chunk != Chunk("toy", 1, 5, 10) and finished(directory, chunk, fingerprint)

    monkeypatch.setattr("hep_peaksum.job.run.is_finished", forgetting)
    with pytest.raises(RuntimeError, match=r"a\.root, 5 of the planned entries are neither processed nor lost"):
        run_job(content)


# ------------------------------------------------------------------------------------------------------- fuzz

FUZZ = """
import resource, signal, sys
from hep_peaksum.cli import main as cli
import hep_peaksum.job.run
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
class Hang(BaseException): pass
def hang(*_): raise Hang()
signal.signal(signal.SIGALRM, hang)
for line in sys.stdin:
    file, directory = line.split()
    print("BEGIN", file, flush=True)
    print("BEGIN", file, file=sys.stderr, flush=True)
    signal.alarm(30)
    try:
        cli.main(["run", sys.argv[1], "--set", f'datasets.toy.files={{"{file}": Events}}',
                  "--set", f"output.directory={directory}", *sys.argv[2:]])
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        status = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    print("END", status, flush=True)
"""


def mutated(whole, seed):
    """Return a ROOT file with something wrong: cut, bytes flipped, a block zeroed or repeated."""
    number = random.Random(seed)
    data, kind = bytearray(whole), seed % 4
    if kind == 0:
        return bytes(data[: number.randrange(len(data))])
    if kind == 1:
        for _ in range(number.choice([1, 1, 3, 30])):
            data[number.randrange(len(data))] ^= 1 << number.randrange(8)
    elif kind == 2:
        start = number.randrange(len(data))
        data[start : start + number.choice([4, 64, 512])] = bytes(len(data[start : start + 64]))
    else:  # heads are where the lengths are
        for _ in range(number.choice([1, 2, 4])):
            data[number.randrange(min(400, len(data)))] = number.randrange(256)
    return bytes(data)


def fuzz(write_events, job, tmp_path, seeds, executor="iterative"):
    good = write_events("good.root", 40)
    whole = Path(good).read_bytes()
    content = job(good, run={"chunksize": 20, "executor": executor})
    expected = run_job(content)
    counts = expected.summary["datasets"]["toy"]["n_clusters"]["Jet"]
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    lines = []
    for seed in seeds:
        path = tmp_path / f"mutated-{seed}.root"
        path.write_bytes(mutated(whole, seed))
        lines.append(f"{path} {tmp_path / f'out-{seed}'}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FUZZ, str(tmp_path / "job.yaml")],
        input="\n".join(lines), capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    outs, errors = done.stdout.split("BEGIN ")[1:], done.stderr.split("BEGIN ")[1:]
    assert len(outs) == len(errors) == len(lines)
    n_right, other = 0, []
    for seed, out, error in zip(seeds, outs, errors, strict=True):
        path = str(tmp_path / f"mutated-{seed}.root")
        said = error.splitlines()[1:]
        status = out.rsplit("END ", 1)[1].strip()
        assert "Traceback" not in out + error, (seed, out, error)
        if status == "0":
            summary = json.loads((tmp_path / f"out-{seed}" / "summary.json").read_text())["datasets"]["toy"]
            assert summary["n_events"] == 40, seed
            n_right += 1
            if summary["n_clusters"]["Jet"] != counts:
                other.append(seed)
        else:
            assert status == "1", (seed, status, error)
            assert len(said) == 1, (seed, said)
            assert said[0].startswith(f"error: {path}: "), (seed, said)
    return n_right, other


@pytest.mark.slow
def test_a_broken_file_is_read_right_or_named(write_events, job, tmp_path):
    n_right, other = fuzz(write_events, job, tmp_path, range(32))
    assert 0 < n_right < 32
    assert not other


@LONG
@pytest.mark.slow
def test_five_hundred_broken_files_are_read_right_or_named(write_events, job, tmp_path):
    n_right, other = fuzz(write_events, job, tmp_path, range(1000, 1500))
    print(f"{n_right} of 500 were read, {len(other)} with other clusters: {other}")
    assert 0 < n_right < 500
