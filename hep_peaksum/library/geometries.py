"""Named geometries: the grids of real detectors, as YAML in the folder `detectors`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.suggestions import did_you_mean, listed

GridLike = Grid | Mapping[str, Any] | str  # a grid, its keys, or the name of a geometry


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
        msg = f"no geometry is called {name!r}{near}: there are {listed(named_grids(), near=str(name))}"
        raise ValueError(msg)
    text = (resources.files("hep_peaksum.library") / "detectors" / f"{name}.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    content.pop("source")
    return Grid(**content)


def as_grid(grid: object) -> Grid | None:
    """Return a grid, which may be given as a map of its keys, or as the name of a geometry; None stays None.

    Raises
    ------
    TypeError
        If it is something else, such as a shape.
    ValueError
        If the keys are wrong, or there is no such geometry.

    >>> as_grid("cms-l1-towers").shape
    (80, 72)
    """
    if grid is None or isinstance(grid, Grid):
        return grid
    if isinstance(grid, str):
        return _of_name(grid)
    if isinstance(grid, Mapping):
        return Grid(**grid)
    what = "expected a Grid, a map of its keys, or the name of a geometry"
    msg = f"grid is {grid!r:.60}, {what}, as in Grid(rows=Axis(n=24), cols=Axis(n=16))"
    raise TypeError(msg)


@cache
def _of_name(name: str) -> Grid:
    """Return a named geometry, read once: events may be searched one by one."""
    return named_grid(name)
