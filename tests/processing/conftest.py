"""Events of two files with what selections and weights look at, and a job over them."""

import awkward as ak
import numpy as np
import pytest
import uproot

N_FILES, N = 2, 60
SHAPE = (6, 8)


def make_events(seed):
    """Return plain arrays of some events: cells, a run, a weight, a position, a word of bits, names."""
    random = np.random.default_rng(seed)
    cells = random.integers(0, 9, (N, *SHAPE)).astype(np.int32)
    return {
        "cells": cells,
        "run": np.full(N, 10 + seed, np.uint32),
        "luminosityBlock": (1 + np.arange(N) // 10).astype(np.uint32),
        "event": np.arange(N, dtype=np.uint64) + 1000 * seed,
        "genWeight": random.choice([0.5, 1.25, -0.75], N),
        "hodo_x": random.normal(0, 4, N),
        "word": random.integers(0, 16, N).astype(np.uint32),
        "bits": ak.Array([random.integers(0, 2, k).astype(bool) for k in random.integers(0, 4, N)]),
    }


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Return the paths of the files, and the events of each."""
    folder, made = tmp_path_factory.mktemp("events"), []
    for seed in range(N_FILES):
        path, arrays = folder / f"{seed}.root", make_events(seed)
        with uproot.recreate(path) as file:
            file.mktree("Events", {name: ak.type(ak.Array(each)).content for name, each in arrays.items()})
            file["Events"].extend(arrays)
            file.mktree("Runs", {"sumw": "f8"})
            file["Runs"].extend({"sumw": np.array([10.0 + seed, 1.0])})
        made.append((str(path), arrays))
    return made


@pytest.fixture
def config(samples, tmp_path):
    """Return a function that makes the content of a config from changed sections."""

    def make(name="results", **sections):
        return {
            "datasets": {"toy": {"files": {path: "Events" for path, _ in samples}}},
            "grids": {"calo": {"dense": {"branch": "cells", "shape": [*SHAPE]}, "unit": 1}},
            "clusters": {
                "Jet": {
                    "grid": "calo",
                    "seed_threshold": 6,
                    "fields": ["peak_sum", "seed", "row", "col", "energy"],
                }
            },
            "histograms": {"seeds": {"axes": [{"field": "Jet.seed", "bins": 9, "start": 0, "stop": 9}]}},
            "output": {"directory": str(tmp_path / name), "plots": False},
            **sections,
        }

    return make
