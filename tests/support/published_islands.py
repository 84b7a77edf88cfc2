"""The algorithms of islands: groups of cells, what is a peak in them, and what is taken in turn.

Plain loops, each written from its source; nothing here imports the package.
"""

from published_plane import around

EDGES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


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


def islands(plane, is_member, steps):
    """Return the islands of cells that are joined by steps, each a list of places as they were met."""
    members = [place for place in plane.places if is_member(plane(*place))]
    seen, found = set(), []
    for first in members:
        if first in seen:
            continue
        island, grown = [first], 0
        seen.add(first)
        while grown < len(island):
            r, c = island[grown]
            grown += 1
            for d, p in steps:
                place = plane.at(r + d, c + p)
                if place is not None and place not in seen and is_member(plane(*place)):
                    seen.add(place)
                    island.append(place)
        found.append(island)
    return found


def beside(plane, place):
    """Return the cells that have an edge or a corner in common with one."""
    return {plane.at(place[0] + d, place[1] + p) for d, p in around(1)} - {None, place}


def eicrecon_island(plane):
    """CalorimeterIslandCluster: find_maxima in each group of hits from 1 MeV."""
    found = {}
    for group in islands(plane, lambda energy: energy >= 1, EDGES):
        for center in group:
            if plane(*center) < 30:
                continue
            if not any(plane(*hit) > plane(*center) for hit in beside(plane, center) & set(group)):
                found[center] = None
    return found


def gluex_fcal_island(plane, *, limited=False):
    """DFCALCluster_factory_Island: peak candidates of each island; `limited` as in the source, by its size."""
    found = {}
    for island in islands(plane, lambda energy: energy > 0, around(1)):
        if limited and len(island) < 4:
            continue
        candidates = {}
        for block in sorted(island):  # columns, then rows
            if limited and len(island) <= 3 * (len(candidates) + 1):
                break
            if plane(*block) <= 35:
                continue
            got_peak, hits = True, [block]
            for d, p in around(1):
                place = plane.at(block[0] + d, block[1] + p)
                if place is None or plane(*place) < 1:
                    continue
                got_peak = plane(*block) - plane(*place) > 0 and got_peak
                hits.append(place)
            if got_peak:
                offsets = [(d, p) for d in (-1, 0, 1) for p in (-1, 0, 1)]
                total = 0
                for d, p in offsets:
                    energy = plane(block[0] + d, block[1] + p)
                    total += energy if energy >= 1 else 0
                candidates[block] = total
        found |= candidates
    return found


def alice_phos(plane, *, lowest=200):
    """AliPHOSClusterizerv1 and AliPHOSEmcRecPoint::GetNumberOfLocalMax, the maxima above `lowest`."""
    found = {}
    for digits in islands(plane, lambda energy: energy > 10, around(1)):
        if not any(plane(*digit) > 200 for digit in digits):
            continue
        max_at = dict.fromkeys(digits, True)
        for digit in digits:
            if not max_at[digit]:
                continue
            for other in beside(plane, digit) & set(digits):
                if plane(*digit) > plane(*other):
                    max_at[other] = False
                    if plane(*digit) < plane(*other) + 30:
                        max_at[digit] = False
                else:
                    max_at[digit] = False
                    if plane(*digit) > plane(*other) - 30:
                        max_at[other] = False
        found |= {digit: None for digit in digits if max_at[digit] and plane(*digit) > lowest}
    return found


def bes3_emc(plane):
    """EmcRecSeedEThreshold: the hits of a map, one after the other."""
    seeds = []
    for hit in plane.places:
        is_max = plane(*hit) > 0
        if is_max:
            is_max = not any(plane(hit[0] + d, hit[1] + p) > plane(*hit) for d, p in around(1))
        if beside(plane, hit) & set(seeds):
            is_max = False
        if is_max:
            seeds.append(hit)
    return dict.fromkeys(seeds)


def padme_ecal(plane):
    """ECalClusterFinderRadius: crystals of 21 mm with a gap of 0.25 mm, discs of 50 mm."""
    size, radius, reach = 21 + 0.25, 50.0, int(50.0 / (21 + 0.25))
    disc = [
        (dx, dy)
        for dx in range(-reach, reach + 1)
        for dy in range(-reach, reach + 1)
        if (dx, dy) != (0, 0) and (dx * size) ** 2 + (dy * size) ** 2 <= radius**2
    ]
    used, found = set(), {}
    for seed in sorted(plane.places, key=lambda place: (-plane(*place), *place)):
        if seed in used or plane(*seed) <= 10:
            continue
        used.add(seed)
        crystals = [(0, 0)]
        for d, p in disc:
            place = plane.at(seed[0] + d, seed[1] + p)
            if place is not None and place not in used and plane(*place) > 1:
                used.add(place)
                crystals.append((d, p))
        found[seed] = plane.total(*seed, sorted(crystals))
    return found


def clas12_ftcal(plane):
    """FTCALReconstruction: of equal hits the sort has the later one first; the first hit of every cluster."""
    hits, clusters = [place for place in plane.places if plane(*place) > 0], []
    hits.reverse()
    hits.sort(key=lambda place: -plane(*place))
    for hit in hits:
        near = beside(plane, hit)
        for cluster in clusters:
            if near & set(cluster):
                cluster.append(hit)
                break
        else:
            clusters.append([hit])
    return {cluster[0]: None for cluster in clusters}
