"""The plane of hits whose cells integers number: the sections of the config for it, and what was found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.geometry.axis import look_up
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import MAX_LABELS, TURN, ProposedAxis, label_step, ranges, short
from hep_peaksum.lattices.joined_labels import BASE
from hep_peaksum.lattices.numbering import (
    FEW_HITS,
    FEW_STEPS,
    Cells,
    Chain,
    Integers,
    joined_source,
    n_different,
    near,
    number_cells,
)

# What rows and columns may lie along, the best first.
PLANES = (("eta", "phi"), ("z", "phi"), ("rho", "phi"), ("y", "x"))
FLAT_PLANES = (("y", "x"), ("rho", "phi"))
ALSO = {"eta": ("eta", "theta", "z"), "rho": ("rho", "eta", "theta")}  # in which cells may be equally wide
MAX_CELLS = 4_000_000
MAX_LISTED = 512  # labels one by one, since they fall along the coordinate
FULL = 0.9  # of a turn, over which two halves lie
ON_LATTICE = 0.02  # of a cell, from its centre


class NumberedPlane(NamedTuple):
    """What stands for rows, columns and modules in the config, the axes, and comments."""

    row: Any
    col: Any
    rows: ProposedAxis
    cols: ProposedAxis
    modules: tuple[Integers, ...]
    words: str
    comments: tuple[tuple[str, str], ...]
    n_cells: int  # that hits are in
    is_whole: bool  # no two ids share a cell
    are_shifted: bool = False  # in phi, layers against each other


def numbered_plane(
    coordinates: Mapping[str, Array],
    integers: Sequence[Integers],
    layer: Array,
    ids: Array,
    *,
    is_flat: bool,
    length: str,
    most_modules: int = 2,
) -> NumberedPlane | None:
    """Return the plane of hits whose cells integers number, or None; parameters as for `number_cells`."""
    planes = [p for p in (FLAT_PLANES if is_flat else PLANES) if set(p) <= {*coordinates}]
    found = number_cells(coordinates, planes, integers, layer, ids, most_modules)
    if found is None:
        return None
    is_one_based = all(each.values.min() >= 1 for each in integers if not each.is_signed)
    chains = dict(zip(found.roles, (found.row, found.col), strict=True))
    turn = _closed_turn(chains["phi"], coordinates["phi"], layer, is_one_based) if "phi" in chains else None
    rows, cols = (
        _axis(role, chain, coordinates, turn if role == "phi" else None, length)
        for role, chain in chains.items()
    )
    if rows is None or cols is None or _size(rows) * _size(cols) > MAX_CELLS:
        return None
    row, col = (joined_source(chain.members) for chain in (found.row, found.col))
    names = (axis.section.get("name", role) for role, axis in zip(found.roles, (rows, cols), strict=True))
    words = "-".join(names).replace("y-x", "x-y")
    comments = tuple(_comments(found, integers, len(layer)))
    n_cells, is_whole = found.n_cells, found.n_cells == found.n_ids
    are_shifted = turn is not None and turn.are_shifted
    return NumberedPlane(row, col, rows, cols, found.modules, words, comments, n_cells, is_whole, are_shifted)


def _size(axis: ProposedAxis) -> int:
    return int(axis.section["bins"]) if "bins" in axis.section else axis.n_labels


def _comments(found: Cells, integers: Sequence[Integers], n_hits: int) -> list[tuple[str, str]]:
    comments = []
    # Of the bits of a branch, the branch itself is told.
    unused = found.unused([each for each in integers if not _is_of(each, integers)])
    if unused and found.n_cells < found.n_ids:
        names = ", ".join(unused)
        text = f"hits that differ in {names} alone are one cell, guessed: "
        text += f"{found.n_ids} ids are {found.n_cells} cells"
        text += f"\na cell table tells them apart: channel: {{join: [..., {names}]}} in place of row and col"
        comments.append(("hits", text))
    if found.n_cells == found.n_ids:
        comments.append(("hits", f"each of the {found.n_ids} ids in {n_hits} hits has a cell of its own"))
    if found.modules:
        names = " and ".join(each.name for each in found.modules)
        comments.append(("hits", f"no window crosses from one {names} to another, which is part of the layer"))
    return comments


def _is_of(part: Integers, integers: Sequence[Integers]) -> bool:
    """Return whether integers are bits of one of the others."""
    is_bits = isinstance(part.source, dict) and "bits" in part.source
    return is_bits and any(each.source == part.source["bits"] for each in integers)


def _axis(
    role: str, chain: Chain, coordinates: Mapping[str, Array], turn: _Turn | None, length: str
) -> ProposedAxis | None:
    """Return the axis of a chain of integers, with positions where its cells are equally wide."""
    names = " and ".join(member.name for member in chain.members)
    is_few = chain.n_steps < FEW_STEPS and chain.n_hits < FEW_HITS * chain.n_cells
    is_sure = True
    members = [
        _numbers_of(member, direction)
        for member, direction in zip(chain.members, chain.directions, strict=True)
    ]
    section: dict[str, Any] = {}
    if turn is not None:
        members[0], is_sure = turn.numbers, turn.is_sure
    if np.prod([len(each) for each in members]) > MAX_LABELS:
        return None
    labels = np.array([_joined(numbers) for numbers in product(*members)])
    index = look_up(_joined([member.values for member in chain.members]), labels)
    placed = _positions(role, index, len(labels), coordinates, is_turn=turn is not None)
    name = role
    # without positions the axis may as well run the other way
    is_turned = placed is None and len(chain.members) == 1 and chain.directions[0] < 0
    if placed is not None:
        name, positions, is_turned = placed
        unit = {"unit": length} if length and name in ("x", "y", "z", "rho") else {}
        section = {"name": name, **positions, **unit}
    labels = labels[::-1] if is_turned else labels
    told = f"{name}: cells by {names}, in the order of {name} in every one of {len(index)} hits"
    told += ", guessed: so few may be in order by chance" if is_few else ""
    strides = [(member.name, label_step(np.unique(member.values))) for member in chain.members]
    told += "".join(f"\n{name}: every number of {m} is in steps of {s}" for m, s in strides if s > 1)
    n_empty = len(labels) - n_different([index])
    told += f"\n{name}: {n_empty} of {len(labels)} without a hit in the entries read, kept as cells" * bool(
        n_empty
    )
    if turn is not None:
        section["periodic"] = True
        told += f"\n{name}: {len(members[0])} numbers of {chain.members[0].name} close a turn"
        told += "" if is_sure else ", guessed: not all of them occur"
    text = ranges(labels.tolist())
    if text.count(",") > MAX_LISTED:
        return None
    return ProposedAxis({**section, "labels": text}, told, is_few or not is_sure, len(labels))


def _numbers_of(member: Integers, direction: int) -> list[int]:
    """Return the numbers that a member may have, in the order along the coordinate; a signed one both ways."""
    low, high = int(member.values.min()), int(member.values.max())
    step = label_step(np.unique(member.values))
    if member.is_signed and low < 0 and step == 1:
        low, high = min(low, -high), max(high, -low)
    numbers = list(range(low, high + 1, step))
    return numbers[::direction]


def _joined(numbers: Sequence[Any]) -> Any:
    label = numbers[0]
    for number in numbers[1:]:
        label = label * BASE + number
    return label


class _Turn(NamedTuple):
    """The numbers around a full turn, whether these are sure, and whether layers are shifted in it."""

    numbers: list[int]
    is_sure: bool
    are_shifted: bool


def _closed_turn(chain: Chain, phi: Array, layer: Array, is_one_based: bool) -> _Turn | None:
    """Return the numbers of the first member around a full turn, or None.

    With so many around the turn all hits of a number lie in its part of the turn: in all layers or, where these
    are shifted and all numbers occur, in each.
    """
    first, direction = chain.members[0], chain.directions[0]
    origin, stride = int(first.values.min()), label_step(np.unique(first.values))
    if stride > 1:  # cells are merged, and each has the number of its first part
        steps = first._replace(values=(first.values - origin) // stride, is_signed=False)
        found = _closed_turn(chain._replace(members=(steps, *chain.members[1:])), phi, layer, False)
        return None if found is None else found._replace(numbers=[origin + stride * n for n in found.numbers])
    low, high = int(first.values.min()), int(first.values.max())
    whole = _arcs(first.values, phi)
    are_halves = high - low == 1 and _width(whole.low, whole.high) > FULL * TURN
    may_be = range(2 if are_halves else max(high - low + 1, 3), max(8 * (high - low + 1), 64))
    fitting = _numbers_around([whole], direction, may_be)
    are_shifted = not fitting
    if are_shifted and len(np.unique(layer)) > 1:
        of_layers = [layer == each for each in np.unique(layer)]
        arcs = [_arcs(first.values[of], phi[of]) for of in of_layers]
        fitting = _numbers_around(arcs, direction, may_be[:1])
    if not fitting:
        return None
    _, n = min(fitting)
    begin, is_sure = low, True
    if n != high - low + 1:
        begin = -(n // 2) if low < 0 else 1 if (is_one_based or high == n) else 0
        begin = begin if begin <= low and high < begin + n else low
        is_sure = len(fitting) == 1 and (high == n or (low < 0 and low == begin) or (low == 0))
    return _Turn(list(range(begin, begin + n))[::direction], is_sure, are_shifted)


class _Arcs(NamedTuple):
    """Different numbers of hits, and the ends of the arc in which the hits of each lie."""

    numbers: Array
    low: Array
    high: Array


def _arcs(numbers: Array, angles: Array) -> _Arcs:
    """Return the arcs of hits by their numbers, each of which fills less than half a turn."""
    different, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    angles = near(angles, angles[first][place])
    low, high = np.full(len(different), np.inf), np.full(len(different), -np.inf)
    np.minimum.at(low, place, angles)
    np.maximum.at(high, place, angles)
    return _Arcs(different, low, high)


def _numbers_around(arcs: Sequence[_Arcs], direction: int, may_be: Sequence[int]) -> list[tuple[float, int]]:
    """Return numbers around the turn for which each layer lies in one part, behind the share that it fills."""
    fitting = []
    for n in may_be:
        widest = 0.0
        for of_layer in arcs:
            turned = direction * of_layer.numbers * TURN / n
            widest = max(widest, _width(of_layer.low - turned, of_layer.high - turned) * n / TURN)
            if widest >= 1.001:
                break
        else:
            fitting.append((widest, n))
    return fitting


def _width(low: Array, high: Array) -> float:
    """Return the width of the shortest arc that holds all arcs.

    >>> _width(np.array([0.1, 0.5, 5.5]), np.array([0.2, 0.6, 7.0]))
    1.5
    """
    start = np.mod(low, TURN)
    order = np.argsort(start)
    stop = (start + high - low)[order]
    reach = np.maximum(np.maximum.accumulate(stop), stop.max() - TURN)
    gaps = np.append(start[order], start.min() + TURN)[1:] - reach
    return float(TURN - max(gaps.max(), 0))


def _positions(
    role: str, index: Array, n: int, coordinates: Mapping[str, Array], *, is_turn: bool
) -> tuple[str, dict[str, Any], bool] | None:
    """Return the name of an axis, its equal cells, in which all hits lie, and whether it falls as role rises.

    None if there are none such.
    """
    best: tuple[float, str, dict[str, Any], bool] | None = None
    for name in ALSO.get(role, (role,)):
        if name not in coordinates:  # hits with eta and phi have no theta
            continue
        values, place, step = coordinates[name], index, TURN / n
        if is_turn:
            away = near(values - index * step, values[0] - index[0] * step)
        else:
            if name == "phi":
                values = near(values, values[np.abs(2 * index - n).argmin()])  # up to half a turn either way
            step = float(np.polyfit(index, values, 1)[0]) if len(np.unique(index)) > 1 else 0.0
            if step < 0:  # theta falls where eta rises
                place, step = n - 1 - index, -step
            away = values - place * step
        width = (away.max() - away.min()) / step if step > 0 else np.inf
        if width < 1 and (best is None or width < best[0] - ON_LATTICE):
            start = float(away.max() + away.min()) / 2 - step / 2
            start -= TURN * math.floor((start + TURN / 2) / TURN) if is_turn else 0
            stop = start + n * step
            ends = (
                (round(start, 9), round(start + TURN, 9))
                if is_turn
                else (short(start, step), short(stop, step))
            )
            best = width, name, {"bins": n, "start": ends[0], "stop": ends[1]}, place is not index
    return None if best is None else best[1:]
