"""Merged jobs are what one job over all the files is: events, numbers, histograms, counts; or are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from finished_jobs import clusters_of, content_of, files_below, run_job, write_summary
from places import CONFIGS
from plain_count import count, written

from hep_peaksum.config.load import load_config, parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.summary import public_config
from hep_peaksum.merging import merge as merging
from hep_peaksum.merging.merge import merge
from hep_peaksum.reading.files import find_files
from hep_peaksum.results.status import read_status
from hep_peaksum.toy import testbeam

FORMATS = ["parquet", "ttree", "rntuple"]


@pytest.fixture
def run_in(job, tmp_path):
    """Run a job over files in a folder of its own, and return the folder; sections can be replaced."""

    def run(name, *files, **sections):
        output = {"directory": str(tmp_path / name), "clusters": FORMATS, "plots": False}
        content = job(*files, **{"output": output, "run": {"chunksize": 5}, **sections})
        if sections.get("events", content["events"]) is None:
            del content["events"]
        return run_job(content).directory

    return run


@pytest.fixture
def anonymous(write_root, random_cells):
    """Write a file whose events have no numbers of their own."""
    return lambda name, n_events, seed: write_root(name, {"Events": {"cells": random_cells(n_events, seed)}})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_config_in_a_summary_is_that_of_the_job(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "testbeam/crystals.csv" in path.read_text():  # part of the config, as maps of noise are
        testbeam.write_testbeam("testbeam", 10)
    config = load_config(path)
    assert parse_config(public_config(config)).job() == config.job()


def test_maps_and_presets_are_those_of_the_job(job, tmp_path):
    content = job()
    np.save(tmp_path / "noise.npy", np.full((6, 8), 0.5))
    np.save(tmp_path / "mask.npy", np.eye(6, 8) > 0)
    maps = {"noise": str(tmp_path / "noise.npy"), "mask": str(tmp_path / "mask.npy")}
    content["datasets"] = {"toy": {"files": ["a.root:Events", {"b.root": "Events"}]}}
    content["grids"]["calo"] |= maps
    content["clusters"] = {"Jet": {"grid": ["calo"], "preset": "hexagon-7", "seed_threshold": "3 sigma"}}
    config = parse_config(content)
    assert parse_config(public_config(config)).job() == config.job()
    assert public_config(config)["datasets"]["toy"]["files"] == [{"a.root": "Events"}, {"b.root": "Events"}]


def summary_of(directory):
    return json.loads((Path(directory) / "summary.json").read_text())


def snapshot(directory):
    return {path: path.read_bytes() for path in Path(directory).rglob("*") if path.is_file()}


def test_merged_jobs_are_what_one_job_over_all_files_is(write_events, run_in, tmp_path):
    files = [write_events(f"{k}.root", 9 + k, k) for k in (1, 2, 3)]
    one = run_in("one", *files)
    jobs = [run_in("a", files[0]), run_in("b", *files[1:])]
    before = {path: content for job in jobs for path, content in snapshot(job).items()}
    result = merge(jobs, tmp_path / "all")
    assert content_of(tmp_path / "all") == content_of(one)
    assert written(tmp_path / "all") == count(*files)
    assert files_below(tmp_path / "all") == files_below(one)
    assert {path: content for job in jobs for path, content in snapshot(job).items()} == before
    assert result.summary["n_chunks"] == {"total": 6, "reused": 0}
    state = read_status(tmp_path / "all", verify=True)
    assert (state.n_chunks, state.damaged, state.summary) == (6, (), summary_of(tmp_path / "all"))


def test_a_dollar_in_a_path_is_no_variable_of_the_merged_job(write_events, run_in, tmp_path):
    file = write_events("run$12.root", 4, 1)
    result = merge([run_in("a", file.replace("$", "$$"))], tmp_path / "all")
    config = parse_config(json.loads((tmp_path / "all/summary.json").read_text())["config"])
    assert [each.path for each in find_files(config)["toy"]] == [file]
    assert result.summary["datasets"]["toy"]["files"][file]["processed"] == 4


def test_a_file_that_was_taken_out_of_a_job_is_none_of_the_merged_one(write_events, job, run_in, tmp_path):
    files = [write_events(f"{k}.root", 4, k) for k in (1, 2)]
    content = job(*files, output={"directory": str(tmp_path / "a"), "plots": False})
    run_job(content)
    run_job({**content, "datasets": job(files[0])["datasets"]}, discard_unused=True)
    result = merge([tmp_path / "a", run_in("b", write_events("3.root", 5, 3))], tmp_path / "all")
    assert result.summary["datasets"]["toy"]["n_events"] == 4 + 5
    assert [Path(file).name for file in result.summary["datasets"]["toy"]["files"]] == ["1.root", "3.root"]


def test_events_without_numbers_get_those_of_one_job(anonymous, run_in, tmp_path):
    files = [anonymous(f"{k}.root", 7 + k, k) for k in (1, 2, 3)]
    one = run_in("one", *files, events=None)
    jobs = [run_in(f"job{k}", file, events=None) for k, file in enumerate(files)]
    merge(jobs, tmp_path / "all")
    events = clusters_of(tmp_path / "all")
    assert events.luminosityBlock.to_list() == [1] * 8 + [2] * 9 + [3] * 10
    assert content_of(tmp_path / "all") == content_of(one)
    assert read_status(tmp_path / "all", verify=True).damaged == ()


def test_datasets_are_numbered_in_the_order_of_the_jobs(anonymous, run_in, tmp_path):
    files = [anonymous(f"{k}.root", 6, k) for k in (1, 2, 3)]
    datasets = [{name: {"files": {file: "Events"}}} for name, file in zip("xyx", files, strict=True)]
    jobs = [run_in(f"job{k}", events=None, datasets=each) for k, each in enumerate(datasets)]
    merge(jobs, tmp_path / "all")
    assert clusters_of(tmp_path / "all", "x").run.to_list() == [1] * 12
    assert clusters_of(tmp_path / "all", "x").luminosityBlock.to_list() == [1] * 6 + [2] * 6
    assert clusters_of(tmp_path / "all", "y").run.to_list() == [2] * 6


def test_one_job_goes_on_where_the_merge_ended(write_events, job, run_in, tmp_path):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2, 3)]
    merge([run_in("b", files[1]), run_in("a", files[0])], tmp_path / "all")
    content = job(*files, output={"directory": str(tmp_path / "all"), "plots": False})
    assert run_job(content).summary["n_chunks"]["reused"] == 4
    assert written(tmp_path / "all") == count(*files)


def test_a_merge_of_merges_has_every_event_once(anonymous, run_in, tmp_path):
    files = [anonymous(f"{k}.root", 6, k) for k in (1, 2, 3)]
    jobs = [run_in(f"job{k}", file, events=None) for k, file in enumerate(files)]
    merge(jobs[:2], tmp_path / "two")
    merge([tmp_path / "two", jobs[2]], tmp_path / "three")
    assert written(tmp_path / "three") == count(*files)


def test_a_merge_says_what_every_condition_left(write_events, run_in, tmp_path):
    """The events are numbered from 1000 and from 2000: 9 of 9, and 4 of 8, are at most 2003."""
    events = {"where": [{"branch": "event", "max": 2003}]}
    files = [write_events("1.root", 9, 1), write_events("2.root", 8, 2)]
    one = run_in("one", *files, events=events)
    jobs = [run_in(name, file, events=events) for name, file in zip("ab", files, strict=True)]
    account = merge(jobs, tmp_path / "all").summary["datasets"]["toy"]
    assert [step["entries"] for step in account["cut_flow"]["nominal"]] == [17, 13]
    assert account == summary_of(one)["datasets"]["toy"]
    assert "17 entries in = 13 written + 4 cut + 0 lost" in (tmp_path / "all/report.html").read_text()


def test_histograms_and_plots_of_the_merge_hold_the_events_of_all(write_events, job, one_histogram, tmp_path):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2)]
    for k, file in enumerate(files):
        output = {"directory": str(tmp_path / f"{k}"), "plots": True}
        run_job(job(file, output=output, histograms=one_histogram))
    result = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "all")
    assert result.histograms["toy"]["nJet"].sum(flow=True) == 18
    assert (tmp_path / "all/plots/toy-nJet.png").is_file()
    assert "18 entries in = 18 written + 0 cut + 0 lost" in (tmp_path / "all/report.html").read_text()


@pytest.mark.parametrize("way", ["copy", "same"])
def test_a_file_in_two_jobs_is_an_error_that_names_both(write_events, run_in, tmp_path, way):
    first = write_events("1.root", 9, 1)
    second = shutil.copyfile(first, tmp_path / "2.root") if way == "copy" else first
    jobs = [run_in("a", first), run_in("b", str(second))]
    with pytest.raises(ConfigError, match=r"toy: .*/a.*/b.*(twice|allow_duplicates)") as error:
        merge(jobs, tmp_path / "all")
    assert len(error.value.problems) == 1
    assert not (tmp_path / "all").exists()


def without_uuid(path):
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(data[47:63], bytes(16)))  # ROOT's file header: the UUID
    return path


def test_files_without_a_uuid_are_told_apart_by_their_content(write_events, run_in, tmp_path):
    first, second = (without_uuid(write_events(f"{k}.root", 9, k)) for k in (1, 2))
    third = str(shutil.copyfile(first, tmp_path / "3.root"))
    jobs = [run_in(name, file) for name, file in zip("abc", (first, second, third), strict=True)]
    merge(jobs[:2], tmp_path / "two")
    assert written(tmp_path / "two") == count(first, second)
    with pytest.raises(ConfigError, match=r"1\.root of .*a and .*3\.root of .*c have the same content"):
        merge(jobs, tmp_path / "all")


def test_duplicates_that_are_wanted_are_merged(anonymous, run_in, tmp_path):
    first = anonymous("1.root", 9, 1)
    second = str(shutil.copyfile(first, tmp_path / "2.root"))
    jobs = [
        run_in(name, events=None, datasets={"toy": {"files": {file: "Events"}, "allow_duplicates": True}})
        for name, file in (("a", first), ("b", second))
    ]
    assert merge(jobs, tmp_path / "all").summary["datasets"]["toy"]["n_events"] == 18


def test_different_files_of_one_relative_name_are_not_taken_for_one(write_events, job, tmp_path, monkeypatch):
    for k in (1, 2):
        write_events(f"{k}/data.root", 9, k)
        monkeypatch.chdir(tmp_path / f"{k}")
        run_job(job("data.root", output={"directory": "results", "plots": False}))
    with pytest.raises(ConfigError, match=r"different files data\.root: .*absolute"):
        merge([tmp_path / "1/results", tmp_path / "2/results"], tmp_path / "all")


def test_jobs_of_different_configs_are_refused_with_the_key(write_events, run_in, tmp_path):
    first, second = (write_events(f"{k}.root", 9, k) for k in (1, 2))
    jobs = [run_in("a", first), run_in("b", second, clusters={"Jet": {"grid": "calo", "seed_threshold": 4}})]
    with pytest.raises(ConfigError, match=r"Jet\.seed_threshold differs: 3 in .*/a, 4 in .*/b\)"):
        merge(jobs, tmp_path / "all")


def test_a_job_of_another_version_is_refused(write_events, run_in, tmp_path, monkeypatch):
    first = run_in("a", write_events("1.root", 9, 1))
    monkeypatch.setattr("hep_peaksum.results.manifest.version", lambda _: "9.9")
    monkeypatch.setattr("hep_peaksum.job.summary.version", lambda _: "9.9")
    other = run_in("b", write_events("2.root", 9, 2))
    with pytest.raises(ConfigError, match=r"the version of hep_peaksum differs"):
        merge([first, other], tmp_path / "all")
    with pytest.raises(ConfigError, match=r"is of hep_peaksum 9\.9, this is "):
        merge([other], tmp_path / "all")


def test_parts_of_different_types_are_refused_with_the_column(write_root, random_cells, run_in, tmp_path):
    numbers = {"run": np.full(6, 7, "u4"), "luminosityBlock": np.full(6, 1, "u4"), "event": np.arange(6)}
    jobs = [
        run_in(
            dtype,
            write_root(f"{dtype}.root", {"Events": {**numbers, "cells": random_cells(6, 1, dtype=dtype)}}),
        )
        for dtype in ("f4", "i4")
    ]
    with pytest.raises(ConfigError, match=r"differ in column Jet_peak_sum \(.*double.* and .*int64.*\)"):
        merge(jobs, tmp_path / "all")


def test_numbers_of_files_and_numbers_of_ours_are_not_mixed(write_events, anonymous, run_in, tmp_path):
    jobs = [
        run_in("a", write_events("1.root", 6, 1), events=None),
        run_in("b", anonymous("2.root", 6, 2), events=None),
    ]
    with pytest.raises(ConfigError, match=r"name them in events\.identify"):
        merge(jobs, tmp_path / "all")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("metadata", ({"k": 1}, {"k": 2})),
        ("cross_section", (2, 3)),
        ("k_factor", (1.5, None)),
        ("sum_of_weights", ("event", "run")),
    ],
)
def test_a_dataset_that_differs_is_refused_with_the_key(write_events, run_in, tmp_path, key, values):
    jobs = []
    for number, value in enumerate(values):
        keys = {"cross_section": 2, "sum_of_weights": "event"} | ({} if value is None else {key: value})
        dataset = {"files": {write_events(f"{number}.root", 6, number + 1): "Events"}, **keys}
        jobs.append(run_in(f"job{number}", datasets={"toy": dataset}, luminosity=30))
    with pytest.raises(ConfigError, match=rf"datasets\.toy: .*job0 and .*job1 differ in {key} \(") as error:
        merge(jobs, tmp_path / "all")
    assert len(error.value.problems) == 1


@pytest.mark.parametrize("given", [{"luminosity": 60}, {}])
def test_jobs_of_different_luminosities_are_refused(write_events, run_in, tmp_path, given):
    jobs = [
        run_in("a", write_events("1.root", 6, 1), luminosity=30),
        run_in("b", write_events("2.root", 6, 2), **given),
    ]
    value = given.get("luminosity")
    with pytest.raises(ConfigError, match=rf"/a and .*/b differ in luminosity \(30.* and {value}.*\): run one"):
        merge(jobs, tmp_path / "all")


def test_only_finished_jobs_are_merged(write_events, run_in, tmp_path):
    first = run_in("a", write_events("1.root", 9, 1))
    with pytest.raises(ValueError, match="not a results directory"):
        merge([first, tmp_path], tmp_path.parent / "elsewhere")
    (first / "summary.json").unlink()
    with pytest.raises(ValueError, match="is not finished"):
        merge([first], tmp_path / "all")


@pytest.mark.parametrize("damage", ["changed", "missing", "no record"])
def test_a_damaged_part_ends_the_merge(write_events, run_in, tmp_path, damage):
    first = run_in("a", write_events("1.root", 9, 1))
    part = min(first.rglob("*.parquet/*.parquet"))
    if damage == "changed":
        content = bytearray(part.read_bytes())
        content[100] ^= 1
        part.write_bytes(content)
    elif damage == "missing":
        part.unlink()
    else:
        (first / "toy/_chunks" / f"{part.stem}.json").unlink()
    words = r"(damaged|missing|holds 4 of the 9 events).*: run .*again, then merge"
    with pytest.raises(ValueError, match=words):
        merge([first], tmp_path / "all")
    assert not (tmp_path / "all/summary.json").exists()


def test_losses_are_those_of_all_jobs(write_events, run_in, tmp_path):
    good, bad = write_events("1.root", 9, 1), tmp_path / "2.root"
    bad.write_bytes(b"no ROOT file")
    options = {"chunksize": 5, "on_bad_file": "skip", "retries": 0}
    jobs = [run_in(name, file, run=options, events=None) for name, file in (("a", good), ("b", str(bad)))]
    result = merge(jobs, tmp_path / "all")
    assert [loss["file"] for loss in result.losses] == [str(bad)]
    assert result.summary["datasets"]["toy"]["n_events"] == 9
    identities = [
        json.loads((each / "summary.json").read_text())["identity"] for each in (jobs[0], tmp_path / "all")
    ]
    assert identities[0] == identities[1]  # the file that nobody has read says nothing of it


def test_an_interrupted_merge_is_continued(write_events, run_in, tmp_path, monkeypatch):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2)]
    jobs = [run_in(name, file) for name, file in zip("ab", files, strict=True)]
    copies = []

    def copy(directory, chunk, part, record):
        if len(copies) == 3:
            raise KeyboardInterrupt
        copies.append(chunk)
        real(directory, chunk, part, record)

    real = merging.commit_copy
    monkeypatch.setattr(merging, "commit_copy", copy)
    with pytest.raises(KeyboardInterrupt):
        merge(jobs, tmp_path / "all")
    with pytest.raises(KeyboardInterrupt):  # nothing that is there is copied again
        merge(jobs, tmp_path / "all")
    monkeypatch.setattr(merging, "commit_copy", real)
    merge(jobs, tmp_path / "all")
    assert len(copies) == 3
    assert written(tmp_path / "all") == count(*files)


def test_results_of_others_are_replaced_only_with_restart(write_events, run_in, tmp_path):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2, 3)]
    jobs = [run_in(name, file) for name, file in zip("abc", files, strict=True)]
    merge(jobs[:2], tmp_path / "all")
    before = snapshot(tmp_path / "all")
    with pytest.raises(ConfigError, match=r"holds the results of other files: .*--restart"):
        merge(jobs, tmp_path / "all")
    assert snapshot(tmp_path / "all") == before
    merge(jobs, tmp_path / "all", restart=True)
    assert written(tmp_path / "all") == count(*files)


def test_a_job_that_has_grown_is_merged_again(write_events, job, run_in, tmp_path):
    file = write_events("1.root", 19, 1)
    content = job(file, output={"directory": str(tmp_path / "a"), "plots": False})
    run_job(content, max_events=5)
    merge([tmp_path / "a"], tmp_path / "all")
    run_job({**content, "run": {"chunksize": 10}})
    merge([tmp_path / "a"], tmp_path / "all")  # the same file: what is new is added
    assert written(tmp_path / "all") == count(file)


@pytest.mark.parametrize("place", ["a", "a/toy", "."])
def test_results_do_not_lie_in_what_is_merged(write_events, run_in, tmp_path, place):
    first = run_in("a", write_events("1.root", 9, 1))
    with pytest.raises(ConfigError, match="lie in one another"):
        merge([first], tmp_path / place)


def test_a_job_given_twice_is_refused(write_events, run_in, tmp_path):
    first = run_in("a", write_events("1.root", 9, 1))
    with pytest.raises(ConfigError, match="is given twice"):
        merge([first, tmp_path / "." / "a"], tmp_path / "all")


def test_a_cycle_of_a_tree_that_another_job_has_read_is_refused(write_events, run_in, tmp_path):
    file = write_events("1.root", 9, 1)
    trees = {"a": "Events", "b": "Events;1"}
    jobs = [run_in(name, file, datasets={"toy": {"files": {file: tree}}}) for name, tree in trees.items()]
    with pytest.raises(ConfigError, match=r"1\.root of .*a and .*1\.root of .*b have the same content"):
        merge(jobs, tmp_path / "all")


def test_input_files_that_are_gone_are_not_needed(write_events, run_in, tmp_path):
    files = [write_events(f"{k}.root", 9, k) for k in (1, 2)]
    jobs, counted = [run_in(name, file) for name, file in zip("ab", files, strict=True)], count(*files)
    for file in files:
        Path(file).unlink()
    merge(jobs, tmp_path / "all")
    assert written(tmp_path / "all") == counted


@pytest.mark.parametrize("way", ["runs again", "has another summary"])
def test_a_job_that_changes_meanwhile_gives_no_results(write_events, run_in, tmp_path, monkeypatch, way):
    first = run_in("a", write_events("1.root", 9, 1))
    real = merging.write_results

    def change(*arguments):
        real(*arguments)
        if way == "runs again":  # a run removes the summary first
            (first / "summary.json").unlink()
        else:
            write_summary(first, summary_of(first) | {"hints": ["another"]})

    monkeypatch.setattr(merging, "write_results", change)
    with pytest.raises((RuntimeError, ValueError), match=r"(has changed|is not finished)"):
        merge([first], tmp_path / "all")
    assert not (tmp_path / "all/summary.json").exists()


def test_a_summary_that_is_of_another_job_than_its_manifest_is_refused(write_events, run_in, tmp_path):
    jobs = [run_in(name, write_events(f"{name}.root", 4, seed)) for seed, name in enumerate("ab")]
    summary = summary_of(jobs[0])
    summary["config"]["clusters"]["Jet"]["settings"]["max_clusters"] = 1
    write_summary(jobs[0], summary)
    with pytest.raises(ValueError, match=r"a/summary.json is not of the job of its manifest: run its command"):
        merge(jobs, tmp_path / "merged")


def test_chunks_of_no_job_end_the_merge_which_is_not_finished_then(write_events, run_in, tmp_path):
    jobs, merged = [run_in("a", write_events("a.root", 4, 1))], tmp_path / "merged"
    merge(jobs, merged)
    (record,) = (merged / "toy/_chunks").glob("*.json")
    shutil.copy(record, record.with_name(record.name.replace("000001", "000009", 1)))
    with pytest.raises(ConfigError, match=r"merged holds chunks of none of these jobs \(1\)"):
        merge(jobs, merged)
    assert read_status(merged).summary is None
