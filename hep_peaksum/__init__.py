"""Local maxima of calorimeter grids, and the sums of the cells around them.

Public names are loaded on first use, so that importing the package loads neither coffea nor uproot.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hep_peaksum.clustering.find import find_clusters, peak_sum_map
    from hep_peaksum.diagnostics.compare import compare
    from hep_peaksum.diagnostics.explain import explain
    from hep_peaksum.diagnostics.ties import audit_ties
    from hep_peaksum.geometry.axis import Axis
    from hep_peaksum.geometry.grid import Grid, from_dense
    from hep_peaksum.geometry.hits import from_hits, sparse
    from hep_peaksum.integrations.coffea_vectors import PeakSumSchema, to_coffea
    from hep_peaksum.integrations.cpp_header import cpp_header
    from hep_peaksum.integrations.event_function import event_function
    from hep_peaksum.job.processor import PeakSumProcessor
    from hep_peaksum.library.geometries import named_grid, named_grids
    from hep_peaksum.library.presets import preset, presets
    from hep_peaksum.plotting.events import draw_event
    from hep_peaksum.results.status import parts
    from hep_peaksum.settings.model import PeakSumSettings
    from hep_peaksum.training.batches import batches
    from hep_peaksum.viewer.notebook import view

    __version__: str

_MODULES = {
    "Axis": "geometry.axis",
    "Grid": "geometry.grid",
    "PeakSumProcessor": "job.processor",
    "PeakSumSchema": "integrations.coffea_vectors",
    "PeakSumSettings": "settings.model",
    "audit_ties": "diagnostics.ties",
    "batches": "training.batches",
    "compare": "diagnostics.compare",
    "cpp_header": "integrations.cpp_header",
    "draw_event": "plotting.events",
    "event_function": "integrations.event_function",
    "explain": "diagnostics.explain",
    "find_clusters": "clustering.find",
    "from_dense": "geometry.grid",
    "from_hits": "geometry.hits",
    "named_grid": "library.geometries",
    "named_grids": "library.geometries",
    "parts": "results.status",
    "peak_sum_map": "clustering.find",
    "preset": "library.presets",
    "presets": "library.presets",
    "sparse": "geometry.hits",
    "to_coffea": "integrations.coffea_vectors",
    "view": "viewer.notebook",
}

__all__ = [
    "Axis",
    "Grid",
    "PeakSumProcessor",
    "PeakSumSchema",
    "PeakSumSettings",
    "__version__",
    "audit_ties",
    "batches",
    "compare",
    "cpp_header",
    "draw_event",
    "event_function",
    "explain",
    "find_clusters",
    "from_dense",
    "from_hits",
    "named_grid",
    "named_grids",
    "parts",
    "peak_sum_map",
    "preset",
    "presets",
    "sparse",
    "to_coffea",
    "view",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 -- takes longer than all else here

        return version("hep_peaksum")
    if name not in _MODULES:
        from hep_peaksum.suggestions import did_you_mean  # noqa: PLC0415 -- the same

        msg = f"module {__name__!r} has no attribute {name!r}{did_you_mean(name, __all__)}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
