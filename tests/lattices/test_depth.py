"""Layers found from the depths at which hits lie."""

import numpy as np

from hep_peaksum.lattices.depth import layers_of


def test_layers_are_counted_by_equal_steps_of_depth():
    place = np.repeat([0, 1, 2, 3, 5], 4)  # the layer 4 has no hit
    layers = layers_of(len(place), None, 300.0 + 6 * place, [], "z")
    assert layers.place.tolist() == place.tolist()
    assert layers.labels.tolist() == [0, 1, 2, 3, 4, 5]
