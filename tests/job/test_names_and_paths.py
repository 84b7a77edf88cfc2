"""Names of files, folders, datasets and branches as people give them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from plain_count import count, written

from hep_peaksum.cli.main import cli
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import run
from hep_peaksum.merging.merge import merge

NAMES = [
    "données.root",
    "jürgen/a.root",
    "日本.root",
    "with space.root",
    "quo'te.root",
    'dou"ble.root',
    "a,b.root",
]
NAMES += ["a;b.root", "a#b.root", "a%20b.root", "a+b=c&d.root", "[1].root", "x{1}.root", "a\nb.root"]


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


def renamed(write_events, path, seed=1):
    """Write six events into a file that may have any name."""
    plain = write_events("plain.root", 6, seed)
    path.parent.mkdir(exist_ok=True)
    return str(Path(plain).rename(path))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_job_reads_files_of_any_name(write_events, job, tmp_path, name):
    path = renamed(write_events, tmp_path / name)
    content = job(path)
    content["output"]["directory"] = str(tmp_path / f"results of {Path(name).stem}")
    run_job(content)
    assert written(folder(content)) == count(path)
    assert run_job(content).summary["n_chunks"]["reused"] == 1


@pytest.mark.slow
def test_workers_read_files_of_any_name_and_plots_are_made(write_events, job, one_histogram, tmp_path):
    names = ["日本.root", 'dou"ble.root', "[1].root", "a\nb.root"]
    paths = [renamed(write_events, tmp_path / name, seed) for seed, name in enumerate(names)]
    content = job(*paths, run={"executor": "futures"}, histograms=one_histogram)
    content["output"] = {"directory": str(tmp_path / 'results of "日本\n[1]'), "plots": True}
    run_job(content)
    assert written(folder(content)) == count(*paths)
    assert run_job(content).summary["n_chunks"]["reused"] == len(names)


@pytest.mark.parametrize("name", ["a:b.root", "a::b.root", "a$HOME.root"])
def test_colons_and_dollars_can_be_named(write_events, job, tmp_path, name):
    path = tmp_path / name
    Path(write_events("plain.root", 6)).rename(path)
    content = job(str(path).replace("$", "$$"))
    run_job(content)
    assert written(folder(content)) == count(str(path) if "::" not in name else path)


def test_a_name_that_is_not_utf8_works_with_local_executors(write_events, job, tmp_path):
    paths = [os.fsencode(tmp_path) + b"/%b.root" % name for name in (b"\xff\xfe", b"\xff\xfd")]
    for number, path in enumerate(paths):
        os.rename(write_events("plain.root", 6, number + 1), path)  # noqa: PTH104 -- bytes
    content = job(*map(os.fsdecode, paths))
    run_job(content)
    assert written(folder(content))[0] == 12
    assert run_job(content).summary["n_chunks"] == {"total": 2, "reused": 2}
    merge([folder(content)], tmp_path / "merged")
    assert written(tmp_path / "merged")[0] == 12


def test_a_branch_with_a_colon_can_be_named(write_root, random_cells, job):
    numbers = {"run": np.full(6, 7, np.uint32), "event": np.arange(6, dtype=np.uint64)}
    numbers["luminosityBlock"] = np.ones(6, np.uint32)
    path = write_root("a.root", {"Events": {**numbers, "calo:cells": random_cells(6)}})
    content = job(path)
    content["grids"]["calo"]["dense"]["branch"] = ":calo:cells"
    assert run_job(content).summary["datasets"]["toy"]["n_events"] == 6


RESERVED = [
    "uhi",
    "manifest.json",
    "summary.json",
    "histograms.root",
    "plots",
    "report.html",
    "_chunks",
    "datasets",
]


@pytest.mark.parametrize("name", RESERVED)
def test_a_dataset_with_a_name_of_ours_is_refused_by_check(write_events, job, tmp_path, name):
    content = job(write_events("a.root", 3))
    content["datasets"] = {name: content["datasets"]["toy"]}
    with pytest.raises(ConfigError, match="datasets"):
        parse_config(content)
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    assert CliRunner().invoke(cli, ["check", str(tmp_path / "job.yaml")]).exit_code != 0


def test_datasets_that_are_equal_but_for_case_are_refused(write_events, job):
    content = job(write_events("a.root", 3))
    content["datasets"] = {"Toy": content["datasets"]["toy"], "toy": content["datasets"]["toy"]}
    with pytest.raises(ConfigError, match=r"Toy.*toy"):
        parse_config(content)


@pytest.mark.slow
def test_a_job_runs_in_a_plain_c_locale(write_events, job, tmp_path):
    path = tmp_path / "données.root"
    Path(write_events("plain.root", 6)).rename(path)
    content = job(str(path))
    config = tmp_path / "job.yaml"
    config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    variables = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "hep_peaksum", "run", str(config)],
        env=variables,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
