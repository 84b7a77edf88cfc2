"""Settings in words: what the drawn windows do not show."""

import pytest

from hep_peaksum import Axis, Grid, PeakSumSettings
from hep_peaksum.diagnostics.wording import (
    RING_DRAWN,
    cell_positions,
    discriminant_unit,
    drawn_windows,
    legend,
    settings_in_words,
)

STRIPS = "of the four strips of 3 x {} cells along the window"
ZERO = "scaled to the 9 cells of the window; cells beyond an edge count as 0"
WHOLLY = "as does a strip that is not wholly before its edge"
ESTIMATES = {
    "chunky_donut": f"the three smallest {STRIPS.format(3)}, {ZERO}",
    "donut": f"4 x the middle two {STRIPS.format(1)}, {ZERO}",
    "phi_ring": f"the full rings through the window along the periodic axis, {ZERO}",
    "ring_median": "the median of the ring of depth 1 around the window, scaled to the 9 cells of the window; "
    "cells beyond an edge do not count",
}


@pytest.mark.parametrize("kind", ESTIMATES)
def test_a_pileup_estimate_is_defined_in_words(kind):
    words = dict(settings_in_words(PeakSumSettings(pileup=(kind,))))
    assert words[f"pile-up {kind}"] == ESTIMATES[kind]
    assert "net" not in words  # there is only one to subtract


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (
            {"kind": "chunky_donut", "length": 5, "depth": 2, "edge": "strip"},
            f"the three smallest of the four strips of 5 x 2 cells along the window, {ZERO}, {WHOLLY}",
        ),
        (
            {"kind": "phi_ring", "axis": "rows", "includes_cluster": False},
            f"the full rings through the window along the rows, without the cluster, {ZERO}",
        ),
        (
            {"kind": "phi_ring", "axis": "cols"},
            f"the full rings through the window along the columns, {ZERO}",
        ),
        (
            {"kind": "ring_median", "depth": 2, "edge": "zero"},
            f"the median of the ring of depth 2 around the window, {ZERO}",
        ),
    ],
)
def test_what_is_not_the_default_of_an_estimate_is_told(estimate, words):
    told = dict(settings_in_words(PeakSumSettings(pileup=[{**estimate, "name": "mine"}])))
    assert told["pile-up mine"] == words


@pytest.mark.parametrize(("ties", "word"), [("first", "lower"), ("last", "higher")])
def test_of_equal_seeds_the_one_that_a_greedy_search_takes_first_is_named(ties, word):
    words = dict(settings_in_words(PeakSumSettings(tie_rule="greedy", greedy_ties=ties)))
    assert words["tie rule"].endswith(f"; of equal ones the {word} (row, col) first")


def test_of_several_estimates_the_one_that_is_subtracted_is_named():
    both = {"pileup": ("donut", "ring_median")}
    assert dict(settings_in_words(PeakSumSettings(**both)))["net"] == "the sum minus donut"
    other = PeakSumSettings(**both, subtract="ring_median")
    assert dict(settings_in_words(other))["net"] == "the sum minus ring_median"


TOWERS, TOWERS_SUMMED = {"coarsen": (2, 3)}, "the sum of 2 x 3 cells; windows count towers"
JOINED = "cells above the cell threshold, joined by common {}; only cells of one group are compared"
REGIONS = {"max_clusters": 2, "max_clusters_per": "quadrant"}
TERMS = {
    "towers": [
        (TOWERS, TOWERS_SUMMED),
        ({**TOWERS, "pool_by": "max"}, "the highest of 2 x 3 cells; windows count towers"),
        (
            {**TOWERS, "sum_over": "cells"},
            f"{TOWERS_SUMMED}, but the cells in them are added",
        ),
        (
            {**TOWERS, "allow_partial_towers": True, "pool_threshold": 2},
            f"{TOWERS_SUMMED}; the last may be smaller; cells not above 2 count as 0",
        ),
    ],
    "compared": [
        ({"quantity": "significance"}, "energy over noise of the cell"),
        ({"seed_window": (1, 3)}, "the sum of the seed window"),
        (
            {"seed_window": (1, 3), "partial_seed_windows": False},
            "the sum of the seed window; only where the whole seed window lies in the grid",
        ),
    ],
    "seed threshold": [
        ({"seed_threshold": 3, "seed_comparison": ">="}, ">= 3"),
        ({"seed_threshold": 3, "quantity": "significance"}, "> 3 sigma"),
        ({"seed_threshold": "3 sigma"}, "> 3 sigma"),
    ],
    "groups": [
        (
            {"group": "edges", "cell_threshold": 1},
            f"{JOINED.format('edges')}; a group without a seed is dropped",
        ),
        (
            {"group": "corners", "cell_threshold": 1, "seedless_groups": "highest"},
            f"{JOINED.format('edges or corners')}; a group without a seed has its highest cell as seed",
        ),
    ],
    "edges": [
        ({"partial_search_windows": False}, "a cell whose search window reaches beyond an edge is not a seed")
    ],
    "cell threshold": [
        ({"cell_threshold": 2}, "a cell is added if >= 2"),
        (
            {"cell_threshold": 2, "cell_comparison": ">", "cell_threshold_abs": True},
            "a cell is added if its absolute value is > 2",
        ),
    ],
    "stronger side": [
        ({"keep_stronger_side": key}, f"of lower and higher {words} only the side with the larger sum is added")
        for key, words in (("rows", "rows"), ("cols", "columns"))
    ],
    "overlap": [
        ({"overlap": "equal"}, "equal: a cell of several windows is divided equally"),
        ({"tie_rule": "greedy-residual"}, "a cell of several windows belongs to the first seed"),
    ],
    "saturated seeds": [
        (
            {"pileup": ("donut",), "saturated_seeds": (509, 511)},
            "509, 511: no pile-up is subtracted, net is the sum",
        ),
        (
            {"pileup": ("donut",), "saturated_seeds": (511,), "saturated_net": 65535},
            "511: no pile-up is subtracted, net is 65535 counts",
        ),
    ],
    "sum threshold": [
        ({"sum_threshold": 5, "sum_comparison": ">"}, "sum > 5"),
        ({"sum_threshold": 5, "sum_threshold_on": "net", "pileup": ("donut",)}, "net >= 5"),
    ],
    "seed gap": [({"min_seed_gap": 2}, ">= 2 above the highest other cell of the search window")],
    "prominence": [({"min_prominence": 2}, ">= 2 above the saddle to anything higher")],
    "neighbours": [
        (
            {"min_neighbours": 3, "neighbour_threshold": 2},
            "at least 3 cells of the search window > 2",
        )
    ],
    "selected": [
        ({"max_clusters": 1, "max_clusters_by": "seed"}, "the cluster of an event with the largest seed"),
        (REGIONS, "the 2 clusters of each region of 'quadrant' with the largest sums"),
    ],
    "position": [({"position": "log"}, "barycentre with log weights")],
}


@pytest.mark.parametrize(
    ("term", "keys", "text"),
    [(term, *case) for term, cases in TERMS.items() for case in cases],
)
def test_every_term_is_told_where_it_is_not_the_default(term, keys, text):
    assert dict(settings_in_words(PeakSumSettings(**keys)))[term] == text


def test_what_is_the_default_is_not_told():
    told = dict(settings_in_words(PeakSumSettings()))
    assert [*told] == ["seed threshold", "tie rule", "overlap"]
    assert not {"overlap"} & {*dict(settings_in_words(PeakSumSettings(sum_window=(1, 1))))}


def test_of_a_phi_ring_the_part_near_the_window_is_drawn():
    marks = drawn_windows(PeakSumSettings(sum_window=(1, 3), pileup=("phi_ring",)))["pile-up phi_ring"]
    assert marks == {
        **{(0, p): "s" for p in (*range(-1 - RING_DRAWN, -1), *range(2, 2 + RING_DRAWN))},
        (0, -1): "x",
        (0, 0): "o",
        (0, 1): "x",
    }
    along_rows = [{"kind": "phi_ring", "axis": "rows", "name": "mine"}]
    marks = drawn_windows(PeakSumSettings(sum_window=(1, 3), pileup=along_rows))["pile-up mine"]
    assert marks == {
        **{(row, col): "s" for row in (-3, -2, -1, 1, 2, 3) for col in (-1, 0, 1)},
        (0, -1): "x",
        (0, 0): "o",
        (0, 1): "x",
    }
    assert RING_DRAWN == 3


def test_a_bare_grid_counts_and_one_with_a_unit_has_gev():
    assert Grid(rows=Axis(n=2), cols=Axis(n=2)).energy_unit == "counts"
    assert Grid(rows=Axis(n=2), cols=Axis(n=2), unit=0.5).energy_unit == "GeV"


SEED, ABOVE = ("o", "the seed"), (">", "the seed must exceed this cell")
EQUAL = ("=", "the seed may equal this cell, not be below it")
SEAM = "; across a seam the index in the grid decides"
LEGENDS = {
    "first": ({}, [SEED, ABOVE, (EQUAL[0], EQUAL[1] + SEAM), ("x", "added")]),
    "all": ({"tie_rule": "all"}, [SEED, EQUAL, ("x", "added")]),
    "none": ({"tie_rule": "none"}, [SEED, ABOVE, ("x", "added")]),
    "no neighbours": ({"search_window": (1, 1)}, [SEED, ("x", "added")]),
    "only the seed": ({"tie_rule": "all", "sum_window": (1, 1)}, [SEED, EQUAL]),
    "greedy-residual": (
        {"tie_rule": "greedy-residual", "sum_window": (1, 1)},
        [SEED, ("x", "added; in the search window: excluded by the seed")],
    ),
    "gate": (
        {"tie_rule": "all", "sum_window": "gxg\nxox\ngxg", "cell_threshold": 1},
        [
            SEED,
            EQUAL,
            ("x", "added"),
            ("g", "gated: added only if the cell one step nearer to the seed is added"),
        ],
    ),
    "pile-up": (
        {"tie_rule": "none", "pileup": ["donut"]},
        [SEED, ABOVE, ("x", "added"), ("s", "used by the pile-up estimate")],
    ),
}


@pytest.mark.parametrize(("keys", "lines"), LEGENDS.values(), ids=LEGENDS)
def test_every_mark_that_is_drawn_is_explained_and_no_other(keys, lines):
    assert legend(PeakSumSettings(**keys)) == lines


def test_the_discriminant_has_the_unit_of_the_cells_or_of_their_noise():
    axes = {"rows": Axis(n=2), "cols": Axis(n=2)}
    grids = {"counts": Grid(**axes), "GeV": Grid(**axes, unit=1), "counts of 0.5 GeV": Grid(**axes, unit=0.5)}
    for unit, grid in grids.items():
        assert discriminant_unit(PeakSumSettings(), grid) == unit
        assert discriminant_unit(PeakSumSettings(quantity="significance", seed_threshold=4), grid) == "sigma"


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ({"n": 3}, ""),
        ({"labels": "4..6"}, ": label 5"),
        ({"name": "x", "bins": 3, "start": 0, "stop": 6, "unit": "mm"}, ": x 3 mm"),
        ({"bins": 3, "start": 0, "stop": 6, "labels": "4..6"}, ": position 3, label 5"),
    ],
)
def test_a_cell_is_told_by_its_index_position_and_label(axis, words):
    grid = Grid(rows=Axis(**axis), cols=Axis(n=9))
    assert cell_positions(grid, 1, 7) == [f"row 1{words}", "col 7"]


TOWERS = {"coarsen": (1, 2)}
WORDS = {
    "nothing": ({}, {}),
    "towers": (TOWERS, {"towers": "the sum of 1 x 2 cells; windows count towers"}),
    "towers of the highest cells": (
        {**TOWERS, "pool_by": "max", "sum_over": "cells", "allow_partial_towers": True, "pool_threshold": 2},
        {
            "towers": "the highest of 1 x 2 cells; windows count towers, but the cells in them are added; the "
            "last may be smaller; cells not above 2 count as 0"
        },
    ),
    "a significance": (
        {"quantity": "significance", "seed_threshold": 4},
        {"compared": "energy over noise of the cell", "seed threshold": "> 4 sigma"},
    ),
    "a seed window": (
        {"seed_window": (1, 3), "partial_seed_windows": False},
        {"compared": "the sum of the seed window; only where the whole seed window lies in the grid"},
    ),
    "a seed window of two cells": ({"seed_window": "ox"}, {"compared": "the sum of the seed window"}),
    "groups": (
        {"group": "corners", "cell_threshold": 2, "seedless_groups": "highest"},
        {
            "groups": "cells above the cell threshold, joined by common edges or corners; only cells of one "
            "group are compared; a group without a seed has its highest cell as seed",
            "cell threshold": "a cell is added if >= 2",
        },
    ),
    "whole windows": (
        {"partial_search_windows": False},
        {"edges": "a cell whose search window reaches beyond an edge is not a seed"},
    ),
    "absolute cells": (
        {"cell_threshold": "2 sigma", "cell_threshold_abs": True, "cell_comparison": ">"},
        {"cell threshold": "a cell is added if its absolute value is > 2 sigma"},
    ),
    "one side": (
        {"keep_stronger_side": "cols"},
        {"stronger side": "of lower and higher columns only the side with the larger sum is added"},
    ),
    "cuts": (
        {"sum_threshold": "4 GeV", "min_seed_gap": 2, "min_prominence": "1 GeV"},
        {
            "sum threshold": "sum >= 4 GeV",
            "seed gap": ">= 2 above the highest other cell of the search window",
            "prominence": ">= 1 GeV above the saddle to anything higher",
        },
    ),
    "neighbours": (
        {"min_neighbours": 2, "neighbour_threshold": 3},
        {"neighbours": "at least 2 cells of the search window > 3"},
    ),
    "several of a region": (
        {"max_clusters": 4, "max_clusters_per": "card", "max_clusters_by": "seed"},
        {"selected": "the 4 clusters of each region of 'card' with the largest seeds"},
    ),
    "a barycentre": ({"position": "log"}, {"position": "barycentre with log weights"}),
}


@pytest.mark.parametrize(("keys", "words"), WORDS.values(), ids=WORDS)
def test_what_differs_from_the_defaults_is_said_and_nothing_else(keys, words):
    usual, found = (dict(settings_in_words(PeakSumSettings(**each))) for each in ({}, keys))
    assert {key: text for key, text in found.items() if usual.get(key) != text} == words
    assert usual.keys() == {"seed threshold", "tie rule", "overlap"}
