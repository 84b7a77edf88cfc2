"""The command line as a whole: its commands, how it ends, and every expected error in one line."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

import click

from hep_peaksum.cli import INTERRUPTED
from hep_peaksum.cli.about import completions, info, print_citation
from hep_peaksum.cli.diagnostics import closure, compare, explain, presets, ties
from hep_peaksum.cli.export import export
from hep_peaksum.cli.files import group, init, inspect, merge, view
from hep_peaksum.cli.jobs import check, demo, report, run, show, status
from hep_peaksum.cli.keys import keys
from hep_peaksum.cli.options import CONFIG, DONE, FAILED, SOURCE, WRONG_USAGE, key_in, with_streams
from hep_peaksum.job.worker_startup import collect_rarely
from hep_peaksum.terminal import streams

MOST_HELP = 200  # characters of the first sentence of a command, which is wrapped and not cut
NO_FOLDER = "the working directory was removed: cd into one that is there, then give the command again"
CONTINUED = {"run", "merge", "demo"}  # commands that begin where they were interrupted


# How the options are written that take two values.
EXAMPLES = {
    "--cell": "Write row and column, as in --cell 3 5.",
    "--z-range": "Write the lowest and the highest value, as in --z-range 0 20.",
}


class _Unread:
    """An output stream that drops what nobody reads: ``hep-peaksum run job.yaml | head -1`` ends no job."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._dropping():
            self._stream.flush()

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        except OSError as error:  # the disk to which the output goes is full
            raise OSError(error.errno, error.strerror, "stdout") from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status; every expected error is one line on stderr."""
    collect_rarely()
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # whoever started this closed it
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 -- to the end
    try:
        with redirect_stdout(_Unread(sys.stdout)):
            exit_status = cli.main(arguments, prog_name="hep-peaksum", standalone_mode=False)
    except click.ClickException as error:
        _with_remedy(error).show()
        sys.exit(WRONG_USAGE)
    except (KeyboardInterrupt, click.Abort):
        with suppress(ValueError):  # not in a thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends at once, without a traceback
        given = sys.argv[1:] if arguments is None else arguments
        kept = "; finished chunks are kept, and the same command continues from them"
        _print_error(f"interrupted{kept if CONTINUED & {*given[:1]} else ''}")
        sys.exit(INTERRUPTED)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        text = NO_FOLDER if _is_nowhere(error) else str(error)
        for line in text.splitlines() or [type(error).__name__]:
            _print_error(line)
        sys.exit(WRONG_USAGE if hasattr(error, "problems") else FAILED)
    finally:
        streams.end()
    sys.exit(exit_status or DONE)


def _is_nowhere(error: Exception) -> bool:
    """Return whether a file is missing because the working directory is."""
    if isinstance(error, FileNotFoundError):
        try:
            Path.cwd()
        except FileNotFoundError:
            return True
    return False


def _print_error(line: str) -> None:
    """Print a line of an error; indented ones belong to the line before, and show a place in a file."""
    word = "      " if line.startswith(" ") else click.style("error:", fg="red", bold=True)
    click.echo(f"{word} {line}", err=True)
    streams.keep(f"{click.unstyle(word)} {line}")


def _with_remedy(error: click.ClickException) -> click.ClickException:
    """Return the error with what to do about an option that is a key of the config, or lacks a number."""
    remedy = ""
    if isinstance(error, click.NoSuchOption) and not error.possibilities:
        from hep_peaksum.config.reference import find_keys
        from hep_peaksum.settings.messages import SYNONYMS

        name = error.option_name.lstrip("-").replace("-", "_")
        keys = find_keys(name) or find_keys(SYNONYMS.get(name, ""))
        remedy = f"It is a key of the config: --set {keys[0].name}=..." if keys else ""
    if isinstance(error, click.BadOptionUsage) and "argument" in error.message:
        remedy = EXAMPLES.get(error.option_name, "")
    if misplaced := re.match(r"No such command '(.+\.(ya?ml|root))'", error.message):
        name, suffix = misplaced.groups()
        remedy = f"The command comes first: hep-peaksum {'inspect' if suffix == 'root' else 'run'} {name}"
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Option):
        remedy = f"Add {error.param.opts[0]} {error.param.metavar}."
    elif isinstance(error, click.BadParameter) and isinstance(getattr(error.param, "type", None), click.Path):
        is_results = str(error.param and error.param.metavar).startswith("DIR")
        remedy = "Name a folder of results, the output.directory of a config." * is_results
    elif isinstance(error, click.BadParameter) and isinstance(error.param, click.Option):
        remedy = next((EXAMPLES[name] for name in error.param.opts if name in EXAMPLES), "")
    if "unexpected extra argument" in error.message and (ctx := getattr(error, "ctx", None)) is not None:
        remedy = _what_it_takes(ctx, error.message.rpartition("(")[2].rstrip(")."))
    if not remedy:
        return error
    return click.UsageError(f"{error.format_message().rstrip('.')}. {remedy}", ctx=getattr(error, "ctx", None))


def _what_it_takes(ctx: click.Context, extra: str) -> str:
    """Return what to do about an argument too many."""
    suffix = Path(extra).suffix
    for option in ctx.command.params if suffix else ():  # a ROOT file where only an option takes one
        if isinstance(option, click.Option) and str(option.metavar) == f"FILE{suffix}":
            if ctx.params.get(str(option.name)):
                return f"{option.opts[0]} takes one file; name the others in the config, under files."
            return f"Write {option.opts[0]} {extra}."
    if any("=" not in setting for setting in ctx.params.get("overrides", ())):
        return "Write --set KEY=VALUE, without blanks around =, and in quotes if the value has blanks."
    arguments = (each.make_metavar(ctx) for each in ctx.command.params if isinstance(each, click.Argument))
    return f"It takes {' '.join(arguments) or 'options'} and no more."


class _Commands(click.Group):
    """Commands listed with whole sentences, whose errors name the file and the line of the wrong key."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, OSError, RuntimeError) as error:
            source = ctx.meta.get(SOURCE)
            if source is None:
                raise
            if hasattr(error, "at"):
                raise error.at(source) from None
            # what a job finds wrong in a file names the key in the middle: a.root: entry 3: events.weight.w:
            if key := key_in(str(error), ctx.meta[CONFIG]):
                place = source.located(f"{key}: ").removesuffix(f": {key}: ")
                msg = f"{place}: {error}"
                raise RuntimeError(msg) from None
            raise

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its whole first sentence, which click would cut off."""
        commands = sorted(self.commands.items())
        rows = [(name, command.get_short_help_str(limit=MOST_HELP)) for name, command in commands]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hep_peaksum", message="hep_peaksum %(version)s")
@click.option(
    "--cite", is_flag=True, is_eager=True, expose_value=False, callback=print_citation, help="Show how to cite."
)
def cli() -> None:
    """Find local maxima of calorimeter grids and sum the cells around them.

    Start with `hep-peaksum demo`, which needs no input file.
    """


for command in (
    *(demo, run, check, show, status, report, inspect, init, merge, group, view),
    *(explain, ties, compare, closure, presets, keys, export, info, completions),
):
    cli.add_command(with_streams(command))
