"""Published algorithms by name: settings and geometry as YAML in the folder `published`, each with its source.

Beside them stand the names of algorithms that one grid cannot give, with what to use instead.

(A module called `presets` would, once imported, stand where the function `hep_peaksum.presets` is.)
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.settings.model import PeakSumSettings

ELSEWHERE = "_elsewhere"


class Preset(BaseModel):
    """A published algorithm: what it is, where it is written, how far it is reproduced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    source: str = Field(description="repository, file, commit; or the paper")
    reproduces: Literal["seeds", "sums", "full"]
    differs: str | None = Field(None, description="what the published algorithm does beyond this")
    geometry: str | None = Field(None, description="the grid on which it was published")
    settings: dict[str, Any]


def presets() -> dict[str, str]:
    """Return the name of every preset with where it was published.

    >>> "cms-l1-jet" in presets()
    True
    """
    return {name: read_preset(name).source for name in _names()}


def preset(name: str) -> tuple[PeakSumSettings, Grid | None]:
    """Return the settings of a published algorithm, and its grid where it has one.

    Raises
    ------
    ValueError
        If there is none of that name. The message lists those that exist, or says why one grid cannot give that
        algorithm and what can.

    >>> settings, grid = preset("cms-l1-jet")
    >>> settings.tie_rule, grid.shape
    ('diagonal', (80, 72))
    """
    content = read_preset(name)
    return PeakSumSettings(**content.settings), None if content.geometry is None else named_grid(
        content.geometry
    )


def read_preset(name: str) -> Preset:
    """Return a preset with its source and its limits."""
    if name not in _names():
        msg = _why_elsewhere(name) or f"no preset is called {name!r}: there are {', '.join(_names())}"
        raise ValueError(msg)
    return Preset(**_read(name))


def _why_elsewhere(name: str) -> str | None:
    """Return why an algorithm cannot be a preset and what to use instead, if it is known as one of those."""
    for algorithm in _read(ELSEWHERE):
        if _bare(name) in map(_bare, algorithm["names"]):
            return f"{name!r} cannot be a preset: {algorithm['why']}; use {algorithm['instead']}"
    return None


def _bare(name: object) -> str:
    """Return a name without case and punctuation.

    >>> _bare("Anti-kT")
    'antikt'
    """
    return re.sub("[^a-z0-9]", "", str(name).lower())


def _names() -> list[str]:
    names = (path.name for path in (resources.files("hep_peaksum.library") / "algorithms").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if re.fullmatch(r"[^_].*\.yaml", name))


def _read(name: str) -> Any:
    path = resources.files("hep_peaksum.library") / "algorithms" / f"{name}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))
