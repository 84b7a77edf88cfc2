"""The branches that say which event an entry is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.geometry.jagged import flat_numbers
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree, read

FRIEND = "info"  # what the tree with run and event is called, where it is not that of the cells
RUN_IN_NAME = r"[Rr]un[_-]?(\d+)"


class Identity(NamedTuple):
    """What identifies events: the sections `identify` and `friends` of a config, and a comment on them."""

    numbers: Mapping[str, str | int | dict[str, str]] = {}
    friends: Mapping[str, str] = {}
    comment: str = ""


def identity_of(
    tree: Tree, branches: Sequence[Branch], trees: Sequence[tuple[Tree, Sequence[Branch]]], path: str
) -> Identity:
    """Return what identifies the events of a tree: its branches, those of another tree, or the file's name.

    Without run and event there is a comment at most, as numbers of all files must be different.
    """
    if (numbers := find_identity(tree, branches)) or {"run", "luminosityBlock", "event"} <= tree.names:
        return Identity(numbers)
    for other, of_other in trees:
        found = find_identity(other, of_other) if other.n_entries == tree.n_entries > 1 else {}
        if found and other.name != tree.name:
            there = {
                word: f"{FRIEND}:{name}" if isinstance(name, str) else name for word, name in found.items()
            }
            text = f"guessed that the entries of {other.name} are those of {tree.name}, one by one"
            return Identity(there, {FRIEND: other.name}, text)
    event = next((each for each in _named(branches, conventions.EVENTS) if _is_unique(tree, [each])), None)
    if event is None or _named(branches, conventions.RUNS):
        return Identity()
    numbers = {"run": 1, "luminosityBlock": 1, "event": event.config_name}
    name = re.split(r"[/\\]", path)[-1]
    if re.search(RUN_IN_NAME, name):
        text = f"the run is guessed to be the number in the name of the file, {name}"
        return Identity({**numbers, "run": {"filename": RUN_IN_NAME}}, comment=text)
    text = "no branch numbers runs, so events are numbered by file and entry; "
    text += f"if {event.config_name} differs in all files:\n"
    text += f"events: {{identify: {{run: 1, luminosityBlock: 1, event: {event.config_name}}}}}"
    return Identity(comment=text + _run_elsewhere(trees))


def _run_elsewhere(trees: Sequence[tuple[Tree, Sequence[Branch]]]) -> str:
    """Return a line on the run of a file that another tree has in its only entry."""
    for tree, branches in trees:
        for run in _named(branches, conventions.RUNS) if tree.n_entries == 1 else ():
            values = read(tree.content, [run])
            if values is not None and len(numbers := flat_numbers(values[0])) == 1:
                return f"\nthe run is {numbers[0]} ({run.name} of tree {tree.name}), if all files are of it"
    return ""


def _named(branches: Sequence[Branch], words: Sequence[str]) -> list[Branch]:
    """Return the integers with some words as names, in the order of the words."""
    named = [each for each in branches if each.dtype.kind in "iu" and not each.shape and each.words in words]
    return sorted(named, key=lambda each: words.index(each.words))


def find_identity(tree: Tree, branches: Sequence[Branch]) -> dict[str, str | int]:
    """Return the branches that number run and event, for `identify`; empty for none or for the usual names.

    They are numbers, or lists of one as in podio's EventHeader, and differ from event to event.
    """
    headers: dict[str, list[Branch]] = {}
    for branch in branches:
        if branch.dtype.kind in "iu" and len(branch.shape) <= 1:
            headers.setdefault(branch.collection, []).append(branch)
    everywhere = [branch for members in headers.values() for branch in members]
    for members in (*headers.values(), everywhere):  # run and event may be in headers of their own
        by_words = {branch.words: branch for branch in reversed(members)}
        run, event, block = (
            next((by_words[word] for word in wanted if word in by_words), None)
            for wanted in (conventions.RUNS, conventions.EVENTS, conventions.BLOCKS)
        )
        if run is None or event is None:
            continue
        found = [branch for branch in (run, event, block) if branch is not None]
        if [branch.name for branch in found] == ["run", "event", "luminosityBlock"]:
            return {}
        if _is_unique(tree, found):
            block_name = 1 if block is None else block.config_name
            return {"run": run.config_name, "luminosityBlock": block_name, "event": event.config_name}
    return {}


def _is_unique(tree: Tree, branches: Sequence[Branch]) -> bool:
    """Return whether entries have one number of each branch, not below 0, and no two entries have the same."""
    arrays = read(tree.content, branches)
    if arrays is None or any(values.ndim > 1 and ak.any(ak.num(values) != 1) for values in arrays):
        return False
    numbers = np.stack([flat_numbers(values).astype(np.int64) for values in arrays], axis=1)
    return len(numbers) > 0 and numbers.min() >= 0 and len(np.unique(numbers, axis=0)) == len(numbers)
