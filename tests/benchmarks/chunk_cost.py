"""The processor time of a chunk, and the bytes of its task: ours, bare coffea's, and that of two files.

Chunks are whole files of a few events, hard links to a few toy files, so that what a chunk costs besides its
events dominates. All take turns in one process and read the same chunks with coffea's iterative executor. The
plan names many more files than are processed; only those exist.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema

from hep_peaksum.config.model import Config
from hep_peaksum.inputs.paths import InputFile, file_state
from hep_peaksum.job.coffea_runner import CheckedProcessor, make_runner
from hep_peaksum.job.planning import plan_job
from hep_peaksum.results.atomic_write import atomic_write
from hep_peaksum.results.manifest import InputMeta, Manifest
from tests.benchmarks.end_to_end import quiet
from tests.benchmarks.measuring import Spread, digits
from tests.benchmarks.reader import TREE, Reader
from tests.benchmarks.results import Table
from tests.benchmarks.samples import job, linked_copies, scratch_folder, toy_files

EVENTS = 200  # of a chunk, and of a file
PLANNED = (1_000, 100_000)  # files
TARGET, SAME, MOST_BYTES = 3, 1.05, 5_000
FILES_TIME = "two files, flushed to the disk"
READER = "coffea, reads only"
COLUMNS = ["per chunk", "processor time to coffea's", "ms", "target"]


class ChunkCost(NamedTuple):
    """What a chunk costs: milliseconds of processor time, one value per round, and the bytes of its task."""

    ours: dict[int, list[float]]
    coffea: list[float]
    files: list[float]
    task_bytes: dict[tuple[str, int], int]

    @property
    def to_target(self) -> Spread:
        """Our time relative to what it may be: three times that of coffea, and two files."""
        ours = self.ours[PLANNED[0]]
        rounds = zip(ours, self.coffea, self.files, strict=True)
        return Spread.of([mine / (TARGET * bare + two) for mine, bare, two in rounds])

    @property
    def growth(self) -> Spread:
        """The time in the largest plan relative to that in the smallest."""
        return Spread.of([many / few for few, many in zip(*(self.ours[n] for n in PLANNED), strict=True)])


def chunk_costs(rounds: int, n_chunks: int) -> Table:
    """Return the table."""
    cost = chunk_cost(rounds, n_chunks)
    few, many = PLANNED
    targets = {
        few: compare_with(f"{TARGET} x coffea and two files", cost.to_target.median, 1),
        many: compare_with("as with the fewer files", cost.growth.median, SAME),
    }
    table = Table("chunks", f"A chunk of {EVENTS} events, whatever the number of files", COLUMNS)
    rows: dict[Any, tuple[str, list[float]]] = {
        n: (f"run, {n:,} files in the plan", times) for n, times in cost.ours.items()
    }
    rows |= {READER: (READER, cost.coffea), FILES_TIME: (FILES_TIME, cost.files)}
    for key, (name, times) in rows.items():
        ratio = Spread.of([mine / bare for mine, bare in zip(times, cost.coffea, strict=True)])
        cells = (name, f"{ratio}", digits(statistics.median(times)), targets.get(key, ""))
        table.add(dict(zip(COLUMNS, cells, strict=True)), raw={"ms": times})
    sizes = [f"{size:,} for {name} with {n:,} files" for (name, n), size in cost.task_bytes.items()]
    table.notes += [
        f"Median (minimum..maximum) of {rounds} rounds of {n_chunks} chunks, a file each.",
        f"Bytes of a task, to be < {MOST_BYTES:,}: {', '.join(sizes)}.",
    ]
    return table


def compare_with(what: str, ratio: float, most: float) -> str:
    """Return a target with its ratio, and whether it is met."""
    return f"{what}: {digits(ratio)} (<= {digits(most)}: {'met' if ratio <= most else 'missed'})"


def chunk_cost(rounds: int, n_chunks: int) -> ChunkCost:
    """Measure what a chunk costs in plans of different sizes."""
    with scratch_folder() as folder, quiet():
        files = linked_copies(toy_files(EVENTS), n_chunks, folder)
        plans = {n: plan(files, n, folder / f"results-{n}") for n in PLANNED}
        contenders: dict[Any, Callable[[], None]] = {n: ours(*each, n_chunks) for n, each in plans.items()}
        contenders[READER] = bare_coffea(plans[PLANNED[0]][1][:n_chunks])
        contenders[FILES_TIME] = two_files(folder / "two", n_chunks)
        sizes = {(name, n): size for n, each in plans.items() for name, size in task_bytes(*each).items()}
        seconds: dict[Any, list[float]] = {name: [] for name in contenders}
        for number in range(rounds + 1):
            for name, call in contenders.items():
                elapsed = processor_time(call)
                if number:
                    seconds[name].append(1000 * elapsed / n_chunks)
    return ChunkCost({n: seconds[n] for n in PLANNED}, seconds[READER], seconds[FILES_TIME], sizes)


def plan(files: Sequence[Path], n_planned: int, directory: Path) -> tuple[Config, list[Any]]:
    """Return a job of many files, of which only the first exist, and its chunks."""
    missing = [files[0].with_name(f"missing-{number}.root") for number in range(len(files), n_planned)]
    config = job([*files, *missing], directory, executor="iterative")
    inputs = {"toy": [InputFile(str(path), TREE) for path in (*files, *missing)]}
    known = {"numentries": EVENTS, "uuid": file_uuid(files[0]), "state": file_state(str(files[0]))}
    metadata = {InputMeta("toy", *each): known for each in inputs["toy"]}
    manifest = Manifest(directory, config, {})
    manifest.file_metadata(inputs)  # numbers the files
    return config, [*plan_job(config, inputs, metadata, manifest, []).items.values()]


def file_uuid(path: Path) -> bytes:
    """Return the UUID of a ROOT file."""
    with uproot.open(path) as file:
        return bytes(file.file.fUUID)


def checked_processor(config: Config) -> CheckedProcessor:
    """Return the processor of a job as `run` makes it."""
    directory = Path(config.output.directory)
    directory.mkdir(exist_ok=True)
    return CheckedProcessor(**config.job(), directory=str(directory), fingerprint="benchmark")


def ours(config: Config, items: Sequence[Any], n_chunks: int) -> Callable[[], None]:
    """Return a function that processes the first chunks of a job."""
    peaksum = checked_processor(config)

    def call() -> None:
        make_runner(config, processor.IterativeExecutor()).run(list(items[:n_chunks]), peaksum)

    return call


def bare_coffea(items: Sequence[Any]) -> Callable[[], None]:
    """Return a function that reads the same chunks with a processor that does nothing else."""

    def call() -> None:
        processor.Runner(executor=processor.IterativeExecutor(), schema=BaseSchema).run(list(items), Reader())

    return call


def two_files(folder: Path, n_chunks: int) -> Callable[[], None]:
    """Return a function that writes two small files for every chunk, as parts and records are written."""

    def call() -> None:
        for number in range(2 * n_chunks):
            with atomic_write(folder / str(number)) as file:
                file.write(bytes(4096))

    return call


def processor_time(call: Callable[[], None]) -> float:
    """Return the processor time of a call in seconds, that of the system and of all threads included."""
    start = resource.getrusage(resource.RUSAGE_SELF)
    call()
    end = resource.getrusage(resource.RUSAGE_SELF)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


class FuturesTask(processor.FuturesExecutor):  # type: ignore[misc]
    """Returns the size of a task, a function and its chunk, in place of running any."""

    def __call__(self, chunks: Sequence[Any], function: Any, _: Any) -> Any:
        return {"out": {"bytes": len(cloudpickle.dumps((function, chunks[-1])))}}, 0


class DaskTask(processor.DaskExecutor):  # type: ignore[misc]
    """The same for Dask, to which coffea sends the processor once, and not with every task."""

    __call__ = FuturesTask.__call__


def task_bytes(config: Config, items: Sequence[Any]) -> dict[str, int]:
    """Return the size of a task as coffea hands it to each kind of executor."""
    kinds = {"futures": FuturesTask(), "dask": DaskTask(client="none is needed")}
    peaksum = checked_processor(config)
    return {
        name: make_runner(config, kind).run(list(items), peaksum)["out"]["bytes"]
        for name, kind in kinds.items()
    }
