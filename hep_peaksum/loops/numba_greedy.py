"""Greedy acceptance, compiled: one pass over the peaks of an event, with a map of the cells that are taken."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Offset, Peaks, Periodic
from hep_peaksum.kernels.numba_compile import cached_jit, jit, read_only


def accepted_in_order(
    peaks: Peaks,
    order: Array,
    window: Collection[Offset],
    groups: Array | None,
    plane: tuple[int, int],
    periodic: Periodic,
) -> Array:
    """Return which peaks are accepted in an order (see `hep_peaksum.loops.greedy.accepted_in_order`)."""
    is_accepted = np.zeros(len(peaks), bool)
    offsets = np.array(sorted({(0, 0), *window}), np.int64)
    steps = offsets[:, 0] * plane[1] + offsets[:, 1]
    _accept(
        (read_only(peaks.event_offsets), read_only(peaks.cell), read_only(order)),
        (read_only(offsets), read_only(steps), tuple(offsets.min(axis=0)), tuple(offsets.max(axis=0))),
        read_only(
            np.zeros((0, 0), np.int64) if groups is None else groups.reshape(len(groups), plane[0] * plane[1])
        ),
        (*plane, bool(periodic.rows), bool(periodic.cols)),
        np.zeros(plane[0] * plane[1], np.int32),
        is_accepted,
    )
    return is_accepted


@cached_jit
def _accept(places: Any, window: Any, groups: Any, plane: Any, taken: Any, is_accepted: Any) -> None:
    """Accept peaks; `taken` is the last event, counted from 1, in which a cell was taken."""
    (event_offsets, cells, order), (offsets, steps, least, most) = places, window
    n_rows, n_cols, has_periodic_rows, has_periodic_cols = plane
    for event in range(len(event_offsets) - 1):
        for n in range(event_offsets[event], event_offsets[event + 1]):
            cell = cells[order[n]]
            if taken[cell] == event + 1:
                continue
            is_accepted[order[n]] = True
            row, col = cell // n_cols, cell % n_cols
            is_inner = row + least[0] >= 0 and row + most[0] < n_rows
            is_inner &= col + least[1] >= 0 and col + most[1] < n_cols
            for k in range(len(steps)):
                other = cell + steps[k]
                if not is_inner:
                    r = _wrap(row + offsets[k, 0], n_rows, has_periodic_rows)
                    c = _wrap(col + offsets[k, 1], n_cols, has_periodic_cols)
                    other = r * n_cols + c if r >= 0 and c >= 0 else cell
                if len(groups) == 0 or groups[event, other] == groups[event, cell]:
                    taken[other] = event + 1


@jit
def _wrap(index: int, size: int, is_periodic: bool) -> int:
    """Return the index of a row or column that may lie beyond the edge; -1 where there is none."""
    if is_periodic:
        return index % size
    return index if 0 <= index < size else -1
