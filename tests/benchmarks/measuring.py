"""How contenders are timed: in turns, so that a slow minute of the machine affects all of them.

One round calls every contender once (A B C A B C ...). Within a round each time is divided by that of a
reference; the results are the median, minimum and maximum of these ratios over the rounds.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

console = Console(width=None if Console().is_terminal else 140)
progress_console = Console(stderr=True)


@dataclass(frozen=True)
class Contender:
    """Something to time. `n` is the number of things, such as events, in one call; times are divided by it.

    `before` is called before every call and is not timed. `note` is printed below the table.
    """

    name: str
    call: Callable[[], Any]
    n: int = 1
    note: str = ""
    before: Callable[[], Any] = field(default=lambda: None)


@dataclass(frozen=True)
class Spread:
    """A median with the minimum and the maximum."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of values."""
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, spec: str) -> str:
        """Return ``2.10 (1.98..2.25)``, formatted by `spec` or to three significant digits."""
        median, low, high = (format(x, spec) if spec else digits(x) for x in (self.median, self.low, self.high))
        return f"{median} ({low}..{high})"


@dataclass(frozen=True)
class Timing:
    """The times of one contender, in seconds for each of its `n` things, one value per round."""

    name: str
    n: int
    seconds: tuple[float, ...]
    note: str = ""

    @property
    def rate(self) -> float:
        """The median number of things per second."""
        return 1 / statistics.median(self.seconds)

    def speed_to(self, other: Timing) -> Spread:
        """Return the speed relative to another contender, over the rounds."""
        return Spread.of([theirs / mine for mine, theirs in zip(self.seconds, other.seconds, strict=True)])

    def time_to(self, other: Timing) -> Spread:
        """Return the time relative to another contender, over the rounds."""
        return Spread.of([mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)])

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for the results."""
        return {**asdict(self), "rate": self.rate}


def interleaved(
    contenders: Sequence[Contender], rounds: int, title: str, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Return the times of all contenders, called in turns after a round that does not count.

    `clock` may be `time.thread_time`: then it is the time of the processor, which others' work does not add to.
    """
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    gc.collect()
    gc.freeze()  # makes collecting before every call fast
    with Progress(console=progress_console, transient=True) as progress:
        bar = progress.add_task(title, total=(rounds + 1) * len(contenders))
        for number in range(rounds + 1):
            for contender in contenders:
                progress.update(bar, description=f"{title}: {contender.name}")
                elapsed = timed(contender, clock)
                if number:
                    seconds[contender.name].append(elapsed / contender.n)
                progress.advance(bar)
    gc.unfreeze()
    return {c.name: Timing(c.name, c.n, tuple(seconds[c.name]), c.note) for c in contenders}


def timed(contender: Contender, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the time of one call, during which no garbage is collected."""
    contender.before()
    gc.collect()
    gc.disable()
    try:
        start = clock()
        contender.call()
        return clock() - start
    finally:
        gc.enable()


def pin_to(cores: Sequence[int]) -> None:
    """Restrict all threads of this process to some cores, if the system supports it."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def digits(value: float) -> str:
    """Return a number with three significant digits.

    >>> digits(0.01234), digits(3.14159), digits(1234.5)
    ('0.0123', '3.14', '1234')
    """
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    places = 1 if value >= 10 else 2
    while value < 10 ** (1 - places) and places < 6:
        places += 1
    return f"{value:.{places}f}"
