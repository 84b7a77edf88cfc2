"""Faults in a real run: a job that names this module as its schema imports it in every worker.

HEP_PEAKSUM_FAULT holds JSON: `point`, the places of the fault; `action`, kill, fail or interrupt; `after`, how
many times a place is passed before; `once`, a path: where a fault has left its mark there, it does not happen
again at this place, and with `each` every chunk has a mark of its own.
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

from hep_peaksum.config.formats import RECORDS, SUMMARY
from hep_peaksum.job.processor import PeakSumProcessor
from hep_peaksum.results import parquet, root_files

FAULT = json.loads(os.environ.get("HEP_PEAKSUM_FAULT", "{}"))
n_passed = Counter()


class Schema(BaseSchema):
    """The plain schema under another name."""


def reach(point, name=""):
    """Kill, fail or press Ctrl-C, if this is the place and the time."""
    if point not in FAULT.get("point", ()):
        return
    n_passed[point] += 1
    mark = f"{FAULT['once']}-{point}" + (f"-{name}" if FAULT.get("each") else "")
    if n_passed[point] <= FAULT.get("after", 0):
        return
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if FAULT["action"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULT["action"] == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)  # the main thread gets the signal
        return
    raise OSError(errno.EIO, "an injected fault")


def inject():
    """Put the places in the way of a job."""
    write_part, replace, read_parts = parquet.write_part, Path.replace, root_files.read_parts
    acquire, record = futures._AcquireFutures.__enter__, PeakSumProcessor.record

    def faulty_write_part(events, path):
        write_part(events, path)
        reach("part", path.name)

    def faulty_record(self, metadata, tally):
        reach("read", f"{Path(metadata['filename']).stem}-{metadata['entrystart']}")
        return record(self, metadata, tally)

    def faulty_replace(self, target):
        is_record = Path(target).parent.name == RECORDS
        if is_record:
            reach("move", Path(target).name)
        if Path(target).name == SUMMARY:
            reach("summary")
        replace(self, target)
        if is_record:
            reach("record", Path(target).name)

    def faulty_read_parts(parts):
        for events in read_parts(parts):
            yield events
            reach("merge")

    def faulty_acquire(self):
        locked = self.futures[::2]
        for future in locked:
            future._condition.acquire()
        reach("wait")
        for future in locked:
            future._condition.release()
        acquire(self)

    parquet.write_part, Path.replace = faulty_write_part, faulty_replace
    root_files.read_parts, PeakSumProcessor.record = faulty_read_parts, faulty_record
    futures._AcquireFutures.__enter__ = faulty_acquire


if FAULT:
    inject()
