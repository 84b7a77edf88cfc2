"""Hits sorted by layer, and those of one cell merged: as plain loops do it, in both kernels."""

import numpy as np
import pytest

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
