"""The plane and the layers of hits as they are found: hexagons, cells by integers, labels, or places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.geometry.coordinates import COORDINATES
from hep_peaksum.inspection.planes import are_planes, plane_of
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import ProposedAxis, snapped
from hep_peaksum.lattices.depth import Layers, layers_of
from hep_peaksum.lattices.hexagonal import find_hexagons
from hep_peaksum.lattices.numbered import NumberedPlane, numbered_plane
from hep_peaksum.lattices.numbering import Integers, n_different
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree
from hep_peaksum.naming.groups import Group
from hep_peaksum.naming.hit_integers import bits_of, branch_integers, integers_of
from hep_peaksum.partition.modules import MOST_INTEGERS, ids_of, modules_of
from hep_peaksum.partition.splitting import FAR

BY_COORDINATES = (("y", "x"), ("eta", "phi"), ("theta", "phi"), ("z", "phi"))
MOST_BITS = 40  # of integers that are tried
FEW_CELLS = 30  # from fewer a lattice may be chance
FILLED = 2  # places in rows and columns for each that was hit
SHIFTED = "layers are shifted"
FLAT_MODULES = 0.1  # of the radius: the corners of eight flat modules are that much further out, not in layers


class HitPlane(NamedTuple):
    """The keys of the config for the plane of hits, and what was found; `grid` are further keys of the grid."""

    hits: dict[str, Any]
    rows: ProposedAxis | None
    cols: ProposedAxis | None
    words: str
    branches: Sequence[Branch]
    grid: dict[str, Any] = {}  # noqa: RUF012 -- it is replaced, and never changed
    geometry: str = ""
    comments: tuple[tuple[str, str], ...] = ()
    layers_apart: bool = False
    preset: str = ""


def found_plane(
    tree: Tree, group: Group, numbers: dict[Branch, Array], event: Array, units: conventions.Units
) -> tuple[HitPlane, Layers]:
    """Return the plane of hits, and their layers; `event` is that of every hit."""
    named, integers = integers_of(tree, group, numbers)
    coordinates, flat = _coordinates(group, numbers, units)
    depth, source = _depth(group, coordinates, flat=flat)
    layers = layers_of(len(event), named, depth, integers, source)
    integers = [each for each in integers if each.source not in _parts(layers.source)]
    found = None
    if not _joins(layers) and depth is not None and np.ptp(depth) < FLAT_MODULES * depth.min():
        one = Layers(np.zeros(len(event), np.int64), np.zeros(1, np.int64))
        found = _numbered(group, numbers, one, integers, (coordinates, flat, units), needs_all=True)
    if flat and {"x", "y"} <= {*group.places}:
        found = _hexagons(group, numbers, layers, integers, units)
    if found is None and group.pair in BY_COORDINATES and group.edges is None:
        found = _numbered(group, numbers, layers, integers, (coordinates, flat, units))
    if found is not None:
        return found
    by_places = _by_places(group, numbers, event, layers, integers, units)
    pair = [group.places[role] for role in group.pair]
    are_labels = all(numbers[each].dtype.kind in "iu" for each in pair)
    if by_places[0].layers_apart and are_labels and len(coordinates) > 1:  # modules may be in one plane
        labels = [branch_integers(each, numbers) for each in pair]
        found = _numbered(group, numbers, layers, [*integers, *labels], (coordinates, flat, units))
    return by_places if found is None or found[0].layers_apart else found


def layers_of_places(group: Group, numbers: Mapping[Branch, Array], units: conventions.Units) -> Layers:
    """Return the layers of cells: those that a branch names, or the depths at which they lie."""
    coordinates, flat = _coordinates(group, numbers, units)
    depth, source = _depth(group, coordinates, flat=flat)
    named = None if group.layer is None else branch_integers(group.layer, numbers)
    return layers_of(len(next(iter(numbers.values()))), named, depth, [], source)


def _by_places(
    group: Group,
    numbers: Mapping[Branch, Array],
    event: Array,
    layers: Layers,
    integers: Sequence[Integers],
    units: conventions.Units,
) -> tuple[HitPlane, Layers]:
    """Return the plane of the labels or the coordinates of hits."""
    plane = plane_of(group, dict(numbers), units)
    rows, cols = plane.axis(0), plane.axis(1)
    modules, told = modules_of(plane.values, group, numbers, event, layers, integers)
    hits = {"row": plane.row, "col": plane.col}
    comments = (*plane.comments, *told)
    more, preset = _hexagons_by_labels(plane.roles, rows, cols)
    are_apart = bool(modules) or plane.roles[0] == "wire"  # wires of other planes run in other directions
    result = HitPlane(
        *(hits, rows, cols, plane.words, plane.branches, more, plane.geometry, comments, are_apart, preset)
    )
    return result, layers.with_modules(modules)


def _hexagons_by_labels(
    roles: Sequence[str], rows: ProposedAxis | None, cols: ProposedAxis | None
) -> tuple[dict[str, Any], str]:
    """Return the keys of the grid and the preset for u and v of hexagons; nothing for other labels."""
    axes = [axis for axis in (rows, cols) if axis is not None and "," not in axis.section.get("labels", ",")]
    if tuple(roles) != ("iv", "iu") or len(axes) < 2:
        return {}, ""
    return {"hexagons": {"angle": 120}}, "hexagon-7-uv"


def _parts(source: Any) -> list[Any]:
    return source["join"] if isinstance(source, dict) and "join" in source else [source]


def _coordinates(
    group: Group, numbers: Mapping[Branch, Array], units: conventions.Units
) -> tuple[dict[str, Array], bool]:
    """Return the coordinates of hits by name, and whether the detector stands across the beam."""
    found = {
        role: numbers[branch].astype(np.float64)
        for role, branch in group.places.items()
        if role in ("x", "y", "z", "eta", "theta", "phi")
    }
    if not {"x", "y"} <= {*found}:
        return found, False
    radius = np.hypot(found["x"], found["y"])
    flat = are_planes(group, numbers, units)
    if len(radius) and radius.min() > 0:
        parts = [found[word] for word in "xyz" if word in found]
        found |= {name: made(*parts[:n]) for name, (made, n) in COORDINATES.items() if n <= len(parts)}
    return found, flat


def _depth(group: Group, coordinates: Mapping[str, Array], *, flat: bool) -> tuple[Array | None, Any]:
    """Return the coordinate along which hits may lie in layers, and what stands for it in a config."""
    if group.pair != ("y", "x") and "z" in group.pair:
        return None, None
    is_around = group.pair == ("y", "x") or not {"ieta", "eta", "theta"}.isdisjoint(group.pair)
    if flat or not is_around or "x" not in group.places or "y" not in group.places:
        return coordinates.get("z"), group.places["z"].config_name if "z" in coordinates else None
    return coordinates.get("rho"), {"rho": [group.places[role].config_name for role in ("x", "y")]}


def _hexagons(
    group: Group,
    numbers: Mapping[Branch, Array],
    layers: Layers,
    integers: Sequence[Integers],
    units: conventions.Units,
) -> tuple[HitPlane, Layers] | None:
    x, y = (group.places[role] for role in ("x", "y"))
    whole = [each for each in integers if layers.labels.dtype.kind in "iu" and _joins(layers)]
    z = numbers[group.places["z"]] if "z" in group.places else None
    ends = z > 0 if z is not None and np.abs(z).min() > FAR * np.abs(z).max() else None
    found = find_hexagons(numbers[x], numbers[y], layers.place, layers.labels, whole, units.length, ends)
    if found is None:
        return None
    n_hits = len(numbers[x])
    told = f"hexagons of {found.hexagons['pitch']:.6g} {units.length}".rstrip()
    told += f": every one of {n_hits} hits is at the centre of a cell, "
    told += f"no two of {found.n_cells} positions share one"
    if found.n_cells < FEW_CELLS:
        told += "; guessed from so few"
    if found.are_shifted and layers.source is not None:
        told += "\nlayers are shifted, so each is searched by itself"
    axis = "hexagons have more cells on each side than were hit: the size of a module is in no file"
    plane = HitPlane(
        {"hexagon": [x.config_name, y.config_name]},
        ProposedAxis(found.rows, axis),
        ProposedAxis(found.cols),
        "hexagons of x-y",
        (y, x),
        {"hexagons": found.hexagons},
        comments=(("hexagons", told),),
        layers_apart=found.are_shifted or bool(found.modules),
        preset="hexagon-7",
    )
    return plane, layers.with_modules(found.modules)


def _joins(layers: Layers) -> bool:
    """Return whether the layer is an integer, with which that of a module can be joined."""
    source = layers.source
    return not isinstance(source, dict) or "rho" not in source


def _numbered(
    group: Group,
    numbers: Mapping[Branch, Array],
    layers: Layers,
    integers: Sequence[Integers],
    where: tuple[Mapping[str, Array], bool, conventions.Units],
    *,
    needs_all: bool = False,
) -> tuple[HitPlane, Layers] | None:
    """Return the plane whose cells integers number; with `needs_all` only if every id has a cell of its own."""
    coordinates, flat, units = where
    if not 0 < len(integers) <= MOST_INTEGERS or not conventions.holds_cells(group.name):
        return None
    ids = ids_of(group, numbers, layers)

    def numbered(integers: Sequence[Integers], most_modules: int) -> NumberedPlane | None:
        given = (coordinates, integers, layers.place, ids)
        return numbered_plane(*given, is_flat=flat, length=units.length, most_modules=most_modules)

    found = numbered(integers, 2)
    if found is None or not found.is_whole:  # rows and columns may be bits of one integer
        by_bits = numbered([*integers, *bits_of(integers)[:MOST_BITS]], 0)
        found = by_bits if by_bits is not None and (found is None or by_bits.is_whole) else found
    if found is None or (needs_all and (not found.is_whole or found.modules)):
        return None
    if not found.is_whole and _n_places(group, coordinates, layers) > found.n_cells:
        return None
    branches = [group.places[role] for role in ("x", "y", "z") if role in group.places] or [
        *group.places.values()
    ]
    plane = HitPlane(
        {"row": found.row, "col": found.col},
        found.rows,
        found.cols,
        found.words,
        branches,
        comments=(*found.comments, *([("depth", SHIFTED)] if found.are_shifted else [])),
        layers_apart=found.are_shifted or bool(found.modules),
    )
    return plane, layers.with_modules(found.modules)


def _n_places(group: Group, coordinates: Mapping[str, Array], layers: Layers) -> int:
    """Return how many cells the positions of hits tell apart where these fill rows and columns; else 0."""
    places = [snapped(coordinates[role]) for role in group.pair if role in coordinates]
    n_in_plane = np.prod([len(np.unique(each)) for each in places])
    is_filled = len(places) == 2 and n_in_plane < FILLED * n_different(places)
    return n_different([layers.place, *places]) if is_filled else 0
