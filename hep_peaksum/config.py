"""The YAML file: named maps of datasets, grids, clusters and histograms, and all that can be wrong in it.

`Config` only composes the sections that the modules below define. `load_config` finds all problems at once and
says each as key, value, expectation and remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from hep_peaksum import clusters
from hep_peaksum.axis import Axis
from hep_peaksum.events import REMOTE, nearest
from hep_peaksum.grid import Grid
from hep_peaksum.histograms import (
    HistogramAxis,
    HistogramInput,
    check_histogram,
    default_histograms,
    needed_fields,
)
from hep_peaksum.inputs import (
    IDENTITY,
    DenseBranch,
    EventsInput,
    GridInput,
    HitBranches,
    ReferenceInput,
    expand_variables,
)
from hep_peaksum.peaksum import check_windows
from hep_peaksum.published import read_preset
from hep_peaksum.quantity import searched_plane
from hep_peaksum.settings import PeakSumSettings
from hep_peaksum.yaml_file import ConfigError, read_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
# Columns are called Jet_pt, and readers take what stands before the first underscore for the collection.
CollectionName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
DatasetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=200)]
ClusterFormat = Literal["parquet", "ttree", "rntuple"]
ExecutorName = Literal["iterative", "futures", "threads", "dask", "parsl", "taskvine"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dataset(_Section):
    """Files by path or glob, each with the path of its tree; metadata is the user's own."""

    files: Annotated[dict[str, str], Field(min_length=1)]
    metadata: dict[str, Any] = Field(default_factory=dict)


class ClusterInput(_Section):
    """One collection of clusters: on which grids, by which preset, with which settings and fields."""

    grid: tuple[str, ...]
    preset: str | None = None
    fields: tuple[str, ...] | None = None
    settings: PeakSumSettings
    reference: ReferenceInput | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        """Gather the keys of the settings: those of the preset, overridden by those given."""
        if not isinstance(values, dict) or "settings" in values:
            return values
        beside = ("preset", "fields", "reference")
        own = {key: value for key, value in values.items() if key not in ("grid", *beside)}
        base = _preset_settings(values.get("preset"))
        window = own.get("search_window")
        if isinstance(window, str) and set(window) & set(">="):
            base.pop("tie_rule", None)
        grid = values.get("grid", ())
        kept = {key: values[key] for key in beside if key in values}
        return {**kept, "grid": (grid,) if isinstance(grid, str) else grid, "settings": {**base, **own}}

    @field_validator("grid")
    @classmethod
    def _some_grid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            msg = "name the grid, or the grids, to search"
            raise ValueError(msg)
        return value

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str | None) -> str | None:
        if value is not None:
            read_preset(value)
        return value


def _preset_settings(name: Any) -> dict[str, Any]:
    """Return the settings of a preset; none for a wrong name, which is said by the key itself."""
    try:
        return dict(read_preset(name).settings)
    except ValueError:
        return {}


def _local_directory(path: str) -> str:
    """Return the path expanded; one that is remote is a ValueError."""
    expanded = expand_variables(path)
    if REMOTE in expanded:
        problem = "is remote, and results are moved into place, which only a file system does at once"
        msg = f"{expanded} {problem}: name a local directory, and copy it at the end"
        raise ValueError(msg)
    return expanded


class Output(_Section):
    """Where results go, and in which forms."""

    directory: Annotated[str, Field(min_length=1), AfterValidator(_local_directory)]
    clusters: tuple[ClusterFormat, ...] = ("parquet",)
    plots: bool = Field(True, strict=True)


class RunOptions(_Section):
    """How the job is run: nothing here changes the results.

    `scheduler` is the address of a running Dask, `cluster` the user's ``module:function`` that returns a Dask
    cluster (of a job queue, for instance) or a parsl config; without them workers are started on this machine.
    A request to a server (http, S3, XRootD, Dask) is given up after `timeout` seconds, and tried again
    `retries` times, as is what a file system refuses for once.
    """

    executor: ExecutorName = "iterative"
    workers: Annotated[int, Field(strict=True, ge=1)] = 1
    chunksize: Annotated[int, Field(strict=True, ge=1)] = 100_000
    on_bad_file: Literal["stop", "skip"] = "stop"
    scheduler: Annotated[str, Field(pattern=r"^[a-z]+://.+")] | None = None
    cluster: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None
    timeout: Annotated[int, Field(strict=True, ge=1)] = 60
    retries: Annotated[int, Field(strict=True, ge=0)] = 2

    @model_serializer(mode="wrap")
    def _as_asked_for(self, written: Any) -> dict[str, Any]:
        """Leave out what concerns only some executors and remote files, unless it was asked for."""
        special = {"scheduler", "cluster", "timeout", "retries"} - self.model_fields_set
        return {key: value for key, value in written(self).items() if key not in special}

    @model_validator(mode="after")
    def _cluster_of_its_kind(self) -> RunOptions:
        """Raise a ValueError if a key means nothing to the executor."""
        if self.scheduler is not None and self.executor != "dask":
            msg = f"scheduler {self.scheduler!r} is of dask, and the executor is {self.executor}: drop one"
            raise ValueError(msg)
        if self.cluster is not None and self.executor not in ("dask", "parsl"):
            msg = f"cluster {self.cluster!r} is of dask or parsl, and the executor is {self.executor}: drop one"
            raise ValueError(msg)
        if self.cluster is not None and self.scheduler is not None:
            msg = "scheduler and cluster both name the workers: keep one"
            raise ValueError(msg)
        return self


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
        return [searched_plane(wanted.settings, source.grid) for source in sources]

    def has_layers_apart(self, collection: str) -> bool:
        """Return whether every layer is searched by itself, on any of the collection's grids."""
        return any(self.grids[name].layers == "each" for name in self.clusters[collection].grid)

    def written_fields(self, collection: str) -> tuple[str, ...]:
        """Return the fields of a collection that are written."""
        wanted, grids = self.clusters[collection], self.grids_of(collection)
        if wanted.fields is not None:
            return clusters.check_fields(wanted.fields, wanted.settings, grids[0])
        apart = self.has_layers_apart(collection)
        every = [clusters.default_fields(wanted.settings, grid, layers_apart=apart) for grid in grids]
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
                near = nearest(alias, self.friends)
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
            near = nearest(grid_name, grids)
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
        clusters.check_fields(wanted.fields, wanted.settings, searched_plane(wanted.settings, source.grid))
    if "layer_sums" in fields and not source.has_layers:
        msg = f"field 'layer_sums' needs layers, and grid {name!r} has none: name a layer axis"
        raise ValueError(msg)
    if "layer_sums" in fields and source.layers == "each":
        msg = f"field 'layer_sums' is of layers that are summed, and grid {name!r} has them searched each"
        raise ValueError(msg)
    if source.noise is None and (wanted.settings.needs_noise or "noise" in fields):
        msg = f"thresholds in sigma, significance and noise need the noise of grid {name!r}: add noise to it"
        raise ValueError(msg)


Model = TypeVar("Model", bound=Job)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the config of a YAML file.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        ``"clusters.Jet.seed_threshold=4"``: keys that are set before anything is checked.

    Raises
    ------
    ConfigError
        With one line for everything that is wrong.
    """
    return parse_config(read_yaml(path, overrides))


def parse_config(content: Mapping[str, Any]) -> Config:
    """Return the config of a map of sections; errors as for `load_config`."""
    return _parse(Config, content)


def parse_job(content: Mapping[str, Any]) -> Job:
    """Return the part of a config that a processor needs; errors as for `load_config`."""
    return _parse(Job, content)


def _parse(model: type[Model], content: Mapping[str, Any]) -> Model:
    try:
        parsed = model.model_validate(dict(content))
    except ValidationError as error:
        found = [_problem(detail) for detail in error.errors()]
        raise ConfigError([*found, *_more_problems(content, error)]) from None
    problems = list(parsed.problems())
    if problems:
        raise ConfigError(problems)
    return parsed


def _more_problems(content: Mapping[str, Any], error: ValidationError) -> list[str]:
    """Return what is wrong between the entries that are fine each on their own."""
    sound = {key: value for key, value in content.items() if key in Job.model_fields}
    for section, *entry in {tuple(map(str, detail["loc"][:2])) for detail in error.errors()}:
        if isinstance(sound.get(section), dict) and entry and section != "events":
            sound[section] = {key: value for key, value in sound[section].items() if key != entry[0]}
        else:
            sound.pop(section, None)
    broken = _names(content, "grids") - _names(sound, "grids")
    if "clusters" in sound:  # what stands on a broken grid is not to blame
        sound["clusters"] = {
            key: c for key, c in sound["clusters"].items() if broken.isdisjoint(_grid_names(c))
        }
    if _names(content, "clusters") - _names(sound, "clusters"):
        sound.pop("histograms", None)
    try:
        return list(Job.model_validate(sound).problems())
    except ValidationError:
        return []


def _names(content: Mapping[str, Any], section: str) -> set[str]:
    found = content.get(section)
    return set(found) if isinstance(found, dict) else set()


def _grid_names(collection: Any) -> tuple[str, ...]:
    grid = collection.get("grid", ()) if isinstance(collection, dict) else ()
    return (grid,) if isinstance(grid, str) else tuple(grid)


def _problem(detail: Any) -> str:
    """Return one line for one thing that pydantic found: key, value, expectation, remedy."""
    path = file_key(detail["loc"])
    key = ".".join(part if part.isprintable() else repr(part) for part in path)
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(path[-1], _known_keys(path[:-1]))}"
    if detail["type"] == "missing":
        return f"{key}: missing, the config needs it"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" or isinstance(detail["input"], dict):
        return f"{key}: {message}"
    return f"{key}: {detail['input']!r} does not do: {message[0].lower()}{message[1:]}"


def file_key(loc: Sequence[str | int]) -> list[str]:
    """Return the keys that lead to a place of the file, from where models have it.

    Models gather some keys one level deeper (`settings`, `grid`), and pydantic adds a word for every kind that
    a value may be of, as in ``search_window.str``.
    """
    path = [str(part) for part in loc]
    if len(path) > 2 and (path[0], path[2]) in (("clusters", "settings"), ("grids", "grid")):
        del path[2]
    return [part for part in path if part not in KINDS and "[" not in part]


KINDS = ("int", "float", "str", "bool", "constrained-str", "constrained-int")


def _known_keys(path: Sequence[str]) -> list[str]:
    """Return the keys that may stand at a place of the file."""
    deeper: dict[str, type[BaseModel]] = {
        "rows": Axis,
        "cols": Axis,
        "hits": HitBranches,
        "dense": DenseBranch,
        "reference": ReferenceInput,
        "axes": HistogramAxis,
    }
    sections: dict[str, tuple[type[BaseModel], ...]] = {
        "datasets": (Dataset,),
        "grids": (GridInput, Grid),
        "clusters": (ClusterInput, PeakSumSettings),
        "histograms": (HistogramInput,),
        "events": (EventsInput,),
        "output": (Output,),
        "run": (RunOptions,),
    }
    inner = [deeper[part] for part in path[2:] if part in deeper]
    models = (inner[-1],) if inner else sections[path[0]] if path else (Config,)
    keys = [field.alias or name for model in models for name, field in model.model_fields.items()]
    return [*keys, "geometry"] if models[0] is GridInput else keys
