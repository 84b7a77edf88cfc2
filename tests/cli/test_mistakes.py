"""Everything a user can get wrong gives one clear line per problem and an exit status."""

import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from cli_output import complaints

from hep_peaksum.results.atomic_write import seal


def unknown_key(content, write):
    content["clusters"]["Jet"]["seed_treshold"] = content["clusters"]["Jet"].pop("seed_threshold")
    return 2, ["clusters.Jet.seed_treshold: unknown key (did you mean 'seed_threshold'?)"]


def unknown_section(content, write):
    content["cluster"] = content.pop("clusters")
    remedy = "`hep-peaksum keys clusters` explains it"
    return 2, [
        f"clusters: missing, the config needs it: {remedy}",
        "cluster: unknown key (did you mean 'clusters'?)",
    ]


def missing_branch(content, write):
    content["grids"]["calo"]["dense"]["branch"] = "cels"
    return 1, ["{file}: no branch 'cels' (did you mean 'cells'?); there are run, luminosityBlock, event, cells"]


def missing_tree(content, write):
    content["datasets"]["toy"]["files"] = dict.fromkeys(content["datasets"]["toy"]["files"], "Evnts")
    return 1, ["{file}: no tree 'Evnts' (did you mean 'Events'?); there are Events"]


def missing_friend(content, write):
    content["events"]["keep"] = ["ev:nPV"]
    return 2, ["events.keep: 'ev:nPV': no friend 'ev': name its tree in the section friends"]


def wrong_shape(content, write):
    content["grids"]["calo"]["dense"]["shape"] = [8, 6]
    content["grids"]["calo"]["rows"]["bins"] = 8
    content["grids"]["calo"]["cols"]["bins"] = 6
    return 1, ["{file}: cells: the array has (6, 8) cells an event, the grid needs (8, 6) (row, col)"]


def shape_against_axes(content, write):
    content["grids"]["calo"]["dense"]["shape"] = [8, 6]
    return 2, ["grids.calo: shape [8, 6] does not fit the axes ['row', 'col'] of a grid of (6, 8) cells"]


def ragged_rows(content, write):
    lists = ak.values_astype(ak.Array([[1] * 48] * 5 + [[1] * 47] + [[1] * 48]), "f4")
    content["datasets"]["toy"]["files"] = {write("bad.root", 7, cells=lists): "Events"}
    return 1, ["{file}: entry 5: cells: 47 values where the grid needs 48"]


def _strange(value, content, write):
    cells = np.zeros((9, 6, 8), "f4")
    cells[7, 1, 2] = value
    content["datasets"]["toy"]["files"] = {write("bad.root", 9, cells=cells): "Events"}
    content["run"] = {"chunksize": 5}
    return 1, [
        f"{{file}}: entry 7: clusters.Jet: cell (row 1, col 2) is {value}: mask it, or set nonfinite to 'mask'"
    ]


def not_a_number(content, write):
    return _strange(np.nan, content, write)


def infinity(content, write):
    return _strange(np.inf, content, write)


def window_longer_than_the_circle(content, write):
    content["clusters"]["Jet"]["search_window"] = [3, 9]
    content["clusters"]["Jet"]["sum_window"] = [3, 5]
    output = (
        "clusters.Jet: search_window is longer than the periodic axis phi (8 cells) and would meet a cell twice"
    )
    return 2, [f"{output}: make the window shorter, or the axis not periodic"]


def four_vector_without_positions(content, write):
    content["grids"]["calo"]["rows"] = {"name": "eta", "n": 6}
    content["clusters"]["Jet"]["fields"] = ["peak_sum", "pt"]
    output = "clusters.Jet.fields: field 'pt' needs positions on an axis named eta"
    return 2, [f"{output}: add name and edges, or bins, start and stop, to rows or cols"]


def missing_file(content, write):
    content["datasets"]["toy"]["files"] = {"gone.root": "Events"}
    return 2, ["datasets.toy.files: there is no file 'gone.root' (seen from {here})"]


def empty_glob(content, write):
    content["datasets"]["toy"]["files"] = {"gone/*.root": "Events"}
    why = "the folder 'gone' cannot be read (No such file or directory)"
    return 2, [f"datasets.toy.files: no file matches 'gone/*.root' (seen from {{here}}): {why}"]


def no_root_file(content, write):
    Path("bad.root").write_text("this is not a ROOT file" * 50)
    content["datasets"]["toy"]["files"] = {"bad.root": "Events"}
    return 1, ["bad.root: cannot be read as a ROOT file"]


def empty_file(content, write):
    Path("bad.root").touch()
    content["datasets"]["toy"]["files"] = {"bad.root": "Events"}
    return 1, ["bad.root: cannot be read as a ROOT file"]


def _cut(part, content, write):
    whole = Path(write("large.root", 2000)).read_bytes()
    Path("bad.root").write_bytes(whole[: int(len(whole) * part)])
    content["datasets"]["toy"]["files"] = {"bad.root": "Events"}
    return 1, ["bad.root: "]


def truncated_to_a_half(content, write):
    return _cut(0.5, content, write)


def truncated_to_a_thousandth(content, write):
    return _cut(0.001, content, write)


def directory_of_another_config(content, write):
    output = Path(content["output"]["directory"])
    output.mkdir()
    (output / "manifest.json").write_bytes(seal(b'{"fingerprint": "other", "job": {}, "datasets": {}}'))
    (output / "toy/_chunks").mkdir(parents=True)
    (output / "toy/_chunks/part-000001-000000000000-000000000005.json").touch()
    return 2, ["output.directory: {output} holds the results of another config ("]


def unwritable_directory(content, write):
    Path("file").touch()
    content["output"]["directory"] = "file/results"
    return 2, ["output.directory: file/results cannot be written (Not a directory)"]


BAD = [
    unknown_key,
    unknown_section,
    missing_branch,
    missing_tree,
    missing_friend,
    wrong_shape,
    shape_against_axes,
    ragged_rows,
    not_a_number,
    infinity,
    window_longer_than_the_circle,
    four_vector_without_positions,
    missing_file,
    empty_glob,
    no_root_file,
    empty_file,
    truncated_to_a_half,
    truncated_to_a_thousandth,
    directory_of_another_config,
    unwritable_directory,
]


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_mistake_is_one_clear_line_and_an_exit_status(cli, write_events, job, write_config, spoil):
    content = job(write_events("a.root", 5))
    status, expected = spoil(content, write_events)
    places = {
        "file": next(iter(content["datasets"]["toy"]["files"])),
        "here": Path.cwd(),
        "output": content["output"]["directory"],
    }
    found = cli("run", write_config(content))
    assert found[0] == status
    output = complaints(found[2])
    assert len(output) == len(expected)
    for line, words in zip(sorted(output), sorted(expected), strict=True):
        assert line.startswith(words.format(**places))


def test_a_truncated_file_is_reported_without_uproot_internals(cli, write_events, job, write_config):
    content = job(write_events("a.root", 5))
    _cut(0.5, content, write_events)
    _, _, err = cli("run", write_config(content))
    assert "FSSpecSource" not in err
    assert "cannot be read as a ROOT file" in err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("clusters: [", "job.yaml:1: not YAML: ", id="not_yaml"),
        pytest.param("", "job.yaml: a config is a map of sections, this file holds nothing", id="empty"),
        pytest.param("a: 1\na: 2\n", "the key 'a' occurs twice", id="key_twice"),
    ],
)
def test_a_file_that_is_not_a_config_is_one_line(cli, write_config, text, problem):
    status, _, err = cli("run", write_config(text))
    assert status == 2
    assert len(complaints(err)) == 1
    assert problem in err


def test_a_missing_config_is_one_line(cli):
    status, _, err = cli("run", "gone.yaml")
    assert status == 2
    assert complaints(err) == ["gone.yaml: cannot be read (No such file or directory)"]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("clusters.Jet.seed_threshold", "write key.path=value"),
        ("clusters.Jet.grid.0.x=1", "the config has no place 'clusters.Jet.grid.0.x'"),
        ("run.chunksize=[", "the value is not YAML"),
        ("run.chunksise=4", "run.chunksise: unknown key (did you mean 'chunksize'?)"),
    ],
)
def test_a_wrong_override_is_one_line(cli, good, setting, problem):
    status, _, err = cli("run", good, "--set", setting)
    assert status == 2
    assert len(complaints(err)) == 1
    assert problem in err


@pytest.mark.parametrize("arguments", [["run"], ["rnu"], ["run", "--fast"], ["demo", "--events", "0"]])
def test_wrong_usage_shows_how_and_exits_with_2(cli, arguments):
    status, _, err = cli(*arguments)
    assert status == 2
    assert "Error: " in err


def test_an_option_that_is_another_word_for_a_key_names_the_key(cli, good):
    status, _, err = cli("run", good, "--threshold", "4")
    assert status == 2
    assert "No such option" in err
    assert ". It is a key of the config: --set clusters.NAME.seed_threshold=..." in err


def test_entries_are_counted_from_zero(cli, good):
    status, _, err = cli("show", good, "--entry", "-1")
    assert status == 2
    assert "Invalid value for '--entry': -1 is not in the range x>=0" in err


SCHEMAS = {
    "no_module": ("mymod:Schema", "cannot be imported (ModuleNotFoundError: No module named 'mymod'): put its"),
    "no_class": (
        "os:Nope",
        "cannot be imported (AttributeError: module 'os' has no attribute 'Nope'): write os:NAME",
    ),
    "no_schema": ("os:path", "is not a class derived from coffea.nanoevents.BaseSchema"),
}


@pytest.mark.parametrize("command", ["run", "check", "show", "ties"])
@pytest.mark.parametrize(("name", "problem"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_is_none_is_one_line(cli, write_events, job, write_config, command, name, problem):
    content = job(write_events("a.root", 5))
    content["events"]["schema"] = name
    file = write_config(content)
    options = ["-o", "event.png"] if command == "show" else []
    status, _, err = cli(command, file, *options)
    assert status == 2
    (line,) = complaints(err)
    assert line.startswith(f"events.schema: '{name}' {problem}")
    assert f"error: {file}:" in err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")
def test_a_limit_below_what_the_program_takes_is_one_line(cli, monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda _: (600_000_000, -1))
    status, out, err = cli("presets")
    told = (
        "error: too little memory: ulimit -v allows 600 MB, and the program alone needs 1000: raise the limit"
    )
    assert (status, out, err.startswith(told), err.count("\n")) == (1, "", True, 1)
    assert cli("--version")[0] == 0


def test_memory_that_is_not_there_is_one_line(cli, monkeypatch):
    def allocate(*_):
        raise MemoryError

    monkeypatch.setattr("hep_peaksum.library.presets.presets", allocate)
    assert cli("presets") == (1, "", "error: MemoryError\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a working directory cannot be removed")
def test_a_working_directory_that_was_removed_is_told_as_such(cli, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    told = "error: the working directory was removed: cd into one that is there, then give the command again\n"
    assert cli("info") == (1, "", told)
