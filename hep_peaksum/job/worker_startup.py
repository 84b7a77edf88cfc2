"""How the processes of a job start and end quickly, and never outlive the run that started them.

While modules are imported, Python's garbage collector inspects all their objects again and again and finds
nothing, which takes a third of the time of the imports and half a second at exit. Later it takes a tenth of the
time of a job on small files, each of which leaves thousands of objects that refer to each other.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What workers import at their start; by name, because this module itself must be quick to import.
WORK, KERNEL = "hep_peaksum.job.coffea_runner", "hep_peaksum.kernels.numba_kernel"
# New objects after which garbage is looked for; by default 700 (2000 since Python 3.13). Memory stays the same.
COLLECT_AFTER = 50_000
# Bytes of address space. What a command imports takes up to 800 MB; with less, some libraries abort it.
LEAST_MEMORY = 10**9
N_FROZEN_AT_START = gc.get_freeze_count()  # Python 3.12 freezes a few objects of its own


@contextmanager
def importing() -> Iterator[None]:
    """Import inside the block without garbage collection, and exempt from it what has been imported."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() <= N_FROZEN_AT_START:
            gc.freeze()
        if was_enabled:
            gc.enable()


def check_memory() -> None:
    """Raise a MemoryError if the limit on the memory of a process is too low for what a command imports.

    Code in Rust or C++ that gets no memory ends the process without a word, or with thousands of lines.
    """
    try:
        import resource  # noqa: PLC0415 -- not on Windows, nor in a browser
    except ImportError:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        allowed = f"ulimit -v allows {limit // 10**6} MB, and the program alone needs {LEAST_MEMORY // 10**6}"
        msg = f"too little memory: {allowed}: raise the limit, as with ulimit -v unlimited"
        raise MemoryError(msg)


def collect_rarely() -> None:
    """Let this process look for garbage less often, and not at its exit."""
    gc.set_threshold(COLLECT_AFTER)
    atexit.register(gc.freeze)


def start_process(owner: int) -> None:
    """Start as one of loky's processes, whose owner is the process with that id.

    Ctrl-C, which a terminal sends to every process, is left to the owner. If the owner is killed, exit: loky's
    processes would wait for more work, and hold their memory, for minutes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_owner(owner)
    _import_work()


def dask_setup(_worker: Any) -> None:
    """Start as a worker of Dask, which calls this function of a module given as `preload`."""
    _import_work()


def _import_work() -> None:
    collect_rarely()
    with importing():
        importlib.import_module(WORK)
        log = logging.getLogger("hep_peaksum.kernels")
        log.setLevel(logging.ERROR)  # whoever started this process says that there is no cache for all of them
        importlib.import_module(KERNEL)
        log.setLevel(logging.NOTSET)


def exit_with_owner(owner: int) -> None:
    """Let this process exit within a second of the end of its parent, the process with id `owner`."""

    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(1)
        os._exit(1)  # a chunk is on disk as a whole or not at all

    threading.Thread(target=watch, daemon=True).start()


def script_command(script: str) -> list[str]:
    """Return the command that runs a Python script which exits with this process, and not at Ctrl-C."""
    search_path = os.pathsep.join(path for path in sys.path if path)
    return ["env", f"PYTHONPATH={search_path}", sys.executable, "-m", __name__, str(os.getpid()), script]


def _run_script(owner: int, script: str) -> None:
    os.setsid()  # out of reach of Ctrl-C in a terminal
    exit_with_owner(owner)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    _run_script(int(sys.argv[1]), sys.argv[2])
