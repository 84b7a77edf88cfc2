"""Chunks of a file around those that are finished."""

import pytest

from hep_peaksum.job.planning import entry_ranges


@pytest.mark.parametrize(
    ("n_entries", "finished", "expected"),
    [
        pytest.param(6, [(1, 6)], [(0, 1), (1, 6)], id="up-to-the-last-entry"),
        pytest.param(6, [(1, 7)], [(0, 2), (2, 4), (4, 6)], id="beyond-the-last-entry"),
        pytest.param(6, [(0, 5)], [(0, 5), (5, 6)], id="from-the-first-entry"),
        pytest.param(6, [(0, 3), (2, 6)], [(0, 3), (3, 4), (4, 6)], id="overlapping"),
        pytest.param(6, [(3, 6), (0, 3)], [(0, 3), (3, 6)], id="all-of-it"),
    ],
)
def test_finished_ranges_stay_and_the_gaps_are_split(n_entries, finished, expected):
    assert list(entry_ranges(n_entries, finished, 2)) == expected


@pytest.mark.parametrize("n_entries", [1, 7, 10, 100])
def test_the_cuts_in_a_gap_are_those_without_anything_finished(n_entries):
    whole = list(entry_ranges(n_entries, [], 3))
    for n in range(len(whole)):
        for m in range(n, len(whole)):
            assert list(entry_ranges(n_entries, whole[n:m], 3)) == whole


def test_a_file_without_entries_has_one_chunk():
    assert list(entry_ranges(0, [], 2, is_empty=True)) == [(0, 0)]
