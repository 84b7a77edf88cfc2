"""The definition of the whole rule space, as plain as it can be written: one cell at a time, no arrays.

It extends `oracle` from peaks to clusters: seed windows, noise, greedy rules, gates, sharing, pile-up, shapes,
towers. It must not import the package. A grid is one event, a list of rows; inside, the cells are a dict
{(row, col): value} in row-major order, without an entry for a cell that does not exist. Every sum starts at 0
and is made in the order written here.
"""

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import NamedTuple

from oracle import is_strict, read_window

DEFAULTS = {
    "search_window": (3, 3),
    "sum_window": (3, 3),
    "seed_window": (1, 1),
    "partial_seed_windows": True,
    "quantity": "energy",
    "tie_rule": "first",
    "greedy_ties": "first",
    "seed_threshold": 0,
    "seed_comparison": ">",
    "cell_threshold": None,
    "cell_comparison": ">=",
    "cell_threshold_abs": False,
    "keep_stronger_side": None,
    "overlap": "shared",
    "sum_threshold": None,
    "sum_comparison": ">=",
    "sum_threshold_on": "sum",
    "min_seed_gap": None,
    "min_prominence": None,
    "min_neighbours": 0,
    "neighbour_threshold": 0,
    "pileup": (),
    "subtract": None,
    "position": "seed",
    "w0": 4.5,
    "isolation_depth": 1,
    "coarsen": (1, 1),
    "pool_by": "sum",
    "allow_partial_towers": False,
    "sum_over": "towers",
    "masked": "absent",
}


class NotPositiveError(ValueError):
    """A cell cannot be shared in proportion to something that is not positive."""


def find_clusters(grid, *, noise=None, mask=None, periodic=(False, False), saturated=(), axes=None, **settings):
    """Return every cluster of one event as a dict of its fields, in the order of (row, col).

    The settings are those of `DEFAULTS`; noise and mask are rows as the grid is. `axes` are (name, edges) of
    rows and columns, or None: those of the cells, which must not be pooled then. All clusters that pass the
    cuts are here: no largest sums are chosen yet.
    """
    unknown = set(settings) - set(DEFAULTS)
    assert not unknown, unknown
    how = SimpleNamespace(**{**DEFAULTS, **settings})

    fine = Layer(*existing(grid, mask, how), noise_of(grid, noise), Plane(len(grid), len(grid[0]), periodic))
    coarse = towers(fine, how)
    q = searched(coarse, how)
    seeds = find_seeds(q, coarse, how)
    claims = {seed: added_cells(seed, fine, coarse, how) for seed in seeds}
    clusters = [
        describe(seed, shares, q, fine, coarse, how, saturated, axes)
        for seed, shares in share(claims, q, coarse.plane, how).items()
    ]
    return [cluster for cluster in clusters if is_kept(cluster, how)]


# -------------------------------------------------------------------------------------------------- the plane


class Plane(NamedTuple):
    """How many cells there are along the rows and the columns, and which axes close on themselves."""

    n_rows: int
    n_cols: int
    periodic: tuple[bool, bool]

    def at(self, place, offset):
        """Return the place at an offset from another, or None: beyond an edge there are no cells."""
        there = [place[0] + offset[0], place[1] + offset[1]]
        for axis, size in enumerate((self.n_rows, self.n_cols)):
            if self.periodic[axis]:
                there[axis] %= size
            if not 0 <= there[axis] < size:
                return None
        return tuple(there)

    def squared_distance(self, offset):
        """Return d^2 + p^2, on a periodic axis the short way."""
        d, p = (
            min(x % size, -x % size) if closed else x
            for x, size, closed in zip(offset, (self.n_rows, self.n_cols), self.periodic, strict=True)
        )
        return d**2 + p**2


class Layer(NamedTuple):
    """Cells, or towers of them: their values, which of them may not seed, their noise, and their plane."""

    cells: dict
    hidden: set
    noise: dict
    plane: Plane

    def around(self, place, offsets):
        """Return {offset: place} of the cells at the offsets that exist."""
        there = {offset: self.plane.at(place, offset) for offset in offsets}
        return {offset: other for offset, other in there.items() if other in self.cells}

    def total(self, place, offsets):
        """Return the sum of the cells at the offsets that exist."""
        return add(self.cells[other] for other in self.around(place, offsets).values())


def add(values):
    """Return the sum, one after the other (Python's own `sum` of floats compensates for rounding)."""
    total = 0
    for value in values:
        total += value
    return total


def in_quadrature(noises):
    """Return the noise of a sum."""
    return math.sqrt(add(noise * noise for noise in noises))


def existing(grid, mask, how):
    """Return the cells that exist, and those among them that are masked: as zeros, if not absent."""
    places = [(row, col) for row in range(len(grid)) for col in range(len(grid[0]))]
    hidden = {(row, col) for row, col in places if mask is not None and mask[row][col]}
    cells = {
        (row, col): 0 if (row, col) in hidden else grid[row][col]
        for row, col in places
        if how.masked == "zero" or (row, col) not in hidden
    }
    return cells, hidden


def noise_of(grid, noise):
    """Return the noise of every cell; nothing if there is none."""
    rows = noise or []
    return {(row, col): value for row, line in enumerate(rows) for col, value in enumerate(line)}


def towers(fine, how):
    """Return the cells pooled into towers; a tower without any cell does not exist."""
    n_rows, n_cols, periodic = fine.plane
    if how.coarsen == (1, 1):
        return fine
    for size, n, closed in zip((n_rows, n_cols), how.coarsen, periodic, strict=True):
        if size % n and (closed or not how.allow_partial_towers):
            raise ValueError
    k, m = how.coarsen
    inside = {}
    for row, col in fine.cells:
        inside.setdefault((row // k, col // m), []).append((row, col))
    pool = {"sum": add, "max": max}[how.pool_by]
    values = {tower: pool([fine.cells[cell] for cell in cells]) for tower, cells in sorted(inside.items())}
    seen = {(row // k, col // m) for row, col in fine.cells if (row, col) not in fine.hidden}
    noise = {
        tower: in_quadrature(fine.noise[cell] for cell in cells)
        for tower, cells in inside.items()
        if fine.noise
    }
    return Layer(values, set(values) - seen, noise, Plane(-(-n_rows // k), -(-n_cols // m), periodic))


# -------------------------------------------------------------------------------------------------- the seeds


def searched(coarse, how):
    """Return q, what is compared: sums of the seed window, or how many sigma they are."""
    offsets = read_window(how.seed_window)
    q = {}
    for place in coarse.cells:
        if not how.partial_seed_windows and any(coarse.plane.at(place, offset) is None for offset in offsets):
            continue
        q[place] = coarse.total(place, offsets)
        if how.quantity == "significance":
            q[place] = q[place] / noise_around(coarse, place, offsets)
    return q


def noise_around(coarse, place, offsets):
    """Return the noise of a sum of existing cells at the offsets."""
    return in_quadrature(coarse.noise[other] for other in coarse.around(place, offsets).values())


def passes(value, threshold, comparison, noise=1.0):
    """Return whether a value passes a threshold: a number, or such as "5 sigma" a multiple of the noise."""
    if isinstance(threshold, str):
        threshold = float(threshold.removesuffix(" sigma")) * noise
    return value > threshold if comparison == ">" else value >= threshold


def find_seeds(q, coarse, how):
    """Return the places of the seeds, in the order of (row, col)."""
    candidates = {place for place in q if place not in coarse.hidden and is_high(q, place, coarse, how)}
    search, window = read_window(how.search_window), read_window(how.sum_window)
    if how.tie_rule != "greedy-residual":
        candidates = {place for place in candidates if is_maximum(q, place, search, coarse, how)}
    if how.tie_rule == "greedy":
        candidates = one_after_the_other(candidates, search, q, coarse.plane, how)
    elif how.tie_rule == "greedy-residual":
        candidates = one_after_the_other(candidates, {**search, **window}, q, coarse.plane, how)
    if how.overlap == "suppress":
        candidates = one_after_the_other(candidates, window, q, coarse.plane, how)
    return sorted(candidates)


def is_high(q, place, coarse, how):
    """Return whether q passes the seed threshold."""
    is_sigmas = isinstance(how.seed_threshold, str) and how.quantity == "energy"
    noise = noise_around(coarse, place, read_window(how.seed_window)) if is_sigmas else 1.0
    return passes(q[place], how.seed_threshold, how.seed_comparison, noise)


def is_maximum(q, place, search, coarse, how):
    """Return whether a cell beats every other cell of its search window."""
    drawn = isinstance(how.search_window, str) and set(how.search_window) & set(">=")
    rule = "drawn" if drawn else "all" if how.tie_rule == "greedy" else how.tie_rule
    for offset, mark in search.items():
        other = coarse.plane.at(place, offset)
        if mark == "o" or other not in q:
            continue
        if q[other] > q[place] or (q[other] == q[place] and is_strict(rule, mark, place, other, offset)):
            return False
    return True


def in_order(places, q, how):
    """Return the places, highest q first; equal ones from the first (row, col), or from the last."""
    from_first = sorted(places, reverse=how.greedy_ties == "last")
    return sorted(from_first, key=lambda place: -q[place])


def one_after_the_other(candidates, offsets, q, plane, how):
    """Return who is accepted, the highest first: a candidate at an offset from an accepted one is not."""
    accepted = []
    for place in in_order(candidates, q, how):
        if not any(plane.at(higher, offset) == place for higher in accepted for offset in offsets):
            accepted.append(place)
    return accepted


# ---------------------------------------------------------------------------------------------------- the sums


class Claim(NamedTuple):
    """A cell that a cluster adds: where it is, how far from the seed in searched cells, and its value."""

    place: tuple[int, int]
    apart: tuple[int, int]
    value: float


def added_layer(fine, coarse, how):
    """Return the layer whose cells are added."""
    return fine if how.sum_over == "cells" else coarse


def added_cells(seed, fine, coarse, how):
    """Return {offset: claim} of the cells of the sum window that are added, row-major."""
    marks, layer = read_window(how.sum_window), added_layer(fine, coarse, how)
    k, m = how.coarsen if how.sum_over == "cells" else (1, 1)
    apart = {(d * k + i, p * m + j): (d, p) for d, p in marks for i in range(k) for j in range(m)}
    places = layer.around((seed[0] * k, seed[1] * m), sorted(apart))

    def is_added(offset):
        if offset not in places or not is_large(places[offset], layer, how):
            return False
        is_gated = marks[apart[offset]] == "g"
        return is_added(one_step_inside(offset)) if is_gated else True

    added = {o: Claim(places[o], apart[o], layer.cells[places[o]]) for o in places if is_added(o)}
    return added if how.keep_stronger_side is None else on_the_stronger_side(added, how)


def is_large(place, layer, how):
    """Return whether a cell passes the cell threshold."""
    if how.cell_threshold is None:
        return True
    value = abs(layer.cells[place]) if how.cell_threshold_abs else layer.cells[place]
    return passes(value, how.cell_threshold, how.cell_comparison, layer.noise.get(place))


def one_step_inside(offset):
    """Return the offset one ring nearer to the seed."""
    ring = max(abs(x) for x in offset)
    return tuple(x - (x > 0) + (x < 0) if abs(x) == ring else x for x in offset)


def on_the_stronger_side(added, how):
    """Return the middle and the side of the larger sum; of equal sides the higher."""
    axis = {"rows": 0, "cols": 1}[how.keep_stronger_side]
    low, high = (
        add(claim.value for claim in added.values() if claim.apart[axis] * side > 0) for side in (-1, 1)
    )
    stays = (lambda x: x >= 0) if high >= low else (lambda x: x <= 0)
    return {offset: claim for offset, claim in added.items() if stays(claim.apart[axis])}


class Share(NamedTuple):
    """What a cluster holds of a cell: its own part, and whether others have a claim to the cell, too."""

    place: tuple[int, int]
    part: float
    contested: bool


def share(claims, q, plane, how):
    """Return {seed: {offset: share}}: what every cluster holds of the cells that it claims."""
    holders = {}
    for seed, claimed in claims.items():
        for claim in claimed.values():
            holders.setdefault(claim.place, {})[seed] = claim
    policy = "highest" if how.tie_rule == "greedy-residual" else how.overlap
    worth = what_they_are_worth(claims, q, policy)
    shares = {seed: {} for seed in claims}
    for seed, claimed in claims.items():
        for offset, claim in claimed.items():
            others = holders[claim.place]
            if policy in ("highest", "nearest") and seed != owner(others, q, plane, policy, how):
                continue
            part = claim.value
            if worth:
                part = float(part)
                if len(others) > 1:
                    part = part * worth[seed] / add(worth[other] for other in others)
            shares[seed][offset] = Share(claim.place, part, len(others) > 1)
    return shares


def what_they_are_worth(claims, q, policy):
    """Return in proportion to what the clusters divide a cell; nothing if they do not divide it."""
    if policy == "equal":
        return dict.fromkeys(claims, 1.0)
    if policy not in ("proportional", "proportional-sum"):
        return {}
    sums = {seed: add(claim.value for claim in claimed.values()) for seed, claimed in claims.items()}
    worth = {seed: float(q[seed] if policy == "proportional" else sums[seed]) for seed in claims}
    if any(value <= 0 for value in worth.values()):
        raise NotPositiveError
    return worth


def owner(holders, q, plane, policy, how):
    """Return the seed that gets the whole cell, of those that have a claim to it."""
    ranked = in_order(holders, q, how)
    if policy == "highest":
        return ranked[0]
    return min(ranked, key=lambda seed: plane.squared_distance(holders[seed].apart))  # the first of the nearest


# ------------------------------------------------------------------------------------------------- the clusters


def describe(seed, shares, q, fine, coarse, how, saturated, axes):
    """Return all fields of a cluster."""
    layer = added_layer(fine, coarse, how)
    box = bounding_box(how)
    cluster = {
        "row": seed[0],
        "col": seed[1],
        "seed": q[seed],
        "peak_sum": add(share.part for share in shares.values()),
        "n_cells": len(shares),
        "shared_sum": add(share.part for share in shares.values() if share.contested),
        "seed_gap": seed_gap(seed, q, coarse, how),
        "prominence": prominence(seed, q, coarse.plane),
        "n_neighbours": n_neighbours(seed, q, coarse, how),
        "n_saturated": sum(layer.cells[share.place] in saturated for share in shares.values()),
        "e1_e9": ratio(coarse.total(seed, square(1)), coarse.total(seed, square(3))),
        "e9_e25": ratio(coarse.total(seed, square(3)), coarse.total(seed, square(5))),
    }
    cluster["isolation"] = ratio(coarse.total(seed, ring_around(box, how.isolation_depth)), cluster["peak_sum"])
    if layer.noise:
        cluster["noise"] = in_quadrature(layer.noise[share.place] for share in shares.values())
    for asked in how.pileup:
        wanted = pileup_settings(asked, how)
        cluster[wanted.name] = pileup_estimate(wanted, seed, cluster["peak_sum"], coarse, how)
    if how.pileup:
        first = pileup_settings(how.pileup[0], how).name
        cluster["net"] = cluster["peak_sum"] - cluster[how.subtract or first]
    return {**cluster, **shape(seed, shares, coarse, how, axes)}


def is_kept(cluster, how):
    """Return whether a finished cluster passes all cuts."""
    noise = cluster.get("noise")
    cut = how.sum_threshold
    return (
        (
            cut is None
            or passes(
                cluster["net" if how.sum_threshold_on == "net" else "peak_sum"], cut, how.sum_comparison, noise
            )
        )
        and (how.min_seed_gap is None or cluster["seed_gap"] >= how.min_seed_gap)
        and (how.min_prominence is None or cluster["prominence"] >= how.min_prominence)
        and cluster["n_neighbours"] >= how.min_neighbours
    )


def neighbours(seed, q, coarse, how):
    """Return q of the other cells of the search window."""
    places = [
        coarse.plane.at(seed, offset) for offset, mark in read_window(how.search_window).items() if mark != "o"
    ]
    return [q[place] for place in places if place in q]


def seed_gap(seed, q, coarse, how):
    """Return how far a seed stands above the highest other cell of its search window; all of it if none is."""
    return q[seed] - max(neighbours(seed, q, coarse, how), default=0)


def n_neighbours(seed, q, coarse, how):
    """Return how many other cells of the search window exceed the neighbour threshold."""
    return sum(value > how.neighbour_threshold for value in neighbours(seed, q, coarse, how))


def prominence(seed, q, plane):
    """Return how far one has to descend on the way to something higher; if nothing is, to the lowest of all."""
    levels = sorted({value for value in q.values() if value <= q[seed]}, reverse=True)
    for level in levels:
        reached = reachable(seed, q, plane, level)
        if any(q[place] > q[seed] for place in reached):
            return q[seed] - level
    return q[seed] - min(q[place] for place in reachable(seed, q, plane, levels[-1]))


def reachable(seed, q, plane, level):
    """Return all places that one can walk to, from neighbour to neighbour, without going below the level."""
    reached, to_visit = {seed}, [seed]
    while to_visit:
        here = to_visit.pop()
        for offset in square(3):
            place = plane.at(here, offset)
            if place in q and q[place] >= level and place not in reached:
                reached.add(place)
                to_visit.append(place)
    return reached


def square(n):
    """Return the offsets of n x n cells about the seed, row-major."""
    return list(read_window((n, n)))


def ratio(top, bottom):
    """Return top / bottom, 0 if there is nothing to divide by."""
    return 0.0 if bottom == 0 else top / bottom


# --------------------------------------------------------------------------------------------------- pile-up


class Box(NamedTuple):
    """How far a window reaches: first and last offset in rows and in columns."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def n_rows(self):
        return self.bottom - self.top + 1

    @property
    def n_cols(self):
        return self.right - self.left + 1

    @property
    def area(self):
        return self.n_rows * self.n_cols


def bounding_box(how):
    """Return the box around the sum window."""
    rows, cols = zip(*read_window(how.sum_window), strict=True)
    return Box(min(rows), max(rows), min(cols), max(cols))


def ring_around(box, depth):
    """Return the offsets of the cells around a box, up to `depth` cells from it, row-major."""
    return [
        (d, p)
        for d in range(box.top - depth, box.bottom + depth + 1)
        for p in range(box.left - depth, box.right + depth + 1)
        if not (box.top <= d <= box.bottom and box.left <= p <= box.right)
    ]


def strips(box, depth, length):
    """Return the offsets of the four strips that flank a box, `depth` cells deep, `length` cells long."""
    along = range(-(length // 2), length // 2 + 1)
    above, below = range(box.top - depth, box.top), range(box.bottom + 1, box.bottom + depth + 1)
    left, right = range(box.left - depth, box.left), range(box.right + 1, box.right + depth + 1)
    return (
        [(d, p) for d in above for p in along],
        [(d, p) for d in below for p in along],
        [(d, p) for d in along for p in left],
        [(d, p) for d in along for p in right],
    )


def pileup_settings(asked, how):
    """Return what is asked for, with what is usual for the rest."""
    asked = {"kind": asked} if isinstance(asked, str) else asked
    kind = asked["kind"]
    usual = {
        "name": kind,
        "depth": {"chunky_donut": 3}.get(kind, 1),
        "length": bounding_box(how).n_rows,
        "edge": {"ring_median": "existing"}.get(kind, "zero"),
        "includes_cluster": True,
        "axis": None,
    }
    return SimpleNamespace(**{**usual, **asked})


def pileup_estimate(wanted, seed, total, coarse, how):
    """Return the estimate, from all cells that exist, whatever clusters there are."""
    if wanted.kind == "phi_ring":
        return phi_ring(wanted, seed, total, coarse, how)
    if wanted.kind == "ring_median":
        return ring_median(wanted, seed, coarse, how)
    return donut(wanted, seed, coarse, how)


def donut(wanted, seed, coarse, how):
    """Return the three smallest of the strips, or four times the middle two, scaled to the window."""
    box, sums = bounding_box(how), []
    for strip in strips(box, wanted.depth, wanted.length):
        is_cut = any(coarse.plane.at(seed, offset) is None for offset in strip)
        sums.append(0 if wanted.edge == "strip" and is_cut else coarse.total(seed, strip))
    first, second, third, _ = sorted(sums)
    n_cells = wanted.depth * wanted.length
    if wanted.kind == "chunky_donut":
        return scaled(first + second + third, box.area, 3 * n_cells)
    return scaled(4 * (second + third), box.area * 9, 81 * n_cells)


def scaled(total, numerator, denominator):
    """Return total * numerator / denominator, an integer if the factor is one."""
    factor, rest = divmod(numerator, denominator)
    return total * factor if rest == 0 else total * (numerator / denominator)


def phi_ring(wanted, seed, total, coarse, how):
    """Return the mean of the rings through the window times its area; of integers the whole part of it."""
    n_rows, n_cols, periodic = coarse.plane
    box = bounding_box(how)
    axis = wanted.axis or {(True, False): "rows", (False, True): "cols"}[periodic]
    if axis == "cols":
        offsets, length = [(d, 0) for d in range(box.top, box.bottom + 1)], n_cols
    else:
        offsets, length = [(0, p) for p in range(box.left, box.right + 1)], n_rows
    rings = [coarse.plane.at(seed, offset) for offset in offsets]
    k = 0 if axis == "cols" else 1
    ring = add(
        value
        for there in rings
        if there is not None
        for place, value in coarse.cells.items()
        if place[k] == there[k]
    )
    n_rings = len(rings) if wanted.edge == "zero" else len([there for there in rings if there is not None])
    ring_cells = n_rings * length
    if not wanted.includes_cluster:
        across = box.area // len(rings)  # cells of the window in one ring
        ring, ring_cells = ring - total, n_rings * (length - across)
    if isinstance(ring, float):
        return ring * box.area / ring_cells
    whole = abs(ring) * box.area // ring_cells
    return whole if ring > 0 else -whole


def ring_median(wanted, seed, coarse, how):
    """Return the median of the cells around the window, times how many cells the window has."""
    offsets = ring_around(bounding_box(how), wanted.depth)
    cells = sorted(coarse.cells[place] for place in coarse.around(seed, offsets).values())
    if wanted.edge == "zero":
        cells = sorted([*cells, *[0] * (len(offsets) - len(cells))])
    if not cells:
        return 0.0
    median = (cells[(len(cells) - 1) // 2] + cells[len(cells) // 2]) / 2
    return median * len(read_window(how.sum_window))


# ---------------------------------------------------------------------------------------------------- shapes


def shape(seed, shares, coarse, how, axes):
    """Return barycentres and widths: in indices, and on the axes that have positions."""
    weights = weigh({offset: share.part for offset, share in shares.items()}, how)
    total = add(weights.values())
    fields = {"at_seed": total == 0}
    for k, word in enumerate(("row", "col")):
        n = how.coarsen[k] if how.sum_over == "cells" else 1
        # the middle of a cell, seen from the middle of the seed's tower
        apart = {offset: (offset[k] + 0.5) / n - 0.5 for offset in weights}
        mean, fields[f"width_{word}"] = moments(weights, apart, total)
        mean += seed[k]
        fields[f"barycentre_{word}"] = mean % coarse.plane[k] if coarse.plane.periodic[k] else mean
        if axes is not None and axes[k] is not None:
            name, edges = axes[k]
            centres = [(low + high) / 2 for low, high in pairwise(edges)]
            places = {offset: centres[shares[offset].place[k]] for offset in weights}
            length = edges[-1] - edges[0] if coarse.plane.periodic[k] else None
            on_axis = on_the_circle if name == "phi" else on_an_axis
            mean, fields[f"width_{name}"] = on_axis(weights, places, total, centres[seed[k]], length)
            fields[f"barycentre_{name}"] = mean
    return fields


def weigh(parts, how):
    """Return what every positive part of a cluster weighs: its energy, or w0 + ln(its fraction of them all)."""
    positive = {offset: float(part) for offset, part in parts.items() if part > 0}
    if how.position != "log":
        return positive
    total = add(positive.values())
    return {offset: max(0.0, how.w0 + math.log(part / total)) for offset, part in positive.items()}


def moments(weights, apart, total):
    """Return the weighted mean and the root of the second central moment; 0 if nothing weighs."""
    if total == 0:
        return 0.0, 0.0
    mean = add(weight * apart[offset] for offset, weight in weights.items()) / total
    variance = add(weight * (apart[offset] - mean) ** 2 for offset, weight in weights.items()) / total
    return mean, math.sqrt(variance)


def on_an_axis(weights, places, total, seed, length):
    """Return mean and width of places on an axis; on one that closes after a length, the short way."""
    apart = {offset: place - seed for offset, place in places.items()}
    if length is not None:
        apart = {offset: (x + length / 2) % length - length / 2 for offset, x in apart.items()}
    mean, width = moments(weights, apart, total)
    return seed + mean, width


def on_the_circle(weights, angles, total, seed, length):
    """Return mean and width of azimuths; directions that cancel say nothing."""
    sin, cos = (add(weight * f(angles[o]) for o, weight in weights.items()) for f in (math.sin, math.cos))
    mean = seed if math.hypot(sin, cos) <= 1e-12 * total else math.atan2(sin, cos)
    apart = {offset: (angle - mean + math.pi) % math.tau - math.pi for offset, angle in angles.items()}
    variance = add(weight * apart[offset] ** 2 for offset, weight in weights.items())
    return mean, 0.0 if total == 0 else math.sqrt(variance / total)
