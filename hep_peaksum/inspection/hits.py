"""Candidates of jagged hits: which plane they lie on, in which layers, and the section of the config for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.jagged import counts_of
from hep_peaksum.inspection.candidates import TABLE, Candidate, Rejected
from hep_peaksum.inspection.channels import channel_candidate, value_comments
from hep_peaksum.inspection.found_planes import found_plane
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import ranges
from hep_peaksum.lattices.depth import layers_in_line, layers_of_one_pitch
from hep_peaksum.lattices.turns import rows_of_one_turn
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree, are_whole, flat, read
from hep_peaksum.naming.groups import Group, nameless_values
from hep_peaksum.naming.hit_integers import integers_of

MAX_SECTIONS = 10
MAX_VALUES = 40  # of ids that may be their energies, which are read
LARGER, OTHER = 1.5, 1.1  # sides of a detector than those of another: one of them, and both
MIN_SHARE = 0.5  # hits for each cell, from which the sides of a detector are seen
FAR = 0.5  # of the distance of the farthest hit along the beam: as far as that are those of two ends

ALONG = ("ieta", "eta", "theta", "z")  # rows of both sides, one behind the other
FALLING = 0.95  # of the values that are below 0
TURNED = "the gain of every row is -1"

# Some of the hits, the conditions of a grid that pick them, and comments.
Part = tuple[Array, list[dict[str, Any]], list[tuple[str, str]]]


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
    others = [each for each in group.integers if each in different and each not in group.named]
    if others:  # a list of something else
        return hit_candidates(tree, group.without(others))
    if different:
        return [Rejected(tree.name, names, "the branches have different numbers of hits")]
    numbers = {branch: flat(values) for branch, values in zip(branches, arrays, strict=True)}
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
    group = _with_sides(group, numbers)
    is_picked, where, told = _pick_section(group, numbers)
    found: list[Candidate | Rejected] = []
    for of_grid, more, comments in _split_layers(group, numbers, is_picked):
        for of_part, part, told_of_part in _split_parts(tree, group, numbers, of_grid):
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


def _split_parts(tree: Tree, group: Group, numbers: dict[Branch, Array], is_picked: Array) -> Iterator[Part]:
    """Yield the hits of each detector in one collection, or of each end of one."""
    for split in (_split_detectors, _split_turns):
        if len(parts := [*split(group, numbers, is_picked)]) > 1:
            yield from parts
            return
    yield from _split_ends(tree, group, numbers, is_picked)


def _split_detectors(group: Group, numbers: dict[Branch, Array], is_picked: Array) -> Iterator[Part]:
    """Yield the hits of detectors with other numbers of rows and columns, which an integer tells apart.

    Their labels are the same where they overlap, so that one grid would have cells that are in none of them.
    """
    places = [numbers[group.places[role]][is_picked] for role in group.pair]
    if any(place.dtype.kind not in "iu" for place in places) or not is_picked.any():
        return
    for each in group.integers:
        labels, counts = np.unique(numbers[each][is_picked], return_counts=True)
        if not 1 < len(labels) <= MAX_SECTIONS:
            continue
        sizes = [tuple(np.ptp(p[numbers[each][is_picked] == n]) + 1 for p in places) for n in labels]
        is_seen = all(count > MIN_SHARE * np.prod(size) for size, count in zip(sizes, counts, strict=True))
        smallest, largest = (limit(sizes, axis=0) for limit in (np.min, np.max))
        is_larger = (largest > LARGER * smallest).any() and (largest > OTHER * smallest).all()
        if not is_seen or not is_larger:
            continue
        name = each.config_name
        text = f"detectors with other rows and columns, by {name}: {ranges(labels)} are grids of their own"
        for label in labels[np.argsort(-counts, kind="stable")]:
            of_label = is_picked & (numbers[each] == label)
            yield of_label, [{"branch": name, "equals": int(label)}], [("where", text)]
        return


def _split_turns(group: Group, numbers: dict[Branch, Array], is_picked: Array) -> Iterator[Part]:
    """Yield the hits of rows that have equally many cells around the beam, the fullest part first."""
    if group.pair not in (("eta", "phi"), ("theta", "phi")) or group.edges is not None or not is_picked.any():
        return
    row, phi = (group.places[role] for role in group.pair)
    if any(numbers[each].dtype.kind != "f" for each in (row, phi)):
        return
    name, parts = row.config_name, []
    for low, high in rows_of_one_turn(numbers[row][is_picked], numbers[phi][is_picked]):
        limits = {"min": low, "max": high}
        condition = {"branch": name, **{word: end for word, end in limits.items() if np.isfinite(end)}}
        parts.append((is_picked & (numbers[row] > low) & (numbers[row] < high), condition))
    ends = ", ".join(f"{condition['max']:g}" for _, condition in parts[:-1])
    text = f"the number of cells in phi is another beyond {name} = {ends}: these are grids of their own"
    for of_part, condition in sorted(parts, key=lambda part: -np.count_nonzero(part[0])):
        yield of_part, [condition], [("where", text)]


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
    units = conventions.units_of(tree, group.value, next(iter(group.places.values())))
    plane, layers = found_plane(tree, group, numbers, event, units)
    names = tuple(branch.name for branch in (*plane.branches, group.value) if branch is not None)
    if plane.rows is None or plane.cols is None:
        return Rejected(tree.name, names, "the coordinates are not places along an axis")
    hits = dict(plane.hits)
    hits |= {} if layers.source is None else {"layer": layers.source}
    hits["value"] = 1 if group.value is None else group.value.config_name
    comments = [*comments, *plane.comments, *value_comments(group, numbers)]
    comments += [("depth", layers.comment)] if layers.source is not None else []
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
        looks_like += f", where {each['branch'].rpartition('.')[2]} is {_in_words(each)}"
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
    word, value = next(each for each in condition.items() if each[0] != "branch")
    return {"equals": f"{value}", "min": f"above {value}", "max": f"below {value}"}[word]


def _quantity(group: Group, units: conventions.Units) -> dict[str, Any]:
    """Return the keys that say what a value is, as far as that is known."""
    if group.value is None:
        return {}
    is_transverse = group.value.words.rpartition("_")[2] in ("iet", "et", "pt")
    return {**({"quantity": "et"} if is_transverse else {}), **({"unit": units.energy} if units.energy else {})}


def _split_layers(group: Group, numbers: dict[Branch, Array], is_picked: Array) -> Iterator[Part]:
    """Yield the hits of layers with cells of one size, the conditions that pick them, and comments.

    Around the beam they are also behind each other; of layers across it, those that are shifted may be
    hexagons of one lattice.
    """
    places = [numbers[group.places[role]] for role in group.pair]
    is_around = "phi" in group.pair
    if group.layer is None or not (is_around or group.pair == ("y", "x")) or not is_picked.any():
        yield is_picked, [], []
        return
    layer, name = numbers[group.layer], group.layer.config_name
    split = layers_in_line if is_around else layers_of_one_pitch
    parts = split([each[is_picked] for each in places], layer[is_picked])
    if len(parts) == 1:
        yield is_picked, [], []
        return
    told = " and ".join(f"{name} {ranges(part)}" for part in parts)
    what = "of one size and in line" if is_around else "of one size"
    text = f"a grid for the layers whose cells are {what}: {told} are grids of their own"
    for labels in parts:
        some = [int(label) for label in labels]
        condition = {"equals": some[0]} if len(some) == 1 else {"in": some}
        yield is_picked & np.isin(layer, labels), [{"branch": name, **condition}], [("where", text)]


def _split_ends(tree: Tree, group: Group, numbers: dict[Branch, Array], is_picked: Array) -> Iterator[Part]:
    """Yield the hits of each end of a detector, the fuller first, unless an integer tells the ends apart.

    Cells behind each other in two ends must not be added up as layers are.
    """
    z = group.places.get("z")
    is_across = {"x", "y"} <= {*group.places} or not {"eta", "theta", "z"} & {*group.pair}
    if z is None or not is_across or not is_picked.any():
        yield is_picked, [], []
        return
    along, is_above = numbers[z][is_picked], numbers[z] > 0
    ends = [is_picked & is_above, is_picked & ~is_above]
    if not all(end.any() for end in ends) or np.abs(along).min() < FAR * np.abs(along).max():
        yield is_picked, [], []
        return
    _, integers = integers_of(tree, group, numbers)
    for each in integers:
        labels = [np.unique(each.values[end]) for end in ends]
        if sum(map(len, labels)) <= MAX_SECTIONS and not np.isin(labels[0], labels[1]).any():
            yield is_picked, [], []
            return
    text = f"two ends of a detector: a grid of hits with {z.config_name} above 0, and one of those below"
    for end in sorted(ends, key=np.count_nonzero, reverse=True):
        limit = "min" if is_above[end].all() else "max"
        yield end, [{"branch": z.config_name, limit: 0}], [("where", text)]


def _pick_section(
    group: Group, numbers: dict[Branch, Array]
) -> tuple[Array, list[dict[str, Any]], list[tuple[str, str]]]:
    """Return which hits are in the fullest section, the condition that picks them, and comments; or all."""
    comments = []
    if group.noise is not None and np.any(numbers[group.noise]):
        comments.append(
            ("where", f"where: [{{branch: {group.noise.config_name}, equals: false}}] leaves out noise")
        )
    n_hits = len(numbers[next(iter(group.places.values()))])
    if group.section is None:
        return np.ones(n_hits, bool), [], comments
    labels, counts = np.unique(numbers[group.section], return_counts=True)
    if not 1 < len(labels) <= MAX_SECTIONS or _are_sides(group, numbers[group.section], numbers):
        return np.ones(n_hits, bool), [], comments
    fullest = int(labels[np.argmax(counts)])
    others = ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    text = f"several sections in one collection; hits read by section: {others}. The fullest one is taken"
    where = [{"branch": group.section.config_name, "equals": fullest}]
    return numbers[group.section] == fullest, where, [*comments, ("where", text)]


def _with_sides(group: Group, numbers: dict[Branch, Array]) -> Group:
    """Return hits with the side of a detector across the beam, -1 or 1, as their layer, if they have no other.

    Nothing is left out then, and each side is searched by itself.
    """
    if group.section is None or group.layer is not None or group.pair[0] in ALONG:
        return group
    if not group.section.words.endswith("side") or np.unique(numbers[group.section]).tolist() != [-1, 1]:
        return group
    return group._replace(section=None, layer=group.section)


def _are_sides(group: Group, sections: Array, numbers: dict[Branch, Array]) -> bool:
    """Return whether sections are the sides of one detector that the sign of eta, or z, tells apart already."""
    if group.pair[0] not in ALONG:
        return False
    along = numbers[group.places[group.pair[0]]]
    below, above = np.unique(sections[along < 0]), np.unique(sections[along > 0])
    return len(below) == len(above) == 1 and below[0] != above[0] and bool(np.all(along))
