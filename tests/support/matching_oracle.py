"""Matching as plain loops over one object at a time; it does not import the package.

A cell is (event, row, col), with -1 for row or column outside the grid.
"""

import math


def separation(first, second, size, is_periodic):
    """Return how many cells two indices of an axis are apart.

    >>> separation(0, 7, 8, False), separation(0, 7, 8, True)
    (7, 1)
    """
    return min(abs(first - second), size - abs(first - second)) if is_periodic else abs(first - second)


def same_cell(references, clusters):
    """Return {(reference, cluster): distance} of all pairs in the same cell of the grid."""
    return {
        (i, j): 0.0
        for i, reference in enumerate(references)
        for j, cluster in enumerate(clusters)
        if reference == cluster and min(reference) >= 0
    }


def within_cells(references, clusters, shape, periodic, max_distance):
    """Return {(reference, cluster): distance} of all pairs of an event near in row and in column."""
    pairs = {}
    for i, reference in enumerate(references):
        for j, cluster in enumerate(clusters):
            if reference[0] != cluster[0]:
                continue
            rows = separation(reference[1], cluster[1], shape[0], periodic[0])
            cols = separation(reference[2], cluster[2], shape[1], periodic[1])
            if rows <= max_distance and cols <= max_distance:
                pairs[i, j] = math.hypot(rows, cols)
    return pairs


def nearest(pairs):
    """Return {reference: cluster}: the nearest cluster of each, the first of equally near ones."""
    chosen = {}
    for (i, j), distance in sorted(pairs.items()):
        if i not in chosen or distance < pairs[i, chosen[i]]:
            chosen[i] = j
    return chosen


def one_to_one(pairs, energy):
    """Return {reference: cluster}: the nearest pair first, then the higher cluster, each object used once."""
    chosen = {}
    for i, j in sorted(pairs, key=lambda pair: (pairs[pair], -energy[pair[1]], pair[1], pair[0])):
        if i not in chosen and j not in chosen.values():
            chosen[i] = j
    return chosen
