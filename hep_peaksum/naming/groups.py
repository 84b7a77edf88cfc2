"""Branches that belong together: coordinates, energy, layer and id of the same hits."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch


class Group(NamedTuple):
    """The branches of some hits by their meaning; None for those that are missing.

    `places` are by role (see `conventions.ROLES`), `pair` are the two of them that become rows and columns;
    both are empty if hits have only a channel.
    """

    collection: str
    stem: str
    places: Mapping[str, Branch]
    pair: tuple[str, ...]
    value: Branch | None
    other_values: tuple[Branch, ...] = ()
    layer: Branch | None = None
    section: Branch | None = None
    channel: Branch | None = None
    noise: Branch | None = None
    edges: Branch | None = None
    integers: tuple[Branch, ...] = ()  # that may number modules or cells
    is_value_guessed: bool = False  # as no name says which is the energy

    @property
    def name(self) -> str:
        """What the hits are called."""
        return "_".join(part for part in (self.collection, self.stem) if part)

    @property
    def named(self) -> tuple[Branch, ...]:
        """The branches whose names say what they are."""
        named = (self.value, self.layer, self.section, self.channel, self.noise, self.edges, *self.other_values)
        return (*self.places.values(), *(each for each in named if each is not None))

    @property
    def branches(self) -> tuple[Branch, ...]:
        """All branches that a grid of these hits may use."""
        return (*self.named, *self.integers)

    @property
    def optional(self) -> tuple[Branch, ...]:
        """The branches that may be those of something else: integers, and other energies."""
        return (*self.integers, *self.other_values)

    def without(self, branches: Sequence[Branch]) -> Group:
        """Return the hits without some of the optional branches."""
        integers, values = (
            tuple(each for each in some if each not in branches) for some in (self.integers, self.other_values)
        )
        return self._replace(integers=integers, other_values=values)


class _Named:
    """Branches of one collection, which are found by their words."""

    def __init__(self, branches: Sequence[Branch]) -> None:
        self.branches = branches
        self.by_words = {branch.words.replace("_", ""): branch for branch in reversed(branches)}
        self.has_collection = bool(branches and branches[0].collection)

    def partners(self, stem: str, wanted: Sequence[str], taken: Container[str]) -> list[Branch]:
        """Return the branches of the same hits that are one of some words, in the order of the conventions.

        Branches of which the names are `taken` are something else.
        """
        joined, plain = stem.replace("_", ""), [word.replace("_", "") for word in wanted]
        found = [self.by_words[joined + word] for word in plain if joined + word in self.by_words]
        if not found and (self.has_collection or not stem):
            found = [self.by_words[word] for word in plain if word in self.by_words]
        if not found and self.has_collection:
            ends = [(word, b) for word in wanted for b in self.branches if b.words.endswith(f"_{word}")]
            ends.sort(key=lambda end: (wanted.index(end[0]), len(end[1].words)))
            found = [branch for _, branch in ends]
        return [branch for branch in dict.fromkeys(found) if branch.name not in taken]


class _Members:
    """The branches of one collection, sorted once by what they may be for all of its hits."""

    def __init__(self, branches: Sequence[Branch], depth: int) -> None:
        self.plain = [branch for branch in branches if len(branch.shape) == depth]
        self.numbers = _Named([branch for branch in self.plain if branch.dtype.kind != "b"])
        self.whole = _Named([branch for branch in self.plain if branch.dtype.kind in "iu"])
        self.flags = _Named([branch for branch in self.plain if branch.dtype.kind in "biu"])
        self.are_arrays = any(branch.shape and None not in branch.shape for branch in self.plain)
        edges = (branch for branch in branches if branch.words == "edges" and branch.shape[-1:] == (4,))
        self.edges = next(edges, None)


def group_hits(branches: Iterable[Branch], depth: int) -> list[Group]:
    """Return the groups of branches that may be hits.

    `depth` is 1 for branches with a list per entry, and 0 for those of trees with one hit per entry.
    """
    collections: dict[tuple[str, Any], list[Branch]] = {}  # arrays of one fixed length belong together, too
    for branch in branches:
        if len(branch.shape) == depth or branch.words == "edges":
            collections.setdefault((branch.collection, branch.shape[:depth]), []).append(branch)
    return [
        group
        for (name, _), members in collections.items()
        for group in _groups_of(name, _Members(_detectors_first(members), depth))
    ]


def _detectors_first(branches: Sequence[Branch]) -> list[Branch]:
    """Return branches with the detector that ends their names in front, so that hit_row_fcal is fcal_hit_row.

    Only names that say no coordinate as they are change, if two of them are rows and columns then.
    """
    words = {b: b.words for b in branches if conventions.place_of(b.words, is_whole=_names_cells(b)) is None}
    for detector in dict.fromkeys(each.rpartition("_")[2] for each in words.values()):
        if conventions.likeness(detector) not in ("towers", "cells", "hits"):
            continue
        rest = {b: _without_detector(each, detector) for b, each in words.items()}
        places = (conventions.place_of(each, is_whole=_names_cells(b)) for b, each in rest.items() if each)
        roles = {place.role for place in places if place is not None}
        if any(set(pair) <= roles for pair in conventions.PAIRS):
            words |= {b: f"{detector}_{each}" for b, each in rest.items() if each}
    return [b._replace(words=words.get(b, b.words)) for b in branches]


def _without_detector(words: str, detector: str) -> str:
    """Return what stands before the detector that ends a name, or an empty text.

    >>> _without_detector("hit_row_fcal", "fcal"), _without_detector("hit_efcal", "fcal")
    ('hit_row', 'hit_e')
    >>> _without_detector("nfcal", "fcal"), _without_detector("fcal_e", "fcal")
    ('', '')
    """
    rest = words.removesuffix(detector)
    is_energy = rest.rpartition("_")[2] in conventions.VALUES
    return rest.rstrip("_") if rest != words and (rest.endswith("_") or is_energy) else ""


def _groups_of(collection: str, members: _Members) -> list[Group]:
    groups = _placed_groups(collection, members) or _groups_of_bars(collection, members)
    groups = [group for group in groups if not conventions.is_of_module(group.stem)] or groups
    placed = {branch for group in groups if group.value is not None for branch in group.named}
    if not groups or (not collection and any(branch not in placed for branch in members.plain)):
        groups += [group for group in _channel_groups(collection, members) if placed.isdisjoint(group.named)]
    of_steps = (_placed_groups(collection, members, step) for step in ("post", "pre"))
    return groups or next((found for found in of_steps if found), [])


def _placed_groups(collection: str, members: _Members, step: str = "") -> list[Group]:
    """Return the hits of a collection that say where they are, also by the end, or the start, of their step."""
    places: dict[str, dict[str, Branch]] = {}
    in_one_word = conventions.places_in_one_word({branch.words for branch in members.plain})
    for branch in members.plain:
        words = re.sub(rf"(^|_){step}_", r"\1", branch.words) if step else branch.words
        place = conventions.place_of(words, is_whole=_names_cells(branch)) or in_one_word.get(words)
        if place is not None:
            places.setdefault(place.stem, {}).setdefault(place.role, branch)
    groups = []
    for stem, named in places.items():
        roles = _as_numbers_of_cells(named)
        pair = next((pair for pair in conventions.PAIRS if set(pair) <= set(roles)), ())
        if pair:
            group = Group(collection, stem, roles, pair, value=None)
            groups.append(_with_partners(group, members, {branch.name for branch in roles.values()}))
    return groups


def _as_numbers_of_cells(places: Mapping[str, Branch]) -> dict[str, Branch]:
    """Return places with integers y and z, or x and z, as numbers of cells (iy, iz) if the third is missing."""
    across = {role: each for role, each in places.items() if role in ("x", "y", "z")}
    are_numbers = len(across) == 2 and "z" in across and all(e.dtype.kind in "iu" for e in across.values())
    return {f"i{role}" if are_numbers and role in across else role: each for role, each in places.items()}


def _groups_of_bars(collection: str, members: _Members) -> list[Group]:
    """Return hits that say a plane and a bar, which lie beside each other in it: these are rows and columns."""
    groups = []
    for branch in members.whole.branches:
        word = next((word for word in conventions.PLANES if re.search(rf"(^|_){word}$", branch.words)), None)
        if word is None:
            continue
        stem = branch.words.removesuffix(word).rstrip("_")
        bar = next(iter(members.whole.partners(stem, conventions.BARS, {branch.name})), None)
        if bar is not None:
            group = Group(collection, stem, {"plane": branch, "bar": bar}, ("plane", "bar"), value=None)
            groups.append(_with_partners(group, members, {branch.name, bar.name}))
    return [group for group in groups if group.value is not None]


def _names_cells(branch: Branch) -> bool:
    """Return whether the numbers of a branch are integers, or labels by the name, as in emcTowiEta."""
    leaf = branch.name.rpartition("/")[2]
    return branch.dtype.kind in "iu" or bool(conventions.CAMEL_LABEL.fullmatch(leaf))


def _with_partners(group: Group, members: _Members, taken: Container[str]) -> Group:
    """Return hits with the branches that belong to their places, of those whose names are not `taken`."""
    collection, stem = group.collection, group.stem

    def first(kind: _Named, wanted: Sequence[str]) -> Branch | None:
        return next(iter(kind.partners(stem, wanted, taken)), None)

    values = members.numbers.partners(stem, conventions.VALUES, taken)
    if not values:  # edepCell of cellID, pixelToT of pixel_x
        pairs = itertools.product(conventions.VALUES, conventions.NOUNS)
        of_nouns = [name for word, noun in pairs for name in (f"{word}_{noun}", f"{noun}_{word}")]
        values = members.numbers.partners(stem, of_nouns, taken)
    if not values and not collection:  # padRow, padCol and ADC
        values = members.numbers.partners("", conventions.VALUES, taken)[:1]
    if not values and members.are_arrays:  # energy_EB with ieta and iphi
        values = [b for b in members.numbers.branches if b.name not in taken and is_value(b)]
    unnamed = _unnamed_values(group, members, taken) if not values and stem else []
    values = values or unnamed
    values += [b for b in _calibrated(group, members, taken) if values and b not in values]
    group = group._replace(
        is_value_guessed=bool(unnamed),
        value=values[0] if values else None,
        other_values=tuple(values[1:]),
        layer=first(members.whole, conventions.LAYERS)
        or first(members.numbers, conventions.LAYERS)
        or _depth_of(group),
        section=first(members.whole, conventions.SECTIONS),
        channel=first(members.whole, conventions.CHANNELS),
        noise=first(members.flags, ("isnoise", "is_noise")),
        edges=members.edges,
    )
    named = {branch.name for branch in group.named}
    whole = [b for b in members.whole.branches if b.name not in taken and b.name not in named]
    own = [b for b in whole if b.is_of(collection, stem)]
    if not collection and not stem:  # slot, channel and adc
        own = [b for b in whole if conventions.names_module(b.words)]
    integers = [b for b in own if conventions.may_number(b.words.removeprefix(f"{stem}_"))]
    return group._replace(integers=tuple(integers))


def _depth_of(group: Group) -> Branch | None:
    """Return the number of a cell that is neither row nor column: zCell of xCell and yCell."""
    others = (role for role in conventions.DEPTHS if role not in group.pair)
    return next((group.places[role] for role in others if role in group.places), None)


def _unnamed_values(group: Group, members: _Members, taken: Container[str]) -> list[Branch]:
    """Return the numbers beside the labels of cells that may be energies under names of their own."""
    if not set(group.pair) <= {*conventions.LABELS} or not group.pair:
        return []
    floats = [b for b in members.numbers.branches if b.dtype.kind == "f" and b.name not in taken]
    own = [b for b in floats if b.is_of(group.collection, group.stem) and conventions.place_of(b.words) is None]
    words = [b.words.removeprefix(f"{group.stem}_") for b in own]
    return [b for b, word in zip(own, words, strict=True) if conventions.may_measure(word)]


def _calibrated(group: Group, members: _Members, taken: Container[str]) -> list[Branch]:
    """Return the numbers of hits whose names end in a word for an energy, as TT_cpET does beside TT_adc."""
    ends = (b for b in members.numbers.branches if b.words.rpartition("_")[2] in conventions.VALUES)
    own = (b for b in ends if b.is_of(group.collection, group.stem) and b.name not in taken)
    words = ((b, b.words.removeprefix(f"{group.stem}_")) for b in own)
    return [b for b, word in words if conventions.may_measure(word) and not conventions.BESIDE.search(word)]


def _channel_groups(collection: str, members: _Members) -> Iterable[Group]:
    """Yield the hits of a collection that say no more than a channel and a value."""
    for channel in members.whole.branches:
        stem = channel_stem(channel.words)
        if stem is None:
            continue
        group = _with_partners(Group(collection, stem, {}, (), value=None), members, {channel.name})
        if group.value is None:  # module_id and module_energy
            stem = channel.words.rpartition("_")[0]
            group = _with_partners(Group(collection, stem, {}, (), value=None), members, {channel.name})
        if group.value is None or (is_any_id(channel.words) and not group.value.words.startswith(f"{stem}_")):
            continue
        is_energy = not group.value.words.endswith(("weight", "pt"))
        if is_energy and conventions.likeness(group.name) in ("towers", "cells", "hits", "others"):
            yield group._replace(channel=channel)


def is_value(branch: Branch) -> bool:
    """Return whether a word of the name says an energy."""
    return any(word.rstrip("0123456789") in conventions.VALUES for word in branch.words.split("_"))  # adc1


def is_any_id(words: str) -> bool:
    """Return whether a word is the id of anything, as track_id is, and that of a cell only beside its energy.

    >>> is_any_id("hit_id"), is_any_id("hit_cell_id"), is_any_id("id")
    (True, False, False)
    """
    ends = (word for word in conventions.CHANNELS if word != "id" and words.endswith(word))
    return words.endswith("_id") and not any(ends)


def channel_stem(words: str) -> str | None:
    """Return what stands before the word for a channel, or None.

    >>> channel_stem("hit_channel"), channel_stem("cell_id"), channel_stem("hit_id"), channel_stem("hit")
    ('hit', '', 'hit', None)
    """
    if words in conventions.CHANNELS:
        return ""
    ends = [word for word in conventions.CHANNELS if words.endswith(f"_{word}")]
    return words.removesuffix(f"_{max(ends, key=len)}") if ends else None
