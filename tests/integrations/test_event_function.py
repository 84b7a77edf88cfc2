"""The function of one event, compiled by numba and as it is: the same bits as `find_clusters`."""

import math

import numba
import numpy as np
import pytest
from exported_searches import GRIDS, SHAPE, tied_events

from hep_peaksum import PeakSumSettings, event_function, find_clusters

FLOATS, INTEGERS = ["float32", "float64"], ["int16", "int64", "uint8", "bool"]


def check(settings, grid, kinds, *, fields=None, mask=None, compile_=numba.njit):
    for kind in kinds:
        events = tied_events(kind, 12).reshape(-1, *grid.shape)
        clusters = find_clusters(events, settings, grid, mask=mask)
        for field in fields or clusters.fields:
            find = event_function(settings, grid, field, mask=mask, integer=kind in INTEGERS)
            find = compile_(find)
            assert [find(event.reshape(-1)).tolist() for event in events] == clusters[field].to_list()


def as_it_is(function):
    """Leave a function to Python: compiling one takes seconds."""
    return function


@pytest.mark.slow
def test_every_search_gives_the_same_bits(settings):
    check(settings, GRIDS["et"], ["float32"], fields=["peak_sum"])
    check(settings, GRIDS["et"], ["float32"], fields=["n_cells"], compile_=as_it_is)
    check(settings, GRIDS["et"], ["int16"], fields=["row"], compile_=as_it_is)


@pytest.mark.slow
def test_every_type_gives_the_same_bits():
    settings = PeakSumSettings(sum_window=(3, 5))
    check(settings, GRIDS["et"], FLOATS + INTEGERS, fields=["peak_sum"])
    check(settings, GRIDS["et"], FLOATS + INTEGERS, fields=["seed"], compile_=as_it_is)


def test_every_field_of_every_plane(grid):
    check(PeakSumSettings(tie_rule="diagonal"), grid, ["float32"], compile_=as_it_is)


@pytest.mark.slow
def test_masked_cells_do_not_exist():
    mask = np.random.default_rng(3).random(SHAPE) < 0.3
    check(PeakSumSettings(), GRIDS["et"], ["float64"], fields=["peak_sum"], mask=mask)
    check(PeakSumSettings(), GRIDS["et"], ["int64"], fields=["col"], mask=mask, compile_=as_it_is)


@pytest.mark.parametrize("cells", [np.zeros(62), np.full(63, np.nan), np.full(63, np.inf)])
def test_cells_that_cannot_be_searched_give_nan(cells):
    find = event_function(PeakSumSettings(), GRIDS["et"])
    assert [math.isnan(value) for value in find(cells)] == [True]
