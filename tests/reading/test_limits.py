"""How the file system of each protocol is told to end a request."""

import fsspec
import pytest

from hep_peaksum.reading.remote import _limits


@pytest.mark.parametrize("path", ["https://site/a.root", "http://site/a.root"])
def test_a_web_server_has_the_timeout_of_the_job(path):
    assert _limits(path, 7) == {"timeout": 7}


def test_s3_has_the_timeouts_of_its_own_client_and_the_user_may_change_them(monkeypatch):
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 99}})
    limits = _limits("s3://bucket/a.root", 7)["config_kwargs"]
    assert (limits["connect_timeout"], limits["read_timeout"], limits["retries"]) == (
        7,
        99,
        {"max_attempts": 0},
    )


def test_a_local_file_has_none():
    assert _limits("/data/a.root", 7) == {}
