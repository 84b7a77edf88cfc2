"""Every preset finds the clusters of its published source: plain loops of the source, not of its YAML."""

import functools

import numpy as np
import pytest
from published_cms import (
    chunky_donut,
    cms_l1_jet_energy,
    cms_phase2_jet_energy,
    donut,
    old_chunky_donut,
)
from published_events import (
    ALL,
    CLOSED,
    KERNELS,
    NUMBERS,
    by_name,
    clusters_of,
    events,
    expected,
    golden,
)
from published_oracle import PUBLISHED
from published_plane import N_COLS, N_ROWS, Plane

from hep_peaksum import Axis, Grid, find_clusters, preset, presets
from hep_peaksum.library.presets import read_preset
from hep_peaksum.settings.pileup import Pileup


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
    "cms-l1-stage1-jet": (0, 0),
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
