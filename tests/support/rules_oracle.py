"""The definition of the whole rule space, as plain as it can be written: one cell at a time, no arrays.

It extends `oracle` from peaks to clusters: seed windows, noise, greedy rules, gates, sharing, towers; pile-up
and shapes stand in `rules_pileup` and `rules_shapes`. It must not import the package. A grid is one event, a
list of rows; inside, the cells are a dict {(row, col): value} in row-major order, without an entry for a cell
that does not exist. Every sum starts at 0 and is made in the order written here.
"""

from types import SimpleNamespace
from typing import NamedTuple

from oracle import is_strict, read_window
from rules_pileup import pileup_estimate, pileup_settings
from rules_plane import (
    Layer,
    Plane,
    add,
    bounding_box,
    in_quadrature,
    one_step_inside,
    ratio,
    ring_around,
    square,
)
from rules_shapes import shape

DEFAULTS = {
    "search_window": (3, 3),
    "sum_window": (3, 3),
    "seed_window": (1, 1),
    "partial_seed_windows": True,
    "partial_search_windows": True,
    "quantity": "energy",
    "tie_rule": "first",
    "greedy_ties": "first",
    "group": None,
    "seedless_groups": "drop",
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
    "saturated_seeds": (),
    "saturated_net": None,
    "position": "seed",
    "w0": 4.5,
    "isolation_depth": 1,
    "coarsen": (1, 1),
    "pool_by": "sum",
    "pool_threshold": None,
    "allow_partial_towers": False,
    "sum_over": "towers",
    "masked": "absent",
}


class NotPositiveError(ValueError):
    """A cell cannot be shared in proportion to weights that are not positive."""


def find_clusters(grid, *, noise=None, mask=None, periodic=(False, False), saturated=(), axes=None, **rules):
    """Return every cluster of one event as a dict of its fields, in the order of (row, col).

    The rules are those of `DEFAULTS`; noise and mask are rows like the grid. `axes` are (name, edges) of the
    rows and columns of the cells, or None; with axes cells must not be pooled. `max_clusters` is not applied.
    """
    unknown = set(rules) - set(DEFAULTS)
    assert not unknown, unknown
    settings = SimpleNamespace(**{**DEFAULTS, **rules})

    fine = Layer(
        *existing(grid, mask, settings), noise_of(grid, noise), Plane(len(grid), len(grid[0]), periodic)
    )
    coarse = towers(fine, settings)
    q = discriminant(coarse, settings)
    groups = groups_of(coarse, settings)
    seeds = find_seeds(q, coarse, groups, settings)
    claims = {seed: added_cells(seed, fine, coarse, groups, settings) for seed in seeds}
    clusters = [
        fields_of(seed, shares, q, fine, coarse, settings, saturated, axes)
        for seed, shares in share(claims, q, coarse.plane, settings).items()
    ]
    return [cluster for cluster in clusters if passes_cuts(cluster, settings)]


def existing(grid, mask, settings):
    """Return the cells that exist, and the masked cells, which are absent or zero."""
    places = [(row, col) for row in range(len(grid)) for col in range(len(grid[0]))]
    masked = {(row, col) for row, col in places if mask is not None and mask[row][col]}
    cells = {
        (row, col): 0 if (row, col) in masked else grid[row][col]
        for row, col in places
        if settings.masked == "zero" or (row, col) not in masked
    }
    return cells, masked


def noise_of(grid, noise):
    """Return the noise of every cell, or nothing."""
    rows = noise or []
    return {(row, col): value for row, line in enumerate(rows) for col, value in enumerate(line)}


def towers(fine, settings):
    """Return the cells pooled into towers; a tower without any cell does not exist."""
    n_rows, n_cols, periodic = fine.plane
    if settings.coarsen == (1, 1):
        return fine
    for size, n, closed in zip((n_rows, n_cols), settings.coarsen, periodic, strict=True):
        if size % n and (closed or not settings.allow_partial_towers):
            raise ValueError
    k, m = settings.coarsen
    inside = {}
    for row, col in fine.cells:
        inside.setdefault((row // k, col // m), []).append((row, col))
    pool = {"sum": add, "max": max}[settings.pool_by]
    counts = {
        cell: value if is_above(value, settings.pool_threshold) else 0 for cell, value in fine.cells.items()
    }
    values = {tower: pool([counts[cell] for cell in cells]) for tower, cells in sorted(inside.items())}
    seen = {(row // k, col // m) for row, col in fine.cells if (row, col) not in fine.masked}
    noise = {
        tower: in_quadrature(fine.noise[cell] for cell in cells)
        for tower, cells in inside.items()
        if fine.noise
    }
    return Layer(values, set(values) - seen, noise, Plane(-(-n_rows // k), -(-n_cols // m), periodic))


def is_above(value, threshold):
    return threshold is None or value > threshold


def discriminant(coarse, settings):
    """Return q, the value of every cell that is compared: the sum of its seed window, or its significance."""
    offsets = read_window(settings.seed_window)
    q = {}
    for place in coarse.cells:
        if not settings.partial_seed_windows and any(
            coarse.plane.at(place, offset) is None for offset in offsets
        ):
            continue
        q[place] = coarse.total(place, offsets)
        if settings.quantity == "significance":
            q[place] = q[place] / noise_around(coarse, place, offsets)
    return q


def noise_around(coarse, place, offsets):
    """Return the noise of a sum of existing cells at the offsets."""
    return in_quadrature(coarse.noise[other] for other in coarse.around(place, offsets).values())


def passes(value, threshold, comparison, noise=1.0):
    """Return whether a value passes a threshold: a number, or a multiple of the noise such as "5 sigma"."""
    if isinstance(threshold, str):
        threshold = float(threshold.removesuffix(" sigma")) * noise
    return value > threshold if comparison == ">" else value >= threshold


def groups_of(coarse, settings):
    """Return the group of every cell: a name that joined cells share, None without groups or outside them."""
    if settings.group is None:
        return dict.fromkeys(coarse.cells, "one")
    steps = {"edges": [(0, 1), (1, 0), (0, -1), (-1, 0)], "corners": square(3)}[settings.group]
    groups = dict.fromkeys(coarse.cells)
    for first in coarse.cells:
        if groups[first] is not None or not passes_cell_threshold(first, coarse, settings):
            continue
        to_visit = [first]
        while to_visit:
            here = to_visit.pop()
            groups[here] = first
            beside = coarse.around(here, steps).values()
            to_visit += [p for p in beside if groups[p] is None and passes_cell_threshold(p, coarse, settings)]
    return groups


def find_seeds(q, coarse, groups, settings):
    """Return the places of the seeds, in the order of (row, col)."""
    search, window = read_window(settings.search_window), read_window(settings.sum_window)
    allowed = {place for place in q if place not in coarse.masked and groups[place] is not None}
    if not settings.partial_search_windows:
        allowed = {p for p in allowed if all(coarse.plane.at(p, offset) is not None for offset in search)}
    candidates = {place for place in allowed if passes_seed_threshold(q, place, coarse, settings)}
    if settings.tie_rule != "greedy-residual":
        candidates = {place for place in candidates if is_maximum(q, place, search, coarse, groups, settings)}
    if settings.seedless_groups == "highest":
        with_seed = {groups[place] for place in candidates}
        for group in {groups[place] for place in allowed} - with_seed:
            members = [place for place in allowed if groups[place] == group]
            candidates.add(in_order(members, q, settings)[0])
    seeds = []
    for group in {groups[place] for place in candidates}:
        inside = {place for place in candidates if groups[place] == group}
        if settings.tie_rule == "greedy":
            inside = greedily_accepted(inside, search, q, coarse.plane, settings)
        elif settings.tie_rule == "greedy-residual":
            inside = greedily_accepted(inside, {**search, **window}, q, coarse.plane, settings)
        if settings.overlap == "suppress":
            inside = greedily_accepted(inside, window, q, coarse.plane, settings)
        seeds += inside
    return sorted(seeds)


def passes_seed_threshold(q, place, coarse, settings):
    """Return whether q passes the seed threshold."""
    is_in_sigma = isinstance(settings.seed_threshold, str) and settings.quantity == "energy"
    noise = noise_around(coarse, place, read_window(settings.seed_window)) if is_in_sigma else 1.0
    return passes(q[place], settings.seed_threshold, settings.seed_comparison, noise)


def is_maximum(q, place, search, coarse, groups, settings):
    """Return whether a cell beats every other cell of its search window, if it is of the same group."""
    drawn = isinstance(settings.search_window, str) and set(settings.search_window) & set(">=")
    rule = "drawn" if drawn else "all" if settings.tie_rule == "greedy" else settings.tie_rule
    for offset, mark in search.items():
        other = coarse.plane.at(place, offset)
        if mark == "o" or other not in q or groups[other] != groups[place]:
            continue
        if q[other] > q[place] or (q[other] == q[place] and is_strict(rule, mark, place, other, offset)):
            return False
    return True


def in_order(places, q, settings):
    """Return the places, highest q first; equal ones from the first (row, col), or from the last."""
    from_first = sorted(places, reverse=settings.greedy_ties == "last")
    return sorted(from_first, key=lambda place: -q[place])


def greedily_accepted(candidates, offsets, q, plane, settings):
    """Return the accepted candidates, the highest first: none lies at an offset from one accepted before."""
    accepted = []
    for place in in_order(candidates, q, settings):
        if not any(plane.at(higher, offset) == place for higher in accepted for offset in offsets):
            accepted.append(place)
    return accepted


class Claim(NamedTuple):
    """A cell that a cluster adds: its place, its distance from the seed in searched cells, and its value."""

    place: tuple[int, int]
    distance: tuple[int, int]
    value: float


def added_layer(fine, coarse, settings):
    """Return the layer whose cells are added."""
    return fine if settings.sum_over == "cells" else coarse


def added_cells(seed, fine, coarse, groups, settings):
    """Return {offset: claim} of the cells of the sum window, and of the group, that are added, row-major."""
    marks, layer = read_window(settings.sum_window), added_layer(fine, coarse, settings)
    k, m = settings.coarsen if settings.sum_over == "cells" else (1, 1)
    distance = {(d * k + i, p * m + j): (d, p) for d, p in marks for i in range(k) for j in range(m)}
    places = layer.around((seed[0] * k, seed[1] * m), sorted(distance))

    def is_added(offset):
        if offset not in places or not passes_cell_threshold(places[offset], layer, settings):
            return False
        row, col = places[offset]
        if groups[row // k, col // m] != groups[seed]:
            return False
        is_gated = marks[distance[offset]] == "g"
        return is_added(one_step_inside(offset)) if is_gated else True

    added = {o: Claim(places[o], distance[o], layer.cells[places[o]]) for o in places if is_added(o)}
    return added if settings.keep_stronger_side is None else on_the_stronger_side(added, settings)


def passes_cell_threshold(place, layer, settings):
    """Return whether a cell passes the cell threshold."""
    if place in layer.masked and "sigma" in str(settings.cell_threshold):  # nothing is known of its noise
        return False
    if settings.cell_threshold is None:
        return True
    value = abs(layer.cells[place]) if settings.cell_threshold_abs else layer.cells[place]
    return passes(value, settings.cell_threshold, settings.cell_comparison, layer.noise.get(place))


def on_the_stronger_side(added, settings):
    """Return the cells in the middle and on the side of the larger sum; of equal sides the higher."""
    axis = {"rows": 0, "cols": 1}[settings.keep_stronger_side]
    low, high = (
        add(claim.value for claim in added.values() if claim.distance[axis] * side > 0) for side in (-1, 1)
    )
    is_kept = (lambda x: x >= 0) if high >= low else (lambda x: x <= 0)
    return {offset: claim for offset, claim in added.items() if is_kept(claim.distance[axis])}


class Share(NamedTuple):
    """What a cluster holds of a cell: its own part, and whether other clusters claim the cell, too."""

    place: tuple[int, int]
    part: float
    contested: bool


def share(claims, q, plane, settings):
    """Return {seed: {offset: share}}: what every cluster holds of the cells that it claims."""
    holders = {}
    for seed, claimed in claims.items():
        for claim in claimed.values():
            holders.setdefault(claim.place, {})[seed] = claim
    policy = "highest" if settings.tie_rule == "greedy-residual" else settings.overlap
    weights = sharing_weights(claims, q, policy)
    shares = {seed: {} for seed in claims}
    for seed, claimed in claims.items():
        for offset, claim in claimed.items():
            others = holders[claim.place]
            if policy in ("highest", "nearest") and seed != owner(others, q, plane, policy, settings):
                continue
            part = claim.value
            if weights:
                part = float(part)
                if len(others) > 1:
                    part = part * weights[seed] / add(weights[other] for other in others)
            shares[seed][offset] = Share(claim.place, part, len(others) > 1)
    return shares


def sharing_weights(claims, q, policy):
    """Return the weight of every cluster in the division of a cell; nothing if cells are not divided."""
    if policy == "equal":
        return dict.fromkeys(claims, 1.0)
    if policy not in ("proportional", "proportional-sum"):
        return {}
    sums = {seed: add(claim.value for claim in claimed.values()) for seed, claimed in claims.items()}
    weights = {seed: float(q[seed] if policy == "proportional" else sums[seed]) for seed in claims}
    if any(value <= 0 for value in weights.values()):
        raise NotPositiveError
    return weights


def owner(holders, q, plane, policy, settings):
    """Return the seed that gets the whole cell, of those that claim it."""
    ranked = in_order(holders, q, settings)
    if policy == "highest":
        return ranked[0]
    return min(
        ranked, key=lambda seed: plane.squared_distance(holders[seed].distance)
    )  # the first of the nearest


def fields_of(seed, shares, q, fine, coarse, settings, saturated, axes):
    """Return all fields of a cluster."""
    layer = added_layer(fine, coarse, settings)
    box = bounding_box(settings)
    cluster = {
        "row": seed[0],
        "col": seed[1],
        "seed": q[seed],
        "peak_sum": add(share.part for share in shares.values()),
        "n_cells": len(shares),
        "shared_sum": add(share.part for share in shares.values() if share.contested),
        "seed_gap": seed_gap(seed, q, coarse, settings),
        "prominence": prominence(seed, q, coarse.plane),
        "n_neighbours": n_neighbours(seed, q, coarse, settings),
        "n_saturated": sum(
            fine.cells[cell] in saturated
            for share in shares.values()
            for cell in held(share.place, fine, settings)
        ),
        "e1_e9": ratio(coarse.total(seed, square(1)), coarse.total(seed, square(3))),
        "e9_e25": ratio(coarse.total(seed, square(3)), coarse.total(seed, square(5))),
    }
    cluster["isolation"] = ratio(
        coarse.total(seed, ring_around(box, settings.isolation_depth)), cluster["peak_sum"]
    )
    if layer.noise:
        cluster["noise"] = in_quadrature(layer.noise[share.place] for share in shares.values())
    is_saturated = coarse.cells[seed] in settings.saturated_seeds
    for given in settings.pileup:
        estimate = pileup_settings(given, settings)
        counts = pileup_estimate(estimate, seed, coarse, settings)
        cluster[estimate.name] = 0 if is_saturated else counts
    if settings.pileup:
        first = pileup_settings(settings.pileup[0], settings).name
        cluster["net"] = cluster["peak_sum"] - cluster[settings.subtract or first]
        if is_saturated and settings.saturated_net is not None:
            cluster["net"] = settings.saturated_net
    return {**cluster, **shape(seed, shares, coarse, settings, axes)}


def held(place, fine, settings):
    """Return the cells that are added with a place: itself, or those that its tower holds."""
    if settings.sum_over == "cells" or settings.coarsen == (1, 1):
        return [place]
    k, m = settings.coarsen
    inside = [cell for cell in fine.cells if (cell[0] // k, cell[1] // m) == place]
    if settings.pool_by == "max":
        inside = [max(inside, key=fine.cells.get)]
    return [
        cell
        for cell in inside
        if cell not in fine.masked and is_above(fine.cells[cell], settings.pool_threshold)
    ]


def passes_cuts(cluster, settings):
    """Return whether a finished cluster passes all cuts."""
    noise = cluster.get("noise")
    cut = settings.sum_threshold
    return (
        (
            cut is None
            or passes(
                cluster["net" if settings.sum_threshold_on == "net" else "peak_sum"],
                cut,
                settings.sum_comparison,
                noise,
            )
        )
        and (settings.min_seed_gap is None or cluster["seed_gap"] >= settings.min_seed_gap)
        and (settings.min_prominence is None or cluster["prominence"] >= settings.min_prominence)
        and cluster["n_neighbours"] >= settings.min_neighbours
    )


def neighbours(seed, q, coarse, settings):
    """Return q of the other cells of the search window."""
    places = [
        coarse.plane.at(seed, offset)
        for offset, mark in read_window(settings.search_window).items()
        if mark != "o"
    ]
    return [q[place] for place in places if place in q]


def seed_gap(seed, q, coarse, settings):
    """Return the height of a seed above the highest other cell of its search window; its own without any."""
    return q[seed] - max(neighbours(seed, q, coarse, settings), default=0)


def n_neighbours(seed, q, coarse, settings):
    """Return how many other cells of the search window exceed the neighbour threshold."""
    return sum(value > settings.neighbour_threshold for value in neighbours(seed, q, coarse, settings))


def prominence(seed, q, plane):
    """Return the least descent on any way to something higher, or else to the lowest cell in reach."""
    levels = sorted({value for value in q.values() if value <= q[seed]}, reverse=True)
    for level in levels:
        reached = reachable(seed, q, plane, level)
        if any(q[place] > q[seed] for place in reached):
            return q[seed] - level
    return q[seed] - min(q[place] for place in reachable(seed, q, plane, levels[-1]))


def reachable(seed, q, plane, level):
    """Return all places that can be reached from neighbour to neighbour without going below the level."""
    reached, to_visit = {seed}, [seed]
    while to_visit:
        here = to_visit.pop()
        for offset in square(3):
            place = plane.at(here, offset)
            if place in q and q[place] >= level and place not in reached:
                reached.add(place)
                to_visit.append(place)
    return reached
