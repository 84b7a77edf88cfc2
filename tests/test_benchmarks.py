"""The benchmarks of the search run, in the smallest size, and every answer is compared; times are ignored."""

import json
import os
import subprocess
import sys

import pytest
from places import ROOT


@pytest.fixture(scope="module")
def output():
    """Return the output of the benchmark, run as a process because it sets the number of threads."""
    options = ["--cells", "100000", "--rounds", "1", "--no-write"]
    command = [sys.executable, "-m", "tests.benchmarks", "kernels", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["np.sum of the array", "kernel numba", "find_clusters", "scipy idiom"])
def test_every_case_has_a_row_for_everybody(output, name):
    assert output.count(f"  {name} ") + output.count(f"**{name}**") >= 7


@pytest.mark.slow
def test_others_find_what_we_find(output):
    lines = [line for line in output.splitlines() if "differ" in line]
    # of two equal peaks scikit-image keeps one, in its own order
    assert [line for line in lines if "scikit-image" not in line] == []


def test_results_say_where_they_were_made(tmp_path):
    code = f"""
from pathlib import Path
from tests.benchmarks.results import Table, write
write("toy", [Table("toy", "Toy showers", ["contender"])], {{"rounds": 1}}, Path({str(tmp_path)!r}))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)

    content = json.loads((tmp_path / "toy.json").read_text(encoding="utf-8"))
    assert {"date", "git", "machine", "versions", "options", "tables"} <= set(content)
    assert f"commit {content['git']}" in (tmp_path / "toy.md").read_text(encoding="utf-8")


def test_only_pages_of_results_are_committed():
    command = ["git", "check-ignore", "tests/benchmarks/results/toy.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 128:
        pytest.skip("not a git repository")
    assert done.returncode == 0


def test_every_step_of_a_job_that_is_timed_exists():
    code = """
import functools, importlib
from tests.benchmarks.shares import STEPS
for place in sum(STEPS.values(), []):
    module, _, path = place.partition(":")
    assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(module))), place
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_every_step_of_many_chunks_is_measured(tmp_path):
    code = """
from tests.benchmarks.scale import scale
table = scale(256)
print(*(row["step"] for row in table.rows), sep="\\n")
"""
    environment = {**os.environ, "HEP_PEAKSUM_BENCHMARKS": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    steps = done.stdout.splitlines()[-9:]
    assert steps[:3] == ["read the config", "plan, no file known", "run"]
    assert steps[-2:] == ["merge to RNTuple", "memory of resuming"]


def test_a_task_is_small_whatever_the_number_of_files(tmp_path):
    code = """
import json, sys
from pathlib import Path
from tests.benchmarks.chunk_cost import EVENTS, plan, task_bytes, toy_files
folder = Path(sys.argv[1])
sizes = [task_bytes(*plan(toy_files(EVENTS), n_files, folder / str(n_files))) for n_files in (1000, 9000)]
print(json.dumps(sizes))
"""
    environment = {**os.environ, "HEP_PEAKSUM_BENCHMARKS": str(tmp_path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    few, many = json.loads(done.stdout.splitlines()[-1])
    for name in ("futures", "dask"):
        assert few[name] == pytest.approx(many[name], abs=10)
        assert few[name] < 5000
