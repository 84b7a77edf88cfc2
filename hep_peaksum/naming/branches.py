"""The branches of a tree: what they hold and what their names mean, without reading any of their content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot

SAMPLE_ENTRIES, SAMPLE_BYTES = 5000, 32_000_000  # of one branch that is looked into
LARGEST_WHOLE = 2.0**53  # above it a float is always whole


class Branch(NamedTuple):
    """A branch that holds numbers.

    `shape` is that of an entry, None for every length that varies; `collection` and `words` are the parts of
    its name: ``EcalHits/EcalHits.position.x`` is ``position_x`` of ``EcalHits``.
    """

    name: str
    collection: str
    words: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    title: str = ""
    is_member: bool = False  # of the objects in a list

    @property
    def config_name(self) -> str:
        """The name as it is written in a config, where a name before a colon is that of a friend."""
        return f":{self.name}" if ":" in self.name else self.name

    def is_of(self, collection: str, stem: str) -> bool:
        """Return whether the name is that of hits of a collection, or of a flat tree, with a stem."""
        if not collection:
            return self.words.startswith(f"{stem}_")  # words do not begin with _
        return self.collection == collection


class Tree(NamedTuple):
    """A tree of an open file: its name, what uproot makes of it, and what its branches and ids are called."""

    name: str
    content: Any
    n_entries: int
    names: set[str]
    encodings: dict[str, str]  # of ids, by collection
    is_geant4: bool = False  # written by Geant4 itself

    def owner(self, branch: Branch) -> str:
        """Return the C++ type of the collection that a branch belongs to."""
        parent = branch.collection  # of an RNTuple the field that holds it
        is_field = bool(parent) and parent in self.content.keys(recursive=True)
        return str(getattr(self.content[parent], "typename", None) or "") if is_field else ""


def list_branches(tree: Any) -> tuple[list[Branch], list[str]]:
    """Return the branches of a tree (TTree or RNTuple) that hold numbers, and the names of unreadable ones."""
    branches, unreadable = [], []
    counters = _counters(tree)
    for name, kind, title in _types(tree):
        if kind is None:
            unreadable.append(name)
            continue
        shape, dtype = _shape(kind)
        if not shape and name in counters:  # it says how long a list is, and nothing of a hit: nhit_row
            continue
        if dtype is not None:
            is_member = "/" in name and None in shape[:1] and _is_counted(tree[name])
            branches.append(Branch(name, *split_name(name), shape, dtype, title, is_member))
    return branches, unreadable


def _counters(tree: Any) -> set[str]:
    """Return the names of the branches that count the values of lists."""
    if not isinstance(tree, uproot.TTree):
        return set()
    counted = (branch.count_branch for branch in tree.itervalues(recursive=False))
    return {branch.name for branch in counted if branch is not None}


def _types(tree: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield name, awkward type of an entry (None: unreadable; False: no numbers) and title."""
    if not isinstance(tree, uproot.TTree):
        form = tree.to_akform()
        record = form[0] if isinstance(form, tuple) else form
        for name, kind in zip(record.fields, record.contents, strict=True):
            yield from ((leaf, of_leaf, "") for leaf, of_leaf in _leaves(name, kind.type))
        return
    for name, branch in tree.items():
        try:
            interpretation = branch.interpretation
            is_group = isinstance(interpretation, uproot.interpretation.grouped.AsGrouped)
            kind = False if is_group else interpretation.awkward_form(None).type
        except uproot.interpretation.objects.CannotBeAwkward:
            kind = False  # objects of C++: no numbers
        except Exception:  # noqa: BLE001 -- whatever uproot cannot interpret is told, and is not a candidate
            kind = None
        yield name, kind, branch.title or ""


def _leaves(name: str, kind: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and type of what records, or lists of them, are made of: the objects that podio writes."""
    is_list = isinstance(kind, ak.types.ListType) and isinstance(kind.content, ak.types.RecordType)
    record = kind.content if is_list else kind
    if not isinstance(record, ak.types.RecordType) or record.is_tuple:
        yield name, kind
        return
    for field, content in zip(record.fields, record.contents, strict=True):
        yield from _leaves(f"{name}.{field}", ak.types.ListType(content) if is_list else content)


def _is_counted(branch: Any) -> bool:
    """Return whether a list has no length of its own, but that of the objects whose member it is."""
    return str(getattr(branch, "typename", "")).endswith("]")


def _shape(kind: Any) -> tuple[tuple[int | None, ...], np.dtype[Any] | None]:
    """Return the shape of an entry and the type of its numbers; None where it holds something else."""
    shape: list[int | None] = []
    while isinstance(kind, (ak.types.ListType, ak.types.RegularType)):
        if "__array__" in kind.parameters:  # text
            return (), None
        shape.append(kind.size if isinstance(kind, ak.types.RegularType) else None)
        kind = kind.content
    if not isinstance(kind, ak.types.NumpyType) or kind.primitive.startswith(("datetime", "complex")):
        return (), None
    return tuple(shape), np.dtype(kind.primitive)


def split_name(name: str) -> tuple[str, str]:
    """Return the collection and the words of a branch's name, in lower case; a unit at its end is left out.

    >>> split_name("EcalHits/EcalHits.position.x"), split_name("EcalRecHits_sim/EcalRecHits_sim.xpos_")
    (('EcalHits', 'position_x'), ('EcalRecHits_sim', 'xpos'))
    >>> split_name("egammaClustersAuxDyn.calEta"), split_name("hit_ieta"), split_name("a/b/b.fX")
    (('egammaClustersAuxDyn', 'cal_eta'), ('', 'hit_ieta'), ('a/b', 'x'))
    >>> split_name("cell_E_MeV"), split_name("EnergyMeV")
    (('', 'cell_e'), ('', 'energy'))
    """
    parents, _, leaf = re.sub(r"(\[\d*\])+$", "", name).rpartition("/")
    owner = parents.rpartition("/")[2]
    if owner and leaf.startswith(f"{owner}."):
        leaf = leaf[len(owner) + 1 :]
    elif not parents and "." in leaf:
        parents, _, leaf = leaf.partition(".")
    leaf = re.sub(r"(?<=[A-Za-z0-9])_?(keV|MeV|GeV|TeV|mm|cm|deg|rad)_?$", "", leaf)
    leaf = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"[^A-Za-z0-9]+", "_", leaf)).lower().strip("_")
    return parents, re.sub(r"^[fm]_(?=.)", "", leaf)


def read(tree: Any, branches: Sequence[Branch], n_entries: int | None = None) -> list[ak.Array] | None:
    """Return the first entries of some branches, the same number of each; None if one cannot be read."""
    stop = SAMPLE_ENTRIES if n_entries is None else n_entries
    for branch in branches:
        size = getattr(tree[branch.name], "uncompressed_bytes", 0) / max(int(tree.num_entries), 1)
        stop = min(stop, max(int(SAMPLE_BYTES / max(size, 1)), 1))
    try:
        return [tree[branch.name].array(entry_stop=stop) for branch in branches]
    except Exception:  # noqa: BLE001 -- an unreadable branch is not a candidate
        return None


def are_whole(numbers: np.ndarray[Any, Any]) -> bool:
    """Return whether all numbers are integers, also if they are stored as floats.

    >>> are_whole(np.array([3.0, -1.0])), are_whole(np.array([3.0, 0.5])), are_whole(np.array([np.nan]))
    (True, False, False)
    """
    if numbers.dtype.kind != "f":
        return numbers.dtype.kind in "biu"
    return bool(
        np.all(np.isfinite(numbers) & (np.rint(numbers) == numbers) & (np.abs(numbers) < LARGEST_WHOLE))
    )
