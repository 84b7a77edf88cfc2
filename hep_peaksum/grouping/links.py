"""Elements of one collection and those of another that they point to, by an index or a chain of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import awkward as ak
import numpy as np


@dataclass(frozen=True)
class Links:
    """Which elements are linked, and to which elements of the collection that was reached last.

    Attributes
    ----------
    place
        The place of each linked element in its collection, shape (event, link).
    index
        The place that each points to.
    n_elements
        How many elements the first collection has.
    n_several
        How many of them point to more than one; the first of these is taken.
    """

    place: ak.Array
    index: ak.Array
    n_elements: int
    n_several: int = 0


def first_links(begin: ak.Array, end: ak.Array | None = None) -> Links:
    """Return the links of a branch of indices, shape (event, element); negative ones point to nothing.

    Parameters
    ----------
    begin
        The place that each element points to.
    end
        Of a relation to many, as podio writes them: the place after the last; where it is `begin`, an element
        points to nothing.

    >>> first_links(ak.Array([[0, -1, 2]])).place
    <Array [[0, 2]] type='1 * var * int64'>
    """
    index = ak.values_astype(begin, "int64")
    linked, n_several = index >= 0, 0
    if end is not None:
        n_linked = ak.values_astype(end, "int64") - index
        linked, n_several = linked & (n_linked > 0), int(ak.sum(n_linked > 1))
    return Links(ak.local_index(index)[linked], index[linked], int(ak.count(index)), n_several)


def follow(links: Links, targets: ak.Array, name: str, first_event: int = 0) -> ak.Array:
    """Return the values of a branch, shape (event, target), at the elements that links point to.

    Raises
    ------
    ValueError
        If a link points beyond the last element; the message names the first such entry.
    """
    beyond = ak.to_numpy(ak.any(links.index >= ak.num(targets), axis=1))
    if beyond.any():
        event = int(np.argmax(beyond))
        held = f"{name!r} has {len(targets[event])} there"
        msg = f"entry {first_event + event}: a link points to element {ak.max(links.index[event])}, but {held}"
        raise ValueError(msg)
    return targets[links.index]


def follow_further(links: Links, indices: ak.Array, name: str, first_event: int = 0) -> Links:
    """Return the links to where another branch of indices points; errors are those of `follow`."""
    index = ak.values_astype(follow(links, indices, name, first_event), "int64")
    linked = index >= 0
    return replace(links, place=links.place[linked], index=index[linked])
