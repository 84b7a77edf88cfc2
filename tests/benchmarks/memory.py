"""Peak memory: does a job with ten times the events need more?

A whole ``hep-peaksum run`` is a process, including the merge of a ROOT file, and so is each of its workers.
Linux records the peak memory of each (VmHWM), which is polled until they end. The larger file set is the
smaller one under ten names each (hard links), which a job takes for other files.

The peak of a single run varies by tens of MB with the system's allocator. Hence several runs of each, in turns,
and medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.progress import Progress

from tests.benchmarks.measuring import Spread, progress_console
from tests.benchmarks.results import Table
from tests.benchmarks.samples import job_content, linked_copies, scratch_folder, toy_files

TARGET_MB = 30
EVERY_SECONDS = 0.05
CASES = {
    "iterative, parquet": {"executor": "iterative", "forms": ("parquet",)},
    "iterative, parquet and ROOT": {"executor": "iterative", "forms": ("parquet", "ttree")},
    "futures-2, parquet": {"executor": "futures", "workers": 2, "forms": ("parquet",)},
}


class Peak(NamedTuple):
    """The peak memory of the main process and of its largest worker, in MB, and the time of the run."""

    main: float
    worker: float
    seconds: float


def memory(n_events: int, rounds: int, factor: int = 10, chunksize: int = 100_000) -> Table:
    """Return the table of peak memory, for `n_events` and `factor` times as many."""
    table = Table(
        "memory",
        f"Peak memory of a whole run, {n_events:,} and {factor * n_events:,} events, chunks of {chunksize:,}",
        ["job", "events", "main process [MB]", "largest worker [MB]", "more than the small job [MB]", "target"],
    )
    table.notes.append(
        f"Median (minimum..maximum) of {rounds} runs of each, in turns. The larger file set is the smaller one "
        f"under {factor} names each (hard links). Warm numba cache, no plots."
    )
    with scratch_folder() as folder:
        small = toy_files(n_events, chunksize)
        files = {n_events: small, factor * n_events: linked_copies(small, factor, folder)}
        peak_of_a_run(files[n_events][:1], folder, chunksize=chunksize, executor="iterative")  # warms the cache
        with Progress(console=progress_console, transient=True) as progress:
            bar = progress.add_task("memory", total=len(CASES) * rounds * len(files))
            for name, options in CASES.items():
                peaks: dict[int, list[Peak]] = {n: [] for n in files}
                for _ in range(rounds):
                    for n, paths in files.items():
                        progress.update(bar, description=f"memory: {name}, {n:,} events")
                        peaks[n].append(peak_of_a_run(paths, folder, chunksize=chunksize, **options))
                        progress.advance(bar)
                _add_rows(table, name, peaks)
    return table


def peak_of_a_run(paths: list[Path], folder: Path, **options: object) -> Peak:
    """Run a job on these files as a process, and return its peak memory and that of its workers."""
    content = job_content(paths, folder / "results", **options)
    config = folder / "job.yaml"
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    command = [sys.executable, "-m", "hep_peaksum", "run", "--restart", str(config)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        peaks: dict[int, float] = {}
        while process.poll() is None:
            for pid in (process.pid, *descendants(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0), high_water_mark(pid))
            time.sleep(EVERY_SECONDS)
        errors = process.stderr.read() if process.stderr else ""
    if process.returncode:
        msg = f"{' '.join(command)} ended with {process.returncode}: {errors[-2000:]}"
        raise RuntimeError(msg)
    main = peaks.pop(process.pid)
    return Peak(main, max(peaks.values(), default=0), time.perf_counter() - start)


def descendants(pid: int) -> list[int]:
    """Return the child processes of a process, and theirs."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for thread in threads for word in (thread / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [*children, *(one for child in children for one in descendants(child))]


def high_water_mark(pid: int) -> float:
    """Return the peak resident memory of a process in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _add_rows(table: Table, name: str, peaks: dict[int, list[Peak]]) -> None:
    few, many = (statistics.median(max(peak.main, peak.worker) for peak in runs) for runs in peaks.values())
    more = many - few
    for n, runs in peaks.items():
        row = {
            "job": name,
            "events": f"{n:,}",
            "main process [MB]": f"{Spread.of([p.main for p in runs]):.0f}",
        }
        if any(peak.worker for peak in runs):
            row["largest worker [MB]"] = f"{Spread.of([p.worker for p in runs]):.0f}"
        if n == max(peaks):
            row["more than the small job [MB]"] = f"{more:+.0f}"
            row["target"] = f"<= {TARGET_MB}: {'met' if more <= TARGET_MB else 'missed'}"
        table.add(row, raw={"peaks": [peak._asdict() for peak in runs]})
