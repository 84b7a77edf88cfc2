"""The whole YAML file, composed of its sections, and what can be wrong between sections.

`Job` is the part that decides the results; `Config` adds the data, the output and the way the job is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from hep_peaksum.analysis.histograms import HistogramInput, check_histogram, default_histograms, needed_fields
from hep_peaksum.clustering import fields
from hep_peaksum.clustering.discriminant import search_grid
from hep_peaksum.clustering.fields import check_fields
from hep_peaksum.clustering.validation import check_energies, check_windows
from hep_peaksum.config.formats import RESERVED
from hep_peaksum.config.sections import (
    ClusterInput,
    CollectionName,
    Dataset,
    DatasetName,
    Name,
    Output,
    RunOptions,
)
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.inputs.branch_names import split_branch
from hep_peaksum.inputs.events import IDENTITY, EventsInput
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.suggestions import did_you_mean


class Job(FrozenModel):
    """What a processor needs to know: grids, clusters, histograms, and how events are read."""

    grids: Annotated[dict[Name, GridInput], Field(min_length=1)] = Field(
        description="Grids by name: the plane of the cells, and the branches that fill it."
    )
    clusters: Annotated[dict[CollectionName, ClusterInput], Field(min_length=1)] = Field(
        description="Collections of clusters by name, which begins their columns (Jet: Jet_pt). Each names "
        "its grid and, directly beside it, the keys of the search."
    )
    friends: dict[Name, str] = Field(
        default_factory=dict,
        description="Other trees of the same files with the same entries, by an alias. Their branches are "
        "then alias:branch.",
        examples=[{"ev": "l1EventTree/L1EventTree"}],
    )
    events: EventsInput = Field(
        default_factory=lambda: EventsInput.model_validate({}),
        description="How events are read, what identifies them, and what is carried along.",
    )
    histograms: dict[Name, HistogramInput] | None = Field(
        None,
        description="Histograms by name. Left out, every collection gets the number of clusters, their energy "
        "and their position; {} is none.",
    )

    def grids_of(self, collection: str) -> list[Grid]:
        """Return the grids that a collection searches: those of its towers, if it pools cells."""
        clusters = self.clusters[collection]
        sources = [self.grids[name] for name in clusters.grid if name in self.grids]
        return [search_grid(clusters.settings, source.grid) for source in sources]

    def has_separate_layers(self, collection: str) -> bool:
        """Return whether every layer is searched by itself, on any of the collection's grids."""
        return any(self.grids[name].layers == "each" for name in self.clusters[collection].grid)

    def written_fields(self, collection: str) -> tuple[str, ...]:
        """Return the fields of a collection that are written."""
        clusters, grids = self.clusters[collection], self.grids_of(collection)
        if clusters.fields is not None:
            return check_fields(clusters.fields, clusters.settings, grids[0])
        separate = self.has_separate_layers(collection)
        by_grid = [fields.default_fields(clusters.settings, grid, separate_layers=separate) for grid in grids]
        return tuple(name for name in by_grid[0] if all(name in names for names in by_grid))

    def computed_fields(self, collection: str) -> tuple[str, ...]:
        """Return the fields that are written, and those that only histograms need."""
        return tuple(dict.fromkeys((*self.written_fields(collection), *needed_fields(self.booked, collection))))

    def branches(self) -> list[str]:
        """Return every branch that is read."""
        return list(dict.fromkeys(branch for _, branch in self.branch_keys()))

    def branch_keys(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch."""
        for name, source in self.grids.items():
            yield from source.branch_keys(f"grids.{name}")
        for word, identifier in self.events.identify.items():
            if isinstance(identifier, str):
                yield f"events.identify.{word}", identifier
        for branch in self.events.keep:
            yield "events.keep", branch
        for name, clusters in self.clusters.items():
            if clusters.reference is not None:
                yield from clusters.reference.branch_keys(f"clusters.{name}.reference")

    def typed_branches(self) -> list[str]:
        """Return the branches whose types decide on the results: of cells, of what is kept, of identifiers."""
        values = [source.value_branch for source in self.grids.values()]
        identity = () if self.events.identify else IDENTITY
        return list(dict.fromkeys([*values, *self.events.keep, *identity]))

    @cached_property
    def booked(self) -> dict[str, HistogramInput]:
        """The histograms of the config, or the default ones of every collection."""
        if self.histograms is not None:
            return self.histograms
        return {
            name: histogram
            for collection in self.clusters
            for name, histogram in default_histograms(collection, self.grids_of(collection)).items()
        }

    def problems(self) -> Iterator[str]:
        """Yield what is wrong between sections that are fine each on their own."""
        for name, clusters in self.clusters.items():
            yield from _cluster_problems(name, clusters, self.grids)
        settings = {name: clusters.settings for name, clusters in self.clusters.items()}
        for key, histogram in (self.histograms or {}).items():
            try:  # also what a collection finds wrong with its grids
                check_histogram(histogram, settings, {name: self.grids_of(name) for name in self.clusters})
            except ValueError as error:
                yield f"histograms.{key}: {error}"
        yield from _name_problems(self.events.kept_names(), self.clusters)
        for key, branch in self.branch_keys():
            alias, _ = split_branch(branch)
            if alias and alias not in self.friends:
                near = did_you_mean(alias, self.friends)
                yield f"{key}: {branch!r}: no friend {alias!r}{near}: name its tree in the section friends"


class Config(Job):
    """The whole YAML file."""

    datasets: Annotated[dict[DatasetName, Dataset], Field(min_length=1)] = Field(
        description="Datasets by name: the files of each sample. The name is that of its folder in the results."
    )
    output: Output = Field(description="The directory of the results, and their formats.")
    run: RunOptions = Field(
        default_factory=RunOptions, description="How the job is run; nothing here changes the results."
    )

    def problems(self) -> Iterator[str]:
        """Yield the problems between the sections."""
        yield from super().problems()
        by_folder: dict[str, str] = {}
        for name in self.datasets:
            if name in RESERVED:
                yield f"datasets.{name}: {name!r} is a name of the results folder itself: choose another name"
            first = by_folder.setdefault(name.casefold(), name)
            if first != name:
                yield f"datasets.{name}: {first!r} and {name!r} would be one folder on many systems: rename one"

    def job(self) -> dict[str, Any]:
        """Return the part of the config that decides the results of a chunk, as plain values."""
        return self.model_dump(
            mode="json",
            include=set(Job.model_fields),
            exclude={"clusters": {"__all__": {"reference"}}},  # not used by the job
            by_alias=True,
            exclude_none=True,
        )


def _name_problems(kept: Mapping[str, str], collections: Iterable[str]) -> Iterator[str]:
    """Yield the names of columns that would hide one another."""
    for name in collections:
        if name in IDENTITY:
            yield f"clusters.{name}: {name!r} is a column that identifies events: choose another name"
    names = list(kept.values())
    for branch, name in kept.items():
        owner = next((c for c in collections if name in (c, f"n{c}") or name.startswith(f"{c}_")), None)
        if name in IDENTITY:
            yield f"events.keep: {branch!r} would be the column {name!r}, which identifies events: drop it"
        elif owner is not None:
            yield f"events.keep: {branch!r} would be {name!r}, a column of {owner!r}: rename that collection"
        elif names.count(name) > 1:
            yield f"events.keep: {branch!r} and another branch would both be the column {name!r}: keep one"


def _cluster_problems(name: str, clusters: ClusterInput, grids: Mapping[str, GridInput]) -> Iterator[str]:
    """Yield what is wrong between a collection and the grids that it names."""
    for grid_name in clusters.grid:
        if grid_name not in grids:
            near = did_you_mean(grid_name, grids)
            yield f"clusters.{name}.grid: no grid {grid_name!r}{near}; there are {', '.join(grids)}"
            continue
        key = f"clusters.{name}"
        try:
            check_energies(clusters.settings, grids[grid_name].grid)
            check_windows(clusters.settings, grids[grid_name].grid)
            key += ".fields"
            _check_fields(clusters, grid_name, grids[grid_name])
        except ValueError as error:
            yield f"{key}: {error}"
        yield from _noise_problems(name, clusters, grid_name, grids[grid_name])
    has_separate_layers = any(grids[grid].layers == "each" for grid in clusters.grid if grid in grids)
    if clusters.reference is not None and (len(clusters.grid) > 1 or has_separate_layers):
        several = "layers that are searched each" if has_separate_layers else "several grids"
        yield f"clusters.{name}.reference: row and col do not say which of {several}: compare one at a time"
    units = {name: grids[name].grid.energy_unit for name in clusters.grid if name in grids}
    if len(set(units.values())) > 1:
        in_words = " and ".join(f"{name} in {unit}" for name, unit in units.items())
        yield f"clusters.{name}: energies of {in_words} cannot be compared: give both grids a unit, or neither"
    if len(clusters.grid) > 1 and "layer_sums" in (clusters.fields or ()):
        yield f"clusters.{name}.fields: field 'layer_sums' exists for one grid only, not for several: drop it"


def _check_fields(clusters: ClusterInput, name: str, source: GridInput) -> None:
    """Raise a ValueError if a collection has fields that its grid does not give."""
    fields = clusters.fields or ()
    if clusters.fields is not None:
        check_fields(clusters.fields, clusters.settings, search_grid(clusters.settings, source.grid))
    if "layer_sums" in fields and not source.has_layers:
        msg = f"field 'layer_sums' needs layers, and grid {name!r} has none: name a layer axis"
        raise ValueError(msg)
    if "layer_sums" in fields and source.layers == "each":
        msg = f"field 'layer_sums' is of layers that are summed, and grid {name!r} has layers: each: drop one"
        raise ValueError(msg)


def _noise_problems(name: str, clusters: ClusterInput, grid: str, source: GridInput) -> Iterator[str]:
    """Yield what a collection needs the noise of a grid for that has none."""
    needed = {key: repr(getattr(clusters.settings, key)) for key in clusters.settings.keys_with_noise}
    if "noise" in (clusters.fields or ()):
        needed["fields"] = "field 'noise'"
    if source.noise is None:
        for key, value in needed.items():
            yield f"clusters.{name}.{key}: {value} needs the noise of grid {grid!r}: add noise to the grid"
