"""Long inputs are searched a few events at a time: the same clusters in bounded memory."""

import gc
import tracemalloc

import awkward as ak
import numpy as np
import pytest

from hep_peaksum import PeakSumSettings, block_sizes, find_clusters, peak_sum_map, sparse
from hep_peaksum.clustering.fields import fields_of, needs_cells
from hep_peaksum.clustering.find import SearchInput
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid
from hep_peaksum.geometry.hits import Hits

N_EVENTS, SHAPE, N_LAYERS = 23, (6, 12), 2
PLANE = Grid(
    rows=Axis(name="eta", bins=6, start=-1, stop=1),
    cols=Axis(name="phi", bins=12, start=0, stop="2pi", periodic=True),
    saturated=(7,),
)
FIELDS = [*fields_of(PLANE, PeakSumSettings(pileup=["chunky_donut"]))]
FIELDS = [name for name in FIELDS if name not in ("layer", "layer_sums", "noise", "time", "seed_time")]
HOW = {
    "plain": {},
    "highest": {"overlap": "highest"},
    "proportional": {"overlap": "proportional", "position": "log"},
    "abs": {"cell_threshold": 2, "cell_threshold_abs": True},
    "gap": {"min_seed_gap": 1, "max_clusters": 2},
    "seed_window": {"seed_window": (3, 3)},
    "towers": {"coarsen": (2, 1), "sum_over": "cells"},
    "greedy": {"tie_rule": "greedy-residual"},
    "group": {"group": "corners", "cell_threshold": 2},
    "empty cells": {"seed_threshold": 0, "seed_comparison": ">="},
}


def cells_of(kind):
    """Return cells of many events, in layers or as hits."""
    random = np.random.default_rng(3)
    cells = random.integers(-1, 8, (N_EVENTS, N_LAYERS, *SHAPE)) * (random.random((1, 1, *SHAPE)) < 0.6)
    cells[4] = 0
    if kind == "layers":
        return cells.astype("int16")
    if kind == "cells":
        return cells[:, 0].astype("float32")
    event, row, col = np.nonzero(cells[:, 0])
    energy, n_hits = cells[event, 0, row, col].astype("float32"), np.bincount(event, minlength=N_EVENTS)
    place = np.asarray(PLANE.rows.centres)[row], np.asarray(PLANE.cols.centres)[col]
    return sparse(*(ak.unflatten(column, n_hits) for column in (*place, energy)), PLANE)


@pytest.mark.parametrize(
    ("shape", "layers", "mask", "is_other"),
    [
        ((5, 6, 12), "sum", (6, 12), False),
        ((5, 6, 12), "sum", (5, 6, 12), False),
        ((5, 2, 6, 12), "sum", (5, 6, 12), False),
        ((5, 2, 6, 12), "sum", (5, 2, 6, 12), False),
        ((5, 2, 6, 12), "each", (2, 6, 12), False),
        ((5, 2, 6, 12), "each", (5, 2, 6, 12), False),
        ((2, 2, 6, 12), "each", (2, 6, 12), False),  # of layers, not of events
        ((5, 6, 12), "sum", (1, 6, 12), True),
    ],
)
def test_maps_are_one_plane_or_one_for_each_event(shape, layers, mask, is_other):
    """With maps of other shapes all events are searched at once, whatever memory that takes."""
    cells, mask = np.ones(shape), np.zeros(mask, bool)
    given = SearchInput(cells, bare_grid(shape), mask, None, [], layers, len(cells))
    assert given.has_maps_of_other_shapes == is_other
    is_cut = len(mask) == len(cells) and (layers, mask.shape) != ("each", shape[1:])
    assert len(given.events(1, 2, None).mask) == (1 if is_cut else len(mask))


@pytest.fixture(params=[1, 5, 22])
def few_at_a_time(request, monkeypatch):
    """Call a function once with all events at once, and then with so many at a time."""

    def results(function):
        expected = function()
        for word in ("DENSE_CELLS", "ROOM_CELLS"):
            monkeypatch.setattr(block_sizes, word, request.param * N_LAYERS * 6 * 12)
        monkeypatch.setattr(block_sizes, "ROOM_HITS", 20 * request.param)
        return function(), expected

    return results


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("kind", ["hits", "cells", "layers"])
def test_clusters_do_not_depend_on_how_many_events_are_searched_at_a_time(few_at_a_time, kind, how):
    settings = PeakSumSettings.model_validate({"seed_threshold": 2, "pileup": ["chunky_donut"], **how})
    cells = cells_of(kind)

    def results():
        clusters = [find_clusters(cells, settings, PLANE, fields=fields) for fields in (None, FIELDS)]
        return clusters, peak_sum_map(cells, settings, PLANE)

    (found, found_map), (expected, expected_map) = few_at_a_time(results)
    for each, other in zip(found, expected, strict=True):
        assert ak.array_equal(each, other, equal_nan=True)
        assert each.type == other.type
        assert ak.sum(ak.num(each)) > N_EVENTS
    assert np.array_equal(found_map, expected_map)
    assert found_map.dtype == expected_map.dtype


@pytest.mark.parametrize("shape", [SHAPE, (72,), (N_EVENTS, *SHAPE), (N_EVENTS, 72)], ids=str)
@pytest.mark.parametrize("kind", ["hits", "cells", "layers"])
def test_every_event_keeps_its_mask_and_its_noise(few_at_a_time, kind, shape):
    random, cells = np.random.default_rng(4), cells_of(kind)
    mask = np.ma.array(random.random(shape) < 0.2, mask=random.random(shape) < 0.1)
    noise = np.ma.array(random.random(shape) + 0.5, mask=random.random(shape) < 0.1)
    settings = PeakSumSettings(seed_threshold="2 sigma")
    fields = ["peak_sum", "n_masked", "noise"]
    found, expected = few_at_a_time(
        lambda: find_clusters(cells, settings, PLANE, mask=mask, noise=noise, fields=fields)
    )
    assert ak.array_equal(found, expected)
    assert ak.sum(found.n_masked) > 20


@pytest.mark.parametrize(
    "shape",
    [SHAPE, (N_LAYERS, *SHAPE), (N_EVENTS, N_LAYERS, *SHAPE), (N_EVENTS * N_LAYERS, *SHAPE)],
    ids=str,
)
def test_every_layer_keeps_its_mask_and_its_noise(few_at_a_time, shape):
    random, cells = np.random.default_rng(4), cells_of("layers")
    maps = {"mask": random.random(shape) < 0.2, "noise": random.random(shape) + 0.5}
    settings, fields = (
        PeakSumSettings(quantity="significance", seed_threshold=2),
        ["layer", "peak_sum", "noise"],
    )
    found, expected = few_at_a_time(
        lambda: find_clusters(cells, settings, PLANE, layers="each", fields=fields, **maps)
    )
    assert ak.array_equal(found, expected)
    assert ak.sum(found.layer) > 20


def test_as_many_events_as_layers_are_told_apart(few_at_a_time):
    """A mask of all layers, or one of every event, though both have one shape."""
    cells = cells_of("layers")[:N_LAYERS]
    mask = np.zeros((N_LAYERS, *SHAPE), bool)
    mask[0, :3], mask[1, 3:] = True, True
    for layers in ("sum", "each"):
        found, expected = few_at_a_time(
            lambda layers=layers: find_clusters(cells, mask=mask, layers=layers, fields=["n_masked"])
        )
        assert ak.array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("fields", [["row", "peak_sum"], None], ids=["plain", "all"])
def test_hits_whose_total_is_not_finite_give_no_warning(dtype, fields):
    """Warnings are errors here."""
    most = np.finfo(dtype).max / 1.1
    for values, rows in (([most, most], [2, 2]), ([np.inf, -np.inf], [])):
        value = ak.values_astype(ak.Array([[values[0]], [values[1]], [1.0]]), dtype)
        hits = sparse(ak.Array([[2], [2], [3]]), ak.Array([[4], [4], [4]]), value, bare_grid(SHAPE))
        found = find_clusters(hits, {"nonfinite": "mask"}, fields=fields)
        assert ak.flatten(found.row).to_list() == [*rows, 3]
        assert ak.flatten(found.peak_sum).to_list() == [*(float(np.dtype(dtype).type(most)) for _ in rows), 1]


@pytest.mark.parametrize("kind", ["hits", "cells", "layers"])
def test_an_event_that_cannot_be_searched_is_counted_from_the_first(few_at_a_time, kind):
    cells = cells_of(kind)

    def message(settings, broken):
        with pytest.raises(EventError) as caught:
            find_clusters(broken, settings, PLANE, fields=["barycentre_row"])
        return str(caught.value)

    shares = PeakSumSettings(seed_threshold=-1, seed_comparison=">=", overlap="proportional")
    found, expected = few_at_a_time(lambda: message(shares, cells))
    assert found == expected != "event 0"
    if kind == "hits":
        cells.value[-1] = np.nan
    else:
        cells = cells.astype("float64")
        cells[-1, ..., 2, 3] = np.nan
    assert message(PeakSumSettings(seed_threshold=1), cells).startswith(f"event {N_EVENTS - 1}: cell (row ")


@pytest.mark.parametrize("shape", [(5, 12), (3, *SHAPE), (N_EVENTS, 5, 12)], ids=str)
@pytest.mark.parametrize("kind", ["hits", "cells"])
def test_a_mask_of_another_shape_is_refused_with_the_shape_of_all_events(few_at_a_time, kind, shape):
    def message():
        with pytest.raises(ValueError, match=r".") as caught:
            find_clusters(cells_of(kind), mask=np.zeros(shape, bool), fields=["barycentre_row"])
        return str(caught.value)

    found, expected = few_at_a_time(message)
    assert found == expected == f"mask is bool of shape {shape}, expected bool of shape (6, 12) or (23, 6, 12)"


@pytest.mark.parametrize("position", ["seed", "linear"])
@pytest.mark.parametrize("name", FIELDS)
def test_fields_that_need_no_cells_are_known(monkeypatch, name, position):
    """Which fields hits have without dense grids is written down in one place: here it is tried."""
    settings = PeakSumSettings(seed_threshold=1, position=position, pileup=["chunky_donut"])
    hits = cells_of("hits")
    if needs_cells([name], settings, PLANE):
        return

    def dense(self):
        raise AssertionError(name)

    monkeypatch.setattr(Hits, "dense", dense)
    assert len(find_clusters(hits, settings, PLANE, fields=[name])) == N_EVENTS


# ---------------------------------------------------------------------------------------------------- memory


def peak_memory(function):
    """Return the bytes that a function takes at most beyond what it returns."""
    function()
    gc.collect()
    tracemalloc.start()
    try:
        result = function()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - result.nbytes


def showers_as_hits(n_events, shape, n_hits):
    random = np.random.default_rng(1)
    row, col = (random.integers(0, n, n_events * n_hits) for n in shape)
    energy = random.exponential(1, n_events * n_hits).astype("float32")
    return sparse(*(ak.unflatten(column, n_hits) for column in (row, col, energy)), bare_grid(shape))


COSTLY = {
    "barycentre": ({}, ["peak_sum", "barycentre_row"]),
    "log": ({"position": "log"}, None),
    "highest": ({"overlap": "highest"}, None),
    "abs": ({"cell_threshold": 0.2, "cell_threshold_abs": True}, None),
    "seed window": ({"seed_window": (3, 3)}, None),
    "donut": ({"pileup": ["chunky_donut"]}, None),
    "every cell": ({"seed_threshold": "1 GeV"}, ["e1_e9", "isolation", "shared_sum", "seed_gap"]),
}


@pytest.mark.parametrize(("how", "fields"), [COSTLY["barycentre"]])
def test_memory_of_hits_does_not_grow_with_the_plane(how, fields):
    """1000 events of 128 x 240 cells would be 245 MB if all were dense at once."""
    settings, hits = PeakSumSettings(seed_threshold=0.5, **how), showers_as_hits(1000, (128, 240), 100)
    assert peak_memory(lambda: find_clusters(hits, settings, fields=fields)) < 40e6


def test_clusters_that_are_left_out_take_no_memory_for_long():
    """Every cell is a cluster, of which one an event stays: to order all at once took 19 times the input."""
    cells = np.random.default_rng(1).random((3000, 32, 32), dtype=np.float32)
    settings = PeakSumSettings(
        search_window=(1, 1), seed_window="ox\nxx", sum_window="ox\nxx", tie_rule="all", max_clusters=1
    )
    assert peak_memory(lambda: find_clusters(cells, settings)) < 2 * cells.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(24, 16), (128, 240)], ids=str)
@pytest.mark.parametrize(("how", "fields"), COSTLY.values(), ids=COSTLY)
def test_memory_of_hits_is_bounded_whatever_the_option(how, fields, shape):
    """At most 100 bytes per hit, and so much for a block of events."""
    grid = bare_grid(shape).model_copy(update={"unit": 1.0})
    settings, hits = (
        PeakSumSettings.model_validate({"seed_threshold": 0.5, **how}),
        showers_as_hits(2000, shape, 200),
    )
    beyond = peak_memory(lambda: find_clusters(hits, settings, grid, fields=fields))
    assert beyond < 100 * len(hits.value) + 20e6
