"""The lock of a results folder whose file is replaced, or where the system has no locks or fails."""

import errno
import os

import pytest

from hep_peaksum.results import lock
from hep_peaksum.results.lock import locked

NAME = lock.LOCK


def test_a_lock_whose_file_is_of_another_by_now_is_taken_again(tmp_path, monkeypatch):
    path, takes = tmp_path / NAME, []
    take = lock._take

    def replaced_before(file):
        takes.append(os.fstat(file.fileno()).st_ino)
        if len(takes) == 1:
            path.rename(tmp_path / "gone")  # so that its number is not given again
            path.touch()
        take(file)

    monkeypatch.setattr(lock, "_take", replaced_before)
    with locked(tmp_path):
        assert len(takes) == 2
        assert takes[1] == path.stat().st_ino
    assert not path.exists()


def test_the_lock_of_a_folder_that_took_the_place_of_ours_stays(tmp_path):
    """The folder is removed while a run is at work, and another run begins in a new one."""
    with locked(tmp_path):
        (tmp_path / NAME).rename(tmp_path / "gone")
        (tmp_path / NAME).touch()
    assert (tmp_path / NAME).exists()


@pytest.mark.parametrize("number", sorted(lock.NO_LOCKS_HERE))
def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, number):
    def take(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_take", take)
    with (
        pytest.warns(UserWarning, match="files cannot be locked here: do not start a second run in it"),
        locked(tmp_path),
    ):
        assert (tmp_path / NAME).exists()
    assert not (tmp_path / NAME).exists()


def test_a_lock_that_cannot_be_taken_for_another_reason_is_that_error(tmp_path, monkeypatch):
    def take(file):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(lock, "_take", take)
    with pytest.raises(OSError, match="broken") as caught, locked(tmp_path):
        pass
    assert caught.value.errno == errno.EIO


def test_a_python_without_locks_is_a_file_system_without_them(tmp_path, monkeypatch):
    def take(file):
        raise ImportError

    monkeypatch.setattr(lock, "_take", take)
    with pytest.warns(UserWarning, match="files cannot be locked here"), locked(tmp_path):
        pass
