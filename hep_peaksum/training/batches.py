"""Batches of images for training: events of ROOT files in random order, with clusters and truth beside them.

Files are read range by range into a buffer of limited size, so memory does not grow with the sample. Nothing of
torch or tensorflow is imported before it is asked for.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.calibration.calibrated_cells import plain_cells
from hep_peaksum.config.load import load_config, parse_config
from hep_peaksum.config.model import Config
from hep_peaksum.geometry.grid import EventError, split_mask
from hep_peaksum.kernels import Array
from hep_peaksum.preview.event import clusters_of
from hep_peaksum.reading.blocks import block_size, grid_cells
from hep_peaksum.reading.columns import check_baskets, column
from hep_peaksum.reading.files import (
    count_entries,
    find_files,
    nano_events,
    one_line_errors,
    open_file,
    open_tree,
)
from hep_peaksum.suggestions import did_you_mean

if TYPE_CHECKING:
    import tensorflow as tf
    from torch.utils.data import IterableDataset

BUFFERED = 32  # batches that the buffer holds at least, unless its size is given
READS = 4  # ranges of entries in a full buffer: what lies together in a file is spread over other events


class Batch(NamedTuple):
    """Some events in random order, the same in every column.

    `images` has the shape (event, row, col), or (event, layer, row, col), in counts of the grid; a cell without
    a value is 0. `clusters` holds the clusters of each collection that was asked for (jagged), `branches` the
    values of each branch: a numpy array where every event has equally many, else an awkward array. `dataset` is
    the number of each event's dataset, in the order of the config.
    """

    images: Array
    clusters: Mapping[str, ak.Array]
    branches: Mapping[str, Any]
    dataset: Array


class Range(NamedTuple):
    """Entries of a file that are read at once."""

    dataset: int
    path: str
    tree: str
    start: int
    stop: int


def batches(
    config: Config | Mapping[str, Any] | str | os.PathLike[str],
    batch_size: int,
    *,
    grid: str | None = None,
    clusters: Sequence[str] = (),
    branches: Sequence[str] = (),
    datasets: Sequence[str] | None = None,
    to: Callable[[Batch], Any] | None = None,
    seed: int = 0,
    shuffle: bool = True,
    buffer: int | None = None,
    shard: tuple[int, int] = (0, 1),
) -> Batches:
    """Return the events of a config's files as batches of images, shuffled anew in every epoch.

    Iterating over the result is an epoch. `Batches.torch` and `Batches.tensorflow` hand it to these frameworks,
    `Batches.endless` to ``keras.Model.fit``.

    Parameters
    ----------
    config
        A config, its path or its content; its grids say how images are made of branches.
    batch_size
        Events of a batch; the last one may have fewer.
    grid
        The grid of the images; needed only if the config has several.
    clusters
        Collections of the config, found in every event as in a job.
    branches
        Branches that are handed over as they are: truth, weights, identifiers.
    datasets
        By default all of the config.
    to
        Makes of a `Batch` what the training needs, such as (inputs, targets). It runs where the events are
        read, which may be another process.
    seed, shuffle
        Equal seeds give equal orders; without shuffling it is the order of the files.
    buffer
        Events among which those of a batch are drawn, and what memory is needed for: by default as many as a
        job reads at a time, at least 32 batches. Beyond it the order is random in so far as ranges of a quarter
        of it are read in random order.
    shard
        This process, and the number of processes, that share the events (the ranks of a distributed training).

    Raises
    ------
    ValueError
        If a name is not in the config, or a number is out of range.
    OSError
        If a file cannot be read; while batches are made it is raised, too, and nothing is skipped.
    """
    config = _as_config(config)
    name = _grid_name(config, grid)
    _check_names("collection", clusters, config.clusters)
    _check_names("dataset", datasets or (), config.datasets)
    for word, number, least in (("batch_size", batch_size, 1), ("buffer", buffer, 1), ("seed", seed, 0)):
        if number is not None and number < least:
            msg = f"{word} is {number}, expected a whole number from {least}"
            raise ValueError(msg)
    if not 0 <= shard[0] < shard[1]:
        msg = f"shard is {shard}, expected this process and the number of processes, as in (0, 2) and (1, 2)"
        raise ValueError(msg)
    at_once = block_size(config.grids.values())
    size = max(batch_size, buffer or max(BUFFERED * batch_size, at_once))
    step = max(1, min(size // READS, at_once))
    return Batches(
        config=config,
        batch_size=batch_size,
        grid=name,
        clusters=tuple(clusters),
        branches=tuple(branches),
        ranges=tuple(_ranges(config, datasets, step)),
        to=to,
        seed=seed,
        shuffle=shuffle,
        buffer=size,
        shard=shard,
    )


@dataclass
class Batches:
    """The events of some files as batches; made by `batches`. Iterating over it is an epoch."""

    config: Config = field(repr=False)
    batch_size: int
    grid: str
    clusters: tuple[str, ...]
    branches: tuple[str, ...]
    ranges: tuple[Range, ...] = field(repr=False)
    to: Callable[[Batch], Any] | None
    seed: int
    shuffle: bool
    buffer: int
    shard: tuple[int, int]
    epoch: int = 0

    @property
    def n_events(self) -> int:
        """Number of events of an epoch, of this shard."""
        return sum(each.stop - each.start for each in self._own_ranges())

    def __len__(self) -> int:
        return math.ceil(self.n_events / self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self._epoch((epoch,))

    def endless(self) -> Iterator[Any]:
        """Yield batches epoch after epoch, for ``model.fit(..., steps_per_epoch=len(batches))``."""
        while True:
            yield from self

    def torch(self) -> IterableDataset[Any]:
        """Return a dataset for ``torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=n)``.

        Every worker reads its own part of the events and makes batches of its own, so there may be a smaller
        one for each worker. The order differs in every epoch, and is fixed by `seed` and `torch.manual_seed`.
        """
        from hep_peaksum.training.torch_batches import TorchBatches

        return TorchBatches(self)

    def tensorflow(self) -> tf.data.Dataset:
        """Return a `tf.data.Dataset` of the batches, which are numpy arrays or tuples or maps of them."""
        import tensorflow as tf

        first = next(iter(replace(self, shuffle=False, batch_size=1)))
        signature = tf.nest.map_structure(
            lambda array: tf.TensorSpec((None, *np.shape(array)[1:]), np.asarray(array).dtype), first
        )
        return tf.data.Dataset.from_generator(lambda: iter(self), output_signature=signature).prefetch(1)

    def of_worker(self, worker: int, n_workers: int, *, key: int = 0) -> Iterator[Any]:
        """Return the batches of one of several processes that share the events of this shard.

        `key` is mixed into the seed: a number that is drawn anew for each epoch, since a process that lives for
        one epoch does not know how many there were.
        """
        index, n = self.shard
        epoch, self.epoch = self.epoch, self.epoch + 1
        return replace(self, shard=(index * n_workers + worker, n * n_workers))._epoch((epoch, key))

    def _own_ranges(self) -> tuple[Range, ...]:
        index, n = self.shard
        return self.ranges[index::n]

    def _epoch(self, keys: tuple[int, ...]) -> Iterator[Any]:
        """Yield the batches of an epoch: half of a full buffer of shuffled events, refilled, and so on."""
        random = np.random.default_rng([self.seed, *keys, *self.shard])
        own = self._own_ranges()
        order = random.permutation(len(own)) if self.shuffle else np.arange(len(own))
        pending = (self._read(own[n]) for n in order)
        held: list[Batch] = []
        while True:
            n_held = sum(len(part.images) for part in held)
            while n_held < self.buffer and (part := next(pending, None)) is not None:
                held.append(part)
                n_held += len(part.images)
            if not n_held:
                return
            pool = _joined(held)
            if self.shuffle:
                pool = _taken(pool, random.permutation(n_held))
            is_last = n_held < self.buffer
            n_used = n_held if is_last else max(n_held // 2 // self.batch_size, 1) * self.batch_size
            for start in range(0, n_used, self.batch_size):
                batch = _taken(pool, slice(start, min(start + self.batch_size, n_used)))
                yield batch if self.to is None else self.to(batch)
            held = [_taken(pool, slice(n_used, None))]

    def _read(self, part: Range) -> Batch:
        """Read the entries of one range."""
        config = self.config
        name = list(config.datasets)[part.dataset]
        searched = (grid for each in self.clusters for grid in config.clusters[each].grid)
        grids = dict.fromkeys([self.grid, *searched])
        with (
            open_file(part.path, config.run.timeout, config.run.max_basket) as file,
            one_line_errors(part.path),
        ):
            schema = config.events.schema_name
            events = nano_events(file, *part[1:], schema=schema, dataset=name)
            check_baskets(events)
            try:
                cells = grid_cells(config, grids, events)
                found = {each: clusters_of(config, each, cells) for each in self.clusters}
            except EventError as error:
                msg = f"{part.path}: entry {part.start + error.event}: {error.problem}"
                raise ValueError(msg) from None
            values = {each: _plain(column(events, each, config.friends)) for each in self.branches}
        images, _ = split_mask(plain_cells(cells[self.grid]))
        return Batch(images, found, values, np.full(len(images), part.dataset))


def _as_config(config: Config | Mapping[str, Any] | str | os.PathLike[str]) -> Config:
    if isinstance(config, Config):
        return config
    return parse_config(config) if isinstance(config, Mapping) else load_config(os.fspath(config))


def _grid_name(config: Config, name: str | None) -> str:
    if name is None and len(config.grids) > 1:
        msg = f"the config has the grids {', '.join(config.grids)}: name that of the images, as in grid=..."
        raise ValueError(msg)
    _check_names("grid", () if name is None else (name,), config.grids)
    return name or next(iter(config.grids))


def _check_names(what: str, names: Sequence[str], known: Collection[str]) -> None:
    if isinstance(names, str):
        msg = f"{names!r} is one name, expected a list of them, as in [{names!r}]"
        raise TypeError(msg)
    for name in names:
        if name not in known:
            msg = f"no {what} {name!r}{did_you_mean(name, known)}: the config has {', '.join(known)}"
            raise ValueError(msg)


def _ranges(config: Config, datasets: Sequence[str] | None, step: int) -> Iterator[Range]:
    """Yield the entries of all files, `step` at a time."""
    for number, (name, files) in enumerate(find_files(config).items()):
        if datasets is not None and name not in datasets:
            continue
        for path, tree in files:
            with open_file(path, config.run.timeout, config.run.max_basket) as file, one_line_errors(path):
                n_entries = count_entries(open_tree(file, path, tree))
            for start in range(0, n_entries, step):
                yield Range(number, path, tree, start, min(start + step, n_entries))


def _plain(values: ak.Array) -> Any:
    """Return the values of a branch, read from its file: a numpy array where all events have equally many."""
    read = ak.Array(ak.to_packed(ak.materialize(values)).layout)
    kind = read.type.content
    while isinstance(kind, ak.types.RegularType):
        kind = kind.content
    return ak.to_numpy(read) if isinstance(kind, ak.types.NumpyType) else read


def _joined(parts: Sequence[Batch]) -> Batch:
    """Return the events of several batches as one."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part[1:3] for part in parts), strict=True)
    clusters, branches = (
        {name: _concatenate([maps[name] for maps in each]) for name in each[0]} for each in columns
    )
    images, dataset = (np.concatenate([part[n] for part in parts]) for n in (0, 3))
    return Batch(images, clusters, branches, dataset)


def _concatenate(arrays: Sequence[Any]) -> Any:
    is_numpy = all(isinstance(array, np.ndarray) for array in arrays)
    return np.concatenate(arrays) if is_numpy else ak.concatenate(arrays)


def _taken(batch: Batch, events: Any) -> Batch:
    """Return some events, by their indices or a slice."""
    clusters, branches = ({name: each[events] for name, each in maps.items()} for maps in batch[1:3])
    return Batch(batch.images[events], clusters, branches, batch.dataset[events])
