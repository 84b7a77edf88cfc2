"""Windows about peaks, compiled (see `hep_peaksum.loops.windows`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hep_peaksum.kernels import Array, Periodic, absent, accumulator
from hep_peaksum.kernels.numba_compile import cached_jit, read_only
from hep_peaksum.loops.windows import Entries, Places, Rivals


def window_tables(offsets: Array, plane: tuple[int, int], periodic: Periodic) -> Any:
    """Return the reach of a window, its steps along a flat plane, and its steps along either axis.

    The latter lead upwards along periodic axes, so that one comparison closes them.
    """
    reach = (*offsets.min(axis=0, initial=0).tolist(), *offsets.max(axis=0, initial=0).tolist())
    (rows, cols), (n_rows, n_cols) = offsets.T, plane
    steps = rows * n_cols + cols
    rows, cols = rows % n_rows if periodic.rows else rows, cols % n_cols if periodic.cols else cols
    return plane, reach, periodic, *(read_only(each) for each in (steps, rows, cols))


def window_cells(grids: Array, places: Places, tables: Any) -> tuple[Array, Array]:
    """Return the place of every cell in the flat grids, and its value (see `WindowLoops`)."""
    number, shape = accumulator(grids.dtype), (len(places.event), len(tables[-1]))
    place, values = np.empty(shape, np.int64), np.empty(shape, number)
    columns = tuple(read_only(column) for column in places)
    _window_cells(read_only(grids.reshape(-1)), columns, tables, number(absent(number)), place, values)
    return place, values


def ordered_sum(parts: Array) -> Array:
    """Return the sum of every window, its cells added one after the other."""
    total = np.zeros(len(parts), parts.dtype)
    _ordered_sum(read_only(parts), total)
    return total


def moment(weights: Array, entries: Entries) -> Array:
    """Return the sum of weights times entries of every window."""
    total = np.zeros(len(weights))
    _add_moments(read_only(weights), *map(read_only, entries), total)
    return total


def second_moment(weights: Array, entries: Entries, mean: Array, turn: float) -> Array:
    """Return the sum of weights times squared differences from the mean (see `WindowLoops`)."""
    total = np.zeros(len(weights))
    _add_second_moments(read_only(weights), *map(read_only, entries), read_only(mean), turn, total)
    return total


def claim_cells(
    owner: Array, nearest: Array | None, place: Array, is_added: Array, first: int, rivals: Rivals
) -> None:
    """Write the number of a peak to the places that it gets (see `WindowLoops`)."""
    place, is_added, seed = (read_only(array) for array in (place, is_added, rivals.seed))
    if nearest is None or rivals.distance is None:
        _claim_by_height(owner, place, is_added, first, seed, rivals.last_wins)
    else:
        distance = read_only(rivals.distance)
        _claim_by_distance(owner, nearest, place, is_added, first, seed, rivals.last_wins, distance)


def owned_cells(owner: Array, values: Array, place: Array, is_added: Array, first: int) -> tuple[Array, Array]:
    """Return the values of the cells that peaks own, and which these are (see `WindowLoops`)."""
    owned, is_owned = np.empty_like(values), np.empty_like(is_added)
    columns = (read_only(column) for column in (owner, values, place, is_added))
    _pick_owned(*columns, first, owned, is_owned)
    return owned, is_owned


def add_weights(total: Array, place: Array, is_added: Array, weight: Array) -> None:
    """Add the weight of every peak to the places that it claims."""
    _add_weights(total, read_only(place), read_only(is_added), read_only(weight))


def count_claims(n_claims: Array, place: Array, is_added: Array) -> None:
    """Count the claims on every place; 2 stands for two or more."""
    _count_claims(n_claims, read_only(place), read_only(is_added))


def layer_sums(
    layers: Array, event: Array, cell: Array, is_held: Array, fraction: Array | None, dtype: np.dtype[Any]
) -> Array:
    """Return the sums, in every layer, of the cells that every peak holds (see `WindowLoops`)."""
    total = np.zeros((len(event), layers.shape[1]), dtype)
    parts = np.ones((1, 1)) if fraction is None else fraction
    columns = tuple(read_only(column) for column in (event, cell, is_held, parts))
    _add_layers(read_only(layers), columns, total.dtype.type(1), fraction is None, total)
    return total


@cached_jit
def _window_cells(cells: Any, places: Any, tables: Any, low: Any, place: Any, values: Any) -> None:
    """Write down places and values; windows in the middle of the plane need no look at its edges."""
    event, row, col = places
    (n_rows, n_cols), (top, left, bottom, right), periodic, steps, row_steps, col_steps = tables
    for n in range(place.shape[0]):
        start = event[n] * n_rows * n_cols
        has_rows = row[n] + top >= 0 and row[n] + bottom < n_rows
        if has_rows and col[n] + left >= 0 and col[n] + right < n_cols:
            here = start + row[n] * n_cols + col[n]
            for k in range(place.shape[1]):
                place[n, k] = here + steps[k]
                values[n, k] = type(low)(cells[np.uint64(here + steps[k])])
            continue
        for k in range(place.shape[1]):
            r, c = row[n] + row_steps[k], col[n] + col_steps[k]
            if periodic.rows and r >= n_rows:
                r -= n_rows
            if periodic.cols and c >= n_cols:
                c -= n_cols
            if r < 0 or r >= n_rows or c < 0 or c >= n_cols:
                place[n, k], values[n, k] = -1, low
            else:
                place[n, k] = start + r * n_cols + c
                values[n, k] = type(low)(cells[np.uint64(start + r * n_cols + c)])


@cached_jit
def _ordered_sum(parts: Any, total: Any) -> None:
    """Add the rows of an array, from left to right."""
    for n in range(parts.shape[0]):
        for k in range(parts.shape[1]):
            total[n] += parts[n, k]


@cached_jit
def _add_moments(weights: Any, table: Any, row: Any, column: Any, total: Any) -> None:
    """Add weights times entries, from left to right."""
    for n in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            total[n] += weights[n, k] * table[row[n], column[k]]


@cached_jit
def _add_second_moments(
    weights: Any, table: Any, row: Any, column: Any, mean: Any, turn: Any, total: Any
) -> None:
    """Add weights times squared differences, from left to right."""
    for n in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            difference = table[row[n], column[k]] - mean[n]
            if turn > 0:
                difference += turn / 2
                if difference < 0 or difference >= turn:  # few are
                    difference %= turn
                difference -= turn / 2
            total[n] += weights[n, k] * (difference * difference)


@cached_jit
def _claim_by_height(owner: Any, place: Any, is_added: Any, first: Any, seed: Any, last_wins: Any) -> None:
    """Write the number of the highest peak to every place."""
    for n in range(place.shape[0]):
        mine = seed[first + n]
        for k in range(place.shape[1]):
            if is_added[n, k]:
                other = owner[place[n, k]]
                if other < 0 or mine > seed[other] or (last_wins and mine == seed[other]):
                    owner[place[n, k]] = first + n


@cached_jit
def _claim_by_distance(
    owner: Any, nearest: Any, place: Any, is_added: Any, first: Any, seed: Any, last_wins: Any, distance: Any
) -> None:
    """Write the number of the nearest peak, of equally near ones that of the highest, to every place."""
    for n in range(place.shape[0]):
        mine = seed[first + n]
        for k in range(place.shape[1]):
            if is_added[n, k]:
                other, least = owner[place[n, k]], nearest[place[n, k]]
                wins = other < 0 or distance[k] < least
                if not wins and distance[k] == least:
                    wins = mine > seed[other] or (last_wins and mine == seed[other])
                if wins:
                    owner[place[n, k]], nearest[place[n, k]] = first + n, distance[k]


@cached_jit
def _pick_owned(
    owner: Any, values: Any, place: Any, is_added: Any, first: Any, owned: Any, is_owned: Any
) -> None:
    """Write down the owned cells of every window."""
    for n in range(place.shape[0]):
        for k in range(place.shape[1]):
            is_mine = is_added[n, k] and owner[place[n, k]] == first + n
            is_owned[n, k] = is_mine
            owned[n, k] = values[n, k] if is_mine else 0


@cached_jit
def _add_weights(total: Any, place: Any, is_added: Any, weight: Any) -> None:
    """Add the weights of the peaks to the places that they claim."""
    for n in range(place.shape[0]):
        for k in range(place.shape[1]):
            if is_added[n, k]:
                total[place[n, k]] += weight[n]


@cached_jit
def _count_claims(n_claims: Any, place: Any, is_added: Any) -> None:
    """Count the claims on every place, up to two."""
    for n in range(place.shape[0]):
        for k in range(place.shape[1]):
            if is_added[n, k] and n_claims[place[n, k]] < 2:
                n_claims[place[n, k]] += 1


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
