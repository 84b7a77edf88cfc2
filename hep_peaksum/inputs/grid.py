"""The section of a grid: its plane, the branches that fill it, its noise and its mask.

Models only; the branches are read in `reading/columns`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from hep_peaksum.calibration.calibrated_cells import CalibratedCells, Calibrator
from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.run_calibrations import common_mode_groups
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid, bare_grid, from_dense
from hep_peaksum.geometry.hits import Hits, sparse
from hep_peaksum.inputs.cells import (
    CommonMode,
    MapPath,
    Noise,
    TablePath,
    axes_of_table,
    check_map,
    check_noise_map,
    make_calibrator,
    read_map,
    read_table,
    table_noises,
)
from hep_peaksum.inputs.dense import DenseBranch
from hep_peaksum.inputs.hit_columns import Columns
from hep_peaksum.inputs.hits import WORDS, HitBranches, HitCondition, HitFunction, HitSource, passing
from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import EnergyUnit, Number, in_counts, inclusive_bound

UNIT: TypeAdapter[Any] = TypeAdapter(EnergyUnit)
SCALE: TypeAdapter[Any] = TypeAdapter(Annotated[Number, Field(gt=0)])


def _scaled(grid: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a grid with its unit scaled, where both are numbers; else as they are.

    Where there is a cell table its gains are scaled.
    """
    if "scale" not in values or values.get("cells") is not None:
        return grid
    scale = values["scale"]
    try:
        return {**grid, "unit": float(UNIT.validate_python(grid["unit"]) * SCALE.validate_python(scale))}
    except (KeyError, ValidationError):
        return grid


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
        own = {**named.model_dump(exclude_defaults=True), **own}
        return {**rest, "grid": _scaled(own, values)}
    dense = values.get("dense")
    axes = _words(dense.get("axes", ["row", "col"])) if isinstance(dense, dict) else []
    own |= axes_of_table(values.get("cells"), own, is_needed="channel" in axes)
    if isinstance(dense, dict) and isinstance(dense.get("shape"), (list, tuple)):
        for size, word in zip(dense["shape"], axes, strict=False):
            if word in ("row", "col"):
                own.setdefault(f"{word}s", {"n": size})
        if (
            not {"row", "col"} <= set(axes) and "channel" not in axes
        ):  # the error about axes is enough: none about rows and cols
            own = {"rows": {"n": 1}, "cols": {"n": 1}, **own}
    return {**rest, "grid": _scaled(own, values)}


def _words(axes: Any) -> list[str]:
    """Return the words among the axes of a dense branch; what is none is an error later, at its place."""
    return [each for each in axes if isinstance(each, str)] if isinstance(axes, (list, tuple)) else []


class GridInput(FrozenModel):
    """One grid of the config: its plane, and the branches that fill it."""

    geometry: str | None = Field(  # replaced by `grid` before validation
        None,
        description="Name of a geometry that comes with the package. It gives rows, cols, quantity and unit; "
        "keys beside it override it.",
        examples=["cms-l1-towers"],
    )
    grid: Grid = Field(description="Plane of the cells; its keys are written directly in the grid.")
    hits: HitSource | None = Field(
        None,
        description="Branches of jagged hits that fill the grid, or a function of yours, module:function, that "
        "makes row, col and value of the events. Give either hits or dense.",
    )
    dense: DenseBranch | None = Field(
        None, description="Branch that holds every cell of the grid. Give either hits or dense."
    )
    where: tuple[HitCondition, ...] = Field(
        (),
        description="Conditions on hits; those that do not meet all of them fill no cell. In this way the "
        "sections of a detector that share a collection become grids of their own.",
        examples=[[{"branch": "section_", "equals": 0}, {"branch": "time_", "min": -5, "max": 20}]],
    )
    depth: Axis | None = Field(
        None,
        description="Axis of the layers of hits; the same keys as rows. Needed with hits.layer.",
        examples=[{"labels": "1..12"}],
    )
    scale: Annotated[Number, Field(gt=0)] | None = Field(
        None,
        description="Factor on the unit, or on the gains of a cell table, to vary a calibration. With the "
        "unit, a threshold in GeV becomes another number of counts; with the gains, the cells "
        "themselves change.",
        examples=[1.02],
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
    cells: TablePath | None = Field(
        None,
        description="Path of the cell table, a .csv or .parquet file: of every channel or cell its place, "
        "pedestal, gain, noise and status, run by run. Cells are then (raw - pedestal) * gain * scale.",
        examples=["crystals.csv"],
    )
    common_mode: CommonMode | None = Field(
        None,
        description="Per event, the median of (raw - pedestal) of the good channels of a group is subtracted "
        "from them. Only for dense branches with a cell table.",
        examples=[{"by": "asic"}],
    )
    fill_dead: Literal["neighbours"] | None = Field(
        None,
        description="Whether cells of bad status in the cell table are given the mean of their good neighbours "
        "(neighbours), instead of being masked. The field n_filled counts them.",
    )
    digests: tuple[str, ...] = Field(
        (), description="Digests of the files of noise, mask and cells: other files make another job."
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
        if self.noise is not None and not self._has_noise_map:
            try:
                noise = in_counts(self.noise, self.grid.unit) if isinstance(self.noise, str) else self.noise
            except ValueError as error:
                msg = f"noise {error}"
                raise ValueError(msg) from None
            if noise < 0:
                msg = f"noise: {self.noise!r} is below 0: give the standard deviation of a cell"
                raise ValueError(msg)
        if self.scale is not None and self.grid.unit is None and self.cells is None:
            msg = (
                f"scale: {self.scale} is a factor of the unit, and the grid has none: give unit, or drop scale"
            )
            raise ValueError(msg)
        self._check_layers()
        if self.dense is not None and not self.dense.by_channel:
            n_cells = math.prod(self.dense.shape or self.grid.shape)
            from_dense(np.empty((0, n_cells)), self.grid, axes=self.dense.cell_axes, shape=self.dense.shape)
            if self.dense.each is not None and len(self.dense.each) != n_cells:
                msg = f"branches: {len(self.dense.each)} branches for {n_cells} cells: name one for every cell"
                raise ValueError(msg)
        self._check_cells()
        return self

    def _check_cells(self) -> None:
        """Raise a ValueError if keys need a cell table that is not there, or that says otherwise."""
        if self.cells is None:
            of_hits = "hits.channel" if self._is_hits_by_channel else ""
            of_dense = "axes: [channel]" if self.dense is not None and self.dense.by_channel else ""
            given = [word for word in ("common_mode", "fill_dead") if getattr(self, word) is not None]
            if (key := of_hits or of_dense or next(iter(given), "")) != "":
                msg = f"{key} needs a cell table: add cells with its path, or drop {key}"
                raise ValueError(msg)
            return
        if self.common_mode is not None and self.hits is not None:
            msg = "common_mode: it is the median of all channels of an event, and hits are only some: drop it"
            raise ValueError(msg)
        if self.fill_dead is not None and self.has_times:
            msg = "fill_dead: a cell that is filled has an energy and no time: drop fill_dead, or hits.time"
            raise ValueError(msg)

    def _check_layers(self) -> None:
        """Raise a ValueError if something is said about hits or layers that are not there."""
        has_layer = isinstance(self.hits, HitBranches) and self.hits.layer is not None
        if has_layer and self.depth is None:
            msg = "depth: missing, hits have a layer: give the axis of the layers, as in depth: {labels: 1..12}"
            raise ValueError(msg)
        if self.depth is not None and not (has_layer or isinstance(self.hits, HitFunction)):
            msg = "depth: the axis of the layers of hits, and the hits have no layer: give it, or drop depth"
            raise ValueError(msg)
        if isinstance(self.hits, HitBranches) and self.hits.hexagon and self.grid.hexagons is None:
            msg = (
                "hexagons: missing, hits are placed by hexagon: give the lattice, as in hexagons: {pitch: 8.34}"
            )
            raise ValueError(msg)
        if self.dense is not None and self.where:
            msg = "where: conditions are on hits, and a dense branch has none: mask its cells, or drop where"
            raise ValueError(msg)

    @model_validator(mode="after")
    def _check_maps(self) -> GridInput:
        """Read the maps once, so that errors in them are found early; their digests identify the job."""
        if self.digests or (self.mask is None and self.cells is None and not self._has_noise_map):
            return self
        paths = {"noise": self.noise if self._has_noise_map else None, "mask": self.mask}
        maps = {key: self._check_map(key, str(path)) for key, path in paths.items() if path is not None}
        digests = tuple(digest for _, digest in maps.values())
        if self.cells is not None:
            try:
                table = read_table(self.cells)
            except CellTableError as error:
                msg = f"cells: {error}"
                raise ValueError(msg) from None
            if self.noise is not None and table_noises(table, float(self.scale or 1)) is not None:
                msg = "noise: the cell table has a column of noise, too: leave out one of them"
                raise ValueError(msg)
            digests = (*digests, table.digest)
        object.__setattr__(self, "digests", digests)  # frozen, and validation must return this object
        if self._has_noise_map:
            check_noise_map(str(self.noise), maps["noise"][0], maps["mask"][0] if "mask" in maps else None)
        return self

    @model_validator(mode="after")
    def _check_table(self) -> GridInput:
        """Raise a ValueError if the cell table does not fit the grid, or the values that are read."""
        if self.cells is None:
            return self
        key = "common_mode"
        try:
            common_mode_groups(self.table(), None if self.common_mode is None else self.common_mode.by)
            key = "cells"
            self.calibrator()
        except CellTableError as error:
            msg = f"{key}: {error}"
            raise ValueError(msg) from None
        shape = self.dense.shape if self.dense is not None and self.dense.by_channel else None
        n_channels = self.table().n_cells
        if shape and math.prod(shape) != n_channels:
            msg = f"dense.shape: {math.prod(shape)} channels, {self.cells} has {n_channels}: give each a row, "
            msg += "of status 1 if it is not connected, or drop shape"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_separate_layers(self) -> GridInput:
        """Raise a ValueError if layers are to be searched by themselves, and there are none."""
        if self.layers == "each" and not self.has_layers:
            way = "name layer in dense.axes" if self.dense is not None else "give hits.layer and depth"
            way = "give the cell table a column layer" if self._is_by_channel else way
            msg = f"layers: each layer is to be searched, and the grid has none: {way}, or drop layers"
            raise ValueError(msg)
        return self

    def files(self) -> Iterator[str]:
        """Yield the files of noise, mask and cells."""
        noise = str(self.noise) if self._has_noise_map else None
        yield from (path for path in (noise, self.mask, self.cells) if path is not None)

    def table(self) -> CellTable:
        """Return the cell table.

        Raises
        ------
        CellTableError
            If its file has changed since the job began.
        """
        return read_table(str(self.cells), self.digests)

    def calibrator(self) -> Calibrator:
        """Return what the cell table does to raw values; errors as of `table`."""
        return make_calibrator(
            self.table(),
            self.grid,
            "channel" if self._is_by_channel else "cell",
            self.n_layers if self.has_layers and not self._is_by_channel else None,
            depth=self.depth,
            layers=self.layers,
            scale=float(self.scale or 1),
            common_mode=None if self.common_mode is None else self.common_mode.by,
            fill_dead=self.fill_dead is not None,
        )

    def calibrated(self, columns: Columns, encodings: Mapping[str, str], runs: Array) -> CalibratedCells:
        """Return the cells of events of any runs; `columns` and `encodings` are as for `hit_columns`.

        Raises
        ------
        CellTableError
            If the cell table does not say all that is needed; it names channel and run.
        EventError, ValueError
            If an event, or the columns as a whole, do not fit the table or the grid.
        """
        calibrator = self.calibrator()
        if self.hits is not None:
            hits = self.hit_columns(columns, encodings)
            if "channel" in hits:
                return calibrator.hits(hits["channel"], hits["value"], runs, hits.get("time"))
            place = {word: hits[word] for word in ("row", "col", "layer") if word in hits}
            depth = self.depth if "layer" in hits else None
            value, times = (
                sparse(energy=hits[word], grid=self.grid, depth=depth, **place) if word in hits else None
                for word in ("value", "time")
            )
            return calibrator.hits_on_cells(cast("Hits", value), runs, times)
        dense, plane = cast("DenseBranch", self.dense), self.grid
        values = [columns[name] for name in dense.branches]
        if dense.by_channel:
            plane = bare_grid((1, dense.n_values(values, self.table().n_cells)))
        return calibrator.dense(dense.cells(values, plane), runs)

    @property
    def _is_hits_by_channel(self) -> bool:
        return isinstance(self.hits, HitBranches) and self.hits.channel is not None

    @property
    def _is_by_channel(self) -> bool:
        return self.dense.by_channel if self.dense is not None else self._is_hits_by_channel

    @property
    def has_noise(self) -> bool:
        """Whether the noise of the cells is known, from the config or from the cell table."""
        return self.noise is not None or self.noises() is not None

    def noises(self) -> Array | None:
        """Return the noise of cells in counts, in no order; None if it is not known."""
        noise = self.noise_map()
        if noise is None and self.cells is not None:
            noise = table_noises(self.table(), float(self.scale or 1))
        return noise

    def _check_map(self, key: str, path: str) -> tuple[Array, str]:
        """Return a map and its digest; one that does not fit the grid is a ValueError."""
        by_layer = self.has_layers and (key == "noise" or self.layers == "each")
        is_declared = (
            self.depth is not None or self._is_by_channel or (self.dense and self.dense.shape is not None)
        )
        shapes = [self.grid.shape] + [(self.n_layers, *self.grid.shape)] * bool(by_layer and is_declared)
        unknown = ": for a map of every layer, give the number of layers in the shape of dense"
        return check_map(key, path, shapes, unknown if by_layer and not is_declared else "")

    @property
    def _has_noise_map(self) -> bool:
        return isinstance(self.noise, str) and self.noise.endswith(".npy")

    @property
    def n_layers(self) -> int:
        """Number of layers that the config declares; 1 if it declares none."""
        if self._is_by_channel and self.has_layers:
            return len(np.unique(self.table()["layer"]))
        if self.depth is not None:
            return self.depth.size
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
        return read_map(path, self.digests)

    @property
    def source(self) -> HitBranches | HitFunction | DenseBranch:
        """Where the cells come from."""
        return self.hits or cast("DenseBranch", self.dense)

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return tuple(dict.fromkeys([*self.source.branches, *(condition.branch for condition in self.where)]))

    @property
    def is_read(self) -> tuple[Any, ...]:
        """What is read, and by what: grids for which it is the same can be filled from one reading."""
        function = self.hits.function if isinstance(self.hits, HitFunction) else None
        depends_on_run = None if self.cells is None else self.table().depends_on_run
        return self.branches, function, depends_on_run

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of the grid."""
        yield from self.source.branch_keys(f"{key}.dense" if self.hits is None else f"{key}.hits")
        for place, condition in enumerate(self.where):
            yield f"{key}.where.{place}.branch", condition.branch

    @property
    def value_branch(self) -> str | None:
        """The branch that holds the values of the cells; None if they are made of branches."""
        if self.dense is not None:
            return self.dense.branch
        return self.hits.value.branch if isinstance(self.hits, HitBranches) else None

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections whose encodings of ids are read from the files."""
        return () if self.hits is None else self.hits.collections

    def hit_columns(
        self, columns: Columns, encodings: Mapping[str, str], *, beside: Columns | None = None
    ) -> Columns:
        """Return row, col, value and perhaps layer of the hits that fill the grid, and more columns of these.

        `columns` are the branches by name; those of `HitFunction` are what it made, by these words. Errors are
        those of `HitBranches.columns` and `passing`.
        """
        axes = {"row": self.grid.rows, "col": self.grid.cols, "layer": self.depth or self.grid.rows}
        hits = columns
        if isinstance(self.hits, HitBranches):
            hits = self.hits.columns(columns, axes, encodings, self.grid.hexagons)
        given = {word: hits[word] for word in WORDS if word in hits}
        return passing({**given, **(beside or {})}, self.where, columns)

    @property
    def value_branches(self) -> tuple[str, ...]:
        """The branches that hold the values of the cells; none if these are made of branches."""
        if self.dense is not None:
            return self.dense.branches
        return () if self.value_branch is None else (self.value_branch,)

    @property
    def n_cells(self) -> int:
        """Number of values per event, of one layer at least."""
        if self.dense is None:
            return self.grid.n_cells * self.n_layers
        return self.table().n_cells if self.dense.by_channel else math.prod(self.dense.shape or self.grid.shape)

    @property
    def has_times(self) -> bool:
        """Whether hits have times."""
        return isinstance(self.hits, HitBranches) and self.hits.time is not None

    @property
    def has_layers(self) -> bool:
        """Whether grids have shape (event, layer, row, col)."""
        if self._is_by_channel:
            return "layer" in self.table()
        return self.depth is not None or (self.dense is not None and "layer" in self.dense.axes)
