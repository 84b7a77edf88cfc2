"""ROOT files merged from parts: every reader finds what was written; a file is complete or absent."""

from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import pytest
import uproot
from cluster_events import (
    N_LAYERS,
    PARQUET,
    RNTUPLE,
    TTREE,
    Schema,
    assert_same,
    event_records,
    write_parts,
)
from coffea.nanoevents import NanoEventsFactory

from hep_peaksum import block_sizes
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.results import parquet, root_files


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


def extremes(dtype):
    if dtype.kind == "b":
        return np.array([False, True])
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return np.array([limits.min, limits.max], dtype)


@pytest.mark.parametrize("primitive", sorted(parquet.PRIMITIVES))
def test_every_type_survives_in_every_format(tmp_path, primitive):
    values = extremes(np.dtype(primitive))
    lists = ak.unflatten(values, [2, 0])
    columns = {name: np.arange(2, dtype=kind) for name, kind in IDENTITY.items()}
    events = ak.zip({**columns, "x": values, "y": lists, "C": ak.zip({"z": lists})}, depth_limit=1)
    for write, file in ((root_files.merge_ttree, TTREE), (root_files.merge_rntuple, RNTUPLE)):
        write(write_parts([events, events], tmp_path), tmp_path / file)
        with uproot.open(tmp_path / file) as root:
            assert_same(root["Events"].arrays(), parquet.flat_columns(ak.concatenate([events, events])))


@pytest.mark.parametrize("merge", [root_files.merge_ttree, root_files.merge_rntuple])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)], ids=["sorted", "mixed"])
def test_parts_are_written_in_the_given_order_whatever_the_batches(tmp_path, monkeypatch, merge, order):
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
def test_a_merge_replaces_an_older_one(tmp_path, merge):
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
def test_parts_with_different_columns_are_an_error(tmp_path, merge):
    events = event_records(5)
    events["nPV"] = ak.values_astype(events.nPV, "float32")
    parts = write_parts([event_records(5), events], tmp_path)
    with pytest.raises(
        ValueError, match=r"part-1\.parquet has the columns .*nPV: float32.*part-0\.parquet has"
    ):
        merge(parts, tmp_path / "merged.root")
    with pytest.raises(ValueError, match="no parts for"):
        merge([], tmp_path / "merged.root")
