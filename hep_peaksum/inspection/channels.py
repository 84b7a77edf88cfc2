"""Hits that say a channel only: where it is stands in a cell table, or in the bits of its number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from hep_peaksum.geometry.bit_fields import BitField
from hep_peaksum.inspection.candidates import GUESSED_TABLE, TABLE, Candidate, Channels
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import propose_axis
from hep_peaksum.lattices.id_parts import IdParts, id_sections
from hep_peaksum.lattices.joined_labels import BASE, can_join, join_labels
from hep_peaksum.lattices.numbering import bit_parts, n_different
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree
from hep_peaksum.naming.groups import Group

FILLED = 0.02  # of the pairs of two numbers in an id, which occur
MOST_MORE = 2  # integers that name a channel with another
FEW_LEFT = 0.1  # of the hits that share a channel, which may still do so
FEW_BITS = 10
EMPTY_TABLE = "fill in row and col of its channels"


def channel_candidate(tree: Tree, group: Group, numbers: dict[Branch, Array], event: Array) -> Candidate:
    """Return hits that say a channel only: where it is must come from a cell table; `event` is that of each."""
    channel, value = group.channel, group.value
    assert channel is not None  # noqa: S101 -- how such groups are made
    assert value is not None  # noqa: S101
    if (by_bits := _bits_candidate(tree, group, channel, value, numbers)) is not None:
        return by_bits
    members = _told_apart_by(group, channel, numbers, event)
    more = len(members) > 1
    ids = numbers[channel].astype(np.int64)
    if more:
        ids = join_labels([(each.name, numbers[each]) for each in members])
    labels = np.unique(ids)
    sections = () if more else id_sections(ids, numbers[value], event)
    n_more = len(event) - n_different([event, ids])
    comment = _table_comment(members, labels, sections, n_more, len(event))
    names = [each.config_name for each in members]
    source: Any = {"join": names} if more else names[0]
    grid = {"hits": {"channel": source, "value": value.config_name}, "cells": TABLE}
    grid |= {"layers": "each"} if len(sections) > 1 else {}
    branches = (*(each.name for each in members), value.name)
    return Candidate(
        *(tree.name, tree.n_entries, branches, "hits by channel, needs a cell table", grid),
        n_values=len(numbers[value]),
        order=conventions.order(group.name, tree.name),
        comments=(
            *value_comments(group, numbers),
            ("cells", comment),
            *conventions.unit_comments(tree, conventions.units_of(tree, value, value), value),
        ),
        table=_table_of(labels, sections, members),
        told_of_table=GUESSED_TABLE if sections else EMPTY_TABLE,
        channels=Channels(source, labels, parts=_words(group, members) if more else ()),
    )


def _words(group: Group, members: Sequence[Branch]) -> tuple[str, ...]:
    """Return the words of branches without what the names of all hits begin with."""
    return tuple(each.words.removeprefix(f"{group.stem}_") for each in members)


def value_comments(group: Group, numbers: dict[Branch, Array]) -> list[tuple[str, str]]:
    """Return what to say of the values of hits: what else they may be, and whether they are guessed."""
    if group.value is None:
        guessed = ", guessed" * group.is_value_guessed
        return [("hits", f"no branch holds an energy: value: 1 counts hits{guessed}")]
    others = [branch.config_name for branch in group.other_values if np.any(numbers[branch])]
    if group.is_value_guessed:
        also = f"; also {', '.join(others)}" if others else ""
        return [("hits", f"no name says what the energy is: {group.value.config_name} guessed{also}")]
    if others and group.value.words.endswith(conventions.COUNTS):
        return [("hits", f"value {group.value.config_name} guessed; also {', '.join(others)}")]
    return [("hits", f"the value may also be {', '.join(others)}")] if others else []


def _table_comment(
    members: Sequence[Branch], labels: Array, sections: Sequence[IdParts], n_more: int, n_hits: int
) -> str:
    """Return what to say of the table of channels, of which `n_more` hits share one with another."""
    text = (
        f"channels {labels[0]} to {labels[-1]} ({len(labels)} occur): write cells.csv with a line for each,"
        "\ncolumns channel, row, col (or x, y), and pedestal, gain where counts are raw; it gives rows and cols"
    )
    if sections:
        looks_like = "; and ".join(parts.in_words for parts in sections)
        text += f"\nthey look like {looks_like}, as the table that init writes has it: guessed"
        text += "\nguessed that these are detectors of their own, so layers, each searched by itself" * (
            len(sections) > 1
        )
    elif len(members) == 1:
        text += _bits_in_words(members[0], labels)
    if n_more:
        text += (
            f"\nguessed that {' and '.join(each.config_name for each in members)} alone says the cell,"
            f" though {n_more} of {n_hits} hits"
            "\nhave that of another hit of their event: where a board or a slot counts, too,"
            f"\nchannel: {{join: [SLOT, {members[-1].config_name}]}} with its branch reads both"
        )
    return text


def _told_apart_by(
    group: Group, channel: Branch, numbers: dict[Branch, Array], event: Array
) -> tuple[Branch, ...]:
    """Return a channel with the integers without which hits of an event would share it, as sector and layer."""
    n_same = len(event) - n_different([event, numbers[channel]])
    named = [each for each in group.integers if conventions.names_module(each.words)]
    others = [each for each in (group.section, group.layer, *named) if each is not None]
    others = [each for each in others if each.dtype.kind in "iu" and len(np.unique(numbers[each])) > 1]
    for size in range(1, MOST_MORE + 1) if n_same else ():
        orders = (_order_to_join(some, channel, numbers) for some in combinations(others, size))
        found = [
            (len(event) - n_different([event, *(numbers[each] for each in members)]), members)
            for members in filter(None, orders)
        ]
        n_left, best = min(found, default=(n_same, ()), key=lambda each: each[0])
        if n_left < FEW_LEFT * n_same:
            return best
    return (channel,)


def _order_to_join(some: Sequence[Branch], channel: Branch, numbers: dict[Branch, Array]) -> tuple[Branch, ...]:
    """Return a channel and other integers in an order in which they can be joined; empty if there is none."""
    orders = ((*some, channel), (channel, *some))
    return next((order for order in orders if can_join([numbers[each] for each in order])), ())


def _bits_in_words(channel: Branch, labels: Array) -> str:
    """Return what to write if bits of a channel are its row and column; nothing for few channels."""
    n_bits = int(labels.max()).bit_length()
    if labels.min() < 0 or n_bits < FEW_BITS:
        return ""
    col, row = (
        f"{{bits: {channel.config_name}, first: {first}, last: {last}}}"
        for first, last in ((0, n_bits // 2 - 1), (n_bits // 2, n_bits - 1))
    )
    return f"\nif its bits are row and col: row: {row}, col: {col}, in place of channel, with your bits"


def _table_of(labels: Array, sections: Sequence[IdParts], members: Sequence[Branch]) -> str:
    """Return a cell table of channels: with the places that ids say, else with empty ones."""
    names: tuple[str, ...] = ("row", "col")
    if sections:
        are_layers = len(sections) > 1
        names = ("layer", *names) if are_layers else sections[0].names
        lines = [
            ",".join(map(str, (channel, number, *cell) if are_layers else (channel, *cell)))
            for number, parts in enumerate(sections)
            for channel, cell in parts.cells()
        ]
    else:
        first, last = int(labels[0]), int(labels[-1])
        are_dense = len(labels) > 0.5 * (last - first + 1)  # others just had no hit
        lines = [f"{label},," for label in (range(first, last + 1) if are_dense else labels.tolist())]
    n = len(members)
    joined = " + ".join(f"{BASE ** (n - 1 - place)} * {each.name}" for place, each in enumerate(members))
    about = [f"# channel is {joined}"] if n > 1 else []
    return "\n".join([*about, ",".join(("channel", *names)), *lines, ""])


def _bits_candidate(
    tree: Tree, group: Group, channel: Branch, value: Branch, numbers: dict[Branch, Array]
) -> Candidate | None:
    """Return hits whose ids consist of two numbers, with bits between them that never differ; else None."""
    ids = numbers[channel].astype(np.int64)
    parts = bit_parts(ids)
    if len(parts) != 2 or parts[0][1] > parts[1][0]:
        return None
    (col, row) = ({"bits": channel.config_name, "first": first, "last": last} for first, last in parts)
    of_col, of_row = (BitField(*part).of(ids) for part in parts)
    rows, cols = propose_axis("row", of_row), propose_axis("col", of_col)
    n_ids, n_rows, n_cols = (len(np.unique(each)) for each in (ids, of_row, of_col))
    if rows is None or cols is None or n_ids < FILLED * n_rows * n_cols:
        return None
    text = f"row and col guessed, from the bits of {channel.config_name} that differ"
    text += f"\nif they are channels: channel: {channel.config_name} in place of row and col, and a cell table"
    units = conventions.units_of(tree, value, value)
    about = [("hits", text), ("rows", rows.comment), ("cols", cols.comment)]
    return Candidate(
        *(tree.name, tree.n_entries, (channel.name, value.name), "hits by bits of an id, guessed"),
        {
            "hits": {"row": row, "col": col, "value": value.config_name},
            "rows": rows.section,
            "cols": cols.section,
        },
        n_values=len(ids),
        order=conventions.order(group.name, tree.name),
        comments=(*(each for each in about if each[1]), *conventions.unit_comments(tree, units, value)),
        channels=Channels(channel.config_name, np.unique(ids)),
    )
