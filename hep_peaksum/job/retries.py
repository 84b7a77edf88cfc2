"""Retries: a file or a chunk that fails is tried again if its error may pass; else it is an error, or a loss.

Errors become one line on the worker, where their cause is known.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from typing import Any

from coffea import processor
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.inputs.functions import ChangedContentError
from hep_peaksum.inputs.paths import REMOTE, public_path
from hep_peaksum.reading.files import error_message
from hep_peaksum.results.atomic_write import WriteError
from hep_peaksum.results.manifest import LOSSES, InputMeta, Loss

# Errors of a local file that waiting does not cure.
PERMANENT_ERRNOS = {None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EINVAL}
# Errors that stop a job even where it skips bad files: with more space or memory no entry need be lost.
NOT_OF_THE_FILE = (WriteError, MemoryError, CellTableError, ChangedContentError)
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
NO_THREAD = "can't start new thread"  # what Python says of a limit on processes, or on memory
AT_A_LIMIT = "of open files, threads or memory: see ulimit -a, raise it, or lower run.workers"
TOO_LITTLE_MEMORY = (
    "too little memory for a chunk of it: lower run.chunksize or run.workers, or use a larger machine"
)


class ChunkError(RuntimeError):
    """A chunk that cannot be processed: one line that names the file and the reason."""


def with_metadata(item: FileMeta, metadata: dict[str, Any]) -> Any:
    """Return what coffea adds up of a file: its metadata."""
    return processor.set_accumulator([InputMeta(item.dataset, item.filename, item.treename, metadata)])


def without_processor(item: Any) -> Any:
    """Return the file or the chunk; Dask sends the processor along with it."""
    return item[0] if isinstance(item, tuple) else item


def attempt(n_retries: int, _retries: int, skips: bool, function: Any, argument: Any, **_options: Any) -> Any:
    """Return the result of `function` for a file or a chunk, or the loss of it."""
    item = without_processor(argument)
    for n_failed in range(n_retries + 1):
        try:
            return function(argument)
        except Exception as error:
            if n_failed < n_retries and is_transient(item.filename, error):
                time.sleep(2**n_failed if REMOTE in item.filename else 0.1)
                continue
            blameless = next(filter(is_blameless, causes(error)), None)
            reason = error_message(item.filename, error) if blameless is None else str(blameless)
            if isinstance(blameless, MemoryError):
                reason = f"{public_path(item.filename)}: {TOO_LITTLE_MEMORY}"
            elif blameless is not None and not isinstance(blameless, NOT_OF_THE_FILE):
                reason = f"{public_path(item.filename)}: cannot be read at a limit ({reason}) {AT_A_LIMIT}"
            if not skips or blameless is not None:
                raise ChunkError(reason) from error
            if isinstance(item, WorkItem):
                loss = Loss(item.dataset, public_path(item.filename), item.entrystart, len(item), reason)
                return {"out": {LOSSES: [loss]}, "processed": {item}}
            return with_metadata(
                item, {LOSSES: Loss(item.dataset, public_path(item.filename), 0, None, reason)}
            )
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def is_blameless(cause: BaseException) -> bool:
    """Return whether a cause lies with the output or the machine, not with the file that was read."""
    is_limit = isinstance(cause, OSError) and cause.errno in EXHAUSTED
    return is_limit or isinstance(cause, NOT_OF_THE_FILE) or str(cause) == NO_THREAD


def is_transient(path: str, error: BaseException) -> bool:
    """Return whether an error may pass: one of a network or a file system, but not of content."""
    chain = list(causes(error))
    if any(isinstance(cause, (*NOT_OF_THE_FILE, FileNotFoundError)) for cause in chain):
        return False
    if REMOTE in path:
        return not isinstance(chain[-1], ValueError)
    return any(isinstance(cause, OSError) and cause.errno not in PERMANENT_ERRNOS for cause in chain)
