"""The lock of a results folder: one owner at a time, also where its file is removed in between."""

import errno
import os

import pytest

from hep_peaksum.results import lock
from hep_peaksum.results.lock import InUseError, locked

NAME = lock.LOCK


@pytest.mark.parametrize("is_made_anew", [False, True], ids=["removed", "of-another"])
def test_a_lock_whose_file_was_removed_in_between_is_taken_again(tmp_path, monkeypatch, is_made_anew):
    path, takes = tmp_path / NAME, []
    take = lock._take

    def removed_before(file):
        takes.append(os.fstat(file.fileno()).st_ino)
        if len(takes) == 1:
            path.rename(tmp_path / "gone")  # so that its number is not given again
            if is_made_anew:
                path.touch()
        take(file)

    monkeypatch.setattr(lock, "_take", removed_before)
    with locked(tmp_path):
        assert len(takes) == 2
        assert takes[1] == path.stat().st_ino
        assert path.read_text().startswith(f"process {os.getpid()} on ")
        with pytest.raises(InUseError, match=f"another run is at work there .process {os.getpid()} on "):
            locked(tmp_path).__enter__()
    assert not path.exists()
    with locked(tmp_path):
        assert path.exists()


@pytest.mark.parametrize("number", sorted(lock.NO_LOCKS_HERE))
def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, number):
    def take(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_take", take)
    with (
        pytest.warns(UserWarning, match="there are no locks here: start no second run there"),
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
    with pytest.warns(UserWarning, match="no locks here"), locked(tmp_path):
        pass
