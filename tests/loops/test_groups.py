"""Groups of joined cells: their numbers, their maxima, and the highest cell of a group without a seed."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_problems import BOTH, COLS, NEITHER, ROWS, some_examples
from strategies import TIE_RULES, shapes, windows

from hep_peaksum import PeakSumSettings
from hep_peaksum.clustering.discriminant import JOINS
from hep_peaksum.kernels import Periodic
from hep_peaksum.loops.seeds import add_highest, connected, keep_maxima, leading

KERNELS = "numba", "scipy"


def numbers(picture, kernel, *, join="edges", periodic=(False, False)):
    """Return the groups of a picture, in which members are x, as rows of numbers."""
    is_member = np.array([[mark == "x" for mark in row] for row in picture.split()])[None]
    return connected(is_member, JOINS[join], Periodic(*periodic), kernel)[0].tolist()


@pytest.mark.parametrize("kernel", KERNELS)
class TestConnected:
    def test_a_group_has_the_number_of_its_first_cell(self, kernel):
        assert numbers("xx.x ...x", kernel) == [[1, 1, 0, 4], [0, 0, 0, 4]]

    def test_branches_that_meet_in_a_later_row_are_one_group(self, kernel):
        assert numbers("x.x.x x.x.x xxxxx", kernel) == [[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]]

    def test_corners_join_in_both_directions(self, kernel):
        assert numbers("x.x .x. x.x", kernel) == [[1, 0, 3], [0, 5, 0], [7, 0, 9]]
        assert numbers("x.x .x. x.x", kernel, join="corners") == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]

    def test_a_seam_joins_edges_and_corners(self, kernel):
        assert numbers(".xx. x..x", kernel, periodic=(False, True)) == [[0, 2, 2, 0], [5, 0, 0, 5]]
        assert numbers("x.. ..x", kernel, periodic=(False, True), join="corners") == [[1, 0, 0], [0, 0, 1]]
        assert numbers("x... .... ...x", kernel, periodic=(True, True), join="corners")[2] == [0, 0, 0, 1]
        assert numbers("x... .... ...x", kernel, periodic=(True, True))[2] == [0, 0, 0, 12]


@st.composite
def grouped_cells(draw):
    """Draw cells with many ties, their groups, which of them may be seeds, a search window and seams."""
    shape, periodic = draw(shapes()), Periodic(*draw(st.tuples(st.booleans(), st.booleans())))
    values = draw(hnp.arrays(np.int64, shape, elements=st.integers(-1, 2)))
    values = values.astype(draw(st.sampled_from([np.int64, np.float32, np.float64])))
    groups = draw(hnp.arrays(np.int32, shape, elements=st.integers(0, shape[1] * shape[2])))
    is_candidate = draw(hnp.arrays(bool, shape)) & (groups > 0)
    window = draw(windows(shape[1:], periodic))
    search = PeakSumSettings(search_window=window, tie_rule=draw(st.sampled_from(TIE_RULES))).search_cells()
    return values, groups, is_candidate, search, periodic


@some_examples
@given(problem=grouped_cells(), join=st.sampled_from([*JOINS]), last_wins=st.booleans())
def test_both_twins_find_the_same_groups_maxima_and_highest_cells(problem, join, last_wins):
    values, groups, is_candidate, search, periodic = problem
    found = []
    for kernel in KERNELS:
        numbered = connected(values > 0, JOINS[join], periodic, kernel)
        maxima, seeds = is_candidate.copy(), is_candidate & (values > 1)
        keep_maxima(maxima, values, groups, search, periodic, kernel)
        add_highest(seeds, groups != 1, values, groups, kernel, last_wins=last_wins)
        assert numbered.dtype == np.int32
        found.append((numbered.tolist(), maxima.tolist(), seeds.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("periodic", [NEITHER, COLS, ROWS, BOTH], ids=str)
def test_maxima_and_groups_end_at_every_edge_alike(periodic):
    """Of cells that are all different, all of one group, with windows that reach to one side only, and far."""
    random, seams = np.random.default_rng(1), Periodic(*periodic)
    values, groups = random.permutation(126).reshape(3, 6, 7), np.ones((3, 6, 7), np.int32)
    for window in ((3, 3), (1, 5), (5, 1), "ox", "xo", "o\nx", "x\no", "o..\n..x"):
        search, found = PeakSumSettings(search_window=window).search_cells(), []
        for kernel in KERNELS:
            maxima = np.ones(values.shape, bool)
            keep_maxima(maxima, values, groups, search, seams, kernel)
            numbered = connected(values % 3 > 0, JOINS["corners"], seams, kernel)
            found.append((maxima.tolist(), numbered.tolist()))
        assert found[0] == found[1]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("most", [1, 2, 4])
def test_the_leading_of_a_region_are_its_first_in_every_event(most, kernel):
    random, offsets = np.random.default_rng(most), np.array([0, 9, 9, 30, 60])
    order = np.concatenate([random.permutation(np.arange(*ends)) for ends in itertools.pairwise(offsets)])
    region, expected = random.integers(-1, 4, 60), np.zeros(60, bool)
    for first, stop in itertools.pairwise(offsets):
        for number in range(4):
            expected[[n for n in order[first:stop] if region[n] == number][:most]] = True
    assert leading(order, offsets, region, most, kernel).tolist() == expected.tolist()


@pytest.mark.parametrize("kernel", KERNELS)
class TestARow:
    cells, groups = np.array([[[2, 3, 3, 1]]]), np.array([[[1, 1, 1, 4]]], np.int32)

    @pytest.mark.parametrize(("tie_rule", "maxima"), [("first", [1, 3]), ("last", [2, 3]), ("none", [3])])
    def test_a_maximum_beats_its_own_group_only(self, kernel, tie_rule, maxima):
        is_candidate = np.ones((1, 1, 4), bool)
        search = PeakSumSettings(search_window=(1, 3), tie_rule=tie_rule).search_cells()
        keep_maxima(is_candidate, self.cells, self.groups, search, Periodic(False, False), kernel)
        assert np.flatnonzero(is_candidate).tolist() == maxima

    @pytest.mark.parametrize(("last_wins", "highest"), [(False, 1), (True, 2)])
    def test_a_group_with_a_seed_gets_no_other(self, kernel, last_wins, highest):
        for seeds, expected in (([], [highest, 3]), ([0], [0, 3]), ([0, 3], [0, 3])):
            is_seed = np.isin(np.arange(4), seeds).reshape(1, 1, 4)
            add_highest(is_seed, self.groups > 0, self.cells, self.groups, kernel, last_wins=last_wins)
            assert np.flatnonzero(is_seed).tolist() == expected
