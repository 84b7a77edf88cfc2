"""A collection of clusters as the configs of other frameworks describe it: its cells, the plane, the search.

It needs neither uproot nor coffea, and runs on awkward 1, too, which PocketCoffea needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hep_peaksum.clustering.fields import check_fields, default_fields
from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.grid import Grid, from_dense
from hep_peaksum.geometry.hits import Hits, sparse
from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import as_grid
from hep_peaksum.library.presets import as_settings, preset
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.messages import shown
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.suggestions import did_you_mean

if TYPE_CHECKING:
    import awkward as ak


class HitColumns(FrozenModel):
    """The columns of hits: where they lie along each axis, and what they hold."""

    row: str
    col: str
    value: str


class ClusterCollection(FrozenModel):
    """Where the cells of a collection stand in the events, the plane that they tile, and the search.

    `cells` is the name of a column with one value per cell, or the columns `row`, `col` and `value` of hits;
    `settings` are keys of `PeakSumSettings` or the name of a preset, whose geometry is the default of `grid`.

    >>> search = ClusterCollection(cells="ET", settings="cms-l1-jet", fields=["pt", "eta"])
    >>> search.grid.shape, search.columns
    ((80, 72), ['ET'])
    """

    cells: str | HitColumns
    settings: PeakSumSettings = Field(default_factory=PeakSumSettings)
    grid: Grid
    fields: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_names(cls, given: Any) -> Any:
        """Take settings and grid by name, and the geometry of a preset where no grid is given."""
        given = dict(given)
        name = given.get("settings")
        if isinstance(name, str) and given.get("grid") is None:
            given["grid"] = preset(name)[1]
        return {key: value for key, value in given.items() if value is not None}

    @field_validator("cells", "settings", "grid", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        read = {"cells": _as_cells, "settings": as_settings, "grid": as_grid}[info.field_name or ""]
        try:
            return read(value)
        except (TypeError, ValueError) as error:
            msg = "; ".join(str(error).splitlines())  # one line for each key
            raise ValueError(msg) from None

    @field_validator("fields", mode="before")
    @classmethod
    def _one_word(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_fields(self) -> ClusterCollection:
        check_fields(self.field_names, self.settings, self.grid)
        return self

    @property
    def field_names(self) -> list[str]:
        """The fields of the clusters: those that were asked for, by default those that cost nothing."""
        return list(self.fields or default_fields(self.settings, self.grid, separate_layers=False))

    @property
    def columns(self) -> list[str]:
        """The columns that the search reads."""
        return [self.cells] if isinstance(self.cells, str) else list(self.cells.model_dump().values())

    def find(self, events: ak.Array) -> ak.Array:
        """Return the clusters of every event.

        Raises
        ------
        ValueError
            If a column is not in the events, or does not fit the grid, or a cell is not finite; the message
            names the columns, and the event counted from the first of `events`.
        """
        columns = [column(events, name) for name in self.columns]
        try:
            if isinstance(self.cells, str):
                cells: Array | Hits = from_dense(columns[0], self.grid)
            else:
                row, col, value = columns
                cells = sparse(row, col, value, self.grid)
            return find_clusters(cells, self.settings, self.grid, fields=self.field_names)
        except ValueError as error:
            msg = f"{', '.join(self.columns)}: {error}"
            raise ValueError(msg) from None


def _as_cells(value: object) -> str | HitColumns:
    if isinstance(value, Mapping):
        return HitColumns(**value)
    if isinstance(value, (str, HitColumns)):
        return value
    msg = f"{shown(value)} is neither the name of a column nor a map of row, col and value"
    raise ValueError(msg)


def column(events: ak.Array, name: str) -> ak.Array:
    """Return a column of events; a dot leads into a collection, as in ``CaloTower.et``.

    Raises
    ------
    ValueError
        If there is none; the message says where, and lists the names there.
    """
    found, place = events, "the events"
    for part in name.split("."):
        names = list(found.fields)
        if part not in names:
            near = did_you_mean(part, names) or f": there are {', '.join(names) or 'no columns'}"
            msg = f"{name}: no {part!r} in {place}{near}"
            raise ValueError(msg)
        found, place = found[part], part
    return found


def collections(given: Mapping[str, Any]) -> dict[str, ClusterCollection]:
    """Return the collections of a config by their names; an error names the collection.

    >>> collections({"Jet": {"cells": "ET", "grid": "cms-l1-towers", "fields": "ptt"}})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: Jet: no field is called 'ptt' (did you mean 'pt'?); there are ...
    """
    found = {}
    for name, keys in given.items():
        if not isinstance(keys, Mapping):
            msg = f"{name} is {shown(keys)}, expected its keys: cells, grid, settings, fields"
            raise ValueError(msg)
        try:
            found[name] = ClusterCollection(**keys)
        except ValueError as error:
            msg = "; ".join(f"{name}: {line}" for line in str(error).splitlines())
            raise ValueError(msg) from None
    return found
