"""Remote files: which package reads each protocol, and a timeout that every file system respects.

Endpoints and credentials come from the environment variables of each library: ``AWS_ENDPOINT_URL`` and the
other ``AWS_*`` of S3, ``X509_USER_PROXY`` and ``XRD_*`` of XRootD, and fsspec's own for any of them, as in
``FSSPEC_S3='{"anon": true}'``. They take precedence over the timeouts set here.
"""

from __future__ import annotations

import importlib
from typing import Any

import fsspec
from uproot.source.fsspec import FSSpecSource

from hep_peaksum.inputs.paths import REMOTE, public_path
from hep_peaksum.reading.basket_limit import MAX_BASKET, Limited, LocalSource

EXTRAS = {"http": "http", "https": "http", "s3": "s3", "s3a": "s3", "root": "xrootd"}

# By default XRootD takes minutes to give up an absent server, and then does not retry it for half an hour.
XROOTD_SECONDS = ("ConnectionWindow", "RequestTimeout", "StreamTimeout")
XROOTD_COUNTS = {"ConnectionRetry": 1, "StreamErrorWindow": 0, "TimeoutResolution": 1}


def reading_options(path: str, max_basket: int = MAX_BASKET) -> dict[str, Any]:
    """Return the options for `uproot.open` that a path needs, besides `timeout`."""
    # uproot's choice for a local file would take 'a::b.root' for a chain of file systems
    return {"handler": RemoteSource if REMOTE in path else LocalSource, "max_basket": max_basket}


def check_protocol(path: str) -> None:
    """Raise a ValueError if the package that reads the protocol of a path is not installed."""
    if REMOTE not in path:
        return
    protocol = path.partition("://")[0].partition("::")[0]
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        remedy = f"pip install 'hep_peaksum[{extra}]'" if extra else " ".join(str(error).split())
        msg = f"{public_path(path)}: {protocol}:// needs a package that is not installed: {remedy}"
        raise ValueError(msg) from None
    except ValueError:
        known = ", ".join(f"{each}://" for each in ("https", "s3", "root"))
        reason = f"fsspec has no file system for {protocol}://, expected {known} or another of its protocols"
        msg = f"{public_path(path)}: {reason}"
        raise ValueError(msg) from None


class RemoteSource(Limited, FSSpecSource):  # type: ignore[misc]
    """uproot's fsspec source with a `timeout` that works.

    Why: uproot 5.7.7 passes `timeout` to every file system unchanged, but only HTTP's understands it: S3's
    rejects it, and XRootD keeps trying to connect. Their own retries are off, since a job retries whole chunks.
    Drop it when uproot translates the timeout itself; `tests/reading/test_uproot_patches.py` fails then.
    """

    def __init__(
        self,
        file_path: str,
        coalesce_config: Any = None,
        *,
        timeout: int,
        max_basket: int = MAX_BASKET,
        **options: Any,
    ) -> None:
        check_protocol(file_path)
        self.max_basket = max_basket
        super().__init__(file_path, coalesce_config, **options, **_limits(file_path, timeout))

    def _open(self) -> None:
        super()._open()
        if "s3" in self._fs.protocol:
            self._fs.retries = 1  # there is no argument for it


def _limits(path: str, timeout: int) -> dict[str, Any]:
    """Return the arguments of a file system that end a request after `timeout` seconds."""
    protocol = path.partition("://")[0]
    if protocol in ("http", "https"):
        return {"timeout": timeout}
    if protocol in ("s3", "s3a"):
        limits = {"connect_timeout": timeout, "read_timeout": timeout, "retries": {"max_attempts": 0}}
        # merged with the user's configuration of fsspec, which an argument would replace
        return {"config_kwargs": {**limits, **fsspec.config.conf.get(protocol, {}).get("config_kwargs", {})}}
    if protocol == "root":
        client = importlib.import_module("XRootD.client")
        for key, value in {**dict.fromkeys(XROOTD_SECONDS, timeout), **XROOTD_COUNTS}.items():
            client.EnvPutInt(key, value)  # does not override XRD_* of the environment
        return {"timeout": timeout}
    return {}
