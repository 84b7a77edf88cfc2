"""The hits of a collection by the grids that they fill: detectors, turns of equally many cells, and ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import ranges
from hep_peaksum.lattices.turns import rows_of_one_turn
from hep_peaksum.naming.branches import Branch, Tree
from hep_peaksum.naming.groups import Group
from hep_peaksum.naming.hit_integers import integers_of
from hep_peaksum.partition.layers import Part
from hep_peaksum.partition.sections import MAX_SECTIONS

LARGER, OTHER = 1.5, 1.1  # sides of a detector than those of another: one of them, and both
MIN_SHARE = 0.5  # hits for each cell, from which the sides of a detector are seen
FAR = 0.5  # of the distance of the farthest hit along the beam: as far as that are those of two ends


def split_parts(tree: Tree, group: Group, numbers: dict[Branch, Array], is_picked: Array) -> Iterator[Part]:
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
