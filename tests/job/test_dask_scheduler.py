"""A Dask scheduler that is lost, or was never there: one line, and the next run continues."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import plain_count
import pytest
import yaml
from cli_output import without_notices
from coffea import processor
from finished_jobs import command, environment, has_no_temporary_files, records_of, run_job
from places import ROOT

from hep_peaksum.job import executors
from hep_peaksum.job.coffea_patches import own_progress, quiet_dask_bar
from hep_peaksum.processing import progress

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def cluster(folder):
    """Start a scheduler and a worker as a user would; yield their processes, and the address of the former."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    environ, file = {**os.environ, "PYTHONPATH": str(ROOT)}, folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environ}

    def start(program, *options):
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{program}", *options], **quiet)

    processes = [start("dask_scheduler", "--scheduler-file", file, "--port=0", "--host=127.0.0.1", "--no-show")]
    try:
        while not file.exists():
            assert processes[0].poll() is None
            time.sleep(0.05)
        options = ["--nthreads=1", "--no-nanny", "--no-dashboard", "--death-timeout=5"]
        processes.append(start("dask_worker", "--scheduler-file", file, "--local-directory", folder, *options))
        yield *processes, json.loads(file.read_text())["address"]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def until(condition, process):
    while not condition():
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_lost_scheduler_is_one_line_and_the_next_run_continues(write_events, job, tmp_path, how):
    file, path = write_events("a.root", 300), tmp_path / "job.yaml"
    with cluster(tmp_path) as (scheduler, _, address):
        content = job(file, run={"executor": "dask", "scheduler": address, "chunksize": 1, "timeout": 20})
        path.write_text(yaml.safe_dump(content))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command(path), env=environment(), **pipes) as run:
            until(lambda: records_of(content), run)
            scheduler.send_signal(how)
            out, err = run.communicate(timeout=60)
    assert run.returncode == 1, err
    (line,) = without_notices(err).splitlines()
    assert line.startswith(f"error: the Dask scheduler at {address} was lost in the middle of the job: ")
    assert "Traceback" not in out
    n_finished = len(records_of(content))
    assert 0 < n_finished < 300
    content["run"] = {"chunksize": 300}
    again = run_job(content)
    assert again.summary["n_chunks"]["reused"] == n_finished
    assert plain_count.written(again.directory) == plain_count.count(file)
    assert has_no_temporary_files(again.directory)


def test_a_job_without_workers_says_that_it_waits_and_for_how_long(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.05)
    lines = io.StringIO()
    with (
        ThreadPoolExecutor(1) as threads,
        cluster(tmp_path) as (scheduler, worker, address),
        distributed.Client(address) as client,
        executors.missing_workers(client, interval=0.05, tell_after=1) as words,
        own_progress(lines, "_dask"),
        quiet_dask_bar(words),
    ):
        client.wait_for_workers(1, timeout=60)
        until(lambda: not words(), scheduler)
        job = threads.submit(processor.DaskExecutor(client=client), [60, 60], time.sleep, None)
        until(lambda: "items (0%)\n" in lines.getvalue(), scheduler)
        worker.kill()
        until(lambda: "items (0%), waiting for workers, none for 2 s\n" in lines.getvalue(), scheduler)
    assert job.exception()  # that of a client which is closed


def test_an_address_where_nobody_listens_is_one_line(write_events, job, tmp_path):
    pytest.importorskip("distributed", reason="distributed is not installed")
    options = {"executor": "dask", "scheduler": "tcp://127.0.0.1:9", "timeout": 2}
    content, path = job(write_events("a.root", 5), run=options), tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(content))
    done = subprocess.run(command(path), capture_output=True, check=False, timeout=60, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "error: run.scheduler: tcp://127.0.0.1:9 does not answer within 2 s: is it running?\n"
    )
    assert not (Path(content["output"]["directory"]) / "summary.json").exists()
