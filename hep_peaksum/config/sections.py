"""The models of the sections datasets, clusters, output and run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from hep_peaksum.config.formats import ClusterFormat
from hep_peaksum.config.inputs import (
    ReferenceInput,
)
from hep_peaksum.config.paths import REMOTE, expand_variables
from hep_peaksum.library.presets import read_preset
from hep_peaksum.settings.model import PeakSumSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]

# Columns are called Jet_pt, and readers take what stands before the first underscore for the collection.
CollectionName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
DatasetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=200)]
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
