"""Windows about peaks: their cells, and their sums in order; which peak gets a cell.

Arrays about windows have the shape (peak, cell), the cells of a window in row-major order. Claims stand in flat
planes, those of one event after the other. This is the readable twin of `numba_windows`, with the same bits.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from hep_peaksum.kernels import Array, KernelName, Offset, Periodic, absent, accumulator, is_compiled


class Places(NamedTuple):
    """The cells about which windows lie, one per peak: int64, columns of one length."""

    event: Array
    row: Array
    col: Array


class SumWindow(NamedTuple):
    """The cells of a window, row-major: their offsets, those of the towers they lie in, and tables of them.

    `along` rows and columns has the different offsets, and for every cell which of them is its own.
    """

    offsets: Array
    tower_offsets: Array
    along: tuple[tuple[Array, Array], ...]
    tables: Any


@lru_cache(maxsize=16)
def sum_window(
    name: KernelName,
    towers: tuple[Offset, ...],
    pooled: tuple[int, int],
    plane: tuple[int, int],
    periodic: Periodic,
) -> SumWindow:
    """Return the cells of a window of towers, of `pooled` (rows, cols) cells each; kept for the next event.

    >>> window = sum_window("scipy", ((0, 0), (0, 1)), (2, 1), (4, 4), Periodic(False, False))
    >>> window.offsets.tolist(), window.tower_offsets.tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [[0, 0], [0, 1], [0, 0], [0, 1]])
    """
    n, m = pooled
    pairs = sorted(((d * n + i, p * m + j), (d, p)) for d, p in towers for i in range(n) for j in range(m))
    offsets, tower_offsets = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    along = tuple(np.unique(each, return_inverse=True) for each in offsets.T)
    return SumWindow(offsets, tower_offsets, along, window_loops(name).window_tables(offsets, plane, periodic))


class Rivals(NamedTuple):
    """What decides who gets a cell: `seed` and `weight` of every peak, `distance` of every cell of a window.

    With `distance` the nearest peak gets it. Of equally near ones, or without, the highest seed does, and of
    equally high ones the first, or with `last_wins` the last. Cells that are divided are so by the weights.
    """

    seed: Array
    last_wins: bool
    weight: Array | None = None
    distance: Array | None = None


class Entries(NamedTuple):
    """Entries of a table for the cells of windows: the peak says in which `row`, the cell in which `column`."""

    table: Array
    row: Array
    column: Array


class WindowLoops(Protocol):
    """Functions over windows; none of them meets a cell twice."""

    def window_tables(self, offsets: Array, plane: tuple[int, int], periodic: Periodic) -> Any:
        """Return what `window_cells` needs to know of a window with cells at these offsets (row, col)."""

    def window_cells(self, grids: Array, places: Places, tables: Any) -> tuple[Array, Array]:
        """Return the place of every cell in the flat grids, and its value, float64 or int64.

        `grids` are floats or signed integers, C-contiguous, shape (event, row, col). Beyond an edge the place
        is -1 and the value `absent`.
        """

    def ordered_sum(self, parts: Array) -> Array:
        """Return the sum of every window, float64 or int64, its cells added one after the other."""

    def moment(self, weights: Array, entries: Entries) -> Array:
        """Return the sum of weights times entries of every window, float64, its cells one after the other."""

    def second_moment(self, weights: Array, entries: Entries, mean: Array, turn: float) -> Array:
        """Return the sum of weights times squared differences from the mean, in the same order.

        Unless `turn` is 0, differences are those within half a turn.
        """

    def claim_cells(
        self, owner: Array, nearest: Array | None, place: Array, is_added: Array, first: int, rivals: Rivals
    ) -> None:
        """Write the number of a peak to the places that it gets in `owner`, where -1 stands for nobody.

        The windows are those of the peaks from number `first` on; earlier ones have claimed their cells before.
        `nearest` holds the distance of the owner, if distances decide.
        """

    def owned_cells(
        self, owner: Array, values: Array, place: Array, is_added: Array, first: int
    ) -> tuple[Array, Array]:
        """Return the values of the cells that the peaks from number `first` on own, 0 elsewhere, and which.

        `owner` has the number of a peak for every place (see `claim_cells`); only added cells are owned.
        """

    def add_weights(self, total: Array, place: Array, is_added: Array, weight: Array) -> None:
        """Add the weight of every peak to the places that it claims, one peak after the other."""

    def count_claims(self, n_claims: Array, place: Array, is_added: Array) -> None:
        """Count the claims on every place; 2 stands for two or more."""

    def layer_sums(
        self,
        layers: Array,
        event: Array,
        cell: Array,
        is_held: Array,
        fraction: Array | None,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return the sums, in every layer, of the cells that every peak holds, shape (peak, layer).

        `layers` has the shape (event, layer, cell), `event` a number for every peak. `cell` are numbers of
        cells; of each the peak holds a `fraction`, or all. `dtype` is that of the sums, float64 or int64.
        """


def window_loops(name: KernelName) -> WindowLoops:
    """Return the loops that go with a kernel, imported on first use because numba is slow to import."""
    module = "numba_windows" if is_compiled(name) else "windows"
    return cast("WindowLoops", importlib.import_module(f"hep_peaksum.loops.{module}"))


def window_tables(offsets: Array, plane: tuple[int, int], periodic: Periodic) -> Any:
    """Return what `window_cells` needs to know of a window."""
    return offsets, plane, periodic


def window_cells(grids: Array, places: Places, tables: Any) -> tuple[Array, Array]:
    """Return the place of every cell in the flat grids, and its value (see `WindowLoops`)."""
    offsets, (n_rows, n_cols), periodic = tables
    row, col = places.row[:, None] + offsets[:, 0], places.col[:, None] + offsets[:, 1]
    row, col = row % n_rows if periodic.rows else row, col % n_cols if periodic.cols else col
    is_inside = (row >= 0) & (row < n_rows) & (col >= 0) & (col < n_cols)
    place = np.where(is_inside, (places.event[:, None] * n_rows + row) * n_cols + col, -1)
    values = np.full(row.shape, absent(grids.dtype), accumulator(grids.dtype))
    values[is_inside] = grids.reshape(-1)[place[is_inside]]
    return place, values


def ordered_sum(parts: Array) -> Array:
    """Return the sum of every window: numpy's own order of additions depends on the shape."""
    total = np.zeros(len(parts), parts.dtype)
    for part in parts.T:
        total += part
    return total


def moment(weights: Array, entries: Entries) -> Array:
    """Return the sum of weights times entries of every window."""
    return ordered_sum(weights * _of_cells(entries))


def second_moment(weights: Array, entries: Entries, mean: Array, turn: float) -> Array:
    """Return the sum of weights times squared differences from the mean (see `WindowLoops`)."""
    difference = _of_cells(entries) - mean[:, None]
    if turn:
        difference = np.remainder(difference + turn / 2, turn) - turn / 2
    return ordered_sum(weights * difference**2)


def _of_cells(entries: Entries) -> Array:
    return np.asarray(entries.table[entries.row[:, None], entries.column])


def claim_cells(
    owner: Array, nearest: Array | None, place: Array, is_added: Array, first: int, rivals: Rivals
) -> None:
    """Write the number of a peak to the places that it gets (see `WindowLoops`)."""
    for number, (places, mine) in enumerate(zip(place, is_added, strict=True), start=first):
        claimed = places[mine]
        others, seed = owner[claimed], rivals.seed[number]
        other_seed = rivals.seed[others]
        wins = (seed > other_seed) | ((seed == other_seed) & rivals.last_wins)
        if nearest is not None and rivals.distance is not None:
            distance = rivals.distance[mine]
            wins = (distance < nearest[claimed]) | ((distance == nearest[claimed]) & wins)
            wins |= others < 0
            nearest[claimed[wins]] = distance[wins]
        owner[claimed[wins | (others < 0)]] = number


def owned_cells(owner: Array, values: Array, place: Array, is_added: Array, first: int) -> tuple[Array, Array]:
    """Return the values of the cells that peaks own, and which these are (see `WindowLoops`)."""
    numbers = np.arange(first, first + len(place))
    is_owned = is_added & (owner[place] == numbers[:, None])
    return np.where(is_owned, values, 0), is_owned


def add_weights(total: Array, place: Array, is_added: Array, weight: Array) -> None:
    """Add the weight of every peak to the places that it claims."""
    for places, mine, own in zip(place, is_added, weight, strict=True):
        total[places[mine]] += own


def count_claims(n_claims: Array, place: Array, is_added: Array) -> None:
    """Count the claims on every place; 2 stands for two or more."""
    for places, mine in zip(place, is_added, strict=True):
        n_claims[places[mine]] = np.minimum(n_claims[places[mine]] + 1, 2)


def layer_sums(
    layers: Array, event: Array, cell: Array, is_held: Array, fraction: Array | None, dtype: np.dtype[Any]
) -> Array:
    """Return the sums, in every layer, of the cells that every peak holds (see `WindowLoops`)."""
    total = np.zeros((len(event), layers.shape[1]), dtype)
    for k in range(cell.shape[1]):
        cells = layers[event, :, cell[:, k]]
        cells = cells if fraction is None else cells * fraction[:, k, None]
        total += np.where(is_held[:, k, None], cells, 0)
    return total
