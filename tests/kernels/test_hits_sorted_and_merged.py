"""Hits sorted by layer, and those of one cell merged: as plain loops do it, in both kernels."""

import numpy as np
import pytest

from hep_peaksum.kernels import LOWER_INDEX_WINS, Periodic, Rule, SearchCell

N_LAYERS, N_CELLS = 4, 9


@pytest.fixture
def hits():
    """Return offsets, layers and cells of some events, of which some have no hits."""
    random = np.random.default_rng(8)
    counts = random.integers(0, 30, 40)
    layer, cell = (random.integers(0, n, counts.sum()).astype(np.int32) for n in (N_LAYERS, N_CELLS))
    return np.concatenate([[0], np.cumsum(counts)]), layer, cell


def values_of(cell, dtype):
    return (np.random.default_rng(9).random(len(cell)) * 99).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_the_layers_of_an_event_follow_each_other(kernel, hits, dtype):
    offsets, layer, cell = hits
    value, order, begin = values_of(cell, dtype), [], [0]
    for first, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        for k in range(N_LAYERS):
            order += [n for n in range(first, stop) if layer[n] == k]
            begin.append(len(order))
    found = kernel.sort_by_layer(offsets, layer, N_LAYERS, cell, value)
    assert [each.tolist() for each in found] == [begin, cell[order].tolist(), value[order].tolist()]
    assert [each.dtype for each in found[1:]] == [cell.dtype, value.dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_hits_of_one_cell_are_added_as_they_come(kernel, hits, dtype):
    offsets, _, cell = hits
    value, cells, sums, begin = values_of(cell, dtype), [], [], [0]
    for first, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        total = {}
        for n in range(first, stop):
            total[int(cell[n])] = total.get(int(cell[n]), 0) + value[n].item()
        cells += total
        sums += total.values()
        begin.append(len(cells))
    found = kernel.merge_hits(offsets, cell, value, N_CELLS)
    assert [each.tolist() for each in found] == [begin, cells, sums]
    assert found[2].dtype == ("int64" if dtype == "int64" else "float64")
    assert len(cells) < len(cell) / 2


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ([1, 5, 10, 14], [3, 2, 5, 4]),
        ([14, 1, 10, 5], [4, 3, 5, 2]),
        ([1, 5, 10, 14, 14], [3, 2, 5, 1, 3]),
        ([10, 14, 1, 5, 1], [5, 4, 1, 2, 2]),
    ],
    ids=["in order", "in another order", "twice in the last cell", "twice and in another order"],
)
def test_hits_in_any_order_are_seeds_from_the_bound_on(kernel, cell, value):
    """Of cells of 3, 2, 5 and 4 those from 3 on; in the second event, in the last two of 65."""
    beside = tuple(SearchCell(0, step, LOWER_INDEX_WINS) for step in (-1, 1))
    rule = Rule(beside, 3, ((0, 0), (0, 1)), None)
    cells = np.array([*cell, 64, 63], np.int32)
    values = np.array([*value, 7, 3], np.float32)
    offsets = np.array([0, len(cell), len(cells)])
    peaks = kernel.find_peaks_in_hits(offsets, cells, values, (1, 65), rule, Periodic(False, False)).peaks
    assert peaks.event_offsets.tolist() == [0, 3, 4]
    assert peaks.cell.tolist() == [1, 10, 14, 64]
    assert peaks.sum.tolist() == [3, 5, 4, 7]
