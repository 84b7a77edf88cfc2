"""ROOT files in, columns out: which branches are read, and how they become grids.

Everything that knows what a file, a tree or a branch is stands here. Branches are read through the events that
coffea hands over (virtual arrays: only what is touched is read), those of `friends` through the same open file.
"""

from __future__ import annotations

import difflib
import glob
import importlib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import awkward as ak
import numpy as np
import uproot
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hep_peaksum.grid import AxisWord, EventError, Grid, from_dense, geometry, place_hits
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    from coffea.nanoevents import BaseSchema

# Grids are made and searched in blocks of events of about this many cells, whatever the size of a chunk.
BLOCK_CELLS = 1 << 22

SCHEMAS = {
    "base": "BaseSchema",
    "nanoaod": "NanoAODSchema",
    "delphes": "DelphesSchema",
    "edm4hep": "EDM4HEPSchema",
}
IDENTITY = {"run": np.uint32, "luminosityBlock": np.uint32, "event": np.uint64}
REMOTE = "://"


class HitBranches(BaseModel):
    """Branches of jagged hits: where each lies on the two axes, and its value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    col: str
    value: str

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.value


class DenseBranch(BaseModel):
    """A branch that holds every cell: fixed 2-D or 3-D, or flat, its axes named slowest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch: str
    shape: tuple[Annotated[int, Field(strict=True, ge=1)], ...] | None = None
    axes: tuple[AxisWord, ...] = ("row", "col")

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return (self.branch,)


def _complete_grid(values: Any) -> Any:
    """Gather the keys of a grid under `grid`: those of a named geometry, overridden by those given."""
    if not isinstance(values, dict) or "grid" in values:
        return values
    own = {key: values[key] for key in values if key in Grid.model_fields}
    rest = {key: value for key, value in values.items() if key not in own and key != "geometry"}
    if "geometry" in values:
        return {**rest, "grid": {**geometry(values["geometry"]).model_dump(exclude_defaults=True), **own}}
    dense = values.get("dense")
    if isinstance(dense, dict) and isinstance(dense.get("shape"), (list, tuple)):
        axes = dense.get("axes", ("row", "col"))
        for size, word in zip(dense["shape"], axes, strict=False):
            if word in ("row", "col"):
                own.setdefault(f"{word}s", {"n": size})
        if not {"row", "col"} <= set(axes):  # said where the axes are read; no second word about rows and cols
            own = {"rows": {"n": 1}, "cols": {"n": 1}, **own}
    return {**rest, "grid": own}


class GridInput(BaseModel):
    """One grid of the config: its plane, and the branches that fill it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid: Grid
    hits: HitBranches | None = None
    dense: DenseBranch | None = None
    layers: Literal["sum"] = Field("sum", description="the search looks at the sum of the layers")

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        return _complete_grid(values)

    @model_validator(mode="after")
    def _one_source(self) -> GridInput:
        if (self.hits is None) == (self.dense is None):
            msg = "a grid is filled either from hits or from a dense branch: give one of the two"
            raise ValueError(msg)
        if self.dense is not None:
            n_cells = math.prod(self.dense.shape or self.grid.shape)
            from_dense(np.empty((0, n_cells)), self.grid, axes=self.dense.axes, shape=self.dense.shape)
        return self

    @property
    def source(self) -> HitBranches | DenseBranch:
        """Where the cells come from."""
        return self.hits or cast("DenseBranch", self.dense)

    @property
    def n_cells(self) -> int:
        """Number of values an event, at least those of one layer."""
        return math.prod((self.dense and self.dense.shape) or self.grid.shape)

    @property
    def has_layers(self) -> bool:
        """Whether grids have shape (event, layer, row, col)."""
        return self.dense is not None and "layer" in self.dense.axes


class EventsInput(BaseModel):
    """How events are read, what identifies them, and what is carried along."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = Field(
        "base", alias="schema", description="base, nanoaod, delphes, edm4hep or module:Class"
    )
    identify: dict[Literal["run", "luminosityBlock", "event"], str] = Field(
        default_factory=dict, description="branches of the three numbers that name an event"
    )
    keep: tuple[str, ...] = Field((), description="branches carried along to the results")

    @model_validator(mode="after")
    def _complete(self) -> EventsInput:
        if self.identify and set(self.identify) != set(IDENTITY):
            lacking = ", ".join(sorted(set(IDENTITY) - set(self.identify)))
            msg = f"identify needs all of run, luminosityBlock and event; {lacking} is missing"
            raise ValueError(msg)
        if self.schema_name not in SCHEMAS and ":" not in self.schema_name:
            msg = f"schema {self.schema_name!r} is none of {', '.join(SCHEMAS)}, nor module:Class"
            raise ValueError(msg)
        return self

    def kept_names(self) -> dict[str, str]:
        """Return the column name in the results of every branch that is kept: its last word."""
        return {branch: re.sub(r"\W+", "_", re.split(r"[:/]", branch)[-1]).strip("_") for branch in self.keep}


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


def expand_variables(path: str) -> str:
    """Return a path with `~` and environment variables filled in; one that is not set is a ValueError."""
    expanded = os.path.expandvars(Path(path).expanduser() if path.startswith("~") else path)
    if "$" in expanded:
        msg = f"{path!r} names an environment variable that is not set: export it, or write the path"
        raise ValueError(msg)
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


class GridColumns(NamedTuple):
    """The columns that fill one grid, for all events of a chunk."""

    source: GridInput
    columns: tuple[ak.Array, ...]

    def cells(self, start: int, stop: int) -> tuple[Array, int]:
        """Return the cells of some events, and how many of their hits lie outside the grid.

        Raises
        ------
        EventError
            If an event does not hold what the grid needs; it counts from the first event of the chunk.
        """
        source, part = self.source, [column[start:stop] for column in self.columns]
        try:
            if source.dense is None:
                row, col, value = part
                return place_hits(row, col, value, source.grid)
            return from_dense(part[0], source.grid, axes=source.dense.axes, shape=source.dense.shape), 0
        except EventError as error:
            problem = f"{', '.join(source.source.branches)}: {error.problem}"
            raise EventError(start + error.event, problem) from None


def grid_columns(events: ak.Array, source: GridInput, friends: Mapping[str, str]) -> GridColumns:
    """Return the columns of a grid; nothing is read yet but what a friend holds."""
    return GridColumns(source, tuple(column(events, name, friends) for name in source.source.branches))


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
