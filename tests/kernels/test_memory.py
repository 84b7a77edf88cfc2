"""What depends on where cells lie in memory: large planes, the ends of arrays, cells that are not finite."""

import subprocess
import sys

import numpy as np
import pytest
from kernel_problems import picture, run_kernel

from hep_peaksum.kernels import Periodic, Rule
from hep_peaksum.settings.model import PeakSumSettings


def test_a_row_of_more_cells_than_int16_can_count(kernel):
    n_cols, settings = 40_000, PeakSumSettings()
    cols = np.array([0, 32_767, 32_769, 39_998])
    cells = np.zeros((2, 1, n_cols), np.float32)
    cells[1, 0, cols] = [4, 3, 2, 1]
    rule = Rule(settings.search_cells(), 1, settings.sum_cells(), None)
    from_grids = kernel.find_peaks(cells, rule, Periodic(False, True)).peaks
    hits = np.array([0, 0, 4]), cols.astype(np.int32), cells[1, 0, cols]
    from_hits = kernel.find_peaks_in_hits(*hits, (1, n_cols), rule, Periodic(False, True)).peaks

    for peaks in (from_grids, from_hits):
        assert peaks.event.tolist() == [1] * 4
        assert peaks.col.tolist() == cols.tolist()
        assert peaks.sum.tolist() == [4, 3, 2, 1]
        assert peaks.n_cells.tolist() == [3] * 4


def test_buffers_grow_with_the_number_of_peaks(kernel):
    every_cell = np.arange(1, 3001, dtype=np.int64).reshape(3000, 1, 1)
    peaks = run_kernel(kernel, picture([[0]]).given(grids=every_cell, mask=every_cell < 0))

    assert peaks.event.tolist() == list(range(3000))
    assert peaks.sum.tolist() == list(range(1, 3001))


BETWEEN_PROTECTED_PAGES = """
import ctypes, mmap
import numpy as np
from hep_peaksum.kernels import Periodic, Rule
from hep_peaksum.kernels.numba_kernel import BLOCK_BYTES, find_peaks
from hep_peaksum.settings.model import PeakSumSettings

libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, 34 * mmap.PAGESIZE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
for page in (0, 33):
    assert libc.mprotect(ctypes.c_void_p(start + page * mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
for shape in ((8, 16), (4, 32), (16, 4), (1, 128)):
    cells = np.frombuffer(memory, np.float32, 32 * mmap.PAGESIZE // 4, mmap.PAGESIZE).reshape(-1, *shape)
    cells[:] = np.random.default_rng(1).integers(1, 99, cells.shape)
    # one event more than two blocks: the second of them ends so near to the protected page
    blocks_and_one = cells[-1 - 2 * (BLOCK_BYTES // cells[0].nbytes) :]
    for window in ((3, 3), (3, 9), (9, 3), (15, 31)):
        window = tuple(min(n, 2 * size - 1) for n, size in zip(window, shape))
        for sum_window, events in ((window, cells), (window, blocks_and_one), ((1, 1), blocks_and_one)):
            settings = PeakSumSettings(search_window=window, sum_window=sum_window)
            rule = Rule(settings.search_cells(), 1, settings.sum_cells(), None)
            assert len(find_peaks(events, rule, Periodic(False, False)).peaks) >= len(events)
print("inside")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="pages are protected with the mprotect of Linux")
def test_nothing_before_or_behind_the_grids_is_read():
    """The grids fill whole pages between two protected ones, where any read ends the process."""
    ran = subprocess.run(
        [sys.executable, "-c", BETWEEN_PROTECTED_PAGES], capture_output=True, text=True, check=False
    )

    assert ran.stdout == "inside\n", ran.stderr[-2000:]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", [(0, 0, 0), (57, 23, 15), (199, 12, 3), (199, 23, 15)], ids=str)
def test_a_cell_that_is_not_finite_is_reported(kernel, value, dtype, place):
    cells = np.ones((200, 24, 16), dtype)
    rule = Rule(PeakSumSettings().search_cells(), 0, PeakSumSettings().sum_cells(), None)
    assert kernel.find_peaks(cells, rule, Periodic(False, True)).is_finite
    cells[place] = value
    assert not kernel.find_peaks(cells, rule, Periodic(False, True)).is_finite


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_that_is_not_finite_is_reported_wherever_it_lies(kernel, dtype):
    """Events end within a vector, whose other cells are those of the next event, or lie behind the end."""
    rule = Rule(PeakSumSettings().search_cells(), 5, PeakSumSettings().sum_cells(), None)
    cells = np.ones((130, 5, 7), dtype)
    overlooked = []
    for place in range(cells.size):
        cells.flat[place] = np.nan
        if kernel.find_peaks(cells, rule, Periodic(False, False)).is_finite:
            overlooked.append(place)
        cells.flat[place] = 1
    assert overlooked == []
    assert kernel.find_peaks(cells, rule, Periodic(False, False)).is_finite
