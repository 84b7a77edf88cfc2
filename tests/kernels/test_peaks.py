"""Peaks are selected and sorted event by event."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_problems import as_tuples, run_kernel, some_examples
from strategies import columns, problems

from hep_peaksum.kernels import Peaks, Periodic, Rule, numba_hits, numba_peaks
from hep_peaksum.settings.model import PeakSumSettings


@some_examples
@given(problem=problems(), random=st.randoms(use_true_random=False))
def test_peaks_keep_their_places_when_some_are_selected(kernel, problem, random):
    peaks = run_kernel(kernel, problem)
    places = as_tuples(peaks)

    assert [len(peaks.event_offsets), len(peaks)] == [len(problem.grids) + 1, len(places)]
    assert as_tuples(Peaks.at(columns(peaks)[:3], problem.grids.shape, *columns(peaks)[3:])) == places
    mask = np.array([random.random() < 0.5 for _ in places], bool)
    assert as_tuples(peaks.take(mask)) == [
        place for place, is_selected in zip(places, mask, strict=True) if is_selected
    ]
    backwards = np.lexsort((-np.arange(len(places)), peaks.event))
    assert as_tuples(peaks.take(backwards)) == [places[n] for n in backwards]


@some_examples
@given(events=st.lists(st.lists(st.integers(0, 3), max_size=40), max_size=6))
def test_keys_are_sorted_per_event_and_ties_keep_their_order(kernel, events):
    event_offsets = np.cumsum([0, *map(len, events)])
    order = kernel.argsort_descending(
        event_offsets, np.array([key for keys in events for key in keys], np.int64)
    )

    expected = []
    for keys in events:
        expected += [len(expected) + n for n in sorted(range(len(keys)), key=lambda n: -keys[n])]
    assert order.tolist() == expected


@pytest.mark.parametrize("kind", ["small", "large", "float", "spread", "some alike", "outlier"])
@pytest.mark.parametrize("n_keys", [1, 8, 9, 64, 128, 129, 256, 257, 600])
def test_keys_of_crowded_events_are_sorted_and_ties_keep_their_order(kernel, n_keys, kind):
    random = np.random.default_rng(n_keys)
    key = random.integers(-20, 20, 3 * n_keys)
    if kind == "large":  # more digits than a float64 has
        key = key * 2**57 + random.integers(0, 2, 3 * n_keys)
    if kind == "float":  # the two zeros are equal
        key = random.choice([-np.inf, -2.5, -0.0, 0.0, 1e-310, 0.75, 3e200], 3 * n_keys)
    if kind in ("spread", "some alike", "outlier"):
        key = random.uniform(50, 100, 3 * n_keys)
    if kind == "some alike":  # equal, or except for the last bit
        towards = random.choice([0, key[0], 1e9], 3 * n_keys)
        key[n_keys // 2 :: 20] = np.nextafter(key[0], towards[n_keys // 2 :: 20])
    if kind == "outlier":
        key[n_keys // 2] = 1e300
    order = kernel.argsort_descending(np.array([0, 1, 1, 1, 1, 2, 3]) * n_keys, key)

    starts = range(0, 3 * n_keys, n_keys)
    expected = [sorted(range(start, start + n_keys), key=lambda n: -key[n]) for start in starts]
    assert order.reshape(3, n_keys).tolist() == expected


@pytest.mark.parametrize("bound", [None, 3, 4])
def test_a_cell_at_the_bound_is_added(bound):
    cells = np.array([[[1, 2, 3, 4, 5]]])
    one = np.zeros(1, np.int64)
    peaks = Peaks.at((one, one, one + 2), cells.shape, one, one, np.ones(1, np.int32))
    window = ((0, -1), (0, 0), (0, 1))
    total, n_cells = numba_peaks.sum_cells(cells, peaks, window, bound, Periodic(False, False))
    added = [cell for cell in (2, 3, 4) if bound is None or cell >= bound]
    assert (total.tolist(), n_cells.tolist()) == ([sum(added)], [len(added)])


@pytest.mark.parametrize("cell", [[2, 2, 7], [7, 2, 2], [2, 7, 2]], ids=str)
def test_hits_of_one_cell_are_one_peak_and_each_must_be_finite(cell):
    rule = Rule(search=PeakSumSettings().search_cells(), bound=1.0, window=((0, 0),), cell_bound=None)
    offsets, plane = np.array([0, 3]), (1, 10)

    def search(value):
        args = offsets, np.array(cell, np.int32), np.array(value, np.float64), plane, rule
        return numba_hits.find_peaks_in_hits(*args, Periodic(False, False))

    found = search([4.0, 4.0, 4.0])
    assert found.peaks.cell.tolist() == [2, 7]
    assert found.peaks.seed.tolist() == [8, 4]
    assert found.is_finite
    for n in range(3):
        assert not search([np.nan if k == n else 4.0 for k in range(3)]).is_finite
