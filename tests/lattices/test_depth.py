"""Layers found from the depths at which hits lie."""

import numpy as np
import pytest

from hep_peaksum.lattices.axes import depths_of
from hep_peaksum.lattices.depth import layers_of


@pytest.mark.parametrize("first", [-15.0, 300.0, 3e5])
def test_layers_are_counted_by_equal_steps_of_depth(first):
    place = np.repeat([0, 1, 2, 3, 5], 4)  # the layer 4 has no hit
    layers = layers_of(len(place), None, first + 6 * place, [], "z")
    assert layers.place.tolist() == place.tolist()
    assert layers.labels.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("last", "is_layered"), [(12, False), (15.5, True)])
def test_layers_are_thin_beside_the_smallest_gap(last, is_layered):
    """Hits lie up to 1 behind 0, 10 and the last: a quarter of the gaps from 4 on, but not of the gap of 1."""
    found = depths_of(np.add.outer([0, 10, last], np.linspace(0, 1, 1000)).ravel())
    assert (found is not None) == is_layered
