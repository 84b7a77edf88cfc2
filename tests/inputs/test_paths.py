"""Paths of a config: patterns, variables, and files that do not exist."""

import os
from pathlib import Path

import pytest

from hep_peaksum.calibration.table_files import read_content
from hep_peaksum.inputs.cells import read_map
from hep_peaksum.inputs.functions import local_place
from hep_peaksum.inputs.paths import (
    LONG_HEAD,
    SHORT_HEAD,
    expand_files,
    file_state,
    file_uuid,
    without_secrets,
)
from hep_peaksum.reading.files import open_file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of four files, the working directory of the test."""
    for name in ("b.root", "a.root", "deep/c.root", "other.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        pytest.param(["b.root", "a.root"], ["b.root", "a.root"], id="as_they_are_listed"),
        pytest.param(["*.root"], ["a.root", "b.root"], id="glob_is_sorted"),
        pytest.param(["b.root", "*.root"], ["b.root", "a.root"], id="none_twice"),
        pytest.param(["**/*.root"], ["a.root", "b.root", "deep/c.root"], id="recursive"),
        pytest.param(["[ab].root"], ["a.root", "b.root"], id="brackets"),
        pytest.param(["$FOLDER/a.root"], ["{folder}/a.root"], id="environment"),
        pytest.param(["${FOLDER}/*.root"], ["{folder}/a.root", "{folder}/b.root"], id="environment_in_braces"),
        pytest.param(["~/a.root"], ["{folder}/a.root"], id="home"),
        pytest.param(
            ["root://eos.cern.ch//store/*.root", "https://x.org/a.root"],
            ["root://eos.cern.ch//store/*.root", "https://x.org/a.root"],
            id="remote_urls_are_left_alone",
        ),
    ],
)
def test_patterns_are_expanded_sorted_and_without_duplicates(folder, monkeypatch, patterns, expected):
    monkeypatch.setenv("FOLDER", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    result = expand_files((pattern, "Events") for pattern in patterns)
    assert result == [(path.format(folder=folder), "Events") for path in expected]


@pytest.mark.parametrize("second", ["./a.root", "deep/../a.root", "{folder}/a.root"])
def test_a_file_with_two_names_is_listed_once(folder, second):
    assert expand_files([("a.root", "Events"), (second.format(folder=folder), "Events")]) == [
        ("a.root", "Events")
    ]


@pytest.mark.parametrize("name", ["a[1].root", "a b.root", "a:b.root", "a#b.root"])
def test_special_characters_are_only_part_of_a_name(folder, name):
    (folder / name).touch()
    assert expand_files([(name, "Events")]) == [(name, "Events")]


def test_a_tree_belongs_to_its_pattern(folder):
    patterns = [("a.root", "A"), ("deep/*", "C"), ("a.root", "B")]
    assert expand_files(patterns) == [("a.root", "A"), (str(Path("deep/c.root")), "C"), ("a.root", "B")]


@pytest.mark.parametrize(
    ("pattern", "error", "problem"),
    [
        pytest.param("gone.root", FileNotFoundError, "there is no file 'gone.root' .seen from ", id="missing"),
        pytest.param(
            "*.gone", FileNotFoundError, "no file matches '\\*.gone' .seen from .*a.root", id="empty_glob"
        ),
        pytest.param("deap/*.root", FileNotFoundError, "the folder 'deap' cannot be read", id="no_folder"),
        pytest.param(
            "deep",
            FileNotFoundError,
            "'deep' is a folder, .*: write 'deep/",
            id="a_folder",
        ),
        pytest.param(
            "link.root", FileNotFoundError, "'link.root' is a link to 'gone.root', and there is", id="link"
        ),
        pytest.param(
            "a.root/Events",
            FileNotFoundError,
            "'a.root' is a file, not a folder: a tree is written after a colon, 'a.root:Events'",
            id="a_tree_after_a_slash",
        ),
        pytest.param("$NOT_SET/a.root", ValueError, "environment variable that is not set", id="not_set"),
    ],
)
def test_missing_files_are_errors(folder, pattern, error, problem):
    os.environ.pop("NOT_SET", None)
    (folder / "link.root").symlink_to("gone.root")
    with pytest.raises(error, match=problem):
        expand_files([(pattern, "Events")])


def test_urls_that_could_not_be_told_apart_in_the_results_are_refused():
    urls = [(f"https://me@host/get?file={name}", "Events") for name in "ab"]
    with pytest.raises(ValueError, match="2 URLs of https://host/get differ in user or query only"):
        expand_files(urls)
    assert (
        len(expand_files([(path, tree) for (path, _), tree in zip(urls, ("Events", "Other"), strict=True)]))
        == 2
    )


@pytest.mark.parametrize("head", [SHORT_HEAD, LONG_HEAD], ids=["32_bit_offsets", "64_bit_offsets"])
def test_the_uuid_is_read_from_the_head_of_a_file(tmp_path, head):
    """From version 1 000 000 on the offsets in the head have 64 bits, and the UUID stands further behind."""
    uuid = bytes(range(16))
    version = 62606 + (1_000_000 if head is LONG_HEAD else 0)
    (tmp_path / "a.root").write_bytes(head.pack(b"root", version, *[1] * 11, uuid) + b"more" * 20)
    assert file_uuid(str(tmp_path / "a.root")) == uuid.hex()
    (tmp_path / "b.root").write_bytes(head.pack(b"toor", version, *[1] * 11, uuid))
    assert file_uuid(str(tmp_path / "b.root")) is None


@pytest.mark.parametrize(
    ("secret", "expected"), [("abcd", "no ... for GET"), ("abc", "no abc for GET")], ids=["four", "three"]
)
def test_a_secret_of_four_letters_is_hidden_and_a_shorter_one_is_not(secret, expected):
    """What is shorter occurs in other words: of `?download=1` every 1 would become dots."""
    assert without_secrets(f"no {secret} for GET", f"https://host/a.root?token={secret}") == expected


def test_a_local_file_is_another_one_after_every_change_of_size_or_time(tmp_path):
    path = tmp_path / "a.root"
    path.write_bytes(b"abc")
    os.utime(path, ns=(0, 1_700_000_000_000_000_001))
    assert file_state(str(path)) == (3, 1_700_000_000_000_000_001)
    os.utime(path, ns=(0, 1_700_000_000_000_000_002))
    assert file_state(str(path)) == (3, 1_700_000_000_000_000_002)
    assert file_state(str(tmp_path / "gone.root")) is None
    assert file_state("root://host//a.root") is None


READERS = {
    "input": lambda path: expand_files([(path, "Events")]),
    "ROOT file": open_file,
    "named content": local_place,
    "map": lambda path: read_map(path, ()),
    "table": lambda path: read_content(Path(path)),
}


@pytest.mark.parametrize("what", ["pipe", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_pipes_are_waited_for_and_devices_read_to_their_end_nowhere(tmp_path, reader, what):
    path = "/dev/zero" if what == "device" else str(tmp_path / "pipe.csv")
    if what == "pipe":
        os.mkfifo(path)
    with pytest.raises(
        (OSError, ValueError), match=f"'{path}' is a pipe or a device, where a file is expected"
    ):
        READERS[reader](path)
