"""How much is processed at a time, and why: the one table of block and batch sizes.

Use as ``block_sizes.READ_CELLS``, never imported by name, so that tests can make blocks small. Sizes that
depend on the processor and not on the job (bytes of a vector, cells in its cache) are with the kernels.
"""

from __future__ import annotations

# Cells of the events that are read, made into grids and searched together: memory stays bounded whatever the
# size of a chunk, and the arrays are large enough that Python's share of the time is small.
READ_CELLS = 1 << 22
# Cells of the events of an array that are searched together where more is made of them than seeds and plain
# sums: arrays of so many are small beside an input of many events, and stay in the processor's cache.
SEARCH_CELLS = 1 << 19
# The same for the padded copies of the readable kernel.
SCIPY_CELLS = 1 << 22
# Hits placed on a plane at a time: allocating memory for all of them at every step takes longer than the steps.
HITS = 1 << 16
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
# Toy events made or written at a time.
TOY_EVENTS = 10_000
