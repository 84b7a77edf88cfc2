"""Mistakes that newcomers make: each answer is one line with place, value, expectation and remedy."""

import sys
from pathlib import Path

import click
import numpy as np
import pytest
import yaml
from cli_output import placed_complaints

JOB = """\
datasets:
  toy:
    files: {toy.root: Events}
events:
  identify: {run: run, luminosityBlock: luminosityBlock, event: event}
grids:
  calo:
    dense: {branch: cells, shape: [6, 8], axes: [row, col]}
    rows: {name: eta, bins: 6, start: -3, stop: 3}
    cols: {name: phi, bins: 8, start: -pi, stop: pi, periodic: true}
    unit: 1 GeV
clusters:
  Jet:
    grid: calo
    seed_threshold: 3 GeV
histograms:
  n: {axes: [{field: nJet, bins: 10, start: 0, stop: 10}]}
output:
  directory: results
  plots: false
run:
  executor: iterative
"""
MISTAKES = yaml.safe_load(Path(__file__).with_name("newcomers.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(cli, write_events, tmp_path):
    """Return the working directory, with the file that the config reads."""
    here = tmp_path / "here"
    write_events("here/toy.root", 5, pile_up=np.arange(5.0))
    return here


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_check_answers_a_mistake_with_place_value_expectation_and_remedy(cli, folder, mistake):
    assert mistake["for"] in JOB
    text = JOB.replace(mistake["for"], mistake["write"], 1)
    (folder / "job.yaml").write_text(text, encoding="utf-8")
    status, _, err = cli("check", "job.yaml")
    assert status == 2
    answers = placed_complaints(err)
    expected = f"job.yaml:{mistake['line']}: {mistake['answer']}"
    assert any(answer.startswith(expected) for answer in answers), err
    assert all(answer.startswith("job.yaml:") for answer in answers)


def test_run_names_the_line_of_what_it_finds_wrong_later(cli, folder):
    (folder / "job.yaml").write_text(JOB)
    (folder / "toy.root").rename(folder / "toys.root")
    status, _, err = cli("run", "job.yaml")
    assert status == 2
    (said,) = placed_complaints(err)
    missing = "there is no file 'toy.root' (did you mean 'toys.root'?)"
    assert said.startswith(f"job.yaml:3: datasets.toy.files: {missing}")


@pytest.mark.parametrize("command", ["run", "show"])
def test_a_branch_that_a_file_lacks_is_named_with_its_line(cli, folder, command):
    text = JOB.replace("events:\n", "events:\n  weight: {pu: pile_up}\n").replace(
        "branch: cells", "branch: cels"
    )
    (folder / "job.yaml").write_text(text)
    (said,) = placed_complaints(cli(command, "job.yaml")[2])
    assert said.startswith("job.yaml:9: ")
    assert "no branch 'cels' (did you mean 'cells'?); there are " in said


def test_the_config_without_a_mistake_is_valid(cli, folder):
    (folder / "job.yaml").write_text(JOB)
    assert cli("check", "job.yaml")[::2] == (0, "")


ACCEPTED = {
    "a_path": ("{toy.root: Events}", "toy.root"),
    "a_path_with_its_tree": ("{toy.root: Events}", "toy.root:Events"),
    "a_glob_with_its_tree": ("{toy.root: Events}", '"*.root:Events"'),
    "a_list": ("{toy.root: Events}", "[toy.root]"),
    "a_list_of_both": ("{toy.root: Events}", "[toy.root, 'toy.root:Events', {toy.root: Events}]"),
    "one_format": ("plots: false", "plots: false\n  clusters: root"),
    "one_branch_to_keep": ("events:\n", "events:\n  keep: pile_up\n"),
    "one_field": ("seed_threshold: 3 GeV", "fields: pt"),
}


@pytest.mark.parametrize(("old", "new"), ACCEPTED.values(), ids=ACCEPTED)
def test_one_word_does_where_a_list_or_map_is_possible(cli, folder, old, new):
    (folder / "job.yaml").write_text(JOB.replace(old, new, 1))
    status, _, err = cli("run", "job.yaml")
    assert (status, err) == (0, "")
    written = {path.name for path in (folder / "results/toy").iterdir()}
    assert ("clusters.root" in written) == ("root" in new and "clusters" in new)


def test_a_file_with_several_trees_must_say_which(cli, folder, write_root, random_cells):
    trees = {"Events": {"cells": random_cells(3)}, "Runs": {"cells": random_cells(2)}}
    write_root("here/toy.root", trees)
    (folder / "job.yaml").write_text(JOB.replace("{toy.root: Events}", "toy.root"))
    (answer,) = placed_complaints(cli("check", "job.yaml")[2])
    held = "toy.root has the trees Events, Runs: name one, as in toy.root:Events"
    assert answer == f"job.yaml:3: datasets.toy.files: {held}"


OVERRIDES = {
    "a_collection_that_is_not_there": ("clusters.Jett.w0=4", "clusters has no 'Jett' (did you mean 'Jet'?); t"),
    "a_window": ("clusters.Jet.sum_window=5,5", "clusters.Jet.sum_window: '5,5' is not a window: write the li"),
    "a_shape": ("grids.calo.dense.shape=6,8", "grids.calo.dense.shape: '6,8' is not a list: write [6, 8]"),
    "a_unit": ("clusters.Jet.seed_threshold=4 Gev", "clusters.Jet.seed_threshold: '4 Gev' is not an energy (d"),
    "a_key": ("clusters.Jet.seed_treshold=4", "clusters.Jet.seed_treshold: unknown key (did you mean 'seed_th"),
    "a_section": ("cluster.Jet.w0=4", "cluster: unknown key (did you mean 'clusters'?)"),
    "a_key_alone": (
        "seed_threshold=4",
        "seed_threshold: unknown key (did you mean clusters.Jet.seed_threshold?)",
    ),
    "a_key_in_its_section": (
        "clusters.seed_threshold=4",
        "clusters.seed_threshold: unknown key (did you mean clusters.Jet.seed_threshold?)",
    ),
    "a_name_without_its_section": ("Jet.w0=4", "Jet: unknown key (did you mean clusters.Jet?)"),
    "a_place_in_a_list": ("histograms.n.axes.1.bins=3", "the config has no place 'histograms.n.axes.1.bins': "),
    "no_value": ("clusters.Jet.w0", "write key.path=value, as in clusters.Jet.seed_threshold=4"),
}


@pytest.mark.parametrize(("setting", "answer"), OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_is_named_in_the_answer(cli, folder, setting, answer):
    (folder / "job.yaml").write_text(JOB)
    status, _, err = cli("check", "job.yaml", "--set", setting)
    assert status == 2
    (said,) = placed_complaints(err)
    assert said.replace("'", "").startswith(f"--set {setting}: {answer}".replace("'", ""))


# An older click names no command that is near, and writes options without quotation marks.
NO_OPTION, NEAREST_OPTION, NEAREST_COMMAND = (
    ("No such option '--chunksize'", "Did you mean '--max-events'?", " Did you mean 'check'?")
    if hasattr(click.exceptions, "NoSuchCommand")
    else ("No such option: --chunksize", "Did you mean --max-events?", "")
)
COMMANDS = {
    "a_folder_for_a_config": (["check", "."], ".: a folder, where a YAML file is expected: name the file in i"),
    "a_root_file_for_a_config": (["run", "toy.root"], "toy.root: a ROOT file, where the YAML file of a config"),
    "an_empty_config": (["check", "empty.yaml"], "empty.yaml: a config is a map of sections, this file holds "),
    "a_misspelt_config": (["check", "job.yml"], "job.yml: cannot be read (No such file or directory) (did you"),
    "a_config_for_a_root_file": (["inspect", "job.yaml"], "a config, see `hep-peaksum check job.yaml`"),
    "a_folder_for_a_root_file": (["inspect", "."], "a folder, name a file in it, as in NAME.root"),
    "a_misspelt_root_file": (["inspect", "toi.root"], "(file not found) (did you mean 'toy.root'?)"),
    "an_option_of_the_config": (
        ["run", "job.yaml", "--chunksize", "5"],
        f"{NO_OPTION}. It is a key of the con",
    ),
    "an_option": (["run", "job.yaml", "--max-event", "5"], NEAREST_OPTION),
    "a_number_of_events_with_an_exponent": (
        ["run", "job.yaml", "--max-events", "1e4"],
        "'1e4' is not written as a whole number: write 10000.",
    ),
    "a_number_of_events": (["run", "job.yaml", "--max-events", "all"], "'all' is not a valid whole number."),
    "a_command": (["checks", "job.yaml"], f"No such command 'checks'.{NEAREST_COMMAND}"),
    "a_cell_of_letters": (
        ["explain", "job.yaml", "--cell", "A", "5"],
        "Invalid value for '--cell': 'A' is not a valid integer. Write row and column, as in --cell 3 5",
    ),
    "a_cell_with_a_comma": (["explain", "job.yaml", "--cell", "1,2"], "Write row and column, as in --cell 3 5"),
    "one_end_of_a_range": (["show", "job.yaml", "--z-range", "5"], "Write the lowest and the highest value, a"),
    "a_cell_outside": (["explain", "job.yaml", "--cell", "9", "2"], "there is no cell (row 9, col 2) in a gri"),
    "an_entry": (["show", "job.yaml", "--entry", "99"], "dataset 'toy' has 5 entries, there is no entry 99: t"),
    "a_dataset": (["show", "job.yaml", "--dataset", "tyo"], "no dataset 'tyo' (did you mean 'toy'?): there ar"),
    "a_collection": (["ties", "job.yaml", "--collection", "Jett"], "no collection 'Jett' (did you mean 'Jet'?"),
    "a_preset": (["presets", "cms-l1-jt"], "no preset is called 'cms-l1-jt' (did you mean 'cms-l1-jet'?): the"),
    "results_that_are_not_there": (["status", "x"], "x: there is no such folder: name the output.directory"),
    "a_file_for_the_results": (["run", "job.yaml", "--set", "output.directory=toy.root"], "output.directory: "),
    "a_config_for_results": (["status", "job.yaml"], "is a file. Name a folder of results, the output.dire"),
    "two_configs": (["check", "job.yaml", "empty.yaml"], "extra argument (empty.yaml). It takes FILE.yaml and"),
    "a_value_without_its_key": (["run", "job.yaml", "--set", "run.workers", "4"], "Write --set KEY=VALUE, w"),
    "a_config_at_the_end": (["compare", "Jet", "crystal-3x3", "job.yaml"], "write FILE.yaml first, then A "),
    "a_config_before_the_command": (["job.yaml", "run"], "The command comes first: hep-peaksum run job.yaml"),
    "a_root_file_alone": (["toy.root"], "The command comes first: hep-peaksum inspect toy.root"),
    "a_root_file_without_its_option": (
        ["init", "toy.root"],
        "extra argument (toy.root). Write --root toy.root",
    ),
    "two_root_files": (
        ["init", "--root", "toy.root", "toy2.root"],
        "extra argument (toy2.root). --root takes one file; name the others in the config, under files.",
    ),
    "a_merge_to_nowhere": (["merge", "a", "b"], "Add -o DIR."),
    "a_header_of_greedy_seeds": (
        ["export", "job.yaml", "-o", "x.hpp", "--set", "clusters.Jet.tie_rule=greedy"],
        "--set clusters.Jet.tie_rule=greedy: clusters.Jet.tie_rule: 'greedy' cannot be exported: ",
    ),
    "a_picture": (["show", "job.yaml", "-o", "event.xyz"], "pictures are PNG, PDF, SVG, not .xyz: name it "),
}


@pytest.mark.parametrize(("arguments", "answer"), COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_command_line_is_answered_with_what_to_do(cli, folder, arguments, answer):
    (folder / "job.yaml").write_text(JOB)
    (folder / "empty.yaml").touch()
    status, _, err = cli(*arguments)
    assert status in (1, 2)
    assert answer in err


def test_a_page_that_was_saved_for_a_file_is_told(cli, folder):
    (folder / "toy.root").write_text("<!DOCTYPE html><html>log in</html>")
    (folder / "job.yaml").write_text(JOB)
    (said,) = placed_complaints(cli("check", "job.yaml")[2])
    start = (
        "it begins with b'<!DOCTYPE html><html', and a ROOT file begins with b'root': download or make it again"
    )
    assert said.startswith("job.yaml:3: datasets.toy.files: toy.root: cannot be read as a ROOT file (")
    assert said.endswith(f"): {start}")


def test_a_luminosity_that_normalises_nothing_is_told(cli, folder):
    (folder / "job.yaml").write_text(f"luminosity: 59.8 /fb\n{JOB}")
    remark = "luminosity: no dataset has a cross_section, so nothing is normalised to it: is one missing?"
    assert remark in cli("check", "job.yaml")[2]
    assert remark in " ".join(cli("run", "job.yaml")[1].split())


def test_a_tree_without_entries_is_told(cli, folder, write_events):
    write_events("here/toy.root", 0, pile_up=np.arange(0.0))
    (folder / "job.yaml").write_text(JOB)
    assert (
        "datasets.toy: toy.root: tree 'Events' has no entries: is it the right one?"
        in cli("check", "job.yaml")[2]
    )
    told = " ".join(cli("run", "job.yaml")[1].split())
    assert "toy: not a single entry; are its files and trees the right ones?" in told


FAILING = """\
def weight(events):
    return events.pileup * 2
def passes(events):
    return events.pile_up
def hits(events):
    return events.row, events.col, events.energy
"""
DENSE = "dense: {branch: cells, shape: [6, 8], axes: [row, col]}"


@pytest.mark.parametrize(
    ("old", "new", "place", "answer"),
    [
        pytest.param(
            "events:\n",
            "events:\n  weight: {pu: mine:weight}\n",
            (5, "events.weight.pu"),
            "mine:weight failed in line 2 (AttributeError: no field named 'pileup'): the events have ",
            id="a_weight_of_no_branch",
        ),
        pytest.param(
            "events:\n",
            "events:\n  where:\n  - {branch: pile_up, min: 0}\n  - mine:passes\n",
            (7, "events.where.1"),
            "'mine:passes' returned float64 of shape (5,), expected bool of shape (5,)",
            id="a_number_for_a_bool",
        ),
        pytest.param(
            DENSE,
            "hits: mine:hits",
            (8, "grids.calo.hits"),
            "mine:hits failed in line 6 (AttributeError: no field named 'row'): the events have ",
            id="hits_of_no_branch",
        ),
    ],
)
def test_run_names_the_line_of_a_function_that_fails(cli, folder, monkeypatch, old, new, place, answer):
    (folder / "mine.py").write_text(FAILING)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (folder / "job.yaml").write_text(JOB.replace(old, new))
    status, _, err = cli("run", "job.yaml")
    assert status == 1
    (said,) = placed_complaints(err)
    assert said.startswith(f"job.yaml:{place[0]}: ")
    assert f"toy.root: {place[1]}: {answer}" in said
