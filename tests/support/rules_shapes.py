"""The definition of barycentres and widths: one cluster at a time, no arrays.

Part of the definition in `rules_oracle`; it must not import the package.
"""

import math
from itertools import pairwise

from rules_plane import add


def shape(seed, shares, coarse, settings, axes):
    """Return barycentres and widths: in indices, and on the axes that have positions."""
    weights = weigh({offset: share.part for offset, share in shares.items()}, settings)
    total = add(weights.values())
    fields = {"at_seed": total == 0}
    for k, word in enumerate(("row", "col")):
        n = settings.coarsen[k] if settings.sum_over == "cells" else 1
        # from the middle of the seed's tower to the middle of the cell
        distance = {offset: (offset[k] + 0.5) / n - 0.5 for offset in weights}
        mean, fields[f"width_{word}"] = moments(weights, distance, total)
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


def weigh(parts, settings):
    """Return the weight of every positive part of a cluster: its energy, or w0 + ln(its fraction)."""
    positive = {offset: float(part) for offset, part in parts.items() if part > 0}
    if settings.position != "log":
        return positive
    total = add(positive.values())
    return {offset: max(0.0, settings.w0 + math.log(part / total)) for offset, part in positive.items()}


def moments(weights, distance, total):
    """Return the weighted mean and the square root of the second central moment; 0 without weights."""
    if total == 0:
        return 0.0, 0.0
    mean = add(weight * distance[offset] for offset, weight in weights.items()) / total
    variance = add(weight * (distance[offset] - mean) ** 2 for offset, weight in weights.items()) / total
    return mean, math.sqrt(variance)


def on_an_axis(weights, places, total, seed, length):
    """Return mean and width of places on an axis; on a periodic one, of that length, the short way around."""
    distance = {offset: place - seed for offset, place in places.items()}
    if length is not None:
        distance = {offset: (x + length / 2) % length - length / 2 for offset, x in distance.items()}
    mean, width = moments(weights, distance, total)
    return seed + mean, width


def on_the_circle(weights, angles, total, seed, length):
    """Return mean and width of azimuths; the seed where the directions cancel."""
    sin, cos = (add(weight * f(angles[o]) for o, weight in weights.items()) for f in (math.sin, math.cos))
    mean = seed if math.hypot(sin, cos) <= 1e-12 * total else math.atan2(sin, cos)
    distance = {offset: (angle - mean + math.pi) % math.tau - math.pi for offset, angle in angles.items()}
    variance = add(weight * distance[offset] ** 2 for offset, weight in weights.items())
    return mean, 0.0 if total == 0 else math.sqrt(variance / total)
