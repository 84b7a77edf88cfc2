"""How every file of a results folder is written: under a temporary name, then moved to its own, complete."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hep_peaksum.config.formats import TEMPORARY

# Errors of the place, whatever is written there.
PLACE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


class WriteError(OSError):
    """A file that cannot be written where it belongs; no input file is to blame."""

    def __str__(self) -> str:
        reason = f"{self.filename}: cannot be written ({self.strerror})"
        return f"{reason}: free some space or grant the permission, then run the same command again"


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that replaces `path` when the block ends, and is removed if the block fails.

    Raises
    ------
    WriteError
        If there is no space for it, or no permission.
    """
    temporary = path.with_name(TEMPORARY.format(name=path.name, unique=uuid.uuid4().hex))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Writers get the open file: in a name they would interpret 'a::b' or 'a#b'.
        with temporary.open("w+b") as file:
            yield file
        with temporary.open("rb") as file:  # uproot has closed the other
            os.fsync(file.fileno())  # or after a power cut the name may exist without its content
        temporary.replace(path)
    except OSError as error:
        if error.errno not in PLACE_ERRNOS or isinstance(error, WriteError):
            raise
        raise WriteError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        with suppress(OSError):  # the folder may have become read-only; the next run removes the file
            temporary.unlink(missing_ok=True)
