"""The shares of a job's steps in its processor time, over all threads.

Steps overlap, so shares of the elapsed time would mean little. Functions of the package are wrapped to read the
clock of their thread before and after; a step within a step is not counted twice.
"""

from __future__ import annotations

import functools
import importlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tests.benchmarks.results import Table

# The functions of each step, where they are looked up: module:name or module:class.name.
STEPS = {
    "reading (uproot: decompress, interpret)": [
        "uproot.behaviors.TBranch:TBranch.array",
        "uproot.behaviors.TBranch:HasBranches.arrays",
    ],
    "grids from columns": ["hep_peaksum.reading.hit_columns:GridColumns.sparse_cells"],
    "search: the kernel": ["hep_peaksum.kernels.numba_kernel:find_peaks"],
    "search: the rest": ["hep_peaksum.clustering.find:_find_peaks"],
    "records of clusters": [
        "hep_peaksum.clustering.records:cluster_table",
        "hep_peaksum.processing.searches:jagged_clusters",
    ],
    "histograms": ["hep_peaksum.analysis.histograms:fill", "hep_peaksum.analysis.histograms:book"],
    "writing (columns, parquet)": ["hep_peaksum.results.parquet:write_part"],
    "merge, results": ["hep_peaksum.job.run:_add_processed", "hep_peaksum.job.run:write_results"],
}
COLUMNS = ["step", "share of the processor time"]


class Clock:
    """Adds up the processor time of each step."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock, self._running = threading.Lock(), threading.local()

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts its own time, without that of the steps that it calls."""

        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            outer: list[float] = self._running.__dict__.setdefault("within", [])
            outer.append(0.0)
            start = time.thread_time()
            try:
                return function(*arguments, **keywords)
            finally:
                elapsed = time.thread_time() - start
                with self._lock:
                    self.seconds[step] += elapsed - outer.pop()
                if outer:
                    outer[-1] += elapsed

        return call

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time all steps."""
        with ExitStack() as stack:
            for step, places in STEPS.items():
                for place in places:
                    module, _, path = place.partition(":")
                    *owners, name = path.split(".")
                    owner = functools.reduce(getattr, owners, importlib.import_module(module))
                    wrapped = self.timed(step, getattr(owner, name))
                    stack.enter_context(mock.patch.object(owner, name, wrapped))
            yield


def shares(call: Callable[[], None], before: Callable[[], None], files: Sequence[Path]) -> Table:
    """Return the shares of the steps of a job in this process, in the second of two runs."""
    call()
    before()
    clock = Clock()
    with clock.timing():
        cpu_start, start = time.process_time(), time.perf_counter()
        call()
        total, elapsed = time.process_time() - cpu_start, time.perf_counter() - start
    table = Table("shares", f"Shares of the processor time of `run`, iterative ({len(files)} files)", COLUMNS)
    for step in (*STEPS, "everything else"):
        seconds = clock.seconds[step] if step in STEPS else total - sum(clock.seconds.values())
        table.add(dict(zip(COLUMNS, (step, f"{seconds / total:.0%}"), strict=True)), raw={"seconds": seconds})
    table.notes.append(f"One run, in a separate pass, which kept {total / elapsed:.2f} cores busy.")
    return table
