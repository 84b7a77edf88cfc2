"""The YAML file: named maps of datasets, grids, clusters and histograms, and all that can be wrong in it.

`Config` only composes the sections that the modules below define. `load_config` finds all problems at once and
says each as key, value, expectation and remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import (
    Field,
)

from hep_peaksum.analysis.histograms import (
    HistogramInput,
    check_histogram,
    default_histograms,
    needed_fields,
)
from hep_peaksum.clustering import fields
from hep_peaksum.clustering.discriminant import search_grid
from hep_peaksum.clustering.fields import check_fields
from hep_peaksum.clustering.validation import check_windows
from hep_peaksum.config.formats import IDENTITY
from hep_peaksum.config.inputs import (
    EventsInput,
    GridInput,
)
from hep_peaksum.config.sections import (
    ClusterInput,
    CollectionName,
    Dataset,
    DatasetName,
    Name,
    Output,
    RunOptions,
    _Section,
)
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.suggestions import did_you_mean


class Job(_Section):
    """What a processor needs to know: grids, clusters, histograms, and how events are read."""

    grids: Annotated[dict[Name, GridInput], Field(min_length=1)]
    clusters: Annotated[dict[CollectionName, ClusterInput], Field(min_length=1)]
    friends: dict[Name, str] = Field(default_factory=dict)
    events: EventsInput = Field(default_factory=lambda: EventsInput.model_validate({}))
    histograms: dict[Name, HistogramInput] | None = None

    def grids_of(self, collection: str) -> list[Grid]:
        """Return the grids on which a collection is searched: those of its towers, where it pools cells."""
        wanted = self.clusters[collection]
        sources = [self.grids[name] for name in wanted.grid if name in self.grids]
        return [search_grid(wanted.settings, source.grid) for source in sources]

    def has_layers_apart(self, collection: str) -> bool:
        """Return whether every layer is searched by itself, on any of the collection's grids."""
        return any(self.grids[name].layers == "each" for name in self.clusters[collection].grid)

    def written_fields(self, collection: str) -> tuple[str, ...]:
        """Return the fields of a collection that are written."""
        wanted, grids = self.clusters[collection], self.grids_of(collection)
        if wanted.fields is not None:
            return check_fields(wanted.fields, wanted.settings, grids[0])
        apart = self.has_layers_apart(collection)
        every = [fields.default_fields(wanted.settings, grid, separate_layers=apart) for grid in grids]
        return tuple(name for name in every[0] if all(name in names for names in every))

    def computed_fields(self, collection: str) -> tuple[str, ...]:
        """Return the fields that are written and those that only histograms look at."""
        return tuple(dict.fromkeys((*self.written_fields(collection), *needed_fields(self.booked, collection))))

    def branches(self) -> list[str]:
        """Return every branch that is read."""
        of_grids = [branch for source in self.grids.values() for branch in source.source.branches]
        references = [wanted.reference for wanted in self.clusters.values() if wanted.reference is not None]
        compared = [branch for reference in references for branch in reference.branches]
        return list(dict.fromkeys([*of_grids, *self.events.identify.values(), *self.events.keep, *compared]))

    @cached_property
    def booked(self) -> dict[str, HistogramInput]:
        """The histograms asked for, or a sensible set for every collection."""
        if self.histograms is not None:
            return self.histograms
        return {
            name: histogram
            for collection in self.clusters
            for name, histogram in default_histograms(collection, self.grids_of(collection)).items()
        }

    def problems(self) -> Iterator[str]:
        """Yield what is wrong between the sections, which each on its own are fine."""
        for name, wanted in self.clusters.items():
            yield from _cluster_problems(name, wanted, self.grids)
        for key, histogram in (self.histograms or {}).items():
            try:
                check_histogram(
                    histogram,
                    {name: wanted.settings for name, wanted in self.clusters.items()},
                    {name: self.grids_of(name) for name in self.clusters},
                )
            except ValueError as error:
                yield f"histograms.{key}: {error}"
        yield from _name_problems(self.events.kept_names(), self.clusters)
        for branch in self.branches():
            alias, colon, _ = branch.partition(":")
            if colon and alias not in self.friends:
                near = did_you_mean(alias, self.friends)
                yield f"branch {branch!r}: no friend {alias!r}{near}: name its tree in the section friends"


class Config(Job):
    """The whole YAML file."""

    datasets: Annotated[dict[DatasetName, Dataset], Field(min_length=1)]
    output: Output
    run: RunOptions = Field(default_factory=RunOptions)

    def job(self) -> dict[str, Any]:
        """Return the part of the config that decides the results of a chunk, as plain values."""
        return self.model_dump(
            mode="json",
            include=set(Job.model_fields),
            exclude={"clusters": {"__all__": {"reference"}}},  # only looked at afterwards
            by_alias=True,
            exclude_none=True,
        )


def _name_problems(kept: Mapping[str, str], collections: Iterable[str]) -> Iterator[str]:
    """Yield the names of columns that would hide one another."""
    for name in collections:
        if name in IDENTITY:
            yield f"clusters.{name}: {name!r} is the column of the event's identity: choose another name"
    names = list(kept.values())
    for branch, name in kept.items():
        owner = next((c for c in collections if name in (c, f"n{c}") or name.startswith(f"{c}_")), None)
        if name in IDENTITY:
            yield f"events.keep: {branch!r} would be the column {name!r}, which is the event's identity"
        elif owner is not None:
            yield f"events.keep: {branch!r} would be {name!r}, a column of the collection {owner!r}"
        elif names.count(name) > 1:
            yield f"events.keep: {branch!r} and another branch would both be the column {name!r}: keep one"


def _cluster_problems(name: str, wanted: ClusterInput, grids: Mapping[str, GridInput]) -> Iterator[str]:
    for grid_name in wanted.grid:
        if grid_name not in grids:
            near = did_you_mean(grid_name, grids)
            yield f"clusters.{name}.grid: no grid {grid_name!r}{near}; there are {', '.join(grids)}"
            continue
        try:
            check_windows(wanted.settings, grids[grid_name].grid)
            _check_source(wanted, grid_name, grids[grid_name])
        except ValueError as error:
            yield f"clusters.{name}: {error}"
    apart = any(grids[grid].layers == "each" for grid in wanted.grid if grid in grids)
    if wanted.reference is not None and (len(wanted.grid) > 1 or apart):
        several = "layers that are searched each" if apart else "several grids"
        yield f"clusters.{name}.reference: row and col do not say which of {several}: compare one at a time"
    if len(wanted.grid) > 1 and "layer_sums" in (wanted.fields or ()):
        yield f"clusters.{name}: field 'layer_sums' can be had of one grid only, not of several"


def _check_source(wanted: ClusterInput, name: str, source: GridInput) -> None:
    """Raise a ValueError if a collection asks for what its grid does not give: fields, layers, noise."""
    fields = wanted.fields or ()
    if wanted.fields is not None:
        check_fields(wanted.fields, wanted.settings, search_grid(wanted.settings, source.grid))
    if "layer_sums" in fields and not source.has_layers:
        msg = f"field 'layer_sums' needs layers, and grid {name!r} has none: name a layer axis"
        raise ValueError(msg)
    if "layer_sums" in fields and source.layers == "each":
        msg = f"field 'layer_sums' is of layers that are summed, and grid {name!r} has them searched each"
        raise ValueError(msg)
    if source.noise is None and (wanted.settings.needs_noise or "noise" in fields):
        msg = f"thresholds in sigma, significance and noise need the noise of grid {name!r}: add noise to it"
        raise ValueError(msg)
