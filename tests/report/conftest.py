"""Jobs whose reports the tests read."""

import shutil

import numpy as np
import pytest
import uproot
from finished_jobs import run_job
from report_pages import Page

NAMES = ("run", "luminosityBlock", "event")


@pytest.fixture
def finished(write_events, job, tmp_path, one_histogram):
    """Run a job over two files, with a plot or without, and return its result; sections can be replaced."""

    def make(*files, plots=True, **sections):
        inputs = files or (write_events("a.root", 13, 1), write_events("b.root", 8, 2))
        output = {"directory": str(tmp_path / "results"), "plots": plots}
        return run_job(job(*inputs, **{"output": output, "histograms": one_histogram, **sections}))

    return make


@pytest.fixture(scope="session")
def good(random_cells, tmp_path_factory):
    """Return the result of a job over two files, and its page."""
    folder = tmp_path_factory.mktemp("report")
    for name, n_events, seed in (("a", 13, 1), ("b", 8, 2)):
        numbers = np.arange(1000 * seed, 1000 * seed + n_events, dtype=np.uint32)
        with uproot.recreate(folder / f"{name}.root") as file:
            file.mktree("Events", {"cells": random_cells(n_events, seed), **dict.fromkeys(NAMES, numbers)})
    phi = {"name": "phi", "bins": 8, "start": "-pi", "stop": "pi", "periodic": True}
    grid = {"dense": {"branch": "cells", "shape": [6, 8]}, "unit": "1 GeV", "cols": phi}
    content = {
        "datasets": {"toy": {"files": {str(folder / "*.root"): "Events"}}},
        "grids": {"calo": {**grid, "rows": {"name": "eta", "bins": 6, "start": -3, "stop": 3}}},
        "clusters": {"Jet": {"grid": "calo", "seed_threshold": 3}},
        "output": {"directory": str(folder / "results")},
    }
    result = run_job(content)
    return result, Page(result.directory / "report.html")


@pytest.fixture
def copied(good, tmp_path):
    """Return a copy of the results that may be changed, and the page of the original."""
    result, page = good
    return shutil.copytree(result.directory, tmp_path / "results"), page
