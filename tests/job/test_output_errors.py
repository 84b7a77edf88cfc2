"""What is wrong with the output is told as that: never as a damaged input, never as a loss of input."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compilation import IN_HALF_THE_TIME
from long_tests import LONG
from plain_count import count, written

from hep_peaksum.config.load import parse_config
from hep_peaksum.job import processor
from hep_peaksum.job.run import run
from hep_peaksum.results.atomic_write import WriteError, atomic_write


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


@pytest.fixture
def small(write_events, job):
    return job(write_events("a.root", 12), run={"chunksize": 4, "on_bad_file": "skip"})


def test_a_directory_in_the_place_of_a_part_is_an_output_error(small):
    part = folder(small) / "toy/clusters.parquet/part-000001-000000000004-000000000008.parquet"
    part.mkdir(parents=True)
    (part / "mine").write_text("of the user")
    with pytest.raises(
        RuntimeError, match=r"part-000001-000000000004.*cannot be written \(.*directory"
    ) as error:
        run_job(small)
    assert "\n" not in str(error.value)
    assert (part / "mine").is_file()
    shutil.rmtree(part)
    assert run_job(small).losses == []
    assert written(folder(small)) == count(*small["datasets"]["toy"]["files"])


@pytest.mark.parametrize("place", ["_chunks/{}.json", "clusters.parquet/{}.parquet"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_stands_where_a_finished_chunk_was_is_an_output_error(small, place, make):
    run_job(small)
    path = folder(small) / "toy" / place.format("part-000001-000000000004-000000000008")
    path.unlink()
    make(path)
    with pytest.raises(
        RuntimeError, match=r"part-0.* cannot be written \((Is a directory|it is a pipe)"
    ) as error:
        run_job(small)
    assert "\n" not in str(error.value)
    (path.rmdir if path.is_dir() else path.unlink)()
    assert run_job(small).losses == []
    assert written(folder(small)) == count(*small["datasets"]["toy"]["files"])


def test_what_killed_writers_of_a_file_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "[x].root"
    others = [".[x].root.backup.tmp", f".[x].root.old.{'0' * 32}.tmp", f".x.root.{'0' * 32}.tmp"]
    for name in (f".[x].root.{'0' * 32}.tmp", *others):
        (tmp_path / name).write_text("left")
    with atomic_write(path, tidy=True):  # at work at the same time
        at_work = {each.name for each in tmp_path.iterdir()} - {*others}
        with atomic_write(path, tidy=True) as file:
            file.write(b"new")
        assert {each.name for each in tmp_path.iterdir()} == {*others, *at_work, path.name}
    assert len(at_work) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*others, path.name])


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, letter):
    path = tmp_path / (letter * (255 // len(letter.encode())))
    for _ in range(2):
        with atomic_write(path, tidy=True) as file:
            file.write(b"new")
    assert [*tmp_path.iterdir()] == [path]


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(WriteError, match="it is a pipe or a device"), atomic_write(tmp_path / "x"):
        pass
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


# before a chunk is written, and between its part and its record
@pytest.mark.parametrize("when", ["process", "record"])
def test_a_results_folder_that_vanishes_is_an_output_error(small, monkeypatch, when):
    real, seen = getattr(processor.PeakSumProcessor, when), []

    def vanish(self, *arguments):
        seen.append(1)
        if len(seen) == 2:
            shutil.rmtree(folder(small))
        return real(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(processor.PeakSumProcessor, when, vanish)
        with pytest.raises(RuntimeError, match="cannot be written") as error:
            run_job(small)
    assert "\n" not in str(error.value)
    assert "damaged" not in str(error.value)
    run_job(small)
    assert written(folder(small)) == count(*small["datasets"]["toy"]["files"])


def test_the_folder_may_be_a_link_from_the_beginning(small, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder(small).symlink_to(tmp_path / "elsewhere")
    run_job(small)
    assert written(tmp_path / "elsewhere") == count(*small["datasets"]["toy"]["files"])


@pytest.mark.parametrize("name", ["", "toy", "toy/clusters.parquet", "toy/_chunks"])
def test_nothing_is_written_behind_a_link_that_took_the_place_of_a_folder(small, monkeypatch, tmp_path, name):
    find, elsewhere = processor.PeakSumProcessor.process, tmp_path / "elsewhere"
    place = folder(small) / name
    elsewhere.mkdir()

    def replaced(self, events):
        if place.exists() and not place.is_symlink():
            place.rename(tmp_path / "moved")
            place.symlink_to(elsewhere)
        return find(self, events)

    monkeypatch.setattr(processor.PeakSumProcessor, "process", replaced)
    with pytest.raises(
        RuntimeError, match=r"cannot be written \(it is (no longer the folder of this run|a link)"
    ):
        run_job(small)
    assert [*elsewhere.iterdir()] == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOSPC, errno.ESTALE, errno.EINVAL])
def test_any_error_of_the_system_while_writing_is_a_write_error(tmp_path, monkeypatch, number):
    replace = Path.replace

    def fail(self, target):
        raise OSError(number, os.strerror(number), str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(WriteError, match=os.strerror(number)), atomic_write(tmp_path / "x") as file:
            file.write(b"1")
    assert list(tmp_path.iterdir()) == []
    assert replace is Path.replace


@pytest.mark.skipif(sys.platform == "darwin", reason="there, fcntl flushes")
def test_a_file_is_on_the_drive_before_it_gets_its_name(tmp_path, monkeypatch):
    """Else a name may outlive a power cut that its content does not."""
    steps, fsync, replace = [], os.fsync, Path.replace

    def noted_fsync(descriptor):
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").resolve().read_bytes()))
        fsync(descriptor)

    def noted_replace(self, target):
        steps.append(("move", self.read_bytes()))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with atomic_write(tmp_path / "x") as file:
        file.write(b"all of it")
        assert not (tmp_path / "x").exists()
    assert steps == [("fsync", b"all of it"), ("move", b"all of it")]
    assert (tmp_path / "x").read_bytes() == b"all of it"


def test_an_error_without_a_number_passes_as_it_is(tmp_path, monkeypatch):
    """Some file systems raise an OSError of their own, without a number that would say what it is."""

    def fail(self, target):
        raise OSError("the quota of the user is used up")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with (
            pytest.raises(OSError, match=r"^the quota of the user is used up$") as error,
            atomic_write(tmp_path / "x") as file,
        ):
            file.write(b"1")
    assert not isinstance(error.value, WriteError)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_what_is_read_is_not_a_write_error(tmp_path):
    with pytest.raises(OSError, match="the input is damaged") as error, atomic_write(tmp_path / "x"):
        raise OSError(errno.EIO, "the input is damaged")
    assert not isinstance(error.value, WriteError)


# ------------------------------------------------------------------------------------------------ numba's cache

SEARCH = "import hep_peaksum as ps; print(ps.find_clusters([[[1, 5, 2]]]).peak_sum.to_list())"


def search(cache, code=SEARCH, **environment):
    variables = {**os.environ, **IN_HALF_THE_TIME, "NUMBA_CACHE_DIR": str(cache), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def whole_cache(tmp_path_factory):
    """Return a cache of what a search compiles."""
    cache = tmp_path_factory.mktemp("cache")
    assert search(cache).stdout.strip() == "[[8]]"
    return cache


DAMAGE = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"x" * len(content),
}


def break_files(whole_cache, suffix, damage, to):
    """Copy a cache and damage its files with a suffix."""
    shutil.copytree(whole_cache, to)
    files = list(to.rglob(f"*.{suffix}"))
    assert files
    for file in files:
        file.write_bytes(DAMAGE[damage](file.read_bytes()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        pytest.param("nbi", "truncated", id="index-truncated", marks=LONG),
        pytest.param("nbi", "empty", id="index-empty", marks=LONG),
        pytest.param("nbi", "garbage", id="index-garbage", marks=LONG),
        pytest.param("nbc", "garbage", id="data-garbage", marks=LONG),
    ],
)
def test_a_broken_numba_cache_does_not_stop_a_search(whole_cache, tmp_path, suffix, damage):
    break_files(whole_cache, suffix, damage, tmp_path / "cache")
    done = search(tmp_path / "cache")
    assert (done.returncode, done.stdout.strip()) == (0, "[[8]]"), done.stderr
    assert len(done.stderr.splitlines()) <= 1, done.stderr


@pytest.mark.slow
def test_a_broken_numba_cache_does_not_lose_a_file(whole_cache, tmp_path, write_events, job):
    content = job(write_events("a.root", 12), run={"chunksize": 4, "on_bad_file": "skip"})
    config = tmp_path / "job.yaml"
    config.write_text(yaml.safe_dump(content))
    break_files(whole_cache, "nb*", "empty", tmp_path / "cache")
    done = search(tmp_path / "cache", f"from hep_peaksum.cli.main import main; main(['run', {str(config)!r}])")
    assert done.returncode == 0, done.stdout + done.stderr
    assert written(folder(content)) == count(*content["datasets"]["toy"]["files"])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_cache_that_cannot_be_saved_does_not_stop_a_search(tmp_path):
    code = (
        "import numba.core.caching as c, errno, os\n"
        "def full(self, *a, **k): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "c.IndexDataCacheFile.save = full\n" + SEARCH
    )
    done = search(tmp_path, code)
    assert (done.returncode, done.stdout.strip()) == (0, "[[8]]"), done.stderr


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a" * 255, "a" * 200), ("é" * 120, "é" * 100), ("a" * 199 + "é", "a" * 199), ("x", "x")],
)
def test_a_temporary_name_has_no_more_than_200_bytes_of_that_of_its_file(tmp_path, name, begin):
    with atomic_write(tmp_path / name):
        (temporary,) = tmp_path.iterdir()
    assert temporary.name.startswith(f".{begin}.")
    assert len(temporary.name) == len(begin) + 38
