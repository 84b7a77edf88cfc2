"""Trees that say where cells are by their ids, and the cell table made of one for hits that have ids only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.jagged import flat_numbers
from hep_peaksum.inspection.candidates import TABLE, Candidate, Channels
from hep_peaksum.inspection.found_planes import layers_of_places
from hep_peaksum.inspection.planes import plane_of
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import ProposedAxis
from hep_peaksum.lattices.joined_labels import can_join, join_labels
from hep_peaksum.lattices.numbering import n_different
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree, read
from hep_peaksum.naming.groups import Group, group_hits

MOST_CELLS = 500_000  # of a table
MOST_INTEGERS, MOST_LAYERS = 20, 100  # of a table: what may be read, and values of one that tells depths apart
MADE_TABLE = "where its channels are, as the file says"


class IdTable(NamedTuple):
    """Places of cells as a tree of the file has them, by their ids or in order.

    `numbers` are those of the branches of `group`, for every cell.
    """

    tree: Tree
    group: Group
    ids: Array
    numbers: dict[Branch, Array]

    def of(self, chosen: Array) -> IdTable:
        """Return the table of chosen cells."""
        numbers = {branch: values[chosen] for branch, values in self.numbers.items()}
        return self._replace(ids=self.ids[chosen], numbers=numbers)

    def for_channels(self, channels: Channels) -> IdTable | None:
        """Return the table with the numbers of channels as ids; None if it does not hold all of them."""
        table = self._joined(channels.parts) if channels.parts else self
        if table is None or len(np.unique(table.ids)) < len(table.ids):
            return None
        if channels.are_in_order:
            return table._replace(ids=channels.ids) if len(table.ids) == len(channels.ids) else None
        has_ids = table.group.channel is not None and bool(np.isin(channels.ids, table.ids).all())
        return _of_same_detector(table, channels.ids) if has_ids else None

    def _joined(self, words: Sequence[str]) -> IdTable | None:
        """Return the table with several numbers, by the words of their names, joined as ids, or None."""
        own = {each.words.removeprefix(f"{self.group.stem}_"): values for each, values in self.numbers.items()}
        if not {*words} <= {*own} or not can_join([own[word] for word in words]):
            return None
        return self._replace(ids=join_labels([(word, own[word]) for word in words]))

    def in_layers(self, places: Sequence[Array]) -> IdTable | None:
        """Return the table with an integer as the layer that tells apart cells at one place, if one does."""
        used = {*self.group.branches}
        for each, values in self.numbers.items() if self.group.layer is None else ():
            is_layer = (
                each not in used and values.dtype.kind in "iu" and 1 < len(np.unique(values)) <= MOST_LAYERS
            )
            if is_layer and n_different([*places, values]) == len(self.ids):
                return self._replace(group=self.group._replace(layer=each))
        return None


def id_tables(tree: Tree, branches: Sequence[Branch]) -> Iterator[IdTable]:
    """Yield places of cells, one for each: a cell an entry, or all in lists of one entry."""
    for depth in (0, 1) if tree.n_entries == 1 else (0,):
        for group in group_hits(branches, depth):
            if group.value is None and group.pair and tree.n_entries <= MOST_CELLS:
                whole = [each for each in branches if each.dtype.kind in "iu" and len(each.shape) == depth]
                yield from _read_table(tree, group, whole[:MOST_INTEGERS])


def _read_table(tree: Tree, group: Group, integers: Sequence[Branch]) -> Iterator[IdTable]:
    wanted = [*group.places.values(), group.channel, group.layer, group.section, *integers]
    members = list(dict.fromkeys(each for each in wanted if each is not None))
    arrays = read(tree.content, members, MOST_CELLS)
    if arrays is None:
        return
    numbers = {branch: flat_numbers(values) for branch, values in zip(members, arrays, strict=True)}
    n = len(numbers[members[0]])
    ids = np.arange(n) if group.channel is None else numbers[group.channel]
    if {len(values) for values in numbers.values()} == {n} and n > 1:
        yield IdTable(tree, group, ids, numbers)


def with_places(candidate: Candidate, tables: Iterable[IdTable]) -> Candidate:
    """Return cells that have numbers only with the places of these, if a table of another tree has them."""
    if candidate.channels is None:
        return candidate
    for table in tables:
        cells = table.for_channels(candidate.channels) if table.tree.name != candidate.tree else None
        if cells is not None and (found := _placed(candidate, candidate.channels, cells)) is not None:
            return found
    return candidate


def _of_same_detector(table: IdTable, ids: Array) -> IdTable:
    """Return the cells in those sections of a table in which there are hits."""
    section = table.group.section
    if section is None:
        return table
    sections = table.numbers[section]
    return table.of(np.isin(sections, sections[np.isin(table.ids, ids)]))


def _placed(candidate: Candidate, channels: Channels, table: IdTable) -> Candidate | None:
    """Return cells with a table of their places, or None if not each has one of its own."""
    units = conventions.units_of(table.tree, None, next(iter(table.group.places.values())))
    plane = plane_of(table.group, table.numbers, units)
    axes = {"rows": plane.axis(0), "cols": plane.axis(1)}
    layers = layers_of_places(table.group, table.numbers, units)
    places = {"layer": layers.labels[layers.place]} if layers.source is not None else {}
    for word, axis, values in zip(("row", "col"), axes.values(), plane.values, strict=True):
        numbers = _numbers(axis, values)
        if numbers is None or len(numbers) != len(table.ids):
            return None
        places[word] = numbers
    if n_different([*places.values()]) < len(table.ids):
        in_layers = table.in_layers([*places.values()])
        return None if in_layers is None else _placed_in_layers(candidate, channels, in_layers)
    about = f"the {len(table.ids)} cells of tree {table.tree.name}, which init writes into cells.csv"
    if channels.are_in_order:
        what, source = "values", {"dense": {"branch": channels.branch, "axes": ["channel"]}}
        about = f"guessed that {channels.branch} is in their order: {about}"
    else:
        what = "hits"
        source = {"hits": {"channel": channels.branch, "value": candidate.grid["hits"]["value"]}}
    told = [("cells", about), *((key, text.splitlines()[0]) for key, text in plane.comments)]
    told += [("layers", layers.told(each=False))]
    told += [(key, axis.comment) for key, axis in axes.items() if axis is not None]
    told += [each for each in candidate.comments if each[0] == "unit" or each[1].startswith("no name says")]
    sections = {key: axis.section for key, axis in axes.items() if axis is not None}
    unit = {key: value for key, value in candidate.grid.items() if key == "unit"}
    return candidate._replace(
        looks_like=f"{what} by channel in {plane.words}{layers.in_words}",
        grid={**source, "cells": TABLE, **sections, **unit},
        comments=tuple(each for each in told if each[1]),
        table=_as_text(table.ids, places),
        told_of_table=MADE_TABLE,
    )


def _placed_in_layers(candidate: Candidate, channels: Channels, table: IdTable) -> Candidate | None:
    """Return cells that share places with a table in which a number that tells them apart is the layer."""
    found = _placed(candidate, channels, table)
    if found is None or table.group.layer is None:
        return None
    text = f"guessed that cells at one place, which differ in {table.group.layer.name} alone, "
    text += "are layers behind each other"
    return found._replace(comments=(*found.comments, ("layers", text)))


def _numbers(axis: ProposedAxis | None, values: Array) -> Array | None:
    """Return what stands for places in a cell table, labels or indices; None if one lies on no cell."""
    if axis is None:
        return None
    found = Axis.model_validate(axis.section)
    index = found.find(values)
    if not len(index) or index.min() < 0:
        return None
    return values if found.label_values is not None else index


def _as_text(ids: Array, places: Mapping[str, Array]) -> str:
    columns = [ids, *places.values()]
    order = np.argsort(ids)
    lines = [",".join(map(str, line)) for line in zip(*(each[order].tolist() for each in columns), strict=True)]
    return "\n".join([",".join(("channel", *places)), *lines, ""])
