"""The published algorithms: each with its source, and that of the CMS trigger as its firmware has it."""

import itertools
import re
from importlib import resources

import numpy as np
import pytest
import yaml
from published_cms import JET_MASK

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, named_grid, peak_sum_map
from hep_peaksum.clustering.validation import check_windows
from hep_peaksum.kernels import NEIGHBOUR_WINS, SEED_WINS
from hep_peaksum.library.geometries import as_grid
from hep_peaksum.library.presets import Preset, as_settings, preset, presets, read_preset

# 2 where a neighbour vetoes a seed if it is >=, 1 where if it is >
CMS_JET_MARKS = {
    (d, p): int(mark)
    for p, line in zip(range(4, -5, -1), JET_MASK.split("\n")[1:-1], strict=True)
    for d, mark in zip(range(-4, 5), line.split(), strict=True)
}
ROW, COL = 20, 30  # well inside the barrel


@pytest.fixture(params=sorted(presets()))
def name(request):
    return request.param


def test_a_preset_has_settings_and_may_have_a_grid(name):
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
    clusters = find_clusters(cells, settings, grid or Grid(rows=Axis(n=24), cols=Axis(n=16), unit="1 GeV"))
    assert len(clusters) == 2
    assert clusters.fields


def test_presets_are_listed_in_the_order_of_their_names():
    assert list(presets()) == sorted(presets())
    assert {"cms-l1-jet", "keras-3x3"} <= set(presets())


@pytest.mark.parametrize("unknown", ["cms-l1-jets", "", "../settings", "cms-l1-jet.yaml"])
def test_an_unknown_preset_is_refused_and_the_known_ones_are_listed(unknown):
    near = r" \(did you mean 'cms-l1-jet'\?\)" if "jet" in unknown else ""
    with pytest.raises(
        ValueError,
        match=f"^no preset is called {unknown!r}{near}: there are .* and .. more: `hep-peaksum presets` lists",
    ):
        preset(unknown)


@pytest.mark.parametrize(
    ("wanted", "why", "instead"),
    [
        ("atlas-topo", "no window", "CaloTopoClusterMaker"),
        ("ATLAS 4-2-0", "no window", "significance"),
        ("atlas_420", "no window", "significance"),
        ("topo-cluster", "no window", "significance"),
        ("pf", "fitted", "the preset cms-pf"),
        ("particle-flow", "fitted", "the preset cms-pf"),
        ("PF fractions", "fitted", "overlap proportional"),
        ("clue", "density", "CLUEstering"),
        ("cms-hgcal-clue", "density", "the preset cms-hgcal-tpg"),
        ("anti-kt", "nearest pair", "fastjet"),
        ("Anti-kT", "nearest pair", "fastjet"),
        ("antikt", "nearest pair", "the preset cms-l1-jet"),
        ("ak4", "nearest pair", "fastjet"),
        ("Belle2 TRG", "hit patterns", "the preset belle2-ecl"),
        ("mu2e", "in no fixed order", "group edges"),
        ("star-fms", "ratio", "min_seed_gap"),
        ("NA62", "not public", "the preset crystal-3x3"),
    ],
)
def test_an_algorithm_that_one_grid_cannot_give_is_refused_with_an_alternative(wanted, why, instead):
    with pytest.raises(
        ValueError, match=rf"^'{wanted}' cannot be a preset: .*{why}.*; use .*{instead}"
    ) as raised:
        preset(wanted)
    assert "\n" not in str(raised.value)


def test_presets_named_as_alternatives_exist():
    folder = resources.files("hep_peaksum.library") / "algorithms"
    for algorithm in yaml.safe_load((folder / "_not_presets.yaml").read_text(encoding="utf-8")):
        assert set(re.findall(r"the preset ([\w-]+)", algorithm["instead"])) <= set(presets())
        assert not set(algorithm["names"]) & set(presets())


@pytest.mark.parametrize("lacking", ["title", "source", "reproduces", "settings"])
def test_a_preset_without_its_source_is_refused(lacking):
    content = {"title": "t", "source": "s", "reproduces": "full", "settings": {}}
    Preset(**content)
    del content[lacking]
    with pytest.raises(ValueError, match=lacking):
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
        saturated_seeds=(509, 510, 511),
        saturated_net=65535,
    )
    assert grid == named_grid("cms-l1-towers")


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
    clusters = find_clusters(cells, settings, grid, fields=["peak_sum", "n_cells", "chunky_donut", "net", "pt"])
    assert clusters.to_list() == [
        [{"peak_sum": 88, "n_cells": 81, "chunky_donut": 81, "net": 7, "pt": 44.0}],
        [],
    ]


@pytest.mark.parametrize(
    ("seed", "pileup", "net"),
    # the strips, the fifth to seventh towers on each side, hold 20, 20, 10 and 10 counts
    [(508, 40, 498), (509, 0, 65535), (510, 0, 65535), (511, 0, 65535), (512, 40, 502)],
)
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_a_cms_jet_with_a_saturated_seed_is_saturated_without_pile_up(seed, pileup, net, dtype):
    settings, grid = preset("cms-l1-jet")
    cells = np.zeros((1, *grid.shape), dtype)
    cells[0, 50, 30], cells[0, 50, 31] = seed, 30
    cells[0, 50, 36:39] = cells[0, 50, 22:25] = 10
    cells[0, 44, 30] = cells[0, 56, 30] = 10
    fields = ["seed", "peak_sum", "chunky_donut", "net"]
    jet = find_clusters(cells, settings, grid, fields=fields).to_list()[0][0]
    assert jet == {"seed": seed, "peak_sum": seed + 30, "chunky_donut": pileup, "net": net}


# ------------------------------------------------------------------------------------------- the other windows

# cms-sw/cmssw Stage2Layer2ClusterAlgorithmFirmwareImp1.cc: from +4 in phi at the top to -4, from -1 in eta
CMS_CLUSTER_MASK = """
    2 2 2
    2 2 2
    2 2 2
    1 2 2
    1 0 2
    1 1 2
    1 1 1
    1 1 1
    1 1 1
"""
# Stage2Layer2TauAlgorithmFirmwareImp1.cc, is3x3Maximum, from +1 in phi at the top to -1
CMS_TAU_MASK = """
    1 2 2
    1 0 2
    1 1 2
"""


def drawn_marks(mask):
    """Return who wins a tie at every offset (eta, phi) of a mask as the firmware has it."""
    lines = [line.split() for line in mask.split("\n")[1:-1]]
    return {
        (j - len(line) // 2, len(lines) // 2 - i): {"1": SEED_WINS, "2": NEIGHBOUR_WINS}[mark]
        for i, line in enumerate(lines)
        for j, mark in enumerate(line)
        if mark != "0"
    }


def ties(settings):
    return {(cell.row, cell.col): cell.tie for cell in settings.search_cells()}


@pytest.mark.parametrize("name", ["cms-l1-tau", "cms-l1-egamma"])
def test_a_cms_cluster_compares_3_by_9_towers_as_the_mask_says(name):
    assert ties(preset(name)[0]) == drawn_marks(CMS_CLUSTER_MASK)


def test_the_3x3_mask_of_the_cms_tau_is_lexicographic_and_the_middle_of_3_by_9():
    tau = drawn_marks(CMS_TAU_MASK)
    assert ties(PeakSumSettings(search_window=(3, 3), tie_rule="lexicographic")) == tau
    cluster = ties(preset("cms-l1-tau")[0])
    assert {offset: cluster[offset] for offset in tau} == tau


@pytest.mark.parametrize("name", ["cms-l1-tau", "cms-l1-egamma"])
def test_a_cms_cluster_has_eight_neighbours_and_two_gated_ones_along_phi(name):
    settings, grid = preset(name)
    assert (settings.keep_stronger_side, grid) == ("rows", named_grid("cms-l1-towers"))
    cells = settings.gated_sum_cells()
    gates = {
        (cell.row, cell.col): (cells[cell.gate].row, cells[cell.gate].col) for cell in cells if cell.gate >= 0
    }
    assert gates == {(0, -2): (0, -1), (0, 2): (0, 1)}
    assert {(cell.row, cell.col) for cell in cells} == {*itertools.product((-1, 0, 1), repeat=2), *gates}


def test_the_jfex_compares_as_its_flipped_table_says():
    """jFEXSmallRJetAlgo.cxx: T[phi] = input[6 - phi], then a central seed must exceed where iphi < ieta, ..."""
    strict = {
        (ieta - 2, -(iphi - 2))
        for iphi, ieta in itertools.product(range(5), repeat=2)
        if iphi < ieta or (iphi, ieta) in ((3, 3), (4, 4))
    }
    settings, _ = preset("atlas-jfex")
    assert {offset for offset, tie in ties(settings).items() if tie == NEIGHBOUR_WINS} == strict
    assert len(settings.search_cells()) == 24
    assert len(settings.sum_cells()) == 45


def test_the_cores_of_an_atlas_jet_roi_are_2x2_elements_in_4x4():
    settings, _ = preset("atlas-l1-jet-roi")
    assert settings.seed_cells() == tuple(itertools.product((0, 1), repeat=2))
    assert settings.sum_cells() == tuple(itertools.product(range(-1, 3), repeat=2))
    # JetAlgorithm.cxx: core 4 of iphi + 3 * ieta must be >= 0-3 and > 5-8
    strict = {
        (ieta - 1, iphi - 1) for ieta, iphi in itertools.product(range(3), repeat=2) if iphi + 3 * ieta > 4
    }
    assert {offset for offset, tie in ties(settings).items() if tie == NEIGHBOUR_WINS} == strict


def test_the_outer_cells_of_an_alice_tpc_cluster_join_by_way_of_the_inner_ones():
    """CfConsts.h: OUTER_NEIGHBORS, OUTER_TO_INNER and INNER_NEIGHBORS."""
    outer = [(-2, -1), (-2, -2), (-1, -2), (-2, 0), (-2, 1), (-2, 2), (-1, 2), (0, -2), (0, 2)]
    outer += [(2, -1), (2, -2), (1, -2), (2, 0), (2, 1), (2, 2), (1, 2)]
    to_inner = [0, 0, 0, 1, 2, 2, 2, 3, 4, 5, 5, 5, 6, 7, 7, 7]
    inner = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    cells = preset("alice-tpc")[0].gated_sum_cells()
    gates = {
        (cell.row, cell.col): (cells[cell.gate].row, cells[cell.gate].col) for cell in cells if cell.gate >= 0
    }
    assert gates == {offset: inner[n] for offset, n in zip(outer, to_inner, strict=True)}
    assert len(cells) == 25


def test_a_trimmed_window_has_37_towers_that_are_compared_and_added():
    settings, _ = preset("cms-phase2-jet-trimmed")
    assert len(settings.sum_cells()) == 37
    assert {(0, 0), *ties(settings)} == set(settings.sum_cells())


def test_the_keras_recipe_keeps_every_equal_cell_above_zero():
    settings, grid = preset("keras-3x3")
    assert grid is None
    cells = [[[0, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 0]]]
    assert peak_sum_map(cells, settings).tolist() == [[[0, 0, 0, 0], [0, 4, 4, 0], [0, 0, 0, 0]]]


# --------------------------------------------------------------------------------------------- cms-l1-towers


def test_the_towers_of_the_cms_trigger_are_80_rings_of_72():
    grid = named_grid("cms-l1-towers")
    assert grid.shape == (80, 72)
    assert grid.periodic == (False, True)
    assert (grid.quantity, grid.unit) == ("et", 0.5)
    assert (grid.rows.name, grid.cols.name) == ("eta", "phi")


def test_no_ring_of_the_cms_trigger_is_called_0_or_29():
    labels = named_grid("cms-l1-towers").rows.label_values.tolist()
    assert labels == [n for n in range(-41, 42) if abs(n) not in (0, 29)]
    assert named_grid("cms-l1-towers").cols.label_values.tolist() == list(range(1, 73))


def test_the_rings_of_the_cms_trigger_are_the_same_on_both_sides():
    edges = named_grid("cms-l1-towers").rows.edge_positions
    assert edges.tolist() == (-edges[::-1]).tolist()
    assert edges[40] == 0
    assert np.diff(edges)[12:68].min() > 0.08
    assert np.diff(edges).max() < 0.36


def test_the_first_tower_in_azimuth_begins_at_zero():
    phi = named_grid("cms-l1-towers").cols
    assert phi.centres[0] == pytest.approx(np.radians(2.5))
    assert phi.centres[71] == pytest.approx(np.radians(-2.5))


def test_names_are_read_once_as_events_may_come_one_by_one():
    assert as_settings("cms-l1-jet") is as_settings("cms-l1-jet")
    assert as_settings(None) is as_settings(None)
    assert as_grid("cms-l1-towers") is as_grid("cms-l1-towers")
