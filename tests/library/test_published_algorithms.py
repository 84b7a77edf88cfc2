"""Every preset against plain loops written from its published source, not from its YAML."""

import functools
import itertools
from types import MappingProxyType

import numpy as np
import pytest
from published_oracle import (
    PUBLISHED,
    Plane,
    atlas_efex_egamma,
    atlas_l1_jet_roi,
    chunky_donut,
    cms_l1_cluster,
    cms_l1_jet_energy,
    cms_phase2_gct_jet,
    cms_phase2_jet_energy,
    donut,
    is_jfex_maximum,
    jfex_seeds,
    jfex_table,
    lhcb_allen_sums,
    old_chunky_donut,
    sphenix_bemc,
    square,
)

from hep_peaksum import Axis, Grid, find_clusters, preset, presets
from hep_peaksum.library.presets import read_preset
from hep_peaksum.settings.pileup import Pileup

# 17 rows do not divide into towers of three; with 18 columns strips of pile-up have room on a closed axis.
N_ROWS, N_COLS = 17, 18

# ---------------------------------------------------------------------------------------------------- the grids


def golden(name):
    """Return small plain grids by their names, at a height that every threshold lets pass."""
    height = 10 * max(PUBLISHED[name].levels)
    shapes = {
        "constant": {},
        "hot_ring": [(7, c) for c in range(N_COLS)],
        "1x2": [(7, 8), (7, 9)],
        "2x1": [(7, 8), (8, 8)],
        "2x2": [(7, 8), (7, 9), (8, 8), (8, 9)],
        "V": [(6, 6), (7, 7), (8, 8), (7, 9), (6, 10)],
        "L": [(6, 8), (7, 8), (8, 8), (8, 9), (8, 10)],
        "corners": [(0, 0), (0, N_COLS - 1), (N_ROWS - 1, 0), (N_ROWS - 1, N_COLS - 1)],
        "seam": [(4, 0), (4, N_COLS - 1), (9, 1), (9, N_COLS - 1)],
        "seam_2x2": [(4, 0), (4, N_COLS - 1), (5, 0), (5, N_COLS - 1)],
        "empty": [],
    }
    grids = {}
    for word, places in shapes.items():
        grids[word] = np.full((N_ROWS, N_COLS), height if word == "constant" else 0)
        for place in places:
            grids[word][place] = height
    steps = np.add.outer(np.arange(N_ROWS), np.arange(N_COLS))
    saturated = height + 511 * (steps % 7 == 0)
    return {
        **grids,
        "negative": -1 - steps % 3,
        "peak_in_negative": np.where(steps == 15, height, -(steps % 4)),
        "saturated": np.where(steps % 5 == 0, 0xFFFF, saturated),
    }


@functools.cache
def events(name, number):
    """Return grids full of ties: sparse, dense, negative, with plateaus, at the thresholds; and golden ones."""
    random = np.random.default_rng(sum(name.encode()))
    levels = PUBLISHED[name].levels
    shape, scale = (10, N_ROWS, N_COLS), max(1, max(levels) // 3)
    plateaus = random.integers(0, 6, (10, N_ROWS // 2 + 1, N_COLS // 2)).repeat(2, axis=1).repeat(2, axis=2)
    grids = [
        random.integers(0, 5, shape) * scale,
        random.poisson(0.2, shape) * random.integers(1, 6, shape) * scale,
        random.integers(-3, 4, shape) * scale,
        plateaus[:, :N_ROWS] * scale,
        random.choice(levels, shape),
        random.choice(levels, shape) * (random.uniform(size=shape) < 0.1),
        np.stack(list(golden(name).values())),
    ]
    cells = np.concatenate(grids)
    if number == "floats":
        cells = (
            cells
            + random.choice([0, 0, 0.1, 0.3, -0.7], cells.shape) * (np.arange(len(cells)) % 2)[:, None, None]
        )
    return cells


@functools.cache
def expected(name, number, closed):
    """Return the clusters of every event as the published source has them."""
    return tuple(
        MappingProxyType(PUBLISHED[name].find(Plane(event, closed))) for event in events(name, number).tolist()
    )


def clusters_of(name, cells, closed, fields, **more):
    """Return the clusters of the preset, a list of records for each event, in the order of their places."""
    grid = Grid(
        rows=Axis(n=cells.shape[1]), cols=Axis(n=cells.shape[2], periodic=closed), unit=PUBLISHED[name].unit
    )
    settings = preset(name)[0].model_copy(update={"order": "position", **more})
    return find_clusters(cells, settings, grid, fields=fields).to_list()


# Their plain loops add whole windows for every cell, which takes seconds.
SLOW = {"atlas-jfex", "fcc-sliding-window"}


def by_name(names):
    """Return the parameter `name`; algorithms whose oracle is slow are marked."""
    params = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]
    return pytest.mark.parametrize("name", params)


ALL = by_name(PUBLISHED)
CLOSED = pytest.mark.parametrize("closed", [False, True], ids=["open", "closed_in_phi"])
NUMBERS = pytest.mark.parametrize("number", ["integers", pytest.param("floats", marks=pytest.mark.slow)])
KERNELS = pytest.mark.parametrize("kernel", ["numba", "scipy"])


def test_every_preset_has_its_published_rule_here():
    assert set(PUBLISHED) == set(presets())


@KERNELS
@NUMBERS
@CLOSED
@ALL
def test_a_preset_finds_the_seeds_of_its_source(name, closed, number, kernel):
    clusters = clusters_of(name, events(name, number), closed, ["row", "col"], kernel=kernel)
    for event, theirs in zip(clusters, expected(name, number, closed), strict=True):
        assert [(cluster["row"], cluster["col"]) for cluster in event] == sorted(theirs)


@KERNELS
@NUMBERS
@CLOSED
@by_name([name for name in PUBLISHED if read_preset(name).reproduces != "seeds"])
def test_a_preset_that_reproduces_sums_has_the_sums_of_its_source(name, closed, number, kernel):
    clusters = clusters_of(name, events(name, number), closed, ["row", "col", "peak_sum"], kernel=kernel)
    for event, theirs in zip(clusters, expected(name, number, closed), strict=True):
        assert {(cluster["row"], cluster["col"]): cluster["peak_sum"] for cluster in event} == theirs


@KERNELS
@NUMBERS
@CLOSED
@pytest.mark.parametrize(
    ("name", "energy_of"),
    [("cms-l1-jet", cms_l1_jet_energy), ("cms-phase2-jet-9x9", cms_phase2_jet_energy)],
)
def test_a_preset_that_reproduces_all_has_the_pile_up_of_its_source(name, energy_of, closed, number, kernel):
    clusters = clusters_of(
        name, events(name, number), closed, ["row", "col", "chunky_donut", "net"], kernel=kernel
    )
    for event, cells, theirs in zip(
        clusters, events(name, number).tolist(), expected(name, number, closed), strict=True
    ):
        for cluster in event:
            place = (cluster["row"], cluster["col"])
            pileup, net = energy_of(Plane(cells, closed), *place, theirs[place])
            assert (cluster["chunky_donut"], cluster["net"]) == (pileup, net)


@CLOSED
@NUMBERS
@ALL
def test_every_algorithm_has_clusters_in_the_test_grids(name, number, closed):
    """Lest equal answers are empty ones."""
    clusters = expected(name, number, closed)
    assert sum(len(event) > 1 for event in clusters) > 10
    assert any(len(event) == 0 for event in clusters)


# ------------------------------------------------------------------------------ other pile-up estimates of CMS


@functools.cache
def jets_with(**estimate):
    """Return events of 40 rings, and the jets of the CMS preset in them with another estimate."""
    random = np.random.default_rng(4)
    cells = random.poisson(0.6, (12, 40, N_COLS)) * random.integers(1, 6, (12, 40, N_COLS))
    settings = preset("cms-l1-jet")[0]
    settings = type(settings)(**{**settings.model_dump(), "pileup": [{**estimate, "name": "under"}]})
    grid = Grid(rows=Axis(n=40), cols=Axis(n=N_COLS, periodic=True), unit=0.5)
    return cells.tolist(), find_clusters(cells, settings, grid, fields=["row", "col", "under"]).to_list()


def test_strips_are_thrown_away_as_in_older_versions():
    n_cut = 0
    for event, jets in zip(*jets_with(kind="chunky_donut", edge="strip"), strict=True):
        plane = Plane(event, True)
        for jet in jets:
            place = jet["row"], jet["col"]
            assert jet["under"] == old_chunky_donut(plane, *place)
            n_cut += jet["under"] != chunky_donut(plane, *place)
    assert n_cut > 10


def test_the_donut_is_the_published_one_but_for_the_five_rings_on_each_side_of_zero():
    n_equal = n_other = 0
    for event, jets in zip(*jets_with(kind="donut"), strict=True):
        plane = Plane(event, True)
        for jet in jets:
            theirs = donut(plane, jet["row"], jet["col"])
            if 15 <= jet["row"] <= 24:
                n_other += jet["under"] != theirs
            else:
                assert jet["under"] == theirs
                n_equal += 1
    assert min(n_equal, n_other) > 10


def test_the_donut_of_a_jet_in_the_third_ring_lacks_the_first_ring_of_the_other_side():
    cells = np.zeros((1, 40, N_COLS), int)
    seed = (22, 9)  # ring 3
    cells[0, 19, [4, 14]] = 1  # ring -1, in both strips in phi
    plane = Plane(cells.tolist()[0], True)
    assert donut(plane, *seed) == 0
    cells[0][seed] = 50
    ours = clusters_of("cms-l1-jet", cells, True, ["donut"], pileup=(Pileup(kind="donut"),))
    assert ours == [[{"donut": 4 * (1 + 0)}]]


# ------------------------------------------------------------------------------------------- what a tie decides

CORNERS = {
    **dict.fromkeys(
        [name for name in PUBLISHED if name.startswith(("cms-l1", "cms-phase2-jet", "atlas-efex"))],
        (N_ROWS - 1, N_COLS - 1),
    ),
    "alice-tpc": (N_ROWS - 1, N_COLS - 1),
    "cms-hgcal-tpg": (0, 0),
}


@KERNELS
@pytest.mark.parametrize(("name", "corner"), CORNERS.items())
def test_directional_masks_keep_one_corner_of_a_constant_and_none_of_a_ring(name, corner, kernel):
    grids = golden(name)
    for closed, word, seeds in ((False, "constant", [corner]), (True, "constant", []), (True, "hot_ring", [])):
        clusters = clusters_of(name, grids[word][None], closed, ["row", "col"], kernel=kernel)
        assert [(cluster["row"], cluster["col"]) for cluster in clusters[0]] == seeds


@KERNELS
@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        # both cells of a 1x2, a 2x1 and a 2x2 at (7, 8)
        ("lhcb-calo", [[8, 9], [8, 9], [8, 9, 8, 9]]),
        ("keras-3x3", [[8, 9], [8, 9], [8, 9, 8, 9]]),
        ("kornia-nms", [[], [], []]),
        ("lhcb-allen", [[], [], []]),
    ],
)
def test_rules_without_direction_keep_all_of_a_plateau_or_none(name, pairs, kernel):
    grids = golden(name)
    n_seeds = [
        len(clusters_of(name, grids[word][None], False, ["row"], kernel=kernel)[0])
        for word in ("1x2", "2x1", "2x2")
    ]
    assert n_seeds == [len(pair) for pair in pairs]


# -------------------------------------------------------------------------- what is said to differ, and no more


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


def sums_by_place(clusters):
    return {(cluster["row"], cluster["col"]): cluster["peak_sum"] for cluster in clusters}


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
