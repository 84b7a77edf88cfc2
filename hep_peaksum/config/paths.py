"""Paths in a config: environment variables, globs, remote URLs, and the state of a local file."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path

# A path that contains this is a URL.
REMOTE = "://"
# dataset -> path of a file -> path of its tree
Files = Mapping[str, Mapping[str, str]]


def expand_variables(path: str) -> str:
    """Return a path with `~` and environment variables filled in; an unset variable is a ValueError."""
    expanded = os.path.expandvars(Path(path).expanduser() if path.startswith("~") else path)
    if "$" in expanded:
        msg = f"{path!r} names an environment variable that is not set: export it, or write the path in full"
        raise ValueError(msg)
    return expanded


def expand_files(files: Mapping[str, str]) -> dict[str, str]:
    """Return path -> tree with globs expanded and sorted, `~` and variables filled in, and no file twice.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a pattern matches nothing.
    ValueError
        If an environment variable is not set.
    """
    expanded: dict[str, str] = {}
    real_paths: set[str] = set()
    for pattern, tree in files.items():
        path = expand_variables(pattern)
        if REMOTE in path:
            expanded[path] = tree
            continue
        is_pattern = glob.has_magic(path) and not Path(path).is_file()
        matches = sorted(glob.glob(path, recursive=True)) if is_pattern else [path]  # noqa: PTH207 -- Path.glob takes no absolute pattern
        if not matches:
            msg = f"no file matches {path!r} (seen from {Path.cwd()})"
            raise FileNotFoundError(msg)
        for name in matches:
            if not Path(name).is_file():
                msg = f"there is no file {name!r} (seen from {Path.cwd()})"
                raise FileNotFoundError(msg)
            if os.path.realpath(name) not in real_paths:  # one file may have several names
                real_paths.add(os.path.realpath(name))
                expanded[name] = tree
    return expanded


def file_state(path: str) -> tuple[int, int] | None:
    """Return size and modification time (ns) of a local file; None if it is remote or does not exist."""
    if REMOTE in path:
        return None
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
