"""`check`, `status` and `presets`."""

import numpy as np
import pytest
from cli_output import complaints, row_of


def test_check_shows_what_a_config_means(cli, good):
    status, out, err = cli("check", good)
    assert (status, err) == (0, "")
    output = " ".join(out.split())
    for words in ("Jet", "calo 6 x 8", "3 x 3", "first", "> 3 counts = 3 GeV", "sum seed row col n_cells pt"):
        assert words in output
    assert "the config is valid\n" in out


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
    assert (status, err) == (0, "")
    assert "warning: datasets.toy: there is no file 'gone.root'" in out
    assert "the config is valid\n" in out


def test_check_names_every_missing_branch(cli, write_root, job, write_config):
    file = write_root(
        "a.root", {"Events": {"cell": np.zeros((2, 6, 8)), "run": np.arange(2), "event": np.arange(2)}}
    )
    status, out, err = cli("check", write_config(job(file)))
    assert (status, "valid" in out) == (2, False)
    cells, lumi = complaints(err)
    assert cells == f"{file}: no branch 'cells' (did you mean 'cell'?); there are cell, run, event"
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


@pytest.mark.parametrize("name", [".", "gone"])
def test_status_of_another_folder_is_one_line(cli, name):
    status, _, err = cli("status", name)
    assert status == 1
    assert complaints(err) == [f"{name}: not a results directory (it has no manifest.json)"]


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
    assert complaints(err)[0].startswith("no preset is called 'atlas': there are alice-emcal-nxn, alice-phos, ")
