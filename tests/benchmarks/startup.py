"""Start-up: whole processes, from start to end.

Plain coffea and a run of this package read the same file with one small chunk, so that the start dominates. The
cold run begins with an empty numba cache. The reference is a process that only imports coffea, and with it
numba, awkward and uproot.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import yaml

from tests.benchmarks.measuring import Contender, Timing, interleaved
from tests.benchmarks.results import Table
from tests.benchmarks.samples import job_content, scratch_folder, toy_files

N_EVENTS = 1000
# A whole command, up to the moment when the processor gets the first chunk.
END = "__import__('os')._exit(0)"
READ_FIRST = f"""
import sys
from tests.benchmarks import reader
reader.Reader.process = lambda *_: {END}
reader.main("iterative", sys.argv[1:])
"""
RUN_FIRST = f"""
import hep_peaksum.job.processor
hep_peaksum.job.processor.PeakSumProcessor.process = lambda *_: {END}
from hep_peaksum.cli.main import main
main()
"""
NOTHING, HELP, IMPORT, COFFEA, READER, READER_FIRST, WARM_FIRST, WARM, COLD = (
    "python, nothing", "hep-peaksum --help", "import hep_peaksum", "import coffea.processor",
    "bare coffea reads the file", "bare coffea, up to its first chunk",
    "hep-peaksum run, warm cache, up to its first chunk",
    "hep-peaksum run, warm cache", "hep-peaksum run, cold cache",
)  # fmt: skip
COLUMNS = ["process", "time to import coffea.processor", "seconds", "target"]


def startup(rounds: int) -> Table:
    """Return the table."""
    (file,) = toy_files(N_EVENTS)
    with scratch_folder() as folder:
        config, cold = folder / "job.yaml", folder / "cold"
        content = job_content([file], folder / "results", executor="iterative")
        config.write_text(yaml.safe_dump(content), encoding="utf-8")
        arguments = ["run", "--restart", str(config)]
        command = ["-m", "hep_peaksum", *arguments]
        calls: dict[str, tuple[Sequence[str], Path]] = {
            NOTHING: (["-c", "pass"], folder / "warm"),
            HELP: (["-m", "hep_peaksum", "--help"], folder / "warm"),
            IMPORT: (["-c", "import hep_peaksum"], folder / "warm"),
            COFFEA: (["-c", "import coffea.processor"], folder / "warm"),
            READER: (["-m", "tests.benchmarks.reader", "iterative", str(file)], folder / "warm"),
            READER_FIRST: (["-c", READ_FIRST, str(file)], folder / "warm"),
            WARM_FIRST: (["-c", RUN_FIRST, *arguments], folder / "warm"),
            WARM: (command, folder / "warm"),
            COLD: (command, cold),
        }
        contenders = [
            Contender(name, partial(process, arguments, cache), before=remover(cold))
            for name, (arguments, cache) in calls.items()
        ]
        times = interleaved(contenders, rounds, "start-up")
    table = Table("startup", f"Start-up: whole processes, a file of {N_EVENTS:,} events", COLUMNS)
    table.notes.append(f"Median (minimum..maximum) of {rounds} rounds.")
    targets = compare_with_targets(times)
    for name, time in times.items():
        seconds = f"{statistics.median(time.seconds):.2f}"
        cells = (name, f"{time.time_to(times[COFFEA])}", seconds, targets.get(name, ""))
        table.add(dict(zip(COLUMNS, cells, strict=True)), raw=time.as_dict())
    return table


def compare_with_targets(times: Mapping[str, Timing]) -> dict[str, str]:
    """Return whether targets are met; differences are taken round by round."""
    seconds = {name: time.seconds for name, time in times.items()}

    def median(name: str, other: str | None = None) -> float:
        subtracted = [0.0] * len(seconds[name]) if other is None else seconds[other]
        return statistics.median(mine - other for mine, other in zip(seconds[name], subtracted, strict=True))

    measured = {
        HELP: ("", median(HELP), 0.3),
        WARM_FIRST: ("bare coffea ", median(WARM_FIRST, READER_FIRST), 0.5),
        WARM: ("bare coffea ", median(WARM, READER), 0.5),
        COLD: ("warm ", median(COLD, WARM), 10.0),
    }
    return {
        name: f"{more}{'+' if more else ''}{value:.2f} s (<= {most} s: {'met' if value <= most else 'missed'})"
        for name, (more, value, most) in measured.items()
    }


def process(arguments: Sequence[str], cache: Path) -> None:
    """Run Python with a folder for numba's cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)


def remover(cold: Path) -> Callable[[], None]:
    """Return a function that removes the cold cache."""
    return lambda: shutil.rmtree(cold, ignore_errors=True)
