"""Named geometries: the grids of real detectors, as YAML in the folder `detectors`."""

from __future__ import annotations

from importlib import resources

import yaml

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.suggestions import did_you_mean


def named_grids() -> list[str]:
    """Return the names of the geometries that come with the package."""
    folder = resources.files("hep_peaksum.library") / "detectors"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def named_grid(name: str) -> Grid:
    """Return a named geometry.

    Raises
    ------
    ValueError
        If there is no geometry of that name; the message lists those that exist.

    >>> named_grid("cms-l1-towers").shape
    (80, 72)
    """
    if name not in named_grids():
        near = did_you_mean(str(name), named_grids())
        msg = f"no geometry is called {name!r}{near}: there are {', '.join(named_grids())}"
        raise ValueError(msg)
    text = (resources.files("hep_peaksum.library") / "detectors" / f"{name}.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    content.pop("source")
    return Grid(**content)
