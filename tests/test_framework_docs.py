"""The snippets of docs/use-it-from.md for frameworks stand in the examples that tests run there."""

import re

import pytest
from places import DOCS, EXAMPLES

FOLDERS = {
    "RDataFrame": "rdataframe",
    "PocketCoffea": "pocket_coffea",
    "FAST-HEP": "fast_hep",
    "columnflow": "columnflow",
}
PAGE = (DOCS / "use-it-from.md").read_text(encoding="utf-8")


def lines_of(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def snippets(framework):
    (section,) = re.findall(rf"^## {framework}\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [lines_of(block) for block in re.findall(r"```\w+\n(.*?)```", section, flags=re.DOTALL)]


@pytest.mark.parametrize("framework", FOLDERS)
def test_every_snippet_stands_in_an_example(framework):
    files = [lines_of(path.read_text(encoding="utf-8")) for path in (EXAMPLES / FOLDERS[framework]).glob("*.*")]
    for snippet in snippets(framework):
        n = len(snippet)
        assert any(snippet == lines[i : i + n] for lines in files for i in range(len(lines))), snippet


@pytest.mark.parametrize("framework", FOLDERS)
def test_the_snippets_of_a_framework_are_short(framework):
    assert 0 < sum(map(len, snippets(framework))) <= 20
