"""The commands that look into the algorithm: explain, ties, compare, closure, presets; tables and pictures.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hep_peaksum.cli.options import (
    Count,
    collection_option,
    config_file,
    dataset_option,
    entry_option,
    json_option,
    load,
    max_events_option,
    no_collection,
    pick_collection,
    picture_option,
    set_option,
)
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hep_peaksum.config.model import Config
    from hep_peaksum.settings.model import PeakSumSettings


@click.command()
@config_file
@set_option
@entry_option
@click.option("--cell", type=(int, int), required=True, metavar="ROW COL", help="Cell, counted from 0.")
@click.option("--layer", type=Count(min=0), help="Layer of a grid with 'layers: each', from 0.")
@collection_option
@dataset_option
@picture_option
@json_option
def explain(
    file: str,
    overrides: Sequence[str],
    entry: int,
    cell: tuple[int, int],
    layer: int | None,
    collection: str | None,
    dataset: str | None,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """Explain why a cell is a seed, or why not.

    The answer names the neighbour, the comparison or the threshold that decides.
    """
    from hep_peaksum.clustering.discriminant import search_grid
    from hep_peaksum.diagnostics import wording
    from hep_peaksum.diagnostics.explain import explain as explain_
    from hep_peaksum.geometry.grid import EventError
    from hep_peaksum.terminal import diagnostic_documents, diagnostic_tables

    config = load(file, overrides)
    name = pick_collection(config, collection)
    settings, console = config.clusters[name].settings, streams.open_console()
    (row, col), explanations = cell, []
    for grid in config.clusters[name].grid:
        event = _read_event(config, grid, dataset, entry, layer)
        plane, maps = config.grids[grid].grid, {"mask": event.mask, "noise": event.noise}
        try:
            why = explain_(event.cells, settings, plane, row=row, col=col, **maps)
        except EventError as error:
            msg = f"entry {entry}: {error.problem}"
            raise ValueError(msg) from None
        title = f"{name} on {grid}, entry {entry}" + (f", layer {layer}" if layer is not None else "")
        place = {"collection": name, "grid": grid, "entry": entry, "layer": layer}
        unit = wording.discriminant_unit(settings, search_grid(settings, plane))
        explanations.append(diagnostic_documents.explanation(why, unit=unit, **place))
        if not as_json:
            console.print(f"{title}: {why}")
            diagnostic_tables.print_neighbours(console, why, settings, search_grid(settings, plane))
        if output is not None:
            from hep_peaksum.plotting.explanations import draw_explanation

            figure = draw_explanation(event.cells, why, settings, plane, **maps, title=title)
            _save(figure, output, grid if len(config.clusters[name].grid) > 1 else None)
    if as_json:
        streams.print_document(diagnostic_documents.Explanations(command="explain", explanations=explanations))


@click.command()
@config_file
@set_option
@max_events_option
@collection_option
@dataset_option
@picture_option
@json_option
def ties(
    file: str,
    overrides: Sequence[str],
    max_events: int,
    collection: str | None,
    dataset: str | None,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """Count how many seeds depend on the tie rule.

    Closed rings of equal cells, on which the directional rules find no seed, are listed.
    """
    from hep_peaksum.diagnostics.ties import TieAudit, audit_ties
    from hep_peaksum.terminal import diagnostic_documents, diagnostic_tables

    config = load(file, overrides)
    name = pick_collection(config, collection)
    clusters, console, audits = config.clusters[name], streams.open_console(), []
    for grid in clusters.grid:
        blocks = _read_blocks(config, grid, dataset, max_events)
        plane = config.grids[grid].grid
        audit = TieAudit.joined([_apply(audit_ties, block, clusters.settings, plane) for block in blocks])
        title = name if len(clusters.grid) == 1 else f"{name} on {grid}"
        audits.append(diagnostic_documents.ties(name, grid, audit))
        if not as_json:
            diagnostic_tables.print_audit(console, title, audit)
        if output is not None:
            from hep_peaksum.plotting import comparisons

            figure = comparisons.draw_ties(audit, title=f"{title}, {audit.n_events} events")
            _save(figure, output, grid if len(clusters.grid) > 1 else None)
    if as_json:
        streams.print_document(diagnostic_documents.TieAudits(command="ties", audits=audits))


@click.command()
@config_file
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@set_option
@max_events_option
@dataset_option
@picture_option
@json_option
def compare(
    file: str,
    first: str,
    second: str,
    overrides: Sequence[str],
    max_events: int,
    dataset: str | None,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """Compare two collections, or a collection and a preset.

    A is a collection of the config, B another one or the name of a preset. Both are
    searched on the grid of A, and their clusters are matched by seed.
    """
    from hep_peaksum.diagnostics.compare import Comparison
    from hep_peaksum.diagnostics.compare import compare as compare_
    from hep_peaksum.terminal import diagnostic_documents, diagnostic_tables

    if Path(second).is_file() and not Path(file).exists():
        msg = f"{file!r} is no config, and {second!r} is a file: write FILE.yaml first, then A and B"
        raise click.UsageError(msg)
    config = load(file, overrides)
    clusters, console = config.clusters[pick_collection(config, first)], streams.open_console()
    settings, differences = (clusters.settings, _second_settings(config, second)), []
    for grid in clusters.grid:
        plane = config.grids[grid].grid
        _check_runs(second, settings[1], config, grid)
        blocks = _read_blocks(config, grid, dataset, max_events)
        both = Comparison.joined([_apply(compare_, block, *settings, plane) for block in blocks])
        title = first if len(clusters.grid) == 1 else f"{first} on {grid}"
        differences.append(diagnostic_documents.difference(grid, plane.energy_unit, (first, second), both))
        if not as_json:
            diagnostic_tables.print_comparison(console, (title, second), both, plane)
        if output is not None:
            from hep_peaksum.plotting import comparisons

            figure = comparisons.draw_comparison(
                both, plane, names=(first, second), title=f"{title} and {second}, {both.n_events} events"
            )
            _save(figure, output, grid if len(clusters.grid) > 1 else None)
    if as_json:
        streams.print_document(diagnostic_documents.Comparisons(command="compare", comparisons=differences))


@click.command()
@config_file
@set_option
@click.option("--max-events", type=Count(min=1), help="Maximum number of entries to read.")
@dataset_option
@json_option
def closure(
    file: str, overrides: Sequence[str], max_events: int | None, dataset: str | None, *, as_json: bool
) -> None:
    """Compare clusters with objects that the file already holds.

    The config names these objects under `reference` of a collection.
    """
    from hep_peaksum.preview.closure import closure as closure_
    from hep_peaksum.terminal import diagnostic_documents, diagnostic_tables

    closures = closure_(load(file, overrides), dataset, max_events=max_events or math.inf)
    if as_json:
        streams.print_document(diagnostic_documents.closures(closures))
    else:
        diagnostic_tables.print_closure(streams.open_console(), closures)


@click.command()
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw the windows.")
@json_option
def presets(name: str | None, output: str | None, *, as_json: bool) -> None:
    """List the published algorithms, or show one in detail."""
    from hep_peaksum.library import presets
    from hep_peaksum.terminal import diagnostic_tables, documents

    console = streams.open_console()
    if name is None:
        if output is not None:
            msg = "-o draws a single preset: give its name, as in hep-peaksum presets cms-l1-jet -o windows.png"
            raise click.UsageError(msg)
        every = {each: presets.read_preset(each) for each in presets.presets()}
        if as_json:
            streams.print_document(documents.presets(every))
        else:
            diagnostic_tables.print_presets(console, every)
        return
    preset, (settings, _) = presets.read_preset(name), presets.preset(name)
    if as_json:
        streams.print_document(documents.presets({name: preset}))
    else:
        diagnostic_tables.print_preset(console, name, preset, settings)
    if output is not None:
        from hep_peaksum.plotting import rules

        notes = diagnostic_tables.preset_notes(preset)
        figure = rules.draw_windows(settings, title=f"{name}: {preset.title}", notes=notes)
        _save(figure, output)


class _Block(NamedTuple):
    """Consecutive events, or a single one: the first entry, and the arguments of `find_clusters` for them."""

    start: int
    cells: Any
    mask: Any
    noise: Any
    layers: Any


def _read_blocks(config: Config, grid: str, dataset: str | None, max_events: int) -> Iterator[_Block]:
    """Yield the first events of a dataset, block by block, with noise and mask of the grid."""
    from hep_peaksum.calibration.calibrated_cells import taken_apart
    from hep_peaksum.reading.blocks import read_cells

    source, start = config.grids[grid], 0
    noise, mask = source.noise_map(), source.mask_map()
    for cells in read_cells(config, grid, dataset, max_events=max_events):
        yield _Block(start, *taken_apart(cells, mask, noise), source.layers)
        start += len(cells)
    if start == 0:
        msg = f"nothing to read: {dataset or 'the dataset'} has no entries"
        raise ValueError(msg)


def _apply(function: Any, block: _Block, *arguments: Any) -> Any:
    """Return `function` of a block; an error in an event names its entry in the dataset."""
    from hep_peaksum.geometry.grid import EventError

    try:
        return function(block.cells, *arguments, mask=block.mask, noise=block.noise, layers=block.layers)
    except EventError as error:
        msg = f"entry {block.start + error.event}: {error.problem}"
        raise ValueError(msg) from None


def _read_event(config: Config, grid: str, dataset: str | None, entry: int, layer: int | None) -> _Block:
    """Return one event, or one layer of it if layers are searched separately, with noise and mask."""
    from hep_peaksum.calibration.calibrated_cells import taken_apart
    from hep_peaksum.reading.blocks import read_cells

    source = config.grids[grid]
    cells = next(read_cells(config, grid, dataset, first=entry, max_events=1), None)
    if cells is None:
        msg = f"there is no entry {entry}: {dataset or 'the dataset'} has no entries"
        raise ValueError(msg)
    values, mask, noise = taken_apart(cells, source.mask_map(), source.noise_map(), event=0)
    if source.layers == "sum":
        if layer is not None:
            msg = f"--layer {layer}: the layers of grid {grid!r} are not searched separately; leave it out"
            raise ValueError(msg)
        return _Block(entry, values, mask, noise, "sum")
    n_layers = len(values)
    if layer is None or layer >= n_layers:
        missing = "" if layer is None else f", but no layer {layer}"
        there = f"grid {grid!r} has {n_layers} layers, searched separately{missing}"
        msg = f"{there}: give --layer, 0 to {n_layers - 1}"
        raise ValueError(msg)
    mask, noise = (each[layer] if each is not None and each.ndim == 3 else each for each in (mask, noise))
    return _Block(entry, values[layer], mask, noise, "each")


def _second_settings(config: Config, name: str) -> PeakSumSettings:
    """Return the settings of a collection of the config, or else of a preset."""
    from hep_peaksum.library.presets import preset

    if name in config.clusters:
        return config.clusters[name].settings
    try:
        return preset(name)[0]
    except ValueError as error:
        problem = no_collection(config, name)
        raise ValueError(problem if name in config.select else f"{problem}; and {error}") from None


def _check_runs(name: str, settings: PeakSumSettings, config: Config, grid: str) -> None:
    """Raise a ValueError that says why the second algorithm cannot run on a grid."""
    from hep_peaksum.clustering.validation import check_windows

    source = config.grids[grid]
    try:
        check_windows(settings, source.grid)
        if settings.needs_noise and not source.has_noise:
            msg = f"it needs the noise of the cells: add noise to grids.{grid}, or --set grids.{grid}.noise=..."
            raise ValueError(msg)
    except ValueError as error:
        msg = f"{name} cannot run on grid {grid!r}: {error}"
        raise ValueError(msg) from None


def _save(figure: Figure, output: str, grid: str | None = None) -> None:
    """Save a picture, with the grid in its name if there are several."""
    from hep_peaksum.plotting import canvas

    path = Path(output)
    path = path if grid is None else path.with_name(f"{path.stem}-{grid}{path.suffix}")
    canvas.save(figure, path)
    streams.notice(f"picture saved to {path}")
