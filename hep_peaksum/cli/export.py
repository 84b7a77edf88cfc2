"""The command that writes a search as code for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hep_peaksum.cli.options import collection_option, load, pick_collection, set_option, write_text
from hep_peaksum.terminal import streams

if TYPE_CHECKING:
    from hep_peaksum.geometry.grid import Grid
    from hep_peaksum.settings.model import PeakSumSettings


@click.command()
@click.argument("search", metavar="PRESET|FILE.yaml")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE.hpp",
    required=True,
    help="Header to write.",
)
@click.option("--shape", metavar="ROWSxCOLS", help="Shape of the grid, for presets that have none.")
@click.option("--namespace", default="peaksum", show_default=True, help="C++ namespace of the header.")
@collection_option
@set_option
def export(
    search: str,
    output: str,
    shape: str | None,
    namespace: str,
    collection: str | None,
    overrides: Sequence[str],
) -> None:
    """Write a preset, or a collection of a config, as a C++ header that finds the same clusters.

    The header has no dependencies and is for one event. In RDataFrame: Define("jets", "peaksum::find(cells)").
    """
    from hep_peaksum.config.yaml_io import ConfigError
    from hep_peaksum.integrations.cpp_header import cpp_header

    if Path(search).suffix in (".yaml", ".yml"):
        if shape is not None:
            msg = f"config {search} has grids: drop --shape"
            raise click.UsageError(msg)
        name, settings, grid, mask = _of_config(search, overrides, collection)
    else:
        name, settings, grid, mask = "", *_of_preset(search, shape), None
    try:
        header = cpp_header(settings, grid, mask=mask, namespace=namespace)
    except ValueError as error:
        if not name:
            raise
        key, _, problem = str(error).partition(" ")  # it begins with the key that cannot be exported
        is_key = key in type(settings).model_fields
        place = f"clusters.{name}.{key}: {problem}" if is_key else f"clusters.{name}: {error}"
        raise ConfigError([place]) from None
    write_text(output, header, "// Written by hep_peaksum ")
    rows, cols = grid.shape
    console = streams.open_console()
    console.print(
        f"{output}: #include it and call {namespace}::find(cells) with the {rows} x {cols} cells of an event"
    )
    if left_out := [line for line in header.splitlines() if line.startswith("// Left out: ")]:
        console.print(left_out[0].removeprefix("// "))


def _of_config(
    file: str, overrides: Sequence[str], collection: str | None
) -> tuple[str, PeakSumSettings, Grid, Any]:
    """Return the name of a collection, with its settings, grid and mask."""
    config = load(file, overrides)
    name = pick_collection(config, collection)
    chosen = config.clusters[name]
    source = config.grids[chosen.grid[0]]
    if len(chosen.grid) > 1 or (source.has_layers and source.layers == "each"):
        what = "several grids" if len(chosen.grid) > 1 else "each layer separately"
        msg = f"the collection is of {what}, a header is of one grid: name another with --collection"
        raise ValueError(msg)
    if source.cells is not None:
        why = f"grid {chosen.grid[0]!r} has a cell table, and a header knows neither pedestals nor dead cells"
        remedy = "name a collection of another grid, or make a config whose cells are calibrated already"
        msg = f"{why}: {remedy}"
        raise ValueError(msg)
    return name, chosen.settings, source.grid, source.mask_map()


def _of_preset(name: str, shape: str | None) -> tuple[PeakSumSettings, Grid]:
    """Return settings and grid of a preset, the grid from its shape if the preset has none."""
    from hep_peaksum.geometry.grid import bare_grid
    from hep_peaksum.library.presets import preset

    settings, grid = preset(name)
    if (grid is None) == (shape is None):
        remedy = "has no grid: add --shape, as in --shape 24x16" if grid is None else "has a grid: drop --shape"
        msg = f"preset {name} {remedy}"
        raise click.UsageError(msg)
    if grid is not None:
        return settings, grid
    rows, _, cols = str(shape).partition("x")
    if not (rows.isdecimal() and cols.isdecimal() and int(rows) and int(cols)):
        msg = f"--shape {shape!r}: write rows and columns, as in 24x16"
        raise click.UsageError(msg)
    return settings, bare_grid((int(rows), int(cols)))
