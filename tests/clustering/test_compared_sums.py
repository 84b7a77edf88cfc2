"""Where seed window and sum window are one, the sums that were compared are those of the clusters."""

from clustering_problems import index_grid
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_problems import some_examples
from strategies import fractions, shapes, small_counts, windows

from hep_peaksum import find_clusters

FIELDS = ["row", "col", "seed", "peak_sum", "n_cells"]


@st.composite
def one_window(draw):
    """Draw cells, some of them masked, and settings with one window for seeds and sums."""
    shape = draw(shapes())
    periodic = draw(st.tuples(st.booleans(), st.booleans()))
    window = draw(windows(shape[1:], periodic))
    settings = {
        "search_window": (1, 1),
        "seed_window": window,
        "sum_window": window,
        "seed_threshold": -1e9,
        "partial_seed_windows": draw(st.booleans()),
        "masked": draw(st.sampled_from(("absent", "zero"))),
    }
    mask = draw(hnp.arrays(bool, shape)) if draw(st.booleans()) else None
    return draw(st.one_of(small_counts(shape), fractions(shape))), settings, index_grid(shape, periodic), mask


@some_examples
@given(drawn=one_window())
def test_sums_and_counts_are_those_of_windows_that_are_added_anew(drawn):
    """With a cell threshold that every cell passes, the windows of the seeds are added."""
    cells, settings, grid, mask = drawn

    found = find_clusters(cells, settings, grid, mask=mask, fields=FIELDS)
    anew = find_clusters(cells, {**settings, "cell_threshold": -1e9}, grid, mask=mask, fields=FIELDS)

    assert found.type == anew.type
    assert found.to_list() == anew.to_list()
