"""What variations have in common is counted once, and the sums are those of filling each, to the last bit."""

import hist
import numpy as np
import pytest

from hep_peaksum import block_sizes
from hep_peaksum.analysis.variation_axis import add_entries

N_EVENTS = 50
VARIATIONS = ["nominal", "Up", "Down", "Same", "Other"]


def booked(weighted):
    """Return an empty histogram with axes of every kind."""
    return hist.Hist(
        hist.axis.StrCategory(VARIATIONS, name="variation"),
        hist.axis.StrCategory(["total", "20"], name="threshold"),
        hist.axis.Regular(4, 0, 4, name="x"),
        hist.axis.Variable([0, 0.5, 3], name="y"),
        storage=hist.storage.Weight() if weighted else hist.storage.Double(),
    )


@pytest.mark.parametrize("n_entries", [0, 7, 1000], ids=["none", "fewer_than_bins", "more_than_bins"])
@pytest.mark.parametrize("of_events", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_are_those_of_filling_every_variation(n_entries, of_events, weighted, monkeypatch):
    monkeypatch.setattr(block_sizes, "BINNED_NUMBERS", 300)
    random = np.random.default_rng(n_entries)
    first, second, third = (random.normal(1, 1, n_entries if of_events else N_EVENTS) for _ in range(3))
    weights = {"nominal": first, "Up": second, "Down": third, "Same": first}
    weights = weights if weighted else dict.fromkeys(weights)
    expected, found = booked(weighted), booked(weighted)
    for _ in range(3):  # one after the other, as batches come
        x, y = random.normal(2, 2, (2, n_entries))
        y[x > 3] = np.nan
        event = None if of_events else random.integers(0, N_EVENTS, n_entries)
        passes = x >= 1
        add_entries(found, [x, y], weights, event, {"total": None, "20": passes})
        for name, each in weights.items():
            of_entries = each if each is None or event is None else each[event]
            y = np.where(np.isnan(y), -np.inf, y)
            expected.fill(name, "total", x, y, weight=of_entries)
            of_passing = None if of_entries is None else of_entries[passes]
            expected.fill(name, "20", x[passes], y[passes], weight=of_passing)
    assert found == expected
    assert found.sum(flow=True) == expected.sum(flow=True)
    assert not np.any(found[{"variation": "Other"}].values(flow=True))


def test_a_histogram_without_variations_is_filled_with_what_is_not_varied():
    found = hist.Hist(hist.axis.Regular(2, 0, 2, name="x"), storage=hist.storage.Weight())
    weights = np.array([2.0, 3.0])
    add_entries(found, [np.array([0.5, 0.5, 1.5])], {"nominal": weights}, np.array([0, 1, 1]))
    assert found.values().tolist() == [5, 3]
    assert found.variances().tolist() == [13, 9]
