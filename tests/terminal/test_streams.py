"""How much of what the package says reaches the screen."""

import logging

import pytest

from hep_peaksum.terminal import streams

LOG = logging.getLogger("hep_peaksum.job")


@pytest.fixture(autouse=True)
def ended():
    yield
    streams.end()


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"quiet": True}, ["a warning"]),
        ({}, ["a warning", "a remark"]),
        ({"verbose": 1}, ["a warning", "a remark", "a detail"]),
    ],
    ids=["quiet", "as-it-is", "verbose"],
)
def test_a_warning_is_always_seen_and_remarks_unless_they_are_not_wanted(options, seen, capsys):
    streams.begin(**options)
    LOG.warning("a warning")
    LOG.info("a remark")
    LOG.debug("a detail")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(seen)
    assert all(line.endswith(words) for line, words in zip(lines, seen, strict=True))


@pytest.mark.parametrize(("columns", "width"), [("40", 40), ("", 140)])
def test_a_pipe_is_as_wide_as_columns_says(columns, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert streams.open_console().width == width
