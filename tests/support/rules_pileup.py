"""The definition of the pile-up estimates: one cluster at a time, no arrays.

Part of the definition in `rules_oracle`; it must not import the package.
"""

from types import SimpleNamespace

from oracle import read_window
from rules_plane import add, bounding_box, ring_around, strips


def pileup_settings(given, settings):
    """Return the settings of an estimate, with the defaults of its kind."""
    given = {"kind": given} if isinstance(given, str) else given
    kind = given["kind"]
    defaults = {
        "name": kind,
        "depth": {"chunky_donut": 3}.get(kind, 1),
        "length": bounding_box(settings).n_rows,
        "edge": {"ring_median": "existing"}.get(kind, "zero"),
        "includes_cluster": True,
        "axis": None,
    }
    return SimpleNamespace(**{**defaults, **given})


def pileup_estimate(estimate, seed, coarse, settings):
    """Return the estimate, from all cells that exist, in clusters or not."""
    if estimate.kind == "phi_ring":
        return phi_ring(estimate, seed, coarse, settings)
    if estimate.kind == "ring_median":
        return ring_median(estimate, seed, coarse, settings)
    return donut(estimate, seed, coarse, settings)


def donut(estimate, seed, coarse, settings):
    """Return the three smallest of the strips, or four times the middle two, scaled to the window."""
    box, sums = bounding_box(settings), []
    for side, strip in enumerate(strips(box, estimate.depth, estimate.length)):
        # the strip is cut in its depth: in rows the strips above and below, in columns those at the sides
        straight = [(d, 0) if side < 2 else (0, p) for d, p in strip]
        is_cut = any(coarse.plane.at(seed, offset) is None for offset in straight)
        sums.append(0 if estimate.edge == "strip" and is_cut else coarse.total(seed, strip))
    first, second, third, _ = sorted(sums)
    n_cells = estimate.depth * estimate.length
    area = len(read_window(settings.sum_window))
    if estimate.kind == "chunky_donut":
        return scaled(first + second + third, area, 3 * n_cells)
    return scaled(4 * (second + third), area * 9, 81 * n_cells)


def scaled(total, numerator, denominator):
    """Return total * numerator / denominator, as an integer if the factor is one."""
    factor, rest = divmod(numerator, denominator)
    return total * factor if rest == 0 else total * (numerator / denominator)


def phi_ring(estimate, seed, coarse, settings):
    """Return the mean cell of the rings through the window times its area, truncated for integers."""
    n_rows, n_cols, periodic = coarse.plane
    box = bounding_box(settings)
    axis = estimate.axis or {(True, False): "rows", (False, True): "cols"}[periodic]
    if axis == "cols":
        offsets, length = [(d, 0) for d in range(box.top, box.bottom + 1)], n_cols
    else:
        offsets, length = [(0, p) for p in range(box.left, box.right + 1)], n_rows
    rings = [coarse.plane.at(seed, offset) for offset in offsets]
    k = 0 if axis == "cols" else 1
    n_rings = len(rings) if estimate.edge == "zero" else len([there for there in rings if there is not None])
    ring_cells = n_rings * length
    window = list(read_window(settings.sum_window))
    ring = add(
        value
        for there in rings
        if there is not None
        for place, value in coarse.cells.items()
        if place[k] == there[k]
    )
    if not estimate.includes_cluster:
        ring -= coarse.total(seed, window)
        if estimate.edge == "zero":  # a ring beyond the edge counts as 0, and has the cells of any other
            window_along = [(0, p) if axis == "cols" else (d, 0) for d, p in window]
        else:
            window_along = window
        ring_cells -= len([offset for offset in window_along if coarse.plane.at(seed, offset) is not None])
    area = covered(estimate, seed, window, coarse)
    if isinstance(ring, float):
        return ring * area / ring_cells
    whole = abs(ring) * area // ring_cells
    return whole if ring > 0 else -whole


def ring_median(estimate, seed, coarse, settings):
    """Return the median of the cells around the window, times the area of the window."""
    offsets = ring_around(bounding_box(settings), estimate.depth)
    cells = sorted(coarse.cells[place] for place in coarse.around(seed, offsets).values())
    if estimate.edge == "zero":
        cells = sorted([*cells, *[0] * (len(offsets) - len(cells))])
    if not cells:
        return 0.0
    median = (cells[(len(cells) - 1) // 2] + cells[len(cells) // 2]) / 2
    return median * covered(estimate, seed, read_window(settings.sum_window), coarse)


def covered(estimate, seed, offsets, coarse):
    """Return how many cells lie under the window: with `existing` only those before the edges."""
    there = [coarse.plane.at(seed, offset) for offset in offsets]
    return len(there) if estimate.edge == "zero" else len([place for place in there if place is not None])
