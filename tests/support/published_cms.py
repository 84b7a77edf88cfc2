"""The algorithms of CMS as plain loops, each written from its source; nothing here imports the package."""

from published_plane import Plane, around, square

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
    """Return whether a seed vetoes another; what is below the threshold is not a seed and counts 0."""
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


def cms_l1_stage1_jet(plane):
    """JetFinderMethods, slidingWindowJetFinder: N is the region at phi - 1, W the one at eta - 1."""
    found = {}
    for r, c in plane.places:
        region = plane(r, c)
        if region <= 20:  # floor(10 GeV / 0.5 GeV + 0.5)
            continue
        n, s, e, w = plane(r, c - 1), plane(r, c + 1), plane(r + 1, c), plane(r - 1, c)
        ne, se, nw, sw = plane(r + 1, c - 1), plane(r + 1, c + 1), plane(r - 1, c - 1), plane(r - 1, c + 1)
        if (
            region > n
            and region > nw
            and region > w
            and region > sw
            and region >= ne
            and region >= e
            and region >= se
            and region >= s
        ):
            found[r, c] = plane.total(r, c, square(1))
    return found
