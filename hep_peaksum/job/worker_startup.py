"""How a process that has work to do begins and ends: quickly.

To look at every object of every module for garbage again and again, and find nothing, takes a third of the
imports, and half a second at the end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What workers import while they start; a name, because it stands above this module.
WORK = "hep_peaksum.job.coffea_runner"
N_FROZEN_AT_START = gc.get_freeze_count()  # Python 3.12 leaves a few of its own alone


@contextmanager
def importing() -> Iterator[None]:
    """Import without a look for garbage, then leave alone what is there."""
    is_collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() <= N_FROZEN_AT_START:
            gc.freeze()
        if is_collected:
            gc.enable()


def end_quickly() -> None:
    """Let this process end without a last look for garbage."""
    atexit.register(gc.freeze)


def begin_process(owner: int) -> None:
    """Begin as one of loky's processes: leave Ctrl-C, which a terminal sends to everybody, to the owner.

    When that is killed, end: loky's processes would wait for more to do, and hold their memory, for minutes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
    _begin_work()


def _end_with(owner: int) -> None:
    while os.getppid() == owner:
        time.sleep(1)
    os._exit(1)  # a chunk is on disk whole, or not at all


def dask_setup(_worker: Any) -> None:
    """Begin as a worker of Dask, which calls this function of a module that it is told to load."""
    _begin_work()


def _begin_work() -> None:
    end_quickly()
    with importing():
        importlib.import_module(WORK)
