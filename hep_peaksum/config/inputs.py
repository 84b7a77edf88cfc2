"""The sections of the config that say what is read: grids with their branches, noise and masks, and events.

Models only; the branches are read in `reading/columns`.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from hep_peaksum.config.formats import IDENTITY
from hep_peaksum.config.paths import expand_variables
from hep_peaksum.geometry.grid import AxisWord, Grid, from_dense
from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Count, Number, in_counts, inclusive_bound, parse_threshold
from hep_peaksum.settings.units import in_sigmas
from hep_peaksum.suggestions import did_you_mean

SCHEMAS = {
    "base": "BaseSchema",
    "nanoaod": "NanoAODSchema",
    "delphes": "DelphesSchema",
    "edm4hep": "EDM4HEPSchema",
}

SCHEMA_NAME = {
    "title": f"one of {', '.join(SCHEMAS)}, or module:Class",
    "anyOf": [{"enum": list(SCHEMAS)}, {"type": "string", "pattern": ":"}],
}

BranchName = Annotated[str, WithJsonSchema({"title": "name of a branch", "type": "string"})]


def _one_or_more(value: object) -> object:
    """Return a word that stands for a list of one."""
    return (value,) if isinstance(value, str) else value


_WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"title": "word, or list of words", "anyOf": [{"type": "string"}, _WORDS]}),
]


def split_branch(name: str) -> tuple[str, str]:
    """Return the friend and the branch of ``friend:branch``; the friend of a branch of the main tree is ``""``.

    >>> split_branch("ev:nPV"), split_branch("cells"), split_branch(":a:b")
    (('ev', 'nPV'), ('', 'cells'), ('', 'a:b'))
    """
    friend, colon, branch = name.partition(":")
    return (friend, branch) if colon else ("", name)


class HitBranches(FrozenModel):
    """Branches of jagged hits: the place of each hit on the two axes, and its value."""

    row: BranchName = Field(
        description="Branch with the place of each hit along the rows: its label, its index, or its "
        "coordinate, as the axis has labels, n, or positions.",
        examples=["L1CaloTower/ieta"],
    )
    col: BranchName = Field(description="Branch with the place of each hit along the columns, as for row.")
    value: BranchName = Field(
        description="Branch with the energy of each hit, in counts. Hits in one cell add."
    )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.value

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.{word}", getattr(self, word)) for word in ("row", "col", "value"))


class DenseBranch(FrozenModel):
    """A branch that holds every cell: fixed 2-D or 3-D, or flat, its axes named slowest first."""

    branch: BranchName = Field(
        description="Branch with one value for every cell, in counts: an array, nested vectors, or flat."
    )
    shape: tuple[Count, ...] | None = Field(
        None,
        description="Number of cells along axes. Needed where neither rows and cols nor the branch say it; "
        "rows and cols can then be left out.",
        examples=[[67, 10, 10]],
    )
    axes: tuple[AxisWord, ...] = Field(
        ("row", "col"),
        description="Order of a cell's indices, the slowest first: row and col, and layer if there are layers.",
        examples=[["layer", "row", "col"]],
    )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return (self.branch,)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the key that names the branch, with the branch; `key` is that of these."""
        yield f"{key}.branch", self.branch


class ReferenceInput(FrozenModel):
    """A collection that the file has of its own, which `closure` compares clusters with."""

    row: BranchName = Field(
        description="Branch with the place of each object along the rows: label, index or coordinate, as for "
        "hits."
    )
    col: BranchName = Field(description="Branch with the place of each object along the columns.")
    sum: BranchName = Field(description="Branch with the sum of each object, in counts.")
    where: dict[str, Number] = Field(
        default_factory=dict,
        description="Branches and the values that they must have for an object to be compared.",
    )
    sum_where: dict[str, Number] = Field(
        default_factory=dict,
        description="Branches and the values that they must have for the sums to be compared, too.",
        examples=[{"up:L1Upgrade/tauIsMerged": 0}],
    )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.sum, *self.where, *self.sum_where

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.{word}", getattr(self, word)) for word in ("row", "col", "sum"))
        yield from ((f"{key}.where.{branch}", branch) for branch in self.where)
        yield from ((f"{key}.sum_where.{branch}", branch) for branch in self.sum_where)


def _gather_grid(values: Any) -> Any:
    """Gather the keys of a grid under `grid`: those of a named geometry, overridden by those given."""
    if not isinstance(values, dict) or "grid" in values:
        return values
    own = {key: values[key] for key in values if key in Grid.model_fields}
    rest = {key: value for key, value in values.items() if key not in own and key != "geometry"}
    if "geometry" in values:
        try:
            named = named_grid(values["geometry"])
        except ValueError as error:
            msg = f"geometry: {error}"
            raise ValueError(msg) from None
        return {**rest, "grid": {**named.model_dump(exclude_defaults=True), **own}}
    dense = values.get("dense")
    if isinstance(dense, dict) and isinstance(dense.get("shape"), (list, tuple)):
        axes = dense.get("axes", ("row", "col"))
        for size, word in zip(dense["shape"], axes, strict=False):
            if word in ("row", "col"):
                own.setdefault(f"{word}s", {"n": size})
        if not {"row", "col"} <= set(axes):  # the error about axes is enough: none about rows and cols
            own = {"rows": {"n": 1}, "cols": {"n": 1}, **own}
    return {**rest, "grid": own}


def _parse_noise(value: object) -> object:
    """Return the noise as a threshold, or as the path of a map."""
    if isinstance(value, str) and value.endswith(".npy"):
        return value
    if not isinstance(value, (int, float, str)):
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    value = parse_threshold(value)
    if in_sigmas(value) is not None:
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    return value


Noise = Annotated[
    int | float | str,
    BeforeValidator(_parse_noise),
    WithJsonSchema({"title": "number, energy, or path of a .npy file", "type": ["number", "string"]}),
]


def _parse_map_path(value: object) -> object:
    if isinstance(value, (str, type(None))):
        return value
    msg = f"{value!r} is not a mask: give the path of a .npy file"
    raise ValueError(msg)


MapPath = Annotated[str, BeforeValidator(_parse_map_path)]


def _read_map(path: str) -> tuple[Array, str]:
    """Return the array in a .npy file, never a pickle, and a digest of the file."""
    content = Path(expand_variables(path)).read_bytes()
    return np.load(io.BytesIO(content), allow_pickle=False), hashlib.sha256(content).hexdigest()[:16]


class GridInput(FrozenModel):
    """One grid of the config: its plane, and the branches that fill it."""

    geometry: str | None = Field(  # replaced by `grid` before validation
        None,
        description="Name of a geometry that comes with the package. It gives rows, cols, quantity and unit; "
        "keys beside it override it.",
        examples=["cms-l1-towers"],
    )
    grid: Grid = Field(description="Plane of the cells; its keys are written directly in the grid.")
    hits: HitBranches | None = Field(
        None, description="Branches of jagged hits that fill the grid. Give either hits or dense."
    )
    dense: DenseBranch | None = Field(
        None, description="Branch that holds every cell of the grid. Give either hits or dense."
    )
    layers: Literal["sum", "each"] = Field(
        "sum", description="Whether the sum of the layers is searched (sum), or every layer by itself (each)."
    )
    noise: Noise | None = Field(
        None,
        description="Noise of a cell: a number of counts, an energy, or the path of a .npy file with a map of "
        "counts, shape (row, col) or (layer, row, col). Thresholds in sigma and the significance need it.",
        examples=["30 MeV", "maps/noise.npy"],
    )
    mask: MapPath | None = Field(
        None, description="Path of a .npy file with a boolean map: true where a cell must not be used."
    )
    digests: tuple[str, ...] = Field(
        (), description="Digests of the files of noise and mask: other files make another job."
    )

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        return _gather_grid(values)

    @model_validator(mode="after")
    def _check_source(self) -> GridInput:
        if (self.hits is None) == (self.dense is None):
            msg = "a grid is filled either from hits or from a dense branch: give one of the two"
            raise ValueError(msg)
        if isinstance(self.noise, str) and not self._has_noise_map:
            try:
                in_counts(self.noise, self.grid.unit)
            except ValueError as error:
                msg = f"noise {error}"
                raise ValueError(msg) from None
        if self.dense is not None:
            n_cells = math.prod(self.dense.shape or self.grid.shape)
            from_dense(np.empty((0, n_cells)), self.grid, axes=self.dense.axes, shape=self.dense.shape)
        return self

    @model_validator(mode="after")
    def _check_maps(self) -> GridInput:
        """Read the maps once, so that errors in them are found early; their digests identify the job."""
        if self.digests or (self.mask is None and not self._has_noise_map):
            return self
        paths = {"noise": self.noise if self._has_noise_map else None, "mask": self.mask}
        digests = tuple(self._check_map(key, str(path)) for key, path in paths.items() if path is not None)
        object.__setattr__(self, "digests", digests)  # frozen, and validation must return this object
        return self

    def _check_map(self, key: str, path: str) -> str:
        """Return the digest of a map; one that does not fit the grid is a ValueError."""
        try:
            content, digest = _read_map(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            reason = "it holds no array of numbers" if "pickle" in str(reason) else reason
            msg = f"{key}: {path!r} cannot be read as a .npy file ({reason})"
            raise ValueError(msg) from None
        kinds, word = ("b", "bool") if key == "mask" else ("fiu", "numbers")
        by_layer = self.has_layers and (key == "noise" or self.layers == "each")
        shapes = [self.grid.shape] + [(self.n_layers, *self.grid.shape)] * by_layer
        if content.dtype.kind not in kinds or content.shape not in shapes:
            expected = f"{word} of shape {' or '.join(map(str, shapes))}"
            msg = f"{key}: {path!r} holds {content.dtype} of shape {content.shape}, expected {expected}"
            raise ValueError(msg)
        return digest

    @property
    def _has_noise_map(self) -> bool:
        return isinstance(self.noise, str) and self.noise.endswith(".npy")

    @property
    def n_layers(self) -> int:
        """Number of layers that the config declares; 1 if it declares none."""
        if self.dense is None or self.dense.shape is None or not self.has_layers:
            return 1
        return self.dense.shape[self.dense.axes.index("layer")]

    def noise_map(self) -> Array | None:
        """Return the noise in counts, shape (row, col), or (layer, row, col) where each layer is searched.

        The noise of layers that are summed adds in quadrature.
        """
        if self.noise is None:
            return None
        if self._has_noise_map:
            noise = self._map(str(self.noise)).astype(np.float64)
            return np.sqrt(np.square(noise).sum(axis=0)) if noise.ndim == 3 and self.layers == "sum" else noise
        counts = inclusive_bound(self.noise, ">=", self.grid.unit, integer=False)
        return np.full(self.grid.shape, counts, np.float64)

    def mask_map(self) -> Array | None:
        """Return which cells must not be used, shaped as `noise_map`."""
        return None if self.mask is None else self._map(self.mask)

    def _map(self, path: str) -> Array:
        content, digest = _read_map(path)
        if digest not in self.digests:
            msg = f"{path} has changed since the job began: start over in another directory"
            raise ValueError(msg)
        return content

    @property
    def source(self) -> HitBranches | DenseBranch:
        """Where the cells come from."""
        return self.hits or cast("DenseBranch", self.dense)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of the grid."""
        yield from self.source.branch_keys(f"{key}.dense" if self.hits is None else f"{key}.hits")

    @property
    def value_branch(self) -> str:
        """The branch that holds the values of the cells."""
        return self.hits.value if self.hits is not None else self.source.branches[0]

    @property
    def n_cells(self) -> int:
        """Number of values per event, of one layer at least."""
        return math.prod((self.dense and self.dense.shape) or self.grid.shape)

    @property
    def has_layers(self) -> bool:
        """Whether grids have shape (event, layer, row, col)."""
        return self.dense is not None and "layer" in self.dense.axes


def _parse_identifier(value: object) -> object:
    """Return the name of a branch, or a whole number."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    msg = f"{value!r} is neither the name of a branch nor a whole number"
    raise ValueError(msg)


Identifier = Annotated[
    str | int,
    BeforeValidator(_parse_identifier),
    WithJsonSchema({"title": "name of a branch, or whole number", "type": ["string", "integer"]}),
]


class EventsInput(FrozenModel):
    """How events are read, what identifies them, and what is carried along."""

    schema_name: Annotated[str, WithJsonSchema(SCHEMA_NAME)] = Field(
        "base",
        alias="schema",
        description="Schema of coffea that names the branches: base (as in the file), nanoaod, delphes, "
        "edm4hep, or module:Class. With the last four a branch is Collection.field.",
    )
    identify: dict[Literal["run", "luminosityBlock", "event"], Identifier] = Field(
        default_factory=dict,
        description="Branches of the three numbers that identify an event: run, luminosityBlock and event; or "
        "a number that all events have. One that is left out is the branch of its name. Without identify these "
        "branches are taken if the tree has all three, as integers; else numbers of dataset, file and entry.",
        examples=[{"run": "Event/run", "luminosityBlock": 1, "event": "Event/event"}],
    )
    keep: Words = Field(
        (),
        description="Branches that are copied to the results, one value or list per event; or one branch.",
        examples=[["ev:Event/nPV"]],
    )

    @field_validator("identify")
    @classmethod
    def _complete(cls, identify: dict[Any, Any]) -> dict[Any, Any]:
        """Return the three identifiers, each by default the branch of its name, if any is given."""
        for word, number in identify.items():
            if not isinstance(number, str) and number not in range(np.iinfo(IDENTITY[word]).max + 1):
                msg = f"{number} does not fit into {IDENTITY[word]}, the type of {word}"
                raise ValueError(msg)
        return {word: identify.get(word, word) for word in IDENTITY} if identify else {}

    @property
    def identifying_branches(self) -> tuple[str, ...]:
        """The branches of `identify`."""
        return tuple(source for source in self.identify.values() if isinstance(source, str))

    @model_validator(mode="after")
    def _check_schema(self) -> EventsInput:
        if self.schema_name not in SCHEMAS and ":" not in self.schema_name:
            near = did_you_mean(self.schema_name, SCHEMAS)
            msg = f"schema: {self.schema_name!r} is none of {', '.join(SCHEMAS)}, nor module:Class{near}"
            raise ValueError(msg)
        return self

    def kept_names(self) -> dict[str, str]:
        """Return, for every branch that is kept, its column name in the results: the last part of its name."""
        return {branch: re.sub(r"\W+", "_", re.split(r"[:/]", branch)[-1]).strip("_") for branch in self.keep}
