"""ARCHITECTURE.md has every folder and module of the package, and names only files that exist."""

import re

import pytest
from places import ROOT

PACKAGE = ROOT / "hep_peaksum"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TABLE = {
    folder.rstrip("/"): set(re.findall(r"`(\w+)`", modules))
    for folder, modules in re.findall(r"^\| \d+ \| `([\w./]+)` \|.*\|([^|]*)\|$", PAGE, re.MULTILINE)
}
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_the_table_has_every_folder():
    assert sorted(set(TABLE) - {"toy.py"}) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_table_has_every_module_of_a_folder(folder):
    modules = {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}
    assert TABLE[folder] == modules


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/]+\.(?:py|md))`", PAGE))))
def test_every_file_that_the_page_names_exists(path):
    assert any((root / path).is_file() for root in (PACKAGE, ROOT))
