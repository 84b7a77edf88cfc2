"""`parts`: the files of a finished job, in event order, for readers that take no folder."""

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from finished_jobs import run_job, write_summary

import hep_peaksum as ps
from hep_peaksum.merging.merge import merge
from hep_peaksum.report.page import write_report
from hep_peaksum.results.atomic_write import seal
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.status import read_status


@pytest.fixture
def directory(write_events, job):
    datasets = {
        name: {"files": {write_events(f"{name}{k}.root", 7, k): "Events" for k in seeds}}
        for name, seeds in {"toy": (1, 2), "other": (3,)}.items()
    }
    return run_job(job(datasets=datasets, run={"chunksize": 4})).directory


def test_parts_are_in_event_order(directory):
    parts = ps.parts(directory, "toy")
    events = [event for part in parts for event in pq.read_table(part)["event"].to_pylist()]
    assert events == [*range(1000, 1007), *range(2000, 2007)]
    assert len(parts) == 4
    assert parts == ps.parts(str(directory), dataset="toy")
    assert [Path(part).parts[-3] for part in parts] == ["toy"] * 4
    assert [Path(part).parts[-3] for part in ps.parts(directory, "other")] == ["other"] * 2
    assert all(isinstance(part, str) for part in parts)


def test_the_dataset_is_named_unless_it_is_the_only_one(directory, write_events, job, tmp_path):
    with pytest.raises(ValueError, match="has the datasets toy, other: name one of them"):
        ps.parts(directory)
    with pytest.raises(ValueError, match=r"no dataset 'tyo' \(did you mean 'toy'\?\); there are toy, other"):
        ps.parts(directory, "tyo")
    output = {"directory": str(tmp_path / "single"), "plots": False}
    single = run_job(job(write_events("a.root", 7, 1), output=output)).directory
    assert [part.rpartition("/")[2] for part in ps.parts(single)] == [
        "part-000001-000000000000-000000000007.parquet"
    ]


def test_parts_are_those_of_a_finished_job(directory, tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        ps.parts(tmp_path / "nothing")
    with pytest.raises(ValueError, match="a file, not a folder of results: name the"):
        ps.parts(directory / "summary.json")
    (directory / "summary.json").unlink()
    with pytest.raises(ValueError, match="is not finished"):
        ps.parts(directory, "toy")


WRONG = [
    ("datasets.toy.n_events", None),
    ("datasets.other.n_events", None),
    ("datasets.toy.files", []),
    ("datasets.toy.n_clusters.Cluster", "many"),
    ("datasets.toy.normalisation", {}),
    ("config.datasets", None),
    ("config.events", []),
    ("versions", None),
    ("losses", [{"dataset": "toy"}]),
    ("n_chunks.reused", None),
    ("seconds", {}),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=[key for key, _ in WRONG])
def test_a_summary_that_lacks_something_is_damaged(directory, key, value):
    path = directory / "summary.json"
    content = place = json.loads(path.read_text())
    *above, last = key.split(".")
    for part in above:
        place = place[part]
    place[last] = value
    write_summary(directory, content)
    with pytest.raises(ValueError, match=r"summary\.json is damaged: run the same command again"):
        ps.parts(directory, "toy")


def test_a_summary_that_was_edited_is_damaged_and_one_of_an_older_folder_is_read(directory):
    path = directory / "summary.json"
    path.write_text(path.read_text().replace('"n_events": 14', '"n_events": 41'))
    with pytest.raises(ValueError, match=r"summary\.json is damaged: run the same command again"):
        ps.parts(directory, "toy")
    manifest = json.loads((directory / "manifest.json").read_text())
    del manifest["xxh3"], manifest["checksums"]
    (directory / "manifest.json").write_bytes(seal(json.dumps(manifest).encode()))
    assert len(ps.parts(directory, "toy")) == 4


def test_histograms_that_were_edited_are_told(directory):
    with (directory / "histograms.root").open("ab") as file:
        file.write(b"more")
    assert read_status(directory).damaged == ()
    damage = f"{directory / 'histograms.root'}: it is not what was written"
    assert read_status(directory, verify=True).damaged == (damage,)
    with pytest.raises(ValueError, match=r"histograms\.root is damaged: run the same command again"):
        write_report(directory)


@pytest.mark.parametrize("share", [0, 1], ids=["empty", "zeroed"])
def test_a_damaged_part_is_named_by_the_report_and_the_merge(directory, tmp_path, share):
    part = Path(ps.parts(directory, "toy")[0])
    part.write_bytes(bytes(share * part.stat().st_size))
    named = rf"^{re.escape(str(part))}: the part cannot be read \(.*\): run the command of its job again"
    with pytest.raises(ValueError, match=named):
        write_report(directory)
    shutil.copytree(directory, tmp_path / "other")
    with pytest.raises(ValueError, match=named):
        merge([directory, tmp_path / "other"], tmp_path / "all")


def test_of_a_part_that_changes_while_it_is_copied_the_source_is_named(directory, tmp_path, monkeypatch):
    def spoil(source, file, _):
        content = source.read()
        file.write(content[:-1] + b"?")
        Path(source.name).write_bytes(content[:-1] + b"?")

    monkeypatch.setattr("hep_peaksum.results.checkpoints.shutil.copyfileobj", spoil)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(directory))}/.*: the part is damaged"):
        merge([directory], tmp_path / "merged")


def test_a_copy_that_came_out_otherwise_is_removed(directory, tmp_path, monkeypatch):
    def copy_half(source, file, _):
        file.write(source.read(100))

    monkeypatch.setattr("hep_peaksum.results.checkpoints.shutil.copyfileobj", copy_half)
    with pytest.raises(ValueError, match="part"):
        merge([directory], tmp_path / "merged")
    assert not [*(tmp_path / "merged").rglob("part-*")]


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("part-000001-000000000000-000000000100", True),
        ("part-1234567-000000000000-000000000100", True),
        ("part-0000001-000000000000-000000000100", False),  # no number is written so
        ("part-000001-0000000000000-000000000100", False),
        ("part-1-0-100", False),
    ],
)
def test_a_chunk_has_one_name(name, is_ours):
    assert (Chunk.of_name("toy", name) is not None) == is_ours
