"""The same content twice in a dataset is an error that names both; two trees of one file are two inputs."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import uproot
from plain_count import count, written

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import run


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


def hard_link(path, other):
    os.link(path, other)
    return str(other)


def symbolic_link(path, other):
    other.symlink_to(path)
    return str(other)


def copy(path, other):
    shutil.copyfile(path, other)
    return str(other)


def url(path, _other):
    return Path(path).as_uri()


def another_spelling(path, other):
    return str(Path(path).parent / "." / ".." / Path(path).parent.name / Path(path).name)


WAYS = {way.__name__: way for way in (hard_link, copy, url)}
SAME_FILE = {way.__name__: way for way in (symbolic_link, another_spelling)}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_same_content_twice_is_an_error_that_names_both(write_events, job, tmp_path, way):
    first = write_events("a.root", 12)
    second = way(first, tmp_path / "b.root")
    with pytest.raises(ConfigError, match=r"a\.root.*(b\.root|file://).*allow_duplicates") as error:
        run_job(job(first, second))
    assert len(error.value.problems) == 1
    assert not (folder(job(first)) / "toy").exists()


@pytest.mark.parametrize("way", SAME_FILE.values(), ids=SAME_FILE)
def test_one_file_by_two_names_is_read_once(write_events, job, tmp_path, way):
    first = write_events("a.root", 12)
    content = job(first, way(first, tmp_path / "b.root"))
    run_job(content)
    assert written(folder(content)) == count(first)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_same_content_twice_is_read_twice_if_that_is_wanted(write_events, job, tmp_path, way):
    first = write_events("a.root", 12)
    content = job(first, way(first, tmp_path / "b.root"))
    content["datasets"]["toy"]["allow_duplicates"] = True
    del content["events"]
    assert run_job(content).summary["datasets"]["toy"]["n_events"] == 24


def test_the_same_content_in_two_datasets_is_allowed(write_events, job):
    first = write_events("a.root", 12)
    datasets = {name: {"files": {first: "Events"}} for name in ("toy", "other")}
    assert len(run_job(job(first, datasets=datasets)).summary["datasets"]) == 2


def without_uuid(path):
    """Make the UUIDs of a ROOT file zero, as Geant4's own writer leaves them."""
    with uproot.open(path) as file:
        uuid = file.file.fUUID
    data = Path(path).read_bytes()
    assert uuid in data
    Path(path).write_bytes(data.replace(uuid, bytes(16)))
    return path


def test_files_without_a_uuid_are_told_apart_by_their_content(write_events, job, tmp_path):
    first, second = without_uuid(write_events("a.root", 12, 1)), without_uuid(write_events("b.root", 12, 2))
    content = job(first, second)
    run_job(content)
    assert written(folder(content)) == count(first, second)


def test_a_copy_without_a_uuid_is_noticed(write_events, job, tmp_path):
    first = without_uuid(write_events("a.root", 12, 1))
    with pytest.raises(ConfigError, match=r"a\.root.*b\.root.*allow_duplicates"):
        run_job(job(first, copy(first, tmp_path / "b.root")))


def test_two_trees_of_one_file_are_both_read(write_root, random_cells, job):
    numbers = {"run": np.full(6, 7, np.uint32), "event": np.arange(6, dtype=np.uint64)}
    trees = {
        name: {**numbers, "luminosityBlock": np.full(6, k, np.uint32), "cells": random_cells(6, k)}
        for k, name in enumerate(("Events", "MoreEvents"), start=1)
    }
    path = write_root("a.root", trees)
    content = job(path)
    content["datasets"]["toy"]["files"] = [{path: "Events"}, {path: "MoreEvents"}]
    run_job(content)
    one, other = count(path), count(path, tree="MoreEvents")
    assert written(folder(content)) == tuple(a + b for a, b in zip(one, other, strict=True))


def test_a_file_whose_name_ends_like_a_tree_of_another_is_a_file_of_its_own(write_root, random_cells, job):
    numbers = {"run": np.full(6, 7, np.uint32), "event": np.arange(6, dtype=np.uint64)}
    seeds = {("t.root", "T1"): 1, ("t.root", "T2"): 2, ("t.root:T2", "T2"): 3}
    trees = {
        key: {**numbers, "luminosityBlock": np.full(6, seed, np.uint32), "cells": random_cells(6, seed)}
        for key, seed in seeds.items()
    }
    two = write_root("t.root", {"T1": trees["t.root", "T1"], "T2": trees["t.root", "T2"]})
    odd = f"{two}:T2"
    Path(write_root("odd.root", {"T2": trees["t.root:T2", "T2"]})).rename(odd)
    content = job(two, run={"chunksize": 4})
    content["datasets"]["toy"]["files"] = [{two: "T1"}, {odd: "T2"}, {two: "T2"}]
    assert run_job(content).summary["n_chunks"] == {"total": 6, "reused": 0}
    counts = [count(two, tree="T1"), count(odd, tree="T2"), count(two, tree="T2")]
    assert written(folder(content)) == tuple(map(sum, zip(*counts, strict=True)))
    assert run_job(content).summary["n_chunks"] == {"total": 6, "reused": 6}


@pytest.mark.parametrize("spelling", ["/Events", "Events/", "//Events//"])
def test_another_spelling_of_a_tree_is_the_same_tree(write_events, job, spelling):
    path = write_events("a.root", 12, 1)
    content = job(path)
    content["datasets"]["toy"]["files"] = [{path: "Events"}, {path: spelling}]
    run_job(content)
    assert written(folder(content)) == count(path)


def test_a_cycle_of_the_same_tree_is_noticed(write_events, job):
    path = write_events("a.root", 12, 1)
    content = job(path)
    content["datasets"]["toy"]["files"] = [{path: "Events"}, {path: "Events;1"}]
    with pytest.raises(ConfigError, match=r"the trees Events and Events;1 of .*a\.root have the same content"):
        run_job(content)
