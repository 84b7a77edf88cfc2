"""Where numba must not compile, the readable kernel is used, and said to be used."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import awkward as ak
import numpy as np
import hep_peaksum as ps
from hep_peaksum.geometry.hits import sparse
cells = np.array([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]])
grid = ps.Grid(rows=ps.Axis(n=3), cols=ps.Axis(n=3, periodic=True))
narrow = ps.PeakSumSettings(search_window=(3, 1), sum_window=(3, 1), seed_threshold="1 sigma")
print(ps.find_clusters(cells).peak_sum.to_list(), ps.find_clusters(cells.astype("f4")).peak_sum.to_list())
print(ps.peak_sum_map(cells).sum(), ps.find_clusters(cells, narrow, grid, noise=np.ones((3, 3))).col.to_list())
hits = sparse(ak.Array([[1, 1, 2]]), ak.Array([[1, 1, 2]]), ak.Array([[2, 3, 4]]), grid)
print(ps.find_clusters(hits, None, ps.Grid(rows=ps.Axis(n=3), cols=ps.Axis(n=3))).peak_sum.to_list())
print(ps.find_clusters([[[5, 1, 4]]], ps.PeakSumSettings(overlap="highest")).peak_sum.to_list())
"""


@pytest.mark.parametrize("value", ["1", "0"])
def test_without_a_compiler_the_readable_kernel_is_used_and_this_is_said_once(value):
    environment = {**os.environ, "NUMBA_DISABLE_JIT": value}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[[11]] [[11.0]]", "11 [[1, 2]]", "[[9]]", "[[6, 4]]"]
    lines = [line for line in done.stderr.splitlines() if "NUMBA_DISABLE_JIT is set" in line]
    assert len(lines) == int(value)
