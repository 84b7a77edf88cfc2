"""Progress: lines where nothing is animated, the events and losses that it counts, and when it is animated."""

import io
import re
import threading

import pytest
from rich.progress import Task, TaskID

from hep_peaksum.processing import progress
from hep_peaksum.processing.progress import JobProgress, is_animated
from hep_peaksum.results.manifest import LOSSES, InputMeta, Loss


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def results(stop):
    """Yield what coffea does: two chunks of 60 events, and one that is lost; then wait."""
    yield {"out": {}, "processed": {range(60)}}
    yield {"out": {}, "processed": {range(60, 120)}}
    yield {"out": {LOSSES: [Loss("toy", "a.root", 120, 40, "bad")]}, "processed": {range(120, 160)}}
    stop.wait(0.5)


def shown(stream, seconds, monkeypatch, show=True):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", seconds)
    with JobProgress(stream, show=show) as shown:
        task = shown.add_task("Processing", total=10, unit="chunk")
        list(shown.track(results(threading.Event()), total=10, task_id=task))
        assert (shown.n_events, shown.n_lost) == (120, 1)
    return stream.getvalue()


def test_a_file_gets_a_line_every_half_minute(monkeypatch):
    assert progress.SECONDS_BETWEEN_LINES == 30
    lines = shown(io.StringIO(), 0.2, monkeypatch).splitlines()
    assert 1 <= len(lines) <= 3
    words = r"Processing 3/10 chunks \(30%\), \S+ events/s, \d+ s left, 1 chunk lost"
    assert all(re.fullmatch(words, line) for line in lines)


@pytest.mark.parametrize(
    ("done", "seconds", "words"),
    [
        (1, 30, "Processing 1/4 chunks (25%), 1 min 30 s left"),
        (3, 30, "Processing 3/4 chunks (75%), 10 s left"),
        (4, 5400, "Processing 4/4 chunks (100%), 1 h 30 min"),
    ],
)
def test_what_is_left_takes_as_long_as_what_is_done(done, seconds, words):
    row = Task(TaskID(0), "Processing", 4, done, _get_time=lambda: seconds, fields={"unit": "chunk"})
    row.start_time = 0
    assert JobProgress(io.StringIO()).in_words(row) == words


def test_what_a_job_waits_for_stands_behind_the_numbers_and_colours_of_dask_are_none():
    progress = JobProgress(io.StringIO())
    progress.remark = lambda: "waiting for workers, none for 21 s"
    row = Task(TaskID(0), "[green]Processing", 4, 0, _get_time=lambda: 9, fields={"unit": "chunk"})
    assert progress.in_words(row) == "Processing 0/4 chunks (0%), waiting for workers, none for 21 s"


def test_a_short_job_prints_no_line(monkeypatch):
    assert shown(io.StringIO(), 30, monkeypatch) == ""


@pytest.mark.parametrize("stream", [io.StringIO, Screen])
def test_nothing_is_shown_where_it_is_not_wanted(monkeypatch, stream):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    assert shown(stream(), 0.1, monkeypatch, show=False) == ""


@pytest.mark.parametrize(
    ("variables", "stream", "animated"),
    [
        ({}, Screen(), True),
        ({"CI": "true"}, Screen(), False),
        ({"TERM": "dumb"}, Screen(), False),
        ({}, io.StringIO(), False),
        ({}, None, False),
    ],
)
def test_only_a_terminal_is_animated_and_not_that_of_a_ci_job(monkeypatch, variables, stream, animated):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_animated(stream) is animated
    if stream is not None:
        assert JobProgress(stream).disable is not animated


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")
    assert colour.search(shown(Screen(), 30, monkeypatch))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(shown(Screen(), 30, monkeypatch))


def test_a_file_that_cannot_be_read_is_a_loss():
    with JobProgress(io.StringIO()) as shown:
        lost = InputMeta("toy", "a.root", "Events", {LOSSES: Loss("toy", "a.root", 0, None, "bad")})
        read = InputMeta("toy", "b.root", "Events", {"numentries": 3})
        task = shown.add_task("Preprocessing", total=2, unit="file")
        list(shown.track([{lost}, {read}], total=2, task_id=task))
        assert (shown.n_events, shown.n_lost) == (0, 1)
        assert shown.in_words(shown.tasks[0]).endswith("1 file lost")
