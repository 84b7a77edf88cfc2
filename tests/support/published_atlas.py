"""The algorithms of ATLAS as plain loops, each written from its source; nothing here imports the package."""

import itertools
import math

from published_plane import square


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


def em_cores(plane, row, col):
    """CPMTobAlgorithm: every tower of 4x4 is part of up to four of the nine cores[iphi + 3 * ieta]."""
    cores = [0] * 9
    for eta, phi in itertools.product(range(-1, 3), repeat=2):
        tower = plane(row + eta, col + phi)
        if eta >= 0 and phi >= 0:
            cores[phi + 3 * eta] += tower
        if eta >= 0 and phi < 2:
            cores[phi + 3 * eta + 1] += tower
        if eta < 2 and phi >= 0:
            cores[phi + 3 * eta + 3] += tower
        if eta < 2 and phi < 2:
            cores[phi + 3 * eta + 4] += tower
    return cores


def atlas_l1_em_roi(plane, *, within=True):
    """CPMTobAlgorithm, testEtMax: core number 4 is the RoI."""
    found = {}
    for r, c in plane.places:
        cores = em_cores(plane, r, c)
        for n in range(9):
            if within and plane.at(r + n // 3 - 1, c + n % 3 - 1) is None:
                cores[n] = -math.inf
        is_below = any(cores[4] < cores[n] for n in range(4))
        is_not_above = any(cores[4] <= cores[n] for n in range(5, 9))
        if cores[4] > 0 and not is_below and not is_not_above:
            found[r, c] = None
    return found


def gfex_blocks(plane, *, exact=True):
    """gBlockAB: the sums of 3x3 gTowers; unless exact, in steps of 800 MeV and limited to 12 bits."""
    blocks = {place: plane.total(*place, square(1)) for place in plane.places}
    if exact:
        return blocks
    quarters = {place: abs(block) // 4 * (1 if block > 0 else -1) for place, block in blocks.items()}
    return {place: min(max(block, 0), 4091) for place, block in quarters.items()}


def atlas_gfex_block(plane, *, exact=True):
    """gBlockMax2: the highest block, the first of equal ones, and the highest that does not touch it."""
    blocks, found = gfex_blocks(plane, exact=exact), {}
    for _ in range(2):
        leading, highest = None, 0
        for place, block in blocks.items():
            if block > highest:
                leading, highest = place, block
        if leading is None:
            break
        found[leading] = None
        for d, p in square(1):
            if place := plane.at(leading[0] + d, leading[1] + p):
                blocks[place] = 0
    return found


def gfex_highest(blocks):
    """gBlockMax192: the tournament of 6 x 32 blocks, of which the three pairs of columns meet in the end."""
    entries = [(blocks[eta, phi], (eta, phi)) for eta in range(6) for phi in range(32)]
    while len(entries) > 3:
        pairs = zip(entries[::2], entries[1::2], strict=True)
        entries = [second if second[0] > first[0] else first for first, second in pairs]
    first, second, third = entries
    if second[0] > first[0] and second[0] > third[0]:
        return second[1]
    return first[1] if first[0] > third[0] else third[1]
