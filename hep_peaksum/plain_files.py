"""What must be a file: a pipe would be waited for, and a device may have no end."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def is_endless(path: str | os.PathLike[str]) -> bool:
    """Return whether something is at a path that is neither a file nor a folder."""
    try:
        return has_no_end(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def has_no_end(mode: int) -> bool:
    """Return whether a mode, as `os.stat` has it, is neither that of a file nor that of a folder."""
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def no_file(path: str | os.PathLike[str]) -> str:
    """Return what to say of a path at which such a thing is.

    >>> no_file("/dev/zero")
    "'/dev/zero' is a pipe or a device, where a file is expected: copy what comes from it to a file"
    """
    what = "is a pipe or a device, where a file is expected"
    return f"{os.fspath(path)!r} {what}: copy what comes from it to a file"
