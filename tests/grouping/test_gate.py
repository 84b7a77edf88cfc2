"""A real file of GATE, one row per hit, through `group` and a job: against plain loops over its rows."""

import os
from collections import defaultdict

import awkward as ak
import pytest
import uproot
from places import CONFIGS

from hep_peaksum.config.load import load_config
from hep_peaksum.grouping.group import group_rows
from hep_peaksum.inputs.paths import InputFile
from hep_peaksum.job.run import run

WINDOW = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


def clusters_by_event(path):
    """Return (row, col, sum) of the local maxima of every event, in cells of 4 mm."""
    rows = uproot.open(path)["Hits"].arrays(["eventID", "posX", "posY", "edep"], library="np")
    cells = defaultdict(lambda: defaultdict(float))
    for event, x, y, energy in zip(*(rows[name].tolist() for name in rows), strict=True):
        cells[event][int((y + 70) // 4), int((x + 140) // 4)] += energy
    return {event: [*maxima(grid)] for event, grid in cells.items()}


def maxima(grid):
    """Yield cells above 0 that no neighbour beats; of equal ones the first wins."""
    for (row, col), energy in sorted(grid.items()):
        around = {(i, j): grid.get((row + i, col + j), 0.0) for i, j in WINDOW}
        beaten = any(e > energy or (e == energy and place < (0, 0)) for place, e in around.items())
        if energy > 0 and not beaten:
            total = 0.0
            for place in WINDOW:
                total += around[place]
            yield row, col, total


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_clusters_of_grouped_hits_are_those_of_a_loop_over_the_rows(data, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = str(data("dtc_al250.root"))
    group_rows(InputFile(path, "Hits"), tmp_path / "gate-events.root", ["runID", "eventID"], kind=kind)
    config = load_config(CONFIGS / "gate-hits.yaml", ["output.plots=false", "output.clusters=parquet"])
    result = run(config)
    events = ak.from_parquet(os.fspath(result.directory / "protons/clusters.parquet"))
    expected = clusters_by_event(path)
    assert events.event.to_list() == list(expected)
    columns = (events.Cluster_row, events.Cluster_col, events.Cluster_peak_sum)
    for event, *found in zip(events.event.to_list(), *(each.to_list() for each in columns), strict=True):
        assert sorted(zip(*found, strict=True)) == expected[event]
    assert ak.sum(events.nCluster) == 4802
