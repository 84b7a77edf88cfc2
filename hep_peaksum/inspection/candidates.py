"""Candidates for a grid, and the config that is proposed for some of them, in which comments mark guesses."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import yaml

from hep_peaksum.kernels import Array
from hep_peaksum.naming.identity import Identity

# In this order the keys of a grid are written; a comment on a key that the grid lacks stands where it would be.
KEYS = (
    *("hits", "dense", "cells", "where", "depth", "layers", "geometry", "hexagons", "rows", "cols"),
    *("quantity", "unit"),
)
WIDTH = 110
TABLE = "cells.csv"  # the name of the cell table that `init` writes
GUESSED_TABLE = "row and col of its channels are guessed"
FIRST = {"calo": "1"}  # the grid that is proposed unless others are chosen: the likeliest candidate


class Channels(NamedTuple):
    """The branch of the ids of hits, as a config has it, and the different ids in the entries read.

    Of an array of cells it is the branch itself, and the number of every cell. Several numbers are joined.
    """

    branch: Any
    ids: Array
    are_in_order: bool = False  # as those of an array
    parts: tuple[str, ...] = ()  # the words of the numbers that are joined


class ChannelNames(NamedTuple):
    """Branches that name channels of arrays as the squares of a plane: each holds the number of its channel.

    `numbers` are those of the channels, shape (row, col).
    """

    names: tuple[str, ...]
    numbers: Array


class Candidate(NamedTuple):
    """Branches of one tree that could fill a grid: what they look like, and the `grids` section to read them.

    `comments` are lines for the config, each with the key of the grid above which it stands. `command`, where
    there is one, must be run before a grid can be read. `order` is the place in the order of physics,
    `n_values` the number of cells, or of hits in the entries read.
    """

    tree: str
    n_entries: int
    branches: tuple[str, ...]
    looks_like: str
    grid: dict[str, Any]
    n_values: int
    order: int = 0
    comments: tuple[tuple[str, str], ...] = ()
    command: str = ""
    identity: Identity = Identity()  # of events
    preset: str = ""  # of clusters on the grid
    is_masked: bool = False  # whether cells without a finite number are left out
    table: str = ""  # the cell table that the grid needs, as CSV, with empty places to fill in
    told_of_table: str = ""  # what to do with it
    channels: Channels | None = None  # by which another tree may say where cells are

    def with_table(self, file: str) -> Candidate:
        """Return the candidate with a cell table of another name, if it needs one."""
        if not self.table:
            return self
        comments = tuple((key, text.replace(TABLE, file)) for key, text in self.comments)
        return self._replace(grid={**self.grid, "cells": file}, comments=comments)

    def masking(self, values: Array) -> Candidate:
        """Return the candidate with cells left out that have no finite value, if there are such values."""
        n_missing = int(np.count_nonzero(~np.isfinite(values)))
        if not n_missing:
            return self
        text = (
            f"{n_missing} of {values.size} numbers read are not finite: nonfinite: mask leaves their cells out"
        )
        source = "dense" if "dense" in self.grid else "hits"
        return self._replace(is_masked=True, comments=(*self.comments, (source, text)))

    @property
    def likelihood(self) -> tuple[int, int]:
        """The key by which candidates are sorted, the likeliest first."""
        return self.order, -self.n_values


class Rejected(NamedTuple):
    """Branches that were looked at, and why they fill no grid.

    `lacks` names what is 0, "energy" or "place"; what there is none of, "value" or "length"; or what only their
    owner knows, the "order" of cells.
    """

    tree: str
    branches: tuple[str, ...]
    reason: str
    lacks: str = ""


def without_repeated(rejected: Sequence[Rejected]) -> list[Rejected]:
    """Return what was rejected without lines of branches of which another says what their owner may write."""
    told = {(each.tree, name) for each in rejected if each.lacks == "order" for name in each.branches}
    return [
        each
        for each in rejected
        if each.lacks not in ("value", "length") or not {(each.tree, name) for name in each.branches} <= told
    ]


def choose(candidates: Sequence[Candidate], words: Mapping[str, str]) -> dict[str, Candidate]:
    """Return the chosen candidates by name of the grid; a choice is a number, from 1, or part of a branch name.

    Raises
    ------
    ValueError
        If a choice fits no candidate, several, or one that is not a grid yet, or if the trees differ.
    """
    chosen = {name: find_candidate(candidates, word) for name, word in words.items()}
    for each in chosen.values():
        if each.command:
            msg = f"{each.tree}: {each.looks_like}: first run `{each.command}`"
            raise ValueError(msg)
    if len(trees := {candidate.tree for candidate in chosen.values()}) > 1:
        places = ", ".join(sorted(trees))
        msg = f"the grids are in different trees ({places}): a config reads one tree, write two configs"
        raise ValueError(msg)
    if sum(each.table != "" for each in chosen.values()) > 1:
        return {name: each.with_table(f"{name}.csv") for name, each in chosen.items()}
    return chosen


def find_candidate(candidates: Sequence[Candidate], word: str) -> Candidate:
    """Return the candidate that a number, from 1, or part of a branch name chooses, or raise a ValueError."""
    if word.isdecimal():
        fitting = list(candidates[int(word) - 1 : int(word)]) if int(word) else []
        expected = f"a number from 1 to {len(candidates)}"
    else:
        fitting = [each for each in candidates if any(word in branch for branch in each.branches)]
        expected = "the number of a candidate, or part of the name of a branch that only one has"
    if len(fitting) != 1:
        msg = f"{word!r} chooses {len(fitting) or 'no'} candidate{'s' * (len(fitting) > 1)}: give {expected}"
        raise ValueError(msg)
    return fitting[0]


def proposed_config(path: str, grids: Mapping[str, Candidate]) -> dict[str, Any]:
    """Return a complete config with candidates of one tree as its grids, and 3x3 clusters on each."""
    first = next(iter(grids.values()))
    identity = first.identity
    friends = {"friends": dict(identity.friends)} if identity.friends else {}
    events = {"events": {"identify": dict(identity.numbers)}} if identity.numbers else {}
    names = ["Cluster"] if len(grids) == 1 else [f"Cluster{name[:1].upper()}{name[1:]}" for name in grids]
    return {
        "datasets": {"data": {"files": {path: first.tree}}},
        **friends,
        **events,
        "grids": {name: candidate.grid for name, candidate in grids.items()},
        "clusters": {name: _clusters(*each) for name, each in zip(names, grids.items(), strict=True)},
        "output": {"directory": "results", "clusters": ["parquet"]},
    }


def _clusters(grid: str, candidate: Candidate) -> dict[str, Any]:
    windows = (
        {"preset": candidate.preset} if candidate.preset else {"search_window": [3, 3], "sum_window": [3, 3]}
    )
    masked = {"nonfinite": "mask"} if candidate.is_masked else {}
    return {"grid": grid, **windows, "seed_threshold": 0, **masked}


def config_text(path: str, grids: Mapping[str, Candidate]) -> str:
    """Return the proposed config as YAML, with comments on guesses, alternatives and what to add."""
    config = proposed_config(path, grids)
    identity = next(iter(grids.values())).identity
    parts = [
        _as_yaml({"datasets": config["datasets"]}),
        *(f"{line}\n" for line in _as_comment(identity.comment)),
        *(_as_yaml({key: config[key]}) for key in ("friends", "events") if key in config),
        "grids:\n",
    ]
    for name, candidate in grids.items():
        parts += [f"  {name}:\n", *(f"    {line}\n" for line in _grid_lines(candidate))]
    parts += [_as_yaml({key: config[key] for key in ("clusters", "output")})]
    return "".join(parts)


def _grid_lines(candidate: Candidate) -> Iterator[str]:
    """Yield the lines of a grid, each key below the comments on it."""
    for key in (*KEYS, *(key for key in candidate.grid if key not in KEYS)):
        for comment in (text for about, text in candidate.comments if about == key):
            yield from _as_comment(comment)
        if key in candidate.grid:
            yield from _key_lines(key, candidate.grid[key])


def _as_comment(text: str) -> Iterator[str]:
    """Yield the lines of a comment."""
    for line in text.splitlines():
        yield from textwrap.wrap(line, WIDTH, initial_indent="# ", subsequent_indent="#   ")


def _key_lines(key: str, value: Any) -> Iterator[str]:
    """Yield a key of a grid with its value: in one line if it fits, else each key of the value in its own."""
    line = f"{key}: {_in_one_line(value)}"
    if len(line) <= WIDTH or not isinstance(value, dict):
        yield line
        return
    yield f"{key}:"
    for inner, content in value.items():
        yield from (f"  {each}" for each in _key_lines(inner, content))


def _in_one_line(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


def _as_yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True, width=WIDTH)
