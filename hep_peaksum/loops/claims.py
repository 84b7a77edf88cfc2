"""Who claims which cell, and what everybody gets: the events in blocks, and flat planes of their cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import Array, Periodic
from hep_peaksum.loops.windows import Rivals, WindowLoops

OWNED = ("highest", "nearest")
DIVIDED = ("proportional", "proportional-sum", "equal")


class Events(NamedTuple):
    """Some events, and the peaks that lie in them."""

    first: int
    stop: int
    peaks: slice

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.stop - self.first

    @property
    def n_peaks(self) -> int:
        """Number of peaks."""
        return int(self.peaks.stop - self.peaks.start)


def event_blocks(event_offsets: Array, most_events: int, most_peaks: int) -> Iterator[Events]:
    """Yield whole events with their peaks, a block at a time; events without peaks at its ends are left out.

    A block has at least one event, however many peaks that has; without any peak there is one without events.

    >>> [tuple(events) for events in event_blocks(np.array([0, 0, 2, 3, 9]), 8, 4)]
    [(1, 3, slice(0, 3, None)), (3, 4, slice(3, 9, None))]
    """
    start, n_peaks = 0, int(event_offsets[-1])
    while start < n_peaks:
        first = int(np.searchsorted(event_offsets, start, "right")) - 1
        stop = int(np.searchsorted(event_offsets, start + most_peaks, "right")) - 1
        stop = max(first + 1, min(stop, first + most_events))
        yield Events(first, stop, slice(start, int(event_offsets[stop])))
        start = int(event_offsets[stop])
    if n_peaks == 0:
        yield Events(0, 0, slice(0, 0))


class Shares(NamedTuple):
    """What peaks hold of the cells of their windows, shape (peak, cell): how much, and whether any of it."""

    values: Array
    is_held: Array


class Claims(NamedTuple):
    """Who claims the cells of some events: flat planes, those that are of use.

    `owner` is the number of the peak that gets a cell, -1 if there is none, and `nearest` its distance; `total`
    is the weight of all that claim it, `n_claims` their number, 2 standing for two or more.
    """

    rivals: Rivals
    owner: Array | None = None
    nearest: Array | None = None
    total: Array | None = None
    n_claims: Array | None = None

    @classmethod
    def on(cls, n_cells: int, overlap: str, rivals: Rivals, *, contested: bool) -> Claims:
        """Return the planes that a rule needs, still without claims; `n_claims` also where `contested`."""
        is_divided = overlap in DIVIDED
        return cls(
            rivals,
            np.full(n_cells, -1, np.int32) if overlap in OWNED else None,
            np.zeros(n_cells, np.int32) if overlap == "nearest" else None,
            np.zeros(n_cells) if is_divided else None,
            np.zeros(n_cells, np.uint8) if is_divided or contested else None,
        )

    @property
    def is_used(self) -> bool:
        """Whether there is any plane."""
        return any(plane is not None for plane in self[1:])

    def add(self, loops: WindowLoops, place: Array, is_added: Array, first: int) -> None:
        """Let peaks claim the added cells of their windows, from number `first` on; others came before."""
        if self.owner is not None:
            loops.claim_cells(self.owner, self.nearest, place, is_added, first, self.rivals)
        if self.total is not None:
            loops.add_weights(self.total, place, is_added, self._weight(first, len(place)))
        if self.n_claims is not None:
            loops.count_claims(self.n_claims, place, is_added)

    def is_contested(self, place: Array, is_added: Array) -> Array:
        """Return which added cells several peaks claim."""
        return np.asarray(is_added & (np.asarray(self.n_claims).take(place) > 1))

    def shares(self, loops: WindowLoops, values: Array, place: Array, is_added: Array, first: int) -> Shares:
        """Return what each peak holds, from number `first` on, after all peaks of the events have claimed."""
        if self.owner is not None:
            return Shares(*loops.owned_cells(self.owner, values, place, is_added, first))
        if self.total is None:
            return Shares(np.where(is_added, values, 0), is_added)
        with np.errstate(all="ignore"):  # where nothing is added
            parts = values * self._weight(first, len(place))[:, None]
            parts /= self.total.take(place)
        np.copyto(parts, values, where=~self.is_contested(place, is_added))
        return Shares(np.where(is_added, parts, 0), is_added)

    def _weight(self, first: int, n_peaks: int) -> Array:
        return np.asarray(self.rivals.weight)[first : first + n_peaks]


def squared_distances(
    offsets: Array, shape: tuple[int, int], periodic: Periodic, *, obliqueness: int = 0
) -> Array:
    """Return the squared distance of the cells of a window from its peak, the short way across a seam.

    `obliqueness` is twice the cosine of the angle between the axes: 0, or 1 or -1 for hexagons (which have no
    seams).

    >>> squared_distances(np.array([[0, -3], [1, 1]]), (4, 4), Periodic(False, True)).tolist()
    [1, 2]
    """
    distance = np.abs(offsets)
    for axis, (size, is_periodic) in enumerate(zip(shape, periodic, strict=True)):
        if is_periodic:
            distance[:, axis] = np.minimum(distance[:, axis] % size, -distance[:, axis] % size)
    return np.asarray((distance**2).sum(axis=1) + obliqueness * offsets[:, 0] * offsets[:, 1])
