"""uproot without `RemoteSource`: a test that fails here says that it is no longer needed, and to remove it."""

import socket
import subprocess
import sys

import pytest
import uproot

OPEN = """
import sys, uproot, XRootD
print("begin", flush=True)
uproot.open({sys.argv[1]: None}, timeout=1)
"""


@pytest.mark.slow
def test_remote_source__xrootd_ignores_the_timeout():
    """In a process of its own: XRootD's settings, which `RemoteSource` makes, are those of the process."""
    pytest.importorskip("fsspec_xrootd", reason="fsspec_xrootd is not installed")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "root://{}:{}//a.root".format(*silent.getsockname())
        command = [sys.executable, "-c", OPEN, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout.readline() == b"begin\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def test_remote_source__s3_cannot_be_created_with_a_timeout(monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("FSSPEC_S3", '{"anon": true}')
    with pytest.raises(TypeError, match="timeout"):
        uproot.open({"s3://calo/a.root": None}, timeout=1)
