"""Published algorithms by name: settings and geometry as YAML in the folder `algorithms`, each with its source.

Algorithms that one grid cannot give are listed with what to use instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import Field

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.suggestions import did_you_mean, listed

NOT_PRESETS = "_not_presets"
DEFAULT = PeakSumSettings()
SettingsLike = PeakSumSettings | Mapping[str, Any] | str  # settings, their keys, or the name of a preset


class Preset(FrozenModel):
    """A published algorithm: what it is, where it was published, how far it is reproduced."""

    title: str = Field(description="Name of the experiment and of the algorithm.")
    source: str = Field(description="Repository, file and commit; or the paper.")
    reproduces: Literal["seeds", "sums", "full"] = Field(
        description="What is as published: the seeds, also the sums, or everything."
    )
    differs: str | None = Field(None, description="How the published algorithm differs from this preset.")
    geometry: str | None = Field(None, description="Name of the geometry on which it was published.")
    settings: dict[str, Any] = Field(description="Keys of `PeakSumSettings`.")


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
        If there is no preset of that name. The message lists those that exist, or says why one grid cannot give
        that algorithm and what to use instead.

    >>> settings, grid = preset("cms-l1-jet")
    >>> settings.tie_rule, grid.shape
    ('diagonal', (80, 72))
    """
    content = read_preset(name)
    grid = None if content.geometry is None else named_grid(content.geometry)
    return PeakSumSettings(**content.settings), grid


def as_settings(settings: object) -> PeakSumSettings:
    """Return settings, which may be given by their keys, or by the name of a preset; None is the default.

    Raises
    ------
    TypeError
        If it is something else, such as the grid.
    ValueError
        If the keys are wrong, or there is no such preset.

    >>> as_settings({"tie_rule": "all"}) == PeakSumSettings(tie_rule="all")
    True
    """
    if settings is None or isinstance(settings, PeakSumSettings):
        return settings or DEFAULT
    what = "expected PeakSumSettings, a map of their keys, or the name of a preset"
    if str(settings).endswith((".yaml", ".yml")):
        of_config = f"load_config({str(settings)!r}).clusters[NAME].settings, from hep_peaksum.config.load"
        msg = f"settings is {str(settings)!r}, a file, {what}: of a config take {of_config}"
        raise ValueError(msg)
    if isinstance(settings, str):
        return _of_preset(settings)
    if isinstance(settings, Mapping):
        return PeakSumSettings(**settings)
    order = ": settings come before the grid" if isinstance(settings, Grid) else ""
    pair = ": preset() returns two, write settings, grid = preset(...)" if isinstance(settings, tuple) else ""
    cells = ": cells come before settings" if hasattr(settings, "ndim") else ""
    msg = f"settings is a {type(settings).__name__}, {what}{order}{pair}{cells}"
    raise TypeError(msg)


@cache
def _of_preset(name: str) -> PeakSumSettings:
    """Return the settings of a preset: reading them takes as long as twenty searches of one event."""
    return preset(name)[0]


def read_preset(name: str) -> Preset:
    """Return a preset with its source and its differences from it; errors as in `preset`."""
    if name not in _names():
        near = did_you_mean(str(name), _names())
        known = f"there are {listed(_names(), near=str(name))}: `hep-peaksum presets` lists them"
        msg = _not_a_preset(name) or f"no preset is called {name!r}{near}: {known}"
        raise ValueError(msg)
    return Preset(**_read(name))


def _not_a_preset(name: str) -> str | None:
    """Return why a known algorithm cannot be a preset and what to use instead; None for other names."""
    for algorithm in _read(NOT_PRESETS):
        if _simplified(name) in map(_simplified, algorithm["names"]):
            return f"{name!r} cannot be a preset: {algorithm['why']}; use {algorithm['instead']}"
    return None


def _simplified(name: object) -> str:
    """Return a name without case and punctuation.

    >>> _simplified("Anti-kT")
    'antikt'
    """
    return re.sub("[^a-z0-9]", "", str(name).lower())


def _names() -> list[str]:
    names = (path.name for path in (resources.files("hep_peaksum.library") / "algorithms").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if re.fullmatch(r"[^_].*\.yaml", name))


def _read(name: str) -> Any:
    path = resources.files("hep_peaksum.library") / "algorithms" / f"{name}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))
