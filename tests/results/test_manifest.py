"""What a results folder remembers of its input files, and when it is theirs no more."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from hep_peaksum.config.load import parse_config
from hep_peaksum.inputs.paths import InputFile
from hep_peaksum.results.atomic_write import unseal
from hep_peaksum.results.manifest import (
    LOSSES,
    FileEntry,
    InputMeta,
    Manifest,
    ManifestError,
    read_manifest,
)

REMOTE = "https://site/far.root"
FAR = InputMeta("far", REMOTE, "Events")


@pytest.fixture
def paths(write_events):
    return [write_events("a.root", 4), write_events("b.root", 5)]


@pytest.fixture
def files(paths):
    """Two trees of a file, a tree of another, and a remote one of a second dataset."""
    toy = [InputFile(paths[0], "Events"), InputFile(paths[0], "Cosmics"), InputFile(paths[1], "Events")]
    return {"toy": toy, "far": [InputFile(REMOTE, "Events")]}


@pytest.fixture
def manifest(tmp_path, job, paths, files):
    made = Manifest(tmp_path, parse_config(job(*paths)), {})
    assert made.file_metadata(files) == {}  # nothing is known before a file is opened
    return made


def found(uuid, n_entries, **more):
    return {"uuid": uuid.bytes, "numentries": n_entries, **more}


def test_files_are_numbered_in_their_order_and_keep_their_numbers(manifest, paths, files):
    expected = [("toy", 1), ("toy", 2), ("toy", 3), ("far", 1)]
    for _ in range(2):
        assert [(name, entry.number) for name, _, _, entry in manifest.entries(files)] == expected
    assert manifest.numbers("toy", paths[0], "Cosmics") == (1, 2)
    assert manifest.numbers("far", REMOTE, "Events") == (2, 1)
    assert manifest.file_numbers("toy", paths[0]) == {1, 2}
    assert manifest.file_numbers("toy", "elsewhere.root") == set()
    other = [*manifest.entries({"toy": [InputFile("new.root", "Events")]})]
    assert [entry.number for _, _, _, entry in other] == [4]


def test_a_local_file_that_was_opened_is_known_and_a_remote_one_is_opened_again(manifest, paths, files):
    local, one, two = InputMeta("toy", paths[0], "Events"), UUID(int=7), UUID(int=8)
    assert manifest.add_metadata({local: found(one, 4), FAR: found(two, 9)}) == []
    status = Path(paths[0]).stat()
    known = {
        "numentries": 4, "uuid": one.bytes, "state": (status.st_size, status.st_mtime_ns),
        "n_bytes": status.st_size, "types": {}, "encodings": {},
    }  # fmt: skip
    assert manifest.file_metadata(files) == {local: known}
    far = {**known, "numentries": 9, "uuid": two.bytes, "state": None, "n_bytes": None}
    assert manifest.known_metadata("far", REMOTE, "Events") == far
    assert manifest.known_metadata("toy", paths[0], "Cosmics") is None
    assert manifest.known_metadata("toy", "elsewhere.root", "Events") is None


def test_a_remote_file_that_is_another_one_now_is_told(manifest):
    one, two = UUID(int=7), UUID(int=8)
    place = ("far", REMOTE)
    assert manifest.add_metadata({FAR: found(one, 9)}) == []
    assert manifest.add_metadata({FAR: found(one, 9)}) == []
    assert manifest.add_metadata({FAR: found(two, 9)}) == [place]
    assert manifest.add_metadata({FAR: found(two, 8)}) == [place]
    unknown = InputMeta("far", "https://site/other.root", "Events")
    assert manifest.add_metadata({FAR: found(one, 1, **{LOSSES: None}), unknown: found(one, 1)}) == []
    assert manifest.known_metadata("far", REMOTE, "Events")["numentries"] == 8


def test_types_are_those_of_each_dataset_and_of_each_file(manifest, paths):
    other = InputMeta("toy", paths[1], "Events")
    metadata = {FAR: {"types": {"x": (0, "f")}}, other: {"types": {"x": (1, "i")}, "encodings": {"id": "s:4"}}}
    manifest.set_types({"toy": {"x": (1, "d")}}, {**metadata, InputMeta("toy", paths[0], "Events"): {}})
    toy, far = manifest.datasets["toy"], manifest.datasets["far"]
    assert (toy.types, far.types) == ({"x": (1, "d")}, {})
    assert far.entry(REMOTE, "Events").types == {"x": (0, "f")}
    assert toy.entry(paths[0], "Events").types == toy.entry(paths[0], "Events").encodings == {}
    assert (toy.entry(paths[1], "Events").types, toy.entry(paths[1], "Events").encodings) == (
        {"x": (1, "i")},
        {"id": "s:4"},
    )


def test_what_is_written_is_read_again(manifest, tmp_path):
    manifest.add_metadata({FAR: found(UUID(int=7), 9)})
    manifest.write()
    assert read_manifest(tmp_path) == manifest.content
    written = json.loads(unseal((tmp_path / "manifest.json").read_bytes()))
    assert written["datasets"]["far"] == {
        "number": 2, "types": {}, "files": {REMOTE: {"Events": {
            "number": 1, "uuid": UUID(int=7).hex, "n_entries": 9, "types": {}, "encodings": {}
        }}},
    }  # fmt: skip
    (tmp_path / "manifest.json").write_bytes((tmp_path / "manifest.json").read_bytes()[:-5])
    with pytest.raises(ManifestError, match=r"manifest.json is damaged \(it is not what was written\)$"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").unlink()
    assert read_manifest(tmp_path) is None
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(ManifestError, match=r"manifest.json is not a file$"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("check_uuid", [False, True])
def test_a_file_that_was_written_anew_is_another_one(paths, tmp_path, check_uuid):
    entry = FileEntry(number=1, uuid="7" * 32)
    entry.forget((1, 2))
    assert (entry.size, entry.mtime, entry.uuid, entry.n_entries) == (1, 2, None, None)
    assert not entry.is_of(paths[0], check_uuid=check_uuid)
    status = Path(paths[0]).stat()
    entry.forget((status.st_size, status.st_mtime_ns))
    assert entry.is_of(paths[0], check_uuid=check_uuid)  # without a UUID there is nothing to compare
    entry.uuid = "7" * 32
    assert entry.is_of(paths[0], check_uuid=check_uuid) == (not check_uuid)
    assert not entry.is_of(str(tmp_path / "gone.root"), check_uuid=check_uuid)
    entry.forget(None)
    entry.uuid = "7" * 32
    assert entry.is_of(REMOTE, check_uuid=check_uuid)  # what it is now is seen when it is opened
