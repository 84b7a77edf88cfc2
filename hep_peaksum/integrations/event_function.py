"""A Python function for one event that numba can compile, for ``ROOT.Numba.Declare``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.integrations.event_rules import Bounds, EventRules
from hep_peaksum.kernels import Array, Offset
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.suggestions import listed


def event_function(
    settings: PeakSumSettings,
    grid: Grid,
    field: str = "peak_sum",
    *,
    mask: npt.ArrayLike | None = None,
    integer: bool = False,
) -> Callable[[Array], Array]:
    """Return a function of the cells of one event, row after row, that gives a field of its clusters.

    Parameters
    ----------
    settings, grid, mask
        As for `hep_peaksum.integrations.cpp_header.cpp_header`.
    field
        One of the fields that clusters have by default.
    integer
        Whether the cells are whole numbers (at most 32 bits, or int64); otherwise they are float or double.

    Returns
    -------
    callable
        It takes a flat array and returns an array of float64, one value per cluster, in the order and with the
        bits of `hep_peaksum.find_clusters`. A cell that is not finite, or cells of another number than those
        of the grid, give NaN as the only value, since compiled functions of ROOT cannot raise.

    Raises
    ------
    ValueError
        If the settings ask for more than compared cells and whole windows, or there is no such field.

    >>> import numpy as np
    >>> from hep_peaksum.geometry.grid import bare_grid
    >>> find = event_function(PeakSumSettings(), bare_grid((2, 3)), "col")
    >>> find(np.array([0.0, 5, 1, 0, 0, 0]))
    array([1.])
    """
    rules = EventRules.of(settings, grid, mask)
    if field not in rules.fields:
        msg = f"no field {field!r} in one event: there are {listed(rules.fields, near=field)}"
        raise ValueError(msg)
    return _compilable(rules, rules.integer if integer else rules.floating, *_value_of(field, rules))


# What a field is made of: a number of the peak, which is multiplied with or divided by one of its cell.
SUM, ENERGY, SEED, N_CELLS, ONE = range(5)


def _value_of(field: str, rules: EventRules) -> tuple[int, Array, bool]:
    """Return the number of the peak, the number of every cell, and whether to divide by it."""
    rows, cols = np.indices(rules.shape)
    ones = np.ones(rules.shape)
    if field in ("row", "col"):
        return ONE, (rows if field == "row" else cols).astype(np.float64), False
    if field in rules.positions:
        dim, values = rules.positions[field]
        return ONE, values[(rows, cols)[dim]], False
    if field in ("pt", "energy"):
        cosh = rules.cosh_factor(field)
        if cosh is None:
            return ENERGY, ones, False
        return ENERGY, cosh[1][(rows, cols)[cosh[0]]], field == "pt"
    return {"peak_sum": SUM, "seed": SEED, "n_cells": N_CELLS}[field], ones, False


def _neighbours(rules: EventRules, offsets: Sequence[Offset]) -> Array:
    """Return the number of the cell at every offset from every cell, -1 where there is none or it is masked."""
    places = []
    for offset in offsets:
        inside = np.ones(rules.shape, bool)
        index = []
        for dim, place in enumerate(np.indices(rules.shape)):
            moved, size = place + offset[dim], rules.shape[dim]
            moved = moved % size if rules.periodic[dim] else moved
            inside &= (moved >= 0) & (moved < size)
            index.append(np.clip(moved, 0, size - 1))
        inside &= ~rules.masked[tuple(index)]
        places.append(np.where(inside, index[0] * rules.shape[1] + index[1], -1).reshape(-1))
    return np.array(places, np.int64).reshape(len(places), rules.shape[0] * rules.shape[1])


def _compilable(
    rules: EventRules,
    bounds: Bounds,
    source: int,
    table: Array,
    divides: bool,
) -> Callable[[Array], Array]:
    """Return the function; all that it uses are numbers and arrays, which numba takes as constants."""
    search = _neighbours(rules, [(cell.row, cell.col) for cell in rules.search])
    loses_to_lower = np.array([cell.must_be_exceeded(has_lower_index=True) for cell in rules.search], bool)
    loses_to_higher = np.array([cell.must_be_exceeded(has_lower_index=False) for cell in rules.search], bool)
    window, factor = _neighbours(rules, rules.window), table.reshape(-1)
    number: type[np.int64 | np.float64] = np.int64 if bounds is rules.integer else np.float64
    exists, unit = ~rules.masked.reshape(-1), rules.unit
    seed_bound, has_cell, has_sum = number(bounds.seed), bounds.cell is not None, bounds.sum is not None
    cell_bound, sum_bound = number(bounds.cell or 0), number(bounds.sum or 0)
    most = len(exists) if rules.max_clusters is None else rules.max_clusters
    by_sum = rules.orders_by_sum

    def find(cells: Array) -> Array:
        if len(cells) != len(exists):
            return np.full(1, np.nan)
        place = np.empty(len(exists), np.int64)
        total, value = np.empty(len(exists), number), np.ones((ONE + 1, len(exists)))
        n_peaks = 0
        for cell in range(len(exists)):
            here = number(cells[cell])
            if exists[cell] and not np.isfinite(here):
                return np.full(1, np.nan)
            is_seed = exists[cell] and here >= seed_bound
            for k in range(len(search)):
                other = search[k, cell]
                if is_seed and other >= 0:
                    loses_tie = loses_to_lower[k] if other < cell else loses_to_higher[k]
                    neighbour = number(cells[other])
                    is_seed = here > neighbour or (here == neighbour and not loses_tie)
            if is_seed:
                added, n_cells = number(0), 0
                for k in range(len(window)):
                    other = window[k, cell]
                    if other >= 0 and (not has_cell or number(cells[other]) >= cell_bound):
                        added += number(cells[other])
                        n_cells += 1
                if not has_sum or added >= sum_bound:
                    place[n_peaks], total[n_peaks] = cell, added
                    value[SUM, n_peaks], value[ENERGY, n_peaks] = added, added * unit
                    value[SEED, n_peaks], value[N_CELLS, n_peaks] = here, n_cells
                    n_peaks += 1
        order = np.argsort(-total[:n_peaks], kind="mergesort")[:most]
        if not by_sum:
            order = np.sort(order)
        scale, values = factor[place[order]], value[source][order]
        scaled: Array = values / scale if divides else values * scale
        return scaled

    return find
