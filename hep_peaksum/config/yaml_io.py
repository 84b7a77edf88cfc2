"""Safe YAML in which no key is lost silently, with ``key.path=value`` overrides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hep_peaksum.config.paths import redacted

MAX_LINE = 480


def shorten(text: str) -> str:
    """Return a text without its middle if it is too long for a line of a terminal, or of many.

    >>> len(shorten("x" * 10_000))
    480
    """
    half = (MAX_LINE - 4) // 2
    return text if len(text) <= MAX_LINE else f"{text[:half]} .. {text[-half:]}"


class ConfigError(ValueError):
    """A config that cannot be run. `problems` holds one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(shorten(redacted(problem)) for problem in problems)
        super().__init__("\n".join(self.problems))


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may occur once, and 1e-3 is a number (YAML 1.1 requires 1.0e-3)."""


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, where PyYAML has it: ten times as fast, with shorter error messages."""


MERGE = "tag:yaml.org,2002:merge"
# Far more than any config needs; an input that is larger is an accident, or an attack.
MAX_NODES, MAX_DEPTH = 5_000_000, 100


def _unique_keys(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE:
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            msg = f"the key {key!r} occurs twice (from line {node.start_mark.line + 1} on): keep one"
            raise ConfigError([msg])
        seen.add(key)
    return loader.construct_mapping(node, deep=True)  # type: ignore[no-any-return]


# Numbers that YAML 1.1, which is read here, takes for others than YAML 1.2, which editors read.
LEFTOVERS = {
    re.compile(r"[-+]?0[0-7_]*[1-7][0-7_]*"): "octal in YAML 1.1 and decimal in YAML 1.2",
    re.compile(r"[-+]?0b[01_]+"): "binary in YAML 1.1 and text in YAML 1.2",
    re.compile(
        r"[-+]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?"
    ): "a number of base 60 in YAML 1.1 and text in YAML 1.2",
}
TEXT_LEFTOVER = "!text in YAML 1.1"  # and a number in YAML 1.2


def _number(loader: Any, node: yaml.ScalarNode) -> Any:
    """Return an integer or a float; one that depends on the version of YAML is a ConfigError."""
    value = getattr(loader, f"construct_yaml_{node.tag.rpartition(':')[2]}")(node)
    for pattern, meaning in LEFTOVERS.items():
        if pattern.fullmatch(node.value):
            raise _leftover(node, f"{meaning}, and would be {value} here")
    return value


def _leftover(node: yaml.ScalarNode, problem: str) -> ConfigError:
    remedy = "write the number in decimal, or text in quotes"
    return ConfigError([f"line {node.start_mark.line + 1}: {node.value} is {problem}: {remedy}"])


def _text_leftover(_: Any, node: yaml.ScalarNode) -> Any:
    raise _leftover(node, f"text in YAML 1.1 and a number in YAML 1.2, and would be {node.value!r} here")


for _class in (_Loader, _FastLoader):
    _class.add_constructor("tag:yaml.org,2002:int", _number)
    _class.add_constructor("tag:yaml.org,2002:float", _number)
    _class.add_constructor(TEXT_LEFTOVER, _text_leftover)
    _class.add_implicit_resolver(
        TEXT_LEFTOVER, re.compile(r"^[-+]?(?:0[0-9]*[89][0-9]*|0o[0-7]+)$"), list("-+0")
    )
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
    )
    _class.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_keys)


def _check_size(text: str) -> None:
    """Raise a ConfigError if a text is nested too deeply, or its aliases stand for too many values."""
    sizes, anchors, open_anchors = [0], dict[str, int](), list[str | None]()
    for event in yaml.parse(text, _FastLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            open_anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            size, anchor = sizes.pop(), open_anchors.pop()
            sizes[-1] += size
            if anchor:
                anchors[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            sizes[-1] += anchors.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[-1] += 1
        line = event.start_mark.line + 1 if event.start_mark else 0
        if len(sizes) > MAX_DEPTH:
            raise ConfigError([f"line {line} is nested more than {MAX_DEPTH} levels deep"])
        if sizes[-1] > MAX_NODES:
            raise ConfigError([f"line {line}: aliases and values stand for more than {MAX_NODES} values"])


def _load(text: str) -> Any:
    """Return the content of a YAML text; errors are those of the slower loader, which shows the place."""
    try:
        _check_size(text)
        return yaml.load(text, _FastLoader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError:
        return yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader


def _parse(text: str, where: str, *, subject: str = "") -> Any:
    try:
        return _load(text)
    except ConfigError as error:
        raise ConfigError([f"{where}: {problem}" for problem in error.problems]) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # such as a month 13, or a list for a key
        raise ConfigError([f"{where}: {subject}not YAML ({' '.join(str(error).split())})"]) from error
    except RecursionError:
        raise ConfigError([f"{where}: {subject}not YAML (nested too deeply)"]) from None


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
