"""The command `keys`: readable in 80 columns, helpful about a wrong word, and fast."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hep_peaksum.cli.main import main
from hep_peaksum.config.reference import every_key
from hep_peaksum.config.schema import SECTIONS, editor_line, read_schema


@pytest.fixture
def keys(capsys, monkeypatch, tmp_path):
    """Return the exit status and what the command prints, in an empty folder and 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["keys", *arguments])
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return call


def test_without_a_word_the_sections_are_listed(keys):
    status, out, _ = keys()
    assert status == 0
    listed = [line.split()[0] for line in out.splitlines()[2:] if line.startswith("  ") and line[2] != " "]
    assert listed == list(SECTIONS)


@pytest.mark.parametrize(("columns", "longest"), [(60, 60), (80, 80), (300, 100)])
def test_lines_fit_the_terminal_and_are_no_longer_than_can_be_read(keys, monkeypatch, columns, longest):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = keys("pileup")[1].splitlines()
    assert longest - 15 < max(map(len, lines)) <= longest


def test_a_section_lists_its_keys(keys):
    status, out, _ = keys("clusters")
    assert status == 0
    assert "\n  tie_rule " in out
    assert "\n  max_clusters " in out
    words = " ".join(out.split())
    assert " Required. " in words
    assert " Default: shared. " in words
    assert "Default: ." not in words  # many have none
    assert out.endswith("See also matches.NAME.clusters, output.clusters.\n")


@pytest.mark.parametrize("word", ["overlap", "clusters.Jet.overlap"])
def test_a_key_is_explained_with_its_options(keys, word):
    status, out, _ = keys(word)
    assert status == 0
    assert out.startswith("clusters.NAME.overlap\n")
    assert "  default  shared\n" in out
    assert "  suppress " in out


def test_keys_that_differ_only_in_their_place_are_explained_once(keys):
    _, out, _ = keys("periodic")
    assert out.startswith("grids.NAME.rows.periodic, grids.NAME.cols.periodic, grids.NAME.depth.periodic\n")
    assert out.count("closes on itself") == 1


def test_a_drawing_is_shown_as_it_looks(keys):
    assert "    search_window: |\n      ===\n      =o>\n      >>>\n" in keys("search_window")[1]


@pytest.mark.parametrize("word", sorted({key.path[-1] for key in every_key()}))
def test_every_key_is_explained_in_80_columns(keys, word):
    status, out, _ = keys(word)
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("sede_threshold", " (did you mean 'seed_threshold'?)"),
        ("clusters.Jet.sede_threshold", " (did you mean 'seed_threshold'?)"),
        ("stronger", " (did you mean 'keep_stronger_side'?)"),
        ("zzz", ""),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(keys, word, near):
    status, out, err = keys(word)
    assert (status, out) == (2, "")
    assert f"no key {word!r}{near}; hep-peaksum keys lists the sections" in err


def test_the_schema_is_printed_or_written_to_a_file(keys):
    status, out, _ = keys("--schema")
    assert status == 0
    assert json.loads(out) == read_schema()
    status, out, _ = keys("--schema", "-o", "my.schema.json")
    assert status == 0
    assert json.loads(Path("my.schema.json").read_text()) == read_schema()
    assert out.endswith("# yaml-language-server: $schema=my.schema.json\n")


def test_init_points_editors_to_the_schema(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["init", "-o", "mine.yaml"])
    line, *others = Path("mine.yaml").read_text().splitlines()
    assert line + "\n" == editor_line()
    assert not any("yaml-language-server" in other for other in others)


def test_an_output_without_a_schema_is_wrong_usage(keys):
    status, _, err = keys("overlap", "-o", "x")
    assert status == 2
    assert "add --schema" in err


def test_keys_are_explained_without_loading_anything_heavy():
    code = (
        "import sys\n"
        "from hep_peaksum.cli.main import main\n"
        "try:\n    main(['keys', 'overlap'])\n"
        "finally:\n    print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert not loaded & {"awkward", "coffea", "hist", "numba", "numpy", "pydantic", "uproot"}
