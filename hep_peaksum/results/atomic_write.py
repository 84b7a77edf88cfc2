"""How every file of this package is written: beside its final name, then moved there, whole."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

TEMPORARY = ".*.tmp"

# What is wrong with the place, whatever is written there.
PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


class WriteError(OSError):
    """A file that cannot be written where it belongs: no input is to blame."""

    def __str__(self) -> str:
        reason = f"{self.filename}: cannot be written ({self.strerror})"
        return f"{reason}: make room or give the permission, then run the same command again"


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when the block ends, and disappears when it fails.

    Raises
    ------
    WriteError
        If there is no room for it, or no permission.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Writers get the file, not its name: they take 'a::b' or 'a#b' in a name for more than a name.
        with temporary.open("w+b") as file:
            yield file
        with temporary.open("rb") as file:  # uproot has closed the other
            os.fsync(file.fileno())  # or a name may outlive a power cut that its content does not
        temporary.replace(path)
    except OSError as error:
        if error.errno not in PLACE or isinstance(error, WriteError):
            raise
        raise WriteError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        with suppress(OSError):  # in a folder that has become read-only; the next run clears it away
            temporary.unlink(missing_ok=True)
