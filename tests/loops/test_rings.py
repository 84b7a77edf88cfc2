"""Strips and rings around windows: the compiled loops give the bits of the readable twins."""

import itertools
import statistics

import numpy as np
import pytest
from clustering_problems import index_grid
from hypothesis import given
from hypothesis import strategies as st
from kernel_problems import COLS, NEITHER, ROWS, some_examples
from strategies import fractions, small_counts

from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.pileup import estimate_pileup
from hep_peaksum.settings.model import PeakSumSettings

EVERY_CELL = {"search_window": (1, 1), "seed_threshold": -2000}
EDGES = {
    "chunky_donut": ("zero", "strip"),
    "donut": ("zero", "strip"),
    "phi_ring": ("zero", "existing"),
    "ring_median": ("existing", "zero"),
}


@st.composite
def crowded(draw):
    """Draw cells, all of them peaks, some of them masked, and an estimate."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(7, 9)))
    periodic = (False, draw(st.booleans()))
    kind = draw(st.sampled_from(sorted(EDGES)))
    estimate = {"kind": kind, "edge": draw(st.sampled_from(EDGES[kind]))}
    if kind != "phi_ring":
        estimate["depth"] = draw(st.integers(1, 2))
    else:
        estimate |= {"axis": draw(st.sampled_from(("rows", "cols")))}
    window = draw(st.sampled_from(((1, 1), (3, 3))))
    cells = draw(st.one_of(small_counts(shape), fractions(shape)))
    mask = np.random.default_rng(draw(st.integers(0, 9))).random(shape) < draw(st.sampled_from((0, 0.3)))
    return cells, mask, index_grid(shape, periodic), {**EVERY_CELL, "sum_window": window, "pileup": [estimate]}


def estimate_of(cells, mask, grid, settings, kernel):
    settings = PeakSumSettings(**settings, kernel=kernel)
    return estimate_pileup(find_peaks(cells, settings, grid, mask=mask), settings.pileup[0])


@some_examples
@given(drawn=crowded())
def test_the_compiled_loops_give_the_bits_of_the_readable_twins(drawn):
    fast, readable = (estimate_of(*drawn, kernel) for kernel in ("numba", "scipy"))

    assert fast.dtype == readable.dtype
    assert (fast + 0).tobytes() == (readable + 0).tobytes()  # a zero may have either sign


@pytest.mark.parametrize("periodic", [NEITHER, COLS, ROWS], ids=str)
@pytest.mark.parametrize("kind", sorted(set(EDGES) - {"phi_ring"}))
def test_strips_and_rings_end_at_every_edge_alike(kind, periodic):
    """Of cells that are all different and all peaks: at any distance from every edge, in two events."""
    cells, grid = (
        np.random.default_rng(1).permutation(198).reshape(2, 9, 11) + 0.5,
        index_grid((9, 11), periodic),
    )
    for edge, depth in itertools.product(EDGES[kind], (1, 2)):
        settings = {
            **EVERY_CELL,
            "sum_window": (3, 3),
            "pileup": [{"kind": kind, "edge": edge, "depth": depth}],
        }
        fast, readable = (estimate_of(cells, None, grid, settings, kernel) for kernel in ("numba", "scipy"))
        assert fast.tolist() == readable.tolist()


@pytest.mark.parametrize("n_zeros", [0, 3, 30, 47, 48])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_median_is_that_of_all_the_cells_around(depth, n_zeros):
    cells = np.random.default_rng(depth).integers(-9, 9, 81).astype(np.float64) + 0.5
    cells[np.random.default_rng(1).permutation(81)[:n_zeros]] = 0
    cells = cells.reshape(1, 9, 9)
    settings = {**EVERY_CELL, "sum_window": (1, 1), "pileup": [{"kind": "ring_median", "depth": depth}]}

    found = estimate_of(cells, None, None, settings, "numba").reshape(9, 9)

    for row, col in np.ndindex(9, 9):
        around = [
            cells[0, r, c]
            for r in range(max(0, row - depth), min(9, row + depth + 1))
            for c in range(max(0, col - depth), min(9, col + depth + 1))
            if (r, c) != (row, col)
        ]
        assert found[row, col] == statistics.median(around)
