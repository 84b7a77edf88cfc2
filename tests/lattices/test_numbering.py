"""Integers that number cells: their places in order, and how many combinations there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hep_peaksum.geometry.bit_fields import BitField
from hep_peaksum.lattices.numbering import TURN, Integers, bit_parts, chain_along, n_different, ranks

TYPES = ["int8", "int32", "int64", "uint8", "uint64", "float32", "bool"]


@st.composite
def keys(draw):
    """Return up to four keys of the same hits, of any type, from few values or over the whole range."""
    n_hits = draw(st.integers(0, 12))
    columns = []
    for name in draw(st.lists(st.sampled_from(TYPES), max_size=4)):
        values = arrays.from_dtype(np.dtype(name), allow_nan=False)
        few = draw(st.lists(values, min_size=1, max_size=3))
        columns.append(draw(arrays.arrays(name, n_hits, elements=st.one_of(st.sampled_from(few), values))))
    return columns


@given(keys())
def test_combinations_are_counted_and_ranked_as_tuples_are(columns):
    tuples = [*zip(*(column.tolist() for column in columns), strict=True)]
    places = {each: place for place, each in enumerate(sorted(set(tuples)))}
    expected = len(places) if columns else 0
    assert n_different(columns) == expected
    assert ranks(columns).tolist() == [places[each] for each in tuples]


@pytest.mark.parametrize("first", [0, 4990, 4991])
def test_numbers_too_large_to_be_joined_number_no_cells_in_a_module(first):
    module, cell = np.divmod(np.arange(300) % 30, 10)
    integers = [Integers("module", "module", module), Integers("cell", "cell", first + cell)]
    chain = chain_along(10.0 * module + cell, integers, np.zeros(300, int), is_angle=False)
    members = [each.name for each in chain.members]
    assert members == (["module", "cell"] if first + 9 < 5000 else [])


def test_more_combinations_than_integers_are_counted():
    """Two keys of 32 bits each are more than an integer holds: their highest bits must not be lost."""
    hits = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1], [1, 0, 0]])
    assert n_different([*((2**32 - 1) * hits.T)]) == 4


@pytest.mark.parametrize("is_angle", [False, True], ids=["line", "turn"])
@pytest.mark.parametrize(("half_width", "n_members"), [(0.4, 1), (0.6, 0)], ids=["apart", "overlap"])
def test_integers_whose_cells_overlap_do_not_number_them(half_width, n_members, is_angle):
    number = np.repeat(np.arange(8), 2)
    along = 2 + (number + np.tile([-half_width, half_width], 8)) / 2
    along = np.mod(along + np.pi, 2 * np.pi) - np.pi if is_angle else along
    chain = chain_along(along, [Integers("cell", "cell", number)], np.zeros(16, int), is_angle=is_angle)
    assert len(chain.members) == n_members


def test_no_bit_of_an_id_counts_twice():
    """Pads of 4 x 4 chips with 8 x 8 pads each: a bit counted twice would make columns that are none."""
    x, y = (each.ravel() for each in np.indices((32, 32)))
    ids = {"chip": x // 8 * 4 + y // 8, "pad": x % 8 * 8 + y % 8}
    parts = [
        Integers(f"{name}{part}", {"bits": name, "first": part[0], "last": part[1]}, BitField(*part).of(values))
        for name, values in ids.items()
        for part in bit_parts(values)
    ]
    for along in (x, y):
        chain = chain_along(along.astype(float), parts, np.zeros(len(x), int), is_angle=False)
        assert np.prod([len(np.unique(member.values)) for member in chain.members]) == chain.n_cells == 32


@pytest.mark.parametrize(("n_bits", "n_parts"), [(1, 0), (2, 2), (10, 18), (11, 0)])
def test_integers_of_up_to_ten_bits_are_split_at_each(n_bits, n_parts):
    parts = bit_parts(np.array([0, 2**n_bits - 1]) << 3)
    assert sorted(parts[::2]) == [(3, 3 + n) for n in range(n_parts // 2)]
    assert sorted(parts[1::2]) == [(4 + n, 2 + n_bits) for n in range(n_parts // 2)]


def found_along(coordinate, numbers, group=None, *, is_angle=False):
    """Return direction and steps of an integer that numbers cells along a coordinate; None if it does not."""
    group = np.zeros(len(numbers), int) if group is None else np.array(group)
    integers = [Integers("k", "k", np.array(numbers))]
    chain = chain_along(np.array(coordinate, float), integers, group, is_angle=is_angle)
    return (*chain.directions, chain.n_steps) if chain.members else None


@pytest.mark.parametrize(
    ("coordinate", "numbers", "found"),
    [
        ([1, 2, 3, 4], [3, 5, 6, 9], (1, 3)),
        ([1, 2, 3, 4], [9, 6, 5, 3], (-1, 3)),
        ([1, 2, 4, 3], [3, 5, 6, 9], None),
        ([1, 2, 3], [3, 5, 6], None),  # three cells are two steps
        ([1, 1.4, 2, 2.4, 3, 3.4, 4, 4.4], [0, 0, 1, 1, 2, 2, 3, 3], (1, 3)),
        ([1, 1.4, 2, 3.1, 3, 3.4, 4, 4.4], [0, 0, 1, 1, 2, 2, 3, 3], None),  # a hit lies in the next cell
        ([-1000, -1000 + 2e-4, -1000 + 4e-4, -1000 + 6e-4], [0, 1, 2, 3], (1, 3)),
        ([-1000, -1000 + 5e-5, -1000 + 4e-4, -1000 + 6e-4], [0, 1, 2, 3], None),  # float32 could not tell two
        ([0, 0, 0, 0], [0, 1, 2, 3], None),
        ([], [], None),
    ],
)
def test_numbers_of_cells_rise_or_fall_along_them(coordinate, numbers, found):
    assert found_along(coordinate, numbers) == found


def test_cells_are_numbered_anew_in_every_group():
    group = [0, 0, 0, 1, 1, 1]
    assert found_along([1, 2, 3, 0, 1, 2], [0, 1, 2, 0, 1, 2], group) == (1, 4)
    assert found_along([1, 2, 3, 2, 1, 0], [0, 1, 2, 0, 1, 2], group) is None
    assert found_along([1, 2, 3, 0, 1, 2], [0, 1, 2, 0, 1, 2]) is None


@pytest.mark.parametrize("start", [-3.1, -1, 0, 2, 3])
@pytest.mark.parametrize(
    ("step", "width", "found"),
    [
        (TURN / 8, 0, (1, 7)),
        (-TURN / 8, 0, (-1, 7)),
        (TURN / 8, 0.9 * TURN / 8, (1, 7)),
        (TURN / 8, 1.1 * TURN / 8, None),
        (TURN / 5, 0, None),  # goes around more than once, whichever way
        (TURN / 14.1, 0, (1, 7)),  # half a turn
    ],
)
def test_numbers_of_cells_go_around_no_more_than_once(start, step, width, found):
    numbers = np.repeat(np.arange(8), 2)
    angles = start + step * numbers + np.tile([-width / 2, width / 2], 8)
    angles = np.mod(angles + np.pi, TURN) - np.pi
    assert found_along(angles, numbers, is_angle=True) == found
