"""coffea's Runner as this package uses it: what happens to one file and to one chunk, and how errors are told.

Errors are put into one line on the worker, where their cause is at hand; what may be lost comes back as a loss
with its reason. A chunk is committed only if its file is still the one that was planned.
"""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from typing import Any

from coffea import processor
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.config.model import Config
from hep_peaksum.config.paths import REMOTE, file_state
from hep_peaksum.job.processor import PeakSumProcessor, Tally
from hep_peaksum.reading.files import count_entries, error_message, open_file, open_tree, schema_class
from hep_peaksum.reading.remote import reading_options
from hep_peaksum.results.atomic_write import WriteError
from hep_peaksum.results.checkpoints import Record
from hep_peaksum.results.manifest import LOSSES, Loss

# What does not pass by waiting.
PERMANENT_ERRNOS = {None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EINVAL}


class ChunkError(RuntimeError):
    """A chunk that could not be processed: one line that names the file and what is wrong with it."""


class Runner(processor.Runner):  # type: ignore[misc]
    """coffea's Runner, with what real files need: whole numbers of entries, one-line errors, told losses.

    Geant4 writes trees whose number of entries is a float, on which coffea breaks.
    """

    n_retries = 0

    @property
    def automatic_retries(self) -> Callable[..., Any]:
        """What coffea calls for every file and every chunk."""
        return partial(_attempt, self.n_retries)

    @staticmethod
    def metadata_fetcher_root(timeout: int, _align: Any, _options: Any, item: FileMeta) -> Any:
        """Return the number of entries of a file, its UUID, and its state on disk."""
        state = file_state(item.filename)
        with open_file(item.filename, timeout) as file:
            tree = open_tree(file, item.filename, item.treename)
            described = {"numentries": count_entries(tree), "uuid": file.file.fUUID, "state": state}
        return _described(item, {**(item.metadata or {}), **described})

    @staticmethod
    def _work_function(form: str, timeout: int, *more: Any, uproot_options: Any, **keywords: Any) -> Any:
        """Process a chunk, with what its file system wants to know."""
        item = more[-1]
        options = reading_options(_target(item).filename)
        return processor.Runner._work_function(
            form, timeout, *more, uproot_options={**uproot_options, **options}, **keywords
        )


class CheckedProcessor(PeakSumProcessor):
    """The processor of a job: it commits nothing of a file that is no longer what was planned."""

    def blocks(self, events: Any, tally: Tally) -> Iterator[Any]:
        """Yield the events of a chunk; another file of the same name is a ValueError."""
        metadata, file = events.metadata, events.attrs["@events_factory"].file_handle
        n_planned = metadata["entrystop"] - metadata["entrystart"]
        is_same = str(uuid.UUID(bytes=file.file.fUUID)) == metadata["fileuuid"]
        if not is_same or len(events) != n_planned:
            raise ValueError(CHANGED)
        yield from super().blocks(events, tally)

    def record(self, metadata: Mapping[str, Any], tally: Tally) -> Record:
        """Return the record of a chunk; without it the part does not count."""
        if metadata["state"] != file_state(metadata["filename"]):
            raise ValueError(CHANGED)
        return super().record(metadata, tally)


CHANGED = "the file changed while the job ran: leave it as it is, or start over with hep-peaksum run --restart"


def runner(
    config: Config,
    executor: Any,
    *,
    pre_executor: Any = None,
    cache: MutableMapping[Any, Any] | None = None,
) -> Runner:
    """Return coffea's Runner for a config."""
    made = Runner(
        executor=executor,
        pre_executor=pre_executor,
        chunksize=config.run.chunksize,
        schema=schema_class(config.events.schema_name),
        skipbadfiles=config.run.on_bad_file == "skip",
        xrootdtimeout=config.run.timeout,
        metadata_cache=cache,
    )
    made.n_retries = config.run.retries
    return made


def _described(item: FileMeta, metadata: dict[str, Any]) -> Any:
    return processor.set_accumulator([FileMeta(item.dataset, item.filename, item.treename, metadata)])


def _target(item: Any) -> Any:
    """Return the file or the chunk; dask sends the processor along with it."""
    return item[0] if isinstance(item, tuple) else item


def _attempt(n_retries: int, _retries: int, skips: bool, func: Any, given: Any, **_options: Any) -> Any:
    """Return what `func` gives for a file or a chunk, or the loss of it."""
    item = _target(given)
    for n_failed in range(n_retries + 1):
        try:
            return func(given)
        except Exception as error:
            if n_failed < n_retries and is_transient(item.filename, error):
                time.sleep(2**n_failed if REMOTE in item.filename else 0.1)
                continue
            place = next((cause for cause in _causes(error) if isinstance(cause, WriteError)), None)
            reason = error_message(item.filename, error) if place is None else str(place)
            if not skips or place is not None:
                raise ChunkError(reason) from error
            if isinstance(item, WorkItem):
                loss = Loss(item.dataset, item.filename, item.entrystart, len(item), reason)
                return {"out": {LOSSES: [loss]}, "processed": {item}}
            return _described(item, {LOSSES: Loss(item.dataset, item.filename, 0, None, reason)})
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def is_transient(path: str, error: BaseException) -> bool:
    """Return whether it may be another time: what a network or a file system refuses, but not wrong content."""
    causes = list(_causes(error))
    if any(isinstance(cause, (WriteError, FileNotFoundError)) for cause in causes):
        return False
    if REMOTE in path:
        return not isinstance(causes[-1], ValueError)
    return any(isinstance(cause, OSError) and cause.errno not in PERMANENT_ERRNOS for cause in causes)
