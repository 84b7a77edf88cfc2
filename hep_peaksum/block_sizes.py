"""How much is processed at a time, and why: the one table of block and batch sizes.

Use as ``block_sizes.READ_CELLS``, never imported by name, so that tests can make blocks small. Sizes that
depend on the processor and not on the job (bytes of a vector, cells in its cache) are with the kernels.
"""

from __future__ import annotations

from collections.abc import Iterator

# Cells of the events that are read, made into grids and searched together: memory stays bounded whatever the
# size of a chunk, and the arrays are large enough that Python's share of the time is small.
READ_CELLS = 1 << 22
# Hits of an event that are expected at most on a large plane: as many are read at a time as dense cells.
HITS_PER_EVENT = 1 << 12
# Cells of the events of which more than the kernel finds is computed at a time: they stay in the processor's
# cache, and what is computed takes a few times as much memory as they do.
DENSE_CELLS = 1 << 18
# The same for hits that are searched as such, while other cells are looked up later: the room in which they are
# made dense is cleared only where they lie, so that its size costs memory and no time.
ROOM_CELLS = 1 << 21
ROOM_HITS = 1 << 14
# Cells for the padded copies of the readable kernel.
SCIPY_CELLS = 1 << 22
# Cells of the windows that a field is computed from at a time, and cells of the events for which it is noted
# who claims them: memory is bounded whatever the size and the number of the windows, and Python's share of the
# time is small, which at a quarter of the former is a tenth where many clusters share cells.
WINDOW_CELLS = 1 << 17
CLAIM_CELLS = 1 << 18
# Hits placed on a plane at a time: allocating memory for all of them at every step takes longer than the steps.
HITS = 1 << 16
# Numbers whose bin is found at a time: a few arrays of them stay in the processor's cache.
BINNED_NUMBERS = 1 << 13
# Fill and write in batches of about this many events plus clusters: per-block batches cost more than the search
# on large grids and give tiny row groups; with whole chunks nothing is read while they are written (a quarter
# longer).
BATCH_ITEMS = 1 << 17
# Values of the first batch that decide whether a parquet column gets a dictionary.
DICTIONARY_SAMPLE = 4096
# ROOT files are merged in small reads and large writes: memory stays flat whatever the size of the parts, and
# neither baskets nor RNTuple clusters are tiny.
MERGE_READ_EVENTS = 16_384
MERGE_WRITE_EVENTS = 50_000
MERGE_WRITE_BYTES = 16_000_000
# Bytes of the rows that `group` turns into events at a time: baskets of some megabytes at most. With --sort
# rows are picked out of wide stretches of the file, which are read anew for every block: larger ones read less.
GROUP_BYTES = 32_000_000
SORT_BYTES = 256_000_000
# Toy events made or written at a time.
TOY_EVENTS = 10_000


def blocks(n: int, size: int) -> Iterator[slice]:
    """Yield the slices that divide `n` items into blocks of a size; the last may be smaller.

    >>> [*blocks(5, 3)]
    [slice(0, 3, None), slice(3, 5, None)]
    """
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def cells_at_a_time(most: int, allowed: int) -> int:
    """Return how many cells to work on: what a small input allows, so that it needs no more memory than itself.

    A sixteenth of the most is always allowed, so that Python's share of the time stays small.

    >>> cells_at_a_time(1600, 1000), cells_at_a_time(1600, 3)
    (1000, 100)
    """
    return min(most, max(allowed, most // 16))
