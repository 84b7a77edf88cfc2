"""The workers of a job: every executor of coffea from the section `run` of a config, started and stopped here.

Who starts workers also stops them: after an error no further chunk is begun, and those that run come to their
end; after Ctrl-C processes are stopped at once (a chunk is on disk whole, or not at all).
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
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import copy_context
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from coffea import processor

from hep_peaksum.config.sections import RunOptions
from hep_peaksum.job import worker_startup

# Workers that wait longer stop. loky's 10 s are over while a file is merged; if a worker stops just as the next
# chunks come, loky warns, and where warnings are errors that breaks the pool.
IDLE_SECONDS = 300

# What is to be known of Dask's workers on this machine while a job runs.
LOCAL_DASK = {
    # They give back all memory at once that they free, and with that ask for it anew for every array: a job
    # takes 1.6 times as long. What is freed at the end of a chunk is given back all the same.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # One that died is started again, but given up for good if that takes 15 s, as imports on a slow file system
    # may; and a job without workers would wait for ever.
    "distributed.deploy.lost-worker-timeout": "1 day",
    "distributed.scheduler.no-workers-timeout": "5 minutes",
}
INSTALL = {
    "distributed": "pip install 'hep_peaksum[dask]'",
    "parsl": "pip install 'hep_peaksum[parsl]'",
    "ndcctools.taskvine": "conda install -c conda-forge ndcctools (it is not on PyPI)",
}

# Parsl waits for ever for an interchange that Ctrl-C, which goes to every process of a terminal, ended; and an
# interchange waits for ever, its workers with it, for a run that was killed.
PARSL_WATCHDOG = """
import os, runpy, sys, threading, time
def end_with(owner):
    while os.getppid() == owner:
        time.sleep(1)
    os._exit(1)
os.setsid()
threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class ExecutorError(RuntimeError):
    """Workers that cannot be started, or died: one line that says why, and what to do."""


class Workers(AbstractContextManager["Workers"]):
    """The workers that the section `run` asks for; they start when they are first needed."""

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self._started = ExitStack()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.__exit__(kind, error, trace)

    @cached_property
    def executor(self) -> Any:
        """Coffea's executor.

        Raises
        ------
        ExecutorError
            If the package for it is not installed, or the workers do not start.
        """
        return self._started.enter_context(START[self.options.executor](self.options))


class _Pool(concurrent.futures.Executor):
    """A pool that remembers what it was given, so that what has not begun can be called off."""

    def __init__(self, pool: Any) -> None:
        self.pool, self._given = pool, set[Any]()
        self._taking, self._is_off = threading.Lock(), False

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Any:
        with self._taking:
            if self._is_off:
                msg = "the job is called off"
                raise RuntimeError(msg)
            future = self.pool.submit(function, *arguments, **keywords)
            self._given.add(future)
            return future

    def cancel(self) -> None:
        """Begin no more, and wait for what runs."""
        with self._taking:
            self._is_off = True
        # not `shutdown(cancel_futures=True)`: coffea, waiting, never hears of what that takes out of the queue
        for future in [future for future in self._given if not future.cancel()]:
            future.exception()

    def stop(self) -> None:
        """Let nothing go on: threads come to the end of their chunks."""
        self.cancel()


class _Processes(_Pool):
    def stop(self) -> None:
        self.pool.shutdown(kill_workers=True)


class _FuturesExecutor(processor.FuturesExecutor):  # type: ignore[misc]
    """coffea's, in a thread of its own: Ctrl-C, which Python gives to the main thread, finds that one waiting.

    In the middle of `concurrent.futures.wait` it would leave the locks of some futures taken for ever, and
    whoever needs those, a worker or `cancel`, waits for ever.
    """

    def __call__(self, *arguments: Any) -> Any:
        with concurrent.futures.ThreadPoolExecutor(1) as apart:
            try:
                return apart.submit(copy_context().run, super().__call__, *arguments).result()
            except Exception:
                self.pool.cancel()
                raise
            except BaseException:
                self.pool.stop()
                raise


@contextmanager
def _iterative(_options: RunOptions) -> Iterator[Any]:
    yield processor.IterativeExecutor()


@contextmanager
def _threads(options: RunOptions) -> Iterator[Any]:
    with concurrent.futures.ThreadPoolExecutor(options.workers) as threads:
        yield _FuturesExecutor(pool=_Pool(threads), workers=options.workers, compression=None)


@contextmanager
def _processes(options: RunOptions) -> Iterator[Any]:
    """Yield an executor on the processes of loky, which are kept for the next job."""
    import loky

    processes = loky.get_reusable_executor(
        max_workers=options.workers,
        timeout=IDLE_SECONDS,
        initializer=worker_startup.begin_process,
        initargs=(os.getpid(),),
    )
    try:
        yield _FuturesExecutor(pool=_Processes(processes), workers=options.workers)
    except concurrent.futures.BrokenExecutor as error:
        processes.shutdown(kill_workers=True)
        raise _worker_died() from error


def _worker_died() -> ExecutorError:
    return ExecutorError(
        "a worker died in the middle of a chunk (out of memory?): lower run.chunksize or run.workers; "
        "the finished chunks are kept, the same command goes on from them"
    )


@contextmanager
def _dask(options: RunOptions) -> Iterator[Any]:
    distributed = _import_extra("distributed")
    with ExitStack() as stack:
        cluster: Any = options.scheduler
        if options.cluster is not None:
            cluster = stack.enter_context(_user_cluster(options.cluster, "scheduler_address", "a Dask cluster"))
            _ask_for_workers(cluster, options.workers)
        elif cluster is None:
            stack.enter_context(importlib.import_module("dask.config").set(LOCAL_DASK))
            local = distributed.LocalCluster(
                n_workers=options.workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # a port is opened in any case, by default one for all jobs
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
                preload=[worker_startup.__name__],
            )
            cluster = stack.enter_context(local)
        try:
            client = stack.enter_context(distributed.Client(cluster, timeout=options.timeout))
        except OSError as error:
            msg = f"run.scheduler: {cluster} does not answer within {options.timeout} s: is it running?"
            raise ExecutorError(msg) from error
        stack.enter_context(_quiet_bars())
        try:
            # whether to try again is decided where the error is at hand, not by the scheduler
            yield processor.DaskExecutor(client=client, retries=0)
        except Exception as error:
            if "KilledWorker" in str(error) or type(error).__name__ == "NoWorkerError":
                raise _worker_died() from error
            raise


@contextmanager
def _quiet_bars() -> Iterator[None]:
    """Keep coffea's bar for dask from printing a traceback beside the error, and from outliving it."""
    module: Any = importlib.import_module("coffea.processor._dask")
    original: Any = module.RichProgressBar
    shown = list[Any]()

    class Bar(original):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            shown.append(self.pbar)

        def _draw_stop(self, *, status: str, **keywords: Any) -> None:
            super()._draw_stop(status="" if status == "error" else status, **keywords)

    module.RichProgressBar = Bar
    try:
        yield
    finally:
        module.RichProgressBar = original
        for bar in shown:
            bar.stop()


@contextmanager
def _parsl(options: RunOptions) -> Iterator[Any]:
    parsl = _import_extra("parsl")
    with tempfile.TemporaryDirectory(prefix="hep-peaksum-", ignore_cleanup_errors=True) as folder:
        # A kernel of one's own must be loaded first: coffea 2026.9 cannot start one for a config.
        config = (
            _user_cluster(options.cluster, "executors", "a parsl config")
            if options.cluster
            else _local_parsl(folder, options.workers)
        )
        kernel = parsl.load(config)
        try:
            yield processor.ParslExecutor()
        finally:
            with suppress(Exception):
                kernel.cleanup()
            parsl.clear()


def _local_parsl(folder: str, workers: int) -> Any:
    """Return parsl's config for so many processes on this machine."""
    parsl = _import_extra("parsl")
    provider = importlib.import_module("parsl.providers").LocalProvider
    scripts = Path(sys.executable).parent  # of an environment that need not be activated
    paths = shlex.quote(os.pathsep.join(path for path in sys.path if path))
    environment = f"export PATH={shlex.quote(str(scripts))}:$PATH PYTHONPATH={paths}"
    executor = parsl.HighThroughputExecutor(
        label="hep_peaksum",
        address="127.0.0.1",
        max_workers_per_node=workers,
        cores_per_worker=1e-6,  # the number of workers is the user's, whatever the number of cores
        interchange_launch_cmd=[sys.executable, "-c", PARSL_WATCHDOG, str(scripts / "interchange.py")],
        provider=provider(init_blocks=1, max_blocks=1, worker_init=environment),
    )
    return parsl.Config(executors=[executor], run_dir=folder, strategy="none", initialize_logging=False)


@contextmanager
def _taskvine(options: RunOptions) -> Iterator[Any]:
    _import_extra("ndcctools.taskvine")
    with tempfile.TemporaryDirectory(prefix="hep-peaksum-", ignore_cleanup_errors=True) as folder:
        name = f"hep_peaksum-{getpass.getuser()}"
        yield processor.TaskVineExecutor(manager_name=name, filepath=folder, cores=1, retries=options.retries)


def _import_extra(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        msg = f"run.executor needs the package {package.partition('.')[0]}: {INSTALL[package]}"
        raise ExecutorError(msg) from error


def _user_cluster(name: str, attribute: str, expected: str) -> Any:
    """Return what the user's ``module:function`` makes; it is known by an attribute."""
    module, _, function = name.partition(":")
    try:
        maker = getattr(importlib.import_module(module), function)
    except Exception as error:
        msg = f"run.cluster: {name!r} is not to be had ({_brief(error)}): put its folder on PYTHONPATH"
        raise ExecutorError(msg) from error
    try:
        made = maker()
    except Exception as error:
        msg = f"run.cluster: {name!r} could not make it ({_brief(error)}): try it in a Python of its own"
        raise ExecutorError(msg) from error
    if not hasattr(made, attribute):
        msg = f"run.cluster: {name!r} returned {type(made).__name__}, expected {expected}"
        raise ExecutorError(msg)
    return made


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _ask_for_workers(cluster: Any, n_workers: int) -> None:
    """Scale a Dask cluster that nobody has scaled: one of a job queue begins with none, and waits."""
    has_none = getattr(cluster, "worker_spec", None) == {}
    if has_none and getattr(cluster, "_adaptive", None) is None:
        cluster.scale(n_workers)


START = {
    "iterative": _iterative,
    "threads": _threads,
    "futures": _processes,
    "dask": _dask,
    "parsl": _parsl,
    "taskvine": _taskvine,
}
