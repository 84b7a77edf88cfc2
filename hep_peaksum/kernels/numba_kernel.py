"""The fast kernel: vectors of cells propose a few candidates an event, the definition settles them.

An event is looked at 64 bytes at a time. A vector in which no cell reaches the bound is done; in the others
every cell is compared with the adjacent cells of its search window, all at once and without a branch. What that
cannot settle, because it lies further away or across a seam, is compared candidate by candidate.

All compiled functions of the search live in this file: numba's cache on disk does not notice an edit in an
imported one. No `fastmath` and no `parallel=True`: the sums are part of the contract, and parallelism belongs
to chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from hep_peaksum.kernels import Array, Offset, Peaks, Periodic, Rule, Search, absent, accumulator
from hep_peaksum.kernels.numba_compile import jit, least_cell, read_only
from hep_peaksum.kernels.numba_peaks import argsort_descending, saddles, sum_cells
from hep_peaksum.kernels.offset_tables import ADJACENT, adjacent, lower_wins, offset_tables, reach

__all__ = ["argsort_descending", "find_peaks", "find_peaks_in_hits", "saddles", "sum_cells"]

# A block of events stays in the cache next to the processor.
VECTOR_BYTES, BLOCK_BYTES = 64, 1 << 14
NO_BIT, ONE = np.uint64(0), np.uint64(1)

# So many candidates a vector are written down whether there are so many or not. So many windows are added side
# by side: an addition waits for the one before, and others can be made meanwhile.
AT_LEAST, SIDE_BY_SIDE = 4, 4

# Memory is asked for while there is other work: a block ahead in the first look at the vectors, and so many
# vectors of the block after that whenever one of them is looked at closely; the latter where most are.
ASKED_FOR, ASKED_FOR_IF_DENSE = 3, 1

# A place in a block and its event are written down as one number; a bit lies in a word of 64.
EVENT_BITS, PLACE = 32, (1 << 32) - 1
WORD_BITS, PLACE_IN_WORD = 6, (1 << 6) - 1
FIRST_ROOM = 1024

# In a window that reaches further a hit is hardly ever alone.
FAR = 3


def find_peaks(grids: Array, rule: Rule, periodic: Periodic) -> Search:
    """Return every seed with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    number, shape = accumulator(grids.dtype), grids.shape[1:]
    n = shape[0] * shape[1]
    block = max(1, min(len(grids), BLOCK_BYTES // (n * grids.itemsize)))
    found = _Found(len(grids), shape[1], block * n + SIDE_BY_SIDE, number)
    bound = _rounded_up(rule.bound, grids.dtype)
    if bound is None:  # beyond what a cell can hold
        return Search(found.peaks, is_finite=True)
    steps = offset_tables(shape, rule, periodic)
    usual = _in_the_middle(steps.kind, shape)
    ahead = max(shape[1] + 1 + _n_lanes(grids.dtype), int(np.abs(steps.window[usual]).max(initial=0)))
    copy = np.zeros(block * n + 2 * ahead, grids.dtype)
    while found.is_open:
        found.go_on(
            _find,
            read_only(grids),
            copy,
            read_only(copy),
            ahead,
            *adjacent(shape, rule, _n_lanes(grids.dtype)),
            lower_wins(rule),
            bound,
            *steps,
            usual,
            rule.cell_bound is not None,
            least_cell(rule.cell_bound, number),
            number(0),
        )
    return Search(found.peaks, found.is_finite or grids.dtype.kind != "f")


def find_peaks_in_hits(
    first: Array, cell: Array, value: Array, plane: tuple[int, int], rule: Rule, periodic: Periodic
) -> Search:
    """Return every seed among hits with the sum of its window (see `hep_peaksum.kernels.Kernel`)."""
    number = accumulator(value.dtype)
    found = _Found(len(first) - 1, plane[1], plane[0] * plane[1], number)
    steps = offset_tables(plane, rule, periodic, has_looked=False)
    company = _company(plane, rule, steps.kind)
    while found.is_open:
        found.go_on(
            _find_in_hits,
            read_only(first),
            read_only(cell),
            read_only(value),
            number(rule.bound),
            *steps,
            rule.cell_bound is not None,
            least_cell(rule.cell_bound, number),
            number(0),
            plane[1],
            *company,
        )
    return Search(found.peaks, found.is_finite)


def _company(plane: tuple[int, int], rule: Rule, kind: Array) -> tuple[int, int]:
    """Return for which kind of cells it pays to ask first whether a hit is alone, and how many columns away.

    Next to edges and seams, and where windows are wide or not every cell is added, no kind is (-1).
    """
    rows, cols = reach(rule)
    adds_itself = rule.cell_bound is None and (0, 0) in rule.window
    if not adds_itself or rows > 1 or cols > FAR or plane[0] <= 2 * rows or plane[1] <= 2 * cols:
        return -1, 0
    return _in_the_middle(kind, plane), cols


def _in_the_middle(kind: Array, plane: tuple[int, ...]) -> int:
    """Return the kind of the cells that lie as far from the edges as any."""
    return int(kind[plane[0] // 2 * plane[1] + plane[1] // 2])


class _Found:
    """What a search has found so far: columns with more room than that, and the event at which it goes on.

    The columns are numpy's own, which asks the system for large pages where there are many peaks: the pages of
    new memory would take longer than the search.
    """

    def __init__(
        self, n_events: int, n_cols: int, most_at_once: int, number: type[np.float64 | np.int64]
    ) -> None:
        self.n_events, self.n_cols, self.most_at_once = n_events, n_cols, most_at_once
        self.types = (np.int32, number, number, np.int32)
        self.event_offsets = np.zeros(n_events + 1, np.int64)
        self.columns = [np.empty(FIRST_ROOM + most_at_once, dtype) for dtype in self.types]
        self.n, self.event, self.is_finite, self.is_open = 0, 0, True, True

    def go_on(self, search: Callable[..., Any], *arguments: Any) -> None:
        """Search on until all events are done or there is no room."""
        n, event, is_finite = search(*arguments, self.event_offsets, *self.columns, self.n, self.event)
        self.n, self.event, self.is_finite = n, event, self.is_finite and bool(is_finite)
        self.is_open = event < self.n_events
        if self.is_open:
            room = max(2 * len(self.columns[0]), n * self.n_events // event * 9 // 8) + self.most_at_once
            columns = [np.empty(room, dtype) for dtype in self.types]
            for column, larger in zip(self.columns, columns, strict=True):
                larger[:n] = column[:n]
            self.columns = columns

    @property
    def peaks(self) -> Peaks:
        """The peaks, in columns as long as there are peaks."""
        return Peaks(self.n_cols, self.event_offsets, *(column[: self.n] for column in self.columns))


def _rounded_up(bound: float, dtype: np.dtype[Any]) -> Any:
    """Return the least number of the type of the cells that is not below the bound nor `absent`, or None."""
    if dtype.kind != "f":
        lowest, highest = max(absent(dtype) + 1, np.iinfo(dtype).min), np.iinfo(dtype).max
        return None if bound > highest else dtype.type(max(bound, lowest))
    with np.errstate(over="ignore"):
        nearest = dtype.type(bound)
    rounded = np.nextafter(nearest, dtype.type(np.inf)) if nearest < np.float64(bound) else nearest
    return max(rounded, np.finfo(dtype).min)


def _n_lanes(dtype: np.dtype[Any]) -> int:
    """Return how many cells one vector holds."""
    return VECTOR_BYTES // dtype.itemsize


def _instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that numba does not compile but takes as it is built."""
    return intrinsic(function)  # type: ignore[no-any-return]


class _Vectors:
    """Builds the instructions for vectors of the cells of an array."""

    def __init__(self, context: Any, builder: Any, array: Any, cells: Any) -> None:
        dtype = array.dtype
        self.builder, self.is_float = builder, isinstance(dtype, numba.types.Float)
        self.n_lanes, self.alignment = _n_lanes(np.dtype(dtype.name)), dtype.bitwidth // 8
        self.vector = ir.VectorType(context.get_data_type(dtype), self.n_lanes)
        self.start = context.make_array(array)(context, builder, cells).data

    def load(self, place: Any) -> Any:
        """Return the vector that starts at a place of the array."""
        address = self.builder.gep(self.start, [place])
        loaded = self.builder.load(self.builder.bitcast(address, self.vector.as_pointer()))
        loaded.align = self.alignment
        return loaded

    def same(self, value: Any) -> Any:
        """Return the vector that holds one value everywhere."""
        nothing, places = ir.Constant(self.vector, ir.Undefined), ir.VectorType(ir.IntType(32), self.n_lanes)
        one = self.builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(places, [0] * self.n_lanes))

    def compare(self, left: Any, how: str, right: Any) -> Any:
        """Return the flags of a comparison, cell by cell."""
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        return compare(how, left, right)

    def word(self, flags: Any) -> Any:
        """Return a vector of flags as the bits of a word."""
        narrow = self.builder.bitcast(flags, ir.IntType(self.n_lanes))
        return self.builder.zext(narrow, ir.IntType(64)) if self.n_lanes < 64 else narrow

    def any(self, flags: Any) -> Any:
        """Return whether one of the flags is set."""
        bits = ir.IntType(self.n_lanes)
        return self.builder.icmp_unsigned("!=", self.builder.bitcast(flags, bits), bits(0))

    @property
    def zeros(self) -> Any:
        """The vector in which nothing is strange."""
        return ir.Constant(self.vector, [self.vector.element(0)] * self.n_lanes)

    def stranger(self, suspect: Any, loaded: Any) -> Any:
        """Return a vector that is strange where one of two is."""
        if self.is_float:
            return self.builder.fadd(suspect, self.builder.fsub(loaded, loaded))  # 0, or NaN for ever
        return self.builder.select(self.compare(loaded, "<", suspect), loaded, suspect)

    def strange(self, suspect: Any) -> Any:
        """Return the flags of what is NaN, or the lowest of all integers, which stands for an absent cell."""
        if self.is_float:
            return self.builder.fcmp_unordered("uno", suspect, suspect)
        lowest = ir.Constant(self.vector.element, -(1 << (8 * self.alignment - 1)))
        return self.compare(suspect, "==", self.same(lowest))

    def ask_for(self, place: Any) -> None:
        """Ask the memory for the vector that starts at a place, which may also lie behind the end."""
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = self.builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        address = self.builder.bitcast(self.builder.gep(self.start, [place]), pointer)
        self.builder.call(prefetch, [address, number(0), number(2), number(1)])


@_instruction
def _reaching(_typing: Any, cells: Any, _place: Any, _bound: Any) -> Any:
    """Return which cells of the vector at a place are not below the bound."""
    signature = numba.types.uint64(cells, numba.types.int64, cells.dtype)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, place, bound = arguments
        vectors = _Vectors(context, builder, signature.args[0], array)
        return vectors.word(vectors.compare(vectors.load(place), ">=", vectors.same(bound)))

    return signature, build


@_instruction
def _scan(
    _typing: Any,
    cells: Any,
    _place: Any,
    _n: Any,
    _bound: Any,
    filled: Any,
    _n_filled: Any,
    _tag: Any,
    _far: Any,
) -> Any:
    """Write down which of the `n` vectors from a place on hold a cell that is not below the bound.

    Each is its number and the bits of a tag. Return how many are written by now, and a word that is 0 unless a
    cell is NaN or infinite, or absent. The cells so `far` ahead are asked for, which may lie behind the end.
    """
    integer = numba.types.int64
    others = (integer, integer, cells.dtype, filled, integer, integer, integer)
    signature = numba.types.Tuple((integer, numba.types.uint64))(cells, *others)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, place, n, bound, filled, n_filled, tag, far = arguments
        vectors = _Vectors(context, builder, signature.args[0], array)
        numbers = context.make_array(signature.args[4])(context, builder, filled).data
        bounds, n_lanes = vectors.same(bound), place.type(vectors.n_lanes)
        count = cgutils.alloca_once_value(builder, n_filled)
        suspect = cgutils.alloca_once_value(builder, vectors.zeros)
        with cgutils.for_range(builder, n) as loop:
            start, k = builder.add(place, builder.mul(loop.index, n_lanes)), builder.load(count)
            vectors.ask_for(builder.add(start, far))
            here = vectors.load(start)
            builder.store(builder.or_(tag, loop.index), builder.gep(numbers, [k]))
            reaches = vectors.any(vectors.compare(here, ">=", bounds))
            builder.store(builder.add(k, builder.zext(reaches, k.type)), count)
            builder.store(vectors.stranger(builder.load(suspect), here), suspect)
        is_strange = vectors.word(vectors.strange(builder.load(suspect)))
        return context.make_tuple(builder, signature.return_type, [builder.load(count), is_strange])

    return signature, build


def _unbeaten_by(losing: dict[Offset, str]) -> Any:
    """Return what tells which cells of the vector at a place are beaten by none of their rivals.

    `losing` says how a rival at an offset compares with a cell that is beaten by it. What is no rival is taken
    out of the word: processors without mask registers need dozens of instructions to make flags of one.
    """

    def unbeaten(_typing: Any, cells: Any, _place: Any, _n_cols: Any, rivals: Any, _vector: Any) -> Any:
        integer = numba.types.int64
        signature = numba.types.uint64(cells, integer, integer, rivals, integer)

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, place, n_cols, rivals, vector = arguments
            vectors = _Vectors(context, builder, signature.args[0], array)
            words = context.make_array(signature.args[3])(context, builder, rivals).data
            first = builder.mul(vector, vector.type(len(ADJACENT)))
            here, beaten = vectors.load(place), ir.IntType(64)(0)
            for k, (d, p) in enumerate(ADJACENT):
                step = builder.add(builder.mul(n_cols, n_cols.type(d)), n_cols.type(p))
                other = vectors.load(builder.add(place, step))
                is_rival = builder.load(builder.gep(words, [builder.add(first, first.type(k))]))
                beats = builder.and_(vectors.word(vectors.compare(other, losing[d, p], here)), is_rival)
                beaten = builder.or_(beaten, beats)
            return builder.not_(beaten)

        return signature, build

    return _instruction(unbeaten)


# With the default tie rule there is nothing left to settle: of equal cells the first wins.
_unbeaten = _unbeaten_by(dict.fromkeys(ADJACENT, ">"))
_first_of_equals = _unbeaten_by({place: ">=" if place < (0, 0) else ">" for place in ADJACENT})


@_instruction
def _at(_typing: Any, array: Any, _place: Any) -> Any:
    """Return an element of a flat array; unlike numba's own index a place is never counted from the end."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return context.unpack_value(builder, array.dtype, builder.gep(data, [arguments[1]]))

    return array.dtype(array, numba.types.int64), build


@_instruction
def _lowest_bit(_typing: Any, _word: Any) -> Any:
    """Return the place of the lowest bit that is set; 64 where none is."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return numba.types.int64(numba.types.uint64), build


@_instruction
def _n_bits(_typing: Any, _word: Any) -> Any:
    """Return how many bits are set."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.types.int64(numba.types.uint64), build


@_instruction
def _put(_typing: Any, array: Any, _place: Any, _value: Any) -> Any:
    """Set an element of a flat array (see `_at`)."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        context.pack_value(builder, array.dtype, arguments[2], builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return numba.types.void(array, numba.types.int64, array.dtype), build


@_instruction
def _ask_for(_typing: Any, cells: Any, _place: Any) -> Any:
    """Ask the memory for the vector at a place, which may also lie behind the end."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Vectors(context, builder, signature.args[0], arguments[0]).ask_for(arguments[1])
        return context.get_dummy_value()

    return numba.types.void(cells, numba.types.int64), build


@jit
def _candidates(
    cells: Any,
    origin: int,
    n_events: int,
    shape: Any,
    rivals: Any,
    own: Any,
    lower_wins: bool,
    bound: Any,
    filled: Any,
    candidates: Any,
) -> Any:
    """Write down which cells of some events may be seeds; return how many, and whether no cell is strange.

    There is no branch on a single cell: where the few candidates lie cannot be foreseen.
    """
    n, n_vectors, n_lanes = shape[0] * shape[1], len(own), VECTOR_BYTES // cells.itemsize
    n_filled, n_found, strange = 0, 0, NO_BIT
    for event in range(n_events):
        start, tag = origin + event * n, event << EVENT_BITS
        n_filled, one = _scan(cells, start, n_vectors, bound, filled, n_filled, tag, n_events * n)
        strange |= one
    asked_for = ASKED_FOR_IF_DENSE if 2 * n_filled > n_events * n_vectors else ASKED_FOR
    coming = origin + 2 * n_events * n
    for i in range(n_filled):
        event, v = _at(filled, i) >> EVENT_BITS, _at(filled, i) & PLACE
        for _ in range(asked_for):
            _ask_for(cells, coming)
            coming += n_lanes
        first = event * n + v * n_lanes
        place, tag = origin + first, (event << EVENT_BITS) + first
        word = _reaching(cells, place, bound) & _at(own, v)
        if lower_wins:
            word &= _first_of_equals(cells, place, shape[1], rivals, v)
        else:
            word &= _unbeaten(cells, place, shape[1], rivals, v)
        n_bits = _n_bits(word)
        for bit in range(AT_LEAST):  # what is too much is overwritten
            _put(candidates, n_found + bit, tag + _lowest_bit(word))
            word &= word - ONE
        for bit in range(AT_LEAST, n_bits):
            _put(candidates, n_found + bit, tag + _lowest_bit(word))
            word &= word - ONE
        n_found += n_bits
    return n_found, strange == 0


@jit
def _beats_all(cells: Any, cell: int, steps: Any, wins_tie: Any, first: int, n: int) -> bool:
    """Return whether a cell beats the cells that `n` steps, from the first on, lead to."""
    value = _at(cells, cell)
    for k in range(first, first + n):
        other = _at(cells, cell + _at(steps, k))
        if other >= value and (other > value or not _at(wins_tie, k)):  # most of the time one comparison
            return False
    return True


@jit
def _sum_all(cells: Any, cell: int, steps: Any, first: int, n: int, cell_bound: Any, zero: Any) -> Any:
    """Return the sum of the cells that `n` steps, from the first on, lead to, and how many cells were added."""
    added, count = zero, 0
    for k in range(first, first + n):
        part = type(zero)(_at(cells, cell + _at(steps, k)))
        passes = part >= cell_bound
        added += part if passes else zero
        count += passes
    return added, count


@jit
def _sum_plain(cells: Any, cell: int, steps: Any, first: int, n: int, zero: Any) -> Any:
    """Return the sum of cells of which every one counts."""
    added = zero
    for k in range(first, first + n):
        added += type(zero)(_at(cells, cell + _at(steps, k)))
    return added


@jit
def _sum_side_by_side(
    cells: Any, origin: int, found: Any, n_found: int, steps: Any, zero: Any, total: Any, first: int
) -> None:
    """Write down, from the first on, the sums about seeds of what the same steps lead to from all of them."""
    for i in range(SIDE_BY_SIDE):
        _put(found, n_found + i, 0)
    for i in range(0, n_found, SIDE_BY_SIDE):
        a, b = origin + (_at(found, i) & PLACE), origin + (_at(found, i + 1) & PLACE)
        c, d = origin + (_at(found, i + 2) & PLACE), origin + (_at(found, i + 3) & PLACE)
        of_a = of_b = of_c = of_d = zero
        for k in range(len(steps)):
            step = _at(steps, k)
            of_a += type(zero)(_at(cells, a + step))
            of_b += type(zero)(_at(cells, b + step))
            of_c += type(zero)(_at(cells, c + step))
            of_d += type(zero)(_at(cells, d + step))
        _put(total, first + i, of_a)
        _put(total, first + i + 1, of_b)
        _put(total, first + i + 2, of_c)
        _put(total, first + i + 3, of_d)


@jit
def _find(
    grids: Any,
    copy: Any,
    copied: Any,
    ahead: int,
    rivals: Any,
    own: Any,
    lower_wins: bool,
    bound: Any,
    kind_of: Any,
    search: Any,
    wins_tie: Any,
    n_search: Any,
    window: Any,
    n_window: Any,
    usual: int,
    has_bound: bool,
    cell_bound: Any,
    zero: Any,
    first_peak: Any,
    cell_of_peak: Any,
    seed: Any,
    total: Any,
    n_cells: Any,
    n_before: int,
    begin_at: int,
) -> Any:
    """Write down the seeds from an event on; return how many there are, where room ended, is_finite.

    Events are taken by the block that stays in the cache next to the processor. `copied` is `copy`, read-only:
    blocks with fewer than `ahead` cells before or behind them, for whole vectors and windows, are looked at
    there. Most seeds lie as far from the edges as those of the `usual` kind. All windows are added as if they
    were theirs, side by side, and those of the others once more: what comes next need not be foreseen.
    The lines that do so stay here: a call counts references to every array, which for large planes is a tenth.
    """
    n_events, n_rows, n_cols = grids.shape
    n, flat = n_rows * n_cols, grids.reshape(n_events * n_rows * n_cols)
    block = (len(copy) - 2 * ahead) // n
    search_steps, ties, steps = search.ravel(), wins_tie.ravel(), window.ravel()
    usual_steps = window[usual, : n_window[usual]]
    filled = np.empty(block * len(own) + 1, np.int64)
    found, others = np.empty(block * n + AT_LEAST, np.int64), np.empty(block * n + 1, np.int64)
    is_finite = True
    for begin in range(begin_at, n_events, block):
        if n_before + block * n + SIDE_BY_SIDE > len(seed):
            return n_before, begin, is_finite
        cells, origin, size = flat, begin * n, min(block, n_events - begin)
        if origin < ahead or origin + size * n + ahead > len(flat):
            for k in range(size * n):  # to set a slice takes 4 s to compile, for the words of an error
                _put(copy, ahead + k, _at(flat, origin + k))
            cells, origin = copied, ahead
        n_candidates, is_plain = _candidates(
            cells, origin, size, (n_rows, n_cols), rivals, own, lower_wins, bound, filled, found
        )
        is_finite &= is_plain
        adds_all = is_plain and not has_bound
        n_found = n_others = np.int64(0)  # for a literal what it is given to would be compiled once more
        for i in range(n_candidates):
            event, place = _at(found, i) >> EVENT_BITS, _at(found, i) & PLACE
            cell = place - event * n
            kind, peak = _at(kind_of, cell), n_before + n_found
            first, n_more = kind * search.shape[1], _at(n_search, kind)
            if n_more and not _beats_all(cells, origin + place, search_steps, ties, first, n_more):
                continue
            _put(cell_of_peak, peak, cell)
            _put(seed, peak, type(zero)(_at(cells, origin + place)))
            _put(n_cells, peak, len(usual_steps))
            _put(first_peak, begin + event + 1, peak + 1)
            _put(found, n_found, _at(found, i))
            _put(others, n_others, n_found)
            n_found += 1
            n_others += (kind != usual) | (not adds_all)
        if adds_all:
            _sum_side_by_side(cells, origin, found, n_found, usual_steps, zero, total, n_before)
        for i in range(n_others):
            place, peak = _at(found, _at(others, i)) & PLACE, n_before + _at(others, i)
            kind = _at(kind_of, _at(cell_of_peak, peak))
            first, n_added = kind * window.shape[1], _at(n_window, kind)
            if adds_all:
                added, count = _sum_plain(cells, origin + place, steps, first, n_added, zero), n_added
            else:
                added, count = _sum_all(cells, origin + place, steps, first, n_added, cell_bound, zero)
            _put(total, peak, added)
            _put(n_cells, peak, count)
        n_before += n_found
        for event in range(begin, begin + size):  # also of those without a peak
            _put(first_peak, event + 1, max(_at(first_peak, event), _at(first_peak, event + 1)))
    return n_before, n_events, is_finite


@_instruction
def _bits_from(_typing: Any, words: Any, _place: Any) -> Any:
    """Return the bits of a row of words from a place on, of which the first 57 are to be relied on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, byte = arguments[1], ir.IntType(8).as_pointer()
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.gep(builder.bitcast(data, byte), [builder.lshr(place, place.type(3))])
        word = builder.load(builder.bitcast(address, ir.IntType(64).as_pointer()))
        word.align = 1
        return builder.lshr(word, builder.and_(place, place.type(7)))

    return numba.types.uint64(words, numba.types.int64), build


@jit
def _set_bit(words: Any, place: int, bit: Any) -> None:
    """Set a bit of a row of words, or leave it as it is."""
    word = place >> WORD_BITS
    _put(words, word, _at(words, word) | np.uint64(bit) << np.uint64(place & PLACE_IN_WORD))


@jit
def _take_bits(words: Any, places: Any) -> int:
    """Write down the places of the bits that are set, in their order, and clear them; return how many."""
    n_bits = 0
    for word in range(len(words)):
        bits = _at(words, word)
        _put(words, word, NO_BIT)
        while bits:
            _put(places, n_bits, (word << WORD_BITS) + _lowest_bit(bits))
            bits &= bits - ONE
            n_bits += 1
    return n_bits


@jit
def _add_hits(
    cells: Any, held: Any, before: int, marks: bool, cell: Any, value: Any, first: int, stop: int
) -> bool:
    """Add some hits to their cells; return whether every cell is further on than that of the hit before.

    What `marks` asks for is a bit for every cell that holds a hit, `before` places on.
    """
    rises, last = True, -1
    for hit in range(first, stop):
        k = np.int64(_at(cell, hit))
        _put(cells, k, _at(cells, k) + _at(value, hit))
        if marks:
            _set_bit(held, before + k, True)
        rises, last = rises & (k > last), k
    return rises


@jit
def _candidates_of(
    cells: Any, cell: Any, first: int, stop: int, bound: Any, rises: bool, high: Any, places: Any, odd: Any
) -> Any:
    """Write down the cells of some hits that reach the bound, each once and in their order.

    Return how many there are, and what is 0, or NaN for ever. Cells that do not rise are brought into their
    order by bits.
    """
    n_places = 0
    for hit in range(first, stop):
        k = np.int64(_at(cell, hit))
        level = _at(cells, k)
        odd += level - level
        if rises:
            _put(places, n_places, k)
            n_places += level >= bound
        else:
            _set_bit(high, k, level >= bound)
    return n_places if rises else _take_bits(high, places), odd


@jit
def _find_in_hits(
    first: Any,
    cell: Any,
    value: Any,
    bound: Any,
    kind_of: Any,
    search: Any,
    wins_tie: Any,
    n_search: Any,
    window: Any,
    n_window: Any,
    has_bound: bool,
    cell_bound: Any,
    zero: Any,
    n_cols: int,
    alone_kind: int,
    far: int,
    first_peak: Any,
    cell_of_peak: Any,
    seed: Any,
    total: Any,
    n_cells: Any,
    found: int,
    begin_at: int,
) -> Any:
    """Do what `_find` does: the hits of an event fill one grid, which is cleared where they lie.

    Candidates of `alone_kind` are first looked for company, `far` columns to each side and a row up and down,
    among bits of a cell each: who is alone beats all, and is all there is to add.
    The last lines are those of `_find`: in a function of their own numba would count references to a dozen
    arrays for every seed, three times the work.
    """
    search_steps, ties, window_steps = search.ravel(), wins_tie.ravel(), window.ravel()
    n, before, marks = len(kind_of), n_cols + far, alone_kind >= 0
    cells, places, high = np.zeros(n, type(zero)), np.empty(n + 1, np.int64), np.zeros(n // 64 + 1, np.uint64)
    held = np.zeros((n + 2 * before) // 64 + 2, np.uint64)
    three_rows = (ONE << np.uint64(2 * far + 1)) - ONE
    own_row = three_rows ^ ONE << np.uint64(far)
    n_events, odd = len(first) - 1, zero  # 0, or NaN for ever
    for e in range(begin_at, n_events):
        if found + n > len(seed):
            return found, e, odd == zero
        begin, stop = first[e], first[e + 1]
        rises = _add_hits(cells, held, before, marks, cell, value, begin, stop)
        n_places, odd = _candidates_of(cells, cell, begin, stop, bound, rises, high, places, odd)
        for i in range(n_places):
            k = _at(places, i)
            level, kind = _at(cells, k), _at(kind_of, k)
            is_alone = kind == alone_kind
            if is_alone:
                others = _bits_from(held, k) | _bits_from(held, k + 2 * n_cols)
                is_alone = others & three_rows | _bits_from(held, k + n_cols) & own_row == NO_BIT
            if is_alone:
                added, count = level, _at(n_window, kind)
            else:
                at, n_others = kind * search.shape[1], _at(n_search, kind)
                if not _beats_all(cells, k, search_steps, ties, at, n_others):
                    continue
                at, n_added = kind * window.shape[1], _at(n_window, kind)
                if has_bound:
                    added, count = _sum_all(cells, k, window_steps, at, n_added, cell_bound, zero)
                else:
                    added, count = _sum_plain(cells, k, window_steps, at, n_added, zero), n_added
            _put(cell_of_peak, found, k)
            _put(seed, found, level)
            _put(total, found, added)
            _put(n_cells, found, count)
            found += 1
        _put(first_peak, e + 1, found)
        for hit in range(begin, stop):
            k = np.int64(_at(cell, hit))
            _put(cells, k, zero)
            if marks:
                _put(held, before + k >> WORD_BITS, NO_BIT)
    return found, n_events, odd == zero
