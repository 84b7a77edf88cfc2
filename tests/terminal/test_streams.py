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


@pytest.mark.parametrize("quiet", [False, True])
def test_a_log_file_holds_everything_that_is_said_and_the_command(quiet, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["hep-peaksum", "run", "job.yaml"])
    streams.begin(quiet=quiet, log_file=str(tmp_path / "log.txt"))
    streams.notice("a picture is saved")
    streams.warn("old")
    streams.keep("seen")
    LOG.debug("a detail")
    streams.end()
    streams.keep("after the end")
    said = [line.partition(": ")[2] for line in (tmp_path / "log.txt").read_text().splitlines()]
    assert said == [
        "hep-peaksum run job.yaml",
        "a picture is saved",
        "warning: old",
        "seen",
        "a detail",
    ]
    notices = ["a picture is saved"] * (not quiet)
    assert capsys.readouterr().err.splitlines() == [*notices, "warning: old"]


def test_very_verbose_other_packages_are_heard_as_well_but_for_the_talkative(capsys):
    everything = logging.getLogger()
    before = everything.handlers, everything.level
    try:
        for verbose in (1, 2):
            streams.begin(verbose=verbose)
            logging.getLogger("uproot").debug("a step")
            logging.getLogger("numba.core").debug("one of many")
        lines = capsys.readouterr().err.splitlines()
    finally:
        everything.handlers, everything.level = before
    assert [line.partition(": ")[2] for line in lines] == ["a step"]


@pytest.mark.parametrize(("columns", "width"), [("40", 40), ("", 140)])
def test_a_pipe_is_as_wide_as_columns_says(columns, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert streams.open_console().width == width
