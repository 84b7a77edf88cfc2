"""What several test files need: the real files, small ROOT files, and a small job that reads them."""

import os
from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import HealthCheck, settings

# that a machine is busy is no failure
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SHAPE = (6, 8)
DATA = (os.environ.get("HEP_PEAKSUM_DATA"), Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def data():
    """Return the path of a real file by its name; where it is not, the test is skipped."""

    def find(name):
        for folder in DATA:
            if folder and (Path(folder) / name).is_file():
                return Path(folder) / name
        pytest.skip(f"no {name} here: set HEP_PEAKSUM_DATA to the folder that holds it")

    return find


@pytest.fixture
def write_root(tmp_path):
    """Write trees of arrays to a ROOT file and return its path."""

    def write(name, trees, *, rntuple=False):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with uproot.recreate(path) as file:
            for tree, branches in trees.items():
                file.mkrntuple(tree, branches) if rntuple else file.mktree(tree, branches)
        return str(path)

    return write


@pytest.fixture(scope="session")
def random_cells():
    """Return cells of small whole numbers: with ties and empty cells, and sums that are exact in any type."""

    def cells(n_events, seed=1, shape=SHAPE, dtype="f4"):
        random = np.random.default_rng(seed)
        energy = random.integers(1, 9, (n_events, *shape))
        return (energy * (random.uniform(size=energy.shape) < 0.4)).astype(dtype)

    return cells


@pytest.fixture
def write_events(write_root, random_cells):
    """Write events as a job reads them to a ROOT file: cells and the numbers that name an event."""

    def write(name, n_events, seed=1, **more):
        branches = {
            "run": np.full(n_events, 7, np.uint32),
            "luminosityBlock": np.full(n_events, seed, np.uint32),
            "event": np.arange(1000 * seed, 1000 * seed + n_events, dtype=np.uint64),
            "cells": random_cells(n_events, seed),
        }
        return write_root(name, {"Events": {**branches, **more}})

    return write


@pytest.fixture(scope="session")
def one_histogram():
    """Return the histograms of a job that draws as little as it can."""
    return {"nJet": {"axes": [{"field": "nJet", "bins": 5, "start": 0, "stop": 5}]}}


@pytest.fixture
def job(tmp_path):
    """Return a config for the files of `write_events`, as plain values; sections can be replaced."""

    def content(*files, **sections):
        return {
            "datasets": {"toy": {"files": dict.fromkeys(files, "Events")}},
            "events": {"identify": {word: word for word in ("run", "luminosityBlock", "event")}},
            "grids": {
                "calo": {
                    "dense": {"branch": "cells", "shape": list(SHAPE)},
                    "rows": {"name": "eta", "bins": SHAPE[0], "start": -3, "stop": 3},
                    "cols": {"name": "phi", "bins": SHAPE[1], "start": "-pi", "stop": "pi", "periodic": True},
                    "unit": "1 GeV",
                }
            },
            "clusters": {"Jet": {"grid": "calo", "seed_threshold": 3}},
            "output": {"directory": str(tmp_path / "results"), "plots": False},
            **sections,
        }

    return content
