"""The examples and the code blocks of README.md run as they are."""

import os
import re
import subprocess
import sys

import pytest
from places import EXAMPLES as FOLDER
from places import ROOT

# those with Keras are run in tests/keras_layer, where Keras is installed
EXAMPLES = [p for p in sorted(FOLDER.glob("*.py")) if not p.stem.startswith("keras_")]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_in_an_empty_folder(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
def test_the_original_question_saves_its_picture_and_counts_ties(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "original_question.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "original_question.png").read_bytes().startswith(b"\x89PNG")
    every, once = map(int, re.match(r"(\d+) local maxima, (\d+) if", done.stdout).groups())
    assert every > once > 0


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
)
def test_the_python_of_the_readme_runs(block):
    exec(compile(block, "README.md", "exec"), {})


def test_the_yaml_of_the_readme_is_a_config(tmp_path):
    from hep_peaksum.config.load import load_config

    job = re.search(r"```yaml\n(datasets:.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "job.yaml").write_text(job)
    assert list(load_config(tmp_path / "job.yaml").clusters) == ["Cluster"]


def test_the_readme_has_two_commands_and_no_path_of_this_machine():
    text = (ROOT / "README.md").read_text()
    assert len(re.findall(r"^python -m pip install .*$", text, re.MULTILINE)) == 2
    assert os.fspath(ROOT.parent) not in text


def test_the_snippets_about_coffea_are_parts_of_the_example():
    page = (ROOT / "docs" / "use-it-from.md").read_text()
    section = re.search(r"^## coffea$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)[1]
    snippets = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    example = _without_indents((FOLDER / "coffea_processor.py").read_text())
    assert snippets
    assert [snippet for snippet in snippets if _without_indents(snippet) not in example] == []


def _without_indents(text):
    return "\n".join(line.strip() for line in text.splitlines())
