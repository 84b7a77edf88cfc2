"""Safe YAML in which no key is lost silently, with ``key.path=value`` overrides; and where its keys stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from hep_peaksum.config.reference import holds_names
from hep_peaksum.config.schema import SECTIONS
from hep_peaksum.inputs.paths import redacted
from hep_peaksum.suggestions import did_you_mean

MAX_LINE = 480


def shorten(text: str) -> str:
    """Return a text without its middle if it is too long for a line of a terminal, or of many.

    >>> len(shorten("x" * 10_000))
    480
    """
    half = (MAX_LINE - 4) // 2
    return text if len(text) <= MAX_LINE else f"{text[:half]} .. {text[-half:]}"


class ConfigError(ValueError):
    """A config that cannot be run. `problems` holds one line for each problem, which begins with its key.

    Where a file is not YAML, lines that show the place follow; they are indented.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(shorten(redacted(problem)) for problem in problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)

    def at(self, source: Source) -> ConfigError:
        """Return the error with the place of every key that its problems begin with."""
        return ConfigError([source.located(problem) for problem in self.problems])


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may occur once, and 1e-3 is a number (YAML 1.1 requires 1.0e-3)."""


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, where PyYAML has it: ten times as fast, with shorter error messages."""


MERGE = "tag:yaml.org,2002:merge"
# Far more than any config needs; an input that is larger is an accident, or an attack.
MAX_NODES, MAX_DEPTH = 5_000_000, 100


class _Flaw(ValueError):
    """What is wrong with a text, and in which line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line, self.problem = line, problem


def _unique_keys(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, value_node in node.value:
        if key_node.tag == MERGE:
            continue
        key, line = loader.construct_object(key_node, deep=True), key_node.start_mark.line + 1
        if key in seen:
            is_number = isinstance(key, int) and value_node.value == ""
            remedy = "write a number without commas, as in 1_000_000" if is_number else "keep one"
            where = "" if seen[key] == line else f", first in line {seen[key]}"
            raise _Flaw(line, f"the key {key!r} occurs twice{where}: {remedy}")
        seen[key] = line
    return loader.construct_mapping(node, deep=True)  # type: ignore[no-any-return]


def _as_text(loader: Any, node: yaml.ScalarNode) -> str:
    """Return a date as it is written: nothing here computes with it, and JSON could not hold it."""
    return str(loader.construct_scalar(node))


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
    """Return an integer or a float; one that depends on the version of YAML is an error."""
    value = getattr(loader, f"construct_yaml_{node.tag.rpartition(':')[2]}")(node)
    for pattern, meaning in LEFTOVERS.items():
        if pattern.fullmatch(node.value):
            raise _leftover(node, f"{meaning}, and would be {value} here")
    return value


def _leftover(node: yaml.ScalarNode, problem: str) -> _Flaw:
    remedy = "write the number in decimal, or text in quotes"
    return _Flaw(node.start_mark.line + 1, f"{node.value} is {problem}: {remedy}")


def _text_leftover(_: Any, node: yaml.ScalarNode) -> Any:
    raise _leftover(node, f"text in YAML 1.1 and a number in YAML 1.2, and would be {node.value!r} here")


for _class in (_Loader, _FastLoader):
    _class.add_constructor("tag:yaml.org,2002:timestamp", _as_text)
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
            raise _Flaw(line, f"nested more than {MAX_DEPTH} levels deep: write it flatter")
        if sizes[-1] > MAX_NODES:
            msg = f"aliases and values stand for more than {MAX_NODES} values: write fewer"
            raise _Flaw(line, msg)


def _load(text: str) -> Any:
    """Return the content of a YAML text; errors are those of the slower loader, which shows the place."""
    try:
        _check_size(text)
        return yaml.load(text, _FastLoader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError:
        return yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader


def _parse(text: str, where: str, *, subject: str = "", has_lines: bool = True) -> Any:
    """Return the content of a YAML text; a ConfigError names the line, and shows it."""
    try:
        return _load(text)
    except _Flaw as flaw:
        place = f"{where}:{flaw.line}" if has_lines else where
        raise ConfigError([f"{place}: {flaw.problem}"]) from None
    except yaml.MarkedYAMLError as error:
        # where a key lacks its colon, the problem lies before the place where YAML notices it
        starts = [error.context_mark] if "expected ':'" in str(error.problem) else []
        mark = next(filter(None, [*starts, error.problem_mark, error.context_mark]), None)
        place = f"{where}:{mark.line + 1}" if has_lines and mark else where
        snippet = mark.get_snippet() if mark and mark.buffer and has_lines else None
        shown = f"\n{snippet}" if snippet else ""
        raise ConfigError([f"{place}: {subject}not YAML: {_in_words(error)}{shown}"]) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # such as a character that YAML does not have
        raise ConfigError([f"{where}: {subject}not YAML ({' '.join(str(error).split())})"]) from error
    except RecursionError:
        raise ConfigError([f"{where}: {subject}not YAML (nested too deeply)"]) from None


# By a part of what PyYAML says, what to do about it.
REMEDIES = {
    "that cannot start any token": "indent with spaces, and put text that begins with % @ or ` in quotes",
    "\\t": "indent with spaces, not with tabs",
    "while scanning an alias": "put text that begins with * in quotes",
    "while scanning an anchor": "put text that begins with & in quotes",
    "undefined alias": "name the value with & before it is used, or put text that begins with * in quotes",
    "duplicate anchor": "give every anchor its own name",
    "mapping values are not allowed": "put text that holds ': ' in quotes, or mend the indentation",
    "could not find expected ':'": "write key: value, or mend the indentation",
    "expected ',' or": "close the bracket, or put a comma between entries",
    "while parsing a flow node": "close the bracket",
    "<block end>": "mend the indentation: keys of one map begin in one column",
    "unexpected end of stream": "close the quotes",
    "unknown escape": "put the text in single quotes",
    "for merging": "write <<: *name, with &name where the map is written first",
    "chomping": "put text that begins with > or | in quotes",
    "could not determine a constructor": "remove the tag: a config has text, numbers, lists and maps",
    "expected a single document": "remove the line ---, a config is a single document",
    "unhashable key": "write a word for a key, and put text that begins with [ or { in quotes",
}


def _in_words(error: yaml.MarkedYAMLError) -> str:
    """Return what YAML found wrong, and what to do about it."""
    said = " ".join(f"{error.context or ''} {error.problem or ''}".split())
    problem = error.problem or ""
    found = said if not problem or problem.startswith("but ") else problem
    remedy = next((REMEDIES[part] for part in ("\\t", *REMEDIES) if part in said), "")
    opened, noticed = error.context_mark, error.problem_mark
    if opened and noticed and opened.line < noticed.line and "expected ',' or" in said:
        remedy = remedy.replace("the bracket", f"the bracket of line {opened.line + 1}")
    return f"{found}: {remedy}" if remedy else found


class Source(NamedTuple):
    """A config file as it is written, and the overrides: they know where a key stands.

    `file` is its name for messages. `options` are values that options of the command line set last, by their
    keys, each with the option as it was written.
    """

    file: str
    text: str
    overrides: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, Any]] = MappingProxyType({})

    @classmethod
    def read(cls, path: str | Path, overrides: Sequence[str] = ()) -> Source:
        """Return the text of a file; one that cannot be read, or is not text, is a ConfigError."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError([f"{path}: {_why_unreadable(Path(path), error)}"]) from error
        if content.startswith(b"root"):
            look = f"look into it with `hep-peaksum inspect {path}` or `hep-peaksum show {path}`"
            raise ConfigError([f"{path}: a ROOT file, where the YAML file of a config is expected: {look}"])
        try:
            return cls(str(path), content.decode("utf-8-sig"), tuple(overrides))
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            what = f"not YAML: byte {content[error.start]:#04x} is not text in UTF-8: save it as UTF-8"
            raise ConfigError([f"{path}:{line}: {what}"]) from None

    def content(self) -> dict[str, Any]:
        """Return the content with the overrides applied; errors as for `read_yaml`."""
        content = _parse(self.text, self.file)
        if not isinstance(content, dict):
            held = {list: "a list", str: "text", type(None): "nothing"}.get(type(content), repr(content))
            what = f"a config is a map of sections, this file holds {held}"
            raise ConfigError([f"{self.file}: {what}: `hep-peaksum init` writes one to start from"])
        content = override(content, self.overrides)
        for key, (_, value) in self.options.items():
            section, _, name = key.partition(".")
            inside = content.get(section)
            content[section] = {**(inside if isinstance(inside, dict) else {}), name: value} if name else value
        return content

    def other_datasets(self) -> list[str]:
        """Return the datasets of the file that an option of the command line has replaced."""
        written = self._replace(options={}).content().get("datasets") if "datasets" in self.options else None
        return [str(name) for name in written] if isinstance(written, dict) else []

    def located(self, problem: str) -> str:
        """Return a problem that begins with a key with the place of that key before it.

        What is wrong with a map as a whole may begin with the word for a key in it, where it then stands.
        """
        key, _, rest = problem.partition(": ")
        word = re.split(r"[^\w.]", rest, maxsplit=1)[0]
        for name, (option, _) in self.options.items():
            if key == name or key.startswith(f"{name}."):
                return f"{shorten(option)}: {problem}"
        for setting in reversed(self.overrides):
            name = setting.partition("=")[0].strip()
            if name in (key, f"{key}.{word}") or key.startswith(f"{name}."):
                return f"--set {shorten(setting)}: {problem}"
        try:
            root = yaml.compose(self.text, _FastLoader)
        except yaml.YAMLError:  # the slower loader took it
            return f"{self.file}: {problem}"
        line, is_known = _line(root, key, word) if root else (1, False)
        inside = [s for s in self.overrides if s.startswith(f"{key}.")]
        if not is_known and inside:
            return f"--set {shorten(inside[-1])}: {problem}"
        if not is_known and key.partition(".")[0] not in SECTIONS:
            return problem
        also = f" with --set {shorten(inside[-1])}" if inside else ""
        return f"{self.file}:{line}{also}: {problem}"


def _why_unreadable(path: Path, error: OSError) -> str:
    """Return why a file cannot be read, and which was meant perhaps."""
    if path.is_dir():
        found = ", ".join(sorted(str(each) for each in path.glob("*.y*ml"))[:5])
        return f"a folder, where a YAML file is expected: name the file in it ({found or 'it has none'})"
    near = ""
    if isinstance(error, FileNotFoundError) and path.parent.is_dir():
        near = did_you_mean(path.name, (each.name for each in path.parent.glob("*.y*ml")), likeness=0.75)
    return f"cannot be read ({error.strerror}){near}"


def _line(node: yaml.Node, key: str, word: str) -> tuple[int, bool]:
    """Return the line of the last part of a dotted key that is in the file, and whether the first part is.

    If all of it is, and a word is a key there, or in one of the maps there, the line is that of the word.
    """
    line, is_known = node.start_mark.line + 1, False
    while key and (entry := _entry(node, key)):
        name, line, node = entry
        key, is_known = key[len(name) + 1 :], True
    if is_known and not key and word:
        inside = (node, *(value for _, _, value in _entries(node) if isinstance(value, yaml.MappingNode)))
        line = next((found for each in inside for found in _lines(each, word)), line)
    return line, is_known


def _lines(node: yaml.Node, key: str) -> Iterator[int]:
    """Yield the line of the last part of a dotted key, if its first part is in a map."""
    if _entry(node, key):
        yield _line(node, key, "")[0]


def _entry(node: yaml.Node, key: str) -> tuple[str, int, yaml.Node] | None:
    """Return the entry of a map or list that a dotted key begins with: its name, its line and its value."""
    found = [each for each in _entries(node) if key == each[0] or key.startswith(f"{each[0]}.")]
    return max(found, key=lambda each: len(each[0]), default=None)


def _entries(node: yaml.Node) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yield the entries of a map, those that are merged into it last, or of a list."""
    if isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield str(index), value.start_mark.line + 1, value
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.tag != MERGE and isinstance(key, yaml.ScalarNode):
            yield _key_text(key), key.start_mark.line + 1, value
    for key, value in node.value:
        if key.tag == MERGE:
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _entries(merged)


def _key_text(node: yaml.ScalarNode) -> str:
    """Return a key as messages name it: YAML reads ``no`` as False."""
    is_bool = node.tag == "tag:yaml.org,2002:bool"
    return str(node.value.lower() in ("yes", "true", "on")) if is_bool else str(node.value)


def read_yaml(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of a config file with ``key.path=value`` overrides applied.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML, or an override has no place in it.
    """
    return Source.read(path, overrides).content()


def override(content: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the content with ``key.path=value`` overrides applied; the values are YAML."""
    content = _unshared(content) if overrides else content
    for setting in overrides:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError([f"--set {setting!r}: write key.path=value, as in clusters.Jet.seed_threshold=4"])
        value = _parse(text, f"--set {setting!r}", subject="the value is ", has_lines=False)
        try:
            _put(content, key.strip(), value)
        except ValueError as error:
            raise ConfigError([f"--set {setting!r}: {error}"]) from None
    return content


def _unshared(value: Any) -> Any:
    """Return maps and lists that stand in one place each; an alias of YAML stands for one in several."""
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value


def _put(place: Any, key: str, value: Any) -> None:
    """Put a value at a dotted key; maps that are missing are created, names that are missing are an error."""
    rest, path = key, list[str]()
    while True:
        name = _next_name(place, rest, key, path)
        rest = rest[len(name) + 1 :]
        where = int(name) if isinstance(place, list) else name
        if not rest:
            place[where] = value
            return
        if isinstance(place, dict) and place.get(name) is None:
            if holds_names(path):
                near, parent = did_you_mean(name, map(str, place)), ".".join(path)
                there = f"; there are {', '.join(map(str, place))}" if place else ""
                msg = f"{parent} has no {name!r}{near}{there}; to add one, write {parent}.{name}={{...}}"
                raise ValueError(msg)
            place[name] = {}
        place = place[where]
        path.append(name)


def _next_name(place: Any, rest: str, key: str, path: Sequence[str]) -> str:
    """Return the name with which a dotted key goes on; names may hold dots themselves."""
    name = rest.partition(".")[0]
    if isinstance(place, dict):
        known = (str(each) for each in place)
        return max((k for k in known if rest == k or rest.startswith(f"{k}.")), key=len, default=name)
    where = ".".join(path)
    if not isinstance(place, list):
        msg = f"the config has no place {key!r}: {where} is {place!r}, not a map"
        raise ValueError(msg)
    if not name.isdecimal() or int(name) >= len(place):
        msg = f"the config has no place {key!r}: {where} is a list, with places from 0 to {len(place) - 1}"
        raise ValueError(msg)
    return name
