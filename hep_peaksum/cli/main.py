"""The command line: the only place that prints, and the only one that exits.

Everything heavy is imported inside the commands, so that `--help` answers at once. The commands that look into
the algorithm (`explain`, `ties`, `compare`, `closure`, `presets`) are in `cli/diagnostics.py`.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from hep_peaksum.cli import INTERRUPTED
from hep_peaksum.cli.about import completions, info, print_citation
from hep_peaksum.cli.diagnostics import closure, compare, explain, presets, ties
from hep_peaksum.cli.export import export
from hep_peaksum.cli.files import group, init, inspect, merge, view
from hep_peaksum.cli.keys import keys
from hep_peaksum.cli.options import (
    CONFIG,
    DONE,
    FAILED,
    SOURCE,
    WRONG_USAGE,
    Count,
    config_file,
    dataset_option,
    entry_option,
    json_option,
    key_in,
    load,
    print_job,
    set_option,
    with_streams,
)
from hep_peaksum.job.worker_startup import collect_rarely, importing
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hep_peaksum.config.model import Config
    from hep_peaksum.job.planning import Plan
    from hep_peaksum.preview.event import Event
    from hep_peaksum.results.status import Status

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
            status = cli.main(arguments, prog_name="hep-peaksum", standalone_mode=False)
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
    sys.exit(status or DONE)


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


@cli.command()
@click.option(
    "--events",
    "n_events",
    type=Count(min=1),
    default=10_000,
    show_default=True,
    help="Number of events.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random numbers.")
def demo(n_events: int, seed: int) -> None:
    """Find clusters in a toy sample and compare them with the truth.

    The files, the config, the results and the plots are written to the folder hep-peaksum-demo.
    """
    with importing():
        from hep_peaksum.cli import demo as demo_
        from hep_peaksum.terminal import tables

    console = streams.open_console()
    console.print(f"Toy calorimeter: {n_events} events of 24 x 16 cells (seed {seed})")
    made = demo_.demo(n_events, seed, progress=not streams.is_quiet())
    tables.print_result(console, made.result)
    tables.print_score(console, made.score)
    console.print(f"Next: look at {made.picture} and the plots beside it, edit {made.config}, and run")
    console.print(f"  hep-peaksum run {made.config} --set output.directory=hep-peaksum-demo/mine", style="bold")


@cli.command()
@config_file
@set_option
@click.option(
    "--file",
    "inputs",
    multiple=True,
    metavar="ROOT[:TREE]",
    help="Read this file instead of the datasets of the config; may be repeated.",
)
@click.option("--dataset", help="Name of the dataset of --file; by default the only dataset of the config.")
@click.option(
    "-o", "--output", metavar="DIR", help="Directory of the results, instead of output.directory of the config."
)
@click.option("--max-events", type=Count(min=0), help="Maximum number of entries to process per dataset.")
@click.option("--dry-run", is_flag=True, help="Print what would be processed, and stop.")
@click.option("--restart", is_flag=True, help="Delete the results in the output directory and start over.")
@click.option("--redo-changed", is_flag=True, help="Process again every input file that has changed.")
@click.option("--discard-unused", is_flag=True, help="Delete finished chunks that this job does not use.")
@json_option
def run(
    file: str,
    overrides: Sequence[str],
    *,
    inputs: Sequence[str],
    dataset: str | None,
    output: str | None,
    dry_run: bool,
    as_json: bool,
    **choices: Any,
) -> int:
    """Run the job of a config file.

    Running the same command again continues from the finished chunks. Exit status: 0 done, 1 failed,
    2 wrong usage or config, 3 done with losses, which are listed.
    """
    with importing():
        config = load(file, overrides, inputs=inputs, dataset=dataset, output=output)
        from hep_peaksum.job.run import dry_run as dry_run_
        from hep_peaksum.job.run import run as run_

    if dry_run:
        return _show_plan(dry_run_(config, **choices), config, as_json=as_json)
    return print_job("run", run_(config, progress=not streams.is_quiet(), **choices), as_json=as_json)


def _show_plan(planned: Plan, config: Config, *, as_json: bool) -> int:
    """Print what a job would process."""
    from hep_peaksum.terminal import job_documents, tables

    if as_json:
        streams.print_document(job_documents.plan(planned, config.output.directory))
        return DONE
    console = streams.open_console()
    tables.print_plan(console, planned)
    formats = ", ".join(config.output.clusters)
    console.print(f"dry run: would write {formats} and histograms to {config.output.directory}")
    return DONE


@cli.command()
@config_file
@set_option
@json_option
def check(file: str, overrides: Sequence[str], *, as_json: bool) -> None:
    """Report every problem of a config, or show what it means.

    What the config reads is tried on the first entries of every dataset, if its first file exists; of the next
    files on this machine, trees and branches are looked up. With --json, `missing` has a line for every dataset
    without one, `tried` says which entries of the others these were, and `remarks` lists what is probably not
    meant.
    """
    with importing():
        from hep_peaksum.preview.cell_tables import describe_table
        from hep_peaksum.preview.check import check_inputs, reference_places
        from hep_peaksum.preview.hit_bins import bin_fillings
        from hep_peaksum.preview.thresholds import thresholds, varied_thresholds
        from hep_peaksum.processing.normalisation import normalised_in_words
        from hep_peaksum.reading.files import files_kept_open
        from hep_peaksum.terminal import documents, tables

        config = load(file, overrides)
    bounds = thresholds(config)
    source = click.get_current_context().meta[SOURCE]
    with files_kept_open():
        found = check_inputs(config)
        missing, others = ([*map(source.located, each)] for each in (found.missing, found.others))
        remarks = found._replace(missing=missing, others=others)
        fillings = {name: filling.in_words() for name, filling in bin_fillings(config)}
    if as_json:
        streams.print_document(documents.checked(file, config, bounds, fillings, remarks))
        return
    console = streams.open_console()
    for name in config.clusters:
        tables.print_collection(console, config, name, bounds[name])
    for line in (*varied_thresholds(config), *reference_places(config), *normalised_in_words(config)):
        console.print(line)
    for name, grid in config.grids.items():
        if grid.cells is not None:
            tables.print_cell_table(console, f"cells of {name}: {grid.cells}", describe_table(grid))
    for name, lines in fillings.items():
        tables.print_filling(console, name, lines)
    for remark in (*remarks.others, *remarks.missing):
        streams.warn(remark)
    for entries in remarks.tried:
        console.print(f"Tried on {entries}")
    here = ", but not all of its files are here" if remarks.missing else ""
    console.print(f"{file}: the config is valid{here}")


@cli.command()
@click.argument("file", type=click.Path())
@set_option
@entry_option
@dataset_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Picture to write.  [default: event-ENTRY.png]"
)
@click.option(
    "--z-range",
    type=(float, float),
    metavar="LOW HIGH",
    help="Ends of the colour scale, in the unit of the cells.  [default: of the cells]",
)
def show(
    file: str,
    overrides: Sequence[str],
    entry: int,
    dataset: str | None,
    output: str | None,
    z_range: tuple[float, float] | None,
) -> None:
    """Draw one event: its cells, its clusters and their windows, and the references of the config.

    FILE is a config, or a ROOT file, which is read with the config that `inspect` proposes.
    """
    from hep_peaksum.inspection.files import proposed_config_of
    from hep_peaksum.plotting import canvas
    from hep_peaksum.preview.event import read_event
    from hep_peaksum.terminal import tables

    config = proposed_config_of(file, overrides) if file.endswith(".root") else load(file, overrides)
    event = read_event(config, entry, dataset)
    console = streams.open_console()
    console.print(f"{event.file}, entry {event.entry}")
    picture = Path(output or f"event-{entry}.png")
    pairs = [(name, grid) for name, collection in config.clusters.items() for grid in collection.grid]
    for name, grid in pairs:
        clusters, figure = _draw(config, event, name, grid, z_range)
        path = picture
        if len(pairs) > 1:
            path = picture.with_name(f"{picture.stem}-{name}-{grid}{picture.suffix}")
        canvas.save(figure, path)
        counted = f"{len(clusters)} cluster{'s' * (len(clusters) != 1)}"
        console.print(f"{name} on {grid}: {counted}, picture saved to {path}")
    tables.print_clusters(console, event)


def _draw(
    config: Config, event: Event, name: str, grid: str, z_range: tuple[float, float] | None
) -> tuple[Any, Figure]:
    """Return the clusters of a collection on a grid, and their picture."""
    from hep_peaksum.plotting.events import draw_event

    collection, clusters, source = config.clusters[name], event.clusters[name], config.grids[grid]
    if len(collection.grid) > 1:
        clusters = clusters[clusters.grid == collection.grid.index(grid)]
    others = {f"reference of {other}" for other in config.clusters if other != name}
    figure = draw_event(
        event.cells[grid],
        collection.settings,
        source.grid,
        clusters=clusters,
        mask=event.masks[grid],
        references={key: each for key, each in event.references[grid].items() if key not in others},
        z_range=z_range,
        title=f"{name} on {grid}, entry {event.entry}",
    )
    return clusters, figure


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False), metavar="DIR")
@click.option("--verify", is_flag=True, help="Read every part and compare it with its checksum.")
@json_option
def status(directory: str, *, verify: bool, as_json: bool) -> int:
    """Show what a results directory holds: finished, missing, lost."""
    from hep_peaksum.results.status import read_status
    from hep_peaksum.terminal import job_documents, tables

    state = read_status(Path(directory), verify=verify)
    exit_status = FAILED if state.damaged else DONE
    if as_json and state.summary is not None:
        remarks = tables.remarks(state.summary)
        done = job_documents.finished_job("status", directory, state.summary, remarks, state.damaged)
        streams.print_document(done)
        return exit_status
    if as_json:
        streams.print_document(job_documents.unfinished_job(directory, state))
        return exit_status
    _print_status(directory, state, verify=verify)
    return exit_status


def _print_status(directory: str, state: Status, *, verify: bool) -> None:
    """Print what a results directory holds."""
    from rich.markup import escape

    from hep_peaksum.terminal import tables

    console = streams.open_console()
    if state.summary is not None:
        tables.print_summary(console, state.summary)
    else:
        tables.print_unfinished(console, state.unfinished)
        console.print(f"{directory}: incomplete; the same run command continues from the finished chunks")
    for line in state.damaged:
        told = f"[red]damaged:[/red] {escape(line)}; the same run command makes it anew"
        console.print(told, markup=True)
    if verify:
        console.print(f"{state.n_chunks} chunks are intact, {len(state.damaged)} files are damaged")


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False), metavar="DIR")
def report(directory: str) -> None:
    """Write report.html into a results directory: the whole job on one page.

    Every job ends by writing it. This writes it again, with figures even if the job drew none.
    """
    with importing():
        from hep_peaksum.report.page import write_report
        from hep_peaksum.terminal import tables

    tables.print_report(streams.open_console(), write_report(Path(directory)))


for command in (
    *(inspect, init, merge, group, explain, ties, compare, closure, presets, keys, export, view),
    *(info, completions),
):
    cli.add_command(command)
for command in cli.commands.values():
    with_streams(command)
