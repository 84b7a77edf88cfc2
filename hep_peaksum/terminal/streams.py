"""The streams of a command: results go to stdout; errors, notices, progress and the log to stderr.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

PACKAGE = "hep_peaksum"
TALKATIVE = ("numba", "matplotlib", "asyncio")  # packages that log every step of their own
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LOG_MARK = f" INFO {PACKAGE}: hep-peaksum "  # in the first line of every log


class _Said:
    """How much the command that runs says, and where it keeps its log."""

    quiet = False
    file: logging.Handler | None = None


def begin(*, quiet: bool = False, verbose: int = 0, log_file: str | None = None) -> None:
    """Begin a command: send what the package logs to stderr, and all of it to a file if there is one.

    Quiet, only warnings are said; verbose once, also every step of this package, and twice, of the others.
    """
    end()
    _Said.quiet = quiet
    screen: logging.Handler = logging.StreamHandler()
    screen.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    screen.setFormatter(logging.Formatter(LINE if verbose else "%(message)s", "%H:%M:%S"))
    handlers = [screen]
    if log_file is not None:
        _Said.file = logging.FileHandler(log_file, encoding="utf-8")
        _Said.file.setFormatter(logging.Formatter(LINE))
        handlers.append(_Said.file)
        keep(f"hep-peaksum {' '.join(sys.argv[1:])}")
    logger, everything = logging.getLogger(PACKAGE), logging.getLogger()
    logger.handlers, logger.propagate = handlers, False
    logger.setLevel(logging.DEBUG if verbose or log_file else logging.INFO)
    if verbose > 1:
        everything.handlers = handlers
        everything.setLevel(logging.DEBUG)
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.INFO)


def end() -> None:
    """Close the log of a command."""
    logger = logging.getLogger(PACKAGE)
    if _Said.file is not None:
        _Said.file.close()
    if logger.handlers:
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    _Said.quiet, _Said.file = False, None


def keep(line: str) -> None:
    """Write a line into the log file only, if there is one: what the user sees elsewhere."""
    if _Said.file is not None:
        _Said.file.handle(logging.LogRecord(PACKAGE, logging.INFO, "", 0, line, None, None))


def is_quiet() -> bool:
    """Return whether progress and notices are not wanted."""
    return _Said.quiet


def notice(line: str) -> None:
    """Print a line on stderr that is not a result, such as where a picture is, unless the command is quiet."""
    keep(line)
    if not _Said.quiet:
        click.echo(line, err=True)


def warn(line: str) -> None:
    """Print a warning on stderr, also if the command is quiet."""
    keep(f"warning: {line}")
    click.echo(f"{click.style('warning:', fg='yellow')} {line}", err=True)


def open_console() -> Console:
    """Return the console for results: square brackets in names are not markup, unless a call says so."""
    from rich.console import Console

    # a file or a pipe has no width of its own: lines are not cut to that of a default screen
    has_width = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    return Console(highlight=False, markup=False, soft_wrap=True, width=None if has_width else 140)


def print_document(document: BaseModel) -> None:
    """Print the result of a command as one JSON document, the only output on stdout."""
    click.echo(document.model_dump_json(indent=2))
