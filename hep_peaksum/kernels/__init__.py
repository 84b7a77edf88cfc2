"""The contract of a kernel: which cells are seeds, and what the cells around them add up to.

A kernel is a module with the functions of `Kernel`. It knows array words only (event, row, col), checks nothing
and raises nothing: whoever calls it has checked. `numba_kernel` is the fast one, `scipy_kernel` the readable
one; on the same input they give the same bits.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

KernelName = Literal["numba", "scipy"]
Array = npt.NDArray[Any]
Offset = tuple[int, int]

# What a tie with a cell of the search window means for the candidate.
SEED_WINS, NEIGHBOUR_WINS, LOWER_INDEX_WINS, HIGHER_INDEX_WINS = range(4)


class SearchCell(NamedTuple):
    """A cell of the search window: its offset from the candidate, and who wins a tie with it."""

    row: int
    col: int
    tie: int


class Rule(NamedTuple):
    """What a kernel is asked to find and to add.

    `bound` and `cell_bound` are inclusive, in the units of the grid; `cell_bound=None` adds every cell.
    """

    search: tuple[SearchCell, ...]
    bound: float
    window: tuple[Offset, ...]
    cell_bound: float | None


class Periodic(NamedTuple):
    """Which axes close on themselves. Beyond the edge of any other axis there are no cells."""

    rows: bool
    cols: bool


class Peaks(NamedTuple):
    """Seeds and the sums of their windows: flat arrays of one length, sorted by (event, row, col).

    `event` is int64; `row`, `col` and `n_cells` are int32, `seed` and `sum` of the type of an `accumulator`.
    """

    event: Array
    row: Array
    col: Array
    seed: Array
    sum: Array
    n_cells: Array

    def take(self, index: Array) -> Peaks:
        """Return the peaks at `index` (positions or a mask), in that order."""
        return Peaks(*(column[index] for column in self))


class Search(NamedTuple):
    """What a search gives: the peaks, and whether every cell is finite; otherwise the peaks may be anything."""

    peaks: Peaks
    is_finite: bool


class Kernel(Protocol):
    """Functions over `grids`, shape (event, row, col): float32, float64 or int64, C-contiguous.

    `find_peaks` takes any other signed integers, too. A cell equal to `absent(grids.dtype)` does not exist: it
    neither beats a candidate, nor seeds, nor adds.
    Comparisons and additions are those of float64 (floating grids) or int64; a window is added in the order
    in which it is given. No window meets a cell twice on a periodic axis.
    """

    def find_peaks(self, grids: Array, rule: Rule, periodic: Periodic) -> Search:
        """Return every seed with the sum of its window, and whether every cell is finite."""

    def find_peaks_in_hits(
        self, first: Array, cell: Array, value: Array, plane: tuple[int, int], rule: Rule, periodic: Periodic
    ) -> Search:
        """Do the same with hits in place of grids; no cell without a hit reaches the bound.

        Those of event i lie at ``first[i]`` to ``first[i + 1]``, in cell number `cell` of the plane, row after
        row. Several in one cell add, as float64 or int64. `value` is float32, float64 or int64.
        """

    def sum_cells(
        self,
        grids: Array,
        peaks: Peaks,
        window: tuple[Offset, ...],
        cell_bound: float | None,
        periodic: Periodic,
    ) -> tuple[Array, Array]:
        """Return the sum of `window` about every peak, and how many cells were added."""

    def saddles(self, grids: Array, peaks: Peaks, periodic: Periodic) -> Array:
        """Return the highest level at which every peak is joined to anything higher, over 8 neighbours.

        Where nothing higher can be reached it is the lowest cell that can.
        """

    def falling(self, event: Array, key: Array) -> Array:
        """Return the order in which, event by event, the keys fall; equal ones stay in their order.

        `event` never falls.
        """


def get_kernel(name: KernelName) -> Kernel:
    """Return the kernel of that name; imported now, because numba is slow to import."""
    return cast("Kernel", importlib.import_module(f"hep_peaksum.kernels.{name}_kernel"))


def filled(first: Array, cell: Array, value: Array, plane: tuple[int, int]) -> Array:
    """Return the grids that hits fill, shape (event, row, col): float64 or int64 (see `find_peaks_in_hits`).

    >>> filled(np.array([0, 2, 3]), np.array([1, 1, 0]), np.array([2, 3, 1]), (1, 2)).tolist()
    [[[0, 5]], [[1, 0]]]
    """
    grids = np.zeros((len(first) - 1, *plane), accumulator(value.dtype))
    event = np.repeat(np.arange(len(grids)), np.diff(first))
    np.add.at(grids.reshape(-1), event * plane[0] * plane[1] + cell, value.astype(grids.dtype, copy=False))
    return grids


def absent(dtype: npt.DTypeLike) -> float:
    """Return the value that marks a cell as not there: -inf, or the lowest int64.

    >>> absent("float32")
    -inf
    """
    return -np.inf if np.issubdtype(dtype, np.floating) else int(np.iinfo(np.int64).min)


def accumulator(dtype: npt.DTypeLike) -> type[np.float64 | np.int64]:
    """Return the type in which cells of `dtype` are compared and added.

    >>> accumulator("float32"), accumulator("int64")
    (<class 'numpy.float64'>, <class 'numpy.int64'>)
    """
    return np.float64 if np.issubdtype(dtype, np.floating) else np.int64
