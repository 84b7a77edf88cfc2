"""Long arrays are searched block by block: nothing depends on where a block ends."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum import Axis, Grid, find_clusters, peak_sum_map
from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.validation import apply_mask
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.settings.model import PeakSumSettings

GRID = Grid(rows=Axis(n=6), cols=Axis(n=8, periodic=True))
NOISE = np.linspace(0.5, 2, 48).reshape(6, 8)
SEARCHES = {
    "seed_windows": {"seed_window": (3, 3)},
    "whole_seed_windows": {"seed_window": (3, 3), "partial_seed_windows": False},
    "sigmas": {"seed_threshold": "2 sigma", "seed_window": (1, 3)},
    "significances": {"quantity": "significance", "seed_threshold": 1},
    "pileup": {"pileup": ["donut", "ring_median"], "subtract": "ring_median"},
    "greedy": {"tie_rule": "greedy"},
    "suppress": {"overlap": "suppress"},
    "cuts": {"min_seed_gap": 1, "min_neighbours": 2, "max_clusters": 3},
    "towers": {"coarsen": (2, 2), "sum_over": "cells", "overlap": "highest"},
    "positions": {"position": "log"},
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Make blocks of three events."""
    monkeypatch.setattr("hep_peaksum.block_sizes.DENSE_CELLS", 3 * GRID.n_cells + 1)


def events(n=20, dtype=np.float64):
    return np.random.default_rng(7).integers(0, 9, (n, *GRID.shape)).astype(dtype)


def answers(cells, settings, **options):
    """Return clusters with their types, and the map of their sums."""
    clusters = find_clusters(cells, settings, GRID, **options)
    return str(clusters.type), clusters.to_list(), peak_sum_map(cells, settings, GRID, **options).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize("settings", SEARCHES.values(), ids=SEARCHES.keys())
@pytest.mark.parametrize("of_event", [False, True], ids=["one_plane", "maps_of_events"])
def test_clusters_do_not_depend_on_where_blocks_end(monkeypatch, dtype, settings, of_event):
    cells = events(dtype=dtype)
    n = len(cells) if of_event else 1
    noise, mask = np.repeat(NOISE[None], n, axis=0), np.random.default_rng(2).random((n, *GRID.shape)) < 0.1
    maps = {"noise": noise, "mask": mask} if of_event else {"noise": noise[0], "mask": mask[0]}

    whole = answers(cells, settings, **maps)
    monkeypatch.setattr("hep_peaksum.block_sizes.DENSE_CELLS", 3 * GRID.n_cells + 1)

    assert answers(cells, settings, **maps) == whole


@pytest.mark.usefixtures("small_blocks")
def test_layers_that_are_searched_separately_stay_in_one_block():
    cells = np.stack([events(), events()[::-1]], axis=1)
    settings = PeakSumSettings(seed_window=(1, 3), order="position")

    clusters = find_clusters(cells, settings, GRID, layers="each")

    for layer in (0, 1):
        alone = find_clusters(cells[:, layer], settings, GRID)
        assert clusters.peak_sum[clusters.layer == layer].to_list() == alone.peak_sum.to_list()


@pytest.mark.usefixtures("small_blocks")
def test_layers_that_are_added_are_those_of_their_event():
    cells = np.stack([events(), events()[::-1]], axis=1)

    clusters = find_clusters(cells, {"seed_window": (1, 3)}, GRID, fields=["peak_sum", "layer_sums"])

    assert ak.all(ak.sum(clusters.layer_sums, axis=-1) == clusters.peak_sum)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("settings", [{}, {"seed_window": (3, 3)}, {"pileup": ["ring_median"]}], ids=str)
def test_an_error_names_the_event_of_the_array_not_of_its_block(settings):
    cells = events()
    cells[13, 2, 5] = np.nan

    with pytest.raises(EventError, match=r"event 13: cell \(row 2, col 5\) is nan"):
        find_clusters(cells, settings, GRID)


@pytest.mark.usefixtures("small_blocks")
def test_a_noise_that_is_none_is_named_with_its_event():
    noise = np.repeat(NOISE[None], 20, axis=0)
    noise[17, 3, 4] = -1

    with pytest.raises(EventError, match=r"event 17: the noise of cell \(row 3, col 4\) is -1.0"):
        find_clusters(events(), {"seed_threshold": "2 sigma"}, GRID, noise=noise)


@pytest.mark.usefixtures("small_blocks")
def test_every_field_is_the_same_from_blocks():
    settings = PeakSumSettings(pileup=["donut"], seed_window=(1, 3))
    without = "layer", "layer_sums", "time", "seed_time"  # of layers, and of hits
    names = [name for name in fields_of(GRID, settings) if name not in without]

    clusters = find_clusters(events(), settings, GRID, fields=names, noise=NOISE)
    context = find_peaks(events(), settings, GRID, noise=NOISE)

    for name in names:
        values = fields_of(GRID, settings)[name].compute(context)
        assert sorted(ak.flatten(clusters[name]).to_list()) == sorted(values.tolist()), name


@pytest.mark.parametrize(("nonfinite", "copied"), [("mask", [2, 2, 1]), ("error", [])])
def test_cells_are_copied_with_their_mask_a_block_at_a_time(monkeypatch, nonfinite, copied):
    cells = np.ones((5, 4, 4))
    if nonfinite == "mask":
        cells[:, 1, 2] = np.nan
    sizes = []

    def record(of_block, settings):
        sizes.append(len(of_block.source))
        return apply_mask(of_block, settings)

    monkeypatch.setattr("hep_peaksum.block_sizes.DENSE_CELLS", 2 * 4 * 4)
    monkeypatch.setattr("hep_peaksum.clustering.find.apply_mask", record)
    clusters = find_clusters(cells, {"nonfinite": nonfinite}, fields=["n_masked"])
    assert sizes == copied
    assert len(clusters) == len(cells)
