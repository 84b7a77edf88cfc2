"""Parquet parts: flat columns, the same types whatever the content, read as they were written."""

import subprocess
import sys

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cluster_events import N_LAYERS, PARQUET, assert_same, event_records, with_field, write_parts

from hep_peaksum.results import parquet

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


@pytest.mark.parametrize("empty", [True, False], ids=["no clusters", "clusters"])
@pytest.mark.parametrize("n_events", [0, 7])
def test_columns_are_flat_and_their_types_do_not_depend_on_content(n_events, empty):
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


def test_one_event_is_that_at_its_place_in_any_row_group(tmp_path):
    blocks = [event_records(n, seed=n) for n in (3, 0, 1, 4)]
    part = tmp_path / "part.parquet"
    parquet.write_part(blocks, part)
    [whole] = parquet.read_parts([part])
    assert [parquet.read_event(part, place).to_list() for place in range(8)] == whole.to_list()
    with pytest.raises(ValueError, match="has 8 events, and no event 8"):
        parquet.read_event(part, 8)


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


def test_layers_come_back_as_documented():
    events = event_records(30)
    layers = ak.unflatten(parquet.flat_columns(events)["JetLayer_sum"], N_LAYERS, axis=1)
    assert layers.to_list() == events["Jet", "layer_sums"].to_list()


@pytest.mark.parametrize(
    "numbers",
    [[7, 7, 3, 0], [0, 2**64 - 1, 0, 2**63], [5], []],
    ids=["any_order", "from_end_to_end", "one", "none"],
)
def test_event_numbers_come_back_in_any_order(tmp_path, numbers):
    part = tmp_path / "part.parquet"
    event = np.array(numbers, np.uint64)
    parquet.write_part([ak.Array({"run": event * 0, "luminosityBlock": event * 0, "event": event})], part)
    [result] = parquet.read_parts([part])
    assert result["event"].to_list() == numbers
    assert result["event"].type.content.primitive == "uint64"


def test_to_write_a_part_nothing_is_imported_that_takes_as_long_as_a_small_job(tmp_path):
    code = (
        "import sys, pathlib\n"
        "import awkward as ak\n"
        "from hep_peaksum.results.parquet import write_part\n"
        "ids = {'run': 1, 'luminosityBlock': 1, 'event': 3}\n"
        "events = ak.Array([{**ids, 'pt': 2.5, 'Cluster': [{'sum': 1.5}, {'sum': float('nan')}]}])\n"
        "write_part([events], pathlib.Path(sys.argv[1]))\n"
        "print([name for name in ('pyarrow.compute', 'pandas') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "part.parquet")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_column_has_a_dictionary_where_most_of_its_values_repeat(tmp_path):
    columns = {
        **dict.fromkeys(("run", "luminosityBlock", "event"), np.arange(8)),
        "hour": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.5, 1.5],
        "missing": np.full(8, np.nan),
        "sum": np.arange(8) / 3,
    }
    parquet.write_part([ak.zip(columns)], tmp_path / "part.parquet")
    group = pq.read_metadata(tmp_path / "part.parquet").row_group(0)
    columns_of = [group.column(number) for number in range(group.num_columns)]
    with_dictionary = [column.path_in_schema for column in columns_of if column.has_dictionary_page]
    assert with_dictionary == ["run", "luminosityBlock", "hour", "missing"]  # an event number has an encoding


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="'name' is of type string"):
        parquet.write_part([with_field("name", ["a", "b"])], tmp_path / "part.parquet")
    assert not list(tmp_path.iterdir())


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
def test_types_that_cannot_be_a_column_are_errors(events, problem):
    with pytest.raises(TypeError, match=problem):
        parquet.flat_columns(events)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (with_field("x", [1, 2])[["run", "luminosityBlock"]], "events have no 'event'"),
        (with_field("run", [1, -1]), "'run' of type int64 does not fit into uint32"),
        (with_field("run", [[1], [2]]), r"'run' of type var \* int64 does not fit into uint32"),
        (with_field("event", [1.0, 2.0**64]), "'event' of type float64 does not fit into uint64"),
        (with_field("luminosityBlock", [1, 1.5]), "'luminosityBlock' of type float64 does not fit"),
        (with_field("my_jet", [[{"pt": 1.0}], []]), "collection 'my_jet': .* at the first '_'"),
        (with_field("ev/nPV", [1, 2]), "'ev/nPV' is not a column name in every format"),
        (with_field("Jet_pt", [[1.0], []]), "two columns are called 'Jet_pt'"),
        (with_field("Jet_x", [[1.0], [2.0]]), "Jet_pt, Jet_x: readers take nJet as the length"),
        (with_field("Jet_met", [1.0, 2.0]), "Jet_pt, Jet_met: readers take nJet as the length"),
        (with_field("nJet", [1, 1]), "nJet, Jet_pt: readers take nJet as the length"),
    ],
    ids=[
        *(
            "no event number",
            "negative run",
            "list of runs",
            "float event",
            "fractional lumi",
            "collection with _",
            "path as name",
        ),
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
