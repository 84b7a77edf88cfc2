"""Opening files and trees: what is wrong with them is one line."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
import uproot
import xxhash
from event_files import CELLS, N

from hep_peaksum.reading import files
from hep_peaksum.reading.files import content_digest, error_message, files_kept_open, open_file, open_tree


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is not a ROOT file, but it is long enough to be looked at" * 9, id="garbage"),
        pytest.param(b"", id="empty"),
        pytest.param(b"ro", id="two_bytes"),
    ],
)
def test_a_file_that_is_not_a_root_file_is_named(tmp_path, content):
    path = tmp_path / "a.root"
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"a\.root: cannot be read as a ROOT file"):
        open_file(str(path))


def test_a_file_cut_short_is_named(write_root, tmp_path):
    whole = Path(write_root("a.root", {"Events": {"x": CELLS.astype("f4")}})).read_bytes()
    (tmp_path / "cut.root").write_bytes(whole[:100])
    with pytest.raises(OSError, match=r"cut\.root: cannot be read as a ROOT file"):
        open_file(str(tmp_path / "cut.root"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param(
            "Evnts", r"no tree 'Evnts' \(did you mean 'Events'\?\); there are Events, aux/Event", id="missing"
        ),
        pytest.param("aux", "no tree 'aux'.*; there are Events, aux/Event, Short", id="a_folder"),
        pytest.param("aux/Event/run", "no tree 'aux/Event/run'", id="below_a_tree"),
    ],
)
def test_a_missing_tree_lists_those_that_exist(two_trees, name, problem):
    with pytest.raises(ValueError, match=problem):
        open_tree(open_file(two_trees), two_trees, name)


def test_an_rntuple_is_a_tree(write_root):
    path = write_root("a.root", {"Events": {"x": CELLS.astype("f4")}}, rntuple=True)
    assert open_tree(open_file(path), path, "Events").num_entries == N
    with pytest.raises(ValueError, match="there are Events"):
        open_tree(open_file(path), path, "Runs")


def raised(cause, wrapper):
    """Return an error as coffea raises it: of its own, from the one that happened."""
    try:
        try:
            raise cause
        except type(cause) as error:
            raise wrapper from error
    except type(wrapper) as error:
        return error


def test_the_cause_of_an_error_is_told_and_not_what_coffea_wrapped_around_it():
    wrapper = RuntimeError("Work item WorkItem(dataset='toy', filename='a.root') failed")
    assert error_message("a.root", raised(ValueError("no branch 'x'"), wrapper)) == "a.root: no branch 'x'"
    gone = raised(FileNotFoundError(2, "No such file or directory", "a.root"), wrapper)
    assert error_message("a.root", gone) == "a.root: the file no longer exists"
    other = raised(FileNotFoundError(2, "No such file", "weights.txt"), wrapper)
    expected = "a.root: FileNotFoundError: [Errno 2] No such file: 'weights.txt'"
    assert error_message("a.root", other) == expected
    # a damaged file is the cause, whatever made uproot notice it
    damaged = raised(IndexError("out of range"), OSError("cannot read a basket"))
    assert error_message("a.root", damaged).endswith(
        "it is cut short or damaged (cannot read a basket): copy it again"
    )


def test_a_file_is_opened_once_where_files_are_kept_open(two_trees, monkeypatch):
    opened, plain = [], uproot.open
    monkeypatch.setattr(
        uproot, "open", lambda *given, **options: opened.append(given) or plain(*given, **options)
    )
    with files_kept_open():
        with open_file(two_trees) as first:
            first_tree = first["Events"]
        with files_kept_open(), open_file(two_trees) as second:
            assert second["Events"] is first_tree
        assert not first.closed
    assert first.closed
    with open_file(two_trees) as third:
        assert third is not first
    assert len(opened) == 2


def test_fields_of_an_rntuple_are_those_that_uproot_finds(tmp_path):
    path = str(tmp_path / "nested.root")
    hits = ak.Array([[{"e": 1.0, "at": {"x": 1.0, "y": 2.0}}], []])
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", {"hits": hits, "grid": np.zeros((2, 3, 4)), "n": np.arange(2)})
    with uproot.open(path) as file:
        expected = file["Events"].keys()
    with open_file(path) as file:
        tree = open_tree(file, path, "Events")
        assert tree.keys() == expected
        assert tree["hits"].array().tolist() == hits.tolist()


def test_the_digest_of_a_local_file_is_of_all_its_bytes(tmp_path):
    path, content = tmp_path / "a.root", np.random.default_rng(1).bytes((1 << 20) + 5)
    path.write_bytes(content)
    assert content_digest(str(path), 7) == xxhash.xxh3_64_hexdigest(content)


@pytest.mark.parametrize("size", [10, 64_000, 70_000, 200_000])
def test_the_digest_of_a_remote_file_is_of_its_ends(monkeypatch, size):
    content = np.random.default_rng(1).bytes(size)

    class Root:
        file = source = property(lambda self: self)

        def chunk(self, start, stop):
            assert 0 <= start <= stop <= size
            return SimpleNamespace(raw_data=memoryview(content)[start:stop])

    @contextmanager
    def opened(path, timeout):
        assert (path, timeout) == ("https://site/a.root", 5)
        yield Root()

    monkeypatch.setattr(files, "open_file", opened)
    expected = xxhash.xxh3_64_hexdigest(content[: 1 << 16] + content[-(1 << 16) :])
    assert content_digest("https://site/a.root", size, 5) == expected
