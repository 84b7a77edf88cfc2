"""Lists that may be hits though no name says so: numbers of cells, and what is as long or named alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group, channel_stem, group_hits, is_any_id, is_value

ROWS_FIRST = [*dict.fromkeys(role for pair in conventions.PAIRS for role in pair)]


def nameless_values(branches: Iterable[Branch], tree: str) -> Iterator[Group]:
    """Yield lists of ids of cells with the lists beside them that may be energies under names of their own.

    These are the values of the group, the plainest name first; how long the lists are is not known yet.
    """
    collections: dict[str, list[Branch]] = {}
    for branch in branches:
        if len(branch.shape) == 1 and not branch.is_member:
            collections.setdefault(branch.collection, []).append(branch)
    for collection, members in collections.items():
        for channel in members:
            stem = channel_stem(channel.words) if channel.dtype.kind in "iu" else None
            if stem is None or is_any_id(channel.words) or channel.words in ("id", "index", "key"):
                continue
            is_noun = not {*conventions.NOUNS}.isdisjoint(channel.words.split("_"))
            if not is_noun and conventions.likeness(collection, tree) not in ("towers", "cells", "hits"):
                continue
            begin = f"{stem}_" if stem and not collection else ""
            own = [b for b in members if b.dtype.kind in "iuf" and b.words.startswith(begin) and b != channel]
            values = [b for b in own if may_be_energy(b, b.words.removeprefix(begin))]
            values.sort(key=lambda b: (not is_value(b), b.words.count("_")))
            if values:
                modules = tuple(b for b in own if b.dtype.kind in "iu" and conventions.names_module(b.words))
                group = Group(collection, stem, {}, (), values[0], tuple(values[1:]), channel=channel)
                yield group._replace(is_value_guessed=True, integers=modules)


def values_by_any_integer(branches: Iterable[Branch]) -> Iterator[tuple[Branch, Group]]:
    """Yield the only integers beside lists of energies, which may be ids of cells, and the group with these."""
    stems: dict[tuple[str, str], list[Branch]] = {}
    for branch in branches:
        if len(branch.shape) == 1:
            stems.setdefault((branch.collection, branch.words.rpartition("_")[0]), []).append(branch)
    for (collection, stem), members in stems.items():
        values = [b for b in members if b.words.rpartition("_")[2] in conventions.VALUES]
        others = [b for b in members if b.dtype.kind in "iu" and b not in values]
        ids = [b for b in others if conventions.may_number(b.words.removeprefix(f"{stem}_"))]
        if values and len(ids) == 1:
            yield ids[0], Group(collection, stem, {}, (), values[0], tuple(values[1:]), channel=ids[0])


def labelled_hits(lists: Sequence[Branch]) -> Iterator[Group]:
    """Yield hits with integers as row and column, and the only list that may be energies, whatever its name.

    Hits without such a list are counted; of several, only their owner knows which it is.
    """
    values = [each for each in lists if each.dtype.kind == "f" and may_be_energy(each, each.words)]
    for group in group_hits(lists, depth=1) if len(values) < 2 else ():
        are_labels = all(group.places[role].dtype.kind in "iu" for role in group.pair)
        if not group.pair or not are_labels or group.value is not None:
            continue
        others = (each for each in lists if each.dtype.kind in "iu" and each not in group.named)
        numbers = tuple(each for each in others if conventions.may_number(each.words))
        yield group._replace(value=next(iter(values), None), is_value_guessed=True, integers=numbers)


def hits_to_edit(lists: Sequence[Branch]) -> str:
    """Return the key `hits` to start from, with likely row, col and value; empty without two integers."""
    values = [each for each in lists if may_be_energy(each, each.words)]
    values.sort(key=lambda each: not is_value(each))
    whole = [each for each in lists if each.dtype.kind in "iu" and each not in values]
    numbers = [each for each in whole if conventions.may_number(each.words)]
    if len(numbers) < 2:
        return ""
    numbers.sort(key=_place_in_pair)
    row, col = (each.config_name for each in numbers[:2])
    value = values[0].config_name if values else 1
    return f"hits: {{row: {row}, col: {col}, value: {value}}}"


def _place_in_pair(branch: Branch) -> int:
    """Return the key by which integers are sorted: rows, columns, others."""
    place = conventions.place_of(branch.words, is_whole=True)
    return ROWS_FIRST.index(place.role) if place and place.role in ROWS_FIRST else len(ROWS_FIRST)


def may_be_energy(branch: Branch, words: str) -> bool:
    """Return whether the numbers of cells may be energies by their name; integers need a word for that."""
    without_numbers = re.sub(r"(?<=[a-z])\d+(?=_|$)", "", words)  # tdc1
    is_beside = any(conventions.BESIDE.search(each) for each in (words, without_numbers))
    if is_beside or conventions.place_of(words) is not None:
        return False
    return is_value(branch) or (branch.dtype.kind == "f" and conventions.may_measure(words))
