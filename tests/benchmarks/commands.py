"""Whole commands, from the start to the end of the process and its workers.

`hep-peaksum run` with its defaults, against a program in which coffea reads the same branch with its own.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

from tests.benchmarks.end_to_end import TARGET
from tests.benchmarks.measuring import Contender, interleaved
from tests.benchmarks.results import Table
from tests.benchmarks.samples import job_content, scratch_folder, toy_files
from tests.benchmarks.startup import process

COLUMNS = ["command", "time to the coffea program", "seconds", "target"]
EXECUTORS = {"iterative": {}, "futures": {"workers": 2}, "dask": {"workers": 2}}


def commands(n_events: int, rounds: int) -> Table:
    """Return the table for every executor that is installed."""
    files = toy_files(n_events)
    names = [name for name in EXECUTORS if name != "dask" or importlib.util.find_spec("distributed")]
    with scratch_folder() as folder:
        pairs = {name: pair(name, files, folder) for name in names}
        contenders = [contender for both in pairs.values() for contender in both]
        times = interleaved(contenders, rounds, "commands")
    table = Table("commands", f"Whole commands: {n_events:,} events, 24 x 16 float32, zstd", COLUMNS)
    table.notes.append(f"Two workers, except for iterative. Median (minimum..maximum) of {rounds} rounds.")
    for ours, coffea in pairs.values():
        for one in (ours, coffea):
            time = times[one.name]
            ratio = time.time_to(times[coffea.name])
            word = "met" if ratio.median <= TARGET else "missed"
            target = f"<= {TARGET}: {word}" if one is ours else ""
            cells = (one.name, f"{ratio}", f"{statistics.median(time.seconds):.1f}", target)
            table.add(dict(zip(COLUMNS, cells, strict=True)), raw=time.as_dict())
    return table


def pair(name: str, files: Sequence[Path], folder: Path) -> tuple[Contender, Contender]:
    """Return our command and the coffea program, both with an executor of that name."""
    config, cache = folder / f"{name}.yaml", folder / "cache"
    content = job_content(files, folder / name, executor=name, **EXECUTORS[name])
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    ours = ["-m", "hep_peaksum", "run", "--restart", str(config)]
    coffea = ["-m", "tests.benchmarks.reader", name, *map(str, files)]
    return (
        Contender(f"hep-peaksum run, {name}", partial(process, ours, cache)),
        Contender(f"coffea, reads only, {name}", partial(process, coffea, cache)),
    )
