"""uproot without `RemoteSource` and `mark_leaves`: a test that fails says that it is no longer needed."""

import socket
import subprocess
import sys

import numpy as np
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


def test_mark_leaves__uproot_does_not_know_that_a_field_holds_no_others(tmp_path):
    with uproot.recreate(tmp_path / "flat.root") as file:
        file.mkrntuple("Events", {"a": np.zeros(3), "b": np.zeros(3)})
    with uproot.open(tmp_path / "flat.root") as file:
        assert file["Events"].all_fields[0]._fields is None
