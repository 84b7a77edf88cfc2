"""The section `hits` of a grid: where place and value of jagged hits come from, and which hits count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.bit_fields import ID_BITS, BitField, named_field
from hep_peaksum.geometry.coordinates import COORDINATES, coordinate, transverse_energy
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.hexagons import Hexagons, axial_coordinates
from hep_peaksum.geometry.jagged import flat_parts, jagged, selected
from hep_peaksum.inputs.branch_names import BRANCH, AlsoWritten, Branches, BranchName
from hep_peaksum.inputs.comparisons import Comparison
from hep_peaksum.inputs.functions import FUNCTION
from hep_peaksum.kernels import Array, offsets_after_mask
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Number

if TYPE_CHECKING:
    import awkward as ak

_POINT = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
Point = Annotated[tuple[Number, Number, Number], WithJsonSchema({"title": "list of three numbers", **_POINT})]
Bit = Annotated[int, Field(strict=True, ge=0, le=ID_BITS - 1)]
Columns = Mapping[str, "ak.Array"]


class FileEncoding(FrozenModel):
    """An encoding of ids that stands in the files themselves, in podio's tree `metadata`."""

    from_file: str = Field(
        description="Collection whose encoding is read from the files (its key is COLLECTION__CellIDEncoding). "
        "All files must have the same.",
        examples=["EcalBarrelScFiHits"],
    )


def _check_order(first: int, last: int) -> None:
    if last < first:
        msg = f"last: bit {last} is below the first, {first}: swap them, both are included"
        raise ValueError(msg)


class HitColumn(FrozenModel):
    """A number for every hit: that of a branch, a coordinate made of branches, or bits of an id."""

    branch: BranchName | None = Field(
        None, description="Branch with the number; `branch` alone may stand here."
    )
    eta: Branches | None = Field(
        None,
        description="Pseudorapidity of [x, y, z]: three branches, or one whose name they continue "
        "(Hits.position for Hits.position.x, .y and .z).",
        examples=[["x", "y", "z"]],
    )
    theta: Branches | None = Field(None, description="Polar angle of [x, y, z], in the unit of the axis.")
    phi: Branches | None = Field(
        None, description="Azimuth of [x, y], in the unit of the axis; z may be given and is not read."
    )
    r: Branches | None = Field(None, description="Distance of [x, y, z] from the origin.")
    rho: Branches | None = Field(None, description="Distance of [x, y] from the z axis.")
    et: Branches | None = Field(
        None, description="Of a value: transverse energy E sin(theta) of [E, x, y, z], or [E, position]."
    )
    origin: Point | None = Field(
        None,
        description="Point [x0, y0, z0] from which the coordinates count, in their unit; by default (0, 0, 0).",
    )
    bits: BranchName | None = Field(
        None,
        description="Branch with ids, of which some bits are taken: first to last, or a field of an encoding. "
        "Ids of 32 bits count as numbers without a sign.",
        examples=["Hits.cellID"],
    )
    first: Bit | None = Field(None, description="First bit, counted from the lowest, 0.")
    last: Bit | None = Field(None, description="Last bit, included.")
    field: str | None = Field(None, description="Name of a field of the encoding.", examples=["layer"])
    encoding: str | FileEncoding | None = Field(
        None,
        description="Fields of the ids as DD4hep writes them: name:width, or name:first bit:width, with commas "
        "between; a negative width is that of a signed field. Or {from_file: COLLECTION}, as podio stores it.",
        examples=["system:8,layer:8:5,eta:-8"],
    )
    number: Number | None = Field(None, description="Of a value: the same number for every hit; 1 counts hits.")

    WAYS: ClassVar = ("branch", *COORDINATES, "et", "bits", "number")
    OF_BITS: ClassVar = ("first", "last", "field", "encoding")

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: Any) -> Any:
        """Return a branch and a number as they are written."""
        plain = self.branch if self.way == "branch" else self.number
        return serialise(self) if plain is None else plain

    @model_validator(mode="after")
    def _check(self) -> HitColumn:
        ways = [word for word in self.WAYS if getattr(self, word) is not None]
        if len(ways) != 1:
            msg = f"give one of {', '.join(self.WAYS)}; here: {', '.join(ways) or 'none of them'}"
            raise ValueError(msg)
        if self.origin is not None and self.way not in (*COORDINATES, "et"):
            msg = f"origin: {self.way} has no origin, only coordinates made of branches have one: drop it"
            raise ValueError(msg)
        if self.way in COORDINATES or self.way == "et":
            _ = self.branches
        self._check_bits()
        return self

    def _check_bits(self) -> None:
        """Raise a ValueError unless the bits are given in one way, and are bits."""
        given = [word for word in self.OF_BITS if getattr(self, word) is not None]
        if self.way != "bits":
            if given:
                msg = f"{given[0]}: only bits have it: name the branch of ids in bits, or drop it"
                raise ValueError(msg)
            return
        if given not in (["first", "last"], ["field", "encoding"]):
            msg = f"bits need first and last, or field and encoding; here: {', '.join(given) or 'none of them'}"
            raise ValueError(msg)
        if self.first is not None and self.last is not None:
            _check_order(self.first, self.last)
        if isinstance(self.encoding, str):
            try:
                self.bit_field({})
            except ValueError as error:
                msg = f"{'field' if str(error).startswith('no field') else 'encoding'}: {error}"
                raise ValueError(msg) from None

    @property
    def way(self) -> str:
        """The key that says where the number comes from."""
        return next(word for word in self.WAYS if getattr(self, word) is not None)

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        if self.way == "number":
            return ()
        names = getattr(self, self.way)
        if self.way in ("branch", "bits"):
            return (names,)
        scalars, needed = (names[:1], 3) if self.way == "et" else ((), COORDINATES[self.way][1])
        rest = names[len(scalars) :]
        parts = tuple(f"{rest[0]}.{word}" for word in "xyz") if len(rest) == 1 else rest
        if not needed <= len(parts) <= 3:
            wanted = "[E, x, y, z]" if self.way == "et" else f"[{', '.join('xyz'[:needed])}]"
            msg = f"{self.way}: {', '.join(names) or 'nothing'} given, expected the branches {wanted}"
            raise ValueError(msg)
        return (*scalars, *parts[:needed])

    @property
    def collection(self) -> str | None:
        """The collection whose encoding is read from the files, if it is."""
        return self.encoding.from_file if isinstance(self.encoding, FileEncoding) else None

    def bit_field(self, encodings: Mapping[str, str]) -> BitField:
        """Return the bits that are taken; `encodings` are those of the file, by collection."""
        if self.first is not None and self.last is not None:
            return BitField(self.first, self.last)
        text = encodings[self.collection] if self.collection is not None else self.encoding
        return named_field(str(self.field), str(text))

    def values(self, columns: Columns, axis: Axis, encodings: Mapping[str, str]) -> ak.Array:
        """Return the number of every hit, jagged as the branches; not of a way that has no branches.

        Raises
        ------
        ValueError
            If a branch holds something else; an EventError if branches have different numbers of hits.
        """
        if self.way == "branch":
            return columns[self.branches[0]]
        n_hits, parts = flat_parts({name: columns[name] for name in self.branches})
        if self.way == "bits":
            return jagged(self.bit_field(encodings).of(parts[0]), n_hits)
        if self.way == "et":
            return jagged(transverse_energy(parts[0], parts[1:], self.origin), n_hits)
        return jagged(coordinate(self.way, parts, self.origin, axis), n_hits)


def _parse_column(value: object) -> object:
    """Return a branch, or a number, as a map."""
    if isinstance(value, str):
        return {"branch": value}
    return {"number": value} if isinstance(value, (int, float)) else value


Column = Annotated[HitColumn, BeforeValidator(_parse_column), AlsoWritten(BRANCH)]
Value = Annotated[HitColumn, BeforeValidator(_parse_column), AlsoWritten(BRANCH, {"type": "number"})]


class HitCondition(Comparison):
    """A condition on hits: those that do not meet it fill no cell. All that is given must hold."""

    branch: BranchName = Field(description="Branch with the number of each hit that is looked at.")
    first: Bit | None = Field(
        None, description="First of the bits that are looked at, such as those of a module; with last."
    )
    last: Bit | None = Field(None, description="Last of the bits that are looked at, included.")

    @model_validator(mode="after")
    def _check(self) -> HitCondition:
        if not self.tests:
            known = ", ".join(name.strip("_") for name in self.TESTS)
            msg = f"{self.branch!r} is compared with nothing: give one or more of {known}"
            raise ValueError(msg)
        if (self.first is None) != (self.last is None):
            msg = f"the bits of {self.branch!r} that are looked at need first and last: give both, or drop both"
            raise ValueError(msg)
        if self.first is not None and self.last is not None:
            _check_order(self.first, self.last)
        return self

    def passes(self, values: Array) -> Array:
        """Return which numbers, or which bits of them, meet the condition."""
        if self.first is not None and self.last is not None:
            values = BitField(self.first, self.last).of(values)
        return super().passes(values)


PLACES = ("branch", *COORDINATES, "bits")
ALLOWED = {"value": ("branch", "et", "bits", "number"), "time": ("branch", "bits")}


class HitBranches(FrozenModel):
    """Branches of jagged hits: the place of each hit on the two axes, and its value."""

    row: Column | None = Field(
        None,
        description="Place of each hit along the rows: its label, its index, or its coordinate, as the axis "
        "has labels, n, or positions. A branch, or a map of the keys below. Give row and col, or hexagon.",
        examples=["L1CaloTower/ieta", {"eta": ["x", "y", "z"]}, {"bits": "id_", "first": 17, "last": 22}],
    )
    col: Column | None = Field(None, description="Place of each hit along the columns, as for row.")
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
        places = [word for word in ("row", "col", "hexagon") if getattr(self, word) is not None]
        if places not in (["row", "col"], ["hexagon"]):
            msg = f"give row and col, or hexagon alone; here: {', '.join(places) or 'none of them'}"
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
        columns = {word: getattr(self, word) for word in ("row", "col", "layer", "value", "time")}
        return {word: column for word, column in columns.items() if column is not None}

    @property
    def position(self) -> tuple[str, ...]:
        """The branches of x and y, where hits are placed by hexagon."""
        names = self.hexagon or ()
        return tuple(f"{names[0]}.{word}" for word in "xy") if len(names) == 1 else names

    @property
    def places(self) -> tuple[str, ...]:
        """The branches that row and col are made of."""
        columns = (column for column in (self.row, self.col) if column is not None)
        return self.position or tuple(name for column in columns for name in column.branches)

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        of_columns = (name for column in self.given.values() for name in column.branches)
        return tuple(dict.fromkeys([*self.position, *of_columns]))

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections whose encodings are read from the files."""
        return tuple({column.collection: 0 for column in self.given.values() if column.collection})

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
            As `HitColumn.values`.
        """
        result: dict[str, ak.Array] = {}
        given = dict(self.given)
        if lattice is not None and self.hexagon is not None:
            layer = given.pop("layer", None)
            if layer is not None:
                result["layer"] = layer.values(columns, axes["layer"], encodings)
            position = {name: columns[name] for name in self.position}
            result |= _axial(position, lattice, result.get("layer"), axes["layer"])
        for word, column in given.items():
            try:
                if column.way == "number":
                    n_hits, _ = flat_parts({"row": result["row"]})
                    result[word] = jagged(np.full(n_hits.sum(), column.number), n_hits)
                else:
                    result[word] = column.values(columns, axes.get(word, axes["row"]), encodings)
            except EventError:
                raise
            except ValueError as error:
                msg = f"{word}: {error}"
                raise ValueError(msg) from None
        return result

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.hexagon", branch) for branch in self.position)
        for word, column in self.given.items():
            place = f"{key}.{word}" if column.way == "branch" else f"{key}.{word}.{column.way}"
            yield from ((place, branch) for branch in column.branches)


def _axial(position: Columns, lattice: Hexagons, layer: ak.Array | None, depth: Axis) -> dict[str, ak.Array]:
    """Return row and col of hits: the axial coordinates of the hexagons that they are in."""
    n_hits, (x, y, *layers) = flat_parts(position if layer is None else {**position, "layer": layer})
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


def _parse_source(value: object) -> object:
    """Return the name of a function as a map."""
    return {"function": value} if isinstance(value, str) else value


def _kind(value: Any) -> str:
    is_function = isinstance(value, HitFunction) or (isinstance(value, dict) and "function" in value)
    return "[function]" if is_function else "[branches]"


HitSource = Annotated[
    Annotated[HitBranches, Tag("[branches]")] | Annotated[HitFunction, Tag("[function]")],
    Discriminator(_kind),
    BeforeValidator(_parse_source),
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
    n_hits, _ = flat_parts({"row": hits["row"]})
    is_passing = np.ones(n_hits.sum(), bool)
    for condition in conditions:
        _, (_, values) = flat_parts({"row": hits["row"], condition.branch: columns[condition.branch]})
        is_passing &= condition.passes(values)
    offsets = offsets_after_mask(np.concatenate([[0], np.cumsum(n_hits)]), is_passing)
    return selected(hits, is_passing, np.diff(offsets))
