"""A plain count of what a job must find, made from the files without the package: the judge of the job runner.

The job is that of the fixture `job`: cells of 6 x 8, columns periodic, 3 x 3 windows, seeds above 3, tie rule
first.
"""

import json
from pathlib import Path

import awkward as ak
import oracle
import uproot


def clusters_of(event):
    """Return (row, col, seed, sum, n_cells) of every cluster of one grid, by plain loops."""
    return oracle.find_peaks(
        [[float(cell) for cell in row] for row in event],
        search_window=(3, 3),
        sum_window=(3, 3),
        threshold=3,
        periodic=(False, True),
    )


def count(*files, tree="Events", most=None):
    """Return how many events and clusters the files hold, and the sum of all cluster energies."""
    grids = [
        grid
        for file in files
        for grid in uproot.open({str(file): None}, handler=uproot.MultithreadedFileSource)[tree]["cells"].array(
            library="np"
        )
    ]
    clusters = [cluster for grid in grids[:most] for cluster in clusters_of(grid)]
    return len(grids[:most]), len(clusters), sum(cluster[3] for cluster in clusters)


def written(directory, dataset="toy"):
    """Return the same three numbers of the parts that a job left, and check that the summary agrees."""
    parts = sorted((Path(directory) / dataset / "clusters.parquet").glob("part-*.parquet"))
    events = ak.concatenate([ak.from_parquet(part) for part in parts])
    summary = json.loads((Path(directory) / "summary.json").read_text())["datasets"][dataset]
    n_clusters = int(ak.sum(events.nJet))
    assert (summary["n_events"], summary["n_clusters"]) == (len(events), {"Jet": n_clusters})
    assert len(set(zip(events.luminosityBlock.to_list(), events.event.to_list(), strict=True))) == len(events)
    return len(events), n_clusters, float(ak.sum(events.Jet_peak_sum))
