"""ROOT files in, columns out: which branches are read, and how they become grids.

Everything that knows what a file, a tree or a branch is stands here. Branches are read through the events that
coffea hands over (virtual arrays: only what is touched is read), those of `friends` through the same open file.
"""

from __future__ import annotations

import difflib
import glob
import importlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import awkward as ak
import numpy as np
import uproot

from hep_peaksum.grid import EventError, from_dense
from hep_peaksum.hits import Hits, sparse
from hep_peaksum.inputs import IDENTITY, SCHEMAS, GridInput, expand_variables
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    from coffea.nanoevents import BaseSchema

# Grids are made and searched in blocks of events of about this many cells, whatever the size of a chunk.
BLOCK_CELLS = 1 << 22

REMOTE = "://"


def schema_class(name: str) -> type[BaseSchema]:
    """Return the coffea schema of that name, or the class ``module:Class``."""
    import coffea.nanoevents  # noqa: PLC0415 -- slow to import

    if name in SCHEMAS:
        return cast("type[BaseSchema]", getattr(coffea.nanoevents, SCHEMAS[name]))
    module, _, attribute = name.partition(":")
    return cast("type[BaseSchema]", getattr(importlib.import_module(module), attribute))


def expand_files(files: Mapping[str, str]) -> dict[str, str]:
    """Return path -> tree: globs expanded and sorted, `~` and environment variables filled in, none twice.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a pattern matches nothing.
    ValueError
        If an environment variable is not set.
    """
    expanded: dict[str, str] = {}
    real: set[str] = set()
    for pattern, tree in files.items():
        path = expand_variables(pattern)
        if REMOTE in path:
            expanded[path] = tree
            continue
        is_pattern = glob.has_magic(path) and not Path(path).is_file()
        found = sorted(glob.glob(path, recursive=True)) if is_pattern else [path]  # noqa: PTH207
        if not found:
            msg = f"no file matches {path!r} (seen from {Path.cwd()})"
            raise FileNotFoundError(msg)
        for name in found:
            if not Path(name).is_file():
                msg = f"there is no file {name!r} (seen from {Path.cwd()})"
                raise FileNotFoundError(msg)
            if os.path.realpath(name) not in real:  # one file may go by several names
                real.add(os.path.realpath(name))
                expanded[name] = tree
    return expanded


def open_tree(file: Any, path: str, tree: str) -> Any:
    """Return a tree (TTree or RNTuple) of an open file.

    Raises
    ------
    ValueError
        If it is not there; the message lists those that are.
    """
    try:
        found = file[tree]
    except uproot.KeyInFileError:
        found = None
    if not isinstance(found, (uproot.TTree, uproot.behaviors.RNTuple.RNTuple)):
        trees = [
            key
            for key, kind in file.classnames(cycle=False).items()
            if kind in ("TTree", "ROOT::RNTuple", "TNtuple")
        ]
        msg = f"{path}: no tree {tree!r}{nearest(tree, trees)}; there are {', '.join(trees) or 'none'}"
        raise ValueError(msg)
    return found


def open_file(path: str) -> Any:
    """Open a ROOT file.

    Raises
    ------
    OSError
        If the file cannot be opened, or is not a ROOT file, or is cut short.
    """
    try:
        return uproot.open(path)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        msg = f"{path}: cannot be read as a ROOT file ({reason})"
        raise OSError(msg) from error


def nearest(word: str, words: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` with the nearest of the words, or nothing.

    >>> nearest("Evnts", ["Events", "Runs"])
    " (did you mean 'Events'?)"
    """
    lower = {each.lower(): each for each in words}
    near = [lower[match] for match in difflib.get_close_matches(word.lower(), list(lower), n=1)]
    return f" (did you mean {near[0]!r}?)" if near else ""


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
            msg = f"no branch {name!r}{nearest(name, words)}; there are {_listed(words)}"
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
        msg = (
            f"friend {tree_name!r} has no branch {branch!r}{nearest(branch, words)}; there are {_listed(words)}"
        )
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


def ranges(columns: Iterable[GridColumns], n_events: int, step: int) -> list[tuple[int, int]]:
    """Return the ranges of the events of a chunk that are read together: at most `step`, but whole baskets."""
    branches = [column for grid in columns for column in grid.columns]
    edges, last = [0], 0
    if all(isinstance(branch, _Branch) for branch in branches):
        pieces = sorted(set.intersection(*(branch.pieces for branch in branches)))
        for entry in [*(entry - branches[0].first for entry in pieces), n_events]:
            if last > edges[-1] and entry - edges[-1] > step:
                edges.append(last)
            if 0 < entry < n_events:
                last = entry
    return list(pairwise([*edges, n_events]))


def block_size(sources: Iterable[GridInput]) -> int:
    """Return how many events to search at a time, so that memory does not grow with the chunk."""
    n_cells = max(source.n_cells for source in sources)
    return max(1, BLOCK_CELLS // n_cells)


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
