"""The compiled twin of `energies`: one pass over the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.kernels.numba_compile import cached_jit, read_only


@cached_jit
def _in_order(raw: Any, period: Any, pedestal: Any, gain: Any, shift: Any, cells: Any) -> None:
    """Write down the energies of cells of which each has the raw value of its own place."""
    for event in range(raw.shape[0]):
        p = period[event]
        for cell in range(cells.shape[1]):
            cells[event, cell] = (raw[event, cell] - pedestal[p, cell]) * gain[p, cell] + shift[p, cell]


@cached_jit
def _in_place(raw: Any, period: Any, source: Any, pedestal: Any, gain: Any, shift: Any, cells: Any) -> None:
    """Write down the energies of cells, given the place of the raw value of each."""
    for event in range(raw.shape[0]):
        p = period[event]
        for cell in range(cells.shape[1]):
            value = raw[event, source[p, cell]]
            cells[event, cell] = (value - pedestal[p, cell]) * gain[p, cell] + shift[p, cell]


def calibrate(raw: Array, period: Array, source: Array | None, constants: Sequence[Array]) -> Array:
    """Return the energies of cells, given pedestal, gain and shift; without a source, cells are in order."""
    raw = read_only(raw.astype(raw.dtype.newbyteorder("="), copy=False))
    number = read_only(period.astype(np.int64, copy=False))
    numbers = [read_only(each) for each in constants]
    cells = np.empty((len(raw), numbers[0].shape[1]))
    if source is None:
        _in_order(raw, number, *numbers, cells)
    else:
        _in_place(raw, number, read_only(source.astype(np.uint32)), *numbers, cells)
    return cells
