"""The types on disk are those of the job, not of the chunk: decided before the first chunk, from all files."""

from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from plain_count import count

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import run

ENTRY = ("run", "luminosityBlock", "event")


def run_job(content, **options):
    return run(parse_config(content), **options)


def folder(content):
    return Path(content["output"]["directory"])


def with_cells(write_root, random_cells, name, dtype, seed, **more):
    numbers = {"run": np.full(6, 7, np.uint32), "event": np.arange(6, dtype=np.uint64)}
    numbers["luminosityBlock"] = np.full(6, seed, np.uint32)
    cells = random_cells(6, seed).astype(dtype)
    return write_root(name, {"Events": {**numbers, "cells": cells, **more}})


@pytest.mark.parametrize(
    "types", [("i4", "f4"), ("f8", "i2"), ("f4", "f8"), ("i2", "i8"), ("u1", "i4")], ids=str
)
def test_files_with_other_types_of_cells_give_parts_of_one_schema(write_root, random_cells, job, types):
    files = [with_cells(write_root, random_cells, f"{k}.root", t, k) for k, t in enumerate(types, start=1)]
    content = job(*files, run={"chunksize": 2})
    content["output"]["clusters"] = ["parquet", "ttree", "rntuple"]
    run_job(content)
    parts = sorted((folder(content) / "toy/clusters.parquet").glob("*.parquet"))
    schemas = {str(pq.read_schema(part).remove_metadata()) for part in parts}
    assert len(schemas) == 1
    table = pyarrow.dataset.dataset(folder(content) / "toy/clusters.parquet").to_table()
    events = ak.from_arrow(table)
    n_events, n_clusters, energy = count(*files)
    assert (len(events), int(ak.sum(events.nJet)), float(ak.sum(events.Jet_peak_sum))) == (
        n_events,
        n_clusters,
        energy,
    )
    is_float = any(t.startswith("f") for t in types)
    assert ak.flatten(events.Jet_peak_sum).type.content.primitive == ("float64" if is_float else "int64")


def test_files_with_other_types_of_hits_give_parts_of_one_schema(write_root, job):
    """One hit of 5 in every event of the first file, of 5.5 in those of the second."""
    hits = {"row": "y", "col": "x", "value": "e"}
    plane = {"rows": {"n": 6}, "cols": {"n": 8}}
    files = []
    for number, energy in enumerate((np.int32(5), np.float64(5.5))):
        identity = dict.fromkeys(("run", "luminosityBlock", "event"), np.full(3, number, np.uint32))
        lists = {"y": np.full(3, 2), "x": np.full(3, 4), "e": np.full(3, energy)}
        branches = {name: ak.unflatten(each, 1) for name, each in lists.items()}
        files.append(write_root(f"{number}.root", {"Events": {**identity, **branches}}))
    content = job(*files, grids={"calo": {"hits": hits, **plane}})
    run_job(content)
    tables = [pq.read_table(part) for part in sorted((folder(content) / "toy/clusters.parquet").glob("*"))]
    assert tables[0].schema.field("Jet_seed").type == tables[1].schema.field("Jet_seed").type
    assert [table["Jet_seed"].to_pylist() for table in tables] == [3 * [[5.0]], 3 * [[5.5]]]


@pytest.mark.parametrize(("one", "other"), [("i4", "f4"), ("u2", "i8"), ("f4", "f8")])
def test_kept_branches_of_other_types_are_promoted(write_root, random_cells, job, one, other):
    files = [
        with_cells(write_root, random_cells, f"{k}.root", "f4", k, npv=np.arange(6).astype(t))
        for k, t in enumerate((one, other), start=1)
    ]
    content = job(*files, events={"identify": {w: w for w in ENTRY}, "keep": ["npv"]}, run={"chunksize": 2})
    content["output"]["clusters"] = ["parquet", "ttree", "rntuple"]
    run_job(content)
    parts = sorted((folder(content) / "toy/clusters.parquet").glob("*.parquet"))
    assert {str(pq.read_schema(part).field("npv").type) for part in parts} == {
        str(np.promote_types(one, other)).replace("float64", "double").replace("float32", "float")
    }
    assert ak.concatenate([ak.from_parquet(p) for p in parts]).npv.to_list() == 2 * list(range(6))


def test_kept_branches_that_cannot_be_joined_are_refused_before_processing(write_root, random_cells, job):
    lists = ak.values_astype(ak.Array([[1, 2]] * 6), np.float32)
    files = [
        with_cells(write_root, random_cells, "a.root", "f4", 1, npv=np.arange(6)),
        with_cells(write_root, random_cells, "b.root", "f4", 2, npv=lists),
    ]
    content = job(*files, events={"identify": {w: w for w in ENTRY}, "keep": ["npv"]})
    with pytest.raises(ConfigError, match=r"npv.*a\.root.*b\.root"):
        run_job(content)
    assert not list(folder(content).glob("*/_chunks/*"))


def test_the_types_stand_in_the_manifest_and_a_later_file_keeps_to_them(write_root, random_cells, job):
    files = [with_cells(write_root, random_cells, "1.root", "f4", 1)]
    content = job(*files)
    run_job(content)
    files.append(with_cells(write_root, random_cells, "2.root", "i4", 2))
    content["datasets"]["toy"]["files"] = dict.fromkeys(files, "Events")
    result = run_job(content)
    assert result.summary["n_chunks"]["reused"] == 1
    parts = sorted((folder(content) / "toy/clusters.parquet").glob("*.parquet"))
    assert len({str(pq.read_schema(part).remove_metadata()) for part in parts}) == 1
    assert "types" in (folder(content) / "manifest.json").read_text()


def test_a_chunk_that_is_done_again_keeps_to_the_types_of_the_others(write_root, random_cells, job):
    """Its file is not opened to be planned: the manifest knows that its cells are converted."""
    files = [
        with_cells(write_root, random_cells, f"{t}.root", t, k) for k, t in enumerate(("i4", "f4"), start=1)
    ]
    content = job(*files, run={"chunksize": 2})
    first = run_job(content).summary["datasets"]
    parts = sorted((folder(content) / "toy/clusters.parquet").glob("*.parquet"))
    before = [pq.read_table(part) for part in parts]
    parts[0].unlink()
    result = run_job(content)
    assert (result.summary["n_chunks"], result.summary["datasets"]) == ({"total": 6, "reused": 5}, first)
    assert all(pq.read_table(part).equals(table) for part, table in zip(parts, before, strict=True))


def test_a_friend_with_fewer_entries_is_named_before_anything_is_processed(write_root, random_cells, job):
    numbers = {"run": np.full(6, 7, np.uint32), "event": np.arange(6, dtype=np.uint64)}
    numbers["luminosityBlock"] = np.ones(6, np.uint32)
    path = write_root("a.root", {"Events": {**numbers, "cells": random_cells(6)}, "Ev": {"npv": np.arange(5)}})
    content = job(path, friends={"ev": "Ev"}, events={"identify": {w: w for w in ENTRY}, "keep": ["ev:npv"]})
    with pytest.raises((ConfigError, RuntimeError), match=r"a\.root.*'Ev' has 5 entries, 'Events' has 6"):
        run_job(content)
