"""A whole job against reading alone: `hep_peaksum.job.run`, a coffea processor that only reads, and uproot.

All take turns in one process, on the same toy files (24 x 16 float32, zstd). The job writes parquet and the
default histograms to a new directory each time. Workers are started before the timing and reused, also for the
reader; coffea's FuturesExecutor with its defaults, which starts new workers for every stage, is timed, too.
Plots and the check of the files' UUIDs are part of neither.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema

from hep_peaksum.job import run as run_module
from hep_peaksum.job.executors import LOCAL_DASK
from tests.benchmarks.measuring import Contender, Timing, digits, interleaved, pin_to
from tests.benchmarks.reader import Reader
from tests.benchmarks.results import Table
from tests.benchmarks.samples import BRANCH, TREE, job, linked_copies, scratch_folder, toy_files
from tests.benchmarks.shares import shares

TARGET, TWO_WORKERS = 1.25, 1.8
COFFEA_CHUNKSIZE = 100_000  # coffea's default
ONE_CORE = "one, pinned to one core"
RUN, READER, UPROOT = "run", "coffea, reads only", "uproot.iterate"


def end_to_end(n_events: int, rounds: int, chunksize: int, executors: Sequence[str] = ()) -> Iterator[Table]:
    """Yield one table per executor, and the shares of the steps of a job."""
    unknown = set(executors) - set(EXECUTORS)
    if unknown:
        msg = f"no executor {sorted(unknown)}; there are {', '.join(EXECUTORS)}"
        raise ValueError(msg)
    files = toy_files(n_events, min(chunksize, max(1, n_events // 2)))
    with scratch_folder() as folder:
        for name in executors or EXECUTORS:
            with EXECUTORS[name](files, folder, chunksize) as contenders:
                if contenders:
                    with quiet():
                        times = interleaved(contenders, rounds, f"end to end, {name}")
                    yield executor_table(name, n_events, times)
        remove_results(folder)()
        ours = our_run(files, folder, executor="iterative", chunksize=chunksize)
        with quiet():
            table = shares(ours, remove_results(folder), files)
        yield table


def our_run(files: Sequence[Path], folder: Path, **options: Any) -> Callable[[], None]:
    """Return a function that runs the job, each time into a new directory."""
    numbers = itertools.count()

    def call() -> None:
        result = run_module.run(job(files, folder / f"results-{next(numbers)}", **options))
        assert not result.losses
        assert not result.summary["n_chunks"]["reused"]

    return call


def remove_results(folder: Path) -> Callable[[], None]:
    """Return a function that removes all results, called before every job and not timed."""

    def call() -> None:
        for path in folder.glob("results-*"):
            shutil.rmtree(path)

    return call


def prepare(folder: Path, cores: Sequence[int]) -> Callable[[], None]:
    """Return a function that removes all results and pins this process to some cores."""

    def call() -> None:
        remove_results(folder)()
        pin_to(cores)

    return call


def read_with_coffea(files: Sequence[Path], executor: Any, chunksize: int) -> Callable[[], None]:
    """Return a function that reads the branch with coffea's Runner and its defaults."""
    fileset = {"toy": {"files": {str(path): TREE for path in files}}}

    def call() -> None:
        runner = processor.Runner(executor=executor, schema=BaseSchema, chunksize=chunksize)
        runner(fileset, Reader())

    return call


def read_with_uproot(files: Sequence[Path], chunksize: int) -> Callable[[], None]:
    """Return a function that reads the branch with `uproot.iterate`, chunk by chunk, on one core."""

    def call() -> None:
        for _ in uproot.iterate(dict.fromkeys(files, TREE), BRANCH, step_size=chunksize, library="np"):
            pass

    return call


def readers(files: Sequence[Path], executor: Any, chunksize: int) -> list[Contender]:
    """Return coffea's reader with our chunk size, and with its default if that differs."""
    n = len(files)
    contenders = [Contender(READER, read_with_coffea(files, executor, chunksize), n)]
    if chunksize != COFFEA_CHUNKSIZE:
        call = read_with_coffea(files, executor, COFFEA_CHUNKSIZE)
        contenders.append(Contender(f"{READER}, chunks of {COFFEA_CHUNKSIZE:,}", call, n))
    return contenders


@contextmanager
def iterative(files: Sequence[Path], folder: Path, chunksize: int) -> Iterator[list[Contender]]:
    """Yield the contenders on one core."""
    ours = our_run(files, folder, executor="iterative", chunksize=chunksize)
    yield [
        Contender(RUN, ours, len(files), before=remove_results(folder)),
        *readers(files, processor.IterativeExecutor(), chunksize),
        Contender(UPROOT, read_with_uproot(files, chunksize), len(files)),
    ]


@contextmanager
def threads(files: Sequence[Path], folder: Path, chunksize: int) -> Iterator[list[Contender]]:
    """Yield the contenders on two threads."""
    ours = our_run(files, folder, executor="threads", workers=2, chunksize=chunksize)
    with ThreadPoolExecutor(2) as pool:
        executor = processor.FuturesExecutor(pool=pool, workers=2, compression=None)
        yield [
            Contender(RUN, ours, len(files), before=remove_results(folder)),
            *readers(files, executor, chunksize),
            Contender(UPROOT, read_with_uproot(files, chunksize), len(files), note="on one core"),
        ]


@contextmanager
def futures(files: Sequence[Path], folder: Path, chunksize: int) -> Iterator[list[Contender]]:
    """Yield the contenders on two processes of loky."""
    import loky

    ours = our_run(files, folder, executor="futures", workers=2, chunksize=chunksize)
    new_workers = read_with_coffea(files, processor.FuturesExecutor(workers=2), chunksize)
    with ExitStack() as stack:
        pool = loky.ProcessPoolExecutor(2)
        stack.callback(pool.shutdown)
        yield [
            Contender(RUN, ours, len(files), before=remove_results(folder)),
            *readers(files, processor.FuturesExecutor(pool=pool, workers=2), chunksize),
            Contender(f"{READER}, new workers every time", new_workers, len(files)),
            Contender(UPROOT, read_with_uproot(files, chunksize), len(files), note="on one core"),
        ]
        loky.get_reusable_executor().shutdown()  # ours, kept between jobs


@contextmanager
def dask(files: Sequence[Path], folder: Path, chunksize: int) -> Iterator[list[Contender]]:
    """Yield the contenders on two workers of one Dask cluster."""
    if importlib.util.find_spec("distributed") is None:
        yield []
        return
    import dask
    import distributed

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with (
        dask.config.set(LOCAL_DASK),  # as in a job with a local cluster
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
    ):
        address = cluster.scheduler_address
        ours = our_run(files, folder, executor="dask", scheduler=address, workers=2, chunksize=chunksize)
        yield [
            Contender(RUN, ours, len(files), before=remove_results(folder)),
            *readers(files, processor.DaskExecutor(client=client), chunksize),
            Contender(UPROOT, read_with_uproot(files, chunksize), len(files), note="on one core"),
        ]


EXECUTORS = {"iterative": iterative, "threads-2": threads, "futures-2": futures, "dask-2": dask}


def executor_table(name: str, n_events: int, times: Mapping[str, Timing]) -> Table:
    """Return the table of one executor."""
    columns = ["contender", "time to the coffea reader", "events/s"]
    table = Table(name, f"End to end, {name}: {n_events:,} events, 24 x 16 float32, zstd", columns)
    rounds = len(times[RUN].seconds)
    table.notes.append(
        f"Target: run <= {TARGET} times the reader. Median (minimum..maximum) of {rounds} rounds."
    )
    per_file = n_events / times[RUN].n
    for time in times.values():
        label = f"{time.name} ({time.note})" if time.note else time.name
        cells = (label, f"{time.time_to(times[READER])}", f"{digits(time.rate * per_file / 1e6)} M")
        table.add(dict(zip(columns, cells, strict=True)), raw=time.as_dict())
    return table


def scaling(n_events: int, rounds: int, chunksize: int, factor: int = 5) -> Table:
    """Return the table of two warm workers compared with one, on `factor` times the events.

    One worker reads and writes ahead on a second core, unless it is pinned to one. Only the workers that are
    timed are running: idle workers of Dask take a twentieth of two cores.
    """
    columns = ["workers", "speed to one on one core", "events/s", "events/s of one on one core", "target"]
    table = Table("scaling", f"Two warm workers against one: {factor * n_events:,} events", columns)
    all_cores = range(os.cpu_count() or 1)
    with scratch_folder() as folder:
        originals = toy_files(n_events, min(chunksize, max(1, n_events // 2)))
        files = linked_copies(originals, factor, folder)
        one = our_run(files, folder, executor="iterative", chunksize=chunksize)
        pinned = Contender(ONE_CORE, one, len(files), before=prepare(folder, [0]))
        for name, workers in EXECUTORS.items():
            with workers(files, folder, chunksize) as contenders, quiet():
                if not contenders:
                    continue
                two = replace(contenders[0], name=name, before=prepare(folder, all_cores))
                times = interleaved([pinned, two], rounds, f"scaling, {name}")
            speed = times[name].speed_to(times[ONE_CORE])
            met = f">= {TWO_WORKERS} x one core: {'met' if speed.median >= TWO_WORKERS else 'missed'}"
            per_file = factor * n_events / len(files)
            rates = (f"{digits(times[who].rate * per_file / 1e6)} M" for who in (name, ONE_CORE))
            cells = (name, f"{speed}", *rates, "" if name == "iterative" else met)
            raw = {who: time.as_dict() for who, time in times.items()}
            table.add(dict(zip(columns, cells, strict=True)), raw=raw)
    table.notes += [
        f"Median (minimum..maximum) of {rounds} rounds; {factor} names for each file (hard links).",
        "iterative: one worker that reads and writes ahead on a second core.",
    ]
    return table


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress coffea's progress bars and warnings."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
