"""The two kernels give the same bits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from kernel_problems import many_examples, picture, run_kernel
from strategies import bits, problems

from hep_peaksum.kernels import Periodic, Rule, absent, get_kernel
from hep_peaksum.settings.model import PeakSumSettings


@many_examples
@given(problem=problems())
def test_the_two_kernels_give_the_same_bits(problem):
    fast, readable = run_kernel(get_kernel("numba"), problem), run_kernel(get_kernel("scipy"), problem)

    assert bits(fast) == bits(readable)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(24, 16), (3, 1), (1, 7), (10, 13), (2, 2)], ids=lambda shape: f"{shape}")
@pytest.mark.parametrize("periodic", list(itertools.product((False, True), repeat=2)), ids=str)
@pytest.mark.parametrize("tie_rule", ["all", "none", "first", "last", "diagonal"])
def test_the_two_kernels_give_the_same_bits_for_many_events(dtype, shape, periodic, tie_rule):
    """So many events that all blocks but the first and the last are searched without a copy."""
    random = np.random.default_rng(5)
    n_events = 40_000 // math.prod(shape)
    cells = random.integers(-2, 5, (n_events, *shape)) * (random.random((n_events, 1, 1)) < 0.8)
    cells = cells.astype(dtype)
    cells[random.random(cells.shape) < 0.02] = absent(dtype)
    window = tuple(3 if n > 2 else 1 for n in shape)
    settings = PeakSumSettings(search_window=window, sum_window=window, tie_rule=tie_rule)
    rule = Rule(settings.search_cells(), -1, settings.sum_cells(), 0)
    fast, readable = (
        get_kernel(name).find_peaks(cells, rule, Periodic(*periodic)) for name in ("numba", "scipy")
    )

    assert len(fast.peaks.event) > n_events // 10
    assert bits(fast.peaks) == bits(readable.peaks)


def test_a_sum_of_no_cells_is_the_same_zero_in_both_kernels():
    problem = picture([[-1.0]], dtype="float64", threshold=-5, cell_threshold=0)
    fast, readable = run_kernel(get_kernel("numba"), problem), run_kernel(get_kernel("scipy"), problem)

    assert fast.sum.tobytes() == readable.sum.tobytes()
