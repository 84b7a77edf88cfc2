"""The sections that a branch names in a collection of hits: one is taken, or two sides are layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group

MAX_SECTIONS = 10
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
