"""What lies in a results folder and is not of this job: links, inputs, results and records of others."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import uproot
from finished_jobs import clusters_of, run_job, write_summary

from hep_peaksum.cli.main import cli
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inputs.paths import expand_files

pytestmark = pytest.mark.slow  # together they take many seconds


def folder(content):
    return Path(content["output"]["directory"])


@pytest.mark.parametrize("place", ["toy", "toy/_chunks", "toy/clusters.parquet"])
def test_a_link_in_place_of_a_folder_is_refused(write_events, job, tmp_path, place):
    content = job(write_events("a.root", 20), run={"chunksize": 7})
    run_job(content)
    (folder(content) / place).rename(tmp_path / "elsewhere")
    (folder(content) / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"holds a link, .*: replace it with a folder"):
        run_job(content | {"run": {"chunksize": 5}})


def test_parts_behind_a_link_in_the_folder_of_another_dataset_stay(write_events, job, tmp_path):
    content = job(write_events("a.root", 20), run={"chunksize": 7})
    run_job(content)
    elsewhere = (folder(content) / "toy/clusters.parquet").rename(tmp_path / "elsewhere")
    (folder(content) / "toy/clusters.parquet").symlink_to(elsewhere)
    parts = sorted(elsewhere.iterdir())
    content["datasets"] = {"other": content["datasets"]["toy"]}
    for choice in ("restart", "discard_unused"):
        with pytest.raises(
            ConfigError, match=r"holds a link, .*toy/clusters\.parquet: replace it with a folder"
        ):
            run_job(content, **{choice: True})
    assert parts == sorted(elsewhere.iterdir())


def test_an_input_file_in_the_results_folder_is_refused(write_events, job, tmp_path):
    (tmp_path / "results/toy").mkdir(parents=True)
    file = Path(write_events("a.root", 5)).rename(tmp_path / "results/toy/clusters.root")
    before = file.read_bytes()
    for restart in (False, True):
        with pytest.raises(ConfigError, match=r"holds an input file, .*clusters\.root: choose another"):
            run_job(job(str(file)), restart=restart)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["summary.json", "histograms.root"])
def test_results_of_others_are_not_replaced_unasked(write_events, job, tmp_path, name):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / name).write_text("of the user")
    with pytest.raises(ConfigError, match=f"holds {name} without a manifest"):
        run_job(job(write_events("a.root", 5)))
    assert (tmp_path / "results" / name).read_text() == "of the user"


def test_restart_removes_only_pictures_of_ours(write_events, job, one_histogram, tmp_path):
    content = job(write_events("a.root", 5), histograms=one_histogram)
    content["output"]["plots"] = True
    plots = folder(content) / "plots"
    run_job(content)
    (plots / "notes.md").write_text("made with hep_peaksum")
    run_job(content, restart=True)
    assert (plots / "notes.md").exists()
    plots.rename(tmp_path / "elsewhere")
    plots.symlink_to(tmp_path / "elsewhere")
    n_plots = len(list((tmp_path / "elsewhere").iterdir()))
    with pytest.raises(ConfigError, match="holds a link"):
        run_job(content, restart=True)
    assert len(list((tmp_path / "elsewhere").iterdir())) == n_plots


def copy_chunk(one, other):
    """Copy the only part and the only record of a folder of a dataset to another."""
    for place in ("_chunks", "clusters.parquet"):
        [path] = (one / place).glob("part-*")
        shutil.copy(path, other / place / path.name)


def test_a_record_of_another_dataset_does_not_count(write_events, job):
    content = job(write_events("a.root", 6, 1))
    content["datasets"]["other"] = {"files": {write_events("b.root", 6, 2): "Events"}}
    directory = run_job(content).directory
    expected = clusters_of(directory, "other").to_list()
    copy_chunk(directory / "toy", directory / "other")
    assert run_job(content).summary["n_chunks"] == {"total": 2, "reused": 1}
    assert clusters_of(directory, "other").to_list() == expected


def test_a_record_of_a_file_before_it_changed_does_not_count(write_events, job, tmp_path):
    content = job(write_events("a.root", 6, 1))
    directory = run_job(content).directory
    shutil.copytree(directory / "toy", tmp_path / "backup")
    write_events("a.root", 6, 2)
    run_job(content, redo_changed=True)
    expected = clusters_of(directory).to_list()
    copy_chunk(tmp_path / "backup", directory / "toy")
    assert run_job(content).summary["n_chunks"] == {"total": 1, "reused": 0}
    assert clusters_of(directory).to_list() == expected


def test_a_chunk_of_the_same_content_under_another_name_counts_as_this_file(write_events, job, tmp_path):
    content, other = job(write_events("a.root", 6, 1)), job(write_events("b.root", 6, 1))
    shutil.copy(tmp_path / "a.root", tmp_path / "b.root")
    other["output"] = {"directory": str(tmp_path / "other"), "plots": False}
    directory, elsewhere = run_job(content).directory, run_job(other).directory
    expected = clusters_of(directory).to_list()
    [record] = (directory / "toy/_chunks").glob("part-*")
    record.unlink()
    copy_chunk(elsewhere / "toy", directory / "toy")
    summary = run_job(content).summary
    assert summary["n_chunks"] == {"total": 1, "reused": 1}
    assert summary["datasets"]["toy"]["files"] == {
        str(tmp_path / "a.root"): {"expected": 6, "processed": 6, "lost": []}
    }
    assert clusters_of(directory).to_list() == expected


def test_a_chunk_with_another_number_of_its_dataset_does_not_count(write_events, job, tmp_path):
    file = write_events("a.root", 6, 1)
    content = job(file, events={})
    second = {**content, "datasets": {"first": {"files": {write_events("b.root", 6, 2): "Events"}}}}
    second["datasets"]["toy"] = content["datasets"]["toy"]
    second["output"] = {"directory": str(tmp_path / "second"), "plots": False}
    directory, elsewhere = run_job(content).directory, run_job(second).directory
    expected = clusters_of(directory).to_list()
    copy_chunk(elsewhere / "toy", directory / "toy")
    assert run_job(content).summary["n_chunks"] == {"total": 1, "reused": 0}
    assert clusters_of(directory).to_list() == expected


def test_a_dataset_that_is_discarded_leaves_no_merged_file(write_events, job):
    content = job(write_events("a.root", 6))
    content["output"]["clusters"] = ["parquet", "ttree"]
    run_job(content)
    content["datasets"]["new"] = content["datasets"].pop("toy")
    run_job(content, discard_unused=True)
    assert [path.parent.name for path in folder(content).glob("*/clusters.root")] == ["new"]


def test_types_are_those_of_the_files_of_this_run(write_root, random_cells, job):
    words = {word: np.arange(6) for word in ("run", "luminosityBlock", "event")}
    floats, integers = (
        write_root(f"{kind}.root", {"Events": {**words, "cells": random_cells(6).astype(kind)}})
        for kind in ("f8", "i4")
    )
    both, one = job(floats, integers), job(integers)
    run_job(both, max_events=0)
    run_job(one)
    with pytest.raises(ConfigError, match="the finished parts have it as"):
        run_job(both)


@pytest.mark.parametrize(
    "text", ['{"datasets": {}}', '{"datasets": {"toy": 5}}', "[]", '{"datasets": {"toy": {}}}']
)
def test_a_summary_of_the_wrong_shape_is_one_line(write_events, job, text):
    content = job(write_events("a.root", 6))
    run_job(content)
    write_summary(folder(content), json.loads(text))
    with pytest.raises(ValueError, match=r"summary\.json is damaged: run the same command again") as error:
        cli.main(["status", str(folder(content))], standalone_mode=False)
    assert "\n" not in str(error.value)
    assert run_job(content).summary == json.loads((folder(content) / "summary.json").read_text())


def test_a_replaced_file_without_a_time_is_redone_if_that_is_asked_for(write_events, job):
    """As files of a server, whose size and time are not known."""
    content = job(f"file://{write_events('a.root', 6, 1)}")
    run_job(content)
    write_events("a.root", 9, 2)
    with pytest.raises(ConfigError, match="add --redo-changed"):
        run_job(content)
    result = run_job(content, redo_changed=True)
    assert result.summary["datasets"]["toy"]["n_events"] == 9


def test_finished_chunks_of_a_file_that_cannot_be_read_now_are_kept(write_events, job):
    file = Path(write_events("a.root", 6))
    content = job(f"file://{file}", run={"on_bad_file": "skip", "retries": 0})
    run_job(content)
    file.rename(file.with_name("gone.root"))
    away = run_job(content)
    assert (away.losses, away.summary["n_chunks"]) == ([], {"total": 1, "reused": 1})
    assert away.summary["datasets"]["toy"]["n_events"] == len(clusters_of(away.directory)) == 6
    file.with_name("gone.root").rename(file)
    assert run_job(content).summary["n_chunks"] == {"total": 1, "reused": 1}


def test_what_is_left_to_do_of_a_file_that_cannot_be_read_now_is_lost(write_events, job):
    file = Path(write_events("a.root", 12))
    content = job(f"file://{file}", run={"on_bad_file": "skip", "retries": 0, "chunksize": 6})
    run_job(content, max_events=6)
    file.rename(file.with_name("gone.root"))
    away = run_job(content)
    assert [loss["n_entries"] for loss in away.losses] == [6]
    assert away.summary["datasets"]["toy"]["n_events"] == len(clusters_of(away.directory)) == 6


def test_finished_chunks_beyond_the_limit_are_refused_though_their_file_cannot_be_read(write_events, job):
    """They had stayed among the results, uncounted."""
    file = Path(write_events("a.root", 12))
    content = job(f"file://{file}", run={"on_bad_file": "skip", "retries": 0, "chunksize": 6})
    run_job(content)
    file.rename(file.with_name("gone.root"))
    with pytest.raises(ConfigError, match=r"holds 1 finished chunk \(6 events\).*beyond --max-events 6"):
        run_job(content, max_events=6)
    result = run_job(content, max_events=6, discard_unused=True)
    assert result.summary["datasets"]["toy"]["n_events"] == len(clusters_of(result.directory)) == 6


def test_a_dataset_of_which_nothing_can_be_read_any_more_is_lost_by_its_numbers(write_events, job):
    file = Path(write_events("a.root", 12))
    content = job(f"file://{file}", run={"on_bad_file": "skip", "retries": 0, "chunksize": 6})
    directory = run_job(content).directory
    shutil.rmtree(directory / "toy")
    file.rename(file.with_name("gone.root"))
    assert [loss["n_entries"] for loss in run_job(content).losses] == [12]


def test_a_part_whose_chunk_is_lost_now_does_not_remain(write_events, job):
    """The record is damaged, and so is the input, with its size and time as before."""
    file = Path(write_events("a.root", 12))
    content = job(str(file), run={"on_bad_file": "skip", "retries": 0, "chunksize": 6})
    directory = run_job(content).directory
    record = sorted((directory / "toy/_chunks").glob("part-*"))[1]
    record.write_bytes(record.read_bytes()[:-9])
    status, data = file.stat(), bytearray(file.read_bytes())
    with uproot.open(file) as root:
        start = root["Events"]["cells"].member("fBasketSeek")[0]
    data[start + 60 : start + 400] = bytes(340)
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    result = run_job(content)
    assert [loss["n_entries"] for loss in result.losses] == [6]
    assert result.summary["datasets"]["toy"]["n_events"] == len(clusters_of(directory)) == 6


def test_a_link_in_place_of_the_plots_is_refused(write_events, job, tmp_path):
    content = job(write_events("a.root", 6), output={"directory": str(tmp_path / "results"), "plots": True})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results/plots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"holds a link, .*plots: replace it with a folder"):
        run_job(content)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_lock_that_is_another_name_of_a_file_elsewhere_is_refused(write_events, job, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "mine").write_text("precious")
    os.link(tmp_path / "mine", tmp_path / "results/.lock")
    with pytest.raises(ConfigError, match=r"\.lock is also the name of a file elsewhere"):
        run_job(job(write_events("a.root", 6)))
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_file_of_others_with_the_name_of_a_merged_one_stays(write_events, job, tmp_path):
    (tmp_path / "results/toy").mkdir(parents=True)
    (tmp_path / "results/toy/clusters.root").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds toy/clusters\.root without a manifest"):
        run_job(job(write_events("a.root", 6)))
    assert (tmp_path / "results/toy/clusters.root").read_text() == "mine"


def test_a_pipe_in_place_of_the_manifest_does_not_stop_a_run(write_events, job):
    content = job(write_events("a.root", 6))
    directory = run_job(content).directory
    (directory / "manifest.json").unlink()
    os.mkfifo(directory / "manifest.json")
    with pytest.raises(ConfigError, match=r"manifest\.json is not a file.*--restart"):
        run_job(content)


@pytest.mark.parametrize(
    "change",
    [
        {"datasets": {"toy": {"files": {"https://me:SECRET@host/a.root?token=SECRET": 3}}}},
        {"datasets": {"toy": {"files": [["https://me:SECRET@host/a.root?token=SECRET"]]}}},
        {"datasets": {"toy": {"files": {"zip://a.root::https://me:SECRET@host/a.zip?token=SECRET": 3}}}},
        {"output": {"directory": "s3://me:SECRET@bucket/results"}},
    ],
    ids=["tree", "list_in_a_list", "archive", "directory"],
)
def test_no_problem_of_a_config_prints_a_secret(write_events, job, change):
    with pytest.raises(ConfigError) as error:
        parse_config(job(write_events("a.root", 5)) | change)
    assert "SECRET" not in str(error.value)


def test_a_dollar_in_a_password_prints_no_secret():
    with pytest.raises(ValueError, match="environment variable that is not set") as error:
        expand_files([("https://me:SEC$RET@host/a.root?token=SECRET", "Events")])
    assert "SEC" not in str(error.value)
