"""The JSON schema: it is that of the models, takes every example config, and refuses what is misspelt."""

import copy
import json
from typing import get_args, get_origin

import jsonschema
import pydantic
import pytest
import yaml
from places import CONFIGS, DOCS
from pydantic import BaseModel
from small_config import FULL, SMALL, small

from hep_peaksum.config import reference
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.model import Config
from hep_peaksum.config.schema import INTERNAL, SCHEMA, SECTIONS, editor_line, read_schema, schema_text
from hep_peaksum.config.yaml_io import read_yaml
from hep_peaksum.library.geometries import named_grids
from hep_peaksum.library.presets import presets
from hep_peaksum.settings.search import Overlap
from hep_peaksum.settings.tie_rules import TieRule

OLD_PYDANTIC = tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 11)
EVERY_CONFIG = sorted(CONFIGS.glob("*.yaml"))
VALIDATOR = jsonschema.Draft7Validator(read_schema())


def errors(content):
    return [error.message for error in VALIDATOR.iter_errors(content)]


def models_of(annotation):
    """Yield the models that a type is made of."""
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from models_of(each)


def every_model(model=Config):
    """Yield a model and all models in its fields."""
    yield model
    for field in model.model_fields.values():
        for inner in models_of(field.annotation):
            yield from every_model(inner)


@pytest.mark.parametrize("model", dict.fromkeys(every_model()), ids=lambda model: model.__name__)
def test_every_key_of_every_model_has_a_description(model):
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description[0].isupper(), name
        assert field.description.endswith("."), name


@pytest.mark.skipif(OLD_PYDANTIC, reason="before 2.11 pydantic generates less")
def test_the_pages_and_the_schema_are_written_where_they_belong(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(reference, "SCHEMA", tmp_path / "schema.json")
    reference.write_pages(tmp_path)
    written = (
        ("schema.json", SCHEMA),
        ("docs/keys.md", DOCS / "keys.md"),
        ("docs/fields.md", DOCS / "fields.md"),
    )
    for name, current in written:
        assert (tmp_path / name).read_text(encoding="utf-8") == current.read_text(encoding="utf-8")


@pytest.mark.skipif(OLD_PYDANTIC, reason="before 2.11 pydantic generates less")
def test_the_shipped_schema_is_that_of_the_models():
    """If not: python -m hep_peaksum.config.reference"""
    assert json.loads(schema_text()) == read_schema()


def test_the_schema_is_a_schema():
    jsonschema.Draft7Validator.check_schema(read_schema())
    assert set(SECTIONS) == set(Config.model_fields) - set(INTERNAL)


@pytest.mark.parametrize("path", EVERY_CONFIG, ids=lambda path: path.stem)
def test_an_example_config_is_valid(path):
    assert errors(read_yaml(path)) == []


@pytest.mark.parametrize("text", [FULL, yaml.safe_dump(SMALL)], ids=["full", "small"])
def test_a_config_of_the_tests_is_valid(text, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert errors(read_yaml(path)) == []


@pytest.mark.parametrize("path", EVERY_CONFIG, ids=lambda path: path.stem)
def test_a_misspelt_key_is_refused_wherever_it_stands(path):
    content = read_yaml(path)
    places = [
        content,
        *(content[section] for section in ("output", "run", "events") if section in content),
        *(entry for section in ("datasets", "grids", "clusters") for entry in content[section].values()),
        *(
            grid[key]
            for grid in content["grids"].values()
            for key in ("rows", "cols", "hits", "dense")
            if key in grid
        ),
        *(axis for histogram in content.get("histograms", {}).values() for axis in histogram["axes"]),
    ]
    for place in places:
        place["mispelt"] = 1
        assert any("'mispelt'" in error for error in errors(content))
        del place["mispelt"]
    assert errors(content) == []


@pytest.mark.parametrize(
    "setting",
    [
        "clusters.Jet.search_window=[5, 7]",
        "clusters.Jet.search_window=xox",
        "clusters.Jet.seed_threshold=4",
        "clusters.Jet.seed_threshold=1e-3",
        "clusters.Jet.seed_threshold=4 GeV",
        "clusters.Jet.cell_threshold=2.5 sigma|grids.calo.noise=1",
        "clusters.Jet.max_clusters=null",
        "clusters.Jet.keep_stronger_side=null",
        "clusters.Jet.preset=cms-l1-jet",
        "clusters.Jet.grid=[calo]",
        "clusters.Jet.pileup=[{kind: donut, edge: strip}, chunky_donut]",
        "clusters.Jet.coarsen=[2, 2]",
        "grids.calo.cols={name: phi, bins: 16, start: -pi, stop: pi, periodic: true}",
        "grids.calo.rows={labels: '-12..-1, 1..12'}",
        "grids.calo.unit=0.5 GeV",
        "grids.calo.noise=30 MeV",
        "histograms={}",
        "histograms={h: {axes: [{field: Jet.peak_sum, edges: [0, 1, pi]}]}}",
        "events={schema: nanoaod}",
        "run.chunksize=50_000",
    ],
)
def test_the_schema_takes_what_a_config_may_say(setting):
    content = small(*setting.split("|"))
    parse_config(copy.deepcopy(content))
    assert errors(content) == []


@pytest.mark.parametrize(
    "setting",
    [
        "clusters.Jet.search_window=[2, 3]",
        "clusters.Jet.search_window=[3, 3, 3]",
        "clusters.Jet.search_window=x#o",
        "clusters.Jet.seed_threshold=4 Gev",
        "clusters.Jet.seed_threshold=true",
        "clusters.Jet.tie_rule=firts",
        "clusters.Jet.preset=cms-jet",
        "clusters.Jet.max_clusters=0",
        "clusters.Jet.pileup=[sandwich]",
        "clusters.Jet.pileup=[{kind: donut, deep: 3}]",
        "clusters.Jet.settings={}",
        "clusters.Cal_Jet={grid: calo}",
        "grids.calo.rows={n: 0}",
        "grids.calo.rows={bins: 2, start: 0, stop: tau}",
        "grids.calo.geometry=cms",
        "grids.calo.grid={}",
        "grids.calo.digests=[abc]",
        "output.clusters=[csv]",
        "output.directory=3",
        "run.workers=two",
        "run.plots=1",
        "events={schema: nano}",
        "datasets={}",
    ],
)
def test_the_schema_refuses_what_a_config_must_not_say(setting):
    assert errors(small(setting))


def nodes_with_examples(node, path=""):
    """Yield every part of the schema that has examples or a default, with its path."""
    if isinstance(node, dict):
        if "examples" in node or "default" in node:
            yield pytest.param(node, id=path)
        for key, value in node.items():
            yield from nodes_with_examples(value, f"{path}.{key}" if key not in SHORTENED else path)
    elif isinstance(node, list):
        for value in node:
            yield from nodes_with_examples(value, path)


SHORTENED = ("properties", "additionalProperties", "items", "anyOf")


@pytest.mark.parametrize("node", list(nodes_with_examples(read_schema())))
def test_the_examples_and_the_default_of_a_key_are_valid(node):
    for value in [*node.get("examples", ()), *([node["default"]] if "default" in node else [])]:
        assert jsonschema.Draft7Validator(node).is_valid(value)


def test_editors_are_told_the_names_and_the_meanings_of_options():
    clusters = read_schema()["properties"]["clusters"]["additionalProperties"]["properties"]
    grids = read_schema()["properties"]["grids"]["additionalProperties"]["properties"]
    assert clusters["preset"]["enum"] == list(presets())
    assert grids["geometry"]["enum"] == named_grids()
    for key, options in (("tie_rule", get_args(TieRule)), ("overlap", get_args(Overlap))):
        assert clusters[key]["enum"] == list(options)
        assert len(clusters[key]["enumDescriptions"]) == len(options)
        assert all(clusters[key]["enumDescriptions"])


def test_what_only_the_package_sets_is_not_in_the_schema():
    assert not any(f'"{key}"' in json.dumps(read_schema()) for key in INTERNAL)


def test_the_line_for_editors_is_an_address_of_the_schema():
    line = editor_line()
    assert line.startswith("# yaml-language-server: $schema=file:///")
    assert line.endswith("/schema.json\n")
    assert " " not in line.partition("$schema=")[2]
