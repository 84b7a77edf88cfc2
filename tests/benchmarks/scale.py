"""Many files and many chunks: what every step of a job costs for each of them, and whether that stays the same.

The files are one small file under many names (hard links), which a dataset must allow. Everything is processor
time of one process, so that a busy machine changes little. Three sizes, each four times the one before, give
t = c + a n^b, and from it the time for the numbers of a large analysis.
"""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.progress import Progress

from hep_peaksum.config.formats import FORMATS
from hep_peaksum.config.load import load_config
from hep_peaksum.config.model import Config
from hep_peaksum.job.run import dry_run, run
from hep_peaksum.results.chunk_files import part_paths
from hep_peaksum.results.root_files import merge_rntuple, merge_ttree
from hep_peaksum.results.status import read_status
from tests.benchmarks.measuring import digits, progress_console
from tests.benchmarks.results import Table
from tests.benchmarks.samples import job_content, linked_copies, scratch_folder, toy_files

CHUNKS_PER_FILE, EVENTS_PER_CHUNK = 16, 4
MANY_FILES, MANY_CHUNKS = 100_000, 1_000_000
EXTRAPOLATED = f"for {MANY_FILES:,} files, {MANY_CHUNKS:,} chunks"
# What a step costs at most: for each file or chunk (ms), or in total (s) for so many of them.
TARGETS_MS = {"merge to TTree": 2.0, "merge to RNTuple": 2.0}
TARGETS_S = {"read the config": (1.0, 20_000), "resume, all finished": (5.0, 16_000)}
MEMORY_TARGET = 1000


class Step(NamedTuple):
    """A step of a job and the things that it costs time for."""

    name: str
    of: str
    call: Callable[[], object]


def scale(n_chunks: int) -> Table:
    """Return the table, for `n_chunks` and a quarter and a sixteenth of it."""
    sizes = [n_chunks // 16, n_chunks // 4, n_chunks]
    table = Table(
        "scale",
        f"Processor time per file and per chunk, jobs of {', '.join(f'{n:,}' for n in sizes)} chunks",
        [
            "step",
            "for each",
            "ms, by size",
            "exponent",
            f"for {MANY_FILES:,} files, {MANY_CHUNKS:,} chunks",
            "target",
        ],
    )
    table.notes.append(
        f"{CHUNKS_PER_FILE} chunks of {EVENTS_PER_CHUNK} events in a file (hard links of one), iterative "
        "executor, every step once. The time is c + a n^b: given are b, and what follows for larger numbers."
    )
    seconds: dict[tuple[str, str], list[float]] = {}
    memory = []
    with scratch_folder() as scratch, Progress(console=progress_console, transient=True) as progress:
        bar = progress.add_task("scale", total=len(sizes))
        for size in sizes:
            folder = scratch / str(size)
            config = _write_job(folder, size)
            for step in _steps(folder, config):
                progress.update(bar, description=f"scale: {size:,} chunks, {step.name}")
                start = time.process_time()
                step.call()
                seconds.setdefault((step.name, step.of), []).append(time.process_time() - start)
            memory.append(_memory_of_resuming(config))
            progress.advance(bar)
    for (name, of), times in seconds.items():
        _add_row(table, name, of, sizes, times)
    per_chunk = (memory[-1] - memory[0]) / (sizes[-1] - sizes[0])
    verdict = "met" if per_chunk <= MEMORY_TARGET else "missed"
    row = {"step": "memory of resuming", "for each": "chunk", "ms, by size": f"{per_chunk:.0f} bytes"}
    table.add({**row, "target": f"<= {MEMORY_TARGET} bytes: {verdict}"}, raw={"memory": memory})
    return table


def _write_job(folder: Path, n_chunks: int) -> Path:
    """Write a config for so many chunks of hard links of one file; return its path."""
    folder.mkdir()
    n_events = CHUNKS_PER_FILE * EVENTS_PER_CHUNK
    paths = linked_copies(toy_files(n_events, n_events), n_chunks // CHUNKS_PER_FILE, folder)
    content = job_content(paths, folder / "results", executor="iterative", chunksize=EVENTS_PER_CHUNK)
    content["datasets"]["toy"]["allow_duplicates"] = True
    (folder / "job.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / "job.yaml"


def _steps(folder: Path, path: Path) -> Sequence[Step]:
    """Return the steps in their order: later ones use what earlier ones have written."""
    config, results = load_config(path), folder / "results"
    return (
        Step("read the config", "file", lambda: load_config(path)),
        Step("plan, no file known", "file", lambda: dry_run(config)),
        Step("run", "chunk", lambda: run(config)),
        Step("resume, all finished", "chunk", lambda: run(config)),
        Step("dry run, all known", "chunk", lambda: dry_run(config)),
        Step("status --verify", "chunk", lambda: read_status(results, verify=True)),
        *(
            Step(f"merge to {name}", "chunk", _merge(results, form, function))
            for name, form, function in MERGES
        ),
    )


MERGES = (("TTree", "ttree", merge_ttree), ("RNTuple", "rntuple", merge_rntuple))


def _merge(results: Path, form: str, function: Callable[..., None]) -> Callable[[], None]:
    return lambda: function(part_paths(results, "toy"), results / FORMATS[form].file)


def _memory_of_resuming(path: Path) -> int:
    """Return the peak of the memory that resuming a finished job allocates, in bytes."""
    config: Config = load_config(path)
    tracemalloc.start()
    try:
        run(config)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _add_row(table: Table, name: str, of: str, sizes: Sequence[int], seconds: Sequence[float]) -> None:
    numbers = [size // CHUNKS_PER_FILE if of == "file" else size for size in sizes]
    each = [1000 * s / n for s, n in zip(seconds, numbers, strict=True)]
    row = {"step": name, "for each": of, "ms, by size": ", ".join(map(digits, each))}
    first, second = seconds[1] - seconds[0], seconds[2] - seconds[1]
    if first > 0 and second > 0:
        exponent = math.log(second / first) / math.log(numbers[2] / numbers[1])
        factor = second / (numbers[2] ** exponent - numbers[1] ** exponent)
        many = MANY_FILES if of == "file" else MANY_CHUNKS
        row["exponent"] = f"{exponent:.2f}"
        row[EXTRAPOLATED] = f"{digits(seconds[2] + factor * (many**exponent - numbers[2] ** exponent))} s"
    row["target"] = _verdict(name, each[-1])
    table.add(row, raw={"numbers": numbers, "seconds": seconds})


def _verdict(name: str, milliseconds: float) -> str:
    """Return the target of a step and whether its time for each file or chunk meets it."""
    if name in TARGETS_MS:
        return f"<= {TARGETS_MS[name]:g} ms: {'met' if milliseconds <= TARGETS_MS[name] else 'missed'}"
    if name in TARGETS_S:
        limit, number = TARGETS_S[name]
        is_met = milliseconds * number / 1000 <= limit
        return f"<= {limit:g} s for {number:,}: {'met' if is_met else 'missed'}"
    return ""
