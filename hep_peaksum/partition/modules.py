"""The integers of hits without which cells of different modules would be one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import snapped
from hep_peaksum.lattices.depth import Layers
from hep_peaksum.lattices.numbering import MAX_GROUPS, Integers, n_different, ranks, share_bits
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch
from hep_peaksum.naming.groups import Group
from hep_peaksum.naming.hit_integers import branch_integers
from hep_peaksum.partition.sections import MAX_SECTIONS

MOST_INTEGERS = 20  # that are tried
MANY_PAIRS = 20  # of hits for each cell: some of them are in one row and column, though in other modules


def modules_of(
    places: tuple[Array, Array],
    group: Group,
    numbers: Mapping[Branch, Array],
    event: Array,
    layers: Layers,
    integers: Sequence[Integers],
) -> tuple[tuple[Integers, ...], list[tuple[str, str]]]:
    """Return integers without which cells of different modules would be one, and what to tell."""
    if any(each.dtype.kind not in "iu" for each in places):
        return _modules_by_ids(places, group, numbers, layers, integers)
    keys = [layers.place, *places]
    if group.channel is not None or {"x", "y"} <= {*group.places}:
        n_ids = n_different([ids_of(group, numbers, layers)])
        if (found := _fewest(integers, keys, n_ids, layers)) is not None:
            return found, _told_of(found)
        of = "ids" if group.channel is not None else "positions"
        text = f"guessed that row and column say the cell, though {n_ids} {of} are {n_different(keys)} cells"
        return (), [("hits", text)]
    # A row and a column occur in several modules, or hits of one event in one cell are in different ones.
    named = _named_modules(group, integers)
    n_cells = n_different([*keys, *(each.values for each in named)])
    found = _fewest(named, keys, n_cells, layers) or ()
    cells = [event, *keys, *(each.values for each in found)]
    others = [each for each in integers if each.source not in [module.source for module in found]]
    found += _fewest(others, cells, len(event), layers) or ()
    return found, _told_of(found) or _told_of_few(named, places)


def _fewest(
    integers: Sequence[Integers], cells: Sequence[Array], n_cells: int, layers: Layers
) -> tuple[Integers, ...] | None:
    """Return the fewest integers that tell so many cells apart; None if no two do."""
    for size in (0, 1, 2) if len(integers) <= MOST_INTEGERS else (0,):
        for some in combinations(integers, size):
            more = [each.values for each in some]
            if n_different([layers.place, *more]) <= MAX_GROUPS and n_different([*cells, *more]) >= n_cells:
                return some
    return None


def _named_modules(group: Group, integers: Sequence[Integers]) -> list[Integers]:
    """Return the integers that are numbers of modules by their names."""
    names = [each.config_name for each in group.integers if conventions.names_module(each.words)]
    return [each for each in integers if each.source in names]


def _told_of_few(modules: Sequence[Integers], places: tuple[Array, Array]) -> list[tuple[str, str]]:
    """Return what to tell of modules where so few hits are read that hardly two are in one row and column."""
    n_cells = math.prod(int(np.ptp(each)) + 1 for each in places)
    if not modules or len(places[0]) ** 2 > MANY_PAIRS * n_cells:
        return []
    names = ", ".join(f"{each.source}" for each in modules)
    text = f"guessed from few hits that {names} {'is' if len(modules) == 1 else 'are'} no part of the cell"
    return [("hits", f"{text}; else layer: {modules[0].source}, and layers: each")]


def _modules_by_ids(
    positions: Sequence[Array],
    group: Group,
    numbers: Mapping[Branch, Array],
    layers: Layers,
    integers: Sequence[Integers],
) -> tuple[tuple[Integers, ...], list[tuple[str, str]]]:
    """Return an integer without which two ids at one position would be one cell, as of two disks."""
    if group.channel is None:
        return (), []
    cells = [layers.place, *(snapped(each) for each in positions)]
    n_ids = n_different([layers.place, numbers[group.channel]])
    if n_different(cells) == n_ids:
        return (), []
    own = branch_integers(group.channel, numbers)  # which tells all ids apart, as its bits may
    for each in (each for each in integers if not share_bits(each, own)):
        is_few = n_different([each.values]) <= MAX_SECTIONS
        if is_few and n_different([*cells, each.values]) == n_ids:
            return (each,), _told_of([each])
    return (), []


def _told_of(modules: Sequence[Integers]) -> list[tuple[str, str]]:
    """Return why integers are part of the layer; nothing of none."""
    if not modules:
        return []
    names = " and ".join(each.name for each in modules)
    tell, they_are = ("tells", "it is") if len(modules) == 1 else ("tell", "they are")
    text = f"{names} {tell} hits apart that have the same row and column, so {they_are} part of the layer"
    return [("hits", text)]


def ids_of(group: Group, numbers: Mapping[Branch, Array], layers: Layers) -> Array:
    """Return what is different for every cell: the id of hits with all integers, else their positions."""
    if group.channel is not None:
        return ranks([layers.place, *(numbers[each] for each in (group.channel, *group.integers))])
    places = [numbers[branch] for branch in group.places.values()]
    return ranks([layers.place, *(each if each.dtype.kind in "iu" else snapped(each) for each in places)])
