"""Several integers that name a cell together, such as a module and a cell in it, as one label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hep_peaksum.kernels import Array

DIGITS = 4  # of every number but the first
BASE = 10**DIGITS
MAX_JOINED = 4  # more do not fit into 64 bits with a first number of some digits


def join_labels(parts: Sequence[tuple[str, Array]]) -> Array:
    """Return one label for several integers of every hit, int64; each part has the name for errors.

    Different integers have different labels: each but the first lies in [-5000, 5000).

    Raises
    ------
    ValueError
        If a part holds no integers, or one that does not fit.

    >>> join_labels([("module", np.array([3, 4])), ("cell", np.array([17, -2]))]).tolist()
    [30017, 39998]
    """
    labels = np.zeros(len(parts[0][1]), np.int64)
    for place, (name, numbers) in enumerate(parts):
        if numbers.dtype.kind not in "biu":
            msg = f"{name} holds {numbers.dtype}, and what is joined are integers: name another branch"
            raise ValueError(msg)
        low, high = _ends(place, len(parts))
        if not _lie_between(numbers, low, high):
            wrong = int(numbers.min() if numbers.min() < low else numbers.max())
            which = "a number behind others" if place else "the first of joined numbers"
            msg = f"{name} is {wrong}, and {which} is from {low} to {high - 1}: join fewer, or others"
            raise ValueError(msg)
        labels = labels * BASE + numbers.astype(np.int64)
    return labels


def can_join(parts: Sequence[Array]) -> bool:
    """Return whether integers of every hit can be joined in this order (see `join_labels`).

    >>> can_join([np.array([7000]), np.array([3])]), can_join([np.array([3]), np.array([7000])])
    (True, False)
    """
    return all(_lie_between(part, *_ends(place, len(parts))) for place, part in enumerate(parts))


def _ends(place: int, n_parts: int) -> tuple[int, int]:
    """Return what the number at a place may be at least, and what it must be below."""
    limit = BASE // 2 if place else 10 ** (18 - DIGITS * (n_parts - 1))
    return -limit, limit


def _lie_between(numbers: Array, low: int, high: int) -> bool:
    return not len(numbers) or low <= int(numbers.min()) <= int(numbers.max()) < high
