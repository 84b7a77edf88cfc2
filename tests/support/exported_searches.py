"""Searches and planes that can be exported, and events on which everything ties."""

import numpy as np

from hep_peaksum import Axis, Grid

SHAPE = (7, 9)
CMS_TAU = "===\n=o>\n>>>"
SEARCHES = {
    "defaults": {},
    "ties_all": {"tie_rule": "all"},
    "ties_none": {"tie_rule": "none"},
    "ties_last": {"tie_rule": "last", "seed_threshold": 1},
    "ties_diagonal": {"tie_rule": "diagonal", "search_window": (5, 5)},
    "ties_lexicographic": {"tie_rule": "lexicographic", "sum_window": (5, 3)},
    "drawn_comparisons": {"search_window": CMS_TAU, "sum_window": ".x.\nxox\n.x."},
    "off_centre_windows": {"search_window": "xx\nxo\nxx", "sum_window": "ox\nxx"},
    "no_neighbours": {"search_window": (1, 1), "sum_window": (1, 1)},
    "thresholds": {
        "seed_threshold": "1.5 GeV",
        "seed_comparison": ">=",
        "cell_threshold": 1,
        "sum_comparison": ">",
        "sum_threshold": 4,
    },
    "cells_above": {
        "cell_threshold": "0.5 GeV",
        "cell_comparison": ">",
        "sum_comparison": ">=",
        "sum_threshold": 5,
    },
    "two_leading": {"max_clusters": 2},
    "two_leading_by_place": {"max_clusters": 2, "order": "position"},
    "by_place": {"order": "position"},
}


def eta_phi(quantity, *, swapped=False):
    """Return a plane whose phi axis is periodic."""
    sizes = SHAPE[::-1] if swapped else SHAPE
    eta = Axis(name="eta", bins=sizes[0], start=-3.1, stop=2.7)
    phi = Axis(name="phi", bins=sizes[1], start="-pi", stop="pi", periodic=True)
    axes = {"rows": phi, "cols": eta} if swapped else {"rows": eta, "cols": phi}
    return Grid(**axes, quantity=quantity, unit=0.5)


GRIDS = {
    "et": eta_phi("et"),
    "energy_phi_in_rows": eta_phi("energy", swapped=True),
    "indices": Grid(rows=Axis(n=SHAPE[0], periodic=True), cols=Axis(n=SHAPE[1])),
    "millimetres": Grid(
        rows=Axis(name="y", bins=SHAPE[0], start=-7, stop=7, unit="mm"),
        cols=Axis(name="x", bins=SHAPE[1], start=0, stop=9, unit="mm"),
        unit="1 MeV",
    ),
}


def tied_events(kind, n_events=40):
    """Return events of few different values, so that ties are everywhere; floats of which sums are rounded."""
    rng = np.random.default_rng(5)
    numbers = rng.integers(-1 if np.dtype(kind).kind != "u" else 0, 5, (n_events, *SHAPE))
    numbers[0] = 3  # a plateau
    return (numbers * 1.1).astype(kind) if np.dtype(kind).kind == "f" else numbers.astype(kind)
