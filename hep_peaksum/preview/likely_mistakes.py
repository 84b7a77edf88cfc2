"""What a config allows and is probably not meant, as far as the config says it without the events."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from hep_peaksum.analysis.derived import origin_of
from hep_peaksum.clustering.seeding import admits_empty_cells
from hep_peaksum.config.model import Config, Job
from hep_peaksum.geometry.axis import ANGLE_UNITS, Axis
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hit_columns import HitColumn
from hep_peaksum.inputs.hits import HitBranches
from hep_peaksum.inputs.paths import InputFile, public_path


def likely_mistakes(config: Config) -> Iterator[str]:
    """Yield what is probably not meant and changes the results, each with its key."""
    for find in (
        shared_files,
        unused_luminosity,
        mixed_stacks,
        exchanged_branches,
        boundless_matches,
        open_turns,
        masked_grids,
        idle_variations,
        empty_seeds,
        oblique_windows,
    ):
        with suppress(OSError, ValueError):  # a map may be gone since, where finished jobs are merged
            yield from find(config)


def idle_workers(config: Config) -> Iterator[str]:
    """Yield a remark on workers that the executor does not start."""
    if config.run.executor == "iterative" and config.run.workers > 1:
        yield f"run.workers: {config.run.workers}, and executor iterative has one: set run.executor to futures"


def unused_luminosity(config: Config) -> Iterator[str]:
    """Yield a remark on a luminosity by which nothing is normalised."""
    if config.luminosity is not None and all(each.cross_section is None for each in config.datasets.values()):
        yield "luminosity: no dataset has a cross_section, so nothing is normalised to it: is one missing?"


def shared_files(config: Config) -> Iterator[str]:
    """Yield a remark for every dataset that names a file, or a pattern, of another one."""
    owners: dict[InputFile, str] = {}
    for name, dataset in config.datasets.items():
        for each in map(InputFile._make, dataset.patterns):
            if (owner := owners.setdefault(each, name)) != name:
                where = f"is also in {owner}: is another file meant?"
                yield f"datasets.{name}.files: {public_path(each.path)} {where}"


def mixed_stacks(config: Config) -> Iterator[str]:
    """Yield a remark for every dataset that is stacked with normalised ones, and is not normalised itself."""
    stacked = [name for name in config.output.stack if name in config.datasets]
    unscaled = [name for name in stacked if config.datasets[name].cross_section is None]
    for name in unscaled if len(unscaled) < len(stacked) else ():
        stack = "is stacked with normalised datasets and has no cross_section"
        yield f"datasets.{name}: {stack}: its events are as counted: is one missing?"


def exchanged_branches(config: Config) -> Iterator[str]:
    """Yield a remark where two branches have each the name of the other's axis, as eta and phi in hits."""
    for name, source in config.grids.items():
        if isinstance(source.hits, HitBranches) and source.hits.row and source.hits.col:
            axes = source.grid.rows.name or "", source.grid.cols.name or ""
            given = [_names_in(each) for each in (source.hits.row, source.hits.col)]
            if _are_exchanged(axes, [_words(each) for each in given]):
                places = f"row {given[0]} is on the axis {axes[0]}, col {given[1]} on {axes[1]}"
                yield f"grids.{name}.hits: {places}: are row and col exchanged?"
    for name, reference in config.references.items():
        if (place := reference.place) is not None:
            given = [getattr(reference, word) for word in place]
            if _are_exchanged(place, [_words(each) for each in given]):
                places = f"{place[0]} is {given[0]}, {place[1]} is {given[1]}"
                yield f"references.{name}: {places}: are they exchanged?"


def _names_in(column: HitColumn) -> str:
    """Return the coordinate that a column computes, or the branches that it takes."""
    return column.way if column.way in ("eta", "phi", "theta") else ", ".join(column.branches)


def _words(name: str) -> set[str]:
    """Return the words of a name of a branch, without the i of an index.

    >>> sorted(_words("L1CaloTower/ieta")), sorted(_words("towerPhi_deg"))
    (['calo', 'eta', 'l', 'tower'], ['deg', 'phi', 'tower'])
    """
    words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))
    return {word[1:] if word in ("ieta", "iphi", "ix", "iy") else word for word in words}


def _are_exchanged(axes: Sequence[str], words: Sequence[set[str]]) -> bool:
    """Return whether the words of each of two branches name the axis of the other, and not its own."""
    first, second = axes
    return first != second and all(
        other in own_words and axis not in own_words
        for axis, other, own_words in ((first, second, words[0]), (second, first, words[1]))
    )


def boundless_matches(config: Config) -> Iterator[str]:
    """Yield a remark for every match whose distance is that of the whole grid."""
    for name, match in config.matches.items():
        for plane in config.grids_of(origin_of(config.select, match.clusters)):
            edges = [axis.edge_positions for axis in (plane.rows, plane.cols)]
            sizes = [float(each[-1] - each[0]) for each in edges if each is not None]
            if match.within is not None and sizes and match.within >= max(sizes):
                reach = f"reaches as far as the grid, {' x '.join(f'{size:.4g}' for size in sizes)}"
                yield f"matches.{name}.within: {match.within:g} {reach}: is a smaller one meant?"
                break


def open_turns(config: Config) -> Iterator[str]:
    """Yield a remark for every axis that goes once around phi, and does not close."""
    for name, source in config.grids.items():
        for key, axis in (("rows", source.grid.rows), ("cols", source.grid.cols)):
            if is_open_turn(axis):
                touch = "is a full turn of phi, whose first and last cell touch"
                yield f"grids.{name}.{key}: {touch}: add periodic: true, or name the axis otherwise"


def is_open_turn(axis: Axis) -> bool:
    """Return whether an axis goes once around phi, and does not close."""
    if axis.name != "phi" or axis.periodic or axis.edge_positions is None:
        return False
    turn = 2 * math.pi / ANGLE_UNITS.get(axis.unit or "rad", 1)
    return math.isclose(axis.edge_positions[-1] - axis.edge_positions[0], turn, rel_tol=1e-3)


def masked_grids(config: Config) -> Iterator[str]:
    """Yield a remark for every map that masks most of the cells."""
    for name, source in config.grids.items():
        mask = source.mask_map()
        if mask is not None and mask.mean() > 0.5:
            remark = f"{source.mask} masks {np.count_nonzero(mask)} of {mask.size} cells (true masks)"
            yield f"grids.{name}.mask: {remark}: if true are the good ones, save the map with ~"


def idle_variations(config: Config) -> Iterator[str]:
    """Yield a remark for every variation that is what is not varied, or what another one is."""
    seen: list[tuple[str, Job]] = [("the job without variations", config)]
    for name in config.variations:
        varied = config.varied(name)
        same = next((other for other, job in seen if _are_same(varied, job)), None)
        if same is not None:
            yield f"variations.{name}: is the same as {same}: give other values, or drop it"
        seen.append((f"variations.{name}", varied))


def _are_same(one: Job, other: Job) -> bool:
    """Return whether two variations of a job find and weigh the same."""
    sections = ("clusters", "derive", "select", "references")
    scales = [{name: _scaled(each) for name, each in job.grids.items()} for job in (one, other)]
    same = all(getattr(one, section) == getattr(other, section) for section in sections)
    return same and one.events.weight == other.events.weight and scales[0] == scales[1]


def _scaled(source: GridInput) -> GridInput:
    """Return a grid without a factor that changes nothing."""
    return source.model_copy(update={"scale": None}) if source.scale == 1 else source


def empty_seeds(config: Config) -> Iterator[str]:
    """Yield a remark for every collection in which empty cells pass the seed threshold."""
    for name, collection in config.clusters.items():
        settings = collection.settings
        if any(admits_empty_cells(settings, config.grids[grid].grid.unit) for grid in collection.grid):
            text = f"{settings.seed_comparison} {settings.seed_threshold}"
            yield f"{name}: empty cells pass seed_threshold ({text}): is a threshold above 0 meant?"


def oblique_windows(config: Config) -> Iterator[str]:
    """Yield a remark for every window on hexagons that has the cells across a corner in place of neighbours."""
    for name, collection in config.clusters.items():
        settings = collection.settings
        search = [(cell.row, cell.col) for cell in settings.search_cells()]
        for key, cells in (("search_window", search), ("sum_window", settings.sum_cells())):
            for grid in collection.grid:
                hexagons = config.grids[grid].grid.hexagons
                if hexagons is None or (steps := {(1, 1), (1, -1)}.intersection(cells)) == set():
                    continue
                if steps.isdisjoint(hexagons.neighbours):
                    usual = "hexagon-7" if hexagons.angle == 60 else "hexagon-7-uv"
                    yield (
                        f"{name}: {key} has {steps.pop()}, which is not a neighbour on the hexagons of "
                        f"{grid!r} with angle {hexagons.angle}: is the preset {usual} meant?"
                    )
