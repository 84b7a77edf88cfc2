"""The benchmarks of the search run, in the smallest size, and every answer is compared; times are ignored."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from long_tests import LONG
from places import ROOT

# Who takes part in every case, whatever packages are installed, and what their answer must be.
TIES = "as ours with ties all"
OURS = {"kernel numba": {"same"}, "find_clusters": {"same"}, "kernel scipy": {"same"}}
EVERYBODY = {
    **OURS,
    "np.sum of the array": {""},
    "naive numba loop": {"same"},
    "scipy idiom": {TIES, f"{TIES}, sums to 1e-5"},
    "scipy, sums at seeds": {TIES},
    "short numpy": {TIES},
}
OF_HITS = {name: {"same"} for name in ("find_clusters from hits", "densify, then search")}
OPTIONAL = {
    "plain C++ loop": {"same"},
    "C++ into one memory": {"same"},
    "torch": {TIES, f"{TIES}, sums to 1e-5"},
}


def run_python(code, *arguments):
    """Return what the code prints in a process of its own, as the benchmarks set the number of threads."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def answers():
    """Return the answer of every contender in every case, compared with ours: {case: {contender: words}}."""
    code = """
import json
from tests.benchmarks.cases import CASES
from tests.benchmarks.kernels import kernels
tables = kernels(list(CASES), 1, 100_000)
print(json.dumps({t.name: {row["contender"].strip("*"): row["its answer"] for row in t.rows} for t in tables}))
"""
    return json.loads(run_python(code))


@pytest.mark.slow
def test_every_case_has_a_row_for_everybody(answers):
    assert list(answers) == [
        "2%", "10%", "100%", "toy", "cms", "cms-hits", "sparse-hits", "shower-hits", "layers-sum", "layers-each"
    ]  # fmt: skip
    for case, contenders in answers.items():
        expected = {*OF_HITS, "np.sum of the array"} if case.endswith("-hits") else {*EVERYBODY}
        assert set(contenders) - {*OPTIONAL, "scikit-image"} == expected, case


@pytest.mark.slow
def test_others_find_what_we_find(answers):
    """But for scikit-image, which keeps one of two equal peaks, in its own order."""
    allowed = {**EVERYBODY, **OF_HITS, **OPTIONAL}
    wrong = {
        (case, name): answer
        for case, contenders in answers.items()
        for name, answer in contenders.items()
        if name != "scikit-image" and answer not in allowed[name]
    }
    assert wrong == {}


def test_a_wrong_answer_of_a_contender_is_told():
    code = """
import json
from dataclasses import replace
from tests.benchmarks import contenders
from tests.benchmarks.cases import CASES
case = CASES["toy"](100_000)
ours = contenders.kernel(case, "numba", 1)
places, sums = ours.read(ours.call())
wrong = {"same": (places, sums), "a seed": (places[1:], sums[1:]), "sums": (places, sums * 1.01),
         "nearly": (places, sums * (1 + 1e-7)), "no sums": (places, None), "none": (places[:0], sums[:0])}
print(json.dumps([len(places), {key: contenders.compare_with_ours(case, replace(ours, read=lambda _: answer))
                                for key, answer in wrong.items()}]))
"""
    n_seeds, told = json.loads(run_python(code))
    assert n_seeds > 500
    assert told == {
        "same": "same",
        "a seed": f"1 of {n_seeds:,} seeds differ",
        "sums": "same, sums differ",
        "nearly": "same, sums to 1e-5",
        "no sums": "seeds same, no sums",
        "none": f"{n_seeds:,} of {n_seeds:,} seeds differ",
    }


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_nothing():
    """The smallest of the cases, as it is typed."""
    options = ["--cells", "100000", "--rounds", "1", "--case", "toy", "--no-write"]
    command = [sys.executable, "-m", "tests.benchmarks", "kernels", *options]
    pages = {page: page.stat().st_mtime_ns for page in (ROOT / "tests/benchmarks/results").iterdir()}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("  ")[1].strip("* ") for line in done.stdout.splitlines() if line.startswith("  ")]
    assert {*EVERYBODY} <= {*rows}
    assert {page: page.stat().st_mtime_ns for page in (ROOT / "tests/benchmarks/results").iterdir()} == pages


def test_results_say_where_they_were_made(tmp_path):
    code = """
import sys
from pathlib import Path
from tests.benchmarks.results import Table, write
write("toy", [Table("toy", "Toy showers", ["contender"])], {"rounds": 1}, Path(sys.argv[1]))
"""
    run_python(code, tmp_path)

    content = json.loads((tmp_path / "toy.json").read_text(encoding="utf-8"))
    assert set(content) == {"date", "git", "machine", "versions", "options", "tables"}
    assert content["versions"]["numpy"] == version("numpy")
    page = (tmp_path / "toy.md").read_text(encoding="utf-8")
    where = f"{content['date']}, commit {content['git']}: {content['machine']['cpu']}, "
    assert f"{where}{os.cpu_count()} cores, " in page
    assert page.endswith("; rounds 1.\n")


def test_every_page_of_results_has_its_place_in_the_docs():
    """And every place its page: a table that is measured and never shown would go stale unseen."""
    docs = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("speed.md", "cliffs.md"))
    begun, ended = (re.findall(rf"<!-- {word} ([a-z-]+) -->", docs) for word in ("begin", "end"))
    pages = {page.stem for page in (ROOT / "tests/benchmarks/results").glob("*.md")}
    assert begun == ended
    assert set(begun) == pages


def test_tables_are_copied_between_their_marks(tmp_path):
    code = """
import sys
from pathlib import Path
from tests.benchmarks import results
folder = Path(sys.argv[1])
(folder / "results").mkdir()
results.FOLDER = folder / "results"
(results.FOLDER / "toy.md").write_text("new\\n")
pages = [folder / "a.md", folder / "b.md"]
pages[0].write_text("before\\n<!-- begin toy -->\\nold\\n<!-- end toy -->\\nafter\\n")
pages[1].write_text("none\\n")
print(results.write_docs(pages))
"""
    assert run_python(code, tmp_path) == "['toy']\n"
    assert (tmp_path / "a.md").read_text() == "before\n<!-- begin toy -->\nnew\n<!-- end toy -->\nafter\n"
    assert (tmp_path / "b.md").read_text() == "none\n"


def test_only_pages_of_results_are_committed():
    command = ["git", "check-ignore", "tests/benchmarks/results/toy.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 128:
        pytest.skip("not a git repository")
    assert done.returncode == 0


def test_every_step_of_a_job_that_is_timed_exists():
    """Its functions are found by name: a name that nothing has would be a step of no time."""
    code = """
import functools, importlib, json
from tests.benchmarks.shares import STEPS
for place in sum(STEPS.values(), []):
    module, _, path = place.partition(":")
    assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(module))), place
print(json.dumps({step: len(places) for step, places in STEPS.items()}))
"""
    steps = json.loads(run_python(code))
    assert len(steps) >= 5
    assert all(steps.values()), steps


@LONG
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
