"""The pages of docs: what they show can be used as it stands, and no key is left out."""

import re

import pytest
import yaml
from places import DOCS, EXAMPLES

from hep_peaksum import Axis, Grid, PeakSumSettings
from hep_peaksum.clustering.fields import check_fields
from hep_peaksum.config.sections import RunOptions
from hep_peaksum.geometry.hexagons import Hexagons
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.library.presets import presets, read_preset
from hep_peaksum.settings.pileup import EDGES, Pileup

RULES, RUNNING, PRESETS = (
    (DOCS / page).read_text(encoding="utf-8") for page in ("rules.md", "running.md", "presets.md")
)
BLOCKS = re.findall(r"```yaml\n(.*?)```", RULES, flags=re.DOTALL)
GRID = Grid(
    rows=Axis(name="eta", bins=24, start=-3, stop=3),
    cols=Axis(name="phi", bins=72, start=0, stop="2pi", periodic=True),
)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split(":")[0].split("\n")[-1])
def test_every_yaml_block_of_the_page_is_valid_settings(block):
    content = yaml.safe_load(block)
    fields = content.pop("fields", ["peak_sum"])
    settings = PeakSumSettings(**{"pileup": ["donut"], **content} if "sum_threshold_on" in content else content)
    check_fields(fields, settings, GRID)


@pytest.mark.parametrize("key", sorted(set(PeakSumSettings.model_fields) - {"order", "kernel"}))
def test_every_key_is_on_the_page(key):
    assert re.search(rf"\b{key}\b", RULES)


@pytest.mark.parametrize("kind", EDGES)
def test_the_table_of_estimates_has_the_defaults(kind):
    (line,) = (line for line in RULES.splitlines() if line.startswith(f"| `{kind}`"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    usual = Pileup(kind=kind)
    assert cells[1] == ("" if usual.depth is None else str(usual.depth))
    assert cells[3] == ", ".join(f"`{edge}`" for edge in EDGES[kind])


@pytest.mark.parametrize("key", RunOptions.model_fields)
def test_every_key_of_running_is_in_the_table_with_its_default(key):
    (line,) = (line for line in RUNNING.splitlines() if line.startswith(f"| `{key}`"))
    usual = RunOptions.model_fields[key].default
    assert line.split("|")[2].strip(" `") == ("" if usual is None else str(usual))


def test_the_table_of_presets_has_each_with_what_it_reproduces_and_its_title():
    rows = [line for line in PRESETS.splitlines() if line.startswith("| `")]
    contents = {name: read_preset(name) for name in presets()}
    assert rows == [f"| `{name}` | {each.reproduces} | {each.title} |" for name, each in contents.items()]


def test_the_hexagon_of_the_page_is_that_of_the_preset():
    (block,) = re.findall(r"```yaml\n(.*?)```", PRESETS, flags=re.DOTALL)
    settings = PeakSumSettings(**yaml.safe_load(block))
    assert settings == PeakSumSettings(**read_preset("hexagon-7").settings)


HEXAGONS = (DOCS / "hexagons.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", HEXAGONS, flags=re.DOTALL))
def test_a_grid_of_the_page_of_hexagons_is_valid(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.csv").write_text("channel,row,col,layer\n7,0,-1,3\n")
    (grid,) = yaml.safe_load(block)["grids"].values()
    assert GridInput.model_validate(grid).grid.hexagons


def test_the_table_of_hexagons_has_the_neighbours_of_its_presets():
    rows = re.findall(
        r"^\| (\d+) degrees .*\((q[^)]*)\), \((q[^)]*)\) \| `(.*)` \|$", HEXAGONS, flags=re.MULTILINE
    )
    assert [(angle, name) for angle, _, _, name in rows] == [("60", "hexagon-7"), ("120", "hexagon-7-uv")]
    for angle, *corners, name in rows:
        steps = {tuple(int(part.strip("qr ") or 0) for part in corner.split(",")) for corner in corners}
        neighbours = {(1, 0), (-1, 0), (0, 1), (0, -1), *steps}
        assert set(Hexagons(angle=int(angle)).neighbours) == neighbours
        assert {*PeakSumSettings(**read_preset(name).settings).sum_cells()} == {(0, 0), *neighbours}


def test_the_example_of_hexagons_in_python_runs():
    (block,) = re.findall(r"```python\n(.*?)```", HEXAGONS, flags=re.DOTALL)
    names = {}
    exec(block, names)
    assert (names["q"].tolist(), names["r"].tolist()) == ([0, 1, 0], [0, 0, 2])
    assert names["x"] == pytest.approx([0, 7.2226, 0], abs=1e-3)


SNIPPETS = [path for name in ("snakemake", "law", "readers") for path in sorted((EXAMPLES / name).iterdir())]


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.name)
def test_the_page_of_other_programs_shows_the_examples_as_they_are(path):
    page = (DOCS / "use-it-from.md").read_text(encoding="utf-8")
    assert f"```python\n{path.read_text(encoding='utf-8')}```" in page
