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
    limit = 10 ** (18 - DIGITS * (len(parts) - 1))
    labels = np.zeros(len(parts[0][1]), np.int64)
    for place, (name, numbers) in enumerate(parts):
        if numbers.dtype.kind not in "biu":
            msg = f"{name} holds {numbers.dtype}, and what is joined are integers: name another branch"
            raise ValueError(msg)
        low, high = (-BASE // 2, BASE // 2) if place else (-limit, limit)
        if len(numbers) and not low <= int(numbers.min()) <= int(numbers.max()) < high:
            wrong = int(numbers.min() if numbers.min() < low else numbers.max())
            which = "a number behind others" if place else "the first of joined numbers"
            msg = f"{name} is {wrong}, and {which} is from {low} to {high - 1}: join fewer, or others"
            raise ValueError(msg)
        labels = labels * BASE + numbers.astype(np.int64)
    return labels
