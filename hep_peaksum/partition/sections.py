"""The sections that a branch names in a collection of hits: one is taken, or two sides are layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group

MAX_SECTIONS = 10
MIN_HITS_PER_ROW = 3  # in every section: fewer hits share no row by chance
ALONG = ("ieta", "eta", "theta", "z")  # rows of both sides, one behind the other


def pick_section(
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
    if _are_of_one_numbering(group, numbers[group.section], numbers):
        told = f"guessed that {len(labels)} sections are one grid, as no cell is in two of them"
        told += f"; where: [{{branch: {group.section.config_name}, equals: {labels[0]}}}] takes one"
        return np.ones(n_hits, bool), [], [*comments, ("hits", told)]
    fullest = int(labels[np.argmax(counts)])
    others = ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    text = f"several sections in one collection; hits read by section: {others}. The fullest one is taken"
    where = [{"branch": group.section.config_name, "equals": fullest}]
    return numbers[group.section] == fullest, where, [*comments, ("where", text)]


def with_sides(group: Group, numbers: dict[Branch, Array]) -> Group:
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


def _are_of_one_numbering(group: Group, sections: Array, numbers: dict[Branch, Array]) -> bool:
    """Return whether sections have rows of their own beside each other, as a barrel between end caps has.

    Up to a tenth of the rows may be in two sections, as ieta 16 of CMS is, whose depths tell them apart.
    Sections that are numbered each by itself share rows, so that one grid would add up what lies apart.
    """
    labels = [numbers[group.places[role]] for role in group.pair]
    labels += [] if group.layer is None else [numbers[group.layer]]
    if any(each.dtype.kind not in "iu" for each in labels):
        return False
    owned, n_hits = np.unique(np.stack([labels[0], sections]), axis=1, return_counts=True)
    rows, owners = owned
    names = np.unique(owners)
    if any(n_hits[owners == each].mean() < MIN_HITS_PER_ROW for each in names) or np.diff(rows).max() > 2:
        return False
    n_shared = len(rows) - len(np.unique(rows))
    n_blocks = 1 + np.count_nonzero(np.diff(owners))  # of rows one behind the other, of one section each
    if n_shared > len(rows) / 10 or n_blocks > 2 * len(names) + 1:
        return False
    n_cells = np.unique(np.stack(labels), axis=1).shape[1]
    return bool(n_cells == np.unique(np.stack([*labels, sections]), axis=1).shape[1])
