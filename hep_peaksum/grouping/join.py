"""Two collections of a tree, linked by an index, written anew as one: energies here, positions there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.grouping.links import Links, first_links, follow, follow_further
from hep_peaksum.grouping.tables import (
    Kind,
    check_names,
    check_output,
    choose,
    event_columns,
    find_branch,
    is_pattern,
    last_part,
    word,
)
from hep_peaksum.inputs.paths import InputFile, public_path
from hep_peaksum.reading.columns import BranchType, branch_types
from hep_peaksum.reading.files import count_entries, one_line_errors, open_file, open_tree
from hep_peaksum.results.parquet import Columns
from hep_peaksum.results.root_files import write_events


@dataclass
class Joined:
    """What was written.

    Attributes
    ----------
    n_events, n_elements, n_joined
        The entries, the elements of the first collection, and those of them that were written: with a link.
    n_several
        Elements with several links; what the first points to was joined.
    columns
        The branch of the input that every branch of the output comes from.
    """

    columns: Mapping[str, str]
    n_events: int = 0
    n_elements: int = 0
    n_joined: int = 0
    n_several: int = 0


def join_collections(
    source: InputFile,
    output: Path,
    chain: Sequence[str],
    *,
    branches: Sequence[str] = (),
    collection: str = "",
    kind: Kind = "ttree",
    overwrite: bool = False,
) -> Joined:
    """Write a tree `Events` in which a collection has branches of another one, to which its elements point.

    Parameters
    ----------
    source
        A ROOT file and its tree, with one entry per event.
    output
        The file to write. It appears when it is complete.
    chain
        A branch of indices of the first collection, any further branches of indices, and the collection that
        the last of them points into: ``["EFlowPhoton.hits_begin", "EFlowPhoton#1.index", "CalorimeterHits"]``.
        Where `X_begin` comes with an `X_end`, it is podio's relation to several, of which the first is taken.
    branches
        Names or patterns of the branches to write: of both collections, and numbers of the event, also lists
        of exactly one number (EDM4hep's `EventHeader`). By default all numbers of either collection.
    collection
        The first word of the names of what is written; by default the name of the first collection.
    kind
        Whether a TTree or an RNTuple is written.
    overwrite
        Replace a file that exists.

    Raises
    ------
    ValueError
        If `output` exists, a branch is missing, two would have the same name, a link points beyond the last
        element, or the links point into several collections.
    OSError
        If the file cannot be read, or the output not written.
    """
    check_output(source.path, output, overwrite=overwrite)
    with open_file(source.path) as file:
        plan = _plan(file, source, chain, branches)
        collection = collection or word(plan.names.own)
        columns = check_names(
            [
                *((word(name), name) for name in plan.numbers),
                *((f"{collection}_{short}", name) for name, short in plan.fields()),
            ]
        )
        joined = Joined(columns)
        write_events(_batches(plan, joined, collection, kind), output, kind)
    return joined


@dataclass(frozen=True)
class _Names:
    """The branches of a tree, and the two collections that are joined."""

    where: str
    all: Sequence[str]
    types: Mapping[str, BranchType]
    own: str
    target: str

    def members(self, collection: str) -> list[str]:
        """Return the branches of a collection that hold one number for each of its elements."""
        lists = [name for name in self.all if name in self.types and self.types[name].depth == 1]
        for separator in "._":  # `Photon.energy` is a member of `Photon`, podio's `Photon_0` is not
            if found := [name for name in lists if last_part(name).startswith(collection + separator)]:
                return found
        return []

    def chosen(self, patterns: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the branches of the collections, and of the events, that are to be written.

        Raises
        ------
        ValueError
            If one of them is missing, or is named and holds no numbers.
        """
        members = [*self.members(self.own), *self.members(self.target)]
        if not patterns:
            return members, []
        chosen = choose(patterns, self.all, self.where)
        named = [find_branch(n, self.all, self.where) for n in patterns if not is_pattern(n, self.all)]
        numbers = [name for name in chosen if name not in members and self._is_number(name, named)]
        for name in named:
            if name not in (*members, *numbers):
                what = f"neither a number of the event nor one of {self.own} or {self.target}"
                msg = f"{self.where}: {name!r} is {what}: leave it out"
                raise ValueError(msg)
        written = [name for name in chosen if name in members]
        if not written:
            msg = f"{self.where}: {', '.join(patterns)} names nothing of {self.own} or {self.target}: add it"
            raise ValueError(msg)
        return written, numbers

    def _is_number(self, name: str, named: Sequence[str]) -> bool:
        """Return whether a branch holds one number per event; one that is named may hold lists of one."""
        return name in self.types and self.types[name].depth <= (name in named)

    def sibling(self, name: str, ending: str, other: str) -> str | None:
        """Return the branch with another ending, if there is one."""
        found = f"{name.removesuffix(ending)}{other}"
        return found if name.endswith(ending) and found in self.all else None


@dataclass(frozen=True)
class _Plan:
    """What is read: the branches of the links, of either collection, and of the events."""

    path: str
    tree: Any
    n_events: int
    names: _Names
    indices: Sequence[str]
    numbers: Sequence[str]
    own: Sequence[str]
    other: Sequence[str]

    def read(self, name: str, start: int, stop: int) -> ak.Array:
        """Return a branch in some entries."""
        with one_line_errors(self.path):
            return self.tree[name].array(entry_start=start, entry_stop=stop, array_cache=None)

    def read_number(self, name: str, start: int, stop: int) -> ak.Array:
        """Return a number of some events, which may stand in lists of one."""
        values = self.read(name, start, stop)
        if values.layout.purelist_parameter("__array__") is not None:
            msg = f"{self.names.where}: {name!r} holds text, where a number is expected: leave it out"
            raise ValueError(msg)
        if values.ndim == 1:
            return values
        counts = ak.to_numpy(ak.num(values))
        if (counts != 1).any():
            event = int(np.argmax(counts != 1))
            held = f"{name!r} holds {counts[event]} numbers in entry {start + event}"
            msg = f"{self.names.where}: {held}, where one is expected: leave it out"
            raise ValueError(msg)
        return ak.flatten(values)

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the branches of either collection, each with the name of its field."""
        for collection, names in ((self.names.own, self.own), (self.names.target, self.other)):
            for name in names:
                yield name, word(last_part(name)[len(collection) + 1 :])

    def links(self, start: int, stop: int, seen: dict[str, set[int]]) -> Links:
        """Return the links of some entries; `seen` collects the collections that they point into."""
        first, *further = self.indices
        end = self.names.sibling(first, "_begin", "_end")
        links = first_links(self.read(first, start, stop), end and self.read(end, start, stop))
        for name in further:
            if owner := self.names.sibling(name, ".index", ".collectionID"):
                ids = follow(links, self.read(owner, start, stop), owner, start)
                found = seen.setdefault(owner, set())
                found.update(np.unique(ak.to_numpy(ak.flatten(ids))).tolist())
                if len(found) > 1:
                    numbers = " and ".join(map(str, sorted(found)))
                    msg = f"{self.names.where}: {name!r} points into several collections ({numbers}), "
                    msg += f"not only into {self.names.target}: these cannot be joined by one index"
                    raise ValueError(msg)
            links = follow_further(links, self.read(name, start, stop), name, start)
        return links


def _plan(file: Any, source: InputFile, chain: Sequence[str], patterns: Sequence[str]) -> _Plan:
    """Return what is to be read; errors are those of `join_collections`."""
    where = f"{public_path(source.path)}, {source.tree}"
    if len(chain) < 2:
        msg = f"{':'.join(chain)!r} joins nothing: write INDEX:NAME, as in Jet_genJetIdx:GenJet"
        raise ValueError(msg)
    with one_line_errors(source.path):
        tree = open_tree(file, source.path, source.tree)
        names = list(dict.fromkeys(tree.keys()))
        types = branch_types(file, source.path, source.tree, names, {}, schema="base")
        n_events = count_entries(tree)
    *indices, target = chain
    indices = [find_branch(name, names, where) for name in indices]
    for name in indices:
        if name not in types or types[name].depth != 1 or "int" not in types[name].primitive:
            msg = f"{where}: {name!r} ({tree[name].typename}) holds no index for each element of a collection"
            raise ValueError(msg)
    first = last_part(indices[0])
    own = re.split(r"\." if "." in first else "_", first, maxsplit=1)[0]
    known = _Names(where, names, types, own, target)
    if not known.members(target):
        msg = f"{where}: no branch {target}.* or {target}_* holds numbers: name a collection after the indices"
        raise ValueError(msg)
    chosen, numbers = known.chosen(patterns)
    return _Plan(
        path=source.path,
        tree=tree,
        n_events=n_events,
        names=known,
        indices=indices,
        numbers=numbers,
        own=[name for name in known.members(own) if name in chosen],
        other=[name for name in known.members(target) if name in chosen],
    )


def _batches(plan: _Plan, joined: Joined, collection: str, kind: Kind) -> Iterator[Columns]:
    """Yield the events, some megabytes at a time, and count what was joined; of no events, one empty batch."""
    branches = [*plan.indices, *plan.numbers, *plan.own, *plan.other]
    step = max(1, int(plan.tree.num_entries_for(block_sizes.GROUP_BYTES, branches)))
    seen: dict[str, set[int]] = {}
    names = dict(plan.fields())
    for start in range(0, max(1, plan.n_events), step):
        stop = min(start + step, plan.n_events)
        links = plan.links(start, stop, seen)
        own = replace(links, index=links.place)
        hits = {
            names[name]: follow(place, plan.read(name, start, stop), name, start)
            for place, branches in ((own, plan.own), (links, plan.other))
            for name in branches
        }
        numbers: dict[str, Any] = {word(name): plan.read_number(name, start, stop) for name in plan.numbers}
        joined.n_events += stop - start
        joined.n_elements += links.n_elements
        joined.n_joined += int(ak.count(links.place))
        joined.n_several += links.n_several
        yield event_columns(numbers, hits, collection, kind)
