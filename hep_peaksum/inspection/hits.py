"""Candidates of jagged hits: which plane they lie on, in which layers, and the section of the config for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.jagged import counts_of, flat_numbers
from hep_peaksum.inspection.candidates import TABLE, Candidate, Rejected
from hep_peaksum.inspection.channels import channel_candidate, value_comments
from hep_peaksum.inspection.found_planes import found_plane
from hep_peaksum.inspection.planes import are_planes
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import ranges
from hep_peaksum.lattices.numbering import n_different
from hep_peaksum.lattices.shapes import SHAPE_ENTRIES
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree, are_whole, read
from hep_peaksum.naming.groups import Group, group_hits
from hep_peaksum.naming.unnamed_hits import hits_to_edit, labelled_hits, nameless_values, values_by_any_integer
from hep_peaksum.partition.layers import condition_name, split_layers, with_depth
from hep_peaksum.partition.sections import pick_section, with_sides
from hep_peaksum.partition.splitting import split_parts

MAX_LISTS = 300  # of equal length, that are looked into
MAX_VALUES = 40  # of ids that may be their energies, which are read
MANY_HITS = 50  # of which some are in another cell than the first
FALLING = 0.95  # of the values that are below 0
TURNED = "the gain of every row is -1"


def hit_candidates(tree: Tree, group: Group) -> list[Candidate | Rejected]:
    """Return hits as candidates, after a look at their first entries.

    They are several if layers have cells of different sizes, as those of one grid are equal.
    """
    branches = list(dict.fromkeys(group.branches))
    arrays = read(tree.content, branches)
    names = tuple(branch.name for branch in group.named if branch is not group.edges)
    if arrays is None:
        return [Rejected(tree.name, names, "cannot be read")]
    counts = {branch: counts_of(values) for branch, values in zip(branches, arrays, strict=True)}
    n_hits = counts[branches[0]]
    different = [branch for branch, number in counts.items() if not np.array_equal(number, n_hits)]
    needed = [each for each in group.named if each not in group.other_values]
    others = [each for each in group.optional if each in different and each not in needed]
    if others:  # a list of something else
        return hit_candidates(tree, group.without(others))
    if different:
        return [Rejected(tree.name, names, "the branches have different numbers of hits")]
    numbers = {branch: flat_numbers(values) for branch, values in zip(branches, arrays, strict=True)}
    if group.layer is not None and not are_whole(numbers[group.layer]):
        group = group._replace(layer=None)
    numbers |= {label: numbers[label].astype(np.int64) for label in _labels(group) if are_whole(numbers[label])}
    group = _with_energy(group, numbers)
    if group.edges is not None:
        numbers[group.edges] = numbers[group.edges].reshape(-1, 4)
    if (problem := _emptiness(group, numbers, len(n_hits))) is not None:
        return [Rejected(tree.name, names, *problem)]
    event = np.repeat(np.arange(len(n_hits)), n_hits)
    if not group.pair:
        return [_masking(channel_candidate(tree, group, numbers, event), group, numbers)]
    numbers, event = _with_place(group, numbers, event)
    group, told_of_depth = with_depth(with_sides(group, numbers), numbers, event)
    is_picked, where, told = pick_section(group, numbers)
    told += told_of_depth
    found: list[Candidate | Rejected] = []
    is_flat = are_planes(group, numbers, _units(tree, group))
    for of_grid, more, comments in split_layers(tree, group, numbers, is_picked, is_flat=is_flat):
        for of_part, part, told_of_part in split_parts(tree, group, numbers, of_grid):
            some = {branch: each[of_part] for branch, each in numbers.items()}
            conditions, about = [*where, *more, *part], [*told, *comments, *told_of_part, *_left_out(of_part)]
            placed = _placed_candidate(tree, group, some, event[of_part], conditions, about)
            found.append(_masking(_turning(placed, group, some), group, some))
    return found


def _left_out(is_of_grid: Array) -> list[tuple[str, str]]:
    """Return a comment on the hits that are in no cell of a grid, if there are some."""
    n_hits, n_left = len(is_of_grid), len(is_of_grid) - int(np.count_nonzero(is_of_grid))
    return [("where", f"{n_left} of {n_hits} hits read are left out of this grid")] if n_left else []


def _with_place(group: Group, numbers: dict[Branch, Array], event: Array) -> tuple[dict[Branch, Array], Array]:
    """Return the hits at finite places: others lie on no cell. `event` is that of each."""
    is_placed = np.all([np.isfinite(numbers[group.places[role]]) for role in group.pair], axis=0)
    return {branch: values[is_placed] for branch, values in numbers.items()}, event[is_placed]


def _units(tree: Tree, group: Group) -> conventions.Units:
    return conventions.units_of(tree, group.value, next(iter(group.places.values())))


def _masking(found: Candidate | Rejected, group: Group, numbers: dict[Branch, Array]) -> Candidate | Rejected:
    """Return hits of which those without a finite energy are left out."""
    if group.value is None or isinstance(found, Rejected):
        return found
    return found.masking(numbers[group.value])


def nameless_hits(tree: Tree, branches: Sequence[Branch]) -> Iterator[tuple[Group, Candidate | Rejected]]:
    """Yield ids of cells beside as many numbers that no name calls energies, as hits by channel."""
    for group in nameless_values(branches, tree.name):
        lists = [each for each in (group.channel, group.value, *group.other_values) if each is not None]
        arrays = read(tree.content, lists[: MAX_VALUES + 1])
        if arrays is None:
            continue
        n_hits, *counts = map(counts_of, arrays)
        values = [each for each, n in zip(lists[1:], counts, strict=False) if np.array_equal(n, n_hits)]
        if values:
            hits = group._replace(value=values[0], other_values=tuple(values[1:]))
            yield from ((hits, found) for found in hit_candidates(tree, hits))


def hits_by_any_integer(tree: Tree, branches: Sequence[Branch]) -> Iterator[Candidate]:
    """Yield energies beside integers under any name, which are ids if no two hits of an event have the same."""
    for channel, group in values_by_any_integer(branches):
        arrays = read(tree.content, [channel])
        if arrays is None or not conventions.holds_cells(group.name, tree.name):
            continue
        n_hits, ids = counts_of(arrays[0]), flat_numbers(arrays[0])
        if n_different([np.repeat(np.arange(len(n_hits)), n_hits), ids]) < len(ids):
            continue
        text = f"guessed that {channel.config_name} numbers cells: no two hits of an event have the same"
        found = (each for each in hit_candidates(tree, group) if isinstance(each, Candidate))
        yield from (each._replace(comments=(("hits", text), *each.comments)) for each in found)


def hits_of_equal_lists(tree: Tree, branches: Sequence[Branch]) -> Iterator[Candidate | Rejected]:
    """Yield equally long lists as hits, if integers name row and column, else what to write of them."""
    known = {each for group in group_hits(branches, 1) if group.value is not None for each in group.branches}
    for lists in _equal_lists(tree, [each for each in branches if each not in known]):
        looked_at = (each for group in labelled_hits(lists) for each in hit_candidates(tree, group))
        found = [each for each in looked_at if isinstance(each, Candidate)]
        yield from found
        if not found and (hits := hits_to_edit(lists)):
            reason = f"if these are hits, whose row, col and value only you know: {hits}"
            yield Rejected(tree.name, tuple(each.name for each in lists), reason, "order")


def _equal_lists(tree: Tree, branches: Sequence[Branch]) -> list[list[Branch]]:
    """Return the lists whose lengths vary, those together that are equally long in every event."""
    lists = [each for each in branches if each.shape == (None,)][:MAX_LISTS]
    by_counts: dict[bytes, list[Branch]] = {}
    for branch, values in zip(lists, read(tree.content, lists, SHAPE_ENTRIES) or (), strict=False):
        if np.ptp(counts := counts_of(values)):
            by_counts.setdefault(counts.tobytes(), []).append(branch)
    return [*by_counts.values()]


def _labels(group: Group) -> list[Branch]:
    """Return the branches that are labels by their names, although some programs store all as floats."""
    places = [branch for role, branch in group.places.items() if role in conventions.LABELS]
    return places if group.layer is None else [*places, group.layer]


def _with_energy(group: Group, numbers: dict[Branch, Array]) -> Group:
    """Return hits with the first of their values that is not 0 in all of them, as uncalibrated energies are."""
    if group.value is None or np.any(numbers[group.value]):
        return group
    filled = next((each for each in group.other_values if np.any(numbers[each])), group.value)
    return group._replace(value=filled, other_values=tuple(e for e in group.other_values if e is not filled))


def _emptiness(group: Group, numbers: dict[Branch, Array], n_entries: int) -> tuple[str, str] | None:
    """Return what hits lack that fill no grid, a reason and "energy" or "place", or None."""
    places = [group.places[role] for role in group.pair]
    n_hits = len(numbers[(places or [*numbers])[0]])
    if n_hits == 0:
        return f"no hit in the first {n_entries} entries", ""
    if group.value is not None and not np.any(numbers[group.value]):
        return f"{group.value.name} is 0 in all {n_hits} hits", "energy"
    for what, is_of in (("0", np.any), ("not finite", lambda values: np.any(np.isfinite(values)))):
        if places and not any(is_of(numbers[branch]) for branch in places):
            return f"{' and '.join(branch.name for branch in places)} are {what} in all {n_hits} hits", "place"
    if n_hits > MANY_HITS and places and all(np.all(numbers[each] == numbers[each][0]) for each in places):
        names = " and ".join(branch.name for branch in places)
        return f"{names} are the same in all {n_hits} hits, as the sizes of cells are", ""
    return None


def _placed_candidate(
    tree: Tree,
    group: Group,
    numbers: dict[Branch, Array],
    event: Array,
    where: list[dict[str, Any]],
    comments: list[tuple[str, str]],
) -> Candidate | Rejected:
    """Return hits that say where they are; `event` is that of each, `where` the conditions that picked them."""
    units = _units(tree, group)
    plane, layers = found_plane(tree, group, numbers, event, units)
    names = tuple(branch.name for branch in (*plane.branches, group.value) if branch is not None)
    if plane.rows is None or plane.cols is None:
        return Rejected(tree.name, names, "the coordinates are not places along an axis")
    hits = dict(plane.hits)
    hits |= {} if layers.source is None else {"layer": layers.source}
    hits["value"] = 1 if group.value is None else group.value.config_name
    comments = [*comments, *plane.comments, *value_comments(group, numbers)]
    comments += [("depth", layers.comment), ("depth", layers.told(each=plane.layers_apart))]
    conditions = {"where": where} if where else {}
    grid: dict[str, Any] = {"hits": hits, **conditions, **layers.keys(each=plane.layers_apart)}
    if plane.geometry:
        grid["geometry"] = plane.geometry
    else:
        grid |= {
            **plane.grid,
            "rows": plane.rows.section,
            "cols": plane.cols.section,
            **_quantity(group, units),
        }
        comments += [("rows", plane.rows.comment), ("cols", plane.cols.comment)]
        comments += [] if group.value is None else conventions.unit_comments(tree, units, group.value)
    likeness = conventions.likeness(group.name, tree.name)
    what = "hits" if conventions.holds_cells(group.name, tree.name) else f"{likeness}, not cells,"
    if what != "hits":
        comments.insert(0, ("hits", f"{likeness} are guessed to stand for cells: nothing is more like them"))
    looks_like = f"{what} in {plane.words}{layers.in_words}"
    for each in where:
        looks_like += f", where {condition_name(each)} is {_in_words(each)}"
    return Candidate(
        *(tree.name, tree.n_entries, names, looks_like, grid),
        n_values=len(event),
        order=conventions.order(group.name, tree.name),
        comments=tuple((key, text) for key, text in comments if text),
        preset=plane.preset,
    )


def _turning(found: Candidate | Rejected, group: Group, numbers: dict[Branch, Array]) -> Candidate | Rejected:
    """Return hits whose values are turned by the gains of a cell table, if almost all are below 0."""
    if group.value is None or isinstance(found, Rejected):
        return found
    if "rows" not in found.grid or not _fall(numbers[group.value]):
        return found
    text = f"{group.value.config_name} is below 0, as pulses that fall are, guessed: gains of -1 turn it"
    return found._replace(
        grid={**found.grid, "cells": TABLE},
        comments=(*found.comments, ("cells", text)),
        table=_turning_table(found.grid["rows"]),
        told_of_table=TURNED,
    )


def _fall(values: Array) -> bool:
    """Return whether almost all values are below 0."""
    return bool(np.count_nonzero(values < 0) > FALLING * np.count_nonzero(values))


def _turning_table(rows: dict[str, Any]) -> str:
    """Return a cell table that changes the sign of all cells, a line for every row of an axis."""
    axis = Axis.model_validate(rows)
    labels = range(axis.size) if axis.label_values is None else axis.label_values
    return "\n".join(["row,gain", *(f"{label},-1" for label in labels), ""])


def _in_words(condition: dict[str, Any]) -> str:
    if "in" in condition:
        return ranges(condition["in"])
    if {"min", "max"} <= {*condition}:
        return f"{condition['min']} to {condition['max']}"
    word, value = next(each for each in condition.items() if each[0] not in ("branch", "first", "last"))
    return {"equals": f"{value}", "min": f"above {value}", "max": f"below {value}"}[word]


def _quantity(group: Group, units: conventions.Units) -> dict[str, Any]:
    """Return the keys that say what a value is, as far as that is known."""
    if group.value is None:
        return {}
    is_transverse = group.value.words.rpartition("_")[2] in ("iet", "et", "pt")
    return {**({"quantity": "et"} if is_transverse else {}), **({"unit": units.energy} if units.energy else {})}
