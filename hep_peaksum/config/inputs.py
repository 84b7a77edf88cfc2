"""The sections of the config that say what is read: branches, grids with their noise and masks, events.

Models only; `events` reads what they name.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hep_peaksum.config.formats import IDENTITY
from hep_peaksum.config.paths import expand_variables
from hep_peaksum.geometry.grid import AxisWord, Grid, from_dense
from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.settings.thresholds import Number, in_sigmas, inclusive_bound, threshold

SCHEMAS = {
    "base": "BaseSchema",
    "nanoaod": "NanoAODSchema",
    "delphes": "DelphesSchema",
    "edm4hep": "EDM4HEPSchema",
}


class HitBranches(BaseModel):
    """Branches of jagged hits: where each lies on the two axes, and its value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    col: str
    value: str

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.value


class DenseBranch(BaseModel):
    """A branch that holds every cell: fixed 2-D or 3-D, or flat, its axes named slowest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch: str
    shape: tuple[Annotated[int, Field(strict=True, ge=1)], ...] | None = None
    axes: tuple[AxisWord, ...] = ("row", "col")

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return (self.branch,)


class ReferenceInput(BaseModel):
    """A collection that the file has of its own, which clusters are compared with: where, and which sum.

    `row` and `col` are branches of labels, indices or coordinates, as hits have them. `where` and `sum_where`
    say what branches must hold: for an object to be looked at, and for its sum to be meant to be that of a
    cluster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    col: str
    sum: str
    where: dict[str, Number] = Field(default_factory=dict)
    sum_where: dict[str, Number] = Field(default_factory=dict)

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.sum, *self.where, *self.sum_where


def _complete_grid(values: Any) -> Any:
    """Gather the keys of a grid under `grid`: those of a named geometry, overridden by those given."""
    if not isinstance(values, dict) or "grid" in values:
        return values
    own = {key: values[key] for key in values if key in Grid.model_fields}
    rest = {key: value for key, value in values.items() if key not in own and key != "geometry"}
    if "geometry" in values:
        return {**rest, "grid": {**named_grid(values["geometry"]).model_dump(exclude_defaults=True), **own}}
    dense = values.get("dense")
    if isinstance(dense, dict) and isinstance(dense.get("shape"), (list, tuple)):
        axes = dense.get("axes", ("row", "col"))
        for size, word in zip(dense["shape"], axes, strict=False):
            if word in ("row", "col"):
                own.setdefault(f"{word}s", {"n": size})
        if not {"row", "col"} <= set(axes):  # said where the axes are read; no second word about rows and cols
            own = {"rows": {"n": 1}, "cols": {"n": 1}, **own}
    return {**rest, "grid": own}


def _noise(value: object) -> object:
    """Return a threshold, or the path of a map."""
    if isinstance(value, str) and value.endswith(".npy"):
        return value
    value = threshold(value)
    if in_sigmas(value) is not None:
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    return value


def _read_map(path: str) -> tuple[Array, str]:
    """Return the array in a .npy file, never a pickle, and a digest of the file."""
    content = Path(expand_variables(path)).read_bytes()
    return np.load(io.BytesIO(content), allow_pickle=False), hashlib.sha256(content).hexdigest()[:16]


class GridInput(BaseModel):
    """One grid of the config: its plane, and the branches that fill it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid: Grid
    hits: HitBranches | None = None
    dense: DenseBranch | None = None
    layers: Literal["sum", "each"] = Field(
        "sum", description="whether the sum of the layers is searched, or each layer by itself"
    )
    noise: Annotated[int | float | str, BeforeValidator(_noise)] | None = Field(
        None, description="of a cell: a number of counts, an energy, or the path of a .npy file with a map"
    )
    mask: str | None = Field(None, description="path of a .npy file: true where a cell is not to be used")
    digests: tuple[str, ...] = Field(
        (), description="of the files of noise and mask: another file, another job"
    )

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        return _complete_grid(values)

    @model_validator(mode="after")
    def _one_source(self) -> GridInput:
        if (self.hits is None) == (self.dense is None):
            msg = "a grid is filled either from hits or from a dense branch: give one of the two"
            raise ValueError(msg)
        if self.dense is not None:
            n_cells = math.prod(self.dense.shape or self.grid.shape)
            from_dense(np.empty((0, n_cells)), self.grid, axes=self.dense.axes, shape=self.dense.shape)
        return self

    @model_validator(mode="after")
    def _fitting_maps(self) -> GridInput:
        """Read the maps once, to say what is wrong with them; their digests are part of what names the job."""
        if self.digests or (self.mask is None and not self._has_noise_map):
            return self
        digests = []
        for key, path in (("noise", self.noise if self._has_noise_map else None), ("mask", self.mask)):
            if path is None:
                continue
            try:
                found, digest = _read_map(str(path))
            except (OSError, ValueError) as error:
                msg = f"{key}: {path!r} cannot be read as a .npy file ({error})"
                raise ValueError(msg) from None
            kinds = "b" if key == "mask" else "fiu"
            by_layer = self.has_layers and (key == "noise" or self.layers == "each")
            shapes = [self.grid.shape] + [(self.n_layers, *self.grid.shape)] * by_layer
            if found.dtype.kind not in kinds or found.shape not in shapes:
                wanted = f"{'bool' if key == 'mask' else 'numbers'} of shape {' or '.join(map(str, shapes))}"
                msg = f"{key}: {path!r} holds {found.dtype} of shape {found.shape}, expected {wanted}"
                raise ValueError(msg)
            digests.append(digest)
        object.__setattr__(self, "digests", tuple(digests))  # frozen; a copy would not be what __init__ made
        return self

    @property
    def _has_noise_map(self) -> bool:
        return isinstance(self.noise, str) and self.noise.endswith(".npy")

    @property
    def n_layers(self) -> int:
        """Number of layers, as far as the config says it; 1 without layers."""
        if self.dense is None or self.dense.shape is None or not self.has_layers:
            return 1
        return self.dense.shape[self.dense.axes.index("layer")]

    def noise_map(self) -> Array | None:
        """Return the noise in counts, shape (row, col), or (layer, row, col) where layers are searched each.

        That of layers that are summed adds in quadrature.
        """
        if self.noise is None:
            return None
        if self._has_noise_map:
            noise = self._map(str(self.noise)).astype(np.float64)
            return np.sqrt(np.square(noise).sum(axis=0)) if noise.ndim == 3 and self.layers == "sum" else noise
        counts = inclusive_bound(self.noise, ">=", self.grid.unit, integer=False)
        return np.full(self.grid.shape, counts, np.float64)

    def mask_map(self) -> Array | None:
        """Return which cells are not to be used, shaped as `noise_map`."""
        return None if self.mask is None else self._map(self.mask)

    def _map(self, path: str) -> Array:
        found, digest = _read_map(path)
        if digest not in self.digests:
            msg = f"{path} is not what it was when the job began: start over in another directory"
            raise ValueError(msg)
        return found

    @property
    def source(self) -> HitBranches | DenseBranch:
        """Where the cells come from."""
        return self.hits or cast("DenseBranch", self.dense)

    @property
    def n_cells(self) -> int:
        """Number of values an event, at least those of one layer."""
        return math.prod((self.dense and self.dense.shape) or self.grid.shape)

    @property
    def has_layers(self) -> bool:
        """Whether grids have shape (event, layer, row, col)."""
        return self.dense is not None and "layer" in self.dense.axes


class EventsInput(BaseModel):
    """How events are read, what identifies them, and what is carried along."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = Field(
        "base", alias="schema", description="base, nanoaod, delphes, edm4hep or module:Class"
    )
    identify: dict[Literal["run", "luminosityBlock", "event"], str] = Field(
        default_factory=dict, description="branches of the three numbers that name an event"
    )
    keep: tuple[str, ...] = Field((), description="branches carried along to the results")

    @model_validator(mode="after")
    def _complete(self) -> EventsInput:
        if self.identify and set(self.identify) != set(IDENTITY):
            lacking = ", ".join(sorted(set(IDENTITY) - set(self.identify)))
            msg = f"identify needs all of run, luminosityBlock and event; {lacking} is missing"
            raise ValueError(msg)
        if self.schema_name not in SCHEMAS and ":" not in self.schema_name:
            msg = f"schema {self.schema_name!r} is none of {', '.join(SCHEMAS)}, nor module:Class"
            raise ValueError(msg)
        return self

    def kept_names(self) -> dict[str, str]:
        """Return the column name in the results of every branch that is kept: its last word."""
        return {branch: re.sub(r"\W+", "_", re.split(r"[:/]", branch)[-1]).strip("_") for branch in self.keep}
