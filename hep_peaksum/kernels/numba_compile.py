"""How the kernels are compiled and cached, and the form of their arguments.

No `fastmath` and no `parallel=True`: the order of addition is part of the contract, and parallelism belongs to
chunks.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numba
import numpy as np
import xxhash
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.runtime import rtsys
from numba.misc.appdirs import AppDirs

from hep_peaksum.kernels import Array, absent

USER_CACHE = AppDirs("numba", appauthor=False).user_cache_dir
IN_USER_CACHE = ("UserWideCacheLocator", "ZipCacheLocator")  # what numba keeps there
log = logging.getLogger(__name__)

PACKAGE = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("kernels", "loops") for path in (PACKAGE / folder).glob("*.py"))
SOURCE_DIGEST = hashlib.sha256(b"\0".join(path.read_bytes() for path in SOURCES)).hexdigest()


class _SourceCacheFiles(CompileResultCacheImpl):  # type: ignore[misc]
    """Names the files of a compiled function after the sources of all kernels and loops.

    Numba itself looks at the file of that function only: after an edit in a function called from another file
    it would run a stale kernel, and it fails to load an index with classes that have been renamed since. There
    is no public hook for this; the names used here, below and in `cached_jit` are those of numba 0.60 to 0.68.
    """

    if not Path(USER_CACHE).is_absolute():  # without a home, numba would make a folder called ~ where it stands
        _locator_classes: ClassVar = [
            each
            for each in CompileResultCacheImpl._locator_classes
            if each.__name__.lstrip("_") not in IN_USER_CACHE
        ]

    def get_filename_base(self, *arguments: Any) -> str:
        """Return the file name without its suffix."""
        return f"{super().get_filename_base(*arguments)}-{SOURCE_DIGEST[:16]}"


class _ContentNamedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Keeps compiled functions in files that are named after their content.

    Numba numbers the files of a function: processes that compile it at the same time, for other types or on
    other machines, take the same number, and the index of one may then name the code of another, which runs
    without an error on the wrong type. So does code that the disk has damaged.
    """

    def save(self, key: Any, data: Any) -> None:
        """Save a compiled function, then its name in the index."""
        body = self._dump(data)
        name = self._data_name(xxhash.xxh3_64_intdigest(body))
        with self._open_for_write(self._data_path(name)) as file:
            file.write(body)
        self._save_index({**self._load_index(), key: name})

    def load(self, key: Any) -> Any:
        """Return a compiled function, None if there is none; a damaged one is a ValueError."""
        name = self._load_index().get(key)
        path = None if name is None else Path(self._data_path(name))
        if path is None or not path.exists():
            return None
        if name != self._data_name(xxhash.xxh3_64_intdigest(path.read_bytes())):
            msg = f"{path} is damaged"
            raise ValueError(msg)
        return self._load_data(name)


class _SourceCache(FunctionCache):  # type: ignore[misc]
    """A cache that a damaged file or a full disk makes useless, not fatal: the function is compiled instead.

    Numba, before it loads a function, gets ready to compile one: it imports scipy.linalg and the extensions of
    vector and awkward, which takes longer than most jobs need to read a file (0.5 s). Machine code needs its
    runtime alone; what is compiled later, also by others, still finds numba getting ready.
    """

    _impl_class = _SourceCacheFiles

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        place = self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        self._cache_file = _ContentNamedFiles(*place)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the compiled function of a signature, None if it has to be compiled."""
        try:
            rtsys.initialize(target_context)
            return self._load_overload(signature, target_context)
        except Exception:  # noqa: BLE001 -- unpickling a damaged file raises errors of any type
            _warn_once("numba's cache in %s is damaged, and made anew", self.cache_path)
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Save a compiled function if possible."""
        try:
            super().save_overload(signature, data)
        except Exception:  # noqa: BLE001 -- it reads the index first, which may be damaged
            _warn_once("numba's cache in %s cannot be written: every process compiles", self.cache_path)


@cache
def _warn_once(message: str, folder: str) -> None:
    """Log what is wrong with the cache, not again for every function in it."""
    log.warning(message, folder)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that compiled functions call, into these: calls take up to a tenth of a search."""
    return numba.njit(nogil=True, forceinline=True)(function)  # type: ignore[no-any-return]


def cached_jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function on first use and cache it on disk; warn if there is no writable place for it."""
    dispatcher = numba.njit(nogil=True)(function)
    try:
        dispatcher._cache = _SourceCache(function)
        dispatcher._compilation_chain_init_hook = lambda: None  # it loads extensions for types we do not use
    except RuntimeError:  # "no locator available for file ..."
        _warn_once("numba finds no writable cache for %s: set NUMBA_CACHE_DIR to a folder", __package__)
    return dispatcher  # type: ignore[no-any-return]


class _Announcement(event.Listener):  # type: ignore[misc]
    """Logs once per process that kernels are being compiled, which explains a wait of some seconds.

    Without a cache this happens in every process.
    """

    is_made = False

    def on_start(self, event: Any) -> None:
        """Log it if the function is one of this package."""
        function = event.data["dispatcher"].py_func
        if not self.is_made and function.__module__.startswith(f"{PACKAGE.name}."):
            self.is_made = True
            is_cached = isinstance(event.data["dispatcher"]._cache, FunctionCache)
            how_often = "once on this machine" if is_cached else "in every process, as there is no cache"
            log.info("compiling the search for cells of this type, %s: some seconds", how_often)

    def on_end(self, event: Any) -> None:
        """Log nothing."""


event.register("numba:compile", _Announcement())


def read_only(array: Array) -> Array:
    """Return a contiguous view that cannot be written, so that numba compiles for one type of array only."""
    view: Array = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def lowest_summed(cell_bound: float | None, number: type[np.float64 | np.int64]) -> Any:
    """Return the cell bound as a number; where there is none, the lowest number that is not `absent`."""
    if cell_bound is not None:
        return number(cell_bound)
    low = number(absent(number))
    return low + 1 if number is np.int64 else np.nextafter(low, number(0))
