"""uproot without `RemoteSource`: a test that fails here says that it is no longer needed, and to remove it."""

import contextlib
import socket
import threading
import time

import pytest
import uproot


def is_still_waiting_after(url, seconds, server):
    """Open a URL with a timeout of one second; return whether it is still being opened some seconds later."""

    def open_it():
        with contextlib.suppress(Exception):
            uproot.open({url: None}, timeout=1)

    thread = threading.Thread(target=open_it, daemon=True)
    thread.start()
    thread.join(seconds)
    is_waiting = thread.is_alive()
    server.close()  # the client gets an error
    thread.join(30)
    return is_waiting


@pytest.fixture
def silent_server():
    """Return a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.slow
def test_remote_source__xrootd_ignores_the_timeout(silent_server):
    pytest.importorskip("fsspec_xrootd", reason="fsspec_xrootd is not installed")
    host, port = silent_server.getsockname()
    assert is_still_waiting_after(f"root://{host}:{port}//a.root", 5, silent_server)


def test_remote_source__s3_cannot_be_created_with_a_timeout(silent_server, monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("FSSPEC_S3", '{"anon": true}')
    began = time.monotonic()
    with pytest.raises(TypeError, match="timeout"):
        uproot.open({"s3://calo/a.root": None}, timeout=1)
    assert time.monotonic() - began < 10
