"""One table of output formats and file names: a new format is one row and one function that writes it."""

import ast
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import hep_peaksum
from hep_peaksum.config import formats
from hep_peaksum.config.formats import FORMATS, Format
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.sections import Output
from hep_peaksum.events.section import is_in_range
from hep_peaksum.job.run import run

FOLDER = Path(hep_peaksum.__file__).parent
NAMES = {
    *(each.file for each in FORMATS.values()),
    *(formats.MANIFEST, formats.SUMMARY, formats.HISTOGRAMS, formats.LOCK, formats.RECORDS),
    formats.TEMPORARY,
}


def write_counts(parts, path):
    """Write a new format."""
    path.write_text(f"{len(parts)} parts")


@pytest.fixture
def new_format(monkeypatch):
    monkeypatch.setitem(FORMATS, "counts", Format("clusters.txt", f"{write_counts.__module__}:write_counts"))
    # the function stands in a test, which nothing imports by its name
    monkeypatch.setattr("hep_peaksum.job.run.resolve_name", lambda _: write_counts)


def run_with(content, *words):
    config = parse_config(content)
    object.__setattr__(config.output, "clusters", words)  # a word that the table of the import did not have
    return run(config)


def test_the_words_of_the_config_are_the_rows_of_the_table():
    assert get_args(formats.ClusterFormat) == tuple(FORMATS)
    assert Output(directory="results", clusters=tuple(FORMATS)).clusters == tuple(FORMATS)


@pytest.mark.usefixtures("new_format")
def test_a_new_format_is_written_and_removed_like_the_others(write_events, job):
    content = job(write_events("a.root", 13), run={"chunksize": 5})
    result = run_with(content, "counts", "ttree")
    file = result.directory / "toy/clusters.txt"
    assert file.read_text() == "3 parts"
    run_with(content, "parquet")
    assert not file.exists()
    assert not (result.directory / "toy/clusters.root").exists()


@pytest.mark.usefixtures("new_format")
def test_starting_over_removes_every_format(write_events, job, monkeypatch):
    content = job(write_events("a.root", 13))
    folder = run_with(content, *FORMATS).directory / "toy"
    assert {each.file for each in FORMATS.values()} <= {path.name for path in folder.iterdir()}
    (folder / "mine.txt").touch()
    other = parse_config({**content, "clusters": {"Jet": {"grid": "calo", "seed_threshold": 6}}})
    monkeypatch.setattr("hep_peaksum.job.run.plan_job", lambda *_, **__: pytest.fail("removed by now"))
    with pytest.raises(pytest.fail.Exception, match="removed by now"):
        run(other, restart=True)
    assert {path.name for path in folder.iterdir()} == {"mine.txt"}


def test_no_other_module_spells_the_name_of_a_file():
    """In strings: docstrings may name what they describe."""
    for path in FOLDER.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        strings = [str(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs]
        spelled = {n for n in NAMES for text in strings if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text)}
        assert not spelled or path == Path(formats.__file__), f"{path} spells {spelled}"


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("event", np.float64(2.0**64), False),
        ("event", np.float64(2.0**63), True),
        ("event", np.uint64(2**64 - 1), True),
        ("event", np.int64(-1), False),
        ("run", np.float32(2.0**32), False),
        ("run", np.float64(2**32 - 1), True),
        ("run", np.float64(np.nan), False),
        ("run", np.float64(-1), False),
        ("run", np.bool_(True), True),
    ],
)
def test_what_a_cast_would_hide_is_out_of_range(name, number, expected):
    """On ARM the cast of 2.0**64 saturates, and equals what it was cast from: the cast cannot be asked."""
    assert is_in_range(name, np.array([number])).tolist() == [expected]


@pytest.mark.parametrize(
    ("given", "formats"),
    [
        ("root", ("ttree",)),
        ("parquet", ("parquet",)),
        (["parquet", "root"], ("parquet", "ttree")),
        (["rntuple", "ttree"], ("rntuple", "ttree")),
    ],
    ids=str,
)
def test_one_format_may_stand_alone_and_root_is_a_ttree(given, formats):
    assert Output(directory="results", clusters=given).clusters == formats


@pytest.mark.parametrize(
    ("given", "formats"),
    [(True, ("png",)), (False, ()), ("pdf", ("pdf",)), (["png", "pdf"], ("png", "pdf"))],
    ids=str,
)
def test_pictures_are_png_unless_it_is_said_otherwise(given, formats):
    assert Output(directory="results", plots=given).plots == formats
