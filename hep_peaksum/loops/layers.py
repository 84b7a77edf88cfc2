"""Sums in every layer, compiled: the loop of `hep_peaksum.clustering.fields`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.kernels.numba_compile import cached_jit, read_only


def layer_sums(
    layers: Array, event: Array, cell: Array, is_held: Array, fraction: Array | None, dtype: np.dtype[Any]
) -> Array:
    """Return the sums of the cells that every peak holds, shape (peak, layer).

    Parameters
    ----------
    layers
        The cells of all layers, shape (event, layer, row, col).
    event
        The event of every peak.
    cell, is_held, fraction
        Numbers of the cells of every window in their plane, which of them the peak holds, and what part of
        each, shape (peak, cell); all of each without a fraction.
    dtype
        That of the sums: float64 or int64.
    """
    total = np.zeros((len(event), layers.shape[1]), dtype)
    number, flat = total.dtype.type(1), layers.reshape(*layers.shape[:2], layers.shape[2] * layers.shape[3])
    parts = np.ones((1, 1)) if fraction is None else fraction
    columns = read_only(event), read_only(cell), read_only(is_held), read_only(parts)
    _add_layers(read_only(flat), columns, number, fraction is None, total)
    return total


@cached_jit
def _add_layers(layers: Any, columns: Any, number: Any, is_whole: bool, total: Any) -> None:
    """Add, layer by layer, the cells that every peak holds."""
    event, cell, is_held, fraction = columns
    held = np.empty(cell.shape[1], np.int64)
    for peak in range(len(event)):
        n_held = 0
        for k in range(cell.shape[1]):
            held[n_held] = k
            n_held += is_held[peak, k]
        for layer in range(layers.shape[1]):
            for i in range(n_held):
                k = held[i]
                value = layers[event[peak], layer, np.uint64(cell[peak, k])]
                if is_whole:
                    total[peak, layer] += type(number)(value)
                else:
                    total[peak, layer] += type(number)(np.float64(value) * fraction[peak, k])
