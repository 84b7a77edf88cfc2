"""What the compiled kernels have in common: how they are compiled, and what they are given."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import event

from hep_peaksum.kernels import Array, absent

log = logging.getLogger(__name__)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on first use and cache it on disk; without a writable place for it, say so."""
    try:
        return numba.njit(nogil=True, cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError as error:  # raised while decorating: "no locator available for file ..."
        log.warning("numba finds no writable cache, kernels are compiled in every process: %s", error)
        return numba.njit(nogil=True)(function)  # type: ignore[no-any-return]


class _Announcement(event.Listener):  # type: ignore[misc]
    """Says once a process that it is compiling: nobody should wonder what the first seconds are for."""

    is_made = False

    def on_start(self, event: Any) -> None:
        """Say so, if it is a function of this package."""
        function = event.data["dispatcher"].py_func
        if not self.is_made and function.__module__.startswith(f"{__package__}."):
            self.is_made = True
            log.info("compiling the search for cells of this type, once on this machine: some seconds")

    def on_end(self, event: Any) -> None:
        """Say nothing."""


event.register("numba:compile", _Announcement())


def read_only(array: Array) -> Array:
    """Return a contiguous view that cannot be written, so that numba meets (and compiles) one kind only."""
    view: Array = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def least_cell(bound: float | None, number: type[np.float64 | np.int64]) -> Any:
    """Return the bound of what is added as a number: where there is none, the lowest that is not `absent`."""
    if bound is not None:
        return number(bound)
    low = number(absent(number))
    return low + 1 if number is np.int64 else np.nextafter(low, number(0))
