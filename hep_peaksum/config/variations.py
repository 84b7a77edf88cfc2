"""Variations of a job: the same job with some keys changed, clustered again from the same reading."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.units import energy_in_gev, exact
from hep_peaksum.suggestions import did_you_mean

VARIED = ("grids", "clusters", "derive", "select", "references", "events.weight")
KEYS = {"grids": (*GridInput.model_fields, *Grid.model_fields), "clusters": (*PeakSumSettings.model_fields,)}
GATHERED = {"grids": "grid", "clusters": "settings"}  # where models keep the keys of a plane and of a search


def changed(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a job with the keys of a variation changed.

    Raises
    ------
    ValueError
        If a variation cannot change a key, or there is none of that name.

    >>> changed({"grids": {"ecal": {"grid": {"unit": 2}}}}, {"grids.ecal.scale": 1.03})
    {'grids': {'ecal': {'grid': {'unit': 2.06}, 'scale': 1.03}}}
    """
    result = copy.deepcopy(dict(content))
    for key, value in changes.items():
        *above, last = key.split(".")
        if key in VARIED or (isinstance(value, Mapping) and len(above) == 1 and above[0] in GATHERED):
            msg = f"{key}: a variation changes one key of it at a time: write {_dotted(key, value)}"
            raise ValueError(msg)
        if not any(key.startswith(f"{section}.") for section in VARIED):
            msg = f"{key}: a variation changes keys of {', '.join(VARIED)} only{_section_meant(key, result)}"
            raise ValueError(msg)
        if above[0] == "clusters" and last in ("grid", "preset", "fields", "reference"):
            msg = f"{key}: a variation does not change {last}: change keys of the search"
            raise ValueError(msg)
        if (
            len(above) == 2
            and last not in (known := KEYS.get(above[0], ()))
            and (near := did_you_mean(last, known))
        ):
            msg = f"{key}: unknown key{near}"
            raise ValueError(msg)
        _set(result, above, last, value, key)
        if above[0] == "grids" and len(above) == 2:
            result["grids"][above[1]].pop("digests", None)  # they are of the maps that it had
    result.pop("variations", None)
    return result


def _dotted(key: str, value: Any) -> str:
    """Return the first key, with its value, in maps that stand in one another.

    >>> _dotted("grids", {"ecal": {"scale": 1.03}}), _dotted("grids", 1)
    ('grids.ecal.scale: 1.03', 'grids.NAME')
    """
    if not (isinstance(value, Mapping) and value):
        return f"{key}.NAME"
    while isinstance(value, Mapping) and value:
        name, value = next(iter(value.items()))
        key += f".{name}"
    return f"{key}: {value}"


def _section_meant(key: str, content: Mapping[str, Any]) -> str:
    """Return the section that is missing before a key, or is misspelt in it."""
    name = key.partition(".")[0]
    for section in VARIED:
        if name in content.get(section, ()):
            return f": write {section}.{key}"
    return did_you_mean(name, VARIED)


def _set(place: Any, above: list[str], last: str, value: Any, key: str) -> None:
    """Set a key deep in plain values, in which the keys of planes and of searches are gathered."""
    section = above[0]
    for depth, part in enumerate(above):
        if isinstance(place, list) and part.isdecimal() and int(part) < len(place):
            place = place[int(part)]
            continue
        inside = place.get(part) if isinstance(place, dict) else None
        if inside is None and depth == 2 and section in GATHERED:
            inside = place.get(GATHERED[section], {}).get(part)
        if inside is None:
            raise ValueError(_not_there(key, part, place))
        place = inside
    if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
        place[int(last)] = value
        return
    if not isinstance(place, dict) or (_is_name(above) and last not in place):
        raise ValueError(_not_there(key, last, place))
    if section == "grids" and len(above) == 2 and last in ("unit", "scale", "cells"):
        _set_unit(place, last, value)
        return
    if len(above) == 2 and section in GATHERED and last not in place:
        gathered = place.get(GATHERED[section], {})
        place = gathered if section == "clusters" or last in gathered or last in ("unit", "quantity") else place
    place[last] = value


def _is_name(above: list[str]) -> bool:
    """Return whether the keys of a place are names that the config gives, not keys of a model."""
    is_field = (above[0] == "references" and above[2:] == ["fields"]) or (
        above[0] == "derive" and len(above) == 2
    )
    return is_field or len(above) == 1 or above == ["events", "weight"]


def _not_there(key: str, part: str, place: Any) -> str:
    """Return what to say of a part of a key that names nothing at a place."""
    if isinstance(place, dict):
        known = did_you_mean(part, place) + (f"; there are {', '.join(place)}" if place else "")
    else:
        known = f"; there are 0 to {len(place) - 1}" if isinstance(place, list) else f" in {place!r}"
    return f"{key}: there is no {part!r} to change{known}"


def written_place(problem: str) -> str:
    """Return a problem of a varied job with the key as it is written, where models keep it a level deeper.

    >>> written_place("clusters.Jet.settings.seed_threshold: 'x' is not a number")
    "clusters.Jet.seed_threshold: 'x' is not a number"
    """
    return re.sub(r"^(grids\.\w+)\.grid\.|^(clusters\.\w+)\.settings\.", r"\1\2.", problem)


def _set_unit(grid: dict[str, Any], key: str, value: Any) -> None:
    """Set unit, scale or cells of a grid; its unit has been multiplied by its scale, if it has no cell table.

    Decimal fractions are divided exactly, so that the result is that of a config with this value.
    """
    plane = grid["grid"]
    if plane.get("unit") is None:
        (plane if key == "unit" else grid)[key] = value
        return
    unit = float(exact(plane["unit"]) / exact(_scale_of_unit(grid) or 1))
    if key == "unit":
        unit = float(energy_in_gev(value)) if isinstance(value, str) else value
    else:
        grid[key] = value
    scale = _scale_of_unit(grid)
    plane["unit"] = unit if scale is None else float(unit * scale)


def _scale_of_unit(grid: dict[str, Any]) -> float | None:
    """Return the factor on the unit of a grid; None without scale, or if it scales the gains of a table."""
    scale = grid.get("scale")
    return scale if isinstance(scale, (int, float)) and grid.get("cells") is None else None
