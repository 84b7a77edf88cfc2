"""Events in a file as frameworks read them, and the clusters in them by plain loops."""

import numpy as np
import oracle
import uproot

N, ROWS, COLS = 60, 24, 16
THRESHOLD = 1.0  # of the examples: 1 GeV, in counts of 1 GeV


def tied_cells(seed=1):
    """Return cells in quarters of a GeV: with ties, and sums that are exact in any type."""
    return np.round(4 * np.random.default_rng(seed).exponential(0.6, (N, ROWS, COLS))).astype("f4") / 4


def write_events(path, cells):
    """Write a tree of one grid per event, numbered, beside a column that nobody asks for."""
    n = len(cells)
    columns = {
        "run": np.ones(n, "u4"),
        "luminosityBlock": np.ones(n, "u4"),
        "event": np.arange(n, dtype="u8"),
        "unrelated": np.zeros(n),
        "CaloTower_et": cells,
    }
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: np.dtype((each.dtype, each.shape[1:])) for name, each in columns.items()})
        file["Events"].extend(columns)


def expected_clusters(cells):
    """Return (row, col, sum) of the clusters of every event, in their order, as the examples search them."""
    peaks = [
        oracle.find_peaks(
            event, search_window=(3, 3), sum_window=(3, 3), threshold=THRESHOLD, periodic=(False, True)
        )
        for event in cells.astype("f8").tolist()
    ]
    return [
        sorted(((row, col, total) for row, col, _, total, _ in event), key=lambda c: (-c[2], c[0], c[1]))
        for event in peaks
    ]
