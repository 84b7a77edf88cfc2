"""Records that are brought together, some hundred in a file: nothing about a folder changes for a run."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from finished_jobs import run_job
from plain_count import count, written

from hep_peaksum.cli.main import cli
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.results import chunk_files
from hep_peaksum.results.chunk_files import bring_together, dataset_folders, part_paths, recorded_chunks
from hep_peaksum.results.folder import changed_files, take_changed
from hep_peaksum.results.manifest import Manifest, read_manifest

N_CHUNKS = 7


@pytest.fixture(autouse=True)
def three_in_a_file(monkeypatch):
    monkeypatch.setattr(chunk_files, "RECORDS_PER_FILE", 3)


@pytest.fixture
def two_files(write_events):
    return [write_events("a.root", 16, 1), write_events("b.root", 12, 2)]


@pytest.fixture
def finished(two_files, job):
    """Return the content of a job of seven chunks, of which six have their records together."""
    content = job(*two_files, run={"chunksize": 4})
    run_job(content)
    assert names(content) == ["part-000002-000000000008-000000000012", "records-000001", "records-000002"]
    return content


def folder(content):
    return Path(content["output"]["directory"])


def names(content):
    return sorted(path.stem for path in (folder(content) / "toy/_chunks").iterdir())


def test_records_that_are_moved_while_they_are_listed_are_not_damaged(finished, monkeypatch):
    """A run that ends moves them into a file of many, which is read after the files of single ones."""
    directory, glob = folder(finished), Path.glob
    records = chunk_files.checked_records(directory, "toy")
    monkeypatch.setattr(Path, "glob", lambda path, pattern: list(glob(path, pattern)))
    alone = directory / "toy/_chunks/part-000002-000000000008-000000000012.json"
    line, listed = alone.read_bytes(), Path.is_file

    def moved(path):
        if path == alone and alone.exists():
            (directory / "toy/_chunks/records-000003.jsonl").write_bytes(line)
            alone.unlink()
            return True
        return listed(path)

    monkeypatch.setattr(Path, "is_file", moved)
    assert [type(result) for _, result in records] == [chunk_files.Record] * N_CHUNKS


def test_records_that_are_together_count_as_before(finished, two_files):
    again = run_job(finished)
    assert again.summary["n_chunks"] == {"total": N_CHUNKS, "reused": N_CHUNKS}
    assert again.histograms["toy"]["nJet"].sum(flow=True) == 28
    assert written(folder(finished)) == count(*two_files)
    status = CliRunner().invoke(cli, ["status", "--verify", str(folder(finished))])
    assert (status.exit_code, f"{N_CHUNKS} chunks" in status.output) == (0, True)


@pytest.mark.parametrize("place", [30, 200, -40], ids=["in_the_name", "in_the_counts", "in_the_checksum"])
def test_a_line_that_was_damaged_is_redone_and_the_others_stay(finished, two_files, place):
    path = folder(finished) / "toy/_chunks/records-000001.jsonl"
    lines = path.read_bytes().split(b"\n")
    damaged = bytearray(lines[1])
    damaged[place] ^= 4
    path.write_bytes(b"\n".join([lines[0], damaged, lines[2]]))
    assert run_job(finished).summary["n_chunks"] == {"total": N_CHUNKS, "reused": N_CHUNKS - 1}
    assert written(folder(finished)) == count(*two_files)
    assert run_job(finished).summary["n_chunks"]["reused"] == N_CHUNKS


@pytest.mark.parametrize("content", [b"", b"\n\n", bytes(range(256))], ids=["empty", "blank", "binary"])
def test_a_file_of_records_that_was_destroyed_costs_its_chunks_only(finished, two_files, content):
    (folder(finished) / "toy/_chunks/records-000001.jsonl").write_bytes(content)
    assert run_job(finished).summary["n_chunks"]["reused"] == N_CHUNKS - 3
    assert written(folder(finished)) == count(*two_files)


def test_a_damaged_part_is_redone_and_its_newest_record_counts(finished, two_files):
    part = folder(finished) / "toy/clusters.parquet/part-000001-000000000000-000000000004.parquet"
    part.write_bytes(b"")
    assert run_job(finished).summary["n_chunks"]["reused"] == N_CHUNKS - 1
    assert written(folder(finished)) == count(*two_files)
    assert run_job(finished).summary["n_chunks"]["reused"] == N_CHUNKS
    status = CliRunner().invoke(cli, ["status", "--verify", str(folder(finished))])
    assert (status.exit_code, f"{N_CHUNKS} chunks" in status.output) == (0, True)


def test_a_kill_before_the_single_records_are_removed_changes_nothing(two_files, job, monkeypatch):
    content = job(*two_files, run={"chunksize": 4})
    monkeypatch.setattr(chunk_files, "RECORDS_PER_FILE", 1000)
    run_job(content)
    shutil.copytree(folder(content) / "toy/_chunks", folder(content).parent / "backup")
    monkeypatch.setattr(chunk_files, "RECORDS_PER_FILE", 3)
    bring_together(folder(content), "toy")
    shutil.copytree(folder(content).parent / "backup", folder(content) / "toy/_chunks", dirs_exist_ok=True)
    assert len(recorded_chunks(folder(content), "toy")) == N_CHUNKS
    assert len([*chunk_files.checked_records(folder(content), "toy")]) == N_CHUNKS
    again = run_job(content)
    assert again.summary["n_chunks"] == {"total": N_CHUNKS, "reused": N_CHUNKS}
    assert again.histograms["toy"]["nJet"].sum(flow=True) == 28
    assert written(folder(content)) == count(*two_files)


def test_an_input_that_changed_takes_its_own_records_only(finished, two_files, write_events):
    write_events("a.root", 16, 3)
    assert run_job(finished, redo_changed=True).summary["n_chunks"] == {"total": N_CHUNKS, "reused": 3}
    assert written(folder(finished)) == count(*two_files)


def test_of_inputs_of_which_only_reading_shows_that_they_changed_chunks_are_kept_or_taken(finished, two_files):
    directory = folder(finished)
    manifest = Manifest(directory, parse_config(finished), read_manifest(directory).datasets)
    changed = [("toy", two_files[0]), ("toy", "elsewhere.root")]
    with pytest.raises(ConfigError) as error:
        take_changed(manifest, changed, redo=False)
    assert f"{directory} holds results of {two_files[0]} as it was before it changed: add" in str(error.value)
    assert len(recorded_chunks(directory, "toy")) == N_CHUNKS
    take_changed(manifest, changed[1:], redo=False)  # of no chunk that is here
    take_changed(manifest, changed, redo=True)
    assert [chunk.file_number for chunk in recorded_chunks(directory, "toy")] == [2, 2, 2]


def test_of_many_inputs_that_changed_some_are_named():
    names = [f"{k}.root" for k in range(9)]
    assert changed_files(names[:5]).startswith(
        "holds results of 0.root, 1.root, 2.root, 3.root, 4.root as it was before"
    )
    assert changed_files(names).startswith(
        "holds results of 0.root, 1.root, 2.root, 3.root, 4.root and 4 more as"
    )


def test_chunks_that_are_discarded_lose_their_records(finished, two_files):
    result = run_job(finished, max_events=12, discard_unused=True)
    assert result.summary["n_chunks"] == {"total": 3, "reused": 3}
    assert written(folder(finished)) == count(*two_files, most=12)
    assert len(recorded_chunks(folder(finished), "toy")) == 3


def test_a_restart_removes_them_and_nothing_of_others(finished, two_files):
    foreign = folder(finished) / "toy/_chunks/records-mine.jsonl"
    foreign.write_text("mine")
    run_job(finished, restart=True)
    assert foreign.read_text() == "mine"
    assert written(folder(finished)) == count(*two_files)
    assert [name for name in names(finished) if "records" in name] == [
        "records-000001",
        "records-000002",
        "records-mine",
    ]


def test_the_last_records_are_brought_together_if_they_fill_a_file(write_events, job):
    content = job(write_events("a.root", 24), run={"chunksize": 4})
    run_job(content)
    assert names(content) == ["records-000001", "records-000002"]


def test_parts_are_in_event_order_whatever_that_of_the_file_system(tmp_path):
    names = [f"part-{number:06}-000000000000-000000000004.parquet" for number in range(1, 40)]
    folder = tmp_path / "toy/clusters.parquet"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    assert [path.name for path in part_paths(tmp_path, "toy")] == names


def test_datasets_are_in_the_order_of_their_names_whatever_that_of_the_file_system(tmp_path, monkeypatch):
    for name in ("b/clusters.parquet", "a/_chunks", "plots", "c/clusters.parquet", "d/others"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: sorted(glob(path, pattern), reverse=True))
    assert dataset_folders(tmp_path) == ["a", "b", "c"]
