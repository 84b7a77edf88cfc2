"""Layers found from the depths at which hits lie."""

import numpy as np
import pytest

from hep_peaksum.lattices.axes import depths_of
from hep_peaksum.lattices.depth import ENDS, MAX_LAYERS, SEARCHED, SUMMED, layers_in_line, layers_of
from hep_peaksum.lattices.numbering import Integers


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


@pytest.mark.parametrize(
    ("named", "labels", "place", "words"),
    [
        ([3, 4, 6], [3, 4, 5, 6], [0, 1, 3], ", 4 layers"),
        ([6, 3, 4], [3, 4, 5, 6], [3, 0, 1], ", 4 layers"),
        ([5, 5, 5], [0], [0, 0, 0], ""),  # one layer is none
    ],
)
def test_layers_that_are_named_are_those_between_the_first_and_the_last(named, labels, place, words):
    layers = layers_of(12, Integers("l", "hit_l", np.array(named * 4)), None, [], None)
    assert (layers.labels.tolist(), layers.place.tolist()) == (labels, place * 4)
    assert (layers.source, layers.in_words) == ("hit_l" if words else None, words)
    assert layers.keys(each=True) == ({"depth": layers.depth, "layers": "each"} if words else {})


@pytest.mark.parametrize(
    ("named", "keys", "comment"),
    [([1, 2], {}, SUMMED), ([-1, 2], {}, SUMMED), ([-1, 1], {"layers": "each"}, ENDS)],
)
def test_two_ends_are_searched_by_themselves_and_other_layers_are_added(named, keys, comment):
    layers = layers_of(8, Integers("l", "hit_l", np.array(named * 4)), None, [], None)
    assert layers.keys(each=False) == {"depth": layers.depth, **keys}
    assert layers.told(each=False) == comment


def test_integers_that_follow_the_depth_in_every_hit_name_the_layers():
    """Two modules of layers whose numbers fall; 5 has no hit, nor has the last of the second."""
    module, layer = np.array([7, 7, 7, 8, 8]), np.array([6, 4, 3, 6, 4])
    places = [4, 0, 2, 1, 3, 0, 4]
    integers = [Integers(n, f"hit_{n}", v[places]) for n, v in (("m", module), ("l", layer))]
    found = layers_of(7, None, 10.0 * np.arange(5)[places], integers, "z")
    assert found.labels.tolist() == [70006, 70005, 70004, 70003, 80006, 80005, 80004]
    assert found.labels[found.place].tolist() == [(10_000 * module + layer)[n] for n in places]
    assert found.source == {"join": ["hit_m", "hit_l"]}
    assert found.depth == {"labels": "70006..70003, 80006..80004"}
    told = "layers: m and l, in the order of depth in every one of 7 hits"
    assert (found.comment, found.told(each=False), found.told(each=True)) == (told, SUMMED, SEARCHED)


@pytest.mark.parametrize(("n_layers", "source"), [(MAX_LAYERS, "hit_l"), (MAX_LAYERS + 1, None)])
def test_more_integers_than_a_detector_has_layers_name_none(n_layers, source):
    number = np.arange(n_layers)
    layers = layers_of(n_layers, None, 1.0 * number, [Integers("l", "hit_l", number)], "z")
    assert layers.source == source


def test_layers_of_cells_of_one_size_behind_each_other_make_a_grid():
    """Cells of 4, the fullest layer first: one begins later, one lies beside it, two have cells of 8."""
    x = np.repeat(4.0 * np.arange(8), 5)
    hits = {7: np.repeat(x, 2), 0: x + 12, 1: x + 1, 2: 2 * x, 3: 2 * x[::5]}  # of 3 there are too few to say
    layer = np.repeat([*hits], [len(each) for each in hits.values()])
    apart = layers_in_line([np.concatenate([*hits.values()]), np.zeros(len(layer))], layer)
    assert [each.tolist() for each in apart] == [[0, 3, 7], [1], [2]]


def test_layers_without_equal_steps_are_one_grid():
    places = np.random.default_rng(1).normal(size=60)
    (together,) = layers_in_line([places, places**3], np.repeat([2, 5, 4], 20))
    assert together.tolist() == [2, 4, 5]


@pytest.mark.parametrize(
    ("depths", "n_hits", "width", "section"),
    [
        ([-30, -10, 10, 30], 4, 0.01, {"bins": 4, "start": -40, "stop": 40}),
        ([5000, 5010, 5020], 4, 0, {"bins": 3, "start": 4995, "stop": 5025}),
        ([0, 1, 5.5], 4, 0, {"edges": [-0.5, 0.5, 3.25, 7.75]}),
        ([0, 1, 2, 3], 3, 0, {"bins": 4, "start": -0.5, "stop": 3.5}),
        ([0, 1, 2, 3], 2, 0, None),  # hits must be four for every layer after the first
        ([0, 1, 2, 3], 400, 0.15, {"bins": 4, "start": -0.5, "stop": 3.5}),
        ([0, 1, 2, 3], 400, 0.3, None),  # layers are no thicker than a quarter of what is between them
        ([7], 9, 0, None),
        ([], 9, 0, None),
    ],
)
def test_layers_are_thin_and_far_from_each_other(depths, n_hits, width, section):
    depth = np.add.outer(depths, np.linspace(-width / 2, width / 2, n_hits)).ravel()
    found = depths_of(depth[::-1])
    assert (found is not None) == (section is not None)
    if found is not None:
        axis, index, n_layers = found
        assert axis.section.keys() == section.keys()
        assert all(axis.section[key] == pytest.approx(value) for key, value in section.items())
        assert index[::-1].tolist() == np.repeat(np.arange(len(depths)), n_hits).tolist()
        assert n_layers == len(depths)
