"""Windows are worked on in blocks: the answer is that of one block, and memory is bounded by the input."""

import gc
import tracemalloc
import weakref
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from rules_checks import clusters_by_definition, find_with
from rules_strategies import questions

from hep_peaksum import Axis, Grid, PeakSumSettings, block_sizes, find_clusters, sparse
from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.sharing import window_sums
from hep_peaksum.geometry.grid import EventError, bare_grid

RULES = ("shared", "highest", "nearest", "proportional", "proportional-sum", "equal")


@runs(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(question=questions(), n_window_cells=st.integers(1, 40), n_claim_cells=st.integers(1, 60))
def test_the_size_of_a_block_changes_nothing(kernel, question, n_window_cells, n_claim_cells):
    def find():
        try:
            return find_with(kernel, question)
        except EventError as error:
            return str(error)

    whole = find()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_sizes, "WINDOW_CELLS", n_window_cells)
        patch.setattr(block_sizes, "CLAIM_CELLS", n_claim_cells)
        patch.setattr(block_sizes, "cells_at_a_time", lambda most, _: most)
        in_blocks = find()

    assert in_blocks == whole
    assert isinstance(whole, str) == isinstance(clusters_by_definition(question), int)


@pytest.mark.parametrize("overlap", RULES)
def test_hits_are_shared_as_their_grids_are(kernel, monkeypatch, overlap):
    monkeypatch.setattr(block_sizes, "CLAIM_CELLS", 16 * 60)  # some events at a time
    rng = np.random.default_rng(3)
    n_hits = rng.integers(0, 40, 30)
    row, col = (ak.unflatten(rng.integers(0, size, n_hits.sum()), n_hits) for size in (12, 5))
    energy = ak.unflatten(rng.integers(1, 4, n_hits.sum()), n_hits)
    grid = Grid(rows=Axis(n=12), cols=Axis(n=5, periodic=True))
    settings = PeakSumSettings(overlap=overlap, sum_window=(5, 3), kernel=kernel)
    fields = ["peak_sum", "n_cells", "shared_sum", "barycentre_row", "width_col"]
    hits = sparse(row, col, energy, grid)

    from_hits = find_clusters(hits, settings, grid, fields=fields).to_list()

    assert from_hits == find_clusters(hits.dense(), settings, grid, fields=fields).to_list()
    assert sum(map(len, from_hits)) > 100


def peak_memory(function):
    """Return the most memory, in bytes, that a second call takes beyond what it returns."""
    function()
    tracemalloc.start()
    try:
        columns = function()
        return tracemalloc.get_traced_memory()[1] - sum(column.nbytes for column in columns)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("overlap", RULES)
@pytest.mark.parametrize("size", [9, pytest.param(21, marks=pytest.mark.slow)])
def test_memory_for_an_image_does_not_grow_with_the_window(monkeypatch, overlap, size):
    image = np.random.default_rng(1).random((1, 256, 256), np.float32)
    settings = PeakSumSettings(seed_threshold=0.9, sum_window=(size, size), overlap=overlap)
    context = find_peaks(image, settings)
    table = fields_of(bare_grid(image.shape), settings)

    # 250 kB: a block is never smaller than some thousands of cells
    most = 3.5 * image.nbytes + 250_000
    assert peak_memory(lambda: [window_sums(context).sum]) < most
    for name in ("barycentre_row", "width_col", "shared_sum", "at_seed"):
        assert peak_memory(lambda name=name: [table[name].compute(replace(context))]) < most, name


@pytest.mark.parametrize("overlap", RULES)
def test_memory_for_many_events_is_less_than_the_input(overlap):
    grids = np.random.default_rng(1).random((4000, 24, 16), np.float32)
    settings = PeakSumSettings(seed_threshold=0.9, overlap=overlap)
    context = find_peaks(grids, settings)

    assert len(context.peaks) > 100_000
    assert peak_memory(lambda: [window_sums(context).sum]) < grids.nbytes
    table = fields_of(bare_grid(grids.shape), settings)
    for name in ("barycentre_row", "width_col", "shared_sum", "at_seed", "on_edge"):
        assert peak_memory(lambda name=name: [table[name].compute(replace(context))]) < grids.nbytes, name


@pytest.mark.parametrize("overlap", RULES)
def test_nothing_keeps_the_cells_of_a_search_that_nobody_needs(overlap):
    context = find_peaks(np.ones((1, 5, 5)), PeakSumSettings(overlap=overlap, order="position"))
    fields_of(context.grid, context.settings)["barycentre_row"].compute(context)
    cells = weakref.ref(context.searched)
    gc.disable()
    try:
        del context
        assert cells() is None
    finally:
        gc.enable()


def test_the_kernels_share_cells_alike():
    grids = np.random.default_rng(2).integers(0, 9, (20, 9, 7)).astype(np.int16)
    for overlap in RULES:
        settings = PeakSumSettings(overlap=overlap, sum_window=(3, 5), position="log")
        fields = ["peak_sum", "n_cells", "shared_sum", "barycentre_row", "width_col"]
        fast, readable = (
            find_clusters(grids, settings.model_copy(update={"kernel": kernel}), fields=fields).to_list()
            for kernel in ("numba", "scipy")
        )
        assert fast == readable
