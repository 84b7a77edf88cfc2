"""Finished work: nothing is lost without a word, and nothing stale is used again."""

import json
import shutil
from pathlib import Path

import pytest
from plain_count import count, written

from hep_peaksum.config.formats import FORMATS, PICTURES
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job import run as running
from hep_peaksum.job.run import run
from hep_peaksum.results.atomic_write import seal
from hep_peaksum.results.status import read_status

pytestmark = pytest.mark.slow  # together they take many seconds

# What a manifest may hold after an accident.
BROKEN_MANIFESTS = {
    "missing": None,
    "empty": b"",
    "truncated": b'{"fingerprint": "0123", "datasets": {"to',
    "binary": bytes(range(256)),
    "a_list": b"[1, 2]",
    "a_number": b"3",
    "datasets_is_a_list": seal(b'{"fingerprint": "x", "datasets": []}'),
    "a_dataset_is_text": seal(b'{"fingerprint": "x", "datasets": {"toy": "text"}}'),
    "files_is_a_number": seal(b'{"fingerprint": "x", "datasets": {"toy": {"number": 1, "files": 3}}}'),
    "a_file_is_null": seal(
        b'{"fingerprint": "x", "datasets": {"toy": {"number": 1, "files": {"a.root": null}}}}'
    ),
}


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


def parts_of(content, dataset="toy"):
    return sorted((folder(content) / dataset / "clusters.parquet").glob("part-*.parquet"))


def snapshot(directory):
    """Return every file below a folder with its content."""
    return {str(path): path.read_bytes() for path in Path(directory).rglob("*") if path.is_file()}


@pytest.fixture
def two_files(write_events):
    return [write_events("a.root", 12, 1), write_events("b.root", 8, 2)]


@pytest.fixture
def finished(two_files, job):
    """Return the content of a job of five chunks that has been run."""
    content = job(*two_files, run={"chunksize": 4})
    run_job(content)
    return content


# ------------------------------------------------------------------------------------------- starting over


@pytest.mark.parametrize("broken", BROKEN_MANIFESTS.values(), ids=BROKEN_MANIFESTS)
def test_restart_works_whatever_became_of_the_manifest(finished, two_files, broken):
    manifest = folder(finished) / "manifest.json"
    manifest.unlink()
    if broken is not None:
        manifest.write_bytes(broken)
    run_job(finished, restart=True)
    assert written(folder(finished)) == count(*two_files)


@pytest.mark.parametrize("broken", BROKEN_MANIFESTS.values(), ids=BROKEN_MANIFESTS)
def test_a_broken_manifest_is_one_line_that_advises_restart(finished, broken):
    manifest = folder(finished) / "manifest.json"
    manifest.unlink()
    if broken is not None:
        manifest.write_bytes(broken)
    before = snapshot(folder(finished))
    with pytest.raises(ConfigError, match=r"output\.directory.*--restart") as refused:
        run_job(finished)
    assert len(refused.value.problems) == 1
    assert snapshot(folder(finished)) == before


def test_a_manifest_that_was_edited_is_not_believed(finished, two_files):
    manifest = folder(finished) / "manifest.json"
    text = manifest.read_text()
    assert '"n_entries":12' in text
    manifest.write_text(text.replace('"n_entries":12', '"n_entries":4'))
    with pytest.raises(ConfigError, match=r"manifest\.json is damaged.*--restart"):
        run_job(finished)
    run_job(finished, restart=True)
    assert written(folder(finished)) == count(*two_files)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("name", ["manifest.json", "summary.json", "histograms.root", "toy/clusters.root"])
def test_a_folder_where_a_file_belongs_is_one_line(two_files, job, name, restart):
    content = job(*two_files)
    content["output"]["clusters"] = ["parquet", "ttree"]
    (folder(content) / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match=rf"output\.directory: .*{name}: rename it, or choose") as refused:
        run_job(content, restart=restart)
    assert len(refused.value.problems) == 1
    (folder(content) / name).rename(folder(content) / "renamed")
    run_job(content, restart=restart)
    assert written(folder(content)) == count(*two_files)


def test_restart_removes_plots_and_forms_that_no_longer_belong(two_files, job, one_histogram, tmp_path):
    forms = {"directory": str(tmp_path / "results"), "clusters": [*FORMATS], "plots": [*PICTURES]}
    run_job(job(*two_files, output=forms, histograms=one_histogram))
    plots = tmp_path / "results/plots"
    assert {path.suffix for path in plots.iterdir()} == {".png", ".pdf", ".svg"}
    mine = {"mine.png": b"\x89PNG\r\n\x1a\n of another program", "text.png": b"no picture, by hep_peaksum"}
    for name, content in mine.items():
        (tmp_path / "results/plots" / name).write_bytes(content)
    later = job(*two_files, output={**forms, "clusters": ["parquet"], "plots": False}, histograms=one_histogram)
    run_job(later, restart=True)
    assert not list((tmp_path / "results").glob("toy/clusters*.root"))
    left = {path.name: path.read_bytes() for path in (tmp_path / "results/plots").iterdir()}
    assert left == mine


# ------------------------------------------------------------------------------------------- changed inputs


def test_a_truncated_input_may_be_repaired_and_the_same_command_goes_on(two_files, job):
    whole = Path(two_files[1]).read_bytes()
    Path(two_files[1]).write_bytes(whole[: len(whole) // 20])
    content = job(*two_files, run={"chunksize": 4, "on_bad_file": "skip"})
    assert len(run_job(content).losses) == 1
    Path(two_files[1]).write_bytes(whole)
    result = run_job(content)
    assert (result.losses, result.summary["n_chunks"]["reused"]) == ([], 3)
    assert written(folder(content)) == count(*two_files)


def test_a_truncated_input_that_stopped_the_job_may_be_repaired(two_files, job):
    whole = Path(two_files[0]).read_bytes()
    Path(two_files[0]).write_bytes(whole[: len(whole) // 20])
    content = job(*two_files)
    with pytest.raises(RuntimeError):
        run_job(content)
    Path(two_files[0]).write_bytes(whole)
    run_job(content)
    assert written(folder(content)) == count(*two_files)


def test_an_input_made_anew_is_redone_alone_if_that_is_asked_for(finished, two_files, write_events):
    write_events("b.root", 9, 5)
    before = snapshot(folder(finished))
    with pytest.raises(ConfigError, match=r"b\.root.*changed.*--redo-changed"):
        run_job(finished)
    assert snapshot(folder(finished)) == before
    result = run_job(finished, redo_changed=True)
    assert result.summary["n_chunks"]["reused"] == 3
    assert written(folder(finished)) == count(*two_files)


def test_a_replaced_input_of_the_same_size_and_time_is_noticed(finished, two_files, write_events):
    path = Path(two_files[1])
    state = path.stat()
    write_events("b.root", 8, 7)
    data = path.read_bytes()
    path.write_bytes(data[: state.st_size] + b"\0" * (state.st_size - len(data)))
    import os

    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ConfigError, match=r"b\.root.*changed"):
        run_job(finished)


def test_the_results_of_another_version_are_refused(finished, two_files, monkeypatch):
    before = snapshot(folder(finished))
    with monkeypatch.context() as patched:
        patched.setattr("hep_peaksum.results.manifest.version", lambda _: "0.0.1")
        with pytest.raises(
            ConfigError, match=r"another config \(the version of hep_peaksum differs\): .*--restart"
        ):
            run_job(finished)
        assert snapshot(folder(finished)) == before
        assert run_job(finished, restart=True).summary["n_chunks"]["reused"] == 0
    assert written(folder(finished)) == count(*two_files)


# ------------------------------------------------------------------------------------ nothing is lost unasked


@pytest.mark.parametrize("chunksize", [1, 3, 5, 100])
def test_finished_chunks_are_kept_with_another_chunk_size(two_files, job, chunksize):
    content = job(*two_files, run={"chunksize": 4})
    run_job(content, max_events=8)
    first = {path: path.stat().st_mtime_ns for path in parts_of(content)}
    assert first
    run_job({**content, "run": {"chunksize": chunksize}})
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert written(folder(content)) == count(*two_files)


def test_fewer_events_than_are_finished_are_refused_with_the_choice(finished):
    before = snapshot(folder(finished))
    with pytest.raises(ConfigError, match=r"finished.*--discard-unused") as refused:
        run_job(finished, max_events=3)
    assert len(refused.value.problems) == 1
    assert snapshot(folder(finished)) == before


def test_finished_chunks_that_are_not_used_go_if_that_is_asked_for(finished, two_files):
    run_job(finished, max_events=8, discard_unused=True)
    assert written(folder(finished)) == count(two_files[0], most=8)


def test_a_dataset_taken_out_of_the_config_is_not_deleted_unasked(two_files, job):
    datasets = {"toy": {"files": {two_files[0]: "Events"}}, "other": {"files": {two_files[1]: "Events"}}}
    content = job(*two_files, datasets=datasets)
    run_job(content)
    content["datasets"] = {"toy": datasets["toy"]}
    before = snapshot(folder(content))
    with pytest.raises(ConfigError, match=r"other.*--discard-unused"):
        run_job(content)
    assert snapshot(folder(content)) == before
    run_job(content, discard_unused=True)
    assert written(folder(content)) == count(two_files[0])
    assert not parts_of(content, "other")


def test_a_file_taken_out_of_the_config_is_not_deleted_unasked(finished, two_files):
    finished["datasets"]["toy"]["files"].pop(two_files[1])
    before = snapshot(folder(finished))
    with pytest.raises(ConfigError, match=r"b\.root.*--discard-unused"):
        run_job(finished)
    assert snapshot(folder(finished)) == before


FOREIGN = [
    "toy/clusters.parquet/part-mine.parquet",
    "toy/clusters.parquet/notes.txt",
    "toy/_chunks/part-1.json",
]
FOREIGN += [
    ".notes.tmp",
    "toy/.draft.tmp",
    "toy/clusters.parquet/.part.tmp",
    "mine/clusters.root",
    "mine/a.txt",
]


@pytest.mark.parametrize("restart", [False, True], ids=["again", "restart"])
def test_foreign_files_are_never_removed(finished, two_files, restart):
    for name in FOREIGN:
        path = folder(finished) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not of this program")
    run_job(finished, restart=restart)
    assert [name for name in FOREIGN if not (folder(finished) / name).is_file()] == []
    (folder(finished) / FOREIGN[0]).unlink()
    assert written(folder(finished)) == count(*two_files)


def test_a_part_of_ours_without_a_record_is_told_and_made_anew(finished, two_files, caplog):
    part = parts_of(finished)[2]
    record = folder(finished) / "toy/_chunks" / f"{part.stem}.json"
    record.unlink()
    with caplog.at_level("INFO", logger="hep_peaksum"):
        run_job(finished)
    assert part.name in caplog.text
    assert written(folder(finished)) == count(*two_files)


def test_a_failed_first_run_does_not_bind_the_folder_to_its_config(two_files, job):
    content = job(*two_files)
    content["grids"]["calo"]["dense"]["shape"] = [8, 6]
    content["grids"]["calo"]["rows"]["bins"], content["grids"]["calo"]["cols"]["bins"] = 8, 6
    with pytest.raises(RuntimeError):
        run_job(content)
    other = job(*two_files)
    run_job(other)
    assert written(folder(other)) == count(*two_files)


def test_numbers_of_files_are_only_ever_appended(finished, two_files, write_events):
    third = write_events("c.root", 5, 3)
    finished["datasets"]["toy"]["files"] = {third: "Events", **finished["datasets"]["toy"]["files"]}
    run_job(finished)
    files = json.loads((folder(finished) / "manifest.json").read_text())["datasets"]["toy"]["files"]
    assert {Path(path).name: trees["Events"]["number"] for path, trees in files.items()} == {
        "a.root": 1,
        "b.root": 2,
        "c.root": 3,
    }
    assert written(folder(finished)) == count(*two_files, third)


def test_a_folder_that_was_copied_goes_on(finished, two_files, tmp_path):
    shutil.copytree(folder(finished), tmp_path / "copy")
    finished["output"]["directory"] = str(tmp_path / "copy")
    assert run_job(finished).summary["n_chunks"]["reused"] == 5


def test_a_manifest_that_was_deleted_while_the_job_ran_is_written_anew(write_events, job, monkeypatch):
    content = job(write_events("a.root", 6))
    real = running.write_results

    def delete(*arguments):
        (folder(content) / "manifest.json").unlink()
        real(*arguments)

    monkeypatch.setattr(running, "write_results", delete)
    run_job(content)
    assert read_status(folder(content)).unfinished == {"toy": (1, 1, 6)}
