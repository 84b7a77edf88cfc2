"""The scale of a grid: energies and thresholds in GeV move with it, and cells do not."""

import numpy as np
import pytest
from small_config import problems, small

from hep_peaksum.config.load import parse_config, parse_job
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.job.processor import PeakSumProcessor

DENSE = {"dense": {"branch": "e", "shape": [1, 3]}}


def found(scale, threshold):
    """Return peak_sum and energy of the clusters of one event with cells 0, 8 and 0, in counts of 0.5 GeV."""
    import awkward as ak

    grid = {**DENSE, "unit": "0.5 GeV", **({} if scale is None else {"scale": scale})}
    processor = PeakSumProcessor(
        grids={"calo": grid}, clusters={"Jet": {"grid": "calo", "seed_threshold": threshold}}
    )
    jets = processor.find(ak.Array({"e": [[0, 8, 0]]})).events.Jet
    return [*zip(jets.peak_sum.to_list()[0], jets.energy.to_list()[0], strict=True)]


def test_energies_move_with_the_scale_and_counts_do_not():
    assert found(None, 1) == [(8, 4.0)]
    assert found(1.25, 1) == [(8, 5.0)]


def test_a_threshold_in_gev_moves_and_a_count_does_not():
    assert [found(scale, "4.5 GeV") for scale in (None, 1.25)] == [[], [(8, 5.0)]]
    assert [len(found(scale, 7)) for scale in (0.5, 1, 1.25)] == [1, 1, 1]


def test_a_scaled_grid_is_scaled_once():
    """Processors get the config as plain values, and read it again."""
    content = {**small(), "grids": {"calo": {**DENSE, "unit": "0.5 GeV", "scale": 1.25}}}
    config = parse_config(content)
    assert config.grids["calo"].grid.unit == 0.625
    assert parse_job(config.job()).grids["calo"] == config.grids["calo"]


def test_the_unit_of_a_named_geometry_is_scaled_too():
    hits = {"row": "ieta", "col": "iphi", "value": "iet"}
    grids = [
        GridInput.model_validate({"hits": hits, "geometry": "cms-l1-towers", **more})
        for more in ({}, {"scale": 1.1})
    ]
    assert grids[1].grid.unit == pytest.approx(1.1 * grids[0].grid.unit)
    assert np.array_equal(grids[0].grid.rows.label_values, grids[1].grid.rows.label_values)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"scale": 1.1}, "grids.calo.scale: 1.1 is a factor of the unit, and the grid has none: give unit"),
        ({"scale": 0, "unit": 1}, "grids.calo.scale: 0 is not above 0"),
        ({"scale": "x", "unit": 1}, "grids.calo.scale: 'x' is not a number"),
        ({"scale": 1.1, "unit": "x"}, "grids.calo.unit: "),
    ],
)
def test_what_is_no_scale_is_refused(keys, problem):
    (line,) = problems({**small(), "grids": {"calo": {**DENSE, **keys}}})
    assert line.startswith(problem)


@pytest.mark.parametrize(
    ("columns", "noises"),
    [
        ("gain\n1,0,0,2", None),
        ("noise,status\n1,0,0,3,0\n2,0,1,9,1\n3,0,2,5,0", [6, 10]),
        ("noise_raw,gain\n1,0,0,3,-0.5\n2,0,1,4,2", [3, 16]),
        ("noise_raw\n1,0,0,3", [6]),
    ],
    ids=["none", "of_energies", "of_counts", "without_gains"],
)
def test_the_noise_of_a_table_is_scaled_as_its_energies_are(tmp_path, columns, noises):
    """Those of good channels, in the unit of the grid."""
    (tmp_path / "cells.csv").write_text(f"channel,row,col,{columns}\n")
    dense = {"branch": "adc", "axes": ["channel"]}
    grid = GridInput.model_validate({"dense": dense, "cells": str(tmp_path / "cells.csv"), "scale": 2})
    assert grid.has_noise == (noises is not None)
    assert noises is None or grid.noises().tolist() == noises


def test_the_noise_of_a_config_is_that_of_the_cells():
    grid = GridInput.model_validate({**DENSE, "rows": {"n": 1}, "cols": {"n": 3}, "noise": 1.5})
    assert grid.has_noise
    assert np.unique(grid.noises()).tolist() == [1.5]
    assert not GridInput.model_validate({**DENSE, "rows": {"n": 1}, "cols": {"n": 3}}).has_noise
