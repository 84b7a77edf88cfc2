"""The examples of Snakemake and law, run by these: one result of all files, and what is finished stays."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import EXAMPLES, ROOT
from plain_count import count, written

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
ENGINES = {
    "snakemake": ("Snakefile", [sys.executable, "-m", "snakemake", "--cores", "2", "--keep-going"]),
    "law": (
        "tasks.py",
        [str(BIN / "law"), "run", "tasks.MergePeaks", "--workers", "2", "--local-scheduler"],
    ),
}


@pytest.fixture(params=ENGINES)
def engine(request, tmp_path, job, write_events):
    """Return a function that runs the example of an engine in a folder with a config and three files."""
    pytest.importorskip(request.param, reason=f"pip install {request.param}")
    example, command = ENGINES[request.param]
    shutil.copy(EXAMPLES / request.param / example, tmp_path)
    content = job("data/*.root", run={"chunksize": 5})
    (tmp_path / "peaksum.yaml").write_text(yaml.safe_dump(content))
    for k in (1, 2, 3):
        write_events(f"data/run{k}.root", 7 + k, k)
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), "."])}

    def run(words=command):
        return subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=400
        )

    return run


def hep_peaksum(*words):
    return [sys.executable, "-m", "hep_peaksum", *words]


def test_a_failed_workflow_goes_on_with_what_is_not_finished(engine, tmp_path):
    good = (tmp_path / "data/run2.root").read_bytes()
    (tmp_path / "data/run2.root").write_bytes(b"no ROOT file")
    data = "data" if (tmp_path / "Snakefile").exists() else tmp_path / "data"  # as the engine names files
    part = hep_peaksum("run", "peaksum.yaml", "--file", f"{data}/run3.root:Events", "-o", "results/run3")
    assert engine([*part, "--max-events", "5"]).returncode == 0
    (tmp_path / "results/run3/summary.json").unlink()  # as if it had been stopped after its first chunk

    failed = engine()
    assert failed.returncode != 0
    assert "run2.root" in failed.stdout + failed.stderr
    assert not (tmp_path / "results/all/summary.json").exists()
    finished = (tmp_path / "results/run1/summary.json").stat().st_mtime_ns
    reused = json.loads((tmp_path / "results/run3/summary.json").read_text())["n_chunks"]
    assert reused == {"total": 2, "reused": 1}

    (tmp_path / "data/run2.root").write_bytes(good)
    done = engine()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results/run1/summary.json").stat().st_mtime_ns == finished
    assert written(tmp_path / "results/all") == count(*(tmp_path / f"data/run{k}.root" for k in (1, 2, 3)))
    assert engine(hep_peaksum("status", "results/all", "--verify")).returncode == 0

    merged = (tmp_path / "results/all/summary.json").stat().st_mtime_ns
    assert engine().returncode == 0
    assert (tmp_path / "results/all/summary.json").stat().st_mtime_ns == merged
