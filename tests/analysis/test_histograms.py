"""Histograms of cluster fields: what is booked, that it counts as numpy does, and that chunks add up."""

from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters, named_grid
from hep_peaksum.analysis.derived import Collections
from hep_peaksum.analysis.histograms import (
    ENERGY_EDGES,
    HistogramInput,
    book,
    check_histogram,
    default_histograms,
    fill,
    needed_fields,
)
from hep_peaksum.geometry.grid import bare_grid

TOWERS = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start=0, stop="2pi", periodic=True),
    quantity="et",
    unit=1,
)
PLATES = Grid(
    rows=Axis(name="y", edges=[0, 1, 3, 7], unit="mm"), cols=Axis(name="x", bins=4, start=-2, stop=2, unit="mm")
)
GRIDS = {"Jet": TOWERS}
SETTINGS = {"Jet": PeakSumSettings()}


def asked(*axes):
    """Return a histogram; an axis is (field, bins, start, stop) or (field, edges)."""
    return HistogramInput(
        axes=[
            {"field": axis[0], "edges": axis[1]}
            if len(axis) == 2
            else dict(zip(("field", "bins", "start", "stop"), axis, strict=True))
            for axis in axes
        ]
    )


def jets(n_events=40, seed=3, most=20):
    cells = np.random.default_rng(seed).integers(0, most, (n_events, *TOWERS.shape), endpoint=True)
    return find_clusters(cells, PeakSumSettings(seed_threshold=most // 2), TOWERS)


def filled(histogram, *chunks):
    booked = book(histogram, GRIDS)
    for clusters in chunks:
        fill(booked, histogram.axes, Collections({"Jet": clusters}, {}, {}))
    return booked


# --------------------------------------------------------------------------------------------------- defaults


def fields(histograms):
    return {name: [axis.field for axis in histogram.axes] for name, histogram in histograms.items()}


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        pytest.param(
            TOWERS,
            {
                "nJet": ["nJet"],
                "Jet_pt": ["Jet.pt"],
                "Jet_energy": ["Jet.energy"],
                "Jet_position": ["Jet.eta", "Jet.phi"],
            },
            id="eta_phi",
        ),
        pytest.param(
            PLATES,
            {"nJet": ["nJet"], "Jet_energy": ["Jet.energy"], "Jet_position": ["Jet.y", "Jet.x"]},
            id="x_y",
        ),
        pytest.param(
            bare_grid((3, 4)),
            {"nJet": ["nJet"], "Jet_energy": ["Jet.energy"], "Jet_position": ["Jet.row", "Jet.col"]},
            id="indices",
        ),
        pytest.param(
            Grid(rows=Axis(name="eta", labels="-1, 1"), cols=TOWERS.cols, quantity="et"),
            {"nJet": ["nJet"], "Jet_pt": ["Jet.pt"], "Jet_position": ["Jet.row", "Jet.phi"]},
            id="labels_in_rows",
        ),
    ],
)
def test_default_histograms_are_number_energy_and_position(grid, expected):
    histograms = default_histograms("Jet", [grid])
    assert fields(histograms) == expected
    for histogram in histograms.values():
        check_histogram(histogram, SETTINGS, {"Jet": [grid]})
        book(histogram, {"Jet": grid})


def test_several_grids_have_no_default_histogram_of_positions():
    histograms = default_histograms("Jet", [TOWERS, PLATES])
    assert fields(histograms) == {"nJet": ["nJet"], "Jet_energy": ["Jet.energy"]}


def test_energies_of_any_detector_fit():
    assert ENERGY_EDGES[0] == 0.01
    assert ENERGY_EDGES[-1] == 10_000
    assert len(ENERGY_EDGES) == 6 * 20 + 1
    (axis,) = default_histograms("Jet", [TOWERS])["Jet_pt"].axes
    assert axis.edges == ENERGY_EDGES


@pytest.mark.parametrize(
    "grid",
    [
        pytest.param(TOWERS, id="azimuth_from_zero"),
        pytest.param(named_grid("cms-l1-towers"), id="cms_towers"),
        pytest.param(PLATES, id="uneven_plates"),
        pytest.param(bare_grid((3, 4)), id="indices"),
        pytest.param(
            Grid(rows=TOWERS.rows, cols=Axis(name="phi", bins=5, start="-pi", stop="pi", periodic=True)),
            id="azimuth_from_minus_pi",
        ),
        pytest.param(
            Grid(rows=TOWERS.rows, cols=Axis(name="phi", bins=5, start=0, stop="2pi", periodic=True)),
            id="an_odd_number_of_cells_in_azimuth_from_zero",
        ),
        pytest.param(
            Grid(rows=TOWERS.rows, cols=Axis(name="phi", bins=4, start="-pi/4", stop="7pi/4", periodic=True)),
            id="a_cell_about_pi",
        ),
        *(
            pytest.param(
                Grid(rows=TOWERS.rows, cols=Axis(name="phi", bins=4, start=x, stop=x + 360, unit="deg")),
                id=f"degrees_from_{x}",
            )
            for x in (0, -180, -45)
        ),
        pytest.param(
            Grid(rows=TOWERS.rows, cols=Axis(name="phi", bins=6, start=0, stop="pi/2")),
            id="a_sector_in_azimuth",
        ),
        pytest.param(
            Grid(rows=TOWERS.rows, cols=Axis(name="phi", edges=[0, 0.1, 0.2, "pi", "2pi"], periodic=True)),
            id="uneven_cells_in_azimuth",
        ),
    ],
)
def test_every_cell_has_its_own_bin_of_the_position(grid):
    histogram = default_histograms("Jet", [grid])["Jet_position"]
    booked = book(histogram, {"Jet": grid})
    alone = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1))
    fill(
        booked,
        histogram.axes,
        Collections({"Jet": find_clusters(np.ones((1, *grid.shape)), alone, grid)}, {}, {}),
    )

    assert booked.values().tolist() == np.ones(grid.shape).tolist()
    assert booked.sum(flow=True) == booked.sum()


FIVE_CELLS = Grid(rows=TOWERS.rows, cols=Axis(name="phi", bins=5, start=0, stop="2pi", periodic=True))


def test_a_barycentre_beyond_pi_of_its_cell_is_in_the_bin_of_the_cell():
    """Cell 2 of 5 is about pi, its bin about -pi; 0.6 pi and three times pi give 0.91 pi, on its far side."""
    cells = np.zeros((1, *FIVE_CELLS.shape))
    cells[0, 0, 1:3] = 1, 3
    settings = PeakSumSettings(position="linear")
    histogram = default_histograms("Jet", [FIVE_CELLS])["Jet_position"]
    booked = book(histogram, {"Jet": FIVE_CELLS})
    clusters = find_clusters(cells, settings, FIVE_CELLS)
    assert clusters.phi[0, 0] == pytest.approx(np.angle(np.exp(0.6j * np.pi) - 3))

    fill(booked, histogram.axes, Collections({"Jet": clusters}, {}, {}))
    assert booked.values()[0].tolist() == [1, 0, 0, 0, 0]
    assert booked.sum(flow=True) == 1


@pytest.mark.parametrize(("axis", "bins"), {(4, 0, "2pi"): [1, 0, 1, 0], (4, 0, 7): [1, 0, 0, 0]}.items())
def test_azimuths_go_around_an_axis_of_a_whole_turn(axis, bins):
    """The cells are at 0.2 and at 1.4 times pi."""
    cells = np.zeros((1, *FIVE_CELLS.shape))
    cells[0, 0, [0, 3]] = 1
    alone = PeakSumSettings(search_window=(1, 1), sum_window=(1, 1))
    histogram = asked(("Jet.phi", *axis))
    booked = book(histogram, {"Jet": FIVE_CELLS})
    clusters = find_clusters(cells, alone, FIVE_CELLS)
    assert sorted(clusters.phi[0].to_list()) == pytest.approx([-0.6 * np.pi, 0.2 * np.pi])
    fill(booked, histogram.axes, Collections({"Jet": clusters}, {}, {}))
    assert booked.values().tolist() == bins


# ---------------------------------------------------------------------------------------------- book and fill


def test_a_histogram_is_named_and_labelled_by_the_table_of_fields():
    booked = book(asked(("Jet.pt", 10, 0, 100), ("Jet.phi", 4, "-pi", "pi"), ("Jet.row", 6, -0.5, 5.5)), GRIDS)
    assert [axis.name for axis in booked.axes] == ["Jet_pt", "Jet_phi", "Jet_row"]
    assert [axis.label for axis in booked.axes] == ["$p_T$ [GeV]", r"$\phi$ [rad]", "seed row"]
    (n_jet,) = book(asked(("nJet", 10, -0.5, 9.5)), GRIDS).axes
    assert (n_jet.name, n_jet.label) == ("nJet", "number of clusters (Jet)")


BINNINGS = {
    "peak_sum": ("Jet.peak_sum", 40, 0.25, 200.25),
    "pt": ("Jet.pt", (0.3, 20.1, 60.7, 200.9)),
    "eta": ("Jet.eta", 12, -3, 3),
    "row": ("Jet.row", 6, -0.5, 5.5),
    "n_cells": ("Jet.n_cells", 11, -0.5, 10.5),
}


def edges(axis):
    return axis[1] if len(axis) == 2 else np.linspace(axis[2], axis[3], axis[1] + 1)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("peak_sum",), id="one_axis"),
        pytest.param(("pt",), id="uneven_bins"),
        pytest.param(("pt", "eta"), id="two_axes"),
        pytest.param(("row", "n_cells", "peak_sum"), id="three_axes"),
    ],
)
def test_bins_count_as_numpy_counts(names):
    clusters = jets()
    booked = filled(asked(*(BINNINGS[name] for name in names)), clusters)
    flat = [ak.to_numpy(ak.flatten(clusters[name])) for name in names]
    expected, _ = np.histogramdd(flat, [edges(BINNINGS[name]) for name in names])

    assert len(flat[0]) > 100
    assert booked.values().tolist() == expected.tolist()
    assert booked.sum(flow=True) == len(flat[0])


def test_one_entry_per_event_counts_the_clusters_of_an_event():
    clusters = jets()
    booked = filled(asked(("nJet", 20, -0.5, 19.5)), clusters)
    expected, _ = np.histogram(ak.num(clusters), np.linspace(-0.5, 19.5, 21))
    assert booked.values().tolist() == expected.tolist()
    assert booked.sum() == len(clusters)


def test_values_outside_the_axis_are_kept_in_the_overflow():
    booked = filled(asked(("Jet.row", 2, 1.5, 3.5)), jets())
    rows = ak.flatten(jets().row)
    assert booked.values(flow=True).tolist() == [
        int(ak.sum(condition)) for condition in (rows < 2, rows == 2, rows == 3, rows > 3)
    ]


@pytest.mark.parametrize("n_events", [0, 3], ids=["no_events", "events_without_clusters"])
def test_a_chunk_without_clusters_adds_nothing_but_its_events(n_events):
    nothing = find_clusters(np.zeros((n_events, *TOWERS.shape)), None, TOWERS)
    histogram = asked(("Jet.pt", 4, 0, 9), ("Jet.eta", 4, -3, 3))
    assert filled(histogram, nothing).sum(flow=True) == 0
    assert filled(asked(("nJet", 3, -0.5, 2.5)), nothing).values().tolist() == [n_events, 0, 0]
    assert filled(histogram, jets(), nothing) == filled(histogram, jets())


NUMBERS = st.floats(width=64) | st.sampled_from([*ENERGY_EDGES, 0.0, -0.0]) | st.integers(-(2**62), 2**62)


@runs(deadline=None)
@given(
    edges=st.sampled_from([ENERGY_EDGES, (-2.0, -0.5, -0.0, 1e-300, 2.0), (1.0, 1.01, 1.02), (-1.0, 1.0)]),
    values=st.lists(NUMBERS, max_size=20),
    as_integers=st.booleans(),
)
@example(edges=ENERGY_EDGES, values=[*ENERGY_EDGES, *np.nextafter(ENERGY_EDGES, 0)], as_integers=False)
@example(edges=(-1.0, 1.0), values=[-np.inf, np.inf, np.nan, -np.nan, -1, 1], as_integers=False)
@example(edges=(1.0, 1.01, 1.02), values=[0.999, 1.0, 1.005, 1.01, 1.015, 1.02, 1.03], as_integers=False)
def test_uneven_bins_are_those_of_hist(edges, values, as_integers):
    numbers = np.array([v for v in values if np.isfinite(v) and abs(v) < 2**62] if as_integers else values)
    numbers = numbers.astype(np.int64 if as_integers else np.float64)
    histogram = HistogramInput.model_validate({"axes": [{"field": "Jet.pt", "edges": edges}]})
    expected, found = (book(histogram, GRIDS) for _ in range(2))
    expected.fill(np.where(np.isnan(numbers), -np.inf, numbers) if numbers.dtype.kind == "f" else numbers)
    fill(
        found,
        histogram.axes,
        Collections({"Jet": ak.unflatten(ak.zip({"pt": numbers}), [len(numbers)])}, {}, {}),
    )
    assert found == expected


@pytest.mark.parametrize("axis", [("Jet.pt", 4, 0, 8), ("Jet.pt", [0, 2, 4, 8])])
def test_what_is_not_a_number_is_not_above_the_axis(axis):
    clusters = ak.Array([[{"pt": 3.0}, {"pt": np.nan}], [{"pt": 9.0}]])
    booked = filled(asked(axis), clusters)
    assert booked.values(flow=True)[[0, -1]].tolist() == [1, 1]
    assert booked.sum(flow=True) == 3


def test_values_between_and_beyond_close_edges_are_told_apart():
    histogram = HistogramInput.model_validate({"axes": [{"field": "Jet.pt", "edges": [1, 1.01, 1.02]}]})
    found = book(histogram, GRIDS)
    values = [0.9999, 1.0, 1.0099, 1.01, 1.0199, 1.02, 1.03]
    fill(
        found, histogram.axes, Collections({"Jet": ak.unflatten(ak.zip({"pt": values}), [len(values)])}, {}, {})
    )
    assert found.values(flow=True).tolist() == [1, 2, 2, 2]


@runs(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 40), max_size=4).map(sorted))
def test_chunks_add_to_the_whole(cuts):
    clusters, bounds = jets(), [0, *cuts, 40]
    chunks = [clusters[start:stop] for start, stop in pairwise(bounds)]
    for histogram in (asked(BINNINGS["pt"], BINNINGS["eta"]), asked(("nJet", 9, -0.5, 8.5))):
        whole = filled(histogram, clusters)
        assert filled(histogram, *chunks) == whole
        assert sum((filled(histogram, chunk) for chunk in chunks), book(histogram, GRIDS)) == whole


def test_fields_are_needed_once_and_of_their_own_collection():
    histograms = {
        "a": asked(("Jet.pt", 4, 0, 9), ("Jet.eta", 4, 0, 9)),
        "b": asked(("Jet.pt", 4, 0, 9)),
        "c": asked(("nJet", 4, 0, 9)),
        "d": asked(("Tau.peak_sum", 4, 0, 9)),
    }
    assert needed_fields(histograms, "Jet") == ("pt", "eta")
    assert needed_fields(histograms, "Tau") == ("peak_sum",)


def test_a_collection_may_begin_with_n():
    """`nnJet` is the number of the collection nJet, `nJet.pt` one of its fields."""
    assert asked(("nJet.pt", 4, 0, 9)).axes[0].collection == "nJet"
    assert asked(("nnJet", 4, 0, 9)).axes[0].collection == "nJet"
    assert asked(("nJet", 4, 0, 9)).axes[0].collection == "Jet"


# ---------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param(
            "Tau.pt",
            r"^'Tau.pt' belongs to no collection: there are Jet \(write Jet.pt or nJet\)$",
            id="unknown_collection",
        ),
        pytest.param("nTau", r"^'nTau' belongs to no collection: there are Jet", id="unknown_number"),
        pytest.param("pt", r"^'pt' belongs to no collection: there are Jet", id="a_field_alone"),
        pytest.param("Jet.etaa", r"^no field is called 'etaa' \(did you mean 'eta'\?\)", id="unknown_field"),
        pytest.param("Jet.grid", r"'grid'", id="the_grid_where_there_is_one"),
        pytest.param("Jet.layer_sums", r"^'Jet.layer_sums' has a value for every layer", id="many_values"),
        pytest.param("Jet.net", r"^field 'net' is .* pileup: \[chunky_donut\]$", id="pile_up_not_asked_for"),
    ],
)
def test_a_histogram_of_an_unknown_field_or_collection_is_refused(field, message):
    with pytest.raises(ValueError, match=message):
        check_histogram(asked((field, 4, 0, 9)), SETTINGS, {"Jet": [TOWERS]})


@pytest.mark.parametrize("first", ["Jet.mass", "Jet.grid"])
def test_the_axis_behind_one_that_is_no_field_of_a_grid_is_checked_too(first):
    wrong = asked((first, 4, 0, 9), ("Jet.etaa", 4, 0, 9))
    with pytest.raises(ValueError, match=r"^no field is called 'etaa'"):
        check_histogram(wrong, SETTINGS, {"Jet": [TOWERS, TOWERS]}, {"Jet": ["mass"]})


def test_a_histogram_is_checked_on_every_grid_of_its_collection():
    several = {"Jet": [TOWERS, PLATES]}
    check_histogram(asked(("Jet.energy", 4, 0, 9)), SETTINGS, several)
    check_histogram(asked(("Jet.grid", 4, 0, 9)), SETTINGS, several)
    check_histogram(asked(("nJet", 4, 0, 9)), SETTINGS, several)
    with pytest.raises(ValueError, match=r"^field 'pt' needs positions on an axis named eta"):
        check_histogram(asked(("Jet.pt", 4, 0, 9)), SETTINGS, several)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param(("Jet.pt", "Tau.pt"), "of several collections", id="two_collections"),
        pytest.param(
            ("Jet.pt", "nJet"), "numbers of events and fields of clusters", id="per_cluster_and_event"
        ),
    ],
)
def test_the_axes_of_a_histogram_are_of_one_collection(fields, problem):
    with pytest.raises(
        ValueError, match=f"the axes {', '.join(fields)} are {problem}: make a histogram of each"
    ):
        asked(*((field, 4, 0, 9) for field in fields))


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        pytest.param([], "one to three axes, this has 0", id="no_axis"),
        pytest.param(
            [{"field": "nJet", "bins": 2, "start": 0, "stop": 1}] * 4,
            "one to three axes, this has 4",
            id="four_axes",
        ),
        pytest.param(
            [{"field": "Jet.pt", "bins": 2, "start": 0, "stop": stop} for stop in (1, 10)],
            "Jet.pt has 2 axes: give each another field, or make two histograms",
            id="a_field_twice",
        ),
        pytest.param([{"field": "nJet"}], "one of n, bins", id="no_bins"),
        pytest.param(
            [{"field": f"Jet.{name}", "bins": 3200, "start": 0, "stop": 1} for name in ("pt", "eta")],
            "a histogram of 1.02e[+]07 bins is too large: at most 1e[+]07",
            id="too_many_bins",
        ),
        pytest.param(
            [{"field": "nJet", "bins": 3}], "bins, start and stop belong together", id="half_the_bins"
        ),
        pytest.param([{"field": "nJet", "bins": True, "start": 0, "stop": 1}], "not a whole number", id="bool"),
        pytest.param([{"field": "nJet", "edges": [0, 2, 1]}], "each larger than the one before", id="edges"),
        pytest.param([{"field": "Jet.pt.x", "edges": [0, 1]}], "field", id="two_dots"),
        pytest.param([{"field": "Jet.pt * 2", "edges": [0, 1]}], "field", id="an_expression"),
    ],
)
def test_a_wrong_axis_is_refused(axes, message):
    with pytest.raises(ValueError, match=message):
        HistogramInput(axes=axes)
