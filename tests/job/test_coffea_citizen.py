"""The processor in other hands: coffea's own Runner, subclasses, plain arrays, results that are added."""

import pickle
from collections.abc import Mapping, Sequence

import awkward as ak
import cloudpickle
import loky
import numpy as np
import pytest
import vector
import yaml
from coffea import processor
from coffea.nanoevents import BaseSchema
from coffea.nanoevents.trace import trace, trace_with_length_zero_array
from event_files import event_index

from hep_peaksum import Axis, Grid, PeakSumProcessor, PeakSumSettings, find_clusters
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.reading.file_numbers import FileNumbers

JOB = yaml.safe_load("""
grids:
  calo:
    dense: {branch: cells}
    rows: {name: eta, bins: 6, start: -3, stop: 3}
    cols: {name: phi, bins: 8, start: -pi, stop: pi, periodic: true}
    unit: 1 GeV
clusters:
  Jet: {grid: calo, seed_threshold: 3}
""")
PLANE = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
    unit="1 GeV",
)
SETTINGS = PeakSumSettings(seed_threshold=3)
EXECUTORS = {
    "iterative": lambda: processor.IterativeExecutor(status=False, retries=0),
    "futures": lambda: processor.FuturesExecutor(
        pool=loky.get_reusable_executor(max_workers=2, timeout=300), workers=2, status=False
    ),
}


class AnyMap(Mapping):
    """A map that is not a dict, with lists that are not lists, as those of OmegaConf."""

    def __init__(self, content):
        self._content = content

    def __getitem__(self, key):
        return wrapped(self._content[key])

    def __iter__(self):
        return iter(self._content)

    def __len__(self):
        return len(self._content)


class AnyList(Sequence):
    def __init__(self, content):
        self._content = content

    def __getitem__(self, key):
        return wrapped(self._content[key])

    def __len__(self):
        return len(self._content)


def wrapped(value):
    return AnyMap(value) if isinstance(value, dict) else AnyList(value) if isinstance(value, list) else value


def make_runner(executor="iterative", **options):
    options = {"schema": BaseSchema, "chunksize": 4, **options}
    return processor.Runner(executor=EXECUTORS[executor](), **options)


def fileset(*files):
    return {"toy": {"files": dict.fromkeys(files, "Events")}}


def clusters_of(cells):
    return find_clusters(cells, SETTINGS, PLANE).to_list()


@pytest.fixture
def anonymous(write_root, random_cells):
    """Write cells to a file whose events have no numbers."""

    def write(name, n_events, seed):
        return write_root(name, {"Events": {"cells": random_cells(n_events, seed)}})

    return write


# ----------------------------------------------------------------------------------- a directory, no datasets


def written(directory):
    """Return the parts of a folder as one array."""
    return ak.concatenate([ak.from_parquet(part) for part in sorted(directory.rglob("part-*.parquet"))])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_directory_needs_no_datasets_and_no_file_overwrites_another(
    anonymous, random_cells, tmp_path, executor
):
    files = [anonymous("a.root", 10, 1), anonymous("b.root", 10, 2)]
    job = PeakSumProcessor(**JOB, directory=str(tmp_path / "results"))
    counts = make_runner(executor)(fileset(*files), job)["toy"]
    events = written(tmp_path / "results")
    assert counts["n_events"] == len(events) == 20
    found = [clusters_of(random_cells(10, seed)) for seed in (1, 2)]
    sums = [[c["peak_sum"] for c in event] for event in found[0] + found[1]]
    assert sorted(events.Jet_peak_sum.to_list()) == sorted(sums)
    assert counts["n_clusters"] == {"Jet": sum(map(len, sums))}
    identity = {tuple(each.values()) for each in events[["run", "luminosityBlock", "event"]].to_list()}
    assert len(identity) == 20


def test_a_file_has_one_number_by_relative_and_absolute_path(anonymous, tmp_path, monkeypatch):
    file = anonymous("a.root", 10, 1)
    monkeypatch.chdir(tmp_path)
    for path in (file, "a.root", f"../{tmp_path.name}/a.root"):
        make_runner()(fileset(path), PeakSumProcessor(**JOB, directory="results"))
    assert len(written(tmp_path / "results")) == 10


@pytest.mark.parametrize("form", [dict, list], ids=["files_and_trees", "list_of_files"])
def test_datasets_may_name_files_by_other_paths_than_the_fileset(anonymous, tmp_path, monkeypatch, form):
    files = [anonymous("b.root", 3, 1), anonymous("a.root", 3, 2)]
    monkeypatch.chdir(tmp_path)
    known = fileset("b.root", "a.root") if form is dict else {"toy": ["b.root", "a.root"]}
    events = make_runner()(fileset(*files), PeakSumProcessor(**JOB, datasets=known))["toy"]["events"]
    assert events.luminosityBlock.to_list() == [1, 1, 1, 2, 2, 2]
    assert events.run.to_list() == [1] * 6


def test_a_file_that_datasets_do_not_name_has_a_number_too(anonymous, tmp_path):
    files = [anonymous(f"{name}.root", 4, seed) for seed, name in enumerate("abc")]
    job = PeakSumProcessor(**JOB, datasets=fileset(files[0]), directory=str(tmp_path / "results"))
    make_runner()(fileset(*files), job)
    assert len(written(tmp_path / "results")) == 12


# ---------------------------------------------------------------------------------------------- find on arrays


def test_files_that_nobody_lists_have_numbers_of_32_bits():
    numbers = [FileNumbers({}).of({"filename": f"/data/{n}.root"}) for n in range(16)]
    assert len({*numbers}) == 16
    assert all(0 <= each < 1 << 32 for pair in numbers for each in pair)


def test_find_takes_a_plain_array_without_metadata(random_cells):
    cells = random_cells(7)
    found = PeakSumProcessor(**JOB, events={"keep": ["weight"]}).find(
        ak.Array({"cells": cells, "weight": np.arange(7)})
    )
    assert found.events.Jet.to_list() == clusters_of(cells)
    assert found.events.weight.to_list() == found.events.event.to_list() == list(range(7))
    assert found.n_clusters == {"Jet": ak.count(found.events.Jet.peak_sum)}
    assert found.histograms["nJet"].sum() == 7


@pytest.mark.parametrize(
    "events",
    [np.zeros((2, 6, 8)), {"cells": np.zeros((2, 6, 8))}, [1, 2], None, ak.Array(np.zeros((2, 6, 8)))],
    ids=["numpy", "dict", "list", "none", "without_names"],
)
@pytest.mark.parametrize("method", ["find", "process"])
def test_events_without_names_of_branches_are_an_error_of_one_line(method, events):
    with pytest.raises(TypeError, match=r"events: .* has no branches by name; expected records") as error:
        getattr(PeakSumProcessor(**JOB), method)(events)
    assert "\n" not in str(error.value)


def test_find_follows_events_that_were_selected_or_sorted(write_events, random_cells):
    """The branch in the file has another order and another length."""
    events, job = event_index(write_events("a.root", 9)), PeakSumProcessor(**JOB)
    cells, expected = random_cells(9), clusters_of(random_cells(9))
    for where in (np.arange(9) % 2 == 0, np.argsort(cells[:, 2, 2], kind="stable"), slice(3, 7), slice(0, 0)):
        found = job.find(events[where]).events
        assert found.event.to_list() == events.event[where].to_list()
        assert found.Jet.to_list() == [expected[i] for i in np.arange(9)[where]]


def test_find_does_not_write_and_names_the_event_that_does_not_fit(random_cells, tmp_path):
    cells = random_cells(5)
    cells[3, 2, 4] = np.nan
    job = PeakSumProcessor(**JOB, directory=str(tmp_path / "results"))
    with pytest.raises(ValueError, match=r"^entry 3: .*nan"):
        job.find(ak.Array({"cells": cells}))
    assert not (tmp_path / "results").exists()


def test_a_friend_of_selected_events_is_an_error_of_one_line(write_root, random_cells):
    path = write_root("a.root", {"Events": {"n": np.arange(4)}, "calo": {"cells": random_cells(4)}})
    grids = {"calo": {**JOB["grids"]["calo"], "dense": {"branch": "c:cells"}}}
    job, events = PeakSumProcessor(**{**JOB, "grids": grids}, friends={"c": "calo"}), event_index(path)
    assert job.find(events).events.Jet.to_list() == clusters_of(random_cells(4))
    line = "^friend 'calo' is read from the file of the events: pass a chunk as coffea made it$"
    for others in (events[1:], ak.Array({"n": np.arange(4)})):
        with pytest.raises(ValueError, match=line):
            job.find(others)


def test_events_without_a_file_cannot_be_written(random_cells, tmp_path):
    job = PeakSumProcessor(**JOB, directory=str(tmp_path / "results"))
    with pytest.raises(ValueError, match=r"^events that are not a chunk of a file have no name"):
        job.process(ak.Array({"cells": random_cells(2)}))


# --------------------------------------------------------------------------------------- results that are added


def test_results_of_several_runs_are_concatenated_by_accumulate(write_root):
    """awkward would add arrays of equal shape number to number, before and after `postprocess`."""
    cells = np.zeros((4, 6, 8), "f4")
    cells[:, 2, 2] = 5
    files = [write_root(f"{name}.root", {"Events": {"cells": cells}}) for name in "ba"]
    results = [make_runner()(fileset(file), PeakSumProcessor(**JOB)) for file in files]
    total = processor.accumulate(results)["toy"]
    assert total["events"].Jet.peak_sum.to_list() == [[5]] * 8
    assert total["n_events"] == len(total["events"]) == 8
    assert total["n_clusters"] == {"Jet": 8}
    assert total["histograms"]["nJet"].sum() == 8
    assert results[0]["toy"]["n_events"] == len(results[0]["toy"]["events"]) == 4


def test_a_result_that_is_added_twice_is_an_error(write_events):
    result = make_runner()(fileset(write_events("a.root", 3)), PeakSumProcessor(**JOB))
    with pytest.raises(ValueError, match=r"a.root that begins at entry 0 would be added twice$"):
        processor.accumulate([result, result])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_added_clusters_are_four_vectors(write_events, executor, monkeypatch):
    file = write_events("a.root", 9)
    events = make_runner(executor)(fileset(file), PeakSumProcessor(**JOB))["toy"]["events"]
    assert isinstance(events.Jet, vector.backends.awkward.MomentumArray4D)
    assert ak.all(abs(events.Jet.rapidity) <= 3.1)
    monkeypatch.setattr(ak, "behavior", {})  # as in a process that has found no clusters itself
    for module in (pickle, cloudpickle):
        again = module.loads(module.dumps(events)).Jet
        assert isinstance(again, vector.backends.awkward.MomentumArray4D)
        assert again.to_list() == events.Jet.to_list()


def test_events_of_chunks_have_the_methods_of_an_array(write_events):
    events = make_runner()(fileset(write_events("a.root", 9)), PeakSumProcessor(**JOB))["toy"]["events"]
    assert events.fields == ["run", "luminosityBlock", "event", "Jet"]
    assert [event.event for event in events] == events["event"].to_list() == list(range(1000, 1009))
    assert ak.num(events[2:4].Jet).to_list() == [len(events[2].Jet), len(events[3].Jet)]
    assert {"Jet", "array"} <= {*dir(events)}
    assert "Jet" in repr(events)
    with pytest.raises(AttributeError):
        _ = events.Jets
    with pytest.raises(TypeError, match=r"^events of chunks are added to others, not to int$"):
        _ = events + 1


class WithMore(PeakSumProcessor):
    """Somebody's own numbers beside ours, in the dataset and beside it."""

    def process(self, events):
        result = super().process(events)
        result["toy"]["largest"] = {
            events.metadata["entrystart"]: float(ak.max(result["toy"]["events"].Jet.pt))
        }
        return {**result, "chunks": 1}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_subclass_may_add_keys(write_events, executor):
    cloudpickle.register_pickle_by_value(__import__(WithMore.__module__, fromlist=["_"]))
    result = make_runner(executor)(fileset(write_events("a.root", 8)), WithMore(**JOB))
    assert result["chunks"] == 2
    pt = result["toy"]["events"].Jet.pt
    assert result["toy"]["largest"] == {0: ak.max(pt[:4]), 4: ak.max(pt[4:])}


def test_a_processor_is_a_function_of_events(write_events):
    job, files = PeakSumProcessor(**JOB), fileset(write_events("a.root", 8))
    whole = make_runner()(files, job)["toy"]["events"]
    for function in (job.process, job.__call__):
        assert make_runner()(files, function)["toy"]["events"].to_list() == whole.to_list()


# ------------------------------------------------------------------------------ what is read, and who knows it


@pytest.mark.parametrize("keep", [[], ["weight"]], ids=["grid", "grid_and_weight"])
def test_the_metrics_of_coffea_list_what_is_read(write_events, keep):
    file = write_events("a.root", 8, weight=np.arange(8), other=np.arange(8))
    job = PeakSumProcessor(**JOB, events={"keep": keep})
    _, metrics = make_runner(savemetrics=True)(fileset(file), job)
    names = ["cells", "event", "luminosityBlock", "run", *keep]
    assert sorted(metrics["columns"]) == [f"{name}-data" for name in sorted(names)]
    assert metrics["entries"] == 8


HITS = {"hits": {"row": "ieta", "col": "iphi", "value": "e"}, "rows": {"n": 6}, "cols": {"n": 8}}


@pytest.mark.parametrize("tracer", [trace, trace_with_length_zero_array], ids=["typetracer", "length_zero"])
@pytest.mark.parametrize("directory", [None, "results"], ids=["in_memory", "written"])
def test_a_trace_tells_the_branches_and_writes_nothing(write_events, tmp_path, monkeypatch, directory, tracer):
    """Warnings are errors here: of a failed trace coffea only warns."""
    monkeypatch.chdir(tmp_path)
    file = write_events("a.root", 8, weight=np.arange(8), other=np.arange(8))
    job = PeakSumProcessor(**JOB, events={"keep": ["weight"]}, directory=directory)
    touched = tracer(job.process, event_index(file))
    assert touched == {"cells", "event", "luminosityBlock", "run", "weight"}
    assert not (tmp_path / "results").exists()


def test_a_trace_of_hits_tells_their_branches(write_root):
    hits = {name: ak.values_astype(ak.Array([[1, 2], [3], []]), "i4") for name in ("ieta", "iphi", "e", "time")}
    file = write_root("a.root", {"Events": hits})
    job = PeakSumProcessor(grids={"calo": HITS}, clusters=JOB["clusters"])
    assert trace(job.process, event_index(file)) == {"ieta", "iphi", "e"}


@pytest.mark.parametrize("how", ["trace", "preload"])
def test_a_run_with_trace_or_preload_is_the_same_and_reads_once(write_events, how):
    file = write_events("a.root", 8, other=np.arange(8))
    plain, metrics = make_runner(savemetrics=True)(fileset(file), PeakSumProcessor(**JOB))
    files, options = fileset(file), {"trace": trace} if how == "trace" else {}
    if how == "preload":
        files["toy"]["preload"] = ["cells", "run", "luminosityBlock", "event"]
    loaded, read = make_runner(savemetrics=True)(files, PeakSumProcessor(**JOB), **options)
    assert loaded["toy"]["events"].to_list() == plain["toy"]["events"].to_list()
    assert read["bytesread"] <= metrics["bytesread"]


def test_find_on_types_alone_gives_types_alone(random_cells):
    cells = ak.Array({"cells": random_cells(3), "other": np.arange(3)})
    tracer, report = ak.typetracer.typetracer_with_report(ak.to_layout(cells).form_with_key("node"))
    found = PeakSumProcessor(**JOB).find(ak.Array(tracer)).events
    assert ak.backend(found) == "typetracer"
    assert found.type.content == PeakSumProcessor(**JOB).find(cells).events.type.content
    assert len(report.data_touched) == 1


# -------------------------------------------------------------------------------------- arguments and errors


def test_maps_of_any_class_are_plain_values(random_cells):
    cells = ak.Array({"cells": random_cells(5)})
    histograms = {"pt": {"axes": [{"field": "Jet.pt", "bins": 5, "start": 0, "stop": 50}]}}
    content = {**JOB, "histograms": histograms, "events": {"keep": []}, "friends": {"a": "b"}}
    job = PeakSumProcessor(**AnyMap(content))
    assert job.find(cells).events.Jet.to_list() == clusters_of(random_cells(5))
    assert b"AnyMap" not in cloudpickle.dumps(job)
    with pytest.raises(ConfigError, match=r"^clusters\.Jet\.seed_treshold: unknown key .*seed_threshold"):
        PeakSumProcessor(grids=JOB["grids"], clusters=AnyMap({"Jet": {"grid": "calo", "seed_treshold": 3}}))


def test_maps_and_lists_of_any_class_are_settings_and_grids(random_cells):
    settings, grid = {"seed_threshold": 3, "sum_window": [3, 5]}, JOB["grids"]["calo"]
    grid = {key: grid[key] for key in ("rows", "cols", "unit")}
    found = find_clusters(random_cells(5), AnyMap(settings), AnyMap(grid))
    assert found.to_list() == find_clusters(random_cells(5), settings, grid).to_list()


def test_configs_of_omegaconf_are_plain_values(random_cells):
    omegaconf = pytest.importorskip("omegaconf")
    content = omegaconf.OmegaConf.create({**JOB, "threshold": 3})
    content.clusters.Jet.seed_threshold = "${threshold}"
    job = PeakSumProcessor(grids=content.grids, clusters=content.clusters)
    assert job.find(ak.Array({"cells": random_cells(5)})).events.Jet.to_list() == clusters_of(random_cells(5))
    grid = omegaconf.OmegaConf.create({key: JOB["grids"]["calo"][key] for key in ("rows", "cols", "unit")})
    settings = omegaconf.OmegaConf.create({"seed_threshold": 3, "search_window": [3, 3]})
    assert find_clusters(random_cells(5), settings, grid).to_list() == clusters_of(random_cells(5))


def test_hydra_makes_a_processor_from_its_target(random_cells):
    hydra = pytest.importorskip("hydra.utils")
    job = hydra.instantiate({"_target_": "hep_peaksum.PeakSumProcessor", **JOB})
    assert job.find(ak.Array({"cells": random_cells(5)})).events.Jet.to_list() == clusters_of(random_cells(5))


def test_an_error_in_a_chunk_is_one_line_within_the_one_of_coffea(write_root, random_cells):
    cells = random_cells(6)
    cells[5, 1, 1] = np.inf
    file = write_root("a.root", {"Events": {"cells": cells}})
    with pytest.raises(Exception, match="Failed processing file") as error:
        make_runner()(fileset(file), PeakSumProcessor(**JOB))
    cause = error.value.__cause__
    assert type(cause) is ValueError
    assert str(cause).startswith("entry 5: ")
    assert "\n" not in str(cause)


@pytest.mark.parametrize("tracer", [trace, trace_with_length_zero_array], ids=["typetracer", "length_zero"])
def test_a_trace_of_a_friend_tells_the_other_branches(write_root, random_cells, tracer):
    path = write_root("a.root", {"Events": {"n": np.arange(4)}, "calo": {"cells": random_cells(4)}})
    grids = {"calo": {**JOB["grids"]["calo"], "dense": {"branch": "c:cells"}}}
    job = PeakSumProcessor(grids=grids, clusters=JOB["clusters"], friends={"c": "calo"}, events={"keep": ["n"]})
    assert tracer(job.process, event_index(path)) == {"n"}
    _, metrics = make_runner(savemetrics=True)(fileset(path), job)
    assert sorted(metrics["columns"]) == ["cells-data", "n-data"]
