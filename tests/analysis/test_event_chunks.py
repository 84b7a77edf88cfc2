"""Events of chunks: added in any order they are in that of files and entries."""

import pickle

import awkward as ak
import pytest

from hep_peaksum.analysis.event_chunks import EventChunks


def chunk(place, path, start, *numbers):
    return EventChunks({(place, path, start): ak.Array({"n": [*numbers]})})


def test_events_are_in_the_order_of_files_and_entries():
    parts = [chunk(2, "a", 0, 5), chunk(1, "b", 10, 3, 4), chunk(1, "b", 2, 1, 2)]
    assert sum(parts[1:], parts[0]).n.to_list() == [1, 2, 3, 4, 5]
    assert parts[0].n.to_list() == [5]


def test_what_is_added_later_is_among_the_events():
    """Also to those that were looked at, or sent by another process, before."""
    total = chunk(1, "a", 0, 1)
    assert total.n.to_list() == [1]
    total += chunk(1, "a", 5, 6)
    assert total.n.to_list() == [1, 6]
    sent = pickle.loads(pickle.dumps(total))
    sent += chunk(1, "a", 3, 4)
    assert (sent.n.to_list(), total.n.to_list()) == ([1, 4, 6], [1, 6])


def test_a_chunk_is_not_added_twice_and_nothing_else_is_added():
    total = chunk(1, "a", 5, 1)
    with pytest.raises(ValueError, match="the chunk of a that begins at entry 5 would be added twice"):
        total += chunk(1, "a", 5, 9)
    with pytest.raises(TypeError, match="events of chunks are added to others, not to list"):
        total += [1]
    assert total.n.to_list() == [1]
