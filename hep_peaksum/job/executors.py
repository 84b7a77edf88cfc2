"""The workers of a job: each of coffea's executors, started and stopped as the section `run` of a config says.

After an error no further chunk begins, and running ones are finished; after Ctrl-C processes are killed at once
(a chunk is on disk as a whole or not at all). A new executor is a word of `ExecutorName` and a row of `START`.
"""

from __future__ import annotations

import concurrent.futures
import getpass
import importlib
import logging
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from coffea import processor

from hep_peaksum.config.sections import ExecutorName, RunOptions
from hep_peaksum.inputs.functions import brief_error
from hep_peaksum.job import worker_startup
from hep_peaksum.job.coffea_patches import (
    CancellablePool,
    CancellableProcesses,
    FuturesExecutor,
    own_progress,
    quiet_dask_bar,
)
from hep_peaksum.processing.progress import duration

# Idle workers of loky stop after this time. Its default of 10 s is over while a file is merged; and if a worker
# stops just as the next chunks come, loky warns, which breaks the pool where warnings are errors.
IDLE_SECONDS = 300

# How often a Dask scheduler is asked for its workers, and after how long without any the progress says so:
# workers of this machine take some seconds to start.
SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_WITHOUT_WORKERS = 20.0

# Settings of Dask for workers on this machine.
LOCAL_DASK = {
    # By default they return freed memory at once, and have to request it again for every array: a job takes 1.6
    # times as long. Memory freed at the end of a chunk is returned all the same.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # A worker that died is replaced, but given up if that takes longer than 15 s, as imports from a slow file
    # system may; and a job without workers would wait forever.
    "distributed.deploy.lost-worker-timeout": "1 day",
    "distributed.scheduler.no-workers-timeout": "5 minutes",
}


class ExecutorError(RuntimeError):
    """Workers that cannot be started, or died: one line with the reason and the remedy."""


class Workers(AbstractContextManager["Workers"]):
    """The workers of the section `run`, which start when they are first used, and whether progress is shown."""

    def __init__(self, options: RunOptions, *, show_progress: bool = True) -> None:
        self.options, self.show = options, show_progress
        self._started = ExitStack()

    def __enter__(self) -> Workers:  # noqa: PYI034 -- Self is of Python 3.11
        self._stream = sys.stderr  # here: workers may start where coffea's tracebacks are kept from the screen
        self._started.enter_context(own_progress(self._stream, show=self.show))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.__exit__(kind, error, trace)

    @cached_property
    def executor(self) -> Any:
        """The executor of coffea.

        Raises
        ------
        ExecutorError
            If the package for it is not installed, or the workers do not start.
        """
        executor = self._started.enter_context(START[self.options.executor](self.options))
        if module := BARS.get(self.options.executor):
            self._started.enter_context(own_progress(self._stream, module, show=self.show))
        return executor


@contextmanager
def _iterative(_options: RunOptions) -> Iterator[Any]:
    yield processor.IterativeExecutor()


@contextmanager
def _threads(options: RunOptions) -> Iterator[Any]:
    with concurrent.futures.ThreadPoolExecutor(options.workers) as threads:
        yield FuturesExecutor(pool=CancellablePool(threads), workers=options.workers, compression=None)


@contextmanager
def _processes(options: RunOptions) -> Iterator[Any]:
    """Yield an executor on the processes of loky, which are kept for the next job."""
    import loky

    processes = loky.get_reusable_executor(
        max_workers=options.workers,
        timeout=IDLE_SECONDS,
        initializer=worker_startup.start_process,
        initargs=(os.getpid(),),
    )
    importlib.import_module(worker_startup.KERNEL)  # warns once if there is no cache, while the processes start
    try:
        yield FuturesExecutor(pool=CancellableProcesses(processes), workers=options.workers)
    except concurrent.futures.BrokenExecutor as error:
        processes.shutdown(kill_workers=True)
        raise _worker_died() from error


def _worker_died() -> ExecutorError:
    return ExecutorError(
        "a worker died in the middle of a chunk (out of memory?): lower run.chunksize or run.workers; "
        "the finished chunks are kept, the same command continues from them"
    )


@contextmanager
def _dask(options: RunOptions) -> Iterator[Any]:
    distributed = _import_extra("distributed", "pip install 'hep_peaksum[dask]'")
    with ExitStack() as stack:
        cluster: Any = options.scheduler
        if options.cluster is not None:
            cluster = stack.enter_context(_user_cluster(options.cluster, "scheduler_address", "a Dask cluster"))
            _scale_if_empty(cluster, options.workers)
        elif cluster is None:
            cluster = stack.enter_context(_local_dask(distributed, options.workers))
        try:
            client = stack.enter_context(distributed.Client(cluster, timeout=options.timeout))
        except OSError as error:
            msg = f"run.scheduler: {cluster} does not answer within {options.timeout} s: is it running?"
            raise ExecutorError(msg) from error
        stack.enter_context(quiet_dask_bar(stack.enter_context(missing_workers(client))))
        try:
            # retries are decided by the Runner, which sees the error, not by the scheduler
            yield processor.DaskExecutor(client=client, retries=0)
        except Exception as error:
            if "KilledWorker" in str(error):
                raise _worker_died() from error
            if type(error).__name__ == "NoWorkerError":
                is_ours = options.scheduler is None and options.cluster is None
                raise (_worker_died() if is_ours else _no_workers(client)) from error
            if isinstance(error, (concurrent.futures.CancelledError, distributed.comm.CommClosedError)):
                raise _scheduler_lost(client) from error
            raise


@contextmanager
def missing_workers(
    client: Any, *, interval: float = SECONDS_BETWEEN_LOOKS, tell_after: float = SECONDS_WITHOUT_WORKERS
) -> Iterator[Callable[[], str]]:
    """Yield a function that says, in words, for how long a Dask scheduler has had no workers; else nothing.

    A job waits for them as long as it takes: those of a batch system come when the queue lets them. Whoever
    wants it to end sets `distributed.scheduler.no-workers-timeout` where the scheduler runs.
    """
    is_over, since = threading.Event(), [time.monotonic()]

    def look() -> None:
        with suppress(Exception):  # a scheduler that is lost is told by the job itself
            while not is_over.wait(interval):
                if client.nthreads():
                    since[0] = time.monotonic()

    def words() -> str:
        seconds = time.monotonic() - since[0]
        return f"waiting for workers, none for {duration(seconds)}" if seconds > tell_after else ""

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield words
    finally:
        is_over.set()
        thread.join(1)


def _no_workers(client: Any) -> ExecutorError:
    return ExecutorError(
        f"the Dask scheduler at {_address(client)} had no workers for longer than its no-workers-timeout: "
        "start some (or raise it); the finished chunks are kept, the same command continues from them"
    )


def _scheduler_lost(client: Any) -> ExecutorError:
    return ExecutorError(
        f"the Dask scheduler at {_address(client)} was lost in the middle of the job: start it again (or "
        "choose another executor); the finished chunks are kept, the same command continues from them"
    )


def _address(client: Any) -> str:
    return getattr(client.scheduler, "address", "its address")


@contextmanager
def _local_dask(distributed: Any, n_workers: int) -> Iterator[Any]:
    """Yield a Dask cluster of processes on this machine."""
    with (
        importlib.import_module("dask.config").set(LOCAL_DASK),
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # a port is opened in any case, by default the same for every job
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            preload=[worker_startup.__name__],
        ) as cluster,
    ):
        importlib.import_module(worker_startup.KERNEL)  # as for processes
        yield cluster


def _scale_if_empty(cluster: Any, n_workers: int) -> None:
    """Scale a Dask cluster that has not been scaled: one of a job queue starts with no workers, and waits."""
    is_empty = getattr(cluster, "worker_spec", None) == {}
    if is_empty and getattr(cluster, "_adaptive", None) is None:
        cluster.scale(n_workers)


@contextmanager
def _parsl(options: RunOptions) -> Iterator[Any]:
    parsl = _import_extra("parsl", "pip install 'hep_peaksum[parsl]'")
    with tempfile.TemporaryDirectory(prefix="hep-peaksum-", ignore_cleanup_errors=True) as folder:
        config = (
            _user_cluster(options.cluster, "executors", "a parsl config")
            if options.cluster
            else _local_parsl(parsl, folder, options.workers)
        )
        # Loaded here, not by ParslExecutor(config=...): coffea 2026.9.0 catches a RuntimeError where parsl now
        # raises NoDataFlowKernelError. To be dropped when coffea can start one (test_coffea_patches.py).
        kernel = parsl.load(config)
        try:
            yield processor.ParslExecutor()
        finally:
            with suppress(Exception):
                kernel.cleanup()
            parsl.clear()


def _local_parsl(parsl: Any, folder: str, n_workers: int) -> Any:
    """Return parsl's config for processes on this machine."""
    provider = importlib.import_module("parsl.providers").LocalProvider
    scripts = Path(sys.executable).parent  # the environment need not be activated
    paths = shlex.quote(os.pathsep.join(path for path in sys.path if path))
    environment = f"export PATH={shlex.quote(str(scripts))}:$PATH PYTHONPATH={paths}"
    executor = parsl.HighThroughputExecutor(
        label="hep_peaksum",
        address="127.0.0.1",
        max_workers_per_node=n_workers,
        cores_per_worker=1e-6,  # the number of workers is the user's choice, whatever the number of cores
        # Parsl waits forever for an interchange that Ctrl-C ended, and an interchange, with its workers, waits
        # forever for a run that was killed.
        interchange_launch_cmd=worker_startup.script_command(str(scripts / "interchange.py")),
        provider=provider(init_blocks=1, max_blocks=1, worker_init=environment),
    )
    return parsl.Config(executors=[executor], run_dir=folder, strategy="none", initialize_logging=False)


@contextmanager
def _taskvine(options: RunOptions) -> Iterator[Any]:
    _import_extra("ndcctools.taskvine", "conda install -c conda-forge ndcctools (it is not on PyPI)")
    with tempfile.TemporaryDirectory(prefix="hep-peaksum-", ignore_cleanup_errors=True) as folder:
        name = f"hep_peaksum-{getpass.getuser()}"
        yield processor.TaskVineExecutor(manager_name=name, filepath=folder, cores=1, retries=options.retries)


START: dict[ExecutorName, Callable[[RunOptions], AbstractContextManager[Any]]] = {
    "iterative": _iterative,
    "threads": _threads,
    "futures": _processes,
    "dask": _dask,
    "parsl": _parsl,
    "taskvine": _taskvine,
}

# Modules of coffea with a progress of their own; all others share that of its module `executor`.
BARS: dict[ExecutorName, str] = {"dask": "_dask", "taskvine": "taskvine_executor"}


def _import_extra(module: str, command: str) -> Any:
    """Import a module of an optional package; the error says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"run.executor needs the package {module.partition('.')[0]}: {command}"
        raise ExecutorError(msg) from error


def _user_cluster(name: str, attribute: str, expected: str) -> Any:
    """Call the user's ``module:function`` and return its result, which must have an attribute."""
    module, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), function_name)
    except Exception as error:
        msg = f"run.cluster: {name!r} cannot be imported ({brief_error(error)}): put its folder on PYTHONPATH"
        raise ExecutorError(msg) from error
    try:
        cluster = function()
    except Exception as error:
        msg = f"run.cluster: {name!r} failed ({brief_error(error)}): call it in a Python session to see where"
        raise ExecutorError(msg) from error
    if not hasattr(cluster, attribute):
        msg = f"run.cluster: {name!r} returned {type(cluster).__name__}, expected {expected}"
        raise ExecutorError(msg)
    return cluster
