"""The published algorithms: each with its source, and that of the CMS trigger as its firmware has it."""

import numpy as np
import pytest
from pydantic import ValidationError

from hep_peaksum import Grid, PeakSumSettings, find_clusters, geometry, peak_sum_map
from hep_peaksum.kernels import NEIGHBOUR_WINS, SEED_WINS
from hep_peaksum.peaksum import check_windows
from hep_peaksum.published import Preset, preset, presets, read_preset

# cms-sw/cmssw Stage2Layer2JetAlgorithmFirmwareImp1.cc, as it is stored: a line is an offset in phi, from +4 at
# the top to -4, a column one in eta from -4 to +4. A neighbour vetoes a seed if it is >= (2) or > (1).
CMS_JET_MASK = """
    1 2 2 2 2 2 2 2 2
    1 1 2 2 2 2 2 2 2
    1 1 1 2 2 2 2 2 2
    1 1 1 1 2 2 2 2 2
    1 1 1 1 0 2 2 2 2
    1 1 1 1 1 2 2 2 2
    1 1 1 1 1 1 2 2 2
    1 1 1 1 1 1 1 2 2
    1 1 1 1 1 1 1 1 2
"""
CMS_JET_MARKS = {
    (d, p): int(mark)
    for p, line in zip(range(4, -5, -1), CMS_JET_MASK.split("\n")[1:-1], strict=True)
    for d, mark in zip(range(-4, 5), line.split(), strict=True)
}
ROW, COL = 20, 30  # well inside the barrel


@pytest.fixture(params=sorted(presets()))
def name(request):
    return request.param


def test_a_preset_is_settings_and_perhaps_a_grid(name):
    settings, grid = preset(name)
    assert isinstance(settings, PeakSumSettings)
    assert grid is None or isinstance(grid, Grid)


def test_a_preset_says_where_it_was_published(name):
    content = read_preset(name)
    assert presets()[name] == content.source
    assert content.title
    assert any(word in content.source for word in ("commit", "arXiv", "doi", "textbook"))


def test_a_preset_says_how_far_it_reproduces_what_was_published(name):
    assert read_preset(name).reproduces in ("seeds", "sums", "full")


def test_a_preset_finds_clusters(name):
    settings, grid = preset(name)
    cells = np.random.default_rng(7).poisson(2, (2, *(grid.shape if grid else (24, 16))))
    if grid:
        check_windows(settings, grid)
    clusters = find_clusters(cells, settings, grid)
    assert len(clusters) == 2
    assert clusters.fields


def test_presets_are_listed_in_the_order_of_their_names():
    assert list(presets()) == sorted(presets())
    assert {"cms-l1-jet", "keras-3x3"} <= set(presets())


@pytest.mark.parametrize("unknown", ["cms-l1-jets", "", "../settings", "cms-l1-jet.yaml"])
def test_a_preset_that_is_not_there_is_answered_with_those_that_are(unknown):
    with pytest.raises(
        ValueError, match=rf"^no preset is called {unknown!r}: there are alice-tpc, belle2-ecl, cms-"
    ):
        preset(unknown)


@pytest.mark.parametrize("lacking", ["title", "source", "reproduces", "settings"])
def test_a_preset_without_its_source_is_refused(lacking):
    content = {"title": "t", "source": "s", "reproduces": "full", "settings": {}}
    Preset(**content)
    del content[lacking]
    with pytest.raises(ValidationError, match=lacking):
        Preset(**content)


# ------------------------------------------------------------------------------------------------ cms-l1-jet


def test_the_cms_jet_is_a_9x9_window_above_4_gev_of_half_gev_counts():
    settings, grid = preset("cms-l1-jet")
    assert settings == PeakSumSettings(
        search_window=(9, 9),
        sum_window=(9, 9),
        tie_rule="diagonal",
        seed_threshold="4 GeV",
        seed_comparison=">=",
        pileup=["chunky_donut"],
    )
    assert grid == geometry("cms-l1-towers")


def test_the_cms_jet_mask_has_80_neighbours():
    assert len(CMS_JET_MARKS) == 81
    assert sorted(CMS_JET_MARKS.values()) == [0] + [1] * 40 + [2] * 40


def test_the_cms_jet_compares_as_the_mask_says():
    settings, _ = preset("cms-l1-jet")
    marks = {(cell.row, cell.col): cell.tie for cell in settings.search_cells()}
    words = {1: SEED_WINS, 2: NEIGHBOUR_WINS}
    assert marks == {offset: words[mark] for offset, mark in CMS_JET_MARKS.items() if mark}


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_a_cms_jet_survives_an_equal_tower_where_the_mask_has_a_1(kernel):
    settings, grid = preset("cms-l1-jet")
    settings = settings.model_copy(update={"kernel": kernel})
    offsets = [offset for offset, mark in CMS_JET_MARKS.items() if mark]
    cells = np.zeros((len(offsets), *grid.shape), np.int64)
    for event, (d, p) in enumerate(offsets):
        cells[event, ROW, COL] = cells[event, ROW + d, COL + p] = 20
    seeds = peak_sum_map(cells, settings, grid)[:, ROW, COL] > 0
    assert dict(zip(offsets, seeds.tolist(), strict=True)) == {
        offset: CMS_JET_MARKS[offset] == 1 for offset in offsets
    }


def test_a_cms_jet_is_seeded_at_8_counts_and_summed_over_81_towers():
    settings, grid = preset("cms-l1-jet")
    cells = np.ones((2, *grid.shape), np.int64)
    cells[0, ROW, COL], cells[1, ROW, COL] = 8, 7
    clusters = find_clusters(cells, settings, grid, fields=["sum", "n_cells", "chunky_donut", "net", "pt"])
    assert clusters.to_list() == [[{"sum": 88, "n_cells": 81, "chunky_donut": 81, "net": 7, "pt": 44.0}], []]


def test_the_keras_recipe_keeps_every_equal_cell_above_zero():
    settings, grid = preset("keras-3x3")
    assert grid is None
    cells = [[[0, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 0]]]
    assert peak_sum_map(cells, settings).tolist() == [[[0, 0, 0, 0], [0, 4, 4, 0], [0, 0, 0, 0]]]


# --------------------------------------------------------------------------------------------- cms-l1-towers


def test_the_towers_of_the_cms_trigger_are_80_rings_of_72():
    grid = geometry("cms-l1-towers")
    assert grid.shape == (80, 72)
    assert grid.periodic == (False, True)
    assert (grid.quantity, grid.unit) == ("et", 0.5)
    assert (grid.rows.name, grid.cols.name) == ("eta", "phi")


def test_no_ring_of_the_cms_trigger_is_called_0_or_29():
    labels = geometry("cms-l1-towers").rows.label_values.tolist()
    assert labels == [n for n in range(-41, 42) if abs(n) not in (0, 29)]
    assert geometry("cms-l1-towers").cols.label_values.tolist() == list(range(1, 73))


def test_the_rings_of_the_cms_trigger_are_the_same_on_both_sides():
    edges = geometry("cms-l1-towers").rows.edge_positions
    assert edges.tolist() == (-edges[::-1]).tolist()
    assert edges[40] == 0
    assert np.diff(edges)[12:68].min() > 0.08
    assert np.diff(edges).max() < 0.36


def test_the_first_tower_in_azimuth_begins_at_zero():
    phi = geometry("cms-l1-towers").cols
    assert phi.centres[0] == pytest.approx(np.radians(2.5))
    assert phi.centres[71] == pytest.approx(np.radians(-2.5))
