"""The tables of the report say what the summary says."""

from hep_peaksum.report import accounts

FILES = {"a.root": {"expected": 12, "processed": 12}, "b.root": {"expected": 9, "processed": 4}}


def test_every_file_has_the_entries_that_it_holds_and_those_that_were_processed():
    table = accounts.files({"datasets": {"ttbar": {"files": FILES}, "data": {"files": {}}}})
    assert table.columns == ("dataset", "file", "entries", "processed")
    assert table.rows == [("ttbar", "a.root", "12", "12"), ("ttbar", "b.root", "9", "4")]
