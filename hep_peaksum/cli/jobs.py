"""The commands about jobs: check a config, run it, look at an event of it, and at its results.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hep_peaksum.cli.options import (
    DONE,
    FAILED,
    SOURCE,
    Count,
    config_file,
    dataset_option,
    entry_option,
    json_option,
    load,
    print_job,
    set_option,
)
from hep_peaksum.job.worker_startup import importing
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hep_peaksum.config.model import Config
    from hep_peaksum.job.planning import Plan
    from hep_peaksum.preview.event import Event
    from hep_peaksum.results.status import Status


@click.command()
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
        from hep_peaksum.terminal import job_tables, tables

    console = streams.open_console()
    console.print(f"Toy calorimeter: {n_events} events of 24 x 16 cells (seed {seed})")
    made = demo_.demo(n_events, seed, progress=not streams.is_quiet())
    job_tables.print_result(console, made.result)
    tables.print_score(console, made.score)
    console.print(f"Next: look at {made.picture} and the plots beside it, edit {made.config}, and run")
    console.print(f"  hep-peaksum run {made.config} --set output.directory=hep-peaksum-demo/mine", style="bold")


@click.command()
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
    from hep_peaksum.terminal import job_documents, job_tables

    if as_json:
        streams.print_document(job_documents.plan(planned, config.output.directory))
        return DONE
    console = streams.open_console()
    job_tables.print_plan(console, planned)
    formats = ", ".join(config.output.clusters)
    console.print(f"dry run: would write {formats} and histograms to {config.output.directory}")
    return DONE


@click.command()
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


@click.command()
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


@click.command()
@click.argument("directory", type=click.Path(file_okay=False), metavar="DIR")
@click.option("--verify", is_flag=True, help="Read every part and compare it with its checksum.")
@json_option
def status(directory: str, *, verify: bool, as_json: bool) -> int:
    """Show what a results directory holds: finished, missing, lost."""
    from hep_peaksum.results.status import read_status
    from hep_peaksum.terminal import job_documents, job_tables

    state = read_status(Path(directory), verify=verify)
    exit_status = FAILED if state.damaged else DONE
    if as_json and state.summary is not None:
        remarks = job_tables.remarks(state.summary)
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

    from hep_peaksum.terminal import job_tables

    console = streams.open_console()
    if state.summary is not None:
        job_tables.print_summary(console, state.summary)
    else:
        job_tables.print_unfinished(console, state.unfinished)
        console.print(f"{directory}: incomplete; the same run command continues from the finished chunks")
    for line in state.damaged:
        told = f"[red]damaged:[/red] {escape(line)}; the same run command makes it anew"
        console.print(told, markup=True)
    if verify:
        console.print(f"{state.n_chunks} chunks are intact, {len(state.damaged)} files are damaged")


@click.command()
@click.argument("directory", type=click.Path(file_okay=False), metavar="DIR")
def report(directory: str) -> None:
    """Write report.html into a results directory: the whole job on one page.

    Every job ends by writing it. This writes it again, with figures even if the job drew none.
    """
    with importing():
        from hep_peaksum.report.page import write_report
        from hep_peaksum.terminal import job_tables

    job_tables.print_report(streams.open_console(), write_report(Path(directory)))
