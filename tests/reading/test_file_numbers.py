"""Numbers of files: of those that are listed, and of others."""

from hep_peaksum.reading.file_numbers import FileNumbers


def test_files_that_are_not_listed_come_after_all_that_are(tmp_path):
    numbers = FileNumbers(
        {"toy": {"number": 3, "files": {str(tmp_path / "a.root"): 1, "https://b/b.root": 10**6}}}
    )
    listed = {"dataset": "toy", "filename": str(tmp_path / "x" / ".." / "a.root")}
    remote = {"dataset": "toy", "filename": "https://b/b.root"}
    other = {"dataset": "toy", "filename": str(tmp_path / "c.root")}
    assert [numbers.place(each) for each in (listed, remote)] == [1, 10**6]
    assert numbers.place(other) > 10**9
    assert (numbers.of(listed), numbers.of_part(listed)) == ((3, 1), 1)
    high, low = numbers.of(other)
    assert numbers.of_part(other) == (high << 32) + low
    assert numbers.of({**other, "treename": "Events"}) != (high, low)
    assert numbers.of({}) == (0, 0)
