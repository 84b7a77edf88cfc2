"""Sums in every layer: the compiled loop gives the bits of the readable twin."""

import awkward as ak
import numpy as np
from clustering_problems import index_grid
from hypothesis import given
from hypothesis import strategies as st
from kernel_problems import some_examples
from strategies import fractions, small_counts

from hep_peaksum import find_clusters


@st.composite
def layered(draw):
    """Draw cells in layers, a mask, and settings whose clusters hold, share or divide cells."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(3, 6), st.integers(3, 6)))
    cells = draw(st.one_of(small_counts(shape), fractions(shape)))
    dtype = draw(st.sampled_from((cells.dtype, np.int16 if cells.dtype.kind == "i" else cells.dtype)))
    mask = np.random.default_rng(draw(st.integers(0, 9))).random(shape[2:]) < draw(st.sampled_from((0, 0.3)))
    settings = {
        "search_window": (1, 1),
        "sum_window": (3, 3),
        "overlap": draw(st.sampled_from(("shared", "highest", "nearest", "equal"))),
        "cell_threshold": draw(st.sampled_from((None, 1))),
        "masked": draw(st.sampled_from(("absent", "zero"))),
    }
    return cells.astype(dtype), mask, settings, index_grid(shape, (False, draw(st.booleans())))


def sums(cells, mask, settings, grid, kernel):
    found = find_clusters(cells, {**settings, "kernel": kernel}, grid, mask=mask, fields=["layer_sums"])
    return ak.to_numpy(ak.flatten(found.layer_sums, axis=1))


@some_examples
@given(drawn=layered())
def test_the_compiled_loop_gives_the_bits_of_the_readable_twin(drawn):
    fast, readable = (sums(*drawn, kernel) for kernel in ("numba", "scipy"))

    assert fast.dtype == readable.dtype
    assert fast.tobytes() == readable.tobytes()
