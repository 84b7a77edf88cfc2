"""From YAML to a config. All problems are reported at once, a line each: key, value, expectation, remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hep_peaksum.analysis.derived import COLLECTION_FIELD, FIELD_NAME
from hep_peaksum.config.model import Config, Job
from hep_peaksum.config.reference import every_key, find_keys, holds_names, keys_at
from hep_peaksum.config.sections import ADDRESS, COLLECTION_NAME, DATASET_NAME
from hep_peaksum.config.variations import GATHERED
from hep_peaksum.config.yaml_io import ConfigError, Source
from hep_peaksum.inputs.branch_names import FIELD_PATH
from hep_peaksum.inputs.functions import FUNCTION
from hep_peaksum.settings import messages
from hep_peaksum.settings.frozen_model import plain
from hep_peaksum.suggestions import did_you_mean

Model = TypeVar("Model", bound=Job)

PATTERNS = {
    **messages.PATTERNS,
    ADDRESS: "an address such as tcp://host:8786",
    COLLECTION_NAME: "a name of letters and digits that begins with a letter",
    DATASET_NAME: "a name of letters, digits and any of _ . + -",
    FIELD_PATH: "a field such as Jet.pt, or nJet",
    FUNCTION: "a function written as module:function",
    FIELD_NAME: "the name of a field alone, such as eta",
    COLLECTION_FIELD: "a field of a collection, such as Jet.pt",
}

MOST_MEANT = 3  # keys that an error message proposes

# Sections that name what is in another one: of names that are there, but wrong, nothing is said twice.
MEASURED = ("matches", "measurements", "variations")
USERS = ("sums", "events", "histograms", *MEASURED)
DEPENDENT = {
    "events": ("variations",),
    "clusters": ("derive", "select", *USERS),
    "derive": ("select", *USERS),
    "select": ("select", *USERS),
    "references": MEASURED,
    "matches": MEASURED[1:],
    "measurements": MEASURED[1:],
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
    return read_config(Source.read(path, overrides))


def read_config(source: Source) -> Config:
    """Return the config of a file that has been read; errors as in `load_config`, with file and line."""
    content = source.content()
    try:
        return _parse(Config, content, others=source.other_datasets())
    except ConfigError as error:
        raise error.at(source) from None


def parse_config(content: Mapping[str, Any]) -> Config:
    """Return the config of a map of sections; errors as in `load_config`."""
    return _parse(Config, content)


def parse_done(content: Mapping[str, Any]) -> Config:
    """Return the config of jobs that are done, which may have read some of the datasets that it names."""
    return _parse(Config, content, others=None)


def parse_job(content: Mapping[str, Any]) -> Job:
    """Return the part of a config that a processor needs; errors as in `load_config`."""
    return _parse(Job, content)


def _parse(model: type[Model], content: Mapping[str, Any], **known: Any) -> Model:
    content = plain(content)
    try:
        parsed = model.model_validate(content)
    except ValidationError as error:
        problems = list(_problems_of(error, content))
        raise ConfigError([*problems, *_problems_between(content, error)]) from None
    problems = list(parsed.problems(**known))
    if problems:
        raise ConfigError(problems)
    return parsed


def _problems_of(error: ValidationError, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for every error of pydantic; of keys that are not indented, one for their map."""
    details = [detail for detail in error.errors() if not messages.is_repeated(detail)]
    unnamed = _unnamed(content)
    for section, keys in unnamed.items():
        inside = f"{section}: {{NAME: {{{keys[0]}: ...}}}}"
        yield f"{section}: write {', '.join(keys)} below a name of your choice, as in {inside}"
    details = [detail for detail in details if detail["loc"][0] not in unnamed]
    places = [file_key(detail["loc"], content) for detail in details]
    unindented = _unindented(places, content)
    for key, names in unindented.items():
        yield f"{_shown_key(key)}: has no value: indent what belongs to it, {', '.join(names)}"
    told = {*unindented, *((*key[:-1], name) for key, names in unindented.items() for name in names)}
    misnamed = [place for detail, place in zip(details, places, strict=True) if detail["loc"][-1] == "[key]"]
    for detail, place in zip(details, places, strict=True):
        is_told = any(tuple(place[: len(key)]) == key for key in told)
        if not is_told and (place not in misnamed or detail["loc"][-1] == "[key]"):
            yield _problem(detail, content)


def _unnamed(content: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the sections of names in which keys stand at once, without a name above them, with these keys.

    >>> _unnamed({"grids": {"dense": {"branch": "e"}, "unit": 1}, "clusters": {"grid": {"grid": "calo"}}})
    {'grids': ['dense', 'unit']}
    """
    found: dict[str, list[str]] = {}
    for section, entries in content.items():
        if isinstance(entries, Mapping) and entries and holds_names([section]):
            known = set(keys_at([section, "NAME"]))
            are_entries = any(
                isinstance(each, Mapping) and known.intersection(each) for each in entries.values()
            )
            if known.issuperset(entries) and not are_entries:
                found[section] = [*entries]
    return found


def _unindented(paths: Sequence[Sequence[str]], content: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Return the maps without a value whose keys stand behind them, in the same column, with these keys.

    Parameters
    ----------
    paths
        Where something is wrong with the config.
    content
        The config.

    >>> content = {"grids": {"calo": {"rows": None, "name": "eta", "bins": 24}}}
    >>> _unindented([["grids", "calo", word] for word in ("rows", "name", "bins")], content)
    {('grids', 'calo', 'rows'): ['name', 'bins']}
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        for depth, name in enumerate(path):
            above = path[:depth]
            place = (*above, _empty_map_before(name, above, _at(content, above)))
            if place[-1] and name not in found.setdefault(place, []):
                found[place].append(name)
    return found


def _empty_map_before(name: str, above: Sequence[str], beside: Any) -> str:
    """Return the key before another one that has no value, and may hold that other one; empty if none does."""
    names = [str(each) for each in beside] if isinstance(beside, Mapping) else []
    before = names[: names.index(name)] if name in names else []
    empty = (each for each in reversed(before) if beside.get(each, ...) is None)
    return next((each for each in empty if _belongs(name, [*above, each], beside)), "")


def _at(content: Any, path: Sequence[str]) -> Any:
    for part in path:
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _belongs(name: str, place: Sequence[str], beside: Mapping[str, Any]) -> bool:
    """Return whether a key is not one of where it stands, and may be one of the map at a place."""
    known = keys_at(place)
    may_be = name in known if known else isinstance(beside.get(name), Mapping)
    return may_be and name not in keys_at(place[:-1])


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
    for section, others in DEPENDENT.items():
        if _names(content, section) - _names(sound, section):
            sound = {key: value for key, value in sound.items() if key not in others}
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


def _problem(detail: Any, content: Any) -> str:
    """Return one line for one error of pydantic: key, value, expectation, remedy."""
    path = file_key(detail["loc"], content)
    if problem := _problem_of_key(detail, path, content):
        return problem
    key, problem = _shown_key(path), messages.in_words(detail, PATTERNS, keys_at(path))
    inner, colon, _ = problem.partition(": ")
    # what is wrong with a map as a whole may lie in one of its keys
    if colon and (inner in keys_at(path) or messages.names_entry(detail, inner)):
        return f"{key}.{problem}"
    if detail["type"] == "dict_type" and isinstance(detail["input"], (list, tuple)):
        problem += _as_its_example(key) or ": write name: {...} for each, without hyphens"
    elif detail["type"] in ("model_type", "model_attributes_type") and detail["input"] is not None:
        problem += _as_its_example(key.rstrip(".0123456789"))
    elif detail["type"] in ("tuple_type", "dict_type") and ": " not in problem.partition(" is not ")[2]:
        example = next((known.example for known in find_keys(key)), "") or "[{...}]"
        problem += f": write it as in `{example}`" if isinstance(detail["input"], (str, dict, int)) else ""
    return f"{key}: {problem}"


def _shown_key(path: Sequence[str]) -> str:
    return ".".join(part if part.isprintable() else repr(part) for part in path)


def _problem_of_key(detail: Any, path: Sequence[str], content: Any) -> str:
    """Return the line for an error that is about a key, not about its value; an empty text for others."""
    key = _shown_key(path)
    if detail["type"] == "missing":
        return f"{key}: missing, the config needs it{_how_to_write(path)}"
    if detail["type"] in ("extra_forbidden", "invalid_key"):
        return _split_number(path, content) or f"{key}: unknown key{_known_key(path, content)}"
    if detail["loc"][-1] == "[key]" and not isinstance(detail["input"], str):
        return f"{key}: {_not_a_name(detail['input'])}"
    if detail.get("ctx", {}).get("pattern") == COLLECTION_NAME and "_" in detail["input"]:
        if path[0] == "clusters" and path[-1] in keys_at(["clusters", "NAME"]):
            return f"{key}: unknown key{_meant_at(['clusters', 'NAME', path[-1]], content)}"
        return f"{key}: {_with_underscore(detail['input'])}"
    return ""


def _known_key(path: Sequence[str], content: Any) -> str:
    """Return where an unknown key belongs, or the key that is meant, or the keys that there are."""
    *above, name = path
    known = keys_at(above)
    if meant := messages.other_word(name, known):
        return meant
    is_word_of_another = any(name in each.split("_") for each in known)
    if is_word_of_another and (inner := _key_inside(above, name)):  # depth is not isolation_depth
        return _meant_at(inner, content)
    if near := did_you_mean(name, known, likeness=0.8):
        return near
    if name in ("tree", "treename"):
        return ": a tree stands beside its file, as in `files: {run.root: Events}`"
    there = f"; there are {', '.join(known)}" if known else ""
    return _elsewhere(path, content) or did_you_mean(name, known) or there


def _elsewhere(path: Sequence[str], content: Any) -> str:
    """Return where else there is a key of that name, or an entry where a section is expected; or nothing."""
    name = path[-1]
    if len(path) == 1 and (sections := [each for each in content if name in _names(content, each)]):
        return _meant_at([sections[0], name], content)
    # keys of measurements are common words, such as width, which are hardly meant in another section
    known_places = (key.path for key in every_key() if key.path[-1] == name)
    others = (place for place in known_places if path[0] == place[0] or place[0] != "measurements")
    if places := sorted((other[0] != path[0], len(other), other) for other in others):
        place = places[0][2]
        return _meant_at(place, content) if place[1:] else " (it is a key of the config itself)"
    return ""


def _key_inside(path: Sequence[str], name: str) -> Sequence[str]:
    """Return the path of a key of that name inside the map at a path, or nothing."""
    for known in (key.path for key in every_key() if key.path[-1] == name):
        if all(one in (other, "NAME", "N") for one, other in zip(known, path, strict=False)):
            return known
    return ()


def _meant_at(path: Sequence[str], content: Any) -> str:
    """Return the path of the key that is meant, with the names that the config has for NAME.

    >>> _meant_at(["clusters", "NAME", "w0"], {"clusters": {"Jet": {}, "Tau": {}}})
    ' (did you mean clusters.Jet.w0 or clusters.Tau.w0?)'
    """
    found: list[tuple[str, ...]] = [()]
    for part in path:
        found = [(*above, name) for above in found for name in _names_for(part, _at(content, above))]
    return f" (did you mean {' or '.join('.'.join(each) for each in found[:MOST_MEANT])}?)"


def _names_for(part: str, there: Any) -> list[str]:
    """Return what a part of a path stands for: NAME for the names of the maps that are there, if any are."""
    entries = there.items() if part == "NAME" and isinstance(there, Mapping) else ()
    return [str(name) for name, each in entries if isinstance(each, Mapping)] or [part]


def _how_to_write(path: Sequence[str]) -> str:
    """Return how a missing key is written."""
    keys = find_keys(".".join(path))
    example = keys[0].example if keys else ""
    if example and "\n" not in example:
        return f": add it, as in `{example}`"
    return f": `hep-peaksum keys {keys[0].name}` explains it" if keys else ""


def _not_a_name(value: object) -> str:
    """Return why a key that is not text is not a name."""
    if isinstance(value, bool):
        return f"YAML reads this name as {value}: put it in quotes, as in 'no' or 'on'"
    kind = "a number" if isinstance(value, (int, float)) else f"{type(value).__name__}"
    return f"YAML reads the name {value!r} as {kind}: put it in quotes, '{value}'"


def _split_number(path: Sequence[str], content: Any) -> str:
    """Return the line for a number with a comma, which in braces ends the value; a key is what is left of it.

    An empty text if the key at the path is none of these.
    """
    *above, rest = path
    place = content
    for part in above:
        inside = _inside(place, int(part) if isinstance(place, (list, tuple)) else part)
        place = inside and inside[1]
    before: tuple[object, object] = ("", None)
    for key, value in place.items() if isinstance(place, dict) else ():
        if str(key) == rest and type(key) is int and value is None and type(before[1]) is int:
            number = f"{before[1]}.{key}" if 0 < key < 100 else f"{before[1]}_{key:03d}"
            name = ".".join([*above, str(before[0])])
            return f"{name}: the comma after {before[1]} ends the value: write {number} without a comma"
        before = key, value
    return ""


def _as_its_example(key: str) -> str:
    """Return how the map at a key is written, if it has an example of one line."""
    example = next((known.example for known in find_keys(key)), "")
    return f": write it as in `{example}`" if "{" in example and "\n" not in example else ""


def _with_underscore(name: str) -> str:
    """Return why the name of a collection has no underscore."""
    plain = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    why = "columns are Jet_pt, and readers take what is before the first _ for the collection"
    return f"{name!r} is not {PATTERNS[COLLECTION_NAME]} ({why}): write {plain}"


def file_key(loc: Sequence[str | int], content: Any = None) -> list[str]:
    """Return the path of keys in the file for a location in the models.

    Models gather some keys one level deeper (`settings`, `grid`), and pydantic adds a word for every type that
    a value may have, as in ``search_window.str``. The content of the file, where it is known, tells such words
    from keys that look like them.
    """
    path: list[str] = []
    place, is_known = content, content is not None
    for depth, part in enumerate(loc):
        inner = _inside(place, part)
        if inner is not None:
            name, place = inner
            path.append(name)
        elif (depth == 2 and GATHERED.get(str(loc[0])) == part) or part in messages.TYPES or "[" in str(part):
            continue
        elif is_known and not isinstance(place, (dict, list, tuple)):
            continue  # one word stands for a list
        else:
            place, is_known = None, False
            path.append(str(part))
    return path


def _inside(place: Any, part: str | int) -> tuple[str, Any] | None:
    """Return a key of a map, or an index of a list, with what is there; None if nothing is."""
    if isinstance(place, dict):
        same = (key for key in place if str(key) == str(part) or (isinstance(key, bool) and key == part))
        return next(((str(key), place[key]) for key in same), None)
    if isinstance(place, (list, tuple)) and isinstance(part, int) and part < len(place):
        return str(part), place[part]
    return None
