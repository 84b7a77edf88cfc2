"""A limit on what a basket may claim to hold: memory is allocated by sizes that stand in the file."""

from __future__ import annotations

import queue
from typing import Any

import uproot

from hep_peaksum.config.sections import RunOptions

MAX_BASKET = RunOptions().max_basket
UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"), (1, "bytes"))


class LargeBasketError(ValueError):
    """Something in a file claims more bytes than ``run.max_basket``, before any of them are allocated.

    `place` says what it is; if it is not known, `position` is where in the file it begins.
    """

    def __init__(self, n_bytes: int, limit: int, *, position: int = 0, place: str = "") -> None:
        claim = f"claims {in_words(n_bytes)}, more than run.max_basket ({in_words(limit)})"
        self.claim = f"{claim}: the file is damaged, or raise run.max_basket"
        self.position, self.place = position, place
        super().__init__(f"{place or f'what begins at byte {position}'} {self.claim}")


def in_words(n_bytes: int) -> str:
    """Return a number of bytes in the largest unit that leaves a whole part.

    >>> in_words(1_990_000_000), in_words(640)
    ('1.99 GB', '640 bytes')
    """
    size, unit = next((pair for pair in UNITS if n_bytes >= pair[0]), UNITS[-1])
    return f"{n_bytes / size:.4g} {unit}"


class Limited(uproot.source.chunk.Source):  # type: ignore[misc]
    """A source of uproot that refuses to read, or to decompress, more than `max_basket` bytes at once."""

    max_basket = MAX_BASKET

    def check(self, n_bytes: int, position: int) -> None:
        """Raise a LargeBasketError if that which begins at a position claims more bytes than it may."""
        if n_bytes > self.max_basket:
            raise LargeBasketError(n_bytes, self.max_basket, position=position)

    def chunk(self, start: int, stop: int) -> Any:
        """Return the bytes of a range, as uproot's sources do."""
        self.check(stop - start, start)
        return super().chunk(start, stop)

    def chunks(self, ranges: list[tuple[int, int]], notifications: queue.Queue[Any]) -> list[Any]:
        """Return the bytes of several ranges, as uproot's sources do."""
        for start, stop in ranges:
            self.check(stop - start, start)
        return super().chunks(ranges, notifications)  # type: ignore[no-any-return]


class LocalSource(Limited, uproot.MultithreadedFileSource):  # type: ignore[misc]
    """uproot's source for local files, with the limit."""

    def __init__(self, file_path: str, *, max_basket: int = MAX_BASKET, **options: Any) -> None:
        super().__init__(file_path, **options)
        self.max_basket = max_basket


def _check_before_block(**state: Any) -> None:
    """Refuse an object whose header claims too much; uproot calls this before it allocates the memory."""
    if isinstance(source := state["chunk"].source, Limited):
        source.check(state["uncompressed_bytes"], state["chunk"].start)
    _uproots_hook(**state)


_uproots_hook = uproot.compression.decompress.hook_before_block
uproot.compression.decompress.hook_before_block = _check_before_block


def check_clusters(tree: Any, start: int, stop: int) -> None:
    """Check the clusters of an RNTuple that hold some entries; of a TTree, its source checks every basket.

    uproot allocates the columns of a cluster by the numbers of elements in the list of pages.

    Raises
    ------
    LargeBasketError
        If a column claims more bytes in one cluster than it may; the message names both.
    """
    source = tree.file.source
    if not isinstance(tree, uproot.behaviors.RNTuple.RNTuple) or not isinstance(source, Limited):
        return
    ntuple = tree.ntuple
    columns, fields = ntuple.column_records, ntuple.field_records
    for number, summary in enumerate(ntuple.cluster_summaries):
        first = summary.num_first_entry
        if first >= stop or first + summary.num_entries <= start:
            continue
        for column, links in zip(columns, ntuple.page_link_list[number], strict=False):
            n_bytes = sum(abs(page.num_elements) for page in links.pages) * max(8, column.nbits) // 8
            n_bytes = max([n_bytes, *(page.locator.num_bytes for page in links.pages)])
            if n_bytes > source.max_basket:
                place = f"field {_branch_of(column.field_id, fields)!r}, cluster {number}"
                raise LargeBasketError(n_bytes, source.max_basket, place=place)


def _branch_of(field_id: int, fields: Any) -> str:
    """Return the name of the outermost field around a field of an RNTuple."""
    while fields[field_id].parent_field_id != field_id:
        field_id = fields[field_id].parent_field_id
    return str(fields[field_id].field_name)


def find_basket(file: Any, position: int) -> str:
    """Return which basket of an open file begins at a position, in words; an empty text if none does."""
    for key, kind in file.classnames().items():
        if kind not in ("TTree", "TNtuple"):
            continue
        for branch in file[key].itervalues():
            seeks = list(branch.member("fBasketSeek"))[: branch.num_baskets]
            if position in seeks:
                return f"branch {branch.name!r}, basket {seeks.index(position)}"
    return ""
