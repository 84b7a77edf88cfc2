"""Where a preset and its source part: what `differs` says, and no more."""

import itertools

import numpy as np
import pytest
from published_atlas import (
    atlas_efex_egamma,
    atlas_gfex_block,
    atlas_l1_em_roi,
    atlas_l1_jet_roi,
    gfex_blocks,
    gfex_highest,
    is_jfex_maximum,
    jfex_seeds,
    jfex_table,
)
from published_cms import cms_l1_cluster, cms_phase2_gct_jet
from published_events import CLOSED, KERNELS, by_name, clusters_of, events, sums_by_place
from published_islands import alice_phos, gluex_fcal_island, islands, sphenix_bemc
from published_oracle import PUBLISHED, lhcb_allen_sums, lhcb_l0
from published_plane import N_COLS, N_ROWS, Plane, around, square

from hep_peaksum import find_clusters, preset


def framed(name):
    """Return events without negative cells, empty along the edges: 0 and nothing are the same beyond them."""
    cells = np.maximum(events(name, "integers"), 0)
    cells[:, [0, -1]] = cells[:, :, [0, -1]] = 0
    return cells


@CLOSED
@by_name(["atlas-jfex", "atlas-l1-jet-roi"])
def test_sums_beyond_an_edge_matter_only_along_it(name, closed):
    cells = framed(name)
    for event, ours in zip(
        cells.tolist(), clusters_of(name, cells, closed, ["row", "col", "peak_sum"]), strict=True
    ):
        theirs = PUBLISHED[name].find(Plane(event, closed), within=False)
        assert {(cluster["row"], cluster["col"]): cluster["peak_sum"] for cluster in ours} == theirs


@CLOSED
def test_an_roi_at_an_edge_is_that_of_its_source(closed):
    """The core reaches beyond the last edge as the published one does; there is no energy of its own."""
    cells = np.maximum(events("atlas-l1-jet-roi", "integers"), 0)
    ours = clusters_of("atlas-l1-jet-roi", cells, closed, ["row", "col"])
    for event, clusters in zip(cells.tolist(), ours, strict=True):
        theirs = atlas_l1_jet_roi(Plane(event, closed), within=False)
        assert [(cluster["row"], cluster["col"]) for cluster in clusters] == list(theirs)


CLUSTERS = pytest.mark.parametrize("name", ["cms-l1-egamma", "cms-l1-tau"])


@CLUSTERS
@CLOSED
def test_beyond_ieta_41_the_source_meets_the_same_row_again(name, closed):
    """CaloStage2Nav::offsetIEta: a lone tower at +41 is beaten by itself, one at -41 is added twice."""
    cells = np.zeros((2, N_ROWS, N_COLS), int)
    cells[0, N_ROWS - 1, 10] = cells[1, 0, 10] = 8
    theirs = [cms_l1_cluster(Plane(event, closed, clamped=True)) for event in cells.tolist()]
    assert theirs == [{}, {(0, 10): 16}]
    ours = clusters_of(name, cells, closed, ["row", "col", "peak_sum"])
    assert [sums_by_place(event) for event in ours] == [{(N_ROWS - 1, 10): 8}, {(0, 10): 8}]


@CLUSTERS
@CLOSED
def test_only_towers_at_ieta_41_make_a_difference_to_the_source(name, closed):
    cells = np.maximum(events(name, "integers"), 0)
    cells[:, [0, -1]] = 0
    for event, ours in zip(
        cells.tolist(), clusters_of(name, cells, closed, ["row", "col", "peak_sum"]), strict=True
    ):
        assert sums_by_place(ours) == cms_l1_cluster(Plane(event, closed, clamped=True))


@CLUSTERS
def test_none_of_the_clusters_that_the_emulator_uses_is_near_ieta_41(name):
    """The whole plane: those beyond |ieta| 28, rows 12 to 67, are dropped."""
    settings, grid = preset(name)
    random = np.random.default_rng(8)
    cells = random.choice([0, 0, 1, 2, 3, 4, 5, 509, 511], (3, *grid.shape))
    cells[0] *= random.uniform(size=grid.shape) < 0.2
    clusters = find_clusters(cells, settings, grid, fields=["row", "col", "peak_sum"]).to_list()
    for event, ours in zip(cells.tolist(), clusters, strict=True):
        theirs = cms_l1_cluster(Plane(event, True, clamped=True))
        used = {place: total for place, total in theirs.items() if 12 <= place[0] <= 67}
        assert {place: total for place, total in sums_by_place(ours).items() if 12 <= place[0] <= 67} == used
        assert len(used) > 50


@CLOSED
def test_towers_with_a_common_corner_alone_are_both_peaks_of_sphenix(closed):
    cells = np.zeros((1, N_ROWS, N_COLS))
    cells[0, 2, 3], cells[0, 3, 4] = 300, 400
    assert list(sphenix_bemc(Plane(cells.tolist()[0], closed))) == [(2, 3), (3, 4)]
    assert clusters_of("sphenix-bemc", cells, closed, ["row", "col"]) == [
        [{"row": 2, "col": 3}, {"row": 3, "col": 4}]
    ]


def test_of_equal_towers_of_a_late_met_group_sphenix_may_take_another():
    """The branch of column 4 begins first, but the other one comes first in the list of the original."""
    cells = np.zeros((1, N_ROWS, N_COLS), int)
    cells[0, 0:3, 4] = cells[0, 1:3, 0] = cells[0, 3, 0:5] = 100
    cells[0, 0, 4] = cells[0, 1, 0] = 150
    assert list(sphenix_bemc(Plane(cells.tolist()[0], False))) == [(1, 0)]
    assert clusters_of("sphenix-bemc", cells, False, ["row", "col"]) == [[{"row": 0, "col": 4}]]


@pytest.mark.slow
def test_the_jfex_takes_the_higher_tower_of_two_equal_diagonal_neighbours():
    """jFEXSmallRJetAlgo::isSeedLocalMaxima; the displaced table is centred at (+1, +1)."""
    n_moved, cells = 0, framed("atlas-jfex")
    for event, ours in zip(cells.tolist(), clusters_of("atlas-jfex", cells, True, ["row", "col"]), strict=True):
        plane = Plane(event, True)
        theirs = set()
        for r, c in plane.places:
            towers, seeds = jfex_table(plane, r, c), jfex_seeds(plane, r, c)
            is_central = is_jfex_maximum(plane, r, c, within=False) and (
                towers[3][3] >= towers[4][2] or seeds[2][2] > seeds[3][1]
            )
            is_displaced = is_jfex_maximum(plane, r + 1, c + 1, within=False) and (
                towers[3][3] > towers[2][4] and seeds[2][2] == seeds[1][3]
            )
            if (is_central or is_displaced) and seeds[2][2] > 0:
                theirs.add((r, c))
        moved = set()
        for cluster in ours:
            r, c = cluster["row"], cluster["col"]
            is_equal = plane.total(r - 1, c - 1, square(1)) == plane.total(r, c, square(1))
            moves = is_equal and plane(r - 1, c - 1) > plane(r, c)
            moved.add(((r - 1, (c - 1) % N_COLS)) if moves else (r, c))
            n_moved += moves
        assert moved == theirs
    assert n_moved > 10


def test_the_efex_keeps_the_highest_seed_of_a_tower():
    """eFEXegAlgo::setSeed over the four supercells of each tower."""
    cells = events("atlas-efex-egamma", "integers")[:, :16]
    n_dropped = 0
    for event, ours in zip(
        cells.tolist(), clusters_of("atlas-efex-egamma", cells, True, ["row", "col"]), strict=True
    ):
        plane, theirs = Plane(event, True), set()
        maxima = atlas_efex_egamma(plane)
        for tower, c in itertools.product(range(0, 16, 4), range(N_COLS)):
            seed, highest = None, 0
            for i in range(4):
                if (tower + i, c) in maxima and plane(tower + i, c) >= highest:
                    seed, highest = tower + i, plane(tower + i, c)
            if seed is not None:
                theirs.add((seed, c))
        towers = {}
        for cluster in ours:  # in the order of rows
            kept = towers.setdefault((cluster["row"] // 4, cluster["col"]), cluster)
            if plane(cluster["row"], cluster["col"]) >= plane(kept["row"], kept["col"]):
                towers[cluster["row"] // 4, cluster["col"]] = cluster
        assert {(cluster["row"], cluster["col"]) for cluster in towers.values()} == theirs
        n_dropped += len(ours) - len(theirs)
    assert n_dropped > 10


@KERNELS
@CLOSED
def test_an_allen_cluster_has_its_published_sum_alone_or_without_small_cells(closed, kernel):
    random = np.random.default_rng(3)
    cells = events("lhcb-allen", "integers")
    above = random.integers(11, 200, (30, N_ROWS, N_COLS)) * (random.uniform(size=(30, N_ROWS, N_COLS)) < 0.4)
    n_alone = n_overlaps = 0
    for grids in (cells, above):
        clusters = clusters_of("lhcb-allen", grids, closed, ["row", "col", "peak_sum"], kernel=kernel)
        for event, ours in zip(grids.tolist(), clusters, strict=True):
            theirs = lhcb_allen_sums(Plane(event, closed))
            for cluster in ours:
                energy, overlaps = theirs[cluster["row"], cluster["col"]]
                if not overlaps:
                    assert cluster["peak_sum"] == energy
                elif grids is above:
                    assert cluster["peak_sum"] == pytest.approx(energy, rel=1e-12)
                n_alone, n_overlaps = n_alone + (not overlaps), n_overlaps + (grids is above and overlaps)
    assert min(n_alone, n_overlaps) > 100


@KERNELS
@CLOSED
def test_of_many_gct_jets_the_ten_of_the_highest_supertowers_stay(closed, kernel):
    random = np.random.default_rng(5)
    cells = np.concatenate([random.integers(0, 4, (10, 17, 72)), random.integers(0, 3, (10, 17, 72)) * 7])
    cells[5] = 2
    fields = ["row", "col", "peak_sum"]
    ten = clusters_of("cms-phase2-gct-jet", cells, closed, fields, kernel=kernel)
    every = clusters_of("cms-phase2-gct-jet", cells, closed, fields, kernel=kernel, max_clusters=None)
    for event, some, all_jets in zip(cells.tolist(), ten, every, strict=True):
        assert sums_by_place(some) == cms_phase2_gct_jet(Plane(event, closed))
        assert sums_by_place(all_jets) == cms_phase2_gct_jet(Plane(event, closed), n_jets=1000)
        assert len(some) == 10 < len(all_jets)


def test_gct_jets_differ_from_those_in_float32_by_rounding_alone():
    """1.1 + 1.2 GeV is 2.3000002 GeV in the source."""
    cells = np.zeros((1, 3, 3), np.float32)
    cells[0, 0, :2] = 1.1, 1.2
    (cluster,) = clusters_of("cms-phase2-gct-jet", cells, False, ["peak_sum"])[0]
    first, second = cells[0, 0, :2]
    theirs = first + second
    assert theirs.dtype == np.float32
    assert cluster["peak_sum"] == float(first) + float(second) != float(theirs)
    assert cluster["peak_sum"] == pytest.approx(float(theirs), rel=1e-6)


def test_an_alice_cluster_stands_at_the_logarithmic_barycentre_of_its_digits():
    """AliEMCALRecPoint::EvalLocalPosition: max(0, 4.5 + ln(E_i / E))."""
    cells = events("alice-emcal-nxn", "integers")
    fields = ["row", "col", "peak_sum", "barycentre_row", "barycentre_col"]
    n_clusters = 0
    for event, ours in zip(cells.tolist(), clusters_of("alice-emcal-nxn", cells, False, fields), strict=True):
        plane = Plane(event, False)
        for cluster in ours:
            at = [(cluster["row"] + d, cluster["col"] + p) for d, p in square(1)]
            digits = [place for place in at if plane(*place) > 50]
            if sum(plane(*place) for place in digits) != cluster["peak_sum"]:
                continue  # another cluster has taken a digit before
            weights = [max(0.0, 4.5 + np.log(plane(*place) / cluster["peak_sum"])) for place in digits]
            for k, axis in enumerate(("row", "col")):
                mean = sum(w * place[k] for w, place in zip(weights, digits, strict=True)) / sum(weights)
                assert cluster[f"barycentre_{axis}"] == pytest.approx(mean, rel=1e-12)
            n_clusters += 1
    assert n_clusters > 100


@CLOSED
def test_cores_beyond_an_edge_matter_only_along_it(closed):
    cells = np.maximum(events("atlas-l1-em-roi", "integers"), 0)
    cells[:, [0, -1]] = cells[:, :, [0, -1]] = 0
    ours = clusters_of("atlas-l1-em-roi", cells, closed, ["row", "col"])
    for event, clusters in zip(cells.tolist(), ours, strict=True):
        theirs = atlas_l1_em_roi(Plane(event, closed), within=False)
        assert [(cluster["row"], cluster["col"]) for cluster in clusters] == list(theirs)


@pytest.mark.parametrize("name", ["skimage-peak-local-max", "photutils-find-peaks"])
def test_equal_pixels_are_all_peaks_here_and_none_in_the_sources(name):
    """Both libraries return early for a constant image."""
    clusters = clusters_of(name, np.ones((1, 4, 5), int), False, ["row", "col"])[0]
    assert len(clusters) == (2 * 3 if name.startswith("skimage") else 4 * 5)


def test_the_first_of_saturated_sums_of_a_card_is_its_highest_in_lhcb():
    cells = np.zeros((1, 8, 4), int)
    cells[0, 1, 1], cells[0, 5, 2] = 300, 400
    assert lhcb_l0(Plane(cells.tolist()[0], False), saturates=True) == {(0, 0): 255}
    assert sums_by_place(clusters_of("lhcb-l0", cells, False, ["row", "col", "peak_sum"])[0]) == {(4, 1): 400}
    below = np.random.default_rng(3).integers(0, 64, (40, 17, 18))  # four cells hold 252 at most
    for event, ours in zip(
        below.tolist(), clusters_of("lhcb-l0", below, False, ["row", "col", "peak_sum"]), strict=True
    ):
        assert sums_by_place(ours) == lhcb_l0(Plane(event, False), saturates=True)


# -------------------------------------------------------------------------------------------------- ATLAS gFEX


def gfex_half(random, n_events=40):
    """Return gTowers of half an FPGA in multiples of 4 counts, which nothing is lost of by the division."""
    return random.integers(0, 40, (n_events, 6, 32)) * 4


def places_of(clusters):
    return {(cluster["row"], cluster["col"]) for cluster in clusters}


def test_blocks_of_whole_steps_below_the_limit_are_those_of_the_gfex():
    cells = gfex_half(np.random.default_rng(6))
    for event, ours in zip(
        cells.tolist(), clusters_of("atlas-gfex-block", cells, True, ["row", "col"]), strict=True
    ):
        assert places_of(ours) == set(atlas_gfex_block(Plane(event, True), exact=False))


def test_the_gfex_compares_in_steps_of_800_mev_and_up_to_12_bits():
    small, large = np.zeros((1, 6, 32), int), np.zeros((1, 6, 32), int)
    small[0, 0, 3], small[0, 4, 20] = 5, 7  # both 1 after the division by 4
    large[0, 0, 3], large[0, 4, 20] = 20_000, 30_000
    for cells in (small, large):
        blocks = gfex_blocks(Plane(cells.tolist()[0], True), exact=False)
        assert blocks[0, 3] == blocks[4, 20]
        seeds = clusters_of("atlas-gfex-block", cells, True, ["row", "seed"], max_clusters=1)[0]
        assert [cluster["row"] for cluster in seeds] == [3]  # a block about row 4


def test_of_equal_blocks_in_the_outer_pairs_of_columns_the_gfex_takes_the_last():
    cells = np.zeros((1, 6, 32), int)
    cells[0, 0, 3] = cells[0, 5, 3] = 40
    blocks = gfex_blocks(Plane(cells.tolist()[0], True))
    assert gfex_highest(blocks) == (4, 2)
    assert places_of(clusters_of("atlas-gfex-block", cells, True, ["row", "col"], max_clusters=1)[0]) == {
        (0, 2)
    }


def test_where_no_two_pairs_of_columns_tie_the_tournament_finds_the_first_highest():
    for event in gfex_half(np.random.default_rng(9), 60).tolist():
        blocks = gfex_blocks(Plane(event, True))
        highest = [place for place, block in blocks.items() if block == max(blocks.values())]
        if len({eta // 2 for eta, _ in highest}) == 1:
            assert gfex_highest(blocks) == highest[0] == next(iter(atlas_gfex_block(Plane(event, True))))


# ----------------------------------------------------------------------------------------------------- islands


def test_lower_maxima_of_a_phos_cluster_are_left_out():
    cells = np.array([[[300, 50, 100, 20]]])
    assert list(alice_phos(Plane(cells.tolist()[0], False), lowest=0)) == [(0, 0), (0, 2)]
    assert places_of(clusters_of("alice-phos", cells, False, ["row", "col"])[0]) == {(0, 0)}


@pytest.mark.parametrize(
    ("blocks", "in_source"),
    [
        pytest.param([40, 20, 10], [], id="three_blocks_are_one_cluster_as_a_whole"),
        pytest.param([40, 20, 10, 5], [(0, 0)], id="four_have_a_candidate"),
        pytest.param([40, 20, 50, 5], [(0, 0)], id="of_two_candidates_of_four_blocks_the_first"),
        pytest.param([40, 20, 50, 5, 2, 2, 2], [(0, 0), (0, 2)], id="seven_have_two"),
    ],
)
def test_the_candidates_of_a_gluex_island_are_a_third_of_its_blocks_at_most(blocks, in_source):
    cells = np.array([[blocks]])
    assert list(gluex_fcal_island(Plane(cells.tolist()[0], False), limited=True)) == in_source
    maxima = {(0, 0), (0, 2)} if 50 in blocks else {(0, 0)}
    assert places_of(clusters_of("gluex-fcal-island", cells, False, ["row", "col"])[0]) == maxima


def test_large_islands_of_gluex_have_all_their_candidates():
    cells = events("gluex-fcal-island", "integers")
    n_same = 0
    for event, ours in zip(
        cells.tolist(), clusters_of("gluex-fcal-island", cells, False, ["row", "col", "peak_sum"]), strict=True
    ):
        plane, found = Plane(event, False), sums_by_place(ours)
        limited = gluex_fcal_island(plane, limited=True)
        for island in islands(plane, lambda energy: energy > 0, around(1)):
            own = {place: total for place, total in found.items() if place in island}
            if len(island) > 3 * len(own) and len(island) >= 4:
                assert {place: total for place, total in limited.items() if place in island} == own
                n_same += len(own)
    assert n_same > 100
