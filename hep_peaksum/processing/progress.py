"""How far a job has come: a bar on a terminal, elsewhere a line every half minute, always on stderr."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from rich.console import Console
from rich.markup import render
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from hep_peaksum.results.manifest import LOSSES

SECONDS_BETWEEN_LINES = 30.0
BAR_FROM = 100  # columns of the screen; on narrower ones the numbers take all of it


def is_animated(stream: TextIO | None) -> bool:
    """Return whether a stream shows what is drawn again and again: a terminal, and not that of a CI job."""
    is_plain = bool(os.environ.get("CI")) or os.environ.get("TERM") == "dumb"
    return stream is not None and stream.isatty() and not is_plain


class JobProgress(Progress):
    """The progress of coffea's chunks: finished, events per second, time left, and what was lost so far.

    Parameters
    ----------
    stream
        Where it is shown, by default stderr as it is now.
    show
        Whether it is shown at all.
    """

    def __init__(self, stream: TextIO | None = None, *, show: bool = True) -> None:
        stream = sys.stderr if stream is None else stream
        console = Console(file=stream)
        if console.is_jupyter:
            console = Console()
        bar = [BarColumn(bar_width=None)] if console.width >= BAR_FROM else []
        super().__init__(
            *bar,
            _Numbers(self),
            auto_refresh=False,
            console=console,
            disable=not (show and (console.is_jupyter or is_animated(stream))),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.n_events = self.n_lost = 0
        self.remark: Callable[[], str] = str  # what to say besides the numbers: by default nothing
        self._lines = stream if show and self.disable else None
        self._is_over = threading.Event()

    def start(self) -> None:
        """Start to draw, or to print lines."""
        super().start()
        if self._lines is not None:
            threading.Thread(target=self._print_lines, daemon=True).start()

    def stop(self) -> None:
        """Stop drawing and printing."""
        self._is_over.set()
        if not self.disable:  # rich before 15 prints an empty line for a bar that is not shown
            super().stop()

    def add_task(self, description: str, *arguments: Any, **fields: Any) -> TaskID:
        """Add a row; that of the results that coffea adds up as they come is not shown."""
        task = super().add_task(description, *arguments, **fields)
        self.update(task, visible=not description.startswith("Merging"))
        return task

    def track(self, sequence: Iterable[Any], *arguments: Any, **keywords: Any) -> Iterable[Any]:
        """Yield the results of chunks or files, after counting their events and losses."""
        return super().track(map(self._counted, sequence), *arguments, **keywords)

    def _counted(self, result: Any) -> Any:
        """Return a result of coffea, counted: of a chunk a map, of a file a set of metadata."""
        if isinstance(result, dict):
            losses = result.get("out", {}).get(LOSSES, ())
            self.n_events += sum(map(len, result.get("processed", ()))) - sum(x.n_entries for x in losses)
        else:
            losses = [each for each in result if LOSSES in (getattr(each, "metadata", None) or ())]
        self.n_lost += len(losses)
        return result

    def _print_lines(self) -> None:
        while not self._is_over.wait(SECONDS_BETWEEN_LINES):
            for task in self.tasks:
                if task.visible and self._lines is not None:
                    print(self.in_words(task), file=self._lines, flush=True)

    def in_words(self, task: Task) -> str:
        """Return one line about a row: what is finished, how fast, how long it will take, what was lost."""
        total, done, seconds = int(task.total or 0), int(task.completed), task.elapsed or 0.0
        unit = task.fields.get("unit", "chunk").rstrip("s")
        words = [f"{render(task.description).plain} {done}/{total} {unit}s ({done / max(1, total):.0%})"]
        if self.n_events and seconds:
            words.append(f"{brief_count(self.n_events / seconds)} events/s")
        if 0 < done < total:
            words.append(f"{duration(seconds * (total - done) / done)} left")
        elif done == total:
            words.append(duration(seconds))
        if self.n_lost:
            words.append(f"{self.n_lost} {unit}{'s' * (self.n_lost > 1)} lost")
        return ", ".join([*words, *filter(None, [self.remark()])])


class _Numbers(ProgressColumn):
    """The line of `JobProgress.in_words` as a column, which is folded where it does not fit."""

    def __init__(self, progress: JobProgress) -> None:
        super().__init__(table_column=Column(overflow="fold"))
        self._progress = progress

    def render(self, task: Task) -> Text:
        """Return the line of a row."""
        return Text(self._progress.in_words(task), style="red" if self._progress.n_lost else "")


def brief_count(number: float) -> str:
    """Return a number of events with three digits.

    >>> brief_count(12.3), brief_count(45_678), brief_count(2_345_678)
    ('12', '45.7k', '2.35M')
    """
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{letter}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """Return a time as it is said.

    >>> duration(8), duration(125), duration(7300)
    ('8 s', '2 min 5 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
