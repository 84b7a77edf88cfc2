"""`run --file` and `merge`: the words, the exit statuses, the place of what is wrong."""

import json
from pathlib import Path

import pytest
from plain_count import count, written

from hep_peaksum.results.status import read_status


@pytest.fixture
def config(job, write_config):
    """Return a config whose own files and folder do not exist."""
    return write_config(job("missing.root", output={"directory": "unused", "plots": False}))


def test_files_of_the_command_line_are_read_instead(cli, config, write_events, tmp_path):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2)]
    options = [word for file in files for word in ("--file", f"{file}:Events")]
    assert cli("run", config, *options, "--output", tmp_path / "out")[::2] == (0, "")
    assert written(tmp_path / "out") == count(*files)
    assert not (tmp_path / "here/unused").exists()


def test_the_only_tree_need_not_be_named(cli, config, write_events, tmp_path):
    file = write_events("1.root", 9, 1)
    assert cli("run", config, "--file", file, "-o", tmp_path / "out")[::2] == (0, "")
    assert written(tmp_path / "out") == count(file)


def test_jobs_may_name_datasets_that_none_of_them_has_read(cli, job, write_config, write_events):
    content, file = job(), write_events("1.root", 9, 1)
    content["datasets"] = {name: {"files": "no.root"} for name in ("one", "two")}
    content["events"]["where"] = [{"branch": "event", "max": -1, "datasets": "two"}]
    config = write_config(content)
    assert cli("run", config, "--file", file, "--dataset", "one", "-o", "job")[::2] == (0, "")
    assert cli("merge", "job", "-o", "all")[::2] == (0, "")
    assert written("all", "one") == count(file)
    assert cli("report", "all")[0] == 0
    notice = "--dataset three: a new dataset, which the config does not know (one, two)\n"
    assert cli("run", config, "--file", file, "--dataset", "three", "-o", "other")[::2] == (0, notice)


def test_names_that_yaml_or_the_shell_would_quote_need_no_quotes(cli, config, write_events, tmp_path):
    file = write_events("a {b}: c, #d.root", 9, 1)
    assert cli("run", config, "--file", f"{file}:Events", "-o", tmp_path / "o: {}")[::2] == (0, "")
    assert written(tmp_path / "o: {}") == count(file)


def test_the_dataset_has_the_name_asked_for_and_keeps_its_keys(cli, job, write_config, write_events):
    content = job()
    content["datasets"] = {name: {"files": "no.root", "metadata": {"is": name}} for name in ("one", "two")}
    config, file = write_config(content), write_events("1.root", 9, 1)
    for name, metadata in {"two": {"is": "two"}, "three": {}}.items():
        assert cli("run", config, "--file", file, "--dataset", name, "-o", name)[0] == 0
        summary = json.loads(Path(name, "summary.json").read_text())
        assert summary["config"]["datasets"][name]["metadata"] == metadata
        assert list(summary["datasets"]) == [name]


@pytest.mark.parametrize(
    ("datasets", "reason"),
    [(["one", "two"], "there are one, two"), ([], "the config has none")],
)
def test_a_dataset_that_is_not_clear_is_asked_for(cli, job, write_config, datasets, reason):
    content = job()
    content["datasets"] = {name: {"files": "no.root"} for name in datasets}
    status, _, err = cli("run", write_config(content), "--file", "x.root", "-o", "out")
    assert (status, reason in err, "Add --dataset NAME" in err) == (2, True, True)


def test_a_config_without_datasets_and_output_is_completed_by_the_options(cli, job, write_config, write_events):
    content, file = job(), write_events("1.root", 9, 1)
    del content["datasets"], content["output"]
    config = write_config(content)
    assert cli("run", config, "--file", file, "--dataset", "toy", "-o", "out")[::2] == (0, "")
    assert written("out") == count(file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--file", "no.root:Events"), "--file no.root:Events: datasets.toy.files: there is no file 'no.root'"),
        (("--dataset", "toy"), "add --file run.root:Events, or leave it out"),
        (("--output", "s3://bucket/out"), "--output s3://bucket/out: output.directory: "),
    ],
)
def test_a_wrong_option_is_named_as_it_was_written(cli, config, options, message):
    status, _, err = cli("run", config, *options)
    assert (status, message in err) == (2, True), err


def test_a_job_per_file_merges_to_the_job_over_all(cli, config, write_events, tmp_path):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2)]
    for k, file in enumerate(files):
        cli("run", config, "--file", f"{file}:Events", "-o", f"job{k}")
    status, out, err = cli("merge", "job0", "job1", "-o", "all")
    assert (status, err, "Results: all" in out) == (0, "", True)
    assert written("all") == count(*files)
    assert cli("status", "all", "--verify")[0] == 0
    assert cli("merge", "job0", "job1", "-o", "all")[0] == 0
    status, _, err = cli("merge", "job0", "-o", "all")
    assert (status, err.count("\n"), "add --restart" in err) == (2, 1, True)
    assert cli("merge", "job0", "-o", "all", "--restart")[0] == 0
    assert written("all") == count(files[0])


def test_losses_of_merged_jobs_are_an_exit_status(cli, config, write_events, tmp_path):
    bad = tmp_path / "bad.root"
    bad.write_bytes(b"no ROOT file")
    skip = ("--set", "run.on_bad_file=skip", "--set", "run.retries=0")
    assert cli("run", config, "--file", f"{bad}:Events", "-o", "job0", *skip)[0] == 3
    assert cli("run", config, "--file", write_events("1.root", 9, 1), "-o", "job1")[0] == 0
    status, out, _ = cli("merge", "job0", "job1", "-o", "all")
    assert (status, "lost all entries of toy" in out) == (3, True)
    assert read_status(tmp_path / "here/all").summary["datasets"]["toy"]["n_events"] == 9


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "Missing argument 'DIR...'"),
        (("job",), 2, "Missing option '-o'"),
        (("nowhere", "-o", "all"), 1, "nowhere: there is no such folder"),
        (("job", "job", "-o", "all"), 2, "job is given twice"),
        (("job", "-o", "job/all"), 2, "lie in one another"),
    ],
)
def test_a_wrong_merge_says_what_is_wrong(cli, config, write_events, arguments, status, message):
    cli("run", config, "--file", write_events("1.root", 9, 1), "-o", "job")
    found, _, err = cli("merge", *arguments)
    assert (found, message in err) == (status, True), err


def test_an_override_goes_with_the_options(cli, config, write_events):
    file = write_events("1.root", 9, 1)
    assert cli("run", config, "--file", file, "-o", "out", "--set", "clusters.Jet.seed_threshold=5")[0] == 0
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["config"]["clusters"]["Jet"]["settings"]["seed_threshold"] == 5
