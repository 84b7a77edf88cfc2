"""The benchmarks run: the smallest sizes of the search, with every answer compared. Times are not looked at."""

import json
import subprocess
import sys

import pytest
from places import ROOT


@pytest.fixture(scope="module")
def output():
    """Return what the kernels print, in a process of its own: it is one that sets the number of threads."""
    options = ["--cells", "100000", "--rounds", "1", "--no-write"]
    command = [sys.executable, "-m", "tests.benchmarks", "kernels", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["np.sum of the array", "kernel numba", "find_clusters", "scipy idiom"])
def test_every_case_has_a_row_for_everybody(output, name):
    assert output.count(f"  {name} ") + output.count(f"**{name}**") >= 7


def test_others_find_what_we_find(output):
    lines = [line for line in output.splitlines() if "differ" in line]
    # scikit-image keeps one of two equal peaks, by an order of its own
    assert [line for line in lines if "scikit-image" not in line] == []


def test_kept_results_say_where_they_were_made():
    for path in (ROOT / "tests" / "benchmarks" / "results").glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert {"date", "git", "machine", "versions", "options", "tables"} <= set(content)
