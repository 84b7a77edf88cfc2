"""The published algorithms as plain loops, each written from its source; nothing here imports the package.

An oracle is a function of one event's cells that returns its clusters, {(row, col): sum}, or {(row, col): None}
where the preset claims the seeds alone. Beyond the edges of the plane there is 0, as in the sources. Masks and
lists are theirs, letter by letter; the rows of a plane are eta (pads, R/z), its columns phi (time bins).
"""

import functools
import itertools
import math
from typing import NamedTuple

# 17 rows do not divide into towers of three; with 18 columns strips of pile-up have room on a closed axis.
N_ROWS, N_COLS = 17, 18


class Plane(NamedTuple):
    """The cells of an event, lists of rows, the columns closed or not.

    Beyond the first and the last row there is nothing, or, `clamped`, the same row again.
    """

    cells: list
    closed: bool
    clamped: bool = False

    @property
    def places(self):
        return itertools.product(range(len(self.cells)), range(len(self.cells[0])))

    def at(self, row, col):
        """Return where a cell is, None beyond an edge."""
        if self.clamped:
            row = min(max(row, 0), len(self.cells) - 1)
        if self.closed:
            col %= len(self.cells[0])
        return (row, col) if 0 <= row < len(self.cells) and 0 <= col < len(self.cells[0]) else None

    def __call__(self, row, col):
        place = self.at(row, col)
        return 0 if place is None else self.cells[place[0]][place[1]]

    def total(self, row, col, offsets):
        """Return the sum of cells about one, added one after the other."""
        result = 0
        for d, p in offsets:
            result += self(row + d, col + p)
        return result


def square(half):
    """Return the offsets (row, col) of a square about the seed, in row-major order."""
    return list(itertools.product(range(-half, half + 1), repeat=2))


def around(half):
    return [offset for offset in square(half) if offset != (0, 0)]


# ----------------------------------------------------------------------------------------------- CMS, Level 1

# Stage2Layer2JetAlgorithmFirmwareImp1.cc: a line is an offset in phi, from +4 at the top to -4, a column one in
# eta from -4. A neighbour vetoes a seed if it is >= (2) or > (1).
JET_MASK = """
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
# Stage2Layer2ClusterAlgorithmFirmwareImp1.cc, in the same way, eta from -1
CLUSTER_MASK = """
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


def is_vetoed(plane, row, col, mask, threshold):
    """Return whether a seed vetoes another; what is below the threshold is no seed and counts 0."""
    lines = [line.split() for line in mask.split("\n")[1:-1]]
    for i, line in enumerate(lines):
        for j, mark in enumerate(line):
            dphi, deta = len(lines) // 2 - i, j - len(line) // 2
            other = plane(row + deta, col + dphi)
            other = other if other >= threshold else 0
            own = plane(row, col)
            if (mark == "2" and other >= own) or (mark == "1" and other > own):
                return True
    return False


def chunky_donut(plane, row, col):
    """Return the three smallest of the four strips, 3 x 9 towers from the fifth on to each side."""
    far, near = range(5, 8), range(-4, 5)
    strips = [
        [(-d, p) for d in reversed(far) for p in near],
        [(d, p) for d in far for p in near],
        [(d, -p) for d in near for p in reversed(far)],
        [(d, p) for d in near for p in far],
    ]
    first, second, third, _ = sorted(plane.total(row, col, strip) for strip in strips)
    return first + second + third


def old_chunky_donut(plane, row, col):
    """Return the estimate of older versions: a strip in eta is thrown away if a ring of it does not exist."""
    phi_up = phi_down = 0
    eta = {1: 0, -1: 0}
    for k in range(5, 8):
        for d in range(-4, 5):
            phi_up += plane(row + d, col + k)
            phi_down += plane(row + d, col - k)
        for side in eta:
            for p in range(-4, 5):
                if not 0 <= row + side * k < len(plane.cells):
                    eta[side] = 0
                    break
                eta[side] += plane(row + side * k, col + p)
    first, second, third, _ = sorted([phi_up, phi_down, *eta.values()])
    return first + second + third


def donut(plane, row, col):
    """Return donutPUEstimate; rows are the rings -n to -1, 1 to n, and not every strip steps over 0."""
    n = len(plane.cells) // 2

    def tower(ieta, iphi):
        return 0 if ieta == 0 or abs(ieta) > n else plane(ieta + n - (ieta > 0), iphi)

    jet = row - n + (row >= n)
    ring = [0] * 4
    for ieta in range(jet - 4, jet + 5):
        if abs(ieta) > n or abs(ieta) < 1:
            continue
        across = -1 if jet > 0 and ieta <= 0 else 1 if jet < 0 and ieta >= 0 else 0
        ring[0] += tower(ieta + across, col + 5)
        ring[1] += tower(ieta + across, col - 5)
    for p in range(-4, 5):
        ring[2] += tower(jet + 5, col + p)
        ring[3] += tower(jet - 5, col + p)
    ring.sort(reverse=True)
    return 4 * (ring[1] + ring[2])


def cms_l1_jet_energy(plane, row, col, raw):
    """Return the pile-up estimate and the energy of a jet, given its sum: saturated seeds are an exception."""
    if plane(row, col) in (509, 510, 511):  # kSatHcal, kSatEcal, kSatTower
        return 0, 65535  # kSatJet
    pileup = chunky_donut(plane, row, col)
    return pileup, raw - pileup


def cms_l1_jet(plane):
    return {
        (r, c): plane.total(r, c, square(4))
        for r, c in plane.places
        if plane(r, c) >= 8 and not is_vetoed(plane, r, c, JET_MASK, threshold=8)  # floor(4 GeV / 0.5 GeV)
    }


def cms_l1_cluster(plane):
    """Stage2Layer2ClusterAlgorithmFirmwareImp1: N is the tower at phi - 1, W the one at eta - 1."""
    seed_threshold, cluster_threshold = 4, 2  # floor(2 GeV / 0.5 GeV), floor(1 GeV / 0.5 GeV)
    found = {}
    for r, c in plane.places:
        if plane(r, c) < seed_threshold or is_vetoed(plane, r, c, CLUSTER_MASK, seed_threshold):
            continue
        towers = {
            "NW": (-1, -1),
            "W": (-1, 0),
            "SW": (-1, 1),
            "NN": (0, -2),
            "N": (0, -1),
            "seed": (0, 0),
            "S": (0, 1),
            "SS": (0, 2),
            "NE": (1, -1),
            "E": (1, 0),
            "SE": (1, 1),
        }
        include = {word: plane(r + d, c + p) >= cluster_threshold for word, (d, p) in towers.items()}
        if not include["N"]:
            include["NN"] = False
        if not include["S"]:
            include["SS"] = False
        right = left = 0
        for word in ("NE", "E", "SE"):
            right += plane(r + towers[word][0], c + towers[word][1]) if include[word] else 0
        for word in ("NW", "W", "SW"):
            left += plane(r + towers[word][0], c + towers[word][1]) if include[word] else 0
        for word in ("NW", "W", "SW") if right >= left else ("NE", "E", "SE"):
            include[word] = False
        found[r, c] = plane.total(r, c, [offset for word, offset in towers.items() if include[word]])
    return found


def is_histogram_seed(plane, row, col, offsets):
    """Phase1L1TJetProducer::findSeeds, with its two branches."""
    own = plane(row, col)
    for deta, dphi in offsets:
        other = plane(row + deta, col + dphi)
        must_exceed = dphi > -deta if dphi > 0 else dphi >= -deta
        if not (own > other if must_exceed else own >= other):
            return False
    return own >= 5


def is_trimmed(deta, dphi, half=3):
    """Phase1L1TJetProducer::trimTower."""
    if deta in (-half, half):
        return dphi <= -half + 1 or dphi >= half - 1
    return deta in (-half + 1, half - 1) and dphi in (-half, half)


def cms_phase2_jet(plane, half=3, *, trimmed=False):
    window = [offset for offset in square(half) if not (trimmed and is_trimmed(*offset))]
    search = [offset for offset in window if offset != (0, 0)]
    return {
        (r, c): plane.total(r, c, window) for r, c in plane.places if is_histogram_seed(plane, r, c, search)
    }


def cms_phase2_jet_energy(plane, row, col, raw):
    """Return the pile-up estimate and the energy of a 9x9 jet, given its sum."""
    pileup = chunky_donut(plane, row, col)
    return pileup, raw - pileup


def cms_phase2_gct_jet(plane, n_jets=10):
    """Towers above 1 GeV, makeST, then getRegion n times: of equal supertowers bestOf2 takes the latter."""
    n_rows, n_cols = -(-len(plane.cells) // 3), -(-len(plane.cells[0]) // 3)
    supertowers = Plane([[0] * n_cols for _ in range(n_rows)], plane.closed)
    for r, c in plane.places:
        supertowers.cells[r // 3][c // 3] += plane(r, c) if plane(r, c) > 1 else 0
    found = {}
    for _ in range(n_jets):
        seed, highest = None, 0
        for r, c in supertowers.places:
            if supertowers(r, c) > 0 and supertowers(r, c) >= highest:
                seed, highest = (r, c), supertowers(r, c)
        if seed is None:
            break
        found[seed] = supertowers.total(*seed, square(1))
        for d, p in square(1):
            if place := supertowers.at(seed[0] + d, seed[1] + p):
                supertowers.cells[place[0]][place[1]] = 0
    return found


def cms_hgcal_tpg(plane):
    """HistoMaxC3d: (R, phi)."""
    strict = [(-1, 0), (0, -1), (1, -1), (-1, -1)]
    not_strict = [(1, 0), (0, 1), (1, 1), (-1, 1)]
    return {
        (r, c): None
        for r, c in plane.places
        if plane(r, c) > 0
        and all(plane(r, c) > plane(r + d, c + p) for d, p in strict)
        and all(plane(r, c) >= plane(r + d, c + p) for d, p in not_strict)
    }


def cms_pf(plane):
    """LocalMaximumSeedFinder: a heap of energies; of equal ones the first in place is on top."""
    queue = sorted((-plane(r, c), r, c) for r, c in plane.places if plane(r, c) >= 230)
    unusable, found = set(), {}
    for _, r, c in queue:
        if (r, c) in unusable:
            continue
        neighbours = [place for d, p in around(1) if (place := plane.at(r + d, c + p))]
        if all(plane(*place) <= plane(r, c) for place in neighbours):
            found[r, c] = None
            unusable.update(neighbours)
    return found


# ------------------------------------------------------------------------------------------------------ ATLAS


def atlas_efex_egamma(plane):
    """eFEXegAlgo::setSeed: left is eta - 1, up is phi + 1."""
    found = {}
    for r, c in plane.places:
        seed = plane(r, c)
        left, left_up, left_down = plane(r - 1, c), plane(r - 1, c + 1), plane(r - 1, c - 1)
        right, right_up, right_down = plane(r + 1, c), plane(r + 1, c + 1), plane(r + 1, c - 1)
        up, down = plane(r, c + 1), plane(r, c - 1)
        horizontally = seed >= left and seed > right
        above = seed >= left_up and seed > up and seed > right_up
        below = seed >= left_down and seed >= down and seed > right_down
        if horizontally and above and below and seed > 0:
            found[r, c] = None
    return found


def atlas_efex_tau(plane):
    """eFEXtauAlgoBase::isCentralTowerSeed."""
    found = {}
    for r, c in plane.places:
        is_seed = plane(r, c) > 0
        for beta, bphi in itertools.product(range(3), repeat=2):
            other = plane(r + beta - 1, c + bphi - 1)
            if beta == 2 or (beta == 1 and bphi == 2):
                is_seed &= plane(r, c) > other
            elif beta == 0 or (beta == 1 and bphi == 0):
                is_seed &= plane(r, c) >= other
        if is_seed:
            found[r, c] = None
    return found


def jfex_table(plane, row, col):
    """Return the 7x7 towers about one as the jFEX has them, table[phi][eta] with phi flipped."""
    table = [[plane(row + eta - 3, col + phi - 3) for eta in range(7)] for phi in range(7)]
    return table[::-1]


def jfex_seeds(plane, row, col):
    """Return the 5x5 sums of 3x3 towers of that table, added eta by eta."""
    table = jfex_table(plane, row, col)
    sums = [[0] * 5 for _ in range(5)]
    for a, b in itertools.product(range(5), repeat=2):
        for eta, phi in itertools.product(range(3), reversed(range(3))):
            sums[a][b] += table[a + phi][b + eta]
    return sums


def is_jfex_maximum(plane, row, col, *, within=True):
    """jFEXSmallRJetAlgo::CalculateLM; `within`: what is centred beyond an edge is not compared."""
    seeds = jfex_seeds(plane, row, col)
    for iphi, ieta in itertools.product(range(5), repeat=2):
        if within and plane.at(row + ieta - 2, col - (iphi - 2)) is None:
            continue
        if (iphi > ieta or (iphi, ieta) in ((0, 0), (1, 1))) and seeds[2][2] < seeds[iphi][ieta]:
            return False
        if (iphi < ieta or (iphi, ieta) in ((3, 3), (4, 4))) and seeds[2][2] <= seeds[iphi][ieta]:
            return False
    return seeds[2][2] > 0


def atlas_jfex(plane, *, within=True):
    window = [(d, p) for d, p in square(3) if d * d + p * p < 16]
    return {
        (r, c): plane.total(r, c, window)
        for r, c in plane.places
        if is_jfex_maximum(plane, r, c, within=within)
    }


def atlas_l1_jet_roi(plane, *, within=True):
    """JetAlgorithm: nine cores of 2x2 elements, cores[iphi + 3 * ieta], number 4 that of the window."""
    found = {}
    for r, c in plane.places:
        cores = [0] * 9
        for ieta, iphi in itertools.product(range(3), repeat=2):
            corner = (r + ieta - 1, c + iphi - 1)
            if within and plane.at(*corner) is None:
                cores[iphi + 3 * ieta] = -math.inf
                continue
            cores[iphi + 3 * ieta] = plane.total(*corner, itertools.product(range(2), repeat=2))
        if cores[4] > 0 and cores[4] >= max(cores[:4]) and cores[4] > max(cores[5:]):
            found[r, c] = plane.total(r, c, itertools.product(range(-1, 3), repeat=2))
    return found


# ----------------------------------------------------------------------------------------------- LHCb, ALICE


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


# ----------------------------------------------------------------------------------------------------- others


def belle2_ecl(plane):
    """ECLLocalMaximumFinder: a neighbour vetoes if it has more."""
    found = {}
    for r, c in plane.places:
        if plane(r, c) >= 10 and max(plane(r + d, c + p) for d, p in around(1)) <= plane(r, c):
            found[r, c] = None
    return found


def sphenix_clusters(plane):
    """BEmcRec::FindClusters: runs of towers in a row, glued to those of the row before by common edges.

    A list of [channel, energy] for each cluster, the channel being iy * Nx + ix.
    """
    n_x = len(plane.cells[0])
    hits = [[r * n_x + c, plane(r, c)] for r, c in plane.places if plane(r, c) > 20]
    clusters = []  # in the order in which they end
    for k, hit in enumerate(hits):
        if k and hit[0] - hits[k - 1][0] == 1 and hit[0] % n_x:
            clusters[-1].append(hit)
            continue
        clusters.append([hit])
    runs, clusters = clusters, []
    for run in runs:
        begin, end = run[0][0], run[-1][0]
        others, glued = [], []
        for cluster in clusters:
            touches = any(begin <= ich + n_x <= end for ich, _ in cluster)
            if plane.closed and end % n_x == n_x - 1:
                touches |= any(end - ich == n_x - 1 for ich, _ in cluster)
            (glued if touches else others).append(cluster)
        clusters = [*others, [hit for cluster in [*glued, run] for hit in cluster]]
    return clusters


def sphenix_bemc(plane):
    """BEmcCluster::GetSubClusters: the maxima of a cluster, or its highest tower (GetMaxTower)."""
    n_x, found = len(plane.cells[0]), {}

    def distance(first, second):
        apart = abs(first % n_x - second % n_x)
        return min(apart, n_x - apart) if plane.closed else apart

    for cluster in sphenix_clusters(plane):
        peaks = []
        for ich, energy in cluster:
            rivals = [
                (other, e)
                for other, e in cluster
                if other != ich and abs(other // n_x - ich // n_x) <= 1 and distance(ich, other) <= 1
            ]
            if energy > 200 and not any(e >= energy if other > ich else e > energy for other, e in rivals):
                peaks.append(ich)
        if not peaks:
            highest = 0
            for ich, energy in cluster:
                if energy > highest:
                    highest, peaks = energy, [ich]
        found |= {divmod(ich, n_x): None for ich in peaks}
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


class Published(NamedTuple):
    """An algorithm, the GeV in a count, and cells in counts that its thresholds make interesting."""

    find: object
    unit: float
    levels: tuple = (0, 0, 1, 2)


PUBLISHED = {
    "alice-emcal-nxn": Published(alice_emcal_nxn, 0.001, (0, 49, 50, 51, 99, 100, 101, 180)),
    "alice-tpc": Published(alice_tpc, 1, (0, 2, 3, 4, 9)),
    "atlas-efex-egamma": Published(atlas_efex_egamma, 1),
    "atlas-efex-tau": Published(atlas_efex_tau, 1),
    "atlas-jfex": Published(atlas_jfex, 1),
    "atlas-l1-jet-roi": Published(atlas_l1_jet_roi, 1),
    "belle2-ecl": Published(belle2_ecl, 0.001, (0, 9, 10, 11)),
    "cms-hgcal-tpg": Published(cms_hgcal_tpg, 1),
    "cms-l1-egamma": Published(cms_l1_cluster, 0.5, (0, 1, 2, 3, 4, 5)),
    "cms-l1-jet": Published(cms_l1_jet, 0.5, (0, 0, 1, 7, 8, 9, 508, 509, 510, 511, 512)),
    "cms-l1-tau": Published(cms_l1_cluster, 0.5, (0, 1, 2, 3, 4, 5)),
    "cms-pf": Published(cms_pf, 0.001, (0, 229, 230, 231)),
    "cms-phase2-gct-jet": Published(cms_phase2_gct_jet, 1),
    "cms-phase2-jet": Published(cms_phase2_jet, 1, (0, 4, 5, 6)),
    "cms-phase2-jet-9x9": Published(functools.partial(cms_phase2_jet, half=4), 1, (0, 4, 5, 6)),
    "cms-phase2-jet-trimmed": Published(functools.partial(cms_phase2_jet, trimmed=True), 1, (0, 4, 5, 6)),
    "crystal-3x3": Published(functools.partial(crystals, half=1), 1),
    "crystal-5x5": Published(functools.partial(crystals, half=2), 1),
    "fcc-sliding-window": Published(fcc_sliding_window, 1, (0,) * 9 + (1,)),
    "heatmap-nms": Published(heatmap_nms, 1),
    "keras-3x3": Published(keras_3x3, 1),
    "kornia-nms": Published(kornia_nms, 1),
    "lhcb-allen": Published(lhcb_allen, 1, (0, 9, 10, 11, 49, 50, 51)),
    "lhcb-calo": Published(lhcb_calo, 1),
    "sphenix-bemc": Published(sphenix_bemc, 0.001, (0, 19, 20, 199, 200, 201)),
}
