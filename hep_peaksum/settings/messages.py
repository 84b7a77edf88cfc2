"""What pydantic finds wrong with a value, in plain words: value, expectation, remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hep_peaksum.suggestions import did_you_mean

# What pydantic calls an error, and what it expected.
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
# The limit is in the context of the error, under the name in braces.
LIMITS = {
    "greater_than": "{value} is not above {gt}",
    "greater_than_equal": "{value} is below {ge}, the smallest value allowed",
    "less_than_equal": "{value} is above {le}, the largest value allowed",
    "string_too_long": "{value} has more than {max_length} characters: write a shorter one",
    "string_too_short": "{value} is empty, expected text",
    "too_short": "empty, it needs {min_length} or more entries",
    "too_long": "{value} has more than {max_length} entries: leave some out",
}
BARE = {
    "missing": "missing: give it",
    "extra_forbidden": "unknown key",
    "unexpected_keyword_argument": "unknown key",
}
PATTERNS = {
    r"^[A-Za-z][A-Za-z0-9_]*$": "a name of letters, digits and _ that begins with a letter",
    r"^([A-Za-z][A-Za-z0-9_]*)?$": "a name of letters, digits and _ that begins with a letter",
}
# Texts that name something: a number in quotes would name nothing.
NAMES = {
    "field": "the name of a field: write one such as Jet.pt",
    "fields": "the name of a field: write one such as peak_sum",
    "geometry": "the name of a geometry: leave it out, or write one such as cms-l1-towers",
    "grid": "the name of a grid: write one of those in the section grids",
    "max_clusters_per": "what clusters are counted in: write event, or a name under regions of the grid",
    "preset": "the name of a preset: `hep-peaksum presets` lists them",
    "subtract": "the name of a pile-up estimate: write one of those under pileup, such as chunky_donut",
}
# Numbers that cannot be left out by themselves.
WITH_OTHERS = {"bins", "start", "stop", "shape", "edges", "thresholds", "first", "last"}
YAML_BOOL = " (YAML makes that of yes, no, on and off)"
THOUSANDS = {"k": "_000", "m": "_000_000"}  # as one writes them behind a number
LONGEST_VALUE = 60
MOST_KEYS = 10  # in an error message

# What others call a key of ours, or two.
SYNONYMS = {
    **dict.fromkeys(("range", "limits", "lim"), "start and stop"),
    **dict.fromkeys(("min", "low", "lower", "from"), "start"),
    **dict.fromkeys(("max", "high", "upper", "to"), "stop"),
    **dict.fromkeys(("wrap", "circular", "cyclic"), "periodic"),
    **dict.fromkeys(("energy", "et", "e", "edep"), "value"),
    **dict.fromkeys(("eta", "y"), "row"),
    **dict.fromkeys(("phi", "x"), "col"),
    **dict.fromkeys(("threshold", "min_pt"), "seed_threshold"),
    **dict.fromkeys(("window", "neighbourhood"), "search_window"),
    **dict.fromkeys(("path", "paths", "file", "input"), "files"),
    **dict.fromkeys(("cores", "jobs", "processes", "n_workers"), "workers"),
    **dict.fromkeys(("size", "length"), "n"),
}


# What others call a word that a key of ours may hold.
WORDS = {
    **dict.fromkeys(("processes", "multiprocessing", "process", "local", "pool"), "futures"),
    **dict.fromkeys(("slurm", "condor", "htcondor", "pbs", "lsf", "sge", "distributed"), "dask"),
    **dict.fromkeys(("sequential", "serial", "none"), "iterative"),
    **dict.fromkeys(("dr", "deltar", "delta"), "delta_r"),
}


def key_meant(name: str, known: Sequence[str]) -> str:
    """Return which key is meant by one that is not known: another word for it, or what is spelt alike.

    >>> key_meant("threshold", ["sum_threshold", "seed_threshold"])
    " (did you mean 'seed_threshold'?)"
    >>> key_meant("range", ["bins", "start", "stop"])
    " (did you mean 'start' and 'stop'?)"
    """
    return other_word(name, known) or did_you_mean(name, known)


def other_word(name: str, known: Sequence[str]) -> str:
    """Return which known key, or which two, others call by a name; nothing if it is none of these names."""
    meant = SYNONYMS.get(name, "").split(" and ")
    return f" (did you mean {' and '.join(map(repr, meant))}?)" if set(meant) <= {*known} else ""


def problems_of(error: Any, known_keys: Callable[[Sequence[Any]], Sequence[str]] = lambda _: ()) -> list[str]:
    """Return one line for every error in a `ValidationError` of pydantic.

    `known_keys` gives the keys that there are beside one, for its location.
    """
    problems: dict[str, str] = {}  # of several types that a value may have, the first is told
    for detail in error.errors():
        key, problem = ".".join(map(str, _public(detail["loc"]))), in_words(detail)
        if detail["type"] == "extra_forbidden":
            problem += key_meant(str(detail["loc"][-1]), known_keys(detail["loc"]))
        inner, _, rest = problem.partition(": ")
        if names_entry(detail, inner):
            key, problem = f"{key}.{inner}", rest
        if not is_repeated(detail):
            problems.setdefault(key, problem)
    return [f"{key}: {problem}" if key else problem for key, problem in problems.items()]


def names_entry(detail: Any, name: str) -> bool:
    """Return whether a name is that of an entry of the map that an error is about as a whole."""
    return isinstance(detail["input"], Mapping) and name in map(str, detail["input"]) and bool(detail["loc"])


def _public(loc: Sequence[str | int]) -> list[str | int]:
    return [part for part in loc if part not in TYPES and "[" not in str(part)]


# What pydantic adds to a location for every type that a value may have.
TYPES = ("int", "float", "str", "bool", "constrained-str", "constrained-int")


def is_repeated(detail: Any) -> bool:
    """Return whether an error is about `int` as one of two types; the one about `float` says the same."""
    return (*detail["loc"], "")[-1 - bool(detail["loc"])] == "int" and str(detail["type"]).startswith("int_")


def in_words(detail: Any, patterns: Mapping[str, str] = PATTERNS, keys: Sequence[str] = ()) -> str:
    """Return what is wrong with a value, what was expected, and what to do.

    Parameters
    ----------
    detail
        One of the `errors` of a `ValidationError`.
    patterns
        What the regular expressions of texts stand for.
    keys
        Of the map that was expected, if one was.
    """
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind in LIMITS:
        return LIMITS[kind].format(value=shown(value), **context)
    if kind == "literal_error":
        words = str(context["expected"]).split("'")[1::2]
        other = WORDS.get(str(value).lower())
        near = f" (did you mean {other!r}?)" if other in words else did_you_mean(str(value), words)
        if value == "" and ">" in words:  # YAML takes a bare > for the beginning of a text
            near = ": put '>' in quotes"
        elif isinstance(value, bool):
            only = f": write {words[0]}, or leave it out"
            near = f"{YAML_BOOL}: write one of these" if len(words) > 1 else only
        return f"{shown(value)} is not one of {context['expected']}{near}"
    if kind in BARE:
        return BARE[kind]
    expected = EXPECTED.get(kind.replace("_parsing", "_type")) or patterns.get(context.get("pattern"))
    if kind in ("model_type", "model_attributes_type") and not keys:
        expected = f"{context['class_name']}(...) or a map of its keys"
        if context["class_name"] == "Axis" and type(value) is int:
            expected += f": write Axis(n={value})"
    if expected is None:
        return str(detail["msg"]).removeprefix("Value error, ")
    if expected == "text" and isinstance(value, (int, float)):  # a bool is an int
        expected = NAMES.get(_key_of(detail["loc"]), expected)
    remedy = next(_remedies(expected, value, keys, _key_of(detail["loc"])), "")
    if isinstance(value, (list, tuple)) and _key_of(detail["loc"]) == "bins":
        remedy = f": write edges: {shown(list(value))}"
    if value is None:
        return f"has no value, expected {expected}{remedy or ': give it one, or leave the key out'}"
    return f"{shown(value)} is not {expected}{remedy}"


def _key_of(loc: Sequence[str | int]) -> str:
    """Return the last key of a location, that of a list for an entry of one."""
    return next((part for part in reversed(_public(loc)) if isinstance(part, str)), "")


def _remedies(expected: str, value: Any, keys: Sequence[str], key: str) -> Iterator[str]:
    """Yield what to do about a value that is not what was expected, where that is plain to see."""
    if expected == "text" and isinstance(value, bool):
        yield f"{YAML_BOOL}: put it in quotes"
    elif expected == "text" and isinstance(value, (int, float)):
        yield f": put it in quotes, '{value}'"
    elif expected == "a whole number" and re.fullmatch(r"\d{1,3}(,\d{3})+", str(value)):
        yield f": write {value.replace(',', '_')} without a comma"
    elif expected == "a list" and isinstance(value, str) and "," in value:
        yield f": write [{', '.join(part.strip() for part in value.strip('()[] ').split(','))}]"
    elif expected == "a whole number" and (number := re.fullmatch(r"(\d+) ?([kKM])", str(value))):
        yield f": write {number[1]}{THOUSANDS[number[2].lower()]}"
    elif expected == "a whole number" and (number := re.fullmatch(r"(\d+) ?[A-Za-z]+", str(value))):
        yield f": write {number[1]}, without a unit"
    elif expected == "a map of names" and value is None:
        yield ": write a name, and its keys below it"
    elif expected == "a map of keys" and keys:
        more = ", ..." if len(keys) > MOST_KEYS else ""
        yield f"; its keys are {', '.join(keys[:MOST_KEYS])}{more}"
    elif expected == "a whole number" and isinstance(value, float) and value.is_integer():
        yield f": write {value:.0f}"
    elif expected in ("a number", "a whole number") and isinstance(value, str):
        yield _number_for(value, key, is_whole="whole" in expected)


def _number_for(text: str, key: str, *, is_whole: bool) -> str:
    """Return what to do about a text where a number was expected."""
    if _is_number(text):
        return ": leave out the quotes"
    if "%" in text:
        return ": write a number without %" + ", as 0.03 or 1.03 for 3 %" * (not is_whole)
    if re.fullmatch(r"-?\d+,\d+", text) and not is_whole:
        return f": write {text.replace(',', '.')} with a point"
    if with_unit := re.fullmatch(r"([-\d.]+) ?[A-Za-z/]+", text):
        return f": write {with_unit[1]}, without a unit"
    return ": write a number" + ", or leave the key out" * (key not in WITH_OTHERS)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def shown(value: object) -> str:
    """Return a value for an error message, cut short if it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 4]} ..."
