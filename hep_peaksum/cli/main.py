"""The command line: words for what the other modules do. The only place that prints and the only that exits.

Everything heavy is imported inside the commands, so that `--help` answers at once. Those that look into the
algorithm (`explain`, `ties`, `compare`, `closure`, `presets`) stand in `cli_diagnostics`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hep_peaksum.cli.diagnostics import closure, compare, explain, presets, ties
from hep_peaksum.cli.keys import keys
from hep_peaksum.cli.options import config_file, load, set_option
from hep_peaksum.job.worker_startup import end_quickly, importing

if TYPE_CHECKING:
    from hep_peaksum.config.model import Config

DONE, FAILED, WRONG_USAGE, DONE_WITH_LOSSES = range(4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; every expected error is one line, and an exit status."""
    end_quickly()
    try:
        status = cli.main(arguments, prog_name="hep-peaksum", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USAGE)
    except (KeyboardInterrupt, click.Abort):
        _complain("stopped; the chunks that are finished are kept, the same command goes on from them")
        sys.exit(130)
    except (ValueError, OSError, RuntimeError) as error:
        for line in str(error).splitlines() or [type(error).__name__]:
            _complain(line)
        sys.exit(WRONG_USAGE if hasattr(error, "problems") else FAILED)
    sys.exit(status or DONE)


def _complain(line: str) -> None:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hep_peaksum", message="hep_peaksum %(version)s")
def cli() -> None:
    """Find the local maxima of calorimeter grids and sum the cells around them.

    Begin with `hep-peaksum demo`, which needs no file.
    """


@cli.command()
@click.option("--events", "n_events", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random numbers.")
def demo(n_events: int, seed: int) -> None:
    """Make a toy sample, find its clusters, compare them with the truth.

    Everything is left in the folder hep-peaksum-demo: the files, the config that was run, results and plots.
    """
    with importing():
        from hep_peaksum.cli import demo as demo_  # noqa: PLC0415 -- slow to import
        from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import

    console = tables.open_console()
    console.print(f"Toy calorimeter: {n_events} events of 24 x 16 cells (seed {seed})")
    tables.show_messages(console)
    found = demo_.demo(n_events, seed)
    tables.print_result(console, found.result)
    score = found.score
    table = tables.table("Clusters against the true showers", "")
    table.add_row("true showers", f"{score.n_showers}")
    table.add_row("found within one cell", f"{score.n_found}  ({score.efficiency:.1%})")
    table.add_row(
        "clusters that are fake",
        f"{score.n_fakes} of {score.n_clusters}  ({score.fakes_per_event:.3f} an event)",
    )
    table.add_row("energy response", f"{score.response:.3f}  (median of E cluster / E shower)")
    table.add_row("energy resolution", f"{score.resolution:.1%}  (half width of the central 68 %)")
    console.print(table)
    console.print(f"Now look at {found.picture} and the plots beside it, change {found.config}, and run")
    console.print(
        f"  hep-peaksum run {found.config} --set output.directory=hep-peaksum-demo/mine", style="bold"
    )


@cli.command()
@config_file
@set_option
@click.option(
    "--max-events", type=click.IntRange(min=0), help="Process no more entries than this of a dataset."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@click.option("--restart", is_flag=True, help="Remove the results that are in the directory, and start over.")
def run(file: str, overrides: Sequence[str], max_events: int | None, dry_run: bool, restart: bool) -> int:
    """Run the job of a config file."""
    with importing():
        from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import

        config = load(file, overrides)
        from hep_peaksum.job.run import run as run_  # noqa: PLC0415 -- slow to import

    console = tables.open_console()
    if dry_run:
        from hep_peaksum.job.planning import plan_job  # noqa: PLC0415 -- slow to import

        tables.print_plan(console, plan_job(config, max_events=max_events))
        forms = ", ".join(config.output.clusters)
        console.print(f"would be written to {config.output.directory}: {forms}, histograms; nothing was done")
        return DONE
    tables.show_messages(console)
    result = run_(config, max_events=max_events, restart=restart)
    tables.print_result(console, result)
    return DONE_WITH_LOSSES if result.losses else DONE


@cli.command()
@config_file
@set_option
def check(file: str, overrides: Sequence[str]) -> None:
    """Say everything that is wrong with a config file, and what it means.

    Trees and branches are looked up in the first file of every dataset, where that is there.
    """
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.diagnostics.wording import words  # noqa: PLC0415 -- slow to import
    from hep_peaksum.job.planning import check_inputs  # noqa: PLC0415 -- slow to import
    from hep_peaksum.job.summary import thresholds  # noqa: PLC0415 -- slow to import
    from hep_peaksum.settings.model import PeakSumSettings  # noqa: PLC0415 -- slow to import

    config = load(file, overrides)
    console = tables.open_console()
    for name, wanted in config.clusters.items():
        shapes = [config.grids[grid].grid.shape for grid in wanted.grid]
        planes = [f"{grid} {rows} x {cols}" for grid, (rows, cols) in zip(wanted.grid, shapes, strict=True)]
        console.print(f"[bold]{name}[/bold] on {' and '.join(planes)}")
        tables.print_window(console, "search window", wanted.settings.search_window)
        tables.print_window(console, "sum window", wanted.settings.sum_window)
        console.print(f"  tie rule        {wanted.settings.tie_rule}")
        bounds = {f"{word} threshold": bound for word, bound in thresholds(config)[name].items()}
        for word, bound in bounds.items():
            console.print(f"  {word:<15} {bound}")
        if wanted.settings.seed_window != (1, 1):
            tables.print_window(console, "seed window", wanted.settings.seed_window)
        usual = words(PeakSumSettings())
        for word, text in words(wanted.settings):
            if word not in {"tie rule", *bounds} and (word, text) not in usual:
                console.print(f"  {word:<15} {text}", markup=False)
        console.print(f"  fields          {' '.join(config.written_fields(name))}")
    for problem in check_inputs(config):
        console.print(f"[yellow]not there yet:[/yellow] {problem}")
    console.print(f"{file}: the config is fine")


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False), metavar="FILE.root")
def inspect(file: str) -> None:
    """Say which branches of a ROOT file look like grids or hits, and propose a config."""
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.reading.inspect import proposed_config, survey  # noqa: PLC0415 -- slow to import

    trees, candidates = survey(file)
    console = tables.open_console()
    table = tables.table("tree", "entries", "branches", "looks like")
    for candidate in candidates[:MANY_CANDIDATES]:
        table.add_row(
            candidate.tree, str(candidate.n_entries), "\n".join(candidate.branches), candidate.looks_like
        )
    if len(candidates) > MANY_CANDIDATES:
        table.caption = f"and {len(candidates) - MANY_CANDIDATES} more that are less likely"
    if not candidates:
        console.print(f"{file}: nothing looks like a grid in {', '.join(trees) or 'a file without trees'}")
        return
    console.print(table)
    console.print(f"\n# a config for the first of them; hep-peaksum init --root {file} writes it to a file")
    console.print(_as_yaml(proposed_config(file, candidates[0])), markup=False)


MANY_CANDIDATES = 8


def _as_yaml(content: Mapping[str, Any]) -> str:
    import yaml  # noqa: PLC0415 -- slow to import

    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False))
@set_option
@click.option("--entry", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--dataset", help="By default the first.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="The picture; by default event-ENTRY.png."
)
def show(file: str, overrides: Sequence[str], entry: int, dataset: str | None, output: str | None) -> None:
    """Draw one event: its cells, its clusters and their windows.

    FILE is a config, or a ROOT file: then the config is the one that `inspect` proposes.
    """
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.plotting import canvas, events  # noqa: PLC0415 -- slow to import
    from hep_peaksum.preview.event import read_event, searched_cells  # noqa: PLC0415 -- slow to import

    config = _config_of_root(file, overrides) if file.endswith(".root") else load(file, overrides)
    event = read_event(config, entry, dataset)
    console = tables.open_console()
    console.print(f"{event.file}, entry {event.entry}")
    stem = Path(output or f"event-{entry}.png")
    pictures = [(name, grid) for name, wanted in config.clusters.items() for grid in wanted.grid]
    for name, grid in pictures:
        clusters = event.clusters[name]
        if len(config.clusters[name].grid) > 1:
            clusters = clusters[clusters.grid == config.clusters[name].grid.index(grid)]
        title = f"{name} on {grid}, entry {entry}"
        cells, plane = searched_cells(config, event, name, grid)
        figure = events.draw_event(cells, plane, clusters, config.clusters[name].settings, title=title)
        path = stem if len(pictures) == 1 else stem.with_name(f"{stem.stem}-{name}-{grid}{stem.suffix}")
        canvas.save(figure, path)
        console.print(f"{name} on {grid}: {len(clusters)} clusters, drawn in {path}")
    tables.print_clusters(console, event)


def _config_of_root(file: str, overrides: Sequence[str]) -> Config:
    from hep_peaksum.config.load import parse_config  # noqa: PLC0415 -- slow to import
    from hep_peaksum.config.yaml_io import override  # noqa: PLC0415 -- slow to import
    from hep_peaksum.reading.inspect import proposed_config, survey  # noqa: PLC0415 -- slow to import

    _, candidates = survey(file)
    if not candidates:
        msg = f"{file}: nothing in it looks like a grid; write a config, and show that"
        raise ValueError(msg)
    return parse_config(override(proposed_config(file, candidates[0]), overrides))


@cli.command()
@click.option(
    "--root", type=click.Path(dir_okay=False), metavar="FILE.root", help="Propose a config for this file."
)
@click.option("-o", "--output", default="peaksum.yaml", show_default=True, type=click.Path(dir_okay=False))
def init(root: str | None, output: str) -> None:
    """Write a config to begin with: the commented quickstart, or one for a ROOT file."""
    from hep_peaksum.config.schema import editor_line  # noqa: PLC0415 -- only here

    if Path(output).exists():
        msg = f"{output} is there already: choose another name with -o"
        raise click.UsageError(msg)
    if root is None:
        from hep_peaksum.cli.demo import quickstart  # noqa: PLC0415 -- slow to import

        text = quickstart()
    else:
        from hep_peaksum.reading.inspect import proposed_config, survey  # noqa: PLC0415 -- slow to import

        _, candidates = survey(root)
        if not candidates:
            msg = f"{root}: nothing in it looks like a grid"
            raise ValueError(msg)
        text = _as_yaml(proposed_config(root, candidates[0]))
    Path(output).write_text(editor_line() + text, encoding="utf-8")
    click.echo(f"{output} is written; next: hep-peaksum check {output}")


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False), metavar="DIR")
def status(directory: str) -> None:
    """Say what a results directory holds: the datasets, what is done, what is lost."""
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.results.manifest import read_status  # noqa: PLC0415 -- slow to import

    found = read_status(Path(directory))
    console = tables.open_console()
    if found.summary is not None:
        tables.print_summary(console, found.summary)
        return
    table = tables.table("dataset", "files", "chunks finished", "events in them")
    for name, (n_files, n_chunks, n_events) in found.unfinished.items():
        table.add_row(name, str(n_files), str(n_chunks), str(n_events))
    console.print(table)
    console.print(f"{directory}: not complete; the same run command goes on from the finished chunks")


for command in (explain, ties, compare, closure, presets, keys):
    cli.add_command(command)
