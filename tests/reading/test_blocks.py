"""Events of a config without a job: block by block, as in a job, and errors of one line."""

from pathlib import Path

import pytest
from coffea import processor
from coffea.nanoevents import BaseSchema

from hep_peaksum import block_sizes
from hep_peaksum.config.load import parse_config, parse_job
from hep_peaksum.preview.closure import closure
from hep_peaksum.preview.event import read_event
from hep_peaksum.reading.blocks import block_size, read_blocks, read_cells

REFERENCE = {"row": "row", "col": "col", "sum": "sum"}


@pytest.fixture
def config(write_events, job):
    """Return a config that reads two files of 13 and 8 events."""
    return parse_config(job(write_events("a.root", 13, 1), write_events("b.root", 8, 2)))


@pytest.mark.parametrize("n_cells", [1, 48, 5 * 48, 1 << 22])
def test_blocks_hold_the_requested_events_of_all_files(config, monkeypatch, n_cells):
    monkeypatch.setattr(block_sizes, "READ_CELLS", n_cells)
    blocks = [events.event.to_list() for events in read_blocks(config, ["calo"], max_events=9, first=10)]
    assert [number for block in blocks for number in block] == [*range(1010, 1013), *range(2000, 2006)]
    assert all(len(block) <= max(1, n_cells // 48) for block in blocks)


def test_hits_on_a_large_plane_are_read_more_than_one_event_at_a_time():
    """Unless they are made dense, they are few: then 2000 x 2000 cells are no reason to read events singly."""
    hits = {"row": "row", "col": "col", "value": "e"}
    plane = {"rows": {"n": 2000}, "cols": {"n": 2000}}
    grids = {"hits": {"hits": hits, **plane}, "small": {"hits": hits, "rows": {"n": 2}, "cols": {"n": 4}}}
    grids["dense"] = {"dense": {"branch": "cells"}, **plane}
    clusters = {"Cluster": {"grid": "hits", "seed_threshold": 1}}
    sources = parse_job({"grids": grids, "clusters": clusters}).grids
    assert block_size([sources["hits"]]) == 1
    assert block_size([sources["hits"], sources["small"]], keep_hits=True) == 1024
    assert block_size([sources["small"]], keep_hits=True) == 1 << 19
    assert block_size([sources["hits"], sources["dense"]], keep_hits=True) == 1


def test_events_have_the_metadata_of_a_job(config):
    (path,) = list(config.datasets["toy"].files)[:1]
    runner = processor.Runner(
        executor=processor.IterativeExecutor(status=False), schema=BaseSchema, chunksize=100
    )
    in_a_job = runner(
        {"toy": {"files": {path: "Events"}}}, lambda events: {"metadata": [dict(events.metadata)]}
    )
    events = next(read_blocks(config, ["calo"], max_events=100))
    assert events.metadata == in_a_job["metadata"][0]


@pytest.mark.parametrize("n_kept", [0.05, 0.5, 0.9])
def test_a_damaged_file_is_one_line(write_events, job, n_kept):
    file = write_events("a.root", 400, row=[[1]] * 400, col=[[1]] * 400, sum=[[1]] * 400)
    content = job(file)
    content["clusters"]["Jet"]["reference"] = REFERENCE
    config, whole = parse_config(content), Path(file).read_bytes()
    Path(file).write_bytes(whole[: int(n_kept * len(whole))])
    calls = {
        "read_cells": lambda: list(read_cells(config, "calo", max_events=400)),
        "read_event": lambda: read_event(config, 399),
        "closure": lambda: closure(config),
    }
    for name, call in calls.items():
        with pytest.raises(OSError, match="cannot be read as a ROOT file") as error:
            call()
        assert str(error.value).startswith(f"{file}: "), name
        assert "\n" not in str(error.value), name
