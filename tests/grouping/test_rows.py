"""Which rows are one event: against a dictionary filled row by row, however the rows come in blocks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum.grouping.rows import find_events


def blocks(keys, *cuts):
    """Return the rows of some keys in blocks, cut before some rows."""
    edges = [0, *cuts, len(next(iter(keys.values())))]
    return [
        {name: np.array(values[start:stop]) for name, values in keys.items()} for start, stop in pairwise(edges)
    ]


def rows_of(events):
    """Return the rows of every event, by its keys."""
    names = list(events.keys)
    keys = [tuple(int(events.keys[name][i]) for name in names) for i in range(len(events))]
    return {key: events.rows(i, i + 1).tolist() for i, key in enumerate(keys)}


def filled_row_by_row(keys):
    expected = {}
    for row, key in enumerate(zip(*keys.values(), strict=True)):
        expected.setdefault(tuple(map(int, key)), []).append(row)
    return expected


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3)), max_size=25),
    st.lists(st.integers(0, 25), max_size=3),
)
def test_sorted_events_have_the_rows_of_their_keys_in_order(rows, cuts):
    keys = {"run": np.array([r for r, _ in rows], "i4"), "event": np.array([e for _, e in rows], "i8")}
    events = find_events(blocks(keys, *sorted(min(cut, len(rows)) for cut in cuts)), sort=True)
    expected = filled_row_by_row(keys)
    assert rows_of(events) == expected
    assert list(rows_of(events)) == sorted(expected)
    assert events.n_rows.tolist() == [len(expected[key]) for key in sorted(expected)]


@given(st.lists(st.integers(1, 5), max_size=12), st.data())
def test_contiguous_events_keep_the_order_of_the_table(lengths, data):
    order = data.draw(st.permutations(range(len(lengths))))
    keys = {"event": np.repeat(np.array(order, int), lengths)}
    cuts = data.draw(st.lists(st.integers(0, sum(lengths)), max_size=4).map(sorted))
    events = find_events(blocks(keys, *cuts))
    assert events.keys["event"].tolist() == order
    assert rows_of(events) == filled_row_by_row(keys)
    for n_rows in (1, 4, 100):
        found = list(events.blocks(n_rows))
        assert [event for first, stop in found for event in range(first, stop)] == list(range(len(order)))
        for first, stop in found:
            assert stop == first + 1 or sum(lengths[first:stop]) <= n_rows


def test_rows_of_an_event_that_are_apart_are_an_error_that_names_both_places():
    """Event 5 has three places and counts once; events 7 and 8 have one."""
    keys = {"run": [1] * 9, "event": [7, 5, 5, 6, 5, 5, 6, 8, 5]}
    with pytest.raises(
        ValueError, match=r"^run 1, event 5 has rows 1 to 2 and again 4 to 5, and 1 more events"
    ):
        find_events(blocks(keys, 2))


def test_the_same_number_in_another_run_is_another_event():
    keys = {"run": [1, 1, 2, 2], "event": [5, 6, 5, 6]}
    assert len(find_events(blocks(keys))) == 4
    with pytest.raises(ValueError, match=r"event 5 has rows 0 and again 2.*--by runID,eventID"):
        find_events(blocks({"event": keys["event"]}))


def test_whole_floats_are_keys_and_others_are_not():
    assert find_events(blocks({"event": [3.0, 3.0, 1.0]})).keys["event"].tolist() == [3, 1]
    for wrong in (0.5, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"key 'event' is {wrong} in row 3: a key is a whole number"):
            find_events(blocks({"event": [3.0, 3.0, 1.0, wrong]}, 2))


def test_numbers_beyond_what_floats_hold_stay_apart():
    large = 2**64 - 2
    events = find_events(blocks({"event": np.array([large, large + 1, large + 1], "u8")}))
    assert events.keys["event"].tolist() == [large, large + 1]


def test_a_table_without_rows_has_no_events():
    events = find_events(blocks({"event": np.zeros(0, "i4")}))
    assert (len(events), list(events.blocks(10)), events.n_rows.tolist()) == (0, [], [])
