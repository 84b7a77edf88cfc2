"""`check`, `status` and `presets`."""

import os

import numpy as np
import pytest
from cli_output import complaints, python_m, row_of


def test_check_shows_what_a_config_means(cli, good):
    status, out, err = cli("check", good)
    assert (status, err) == (0, "")
    output = " ".join(out.split())
    for words in ("Jet", "calo 6 x 8", "3 x 3", "first", "> 3 counts = 3 GeV", "sum seed row col n_cells pt"):
        assert words in output
    assert "the config is valid\n" in out
    assert "Tried on toy: 13 entries of a.root, the first of 2 files" in output.replace(f"{good.parent}/", "")


def test_check_finds_every_problem_at_once(cli, job, write_config):
    content = job("gone.root")
    content["clusters"]["Jet"]["sum_windwo"] = [3, 3]
    content["grids"]["calo"]["dense"]["brunch"] = "x"
    content["run"] = {"chunksize": "many"}
    status, out, err = cli("check", write_config(content))
    assert (status, out) == (2, "")
    output = complaints(err)
    assert len(output) == 3
    assert "grids.calo.dense.brunch: unknown key (did you mean 'branch'?)" in output
    assert "clusters.Jet.sum_windwo: unknown key (did you mean 'sum_window'?)" in output
    assert any(line.startswith("run.chunksize: 'many' is not a whole number") for line in output)


def test_check_warns_of_missing_files_and_succeeds(cli, job, write_config):
    status, out, err = cli("check", write_config(job("gone.root")))
    assert status == 0
    assert "job.yaml:3: datasets.toy.files: there is no file 'gone.root'" in err
    assert "the config is valid, but not all of its files are here\n" in out


def test_check_names_every_missing_branch(cli, write_root, job, write_config):
    file = write_root(
        "a.root", {"Events": {"cell": np.zeros((2, 6, 8)), "run": np.arange(2), "event": np.arange(2)}}
    )
    status, out, err = cli("check", write_config(job(file)))
    assert (status, "valid" in out) == (2, False)
    cells, lumi = complaints(err)
    missing = "no branch 'cells' (did you mean 'cell'?); there are cell, run, event"
    assert cells == f"grids.calo.dense.branch: {file}: {missing}"
    assert "no branch 'luminosityBlock'" in lumi


def test_status_of_finished_results_repeats_the_summary_of_run(cli, good, tmp_path):
    _, ran, _ = cli("run", good)
    status, out, err = cli("status", tmp_path / "results")
    assert (status, err) == (0, "")
    assert row_of(out, "toy") == row_of(ran, "toy")


def test_status_of_an_unfinished_job_counts_finished_chunks(
    cli, write_events, random_cells, job, write_config, tmp_path
):
    cells = random_cells(8, 2)
    cells[7, 0, 0] = np.nan
    files = write_events("a.root", 13, 1), write_events("b.root", 8, 2, cells=cells)
    assert cli("run", write_config(job(*files, run={"chunksize": 5})))[0] == 1
    status, out, err = cli("status", tmp_path / "results")
    assert (status, err) == (0, "")
    assert list(row_of(out, "toy").values()) == ["toy", "2", "4", "17"]
    assert "incomplete; the same run command continues from the finished chunks" in out


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (".", "not a results directory (it has no manifest.json)"),
        ("gone", "there is no such folder"),
        ("result", "there is no such folder (did you mean 'results'?)"),
        ("gone/results", "there is no such folder"),
    ],
)
def test_status_of_another_folder_is_one_line(cli, tmp_path, monkeypatch, name, problem):
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    status, _, err = cli("status", name)
    assert status == 1
    assert complaints(err) == [f"{name}: {problem}: name the output.directory of a job"]


def test_presets_are_listed_and_shown(cli):
    status, out, _ = cli("presets")
    assert status == 0
    assert "cms-l1-jet" in out
    assert "keras-3x3" in out
    status, out, _ = cli("presets", "cms-l1-jet")
    assert status == 0
    assert "  tie_rule: diagonal" in out
    assert "  search_window: [9, 9]" in out
    assert "Not reproduced: The emulator drops jets" in out


def test_an_unknown_preset_is_one_line(cli):
    status, _, err = cli("presets", "atlas")
    assert status == 1
    near = "did you mean 'atlas-jfex'?"
    assert complaints(err)[0].startswith(f"no preset is called 'atlas' ({near}): there are atlas-jfex, ")


def test_check_takes_less_than_two_seconds_of_a_processor(good, tmp_path):
    """On a busy machine any process may take longer: one of four must not."""

    def seconds():
        before = os.times()
        assert python_m("check", str(good), cwd=tmp_path).returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert any(seconds() < 2 for _ in range(4))


def test_check_remarks_on_what_is_hardly_meant_and_run_repeats_it(cli, write_events, job, write_config):
    zeros = np.zeros((3, 6, 8), np.float32)
    content = job(write_events("a.root", 3, cells=zeros))
    status, out, err = cli("check", write_config(content))
    assert status == 0
    assert "grid 'calo' is empty in the first 3 entries: is 'cells' the branch of its cells?" in err
    _, out, _ = cli("run", write_config(content))
    assert "toy: not a single cluster in Jet; grid calo seems to be empty: is its branch right?" in out
    content["clusters"]["Jet"]["seed_threshold"] = -1
    for command in ("check", "run"):
        status, out, err = cli(command, *["--restart"] * (command == "run"), write_config(content))
        assert status == 0
        assert "Jet: empty cells pass seed_threshold (> -1): is a threshold above 0 meant?" in out + err


def test_check_says_counts_where_a_grid_has_no_unit(cli, write_events, job, write_config):
    content = job(write_events("a.root", 3))
    _, out, _ = cli("check", write_config(content))
    assert "> 3 counts = 3 GeV" in out
    del content["grids"]["calo"]["unit"]
    _, out, _ = cli("check", write_config(content))
    assert "> 3 counts\n" in out
    assert "GeV" not in out
