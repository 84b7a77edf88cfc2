"""Results on disk: what is written is what is read, by whomever; a file is there whole or not at all."""

from pathlib import Path

import awkward as ak
import hist
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uhi.io.uproot
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

from hep_peaksum import block_sizes, find_clusters
from hep_peaksum.config.formats import IDENTITY
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.results import parquet, root_files

N_LAYERS = 5


class Schema(NanoAODSchema):
    warn_missing_crossrefs = False


def jets(n_events, *, empty=False, seed=1):
    """Return the clusters of random showers on an eta-phi grid with layers."""
    random = np.random.default_rng(seed)
    layers = np.zeros((n_events, N_LAYERS, 6, 8))
    if not empty:
        layers[random.uniform(size=layers.shape) < 0.03] = 30.0
        layers *= random.uniform(size=layers.shape)
    rows = Axis(name="eta", bins=6, start=-3, stop=3)
    cols = Axis(name="phi", bins=8, start=0, stop=2 * np.pi, periodic=True)
    fields = ["peak_sum", "row", "n_cells", "on_edge", "layer_sums", "pt", "eta", "phi", "energy"]
    return find_clusters(layers, None, Grid(rows=rows, cols=cols), fields=fields)


def event_records(n_events=50, *, empty=False, seed=1):
    """Return events with two collections and kept branches of every shape."""
    grids = np.random.default_rng(seed).integers(0, 0 if empty else 9, (n_events, 6, 8), endpoint=True)
    y, x = (Axis(name=name, bins=n, start=0, stop=n, unit="cm") for name, n in (("y", 6), ("x", 8)))
    columns = {
        "run": np.full(n_events, 2**32 - 1, np.uint32),
        "luminosityBlock": np.arange(n_events, dtype=np.uint32),
        "event": np.uint64(2**64 - 1) - np.arange(n_events, dtype=np.uint64),
        "nPV": np.arange(n_events, dtype=np.int32),
        "beam": np.arange(n_events) % 3 == 0,
        "MET_pt": np.linspace(0, 1, n_events, dtype=np.float32),
        "hits": ak.unflatten(np.arange(2 * n_events, dtype=np.int16), np.full(n_events, 2)),
        "vertex": np.arange(3 * n_events).reshape(n_events, 3) / 7,
        "Jet": jets(n_events, empty=empty, seed=seed),
        "Cluster": find_clusters(grids, None, Grid(rows=y, cols=x)),
    }
    return ak.zip(columns, depth_limit=1)


TYPES = """
run: uint32
luminosityBlock: uint32
event: uint64
nPV: int32
beam: bool
MET_pt: float32
nhits: int32
hits: var * int16
nvertex: int32
vertex: var * float64
nJet: int32
Jet_peak_sum: var * float64
Jet_row: var * int32
Jet_n_cells: var * int32
Jet_on_edge: var * bool
Jet_pt: var * float64
Jet_eta: var * float64
Jet_phi: var * float64
Jet_energy: var * float64
nJetLayer: int32
JetLayer_sum: var * float64
nCluster: int32
Cluster_peak_sum: var * int64
Cluster_seed: var * int64
Cluster_row: var * int32
Cluster_col: var * int32
Cluster_n_cells: var * int32
Cluster_energy: var * float64
Cluster_y: var * float64
Cluster_x: var * float64
"""

# (number of events, whether they have no clusters) of every part
SAMPLES = {
    "some events": [(50, False)],
    "no clusters": [(9, True)],
    "no events": [(0, False)],
    "several parts, empty ones between": [
        (0, False),
        (20, False),
        (0, False),
        (3, True),
        (30, False),
        (0, True),
    ],
}
PARQUET, TTREE, RNTUPLE = "clusters.parquet", "clusters.root", "clusters.rntuple.root"


@pytest.fixture(params=SAMPLES, scope="module")
def sample(request, tmp_path_factory):
    """Return the folder with the three forms, and the columns that must be in them."""
    folder = tmp_path_factory.mktemp("sample")
    events = [event_records(n, empty=empty, seed=n) for n, empty in SAMPLES[request.param]]
    parts = write_parts(events, folder)
    root_files.merge_ttree(parts, folder / TTREE)
    root_files.merge_rntuple(parts, folder / RNTUPLE)
    whole = ak.concatenate(events)
    parquet.write_part([whole], folder / PARQUET)
    return folder, parquet.flat_columns(whole)


def write_parts(events, folder):
    parts = [folder / "parts" / f"part-{i}.parquet" for i in range(len(events))]
    for part, array in zip(parts, events, strict=True):
        parquet.write_part([array], part)
    return parts


def assert_same(found, columns):
    """Names, types and every number; the order of the columns is the writer's business."""
    assert set(ak.fields(found)) == set(columns)
    for name, expected in columns.items():
        assert str(found[name].type) == str(expected.type), name
        assert ak.array_equal(found[name], expected), name


@pytest.mark.parametrize("empty", [True, False], ids=["no clusters", "clusters"])
@pytest.mark.parametrize("n_events", [0, 7])
def test_columns_are_flat_and_their_types_do_not_depend_on_what_was_found(n_events, empty):
    columns = parquet.flat_columns(event_records(n_events, empty=empty))
    assert [f"{name}: {values.type.content}" for name, values in columns.items()] == TYPES.split("\n")[1:-1]


def test_every_part_has_the_same_schema(tmp_path):
    parts = write_parts([event_records(20), event_records(0), event_records(5, empty=True)], tmp_path)
    schemas = [pq.read_schema(part) for part in parts]
    assert schemas[0].equals(schemas[1], check_metadata=True)
    assert schemas[0].equals(schemas[2], check_metadata=True)
    assert not any(field.nullable for field in schemas[0])


def test_slices_and_masks_of_events_are_written_as_they_look(tmp_path):
    events = event_records(40)
    for name, array in {"slice": events[7:21], "mask": events[events.beam], "order": events[::-1]}.items():
        parquet.write_part([array], tmp_path / name)
        assert_same(ak.concatenate(list(parquet.read_parts([tmp_path / name]))), parquet.flat_columns(array))


def test_read_parts(sample):
    folder, columns = sample
    parts = sorted((folder / "parts").iterdir())
    assert_same(ak.concatenate(list(parquet.read_parts(parts))), columns)


def test_parquet_read_by_awkward(sample):
    folder, columns = sample
    assert_same(ak.from_parquet(folder / PARQUET), columns)
    assert_same(ak.from_parquet(folder / "parts"), columns)


def test_parquet_read_by_arrow(sample):
    folder, columns = sample
    table = pq.read_table(folder / PARQUET)
    assert table.column_names == list(columns)
    assert table.schema.field("Jet_pt").type == pa.list_(pa.field("element", pa.float64(), nullable=False))
    assert table.to_pydict() == {name: values.to_list() for name, values in columns.items()}


@pytest.mark.parametrize("file", [TTREE, RNTUPLE])
def test_root_read_by_uproot(sample, file):
    folder, columns = sample
    with uproot.open(folder / file) as root:
        assert root["Events"].num_entries == len(columns["run"])
        assert_same(root["Events"].arrays(), columns)


def test_a_collection_of_a_ttree_has_one_counter(sample):
    folder, columns = sample
    with uproot.open(folder / TTREE) as root:
        tree = root["Events"]
        for name, values in columns.items():
            counter = tree[name].member("fLeaves")[0].member("fLeafCount")
            prefix = name.partition("_")[0]
            assert (counter and counter.member("fName")) == (f"n{prefix}" if values.ndim > 1 else None)


@pytest.mark.parametrize("file", [PARQUET, TTREE, RNTUPLE])
@pytest.mark.parametrize("mode", ["virtual", "eager"])
def test_nanoaod_schema(sample, file, mode):
    folder, columns = sample
    if file == PARQUET:
        events = NanoEventsFactory.from_parquet(str(folder / file), schemaclass=Schema, mode=mode).events()
    else:
        events = NanoEventsFactory.from_root(
            {str(folder / file): "Events"}, schemaclass=Schema, mode=mode
        ).events()
    collections = {"Jet", "JetLayer", "Cluster", "MET"}
    plain = {"run", "luminosityBlock", "event", "nPV", "beam", "hits", "vertex"}
    assert set(events.fields) == collections | plain
    for name, expected in columns.items():
        prefix, _, field = name.partition("_")
        if name.startswith("n") and name != "nPV":
            continue
        values = events[prefix, field] if field else events[name]
        assert values.to_list() == expected.to_list(), name
        assert str(ak.without_parameters(values).type) == str(expected.type), name
    assert events.Jet.pt.to_list() == columns["Jet_pt"].to_list()
    assert events.Jet.energy.to_list() == columns["Jet_energy"].to_list()
    assert events.Cluster.x.to_list() == columns["Cluster_x"].to_list()
    assert ak.all(abs(events.Jet.px - events.Jet.pt * np.cos(events.Jet.phi)) < 1e-9)


def test_layers_of_a_cluster_come_back(sample):
    folder, columns = sample
    with uproot.open(folder / TTREE) as root:
        events = root["Events"].arrays(["nJet", "nJetLayer", "JetLayer_sum"])
    assert ak.all(events.nJetLayer == N_LAYERS * events.nJet)
    counts = np.full(ak.sum(events.nJet), N_LAYERS)
    layers = ak.unflatten(events.JetLayer_sum, counts, axis=1)
    assert ak.all(ak.num(layers) == events.nJet)
    assert ak.all(ak.num(layers, axis=2) == N_LAYERS)
    assert np.allclose(ak.flatten(ak.sum(layers, axis=2)), ak.flatten(columns["Jet_peak_sum"]))


def test_layers_come_back_as_documented():
    events = event_records(30)
    layers = ak.unflatten(parquet.flat_columns(events)["JetLayer_sum"], N_LAYERS, axis=1)
    assert layers.to_list() == events["Jet", "layer_sums"].to_list()


def extremes(dtype):
    if dtype.kind == "b":
        return np.array([False, True])
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return np.array([limits.min, limits.max], dtype)


@pytest.mark.parametrize("primitive", sorted(parquet.PRIMITIVES))
def test_every_type_survives_in_every_form(tmp_path, primitive):
    values = extremes(np.dtype(primitive))
    lists = ak.unflatten(values, [2, 0])
    columns = {name: np.arange(2, dtype=kind) for name, kind in IDENTITY.items()}
    events = ak.zip({**columns, "x": values, "y": lists, "C": ak.zip({"z": lists})}, depth_limit=1)
    for write, file in ((root_files.merge_ttree, TTREE), (root_files.merge_rntuple, RNTUPLE)):
        write(write_parts([events, events], tmp_path), tmp_path / file)
        with uproot.open(tmp_path / file) as root:
            assert_same(root["Events"].arrays(), parquet.flat_columns(ak.concatenate([events, events])))


@pytest.mark.parametrize(
    "numbers",
    [[7, 7, 3, 0], [0, 2**64 - 1, 0, 2**63], [5], []],
    ids=["any_order", "from_end_to_end", "one", "none"],
)
def test_event_numbers_come_back_whatever_their_steps(tmp_path, numbers):
    part = tmp_path / "part.parquet"
    event = np.array(numbers, np.uint64)
    parquet.write_part([ak.Array({"run": event * 0, "luminosityBlock": event * 0, "event": event})], part)
    [found] = parquet.read_parts([part])
    assert found["event"].to_list() == numbers
    assert found["event"].type.content.primitive == "uint64"


@pytest.mark.parametrize("merge", [root_files.merge_ttree, root_files.merge_rntuple])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)], ids=["sorted", "mixed"])
def test_parts_are_written_in_the_order_given_however_they_are_gathered(tmp_path, monkeypatch, merge, order):
    monkeypatch.setattr(block_sizes, "MERGE_READ_EVENTS", 7)
    monkeypatch.setattr(block_sizes, "MERGE_WRITE_EVENTS", 11)
    events = [event_records(n, seed=n) for n in (20, 0, 13, 40)]
    parts = write_parts(events, tmp_path)
    merge([parts[i] for i in order], tmp_path / "merged.root")
    with uproot.open(tmp_path / "merged.root") as root:
        assert_same(root["Events"].arrays(), parquet.flat_columns(ak.concatenate([events[i] for i in order])))


def test_many_small_parts_become_few_baskets(tmp_path):
    part = write_parts([event_records(5)], tmp_path)[0]
    root_files.merge_ttree([part] * 30, tmp_path / TTREE)
    with uproot.open(tmp_path / TTREE) as root:
        assert root["Events/Jet_pt"].num_baskets == 1


class CrashError(Exception):
    pass


@pytest.mark.parametrize("merge", [root_files.merge_ttree, root_files.merge_rntuple])
@pytest.mark.parametrize("there_before", [True, False])
def test_a_crash_in_the_middle_of_a_merge_leaves_no_trace(tmp_path, monkeypatch, merge, there_before):
    monkeypatch.setattr(block_sizes, "MERGE_WRITE_EVENTS", 10)
    part = write_parts([event_records(20)], tmp_path)[0]
    results = tmp_path / "results"
    results.mkdir()
    if there_before:
        (results / "clusters.root").write_bytes(b"as it was")

    def parts():
        yield part
        yield part
        assert any(path.suffix == ".tmp" and path.stat().st_size > 1000 for path in results.iterdir())
        raise CrashError

    with pytest.raises(CrashError):
        merge(parts(), results / "clusters.root")
    assert [path.name for path in results.iterdir()] == ["clusters.root"] * there_before
    assert not there_before or (results / "clusters.root").read_bytes() == b"as it was"


@pytest.mark.parametrize("merge", [root_files.merge_ttree, root_files.merge_rntuple])
def test_a_merge_takes_the_place_of_an_older_one(tmp_path, merge):
    for n_events in (20, 5):
        merge(write_parts([event_records(n_events)], tmp_path), tmp_path / "clusters.root")
        with uproot.open(tmp_path / "clusters.root") as root:
            assert root["Events"].num_entries == n_events
    assert {path.name for path in tmp_path.iterdir()} == {"parts", "clusters.root"}


def test_a_truncated_part_is_an_error_and_leaves_nothing(tmp_path):
    part = write_parts([event_records(20)], tmp_path)[0]
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(pa.ArrowInvalid):
        root_files.merge_ttree([part], tmp_path / TTREE)
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="'name' is of type string"):
        parquet.write_part([with_field("name", ["a", "b"])], tmp_path / "part.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["a:b", "a::b", "c#d e", "100%", "ℓ=η"])
def test_any_folder_name_is_only_a_name(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    parts = write_parts([event_records(3)], Path(folder))
    root_files.merge_ttree(parts, Path(folder, TTREE))
    root_files.merge_rntuple(parts, Path(folder, RNTUPLE))
    root_files.write_histograms({}, Path(folder, "histograms.root"))
    assert [path.name for path in tmp_path.iterdir()] == [folder]
    assert {path.name for path in Path(folder).iterdir()} == {"parts", TTREE, RNTUPLE, "histograms.root"}


@pytest.mark.parametrize("merge", [root_files.merge_ttree, root_files.merge_rntuple])
def test_parts_with_other_columns_are_an_error_that_names_them(tmp_path, merge):
    events = event_records(5)
    events["nPV"] = ak.values_astype(events.nPV, "float32")
    parts = write_parts([event_records(5), events], tmp_path)
    with pytest.raises(
        ValueError, match=r"part-1\.parquet has the columns .*nPV: float32.*part-0\.parquet has"
    ):
        merge(parts, tmp_path / "merged.root")
    with pytest.raises(ValueError, match="no parts for"):
        merge([], tmp_path / "merged.root")


def with_field(name, values):
    ids = {"run": [1, 1], "luminosityBlock": [1, 1], "event": [1, 2]}
    return ak.zip({**ids, "Jet": [[{"pt": 1.0}], []], name: ak.Array(values)}, depth_limit=1)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (with_field("x", [[[1.0]], []]), r"'x' is of type var \* var \* float64"),
        (with_field("x", [1, None]), r"'x' is of type \?int64"),
        (with_field("x", [[], []]), r"'x' is of type var \* unknown"),
        (with_field("x", np.zeros(2, np.float16)), "'x' is of type float16"),
        (with_field("Hit", [[{"name": "a"}], []]), r"'Hit_name' is of type var \* string"),
    ],
    ids=["list of lists", "missing", "no type", "no ROOT type", "string"],
)
def test_what_is_no_column(events, problem):
    with pytest.raises(TypeError, match=problem):
        parquet.flat_columns(events)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (with_field("x", [1, 2])[["run", "luminosityBlock"]], "events have no 'event'"),
        (with_field("run", [1, -1]), "'run' of type int64 does not fit into uint32"),
        (with_field("luminosityBlock", [1, 1.5]), "'luminosityBlock' of type float64 does not fit"),
        (with_field("my_jet", [[{"pt": 1.0}], []]), "collection 'my_jet': .* at the first '_'"),
        (with_field("ev/nPV", [1, 2]), "'ev/nPV' is not a column name in every format"),
        (with_field("Jet_pt", [[1.0], []]), "two columns are called 'Jet_pt'"),
        (with_field("Jet_x", [[1.0], [2.0]]), "Jet_pt, Jet_x: readers take nJet as the length"),
        (with_field("Jet_met", [1.0, 2.0]), "Jet_pt, Jet_met: readers take nJet as the length"),
        (with_field("nJet", [1, 1]), "nJet, Jet_pt: readers take nJet as the length"),
    ],
    ids=[
        *("no event number", "negative run", "fractional lumi", "collection with _", "path as name"),
        *("twice", "other length", "number in a collection", "wrong counter"),
    ],
)
def test_names_that_readers_would_misunderstand(events, problem):
    with pytest.raises(ValueError, match=problem):
        parquet.flat_columns(events)


def test_kept_branches_may_join_a_collection_and_bring_their_counter():
    events = with_field("Jet_tag", [[True], []])
    events["nJet"] = np.array([1, 0], np.uint32)
    columns = parquet.flat_columns(events)
    assert str(columns["nJet"].type) == "2 * int32"
    assert list(columns) == ["run", "luminosityBlock", "event", "nJet", "Jet_pt", "Jet_tag"]


def dense_grids(*axes, storage="double", seed=1):
    random = np.random.default_rng(seed)
    histogram = hist.Hist(*axes, storage=storage, name="h", label="title")
    weight = {"weight": random.uniform(0, 2, 500)} if storage == "weight" else {}
    return histogram.fill(*random.integers(-1, 6, (len(axes), 500)), **weight)


PT = hist.axis.Regular(5, 0, 5, name="pt", label="$p_T$ [GeV]")
PHI = hist.axis.Regular(4, 0, 6, name="phi", circular=True)
N = hist.axis.Variable([0, 1, 4, 5], name="n")
HISTOGRAMS = {
    "data/pt": dense_grids(PT),
    "data/weighted": dense_grids(PT, storage="weight"),
    "data/two": dense_grids(PT, PHI),
    "mc/three": dense_grids(PT, PHI, N, storage="weight"),
    "index": dense_grids(hist.axis.Integer(0, 4, name="row")),
}


def test_histograms_as_root_and_without_loss(tmp_path):
    root_files.write_histograms(HISTOGRAMS, tmp_path / "histograms.root")
    with uproot.open(tmp_path / "histograms.root") as root:
        for key, histogram in HISTOGRAMS.items():
            assert root[key].classname == f"TH{histogram.ndim}D"
            found = root[key].to_hist()
            assert np.array_equal(found.values(), histogram.values())
            assert np.array_equal(found.variances(), histogram.variances())
            assert found.axes[0].label == histogram.axes[0].label
            assert hist.Hist(uhi.io.uproot.read(root, f"uhi/{key}")) == histogram
    assert [path.name for path in tmp_path.iterdir()] == ["histograms.root"]


@pytest.mark.parametrize(
    "histogram",
    [
        hist.Hist(hist.axis.StrCategory(["a", "b"], name="c")).fill(["a"]),
        hist.Hist(PT, storage="int64").fill([1.0]),
        dense_grids(PT, PHI, N, hist.axis.Integer(0, 4, name="row")),
    ],
    ids=["categories", "integer storage", "four axes"],
)
def test_what_root_has_no_form_for_is_there_without_loss(tmp_path, histogram):
    root_files.write_histograms({"h": histogram}, tmp_path / "histograms.root")
    with uproot.open(tmp_path / "histograms.root") as root:
        assert root.keys(recursive=False, cycle=False) == ["uhi"]
        assert hist.Hist(uhi.io.uproot.read(root, "uhi/h")) == histogram


@pytest.mark.parametrize("key", ["a:b", "a;1", "a//b", "/a", "uhi/a", ""])
def test_keys_that_could_not_be_found_again(tmp_path, key):
    with pytest.raises(ValueError, match="histogram key"):
        root_files.write_histograms({key: HISTOGRAMS["index"]}, tmp_path / "histograms.root")


def test_histograms_that_cannot_be_written_leave_the_older_file(tmp_path):
    path = tmp_path / "histograms.root"
    path.write_bytes(b"as it was")
    with pytest.raises(TypeError, match="cannot make a directory named 'index'"):
        root_files.write_histograms({**HISTOGRAMS, "index/row": HISTOGRAMS["index"]}, path)
    assert path.read_bytes() == b"as it was"
    assert [path.name for path in tmp_path.iterdir()] == ["histograms.root"]
