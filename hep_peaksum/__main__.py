"""Run ``hep-peaksum``, also as ``python -m hep_peaksum``; from the beginning Ctrl-C shows no traceback."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

from hep_peaksum.cli import INTERRUPTED


def end(*_: Any) -> NoReturn:
    """End this process at once, as Ctrl-C does, and say nothing."""
    os._exit(INTERRUPTED)


def main() -> None:
    """Run a command; Ctrl-C before it begins, or after its end, ends the process without a word."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not behind nohup
    if is_heard:
        signal.signal(signal.SIGINT, end)
    from hep_peaksum.cli.main import main as run  # noqa: PLC0415 -- what takes the time

    try:
        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    finally:
        if is_heard:
            signal.signal(signal.SIGINT, end)


if __name__ == "__main__":
    main()
