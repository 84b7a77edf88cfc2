"""The file as YAML: nothing is lost silently; and the overrides of the command line."""

import pickle
import re

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
    what = "a folder, where a YAML file is expected: name the file in it"
    assert refused(tmp_path) == [f"{tmp_path}: {what} (it has none)"]
    write(tmp_path / "job.yaml", "")
    assert refused(tmp_path) == [f"{tmp_path}: {what} ({tmp_path / 'job.yaml'})"]


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
    ],
)
def test_a_file_that_is_not_a_config_is_an_error(tmp_path, text, words):
    path = write(tmp_path / "bad.yaml", text)
    (problem,) = refused(path)
    assert re.match(rf"{re.escape(str(path))}(:\d+)?: {words}", problem)


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    path = tmp_path / "root.yaml"
    path.write_bytes(b"datasets: 1\n# r\xe9sum\n")  # as Latin 1
    what = "not YAML: byte 0xe9 is not text in UTF-8: save it as UTF-8"
    assert refused(path) == [f"{path}:2: {what}"]


def test_a_root_file_is_not_a_config(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"root\x00\xff\xfe\x80")
    look = f"look into it with `hep-peaksum inspect {path}` or `hep-peaksum show {path}`"
    what = "a ROOT file, where the YAML file of a config is expected"
    assert refused(path) == [f"{path}: {what}: {look}"]


def test_dates_are_text(tmp_path):
    path = write(tmp_path / "dates.yaml", "{taken: 2018-05-01, none: 2020-13-45}")
    assert read_yaml(path) == {"taken": "2018-05-01", "none": "2020-13-45"}


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
        pytest.param("clusters.Jet.grid=[calo]", ("clusters", "Jet", "grid"), ["calo"], id="a_list"),
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


def test_names_with_dots_can_be_overridden():
    content = {"datasets": {"ttbar-2018.v1": {"files": "a.root"}, "ttbar-2018": {}}}
    changed = override(content, ["datasets.ttbar-2018.v1.files=b.root"])
    assert changed == {"datasets": {"ttbar-2018.v1": {"files": "b.root"}, "ttbar-2018": {}}}


def test_an_override_changes_one_of_two_maps_that_an_alias_made_one(tmp_path):
    path = write(tmp_path / "a.yaml", "clusters: {Jet: &jet {w0: 1}, Tau: *jet}")
    assert read_yaml(path, ["clusters.Tau.w0=2"]) == {"clusters": {"Jet": {"w0": 1}, "Tau": {"w0": 2}}}


def test_an_override_leaves_the_content_alone():
    content = {"run": {"workers": 1}}
    assert override(content, ["run.workers=2"]) == {"run": {"workers": 2}}
    assert content == {"run": {"workers": 1}}


@pytest.mark.parametrize("section", ["datasets", "grids", "clusters", "histograms"])
def test_an_override_creates_no_entry_by_mistake(section):
    content = {section: {"Jet": {}}}
    with pytest.raises(ConfigError) as caught:
        override(content, [f"{section}.Jett.x=1"])
    near = f"{section} has no 'Jett' (did you mean 'Jet'?); there are Jet"
    remedy = f"to add one, write {section}.Jett={{...}}"
    assert in_plain_words(caught) == [f"--set '{section}.Jett.x=1': {near}; {remedy}"]
    assert override(content, [f"{section}.Jett={{x: 1}}"])[section]["Jett"] == {"x": 1}


def test_an_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(ConfigError(["a: b", "c: d"])))
    assert error.problems == ("a: b", "c: d")


def test_the_last_override_counts():
    assert small("run.workers=4", "run.workers=5")["run"] == {"workers": 5}


def test_overrides_are_applied_before_anything_is_checked(tmp_path):
    path = write(tmp_path / "bad.yaml", yaml.safe_dump({**SMALL, "run": {"workers": 0}}))
    assert load_config(path, ["run.workers=2"]).run.workers == 2
    (problem,) = refused(path, "run.workers=-1")
    assert problem.startswith("--set run.workers=-1: run.workers: -1 ")


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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("017", "017 is octal in YAML 1.1 and decimal in YAML 1.2, and would be 15 here"),
        ("-0_17", "-0_17 is octal in YAML 1.1 and decimal in YAML 1.2, and would be -15 here"),
        ("0b11", "0b11 is binary in YAML 1.1 and text in YAML 1.2, and would be 3 here"),
        ("1:30", "1:30 is a number of base 60 in YAML 1.1 and text in YAML 1.2, and would be 90 here"),
        ("1:30.5", "1:30.5 is a number of base 60 in YAML 1.1 and text in YAML 1.2, and would be 90.5 here"),
        ("08", "08 is text in YAML 1.1 and a number in YAML 1.2, and would be '08' here"),
        ("0o17", "0o17 is text in YAML 1.1 and a number in YAML 1.2, and would be '0o17' here"),
    ],
)
@pytest.mark.parametrize("line", ["b: {}", "b: [1, {}]", "{}: b"])
def test_what_versions_of_yaml_read_differently_is_refused(tmp_path, text, problem, line):
    path = tmp_path / "job.yaml"
    path.write_text(f"a: 1\n{line.format(text)}\n")
    with pytest.raises(ConfigError) as error:
        read_yaml(path)
    expected = f"{problem}: write the number in decimal, or text in quotes"
    assert error.value.problems == (f"{path}:2: {expected}",)
    with pytest.raises(ConfigError, match=f"--set 'a={text}': {text} is "):
        override({}, [f"a={text}"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("00", 0), ("-0", 0), ("0.5", 0.5), ("01.5", 1.5), ("0e3", 0.0), ("100_000", 100_000),
        ("0x1F", 31), ("10", 10), ("'017'", "017"), ("'1:30'", "1:30"), ("a:08", "a:08"), ("08a", "08a"),
        ("1..28", "1..28"), ("1:99", "1:99"), ("0.08", 0.08),
    ],
)  # fmt: skip
def test_what_every_version_of_yaml_reads_alike_is_accepted(text, value):
    assert override({}, [f"a={text}"]) == {"a": value}


@pytest.mark.parametrize(("depth", "is_allowed"), [(98, True), (101, False)])
def test_values_may_be_nested_a_hundred_levels_deep(tmp_path, depth, is_allowed):
    path = tmp_path / "job.yaml"
    path.write_text(f"output: {{}}\ndatasets: {'[' * depth}{']' * depth}\n")
    if is_allowed:
        assert read_yaml(path)["output"] == {}
    else:
        with pytest.raises(ConfigError, match=r"job\.yaml:2: nested more than 100 levels deep"):
            read_yaml(path)


def test_commas_in_a_number_of_millions_are_the_end_of_a_value(tmp_path):
    (tmp_path / "job.yaml").write_text("run: {chunksize: 1,000,000}\n")
    with pytest.raises(ConfigError, match=r"write a number without commas, as in 1_000_000$"):
        read_yaml(tmp_path / "job.yaml")
