"""The leading clusters: by sum or by seed, of an event or of each region, against plain loops."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, peak_sum_map
from hep_peaksum.clustering.find import find_peaks
from hep_peaksum.clustering.records import cluster_table, jagged_clusters

some = runs(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
LONE = {"search_window": (1, 1), "sum_window": (1, 3)}  # every cell above 0 is a seed
FIELDS = ["row", "col", "seed", "peak_sum"]


def in_line(cells, *, regions=None, **rules):
    """Return (column, sum) of the clusters of a line of cells."""
    grid = Grid(rows=Axis(n=1), cols=Axis(n=len(cells)), regions=regions or {})
    clusters = find_clusters([[cells]], PeakSumSettings(**{**LONE, **rules}), grid, fields=FIELDS)
    return [(cluster["col"], cluster["peak_sum"]) for cluster in clusters.to_list()[0]]


def test_the_leading_are_those_of_the_largest_sums_or_of_the_highest_seeds():
    cells = [3, 4, 3, 0, 9, 0]
    assert in_line(cells, max_clusters=1) == [(1, 10)]
    assert in_line(cells, max_clusters=1, max_clusters_by="seed") == [(4, 9)]
    assert in_line(cells, max_clusters=2, max_clusters_by="seed") == [(1, 10), (4, 9)]  # still ordered by sum
    assert in_line(cells, max_clusters=2, max_clusters_by="seed", order="position") == [(1, 10), (4, 9)]


def test_of_equal_seeds_the_first_stay_or_the_last():
    cells = [5, 0, 0, 5, 0, 0, 5]
    rules = {"max_clusters": 2, "max_clusters_by": "seed"}
    assert in_line(cells, **rules) == [(0, 5), (3, 5)]
    assert in_line(cells, **rules, greedy_ties="last") == [(3, 5), (6, 5)]


def test_every_region_has_its_own_leading_cluster():
    cells = [1, 0, 2, 0, 9, 0, 8, 0]
    rules = {"sum_window": (1, 1), "max_clusters": 1}
    assert in_line(cells, **rules) == [(4, 9)]
    assert in_line(cells, **rules, max_clusters_per="card", regions={"card": [1, 4]}) == [(4, 9), (2, 2)]
    drawn = {"card": "aaaa..bb"}
    assert in_line(cells, **rules, max_clusters_per="card", regions=drawn) == [(6, 8), (2, 2)]


@pytest.mark.parametrize(("ties", "leading_one"), [("first", (0, 0)), ("last", (1, 2))])
def test_the_highest_seed_may_lie_in_any_layer_that_is_searched(ties, leading_one):
    rules = {**LONE, "max_clusters": 1, "max_clusters_by": "seed", "greedy_ties": ties}
    for cells, expected in (([[1, 0, 0], [0, 0, 9]], (1, 2)), ([[5, 0, 0], [0, 0, 5]], leading_one)):
        layers = np.array(cells)[None, :, None]  # one event of two layers, each a row
        clusters = find_clusters(layers, rules, layers="each", fields=["layer", "col"])
        assert list(zip(clusters.layer[0].to_list(), clusters.col[0].to_list(), strict=True)) == [expected]


def test_windows_reach_into_other_regions():
    assert in_line([0, 7, 5, 0], max_clusters=1, max_clusters_per="half", regions={"half": [1, 2]}) == [
        (1, 12),
        (2, 12),
    ]


def test_a_tower_lies_in_the_region_of_its_first_cell():
    regions = {"card": "abab"}
    rules = {"coarsen": [1, 2], "sum_window": (1, 1), "max_clusters": 1, "max_clusters_per": "card"}
    assert in_line([1, 1, 1, 2], **rules, regions=regions) == [(1, 3)]


def test_regions_need_a_number_of_clusters_and_a_division():
    with pytest.raises(ValueError, match=r"max_clusters_per 'card' without max_clusters"):
        PeakSumSettings(max_clusters_per="card")
    with pytest.raises(ValueError, match=r"max_clusters_per 'card': the grid has no regions of that name"):
        in_line([1], max_clusters=1, max_clusters_per="card")


def leading(clusters, n, *, by, last, region):
    """Return the first n clusters of every region, chosen one after the other."""
    kept, left = [], [cluster for cluster in clusters if region[cluster["row"]][cluster["col"]] != "."]
    count = {}
    while left:
        best = None
        for cluster in left:  # in the order of their places
            is_equal = best is not None and cluster[by] == best[by]
            if best is None or cluster[by] > best[by] or (is_equal and last):
                best = cluster
        left.remove(best)
        name = region[best["row"]][best["col"]]
        count[name] = count.get(name, 0) + 1
        if count[name] <= n:
            kept.append(best)
    by_place = sorted(kept, key=lambda cluster: (cluster["row"], cluster["col"]))
    return sorted(by_place, key=lambda cluster: -cluster["peak_sum"])


@st.composite
def problems(draw):
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    cells = draw(hnp.arrays(np.int64, (draw(st.integers(0, 4)), *shape), elements=st.integers(0, 3)))
    region = ["".join(draw(st.sampled_from("abc.")) for _ in range(shape[1])) for _ in range(shape[0])]
    return cells, region


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
@some
@given(problem=problems(), n=st.integers(1, 3), by=st.sampled_from(("sum", "seed")), last=st.booleans())
def test_the_leading_clusters_of_regions_are_those_of_the_definition(kernel, problem, n, by, last):
    cells, region = problem
    grid = Grid(rows=Axis(n=cells.shape[1]), cols=Axis(n=cells.shape[2]), regions={"r": "\n".join(region)})
    all_of_them = PeakSumSettings(
        tie_rule="all", kernel=kernel, order="position", greedy_ties="last" if last else "first"
    )
    chosen = {"max_clusters": n, "max_clusters_by": by, "max_clusters_per": "r", "order": "sum"}
    settings = all_of_them.model_copy(update=chosen)
    theirs = [
        leading(event, n, by={"sum": "peak_sum"}.get(by, by), last=last and by == "seed", region=region)
        for event in find_clusters(cells, all_of_them, grid, fields=FIELDS).to_list()
    ]
    assert find_clusters(cells, settings, grid, fields=FIELDS).to_list() == theirs
    expected = np.zeros(cells.shape, np.int64)
    for event, clusters in enumerate(theirs):
        for cluster in clusters:
            expected[event, cluster["row"], cluster["col"]] = cluster["peak_sum"]
    assert (peak_sum_map(cells, settings, grid) == expected).all()


def test_regions_of_several_grids_are_chosen_from_together_in_gev():
    settings = PeakSumSettings(
        search_window=(1, 1),
        sum_window=(1, 1),
        max_clusters=1,
        max_clusters_by="seed",
        max_clusters_per="half",
    )
    sizes = ((0.5, 4), (2.0, 6))  # regions are counted along the wider grid: two blocks a row, and three
    grids = [Grid(rows=Axis(n=2), cols=Axis(n=n), unit=unit, regions={"half": [1, 2]}) for unit, n in sizes]
    cells = (
        [[[9, 0, 0, 7], [5, 0, 0, 0]], [[0, 1, 0, 0], [0, 0, 0, 0]]],  # 4.5, 3.5 and 2.5 GeV; 0.5 GeV
        [[[0, 3, 0, 1, 4, 0], [0] * 6], [[0] * 6, [0] * 6]],  # 6, 2 and 8 GeV
    )
    contexts = [find_peaks(each, settings, grid) for each, grid in zip(cells, grids, strict=True)]
    clusters = jagged_clusters([cluster_table(contexts, ["peak_sum", "col"])], settings).to_list()
    assert [
        [(cluster["grid"], cluster["col"], cluster["peak_sum"]) for cluster in each] for each in clusters
    ] == [
        [(1, 4, 4), (1, 1, 3), (0, 3, 7), (0, 0, 5)],
        [(0, 1, 1)],
    ]
