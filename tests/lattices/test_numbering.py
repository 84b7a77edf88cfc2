"""Integers that number cells: their places in order, and how many combinations there are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hep_peaksum.lattices.numbering import n_different, ranks

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
