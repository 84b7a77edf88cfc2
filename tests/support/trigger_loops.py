"""The CMS trigger's clusters as plain loops, with parts of their rule left out or changed.

What the emulator does in full is in `published_oracle`; here a test takes a part away and counts what is then
still right. Nothing here imports the package.
"""

import itertools

from published_cms import cms_l1_cluster, cms_l1_jet
from published_plane import Plane


def is_strict(tie_rule, offset, other, seed):
    """Return whether a neighbour must be exceeded, from its offset, or from its place and that of the seed."""
    return {
        "all": False,
        "none": True,
        "first": other < seed,
        "last": other > seed,
        "lexicographic": offset > (0, 0),
        "diagonal": (sum(offset), offset[0]) > (0, 0),
    }[tie_rule]


def planes(cells):
    """Return the events of an array (event, row, col) as planes that close along the columns."""
    return [Plane(event, closed=True) for event in cells.tolist()]


def is_maximum(plane, row, col, half, tie_rule):
    """Return whether a cell beats all others of a window that reaches `half` cells to every side."""
    own, reach = plane(row, col), range(-half, half + 1)
    for offset in itertools.product(reach, repeat=2):
        other = plane.at(row + offset[0], col + offset[1])
        if offset == (0, 0) or other is None:
            continue
        value = plane(*other)
        if value > own or (value == own and is_strict(tie_rule, offset, other, (row, col))):
            return False
    return True


def maxima(plane, half, tie_rule, threshold):
    """Return the cells of an event from the threshold on that are maxima."""
    return [
        place
        for place in plane.places
        if plane(*place) >= threshold and is_maximum(plane, *place, half, tie_rule)
    ]


def cluster_sum(plane, row, col, *, at_least=2, gated=True, one_side=True):
    """Return the sum of a cluster: 3 x 3 cells and two more along phi, from a number of counts on."""
    around = {(d, p): plane(row + d, col + p) for d in (-1, 0, 1) for p in (-1, 0, 1)}
    around |= {(0, p): plane(row, col + p) for p in (-2, 2)}
    added = {offset: value for offset, value in around.items() if value >= at_least}
    for p in (-2, 2) if gated else ():
        if (0, p // 2) not in added:
            added.pop((0, p), None)
    if one_side:
        lower, higher = (sum(v for (d, _), v in added.items() if d == side) for side in (-1, 1))
        weaker = -1 if higher >= lower else 1
        added = {offset: value for offset, value in added.items() if offset[0] != weaker}
    return sum(added.values())


def sum_map(cells, find):
    """Return the sums of {(row, col): sum} of every event in an array like the cells, 0 elsewhere."""
    sums = cells * 0
    for n, plane in enumerate(planes(cells)):
        for (row, col), total in find(plane).items():
            sums[n, row, col] = total
    return sums


def cluster_map(cells):
    """Return the sums of the emulator's clusters, before it selects and calibrates."""
    return sum_map(cells, cms_l1_cluster)


def jet_map(cells):
    """Return the sums of the emulator's jets, before pile-up is subtracted."""
    return sum_map(cells, cms_l1_jet)
