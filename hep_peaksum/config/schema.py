"""The JSON schema of the config as users write it, made from the models.

It is shipped as `schema.json`: editors read it (draft 7 at most), and all documentation of keys is made from
it. ``python -m hep_peaksum.config.reference`` writes it after a change of a model; a test checks that it is
current.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

Node = dict[str, Any]
SCHEMA = Path(__file__).with_name("schema.json")
SECTIONS = (
    *("datasets", "friends", "events", "grids", "clusters"),
    *("derive", "select", "sums", "variations", "references", "matches", "measurements"),
    *("histograms", "luminosity", "output", "run"),
)
INTERNAL = ("digests", "dataset_metadata")  # set by the package, not by users
NULL = {"type": "null"}


@lru_cache
def read_schema() -> Node:
    """Return the JSON schema that comes with the package."""
    schema: Node = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def editor_line() -> str:
    """Return the first line of a config, by which editors find the schema.

    The address of the installed file: the schema is always that of the version in use, and no second file is
    needed. A URI, because the YAML language server (VS Code, neovim, ...) ends a plain path at a blank.
    """
    return f"# yaml-language-server: $schema={SCHEMA.as_uri()}\n"


def schema_text() -> str:
    """Return the JSON schema of the models as text."""
    return json.dumps(build_schema(), indent=1, ensure_ascii=False) + "\n"


def build_schema() -> Node:
    """Return the JSON schema of the models."""
    from hep_peaksum.config.model import Config

    generated = Config.model_json_schema(by_alias=True, schema_generator=_generator())
    models = generated.pop("$defs")
    config = _as_written(generated, models)
    sections = config["properties"]
    _lift(sections["grids"]["additionalProperties"], "grid", required=[])
    _lift(sections["clusters"]["additionalProperties"], "settings", required=["grid"])
    _add_options(sections["grids"]["additionalProperties"], sections["clusters"]["additionalProperties"])
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **config,
        "title": "hep_peaksum config",
        "properties": {name: sections[name] for name in SECTIONS},
    }


def _generator() -> Any:
    """Return pydantic's generator without titles made of names, and with keys in their own order."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- as pydantic calls it
            return False

        def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002 -- as pydantic calls it
            return value

    return Generator


def _as_written(node: Any, models: Node) -> Any:
    """Return a schema with the models in place of references to them, and names of a map in one form."""
    if isinstance(node, list):
        return [_as_written(each, models) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        model = _without_docstring(models[node["$ref"].rpartition("/")[2]])
        node = {**model, **{key: value for key, value in node.items() if key != "$ref"}}
    if "patternProperties" in node:
        ((pattern, entry),) = node["patternProperties"].items()
        names = {"pattern": pattern, **node.get("propertyNames", {})}
        rest = {key: value for key, value in node.items() if key != "patternProperties"}
        node = {**rest, "propertyNames": names, "additionalProperties": entry}
    literal = ("default", "examples")
    node = {key: value if key in literal else _as_written(value, models) for key, value in node.items()}
    return _without_null(node)


def _without_docstring(model: Node) -> Node:
    """Return the schema of a model with the first paragraph of its docstring, without its internal keys."""
    summary = re.sub(r"[`\s]+", " ", model["description"].split("\n\n")[0].replace("`", "")).strip()
    public = {key: value for key, value in model["properties"].items() if key not in INTERNAL}
    rest = {key: value for key, value in model.items() if key != "title"}  # the name of the class
    return {**rest, "description": summary, "properties": public}


def _without_null(node: Node) -> Node:
    """Return the schema of an optional key: null stays a value of scalars, where it undoes a preset."""
    rest = {key: value for key, value in node.items() if key != "default" or value is not None}
    alternatives = [each for each in node.get("anyOf", ()) if each != NULL]
    if NULL not in node.get("anyOf", ()) or len(alternatives) > 1:
        return rest
    (value,) = alternatives
    merged = {**value, **{key: value for key, value in rest.items() if key != "anyOf"}}
    if value.get("type") in ("object", "array"):
        return merged
    if "anyOf" in value:
        return {**merged, "anyOf": [*value["anyOf"], NULL]}
    if "enum" in value:
        merged["enum"] = [*value["enum"], None]
    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    return {**merged, "type": [*types, "null"]}


def _lift(node: Node, key: str, required: list[str]) -> None:
    """Put the keys of an inner model in the place of its own key: users write them there."""
    properties: Node = {}
    for name, value in node["properties"].items():
        properties |= value["properties"] if name == key else {name: value}
    node |= {"properties": properties, "required": required}


def _add_options(grid: Node, clusters: Node) -> None:
    """Add what only other modules know: names of geometries and presets, meanings of options."""
    from hep_peaksum.diagnostics.wording import OVERLAPS
    from hep_peaksum.library.geometries import named_grids
    from hep_peaksum.library.presets import presets, read_preset
    from hep_peaksum.settings.tie_rules import TIE_RULES

    grid["properties"]["geometry"] |= {"title": "name of a geometry", "type": "string", "enum": named_grids()}
    properties = clusters["properties"]
    properties["preset"] |= {"title": "name of a preset", "type": "string"}
    titles = {name: read_preset(name).title for name in presets()}
    ties = {name: rule.meaning for name, rule in TIE_RULES.items()}
    for key, meanings in (("preset", titles), ("tie_rule", ties), ("overlap", OVERLAPS)):
        properties[key] |= {"enum": list(meanings), "enumDescriptions": list(meanings.values())}
    estimate = properties["pileup"]["items"]
    kinds = {"enum": estimate["properties"]["kind"]["enum"]}
    properties["pileup"] |= {"title": "list of names or maps", "items": {"anyOf": [kinds, estimate]}}
