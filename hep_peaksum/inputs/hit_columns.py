"""A column of hits: the number of a branch, a coordinate made of branches, bits of an id, or several as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.bit_fields import ID_BITS, BitField, named_field
from hep_peaksum.geometry.coordinates import COORDINATES, coordinate, transverse_energy
from hep_peaksum.geometry.jagged import flat_parts, jagged
from hep_peaksum.inputs.branch_names import BRANCH, AlsoWritten, Branches, BranchName
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.joined_labels import MAX_JOINED, join_labels
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


def check_order(first: int, last: int) -> None:
    """Raise a ValueError unless the last bit is not below the first."""
    if last < first:
        msg = f"last: bit {last} is below the first, {first}: swap them, both are included"
        raise ValueError(msg)


class HitLabel(FrozenModel):
    """A number for every hit that names something: that of a branch, or bits of an id."""

    branch: BranchName | None = Field(
        None, description="Branch with the number; `branch` alone may stand here."
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

    WAYS: ClassVar[tuple[str, ...]] = ("branch", "bits")
    OF_BITS: ClassVar[tuple[str, ...]] = ("first", "last", "field", "encoding")

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: Any) -> Any:
        """Return a branch and a number as they are written."""
        plain = getattr(self, self.way) if self.way in ("branch", "number") else None
        return serialise(self) if plain is None else plain

    @model_validator(mode="after")
    def _check_ways(self) -> HitLabel:
        ways = [word for word in self.WAYS if getattr(self, word) is not None]
        if len(ways) != 1:
            msg = f"give one of {', '.join(self.WAYS)}; here: {', '.join(ways) or 'none of them'}"
            raise ValueError(msg)
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
            check_order(self.first, self.last)
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
        return (getattr(self, self.way),)

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections whose encodings are read from the file."""
        return (self.encoding.from_file,) if isinstance(self.encoding, FileEncoding) else ()

    def bit_field(self, encodings: Mapping[str, str]) -> BitField:
        """Return the bits that are taken; `encodings` are those of the file, by collection."""
        if self.first is not None and self.last is not None:
            return BitField(self.first, self.last)
        is_in_file = isinstance(self.encoding, FileEncoding)
        return named_field(
            str(self.field), encodings[self.collections[0]] if is_in_file else str(self.encoding)
        )

    def label(self, column: Array, encodings: Mapping[str, str]) -> Array:
        """Return the number of every hit; `column` is that of the branch. A ValueError if it has no bits."""
        return self.bit_field(encodings).of(column) if self.way == "bits" else column


def _parse_column(value: object) -> object:
    """Return a branch, or a number, as a map."""
    if isinstance(value, str):
        return {"branch": value}
    return {"number": value} if isinstance(value, (int, float)) else value


JoinedLabel = Annotated[HitLabel, BeforeValidator(_parse_column), AlsoWritten(BRANCH)]


class HitColumn(HitLabel):
    """A number for every hit: of a branch, made of branches, bits of an id, or several numbers as one."""

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
    join: tuple[JoinedLabel, ...] | None = Field(
        None,
        description="Several integers that name a cell together, such as those of a module and of a cell "
        "in it: branches, or bits of ids. Each but the first is written with four digits behind those before "
        "it: 3 and 17 are the label 30017; one below 0 is subtracted.",
        examples=[["module", "cell_x"]],
    )
    number: Number | None = Field(None, description="Of a value: the same number for every hit; 1 counts hits.")

    WAYS: ClassVar[tuple[str, ...]] = ("branch", *COORDINATES, "et", "bits", "join", "number")

    @model_validator(mode="after")
    def _check(self) -> HitColumn:
        if self.origin is not None and self.way not in (*COORDINATES, "et"):
            msg = f"origin: {self.way} has no origin, only coordinates made of branches have one: drop it"
            raise ValueError(msg)
        if self.join is not None and not 2 <= len(self.join) <= MAX_JOINED:
            msg = f"join: {len(self.join)} numbers given, expected 2 to {MAX_JOINED}: name one alone by branch"
            raise ValueError(msg)
        if self.way in COORDINATES or self.way == "et":
            _ = self.branches
        return self

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        if self.way == "number":
            return ()
        if self.join is not None:
            return tuple(dict.fromkeys(branch for part in self.join for branch in part.branches))
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
    def collections(self) -> tuple[str, ...]:
        """The collections whose encodings are read from the file."""
        if self.join is not None:
            return tuple(name for part in self.join for name in part.collections)
        return super().collections

    def values(self, columns: Columns, axis: Axis, encodings: Mapping[str, str]) -> ak.Array:
        """Return the number of every hit, jagged as the branches; not of a way that has no branches.

        Raises
        ------
        ValueError
            If a branch holds something else; an EventError if branches have different numbers of hits.
        """
        if self.way == "branch":
            return columns[self.branches[0]]
        n_hits, parts = flat_parts((name, columns[name]) for name in self.branches)
        if self.join is not None:
            flat = dict(zip(self.branches, parts, strict=True))
            labels = [(part.branches[0], part.label(flat[part.branches[0]], encodings)) for part in self.join]
            return jagged(join_labels(labels), n_hits)
        if self.way == "bits":
            return jagged(self.label(parts[0], encodings), n_hits)
        if self.way == "et":
            return jagged(transverse_energy(parts[0], parts[1:], self.origin), n_hits)
        return jagged(coordinate(self.way, parts, self.origin, axis), n_hits)


Column = Annotated[HitColumn, BeforeValidator(_parse_column), AlsoWritten(BRANCH)]
Value = Annotated[HitColumn, BeforeValidator(_parse_column), AlsoWritten(BRANCH, {"type": "number"})]
