"""Jobs that several test files run."""

import pytest
import yaml
from finished_jobs import content_of, run_job


@pytest.fixture
def two_files(write_events):
    return [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]


@pytest.fixture
def every_format(tmp_path):
    return {"directory": str(tmp_path / "results"), "clusters": ["parquet", "ttree", "rntuple"], "plots": False}


@pytest.fixture
def killable(write_events, job, tmp_path):
    """Return a function that writes a job of eight chunks to a file, and the results that it must have."""
    files = [write_events("a.root", 20, 1), write_events("b.root", 20, 2)]

    def make(executor="iterative", name="results"):
        forms = {"directory": str(tmp_path / name), "clusters": ["parquet", "ttree", "rntuple"], "plots": False}
        events = {"identify": {w: w for w in ("run", "luminosityBlock", "event")}, "schema": "faults:Schema"}
        options = {"chunksize": 5, "executor": executor, "workers": 2}
        content = job(*files, events=events, output=forms, run=options)
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path, content

    _, plain = make(name="undisturbed")
    return make, content_of(run_job(plain).directory)
