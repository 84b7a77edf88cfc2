"""The pages of the site: their code runs, page by page, and every page is reached and complete."""

import copy
import re

import pytest
import yaml
from click.testing import CliRunner
from places import DOCS, ROOT

from hep_peaksum import toy
from hep_peaksum.cli.main import cli
from hep_peaksum.config.load import load_config
from hep_peaksum.config.reference import HOW_TO

JOB = {
    "datasets": {"toy": {"files": "toy.root:Events"}},
    "grids": {
        "calo": {
            "dense": {"branch": "calo_e"},
            "rows": {"name": "eta", "bins": 24, "start": -3, "stop": 3},
            "cols": {"name": "phi", "bins": 16, "start": "-pi", "stop": "pi", "periodic": True},
            "unit": "1 GeV",
        }
    },
    "clusters": {"Cluster": {"grid": "calo", "seed_threshold": "1 GeV"}},
    "output": {"directory": "results", "plots": False},  # pictures are drawn in test_configs.py
}
FOLDERS = ("get-started", "how-to", "explanation")
PAGES = [*(path for name in FOLDERS for path in sorted((DOCS / name).glob("*.md"))), DOCS / "faq.md"]
BLOCK = re.compile(r"^```(python|yaml|bash)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def merged(into, new):
    """Return a map with the keys of another one put into it, at any depth."""
    for key, value in new.items():
        is_map = isinstance(value, dict) and isinstance(into.get(key), dict)
        into[key] = merged(into[key], value) if is_map else value
    return into


def run_yaml(text, page):
    """Put a piece of a config into that of the page, which must then be valid."""
    merged(page["job"], yaml.safe_load(text))
    page["folder"].joinpath("job.yaml").write_text(yaml.safe_dump(page["job"]), encoding="utf-8")
    load_config("job.yaml")


def run_python(text, page):
    """Run Python, or write the module that its first line names."""
    if module := re.match(r"# (\w+\.py)\n", text):
        page["folder"].joinpath(module[1]).write_text(text, encoding="utf-8")
    else:
        exec(compile(text, str(page["path"]), "exec"), page["names"])


def run_bash(text, page):
    """Run the lines that call the program; the others are for tools of the reader's."""
    for line in text.splitlines():
        if line.startswith("hep-peaksum "):
            arguments = re.sub(r"\s+#.*", "", line).split()[1:]
            done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
            assert not done.return_value, f"{line}\n{done.output}"


RUN = {"python": run_python, "yaml": run_yaml, "bash": run_bash}


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in PAGES if BLOCK.search(p.read_text("utf-8"))], ids=lambda p: p.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "mysite", raising=False)
    toy.write_events("toy.root", toy.make_events(300, seed=1))
    page = {"path": path, "folder": tmp_path, "job": copy.deepcopy(JOB), "names": {}}
    run_yaml("{}", page)
    for language, mark, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        if "notest" not in mark:
            RUN[language](text, page)


EVERY_PAGE = [p for p in sorted(DOCS.rglob("*.md")) if "_build" not in p.parts and "presets" not in p.parts]


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_a_page_has_no_to_do_and_its_links_lead_to_files(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|TBD)\b|coming soon", text)
    for link in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", text):
        target = (path.parent / link).resolve()
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link


def test_a_how_to_is_at_most_a_page():
    pages = {path.name: len(path.read_text("utf-8").splitlines()) for path in (DOCS / "how-to").glob("*.md")}
    assert {name: n for name, n in pages.items() if n > 80} == {}


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert len(text.splitlines()) <= 90
    assert len(re.findall(r"[A-Za-z][\w'-]*", re.sub(r"\]\([^)]*\)", "]", prose))) <= 500


@pytest.mark.slow
def test_the_output_that_the_readme_shows_is_that_of_the_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["demo"], standalone_mode=False, catch_exceptions=False)
    (shown,) = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    printed = {" ".join(line.split()) for line in done.output.splitlines()}
    assert {" ".join(line.split()) for line in shown.splitlines()} - printed - {""} == set()


def test_every_how_to_is_reached_from_the_keys_it_uses_and_leads_back():
    anchors = {section: re.sub(r"[^\w]", "", section.lower()) for section in HOW_TO}
    for section, pages in HOW_TO.items():
        for page in pages:
            text = (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")
            assert f"../keys.md#{anchors[section]})" in text, (section, page)
    reached = {page for pages in HOW_TO.values() for page in pages}
    assert {path.stem for path in (DOCS / "how-to").glob("*.md")} - reached == {"index"}
