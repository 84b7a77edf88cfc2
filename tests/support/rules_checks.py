"""Questions of `rules_strategies`, answered by a kernel and by the definition, and compared."""

from itertools import chain

import numpy as np
import pytest
import rules_oracle

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters


def is_same_on_circle(ours, theirs, length):
    """Return whether two numbers are the same on an axis that closes after a length."""
    distance = (ours - theirs + length / 2) % length - length / 2
    return abs(distance) < 1e-9 * length


EXACT = (
    *("row", "col", "seed", "peak_sum", "n_cells", "shared_sum", "seed_gap", "prominence", "n_neighbours"),
    *("n_saturated", "at_seed", "e1_e9", "e9_e25", "isolation", "noise"),
)


def grid_of_question(question):
    """Return the plane of the cells."""
    shape = question.grids.shape[1:]
    rows, cols = (
        Axis(n=size, periodic=closed) if axis is None else Axis(name=axis[0], edges=axis[1], periodic=closed)
        for size, closed, axis in zip(shape, question.periodic, question.axes, strict=True)
    )
    return Grid(rows=rows, cols=cols, saturated=question.saturated)


def find_with(kernel, question):
    """Return the clusters of every event, a dict of their fields each."""
    clusters = find_clusters(
        question.grids,
        PeakSumSettings(**question.rules, order="position", kernel=kernel),
        grid_of_question(question),
        mask=question.mask,
        noise=question.noise,
        fields=list(question.fields),
    )
    return clusters.to_list()


def clusters_by_definition(question):
    """Return the clusters of every event by definition, or in which event it refuses them."""
    grids = question.grids
    mask, noise = (
        [None] * len(grids) if given is None else np.broadcast_to(given, grids.shape).tolist()
        for given in (question.mask, question.noise)
    )
    events = []
    for event, cells in enumerate(grids.tolist()):
        try:
            clusters = rules_oracle.find_clusters(
                cells,
                mask=mask[event],
                noise=noise[event],
                periodic=question.periodic,
                saturated=question.saturated,
                axes=question.axes,
                **question.rules,
            )
        except rules_oracle.NotPositiveError:
            return event
        events.append([{name: cluster[name] for name in question.fields} for cluster in clusters])
    return events


def assert_same_clusters(ours, theirs, question):
    """Assert that clusters are those of the definition: exactly, where no rounding is left to chance."""
    exact, rounded = (
        [
            [{k: v for k, v in cluster.items() if (k in EXACT) == is_exact} for cluster in event]
            for event in theirs
        ]
        for is_exact in (True, False)
    )
    places = [[(cluster["row"], cluster["col"]) for cluster in event] for event in theirs]
    assert [[(cluster["row"], cluster["col"]) for cluster in event] for event in ours] == places
    assert [[{k: v for k, v in c.items() if k in EXACT} for c in event] for event in ours] == exact
    size = float(np.abs(question.grids).sum()) + 1
    for mine, other in zip(chain(*ours), chain(*rounded), strict=True):
        for name, value in other.items():
            length = question.lengths.get(name)
            if length is not None:
                assert is_same_on_circle(mine[name], value, length), name
            else:
                near = 1e-12 if name.startswith(("width", "barycentre")) else 1e-12 * size
                assert mine[name] == pytest.approx(value, rel=1e-12, abs=near), name
