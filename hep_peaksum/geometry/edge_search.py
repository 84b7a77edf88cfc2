"""Between which edges numbers lie: as `numpy.searchsorted` finds it, several times as fast.

Edges are spread over buckets, equal in the numbers themselves or about so in their logarithms, of which none
holds two edges. A number is then compared with a single edge. Of two numbers the higher one is never in the
earlier bucket, however they are rounded, so this comparison decides exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.kernels import Array

MOST_BUCKETS = 1 << 14  # their table stays in the processor's cache


class _Buckets(NamedTuple):
    """The bucket of a number, the edges in earlier ones, and the edges with NaN after the last."""

    of: Callable[[Array], Array]
    n_before: Array
    edges: Array


def edges_below(values: Array, edges: Array) -> Array:
    """Return how many of ascending edges lie at or below each number; none for NaN.

    >>> edges_below(np.array([-1.0, 0.0, 0.5, 3.0, np.inf]), np.array([0.0, 1.0, 3.0])).tolist()
    [0, 1, 1, 3, 3]
    """
    buckets = _buckets(np.asarray(edges, np.float64).tobytes())
    found = np.empty(len(values), np.int64)
    for block in block_sizes.blocks(len(values), block_sizes.BINNED_NUMBERS):
        numbers = np.asarray(values[block], np.float64)
        if buckets is None:
            found[block] = np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right"))
            continue
        n_before = buckets.n_before[buckets.of(numbers)]
        found[block] = n_before + (buckets.edges[n_before] <= numbers)
    return found


@lru_cache(maxsize=256)
def _buckets(edges_as_bytes: bytes) -> _Buckets | None:
    """Return buckets of which none holds two edges; None where that takes too many."""
    edges = np.frombuffer(edges_as_bytes)
    for of, last in (*_equal_buckets(edges), *_logarithmic_buckets(edges)):
        places = of(edges)
        if (places[1:] > places[:-1]).all():
            return _Buckets(of, np.searchsorted(places, np.arange(last + 1)), np.append(edges, np.nan))
    return None


def _equal_buckets(edges: Array) -> Iterator[tuple[Callable[[Array], Array], int]]:
    """Yield functions to more and more buckets of equal width, with the number of the last bucket."""
    low, last = edges[0], len(edges)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        width = edges[-1] - low
        is_possible = np.isfinite(width) and np.isfinite(MOST_BUCKETS / width)
    while is_possible and last < MOST_BUCKETS:
        yield partial(_equal_bucket, low=low, scale=last / width, last=last), last
        last *= 2


def _equal_bucket(numbers: Array, low: float, scale: float, last: int) -> Array:
    """Return the bucket of every number; NaN, which fmax passes over, is in the first."""
    with np.errstate(over="ignore"):  # far beyond the edges
        places: Array = np.fmin(np.fmax((numbers - low) * scale, 0), last)
    return places.astype(np.int64)


def _logarithmic_buckets(edges: Array) -> Iterator[tuple[Callable[[Array], Array], int]]:
    """Yield functions to more and more buckets for each factor of two, if all edges lie above zero."""
    for n_digits in range(12 if edges[0] > 0 else 0):
        shift = 52 - n_digits
        first, end = (int(bits) >> shift for bits in edges[[0, -1]].view(np.int64))
        if end - first < MOST_BUCKETS:
            yield partial(_logarithmic_bucket, shift=shift, first=first, last=end - first), end - first


def _logarithmic_bucket(numbers: Array, shift: int, first: int, last: int) -> Array:
    """Return the bucket of every number by its exponent and first digits: bits ascend with the numbers."""
    bits: Array = np.fmax(numbers, 0).view(np.int64)
    return ((bits >> shift) - first).clip(0, last)
