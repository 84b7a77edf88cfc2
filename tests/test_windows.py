"""Without the modules and functions of POSIX, which Windows lacks, the package still imports and runs.

Windows itself is not run here: Linux without them stands in for it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import plain_count
import pytest
import yaml
from places import ROOT

WITHOUT_POSIX = """
import importlib.abc, os, signal, sys

GONE = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "msvcrt"}

class NotOnWindows(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotOnWindows())
for name in GONE:
    sys.modules.pop(name, None)
for name in ("fork", "forkpty", "setsid", "getuid", "geteuid", "getpgid", "killpg", "statvfs",
             "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_DIRECTORY"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGQUIT", "SIGUSR1", "alarm", "setitimer"):
    delattr(signal, name)
"""
ARRAYS = """
import numpy as np
import hep_peaksum as ps

grids = np.zeros((2, 5, 6))
grids[0, 2, 3], grids[0, 2, 4], grids[1, 0, 0] = 5, 2, 7
clusters = ps.find_clusters(grids, ps.PeakSumSettings(seed_threshold=1))
assert clusters.peak_sum.tolist() == [[7], [7]], clusters.tolist()
assert clusters.col.tolist() == [[3], [0]]
print("found")
"""
JOB = """
from hep_peaksum.cli.main import main
main(sys.argv[1:])
"""


def run(script, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=cwd, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_arrays_are_searched_without_posix(tmp_path):
    done = run(ARRAYS, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "found\n"), done.stderr
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["iterative", "threads"])
def test_a_job_in_one_process_runs_without_posix(write_events, job, tmp_path, executor):
    file = write_events("a.root", 20)
    output = {"directory": str(tmp_path / "results"), "clusters": ["parquet", "ttree"], "plots": False}
    content = job(file, output=output, run={"executor": executor, "workers": 2, "chunksize": 7})
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    for n_reused in (0, 3):
        done = run(JOB, "run", "job.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "results: files cannot be locked here: do not start a second run in it" in done.stderr
        assert plain_count.written(tmp_path / "results") == plain_count.count(file)
        summary = json.loads(Path(tmp_path, "results/summary.json").read_text())
        assert summary["n_chunks"] == {"total": 3, "reused": n_reused}
    done = run(JOB, "status", "results", "--verify", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
