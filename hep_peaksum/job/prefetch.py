"""One step of work ahead: what comes next is made while what came last is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, each made in a thread of its own while the one before it is used.

    What cannot be made raises its error here, in its turn. Two steps of work that leave Python's lock, such as
    decompressing and writing, take the time of the longer one.

    >>> list(prefetch(n * n for n in range(4)))
    [0, 1, 4, 9]
    """
    left, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, left, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, left, end)
            yield item  # type: ignore[misc]
