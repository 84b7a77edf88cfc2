"""Which integers of hits number the cells: those that rise with a coordinate, and those that name a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.kernels import Array

TURN = 2 * np.pi
MIN_STEPS = 3  # from a cell to the next, in which integers must rise with a coordinate
FEW_STEPS = 20  # fewer than this may be chance, so it is a guess
MAX_CHAIN = 3  # of integers along one axis: sector, module, cell
MAX_GROUPS = 400  # layers, or modules and layers


class Integers(NamedTuple):
    """An integer of every hit, what it is called, and what stands for it in a config."""

    name: str
    source: Any  # a branch, or bits of one
    values: Array
    is_signed: bool = False


class Chain(NamedTuple):
    """Integers that number cells along a coordinate together, the coarsest first, each rising or falling."""

    members: tuple[Integers, ...] = ()
    directions: tuple[int, ...] = ()
    n_steps: int = 0  # from a cell to the next that were looked at, in the last integer

    def names(self) -> set[str]:
        """Return what the integers are called."""
        return {member.name for member in self.members}

    def rank(self) -> Array:
        """Return the place of every hit in the order of cells, among those that occur."""
        return ranks([d * m.values for m, d in zip(self.members, self.directions, strict=True)])


def ranks(keys: Sequence[Array]) -> Array:
    """Return for every hit the place of its keys among all that occur, in their order, the first key first.

    >>> ranks([np.array([7, 3, 7]), np.array([1, 5, 0])]).tolist()
    [2, 0, 1]
    """
    if not keys:
        return np.zeros(0, np.int64)
    rank = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        _, inverse = np.unique(key, return_inverse=True)
        _, rank = np.unique(rank * (int(inverse.max(initial=0)) + 1) + inverse, return_inverse=True)
    return rank


def n_different(keys: Sequence[Array]) -> int:
    """Return how many different combinations of keys there are.

    >>> n_different([np.array([1, 1, 2]), np.array([0, 1, 1])])
    3
    """
    rank = ranks(keys)
    return int(rank.max(initial=-1)) + 1


def chain_along(coordinate: Array, integers: Sequence[Integers], group: Array, *, is_angle: bool) -> Chain:
    """Return the integers that number the cells along a coordinate, within every group; empty if none do.

    Of a module and a cell in it, both are found: the cells of a module follow those of the one before.
    """
    best, n_best = Chain(), 0
    todo = [Chain()]
    while todo:
        start = todo.pop()
        for each in integers:
            if each.name in start.names() or len(start.members) == MAX_CHAIN:
                continue
            for direction in (1, -1):
                longer = Chain((*start.members, each), (*start.directions, direction))
                outer = ranks([group, start.rank()]) if start.members else group
                steps = _n_steps(longer, coordinate, group, outer, is_angle)
                n_cells = n_different([group, longer.rank()])
                if steps and n_cells > n_different([group, *_rank_of(start)]):
                    longer = longer._replace(n_steps=steps)
                    todo.append(longer)  # two modules are one step, and their cells may be many
                    if steps >= MIN_STEPS and n_cells > n_best:
                        best, n_best = longer, n_cells
    return best


def _rank_of(chain: Chain) -> list[Array]:
    return [chain.rank()] if chain.members else []


def _n_steps(chain: Chain, coordinate: Array, group: Array, outer: Array, is_angle: bool) -> int:
    """Return from how many cells to the next of the same outer cell the last integer rises as it should.

    0 if cells overlap along the coordinate, or are in another order, anywhere in a group.
    """
    cell = ranks([group, chain.rank()])
    n = int(cell.max(initial=-1)) + 1
    first = np.zeros(n, np.int64)
    first[cell] = np.arange(len(cell))
    values = _near(coordinate, coordinate[first][cell]) if is_angle else coordinate
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, cell, values)
    np.maximum.at(high, cell, values)
    in_group, in_outer = group[first], outer[first]
    is_same = in_group[1:] == in_group[:-1]
    step = low[1:] - high[:-1]
    tolerance = 1e-7 * max(float(np.abs(coordinate).max(initial=0)), 1e-30)
    if is_angle:
        if (high - low).max(initial=0) > TURN / 2:
            return 0
        middle = (low + high) / 2
        forward = np.mod(middle[1:] - middle[:-1], TURN)
        step = forward - ((high - low)[1:] + (high - low)[:-1]) / 2
        travelled = np.bincount(in_group[1:], np.where(is_same, forward, 0))
        if travelled.max(initial=0) > TURN:
            return 0
    if (step[is_same] <= tolerance).any():
        return 0
    return int(np.count_nonzero(in_outer[1:] == in_outer[:-1]))


def _near(angle: Array, other: Array) -> Array:
    """Return angles as the nearest to others that are the same up to turns."""
    return other + np.mod(angle - other + np.pi, TURN) - np.pi


class Cells(NamedTuple):
    """Rows and columns by integers, what they lie along, and the integers that name a module, if need be."""

    roles: tuple[str, str]
    row: Chain
    col: Chain
    modules: tuple[Integers, ...]
    n_cells: int
    n_ids: int

    def unused(self, integers: Sequence[Integers]) -> list[str]:
        """Return the integers that number cells no more, though they vary."""
        used = self.row.names() | self.col.names() | {each.name for each in self.modules}
        return [each.name for each in integers if each.name not in used]


def number_cells(
    coordinates: Mapping[str, Array],
    planes: Sequence[tuple[str, str]],
    integers: Sequence[Integers],
    layer: Array,
    ids: Array,
) -> Cells | None:
    """Return the integers that number the cells of a plane, or None.

    Parameters
    ----------
    coordinates
        By name, of every hit; `phi` is an angle.
    planes
        Names of the coordinates that may be rows and columns, the best first.
    integers
        Those of every hit that may number cells, without that of the layer.
    layer
        Of every hit.
    ids
        Of every hit: what is different is another cell.
    """
    integers = [each for each in integers if len(np.unique(each.values)) > 1]
    n_ids, best = n_different([ids]), None
    for modules in _module_sets(integers, layer):
        group = ranks([layer, *(each.values for each in modules)])
        rest = [each for each in integers if each not in modules]
        chains: dict[str, Chain] = {}
        for roles in planes:
            for role in roles:
                if role not in chains:
                    chains[role] = chain_along(coordinates[role], rest, group, is_angle=role == "phi")
            row, col = chains[roles[0]], chains[roles[1]]
            if not row.members or not col.members or row.names() & col.names():
                continue
            n_cells = n_different([group, row.rank(), col.rank()])
            if best is None or n_cells > 1.001 * best.n_cells:
                best = Cells(roles, row, col, modules, n_cells, n_ids)
        if best is not None and best.n_cells == n_ids:
            break
    return best


def _module_sets(integers: Sequence[Integers], layer: Array) -> Iterator[tuple[Integers, ...]]:
    """Yield sets of integers that may name a module: none, one, two; in no more groups than a grid can have."""
    for size in range(3):
        for modules in combinations(integers, size):
            if not modules or n_different([layer, *(each.values for each in modules)]) <= MAX_GROUPS:
                yield modules
