"""The keys of the config with their types, defaults and meanings, and the pages of docs made of them.

Everything is taken from `schema.json`, which `config/schema` makes of the models: nothing heavy is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hep_peaksum.config.schema import SCHEMA, Node, read_schema, schema_text

NAME, NUMBER = "NAME", "N"  # in the path of a key: a name that the user chooses, a place in a list


class Key(NamedTuple):
    """A key of the config: its path, and what it may hold.

    `default` is YAML, empty if there is none. `options` are the values of a key with a fixed list of them, each
    with its meaning. `keys` are the keys of a map.
    """

    path: tuple[str, ...]
    type: str
    default: str
    is_required: bool
    description: str
    example: str
    options: Mapping[str, str]
    keys: tuple[Key, ...]

    @property
    def name(self) -> str:
        """The path with dots, such as clusters.NAME.overlap."""
        return ".".join(self.path)

    @property
    def summary(self) -> str:
        """The first sentence of the description."""
        return re.split(r"(?<=[^.]\.) ", self.description, maxsplit=1)[0]


@lru_cache
def config_keys() -> tuple[Key, ...]:
    """Return the sections of the config, each with its keys."""
    return tuple(_keys(read_schema(), ()))


def _keys(node: Node, path: tuple[str, ...]) -> Iterator[Key]:
    """Yield the keys of the map at a path."""
    for name, value in node["properties"].items():
        inner, inner_path = value, (*path, name)
        while entries := _entries(inner):
            inner, inner_path = entries[1], (*inner_path, entries[0])
        inner = _map_of(inner)
        yield Key(
            path=(*path, name),
            type=_type_words(value),
            default=yaml_text(value["default"]) if value.get("default") not in (None, "", [], {}) else "",
            is_required=name in node.get("required", ()),
            description=value["description"],
            example=_example(name, value),
            options=dict(zip(value.get("enum", ()), value.get("enumDescriptions", ()), strict=False)),
            keys=tuple(_keys(inner, inner_path)) if "properties" in inner else (),
        )


def _map_of(node: Node) -> Node:
    """Return the schema of the map that may stand where also a word may; any other schema as it is."""
    if "oneOf" in node:
        return {**node, "properties": _keys_of_kinds(node["oneOf"])}
    return next((each for each in node.get("anyOf", ()) if "properties" in each), node)


def _keys_of_kinds(kinds: Sequence[Node]) -> dict[str, Node]:
    """Return the keys of maps of several kinds, each kind named by its first key; keys say whose they are."""
    found: dict[str, dict[str, Node]] = {}
    for kind in kinds:
        first, *_ = kind["properties"]
        for name, value in kind["properties"].items():
            found.setdefault(name, {})[first] = value
    return {name: _of_kinds(values, len(kinds)) for name, values in found.items()}


def _of_kinds(values: Mapping[str, Node], n_kinds: int) -> Node:
    """Return one schema for a key of several kinds, with what it is in each of them."""
    meanings: dict[str, list[str]] = {}
    for kind, value in values.items():
        meanings.setdefault(value["description"], []).append(kind)
    words = [
        text if len(of) == n_kinds else f"Of {', '.join(of)}: {text[0].lower()}{text[1:]}"
        for text, of in meanings.items()
    ]
    types = dict.fromkeys(_type_words(value) for value in values.values())
    first = next(iter(values.values()))
    return {**first, "title": ", or ".join(types), "description": " ".join(words)}


def _entries(node: Node) -> tuple[str, Node] | None:
    """Return the schema of the entries of a map of names, or of a list of maps, and their word in a path."""
    if isinstance(node.get("additionalProperties"), dict):
        return NAME, node["additionalProperties"]
    items = node.get("items", {})
    return next(((NUMBER, each) for each in items.get("anyOf", [items]) if "properties" in each), None)


def _type_words(node: Node) -> str:
    """Return a type in plain words.

    >>> _type_words({"type": "array", "items": {"type": "integer", "minimum": 1}})
    'list of whole numbers from 1'
    """
    if "title" in node:
        return str(node["title"])
    if "anyOf" in node:
        return ", or ".join(_type_words(each) for each in node["anyOf"] if each.get("type") != "null")
    if "enum" in node:
        return f"one of {', '.join(yaml_text(value) for value in node['enum'] if value not in ('', None))}"
    kind = node["type"][0] if isinstance(node["type"], list) else node["type"]
    if kind == "array":
        items = _type_words(node["items"] if "items" in node else node["prefixItems"][0])
        return f"list, each {items}" if items.startswith("one of") else f"list of {_plural(items)}"
    words = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    minimum = f" from {node['minimum']}" if "minimum" in node else ""
    return words.get(str(kind), "map") + minimum


def _plural(words: str) -> str:
    """Return the words for several things: whole number from 1 -> whole numbers from 1."""
    return re.sub(r"^name of a branch$", "branches", re.sub(r"\b(number|multiple|map)\b", r"\1s", words))


def yaml_text(value: Any) -> str:
    """Return a value as YAML in one line.

    >>> yaml_text(">"), yaml_text([3, 3])
    ("'>'", '[3, 3]')
    """
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return str(text).removesuffix("...\n").strip()


def _example(name: str, node: Node) -> str:
    """Return the first example as lines of YAML, a drawing as it looks."""
    if not node.get("examples"):
        return ""
    value = node["examples"][0]
    if isinstance(value, str) and "\n" in value:
        return "\n".join([f"{name}: |", *(f"  {line}" for line in value.splitlines())])
    return f"{name}: {yaml_text(value)}"


def find_keys(text: str) -> list[Key]:
    """Return the keys that a text names: ``"overlap"``, ``"clusters.overlap"``, ``"clusters.Jet.overlap"``.

    >>> [key.name for key in find_keys("clusters.Jet.overlap")]
    ['clusters.NAME.overlap']
    """
    parts = text.split(".")
    if not all(parts):
        return []
    named = [key for key in every_key() if _is_end(parts, key.path)]
    # clusters.Jet is an entry of a map: its keys are those of the map
    return named or [key for key in every_key() if key.keys and _is_end(parts, key.keys[0].path[:-1])]


def _is_end(parts: Sequence[str], path: Sequence[str]) -> bool:
    """Return whether the parts are the end of a path, in which names and numbers may be left out."""
    if not parts or not path:
        return not parts
    if path[-1] in (NAME, NUMBER):
        return _is_end(parts, path[:-1]) or (len(parts) > 1 and _is_end(parts[:-1], path[:-1]))
    return path[-1] == parts[-1] and _is_end(parts[:-1], path[:-1])


def every_key(keys: Sequence[Key] | None = None) -> Iterator[Key]:
    """Yield every key of the config, those of a map after the map."""
    for key in config_keys() if keys is None else keys:
        yield key
        yield from every_key(key.keys)


def keys_at(path: Sequence[str]) -> list[str]:
    """Return the keys that a map at a place of the file may have.

    >>> keys_at(["clusters", "Jet", "pileup", "0"])[:3]
    ['kind', 'name', 'depth']
    """
    return list(_map_of(_node_at(path)).get("properties", ()))


def holds_names(path: Sequence[str]) -> bool:
    """Return whether the keys of the map at a place of the file are names of the user's choice.

    >>> holds_names(["clusters"]), holds_names(["clusters", "Jet"])
    (True, False)
    """
    return isinstance(_node_at(path).get("additionalProperties"), dict)


def _node_at(path: Sequence[str]) -> Node:
    """Return the schema of a place of the file; it is empty for a place that no config has."""
    node = read_schema()
    for part in path:
        entries = _entries(node)
        node = entries[1] if entries else _map_of(node).get("properties", {}).get(part, {})
    return node


# ------------------------------------------------------------------------------------------------ pages of docs


KEYS_INTRODUCTION = """\
# The keys of a config

Every key of the YAML file, section by section. `NAME` is a name of your choice, `N` a place in a list. In a
terminal `hep-peaksum keys KEY` shows the same text.

Editors with a YAML language server (VS Code, neovim, ...) complete and check the keys of a config whose first
line is `# yaml-language-server: $schema=` and the address of the schema. `hep-peaksum init` writes this line.
For a config that other machines share, `hep-peaksum keys --schema -o peaksum.schema.json` writes the schema
beside it, and the line is `# yaml-language-server: $schema=peaksum.schema.json`.

This page is made from the models by `python -m hep_peaksum.config.reference`.
"""


def keys_page() -> str:
    """Return the page of docs with every key, as Markdown."""
    return "\n".join([KEYS_INTRODUCTION, *(line for key in config_keys() for line in _section(key))])


def _section(key: Key) -> Iterator[str]:
    """Yield the lines of a map of keys, and of the maps in it."""
    inner = key.keys[0].path[:-1] if key.keys else key.path
    yield from (f"## `{'.'.join(inner)}`", "", _sentences(key.description), "")
    yield from _example_block(key)
    if pages := HOW_TO.get(".".join(inner)):
        links = (f"[{page.replace('-', ' ')}](how-to/{page}.md)" for page in pages)
        yield from (f"How to: {', '.join(links)}.", "")
    if key.keys:
        yield from ("| key | type | default | meaning |", "|---|---|---|---|")
        for each in key.keys:
            default = "*required*" if each.is_required else f"`{each.default}`" if each.default else ""
            yield f"| `{each.path[-1]}` | {_cell(each.type)} | {_cell(default)} | {_cell(each.description)} |"
        yield ""
    for each in key.keys:
        if any(each.options.values()) and len(each.options) < MANY_OPTIONS:
            yield from (f"| `{each.path[-1]}` | |", "|---|---|")
            yield from (f"| `{option}` | {_cell(meaning)} |" for option, meaning in each.options.items())
            yield ""
    for each in key.keys:
        if each.keys and each.path[-1] not in AS_ANOTHER:
            yield from _section(each)


HOW_TO = {  # pages of docs/how-to by the section that they use; each links back to it
    "clusters.NAME": (
        "choose-a-tie-rule",
        "choose-a-threshold",
        "compare-algorithms",
        "dead-cells-and-noise",
        "browse-events",
    ),
    "clusters.NAME.reference": ("compare-with-an-emulator",),
    "datasets.NAME": ("read-my-file", "remote-files", "normalise-samples"),
    "derive.NAME.NAME": ("derive-fields",),
    "events": ("select-events", "variations"),
    "events.weight.NAME": ("select-events", "normalise-samples"),
    "events.where.N": ("select-events",),
    "grids.NAME": ("read-my-file", "describe-a-detector", "dead-cells-and-noise"),
    "grids.NAME.hits": ("read-my-file", "group-rows-to-events"),
    "grids.NAME.rows": ("describe-a-detector",),
    "luminosity": ("normalise-samples",),
    "matches.NAME": ("match-to-truth",),
    "measurements.NAME": ("match-to-truth",),
    "output": ("read-the-results", "report-to-a-colleague"),
    "references.NAME": ("match-to-truth",),
    "run": ("batch-systems", "remote-files", "resume-after-a-crash"),
    "select.NAME": ("select-events", "derive-fields"),
    "sums": ("select-events",),
    "variations": ("variations",),
}
AS_ANOTHER = ("cols", "depth", "col", "channel", "layer", "value", "time")  # the keys of rows, and of row
MANY_OPTIONS = 12  # more are listed elsewhere


def _example_block(key: Key) -> Iterator[str]:
    """Yield the example of a section."""
    if key.example:
        yield from ("```yaml", key.example, "```", "")


def _sentences(text: str) -> str:
    """Return text for Markdown, with the characters escaped that would be markup."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _cell(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    return text if text.startswith(("`", "*")) else _sentences(text)


FIELDS_INTRODUCTION = """\
# The fields of a cluster

The names for `fields` of a collection, `fields=` of `find_clusters`, and the axes of histograms. A field that
is not named costs nothing. On disk, `pt` of the collection `Jet` is the column `Jet_pt`. Counts are the units
of the grid; its key `unit` says how many GeV one count is, and without it energies are in counts, too. The
cells that a cluster holds, its held cells, are those that its sum contains; means and widths weigh them as
`position` says, linearly by default.

Some fields have a condition. `noise` needs the noise of the grid, `time` and `seed_time` need the times of
hits, `layer_sums` layers that are summed, and `layer` layers that are searched separately; it is then written
by default, as is `n_saturated` for a grid with `saturated` values. Positions need an axis with edges, and so
does the energy of cells of transverse energy: without a pseudorapidity they give `pt` instead.
Collections of several grids also have the field `grid`, the place of the grid in their list.

This page is made from the table in `clustering/fields.py` by `python -m hep_peaksum.config.reference`.
"""


def fields_page() -> str:
    """Return the page of docs with every field of a cluster, as Markdown."""
    from hep_peaksum.clustering.fields import FIELDS, default_fields, fields_of
    from hep_peaksum.geometry.axis import Axis
    from hep_peaksum.geometry.grid import Grid
    from hep_peaksum.settings.model import PeakSumSettings

    towers = Grid(
        rows=Axis(name="eta", bins=2, start=-1, stop=1),
        cols=Axis(name="phi", bins=4, start=0, stop="2pi", periodic=True),
        unit=1,
    )
    plates = Grid(
        rows=Axis(name="y", bins=2, start=-1, stop=1, unit="unit of y"),
        cols=Axis(name="x", bins=2, start=-1, stop=1, unit="unit of x"),
        unit=1,
    )
    settings = PeakSumSettings(pileup=("chunky_donut", "donut", "phi_ring", "ring_median"))
    bare, of_towers, of_plates = FIELDS, fields_of(towers), fields_of(plates)
    tables = {
        "For every grid": bare,
        "For a plane of eta and phi": {name: f for name, f in of_towers.items() if name not in bare},
        "For any other plane, here with axes x and y": {
            name: f for name, f in of_plates.items() if name not in bare
        },
        "With pile-up estimates": {
            name: f for name, f in fields_of(towers, settings).items() if name not in of_towers
        },
    }
    written = {*default_fields(settings, towers), *default_fields(settings, plates)}
    return "\n".join(
        [FIELDS_INTRODUCTION, *(line for entry in tables.items() for line in _fields(*entry, written))]
    )


def _fields(title: str, fields: Mapping[str, Any], written: set[str]) -> Iterator[str]:
    """Yield the lines of a table of fields."""
    yield from (f"## {title}", "", "| field | unit | written by default | meaning |", "|---|---|---|---|")
    for name, field in fields.items():
        default = "yes" if name in written else ""
        yield f"| `{name}` | {field.unit} | {default} | {_sentences(field.meaning)} |"
    yield ""


def write_pages(repository: Path) -> None:
    """Write the JSON schema, and the pages of docs that are made of it."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    (repository / "docs" / "keys.md").write_text(keys_page(), encoding="utf-8")
    (repository / "docs" / "fields.md").write_text(fields_page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(__file__).parents[2])
