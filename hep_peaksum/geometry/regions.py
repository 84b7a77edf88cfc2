"""Named divisions of the plane, such as front-end cards or halves of an FPGA: the region of every cell.

Written as a map of names, each with the size of equal blocks or a drawing of one character per cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, field_validator

from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.messages import in_words
from hep_peaksum.settings.windows import TowerSize

NO_REGION = "."


class Regions(FrozenModel):
    """A division of the plane into regions: blocks of `blocks` (rows, cols) cells, or as in `drawing`.

    In a drawing equal characters are one region, and `.` belongs to none; the top line is row 0.

    >>> Regions(name="half", drawing="ll.rr").numbers(np.array([0, 0, 0]), np.array([0, 2, 3]), 5).tolist()
    [108, -1, 114]
    """

    name: str = Field(min_length=1, description="Name of the division.")
    blocks: TowerSize | None = Field(None, description="Size of equal blocks, [rows, cols].")
    drawing: str | None = Field(None, description="One character per cell; equal ones are one region.")

    @field_validator("drawing")
    @classmethod
    def _is_rectangular(cls, drawing: str | None) -> str | None:
        """Return the drawing without surrounding blank space."""
        if drawing is None:
            return None
        lines = [line.strip() for line in drawing.strip().splitlines()]
        if len({len(line) for line in lines}) != 1:
            lengths = [len(line) for line in lines]
            msg = f"the lines of a drawing of regions must be of one length, these have {lengths}"
            raise ValueError(msg)
        return "\n".join(lines)

    @property
    def remedy(self) -> str:
        """What to write for a drawing that does not fit the plane, if that is obvious."""
        size = _size_in(self.drawing)
        return f": write {{{self.name}: {size}}} for blocks of that size" if size else ""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns of the drawing; None for blocks, which fit every plane."""
        if self.drawing is None:
            return None
        lines = self.drawing.splitlines()
        return len(lines), len(lines[0])

    def numbers(self, row: Array, col: Array, n_cols: int) -> Array:
        """Return the number of the region of every cell, int64; -1 for cells of none.

        `n_cols` is the number of columns of the plane; of several planes that are divided alike, that of the
        widest.
        """
        if self.blocks is not None:
            height, width = self.blocks
            return np.asarray(np.asarray(row, np.int64) // height * -(-n_cols // width) + col // width)
        codes = np.array([[ord(mark) for mark in line] for line in (self.drawing or "").splitlines()], np.int64)
        codes[codes == ord(NO_REGION)] = -1
        return np.asarray(codes[row, col])


def _parse_regions(value: object) -> object:
    """Return a map of names to sizes and drawings as a tuple of regions."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    if not isinstance(value, Mapping) and not all(isinstance(each, (Regions, Mapping)) for each in entries):
        msg = f"{value!r} is not a map of names: write {{NAME: {_size_in(value) or [4, 8]}}}"
        raise ValueError(msg)
    if not isinstance(value, Mapping):
        return value
    return tuple(_parse_division(name, division) for name, division in value.items())


def _size_in(value: object) -> list[int] | None:
    """Return the rows and columns in a value such as ``"4x8"`` or [4, 8]; None if it holds something else."""
    numbers = re.fullmatch(r"[\[(]?\s*(\d+)\s*[x,*×]\s*(\d+)\s*[\])]?", str(value))
    return [int(numbers[1]), int(numbers[2])] if numbers else None


def _parse_division(name: object, division: Any) -> object:
    """Return the regions of that name; a ValueError begins with it."""
    if isinstance(division, Regions):
        return division
    key = "drawing" if isinstance(division, str) else "blocks"
    try:
        return Regions.model_validate({"name": name, key: division})
    except ValidationError as error:
        problem = in_words(error.errors()[0])
        msg = f"{name}: {problem}"
        raise ValueError(msg) from None


_SIZE = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2}
RegionMaps = Annotated[
    tuple[Regions, ...],
    BeforeValidator(_parse_regions),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "title": "[rows, cols] of a block, or a drawing",
                "anyOf": [_SIZE, {"type": "string"}],
            },
        }
    ),
]
