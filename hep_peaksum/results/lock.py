"""One run at a time in a results directory: a lock that the system gives back when its owner dies, however."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LOCK = ".lock"
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class InUseError(RuntimeError):
    """Another run is at work in the directory."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a results directory.

    Raises
    ------
    InUseError
        If another run holds it; the message says which.
    OSError
        If the directory cannot be written.
    """
    path = directory / LOCK
    file = _acquire(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the lock is given back all the same
            path.unlink(missing_ok=True)
        file.close()


def _acquire(path: Path) -> IO[str]:
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                warnings.warn(
                    f"{path.parent}: the file system knows no locks: start no second run there", stacklevel=4
                )
                return file
            owner = _owner(file)
            file.close()
            msg = (
                f"{path.parent}: another run is at work there ({owner}): wait for it, or choose another "
                "output.directory"
            )
            raise InUseError(msg) from None
        if _is_still(path, file):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            return file
        file.close()  # its owner removed it while we took it


def _owner(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "just started"


def _is_still(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
