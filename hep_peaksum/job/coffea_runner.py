"""coffea's Runner as this package uses it: how files are opened, and chunks processed.

What fails is tried again, reported or lost, see `retries.py`. A chunk is committed only if its file is still
the one that was planned.
"""

from __future__ import annotations

import errno
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from coffea import processor
from coffea.processor.executor import FileMeta
from uproot.interpretation.identify import UnknownInterpretation

from hep_peaksum.config.model import Config
from hep_peaksum.inputs.paths import Files, file_state
from hep_peaksum.job.processor import PeakSumProcessor
from hep_peaksum.job.retries import attempt, causes, with_metadata, without_processor
from hep_peaksum.processing.tally import Tally
from hep_peaksum.reading.basket_limit import MAX_BASKET
from hep_peaksum.reading.columns import branch_types, check_baskets
from hep_peaksum.reading.files import READABLE, count_entries, open_file, open_tree, schema_class
from hep_peaksum.reading.hit_columns import read_encodings
from hep_peaksum.reading.remote import reading_options
from hep_peaksum.results.atomic_write import WriteError
from hep_peaksum.results.checkpoints import Record
from hep_peaksum.results.manifest import InputMeta

CHANGED = "the file changed while the job ran: leave it as it is, or start over with hep-peaksum run --restart"


class TypedBranches(NamedTuple):
    """The branches whose types decide those of the results, how they are found, and what is known of them."""

    branches: tuple[str, ...]
    friends: Mapping[str, str]
    schema: str
    known: dict[Any, Any]
    collections: tuple[str, ...] = ()  # whose encodings of ids the files hold


class Runner(processor.Runner):  # type: ignore[misc]
    """coffea's Runner with whole numbers of entries, errors of one line, and losses that are reported.

    It replaces three internal functions of coffea 2026.9.0; `tests/job/test_coffea_patches.py` fails as soon as
    one of the replacements is no longer needed.
    """

    n_retries = 0
    max_basket = MAX_BASKET
    typed = TypedBranches((), {}, "base", {})

    @property
    def automatic_retries(self) -> Callable[..., Any]:
        """The function that processes a file or a chunk, again if the error may pass.

        Why: coffea tries again at once after any error, even of content, with a warning each time; and what it
        skips is missing from the result without a record.
        Drop it when coffea lets one choose the errors and the delay, and returns what it skipped and why.
        """
        return partial(attempt, self.n_retries)

    @staticmethod
    def _normalize_fileset(fileset: Files, _treename: Any) -> Iterator[FileMeta]:
        """Yield the files of a job.

        Why: coffea's FileMeta has no hash for a name that is not ASCII, and its filesets have no place for two
        trees of one file.
        Drop it when coffea's hash takes any name, and a fileset may name a file twice.
        """
        for dataset, inputs in fileset.items():
            for path, tree in inputs:
                yield InputMeta(dataset, path, tree)

    @property
    def metadata_fetcher_root(self) -> Callable[..., Any]:
        """The function that reads the number of entries of a file, its UUID, its types and its state on disk.

        Why: Geant4 writes trees whose number of entries is a float, for which coffea makes chunks of floats
        that it cannot read; and only here the state of the file is known before it is read. Drop it when coffea
        converts the number, and lets one add to the metadata of a file.
        """
        return partial(_read_metadata, self.typed, self.max_basket)

    @property
    def _work_function(self) -> Callable[..., Any]:
        """The function that processes a chunk, with the options that its file system needs.

        Why: coffea opens the files of a job, local and remote, with the same options, and a branch in a group
        that uproot cannot read makes all others unusable.
        Drop it when coffea takes options per file, or uproot's own sources respect `timeout`; and when coffea
        skips such groups as it skips such branches.
        """
        return partial(_process_chunk, self.max_basket)


class CheckedProcessor(PeakSumProcessor):
    """The processor of a job: it commits nothing of a file that has changed since the job was planned.

    `is_behind_link` says whether the results folder was a link when the job began.
    """

    is_behind_link = False

    def blocks(self, events: Any, tally: Tally) -> Iterator[Any]:
        """Yield the events of a chunk; another file of the same name is a ValueError."""
        metadata, file = events.metadata, events.attrs["@events_factory"].file_handle
        n_planned = metadata["entrystop"] - metadata["entrystart"]
        is_same = str(uuid.UUID(bytes=file.file.fUUID)) == metadata["fileuuid"]
        if not is_same or len(events) != n_planned:
            raise ValueError(CHANGED)
        self.job.check_contents()
        check_baskets(events)
        yield from super().blocks(events, tally)

    def write_chunk(self, events: Any, directory: Path) -> dict[str, Any]:
        """Write a chunk into the results folder, unless it was removed, or replaced by a link, meanwhile."""
        if not directory.is_dir() or (directory.is_symlink() and not self.is_behind_link):
            raise WriteError(errno.ENOENT, "it is no longer the folder of this run", str(directory))
        return super().write_chunk(events, directory)

    def record(self, metadata: Mapping[str, Any], tally: Tally) -> Record:
        """Return the record of a chunk, without which its part does not count."""
        if metadata["state"] != file_state(metadata["filename"]):
            raise ValueError(CHANGED)
        self.job.check_contents()
        return super().record(metadata, tally)


def make_runner(config: Config, executor: Any, cache: MutableMapping[Any, Any] | None = None) -> Runner:
    """Return coffea's Runner for a config; `cache` holds the metadata of files that need not be opened."""
    runner = Runner(
        executor=executor,
        chunksize=config.run.chunksize,
        schema=schema_class(config.events.schema_name),
        skipbadfiles=config.run.on_bad_file == "skip",
        xrootdtimeout=config.run.timeout,
        metadata_cache=cache,
    )
    runner.n_retries, runner.max_basket = config.run.retries, config.run.max_basket
    branches, schema = tuple(config.typed_branches()), config.events.schema_name
    runner.typed = TypedBranches(branches, config.friends, schema, {}, tuple(config.collections()))
    return runner


def _process_chunk(
    max_basket: int, form: str, timeout: int, *more: Any, uproot_options: Any, **keywords: Any
) -> Any:
    """Process a chunk (see `Runner._work_function`)."""
    options = reading_options(without_processor(more[-1]).filename, max_basket)
    keywords["uproot_options"] = {**uproot_options, **options}
    work = partial(processor.Runner._work_function, form, timeout, *more, **keywords)
    try:
        return work()
    except Exception as error:
        # only then, because uproot warns of the filter where the tree is an RNTuple
        if not any(isinstance(each, UnknownInterpretation) for each in causes(error)):
            raise
    return work(iteritems_options=READABLE)


def _read_metadata(
    typed: TypedBranches, max_basket: int, timeout: int, _align: Any, _options: Any, item: FileMeta
) -> Any:
    """Return the metadata of a file (see `Runner.metadata_fetcher_root`)."""
    state = file_state(item.filename)
    with open_file(item.filename, timeout, max_basket) as file:
        tree = open_tree(file, item.filename, item.treename)
        metadata = {"numentries": count_entries(tree), "uuid": file.file.fUUID, "state": state}
        metadata["n_bytes"] = file.file.source.num_bytes
        metadata["types"] = branch_types(
            file,
            item.filename,
            item.treename,
            typed.branches,
            typed.friends,
            schema=typed.schema,
            known=typed.known,
        )
        metadata["encodings"] = read_encodings(file, item.filename, typed.collections)
    return with_metadata(item, {**(item.metadata or {}), **metadata})
