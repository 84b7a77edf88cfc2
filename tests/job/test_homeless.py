"""Where a user has no home, as in some containers, a job runs, makes no folder called ~, and warns once."""

import os
import shutil
import subprocess
import sys

import plain_count
import pytest
import yaml
from compilation import IN_HALF_THE_TIME
from long_tests import LONG
from places import ROOT

# Python asks this module for the home of a user without HOME.
NO_PASSWD = "import sys\nsys.modules['pwd'] = None\n"


@pytest.fixture
def homeless(tmp_path):
    """Return a function that runs a command with a package that cannot be written, without a home."""
    package = tmp_path / "package"
    shutil.copytree(ROOT / "hep_peaksum", package / "hep_peaksum", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "hep_peaksum/kernels/__pycache__").write_text("a file, where numba wants a folder")
    (package / "sitecustomize.py").write_text(NO_PASSWD)
    (tmp_path / "here").mkdir()

    def run(*arguments, **more):
        dropped = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
        environ = {key: value for key, value in os.environ.items() if key not in dropped}
        return subprocess.run(
            [sys.executable, "-B", "-m", "hep_peaksum", *map(str, arguments)],
            env={**environ, "PYTHONPATH": str(package), **IN_HALF_THE_TIME, **more},
            cwd=tmp_path / "here", capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "home"),
    [
        pytest.param("iterative", None, marks=LONG),
        pytest.param("iterative", "nonexistent", marks=LONG),
        ("futures", None),
        pytest.param("dask", None, marks=LONG),
    ],
)
def test_a_job_without_a_home_runs_and_warns_once(write_events, job, tmp_path, homeless, executor, home):
    if executor == "dask":
        pytest.importorskip("distributed", reason="distributed is not installed")
    file = write_events("a.root", 30)
    content = job(file, run={"executor": executor, "workers": 2, "chunksize": 5})
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    if home is not None:
        (tmp_path / "file").write_text("no folder")
    done = homeless(
        "run", tmp_path / "job.yaml", **({} if home is None else {"HOME": f"{tmp_path}/file/{home}"})
    )
    assert done.returncode == 0, done.stderr
    printed = " ".join((done.stdout + done.stderr).split())
    assert printed.count("numba finds no writable cache") == 1, printed
    assert "once on this machine" not in printed
    assert plain_count.written(tmp_path / "results") == plain_count.count(file)
    assert not [path for path in tmp_path.rglob("*") if "~" in path.name]
    assert not list((tmp_path / "here").iterdir())


COMPILING = "compiling the search for cells of this type, once on this machine: some seconds"


@pytest.mark.slow
def test_a_user_without_a_home_may_name_a_cache(write_events, job, tmp_path, homeless):
    content = job(write_events("a.root", 5))
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    done = homeless("run", tmp_path / "job.yaml", NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0
    assert done.stderr.startswith(COMPILING) or not done.stderr
    assert "no writable cache" not in done.stdout
    assert list((tmp_path / "cache").rglob("*.nbi"))
