"""Local maxima of calorimeter grids, and the sums of the cells around them.

The names below are loaded when they are first used: importing the package loads neither coffea nor uproot.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hep_peaksum.axis import Axis
    from hep_peaksum.diagnostics import audit_ties, compare, explain
    from hep_peaksum.grid import Grid, from_dense, geometry
    from hep_peaksum.hits import from_hits, sparse
    from hep_peaksum.peaksum import find_clusters, peak_sum_map
    from hep_peaksum.processor import PeakSumProcessor
    from hep_peaksum.published import preset, presets
    from hep_peaksum.settings import PeakSumSettings

__version__ = version("hep_peaksum")

_HOMES = {
    "Axis": "axis",
    "Grid": "grid",
    "PeakSumProcessor": "processor",
    "PeakSumSettings": "settings",
    "audit_ties": "diagnostics",
    "compare": "diagnostics",
    "explain": "diagnostics",
    "find_clusters": "peaksum",
    "from_dense": "grid",
    "from_hits": "hits",
    "geometry": "grid",
    "peak_sum_map": "peaksum",
    "preset": "published",
    "presets": "published",
    "sparse": "hits",
}

__all__ = [
    "Axis",
    "Grid",
    "PeakSumProcessor",
    "PeakSumSettings",
    "__version__",
    "audit_ties",
    "compare",
    "explain",
    "find_clusters",
    "from_dense",
    "from_hits",
    "geometry",
    "peak_sum_map",
    "preset",
    "presets",
    "sparse",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
