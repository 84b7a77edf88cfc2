"""Views of collections: which clusters they hold, in which order, and where these lie in their collection."""

import awkward as ak
import numpy as np

from hep_peaksum.analysis.derived import ViewInput, derive

JETS = ak.Array(
    [
        [{"pt": pt, "col": col} for pt, col in ((30, 1), (50, 4), (20, 2), (50, 0))],
        [{"pt": 40, "col": 3}],
        [],
    ]
)


def test_a_sorted_view_begins_with_the_largest_and_equal_ones_keep_their_order():
    view = ViewInput(**{"from": "Jet", "sort": "pt"})
    assert view.indices(JETS[:2]).to_list() == [[1, 3, 0, 2], [0]]


def test_a_view_of_a_view_says_where_its_clusters_lie_in_the_collection():
    views = {
        "Hard": ViewInput(**{"from": "Jet", "where": [{"field": "pt", "min": 30}], "sort": "pt"}),
        "Left": ViewInput(**{"from": "Hard", "where": [{"field": "col", "max": 1}]}),
    }
    found = derive({"Jet": JETS}, {}, views, {"HT": "Left.pt"})
    assert found.clusters["Hard"].pt.to_list() == [[50, 50, 30], [40], []]
    assert found.clusters["Left"].pt.to_list() == [[50, 30], [], []]
    places = {name: (origin, index.to_list()) for name, (origin, index) in found.origins.items()}
    assert places == {"Hard": ("Jet", [[1, 3, 0], [0], []]), "Left": ("Jet", [[3, 0], [], []])}
    assert np.array_equal(found.sums["HT"], [80, 0, 0])


def test_the_clusters_of_a_view_meet_all_of_its_conditions():
    view = ViewInput(**{"from": "Jet", "where": [{"field": "pt", "min": 30}, {"field": "col", "max": 1}]})
    assert view.indices(JETS).to_list() == [[0, 3], [], []]
