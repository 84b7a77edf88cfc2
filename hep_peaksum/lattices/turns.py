"""Rows of hits around the beam, by how many cells each has in azimuth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.lattices.axes import TURN, distinct_places, equal_step, snapped

FEWEST_PLACES = 12  # in azimuth, of a row whose cells are counted
MOST_PARTS = 5  # of a detector; more are chance


def rows_of_one_turn(rows: Array, phi: Array) -> list[tuple[float, float]]:
    """Return the ranges of rows that have equally many cells in azimuth; one if all rows have.

    `rows` and `phi` are the places of every hit. Cells that are coarser in some rows have their centres between
    those of the others, so that all of them lie on a finer lattice than that of any row.

    >>> row, cell = np.indices((6, 64)).reshape(2, -1)
    >>> n = np.where(row < 4, 64, 32)  # cells in a turn
    >>> rows_of_one_turn(row * 0.1, (cell % n + 0.5) * TURN / n)
    [(-inf, 0.35), (0.35, inf)]
    """
    whole = [(-np.inf, np.inf)]
    rows, angles = snapped(rows), snapped(phi)
    places = distinct_places(rows)
    step = equal_step(distinct_places(angles))
    if not step or abs(TURN / step - round(TURN / step)) > 0.3 or len(places) < 2:
        return whole
    index = np.rint((angles - angles.min()) / step).astype(np.int64)
    row = np.searchsorted(places, rows, side="right") - 1
    strides = _strides(row, index, len(places), round(TURN / step))
    if strides is None:
        return whole
    changes = [at for at, (one, other) in enumerate(pairwise(strides)) if one != other]
    limits = [-np.inf, *(round(float(places[at] + places[at + 1]) / 2, 6) for at in changes), np.inf]
    return [*pairwise(limits)] if len(limits) <= MOST_PARTS + 1 else whole


def _strides(row: Array, index: Array, n_rows: int, n_turn: int) -> list[int] | None:
    """Return for every row the steps of the lattice from cell to cell; None if no row has enough hits to tell.

    A row of few hits is as the one before it.
    """
    strides: list[int] = []
    for number in range(n_rows):
        own = np.unique(index[row == number] % n_turn)
        is_known = len(own) >= FEWEST_PLACES
        strides.append(int(np.gcd.reduce([*np.diff(own), n_turn])) if is_known else 0)
    known = [stride for stride in strides if stride]
    if not known:
        return None
    last = known[0]
    for at, stride in enumerate(strides):
        last = strides[at] = stride or last
    return strides
