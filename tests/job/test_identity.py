"""Run, luminosityBlock and event of every event, and kept branches beside them."""

import json
from pathlib import Path

import numpy as np
import pytest
from finished_jobs import clusters_of, run_job

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.job.summary import identity_in_words


def test_numbers_of_files_are_stable_when_files_are_added(write_events, job, tmp_path):
    for name in "bd":
        write_events(f"in/{name}.root", 3, event=np.arange(3) / 2)  # which cannot identify events
    content = job(events={}, run={"chunksize": 2})
    content["datasets"]["toy"]["files"] = {str(tmp_path / "in/*.root"): "Events"}
    first = run_job(content)
    before = clusters_of(first.directory)
    assert before.run.to_list() == [1] * 6
    assert before.luminosityBlock.to_list() == [1] * 3 + [2] * 3
    assert before.event.to_list() == [0, 1, 2] * 2
    for name in "ac":
        write_events(f"in/{name}.root", 3, event=np.arange(3) / 2)
    second = run_job(content)
    assert second.summary["n_chunks"] == {"total": 8, "reused": 4}
    assert "luminosityBlock = file number" in second.summary["identity"]
    manifest = json.loads((second.directory / "manifest.json").read_text())["datasets"]["toy"]["files"]
    assert {Path(path).stem: trees["Events"]["number"] for path, trees in manifest.items()} == {
        "b": 1,
        "d": 2,
        "a": 3,
        "c": 4,
    }
    after = clusters_of(second.directory)
    assert after[after.luminosityBlock <= 2].to_list() == before.to_list()


def test_numbers_of_datasets_are_stable_when_a_dataset_is_added(write_events, job):
    content = job(events={})
    files = [write_events(f"{name}.root", 3, event=np.arange(3) / 2) for name in "ab"]
    content["datasets"] = {"old": {"files": {files[0]: "Events"}}}
    run_job(content)
    content["datasets"] = {"new": {"files": {files[1]: "Events"}}, **content["datasets"]}
    result = run_job(content)
    assert set(clusters_of(result.directory, "old").run.to_list()) == {1}
    assert set(clusters_of(result.directory, "new").run.to_list()) == {2}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        pytest.param("run", np.arange(5) - 3, id="negative_run"),
        pytest.param("run", np.arange(5) + 2**32, id="run_above_32_bits"),
        pytest.param("luminosityBlock", np.arange(5) + 2**32, id="luminosityBlock_above_32_bits"),
        pytest.param("event", np.arange(5) - 3, id="negative_event"),
        pytest.param("event", np.arange(5) + 0.5, id="half_an_event"),
        pytest.param("run", np.zeros((5, 2), int), id="two_runs_an_event"),
    ],
)
def test_an_identity_that_does_not_fit_its_type_is_an_error(write_events, job, word, values):
    file = write_events("a.root", 5, **{word: values})
    with pytest.raises(ChunkError, match=word) as error:
        run_job(job(file))
    assert str(error.value).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("keep", "name"),
    [
        pytest.param(["weight", "ev:weight"], "weight", id="two_branches_of_one_name"),
        pytest.param(["ev:run"], "run", id="identifier"),
        pytest.param(["Jet"], "Jet", id="collection"),
        pytest.param(["Jet_x"], "Jet_x", id="field_of_a_collection"),
        pytest.param(["nJet"], "nJet", id="counter"),
    ],
)
def test_a_kept_branch_that_would_hide_another_column_is_an_error(write_root, random_cells, job, keep, name):
    x = np.arange(5)
    main = {"cells": random_cells(5), "weight": x, "Jet": x, "Jet_x": x, "nJet": x}
    file = write_root("a.root", {"Events": main, "aux": {"run": x + 1, "weight": -x}})
    with pytest.raises((ConfigError, ChunkError), match=name):
        run_job(job(file, events={"keep": keep}, friends={"ev": "aux"}))


def test_without_identify_the_branches_of_the_files_are_taken_and_the_summary_says_so(write_events, job):
    result = run_job(job(write_events("a.root", 3, 5), events={}))
    clusters = clusters_of(result.directory)
    assert clusters.run.to_list() == [7] * 3
    assert clusters.luminosityBlock.to_list() == [5] * 3
    assert clusters.event.to_list() == [5000, 5001, 5002]
    assert result.summary["identity"] == "the branches run, luminosityBlock and event of the input files"


def test_a_number_stands_for_a_missing_identifier(write_root, random_cells, job):
    branches = {"run": np.full(3, 7), "event": np.arange(3) + 40, "cells": random_cells(3)}
    file = write_root("a.root", {"Events": branches})
    result = run_job(job(file, events={}))
    assert result.summary["identity"].endswith(
        "; to use the branches run, event, name the others, or a number, in events.identify"
    )
    result = run_job(job(file, events={"identify": {"luminosityBlock": 1}}), restart=True)
    clusters = clusters_of(result.directory)
    assert (clusters.run.to_list(), clusters.luminosityBlock.to_list()) == ([7] * 3, [1] * 3)
    assert clusters.event.to_list() == [40, 41, 42]


def test_only_branches_of_all_datasets_are_proposed_to_identify_events(job):
    number = (0, "int64")
    types = {"a": {"run": number, "event": number}, "b": {"event": number}}
    words = identity_in_words(parse_config(job("a.root", events={})), types)
    assert words.endswith("; to use the branches event, name the others, or a number, in events.identify")


def test_files_of_which_only_some_identify_their_events_are_refused(write_events, job):
    files = [write_events("a.root", 3), write_events("b.root", 3, 2, event=np.arange(3) / 2)]
    with pytest.raises(ConfigError, match=r"a\.root has run, luminosityBlock and event, .*b\.root does not"):
        run_job(job(*files, events={}))
    content = job(events={})
    content["datasets"] = {name: {"files": {file: "Events"}} for name, file in zip("ab", files, strict=True)}
    result = run_job(content, restart=True)
    words = "the branches run, luminosityBlock and event of a; for the others, run = dataset number"
    assert result.summary["identity"].startswith(words)
    assert clusters_of(result.directory, "a").run.to_list() == [7] * 3
    assert clusters_of(result.directory, "b").run.to_list() == [2] * 3
