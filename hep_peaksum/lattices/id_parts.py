"""Ids of channels that are made of numbers: of their decimal digits, or as they count the cells of a plane."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.lattices.shapes import SHAPE_ENTRIES, guess_shape

LEAST_OF_TWO, LEAST_OF_THREE = 0.3, 0.005  # of the cells that digits allow, which occur
LOG_OF_CHANCE, MOST_CELLS, MOST_SEEN = -14.0, 200_000, 0.5
ROUND, WIDER = 100, 3  # the number at which ids of a detector begin, and the gap before it than others
MOST_UNHIT, PER_UNHIT = 5, 40  # cells at the begin that no event has hit, or at the end, one for so many cells


class IdParts(NamedTuple):
    """Ids that are a multiple of each of two or three numbers, of which the last is that of the column."""

    factors: tuple[int, ...]  # of each number, that of the column last
    ends: tuple[tuple[int, int], ...]  # the lowest and the highest of each number
    first: int = 0  # the id where all numbers are 0
    reason: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a cell table that the numbers become."""
        return ("layer", "row", "col")[-len(self.ends) :]

    @property
    def n_cells(self) -> int:
        """The number of cells from the lowest to the highest of each number."""
        return math.prod(high - low + 1 for low, high in self.ends)

    def cells(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the id of every cell, and its numbers."""
        for cell in product(*(range(low, high + 1) for low, high in self.ends)):
            yield self.first + int(np.dot(self.factors, cell)), cell

    @property
    def in_words(self) -> str:
        """The ids as a sum, and the range of each number."""
        factors = [f"{factor} * " if factor > 1 else "" for factor in self.factors]
        terms = [factor + name for factor, name in zip(factors, self.names, strict=True)]
        limits = [f"{name} {low} to {high}" for name, (low, high) in zip(self.names, self.ends, strict=True)]
        first = f"{self.first} + " if self.first else ""
        return f"{first}{' + '.join(terms)}, {', '.join(limits[:-1])} and {limits[-1]}{self.reason}"


def decimal_digits(ids: Array) -> IdParts | None:
    """Return the two or three numbers of which ids consist in their decimal digits; or None.

    The digits of each but the first have values that never occur, so that ids cannot just count.

    >>> found = decimal_digits(np.array([100 * row + col for row in range(1, 5) for col in range(6)]))
    >>> found.factors, found.ends
    ((100, 1), ((1, 4), (0, 5)))
    """
    ids = ids.astype(np.int64)
    for n, share in ((2, LEAST_OF_TWO), (3, LEAST_OF_THREE)):
        for step in (100, 1000, 10_000)[: 5 - n] + (10,) * (n == 2):
            factors = tuple(step**power for power in range(n - 1, -1, -1))
            numbers = [ids // factors[0], *(ids // factor % step for factor in factors[1:])]
            found = IdParts(factors, tuple((int(each.min()), int(each.max())) for each in numbers))
            are_numbers = all(low < high for low, high in found.ends)
            are_filled = share * found.n_cells < len(ids) and found.n_cells <= MOST_CELLS
            if are_numbers and are_filled and all(_leaves_out(each, step) for each in numbers[1:]):
                return found
    return None


def id_sections(ids: Array, values: Array, event: Array) -> tuple[IdParts, ...]:
    """Return the numbers of which ids consist, those of each detector if they count the cells of several."""
    detectors = [(ids[own], values[own], event[own]) for own in ranges_of(ids)]
    parts = [_in_order(*each) for each in detectors]
    if any(parts):  # one detector that is seen says that the other has a shape, too
        parts = [
            found or _in_order(*each, also_unseen=True) for found, each in zip(parts, detectors, strict=True)
        ]
    planes = [each for each in parts if each is not None and len(each.ends) == 2]
    if planes and len(planes) == len(parts):
        return tuple(planes)
    found = decimal_digits(np.unique(ids))
    if found is None and _begin(ids) is not None:
        n_events = int(event.max()) + 1
        is_array = len(ids) == n_events * len(np.unique(ids))  # of every channel in every event
        found = _in_order(ids, values, event, also_unseen=is_array)
    return () if found is None else (found,)


def ranges_of(ids: Array) -> list[Array]:
    """Return the hits of two ranges of ids, one of which begins at a round number behind a gap; or nothing."""
    labels = np.unique(ids)
    gaps = np.diff(labels)
    if len(gaps) < 2:
        return []
    at = int(np.argmax(gaps))
    begin, rest = int(labels[at + 1]), np.delete(gaps, at)
    if None in (_begin(labels), _begin(labels[at + 1 :])) or gaps[at] < WIDER * rest.max():
        return []
    return [ids < begin, ids >= begin]


def _begin(ids: Array) -> int | None:
    """Return the round number at which ids begin, or the one behind it; None if they begin elsewhere.

    >>> _begin(np.array([1003, 1004])), _begin(np.array([0, 7])), _begin(np.array([50, 51]))
    (1001, 0, None)
    """
    first = int(ids.min())
    behind = first % ROUND
    return first - behind + min(behind, 1) if first >= 0 and behind <= MOST_UNHIT else None


def _in_order(ids: Array, values: Array, event: Array, *, also_unseen: bool = False) -> IdParts | None:
    """Return the numbers of ids that count cells in order, if the likeness of cells shows how; or None.

    With `also_unseen` the shape may be that which n numbers have without it.
    """
    begin, last = _begin(ids), int(ids.max())
    first = int(ids.min()) if begin is None else begin
    n, n_events = last - first + 1, min(int(event.max()) + 1, SHAPE_ENTRIES)
    if n > MOST_CELLS or len(np.unique(ids)) < MOST_SEEN * n:
        return None
    n_all = n + min(n // PER_UNHIT, MOST_UNHIT)
    cells, some = np.zeros((n_events, n_all)), event < n_events
    cells[event[some], ids[some] - first] = values[some]
    shapes = (guess_shape(size, cells[:, :size]) for size in range(n, n_all + 1))
    shape = next((each for each in shapes if each is not None and each.is_seen), None)
    shape = shape or (guess_shape(n) if also_unseen else None)
    if shape is None:
        return None
    factors = tuple(math.prod(shape.sizes[at:]) for at in range(1, len(shape.sizes) + 1))
    return IdParts(factors, tuple((0, size - 1) for size in shape.sizes), first, f" ({shape.reason})")


def _leaves_out(digits: Array, step: int) -> bool:
    """Return whether digits, of different ids, have too few values below a step to be those of any ids."""
    chance = (int(np.ptp(digits)) + 1) / step
    return chance < 1 and len(digits) * math.log(chance) < LOG_OF_CHANCE
