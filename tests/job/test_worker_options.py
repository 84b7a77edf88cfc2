"""What workers are asked for, with stand-ins for the packages that start them, which need not be installed."""

import concurrent.futures
import contextlib
import io
import os
import shlex
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from coffea import processor

from hep_peaksum.config.sections import RunOptions
from hep_peaksum.job import executors
from hep_peaksum.job.executors import ExecutorError, Workers


@pytest.fixture
def asked(monkeypatch):
    """Return makers of stand-ins, and the calls of these in their order: name and arguments."""
    calls = []

    def stand_in(name, result=None):
        def called(*arguments, **keywords):
            calls.append((name, arguments, keywords))
            return SimpleNamespace(name=name) if result is None else result

        return called

    def module(name, **functions):
        made = ModuleType(name)
        for word, function in functions.items():
            setattr(made, word, function)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    return SimpleNamespace(calls=calls, stand_in=stand_in, module=module)


def names(asked):
    return [name for name, *_ in asked.calls]


def given(asked, name):
    """Return what a stand-in was called with, once."""
    ((_, arguments, keywords),) = [each for each in asked.calls if each[0] == name]
    return arguments, keywords


def test_parsl_runs_as_many_workers_as_asked_for_whatever_the_number_of_cores(asked, monkeypatch):
    kernel = SimpleNamespace(cleanup=asked.stand_in("cleanup"))
    asked.module("parsl.providers", LocalProvider=asked.stand_in("provider"))
    asked.module(
        "parsl",
        HighThroughputExecutor=asked.stand_in("executor"),
        Config=asked.stand_in("config"),
        load=asked.stand_in("load", kernel),
        clear=asked.stand_in("clear"),
    )
    monkeypatch.setattr(processor, "ParslExecutor", asked.stand_in("coffea"))
    with Workers(RunOptions(executor="parsl", workers=500), show_progress=False) as workers:
        assert workers.executor.name == "coffea"
        assert names(asked) == ["provider", "executor", "config", "load", "coffea"]
    assert names(asked)[5:] == ["cleanup", "clear"]
    _, executor = given(asked, "executor")
    assert (executor["max_workers_per_node"], executor["address"]) == (500, "127.0.0.1")
    assert executor["cores_per_worker"] * 500 < 1
    assert executor["provider"].name == "provider"
    _, provider = given(asked, "provider")
    assert (provider["init_blocks"], provider["max_blocks"]) == (1, 1)
    export, path, python_path = shlex.split(provider["worker_init"])
    assert (export, path) == ("export", f"PATH={Path(sys.executable).parent}:$PATH")
    assert python_path == "PYTHONPATH=" + os.pathsep.join(each for each in sys.path if each)
    _, config = given(asked, "config")
    assert [each.name for each in config["executors"]] == ["executor"]
    assert (config["strategy"], config["initialize_logging"]) == ("none", False)
    assert not Path(config["run_dir"]).exists()  # when the workers have stopped


@pytest.fixture
def dask(asked, monkeypatch):
    """Stand-ins for Dask, whose clusters and clients say when they end."""

    def context(name):
        @contextmanager
        def made(*arguments, **keywords):
            asked.calls.append((name, arguments, keywords))
            yield SimpleNamespace(name=name, scheduler=SimpleNamespace(address="tcp://here:1"))
            asked.calls.append((f"end of {name}", (), {}))

        return made

    error = type("CommClosedError", (Exception,), {})
    asked.module(
        "distributed",
        LocalCluster=context("cluster"),
        Client=context("client"),
        comm=SimpleNamespace(CommClosedError=error),
    )
    asked.module("dask.config", set=context("settings"))
    monkeypatch.setattr(executors, "quiet_dask_bar", context("bar"))
    monkeypatch.setattr(executors, "own_progress", context("progress"))
    monkeypatch.setattr(processor, "DaskExecutor", asked.stand_in("coffea"))
    return SimpleNamespace(lost=error)


def test_dask_starts_processes_of_one_thread_on_this_machine(asked, dask):
    with Workers(RunOptions(executor="dask", workers=3, timeout=7)) as workers:
        assert workers.executor.name == "coffea"
    assert names(asked) == [
        *("progress", "settings", "cluster", "client", "bar", "coffea", "progress"),
        *(
            "end of progress",
            "end of bar",
            "end of client",
            "end of cluster",
            "end of settings",
            "end of progress",
        ),
    ]
    (settings,), _ = given(asked, "settings")
    assert settings["distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"] is None
    _, cluster = given(asked, "cluster")
    assert (cluster["n_workers"], cluster["threads_per_worker"]) == (3, 1)
    assert cluster["scheduler_kwargs"] == {"dashboard": False}
    assert cluster["dashboard_address"] == "127.0.0.1:0"
    assert cluster["preload"] == ["hep_peaksum.job.worker_startup"]
    (to,), client = given(asked, "client")
    assert (to.name, client) == ("cluster", {"timeout": 7})
    _, coffea = given(asked, "coffea")
    assert (coffea["client"].name, coffea["retries"]) == ("client", 0)


def test_a_scheduler_that_is_named_is_used_and_nothing_is_started(asked, dask):
    with Workers(RunOptions(executor="dask", scheduler="tcp://there:8786")) as workers:
        assert workers.executor.name == "coffea"
    assert given(asked, "client")[0] == ("tcp://there:8786",)
    assert not {"cluster", "settings"} & {*names(asked)}


def test_the_progress_of_dask_is_shown_where_the_job_began(asked, dask):
    with Workers(RunOptions(executor="dask")) as workers, contextlib.redirect_stderr(io.StringIO()):
        assert workers.executor
    ours, of_dask = [arguments for name, arguments, _ in asked.calls if name == "progress"]
    assert ours == (sys.stderr,)
    assert of_dask == (sys.stderr, "_dask")


class KilledWorker(Exception):
    """Named as that of Dask."""


class NoWorkerError(Exception):
    """Named as that of Dask."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("KilledWorker: chunk"), "a worker died in the middle of a chunk"),
        (NoWorkerError("none"), "a worker died in the middle of a chunk"),
        (concurrent.futures.CancelledError(), "the Dask scheduler at tcp://here:1 was lost"),
        ("lost", "the Dask scheduler at tcp://here:1 was lost"),
    ],
    ids=["killed", "none-left", "cancelled", "closed"],
)
def test_what_dask_raises_is_one_line(asked, dask, error, words):
    raised = dask.lost() if error == "lost" else error

    def chunk():
        with Workers(RunOptions(executor="dask")) as workers:
            assert workers.executor
            raise raised

    with pytest.raises(ExecutorError, match=words):
        chunk()


def test_a_scheduler_of_the_user_that_gives_up_without_workers_is_named(asked, dask):
    def chunk():
        with Workers(RunOptions(executor="dask", scheduler="tcp://there:8786")) as workers:
            assert workers.executor
            raise NoWorkerError

    with pytest.raises(ExecutorError, match=r"^the Dask scheduler at tcp://here:1 had no workers for lo"):
        chunk()


def test_a_dask_scheduler_without_workers_is_told_until_it_has_some(monkeypatch):
    there, now, looks = {}, [0.0], []
    monkeypatch.setattr(executors, "time", SimpleNamespace(monotonic=lambda: now[0]))
    client = SimpleNamespace(nthreads=lambda: looks.append(1) or there)

    def look():
        n = len(looks)
        while len(looks) < n + 2:  # the answer to the first may have been on its way
            time.sleep(0.001)

    with executors.missing_workers(client, interval=0.001) as words:
        assert not words()
        now[0] = 125.0
        look()
        assert words() == "waiting for workers, none for 2 min 5 s"
        there["tcp://worker"] = 1
        look()
        assert not words()
        there.clear()
        look()
        now[0] += 21
        assert words() == "waiting for workers, none for 21 s"


def test_other_errors_are_those_of_the_job(asked, dask):
    def chunk():
        with Workers(RunOptions(executor="dask")) as workers:
            assert workers.executor
            raise ValueError("x")

    with pytest.raises(ValueError, match=r"^x$"):
        chunk()


def test_taskvine_has_one_core_for_a_chunk_and_retries_it(asked, monkeypatch):
    asked.module("ndcctools")
    asked.module("ndcctools.taskvine")
    monkeypatch.setattr(processor, "TaskVineExecutor", asked.stand_in("coffea"), raising=False)
    monkeypatch.setattr(executors, "BARS", {})
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    with Workers(RunOptions(executor="taskvine", retries=4), show_progress=False) as workers:
        assert workers.executor.name == "coffea"
        _, given_to = given(asked, "coffea")
        assert Path(given_to.pop("filepath")).is_dir()
        assert given_to == {"manager_name": "hep_peaksum-me", "cores": 1, "retries": 4}
