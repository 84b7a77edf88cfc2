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

from hep_peaksum.config.formats import FORMATS, PICTURES, ClusterFormat, PictureFormat
from hep_peaksum.events.barns import CrossSection
from hep_peaksum.inputs.branch_names import Words
from hep_peaksum.inputs.functions import FUNCTION
from hep_peaksum.inputs.paths import REMOTE, expand_variables
from hep_peaksum.library.presets import read_preset
from hep_peaksum.measuring.references import ReferenceInput
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import Count, Number

# Columns are called Jet_pt, and readers take the part before the first underscore for the collection.
COLLECTION_NAME = r"^[A-Za-z][A-Za-z0-9]*$"
DATASET_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"  # the name of a folder
ADDRESS = r"^[a-z]+://.+"

CollectionName = Annotated[str, Field(pattern=COLLECTION_NAME)]
VariationName = Annotated[str, Field(pattern=COLLECTION_NAME)]
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


ONLY_TREE = ""  # the tree of a path that names none: the only one in the file


def _parse_files(value: object) -> object:
    """Return files as maps of paths and trees; a path may stand alone, and may end with its tree."""
    if isinstance(value, list | tuple):
        return tuple(each for entry in value for each in _parse_entry(entry))
    return value if isinstance(value, dict) and value == _parse_entry(value)[0] else _parse_entry(value)


def _parse_entry(entry: object) -> tuple[dict[str, str], ...]:
    """Return a path, ``path:tree``, or a map of paths and trees, as a map."""
    if isinstance(entry, str) and entry:
        match = re.fullmatch(r"(.+\.root):([^:]+)", entry)
        return ({match[1]: match[2]} if match else {entry: ONLY_TREE},)
    if not isinstance(entry, dict):
        given = "has no value" if entry is None else f"{entry!r} is not a file"
        msg = f"{given}: give a path, path.root:tree, a map of paths and trees, or a list of these"
        raise ValueError(msg)
    for path, tree in entry.items():
        if not (isinstance(path, str) and path and isinstance(tree, str) and tree):
            msg = f"{path!r}: {tree!r} is not a path with the name of a tree: write data.root: Events"
            raise ValueError(msg)
    return (entry,)


_TREES = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
_PATH = {"type": "string", "minLength": 1}
FILES_SCHEMA = {
    "title": "path, map of paths and trees, or list of these",
    "anyOf": [_PATH, _TREES, {"type": "array", "items": {"anyOf": [_PATH, _TREES]}, "minItems": 1}],
}


class Dataset(FrozenModel):
    """Files of one sample, and what their user wants to remember about them."""

    files: Annotated[
        dict[str, str] | tuple[dict[str, str], ...],
        Field(min_length=1),
        BeforeValidator(_parse_files),
        WithJsonSchema(FILES_SCHEMA),
    ] = Field(
        description="Paths of the files, each with the path of its tree; or paths alone, as `data.root:Events` "
        "or, for files with a single tree, `data.root`. A path may be a glob, a URL (https, s3, root), and may "
        "hold ~ and environment variables ($$ is a plain $). A list may name a file with several trees.",
        examples=[{"data/*.root": "Events"}, "data/*.root:Events", ["a.root", "b.root"]],
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

    cross_section: CrossSection | None = Field(
        None,
        description="Cross section of the sample: a number of pb, or with its unit. Histograms are then "
        "normalised to luminosity: weight x cross_section x k_factor x luminosity / sum of weights.",
        examples=["830 pb"],
    )
    k_factor: Number = Field(1.0, description="Factor on the cross section.")
    sum_of_weights: str | None = Field(
        None,
        description="Branch whose sum over all entries of the files normalises the sample. It is tree:branch "
        "of another tree, or a branch of the events, which is right for files with every generated event.",
        examples=["Runs:genEventSumw"],
    )

    @model_validator(mode="after")
    def _check_normalisation(self) -> Dataset:
        if (self.cross_section is None) != (self.sum_of_weights is None):
            missing = "sum_of_weights" if self.sum_of_weights is None else "cross_section"
            msg = f"{missing}: missing, cross_section and sum_of_weights normalise a sample together: add it"
            raise ValueError(msg)
        return self

    @property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a path or glob and the path of a tree, which is empty for the only tree of a file."""
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
        "collection, whose field grid is the place in the list; they are ordered by their sums in GeV, equal "
        "ones by grid.",
        examples=["towers", ["em", "had"]],
    )
    preset: str | None = Field(
        None,
        description="Published algorithm whose settings are taken; keys beside it override them. `hep-peaksum "
        "presets` lists them.",
        examples=["cms-l1-jet"],
    )
    fields: Words | None = Field(
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


def _parse_formats(value: object) -> object:
    """Return formats as a list; one may stand alone, and ROOT files are TTrees unless it is said otherwise."""
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        return value
    return tuple("ttree" if word == "root" else word for word in words)


_FORMAT = {"enum": [*FORMATS, "root"]}
FORMATS_SCHEMA = {
    "title": f"one of {', '.join(FORMATS)}, or a list of them",
    "anyOf": [_FORMAT, {"type": "array", "items": _FORMAT}],
}


def _parse_plots(value: object) -> object:
    """Return formats of pictures as a list: true is PNG, false none, and one may stand alone."""
    if isinstance(value, bool):
        return ("png",) if value else ()
    return (value,) if isinstance(value, str) else value


_PICTURE = {"enum": [*PICTURES]}
PLOTS_SCHEMA = {
    "title": "png, pdf, svg, a list of them, true or false",
    "anyOf": [{"type": "boolean"}, _PICTURE, {"type": "array", "items": _PICTURE}],
}


class Output(FrozenModel):
    """The directory of the results, and their formats."""

    directory: Annotated[str, Field(min_length=1), AfterValidator(_local_directory)] = Field(
        description="Directory of the results, on this machine; ~ and environment variables are filled in. A "
        "job that was interrupted continues in it.",
        examples=["results/zerobias"],
    )
    clusters: Annotated[
        tuple[ClusterFormat, ...], BeforeValidator(_parse_formats), WithJsonSchema(FORMATS_SCHEMA)
    ] = Field(
        ("parquet",),
        description="Format of the clusters, or a list of formats: parquet, ttree (or root), rntuple. The "
        "parquet parts are always written.",
        examples=[["parquet", "ttree"]],
    )
    plots: Annotated[
        tuple[PictureFormat, ...],
        BeforeValidator(_parse_plots),
        WithJsonSchema(PLOTS_SCHEMA),
    ] = Field(
        ("png",),
        description="Formats in which histograms and measurements are drawn into the folder plots: png, pdf, "
        "svg, or a list of them. true is png, false draws nothing.",
        examples=["pdf", ["png", "pdf"]],
    )
    style: Literal["plain", "CMS", "ATLAS", "LHCb", "ALICE"] = Field(
        "plain",
        description="Experiment in whose style histograms and measurements are drawn, with its name above them "
        "(by mplhep).",
        examples=["CMS"],
    )
    label: str = Field(
        "",
        max_length=60,
        description="What is written above histograms and measurements, after the name of the experiment.",
        examples=["Preliminary"],
    )
    stack: Words = Field(
        (),
        description="Datasets that are stacked in pictures of several datasets. The first is at the bottom; "
        "the others are points over the stack, and their ratio to it is below.",
        examples=[["qcd", "ttbar"]],
    )
    report: bool = Field(
        True,
        strict=True,
        description="Whether report.html is written: the whole job on one page, in one file. Without plots it "
        "has tables only; `hep-peaksum report` draws them later.",
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
