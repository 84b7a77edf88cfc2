"""Branches that uproot cannot read, names it cannot look up, schemas that do not fit: one line, if used."""

from collections import Counter

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.inspection.files import inspect_file
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.job.run import run
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.preview.event import read_event
from hep_peaksum.reading.columns import column
from hep_peaksum.reading.files import nano_events, open_file

HITS = "dataFrame/fDataFrame/fDataFrame"
ARRAY = "dataFrame/TClonesArray/TObjArray"


@pytest.fixture
def pixels(data, tmp_path):
    """Return a config for pixel hits beside a TObjArray; keywords replace the branches of the hits."""

    def content(**hits):
        path = str(data("dtc_exp140.root"))
        read = {"row": f"{HITS}.fY", "col": f"{HITS}.fX", "value": f"{HITS}.fLayer", **hits}
        axes = {name: {"bins": 160, "start": -640, "stop": 640} for name in ("rows", "cols")}
        return {
            "datasets": {"beam": {"files": {path: "tree"}}},
            "grids": {"pixels": {"hits": read, **axes}},
            "clusters": {"Cluster": {"grid": "pixels", "search_window": [3, 3], "sum_window": [1, 1]}},
            "output": {"directory": str(tmp_path / "out"), "plots": False},
        }

    return content


def local_maxima(path):
    """Yield the cells of every entry that no neighbour exceeds, the first of equal ones."""
    tree = uproot.open(path)["tree"]
    columns = [tree[f"{HITS}.{name}"].array().to_list() for name in ("fX", "fY", "fLayer")]
    for event in zip(*columns, strict=True):
        cells = Counter()
        for x, y, layer in zip(*event, strict=True):
            if -640 <= x < 640 and -640 <= y < 640:
                cells[(y + 640) // 8, (x + 640) // 8] += layer
        yield {
            (row, col): energy
            for (row, col), energy in cells.items()
            if energy > 0 and not any(beats(cells, row, col, i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))
        }


def beats(cells, row, col, i, j):
    energy, other = cells[row, col], cells.get((row + i, col + j), 0)
    return other > energy or (other == energy and (i, j) < (0, 0))


def test_a_job_reads_the_branches_beside_one_that_cannot_be_read(pixels, data):
    config = parse_config(pixels())
    (outside,) = check_inputs(config).others
    assert "13 hits of the first 20 entries lie outside grid 'pixels'" in outside
    events = ak.from_parquet(run(config).directory / "beam/clusters.parquet")
    expected = list(local_maxima(data("dtc_exp140.root")))
    assert len(events) == 241
    for index, cells in enumerate(expected):
        columns = (events[f"Cluster_{name}"][index].to_list() for name in ("row", "col", "peak_sum"))
        assert {(row, col): energy for row, col, energy in zip(*columns, strict=True)} == cells
    assert len(read_event(config, 3).clusters["Cluster"]) == len(expected[3])


IN_A_GROUP = f"the branch 'dataFrame' of type 'DataFrame' cannot be read by uproot, because of '{ARRAY}': "


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (ARRAY, f"the branch '{ARRAY}' of type 'unknown' cannot be read by uproot: name another one"),
        ("dataFrame", f"{IN_A_GROUP}name a branch in it"),
    ],
)
def test_a_branch_that_cannot_be_read_is_named_with_type_and_file_when_used(pixels, data, name, message):
    config = parse_config(pixels(value=name))
    where = data("dtc_exp140.root")
    with pytest.raises(ConfigError) as refused:
        check_inputs(config)
    assert list(refused.value.problems) == [f"grids.pixels.hits.value: {where}: {message}"]
    with pytest.raises(ChunkError) as failed:
        run(config)
    assert str(failed.value) == f"{where}: {message}"


def test_a_branch_of_a_friend_that_cannot_be_read_is_named_too(data):
    path = str(data("dtc_exp140.root"))
    with open_file(path) as file:
        events = nano_events(file, path, "tree", 0, 5, schema="base")
        assert column(events, "pixels:dataFrame/fRun", {"pixels": "tree"}).to_list() == [45] * 5
        with pytest.raises(ValueError, match=f"the branch '{ARRAY}' of type 'unknown' cannot be read"):
            column(events, f"pixels:{ARRAY}", {"pixels": "tree"})


def test_histograms_are_not_looked_up_whatever_their_names(data, tmp_path):
    nothing = inspect_file(str(data("ldmx_gold_hcal.root")))
    assert (nothing.trees, nothing.candidates) == ({}, [])
    path = tmp_path / "names.root"
    with uproot.recreate(path) as file:
        for name in ("a:b", "folder/layer:strip", "plain"):
            file[name] = np.histogram([1.0, 2.0])
        file.mktree("folder/Events", {"cells": np.ones((3, 4, 5))})
    found = inspect_file(str(path))
    assert found.trees == {"folder/Events": 3}
    assert [each.branches for each in found.candidates] == [("cells",)]


@pytest.mark.parametrize("schema", ["delphes", "nanoaod"])
def test_a_schema_that_does_not_fit_says_what_to_use_instead(write_root, job, schema):
    path = write_root("other.root", {"Events": {"cells": np.ones((3, 6, 8), "f4")}})
    config = parse_config({**job(path), "events": {"schema": schema}})
    for action in (check_inputs, run):
        with pytest.raises((ConfigError, ChunkError)) as error:
            action(config)
        (line,) = str(error.value).splitlines()
        assert f"{path}: events.schema '{schema}' does not fit the tree 'Events' (" in line
        assert line.endswith("): leave it out and name branches as `hep-peaksum inspect` does")


@pytest.mark.parametrize(
    ("file", "tree", "wrong", "fits"),
    [
        ("coffea_delphes.root", "Delphes", "edm4hep", "delphes"),
        ("eic_test_sim.edm4hep.root", "events", "delphes", "edm4hep"),
    ],
)
def test_a_schema_that_fits_instead_is_named(data, file, tree, wrong, fits):
    path = str(data(file))
    with open_file(path) as opened:
        with pytest.raises(ValueError, match=f"'{wrong}' does not fit.*: write {fits}, or leave it out"):
            nano_events(opened, path, tree, 0, 0, schema=wrong)
        assert len(nano_events(opened, path, tree, 0, 2, schema=fits)) == 2


def test_a_file_of_the_right_names_is_offered_nanoaod(write_events):
    path = write_events("a.root", 4)
    with (
        open_file(path) as file,
        pytest.raises(ValueError, match=r"'delphes' does not fit.*: write nanoaod, or"),
    ):
        nano_events(file, path, "Events", 0, 0, schema="delphes")
