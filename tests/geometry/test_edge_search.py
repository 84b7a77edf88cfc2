"""Between which edges numbers lie: that of `numpy.searchsorted`, for edges of every kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum import block_sizes
from hep_peaksum.geometry.edge_search import edges_below

KINDS = {
    "equal": np.linspace(0, 100, 51),
    "equal_about_zero": np.linspace(-np.pi, np.pi, 17),
    "rounded": np.linspace(14, 15, 10).round(6) + 1e-15,
    "logarithmic": np.logspace(-2, 4, 121),
    "by_hand": np.array([0, 5, 10, 20, 50, 100, 1000.0]),
    "narrow_beside_wide": np.array([0, 1e-300, 1.0, 1e300]),
    "wide_about_zero": np.array([-1e308, -1e-9, 0, 1e-9, 1e308]),
    "one_bin": np.array([2.0, 3.0]),
    "next_to_each_other": np.array([1.0, np.nextafter(1, 2), 2.0]),
    "beyond_all": np.array([-np.inf, 0, np.inf]),
}


def near(edges):
    """Return the edges, the numbers just beside them, and others in between, beyond and far out."""
    others = np.random.default_rng(1).uniform(*np.clip(edges[[0, -1]], -1e300, 1e300), 500)
    beside = [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), edges, -edges]
    return np.concatenate([*beside, others, [0.0, -0.0, np.inf, -np.inf, 5e-324, 1.8e308]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_is_numpys_search(kind, dtype):
    edges = KINDS[kind]
    with np.errstate(over="ignore"):
        values = near(edges).astype(dtype)
    assert edges_below(values, edges).tolist() == np.searchsorted(edges, values, side="right").tolist()


@given(st.lists(st.floats(allow_nan=False), min_size=2, unique=True), st.lists(st.floats(allow_nan=False)))
def test_it_is_numpys_search_for_any_edges(edges, values):
    edges, values = np.sort(np.array(edges)), np.array([*values, *edges])
    assert edges_below(values, edges).tolist() == np.searchsorted(edges, values, side="right").tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_number_lies_below_all(kind):
    assert edges_below(np.array([np.nan, KINDS[kind][1]]), KINDS[kind]).tolist() == [0, 2]


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, bool])
def test_whole_numbers(dtype):
    edges, values = np.array([-1, 0.5, 1, 7]), np.array([0, 1, 7, 8]).astype(dtype)
    assert edges_below(values, edges).tolist() == np.searchsorted(edges, values, side="right").tolist()


def test_nothing():
    assert edges_below(np.zeros(0), np.array([0.0, 1.0])).tolist() == []


def test_blocks_follow_each_other(monkeypatch):
    monkeypatch.setattr(block_sizes, "BINNED_NUMBERS", 3)
    assert edges_below(np.arange(10.0), np.arange(0, 10, 2.0)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
