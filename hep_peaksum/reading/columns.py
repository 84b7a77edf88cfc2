"""Columns of events: how branches are read, of which type they are, and which of them identify an event.

Branches are read through the events that coffea hands over (virtual arrays: a column is read when it is used);
those of friends through the same open file; those of grids from the file directly, basket by basket.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot

from hep_peaksum.events.section import IDENTITY, Identifier, is_in_range
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.inputs.branch_names import full_name, split_branch
from hep_peaksum.kernels import Array
from hep_peaksum.reading.basket_limit import check_clusters
from hep_peaksum.reading.files import check_readable, is_readable, nano_events, open_tree
from hep_peaksum.reading.provenance import (
    first_entry,
    is_chunk,
    is_preloaded,
    log_access,
    metadata_of,
    open_file_of,
)
from hep_peaksum.suggestions import did_you_mean, listed

# What to do about a friend of another length.
EQUAL_ENTRIES = "the entries of a friend are those of the events, name another tree of the file"


def column(events: ak.Array, name: str, friends: Mapping[str, str]) -> ak.Array:
    """Return a branch of the events or, named ``friend:branch``, of another tree of the same file.

    Parameters
    ----------
    events
        Events of coffea, or any array of records, shape (event,).
    name
        A field of the schema (``L1CaloTower/iet``, ``Tower.ET``), where the branches around it may be left out
        (``iet``); a property that the schema gives its objects (``Hits.position.eta``); or ``friend:branch``.
    friends
        The tree of each friend.

    Raises
    ------
    ValueError
        If there is no such branch; the message suggests the nearest name and lists those that exist. Or if it
        is that of a friend, and the events are not a chunk of a file.
    """
    alias, branch = split_branch(name)
    if alias in friends:
        return _friend_column(events, branch, friends[alias])
    name = name if alias else branch
    if (full := full_name(name, events.fields)) in events.fields:
        return events[full]
    values, path = events, ""
    for part in name.split("."):
        if part not in values.fields:
            if _is_property(values, part):
                values, path = getattr(values, part), f"{path}.{part}"
                continue
            _check_readable(events, name)
            names = [f"{path}.{field}".lstrip(".") for field in values.fields]
            spelt = next((field for field in values.fields if field.lower() == part.lower()), "")
            near = [name.replace(part, spelt, 1)] if spelt else list(_members(values, name))
            meant = did_you_mean(name, near) if near else _branch_meant(name, names)
            msg = f"no branch {name!r}{meant}; there are {listed(names, near=name)}"
            raise ValueError(msg)
        values, path = values[part], f"{path}.{part}".lstrip(".")
    return values


def _members(values: ak.Array, name: str) -> Iterator[str]:
    """Yield the field of a record that is meant by a name in which an underscore joins them.

    A schema of coffea makes such records of the branches Jet_pt and Jet_eta.
    """
    for joint in re.finditer("_", name):
        record, member = name[: joint.start()], name[joint.end() :]
        if record in values.fields:
            same = (each for each in values[record].fields if each.lower() == member.lower())
            yield from (f"{record}.{each}" for each in same)


def _branch_meant(name: str, names: Sequence[str]) -> str:
    """Return what was meant by a name that no branch has: several branches, an expression, a name like it."""
    if "," in name:
        return f": for several branches write a list, [{name}]"
    if "*" in name and (matching := fnmatch.filter(names, name)):
        return f": write a list of names, a pattern is none: [{listed(matching)}]"
    if re.fullmatch(r"[\d.\s*/+()-]+", name):
        return ": it is an expression of numbers: write the number that it makes"
    first, *others = re.split(r"\s*[*/+-]\s*", name)
    if others and (first in names or re.fullmatch(r"[\d.]+", first)):
        return ": it is an expression, and a branch is expected: write a function, module:function"
    return did_you_mean(name, names)


def _is_property(values: ak.Array, name: str) -> bool:
    """Return whether the schema gives its objects a property of that name, such as eta of a position."""
    return not hasattr(ak.Array, name) and isinstance(getattr(type(values), name, None), property)


def _check_readable(events: ak.Array, name: str) -> None:
    """Raise a ValueError if the file behind events has a branch of that name that uproot cannot read."""
    file = open_file_of(events)
    if isinstance(file, uproot.ReadOnlyDirectory):
        check_readable(file[metadata_of(events)["treename"]], name)


def _friend_column(events: ak.Array, branch: str, tree_name: str) -> ak.Array:
    metadata, file = metadata_of(events), open_file_of(events)
    if file is None or (len(events) and not is_chunk(events)):
        msg = f"friend {tree_name!r} is read from the file of the events: pass a chunk as coffea made it"
        raise ValueError(msg)
    start, stop = (metadata["entrystart"], metadata["entrystop"]) if is_chunk(events) else (0, 0)
    tree = open_tree(file, metadata["filename"], tree_name)
    check_clusters(tree, start, stop)
    names = tree.keys()
    if (branch := full_name(branch, names)) not in names:
        near = did_you_mean(branch, names)
        msg = f"friend {tree_name!r} has no branch {branch!r}{near}; there are {listed(names, near=branch)}"
        raise ValueError(msg)
    check_readable(tree, branch)
    n_friend, n_main = int(tree.num_entries), int(file[metadata["treename"]].num_entries)
    if n_friend != n_main:
        main = metadata["treename"]
        msg = f"friend {tree_name!r} has {n_friend} entries, {main!r} has {n_main}: {EQUAL_ENTRIES}"
        raise ValueError(msg)
    if is_chunk(events):
        log_access(events, branch, tree_name)
    return tree[branch].array(entry_start=start, entry_stop=stop)


def check_baskets(events: ak.Array) -> None:
    """Raise a LargeBasketError if the events lie in a cluster that claims more than ``run.max_basket``."""
    file, metadata = open_file_of(events), metadata_of(events)
    if isinstance(file, uproot.ReadOnlyDirectory):
        check_clusters(file[metadata["treename"]], metadata["entrystart"], metadata["entrystop"])


@dataclass(frozen=True)
class LazyBranch:
    """A branch that is read from the file slice by slice; slices count from the entry `first` of its tree."""

    branch: Any
    first: int

    def __getitem__(self, events: slice) -> ak.Array | Array:
        interpretation = getattr(self.branch, "interpretation", None)  # an RNTuple's field has none
        dtype = getattr(interpretation, "to_dtype", None)
        is_plain = isinstance(interpretation, uproot.AsDtype) and dtype is not None and dtype.names is None
        return self.branch.array(
            entry_start=self.first + events.start,
            entry_stop=self.first + events.stop,
            library="np" if is_plain else "ak",
            array_cache=None,  # every slice is read once
        )

    @property
    def boundaries(self) -> set[int]:
        """The entries of the tree at which a basket (TTree) or a cluster (RNTuple) begins."""
        if isinstance(self.branch, uproot.behaviors.TBranch.TBranch):
            return set(self.branch.entry_offsets)
        return {int(cluster.num_first_entry) for cluster in self.branch.ntuple.cluster_summaries}


def cast_values(values: ak.Array, primitive: str | None) -> ak.Array:
    """Return the numbers of an array in another type, or as they are."""
    return values if primitive is None else ak.values_astype(values, primitive)


class BranchType(NamedTuple):
    """The type of a branch: how many lists its numbers lie in, and what the numbers are (``"float32"``)."""

    depth: int
    primitive: str


def branch_types(
    file: Any,
    path: str,
    tree: str,
    branches: Iterable[str],
    friends: Mapping[str, str],
    *,
    schema: str,
    known: MutableMapping[Any, Any] | None = None,
) -> dict[str, BranchType]:
    """Return the types of branches in an open file; those that are missing, or no numbers, are left out.

    `known` holds the types of members of C++ classes in files read before, and gets those of this file.

    Raises
    ------
    ValueError
        If the tree of a friend does not have as many entries as the main tree.
    """
    main, events, types = open_tree(file, path, tree), None, {}
    for name in branches:
        alias, branch = split_branch(name)
        is_friend = alias in friends
        source = open_tree(file, path, friends[alias]) if is_friend else main
        if is_friend and int(source.num_entries) != int(main.num_entries):
            n_friend, n_main = int(source.num_entries), int(main.num_entries)
            msg = f"friend {friends[alias]!r} has {n_friend} entries, {tree!r} has {n_main}: {EQUAL_ENTRIES}"
            raise ValueError(msg)
        names = source.keys() if schema == "base" else ()
        key = full_name(branch if is_friend or not alias else name, names)
        if key in names:
            kind = _branch_type(source[key], key, {} if known is None else known)
        elif schema == "base" and "." not in key:
            continue
        else:
            events = nano_events(file, path, tree, 0, 0, schema=schema) if events is None else events
            try:
                kind = column(events, name, friends).type.content
            except ValueError:
                continue
        depth = 0
        while hasattr(kind, "content"):
            kind, depth = kind.content, depth + 1
        if isinstance(kind, ak.types.NumpyType):
            types[name] = BranchType(depth, kind.primitive)
    return types


# What decides on the type of a branch that is a member of a C++ class; the checksum is that of the class.
PLACE_IN_CLASS = (
    *("fTitle", "fClassName", "fParentName", "fClonesName"),
    *("fCheckSum", "fClassVersion", "fID", "fType", "fStreamerType"),
)


def _branch_type(branch: Any, key: str, known: MutableMapping[Any, Any]) -> Any:
    """Return the awkward type of an entry of a branch, or of a field of an RNTuple."""
    if not isinstance(branch, uproot.behaviors.TBranch.TBranch):
        if "." in key:  # the form of an inner field includes the fields around it
            return branch.array(entry_start=0, entry_stop=0).type.content
        return branch.to_akform()[0].contents[0].type  # the first read of an RNTuple would take 50 ms
    if not branch.member("fCheckSum", none_if_missing=True):
        return _interpreted_type(branch)
    # uproot parses the description of every class in the file to interpret a member of one: 14 ms for CMS files
    member = (key, *(str(branch.member(each)) for each in PLACE_IN_CLASS))
    if member not in known:
        known[member] = _interpreted_type(branch)
    return known[member]


def _interpreted_type(branch: Any) -> Any:
    return branch.interpretation.awkward_form(None).type if is_readable(branch) else None


def lazy_column(events: ak.Array, name: str, friends: Mapping[str, str]) -> ak.Array | LazyBranch:
    """Return a column as a branch of the file where the schema leaves it as it is, else as a virtual array."""
    values = column(events, name, friends)
    name = full_name(name.removeprefix(":"), events.fields)
    file = open_file_of(events)
    if name not in events.fields or not isinstance(file, uproot.ReadOnlyDirectory) or not is_chunk(events):
        return values
    metadata = metadata_of(events)
    tree = file[metadata["treename"]]
    if name not in tree.keys() or is_preloaded(events, name):  # noqa: SIM118 -- a tree is not a dict
        return values
    log_access(events, name, metadata["treename"])
    return LazyBranch(tree[name], metadata["entrystart"])


def event_identity(
    events: ak.Array, branches: Mapping[Any, Identifier], friends: Mapping[str, str], numbers: tuple[int, int]
) -> dict[str, Array]:
    """Return run, luminosityBlock and event of every event.

    Parameters
    ----------
    events, friends
        As for `column`.
    branches
        The branch of each of the three, or its number, or where in the name of the file that is. If empty,
        they are the branches of these names if the tree has all three, as integers, else the numbers of the
        dataset and the file, and the entry (of events that are not a chunk of a file: their index).
    numbers
        The numbers of the dataset and of the file.

    Raises
    ------
    EventError
        If a value does not fit into NanoAOD's type for it.
    """
    if is_identified(events, branches):
        branches = branches or {name: name for name in IDENTITY}
        return {key: identifier(events, key, source, friends) for key, source in branches.items()}
    entry = first_entry(events) + np.arange(len(events))
    values = (*(np.full(len(events), number) for number in numbers), entry)
    return {key: value.astype(dtype) for (key, dtype), value in zip(IDENTITY.items(), values, strict=True)}


def is_identified(events: ak.Array, branches: Mapping[Any, Identifier]) -> bool:
    """Return whether `event_identity` takes the numbers of events from branches, or as they are given."""
    return bool(branches) or all(name in events.fields and _is_integer(events[name]) for name in IDENTITY)


def _is_integer(values: ak.Array) -> bool:
    """Return whether a column has one integer for every event; it is not read for that."""
    kind = values.type.content
    return isinstance(kind, ak.types.NumpyType) and np.dtype(kind.primitive).kind in "iu"


def has_identity(types: Mapping[str, Sequence[Any]]) -> bool:
    """Return whether the types of a file's branches are those of an identity (see `event_identity`)."""
    return all(
        word in types and types[word][0] == 0 and np.dtype(types[word][1]).kind in "iu" for word in IDENTITY
    )


def identifier(events: ak.Array, key: str, source: Identifier, friends: Mapping[str, str]) -> Array:
    """Return one column of `event_identity` in NanoAOD's type."""
    dtype = IDENTITY[key]
    if isinstance(source, str):
        return _castidentifier(key, identifying_column(events, key, source, friends), source)
    if isinstance(source, int):
        return np.full(len(events), source, dtype)
    path = metadata_of(events).get("filename")
    if path is None:
        msg = f"identify {key}: the events are not from a file with a number in its name: name a branch"
        raise ValueError(msg)
    try:
        number = source.of(path)
    except ValueError as error:
        msg = f"identify {key}: {error}"
        raise ValueError(msg) from None
    if number > np.iinfo(dtype).max:
        msg = f"identify {key}: {number}, in the name of the file, does not fit into {dtype}"
        raise ValueError(msg)
    return np.full(len(events), number, dtype)


def identifying_column(events: ak.Array, key: str, source: str, friends: Mapping[str, str]) -> ak.Array:
    """Return the branch that identifies events; if it is missing because nobody named it, the error says so."""
    try:
        return column(events, source, friends)
    except ValueError as error:
        if source != key:
            raise
        msg = f"{error}: name the branch of {key}, or give a number, as in {{{key}: 1}}"
        raise ValueError(msg) from None


def _castidentifier(key: str, values: ak.Array, branch: str) -> Array:
    """Return numbers in NanoAOD's type: one an event, or a list of one."""
    dtype = IDENTITY[key]
    if values.ndim == 2:
        n_values = ak.to_numpy(ak.num(values))
        if not (n_values == 1).all():
            event = int(np.argmin(n_values == 1))
            msg = f"identify {key}: the branch {branch!r} holds {n_values[event]} values, expected one number"
            raise EventError(event, msg)
        values = ak.flatten(values)
    if values.ndim != 1:
        msg = f"identify {key}: the branch {branch!r} has several values per entry, expected one number"
        raise ValueError(msg)
    numbers = np.asarray(values)
    with np.errstate(invalid="ignore"):
        converted = numbers.astype(dtype)
    is_same = is_in_range(key, numbers) & (converted == numbers)
    if not is_same.all():
        event = int(np.argmin(is_same))
        msg = f"identify {key}: {branch!r} holds {numbers[event]}, which does not fit into {np.dtype(dtype)}"
        msg += f": name a branch with whole numbers from 0 to {np.iinfo(dtype).max}"
        raise EventError(event, msg)
    return converted
