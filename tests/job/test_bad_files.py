"""Files that cannot be read: one line that names them, or a loss that the summary reports."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml
from finished_jobs import clusters_of, run_job
from long_tests import LONG

from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError

EXECUTORS = ["iterative", "threads", "futures"]


def garbage(good, path):
    path.write_bytes(b"this is not a ROOT file" * 100)
    return "cannot be read as a ROOT file"


def truncated(good, path):
    whole = Path(good).read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    return ""


def without_tree(good, path):
    with uproot.recreate(path) as file:
        file.mktree("Other", {"x": np.arange(3)})
    return "no tree 'Events'; there are Other"


def without_branch(good, path):
    with uproot.recreate(path) as file:
        words = {word: np.arange(4) for word in ("run", "luminosityBlock", "event")}
        file.mktree("Events", {"cell": np.zeros((4, 6, 8)), **words})
    return "no branch 'cells' (did you mean 'cell'?)"


def not_a_number(good, path):
    words = {word: np.arange(4) for word in ("run", "luminosityBlock", "event")}
    cells = np.zeros((4, 6, 8))
    cells[3, 1, 2] = np.nan
    with uproot.recreate(path) as file:
        file.mktree("Events", {"cells": cells, **words})
    return "entry 3: clusters.Jet: cell (row 1, col 2) is nan"


BAD = [garbage, truncated, without_tree, without_branch, not_a_number]


@pytest.fixture(params=BAD, ids=lambda make: make.__name__)
def bad_file(request, write_events, tmp_path):
    """Return a file that cannot be processed, and the reason to be reported."""
    good = write_events("large.root", 500, 9)
    path = tmp_path / "bad.root"
    return str(path), request.param(good, path)


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_bad_file_stops_the_job_with_one_line_that_names_it(two_files, bad_file, job, capfd, executor):
    path, reason = bad_file
    options = {"executor": executor, "workers": 2, "chunksize": 5 if executor == "iterative" else 100}
    with pytest.raises(ChunkError) as error:
        run_job(job(two_files[0], path, two_files[1], run=options))
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert reason in message
    assert "\n" not in message
    assert "Traceback" not in message
    assert not capfd.readouterr().err


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_bad_file_can_be_skipped_and_is_reported(two_files, bad_file, job, capfd, executor):
    path, reason = bad_file
    options = {"executor": executor, "workers": 2, "on_bad_file": "skip"}
    result = run_job(job(two_files[0], path, two_files[1], run=options))
    assert clusters_of(result.directory).event.to_list() == [*range(1000, 1013), *range(2000, 2008)]
    assert [loss["file"] for loss in result.losses] == [path]
    loss = result.losses[0]
    assert reason in loss["reason"]
    assert "\n" not in loss["reason"]
    files = result.summary["datasets"]["toy"]["files"]
    assert files[path]["lost"] == [loss["reason"]]
    assert files[path]["processed"] == 0
    assert files[path]["expected"] == (loss["n_entries"] or 0)
    assert (
        sum(file["processed"] for file in files.values()) == result.summary["datasets"]["toy"]["n_events"] == 21
    )
    assert not capfd.readouterr().err


@pytest.mark.slow
def test_a_dataset_with_only_bad_files_is_reported(job, tmp_path, two_files):
    path = tmp_path / "bad.root"
    garbage(None, path)
    content = job(
        run={"on_bad_file": "skip"},
        output={"directory": str(tmp_path / "results"), "clusters": ["parquet", "ttree"], "plots": False},
    )
    content["datasets"] = {"bad": {"files": {str(path): "Events"}}, "good": {"files": {two_files[0]: "Events"}}}
    result = run_job(content)
    assert result.summary["datasets"]["bad"]["n_events"] == 0
    assert result.summary["datasets"]["good"]["n_events"] == 13
    assert len(result.losses) == 1


def test_only_the_bad_chunk_of_a_file_is_lost(write_events, random_cells, job):
    cells = random_cells(20)
    cells[7, 0, 0] = np.inf
    file = write_events("a.root", 20, cells=cells)
    result = run_job(job(file, run={"on_bad_file": "skip", "chunksize": 5}))
    assert clusters_of(result.directory).event.to_list() == [*range(1000, 1005), *range(1010, 1020)]
    assert [(loss["start"], loss["n_entries"]) for loss in result.losses] == [(5, 5)]
    assert "entry 7: clusters.Jet: cell (row 0, col 0) is inf" in result.losses[0]["reason"]


def test_a_missing_file_is_an_error_before_anything_is_written(two_files, job, tmp_path):
    content = job(*two_files, str(tmp_path / "gone.root"))
    with pytest.raises(ConfigError, match=r"datasets\.toy\.files: there is no file '.*gone\.root'"):
        run_job(content)
    assert not Path(content["output"]["directory"]).exists()


FUZZ = """
import resource, signal, sys
from hep_peaksum.cli import main as cli
import hep_peaksum.job.run
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
class Hang(BaseException): pass
def hang(*_): raise Hang()
signal.signal(signal.SIGALRM, hang)
for line in sys.stdin:
    file, directory = line.split()
    print("BEGIN", file, flush=True)
    print("BEGIN", file, file=sys.stderr, flush=True)
    signal.alarm(30)
    try:
        cli.main(["run", sys.argv[1], "--set", f'datasets.toy.files={{"{file}": Events}}',
                  "--set", f"output.directory={directory}", *sys.argv[2:]])
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        status = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    print("END", status, flush=True)
"""


def mutated(whole, seed):
    """Return a damaged ROOT file: cut short, with flipped bits, or with a block of zeros."""
    number = random.Random(seed)
    data, kind = bytearray(whole), seed % 4
    if kind == 0:
        return bytes(data[: number.randrange(len(data))])
    if kind == 1:
        for _ in range(number.choice([1, 1, 3, 30])):
            data[number.randrange(len(data))] ^= 1 << number.randrange(8)
    elif kind == 2:
        start = number.randrange(len(data))
        data[start : start + number.choice([4, 64, 512])] = bytes(len(data[start : start + 64]))
    else:  # the headers hold the lengths
        for _ in range(number.choice([1, 2, 4])):
            data[number.randrange(min(400, len(data)))] = number.randrange(256)
    return bytes(data)


def fuzz(write_events, job, tmp_path, seeds, executor="iterative"):
    good = write_events("good.root", 40)
    whole = Path(good).read_bytes()
    content = job(good, run={"chunksize": 20, "executor": executor})
    expected = run_job(content)
    counts = expected.summary["datasets"]["toy"]["n_clusters"]["Jet"]
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    lines = []
    for seed in seeds:
        path = tmp_path / f"mutated-{seed}.root"
        path.write_bytes(mutated(whole, seed))
        lines.append(f"{path} {tmp_path / f'out-{seed}'}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FUZZ, str(tmp_path / "job.yaml")],
        input="\n".join(lines), capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    outs, errors = done.stdout.split("BEGIN ")[1:], done.stderr.split("BEGIN ")[1:]
    assert len(outs) == len(errors) == len(lines)
    n_right, other = 0, []
    for seed, out, error in zip(seeds, outs, errors, strict=True):
        path = str(tmp_path / f"mutated-{seed}.root")
        message = error.splitlines()[1:]
        status = out.rsplit("END ", 1)[1].strip()
        assert "Traceback" not in out + error, (seed, out, error)
        if status == "0":
            summary = json.loads((tmp_path / f"out-{seed}" / "summary.json").read_text())["datasets"]["toy"]
            assert summary["n_events"] == 40, seed
            n_right += 1
            if summary["n_clusters"]["Jet"] != counts:
                other.append(seed)
        else:
            assert status == "1", (seed, status, error)
            assert len(message) == 1, (seed, message)
            assert message[0].startswith(f"error: {path}: "), (seed, message)
    return n_right, other


@pytest.mark.slow
def test_a_damaged_file_is_read_correctly_or_named(write_events, job, tmp_path):
    n_right, other = fuzz(write_events, job, tmp_path, range(32))
    assert 0 < n_right < 32
    assert not other


@LONG
@pytest.mark.slow
def test_five_hundred_damaged_files_are_read_correctly_or_named(write_events, job, tmp_path):
    n_right, other = fuzz(write_events, job, tmp_path, range(1000, 1500))
    print(f"{n_right} of 500 were read, {len(other)} with other clusters: {other}")
    assert 0 < n_right < 500
