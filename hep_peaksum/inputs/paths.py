"""Paths in a config: environment variables, globs, remote URLs, and the state of a local file."""

from __future__ import annotations

import glob
import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from hep_peaksum.plain_files import is_endless, no_file
from hep_peaksum.suggestions import did_you_mean, listed

# A path that contains this is a URL; several are joined to a chain, the file in an archive first.
REMOTE, CHAIN = "://", "::"
SCHEME = r"[A-Za-z][\w+.-]{0,30}://"
# Up to the quote that follows if one stands before it; a query may hold anything, further URLs, too.
URL = re.compile(
    rf"(?:(?<=(['\"])){SCHEME}(?:(?!{SCHEME}|\1)[^\s?#])*(?:[?#](?:(?!\1)\S)*)?"
    rf"|{SCHEME}(?:(?!{SCHEME})[^\s?#'\"<>])*(?:[?#][^\s\"<>]*)?)"
)
QUERY = {True: re.compile(r"[?#]"), False: re.compile(r"\?")}  # by whether it is a URL of the web
SHORTEST_SECRET = 4  # what is shorter, as in ?download=1, occurs in other words


class InputFile(NamedTuple):
    """A file and the path of a tree in it."""

    path: str
    tree: str


def public_path(path: str) -> str:
    """Return a path as it may be stored and printed: a URL without user, password, query and fragment.

    >>> public_path("https://me:secret@host/a.root?token=secret"), public_path("a?b.root")
    ('https://host/a.root', 'a?b.root')
    >>> public_path("zip://in.root::http://me:secret@host/a.zip")
    'zip://in.root::http://host/a.zip'
    """
    return CHAIN.join(map(_public_url, path.split(CHAIN))) if REMOTE in path else path


def _public_url(path: str) -> str:
    """Return one URL of a chain, such as that of an archive, without its secret parts."""
    if REMOTE not in path:
        return path
    scheme, _, rest = path.partition(REMOTE)
    host, slash, name = QUERY[scheme.lower().startswith("http")].split(rest, maxsplit=1)[0].partition("/")
    return f"{scheme}{REMOTE}{host.rpartition('@')[2]}{slash}{name}"


def without_cycle(tree: str) -> str:
    """Return the path of a tree without a cycle: ``Events;1`` and ``Events`` hold the same events.

    >>> without_cycle("Events;1")
    'Events'
    """
    return tree.partition(";")[0]


def redacted(text: str) -> str:
    """Return a text in which URLs stand as `public_path` gives them.

    >>> redacted("files: 'https://me:secret@host/a.root?token=secret' is not a file")
    "files: 'https://host/a.root' is not a file"
    >>> redacted("sent on to https://host/b.root?token=a,b'c|d by ftp://me:x@host/c.root")
    'sent on to https://host/b.root by ftp://host/c.root'
    """
    return URL.sub(lambda match: public_path(match[0]), text)


def without_secrets(text: str, path: str) -> str:
    """Return a text in which the secret parts of a path do not occur (see `public_path`)."""
    if public_path(path) == path:
        return text
    if CHAIN in path:
        for url in path.split(CHAIN):
            text = without_secrets(text, url)
        return text
    user, at, _ = path.partition(REMOTE)[2].partition("/")[0].rpartition("@")
    query = "".join(QUERY[True].split(path, maxsplit=1)[1:])
    values = [value.partition("=")[2] for value in query.split("&")]
    for secret in [path, f"{user}{at}", query, *user.split(":"), *values, *map(unquote, values)]:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, public_path(secret) if secret == path else "...")
    return text


# dataset -> its input files, in order
Files = Mapping[str, Sequence[InputFile]]


def expand_variables(path: str) -> str:
    """Return a path with `~` and environment variables filled in; an unset variable is a ValueError."""
    # `$$` is a plain dollar; what lies between two of them is expanded by itself
    texts = [os.path.expandvars(text) for text in path.split("$$")]
    expanded = os.path.expanduser("$".join(texts))  # noqa: PTH111 -- a glob or a URL is not a path
    if any("$" in text for text in texts):
        msg = f"{public_path(path)!r} names an environment variable that is not set: set it, or write $$ for $"
        raise ValueError(msg)
    return expanded


def expand_files(patterns: Iterable[tuple[str, str]]) -> list[InputFile]:
    """Return files with globs expanded and sorted, `~` and variables filled in, and no tree of a file twice.

    Parameters
    ----------
    patterns
        Pairs of a path, a URL or a glob, and the path of a tree.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a pattern matches nothing.
    ValueError
        If an environment variable is not set, or URLs differ only in what is not stored (see `public_path`).
    """
    files: dict[tuple[str, str], InputFile] = {}
    for pattern, spelled in patterns:
        path, tree = expand_variables(pattern), "/".join(part for part in spelled.split("/") if part)
        if REMOTE in path:
            files.setdefault((path, tree), InputFile(path, tree))
            continue
        is_pattern = glob.has_magic(path) and not os.path.lexists(path)
        matches = sorted(glob.glob(path, recursive=True)) if is_pattern else [path]  # noqa: PTH207 -- Path.glob takes no absolute pattern
        if not matches:
            msg = f"no file matches {path!r} (seen from {Path.cwd()}){_why_no_match(path)}"
            raise FileNotFoundError(msg)
        for name in matches:
            if not os.path.isfile(name):  # noqa: PTH113 -- of 20 000 files
                raise FileNotFoundError(_why_no_file(name))
            files.setdefault((same_place(name), tree), InputFile(name, tree))
    stored = Counter((public_path(path), tree) for path, tree in files.values() if REMOTE in path)
    for (path, _), n_files in stored.items():
        if n_files > 1:
            msg = f"{n_files} URLs of {path} differ in user or query only, and neither is stored: rename them"
            raise ValueError(msg)
    return list(files.values())


def same_place(path: str) -> str:
    """Return the absolute path of a file, the same for all symbolic links to it; of a remote one its URL."""
    return path if REMOTE in path else os.path.realpath(path)


def _why_no_match(pattern: str) -> str:
    """Return why a glob matches nothing: its folder is not there, or holds files of other names."""
    folder = next(each for each in Path(pattern).parents if not glob.has_magic(str(each)))
    try:
        held = sorted(each.name for each in folder.iterdir() if each.suffix == ".root")
    except OSError as error:
        return f": the folder {str(folder)!r} cannot be read ({error.strerror})"
    return f": the folder {str(folder)!r} has {listed(held, near=Path(pattern).name) or 'no .root files'}"


def _why_no_file(name: str) -> str:
    """Return why a path is not a file, and what was perhaps meant."""
    path = Path(name)
    if path.is_dir():
        return f"{name!r} is a folder, where a file is expected: write {str(path / '*.root')!r} for those in it"
    if path.is_symlink() and not path.exists():
        return f"{name!r} is a link to {os.fspath(path.readlink())!r}, and there is no such file: mend the link"
    if is_endless(path):
        return no_file(path)
    if file := next((each for each in path.parents if each.is_file()), None):
        tree = path.relative_to(file).as_posix()
        return f"{str(file)!r} is a file, not a folder: a tree is written after a colon, {f'{file}:{tree}'!r}"
    beside = (each.name for each in path.parent.iterdir()) if path.parent.is_dir() else ()
    return f"there is no file {name!r}{did_you_mean(path.name, beside, likeness=0.85)} (seen from {Path.cwd()})"


def file_state(path: str) -> tuple[int, int] | None:
    """Return size and modification time (ns) of a local file; None if it is remote or does not exist."""
    if REMOTE in path:
        return None
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


# The head of a ROOT file up to its UUID: 32-bit offsets, or from version 1 000 000 on 64-bit ones.
SHORT_HEAD, LONG_HEAD = struct.Struct(">4siiiiiiiBiiiH16s"), struct.Struct(">4siiqqiiiBiqiH16s")
LONG_VERSION = 1_000_000


def file_uuid(path: str) -> str | None:
    """Return the UUID in the head of a local ROOT file, in hex; None if there is no such head.

    Read without uproot, which takes thirty times as long.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- names that are not text, too
            head = file.read(LONG_HEAD.size)
        magic, number = struct.unpack_from(">4si", head)
        fields = (LONG_HEAD if number >= LONG_VERSION else SHORT_HEAD).unpack_from(head)
    except (OSError, struct.error):
        return None
    uuid: bytes = fields[-1]
    return uuid.hex() if magic == b"root" else None
