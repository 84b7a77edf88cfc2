"""Files that are not on this machine: what their file systems need, and when they give up.

Where a store is and who asks is told by the environment, as its library has it: ``AWS_ENDPOINT_URL`` and the
other ``AWS_*`` of S3, ``X509_USER_PROXY`` and ``XRD_*`` of XRootD, and for all of them fsspec's own, as in
``FSSPEC_S3='{"anon": true}'``. What is told there goes before what is decided here.
"""

from __future__ import annotations

import importlib
from typing import Any

import fsspec
from uproot.source.fsspec import FSSpecSource

from hep_peaksum.config.paths import REMOTE

EXTRAS = {"http": "http", "https": "http", "s3": "s3", "s3a": "s3", "root": "xrootd"}

# XRootD's own answer to a server that is away takes minutes, and for half an hour it does not ask again.
XROOTD_SECONDS = ("ConnectionWindow", "RequestTimeout", "StreamTimeout")
XROOTD_COUNTS = {"ConnectionRetry": 1, "StreamErrorWindow": 0, "TimeoutResolution": 1}


def reading_options(path: str) -> dict[str, Any]:
    """Return what uproot is to be told to read a path, beside its `timeout`."""
    return {"handler": RemoteSource} if REMOTE in path else {}


def check_protocol(path: str) -> None:
    """Raise a ValueError if the package that reads such a path is not installed."""
    if REMOTE not in path:
        return
    protocol = path.partition("://")[0].partition("::")[0]
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        remedy = f"pip install 'hep_peaksum[{extra}]'" if extra else " ".join(str(error).split())
        msg = f"{path}: files of {protocol}:// need a package that is not installed: {remedy}"
        raise ValueError(msg) from None
    except ValueError:
        known = ", ".join(f"{each}://" for each in ("https", "s3", "root"))
        msg = f"{path}: fsspec knows no {protocol}://, expected {known} or another of its file systems"
        raise ValueError(msg) from None


class RemoteSource(FSSpecSource):  # type: ignore[misc]
    """uproot's way to read by fsspec, with a `timeout` that acts.

    uproot hands it to every file system as it is: that of S3 cannot be made with it, that of HTTP takes no
    notice, and XRootD goes on trying to connect. What fails is tried again where the chunk is, not here.
    """

    def __init__(self, file_path: str, coalesce_config: Any = None, *, timeout: int, **options: Any) -> None:
        check_protocol(file_path)
        super().__init__(file_path, coalesce_config, **options, **_limits(file_path, timeout))

    def _open(self) -> None:
        super()._open()
        if "s3" in self._fs.protocol:
            self._fs.retries = 1  # no argument sets it


def _limits(path: str, timeout: int) -> dict[str, Any]:
    """Return the arguments of a file system that make a request end after so many seconds."""
    protocol = path.partition("://")[0]
    if protocol in ("http", "https"):
        total = importlib.import_module("aiohttp").ClientTimeout(total=timeout)
        return _with_own(protocol, "client_kwargs", {"timeout": total})
    if protocol in ("s3", "s3a"):
        seconds = {"connect_timeout": timeout, "read_timeout": timeout}
        return _with_own(protocol, "config_kwargs", {**seconds, "retries": {"max_attempts": 0}})
    if protocol == "root":
        client = importlib.import_module("XRootD.client")
        for key, value in {**dict.fromkeys(XROOTD_SECONDS, timeout), **XROOTD_COUNTS}.items():
            client.EnvPutInt(key, value)  # XRD_* of the environment stay as they are
        return {"timeout": timeout}
    return {}


def _with_own(protocol: str, key: str, limits: dict[str, Any]) -> dict[str, Any]:
    """Return the limits together with what the user told fsspec, which an argument would replace."""
    own = fsspec.config.conf.get(protocol, {}).get(key, {})
    return {key: {**limits, **own}}
