"""From YAML to a config: every problem is found at once and told as key, value, expectation and remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ValidationError,
)

from hep_peaksum.analysis.histograms import (
    HistogramAxis,
    HistogramInput,
)
from hep_peaksum.config.inputs import (
    DenseBranch,
    EventsInput,
    GridInput,
    HitBranches,
    ReferenceInput,
)
from hep_peaksum.config.model import Config, Job
from hep_peaksum.config.sections import ClusterInput, Dataset, Output, RunOptions
from hep_peaksum.config.yaml_io import ConfigError, read_yaml
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.suggestions import did_you_mean

Model = TypeVar("Model", bound=Job)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the config of a YAML file.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        ``"clusters.Jet.seed_threshold=4"``: keys that are set before anything is checked.

    Raises
    ------
    ConfigError
        With one line for everything that is wrong.
    """
    return parse_config(read_yaml(path, overrides))


def parse_config(content: Mapping[str, Any]) -> Config:
    """Return the config of a map of sections; errors as for `load_config`."""
    return _parse(Config, content)


def parse_job(content: Mapping[str, Any]) -> Job:
    """Return the part of a config that a processor needs; errors as for `load_config`."""
    return _parse(Job, content)


def _parse(model: type[Model], content: Mapping[str, Any]) -> Model:
    try:
        parsed = model.model_validate(dict(content))
    except ValidationError as error:
        found = [_problem(detail) for detail in error.errors()]
        raise ConfigError([*found, *_more_problems(content, error)]) from None
    problems = list(parsed.problems())
    if problems:
        raise ConfigError(problems)
    return parsed


def _more_problems(content: Mapping[str, Any], error: ValidationError) -> list[str]:
    """Return what is wrong between the entries that are fine each on their own."""
    sound = {key: value for key, value in content.items() if key in Job.model_fields}
    for section, *entry in {tuple(map(str, detail["loc"][:2])) for detail in error.errors()}:
        if isinstance(sound.get(section), dict) and entry and section != "events":
            sound[section] = {key: value for key, value in sound[section].items() if key != entry[0]}
        else:
            sound.pop(section, None)
    broken = _names(content, "grids") - _names(sound, "grids")
    if "clusters" in sound:  # what stands on a broken grid is not to blame
        sound["clusters"] = {
            key: c for key, c in sound["clusters"].items() if broken.isdisjoint(_grid_names(c))
        }
    if _names(content, "clusters") - _names(sound, "clusters"):
        sound.pop("histograms", None)
    try:
        return list(Job.model_validate(sound).problems())
    except ValidationError:
        return []


def _names(content: Mapping[str, Any], section: str) -> set[str]:
    found = content.get(section)
    return set(found) if isinstance(found, dict) else set()


def _grid_names(collection: Any) -> tuple[str, ...]:
    grid = collection.get("grid", ()) if isinstance(collection, dict) else ()
    return (grid,) if isinstance(grid, str) else tuple(grid)


def _problem(detail: Any) -> str:
    """Return one line for one thing that pydantic found: key, value, expectation, remedy."""
    path = file_key(detail["loc"])
    key = ".".join(part if part.isprintable() else repr(part) for part in path)
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(path[-1], _known_keys(path[:-1]))}"
    if detail["type"] == "missing":
        return f"{key}: missing, the config needs it"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" or isinstance(detail["input"], dict):
        return f"{key}: {message}"
    return f"{key}: {detail['input']!r} does not do: {message[0].lower()}{message[1:]}"


def file_key(loc: Sequence[str | int]) -> list[str]:
    """Return the keys that lead to a place of the file, from where models have it.

    Models gather some keys one level deeper (`settings`, `grid`), and pydantic adds a word for every kind that
    a value may be of, as in ``search_window.str``.
    """
    path = [str(part) for part in loc]
    if len(path) > 2 and (path[0], path[2]) in (("clusters", "settings"), ("grids", "grid")):
        del path[2]
    return [part for part in path if part not in KINDS and "[" not in part]


KINDS = ("int", "float", "str", "bool", "constrained-str", "constrained-int")


def _known_keys(path: Sequence[str]) -> list[str]:
    """Return the keys that may stand at a place of the file."""
    deeper: dict[str, type[BaseModel]] = {
        "rows": Axis,
        "cols": Axis,
        "hits": HitBranches,
        "dense": DenseBranch,
        "reference": ReferenceInput,
        "axes": HistogramAxis,
    }
    sections: dict[str, tuple[type[BaseModel], ...]] = {
        "datasets": (Dataset,),
        "grids": (GridInput, Grid),
        "clusters": (ClusterInput, PeakSumSettings),
        "histograms": (HistogramInput,),
        "events": (EventsInput,),
        "output": (Output,),
        "run": (RunOptions,),
    }
    inner = [deeper[part] for part in path[2:] if part in deeper]
    models = (inner[-1],) if inner else sections[path[0]] if path else (Config,)
    keys = [field.alias or name for model in models for name, field in model.model_fields.items()]
    return [*keys, "geometry"] if models[0] is GridInput else keys
