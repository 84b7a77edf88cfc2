"""Where the time of a job goes: processor time of every step, whatever thread it is done in.

Steps may overlap, so their share of the clock would mean little. Functions of the package are replaced by ones
that look at the clock of their thread before and after; a step within a step counts for itself only.
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

# The functions where they are looked up, as module:name or module:class.name.
STEPS = {
    "reading (uproot: decompress, interpret)": [
        "uproot.behaviors.TBranch:TBranch.array",
        "uproot.behaviors.TBranch:HasBranches.arrays",
    ],
    "grids from columns": ["hep_peaksum.reading.columns:GridColumns.sparse_cells"],
    "search: the kernel": ["hep_peaksum.kernels.numba_kernel:find_peaks"],
    "search: all around it": ["hep_peaksum.job.processor:find_peaks"],
    "records of clusters": ["hep_peaksum.job.processor:table", "hep_peaksum.job.processor:jagged"],
    "histograms": ["hep_peaksum.analysis.histograms:fill", "hep_peaksum.analysis.histograms:book"],
    "writing (columns, parquet)": ["hep_peaksum.results.parquet:write_part"],
    "merge, results": ["hep_peaksum.job.run:_merge", "hep_peaksum.job.run:_write_results"],
}
COLUMNS = ["step", "share of the processor time"]


class Clock:
    """Adds up the processor time of steps."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock, self._running = threading.Lock(), threading.local()

    def watched(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, which counts what it takes without the steps that it calls."""

        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            outer: list[float] = self._running.__dict__.setdefault("within", [])
            outer.append(0.0)
            began = time.thread_time()
            try:
                return function(*arguments, **keywords)
            finally:
                taken = time.thread_time() - began
                with self._lock:
                    self.seconds[step] += taken - outer.pop()
                if outer:
                    outer[-1] += taken

        return call

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch all steps."""
        with ExitStack() as stack:
            for step, places in STEPS.items():
                for place in places:
                    module, _, path = place.partition(":")
                    *owners, name = path.split(".")
                    owner = functools.reduce(getattr, owners, importlib.import_module(module))
                    wrapped = self.watched(step, getattr(owner, name))
                    stack.enter_context(mock.patch.object(owner, name, wrapped))
            yield


def shares(call: Callable[[], None], before: Callable[[], None], files: Sequence[Path]) -> Table:
    """Return in what a job in this process spends its time: the second of two runs."""
    call()
    before()
    clock = Clock()
    with clock.watching():
        began, on_the_clock = time.process_time(), time.perf_counter()
        call()
        total, passed = time.process_time() - began, time.perf_counter() - on_the_clock
    table = Table("shares", f"Where the processor time of `run`, iterative, goes ({len(files)} files)", COLUMNS)
    for step in (*STEPS, "all else"):
        seconds = clock.seconds[step] if step in STEPS else total - sum(clock.seconds.values())
        table.add(dict(zip(COLUMNS, (step, f"{seconds / total:.0%}"), strict=True)), raw={"seconds": seconds})
    table.notes.append(f"Of one run, in a pass of its own; it kept {total / passed:.2f} cores busy.")
    return table
