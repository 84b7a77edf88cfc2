"""Which errors may pass, so that a file or a chunk is tried again."""

import errno
import os

import pytest

from hep_peaksum.job.retries import is_transient
from hep_peaksum.results.atomic_write import WriteError


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
