"""The section `hits` of a grid: where place and value of jagged hits come from, and which hits count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_serializer,
    model_validator,
)

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.bit_fields import BitField
from hep_peaksum.geometry.coordinates import COORDINATES
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.hexagons import Hexagons, axial_coordinates
from hep_peaksum.geometry.jagged import check_numbers, flat_parts, jagged
from hep_peaksum.inputs.branch_names import AlsoWritten, Branches, BranchName
from hep_peaksum.inputs.comparisons import Comparison
from hep_peaksum.inputs.functions import FUNCTION
from hep_peaksum.inputs.hit_columns import Bit, Column, Columns, HitColumn, Value, check_order
from hep_peaksum.kernels import Array, offsets_after_mask
from hep_peaksum.settings.frozen_model import FrozenModel, text_under

if TYPE_CHECKING:
    import awkward as ak


class HitCondition(Comparison):
    """A condition on hits: those that do not meet it fill no cell. All that is given must hold."""

    branch: BranchName = Field(description="Branch that is compared, with one number for every hit.")
    first: Bit | None = Field(
        None, description="First of the bits that are compared, such as those of a module; with last."
    )
    last: Bit | None = Field(None, description="Last of the bits that are compared, included.")

    @model_validator(mode="after")
    def _check(self) -> HitCondition:
        if not self.tests:
            raise ValueError(self.nothing_compared(self.branch))
        if (self.first is None) != (self.last is None):
            msg = f"the bits of {self.branch!r} that are looked at need first and last: give both, or drop both"
            raise ValueError(msg)
        if self.first is not None and self.last is not None:
            check_order(self.first, self.last)
        return self

    def passes(self, values: Array) -> Array:
        """Return which numbers, or which bits of them, meet the condition."""
        if self.first is not None and self.last is not None:
            values = BitField(self.first, self.last).of(values)
        return super().passes(values)


WORDS = ("channel", "row", "col", "layer", "value", "time")  # the columns of hits
PLACES = ("branch", *COORDINATES, "bits", "join")
ALLOWED = {"value": ("branch", "et", "bits", "number"), "time": ("branch", "bits")}


class HitBranches(FrozenModel):
    """Branches of jagged hits: the place of each hit on the two axes, or its channel, and its value."""

    row: Column | None = Field(
        None,
        description="Place of each hit along the rows: its label, its index, or its coordinate, as the axis "
        "has labels, n, or positions. A branch, or a map of the keys below. Give row and col, or channel, "
        "or hexagon.",
        examples=["L1CaloTower/ieta", {"eta": ["x", "y", "z"]}, {"bits": "id_", "first": 17, "last": 22}],
    )
    col: Column | None = Field(None, description="Place of each hit along the columns, as for row.")
    channel: Column | None = Field(
        None,
        description="Channel of each hit, as for row: its place is that in the cell table of the grid.",
        examples=["det_id"],
    )
    hexagon: Branches | None = Field(
        None,
        description="Position [x, y] of each hit, two branches or one whose name they continue. Row and col "
        "are the axial coordinates of the hexagon that it is in, of the lattice in hexagons of the grid.",
        examples=[["xpos_", "ypos_"]],
    )
    layer: Column | None = Field(
        None, description="Layer of each hit, as for row: its place on the axis depth of the grid."
    )
    value: Value = Field(
        description="Energy of each hit, in counts: a branch, {et: [E, x, y, z]}, or a number; 1 counts hits. "
        "Hits in one cell add."
    )

    time: Column | None = Field(
        None,
        description="Time of each hit, in any unit, for the fields time and seed_time: the mean, weighted with "
        "energy.",
    )

    @model_validator(mode="after")
    def _check(self) -> HitBranches:
        words = ("row", "col", "hexagon", "layer", "channel")
        places = [word for word in words if getattr(self, word) is not None]
        planes = [word for word in places if word != "layer"]
        if planes not in (["row", "col"], ["hexagon"]) and places != ["channel"]:
            msg = "give row and col, or hexagon or channel alone; here: "
            msg += ", ".join(places) or "none of them"
            raise ValueError(msg)
        if self.hexagon is not None and len(self.position) != 2:
            msg = f"hexagon: {', '.join(self.hexagon) or 'nothing'} given, expected the branches [x, y]"
            raise ValueError(msg)
        for word, column in self.given.items():
            allowed = ALLOWED.get(word, PLACES)
            if column.way not in allowed:
                what = "gives a value and no place" if word not in ALLOWED else f"gives no {word}"
                msg = f"{word}: {column.way} {what}: give one of {', '.join(allowed)}"
                raise ValueError(msg)
        return self

    @property
    def given(self) -> dict[str, HitColumn]:
        """The columns of the hits that are given, by their keys."""
        columns = {word: getattr(self, word) for word in WORDS}
        return {word: column for word, column in columns.items() if column is not None}

    @property
    def position(self) -> tuple[str, ...]:
        """The branches of x and y, where hits are placed by hexagon."""
        names = self.hexagon or ()
        return tuple(f"{names[0]}.{word}" for word in "xy") if len(names) == 1 else names

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        of_columns = (name for column in self.given.values() for name in column.branches)
        return tuple(dict.fromkeys([*self.position, *of_columns]))

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections whose encodings are read from the files."""
        return tuple(dict.fromkeys(name for column in self.given.values() for name in column.collections))

    def columns(
        self,
        columns: Columns,
        axes: Mapping[str, Axis],
        encodings: Mapping[str, str],
        lattice: Hexagons | None = None,
    ) -> Columns:
        """Return row, col, layer and value of every hit, as far as they are given.

        Parameters
        ----------
        columns
            The branches by name, jagged.
        axes
            Those of row, col and layer.
        encodings
            Of ids, by collection: those that are read from files.
        lattice
            That of the grid, where hits are placed by `hexagon`.

        Raises
        ------
        ValueError
            As `HitColumn.values`, and if branches have one number for every entry.
        """
        self._check_lists(columns)
        result: dict[str, ak.Array] = {}
        given = dict(self.given)
        if lattice is not None and self.hexagon is not None:
            layer = given.pop("layer", None)
            if layer is not None:
                result["layer"] = layer.values(columns, axes["layer"], encodings)
            position = [(name, columns[name]) for name in self.position]
            result |= _axial(position, lattice, result.get("layer"), axes["layer"])
        for word, column in given.items():
            try:
                if column.way == "number":
                    n_hits, _ = flat_parts([*result.items()][:1])
                    result[word] = jagged(np.full(n_hits.sum(), column.number), n_hits)
                else:
                    result[word] = column.values(columns, axes.get(word, axes["row"]), encodings)
            except EventError:
                raise
            except ValueError as error:
                msg = f"{word}: {error}"
                raise ValueError(msg) from None
        return result

    def _check_lists(self, columns: Columns) -> None:
        """Raise a ValueError if a branch has one number for every entry, as all have where these are hits."""
        branches = [*self.branches]
        single = [name for name in branches if name in columns and columns[name].ndim == 1]
        if not single:
            return
        named = ((word, name) for word, column in self.given.items() for name in column.branches)
        word = next((word for word, name in named if name == single[0]), "hexagon")
        advice = f"{single[0]!r} is no branch of hits: name one that is"
        if len(single) == len(branches):
            advice = (
                "if every entry is a hit, first make events of them by `hep-peaksum group FILE:TREE --by KEYS`"
            )
        msg = f"{word} has one number for every event, expected a list with a number for every hit: {advice}"
        raise ValueError(msg)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.hexagon", branch) for branch in self.position)
        for word, column in self.given.items():
            place = f"{key}.{word}" if column.way == "branch" else f"{key}.{word}.{column.way}"
            yield from ((place, branch) for branch in column.branches)


def _axial(
    position: Sequence[tuple[str, ak.Array]], lattice: Hexagons, layer: ak.Array | None, depth: Axis
) -> dict[str, ak.Array]:
    """Return row and col of hits: the axial coordinates of the hexagons that they are in."""
    columns = [*position, *([] if layer is None else [("layer", layer)])]
    n_hits, (x, y, *layers) = flat_parts(columns)
    place = np.maximum(depth.find(layers[0]), 0) if layers else None  # a hit of no layer is outside the grid
    q, r = axial_coordinates(x, y, lattice, place)
    return {"row": jagged(q, n_hits), "col": jagged(r, n_hits)}


class HitFunction(FrozenModel):
    """A function of yours that makes the hits: events -> row, col, value, and layer if the grid has a depth."""

    function: Annotated[str, Field(pattern=FUNCTION)] = Field(
        description="Function of yours, module:function, that returns row, col and value of the hits of events."
    )

    @model_serializer
    def _as_written(self) -> str:
        return self.function

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read: the function reads its own."""
        return ()

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections whose encodings are read from the files."""
        return ()

    def branch_keys(self, _key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch: none."""
        yield from ()


def _kind(value: Any) -> str:
    is_function = isinstance(value, HitFunction) or (isinstance(value, dict) and "function" in value)
    return "[function]" if is_function else "[branches]"


HitSource = Annotated[
    Annotated[HitBranches, Tag("[branches]")] | Annotated[HitFunction, Tag("[function]")],
    Discriminator(_kind),
    BeforeValidator(text_under("function")),
    AlsoWritten({"title": "module:function", "type": "string", "pattern": FUNCTION}),
]


def passing(hits: Columns, conditions: Sequence[HitCondition], columns: Columns) -> Columns:
    """Return the hits that meet all conditions; `columns` are the branches by name.

    Raises
    ------
    ValueError
        If a branch holds something else; an EventError if it has not one number for every hit.
    """
    if not conditions:
        return hits
    word, first = next(iter(hits.items()))
    n_hits, parts = flat_parts(hits.items())
    is_passing = np.ones(n_hits.sum(), bool)
    for condition in conditions:
        column = columns[condition.branch]
        check_numbers(condition.branch, column, advice=": conditions on events are those of events.where")
        _, (_, values) = flat_parts([(word, first), (condition.branch, column)])
        is_passing &= condition.passes(values)
    offsets = offsets_after_mask(np.concatenate([[0], np.cumsum(n_hits)]), is_passing)
    return {word: jagged(each[is_passing], np.diff(offsets)) for word, each in zip(hits, parts, strict=True)}
