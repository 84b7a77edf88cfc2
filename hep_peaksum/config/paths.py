"""Paths of a config: environment variables, globs, remote URLs, and the state of a local file."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path


def expand_variables(path: str) -> str:
    """Return a path with `~` and environment variables filled in; an unset variable is a ValueError."""
    expanded = os.path.expandvars(Path(path).expanduser() if path.startswith("~") else path)
    if "$" in expanded:
        msg = f"{path!r} names an environment variable that is not set: export it, or write the path"
        raise ValueError(msg)
    return expanded


REMOTE = "://"


def expand_files(files: Mapping[str, str]) -> dict[str, str]:
    """Return path -> tree: globs expanded and sorted, `~` and environment variables filled in, no file twice.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a pattern matches nothing.
    ValueError
        If an environment variable is not set.
    """
    expanded: dict[str, str] = {}
    real: set[str] = set()
    for pattern, tree in files.items():
        path = expand_variables(pattern)
        if REMOTE in path:
            expanded[path] = tree
            continue
        is_pattern = glob.has_magic(path) and not Path(path).is_file()
        names = sorted(glob.glob(path, recursive=True)) if is_pattern else [path]  # noqa: PTH207
        if not names:
            msg = f"no file matches {path!r} (seen from {Path.cwd()})"
            raise FileNotFoundError(msg)
        for name in names:
            if not Path(name).is_file():
                msg = f"there is no file {name!r} (seen from {Path.cwd()})"
                raise FileNotFoundError(msg)
            if os.path.realpath(name) not in real:  # links: one file under several names
                real.add(os.path.realpath(name))
                expanded[name] = tree
    return expanded


Files = Mapping[str, Mapping[str, str]]


def file_state(path: str) -> tuple[int, int] | None:
    """Return size and modification time of a file; None if it is remote or does not exist."""
    if REMOTE in path:
        return None
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns
