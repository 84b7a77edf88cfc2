"""Pile-up estimates: pictures, and the chunky donut by definition."""

import numpy as np
import oracle
import pytest
from clustering_problems import field_of, index_grid
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from rules_pictures import ALONE, COLS, LINE, NEITHER, ROWS

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.clustering.fields import default_fields
from hep_peaksum.geometry.grid import bare_grid

some = runs(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


DONUT = ["row", "col", "peak_sum", "chunky_donut", "net"]


def quiet_jet(strips):
    """Return 15x15 cells: a jet of 100 in the middle, its four 9x3 strips filled with these counts a cell."""
    cells = np.zeros((15, 15), int)
    below, above, left, right = strips
    cells[0:3, 3:12], cells[12:15, 3:12] = below, above
    cells[3:12, 0:3], cells[3:12, 12:15] = left, right
    cells[7, 7] = 100
    return cells


@pytest.mark.parametrize(
    ("strips", "estimate"),
    [
        pytest.param((1, 1, 1, 1), 81, id="uniform"),
        pytest.param((9, 1, 1, 1), 81, id="a_jet_below_is_left_out"),
        pytest.param((1, 9, 1, 1), 81, id="a_jet_above_is_left_out"),
        pytest.param((1, 1, 9, 1), 81, id="a_jet_to_the_left_is_left_out"),
        pytest.param((1, 1, 1, 9), 81, id="a_jet_to_the_right_is_left_out"),
        pytest.param((4, 3, 2, 1), 27 * 6, id="the_largest_is_left_out"),
        pytest.param((0, 0, 0, 0), 0, id="nothing_around"),
    ],
)
def test_the_chunky_donut_is_the_three_quietest_strips(strips, estimate):
    settings = PeakSumSettings(
        search_window=(9, 9), sum_window=(9, 9), seed_threshold=50, pileup=["chunky_donut"]
    )
    clusters = find_clusters([quiet_jet(strips)], settings, fields=["peak_sum", "chunky_donut", "net"])
    assert clusters.to_list() == [[{"peak_sum": 100, "chunky_donut": estimate, "net": 100 - estimate}]]
    assert str(clusters.type.content.content) == "{peak_sum: int64, chunky_donut: int64, net: int64}"


def test_strips_beyond_the_edge_are_empty():
    cells = np.ones((3, 9), int)
    cells[1, 4] = 5
    settings = PeakSumSettings(
        sum_window=(3, 3), search_window=(1, 1), seed_threshold=4, pileup=["chunky_donut"]
    )
    # the strips before and behind in rows do not exist; those beside are 3 rows x 3 columns of ones
    assert field_of(cells, "chunky_donut", settings) == [9 * (9 / 27)]


@pytest.mark.parametrize("half", [0, 1, 2, 4], ids=["1x1", "3x3", "5x5", "9x9"])
@some
@given(data=st.data())
def test_the_chunky_donut_is_that_of_the_definition_scaled_to_the_window(half, data):
    size, reach = 2 * half + 1, 2 * (half + 3) + 1
    periodic = data.draw(st.tuples(st.booleans(), st.booleans()))
    shape = tuple(data.draw(st.integers(reach if closed else 1, reach + 3)) for closed in periodic)
    dtype = data.draw(st.sampled_from(("int64", "float32", "float64")))
    cells = np.random.default_rng(data.draw(st.integers(0, 2**32))).normal(3, 2, (2, *shape))
    cells = (np.rint(cells) if data.draw(st.booleans()) or dtype == "int64" else cells).astype(dtype)
    settings = PeakSumSettings(
        search_window=(3, 3),
        sum_window=(size, size),
        seed_threshold=4,
        pileup=["chunky_donut"],
        kernel=data.draw(st.sampled_from(("numba", "scipy"))),
    )
    clusters = find_clusters(cells, settings, index_grid(shape, periodic), fields=DONUT)
    for event, records in zip(cells.tolist(), clusters.to_list(), strict=True):
        for record in records:
            estimate = oracle.chunky_donut(event, record["row"], record["col"], half, 3, periodic)
            if half != 4:
                estimate *= size * size / (3 * 3 * size)
            assert record["chunky_donut"] == estimate
            assert record["net"] == record["peak_sum"] - estimate


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
@pytest.mark.parametrize("periodic", [NEITHER, COLS, ROWS])
def test_a_strip_that_is_not_wholly_before_its_edge_is_empty(periodic, kernel):
    """About every cell as a seed: the four strips of 2 x 3 cells flank the window of 3 x 3."""
    shape, sides = (9, 11), ((-1, 0), (1, 0), (0, -1), (0, 1))
    cells = np.random.default_rng(3).integers(1, 100, shape)

    def strip_sum(row, col, d, p):
        total = 0
        for depth in (2, 3):
            for along in (-1, 0, 1):
                r, c = row + d * depth + abs(p) * along, col + p * depth + abs(d) * along
                r, c = r % shape[0] if periodic[0] else r, c % shape[1] if periodic[1] else c
                if 0 <= r < shape[0] and 0 <= c < shape[1]:
                    total += int(cells[r, c])
                elif not 0 <= (r if d else c) < shape[0 if d else 1]:  # beyond the edge that it is next to
                    return 0
        return total

    estimate = {"kind": "chunky_donut", "depth": 2, "edge": "strip"}
    settings = PeakSumSettings(search_window=(1, 1), sum_window=(3, 3), pileup=[estimate], kernel=kernel)
    clusters = find_clusters(
        [cells], settings, index_grid(shape, periodic), fields=["row", "col", "chunky_donut"]
    )
    found = {(each["row"], each["col"]): each["chunky_donut"] for each in clusters[0].to_list()}
    for row, col in np.ndindex(shape):
        strips = sorted(strip_sum(row, col, d, p) for d, p in sides)
        assert found[row, col] == sum(strips[:3]) * (9 / 18)


def test_a_masked_cell_does_not_add_to_the_pileup():
    settings = PeakSumSettings(
        search_window=(9, 9), sum_window=(9, 9), seed_threshold=50, pileup=["chunky_donut"]
    )
    cells = quiet_jet((1, 1, 1, 1))
    dead = np.zeros((15, 15), bool)
    dead[0, 5] = True
    for masked in ("absent", "zero"):
        assert field_of(cells, "chunky_donut", settings.model_copy(update={"masked": masked}), mask=dead) == [
            80
        ]


def test_the_pileup_estimates_of_the_settings_are_default_fields():
    settings = PeakSumSettings(pileup=["chunky_donut"])
    assert default_fields(settings, bare_grid((9, 9))) == (
        *("peak_sum", "seed", "row", "col", "n_cells", "chunky_donut", "net", "energy"),
    )


def flat(shape, seed, height=10, level=2):
    """Return a picture of a calorimeter full of even pile-up, and one shower."""
    return "\n".join(
        " ".join(str(height if (row, col) == seed else level) for col in range(shape[1]))
        for row in range(shape[0])
    )


IN_THE_MIDDLE, NEAR_THE_EDGE, AT_THE_EDGE, IN_THE_CORNER = (5, 5), (2, 5), (0, 5), (0, 0)


@pytest.mark.parametrize(
    ("estimate", "seed", "periodic", "expected"),
    [
        pytest.param("chunky_donut", IN_THE_MIDDLE, COLS, 18, id="three_deep_strips_scaled_to_the_window"),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1}, IN_THE_MIDDLE, COLS, 18, id="three_strips_are_the_window"
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "length": 5},
            IN_THE_MIDDLE,
            COLS,
            pytest.approx(18),
            id="longer_strips_scaled_to_the_window",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1},
            AT_THE_EDGE,
            COLS,
            0 + 4 + 4,
            id="strips_beyond_the_edge_are_empty",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "edge": "strip"},
            AT_THE_EDGE,
            COLS,
            0 + 4 + 4,
            id="strips_across_the_edge_count_partly",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 2},
            NEAR_THE_EDGE,
            COLS,
            (6 + 12 + 12) * 9 / 18,
            id="a_strip_partly_beyond_the_edge_counts_partly",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 2, "edge": "strip"},
            NEAR_THE_EDGE,
            COLS,
            (0 + 12 + 12) * 9 / 18,
            id="a_strip_partly_beyond_the_edge_counts_nothing",
        ),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "edge": "strip"},
            AT_THE_EDGE,
            ROWS,
            18,
            id="a_closed_edge_cuts_no_strip",
        ),
        pytest.param("donut", IN_THE_MIDDLE, COLS, pytest.approx(4 * 12 / 9 * 3), id="four_times_two_strips"),
        pytest.param("donut", AT_THE_EDGE, COLS, pytest.approx(4 * 8 / 9 * 3), id="the_middle_two_at_the_edge"),
        pytest.param(
            {"kind": "donut", "edge": "strip"},
            AT_THE_EDGE,
            COLS,
            pytest.approx(4 * (4 + 4) / 9 * 3),
            id="the_middle_two_run_across_the_edge",
        ),
        pytest.param("phi_ring", IN_THE_MIDDLE, COLS, (3 * 11 * 2 + 8) * 9 // 33, id="the_rings_of_all_phi"),
        pytest.param(
            {"kind": "phi_ring", "axis": "rows"}, IN_THE_MIDDLE, COLS, 74 * 9 // 33, id="the_rings_of_all_eta"
        ),
        pytest.param(
            {"kind": "phi_ring", "includes_cluster": False},
            IN_THE_MIDDLE,
            COLS,
            18,
            id="the_rings_without_the_cluster",
        ),
        pytest.param("phi_ring", AT_THE_EDGE, COLS, 52 * 9 // 33, id="a_ring_beyond_the_edge_is_empty"),
        pytest.param(
            {"kind": "phi_ring", "edge": "existing"},
            AT_THE_EDGE,
            COLS,
            52 * 6 // 22,
            id="a_ring_beyond_the_edge_is_no_ring",
        ),
        pytest.param(
            {"kind": "phi_ring", "includes_cluster": False},
            AT_THE_EDGE,
            COLS,
            (52 - 20) * 9 // (33 - 9),
            id="the_rings_without_the_cluster_at_the_edge",
        ),
        pytest.param(
            {"kind": "phi_ring", "includes_cluster": False, "edge": "existing"},
            AT_THE_EDGE,
            COLS,
            (52 - 20) * 6 // (22 - 6),
            id="the_existing_rings_without_the_cluster",
        ),
        pytest.param("ring_median", IN_THE_MIDDLE, COLS, 18.0, id="the_median_of_the_ring"),
        pytest.param("ring_median", IN_THE_CORNER, NEITHER, 8.0, id="the_median_of_what_there_is_of_the_ring"),
        pytest.param(
            {"kind": "ring_median", "edge": "zero"},
            IN_THE_CORNER,
            NEITHER,
            0.0,
            id="the_median_of_a_ring_that_is_mostly_empty",
        ),
    ],
)
def test_even_pileup_under_a_shower(finder, estimate, seed, periodic, expected):
    name = estimate if isinstance(estimate, str) else estimate["kind"]
    rules = {"seed_threshold": 5, "pileup": (estimate,), "periodic": periodic}
    clusters = finder(flat((11, 11), seed), ("row", "col", "peak_sum", name, "net"), **rules)
    at_the_edge = 20 if not periodic[0] else 26
    total = {AT_THE_EDGE: at_the_edge, IN_THE_CORNER: 16}.get(seed, 26)

    assert clusters == [
        (*seed, total, expected, pytest.approx(total - getattr(expected, "expected", expected)))
    ]


CMS = {"search_window": (9, 9), "sum_window": (9, 9), "seed_threshold": 50}


def test_the_donuts_of_cms_are_integers(finder):
    rules = {**CMS, "pileup": ("chunky_donut", "donut"), "subtract": "donut"}
    fields = ("peak_sum", "chunky_donut", "donut", "net")
    clusters = finder(flat((17, 17), (8, 8), 100), fields, **rules)

    assert clusters == [(260, 162, 4 * (18 + 18), 260 - 144)]
    assert {type(number) for number in clusters[0]} == {int}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param("0 -1 -1 -1", 0, id="less_than_a_count"),
        pytest.param("1 -4 -2 -2", -1, id="less_than_two"),
        pytest.param("4 1 1 1", 1, id="above_zero"),
    ],
)
def test_a_phi_ring_of_integers_is_divided_as_in_firmware(finder, cells, expected):
    rules = {**ALONE, "seed_comparison": ">=", "pileup": ("phi_ring",), "periodic": COLS}
    clusters = finder(cells, ("col", "phi_ring"), **rules)

    assert clusters == [(0, expected)]


def test_a_median_is_taken_of_the_cells_that_are_not_masked(finder):
    rules = {**ALONE, "seed_threshold": 5, "pileup": ("ring_median",)}

    assert finder("1 9 #", ("ring_median",), **rules) == [(1.0,)]
    assert finder("1 9 4", ("ring_median",), **rules) == [(2.5,)]
    assert finder("# 9 #", ("ring_median",), **rules) == [(0.0,)]


def test_the_sum_threshold_can_cut_on_the_net_sum(finder):
    rules = {**LINE, "seed_threshold": 4, "pileup": ({"kind": "ring_median", "name": "under"},)}
    cells = "2 0 7 0 2 2 2 6 2 2"
    fields = ("col", "peak_sum", "under", "net")

    assert finder(cells, fields, **rules) == [(2, 7, 6.0, 1.0), (7, 10, 6.0, 4.0)]
    cut = {"sum_threshold": 4, "sum_threshold_on": "net"}
    assert finder(cells, fields, **rules, **cut) == [(7, 10, 6.0, 4.0)]


def test_strips_flank_a_drawn_window(finder):
    rules = {"search_window": (1, 3), "sum_window": "xxo", "seed_threshold": 8}
    rules["pileup"] = ({"kind": "chunky_donut", "depth": 1, "length": 1},)
    cells = "5 1 1 9 7 5"  # 5 to the left of the window, 7 to the right; nothing above and below

    assert finder(cells, ("col", "peak_sum", "chunky_donut"), **rules) == [(3, 11, 5 + 0 + 0)]


EVERY_PILEUP = ("chunky_donut", "donut", "phi_ring", "ring_median")


@pytest.mark.parametrize("estimate", EVERY_PILEUP)
def test_the_pileup_fields_of_no_events_have_their_types(kernel, estimate):
    settings = PeakSumSettings(pileup=(estimate,), kernel=kernel)
    grid = Grid(rows=Axis(n=9), cols=Axis(n=9, periodic=True))
    nothing, something = (
        find_clusters(np.full((n, 9, 9), 2), settings, grid, fields=["peak_sum", estimate, "net"])
        for n in (0, 1)
    )

    assert nothing.to_list() == []
    assert str(nothing.type.content) == str(something.type.content)


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_existing_rings_at_an_edge_leave_out_the_existing_part_of_the_cluster(kernel):
    """Two of three rings exist: 8 cells of 2 beside the 6 of the window, of which 6 cells are covered."""
    ring = {"kind": "phi_ring", "includes_cluster": False, "edge": "existing"}
    cells = np.full((1, 3, 7), 2)
    cells[0, 0, 3] = 9
    settings = PeakSumSettings(pileup=(ring,), seed_threshold=8, kernel=kernel)
    grid = Grid(rows=Axis(n=3), cols=Axis(n=7, periodic=True))
    assert find_clusters(cells, settings, grid).phi_ring.to_list() == [[2 * 6]]


RING = {"kind": "phi_ring", "axis": "cols"}
WITHOUT = {**RING, "includes_cluster": False}
CROSS = {"sum_window": ".x.\nxox\n.x."}


@pytest.mark.parametrize(
    ("estimate", "settings", "seeds", "expected"),
    [
        pytest.param(
            WITHOUT, {"cell_threshold": 5}, {(1, 3): 9}, [12 * 2 * 9 // 12], id="its_window_holds_one_cell"
        ),
        pytest.param(
            WITHOUT,
            {"overlap": "highest"},
            {(1, 2): 9, (1, 4): 8},
            [(11 * 2 + 8) * 9 // 12, (11 * 2 + 9) * 9 // 12],
            id="a_part_of_its_window_is_of_another",
        ),
        pytest.param(
            WITHOUT, {}, {(1, 0): 9}, [15 * 2 * 9 // 15], id="a_part_of_its_window_is_beyond_the_ring"
        ),
        pytest.param(
            WITHOUT, CROSS, {(1, 3): 9}, [16 * 2 * 5 // 16], id="five_cells_of_the_rings_are_its_window"
        ),
        pytest.param(RING, CROSS, {(1, 3): 16}, [(20 * 2 + 16) * 5 // 21], id="five_cells_of_the_rings"),
        pytest.param(
            {"kind": "chunky_donut", "depth": 1, "length": 3},
            CROSS,
            {(2, 3): 9},
            [5 * 2],
            id="five_cells_of_strips",
        ),
        pytest.param(
            {"kind": "donut", "length": 3},
            CROSS,
            {(2, 3): 9},
            [pytest.approx(4 * 5 / 81 * 9 / 3 * 12)],
            id="five_cells_of_four_strips",
        ),
    ],
)
@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_pileup_is_that_of_the_cells_of_the_window(kernel, estimate, settings, seeds, expected):
    """Cells of 2 around the seeds: the window leaves its rings whole, and has as many cells as are drawn."""
    rows = 5 if estimate["kind"].endswith("donut") else 3
    cells = np.full((1, rows, 7), 2)
    for place, value in seeds.items():
        cells[0][place] = value
    rules = {**settings, "seed_threshold": 5, "pileup": [estimate], "kernel": kernel, "order": "position"}
    assert find_clusters(cells, rules)[estimate["kind"]].to_list() == [expected]


@pytest.mark.parametrize(
    ("dtype", "seed", "codes", "is_saturated"),
    [
        ("int16", 511, (511,), True),
        ("int16", 511, (70_000, 510), False),  # 70 000 does not fit into the cells
        ("int16", 2, (2.5,), False),
        ("float32", 1638.3, (1638.3,), True),
        ("float64", 1638.3, (1638.3,), True),
        ("float32", 1638.5, (1638.3,), False),
    ],
)
def test_seeds_that_stand_for_an_overflow_have_no_pileup(dtype, seed, codes, is_saturated):
    cells = np.ones((1, 9, 9), dtype)
    cells[0, 4, 4] = seed
    settings = PeakSumSettings(
        seed_threshold=1, pileup=["donut"], saturated_seeds=codes, saturated_net=9, search_window=(3, 3)
    )
    (cluster,) = find_clusters(cells, settings, fields=["donut", "net"]).to_list()[0]
    assert (cluster["donut"] == 0, cluster["net"] == 9) == (is_saturated, is_saturated)


def test_without_another_number_the_net_of_a_saturated_seed_is_its_sum():
    cells = np.ones((1, 9, 9), int)
    cells[0, 4, 4] = 5
    settings = PeakSumSettings(seed_threshold=1, pileup=["donut"], saturated_seeds=[5])
    assert find_clusters(cells, settings, fields=["peak_sum", "net"]).to_list() == [
        [{"peak_sum": 13, "net": 13}]
    ]


def test_net_is_without_the_first_estimate_unless_another_is_named(kernel):
    """The three smallest of the strips 2, 2, 2 and 0 are 4; the median of the 16 cells around is 0."""
    cells = np.zeros((1, 5, 5), int)
    cells[0, 2, 2] = 50
    cells[0, 0, 1] = cells[0, 4, 1] = cells[0, 1, 0] = 2
    both = {"pileup": [{"kind": "chunky_donut", "depth": 1}, "ring_median"], "seed_threshold": 9}
    for subtract, net in ((None, 46), ("chunky_donut", 46), ("ring_median", 50)):
        settings = PeakSumSettings(**both, subtract=subtract, kernel=kernel)
        assert find_clusters(cells, settings, fields=["net"]).net.to_list() == [[net]]


@pytest.mark.parametrize(
    ("estimate", "problem"),
    [
        (
            {"kind": "donut", "includes_cluster": False},
            "includes_cluster: donut has no includes_cluster, it takes",
        ),
        ({"kind": "ring_median", "length": 3}, "length: ring_median has no length, it takes depth: leave"),
        ({"kind": "donut", "axis": "rows"}, "axis: donut has no axis, it takes depth, length: leave axis out"),
        (
            {"kind": "phi_ring", "depth": 1},
            "depth: phi_ring has no depth, it takes axis, includes_cluster: leave",
        ),
    ],
)
def test_a_key_that_means_nothing_to_a_kind_is_refused(estimate, problem):
    with pytest.raises(ValueError, match=problem):
        PeakSumSettings(pileup=[estimate])
