"""One run at a time in a results folder: a lock that the system releases even if its owner is killed."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hep_peaksum.config.formats import LOCK

# Somebody else holds the lock; anything else says that the file system has none (macOS: ENOTSUP is not
# EOPNOTSUPP).
TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


class InUseError(RuntimeError):
    """Another run is at work in the folder."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a results folder inside the block.

    Raises
    ------
    InUseError
        If another run holds it; the message names its process.
    OSError
        If the folder cannot be written, or the lock is a link to somewhere else.
    """
    path = directory / LOCK
    file = _acquire(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # closing the file releases the lock anyway
            if _is_same(path, file):  # not that of a run in a folder that has taken the place of ours
                path.unlink()
        file.close()


def _acquire(path: Path) -> IO[str]:
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        file = open(os.open(path, flags, 0o666), "a+", encoding="utf-8")  # noqa: PTH123, SIM115 -- a descriptor
        if os.fstat(file.fileno()).st_nlink > 1:
            file.close()
            msg = f"{path} is also the name of a file elsewhere"
            raise OSError(errno.EEXIST, msg, str(path))
        try:
            take_lock(file)
        except OSError as error:
            if error.errno in NO_LOCKS_HERE:
                warnings.warn(
                    f"{path.parent}: files cannot be locked here: do not start a second run in it", stacklevel=4
                )
                return file
            owner = _owner(file)
            file.close()
            if error.errno not in TAKEN:
                raise
            msg = (
                f"{path.parent}: another run is at work there ({owner}): wait for it, or choose another "
                "output.directory"
            )
            raise InUseError(msg) from None
        if _is_same(path, file):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            return file
        file.close()  # its owner removed it in between: try again


def take_lock(file: IO[Any]) -> None:
    """Take the lock of an open file, or raise an OSError at once; closing the file releases it."""
    try:
        _take(file)
    except ImportError as error:  # a Python without either module, as in a browser
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error


def _take(file: IO[Any]) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 -- only on Windows

        file.seek(1 << 30)  # behind the text, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 -- not on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "just started"


def _is_same(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
