"""Which integers of hits number the cells: those that rise with a coordinate, and those that name a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.lattices.joined_labels import can_join

TURN = 2 * np.pi
MIN_STEPS = 3  # from a cell to the next, in which integers must rise with a coordinate
FEW_STEPS = 10  # fewer than this may be chance, so it is a guess, unless every cell has so many hits
FEW_HITS = 5
MAX_CHAIN = 3  # of integers along one axis: sector, module, cell
OWN_SHARE = 0.8  # of the hits between those of a module, that are its own
MAX_SPLIT = 10  # bits of an integer, which may be row and column together
SEARCHED_HITS = 3000  # others only have to agree
MANY = 12  # integers, of which no two are tried as those of a module
WIDEST = 1 << 40  # between integers that are told apart without their order
MAX_GROUPS = 400  # layers, or modules and layers


class Integers(NamedTuple):
    """An integer of every hit, what it is called, and what stands for it in a config."""

    name: str
    source: Any  # a branch, or bits of one
    values: Array
    is_signed: bool = False


def share_bits(one: Integers, other: Integers) -> bool:
    """Return whether two integers are made of some of the same bits of a branch.

    >>> low, high = ({"bits": "id", "first": first, "last": last} for first, last in ((0, 1), (2, 3)))
    >>> share_bits(Integers("low", low, np.arange(4)), Integers("high", high, np.arange(4)))
    False
    >>> share_bits(Integers("low", low, np.arange(4)), Integers("id", "id", np.arange(16)))
    True
    """
    (branch, first, last), (other_branch, other_first, other_last) = map(_bits, (one.source, other.source))
    return bool(branch == other_branch and first <= other_last and other_first <= last)


def _bits(source: Any) -> tuple[Any, int, int]:
    """Return the branch that a source reads, the first and the last bit of it; a field is one of its own."""
    if isinstance(source, dict) and "first" in source:
        return source["bits"], source["first"], source["last"]
    return source, 0, 63


def joined_source(members: Sequence[Integers]) -> Any:
    """Return what stands for one integer in a config, or for several as one label."""
    return members[0].source if len(members) == 1 else {"join": [each.source for each in members]}


class Chain(NamedTuple):
    """Integers that number cells along a coordinate together, the coarsest first, each rising or falling."""

    members: tuple[Integers, ...] = ()
    directions: tuple[int, ...] = ()
    n_steps: int = 0  # from a cell to the next that were looked at, in the last integer

    @property
    def n_hits(self) -> int:
        """Number of hits."""
        return len(self.members[0].values)

    @property
    def n_cells(self) -> int:
        """Number of cells that occur."""
        return n_different([self.rank()])

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
    combined, n_before = np.zeros(len(keys[0]) if keys else 0, np.int64), 1
    for key in keys if len(combined) else ():
        if key.dtype.kind in "iu" and int(key.max()) - int(key.min()) < WIDEST:
            wide = key.astype(np.int64 if key.dtype.kind == "i" else np.uint64)
            number = (wide - wide.min()).astype(np.int64)
        else:
            number = ranks([key])
        n_numbers = int(number.max()) + 1
        if n_before * n_numbers >= 1 << 63:
            combined = ranks([combined])
            n_before = int(combined.max()) + 1
        combined, n_before = combined * n_numbers + number, n_before * n_numbers
    combined.sort()  # np.unique, which hashes whole numbers, takes several times as long
    return int(np.count_nonzero(np.diff(combined))) + min(len(combined), 1)


def chain_along(coordinate: Array, integers: Sequence[Integers], group: Array, *, is_angle: bool) -> Chain:
    """Return the integers that number the cells along a coordinate, within every group; empty if none do.

    Of a module and a cell in it, both are found: the cells of a module follow those of the one before. A whole
    number is preferred to several parts of it, of which the first alone goes around no turn.
    """
    best, best_so_far = Chain(), (0, 0)
    todo = [Chain()]
    while todo:
        start = todo.pop()
        for each in integers:
            if len(start.members) == MAX_CHAIN or any(share_bits(each, member) for member in start.members):
                continue
            if not can_join([member.values for member in (*start.members, each)]):
                continue
            for direction in (1, -1):
                longer = Chain((*start.members, each), (*start.directions, direction))
                outer = ranks([group, start.rank()]) if start.members else group
                steps = _n_steps(longer, coordinate, group, outer, is_angle)
                n_cells = n_different([group, longer.rank()])
                if steps and n_cells > n_different([group, *_rank_of(start)]):
                    longer = longer._replace(n_steps=steps)
                    todo.append(longer)  # two modules are one step, and their cells may be many
                    if steps >= MIN_STEPS and (n_cells, -len(longer.members)) > best_so_far:
                        best, best_so_far = longer, (n_cells, -len(longer.members))
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
    values = near(coordinate, coordinate[first][cell]) if is_angle else coordinate
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, cell, values)
    np.maximum.at(high, cell, values)
    in_group, in_outer = group[first], outer[first]
    is_same = in_group[1:] == in_group[:-1]
    step = low[1:] - high[:-1]
    tolerance = 1e-7 * np.abs(coordinate).max(initial=0)
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


def near(angle: Array, other: Array) -> Array:
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
    most_modules: int = 2,
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
    most_modules
        How many integers may name a module.
    """
    if len(layer) > SEARCHED_HITS:
        return _confirmed(coordinates, planes, integers, layer, ids, most_modules)
    integers = [each for each in integers if len(np.unique(each.values)) > 1]
    n_ids, best = n_different([ids]), None
    most_modules = most_modules if len(integers) <= MANY else 0
    for modules in _module_sets(integers, layer, most_modules):
        if not can_join([layer, *(each.values for each in modules)]):
            continue
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
            if modules and _are_mixed(
                [coordinates[each] for each in (*roles, "rho", "z") if each in coordinates], group
            ):
                continue
            n_cells = n_different([group, row.rank(), col.rank()])
            if best is None or n_cells > 1.001 * best.n_cells:
                best = Cells(roles, row, col, modules, n_cells, n_ids)
        if best is not None and best.n_cells == n_ids:
            break
    return best


def _confirmed(
    coordinates: Mapping[str, Array],
    planes: Sequence[tuple[str, str]],
    integers: Sequence[Integers],
    layer: Array,
    ids: Array,
    most_modules: int,
) -> Cells | None:
    """Return what the first hits say, if all others do not contradict it; parameters as for `number_cells`."""
    first = slice(0, SEARCHED_HITS)
    found = number_cells(
        {name: values[first] for name, values in coordinates.items()},
        planes,
        [each._replace(values=each.values[first]) for each in integers],
        layer[first],
        ids[first],
        most_modules,
    )
    if found is None:
        return None
    of_all = {each.name: each for each in integers}
    modules = tuple(of_all[each.name] for each in found.modules)
    group = ranks([layer, *(each.values for each in modules)])
    chains = []
    for role, chain in zip(found.roles, (found.row, found.col), strict=True):
        members = tuple(of_all[each.name] for each in chain.members)
        whole = chain._replace(members=members)
        outer = Chain(members[:-1], chain.directions[:-1])
        outer_cell = ranks([group, *_rank_of(outer)])
        if not (n_steps := _n_steps(whole, coordinates[role], group, outer_cell, role == "phi")):
            return None
        chains.append(whole._replace(n_steps=n_steps))
    row, col = chains
    return Cells(
        found.roles, row, col, modules, n_different([group, row.rank(), col.rank()]), n_different([ids])
    )


def _are_mixed(coordinates: Sequence[Array], group: Array) -> bool:
    """Return whether the hits of most groups have those of others between them: groups are then no modules."""
    shares = []
    for number in np.flatnonzero(np.bincount(group) >= FEW_HITS):
        own = group == number
        inside = np.ones(len(group), bool)
        for values in coordinates:
            inside &= (values >= values[own].min()) & (values <= values[own].max())
        shares.append(float(np.count_nonzero(own)) / np.count_nonzero(inside))
    return bool(shares) and float(np.median(shares)) < OWN_SHARE


def bit_parts(values: Array) -> list[tuple[int, int]]:
    """Return first and last bit of what integers may be made of.

    These are the bits that differ between constant ones; if no constant ones are between them, those below and
    above every bit.

    >>> bit_parts(np.array([0x10003, 0x20000])), bit_parts(np.array([0, 7]))
    ([(0, 1), (16, 17)], [(0, 0), (1, 2), (0, 1), (2, 2)])
    """
    if not len(values) or values.min() < 0:
        return []
    differing = int(np.bitwise_or.reduce(values ^ values[0]))
    bits = [bit for bit in range(63) if differing >> bit & 1]
    begins = [bit for bit in bits if bit - 1 not in bits]
    ends = [bit for bit in bits if bit + 1 not in bits]
    if len(begins) > 1:
        return list(zip(begins, ends, strict=True))
    if not 1 < len(bits) <= MAX_SPLIT:
        return []
    first, last = bits[0], bits[-1]
    return [part for bit in bits[1:] for part in ((first, bit - 1), (bit, last))]


def _module_sets(integers: Sequence[Integers], layer: Array, most: int) -> Iterator[tuple[Integers, ...]]:
    """Yield sets of integers that may name a module, the smallest first; no more groups than a grid has."""
    for size in range(most + 1):
        for modules in combinations(integers, size):
            if not modules or n_different([layer, *(each.values for each in modules)]) <= MAX_GROUPS:
                yield modules
