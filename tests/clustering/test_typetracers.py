"""Arrays that have a type and no values: dask and coffea ask with them what is read, and what comes of it."""

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents.trace import trace
from event_files import event_index

import hep_peaksum as ps

PLANE = ps.Grid(
    rows=ps.Axis(name="eta", bins=6, start=-3, stop=3),
    cols=ps.Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
)
SETTINGS = {"seed_threshold": 3}
HITS = ak.Array(
    {"row": [[-2.5, 0.5], [], [1.5]], "col": [[0.1, 3.0], [], [-1.0]], "e": [[5.0, 9.0], [], [4.0]]}
)


def find(cells, **options):
    return ps.find_clusters(cells, SETTINGS, PLANE, **options)


def of_hits(make):
    return lambda hits: find(make(hits.row, hits.col, hits.e, PLANE))


def grids_of(random_cells):
    cells = random_cells(5)
    masked = ak.mask(ak.from_numpy(cells, regulararray=True), cells != 2)
    return {
        "regular": (ak.from_numpy(cells, regulararray=True), find),
        "jagged": (ak.from_regular(ak.Array(cells), axis=None), find),
        "flat": (ak.Array(cells.reshape(5, -1).tolist()), find),
        "integer": (ak.from_numpy(cells.astype(int), regulararray=True), find),
        "masked": (masked, find),
        "layers": (ak.from_numpy(random_cells(5, shape=(3, 6, 8)), regulararray=True), find),
        "jagged_layers": (ak.Array(random_cells(5, shape=(3, 6, 8)).tolist()), find),
        "no_grid": (ak.Array(cells.tolist()), ps.find_clusters),
        "from_dense": (ak.Array(cells.reshape(5, -1).tolist()), lambda each: find(ps.from_dense(each, PLANE))),
        "sparse": (HITS, of_hits(ps.sparse)),
        "from_hits": (HITS, of_hits(ps.from_hits)),
    }


FORMS = ["regular", "jagged", "flat", "integer", "masked", "layers", "jagged_layers", "no_grid", "from_dense"]
FORMS += ["sparse", "from_hits"]


@pytest.mark.parametrize("form", FORMS)
def test_types_alone_give_the_type_of_the_clusters_and_touch_all_data(random_cells, form):
    array, function = grids_of(random_cells)[form]
    tracer, report = ak.typetracer.typetracer_with_report(ak.to_layout(array).form_with_key("node"))
    traced = function(ak.Array(tracer))
    assert ak.backend(traced) == "typetracer"
    assert str(traced.type).startswith("## * ")  # of how many events nobody knows
    assert traced.layout.form == function(array).layout.form
    forms = [ak.to_layout(array).form_with_key("node")]
    assert {*report.data_touched} == {key.rpartition("-")[0] for key in forms[0].expected_from_buffers()}


@pytest.mark.parametrize("form", FORMS)
def test_no_events_give_no_clusters_of_the_same_type(random_cells, form):
    """Lists of any length do not say how many cells an event would have."""
    array, function = grids_of(random_cells)[form]
    found = function(array[:0])
    assert len(found) == 0
    assert found.layout.form == function(array).layout.form


def test_coffea_traces_a_function_that_finds_clusters(write_events):
    events = event_index(write_events("a.root", 4, other=np.arange(4)))
    assert trace(lambda each: ak.num(find(each.cells)), events) == {"cells"}


@pytest.fixture
def dask_awkward():
    """Return the module if it works with the installed dask: 2025.3 does with dask 2025.3, not with 2026.8."""
    module = pytest.importorskip("dask_awkward")
    try:
        module.map_partitions(ak.num, module.from_awkward(ak.Array([[1], []]), 2)).compute(scheduler="sync")
    except ValueError as error:
        pytest.skip(f"dask-awkward does not work with this dask ({error}): pip install 'dask==2025.3.0'")
    return module


@pytest.mark.parametrize("form", FORMS)
def test_dask_awkward_finds_the_same_clusters_in_partitions(random_cells, form, dask_awkward):
    array, function = grids_of(random_cells)[form]
    lazy = dask_awkward.map_partitions(function, dask_awkward.from_awkward(array, 2))
    assert lazy.compute(scheduler="sync").to_list() == function(array).to_list()
    assert (lazy.peak_sum * 2).compute(scheduler="sync").to_list() == (function(array).peak_sum * 2).to_list()


def test_dask_awkward_reads_only_the_cells(write_events, random_cells, dask_awkward):
    events = uproot.dask({write_events("a.root", 9): "Events"}, step_size=4)
    clusters = dask_awkward.map_partitions(find, events.cells)
    assert [*dask_awkward.necessary_columns(clusters).values()] == [frozenset({"cells"})]
    assert clusters.compute(scheduler="sync").to_list() == find(random_cells(9)).to_list()
