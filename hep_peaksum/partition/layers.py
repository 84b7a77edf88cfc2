"""Hits of layers whose cells are of other sizes, taken apart: the cells of one grid are equally large."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.geometry.bit_fields import BitField, read_encoding
from hep_peaksum.geometry.coordinates import COORDINATES
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import depths_of, distinct_places, equal_step, label_step, ranges, snapped
from hep_peaksum.lattices.depth import layers_in_line, layers_of_one_pitch
from hep_peaksum.lattices.numbered import NumberedPlane, numbered_plane
from hep_peaksum.lattices.numbering import n_different
from hep_peaksum.lattices.shapes import MAX_NUMBERS, seen_layers
from hep_peaksum.naming.branches import Branch, Tree
from hep_peaksum.naming.groups import Group
from hep_peaksum.naming.hit_integers import bits_of, integers_of

MORE_BITS = 3  # than layers need: their numbers may have gaps

# Some of the hits, the conditions of a grid that pick them, and comments.
Part = tuple[Array, list[dict[str, Any]], list[tuple[str, str]]]


class LayerNumbers(NamedTuple):
    """The number of the layer of every hit, and what a condition compares: a branch, or bits of one."""

    values: Array
    compared: dict[str, Any]


def condition_name(condition: Mapping[str, Any]) -> str:
    """Return what a condition compares, in words.

    >>> condition_name({"branch": "hits.layer", "equals": 1})
    'layer'
    >>> condition_name({"branch": "hits.cellID", "first": 11, "last": 18, "equals": 1})
    'bits 11 to 18 of cellID'
    """
    name = condition["branch"].rpartition(".")[2]
    return f"bits {condition['first']} to {condition['last']} of {name}" if "first" in condition else name


def with_depth(
    group: Group, numbers: Mapping[Branch, Array], event: Array
) -> tuple[Group, list[tuple[str, str]]]:
    """Return hits with labels of rho, phi and z with the layer along which showers are longest, and comments.

    Layers of a barrel are those of rho; a cylinder around the direction of a shower has layers in z. `event` is
    that of each hit.
    """
    rho = group.places.get("irho")
    if group.pair != ("iz", "iphi") or rho is None or group.layer != rho:
        return group, []
    z, phi = (group.places[role] for role in group.pair)
    if any(numbers[each].dtype.kind not in "iu" for each in (rho, phi, z)):
        return group, []
    labels = [numbers[each] - numbers[each].min() for each in (rho, phi, z)]
    sizes = [int(each.max()) + 1 for each in labels]
    n_events = MAX_NUMBERS // math.prod(sizes)
    cells, some = np.zeros((n_events, *sizes)), event < n_events
    energies = np.ones(len(event)) if group.value is None else numbers[group.value]
    np.add.at(cells, (event[some], *(each[some] for each in labels)), energies[some])
    seen = seen_layers(cells) if n_events else None
    is_along_z = seen is not None and seen[0] == 2
    layer, row = (z, rho) if is_along_z else (rho, z)
    reason = " (along layers showers are longest)" if seen is not None else ""
    text = f"{layer.config_name} guessed as layer{reason}; also row: {layer.config_name}, "
    text += f"layer: {row.config_name}"
    return group._replace(pair=("irho" if is_along_z else "iz", "iphi"), layer=layer), [("hits", text)]


def split_layers(
    tree: Tree, group: Group, numbers: dict[Branch, Array], is_picked: Array, *, is_flat: bool
) -> Iterator[Part]:
    """Yield the hits of layers with cells of one size, the conditions that pick them, and comments.

    Around the beam they are also behind each other; of layers across it, those that are shifted may be
    hexagons of one lattice. `is_flat` says that positions are those of planes across the beam.
    """
    if not is_picked.any():
        yield is_picked, [], []
        return
    barrel = None if is_flat else _barrel(group, numbers, is_picked)
    layer = None
    if group.layer is not None and ("phi" in group.pair or group.pair == ("y", "x")):
        layer = LayerNumbers(numbers[group.layer], {"branch": group.layer.config_name})
    elif barrel is not None:
        layer = _layer_in_id(tree, group, numbers, barrel.depth, is_picked)
    if layer is not None:
        of_layer = layer.values[is_picked]
    elif barrel is not None:
        of_layer = barrel.depth
    else:
        yield is_picked, [], []
        return
    is_around = "phi" in group.pair or barrel is not None
    split = layers_in_line if is_around else layers_of_one_pitch
    along = [numbers[group.places[role]][is_picked] for role in group.pair]
    parts = split(along if barrel is None else [*barrel.places], of_layer)
    if len(parts) > 1 and barrel is not None and layer is not None:
        parts = _shifted_parts(tree, group, numbers, barrel, of_layer, is_picked) or parts
    if len(parts) == 1:
        yield is_picked, [], []
    elif layer is None:
        text = f"the cells of layers are of {len(parts)} sizes, and no number in the file tells these apart:"
        text += " guessed as one grid, in which there are gaps between larger cells"
        yield is_picked, [], [("where", text)]
    else:
        yield from _parts_of(layer, parts, is_picked, "of one size and in line" if is_around else "of one size")


def _parts_of(layer: LayerNumbers, parts: Sequence[Array], is_picked: Array, what: str) -> Iterator[Part]:
    """Yield the hits of each part of the layers, whose numbers are `parts`; `what` says what is alike."""
    name = condition_name(layer.compared)
    told = " and ".join(f"{name} {ranges(part)}" for part in parts)
    text = f"a grid for the layers whose cells are {what}: {told} are grids of their own"
    for labels in parts:
        some = [int(label) for label in labels]
        condition = {"equals": some[0]} if len(some) == 1 else {"in": some}
        is_part = is_picked & np.isin(layer.values, labels)
        yield is_part, [{**layer.compared, **condition}], [("where", text)]


class _Barrel(NamedTuple):
    """Coordinates of hits, the two along which cells are in equal steps, and the layer by its radius."""

    coordinates: dict[str, Array]
    places: tuple[Array, Array]
    depth: Array


def _barrel(group: Group, numbers: Mapping[Branch, Array], is_picked: Array) -> _Barrel | None:
    """Return where the hits that are picked are in a barrel with layers; or None, if it is not seen."""
    if group.pair != ("y", "x") or "z" not in group.places:
        return None
    x, y, z = (numbers[group.places[role]][is_picked].astype(np.float64) for role in "xyz")
    radius = np.hypot(x, y)
    found = depths_of(radius) if radius.all() else None
    if found is None:
        return None
    _, depth, _ = found
    coordinates = {name: COORDINATES[name][0](x, y, z) for name in ("eta", "theta")}
    coordinates |= {"z": z, "phi": COORDINATES["phi"][0](x, y)}
    is_fullest = depth == np.argmax(np.bincount(depth))
    rows = (snapped(coordinates[name]) for name in ("eta", "theta", "z"))
    row = next((each for each in rows if equal_step(distinct_places(each[is_fullest]))), None)
    return None if row is None else _Barrel(coordinates, (row, snapped(coordinates["phi"])), depth)


def _shifted_parts(
    tree: Tree, group: Group, numbers: dict[Branch, Array], barrel: _Barrel, layer: Array, is_picked: Array
) -> list[Array]:
    """Return the labels of layers with as many cells around the turn, though shifted, the fullest first.

    Those in which the integers that number cells are in other steps are apart. There are none if no integers
    number all cells, or not in equal steps. `layer` is that of the hits that are picked.
    """
    if group.channel is None:
        return []
    _, integers = integers_of(tree, group, numbers)
    integers = [each._replace(values=each.values[is_picked]) for each in (*integers, *bits_of(integers))]
    ids = numbers[group.channel][is_picked]

    def numbered(chosen: Array) -> NumberedPlane | None:
        coordinates = {name: values[chosen] for name, values in barrel.coordinates.items()}
        some = [each._replace(values=each.values[chosen]) for each in integers]
        found = numbered_plane(
            coordinates, some, layer[chosen], ids[chosen], is_flat=False, length="", most_modules=0
        )
        return found if found is not None and found.is_whole else None

    if (found := numbered(np.ones(len(ids), bool))) is None:
        return []
    along = [each.values for each in integers if each.source in (found.row, found.col)]
    parts = _layers_of_equal_steps(along, layer)
    for part in parts:
        found = numbered(np.isin(layer, part))
        if found is None or "bins" not in found.rows.section or "periodic" not in found.cols.section:
            return []
    return parts


def _layers_of_equal_steps(along: Sequence[Array], layer: Array) -> list[Array]:
    """Return the labels of layers in which integers are in equal steps, the fullest first."""
    labels, counts = np.unique(layer, return_counts=True)
    parts: dict[tuple[int, ...], list[Any]] = {}
    for label in labels[np.argsort(-counts, kind="stable")]:
        steps = tuple(label_step(np.unique(each[layer == label])) for each in along)
        parts.setdefault(steps, []).append(label)
    return [np.sort(part) for part in parts.values()]


def _layer_in_id(
    tree: Tree, group: Group, numbers: dict[Branch, Array], depth: Array, is_picked: Array
) -> LayerNumbers | None:
    """Return the bits of an id that are the layer: by the encoding in the file, else those of one depth each.

    `depth` is that of the hits that are picked.
    """
    channel = group.channel
    if channel is None or channel.dtype.kind not in "iu":
        return None
    name = channel.config_name
    layer, _ = integers_of(tree, group, numbers)
    if layer is not None and isinstance(layer.source, dict) and "field" in layer.source:
        field = read_encoding(tree.encodings[group.collection])[layer.source["field"]]
        return LayerNumbers(layer.values, {"branch": name, "first": field.first, "last": field.last})
    ids, n_depths = numbers[channel], n_different([depth])
    width = max((n_depths - 1).bit_length(), 1)
    for n_bits, first in product(range(width, width + MORE_BITS), range(8 * ids.dtype.itemsize - width)):
        bits = BitField(first, min(first + n_bits, 8 * ids.dtype.itemsize) - 1)
        values = bits.of(ids).astype(np.int64)
        some = values[is_picked]
        if n_different([some]) == n_depths == n_different([some, depth]):
            return LayerNumbers(values, {"branch": name, "first": bits.first, "last": bits.last})
    return None
