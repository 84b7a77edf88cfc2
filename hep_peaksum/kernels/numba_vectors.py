"""What numba cannot express: vectors of cells, bits of words, and arrays as plain pointers, in llvmlite.

An event of n cells lies flat in memory, row after row. It is covered by vectors of 64 bytes, each of 16 lanes
where cells are float32 (8 of float64 and int64, 32 of int16); the last one may reach into the next event.
Comparing a vector sets one bit per lane in a word of 64 bits, lane 0 lowest::

    cell     0  1  2 .. 15 | 16 17 18 .. 31 | 32 ..  n-1  (next event)
    vector         0       |        1       |         2
    bit      0  1  2 .. 15 |  0  1  2 .. 15 |  0 ..                      cell = vector * n_lanes + bit

    word     63 ........ 16 | 15 ............. 0
               always 0     | lane 15 .. lane 0

A non-empty vector, and a candidate in a block of events, is one number of 64 bits::

    63 ............. 32 | 31 .............................. 0
    event in the block  | vector in the event, or place in the block = event * n + cell

A set of cells (in the search of hits) has one bit per cell: cell k is bit k % 64 of word k // 64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from hep_peaksum.kernels.offset_tables import ADJACENT

VECTOR_BYTES = 64
EVENT_BITS, PLACE = 32, (1 << 32) - 1
WORD_BITS, PLACE_IN_WORD = 6, (1 << 6) - 1
NO_BIT, ONE = np.uint64(0), np.uint64(1)

INT64, UINT64 = numba.types.int64, numba.types.uint64
WORD = ir.IntType(64)


def n_lanes(dtype: np.dtype[Any]) -> int:
    """Return how many cells one vector holds."""
    return VECTOR_BYTES // dtype.itemsize


def _intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of which numba takes the instructions as they are built."""
    return intrinsic(function)  # type: ignore[no-any-return]


class _Vectors:
    """Builds instructions for the vectors of the cells behind a pointer."""

    def __init__(self, context: Any, builder: Any, pointer_type: Any, pointer: Any) -> None:
        dtype = pointer_type.dtype
        self.builder, self.pointer = builder, pointer
        self.is_float, self.bitwidth = isinstance(dtype, numba.types.Float), dtype.bitwidth
        self.n_lanes = n_lanes(np.dtype(dtype.name))
        self.vector = ir.VectorType(context.get_data_type(dtype), self.n_lanes)

    def load(self, place: Any) -> Any:
        """Return the vector that starts at a cell."""
        address = self.builder.gep(self.pointer, [place])
        loaded = self.builder.load(self.builder.bitcast(address, self.vector.as_pointer()))
        loaded.align = self.bitwidth // 8
        return loaded

    def broadcast(self, value: Any) -> Any:
        """Return the vector that holds one value in every lane."""
        undefined, lanes = ir.Constant(self.vector, ir.Undefined), ir.VectorType(ir.IntType(32), self.n_lanes)
        one = self.builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(one, undefined, ir.Constant(lanes, [0] * self.n_lanes))

    def compare(self, left: Any, operator: str, right: Any) -> Any:
        """Return the flags of a comparison, lane by lane."""
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        return compare(operator, left, right)

    def word(self, flags: Any) -> Any:
        """Return flags as the bits of a word."""
        bits = self.builder.bitcast(flags, ir.IntType(self.n_lanes))
        return self.builder.zext(bits, WORD) if self.n_lanes < WORD.width else bits

    def any(self, flags: Any) -> Any:
        """Return whether one of the flags is set."""
        bits = ir.IntType(self.n_lanes)
        return self.builder.icmp_unsigned("!=", self.builder.bitcast(flags, bits), bits(0))

    @property
    def zeros(self) -> Any:
        """The vector of zeros, in which no lane is marked as non-finite."""
        return ir.Constant(self.vector, [self.vector.element(0)] * self.n_lanes)

    def mark_nonfinite(self, marks: Any, cells: Any) -> Any:
        """Return the marks with those of more cells: NaN once a cell was not finite; of integers the lowest."""
        if self.is_float:
            return self.builder.fadd(marks, self.builder.fsub(cells, cells))
        return self.builder.select(self.compare(cells, "<", marks), cells, marks)

    def nonfinite_flags(self, marks: Any) -> Any:
        """Return the flags of the lanes in which a cell was NaN or infinite, or the lowest of all integers."""
        if self.is_float:
            return self.builder.fcmp_unordered("uno", marks, marks)
        lowest = ir.Constant(self.vector.element, -(1 << (self.bitwidth - 1)))
        return self.compare(marks, "==", self.broadcast(lowest))

    def prefetch(self, place: Any) -> None:
        """Prefetch the vector that starts at a place, which may lie beyond the end."""
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        signature = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = self.builder.module.declare_intrinsic("llvm.prefetch", [pointer], signature)
        address = self.builder.bitcast(self.builder.gep(self.pointer, [place]), pointer)
        self.builder.call(prefetch, [address, number(0), number(2), number(1)])


@_intrinsic
def cells_at_least(_typing: Any, cells: Any, _place: Any, _bound: Any) -> Any:
    """Return a word that says which cells of the vector at a place are not below the bound."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, place, bound = arguments
        vectors = _Vectors(context, builder, signature.args[0], pointer)
        return vectors.word(vectors.compare(vectors.load(place), ">=", vectors.broadcast(bound)))

    return UINT64(cells, INT64, cells.dtype), build


@_intrinsic
def find_nonempty_vectors(
    _typing: Any,
    cells: Any,
    _place: Any,
    _n: Any,
    _bound: Any,
    numbers: Any,
    _written: Any,
    _tag: Any,
    _far: Any,
) -> Any:
    """Record which of the `n` vectors from a place on hold a cell that is not below the bound.

    Each is its index and the bits of a tag. Return the number written by now, and a word that is 0 unless a
    cell is NaN or infinite, or the lowest integer. The cells `far` ahead are prefetched.
    """
    # Every vector is written; the position advances by the test, which leaves no branch to predict.
    others = (INT64, INT64, cells.dtype, numbers, INT64, INT64, INT64)
    signature = numba.types.Tuple((INT64, UINT64))(cells, *others)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, place, n, bound, numbers, n_written, tag, far = arguments
        vectors = _Vectors(context, builder, signature.args[0], pointer)
        bounds, lanes = vectors.broadcast(bound), place.type(vectors.n_lanes)
        count = cgutils.alloca_once_value(builder, n_written)
        marks = cgutils.alloca_once_value(builder, vectors.zeros)
        with cgutils.for_range(builder, n) as loop:
            start, k = builder.add(place, builder.mul(loop.index, lanes)), builder.load(count)
            vectors.prefetch(builder.add(start, far))
            here = vectors.load(start)
            builder.store(builder.or_(tag, loop.index), builder.gep(numbers, [k]))
            is_nonempty = vectors.any(vectors.compare(here, ">=", bounds))
            builder.store(builder.add(k, builder.zext(is_nonempty, k.type)), count)
            builder.store(vectors.mark_nonfinite(builder.load(marks), here), marks)
        nonfinite = vectors.word(vectors.nonfinite_flags(builder.load(marks)))
        return context.make_tuple(builder, signature.return_type, [builder.load(count), nonfinite])

    return signature, build


@_intrinsic
def unbeaten(
    _typing: Any, cells: Any, _place: Any, _n_cols: Any, rivals: Any, _vector: Any, loses_tie: Any
) -> Any:
    """Return a word that says which cells of the vector at a place no adjacent rival beats.

    `loses_tie` says of each of `ADJACENT` whether a cell loses a tie with it, as 1 or 0. Cells that are not
    rivals are masked out of the word, since processors without mask registers need dozens of instructions to
    turn a word into flags.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, place, n_cols, rivals, vector, loses_tie = arguments
        vectors = _Vectors(context, builder, signature.args[0], pointer)
        first = builder.mul(vector, vector.type(len(ADJACENT)))
        here, beaten = vectors.load(place), WORD(0)
        for k, (d, p) in enumerate(ADJACENT):
            step = builder.add(builder.mul(n_cols, n_cols.type(d)), n_cols.type(p))
            other = vectors.load(builder.add(place, step))
            is_rival = builder.load(builder.gep(rivals, [builder.add(first, first.type(k))]))
            loses = builder.trunc(builder.load(builder.gep(loses_tie, [first.type(k)])), ir.IntType(1))
            above, equal = vectors.compare(other, ">", here), vectors.compare(other, ">=", here)
            beats = vectors.word(builder.select(loses, equal, above))
            beaten = builder.or_(beaten, builder.and_(beats, is_rival))
        return builder.not_(beaten)

    return UINT64(cells, INT64, INT64, rivals, INT64, loses_tie), build


@_intrinsic
def data_pointers(_typing: Any, record: Any) -> Any:
    """Return a NamedTuple with a pointer to the first element in place of every array.

    Numba counts references to every array that a function is given, which took a tenth of the search of large
    planes, and half of that of hits; pointers cost nothing. The arrays must outlive them: they have to come
    from Python.
    """
    types = [numba.types.CPointer(t.dtype) if isinstance(t, numba.types.Array) else t for t in record.types]
    pointers = numba.types.BaseTuple.from_types(tuple(types), record.instance_class)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        members = cgutils.unpack_tuple(builder, arguments[0], len(types))
        for k, member in enumerate(signature.args[0].types):
            if isinstance(member, numba.types.Array):
                members[k] = context.make_array(member)(context, builder, members[k]).data
        return context.make_tuple(builder, signature.return_type, members)

    return pointers(record), build


@_intrinsic
def load(_typing: Any, pointer: Any, _place: Any) -> Any:
    """Return the element at a place."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return context.unpack_value(builder, pointer.dtype, builder.gep(arguments[0], [arguments[1]]))

    return pointer.dtype(pointer, INT64), build


@_intrinsic
def store(_typing: Any, pointer: Any, _place: Any, _value: Any) -> Any:
    """Set the element at a place."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address = builder.gep(arguments[0], [arguments[1]])
        context.pack_value(builder, pointer.dtype, arguments[2], address)
        return context.get_dummy_value()

    return numba.types.void(pointer, INT64, pointer.dtype), build


@_intrinsic
def prefetch(_typing: Any, cells: Any, _place: Any) -> Any:
    """Prefetch the vector at a place, which may lie beyond the end."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Vectors(context, builder, signature.args[0], arguments[0]).prefetch(arguments[1])
        return context.get_dummy_value()

    return numba.types.void(cells, INT64), build


@_intrinsic
def lowest_bit(_typing: Any, _word: Any) -> Any:
    """Return the place of the lowest bit that is set; 64 where none is."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return INT64(UINT64), build


@_intrinsic
def count_bits(_typing: Any, _word: Any) -> Any:
    """Return how many bits are set."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return INT64(UINT64), build
