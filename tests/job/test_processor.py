"""The processor under coffea's executors, chunk by chunk, its results in memory."""

import pickle

import awkward as ak
import cloudpickle
import loky
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot
import yaml
from coffea import processor
from coffea.nanoevents import BaseSchema
from event_files import event_index

from hep_peaksum import Axis, Grid, PeakSumProcessor, PeakSumSettings, block_sizes, find_clusters
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.coffea_runner import Runner
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.chunk_files import read_record

JOB = yaml.safe_load("""
grids:
  calo:
    dense: {branch: cells}
    rows: {name: eta, bins: 6, start: -3, stop: 3}
    cols: {name: phi, bins: 8, start: -pi, stop: pi, periodic: true}
clusters:
  Jet: {grid: calo, seed_threshold: 3}
events:
  identify: {run: run, luminosityBlock: luminosityBlock, event: event}
""")
PLANE = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
)
EXECUTORS = {
    "iterative": lambda: processor.IterativeExecutor(status=False),
    "futures": lambda: processor.FuturesExecutor(
        pool=loky.get_reusable_executor(max_workers=2, timeout=300), workers=2, status=False
    ),
}


def run(files, job=JOB, chunksize=100_000, executor="iterative", **arguments):
    """Run a processor over files of one dataset and return its result."""
    runner = processor.Runner(executor=EXECUTORS[executor](), schema=BaseSchema, chunksize=chunksize)
    fileset = {"toy": {"files": dict.fromkeys(files, "Events")}}
    return runner(fileset, PeakSumProcessor(**job, **arguments))["toy"]


def expected_of(files, settings=None, fields=None):
    """Return the clusters of all events of the files, found in one call."""
    cells = uproot.concatenate(dict.fromkeys(files, "Events"), ["cells"], library="np")["cells"]
    return find_clusters(cells, settings or PeakSumSettings(seed_threshold=3), PLANE, fields=fields)


def equal(one, other):
    """Return whether two arrays have equal values and types, whatever their parameters."""
    return ak.array_equal(one, other, check_parameters=False, same_content_types=False)


# ------------------------------------------------------------------------------------------------ construction


@pytest.mark.parametrize("module", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_a_processor_survives_pickling(write_events, module):
    files = [write_events("a.root", 10)]
    copy = module.loads(module.dumps(PeakSumProcessor(**JOB)))
    runner = processor.Runner(executor=EXECUTORS["iterative"](), schema=BaseSchema)
    result = runner({"toy": {"files": {files[0]: "Events"}}}, copy)["toy"]
    assert equal(result["events"].Jet, expected_of(files))


def test_a_processor_is_made_of_plain_yaml_values(write_events):
    files = [write_events("a.root", 10)]
    job = yaml.safe_load(yaml.safe_dump(JOB))
    assert equal(run(files, job)["events"].Jet, expected_of(files))


def test_every_problem_of_the_sections_is_reported():
    job = {**JOB, "clusters": {"Jet": {"grid": "kalo"}, "Wide": {"grid": "calo", "search_window": [3, 9]}}}
    with pytest.raises(ConfigError) as error:
        PeakSumProcessor(**job)
    assert len(error.value.problems) == 2
    assert error.value.problems[0].startswith("clusters.Jet.grid: no grid 'kalo' (did you mean 'calo'?)")
    assert error.value.problems[1].startswith(
        "clusters.Wide: search_window is longer than the periodic axis phi"
    )


# ------------------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("chunksize", [1, 4, 100])
def test_events_come_back_in_the_order_of_the_input(write_events, chunksize, executor):
    files = [write_events(f"{name}.root", n, seed) for name, n, seed in (("a", 9, 1), ("b", 5, 2), ("c", 8, 3))]
    result = run(files, chunksize=chunksize, executor=executor)
    events, inputs = result["events"], uproot.concatenate(dict.fromkeys(files, "Events"))
    assert result["n_events"] == len(events) == 22
    for word in ("run", "luminosityBlock", "event"):
        assert events[word].to_list() == inputs[word].to_list()
    assert equal(events.Jet, expected_of(files))
    assert result["n_clusters"] == {"Jet": ak.count(events.Jet.peak_sum)}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_chunks_of_equal_shape_are_not_added_up(write_root, executor):
    """coffea adds awkward arrays of equal shape element by element."""
    cells = np.zeros((4, 6, 8), "f4")
    cells[:, 2, 2] = 5  # one cluster in every event: any two chunks of two events could be added
    words = {word: np.arange(4) for word in ("run", "luminosityBlock", "event")}
    file = write_root("a.root", {"Events": {"cells": cells, **words}})
    result = run([file], chunksize=2, executor=executor)
    assert result["events"].Jet.peak_sum.to_list() == [[5]] * 4
    assert result["events"].event.to_list() == [0, 1, 2, 3]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_files_are_in_the_order_of_the_config_if_it_is_given(write_events, executor):
    files = [write_events(f"{name}.root", 6, seed) for name, seed in (("c", 1), ("a", 2), ("b", 3))]
    datasets = {"toy": {"files": dict.fromkeys(files, "Events")}}
    listed = run(files, chunksize=2, executor=executor, datasets=datasets)["events"]
    assert listed.event.to_list() == [*range(1000, 1006), *range(2000, 2006), *range(3000, 3006)]
    by_name = run(files, chunksize=2, executor=executor)["events"]
    assert by_name.event.to_list() == [*range(2000, 2006), *range(3000, 3006), *range(1000, 1006)]


def test_events_without_identity_are_numbered_in_the_order_of_the_config(write_events):
    files = [
        write_events(f"{name}.root", 3, seed, event=np.arange(3) / 2) for name, seed in (("c", 1), ("a", 2))
    ]
    job = {**JOB, "events": {}}
    datasets = {"other": {"files": {files[0]: "Events"}}, "toy": {"files": dict.fromkeys(files, "Events")}}
    events = run(files, job, chunksize=2, datasets=datasets)["events"]
    assert events.run.to_list() == [2] * 6
    assert events.luminosityBlock.to_list() == [1] * 3 + [2] * 3
    assert events.event.to_list() == [0, 1, 2] * 2


@pytest.mark.parametrize("executor", EXECUTORS)
def test_clusters_in_memory_are_four_vectors(write_events, executor):
    import vector

    files = [write_events(f"{name}.root", 6, seed) for name, seed in (("b", 1), ("a", 2))]
    job = {
        **JOB,
        "clusters": {"Jet": JOB["clusters"]["Jet"], "Flat": {"grid": "calo", "fields": ["row", "phi"]}},
    }
    events = run(files, job, chunksize=2, executor=executor)["events"]
    expected = ak.concatenate([expected_of(files[1:]), expected_of(files[:1])])
    assert isinstance(events.Jet, vector.backends.awkward.MomentumArray4D)
    assert ak.flatten(events.Jet.px).to_list() == pytest.approx(
        ak.flatten(expected.pt * np.cos(expected.phi)).to_list()
    )
    pairs = ak.combinations(events.Jet, 2)
    assert ak.all(pairs["0"].deltaR(pairs["1"]) > 0)
    assert ak.parameters(events.Flat.layout.content) == {}
    # as coffea adds the results of chunks
    processor_ = PeakSumProcessor(**job)
    index = [event_index(file) for file in files]
    merged = processor_.postprocess(processor.accumulate([processor_.process(each) for each in index]))
    assert ak.sum(merged["toy"]["events"].Jet.mass) == pytest.approx(0, abs=1e-3)


def test_a_histogram_of_another_field_leaves_four_vectors(write_events):
    file = write_events("a.root", 6)
    axes = {"w": {"axes": [{"field": "Jet.width_eta", "bins": 5, "start": 0, "stop": 1}]}}
    jets = run([file], histograms=axes)["events"].Jet
    assert "width_eta" not in jets.fields
    assert ak.parameters(jets.layout.content) == {"__record__": "Momentum4D"}


def test_chunks_beyond_the_tenth_are_not_sorted_as_text(write_events):
    file = write_events("a.root", 12)
    assert run([file], chunksize=1)["events"].event.to_list() == list(range(1000, 1012))


def test_histograms_are_those_of_all_chunks(write_events):
    file = write_events("a.root", 40)
    axis = {"field": "Jet.pt", "bins": 20, "start": 0, "stop": 60}
    whole, parts = (
        run([file], chunksize=size, histograms={"jet_pt": {"axes": [axis]}})["histograms"]["jet_pt"]
        for size in (100, 7)
    )
    pt = expected_of([file], fields=["pt"]).pt
    assert whole == parts
    assert whole.values().tolist() == np.histogram(ak.flatten(pt), 20, (0, 60))[0].tolist()


def test_datasets_are_kept_separate(write_events):
    a, b = write_events("a.root", 5, 1), write_events("b.root", 5, 2)
    fileset = {"one": {"files": {a: "Events"}}, "two": {"files": {b: "Events"}}}
    runner = processor.Runner(executor=EXECUTORS["iterative"](), schema=BaseSchema, chunksize=2)
    result = runner(fileset, PeakSumProcessor(**JOB))
    assert equal(result["one"]["events"].Jet, expected_of([a]))
    assert equal(result["two"]["events"].Jet, expected_of([b]))


# --------------------------------------------------------------------------------------- collections and grids


def test_several_collections_come_from_one_reading(write_events):
    file = write_events("a.root", 30)
    clusters = {
        "Jet": {"grid": "calo", "seed_threshold": 3, "tie_rule": "all"},
        "Cell": {
            "grid": "calo",
            "seed_threshold": 5,
            "sum_window": [1, 1],
            "fields": ["peak_sum", "row", "col"],
        },
    }
    events = run([file], {**JOB, "clusters": clusters}, chunksize=8)["events"]
    every, cell = (
        PeakSumSettings(seed_threshold=3, tie_rule="all"),
        PeakSumSettings(seed_threshold=5, sum_window=(1, 1)),
    )
    assert equal(events.Jet, expected_of([file], every))
    assert equal(events.Cell, expected_of([file], cell, ["peak_sum", "row", "col"]))
    assert events.fields == ["run", "luminosityBlock", "event", "Jet", "Cell"]


def test_several_grids_fill_one_collection_the_largest_energy_first(write_root, random_cells):
    em, had = random_cells(20, 1), random_cells(20, 2, shape=(3, 4))
    file = write_root("a.root", {"Events": {"em": em, "had": had}})
    grids = {
        "em": {"dense": {"branch": "em", "shape": [6, 8]}, "unit": 1},
        "had": {"dense": {"branch": "had", "shape": [3, 4]}, "unit": 10},
    }
    job = {
        "grids": grids,
        "clusters": {"Cluster": {"grid": ["em", "had"], "fields": ["peak_sum", "row", "energy"]}},
        "select": {"Had": {"from": "Cluster", "where": [{"field": "grid", "equals": 1}]}},
        "sums": {"of_had": "Had.peak_sum"},
    }
    events = run([file], job, chunksize=7)["events"]
    clusters = events.Cluster
    of_em = find_clusters(em, fields=["peak_sum", "row"])
    of_had = find_clusters(had, fields=["peak_sum", "row"])
    for number, expected in enumerate((of_em, of_had)):
        mine = clusters[clusters.grid == number]
        assert ak.sort(mine.peak_sum).to_list() == ak.sort(expected.peak_sum).to_list()
        assert mine.energy.to_list() == (mine.peak_sum * (1, 10)[number]).to_list()
    assert ak.all(clusters.energy[:, :-1] >= clusters.energy[:, 1:])
    assert events.of_had.to_list() == ak.sum(of_had["peak_sum"], axis=1).to_list()


def test_layers_are_summed_for_the_search_and_kept_for_the_field(write_root, random_cells):
    cells = random_cells(15, shape=(3, 6, 8))
    file = write_root("a.root", {"Events": {"cells": cells}})
    dense = {"branch": "cells", "shape": [3, 6, 8], "axes": ["layer", "row", "col"]}
    clusters = {"Jet": {"grid": "calo", "seed_threshold": 3, "fields": ["peak_sum", "layer_sums"]}}
    job = {"grids": {"calo": {"dense": dense, "layers": "sum"}}, "clusters": clusters}
    jets = run([file], job, chunksize=4)["events"].Jet
    expected = find_clusters(cells, PeakSumSettings(seed_threshold=3), fields=["peak_sum", "layer_sums"])
    assert jets.to_list() == expected.to_list()
    assert ak.all(ak.sum(jets.layer_sums, axis=-1) == jets["peak_sum"])


def test_a_response_divides_by_the_metadata_that_coffea_gives_to_events(random_cells):
    axis = {"bins": 4, "start": 0, "stop": 40}
    beam = {"response": "leading", "of": "Jet.peak_sum", "to": "dataset.beam", "ratio_axis": axis}
    words = ("run", "luminosityBlock", "event")
    events = ak.zip(
        {"cells": ak.from_regular(random_cells(9)), **dict.fromkeys(words, np.arange(9))}, depth_limit=1
    )
    found = PeakSumProcessor(**JOB, measurements={"beam": beam}).find(
        ak.with_parameter(events, "metadata", {"dataset": "d", "beam": 2.0})
    )
    ratios = ak.max(found.events.Jet["peak_sum"], axis=1) / 2
    assert found.histograms["beam"].values().tolist() == np.histogram(ratios, 4, (0, 40))[0].tolist()


# ------------------------------------------------------------------------------------------------ no clusters


TYPES = "{peak_sum: float64, seed: float64, row: int32, col: int32, n_cells: int32, pt: float64, eta: float64, phi: float64, energy: float64}"  # fmt: skip  # noqa: E501 -- reads as one line
HITS = {
    **JOB,
    "grids": {"calo": {**JOB["grids"]["calo"], "hits": {"row": "hit_row", "col": "hit_col", "value": "hit_e"}}},
}
HITS["grids"]["calo"].pop("dense")


def type_of(collection):
    """Return the type of a collection as text, without its parameters."""
    return str(ak.without_parameters(ak.from_regular(collection)).type.content.content)


def test_a_file_without_entries_gives_no_events_of_the_right_types(write_events):
    events = run([write_events("a.root", 0)])["events"]
    assert len(events) == 0
    assert type_of(events.Jet) == TYPES
    assert str(events.event.type) == "0 * uint64"


def test_a_file_without_entries_among_others_changes_nothing(write_events):
    files = [write_events(f"{name}.root", n, seed) for name, n, seed in (("a", 4, 1), ("b", 0, 2), ("c", 3, 3))]
    result = run(files, chunksize=2)
    assert result["n_events"] == 7
    assert equal(result["events"].Jet, expected_of([files[0], files[2]]))


def test_events_without_clusters_have_empty_lists(write_events):
    job = {**JOB, "clusters": {"Jet": {"grid": "calo", "seed_threshold": 1000}}}
    result = run([write_events("a.root", 10)], job, chunksize=3)
    assert result["events"].Jet.to_list() == [[]] * 10
    assert type_of(result["events"].Jet) == TYPES
    assert result["n_clusters"] == {"Jet": 0}


@pytest.mark.parametrize("n_events", [0, 5])
def test_a_file_in_which_no_event_has_hits_gives_empty_lists(write_root, n_events):
    empty = ak.Array([[1.0]])[:, :0]
    hits = ak.concatenate([ak.zip({"row": ak.values_astype(empty, "i4"), "col": ak.values_astype(empty, "i4"), "e": empty})] * 5)  # fmt: skip  # noqa: E501 -- reads as one line
    words = {word: np.arange(n_events) for word in ("run", "luminosityBlock", "event")}
    file = write_root("a.root", {"Events": {"hit": hits[:n_events], **words}})
    events = run([file], HITS)["events"]
    assert events.Jet.to_list() == [[]] * n_events
    assert type_of(events.Jet) == TYPES


# ------------------------------------------------------------------------------- in another processor


class Analysis(processor.ProcessorABC):
    """A processor of a user: the clusters, a selection and a result of its own."""

    def __init__(self):
        self.peaksum = PeakSumProcessor(**JOB)

    def process(self, events):
        jets = self.peaksum.find(events).events.Jet
        return {"n": len(events), "two_jets": int(ak.sum(ak.num(jets) >= 2)), "pt": float(ak.sum(jets.pt))}

    def postprocess(self, accumulator):
        return accumulator


@pytest.mark.parametrize("executor", EXECUTORS)
def test_find_works_inside_another_processor(write_events, executor):
    file = write_events("a.root", 30)
    runner = processor.Runner(executor=EXECUTORS[executor](), schema=BaseSchema, chunksize=7)
    result = runner({"toy": {"files": {file: "Events"}}}, Analysis())
    expected = expected_of([file])
    assert result["n"] == 30
    assert result["two_jets"] == int(ak.sum(ak.num(expected) >= 2))
    assert result["pt"] == pytest.approx(ak.sum(expected.pt), rel=1e-12)


def test_find_clusters_works_on_a_branch_of_events(write_events):
    file = write_events("a.root", 12)

    def process(events):
        return {
            "peak_sum": float(
                ak.sum(find_clusters(events.cells, PeakSumSettings(seed_threshold=3), PLANE).peak_sum)
            )
        }

    runner = processor.Runner(executor=EXECUTORS["iterative"](), schema=BaseSchema, chunksize=5)
    result = runner({"toy": {"files": {file: "Events"}}}, process)
    assert result["peak_sum"] == ak.sum(expected_of([file]).peak_sum)


# ----------------------------------------------------------------------------------------------- bad events


def error_of(file, job=JOB, chunksize=4):
    """Return the error message when a chunk cannot be processed."""
    runner = Runner(executor=processor.IterativeExecutor(status=False), schema=BaseSchema, chunksize=chunksize)
    with pytest.raises(RuntimeError) as error:
        runner({"toy": [(file, "Events")]}, PeakSumProcessor(**job))
    return str(error.value)


BLOCKS = {
    "blocks_of_1": (1, 1),
    "blocks_of_2": (2, 2),
    "one_block": (10_000, 10_000),
    "5_read_2_searched": (5, 2),
}


@pytest.fixture(params=BLOCKS.values(), ids=BLOCKS)
def block_cells(request, monkeypatch):
    """Read the events of a chunk a few at a time, and search perhaps fewer."""
    n_read, n_searched = request.param
    monkeypatch.setattr(block_sizes, "READ_CELLS", 48 * n_read)
    for name in ("DENSE_CELLS", "ROOM_CELLS"):
        monkeypatch.setattr(block_sizes, name, 48 * n_searched)


@pytest.mark.usefixtures("block_cells")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("chunksize", [3, 100])
def test_a_nan_is_reported_with_file_entry_and_cell(write_events, random_cells, value, chunksize):
    cells = random_cells(10)
    cells[8, 4, 5] = value
    file = write_events("a.root", 10, cells=cells)
    message = error_of(file, chunksize=chunksize)
    assert (
        message
        == f"{file}: entry 8: clusters.Jet: cell (row 4, col 5) is {value}: mask it, or set nonfinite to 'mask'"
    )


def test_a_nan_can_be_masked(write_events, random_cells):
    cells = random_cells(10)
    cells[8, 4, 5] = np.nan
    file = write_events("a.root", 10, cells=cells)
    job = {**JOB, "clusters": {"Jet": {"grid": "calo", "seed_threshold": 3, "nonfinite": "mask"}}}
    assert equal(
        run([file], job, chunksize=3)["events"].Jet,
        expected_of([file], PeakSumSettings(seed_threshold=3, nonfinite="mask")),
    )


@pytest.mark.usefixtures("block_cells")
def test_a_ragged_event_is_reported_with_file_and_entry(write_root):
    lists = ak.values_astype(ak.Array([[1] * 48] * 7 + [[1] * 47] + [[1] * 48]), "f4")
    words = {word: np.arange(9) for word in ("run", "luminosityBlock", "event")}
    file = write_root("a.root", {"Events": {"cells": lists, **words}})
    short = f"{file}: entry 7: cells: 47 values where the grid needs 48"
    advice = "change rows, cols or shape; a branch that leaves out empty cells has hits, which need row and col"
    assert error_of(file) == f"{short}: {advice}"


@pytest.mark.usefixtures("block_cells")
def test_blocks_do_not_change_the_results(write_events):
    files = [write_events("a.root", 11, 1), write_events("b.root", 6, 2)]
    result = run(files, chunksize=5)
    assert equal(result["events"].Jet, expected_of(files))
    assert result["n_clusters"] == {"Jet": ak.count(expected_of(files).peak_sum)}


@pytest.mark.usefixtures("block_cells")
@pytest.mark.parametrize("worth_a_step", [1, 20, 1 << 17], ids=["each_block", "some_blocks", "all_blocks"])
def test_batches_of_blocks_do_not_change_what_is_written(write_events, tmp_path, monkeypatch, worth_a_step):
    monkeypatch.setattr(block_sizes, "BATCH_ITEMS", worth_a_step)
    file, directory = write_events("a.root", 11, 1), tmp_path / "results"
    numbers = {"toy": {"number": 1, "files": {file: 1}}}
    counted = run([file], directory=str(directory), numbers=numbers)
    [part] = directory.rglob("part-*.parquet")
    written, expected = ak.from_parquet(part), expected_of([file])
    assert written["event"].to_list() == list(range(1000, 1011))
    assert written["Jet_peak_sum"].to_list() == expected.peak_sum.to_list()
    assert counted["n_clusters"] == {"Jet": ak.count(expected.peak_sum)}
    filled = read_record(directory, Chunk("toy", 1, 0, 11)).histograms
    n_filled = {name: sum(filled[name][1]) for name in ("nJet", "Jet_energy")}
    assert n_filled == {"nJet": 11, "Jet_energy": ak.count(expected.peak_sum)}


def test_small_blocks_do_not_make_small_row_groups(write_events, tmp_path, monkeypatch):
    monkeypatch.setattr(block_sizes, "READ_CELLS", 48)
    file = write_events("a.root", 30)
    run([file], directory=str(tmp_path), numbers={"toy": {"number": 1, "files": {file: 1}}})
    [part] = tmp_path.rglob("part-*.parquet")
    assert pq.read_metadata(part).num_row_groups == 1


@pytest.mark.usefixtures("block_cells")
def test_hits_outside_are_counted_over_all_blocks_and_chunks(write_root):
    hits = {"row": ak.Array([[0, 6]] * 7), "col": ak.Array([[0, 0]] * 7), "e": ak.Array([[4, 9]] * 7)}
    words = {word: np.arange(7) for word in ("run", "luminosityBlock", "event")}
    job = {
        **HITS,
        "grids": {"calo": {"hits": HITS["grids"]["calo"]["hits"], "rows": {"n": 6}, "cols": {"n": 8}}},
    }
    result = run([write_root("a.root", {"Events": {"hit": ak.zip(hits), **words}})], job, chunksize=3)
    assert result["n_outside"] == {"calo": 7}
    assert result["events"].Jet.peak_sum.to_list() == [[4]] * 7
