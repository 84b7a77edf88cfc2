"""Faults for a real run: this module is named as its schema, so every worker imports it, wherever it runs.

HEP_PEAKSUM_FAULT holds JSON: `point`, the places where it happens; `action`, kill, fail or interrupt; `after`,
how many times the point is passed before; `once`, a path: a fault that left its mark there does not come again
at this point, and with `each` every chunk has a mark of its own.
"""

import errno
import json
import os
import signal
import time
from collections import Counter
from concurrent.futures import _base as futures
from pathlib import Path

from coffea.nanoevents import BaseSchema

from hep_peaksum.config.formats import RECORDS
from hep_peaksum.results import parquet, root_files

FAULT = json.loads(os.environ.get("HEP_PEAKSUM_FAULT", "{}"))
passed = Counter()


class Schema(BaseSchema):
    """The plain schema under another name."""


def reach(point, name=""):
    """Kill, fail or press Ctrl-C here, if it is the point and the time."""
    if point not in FAULT.get("point", ()):
        return
    passed[point] += 1
    mark = f"{FAULT['once']}-{point}" + (f"-{name}" if FAULT.get("each") else "")
    if passed[point] <= FAULT.get("after", 0):
        return
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if FAULT["action"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULT["action"] == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)  # the main thread hears of it
        return
    raise OSError(errno.EIO, "an injected fault")


def inject():
    write_part, replace, gathered = parquet.write_part, Path.replace, root_files._gathered

    def faulty_write_part(events, path):
        write_part(events, path)
        reach("part", path.name)

    def faulty_replace(self, target):
        is_record = Path(target).parent.name == RECORDS
        if is_record:
            reach("move", Path(target).name)
        if Path(target).name == "summary.json":
            reach("summary")
        replace(self, target)
        if is_record:
            reach("record", Path(target).name)

    def faulty_gathered(parts):
        for events in gathered(parts):
            yield events
            reach("merge")

    acquire = futures._AcquireFutures.__enter__

    def faulty_acquire(self):
        held = self.futures[::2]
        for future in held:
            future._condition.acquire()
        reach("wait")
        for future in held:
            future._condition.release()
        acquire(self)

    parquet.write_part, Path.replace, root_files._gathered = faulty_write_part, faulty_replace, faulty_gathered
    futures._AcquireFutures.__enter__ = faulty_acquire


if FAULT:
    inject()
