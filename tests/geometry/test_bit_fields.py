"""Fields of bits in ids: right by Python's own integers, in both spellings of an encoding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hep_peaksum import block_sizes
from hep_peaksum.geometry.bit_fields import BitField, named_field, read_encoding


def plain_field(number, first, last, *, is_signed):
    """Return bits of a number as Python's own integers make them of its binary digits."""
    digits = f"{number:064b}"[::-1][first : last + 1][::-1]
    value = int(digits, 2)
    return value - (1 << len(digits)) if is_signed and digits[0] == "1" else value


@given(
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    ends=st.tuples(st.integers(0, 63), st.integers(0, 63)),
    is_signed=st.booleans(),
)
def test_a_field_of_a_64_bit_id_is_that_of_its_binary_digits(numbers, ends, is_signed):
    first, last = sorted(ends)
    found = BitField(first, last, is_signed).of(np.array(numbers, np.uint64))
    assert found.tolist() == [plain_field(each, first, last, is_signed=is_signed) for each in numbers]


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_an_id_counts_as_its_bits_whatever_its_sign(dtype):
    n_bits = 8 * np.dtype(dtype).itemsize
    ids = np.array([-1, 0], "i8").astype(dtype)
    assert BitField(n_bits - 3, n_bits - 1).of(ids).tolist() == [7, 0]
    assert BitField(0, n_bits - 1).of(ids).tolist() == [2**n_bits - 1, 0]
    assert BitField(1, n_bits - 1, is_signed=True).of(ids).tolist() == [-1, 0]


def test_ids_are_decoded_block_by_block(monkeypatch):
    monkeypatch.setattr(block_sizes, "HITS", 3)
    assert BitField(1, 3).of(np.arange(16, dtype=np.int32)).tolist() == [n // 2 for n in range(16)]


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (np.zeros(2), "ids of type float64 have no bits, expected integers: name the branch of the cell ids"),
        (np.zeros(2, bool), "ids of type bool have no bits"),
        (np.zeros(2, np.int32), "ids of 32 bits have no bit 33, they count from 0 to 31"),
    ],
)
def test_what_has_no_such_bits_is_refused(ids, problem):
    with pytest.raises(ValueError, match=problem):
        BitField(30, 33).of(ids)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        # of EICrecon's file, the ScFi barrel: name, first bit, width
        (
            "system:0:8,sector:8:6,layer:14:6,slice:20:4,grid:24:10,fiber:34:16,z:50:-14",
            {"system": (0, 7, False), "layer": (14, 19, False), "fiber": (34, 49, False), "z": (50, 63, True)},
        ),
        # of the FCC-ee LAr barrel: name and width, which follow each other
        (
            "system:4,cryo:1,type:3,subtype:3,layer:8,module:11,eta:9",
            {"system": (0, 3, False), "cryo": (4, 4, False), "layer": (11, 18, False), "eta": (30, 38, False)},
        ),
        ("system:8,layer:8:5,eta:-8", {"layer": (8, 12, False), "eta": (13, 20, True)}),
        ("system:5, x:32:-16 , y:-16", {"x": (32, 47, True), "y": (48, 63, True)}),
    ],
    ids=["eic", "fcc", "mixed", "with_blanks"],
)
def test_an_encoding_is_read_in_both_spellings(text, fields):
    read = read_encoding(text)
    assert {name: tuple(read[name]) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("system", "'system' is not a field of an encoding: write name:width or name:first:width"),
        ("system:8,layer:0", "'layer:0' is not a field of an encoding"),
        ("", "'' is not a field of an encoding"),
        ("system:8,layer:4:5", "the field 'layer:4:5' overlaps 'system': every bit belongs to one field"),
        ("system:4:4,layer:0:5", "the field 'layer:0:5' overlaps 'system'"),
        ("z:10:4,x:0:4,y:13:1", "the field 'y:13:1' overlaps 'z'"),
        ("z:10:4,x:0:4,y:10:1", "the field 'y:10:1' overlaps 'z'"),
        ("system:8,layer:4,layer:4", "the field 'layer:4' is there twice"),
        ("system:60,layer:5", "the field 'layer:5' ends at bit 64, ids have 64: shorten it"),
    ],
)
def test_what_is_no_encoding_is_refused(text, problem):
    with pytest.raises(ValueError, match=f"^{problem}"):
        read_encoding(text)


def test_a_field_that_an_encoding_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"no field 'layr' \(did you mean 'layer'\?\) in 'system:8,layer:6'"):
        named_field("layr", "system:8,layer:6")
