"""Four executors by four chunk sizes: sixteen jobs with the same bits, which are those of a plain count.

Dense cells of any float32, and hits of whole quarters, several of which may lie in a cell.
"""

import awkward as ak
import numpy as np
import oracle
import pytest
from finished_jobs import clusters_of, run_job

ROWS, COLS = 4, 5
ALL = 10**6
# Entries of the first file by chunk size: chunks of one entry are slow. The second file has 17.
N_FIRST, N_SECOND = {1: 31, 7: 151, 1000: 1510, ALL: 1510}, 17
EXECUTORS = ["iterative", "threads", "futures", "dask"]
COUNTS = [5, 10, 20, 40]  # edges of the histogram of sums


def events_of(n_events, seed):
    """Return the branches of a file."""
    random = np.random.default_rng(seed)
    n_hits = random.integers(0, 9, n_events)
    n_all = int(n_hits.sum())
    hits = {
        "row": random.integers(0, ROWS, n_all),
        "col": random.integers(0, COLS, n_all),
        "energy": random.integers(1, 40, n_all).astype("f4") / 4,
    }
    return {
        "run": np.full(n_events, seed, np.uint32),
        "luminosityBlock": np.full(n_events, 1, np.uint32),
        "event": np.arange(n_events, dtype=np.uint64),
        "cells": (random.exponential(3, (n_events, ROWS, COLS))).astype("f4"),
        **{f"hit_{name}": ak.unflatten(values, n_hits) for name, values in hits.items()},
    }


def peaks_of(grid):
    """Return (row, col, seed, sum) of every cluster of a grid, by plain loops."""
    found = oracle.find_peaks(
        grid, search_window=(3, 3), sum_window=(3, 3), threshold=3, periodic=(False, True)
    )
    return [peak[:4] for peak in found]


def grid_of_hits(rows, cols, energies):
    grid = [[0.0] * COLS for _ in range(ROWS)]
    for row, col, energy in zip(rows, cols, energies, strict=True):
        grid[row][col] += energy
    return grid


def plain_count(files):
    """Return the clusters of every event, and the counts of the histogram."""
    events, counts = [], [0] * (len(COUNTS) - 1)
    for branches in files:
        dense = branches["cells"].astype("f8").tolist()
        columns = [branches[f"hit_{name}"].to_list() for name in ("row", "col", "energy")]
        for n, grid in enumerate(dense):
            jets, hits = peaks_of(grid), peaks_of(grid_of_hits(*(column[n] for column in columns)))
            events.append((int(branches["run"][n]), n, jets, hits))
            for _, _, _, total in jets:
                for i in range(len(counts)):
                    counts[i] += COUNTS[i] <= total < COUNTS[i + 1]
    return events, counts


def result_of(result):
    """Return the same of a job, each event's clusters in the order of rows and columns."""
    events = clusters_of(result.directory)
    columns = {name: events[name].to_list() for name in events.fields}

    def clusters(name, n):
        fields = [columns[f"{name}_{field}"][n] for field in ("row", "col", "seed", "peak_sum")]
        return sorted(zip(*fields, strict=True))

    identity = enumerate(zip(columns["run"], columns["event"], strict=True))
    rows = [(run, event, clusters("Jet", n), clusters("Hit", n)) for n, (run, event) in identity]
    return rows, result.histograms["toy"]["sums"].values().tolist()


@pytest.fixture(scope="module")
def inputs():
    return events_of(max(N_FIRST.values()), 1), events_of(N_SECOND, 2)


@pytest.fixture(scope="module")
def expected(inputs):
    """Return the clusters and counts by the number of entries that are read of the first file."""
    first, second = inputs
    return {n: plain_count([cut(first, n), second]) for n in set(N_FIRST.values())}


def cut(branches, n_events):
    return {name: values[:n_events] for name, values in branches.items()}


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("chunksize", [1, 7, 1000, ALL])
def test_sixteen_jobs_are_the_plain_count(inputs, expected, write_root, job, executor, chunksize):
    if executor == "dask":
        pytest.importorskip("distributed", reason="distributed is not installed")
    n_first = N_FIRST[chunksize]
    files = [
        write_root("a.root", {"Events": cut(inputs[0], n_first)}),
        write_root("b.root", {"Events": inputs[1]}),
    ]
    content = job(*files, run={"executor": executor, "workers": 2, "chunksize": chunksize})
    plane = {"rows": {"n": ROWS}, "cols": {"n": COLS, "periodic": True}}
    hits = {"row": "hit_row", "col": "hit_col", "value": "hit_energy"}
    content["grids"] = {
        "calo": {"dense": {"branch": "cells", "shape": [ROWS, COLS]}, **plane},
        "towers": {"hits": hits, **plane},
    }
    content["clusters"] = {
        "Jet": {"grid": "calo", "seed_threshold": 3},
        "Hit": {"grid": "towers", "seed_threshold": 3},
    }
    content["histograms"] = {"sums": {"axes": [{"field": "Jet.peak_sum", "edges": COUNTS}]}}
    result = run_job(content)
    # coffea makes chunks of nearly this size
    n_chunks = sum(max(1, round(n_events / chunksize)) for n_events in (n_first, N_SECOND))
    assert result.summary["n_chunks"] == {"total": n_chunks, "reused": 0}
    assert result_of(result) == expected[n_first]
    assert sum(expected[n_first][1]) > n_first / 2
