"""What is written about matched clusters, and objects on a grid that a variation changes."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.job.processor import PeakSumProcessor

GRIDS = {
    "calo": {
        "dense": {"branch": "cells", "shape": [4, 4]},
        "rows": {"name": "eta", "bins": 4, "start": -2, "stop": 2},
        "cols": {"name": "phi", "bins": 4, "start": "-pi", "stop": "pi", "periodic": True},
        "unit": 1,
    }
}
CELLS = np.zeros((1, 4, 4), int)
CELLS[0, 2, 2] = 9  # its centre is at eta 0.5, phi pi / 4


@pytest.mark.parametrize("eta", [[0.6, 0.8], [0.8, 0.6], [0.8, 0.6, 0.7]])
def test_of_objects_that_share_a_cluster_the_nearest_is_written(eta):
    processor = PeakSumProcessor(
        grids=GRIDS,
        clusters={"Jet": {"grid": "calo"}},
        references={"Gen": {"eta": "gen_eta", "phi": "gen_phi"}},
        matches={
            "Near": {
                "clusters": "Jet",
                "reference": "Gen",
                "by": "delta_r",
                "within": 0.5,
                "pairing": "nearest",
            }
        },
    )
    events = ak.Array({"cells": CELLS, "gen_eta": [eta], "gen_phi": [[np.pi / 4] * len(eta)]})
    (jet,) = processor.find(events).events.Jet[0].to_list()
    assert jet["NearIdx"] == eta.index(0.6)
    assert jet["NearDistance"] == pytest.approx(0.1)


def test_objects_are_found_on_the_grid_of_the_variation():
    processor = PeakSumProcessor(
        grids=GRIDS,
        clusters={"Jet": {"grid": "calo"}},
        references={"Emu": {"row": "emu_eta", "col": "emu_phi", "grid": "calo"}},
        matches={"Same": {"clusters": "Jet", "reference": "Emu", "by": "cell"}},
        measurements={
            "purity": {"purity": "Same", "axis": {"field": "Jet.pt", "bins": 1, "start": 0, "stop": 10}}
        },
        variations={"Shifted": {"grids.calo.rows.start": -4, "grids.calo.rows.stop": 0}},
    )
    # the cell of the jet is at eta 0.5, and with shifted rows at eta -1.5
    events = ak.Array({"cells": CELLS, "emu_eta": [[0.5]], "emu_phi": [[np.pi / 4]]})
    purity = processor.find(events).histograms["purity"]
    matched = [purity[{"variation": each, "clusters": "matched"}].sum() for each in ("nominal", "Shifted")]
    assert matched == [1, 0]
