"""From YAML to a config. All problems are reported at once, a line each: key, value, expectation, remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hep_peaksum.analysis.histograms import FIELD_NAME
from hep_peaksum.config.model import Config, Job
from hep_peaksum.config.reference import keys_at
from hep_peaksum.config.sections import ADDRESS, COLLECTION_NAME, DATASET_NAME, FUNCTION, NAME
from hep_peaksum.config.yaml_io import ConfigError, read_yaml
from hep_peaksum.settings.pileup import COLUMN_NAME
from hep_peaksum.suggestions import did_you_mean

Model = TypeVar("Model", bound=Job)

# What pydantic calls an error, and what it expected, in plain words.
EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a map of names",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a map of keys",
    "model_type": "a map of keys",
    "string_type": "text",
    "tuple_type": "a list",
}
PATTERNS = {
    ADDRESS: "an address such as tcp://host:8786",
    COLLECTION_NAME: "a name of letters and digits that begins with a letter",
    DATASET_NAME: "a name of letters, digits and any of _ . + -",
    FIELD_NAME: "a field such as Jet.pt, or nJet",
    FUNCTION: "a function written as module:function",
    NAME: "a name of letters, digits and _ that begins with a letter",
    COLUMN_NAME: "a name of letters, digits and _ that begins with a letter",
}
# The limit is in the context of the error, under the name in braces.
LIMITS = {
    "greater_than": "{value} is not above {gt}",
    "greater_than_equal": "{value} is below {ge}, the smallest value allowed",
    "string_too_long": "{value} has more than {max_length} characters",
    "string_too_short": "{value} is empty, expected text",
    "too_short": "empty, it needs {min_length} or more entries",
}


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
        With one line for every problem.
    """
    return parse_config(read_yaml(path, overrides))


def parse_config(content: Mapping[str, Any]) -> Config:
    """Return the config of a map of sections; errors as in `load_config`."""
    return _parse(Config, content)


def parse_job(content: Mapping[str, Any]) -> Job:
    """Return the part of a config that a processor needs; errors as in `load_config`."""
    return _parse(Job, content)


def _parse(model: type[Model], content: Mapping[str, Any]) -> Model:
    try:
        parsed = model.model_validate(dict(content))
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors() if not _is_repeated(detail)]
        raise ConfigError([*problems, *_problems_between(content, error)]) from None
    problems = list(parsed.problems())
    if problems:
        raise ConfigError(problems)
    return parsed


def _problems_between(content: Mapping[str, Any], error: ValidationError) -> list[str]:
    """Return what is wrong between the entries that are fine each on their own."""
    sound = {key: value for key, value in content.items() if key in Job.model_fields}
    for section, *entry in {tuple(map(str, detail["loc"][:2])) for detail in error.errors()}:
        if isinstance(sound.get(section), dict) and entry and section != "events":
            sound[section] = {key: value for key, value in sound[section].items() if key != entry[0]}
        else:
            sound.pop(section, None)
    broken = _names(content, "grids") - _names(sound, "grids")
    if "clusters" in sound:  # a collection is not to blame for its broken grid
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
    entries = content.get(section)
    return set(entries) if isinstance(entries, dict) else set()


def _grid_names(collection: Any) -> tuple[str, ...]:
    grid = collection.get("grid", ()) if isinstance(collection, dict) else ()
    return (grid,) if isinstance(grid, str) else tuple(grid)


def _is_repeated(detail: Any) -> bool:
    """Return whether an error is about `int` as one of two types; the one about `float` says the same."""
    return detail["loc"][-1] == "int" and str(detail["type"]).startswith("int_")


def _problem(detail: Any) -> str:
    """Return one line for one error of pydantic: key, value, expectation, remedy."""
    path = file_key(detail["loc"])
    key = ".".join(part if part.isprintable() else repr(part) for part in path)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(path[-1], keys_at(path[:-1]))}"
    if kind == "missing":
        return f"{key}: missing, the config needs it"
    if kind in LIMITS:
        return f"{key}: {LIMITS[kind].format(value=_shown(detail['input']), **context)}"
    expected = EXPECTED.get(kind.replace("_parsing", "_type")) or PATTERNS.get(context.get("pattern"))
    near = ""
    if kind == "literal_error":
        expected = f"one of {context['expected']}"
        near = did_you_mean(str(detail["input"]), str(context["expected"]).split("'")[1::2])
    if expected is None:
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    if detail["input"] is None:
        return f"{key}: has no value, expected {expected}"
    return f"{key}: {_shown(detail['input'])} is not {expected}{near}"


def _shown(value: object) -> str:
    """Return a value for an error message, cut short if it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 4]} ..."


LONGEST_VALUE = 60


def file_key(loc: Sequence[str | int]) -> list[str]:
    """Return the path of keys in the file for a location in the models.

    Models gather some keys one level deeper (`settings`, `grid`), and pydantic adds a word for every type that
    a value may have, as in ``search_window.str``.
    """
    path = [str(part) for part in loc]
    if len(path) > 2 and (path[0], path[2]) in (("clusters", "settings"), ("grids", "grid")):
        del path[2]
    return [part for part in path if part not in TYPES and "[" not in part]


TYPES = ("int", "float", "str", "bool", "constrained-str", "constrained-int")
