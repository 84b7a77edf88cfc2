"""Fields of bits in the id of a cell: by their bits, or by an encoding string as DD4hep writes it."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from hep_peaksum import block_sizes
from hep_peaksum.kernels import Array
from hep_peaksum.suggestions import did_you_mean

ID_BITS = 64


class BitField(NamedTuple):
    """Bits `first` to `last` of an id, both included, counted from the lowest; as a signed number or not."""

    first: int
    last: int
    is_signed: bool = False

    @property
    def width(self) -> int:
        """Number of bits."""
        return self.last - self.first + 1

    def of(self, ids: Array) -> Array:
        """Return the field of every id, as int64 (uint64 for 64 bits without a sign).

        A signed id counts as the bits that it consists of: nothing is known beyond its type.

        Raises
        ------
        ValueError
            If the ids are not integers, or have too few bits.

        >>> BitField(2, 3).of(np.array([0b0100, 0b1100], np.uint8)).tolist()
        [1, 3]
        >>> BitField(2, 3, is_signed=True).of(np.array([0b0100, 0b1100], np.uint8)).tolist()
        [1, -1]
        """
        if ids.dtype.kind not in "iu":
            msg = f"ids of type {ids.dtype} have no bits, expected integers: name the branch of the cell ids"
            raise ValueError(msg)
        n_bits = 8 * ids.dtype.itemsize
        if self.last >= n_bits:
            msg = f"ids of {n_bits} bits have no bit {self.last}, they count from 0 to {n_bits - 1}"
            raise ValueError(msg)
        bits = ids.view(f"u{ids.dtype.itemsize}")
        is_wide = self.width == ID_BITS and not self.is_signed
        field = np.empty(len(ids), np.uint64 if is_wide else np.int64)
        for block in block_sizes.blocks(len(ids), block_sizes.HITS):
            high = bits[block].astype(np.uint64) << np.uint64(ID_BITS - 1 - self.last)
            if self.is_signed:  # shifting a signed number repeats its sign
                field[block] = high.view(np.int64) >> np.int64(ID_BITS - self.width)
            else:
                field[block] = high >> np.uint64(ID_BITS - self.width)
        return field


def read_encoding(text: str) -> dict[str, BitField]:
    """Return the fields of an encoding: ``name:width`` after the field before, or ``name:first bit:width``.

    A negative width is that of a signed field.

    Raises
    ------
    ValueError
        If it is not an encoding, or fields overlap or lie beyond bit 63.

    >>> read_encoding("system:8,layer:8:5,eta:-8")["eta"]
    BitField(first=13, last=20, is_signed=True)
    """
    fields: dict[str, BitField] = {}
    owner = [""] * ID_BITS
    first = 0
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+)\s*:(?:\s*(\d+)\s*:)?\s*([+-]?\d+)\s*", part)
        if not match or int(match[3]) == 0:
            msg = f"{part.strip()!r} is not a field of an encoding: write name:width or name:first:width"
            raise ValueError(msg)
        name, width = match[1], int(match[3])
        first = first if match[2] is None else int(match[2])
        last = first + abs(width) - 1
        if last >= ID_BITS:
            msg = f"the field {part.strip()!r} ends at bit {last}, ids have 64: shorten it"
            raise ValueError(msg)
        other = next(filter(None, owner[first : last + 1]), None)
        if name in fields or other is not None:
            problem = "is there twice" if name in fields else f"overlaps {other!r}"
            msg = f"the field {part.strip()!r} {problem}: every bit belongs to one field"
            raise ValueError(msg)
        owner[first : last + 1] = [name] * abs(width)
        fields[name] = BitField(first, last, width < 0)
        first = last + 1
    return fields


def named_field(name: str, encoding: str) -> BitField:
    """Return a field of an encoding; one that it does not have is a ValueError that lists the fields.

    >>> named_field("layer", "system:8,layer:6")
    BitField(first=8, last=13, is_signed=False)
    """
    fields = read_encoding(encoding)
    if name not in fields:
        msg = f"no field {name!r}{did_you_mean(name, fields)} in {encoding!r}; there are {', '.join(fields)}"
        raise ValueError(msg)
    return fields[name]
