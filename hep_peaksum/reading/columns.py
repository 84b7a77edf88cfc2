"""ROOT files in, columns out: which branches are read, and how they become grids.

Everything that knows what a file, a tree or a branch is stands here. Branches are read through the events that
coffea hands over (virtual arrays: only what is touched is read), those of `friends` through the same open file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import awkward as ak
import numpy as np
import uproot

from hep_peaksum.config.formats import IDENTITY
from hep_peaksum.config.inputs import GridInput
from hep_peaksum.geometry.grid import EventError, from_dense
from hep_peaksum.geometry.hits import Hits, sparse
from hep_peaksum.kernels import Array
from hep_peaksum.reading.files import open_tree
from hep_peaksum.suggestions import did_you_mean


def column(events: ak.Array, name: str, friends: Mapping[str, str]) -> ak.Array:
    """Return a branch of the events, or, named ``friend:branch``, of another tree of the same file.

    Parameters
    ----------
    events
        What coffea hands to a processor.
    name
        A field of the schema (``L1CaloTower/iet``, ``Tower.ET``), or ``friend:branch``.
    friends
        The trees that friends stand for.

    Raises
    ------
    ValueError
        If there is no such branch; the message names the nearest, and those that exist.
    """
    alias, colon, branch = name.partition(":")
    if colon and alias in friends:
        return _friend_column(events, branch, friends[alias])
    if name in events.fields:
        return events[name]
    found, head = events, ""
    for part in name.split("."):
        if part not in found.fields:
            words = events.fields if not head else [f"{head}.{field}" for field in found.fields]
            msg = f"no branch {name!r}{did_you_mean(name, words)}; there are {_listed(words)}"
            raise ValueError(msg)
        found, head = found[part], f"{head}.{part}".lstrip(".")
    return found


def _listed(words: list[str], most: int = 40) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _friend_column(events: ak.Array, branch: str, tree_name: str) -> ak.Array:
    metadata = events.metadata
    tree = open_tree(events.attrs["@events_factory"].file_handle, metadata["filename"], tree_name)
    if branch not in tree.keys():  # noqa: SIM118 -- a tree is no dict
        words = tree.keys()
        near = did_you_mean(branch, words)
        msg = f"friend {tree_name!r} has no branch {branch!r}{near}; there are {_listed(words)}"
        raise ValueError(msg)
    n_friend, n_main = int(tree.num_entries), int(_main_entries(events))
    if n_friend != n_main:
        main = metadata["treename"]
        msg = f"friend {tree_name!r} has {n_friend} entries, {main!r} has {n_main}: these must be equal"
        raise ValueError(msg)
    return tree[branch].array(entry_start=metadata["entrystart"], entry_stop=metadata["entrystop"])


def _main_entries(events: ak.Array) -> float:
    file = events.attrs["@events_factory"].file_handle
    return cast("float", file[events.metadata["treename"]].num_entries)


@dataclass(frozen=True)
class _Branch:
    """A branch of the file that is read piece by piece; a slice counts from the first event of the chunk."""

    branch: Any
    first: int

    def __getitem__(self, part: slice) -> ak.Array | Array:
        dtype = getattr(self.interpretation, "to_dtype", None)
        is_plain = isinstance(self.interpretation, uproot.AsDtype) and dtype is not None and dtype.names is None
        return self.branch.array(
            entry_start=self.first + part.start,
            entry_stop=self.first + part.stop,
            library="np" if is_plain else "ak",
            array_cache=None,  # what is read once need not be kept
        )

    @property
    def interpretation(self) -> Any:
        """What uproot takes the bytes for; an RNTuple's field has none."""
        return getattr(self.branch, "interpretation", None)

    @property
    def pieces(self) -> set[int]:
        """The entries, of the whole tree, at which something begins that is compressed as one."""
        if isinstance(self.branch, uproot.behaviors.TBranch.TBranch):
            return set(self.branch.entry_offsets)
        return {int(cluster.num_first_entry) for cluster in self.branch.ntuple.cluster_summaries}


class GridColumns(NamedTuple):
    """The columns that fill one grid: those of a chunk, which are still to be read, or some of its events."""

    source: GridInput
    columns: tuple[Any, ...]

    def read(self, start: int, stop: int) -> GridColumns:
        """Return what the file holds of some events of the chunk."""
        return GridColumns(self.source, tuple(column[start:stop] for column in self.columns))

    def cells(self, start: int, stop: int) -> Array:
        """Return the cells of some events; errors are those of `sparse_cells`."""
        cells = self.sparse_cells(start, stop)
        return cells.dense() if isinstance(cells, Hits) else cells

    def sparse_cells(self, start: int, stop: int) -> Array | Hits:
        """Return the cells of some events, or the hits that fill them.

        Raises
        ------
        EventError
            If an event does not hold what the grid needs; it counts from the first event of the columns.
        """
        source, part = self.source, [column[start:stop] for column in self.columns]
        try:
            if source.dense is None:
                row, col, value = part
                return sparse(row, col, value, source.grid)
            return from_dense(part[0], source.grid, axes=source.dense.axes, shape=source.dense.shape)
        except EventError as error:
            problem = f"{', '.join(source.source.branches)}: {error.problem}"
            raise EventError(start + error.event, problem) from None
        except ValueError as error:
            msg = f"{', '.join(source.source.branches)}: {error}"
            raise ValueError(msg) from None


def grid_columns(events: ak.Array, source: GridInput, friends: Mapping[str, str]) -> GridColumns:
    """Return the columns of a grid; nothing is read yet but what a friend holds."""
    return GridColumns(source, tuple(_readable(events, name, friends) for name in source.source.branches))


def _readable(events: ak.Array, name: str, friends: Mapping[str, str]) -> ak.Array | _Branch:
    """Return a branch as it is in the file, if the field of that name is one, or else the field."""
    found = column(events, name, friends)
    factory = events.attrs.get("@events_factory")
    file = getattr(factory, "file_handle", None)
    if name not in events.fields or not isinstance(file, uproot.ReadOnlyDirectory):
        return found
    tree = file[events.metadata["treename"]]
    is_branch = name in tree.keys()  # noqa: SIM118 -- a tree is no dict
    return _Branch(tree[name], events.metadata["entrystart"]) if is_branch else found


def identity(
    events: ak.Array, branches: Mapping[Any, str], friends: Mapping[str, str], numbers: tuple[int, int]
) -> dict[str, Array]:
    """Return run, luminosityBlock and event of every event.

    Where the file has none, these are the numbers of the dataset and of the file, and the entry.
    """
    if branches:
        return {word: _identifier(word, column(events, name, friends), name) for word, name in branches.items()}
    entry = np.arange(events.metadata["entrystart"], events.metadata["entrystop"])
    values = (*(np.full(len(events), number) for number in numbers), entry)
    return {word: value.astype(dtype) for (word, dtype), value in zip(IDENTITY.items(), values, strict=True)}


def _identifier(word: str, values: ak.Array, branch: str) -> Array:
    """Return numbers that identify events, as NanoAOD has them; one that does not fit is an error."""
    if values.ndim != 1:
        msg = f"identify {word}: the branch {branch!r} has several values an entry, expected one number"
        raise ValueError(msg)
    numbers, dtype = np.asarray(values), IDENTITY[word]
    with np.errstate(invalid="ignore"):
        kept = numbers.astype(dtype)
    wrong = (kept != numbers) | (numbers < 0)
    if wrong.any():
        event = int(np.argmax(wrong))
        msg = f"identify {word}: {branch!r} holds {numbers[event]}, which is no {np.dtype(dtype)} number"
        raise EventError(event, msg)
    return kept
