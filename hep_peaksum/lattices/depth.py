"""The layers of hits: integers that name them, or depths at which hits lie."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from hep_peaksum.geometry.axis import Axis, look_up
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import depths_of, distinct_places, equal_step, propose_axis, ranges, snapped
from hep_peaksum.lattices.joined_labels import join_labels
from hep_peaksum.lattices.numbering import FEW_HITS, Integers, chain_along, joined_source, n_different

MAX_LAYERS = 300
OFF_LATTICE = 0.1  # of a cell: places that are further from its centre are those of another layer's cells
MIN_PLACES = 6  # from fewer the size of a layer's cells may be chance
SUMMED = "layers are summed; with layers: each every layer is searched by itself"
SEARCHED = "every layer is searched by itself"
ENDS = "-1 and 1 are the two ends of a detector: each is searched by itself"


class Layers(NamedTuple):
    """The layer of every hit, what stands for it in the config, its axis, and a comment; empty for one layer.

    `place` is that of every hit among `labels`, the numbers of the layers.
    """

    place: Array
    labels: Array
    source: Any = None
    depth: dict[str, Any] = {}  # noqa: RUF012 -- it is replaced, and never changed
    comment: str = ""

    @property
    def in_words(self) -> str:
        """How many layers there are."""
        return f", {len(self.labels)} layers" if self.source is not None else ""

    def with_modules(self, modules: Sequence[Integers]) -> Layers:
        """Return the layers with those of modules apart; their axis runs over the modules of each layer."""
        if not modules:
            return self
        if name_layers(self.place, modules):
            return Layers(np.zeros_like(self.place), np.zeros(1, np.int64)).with_modules(modules)
        parts = [] if self.source is None else [Integers("layer", self.source, self.labels[self.place])]
        parts = [*parts, *modules]
        different = [self.labels] if self.source is not None else []
        combinations = sorted({*zip(*(each.values.tolist() for each in modules), strict=True)})
        numbers = [np.array(column) for column in zip(*product_of(different, combinations), strict=True)]
        joined = len(parts) > 1
        labels = join_labels([("", each) for each in numbers]) if joined else numbers[0]
        names = " and ".join(each.name for each in parts)
        comment = f"layers: {names}{' together' * joined}"
        section = {"labels": ranges(labels.tolist())}
        return Layers(self.place, labels, joined_source(parts), section, comment)

    @property
    def are_ends(self) -> bool:
        """Whether layers are the two ends of a detector, each of which is searched by itself."""
        return np.array_equal(self.labels, [-1, 1])

    def keys(self, *, each: bool) -> dict[str, Any]:
        """Return the keys of the grid; ends are searched by themselves, as are the layers of modules."""
        searched = {"layers": "each"} if each or self.are_ends else {}
        return {"depth": self.depth, **searched} if self.source is not None else {}

    def told(self, *, each: bool) -> str:
        """Return whether layers are summed, in words; nothing for one layer."""
        searched = ENDS if self.are_ends else SEARCHED if each else SUMMED
        return searched if self.source is not None else ""


def name_layers(place: Array, modules: Sequence[Integers]) -> bool:
    """Return whether modules are in one layer each, so that their numbers say the layer, too.

    >>> layer, module = np.array([0, 0, 1, 1]), np.array([17, 18, 19, 20])
    >>> name_layers(layer, [Integers("m", "m", module)]), name_layers(layer, [Integers("m", "m", module % 2)])
    (True, False)
    """
    if not modules or len(np.unique(place)) < 2:
        return False
    numbers = [each.values for each in modules]
    return n_different([place, *numbers]) == n_different(numbers)


def product_of(first: Sequence[Array], combinations: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return every label of a first number, if there is one, with every combination of others.

    >>> product_of([np.array([1, 2])], [(7,), (8,)])
    [(1, 7), (1, 8), (2, 7), (2, 8)]
    """
    if not first:
        return list(combinations)
    return [(int(label), *more) for label, more in product(first[0], combinations)]


def layers_of(
    n_hits: int, layer: Integers | None, depth: Array | None, integers: Sequence[Integers], source: Any
) -> Layers:
    """Return the layers of hits: by the integer that names them, by others that rise with the depth, or by it.

    `depth` is a coordinate of every hit, `source` what stands for it in a config.
    """
    one = Layers(np.zeros(n_hits, np.int64), np.zeros(1, np.int64))
    if layer is not None:
        axis = propose_axis("layer", layer.values) if len(np.unique(layer.values)) > 1 else None
        if axis is None:
            return one
        labels = np.array(Axis.model_validate(axis.section).label_values)
        return Layers(look_up(layer.values, labels), labels, layer.source, axis.section, axis.comment)
    if depth is None:
        return one
    if (by_integers := _by_integers(depth, integers)) is not None:
        return by_integers
    if (found := depths_of(depth)) is None:
        return one
    axis, index, n_layers = found
    return Layers(index, np.arange(n_layers), source, axis.section, axis.comment)


def layers_in_line(coordinates: Sequence[Array], layer: Array) -> list[Array]:
    """Return the labels of layers by whose cells are equally large and behind each other, the fullest first.

    Such layers make one grid. `coordinates` are those of every hit along each axis; where they are in no equal
    steps, all layers are taken for one grid.
    """
    labels, counts = np.unique(layer, return_counts=True)
    fullest = layer == labels[np.argmax(counts)]
    steps = [equal_step(distinct_places(values[fullest].astype(np.float64))) for values in coordinates]
    in_line = np.array(
        [
            all(
                _is_in_line(values[layer == label].astype(np.float64), values[fullest][0], step)
                for values, step in zip(coordinates, steps, strict=True)
            )
            for label in labels
        ]
    )
    if in_line.all():
        return [labels]
    rest = np.isin(layer, labels[~in_line])
    return [labels[in_line], *layers_in_line([values[rest] for values in coordinates], layer[rest])]


def layers_of_one_pitch(coordinates: Sequence[Array], layer: Array) -> list[Array]:
    """Return the labels of layers whose cells are equally large, the fullest first; all where it is not seen.

    Layers may be shifted, as those of hexagons are. `coordinates` are those of every hit along each axis.
    """
    labels, counts = np.unique(layer, return_counts=True)
    pitch = np.array([[_pitch(values[layer == label]) for values in coordinates] for label in labels])
    if not pitch.all():
        return [labels]
    fullest = pitch[np.argmax(counts)]
    alike = (np.abs(pitch / fullest - 1) < OFF_LATTICE).all(axis=1)
    if alike.all():
        return [labels]
    rest = np.isin(layer, labels[~alike])
    return [labels[alike], *layers_of_one_pitch([values[rest] for values in coordinates], layer[rest])]


def _pitch(values: Array) -> float:
    """Return the step of places, 0 if it is none or is not seen."""
    places = distinct_places(snapped(values))
    is_seen = len(values) >= FEW_HITS * len(places) and len(places) >= MIN_PLACES
    return equal_step(places) if is_seen else 0.0


def _is_in_line(values: Array, origin: float, step: float) -> bool:
    """Return whether places lie at multiples of a step and, if there are enough to say, are no larger cells."""
    if not step:
        return True
    places = distinct_places(values)
    away = (places - origin) / step
    is_seen = len(values) >= FEW_HITS * len(places) and len(places) >= MIN_PLACES
    return bool(np.abs(away - np.rint(away)).max() < OFF_LATTICE) and not (
        is_seen and equal_step(places) > 1.5 * step
    )


def _by_integers(depth: Array, integers: Sequence[Integers]) -> Layers | None:
    few = [each for each in integers if len(np.unique(each.values)) <= MAX_LAYERS]
    chain = chain_along(depth, few, np.zeros(len(depth), np.int64), is_angle=False)
    if not chain.members:
        return None
    values = join_labels([("", each.values) for each in chain.members])
    labels = np.array(_with_gaps(values[np.argsort(depth, kind="stable")].tolist()))
    names = " and ".join(each.name for each in chain.members)
    told = f"layers: {names}, in the order of depth in every one of {len(depth)} hits"
    section = {"labels": ranges(labels.tolist())}
    return Layers(look_up(values, labels), labels, joined_source(chain.members), section, told)


def _with_gaps(labels: Sequence[int]) -> list[int]:
    """Return different labels in their order, with those between neighbours of the same modules.

    >>> _with_gaps([20003, 20003, 20001, 10000, 10001])
    [20003, 20002, 20001, 10000, 10001]
    """
    filled: list[int] = []
    for label in dict.fromkeys(labels):
        if filled and 1 < abs(label - filled[-1]) <= MAX_LAYERS:
            step = 1 if label > filled[-1] else -1
            filled += range(filled[-1] + step, label, step)
        filled.append(label)
    return filled
