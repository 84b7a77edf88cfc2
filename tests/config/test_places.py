"""Where a problem is: the file and the line of its key, or the override that set it."""

import pytest
import yaml
from small_config import refused, small, write

from hep_peaksum.config.load import load_config, read_config
from hep_peaksum.config.yaml_io import ConfigError, Source

# The numbers of the lines stand in the comments.
JOB = """\
# a config
datasets:                         # 2
  data-2018.v1:                   # 3
    files: {a.root: Events}       # 4
grids:                            # 5
  calo:                           # 6
    dense: {branch: e,            # 7
            shape: [24, 16]}      # 8
clusters:                         # 9
  Jet: &jet                       # 10
    grid: calo                    # 11
    search_window: |              # 12
      xxx
      xox
      xxx
  Tau: {<<: *jet, w0: 3}          # 16
histograms:                       # 17
  h:                              # 18
    axes:                         # 19
      - {field: Jet.row, bins: 4, start: 0, stop: 4}  # 20
      - field: Jet.col            # 21
        edges: [0, 1]             # 22
output: {directory: results}      # 23
"""

WRONG = {
    "a_key": ("    grid: calo ", "    grdi: calo ", {11: "clusters.Jet.grdi", 10: "clusters.Jet.grid"}),
    "a_section": ("output:", "outputs:", {23: "outputs", 2: "output"}),
    "a_missing_key": ("files: {a.root: Events}", "metadata: {}", {3: "datasets.data-2018.v1.files"}),
    "a_value": ("branch: e", "branch: [e]", {7: "grids.calo.dense.branch"}),
    "an_entry_of_a_list": ("shape: [24, 16]", "shape: [24, 1.5]", {8: "grids.calo.dense.shape.1"}),
    "a_map_in_a_list": ("edges: [0, 1]", "edges: [1, 0]", {22: "histograms.h.axes.1"}),
    "an_axis_without_bins": ("bins: 4, start: 0, stop: 4", "bins: 4", {20: "histograms.h.axes.0"}),
    "a_whole_grid": ("branch: e,", "branch: e, axes: [row, row],", {7: "grids.calo"}),
    "between_sections": ("grid: calo", "grid: cal", {11: "clusters.Jet.grid"}),
    "a_histogram_of_no_collection": ("- field: Jet.col", "- field: Muon.col", {18: "histograms.h"}),
    "a_drawing": ("      xox", "      xyx", {12: "clusters.Jet.search_window"}),
    "a_name": ("  Tau:", "  My_Tau:", {16: "clusters.My_Tau"}),
    "a_name_that_yaml_reads_as_false": ("  data-2018.v1:", "  no:", {3: "datasets.False"}),
    "a_name_that_yaml_reads_as_a_number": ("  data-2018.v1:", "  2018:", {3: "datasets.2018"}),
}


@pytest.mark.parametrize(("old", "new", "places"), WRONG.values(), ids=WRONG)
def test_every_problem_names_file_and_line(tmp_path, old, new, places):
    assert JOB.count(old) == 1
    path = write(tmp_path / "job.yaml", JOB.replace(old, new))
    found = {tuple(problem.split(": ")[:2]) for problem in refused(path)}
    expected = {(f"{path}:{line}", key) for line, key in places.items()}
    assert expected <= found
    lines = {place.rpartition(":")[2] for place, _ in found}
    assert all(line.isdecimal() for line in lines)


def test_a_key_that_is_merged_stands_where_it_was_written(tmp_path):
    path = write(tmp_path / "job.yaml", JOB.replace("xox", "xyx"))
    assert {problem.split(": ")[0] for problem in refused(path)} == {f"{path}:12"}


def test_a_key_of_the_command_line_is_named_as_such(tmp_path):
    path = write(tmp_path / "job.yaml", JOB)
    (problem,) = refused(path, "clusters.Tau.w0=-1", "run.workers=2")
    assert problem == "--set clusters.Tau.w0=-1: clusters.Tau.w0: -1 is not above 0"
    (problem,) = refused(path, "run.workers=2", "clusters.Tau={grid: calo, w0: -1}")
    assert problem.startswith("--set clusters.Tau={grid: calo, w0: -1}: clusters.Tau.w0: -1 ")


def test_an_entry_that_the_command_line_spoilt_names_both(tmp_path):
    path = write(tmp_path / "job.yaml", JOB)
    (problem,) = refused(path, "grids.calo.rows.n=23")
    assert problem.startswith(
        f"{path}:8 with --set grids.calo.rows.n=23: grids.calo: shape [24, 16] does not fit"
    )


def test_the_last_of_two_overrides_is_to_blame(tmp_path):
    path = write(tmp_path / "job.yaml", JOB)
    (problem,) = refused(path, "run.workers=0", "run.workers=-1")
    assert problem.startswith("--set run.workers=-1: run.workers: -1 ")


def test_a_problem_that_is_found_later_can_be_placed(tmp_path):
    path = write(tmp_path / "job.yaml", JOB)
    source, problem = Source.read(path), "datasets.data-2018.v1.files: there is no file 'a.root'"
    assert ConfigError([problem, "a.root: no tree"]).at(source).problems == (
        f"{path}:4: {problem}",
        "a.root: no tree",
    )


def test_a_key_that_occurs_twice_names_both_lines(tmp_path):
    path = write(tmp_path / "job.yaml", JOB + "\nclusters: {}\n")
    assert refused(path) == [f"{path}:25: the key 'clusters' occurs twice, first in line 9: keep one"]


NOT_YAML = {
    "a_tab": ("a:\n\tb: 1", 2, "indent with spaces, not with tabs"),
    "a_tab_in_a_value": ("a: 1\nb:\t- 1\n\t- 2", 2, "indent with spaces, not with tabs"),
    "a_broken_alias": (
        "a: 1\nb: *c",
        2,
        "name the value with & before it is used",
    ),
    "a_glob_without_quotes": ("files:\n  *.root: Events", 2, "put text that begins with * in quotes"),
    "a_colon_in_text": ("a: Jet: pt", 1, "put text that holds ': ' in quotes"),
    "a_bracket_left_open": ("a: [1, 2\nb: 3", 2, "close the bracket"),
    "an_indentation": ("a:\n  b: 1\n c: 2", 3, "mend the indentation"),
    "quotes_left_open": ("a: 'b\nc: 1\n", 3, "close the quotes"),
    "an_at_sign": ("a: @b", 1, "put text that begins with % @ or ` in quotes"),
    "two_documents": (
        "a: 1\n---\nb: 2",
        2,
        "expected a single document in the stream but found another document: remove the line ---",
    ),
    "a_tag": ("a: !!python/name:os.system", 1, "remove the tag"),
}


@pytest.mark.parametrize(("text", "line", "remedy"), NOT_YAML.values(), ids=NOT_YAML)
def test_a_text_that_is_not_yaml_shows_the_place_and_says_what_to_do(tmp_path, text, line, remedy):
    path = write(tmp_path / "job.yaml", text)
    (problem,) = refused(path)
    said, shown, caret = problem.split("\n")
    assert said.startswith(f"{path}:{line}: not YAML: ")
    assert remedy in said
    assert caret.strip() == "^"
    assert shown.strip() in text.replace("\t", "\t") or shown.strip() == ""


def test_an_empty_file_says_how_to_begin(tmp_path):
    path = write(tmp_path / "job.yaml", "# nothing\n")
    what = "a config is a map of sections, this file holds nothing"
    assert refused(path) == [f"{path}: {what}: `hep-peaksum init` writes one to start from"]


def test_a_misspelt_file_is_suggested(tmp_path):
    write(tmp_path / "jets.yaml", JOB)
    (problem,) = refused(tmp_path / "jets.yml")
    assert problem.endswith("jets.yml: cannot be read (No such file or directory) (did you mean 'jets.yaml'?)")


def test_the_config_of_these_tests_is_right(tmp_path):
    assert load_config(write(tmp_path / "job.yaml", JOB)).clusters["Tau"].settings.w0 == 3


def test_datasets_that_the_command_line_replaced_may_still_be_named(tmp_path):
    path = tmp_path / "job.yaml"
    content = small("events={where: [{branch: b, min: 1, datasets: mc}]}")
    content["datasets"]["mc"] = {"files": "mc.root"}
    path.write_text(yaml.safe_dump(content))
    only = {"datasets": ("--file a.root", {"data": {"files": "a.root"}})}
    source = Source.read(path)._replace(options=only)
    assert [*read_config(source).datasets] == ["data"]
    path.write_text(path.read_text().replace("- mc", "- mcs").replace("datasets: mc", "datasets: mcs"))
    with pytest.raises(ConfigError, match=r"no dataset 'mcs' \(did you mean 'mc'\?\); there are data, mc$"):
        read_config(Source.read(path)._replace(options=only))
