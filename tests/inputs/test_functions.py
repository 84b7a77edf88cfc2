"""Functions of the user: what they are imported from, and whether that is still the same."""

import importlib
import sys

import pytest

from hep_peaksum.inputs.functions import ChangedContentError, check_contents, digests_of, user_function

NAME = "ownsite:number"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return what writes the module `ownsite` with a function that returns a number; it is not imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write_module(number):
        # of another length: Python takes bytecode of the same second and length for that of the new file
        (tmp_path / "ownsite.py").write_text(f"def number():\n    return {number}\n" + "#" * number)
        importlib.invalidate_caches()

    yield write_module
    sys.modules.pop("ownsite", None)


def test_a_module_counts_as_it_was_imported(write):
    write(1)
    old = digests_of([], [NAME])
    assert user_function(NAME)() == 1
    write(2)
    new = digests_of([], [NAME])
    assert new != old
    check_contents(old, [], [NAME])
    with pytest.raises(ChangedContentError, match="ownsite was imported here before it changed: start Python"):
        check_contents(new, [], [NAME])
    importlib.reload(sys.modules["ownsite"])
    assert user_function(NAME)() == 2
    check_contents(new, [], [NAME])
    with pytest.raises(ChangedContentError, match=r"^ownsite has changed since the job began: start over in"):
        check_contents(old, [], [NAME])


def test_a_module_that_is_yet_to_be_imported_counts_as_its_file(write):
    write(1)
    old = digests_of([], [NAME])
    write(2)
    check_contents(digests_of([], [NAME]), [], [NAME])
    with pytest.raises(ChangedContentError, match="ownsite has changed since"):
        check_contents(old, [], [NAME])


def test_files_and_modules_that_cannot_be_read_have_no_digest(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    here, gone = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    digests = digests_of([here, gone, "$NOT_SET/a.json"], ["not_there:f", "sys:exit"])
    assert [*digests] == [here]
    check_contents(digests, [gone], ["not_there:f"])
    (tmp_path / "a.json").write_text("{} ")
    with pytest.raises(ChangedContentError, match=r"a\.json has changed since"):
        check_contents(digests, [here], [])


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("not_there:f", r"ModuleNotFoundError: .*: put its folder on PYTHONPATH$"),
        ("ownsite:other", r"AttributeError: .*\): write ownsite:NAME of a function in it$"),
        ("ownsite:__name__", r"^ownsite:__name__ is str, expected a function$"),
    ],
)
def test_what_is_no_function_is_refused(write, name, problem):
    write(1)
    with pytest.raises(ValueError, match=problem):
        user_function(name)
