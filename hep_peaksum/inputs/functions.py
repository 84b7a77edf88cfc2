"""Functions of the user, named in the config as ``module:function``, and the content that results depend on.

The digests of modules, and of files that the config names, are part of a job: what was made with another
function or another list of good runs is never taken for a result of this one.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import WithJsonSchema

from hep_peaksum.inputs.paths import expand_variables
from hep_peaksum.kernels import Array
from hep_peaksum.plain_files import has_no_end, no_file
from hep_peaksum.suggestions import did_you_mean, listed

FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
FunctionName = Annotated[
    str, WithJsonSchema({"title": "module:function", "type": "string", "pattern": FUNCTION})
]

# Modules as this process has imported them: what a reload replaces, and the digest that the file had then.
_imported: dict[str, tuple[Any, str | None]] = {}


class ChangedContentError(ValueError):
    """A file or a module that is not what it was when the job began; no input file is to blame."""


def brief_error(error: Exception) -> str:
    r"""Return an error on one line: its type and what it says.

    >>> brief_error(ValueError("no\n such cell"))
    'ValueError: no such cell'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def user_function(name: str) -> Callable[..., Any]:
    """Return the function ``module:function``.

    Raises
    ------
    ValueError
        If it cannot be imported; the message says why and what to do.

    >>> user_function("math:hypot")(3, 4)
    5.0
    """
    module, _, attribute = name.partition(":")
    digest, imported = _module_digest(module), None
    try:
        imported = importlib.import_module(module)
        if _imported.get(module, (None,))[0] is not imported.__spec__:
            _imported[module] = imported.__spec__, digest
        function = getattr(imported, attribute)
    except Exception as error:  # noqa: BLE001 -- what the module of a user raises can be anything
        remedy = "put its folder on PYTHONPATH" if isinstance(error, ImportError) else "mend the module"
        near = ""
        if imported is not None:  # the module is there, and has no such name
            near, remedy = did_you_mean(attribute, vars(imported)), f"write {module}:NAME of a function in it"
        msg = f"{name} cannot be imported ({brief_error(error)}){near}: {remedy}"
        raise ValueError(msg) from None  # the first of a chain of errors is what a job reports
    if not callable(function):
        msg = f"{name} is {type(function).__name__}, expected a function"
        raise ValueError(msg)
    return function  # type: ignore[no-any-return]


def failure_of(name: str, error: Exception) -> str:
    """Return that a function of the user failed, in which of its lines, and why."""
    module = name.partition(":")[0]
    lines = [n for frame, n in traceback.walk_tb(error.__traceback__) if frame.f_globals["__name__"] == module]
    return f"{name} failed{f' in line {lines[-1]}' if lines else ''} ({brief_error(error)})"


@contextmanager
def key_named(key: str) -> Iterator[None]:
    """Name the key of the config in an error about its value that is raised inside the block."""
    try:
        yield
    except ValueError as error:
        if type(error) is not ValueError or str(error).startswith(key):
            raise
        msg = f"{key}: {error}"
        raise ValueError(msg) from None  # the first of a chain of errors is what a job reports


def result_of(name: str, events: Any) -> Any:
    """Return what the function ``module:function`` gives for events.

    Raises
    ------
    ValueError
        If it fails; the message names its line, and the branches of the events.
    """
    function = user_function(name)
    try:
        return function(events)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what a function of the user raises can be anything
        modules = (frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__))
        if any(module.partition(".")[0] == "uproot" for module in modules):
            raise  # the file cannot be read, for which the function is not to blame
        word = re.findall(r"\w+", str(error))[-1:]
        branches = listed(events.fields, near="".join(word))
        msg = f"{failure_of(name, error)}: the events have {branches}"
        raise ValueError(msg) from None


def values_for(name: str, events: Any) -> Array:
    """Return what the function ``module:function`` gives for events, as an array.

    Raises
    ------
    ValueError
        If it fails, or gives lists of different lengths, as for the hits of events.
    """
    result = result_of(name, events)
    try:
        return np.asarray(result)
    except ValueError:
        expected = f"expected one value for each of {len(events)} events"
        msg = f"{name!r} returned lists of different lengths, {expected}"
        raise ValueError(msg) from None


def local_place(path: str) -> tuple[str, tuple[int, ...] | None]:
    """Return the path of a file, and what tells whether it is still the same; None if there is none.

    Whoever keeps what is in a file keeps it by these: it may change, and so may the folder it is looked for in.

    Raises
    ------
    ValueError
        If the path names an environment variable that is not set; or a pipe or a device.
    """
    place = expand_variables(path)
    try:
        status = Path(place).stat()
    except OSError:
        return place, None
    if has_no_end(status.st_mode):
        raise ValueError(no_file(path))
    return place, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def digests_of(files: Iterable[str], functions: Iterable[str]) -> dict[str, str]:
    """Return the digests of files, and of the modules of functions, by their names; of those that can be read.

    Of a module its own file counts, not what it imports.
    """
    modules = {name.partition(":")[0] for name in functions}
    found = {name: _file_digest(name) for name in files} | {name: _module_digest(name) for name in modules}
    return {name: digest for name, digest in sorted(found.items()) if digest is not None}


def check_contents(digests: Mapping[str, str], files: Iterable[str], functions: Iterable[str]) -> None:
    """Check that files and modules are those of the digests; what cannot be read here is left to its reader.

    Raises
    ------
    ChangedContentError
        If one is not. A module counts as this process has imported it.
    """
    for name, found in digests_of(files, functions).items():
        spec, used = _imported.get(name, (None, None))
        if used is None or getattr(sys.modules.get(name), "__spec__", None) is not spec:
            used = found  # it is to be imported, here or again
        if used != digests.get(name, used):
            is_stale = found == digests[name]
            what = "was imported here before it changed" if is_stale else "has changed since the job began"
            remedy = "start Python, or its workers, again" if is_stale else "start over in another directory"
            msg = f"{name} {what}: {remedy}"
            raise ChangedContentError(msg)


def _file_digest(path: str) -> str | None:
    """Return the digest of a file; None if it cannot be read."""
    try:
        return _digest(*local_place(path))
    except ValueError:  # whoever reads it says which variable is not set
        return None


def _module_digest(name: str) -> str | None:
    """Return the digest of the file of a module; None if it has none that can be read."""
    try:
        spec = sys.modules[name].__spec__ if name in sys.modules else importlib.util.find_spec(name)
    except Exception:  # noqa: BLE001 -- it imports the packages above, which belong to the user
        return None
    place = spec.origin if spec is not None and spec.has_location else None
    return None if place is None else _file_digest(place.replace("$", "$$"))


@lru_cache(maxsize=256)
def _digest(place: str, state: tuple[int, ...] | None) -> str | None:
    """Return the digest of a file, which is read once as long as it is the same."""
    try:
        return None if state is None else hashlib.sha256(Path(place).read_bytes()).hexdigest()[:16]
    except OSError:
        return None
