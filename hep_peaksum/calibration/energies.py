"""Raw values of channels become energies of cells: subtracted, multiplied and put in their places in one pass.

The readable twin takes a pass for each step; `numba_energies` takes one for all, with the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import Array, is_compiled


class CellConstants(NamedTuple):
    """What makes an energy of a raw value, for every period of runs and every cell, shape (period, cell).

    The energy is (raw[source] - pedestal) * gain + shift. `shift` is 0 for a cell that has an energy; one that
    has none has gain 0 and what it holds as its shift.
    """

    source: Array
    pedestal: Array
    gain: Array
    shift: Array

    @property
    def is_in_order(self) -> bool:
        """Whether every cell has the raw value of its own place."""
        return bool((self.source == np.arange(self.source.shape[1])).all())


def calibrate(raw: Array, period: Array, constants: CellConstants) -> Array:
    """Return the energies of cells, float64 of shape (event, cell), from raw values of shape (event, channel).

    `period` is the number of the period of every event.

    >>> one = np.ones((1, 2))
    >>> constants = CellConstants(np.array([[1, 0]]), 10 * one, 0.5 * one, 0 * one)
    >>> calibrate(np.array([[12, 30]]), np.array([0]), constants).tolist()
    [[10.0, 1.0]]
    """
    if is_compiled("numba"):
        from hep_peaksum.calibration import numba_energies

        source = None if constants.is_in_order else constants.source
        return numba_energies.calibrate(raw, period, source, constants[1:])
    return readable(raw, period, constants)


def readable(raw: Array, period: Array, constants: CellConstants) -> Array:
    """Return the same, a step at a time."""
    source, pedestal, gain, shift = (each[period] for each in constants)
    values = np.take_along_axis(raw, source.astype(np.int64), axis=1).astype(np.float64)
    return np.asarray((values - pedestal) * gain + shift)
