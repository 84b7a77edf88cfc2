"""The commands that look into the algorithm: explain, ties, compare, closure, presets; tables, and pictures.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hep_peaksum.cli.options import (
    collection_option,
    config_file,
    dataset_option,
    load,
    max_events_option,
    pick_collection,
    picture_option,
    set_option,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from hep_peaksum.config.model import Config
    from hep_peaksum.settings.model import PeakSumSettings


@click.command()
@config_file
@set_option
@click.option("--entry", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--cell", type=(int, int), required=True, metavar="ROW COL", help="The cell, counted from 0.")
@click.option("--layer", type=click.IntRange(min=0), help="Of a grid whose layers are searched each: which.")
@collection_option
@dataset_option
@picture_option
def explain(
    file: str,
    overrides: Sequence[str],
    entry: int,
    cell: tuple[int, int],
    layer: int | None,
    collection: str | None,
    dataset: str | None,
    output: str | None,
) -> None:
    """Say why a cell is a seed or not: which neighbour, which comparison, which threshold decided."""
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.clustering.discriminant import search_grid  # noqa: PLC0415 -- slow to import
    from hep_peaksum.diagnostics.explain import explain as explain_  # noqa: PLC0415 -- slow to import
    from hep_peaksum.geometry.grid import EventError  # noqa: PLC0415 -- slow to import

    config = load(file, overrides)
    name = pick_collection(config, collection)
    settings, console = config.clusters[name].settings, tables.open_console()
    row, col = cell
    for grid in config.clusters[name].grid:
        found = _one_event(config, grid, dataset, entry, layer)
        plane, maps = config.grids[grid].grid, {"mask": found.mask, "noise": found.noise}
        try:
            why = explain_(found.cells, settings, plane, row=row, col=col, **maps)
        except EventError as error:
            msg = f"entry {entry}: {error.problem}"
            raise ValueError(msg) from None
        title = f"{name} on {grid}, entry {entry}" + (f", layer {layer}" if layer is not None else "")
        console.print(f"{title}: {why}", markup=False)
        tables.print_neighbours(console, why, settings, search_grid(settings, plane))
        if output is not None:
            from hep_peaksum.plotting import rules  # noqa: PLC0415 -- slow to import

            figure = rules.draw_explanation(found.cells, why, settings, plane, **maps, title=title)
            _save(console, figure, output, grid if len(config.clusters[name].grid) > 1 else None)


@click.command()
@config_file
@set_option
@max_events_option
@collection_option
@dataset_option
@picture_option
def ties(
    file: str,
    overrides: Sequence[str],
    max_events: int,
    collection: str | None,
    dataset: str | None,
    output: str | None,
) -> None:
    """Say how much of the answer depends on the tie rule, and which equal cells no rule of direction finds."""
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.diagnostics.ties import TieAudit, audit_ties  # noqa: PLC0415 -- slow to import

    config = load(file, overrides)
    name = pick_collection(config, collection)
    wanted, console = config.clusters[name], tables.open_console()
    for grid in wanted.grid:
        audit = TieAudit.joined(
            [
                _of_block(block, audit_ties, wanted.settings, config.grids[grid].grid)
                for block in _blocks(config, grid, dataset, max_events)
            ]
        )
        title = name if len(wanted.grid) == 1 else f"{name} on {grid}"
        tables.print_audit(console, title, audit)
        if output is not None:
            from hep_peaksum.plotting import comparisons  # noqa: PLC0415 -- slow to import

            figure = comparisons.draw_ties(audit, title=f"{title}, {audit.n_events} events")
            _save(console, figure, output, grid if len(wanted.grid) > 1 else None)


@click.command()
@config_file
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@set_option
@max_events_option
@dataset_option
@picture_option
def compare(
    file: str,
    first: str,
    second: str,
    overrides: Sequence[str],
    max_events: int,
    dataset: str | None,
    output: str | None,
) -> None:
    """Say where two collections of a config differ, seed by seed, on the grid of the first.

    A is a collection of the config, B another one or the name of a preset.
    """
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.diagnostics.compare import Comparison  # noqa: PLC0415 -- slow to import
    from hep_peaksum.diagnostics.compare import compare as compare_  # noqa: PLC0415 -- slow to import

    config = load(file, overrides)
    wanted, console = config.clusters[pick_collection(config, first)], tables.open_console()
    settings = wanted.settings, _second_settings(config, second)
    for grid in wanted.grid:
        source = config.grids[grid]
        _check_runs(second, settings[1], config, grid)
        blocks = _blocks(config, grid, dataset, max_events)
        both = Comparison.joined([_of_block(block, compare_, *settings, source.grid) for block in blocks])
        title = first if len(wanted.grid) == 1 else f"{first} on {grid}"
        tables.print_comparison(console, (title, second), both, source.grid)
        if output is not None:
            from hep_peaksum.plotting import comparisons  # noqa: PLC0415 -- slow to import

            figure = comparisons.draw_comparison(
                both, source.grid, names=(first, second), title=f"{title} and {second}, {both.n_events} events"
            )
            _save(console, figure, output, grid if len(wanted.grid) > 1 else None)


@click.command()
@config_file
@set_option
@click.option("--max-events", type=click.IntRange(min=1), help="Look at no more entries than this.")
@dataset_option
def closure(file: str, overrides: Sequence[str], max_events: int | None, dataset: str | None) -> None:
    """Compare clusters with the file's own collections, which the config names under `reference`."""
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.preview.closure import closure as closure_  # noqa: PLC0415 -- slow to import

    found = closure_(load(file, overrides), dataset, max_events=max_events or math.inf)
    tables.print_closure(tables.open_console(), found)


@click.command()
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw the windows.")
def presets(name: str | None, output: str | None) -> None:
    """List the published algorithms, or draw the windows of one."""
    from hep_peaksum.cli import tables  # noqa: PLC0415 -- slow to import
    from hep_peaksum.library import presets  # noqa: PLC0415 -- slow to import

    console = tables.open_console()
    if name is None:
        if output is not None:
            msg = "-o draws one preset: give its name, as in hep-peaksum presets cms-l1-jet -o windows.png"
            raise click.UsageError(msg)
        tables.print_presets(console, {each: presets.read_preset(each) for each in presets.presets()})
        return
    preset, (settings, _) = presets.read_preset(name), presets.preset(name)
    tables.print_preset(console, name, preset, settings)
    if output is not None:
        from hep_peaksum.plotting import rules  # noqa: PLC0415 -- slow to import

        figure = rules.draw_windows(
            settings, title=f"{name}: {preset.title}", notes=tables.preset_notes(preset)
        )
        _save(console, figure, output)


class _Block(NamedTuple):
    """Events that follow one another: the entry of the first, and what `find_clusters` takes of them."""

    start: int
    cells: Any
    mask: Any
    noise: Any
    layers: Any


def _blocks(config: Config, grid: str, dataset: str | None, max_events: int) -> Iterator[_Block]:
    """Yield the first events of a dataset, block by block, with noise and mask of the grid."""
    from hep_peaksum.reading.blocks import read_cells  # noqa: PLC0415 -- slow to import

    source, start = config.grids[grid], 0
    noise, mask = source.noise_map(), source.mask_map()
    for cells in read_cells(config, grid, dataset, max_events=max_events):
        yield _Block(start, cells, mask, noise, source.layers)
        start += len(cells)
    if start == 0:
        msg = f"there is nothing to look at: {dataset or 'the dataset'} has no entries"
        raise ValueError(msg)


def _of_block(block: _Block, function: Any, *arguments: Any) -> Any:
    """Return what a function says of a block; what is wrong with an event names its entry in the dataset."""
    from hep_peaksum.geometry.grid import EventError  # noqa: PLC0415 -- slow to import

    try:
        return function(block.cells, *arguments, mask=block.mask, noise=block.noise, layers=block.layers)
    except EventError as error:
        msg = f"entry {block.start + error.event}: {error.problem}"
        raise ValueError(msg) from None


def _one_event(config: Config, grid: str, dataset: str | None, entry: int, layer: int | None) -> _Block:
    """Return one event, or one layer of it where each is searched, with noise and mask of the same shape."""
    from hep_peaksum.reading.blocks import read_cells  # noqa: PLC0415 -- slow to import

    source = config.grids[grid]
    cells = next(read_cells(config, grid, dataset, first=entry, max_events=1), None)
    if cells is None:
        msg = f"there is no entry {entry}: {dataset or 'the dataset'} has none"
        raise ValueError(msg)
    noise, mask = source.noise_map(), source.mask_map()
    if source.layers == "sum":
        if layer is not None:
            msg = f"--layer {layer}: the layers of grid {grid!r} are not searched each; leave it out"
            raise ValueError(msg)
        return _Block(entry, cells[0], mask, noise, "sum")
    n_layers = cells.shape[1]
    if layer is None or layer >= n_layers:
        given = "" if layer is None else f", and none is number {layer}"
        msg = f"grid {grid!r} has {n_layers} layers, each searched by itself{given}: "
        msg += f"give --layer, 0 to {n_layers - 1}"
        raise ValueError(msg)
    mask, noise = (each[layer] if each is not None and each.ndim == 3 else each for each in (mask, noise))
    return _Block(entry, cells[0][layer], mask, noise, "each")


def _second_settings(config: Config, name: str) -> PeakSumSettings:
    """Return the settings of a collection of the config, or else of a preset."""
    from hep_peaksum.library.presets import preset  # noqa: PLC0415 -- slow to import
    from hep_peaksum.suggestions import did_you_mean  # noqa: PLC0415 -- slow to import

    if name in config.clusters:
        return config.clusters[name].settings
    try:
        return preset(name)[0]
    except ValueError as error:
        msg = f"no collection {name!r}{did_you_mean(name, config.clusters)}, and {error}"
        raise ValueError(msg) from None


def _check_runs(name: str, settings: PeakSumSettings, config: Config, grid: str) -> None:
    """Raise a ValueError that says why the second algorithm cannot be run on a grid."""
    from hep_peaksum.clustering.validation import check_windows  # noqa: PLC0415 -- slow to import

    source = config.grids[grid]
    try:
        check_windows(settings, source.grid)
        if settings.needs_noise and source.noise is None:
            msg = f"it needs the noise of the cells: add noise to grids.{grid}, or --set grids.{grid}.noise=..."
            raise ValueError(msg)
    except ValueError as error:
        msg = f"{name} cannot run on grid {grid!r}: {error}"
        raise ValueError(msg) from None


def _save(console: Console, figure: Figure, output: str, grid: str | None = None) -> None:
    """Write a picture, under a name of its own for each of several grids."""
    from hep_peaksum.plotting import canvas  # noqa: PLC0415 -- slow to import

    path = Path(output)
    path = path if grid is None else path.with_name(f"{path.stem}-{grid}{path.suffix}")
    canvas.save(figure, path)
    console.print(f"drawn in {path}")
