"""Which errors may pass, so that a file or a chunk is tried again, and how often."""

import errno
import os

import pytest
from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.job.retries import ChunkError, attempt, is_transient
from hep_peaksum.results.atomic_write import WriteError
from hep_peaksum.results.manifest import LOSSES

ITEM = WorkItem("toy", "a.root", "Events", 10, 25, b"0" * 16)


class Flaky:
    """Work that fails some times before it succeeds."""

    def __init__(self, n_failures, error):
        self.n_failures, self.error, self.n_calls = n_failures, error, 0

    def __call__(self, _item):
        self.n_calls += 1
        if self.n_calls <= self.n_failures:
            raise self.error
        return "done"


@pytest.fixture
def no_wait(monkeypatch):
    """Sleep not at all; return the list of the seconds that were asked for."""
    seconds = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("n_retries", [0, 1, 3])
def test_what_may_pass_is_tried_again_as_often_as_the_config_says(n_retries):
    enough = Flaky(n_retries, system_error(errno.EIO))
    assert attempt(n_retries, 0, False, enough, ITEM) == "done"
    too_often = Flaky(n_retries + 1, system_error(errno.EIO))
    with pytest.raises(ChunkError, match=r"a\.root"):
        attempt(n_retries, 0, False, too_often, ITEM)
    assert enough.n_calls == too_often.n_calls == n_retries + 1


@pytest.mark.parametrize(
    ("file", "seconds"),
    [("a.root", [0.1, 0.1, 0.1]), ("root://host/a.root", [1, 2, 4])],
    ids=["local", "remote"],
)
def test_a_server_has_longer_and_longer_to_recover(no_wait, file, seconds):
    attempt(3, 0, False, Flaky(3, system_error(errno.EIO)), WorkItem("toy", file, "Events", 10, 25, b"0" * 16))
    assert no_wait == seconds


@pytest.mark.usefixtures("no_wait")
def test_what_does_not_pass_is_tried_once_and_is_a_loss_of_its_entries_where_that_is_allowed():
    broken = Flaky(9, ValueError("not a ROOT file"))
    lost = attempt(3, 0, True, broken, ITEM)
    (loss,) = lost["out"][LOSSES]
    assert (loss.dataset, loss.file, loss.start, loss.n_entries) == ("toy", "a.root", 10, 15)
    assert (lost["processed"], broken.n_calls) == ({ITEM}, 1)


@pytest.mark.usefixtures("no_wait")
def test_a_file_that_cannot_be_opened_is_a_loss_of_all_its_entries_whose_number_is_unknown():
    broken = Flaky(9, ValueError("not a ROOT file"))
    (found,) = attempt(0, 0, True, broken, FileMeta("toy", "a.root", "Events"))
    loss = found.metadata[LOSSES]
    assert (loss.dataset, loss.file, loss.start, loss.n_entries) == ("toy", "a.root", 0, None)


@pytest.mark.usefixtures("no_wait")
def test_a_full_disk_is_no_loss_of_entries():
    with pytest.raises(ChunkError):
        attempt(3, 0, True, Flaky(9, system_error(errno.ENOSPC, WriteError)), ITEM)


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(
    "cause",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ENFILE, "Too many open files in system"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_limit_of_the_machine_is_no_loss_of_entries(cause):
    error = OSError("a.root: cannot be read as a ROOT file")
    error.__cause__ = cause
    with pytest.raises(
        ChunkError, match=r"a\.root: cannot be read at a limit \(.*\) of open files, threads or mem"
    ):
        attempt(3, 0, True, Flaky(9, error), ITEM)


def system_error(number, kind=OSError):
    return kind(number, os.strerror(number), "a file")


@pytest.mark.parametrize(
    ("path", "error", "expected"),
    [
        pytest.param("a.root", system_error(errno.EIO), True, id="a_disk_that_fails_may_recover"),
        pytest.param("a.root", system_error(errno.ESTALE), True, id="a_network_file_system_may_recover"),
        pytest.param("a.root", system_error(errno.EACCES), False, id="a_permission_is_not_granted_by_waiting"),
        pytest.param("a.root", system_error(errno.ENOENT), False, id="a_missing_file_does_not_come_back"),
        pytest.param("a.root", ValueError("not a ROOT file"), False, id="content_does_not_change"),
        pytest.param("a.root", system_error(errno.ENOSPC, WriteError), False, id="a_full_disk_is_told_at_once"),
        pytest.param("a.root", MemoryError(), False, id="too_little_memory_is_told_at_once"),
        pytest.param("root://host/a.root", OSError("[ERROR] timeout"), True, id="a_server_may_recover"),
        pytest.param("https://host/a.root", FileNotFoundError("404"), False, id="a_server_without_the_file"),
        pytest.param("https://host/a.root", ValueError("entry 7: NaN"), False, id="content_of_a_server"),
    ],
)
def test_only_errors_that_may_pass_are_tried_again(path, error, expected):
    wrapped = RuntimeError("failed")
    wrapped.__cause__ = error
    assert is_transient(path, error) is expected
    assert is_transient(path, wrapped) is expected
