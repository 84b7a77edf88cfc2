"""Candidates of jagged hits: which plane they lie on, in which layers, and the section of the config for it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.geometry.bit_fields import BitField, read_encoding
from hep_peaksum.inspection import conventions
from hep_peaksum.inspection.axes import propose_axis
from hep_peaksum.inspection.branches import Branch, Tree, flat, read
from hep_peaksum.inspection.candidates import Candidate, Rejected
from hep_peaksum.inspection.groups import Group
from hep_peaksum.inspection.planes import plane_of
from hep_peaksum.kernels import Array

MAX_SECTIONS = 10


def hit_candidate(tree: Tree, group: Group) -> Candidate | Rejected:
    """Return hits as a candidate, after a look at their first entries."""
    branches = list(group.branches)
    arrays = read(tree.content, branches)
    names = tuple(branch.name for branch in branches if branch is not group.edges)
    if arrays is None:
        return Rejected(tree.name, names, "cannot be read")
    counts = [ak.num(values) for values in arrays]
    if any(ak.any(number != counts[0]) for number in counts):
        return Rejected(tree.name, names, "the branches have different numbers of hits")
    numbers = {branch: flat(values) for branch, values in zip(branches, arrays, strict=True)}
    if (problem := _emptiness(group, numbers, len(counts[0]))) is not None:
        return Rejected(tree.name, names, *problem)
    if group.pair:
        return _placed_candidate(tree, group, numbers)
    return _channel_candidate(tree, group, numbers, np.repeat(np.arange(len(counts[0])), counts[0]))


def _emptiness(group: Group, numbers: dict[Branch, Array], n_entries: int) -> tuple[str, str] | None:
    """Return what hits lack that fill no grid, a reason and "energy" or "place", or None."""
    places = [group.places[role] for role in group.pair]
    n_hits = len(numbers[(places or [*numbers])[0]])
    if n_hits == 0:
        return f"no hit in the first {n_entries} entries", ""
    if group.value is not None and not np.any(numbers[group.value]):
        return f"{group.value.name} is 0 in all {n_hits} hits", "energy"
    if places and not any(np.any(numbers[branch]) for branch in places):
        return f"{' and '.join(branch.name for branch in places)} are 0 in all {n_hits} hits", "place"
    return None


def _channel_candidate(tree: Tree, group: Group, numbers: dict[Branch, Array], event: Array) -> Candidate:
    """Return hits that say a channel only: where it is must come from a cell table; `event` is that of each."""
    channel, value = group.channel, group.value
    assert channel is not None  # noqa: S101 -- how such groups are made
    assert value is not None  # noqa: S101
    labels = np.unique(numbers[channel])
    table = (
        f"channels {labels[0]} to {labels[-1]} ({len(labels)} occur): write cells.csv with a line for each,"
        "\ncolumns channel, row, col (or x, y), and pedestal, gain where counts are raw; it gives rows and cols"
    )
    of_event = np.stack([event, numbers[channel].astype(np.int64)], axis=1)
    if n_more := len(of_event) - len(np.unique(of_event, axis=0)):
        table += (
            f"\nguessed that {channel.config_name} alone says the cell, though {n_more} of {len(event)} hits"
            "\nhave that of another hit of their event: where a board or a slot counts, too, a function of your"
            '\nown reads both (hits: "module:function")'
        )
    grid = {"hits": {"channel": channel.config_name, "value": value.config_name}, "cells": "cells.csv"}
    return Candidate(
        *(tree.name, tree.n_entries, (channel.name, value.name), "hits by channel, needs a cell table", grid),
        n_values=len(numbers[value]),
        order=conventions.order(group.name, tree.name),
        comments=(
            ("cells", table),
            *conventions.unit_comments(tree, conventions.units_of(tree, value, value), value),
        ),
    )


def _placed_candidate(tree: Tree, group: Group, numbers: dict[Branch, Array]) -> Candidate | Rejected:
    """Return hits that say where they are."""
    numbers, where, comments = _pick_section(group, numbers)
    units = conventions.units_of(tree, group.value, next(iter(group.places.values())))
    plane = plane_of(group, numbers, units)
    rows, cols = plane.axis(0), plane.axis(1)
    names = tuple(branch.name for branch in (*plane.branches, group.value) if branch is not None)
    if rows is None or cols is None:
        return Rejected(tree.name, names, "the coordinates are no places along an axis")
    layers = _layers(tree, group, numbers)
    value: Any = 1 if group.value is None else group.value.config_name
    hits = {"row": plane.row, "col": plane.col, **layers.hits, "value": value}
    comments += [*plane.comments, *_value_comments(group, numbers), *layers.comments]
    grid: dict[str, Any] = {"hits": hits, **where, **layers.depth}
    if plane.geometry:
        grid["geometry"] = plane.geometry
    else:
        grid |= {"rows": rows.section, "cols": cols.section, **_quantity(group, units)}
        comments += [("rows", rows.comment), ("cols", cols.comment)]
        comments += [] if group.value is None else conventions.unit_comments(tree, units, group.value)
    kind = conventions.likeness(group.name, tree.name)
    what = "hits" if kind in ("towers", "cells", "hits", "others") else f"{kind}, no cells,"
    looks_like = f"{what} in {plane.words}{layers.in_words}"
    for each in where.get("where", ()):
        looks_like += f", where {each['branch'].rpartition('.')[2]} is {each['equals']}"
    return Candidate(
        *(tree.name, tree.n_entries, names, looks_like, grid),
        n_values=len(next(iter(numbers.values()))),
        order=conventions.order(group.name, tree.name),
        comments=tuple((key, text) for key, text in comments if text),
    )


def _quantity(group: Group, units: conventions.Units) -> dict[str, Any]:
    """Return the keys that say what a value is, as far as that is known."""
    if group.value is None:
        return {}
    is_transverse = group.value.words.rpartition("_")[2] in ("iet", "et", "pt")
    return {**({"quantity": "et"} if is_transverse else {}), **({"unit": units.energy} if units.energy else {})}


def _pick_section(
    group: Group, numbers: dict[Branch, Array]
) -> tuple[dict[Branch, Array], dict[str, Any], list[Any]]:
    """Return the hits of the fullest section, the condition that picks them, and comments; or all hits."""
    numbers = {
        branch: each.reshape(-1, 4) if branch is group.edges else each for branch, each in numbers.items()
    }
    comments = []
    if group.noise is not None and np.any(numbers[group.noise]):
        comments.append(
            ("where", f"where: [{{branch: {group.noise.config_name}, equals: false}}] leaves out noise")
        )
    if group.section is None:
        return numbers, {}, comments
    labels, counts = np.unique(numbers[group.section], return_counts=True)
    if not 1 < len(labels) <= MAX_SECTIONS:
        return numbers, {}, comments
    fullest = int(labels[np.argmax(counts)])
    picked = {branch: each[numbers[group.section] == fullest] for branch, each in numbers.items()}
    others = ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    text = f"several sections in one collection; hits read by section: {others}. The fullest one is taken"
    where = {"where": [{"branch": group.section.config_name, "equals": fullest}]}
    return picked, where, [*comments, ("where", text)]


class _Layers(NamedTuple):
    """The keys of the config for the layers of hits, and comments on them; empty where there is one layer."""

    hits: dict[str, Any]
    depth: dict[str, Any]
    comments: list[tuple[str, str]]
    in_words: str = ""


def _layers(tree: Tree, group: Group, numbers: dict[Branch, Array]) -> _Layers:
    """Return what names the layer of hits, a branch or bits of an id, and the axis of layers."""
    source: Any = None
    labels = np.empty(0, int)
    if group.layer is not None:
        source, labels = group.layer.config_name, numbers[group.layer]
    elif group.channel is not None and (bits := _layer_bits(tree, group, group.channel)):
        keys, field = bits
        source = {"bits": group.channel.config_name, **keys}
        labels = field.of(numbers[group.channel])
    axis = propose_axis("layer", labels) if len(np.unique(labels)) > 1 else None
    if axis is None:
        return _Layers({}, {}, [])
    comment = f"{axis.comment}\nlayers are summed; with layers: each every layer is searched by itself".strip()
    n_layers = int(labels.max() - labels.min()) + 1
    return _Layers({"layer": source}, {"depth": axis.section}, [("depth", comment)], f", {n_layers} layers")


def _layer_bits(tree: Tree, group: Group, channel: Branch) -> tuple[dict[str, Any], BitField] | None:
    """Return the bits of an id that name a layer, with the keys of the config for them."""
    field = None
    with suppress(ValueError):  # an encoding that is none says nothing
        field = read_encoding(tree.encodings.get(group.collection, "")).get("layer")
    if field is not None and channel.dtype.kind in "iu" and field.last < 8 * channel.dtype.itemsize:
        return {"field": "layer", "encoding": {"from_file": group.collection}}, field
    if tree.owner(channel).startswith("vector<ldmx::"):
        for begin, (first, last) in conventions.LDMX_LAYERS.items():
            if group.collection.startswith(begin):
                return {"first": first, "last": last}, BitField(first, last)
    return None


def _value_comments(group: Group, numbers: dict[Branch, Array]) -> list[tuple[str, str]]:
    if group.value is None:
        return [("hits", "no branch holds an energy: value: 1 counts hits")]
    others = [branch.config_name for branch in group.other_values if np.any(numbers[branch])]
    return [("hits", f"the value may also be {', '.join(others)}")] if others else []
