"""Both kernels against the definition in `oracle`."""

import numpy as np
import oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kernel_problems import by_definition, find_peaks, many_examples, picture, run_kernel, some_examples
from strategies import HUGE_THRESHOLDS, columns, huge_counts, problems

from hep_peaksum.kernels import Peaks, Periodic, absent
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.windows import Box


@many_examples
@given(problem=problems(most_events=3))
def test_a_kernel_finds_the_peaks_of_the_definition(kernel, problem):
    assert find_peaks(kernel, problem) == by_definition(problem)


@some_examples
@given(problem=problems(cells=huge_counts, thresholds=HUGE_THRESHOLDS))
def test_integers_that_are_one_float64_are_told_apart(kernel, problem):
    assert find_peaks(kernel, problem) == by_definition(problem)


@some_examples
@given(problem=problems())
def test_peaks_have_the_types_of_the_contract(kernel, problem):
    number = np.int64 if problem.grids.dtype == np.int64 else np.float64

    assert [column.dtype for column in columns(run_kernel(kernel, problem))] == [
        np.int64,
        np.int32,
        np.int32,
        number,
        number,
        np.int32,
    ]


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_no_events_give_no_peaks_of_the_right_type(kernel, dtype):
    none = picture([[1]], dtype=dtype)
    peaks = run_kernel(kernel, none.given(grids=none.grids[:0], mask=none.mask[:0]))

    assert [len(column) for column in columns(peaks)] == [0] * 6
    assert peaks.event_offsets.tolist() == [0]
    assert peaks.sum.dtype == (np.int64 if dtype == "int64" else np.float64)


@some_examples
@given(problem=problems())
def test_any_window_can_be_summed_about_any_cell(kernel, problem):
    cells = np.where(problem.mask, np.array(absent(problem.grids.dtype), problem.grids.dtype), problem.grids)
    event, row, col = (np.ascontiguousarray(index) for index in np.nonzero(np.ones(cells.shape)))
    offsets = PeakSumSettings(sum_window=problem.sum_window).sum_cells()
    peaks = Peaks.at((event, row, col), problem.grids.shape, row, row, row)
    total, n_cells = kernel.sum_cells(cells, peaks, offsets, None, Periodic(*problem.periodic))

    exists = np.where(problem.mask, None, problem.grids.astype(object)).tolist()
    expected = [
        oracle.sum_around(exists[e], r, c, oracle.read_window(problem.sum_window), problem.periodic)
        for e, r, c in np.ndindex(cells.shape)
    ]
    assert list(zip(total.tolist(), n_cells.tolist(), strict=True)) == expected


@some_examples
@given(problem=problems(), half=st.integers(0, 1), depth=st.integers(1, 3))
def test_the_three_lowest_strips_are_the_chunky_donut(kernel, problem, half, depth):
    length = 2 * (half + depth) + 1
    assume(
        all(
            n >= length
            for n, is_periodic in zip(problem.grids.shape[1:], problem.periodic, strict=True)
            if is_periodic
        )
    )
    event, row, col = (np.ascontiguousarray(index) for index in np.nonzero(np.ones(problem.grids.shape)))
    strips = Box(-half, half, -half, half).strips(depth)
    peaks = Peaks.at((event, row, col), problem.grids.shape, row, row, row)
    sums = [
        kernel.sum_cells(problem.grids, peaks, strip, None, Periodic(*problem.periodic))[0] for strip in strips
    ]
    low, middle, high, _ = np.sort(sums, axis=0)

    grids = problem.grids.tolist()
    assert (low + middle + high).tolist() == [
        oracle.chunky_donut(grids[e], r, c, half, depth, problem.periodic)
        for e, r, c in np.ndindex(problem.grids.shape)
    ]
