"""What is released: one version, one list of dependencies, a workflow that publishes only what was tested."""

import re

import pytest
import yaml
from packaging.requirements import Requirement
from places import ROOT

import hep_peaksum

tomllib = pytest.importorskip("tomllib", reason="tomllib is of Python 3.11")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"xxhash": "python-xxhash"}  # where conda-forge has another one


@pytest.fixture
def recipe():
    """Return the recipe with its two variables filled in."""
    text = (ROOT / "recipe/meta.yaml").read_text(encoding="utf-8")
    variables = dict(re.findall(r'{% set (\w+) = "(.+)" %}', text))
    text = re.sub(r"{%.*%}", "", text).replace("{{ name[0] }}", variables["name"][0])
    return yaml.safe_load(re.sub(r"{{ (\w+) }}", lambda match: variables.get(match[1], match[1]), text))


def ranges(requirements):
    """Return the versions that each package must have."""
    return {each.name: str(each.specifier) for each in map(Requirement, requirements)}


def test_every_place_has_the_same_version(recipe):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    places = recipe["package"]["version"], citation["version"], changelog[1], hep_peaksum.__version__
    assert {*places} == {PROJECT["version"]}
    assert f"/hep_peaksum-{PROJECT['version']}.tar.gz" in recipe["source"]["url"]


def test_the_recipe_has_the_dependencies_of_the_package(recipe):
    wanted = ranges(PROJECT["dependencies"]) | {"python": PROJECT["requires-python"]}
    wanted = {CONDA_NAMES.get(name, name): versions for name, versions in wanted.items()}
    assert ranges(recipe["requirements"]["run"]) == wanted
    assert recipe["requirements"]["host"][-1] == "hatchling >=1.27"


def test_the_recipe_says_what_the_package_says(recipe):
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["about"]["summary"] == PROJECT["description"]
    (script,) = PROJECT["scripts"].items()
    assert recipe["build"]["entry_points"] == [" = ".join(script)]


def test_the_extra_test_is_the_group_test():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert groups["test"] == PROJECT["optional-dependencies"]["test"]


def test_only_a_tag_is_published_after_the_checks_and_without_a_token():
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert workflow["permissions"] == {"contents": "read"}
    assert publish["needs"] == "build"
    assert publish["if"] == "github.ref_type == 'tag'"
    assert publish["permissions"] == {"id-token": "write"}
    assert "secrets." not in text
    assert "nox -s package" in [step.get("run") for step in build["steps"]]


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_actions_are_pinned_by_their_commit(path):
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
