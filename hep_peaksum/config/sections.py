"""The models of the sections datasets, clusters, output and run."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)

from hep_peaksum.config.formats import ClusterFormat
from hep_peaksum.config.inputs import ReferenceInput
from hep_peaksum.config.paths import REMOTE, expand_variables
from hep_peaksum.library.presets import read_preset
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import Count

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
# Columns are called Jet_pt, and readers take the part before the first underscore for the collection.
COLLECTION_NAME = r"^[A-Za-z][A-Za-z0-9]*$"
DATASET_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"  # the name of a folder
ADDRESS = r"^[a-z]+://.+"
FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"

Name = Annotated[str, Field(pattern=NAME)]
CollectionName = Annotated[str, Field(pattern=COLLECTION_NAME)]
DatasetName = Annotated[str, Field(pattern=DATASET_NAME, max_length=200)]
# 100_000 is a number in YAML 1.1, which is read here, and text in YAML 1.2, which editors read.
CHUNKSIZE_SCHEMA = {
    "title": "whole number from 1",
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9][0-9_]*$"}],
}
SIZES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
SIZE_SCHEMA = {
    "title": "size in bytes, kB, MB or GB",
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9.]+ *(|B|kB|MB|GB)$"}],
}
ExecutorName = Literal["iterative", "futures", "threads", "dask", "parsl", "taskvine"]


class Dataset(FrozenModel):
    """Files of one sample, and what their user wants to remember about them."""

    files: Annotated[dict[str, str] | tuple[dict[str, str], ...], Field(min_length=1)] = Field(
        description="Paths of the files, each with the path of its tree. A path may be a glob, a URL (https, "
        "s3, root), and may hold ~ and environment variables ($$ is a plain $). A list of such maps may name a "
        "file with several trees.",
        examples=[{"data/*.root": "Events"}],
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="Anything to remember about the dataset; it is copied to the summary.",
        examples=[{"year": 2018}],
    )

    allow_duplicates: bool = Field(
        False,
        strict=True,
        description="Whether the same content may be in the dataset twice (a copy, a link, another URL of a "
        "file), so that its events count twice. Otherwise it is an error.",
    )

    @property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a path or glob and the path of a tree."""
        maps = (self.files,) if isinstance(self.files, dict) else self.files
        return tuple(pair for each in maps for pair in each.items())


class ClusterInput(FrozenModel):
    """One collection of clusters: on which grids, by which preset, with which settings and fields."""

    grid: Annotated[
        tuple[str, ...],
        WithJsonSchema(
            {
                "title": "name of a grid, or list of names",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
            }
        ),
    ] = Field(
        description="Grid that is searched, or a list of grids. Clusters of several grids fill one "
        "collection, whose field grid is the place in the list.",
        examples=["towers", ["em", "had"]],
    )
    preset: str | None = Field(
        None,
        description="Published algorithm whose settings are taken; keys beside it override them. `hep-peaksum "
        "presets` lists them.",
        examples=["cms-l1-jet"],
    )
    fields: tuple[str, ...] | None = Field(
        None,
        description="Fields that are written for every cluster. By default peak_sum, seed, row, col, n_cells, "
        "the pile-up estimates, and energy and position as far as the grid gives them.",
        examples=[["peak_sum", "pt", "eta", "phi"]],
    )
    settings: PeakSumSettings = Field(
        description="Settings of the search; its keys are written directly in the collection."
    )
    reference: ReferenceInput | None = Field(
        None,
        description="Objects of the file that `hep-peaksum closure` compares the clusters with. A job ignores "
        "it.",
    )

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
        others = {key: values[key] for key in beside if key in values}
        return {**others, "grid": (grid,) if isinstance(grid, str) else grid, "settings": {**base, **own}}

    @field_validator("grid")
    @classmethod
    def _check_grid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            msg = "name the grid, or the grids, to search"
            raise ValueError(msg)
        return value

    @field_validator("preset")
    @classmethod
    def _check_preset(cls, value: str | None) -> str | None:
        if value is not None:
            read_preset(value)
        return value


def _preset_settings(name: Any) -> dict[str, Any]:
    """Return the settings of a preset; none for an unknown name, which its own key reports."""
    try:
        return dict(read_preset(name).settings)
    except ValueError:
        return {}


def parse_size(value: Any) -> int:
    """Return a size such as ``"1 GB"`` in bytes.

    >>> parse_size("1.5 MB"), parse_size(20)
    (1500000, 20)
    """
    n_bytes = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if match := re.fullmatch(r"(\d{1,15}\.?\d{0,9}) *(B|kB|MB|GB|)", value if isinstance(value, str) else ""):
        n_bytes = int(float(match[1]) * SIZES[match[2]])
    if n_bytes < 1:
        msg = f"{value!r} is not a size: write a number of bytes, or one of kB, MB, GB, as in '1 GB'"
        raise ValueError(msg)
    return n_bytes


def _local_directory(path: str) -> str:
    """Return the path expanded; a remote one is a ValueError."""
    expanded = expand_variables(path)
    if REMOTE in expanded:
        problem = "is remote, but results are moved into place, which is atomic on a file system only"
        msg = f"{expanded} {problem}: name a local directory, and copy it at the end"
        raise ValueError(msg)
    return expanded


class Output(FrozenModel):
    """The directory of the results, and their formats."""

    directory: Annotated[str, Field(min_length=1), AfterValidator(_local_directory)] = Field(
        description="Directory of the results, on this machine; ~ and environment variables are filled in. A "
        "job that was interrupted continues in it.",
        examples=["results/zerobias"],
    )
    clusters: tuple[ClusterFormat, ...] = Field(
        ("parquet",), description="Formats of the clusters. The parquet parts are always written."
    )
    plots: bool = Field(
        True, strict=True, description="Whether every histogram is drawn into the folder plots."
    )


class RunOptions(FrozenModel):
    """How the job is run: nothing here changes the results."""

    executor: ExecutorName = Field(
        "iterative",
        description="Executor that processes the chunks: iterative (one process), threads, futures (processes "
        "of this machine), dask, parsl or taskvine (clusters).",
    )
    workers: Count = Field(1, description="Number of threads, processes, or workers of a cluster.")
    chunksize: Annotated[Count, WithJsonSchema(CHUNKSIZE_SCHEMA)] = Field(
        100_000,
        description="Entries in a chunk: the unit of work, of memory, and of what is repeated after a crash.",
    )
    on_bad_file: Literal["stop", "skip"] = Field(
        "stop",
        description="Treatment of a file that cannot be read: stop the job, or skip the file. Losses are "
        "listed in the summary, and the exit status is then 3.",
    )
    scheduler: Annotated[str, Field(pattern=ADDRESS)] | None = Field(
        None, description="Address of a running Dask scheduler.", examples=["tcp://host:8786"]
    )
    cluster: Annotated[str, Field(pattern=FUNCTION)] | None = Field(
        None,
        description="Function of yours, module:function, that returns a Dask cluster (of a job queue, for "
        "instance) or a parsl config. Without it and without scheduler, workers are started on this machine.",
        examples=["mysite:cluster"],
    )
    timeout: Count = Field(
        60, description="Seconds after which a request to a server is given up: http(s), S3, XRootD, Dask."
    )
    retries: Annotated[int, Field(strict=True, ge=0)] = Field(
        2,
        description="Number of times that a chunk is tried again after an error that may pass: a server or a "
        "file system that refuses. Waits 1, 2, 4, ... s for a remote file.",
    )

    max_basket: Annotated[int, BeforeValidator(parse_size), WithJsonSchema(SIZE_SCHEMA)] = Field(
        "1 GB",
        validate_default=True,
        description="Largest size that a basket of a TTree, or a column in a cluster of an RNTuple, may claim "
        "to have, compressed or not: a number of bytes, or one of kB, MB, GB. A larger one is refused before "
        "memory is allocated for it, as damage to its file.",
    )

    @model_serializer(mode="wrap")
    def _omit_defaults(self, serialise: Any) -> dict[str, Any]:
        """Leave out the keys of some executors and of remote files unless they were given."""
        special = {"scheduler", "cluster", "timeout", "retries", "max_basket"} - self.model_fields_set
        return {key: value for key, value in serialise(self).items() if key not in special}

    @model_validator(mode="after")
    def _check_executor(self) -> RunOptions:
        """Raise a ValueError if a key means nothing to the executor."""
        if self.scheduler is not None and self.executor != "dask":
            msg = f"scheduler {self.scheduler!r} needs the executor dask, not {self.executor}: drop one"
            raise ValueError(msg)
        if self.cluster is not None and self.executor not in ("dask", "parsl"):
            msg = f"cluster {self.cluster!r} needs the executor dask or parsl, not {self.executor}: drop one"
            raise ValueError(msg)
        if self.cluster is not None and self.scheduler is not None:
            msg = "scheduler and cluster both name the workers: keep one"
            raise ValueError(msg)
        return self
