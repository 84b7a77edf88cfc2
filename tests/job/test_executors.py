"""Every executor gives the same results; workers that cannot be started are an error of one line."""

import gc
import importlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import get_args

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from finished_jobs import run_job
from places import ROOT

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.sections import ExecutorName
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job import executors
from hep_peaksum.job.executors import ExecutorError, Workers
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.job.worker_startup import COLLECT_AFTER

SHAPE = (6, 8)


def content_of(directory):
    """Return clusters, histograms and counts of a finished job."""
    with uproot.open(Path(directory) / "histograms.root") as file:
        kinds = file.classnames()
        histograms = {k: file[k].values(flow=True).tolist() for k, kind in kinds.items() if "TH" in kind}
    parts = sorted(Path(directory).glob("*/clusters.parquet/*.parquet"))
    clusters = [ak.from_parquet(part).to_list() for part in parts]
    assert histograms
    assert clusters
    return clusters, histograms, json.loads((Path(directory) / "summary.json").read_text())["datasets"]


@pytest.fixture
def many(write_events, job, tmp_path):
    """Return a function that makes a job with many chunks, one of them bad, whose results have a given name."""
    files = [write_events("a.root", 33, 1), write_events("b.root", 18, 2)]
    bad = write_events("bad.root", 20, 3, cells=cells_with_a_nan(20))

    def make(name, **options):
        output = {"directory": str(tmp_path / name), "plots": False}
        options = {"chunksize": 5, "workers": 2, "on_bad_file": "skip", **options}
        return job(*files, bad, output=output, run=options)

    return make


def cells_with_a_nan(n_events):
    cells = np.random.default_rng(3).integers(0, 9, (n_events, *SHAPE)).astype("f4")
    cells[7, 0, 0] = np.nan
    return cells


def execute(content, tmp_path):
    """Run a job in another process."""
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(content))
    return subprocess.run(
        [sys.executable, "-m", "hep_peaksum", "run", str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


def assert_same(many, tmp_path, **options):
    """Run a job with an executor: results and losses are those of the plain one, without a bar in a pipe."""
    plain, content = run_job(many("plain")), many("other", **options)
    done = execute(content, tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    assert "Processing" not in done.stdout
    directory = content["output"]["directory"]
    assert content_of(directory) == content_of(plain.directory)
    losses = json.loads((Path(directory) / "summary.json").read_text())["losses"]
    assert losses == list(plain.losses)
    assert [(Path(loss["file"]).name, loss["start"], loss["n_entries"]) for loss in losses] == [
        ("bad.root", 5, 5)
    ]
    assert "bad.root: entry 7: " in losses[0]["reason"]


def package(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


# ------------------------------------------------------------------------------------------- the same results


@pytest.mark.parametrize("executor", ["iterative", "threads", "futures"])
def test_workers_on_this_machine_show_chunks_events_and_losses(
    write_events, random_cells, job, capsys, monkeypatch, executor
):
    """That they give the same results is tested in `test_run`."""
    cells = random_cells(10)
    cells[7, 3, 4] = np.nan
    files = write_events("a.root", 13), write_events("bad.root", 10, cells=cells)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    options = {"executor": executor, "workers": 2, "chunksize": 5, "on_bad_file": "skip"}
    run_job(job(*files, run=options))
    printed = capsys.readouterr()
    assert printed.out == ""
    shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.err).split())
    assert re.search(r"Processing 5/5 chunks \(100%\), \S+ events/s, \d+ s, 1 chunk lost", shown)


@pytest.mark.slow
def test_dask_gives_the_same(many, tmp_path):
    package("distributed")
    assert_same(many, tmp_path, executor="dask")


@pytest.mark.slow
def test_a_job_queue_of_dask_gives_the_same(many, tmp_path):
    """Jobs are submitted as to a batch system: one worker each, as many as `workers` says."""
    package("dask_jobqueue")
    (tmp_path / "mysite.py").write_text(
        "from dask_jobqueue.local import LocalCluster\n"
        "def cluster():\n"
        "    options = {'dashboard_address': None, 'host': '127.0.0.1'}\n"
        "    return LocalCluster(cores=1, processes=1, memory='2GB', scheduler_options=options)\n"
    )
    assert_same(many, tmp_path, executor="dask", cluster="mysite:cluster", workers=1)


@pytest.mark.slow
def test_parsl_gives_the_same(many, tmp_path):
    package("parsl")
    assert_same(many, tmp_path, executor="parsl")


@pytest.mark.slow
def test_a_parsl_config_of_the_user_gives_the_same(many, tmp_path):
    package("parsl")
    (tmp_path / "mysite.py").write_text(
        "import parsl\n"
        "def config():\n"
        "    threads = parsl.ThreadPoolExecutor(label='mine', max_threads=2)\n"
        f"    return parsl.Config(executors=[threads], run_dir={str(tmp_path / 'runinfo')!r})\n"
    )
    assert_same(many, tmp_path, executor="parsl", cluster="mysite:config")
    assert (tmp_path / "runinfo").exists()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Start a Dask cluster outside the job, and return its address."""
    package("distributed")
    folder = tmp_path_factory.mktemp("dask")
    script, address = folder / "cluster.py", folder / "address"
    script.write_text(
        "import distributed, os, sys\n"
        "if __name__ == '__main__':\n"
        "    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c:\n"
        f"        open({str(folder / 'new')!r}, 'w').write(c.scheduler_address)\n"
        f"        os.rename({str(folder / 'new')!r}, {str(address)!r})\n"
        "        sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    cluster = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, env=environment)
    try:
        while not address.exists():
            assert cluster.poll() is None
            time.sleep(0.05)
        yield address.read_text()
        assert cluster.poll() is None, "a job must not stop a cluster that it did not start"
    finally:
        cluster.communicate(timeout=60)


@pytest.mark.slow
def test_a_running_dask_scheduler_gives_the_same(many, scheduler):
    plain = run_job(many("plain"))
    other = run_job(many("other", executor="dask", scheduler=scheduler))
    assert content_of(other.directory) == content_of(plain.directory)
    assert other.losses == plain.losses


@pytest.mark.slow
def test_an_error_on_a_dask_worker_is_one_line(many, scheduler, capsys):
    content = many("bad", executor="dask", scheduler=scheduler, on_bad_file="stop")
    with pytest.raises(ChunkError, match=r"^\S*bad\.root: entry 7: ") as error:
        run_job(content)
    assert "\n" not in str(error.value)
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.slow
def test_an_error_on_a_parsl_worker_is_one_line(many, tmp_path):
    package("parsl")
    done = execute(many("bad", executor="parsl", on_bad_file="stop", workers=1), tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "bad.root: entry 7: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stdout


# ------------------------------------------------------------------------------------------- what cannot start


def test_every_word_of_the_config_has_an_executor():
    assert set(executors.START) == set(get_args(ExecutorName))


@pytest.mark.parametrize(
    ("executor", "module", "remedy"),
    [
        ("dask", "distributed", r"pip install 'hep_peaksum\[dask\]'"),
        ("parsl", "parsl", r"pip install 'hep_peaksum\[parsl\]'"),
        ("taskvine", "ndcctools.taskvine", "conda install -c conda-forge ndcctools"),
    ],
)
def test_a_missing_package_is_named(write_events, job, monkeypatch, executor, module, remedy):
    monkeypatch.setitem(sys.modules, module, None)
    content = job(write_events("a.root", 5), run={"executor": executor})
    with pytest.raises(ExecutorError, match=f"run.executor needs the package .*: {remedy}") as error:
        run_job(content)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"executor": "threads", "scheduler": "tcp://host:8786"}, "needs the executor dask, not threads"),
        ({"executor": "futures", "cluster": "my:cluster"}, "needs the executor dask or parsl, not futures"),
        (
            {"executor": "dask", "cluster": "my:cluster", "scheduler": "tcp://host:8786"},
            "both name the workers",
        ),
        (
            {"executor": "dask", "cluster": "cluster"},
            "run.cluster: 'cluster' is not a function",
        ),
        ({"executor": "dask", "scheduler": "host"}, "run.scheduler: 'host' is not an address"),
        ({"executor": "condor"}, "run.executor: 'condor' is not one of"),
        ({"retries": -1}, "run.retries: -1 is below 0"),
        ({"timeout": 0}, "run.timeout: 0 is below 1"),
    ],
)
def test_options_that_make_no_sense_are_errors(job, options, problem):
    with pytest.raises(ConfigError) as error:
        parse_config(job("a.root", run=options))
    assert len(error.value.problems) == 1
    assert problem in str(error.value)


@pytest.mark.parametrize("executor", ["dask", "parsl"])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere:cluster", r"cannot be imported \(ModuleNotFoundError: No module named 'nowhere'\)"),
        ("mysite:typo", r"cannot be imported \(AttributeError: .*'typo'\)"),
        ("mysite:failing", r"failed \(ValueError: queue and project\)"),
        ("mysite:other", r"returned int, expected a (Dask cluster|parsl config)"),
    ],
)
def test_a_cluster_that_cannot_be_created_is_one_line(job, tmp_path, monkeypatch, executor, name, problem):
    package({"dask": "distributed"}.get(executor, executor))
    text = "def failing():\n    raise ValueError('queue\\nand project')\ndef other():\n    return 1\n"
    (tmp_path / "mysite.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mysite", raising=False)
    options = parse_config(job("a.root", run={"executor": executor, "cluster": name})).run
    with (
        pytest.raises(ExecutorError, match=f"^run.cluster: '{name}' {problem}") as error,
        Workers(options) as workers,
    ):
        workers.executor  # noqa: B018 -- this starts it
    assert "\n" not in str(error.value)


def test_workers_that_are_not_needed_are_not_started(write_events, job, monkeypatch):
    content = job(write_events("a.root", 5))
    run_job(content)
    content["run"] = {"executor": "parsl"}
    monkeypatch.setitem(sys.modules, "parsl", None)
    assert run_job(content).summary["n_chunks"] == {"total": 1, "reused": 1}


@pytest.mark.parametrize("executor", ["futures", pytest.param("dask", marks=pytest.mark.slow)])
def test_workers_import_everything_before_their_first_chunk(job, executor):
    if executor == "dask":
        package("distributed")
    options = parse_config(job("a.root", run={"executor": executor, "workers": 1})).run
    with Workers(options) as workers:
        pool = workers.executor.pool if executor == "futures" else workers.executor.client
        has_modules, n_frozen, is_collected, threshold = pool.submit(
            lambda: (
                "hep_peaksum.job.coffea_runner" in sys.modules,
                gc.get_freeze_count(),
                gc.isenabled(),
                gc.get_threshold()[0],
            )
        ).result()
    assert has_modules
    assert n_frozen > 100_000
    assert is_collected
    assert threshold == COLLECT_AFTER


@pytest.mark.parametrize(("n_there", "n_then"), [(0, 2), (1, 1)], ids=["empty", "with-a-worker"])
def test_only_a_dask_cluster_without_workers_is_scaled(job, tmp_path, monkeypatch, n_there, n_then):
    package("distributed")
    (tmp_path / "mysite.py").write_text(
        "from distributed import LocalCluster\n"
        "def cluster():\n"
        f"    return LocalCluster(n_workers={n_there}, processes=False, dashboard_address='127.0.0.1:0')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mysite", raising=False)
    options = {"executor": "dask", "cluster": "mysite:cluster", "workers": 2}
    with Workers(parse_config(job("a.root", run=options)).run) as workers:
        assert len(workers.executor.client.cluster.worker_spec) == n_then


@pytest.mark.slow
def test_two_jobs_have_dask_workers_of_their_own(job):
    """Warnings are errors here: Dask warns if the port of a scheduler is taken."""
    package("distributed")
    options = parse_config(job("a.root", run={"executor": "dask", "workers": 1})).run
    with Workers(options) as some, Workers(options) as others:
        ports = {
            workers.executor.client.scheduler_info()["services"]["dashboard"] for workers in (some, others)
        }
    assert len(ports) == 2
    assert 8787 not in ports


@pytest.mark.slow
def test_a_job_whose_dask_workers_do_not_come_back_ends(job, tmp_path, monkeypatch):
    package("distributed")
    if not hasattr(importlib.import_module("distributed.scheduler"), "NoWorkerError"):
        pytest.skip("this distributed waits for workers for ever")
    monkeypatch.setitem(executors.LOCAL_DASK, "distributed.scheduler.no-workers-timeout", "3s")
    is_down = tmp_path / "down"
    no_process_starts = f"""
import os, sys
if os.path.exists({str(is_down)!r}) and "spawn_main" in str(sys.orig_argv):
    os._exit(1)
"""
    (tmp_path / "sitecustomize.py").write_text(no_process_starts)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = parse_config(job("a.root", run={"executor": "dask", "workers": 1})).run

    def work():
        with Workers(options) as workers:
            assert workers.executor.client.submit(int, 3).result() == 3
            is_down.touch()
            workers.executor([1], os._exit, None)

    with pytest.raises(ExecutorError, match=r"^a worker died in the middle of a chunk"):
        work()


def test_processes_that_break_are_one_line_with_a_remedy(job):
    options = parse_config(job("a.root", run={"executor": "futures", "workers": 1})).run

    def work():
        with Workers(options, show_progress=False) as workers:
            assert workers.executor
            raise BrokenExecutor

    with pytest.raises(ExecutorError, match=r"^a worker died in the middle of a chunk"):
        work()
