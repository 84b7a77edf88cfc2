"""Several integers that name a cell together, as one label."""

import numpy as np
import pytest

from hep_peaksum.lattices.joined_labels import join_labels


def joined(*parts):
    return join_labels([(f"part{n}", np.asarray(part)) for n, part in enumerate(parts)])


def test_a_label_shows_the_numbers_of_which_it_is_made():
    assert joined([7, 12], [3, 4999], [0, 21]).tolist() == [700030000, 1249990021]


def test_numbers_below_0_are_subtracted():
    assert joined([-2, 3], [-1, -5000]).tolist() == [-20001, 25000]


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint64", "bool"])
def test_integers_of_every_type_are_joined(kind):
    assert joined(np.array([1], kind), np.array([1], kind)).tolist() == [10001]


def test_different_numbers_have_different_labels():
    numbers = np.array([-5000, -4999, -1, 0, 1, 4998, 4999])
    first, second, third = (each.ravel() for each in np.meshgrid(numbers, numbers, numbers))
    assert len(np.unique(joined(first, second, third))) == len(numbers) ** 3


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        pytest.param(
            ([1], [5000]), "part1 is 5000, and a number behind others is from -5000 to 4999", id="high"
        ),
        pytest.param(([1], [-5001]), "part1 is -5001", id="low"),
        pytest.param(([1, 1], [-5000, 5000]), "part1 is 5000", id="high_beside_the_lowest"),
        pytest.param(([1, 1], [-5001, 4999]), "part1 is -5001", id="low_beside_the_highest"),
        pytest.param(([10**14], [0]), "part0 is 100000000000000, and the first of joined numbers", id="first"),
        pytest.param(([1.0], [0]), "part0 holds float64, and what is joined are integers", id="float"),
    ],
)
def test_what_does_not_fit_is_named(parts, problem):
    with pytest.raises(ValueError, match=problem):
        joined(*parts)


def test_no_hits_have_no_labels():
    assert joined(np.empty(0, int), np.empty(0, int)).tolist() == []
