"""`PeakSum2D`, a Keras 3 layer of local maxima and the sums around them, and its form for FPGA firmware.

The names below are loaded when they are first used: the settings and fixed-point types work without Keras.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hep_peaksum.keras.hls import hls_config
    from hep_peaksum.keras.layer import PeakSum2D
    from hep_peaksum.keras.standard import standard_model

_HOMES = {"PeakSum2D": "layer", "hls_config": "hls", "standard_model": "standard"}

__all__ = ["PeakSum2D", "hls_config", "standard_model"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
