"""Safe YAML in which no key is lost silently, with ``key.path=value`` overrides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


class ConfigError(ValueError):
    """A config that cannot be run. `problems` holds one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may occur once, and 1e-3 is a number (YAML 1.1 requires 1.0e-3)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)
MERGE = "tag:yaml.org,2002:merge"


def _unique_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value if key.tag != MERGE]
    for key in keys:
        if keys.count(key) > 1:
            msg = f"the key {key!r} occurs twice (from line {node.start_mark.line + 1} on): keep one"
            raise ConfigError([msg])
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_keys)


def _parse(text: str, where: str, *, subject: str = "") -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader
    except ConfigError as error:
        raise ConfigError([f"{where}: {problem}" for problem in error.problems]) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # such as a month 13, or a list for a key
        raise ConfigError([f"{where}: {subject}not YAML ({' '.join(str(error).split())})"]) from error


def read_yaml(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of a config file with ``key.path=value`` overrides applied.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML, or an override has no place in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not YAML ({error})"]) from error
    content = _parse(text, str(path))
    if not isinstance(content, dict):
        held = {list: "a list", str: "text", type(None): "nothing"}.get(type(content), repr(content))
        raise ConfigError([f"{path}: a config is a map of sections, this file holds {held}"])
    return override(content, overrides)


def override(content: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the content with ``key.path=value`` overrides applied; the values are YAML."""
    for setting in overrides:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise ConfigError([f"--set {setting!r}: write key.path=value, as in clusters.Jet.seed_threshold=4"])
        value = _parse(text, f"--set {setting!r}", subject="the value is ")
        try:
            _put(content, key.split("."), value)
        except (AttributeError, IndexError, TypeError, ValueError):
            raise ConfigError([f"--set {setting!r}: the config has no place {key!r}"]) from None
    return content


def _put(place: Any, path: Sequence[str], value: Any) -> None:
    """Put a value at a path of keys, or of numbers in lists; missing maps are created."""
    *outer, last = path
    for part in outer:
        if isinstance(place, list):
            place = place[int(part)]
        else:
            place[part] = place.get(part) or {}
            place = place[part]
    place[int(last) if isinstance(place, list) else last] = value
