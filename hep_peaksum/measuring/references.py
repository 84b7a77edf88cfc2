"""Objects of the file that clusters are compared with: by cell, by eta and phi, by x and y, or one an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, model_serializer, model_validator

from hep_peaksum.analysis.derived import FieldCondition, FieldName
from hep_peaksum.events.conditions import one_number
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.jagged import flat_parts
from hep_peaksum.inputs.branch_names import BranchName, Words, includes
from hep_peaksum.settings.frozen_model import FrozenModel, text_under
from hep_peaksum.settings.thresholds import EnergyUnit, Number

if TYPE_CHECKING:
    import awkward as ak

SCALAR = "value"  # the field of a reference with one value for every event


class ReferenceField(FrozenModel):
    """A number of every object, perhaps with a unit of its own."""

    branch: BranchName = Field(description="Branch with the number of every object.")
    unit: EnergyUnit | None = Field(
        None, description="Energy of one count: a number of GeV, or an energy; by default the number is taken."
    )

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: Any) -> Any:
        """Return a branch without a unit as it is written."""
        return self.branch if self.unit is None else serialise(self)


Column = Annotated[
    ReferenceField, BeforeValidator(text_under("branch"), json_schema_input_type=BranchName | ReferenceField)
]


class ReferenceObjects(FrozenModel):
    """Objects of the same entry, with their place and their fields; or one number per event."""

    row: BranchName | None = Field(
        None, description="Branch with the place along the rows of a grid: label, index or coordinate."
    )
    col: BranchName | None = Field(None, description="Branch with the place along the columns of a grid.")
    grid: str | None = Field(None, description="Grid that row and col are on.")
    eta: BranchName | None = Field(None, description="Branch with the pseudorapidity; give phi as well.")
    phi: BranchName | None = Field(None, description="Branch with the azimuth, in radian.")
    x: BranchName | None = Field(None, description="Branch with the place along x, in the unit of the axis.")
    y: BranchName | None = Field(None, description="Branch with the place along y.")
    scalar: Column | None = Field(
        None,
        description="Branch with one number for every event, such as a missing energy; its field is value.",
        examples=["GenMET_pt"],
    )
    fields: dict[FieldName, Column] = Field(
        default_factory=dict,
        description="Fields of the objects by name: a branch, or a branch with its unit.",
        examples=[{"pt": "GenJet_pt", "raw": {"branch": "jetRawEt", "unit": "0.5 GeV"}}],
    )
    where: tuple[FieldCondition, ...] = Field(
        (),
        description="Conditions on fields that an object has to meet.",
        examples=[[{"field": "pt", "min": 10}]],
    )
    datasets: Words | None = Field(None, description="Datasets that have the objects; by default all.")

    PLACES: ClassVar[tuple[tuple[str, str], ...]] = (("row", "col"), ("eta", "phi"), ("x", "y"))

    @model_validator(mode="after")
    def _check(self) -> ReferenceObjects:
        given = [pair for pair in self.PLACES if any(getattr(self, word) is not None for word in pair)]
        incomplete = [pair for pair in given if None in (getattr(self, word) for word in pair)]
        if len(given) + (self.scalar is not None) != 1 or incomplete:
            msg = "give one of row and col, eta and phi, x and y, or scalar"
            raise ValueError(msg)
        if (self.row is None) != (self.grid is None):
            msg = (
                "row and col are on a grid: name it in grid" if self.grid is None else "grid needs row and col"
            )
            raise ValueError(msg)
        if self.scalar is not None and (self.fields or self.where):
            msg = "a scalar has the field value only: drop fields and where"
            raise ValueError(msg)
        for each in self.where:
            if each.field not in self.field_names:
                msg = f"where: no field {each.field!r}; there are {', '.join(self.field_names)}"
                raise ValueError(msg)
        return self

    @property
    def place(self) -> tuple[str, str] | None:
        """The names of the two coordinates; None of a scalar."""
        return next((pair for pair in self.PLACES if getattr(self, pair[0]) is not None), None)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of all fields."""
        return (SCALAR,) if self.scalar is not None else (*(self.place or ()), *self.fields)

    @property
    def columns(self) -> dict[str, ReferenceField]:
        """The branch of every field."""
        if self.scalar is not None:
            return {SCALAR: self.scalar}
        places = {word: ReferenceField(branch=getattr(self, word)) for word in self.place or ()}
        return {**places, **self.fields}

    def is_for(self, dataset: str) -> bool:
        """Return whether a dataset has the objects."""
        return includes(self.datasets, dataset)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str, tuple[str, ...] | None]]:
        """Yield the keys that name a branch, the branch, and the datasets with it."""
        for name, column in self.columns.items():
            place = f"{key}.fields.{name}" if name in self.fields else f"{key}.{name}"
            yield place.replace(f".{SCALAR}", ".scalar"), column.branch, self.datasets

    def read(self, column: Callable[[str], ak.Array], grids: Mapping[str, Grid]) -> ak.Array:
        """Return the objects of every event: jagged records of their fields, and `index`, their place.

        A scalar gives records with the field `value`, one an event.

        Raises
        ------
        EventError
            If the branches have different numbers of objects in an event, or one is None.
        ValueError
            If a branch has not one number for every object.
        """
        import awkward as ak

        depth = 1 if self.scalar is not None else 2
        arrays = {name: column(each.branch) for name, each in self.columns.items()}
        arrays = {name: one_number(each) if depth == 1 else each for name, each in arrays.items()}
        for name, each in self.columns.items():
            if arrays[name].ndim != depth:
                expected = "one number per event" if depth == 1 else "a list of numbers per event"
                msg = f"{each.branch!r} has {arrays[name].ndim - 1} axes below the event, expected {expected}"
                raise ValueError(msg)
        if depth == 1:
            return ak.zip({SCALAR: _in_unit(ak.to_numpy(arrays[SCALAR]), self.columns[SCALAR])})
        counts, parts = flat_parts((repr(each.branch), arrays[name]) for name, each in self.columns.items())
        columns = zip(self.columns.items(), parts, strict=True)
        flat = {name: _in_unit(part, each) for (name, each), part in columns}
        if self.grid is not None:
            plane = grids[self.grid]
            flat["row"], flat["col"] = plane.rows.find(flat["row"]), plane.cols.find(flat["col"])
        flat["index"] = np.asarray(ak.flatten(ak.local_index(next(iter(arrays.values())))))
        passed = [each.passes(flat[each.field]) for each in self.where]
        is_kept = np.logical_and.reduce(passed) if passed else np.ones(len(flat["index"]), bool)
        n_kept = np.bincount(np.repeat(np.arange(len(counts)), counts)[is_kept], minlength=len(counts))
        return ak.unflatten(ak.zip({name: values[is_kept] for name, values in flat.items()}), n_kept)


def _in_unit(values: Any, column: ReferenceField) -> Any:
    """Return numbers in GeV where the field has a unit."""
    return values if column.unit is None else values * float(column.unit)


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
