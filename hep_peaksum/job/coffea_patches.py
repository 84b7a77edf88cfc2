"""coffea's executors, changed where a job needs it: each patch with its reason, and when it can be dropped.

Written for coffea 2026.9.0. `tests/job/test_coffea_patches.py` runs coffea without the patches, and fails as
soon as one of them is no longer needed. Those of coffea's Runner are in `coffea_runner`.
"""

from __future__ import annotations

import _thread
import concurrent.futures
import contextlib
import importlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TextIO

from coffea import processor

from hep_peaksum.processing.progress import JobProgress


class CancellablePool(concurrent.futures.Executor):
    """A pool that remembers its futures, so that those that have not begun can be cancelled.

    Not by ``shutdown(cancel_futures=True)``: coffea, which waits for all of them, is never notified of those
    that this takes out of the queue.
    """

    def __init__(self, pool: Any) -> None:
        self.pool, self._futures = pool, set[Any]()
        self._lock, self._is_cancelled = threading.Lock(), False

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Any:
        """Submit a call; after `cancel` it is a RuntimeError."""
        with self._lock:
            if self._is_cancelled:
                msg = "the job has been cancelled"
                raise RuntimeError(msg)
            future = self.pool.submit(function, *arguments, **keywords)
            self._futures.add(future)
            return future

    def cancel(self) -> None:
        """Begin no more calls, and wait for the running ones."""
        with self._lock:
            self._is_cancelled = True
        for future in [future for future in self._futures if not future.cancel()]:
            future.exception()

    def stop(self) -> None:
        """End as soon as possible: threads can only finish their chunks."""
        self.cancel()


class CancellableProcesses(CancellablePool):
    """The same on processes, which can be killed: a chunk is on disk as a whole or not at all."""

    def stop(self) -> None:
        """Kill the processes."""
        self.pool.shutdown(kill_workers=True)


class FuturesExecutor(processor.FuturesExecutor):  # type: ignore[misc]
    """coffea's FuturesExecutor on a `CancellablePool`, run in a thread of its own.

    Why: after an error or Ctrl-C coffea leaves all queued chunks to run. And it waits in the main thread, where
    Ctrl-C may come in the middle of `concurrent.futures.wait`, which then leaves the locks of some futures
    taken: a worker or `cancel` would wait for them forever.
    Drop it when coffea cancels what has not begun, and Python's `wait` can be interrupted.
    """

    def __call__(self, *arguments: Any) -> Any:
        """Run as coffea's; after an error no further chunk begins."""
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            try:
                return thread.submit(copy_context().run, super().__call__, *arguments).result()
            except Exception:
                self.pool.cancel()
                raise
            except BaseException:
                self.pool.stop()
                raise


@contextmanager
def no_printed_tracebacks() -> Iterator[None]:
    """Suppress what is printed to stderr inside the block.

    Why: coffea's executors for futures and Parsl print the traceback of an error that they raise as well.
    Drop it when they only raise.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        yield


@contextmanager
def heard_interrupts() -> Iterator[None]:
    """Raise a Ctrl-C again, inside the block, if it came while an object was being deleted.

    Why: Python discards what is raised there, and uproot closes files there, so the job would go on.
    Drop it when Python does not discard a KeyboardInterrupt.
    """
    hook = sys.unraisablehook

    def hear(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(0.05, _thread.interrupt_main).start()  # what is raised in here is discarded, too
        else:
            hook(unraisable)

    sys.unraisablehook = hear
    try:
        yield
    finally:
        sys.unraisablehook = hook


@contextmanager
def own_progress(stream: TextIO, name: str = "executor", *, show: bool = True) -> Iterator[None]:
    """Let one of coffea's modules show `JobProgress` on a stream instead of its bar, inside the block.

    Why: coffea's bar is on stdout, even if that is a file; it cuts numbers on a narrow screen, and says
    nothing about events and losses.
    Drop it when coffea takes a progress of the user.
    """
    module: Any = importlib.import_module(f"coffea.processor.{name}")
    original = module.rich_bar
    module.rich_bar = partial(JobProgress, stream, show=show)
    try:
        yield
    finally:
        module.rich_bar = original


@contextmanager
def quiet_dask_bar(remark: Callable[[], str]) -> Iterator[None]:
    """Replace coffea's progress bar for Dask by one that prints no traceback, and stops with the block.

    `remark` is what `JobProgress` says besides the numbers, such as that there are no workers.

    Why: after an error coffea prints the traceback besides raising, and never stops the bar.
    Drop it when coffea stops its bar after an error, and only raises.
    """
    module: Any = importlib.import_module("coffea.processor._dask")
    original: Any = module.RichProgressBar
    bars = list[Any]()

    class Bar(original):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            shown = module.rich_bar()
            shown.remark = remark
            bars.append(shown)
            super().__init__(*arguments, progress_bar=shown, **keywords)  # returns when all is processed

        def _draw_stop(self, *, status: str, **keywords: Any) -> None:
            super()._draw_stop(status="" if status == "error" else status, **keywords)

    module.RichProgressBar = Bar
    try:
        yield
    finally:
        module.RichProgressBar = original
        for bar in bars:
            bar.stop()
