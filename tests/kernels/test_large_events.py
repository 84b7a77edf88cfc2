"""Events larger than a block are searched part by part: nothing depends on where a part ends."""

import itertools

import numpy as np
import pytest
from strategies import bits

from hep_peaksum.kernels import Periodic, Rule, absent, get_kernel, numba_kernel, numba_peaks
from hep_peaksum.settings.model import PeakSumSettings

SHAPES = {"rows": (3, 150, 29), "one_row": (1, 1, 4000), "one_col": (2, 4000, 1), "square": (1, 64, 64)}
WINDOWS = {"adjacent": (3, 3), "wide": (7, 5), "drawn": "x....\n..o..\n....x"}


def rule_of(window, shape, tie_rule, cell_bound):
    fits = [min(n, size - 1 + size % 2) for n, size in zip(WINDOWS["wide"], shape[1:], strict=True)]
    window = (
        tuple(min(n, m) for n, m in zip(window, fits, strict=True)) if isinstance(window, tuple) else window
    )
    settings = PeakSumSettings(search_window=window, sum_window=window, tie_rule=tie_rule)
    return Rule(settings.search_cells(), -1, settings.sum_cells(), cell_bound)


@pytest.mark.parametrize("some_absent", [False, True], ids=["whole", "some_absent"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int64"])
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_seeds_and_sums_do_not_depend_on_where_parts_end(monkeypatch, shape, window, dtype, some_absent):
    monkeypatch.setattr(numba_kernel, "BLOCK_CELLS", 1)
    random = np.random.default_rng(1)
    cells = random.integers(-2, 5, shape).astype(dtype)
    if some_absent and dtype != "int16":
        cells[random.random(shape) < 0.02] = absent(dtype)
    for periodic, tie_rule in itertools.product(((False, False), (True, True)), ("first", "all")):
        for cell_bound in (None, 1):
            rule = rule_of(window, shape, tie_rule, cell_bound)
            fast, readable = (
                get_kernel(name).find_peaks(cells, rule, Periodic(*periodic)).peaks
                for name in ("numba", "scipy")
            )

            assert len(fast) > 0
            assert bits(fast) == bits(readable)


@pytest.mark.parametrize("place", [0, 63, 64 * 20 + 5, 64 * 64 - 1])
def test_a_cell_that_is_not_finite_is_seen_in_every_part(monkeypatch, place):
    monkeypatch.setattr(numba_kernel, "BLOCK_CELLS", 1)
    cells = np.ones((1, 64, 64), np.float32)
    cells.reshape(-1)[place] = np.inf

    search = numba_kernel.find_peaks(cells, rule_of((3, 3), cells.shape, "first", None), Periodic(False, False))

    assert not search.is_finite


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_an_absent_cell_across_a_seam_is_not_added(monkeypatch, dtype):
    """It lies in the last part, and no cell in or near the part of the seed is absent."""
    monkeypatch.setattr(numba_kernel, "BLOCK_CELLS", 1)
    cells = np.ones((1, 150, 29), dtype)
    cells[0, 0, 7], cells[0, 149, 7] = 5, absent(dtype)

    rule = rule_of((3, 3), cells.shape, "first", None)._replace(bound=5)
    peaks = numba_kernel.find_peaks(cells, rule, Periodic(True, False)).peaks

    assert (peaks.cell.tolist(), peaks.sum.tolist(), peaks.n_cells.tolist()) == ([7], [5 + 7], [8])


@pytest.mark.parametrize(("side", "most"), [(160, 3), (256, 3), (1024, 1.5)])
def test_room_is_made_for_the_peaks_and_not_for_every_cell(traced_peak, side, most):
    """Room for every cell would be eleven times the image, huge pages 40 times one of 160 x 160."""
    cells = np.random.default_rng(1).standard_normal((1, side, side)).astype(np.float32)
    rule = rule_of((3, 3), cells.shape, "first", None)
    numba_kernel.find_peaks(cells, rule._replace(bound=2.0), Periodic(False, False))  # compiles, makes tables

    few = traced_peak(lambda: numba_kernel.find_peaks(cells, rule._replace(bound=2.0), Periodic(False, False)))
    many = traced_peak(lambda: numba_kernel.find_peaks(cells, rule, Periodic(False, False)))

    assert max(few, many) < most * cells.nbytes


@pytest.mark.parametrize(
    ("huge", "room"),
    [
        pytest.param(1 << 22, 3676, id="small"),
        pytest.param(100_000, 4168, id="more-than-half-of-it"),
        pytest.param(88_200, 3676, id="just-as-much"),
        pytest.param(176_400, 3676, id="just-half-of-it"),
    ],
)
def test_room_follows_what_is_done_and_is_never_just_short_of_huge_pages(monkeypatch, huge, room):
    """Four blocks of 300 peaks fit at first; ten have 3000, with an eighth more 3375, and 300 are spare."""
    monkeypatch.setattr(numba_peaks, "HUGE_BYTES", huge)
    buffers, rooms = numba_peaks.PeakBuffers(10, 10, 7, 300, np.int64), []

    def search(start, columns, n_peaks, block):
        rooms.append(len(columns.cell))
        while block < 10 and n_peaks + 300 <= len(columns.cell):
            for k, column in enumerate(columns[1:]):
                column[n_peaks : n_peaks + 300] = start + k + np.arange(n_peaks, n_peaks + 300)
            n_peaks, block = n_peaks + 300, block + 1
            columns.event_offsets[block] = n_peaks
        return n_peaks, block, block != 7

    assert buffers.fill(search, 5)
    assert rooms == [1324, room]
    peaks = buffers.peaks
    assert peaks.event_offsets.tolist() == [300 * k for k in range(11)]
    for k, name in enumerate(("cell", "seed", "sum", "n_cells")):
        column = np.asarray(getattr(peaks, name))
        assert column.tolist() == [5 + k + n for n in range(3000)]
    assert (peaks.seed.dtype, peaks.sum.dtype, peaks.n_cells.dtype) == (np.int64, np.int64, np.int32)


def test_cells_that_are_not_finite_in_any_call_are_remembered():
    buffers, calls = (
        numba_peaks.PeakBuffers(3, 3, 7, 4, np.float64),
        iter([(0, 1, True), (0, 2, False), (0, 3, True)]),
    )
    assert not buffers.fill(lambda *_: next(calls))
