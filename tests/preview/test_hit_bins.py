"""How hits fill their bins, counted by hand and by plain loops: what `check` says of grids of coordinates."""

import math
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.cli.main import main
from hep_peaksum.config.load import parse_config
from hep_peaksum.preview.hit_bins import bin_fillings

# x and y of cells of width 2 at -3, -1, 1 and 3, and depth z
HITS = {
    "x": ak.Array([[-3.0, -1, -1, 3], [3, 3, 99], []]),
    "y": ak.Array([[-3.0, 1, 1, 3], [3, 3, 0], []]),
    "z": ak.Array([[0.0, 0, 1, 0], [0, 1, 0], []]),
    "e": ak.Array([[1.0, 1, 1, 1], [1, 1, 1], []]),
}
AXIS = {"start": -4, "stop": 4}


@pytest.fixture
def content(write_root, tmp_path):
    def make(hits, n_bins, **keys):
        grid = {"hits": {"col": "y", "value": "e", **hits}, **keys}
        grid |= {"rows": {"name": "x", "bins": n_bins, **AXIS}, "cols": {"name": "y", "bins": n_bins, **AXIS}}
        return {
            "datasets": {"toy": {"files": {write_root("a.root", {"Events": HITS}): "Events"}}},
            "grids": {"calo": grid},
            "clusters": {"Jet": {"grid": "calo", "seed_threshold": 0.5, "search_window": [1, 1]}},
            "output": {"directory": str(tmp_path / "results")},
        }

    return make


@pytest.mark.parametrize(
    ("n_bins", "n_filled", "most", "empty"),
    [
        # rows and columns with hits: those of x at -3, -1 and 3, and of y at -3, 1 and 3
        pytest.param(4, 3, 1, (1, 4), id="bins_of_cells"),
        # of -3 to 3, bins 1 to 7, every second one, and the one of the missing cell
        pytest.param(8, 3, 1, (4, 7), id="bins_of_half_a_cell"),
        pytest.param(1, 1, 3, (0, 1), id="one_bin"),
    ],
)
def test_positions_and_empty_bins_are_counted(content, n_bins, n_filled, most, empty):
    ((name, filling),) = bin_fillings(parse_config(content({"row": "x"}, n_bins)))
    assert name == "calo"
    assert filling == (3, 6, 3, n_filled, most, empty, empty)


def test_what_a_coordinate_is_made_of_tells_cells_apart(content):
    """Two cells behind each other are two positions in one bin."""
    ((_, filling),) = bin_fillings(parse_config(content({"row": {"r": ["x", "y", "z"]}}, 1)))
    assert filling[:5] == (3, 2, 2, 1, 2)


@pytest.mark.parametrize(
    ("layers", "labels", "counts"),
    [
        # three positions in layer 0, two of which are in layer 1, too
        pytest.param("each", "0..1", (6, 5, 2, 3), id="each"),
        pytest.param("sum", "0..1", (6, 3, 1, 3), id="sum"),
        pytest.param("each", "1..2", (2, 2, 1, 2), id="layer_0_is_outside"),
        pytest.param("sum", "1..2", (2, 2, 1, 2), id="layer_0_is_outside_of_the_sum"),
    ],
)
def test_bins_of_layers_are_apart_where_each_is_searched(content, layers, labels, counts):
    made = content({"row": "x", "layer": "z"}, 1, depth={"labels": labels}, layers=layers)
    ((_, filling),) = bin_fillings(parse_config(made))
    assert filling[1:5] == counts


def test_conditions_leave_hits_out(content):
    where = [{"branch": "z", "equals": 0}]
    ((_, filling),) = bin_fillings(parse_config(content({"row": "x"}, 4, where=where)))
    assert (filling.n_hits, filling.n_positions) == (4, 3)


def test_a_seam_is_no_gap(write_root, content):
    made = content({"row": "x"}, 8)
    made["grids"]["calo"]["rows"]["periodic"] = True
    ((_, filling),) = bin_fillings(parse_config(made))
    # 99 folds to 3 and its y of 0 to bin 4: rows 1, 3, 7 on a ring of 8, whose widest gap (4, 5, 6) is outside
    assert (filling.n_hits, filling.empty_rows) == (7, (2, 5))


def test_labels_are_no_coordinates(content):
    made = content({"row": "x"}, 4)
    made["grids"]["calo"] |= {"rows": {"labels": "-3..3"}, "cols": {"n": 4}}
    assert list(bin_fillings(parse_config(made))) == []


def test_check_prints_what_lies_in_the_bins(content, tmp_path, capsys):
    import yaml

    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(content({"row": "x"}, 4)), encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["check", str(path)])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert "Hits in calo\n" in said
    assert "6 hits of 3 entries, 3 positions in 3 bins: 1.0 in a bin, up to 1\n" in said
    assert "1 of 4 rows and 1 of 4 columns between the first and the last filled one are empty\n" in said


def test_a_barrel_is_counted_as_plain_loops_do(data, tmp_path):
    path, hits = str(data("eic_test_sim.edm4hep.root")), "EcalBarrelScFiHits"
    rows = {"name": "eta", "bins": 40, "start": -1, "stop": 1}
    cols = {"name": "phi", "bins": 128, "start": "-pi", "stop": "pi", "periodic": True}
    place = {"row": {"eta": f"{hits}.position"}, "col": {"phi": f"{hits}.position"}, "value": f"{hits}.energy"}
    config = parse_config(
        {
            "datasets": {"eic": {"files": {path: "events"}}},
            "grids": {"barrel": {"hits": place, "rows": rows, "cols": cols}},
            "clusters": {"Jet": {"grid": "barrel", "seed_threshold": 0.001}},
            "output": {"directory": str(tmp_path)},
        }
    )
    import uproot

    with uproot.open(path) as file:
        columns = [file["events"][f"{hits}.position.{word}"].array().to_list() for word in "xyz"]
    points = {hit for event in zip(*columns, strict=True) for hit in zip(*event, strict=True)}
    bins = {}
    for x, y, z in points:
        eta, phi = math.asinh(z / math.sqrt(x * x + y * y)), math.atan2(y, x)
        bins.setdefault((math.floor((eta + 1) * 20), math.floor((phi + math.pi) / math.pi * 64)), set()).add(
            (x, y, z)
        )
    ((_, filling),) = bin_fillings(config)
    assert filling[:5] == (5, 2091, len(points), len(bins), max(map(len, bins.values())))
    assert np.isclose(filling.empty_rows[1], max(i for i, _ in bins) - min(i for i, _ in bins) + 1)


def test_a_second_file_that_is_cut_short_is_named_in_one_line(content, write_root, tmp_path):
    config = content({"row": "x"}, 4)
    whole = Path(write_root("b.root", {"Events": {key: ak.Array([[0.0] * 2000] * 50) for key in HITS}}))
    cut = tmp_path / "cut.root"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    config["datasets"]["toy"]["files"][str(cut)] = "Events"
    with pytest.raises(
        OSError, match=r"cut\.root: cannot be read as a ROOT file, it is cut short or damaged"
    ) as error:
        list(bin_fillings(parse_config(config)))
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(": copy it again")
