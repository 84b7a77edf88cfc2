"""One event of a config, as it is drawn."""

import numpy as np

from hep_peaksum.config.load import parse_config
from hep_peaksum.preview.event import read_event


def test_the_plane_of_a_grid_with_layers_is_their_sum(write_root, tmp_path):
    cells = np.zeros((2, 3, 2, 4), np.float32)  # (event, layer, row, col)
    cells[1, :, 0, 2], cells[1, 2, 1, 3] = [1, 2, 4], 8
    path = write_root("layers.root", {"Events": {"cells": cells, "event": np.arange(2)}})
    grid = {"dense": {"branch": "cells", "axes": ["layer", "row", "col"], "shape": [3, 2, 4]}}
    config = parse_config(
        {
            "datasets": {"toy": {"files": {path: "Events"}}},
            "grids": {"calo": grid},
            "clusters": {"Jet": {"grid": "calo", "seed_threshold": 1}},
            "output": {"directory": str(tmp_path / "results")},
        }
    )
    event = read_event(config, 1)
    assert event.cells["calo"].tolist() == [[0, 0, 7, 0], [0, 0, 0, 8]]
