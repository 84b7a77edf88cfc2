"""Inspect a ROOT file: find the branches that look like calorimeter cells or hits."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.model import Config
from hep_peaksum.config.yaml_io import override
from hep_peaksum.geometry.jagged import flat_numbers
from hep_peaksum.inspection.candidates import (
    FIRST,
    Candidate,
    ChannelNames,
    Rejected,
    choose,
    proposed_config,
    without_repeated,
)
from hep_peaksum.inspection.cells import dense_candidate
from hep_peaksum.inspection.hits import (
    MAX_LISTS,
    hit_candidates,
    hits_by_any_integer,
    hits_of_equal_lists,
    nameless_hits,
)
from hep_peaksum.inspection.id_tables import IdTable, id_tables, with_places
from hep_peaksum.inspection.series import named_numbers, series_candidates
from hep_peaksum.lattices.shapes import MIN_CELLS
from hep_peaksum.naming.branches import Branch, Tree, are_whole, list_branches, read
from hep_peaksum.naming.conventions import EVENTS, RUNS, likeness, order, order_of_cells
from hep_peaksum.naming.groups import Group, group_hits
from hep_peaksum.naming.identity import identity_of
from hep_peaksum.reading.files import one_line_errors, open_file, open_tree, tree_names
from hep_peaksum.reading.hit_columns import PODIO_TREE, known_encodings

MAX_GROUPS = 60  # of hits that are looked into
ROWS_READ = 10_000
MOST_NAMED = 5  # branches that are as likely
GROUPED = "grouped.root"  # proposed name of what `group` writes


class Inspection(NamedTuple):
    """What a file holds: entries by tree, candidates for grids, the likeliest first, and what was rejected."""

    trees: dict[str, int]
    candidates: list[Candidate]
    rejected: list[Rejected]
    others: dict[str, int]  # objects that are not trees, by class
    unreadable: dict[str, list[str]]  # branches by tree

    @property
    def in_words(self) -> str:
        """What the file holds, if it holds no candidate."""
        if self.trees:
            trees = ", ".join(f"{tree} ({number} entries)" for tree, number in self.trees.items())
            unreadable = sum(map(len, self.unreadable.values()))
            more = f"; {unreadable} branches cannot be read" if unreadable else ""
            found = f"no branch looks like a grid or hits (trees: {trees}{more})"
            hint = next((each.reason for each in self.rejected if each.lacks == "order"), "")
            return f"{found}; {hint}" if hint else found
        others = ", ".join(f"{number} {name}" for name, number in self.others.items() if name != "TDirectory")
        return f"no tree, so no events to search (it holds {others or 'nothing'})"


def inspect_file(path: str, places_in: str = "") -> Inspection:
    """Return what a ROOT file holds that could fill a grid.

    Where cells are by their ids is looked up in another tree of it, or of the file `places_in`.

    Raises
    ------
    OSError
        If the file cannot be read as a ROOT file.
    """
    found = Inspection({}, [], [], {}, {})
    with open_file(path) as file, one_line_errors(path):
        trees = [*_trees_in(file, path, found)]
        looked_at = [(tree, branches, [*_look_at(tree, branches, path)]) for tree, branches in trees]
        for look in (hits_by_any_integer, hits_of_equal_lists):
            if not any(isinstance(each, Candidate) for *_, some in looked_at for each in some):
                looked_at += [(tree, own, [*look(tree, own)]) for tree, own in trees]
        for tree, branches, some in looked_at:
            found.rejected.extend(each for each in some if isinstance(each, Rejected))
            if candidates := [each for each in some if isinstance(each, Candidate)]:
                identity = identity_of(tree, branches, trees, path)
                found.candidates.extend(each._replace(identity=identity) for each in candidates)
        if any(candidate.channels is not None for candidate in found.candidates):
            tables = [*_tables_in(places_in)] if places_in else []
            tables += [table for tree, branches in trees for table in id_tables(tree, branches)]
            found.candidates[:] = [with_places(candidate, tables) for candidate in found.candidates]
    found.candidates.sort(key=lambda candidate: candidate.likelihood)
    found.rejected[:] = without_repeated(found.rejected)
    return found


def _trees_in(file: Any, path: str, found: Inspection) -> Iterator[tuple[Tree, list[Branch]]]:
    """Yield the trees of an open file that have entries, with their branches, and note what else it holds."""
    trees = tree_names(file)
    encodings = known_encodings(file[PODIO_TREE]) if PODIO_TREE in trees else {}
    others = (name for key, name in file.classnames(cycle=False).items() if key not in trees)
    found.others.update(Counter(others))
    for key in trees:
        content = open_tree(file, path, key)
        found.trees[key] = int(content.num_entries)
        branches, unreadable = list_branches(content)
        if unreadable:
            found.unreadable[key] = unreadable
        if found.trees[key]:
            names = {branch.name for branch in branches}
            yield Tree(key, content, found.trees[key], names, encodings, not any(file.file.fUUID)), branches


def _tables_in(path: str) -> Iterator[IdTable]:
    """Yield the tables of another file that say where cells are by their ids."""
    with open_file(path) as file, one_line_errors(path):
        for tree, branches in _trees_in(file, path, Inspection({}, [], [], {}, {})):
            yield from id_tables(tree, branches)


def candidates_in(path: str, places_in: str = "") -> list[Candidate]:
    """Return the candidates in a ROOT file, the likeliest first; parameters as for `inspect_file`.

    Raises
    ------
    ValueError
        If there is none; the message says what the file holds.
    """
    found = inspect_file(path, places_in)
    if not found.candidates:
        msg = f"{path}: {found.in_words}; see `hep-peaksum inspect {path}`, or start from `hep-peaksum init`"
        raise ValueError(msg)
    return found.candidates


def proposed_config_of(path: str, overrides: Sequence[str] = ()) -> Config:
    """Return the config that is proposed for a ROOT file, that of its likeliest candidate, with overrides.

    Raises
    ------
    ValueError
        If the file holds no candidate, or it has to be grouped first.
    ConfigError
        If the config is wrong with the overrides.
    """
    content = proposed_config(path, choose(candidates_in(path), FIRST))
    return parse_config(override(content, overrides))


def _look_at(tree: Tree, branches: Sequence[Branch], path: str) -> Iterator[Candidate | Rejected]:
    """Yield what the branches of a tree look like: hits first, because their branches are not cells as well."""
    groups = group_hits(branches, depth=1)
    # Where an entry has a list of hits, its own x, y and energy are those of a vertex or a beam.
    rows = None if groups else _rows_candidate(tree, branches, path)
    if rows is not None:
        yield rows
        return
    if not groups:
        yield from _rows_without_events(tree, branches)
    yield from _look_at_hits(tree, branches, groups, path)
    series = [*series_candidates(tree, branches)]
    yield from (each for each in series if isinstance(each, Candidate))
    if not groups and not series:
        yield from named_numbers(tree, branches)
    used = {branch for group in groups for branch in group.branches}
    for group, found in nameless_hits(tree, [branch for branch in branches if branch not in used]):
        used |= {*group.branches}
        yield found
    lists = [branch for branch in branches if branch not in used and _may_be_cells(branch)]
    lists.sort(key=lambda branch: (order_of_cells(branch.name, tree.name), branch.words.count("_")))
    channel_names = [each for each in series if isinstance(each, ChannelNames)]
    yield from _with_others([*_look_at_lists(tree, lists, channel_names)])


def _look_at_lists(
    tree: Tree, lists: Sequence[Branch], channel_names: Sequence[ChannelNames]
) -> Iterator[Candidate | Rejected]:
    """Yield what lists are; of several that begin with one word, one whose length varies speaks for all."""
    first_words = Counter(_owner(branch) for branch in lists)
    vary: dict[str, str] = {}
    for branch in lists[:MAX_LISTS]:
        owner = _owner(branch)
        if owner in vary:
            reason = f"not looked into: entries of {vary[owner]}, which begins alike, differ in length"
            yield Rejected(tree.name, (branch.name,), reason, "length")
            continue
        found = dense_candidate(tree, branch, channel_names)
        is_list = isinstance(found, Rejected) and found.lacks == "length"
        if is_list and first_words[owner] > 2 and not _is_calorimeter(branch):
            vary[owner] = branch.name
        yield found
    if len(lists) > MAX_LISTS:
        names = tuple(branch.name for branch in lists[MAX_LISTS:])
        yield Rejected(tree.name, names, f"not looked into: {len(names)} more lists")


def _with_others(found: Sequence[Candidate | Rejected]) -> Iterator[Candidate | Rejected]:
    """Yield arrays of cells with a comment that names those which may be it, too, and have the same shape."""
    alike: dict[tuple[int, str], list[str]] = {}
    for each in found:
        if isinstance(each, Candidate):
            alike.setdefault((each.order // 2, each.looks_like), []).append(each.grid["dense"]["branch"])
    for each in found:
        if isinstance(each, Rejected):
            yield each
            continue
        own = each.grid["dense"]["branch"]
        others = [name for name in alike[each.order // 2, each.looks_like] if name != own]
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        text = f"the cells may also be those of {', '.join(others[:MOST_NAMED])}{more}"
        yield each._replace(comments=(*each.comments, ("dense", text))) if others else each


def _owner(branch: Branch) -> str:
    return f"{branch.collection}.{branch.words.partition('_')[0]}.{branch.shape}"


def _is_calorimeter(branch: Branch) -> bool:
    return likeness(branch.name) in ("towers", "cells", "hits")


def _look_at_hits(
    tree: Tree, branches: Sequence[Branch], groups: list[Group], path: str
) -> Iterator[Candidate | Rejected]:
    lacking: dict[str, list[Group]] = {"energy": [], "place": []}
    groups.sort(key=lambda group: order(group.name, tree.name))
    for group in groups[:MAX_GROUPS]:
        is_table = tree.n_entries == 1  # of where cells are, if it holds no energy
        if group.value is None and (group.layer is None or is_table):
            names = tuple(b.name for b in group.branches)
            yield Rejected(tree.name, names, "no branch holds their energy", "value")
            continue
        found = hit_candidates(tree, group)
        for each in found:
            if isinstance(each, Rejected) and each.lacks:
                lacking[each.lacks].append(group)
        yield from found
    yield from _join_candidates(tree, branches, lacking, path)
    if len(groups) > MAX_GROUPS:
        names = tuple(group.name for group in groups[MAX_GROUPS:])
        yield Rejected(tree.name, names, f"not looked into: {len(names)} more groups of hits")


def _may_be_cells(branch: Branch) -> bool:
    """Return whether a branch is an array, a list of numbers, or lists of lists; no list of arrays."""
    fixed = [size for size in branch.shape if size is not None]
    is_large = len(fixed) < len(branch.shape) or np.prod(fixed) >= MIN_CELLS
    is_mixed = 0 < len(fixed) < len(branch.shape)
    is_number = bool(branch.shape) and branch.dtype.kind in ("iuf" if branch.shape[:1] == (None,) else "iufb")
    return is_number and bool(is_large) and not is_mixed and not branch.is_member


def _rows_candidate(tree: Tree, branches: Sequence[Branch], path: str) -> Candidate | None:
    """Return a tree with one hit per entry as a candidate, if a column names events that hits share."""
    groups = [
        group for group in group_hits(branches, depth=0) if group.value is not None or group.layer is not None
    ]
    columns = {
        b.words: b for b in branches if not b.shape and b.dtype.kind in "iuf"
    }  # a TNtuple has floats only
    event = next((columns[word] for word in EVENTS if word in columns), None)
    if not groups or event is None:
        return None
    run = next((columns[word] for word in RUNS if word in columns), None)
    by = [event] if run is None else [run, event]  # the events of each run may count from 0
    arrays = read(tree.content, by, ROWS_READ)
    if arrays is None or not all(are_whole(flat_numbers(each)) for each in arrays):
        return None
    numbers = np.stack([flat_numbers(each).astype(np.int64) for each in arrays], axis=1)
    n_events = len(np.unique(numbers, axis=0))
    if n_events > 0.8 * len(numbers):
        return None
    is_contiguous = 1 + int(np.count_nonzero(np.diff(numbers, axis=0).any(axis=1))) == n_events
    sort, keys = "" if is_contiguous else " --sort", ",".join(branch.name for branch in by)
    group = min(groups, key=lambda each: each.value is None)
    places = group.places.values() or [group.channel]
    names = tuple(branch.name for branch in (*places, group.value) if branch is not None)
    return Candidate(
        *(tree.name, tree.n_entries, names, f"one row per hit, {event.name} names the event"),
        grid={},
        n_values=tree.n_entries,
        order=order(f"{tree.name}_{group.name}"),
        command=f"hep-peaksum group {_quoted(path, tree)} --by {keys}{sort} -o {GROUPED}",
    )


def _rows_without_events(tree: Tree, branches: Sequence[Branch]) -> Iterator[Rejected]:
    """Yield what looks like one hit per entry where no branch numbers the events."""
    words = {branch.words for branch in branches}
    for group in group_hits(branches, depth=0):
        if group.pair and group.value is not None and words.isdisjoint(EVENTS):
            names = tuple(branch.name for branch in (*group.places.values(), group.value))
            yield Rejected(tree.name, names, "one hit per entry, and no branch numbers the events")


def _join_candidates(
    tree: Tree, branches: Sequence[Branch], lacking: Mapping[str, list[Group]], path: str
) -> Iterator[Candidate]:
    """Yield energies whose positions stand in another collection, to which an index of podio leads."""
    for source in lacking["place"]:
        begin = f"{source.collection}/{source.collection}.hits_begin"
        index = next((b for b in branches if _is_relation(b, source.collection) and _leads(tree, b)), None)
        if begin not in tree.names or index is None or source.value is None or not lacking["energy"]:
            continue
        target = lacking["energy"][0].collection
        energy, positions = source.value.name.rpartition("/")[2], f"{target}.position.*"
        join = f"{source.collection}.hits_begin:{index.name.rpartition('/')[2]}:{target}"
        yield Candidate(
            *(tree.name, tree.n_entries, (source.value.name, f"{target}/{positions}")),
            looks_like=f"energies whose positions are those of {target}",
            grid={},
            n_values=tree.n_entries,
            order=order(source.name),
            command=f"hep-peaksum group {_quoted(path, tree)} --join {join} --branches '{energy},{positions}' "
            f"-o {GROUPED}",
        )


def _is_relation(branch: Branch, collection: str) -> bool:
    """Return whether a branch is the index of a relation of a collection, as podio has written them."""
    owner = branch.name.partition("/")[0]
    return branch.name.endswith(".index") and bool(
        re.fullmatch(rf"{re.escape(collection)}#\d+|_{re.escape(collection)}_hits", owner)
    )


def _leads(tree: Tree, index: Branch) -> bool:
    """Return whether a relation is used at all."""
    arrays = read(tree.content, [index], ROWS_READ)
    return arrays is not None and len(flat_numbers(arrays[0])) > 0


def _quoted(path: str, tree: Tree) -> str:
    return shlex.quote(f"{path}:{tree.name}")
