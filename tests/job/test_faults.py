"""What goes wrong while a job runs: chunks that fail, files that change, disks that fill up."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import yaml
from finished_jobs import command, content_of, environment, has_no_temporary_files, records_of, run_job
from long_tests import LONG
from plain_count import count, written

from hep_peaksum.job import coffea_runner
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.results.atomic_write import WriteError, _Output
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.chunk_files import read_record

N_CHUNKS = 8


@pytest.mark.parametrize("executor", ["iterative", "threads"])
def test_every_chunk_may_fail_once_after_it_was_written(write_events, job, monkeypatch, executor):
    content = job(write_events("a.root", 20), run={"chunksize": 5, "executor": executor, "workers": 2})
    failed, commit = set(), coffea_runner.CheckedProcessor.write_chunk

    def faulty(self, events, directory):
        counts = commit(self, events, directory)
        if events.metadata["entrystart"] not in failed:
            failed.add(events.metadata["entrystart"])
            raise OSError(errno.EIO, "an injected fault")
        return counts

    monkeypatch.setattr(coffea_runner.CheckedProcessor, "write_chunk", faulty)
    result = run_job(content)
    assert len(failed) == 4
    events = ak.concatenate([ak.from_parquet(p) for p in sorted(result.directory.glob("toy/*.parquet/*"))])
    assert events.event.to_list() == list(range(1000, 1020))
    assert result.summary["datasets"]["toy"]["n_events"] == 20


@LONG
@pytest.mark.slow
@pytest.mark.parametrize("executor", ["futures", "dask"])
def test_every_chunk_may_fail_once_on_workers_of_another_process(killable, tmp_path, executor):
    """When it has been read and its part is written; a failed write, unlike that, stops the job at once."""
    if executor == "dask":
        pytest.importorskip("distributed")
    make, expected = killable
    path, content = make(executor)
    fault = environment(point=["read"], action="fail", each=True, once=str(tmp_path / "once"))
    done = subprocess.run(command(path), env=fault, capture_output=True, check=False, timeout=180, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("once-*"))) == N_CHUNKS
    assert content_of(content["output"]["directory"]) == expected


def change_while_running(monkeypatch, act):
    """Do something to the files between planning and reading."""
    work = coffea_runner.processor.Runner._work_function

    def acting(*arguments, **keywords):
        act()
        return work(*arguments, **keywords)

    monkeypatch.setattr(coffea_runner.processor.Runner, "_work_function", staticmethod(acting))


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("change", ["truncated", "replaced", "replaced_by_more", "removed", "touched"])
def test_a_file_that_changes_while_a_job_runs_is_reported(
    write_events, job, monkeypatch, tmp_path, change, on_bad_file
):
    good, bad = write_events("a.root", 13), write_events("b.root", 300, 2)
    whole = Path(bad).read_bytes()
    others = {"replaced": 300, "replaced_by_more": 400}
    other = Path(write_events("other.root", others.get(change, 5), 3)).read_bytes()
    content = job(good, bad, run={"on_bad_file": on_bad_file, "chunksize": 1000})

    def act():
        if change == "removed":
            Path(bad).unlink(missing_ok=True)
        elif change == "touched":
            os.utime(bad)
        else:
            Path(bad).write_bytes(whole[: len(whole) // 2] if change == "truncated" else other)

    change_while_running(monkeypatch, act)
    if on_bad_file == "stop":
        with pytest.raises(ChunkError) as error:
            run_job(content)
        message = str(error.value)
        assert not (tmp_path / "results/summary.json").exists()
    else:
        result = run_job(content)
        assert result.summary["datasets"]["toy"]["n_events"] == 13
        assert [(loss["file"], loss["n_entries"]) for loss in result.losses] == [(bad, 300)]
        message = result.losses[0]["reason"]
    assert message.startswith(f"{bad}: ")
    assert "\n" not in message
    words = {"truncated": "cut short or damaged", "removed": "the file no longer exists"}
    assert words.get(change, "changed while the job ran") in message
    assert len(records_of(content)) == 1


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_a_full_disk_is_not_a_bad_file(write_events, job, monkeypatch, on_bad_file):
    content = job(write_events("a.root", 20), run={"chunksize": 5, "on_bad_file": on_bad_file})

    write = _Output.write

    def full(self, data):
        if self._path.suffix == ".parquet":
            raise WriteError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        return write(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(_Output, "write", full)
        with pytest.raises(ChunkError, match=r"part-.*parquet: cannot be written \(No space left on device\)"):
            run_job(content)
    directory = Path(content["output"]["directory"])
    assert has_no_temporary_files(directory)
    assert not records_of(content)
    assert run_job(content).summary["datasets"]["toy"]["n_events"] == 20


@pytest.mark.slow
@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_a_disk_that_fills_up_leaves_only_complete_chunks(write_events, job, tmp_path, on_bad_file):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], check=False).returncode:
        pytest.skip("only root mounts a small file system")
    try:
        file = write_events("a.root", 4000)
        small = {"directory": str(disk / "results"), "clusters": ["parquet", "ttree"], "plots": False}
        content = job(file, output=small, run={"chunksize": 200, "on_bad_file": on_bad_file})
        with pytest.raises((ChunkError, WriteError), match=r"cannot be written \(No space left") as error:
            run_job(content)
        assert "\n" not in str(error.value)
        n_finished = len(records_of(content))
        assert 0 < n_finished < 20
        subprocess.run(["mount", "-o", "remount,size=50M", disk], check=True)
        result = run_job(content)
        assert result.summary["n_chunks"] == {"total": 20, "reused": n_finished}
        assert result.summary["datasets"]["toy"]["n_events"] == 4000
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("place", ["toy/_chunks", "toy/clusters.parquet", "toy"])
def test_a_directory_that_becomes_read_only_is_an_error(write_events, job, monkeypatch, place):
    content = job(write_events("a.root", 20), run={"chunksize": 5, "on_bad_file": "skip"})
    content["output"]["clusters"] = ["parquet", "ttree"]
    folder = Path(content["output"]["directory"]) / place
    opened = _Output.__init__

    def refusing(self, temporary, path):
        if path.parent == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        opened(self, temporary, path)

    with monkeypatch.context() as patched:
        patched.setattr(_Output, "__init__", refusing)
        with pytest.raises((ChunkError, OSError), match=r"cannot be written \(Permission denied\)"):
            run_job(content)
    assert run_job(content).summary["datasets"]["toy"]["n_events"] == 20


def test_a_worker_that_outlived_its_run_doubles_nothing(write_events, job, tmp_path, monkeypatch):
    """The run was killed, and the next one has chunks of another size."""
    content = job(write_events("a.root", 20), run={"chunksize": 10})
    run_job(content)
    (tmp_path / "results").rename(tmp_path / "killed")
    content["run"]["chunksize"] = 5
    write_chunk = coffea_runner.CheckedProcessor.write_chunk

    def after_a_worker(self, events, directory):
        for path in (tmp_path / "killed").glob("toy/*/part-000001-000000000010-*"):
            place = directory / path.relative_to(tmp_path / "killed")
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
        return write_chunk(self, events, directory)

    monkeypatch.setattr(coffea_runner.CheckedProcessor, "write_chunk", after_a_worker)
    result = run_job(content)
    assert result.summary["n_chunks"] == {"total": 4, "reused": 0}
    assert written(result.directory) == count(*content["datasets"]["toy"]["files"])


def test_a_duplicated_task_changes_nothing(write_events, job, monkeypatch):
    content = job(write_events("a.root", 20), run={"chunksize": 5})
    work = coffea_runner.processor.Runner._work_function

    def twice(*arguments, **keywords):
        work(*arguments, **keywords)
        return work(*arguments, **keywords)

    monkeypatch.setattr(coffea_runner.processor.Runner, "_work_function", staticmethod(twice))
    result = run_job(content)
    assert result.summary["datasets"]["toy"]["n_events"] == 20
    assert result.histograms["toy"]["nJet"].sum(flow=True) == 20


def test_entries_that_vanish_are_an_error(write_events, job, monkeypatch):
    content = job(write_events("a.root", 20), run={"chunksize": 5})

    def forgetting(directory, chunk):
        return None if chunk == Chunk("toy", 1, 5, 10) else read_record(directory, chunk)

    monkeypatch.setattr("hep_peaksum.job.run.read_record", forgetting)
    with pytest.raises(RuntimeError, match=r"a\.root, 5 of the planned entries are neither processed nor lost"):
        run_job(content)


def test_a_loss_does_not_make_up_for_entries_that_vanish_elsewhere(write_events, job, monkeypatch):
    """Five entries of one file are lost and told; five of another vanish, which stays an error."""
    good, bad = write_events("a.root", 20), write_events("b.root", 5, 2)
    content = job(good, bad, run={"chunksize": 5, "on_bad_file": "skip"})
    whole = Path(bad).read_bytes()
    change_while_running(monkeypatch, lambda: Path(bad).write_bytes(whole[: len(whole) // 2]))
    assert [loss["n_entries"] for loss in run_job(content).losses] == [5]
    Path(bad).write_bytes(whole)

    def forgetting(directory, chunk):
        return None if chunk == Chunk("toy", 1, 5, 10) else read_record(directory, chunk)

    monkeypatch.setattr("hep_peaksum.job.run.read_record", forgetting)
    with pytest.raises(RuntimeError, match=r"a\.root, 5 of the planned entries are neither processed nor lost"):
        run_job(content, restart=True)


TWO_JOBS = """
import resource, sys
from pathlib import Path
from hep_peaksum.cli.main import cli, main
small, large = sys.argv[1:]
cli.main(["run", small], standalone_mode=False)
n_pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = n_pages * resource.getpagesize() + (40 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
main(["run", large])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")
@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_too_little_memory_is_one_line_and_no_loss(write_events, job, tmp_path, on_bad_file):
    large = np.zeros((250_000, 6, 8))  # in one chunk: less than it takes
    files = {"small": write_events("a.root", 5), "large": write_events("b.root", len(large), cells=large)}
    for name, file in files.items():
        content = job(file, run={"on_bad_file": on_bad_file})
        content["output"] = {"directory": str(tmp_path / name), "plots": False}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    command = [sys.executable, "-c", TWO_JOBS, *(str(tmp_path / f"{name}.yaml") for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stdout
    assert re.fullmatch(r"error: .*b\.root: too little memory for a chunk of it: .*\n", done.stderr)
    assert not (tmp_path / "large/summary.json").exists()
