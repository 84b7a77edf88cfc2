"""The published algorithms as plain loops, each written from its source; nothing here imports the package.

An oracle is a function of one event's cells that returns its clusters, {(row, col): sum}, or {(row, col): None}
where the preset claims the seeds alone. Beyond the edges of the plane there is 0, as in the sources. Masks and
lists are theirs, letter by letter; the rows of a plane are eta (pads, R/z), its columns phi (time bins).
"""

import functools
import itertools
import math
from typing import NamedTuple

import published_atlas as atlas
import published_cms as cms
import published_islands as of_islands
from published_plane import around, square


def lhcb_calo(plane):
    """CaloClusterizationTool: no neighbour is higher."""
    return {
        (r, c): None
        for r, c in plane.places
        if plane(r, c) > 0 and not any(plane(r + d, c + p) > plane(r, c) for d, p in around(1))
    }


def lhcb_allen_seeds(plane):
    """CaloSeedClusters: higher than each neighbour that there is."""
    return [
        (r, c)
        for r, c in plane.places
        if plane(r, c) >= 50 and all(plane(r, c) > plane(r + d, c + p) for d, p in around(1))
    ]


def lhcb_allen(plane):
    return dict.fromkeys(lhcb_allen_seeds(plane))


def lhcb_allen_sums(plane):
    """CaloFindClusters less CaloOverlapClusters: the sum of each seed, and whether others take a part of it."""
    seeds, found = set(lhcb_allen_seeds(plane)), {}
    for seed in seeds:
        energy, own, overlaps = plane(*seed), plane.total(*seed, square(1)), False
        for d, p in around(1):
            cell = (seed[0] + d, seed[1] + p)
            energy += plane(*cell) if plane(*cell) > 10 else 0
            others = {plane.at(cell[0] + d, cell[1] + p) for d, p in around(1)} & seeds - {seed}
            if plane(*cell) >= 10 and others:
                theirs, overlaps = sum(plane.total(*other, square(1)) for other in others), True
                energy -= theirs / (own + theirs) * plane(*cell)
        found[seed] = (energy, overlaps)
    return found


def alice_emcal_nxn(plane):
    """AliEMCALClusterizerNxN: the highest digit left takes the digits left about it."""
    digits = {(r, c): plane(r, c) for r, c in plane.places if plane(r, c) > 50}
    found = {}
    while True:
        seed = None
        for place, energy in digits.items():
            if energy > 100 and (seed is None or energy > digits[seed]):
                seed = place
        if seed is None:
            return found
        found[seed] = 0
        for d, p in square(1):
            found[seed] += digits.pop(plane.at(seed[0] + d, seed[1] + p), 0)


def alice_tpc(plane):
    """GPUTPCCFPeakFinder: (pad, time)."""
    strict = [(0, 1), (1, -1), (1, 0), (1, 1)]
    return {
        (r, c): None
        for r, c in plane.places
        if plane(r, c) > 3
        and all(plane(r, c) > plane(r + d, c + p) for d, p in strict)
        and all(plane(r, c) >= plane(r - d, c - p) for d, p in strict)
    }


def belle2_ecl(plane):
    """ECLLocalMaximumFinder: a neighbour vetoes if it has more."""
    found = {}
    for r, c in plane.places:
        if plane(r, c) >= 10 and max(plane(r + d, c + p) for d, p in around(1)) <= plane(r, c):
            found[r, c] = None
    return found


def fcc_sliding_window(plane):
    """CreateCaloClustersSlidingWindow: whole windows of 5 x 15, each against the four shifted by one."""
    window = list(itertools.product(range(-2, 3), range(-7, 8)))

    def is_whole(row, col):
        return all(plane.at(row + d, col + p) is not None for d, p in window)

    found = {}
    for r, c in plane.places:
        own = plane.total(r, c, window)
        if is_whole(r, c) and own > 10:
            shifted = [(r, c + 1), (r, c - 1), (r + 1, c), (r - 1, c)]
            if all(plane.total(*other, window) <= own for other in shifted if is_whole(*other)):
                found[r, c] = None
    return found


def heatmap_nms(plane):
    """CenterNet: max_pool2d(heat, 3, stride=1, padding=1) == heat."""
    return {
        (r, c): None
        for r, c in plane.places
        if plane(r, c) > 0 and max(plane(r + d, c + p) for d, p in square(1)) == plane(r, c)
    }


def kornia_nms(plane):
    """NonMaximaSuppression2d: padded with copies of the edge, and a 0 in the centre of the kernel."""
    n_rows, n_cols = len(plane.cells), len(plane.cells[0])
    found = {}
    for r, c in plane.places:
        others = [0]
        for d, p in around(1):
            i = min(max(r + d, 0), n_rows - 1)
            j = (c + p) % n_cols if plane.closed else min(max(c + p, 0), n_cols - 1)
            others.append(plane.cells[i][j])
        if plane(r, c) > max(others):
            found[r, c] = None
    return found


def keras_3x3(plane):
    """x == max_pool(x) and x > 0, times the convolution with ones."""
    return {place: plane.total(*place, square(1)) for place in heatmap_nms(plane)}


def crystals(plane, half):
    """The highest of its window; of equal crystals the first."""
    found = {}
    for r, c in plane.places:
        others = [place for d, p in around(half) if (place := plane.at(r + d, c + p))]
        if plane(r, c) > 0 and all((-plane(r, c), r, c) < (-plane(*place), *place) for place in others):
            found[r, c] = plane.total(r, c, square(half))
    return found


def peaks_of_an_image(plane, *, border):
    """maximum_filter(image, size=3, mode="constant") == image, above 0; without the border, or with it."""
    found = {}
    for r, c in plane.places:
        highest = max(plane(r + d, c + p) for d, p in square(1))
        at_border = any(plane.at(r + d, c + p) is None for d, p in square(1))
        if highest == plane(r, c) > 0 and (border or not at_border):
            found[r, c] = None
    return found


def hps_gtp(plane):
    """GTPOnlineClusterer, isValidSeed: hits below 0 are skipped; rows are ix, columns iy."""
    found = {}
    for ix, iy in plane.places:
        if plane(ix, iy) < 50:
            continue
        is_seed, hits = True, [(0, 0)]
        for d, p in around(1):
            hit = plane(ix + d, iy + p)
            if hit < 0:
                continue
            is_seed &= hit < plane(ix, iy) or (hit == plane(ix, iy) and not ix > ix + d)
            hits.append((d, p))
        if is_seed:
            found[ix, iy] = plane.total(ix, iy, sorted(hits))
    return found


def lhcb_l0(plane, *, saturates=False):
    """TriggerCard: the first highest 2x2 sum of cards of 8 x 4 cells, columns of the calorimeter being rows."""
    cards = {}
    for place in plane.places:
        cards.setdefault((place[0] // 8, place[1] // 4), []).append(place)
    found = {}
    for places in cards.values():
        highest, cell = 0, None
        for place in places:
            total = plane.total(*place, [(0, 0), (0, 1), (1, 0), (1, 1)])
            if saturates and total > 255:
                total = 255
            if total > highest:
                highest, cell = total, place
        if cell is not None:
            found[cell] = highest
    return found


def hexagons(plane, reach):
    """Return the offsets (q, r) of the hexagons whose centres are within reach, in units of their distance."""
    centres = {(q, r): complex(q + r / 2, r * math.sqrt(3) / 2) for q, r in square(3)}
    return [offset for offset, centre in centres.items() if abs(centre) < reach]


def hexagon_7(plane):
    """The highest of a hexagon and the six around it, and their sum; of equal ones the first."""
    found = {}
    for q, r in plane.places:
        cell = (-plane(q, r), q, r)
        others = [plane.at(q + d, r + p) for d, p in hexagons(plane, 1.1) if (d, p) != (0, 0)]
        if plane(q, r) > 0 and all(cell < (-plane(*place), *place) for place in others if place):
            found[q, r] = plane.total(q, r, hexagons(plane, 1.1))
    return found


def hexagon_7_uv(plane):
    """As hexagon_7, where a cell (u, v) is at x = 3 v and y = 2 u - v, in halves of a side and of a width."""
    near = [(d, p) for d, p in square(3) if (d, p) != (0, 0) and (3 * p) ** 2 + 3 * (2 * d - p) ** 2 <= 12]
    assert len(near) == 6
    found = {}
    for u, v in plane.places:
        others = [plane.at(u + d, v + p) for d, p in near]
        cell = (-plane(u, v), u, v)
        if plane(u, v) > 0 and all(cell < (-plane(*place), *place) for place in others if place):
            found[u, v] = plane.total(u, v, sorted([(0, 0), *near]))
    return found


def ldmx_ecal_2d(plane):
    """IdealClusterBuilder: no neighbour, closer than 1.8 cells, has more."""
    near = [offset for offset in hexagons(plane, 1.8) if offset != (0, 0)]
    return {
        (q, r): None
        for q, r in plane.places
        if plane(q, r) > 0 and not any(plane(q + d, r + p) > plane(q, r) for d, p in near)
    }


class Published(NamedTuple):
    """An algorithm, the GeV in a count, cells in counts that its thresholds make interesting, and divisions."""

    find: object
    unit: float
    levels: tuple = (0, 0, 1, 2)
    regions: tuple = ()


PUBLISHED = {
    "alice-emcal-nxn": Published(alice_emcal_nxn, 0.001, (0, 49, 50, 51, 99, 100, 101, 180)),
    "alice-phos": Published(of_islands.alice_phos, 0.001, (0, 10, 11, 100, 170, 171, 200, 201, 230, 231)),
    "alice-tpc": Published(alice_tpc, 1, (0, 2, 3, 4, 9)),
    "atlas-efex-egamma": Published(atlas.atlas_efex_egamma, 1),
    "atlas-efex-tau": Published(atlas.atlas_efex_tau, 1),
    "atlas-gfex-block": Published(atlas.atlas_gfex_block, 1),
    "atlas-jfex": Published(atlas.atlas_jfex, 1),
    "atlas-l1-em-roi": Published(atlas.atlas_l1_em_roi, 1),
    "atlas-l1-jet-roi": Published(atlas.atlas_l1_jet_roi, 1),
    "belle2-ecl": Published(belle2_ecl, 0.001, (0, 9, 10, 11)),
    "bes3-emc": Published(of_islands.bes3_emc, 1),
    "clas12-ftcal": Published(of_islands.clas12_ftcal, 1),
    "cms-hgcal-tpg": Published(cms.cms_hgcal_tpg, 1),
    "cms-l1-egamma": Published(cms.cms_l1_cluster, 0.5, (0, 1, 2, 3, 4, 5)),
    "cms-l1-jet": Published(cms.cms_l1_jet, 0.5, (0, 0, 1, 7, 8, 9, 508, 509, 510, 511, 512)),
    "cms-l1-stage1-jet": Published(cms.cms_l1_stage1_jet, 0.5, (0, 0, 1, 20, 21, 22)),
    "cms-l1-tau": Published(cms.cms_l1_cluster, 0.5, (0, 1, 2, 3, 4, 5)),
    "cms-pf": Published(cms.cms_pf, 0.001, (0, 229, 230, 231)),
    "cms-phase2-gct-jet": Published(cms.cms_phase2_gct_jet, 1),
    "cms-phase2-jet": Published(cms.cms_phase2_jet, 1, (0, 4, 5, 6)),
    "cms-phase2-jet-9x9": Published(functools.partial(cms.cms_phase2_jet, half=4), 1, (0, 4, 5, 6)),
    "cms-phase2-jet-trimmed": Published(functools.partial(cms.cms_phase2_jet, trimmed=True), 1, (0, 4, 5, 6)),
    "crystal-3x3": Published(functools.partial(crystals, half=1), 1),
    "crystal-5x5": Published(functools.partial(crystals, half=2), 1),
    "eicrecon-island": Published(of_islands.eicrecon_island, 0.001, (0, 0, 1, 2, 29, 30, 31)),
    "fcc-sliding-window": Published(fcc_sliding_window, 1, (0,) * 9 + (1,)),
    "gluex-fcal-island": Published(of_islands.gluex_fcal_island, 0.001, (0, 0, 1, 34, 35, 36, 37)),
    "heatmap-nms": Published(heatmap_nms, 1),
    "hexagon-7": Published(hexagon_7, 1),
    "hexagon-7-uv": Published(hexagon_7_uv, 1),
    "hps-gtp": Published(hps_gtp, 0.001, (0, 0, 1, 49, 50, 51)),
    "keras-3x3": Published(keras_3x3, 1),
    "kornia-nms": Published(kornia_nms, 1),
    "ldmx-ecal-2d": Published(ldmx_ecal_2d, 1),
    "lhcb-allen": Published(lhcb_allen, 1, (0, 9, 10, 11, 49, 50, 51)),
    "lhcb-calo": Published(lhcb_calo, 1),
    "lhcb-l0": Published(lhcb_l0, 1, regions=(("card", (8, 4)),)),
    "padme-ecal": Published(of_islands.padme_ecal, 0.001, (0, 1, 2, 9, 10, 11, 12)),
    "photutils-find-peaks": Published(functools.partial(peaks_of_an_image, border=True), 1),
    "skimage-peak-local-max": Published(functools.partial(peaks_of_an_image, border=False), 1),
    "sphenix-bemc": Published(of_islands.sphenix_bemc, 0.001, (0, 19, 20, 199, 200, 201)),
}
