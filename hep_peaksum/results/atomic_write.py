"""How every file of a results folder is written: under a temporary name, then moved to its own, complete.

JSON of which a later run believes every number is sealed: its first key is a checksum of all others.
"""

from __future__ import annotations

import errno
import glob
import io
import os
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import xxhash

from hep_peaksum.config.formats import TEMPORARY
from hep_peaksum.results.lock import take_lock

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class WriteError(OSError):
    """A file that cannot be written where it belongs; no input file is to blame."""

    def __str__(self) -> str:
        reason = f"{self.filename}: cannot be written ({self.strerror})"
        return f"{reason}: free the space or the name, or grant the permission, then run the same command again"


# What `atomic_write` leaves behind when it is killed, beside a file of ours.
TEMPORARY_NAME = re.compile(r"\.(.+)\.[0-9a-f]{32}\.tmp")
LONGEST_NAME = 200  # bytes of a name in a temporary one
SEALED = re.compile(rb'\{"xxh3":"([0-9a-f]{16})",(.*\})\s*', re.DOTALL)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise an error of the system as a `WriteError` of a path."""
    try:
        yield
    except OSError as error:
        if isinstance(error, WriteError) or error.errno is None:
            raise
        raise WriteError(error.errno, os.strerror(error.errno), str(path)) from error


class _Output(io.FileIO):
    """A new file whose failed writes are a `WriteError`, so that they are told apart from failed reads.

    Whoever writes a part may read its input at the same time: both raise an OSError in the same block.
    """

    def __init__(self, temporary: Path, path: Path) -> None:
        # exclusive: a link that somebody has put there is not followed
        super().__init__(temporary, "x+")
        self._path = path

    def write(self, data: ReadableBuffer, /) -> int:
        with write_errors(self._path):
            return super().write(data) or 0

    def truncate(self, size: int | None = None, /) -> int:
        with write_errors(self._path):
            return super().truncate(size)


@contextmanager
def atomic_write(path: Path, *, tidy: bool = False) -> Iterator[IO[bytes]]:
    """Open a new file that replaces `path` when the block ends, and is removed if the block fails.

    Parameters
    ----------
    path
        The file.
    tidy
        Remove what writers of the same path that were killed have left beside it. A run tidies its whole
        results folder at once; files outside of one have nobody else who would.

    Raises
    ------
    WriteError
        If it cannot be written there. Errors of the block that have nothing to do with the file pass unchanged.
    """
    temporary = path.with_name(TEMPORARY.format(name=_begin_of(path.name), unique=uuid.uuid4().hex))
    try:
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _check_place(path)
            if tidy:
                _remove_abandoned(path)
            raw = _Output(temporary, path)
            if tidy:
                _hold(raw)
        # Writers get the open file: in a name they would interpret 'a::b' or 'a#b'.
        with io.BufferedRandom(raw) as file:
            yield file
        with write_errors(path):
            _flush_to_disk(temporary)  # or after a power cut the name may exist without its content
            temporary.replace(path)
    finally:
        with suppress(OSError):  # the folder may have become read-only; the next run removes the file
            temporary.unlink(missing_ok=True)


def _begin_of(name: str) -> str:
    """Return the beginning of a name: with it a temporary name has no more than the 255 bytes that may be."""
    while len(os.fsencode(name)) > LONGEST_NAME:
        name = name[:-1]
    return name


def _hold(raw: io.FileIO) -> None:
    """Lock a new file: it is not abandoned as long as the lock is held, which ends with its writer."""
    with suppress(OSError):  # a file system without locks: nobody can take it for abandoned there
        take_lock(raw)
        raw.seek(0)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of a path whose writers are gone, which have let go of their locks."""
    name = _begin_of(path.name)
    for left in path.parent.glob(TEMPORARY.format(name=glob.escape(name), unique="*")):
        match = TEMPORARY_NAME.fullmatch(left.name)
        if match and match[1] == name and left.is_file() and not left.is_symlink():
            with suppress(OSError):
                with left.open("r+b") as file:
                    take_lock(file)
                left.unlink()


def _check_place(path: Path) -> None:
    """Raise a WriteError where something else than a file is: a pipe or /dev/null would be replaced by one."""
    if path.is_dir():
        raise WriteError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise WriteError(errno.EEXIST, "it is a pipe or a device", str(path))


def _flush_to_disk(path: Path) -> None:
    """Have the system write a closed file to the drive (uproot closes what it is given to write)."""
    with path.open("r+b") as file:  # Windows flushes only what is open for writing
        if sys.platform == "darwin":  # fsync alone leaves the data in the cache of the drive
            import fcntl  # noqa: PLC0415 -- not on Windows

            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
        else:
            os.fsync(file.fileno())


def seal(body: bytes) -> bytes:
    """Return a JSON object with a first key, `xxh3`, that holds the checksum of the object as it was.

    >>> seal(b'{"n_events":5}')
    b'{"xxh3":"4375acd6ccd0766b","n_events":5}'
    """
    return b'{"xxh3":"%s",%s' % (xxhash.xxh3_64_hexdigest(body).encode(), body[1:])


def unseal(content: bytes) -> bytes | None:
    """Return the JSON object that was sealed, None if it is damaged, was edited, or was never sealed.

    >>> unseal(seal(b'{"n_events":5}')), unseal(seal(b'{"n_events":5}').replace(b"5}", b"6}"))
    (b'{"n_events":5}', None)
    """
    match = SEALED.fullmatch(content)
    body = b"{" + match[2] if match else b""
    is_whole = match is not None and xxhash.xxh3_64_hexdigest(body).encode() == match[1]
    return body if is_whole else None
