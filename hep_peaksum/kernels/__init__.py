"""The contract of a kernel: which cells are seeds, and the sums of the cells around them.

A kernel is a module with the functions of `Kernel`. It knows array words only (event, row, col), and neither
checks its input nor raises: that is up to its callers. `numba_kernel` is the fast one, `scipy_kernel` the
readable one; on the same input they give the same bits.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

KernelName = Literal["numba", "scipy"]
Array = npt.NDArray[Any]
Offset = tuple[int, int]

# Who wins a tie between the seed and a cell of its search window.
SEED_WINS, NEIGHBOUR_WINS, LOWER_INDEX_WINS, HIGHER_INDEX_WINS = range(4)


class SearchCell(NamedTuple):
    """A cell of the search window: its offset from the candidate, and who wins a tie with it."""

    row: int
    col: int
    tie: int

    def must_be_exceeded(self, *, has_lower_index: Any) -> Any:
        """Return whether the seed must exceed this neighbour, `>`, or may equal it, `>=`.

        `has_lower_index` (a bool, or an array of them) says whether the neighbour comes first in the grid, by
        (row, col); across a periodic seam that is not what the offset suggests.

        >>> SearchCell(0, 1, LOWER_INDEX_WINS).must_be_exceeded(has_lower_index=False)
        False
        """
        if self.tie in (LOWER_INDEX_WINS, HIGHER_INDEX_WINS):
            return has_lower_index == (self.tie == LOWER_INDEX_WINS)
        return self.tie == NEIGHBOUR_WINS


class Rule(NamedTuple):
    """Which cells are seeds, and which cells are added.

    `bound` and `cell_bound` are inclusive, in the units of the grid; `cell_bound=None` adds every cell.
    """

    search: tuple[SearchCell, ...]
    bound: float
    window: tuple[Offset, ...]
    cell_bound: float | None

    @property
    def windows(self) -> Rule:
        """The rule without its bounds: tables of windows are the same for all of them."""
        return self._replace(bound=0, cell_bound=None)


class Periodic(NamedTuple):
    """Which axes are periodic. Beyond the edge of any other axis there are no cells."""

    rows: bool
    cols: bool


@dataclass(frozen=True)
class Peaks:
    """Seeds and the sums of their windows: flat arrays of one length, sorted by (event, row, col).

    Those of event i lie at ``event_offsets[i]`` to ``event_offsets[i + 1]``, in cell number `cell` of a plane
    of `n_cols` columns, row after row. `event_offsets` is int64, `cell` and `n_cells` are int32, `seed` and
    `sum` have the type of the `accumulator`. Allocating columns costs as much as the search; `event` (int64),
    `row` and `col` (int32) are derived on first use.
    """

    n_cols: int
    event_offsets: Array
    cell: Array
    seed: Array
    sum: Array
    n_cells: Array

    @classmethod
    def at(cls, place: tuple[Array, Array, Array], shape: tuple[int, ...], *columns: Array) -> Peaks:
        """Return peaks at (event, row, col) of grids of that shape, given `seed`, `sum` and `n_cells`."""
        event, row, col = place
        return cls(shape[2], event_offsets(event, shape[0]), (row * shape[2] + col).astype(np.int32), *columns)

    def __len__(self) -> int:
        """Return the number of peaks."""
        return len(self.cell)

    @cached_property
    def event(self) -> Array:
        """The event of every peak."""
        return event_index(self.event_offsets)

    @cached_property
    def row(self) -> Array:
        """The row of every seed."""
        return np.asarray(self.cell // self.n_cols)

    @cached_property
    def col(self) -> Array:
        """The column of every seed."""
        return np.asarray(self.cell - self.row * self.n_cols)

    def take(self, index: Array) -> Peaks:
        """Return the peaks at `index` (a mask, or positions event by event), in that order."""
        if index.dtype == bool:
            offsets, index = offsets_after_mask(self.event_offsets, index), np.flatnonzero(index)
        else:
            offsets = event_offsets(self.event[index], len(self.event_offsets) - 1)
        columns = (column[index] for column in (self.cell, self.seed, self.sum, self.n_cells))
        return Peaks(self.n_cols, offsets, *columns)


class Search(NamedTuple):
    """The peaks, and whether every cell is finite; where one is not, the peaks are undefined."""

    peaks: Peaks
    is_finite: bool


class Kernel(Protocol):
    """Functions over `grids`, shape (event, row, col): float32, float64 or int64, C-contiguous.

    `find_peaks` also takes other signed integers. A cell equal to `absent(grids.dtype)` does not exist: it
    neither beats a candidate, nor is a seed, nor is added.
    Comparisons and additions are those of float64 (floating grids) or int64; a window is added in the order in
    which it is given. No window meets a cell twice on a periodic axis.
    """

    def find_peaks(self, grids: Array, rule: Rule, periodic: Periodic) -> Search:
        """Return every seed with the sum of its window, and whether every cell is finite."""

    def find_peaks_in_hits(
        self,
        event_offsets: Array,
        cell: Array,
        value: Array,
        plane: tuple[int, int],
        rule: Rule,
        periodic: Periodic,
        empty_plane: Array | None = None,
    ) -> Search:
        """Do the same for hits instead of grids; the bound must be such that no cell without a hit reaches it.

        Those of event i lie at ``event_offsets[i]`` to ``event_offsets[i + 1]``, in cell number `cell` of the
        plane, row after row. Hits in the same cell add, as float64 or int64. `value` is float32, float64 or
        int64. `empty_plane` holds the cells of a plane in that type, all 0; it may be used as memory and is
        left all 0.
        """

    def sort_by_layer(
        self, event_offsets: Array, layer: Array, n_layers: int, cell: Array, value: Array
    ) -> tuple[Array, Array, Array]:
        """Return offsets, cells and values of hits whose layers are events of their own.

        Those of layer k of event i lie at offset ``i * n_layers + k``, in the order in which they were given.
        """

    def merge_hits(
        self, event_offsets: Array, cell: Array, value: Array, n_cells: int
    ) -> tuple[Array, Array, Array]:
        """Return offsets, cells and values of hits of which those of an event in one cell are added.

        They are added in order, as float64 or int64, and take the place of the first of them.
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

    def argsort_descending(self, event_offsets: Array, key: Array) -> Array:
        """Return the order of decreasing keys, event by event; equal ones keep their order.

        Those of event i lie at ``event_offsets[i]`` to ``event_offsets[i + 1]``; they are float64 or int64.
        """


@cache
def get_kernel(name: KernelName) -> Kernel:
    """Return the kernel of that name, or the one that can be used; imported on first use, as numba is slow."""
    module = "numba_kernel" if is_compiled(name) else "scipy_kernel"
    return cast("Kernel", importlib.import_module(f"hep_peaksum.kernels.{module}"))


def is_compiled(name: KernelName) -> bool:
    """Return whether the kernel of that name, and the loops beside it, are compiled ones.

    Where numba is told not to compile (``NUMBA_DISABLE_JIT=1``), the readable ones serve; this is logged once.
    """
    return name == "numba" and not _is_jit_disabled()


@cache
def _is_jit_disabled() -> bool:
    """Return whether numba must not compile, and log what is used instead."""
    is_disabled = bool(importlib.import_module("numba").config.DISABLE_JIT)
    if is_disabled:
        log.warning("NUMBA_DISABLE_JIT is set: the kernel 'scipy' is used, with the same results, but slower")
    return is_disabled


def dense_grids(event_offsets: Array, cell: Array, value: Array, plane: tuple[int, int]) -> Array:
    """Return the grids that hits fill, shape (event, row, col), float64 or int64 (see `find_peaks_in_hits`).

    >>> dense_grids(np.array([0, 2, 3]), np.array([1, 1, 0]), np.array([2, 3, 1]), (1, 2)).tolist()
    [[[0, 5]], [[1, 0]]]
    """
    grids = np.zeros((len(event_offsets) - 1, *plane), accumulator(value.dtype))
    place = flat_index(event_offsets, cell, plane)
    np.add.at(grids.reshape(-1), place, value.astype(grids.dtype, copy=False))
    return grids


def flat_index(event_offsets: Array, cell: Array, plane: tuple[int, int]) -> Array:
    """Return where the cells of hits lie in the flat list of all cells of all events.

    >>> flat_index(np.array([0, 2, 3]), np.array([1, 1, 0]), (1, 2)).tolist()
    [1, 1, 2]
    """
    return event_index(event_offsets) * (plane[0] * plane[1]) + cell


def event_offsets(event: Array, n_events: int) -> Array:
    """Return where the items of each event begin in a list sorted by event; the last offset is its length.

    >>> event_offsets(np.array([0, 2, 2]), 4).tolist()
    [0, 1, 1, 3, 3]
    """
    return np.concatenate([[0], np.cumsum(np.bincount(event, minlength=n_events))])


def event_index(event_offsets: Array) -> Array:
    """Return the event of every item of a list sorted by event, the inverse of `event_offsets`.

    >>> event_index(np.array([0, 1, 1, 3, 3])).tolist()
    [0, 2, 2]
    """
    return np.repeat(np.arange(len(event_offsets) - 1), np.diff(event_offsets))


def offsets_after_mask(event_offsets: Array, mask: Array) -> Array:
    """Return the offsets of a list after a mask has selected items of it.

    >>> offsets_after_mask(np.array([0, 1, 1, 3]), np.array([True, False, True])).tolist()
    [0, 1, 1, 2]
    """
    return np.searchsorted(np.flatnonzero(mask), event_offsets)


def absent(dtype: npt.DTypeLike) -> float:
    """Return the value that marks a cell as absent: -inf, or the lowest int64.

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
