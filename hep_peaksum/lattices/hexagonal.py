"""Hexagons found from the positions of hits: pitch, orientation, and where the cells of each layer are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from hep_peaksum.geometry.hexagons import Hexagons, axial_coordinates, cell_centres
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import short, snapped
from hep_peaksum.lattices.depth import name_layers
from hep_peaksum.lattices.numbering import MANY, MAX_GROUPS, Integers, n_different, ranks

MIN_CELLS = 10
ON_CENTRE = 0.02  # of the pitch, from the centre of a cell
MAX_PERIOD = 4  # of the shifts of layers
MARGIN = 0.2  # of the cells with a hit, more on each side: few of those at the edge of a module are hit


class HexagonPlane(NamedTuple):
    """A lattice on which all hits lie: the key `hexagons`, q and r, the modules, and how many cells occur.

    `layers` are the numbers of those, in the order of the shifts.
    """

    hexagons: dict[str, Any]
    rows: dict[str, Any]
    cols: dict[str, Any]
    modules: tuple[Integers, ...]
    n_cells: int
    are_shifted: bool


def find_hexagons(
    x: Array,
    y: Array,
    layers: Array,
    labels: Array,
    integers: Sequence[Integers],
    unit: str,
    ends: Array | None = None,
) -> HexagonPlane | None:
    """Return the lattice of hexagons of which every hit is at the centre of a cell, or None.

    Parameters
    ----------
    x, y
        Positions of hits.
    layers
        Place of the layer of every hit among `labels`.
    labels
        The layers, in order.
    integers
        Others of every hit, which may name modules: each has a lattice of its own, with the same pitch.
    unit
        Of positions.
    ends
        A number of each end of the detector, for every hit: layers and modules are those of one end each.
    """
    points = np.column_stack([snapped(x), snapped(y)])
    for size in range(3 if len(integers) <= MANY else 1):
        for modules in combinations(integers, size):
            keys = [layers, *(each.values for each in modules)]
            if modules and n_different(keys) > MAX_GROUPS:
                continue
            if ends is not None and n_different([*keys, ends]) > n_different(keys):
                continue
            if (lattice := _common_lattice(points, ranks(keys))) is not None:
                n_layers = len(labels)
                if name_layers(layers, modules):
                    layers, n_layers = np.zeros_like(layers), 1
                return _plane(points, layers, n_layers, modules, lattice, unit)
    return None


def _common_lattice(points: Array, group: Array) -> Hexagons | None:
    """Return pitch and orientation of the lattices of all groups, or None if they are not hexagons."""
    _, first = np.unique(np.column_stack([group, points]), axis=0, return_index=True)
    points, group = points[first], group[first]
    order = np.argsort(group, kind="stable")
    parts = np.split(points[order], np.flatnonzero(np.diff(group[order])) + 1)
    steps = np.concatenate([np.empty((0, 2)), *(_steps_to_neighbours(part) for part in parts if len(part) > 1)])
    if len(points) < MIN_CELLS or len(steps) < MIN_CELLS:
        return None
    lengths = np.hypot(*steps.T)
    pitch = float(np.median(lengths[lengths < 1.05 * np.quantile(lengths, 0.05)]))
    steps = steps[lengths < 1.1 * pitch]
    turn = np.degrees(np.arctan2(steps[:, 1], steps[:, 0]))
    for orientation, angle in (("pointy", 0), ("flat", 30)):
        away = np.abs(np.mod(turn - angle + 30, 60) - 30)
        if away.max() < 2 and len(np.unique(np.rint((turn - angle) / 60) % 3)) > 1:
            return _refined(parts, Hexagons(pitch=pitch, orientation=orientation))
    return None


def _steps_to_neighbours(points: Array) -> Array:
    """Return the steps from points to the six nearest others."""
    n = min(7, len(points))
    _, nearest = KDTree(points).query(points, k=n)
    return np.concatenate([points[nearest[:, k]] - points for k in range(1, n)])


def _refined(parts: Sequence[Array], lattice: Hexagons) -> Hexagons | None:
    """Return the lattice with its pitch from the longest distances; None if a point is at no centre."""
    from_middle = [part - _middle(part) for part in parts]
    steps = np.concatenate(from_middle)
    for reach in (3, 10, 30, 100, math.inf):
        near = steps[np.hypot(*steps.T) < reach * lattice.pitch]
        unit = lattice.model_copy(update={"pitch": 1.0})
        cells = np.column_stack(cell_centres(*axial_coordinates(near[:, 0], near[:, 1], lattice), unit))
        if (total := float((cells * cells).sum())) > 0:
            lattice = lattice.model_copy(update={"pitch": float((cells * near).sum()) / total})
    q, r = axial_coordinates(steps[:, 0], steps[:, 1], lattice)
    away = steps - np.column_stack(cell_centres(q, r, lattice))
    return lattice if np.hypot(*away.T).max() < 2 * ON_CENTRE * lattice.pitch else None


def _middle(points: Array) -> Array:
    """Return the point that is nearest to the mean."""
    away = points - points.mean(axis=0)
    middle: Array = points[np.argmin((away * away).sum(axis=1))]
    return middle


def _plane(
    points: Array,
    layers: Array,
    n_layers: int,
    modules: tuple[Integers, ...],
    lattice: Hexagons,
    unit: str,
) -> HexagonPlane | None:
    """Return the lattice with its shifts; None if a hit is at the centre of no cell, or two are at one."""
    module = ranks([each.values for each in modules]) if modules else np.zeros(len(points), np.int64)
    n_modules = int(module.max()) + 1
    fullest = np.bincount(layers * n_modules + module).argmax()
    origin = _middle(points[layers * n_modules + module == fullest])
    shifts = _shifts(points - origin, layers, module, (n_layers, n_modules), lattice)
    moved = points - origin - shifts[layers, module]
    q, r = axial_coordinates(moved[:, 0], moved[:, 1], lattice)
    away = moved - np.column_stack(cell_centres(q, r, lattice))
    cells = n_different([layers, module, q, r])
    if np.hypot(*away.T).max() > ON_CENTRE * lattice.pitch:
        return None
    if cells != n_different([layers, module, *points.T]):
        return None
    period = _period(shifts, lattice)
    in_turn = (shifts[:period] - shifts[0, 0]).reshape(-1, 2)
    origin = origin + shifts[0, 0]
    are_shifted = bool(np.abs(in_turn).max() > ON_CENTRE * lattice.pitch)
    hexagons: dict[str, Any] = {
        "pitch": short(lattice.pitch),
        "orientation": lattice.orientation,
        "origin": _written(origin, lattice.pitch),
    }
    if are_shifted:
        hexagons["layer_shifts"] = [_written(shift, lattice.pitch) for shift in in_turn]
    rows, cols = ({"name": name, "labels": _range(values)} for name, values in (("q", q), ("r", r)))
    hexagons |= {"unit": unit} if unit else {}
    return HexagonPlane(hexagons, rows, cols, modules, cells, are_shifted)


def _shifts(points: Array, layers: Array, module: Array, shape: tuple[int, int], lattice: Hexagons) -> Array:
    """Return the shift of every layer of every module, shape (layer, module, 2).

    Layers with the same cells have the same shift. Where there is no hit it is that of layers that repeat, or
    as far from that of another layer as in the module with the most hits.
    """
    shifts = np.full((*shape, 2), np.nan)
    for m in range(shape[1]):
        of_module = points[module == m]
        centre = _middle(of_module) if shape[1] > 1 else np.zeros(2)
        for k in np.unique(layers[module == m]):
            own = _within_cell(_middle(points[(module == m) & (layers == k)]) - centre, lattice)
            before = [each for each in shifts[:k, m] - centre if _are_alike(each, own, lattice)]
            shifts[k, m] = centre + (before[0] if before else own)
    period = _period(shifts, lattice)
    fullest = shifts[:, np.argmax(np.bincount(module))]
    for k, m in np.argwhere(np.isnan(shifts[..., 0])):
        alike = _known(shifts[k % period :: period, m])
        shifts[k, m] = alike[0] if len(alike) else np.nan
    for k, m in np.argwhere(np.isnan(shifts[..., 0])):
        steps = _known(shifts[:, m] - fullest)
        shifts[k, m] = (fullest[k] if np.isfinite(fullest[k, 0]) else 0) + (steps[0] if len(steps) else 0)
    return shifts


def _known(shifts: Array) -> Array:
    known: Array = shifts[np.isfinite(shifts[:, 0])]
    return known


def _are_alike(one: Array, other: Array, lattice: Hexagons) -> bool:
    """Return whether two shifts are whole cells apart."""
    rest = _within_cell(one - other, lattice)
    return bool(np.isfinite(one[0]) and np.hypot(*rest) < ON_CENTRE * lattice.pitch)


def _within_cell(step: Array, lattice: Hexagons) -> Array:
    """Return a step without whole cells."""
    q, r = axial_coordinates(step[:1], step[1:], lattice)
    x, y = cell_centres(q, r, lattice)
    rest: Array = step - np.array([x[0], y[0]])
    return rest


def _period(shifts: Array, lattice: Hexagons) -> int:
    """Return after how many layers shifts repeat: a few, or all."""
    return next((n for n in range(1, MAX_PERIOD + 1) if _repeats(shifts, n, lattice)), len(shifts))


def _repeats(shifts: Array, period: int, lattice: Hexagons) -> bool:
    """Return whether shifts repeat after so many layers; those that are not known do not matter."""
    for first in range(min(period, len(shifts))):
        for of_module in shifts[first::period].transpose(1, 0, 2):
            known = _known(of_module)
            if len(known) and np.abs(known - known[0]).max() > ON_CENTRE * lattice.pitch:
                return False
    return True


def _written(point: Array, pitch: float) -> list[float]:
    return [0.0 if abs(value) < 1e-4 * pitch else round(float(value), 6) for value in point]


def _range(values: Array) -> str:
    reach = int(max(-values.min(), values.max()))
    reach += 1 + int(MARGIN * reach)
    return f"{-reach}..{reach}"
