"""How everything here is timed: in turns, so that a slow minute of the machine hits all alike.

One round calls every contender once (A B C A B C ...). Within a round each time is divided by that of the
floor, and what is reported is the median of these ratios over the rounds, with the least and the greatest.
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
    """Something to time. `n` is what one call works on (events, say); times are divided by it.

    `before` is called ahead of every call, and is not timed. `note` is printed beside the figures.
    """

    name: str
    call: Callable[[], Any]
    n: int = 1
    note: str = ""
    before: Callable[[], Any] = field(default=lambda: None)


@dataclass(frozen=True)
class Spread:
    """A median with the least and the greatest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values."""
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, spec: str) -> str:
        """Return ``2.10 (1.98..2.25)``; as `spec` says, or with three digits that count."""
        median, low, high = (format(x, spec) if spec else digits(x) for x in (self.median, self.low, self.high))
        return f"{median} ({low}..{high})"


@dataclass(frozen=True)
class Timing:
    """The times of one contender, in seconds for each of its `n` things; one value a round."""

    name: str
    n: int
    seconds: tuple[float, ...]
    note: str = ""

    @property
    def rate(self) -> float:
        """How many things a second, the median."""
        return 1 / statistics.median(self.seconds)

    def speed_to(self, other: Timing) -> Spread:
        """Return how many times the speed of the other this is, round by round."""
        return Spread.of([theirs / mine for mine, theirs in zip(self.seconds, other.seconds, strict=True)])

    def time_to(self, other: Timing) -> Spread:
        """Return how many times the time of the other this takes, round by round."""
        return Spread.of([mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)])

    def as_dict(self) -> dict[str, Any]:
        """Return what is written to the results."""
        return {**asdict(self), "rate": self.rate}


def interleaved(contenders: Sequence[Contender], rounds: int, title: str) -> dict[str, Timing]:
    """Return the times of all contenders, called in turns after a first round that does not count."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    gc.collect()
    gc.freeze()  # so that to collect before every call is quick
    with Progress(console=progress_console, transient=True) as progress:
        bar = progress.add_task(title, total=(rounds + 1) * len(contenders))
        for number in range(rounds + 1):
            for contender in contenders:
                progress.update(bar, description=f"{title}: {contender.name}")
                taken = timed(contender)
                if number:
                    seconds[contender.name].append(taken / contender.n)
                progress.advance(bar)
    gc.unfreeze()
    return {c.name: Timing(c.name, c.n, tuple(seconds[c.name]), c.note) for c in contenders}


def timed(contender: Contender) -> float:
    """Return how long one call takes; the collector of garbage waits until it is over."""
    contender.before()
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        contender.call()
        return time.perf_counter() - began
    finally:
        gc.enable()


def hold_on(cores: Sequence[int]) -> None:
    """Let all threads of this process run on these cores only, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def digits(value: float) -> str:
    """Return a number with three digits that count.

    >>> digits(0.01234), digits(3.14159), digits(1234.5)
    ('0.0123', '3.14', '1234')
    """
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    places = 1 if value >= 10 else 2
    while value < 10 ** (1 - places) and places < 6:
        places += 1
    return f"{value:.{places}f}"
