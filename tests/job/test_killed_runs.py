"""Runs that are killed or interrupted: the next one continues, and nothing is lost or doubled."""

import os
import random
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
import yaml
from finished_jobs import command, content_of, environment, has_no_temporary_files, records_of, run_job
from long_tests import LONG

N_CHUNKS = 8


# A process that is started in the background ignores Ctrl-C.
HEAR_CTRL_C = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)


def kill_at(killable, tmp_path, point, after):
    """Kill a run at a point and run it again; return the number of chunks that were finished."""
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
    assert has_no_temporary_files(again.directory)
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
def test_a_killed_run_continues_as_if_nothing_had_happened(killable, tmp_path, point, after, n_finished):
    assert kill_at(killable, tmp_path, point, after) == n_finished


@pytest.mark.slow
def test_a_killed_rerun_leaves_no_summary_of_the_run_before(killable, tmp_path):
    make, expected = killable
    path, content = make(name="rerun")
    directory = Path(content["output"]["directory"])
    run_job(content)
    assert (directory / "summary.json").exists()
    records_of(content)[3].unlink()  # one chunk has to be made anew
    fault = environment(point=["part"], action="kill", once=str(tmp_path / "once"))
    killed = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (directory / "summary.json").exists()
    assert content_of(run_job(content).directory) == expected


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
    process.communicate(timeout=30)  # returns when the workers, which outlive their run, have ended
    n_finished = len(records_of(content))
    content["run"]["executor"] = "iterative"
    again = run_job(content)
    assert again.summary["n_chunks"]["reused"] >= n_finished
    assert content_of(again.directory) == expected
    assert has_no_temporary_files(again.directory)


@pytest.mark.slow
def test_killed_dask_workers_lose_nothing(killable, tmp_path):
    """One is killed between part and record, one before the record is moved, and one after that."""
    pytest.importorskip("distributed")
    make, expected = killable
    path, content = make("dask")
    fault = environment(point=["part", "move", "record"], action="kill", after=1, once=str(tmp_path / "once"))
    # the time after which Dask gives up a dead worker: shorter than it takes to start another
    fault["DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT"] = "10ms"
    done = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=180, text=True)
    assert len(list(tmp_path.glob("once-*"))) == 3
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert content_of(content["output"]["directory"]) == expected


@pytest.mark.slow
def test_a_killed_process_is_one_line_and_the_next_run_continues(killable, tmp_path):
    make, expected = killable
    path, content = make("futures")
    fault = environment(point=["record"], action="kill", after=1, once=str(tmp_path / "once"))
    # loky's tracker, a process of its own, may find and tell what the killed one left before this one has ended
    fault["PYTHONWARNINGS"] = "ignore:resource_tracker"
    done = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=120, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a worker died in the middle of a chunk (out of memory?)")
    assert len(done.stderr.splitlines()) == 1
    assert records_of(content)
    content["run"]["executor"] = "iterative"
    assert content_of(run_job(content).directory) == expected


@pytest.mark.slow
def test_processes_end_with_a_killed_run(killable):
    make, _ = killable
    path, content = make("futures")
    process = subprocess.Popen(
        command(path), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not records_of(content):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=30)  # returns when no process has its stderr open


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "futures"])
def test_ctrl_c_stops_within_seconds_and_the_next_run_continues(killable, executor, write_events):
    make, _ = killable
    path, content = make(executor)
    content["datasets"]["toy"]["files"] = {write_events("many.root", 40): "Events"}
    _, undisturbed = make(name="whole")
    undisturbed["datasets"] = content["datasets"]
    expected = content_of(run_job(undisturbed).directory)
    content["run"]["chunksize"] = 1
    path.write_text(yaml.safe_dump(content))
    process = subprocess.Popen(
        command(path), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=HEAR_CTRL_C,  # noqa: PLW1509 -- it only resets a signal
    )  # fmt: skip
    while not records_of(content):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    try:
        _, message = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert message.strip().startswith("error: interrupted; finished chunks are kept")
    content["run"]["executor"] = "iterative"
    again = run_job(content)
    assert again.summary["n_chunks"]["reused"] >= 1
    result = content_of(again.directory)
    assert result == expected


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "futures"])
def test_ctrl_c_stops_while_coffea_waits_for_chunks(killable, tmp_path, executor):
    """Python waits for futures with the locks of all of them; Ctrl-C comes when half of them are taken."""
    make, expected = killable
    path, content = make(executor)
    fault = environment(point=["wait"], action="interrupt", once=str(tmp_path / "once"))
    done = subprocess.run(
        command(path), env=fault, capture_output=True, check=False, timeout=60, text=True,
        preexec_fn=HEAR_CTRL_C,
    )  # fmt: skip
    assert list(tmp_path.glob("once-*"))
    assert done.returncode == 130
    assert done.stderr.strip().startswith("error: interrupted; finished chunks are kept")
    content["run"]["executor"] = "iterative"
    assert content_of(run_job(content).directory) == expected
