"""The file as YAML: nothing is lost silently; and the overrides of the command line."""

import pytest
import yaml
from small_config import FULL, SMALL, in_plain_words, problems, refused, small, write

from hep_peaksum.config.load import load_config
from hep_peaksum.config.yaml_io import ConfigError, override, read_yaml


def test_a_missing_file_is_an_error(tmp_path):
    assert refused(tmp_path / "no.yaml") == [
        f"{tmp_path / 'no.yaml'}: cannot be read (No such file or directory)"
    ]


def test_a_folder_is_not_a_file(tmp_path):
    assert refused(tmp_path) == [f"{tmp_path}: cannot be read (Is a directory)"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("datasets: [1", "not YAML", id="a_bracket_left_open"),
        pytest.param("a: b: c", "not YAML", id="two_colons"),
        pytest.param("\tdatasets: 1", "not YAML", id="a_tab"),
        pytest.param("{[1]: 2}", "not YAML", id="a_list_as_a_key"),
        pytest.param("a: *nowhere", "not YAML", id="an_unknown_anchor"),
        pytest.param("a: 1\n---\nb: 2", "not YAML", id="two_documents"),
        pytest.param("", "a config is a map of sections, this file holds nothing", id="nothing"),
        pytest.param("- a\n- b", "a config is a map of sections, this file holds a list", id="a_list"),
        pytest.param("results", "a config is a map of sections, this file holds text", id="a_word"),
        pytest.param("a: !!python/object:os.system x", "not YAML", id="a_python_object"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "not YAML", id="a_python_call"),
        pytest.param("a: !!python/name:os.system", "not YAML", id="a_python_name"),
        pytest.param("a: !include b.yaml", "not YAML", id="an_unknown_tag"),
        pytest.param("a: 2020-13-45", "not YAML", id="a_date_that_is_none"),
    ],
)
def test_a_file_that_is_not_a_config_is_an_error(tmp_path, text, words):
    path = write(tmp_path / "bad.yaml", text)
    (problem,) = refused(path)
    assert problem.startswith(f"{path}: {words}")


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    path = tmp_path / "root.yaml"
    path.write_bytes(b"root\x00\xff\xfe\x80")
    (problem,) = refused(path)
    assert problem.startswith(f"{path}: not YAML")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("run: {workers: 1}\nrun: {workers: 2}\n", id="sections"),
        pytest.param("run: {workers: 1, workers: 2}\n", id="in_one_line"),
        pytest.param("run:\n  workers: 1\n  workers: 2\n", id="in_a_section"),
        pytest.param("a: [{run: 1}, {workers: 1, workers: 1}]\n", id="in_a_list"),
    ],
)
def test_a_key_that_occurs_twice_is_refused(tmp_path, text):
    (problem,) = refused(write(tmp_path / "twice.yaml", text))
    assert "occurs twice" in problem
    assert "'run'" in problem or "'workers'" in problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("-2.5E+2", -250.0),
        (".5e1", 5.0),
        ("1.e2", 100.0),
        ("100_000", 100_000),
        ("12", 12),
        ("e3", "e3"),
        ("1e", "1e"),
        ("4 GeV", "4 GeV"),
        ("y", "y"),
        ("1e3x", "1e3x"),
        ("'1e3'", "1e3"),
    ],
)
def test_numbers_may_be_written_as_physicists_write_them(tmp_path, text, value):
    read = read_yaml(write(tmp_path / "number.yaml", f"a: {text}"))["a"]
    assert (read, type(read)) == (value, type(value))


def test_anchors_and_merges_work(tmp_path):
    text = yaml.safe_dump(SMALL).replace("output:", "run: &r {workers: 2}\noutput:")
    assert load_config(write(tmp_path / "a.yaml", text)).run.workers == 2
    merged = read_yaml(write(tmp_path / "b.yaml", "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n"))
    assert merged["b"] == {"x": 1, "y": 3}


def test_reading_a_config_leaves_yaml_as_it_is(tmp_path):
    load_config(write(tmp_path / "full.yaml", FULL))
    assert yaml.safe_load("{a: 1e-3, b: 1, b: 2}") == {"a": "1e-3", "b": 2}


# ---------------------------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        pytest.param("run.workers=4", ("run", "workers"), 4, id="a_new_section"),
        pytest.param("output.directory=a=b", ("output", "directory"), "a=b", id="an_equals_sign_in_the_value"),
        pytest.param(
            "clusters.Jet.seed_threshold=1e-3", ("clusters", "Jet", "seed_threshold"), 0.001, id="number"
        ),
        pytest.param(
            "clusters.Jet.seed_threshold=4 GeV", ("clusters", "Jet", "seed_threshold"), "4 GeV", id="text"
        ),
        pytest.param("clusters.Jet={grid: calo}", ("clusters", "Jet"), {"grid": "calo"}, id="a_map"),
        pytest.param("clusters.Tau.grid=[calo]", ("clusters", "Tau", "grid"), ["calo"], id="a_list"),
        pytest.param(
            "grids.calo.dense.shape.0=12", ("grids", "calo", "dense", "shape"), [12, 16], id="by_index"
        ),
        pytest.param("output.plots=", ("output", "plots"), None, id="nothing"),
    ],
)
def test_a_key_can_be_overridden(setting, path, value):
    found = small(setting)
    for key in path:
        found = found[key]
    assert found == value


def test_keys_in_lists_of_maps_can_be_overridden():
    content = override({"axes": [{"bins": 1}, {"bins": 2}]}, ["axes.1.bins=5", "axes.0.stop=2pi"])
    assert content == {"axes": [{"bins": 1, "stop": "2pi"}, {"bins": 5}]}


def test_the_last_override_counts():
    assert small("run.workers=4", "run.workers=5")["run"] == {"workers": 5}


def test_overrides_are_applied_before_anything_is_checked(tmp_path):
    path = write(tmp_path / "bad.yaml", yaml.safe_dump({**SMALL, "run": {"workers": 0}}))
    assert load_config(path, ["run.workers=2"]).run.workers == 2
    (problem,) = refused(path, "run.workers=-1")
    assert problem.startswith("run.workers: -1 ")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        pytest.param("run.workers", "write key.path=value", id="no_value"),
        pytest.param("=3", "write key.path=value", id="no_key"),
        pytest.param("output.directory.x=3", "has no place 'output.directory.x'", id="inside_a_word"),
        pytest.param("grids.calo.dense.shape.5=3", "the config has no place", id="beyond_a_list"),
        pytest.param("grids.calo.dense.shape.rows=3", "the config has no place", id="a_word_into_a_list"),
        pytest.param("run.workers=[1", "the value is not YAML", id="a_bracket_left_open"),
        pytest.param("run.workers=!!python/object:os.system x", "the value is not YAML", id="a_python_object"),
        pytest.param("run={workers: 1, workers: 2}", "occurs twice", id="a_key_twice"),
        pytest.param("run.since=2020-13-45", "the value is not YAML", id="a_date_that_is_none"),
    ],
)
def test_an_override_that_cannot_be_applied_is_refused(setting, words):
    with pytest.raises(ConfigError) as caught:
        small(setting)
    (problem,) = in_plain_words(caught)
    assert words in problem
    assert setting.partition("=")[0] in problem


def test_an_override_with_an_unknown_key_is_refused_as_in_the_file():
    assert problems(small("clusters.Jet.seed_treshold=3")) == [
        "clusters.Jet.seed_treshold: unknown key (did you mean 'seed_threshold'?)"
    ]


@pytest.mark.parametrize(("depth", "is_allowed"), [(98, True), (101, False)])
def test_values_may_be_nested_a_hundred_levels_deep(tmp_path, depth, is_allowed):
    path = tmp_path / "job.yaml"
    path.write_text(f"output: {{}}\ndatasets: {'[' * depth}{']' * depth}\n")
    if is_allowed:
        assert read_yaml(path)["output"] == {}
    else:
        with pytest.raises(ConfigError, match=r"job\.yaml: line 2 is nested more than 100 levels deep$"):
            read_yaml(path)
