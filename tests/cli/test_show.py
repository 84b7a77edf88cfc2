"""`show` of several collections: a picture for each."""

from pathlib import Path

import numpy as np
import pytest
from cli_output import PNG
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from hep_peaksum.plotting import events


def test_two_collections_have_a_picture_each(cli, write_events, job, write_config):
    cells = np.zeros((1, 6, 8))
    cells[0, 2, 3], cells[0, 4, 6] = 9, 5
    content = job(write_events("a.root", 1, cells=cells))
    content["clusters"]["Single"] = {"grid": "calo", "sum_window": [1, 1], "seed_threshold": 6}
    status, out, err = cli("show", write_config(content), "-o", "mine.png")
    assert (status, err) == (0, "")
    assert {path.name for path in Path().glob("*.png")} == {"mine-Jet-calo.png", "mine-Single-calo.png"}
    assert all(path.read_bytes().startswith(PNG) for path in Path().glob("*.png"))
    assert "Jet on calo: 2 clusters, picture saved to mine-Jet-calo.png" in out
    assert "Single on calo: 1 cluster, picture saved to mine-Single-calo.png" in out


def test_references_the_mask_and_the_range_of_colours_are_drawn(
    cli, write_events, job, write_config, monkeypatch
):
    cells = np.zeros((2, 6, 8))
    cells[:, 2, 3] = 9
    jets = {"jet_eta": [[-0.5, 4.5]] * 2, "jet_phi": [[-0.3, 0.0]] * 2, "row": [[1.5]] * 2, "col": [[0.3]] * 2}
    content = job(write_events("a.root", 2, cells=cells, **jets, sum=[[9.0]] * 2))
    content["references"] = {"jets": {"eta": "jet_eta", "phi": "jet_phi"}}
    content["clusters"]["Jet"]["reference"] = {"row": "row", "col": "col", "sum": "sum"}
    mask = np.zeros((6, 8), bool)
    mask[0, 0] = True
    np.save("mask.npy", mask)
    content["grids"]["calo"]["mask"] = str(Path("mask.npy").absolute())
    drawn = {}
    monkeypatch.setattr(events, "draw_event", lambda *_, **options: drawn.update(options) or Figure())
    status, _, err = cli("show", write_config(content), "--z-range", "1", "20")
    assert (status, err) == (0, "")
    # the second jet lies outside the grid
    assert {name: places.tolist() for name, places in drawn["references"].items()} == {
        "jets": [[2, 3]],
        "reference of Jet": [[4, 4]],
    }
    assert drawn["z_range"] == (1, 20)
    assert np.argwhere(drawn["mask"]).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("datasets", "names"), [([], []), (["data"], []), (["toy"], ["jets"]), (None, ["jets"])]
)
def test_references_of_a_dataset_are_drawn_in_its_events_alone(
    cli, write_events, job, write_config, monkeypatch, datasets, names
):
    content = job(write_events("a.root", 1, eta=[[-0.5]], phi=[[0.0]]))
    content["datasets"]["data"] = {"files": {write_events("b.root", 1): "Events"}}
    jets = {"eta": "eta", "phi": "phi"}
    content["references"] = {"jets": jets if datasets is None else {**jets, "datasets": datasets}}
    drawn = {}
    monkeypatch.setattr(events, "draw_event", lambda *_, **options: drawn.update(options) or Figure())
    status, _, err = cli("show", write_config(content))
    assert (status, err) == (0, "")
    assert list(drawn["references"]) == names


@pytest.mark.parametrize("coarsen", [[1, 1], [2, 2]])
@pytest.mark.parametrize("has_coordinates", [False, True])
def test_a_reference_on_towers_is_drawn_at_its_cluster(
    cli, write_events, job, write_config, monkeypatch, has_coordinates, coarsen
):
    cells = np.zeros((1, 8, 8))
    cells[0, 4, 6] = 9
    axes, tower = {"rows": {"n": 8}, "cols": {"n": 8}}, [4 // coarsen[0], 6 // coarsen[1]]
    if has_coordinates:
        names = {"rows": "y", "cols": "x"}
        axes = {word: {"name": name, "bins": 8, "start": 0, "stop": 80} for word, name in names.items()}
        tower = [42.0, 63.0]
    places = {"row": [[tower[0], -1]], "col": [[tower[1], 3]], "sum": [[9.0, 1]]}
    content = job(write_events("a.root", 1, cells=cells, **places))
    content["grids"]["calo"] = {"dense": {"branch": "cells", "shape": [8, 8]}, **axes}
    content["clusters"]["Jet"] |= {"coarsen": coarsen, "reference": {word: word for word in places}}
    draw, figures = events.draw_event, []
    monkeypatch.setattr(
        events, "draw_event", lambda *given, **options: figures.append(draw(*given, **options)) or figures[-1]
    )
    status, _, err = cli("show", write_config(content))
    assert (status, err) == (0, "")
    panel = figures[0].axes[0]
    rings = {
        tuple(at) for each in panel.collections if isinstance(each, PathCollection) for at in each.get_offsets()
    }
    crosses = {tuple(at) for line in panel.lines if line.get_marker() == "x" for at in line.get_xydata()}
    assert crosses == rings
    assert len(rings) == 1
